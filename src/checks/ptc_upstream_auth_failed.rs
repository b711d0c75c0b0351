//! # ptc-upstream-auth-failed
//!
//! The pull-through cache cannot log in at the registry behind it.
//!
//! ## Why pulls fail
//! For Docker Hub, GitHub, GitLab and others the rule names a secret in Secrets Manager. If it is gone,
//! cannot be read or decrypted, or holds an old token, the registry behind refuses the cache.
//!
//! ## How to see it
//! - `UnableToGetUpstreamImageException`, or the failure code `UpstreamAccessDenied`.
//! - In AWS: `aws ecr validate-pull-through-cache-rule --ecr-repository-prefix PREFIX` answers `isValid:
//!   false` with a `failure`.
//!
//! ## What to do
//! Put a valid token into the secret (its name must begin with `ecr-pullthroughcache/`), then validate the
//! rule again.
//!
//! ## What is never automated
//! Secrets are never read or written.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{
    Message,
    credentials::{self},
    said::Said,
};

pub(crate) const CAUSE: Cause = Cause {
    id: "ptc-upstream-auth-failed",
    leg: Some(Leg::Image),
    severity: Severity::High,
    remedy: Remedy::Manual,
    source: include_str!("ptc_upstream_auth_failed.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let next = "`aws ecr validate-pull-through-cache-rule --ecr-repository-prefix PREFIX`";
    if let Some(said) = message.said(Said::UpstreamDenied) {
        return Some(Recognition::likely(said, "the registry behind the cache refused it", next).weight(70));
    }
    let (prefix, _) = message.cached()?;
    let (_, said) = credentials::refused(message)?;
    let meaning = format!("the cache `{prefix}` may be refused by the registry behind it");
    Some(Recognition::possible(said, &meaning, next).weight(80))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(&CAUSE, "BatchGetImage failed: UpstreamAccessDenied");
}
