//! # vpce-ecr-dkr-missing
//!
//! A VPC without a way to the internet has no endpoint for the registry.
//!
//! ## Why pulls fail
//! Manifests come from `ACCOUNT.dkr.ecr.REGION.amazonaws.com`. In a private VPC that name must lead to an
//! interface endpoint of the service `com.amazonaws.REGION.ecr.dkr`; otherwise it resolves to public
//! addresses that cannot be reached.
//!
//! ## How to see it
//! - `dial tcp PUBLIC_ADDRESS:443: i/o timeout` for the registry host.
//! - In AWS: `aws ec2 describe-vpc-endpoints` shows no available endpoint for `ecr.dkr` in the VPC, and there
//!   is no default route.
//!
//! ## What the fix does
//! Creates the interface endpoint with private DNS (`create-vpc-endpoint`), in one subnet of each zone of the
//! nodes, with a security group that admits them on port 443; the rollback deletes it. It costs money for
//! every zone and hour, which the plan shows.
//!
//! ## What is never automated
//! No second endpoint with private DNS is made for the same service.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, next};

pub(crate) const CAUSE: Cause = Cause {
    id: "vpce-ecr-dkr-missing",
    leg: Some(Leg::RegistryNetwork),
    severity: Severity::Critical,
    remedy: Remedy::Automatic,
    source: include_str!("vpce_ecr_dkr_missing.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let connection = message.registry_unreachable()?;
    let next = next::endpoints(message, "ecr.dkr");
    Some(
        Recognition::possible(&connection.excerpt, "a private VPC needs an endpoint for the registry", next)
            .weight(70),
    )
}

#[test]
fn recognises_its_messages() {
    super::test_support::among(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to resolve reference "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to do request: Head "https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/app/manifests/v1": dial tcp 52.207.2.251:443: i/o timeout"#,
    );
}
