//! `ecr-fix apply [PLAN]`: shows a plan, asks, makes it, looks whether it helped, and says how to undo it.

use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use serde_json::json;

use super::carry_out::{self, Done, How, Job, OnFailure, undo};
use super::plan::{Choices, load, read_text};
use super::usable::{self, caller_of, check_cluster};
use super::world::{WorldArgs, duration};
use super::{confirm, consent, rollback};
use crate::cli::Format;
use crate::diagnosis;
use crate::error::{Code, Error};
use crate::plan::Plan;
use crate::render;
use crate::run::{self, Interrupt, Reasons, Record, Signer, StateDir, World};
use crate::ui::Ui;

/// Make the changes of a plan, after asking; leaves a record to roll back
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// As `ecr-fix plan --out` saved it (default: plan now)
    plan: Option<PathBuf>,
    /// Go on with a run that was cut off
    #[arg(
        long,
        value_name = "RUN",
        conflicts_with_all = ["plan", "sandbox_out", "require_approval", "confirm_within", "reason", "ticket", "approved_by"]
    )]
    resume: Option<String>,
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
    /// Refuse a plan without the signature PLAN.sig of somebody in this file who did not make the plan
    #[arg(long, env = "ECR_FIX_REQUIRE_APPROVAL", value_name = "ALLOWED_SIGNERS", requires = "plan")]
    require_approval: Option<PathBuf>,
    /// With --snapshot: work on a copy of the directory, made here
    #[arg(long, env = "ECR_FIX_SANDBOX_OUT", value_name = "DIR", requires = "snapshot")]
    sandbox_out: Option<PathBuf>,
    /// What to do after an action failed (default: ask on a terminal, else rollback)
    #[arg(long, env = "ECR_FIX_ON_FAILURE", value_name = "WHAT")]
    on_failure: Option<OnFailure>,
    /// Take everything back unless `ecr-fix confirm RUN` comes within this time
    #[arg(long, env = "ECR_FIX_CONFIRM_WITHIN", value_name = "DURATION", value_parser = duration)]
    confirm_within: Option<SignedDuration>,
    /// How long to wait until a change is seen
    #[arg(long, env = "ECR_FIX_WAIT", value_name = "DURATION", default_value = "2m", value_parser = duration)]
    wait: SignedDuration,
    /// How long to wait for another run on this cluster to end (default: not at all)
    #[arg(long, env = "ECR_FIX_LOCK_TIMEOUT", value_name = "DURATION", value_parser = duration)]
    lock_timeout: Option<SignedDuration>,
    /// Why, for the record
    #[arg(long, env = "ECR_FIX_REASON", value_name = "TEXT")]
    reason: Option<String>,
    /// Where it is discussed, for the record
    #[arg(long, env = "ECR_FIX_TICKET", value_name = "ID")]
    ticket: Option<String>,
    /// Who agreed, for the record (repeatable)
    #[arg(long, env = "ECR_FIX_APPROVED_BY", value_name = "WHO", value_delimiter = ',')]
    approved_by: Vec<String>,
}

impl Args {
    /// Whether the plan was made before.
    pub fn has_a_plan(&self) -> bool {
        self.plan.is_some() || self.resume.is_some()
    }
}

/// Its phases in a row.
///
/// # Errors
/// Whatever stops it; the code says what is left behind.
pub async fn run(args: &Args, ui: &Ui) -> Result<u8, Error> {
    let interrupt = Interrupt::listen();
    let state = ui.state_dir()?;
    let on_failure = on_failure(args, ui)?;
    if let Some(run) = &args.resume {
        return Box::pin(resume(args, run, on_failure, &interrupt, &state, ui)).await;
    }
    let args = &in_a_copy(args)?;
    let (plan, signed_by) = Box::pin(the_plan(args, ui, &interrupt)).await?;
    check_cluster(args.world.cluster.as_deref(), &plan)?;
    usable::check(&plan, args.expect_digest.as_deref())?;
    let world = args.world.for_plan(&plan).hands().await?;
    check_unused(&plan, &world, &state)?;
    let caller = caller_of(&world, &plan).await?;

    let about = render::text::plan(&plan, ui.paint())
        + &render::text::about_to_change(&plan, caller.as_deref(), &world, ui.paint());
    ui.show(&about, !args.yes);
    ui.line("plan", json!(plan));
    if plan.actions.is_empty() {
        return nothing_to_do(&plan, ui);
    }
    agree(args, &plan, &interrupt, ui).await?;

    let how = how(args, on_failure, signed_by);
    let job = Job { plan: &plan, world: &world, caller, state: &state, how, interrupt: &interrupt, ui };
    let done = Box::pin(carry_out::carry_out(&job)).await?;
    Box::pin(finish(&job, &done)).await
}

/// The same for a run that was cut off.
async fn resume(
    args: &Args,
    run: &str,
    on_failure: OnFailure,
    interrupt: &Interrupt,
    state: &StateDir,
    ui: &Ui,
) -> Result<u8, Error> {
    let dir = state.run(run)?;
    let (record, plan) = (Record::load(&dir)?, run::read_plan(&dir)?);
    rollback::check_intact(&record, &dir)?;
    check_cluster(args.world.cluster.as_deref(), &plan)?;
    usable::check(&plan, args.expect_digest.as_deref())?;
    carry_out::check_resumable(&record, ui)?;
    let world = rollback::world_of(&args.world, &record, &plan).await?;
    let caller = caller_of(&world, &plan).await?;

    let about = render::text::plan(&plan, ui.paint())
        + "\n"
        + &render::text::record(&record, ui.paint())
        + &render::text::about_to_change(&plan, caller.as_deref(), &world, ui.paint());
    ui.show(&about, !args.yes);
    ui.line("plan", json!(plan));
    agree(args, &plan, interrupt, ui).await?;

    let how = how(args, on_failure, None);
    let job = Job { plan: &plan, world: &world, caller, state, how, interrupt, ui };
    let done = Box::pin(carry_out::resume(&job, &dir)).await?;
    Box::pin(finish(&job, &done)).await
}

fn on_failure(args: &Args, ui: &Ui) -> Result<OnFailure, Error> {
    let can_ask = ui.interactive;
    match args.on_failure {
        Some(OnFailure::Ask) if !can_ask => Err(Error::new(
            Code::Usage,
            "there is no terminal to ask on after a failure",
            "choose --on-failure rollback or --on-failure stop",
        )),
        Some(chosen) => Ok(chosen),
        None if can_ask && !args.yes => Ok(OnFailure::Ask),
        None => Ok(OnFailure::Rollback),
    }
}

fn how(args: &Args, on_failure: OnFailure, signed_by: Option<Signer>) -> How {
    How {
        wait: args.wait,
        lock_timeout: args.lock_timeout.unwrap_or_default(),
        on_failure,
        confirm_within: args.confirm_within,
        reasons: Reasons {
            reason: args.reason.clone(),
            ticket: args.ticket.clone(),
            approved_by: args.approved_by.clone(),
            signed_by,
        },
    }
}

async fn agree(args: &Args, plan: &Plan, interrupt: &Interrupt, ui: &Ui) -> Result<(), Error> {
    let what =
        format!("Make {} on cluster {}?", render::text::changes(plan.actions.len()), plan.target.cluster);
    let explanation = render::text::explain_actions(plan);
    consent::ask(ui, interrupt, args.yes, &what, &plan.target.cluster, &explanation).await
}

/// The plan that was saved, with who signed it where that is asked for, or one that is made now.
async fn the_plan(args: &Args, ui: &Ui, interrupt: &Interrupt) -> Result<(Plan, Option<Signer>), Error> {
    if let Some(file) = &args.plan {
        return saved_plan(args, file);
    }
    let planned = async {
        let snapshot = args.world.read(&args.world.eyes().await?, ui).await?;
        args.choices.plan(&snapshot, &args.world)
    };
    tokio::select! {
        plan = planned => Ok((plan?, None)),
        () = interrupt.wait() => Err(Error::new(
            Code::Interrupted,
            "stopped while reading",
            "nothing was changed: run the command again",
        )),
    }
}

/// What was signed is what is read: the file is opened once.
fn saved_plan(args: &Args, file: &Path) -> Result<(Plan, Option<Signer>), Error> {
    if args.choices.selects() {
        return Err(Error::new(
            Code::Usage,
            "a saved plan is applied as it is: --target, --exclude, --only, --namespace, --pod and --source choose while planning",
            "give them to `ecr-fix plan --out FILE`, or leave the plan away",
        ));
    }
    let Some(signers) = &args.require_approval else { return Ok((load(file)?, None)) };
    let text = read_text(file)?;
    let plan = Plan::read(&text, &file.display().to_string())?;
    let signer = usable::check_signature(signers, file, &text, &plan)?;
    Ok((plan, Some(signer)))
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

/// The run that uses the plan may still be at work: then it holds the lock.
fn check_unused(plan: &Plan, world: &World, state: &StateDir) -> Result<(), Error> {
    let Some(run) = state.used_by(&plan.digest)? else { return Ok(()) };
    state.lock(&carry_out::lock_name(world, plan), std::time::Duration::ZERO)?;
    Err(run::used(&run))
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

/// Waits for the confirmation where one is asked for, and says how it ended.
async fn finish(job: &Job<'_>, done: &Done) -> Result<u8, Error> {
    if let Some(deadline) = done.confirm_by {
        confirm::wait(job, &done.record, deadline).await?;
    }
    report(done, job.ui)
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
        Format::Json => render::json::document(&carry_out::document(done, ui)),
    });
    Ok(0)
}
