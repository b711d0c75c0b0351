//! `ecr-fix diagnose`: reads, and says what stops which pull.

use super::world::WorldArgs;
use crate::cli::Format;
use crate::diagnosis;
use crate::error::Error;
use crate::judges::Options;
use crate::pulls::World;
use crate::render;
use crate::ui::Ui;

/// Find out what stops image pulls; changes nothing
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    world: WorldArgs,
    /// Exit with 2 when something is broken, 11 when not everything could be decided, 20 when no change in AWS helps
    #[arg(long, env = "ECR_FIX_DETAILED_EXITCODE")]
    detailed_exitcode: bool,
}

/// Only the first statement can touch the network.
///
/// # Errors
/// The world cannot be read.
pub async fn run(args: &Args, ui: &Ui) -> Result<u8, Error> {
    let snapshot = args.world.read(&args.world.eyes().await?, ui).await?;
    let world = World::of(&snapshot, &args.world.scope())?;
    let diagnosis = diagnosis::diagnosis(&world, &diagnosis::verdicts(&world, &Options::default()));
    ui.answer(&match ui.format {
        Format::Text => render::text::diagnosis(&diagnosis, ui.paint()),
        Format::Json => render::json::document(&diagnosis),
    });
    Ok(if args.detailed_exitcode { diagnosis.exit_code() } else { 0 })
}
