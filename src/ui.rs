//! What a command may say to the person who runs it: answers to standard output, the rest to standard error.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::ProgressBar;
use jiff::SignedDuration;

use crate::aws::Calls;
use crate::cli::{Common, Format, Output, When};
use crate::error::Error;
use crate::render;
use crate::render::terminal::{Paint, clean};
use crate::run::{Progress as RunProgress, StateDir};

/// How to speak to the user of this process.
#[derive(Clone, Debug)]
pub struct Ui {
    /// The form of the answer.
    pub format: Format,
    /// Whether a program follows along: one JSON object a line.
    pub lines: bool,
    /// The form that was asked for, of which reports have more.
    pub output: Output,
    /// Whether standard output takes colour.
    pub color: bool,
    /// Whether somebody can answer a question.
    pub interactive: bool,
    /// How much more to say.
    pub verbose: u8,
    quiet: bool,
    state: Option<PathBuf>,
    lease: SignedDuration,
    answers_are_seen: bool,
}

impl Ui {
    /// Reads the flags, the environment, and what the process is connected to.
    pub fn new(common: &Common) -> Ui {
        let terminal = std::io::stdout().is_terminal();
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Ui {
            format: common.output.format(),
            lines: common.output == Output::JsonLines,
            output: common.output,
            color: match common.color {
                When::Always => true,
                When::Never => false,
                When::Auto => terminal && !no_color && !dumb,
            },
            interactive: std::io::stdin().is_terminal() && std::io::stderr().is_terminal(),
            verbose: common.verbose,
            quiet: common.quiet,
            state: common.state.clone(),
            lease: common.lease,
            answers_are_seen: terminal && common.output.format() == Format::Text,
        }
    }

    /// Colours for the answer.
    pub fn paint(&self) -> Paint {
        Paint { on: self.color }
    }

    /// Where the records of runs are kept, if that was said.
    pub fn state(&self) -> Option<&Path> {
        self.state.as_deref()
    }

    /// The place of the records.
    ///
    /// # Errors
    /// It cannot be used.
    pub fn state_dir(&self) -> Result<StateDir, Error> {
        StateDir::locate(self.state(), self.lease.unsigned_abs())
    }

    /// The same, with records kept elsewhere.
    #[must_use]
    pub fn with_state(&self, dir: PathBuf) -> Ui {
        Ui { state: Some(dir), ..self.clone() }
    }

    /// Part of the answer, or all of it: standard output. For a program that follows along, a document is the summary.
    pub fn answer(&self, text: &str) {
        match serde_json::from_str(text) {
            Ok(document) if self.lines => self.line("summary", document),
            _ => render::print(text),
        }
    }

    /// For a program that follows along: one object on a line of its own. For everybody else nothing.
    pub fn line(&self, kind: &str, document: serde_json::Value) {
        if self.lines {
            render::print(&render::json::line(kind, document));
        }
    }

    /// What happens during a run: for a program, or for a person.
    pub fn progress(&self, progress: &RunProgress) {
        if self.lines {
            render::print(&render::json::progress(progress));
        } else {
            self.note(&progress.text());
        }
    }

    /// What a question is about: part of an answer in text, and on the terminal of whoever is asked even where
    /// answers go elsewhere. Nobody agrees to what they cannot see.
    pub fn show(&self, text: &str, will_ask: bool) {
        if self.format == Format::Text {
            self.answer(text);
        }
        if will_ask && self.interactive && !self.answers_are_seen {
            render::complain(text);
        }
    }

    /// What must be seen by whoever runs the program, even with `--quiet`.
    pub fn warn(&self, text: &str) {
        render::complain(&format!("warning: {}\n", clean(text)));
    }

    /// Progress, a warning, a remark: standard error, and nothing with `--quiet`.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            render::complain(&(text.lines().map(clean).collect::<Vec<_>>().join("\n") + "\n"));
        }
    }

    /// The end of a command that failed.
    pub fn fail(&self, error: &Error) {
        match self.format {
            Format::Text => render::complain(&render::text::error(error)),
            Format::Json => self.answer(&render::json::error(error)),
        }
    }
}

/// A moving line on the terminal that counts requests while AWS is read.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    counting: Option<tokio::task::JoinHandle<()>>,
}

impl Progress {
    /// Only where standard error is a terminal, and not with `--quiet`.
    pub fn start(ui: &Ui, calls: &Calls) -> Progress {
        if ui.quiet || !std::io::stderr().is_terminal() {
            return Progress { bar: None, counting: None };
        }
        let bar = ProgressBar::new_spinner();
        let (line, calls) = (bar.clone(), calls.clone());
        let counting = tokio::spawn(async move {
            loop {
                line.set_message(format!("{} requests", calls.count()));
                line.tick();
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        Progress { bar: Some(bar), counting: Some(counting) }
    }

    /// Takes the line away.
    pub fn end(self) {
        if let Some(counting) = self.counting {
            counting.abort();
        }
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
