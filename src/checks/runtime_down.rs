//! # runtime-down
//!
//! The container runtime of the node does not answer.
//!
//! ## Why pulls fail
//! The kubelet speaks to the runtime over a socket. If containerd has crashed or is starting, nothing can be
//! pulled (text unverified).
//!
//! ## How to see it
//! - `connection error: desc = "transport: Error while dialing … /run/containerd/containerd.sock"`.
//! - `ImageInspectError`, or `ImageStatus … from image service failed`, with `context deadline exceeded`: the
//!   kubelet asked what the node already holds, and the runtime hung.
//! - On the node: `systemctl status containerd`.
//!
//! ## What to do
//! Restart the runtime, or replace the node.
//!
//! ## What is never automated
//! Nodes are never restarted.

use super::{Cause, Recognition, Remedy, Severity};
use crate::explain::{Message, said::Said};

pub(crate) const CAUSE: Cause = Cause {
    id: "runtime-down",
    leg: None,
    severity: Severity::Critical,
    remedy: Remedy::NotAws,
    source: include_str!("runtime_down.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    const NEXT: &str = "on the node: `systemctl status containerd` and `journalctl -u containerd`";
    if let Some(said) = message.runtime_hangs() {
        let meaning = "the runtime did not answer a question that needs no registry";
        return Some(Recognition::likely(said, meaning, NEXT).weight(80));
    }
    let said = message.said(Said::RuntimeDown)?;
    let dialing = [
        "transport: error while dialing",
        "connection refused",
        "no such file or directory",
        "runtime is down",
        "running?",
        "context deadline exceeded",
        "unknown service",
        "code = unavailable",
        "transport is closing",
    ];
    (dialing.iter().any(|words| message.lower.contains(words)))
        .then(|| Recognition::certain(said, "the kubelet does not reach its runtime", NEXT).weight(80))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing dial unix /run/containerd/containerd.sock: connect: connection refused""#,
    );
    super::test_support::first(
        &CAUSE,
        r#"Failed to inspect image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = DeadlineExceeded desc = context deadline exceeded"#,
    );
}
