//! # pull-secret-wrong
//!
//! A pull secret is there, but it does not fit the registry.
//!
//! ## Why pulls fail
//! The host in the secret is not exactly the host of the image, the secret has the wrong type, its content is
//! damaged, or it holds a token of another region: a token of ECR works only in the region that issued it.
//!
//! ## How to see it
//! - `401 Unauthorized`, `403 Forbidden`, `no basic auth credentials` although the pod names a secret.
//! - `kubectl get secret NAME -o jsonpath='{.data.\.dockerconfigjson}' | base64 -d` names another host, for
//!   example with `https://`, a path, or another region.
//!
//! ## What to do
//! On EKS, delete the reference in `imagePullSecrets`: the role of the node pulls. Elsewhere, create the
//! secret anew with the exact host of the image and the region of that host.
//!
//! ## What is never automated
//! Kubernetes Secrets are never written.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{
    Message,
    credentials::{self, Whose},
    request::Target,
    said::Said,
};

pub(crate) const CAUSE: Cause = Cause {
    id: "pull-secret-wrong",
    leg: Some(Leg::Credentials),
    severity: Severity::High,
    remedy: Remedy::NotAws,
    source: include_str!("pull_secret_wrong.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    const NEXT: &str = "`kubectl get secret NAME -o jsonpath='{.data.\\.dockerconfigjson}' | base64 -d | jq '.auths | keys'`: \
        is the host of the image among them, exactly?";
    if let Some(said) = message.said(Said::PullSecretBroken) {
        return Some(Recognition::certain(said, "the content of a pull secret cannot be read", NEXT));
    }
    if let Some(said) = message.said(Said::LoginRefused).filter(|_| message.is_in_scope()) {
        return Some(Recognition::likely(said, "the registry refused user and password", NEXT).weight(70));
    }
    let bad = message.has_status(400).filter(|_| message.target() == Some(Target::Registry));
    if let Some(said) = bad.filter(|_| message.denial.is_none() && message.private_image().is_some()) {
        let meaning = "ECR answers so to a token that it cannot read, or that is of another region";
        return Some(Recognition::likely(said, meaning, NEXT));
    }
    let (whose, said) = credentials::missing(message)?;
    let fits = matches!(whose, Whose::PullSecret | Whose::Node | Whose::Foreign);
    fits.then(|| {
        Recognition::possible(said, "a secret for another host or region does not help", NEXT).weight(15)
    })
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"Error response from daemon: Head "https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/app/manifests/v1": unauthorized: incorrect username or password"#,
    );
}
