//! # image-digest-not-found
//!
//! The repository has no image with this digest.
//!
//! ## Why pulls fail
//! The image is named by its digest, and the repository does not hold it: it was deleted, lies in another
//! repository, account or region, or tag and digest do not belong together. Of an index, single platforms may
//! be gone.
//!
//! ## How to see it
//! - `not found` or `manifest unknown` for a name with `@sha256:…`.
//! - In AWS: `aws ecr batch-get-image` answers `ImageNotFound`, `ImageTagDoesNotMatchDigest` or
//!   `InvalidImageDigest` in `failures`.
//!
//! ## What to do
//! Push the image again (its digest stays the same for the same bytes), or name a digest that exists.
//!
//! ## What is never automated
//! Nothing in AWS can bring back deleted bytes.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, next};

pub(crate) const CAUSE: Cause = Cause {
    id: "image-digest-not-found",
    leg: Some(Leg::Image),
    severity: Severity::Critical,
    remedy: Remedy::NotAws,
    source: include_str!("image_digest_not_found.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let said = message
        .not_found()
        .filter(|_| message.is_in_scope() && !message.is_public() && message.asks_digest())?;
    Some(
        Recognition::likely(said, "the registry does not know the digest", next::describe_images(message))
            .weight(60),
    )
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app@sha256:0123456789012345678901234567890123456789012345678901234567890123": failed to resolve reference "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app@sha256:0123456789012345678901234567890123456789012345678901234567890123": 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app@sha256:0123456789012345678901234567890123456789012345678901234567890123: not found"#,
    );
    super::test_support::first(
        &CAUSE,
        "failed to resolve ref 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1@sha256:0123456789012345678901234567890123456789012345678901234567890123: 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1@sha256:0123456789012345678901234567890123456789012345678901234567890123: not found",
    );
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1@sha256:0123456789012345678901234567890123456789012345678901234567890123": rpc error: code = Unknown desc = reading manifest sha256:0123456789012345678901234567890123456789012345678901234567890123 in 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app: manifest unknown: Requested image not found"#,
    );
    super::test_support::first(
        &CAUSE,
        "CannotPullContainerError: failed to resolve ref ...@sha256:<digest>: not found",
    );
}
