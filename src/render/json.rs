//! JSON documents for programs.

use serde::Serialize;
use serde_json::Value;

use crate::error::Error;
use crate::run::Progress;

/// `{"error": {"code": …, "message": …, "hint": …}}`.
pub fn error(error: &Error) -> String {
    let mut fields = error.details();
    let message = serde_json::json!({
        "code": error.code.as_str(), "message": error.to_string(), "hint": error.hint()
    });
    fields.insert("error".to_owned(), message);
    document(&fields)
}

/// One object on one line, with its `type` first.
pub fn line(kind: &str, document: Value) -> String {
    let mut fields = serde_json::Map::from_iter([("type".to_owned(), Value::from(kind))]);
    match document {
        Value::Object(of_document) => fields.extend(of_document),
        other => drop(fields.insert(kind.to_owned(), other)),
    }
    Value::Object(fields).to_string() + "\n"
}

/// What happens during a run, on one line.
pub fn progress(progress: &Progress) -> String {
    serde_json::to_string(progress).unwrap_or_default() + "\n"
}

/// A document, indented, with a line end.
pub fn document(value: &impl Serialize) -> String {
    match serde_json::to_string_pretty(value) {
        Ok(text) => text + "\n",
        Err(error) => format!(
            "{{\"error\": {{\"code\": \"bad_input\", \"message\": \"{}\"}}}}\n",
            error.to_string().escape_default()
        ),
    }
}
