//! `ecr-fix confirm RUN`: a run that was made with `--confirm-within` stays.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::carry_out::{self, undo, with_state};
use super::rollback;
use crate::cli::Format;
use crate::error::{Code, Error};
use crate::render;
use crate::run::{self, Event, Journal, Progress, Record, with_heartbeat};
use crate::ui::Ui;

/// Keep a run that was made with --confirm-within
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The id of the run
    run: String,
    /// How long to wait for the run to end (default: not at all)
    #[arg(long, env = "ECR_FIX_LOCK_TIMEOUT", value_name = "DURATION", value_parser = super::world::duration)]
    lock_timeout: Option<SignedDuration>,
}

/// Touches nothing but the record.
///
/// # Errors
/// There is no such run, or nothing to confirm.
pub fn run(args: &Args, ui: &Ui) -> Result<u8, Error> {
    let state = ui.state_dir()?;
    let dir = state.run(&args.run)?;
    let record = Record::load(&dir)?;
    let target = run::lock_name(record.sandbox.as_deref(), &record.target);
    let _lock = state.lock(&target, args.lock_timeout.unwrap_or_default().unsigned_abs())?;
    // Somebody may have been faster.
    let record = Record::load(&dir)?;
    rollback::check_intact(&record, &dir)?;
    let refused = |what: String, hint: &str| Err(Error::new(Code::BadInput, what, hint));
    match &record.confirmation {
        None => return refused(format!("run {} waits for no confirmation", record.run), "it stays anyway"),
        Some(confirmation) if confirmation.is_given => {}
        Some(_) if !record.has_something_left() => {
            return refused(
                format!("nothing is left of run {}", record.run),
                "make a new plan, and apply that",
            );
        }
        Some(_) => {
            let now = Timestamp::now();
            Journal::open(&dir, now)?.record(now, Event::Confirmed)?;
        }
    }
    let record = Record::load(&dir)?;
    ui.answer(&match ui.format {
        Format::Text => format!("Run {} stays. To undo: {}\n", record.run, undo(&record.run, ui)),
        Format::Json => render::json::document(&record),
    });
    Ok(0)
}

/// Waits until a run is confirmed, or takes it back when nobody did in time. The time is that of a clock that nobody
/// can set; the record names the time of day, for `rollback --expired` on another machine.
///
/// # Errors
/// Nobody confirmed it, or somebody took it back.
pub async fn wait(job: &carry_out::Job<'_>, record: &Record, deadline: Instant) -> Result<(), Error> {
    let ui = job.ui;
    let command = with_state(&format!("ecr-fix confirm {}", record.run), ui);
    let until = record.confirmation.as_ref().and_then(|confirmation| confirmation.until.clone());
    ui.note(&format!("to keep this, run `{command}` until {}", until.as_deref().unwrap_or_default()));
    ui.line("confirmation_awaited", json!({ "run": record.run, "until": until, "command": command }));
    let tell = |progress: &Progress| ui.progress(progress);
    let waiting =
        with_heartbeat(&tell, None, "waiting for the confirmation", until_known(job, record, deadline));
    if waiting.await? {
        return Ok(());
    }
    ui.note("nobody confirmed it in time");
    let dir = job.state.run(&record.run)?;
    let back = rollback::Job {
        dir: &dir,
        plan: job.plan,
        world: job.world,
        caller: job.caller.clone(),
        state: job.state,
        wait: job.how.wait,
        // A confirmation that comes in this moment holds the lock for a moment.
        lock_timeout: SignedDuration::from_secs(5).max(job.how.lock_timeout),
        unless_confirmed: true,
        interrupt: job.interrupt,
        ui,
    };
    let record = rollback::carry_out(&back).await.map_err(|error| match error.code {
        Code::Aws => carry_out::unrecorded(error, &dir, ui),
        _ => error,
    })?;
    if record.has_something_left() {
        return Ok(());
    }
    let what = "nobody confirmed the run in time, and it was taken back";
    let hint = "make a new plan, apply it, and confirm it sooner";
    Err(carry_out::with_outcome(Error::new(Code::RolledBack, what, hint), &dir))
}

/// Whether somebody confirmed before the time was over.
async fn until_known(job: &carry_out::Job<'_>, record: &Record, deadline: Instant) -> Result<bool, Error> {
    let dir = job.state.run(&record.run)?;
    loop {
        match Record::load(&dir) {
            Ok(now) if now.confirmation.as_ref().is_some_and(|confirmation| confirmation.is_given) => {
                return Ok(true);
            }
            Ok(now) if !now.has_something_left() => {
                let what = format!("somebody took run {} back while it waited for its confirmation", now.run);
                let error = Error::new(Code::RolledBack, what, "make a new plan, and apply that");
                return Err(carry_out::with_outcome(error, &dir));
            }
            Ok(_) => {}
            // Shared records may be out of reach for a while.
            Err(error) if error.code == Code::Aws => job.ui.note(&error.to_string()),
            Err(error) => return Err(error),
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        tokio::select! {
            () = sleep(left.min(job.state.pause())) => {}
            () = job.interrupt.wait() => {
                let what = format!("stopped; run {} is applied and not confirmed", record.run);
                let confirm = with_state(&format!("ecr-fix confirm {}", record.run), job.ui);
                let expired = with_state("ecr-fix rollback --expired", job.ui);
                let hint = format!("keep it with `{confirm}`, or let `{expired}` take it back");
                return Err(carry_out::with_outcome(Error::new(Code::Interrupted, what, hint), &dir));
            }
        }
    }
}
