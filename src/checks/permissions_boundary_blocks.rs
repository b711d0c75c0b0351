//! # permissions-boundary-blocks
//!
//! The permissions boundary of the role does not allow the call.
//!
//! ## Why pulls fail
//! A permissions boundary is the most that a role may ever do. What it does not allow is denied, whatever
//! policies are attached.
//!
//! ## How to see it
//! - `because no permissions boundary allows the ecr:… action`, or `with an explicit deny in a permissions
//!   boundary`.
//! - In AWS: `aws iam get-role` shows `PermissionsBoundary`; the simulator answers
//!   `AllowedByPermissionsBoundary: false`.
//!
//! ## What to do
//! Ask whoever owns the boundary to allow `ecr:GetAuthorizationToken`, `ecr:BatchGetImage` and
//! `ecr:GetDownloadUrlForLayer`.
//!
//! ## What is never automated
//! Boundaries are guard rails: they are never changed or removed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, denial::Policy};

pub(crate) const CAUSE: Cause = Cause {
    id: "permissions-boundary-blocks",
    leg: Some(Leg::PullPermission),
    severity: Severity::Critical,
    remedy: Remedy::Manual,
    source: include_str!("permissions_boundary_blocks.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let denial = message.denial.as_ref()?;
    let next = "`aws iam get-role --query Role.PermissionsBoundary`; ask its owner to allow the three calls of a pull";
    if denial.policy == Policy::Unsaid && denial.is_about_pulls() {
        let meaning = "the sentence does not say which policy; a boundary may be the one";
        return Some(Recognition::possible(&denial.excerpt, meaning, next).weight(20));
    }
    if denial.policy != Policy::Boundary {
        return None;
    }
    Some(Recognition::certain(&denial.excerpt, "the boundary of the role decides", next))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        "Error response from daemon: pull access denied for 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app, repository does not exist or may require 'docker login': denied: User: arn:aws:sts::111122223333:assumed-role/node/i-0abc is not authorized to perform: ecr:BatchGetImage on resource: arn:aws:ecr:eu-west-1:111122223333:repository/app because no permissions boundary allows the ecr:BatchGetImage action",
    );
    super::test_support::first(
        &CAUSE,
        "Error response from daemon: pull access denied for 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app, repository does not exist or may require 'docker login': denied: User: arn:aws:sts::111122223333:assumed-role/node/i-0abc is not authorized to perform: ecr:BatchGetImage on resource: arn:aws:ecr:eu-west-1:111122223333:repository/app with an explicit deny in a permissions boundary",
    );
}
