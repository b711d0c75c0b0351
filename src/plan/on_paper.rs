//! What a world would be like with some changes made.

use std::collections::BTreeSet;

use crate::actions::{AnyChange, gathered};
use crate::checks::Leg;
use crate::diagnosis;
use crate::error::Error;
use crate::judges::Options;
use crate::model::Snapshot;
use crate::pulls::{Scope, World};

/// A leg of a pull, by the id of the pull.
pub(super) type PullLeg = (String, Leg);

/// The world with these changes, those of one resource as one.
pub(super) fn simulate<'a>(
    snapshot: &Snapshot,
    changes: impl IntoIterator<Item = &'a AnyChange>,
) -> Snapshot {
    let mut changed = snapshot.clone();
    gathered(changes).iter().for_each(|change| change.simulate(&mut changed));
    changed
}

/// What is blocked in a world.
///
/// # Errors
/// The scope names something that is not in the world.
pub(super) fn blocked_legs(
    snapshot: &Snapshot,
    scope: &Scope,
    options: &Options,
) -> Result<BTreeSet<PullLeg>, Error> {
    let verdicts = diagnosis::judged(&World::of(snapshot, scope)?, options);
    Ok(verdicts.blocked_legs().into_iter().map(|(pull, leg)| (pull.to_owned(), leg)).collect())
}
