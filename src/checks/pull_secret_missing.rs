//! # pull-secret-missing
//!
//! A pull secret that the pod names does not exist, or a pull that needs one has none.
//!
//! ## Why pulls fail
//! A pod, or its service account, names a secret in `imagePullSecrets` that does not exist in the namespace
//! of the pod. The kubelet warns and pulls all the same, with the credentials of the node. On EKS that
//! usually works, so the warning is often noise beside another cause. Away from EKS nothing else has
//! credentials for ECR, and the pull fails.
//!
//! ## How to see it
//! - Pod event: reason `FailedToRetrieveImagePullSecret`, `Unable to retrieve some image pull secrets (NAME);
//!   attempting to pull the image may not succeed.`
//! - `kubectl get secret NAME -n NAMESPACE` answers `NotFound`.
//! - Without any secret: `no basic auth credentials` or `401 Unauthorized` on clusters whose nodes have no
//!   role.
//!
//! ## What to do
//! On EKS, delete the name from `imagePullSecrets`: the role of the node pulls. Elsewhere, create the secret
//! with `kubectl create secret docker-registry NAME --docker-server=REGISTRY --docker-username=AWS
//! --docker-password=$(aws ecr get-login-password --region REGION)`, and refresh it before twelve hours are
//! over.
//!
//! ## What is never automated
//! Kubernetes Secrets are never written: they hold credentials, and somebody else's controller may own them.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{
    Message,
    credentials::{self, Whose},
    said::Said,
    wrapping::Puller,
};

pub(crate) const CAUSE: Cause = Cause {
    id: "pull-secret-missing",
    leg: Some(Leg::Credentials),
    severity: Severity::High,
    remedy: Remedy::NotAws,
    source: include_str!("pull_secret_missing.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    const NEXT: &str = "`kubectl get pod POD -o jsonpath='{.spec.imagePullSecrets}'` and `kubectl get secret -n NAMESPACE`; \
        on EKS the role of the node pulls, and no secret is needed";
    if let Some(said) = message.said(Said::PullSecretMissing) {
        return Some(
            Recognition::certain(said, "the pod names a secret that the kubelet could not read", NEXT)
                .weight(80),
        );
    }
    let (whose, said) = credentials::missing(message)?;
    let meaning =
        "the pull had no credentials, and nothing in the message shows a node whose role could have some";
    match whose {
        Whose::PullSecret => Some(Recognition::likely(said, meaning, NEXT)),
        Whose::Foreign | Whose::Node if message.wrapping.puller != Puller::Ecs => {
            // Whoever is not a kubelet needs a login of its own.
            let weight = if message.wrapping.puller == Puller::Kubelet { 45 } else { 78 };
            Some(Recognition::possible(said, "no login matched the registry", NEXT).weight(weight))
        }
        _ => None,
    }
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        "Unable to retrieve some image pull secrets (regcred); attempting to pull the image may not succeed.",
    );
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "<account>.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = failed to pull and unpack image "<account>.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to resolve reference "<account>.dkr.ecr.eu-west-1.amazonaws.com/app:v1": pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials"#,
    );
}
