//! # imds-unreachable
//!
//! The node cannot reach its instance metadata service, so it finds neither its role nor its region.
//!
//! ## Why pulls fail
//! The credential plugin asks `169.254.169.254` for the credentials of the node, and for the region where the
//! image names none. If the service is switched off, or refuses the old protocol to an old SDK, the plugin
//! waits until its deadline, and the kubelet pulls without credentials. A hop limit of 1 matters only to
//! pullers in a container's own network (in-cluster builders, kube-image-keeper), never to the kubelet
//! itself.
//!
//! ## How to see it
//! - Kubelet log: `no EC2 IMDS role found, operation error ec2imds: GetMetadata, request canceled, context
//!   deadline exceeded`, or `dial tcp 169.254.169.254:80: i/o timeout`.
//! - Pod event: only `no basic auth credentials` or `401 Unauthorized`.
//! - In AWS: `aws ec2 describe-instances --query 'Reservations[].Instances[].MetadataOptions'` shows
//!   `HttpEndpoint: disabled`.
//! - On the node: a network policy, iptables rules or a proxy without `169.254.169.254` in `NO_PROXY`.
//!
//! ## What to do
//! If the endpoint is disabled: `aws ec2 modify-instance-metadata-options --instance-id ID --http-endpoint
//! enabled`, and change the launch template (or the `metadataOptions` of the EC2NodeClass) in the same way.
//! Give in-cluster builders a role of their own instead of the node's.
//!
//! ## What is never automated
//! `HttpTokens` is never lowered to `optional`, and no hop limit is raised across a fleet: that would let
//! pods take the credentials of the node.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{
    Message,
    credentials::{self, Whose},
    request::Target,
    said::Said,
};

pub(crate) const CAUSE: Cause = Cause {
    id: "imds-unreachable",
    leg: Some(Leg::Credentials),
    severity: Severity::Critical,
    remedy: Remedy::Manual,
    source: include_str!("imds_unreachable.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    const NEXT: &str = "on the node: `curl -sS -m 3 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' \
        http://169.254.169.254/latest/api/token`; and `MetadataOptions` in `aws ec2 describe-instances`";
    if let Some(connection) = message.connection_to(Target::Metadata) {
        return Some(Recognition::certain(&connection.excerpt, "the metadata service does not answer", NEXT));
    }
    let asked = message.sayings.any(&[Said::NoInstanceRole, Said::MetadataCall]);
    if let (Some(said), Some(_)) = (asked, &message.connection) {
        return Some(
            Recognition::certain(said, "the metadata service did not answer in time", NEXT).weight(70),
        );
    }
    let refused = [401, 403, 405].iter().any(|code| message.has_status(*code).is_some());
    if let Some(said) = asked.filter(|_| refused && message.denial.is_none()) {
        let meaning = "the metadata service refused: it wants a token, or the hop limit is too low for one";
        return Some(Recognition::likely(said, meaning, NEXT).weight(70));
    }
    if let (Some(said), Some(_)) = (message.said(Said::NoRegionInReference), &message.connection) {
        let meaning =
            "the plugin has to ask the metadata service for its region, and waited until its deadline";
        return Some(Recognition::likely(said, meaning, NEXT).weight(70));
    }
    let said = match (&message.connection, credentials::missing(message)) {
        (Some(connection), _) if message.wrapping.plugin && connection.is_silence() => {
            connection.excerpt.as_str()
        }
        (_, Some((Whose::Node | Whose::Api, said))) => said,
        _ => message.said(Said::NoProviders)?,
    };
    Some(
        Recognition::possible(
            said,
            "a plugin that gets no answer from the metadata service sends no credentials",
            NEXT,
        )
        .weight(40),
    )
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        "no EC2 IMDS role found, operation error ec2imds: GetMetadata, request canceled, context deadline exceeded",
    );
    super::test_support::first(
        &CAUSE,
        "failed to get region: operation error ec2imds: GetRegion, canceled, context deadline exceeded",
    );
    super::test_support::first(
        &CAUSE,
        r#"Get "http://169.254.169.254/latest/meta-data/iam/security-credentials/": dial tcp 169.254.169.254:80: i/o timeout"#,
    );
}
