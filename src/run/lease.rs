//! The lock of a target in S3: an object that its holder writes again and again, each time only if nobody else has.
//!
//! All times are those of S3 (`Date` less `Last-Modified`), so clocks of machines that differ do no harm. Nothing is ever
//! deleted: who is done writes that the lock is free.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

use super::objects::Shared;
use crate::aws::{Object, Only, Put};
use crate::error::{Code, Error};

/// Held until it is dropped, or not renewed for as long as it was taken for.
#[derive(Debug)]
pub(super) struct Lease {
    held: Arc<Held>,
}

/// What the object says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Claim {
    /// Given by chance, to each lease its own.
    holder: String,
    /// The machine and the process, for people.
    on: String,
    /// How long it is held without being renewed.
    lease_seconds: u64,
    /// So that each time something else is written: equal objects have equal ETags.
    renewals: u64,
    /// Whether the holder is done with it.
    is_free: bool,
}

#[derive(Debug)]
struct Held {
    shared: Shared,
    name: String,
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug)]
struct State {
    claim: Claim,
    tag: String,
    /// Why it is not ours any more.
    lost: Option<Error>,
    has_ended: bool,
}

/// A moment of this machine, by both of its clocks: one stands still while the machine sleeps, the other can be set.
struct Moment(Instant, SystemTime);

/// What an object that is there means for somebody else.
enum Standing {
    Free,
    Held(String),
}

/// S3 tells times in whole seconds: so much more is waited before a lease counts as given up.
const MARGIN: Duration = Duration::from_secs(2);

impl Lease {
    /// Takes the lock, or says that another run holds it after so long a wait.
    ///
    /// # Errors
    /// Another run holds it, or S3 refuses.
    pub(super) fn take(shared: &Shared, name: &str, wait: Duration, lease: Duration) -> Result<Lease, Error> {
        let claim = Claim {
            holder: uuid::Uuid::new_v4().to_string(),
            on: format!("{}, process {}", machine(), std::process::id()),
            lease_seconds: lease.as_secs().max(1),
            renewals: 0,
            is_free: false,
        };
        let end = Instant::now() + wait;
        loop {
            let found = shared.get(name)?;
            let because = match found.as_ref().map(standing) {
                Some(Standing::Held(because)) => because,
                Some(Standing::Free) | None => {
                    let only = found.as_ref().map_or(Only::New, |found| Only::Unchanged(&found.tag));
                    if let Put::Done(tag) = shared.put(name, &text(&claim), only)? {
                        check_conditions(shared, name)?;
                        return Ok(Lease::held(shared.clone(), name, claim, tag));
                    }
                    "another run was faster".to_owned()
                }
            };
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(locked().because(format!("it holds {}: {because}", shared.place(name))));
            }
            std::thread::sleep(left.min(Duration::from_secs(1)));
        }
    }

    fn held(shared: Shared, name: &str, claim: Claim, tag: String) -> Lease {
        let pause = Duration::from_secs(claim.lease_seconds) / 3;
        let state = Mutex::new(State { claim, tag, lost: None, has_ended: false });
        let held = Arc::new(Held { shared, name: name.to_owned(), state, ended: Condvar::new() });
        let renewed = Arc::clone(&held);
        // Where no thread can be started, the lease is still renewed before each change.
        let _ = std::thread::Builder::new().name("lease".to_owned()).spawn(move || renewed.keep(pause));
        Lease { held }
    }

    /// Renews it now. If that succeeds, it is ours for all of its time from now on.
    ///
    /// # Errors
    /// Somebody else has it, or S3 cannot be asked.
    pub(super) fn renew(&self) -> Result<(), Error> {
        self.held.renew(&mut self.held.state())
    }
}

impl Moment {
    fn now() -> Moment {
        Moment(Instant::now(), SystemTime::now())
    }

    fn passed(&self) -> Duration {
        self.0.elapsed().max(self.1.elapsed().unwrap_or_default())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut state = self.held.state();
        state.has_ended = true;
        self.held.ended.notify_all();
        if state.lost.is_none() {
            let free = Claim { is_free: true, ..state.claim.clone() };
            // Where this fails, the lock is free when its time is over.
            let _ = self.held.shared.put(&self.held.name, &text(&free), Only::Unchanged(&state.tag));
        }
    }
}

impl Held {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Renews the lease until it ends. What fails is tried again: whether the lease is ours is asked before each change.
    fn keep(&self, pause: Duration) {
        let mut state = self.state();
        loop {
            let waited = self.ended.wait_timeout_while(state, pause, |state| !state.has_ended);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if state.has_ended || state.lost.is_some() {
                return;
            }
            let _ = self.renew(&mut state);
        }
    }

    fn renew(&self, state: &mut State) -> Result<(), Error> {
        if let Some(lost) = &state.lost {
            return Err(lost.clone());
        }
        state.claim.renewals += 1;
        let renewed = text(&state.claim);
        let late = Duration::from_secs(state.claim.lease_seconds) / 2;
        for _ in 0..3 {
            let start = Moment::now();
            if let Put::Done(tag) = self.shared.put(&self.name, &renewed, Only::Unchanged(&state.tag))? {
                state.tag = tag;
                // An answer that took long, or a machine that slept meanwhile, tells how it was.
                if start.passed() < late {
                    return Ok(());
                }
                continue;
            }
            // The answer to an earlier renewal may have been lost: then it is still ours, with another tag.
            let found = self.shared.get(&self.name)?;
            let ours = found.as_ref().filter(|found| {
                claim(found).is_some_and(|known| known.holder == state.claim.holder && !known.is_free)
            });
            match ours {
                Some(ours) => state.tag.clone_from(&ours.tag),
                None => {
                    let because = found.as_ref().map_or("it is gone".to_owned(), who);
                    let lost = lost().because(format!("{}: {because}", self.shared.place(&self.name)));
                    state.lost = Some(lost.clone());
                    return Err(lost);
                }
            }
        }
        Err(Error::new(Code::Aws, "the lock could not be renewed in time", "check the network to S3"))
    }
}

/// Whether a run holds the lock of this name now.
///
/// # Errors
/// S3 cannot be asked.
pub(super) fn is_held(shared: &Shared, name: &str) -> Result<bool, Error> {
    let found = shared.get(name)?;
    Ok(found.is_some_and(|found| matches!(standing(&found), Standing::Held(_))))
}

fn standing(found: &Object) -> Standing {
    let claim = claim(found);
    if claim.as_ref().is_some_and(|claim| claim.is_free) {
        return Standing::Free;
    }
    // What somebody else wrote there is left as long as a lease of ours would be.
    let lease = Duration::from_secs(claim.map_or(LEASE_SECONDS, |claim| claim.lease_seconds)) + MARGIN;
    match lease.checked_sub(found.age).filter(|left| !left.is_zero()) {
        None => Standing::Free,
        Some(left) => {
            let left = left.as_secs();
            Standing::Held(format!("{}; it is free in {left} s unless it is renewed", who(found)))
        }
    }
}

/// How long a lease is held without being renewed, where nothing else is said.
const LEASE_SECONDS: u64 = 60;

/// A store that does not look at conditions gives the lock to everybody.
fn check_conditions(shared: &Shared, name: &str) -> Result<(), Error> {
    if shared.keeps_conditions(name)? {
        return Ok(());
    }
    Err(Error::new(
        Code::Storage,
        "these shared records cannot be locked",
        "keep the records in Amazon S3, or in a store that knows conditional writes as S3 does",
    )
    .because(format!("{} was written although If-None-Match forbade it", shared.place(name))))
}

fn claim(found: &Object) -> Option<Claim> {
    serde_json::from_slice(&found.bytes).ok()
}

fn who(found: &Object) -> String {
    match claim(found) {
        Some(claim) => format!("written by {}, {} s ago", claim.on, found.age.as_secs()),
        None => format!("written by somebody who is not ecr-fix, {} s ago", found.age.as_secs()),
    }
}

fn text(claim: &Claim) -> Vec<u8> {
    serde_json::to_vec(claim).unwrap_or_default()
}

fn machine() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::env::var("HOSTNAME"));
    name.map_or("a machine".to_owned(), |name| name.trim().to_owned())
}

/// Another run holds the lock.
pub(super) fn locked() -> Error {
    Error::new(
        Code::Locked,
        "another run of ecr-fix is changing this cluster",
        "wait until it has ended (--lock-timeout waits); `ecr-fix runs list` shows it",
    )
}

/// Another run took the lock from us.
fn lost() -> Error {
    Error::new(
        Code::Locked,
        "the lock of this cluster is held by somebody else now",
        "wait until the other run has ended; `ecr-fix runs list` shows it",
    )
}

#[cfg(test)]
mod tests {
    use super::super::objects::memory::{Memory, Trouble};
    use super::*;

    const NAME: &str = "locks/a.lock";
    const LEASE: Duration = Duration::from_secs(60);

    fn take(shared: &Shared) -> Result<Lease, Error> {
        Lease::take(shared, NAME, Duration::ZERO, LEASE)
    }

    fn in_memory() -> (Shared, Arc<Memory>) {
        Shared::in_memory()
    }

    #[test]
    fn a_lease_is_held_once_and_free_when_it_is_dropped() {
        let (shared, _) = in_memory();
        assert!(!is_held(&shared, NAME).unwrap());
        let held = take(&shared).unwrap();
        assert!(is_held(&shared, NAME).unwrap());
        let refused = take(&shared).unwrap_err();
        assert_eq!(refused.code, Code::Locked);
        assert!(refused.to_string().contains("process"), "{refused}");
        drop(held);
        assert!(!is_held(&shared, NAME).unwrap());
        assert!(take(&shared).is_ok());
    }

    #[test]
    fn of_many_who_want_it_at_once_exactly_one_gets_it() {
        for round in 0..20 {
            let (shared, _) = in_memory();
            if round % 2 == 1 {
                drop(take(&shared).unwrap());
            }
            let start = std::sync::Barrier::new(8);
            let held: Vec<_> = std::thread::scope(|scope| {
                let racer = || {
                    start.wait();
                    take(&shared)
                };
                let racers: Vec<_> = (0..8).map(|_| scope.spawn(racer)).collect();
                racers.into_iter().map(|racer| racer.join().unwrap()).collect()
            });
            assert_eq!(held.iter().filter(|held| held.is_ok()).count(), 1, "round {round}");
        }
    }

    #[test]
    fn a_lease_that_nobody_renews_is_free_after_its_time_and_its_holder_finds_out() {
        let (shared, memory) = in_memory();
        let first = take(&shared).unwrap();
        memory.pass(61);
        assert!(take(&shared).is_err(), "S3 rounds");
        first.renew().unwrap();
        memory.pass(61);
        assert!(take(&shared).is_err(), "it was renewed");
        memory.pass(2);
        let second = take(&shared).unwrap();
        for _ in 0..2 {
            assert_eq!(first.renew().unwrap_err().code, Code::Locked);
        }
        second.renew().unwrap();
        drop(first);
        assert!(is_held(&shared, NAME).unwrap(), "who lost it does not free it");
        second.renew().unwrap();
    }

    #[test]
    fn answers_that_are_lost_lose_no_lease() {
        let (shared, memory) = in_memory();
        let held = take(&shared).unwrap();
        for trouble in [Trouble::AnswerLost, Trouble::Lost] {
            memory.trouble(memory.tries() + 1, trouble);
            assert_eq!(held.renew().unwrap_err().code, Code::Aws, "nobody knows");
            held.renew().unwrap();
        }
        memory.trouble(memory.tries() + 1, Trouble::AnswerLost);
        drop(held);
        memory.trouble(memory.tries() + 1, Trouble::AnswerLost);
        assert!(take(&shared).is_err(), "nobody knows");
        memory.pass(62);
        assert!(take(&shared).is_ok());
    }

    #[test]
    fn whatever_somebody_writes_over_it_the_lease_is_lost() {
        for text in ["", "{}", "free", "null"] {
            let (shared, memory) = in_memory();
            let held = take(&shared).unwrap();
            memory.overwrite("team/locks/a.lock", text.as_bytes());
            assert_eq!(held.renew().unwrap_err().code, Code::Locked);
            assert!(take(&shared).is_err(), "it is theirs for a while");
            memory.pass(LEASE_SECONDS + 2);
            assert!(take(&shared).is_ok());
        }
        let (shared, memory) = in_memory();
        let held = take(&shared).unwrap();
        memory.delete("team/locks/a.lock");
        assert_eq!(held.renew().unwrap_err().code, Code::Locked);
    }

    #[test]
    fn a_store_that_ignores_conditions_cannot_be_locked() {
        let (shared, memory) = in_memory();
        memory.ignore_conditions();
        assert_eq!(take(&shared).unwrap_err().code, Code::Storage);
    }

    #[test]
    fn whoever_waits_gets_it_when_it_is_free() {
        let (shared, _) = in_memory();
        let held = take(&shared).unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| Lease::take(&shared, NAME, Duration::from_secs(20), LEASE));
            std::thread::sleep(Duration::from_millis(100));
            drop(held);
            assert!(waiting.join().unwrap().is_ok());
        });
    }
}
