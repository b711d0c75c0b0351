//! # wrong-registry-region
//!
//! The host of the image names another region than the one that holds it.
//!
//! ## Why pulls fail
//! Registries are regional: a repository in eu-west-1 is unknown in us-east-1. Charts of add-ons often have
//! us-west-2 in their defaults; that works where the network lets it, and breaks in a private VPC.
//!
//! ## How to see it
//! - `not found` or `name unknown`, or 401 and timeouts, for a host of another region than the cluster's.
//! - `aws ecr describe-images --region REGION` finds the image elsewhere.
//!
//! ## What to do
//! Correct the region in the image name (for add-ons: the `image.repository` value of the chart), or
//! replicate the repository.
//!
//! ## What is never automated
//! Workloads are never changed, and no replication is set up.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, said::Said};
use crate::model::aws_accounts::is_add_on_registry;

pub(crate) const CAUSE: Cause = Cause {
    id: "wrong-registry-region",
    leg: Some(Leg::Image),
    severity: Severity::High,
    remedy: Remedy::NotAws,
    source: include_str!("wrong_registry_region.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let (image, host) = message.private_image()?;
    let region = host.region.as_deref()?;
    let said = message
        .not_found()
        .or_else(|| message.said(Said::RepositoryUnknown))
        .or_else(|| message.no_credentials())?;
    let next = "which region holds the image? `aws ecr describe-images --region REGION …`";
    if let Some((of_image, of_cluster)) = message.other_region() {
        let meaning = format!("the image is named in {of_image}, the cluster is in {of_cluster}");
        return Some(Recognition::possible(said, &meaning, next).weight(75));
    }
    let by_default = region == "us-west-2" && image.account.as_deref().is_some_and(is_add_on_registry);
    let weight = if by_default { 75 } else { 30 };
    let is_missing = message.not_found().is_some() || message.said(Said::RepositoryUnknown).is_some();
    (is_missing && (by_default || message.cached().is_none()))
        .then(|| Recognition::possible(said, "the image may lie in another region", next).weight(weight))
}

#[test]
fn recognises_its_messages() {
    super::test_support::among(
        &CAUSE,
        r#"Failed to pull image "602401143452.dkr.ecr.us-west-2.amazonaws.com/amazon/x:2.1.3": rpc error: code = NotFound desc = failed to pull and unpack image "602401143452.dkr.ecr.us-west-2.amazonaws.com/amazon/x:2.1.3": failed to resolve reference "602401143452.dkr.ecr.us-west-2.amazonaws.com/amazon/x:2.1.3": 602401143452.dkr.ecr.us-west-2.amazonaws.com/amazon/x:2.1.3: not found"#,
    );
}
