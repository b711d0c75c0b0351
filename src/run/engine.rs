//! One engine for both ways. Read, record, write, wait until it is seen, record: in this order, so that after a
//! crash the journal and the world together say what happened.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use super::journal::{Event, Journal};
use super::record::{self, ActionRecord, ActionState};
use super::{Interrupt, RunState, World};
use crate::actions::change::Standing;
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
    /// What is written first.
    pub journal: Journal,
    /// The time.
    pub clock: fn() -> Timestamp,
    /// How long to wait.
    pub patience: Patience,
    /// Whether to stop.
    pub interrupt: &'a Interrupt,
    /// Tells a person what happens.
    pub say: &'a dyn Fn(&str),
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

/// What became of one attempt to make a change.
enum Made {
    Seen(Sent),
    /// By somebody else, since we looked.
    AlreadySo,
    Refused(Refused),
    NotSeen(String),
}

/// Starts the record of a run: its plan, and the first line of its journal.
///
/// # Errors
/// The disk refuses: then nothing has been done.
pub fn start(run: &Path, plan: &Plan, at: Timestamp, started: Event) -> Result<Journal, Error> {
    record::write_plan(run, plan)?;
    let mut journal = Journal::create(run)?;
    journal.record(at, started)?;
    Ok(journal)
}

impl Engine<'_> {
    /// Makes every action of a plan, in order, until one is not made.
    ///
    /// # Errors
    /// The journal cannot be written. What was in flight then is in its last line.
    pub async fn apply(&mut self, plan: &Plan) -> Result<Outcome, Error> {
        for action in &plan.actions {
            if self.interrupt.asked() {
                self.note(Event::Finished { state: RunState::Interrupted })?;
                return Ok(Outcome::Interrupted);
            }
            let outcome = self.forward(action).await?;
            if outcome != Outcome::Applied {
                self.note(Event::Finished { state: RunState::Failed })?;
                return Ok(outcome);
            }
        }
        self.note(Event::Finished { state: RunState::Applied })?;
        Ok(Outcome::Applied)
    }

    /// Takes back what a run did, last first. What somebody else changed since is left alone. `None`: somebody
    /// asked to stop.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub async fn roll_back(
        &mut self,
        plan: &Plan,
        states: &[ActionRecord],
    ) -> Result<Option<RunState>, Error> {
        let asked_before = self.interrupt.asked();
        let mut complete = true;
        for action in plan.actions.iter().rev() {
            if self.interrupt.asked() && !asked_before {
                self.note(Event::RolledBack { state: RunState::PartiallyRolledBack })?;
                return Ok(None);
            }
            let known = states.iter().find(|known| known.id == action.id && known.state.may_be_left());
            if let Some(known) = known {
                complete &= self.back(action, known).await?;
            }
        }
        let state = if complete { RunState::RolledBack } else { RunState::PartiallyRolledBack };
        self.note(Event::RolledBack { state })?;
        Ok(Some(state))
    }

    async fn forward(&mut self, action: &Action) -> Result<Outcome, Error> {
        let id = action.id.clone();
        let change = action.change()?;
        match self.standing(&change).await {
            Standing::Before => {}
            Standing::After => {
                (self.say)(&format!("{id}: already so, left alone"));
                self.note(Event::AlreadySo { action: id })?;
                return Ok(Outcome::Applied);
            }
            Standing::Elsewhere { found, .. } => return self.not_made(id, found, Why::Stale),
            Standing::Unread(because) => return self.not_made(id, because, Why::Failed),
        }
        (self.say)(&format!("{id}: {} …", change.summary()));
        self.note(Event::Intended { action: id.clone() })?;
        match self.make(&change).await {
            Made::Seen(Sent { request_id, assigned_id }) => {
                self.note(Event::Applied { action: id.clone(), request_id, assigned_id })?;
                (self.say)(&format!("{id}: done"));
                Ok(Outcome::Applied)
            }
            Made::AlreadySo => {
                (self.say)(&format!("{id}: somebody else was faster, left alone"));
                self.note(Event::AlreadySo { action: id })?;
                Ok(Outcome::Applied)
            }
            Made::Refused(refused) => {
                let why = if refused.reason == Reason::Denied { Why::Denied } else { Why::Failed };
                self.not_made(id, explained(&refused), why)
            }
            Made::NotSeen(because) => self.not_made(id, because, Why::Unknown),
        }
    }

    fn not_made(&mut self, action: String, because: String, why: Why) -> Result<Outcome, Error> {
        (self.say)(&format!("{action}: not made: {because}"));
        let event = match why {
            Why::Unknown => Event::Unknown { action: action.clone(), because: because.clone() },
            Why::Denied | Why::Stale | Why::Failed => {
                Event::Failed { action: action.clone(), because: because.clone() }
            }
        };
        self.note(event)?;
        Ok(Outcome::NotMade(NotMade { action, because, why }))
    }

    /// Whether nothing of the action is left. Where it is not known whether the action was made, one look that does not
    /// show it proves nothing (reads lag), so its inverse is sent all the same: that changes nothing, or takes it back.
    async fn back(&mut self, action: &Action, known: &ActionRecord) -> Result<bool, Error> {
        let id = action.id.clone();
        let mut inverse = action.change()?.inverse();
        if let Some(assigned) = &known.assigned_id {
            inverse.assign(assigned);
        }
        let certain = !matches!(known.state, ActionState::Intended | ActionState::Unknown);
        match self.standing(&inverse).await {
            Standing::After if !certain => {}
            Standing::After => {
                (self.say)(&format!("{id}: nothing of it is left"));
                self.note(Event::Reverted { action: id, request_id: None })?;
                return Ok(true);
            }
            Standing::Before => {}
            Standing::Elsewhere { found, diff } => {
                (self.say)(&format!("{id}: left alone, {found}"));
                self.note(Event::RevertSkipped { action: id, found, diff })?;
                return Ok(false);
            }
            Standing::Unread(because) => {
                self.note(Event::RevertFailed { action: id, because })?;
                return Ok(false);
            }
        }
        (self.say)(&format!("{id}: {} …", inverse.summary()));
        self.note(Event::RevertIntended { action: id.clone() })?;
        let because = match self.make(&inverse).await {
            Made::Seen(Sent { request_id, .. }) => {
                self.note(Event::Reverted { action: id.clone(), request_id })?;
                (self.say)(&format!("{id}: taken back"));
                return Ok(true);
            }
            Made::AlreadySo => {
                self.note(Event::Reverted { action: id, request_id: None })?;
                return Ok(true);
            }
            Made::Refused(refused) => explained(&refused),
            Made::NotSeen(because) => because,
        };
        self.note(Event::RevertFailed { action: id, because })?;
        Ok(false)
    }

    /// Sends a change and waits until it is seen. A refusal is believed only after another look: the answer to an
    /// earlier attempt may have been lost.
    async fn make(&self, change: &AnyChange) -> Made {
        let sent = self.world.make(change).await;
        match sent {
            Ok(sent) => match self.wait_until_seen(change).await {
                Ok(()) => Made::Seen(sent),
                Err(because) => Made::NotSeen(because),
            },
            Err(refused) if refused.reason == Reason::Network => match self.wait_until_seen(change).await {
                Ok(()) => Made::Seen(Sent { request_id: refused.request_id, assigned_id: None }),
                Err(_) => Made::NotSeen(explained(&refused)),
            },
            Err(refused) => match self.standing(change).await {
                Standing::After if refused.reason == Reason::AlreadyThere => Made::AlreadySo,
                Standing::After => Made::Seen(Sent { request_id: refused.request_id, assigned_id: None }),
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

    async fn standing(&self, change: &AnyChange) -> Standing {
        self.look(change).await.0
    }

    /// How the resource stands, and why AWS is still at work on it, where it is.
    async fn look(&self, change: &AnyChange) -> (Standing, Option<String>) {
        match self.world.look(change).await {
            Ok(world) => (change.standing(&world), change.unsettled(&world)),
            Err(error) => (Standing::Unread(error.to_string()), None),
        }
    }

    fn note(&mut self, event: Event) -> Result<(), Error> {
        self.journal.record((self.clock)(), event)
    }
}

fn explained(refused: &Refused) -> String {
    match refused.message.as_str() {
        "" => refused.to_string(),
        message => format!("{refused}: {message}"),
    }
}
