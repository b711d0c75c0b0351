//! `ecr-fix diagnose`: reads, and says what stops which pull; once, or until nothing does.

use std::time::{Duration, Instant};

use jiff::SignedDuration;

use super::world::{Eyes, NarrowArgs, WorldArgs, duration};
use crate::cli::Format;
use crate::diagnosis::{self, Diagnosis, Health};
use crate::error::{Code, Error};
use crate::judges::Options;
use crate::pulls::World;
use crate::render;
use crate::run::Interrupt;
use crate::ui::Ui;

/// How long to wait before the second look; each wait is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// A kubelet tries again after five minutes at the latest: looking less often than this would keep people waiting.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Find out what stops image pulls; changes nothing
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    world: WorldArgs,
    #[command(flatten)]
    narrow: NarrowArgs,
    /// Look again until everything is healthy, for this long at most, such as 10m; one answer, at the end
    #[arg(long, env = "ECR_FIX_WAIT_HEALTHY", value_name = "DURATION", value_parser = duration)]
    wait: Option<SignedDuration>,
    /// Exit with 2 when something is broken, 11 when not everything could be decided, 20 when no change in AWS helps
    #[arg(long, env = "ECR_FIX_DETAILED_EXITCODE")]
    detailed_exitcode: bool,
}

/// Looks, or looks until all is well, and answers once.
///
/// # Errors
/// The world cannot be read, or somebody interrupts.
pub async fn run(args: &Args, ui: &Ui) -> Result<u8, Error> {
    let eyes = args.world.eyes().await?;
    let diagnosis = match args.wait.and_then(|wait| Duration::try_from(wait).ok()) {
        Some(wait) => look_until_healthy(args, &eyes, wait, ui).await?,
        None => look(args, &eyes, ui).await?,
    };
    ui.answer(&match ui.format {
        Format::Text => render::text::diagnosis(&diagnosis, ui.paint()),
        Format::Json => render::json::document(&diagnosis),
    });
    Ok(if args.detailed_exitcode { diagnosis.exit_code() } else { 0 })
}

/// Only the first statement can touch the network.
async fn look(args: &Args, eyes: &Eyes, ui: &Ui) -> Result<Diagnosis, Error> {
    let snapshot = args.world.read(eyes, ui).await?;
    let world = World::of(&snapshot, &args.world.scope(&args.narrow))?;
    Ok(diagnosis::diagnosis(&world, &diagnosis::verdicts(&world, &Options::default())))
}

/// The first look has to succeed: what is wrong with the command does not pass. A later one may fail for a while; but
/// what was seen before it is no answer to how things are at the end.
async fn look_until_healthy(args: &Args, eyes: &Eyes, wait: Duration, ui: &Ui) -> Result<Diagnosis, Error> {
    let interrupt = Interrupt::listen();
    let started = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut seen = Ok(look(args, eyes, ui).await?);
    loop {
        let left = wait.saturating_sub(started.elapsed());
        let is_healthy = matches!(&seen, Ok(found) if found.summary.verdict == Health::Healthy);
        if is_healthy || left.is_zero() {
            return seen;
        }
        let next = pause.min(left);
        ui.note(&format!("{}; looking again in {}, for {} more", state(&seen), seconds(next), seconds(left)));
        tokio::select! {
            () = tokio::time::sleep(next) => {}
            () = interrupt.wait() => return Err(interrupted(&seen)),
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
        seen = look(args, eyes, ui).await;
        if let Err(error) = &seen
            && matches!(error.code, Code::Interrupted | Code::Usage)
        {
            return seen;
        }
    }
}

/// How things are, in one line.
fn state(seen: &Result<Diagnosis, Error>) -> String {
    match seen {
        Ok(found) => {
            let summary = &found.summary;
            let causes: std::collections::BTreeSet<&str> =
                found.findings.iter().map(|finding| finding.cause.as_str()).collect();
            let causes: Vec<&str> = causes.into_iter().collect();
            let by = if causes.is_empty() { String::new() } else { format!(" ({})", causes.join(", ")) };
            format!(
                "{}: of {} pulls {} are blocked{by}, {} not decided",
                summary.verdict.as_str(),
                summary.pull_paths,
                summary.blocked,
                summary.unknown
            )
        }
        Err(error) => format!("could not look: {error}"),
    }
}

fn interrupted(seen: &Result<Diagnosis, Error>) -> Error {
    let hint = "nothing was changed: run `ecr-fix diagnose` to see how it is now";
    Error::new(Code::Interrupted, "interrupted before everything was healthy", hint)
        .because(format!("at the last look: {}", state(seen)))
}

/// Such as `30s` or `9m 30s`; what is left of a second counts as one.
fn seconds(duration: Duration) -> String {
    let whole = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    match (whole / 60, whole % 60) {
        (0, seconds) => format!("{seconds}s"),
        (minutes, 0) => format!("{minutes}m"),
        (minutes, seconds) => format!("{minutes}m {seconds}s"),
    }
}

#[test]
fn times_are_said_in_minutes_and_seconds() {
    let said = [0, 400, 1_000, 60_000, 569_001].map(|millis| seconds(Duration::from_millis(millis)));
    assert_eq!(said, ["0s", "1s", "1s", "1m", "9m 30s"]);
}
