//! # vpce-private-dns-disabled
//!
//! The interface endpoint exists, but the name of the registry still resolves to public addresses.
//!
//! ## Why pulls fail
//! An interface endpoint is used only if its names resolve to its private addresses. With `PrivateDnsEnabled:
//! false`, and without a hosted zone of your own for the name, nodes go to the public addresses, which a
//! private VPC cannot reach. Private DNS needs `enableDnsSupport` and `enableDnsHostnames` of the VPC.
//!
//! ## How to see it
//! - `dial tcp PUBLIC_ADDRESS:443: i/o timeout` although the endpoint exists.
//! - In AWS: `aws ec2 describe-vpc-endpoints` shows `PrivateDnsEnabled: false`.
//! - On the node: `dig +short HOST` prints public addresses.
//!
//! ## What the fix does
//! Sets `enableDnsHostnames` of the VPC if it is off (`modify-vpc-attribute`), then `PrivateDnsEnabled` of
//! the endpoint (`modify-vpc-endpoint`); the rollback undoes both in reverse order. AWS refuses it where
//! another endpoint or zone owns the name (`conflicting DNS domain`).
//!
//! ## What is never automated
//! No hosted zone is created or deleted, and no second endpoint is made for the same names.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, next};

pub(crate) const CAUSE: Cause = Cause {
    id: "vpce-private-dns-disabled",
    leg: Some(Leg::Dns),
    severity: Severity::Critical,
    remedy: Remedy::Automatic,
    source: include_str!("vpce_private_dns_disabled.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let connection = message.registry_unreachable()?;
    let meaning = "a public address although there may be an endpoint: its private names may be off";
    Some(Recognition::possible(&connection.excerpt, meaning, next::endpoints(message, "ecr.dkr")).weight(50))
}

#[test]
fn recognises_its_messages() {
    super::test_support::among(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to resolve reference "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to do request: Head "https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/app/manifests/v1": dial tcp 52.207.2.251:443: i/o timeout"#,
    );
}
