//! # windows-foreign-layers
//!
//! Layers of Windows are not in ECR; the node must fetch them from Microsoft.
//!
//! ## Why pulls fail
//! Base layers of Windows images are often pushed as references to Microsoft's servers. A node that pulls
//! such an image from ECR goes to `mcr.microsoft.com` for them, which a private VPC cannot reach.
//!
//! ## How to see it
//! - `ecr-fix diagnose` finds it where the manifest was read, and Windows nodes have no way to the internet.
//! - A failure on a host of Microsoft while an image of ECR is pulled.
//! - The media type of the layer has `foreign` or `nondistributable` in it.
//!
//! ## What to do
//! Push the image with the layers: `--allow-nondistributable-artifacts` of the Docker daemon for your
//! registry.
//!
//! ## What is never automated
//! Images are never rewritten, and no internet path is opened.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::Message;
use crate::explain::message::is_of_microsoft;

pub(crate) const CAUSE: Cause = Cause {
    id: "windows-foreign-layers",
    leg: Some(Leg::LayerNetwork),
    severity: Severity::High,
    remedy: Remedy::NotAws,
    source: include_str!("windows_foreign_layers.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let request = message.requests.last().filter(|request| is_of_microsoft(&request.host))?;
    let image = message.image.as_ref().filter(|image| !is_of_microsoft(&image.registry))?;
    let next = "push the image again with `allow-nondistributable-artifacts` for the registry";
    let meaning = "layers of Windows come from Microsoft, not from the registry of the image";
    Some(if image.is_ecr() {
        Recognition::likely(&request.host, meaning, next).weight(80)
    } else {
        Recognition::possible(&request.host, meaning, next).weight(90)
    })
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/win:1": failed to copy: httpReadSeeker: failed open: failed to do request: Get "https://mcr.microsoft.com/v2/windows/servercore/blobs/sha256:00": dial tcp 204.79.197.219:443: i/o timeout"#,
    );
}
