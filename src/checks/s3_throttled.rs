//! # s3-throttled
//!
//! S3 asks for fewer requests.
//!
//! ## Why pulls fail
//! S3 answers 503 `SlowDown` when many nodes fetch the same layers at once (unverified for the layer bucket).
//!
//! ## How to see it
//! - 503 or `SlowDown` for the layer host.
//!
//! ## What to do
//! Wait for the next try; start nodes in smaller waves, or use smaller images.
//!
//! ## What is never automated
//! Nothing in your account can change it.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, request::Target, said::Said};

pub(crate) const CAUSE: Cause = Cause {
    id: "s3-throttled",
    leg: Some(Leg::LayerNetwork),
    severity: Severity::Medium,
    remedy: Remedy::NotAws,
    source: include_str!("s3_throttled.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let busy = message.has_status(503).filter(|_| message.target() == Some(Target::Layers));
    let said = message.said(Said::SlowDown).or(busy).filter(|_| message.is_in_scope())?;
    Some(
        Recognition::likely(
            said,
            "S3 asks for fewer requests",
            "wait for the next try; did many nodes start at once?",
        )
        .weight(70),
    )
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        "failed to copy: httpReadSeeker: failed open: unexpected status from GET request to https://prod-us-east-1-starport-layer-bucket.s3.us-east-1.amazonaws.com/a: 503 Slow Down",
    );
}
