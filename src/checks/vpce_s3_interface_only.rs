//! # vpce-s3-interface-only
//!
//! S3 has an interface endpoint whose names the nodes do not use.
//!
//! ## Why pulls fail
//! An interface endpoint for S3 without private DNS, or with private DNS for inbound resolver endpoints only,
//! does not change what the layer host resolves to. AWS wants a gateway endpoint beside the latter.
//!
//! ## How to see it
//! - Layers time out on a public address although an endpoint for S3 exists.
//! - In AWS: `PrivateDnsEnabled: false`, or `PrivateDnsOnlyForInboundResolverEndpoint: true` without a
//!   gateway endpoint.
//!
//! ## What the fix does
//! Creates a gateway endpoint for S3 with those route tables of the nodes that have no route to S3
//! (`create-vpc-endpoint`); the rollback deletes it. It is free. Its policy lets only the layers of ECR pass.
//!
//! ## What is never automated
//! The interface endpoint is not changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, next};

pub(crate) const CAUSE: Cause = Cause {
    id: "vpce-s3-interface-only",
    leg: Some(Leg::LayerNetwork),
    severity: Severity::High,
    remedy: Remedy::Automatic,
    source: include_str!("vpce_s3_interface_only.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let connection = message.layers_unreachable().filter(|connection| !connection.is_private())?;
    let next = next::endpoints(message, "s3") + ": `VpcEndpointType` Interface only?";
    Some(
        Recognition::possible(
            &connection.excerpt,
            "an interface endpoint alone does not catch the layer host",
            next,
        )
        .weight(30),
    )
}

#[test]
fn recognises_its_messages() {
    super::test_support::among(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to copy: httpReadSeeker: failed open: failed to do request: Get "https://prod-eu-west-1-starport-layer-bucket.s3.eu-west-1.amazonaws.com/a/b?X-Amz-Signature=00": dial tcp 52.216.1.1:443: i/o timeout"#,
    );
}
