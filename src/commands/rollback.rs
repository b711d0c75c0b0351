//! `ecr-fix rollback [RUN]`: shows what it would restore, asks, restores.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::carry_out::{lock, undo, unrecorded, with_outcome};
use super::consent;
use super::usable::{caller_of, check_cluster};
use super::world::{WorldArgs, duration};
use crate::actions::change::Standing;
use crate::cli::Format;
use crate::diagnosis::FORMAT_VERSION;
use crate::error::{Code, Error};
use crate::plan::Plan;
use crate::render;
use crate::run::{
    self, Back, Engine, Event, Interrupt, Journal, Patience, Progress, Record, RunDir, RunState, StateDir,
    World,
};
use crate::ui::Ui;

/// Take back what a run did, after asking
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The id of the run (default: the latest)
    run: Option<String>,
    /// Take back every run that was to be confirmed and was not, such as from cron
    #[arg(long, env = "ECR_FIX_EXPIRED", conflicts_with = "run")]
    expired: bool,
    #[command(flatten)]
    world: WorldArgs,
    /// Do not ask
    #[arg(long, visible_alias = "auto-approve", env = "ECR_FIX_YES")]
    yes: bool,
    /// How long to wait until a change is seen
    #[arg(long, env = "ECR_FIX_WAIT", value_name = "DURATION", default_value = "2m", value_parser = duration)]
    wait: SignedDuration,
    /// How long to wait for another run on this cluster to end (default: not at all)
    #[arg(long, env = "ECR_FIX_LOCK_TIMEOUT", value_name = "DURATION", value_parser = duration)]
    lock_timeout: Option<SignedDuration>,
}

/// One run, about to be taken back.
pub struct Job<'a> {
    /// Where its record is.
    pub dir: &'a RunDir,
    /// What it made.
    pub plan: &'a Plan,
    /// Where.
    pub world: &'a World,
    /// Who takes it back; nobody in the sandbox.
    pub caller: Option<String>,
    /// Where records are kept.
    pub state: &'a StateDir,
    /// How long to wait until a change is seen.
    pub wait: SignedDuration,
    /// How long to wait for another run on the same target to end.
    pub lock_timeout: SignedDuration,
    /// Whether to leave it where somebody has confirmed it meanwhile.
    pub unless_confirmed: bool,
    /// Whether to stop.
    pub interrupt: &'a Interrupt,
    /// Tells whoever follows along what happens.
    pub ui: &'a Ui,
}

/// Its phases in a row.
///
/// # Errors
/// Whatever stops it; the code says what is left behind.
pub async fn run(args: &Args, ui: &Ui) -> Result<u8, Error> {
    let interrupt = Interrupt::listen();
    let state = ui.state_dir()?;
    if args.expired {
        return expired(args, &interrupt, &state, ui).await;
    }
    let dir = the_run(args, &state)?;
    let record = one(args, &dir, &interrupt, &state, ui).await?;
    ui.answer(&match ui.format {
        Format::Text if record.was_left => {
            format!("Nothing is left of run {}: it is {}.\n", record.record.run, record.record.state.as_str())
        }
        Format::Text => render::text::rolled_back(&record.record, ui.paint()),
        Format::Json => render::json::document(&record.record),
    });
    Ok(0)
}

/// A run after it was taken back.
struct Ended {
    record: Record,
    /// There was nothing to take back.
    was_left: bool,
}

async fn one(
    args: &Args,
    dir: &RunDir,
    interrupt: &Interrupt,
    state: &StateDir,
    ui: &Ui,
) -> Result<Ended, Error> {
    let (record, plan) = (Record::load(dir)?, run::read_plan(dir)?);
    check_cluster(args.world.cluster.as_deref(), &plan)?;
    check_intact(&record, dir)?;
    if !record.has_something_left() {
        check_pending(args, &record, &plan).await?;
        return Ok(Ended { record, was_left: true });
    }
    if record.may_miss_lines {
        ui.warn(&format!("the journal of run {} may miss lines: {}", record.run, record.chain));
    }
    let world = world_of(&args.world, &record, &plan).await?;
    let caller = caller_of(&world, &plan).await?;

    let explanation = render::text::rollback(&record, &plan, ui.paint());
    let target = render::text::about_to_change(&plan, caller.as_deref(), &world, ui.paint());
    ui.show(&format!("{explanation}{target}"), !args.yes);
    ui.line("plan", json!({ "run": record, "way": "back" }));
    let what = format!("Take back run {} on cluster {}?", record.run, plan.target.cluster);
    consent::ask(ui, interrupt, args.yes, &what, &plan.target.cluster, &explanation).await?;

    let job = Job {
        dir,
        plan: &plan,
        world: &world,
        caller,
        state,
        wait: args.wait,
        lock_timeout: args.lock_timeout.unwrap_or_default(),
        unless_confirmed: args.expired,
        interrupt,
        ui,
    };
    let record = Box::pin(carry_out(&job)).await?;
    check_pending(args, &record, &plan).await?;
    Ok(Ended { record, was_left: false })
}

/// Every run that nobody confirmed in time, the latest first. One that cannot be taken back does not keep the others.
async fn expired(args: &Args, interrupt: &Interrupt, state: &StateDir, ui: &Ui) -> Result<u8, Error> {
    let now = Timestamp::now();
    let (mut ended, mut failed) = (Vec::new(), None);
    for id in state.runs()?.into_iter().rev() {
        let dir = state.run(&id)?;
        let Ok(record) = Record::skim(&dir) else { continue };
        if !is_meant(args, &record) || !record.has_expired(now) || !record.has_something_left() {
            continue;
        }
        let target = run::lock_name(record.sandbox.as_deref(), &record.target);
        if !record.has_ended && state.is_locked(&target)? {
            continue;
        }
        match Box::pin(one(args, &dir, interrupt, state, ui)).await {
            Ok(taken_back) => ended.push(taken_back.record),
            Err(error) if interrupt.asked() => return Err(error),
            Err(error) => {
                ui.warn(&error.to_string());
                failed.get_or_insert(error);
            }
        }
    }
    if let Some(error) = failed {
        return Err(error);
    }
    ui.answer(&match ui.format {
        Format::Text if ended.is_empty() => "No run waits for a confirmation that is overdue.\n".to_owned(),
        Format::Text => ended.iter().map(|record| render::text::rolled_back(record, ui.paint())).collect(),
        Format::Json => render::json::document(&json!({ "format_version": FORMAT_VERSION, "runs": ended })),
    });
    Ok(0)
}

/// A record that somebody changed tells nothing.
///
/// # Errors
/// Says what is wrong, and where.
pub fn check_intact(record: &Record, dir: &RunDir) -> Result<(), Error> {
    if record.is_broken { Journal::open(dir, Timestamp::now()).map(drop) } else { Ok(()) }
}

/// A journal that may miss its last lines: what they said is looked for in the world.
async fn check_pending(args: &Args, record: &Record, plan: &Plan) -> Result<(), Error> {
    if !record.may_miss_lines {
        return Ok(());
    }
    let world = world_of(&args.world, record, plan).await?;
    for action in &plan.actions {
        let change = action.change()?;
        let pending = record
            .actions
            .iter()
            .any(|known| known.id == action.id && known.state == run::ActionState::Pending);
        if pending && change.standing(&world.look(&change).await?) == Standing::After {
            return Err(Error::new(
                Code::PartlyDone,
                format!(
                    "the journal of run {} ends early, and the world holds what its action {} makes",
                    record.run, action.id
                ),
                format!("if it is of this run, undo it by hand: {}", change.inverse().summary()),
            )
            .with("run", record));
        }
    }
    Ok(())
}

/// The run that was named, or the latest: with `--snapshot` or `--cluster`, the latest of that directory or cluster.
fn the_run(args: &Args, state: &StateDir) -> Result<RunDir, Error> {
    if let Some(id) = &args.run {
        return state.run(id);
    }
    let meant = |id: &String| match state.run(id).and_then(|run| Record::skim(&run)) {
        Ok(record) => is_meant(args, &record),
        // The latest run, even where its record cannot be read: to pass over it in silence would be worse.
        Err(_) => args.world.cluster.is_none() && args.world.snapshot.is_none(),
    };
    let latest = state.runs()?.into_iter().rev().find(meant);
    let latest = latest.ok_or_else(|| {
        Error::new(
            Code::NotFound,
            "there is no run to take back",
            "see `ecr-fix runs list`, or name another --state",
        )
    })?;
    state.run(&latest)
}

/// Whether a run is on the cluster or the directory that was named, if one was.
fn is_meant(args: &Args, record: &Record) -> bool {
    let of_cluster = args.world.cluster.as_ref().is_none_or(|name| *name == record.target.cluster);
    let named = args.world.snapshot.as_ref().map(|dir| dir.canonicalize().ok());
    of_cluster && named.is_none_or(|dir| record.sandbox.is_some() && record.sandbox == dir)
}

/// The world that a run changed, which its record names.
///
/// # Errors
/// Another one was named.
pub async fn world_of(args: &WorldArgs, record: &Record, plan: &Plan) -> Result<World, Error> {
    match (&record.sandbox, &args.snapshot) {
        (Some(dir), None) => Ok(World::Sandbox(dir.clone())),
        (None, Some(_)) => Err(Error::new(
            Code::BadInput,
            format!("run {} changed AWS, not a snapshot directory", record.run),
            "leave --snapshot away",
        )),
        (Some(dir), Some(named)) if named.canonicalize().ok().as_ref() != Some(dir) => Err(Error::new(
            Code::BadInput,
            format!("run {} changed {}, not {}", record.run, dir.display(), named.display()),
            "leave --snapshot away",
        )),
        (Some(_), Some(_)) | (None, None) => args.for_plan(plan).hands().await,
    }
}

/// Lock, record, change back.
///
/// # Errors
/// Something of the run is left, or it was stopped.
pub async fn carry_out(job: &Job<'_>) -> Result<Record, Error> {
    let lock = lock(job.world, job.plan, job.state, job.lock_timeout)?;
    // Somebody may have been faster.
    let record = Record::load(job.dir)?;
    let confirmed = record.confirmation.as_ref().is_some_and(|confirmation| confirmation.is_given);
    if !record.has_something_left() || (job.unless_confirmed && confirmed) {
        return Ok(record);
    }
    job.world.tidy()?;
    let now = Timestamp::now();
    let mut journal = Journal::open(job.dir, now)?;
    journal.record(now, Event::RollbackStarted { caller: job.caller.clone() })?;
    let tell = |progress: &Progress| job.ui.progress(progress);
    let world = job.world.of_run(&record.run);
    let mut engine = Engine {
        world: &world,
        lock: &lock,
        journal,
        clock: Timestamp::now,
        patience: Patience { limit: job.wait.unsigned_abs() },
        quiet_since: record.last_at,
        interrupt: job.interrupt,
        tell: &tell,
    };
    let ended = engine.roll_back(job.plan, &record.actions).await;
    let back = ended.map_err(|error| unrecorded(error, job.dir, job.ui))?;
    let complete = back.state == RunState::RolledBack;
    if complete && !back.interrupted {
        return Record::load(job.dir).map_err(|error| unrecorded(error, job.dir, job.ui));
    }
    Err(with_outcome(not_complete(job, &record.run, back), job.dir))
}

fn not_complete(job: &Job<'_>, run: &str, back: Back) -> Error {
    let again = undo(run, job.ui);
    match back {
        Back { state: RunState::RolledBack, .. } => Error::new(
            Code::Interrupted,
            format!("stopped; run {run} is taken back completely"),
            "nothing is left to do",
        ),
        Back { interrupted: true, .. } => Error::new(
            Code::Interrupted,
            format!("stopped; run {run} is not taken back completely"),
            format!("run `{again}`"),
        ),
        Back { .. } => Error::new(
            Code::PartlyDone,
            format!("run {run} was not taken back completely"),
            format!("look with `ecr-fix runs show {run}`, then run `{again}`"),
        ),
    }
}
