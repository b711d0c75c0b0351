//! # sg-egress-blocked
//!
//! No security group of the node lets it connect to port 443.
//!
//! ## Why pulls fail
//! A packet leaves a node only if one of the security groups of its interface has an egress rule for it: TCP
//! 443 to the public address of the registry, or to the subnet or the security group of the interface
//! endpoint. Without a rule the packet is dropped in silence.
//!
//! ## How to see it
//! - `dial tcp ADDRESS:443: i/o timeout` for every registry, not only for ECR.
//! - In AWS: `aws ec2 describe-security-group-rules` with `IsEgress: true` shows no rule for TCP 443, over
//!   all groups of the interface.
//!
//! ## What the fix does
//! Adds an egress rule for TCP 443 to the security group of the endpoint, to the CIDR of the VPC or to a
//! prefix list, whichever is the smallest that does (`authorize-security-group-egress`); the rollback revokes
//! it by its id.
//!
//! ## What is never automated
//! No rule to `0.0.0.0/0` is added without `--allow-internet-egress`, and a group that another tool manages
//! is not changed in silence.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, request::Target};

pub(crate) const CAUSE: Cause = Cause {
    id: "sg-egress-blocked",
    leg: Some(Leg::RegistryNetwork),
    severity: Severity::Critical,
    remedy: Remedy::Automatic,
    source: include_str!("sg_egress_blocked.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let next = "`aws ec2 describe-security-group-rules --filters Name=group-id,Values=SG` for every group of the node: \
        egress to port 443?";
    let connection =
        message.connection.as_ref().filter(|connection| connection.is_silence() && message.is_in_scope())?;
    let bare_public = message.is_public() && message.requests.is_empty() && connection.address.is_some();
    if bare_public {
        let meaning =
            "nobody answered the first packet to a public registry; a missing egress rule stops all of them";
        return Some(Recognition::likely(&connection.excerpt, meaning, next));
    }
    let fits = message.registry_unreachable().is_some()
        || connection.is_private()
        || matches!(message.target(), Some(Target::EcrPublic | Target::EcrApi));
    (fits && !message.wrapping.plugin || message.target() == Some(Target::EcrApi)).then(|| {
        Recognition::possible(&connection.excerpt, "without an egress rule packets vanish", next).weight(60)
    })
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "public.ecr.aws/eks/aws-load-balancer-controller:v2": dial tcp 99.83.145.10:443: i/o timeout"#,
    );
    super::test_support::among(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to resolve reference "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to do request: Head "https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/app/manifests/v1": dial tcp 10.0.3.7:443: i/o timeout"#,
    );
}
