//! # hybrid-node-credentials
//!
//! A hybrid node gets no credentials, or its role may not pull.
//!
//! ## Why pulls fail
//! Hybrid nodes stand on premises and have no instance profile. They get the credentials of their role from
//! an SSM hybrid activation or from IAM Roles Anywhere. If the activation expired, the certificate or the
//! trust anchor is wrong, or the role lacks a pull policy, the kubelet pulls without credentials.
//!
//! ## How to see it
//! - `ecr-fix diagnose` takes the role from the access entry of type `HYBRID_LINUX`, and judges its trust
//!   policy and its permissions.
//! - The node has the label `eks.amazonaws.com/compute-type: hybrid`; its name often begins with `mi-`.
//! - Log of the kubelet or of `nodeadm`: `sts:AssumeRole` denied for `rolesanywhere.amazonaws.com`, or a
//!   failed SSM registration.
//! - Pod event: `no basic auth credentials`.
//!
//! ## What the fix does
//! Attaches `AmazonEC2ContainerRegistryPullOnly` to the role of the hybrid nodes where it is missing; the
//! rollback detaches it. If the node has no credentials at all, renew the activation (`nodeadm init`) or the
//! certificate on the node.
//!
//! ## What is never automated
//! Trust anchors, profiles of Roles Anywhere and SSM activations are never edited.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, said::Said};

pub(crate) const CAUSE: Cause = Cause {
    id: "hybrid-node-credentials",
    leg: Some(Leg::Credentials),
    severity: Severity::Critical,
    remedy: Remedy::Automatic,
    source: include_str!("hybrid_node_credentials.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    const NEXT: &str = "on the node: `journalctl -u kubelet -u aws_signing_helper_update -u amazon-ssm-agent`; then \
        `ecr-fix diagnose`, which judges the role";
    if let Some(said) = message.said(Said::HybridSigning) {
        return Some(
            Recognition::likely(said, "the node gets its credentials from IAM Roles Anywhere", NEXT)
                .weight(80),
        );
    }
    let denial = message.denial.as_ref().filter(|denial| denial.is_about_pulls() && !denial.explicit)?;
    let session = denial.session().filter(|session| session.starts_with("mi-"))?;
    Some(Recognition::likely(session, "the session is one of a hybrid node", NEXT).weight(40))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        "E0101 kubelet: error running credential provider plugin: operation error RolesAnywhere: CreateSession, rolesanywhere AccessDeniedException",
    );
}
