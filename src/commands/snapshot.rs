//! `ecr-fix snapshot`: keeps what a diagnosis reads as files, or prints the script that does so without ecr-fix.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;

use super::world::WorldArgs;
use crate::cli::Format;
use crate::diagnosis::FORMAT_VERSION;
use crate::error::{Code, Error};
use crate::model::Unread;
use crate::render;
use crate::snapshot_dir;
use crate::ui::Ui;

/// The script, for whoever may not run ecr-fix where the credentials are.
const SCRIPT: &str = include_str!("snapshot.sh");

/// Save everything that a diagnosis reads as JSON files; changes nothing
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    world: WorldArgs,
    /// A directory that is empty or does not exist yet
    #[arg(long, env = "ECR_FIX_SNAPSHOT_OUT", value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Print a shell script that saves the same with only `aws` and `kubectl`
    Script,
}

#[derive(Serialize)]
struct Saved<'a> {
    format_version: &'static str,
    directory: String,
    files: usize,
    unread: &'a [Unread],
}

/// Reads all before it writes anything.
///
/// # Errors
/// The world cannot be read, or the directory cannot be written.
pub async fn run(args: &Args, ui: &Ui) -> Result<u8, Error> {
    if let Some(Verb::Script) = args.verb {
        ui.answer(SCRIPT);
        return Ok(0);
    }
    let usage = |what: &str, hint: &str| Error::new(Code::Usage, what, hint);
    let Some(dir) = &args.out else {
        return Err(usage("no directory is named", "name one with --out DIR"));
    };
    if args.world.snapshot.is_some() {
        return Err(usage("a snapshot is not read from a snapshot", "copy the directory instead"));
    }
    let mut snapshot = args.world.for_trace().read(&args.world.eyes().await?, ui).await?;
    snapshot.about.taken_at = Some(Timestamp::now().to_string());
    let files = snapshot_dir::write(dir, &snapshot)?;
    let (directory, unread) = (dir.display().to_string(), snapshot.unread.as_slice());
    ui.answer(&match ui.format {
        Format::Text => format!("saved {files} files in {}\n", render::terminal::clean(&directory)),
        Format::Json => {
            let directory = directory.clone();
            render::json::document(&Saved { format_version: FORMAT_VERSION, directory, files, unread })
        }
    });
    for row in unread {
        ui.note(&format!("not read: {} {}: {}", row.source, row.resource, row.because));
    }
    ui.note(&format!("\ndiagnose it anywhere: ecr-fix diagnose --snapshot {directory}"));
    Ok(0)
}

#[test]
fn the_script_makes_every_call_of_a_diagnosis() {
    for policy in crate::actions::attachment::ATTACHABLE {
        assert!(SCRIPT.contains(policy), "{policy}");
    }
    // The first is only for a hint, and the next two are made without being named.
    let unnamed = ["eks:ListClusters", "eks:DescribeCluster", "sts:GetCallerIdentity"];
    for statement in crate::plan::for_diagnosis().statement {
        for call in statement.action.iter().filter(|call| !unnamed.contains(&call.as_str())) {
            let operation = call.split(':').next_back().unwrap();
            assert!(SCRIPT.contains(operation), "{call}");
        }
    }
}
