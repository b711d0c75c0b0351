//! # vpce-not-available
//!
//! The endpoint exists but is not in service.
//!
//! ## Why pulls fail
//! An endpoint serves only in the state `available`. One that is `pending`, `pendingAcceptance`, `rejected`,
//! `failed`, `expired`, `partial` or `deleting` does not, though its names may resolve already.
//!
//! ## How to see it
//! - Timeouts, or a refused connection, towards a private address.
//! - In AWS: `aws ec2 describe-vpc-endpoints --query 'VpcEndpoints[].[State,FailureReason,LastError]'`.
//!
//! ## What to do
//! Wait if it is `pending`; accept it if it waits for that; otherwise delete and create it again.
//!
//! ## What is never automated
//! Endpoints are never deleted to create them anew.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, connection::Failure, request::Target};

pub(crate) const CAUSE: Cause = Cause {
    id: "vpce-not-available",
    leg: Some(Leg::RegistryNetwork),
    severity: Severity::Critical,
    remedy: Remedy::Manual,
    source: include_str!("vpce_not_available.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let failures = [Failure::DialTimeout, Failure::Timeout, Failure::Refused, Failure::NoRouteToHost];
    let connection =
        message.failed(&failures).filter(|connection| connection.is_private() && message.is_in_scope())?;
    let next = "`aws ec2 describe-vpc-endpoints --query 'VpcEndpoints[].[ServiceName,State,FailureReason]'`";
    let targets = [Some(Target::Registry), Some(Target::EcrApi)];
    let refused = connection.failure == Failure::Refused;
    let meaning = "the endpoint behind a private address may be out of service";
    (targets.contains(&message.target()) && message.target() != Some(Target::Metadata)).then(|| {
        if refused {
            Recognition::likely(&connection.excerpt, meaning, next)
        } else {
            Recognition::possible(&connection.excerpt, meaning, next).weight(30)
        }
    })
}

#[test]
fn recognises_its_messages() {
    super::test_support::among(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to resolve reference "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to do request: Head "https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/app/manifests/v1": dial tcp 10.0.3.7:443: i/o timeout"#,
    );
}
