//! Paths through a network, drawn hop by hop.

use std::fmt::Write as _;

use super::terminal::{Paint, clean};
use super::text::{WIDTH, wrapped};
use crate::commands::trace::{Answer, Change, Changes, Flow, verdict};
use crate::network::{Decision, Hop, Trace, Verdict};

/// Every flow of an answer.
pub fn answer(answer: &Answer, paint: Paint) -> String {
    let flows: Vec<String> = answer.flows.iter().map(|flow| draw(flow, paint)).collect();
    flows.join("\n")
}

/// What is different, before and after.
pub fn changes(changes: &Changes, paint: Paint) -> String {
    let mut out = String::new();
    for change in &changes.changes {
        let Change { from, to, before, after } = change;
        let _ = writeln!(out, "{}", paint.bold(&format!("{} -> {}", clean(from), clean(to))));
        let sides = [("before", before.as_ref()), ("after", after.as_ref())];
        for (side, trace) in sides {
            let word = trace.map_or_else(|| verdict(None).to_owned(), |trace| coloured(trace.verdict, paint));
            let _ = writeln!(out, "  {side:<6} {word}");
            for line in trace.map(conclusion).unwrap_or_default() {
                out.push_str(&wrapped(&line, 9));
            }
        }
        if before.as_ref().map(|trace| trace.verdict) == after.as_ref().map(|trace| trace.verdict) {
            out.push_str("  the verdict is the same, the path is not\n");
        }
        out.push('\n');
    }
    let _ = writeln!(out, "{} flows changed, {} are the same", changes.changes.len(), changes.unchanged);
    out
}

fn draw(flow: &Flow, paint: Paint) -> String {
    let mut out = String::new();
    let many = if flow.sources > 1 { format!(" and {} like it", flow.sources - 1) } else { String::new() };
    let title = format!("{}{many} -> {} {}", clean(&flow.from), clean(&flow.to), flow.service);
    let verdict = flow.trace.verdict;
    if title.chars().count() + 2 + verdict.as_str().len() > WIDTH {
        let lines = wrapped(&title, 0);
        let _ = write!(out, "{}\n  {}\n", paint.bold(lines.trim_end()), coloured(verdict, paint));
    } else {
        let _ = writeln!(out, "{}: {}", paint.bold(&title), coloured(verdict, paint));
    }
    draw_hops(&mut out, "forward", &flow.trace.forward, paint);
    draw_hops(&mut out, "return", &flow.trace.return_path, paint);
    for line in conclusion(&flow.trace) {
        out.push_str(&wrapped(&line, 2));
    }
    out
}

fn draw_hops(out: &mut String, title: &str, hops: &[Hop], paint: Paint) {
    if hops.is_empty() {
        return;
    }
    let _ = writeln!(out, "  {title}");
    let kinds = hops.iter().map(|hop| hop.kind.as_str().len()).max().unwrap_or_default();
    for hop in hops {
        let mark = match hop.decision {
            Some(Decision::Deny) => paint.red("X"),
            Some(Decision::Unknown) => paint.yellow("?"),
            Some(Decision::Allow) => paint.green("+"),
            None => paint.dim("|"),
        };
        let line = format!("{:<kinds$}  {}", hop.kind.as_str(), clean(&hop.id));
        let _ = writeln!(out, "  {mark} {line}");
        for note in notes(hop) {
            let text = wrapped(&note, 6);
            out.push_str(&match hop.decision {
                Some(Decision::Deny) => paint.red(text.trim_end()) + "\n",
                Some(Decision::Unknown) => paint.yellow(text.trim_end()) + "\n",
                _ => paint.dim(text.trim_end()) + "\n",
            });
        }
    }
}

/// What decided at a hop, and what it decided.
fn notes(hop: &Hop) -> Vec<String> {
    let route = hop
        .destination
        .as_ref()
        .map(|destination| format!("{destination} -> {}", hop.target.as_deref().unwrap_or("?")));
    let word = hop.decision.map(|decision| match decision {
        Decision::Allow => "allow",
        Decision::Deny => "DENY",
        Decision::Unknown => "UNKNOWN",
    });
    let rule = hop.rule.as_ref().map(|rule| format!("by {rule}"));
    let direction = hop.direction.map(|direction| direction.as_str().to_owned());
    let parts: Vec<String> =
        route.into_iter().chain(direction).chain(word.map(str::to_owned)).chain(rule).collect();
    let first = (!parts.is_empty()).then(|| clean(&parts.join(" ")));
    first.into_iter().chain(hop.detail.as_ref().map(|detail| clean(detail))).collect()
}

fn conclusion(trace: &Trace) -> Vec<String> {
    let mut lines = Vec::new();
    if let (Some(at), Some(reason)) = (&trace.blocked_at, trace.reason) {
        lines.push(format!("blocked at {} ({})", clean(at), reason.as_str()));
    }
    for blocker in trace.blockers.iter().skip(1) {
        lines.push(format!(
            "also blocked at {} ({}): {}",
            clean(&blocker.component),
            blocker.reason.as_str(),
            clean(&blocker.because)
        ));
    }
    for blocker in trace.blockers.iter().filter(|blocker| !blocker.failing.is_empty()) {
        lines.push(format!("only part of it fails: {}", blocker.failing.join(", ")));
    }
    lines.extend(trace.unknown.iter().map(|unknown| format!("unknown: {}", clean(unknown))));
    lines
}

fn coloured(verdict: Verdict, paint: Paint) -> String {
    match verdict {
        Verdict::Reachable => paint.green(verdict.as_str()),
        Verdict::Blocked => paint.red(verdict.as_str()),
        Verdict::Unknown => paint.yellow(verdict.as_str()),
    }
}
