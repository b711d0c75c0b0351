//! The journal of a run: append-only, each line chained to the one before, on disk before anything is sent.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{RunState, state_dir};
use crate::error::{Code, Error};
use crate::plan::file::sha256_of;
use crate::pulls::Target;

/// What happened, in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum Event {
    /// The first line: which plan, on which world, by whom.
    Started {
        /// The name of the run's directory.
        run: String,
        /// The plan, as applied.
        plan_digest: String,
        /// The cluster.
        target: Target,
        /// The ARN that applies; none in the sandbox.
        caller: Option<String>,
        /// The directory that is the world; none with AWS.
        sandbox: Option<PathBuf>,
        /// The program.
        ecr_fix_version: String,
    },
    /// The next thing that is sent is this action.
    Intended {
        /// The id of the action.
        action: String,
    },
    /// It was sent, and its effect was seen.
    Applied {
        /// The id of the action.
        action: String,
        /// Of the call that made it.
        request_id: Option<String>,
        /// The id of what was made, where AWS assigned one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        assigned_id: Option<String>,
    },
    /// It was found done: not ours, never rolled back.
    AlreadySo {
        /// The id of the action.
        action: String,
    },
    /// It was refused, and the world is as it was.
    Failed {
        /// The id of the action.
        action: String,
        /// Why.
        because: String,
    },
    /// Whether it had an effect is not known.
    Unknown {
        /// The id of the action.
        action: String,
        /// Why.
        because: String,
    },
    /// The way forward ended.
    Finished {
        /// How the run ended.
        state: RunState,
    },
    /// The way back began.
    RollbackStarted {
        /// The ARN that rolls back; none in the sandbox.
        caller: Option<String>,
    },
    /// The next thing that is sent is the inverse of this action.
    RevertIntended {
        /// The id of the action.
        action: String,
    },
    /// The inverse was seen.
    Reverted {
        /// The id of the action.
        action: String,
        /// Of the call that made it; none where it was found gone.
        request_id: Option<String>,
    },
    /// Somebody changed it since: left alone.
    RevertSkipped {
        /// The id of the action.
        action: String,
        /// What was found.
        found: String,
        /// Against what we had left.
        diff: String,
    },
    /// The inverse was refused.
    RevertFailed {
        /// The id of the action.
        action: String,
        /// Why.
        because: String,
    },
    /// The way back ended.
    RolledBack {
        /// How the run ended.
        state: RunState,
    },
}

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Line {
    /// From 0.
    pub seq: u64,
    /// RFC 3339.
    pub at: String,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
    /// The hash of the line before; of nothing for the first.
    pub prev: String,
    /// `sha256:` over the canonical JSON of the line without this field.
    pub hash: String,
}

/// What a look at every line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chain {
    /// Every line follows from the one before.
    Intact,
    /// The last line was cut short, as a crash leaves it. What it said was never acted on.
    Torn,
    /// A line was changed, dropped or moved.
    Broken {
        /// From 1.
        line: usize,
        /// What is wrong with it.
        because: String,
    },
}

impl Chain {
    /// The text in every output.
    pub fn as_text(&self) -> String {
        match self {
            Chain::Intact => "intact".to_owned(),
            Chain::Torn => "torn: the last line was cut short".to_owned(),
            Chain::Broken { line, because } => format!("broken at line {line}: {because}"),
        }
    }
}

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    next: u64,
    last: String,
}

const NAME: &str = "journal.jsonl";

impl Journal {
    /// Makes the journal of a new run.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn create(run: &Path) -> Result<Journal, Error> {
        let path = run.join(NAME);
        let file = state_dir::create_file(&path)?;
        state_dir::sync_dir(run)?;
        Ok(Journal { file, path, next: 0, last: sha256_of(&Value::Null) })
    }

    /// Opens the journal of an earlier run to write on. A line that was cut short is set aside first.
    ///
    /// # Errors
    /// The disk refuses, or the chain is broken.
    pub fn open(run: &Path) -> Result<Journal, Error> {
        let path = run.join(NAME);
        let (lines, chain) = read(run)?;
        if let Chain::Broken { .. } = chain {
            return Err(Error::new(
                Code::BadInput,
                format!("{} was changed after it was written", path.display()),
                "nothing was done; find out who changed it (`ecr-fix runs verify RUN`), and undo by hand what the plan beside it shows",
            )
            .because(chain.as_text()));
        }
        let failed = |error| state_dir::storage(&path, &error);
        let mut file = OpenOptions::new().read(true).write(true).open(&path).map_err(failed)?;
        if chain == Chain::Torn {
            set_torn_end_aside(&mut file, run).map_err(failed)?;
        }
        file.seek(std::io::SeekFrom::End(0)).map_err(failed)?;
        let last = lines.last().map_or_else(|| sha256_of(&Value::Null), |line| line.hash.clone());
        Ok(Journal { file, path, next: lines.len() as u64, last })
    }

    /// Appends a line and waits until it is on the disk.
    ///
    /// # Errors
    /// The disk refuses: then nothing that the line announces may be done.
    pub fn record(&mut self, at: Timestamp, event: Event) -> Result<(), Error> {
        let mut line =
            Line { seq: self.next, at: at.to_string(), event, prev: self.last.clone(), hash: String::new() };
        line.hash = hash(&line);
        let mut text = serde_json::to_string(&line).unwrap_or_default();
        text.push('\n');
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(|error| state_dir::storage(&self.path, &error))?;
        self.next += 1;
        self.last = line.hash;
        Ok(())
    }
}

/// Every line up to the first that is wrong, and what the chain says.
///
/// # Errors
/// The journal cannot be read at all.
pub(super) fn read(run: &Path) -> Result<(Vec<Line>, Chain), Error> {
    let path = run.join(NAME);
    let mut bytes = Vec::new();
    File::open(&path).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(|error| {
        Error::new(
            Code::BadInput,
            format!("{} cannot be read", path.display()),
            "name another run: `ecr-fix runs list`",
        )
        .because(error)
    })?;
    Ok(follow(&bytes))
}

fn follow(bytes: &[u8]) -> (Vec<Line>, Chain) {
    let mut lines = Vec::new();
    let mut last = sha256_of(&Value::Null);
    for (number, text) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
        if text.last() != Some(&b'\n') {
            return (lines, Chain::Torn);
        }
        let broken = |because: &str| Chain::Broken { line: number, because: because.to_owned() };
        let Ok(line) = serde_json::from_slice::<Line>(text) else {
            return (lines, broken("it cannot be read"));
        };
        if line.hash != hash(&line) {
            return (lines, broken("its content does not have its hash"));
        }
        if line.prev != last || line.seq != lines.len() as u64 {
            return (lines, broken("it does not follow the line before"));
        }
        last.clone_from(&line.hash);
        lines.push(line);
    }
    (lines, Chain::Intact)
}

fn hash(line: &Line) -> String {
    let mut value = serde_json::to_value(line).unwrap_or_default();
    if let Value::Object(fields) = &mut value {
        fields.remove("hash");
    }
    sha256_of(&value)
}

/// Keeps what a crash cut short beside the journal, and ends the journal at its last whole line.
fn set_torn_end_aside(file: &mut File, run: &Path) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |position| position + 1);
    std::fs::write(run.join("journal.torn"), bytes.get(whole..).unwrap_or_default())?;
    file.set_len(whole as u64)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal_of(events: usize) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(dir.path()).unwrap();
        for number in 0..events {
            journal.record(Timestamp::UNIX_EPOCH, Event::Intended { action: format!("a{number}") }).unwrap();
        }
        std::fs::read(dir.path().join(NAME)).unwrap()
    }

    #[test]
    fn every_change_of_a_line_is_found() {
        let bytes = journal_of(3);
        assert_eq!(follow(&bytes).1, Chain::Intact);
        for position in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[position] ^= 1;
            let (lines, chain) = follow(&changed);
            assert_ne!(chain, Chain::Intact, "byte {position}");
            assert!(lines.len() < 3);
        }
    }

    #[test]
    fn dropped_and_swapped_lines_are_found() {
        let bytes = journal_of(3);
        let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        for order in [&[1, 2][..], &[0, 2], &[0, 2, 1], &[0, 0, 1, 2]] {
            let changed: Vec<u8> = order.iter().flat_map(|number| lines[*number].to_vec()).collect();
            assert!(matches!(follow(&changed).1, Chain::Broken { .. }), "{order:?}");
        }
    }

    #[test]
    fn a_line_that_was_cut_short_is_set_aside_and_writing_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let bytes = journal_of(2);
        std::fs::write(dir.path().join(NAME), &bytes[..bytes.len() - 5]).unwrap();
        assert_eq!(read(dir.path()).unwrap().1, Chain::Torn);
        let mut journal = Journal::open(dir.path()).unwrap();
        journal
            .record(Timestamp::UNIX_EPOCH, Event::Failed { action: "a1".into(), because: "x".into() })
            .unwrap();
        let (lines, chain) = read(dir.path()).unwrap();
        assert_eq!((lines.len(), chain), (2, Chain::Intact));
        assert!(dir.path().join("journal.torn").exists());
    }
}
