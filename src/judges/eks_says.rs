//! What EKS itself tells that explains more: add-ons whose images are not pulled, nodes that never join, and roles of pods
//! that no kubelet pulls with. None of it blocks a leg: it is said in `unread` and as evidence.

use std::collections::BTreeSet;

use super::Options;
use crate::diagnosis::{Evidence, Verdicts};
use crate::model::eks::ACCESS_ENTRIES;
use crate::model::{Seen, Snapshot, Unread};
use crate::pulls::{Source, SourceKind, World};

/// The causes that people hope to mend with a role of the pod.
const LACKS_PERMISSION: [&str; 2] = ["fargate-exec-role-missing-policy", "node-role-missing-ecr-policy"];

/// How the words of EKS show that an image is not there, in lower case.
const NOT_PULLED: [&str; 4] = ["imagepullbackoff", "errimagepull", "pull image", "pulling image"];

/// The most instances that are named.
const SHOWN: usize = 5;

/// Adds what EKS says.
pub(super) fn judge(world: &World<'_>, _: &Options, verdicts: &mut Verdicts) {
    if !world.snapshot.keys.contains("Pods") {
        verdicts.untied.extend(addons_without_images(world));
    }
    for source in &world.sources {
        verdicts.untied.extend(never_joined(world, source));
    }
    let unused: Vec<Evidence> = unused_identities(world.snapshot).collect();
    for blocker in verdicts.blockers.iter_mut().filter(|row| LACKS_PERMISSION.contains(&row.cause)) {
        blocker.evidence.extend(unused.iter().cloned());
    }
}

/// Where nobody could look at pods, EKS knows of some of them.
fn addons_without_images<'w>(world: &'w World<'_>) -> impl Iterator<Item = Unread> + 'w {
    let of_cluster =
        |cluster: &Option<String>| cluster.as_ref().is_none_or(|name| *name == world.target.cluster);
    let addons = world.snapshot.addons.values().filter(move |addon| of_cluster(&addon.cluster_name));
    addons.flat_map(|addon| {
        let issues = addon.health.issues.iter().filter_map(|issue| {
            let message = issue.message.clone().unwrap_or_default();
            let lower = message.to_ascii_lowercase();
            NOT_PULLED.iter().any(|words| lower.contains(words)).then(|| Unread {
                source: "eks:DescribeAddon".to_owned(),
                resource: addon.addon_name.clone(),
                because: format!("its pods wait for images, says EKS: {} {message}", issue.code),
                hides: LACKS_PERMISSION.iter().map(|cause| (*cause).to_owned()).collect(),
                request_id: None,
            })
        });
        issues.collect::<Vec<Unread>>()
    })
}

/// Instances that run and are no nodes of the cluster: whatever would stop their pulls, no kubelet tries.
fn never_joined(world: &World<'_>, source: &Source) -> Option<Unread> {
    let strangers = world.snapshot.not_joined(world.nodes_of(source).map(|node| node.instance_id.as_str()));
    let first = strangers.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    let failed = world.snapshot.fails_to_join(&format!("{}/{}", world.target.cluster, source.id))
        && source.kind == SourceKind::Nodegroup;
    let who = match (strangers.len(), failed) {
        (0, false) => return None,
        (0, true) => format!("EKS says that nodes of {} do not join", source.id),
        (count, _) if count > SHOWN => {
            format!("{first} and {} more run and are no nodes of the cluster (yet)", count - SHOWN)
        }
        _ => format!("run and no node of the cluster (yet): {first}"),
    };
    let role = source.role.clone().unwrap_or_default();
    let why = match may_enter(world, &role) {
        Seen::Known(()) => {
            "their role has an access entry, so look at whether they reach the cluster".to_owned()
        }
        Seen::Absent => format!(
            "their role has no access entry, so they never join: aws eks create-access-entry \
                                 --cluster-name {} --principal-arn {role} --type EC2_LINUX",
            super::quoted(&world.target.cluster)
        ),
        Seen::Unread(because) => format!("whether their role may enter the cluster is not known ({because})"),
    };
    Some(Unread {
        source: "eks:ListAccessEntries".to_owned(),
        resource: role,
        because: format!("{who}; {why}"),
        hides: vec!["node-bootstrap-endpoints-missing".to_owned()],
        request_id: None,
    })
}

fn may_enter(world: &World<'_>, role: &str) -> Seen<()> {
    let cluster = world.snapshot.clusters.values().find(|cluster| cluster.name == world.target.cluster);
    let mode = cluster.and_then(|cluster| cluster.access_config.as_ref()?.authentication_mode.as_deref());
    if world.snapshot.access_entries.contains_key(role) {
        return Seen::Known(());
    }
    match mode {
        Some("API") => world.snapshot.missing(ACCESS_ENTRIES, "eks:ListAccessEntries", ""),
        _ => Seen::Unread("the ConfigMap aws-auth may name it, which is not read".to_owned()),
    }
}

/// Pods that wait for images, and have a role of their own.
fn unused_identities(world: &Snapshot) -> impl Iterator<Item = Evidence> + '_ {
    let waits = |pod: &&crate::model::kubernetes::Pod| {
        pod.statuses().any(|status| status.waits_for_image().is_some())
    };
    let accounts: BTreeSet<(&str, &str)> = world
        .kubernetes
        .pods
        .values()
        .filter(waits)
        .map(|pod| {
            let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
            (namespace, pod.spec.service_account_name.as_deref().unwrap_or("default"))
        })
        .collect();
    let identities = world.pod_identities.values();
    let of_them = identities
        .filter(move |row| accounts.contains(&(row.namespace.as_str(), row.service_account.as_str())));
    let of_them: BTreeSet<String> = of_them
        .map(|row| {
            let role = row.role_arn.as_ref().map(|role| format!(" ({role})")).unwrap_or_default();
            format!(
                "Pod Identity gives {}/{} a role{role}: no kubelet pulls with it, only with the role of its node",
                row.namespace, row.service_account
            )
        })
        .collect();
    of_them.into_iter().map(|saw| Evidence { source: "eks:ListPodIdentityAssociations".to_owned(), saw })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::diagnosis::{Health, diagnosis, verdicts};
    use crate::pulls::Scope;
    use crate::pulls::tests::world;

    const ROLE: &str = "arn:aws:iam::111122223333:role/ng";

    fn group() -> Value {
        json!({ "nodegroup": { "nodegroupName": "ng", "clusterName": "c", "nodeRole": ROLE } })
    }

    fn rows(files: &[Value], source: &str) -> Vec<Unread> {
        let snapshot = world(files);
        let world = World::of(&snapshot, &Scope::default()).unwrap();
        let told = diagnosis(&world, &verdicts(&world, &Options::default()));
        assert_ne!(told.summary.verdict, Health::Healthy);
        told.unread.into_iter().filter(|row| row.source == source && !row.hides.is_empty()).collect()
    }

    #[test]
    fn an_addon_that_waits_for_images_is_told_where_nobody_sees_pods() {
        let addon = |message: &str| {
            json!({ "addon": { "addonName": "coredns", "clusterName": "c", "status": "DEGRADED", "health": { "issues": [
                { "code": "InsufficientNumberOfReplicas", "message": message, "resourceIds": [] },
            ] } } })
        };
        let told = rows(&[group(), addon("2 pods are in ImagePullBackOff")], "eks:DescribeAddon");
        assert_eq!(told.len(), 1);
        assert!(told[0].because.contains("InsufficientNumberOfReplicas 2 pods"), "{told:?}");
        assert_eq!(rows(&[group(), addon("the pods are not scheduled")], "eks:DescribeAddon"), []);
        let pods = json!({ "apiVersion": "v1", "kind": "PodList", "items": [] });
        assert_eq!(rows(&[group(), addon("pulling image failed"), pods], "eks:DescribeAddon"), []);
    }

    #[test]
    fn a_node_that_never_joins_is_told_with_what_is_known_of_its_role() {
        let instances = json!({ "Reservations": [{ "Instances": [{
            "InstanceId": "i-1", "State": { "Name": "running" },
            "Tags": [{ "Key": "eks:nodegroup-name", "Value": "ng" }, { "Key": "eks:cluster-name", "Value": "c" }],
        }] }] });
        let node = |id: &str| {
            json!({ "apiVersion": "v1", "kind": "NodeList", "items": [{
                "apiVersion": "v1", "kind": "Node", "metadata": { "name": "ip-1" },
                "spec": { "providerID": format!("aws:///eu-west-1a/{id}") },
            }] })
        };
        let cluster = |mode: &str| {
            json!({ "cluster": { "name": "c", "arn": "arn:aws:eks:eu-west-1:111122223333:cluster/c",
                "accessConfig": { "authenticationMode": mode } } })
        };
        let entries = |arns: &[&str]| json!({ "accessEntries": arns });
        let told = |node: Value, mode: &str, entries: Value| {
            let files = [cluster(mode), group(), instances.clone(), node, entries];
            rows(&files, "eks:ListAccessEntries").pop().map(|row| row.because)
        };
        assert_eq!(told(node("i-1"), "API", entries(&[])), None);
        let never = told(node("i-2"), "API", entries(&[])).unwrap();
        assert!(never.contains("i-1") && never.contains("never join"), "{never}");
        let known = told(node("i-2"), "API", entries(&[ROLE])).unwrap();
        assert!(known.contains("has an access entry"), "{known}");
        let unread = told(node("i-2"), "API_AND_CONFIG_MAP", entries(&[])).unwrap();
        assert!(unread.contains("aws-auth"), "{unread}");
    }

    #[test]
    fn a_role_of_the_pod_is_told_where_the_role_of_the_node_lacks_permission() {
        let role = json!({ "RoleDetailList": [{ "RoleName": "ng", "Arn": ROLE,
            "AttachedManagedPolicies": [], "RolePolicyList": [] }] });
        let pod = json!({ "apiVersion": "v1", "kind": "PodList", "items": [{
            "metadata": { "name": "web", "namespace": "shop" },
            "spec": { "serviceAccountName": "web", "containers": [{ "name": "c",
                "image": "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1" }] },
            "status": { "phase": "Pending", "containerStatuses": [{ "name": "c",
                "state": { "waiting": { "reason": "ImagePullBackOff" } } }] },
        }] });
        let identity = json!({ "associations": [
            { "associationId": "a-1", "clusterName": "c", "namespace": "shop", "serviceAccount": "web" },
            { "associationId": "a-2", "clusterName": "c", "namespace": "shop", "serviceAccount": "other" },
        ] });
        let snapshot = world(&[group(), role, pod, identity]);
        let world = World::of(&snapshot, &Scope::default()).unwrap();
        let found = verdicts(&world, &Options::default()).blockers;
        let lacks = found.iter().find(|row| row.cause == "node-role-missing-ecr-policy").unwrap();
        let said: Vec<&str> = lacks.evidence.iter().map(|row| row.saw.as_str()).collect();
        assert!(said.iter().any(|saw| saw.contains("Pod Identity gives shop/web a role")), "{said:?}");
        assert!(!said.iter().any(|saw| saw.contains("shop/other")), "{said:?}");
    }
}
