//! # ecr-public-auth-denied
//!
//! The role may not get a token for ECR Public; pulls go on without one.
//!
//! ## Why pulls fail
//! The credential plugin asks ECR Public for a token, which needs `ecr-public:GetAuthorizationToken` and
//! `sts:GetServiceBearerToken`. If the role lacks them, the kubelet pulls anonymously, which works. So this
//! is no cause of a failed pull, only a lower limit of anonymous pulls.
//!
//! ## How to see it
//! - Kubelet log only: `operation error ECR PUBLIC: GetAuthorizationToken … AccessDeniedException`.
//!
//! ## What to do
//! Nothing needs to be done. For the higher limits of known callers, attach
//! `AmazonElasticContainerRegistryPublicReadOnly` to the role.
//!
//! ## What is never automated
//! The policy is not attached by itself: pulls work without it.

use super::{Cause, Recognition, Remedy, Severity};
use crate::explain::Message;

pub(crate) const CAUSE: Cause = Cause {
    id: "ecr-public-auth-denied",
    leg: None,
    severity: Severity::Low,
    remedy: Remedy::Manual,
    source: include_str!("ecr_public_auth_denied.rs"),
    recognise,
};

/// Bottlerocket's `host-ctr` says so, and pulls without a token.
const FALLBACK: [&str; 1] = ["ecr-public: failed to get authorization token"];

fn recognise(message: &Message) -> Option<Recognition> {
    let next = "look for another cause: anonymous pulls from ECR Public work without this permission";
    let meaning = "the kubelet goes on without a token, which ECR Public accepts";
    if let Some(denial) = message.denial.as_ref().filter(|denial| denial.is_about_public()) {
        return Some(Recognition::certain(&denial.action, meaning, next).weight(80));
    }
    let at = ["operation error ecr public", "ecr-public:getauthorizationtoken", "sts:getservicebearertoken"]
        .iter()
        .find(|words| message.lower.contains(**words) && message.lower.contains("denied"))
        .or_else(|| FALLBACK.iter().find(|words| message.lower.contains(**words)))?;
    Some(Recognition::certain(at, meaning, next).weight(80))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        "main.go:262] Error running credential provider plugin: operation error ECR PUBLIC: GetAuthorizationToken, https response error StatusCode: 400, RequestID: 9cdb, api error AccessDeniedException: User: arn:aws:sts::111122223333:assumed-role/n/i-0 is not authorized to perform: ecr-public:GetAuthorizationToken on resource: * because no identity-based policy allows the ecr-public:GetAuthorizationToken action",
    );
}
