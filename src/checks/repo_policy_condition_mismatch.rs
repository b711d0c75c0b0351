//! # repo-policy-condition-mismatch
//!
//! The policy of the repository allows the role, but under a condition that this pull does not meet.
//!
//! ## Why pulls fail
//! The statement that fits has a condition such as `aws:PrincipalOrgID`, `aws:SourceVpce` or `aws:SourceIp`.
//! Through an endpoint, `aws:SourceIp` holds no public address (`aws:VpcSourceIp` instead, unverified), and
//! an account outside the organization never fits its id.
//!
//! ## How to see it
//! - `403 Forbidden`, or the wording of a missing resource-based policy, though a statement seems to allow
//!   it.
//! - In AWS: `aws ecr get-repository-policy`, and the conditions of its statements.
//!
//! ## What to do
//! Somebody may have set the condition to keep this role out: ask the owner of the repository first. Either
//! the pull can be made to meet it (through the endpoint, from the account of the organization that it
//! names), or the owner adds a statement for the role of the node; the commands are printed. With
//! `--allow-past-conditions` a plan appends that statement, as for `repo-policy-missing-cross-account`. A
//! condition of which nobody knows whether it holds is reported as not decided.
//!
//! ## What is never automated
//! Without the flag nothing is changed. Conditions of others are never changed, and neither is a deny.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, denial::Policy, next};

pub(crate) const CAUSE: Cause = Cause {
    id: "repo-policy-condition-mismatch",
    leg: Some(Leg::PullPermission),
    severity: Severity::High,
    remedy: Remedy::Manual,
    source: include_str!("repo_policy_condition_mismatch.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let denial =
        message.denial.as_ref().filter(|denial| denial.policy == Policy::Resource && !denial.explicit)?;
    let meaning = "a statement may allow it under a condition only";
    Some(Recognition::possible(&denial.excerpt, meaning, next::repository_policy(message)).weight(20))
}

#[test]
fn recognises_its_messages() {
    super::test_support::among(
        &CAUSE,
        "Error response from daemon: pull access denied for 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app, repository does not exist or may require 'docker login': denied: User: arn:aws:sts::444455556666:assumed-role/node/i-0abc is not authorized to perform: ecr:BatchGetImage on resource: arn:aws:ecr:eu-west-1:111122223333:repository/app because no resource-based policy allows the ecr:BatchGetImage action",
    );
}
