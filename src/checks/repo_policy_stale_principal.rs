//! # repo-policy-stale-principal
//!
//! The policy of the repository names a role that was deleted and created again.
//!
//! ## Why pulls fail
//! A policy stores a role by its unique id. If the role is deleted and created again under the same name, the
//! id is another one: the statement shows `AROA…` in place of the ARN and fits nobody (a general rule of IAM,
//! unverified for ECR).
//!
//! ## How to see it
//! - The wording of a missing resource-based policy, though the statement was written for this role.
//! - In AWS: `aws ecr get-repository-policy` shows a principal that begins with `AROA`.
//!
//! ## What the fix does
//! Appends a statement that allows the role, by its ARN, to pull and nothing else (`set-repository-policy`).
//! The statement with the stale id stays: it fits nobody, and may have allowed more than a pull. The
//! rollback puts the recorded text back.
//!
//! ## What is never automated
//! No other statement is changed, and it is done only with credentials of the owner's account.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, denial::Policy, next};

pub(crate) const CAUSE: Cause = Cause {
    id: "repo-policy-stale-principal",
    leg: Some(Leg::PullPermission),
    severity: Severity::High,
    remedy: Remedy::Automatic,
    source: include_str!("repo_policy_stale_principal.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let denial =
        message.denial.as_ref().filter(|denial| denial.policy == Policy::Resource && !denial.explicit);
    let said = denial.map(|denial| denial.excerpt.as_str()).or_else(|| {
        message
            .denial
            .as_ref()
            .filter(|denial| denial.policy == Policy::Unsaid && denial.is_cross_account())
            .map(|d| d.excerpt.as_str())
    })?;
    let meaning = "the statement may name a role that was created anew";
    Some(
        Recognition::possible(said, meaning, next::repository_policy(message) + ": a principal `AROA…`?")
            .weight(25),
    )
}

#[test]
fn recognises_its_messages() {
    super::test_support::among(
        &CAUSE,
        "Error response from daemon: pull access denied for 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app, repository does not exist or may require 'docker login': denied: User: arn:aws:sts::444455556666:assumed-role/node/i-0abc is not authorized to perform: ecr:BatchGetImage on resource: arn:aws:ecr:eu-west-1:111122223333:repository/app because no resource-based policy allows the ecr:BatchGetImage action",
    );
}
