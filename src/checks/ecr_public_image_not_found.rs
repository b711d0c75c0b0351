//! # ecr-public-image-not-found
//!
//! ECR Public has no such repository or tag.
//!
//! ## Why pulls fail
//! The alias, the repository or the tag is misspelled, or the publisher took it away. Not every image of
//! Docker Hub is also at `public.ecr.aws/docker/library`.
//!
//! ## How to see it
//! - `public.ecr.aws/ALIAS/NAME:TAG: not found`, or `manifest unknown: Requested image not found`.
//! - The ECR Public Gallery, https://gallery.ecr.aws, shows what is there.
//!
//! ## What to do
//! Correct the name or the tag.
//!
//! ## What is never automated
//! Workloads are never changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, said::Said};

pub(crate) const CAUSE: Cause = Cause {
    id: "ecr-public-image-not-found",
    leg: Some(Leg::Image),
    severity: Severity::Critical,
    remedy: Remedy::NotAws,
    source: include_str!("ecr_public_image_not_found.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let said = message
        .not_found()
        .or_else(|| message.sayings.any(&[Said::RepositoryUnknown, Said::NoPullAccess]))?;
    let next = "search the image and its tags at https://gallery.ecr.aws";
    message.is_public().then(|| Recognition::certain(said, "ECR Public does not know the name", next))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "public.ecr.aws/a/b:1": rpc error: code = NotFound desc = failed to pull and unpack image "public.ecr.aws/a/b:1": failed to resolve reference "public.ecr.aws/a/b:1": public.ecr.aws/a/b:1: not found"#,
    );
}
