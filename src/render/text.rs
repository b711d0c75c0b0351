//! Text for a person at a terminal.

use std::fmt::Write as _;

use super::terminal::clean;
use crate::error::Error;

/// What happened, why, and what to do now.
pub fn error(error: &Error) -> String {
    let mut out = format!("error: {}\n", clean(error.what()));
    for cause in error.causes() {
        let _ = writeln!(out, "  because {}", clean(cause));
    }
    let _ = writeln!(out, "hint: {}", clean(error.hint()));
    out
}
