//! # immutable-tag-confusion
//!
//! A push was refused because tags are immutable, so the tag is old or absent.
//!
//! ## Why pulls fail
//! Immutable tags never break a pull. They refuse a second push under the same tag, and a pipeline that
//! ignores it deploys a tag that is old, or that never came to be. Set on a repository of a pull-through
//! cache, they also stop its updates.
//!
//! ## How to see it
//! - The pipeline says `ImageTagAlreadyExistsException`, or `tag invalid: The image tag … already exists …
//!   and cannot be overwritten because the repository is immutable`.
//!
//! ## What to do
//! Push under a new tag for each build, and deploy that one.
//!
//! ## What is never automated
//! The setting is not changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, next, said::Said};

pub(crate) const CAUSE: Cause = Cause {
    id: "immutable-tag-confusion",
    leg: Some(Leg::Image),
    severity: Severity::Low,
    remedy: Remedy::NotAws,
    source: include_str!("immutable_tag_confusion.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    const MEANING: &str = "this is a push that was refused, not a pull";
    if let Some(said) = message.said(Said::TagImmutable) {
        return Some(Recognition::certain(said, MEANING, next::list_images(message)));
    }
    // Only a push puts manifests, and containerd drops the reason.
    let said = message.has_status(400).filter(|_| message.lower.contains("from put request to "))?;
    message.is_in_scope().then(|| Recognition::likely(said, MEANING, next::list_images(message)).weight(60))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        "tag invalid: The image tag 'v1' already exists in the 'app' repository and cannot be overwritten because the repository is immutable.",
    );
}
