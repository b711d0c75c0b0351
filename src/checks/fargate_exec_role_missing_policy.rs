//! # fargate-exec-role-missing-policy
//!
//! The pod execution role of the Fargate profile may not pull from ECR.
//!
//! ## Why pulls fail
//! Pods on Fargate pull with the pod execution role of their Fargate profile, not with a node role and not
//! with the role of their service account. The role needs `ecr:GetAuthorizationToken`, `ecr:BatchGetImage`
//! and `ecr:GetDownloadUrlForLayer`.
//!
//! ## How to see it
//! - Pod event on a node named `fargate-…`: `401 Unauthorized` without a token, `403 Forbidden` with one.
//!   CoreDNS is often the first pod that fails.
//! - In AWS: `aws eks describe-fargate-profile --query fargateProfile.podExecutionRoleArn` names the role;
//!   `aws iam simulate-principal-policy` answers `implicitDeny`.
//!
//! A 401 also comes from an unreachable `ecr.api`: Fargate subnets are private, so without NAT they need the
//! endpoints.
//!
//! ## What the fix does
//! Attaches the AWS managed policy `AmazonEKSFargatePodExecutionRolePolicy` to the role
//! (`attach-role-policy`). Pods that fail already may have to be recreated (unverified). The rollback
//! detaches the policy, and only if this run attached it.
//!
//! ## What is never automated
//! No wider policy is attached, and no inline or shared policy is edited.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{
    Message,
    credentials::{self, Refused, Whose},
    denial::Policy,
    next,
};

pub(crate) const CAUSE: Cause = Cause {
    id: "fargate-exec-role-missing-policy",
    leg: Some(Leg::PullPermission),
    severity: Severity::Critical,
    remedy: Remedy::Automatic,
    source: include_str!("fargate_exec_role_missing_policy.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let next = "`aws eks describe-fargate-profile --query fargateProfile.podExecutionRoleArn`, then "
        .to_owned()
        + &next::simulate(message);
    if let Some((whose, said)) = credentials::missing(message) {
        let meaning = "the pod execution role gave no credentials";
        return match whose {
            Whose::Fargate => Some(Recognition::likely(said, meaning, next).weight(60)),
            _ => None,
        };
    }
    if let Some((Refused::Fargate, said)) = credentials::refused(message) {
        return Some(Recognition::likely(said, "ECR refused the pod execution role", next).weight(60));
    }
    let denial = message.denial.as_ref().filter(|denial| denial.is_about_pulls() && !denial.explicit)?;
    let is_fargate = message.wrapping.fargate || denial.principal.to_ascii_lowercase().contains("fargate");
    (is_fargate && matches!(denial.policy, Policy::Identity | Policy::Unsaid)).then(|| {
        Recognition::certain(&denial.excerpt, "the pod execution role lacks the permission", next).weight(60)
    })
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"kubelet fargate-ip-10-0-1-2.eu-west-1.compute.internal Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to resolve reference "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": pulling from host 111122223333.dkr.ecr.eu-west-1.amazonaws.com failed with status code [manifests v1]: 401 Unauthorized"#,
    );
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/eks/coredns:v1": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/eks/coredns:v1": failed to resolve reference "111122223333.dkr.ecr.eu-west-1.amazonaws.com/eks/coredns:v1": pulling from host 111122223333.dkr.ecr.eu-west-1.amazonaws.com failed with status code [manifests v1]: 401 Unauthorized"#,
    );
}
