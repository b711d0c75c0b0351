//! # sandbox-image-pull-failed
//!
//! The runtime lost the image of the pod sandbox and cannot pull it again without credentials.
//!
//! ## Why pulls fail
//! Every pod needs the `pause` image for its sandbox. The *runtime* pulls it, not the kubelet, so it has no
//! credentials for ECR. Nodes get the image when they start. If the garbage collection of images deletes it
//! later, no new pod starts on the node, though its role is right. Seen with Amazon Linux 2; Amazon Linux
//! 2023 has the image built in and pinned.
//!
//! ## How to see it
//! - Event `FailedCreatePodSandBox`: `failed to get sandbox image
//!   "602401143452.dkr.ecr.REGION.amazonaws.com/eks/pause:…": … 401 Unauthorized` or `no basic auth
//!   credentials`.
//! - Other images of ECR still pull on the same node when the sandbox exists.
//! - On the node: `crictl images | grep pause` finds nothing.
//!
//! ## What to do
//! Replace the node and update its image. As first aid on the node: `crictl pull --creds AWS:$(aws ecr
//! get-login-password --region REGION) IMAGE`.
//!
//! ## What is never automated
//! No IAM policy is attached for this message alone: the role is not at fault.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{
    Message,
    credentials::{self, Whose},
    said::Said,
};

pub(crate) const CAUSE: Cause = Cause {
    id: "sandbox-image-pull-failed",
    leg: Some(Leg::Credentials),
    severity: Severity::Critical,
    remedy: Remedy::NotAws,
    source: include_str!("sandbox_image_pull_failed.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    const NEXT: &str = "on the node: `crictl images | grep pause`; do other ECR images pull there? Replace the node, update its AMI";
    if let Some((Whose::Runtime, said)) = credentials::missing(message) {
        let meaning = "the runtime pulls the sandbox image without the credentials of the kubelet";
        return Some(Recognition::likely(said, meaning, NEXT).weight(70));
    }
    let is_pull = message.wrapping.sandbox && message.says_why() && message.is_in_scope();
    let is_image = message.image.is_some() || message.said(Said::ConfigurationOfImage).is_some();
    (is_pull && is_image).then(|| {
        Recognition::possible("sandbox", "the image of the pod sandbox is what failed", NEXT).weight(45)
    })
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox image "602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/pause:3.5": failed to pull image "602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/pause:3.5": pulling from host 602401143452.dkr.ecr.eu-west-1.amazonaws.com failed with status code [manifests 3.5]: 401 Unauthorized"#,
    );
}
