//! What the blockers ask for, and what of it becomes one action.

use crate::actions::{AnyChange, gathered};
use crate::diagnosis::{Fix, Verdicts, finding_id};

/// A change as one blocker, or several, ask for it.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// What is asked for.
    pub change: AnyChange,
    /// Why this and nothing else.
    pub because: String,
    /// The findings that ask for it.
    pub fixes: Vec<String>,
}

/// Everything that is asked of one resource: one action, because a second would find the resource changed.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// `a1`, `a2`, … in the plan that leaves nothing out.
    pub id: String,
    /// At least one; all of the same resource.
    pub parts: Vec<Part>,
    /// What they do together.
    pub change: AnyChange,
}

impl Group {
    /// The same with only some of its parts; `None` where none is left.
    pub(super) fn of(id: String, parts: Vec<Part>) -> Option<Group> {
        let change = gathered(parts.iter().map(|part| &part.change)).into_iter().next()?;
        Some(Group { id, parts, change })
    }

    /// The findings that it mends.
    pub(super) fn fixes(&self) -> Vec<String> {
        let mut fixes: Vec<String> = self.parts.iter().flat_map(|part| part.fixes.clone()).collect();
        fixes.sort_by_key(|id| (id.len(), id.clone()));
        fixes.dedup();
        fixes
    }

    /// Why this and nothing else.
    pub(super) fn because(&self) -> String {
        let mut reasons: Vec<&str> = Vec::new();
        for part in &self.parts {
            if !reasons.contains(&part.because.as_str()) {
                reasons.push(&part.because);
            }
        }
        reasons.join("; ")
    }

    /// Whether it makes something that another one requires.
    pub(super) fn is_needed_by(&self, other: &Group) -> bool {
        self.change.provides().is_some_and(|made| other.change.requires().contains(&made))
    }
}

/// The changes that the blockers ask for, each once, in the order in which a pull meets the blockers.
pub(super) fn parts(verdicts: &Verdicts) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for (blocker, number) in verdicts.blockers.iter().zip(1..) {
        let Fix::Automatic { changes, because } = &blocker.fix else { continue };
        for change in changes {
            match parts.iter_mut().find(|part| part.change == *change) {
                Some(part) => part.fixes.push(finding_id(number)),
                None => parts.push(Part {
                    change: change.clone(),
                    because: because.clone(),
                    fixes: vec![finding_id(number)],
                }),
            }
        }
    }
    parts
}

/// One group for each resource, every group after those that it depends on, and otherwise as a pull meets the blockers.
pub(super) fn grouped(parts: Vec<Part>) -> Vec<Group> {
    let mut by_resource: Vec<Vec<Part>> = Vec::new();
    for part in parts {
        let same = |group: &&mut Vec<Part>| group.iter().any(|known| known.change.is_at(&part.change));
        match by_resource.iter_mut().find(same) {
            Some(group) => group.push(part),
            None => by_resource.push(vec![part]),
        }
    }
    let waiting = by_resource.into_iter().filter_map(|parts| Group::of(String::new(), parts)).collect();
    let ordered = in_order(waiting).into_iter().zip(1..);
    ordered.map(|(group, number)| Group { id: format!("a{number}"), ..group }).collect()
}

fn in_order(mut waiting: Vec<Group>) -> Vec<Group> {
    let mut ordered: Vec<Group> = Vec::new();
    while !waiting.is_empty() {
        let ready = waiting.iter().position(|group| !waiting.iter().any(|other| other.is_needed_by(group)));
        // Changes that require each other cannot be ordered; the engine will say what is missing.
        ordered.push(waiting.remove(ready.unwrap_or(0)));
    }
    ordered
}
