//! # layer-blob-missing
//!
//! The manifest is there, but one of its layers is not.
//!
//! ## Why pulls fail
//! A push was interrupted, or a replication is still running: the manifest arrived before all layers.
//! Mounting of layers from another repository (`BLOB_MOUNTING`) is decided at the push and needs no right of
//! whoever pulls.
//!
//! ## How to see it
//! - `ecr-fix diagnose` finds it in a snapshot that holds the manifest (`batch-get-image`) and the answer of
//!   `batch-check-layer-availability`, best with `registryId` and `repositoryName` beside `layers`.
//! - 404 for an address with `/blobs/sha256:…`, `blob unknown`, `LayersNotFoundException`,
//!   `LayerInaccessibleException`.
//! - In AWS: `aws ecr batch-check-layer-availability` answers `UNAVAILABLE`; `aws ecr
//!   describe-image-replication-status` shows `IN_PROGRESS`.
//!
//! ## What to do
//! Wait for the replication, or push the image again: only missing layers are sent.
//!
//! ## What is never automated
//! Layers cannot be restored by a change in AWS.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, said::Said};

pub(crate) const CAUSE: Cause = Cause {
    id: "layer-blob-missing",
    leg: Some(Leg::Image),
    severity: Severity::Critical,
    remedy: Remedy::NotAws,
    source: include_str!("layer_blob_missing.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let next = "`aws ecr describe-image-replication-status`, else push the image again";
    let of_blob =
        message.has_status(404).filter(|_| message.requests.last().is_some_and(|request| request.is_blob()));
    let content = message
        .said(Said::NotFound)
        .filter(|_| message.requests.last().is_some_and(|request| request.is_blob()));
    let said = message.said(Said::BlobUnknown).or(of_blob).or(content).filter(|_| message.is_in_scope())?;
    Some(Recognition::certain(said, "a layer is missing behind a manifest that exists", next))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        "failed to copy: httpReadSeeker: failed open: content at https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/app/blobs/sha256:00aa not found: not found",
    );
}
