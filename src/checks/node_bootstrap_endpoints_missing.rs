//! # node-bootstrap-endpoints-missing
//!
//! A private node cannot reach the other services that it needs to start.
//!
//! ## Why pulls fail
//! This is no failure of a pull, but it is seen with one: nodes of a private VPC also need endpoints for
//! `ec2`, `sts`, `eks` (nodeadm asks for the cluster unless it gets the data), `eks-auth` (Pod Identity),
//! `logs`, `elasticloadbalancing`, `autoscaling` and those of SSM. Without them nodes never join, and their
//! first images are never pulled.
//!
//! ## How to see it
//! - Nodes do not appear in `kubectl get nodes`, or stay `NotReady`.
//! - The log of the node times out on a host such as `ec2.REGION.amazonaws.com` or
//!   `sts.REGION.amazonaws.com`.
//!
//! ## What to do
//! Create the endpoints that your nodes need; the EKS user guide lists them under private clusters.
//!
//! ## What is never automated
//! Endpoints of other services are out of the scope of a pull and are never created.

use super::{Cause, Recognition, Remedy, Severity};
use crate::explain::{Message, request::Target};

pub(crate) const CAUSE: Cause = Cause {
    id: "node-bootstrap-endpoints-missing",
    leg: None,
    severity: Severity::High,
    remedy: Remedy::Manual,
    source: include_str!("node_bootstrap_endpoints_missing.rs"),
    recognise,
};

/// What a node asks AWS of itself before it joins, in lower case (nodeadm; `pluto` of Bottlerocket).
const BEFORE_PULLS: [&str; 3] = ["describing instance", "describe instance", "describe cluster"];

fn recognise(message: &Message) -> Option<Recognition> {
    let connection = message.connection.as_ref().filter(|connection| connection.is_silence())?;
    let describes_itself = BEFORE_PULLS.iter().any(|step| message.lower.contains(step));
    if message.target() != Some(Target::OtherAws) && !(message.target().is_none() && describes_itself) {
        return None;
    }
    let next =
        "compare `aws ec2 describe-vpc-endpoints` with the list for private clusters in the EKS user guide";
    let meaning = "another service of AWS, not ECR, does not answer";
    Some(Recognition::likely(&connection.excerpt, meaning, next).weight(if describes_itself {
        70
    } else {
        50
    }))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"Post "https://sts.eu-west-1.amazonaws.com/": dial tcp 52.94.0.1:443: i/o timeout"#,
    );
    super::test_support::first(
        &CAUSE,
        "Error describing instance 'i-0abc': dispatch failure: HTTP connect timeout occurred after 3s",
    );
}
