//! # nat-gateway-broken
//!
//! The default route leads to a NAT gateway that does not work.
//!
//! ## Why pulls fail
//! The route table sends traffic for the internet to a NAT gateway that was deleted (the route is a
//! `blackhole`), failed, is private, or stands in a subnet without a route to an internet gateway. Packets
//! vanish there.
//!
//! ## How to see it
//! - Timeouts as with no route at all, for every registry on the internet.
//! - In AWS: the route has `State: blackhole`, or `aws ec2 describe-nat-gateways` shows `failed`, `deleting`
//!   or `deleted`, `ConnectivityType: private`, or a subnet without a route to `igw-…`.
//!
//! ## What the fix does
//! Points the route to a healthy NAT gateway of the VPC (`replace-route`); the rollback points it back.
//! With `--prefer endpoints` it creates endpoints for ECR and S3 instead; the rollback deletes them.
//!
//! ## What is never automated
//! NAT gateways are never created, deleted or recreated: the public address would change, and allow-lists
//! elsewhere would break.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::Message;

pub(crate) const CAUSE: Cause = Cause {
    id: "nat-gateway-broken",
    leg: Some(Leg::RegistryNetwork),
    severity: Severity::Critical,
    remedy: Remedy::Automatic,
    source: include_str!("nat_gateway_broken.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let connection = message.registry_unreachable()?;
    let next = "`aws ec2 describe-route-tables --filters Name=association.subnet-id,Values=SUBNET`: a blackhole? \
        Then `aws ec2 describe-nat-gateways`";
    // An address shows that the name resolved to the internet, as it does without endpoints.
    let weight = if connection.is_public() { 72 } else { 65 };
    Some(
        Recognition::possible(
            &connection.excerpt,
            "a default route to a dead NAT gateway swallows packets",
            next,
        )
        .weight(weight),
    )
}

#[test]
fn recognises_its_messages() {
    super::test_support::among(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to resolve reference "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to do request: Head "https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/app/manifests/v1": dial tcp 52.207.2.251:443: i/o timeout"#,
    );
}
