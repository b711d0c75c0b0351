//! # image-archived
//!
//! The image was moved to the archive, from which it cannot be pulled.
//!
//! ## Why pulls fail
//! An archived image stays in the repository, but a pull gets 404, as if it were not there.
//!
//! ## How to see it
//! - `not found`, as for a missing tag.
//! - In AWS: `aws ecr describe-images --filter imageStatus=ARCHIVED` finds it (`imageStatus`,
//!   `lastArchivedAt`).
//!
//! ## What to do
//! `aws ecr update-image-storage-class --repository-name NAME --image-id imageTag=TAG --target-storage-class
//! STANDARD`, then wait until it is `ACTIVE`. It may cost, and an archived image is paid for 90 days at
//! least.
//!
//! ## What is never automated
//! Images are not restored unasked, because it costs money.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, next};

pub(crate) const CAUSE: Cause = Cause {
    id: "image-archived",
    leg: Some(Leg::Image),
    severity: Severity::High,
    remedy: Remedy::Manual,
    source: include_str!("image_archived.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let said = message.not_found().filter(|_| message.is_in_scope() && !message.is_public())?;
    Some(
        Recognition::possible(
            said,
            "an archived image answers like a missing one",
            next::describe_images(message),
        )
        .weight(60),
    )
}

#[test]
fn recognises_its_messages() {
    super::test_support::among(
        &CAUSE,
        "Error response from daemon: manifest for 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v9 not found: manifest unknown: Requested image not found",
    );
}
