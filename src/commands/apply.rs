//! `ecr-fix apply [PLAN]`: shows a plan, asks, makes it, looks whether it helped, and says how to undo it.

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::consent;
use super::plan::{Choices, load};
use super::world::{WorldArgs, duration};
use crate::actions::change::Standing;
use crate::checks::Leg;
use crate::cli::Format;
use crate::diagnosis::{self, Diagnosis, Verdict};
use crate::error::{Code, Error};
use crate::plan::Plan;
use crate::pulls;
use crate::render;
use crate::run::{
    self, Engine, Event, Interrupt, Lock, NotMade, Outcome, Patience, Record, RunState, StateDir, Why, World,
};
use crate::ui::Ui;

/// Make the changes of a plan, after asking; leaves a record to roll back
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// As `ecr-fix plan --out` saved it (default: plan now)
    plan: Option<PathBuf>,
    #[command(flatten)]
    world: WorldArgs,
    #[command(flatten)]
    choices: Choices,
    /// Do not ask
    #[arg(long, visible_alias = "auto-approve", env = "ECR_FIX_YES")]
    yes: bool,
    /// Refuse a plan with any other digest
    #[arg(long, env = "ECR_FIX_EXPECT_DIGEST", value_name = "sha256:…")]
    expect_digest: Option<String>,
    /// With --snapshot: work on a copy of the directory, made here
    #[arg(long, env = "ECR_FIX_SANDBOX_OUT", value_name = "DIR", requires = "snapshot")]
    sandbox_out: Option<PathBuf>,
    /// How long to wait until a change is seen
    #[arg(long, env = "ECR_FIX_WAIT", value_name = "DURATION", default_value = "2m", value_parser = duration)]
    wait: SignedDuration,
}

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
    /// How long to wait until a change is seen.
    pub wait: SignedDuration,
    /// Whether to stop.
    pub interrupt: &'a Interrupt,
    /// Tells a person what happens.
    pub ui: &'a Ui,
}

/// What came of it.
pub struct Done {
    /// The record of the run.
    pub record: Record,
    /// The diagnosis afterwards.
    pub diagnosis: Diagnosis,
    /// Findings that the plan was to mend and that are still there: cause and resource.
    pub still_there: Vec<String>,
}

/// Its phases in a row.
///
/// # Errors
/// Whatever stops it; the code says what is left behind.
pub async fn run(args: &Args, ui: &Ui) -> Result<u8, Error> {
    let interrupt = Interrupt::listen();
    let state = StateDir::locate(ui.state())?;
    let args = &in_a_copy(args)?;
    let plan = the_plan(args, ui, &interrupt).await?;
    check_cluster(args.world.cluster.as_deref(), &plan)?;
    check_usable(&plan, args)?;
    let world = args.world.for_plan(&plan).hands().await?;
    check_unused(&plan, &world, &state)?;
    let caller = caller_of(&world, &plan).await?;

    let about = render::text::plan(&plan, ui.paint())
        + &render::text::about_to_change(&plan, caller.as_deref(), &world, ui.paint());
    ui.show(&about, !args.yes);
    if plan.actions.is_empty() {
        return nothing_to_do(&plan, ui);
    }
    let what =
        format!("Make {} on cluster {}?", render::text::changes(plan.actions.len()), plan.target.cluster);
    let explanation = render::text::explain_actions(&plan);
    consent::ask(ui, &interrupt, args.yes, &what, &plan.target.cluster, &explanation).await?;

    let job =
        Job { plan: &plan, world: &world, caller, state: &state, wait: args.wait, interrupt: &interrupt, ui };
    let done = carry_out(&job).await?;
    report(&done, ui)
}

/// The plan that was saved, or one for the world as it is now.
async fn the_plan(args: &Args, ui: &Ui, interrupt: &Interrupt) -> Result<Plan, Error> {
    if let Some(file) = &args.plan {
        if args.choices.selects() {
            return Err(Error::new(
                Code::Usage,
                "a saved plan is applied as it is: --target, --exclude and --only choose while planning",
                "give them to `ecr-fix plan --out FILE`, or leave the plan away",
            ));
        }
        return load(file);
    }
    let planning = async {
        let snapshot = args.world.read(&args.world.eyes().await?, ui).await?;
        args.choices.plan(&snapshot, &args.world)
    };
    tokio::select! {
        plan = planning => plan,
        () = interrupt.wait() => {
            Err(Error::new(Code::Interrupted, "stopped before anything was changed", "run the command again"))
        }
    }
}

/// With `--sandbox-out` the arguments speak of the copy, which is made here.
fn in_a_copy(args: &Args) -> Result<Args, Error> {
    let mut world = args.world.clone();
    if let (Some(from), Some(to)) = (&args.world.snapshot, &args.sandbox_out) {
        crate::snapshot_dir::copy(from, to)?;
        world.snapshot = Some(to.clone());
    }
    Ok(Args { world, ..args.clone() })
}

/// Everything that can be refused without a look at the world.
fn check_usable(plan: &Plan, args: &Args) -> Result<(), Error> {
    if let Some(expected) = args.expect_digest.as_ref().filter(|expected| **expected != plan.digest) {
        return Err(Error::new(
            Code::StalePlan,
            "this is not the plan that was approved",
            "apply the plan that was reviewed, or have this one reviewed",
        )
        .because(format!("its digest is {}, expected was {expected}", plan.digest)));
    }
    let expires_at: Timestamp = plan.expires_at.parse().map_err(|error: jiff::Error| {
        Error::new(Code::BadInput, "the plan says not when it expires", "make it again").because(error)
    })?;
    if expires_at <= Timestamp::now() {
        return Err(Error::new(
            Code::StalePlan,
            format!("the plan expired at {}", plan.expires_at),
            "make it again with `ecr-fix plan --out FILE`",
        ));
    }
    for action in &plan.actions {
        check_allowed(action, plan)?;
    }
    Ok(())
}

/// The run that uses the plan may still be at work: then it holds the lock.
fn check_unused(plan: &Plan, world: &World, state: &StateDir) -> Result<(), Error> {
    let Some(run) = state.used_by(&plan.digest) else { return Ok(()) };
    Lock::take(&state.lock_file(&lock_name(world, plan))?)?;
    Err(run::used(&run))
}

/// The engine makes no change that the planner could not have made, whoever wrote the plan, and shows what it makes.
fn check_allowed(action: &crate::plan::Action, plan: &Plan) -> Result<(), Error> {
    let target = &plan.target;
    let change = action.change()?;
    let because = match change.allowed().and_then(|()| change.planned_for(target)) {
        Err(because) => because,
        Ok(()) if change.account() != target.account && !change.is_in_any_account() => {
            format!("{} is not in account {}", change.resource(), target.account)
        }
        Ok(()) if change.opens_internet() && !plan.options.allow_internet_egress => {
            "it opens a way to the whole internet, and the plan was not made with --allow-internet-egress"
                .to_owned()
        }
        Ok(()) if crate::plan::file::fingerprint(&change) != action.precondition.fingerprint => {
            "its fingerprint is not that of its own precondition".to_owned()
        }
        Ok(()) if !action.shows(&change) => "what it shows is not what it does".to_owned(),
        Ok(()) => return Ok(()),
    };
    Err(Error::new(
        Code::BadInput,
        format!("action {} ({}) is not one that ecr-fix makes", action.id, action.kind.as_str()),
        "nothing was changed; make a plan with `ecr-fix plan --out FILE`",
    )
    .because(because))
}

/// A cluster that is named must be that of the plan: whoever names another one means another one.
pub fn check_cluster(named: Option<&str>, plan: &Plan) -> Result<(), Error> {
    match named.filter(|named| *named != plan.target.cluster) {
        None => Ok(()),
        Some(named) => Err(Error::new(
            Code::BadInput,
            format!("the plan is for cluster {}, the command for {named}", plan.target.cluster),
            "leave --cluster away, or name the plan of that cluster",
        )),
    }
}

/// Who is about to change AWS. A plan for another account is refused.
pub async fn caller_of(world: &World, plan: &Plan) -> Result<Option<String>, Error> {
    let World::Aws { reader, .. } = world else { return Ok(None) };
    let caller =
        reader.caller().await.map_err(|refused| refused.error("the AWS credentials cannot be used"))?;
    if caller.account != plan.target.account {
        return Err(Error::new(
            Code::BadInput,
            format!(
                "the plan is for account {}, the credentials are of {}",
                plan.target.account, caller.account
            ),
            "name the right --profile",
        ));
    }
    if reader.region() != plan.target.region {
        return Err(Error::new(
            Code::BadInput,
            format!("the plan is for region {}, the command for {}", plan.target.region, reader.region()),
            format!("leave --region away, or name {}", plan.target.region),
        ));
    }
    Ok(Some(caller.arn))
}

fn nothing_to_do(plan: &Plan, ui: &Ui) -> Result<u8, Error> {
    let blocked = plan.diagnosis.summary.blocked;
    if blocked > 0 {
        return Err(Error::new(
            Code::NotCured,
            format!("nothing was changed, and {blocked} pulls are still blocked"),
            "follow the manual steps of the plan above",
        ));
    }
    if ui.format == Format::Json {
        ui.answer(&render::json::document(&json!({
            "format_version": diagnosis::FORMAT_VERSION, "run": null, "state": "nothing-to-do",
            "plan_digest": plan.digest, "actions": [], "verification": plan.diagnosis.summary,
        })));
    }
    Ok(0)
}

/// Lock, look again, record, change, verify.
///
/// # Errors
/// Whatever stops it; the code says what is left behind.
pub async fn carry_out(job: &Job<'_>) -> Result<Done, Error> {
    let Job { plan, state, .. } = job;
    let _lock = Lock::take(&state.lock_file(&lock_name(job.world, plan))?)?;
    if let Some(run) = state.used_by(&plan.digest) {
        return Err(run::used(&run));
    }
    check_fresh(job).await?;

    let now = Timestamp::now();
    let id = run::run_id(now, uuid::Uuid::new_v4());
    let staged = state.stage_run(&id)?;
    let started = Event::Started {
        run: id.clone(),
        plan_digest: plan.digest.clone(),
        target: plan.target.clone(),
        caller: job.caller.clone(),
        sandbox: match job.world {
            World::Sandbox(dir) => Some(dir.clone()),
            World::Aws { .. } => None,
        },
        ecr_fix_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let journal = run::start(&staged, plan, now, started)?;
    let dir = state.publish_run(&id)?;
    state.use_plan(&plan.digest, &id)?;

    let say = |text: &str| job.ui.note(text);
    let world = job.world.of_run(&id);
    let mut engine = Engine {
        world: &world,
        journal,
        clock: Timestamp::now,
        patience: Patience { limit: job.wait.unsigned_abs() },
        interrupt: job.interrupt,
        say: &say,
    };
    let stopped = |left: &str| {
        let hint = format!("to go back, run `{}`", undo(&id, job.ui));
        with_record(Error::new(Code::Interrupted, format!("stopped; {left}"), hint), &dir)
    };
    let outcome = engine.apply(plan).await.map_err(|error| unrecorded(error, &dir, job.ui))?;
    match outcome {
        Outcome::Applied => tokio::select! {
            biased;
            // Also where somebody asked during the last change.
            () = job.interrupt.wait() => Err(stopped("every change is made, but nobody looked whether it helped")),
            done = verify(job, &dir) => done,
        },
        Outcome::Interrupted => Err(stopped("what had been done is recorded")),
        Outcome::NotMade(not_made) => Err(give_up(job, &mut engine, &dir, &not_made).await),
    }
}

/// All resources are looked at before the first is changed: a plan is made as a whole or refused as a whole.
async fn check_fresh(job: &Job<'_>) -> Result<(), Error> {
    for action in &job.plan.actions {
        let change = action.change()?;
        let world = job.world.look(&change).await?;
        let refused = |code, what: String, hint: &str| Error::new(code, what, hint);
        match change.standing(&world) {
            Standing::Before | Standing::After => {}
            Standing::Elsewhere { found, diff } => {
                let what = format!("{} was changed since the plan was made", change.resource());
                let error =
                    refused(Code::StalePlan, what, "nothing was changed; make a new plan").because(found);
                return Err(if diff.is_empty() {
                    error
                } else {
                    error.because(format!("it now differs: {diff}"))
                });
            }
            Standing::Unread(because) => {
                let denied = world.unread.iter().any(|unread| unread.because.contains("AccessDenied"));
                let code = if denied { Code::AccessDenied } else { Code::Aws };
                let what = format!("{} cannot be read, so it is not changed", change.resource());
                return Err(refused(
                    code,
                    what,
                    "nothing was changed; allow the read, then run the command again",
                )
                .because(because));
            }
        }
    }
    Ok(())
}

/// An action was not made: takes back the ones before it, and says what is left.
async fn give_up(job: &Job<'_>, engine: &mut Engine<'_>, dir: &Path, not_made: &NotMade) -> Error {
    let NotMade { action, because, why } = not_made;
    let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let kind = job.plan.actions.iter().find(|known| known.id == *action);
    let what = match kind {
        Some(known) => {
            format!("action {action} ({} on {}) was not made", known.kind.as_str(), known.resource)
        }
        None => format!("action {action} was not made"),
    };
    let nothing_done = Record::load(dir).is_ok_and(|record| !record.has_something_left());
    let rolled_back = roll_back_now(job, engine, dir).await;
    let error = match rolled_back {
        Ok(Some(RunState::RolledBack)) if nothing_done && *why == Why::Denied => Error::new(
            Code::AccessDenied,
            what,
            "nothing was changed; allow the call for the identity you run as",
        ),
        Ok(Some(RunState::RolledBack)) if nothing_done && *why == Why::Stale => {
            Error::new(Code::StalePlan, what, "nothing was changed; make a new plan")
        }
        Ok(Some(RunState::RolledBack)) => Error::new(
            Code::RolledBack,
            what,
            "everything that had been done was taken back; mend the cause, then plan again",
        ),
        Ok(_) | Err(_) => Error::new(
            Code::PartlyDone,
            format!("{what}, and not everything could be taken back"),
            format!("look with `ecr-fix runs show {name}`, then run `{}`", undo(&name, job.ui)),
        ),
    };
    with_record(error.because(because), dir)
}

async fn roll_back_now(
    job: &Job<'_>,
    engine: &mut Engine<'_>,
    dir: &Path,
) -> Result<Option<RunState>, Error> {
    let record = Record::load(dir)?;
    engine.journal.record(Timestamp::now(), Event::RollbackStarted { caller: job.caller.clone() })?;
    engine.roll_back(job.plan, &record.actions).await
}

/// The journal failed: what was in flight may be left.
fn unrecorded(error: Error, dir: &Path, ui: &Ui) -> Error {
    let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match Record::load(dir) {
        Ok(record) if !record.has_something_left() => error,
        _ => Error::new(
            Code::PartlyDone,
            "the journal could not be written, so nothing more was done",
            format!("{}; then run `{}`", error.hint(), undo(&name, ui)),
        )
        .because(&error),
    }
}

async fn verify(job: &Job<'_>, dir: &Path) -> Result<Done, Error> {
    let record = Record::load(dir)?;
    job.ui.note("looking again …");
    let Plan { target, scope, options, .. } = job.plan;
    let look = async {
        let snapshot = job.world.read(&target.cluster, &scope.images).await?;
        let mut world = pulls::World::of(&snapshot, scope)?;
        diagnosis::forget_old_words(&mut world, &job.plan.diagnosis);
        Ok(diagnosis::diagnosis(&world, &diagnosis::verdicts(&world, options)))
    };
    let diagnosis = look.await.map_err(|error: Error| {
        let what = "the plan was applied, but the diagnosis afterwards could not be made";
        let hint = format!("run `ecr-fix diagnose` later; to go back, run `{}`", undo(&record.run, job.ui));
        Error::new(error.code, what, hint).because(error).with("run", &record)
    })?;
    let still_there = not_cured(job.plan, &diagnosis);
    Ok(Done { record, diagnosis, still_there })
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

fn report(done: &Done, ui: &Ui) -> Result<u8, Error> {
    let undo = undo(&done.record.run, ui);
    if !done.still_there.is_empty() {
        let mut error = Error::new(
            Code::NotCured,
            "the plan was applied, and the problem is not known to be mended",
            format!("run `ecr-fix diagnose`; to go back, run `{undo}`"),
        );
        for finding in &done.still_there {
            error = error.because(finding);
        }
        return Err(error.with("run", &done.record));
    }
    ui.answer(&match ui.format {
        Format::Text => render::text::applied(done, &undo, ui.paint()),
        Format::Json => {
            let mut document = serde_json::to_value(&done.record).unwrap_or_default();
            if let serde_json::Value::Object(fields) = &mut document {
                fields.insert("verification".to_owned(), json!(done.diagnosis.summary));
                fields.insert("undo".to_owned(), json!(undo));
            }
            render::json::document(&document)
        }
    });
    Ok(0)
}

/// The one command that takes a run back.
pub fn undo(run: &str, ui: &Ui) -> String {
    match ui.state() {
        Some(dir) => format!("ecr-fix rollback {run} --state {}", dir.display()),
        None => format!("ecr-fix rollback {run}"),
    }
}

/// What is locked: the cluster, or the directory that plays it.
pub fn lock_name(world: &World, plan: &Plan) -> String {
    match world {
        World::Sandbox(dir) => run::lock_name(Some(dir), &plan.target),
        World::Aws { .. } => run::lock_name(None, &plan.target),
    }
}

fn with_record(error: Error, dir: &Path) -> Error {
    match Record::load(dir) {
        Ok(record) => error.with("run", &record),
        Err(_) => error,
    }
}
