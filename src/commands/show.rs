//! `ecr-fix show PLAN`: prints a saved plan again.

use std::path::PathBuf;

use super::plan::load;
use crate::cli::Format;
use crate::error::Error;
use crate::render;
use crate::ui::Ui;

/// Print a saved plan again
#[derive(Debug, clap::Args)]
pub struct Args {
    /// As `ecr-fix plan --out` saved it
    plan: PathBuf,
}

/// Touches nothing but the file.
///
/// # Errors
/// The plan cannot be read.
pub fn run(args: &Args, ui: &Ui) -> Result<u8, Error> {
    let plan = load(&args.plan)?;
    ui.answer(&match ui.format {
        Format::Text => render::text::plan(&plan, ui.paint()),
        Format::Json => render::json::document(&plan),
    });
    Ok(0)
}
