//! # no-route-to-internet
//!
//! The subnet of the node has no way to the registry: no default route, and no endpoints.
//!
//! ## Why pulls fail
//! The registry has public addresses. A node reaches it by a default route (to a NAT gateway, or with a
//! public address to an internet gateway), or by the interface endpoints `ecr.dkr` and `ecr.api` with the S3
//! endpoint. With neither, packets go nowhere and the runtime waits until its time is over.
//!
//! ## How to see it
//! - containerd: `failed to do request: Head "https://HOST/v2/…": dial tcp PUBLIC_ADDRESS:443: i/o timeout`.
//! - Docker: `net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting
//!   headers)`.
//! - In AWS: the route table of the subnet (or the main one of the VPC) has no `0.0.0.0/0`.
//!
//! A public address in the message points at routes, NAT or private DNS; a private one at the security group
//! of an endpoint.
//!
//! ## What the fix does
//! If exactly one NAT gateway of the VPC works, or `--nat` names one, adds a default route to it
//! (`create-route`). Otherwise, or with `--prefer endpoints`, creates the missing endpoints
//! (`create-vpc-endpoint`): `ecr.api`, `ecr.dkr` and the S3 gateway. The rollback deletes what was made.
//!
//! ## What is never automated
//! No internet gateway is created, no subnet is made public, and no NAT gateway is made: they cost money or
//! expose hosts.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, connection::Failure, next, request::Target, said::Said};

pub(crate) const CAUSE: Cause = Cause {
    id: "no-route-to-internet",
    leg: Some(Leg::RegistryNetwork),
    severity: Severity::Critical,
    remedy: Remedy::Automatic,
    source: include_str!("no_route_to_internet.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let next = next::trace(message) + "; or " + next::DIAGNOSE;
    if let Some(said) = message.said(Said::NoEndpoint).filter(|_| message.is_in_scope()) {
        let meaning =
            "Docker before 1.10 says so of registries that it cannot reach, and of some other answers";
        return Some(Recognition::possible(said, meaning, next));
    }
    if let Some(connection) = message.failed(&[Failure::NoRouteToHost])
        && message.is_in_scope()
        && message.target() != Some(Target::Metadata)
    {
        return Some(Recognition::likely(
            &connection.excerpt,
            "a router on the way says that there is no way",
            next,
        ));
    }
    if let Some(connection) = message.registry_unreachable() {
        return Some(
            Recognition::likely(&connection.excerpt, "nobody answered the first packet", next).weight(60),
        );
    }
    let connection = message
        .connection
        .as_ref()
        .filter(|connection| connection.is_silence() && !connection.is_private())?;
    let elsewhere =
        [Target::Layers, Target::EcrPublic, Target::EcrPublicApi, Target::EcrApi, Target::Elsewhere];
    let meaning = "nothing of the internet may be reachable";
    message
        .target()
        .is_some_and(|target| elsewhere.contains(&target))
        .then(|| Recognition::possible(&connection.excerpt, meaning, next).weight(60))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to resolve reference "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to do request: Head "https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/app/manifests/v1": dial tcp 52.207.2.251:443: i/o timeout"#,
    );
    super::test_support::first(
        &CAUSE,
        "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secret from asm: RequestCanceled: request context canceled caused by: context deadline exceeded",
    );
    super::test_support::first(
        &CAUSE,
        "CannotPullContainerError: request canceled while waiting for connection",
    );
    super::test_support::first(&CAUSE, "CannotPullContainerError: Could not reach any registry endpoint");
}
