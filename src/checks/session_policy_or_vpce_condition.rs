//! # session-policy-or-vpce-condition
//!
//! A condition or a session policy takes away what the role allows.
//!
//! ## Why pulls fail
//! The role allows the pull, but only under a condition that this pull does not meet: `aws:SourceVpce`,
//! `aws:SourceVpc`, `aws:SourceIp`, `aws:PrincipalOrgID`, `aws:ResourceOrgID`, `aws:RequestedRegion`; or the
//! session was opened with a policy of its own. The accounts of AWS that serve add-ons are outside your
//! organization, so a deny by `aws:ResourceOrgID` breaks the images of EKS add-ons (unverified).
//!
//! ## How to see it
//! - `403 Forbidden` although the simulator of IAM says `allowed`.
//! - `because no session policy allows the … action`, or `with an explicit deny in a session policy`.
//!
//! ## What to do
//! Find the condition in the policies of the role and of the organization, and let its owner add the missing
//! exception.
//!
//! ## What is never automated
//! Conditions are guards and are never loosened.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, denial::Policy};

pub(crate) const CAUSE: Cause = Cause {
    id: "session-policy-or-vpce-condition",
    leg: Some(Leg::PullPermission),
    severity: Severity::High,
    remedy: Remedy::Manual,
    source: include_str!("session_policy_or_vpce_condition.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let denial = message.denial.as_ref().filter(|denial| denial.policy == Policy::Session)?;
    let next =
        "who opens the session, and with which policy? Look for conditions in the policies of the role";
    Some(Recognition::certain(&denial.excerpt, "the session may do less than its role", next))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        "Error response from daemon: pull access denied for 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app, repository does not exist or may require 'docker login': denied: User: arn:aws:sts::111122223333:assumed-role/node/i-0abc is not authorized to perform: ecr:BatchGetImage on resource: arn:aws:ecr:eu-west-1:111122223333:repository/app because no session policy allows the ecr:BatchGetImage action",
    );
}
