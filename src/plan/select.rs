//! What a plan shall hold of what it could: everything, or what somebody asked for.

use std::collections::{BTreeMap, BTreeSet};

use super::group::{Group, Part};
use crate::error::{Code, Error};

/// What was asked for. Nothing asked for is everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only these actions and findings, and what they depend on.
    pub target: Vec<String>,
    /// Not these actions and findings, nor what depends on them.
    pub exclude: Vec<String>,
    /// Only changes of this sort.
    pub only: Option<Only>,
}

/// A sort of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Only {
    /// Changes that take nothing away from what there is
    Additive,
}

/// Why findings are left that the plan could mend, by their ids.
pub(super) type LeftOut = BTreeMap<String, String>;

/// Takes out what was not asked for, and what cannot be without it. Ids stay those of the whole plan, so that the same
/// id means the same whatever is left out.
///
/// # Errors
/// An id is that of no action and of no finding.
pub(super) fn select(
    groups: Vec<Group>,
    selection: &Selection,
    findings: usize,
) -> Result<(Vec<Group>, LeftOut), Error> {
    check_ids(&groups, selection, findings)?;
    let mut left_out = LeftOut::new();
    let mut rest = groups.clone();
    if !selection.target.is_empty() {
        let wanted = with_dependencies(&groups, &selection.target);
        rest = leave(rest, &mut left_out, "it is not a --target", |group, part| {
            !wanted.contains(&group.id) && !is_named(&selection.target, group, part)
        });
    }
    rest = leave(rest, &mut left_out, "--exclude", |group, part| is_named(&selection.exclude, group, part));
    if selection.only == Some(Only::Additive) {
        let because = "it does more than to add, and --only additive was given";
        rest = leave(rest, &mut left_out, because, |_, part| !part.change.is_additive());
    }
    Ok((without_orphans(&groups, rest, &mut left_out), left_out))
}

/// Takes out the groups that there is a reason against, and what cannot be without them.
pub(super) fn leave_resources(
    groups: Vec<Group>,
    left_out: &mut LeftOut,
    why: impl Fn(&Group) -> Option<String>,
) -> Vec<Group> {
    let mut rest = groups.clone();
    for (group, because) in groups.iter().filter_map(|group| Some((group, why(group)?))) {
        rest.retain(|other| other.id != group.id);
        left_out.extend(group.fixes().into_iter().map(|finding| (finding, because.clone())));
    }
    without_orphans(&groups, rest, left_out)
}

fn check_ids(groups: &[Group], selection: &Selection, findings: usize) -> Result<(), Error> {
    let is_finding = |id: &str| {
        let number = id.strip_prefix('f').filter(|digits| !digits.starts_with(['0', '+']));
        number.and_then(|digits| digits.parse().ok()).is_some_and(|number| (1..=findings).contains(&number))
    };
    let known = |id: &&String| groups.iter().any(|group| group.id == **id) || is_finding(id);
    match selection.target.iter().chain(&selection.exclude).find(|id| !known(id)) {
        None => Ok(()),
        Some(id) => Err(Error::new(
            Code::BadInput,
            format!("{id} is neither an action nor a finding of this plan"),
            "run `ecr-fix plan` without --target and --exclude, and take the ids that it prints",
        )),
    }
}

fn is_named(ids: &[String], group: &Group, part: &Part) -> bool {
    ids.contains(&group.id) || part.fixes.iter().any(|finding| ids.contains(finding))
}

/// The ids of the groups that those with a named part depend on, through any number of steps.
fn with_dependencies(groups: &[Group], ids: &[String]) -> BTreeSet<String> {
    let has_named = |group: &&Group| group.parts.iter().any(|part| is_named(ids, group, part));
    let mut waiting: Vec<&Group> = groups.iter().filter(has_named).collect();
    let mut wanted = BTreeSet::new();
    while let Some(group) = waiting.pop() {
        for other in groups.iter().filter(|other| other.is_needed_by(group)) {
            if wanted.insert(other.id.clone()) {
                waiting.push(other);
            }
        }
    }
    wanted
}

/// The groups without the parts that are to go.
fn leave(
    groups: Vec<Group>,
    left_out: &mut LeftOut,
    because: &str,
    goes: impl Fn(&Group, &Part) -> bool,
) -> Vec<Group> {
    let mut rest = Vec::new();
    for group in groups {
        let (gone, stays): (Vec<Part>, Vec<Part>) =
            group.parts.iter().cloned().partition(|part| goes(&group, part));
        for finding in gone.into_iter().flat_map(|part| part.fixes) {
            left_out.entry(finding).or_insert_with(|| format!("left out on request: {because}"));
        }
        rest.extend(Group::of(group.id, stays));
    }
    rest
}

/// The groups whose dependencies are still there.
fn without_orphans(all: &[Group], mut rest: Vec<Group>, left_out: &mut LeftOut) -> Vec<Group> {
    loop {
        let missing = |group: &Group| {
            let needed = all.iter().filter(|other| other.is_needed_by(group));
            needed.map(|other| &other.id).find(|id| !rest.iter().any(|known| known.id == **id)).cloned()
        };
        let orphan = rest.iter().enumerate().find_map(|(index, group)| Some((index, missing(group)?)));
        let Some((index, dependency)) = orphan else { return rest };
        let because = format!("it depends on {dependency}, which is left out");
        for finding in rest.remove(index).fixes() {
            left_out.entry(finding).or_insert_with(|| because.clone());
        }
    }
}
