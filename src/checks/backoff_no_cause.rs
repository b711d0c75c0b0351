//! # backoff-no-cause
//!
//! The message says that the kubelet waits before it tries again, not why the pull failed.
//!
//! ## Why pulls fail
//! `Back-off pulling image` and `ImagePullBackOff` come after a failure and hold no cause. The cause stands
//! in the event before, or in the state of the container, and events are gone after a while (an hour by
//! default, unverified).
//!
//! ## How to see it
//! - Event reason `BackOff`, type `Normal`; `Error: ImagePullBackOff`; `Error: ErrImagePull` or
//!   `Failed to pull image` with nothing behind it.
//!
//! ## What to do
//! Ask for what holds the cause, and hand it to `ecr-fix explain`:
//! - `kubectl describe pod POD -n NAMESPACE`: the `Failed` event before the back-off.
//! - `kubectl get pod POD -n NAMESPACE -o jsonpath='{.status.containerStatuses[*].state.waiting.message}'`.
//! - If both are gone, delete the pod and look at once, or read the log of the kubelet on the node.

use super::{Cause, Recognition, Remedy, Severity};
use crate::explain::{Message, said::Said};

pub(crate) const CAUSE: Cause = Cause {
    id: "backoff-no-cause",
    leg: None,
    severity: Severity::Low,
    remedy: Remedy::NotAws,
    source: include_str!("backoff_no_cause.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let said = message.sayings.any(&[Said::BackOff, Said::ErrImagePull]);
    let said = said.or_else(|| message.names_only_the_pull()).filter(|_| !message.says_why())?;
    let next = "ask for the `Failed` event before it: `kubectl describe pod POD`; or `kubectl get pod POD -o \
        jsonpath='{.status.containerStatuses[*].state.waiting.message}'`; or the log of the kubelet";
    Some(Recognition::certain(said, "it says that a pull failed, not why", next).weight(60))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(&CAUSE, "Error: ImagePullBackOff");
    super::test_support::first(&CAUSE, r#"Back-off pulling image "nginx:1""#);
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1""#,
    );
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = ..."#,
    );
    super::test_support::silent(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = the registry is in a bad mood"#,
    );
    super::test_support::first(
        &CAUSE,
        r#"container "app" in pod "app-1" is waiting to start: image can't be pulled"#,
    );
}
