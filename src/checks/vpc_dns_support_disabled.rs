//! # vpc-dns-support-disabled
//!
//! DNS is switched off in the VPC.
//!
//! ## Why pulls fail
//! With `enableDnsSupport` off, the resolver of the VPC answers nobody. Nodes that use it resolve no name at
//! all, and private names of interface endpoints cannot work.
//!
//! ## How to see it
//! - `lookup … on 169.254.169.253:53` or the second address of the VPC: `i/o timeout`, or `no such host`.
//! - In AWS: `aws ec2 describe-vpc-attribute --vpc-id ID --attribute enableDnsSupport` answers `false`.
//!
//! ## What the fix does
//! Sets `enableDnsSupport` to true (`modify-vpc-attribute`); the rollback sets it to false again. The plan
//! says that every host in the VPC is affected.
//!
//! ## What is never automated
//! It is never done without saying that the whole VPC is affected.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, connection::Failure};

pub(crate) const CAUSE: Cause = Cause {
    id: "vpc-dns-support-disabled",
    leg: Some(Leg::Dns),
    severity: Severity::Critical,
    remedy: Remedy::Automatic,
    source: include_str!("vpc_dns_support_disabled.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let dns = [Failure::NoSuchHost, Failure::ResolverSilent, Failure::ResolverFailed];
    let connection = message.failed(&dns).filter(|connection| !connection.asked_other_resolver())?;
    let next = "`aws ec2 describe-vpc-attribute --vpc-id VPC --attribute enableDnsSupport`";
    Some(Recognition::possible(&connection.excerpt, "a VPC without DNS resolves nothing", next).weight(45))
}

#[test]
fn recognises_its_messages() {
    super::test_support::among(
        &CAUSE,
        "dial tcp: lookup 111122223333.dkr.ecr.eu-west-1.amazonaws.com on 169.254.169.253:53: read udp 10.0.0.5:4711->169.254.169.253:53: i/o timeout",
    );
}
