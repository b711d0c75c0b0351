//! # ptc-permission-missing
//!
//! A pull-through cache may not fetch the image, because the role lacks a permission for it.
//!
//! ## Why pulls fail
//! On the first pull of an image, a pull-through cache creates the repository and imports the image, with the
//! rights of whoever pulls. That needs `ecr:CreateRepository` and `ecr:BatchImportUpstreamImage`.
//! `AmazonEC2ContainerRegistryReadOnly` has neither, and `AmazonEC2ContainerRegistryPullOnly` has only the
//! import.
//!
//! ## How to see it
//! - The repository is absent: `name unknown: The repository with name 'PREFIX/…' does not exist in the
//!   registry`.
//! - The repository is there, the image is not: `manifest unknown: Requested image not found`.
//! - In AWS: the simulator of IAM answers `implicitDeny` for one of the two calls.
//!
//! ## What the fix does
//! Attaches `AmazonEC2ContainerRegistryPullOnly` to the role (`attach-role-policy`), which allows the import.
//! `ecr:CreateRepository`, limited to the prefix of the cache, comes as an inline policy (`put-role-policy`)
//! only when asked for. The rollback takes both away.
//!
//! ## What is never automated
//! `ecr:CreateRepository` is never granted on `*`.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{
    Message,
    credentials::{self},
    next,
    said::Said,
};

pub(crate) const CAUSE: Cause = Cause {
    id: "ptc-permission-missing",
    leg: Some(Leg::PullPermission),
    severity: Severity::Critical,
    remedy: Remedy::Automatic,
    source: include_str!("ptc_permission_missing.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let next = next::simulate(message)
        .replace("ecr:GetAuthorizationToken", "ecr:CreateRepository ecr:BatchImportUpstreamImage");
    let calls = ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"];
    if let Some(denial) =
        message.denial.as_ref().filter(|denial| calls.contains(&denial.action.as_str()) && !denial.explicit)
    {
        return Some(
            Recognition::certain(&denial.excerpt, "the cache works with the rights of whoever pulls", next)
                .weight(70),
        );
    }
    let (prefix, _) = message.cached()?;
    let meaning = format!(
        "`{prefix}` looks like a pull-through cache, which creates and imports with the rights of whoever pulls"
    );
    if let Some(said) = message.said(Said::RepositoryUnknown) {
        return Some(Recognition::likely(said, &meaning, next).weight(70));
    }
    if let Some(said) = message.not_found() {
        return Some(Recognition::likely(said, &meaning, next).weight(60));
    }
    let (_, said) = credentials::refused(message)?;
    Some(Recognition::possible(said, &meaning, next).weight(75))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        "Error response from daemon: repository 111122223333.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/library/x not found: name unknown: The repository with name 'docker-hub/library/x' does not exist in the registry with id '111122223333'",
    );
}
