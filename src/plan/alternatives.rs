//! The other ways to mend the same: each is planned and proven like the chosen one.

use super::Plan;
use super::build::{Request, chosen};
use super::file::{Action, Alternative};
use super::select::Selection;
use crate::actions::Kind;
use crate::error::Error;
use crate::judges::{Options, PullPolicy, WayOut};
use crate::model::Snapshot;

/// Plans with the choices that the request did not make. What mends less, or does the same, is no alternative; and to a
/// part of a plan there is none.
///
/// # Errors
/// The scope names something that is not in the world.
pub(super) fn of(plan: &Plan, snapshot: &Snapshot, request: &Request) -> Result<Vec<Alternative>, Error> {
    if request.selection != Selection::default() {
        return Ok(Vec::new());
    }
    let mut found: Vec<(Plan, Alternative)> = Vec::new();
    for (choice, options) in choices(plan, &request.options) {
        let other = chosen(snapshot, &Request { options, ..request.clone() })?;
        let mends_as_much = other.proof.after.blocked <= plan.proof.after.blocked
            && other.proof.after.unknown <= plan.proof.after.unknown;
        let is_known = |known: &Plan| beyond(&other, known).is_empty() && beyond(known, &other).is_empty();
        if mends_as_much && !is_known(plan) && !found.iter().any(|(known, _)| is_known(known)) {
            let alternative = Alternative {
                choice: choice.to_owned(),
                replaces: beyond(plan, &other).iter().map(|action| action.id.clone()).collect(),
                changes: beyond(&other, plan).iter().map(|action| action.summary.clone()).collect(),
                monthly_cost_usd: other.actions.iter().map(|action| action.monthly_cost_usd).sum(),
                newly_reachable: other.proof.newly_reachable.clone(),
            };
            found.push((other, alternative));
        }
    }
    Ok(found.into_iter().map(|(_, alternative)| alternative).collect())
}

/// The actions of a plan that another one does without.
fn beyond<'a>(plan: &'a Plan, other: &Plan) -> Vec<&'a Action> {
    let same = |one: &Action, other: &Action| {
        (one.kind, &one.at, &one.before, &one.after) == (other.kind, &other.at, &other.before, &other.after)
    };
    let is_beyond = |action: &&Action| !other.actions.iter().any(|known| same(action, known));
    plan.actions.iter().filter(is_beyond).collect()
}

/// What else could be asked for that concerns what the plan does.
fn choices(plan: &Plan, options: &Options) -> Vec<(&'static str, Options)> {
    let has = |kinds: &[Kind]| plan.actions.iter().any(|action| kinds.contains(&action.kind));
    let mut choices = Vec::new();
    if has(&[Kind::CreateVpcEndpoint, Kind::ModifyVpcEndpoint, Kind::CreateRoute, Kind::ReplaceRoute]) {
        for (choice, way) in [("--prefer endpoints", WayOut::Endpoints), ("--prefer nat", WayOut::Nat)] {
            if options.prefer != Some(way) {
                choices.push((choice, Options { prefer: Some(way), ..options.clone() }));
            }
        }
    }
    if has(&[Kind::AttachRolePolicy, Kind::PutRolePolicy]) {
        let (choice, pull_policy) = match options.pull_policy {
            PullPolicy::PullOnly => ("--pull-policy read-only", PullPolicy::ReadOnly),
            PullPolicy::ReadOnly => ("--pull-policy pull-only", PullPolicy::PullOnly),
        };
        choices.push((choice, Options { pull_policy, ..options.clone() }));
        let choice = if options.least_privilege { "without --least-privilege" } else { "--least-privilege" };
        choices.push((choice, Options { least_privilege: !options.least_privilege, ..options.clone() }));
    }
    choices
}
