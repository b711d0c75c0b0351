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
            format!(
                "then let it be replaced: kubectl get nodeclaims -o wide, and kubectl delete nodeclaim NAME of {name}"
            )
        }
        SourceKind::Hybrid => format!("then mark {} as usable again: kubectl uncordon {0}", quoted(name)),
        _ => format!(
            "then replace it: kubectl drain {} --ignore-daemonsets, and terminate its instance",
            quoted(name)
        ),
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

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    use crate::judges::test_support;
    use crate::pulls::tests::{instance, list, node, profiles};

    fn check(nodes: &[Value], expected: &Expect) {
        let of_group = json!({ "eks:nodegroup-name": "ng", "eks:cluster-name": "c" });
        let instances = ["i-1", "i-2"].map(|id| instance(id, "ng", of_group.clone()));
        let reservations = json!({ "Reservations": [{ "Instances": instances }] });
        test_support::check(
            &[reservations, profiles(&["ng"]), list(nodes)],
            &["node-disk-full"],
            &[],
            expected,
        );
    }

    fn with(name: &str, instance: &str, pressure: Option<&str>, taint: bool) -> Value {
        let mut node = node(name, instance, json!({}));
        if let Some(status) = pressure {
            node["status"]["conditions"] =
                json!([{ "type": "Ready", "status": "True" }, { "type": "DiskPressure", "status": status }]);
        }
        if taint {
            node["spec"]["taints"] =
                json!([{ "key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule" }]);
        }
        node
    }

    #[test]
    fn one_full_disk_of_two_blocks_some_pulls() {
        check(
            &[with("ip-1", "i-1", Some("True"), true), with("ip-2", "i-2", Some("False"), false)],
            &expect![[r#"
                node-disk-full high not-aws on node/ip-1: node ip-1 of nodegroup ng says that its disk is full
                  kubernetes:ListNodes: ip-1: condition DiskPressure is True
                  blocks image of nodegroup/ng <- app:v1, nodegroup/ng <- 602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/*
            "#]],
        );
        check(
            &[with("ip-1", "i-1", None, true)],
            &expect![[r#"
            node-disk-full critical not-aws on node/ip-1: node ip-1 of nodegroup ng says that its disk is full
              kubernetes:ListNodes: ip-1: taint disk-pressure
              blocks image of nodegroup/ng <- app:v1, nodegroup/ng <- 602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/*
        "#]],
        );
    }

    #[test]
    fn a_taint_that_outlives_its_reason_and_silent_kubelets_are_no_finding() {
        check(&[with("ip-1", "i-1", Some("False"), true)], &expect![[r#""#]]);
        check(
            &[with("ip-1", "i-1", Some("Unknown"), false), with("ip-2", "i-2", None, false)],
            &expect![[r#""#]],
        );
    }
}
