//! `ecr-fix show PLAN`: prints a saved plan again.

use std::path::PathBuf;

use super::plan::load;
use crate::cli::Format;
use crate::error::Error;
use crate::plan::Plan;
use crate::render;
use crate::render::redact::{Key, redacted};
use crate::run;
use crate::ui::Ui;

/// Print a saved plan again
#[derive(Debug, clap::Args)]
pub struct Args {
    /// As `ecr-fix plan --out` saved it
    plan: PathBuf,
    /// Show every line of the documents that change, instead of their statements in words
    #[arg(long, env = "ECR_FIX_RAW")]
    raw: bool,
    /// Put pseudonyms in place of accounts, names, ids and addresses: the same in every report from this machine
    #[arg(long, env = "ECR_FIX_REDACT")]
    redact: bool,
}

/// Touches nothing but the file.
///
/// # Errors
/// The plan cannot be read.
pub fn run(args: &Args, ui: &Ui) -> Result<u8, Error> {
    let plan = under_pseudonyms(load(&args.plan)?, args.redact, ui)?;
    ui.answer(&match ui.format {
        Format::Text if args.raw => render::text::raw_plan(&plan, ui.paint()),
        Format::Text => render::text::plan(&plan, ui.paint()),
        Format::Json => render::json::document(&plan),
    });
    Ok(0)
}

/// The plan, under the pseudonyms of this machine where that is asked for.
///
/// # Errors
/// There is no secret to make pseudonyms with.
pub(super) fn under_pseudonyms(plan: Plan, redact: bool, ui: &Ui) -> Result<Plan, Error> {
    if !redact {
        return Ok(plan);
    }
    let secret = run::redaction_secret(ui.state())?;
    redacted(&plan, &Key::new(secret))
}
