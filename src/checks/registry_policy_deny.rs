//! # registry-policy-deny
//!
//! The policy of the whole registry denies the pull.
//!
//! ## Why pulls fail
//! Beside the policies of its repositories a registry has one of its own. With version 2 of its scope
//! (`REGISTRY_POLICY_SCOPE` = `V2`, the default of new registries) every action of ECR may stand in it, and
//! it is enforced on every request.
//!
//! ## How to see it
//! - `with an explicit deny in a resource-based policy`, while the policy of the repository is clean.
//! - In AWS: `aws ecr get-account-setting --name REGISTRY_POLICY_SCOPE` and `aws ecr get-registry-policy`.
//!
//! ## What to do
//! Ask whoever owns the registry why the statement is there.
//!
//! ## What is never automated
//! The registry policy is never changed: it concerns every repository.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, denial::Policy};

pub(crate) const CAUSE: Cause = Cause {
    id: "registry-policy-deny",
    leg: Some(Leg::PullPermission),
    severity: Severity::Critical,
    remedy: Remedy::Manual,
    source: include_str!("registry_policy_deny.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let denial = message
        .denial
        .as_ref()
        .filter(|denial| denial.policy == Policy::Resource && denial.is_about_pulls())?;
    let next = "`aws ecr get-registry-policy`, with credentials of the owner's account";
    let weight = if denial.explicit { 60 } else { 15 };
    Some(
        Recognition::possible(&denial.excerpt, "the policy of the whole registry may deny it", next)
            .weight(weight),
    )
}

#[test]
fn recognises_its_messages() {
    super::test_support::among(
        &CAUSE,
        "Error response from daemon: pull access denied for 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app, repository does not exist or may require 'docker login': denied: User: arn:aws:sts::111122223333:assumed-role/node/i-0abc is not authorized to perform: ecr:BatchGetImage on resource: arn:aws:ecr:eu-west-1:111122223333:repository/app with an explicit deny in a resource-based policy",
    );
}
