//! What a plan must not do: block a pull that works. An endpoint with private DNS, for one, is for all of a VPC, whoever
//! can reach it.

use std::collections::BTreeSet;

use super::build::Request;
use super::group::Group;
use super::on_paper::{PullLeg, blocked_legs, simulate};
use super::select::{LeftOut, leave_resources};
use crate::error::Error;
use crate::model::Snapshot;
use crate::pulls::{Narrowing, Scope};

/// Leaves out the changes that would block pulls which nothing blocks now, whether or not they were asked for, and what
/// mends nothing without these changes.
///
/// # Errors
/// The scope names something that is not in the world.
pub(super) fn spare(
    groups: Vec<Group>,
    left_out: &mut LeftOut,
    snapshot: &Snapshot,
    request: &Request,
    is_narrowed: bool,
) -> Result<Vec<Group>, Error> {
    if groups.is_empty() {
        return Ok(groups);
    }
    let everything = Everything::of(snapshot, request, is_narrowed)?;
    let mut rest = groups;
    loop {
        let harmed = everything.harmed_by(&rest)?;
        let Some((first, _)) = harmed.first() else { return Ok(rest) };
        let pulls: BTreeSet<&str> = harmed.iter().map(|(pull, _)| pull.as_str()).collect();
        let mut because =
            format!("mending it would block {} that nothing blocks now, such as {first}", count(pulls.len()));
        if is_narrowed {
            because += "; a plan for all pulls may mend both";
        }
        let Some(worst) = everything.most_harmful(&rest)? else { return Ok(rest) };
        rest = leave_resources(rest, left_out, |group| (group.id == worst).then(|| because.clone()));
        rest = everything.useful(rest, left_out)?;
    }
}

fn count(pulls: usize) -> String {
    if pulls == 1 { "a pull".to_owned() } else { format!("{pulls} pulls") }
}

/// All pulls of a world, beyond what was asked for.
struct Everything<'a> {
    snapshot: &'a Snapshot,
    request: &'a Request,
    scope: Scope,
    blocked: BTreeSet<PullLeg>,
    /// The pulls that the plan is to mend: what hides behind a blocker may show once it is gone.
    asked_for: BTreeSet<String>,
}

impl<'a> Everything<'a> {
    fn of(snapshot: &'a Snapshot, request: &'a Request, is_narrowed: bool) -> Result<Everything<'a>, Error> {
        let scope = match is_narrowed {
            true => Scope { only: Narrowing::default(), images: Vec::new(), ..request.scope.clone() },
            false => request.scope.clone(),
        };
        let blocked = blocked_legs(snapshot, &scope, &request.options)?;
        let asked_for = match is_narrowed {
            true => blocked_legs(snapshot, &request.scope, &request.options)?,
            false => blocked.clone(),
        };
        let asked_for = asked_for.into_iter().map(|(pull, _)| pull).collect();
        Ok(Everything { snapshot, request, scope, blocked, asked_for })
    }

    fn blocked_with(&self, groups: &[Group]) -> Result<BTreeSet<PullLeg>, Error> {
        let changed = simulate(self.snapshot, groups.iter().map(|group| &group.change));
        blocked_legs(&changed, &self.scope, &self.request.options)
    }

    fn harmed_by(&self, groups: &[Group]) -> Result<BTreeSet<PullLeg>, Error> {
        let mut harmed = self.blocked_with(groups)?;
        harmed.retain(|pair| !self.blocked.contains(pair) && !self.asked_for.contains(&pair.0));
        Ok(harmed)
    }

    /// Of the changes that no other one needs, the one without which the least is harmed; of several the last.
    fn most_harmful(&self, groups: &[Group]) -> Result<Option<String>, Error> {
        let mut worst: Option<(usize, &String)> = None;
        for group in groups.iter().filter(|group| !groups.iter().any(|other| group.is_needed_by(other))) {
            let others: Vec<Group> = groups.iter().filter(|other| other.id != group.id).cloned().collect();
            let harm = self.harmed_by(&others)?.len();
            if worst.is_none_or(|(least, _)| harm <= least) {
                worst = Some((harm, &group.id));
            }
        }
        Ok(worst.map(|(_, id)| id.clone()))
    }

    /// Those without which something more is blocked.
    fn useful(&self, mut groups: Vec<Group>, left_out: &mut LeftOut) -> Result<Vec<Group>, Error> {
        let mut index = 0;
        while let Some(group) = groups.get(index) {
            let mut others = groups.clone();
            others.remove(index);
            if self.blocked_with(&others)? == self.blocked_with(&groups)? {
                for finding in group.fixes() {
                    left_out
                        .entry(finding)
                        .or_insert_with(|| "without what is left out it mends nothing".to_owned());
                }
                groups = others;
            } else {
                index += 1;
            }
        }
        Ok(groups)
    }
}
