//! # fargate-storage-full
//!
//! The storage of the pod on Fargate is full.
//!
//! ## Why pulls fail
//! A pod on Fargate has 20 GiB of storage by default, for its images and its data, of which somewhat less is
//! usable.
//!
//! ## How to see it
//! - `no space left on device` on a node named `fargate-…`.
//!
//! ## What to do
//! Ask for more in the pod: `resources.requests.ephemeral-storage`, up to 175 GiB.
//!
//! ## What is never automated
//! Workloads are never changed.

use super::{Cause, Recognition, Remedy, Severity};
use crate::explain::{Message, said::Said};

pub(crate) const CAUSE: Cause = Cause {
    id: "fargate-storage-full",
    leg: None,
    severity: Severity::Critical,
    remedy: Remedy::NotAws,
    source: include_str!("fargate_storage_full.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let said = message.said(Said::DiskFull).filter(|_| message.wrapping.fargate)?;
    let next = "request more `ephemeral-storage` in the pod, up to 175 GiB";
    Some(Recognition::certain(said, "a pod on Fargate has 20 GiB unless it asks for more", next).weight(90))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        "fargate-ip-10-0-0-1: failed to extract layer: write /var/lib/containerd/x: no space left on device",
    );
}
