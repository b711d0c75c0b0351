//! # dns-firewall-block
//!
//! A DNS firewall of Route 53 Resolver blocks a name that the pull needs.
//!
//! ## Why pulls fail
//! Rule groups of the DNS firewall answer for blocked names with nothing or with `NXDOMAIN`. An allow-list
//! that forgets one of the names of a pull breaks it at that step only.
//!
//! ## How to see it
//! - `ecr-fix diagnose` judges the firewall in a snapshot with the answers of
//!   `list-firewall-rule-group-associations`, `list-firewall-rules` and `list-firewall-domains` (its file named
//!   after the list, `rslvr-fdl-….json`).
//! - `no such host` or an empty answer for one name, while others resolve.
//! - In AWS: `aws route53resolver list-firewall-rule-group-associations --vpc-id ID`, and the rules of the
//!   groups.
//!
//! ## What to do
//! Ask whoever owns the firewall to allow the registry host, `api.ecr.REGION.amazonaws.com`,
//! `ecr.REGION.amazonaws.com` (the CNAME of the API),
//! `prod-REGION-starport-layer-bucket.s3.REGION.amazonaws.com` and its CNAME `s3-r-w.REGION.amazonaws.com`.
//!
//! ## What is never automated
//! Firewall rules are a security control and are never changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, connection::Failure};

pub(crate) const CAUSE: Cause = Cause {
    id: "dns-firewall-block",
    leg: Some(Leg::Dns),
    severity: Severity::High,
    remedy: Remedy::Manual,
    source: include_str!("dns_firewall_block.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let connection =
        message.failed(&[Failure::NoSuchHost]).filter(|connection| !connection.asked_other_resolver())?;
    let next = "`aws route53resolver list-firewall-rule-group-associations --vpc-id VPC`: a rule that blocks the name?";
    Some(
        Recognition::possible(
            &connection.excerpt,
            "a DNS firewall answers like this for a blocked name",
            next,
        )
        .weight(40),
    )
}

#[test]
fn recognises_its_messages() {
    super::test_support::among(
        &CAUSE,
        "dial tcp: lookup 111122223333.dkr.ecr.eu-west-1.amazonaws.com on 10.0.0.2:53: no such host",
    );
}
