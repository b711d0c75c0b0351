//! One engine for both ways. Read, record, write, wait until it is seen, record: in this order, so that after a
//! crash the journal and the world together say what happened.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use super::journal::{Event, Journal};
use super::progress::{Progress, Way, with_heartbeat};
use super::record::{self, ActionRecord, ActionState};
use super::{Interrupt, Lock, RunDir, RunState, World};
use crate::actions::change::{Standing, WayBack};
use crate::actions::{AnyChange, Sent};
use crate::aws::{Reason, Refused};
use crate::error::Error;
use crate::plan::{Action, Plan};

/// How long to wait until a change is seen.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Afterwards its state is not known.
    pub limit: Duration,
}

/// Makes the changes of a plan in a world, or takes them back.
pub struct Engine<'a> {
    /// What is changed.
    pub world: &'a World,
    /// Without it nothing is changed.
    pub lock: &'a Lock,
    /// What is written first.
    pub journal: Journal,
    /// The time.
    pub clock: fn() -> Timestamp,
    /// How long to wait.
    pub patience: Patience,
    /// When an earlier process wrote its last line: what it sent then may still be on its way.
    pub quiet_since: Option<Timestamp>,
    /// Whether to stop.
    pub interrupt: &'a Interrupt,
    /// Tells whoever follows along what happens.
    pub tell: &'a dyn Fn(&Progress),
}

/// How the way forward ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Every action is done.
    Applied,
    /// An action was not made; the ones before it are.
    NotMade(NotMade),
    /// Somebody asked to stop; the actions so far are made.
    Interrupted,
}

/// An action that was not made.
#[derive(Clone, Debug, PartialEq)]
pub struct NotMade {
    /// Its id.
    pub action: String,
    /// Why, in words.
    pub because: String,
    /// Why, in kind.
    pub why: Why,
}

/// Why an action was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A permission is missing.
    Denied,
    /// The resource was changed since the plan was made.
    Stale,
    /// Anything else that leaves the world as it was.
    Failed,
    /// Whether it had an effect is not known.
    Unknown,
}

/// How the way back ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Back {
    /// How the run stands now.
    pub state: RunState,
    /// Whether somebody asked to stop meanwhile. Everything may be taken back all the same.
    pub interrupted: bool,
}

/// What became of an action on the way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Undone {
    /// Nothing of it is left.
    Gone,
    /// It is there, or may be.
    Left,
    /// Something else is in its place, which is not ours.
    Replaced,
}

/// What became of one attempt to make a change.
enum Made {
    Seen(Sent),
    /// By somebody else, since we looked.
    AlreadySo,
    Refused(Refused),
    NotSeen {
        because: String,
        assigned_id: Option<String>,
    },
}

/// After this time a request that was sent has arrived or never will, and reads show it.
const SETTLED: Duration = Duration::from_secs(20);

/// Of a change that was to be sent when the lock was lost.
const NOT_SENT: &str = "the lock was lost, so it was not sent";

/// Starts the record of a run: its plan, and the first line of its journal.
///
/// # Errors
/// The disk refuses: then nothing has been done.
pub fn start(run: &RunDir, plan: &Plan, at: Timestamp, started: Event) -> Result<Journal, Error> {
    record::write_plan(run, plan)?;
    let mut journal = Journal::create(run)?;
    journal.record(at, started)?;
    Ok(journal)
}

impl Engine<'_> {
    /// Makes every action of a plan that is not made yet, in order, until one cannot be made.
    ///
    /// # Errors
    /// The journal cannot be written, or the lock was lost. What was in flight then is in its last line.
    pub async fn apply(&mut self, plan: &Plan, states: &[ActionRecord]) -> Result<Outcome, Error> {
        for action in &plan.actions {
            if self.interrupt.asked() {
                self.note(Event::Finished { state: RunState::Interrupted })?;
                return Ok(Outcome::Interrupted);
            }
            let known = states.iter().find(|known| known.id == action.id);
            let state = known.map_or(ActionState::Pending, |known| known.state);
            let outcome = match state {
                ActionState::Applied | ActionState::AlreadySo => Outcome::Applied,
                ActionState::Intended | ActionState::Unknown | ActionState::RevertSkipped => {
                    self.resolve(action).await?
                }
                ActionState::Pending | ActionState::Failed | ActionState::Reverted => {
                    self.forward(action).await?
                }
            };
            if outcome != Outcome::Applied {
                self.note(Event::Finished { state: RunState::Failed })?;
                return Ok(outcome);
            }
        }
        self.note(Event::Finished { state: RunState::Applied })?;
        Ok(Outcome::Applied)
    }

    /// Takes back what a run did, last first. What somebody else changed since is left alone, and so is what it needs.
    ///
    /// # Errors
    /// The journal cannot be written, or the lock was lost.
    pub async fn roll_back(&mut self, plan: &Plan, states: &[ActionRecord]) -> Result<Back, Error> {
        let asked_before = self.interrupt.asked();
        let interrupt = self.interrupt;
        let asked = || interrupt.asked() && !asked_before;
        let mut left: BTreeSet<&str> = BTreeSet::new();
        let known =
            |action: &Action| states.iter().find(|known| known.id == action.id && known.state.may_be_left());
        let to_do: Vec<_> =
            plan.actions.iter().rev().filter_map(|action| Some((action, known(action)?))).collect();
        let (mut tried, mut complete) = (0, true);
        for (action, known) in &to_do {
            if asked() {
                break;
            }
            tried += 1;
            let needed_by = needed_by(plan, action, &left)?;
            let end = match needed_by {
                Some(other) => {
                    let found = format!("{}, which needs it, is left", other.id);
                    self.skip(&action.id, found, String::new())?
                }
                None => self.back(action, known).await?,
            };
            if end == Undone::Left {
                left.insert(&action.id);
            }
            complete &= end == Undone::Gone;
        }
        complete &= tried == to_do.len();
        let state = if complete { RunState::RolledBack } else { RunState::PartiallyRolledBack };
        self.note(Event::RolledBack { state })?;
        Ok(Back { state, interrupted: asked() })
    }

    async fn forward(&mut self, action: &Action) -> Result<Outcome, Error> {
        let id = action.id.clone();
        let change = action.change()?;
        match self.standing(&change).await {
            Standing::Before => self.send(action, &change).await,
            Standing::After => {
                self.note(Event::AlreadySo { action: id.clone() })?;
                self.complete(&id, ActionState::AlreadySo, "already so, left alone");
                Ok(Outcome::Applied)
            }
            Standing::Elsewhere { found, .. } => self.not_made(id, found, Why::Stale),
            Standing::Unread(because) => self.not_made(id, because, Why::Failed),
        }
    }

    async fn send(&mut self, action: &Action, change: &AnyChange) -> Result<Outcome, Error> {
        let id = action.id.clone();
        self.begin(&id, change, Way::Forward);
        self.note(Event::Intended { action: id.clone() })?;
        if let Err(lost) = self.lock.check() {
            let failed = Event::Failed { action: id, because: NOT_SENT.to_owned() };
            return Err(self.stop([failed, Event::Finished { state: RunState::Interrupted }], lost));
        }
        match self.make(&id, change).await {
            Made::Seen(Sent { request_id, assigned_id }) => {
                self.note(Event::Applied { action: id.clone(), request_id, assigned_id })?;
                self.complete(&id, ActionState::Applied, "done");
                Ok(Outcome::Applied)
            }
            Made::AlreadySo => {
                self.note(Event::AlreadySo { action: id.clone() })?;
                self.complete(&id, ActionState::AlreadySo, "somebody else was faster, left alone");
                Ok(Outcome::Applied)
            }
            Made::Refused(refused) => {
                let why = if refused.reason == Reason::Denied { Why::Denied } else { Why::Failed };
                self.not_made(id, explained(&refused), why)
            }
            Made::NotSeen { because, assigned_id } => self.unknown(id, because, assigned_id),
        }
    }

    /// An action of which an earlier process did not say how it ended: the world tells. What does not show after some
    /// time was never made, and is made now.
    async fn resolve(&mut self, action: &Action) -> Result<Outcome, Error> {
        let id = action.id.clone();
        let change = action.change()?;
        if self.settle(&change, |standing| matches!(standing, Standing::After)).await {
            let assigned_id = self.id_in_this_run(&change).await;
            self.note(Event::Applied { action: id.clone(), request_id: None, assigned_id })?;
            self.complete(&id, ActionState::Applied, "was done before");
            return Ok(Outcome::Applied);
        }
        match self.standing(&change).await {
            Standing::Before => self.send(action, &change).await,
            Standing::After => self.unknown(id, "it shows, and does not show".to_owned(), None),
            Standing::Elsewhere { found, .. } => self.begin_again(action, &change, found).await,
            Standing::Unread(because) => self.unknown(id, because, None),
        }
    }

    /// What takes several calls may have been cut off between two of them: the part is taken away, and all of it made.
    async fn begin_again(
        &mut self,
        action: &Action,
        change: &AnyChange,
        found: String,
    ) -> Result<Outcome, Error> {
        let id = action.id.clone();
        let part = match self.way_back(change).await {
            WayBack::Change(part) if change.api_calls().len() > 1 && part.allowed().is_ok() => part,
            _ => return self.unknown(id, found, None),
        };
        let ended = Event::Finished { state: RunState::Interrupted };
        match self.take_back(&id, &part, false, ended).await? {
            Undone::Gone => self.send(action, change).await,
            Undone::Left | Undone::Replaced => self.unknown(id, found, None),
        }
    }

    /// The world is as it was, as far as this action goes.
    fn not_made(&mut self, action: String, because: String, why: Why) -> Result<Outcome, Error> {
        self.note(Event::Failed { action: action.clone(), because: because.clone() })?;
        self.errored(&action, ActionState::Failed, &because);
        Ok(Outcome::NotMade(NotMade { action, because, why }))
    }

    /// Whether the action was made is not known, and neither what AWS called it, unless it answered.
    fn unknown(
        &mut self,
        action: String,
        because: String,
        assigned_id: Option<String>,
    ) -> Result<Outcome, Error> {
        let unknown = Event::Unknown { action: action.clone(), because: because.clone(), assigned_id };
        self.note(unknown)?;
        self.errored(&action, ActionState::Unknown, &because);
        Ok(Outcome::NotMade(NotMade { action, because, why: Why::Unknown }))
    }

    /// Takes an action back. Where it is not known whether it was made, a look that does not show it proves nothing
    /// (reads lag), so its inverse is sent all the same: that changes nothing, or takes it back.
    async fn back(&mut self, action: &Action, known: &ActionRecord) -> Result<Undone, Error> {
        let id = action.id.clone();
        let mut change = action.change()?;
        if let Some(assigned) = &known.assigned_id {
            change.assign(assigned);
        }
        let certain = !matches!(known.state, ActionState::Intended | ActionState::Unknown);
        if !certain {
            self.settle(&change, |standing| !matches!(standing, Standing::Before)).await;
        }
        let inverse = match self.way_back(&change).await {
            WayBack::Change(inverse) => *inverse,
            WayBack::AsBefore if !certain => change.inverse(),
            WayBack::AsBefore => return self.reverted(&id, None, "nothing of it is left"),
            WayBack::Nothing(because) => {
                return self.reverted(&id, None, &format!("nothing of it is left: {because}"));
            }
            WayBack::Replaced(found) => {
                self.skip(&id, found, String::new())?;
                return Ok(Undone::Replaced);
            }
            WayBack::Overlap { found, diff } => return self.skip(&id, found, diff),
            WayBack::Unread(because) => return self.not_back(&id, because, certain),
        };
        if let Err(because) = inverse.allowed() {
            return self.not_back(&id, format!("ecr-fix does not make this change: {because}"), certain);
        }
        let ended = Event::RolledBack { state: RunState::PartiallyRolledBack };
        self.take_back(&id, &inverse, certain, ended).await
    }

    /// Sends what takes an action back. `ended` is the last word where the lock is lost before.
    async fn take_back(
        &mut self,
        id: &str,
        inverse: &AnyChange,
        certain: bool,
        ended: Event,
    ) -> Result<Undone, Error> {
        self.begin(id, inverse, Way::Back);
        self.note(Event::RevertIntended { action: id.to_owned() })?;
        if let Err(lost) = self.lock.check() {
            let because = NOT_SENT.to_owned();
            let failed = Event::RevertFailed { action: id.to_owned(), because, is_left: certain };
            return Err(self.stop([failed, ended], lost));
        }
        match self.make(id, inverse).await {
            Made::Seen(Sent { request_id, .. }) => self.reverted(id, request_id, "taken back"),
            Made::AlreadySo => self.reverted(id, None, "somebody else was faster"),
            Made::Refused(refused) => self.not_back(id, explained(&refused), certain),
            Made::NotSeen { because, .. } => self.not_back(id, because, false),
        }
    }

    fn reverted(&mut self, id: &str, request_id: Option<String>, how: &str) -> Result<Undone, Error> {
        self.note(Event::Reverted { action: id.to_owned(), request_id })?;
        self.complete(id, ActionState::Reverted, how);
        Ok(Undone::Gone)
    }

    fn skip(&mut self, id: &str, found: String, diff: String) -> Result<Undone, Error> {
        self.errored(id, ActionState::RevertSkipped, &format!("left alone, {found}"));
        self.note(Event::RevertSkipped { action: id.to_owned(), found, diff })?;
        Ok(Undone::Left)
    }

    fn not_back(&mut self, id: &str, because: String, is_left: bool) -> Result<Undone, Error> {
        let state = if is_left { ActionState::Applied } else { ActionState::Unknown };
        self.errored(id, state, &because);
        self.note(Event::RevertFailed { action: id.to_owned(), because, is_left })?;
        Ok(Undone::Left)
    }

    /// Sends a change and waits until it is seen. A refusal is believed only after another look: the answer to an
    /// earlier attempt may have been lost.
    async fn make(&self, id: &str, change: &AnyChange) -> Made {
        with_heartbeat(self.tell, Some(id), "not seen yet", self.make_in_silence(change)).await
    }

    async fn make_in_silence(&self, change: &AnyChange) -> Made {
        let before = self.world.retries();
        let made = self.world.make(change).await;
        // Where a call was tried again, what it finds there may be of its own earlier try, whose answer was lost.
        let tried_again = self.world.retries() > before;
        match made {
            Ok(sent) => match self.wait_until_seen(change).await {
                Ok(()) => Made::Seen(sent),
                Err(because) => Made::NotSeen { because, assigned_id: sent.assigned_id },
            },
            Err(refused) if refused.reason == Reason::Network => match self.wait_until_seen(change).await {
                Ok(()) => {
                    let assigned_id = self.id_in_this_run(change).await;
                    Made::Seen(Sent { request_id: refused.request_id, assigned_id })
                }
                Err(_) => Made::NotSeen { because: explained(&refused), assigned_id: None },
            },
            Err(refused) => match self.standing(change).await {
                Standing::After => {
                    let assigned_id = self.id_in_this_run(change).await;
                    let by_another = refused.reason == Reason::AlreadyThere && !tried_again;
                    match by_another && assigned_id.is_none() {
                        true => Made::AlreadySo,
                        false => Made::Seen(Sent { request_id: refused.request_id, assigned_id }),
                    }
                }
                _ => Made::Refused(refused),
            },
        }
    }

    /// Where the change shows and AWS is still at work on the resource, the wait is as long as that may take.
    async fn wait_until_seen(&self, change: &AnyChange) -> Result<(), String> {
        let start = Instant::now();
        let mut pause = Duration::from_millis(200);
        loop {
            let (because, limit) = match self.look(change).await {
                (Standing::After, None) => return Ok(()),
                (Standing::After, Some(unsettled)) => {
                    (unsettled, self.patience.limit.max(change.settles_within()))
                }
                (Standing::Before, _) => ("it does not show yet".to_owned(), self.patience.limit),
                (Standing::Elsewhere { found, .. }, _) => (found, self.patience.limit),
                (Standing::Unread(because), _) => (because, self.patience.limit),
            };
            if start.elapsed() + pause > limit {
                return Err(format!("after {} s: {because}", limit.as_secs()));
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }

    /// Looks until the world stands as hoped for, or until what an earlier process sent must have arrived.
    async fn settle(&self, change: &AnyChange, hoped_for: fn(&Standing) -> bool) -> bool {
        let deadline = Instant::now() + self.time_to_settle();
        loop {
            if hoped_for(&self.standing(change).await) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            sleep(Duration::from_millis(500)).await;
        }
    }

    fn time_to_settle(&self) -> Duration {
        if matches!(self.world, World::Sandbox(_)) {
            return Duration::ZERO;
        }
        let longest = SETTLED.min(self.patience.limit);
        // A clock that was set back says nothing.
        let passed = self.quiet_since.map(|since| (self.clock)().duration_since(since));
        let passed = passed.and_then(|passed| Duration::try_from(passed).ok()).unwrap_or_default();
        longest.saturating_sub(passed)
    }

    async fn standing(&self, change: &AnyChange) -> Standing {
        self.look(change).await.0
    }

    /// How the resource stands, and why AWS is still at work on it, where it is. What others changed beside the change,
    /// in the same document, does not count.
    async fn look(&self, change: &AnyChange) -> (Standing, Option<String>) {
        let world = match self.world.look(change).await {
            Ok(world) => world,
            Err(error) => return (Standing::Unread(error.to_string()), None),
        };
        let standing = match change.standing(&world) {
            Standing::Elsewhere { .. } if change.is_in_force(&world) => Standing::After,
            standing => standing,
        };
        (standing, change.unsettled(&world))
    }

    async fn way_back(&self, change: &AnyChange) -> WayBack {
        match self.world.look(change).await {
            Ok(world) => change.way_back(&world),
            Err(error) => WayBack::Unread(error.to_string()),
        }
    }

    /// What AWS called the work of this run, where it shows whose work it is.
    async fn id_in_this_run(&self, change: &AnyChange) -> Option<String> {
        let run = self.world.run()?;
        let world = self.world.look(change).await.ok()?;
        change.id_in_run(&world, run)
    }

    fn begin(&self, id: &str, change: &AnyChange, way: Way) {
        (self.tell)(&Progress::ApplyStart {
            action: id.to_owned(),
            kind: change.kind(),
            resource: change.resource(),
            summary: change.summary(),
            way,
        });
    }

    fn complete(&self, id: &str, state: ActionState, because: &str) {
        (self.tell)(&Progress::ApplyComplete { action: id.to_owned(), state, because: because.to_owned() });
    }

    fn errored(&self, id: &str, state: ActionState, because: &str) {
        (self.tell)(&Progress::ApplyErrored { action: id.to_owned(), state, because: because.to_owned() });
    }

    /// Without the lock nothing is sent. What can still be written down is: a line is refused where whoever has the
    /// lock now has written one of their own.
    fn stop(&mut self, last_words: [Event; 2], lost: Error) -> Error {
        for event in last_words {
            if self.note(event).is_err() {
                break;
            }
        }
        lost
    }

    fn note(&mut self, event: Event) -> Result<(), Error> {
        self.journal.record((self.clock)(), event)
    }
}

/// The action that is left and needs what another makes, such as the group of an endpoint. That one comes after the
/// other is no need.
fn needed_by<'a>(
    plan: &'a Plan,
    action: &Action,
    left: &BTreeSet<&str>,
) -> Result<Option<&'a Action>, Error> {
    let Some(made) = action.change()?.provides() else { return Ok(None) };
    for other in plan.actions.iter().filter(|other| left.contains(other.id.as_str())) {
        if other.change()?.requires().contains(&made) {
            return Ok(Some(other));
        }
    }
    Ok(None)
}

fn explained(refused: &Refused) -> String {
    match refused.message.as_str() {
        "" => refused.to_string(),
        message => format!("{refused}: {message}"),
    }
}
