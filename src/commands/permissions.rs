//! `ecr-fix permissions [PLAN]`: the IAM policy that a command needs.

use std::path::PathBuf;

use super::plan::load;
use crate::error::Error;
use crate::plan::{for_diagnosis, for_plan, for_records};
use crate::render;
use crate::run;
use crate::ui::Ui;

/// Print the IAM policy for diagnosing, or for applying and rolling back exactly PLAN
#[derive(Debug, clap::Args)]
pub struct Args {
    /// As `ecr-fix plan --out` saved it; with --state s3://…, its records are written, too
    plan: Option<PathBuf>,
}

/// The answer is a policy document in either format.
///
/// # Errors
/// The plan cannot be read.
pub fn run(args: &Args, ui: &Ui) -> Result<u8, Error> {
    let plan = args.plan.as_deref().map(load).transpose()?;
    let mut document = plan.as_ref().map_or_else(for_diagnosis, for_plan);
    if let Some(records) = run::address(ui.state())? {
        let partition = plan.as_ref().map_or("aws", |plan| plan.target.partition.as_str());
        let run::Address { bucket, prefix } = &records;
        document.statement.extend(for_records(bucket, prefix, partition, plan.is_some()));
    }
    ui.note("In Kubernetes it only lists: docs/kubernetes.md has the ClusterRole.");
    ui.answer(&render::json::document(&document));
    Ok(0)
}
