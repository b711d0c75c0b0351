//! # transient-network
//!
//! A pull failed once for a reason that passes by itself.
//!
//! ## Why pulls fail
//! Connections break now and then, and services answer 500, 502 or 503 for a moment. The kubelet tries again,
//! with growing pauses.
//!
//! ## How to see it
//! - A single `connection reset by peer`, `unexpected EOF`, or `5xx`, and a `Pulled` event for the same image
//!   on the same node afterwards.
//!
//! ## What to do
//! Wait for the next try, or delete the pod to skip the pause. If it comes back, look at the firewall, the
//! NAT gateway and the service health of AWS.
//!
//! ## What is never automated
//! Nothing is changed for a failure that passed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, connection::Failure, said::Said};

pub(crate) const CAUSE: Cause = Cause {
    id: "transient-network",
    leg: Some(Leg::RegistryNetwork),
    severity: Severity::Low,
    remedy: Remedy::NotAws,
    source: include_str!("transient_network.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    const NEXT: &str =
        "`kubectl get events --field-selector involvedObject.name=POD`: did a later `Pulled` cure it?";
    if let Some(status) = message.status.as_ref().filter(|status| (500..600).contains(&status.code)) {
        let explained = message.said(Said::SlowDown).is_some()
            || message.said(Said::Kms).is_some()
            || !message.is_in_scope();
        let explained = explained || message.node_local().is_some();
        return (!explained)
            .then(|| Recognition::likely(&status.excerpt, "the service failed for a moment", NEXT));
    }
    let broken = [Failure::Reset, Failure::Eof];
    if let Some(connection) = message.failed(&broken).filter(|_| message.node_local().is_none()) {
        let meaning = "a connection broke; once is chance";
        return Some(if message.is_mid_transfer() && message.is_in_scope() {
            Recognition::likely(&connection.excerpt, meaning, NEXT)
        } else {
            Recognition::possible(&connection.excerpt, meaning, NEXT).weight(60)
        });
    }
    let connection = message.failed(&[Failure::Canceled])?;
    Some(
        Recognition::possible(&connection.excerpt, "whoever waited gave up; once is chance", NEXT).weight(20),
    )
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to resolve reference "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": unexpected status from HEAD request to https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/app/manifests/v1: 503 Service Unavailable"#,
    );
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to copy: read tcp 10.0.0.5:4711->52.216.1.1:443: read: connection reset by peer"#,
    );
    super::test_support::first(&CAUSE, "failed to copy: short read: expected 4096 bytes but got 0");
}
