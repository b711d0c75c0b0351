//! The lock of a target: at most one run changes a cluster at a time, as far as one machine can tell.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::state_dir::storage;
use crate::error::{Code, Error};
use crate::pulls::Target;

/// What is locked: a cluster, or the directory that plays it.
pub fn lock_name(sandbox: Option<&Path>, target: &Target) -> String {
    match sandbox {
        Some(dir) => format!("sandbox {}", dir.display()),
        None => format!("aws {} {} {}", target.account, target.region, target.cluster),
    }
}

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
        // Whoever only looks at records holds it for a moment.
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
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

impl Lock {
    /// Whether a run holds the lock now.
    pub fn is_held(path: &Path) -> bool {
        let Ok(file) = OpenOptions::new().write(true).open(path) else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }
}

#[test]
fn a_lock_is_held_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("target.lock");
    let held = Lock::take(&path).unwrap();
    assert_eq!(Lock::take(&path).unwrap_err().code, Code::Locked);
    assert!(Lock::is_held(&path));
    drop(held);
    assert!(Lock::take(&path).is_ok());
}
