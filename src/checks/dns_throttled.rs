//! # dns-throttled
//!
//! The node asks the resolver of the VPC more often than its network interface may.
//!
//! ## Why pulls fail
//! The resolver of the VPC takes a limited number of packets a second from each network interface (1024,
//! unverified here). Beyond that, questions are dropped, and names fail now and then, under load.
//!
//! ## How to see it
//! - `i/o timeout` or `no such host` for names that resolve a moment later, on busy nodes.
//! - On the node: `ethtool -S eth0 | grep linklocal_allowance_exceeded` grows. AWS APIs do not show it.
//!
//! ## What to do
//! Run a DNS cache on the nodes (NodeLocal DNSCache), lower `ndots` for chatty pods, or spread the pods over
//! more nodes.
//!
//! ## What is never automated
//! Nodes and cluster DNS are not changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, connection::Failure};

pub(crate) const CAUSE: Cause = Cause {
    id: "dns-throttled",
    leg: Some(Leg::Dns),
    severity: Severity::Medium,
    remedy: Remedy::NotAws,
    source: include_str!("dns_throttled.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let connection =
        message.failed(&[Failure::ResolverSilent]).filter(|connection| !connection.asked_other_resolver())?;
    let next = "on the node: `ethtool -S eth0 | grep linklocal_allowance_exceeded`, twice; does it grow?";
    Some(
        Recognition::possible(
            &connection.excerpt,
            "under load the resolver of the VPC drops questions",
            next,
        )
        .weight(40),
    )
}

#[test]
fn recognises_its_messages() {
    super::test_support::among(
        &CAUSE,
        "dial tcp: lookup 111122223333.dkr.ecr.eu-west-1.amazonaws.com on 10.0.0.2:53: read udp 10.0.0.5:4711->10.0.0.2:53: i/o timeout",
    );
}
