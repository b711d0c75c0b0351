//! # wrong-account-in-image
//!
//! The host of the image names another account than the one that holds the repository.
//!
//! ## Why pulls fail
//! The account in the host is neither that of the cluster nor one of AWS's registries of add-ons for the
//! region, and a repository of that name stands in the cluster's own account (unverified as a rule). Typical
//! after copying a manifest from one stage to another.
//!
//! ## How to see it
//! - `403 Forbidden`, `name unknown`, or the wording of a missing resource-based policy.
//! - `aws ecr describe-repositories --repository-names NAME` finds the repository in your own account.
//!
//! ## What to do
//! Correct the account in the image name.
//!
//! ## What is never automated
//! Workloads are never changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, next, said::Said};
use crate::model::aws_accounts::{add_on_account, is_add_on_registry};

pub(crate) const CAUSE: Cause = Cause {
    id: "wrong-account-in-image",
    leg: Some(Leg::PullPermission),
    severity: Severity::High,
    remedy: Remedy::NotAws,
    source: include_str!("wrong_account_in_image.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let account = message.other_account().filter(|_| !message.is_of_aws());
    let unknown = message.said(Said::RepositoryUnknown).or_else(|| message.bare_forbidden());
    if let (Some(account), Some(_)) = (account, unknown) {
        let meaning = "the image names another account than that of the cluster";
        return Some(Recognition::possible(account, meaning, next::describe_repository(message)).weight(60));
    }
    let (image, host) = message.private_image()?;
    let (account, region) = (image.account.as_deref()?, host.region.as_deref()?);
    let serves = add_on_account(region);
    let meaning = "this account serves the add-ons of other regions";
    let next = format!(
        "in {region} the images of add-ons come from {}",
        serves.unwrap_or("an account that we do not know")
    );
    if !is_add_on_registry(account) || serves == Some(account) || !message.says_why() {
        return None;
    }
    // Whoever is known, and is refused there, cannot be helped by another role: the repository is not there.
    let refused = message.bare_forbidden().or_else(|| message.said(Said::RepositoryUnknown));
    Some(match refused.filter(|_| serves.is_some()) {
        Some(_) => Recognition::likely(account, meaning, next).weight(85),
        None => Recognition::possible(account, meaning, next).weight(85),
    })
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "602401143452.dkr.ecr.af-south-1.amazonaws.com/eks/coredns:v1": unexpected status from HEAD request to https://602401143452.dkr.ecr.af-south-1.amazonaws.com/v2/eks/coredns/manifests/v1: 403 Forbidden"#,
    );
    super::test_support::among(
        &CAUSE,
        r#"Failed to pull image "602401143452.dkr.ecr.af-south-1.amazonaws.com/eks/coredns:v1": Head "https://602401143452.dkr.ecr.af-south-1.amazonaws.com/v2/eks/coredns/manifests/v1": no basic auth credentials"#,
    );
}
