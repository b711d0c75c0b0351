//! # nacl-blocked
//!
//! A network ACL drops the packets of the pull, or their answers.
//!
//! ## Why pulls fail
//! Network ACLs are stateless and belong to subnets: those of the node, and those of the endpoint or the NAT
//! gateway. Rules are read by rising number, and the first that fits decides. The pull needs TCP 443 out, and
//! the answers need the ephemeral ports in (1024-65535; exact ranges unverified). Through an S3 gateway
//! endpoint the addresses of S3 stay public, so the ACL must admit them; it cannot name a prefix list.
//! Questions to the resolver of the VPC are not filtered (unverified).
//!
//! ## How to see it
//! - `i/o timeout`, or `TLS handshake timeout`, for some subnets only.
//! - In AWS: `aws ec2 describe-network-acls --filters Name=association.subnet-id,Values=SUBNET`.
//!
//! ## What the fix does
//! Adds entries for single subnets, or for the blocks of the prefix list of S3, each with a free number right
//! before the denial that bites (`create-network-acl-entry`). Where all 20 are taken, an entry between the
//! same two ends gets more ports (`replace-network-acl-entry`); the rollback gives it the old ones back.
//! Entries for the whole internet, which only its replies may need, take `--allow-internet-egress`.
//!
//! ## What is never automated
//! No deny entry is deleted, none is passed over that names these very packets, and the default ACL of a VPC
//! with other tenants is not touched without listing every associated subnet.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, connection::Failure, request::Target};

pub(crate) const CAUSE: Cause = Cause {
    id: "nacl-blocked",
    leg: Some(Leg::RegistryNetwork),
    severity: Severity::Critical,
    remedy: Remedy::Automatic,
    source: include_str!("nacl_blocked.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let failures = [Failure::DialTimeout, Failure::Timeout, Failure::TlsHandshakeTimeout];
    let connection =
        message.failed(&failures).filter(|_| message.is_in_scope() && !message.wrapping.plugin)?;
    let next = "`aws ec2 describe-network-acls --filters Name=association.subnet-id,Values=SUBNET`: 443 out, 1024-65535 in?";
    let targets = [Some(Target::Registry), Some(Target::Layers), Some(Target::EcrPublic)];
    (targets.contains(&message.target()) && !message.requests.is_empty()).then(|| {
        Recognition::possible(&connection.excerpt, "a stateless ACL may drop packets or answers", next)
            .weight(55)
    })
}

#[test]
fn recognises_its_messages() {
    super::test_support::among(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to resolve reference "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to do request: Head "https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/app/manifests/v1": dial tcp 52.207.2.251:443: i/o timeout"#,
    );
    super::test_support::among(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to resolve reference "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to do request: Head "https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/app/manifests/v1": net/http: TLS handshake timeout"#,
    );
}
