//! # ecr-api-throttled
//!
//! ECR refuses calls because there were too many of them.
//!
//! ## Why pulls fail
//! ECR limits the calls of an account in a region: `GetAuthorizationToken` 500 a second, `BatchGetImage`
//! 2000, `GetDownloadUrlForLayer` 3000. When many nodes start at once, or something calls in a loop, further
//! calls are refused. If it hits the token, the kubelet pulls without credentials.
//!
//! ## How to see it
//! - `toomanyrequests: Rate exceeded`, `429 Too Many Requests` or `ThrottlingException` for a private
//!   registry.
//! - `unauthorized: authentication required` on some pulls of many, when the refresh of tokens was throttled.
//! - In AWS: `CallCount` of `AWS/Usage` in CloudWatch against the quotas of ECR.
//!
//! ## What to do
//! Ask for a higher quota in Service Quotas, start nodes in smaller waves, and find what calls in a loop.
//!
//! ## What is never automated
//! Quotas are never requested: that is a decision about cost and needs a person.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{
    Message,
    credentials::{self, Whose},
    said::Said,
};

pub(crate) const CAUSE: Cause = Cause {
    id: "ecr-api-throttled",
    leg: Some(Leg::EcrTokenPermission),
    severity: Severity::High,
    remedy: Remedy::Manual,
    source: include_str!("ecr_api_throttled.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    const NEXT: &str = "CloudWatch, namespace AWS/Usage, metric CallCount of ECR against Service Quotas; did many nodes start at once?";
    let limited = message.said(Said::RateExceeded).or_else(|| message.has_status(429));
    if let Some(said) = limited.filter(|_| message.is_in_scope() && !message.is_public()) {
        return Some(if message.cached().is_some() {
            Recognition::possible(said, "ECR, or the registry behind the cache, limits calls", NEXT)
        } else {
            Recognition::certain(said, "ECR limits the calls of an account", NEXT)
        });
    }
    let (whose, said) = credentials::missing(message)?;
    let meaning = "the registry asks for authentication although the kubelet has a source of it: token calls may be throttled";
    (whose == Whose::Throttled).then(|| Recognition::likely(said, meaning, NEXT))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = Error response from daemon: toomanyrequests: Rate exceeded"#,
    );
}
