//! The state directory: where the records of runs are kept, on this machine or shared in S3.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::files::{create_dir, enter, read_secret, refuse_foreign, storage, sync_dir};
use super::lease::{self, Lease};
use super::lock::Lock;
use super::objects::{Address, Shared};
use super::run_dir::RunDir;
use crate::aws::{Only, Put};
use crate::error::{Code, Error};

/// The state directory.
#[derive(Clone, Debug)]
pub struct StateDir {
    place: Place,
    lease: Duration,
}

#[derive(Clone, Debug)]
enum Place {
    /// A directory that only its owner can enter.
    Local(PathBuf),
    /// The same layout below a prefix of a bucket.
    Shared(Shared),
}

impl StateDir {
    /// What was asked for, a directory or `s3://bucket/prefix`, or the directory of XDG: `~/.local/state/ecr-fix`.
    /// Nothing is made yet. `lease` is how long a lock in S3 outlives a process that does not renew it.
    ///
    /// # Errors
    /// There is no home directory, the directory is one that others could have prepared, or the bucket cannot be
    /// listed.
    pub fn locate(asked: Option<&Path>, lease: Duration) -> Result<StateDir, Error> {
        let place = match address(asked)? {
            Some(address) => Place::Shared(Shared::open(address)?),
            None => Place::Local(local(asked)?),
        };
        Ok(StateDir { place, lease })
    }

    /// Where the record of a run is.
    ///
    /// # Errors
    /// The id could lead out of the directory, or there is no such run.
    pub fn run(&self, id: &str) -> Result<RunDir, Error> {
        let harmless = !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let none = || Error::new(Code::NotFound, format!("there is no run {id}"), "see `ecr-fix runs list`");
        if !harmless {
            return Err(none());
        }
        match &self.place {
            Place::Local(root) => {
                let dir = root.join("runs").join(id);
                if !dir.is_dir() {
                    return Err(none());
                }
                refuse_foreign(&dir)?;
                Ok(RunDir::Local(dir))
            }
            Place::Shared(shared) => {
                let run = RunDir::shared(shared, id);
                if shared.list(&format!("{}/", run.path()), Some("/"))?.is_empty() {
                    return Err(none());
                }
                Ok(run)
            }
        }
    }

    /// The ids of all runs, oldest first.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn runs(&self) -> Result<Vec<String>, Error> {
        let mut names: Vec<String> = match &self.place {
            Place::Local(root) => {
                let dir = root.join("runs");
                if !dir.exists() {
                    return Ok(Vec::new());
                }
                let entries = fs::read_dir(&dir).map_err(|error| storage(&dir, &error))?;
                let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
                names.filter(|name| !name.starts_with('.')).collect()
            }
            // A run is there from its first line on.
            Place::Shared(shared) => {
                let begun = shared.list("runs/", Some("/journal/"))?;
                let id =
                    |name: &String| name.strip_prefix("runs/")?.strip_suffix("/journal/").map(str::to_owned);
                begun.iter().filter_map(id).collect()
            }
        };
        names.sort();
        Ok(names)
    }

    /// Makes the place of a new run, which nobody sees before [`StateDir::publish_run`]: a run without its plan and the
    /// first line of its journal would be a riddle.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn stage_run(&self, id: &str) -> Result<RunDir, Error> {
        match &self.place {
            Place::Local(root) => {
                let dir = root.join("runs").join(format!(".{id}"));
                create_dir(&dir)?;
                Ok(RunDir::Local(dir))
            }
            Place::Shared(shared) => Ok(RunDir::shared(shared, id)),
        }
    }

    /// Shows a run that was staged, once its journal has its first line. From now on a rollback finds it.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn publish_run(&self, id: &str) -> Result<RunDir, Error> {
        match &self.place {
            Place::Local(root) => {
                let runs = root.join("runs");
                let dir = runs.join(id);
                fs::rename(runs.join(format!(".{id}")), &dir).map_err(|error| storage(&dir, &error))?;
                sync_dir(&runs)?;
                Ok(RunDir::Local(dir))
            }
            Place::Shared(shared) => Ok(RunDir::shared(shared, id)),
        }
    }

    /// Takes the lock of a target, or says that another run holds it after so long a wait.
    ///
    /// # Errors
    /// Another run holds it, or the disk refuses.
    pub fn lock(&self, target: &str, wait: Duration) -> Result<Lock, Error> {
        match &self.place {
            Place::Local(root) => {
                create_dir(&root.join("locks"))?;
                Lock::of_file(&root.join(lock_name(target)), wait)
            }
            Place::Shared(shared) => {
                Lease::take(shared, &lock_name(target), wait, self.lease).map(Lock::of_lease)
            }
        }
    }

    /// Whether a run holds the lock of a target now.
    ///
    /// # Errors
    /// S3 cannot be asked.
    pub fn is_locked(&self, target: &str) -> Result<bool, Error> {
        match &self.place {
            Place::Local(root) => Ok(Lock::is_held(&root.join(lock_name(target)))),
            Place::Shared(shared) => lease::is_held(shared, &lock_name(target)),
        }
    }

    /// The run that used a plan, if one did.
    ///
    /// # Errors
    /// S3 cannot be asked.
    pub fn used_by(&self, digest: &str) -> Result<Option<String>, Error> {
        let entry = ledger(digest);
        match &self.place {
            Place::Local(root) => Ok(fs::read_to_string(root.join(entry)).ok()),
            Place::Shared(shared) => {
                let found = shared.get(&entry)?;
                Ok(found.map(|found| String::from_utf8_lossy(&found.bytes).into_owned()))
            }
        }
    }

    /// Enters a plan as used, which can be done once.
    ///
    /// # Errors
    /// It was used before, or the disk refuses.
    pub fn use_plan(&self, digest: &str, run: &str) -> Result<(), Error> {
        if let Some(earlier) = self.used_by(digest)? {
            return Err(used(&earlier));
        }
        let entry = ledger(digest);
        match &self.place {
            Place::Local(root) => {
                let (dir, file) = (root.join("used"), root.join(entry));
                create_dir(&dir)?;
                enter(&file, &dir, run).map_err(|error| match self.used_by(digest) {
                    Ok(Some(earlier)) => used(&earlier),
                    Ok(None) | Err(_) => storage(&file, &error),
                })?;
                sync_dir(&dir)
            }
            Place::Shared(shared) => match shared.put(&entry, run.as_bytes(), Only::New)? {
                Put::Done(_) => Ok(()),
                Put::Unmet => Err(used(&self.used_by(digest)?.unwrap_or_default())),
            },
        }
    }

    /// How many records are best read at once: files by all processors, objects while others are under way.
    pub fn readers(&self) -> usize {
        match &self.place {
            Place::Local(_) => std::thread::available_parallelism().map_or(1, usize::from),
            Place::Shared(_) => 16,
        }
    }

    /// How long to wait before looking at a record again.
    pub fn pause(&self) -> Duration {
        match &self.place {
            Place::Local(_) => Duration::from_millis(500),
            Place::Shared(_) => Duration::from_secs(3),
        }
    }
}

/// The secret that pseudonyms are made with: made by chance on first use, readable by its owner only. It never leaves
/// this machine: where records are shared, it stays in the directory of XDG.
///
/// # Errors
/// The disk refuses, or others can read it.
pub fn redaction_secret(asked: Option<&Path>) -> Result<[u8; 32], Error> {
    let root = local(if address(asked)?.is_some() { None } else { asked })?;
    create_dir(&root)?;
    let file = root.join("redaction.key");
    if let Some(secret) = read_secret(&file)? {
        return Ok(secret);
    }
    let fresh = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()];
    let text: String = fresh.iter().map(|part| part.simple().to_string()).collect();
    // Where another process was faster, its secret is the one.
    match enter(&file, &root, &text) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(storage(&file, &error)),
        _ => read_secret(&file)?.ok_or_else(|| storage(&file, &std::io::ErrorKind::NotFound.into())),
    }
}

/// The place in S3 that was asked for, if one was.
///
/// # Errors
/// It is no such place.
pub fn address(asked: Option<&Path>) -> Result<Option<Address>, Error> {
    asked.and_then(Path::to_str).map_or(Ok(None), Address::parse)
}

/// The directory that was asked for, or the one of XDG.
fn local(asked: Option<&Path>) -> Result<PathBuf, Error> {
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
    Ok(root)
}

fn lock_name(target: &str) -> String {
    format!("locks/{}.lock", file_name(target))
}

fn ledger(digest: &str) -> String {
    format!("used/{}", file_name(digest))
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

/// A harmless file name for any text.
fn file_name(text: &str) -> String {
    crate::plan::file::sha256_of(&serde_json::Value::String(text.to_owned())).replace("sha256:", "")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::sync::Arc;

    use super::super::journal::{Chain, Event, Journal, read};
    use super::super::objects::memory::{Memory, Trouble};
    use super::*;

    const LEASE: Duration = Duration::from_secs(60);

    fn at(root: &Path) -> Result<StateDir, Error> {
        StateDir::locate(Some(root), LEASE)
    }

    fn in_memory() -> (StateDir, Arc<Memory>) {
        let (shared, memory) = Shared::in_memory();
        (StateDir { place: Place::Shared(shared), lease: LEASE }, memory)
    }

    /// The laws hold wherever the records are.
    fn everywhere(law: impl Fn(&StateDir)) {
        let dir = tempfile::tempdir().unwrap();
        law(&at(&dir.path().join("state")).unwrap());
        law(&in_memory().0);
    }

    fn begin(state: &StateDir, id: &str) -> (RunDir, Journal) {
        let staged = state.stage_run(id).unwrap();
        staged.create("plan.json", b"{}").unwrap();
        let mut journal = Journal::create(&staged).unwrap();
        journal.record(Timestamp::UNIX_EPOCH, intended(0)).unwrap();
        let run = state.publish_run(id).unwrap();
        let journal = journal.in_run(&run);
        (run, journal)
    }

    fn intended(number: usize) -> Event {
        Event::Intended { action: format!("a{number}") }
    }

    #[test]
    fn a_plan_is_used_once() {
        everywhere(|state| {
            state.use_plan("sha256:1", "run-1").unwrap();
            assert_eq!(state.use_plan("sha256:1", "run-2").unwrap_err().code, Code::StalePlan);
            assert_eq!(state.used_by("sha256:1").unwrap().as_deref(), Some("run-1"));
            assert_eq!(state.used_by("sha256:2").unwrap(), None);
        });
    }

    #[test]
    fn a_run_is_there_once_it_has_its_plan_and_its_first_line() {
        everywhere(|state| {
            assert!(state.runs().unwrap().is_empty());
            let staged = state.stage_run("2-b").unwrap();
            staged.create("plan.json", b"{}").unwrap();
            assert!(state.runs().unwrap().is_empty(), "not before it is published");
            let (run, mut journal) = begin(state, "1-a");
            assert_eq!(state.runs().unwrap(), ["1-a"]);
            assert_eq!(run.name(), "1-a");
            journal.record(Timestamp::UNIX_EPOCH, Event::Confirmed).unwrap();
            let found = state.run("1-a").unwrap();
            assert_eq!(found.read("plan.json").unwrap(), b"{}");
            assert!(found.create("plan.json", b"[]").is_err(), "a plan is kept once");
            let (lines, chain) = read(&found).unwrap();
            assert_eq!((lines.len(), chain), (2, Chain::Intact));
            let mut journal = Journal::open(&found, Timestamp::UNIX_EPOCH).unwrap();
            journal.record(Timestamp::UNIX_EPOCH, intended(1)).unwrap();
            assert_eq!(read(&found).unwrap().0.len(), 3);
            for id in ["", "..", "../runs", "a/b", "nobody"] {
                assert!(state.run(id).is_err(), "{id}");
            }
        });
    }

    #[test]
    fn a_target_is_locked_once() {
        everywhere(|state| {
            assert!(!state.is_locked("a").unwrap());
            let held = state.lock("a", Duration::ZERO).unwrap();
            held.check().unwrap();
            assert!(state.is_locked("a").unwrap());
            assert_eq!(state.lock("a", Duration::ZERO).unwrap_err().code, Code::Locked);
            assert!(state.lock("b", Duration::ZERO).is_ok(), "another target");
            drop(held);
            assert!(!state.is_locked("a").unwrap());
            assert!(state.lock("a", Duration::ZERO).is_ok());
        });
    }

    #[test]
    fn two_who_write_the_same_shared_journal_cannot_both_go_on() {
        let (state, _) = in_memory();
        let (run, mut one) = begin(&state, "1-a");
        let mut other = Journal::open(&run, Timestamp::UNIX_EPOCH).unwrap();
        one.record(Timestamp::UNIX_EPOCH, intended(1)).unwrap();
        for _ in 0..2 {
            assert!(other.record(Timestamp::UNIX_EPOCH, intended(2)).is_err());
        }
        one.record(Timestamp::UNIX_EPOCH, intended(3)).unwrap();
        assert_eq!(read(&run).unwrap().1, Chain::Intact);
        assert_eq!(read(&run).unwrap().0.len(), 3);
    }

    /// Whichever write fails, and however: what another machine reads is intact, and it can go on.
    #[test]
    fn a_shared_journal_survives_every_lost_request_and_every_lost_answer() {
        for trouble in [Trouble::Lost, Trouble::AnswerLost] {
            for number in 1..=8 {
                let (state, memory) = in_memory();
                let (run, mut journal) = begin(&state, "1-a");
                memory.trouble(memory.tries() + number, trouble);
                let written = (1..5)
                    .take_while(|number| journal.record(Timestamp::UNIX_EPOCH, intended(*number)).is_ok());
                let written = written.count() + 1;
                assert!(journal.record(Timestamp::UNIX_EPOCH, Event::Confirmed).is_err());
                let (lines, chain) = read(&run).unwrap();
                assert_eq!(chain, Chain::Intact, "{trouble:?} {number}");
                assert!((written..=written + 1).contains(&lines.len()), "{trouble:?} {number}");
                let mut later = Journal::open(&run, Timestamp::UNIX_EPOCH).unwrap();
                later.record(Timestamp::UNIX_EPOCH, Event::Confirmed).unwrap();
                assert_eq!(read(&run).unwrap().1, Chain::Intact);
                assert_eq!(read(&run).unwrap().0.len(), lines.len() + 1);
            }
        }
    }

    /// A run that was cut off before it began is not there, or it is there as a whole.
    #[test]
    fn a_shared_run_begins_as_a_whole_or_not_at_all() {
        for trouble in [Trouble::Lost, Trouble::AnswerLost] {
            for number in 1..=3 {
                let (state, memory) = in_memory();
                memory.trouble(number, trouble);
                let staged = state.stage_run("1-a").unwrap();
                let planned = staged.create("plan.json", b"{}");
                let begun = planned
                    .and_then(|()| Journal::create(&staged)?.record(Timestamp::UNIX_EPOCH, intended(0)));
                begun.unwrap_err();
                match state.runs().unwrap().as_slice() {
                    [] => assert!(number < 3 || trouble == Trouble::Lost),
                    [id] => assert_eq!(read(&state.run(id).unwrap()).unwrap().1, Chain::Intact),
                    more => panic!("{more:?}"),
                }
            }
        }
    }

    #[test]
    fn every_object_of_a_shared_journal_that_is_gone_changed_or_added_is_found() {
        let written = || {
            let (state, memory) = in_memory();
            let (run, mut journal) = begin(&state, "1-a");
            for number in 1..4 {
                journal.record(Timestamp::UNIX_EPOCH, intended(number)).unwrap();
            }
            (run, memory)
        };
        let (run, memory) = written();
        assert_eq!(read(&run).unwrap().1, Chain::Intact);
        let keys = memory.keys();
        assert_eq!(
            keys,
            [
                "team/runs/1-a/journal.head",
                "team/runs/1-a/journal/000001.jsonl",
                "team/runs/1-a/journal/000002.jsonl",
                "team/runs/1-a/journal/000003.jsonl",
                "team/runs/1-a/journal/000004.jsonl",
                "team/runs/1-a/plan.json",
            ]
        );
        for key in keys.iter().filter(|key| key.contains("journal")) {
            let (run, memory) = written();
            memory.delete(key);
            assert_ne!(read(&run).unwrap().1, Chain::Intact, "{key} is gone");
            for text in ["", "{}\n", "{\"seq\":0"] {
                let (run, memory) = written();
                memory.overwrite(key, text.as_bytes());
                assert_ne!(read(&run).unwrap().1, Chain::Intact, "{key} is {text:?}");
            }
        }
        memory.overwrite("team/runs/1-a/journal/000005.jsonl", b"{\"seq\":4");
        assert!(matches!(read(&run).unwrap().1, Chain::Broken { line: 5, .. }), "an object is never torn");
        assert!(Journal::open(&run, Timestamp::UNIX_EPOCH).is_err());
    }

    #[test]
    fn ids_sort_by_time() {
        let at = |second| run_id(Timestamp::from_second(second).unwrap(), uuid::Uuid::nil(), None);
        assert_eq!(at(0), "19700101T000000000Z-000000");
        assert!(at(1_000) < at(2_000));
        let set_back = run_id(Timestamp::UNIX_EPOCH, uuid::Uuid::nil(), Some(&at(1_000)));
        assert_eq!(set_back, "19700101T001640001Z-000000", "the clock was set back");
    }

    #[test]
    fn the_secret_is_made_once_and_kept_to_oneself() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let secret = || redaction_secret(Some(&state));
        let first = secret().unwrap();
        assert_eq!(secret().unwrap(), first);
        let file = state.join("redaction.key");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(secret().is_err());
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&file, "short").unwrap();
        assert!(secret().is_err());
        fs::remove_file(&file).unwrap();
        assert_ne!(secret().unwrap(), first);
    }

    #[test]
    fn a_directory_that_others_can_write_to_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let open = dir.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(at(&open).is_err());
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path(), &link).unwrap();
        assert!(at(&link).is_err());
        assert!(at(&dir.path().join("link/")).is_err());
        let state = at(&dir.path().join("state")).unwrap();
        state.stage_run("a").unwrap();
        state.publish_run("a").unwrap();
        let run = dir.path().join("state/runs/a");
        fs::set_permissions(&run, fs::Permissions::from_mode(0o770)).unwrap();
        assert!(state.run("a").is_err());
        fs::remove_dir_all(dir.path().join("state/runs")).unwrap();
        std::os::unix::fs::symlink(dir.path(), dir.path().join("state/runs")).unwrap();
        assert!(at(&dir.path().join("state")).is_err());
    }
}
