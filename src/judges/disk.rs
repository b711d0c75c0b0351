//! Nodes that say themselves that their disk is full: `node-disk-full`.
//!
//! Under `DiskPressure` a kubelet deletes images, evicts pods, and takes no new ones: what it pulls finds no room.

use super::{Options, quoted};
use crate::checks::{Cause, Leg, Severity};
use crate::diagnosis::{Blocker, Evidence, Fix, Verdicts, pull_id};
use crate::model::kubernetes::Node;
use crate::pulls::{Source, SourceKind, World};

/// The condition of a node with a full disk.
const CONDITION: &str = "DiskPressure";

/// The taint that Kubernetes gives such a node.
const TAINT: &str = "node.kubernetes.io/disk-pressure";

/// Judges the disks of nodes, as far as Kubernetes knows of them.
pub(super) fn judge(world: &World<'_>, _options: &Options, verdicts: &mut Verdicts) {
    for source in &world.sources {
        let nodes: Vec<&Node> = world.kubelets_of(source).collect();
        let full: Vec<(&Node, &str)> = nodes.iter().filter_map(|node| Some((*node, sign(node)?))).collect();
        let pulls: Vec<String> = world.pulls_by(source).map(|pull| pull_id(&pull)).collect();
        if pulls.is_empty() {
            continue;
        }
        let all = full.len() == nodes.len();
        for (node, sign) in full {
            blocker(world, source, node, sign, all, pulls.clone())
                .into_iter()
                .for_each(|blocker| verdicts.blocked(blocker));
        }
    }
}

/// What says that the disk of a node is full. A taint may outlive its reason for a moment, so the kubelet decides.
fn sign(node: &Node) -> Option<&'static str> {
    match node.is(CONDITION) {
        Some(true) => Some("condition DiskPressure is True"),
        Some(false) => None,
        None => node.spec.taints.iter().any(|taint| taint.key == TAINT).then_some("taint disk-pressure"),
    }
}

fn blocker(
    world: &World<'_>,
    source: &Source,
    node: &Node,
    sign: &str,
    all: bool,
    pulls: Vec<String>,
) -> Option<Blocker> {
    let cause = Cause::find("node-disk-full")?;
    let name = &node.metadata.name;
    let replace = match source.kind {
        SourceKind::AutoMode | SourceKind::Karpenter => {
            format!("then let it be replaced: kubectl get nodeclaims -o wide, and kubectl delete nodeclaim NAME of {name}")
        }
        SourceKind::Hybrid => format!("then mark {} as usable again: kubectl uncordon {0}", quoted(name)),
        _ => format!("then replace it: kubectl drain {} --ignore-daemonsets, and terminate its instance", quoted(name)),
    };
    Some(Blocker {
        cause: cause.id,
        legs: vec![Leg::Image],
        pulls,
        severity: if all { Severity::Critical } else { Severity::High },
        resource: format!("node/{name}"),
        account: world.target.account.clone(),
        summary: format!("node {name} of {} {} says that its disk is full", source.kind.as_str(), source.id),
        evidence: vec![Evidence { source: "kubernetes:ListNodes".to_owned(), saw: format!("{name}: {sign}") }],
        fix: Fix::NotAws {
            because: "ecr-fix deletes nothing on nodes".to_owned(),
            steps: vec![
                format!("look: kubectl describe node {}; on the node: df -h, df -i, crictl images", quoted(name)),
                "grow the volume: in the launch template, in `blockDeviceMappings` of the EC2NodeClass, or in \
                 `ephemeralStorage` of the NodeClass of Auto Mode"
                    .to_owned(),
                replace,
                format!("read more: ecr-fix explain {}", cause.id),
            ],
        },
    })
}
