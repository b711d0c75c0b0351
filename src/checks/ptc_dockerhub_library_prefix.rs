//! # ptc-dockerhub-library-prefix
//!
//! An official image of Docker Hub is named without `library/`.
//!
//! ## Why pulls fail
//! On Docker Hub the official images live under `library/`, which `docker pull` adds in silence. A
//! pull-through cache does not: `docker-hub/amazonlinux` asks Docker Hub for a name that it does not have.
//!
//! ## How to see it
//! - `403 Forbidden` or `not found` for `PREFIX/NAME:TAG` through a rule for Docker Hub, where NAME has no
//!   slash.
//!
//! ## What to do
//! Name the image `ACCOUNT.dkr.ecr.REGION.amazonaws.com/PREFIX/library/NAME:TAG`.
//!
//! ## What is never automated
//! Workloads are never changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{
    Message,
    credentials::{self, Refused},
    said::Said,
};

pub(crate) const CAUSE: Cause = Cause {
    id: "ptc-dockerhub-library-prefix",
    leg: Some(Leg::Image),
    severity: Severity::High,
    remedy: Remedy::NotAws,
    source: include_str!("ptc_dockerhub_library_prefix.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let (prefix, rest) =
        message.cached().filter(|(prefix, rest)| prefix.contains("docker") && !rest.contains('/'))?;
    let meaning = format!("`{prefix}/{rest}`: official images of Docker Hub live under `library/`");
    let next = format!("name the image `{prefix}/library/{rest}`");
    if let Some((Refused::LibraryPrefix, said)) = credentials::refused(message) {
        return Some(Recognition::likely(said, &meaning, next).weight(60));
    }
    let said = message.not_found().or_else(|| message.said(Said::RepositoryUnknown))?;
    Some(Recognition::likely(said, &meaning, next).weight(80))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/amazonlinux:2023": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/amazonlinux:2023": failed to resolve reference "111122223333.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/amazonlinux:2023": unexpected status from HEAD request to https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/docker-hub/amazonlinux/manifests/2023: 403 Forbidden"#,
    );
}
