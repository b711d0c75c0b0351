//! The report as Markdown for GitHub and its like: what matters first, the rest in collapsible details.

use std::fmt::Write as _;

use super::markup::{code, fenced, html_code, text};
use super::matrix::{Cell, rows};
use crate::actions::Risk;
use crate::diagnosis::Verdict;
use crate::plan::{Action, Plan};
use crate::render::diagnosis::{narrowed, verdict_in_words};
use crate::render::semantic::{self, sign};
use crate::render::terminal::clean;
use crate::render::totals::{Totals, cost, mended_by, risk_word};

/// The characters of a comment on a pull request. Bytes are counted, of which there are never fewer.
pub(super) const COMMENT: usize = 65_536;

/// The bytes of a step's summary.
pub(super) const STEP_SUMMARY: usize = 1_048_576;

/// What is kept free for saying what was cut.
const FOR_THE_CUT: usize = 1_200;

/// Longer lists of what the plan also opens end with a number.
const OPENED_SHOWN: usize = 40;

/// What the shortest part takes: with less room than that, none is even written.
const SHORTEST_PART: usize = 200;

/// A part that may be cut, and what it is called then.
struct Part<'p> {
    name: String,
    write: Box<dyn Fn() -> String + 'p>,
}

/// The report, in at most so many bytes. Summary and risks are never cut, and what is cut is said.
pub(super) fn report(plan: &Plan, limit: usize) -> String {
    let head = summary(plan) + &risks(plan, limit / 2) + &opened(plan);
    let mut room = limit.saturating_sub(head.len() + FOR_THE_CUT);
    let (mut body, mut cut) = (String::new(), Vec::new());
    for part in parts(plan) {
        let text = if room < SHORTEST_PART { None } else { Some((part.write)()) };
        match text.as_ref().and_then(|text| Some((room.checked_sub(text.len())?, text))) {
            Some((left, text)) => {
                room = left;
                body += text;
            }
            None => cut.push(part.name),
        }
    }
    head + &said(&cut) + &body
}

fn summary(plan: &Plan) -> String {
    let target = &plan.target;
    let verdict = verdict_in_words(&plan.diagnosis);
    let (before, after, totals) = (&plan.proof.before, &plan.proof.after, Totals::of(plan));
    let mut out = format!(
        "## ecr-fix: cluster {}\n\nAccount {}, region {}. **{verdict}.**\n\n",
        code(&target.cluster),
        code(&target.account),
        code(&target.region)
    );
    if let Some(narrowed) = narrowed(&plan.diagnosis) {
        let _ = writeln!(out, "**{}.**\n", text(&narrowed));
    }
    let _ = writeln!(out, "| | before | after (computed on paper) |\n| --- | ---: | ---: |");
    let _ = writeln!(out, "| blocked pulls | {} | {} |", before.blocked, after.blocked);
    let _ = writeln!(out, "| not decided | {} | {} |\n", before.unknown, after.unknown);
    let _ = writeln!(
        out,
        "**Plan: {}; {}, {}.** Valid until {}.\n\nDigest {}: `ecr-fix apply PLAN --expect-digest` takes no other.\n",
        totals.counts(),
        totals.risk(),
        cost(totals.monthly_cost_usd),
        code(&plan.expires_at),
        code(&plan.digest)
    );
    out
}

/// Every action with its risk: as a table, or where that is too long, by their ids.
fn risks(plan: &Plan, limit: usize) -> String {
    let title = "### Risks\n\n";
    if plan.actions.is_empty() {
        return format!("{title}No changes, so no risk.\n\n");
    }
    let mut table =
        "| action | what it does | risk | cost | why it is safe |\n| --- | --- | --- | --- | --- |\n"
            .to_owned();
    for action in &plan.actions {
        let _ = writeln!(
            table,
            "| {} {} {} | {} | {} | {} | {} |",
            sign_word(action),
            text(&action.id),
            code(action.kind.as_str()),
            text(&action.summary),
            loud(action.risk),
            cost(action.monthly_cost_usd),
            text(&action.why_safe) + &warnings(action)
        );
    }
    if table.len() <= limit {
        return format!("{title}{table}\n");
    }
    let mut lists = String::new();
    for risk in [Risk::High, Risk::Medium, Risk::Low] {
        let ids: Vec<&str> = plan
            .actions
            .iter()
            .filter(|action| action.risk == risk)
            .map(|action| action.id.as_str())
            .collect();
        if !ids.is_empty() {
            let _ = writeln!(lists, "- {} ({}): {}", loud(risk), ids.len(), text(&ranges(&ids)));
        }
    }
    let warned = plan.actions.iter().filter(|action| !action.warnings.is_empty());
    let warned: Vec<&str> = warned.map(|action| action.id.as_str()).collect();
    if !warned.is_empty() {
        let _ = writeln!(lists, "- **with warnings** ({}): {}", warned.len(), text(&ranges(&warned)));
    }
    format!("{title}{lists}\n")
}

fn warnings(action: &Action) -> String {
    action.warnings.iter().map(|warning| format!("<br>**Warning:** {}", text(warning))).collect()
}

fn sign_word(action: &Action) -> &'static str {
    match sign(action) {
        semantic::Sign::Add => "add",
        semantic::Sign::Remove => "remove",
        semantic::Sign::Change | semantic::Sign::Keep => "change",
    }
}

fn loud(risk: Risk) -> String {
    if risk == Risk::Low { risk_word(risk).to_owned() } else { format!("**{}**", risk_word(risk)) }
}

/// `a1 to a7, a9`: ids in their order, with runs of numbers drawn together.
fn ranges(ids: &[&str]) -> String {
    let number = |id: &str| id.strip_prefix('a').and_then(|rest| rest.parse::<u64>().ok());
    let mut runs: Vec<(&str, &str)> = Vec::new();
    for id in ids {
        match runs.last_mut() {
            Some((_, end)) if number(end).is_some() && number(end).map(|last| last + 1) == number(id) => {
                *end = id
            }
            _ => runs.push((id, id)),
        }
    }
    let run = |(start, end): &(&str, &str)| {
        if start == end { (*start).to_owned() } else { format!("{start} to {end}") }
    };
    runs.iter().map(run).collect::<Vec<_>>().join(", ")
}

/// What becomes reachable beyond the pulls is a risk too.
fn opened(plan: &Plan) -> String {
    let opened = &plan.proof.newly_reachable;
    if opened.is_empty() {
        return "Nothing beyond the pulls becomes reachable.\n\n".to_owned();
    }
    let mut out = format!("**{} beyond the pulls becomes reachable:**\n\n", count(opened.len(), "thing"));
    for one in opened.iter().take(OPENED_SHOWN) {
        let short: String = one.chars().take(200).collect();
        let _ = writeln!(out, "- {}", text(&short));
    }
    if opened.len() > OPENED_SHOWN {
        let _ = writeln!(out, "- and {} more: see `ecr-fix show PLAN`", opened.len() - OPENED_SHOWN);
    }
    out + "\n"
}

fn said(cut: &[String]) -> String {
    if cut.is_empty() {
        return String::new();
    }
    let mut names: Vec<&str> = cut.iter().take(8).map(String::as_str).collect();
    let more = format!("{} more parts", cut.len().saturating_sub(names.len()));
    if cut.len() > names.len() {
        names.push(&more);
    }
    format!(
        "> **Cut to fit:** {}. `ecr-fix show PLAN` and `ecr-fix report PLAN --output html` show everything.\n\n",
        names.join(", ")
    )
}

/// What may be cut, the most important first.
fn parts(plan: &Plan) -> Vec<Part<'_>> {
    let mut parts = vec![part("what blocks the pulls", move || findings(plan))];
    parts.extend(
        plan.actions
            .iter()
            .map(|action| part(&format!("details of {}", text(&action.id)), move || details(action))),
    );
    parts.push(part("other ways", move || others(plan)));
    parts.push(part("what is not mended", move || left(plan)));
    parts.push(part("the pulls, leg by leg", move || pulls(plan)));
    parts.push(part("what could not be read", move || unread(plan)));
    parts.push(part("the permissions that applying needs", move || permissions(plan)));
    parts
}

fn part<'p>(name: &str, write: impl Fn() -> String + 'p) -> Part<'p> {
    Part { name: name.to_owned(), write: Box::new(write) }
}

fn findings(plan: &Plan) -> String {
    if plan.diagnosis.findings.is_empty() {
        return String::new();
    }
    let mended = mended_by(plan);
    let mut out = "### What blocks the pulls\n\n| finding | severity | what | on | pulls | mended by |\n\
                   | --- | --- | --- | --- | ---: | --- |\n"
        .to_owned();
    for found in &plan.diagnosis.findings {
        let by = mended
            .get(found.id.as_str())
            .map_or_else(|| "**not by this plan**".to_owned(), |actions| text(&actions.join(", ")));
        let _ = writeln!(
            out,
            "| {} {} | {} | {} | {} | {} | {by} |",
            text(&found.id),
            html_code(&found.cause),
            found.severity.as_str(),
            text(&found.summary),
            html_code(&found.resource),
            found.blocks.len()
        );
    }
    out + "\n"
}

fn details(action: &Action) -> String {
    let mut out = format!(
        "<details>\n<summary>{} {} {}: {}</summary>\n\n",
        sign_word(action),
        text(&action.id),
        html_code(action.kind.as_str()),
        text(&action.summary)
    );
    let rows = [
        ("on", code(&action.resource)),
        ("mends", text(&action.fixes.join(", "))),
        ("after", text(&action.depends_on.join(", "))),
        ("why", text(&action.because)),
        ("safe", text(&action.why_safe)),
        ("undo", text(&action.inverse.summary)),
        ("calls", code(&action.api_calls.join(", "))),
        ("as", action.assumes.as_deref().map(code).unwrap_or_default()),
        ("owner", action.owner.as_ref().map(|owner| text(&owner.in_words())).unwrap_or_default()),
    ];
    for (label, value) in rows.iter().filter(|(_, value)| !value.is_empty() && value != "<code></code>") {
        let _ = writeln!(out, "- {label}: {value}");
    }
    let words = semantic::lines(action);
    let _ = write!(out, "\n{}", fenced("diff", &as_diff(&words)));
    if words != semantic::raw_lines(action) {
        let _ = write!(out, "\nThe whole document:\n\n{}", fenced("diff", &action.diff));
    }
    out + "\n</details>\n\n"
}

fn as_diff(lines: &[semantic::Line]) -> String {
    let indent = |line: &semantic::Line| if line.is_detail { "  " } else { "" };
    lines
        .iter()
        .map(|line| format!("{} {}{}\n", line.sign.as_char(), indent(line), clean(&line.text)))
        .collect()
}

fn others(plan: &Plan) -> String {
    if plan.alternatives.is_empty() {
        return String::new();
    }
    let mut out = "### Other ways, as good for the pulls\n\n".to_owned();
    for other in &plan.alternatives {
        let (choice, cost) = (text(&other.choice), cost(other.monthly_cost_usd));
        let _ = writeln!(out, "- {choice} ({cost}): {}", text(&other.in_words()));
        for opened in &other.newly_reachable {
            let _ = writeln!(out, "  - also opens: {}", text(opened));
        }
    }
    out + "\n"
}

fn left(plan: &Plan) -> String {
    if plan.not_fixed.is_empty() {
        return String::new();
    }
    let mut out = "### Not mended by this plan\n\n".to_owned();
    for left in &plan.not_fixed {
        let _ = writeln!(out, "- {}: {}", text(&left.finding), text(&left.because));
        for (step, number) in left.manual_steps.iter().zip(1..) {
            let _ = writeln!(out, "  - step {number}: {}", text(step));
        }
    }
    out + "\n"
}

fn pulls(plan: &Plan) -> String {
    let rows = rows(plan);
    let Some(first) = rows.first() else { return String::new() };
    let mut out = format!(
        "<details>\n<summary>The pulls, leg by leg ({})</summary>\n\n| puller | images |",
        plan.diagnosis.pull_paths.len()
    );
    for cell in &first.cells {
        let _ = write!(out, " {} |", cell.leg.leg.as_str());
    }
    let _ = write!(out, "\n{}\n", "| --- ".repeat(first.cells.len() + 2) + "|");
    for row in &rows {
        let images: Vec<String> = row.images.iter().take(5).map(|image| html_code(image)).collect();
        let more = row.images.len().saturating_sub(5);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let _ = write!(
            out,
            "| {} {} | {}{more} |",
            row.from.kind.as_str(),
            html_code(&row.from.id),
            images.join("<br>")
        );
        for cell in &row.cells {
            let _ = write!(out, " {} |", verdict(cell));
        }
        out.push('\n');
    }
    out + "\n</details>\n\n"
}

fn verdict(cell: &Cell<'_>) -> String {
    let findings = text(&cell.leg.findings.join(", "));
    match cell.leg.verdict {
        Verdict::Blocked if cell.is_mended() => {
            format!("**BLOCKED** {findings}<br>then ok ({})", text(&cell.mended_by.join(", ")))
        }
        Verdict::Blocked => format!("**BLOCKED** {findings}<br>still blocked"),
        _ => cell.before().to_owned(),
    }
}

fn unread(plan: &Plan) -> String {
    if plan.diagnosis.unread.is_empty() {
        return String::new();
    }
    let mut out =
        "<details>\n<summary>What could not be read, and may hide something</summary>\n\n".to_owned();
    for unread in &plan.diagnosis.unread {
        let on = if unread.resource.is_empty() {
            String::new()
        } else {
            format!(" on {}", code(&unread.resource))
        };
        let hides = if unread.hides.is_empty() {
            String::new()
        } else {
            format!("; may hide: {}", text(&unread.hides.join(", ")))
        };
        let _ = writeln!(out, "- {}{on}: {}{hides}", code(&unread.source), text(&unread.because));
    }
    out + "\n</details>\n\n"
}

fn permissions(plan: &Plan) -> String {
    if plan.required_permissions.statement.is_empty() {
        return String::new();
    }
    let document = crate::render::json::document(&plan.required_permissions);
    format!(
        "<details>\n<summary>The permissions that applying and rolling back need</summary>\n\n{}\n</details>\n\n",
        fenced("json", &document)
    )
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_drawn_together() {
        assert_eq!(ranges(&["a1", "a2", "a3", "a5", "x", "a9", "a10"]), "a1 to a3, a5, x, a9 to a10");
        assert_eq!(ranges(&[]), "");
    }
}
