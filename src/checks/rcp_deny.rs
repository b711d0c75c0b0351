//! # rcp-deny
//!
//! A resource control policy of the owner's organization forbids the pull.
//!
//! ## Why pulls fail
//! Resource control policies bind whoever uses the resources of an organization, ECR among them. They often
//! admit only principals of the organization itself.
//!
//! ## How to see it
//! - `with an explicit deny in a resource control policy`, or `because no resource control policy allows the
//!   … action`. Nothing else shows it without rights in the organization of the owner.
//!
//! ## What to do
//! Ask whoever runs the organization of the repository's owner for an exception.
//!
//! ## What is never automated
//! Policies of an organization are never changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, denial::Policy};

pub(crate) const CAUSE: Cause = Cause {
    id: "rcp-deny",
    leg: Some(Leg::PullPermission),
    severity: Severity::Critical,
    remedy: Remedy::Manual,
    source: include_str!("rcp_deny.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let denial = message.denial.as_ref().filter(|denial| denial.policy == Policy::ResourceControl)?;
    let next = "ask whoever runs the organization that owns the repository";
    Some(Recognition::certain(&denial.excerpt, "the organization of the owner forbids it", next))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        "Error response from daemon: pull access denied for 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app, repository does not exist or may require 'docker login': denied: User: arn:aws:sts::111122223333:assumed-role/node/i-0abc is not authorized to perform: ecr:BatchGetImage on resource: arn:aws:ecr:eu-west-1:111122223333:repository/app with an explicit deny in a resource control policy",
    );
}
