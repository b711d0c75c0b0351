//! The state directory: where the records of runs are kept, readable by their owner only.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use crate::error::{Code, Error};

/// The state directory.
#[derive(Clone, Debug)]
pub struct StateDir {
    root: PathBuf,
}

impl StateDir {
    /// The directory that was asked for, or the one of XDG: `~/.local/state/ecr-fix`. Nothing is made yet.
    ///
    /// # Errors
    /// There is no home directory, or the directory is one that others could have prepared.
    pub fn locate(asked: Option<&Path>) -> Result<StateDir, Error> {
        let root = match asked {
            // A slash at the end would lead through a symbolic link.
            Some(dir) => dir.components().collect(),
            None => {
                use etcetera::BaseStrategy as _;
                let strategy = etcetera::base_strategy::Xdg::new().map_err(|error| {
                    Error::new(
                        Code::Storage,
                        "there is no home directory for the records",
                        "name a directory with --state",
                    )
                    .because(error)
                })?;
                strategy.state_dir().unwrap_or_else(|| strategy.data_dir()).join("ecr-fix")
            }
        };
        refuse_foreign(&root)?;
        for below in ["runs", "locks", "used"] {
            refuse_foreign(&root.join(below))?;
        }
        Ok(StateDir { root })
    }

    /// Where the record of a run is.
    ///
    /// # Errors
    /// The id could lead out of the directory, or there is no such run.
    pub fn run(&self, id: &str) -> Result<PathBuf, Error> {
        let harmless = !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let dir = self.root.join("runs").join(id);
        if harmless && dir.is_dir() {
            refuse_foreign(&dir)?;
            return Ok(dir);
        }
        Err(Error::new(Code::NotFound, format!("there is no run {id}"), "see `ecr-fix runs list`"))
    }

    /// The ids of all runs, oldest first.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn runs(&self) -> Result<Vec<String>, Error> {
        let dir = self.root.join("runs");
        if !dir.exists() {
            return Ok(Vec::new());
        }
        let entries = fs::read_dir(&dir).map_err(|error| storage(&dir, &error))?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
        names.sort();
        Ok(names)
    }

    /// Makes the directory of a new run, which nobody sees before [`StateDir::publish_run`]: a run without its plan
    /// and the first line of its journal would be a riddle.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn stage_run(&self, id: &str) -> Result<PathBuf, Error> {
        let dir = self.root.join("runs").join(format!(".{id}"));
        create_dir(&dir)?;
        Ok(dir)
    }

    /// Shows a run that was staged. From now on a rollback finds it.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn publish_run(&self, id: &str) -> Result<PathBuf, Error> {
        let runs = self.root.join("runs");
        let dir = runs.join(id);
        fs::rename(runs.join(format!(".{id}")), &dir).map_err(|error| storage(&dir, &error))?;
        sync_dir(&runs)?;
        Ok(dir)
    }

    /// The file that is locked while a run works on a target.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn lock_file(&self, target: &str) -> Result<PathBuf, Error> {
        create_dir(&self.root.join("locks"))?;
        Ok(self.lock_path(target))
    }

    /// Where that file is; nothing is made.
    pub fn lock_path(&self, target: &str) -> PathBuf {
        self.root.join("locks").join(format!("{}.lock", file_name(target)))
    }

    /// The run that used a plan, if one did.
    pub fn used_by(&self, digest: &str) -> Option<String> {
        fs::read_to_string(self.ledger(digest)).ok()
    }

    /// Enters a plan as used, which can be done once.
    ///
    /// # Errors
    /// It was used before, or the disk refuses.
    pub fn use_plan(&self, digest: &str, run: &str) -> Result<(), Error> {
        let file = self.ledger(digest);
        if let Some(dir) = file.parent() {
            create_dir(dir)?;
        }
        if let Some(earlier) = self.used_by(digest) {
            return Err(used(&earlier));
        }
        let dir = file.parent().unwrap_or(&self.root);
        enter(&file, dir, run).map_err(|error| match self.used_by(digest) {
            Some(earlier) => used(&earlier),
            None => storage(&file, &error),
        })?;
        sync_dir(dir)
    }

    /// The secret that pseudonyms are made with: made by chance on first use, readable by its owner only.
    ///
    /// # Errors
    /// The disk refuses, or others can read it.
    pub fn redaction_secret(&self) -> Result<[u8; 32], Error> {
        create_dir(&self.root)?;
        let file = self.root.join("redaction.key");
        if let Some(secret) = read_secret(&file)? {
            return Ok(secret);
        }
        let fresh = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()];
        let text: String = fresh.iter().map(|part| part.simple().to_string()).collect();
        let written = tempfile::NamedTempFile::new_in(&self.root).and_then(|mut temporary| {
            use std::io::Write as _;
            temporary.write_all(text.as_bytes())?;
            temporary.as_file().sync_all()?;
            Ok(temporary)
        });
        // Where another process was faster, its secret is the one.
        let _ = written.map_err(|error| storage(&file, &error))?.persist_noclobber(&file);
        read_secret(&file)?.ok_or_else(|| storage(&file, &std::io::ErrorKind::NotFound.into()))
    }

    fn ledger(&self, digest: &str) -> PathBuf {
        self.root.join("used").join(file_name(digest))
    }
}

/// Makes a file with its content at once, unless there is one.
fn enter(file: &Path, dir: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut entry = tempfile::NamedTempFile::new_in(dir)?;
    entry.write_all(text.as_bytes())?;
    entry.as_file().sync_all()?;
    entry.persist_noclobber(file).map(drop).map_err(|error| error.error)
}

/// That a plan was used before.
pub fn used(run: &str) -> Error {
    Error::new(
        Code::StalePlan,
        format!("the plan was already applied by run {run}"),
        format!("see `ecr-fix runs show {run}`, or make a new plan"),
    )
}

/// An id for a run: its time, so that ids sort, and a part that is given by chance. Where the clock was set back, the
/// time is that of the latest run and a moment more, so that the latest run stays the latest.
pub fn run_id(now: Timestamp, chance: uuid::Uuid, latest: Option<&str>) -> String {
    let chance: String = chance.simple().to_string().chars().take(6).collect();
    let of = |time: Timestamp| format!("{}-{chance}", time.strftime(ID_TIME));
    let id = of(now);
    match latest.filter(|latest| id.as_str() <= *latest).and_then(time_of) {
        Some(time) => of(time.saturating_add(SignedDuration::from_millis(1)).unwrap_or(now)),
        None => id,
    }
}

const ID_TIME: &str = "%Y%m%dT%H%M%S%3fZ";

fn time_of(run: &str) -> Option<Timestamp> {
    let (time, _) = run.split_once('-')?;
    let (seconds, milliseconds) = time.trim_end_matches('Z').split_at_checked(15)?;
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%S", seconds).ok()?;
    let time = jiff::tz::TimeZone::UTC.to_timestamp(time).ok()?;
    time.checked_add(SignedDuration::from_millis(milliseconds.parse().ok()?)).ok()
}

/// A file that did not exist before and that only its owner can read.
pub(super) fn create_file(path: &Path) -> Result<File, Error> {
    let options = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    options.map_err(|error| storage(path, &error))
}

/// Replaces a file that only its owner can read: whatever happens, it has its old content or the new one.
pub(super) fn replace_file(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    use std::io::Write as _;
    let failed = |error| storage(path, &error);
    let beside = path.with_extension("new");
    let options = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside);
    let mut file = options.map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_data()).map_err(failed)?;
    fs::rename(&beside, path).map_err(failed)?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// Waits until the entries of a directory are on the disk.
pub(super) fn sync_dir(dir: &Path) -> Result<(), Error> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| storage(dir, &error))
}

pub(super) fn storage(path: &Path, error: &std::io::Error) -> Error {
    Error::new(
        Code::Storage,
        format!("{} cannot be written", path.display()),
        "free space on the disk, or name another directory with --state",
    )
    .because(error)
}

fn create_dir(dir: &Path) -> Result<(), Error> {
    if dir.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| storage(dir, &error))?;
    // Each new directory is an entry of the one above it, which a power loss could take back.
    dir.ancestors().skip(1).take(3).filter(|above| above.is_dir()).try_for_each(sync_dir)
}

/// A directory that others can write to could have been prepared for us.
fn refuse_foreign(root: &Path) -> Result<(), Error> {
    let Ok(metadata) = fs::symlink_metadata(root) else { return Ok(()) };
    let because = if metadata.file_type().is_symlink() {
        "it is a symbolic link"
    } else if !metadata.is_dir() {
        "it is not a directory"
    } else if metadata.mode() & 0o022 != 0 {
        "others may write to it"
    } else if own_id().is_some_and(|own| own != 0 && metadata.uid() != own) {
        "it belongs to somebody else"
    } else {
        return Ok(());
    };
    Err(Error::new(
        Code::Storage,
        format!("{} cannot be trusted with records", root.display()),
        "make it yours (`chmod go-w DIR`), or name another directory with --state",
    )
    .because(because))
}

/// The user that this process runs as, where the system says so.
fn own_id() -> Option<u32> {
    fs::metadata("/proc/self").ok().map(|metadata| metadata.uid())
}

/// A secret that was kept earlier.
fn read_secret(file: &Path) -> Result<Option<[u8; 32]>, Error> {
    let refused = |because: &str| {
        Error::new(
            Code::Storage,
            format!("{} cannot be used", file.display()),
            "delete it: the next report makes another, with other pseudonyms",
        )
        .because(because)
    };
    let Ok(metadata) = fs::symlink_metadata(file) else { return Ok(None) };
    if !metadata.is_file() || metadata.mode() & 0o077 != 0 {
        return Err(refused("others may read it, or it is no file"));
    }
    let text = fs::read_to_string(file).map_err(|error| refused(&error.to_string()))?;
    let mut secret = [0; 32];
    for (place, byte) in secret.iter_mut().enumerate() {
        let digits = text.get(place * 2..place * 2 + 2);
        let value = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        *byte = value.ok_or_else(|| refused("it does not hold 64 hexadecimal digits"))?;
    }
    Ok(Some(secret))
}

/// A harmless file name for any text.
fn file_name(text: &str) -> String {
    crate::plan::file::sha256_of(&serde_json::Value::String(text.to_owned())).replace("sha256:", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_used_once() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::locate(Some(&dir.path().join("state"))).unwrap();
        state.use_plan("sha256:1", "run-1").unwrap();
        assert_eq!(state.use_plan("sha256:1", "run-2").unwrap_err().code, Code::StalePlan);
        assert_eq!(state.used_by("sha256:1").as_deref(), Some("run-1"));
        assert_eq!(state.used_by("sha256:2"), None);
    }

    #[test]
    fn ids_sort_by_time_and_lead_nowhere_else() {
        let at = |second| run_id(Timestamp::from_second(second).unwrap(), uuid::Uuid::nil(), None);
        assert_eq!(at(0), "19700101T000000000Z-000000");
        assert!(at(1_000) < at(2_000));
        let set_back = run_id(Timestamp::UNIX_EPOCH, uuid::Uuid::nil(), Some(&at(1_000)));
        assert_eq!(set_back, "19700101T001640001Z-000000", "the clock was set back");
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::locate(Some(dir.path())).unwrap();
        state.stage_run(&at(0)).unwrap();
        assert!(state.runs().unwrap().is_empty(), "not before it is published");
        state.publish_run(&at(0)).unwrap();
        assert!(state.run(&at(0)).is_ok());
        for id in ["", "..", "../runs", "a/b", "nobody"] {
            assert!(state.run(id).is_err(), "{id}");
        }
    }

    #[test]
    fn the_secret_is_made_once_and_kept_to_oneself() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::locate(Some(&dir.path().join("state"))).unwrap();
        let secret = state.redaction_secret().unwrap();
        assert_eq!(state.redaction_secret().unwrap(), secret);
        let file = dir.path().join("state/redaction.key");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(state.redaction_secret().is_err());
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&file, "short").unwrap();
        assert!(state.redaction_secret().is_err());
        fs::remove_file(&file).unwrap();
        assert_ne!(state.redaction_secret().unwrap(), secret);
    }

    #[test]
    fn a_directory_that_others_can_write_to_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let open = dir.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(StateDir::locate(Some(&open)).is_err());
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path(), &link).unwrap();
        assert!(StateDir::locate(Some(&link)).is_err());
        assert!(StateDir::locate(Some(&dir.path().join("link/"))).is_err());
        let state = StateDir::locate(Some(&dir.path().join("state"))).unwrap();
        state.stage_run("a").unwrap();
        let run = state.publish_run("a").unwrap();
        fs::set_permissions(&run, fs::Permissions::from_mode(0o770)).unwrap();
        assert!(state.run("a").is_err());
        fs::remove_dir_all(dir.path().join("state/runs")).unwrap();
        std::os::unix::fs::symlink(dir.path(), dir.path().join("state/runs")).unwrap();
        assert!(StateDir::locate(Some(&dir.path().join("state"))).is_err());
    }
}
