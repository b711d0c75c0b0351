//! The lock of a target: at most one run changes a cluster at a time, as far as one machine can tell.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::state_dir::storage;
use crate::error::{Code, Error};

/// Held until it is dropped, or the process ends however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, or says that another run holds it.
    ///
    /// # Errors
    /// Another run holds it, or the disk refuses.
    pub fn take(path: &Path) -> Result<Lock, Error> {
        let opened = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
        let file = opened.map_err(|error| storage(path, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Error::new(
                Code::Locked,
                "another run of ecr-fix is changing this cluster",
                "wait until it has ended; `ecr-fix runs list` shows it",
            )
            .because(format!("it holds {}", path.display()))),
            Err(TryLockError::Error(error)) => Err(storage(path, &error)),
        }
    }
}

#[test]
fn a_lock_is_held_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("target.lock");
    let held = Lock::take(&path).unwrap();
    assert_eq!(Lock::take(&path).unwrap_err().code, Code::Locked);
    drop(held);
    assert!(Lock::take(&path).is_ok());
}
