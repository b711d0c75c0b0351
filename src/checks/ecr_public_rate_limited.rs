//! # ecr-public-rate-limited
//!
//! ECR Public limits pulls without a login.
//!
//! ## Why pulls fail
//! Anonymous pulls from ECR Public are limited by rate, and by data: 500 GB a month from one address. All
//! nodes behind a NAT gateway share one.
//!
//! ## How to see it
//! - `toomanyrequests: Rate exceeded`, or `toomanyrequests: Data limit exceeded`, for an image of
//!   `public.ecr.aws`.
//!
//! ## What to do
//! Give the node role `AmazonElasticContainerRegistryPublicReadOnly`, so that pulls are made with a token
//! (limits of known callers are higher), or use a pull-through cache rule for `public.ecr.aws`.
//!
//! ## What is never automated
//! The policy is not attached by itself, and no cache rule is created.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, said::Said};

pub(crate) const CAUSE: Cause = Cause {
    id: "ecr-public-rate-limited",
    leg: Some(Leg::PullPermission),
    severity: Severity::High,
    remedy: Remedy::Manual,
    source: include_str!("ecr_public_rate_limited.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let said =
        message.sayings.any(&[Said::DataLimit, Said::RateExceeded]).or_else(|| message.has_status(429))?;
    let next = "a pull-through cache rule for public.ecr.aws, or a node role with AmazonElasticContainerRegistryPublicReadOnly";
    let is_data = message.said(Said::DataLimit).is_some() && message.is_in_scope();
    (message.is_public() || is_data)
        .then(|| Recognition::certain(said, "ECR Public limits pulls without a login", next).weight(60))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "public.ecr.aws/a/b": rpc error: code = Unknown desc = Error response from daemon: toomanyrequests: Rate exceeded"#,
    );
}
