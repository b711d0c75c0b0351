//! Pictures for the page: the pulls leg by leg, and the way of one pull with the hop that blocks it.
//!
//! Colour is never alone: every state has a sign of its own, and every picture says in words what it shows.

use maud::{Markup, html};

use super::matrix::{Cell, Row};
use crate::checks::Leg;
use crate::diagnosis::Verdict;
use crate::plan::Plan;
use crate::render::terminal::clean;

const LABEL_WIDTH: usize = 190;
const CELL: usize = 40;
const HEADER: usize = 104;
const STOP: usize = 44;
const LONGEST_LABEL: usize = 58;

/// The class that colours a leg.
pub(super) fn class(cell: &Cell<'_>, is_after: bool) -> &'static str {
    match cell.leg.verdict {
        Verdict::Blocked if is_after && cell.is_mended() => "mended",
        verdict => verdict.as_str(),
    }
}

/// Whether something blocks the pulls of a row.
pub(super) fn is_broken(row: &Row<'_>) -> bool {
    row.cells.iter().any(|cell| cell.leg.verdict == Verdict::Blocked)
}

/// Who pulls, down; the legs, across.
pub(super) fn matrix(rows: &[Row<'_>], is_after: bool) -> Markup {
    let columns = rows.first().map(|row| row.cells.len()).unwrap_or_default();
    let (width, height) = (LABEL_WIDTH + columns * CELL + 70, HEADER + rows.len() * CELL + 4);
    html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox={ "0 0 " (width) " " (height) } role="img" aria-label=(said(rows, is_after)) {
            @for (column, cell) in rows.iter().take(1).flat_map(|row| row.cells.iter().enumerate()) {
                @let x = LABEL_WIDTH + column * CELL + CELL / 2;
                text.small transform={ "translate(" (x) " " (HEADER - 8) ") rotate(-45)" } { (cell.leg.leg.as_str()) }
            }
            @for (number, row) in rows.iter().enumerate() {
                @let y = HEADER + number * CELL;
                text.strong x="0" y=(y + 16) { (short(&clean(&row.from.id), 26)) }
                text.small.dim x="0" y=(y + 31) { (row.from.kind.as_str()) ", " (row.images.len()) @if row.images.len() == 1 { " image" } @else { " images" } }
                @for (column, cell) in row.cells.iter().enumerate() {
                    @let x = LABEL_WIDTH + column * CELL;
                    @let class = class(cell, is_after);
                    rect class=(class) x=(x + 2) y=(y + 2) width=(CELL - 4) height=(CELL - 4) rx="4" {}
                    text class={ (class) " strong" } x=(x + CELL / 2) y=(y + 18) text-anchor="middle" { (glyph(class)) }
                    text.small x=(x + CELL / 2) y=(y + 32) text-anchor="middle" { (note(cell, class)) }
                }
            }
        }
    }
}

/// The stops of a pull, from the puller down to the last layer.
pub(super) fn path(row: &Row<'_>, plan: &Plan, is_after: bool) -> Markup {
    let height = STOP * row.cells.len() + 40;
    let first_block = row.cells.iter().position(|cell| class(cell, is_after) == "blocked");
    html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox={ "0 0 520 " (height) } role="img" aria-label=(way_said(row, plan, is_after)) {
            rect.not-reached x="4" y="4" width="24" height="24" rx="5" {}
            text.strong x="40" y="21" { (row.from.kind.as_str()) " " (short(&clean(&row.from.id), 46)) }
            @for (number, cell) in row.cells.iter().enumerate() {
                @let y = STOP * (number + 1) + 16;
                @let class = class(cell, is_after);
                @let way = if first_block.is_some_and(|block| number > block) { "broken-way" } else { "way" };
                line class=(way) x1="16" x2="16" y1=(y - STOP + 12) y2=(y - 12) {}
                @if class == "blocked" {
                    polygon class="blocked" points={ "16," (y - 13) " 29," (y) " 16," (y + 13) " 3," (y) } stroke-width="2.5" {}
                } @else {
                    circle class=(class) cx="16" cy=(y) r="11" {}
                }
                text class={ (class) " strong" } x="16" y=(y + 4) text-anchor="middle" { (glyph(class)) }
                text.strong x="40" y=(y - 2) { (cell.leg.leg.as_str()) }
                text class={ "small " (class) } x="40" y=(y + 13) { (short(&stop(cell, plan, class), LONGEST_LABEL + 16)) }
            }
        }
    }
}

fn glyph(class: &str) -> &'static str {
    match class {
        "ok" | "mended" => "✓",
        "blocked" => "✕",
        "unknown" => "?",
        _ => "–",
    }
}

/// What stands in a cell below its sign.
fn note(cell: &Cell<'_>, class: &str) -> String {
    let ids: Vec<&str> = match class {
        "mended" => cell.mended_by.clone(),
        "blocked" => cell.leg.findings.iter().map(String::as_str).collect(),
        _ => Vec::new(),
    };
    match ids.as_slice() {
        [] => String::new(),
        [one] => short(&clean(one), 6),
        [first, more @ ..] => format!("{} +{}", short(&clean(first), 3), more.len()),
    }
}

/// What stands beside a stop: what it is about, and what blocks it.
fn stop(cell: &Cell<'_>, plan: &Plan, class: &str) -> String {
    let blocking: Vec<String> = plan
        .diagnosis
        .findings
        .iter()
        .filter(|found| cell.leg.findings.contains(&found.id))
        .map(|found| clean(&format!("{} on {}", found.cause, last_part(&found.resource))))
        .collect();
    match class {
        "blocked" => format!("blocked: {}", blocking.join("; ")),
        "mended" => format!("mended by {}: {}", clean(&cell.mended_by.join(", ")), blocking.join("; ")),
        "unknown" => {
            let because = cell.leg.because.first().map(|because| clean(because)).unwrap_or_default();
            format!("not decided: {because}")
        }
        "not-reached" => "not reached".to_owned(),
        _ => meaning(cell.leg.leg).to_owned(),
    }
}

/// The last part of an ARN says which; the rest is in the findings.
fn last_part(resource: &str) -> &str {
    if resource.starts_with("arn:") { resource.splitn(6, ':').last().unwrap_or(resource) } else { resource }
}

fn meaning(leg: Leg) -> &'static str {
    match leg {
        Leg::Credentials => "the puller has an identity",
        Leg::Dns => "the names resolve",
        Leg::EcrApiNetwork => "packets reach the ECR API",
        Leg::EcrTokenPermission => "it may get a token",
        Leg::RegistryNetwork => "packets reach the registry",
        Leg::PullPermission => "it may pull the image",
        Leg::Image => "the image is there",
        Leg::LayerNetwork => "packets reach the layers in S3",
        Leg::LayerPermission => "it may read the layers",
    }
}

fn said(rows: &[Row<'_>], is_after: bool) -> String {
    let when = if is_after { "After the plan" } else { "Before" };
    let count = |wanted: &str| {
        rows.iter().filter(|row| row.cells.iter().any(|cell| class(cell, is_after) == wanted)).count()
    };
    format!(
        "{when}: {} kinds of pulls, {} of them blocked, {} with a leg that is not decided. The table below says the same.",
        rows.len(),
        count("blocked"),
        count("unknown")
    )
}

fn way_said(row: &Row<'_>, plan: &Plan, is_after: bool) -> String {
    let stops: Vec<String> = row
        .cells
        .iter()
        .map(|cell| format!("{}: {}", cell.leg.leg.as_str(), stop(cell, plan, class(cell, is_after))))
        .collect();
    format!("The way of a pull by {} {}. {}", row.from.kind.as_str(), clean(&row.from.id), stops.join(". "))
}

fn short(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    text.chars().take(longest.saturating_sub(1)).chain(['…']).collect()
}
