//! # ipv6-only-egress
//!
//! The node has a way out over IPv6 only, and the host has IPv4 addresses only.
//!
//! ## Why pulls fail
//! The usual hosts of ECR (`*.dkr.ecr.*`), the layer bucket and the images of EKS add-ons have IPv4 addresses
//! only. A subnet with only `::/0` to an egress-only internet gateway, and neither NAT nor NAT64 nor
//! endpoints, cannot reach them. IPv6 clusters are no exception: their nodes are dual-stack and pull over
//! IPv4. Fargate pulls over IPv4 only.
//!
//! ## How to see it
//! - `connect: network is unreachable` for an IPv4 address, or timeouts on nodes without a way for IPv4.
//! - In AWS: the route table has `::/0` and no `0.0.0.0/0`, and no endpoints serve the VPC.
//!
//! ## What to do
//! Give the subnet a way for IPv4 (NAT, or the endpoints `ecr.api`, `ecr.dkr` and S3), or name the image by
//! its dual-stack host `ACCOUNT.dkr-ecr.REGION.on.aws`, if the layers and the credential plugin of the node
//! support it. Policies with `aws:SourceIp` must then list IPv6 ranges.
//!
//! ## What is never automated
//! Image names are never changed, and no NAT gateway is created.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, connection::Failure, request::Target, wrapping::Puller};

pub(crate) const CAUSE: Cause = Cause {
    id: "ipv6-only-egress",
    leg: Some(Leg::RegistryNetwork),
    severity: Severity::Critical,
    remedy: Remedy::Manual,
    source: include_str!("ipv6_only_egress.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let next = "`aws ec2 describe-route-tables --filters Name=association.subnet-id,Values=SUBNET`: `0.0.0.0/0`, or only `::/0`?";
    if let Some(connection) =
        message.failed(&[Failure::Unreachable]).filter(|connection| !connection.is_ipv6())
    {
        return Some(Recognition::likely(&connection.excerpt, "the node has no route for IPv4", next));
    }
    let connection = message.connection_to(Target::EcrApi).filter(|connection| connection.is_silence())?;
    (message.wrapping.puller == Puller::Ecs).then(|| {
        Recognition::possible(&connection.excerpt, "Fargate reaches ECR over IPv4 only", next).weight(30)
    })
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to resolve reference "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to do request: Head "https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/app/manifests/v1": dial tcp 52.207.2.251:443: connect: network is unreachable"#,
    );
}
