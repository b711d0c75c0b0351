//! # vpce-policy-denies-s3-layer-bucket
//!
//! The policy of the S3 endpoint does not allow the layers of ECR.
//!
//! ## Why pulls fail
//! The policy of the S3 endpoint in the VPC decides which buckets can be read through it. It must allow
//! `s3:GetObject` on `arn:PARTITION:s3:::prod-REGION-starport-layer-bucket/*` for every principal: the
//! addresses of layers are signed by ECR, not by you, so conditions on your own account or organization
//! (`aws:ResourceAccount` and the like) deny them. The same policy also breaks `registry.k8s.io`, which sends
//! clients in AWS to S3.
//!
//! ## How to see it
//! - containerd: `403 Forbidden` for an address with `starport-layer-bucket`.
//! - Docker: `error pulling image configuration: error parsing HTTP 403 response body: invalid character '<'
//!   …  <Code>AccessDenied</Code>`. S3 answers in XML and ECR in JSON, so XML proves S3.
//! - In AWS: `aws ec2 describe-vpc-endpoints --query 'VpcEndpoints[].PolicyDocument'` of the S3 endpoint.
//!
//! ## What to do
//! Append a statement to the policy of the endpoint: `Allow`, principal `*`, `s3:GetObject`, on that bucket
//! alone. Keep every other statement.
//!
//! ## What is never automated
//! The policy is often a guard of the data perimeter: it is changed only when asked for, and never reset to
//! full access.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, next, request::Target, said::Said};

pub(crate) const CAUSE: Cause = Cause {
    id: "vpce-policy-denies-s3-layer-bucket",
    leg: Some(Leg::LayerPermission),
    severity: Severity::Critical,
    remedy: Remedy::Manual,
    source: include_str!("vpce_policy_denies_s3_layer_bucket.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let next = next::endpoints(message, "s3")
        + ": does `PolicyDocument` allow s3:GetObject on prod-REGION-starport-layer-bucket/*?";
    if let Some(said) = message.said(Said::S3Xml).filter(|_| message.is_in_scope()) {
        return Some(
            Recognition::certain(said, "S3 answers in XML, ECR in JSON: S3 refused the layer", next)
                .weight(80),
        );
    }
    let refused = message.has_status(403).filter(|_| message.target() == Some(Target::Layers));
    if let Some(said) = refused {
        return Some(
            Recognition::certain(said, "S3 refused an address that ECR had signed", next).weight(80),
        );
    }
    let said = message.layers_unexplained()?;
    Some(Recognition::possible(said, "if S3 answered at all, it may have refused", next).weight(40))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        "failed to copy: httpReadSeeker: failed open: unexpected status from GET request to https://prod-us-east-1-starport-layer-bucket.s3.us-east-1.amazonaws.com/a: 403 Forbidden",
    );
    super::test_support::first(
        &CAUSE,
        r#"error pulling image configuration: error parsing HTTP 403 response body: invalid character '<' looking for beginning of value: "<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code>"#,
    );
}
