//! JSON documents for programs.

use serde::Serialize;

use crate::error::Error;

/// `{"error": {"code": …, "message": …, "hint": …}}`.
pub fn error(error: &Error) -> String {
    let mut fields = error.details();
    let message = serde_json::json!({
        "code": error.code.as_str(), "message": error.to_string(), "hint": error.hint()
    });
    fields.insert("error".to_owned(), message);
    document(&fields)
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
