//! The report as one page: no script, nothing from elsewhere, for a screen, for paper and for the dark.

use base64::Engine as _;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use super::matrix::{Row, rows};
use super::picture;
use crate::actions::Risk;
use crate::diagnosis::{Finding, Health};
use crate::plan::{Action, Plan};
use crate::render::diagnosis::{narrowed, verdict_in_words};
use crate::render::semantic::{self, Line, sign};
use crate::render::terminal::clean;
use crate::render::totals::{Totals, cost, mended_by, risk_word};

const STYLE: &str = include_str!("style.css");

/// More rows make a page that no browser likes.
const ROWS_IN_TABLE: usize = 1_000;
const ROWS_IN_MATRIX: usize = 60;
const PATHS_DRAWN: usize = 12;

/// The whole page.
pub(super) fn page(plan: &Plan) -> String {
    let title = format!("ecr-fix: {}", clean(&plan.target.cluster));
    let rows = rows(plan);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(content_policy());
                meta name="referrer" content="no-referrer";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header { (summary(plan)) }
                main {
                    (risks(plan))
                    (matrix(&rows, plan))
                    (paths(&rows, plan))
                    (findings(plan))
                    (actions(plan))
                    (others(plan))
                    (left(plan))
                    (unread(plan))
                    (permissions(plan))
                }
                footer { p.dim { "Made by ecr-fix " (clean(&plan.ecr_fix_version)) " from the plan of " (clean(&plan.created_at)) "." } }
            }
        }
    };
    page.into_string() + "\n"
}

/// Nothing may be loaded and nothing may run; the one style sheet is known by its hash.
fn content_policy() -> String {
    let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'")
}

fn summary(plan: &Plan) -> Markup {
    let (target, found, proof) = (&plan.target, &plan.diagnosis.summary, &plan.proof);
    let totals = Totals::of(plan);
    let verdict = verdict_in_words(&plan.diagnosis);
    let class = match found.verdict {
        Health::Healthy => "good",
        Health::Broken => "bad",
        Health::Inconclusive => "odd",
    };
    html! {
        h1 { "Cluster " (clean(&target.cluster)) }
        p.dim { "Account " code { (clean(&target.account)) } ", region " (clean(&target.region)) }
        p { span class={ "verdict " (class) } { (verdict) } }
        @if let Some(narrowed) = narrowed(&plan.diagnosis) {
            p { strong { (clean(&narrowed)) } }
        }
        ul.numbers {
            li { strong { (totals.counts()) } "resources" }
            li { strong { (totals.risk()) } "of the riskiest change" }
            li { strong { (cost(totals.monthly_cost_usd)) } "more than today" }
            li { strong { (proof.before.blocked) " → " (proof.after.blocked) } "blocked pulls, before and after" }
            li { strong { (proof.before.unknown) " → " (proof.after.unknown) } "not decided, before and after" }
        }
        p.dim { "After: computed by making the changes on paper. Valid until " (clean(&plan.expires_at)) "." }
        p.dim { "Digest " code { (clean(&plan.digest)) } }
    }
}

fn risks(plan: &Plan) -> Markup {
    html! {
        section aria-labelledby="risks" {
            h2 #risks { "Risks" }
            @if plan.actions.is_empty() {
                p { "No changes, so no risk." }
            } @else {
                div.wide { table {
                    thead { tr { th scope="col" { "Action" } th scope="col" { "What it does" } th scope="col" { "Risk" } th scope="col" { "Cost" } th scope="col" { "Why it is safe" } } }
                    tbody {
                        @for action in &plan.actions {
                            tr {
                                th scope="row" { (clean(&action.id)) " " code { (action.kind.as_str()) } }
                                td { (clean(&action.summary)) }
                                td class=(risk_class(action.risk)) { (risk_word(action.risk)) }
                                td { (cost(action.monthly_cost_usd)) }
                                td {
                                    (clean(&action.why_safe))
                                    @for warning in &action.warnings { br; strong { "Warning: " (clean(warning)) } }
                                }
                            }
                        }
                    }
                } }
            }
            @if plan.proof.newly_reachable.is_empty() {
                p { "Nothing beyond the pulls becomes reachable." }
            } @else {
                p { strong { "Beyond the pulls this becomes reachable:" } }
                ul { @for opened in &plan.proof.newly_reachable { li { (clean(opened)) } } }
            }
        }
    }
}

fn risk_class(risk: Risk) -> &'static str {
    match risk {
        Risk::Low => "good",
        Risk::Medium => "odd",
        Risk::High => "bad",
    }
}

fn matrix(rows: &[Row<'_>], plan: &Plan) -> Markup {
    let drawn = rows.get(..ROWS_IN_MATRIX).unwrap_or(rows);
    html! {
        section aria-labelledby="pulls" {
            h2 #pulls { "Pulls" }
            @if rows.is_empty() {
                p { "None: the cluster has no node group and no Fargate profile that could be read." }
            } @else {
                div.pair {
                    figure { figcaption { "Before" } (picture::matrix(drawn, false)) }
                    figure { figcaption { "After the plan" } (picture::matrix(drawn, true)) }
                }
                @if rows.len() > drawn.len() {
                    p.dim { (rows.len() - drawn.len()) " more rows are in the table below." }
                }
                details {
                    summary { "The same as a table (" (plan.diagnosis.pull_paths.len()) " pulls)" }
                    (table(rows))
                }
            }
        }
    }
}

fn table(rows: &[Row<'_>]) -> Markup {
    let shown = rows.get(..ROWS_IN_TABLE).unwrap_or(rows);
    html! {
        div.wide { table {
            thead { tr {
                th scope="col" { "Puller" } th scope="col" { "Images" }
                @for cell in rows.iter().take(1).flat_map(|row| &row.cells) { th scope="col" { (cell.leg.leg.as_str()) } }
            } }
            tbody {
                @for row in shown {
                    tr {
                        th scope="row" { (row.from.kind.as_str()) " " (clean(&row.from.id)) }
                        td {
                            @for image in row.images.iter().take(5) { code { (clean(image)) } br; }
                            @if row.images.len() > 5 { "and " (row.images.len() - 5) " more" }
                        }
                        @for cell in &row.cells {
                            td class=(picture::class(cell, false)) {
                                (cell.before())
                                @if !cell.leg.findings.is_empty() { " (" (clean(&cell.leg.findings.join(", "))) ")" }
                                @if cell.is_mended() { "; then ok (" (clean(&cell.mended_by.join(", "))) ")" }
                                @for because in cell.leg.because.iter().take(2) { br; span.dim { (clean(because)) } }
                            }
                        }
                    }
                }
            }
        } }
        @if rows.len() > shown.len() {
            p.dim { (rows.len() - shown.len()) " more rows are only in the plan itself." }
        }
    }
}

fn paths(rows: &[Row<'_>], plan: &Plan) -> Markup {
    let mut broken: Vec<&Row<'_>> = rows.iter().filter(|row| picture::is_broken(row)).collect();
    let left = broken.len().saturating_sub(PATHS_DRAWN);
    broken.truncate(PATHS_DRAWN);
    html! {
        @if !broken.is_empty() {
            section aria-labelledby="paths" {
                h2 #paths { "The way of a pull" }
                @for row in broken {
                    article {
                        h3 { (row.from.kind.as_str()) " " (clean(&row.from.id)) }
                        div.pair {
                            figure { figcaption { "Before" } (picture::path(row, plan, false)) }
                            figure { figcaption { "After the plan" } (picture::path(row, plan, true)) }
                        }
                    }
                }
                @if left > 0 { p.dim { (left) " more are not drawn; the table of pulls has them." } }
            }
        }
    }
}

fn findings(plan: &Plan) -> Markup {
    let mended = mended_by(plan);
    html! {
        @if !plan.diagnosis.findings.is_empty() {
            section aria-labelledby="findings" {
                h2 #findings { "What blocks the pulls" }
                @for found in &plan.diagnosis.findings {
                    (finding(found, mended.get(found.id.as_str()).map(Vec::as_slice).unwrap_or_default()))
                }
            }
        }
    }
}

fn finding(found: &Finding, mended_by: &[&str]) -> Markup {
    html! {
        article {
            h3 { (clean(&found.id)) " " code { (clean(&found.cause)) } " (" (found.severity.as_str()) ")" }
            p { (clean(&found.summary)) }
            dl {
                dt { "on" } dd { code { (clean(&found.resource)) } }
                @for evidence in &found.evidence {
                    dt { "saw" } dd { code { (clean(&evidence.source)) } ": " (clean(&evidence.saw)) }
                }
                dt { "blocks" } dd { (found.blocks.len()) @if found.blocks.len() == 1 { " pull" } @else { " pulls" } }
                dt { "mended by" } dd { @if mended_by.is_empty() { strong { "not by this plan" } } @else { (clean(&mended_by.join(", "))) } }
            }
        }
    }
}

fn actions(plan: &Plan) -> Markup {
    html! {
        @if !plan.actions.is_empty() {
            section aria-labelledby="changes" {
                h2 #changes { "Changes" }
                @for known in &plan.actions { (action(known)) }
            }
        }
    }
}

fn action(action: &Action) -> Markup {
    let sign = sign(action);
    html! {
        article {
            h3 { (sign.as_char()) " " (clean(&action.id)) " " code { (action.kind.as_str()) } ": " (clean(&action.summary)) }
            dl {
                dt { "on" } dd { code { (clean(&action.resource)) } }
                dt { "mends" } dd { (clean(&action.fixes.join(", "))) }
                @if !action.depends_on.is_empty() { dt { "after" } dd { (clean(&action.depends_on.join(", "))) } }
                @if !action.because.is_empty() { dt { "why" } dd { (clean(&action.because)) } }
                dt { "safe" } dd { (clean(&action.why_safe)) }
                dt { "undo" } dd { (clean(&action.inverse.summary)) }
                dt { "calls" } dd { code { (clean(&action.api_calls.join(", "))) } }
                @if let Some(role) = &action.assumes { dt { "as" } dd { code { (clean(role)) } } }
                @if let Some(owner) = &action.owner { dt { "owner" } dd { (clean(&owner.in_words())) } }
                @for warning in &action.warnings { dt { "warning" } dd { strong { (clean(warning)) } } }
            }
            ul.words { @for line in semantic::lines(action) { (word(&line)) } }
            details open[action.diff.lines().count() <= 40] {
                summary { "Before and after, side by side" }
                (sides(&action.diff))
            }
        }
    }
}

fn word(line: &Line) -> Markup {
    let class = if line.is_detail {
        format!("detail {}", line.sign.as_word())
    } else {
        line.sign.as_word().to_owned()
    };
    html! {
        li class=(class) {
            span.sign aria-hidden="true" { (line.sign.as_char()) }
            span.hidden { (line.sign.as_word()) ": " }
            (clean(&line.text))
        }
    }
}

/// The lines of a diff in two columns: what is, and what shall be.
fn sides(diff: &str) -> Markup {
    html! {
        table.sides {
            thead { tr { th scope="col" { "Before" } th scope="col" { "After" } } }
            tbody {
                @for (before, after) in side_by_side(diff) {
                    tr { (side(before, false)) (side(after, true)) }
                }
            }
        }
    }
}

fn side(line: Option<Side<'_>>, is_after: bool) -> Markup {
    html! {
        @match line {
            None => td {},
            Some(Side { text, is_new: false }) => td { (clean(text)) },
            Some(Side { text, .. }) if is_after => td.good { ins { "+ " (clean(text)) } },
            Some(Side { text, .. }) => td.bad { del { "- " (clean(text)) } },
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Side<'a> {
    text: &'a str,
    /// Whether the other side does not have it.
    is_new: bool,
}

/// What goes away stands beside what comes in its place.
fn side_by_side(diff: &str) -> Sides<'_> {
    let mut rows = Sides::new();
    let (mut gone, mut new): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for line in diff.lines() {
        let text = line.get(2..).unwrap_or_default();
        match line.chars().next() {
            Some('-') => gone.push(text),
            Some('+') => new.push(text),
            _ => {
                pair(&mut rows, &mut gone, &mut new);
                let kept = Some(Side { text, is_new: false });
                rows.push((kept, kept));
            }
        }
    }
    pair(&mut rows, &mut gone, &mut new);
    rows
}

type Sides<'a> = Vec<(Option<Side<'a>>, Option<Side<'a>>)>;

fn pair<'a>(rows: &mut Sides<'a>, gone: &mut Vec<&'a str>, new: &mut Vec<&'a str>) {
    let side = |lines: &[&'a str], at: usize| lines.get(at).map(|text| Side { text, is_new: true });
    rows.extend((0..gone.len().max(new.len())).map(|at| (side(gone, at), side(new, at))));
    gone.clear();
    new.clear();
}

fn others(plan: &Plan) -> Markup {
    html! {
        @if !plan.alternatives.is_empty() {
            section aria-labelledby="others" {
                h2 #others { "Other ways, as good for the pulls" }
                ul {
                    @for other in &plan.alternatives {
                        li {
                            code { (clean(&other.choice)) } " (" (cost(other.monthly_cost_usd)) "): " (clean(&other.in_words()))
                            @for opened in &other.newly_reachable { br; span.dim { "also opens: " (clean(opened)) } }
                        }
                    }
                }
            }
        }
    }
}

fn left(plan: &Plan) -> Markup {
    html! {
        @if !plan.not_fixed.is_empty() {
            section aria-labelledby="left" {
                h2 #left { "Not mended by this plan" }
                @for left in &plan.not_fixed {
                    p { strong { (clean(&left.finding)) } ": " (clean(&left.because)) }
                    @if !left.manual_steps.is_empty() { ol { @for step in &left.manual_steps { li { (clean(step)) } } } }
                }
            }
        }
    }
}

fn unread(plan: &Plan) -> Markup {
    html! {
        @if !plan.diagnosis.unread.is_empty() {
            section aria-labelledby="unread" {
                h2 #unread { "What could not be read" }
                ul {
                    @for unread in &plan.diagnosis.unread {
                        li {
                            code { (clean(&unread.source)) }
                            @if !unread.resource.is_empty() { " on " (clean(&unread.resource)) }
                            ": " (clean(&unread.because))
                            @if !unread.hides.is_empty() { br; span.dim { "may hide: " (clean(&unread.hides.join(", "))) } }
                        }
                    }
                }
            }
        }
    }
}

fn permissions(plan: &Plan) -> Markup {
    html! {
        @if !plan.required_permissions.statement.is_empty() {
            section aria-labelledby="permissions" {
                h2 #permissions { "The permissions that applying and rolling back need" }
                details {
                    summary { "IAM policy" }
                    pre { (crate::render::json::document(&plan.required_permissions)) }
                }
            }
        }
    }
}

#[test]
fn what_goes_stands_beside_what_comes() {
    let side = |text, is_new| Some(Side { text, is_new });
    assert_eq!(
        side_by_side("  a\n- b\n- c\n+ d\n  e\n+ f\n"),
        [
            (side("a", false), side("a", false)),
            (side("b", true), side("d", true)),
            (side("c", true), None),
            (side("e", false), side("e", false)),
            (None, side("f", true)),
        ]
    );
}
