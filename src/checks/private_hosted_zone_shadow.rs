//! # private-hosted-zone-shadow
//!
//! A private hosted zone of Route 53 hides the public names of ECR.
//!
//! ## Why pulls fail
//! A private zone that is associated with the VPC answers for everything below its name. A zone
//! `dkr.ecr.REGION.amazonaws.com`, `ecr.REGION.amazonaws.com` or `amazonaws.com` without the needed record
//! makes the name vanish, or points it to an endpoint that is gone (unverified in detail).
//!
//! ## How to see it
//! - `no such host` from the resolver of the VPC for a well-formed name, or a private address where no
//!   endpoint stands.
//! - In AWS: `aws route53 list-hosted-zones-by-vpc --vpc-id ID --vpc-region REGION`.
//!
//! ## What to do
//! Add the record (`*` in a zone `dkr.ecr.REGION.amazonaws.com`, an alias of the endpoint), or take the
//! association away if the zone is no longer needed.
//!
//! ## What is never automated
//! Hosted zones are never changed: other VPCs may share them.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, connection::Failure};

pub(crate) const CAUSE: Cause = Cause {
    id: "private-hosted-zone-shadow",
    leg: Some(Leg::Dns),
    severity: Severity::High,
    remedy: Remedy::Manual,
    source: include_str!("private_hosted_zone_shadow.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let connection =
        message.failed(&[Failure::NoSuchHost]).filter(|connection| !connection.asked_other_resolver())?;
    let next = "`aws route53 list-hosted-zones-by-vpc --vpc-id VPC --vpc-region REGION`: a zone that ends like the host?";
    Some(
        Recognition::possible(&connection.excerpt, "a private zone may shadow the public name", next)
            .weight(50),
    )
}

#[test]
fn recognises_its_messages() {
    super::test_support::among(
        &CAUSE,
        "dial tcp: lookup 111122223333.dkr.ecr.eu-west-1.amazonaws.com on 10.0.0.2:53: no such host",
    );
}
