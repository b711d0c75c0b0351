//! # repo-policy-missing-cross-account
//!
//! The repository is in another account, and its policy does not allow the role of the node.
//!
//! ## Why pulls fail
//! Across accounts both sides must allow a pull: the policy of the role in the account of the cluster, and
//! the policy of the repository in the account of its owner. Within one account either is enough.
//!
//! ## How to see it
//! - Docker and CRI-O: `not authorized to perform: ecr:BatchGetImage on resource:
//!   arn:aws:ecr:REGION:OWNER:repository/NAME because no resource-based policy allows the ecr:BatchGetImage
//!   action`; older texts end before `because`.
//! - containerd: only `403 Forbidden`.
//! - In AWS, with credentials of the owner: `aws ecr get-repository-policy` answers
//!   `RepositoryPolicyNotFoundException`, or no statement allows the role, its account or its organization.
//!
//! A repository that does not exist gets the same answer across accounts. For the accounts of AWS, read it as
//! a wrong image name.
//!
//! ## What the fix does
//! Appends one statement that allows the role `ecr:BatchGetImage` and `ecr:GetDownloadUrlForLayer`
//! (`set-repository-policy`), if credentials of the owner's account are given with `--account-role`. Every
//! other statement stays as it is. The rollback puts the recorded text back, or deletes the policy if there
//! was none.
//!
//! ## What is never automated
//! No statement of others is overwritten, no grant goes to `*`, and nothing is tried in accounts of AWS or in
//! an account for which no role was given.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{
    Message,
    credentials::{self, Refused},
    denial::{Denial, Policy},
    next,
    said::Said,
};
use crate::model::aws_accounts::is_aws_owned;

pub(crate) const CAUSE: Cause = Cause {
    id: "repo-policy-missing-cross-account",
    leg: Some(Leg::PullPermission),
    severity: Severity::Critical,
    remedy: Remedy::Automatic,
    source: include_str!("repo_policy_missing_cross_account.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let next = next::repository_policy(message);
    let meaning = "across accounts the policy of the repository must allow the role too";
    let concerns = |denial: &&Denial| denial.is_about_registries() && !denial.explicit;
    if let Some(denial) = message.denial.as_ref().filter(concerns) {
        let of_aws = message.is_of_aws() || denial.resource_account().is_some_and(is_aws_owned);
        return match denial.policy {
            Policy::Resource if of_aws => Some(Recognition::possible(&denial.excerpt, meaning, next)),
            Policy::Resource => Some(Recognition::certain(&denial.excerpt, meaning, next).weight(60)),
            Policy::Unsaid if denial.is_cross_account() => {
                Some(Recognition::likely(&denial.excerpt, meaning, next).weight(60))
            }
            Policy::Unsaid if !denial.resource.starts_with('*') => {
                Some(Recognition::possible(&denial.excerpt, meaning, next).weight(40))
            }
            _ => None,
        };
    }
    if let Some(said) = message.said(Said::NoSuchImageHere).filter(|_| message.private_image().is_some()) {
        let meaning =
            "the image never arrived on the node; a pull that was refused before leaves this behind";
        return Some(Recognition::possible(said, meaning, next).weight(80));
    }
    let (whose, said) = credentials::refused(message)?;
    match whose {
        Refused::CrossAccount => Some(Recognition::likely(said, meaning, next).weight(60)),
        Refused::Node | Refused::Login if !message.is_of_aws() => {
            Some(Recognition::possible(said, meaning, next).weight(65))
        }
        _ => None,
    }
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        "Error response from daemon: pull access denied for 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app, repository does not exist or may require 'docker login': denied: User: arn:aws:sts::444455556666:assumed-role/node/i-0abc is not authorized to perform: ecr:BatchGetImage on resource: arn:aws:ecr:eu-west-1:111122223333:repository/app because no resource-based policy allows the ecr:BatchGetImage action",
    );
    super::test_support::first(
        &CAUSE,
        "Error response from daemon: pull access denied for 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app, repository does not exist or may require 'docker login': denied: User: arn:aws:sts::444455556666:assumed-role/node/i-0abc is not authorized to perform: ecr:BatchGetImage on resource: arn:aws:ecr:eu-west-1:111122223333:repository/app ",
    );
}
