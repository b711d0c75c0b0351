//! # ecr-public-stale-credentials
//!
//! A pull from ECR Public sends an old login, where none is needed.
//!
//! ## Why pulls fail
//! Everybody may pull from `public.ecr.aws` without a login. A configuration of Docker, or a pull secret,
//! with an expired token for that host is refused, though an anonymous pull would work.
//!
//! ## How to see it
//! - `403 Forbidden`, or `denied: Your authorization token has expired`, for an image of `public.ecr.aws`.
//!
//! ## What to do
//! `docker logout public.ecr.aws`, or delete the pull secret for that host.
//!
//! ## What is never automated
//! Kubernetes Secrets and files on nodes are never changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{
    Message,
    credentials::{self, Refused, Whose},
    said::Said,
};

pub(crate) const CAUSE: Cause = Cause {
    id: "ecr-public-stale-credentials",
    leg: Some(Leg::PullPermission),
    severity: Severity::High,
    remedy: Remedy::NotAws,
    source: include_str!("ecr_public_stale_credentials.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let next =
        "`docker logout public.ecr.aws`, or delete the pull secret for that host: anonymous pulls work";
    let expired = message.said(Said::TokenExpired).filter(|_| message.is_public() || message.image.is_none());
    if let Some(said) = expired.filter(|_| !message.is_public()) {
        return Some(Recognition::possible(said, "the message does not say which registry", next).weight(45));
    }
    if let Some(said) = expired {
        return Some(Recognition::certain(said, "ECR Public needs no login, and this one is old", next));
    }
    if let Some((Refused::Public, said)) = credentials::refused(message) {
        return Some(Recognition::likely(said, "ECR Public refuses only logins that are old or wrong", next));
    }
    let (whose, said) = credentials::missing(message)?;
    (whose == Whose::Public)
        .then(|| Recognition::likely(said, "ECR Public refuses only logins that are old or wrong", next))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"Error response from daemon: failed to resolve reference "public.ecr.aws/lambda/provided:al2023": unexpected status from HEAD request to https://public.ecr.aws/v2/lambda/provided/manifests/al2023: 403 Forbidden"#,
    );
}
