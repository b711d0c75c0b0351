//! `ecr-fix permissions [PLAN]`: the IAM policy that a command needs.

use std::path::PathBuf;

use super::plan::load;
use crate::error::Error;
use crate::plan::{for_diagnosis, for_plan};
use crate::render;
use crate::ui::Ui;

/// Print the IAM policy for diagnosing, or for applying and rolling back exactly PLAN
#[derive(Debug, clap::Args)]
pub struct Args {
    /// As `ecr-fix plan --out` saved it
    plan: Option<PathBuf>,
}

/// The answer is a policy document in either format.
///
/// # Errors
/// The plan cannot be read.
pub fn run(args: &Args, ui: &Ui) -> Result<u8, Error> {
    let document = match &args.plan {
        Some(file) => for_plan(&load(file)?),
        None => for_diagnosis(),
    };
    ui.note("In Kubernetes it only lists: docs/kubernetes.md has the ClusterRole.");
    ui.answer(&render::json::document(&document));
    Ok(0)
}
