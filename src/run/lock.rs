//! The lock of a target: at most one run changes a cluster at a time, as far as those can tell who share their records.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::files::storage;
use super::lease::{self, Lease};
use crate::error::Error;
use crate::pulls::Target;

/// What is locked: a cluster, or the directory that plays it.
pub fn lock_name(sandbox: Option<&Path>, target: &Target) -> String {
    match sandbox {
        Some(dir) => format!("sandbox {}", dir.display()),
        None => format!("aws {} {} {}", target.account, target.region, target.cluster),
    }
}

/// Held until it is dropped, or the process ends however it ends; in S3, some time after that.
#[derive(Debug)]
pub struct Lock {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    File { _file: File },
    Lease(Lease),
}

impl Lock {
    /// Takes the lock of a file, or says that another run holds it after so long a wait.
    ///
    /// # Errors
    /// Another run holds it, or the disk refuses.
    pub(super) fn of_file(path: &Path, wait: Duration) -> Result<Lock, Error> {
        let opened = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
        let file = opened.map_err(|error| storage(path, &error))?;
        // Whoever only looks at records holds it for a moment.
        let end = Instant::now() + wait.max(Duration::from_millis(50));
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { kind: Kind::File { _file: file } }),
                Err(TryLockError::Error(error)) => return Err(storage(path, &error)),
                Err(TryLockError::WouldBlock) if Instant::now() < end => {
                    std::thread::sleep(Duration::from_millis(25));
                }
                Err(TryLockError::WouldBlock) => break,
            }
        }
        Err(lease::locked().because(format!("it holds {}", path.display())))
    }

    pub(super) fn of_lease(lease: Lease) -> Lock {
        Lock { kind: Kind::Lease(lease) }
    }

    /// Whether it is still ours, which for a lease only S3 can say. Asked before each change.
    ///
    /// # Errors
    /// Somebody else has it, or nobody can say.
    pub fn check(&self) -> Result<(), Error> {
        match &self.kind {
            Kind::File { .. } => Ok(()),
            Kind::Lease(lease) => lease.renew(),
        }
    }

    /// Whether a run holds the lock of a file now.
    pub(super) fn is_held(path: &Path) -> bool {
        let Ok(file) = OpenOptions::new().write(true).open(path) else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }
}

#[test]
fn a_lock_is_held_once() {
    use crate::error::Code;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("target.lock");
    let held = Lock::of_file(&path, Duration::ZERO).unwrap();
    assert_eq!(Lock::of_file(&path, Duration::ZERO).unwrap_err().code, Code::Locked);
    assert!(Lock::is_held(&path));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| Lock::of_file(&path, Duration::from_secs(10)));
        std::thread::sleep(Duration::from_millis(100));
        drop(held);
        assert!(waiting.join().unwrap().is_ok());
    });
    assert!(Lock::of_file(&path, Duration::ZERO).is_ok());
}
