//! # sa-credential-role-denied
//!
//! The role of the service account, which this pull uses, cannot be assumed.
//!
//! ## Why pulls fail
//! Pulls use the role of the node. The exception is the opt-in path in which the kubelet hands the token of a
//! service account to the credential plugin: the service account is annotated with
//! `eks.amazonaws.com/ecr-role-arn`, and the plugin assumes that role. If the trust policy of the role lacks
//! the OIDC provider of the cluster, the audience or the subject, the plugin fails.
//!
//! ## How to see it
//! - `ecr-fix diagnose` finds it where a pod with such a service account waits for its image, and leaves it
//!   open where its pods run: only a file on each node tells whether its kubelet does this.
//! - Kubelet log: `failed to assume role: … AssumeRoleWithWebIdentity … AccessDenied`.
//! - Pod event: `no basic auth credentials`.
//! - `kubectl get sa NAME -o yaml` shows the annotation.
//!
//! ## What to do
//! Mend the trust policy of that role for the OIDC provider of the cluster, its audience and this service
//! account; or delete the annotation, and the role of the node pulls again. IRSA and Pod Identity roles of
//! the application play no part in pulls.
//!
//! ## What is never automated
//! Trust policies of application roles are not changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, said::Said};

pub(crate) const CAUSE: Cause = Cause {
    id: "sa-credential-role-denied",
    leg: Some(Leg::Credentials),
    severity: Severity::High,
    remedy: Remedy::Manual,
    source: include_str!("sa_credential_role_denied.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let said = message.said(Said::WebIdentityRefused)?;
    let next = "`kubectl get sa NAME -o yaml`: annotation eks.amazonaws.com/ecr-role-arn? Then `aws iam get-role` and its trust policy";
    Some(Recognition::likely(said, "the plugin pulls with the role of the service account", next).weight(80))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        "error running credential provider plugin: failed to assume role: operation error STS: AssumeRoleWithWebIdentity, https response error StatusCode: 403, AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity",
    );
}
