//! Builds a plan from a world: pure, so that every plan can be made and proven offline.

use jiff::{RoundMode, SignedDuration, Timestamp, TimestampRound, Unit};

use super::file::{Action, Inverse, NotFixed, Plan, Precondition, Proof, Tally, fingerprint};
use super::group::{Group, Part, grouped, parts};
use super::newly_allowed::newly_allowed;
use super::newly_reachable::newly_reachable;
use super::on_paper::{blocked_legs, simulate};
use super::owner::{Owned, Owner};
use super::permissions::for_changes;
use super::select::{LeftOut, Selection, leave_resources, select};
use super::{alternatives, working_pulls};
use crate::actions::AnyChange;
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
    /// What to leave out.
    pub selection: Selection,
    /// What to do about resources that a tool owns.
    pub owned: Owned,
    /// The time.
    pub now: Timestamp,
    /// How long the plan may be applied.
    pub time_to_live: SignedDuration,
    /// Whether to look for other ways to mend the same. Each takes as long as the plan itself.
    pub looks_for_others: bool,
}

/// Diagnoses a world and plans every change that mends something.
///
/// # Errors
/// The scope names something that is not in the world, or the selection something that is not in the plan.
pub fn build(snapshot: &Snapshot, request: &Request) -> Result<Plan, Error> {
    let mut plan = chosen(snapshot, request)?;
    if request.looks_for_others {
        plan.alternatives = alternatives::of(&plan, snapshot, request)?;
        plan.digest = plan.computed_digest();
    }
    Ok(plan)
}

/// The plan with the choices of the request.
pub(super) fn chosen(snapshot: &Snapshot, request: &Request) -> Result<Plan, Error> {
    let world = World::of(snapshot, &request.scope)?;
    let before = diagnosis::verdicts(&world, &request.options);
    let whole = grouped(needed(parts(&before), &world, request)?);
    let (groups, mut left_out) = select(whole, &request.selection, before.blockers.len())?;
    let groups =
        leave_resources(groups, &mut left_out, |group| refused_for_owner(group, snapshot, request.owned));
    let diagnosis = diagnosis::diagnosis(&world, &before);
    let groups =
        working_pulls::spare(groups, &mut left_out, snapshot, request, diagnosis.narrowed.is_some())?;

    let changes: Vec<&AnyChange> = groups.iter().map(|group| &group.change).collect();
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
        created_at: to_the_millisecond(request.now),
        expires_at: to_the_second(expires_at),
        target: world.target.clone(),
        planned_by: snapshot.about.caller.clone(),
        digest: String::new(),
        scope: request.scope.clone(),
        options: request.options.clone(),
        alternatives: Vec::new(),
        not_fixed: not_fixed(&before, &groups, &left_out),
        proof: Proof {
            before: tally(&diagnosis),
            after: tally(&after_diagnosis),
            newly_reachable: beyond_the_pulls(&world, &changed, &changes),
        },
        required_permissions: for_changes(
            groups.iter().map(|group| &group.change),
            &world.target.account,
            &request.scope.account_roles,
        ),
        actions: groups.iter().map(|group| action(group, &groups, &world, request)).collect(),
        diagnosis,
    };
    plan.digest = plan.computed_digest();
    Ok(plan)
}

/// The flows and the permissions that the changes open, and that are none of the pulls.
fn beyond_the_pulls(world: &World<'_>, changed: &Snapshot, changes: &[&AnyChange]) -> Vec<String> {
    let flows = newly_reachable(world, changed, changes);
    flows.into_iter().chain(newly_allowed(world.snapshot, changes)).collect()
}

/// RFC 3339, fine enough that two plans of one world, made one after the other, are two: each can be used once.
fn to_the_millisecond(at: Timestamp) -> String {
    let rounding = TimestampRound::new().smallest(Unit::Millisecond).mode(RoundMode::Trunc);
    at.round(rounding).unwrap_or(at).to_string()
}

/// RFC 3339, as people read it.
fn to_the_second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Only the changes without which a leg would stay blocked: the others would change no verdict.
fn needed(mut parts: Vec<Part>, world: &World<'_>, request: &Request) -> Result<Vec<Part>, Error> {
    let blocked_after = |changes: &[&AnyChange]| {
        let changed = simulate(world.snapshot, changes.iter().copied());
        blocked_legs(&changed, &request.scope, &request.options)
    };
    if parts.is_empty() {
        return Ok(parts);
    }
    let with_all = blocked_after(&parts.iter().map(|part| &part.change).collect::<Vec<_>>())?;
    let mut index = 0;
    while index < parts.len() {
        let mut others: Vec<&AnyChange> = parts.iter().map(|part| &part.change).collect();
        others.remove(index);
        if blocked_after(&others)? == with_all {
            parts.remove(index);
        } else {
            index += 1;
        }
    }
    Ok(parts)
}

/// Why a change is left to the tool that owns the resource, where that was asked for.
fn refused_for_owner(group: &Group, snapshot: &Snapshot, owned: Owned) -> Option<String> {
    let owner = Owner::of(&group.change, snapshot).filter(|_| owned == Owned::Refuse)?;
    Some(format!(
        "{} is owned by {} ({}), and --owned refuse leaves it: make the change there",
        group.change.resource(),
        owner.in_words(),
        owner.because
    ))
}

fn tally(diagnosis: &diagnosis::Diagnosis) -> Tally {
    Tally { blocked: diagnosis.summary.blocked, unknown: diagnosis.summary.unknown }
}

fn not_fixed(verdicts: &Verdicts, groups: &[Group], left_out: &LeftOut) -> Vec<NotFixed> {
    let is_fixed = |id: &String| groups.iter().any(|group| group.fixes().contains(id));
    let left = |(blocker, number): (&Blocker, usize)| {
        let finding = finding_id(number);
        let (because, manual_steps) = match (&blocker.fix, left_out.get(&finding)) {
            (Fix::Automatic { .. }, Some(because)) => (because.clone(), Vec::new()),
            (Fix::Automatic { .. }, None) if is_fixed(&finding) => return None,
            (Fix::Automatic { .. }, None) => (
                "mending it alone would unblock nothing: something else stands in the way".to_owned(),
                Vec::new(),
            ),
            (Fix::Manual { because, steps } | Fix::NotAws { because, steps }, _) => {
                (because.clone(), steps.clone())
            }
        };
        Some(NotFixed { finding, because, manual_steps })
    };
    verdicts.blockers.iter().zip(1..).filter_map(left).collect()
}

fn action(group: &Group, all: &[Group], world: &World<'_>, request: &Request) -> Action {
    let change = &group.change;
    let (at, before, after) = change.parts();
    let (risk, why_safe) = change.risk();
    let inverse = change.inverse();
    let owner = Owner::of(change, world.snapshot);
    let account = change.account();
    let role = request.scope.account_roles.get(&account).filter(|_| change.is_in_any_account());
    Action {
        id: group.id.clone(),
        kind: change.kind(),
        summary: change.summary(),
        resource: change.resource(),
        region: change.region().unwrap_or_else(|| world.target.region.clone()),
        fixes: group.fixes(),
        depends_on: all
            .iter()
            .filter(|other| other.is_needed_by(group))
            .map(|other| other.id.clone())
            .collect(),
        risk,
        why_safe,
        because: group.because(),
        at,
        before,
        after,
        diff: change.diff(),
        precondition: Precondition { fingerprint: fingerprint(change) },
        inverse: Inverse { kind: inverse.kind(), summary: inverse.summary() },
        api_calls: change.api_calls().into_iter().map(str::to_owned).collect(),
        monthly_cost_usd: change.monthly_cost_usd(),
        assumes: role.cloned(),
        warnings: owner.iter().filter(|_| request.owned == Owned::Warn).map(Owner::warning).collect(),
        owner,
        account,
    }
}
