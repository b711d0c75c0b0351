//! Whether machines have become nodes of their cluster.

use std::collections::BTreeSet;

use super::Snapshot;

impl Snapshot {
    /// Which of these instances run and are no nodes; none where nodes were not read.
    pub fn not_joined<'i>(&self, instances: impl Iterator<Item = &'i str>) -> Vec<&'i str> {
        if !self.keys.contains("Nodes") {
            return Vec::new();
        }
        let nodes = self.kubernetes.nodes.values().filter_map(|node| node.instance_id());
        let nodes: BTreeSet<&str> = nodes.collect();
        let is_stranger = |id: &&str| {
            let Some(instance) = self.ec2.instances.get(*id) else { return false };
            let runs = instance.state.as_ref().is_some_and(|state| state.name == "running");
            let name = instance.private_dns_name.as_ref();
            runs && !nodes.contains(*id) && !name.is_some_and(|name| self.kubernetes.nodes.contains_key(name))
        };
        instances.filter(is_stranger).collect()
    }

    /// Whether EKS says of a node group, by `CLUSTER/GROUP`, that its nodes do not join.
    pub fn fails_to_join(&self, group: &str) -> bool {
        let group = self.nodegroups.get(group);
        let issues = group.map(|group| group.health.issues.as_slice()).unwrap_or_default();
        issues.iter().any(|issue| issue.code == "NodeCreationFailure")
    }
}
