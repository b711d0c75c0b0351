//! # dns-no-such-host
//!
//! The resolver says that the host does not exist, though its name is right.
//!
//! ## Why pulls fail
//! The name of the registry, of the API or of the layer bucket is well formed, and the resolver named in the
//! message answers that there is no such name. So the resolver does not know the public names of AWS, or
//! something shadows them.
//!
//! ## How to see it
//! - `dial tcp: lookup HOST on SERVER:53: no such host`.
//! - The server in the message tells whose answer it is: `169.254.169.253` or the second address of the VPC
//!   is the resolver of the VPC; anything else is a resolver of your own.
//!
//! ## What to do
//! Ask the same resolver from the node, then the resolver of the VPC, and compare. See `custom-dhcp-dns`,
//! `private-hosted-zone-shadow`, `dns-firewall-block` and `vpc-dns-support-disabled` for what lies behind.
//!
//! ## What is never automated
//! DHCP option sets, hosted zones and DNS firewalls serve the whole VPC and are never changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, connection::Failure, next};

pub(crate) const CAUSE: Cause = Cause {
    id: "dns-no-such-host",
    leg: Some(Leg::Dns),
    severity: Severity::Critical,
    remedy: Remedy::Manual,
    source: include_str!("dns_no_such_host.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let connection = message.failed(&[Failure::NoSuchHost])?;
    Some(Recognition::likely(
        &connection.excerpt,
        "the resolver does not know a name that is well formed",
        next::dig(message),
    ))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"Get "https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/": dial tcp: lookup 111122223333.dkr.ecr.eu-west-1.amazonaws.com on 172.31.0.2:53: no such host"#,
    );
    super::test_support::first(
        &CAUSE,
        "[error] 68#68 111122223333.dkr.ecr.eu-west-1.amazonaws.com could not be resolved (3: Host not found), client 10.0.0.1",
    );
}
