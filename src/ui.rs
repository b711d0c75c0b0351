//! What a command may say to the person who runs it: answers to standard output, the rest to standard error.

use std::io::IsTerminal as _;

use crate::cli::{Common, Format, When};
use crate::error::Error;
use crate::render;

/// How to speak to the user of this process.
#[derive(Clone, Copy, Debug)]
pub struct Ui {
    /// The form of the answer.
    pub format: Format,
    /// Whether standard output takes colour.
    pub color: bool,
    /// Whether somebody can answer a question.
    pub interactive: bool,
    /// How much more to say.
    pub verbose: u8,
    quiet: bool,
}

impl Ui {
    /// Reads the flags, the environment, and what the process is connected to.
    pub fn new(common: &Common) -> Ui {
        let terminal = std::io::stdout().is_terminal();
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Ui {
            format: common.output,
            color: match common.color {
                When::Always => true,
                When::Never => false,
                When::Auto => terminal && !no_color && !dumb,
            },
            interactive: std::io::stdin().is_terminal() && std::io::stderr().is_terminal(),
            verbose: common.verbose,
            quiet: common.quiet,
        }
    }

    /// Part of the answer, or all of it: standard output.
    pub fn answer(&self, text: &str) {
        render::print(text);
    }

    /// Part of the answer that programs do not want: nothing with `--output json`.
    pub fn answer_text(&self, text: impl FnOnce() -> String) {
        if self.format == Format::Text {
            render::print(&text());
        }
    }

    /// Progress, a warning, a remark: standard error, and nothing with `--quiet`.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            eprintln!("{text}");
        }
    }

    /// The end of a command that failed.
    pub fn fail(&self, error: &Error) {
        match self.format {
            Format::Text => eprint!("{}", render::text::error(error)),
            Format::Json => render::print(&render::json::error(error)),
        }
    }
}
