//! # vpce-sg-blocks-443
//!
//! The security group of the endpoint does not admit the nodes on port 443.
//!
//! ## Why pulls fail
//! The name resolves to a private address of an interface endpoint, and the security group of the endpoint
//! drops the packet. An endpoint that was created without a group has the default group of the VPC, which
//! admits only its own members.
//!
//! ## How to see it
//! - `dial tcp 10.…:443: i/o timeout`: the address in the message is private.
//! - The same towards `api.ecr` stands only in the log of the kubelet; the pod event is then 401.
//! - In AWS: the groups of the endpoint (`aws ec2 describe-vpc-endpoints --query 'VpcEndpoints[].Groups'`)
//!   have no ingress rule for TCP 443 from the group or the subnets of the nodes.
//!
//! ## What the fix does
//! Adds an ingress rule for TCP 443 from the security group of the nodes (for Fargate and security groups for
//! pods: the cluster security group) to the group of the endpoint (`authorize-security-group-ingress`); the
//! rollback revokes it by its id.
//!
//! ## What is never automated
//! No rule from `0.0.0.0/0` is added.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, connection::Failure, next, request::Target};

pub(crate) const CAUSE: Cause = Cause {
    id: "vpce-sg-blocks-443",
    leg: Some(Leg::RegistryNetwork),
    severity: Severity::Critical,
    remedy: Remedy::Automatic,
    source: include_str!("vpce_sg_blocks_443.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let next = next::endpoints(message, "ecr.dkr") + ": do its `Groups` admit the nodes on 443?";
    let connection =
        message.connection.as_ref().filter(|connection| connection.is_silence() && message.is_in_scope())?;
    if connection.is_private() && message.target() != Some(Target::Metadata) {
        let meaning = "the address is private, as those of endpoints are";
        return Some(Recognition::likely(&connection.excerpt, meaning, next).weight(60));
    }
    let vague = connection.failure == Failure::DialTimeout && connection.address.is_none();
    if vague && message.target() == Some(Target::EcrApi) {
        let meaning = "the API does not answer the first packet; where an endpoint exists, its security group is the usual reason";
        return Some(Recognition::likely(&connection.excerpt, meaning, next));
    }
    let unknown = connection.address.is_none() && !message.requests.is_empty();
    let targets = [Some(Target::Registry), Some(Target::EcrApi)];
    (unknown && targets.contains(&message.target())).then(|| {
        Recognition::possible(
            &connection.excerpt,
            "if an endpoint exists, its security group may drop packets",
            next,
        )
        .weight(35)
    })
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to resolve reference "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to do request: Head "https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/app/manifests/v1": dial tcp 10.0.3.7:443: i/o timeout"#,
    );
    super::test_support::first(
        &CAUSE,
        "aws_credentials.go:194] while requesting ECR authorization token RequestError: send request failed caused by: Post https://api.ecr.us-east-1.amazonaws.com/: dial tcp i/o timeout",
    );
}
