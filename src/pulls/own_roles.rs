//! The roles that service accounts name for pulls: the opt-in path in which a kubelet hands the token of a service account
//! to its credential provider, which takes the role of the annotation in place of that of the node.
//!
//! Source: kubernetes/cloud-provider-aws, `cmd/ecr-credential-provider`. Whether the kubelets of a cluster do so stands in
//! a file of each node.

use std::collections::{BTreeMap, BTreeSet};

use super::pods::Pods;
use super::words::Places;
use crate::model::kubernetes::Kubernetes;

/// A role that a service account names for pulls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnRole {
    /// The service account, as `NAMESPACE/NAME`.
    pub account: String,
    /// The ARN of the role.
    pub role: String,
    /// Whether a pod with it waits for an image.
    pub waits: bool,
    /// The pulls for its pods: where in the lists of sources and images of the world they stand.
    pub pulls: BTreeSet<(usize, usize)>,
}

/// All of them that pods pull with.
pub(super) fn all(kubernetes: &Kubernetes, pods: &mut Pods<'_>, places: &Places) -> Vec<OwnRole> {
    let mut found: BTreeMap<String, OwnRole> = BTreeMap::new();
    for pod in kubernetes.pods.values().filter(|pod| !pod.has_ended()) {
        // Fargate has no credential provider that anybody could set up.
        let Some(account) = kubernetes.service_account_of(pod).filter(|_| pod.fargate_profile().is_none())
        else {
            continue;
        };
        let Some(role) = account.metadata.annotations.ecr_role_arn.clone() else { continue };
        let id = account.metadata.common.id();
        let fresh = || OwnRole { account: id.clone(), role, waits: false, pulls: BTreeSet::new() };
        let own = found.entry(id.clone()).or_insert_with(fresh);
        own.waits |= pod.statuses().any(|status| status.waits_for_image().is_some());
        let sources = pods.sources_of(pod);
        let images = pod.containers().filter_map(|container| pods.image(container.image.as_deref()?));
        // Of what AWS serves to everybody nobody may be denied anything.
        let images = images.filter(|image| image.reference.is_some());
        own.pulls.extend(images.flat_map(|image| places.pairs(&image, &sources)));
    }
    found.into_values().filter(|own| !own.pulls.is_empty()).collect()
}
