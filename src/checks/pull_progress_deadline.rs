//! # pull-progress-deadline
//!
//! The runtime gave up a pull that made no progress.
//!
//! ## Why pulls fail
//! containerd cancels a pull that received nothing for a while (`image_pull_progress_timeout`, five minutes
//! by default), and the kubelet has deadlines of its own. Usually S3 cannot be reached, so no layer moves;
//! sometimes a layer is huge and the node slow.
//!
//! ## How to see it
//! - containerd log: `cancel pulling image NAME because of no progress in 5m0s`.
//! - Pod event: `context canceled`, or `code = DeadlineExceeded`.
//!
//! ## What to do
//! Check the way to S3 first. If layers do arrive, slowly, raise the timeout in the configuration of the
//! node, or make the layers smaller.
//!
//! ## What is never automated
//! Nodes are never changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, connection::Failure, request::Target, said::Said, wrapping::Runtime};

pub(crate) const CAUSE: Cause = Cause {
    id: "pull-progress-deadline",
    leg: Some(Leg::LayerNetwork),
    severity: Severity::High,
    remedy: Remedy::NotAws,
    source: include_str!("pull_progress_deadline.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let next =
        "does S3 answer? `curl -sS -m 5 https://s3.REGION.amazonaws.com` on the node; see `vpce-s3-missing`";
    if let Some(said) = message.said(Said::NoProgress) {
        return Some(
            Recognition::certain(said, "the runtime gave up a pull that stood still", next).weight(70),
        );
    }
    let connection =
        message.connection.as_ref().filter(|_| message.is_in_scope() && !message.wrapping.plugin)?;
    let gave_up = connection.failure == Failure::Canceled
        || (connection.failure == Failure::Timeout
            && message.requests.is_empty()
            && !message.wrapping.sandbox);
    let meaning = "the pull was given up; no request is named as the one that hung";
    if !gave_up || message.node_local().is_some() {
        return message.layers_unreachable().map(|found| {
            Recognition::possible(&found.excerpt, "layers that do not move end the pull", next).weight(20)
        });
    }
    let containerd =
        message.wrapping.runtime == Runtime::Containerd || connection.failure == Failure::Timeout;
    Some(if containerd && !message.is_public() && message.target() != Some(Target::Layers) {
        Recognition::likely(&connection.excerpt, meaning, next)
    } else {
        Recognition::possible(&connection.excerpt, meaning, next).weight(60)
    })
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"level=error msg="cancel pulling image 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1 because of no progress in 5m0s""#,
    );
}
