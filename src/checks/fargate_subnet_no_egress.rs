//! # fargate-subnet-no-egress
//!
//! The subnets of the Fargate profile have no way to the registry.
//!
//! ## Why pulls fail
//! Pods on Fargate run in private subnets only. Those need a default route to a NAT gateway, or the endpoints
//! `ecr.api`, `ecr.dkr` and S3.
//!
//! ## How to see it
//! - On a node named `fargate-…`: timeouts to a public address, or 401 because the API cannot be reached.
//! - In AWS: `aws eks describe-fargate-profile --query fargateProfile.subnets`, and their route tables.
//!
//! ## What the fix does
//! As for `no-route-to-internet`: a default route to the only NAT gateway that works (`create-route`), or
//! else the missing endpoints (`create-vpc-endpoint`); the rollback deletes what was made.
//!
//! ## What is never automated
//! No NAT gateway is created, and no subnet is made public.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, request::Target, wrapping::Puller};

pub(crate) const CAUSE: Cause = Cause {
    id: "fargate-subnet-no-egress",
    leg: Some(Leg::RegistryNetwork),
    severity: Severity::Critical,
    remedy: Remedy::Automatic,
    source: include_str!("fargate_subnet_no_egress.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let connection = message.registry_unreachable().or_else(|| {
        message
            .connection_to(Target::EcrApi)
            .filter(|connection| connection.is_silence() && message.wrapping.puller == Puller::Ecs)
    })?;
    let next = "`aws eks describe-fargate-profile --query fargateProfile.subnets`, then the route tables of these subnets";
    let meaning = "subnets of Fargate are private: they need NAT or endpoints";
    if message.wrapping.fargate {
        return Some(Recognition::likely(&connection.excerpt, meaning, next).weight(70));
    }
    (message.wrapping.puller == Puller::Ecs)
        .then(|| Recognition::possible(&connection.excerpt, meaning, next).weight(20))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"kubelet fargate-ip-10-0-0-1.eu-west-1.compute.internal Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to resolve reference "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to do request: Head "https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/app/manifests/v1": dial tcp 52.207.2.251:443: i/o timeout"#,
    );
}
