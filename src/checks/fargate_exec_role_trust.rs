//! # fargate-exec-role-trust
//!
//! The Fargate service may not assume the pod execution role of the profile.
//!
//! ## Why pulls fail
//! Pods on Fargate pull with the pod execution role of their Fargate profile. The trust policy of that role
//! must let `eks-fargate-pods.amazonaws.com` assume it. A condition on `aws:SourceArn` must match the
//! profiles of this cluster: `arn:PARTITION:eks:REGION:ACCOUNT:fargateprofile/CLUSTER/*`. If it does not, no
//! pod of the profile starts.
//!
//! ## How to see it
//! - The pod stays `Pending`; this is no image error. Its event says `Misconfigured Fargate Profile: fargate
//!   profile NAME blocked for new launches due to: Failed to assume PodExecutionRole; Please make sure the
//!   role exists and trusts the eks-fargate-pods.amazonaws.com service principal`.
//! - In AWS: `aws iam get-role --role-name ROLE --query Role.AssumeRolePolicyDocument` lacks the service, or
//!   its `aws:SourceArn` names another region, account or cluster. A typical slip is an account id with more
//!   or fewer than twelve digits.
//!
//! ## What the fix does
//! Adds or repairs one statement of the trust policy (`update-trust-policy`), with `ArnLike` on
//! `aws:SourceArn` for the profiles of this cluster. Every other statement stays byte for byte. The rollback
//! puts the old document back.
//!
//! ## What is never automated
//! No statement of the trust policy is dropped, and `aws:SourceArn` is never loosened to `*`: without it
//! another account's profile could use the role by way of the service.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{
    Message,
    credentials::{self, Whose},
    said::Said,
};

pub(crate) const CAUSE: Cause = Cause {
    id: "fargate-exec-role-trust",
    leg: Some(Leg::Credentials),
    severity: Severity::Critical,
    remedy: Remedy::Automatic,
    source: include_str!("fargate_exec_role_trust.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    const MEANING: &str = "the pod stays pending until the role trusts eks-fargate-pods.amazonaws.com";
    let next = "`aws eks describe-fargate-profile` names the role; `aws iam get-role` shows its trust policy; \
        `ecr-fix plan` shows the repair";
    if let Some(said) = message.said(Said::FargateRoleRefused) {
        return Some(Recognition::certain(said, MEANING, next));
    }
    let (whose, said) = credentials::missing(message)?;
    (whose == Whose::Fargate)
        .then(|| Recognition::possible(said, "a role that cannot be assumed gives no credentials", next))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        "Misconfigured Fargate Profile: fargate profile p blocked for new launches due to: Failed to assume PodExecutionRole; Please make sure the role exists and trusts the eks-fargate-pods.amazonaws.com service principal",
    );
}
