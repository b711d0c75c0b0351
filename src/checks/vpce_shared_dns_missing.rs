//! # vpce-shared-dns-missing
//!
//! The endpoints stand in a hub VPC, and this VPC does not know their names.
//!
//! ## Why pulls fail
//! Interface endpoints can be shared over a transit gateway or a peering, but their private names exist only
//! in the VPC where they stand. Every other VPC needs private hosted zones for `api.ecr.REGION.amazonaws.com`
//! and `dkr.ecr.REGION.amazonaws.com`, the latter with a record `*`. Gateway endpoints cannot be shared, so
//! S3 needs one in this VPC, or an S3 interface endpoint with a zone.
//!
//! ## How to see it
//! - `dial tcp PUBLIC_ADDRESS:443: i/o timeout` in a spoke VPC without endpoints of its own.
//! - `aws route53 list-hosted-zones-by-vpc` shows no such zone for this VPC.
//!
//! ## What to do
//! Create the zones in the account of the hub, associate them with this VPC, and add a gateway endpoint for
//! S3 here. A zone cannot be named with a wildcard: name it `dkr.ecr.REGION.amazonaws.com` and put `*` as a
//! record.
//!
//! ## What is never automated
//! Hosted zones and resources of a hub account are never changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::Message;

pub(crate) const CAUSE: Cause = Cause {
    id: "vpce-shared-dns-missing",
    leg: Some(Leg::Dns),
    severity: Severity::High,
    remedy: Remedy::Manual,
    source: include_str!("vpce_shared_dns_missing.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let connection = message.registry_unreachable().filter(|connection| connection.is_public())?;
    let next = "do the endpoints stand in a hub VPC? `aws route53 list-hosted-zones-by-vpc --vpc-id VPC --vpc-region REGION`";
    Some(
        Recognition::possible(
            &connection.excerpt,
            "in a spoke VPC the names of shared endpoints need a zone",
            next,
        )
        .weight(20),
    )
}

#[test]
fn recognises_its_messages() {
    super::test_support::among(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to resolve reference "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to do request: Head "https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/app/manifests/v1": dial tcp 52.207.2.251:443: i/o timeout"#,
    );
}
