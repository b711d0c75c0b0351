//! # repo-policy-explicit-deny
//!
//! The policy of the repository denies the role.
//!
//! ## Why pulls fail
//! A `Deny` in the policy of a repository wins over every `Allow`, whoever gives it.
//!
//! ## How to see it
//! - `with an explicit deny in a resource-based policy`; containerd says only `403 Forbidden`.
//! - In AWS: `aws ecr get-repository-policy` has a `Deny` that fits the role, the action and its conditions.
//!
//! ## What to do
//! Ask whoever owns the repository why the statement is there. If the policy of the repository has none, look
//! at the registry policy.
//!
//! ## What is never automated
//! It changes nothing: the deny is a guard that somebody put there on purpose, and working around it may hide
//! a compromise.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{
    Message,
    credentials::{self, Refused},
    denial::Policy,
    next,
};

pub(crate) const CAUSE: Cause = Cause {
    id: "repo-policy-explicit-deny",
    leg: Some(Leg::PullPermission),
    severity: Severity::Critical,
    remedy: Remedy::Manual,
    source: include_str!("repo_policy_explicit_deny.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let denial =
        message.denial.as_ref().filter(|denial| denial.policy == Policy::Resource && denial.explicit);
    if let Some(denial) = denial {
        let meaning = "a statement of the repository denies";
        return Some(
            Recognition::certain(&denial.excerpt, meaning, next::repository_policy(message)).weight(60),
        );
    }
    let (whose, said) = credentials::refused(message)?;
    matches!(whose, Refused::Node | Refused::CrossAccount).then(|| {
        Recognition::possible(said, "the repository may deny it", next::repository_policy(message)).weight(30)
    })
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        "Error response from daemon: pull access denied for 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app, repository does not exist or may require 'docker login': denied: User: arn:aws:sts::111122223333:assumed-role/node/i-0abc is not authorized to perform: ecr:BatchGetImage on resource: arn:aws:ecr:eu-west-1:111122223333:repository/app with an explicit deny in a resource-based policy",
    );
}
