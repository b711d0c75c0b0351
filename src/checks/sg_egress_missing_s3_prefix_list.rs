//! # sg-egress-missing-s3-prefix-list
//!
//! The security group of the node does not let it connect to the addresses of S3.
//!
//! ## Why pulls fail
//! Through a gateway endpoint the addresses of S3 stay public. A security group whose egress admits only the
//! VPC or other groups lets the registry's endpoint through and drops the layers. It must admit the prefix
//! list of S3, `com.amazonaws.REGION.s3`.
//!
//! ## How to see it
//! - The manifest works, then a timeout to `prod-REGION-starport-layer-bucket…`.
//! - In AWS: the egress rules of the node's groups name neither the prefix list nor `0.0.0.0/0`.
//!
//! ## What the fix does
//! Adds an egress rule for TCP 443 to the prefix list of S3 (`authorize-security-group-egress`); the rollback
//! revokes it by its id. A prefix list counts as its maximum number of entries against the quota of rules
//! (unverified).
//!
//! ## What is never automated
//! No rule to `0.0.0.0/0` is added.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::Message;

pub(crate) const CAUSE: Cause = Cause {
    id: "sg-egress-missing-s3-prefix-list",
    leg: Some(Leg::LayerNetwork),
    severity: Severity::Critical,
    remedy: Remedy::Automatic,
    source: include_str!("sg_egress_missing_s3_prefix_list.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let said = message
        .layers_unreachable()
        .map(|found| found.excerpt.as_str())
        .or_else(|| message.layers_unexplained())?;
    let next = "`aws ec2 describe-security-group-rules --filters Name=group-id,Values=SG`: egress 443 to the prefix list of S3?";
    Some(
        Recognition::possible(said, "the addresses of S3 stay public behind a gateway endpoint", next)
            .weight(65),
    )
}

#[test]
fn recognises_its_messages() {
    super::test_support::among(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to copy: httpReadSeeker: failed open: failed to do request: Get "https://prod-eu-west-1-starport-layer-bucket.s3.eu-west-1.amazonaws.com/a/b?X-Amz-Signature=00": dial tcp 52.216.1.1:443: i/o timeout"#,
    );
}
