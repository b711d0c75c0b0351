//! # vpce-s3-missing
//!
//! The node reaches the registry but not the bucket that serves the layers.
//!
//! ## Why pulls fail
//! ECR keeps layers in S3. The registry answers with a signed address at
//! `prod-REGION-starport-layer-bucket.s3.REGION.amazonaws.com`, and the node fetches it from there. A private
//! VPC therefore needs a gateway endpoint for S3, in the route table of the nodes, beside the two endpoints
//! of ECR.
//!
//! ## How to see it
//! - The manifest works, then containerd says `failed to copy: httpReadSeeker: failed open: failed to do
//!   request: Get "https://prod-…`, or Docker `error pulling image configuration: Get https://prod-…: dial
//!   tcp …: i/o timeout`, or the pull ends with `context canceled` after minutes.
//! - In AWS: `aws ec2 describe-vpc-endpoints` shows no endpoint for S3 in the VPC, and there is no default
//!   route.
//!
//! ## What the fix does
//! Creates a gateway endpoint for S3 with those route tables of the nodes that have no route to S3
//! (`create-vpc-endpoint`), so that no open connection is moved; the rollback deletes it. It is free. Its
//! policy lets only the layers of ECR pass: whoever wants more of S3 there widens it.
//!
//! ## What is never automated
//! No internet path is opened.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, connection::Failure, next, wrapping::Runtime};

pub(crate) const CAUSE: Cause = Cause {
    id: "vpce-s3-missing",
    leg: Some(Leg::LayerNetwork),
    severity: Severity::Critical,
    remedy: Remedy::Automatic,
    source: include_str!("vpce_s3_missing.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let next = next::endpoints(message, "s3");
    let meaning = "layers come from S3, and S3 does not answer";
    if let Some(connection) = message.layers_unreachable() {
        return Some(if connection.is_private() {
            Recognition::possible(&connection.excerpt, meaning, next).weight(80)
        } else {
            Recognition::likely(&connection.excerpt, meaning, next).weight(70)
        });
    }
    if let Some(said) = message.layers_unexplained() {
        return Some(Recognition::likely(said, meaning, next));
    }
    let connection =
        message.failed(&[Failure::Canceled]).filter(|_| message.is_in_scope() && !message.is_public())?;
    let meaning = "a pull that stands still until somebody gives up usually waits for S3";
    if message.node_local().is_some() || message.wrapping.plugin {
        return None;
    }
    Some(if message.wrapping.runtime == Runtime::Containerd {
        Recognition::possible(&connection.excerpt, meaning, next).weight(70)
    } else {
        Recognition::likely(&connection.excerpt, meaning, next)
    })
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to copy: httpReadSeeker: failed open: failed to do request: Get "https://prod-eu-west-1-starport-layer-bucket.s3.eu-west-1.amazonaws.com/a/b?X-Amz-Signature=00": dial tcp 52.216.1.1:443: i/o timeout"#,
    );
    super::test_support::first(
        &CAUSE,
        "CannotPullContainerError: ref pull has been retried 3 time(s): failed to copy: httpReadSeeker: failed open: failed to do request: Get REDACTED ECR URL related to 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app: dial tcp 52.216.1.1:443: i/o timeout",
    );
    super::test_support::first(
        &CAUSE,
        "failed to copy: httpReadSeeker: failed open: failed to do request: Get 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1: dial tcp 52.216.1.1:443: i/o timeout",
    );
    super::test_support::first(
        &CAUSE,
        "CannotPullContainerError: ref pull has been retried 3 time(s): failed to copy: httpReadSeeker: failed open",
    );
    super::test_support::first(
        &CAUSE,
        "CannotPullContainerError: The task cannot pull 111122223333.dkr.ecr.us-east-1.amazonaws.com/app:v1 from the registry. Error: dial tcp 52.216.1.1:443: i/o timeout",
    );
    super::test_support::silent(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to copy: httpReadSeeker: failed open: unexpected status code 429 Too Many Requests"#,
    );
}
