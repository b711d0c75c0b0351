//! # kubelet-credentials-stale
//!
//! The kubelet keeps using credentials that are no longer valid.
//!
//! ## Why pulls fail
//! Old kubelets (1.17 and before, mainly) sometimes stop renewing the credentials of ECR that they hold. The
//! node worked for hours or days, then every pull of it fails, while other nodes with the same role work.
//!
//! ## How to see it
//! - `no basic auth credentials`, `does not exist or no pull access`, or in the log of Docker `denied: The
//!   security token included in the request is invalid`, all of a sudden and on some nodes only.
//! - A restart of the kubelet cures it.
//!
//! ## What to do
//! Restart the kubelet or replace the node, and move to a supported Kubernetes version.
//!
//! ## What is never automated
//! Nodes are never restarted or replaced.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{
    Message,
    credentials::{self, Whose},
    said::Said,
    wrapping::Puller,
    wrapping::Runtime,
};

pub(crate) const CAUSE: Cause = Cause {
    id: "kubelet-credentials-stale",
    leg: Some(Leg::Credentials),
    severity: Severity::High,
    remedy: Remedy::NotAws,
    source: include_str!("kubelet_credentials_stale.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    const NEXT: &str =
        "do other nodes with the same role pull? Then restart the kubelet of this one, or replace it";
    if let Some(said) =
        message.sayings.any(&[Said::TokenInvalid, Said::NoPullAccess]).filter(|_| message.is_in_scope())
    {
        return Some(
            Recognition::likely(said, "credentials were sent that are no longer valid", NEXT).weight(60),
        );
    }
    if let Some(said) = message.said(Said::TokenExpired).filter(|_| message.is_in_scope()) {
        return Some(Recognition::possible(said, "the kubelet may hold on to an old token", NEXT).weight(40));
    }
    let (whose, said) = credentials::missing(message)?;
    // A node that pulls its add-ons has just started, so its credentials are fresh.
    let weight = if message.is_of_aws() || message.wrapping.ec2 { 45 } else { 80 };
    let is_old = message.wrapping.runtime == Runtime::Docker && message.wrapping.puller == Puller::Kubelet;
    (is_old && matches!(whose, Whose::Node | Whose::Throttled)).then(|| {
        Recognition::possible(said, "kubelets of the time of Docker sometimes stopped renewing them", NEXT)
            .weight(weight)
    })
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"level=error msg="Not continuing with pull after error: denied: The security token included in the request is invalid""#,
    );
}
