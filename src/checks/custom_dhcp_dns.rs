//! # custom-dhcp-dns
//!
//! The nodes use a DNS server of their own that does not know the names of AWS.
//!
//! ## Why pulls fail
//! The DHCP options of the VPC, or the network outside AWS, name other DNS servers. Private names of
//! interface endpoints exist only in the resolver of the VPC. A server without conditional forwarding to it
//! answers `no such host`, or with public addresses that a private VPC cannot reach.
//!
//! ## How to see it
//! - The server in `lookup … on SERVER:53` is neither `169.254.169.253` nor the second address of the VPC.
//! - In AWS: `aws ec2 describe-dhcp-options` shows `domain-name-servers` other than `AmazonProvidedDNS`.
//!
//! ## What to do
//! Forward `amazonaws.com` (or at least `ecr.REGION.amazonaws.com`, `dkr.ecr.REGION.amazonaws.com` and the S3
//! names) from your DNS server to the resolver of the VPC, through an inbound endpoint of Route 53 Resolver
//! where the server stands outside the VPC.
//!
//! ## What is never automated
//! DHCP option sets are never swapped: the change hits the whole VPC, and late.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, connection::Failure, next};

pub(crate) const CAUSE: Cause = Cause {
    id: "custom-dhcp-dns",
    leg: Some(Leg::Dns),
    severity: Severity::High,
    remedy: Remedy::Manual,
    source: include_str!("custom_dhcp_dns.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let dns = [Failure::NoSuchHost, Failure::ResolverFailed, Failure::ResolverSilent];
    let connection = message.failed(&dns).filter(|connection| connection.asked_other_resolver())?;
    let meaning = "the resolver is not the one of the VPC";
    Some(Recognition::possible(&connection.excerpt, meaning, next::dig(message)).weight(70))
}

#[test]
fn recognises_its_messages() {
    super::test_support::among(
        &CAUSE,
        "dial tcp: lookup 111122223333.dkr.ecr.eu-west-1.amazonaws.com on 10.20.0.10:53: no such host",
    );
}
