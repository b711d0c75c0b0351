//! Text for a person at a terminal: 80 columns, and colour never is the only carrier of a meaning.

use std::fmt::Write as _;

use super::diagnosis::{contradictions, headline, unread};
use super::semantic::{self, Line, Sign};
use super::terminal::{Paint, clean};
use super::totals::{Totals, cost, risk_word};
use crate::commands::carry_out::Done;
use crate::diagnosis::Health;
use crate::error::Error;
use crate::plan::{Action, Alternative, Plan};
use crate::run::{ActionRecord, ActionState, Record, RunState, World};

pub(super) const WIDTH: usize = 80;

pub use super::diagnosis::diagnosis;

/// What happened, why, and what to do now.
pub fn error(error: &Error) -> String {
    let mut out = format!("error: {}\n", clean(error.what()));
    for cause in error.causes() {
        let _ = writeln!(out, "  because {}", clean(cause));
    }
    let _ = writeln!(out, "hint: {}", clean(error.hint()));
    out
}

/// The diagnosis, every change in words, what is left, and the proof.
pub fn plan(plan: &Plan, paint: Paint) -> String {
    plan_with(plan, paint, |action| changes_in_words(&semantic::lines(action), paint))
}

/// The same with every line of the documents that change.
pub fn raw_plan(plan: &Plan, paint: Paint) -> String {
    plan_with(plan, paint, |action| diff(&action.diff, paint))
}

fn plan_with(plan: &Plan, paint: Paint, body: impl Fn(&Action) -> String) -> String {
    let mut out = diagnosis_in_short(plan, paint);
    if plan.actions.is_empty() {
        out += "\nNo changes.\n";
    } else {
        let _ = writeln!(out, "\n{}", paint.bold("Changes"));
    }
    for known in &plan.actions {
        out.push('\n');
        out += &action(known, paint);
        out += &body(known);
    }
    if !plan.alternatives.is_empty() {
        let _ = writeln!(out, "\n{}", paint.bold("Other ways, as good for the pulls"));
    }
    plan.alternatives.iter().for_each(|other| out += &alternative(other, paint));
    if !plan.not_fixed.is_empty() {
        let _ = writeln!(out, "\n{}", paint.bold("Not mended by this plan"));
    }
    for left in &plan.not_fixed {
        let cause = plan.diagnosis.findings.iter().find(|found| found.id == left.finding);
        let cause = cause.map(|found| clean(&found.cause)).unwrap_or_default();
        out += &wrapped(&format!("{} {cause}: {}", clean(&left.finding), clean(&left.because)), 2);
        out += &steps(&left.manual_steps, 5);
    }
    out + &plan_footer(plan, paint)
}

fn alternative(other: &Alternative, paint: Paint) -> String {
    let mut out = format!("  {}  ({})\n", paint.bold(&clean(&other.choice)), cost(other.monthly_cost_usd));
    out += &wrapped(&clean(&other.in_words()), 5);
    for opened in &other.newly_reachable {
        out += &wrapped(&format!("also opens: {}", clean(opened)), 5);
    }
    out
}

fn diagnosis_in_short(plan: &Plan, paint: Paint) -> String {
    let mut out = headline(&plan.diagnosis, paint);
    for found in &plan.diagnosis.findings {
        let line = format!("{} {}: {}", clean(&found.id), clean(&found.cause), clean(&found.summary));
        out += &wrapped(&line, 2);
    }
    out += &contradictions(&plan.diagnosis, paint);
    out += &unread(&plan.diagnosis, paint);
    out
}

/// What an action is and why, without what it changes.
fn action(known: &Action, paint: Paint) -> String {
    let sign = semantic::sign(known);
    let mut out = format!(
        "  {} {} {}  ({} risk, {})\n",
        painted(sign, &sign.as_char().to_string(), paint),
        paint.bold(&clean(&known.id)),
        paint.bold(known.kind.as_str()),
        risk_word(known.risk),
        cost(known.monthly_cost_usd)
    );
    out += &wrapped(&clean(&known.summary), 5);
    out += &wrapped(&format!("on     {}", clean(&known.resource)), 5);
    out += &wrapped(&format!("mends  {}", clean(&known.fixes.join(", "))), 5);
    if !known.because.is_empty() {
        out += &wrapped(&format!("why    {}", clean(&known.because)), 5);
    }
    out += &wrapped(&format!("safe   {}", clean(&known.why_safe)), 5);
    out += &wrapped(&format!("undo   {}", clean(&known.inverse.summary)), 5);
    if let Some(role) = &known.assumes {
        out += &wrapped(&format!("as     {}", clean(role)), 5);
    }
    for warning in &known.warnings {
        out += &paint.yellow(&wrapped(&format!("WARNING {}", clean(warning)), 5));
    }
    out.push('\n');
    out
}

/// What changes, one thing a line, wrapped: the sign stands in front of the first line of each.
fn changes_in_words(lines: &[Line], paint: Paint) -> String {
    let mut out = String::new();
    for line in lines {
        let indent = " ".repeat(if line.is_detail { 9 } else { 7 });
        let text = clean(&line.text);
        let deeper = " ".repeat(text.len() - text.trim_start().len());
        let first = format!("{indent}{} {deeper}", line.sign.as_char());
        let rest = format!("{indent}    {deeper}");
        // Names are not broken at their hyphens: a reviewer may want to copy them.
        let options = textwrap::Options::new(WIDTH)
            .initial_indent(&first)
            .subsequent_indent(&rest)
            .word_splitter(textwrap::WordSplitter::NoHyphenation)
            .break_words(false);
        for row in textwrap::wrap(text.trim_start(), options) {
            let _ = writeln!(out, "{}", painted(line.sign, row.trim_end(), paint));
        }
    }
    out
}

fn painted(sign: Sign, text: &str, paint: Paint) -> String {
    match sign {
        Sign::Add => paint.green(text),
        Sign::Remove => paint.red(text),
        Sign::Change => paint.yellow(text),
        Sign::Keep => text.to_owned(),
    }
}

/// Lines of a diff, coloured by their sign. They are not wrapped: a reviewer may want to copy them.
fn diff(diff: &str, paint: Paint) -> String {
    diff.lines().fold(String::new(), |mut out, line| {
        let text = clean(line);
        let sign = match text.chars().next() {
            Some('+') => Sign::Add,
            Some('-') => Sign::Remove,
            _ => Sign::Keep,
        };
        let _ = writeln!(out, "       {}", painted(sign, &text, paint));
        out
    })
}

fn plan_footer(plan: &Plan, paint: Paint) -> String {
    let (before, after) = (&plan.proof.before, &plan.proof.after);
    let mut out = format!(
        "\n{}\n  blocked pulls {} -> {}, not decided {} -> {}\n",
        paint.bold("Proof, computed by making the changes on paper"),
        before.blocked,
        after.blocked,
        before.unknown,
        after.unknown
    );
    if plan.proof.newly_reachable.is_empty() {
        out += "  nothing beyond the pulls becomes reachable\n";
    }
    for opened in &plan.proof.newly_reachable {
        out += &wrapped(&format!("also opened: {}", clean(opened)), 2);
    }
    let totals = Totals::of(plan);
    let _ = writeln!(
        out,
        "\n{} {}; {}, {}.\nValid until {}.\n{}",
        paint.bold("Plan:"),
        totals.counts(),
        totals.risk(),
        cost(totals.monthly_cost_usd),
        clean(&plan.expires_at),
        paint.dim(&clean(&plan.digest))
    );
    out
}

/// Who is about to change what.
pub fn about_to_change(plan: &Plan, caller: Option<&str>, world: &World, paint: Paint) -> String {
    let target = &plan.target;
    let place = match (world, caller) {
        (World::Sandbox(dir), _) => {
            format!("the directory {}; nothing in AWS is touched", clean(&dir.display().to_string()))
        }
        (World::Aws { .. }, caller) => format!("AWS, as {}", clean(caller.unwrap_or("nobody"))),
    };
    format!(
        "\n{}\n  account {}\n  region  {}\n  cluster {}\n  changes {place}\n",
        paint.bold("Target"),
        clean(&target.account),
        clean(&target.region),
        clean(&target.cluster)
    )
}

/// What each action does and why, at greater length, for a person who asks.
pub fn explain_actions(plan: &Plan) -> String {
    let mut out = String::new();
    for action in &plan.actions {
        let _ = writeln!(out, "\n{} {}", clean(&action.id), clean(&action.summary));
        let calls = action.api_calls.join(", ");
        out += &wrapped(&clean(&format!("Calls {calls} on {}.", action.resource)), 3);
        let causes = plan.diagnosis.findings.iter().filter(|found| action.fixes.contains(&found.id));
        for found in causes {
            let blocks = count(found.blocks.len(), "pull");
            out += &wrapped(
                &clean(&format!("It mends {}, which blocks {blocks}: {}.", found.cause, found.summary)),
                3,
            );
            out += &wrapped(&format!("More: `ecr-fix explain {}`.", clean(&found.cause)), 3);
        }
        out += &wrapped(&format!("Why this: {}.", clean(&action.because)), 3);
        out += &wrapped(&format!("Why it is safe: {}.", clean(&action.why_safe)), 3);
        out += &wrapped(
            &format!("To go back: {}; `ecr-fix rollback` does it.", clean(&action.inverse.summary)),
            3,
        );
    }
    out
}

/// What was done, whether it helped, and how to undo it.
pub fn applied(done: &Done, undo: &str, paint: Paint) -> String {
    let mut out = format!("\n{}\n", paint.bold("Applied"));
    out += &actions(&done.record, paint);
    let summary = &done.diagnosis.summary;
    let looked = format!("blocked pulls: {}, not decided: {}", summary.blocked, summary.unknown);
    let verdict = match summary.verdict {
        Health::Healthy => paint.green("every pull that was checked works"),
        Health::Broken => paint.red("some pulls are still blocked, by what this plan does not mend"),
        Health::Inconclusive => {
            paint.yellow("what the plan was for is mended; not everything could be checked")
        }
    };
    let _ = writeln!(out, "\n{} {verdict}\n  {looked}\n", paint.bold("Looked again:"));
    let _ = writeln!(out, "To undo: {undo}");
    out
}

/// What a rollback is about to restore.
pub fn rollback(record: &Record, plan: &Plan, paint: Paint) -> String {
    let mut out = format!("{} {}\n", paint.bold("Roll back run"), record.run);
    for known in plan.actions.iter().rev() {
        let left = record.actions.iter().any(|action| action.id == known.id && action.state.may_be_left());
        if !left {
            continue;
        }
        let _ = writeln!(out, "\n  {} {}", paint.bold(&known.id), paint.bold(known.inverse.kind.as_str()));
        out += &wrapped(&clean(&known.inverse.summary), 5);
        out += &wrapped(&format!("on     {}", clean(&known.resource)), 5);
        out.push('\n');
        let inverse = known.change().map(|change| change.inverse().diff()).unwrap_or_default();
        out += &diff(&inverse, paint);
    }
    out + "\nWhat somebody else changed since is left alone.\n"
}

/// What became of a rollback.
pub fn rolled_back(record: &Record, paint: Paint) -> String {
    format!("\n{}\n{}", paint.bold("Rolled back"), actions(record, paint))
}

/// The record of a run.
pub fn record(record: &Record, paint: Paint) -> String {
    let mut out = format!("{} {} ({})\n", paint.bold("Run"), record.run, run_state(record.state, paint));
    let by = match (&record.sandbox, &record.caller) {
        (Some(dir), _) => format!("on the directory {}", dir.display()),
        (None, caller) => format!("by {}", caller.as_deref().unwrap_or("nobody")),
    };
    let lines = [
        format!(
            "cluster {} (account {}, {})",
            record.target.cluster, record.target.account, record.target.region
        ),
        format!("started {} {by}", record.started_at),
        format!("plan    {}", record.plan_digest),
        format!("journal {}", record.chain),
    ];
    for line in lines.into_iter().chain(reasons(record)) {
        out += &wrapped(&clean(&line), 2);
    }
    out.push('\n');
    out + &actions(record, paint)
}

/// Why a run was made, and whether it stays.
fn reasons(record: &Record) -> Vec<String> {
    let reasons = &record.reasons;
    let approved = Some(reasons.approved_by.join(", ")).filter(|names| !names.is_empty());
    let signed = reasons.signed_by.as_ref().map(|signer| format!("{} ({})", signer.principals, signer.key));
    let confirmation = record.confirmation.as_ref().map(|confirmation| match &confirmation.until {
        _ if confirmation.is_given => "given: it stays".to_owned(),
        Some(until) => format!("awaited until {until}"),
        None => format!("awaited for {} s after it is applied", confirmation.within),
    });
    let known = [
        ("reason ", reasons.reason.clone()),
        ("ticket ", reasons.ticket.clone()),
        ("approved by", approved),
        ("signed by", signed),
        ("confirmation", confirmation),
    ];
    known.into_iter().filter_map(|(name, value)| Some(format!("{name} {}", value?))).collect()
}

fn actions(record: &Record, paint: Paint) -> String {
    record.actions.iter().map(|action| action_record(action, paint)).collect()
}

fn action_record(action: &ActionRecord, paint: Paint) -> String {
    let state = format!("{:14}", action.state.as_str());
    let state = match action.state {
        ActionState::Applied | ActionState::Reverted | ActionState::AlreadySo => paint.green(&state),
        ActionState::Failed | ActionState::Unknown | ActionState::RevertSkipped | ActionState::Intended => {
            paint.red(&state)
        }
        ActionState::Pending => paint.dim(&state),
    };
    let mut out = format!("  {} {state} {}\n", paint.bold(&action.id), clean(&action.summary));
    if let Some(because) = &action.because {
        out += &wrapped(&format!("because {}", clean(because)), 6);
    }
    if let Some(changed) = &action.diff {
        out += &diff(changed, paint);
    }
    out
}

fn run_state(state: RunState, paint: Paint) -> String {
    match state {
        RunState::Applied | RunState::RolledBack => paint.green(state.as_str()),
        RunState::Applying => paint.yellow(state.as_str()),
        RunState::Failed | RunState::PartiallyRolledBack | RunState::Interrupted => paint.red(state.as_str()),
    }
}

/// A line for each run, after those that were left out.
pub fn records(records: &[Record], unreadable: &[(String, String)], earlier: usize) -> String {
    if records.is_empty() && unreadable.is_empty() && earlier == 0 {
        return "There are no runs.\n".to_owned();
    }
    let left_out =
        if earlier == 0 { String::new() } else { format!("… {} before\n", count(earlier, "run")) };
    let listed = records.iter().fold(left_out, |mut out, record| {
        let changes = changes(record.actions.len());
        let state = if record.is_broken { "BROKEN" } else { record.state.as_str() };
        let _ = writeln!(out, "{}  {state:21}  {}  {changes}", record.run, clean(&record.target.cluster));
        out
    });
    unreadable.iter().fold(listed, |mut out, (run, because)| {
        let _ = writeln!(out, "{}  {:21}  {}", clean(run), "UNREADABLE", clean(because));
        out
    })
}

/// `1 change`, `2 changes`.
pub fn changes(number: usize) -> String {
    count(number, "change")
}

pub(super) fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// What a person does, in order.
pub(super) fn steps(steps: &[String], indent: usize) -> String {
    steps
        .iter()
        .zip(1..)
        .map(|(step, number)| wrapped(&format!("{number}. {}", clean(step)), indent))
        .collect()
}

/// Text within the width of the page, indented; the lines after the first a little more. Names and commands are not
/// broken at their hyphens: somebody may want to copy them.
pub(super) fn wrapped(text: &str, indent: usize) -> String {
    let (first, rest) = (" ".repeat(indent), " ".repeat(indent + 2));
    let options = textwrap::Options::new(WIDTH)
        .initial_indent(&first)
        .subsequent_indent(&rest)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .break_words(false);
    textwrap::fill(text, options) + "\n"
}
