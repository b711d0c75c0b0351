//! # fargate-sg-blocks
//!
//! The security group of pods on Fargate, or the one of the endpoint, stops the pull.
//!
//! ## Why pulls fail
//! Pods on Fargate use the cluster security group, or the group of a `SecurityGroupPolicy`. That group needs
//! egress to port 443, and the group of the endpoint must admit it.
//!
//! ## How to see it
//! - On a node named `fargate-…`: a timeout to a private address.
//! - In AWS: rules of the cluster security group (`aws eks describe-cluster --query
//!   cluster.resourcesVpcConfig.clusterSecurityGroupId`) and of the endpoint.
//!
//! ## What the fix does
//! Adds the missing egress rule to the group of the pods, or the missing ingress rule to the group of the
//! endpoint (`authorize-security-group-egress`, `authorize-security-group-ingress`); the rollback revokes it
//! by its id.
//!
//! ## What is never automated
//! No rule to `0.0.0.0/0` is added without `--allow-internet-egress`, and none from it at all.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::Message;

pub(crate) const CAUSE: Cause = Cause {
    id: "fargate-sg-blocks",
    leg: Some(Leg::RegistryNetwork),
    severity: Severity::Critical,
    remedy: Remedy::Automatic,
    source: include_str!("fargate_sg_blocks.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let connection = message
        .connection
        .as_ref()
        .filter(|connection| connection.is_silence() && message.wrapping.fargate)?;
    let next = "`aws eks describe-cluster --query cluster.resourcesVpcConfig.clusterSecurityGroupId`: does the endpoint admit it?";
    let weight = if connection.is_private() { 90 } else { 30 };
    Some(
        Recognition::possible(&connection.excerpt, "pods on Fargate use the cluster security group", next)
            .weight(weight),
    )
}

#[test]
fn recognises_its_messages() {
    super::test_support::among(
        &CAUSE,
        r#"kubelet fargate-ip-10-0-0-1.eu-west-1.compute.internal Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to resolve reference "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to do request: Head "https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/app/manifests/v1": dial tcp 10.0.3.7:443: i/o timeout"#,
    );
}
