//! `ecr-fix runs list | show RUN | verify RUN`: the records.

use serde_json::json;

use crate::cli::Format;
use crate::diagnosis::FORMAT_VERSION;
use crate::error::{Code, Error};
use crate::render;
use crate::run::{Lock, Record, StateDir, lock_name};
use crate::ui::Ui;

/// Look at the records of earlier runs
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Every run, oldest first
    List,
    /// What became of each action of a run
    Show {
        /// The id of the run
        run: String,
    },
    /// Whether the journal of a run is as it was written
    Verify {
        /// The id of the run
        run: String,
    },
}

/// Touches nothing but the records.
///
/// # Errors
/// There is no such run, or its record is not as it was written.
pub fn run(args: &Args, ui: &Ui) -> Result<u8, Error> {
    let state = StateDir::locate(ui.state())?;
    match &args.what {
        What::List => list(&state, ui),
        What::Show { run } => {
            let record = look(&state, run)?;
            ui.answer(&match ui.format {
                Format::Text => render::text::record(&record, ui.paint()),
                Format::Json => render::json::document(&record),
            });
            Ok(0)
        }
        What::Verify { run } => verify(&state, run, ui),
    }
}

/// The record of a run, which may be at work now.
fn look(state: &StateDir, run: &str) -> Result<Record, Error> {
    let record = Record::load(&state.run(run)?)?;
    let lock = lock_name(record.sandbox.as_deref(), &record.target);
    let at_work = !record.has_ended && Lock::is_held(&state.lock_path(&lock));
    Ok(record.seen_now(at_work))
}

fn list(state: &StateDir, ui: &Ui) -> Result<u8, Error> {
    let mut records = Vec::new();
    for id in state.runs()? {
        match look(state, &id) {
            Ok(record) => records.push(record),
            Err(error) => ui.note(&format!("run {id} cannot be read: {error}")),
        }
    }
    ui.answer(&match ui.format {
        Format::Text => render::text::records(&records),
        Format::Json => render::json::document(&json!({ "format_version": FORMAT_VERSION, "runs": records })),
    });
    Ok(0)
}

fn verify(state: &StateDir, run: &str, ui: &Ui) -> Result<u8, Error> {
    let record = Record::load(&state.run(run)?)?;
    if record.chain != "intact" {
        return Err(Error::new(
            Code::BadInput,
            format!("the journal of run {run} is not as it was written"),
            "do not trust it; compare the world with plan.json beside the journal",
        )
        .because(&record.chain)
        .with("chain", &record.chain));
    }
    ui.answer(&match ui.format {
        Format::Text => format!("The journal of run {run} is intact.\n"),
        Format::Json => render::json::document(
            &json!({ "format_version": FORMAT_VERSION, "run": run, "chain": record.chain }),
        ),
    });
    Ok(0)
}
