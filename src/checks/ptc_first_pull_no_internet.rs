//! # ptc-first-pull-no-internet
//!
//! The first pull through a cache is sent to the registry behind it, which a private VPC cannot reach.
//!
//! ## Why pulls fail
//! When an image is not in the cache yet, the first pull may be redirected to the registry behind, or to its
//! content network, while ECR imports the image. In a private VPC that host does not answer. The documents of
//! AWS ask for a NAT gateway on the first pull over PrivateLink.
//!
//! ## How to see it
//! - A timeout on a host that is not ECR's, such as `production.cloudflare.docker.com`, for an image of your
//!   own registry; a later pull works.
//!
//! ## What to do
//! Pull the image once from a host with internet access, or let a pipeline warm the cache; then pull again
//! from the node.
//!
//! ## What is never automated
//! No internet path is opened.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::message::is_of_microsoft;
use crate::explain::{Message, request::Target};

pub(crate) const CAUSE: Cause = Cause {
    id: "ptc-first-pull-no-internet",
    leg: Some(Leg::LayerNetwork),
    severity: Severity::High,
    remedy: Remedy::Manual,
    source: include_str!("ptc_first_pull_no_internet.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let request = message.requests.last().filter(|request| request.target() == Target::Elsewhere)?;
    message.private_image().filter(|_| !message.asked_mirror() && !is_of_microsoft(&request.host))?;
    let next = "pull the image once from a host with internet access, then again from the node";
    Some(
        Recognition::likely(&request.host, "the pull was sent to the registry behind the cache", next)
            .weight(70),
    )
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/mirror/docker.io/library/busybox:1": failed to copy: httpReadSeeker: failed open: failed to do request: Get "https://production.cloudflare.docker.com/registry-v2/docker/registry/v2/blobs/sha256/1c/x/data?verify=1": dial tcp 104.16.0.1:443: i/o timeout"#,
    );
}
