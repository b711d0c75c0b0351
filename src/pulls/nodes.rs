//! Which nodes there are, and to which source of pulls each of them belongs.
//!
//! Nodes that have the same manager (node group, node pool, auto scaling group) and the same role are one source. The
//! network is judged by subnets and groups inside a source.

use std::collections::{BTreeMap, BTreeSet};

use super::{Source, SourceKind};
use crate::model::Snapshot;
use crate::model::ec2::Instance;
use crate::model::eks::Cluster;
use crate::model::kubernetes::Node;

/// The nodes of a cluster by source.
#[derive(Clone, Debug, Default)]
pub(super) struct Nodes {
    /// The sources that only their nodes show: managed groups and Fargate profiles are listed by EKS.
    pub sources: BTreeSet<Source>,
    /// The instances of a source, by its kind and id.
    pub instances: BTreeMap<SourceKey, BTreeSet<String>>,
    /// The source of a node, by the names that Kubernetes may have for it.
    pub by_name: BTreeMap<String, SourceKey>,
}

/// Tells sources apart: kind and id.
pub(super) type SourceKey = (SourceKind, String);

/// A node, as EC2 and Kubernetes know it; one of them may know nothing.
struct Known<'a> {
    instance: Option<&'a Instance>,
    node: Option<&'a Node>,
    role: Option<String>,
    kind: SourceKind,
    name: String,
}

impl Nodes {
    /// Sorts the nodes of a cluster.
    pub(super) fn of(world: &Snapshot, cluster: &Cluster) -> Nodes {
        let known = known(world, cluster);
        let mut roles: BTreeMap<(SourceKind, &str), BTreeSet<Option<&str>>> = BTreeMap::new();
        for node in &known {
            roles.entry((node.kind, &node.name)).or_default().insert(node.role.as_deref());
        }
        let mut nodes = Nodes::default();
        for node in &known {
            let several = roles.get(&(node.kind, node.name.as_str())).is_some_and(|roles| roles.len() > 1);
            let id = match &node.role {
                _ if !several || node.kind == SourceKind::Nodegroup => node.name.clone(),
                Some(role) => format!("{} ({})", node.name, last(role)),
                None => format!("{} (role not known)", node.name),
            };
            let key = (node.kind, id.clone());
            if node.kind != SourceKind::Nodegroup {
                nodes.sources.insert(Source { kind: node.kind, id, role: node.role.clone() });
            }
            if let Some(instance) = node.instance {
                nodes.instances.entry(key.clone()).or_default().insert(instance.instance_id.clone());
                nodes.by_name.extend(instance.private_dns_name.clone().map(|name| (name, key.clone())));
            }
            nodes.by_name.extend(node.node.map(|node| (node.metadata.name.clone(), key)));
        }
        nodes
    }
}

fn known<'a>(world: &'a Snapshot, cluster: &Cluster) -> Vec<Known<'a>> {
    let by_instance: BTreeMap<&str, &Node> =
        world.kubernetes.nodes.values().filter_map(|node| Some((node.instance_id()?, node))).collect();
    let by_name = |instance: &Instance| world.kubernetes.nodes.get(instance.private_dns_name.as_deref()?);
    let alive = world.ec2.instances.values().filter(|instance| !instance.is_gone());
    let mut matched: BTreeSet<&str> = BTreeSet::new();
    let mut all = Vec::new();
    for instance in alive {
        let node = by_instance.get(instance.instance_id.as_str()).copied().or_else(|| by_name(instance));
        matched.extend(node.map(|node| node.metadata.name.as_str()));
        all.extend(place(world, cluster, Some(instance), node));
    }
    let others =
        world.kubernetes.nodes.values().filter(|node| !matched.contains(node.metadata.name.as_str()));
    all.extend(others.filter_map(|node| place(world, cluster, None, Some(node))));
    all
}

/// Where a node belongs; none for instances of other clusters, and for the nodes of Fargate, whose pods name a profile.
fn place<'a>(
    world: &'a Snapshot,
    cluster: &Cluster,
    instance: Option<&'a Instance>,
    node: Option<&'a Node>,
) -> Option<Known<'a>> {
    let tag = |key: &str| instance.and_then(|instance| instance.tag(key));
    let label = |key: &str| node.and_then(|node| node.metadata.labels.get(key)).map(String::as_str);
    let of_cluster = |key: &str| tag(key) == Some(cluster.name.as_str());
    let role = instance.and_then(|instance| role_of(world, instance));
    let pool = label("karpenter.sh/nodepool")
        .or(label("karpenter.sh/provisioner-name"))
        .or(tag("karpenter.sh/nodepool"))
        .or(tag("karpenter.sh/provisioner-name"));
    let group = label("eks.amazonaws.com/nodegroup")
        .or(tag("eks:nodegroup-name").filter(|_| of_cluster("eks:cluster-name")));
    let auto = node.and_then(Node::compute_type) == Some("auto")
        || (tag("eks:kubernetes-node-pool-name").is_some() && of_cluster("eks:eks-cluster-name"));
    let marked = tag(&format!("kubernetes.io/cluster/{}", cluster.name)).is_some();
    let (kind, name) = match node {
        Some(node) if node.is_hybrid() => (SourceKind::Hybrid, "hybrid"),
        Some(node) if node.compute_type() == Some("fargate") => return None,
        _ if group.is_some() => (SourceKind::Nodegroup, group?),
        _ if auto => {
            (SourceKind::AutoMode, pool.or(tag("eks:kubernetes-node-pool-name")).unwrap_or("auto-mode"))
        }
        _ if node.is_none() && !marked => return None,
        _ => match pool {
            Some(pool) => (SourceKind::Karpenter, pool),
            None => (SourceKind::SelfManaged, own_name(instance, node)?),
        },
    };
    let of_cluster = || cluster.compute_config.as_ref()?.node_role_arn.clone();
    let role = match kind {
        SourceKind::AutoMode => role.or_else(of_cluster),
        SourceKind::Hybrid => hybrid_role(world, cluster),
        _ => role,
    };
    Some(Known { instance, node, role, kind, name: name.to_owned() })
}

/// What manages a node that neither EKS nor Karpenter started: its auto scaling group, or nobody.
fn own_name<'a>(instance: Option<&'a Instance>, node: Option<&'a Node>) -> Option<&'a str> {
    let profile = |instance: &'a Instance| Some(last(&instance.iam_instance_profile.as_ref()?.arn));
    let Some(instance) = instance else { return node.map(|node| node.metadata.name.as_str()) };
    instance.tag("aws:autoscaling:groupName").or_else(|| profile(instance)).or(Some(&instance.instance_id))
}

/// The ARN of the role in the instance profile of an instance, where both were read.
fn role_of(world: &Snapshot, instance: &Instance) -> Option<String> {
    let profile = world.instance_profiles.get(&instance.iam_instance_profile.as_ref()?.arn)?;
    profile.roles.first().map(|role| role.arn.clone())
}

/// The role of hybrid nodes: no instance shows it, but they join by an access entry. Of several nobody knows whose they
/// are.
fn hybrid_role(world: &Snapshot, cluster: &Cluster) -> Option<String> {
    let of_cluster = world
        .access_entries
        .values()
        .filter(|entry| entry.cluster_name.as_ref().is_none_or(|name| *name == cluster.name));
    let mut roles = of_cluster
        .filter(|entry| entry.r#type.as_deref() == Some("HYBRID_LINUX"))
        .map(|entry| &entry.principal_arn);
    let first = roles.next()?;
    roles.next().is_none().then(|| first.clone())
}

fn last(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
