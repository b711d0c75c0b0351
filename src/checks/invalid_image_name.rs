//! # invalid-image-name
//!
//! The name of the image does not follow the grammar, so nothing is pulled at all.
//!
//! ## Why pulls fail
//! Upper-case letters in the repository, a blank, `https://` in front, two tags, an unfilled placeholder: the
//! kubelet refuses the name before it asks anybody.
//!
//! ## How to see it
//! - Waiting reason `InvalidImageName`, event `InspectFailed`: `Failed to apply default image tag "NAME":
//!   couldn't parse image reference "NAME": invalid reference format`.
//! - `pull access denied for ACCOUNT.dkr.ecr.REGION.amazonaws.com, repository does not exist`: only the host was
//!   named, and Docker takes a host alone for the name of an image of Docker Hub.
//!
//! ## What to do
//! Correct the name in the workload or chart: `ACCOUNT.dkr.ecr.REGION.amazonaws.com/lower-case/name:tag`.
//!
//! ## What is never automated
//! Workloads are never changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, said::Said};

pub(crate) const CAUSE: Cause = Cause {
    id: "invalid-image-name",
    leg: Some(Leg::Image),
    severity: Severity::Critical,
    remedy: Remedy::NotAws,
    source: include_str!("invalid_image_name.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    if let Some(host) = message.host_taken_for_name() {
        let meaning =
            "without a repository behind it, Docker takes the host for the name of an image of Docker Hub";
        let next = "put `/REPOSITORY:TAG` behind the host in the name of the image";
        return Some(Recognition::likely(host, meaning, next).weight(80));
    }
    let said = message.said(Said::InvalidName)?;
    let next = "`kubectl get pod POD -o jsonpath='{..image}'`: upper case, a blank, a scheme, an unfilled placeholder?";
    Some(Recognition::certain(said, "the name does not follow the grammar", next).weight(70))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"Failed to apply default image tag "App:v1": couldn't parse image reference "App:v1": invalid reference format: repository name must be lowercase"#,
    );
    super::test_support::first(
        &CAUSE,
        "pull access denied for 111122223333.dkr.ecr.eu-west-1.amazonaws.com, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
    );
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull ctr image: failed to resolve reference "": hostname required  ref="#,
    );
    super::test_support::silent(
        &CAUSE,
        "pull access denied for 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app, repository does not exist or may require 'docker login'",
    );
}
