//! `ecr-fix rollback [RUN]`: shows what it would restore, asks, restores.

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use super::apply::{caller_of, check_cluster, lock_name, undo};
use super::consent;
use super::world::{WorldArgs, duration};
use crate::actions::change::Standing;
use crate::cli::Format;
use crate::error::{Code, Error};
use crate::plan::Plan;
use crate::render;
use crate::run::{
    self, Engine, Event, Interrupt, Journal, Lock, Patience, Record, RunState, StateDir, World,
};
use crate::ui::Ui;

/// Take back what a run did, after asking
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The id of the run (default: the latest)
    run: Option<String>,
    #[command(flatten)]
    world: WorldArgs,
    /// Do not ask
    #[arg(long, visible_alias = "auto-approve", env = "ECR_FIX_YES")]
    yes: bool,
    /// How long to wait until a change is seen
    #[arg(long, env = "ECR_FIX_WAIT", value_name = "DURATION", default_value = "2m", value_parser = duration)]
    wait: SignedDuration,
}

/// One run, about to be taken back.
pub struct Job<'a> {
    /// Where its record is.
    pub dir: &'a Path,
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
    /// Whether to stop.
    pub interrupt: &'a Interrupt,
    /// Tells a person what happens.
    pub ui: &'a Ui,
}

/// Its phases in a row.
///
/// # Errors
/// Whatever stops it; the code says what is left behind.
pub async fn run(args: &Args, ui: &Ui) -> Result<u8, Error> {
    let interrupt = Interrupt::listen();
    let state = StateDir::locate(ui.state())?;
    let dir = the_run(args, &state)?;
    let (record, plan) = (Record::load(&dir)?, run::read_plan(&dir)?);
    check_cluster(args.world.cluster.as_deref(), &plan)?;
    if record.is_broken {
        // Says what is wrong, and where.
        Journal::open(&dir)?;
    }
    if !record.has_something_left() {
        check_pending(args, &record, &plan).await?;
        ui.answer(&match ui.format {
            Format::Text => {
                format!("Nothing is left of run {}: it is {}.\n", record.run, record.state.as_str())
            }
            Format::Json => render::json::document(&record),
        });
        return Ok(0);
    }
    let world = the_world(args, &record, &plan).await?;
    let caller = caller_of(&world, &plan).await?;

    let explanation = render::text::rollback(&record, &plan, ui.paint());
    let target = render::text::about_to_change(&plan, caller.as_deref(), &world, ui.paint());
    ui.show(&format!("{explanation}{target}"), !args.yes);
    let what = format!("Take back run {} on cluster {}?", record.run, plan.target.cluster);
    consent::ask(ui, &interrupt, args.yes, &what, &plan.target.cluster, &explanation).await?;

    let job = Job {
        dir: &dir,
        plan: &plan,
        world: &world,
        caller,
        state: &state,
        wait: args.wait,
        interrupt: &interrupt,
        ui,
    };
    let record = carry_out(&job).await?;
    ui.answer(&match ui.format {
        Format::Text => render::text::rolled_back(&record, ui.paint()),
        Format::Json => render::json::document(&record),
    });
    Ok(0)
}

/// A journal that does not end as journals end may have lost its last lines: what they said is looked for in the world.
async fn check_pending(args: &Args, record: &Record, plan: &Plan) -> Result<(), Error> {
    if record.has_ended {
        return Ok(());
    }
    let world = the_world(args, record, plan).await?;
    for action in &plan.actions {
        let change = action.change()?;
        if change.standing(&world.look(&change).await?) == Standing::After {
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
fn the_run(args: &Args, state: &StateDir) -> Result<PathBuf, Error> {
    if let Some(id) = &args.run {
        return state.run(id);
    }
    let meant = |id: &String| {
        let record = state.run(id).and_then(|run| Record::load(&run));
        let of_cluster =
            |record: &Record| args.world.cluster.as_ref().is_none_or(|name| *name == record.target.cluster);
        let of_directory = |record: &Record| {
            args.world
                .snapshot
                .as_ref()
                .is_none_or(|dir| record.sandbox.is_some() && record.sandbox == dir.canonicalize().ok())
        };
        match record {
            Ok(record) => of_cluster(&record) && of_directory(&record),
            // The latest run, even where its record cannot be read: to pass over it in silence would be worse.
            Err(_) => args.world.cluster.is_none() && args.world.snapshot.is_none(),
        }
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

/// The world that the run changed, which the record names.
async fn the_world(args: &Args, record: &Record, plan: &Plan) -> Result<World, Error> {
    match (&record.sandbox, &args.world.snapshot) {
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
        (Some(_), Some(_)) | (None, None) => args.world.for_plan(plan).hands().await,
    }
}

/// Lock, record, change back.
///
/// # Errors
/// Something of the run is left.
pub async fn carry_out(job: &Job<'_>) -> Result<Record, Error> {
    let _lock = Lock::take(&job.state.lock_file(&lock_name(job.world, job.plan))?)?;
    let record = Record::load(job.dir)?;
    let mut journal = Journal::open(job.dir)?;
    journal.record(Timestamp::now(), Event::RollbackStarted { caller: job.caller.clone() })?;
    let say = |text: &str| job.ui.note(text);
    let world = job.world.of_run(&record.run);
    let mut engine = Engine {
        world: &world,
        journal,
        clock: Timestamp::now,
        patience: Patience { limit: job.wait.unsigned_abs() },
        interrupt: job.interrupt,
        say: &say,
    };
    let ended = engine.roll_back(job.plan, &record.actions).await;
    let left = |because: Option<Error>| {
        let what = format!("run {} was not taken back completely", record.run);
        let hint =
            format!("look with `ecr-fix runs show {}`, then run `{}`", record.run, undo(&record.run, job.ui));
        let mut error = Error::new(Code::PartlyDone, what, hint);
        if let Some(because) = because {
            error = error.because(because);
        }
        match Record::load(job.dir) {
            Ok(record) => record.actions.iter().filter(|action| action.state.may_be_left()).fold(
                error.with("run", &record),
                |error, action| {
                    let because = action.because.as_deref().unwrap_or("not tried");
                    error.because(format!("{} ({}): {because}", action.id, action.summary))
                },
            ),
            Err(_) => error,
        }
    };
    match ended {
        Ok(Some(RunState::RolledBack)) => Record::load(job.dir),
        Ok(Some(_)) => Err(left(None)),
        Ok(None) => {
            let mut error = left(None).because("it was stopped");
            error.code = Code::Interrupted;
            Err(error)
        }
        Err(error) => Err(left(Some(error))),
    }
}
