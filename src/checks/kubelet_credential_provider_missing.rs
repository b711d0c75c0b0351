//! # kubelet-credential-provider-missing
//!
//! The kubelet cannot run `ecr-credential-provider`, so it has no credentials for ECR.
//!
//! ## Why pulls fail
//! Since Kubernetes 1.27 or so (version unverified) the kubelet holds no code for ECR. It runs the plugin
//! `ecr-credential-provider`, named by the flags `--image-credential-provider-config` and
//! `--image-credential-provider-bin-dir`. On custom images of nodes the plugin may be missing, lie in another
//! directory, be built for another platform, or speak an API version that the kubelet no longer knows. Very
//! old kubelets needed `--cloud-provider=aws` instead.
//!
//! ## How to see it
//! - Every image of ECR fails with `no basic auth credentials` or `401 Unauthorized`, those of add-ons too,
//!   though the role is right.
//! - Kubelet log: `error execing credential provider plugin ecr-credential-provider …: fork/exec …: no such
//!   file or directory`, or `group version credentialprovider.kubelet.k8s.io/v1beta1 is not supported`.
//! - The node group has `amiType: CUSTOM`, or the node is self-managed.
//!
//! ## What to do
//! Install a plugin that fits the Kubernetes version into the image of the node, name it in the flags of the
//! kubelet, and replace the nodes; or use an EKS-optimized image, which has it.
//!
//! ## What is never automated
//! Nodes are never changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::wrapping::Puller;
use crate::explain::{
    Message,
    credentials::{self, Whose},
    said::Said,
};

pub(crate) const CAUSE: Cause = Cause {
    id: "kubelet-credential-provider-missing",
    leg: Some(Leg::Credentials),
    severity: Severity::Critical,
    remedy: Remedy::NotAws,
    source: include_str!("kubelet_credential_provider_missing.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    const NEXT: &str = "on the node: `ps -o args= -C kubelet | tr ' ' '\\n' | grep image-credential-provider`; does the plugin \
        lie in that directory, executable?";
    const MISSING: &str = "the kubelet cannot run the plugin";
    if let Some(said) = message.said(Said::PluginMissing) {
        return Some(Recognition::certain(said, "kubelet and plugin do not fit each other", NEXT).weight(80));
    }
    if let Some(said) = message.said(Said::PluginFailed) {
        let absent = [
            "no such file or directory",
            "permission denied",
            "exec format error",
            "executable file not found",
        ]
        .iter()
        .any(|reason| message.lower.contains(reason));
        if absent {
            return Some(Recognition::certain(said, MISSING, NEXT).weight(80));
        }
    }
    let (whose, said) = credentials::missing(message)?;
    let meaning = "a kubelet without the plugin sends no credentials";
    match whose {
        Whose::Plugin => {
            Some(Recognition::likely(said, "a kubelet this old needs --cloud-provider=aws for ECR", NEXT))
        }
        Whose::Node | Whose::PullSecret | Whose::Mirror | Whose::Runtime | Whose::Pattern => {
            let weight = if message.wrapping.puller == Puller::Kubelet { 56 } else { 40 };
            Some(Recognition::possible(said, meaning, NEXT).weight(weight))
        }
        _ => None,
    }
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        "Failed getting credential from external registry credential provider: error execing credential provider plugin ecr-credential-provider for image 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app: fork/exec /usr/local/bin/ecr-credential-provider: no such file or directory",
    );
}
