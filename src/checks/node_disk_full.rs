//! # node-disk-full
//!
//! The disk of the node is full.
//!
//! ## Why pulls fail
//! The runtime writes layers to the disk of the node and unpacks them there. Without space neither works;
//! with `DiskPressure` the kubelet also deletes images and evicts pods.
//!
//! ## How to see it
//! - In Kubernetes: the node has the condition `DiskPressure`, and the taint
//!   `node.kubernetes.io/disk-pressure`: `ecr-fix diagnose` finds both.
//! - `no space left on device`, the node condition `DiskPressure`; old Docker: `filesystem layer verification
//!   failed for digest …`.
//! - On the node: `df -h`, `df -i`.
//!
//! ## What to do
//! Grow the volume in the launch template (Auto Mode: `ephemeralStorage` of the NodeClass) and replace the
//! node.
//!
//! ## What is never automated
//! Images and files on nodes are never deleted.

use super::{Cause, Recognition, Remedy, Severity};
use crate::explain::{Message, said::Said};

pub(crate) const CAUSE: Cause = Cause {
    id: "node-disk-full",
    leg: None,
    severity: Severity::Critical,
    remedy: Remedy::NotAws,
    source: include_str!("node_disk_full.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let said = message.said(Said::DiskFull)?;
    let next = "on the node: `df -h` and `df -i`; grow the volume in the launch template";
    Some(Recognition::certain(said, "the disk of the node is full", next).weight(80))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        "CannotPullContainerError: write /var/lib/docker/tmp/GetImageBlob1: no space left on device",
    );
}
