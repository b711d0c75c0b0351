//! # kubelet-pull-qps
//!
//! The kubelet limits its own pulls.
//!
//! ## Why pulls fail
//! The kubelet pulls at most so many images a second (`registryPullQPS` 5, `registryBurst` 10). When many
//! pods start at once, some have to wait. ECR is not involved.
//!
//! ## How to see it
//! - `pull QPS exceeded`.
//!
//! ## What to do
//! Usually wait: the kubelet tries again. Raise `registryPullQPS` and `registryBurst` in the configuration of
//! the nodes if it comes back.
//!
//! ## What is never automated
//! Nodes are never changed.

use super::{Cause, Recognition, Remedy, Severity};
use crate::explain::{Message, said::Said};

pub(crate) const CAUSE: Cause = Cause {
    id: "kubelet-pull-qps",
    leg: None,
    severity: Severity::Medium,
    remedy: Remedy::NotAws,
    source: include_str!("kubelet_pull_qps.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let said = message.said(Said::PullQps)?;
    let next =
        "wait for the next try; raise `registryPullQPS` and `registryBurst` of the kubelet if it comes back";
    Some(
        Recognition::certain(said, "the kubelet limits its own pulls; no registry was asked", next)
            .weight(80),
    )
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"failed to "StartContainer" for "app" with ErrImagePull: "pull QPS exceeded""#,
    );
}
