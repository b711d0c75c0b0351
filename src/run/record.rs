//! The record of a run: its plan as applied, and what its journal says of every action.

use std::path::PathBuf;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::journal::{self, Chain, Event, Line, Reasons};
use super::run_dir::RunDir;
use crate::actions::Kind;
use crate::diagnosis::FORMAT_VERSION;
use crate::error::{Code, Error};
use crate::plan::Plan;
use crate::pulls::Target;

/// What `ecr-fix runs show` prints.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Record {
    /// See [`FORMAT_VERSION`].
    pub format_version: String,
    /// The id of the run.
    pub run: String,
    /// How the run stands.
    pub state: RunState,
    /// Of the plan, as applied.
    pub plan_digest: String,
    /// RFC 3339.
    pub started_at: String,
    /// The cluster.
    pub target: Target,
    /// The ARN that applied it; none in the sandbox.
    pub caller: Option<String>,
    /// The directory that was changed; none with AWS.
    pub sandbox: Option<PathBuf>,
    /// Why it was made.
    #[serde(flatten)]
    pub reasons: Reasons,
    /// Whether it stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<Confirmation>,
    /// In the order of the plan.
    pub actions: Vec<ActionRecord>,
    /// `intact`, or what is wrong.
    pub chain: String,
    /// Whether a line was changed, dropped or moved: then the record cannot be believed.
    #[serde(skip)]
    pub is_broken: bool,
    /// Whether lines may be missing at the end of the journal, or were missing once.
    #[serde(skip)]
    pub may_miss_lines: bool,
    /// Whether the journal says that the run, or its rollback, came to an end.
    #[serde(skip)]
    pub has_ended: bool,
    /// When the last line was written.
    #[serde(skip)]
    pub last_at: Option<Timestamp>,
}

/// Whether a run stays that was made with `--confirm-within`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Confirmation {
    /// Seconds, from when everything was done.
    pub within: u64,
    /// RFC 3339; none as long as it is not all done.
    pub until: Option<String>,
    /// Whether somebody confirmed.
    pub is_given: bool,
}

/// What became of one action.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ActionRecord {
    /// `a1`, `a2`, …
    pub id: String,
    /// How it stands.
    pub state: ActionState,
    /// What it is.
    pub kind: Kind,
    /// The ARN or id of what changed.
    pub resource: String,
    /// In one line.
    pub summary: String,
    /// Of the last call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The id of what it made, where AWS assigned one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assigned_id: Option<String>,
    /// Why it failed, or why it was left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// What somebody else changed, where it was left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// It has not ended.
    Applying,
    /// Every action is done.
    Applied,
    /// An action failed, and the ones before it were left.
    Failed,
    /// Everything that it did was taken back.
    RolledBack,
    /// Something that it did is left.
    PartiallyRolledBack,
    /// It was stopped half-way.
    Interrupted,
}

/// How an action stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ActionState {
    /// Nothing was sent.
    Pending,
    /// It was to be sent; whether it was is not known.
    Intended,
    /// It was made, and seen.
    Applied,
    /// It was found done: not ours.
    AlreadySo,
    /// It was refused.
    Failed,
    /// It was taken back.
    Reverted,
    /// Somebody changed it since: left alone.
    RevertSkipped,
    /// Whether it had an effect is not known.
    Unknown,
}

impl RunState {
    /// The name in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            RunState::Applying => "applying",
            RunState::Applied => "applied",
            RunState::Failed => "failed",
            RunState::RolledBack => "rolled-back",
            RunState::PartiallyRolledBack => "partially-rolled-back",
            RunState::Interrupted => "interrupted",
        }
    }
}

impl ActionState {
    /// The name in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            ActionState::Pending => "pending",
            ActionState::Intended => "intended",
            ActionState::Applied => "applied",
            ActionState::AlreadySo => "already-so",
            ActionState::Failed => "failed",
            ActionState::Reverted => "reverted",
            ActionState::RevertSkipped => "revert-skipped",
            ActionState::Unknown => "unknown",
        }
    }

    /// Whether the world may hold something of it that a rollback has to take back.
    pub fn may_be_left(self) -> bool {
        LEFT.contains(&self)
    }
}

const PLAN_FILE: &str = "plan.json";

/// Keeps the plan beside the journal.
///
/// # Errors
/// The disk refuses.
pub(super) fn write_plan(run: &RunDir, plan: &Plan) -> Result<(), Error> {
    run.create(PLAN_FILE, crate::render::json::document(plan).as_bytes())
}

/// The plan of a run, as applied.
///
/// # Errors
/// It cannot be read, or was changed.
pub fn read_plan(run: &RunDir) -> Result<Plan, Error> {
    let (place, bytes) = (run.place(PLAN_FILE), run.read(PLAN_FILE)?);
    let text = String::from_utf8(bytes).map_err(|error| unreadable(&place).because(error))?;
    Plan::read(&text, &place)
}

fn unreadable(place: &str) -> Error {
    Error::new(Code::BadInput, format!("{place} cannot be read"), "see `ecr-fix runs list`")
}

/// Every line of the journal of a run, as documents.
///
/// # Errors
/// It cannot be read at all.
pub fn read_events(run: &RunDir) -> Result<Vec<serde_json::Value>, Error> {
    let (lines, _) = journal::read(run)?;
    Ok(lines.iter().filter_map(|line| serde_json::to_value(line).ok()).collect())
}

/// What a record takes from its plan.
#[derive(Deserialize)]
struct Outline {
    digest: String,
    target: Target,
    actions: Vec<OutlinedAction>,
}

#[derive(Deserialize)]
struct OutlinedAction {
    id: String,
    kind: Kind,
    resource: String,
    summary: String,
}

impl From<&Plan> for Outline {
    fn from(plan: &Plan) -> Outline {
        let outlined = |action: &crate::plan::Action| OutlinedAction {
            id: action.id.clone(),
            kind: action.kind,
            resource: action.resource.clone(),
            summary: action.summary.clone(),
        };
        Outline {
            digest: plan.digest.clone(),
            target: plan.target.clone(),
            actions: plan.actions.iter().map(outlined).collect(),
        }
    }
}

impl Record {
    /// Reads the record of a run. A broken chain is part of the answer.
    ///
    /// # Errors
    /// There is no journal or no plan, or its events do not fit each other.
    pub fn load(run: &RunDir) -> Result<Record, Error> {
        Record::of(run, &Outline::from(&read_plan(run)?))
    }

    /// The same for a list of many runs: whether the plan has its digest is not looked at.
    ///
    /// # Errors
    /// As [`Record::load`].
    pub fn skim(run: &RunDir) -> Result<Record, Error> {
        let outline = serde_json::from_slice(&run.read(PLAN_FILE)?);
        let outline: Outline = outline.map_err(|error| unreadable(&run.place(PLAN_FILE)).because(error))?;
        Record::of(run, &outline)
    }

    fn of(run: &RunDir, plan: &Outline) -> Result<Record, Error> {
        let (lines, chain) = journal::read(run)?;
        let name = run.name();
        let unfit = |because: String| {
            Error::new(
                Code::BadInput,
                format!("the journal of run {name} cannot be understood"),
                format!("see `ecr-fix runs verify {name}`"),
            )
            .because(because)
        };
        fold(name.clone(), plan, &lines, &chain).map_err(unfit)
    }

    /// The same, as somebody sees it who knows whether a run is at work on the target now.
    #[must_use]
    pub fn seen_now(mut self, at_work: bool) -> Record {
        if at_work && !self.has_ended {
            self.state = RunState::Applying;
        }
        self
    }

    /// Whether it was to be confirmed before this time, and was not. Of a run that was cut off before it could wait, the
    /// time begins with the last thing that it said. A clock that is behind the run's own says nothing yet.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        let Some(confirmation) = self.confirmation.as_ref().filter(|wanted| !wanted.is_given) else {
            return false;
        };
        let until = confirmation.until.as_ref().and_then(|until| until.parse::<Timestamp>().ok());
        let within = std::time::Duration::from_secs(confirmation.within);
        let until = until.or_else(|| self.last_at?.checked_add(within).ok());
        until.is_some_and(|until| until <= now)
    }

    /// Whether a rollback has something to do.
    pub fn has_something_left(&self) -> bool {
        self.actions.iter().any(|action| action.state.may_be_left())
    }
}

/// What the lines say, from the first to the last. A line that does not fit is an error.
fn fold(run: String, plan: &Outline, lines: &[Line], chain: &Chain) -> Result<Record, String> {
    let mut record = Record {
        format_version: FORMAT_VERSION.to_owned(),
        run,
        state: RunState::Interrupted,
        plan_digest: plan.digest.clone(),
        started_at: String::new(),
        target: plan.target.clone(),
        caller: None,
        sandbox: None,
        reasons: Reasons::default(),
        confirmation: None,
        actions: plan.actions.iter().map(pending).collect(),
        chain: chain.as_text(),
        is_broken: matches!(chain, Chain::Broken { .. }),
        may_miss_lines: matches!(chain, Chain::Shortened { .. }),
        has_ended: false,
        last_at: None,
    };
    for line in lines {
        follow(&mut record, line).map_err(|because| format!("line {}: {because}", line.seq + 1))?;
        record.last_at = line.at.parse().ok();
    }
    // A journal of the first format has no head that tells how many lines there were.
    let has_head = lines
        .first()
        .is_some_and(|line| matches!(&line.event, Event::Started { record_version: Some(_), .. }));
    record.may_miss_lines |= !has_head && !record.has_ended;
    Ok(record)
}

fn pending(action: &OutlinedAction) -> ActionRecord {
    ActionRecord {
        id: action.id.clone(),
        state: ActionState::Pending,
        kind: action.kind,
        resource: action.resource.clone(),
        summary: action.summary.clone(),
        request_id: None,
        assigned_id: None,
        because: None,
        diff: None,
    }
}

fn follow(record: &mut Record, line: &Line) -> Result<(), String> {
    use ActionState as S;
    match &line.event {
        Event::Started { plan_digest, caller, sandbox, reasons, confirm_within, .. } => {
            if *plan_digest != record.plan_digest {
                return Err("it is about another plan".to_owned());
            }
            record.started_at.clone_from(&line.at);
            record.caller.clone_from(caller);
            record.sandbox.clone_from(sandbox);
            record.reasons = reasons.as_deref().cloned().unwrap_or_default();
            let unconfirmed = |within| Confirmation { within, until: None, is_given: false };
            record.confirmation = confirm_within.map(unconfirmed);
        }
        Event::Intended { action } => {
            step(
                record,
                action,
                &[S::Pending, S::Failed, S::Intended, S::Unknown, S::Reverted, S::RevertSkipped],
                S::Intended,
            )?;
            // What is made now gets an id of its own, whatever an earlier attempt got.
            forget_id(record, action);
        }
        Event::Applied { action, request_id, assigned_id } => {
            step(record, action, &[S::Intended, S::Unknown, S::RevertSkipped], S::Applied)?;
            note(record, action, request_id.clone(), None, None);
            assign(record, action, assigned_id.as_ref());
        }
        Event::AlreadySo { action } => {
            step(record, action, &[S::Pending, S::Intended, S::Failed, S::Reverted], S::AlreadySo)?;
        }
        Event::Failed { action, because } => {
            step(record, action, &[S::Pending, S::Intended, S::Failed, S::Reverted], S::Failed)?;
            note(record, action, None, Some(because.clone()), None);
        }
        Event::Unknown { action, because, assigned_id } => {
            step(record, action, &[S::Intended, S::Unknown, S::RevertSkipped], S::Unknown)?;
            note(record, action, None, Some(because.clone()), None);
            assign(record, action, assigned_id.as_ref());
        }
        Event::Finished { state } | Event::RolledBack { state } => {
            record.state = *state;
            record.has_ended = true;
        }
        Event::RollbackStarted { .. } | Event::Resumed { .. } => {
            record.state = RunState::Interrupted;
            record.has_ended = false;
        }
        Event::ConfirmationAwaited { until } => {
            if let Some(confirmation) = &mut record.confirmation {
                confirmation.until = Some(until.clone());
            }
        }
        Event::Confirmed => {
            if let Some(confirmation) = &mut record.confirmation {
                confirmation.is_given = true;
            }
        }
        Event::Damaged { .. } => record.may_miss_lines = true,
        Event::RevertIntended { action } => step(record, action, LEFT, S::Unknown)?,
        Event::Reverted { action, request_id } => {
            step(record, action, LEFT, S::Reverted)?;
            note(record, action, request_id.clone(), None, None);
        }
        Event::RevertSkipped { action, found, diff } => {
            step(record, action, LEFT, S::RevertSkipped)?;
            note(record, action, None, Some(found.clone()), Some(diff.clone()));
        }
        Event::RevertFailed { action, because, is_left } => {
            step(record, action, LEFT, if *is_left { S::Applied } else { S::Unknown })?;
            note(record, action, None, Some(because.clone()), None);
        }
    }
    Ok(())
}

/// The states of an action of which something may be left.
const LEFT: &[ActionState] =
    &[ActionState::Applied, ActionState::Intended, ActionState::Unknown, ActionState::RevertSkipped];

fn step(record: &mut Record, action: &str, from: &[ActionState], to: ActionState) -> Result<(), String> {
    let found = record.actions.iter_mut().find(|known| known.id == action);
    let known = found.ok_or_else(|| format!("the plan has no action {action}"))?;
    if !from.contains(&known.state) {
        return Err(format!("{action} is {}, which {} cannot follow", known.state.as_str(), to.as_str()));
    }
    known.state = to;
    Ok(())
}

fn assign(record: &mut Record, action: &str, id: Option<&String>) {
    if let Some(known) = record.actions.iter_mut().find(|known| known.id == *action) {
        known.assigned_id = id.cloned().or(known.assigned_id.take());
    }
}

fn forget_id(record: &mut Record, action: &str) {
    if let Some(known) = record.actions.iter_mut().find(|known| known.id == action) {
        known.assigned_id = None;
    }
}

fn note(
    record: &mut Record,
    action: &str,
    request_id: Option<String>,
    because: Option<String>,
    diff: Option<String>,
) {
    if let Some(known) = record.actions.iter_mut().find(|known| known.id == action) {
        known.request_id = request_id.or(known.request_id.take());
        known.because = because;
        known.diff = diff.filter(|diff| !diff.is_empty());
    }
}

#[test]
fn a_new_attempt_forgets_the_id_of_the_one_before() {
    let outline: Outline = serde_json::from_value(serde_json::json!({
        "digest": "sha256:1",
        "target": {"account": "111122223333", "region": "eu-west-1", "partition": "aws", "cluster": "c"},
        "actions": [{"id": "a1", "kind": "create-security-group", "resource": "r", "summary": "s"}],
    }))
    .unwrap();
    let action = || "a1".to_owned();
    let unknown = |id: Option<&str>| Event::Unknown {
        action: action(),
        because: "it does not show".to_owned(),
        assigned_id: id.map(str::to_owned),
    };
    let events = [
        Event::Intended { action: action() },
        unknown(Some("sg-1")),
        Event::RevertIntended { action: action() },
        Event::Reverted { action: action(), request_id: None },
        Event::Intended { action: action() },
        unknown(None),
    ];
    let lines: Vec<Line> = (0..)
        .zip(events)
        .map(|(seq, event)| Line { seq, at: String::new(), event, prev: String::new(), hash: String::new() })
        .collect();
    let id_after = |count: usize| {
        let record = fold("run".to_owned(), &outline, &lines[..count], &Chain::Intact).unwrap();
        record.actions[0].assigned_id.clone()
    };
    assert_eq!(id_after(2).as_deref(), Some("sg-1"));
    assert_eq!(id_after(6), None);
}
