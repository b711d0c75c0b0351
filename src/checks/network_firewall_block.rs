//! # network-firewall-block
//!
//! A firewall on the way cuts the connection, because a host of the pull is not on its list.
//!
//! ## Why pulls fail
//! AWS Network Firewall, or an appliance, reads the name of the host in the TLS handshake and drops or resets
//! what it does not know. Lists often hold the registry but not the layer bucket, or the API but not its
//! CNAME.
//!
//! ## How to see it
//! - `ecr-fix diagnose` judges lists of domains in a snapshot with the answers of `aws network-firewall
//!   describe-firewall`, `describe-firewall-policy` and `describe-rule-group`; rules of Suricata stay undecided.
//! - `connection reset by peer`, `EOF` or `TLS handshake timeout` on the first request, or a timeout on the
//!   S3 host only.
//! - In AWS: a route to a firewall endpoint (`vpce-…` of type GatewayLoadBalancer, or a Network Firewall
//!   subnet).
//!
//! ## What to do
//! Ask whoever owns the firewall to allow `api.ecr.REGION.amazonaws.com`, `ecr.REGION.amazonaws.com`,
//! `*.dkr.ecr.REGION.amazonaws.com` and `prod-REGION-starport-layer-bucket.s3.REGION.amazonaws.com`; for
//! public images `public.ecr.aws` and its CloudFront hosts.
//!
//! ## What is never automated
//! Rule groups and policies of firewalls are a central security control and are never changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, connection::Failure, request::Target};

pub(crate) const CAUSE: Cause = Cause {
    id: "network-firewall-block",
    leg: Some(Leg::RegistryNetwork),
    severity: Severity::High,
    remedy: Remedy::Manual,
    source: include_str!("network_firewall_block.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    const NEXT: &str = "`openssl s_client -connect HOST:443 -servername HOST` on the node: cut during the handshake? \
        Compare the lists of the firewall with the hosts in `ecr-fix explain network-firewall-block`";
    let refused = message.failed(&[Failure::Refused]).filter(|connection| connection.is_public());
    let ended = message.failed(&[Failure::Reset, Failure::Eof, Failure::TlsRefused]).or(refused);
    if let Some(connection) = ended
        && message.is_in_scope()
        && message.node_local().is_none()
    {
        let meaning = "something on the way ended the connection";
        return Some(if message.is_mid_transfer() {
            Recognition::possible(&connection.excerpt, meaning, NEXT).weight(60)
        } else {
            Recognition::likely(&connection.excerpt, meaning, NEXT)
        });
    }
    let of_content = message.requests.last().filter(|request| request.host.ends_with(".cloudfront.net"));
    if let (Some(said), Some(_)) = (message.bare_forbidden().filter(|_| message.is_in_scope()), of_content) {
        let meaning = "the address was signed by ECR Public; whoever refuses it stands in between";
        return Some(Recognition::likely(said, meaning, NEXT));
    }
    let vague = [Failure::TlsHandshakeTimeout, Failure::DialTimeout, Failure::Timeout];
    let connection =
        message.failed(&vague).filter(|connection| message.is_in_scope() && !connection.is_private())?;
    matches!(message.target(), Some(Target::Registry | Target::Layers | Target::EcrPublic)).then(|| {
        Recognition::possible(&connection.excerpt, "a firewall may drop what is not on its list", NEXT)
            .weight(35)
    })
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to resolve reference "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to do request: Head "https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/app/manifests/v1": read tcp 10.0.0.5:4711->52.207.2.251:443: read: connection reset by peer"#,
    );
}
