//! # ptc-upstream-failed
//!
//! The registry behind the pull-through cache does not deliver.
//!
//! ## Why pulls fail
//! The registry behind is down, limits the cache, or does not have the image.
//!
//! ## How to see it
//! - `not found`, `429 Too Many Requests`, or the failure codes `UpstreamTooManyRequests` and
//!   `UpstreamUnavailable`, for an image that is not in the cache yet.
//!
//! ## What to do
//! Check that the image exists upstream, give the rule a login with higher limits, or wait.
//!
//! ## What is never automated
//! Nothing in AWS can mend another registry.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, said::Said};

pub(crate) const CAUSE: Cause = Cause {
    id: "ptc-upstream-failed",
    leg: Some(Leg::Image),
    severity: Severity::High,
    remedy: Remedy::NotAws,
    source: include_str!("ptc_upstream_failed.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let next = "does the image exist upstream? Pull it from there by hand";
    if let Some(said) = message.said(Said::UpstreamFailed) {
        return Some(
            Recognition::certain(said, "the registry behind the cache does not deliver", next).weight(70),
        );
    }
    let (prefix, _) = message.cached()?;
    if let Some(said) = message.said(Said::RateExceeded).or_else(|| message.has_status(429)) {
        let meaning = format!("the registry behind `{prefix}` limits the cache");
        return Some(Recognition::likely(said, &meaning, next));
    }
    let said = message.not_found()?;
    Some(Recognition::possible(said, "the image may not exist upstream", next).weight(65))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(&CAUSE, "BatchGetImage failed: UpstreamTooManyRequests");
}
