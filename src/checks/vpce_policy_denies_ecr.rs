//! # vpce-policy-denies-ecr
//!
//! The policy of the ECR endpoint does not allow the call.
//!
//! ## Why pulls fail
//! A request through an endpoint must be allowed by the policy of that endpoint as well. It needs
//! `ecr:GetAuthorizationToken` on `*` at `ecr.api`, and `ecr:BatchGetImage` and `ecr:GetDownloadUrlForLayer`
//! at `ecr.dkr`, for the role and for the accounts of AWS that serve add-ons. A policy that names only your
//! own account as resource breaks the images of add-ons.
//!
//! ## How to see it
//! - `because no VPC endpoint policy allows the ecr:… action`, or `with an explicit deny in a VPC endpoint
//!   policy`.
//! - containerd: only `403 Forbidden`; with `ecr.api` restricted, 401.
//! - In AWS: `aws ec2 describe-vpc-endpoints --query 'VpcEndpoints[].PolicyDocument'`.
//!
//! ## What to do
//! Append a statement for the role and the three calls: `aws ec2 modify-vpc-endpoint --vpc-endpoint-id ID
//! --policy-document FILE`. Keep every other statement.
//!
//! ## What is never automated
//! The policy of an endpoint is often a guard of the data perimeter: it is changed only when asked for, and
//! never reset to full access.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{
    Message,
    credentials::{self, Refused},
    denial::Policy,
    next,
};

pub(crate) const CAUSE: Cause = Cause {
    id: "vpce-policy-denies-ecr",
    leg: Some(Leg::PullPermission),
    severity: Severity::Critical,
    remedy: Remedy::Manual,
    source: include_str!("vpce_policy_denies_ecr.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let next = next::endpoints(message, "ecr.dkr") + ": read `PolicyDocument`";
    if let Some(denial) = message.denial.as_ref().filter(|denial| denial.policy == Policy::Endpoint) {
        return Some(Recognition::certain(&denial.excerpt, "the policy of the endpoint decides", next));
    }
    let (whose, said) = credentials::refused(message)?;
    matches!(whose, Refused::Node | Refused::CrossAccount | Refused::Fargate)
        .then(|| Recognition::possible(said, "the policy of the endpoint may stop it", next).weight(50))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        "Error response from daemon: pull access denied for 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app, repository does not exist or may require 'docker login': denied: User: arn:aws:sts::111122223333:assumed-role/node/i-0abc is not authorized to perform: ecr:BatchGetImage on resource: arn:aws:ecr:eu-west-1:111122223333:repository/app because no VPC endpoint policy allows the ecr:BatchGetImage action",
    );
    super::test_support::first(
        &CAUSE,
        "Error response from daemon: pull access denied for 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app, repository does not exist or may require 'docker login': denied: User: arn:aws:sts::111122223333:assumed-role/node/i-0abc is not authorized to perform: ecr:BatchGetImage on resource: arn:aws:ecr:eu-west-1:111122223333:repository/app with an explicit deny in a VPC endpoint policy",
    );
    super::test_support::first(&CAUSE, "because no VPC endpoint policy allows the ecr:BatchGetImage action");
}
