//! Values in, text out. Nothing here computes; everything that came from outside is escaped here.

pub mod decision;
pub mod diagnosis;
pub mod explanation;
pub mod export;
pub mod json;
pub mod redact;
pub mod report;
pub mod schema;
pub mod semantic;
pub mod terminal;
pub mod text;
pub mod totals;
pub mod trace;

use std::io::Write as _;

/// Writes to standard output. A reader that went away (`| head`) is no error.
pub fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Writes to standard error. Nobody may listen there any more, which must not end a run half-way.
pub fn complain(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
