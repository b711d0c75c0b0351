//! # identity-policy-explicit-deny
//!
//! A policy of the role itself denies the call.
//!
//! ## Why pulls fail
//! A `Deny` in any policy of the role wins over every `Allow`. A special case is
//! `AWSCompromisedKeyQuarantineV3`: AWS attaches it when a key of the principal has leaked.
//!
//! ## How to see it
//! - `with an explicit deny in an identity-based policy`, newer ones followed by its ARN.
//! - The simulator of IAM answers `explicitDeny`, and `MatchedStatements` names the statement.
//!
//! ## What to do
//! Find the statement and its reason; its owner decides. If it is a quarantine policy, treat the credentials
//! as stolen: rotate them first.
//!
//! ## What is never automated
//! It changes nothing: the deny is a guard that somebody put there on purpose, and working around it may hide
//! a compromise. Above all, a quarantine policy is never detached.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, denial::Policy, next};

pub(crate) const CAUSE: Cause = Cause {
    id: "identity-policy-explicit-deny",
    leg: Some(Leg::PullPermission),
    severity: Severity::Critical,
    remedy: Remedy::Manual,
    source: include_str!("identity_policy_explicit_deny.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let denial = message.denial.as_ref().filter(|denial| denial.explicit)?;
    let meaning = "a statement denies, and no other can allow";
    let next = next::simulate(message) + ": `MatchedStatements` names it";
    match denial.policy {
        Policy::Identity => Some(Recognition::certain(&denial.excerpt, meaning, next)),
        // Until 2021 the sentence ended here, whatever policy it was.
        Policy::Unsaid if denial.is_about_registries() => {
            Some(Recognition::likely(&denial.excerpt, meaning, next))
        }
        _ => None,
    }
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        "Error response from daemon: pull access denied for 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app, repository does not exist or may require 'docker login': denied: User: arn:aws:sts::111122223333:assumed-role/node/i-0abc is not authorized to perform: ecr:BatchGetImage on resource: arn:aws:ecr:eu-west-1:111122223333:repository/app with an explicit deny in an identity-based policy",
    );
    super::test_support::first(
        &CAUSE,
        "An error occurred (AccessDeniedException) when calling the GetAuthorizationToken operation: User: <USER> is not authorized to perform: <ACTION> on resource: * with an explicit deny",
    );
}
