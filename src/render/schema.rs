//! JSON Schemas (draft 2020-12) of the documents that programs read, from the types that write them.

use schemars::{JsonSchema, schema_for};
use serde::Serialize;

use super::json::document;
use crate::diagnosis::Diagnosis;
use crate::explain::Explanation;
use crate::iam::Decision;
use crate::network::Trace;
use crate::plan::Plan;
use crate::run::Record;

/// A document that only says its version beside its content.
#[derive(Serialize, JsonSchema)]
struct Versioned<T> {
    /// Programs refuse another major version.
    format_version: String,
    #[serde(flatten)]
    content: T,
}

/// Several messages, explained one by one.
#[derive(Serialize, JsonSchema)]
struct Messages {
    /// In the order of the input.
    messages: Vec<Explanation>,
}

/// What every command prints when it fails.
#[derive(Serialize, JsonSchema)]
struct Failure {
    /// The only field that is always there.
    error: FailureText,
}

/// Why a command failed.
#[derive(Serialize, JsonSchema)]
struct FailureText {
    /// Stable: for programs.
    code: String,
    /// What happened, and why.
    message: String,
    /// What to do now.
    hint: String,
}

/// Every schema, by the name of its file in `docs/schema`.
pub fn all() -> Vec<(&'static str, String)> {
    vec![
        ("diagnosis", document(&schema_for!(Diagnosis))),
        ("error", document(&schema_for!(Failure))),
        ("explanation", document(&schema_for!(Versioned<Explanation>))),
        ("explanations", document(&schema_for!(Versioned<Messages>))),
        ("plan", document(&schema_for!(Plan))),
        ("run", document(&schema_for!(Record))),
        ("simulation", document(&schema_for!(Versioned<Decision>))),
        ("trace", document(&schema_for!(Versioned<Trace>))),
    ]
}
