//! # repository-not-found
//!
//! The repository does not exist in that account and region.
//!
//! ## Why pulls fail
//! ECR never creates a repository on a pull, unless a pull-through cache rule fits. A slip in the name,
//! another account or another region, and the registry does not know the name.
//!
//! ## How to see it
//! - Docker, CRI-O: `name unknown: The repository with name 'NAME' does not exist in the registry with id
//!   'ACCOUNT'`.
//! - containerd: `HOST/NAME:TAG: not found`, as for a missing tag.
//! - Across accounts: `… because no resource-based policy allows the ecr:BatchGetImage action`, exactly as
//!   for a missing policy. For the accounts of AWS, read that text as a wrong image name.
//! - In AWS: `aws ecr describe-repositories --repository-names NAME` answers `RepositoryNotFoundException`.
//!
//! ## What to do
//! Correct the name, the account or the region of the image; or create the repository and push the image.
//!
//! ## What is never automated
//! No repository is created: an empty one would not mend the pull.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, denial::Policy, next, said::Said};
use crate::model::aws_accounts::is_aws_owned;

pub(crate) const CAUSE: Cause = Cause {
    id: "repository-not-found",
    leg: Some(Leg::Image),
    severity: Severity::Critical,
    remedy: Remedy::NotAws,
    source: include_str!("repository_not_found.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let next = next::describe_repository(message);
    if message.is_public() {
        return None;
    }
    if !message.is_in_scope() {
        let said = message.sayings.any(&[Said::RepositoryUnknown, Said::NoPullAccess])?;
        return Some(Recognition::possible(said, "that registry does not know the name", next));
    }
    let denial =
        message.denial.as_ref().filter(|denial| denial.policy == Policy::Resource && !denial.explicit);
    if let Some(denial) = denial {
        let of_aws = message.is_of_aws() || denial.resource_account().is_some_and(is_aws_owned);
        let meaning = "across accounts ECR answers like this for a repository that does not exist";
        return Some(if of_aws {
            Recognition::likely(&denial.excerpt, meaning, next).weight(70)
        } else {
            Recognition::possible(&denial.excerpt, meaning, next).weight(60)
        });
    }
    if let Some(said) = message.said(Said::RepositoryUnknown) {
        let meaning = "the registry does not know the name";
        return Some(if message.cached().is_some() {
            Recognition::likely(said, meaning, next)
        } else {
            Recognition::certain(said, meaning, next)
        });
    }
    if let Some(said) = message.said(Said::NoPullAccess) {
        return Some(
            Recognition::possible(
                said,
                "the registry does not tell a missing repository from a refused one",
                next,
            )
            .weight(70),
        );
    }
    let said = message.not_found().filter(|_| message.private_image().is_some())?;
    Some(Recognition::possible(said, "containerd says the same for a missing repository", next).weight(40))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        "Error response from daemon: repository 111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/app not found: name unknown: The repository with name 'team/app' does not exist in the registry with id '111122223333'",
    );
}
