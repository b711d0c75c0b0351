//! Builds a plan from a world: pure, so that every plan can be made and proven offline.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::file::{Action, Inverse, NotFixed, Plan, Precondition, Proof, Tally, fingerprint};
use super::newly_reachable::newly_reachable;
use super::permissions::for_changes;
use crate::actions::AnyChange;
use crate::checks::Leg;
use crate::diagnosis::{self, Blocker, FORMAT_VERSION, Fix, Verdicts, finding_id};
use crate::error::{Code, Error};
use crate::judges::Options;
use crate::model::Snapshot;
use crate::pulls::{Scope, World};

/// What a plan shall be like.
#[derive(Clone, Debug)]
pub struct Request {
    /// What to diagnose.
    pub scope: Scope,
    /// Which remedies to prefer.
    pub options: Options,
    /// The time.
    pub now: Timestamp,
    /// How long the plan may be applied.
    pub time_to_live: SignedDuration,
}

/// A change, with the blockers that asked for it.
struct Candidate {
    change: AnyChange,
    because: String,
    fixes: Vec<String>,
}

/// Diagnoses a world and plans every change that mends something.
///
/// # Errors
/// The scope names something that is not in the world.
pub fn build(snapshot: &Snapshot, request: &Request) -> Result<Plan, Error> {
    let world = World::of(snapshot, &request.scope)?;
    let before = diagnosis::verdicts(&world, &request.options);
    let candidates = in_order(needed(candidates(&before), &world, request)?);
    let diagnosis = diagnosis::diagnosis(&world, &before);

    let changes: Vec<&AnyChange> = candidates.iter().map(|candidate| &candidate.change).collect();
    let changed = simulate(snapshot, changes.iter().copied());
    let mut changed_world = World::of(&changed, &request.scope)?;
    // What a kubelet says of a blocker that is mended on paper is said of the world before.
    changed_world.words.retain(|words| !before.explained.contains(&words.key()));
    let after = diagnosis::verdicts(&changed_world, &request.options);
    let after_diagnosis = diagnosis::diagnosis(&changed_world, &after);

    let expires_at = request.now.checked_add(request.time_to_live).map_err(|error| {
        Error::new(Code::BadInput, "the plan would never expire", "choose a shorter --ttl").because(error)
    })?;
    let mut plan = Plan {
        format_version: FORMAT_VERSION.to_owned(),
        ecr_fix_version: env!("CARGO_PKG_VERSION").to_owned(),
        created_at: seconds(request.now),
        expires_at: seconds(expires_at),
        target: world.target.clone(),
        planned_by: snapshot.about.caller.clone(),
        digest: String::new(),
        scope: request.scope.clone(),
        options: request.options.clone(),
        not_fixed: not_fixed(&before, &candidates),
        proof: Proof {
            before: tally(&diagnosis),
            after: tally(&after_diagnosis),
            newly_reachable: newly_reachable(&world, &changed, &changes),
        },
        required_permissions: for_changes(candidates.iter().map(|candidate| &candidate.change)),
        actions: candidates
            .iter()
            .zip(1..)
            .map(|(candidate, number)| action(candidate, number, &candidates, &world))
            .collect(),
        diagnosis,
    };
    plan.digest = plan.computed_digest();
    Ok(plan)
}

/// RFC 3339, to the second.
fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The changes that the blockers ask for, each once, in the order in which a pull meets the blockers.
fn candidates(verdicts: &Verdicts) -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> = Vec::new();
    for (blocker, number) in verdicts.blockers.iter().zip(1..) {
        let Fix::Automatic { changes, because } = &blocker.fix else { continue };
        for change in changes {
            match candidates.iter_mut().find(|candidate| candidate.change == *change) {
                Some(candidate) => candidate.fixes.push(finding_id(number)),
                None => candidates.push(Candidate {
                    change: change.clone(),
                    because: because.clone(),
                    fixes: vec![finding_id(number)],
                }),
            }
        }
    }
    candidates
}

/// Only the changes without which a leg would stay blocked: the others would change no verdict.
fn needed(
    mut candidates: Vec<Candidate>,
    world: &World<'_>,
    request: &Request,
) -> Result<Vec<Candidate>, Error> {
    let blocked_after = |changes: &[&AnyChange]| -> Result<BTreeSet<(String, Leg)>, Error> {
        let changed = simulate(world.snapshot, changes.iter().copied());
        let changed_world = World::of(&changed, &request.scope)?;
        let verdicts = diagnosis::judged(&changed_world, &request.options);
        Ok(verdicts.blocked_legs().into_iter().map(|(pull, leg)| (pull.to_owned(), leg)).collect())
    };
    let mut index = 0;
    while index < candidates.len() {
        let all: Vec<&AnyChange> = candidates.iter().map(|candidate| &candidate.change).collect();
        let mut others = all.clone();
        others.remove(index);
        if blocked_after(&others)? == blocked_after(&all)? {
            candidates.remove(index);
        } else {
            index += 1;
        }
    }
    Ok(candidates)
}

/// Every change after those that it depends on, and otherwise as a pull meets the blockers.
fn in_order(mut waiting: Vec<Candidate>) -> Vec<Candidate> {
    let mut ordered: Vec<Candidate> = Vec::new();
    while !waiting.is_empty() {
        let ready = waiting.iter().position(|candidate| {
            let requires = candidate.change.requires();
            !waiting.iter().any(|other| other.change.provides().is_some_and(|made| requires.contains(&made)))
        });
        // Changes that require each other cannot be ordered; the engine will say what is missing.
        ordered.push(waiting.remove(ready.unwrap_or(0)));
    }
    ordered
}

/// The ids of the actions that make what a change requires.
fn depends_on(change: &AnyChange, all: &[Candidate]) -> Vec<String> {
    let requires = change.requires();
    let makes = |other: &Candidate| other.change.provides().is_some_and(|made| requires.contains(&made));
    all.iter().zip(1..).filter(|(other, _)| makes(other)).map(|(_, number)| format!("a{number}")).collect()
}

fn simulate<'a>(snapshot: &Snapshot, changes: impl IntoIterator<Item = &'a AnyChange>) -> Snapshot {
    let mut changed = snapshot.clone();
    changes.into_iter().for_each(|change| change.simulate(&mut changed));
    changed
}

fn tally(diagnosis: &diagnosis::Diagnosis) -> Tally {
    Tally { blocked: diagnosis.summary.blocked, unknown: diagnosis.summary.unknown }
}

fn not_fixed(verdicts: &Verdicts, candidates: &[Candidate]) -> Vec<NotFixed> {
    let is_fixed = |id: &String| candidates.iter().any(|candidate| candidate.fixes.contains(id));
    let left = |(blocker, number): (&Blocker, usize)| {
        let finding = finding_id(number);
        let (because, manual_steps) = match &blocker.fix {
            Fix::Automatic { .. } if is_fixed(&finding) => return None,
            Fix::Automatic { .. } => (
                "mending it alone would unblock nothing: something else stands in the way".to_owned(),
                Vec::new(),
            ),
            Fix::Manual { because, steps } | Fix::NotAws { because, steps } => {
                (because.clone(), steps.clone())
            }
        };
        Some(NotFixed { finding, because, manual_steps })
    };
    verdicts.blockers.iter().zip(1..).filter_map(left).collect()
}

fn action(candidate: &Candidate, number: usize, all: &[Candidate], world: &World<'_>) -> Action {
    let Candidate { change, because, fixes } = candidate;
    let (at, before, after) = change.parts();
    let (risk, why_safe) = change.risk();
    let inverse = change.inverse();
    Action {
        id: format!("a{number}"),
        kind: change.kind(),
        summary: change.summary(),
        resource: change.resource(),
        account: change.account(),
        region: world.target.region.clone(),
        fixes: fixes.clone(),
        depends_on: depends_on(change, all),
        risk,
        why_safe,
        because: because.clone(),
        at,
        before,
        after,
        diff: change.diff(),
        precondition: Precondition { fingerprint: fingerprint(change) },
        inverse: Inverse { kind: inverse.kind(), summary: inverse.summary() },
        api_calls: change.api_calls().into_iter().map(str::to_owned).collect(),
        monthly_cost_usd: change.monthly_cost_usd(),
    }
}
