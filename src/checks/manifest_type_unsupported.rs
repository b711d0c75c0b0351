//! # manifest-type-unsupported
//!
//! The runtime cannot use what the tag points to: it is no image, or of a kind it does not know.
//!
//! ## Why pulls fail
//! The tag points to a Helm chart, an attestation, a signature or another artifact; or to a manifest of
//! schema 1, which containerd 2 no longer takes; or the runtime is too old for the OCI format. An old
//! registry may also refuse the types that the runtime asks for.
//!
//! ## How to see it
//! - `no processor for media-type: unknown`, `unsupported media type`, `405 Method Not Allowed … Invalid
//!   parameter at 'acceptedMediaTypes'`.
//! - `number of layers and diffIDs don't match`: an older containerd took an attestation for an image.
//! - In AWS: `aws ecr describe-images` shows `imageManifestMediaType` and `artifactMediaType`.
//!
//! ## What to do
//! Push an image under that tag (build without attestations: `--provenance=false`), convert schema 1 by
//! pulling and pushing with a current tool, or name the right tag.
//!
//! ## What is never automated
//! Images are never rewritten.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, said::Said};

pub(crate) const CAUSE: Cause = Cause {
    id: "manifest-type-unsupported",
    leg: Some(Leg::Image),
    severity: Severity::Critical,
    remedy: Remedy::NotAws,
    source: include_str!("manifest_type_unsupported.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let said = message
        .said(Said::MediaType)
        .or_else(|| message.has_status(405).filter(|_| message.is_in_scope()))?;
    let next =
        "`aws ecr describe-images --query 'imageDetails[].[imageManifestMediaType,artifactMediaType]'`";
    Some(Recognition::certain(
        said,
        "the manifest is of a kind that the runtime or the registry does not take",
        next,
    ))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/chart:1": failed to unpack image on snapshotter overlayfs: no processor for media-type: unknown"#,
    );
    super::test_support::first(&CAUSE, "number of layers and diffIDs don't match: 1 != 3");
}
