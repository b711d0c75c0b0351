//! # egress-only-igw-missing
//!
//! The host resolves to IPv6 addresses, and the subnet has no way out over IPv6.
//!
//! ## Why pulls fail
//! Dual-stack hosts such as `ACCOUNT.dkr-ecr.REGION.on.aws` have IPv6 addresses, which a dual-stack node
//! prefers. Without a route `::/0` to an egress-only internet gateway, or with one that is a `blackhole`, the
//! connection fails.
//!
//! ## How to see it
//! - `connect: network is unreachable`, or a timeout, for an address such as `[2600:…]:443`.
//! - In AWS: the route table of the subnet has no `::/0`, or its target `eigw-…` is gone.
//!
//! ## What the fix does
//! Adds the route `::/0` to the egress-only internet gateway of the VPC, if there is one (`create-route`);
//! the rollback deletes it.
//!
//! ## What is never automated
//! No egress-only internet gateway is created without being asked for.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, connection::Failure};

pub(crate) const CAUSE: Cause = Cause {
    id: "egress-only-igw-missing",
    leg: Some(Leg::RegistryNetwork),
    severity: Severity::High,
    remedy: Remedy::Automatic,
    source: include_str!("egress_only_igw_missing.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let failures = [Failure::Unreachable, Failure::DialTimeout, Failure::NoRouteToHost];
    let connection =
        message.failed(&failures).filter(|connection| connection.is_ipv6() && message.is_in_scope())?;
    let next = "`aws ec2 describe-route-tables --filters Name=association.subnet-id,Values=SUBNET`: `::/0` to eigw-…, active?";
    Some(Recognition::likely(&connection.excerpt, "the address is one of IPv6", next).weight(60))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr-ecr.eu-west-1.on.aws/app:v1": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr-ecr.eu-west-1.on.aws/app:v1": failed to resolve reference "111122223333.dkr-ecr.eu-west-1.on.aws/app:v1": failed to do request: Head "https://111122223333.dkr-ecr.eu-west-1.on.aws/v2/app/manifests/v1": dial tcp [2600:1f18::1]:443: connect: network is unreachable"#,
    );
}
