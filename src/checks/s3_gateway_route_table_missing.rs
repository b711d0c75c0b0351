//! # s3-gateway-route-table-missing
//!
//! The S3 endpoint exists, but the route table of the node does not lead to it.
//!
//! ## Why pulls fail
//! A gateway endpoint works only for the route tables that it is associated with. Subnets without a table of
//! their own use the main one of the VPC, which is easily forgotten. One route table holds one route for each
//! service.
//!
//! ## How to see it
//! - Layers time out in some subnets only.
//! - In AWS: `RouteTableIds` of the S3 endpoint lacks the route table of the node's subnet.
//!
//! ## What the fix does
//! Adds the route table to the endpoint (`modify-vpc-endpoint`); the rollback removes it.
//!
//! ## What is never automated
//! No other route is changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, next};

pub(crate) const CAUSE: Cause = Cause {
    id: "s3-gateway-route-table-missing",
    leg: Some(Leg::LayerNetwork),
    severity: Severity::Critical,
    remedy: Remedy::Automatic,
    source: include_str!("s3_gateway_route_table_missing.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let said = message
        .layers_unreachable()
        .map(|found| found.excerpt.as_str())
        .or_else(|| message.layers_unexplained())?;
    let next = next::endpoints(message, "s3") + ": is the route table of the subnet among `RouteTableIds`?";
    Some(Recognition::possible(said, "the endpoint may not serve this subnet", next).weight(70))
}

#[test]
fn recognises_its_messages() {
    super::test_support::among(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to copy: httpReadSeeker: failed open: failed to do request: Get "https://prod-eu-west-1-starport-layer-bucket.s3.eu-west-1.amazonaws.com/a/b?X-Amz-Signature=00": dial tcp 52.216.1.1:443: i/o timeout"#,
    );
}
