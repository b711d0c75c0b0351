//! # igw-no-public-ip
//!
//! The node stands in a public subnet without a public address.
//!
//! ## Why pulls fail
//! An internet gateway translates only for interfaces that have a public address. A node with a private
//! address alone behind a route to `igw-…` sends packets that get no answer.
//!
//! ## How to see it
//! - Timeouts as with no route at all.
//! - In AWS: the default route targets `igw-…`, and `aws ec2 describe-network-interfaces` shows no
//!   `Association.PublicIp` for the node.
//!
//! ## What to do
//! Set `MapPublicIpOnLaunch` of the subnet and replace the node, or run nodes in private subnets, behind a
//! NAT gateway or endpoints for ECR and S3. In the public subnet itself an S3 gateway endpoint takes the S3
//! traffic of everything else there, too, and cuts its open connections once.
//!
//! ## What is never automated
//! No Elastic IP is attached to nodes, no subnet is changed, and no endpoint takes over what works for
//! others.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::Message;

pub(crate) const CAUSE: Cause = Cause {
    id: "igw-no-public-ip",
    leg: Some(Leg::RegistryNetwork),
    severity: Severity::Critical,
    remedy: Remedy::Manual,
    source: include_str!("igw_no_public_ip.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let connection = message.registry_unreachable()?;
    let next = "`aws ec2 describe-instances --instance-ids ID --query 'Reservations[].Instances[].PublicIpAddress'`, \
        and the default route of its subnet";
    Some(
        Recognition::possible(&connection.excerpt, "an internet gateway serves only public addresses", next)
            .weight(45),
    )
}

#[test]
fn recognises_its_messages() {
    super::test_support::among(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to resolve reference "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to do request: Head "https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/app/manifests/v1": dial tcp 52.207.2.251:443: i/o timeout"#,
    );
}
