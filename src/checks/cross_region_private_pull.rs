//! # cross-region-private-pull
//!
//! The image lies in another region than the cluster, and the VPC reaches only its own.
//!
//! ## Why pulls fail
//! Private names of endpoints cover the registry and the API of their own region, and the S3 gateway endpoint
//! covers the layers of its own region. An image of another region needs a way to the internet for all three;
//! the credential plugin also calls the API of the *other* region. Newer endpoints may name another region's
//! service (`ServiceRegion`; coverage of ECR unverified).
//!
//! ## How to see it
//! - The region in the host of the image is not that of the cluster.
//! - Timeouts to a public address in a private VPC, or 401 because the plugin could not reach the API of the
//!   other region.
//!
//! ## What to do
//! Replicate the repository into the region of the cluster and name that copy, or give the nodes a way to the
//! internet.
//!
//! ## What is never automated
//! No replication is set up, and image names are not changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{
    Message,
    credentials::{self},
    next,
};

pub(crate) const CAUSE: Cause = Cause {
    id: "cross-region-private-pull",
    leg: Some(Leg::RegistryNetwork),
    severity: Severity::High,
    remedy: Remedy::Manual,
    source: include_str!("cross_region_private_pull.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let (of_image, of_cluster) = message.other_region()?;
    let meaning = format!(
        "the image is in {of_image}, the cluster in {of_cluster}; endpoints serve only their own region"
    );
    let next = "replicate the repository into the region of the cluster, or check the way to the internet: "
        .to_owned()
        + &next::trace(message);
    if let Some(connection) = message.registry_unreachable().or_else(|| message.layers_unreachable()) {
        return Some(Recognition::likely(&connection.excerpt, &meaning, next).weight(65));
    }
    let (_, said) = credentials::missing(message)?;
    Some(Recognition::possible(said, &meaning, next).weight(90))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"kubelet ip-10-0-0-1.us-west-2.compute.internal Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to resolve reference "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to do request: Head "https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/app/manifests/v1": dial tcp 52.207.2.251:443: i/o timeout"#,
    );
}
