//! JSON documents for programs.

use serde::Serialize;

use crate::error::Error;

/// `{"error": {"code": …, "message": …, "hint": …}}`.
pub fn error(error: &Error) -> String {
    document(&serde_json::json!({
        "error": { "code": error.code.as_str(), "message": error.to_string(), "hint": error.hint() }
    }))
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
