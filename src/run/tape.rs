//! What the lines of a journal are written on: one file, or one object for each line.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::files;
use super::run_dir::{RunDir, SharedRun};
use crate::aws::{Only, Put};
use crate::error::Error;

pub(super) const NAME: &str = "journal.jsonl";
pub(super) const HEAD: &str = "journal.head";

/// The lines of a journal, open for writing.
#[derive(Debug)]
pub(super) enum Tape {
    /// All lines in one file.
    File {
        /// Open at its end.
        file: File,
        /// Its directory.
        run: PathBuf,
    },
    /// Each line in an object of its own, which is made only if there is none of the name: so two processes cannot
    /// both go on with the same journal.
    Objects {
        /// Of which run.
        run: SharedRun,
        /// The tag of the head, where there is one.
        head: Option<String>,
    },
}

/// What is written of a journal.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// Every line.
    pub lines: Vec<u8>,
    /// How far they go.
    pub head: Option<Vec<u8>>,
}

impl Tape {
    /// An empty one.
    pub(super) fn create(run: &RunDir) -> Result<Tape, Error> {
        match run {
            RunDir::Local(dir) => {
                let file = files::create_file(&dir.join(NAME))?;
                files::sync_dir(dir)?;
                Ok(Tape::File { file, run: dir.clone() })
            }
            RunDir::Shared(run) => Ok(Tape::Objects { run: run.clone(), head: None }),
        }
    }

    /// The one of an earlier process. What a crash cut short is set aside.
    pub(super) fn open(run: &RunDir) -> Result<Tape, Error> {
        match run {
            RunDir::Local(dir) => {
                let path = dir.join(NAME);
                let failed = |error| files::storage(&path, &error);
                let mut file = OpenOptions::new().read(true).write(true).open(&path).map_err(failed)?;
                set_torn_end_aside(&mut file, dir).map_err(failed)?;
                file.seek(SeekFrom::End(0)).map_err(failed)?;
                Ok(Tape::File { file, run: dir.clone() })
            }
            RunDir::Shared(run) => {
                let head = run.shared.get(&run.object(HEAD))?.map(|head| head.tag);
                Ok(Tape::Objects { run: run.clone(), head })
            }
        }
    }

    /// Everything that is written of a journal.
    pub(super) fn read(run: &RunDir) -> Result<Written, Error> {
        match run {
            RunDir::Local(dir) => {
                // First the head: lines that are written meanwhile are not missing.
                let head = std::fs::read(dir.join(HEAD)).ok();
                Ok(Written { lines: run.read(NAME)?, head })
            }
            RunDir::Shared(run) => {
                let head = run.shared.get(&run.object(HEAD))?.map(|head| head.bytes);
                let names = run.shared.list(&run.object("journal/"), None)?;
                let objects = run.shared.get_all(&names)?;
                let lines = objects.into_iter().flatten().flat_map(|object| object.bytes).collect();
                Ok(Written { lines, head })
            }
        }
    }

    /// Writes the line with this number, from 0, and then the head. Both are there for good once this returns.
    pub(super) fn append(&mut self, number: u64, line: &[u8], head: &[u8]) -> Result<(), Error> {
        match self {
            Tape::File { file, run } => {
                let written = file.write_all(line).and_then(|()| file.sync_data());
                written.map_err(|error| files::storage(&run.join(NAME), &error))?;
                files::replace_file(&run.join(HEAD), head)
            }
            Tape::Objects { run, head: tag } => {
                let name = format!("journal/{:06}.jsonl", number + 1);
                // The first line is what makes a run be seen, so everything else comes before it.
                if number > 0 {
                    run.create(&name, line)?;
                }
                let only = tag.as_deref().map_or(Only::New, Only::Unchanged);
                match run.shared.put(&run.object(HEAD), head, only)? {
                    Put::Done(new) => *tag = Some(new),
                    Put::Unmet => return Err(run.fork(HEAD)),
                }
                if number == 0 { run.create(&name, line) } else { Ok(()) }
            }
        }
    }

    /// The same, after its run was published under another name.
    pub(super) fn in_run(self, published: &RunDir) -> Tape {
        match (self, published) {
            (Tape::File { file, .. }, RunDir::Local(dir)) => Tape::File { file, run: dir.clone() },
            (tape, _) => tape,
        }
    }
}

/// Keeps what a crash cut short beside the journal, and ends the journal at its last whole line.
fn set_torn_end_aside(file: &mut File, run: &Path) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |position| position + 1);
    let torn = bytes.get(whole..).unwrap_or_default();
    if torn.is_empty() {
        return Ok(());
    }
    let mut aside =
        OpenOptions::new().create(true).append(true).mode(0o600).open(run.join("journal.torn"))?;
    aside.write_all(torn)?;
    aside.sync_all()?;
    file.set_len(whole as u64)?;
    file.sync_all()
}
