//! `ecr-fix runs list | show RUN | verify RUN | export RUN`: the records.

use serde_json::{Value, json};

use crate::cli::Format;
use crate::diagnosis::FORMAT_VERSION;
use crate::error::{Code, Error};
use crate::model::redact;
use crate::render;
use crate::render::redact::{Key, redacted_with};
use crate::run::{self, Record, StateDir, lock_name};
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
    List {
        /// Only the newest: reads no other records, which matters where they are many and shared
        #[arg(long, value_name = "NUMBER", env = "ECR_FIX_LAST")]
        last: Option<usize>,
    },
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
    /// Record, plan and journal of a run as one JSON document, such as for a ticket
    Export {
        /// The id of the run
        run: String,
        /// Without people and paths, and with pseudonyms for accounts and names
        #[arg(long, env = "ECR_FIX_REDACT")]
        redact: bool,
    },
}

/// Touches nothing but the records.
///
/// # Errors
/// There is no such run, or its record is not as it was written.
pub fn run(args: &Args, ui: &Ui) -> Result<u8, Error> {
    let state = ui.state_dir()?;
    match &args.what {
        What::List { last } => list(&state, *last, ui),
        What::Show { run } => {
            let record = seen_now(&state, Record::load(&state.run(run)?)?)?;
            ui.answer(&match ui.format {
                Format::Text => render::text::record(&record, ui.paint()),
                Format::Json => render::json::document(&record),
            });
            Ok(0)
        }
        What::Verify { run } => verify(&state, run, ui),
        What::Export { run, redact } => {
            let document = export(&state, run)?;
            let document = if *redact { under_pseudonyms(document, run, &state, ui)? } else { document };
            ui.answer(&render::json::document(&document));
            Ok(0)
        }
    }
}

/// The record of a run, which may be at work now.
fn seen_now(state: &StateDir, record: Record) -> Result<Record, Error> {
    let lock = lock_name(record.sandbox.as_deref(), &record.target);
    let at_work = !record.has_ended && state.is_locked(&lock)?;
    Ok(record.seen_now(at_work))
}

fn list(state: &StateDir, last: Option<usize>, ui: &Ui) -> Result<u8, Error> {
    let ids = state.runs()?;
    let earlier = ids.len().saturating_sub(last.unwrap_or(ids.len()));
    let asked_for = ids.get(earlier..).unwrap_or_default();
    let (mut records, mut unreadable) = (Vec::new(), Vec::new());
    for skimmed in skim_all(state, asked_for) {
        match skimmed {
            Ok(record) => records.push(record),
            Err(broken) => unreadable.push(broken),
        }
    }
    ui.answer(&match ui.format {
        Format::Text => render::text::records(&records, &unreadable, earlier),
        Format::Json => {
            let unreadable =
                unreadable.iter().map(|(run, because)| json!({ "run": run, "because": because }));
            render::json::document(&json!({
                "format_version": FORMAT_VERSION, "runs": records,
                "unreadable": unreadable.collect::<Vec<_>>(),
            }))
        }
    });
    Ok(0)
}

/// Reads many records at once, and keeps their order. Of one that cannot be read: its id, and why.
fn skim_all(state: &StateDir, ids: &[String]) -> Vec<Result<Record, (String, String)>> {
    let skim = |id: &String| {
        let record = state.run(id).and_then(|run| seen_now(state, Record::skim(&run)?));
        record.map_err(|error| (id.clone(), error.to_string()))
    };
    let share = ids.len().div_ceil(state.readers()).max(1);
    std::thread::scope(|scope| {
        let parts: Vec<_> = ids
            .chunks(share)
            .map(|ids| scope.spawn(move || ids.iter().map(skim).collect::<Vec<_>>()))
            .collect();
        let joined = parts
            .into_iter()
            .map(|part| part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        joined.flatten().collect()
    })
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

fn export(state: &StateDir, run: &str) -> Result<Value, Error> {
    let dir = state.run(run)?;
    let record = seen_now(state, Record::load(&dir)?)?;
    Ok(json!({
        "format_version": FORMAT_VERSION, "redacted": false, "record": record,
        "plan": run::read_plan(&dir)?, "journal": run::read_events(&dir)?,
    }))
}

/// The document without people, paths and secrets, and with pseudonyms for everything that has a name of its own.
fn under_pseudonyms(document: Value, run: &str, state: &StateDir, ui: &Ui) -> Result<Value, Error> {
    let plan = run::read_plan(&state.run(run)?)?;
    let key = Key::new(run::redaction_secret(ui.state())?);
    Ok(redacted_with(&plan, without_people(document), &key))
}

/// Fields that tell who somebody is, or where they keep their files.
const PRIVATE: [&str; 5] = ["approved_by", "caller", "planned_by", "principals", "sandbox"];

fn without_people(document: Value) -> Value {
    match document {
        Value::Object(fields) => {
            let clean = fields.into_iter().map(|(name, value)| {
                let value = match value {
                    Value::Null => Value::Null,
                    Value::Bool(_) if name == "redacted" => true.into(),
                    _ if PRIVATE.contains(&name.as_str()) => "REDACTED".into(),
                    other => without_people(other),
                };
                (name, value)
            });
            Value::Object(clean.collect())
        }
        Value::Array(values) => values.into_iter().map(without_people).collect(),
        Value::String(text) => Value::String(redact::redact(&text)),
        other => other,
    }
}

#[test]
fn a_redacted_document_names_nobody() {
    let document = json!({
        "redacted": false,
        "caller": "arn:aws:sts::111122223333:assumed-role/Admin/alice",
        "list": [{ "planned_by": "alice" }, 7, null],
        "approved_by": ["bob"], "sandbox": null, "digest": "sha256:1111222233334444",
        "reason": "password=correcthorse",
    });
    assert_eq!(
        without_people(document),
        json!({
            "redacted": true,
            "caller": "REDACTED",
            "list": [{ "planned_by": "REDACTED" }, 7, null],
            "approved_by": "REDACTED", "sandbox": null, "digest": "sha256:1111222233334444",
            "reason": "password=REDACTED",
        })
    );
}
