//! # unclassified
//!
//! Nothing in the message is known to ecr-fix.
//!
//! ## Why pulls fail
//! The text fits no rule. It may be cut before its cause, be about something else than a pull, or be new.
//!
//! ## How to see it
//! A pull takes these steps; the words of the failing one usually stand at the end of a message:
//! - the name is parsed: `InvalidImageName`;
//! - pull secrets are read: `FailedToRetrieveImagePullSecret`;
//! - the credential plugin asks for a token: only in the log of the kubelet;
//! - the registry is found and reached: `no such host`, `i/o timeout`, `TLS handshake timeout`, `x509`;
//! - the manifest is fetched: `401`, `403`, `not found`;
//! - the platform is chosen: `no match for platform in manifest`;
//! - layers are fetched from S3: `httpReadSeeker: failed open`, `error pulling image configuration`;
//! - layers are unpacked: `no space left on device`, `failed to extract layer`.
//!
//! ## What to do
//! Hand over the whole message: `kubectl describe pod POD`, or the log of the kubelet. `ecr-fix diagnose`
//! judges every step from the state of AWS.

use super::{Cause, Recognition, Remedy, Severity};
use crate::explain::Message;

pub(crate) const CAUSE: Cause = Cause {
    id: "unclassified",
    leg: None,
    severity: Severity::Low,
    remedy: Remedy::NotAws,
    source: include_str!("unclassified.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let next = "hand over the whole message: `kubectl describe pod POD`, or the log of the kubelet; or run `ecr-fix diagnose`";
    // It fits every message; `explain` keeps it only where nothing else does.
    Some(Recognition::possible(&message.beginning(), "nothing in it is known", next).weight(0))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(&CAUSE, "Started container app");
}
