//! `ecr-fix report PLAN`: a saved plan for those who decide on it.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::plan::{load, replace_file};
use super::show::under_pseudonyms;
use crate::cli::Output;
use crate::error::{Code, Error};
use crate::render::report::{Form, report};
use crate::ui::Ui;

/// Where GitHub Actions wants the summary of a step.
const STEP_SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// Print a saved plan for reviewers: as Markdown, HTML, JSON, JUnit, SARIF, or for the summary of a GitHub step
///
/// With --output markdown (the default), html, json, junit, sarif or github. Markdown fits a comment on a pull request;
/// what had to be cut is said. With github, the report is appended to $GITHUB_STEP_SUMMARY where that is set. Findings
/// never make the command fail, in any format.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// As `ecr-fix plan --out` saved it
    plan: PathBuf,
    /// Write the report to a file instead of standard output
    #[arg(long, env = "ECR_FIX_REPORT_OUT", value_name = "FILE")]
    out: Option<PathBuf>,
    /// Put pseudonyms in place of accounts, names, ids and addresses: the same in every report from this machine
    #[arg(long, env = "ECR_FIX_REDACT")]
    redact: bool,
}

/// Touches nothing but the file, and the one that the report is written to.
///
/// # Errors
/// The plan cannot be read, or the report cannot be written.
pub fn run(args: &Args, ui: &Ui) -> Result<u8, Error> {
    let plan = under_pseudonyms(load(&args.plan)?, args.redact, ui)?;
    let form = match ui.output {
        Output::Text | Output::Markdown => Form::Markdown,
        Output::Html => Form::Html,
        Output::Json | Output::JsonLines => Form::Json,
        Output::Junit => Form::Junit,
        Output::Sarif => Form::Sarif,
        Output::Github => Form::Github,
    };
    let name = args.plan.file_name().map(OsStr::to_string_lossy).unwrap_or_default();
    let text = report(&plan, form, if args.redact { "plan.json" } else { &name })?;
    let step_summary = std::env::var_os(STEP_SUMMARY).filter(|path| form == Form::Github && !path.is_empty());
    match (&args.out, step_summary) {
        (Some(file), _) => {
            replace_file(file, &text, "the report")?;
            ui.note(&format!("saved as {}", file.display()));
        }
        (None, Some(path)) => {
            append(Path::new(&path), &text)?;
            ui.note("appended to the summary of this step");
        }
        (None, None) => ui.answer(&text),
    }
    Ok(0)
}

fn append(file: &Path, text: &str) -> Result<(), Error> {
    let written = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(file)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        Error::new(
            Code::Storage,
            format!("the report cannot be appended to {}", file.display()),
            format!("look at {STEP_SUMMARY}, or name a file with --out"),
        )
        .because(error)
    })
}
