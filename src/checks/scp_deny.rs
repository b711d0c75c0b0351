//! # scp-deny
//!
//! A service control policy of the organization forbids the call.
//!
//! ## Why pulls fail
//! Service control policies bind every principal of an account, whatever its own policies allow. A common one
//! forbids calls to other regions: it also hits images of add-ons that a chart takes from another region (for
//! example a default of us-west-2), and the pod event is then only `no basic auth credentials`. Since
//! September 2025 these policies may have conditions, so a denial may depend on the network.
//!
//! ## How to see it
//! - `with an explicit deny in a service control policy`, newer ones followed by its ARN, or `because no
//!   service control policy allows the … action`.
//! - The simulator of IAM answers `AllowedByOrganizations: false`.
//!
//! ## What to do
//! Take the image from the region of the cluster, or ask whoever runs the organization for an exception.
//!
//! ## What is never automated
//! Policies of the organization are never changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, denial::Policy};

pub(crate) const CAUSE: Cause = Cause {
    id: "scp-deny",
    leg: Some(Leg::PullPermission),
    severity: Severity::Critical,
    remedy: Remedy::Manual,
    source: include_str!("scp_deny.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let next =
        "ask whoever runs the organization; does the image lie in a region that is closed to the account?";
    let denial = message.denial.as_ref()?;
    if denial.policy == Policy::Identity && denial.is_about_pulls() && !denial.explicit {
        let meaning = "if the role does allow it, the organization may not";
        return Some(Recognition::possible(&denial.excerpt, meaning, next).weight(20));
    }
    if denial.policy == Policy::Unsaid && denial.explicit && denial.is_about_registries() {
        let meaning = "the sentence does not say which policy; one of the organization may be the one";
        return Some(Recognition::possible(&denial.excerpt, meaning, next).weight(30));
    }
    if denial.policy != Policy::ServiceControl {
        return None;
    }
    Some(Recognition::certain(&denial.excerpt, "the organization forbids it", next))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        "Error response from daemon: pull access denied for 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app, repository does not exist or may require 'docker login': denied: User: arn:aws:sts::111122223333:assumed-role/node/i-0abc is not authorized to perform: ecr:BatchGetImage on resource: arn:aws:ecr:eu-west-1:111122223333:repository/app with an explicit deny in a service control policy",
    );
    super::test_support::first(
        &CAUSE,
        "User: arn:aws:iam::***:user/a is not authorized to perform: ecr:GetAuthorizationToken on resource: * with an explicit deny in a service control",
    );
}
