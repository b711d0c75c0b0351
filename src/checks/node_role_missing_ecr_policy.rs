//! # node-role-missing-ecr-policy
//!
//! The role of the node may not get a token from ECR, or may not pull with it.
//!
//! ## Why pulls fail
//! The kubelet pulls with the role of its node, never with the service account of the pod: IRSA and Pod
//! Identity roles play no part. The role needs `ecr:GetAuthorizationToken`, `ecr:BatchGetImage` and
//! `ecr:GetDownloadUrlForLayer`. Without the first, the credential plugin fails, the kubelet pulls without
//! credentials, and ECR answers 401. With the token but without the others, ECR answers 403.
//!
//! It holds for every kind of node; only the role differs: the role in the instance profile (managed and
//! self-managed node groups, Karpenter), the role of the NodeClass (EKS Auto Mode), or the role of a hybrid
//! node.
//!
//! ## How to see it
//! - Pod event without a token: `no basic auth credentials` or `401 Unauthorized`.
//! - Pod event with a token: `403 Forbidden` (containerd), or `not authorized to perform: ecr:BatchGetImage …
//!   because no identity-based policy allows …` (Docker, CRI-O).
//! - In AWS: `aws iam simulate-principal-policy --policy-source-arn ROLE_ARN --action-names
//!   ecr:GetAuthorizationToken ecr:BatchGetImage ecr:GetDownloadUrlForLayer` answers `implicitDeny`.
//!
//! `no basic auth credentials` alone proves only that no credentials were sent. An unreachable `ecr.api`
//! endpoint, an unreachable metadata service, a missing instance profile or a missing credential plugin look
//! the same.
//!
//! ## What the fix does
//! Attaches the AWS managed policy `AmazonEC2ContainerRegistryPullOnly` to the role (`attach-role-policy`),
//! or `AmazonEC2ContainerRegistryReadOnly` with `--pull-policy read-only` or where the partition lacks
//! PullOnly. The next pull of a node without cached credentials works; nothing needs a reboot (unverified for
//! every version of the kubelet). The rollback detaches the policy, and only if this run attached it.
//!
//! ## What is never automated
//! No `PowerUser` or `FullAccess` policy is attached, no inline policy is edited in place, and no customer
//! managed policy that other roles share is changed. Roles that services of AWS own are left alone. If the
//! role is managed as code, the code has to follow.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{
    Message,
    credentials::{self, Refused, Whose},
    denial::Denial,
    denial::Policy,
    next,
};

pub(crate) const CAUSE: Cause = Cause {
    id: "node-role-missing-ecr-policy",
    leg: Some(Leg::PullPermission),
    severity: Severity::Critical,
    remedy: Remedy::Automatic,
    source: include_str!("node_role_missing_ecr_policy.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let next = next::simulate(message);
    if let Some(denial) = &message.denial {
        return denied(denial, next);
    }
    if let Some((whose, said)) = credentials::missing(message) {
        let meaning = "the node sent no credentials; without the right to a token it has none";
        return match whose {
            Whose::Node => Some(Recognition::likely(said, meaning, next).weight(60)),
            Whose::Foreign | Whose::Public => None,
            _ => Some(Recognition::possible(said, meaning, next).weight(75)),
        };
    }
    let (whose, said) = credentials::refused(message)?;
    let meaning = "ECR knew who asked and refused; containerd drops the reason";
    match whose {
        Refused::Node => Some(Recognition::likely(said, meaning, next).weight(60)),
        Refused::Public => None,
        _ => Some(Recognition::possible(said, meaning, next).weight(70)),
    }
}

fn denied(denial: &Denial, next: String) -> Option<Recognition> {
    let meaning = "the role lacks the permission";
    if denial.explicit || !denial.is_about_registries() {
        return None;
    }
    match denial.policy {
        Policy::Identity => Some(Recognition::certain(&denial.excerpt, meaning, next)),
        Policy::Unsaid if denial.is_cross_account() => {
            Some(Recognition::possible(&denial.excerpt, meaning, next).weight(70))
        }
        Policy::Unsaid => Some(Recognition::likely(&denial.excerpt, meaning, next).weight(60)),
        Policy::Resource => Some(Recognition::possible(&denial.excerpt, meaning, next).weight(30)),
        _ => None,
    }
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"kubelet, ip-10-0-0-1.us-west-2.compute.internal Failed to pull image "111122223333.dkr.ecr.us-west-2.amazonaws.com/app:v1": rpc error: code = Unknown desc = Error response from daemon: Get https://111122223333.dkr.ecr.us-west-2.amazonaws.com/v2/app/manifests/v1: no basic auth credentials"#,
    );
    super::test_support::first(
        &CAUSE,
        "Error response from daemon: pull access denied for 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app, repository does not exist or may require 'docker login': denied: User: arn:aws:sts::111122223333:assumed-role/node/i-0abc is not authorized to perform: ecr:BatchGetImage on resource: arn:aws:ecr:eu-west-1:111122223333:repository/app because no identity-based policy allows the ecr:BatchGetImage action",
    );
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to resolve reference "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": unexpected status from HEAD request to https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/app/manifests/v1: 403 Forbidden"#,
    );
    super::test_support::first(
        &CAUSE,
        "GET https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/app/manifests/v1: UNAUTHORIZED",
    );
    super::test_support::first(
        &CAUSE,
        "not authorized to perform: ecr:GetAuthorizationToken on resource: * because no identity-based policy allows the action",
    );
    super::test_support::first(
        &CAUSE,
        "denied: User: arn:aws:iam::111122223333:user/builder is not authorized",
    );
    super::test_support::first(
        &CAUSE,
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve ecr registry auth: service call has been retried 1 time(s): AccessDeniedException: User: arn:aws:sts::111122223333:assumed-rol...",
    );
}
