//! `ecr-fix explain`: what an error message means, and the manual of every cause.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, BufReader, BufWriter, IsTerminal as _, Write};

use serde::Serialize;

use crate::checks::{self, Cause, Leg, Remedy, Severity};
use crate::cli::Format;
use crate::error::{Code, Error};
use crate::explain::{Explanation, Known, explain, input};
use crate::model::ecr_host::{is_account, is_region_like};
use crate::render::{self, explanation};
use crate::ui::Ui;

const FORMAT_VERSION: &str = "1.0";

/// Say what a kubelet or runtime error message means, or print the manual of a cause
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The message, the id of a cause, or - to read messages from standard input
    #[arg(value_name = "MESSAGE", conflicts_with = "list")]
    message: Vec<String>,
    /// List every cause, by the leg of a pull that it breaks
    #[arg(long)]
    list: bool,
    /// The account of the cluster: tells pulls across accounts
    #[arg(long, env = "ECR_FIX_CLUSTER_ACCOUNT", value_name = "ACCOUNT", value_parser = account)]
    cluster_account: Option<String>,
    /// The region of the cluster: tells pulls across regions
    #[arg(long, env = "ECR_FIX_CLUSTER_REGION", value_name = "REGION", value_parser = region)]
    cluster_region: Option<String>,
}

/// Answers without any network.
///
/// # Errors
/// No such cause, nothing to explain, or standard input cannot be read.
pub fn run(args: &Args, ui: &Ui) -> Result<u8, Error> {
    let known = Known { account: args.cluster_account.clone(), region: args.cluster_region.clone() };
    if args.list {
        list(ui);
        return Ok(0);
    }
    let message = args.message.join(" ");
    match message.trim() {
        "-" => stream(&known, ui),
        "" if args.message.is_empty() && !io::stdin().is_terminal() => stream(&known, ui),
        "" => Err(Error::new(
            Code::Usage,
            "there is nothing to explain",
            "give a message in quotes, the id of a cause, or - and pipe messages in; `ecr-fix explain --list` lists the causes",
        )),
        id if looks_like_id(id) => manual(id, ui),
        message => {
            one(&explain(message, &known), ui);
            Ok(0)
        }
    }
}

#[derive(Serialize)]
struct OneDocument<'a> {
    format_version: &'static str,
    #[serde(flatten)]
    explanation: &'a Explanation,
}

fn one(found: &Explanation, ui: &Ui) {
    ui.answer(&match ui.format {
        Format::Text => explanation::one(found, ui.paint()),
        Format::Json => {
            render::json::document(&OneDocument { format_version: FORMAT_VERSION, explanation: found })
        }
    });
}

/// Prints while it reads. A reader that went away ends it in silence.
fn stream(known: &Known, ui: &Ui) -> Result<u8, Error> {
    let mut out = BufWriter::new(io::stdout().lock());
    let outcome = match ui.format {
        Format::Text => stream_text(known, ui, &mut out),
        Format::Json => stream_json(known, &mut out),
    };
    let outcome = outcome.and_then(|failed| out.flush().map(|()| failed));
    match outcome {
        Ok(None) => Ok(0),
        Ok(Some(error)) => {
            ui.note(&render::text::error(&error));
            Ok(error.code.exit())
        }
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        Err(error) => {
            Err(Error::new(Code::Storage, "the answer cannot be written", "write it elsewhere")
                .because(error))
        }
    }
}

/// What was explained lately: logs repeat themselves. It is emptied when full, so memory stays bounded.
struct Recent<'a> {
    known: &'a Known,
    explained: HashMap<String, Explanation>,
}

impl Recent<'_> {
    const MOST: usize = 512;
    const LONGEST: usize = 4_096;

    fn explain(&mut self, message: &str) -> Cow<'_, Explanation> {
        if message.len() > Self::LONGEST {
            return Cow::Owned(explain(message, self.known));
        }
        if self.explained.len() >= Self::MOST && !self.explained.contains_key(message) {
            self.explained.clear();
        }
        let known = self.known;
        Cow::Borrowed(self.explained.entry(message.to_owned()).or_insert_with(|| explain(message, known)))
    }
}

fn stream_text(known: &Known, ui: &Ui, out: &mut impl Write) -> io::Result<Option<Error>> {
    let mut recent = Recent { known, explained: HashMap::new() };
    let mut number = 0;
    let read = read_messages(|message| {
        number += 1;
        let found = recent.explain(message);
        out.write_all(explanation::one_of_many(number, &found, ui.paint()).as_bytes())
    })?;
    if number == 0 && read.is_none() {
        ui.note("no message was found in the input");
    }
    Ok(read)
}

/// One document, written item by item: its size must not matter.
fn stream_json(known: &Known, out: &mut impl Write) -> io::Result<Option<Error>> {
    write!(out, "{{\n  \"format_version\": \"{FORMAT_VERSION}\",\n  \"messages\": [")?;
    let mut recent = Recent { known, explained: HashMap::new() };
    let mut comma = "";
    let read = read_messages(|message| {
        write!(out, "{comma}\n    ")?;
        comma = ",";
        serde_json::to_writer(&mut *out, recent.explain(message).as_ref()).map_err(io::Error::from)
    })?;
    write!(out, "\n  ]")?;
    if let Some(error) = &read {
        let error = serde_json::json!({
            "code": error.code.as_str(), "message": error.to_string(), "hint": error.hint()
        });
        write!(out, ",\n  \"error\": {error}")?;
    }
    out.write_all(b"\n}\n")?;
    Ok(read)
}

/// Reads standard input to its end. Errors of reading are part of the answer; those of writing end it.
fn read_messages(mut write: impl FnMut(&str) -> io::Result<()>) -> io::Result<Option<Error>> {
    let mut unwritten = None;
    let read = input::each_message(BufReader::with_capacity(1 << 16, io::stdin().lock()), |message| {
        write(message).inspect_err(|error| unwritten = Some(error.kind()))
    });
    match (read, unwritten) {
        (Ok(()), _) => Ok(None),
        (Err(error), Some(_)) => Err(error),
        (Err(error), None) => Ok(Some(
            Error::new(
                Code::BadInput,
                "standard input cannot be read to its end",
                "pipe in lines of text, `kubectl describe pod`, or `kubectl get events -o json`",
            )
            .because(error),
        )),
    }
}

/// A cause in JSON.
#[derive(Serialize)]
struct CauseDocument {
    id: &'static str,
    leg: Option<Leg>,
    severity: Severity,
    remedy: Remedy,
    summary: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    manual: Option<String>,
}

impl CauseDocument {
    fn new(cause: &Cause) -> CauseDocument {
        let Cause { id, leg, severity, remedy, .. } = *cause;
        CauseDocument { id, leg, severity, remedy, summary: cause.summary(), manual: None }
    }
}

#[derive(Serialize)]
struct ManualDocument {
    format_version: &'static str,
    #[serde(flatten)]
    cause: CauseDocument,
}

fn manual(id: &str, ui: &Ui) -> Result<u8, Error> {
    let cause = Cause::find(id).ok_or_else(|| {
        let near = nearest(id);
        Error::new(
            Code::NotFound,
            format!("there is no cause {id}"),
            format!("did you mean {near}? `ecr-fix explain --list` lists them all"),
        )
    })?;
    ui.answer(&match ui.format {
        Format::Text => explanation::manual(cause, ui.paint()),
        Format::Json => render::json::document(&ManualDocument {
            format_version: FORMAT_VERSION,
            cause: CauseDocument { manual: Some(cause.manual()), ..CauseDocument::new(cause) },
        }),
    });
    Ok(0)
}

#[derive(Serialize)]
struct ListDocument {
    format_version: &'static str,
    causes: Vec<CauseDocument>,
}

fn list(ui: &Ui) {
    ui.answer(&match ui.format {
        Format::Text => explanation::list(checks::ALL, ui.paint()),
        Format::Json => render::json::document(&ListDocument {
            format_version: FORMAT_VERSION,
            causes: checks::ALL.iter().map(|cause| CauseDocument::new(cause)).collect(),
        }),
    });
}

/// One word in kebab case: no message looks like that.
fn looks_like_id(text: &str) -> bool {
    Cause::find(text).is_some()
        || (text.contains('-')
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'))
}

/// The id that shares most words with what was asked for.
fn nearest(asked: &str) -> &'static str {
    let shared = |id: &str| asked.split('-').filter(|word| id.split('-').any(|other| other == *word)).count();
    checks::ALL.iter().map(|cause| cause.id).rev().max_by_key(|id| shared(id)).unwrap_or_default()
}

fn account(text: &str) -> Result<String, String> {
    if is_account(text) { Ok(text.to_owned()) } else { Err("an account has twelve digits".to_owned()) }
}

fn region(text: &str) -> Result<String, String> {
    if is_region_like(text) { Ok(text.to_owned()) } else { Err("a region looks like eu-west-1".to_owned()) }
}
