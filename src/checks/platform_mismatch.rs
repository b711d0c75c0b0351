//! # platform-mismatch
//!
//! The image has no variant for the platform of the node.
//!
//! ## Why pulls fail
//! The node is arm64 (Graviton) and the image was built for amd64 alone, or the other way round; or a Windows
//! node asks for a Linux image or another Windows version. Pods on Fargate run on x86 only (unverified). An
//! image with a single manifest of the wrong platform pulls well and fails later with `exec format error`.
//!
//! ## How to see it
//! - containerd: `no match for platform in manifest: not found`.
//! - Docker: `no matching manifest for linux/arm64/v8 in the manifest list entries`.
//! - CRI-O: `no image found in manifest list for architecture …`.
//! - `kubectl get nodes -L kubernetes.io/arch` against `docker buildx imagetools inspect IMAGE`.
//!
//! ## What to do
//! Build for both platforms (`docker buildx build --platform linux/amd64,linux/arm64 --push`), or pin the pod
//! to nodes of the right one with a node selector on `kubernetes.io/arch`.
//!
//! ## What is never automated
//! Workloads are never changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, next, said::Said};

pub(crate) const CAUSE: Cause = Cause {
    id: "platform-mismatch",
    leg: Some(Leg::Image),
    severity: Severity::Critical,
    remedy: Remedy::NotAws,
    source: include_str!("platform_mismatch.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let said = message.said(Said::NoPlatform)?;
    if message.wrapping.plugin {
        return None;
    }
    let next = next::platforms(message);
    Some(if message.is_in_scope() {
        Recognition::certain(said, "the image has no variant for the platform of the node", next)
    } else {
        Recognition::likely(said, "the image has no variant for the platform of the node", next)
    })
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": no match for platform in manifest: not found"#,
    );
    super::test_support::first(
        &CAUSE,
        "no matching manifest for linux/arm64/v8 in the manifest list entries",
    );
}
