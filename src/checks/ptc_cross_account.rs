//! # ptc-cross-account
//!
//! The pull-through cache stands in another account, and new repositories in it have no policy.
//!
//! ## Why pulls fail
//! A cache creates repositories as images are asked for. Unless a repository creation template gives them a
//! policy, other accounts may not pull from them: images that were allowed once work, new ones do not.
//!
//! ## How to see it
//! - `403 Forbidden` or `not found` for new images only.
//! - In AWS: `aws ecr describe-repository-creation-templates` in the account of the cache.
//!
//! ## What to do
//! Create a repository creation template for the prefix with a policy for your accounts, in the account of
//! the cache.
//!
//! ## What is never automated
//! Templates and repositories of another account are never changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, said::Said};

pub(crate) const CAUSE: Cause = Cause {
    id: "ptc-cross-account",
    leg: Some(Leg::PullPermission),
    severity: Severity::High,
    remedy: Remedy::Manual,
    source: include_str!("ptc_cross_account.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let (prefix, _) = message.cached()?;
    let account = message.other_account()?;
    let said = message
        .not_found()
        .or_else(|| message.bare_forbidden())
        .or_else(|| message.said(Said::RepositoryUnknown))?;
    let meaning = format!("`{prefix}` looks like a pull-through cache in account {account}");
    let next =
        "`aws ecr describe-repository-creation-templates`, with credentials of the account of the cache";
    Some(Recognition::possible(said, &meaning, next).weight(70))
}

#[test]
fn recognises_its_messages() {
    super::test_support::among(
        &CAUSE,
        "Error response from daemon: pull access denied for 111122223333.dkr.ecr.eu-west-1.amazonaws.com/quay/a: denied: User: arn:aws:sts::444455556666:assumed-role/n/i is not authorized to perform: ecr:Foo on resource: x, manifest unknown: Requested image not found",
    );
}
