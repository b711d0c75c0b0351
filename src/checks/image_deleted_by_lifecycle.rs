//! # image-deleted-by-lifecycle
//!
//! A lifecycle policy of the repository deleted the image.
//!
//! ## Why pulls fail
//! A rule such as "keep the last ten images" counts every push. A release that runs for months falls out of
//! the count, and the next node that needs it finds nothing.
//!
//! ## How to see it
//! - `manifest unknown: Requested image not found` for a tag that worked before: after a new node, a restart,
//!   a rollback.
//! - In AWS: `aws ecr get-lifecycle-policy` shows the rule; CloudTrail has the event of the policy (its name
//!   is unverified).
//!
//! ## What to do
//! Build and push the image again, or take it from a node that still has it. Then let the rule spare the tags
//! that are deployed, for example with `tagPatternList`.
//!
//! ## What is never automated
//! The lifecycle policy is not changed unasked, and deleted bytes cannot be brought back.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, said::Said};

pub(crate) const CAUSE: Cause = Cause {
    id: "image-deleted-by-lifecycle",
    leg: Some(Leg::Image),
    severity: Severity::High,
    remedy: Remedy::NotAws,
    source: include_str!("image_deleted_by_lifecycle.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let said = message.not_found().filter(|_| message.is_in_scope() && !message.is_public())?;
    let next = "`aws ecr get-lifecycle-policy --repository-name NAME`; did the tag work before?";
    let meaning = "a tag that worked before may have been expired by a rule";
    let again = [
        "deploy of",
        "redeploy",
        "rollback",
        "roll back",
        "rolled back",
        "restart",
        "scale up",
        "previously",
    ];
    let worked_before = again.iter().any(|word| message.lower.contains(word));
    Some(if worked_before && message.said(Said::ManifestUnknown).is_some() {
        Recognition::likely(said, meaning, next).weight(60)
    } else {
        Recognition::possible(said, meaning, next).weight(70)
    })
}

#[test]
fn recognises_its_messages() {
    super::test_support::among(
        &CAUSE,
        "Error response from daemon: manifest for 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v9 not found: manifest unknown: Requested image not found",
    );
}
