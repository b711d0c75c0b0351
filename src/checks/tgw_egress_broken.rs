//! # tgw-egress-broken
//!
//! The default route leads out of the VPC to a place that does not carry traffic to the internet.
//!
//! ## Why pulls fail
//! The default route targets a transit gateway, a virtual private gateway, a peering, a firewall endpoint or
//! an appliance. The way goes on in another VPC, often in another account, and ends there: a missing return
//! route, a blackhole, a firewall. A VPC peering never carries traffic to the internet (general rules of
//! VPCs; unverified per case).
//!
//! ## How to see it
//! - Timeouts as with no route at all.
//! - In AWS: the default route targets `tgw-…`, `vgw-…`, `pcx-…`, `vpce-…` or `eni-…`; `State: blackhole`
//!   proves it.
//!
//! ## What to do
//! Follow the way hop by hop with `ecr-fix trace`, and talk to whoever owns the next hop. Endpoints for ECR
//! and S3 in this VPC make the pull independent of it.
//!
//! ## What is never automated
//! Routes of transit gateways and resources of other accounts are never changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, next};

pub(crate) const CAUSE: Cause = Cause {
    id: "tgw-egress-broken",
    leg: Some(Leg::RegistryNetwork),
    severity: Severity::Critical,
    remedy: Remedy::Manual,
    source: include_str!("tgw_egress_broken.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let connection = message.registry_unreachable()?;
    Some(
        Recognition::possible(
            &connection.excerpt,
            "the way may end behind a transit gateway",
            next::trace(message),
        )
        .weight(40),
    )
}

#[test]
fn recognises_its_messages() {
    super::test_support::among(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to resolve reference "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to do request: Head "https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/app/manifests/v1": dial tcp 52.207.2.251:443: i/o timeout"#,
    );
}
