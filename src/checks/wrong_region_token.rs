//! # wrong-region-token
//!
//! A build tool is logged in to ECR in another region than that of the image.
//!
//! ## Why pulls fail
//! A token of ECR works only in the region that issued it. A build that takes its base image from another
//! region needs a login there too.
//!
//! ## How to see it
//! - A builder says `401 Unauthorized`, `403 Forbidden` or `no basic auth credentials` for the base image
//!   only.
//! - The region of `aws ecr get-login-password` is not the one in the host of the image.
//!
//! ## What to do
//! Log in once for each region that the build uses: `aws ecr get-login-password --region REGION | docker
//! login --username AWS --password-stdin ACCOUNT.dkr.ecr.REGION.amazonaws.com`.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{
    Message,
    credentials::{self},
    said::Said,
    wrapping::Puller,
};

pub(crate) const CAUSE: Cause = Cause {
    id: "wrong-region-token",
    leg: Some(Leg::Credentials),
    severity: Severity::Medium,
    remedy: Remedy::NotAws,
    source: include_str!("wrong_region_token.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    const MEANING: &str = "a login counts only in the region that issued it";
    let next = "`aws ecr get-login-password --region REGION | docker login …`, with the region of the image";
    let bad = message.has_status(400).filter(|_| message.private_image().is_some());
    if let (Some(said), Some(_)) = (bad, message.said(Said::LoginRefused)) {
        return Some(Recognition::likely(said, MEANING, next).weight(80));
    }
    let (_, said) = credentials::missing(message)?;
    (message.wrapping.puller == Puller::Builder && message.is_in_scope())
        .then(|| Recognition::possible(said, MEANING, next).weight(40))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        "login attempt to https://111122223333.dkr.ecr.ap-southeast-1.amazonaws.com/v2/ failed with status: 400 Bad Request",
    );
    super::test_support::among(
        &CAUSE,
        "failed to solve: 763104351884.dkr.ecr.eu-central-1.amazonaws.com/pytorch:1: unexpected status code [manifests 1]: 401 Unauthorized",
    );
}
