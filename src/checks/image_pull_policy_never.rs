//! # image-pull-policy-never
//!
//! The pod forbids pulling, and the image is not on the node.
//!
//! ## Why pulls fail
//! With `imagePullPolicy: Never` the kubelet uses only what the node already has.
//!
//! ## How to see it
//! - Waiting reason `ErrImageNeverPull`: `Container image "NAME" is not present with pull policy of Never`.
//!
//! ## What to do
//! Set `imagePullPolicy: IfNotPresent`, or bring the image onto the nodes in advance.
//!
//! ## What is never automated
//! Workloads are never changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, said::Said};

pub(crate) const CAUSE: Cause = Cause {
    id: "image-pull-policy-never",
    leg: Some(Leg::Image),
    severity: Severity::High,
    remedy: Remedy::NotAws,
    source: include_str!("image_pull_policy_never.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let said = message.said(Said::NeverPull)?;
    let next = "`kubectl get pod POD -o jsonpath='{..imagePullPolicy}'`: set IfNotPresent";
    Some(Recognition::certain(said, "the pod forbids pulling", next).weight(70))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"Container image "app:v1" is not present with pull policy of Never"#,
    );
}
