//! `ecr-fix export PLAN`: the same changes for the code of whoever owns the resources.

use std::path::PathBuf;

use super::plan::{load, replace_file};
use super::show::under_pseudonyms;
use crate::cli::Format;
use crate::error::Error;
use crate::render;
use crate::render::export::{Language, export};
use crate::ui::Ui;

/// Print the changes of a saved plan as code: for Terraform, CloudFormation or the AWS CLI
///
/// What a language cannot express is a comment that says so. Read it before you run it: unlike `ecr-fix apply`, the code
/// does not look again, keeps no record and does not roll back.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// As `ecr-fix plan --out` saved it
    plan: PathBuf,
    /// The language of the code
    #[arg(long = "as", env = "ECR_FIX_AS", value_name = "LANGUAGE")]
    language: Language,
    /// Write the code to a file instead of standard output
    #[arg(long, env = "ECR_FIX_EXPORT_OUT", value_name = "FILE")]
    out: Option<PathBuf>,
    /// Put pseudonyms in place of accounts, names, ids and addresses
    #[arg(long, env = "ECR_FIX_REDACT")]
    redact: bool,
}

/// Touches nothing but the file, and the one that the code is written to.
///
/// # Errors
/// The plan cannot be read, or the code cannot be written.
pub fn run(args: &Args, ui: &Ui) -> Result<u8, Error> {
    let plan = under_pseudonyms(load(&args.plan)?, args.redact, ui)?;
    let code = export(&plan, args.language);
    match &args.out {
        Some(file) => {
            replace_file(file, &code, "the code")?;
            ui.note(&format!("saved as {}", file.display()));
        }
        None if ui.format == Format::Json => {
            ui.answer(&render::json::document(&serde_json::json!({
                "format_version": crate::diagnosis::FORMAT_VERSION,
                "language": args.language.as_str(),
                "code": code,
            })));
        }
        None => ui.answer(&code),
    }
    Ok(0)
}
