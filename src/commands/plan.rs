//! `ecr-fix plan`: diagnoses, then says what it would change. It changes nothing.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use super::world::{NarrowArgs, WorldArgs, duration};
use crate::cli::Format;
use crate::error::{Code, Error};
use crate::judges::{Options, PullPolicy, WayOut};
use crate::model::Snapshot;
use crate::plan::{self, Only, Owned, Plan, Selection};
use crate::render;
use crate::ui::Ui;

/// Show what would be changed so that images can be pulled; changes nothing
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    world: WorldArgs,
    #[command(flatten)]
    choices: Choices,
    /// Save the plan, for `ecr-fix apply FILE`
    #[arg(long, env = "ECR_FIX_OUT", value_name = "FILE")]
    out: Option<PathBuf>,
    /// Show every line of the documents that change, instead of their statements in words
    #[arg(long, env = "ECR_FIX_RAW")]
    raw: bool,
    /// Exit with 2 when there are changes, 11 when not everything could be decided, 20 when no change in AWS helps
    #[arg(long, env = "ECR_FIX_DETAILED_EXITCODE")]
    detailed_exitcode: bool,
}

/// How a plan shall be made.
#[derive(Clone, Debug, clap::Args)]
pub struct Choices {
    #[command(flatten)]
    narrow: NarrowArgs,
    /// Which AWS managed policy lets nodes pull
    #[arg(long, env = "ECR_FIX_PULL_POLICY", value_name = "POLICY", default_value = "pull-only")]
    pull_policy: PullPolicy,
    /// Give a role an inline policy that names the repositories that were judged, instead of a managed policy
    #[arg(long, env = "ECR_FIX_LEAST_PRIVILEGE")]
    least_privilege: bool,
    /// How a network without a way out gets one (default: by its only NAT gateway, or else by endpoints)
    #[arg(long, env = "ECR_FIX_PREFER", value_name = "WAY")]
    prefer: Option<WayOut>,
    /// A NAT gateway that routes may lead to, where there are several (repeatable)
    #[arg(long, env = "ECR_FIX_NAT", value_name = "NAT_GATEWAY", value_delimiter = ',')]
    nat: Vec<String>,
    /// Let HTTPS out to the whole internet where nothing narrower helps, and its replies in
    #[arg(long, env = "ECR_FIX_ALLOW_INTERNET_EGRESS")]
    allow_internet_egress: bool,
    /// Let roles in that the policy of a repository lets in under a condition only, which they do not meet
    #[arg(long, env = "ECR_FIX_ALLOW_PAST_CONDITIONS")]
    allow_past_conditions: bool,
    /// Give nodes that have no instance profile the one that they can be meant to have, instead of replacing the nodes
    #[arg(long, env = "ECR_FIX_ALLOW_PROFILE_ASSOCIATION")]
    allow_profile_association: bool,
    /// Plan only this action or finding, such as a2 or f1, and what it depends on (repeatable)
    #[arg(long, env = "ECR_FIX_TARGET", value_name = "ID", value_delimiter = ',')]
    target: Vec<String>,
    /// Leave this action or finding out, and what depends on it (repeatable)
    #[arg(long, env = "ECR_FIX_EXCLUDE", value_name = "ID", value_delimiter = ',')]
    exclude: Vec<String>,
    /// Plan only changes of this sort
    #[arg(long, env = "ECR_FIX_ONLY", value_name = "SORT")]
    only: Option<Only>,
    /// What to do about resources that CloudFormation, eksctl, Terraform, Karpenter or AWS owns
    #[arg(long, env = "ECR_FIX_OWNED", value_name = "WHAT", default_value = "warn")]
    owned: Owned,
    /// How long the plan may be applied, such as 30m or 24h
    #[arg(long, env = "ECR_FIX_TTL", value_name = "DURATION", default_value = "24h", value_parser = duration)]
    ttl: SignedDuration,
}

impl Choices {
    /// Plans for a world as it is now.
    ///
    /// # Errors
    /// The scope names something that is not in the world.
    pub fn plan(&self, snapshot: &Snapshot, world: &WorldArgs) -> Result<Plan, Error> {
        let request = plan::Request {
            scope: world.scope(&self.narrow),
            options: Options {
                pull_policy: self.pull_policy,
                least_privilege: self.least_privilege,
                prefer: self.prefer,
                nat: self.nat.clone(),
                allow_internet_egress: self.allow_internet_egress,
                allow_past_conditions: self.allow_past_conditions,
                allow_profile_association: self.allow_profile_association,
            },
            selection: self.selection(),
            owned: self.owned,
            now: Timestamp::now(),
            time_to_live: self.ttl,
            looks_for_others: true,
        };
        plan::build(snapshot, &request)
    }

    /// Whether it is asked for something else than everything: a plan that is made already cannot be.
    pub fn selects(&self) -> bool {
        self.selection() != Selection::default() || self.narrow.narrows()
    }

    fn selection(&self) -> Selection {
        Selection { target: self.target.clone(), exclude: self.exclude.clone(), only: self.only }
    }
}

/// Only the first statement can touch the network.
///
/// # Errors
/// The world cannot be read, or the plan cannot be saved.
pub async fn run(args: &Args, ui: &Ui) -> Result<u8, Error> {
    let snapshot = args.world.read(&args.world.eyes().await?, ui).await?;
    let plan = args.choices.plan(&snapshot, &args.world)?;
    if let Some(file) = &args.out {
        save(&plan, file)?;
    }
    ui.answer(&match ui.format {
        Format::Text if args.raw => render::text::raw_plan(&plan, ui.paint()),
        Format::Text => render::text::plan(&plan, ui.paint()),
        Format::Json => render::json::document(&plan),
    });
    if let Some(file) = &args.out {
        ui.note(&format!(
            "\nsaved: to make these changes and no others, run `ecr-fix apply {}`",
            file.display()
        ));
    }
    Ok(match plan.diagnosis.exit_code() {
        _ if !args.detailed_exitcode => 0,
        _ if !plan.actions.is_empty() => 2,
        // Broken, and nothing that a plan could change: there are no changes.
        2 => 0,
        code => code,
    })
}

fn save(plan: &Plan, file: &Path) -> Result<(), Error> {
    replace_file(file, &render::json::document(plan), "the plan")
}

/// Replaces a file as a whole, so that nobody ever reads half of it.
///
/// # Errors
/// The disk refuses.
pub(super) fn replace_file(file: &Path, text: &str, what: &str) -> Result<(), Error> {
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = tempfile::NamedTempFile::new_in(dir).and_then(|mut temporary| {
        temporary.write_all(text.as_bytes())?;
        temporary.as_file().sync_all()?;
        temporary.persist(file).map_err(|error| error.error)?;
        Ok(())
    });
    written.map_err(|error| {
        Error::new(
            Code::Storage,
            format!("{what} cannot be saved as {}", file.display()),
            "choose another --out",
        )
        .because(error)
    })
}

/// Reads a saved plan.
///
/// # Errors
/// It cannot be read, is no plan, or was changed.
pub fn load(file: &Path) -> Result<Plan, Error> {
    Plan::read(&read_text(file)?, &file.display().to_string())
}

/// The text of a saved plan.
///
/// # Errors
/// It cannot be read.
pub fn read_text(file: &Path) -> Result<String, Error> {
    const LARGEST: u64 = 256 << 20;
    let name = file.display().to_string();
    let failed = |because: String| {
        Error::new(
            Code::BadInput,
            format!("{name} cannot be read"),
            "make a plan with `ecr-fix plan --out FILE`",
        )
        .because(because)
    };
    let metadata = std::fs::metadata(file).map_err(|error| failed(error.to_string()))?;
    if !metadata.is_file() {
        return Err(failed("it is not a regular file".to_owned()));
    }
    let size = metadata.len();
    if size > LARGEST {
        return Err(failed(format!("it has {size} bytes, more than {LARGEST}")));
    }
    std::fs::read_to_string(file).map_err(|error| failed(error.to_string()))
}
