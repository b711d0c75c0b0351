//! # dns-server-unreachable
//!
//! The DNS server does not answer the node, or answers with a failure.
//!
//! ## Why pulls fail
//! Before any packet goes to ECR, the node asks a DNS server. If a security group, a network ACL, a missing
//! route or the server itself stops the question or the answer, every name fails.
//!
//! ## How to see it
//! - `lookup HOST on SERVER:53: read udp A->B:53: i/o timeout`, `server misbehaving`, `Temporary failure in
//!   name resolution`.
//! - On the node: `dig @SERVER HOST` times out.
//!
//! ## What the fix does
//! If the server stands in the VPC and the security group of the nodes lacks egress to port 53, adds that
//! rule (`authorize-security-group-egress`, UDP and TCP, to that server only); the rollback revokes it by its
//! id. In every other case it says what to check.
//!
//! ## What is never automated
//! No rule to `0.0.0.0/0` is added, and DNS servers are not touched.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, connection::Failure, next};

pub(crate) const CAUSE: Cause = Cause {
    id: "dns-server-unreachable",
    leg: Some(Leg::Dns),
    severity: Severity::Critical,
    remedy: Remedy::Automatic,
    source: include_str!("dns_server_unreachable.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let connection = message.failed(&[Failure::ResolverSilent, Failure::ResolverFailed])?;
    Some(Recognition::likely(
        &connection.excerpt,
        "the DNS server did not answer properly",
        next::dig(message),
    ))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        "dial tcp: lookup 111122223333.dkr.ecr.eu-west-1.amazonaws.com on 10.20.0.10:53: read udp 10.0.0.5:4711->10.20.0.10:53: i/o timeout",
    );
    super::test_support::first(
        &CAUSE,
        r#"Head "https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/app/manifests/v1": dial tcp: lookup 111122223333.dkr.ecr.eu-west-1.amazonaws.com on 10.0.0.2:53: server misbehaving"#,
    );
    super::test_support::first(
        &CAUSE,
        "[error] 68#68 111122223333.dkr.ecr.eu-west-1.amazonaws.com could not be resolved (110: Operation timed out), client 10.0.0.1",
    );
}
