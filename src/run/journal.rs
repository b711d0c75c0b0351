//! The journal of a run: append-only, each line chained to the one before, on disk before anything is sent.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::RunState;
use super::run_dir::RunDir;
use super::tape::{NAME, Tape, Written};
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
        /// Of the record; none before 1.1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        record_version: Option<String>,
        /// What the person who applies says about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reasons: Option<Box<Reasons>>,
        /// How long it stays without `ecr-fix confirm`, in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        confirm_within: Option<u64>,
    },
    /// The way forward goes on, after it was cut off.
    Resumed {
        /// The ARN that applies; none in the sandbox.
        caller: Option<String>,
    },
    /// The run waits for `ecr-fix confirm`.
    ConfirmationAwaited {
        /// RFC 3339. Afterwards whoever comes first takes the run back.
        until: String,
    },
    /// Somebody said that the run shall stay.
    Confirmed,
    /// The end of the journal was not as it was left; what it said is lost.
    Damaged {
        /// What is wrong with it.
        because: String,
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
        /// The id of what was made, where AWS has answered with one and it does not show.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        assigned_id: Option<String>,
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
        /// Whether the world is as it was before the inverse.
        #[serde(default, skip_serializing_if = "is_false")]
        is_left: bool,
    },
    /// The way back ended.
    RolledBack {
        /// How the run ended.
        state: RunState,
    },
}

/// Why a run was made, for whoever reads the record later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Reasons {
    /// In words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where it is discussed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Who agreed, as the person who applies says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub approved_by: Vec<String>,
    /// Whose signature was found under the plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<Signer>,
}

/// Whose signature was found under a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Signer {
    /// As the file of allowed signers names them.
    pub principals: String,
    /// `SHA256:…`, as `ssh-keygen -l` prints it.
    pub key: String,
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
    /// Lines may be missing at the end. Those that are there can be believed.
    Shortened {
        /// What shows it.
        because: String,
    },
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
            Chain::Shortened { because } => format!("shortened: {because}"),
            Chain::Broken { line, because } => format!("broken at line {line}: {because}"),
        }
    }
}

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    tape: Tape,
    next: u64,
    last: String,
    failed: bool,
}

/// How far a journal goes, in a file of its own, so that lines cannot be missing at its end unseen.
///
/// It is replaced after each line is on the disk, and before anything else is done. So whatever happens, it names the
/// last line or the one before, never a line that is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    lines: u64,
    hash: String,
}

/// The format of the records that this program writes. From 1.1 on, every journal has its head.
pub const RECORD_VERSION: &str = "1.1";

impl Journal {
    /// Makes the journal of a new run.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn create(run: &RunDir) -> Result<Journal, Error> {
        Ok(Journal { tape: Tape::create(run)?, next: 0, last: sha256_of(&Value::Null), failed: false })
    }

    /// Opens the journal of an earlier run to write on. A line that was cut short is set aside first, and that lines
    /// are missing is written down before they are forgotten.
    ///
    /// # Errors
    /// The disk refuses, or the chain is broken.
    pub fn open(run: &RunDir, at: Timestamp) -> Result<Journal, Error> {
        let (lines, chain) = read(run)?;
        if let Chain::Broken { .. } = chain {
            return Err(Error::new(
                Code::BadInput,
                format!("{} was changed after it was written", run.place(NAME)),
                "nothing was done; find out who changed it (`ecr-fix runs verify RUN`), and undo by hand what the plan beside it shows",
            )
            .because(chain.as_text()));
        }
        let last = lines.last().map_or_else(|| sha256_of(&Value::Null), |line| line.hash.clone());
        let mut journal = Journal { tape: Tape::open(run)?, next: lines.len() as u64, last, failed: false };
        if let Chain::Shortened { because } = chain {
            journal.record(at, Event::Damaged { because })?;
        }
        Ok(journal)
    }

    /// The same journal, after its run was published under another name.
    #[must_use]
    pub fn in_run(self, run: &RunDir) -> Journal {
        Journal { tape: self.tape.in_run(run), ..self }
    }

    /// Appends a line and waits until it is on the disk.
    ///
    /// # Errors
    /// The disk refuses: then nothing that the line announces may be done, and nothing more is written.
    pub fn record(&mut self, at: Timestamp, event: Event) -> Result<(), Error> {
        if self.failed {
            return Err(Error::new(
                Code::Storage,
                "the journal cannot be written any more",
                "see the errors before this one",
            )
            .because("an earlier line could not be written"));
        }
        self.failed = true;
        let mut line =
            Line { seq: self.next, at: at.to_string(), event, prev: self.last.clone(), hash: String::new() };
        let value = serde_json::to_value(&line).unwrap_or_default();
        line.hash = hash(&value);
        let mut text = serde_json::to_string(&line).unwrap_or_default();
        text.push('\n');
        let head = Head { lines: self.next + 1, hash: line.hash.clone() };
        let head = serde_json::to_vec(&head).unwrap_or_default();
        self.tape.append(self.next, text.as_bytes(), &head)?;
        self.next += 1;
        self.last = line.hash;
        self.failed = false;
        Ok(())
    }
}

/// Every line up to the first that is wrong, and what the chain says.
///
/// # Errors
/// The journal cannot be read at all.
pub(super) fn read(run: &RunDir) -> Result<(Vec<Line>, Chain), Error> {
    // A run that is at work may write several lines between the two reads; a second look then tells.
    let mut answer = read_once(run)?;
    for _ in 0..4 {
        if !matches!(answer.1, Chain::Shortened { .. }) {
            break;
        }
        answer = read_once(run)?;
    }
    Ok(answer)
}

fn read_once(run: &RunDir) -> Result<(Vec<Line>, Chain), Error> {
    let Written { lines: bytes, head } = Tape::read(run)?;
    let (lines, chain) = follow(&bytes);
    let chain = match chain {
        Chain::Broken { .. } => chain,
        // An object is written as a whole, or not at all.
        Chain::Torn if matches!(run, RunDir::Shared(_)) => {
            Chain::Broken { line: lines.len() + 1, because: "it is not a whole line".to_owned() }
        }
        _ => compare(&lines, chain, head.as_deref()),
    };
    Ok((lines, chain))
}

/// What the head says of the lines that are there.
fn compare(lines: &[Line], chain: Chain, head: Option<&[u8]>) -> Chain {
    let shortened = |because: &str| Chain::Shortened { because: because.to_owned() };
    let has_head =
        lines.first().is_none_or(|line| !matches!(&line.event, Event::Started { record_version: None, .. }));
    let head: Head = match head.map(serde_json::from_slice) {
        None if !has_head => return chain,
        None => return shortened("its head is gone, so nobody knows how many lines there were"),
        Some(Err(_)) => {
            return shortened("its head cannot be read, so nobody knows how many lines there were");
        }
        Some(Ok(head)) => head,
    };
    let count = lines.len() as u64;
    if head.lines > count {
        return shortened(&format!("of {} lines the last {} are missing", head.lines, head.lines - count));
    }
    if head.lines + 1 < count {
        return shortened("its head is older than its lines");
    }
    let named = usize::try_from(head.lines).unwrap_or_default().checked_sub(1);
    let named = named.and_then(|last| lines.get(last));
    if named.is_some_and(|line| line.hash != head.hash) {
        let because = "it is not the line that the head names".to_owned();
        return Chain::Broken { line: usize::try_from(head.lines).unwrap_or_default(), because };
    }
    chain
}

fn follow(bytes: &[u8]) -> (Vec<Line>, Chain) {
    let mut lines = Vec::new();
    let mut last = sha256_of(&Value::Null);
    for (number, text) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
        if text.last() != Some(&b'\n') {
            return (lines, Chain::Torn);
        }
        let broken = |because: &str| Chain::Broken { line: number, because: because.to_owned() };
        let Ok(value) = serde_json::from_slice::<Value>(text) else {
            return (lines, broken("it cannot be read"));
        };
        let expected = hash(&value);
        let Ok(line) = serde_json::from_value::<Line>(value) else {
            return (lines, broken("it cannot be read"));
        };
        if line.hash != expected {
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

/// Over the line as it stands in the file, so that fields of a later format count as well.
fn hash(line: &Value) -> String {
    let mut value = line.clone();
    if let Value::Object(fields) = &mut value {
        fields.remove("hash");
    }
    sha256_of(&value)
}

fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use std::fs::{File, OpenOptions};
    use std::io::Write as _;
    use std::path::Path;

    use super::super::tape::HEAD;
    use super::*;

    fn local(dir: &Path) -> RunDir {
        RunDir::Local(dir.to_owned())
    }

    fn journal_in(dir: &Path, events: usize) -> Journal {
        let mut journal = Journal::create(&local(dir)).unwrap();
        for number in 0..events {
            journal.record(Timestamp::UNIX_EPOCH, Event::Intended { action: format!("a{number}") }).unwrap();
        }
        journal
    }

    fn journal_of(events: usize) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        journal_in(dir.path(), events);
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

    /// A crash between a line and its head: the head lags by one.
    #[test]
    fn the_head_may_lag_by_one_line_and_is_then_brought_up() {
        let dir = tempfile::tempdir().unwrap();
        journal_in(dir.path(), 2);
        let old = std::fs::read(dir.path().join(HEAD)).unwrap();
        let mut journal = Journal::open(&local(dir.path()), Timestamp::UNIX_EPOCH).unwrap();
        journal.record(Timestamp::UNIX_EPOCH, Event::Confirmed).unwrap();
        std::fs::write(dir.path().join(HEAD), old).unwrap();
        assert_eq!(read(&local(dir.path())).unwrap().1, Chain::Intact);
        let mut journal = Journal::open(&local(dir.path()), Timestamp::UNIX_EPOCH).unwrap();
        journal.record(Timestamp::UNIX_EPOCH, Event::Confirmed).unwrap();
        assert_eq!(read(&local(dir.path())).unwrap(), (read(&local(dir.path())).unwrap().0, Chain::Intact));
        assert_eq!(read(&local(dir.path())).unwrap().0.len(), 4);
    }

    #[test]
    fn a_journal_cut_anywhere_is_not_intact_and_can_be_written_on() {
        let dir = tempfile::tempdir().unwrap();
        journal_in(dir.path(), 3);
        let (path, head) = (dir.path().join(NAME), dir.path().join(HEAD));
        let (whole, whole_head) = (std::fs::read(&path).unwrap(), std::fs::read(&head).unwrap());
        for length in (0..whole.len()).step_by(7) {
            std::fs::write(&path, &whole[..length]).unwrap();
            std::fs::write(&head, &whole_head).unwrap();
            let (lines, chain) = read(&local(dir.path())).unwrap();
            assert!(matches!(chain, Chain::Shortened { .. }), "{length} bytes: {chain:?}");
            let mut journal = Journal::open(&local(dir.path()), Timestamp::UNIX_EPOCH).unwrap();
            journal.record(Timestamp::UNIX_EPOCH, Event::Confirmed).unwrap();
            let (after, chain) = read(&local(dir.path())).unwrap();
            assert_eq!(chain, Chain::Intact);
            assert!(matches!(after[lines.len()].event, Event::Damaged { .. }), "it stays on record");
        }
    }

    #[test]
    fn a_head_that_is_gone_changed_or_of_another_journal_is_found() {
        let dir = tempfile::tempdir().unwrap();
        journal_in(dir.path(), 3);
        let head = dir.path().join(HEAD);
        let whole = std::fs::read_to_string(&head).unwrap();
        for changed in
            ["", "{}", &whole.replace(":3", ":2"), &whole.replace(":3", ":1"), &whole.replace(":3", ":9")]
        {
            std::fs::write(&head, changed).unwrap();
            assert_ne!(read(&local(dir.path())).unwrap().1, Chain::Intact, "{changed}");
        }
        std::fs::remove_file(&head).unwrap();
        assert!(matches!(read(&local(dir.path())).unwrap().1, Chain::Shortened { .. }));
    }

    #[test]
    fn after_a_line_that_could_not_be_written_nothing_more_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = journal_in(dir.path(), 1);
        let path = dir.path().join(NAME);
        journal.tape = Tape::File { file: File::open(&path).unwrap(), run: dir.path().to_owned() };
        assert!(
            journal.record(Timestamp::UNIX_EPOCH, Event::Confirmed).is_err(),
            "it is open for reading only"
        );
        let file = OpenOptions::new().append(true).open(&path).unwrap();
        journal.tape = Tape::File { file, run: dir.path().to_owned() };
        assert!(journal.record(Timestamp::UNIX_EPOCH, Event::Confirmed).is_err());
    }

    proptest::proptest! {
        /// Whatever bytes stand there, reading them ends, and only whole lines in a chain are believed.
        #[test]
        fn any_bytes_can_be_read(bytes: Vec<u8>, cut in 0..400_usize, flip in 0..400_usize) {
            follow(&bytes);
            let mut journal = journal_of(1);
            journal.truncate(cut.min(journal.len()));
            if let Some(byte) = journal.get_mut(flip) {
                *byte ^= 4;
            }
            follow(&journal);
        }
    }

    #[test]
    fn a_line_that_a_crash_cut_short_is_set_aside_and_writing_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        journal_in(dir.path(), 1);
        let mut file = OpenOptions::new().append(true).open(dir.path().join(NAME)).unwrap();
        file.write_all(b"{\"seq\":1,\"at\"").unwrap();
        assert_eq!(read(&local(dir.path())).unwrap().1, Chain::Torn);
        let mut journal = Journal::open(&local(dir.path()), Timestamp::UNIX_EPOCH).unwrap();
        journal
            .record(Timestamp::UNIX_EPOCH, Event::Failed { action: "a1".into(), because: "x".into() })
            .unwrap();
        let (lines, chain) = read(&local(dir.path())).unwrap();
        assert_eq!((lines.len(), chain), (2, Chain::Intact));
        assert!(dir.path().join("journal.torn").exists());
    }
}
