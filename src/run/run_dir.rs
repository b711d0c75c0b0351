//! Where the record of one run is kept.

use std::path::PathBuf;

use super::files::{create_file, storage};
use super::objects::Shared;
use crate::aws::{Only, Put};
use crate::error::{Code, Error};

/// The place of one run: its plan as applied, and its journal.
#[derive(Clone, Debug)]
pub enum RunDir {
    /// A directory.
    Local(PathBuf),
    /// The same layout below a prefix of a bucket.
    Shared(SharedRun),
}

/// A run whose record is in S3.
#[derive(Clone, Debug)]
pub struct SharedRun {
    pub(super) shared: Shared,
    id: String,
}

impl RunDir {
    pub(super) fn shared(shared: &Shared, id: &str) -> RunDir {
        RunDir::Shared(SharedRun { shared: shared.clone(), id: id.to_owned() })
    }

    /// The id of the run.
    pub fn name(&self) -> String {
        match self {
            RunDir::Local(dir) => dir.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            RunDir::Shared(run) => run.id.clone(),
        }
    }

    /// The name of the place among the objects.
    pub(super) fn path(&self) -> String {
        format!("runs/{}", self.name())
    }

    /// Where something of the record is, for people.
    pub(super) fn place(&self, name: &str) -> String {
        match self {
            RunDir::Local(dir) => dir.join(name).display().to_string(),
            RunDir::Shared(run) => run.shared.place(&run.object(name)),
        }
    }

    /// Something of the record.
    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>, Error> {
        let unreadable = || {
            let what = format!("{} cannot be read", self.place(name));
            Error::new(Code::BadInput, what, "name another run: `ecr-fix runs list`")
        };
        match self {
            RunDir::Local(dir) => std::fs::read(dir.join(name)).map_err(|error| unreadable().because(error)),
            RunDir::Shared(run) => match run.shared.get(&run.object(name))? {
                Some(object) => Ok(object.bytes),
                None => Err(unreadable().because("there is no such object")),
            },
        }
    }

    /// Keeps something that was not there before, for good once this returns.
    pub(super) fn create(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        use std::io::Write as _;
        match self {
            RunDir::Local(dir) => {
                let path = dir.join(name);
                let mut file = create_file(&path)?;
                let written = file.write_all(bytes).and_then(|()| file.sync_all());
                written.map_err(|error| storage(&path, &error))
            }
            RunDir::Shared(run) => run.create(name, bytes),
        }
    }
}

impl SharedRun {
    /// The name of an object of the record.
    pub(super) fn object(&self, name: &str) -> String {
        format!("runs/{}/{name}", self.id)
    }

    /// Makes an object that was not there before.
    pub(super) fn create(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        match self.shared.put(&self.object(name), bytes, Only::New)? {
            Put::Done(_) => Ok(()),
            Put::Unmet => Err(self.fork(name)),
        }
    }

    /// Somebody else writes the same record.
    pub(super) fn fork(&self, name: &str) -> Error {
        Error::new(
            Code::Locked,
            format!("another process writes the record of run {}", self.id),
            "wait until it has ended; `ecr-fix runs list` shows it",
        )
        .because(format!("{} was written by somebody else", self.shared.place(&self.object(name))))
    }
}
