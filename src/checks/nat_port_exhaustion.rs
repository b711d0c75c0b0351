//! # nat-port-exhaustion
//!
//! The NAT gateway has no free port for one more connection to this host.
//!
//! ## Why pulls fail
//! A NAT gateway keeps a limited number of connections to one destination. Under load, when many nodes pull
//! at once, new connections are dropped (unverified against a source).
//!
//! ## How to see it
//! - `i/o timeout` now and then, under load; the next try works.
//! - In AWS: the CloudWatch metric `ErrorPortAllocation` of the NAT gateway is above 0.
//!
//! ## What to do
//! Add addresses to the NAT gateway, use one for each zone, or take ECR and S3 off it with endpoints.
//!
//! ## What is never automated
//! NAT gateways are never changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::Message;

pub(crate) const CAUSE: Cause = Cause {
    id: "nat-port-exhaustion",
    leg: Some(Leg::RegistryNetwork),
    severity: Severity::Medium,
    remedy: Remedy::Manual,
    source: include_str!("nat_port_exhaustion.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let connection = message.registry_unreachable()?;
    let next =
        "the CloudWatch metric ErrorPortAllocation of the NAT gateway: above 0 at the time of the message?";
    Some(
        Recognition::possible(&connection.excerpt, "under load a NAT gateway drops new connections", next)
            .weight(10),
    )
}

#[test]
fn recognises_its_messages() {
    super::test_support::among(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to resolve reference "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to do request: Head "https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/app/manifests/v1": dial tcp 52.207.2.251:443: i/o timeout"#,
    );
}
