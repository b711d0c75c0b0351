//! One plan, made in one world: lock, look, ask AWS, record, change, look whether it helped.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::time::Instant;

use super::consent::{AfterFailure, ask_after_failure};
use super::preflight;
use crate::checks::Leg;
use crate::diagnosis::{self, Diagnosis, Verdict};
use crate::error::{Code, Error};
use crate::model::Snapshot;
use crate::plan::Plan;
use crate::pulls;
use crate::run::{
    self, ActionRecord, ActionState, Back, Engine, Event, Interrupt, Journal, Lock, NotMade, Outcome,
    Patience, Progress, Reasons, Record, RunDir, RunState, StateDir, Why, World, with_heartbeat,
};
use crate::ui::Ui;

/// One plan, about to be made in one world.
pub struct Job<'a> {
    /// What is made.
    pub plan: &'a Plan,
    /// Where.
    pub world: &'a World,
    /// Who makes it; nobody in the sandbox.
    pub caller: Option<String>,
    /// Where the record is kept.
    pub state: &'a StateDir,
    /// How patiently, and what if it fails.
    pub how: How,
    /// Whether to stop.
    pub interrupt: &'a Interrupt,
    /// Tells whoever follows along what happens.
    pub ui: &'a Ui,
}

/// How a plan is made.
#[derive(Clone, Debug)]
pub struct How {
    /// How long to wait until a change is seen.
    pub wait: SignedDuration,
    /// How long to wait for another run on the same target to end.
    pub lock_timeout: SignedDuration,
    /// What to do after an action failed.
    pub on_failure: OnFailure,
    /// How long it stays without a confirmation.
    pub confirm_within: Option<SignedDuration>,
    /// Why it is made.
    pub reasons: Reasons,
}

impl Default for How {
    fn default() -> How {
        How {
            wait: SignedDuration::from_secs(10),
            lock_timeout: SignedDuration::ZERO,
            on_failure: OnFailure::Rollback,
            confirm_within: None,
            reasons: Reasons::default(),
        }
    }
}

/// What to do after an action failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum OnFailure {
    /// Take back what was done
    Rollback,
    /// Leave what was done; `apply --resume` goes on, `rollback` goes back
    Stop,
    /// Ask on the terminal
    Ask,
}

/// What came of it.
pub struct Done {
    /// The record of the run.
    pub record: Record,
    /// The diagnosis afterwards.
    pub diagnosis: Diagnosis,
    /// Findings that the plan was to mend and that are still there: cause and resource.
    pub still_there: Vec<String>,
    /// When it is taken back unless somebody confirms.
    pub confirm_by: Option<Instant>,
}

/// Makes a plan in a new run.
///
/// # Errors
/// Whatever stops it; the code says what is left behind.
pub async fn carry_out(job: &Job<'_>) -> Result<Done, Error> {
    let Job { plan, state, .. } = job;
    let lock = lock(job.world, plan, state, job.how.lock_timeout)?;
    if let Some(run) = state.used_by(&plan.digest)? {
        return Err(run::used(&run));
    }
    look_ahead(job, &[]).await?;

    let now = Timestamp::now();
    let id = run::run_id(now, uuid::Uuid::new_v4(), state.runs()?.last().map(String::as_str));
    let staged = state.stage_run(&id)?;
    let journal = run::start(&staged, plan, now, started(job, &id))?;
    let dir = state.publish_run(&id)?;
    state.use_plan(&plan.digest, &id)?;
    Box::pin(forward(job, &lock, &dir, journal.in_run(&dir), &[], None)).await
}

/// Goes on with a run that was cut off, until everything is as planned.
///
/// # Errors
/// As [`carry_out`].
pub async fn resume(job: &Job<'_>, dir: &RunDir) -> Result<Done, Error> {
    let lock = lock(job.world, job.plan, job.state, job.how.lock_timeout)?;
    let record = Record::load(dir)?;
    check_resumable(&record, job.ui)?;
    look_ahead(job, &record.actions).await?;
    let now = Timestamp::now();
    let mut journal = Journal::open(dir, now)?;
    journal.record(now, Event::Resumed { caller: job.caller.clone() })?;
    Box::pin(forward(job, &lock, dir, journal, &record.actions, record.last_at)).await
}

/// Whether a run can go on.
///
/// # Errors
/// Why not.
pub fn check_resumable(record: &Record, ui: &Ui) -> Result<(), Error> {
    let run = &record.run;
    if record.has_ended && record.state == RunState::RolledBack {
        let what = format!("run {run} was rolled back");
        return Err(Error::new(Code::StalePlan, what, "make a new plan, and apply that"));
    }
    if record.may_miss_lines {
        let what = format!("the journal of run {run} may miss lines, so nobody knows what it has done");
        let hint = format!("run `{}`, then make a new plan", undo(run, ui));
        return Err(Error::new(Code::BadInput, what, hint).because(&record.chain));
    }
    Ok(())
}

/// Takes the lock of a target.
///
/// # Errors
/// Another run holds it, and still does after that time.
pub fn lock(world: &World, plan: &Plan, state: &StateDir, wait: SignedDuration) -> Result<Lock, Error> {
    state.lock(&lock_name(world, plan), wait.unsigned_abs())
}

/// What is locked: the cluster, or the directory that plays it.
pub fn lock_name(world: &World, plan: &Plan) -> String {
    match world {
        World::Sandbox(dir) => run::lock_name(Some(dir), &plan.target),
        World::Aws { .. } => run::lock_name(None, &plan.target),
    }
}

/// The one command that takes a run back.
pub fn undo(run: &str, ui: &Ui) -> String {
    with_state(&format!("ecr-fix rollback {run}"), ui)
}

/// The one command that goes on with a run.
pub fn go_on(run: &str, ui: &Ui) -> String {
    with_state(&format!("ecr-fix apply --resume {run}"), ui)
}

/// A command that looks for records where this one did.
pub fn with_state(command: &str, ui: &Ui) -> String {
    match ui.state() {
        Some(dir) => format!("{command} --state {}", dir.display()),
        None => command.to_owned(),
    }
}

/// Adds what was done, what was not, and what nobody knows, for a person and for a program.
#[must_use]
pub fn with_outcome(error: Error, dir: &RunDir) -> Error {
    let Ok(record) = Record::load(dir) else { return error };
    let groups: [(&str, &[ActionState]); 6] = [
        ("done", &[ActionState::Applied, ActionState::AlreadySo]),
        ("taken_back", &[ActionState::Reverted]),
        ("left_alone", &[ActionState::RevertSkipped]),
        ("uncertain", &[ActionState::Intended, ActionState::Unknown]),
        ("failed", &[ActionState::Failed]),
        ("not_started", &[ActionState::Pending]),
    ];
    let mut outcome = serde_json::Map::new();
    let mut error = error;
    for (name, states) in groups {
        let these: Vec<&ActionRecord> =
            record.actions.iter().filter(|action| states.contains(&action.state)).collect();
        for action in &these {
            let because = action.because.as_ref().map(|because| format!(": {because}")).unwrap_or_default();
            error = error.because(format!(
                "{}: {} ({}){because}",
                name.replace('_', " "),
                action.id,
                action.summary
            ));
        }
        outcome.insert(name.to_owned(), these.iter().map(|action| action.id.clone()).collect());
    }
    error.with("outcome", &outcome).with("run", &record)
}

/// The journal failed, or the lock was lost: what was in flight may be left.
pub fn unrecorded(error: Error, dir: &RunDir, ui: &Ui) -> Error {
    let name = dir.name();
    match Record::load(dir) {
        Ok(record) if !record.has_something_left() => error,
        _ => {
            let what = match error.code {
                Code::Locked => "somebody else has the lock, so nothing more was done",
                Code::Storage => "the journal could not be written, so nothing more was done",
                _ => "the records are out of reach, so nothing more was done",
            };
            let (back, on) = (undo(&name, ui), go_on(&name, ui));
            let hint = format!("{}; then, to go back, run `{back}`; to go on, run `{on}`", error.hint());
            with_outcome(Error::new(Code::PartlyDone, what, hint).because(&error), dir)
        }
    }
}

/// Everything that can be known before the first write.
async fn look_ahead(job: &Job<'_>, states: &[ActionRecord]) -> Result<(), Error> {
    job.world.tidy()?;
    preflight::check_fresh(job.world, job.plan, states).await?;
    preflight::check_permitted(job.world, job.plan, job.caller.as_deref(), job.ui).await
}

fn started(job: &Job<'_>, id: &str) -> Event {
    let reasons = Some(job.how.reasons.clone()).filter(|reasons| *reasons != Reasons::default());
    Event::Started {
        run: id.to_owned(),
        plan_digest: job.plan.digest.clone(),
        target: job.plan.target.clone(),
        caller: job.caller.clone(),
        sandbox: match job.world {
            World::Sandbox(dir) => Some(dir.clone()),
            World::Aws { .. } => None,
        },
        ecr_fix_version: env!("CARGO_PKG_VERSION").to_owned(),
        record_version: Some(run::RECORD_VERSION.to_owned()),
        reasons: reasons.map(Box::new),
        confirm_within: job.how.confirm_within.map(|within| within.unsigned_abs().as_secs()),
    }
}

async fn forward(
    job: &Job<'_>,
    lock: &Lock,
    dir: &RunDir,
    journal: Journal,
    states: &[ActionRecord],
    quiet_since: Option<Timestamp>,
) -> Result<Done, Error> {
    let world = job.world.of_run(&dir.name());
    let tell = |progress: &Progress| job.ui.progress(progress);
    let mut engine = Engine {
        world: &world,
        lock,
        journal,
        clock: Timestamp::now,
        patience: Patience { limit: job.how.wait.unsigned_abs() },
        quiet_since,
        interrupt: job.interrupt,
        tell: &tell,
    };
    let outcome = engine.apply(job.plan, states).await.map_err(|error| unrecorded(error, dir, job.ui))?;
    match outcome {
        Outcome::Applied => {
            let confirm_by = await_confirmation(&mut engine.journal, dir)
                .map_err(|error| unrecorded(error, dir, job.ui))?;
            let looking =
                with_heartbeat(&tell, None, "looking again", Box::pin(verify(job, dir, confirm_by)));
            tokio::select! {
                biased;
                // Also where somebody asked during the last change.
                () = job.interrupt.wait() => {
                    Err(stopped(job, dir, "every change is made, but nobody looked whether it helped"))
                }
                done = looking => done,
            }
        }
        Outcome::Interrupted => Err(stopped(job, dir, "what had been done is recorded")),
        Outcome::NotMade(not_made) => Err(give_up(job, &mut engine, dir, &not_made).await),
    }
}

fn stopped(job: &Job<'_>, dir: &RunDir, left: &str) -> Error {
    let run = dir.name();
    let hint = format!("to go back, run `{}`; to go on, run `{}`", undo(&run, job.ui), go_on(&run, job.ui));
    with_outcome(Error::new(Code::Interrupted, format!("stopped; {left}"), hint), dir)
}

/// Writes down until when the run has to be confirmed, where it has to be.
fn await_confirmation(journal: &mut Journal, dir: &RunDir) -> Result<Option<Instant>, Error> {
    let wanted = Record::load(dir)?.confirmation.filter(|confirmation| !confirmation.is_given);
    let Some(within) = wanted.map(|confirmation| Duration::from_secs(confirmation.within)) else {
        return Ok(None);
    };
    let now = Timestamp::now();
    let until = now.checked_add(within).unwrap_or(Timestamp::MAX);
    journal.record(now, Event::ConfirmationAwaited { until: until.to_string() })?;
    Ok(Some(Instant::now() + within))
}

/// An action was not made: takes back the ones before it unless that is not wanted, and says what is left.
async fn give_up(job: &Job<'_>, engine: &mut Engine<'_>, dir: &RunDir, not_made: &NotMade) -> Error {
    let NotMade { action, because, why } = not_made;
    let name = dir.name();
    let known = job.plan.actions.iter().find(|known| known.id == *action);
    let what = match known {
        Some(known) => {
            format!("action {action} ({} on {}) was not made", known.kind.as_str(), known.resource)
        }
        None => format!("action {action} was not made"),
    };
    let nothing_done = Record::load(dir).is_ok_and(|record| !record.has_something_left());
    if !nothing_done && leaves_it(job, &format!("{what}: {because}")).await {
        let what = format!("{what}, and what had been done before is left");
        let hint =
            format!("to go back, run `{}`; to go on, run `{}`", undo(&name, job.ui), go_on(&name, job.ui));
        return with_outcome(Error::new(Code::PartlyDone, what, hint).because(because), dir);
    }
    let error = match roll_back_now(job, engine, dir).await {
        Ok(Back { state: RunState::RolledBack, .. }) => match why {
            Why::Denied if nothing_done => Error::new(
                Code::AccessDenied,
                what,
                "nothing was changed; allow the call for the identity you run as",
            ),
            Why::Stale if nothing_done => {
                Error::new(Code::StalePlan, what, "nothing was changed; make a new plan")
            }
            _ => Error::new(
                Code::RolledBack,
                what,
                "everything that had been done was taken back; mend the cause, then plan again",
            ),
        },
        Ok(_) | Err(_) => Error::new(
            Code::PartlyDone,
            format!("{what}, and not everything could be taken back"),
            format!("look with `ecr-fix runs show {name}`, then run `{}`", undo(&name, job.ui)),
        ),
    };
    with_outcome(error.because(because), dir)
}

/// Whether what was done before a failure shall stay.
async fn leaves_it(job: &Job<'_>, failure: &str) -> bool {
    match job.how.on_failure {
        OnFailure::Rollback => false,
        OnFailure::Stop => true,
        OnFailure::Ask => {
            job.ui.warn(failure);
            ask_after_failure(job.interrupt).await == AfterFailure::Stop
        }
    }
}

async fn roll_back_now(job: &Job<'_>, engine: &mut Engine<'_>, dir: &RunDir) -> Result<Back, Error> {
    let record = Record::load(dir)?;
    engine.journal.record(Timestamp::now(), Event::RollbackStarted { caller: job.caller.clone() })?;
    engine.quiet_since = record.last_at;
    engine.roll_back(job.plan, &record.actions).await
}

async fn verify(job: &Job<'_>, dir: &RunDir, confirm_by: Option<Instant>) -> Result<Done, Error> {
    let record = Record::load(dir).map_err(|error| unrecorded(error, dir, job.ui))?;
    job.ui.note("looking again …");
    let Plan { target, scope, options, .. } = job.plan;
    let look = async {
        let snapshot = job.world.read(&target.cluster, &scope.images).await?;
        let mut world = world_again(&snapshot, scope)?;
        diagnosis::forget_old_words(&mut world, &job.plan.diagnosis);
        Ok(diagnosis::diagnosis(&world, &diagnosis::verdicts(&world, options)))
    };
    let diagnosis = look.await.map_err(|error: Error| {
        let what = "the plan was applied, but the diagnosis afterwards could not be made";
        let hint = format!("run `ecr-fix diagnose` later; to go back, run `{}`", undo(&record.run, job.ui));
        Error::new(error.code, what, hint).because(error).with("run", &record)
    })?;
    let still_there = not_cured(job.plan, &diagnosis);
    Ok(Done { record, diagnosis, still_there, confirm_by })
}

/// The pods that a plan was narrowed to may be gone by now: then all pulls are looked at.
fn world_again<'s>(snapshot: &'s Snapshot, scope: &pulls::Scope) -> Result<pulls::World<'s>, Error> {
    let whole = pulls::Scope { only: pulls::Narrowing::default(), ..scope.clone() };
    pulls::World::of(snapshot, scope).or_else(|_| pulls::World::of(snapshot, &whole))
}

/// What the plan was to mend and is not known to be mended: findings that are back, and legs that cannot be decided.
fn not_cured(plan: &Plan, after: &Diagnosis) -> Vec<String> {
    let fixed = plan.actions.iter().flat_map(|action| &action.fixes);
    let meant: Vec<_> =
        fixed.filter_map(|id| plan.diagnosis.findings.iter().find(|found| found.id == *id)).collect();
    let back = after.findings.iter().filter(|found| {
        meant.iter().any(|meant| meant.cause == found.cause && meant.resource == found.resource)
    });
    let mut left: Vec<String> = back.map(|found| format!("{} on {}", found.cause, found.resource)).collect();
    let was_blocked = |path: &str, leg: Leg| {
        let path = plan.diagnosis.pull_paths.iter().find(|known| known.id == path);
        let legs = path.into_iter().flat_map(|path| &path.legs).filter(|known| known.leg == leg);
        legs.flat_map(|leg| &leg.findings).any(|id| meant.iter().any(|meant| meant.id == *id))
    };
    for path in &after.pull_paths {
        let undecided =
            path.legs.iter().filter(|leg| leg.verdict == Verdict::Unknown && was_blocked(&path.id, leg.leg));
        left.extend(undecided.map(|leg| format!("{} of {} could not be decided", leg.leg.as_str(), path.id)));
    }
    left
}

/// The document about a run that was applied.
pub fn document(done: &Done, ui: &Ui) -> serde_json::Value {
    let mut document = serde_json::to_value(&done.record).unwrap_or_default();
    if let serde_json::Value::Object(fields) = &mut document {
        fields.insert("verification".to_owned(), json!(done.diagnosis.summary));
        fields.insert("undo".to_owned(), json!(undo(&done.record.run, ui)));
    }
    document
}
