//! The command line: which commands there are, what they have in common, how they end.

mod project_file;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use jiff::SignedDuration;
use serde_json::json;

use project_file::ProjectFile;

use crate::commands;
use crate::diagnosis::FORMAT_VERSION;
use crate::error::{Code, Error};
use crate::render;
use crate::ui::Ui;

/// Finds what stops pods on Amazon EKS from pulling images from Amazon ECR, and fixes it.
#[derive(Debug, Parser)]
#[command(name = "ecr-fix", version, propagate_version = true, disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// Flags of every command.
#[derive(Debug, clap::Args)]
pub struct Common {
    /// How to print the answer
    #[arg(short, long, global = true, env = "ECR_FIX_OUTPUT", default_value = "text")]
    pub output: Output,
    /// When to use colour (NO_COLOR is honoured)
    #[arg(long, global = true, env = "ECR_FIX_COLOR", default_value = "auto", value_name = "WHEN")]
    pub color: When,
    /// Print nothing but the answer and errors
    #[arg(short, long, global = true, env = "ECR_FIX_QUIET")]
    pub quiet: bool,
    /// Say more (-vv: still more)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Where the records of runs are kept: a directory, or s3://BUCKET/PREFIX to share them
    #[arg(long, global = true, env = "ECR_FIX_STATE", value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// With --state s3://…: how long the lock of a run outlives it where it is cut off
    #[arg(
        long,
        global = true,
        env = "ECR_FIX_LEASE",
        value_name = "DURATION",
        default_value = "1m",
        value_parser = commands::world::lease
    )]
    pub lease: SignedDuration,
    /// Defaults for the flags that say what to read (default: ecr-fix.toml in the working directory, if it is there)
    #[arg(long, global = true, env = "ECR_FIX_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// What can be asked for as the form of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    Text,
    /// For programs: exactly one JSON document
    Json,
    /// For programs that follow apply and rollback: one JSON object a line, as things happen
    JsonLines,
    /// Of a report: for a comment on a pull request
    #[value(hide = true)]
    Markdown,
    /// Of a report: one page that needs nothing else
    #[value(hide = true)]
    Html,
    /// Of a report: JUnit
    #[value(hide = true)]
    Junit,
    /// Of a report: SARIF 2.1.0
    #[value(hide = true)]
    Sarif,
    /// Of a report: for the summary of a step of GitHub Actions
    #[value(hide = true)]
    Github,
}

impl Output {
    /// How a command speaks that is not about a report; errors of reports are text too.
    pub fn format(self) -> Format {
        match self {
            Output::Json | Output::JsonLines => Format::Json,
            Output::Text
            | Output::Markdown
            | Output::Html
            | Output::Junit
            | Output::Sarif
            | Output::Github => Format::Text,
        }
    }
}

/// The form of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal
    Auto,
    /// Even into a pipe
    Always,
    /// Not at all
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    Diagnose(commands::diagnose::Args),
    Plan(commands::plan::Args),
    Show(commands::show::Args),
    Apply(Box<commands::apply::Args>),
    Rollback(Box<commands::rollback::Args>),
    Confirm(commands::confirm::Args),
    Runs(commands::runs::Args),
    Snapshot(Box<commands::snapshot::Args>),
    Permissions(commands::permissions::Args),
    Report(commands::report::Args),
    Export(commands::export::Args),
    Simulate(Box<commands::simulate::Args>),
    Explain(commands::explain::Args),
    Demo(commands::demo::Args),
    Trace(Box<commands::trace::TraceArgs>),
}

/// The command reference, in Markdown: the help of every command. `docs/cli.md` is this text.
pub fn reference() -> String {
    let mut out = "# Commands\n\nGenerated from the program; a test compares the two.\n".to_owned();
    let mut root = Cli::command().term_width(100);
    root.build();
    let mut waiting = vec![root];
    while let Some(mut command) = waiting.pop() {
        let help = command.render_long_help().to_string();
        let help: String = help.lines().map(|line| format!("{}\n", line.trim_end())).collect();
        out += &format!("\n## {}\n\n```text\n{help}```\n", command.get_bin_name().unwrap_or("ecr-fix"));
        let children: Vec<_> = command.get_subcommands().cloned().collect();
        waiting.extend(children.into_iter().rev().map(|child| child.term_width(100)));
    }
    out
}

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    match Cli::try_parse_from(&arguments) {
        Ok(cli) => {
            let ui = Ui::new(&cli.common);
            let code = match with_project_file(cli, &arguments, &ui).and_then(|cli| run(&cli, &ui)) {
                Ok(code) => code,
                Err(error) => {
                    ui.fail(&error);
                    error.code.exit()
                }
            };
            ExitCode::from(code)
        }
        Err(usage) => refuse(&usage, &arguments),
    }
}

/// The same command, with what the project file says where neither a flag nor the environment does.
fn with_project_file(cli: Cli, arguments: &[OsString], ui: &Ui) -> Result<Cli, Error> {
    if !cli.command.reads_the_world() {
        return Ok(cli);
    }
    let Some(file) = ProjectFile::find(cli.common.config.as_deref())? else { return Ok(cli) };
    let command = file.as_defaults_of(Cli::command(), cli.command.has_a_plan());
    let again = command.try_get_matches_from(arguments);
    let again = again.and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches)));
    // Each value was tried out with its flag, and the command line was read before.
    let (cli, matches) = again.map_err(|error| {
        Error::new(Code::Usage, "the project file does not fit the command", "name another with --config")
            .because(error)
    })?;
    file.note(&matches).iter().for_each(|note| ui.note(note));
    Ok(cli)
}

impl Command {
    /// Whether the project file may say what it reads.
    fn reads_the_world(&self) -> bool {
        matches!(
            self,
            Command::Diagnose(_)
                | Command::Plan(_)
                | Command::Apply(_)
                | Command::Rollback(_)
                | Command::Snapshot(_)
                | Command::Trace(_)
        )
    }

    /// Whether it is about a plan that was made before, and that says itself what it is for.
    fn has_a_plan(&self) -> bool {
        match self {
            Command::Apply(args) => args.has_a_plan(),
            Command::Rollback(_) => true,
            _ => false,
        }
    }
}

fn run(cli: &Cli, ui: &Ui) -> Result<u8, Error> {
    if !matches!(cli.common.output, Output::Text | Output::Json | Output::JsonLines)
        && !matches!(cli.command, Command::Report(_))
    {
        return Err(Error::new(
            Code::Usage,
            "only `ecr-fix report` has this --output",
            "choose text or json, or run `ecr-fix report PLAN`",
        ));
    }
    if ui.lines {
        if !matches!(cli.command, Command::Apply(_) | Command::Rollback(_)) {
            let hint = "use --output json; json-lines is for apply and rollback";
            return Err(Error::new(Code::Usage, "this command has nothing to follow line by line", hint));
        }
        ui.line(
            "version",
            json!({
                "format_version": FORMAT_VERSION, "ecr_fix_version": env!("CARGO_PKG_VERSION"),
            }),
        );
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        Error::new(Code::Storage, "no threads can be started", "free memory or processes, then run it again")
            .because(error)
    })?;
    let answer = runtime.block_on(async {
        match &cli.command {
            Command::Diagnose(args) => commands::diagnose::run(args, ui).await,
            Command::Plan(args) => commands::plan::run(args, ui).await,
            Command::Show(args) => commands::show::run(args, ui),
            Command::Apply(args) => Box::pin(commands::apply::run(args, ui)).await,
            Command::Rollback(args) => Box::pin(commands::rollback::run(args, ui)).await,
            Command::Confirm(args) => commands::confirm::run(args, ui),
            Command::Runs(args) => commands::runs::run(args, ui),
            Command::Snapshot(args) => commands::snapshot::run(args, ui).await,
            Command::Permissions(args) => commands::permissions::run(args, ui),
            Command::Report(args) => commands::report::run(args, ui),
            Command::Export(args) => commands::export::run(args, ui),
            Command::Simulate(args) => commands::simulate::run(args, ui).await,
            Command::Explain(args) => commands::explain::run(args, ui),
            Command::Demo(args) => commands::demo::run(args, ui).await,
            Command::Trace(args) => commands::trace::trace(args, ui).await,
        }
    });
    // A thread may still wait for a line from the terminal; nobody will answer it any more.
    runtime.shutdown_background();
    answer
}

/// Help and version are answers; everything else is a usage error, in the format that was asked for.
fn refuse(usage: &clap::Error, arguments: &[OsString]) -> ExitCode {
    if !usage.use_stderr() {
        return match usage.print() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    if asked_for(arguments, "json") || asked_for(arguments, "json-lines") {
        let text = usage.to_string();
        let what = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let error = Error::new(Code::Usage, what, "run `ecr-fix --help`");
        let document = render::json::error(&error);
        match asked_for(arguments, "json-lines") {
            true => render::print(&render::json::line(
                "summary",
                serde_json::from_str(&document).unwrap_or_default(),
            )),
            false => render::print(&document),
        }
    } else {
        // A closed standard error leaves nobody to tell.
        let _ = usage.print();
    }
    ExitCode::from(Code::Usage.exit())
}

fn asked_for(arguments: &[OsString], format: &str) -> bool {
    let words: Vec<_> = arguments.iter().map(|argument| argument.to_string_lossy()).collect();
    let pair = words
        .windows(2)
        .any(|pair| matches!(pair, [flag, value] if (flag == "-o" || flag == "--output") && value == format));
    let joined = ["--output=", "-o", "-o="].map(|flag| format!("{flag}{format}"));
    pair || words.iter().any(|word| joined.iter().any(|joined| word == joined))
        || std::env::var("ECR_FIX_OUTPUT").is_ok_and(|value| value == format)
}
