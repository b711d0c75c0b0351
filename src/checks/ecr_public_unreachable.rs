//! # ecr-public-unreachable
//!
//! The node cannot reach ECR Public.
//!
//! ## Why pulls fail
//! `public.ecr.aws` is on the internet, and no VPC endpoint serves its image data (endpoints exist for the
//! API only, in us-east-1). Layers come from CloudFront hosts, so a firewall must allow those as well. A
//! private VPC cannot pull from it at all.
//!
//! ## How to see it
//! - Timeouts to `public.ecr.aws` or to a host of `cloudfront.net`.
//! - Private images of ECR pull on the same node.
//!
//! ## What to do
//! Create a pull-through cache rule for `public.ecr.aws` in your registry and name the images there, copy
//! them once, or give the nodes a way to the internet.
//!
//! ## What is never automated
//! No internet path is opened, and image names are not changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, connection::Failure};

pub(crate) const CAUSE: Cause = Cause {
    id: "ecr-public-unreachable",
    leg: Some(Leg::RegistryNetwork),
    severity: Severity::High,
    remedy: Remedy::Manual,
    source: include_str!("ecr_public_unreachable.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let next = "`curl -sS -m 5 https://public.ecr.aws/v2/` on the node; in a private VPC use a pull-through cache rule";
    let failures = [
        Failure::DialTimeout,
        Failure::Timeout,
        Failure::Canceled,
        Failure::Unreachable,
        Failure::NoRouteToHost,
        Failure::Refused,
        Failure::TlsHandshakeTimeout,
    ];
    let connection =
        message.failed(&failures).filter(|_| message.is_public() && message.node_local().is_none())?;
    let bare = message.requests.is_empty() && connection.failure == Failure::DialTimeout;
    // Where the connection stands, something answers.
    let elsewhere = [Failure::Unreachable, Failure::TlsHandshakeTimeout].contains(&connection.failure);
    Some(if bare || elsewhere {
        Recognition::possible(&connection.excerpt, "ECR Public has no endpoint in a VPC", next).weight(80)
    } else {
        Recognition::likely(&connection.excerpt, "ECR Public has no endpoint in a VPC", next).weight(60)
    })
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"Error response from daemon: Get "https://public.ecr.aws/v2/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"#,
    );
}
