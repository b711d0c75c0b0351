//! # image-policy-rejected
//!
//! A policy on the cluster or the node refuses the image.
//!
//! ## Why pulls fail
//! An admission webhook (Kyverno, Ratify, Gatekeeper, Connaisseur), or the signature policy of the runtime,
//! does not accept the image (unverified in detail).
//!
//! ## How to see it
//! - `admission webhook "…" denied the request`, `SignatureValidationFailed`, `Source image rejected: A
//!   signature was required`.
//!
//! ## What to do
//! Sign the image, take it from an allowed registry, or ask whoever owns the policy.
//!
//! ## What is never automated
//! Policies and webhooks are security controls and are never changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, said::Said};

pub(crate) const CAUSE: Cause = Cause {
    id: "image-policy-rejected",
    leg: Some(Leg::Image),
    severity: Severity::High,
    remedy: Remedy::NotAws,
    source: include_str!("image_policy_rejected.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let said = message.said(Said::Rejected)?;
    let next = "`kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations`; on CRI-O nodes /etc/containers/policy.json";
    Some(Recognition::certain(said, "a policy refuses the image", next).weight(70))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"admission webhook "validate.kyverno.svc" denied the request: image verification failed for 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1"#,
    );
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "registry.example.com/app:v1": unknown: the image is not signed"#,
    );
}
