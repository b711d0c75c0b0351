//! # image-tag-not-found
//!
//! The repository exists, but it has no such tag.
//!
//! ## Why pulls fail
//! The tag was never pushed, was pushed to another repository, account or region, is misspelled, or is gone.
//! `latest` exists only if somebody pushes it. A blank or an empty variable at the end of the name does the
//! same.
//!
//! ## How to see it
//! - Docker, CRI-O: `manifest for HOST/NAME:TAG not found: manifest unknown: Requested image not found`.
//! - containerd: `HOST/NAME:TAG: not found`.
//! - In AWS: `aws ecr describe-images --image-ids imageTag=TAG` answers `ImageNotFoundException`, with
//!   `--filter imageStatus=ARCHIVED` as well.
//!
//! ## What to do
//! Push the image, or correct the tag in the workload. `aws ecr list-images` shows what is there.
//!
//! ## What is never automated
//! Nothing in AWS can bring back a tag that was never pushed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, next, said::Said};

pub(crate) const CAUSE: Cause = Cause {
    id: "image-tag-not-found",
    leg: Some(Leg::Image),
    severity: Severity::Critical,
    remedy: Remedy::NotAws,
    source: include_str!("image_tag_not_found.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let next = next::describe_images(message);
    if let Some(said) = message.said(Said::NoSuchImageHere).filter(|_| message.private_image().is_some()) {
        return Some(Recognition::possible(said, "the image never arrived on the node", next).weight(70));
    }
    let said = message.not_found().filter(|_| !message.is_public() && !message.asks_digest())?;
    let meaning = "the registry does not know the tag";
    Some(if message.is_in_scope() {
        Recognition::likely(said, meaning, next).weight(55)
    } else {
        Recognition::possible(said, meaning, next)
    })
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v9": rpc error: code = NotFound desc = failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v9": failed to resolve reference "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v9": 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v9: not found"#,
    );
    super::test_support::first(
        &CAUSE,
        "Error response from daemon: manifest for 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v9 not found: manifest unknown: Requested image not found",
    );
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v9": ... not found"#,
    );
    super::test_support::first(
        &CAUSE,
        "Error response from daemon: manifest for 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v9 not found",
    );
    super::test_support::first(
        &CAUSE,
        "The image with imageId {imageDigest:'null', imageTag:'v9'} does not exist within the repository with name 'app' in the registry with id '111122223333'",
    );
    super::test_support::first(
        &CAUSE,
        "CannotPullContainerError: failed to resolve ref:\n<account>.dkr.ecr.eu-west-1.amazonaws.com/app:v9 not found",
    );
}
