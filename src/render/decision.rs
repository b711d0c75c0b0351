//! Decisions of IAM as text for a person.

use std::fmt::Write as _;

use super::terminal::{Paint, clean};
use crate::commands::simulate::Answer;
use crate::iam::{Deciding, Decision, Effect, Layer, NearMiss, Outcome, Request};

/// What was asked, what came of it, which statements decided, and which nearly did.
pub fn answer(answer: &Answer, paint: Paint) -> String {
    let mut out = asked(&answer.request, paint);
    out += &decision(&answer.decision, paint);
    if let Some(changed) = &answer.what_if {
        let title = if changed.outcome == answer.decision.outcome {
            "With the change, still"
        } else {
            "With the change"
        };
        let _ = writeln!(out, "{}:", paint.bold(title));
        out += &decision(changed, paint);
    }
    for note in &answer.notes {
        let _ = writeln!(out, "  {} {}", paint.yellow("note:"), clean(note));
    }
    out
}

fn asked(request: &Request, paint: Paint) -> String {
    let Request { principal, action, resource, .. } = request;
    format!("{} by {}\n  on {}\n", paint.bold(&clean(action)), clean(principal), clean(resource))
}

fn decision(decision: &Decision, paint: Paint) -> String {
    let mut out = match decision.outcome {
        Outcome::Allowed => format!("  {}\n", paint.green("ALLOWED")),
        Outcome::ImplicitDeny => {
            format!("  {}\n", paint.red("DENIED: something that must allow it does not"))
        }
        Outcome::ExplicitDeny => format!("  {}\n", paint.red("DENIED: a Deny statement matches")),
    };
    if !decision.blocked_by.is_empty() {
        let layers: Vec<&str> = decision.blocked_by.iter().map(|layer| words(*layer)).collect();
        let _ = writeln!(out, "  blocked by: {}", layers.join(", "));
    }
    for deciding in &decision.deciding {
        let _ = writeln!(out, "  decided by: {}", statement_that_decided(deciding));
    }
    // Who is let in does not ask what else nearly matched.
    if decision.outcome != Outcome::Allowed {
        for near in &decision.near_misses {
            let _ = writeln!(out, "  near miss:  {}", near_miss(near));
        }
    }
    out
}

fn statement_that_decided(deciding: &Deciding) -> String {
    let Deciding { policy_type, policy, level, statement, sid, effect } = deciding;
    format!(
        "{} {}",
        effect_of(*effect),
        place(*policy_type, policy.as_deref(), *level, *statement, sid.as_deref())
    )
}

fn near_miss(near: &NearMiss) -> String {
    let place =
        place(near.policy_type, near.policy.as_deref(), near.level, near.statement, near.sid.as_deref());
    format!("{place}\n              {}", clean(&near.because))
}

fn place(
    layer: Layer,
    policy: Option<&str>,
    level: Option<usize>,
    statement: usize,
    sid: Option<&str>,
) -> String {
    let policy = policy.map(|name| format!(" {}", clean(name))).unwrap_or_default();
    let level = level.map(|level| format!(", level {level}")).unwrap_or_default();
    let sid = sid.map(|sid| format!(" ({})", clean(sid))).unwrap_or_default();
    format!("{}{policy}{level}, statement {statement}{sid}", words(layer))
}

fn effect_of(effect: Effect) -> &'static str {
    match effect {
        Effect::Allow => "Allow in",
        Effect::Deny => "Deny in",
    }
}

fn words(layer: Layer) -> &'static str {
    match layer {
        Layer::Identity => "identity policy",
        Layer::Resource => "resource policy",
        Layer::Boundary => "permissions boundary",
        Layer::Session => "session policy",
        Layer::Endpoint => "endpoint policy",
        Layer::Scp => "service control policy",
        Layer::Rcp => "resource control policy",
    }
}
