//! # pull-secret-expired
//!
//! The pull uses an ECR token that is older than twelve hours.
//!
//! ## Why pulls fail
//! A token of ECR is valid for twelve hours. A pull secret, or a login in a file of Docker, that nobody
//! refreshes stops working after that. The kubelet tries every credential that matches the host, so an old
//! secret can spoil a pull that the role of the node would have done (the order differs between versions,
//! unverified).
//!
//! ## How to see it
//! - Docker and CRI-O: `denied: Your authorization token has expired. Reauthenticate and try again.`
//! - containerd: only `403 Forbidden`, because it drops the sentence.
//! - `kubectl get secret NAME -o jsonpath='{.metadata.creationTimestamp}'` is older than twelve hours, and
//!   its user is `AWS`.
//!
//! ## What to do
//! On EKS, delete the reference in `imagePullSecrets`: the role of the node pulls. Elsewhere, refresh the
//! secret by a CronJob or an operator, well before twelve hours are over.
//!
//! ## What is never automated
//! Kubernetes Secrets are never written, and files on nodes are not touched.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{
    Message,
    credentials::{self, Refused},
    said::Said,
};

pub(crate) const CAUSE: Cause = Cause {
    id: "pull-secret-expired",
    leg: Some(Leg::Credentials),
    severity: Severity::High,
    remedy: Remedy::NotAws,
    source: include_str!("pull_secret_expired.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    const NEXT: &str = "`kubectl get pod POD -o jsonpath='{.spec.imagePullSecrets}'`: a secret with user AWS older than 12 hours? \
        On EKS, delete the reference";
    if let Some(said) = message.said(Said::TokenExpired) {
        let meaning = "tokens of ECR live for twelve hours";
        return Some(if message.is_public() {
            Recognition::possible(said, meaning, NEXT).weight(60)
        } else {
            Recognition::certain(said, meaning, NEXT)
        });
    }
    if let Some(said) = message.said(Said::TokenInvalid) {
        return Some(Recognition::possible(said, "an old login may be in use", NEXT));
    }
    let (whose, said) = credentials::refused(message)?;
    let meaning = "credentials were sent and refused; a login older than twelve hours looks like this";
    match whose {
        Refused::Login => Some(Recognition::likely(said, meaning, NEXT).weight(60)),
        Refused::Node | Refused::CrossAccount => Some(Recognition::possible(said, meaning, NEXT).weight(40)),
        _ => None,
    }
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        "Error response from daemon: denied: Your authorization token has expired. Reauthenticate and try again.",
    );
}
