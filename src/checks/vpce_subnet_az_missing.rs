//! # vpce-subnet-az-missing
//!
//! The endpoint has no network interface in the zone of the node.
//!
//! ## Why pulls fail
//! Nodes reach an endpoint in another zone of the VPC as well, so this alone breaks nothing. It matters when
//! the other zone fails, when ACLs or routes isolate the zones, and it costs traffic between zones
//! (unverified).
//!
//! ## How to see it
//! - No message of its own.
//! - In AWS: the zones of the endpoint's `SubnetIds` do not contain the zone of the node.
//!
//! ## What to do
//! Add a subnet of the zone: `aws ec2 modify-vpc-endpoint --vpc-endpoint-id ID --add-subnet-ids SUBNET`. An
//! endpoint has one subnet in each zone, and the service may not exist in every zone.
//!
//! ## What is never automated
//! Subnets are added only when asked for: each costs money by the hour.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, request::Target};

pub(crate) const CAUSE: Cause = Cause {
    id: "vpce-subnet-az-missing",
    leg: Some(Leg::RegistryNetwork),
    severity: Severity::Medium,
    remedy: Remedy::Manual,
    source: include_str!("vpce_subnet_az_missing.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let connection = message
        .connection
        .as_ref()
        .filter(|connection| connection.is_silence() && connection.is_private())?;
    let next = "`aws ec2 describe-vpc-endpoints --query 'VpcEndpoints[].SubnetIds'`: a subnet in the zone of the node?";
    (message.target() == Some(Target::Registry)).then(|| {
        Recognition::possible(
            &connection.excerpt,
            "the way to an endpoint in another zone may be closed",
            next,
        )
        .weight(10)
    })
}

#[test]
fn recognises_its_messages() {
    super::test_support::among(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to resolve reference "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to do request: Head "https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/app/manifests/v1": dial tcp 10.0.3.7:443: i/o timeout"#,
    );
}
