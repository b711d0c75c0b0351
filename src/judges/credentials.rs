//! Whether nodes have credentials at all: `instance-profile-missing`, `imds-unreachable`.
//!
//! Pod execution roles are judged by their trust policy, in `trust`; nodes on premises in `hybrid`.

use std::collections::BTreeSet;

use super::{Options, quoted};
use crate::actions::instance_profile::Address;
use crate::actions::{AnyChange, Change, ProfileAssociation};
use crate::checks::{Leg, Severity};
use crate::diagnosis::{Blocker, Evidence, Fix, Verdicts, pull_id};
use crate::model::Seen;
use crate::model::ec2::{Instance, LaunchTemplateVersion, MetadataOptions};
use crate::model::eks::HealthIssue;
use crate::model::iam::InstanceProfile;
use crate::pulls::{Source, SourceKind, Target, World};

/// Judges `credentials` of nodes.
pub(super) fn judge(world: &World<'_>, options: &Options, verdicts: &mut Verdicts) {
    let elsewhere = [SourceKind::FargateProfile, SourceKind::Hybrid];
    for source in world.sources.iter().filter(|source| !elsewhere.contains(&source.kind)) {
        let pulls: Vec<String> = world.pulls_by(source).map(|pull| pull_id(&pull)).collect();
        if pulls.is_empty() {
            continue;
        }
        match has_role(world, source) {
            Seen::Known(()) => judge_nodes(world, source, &pulls, options, verdicts),
            Seen::Absent => verdicts.blocked(role_is_gone(world, source, &pulls)),
            Seen::Unread(because) => {
                pulls.iter().for_each(|pull| verdicts.unknown(pull, Leg::Credentials, because.clone()));
                // The role of such nodes is known only through them: they may have none.
                if source.role.is_none() && source.kind != SourceKind::Nodegroup {
                    judge_nodes(world, source, &pulls, options, verdicts);
                }
            }
        }
    }
}

fn has_role(world: &World<'_>, source: &Source) -> Seen<()> {
    match &source.role {
        Some(role) => world.snapshot.role(role).map(|_| ()),
        None => Seen::Unread("its role was not read".to_owned()),
    }
}

fn judge_nodes(
    world: &World<'_>,
    source: &Source,
    pulls: &[String],
    options: &Options,
    verdicts: &mut Verdicts,
) {
    if !world.snapshot.keys.contains("Reservations") {
        let because = "ec2:DescribeInstances: not read";
        pulls.iter().for_each(|pull| verdicts.unknown(pull, Leg::Credentials, because));
        return;
    }
    let nodes: Vec<&Instance> = world.nodes_of(source).collect();
    if source.kind == SourceKind::AutoMode && nodes.is_empty() {
        // No tag ties its nodes to their pool, so none of them was looked at.
        pulls.iter().for_each(|pull| verdicts.unknown(pull, Leg::Credentials, "its nodes are not known"));
        return;
    }
    let mut well = true;
    if let Some(issue) = profile_issue(world, source) {
        well = false;
        verdicts.blocked(profile_is_gone(world, source, pulls, issue));
    }
    for node in &nodes {
        match profile_role(world, node) {
            Seen::Known(role) if Some(&role) != source.role.as_ref() => {
                well = false;
                let because = format!("node {} has role {role}, not that of its group", node.instance_id);
                pulls.iter().for_each(|pull| verdicts.unknown(pull, Leg::Credentials, because.clone()));
            }
            Seen::Known(_) => {}
            Seen::Absent => {
                well = false;
                let what = "has an instance profile without a role";
                let fix = replace_node(source, "instance-profile-missing", node);
                verdicts.blocked(node_blocker(world, ("instance-profile-missing", what), node, pulls, fix));
            }
            Seen::Unread(because) => {
                well = false;
                pulls.iter().for_each(|pull| verdicts.unknown(pull, Leg::Credentials, because.clone()));
            }
        }
    }
    for node in nodes.iter().filter(|node| without_profile(node)) {
        well = false;
        let what = ("instance-profile-missing", "has no instance profile, so no role");
        let fix = if options.allow_profile_association {
            give_profile(world, source, &nodes, node)
        } else {
            replace_node(source, "instance-profile-missing", node)
        };
        verdicts.blocked(node_blocker(world, what, node, pulls, fix));
    }
    if let Some(template) = template_without_metadata(world, source).filter(|_| nodes.is_empty()) {
        well = false;
        verdicts.blocked(template_blocker(world, source, pulls, template));
    }
    for node in nodes.iter().filter(|node| without_metadata(node)) {
        well = false;
        let what = ("imds-unreachable", "has its metadata service switched off");
        let fix = replace_node(source, "imds-unreachable", node);
        verdicts.blocked(node_blocker(world, what, node, pulls, fix));
    }
    if well {
        pulls.iter().for_each(|pull| verdicts.ok(pull, Leg::Credentials));
    }
}

/// The role in the instance profile of a node. A node without a profile is judged by itself.
fn profile_role(world: &World<'_>, node: &Instance) -> Seen<String> {
    const CALL: &str = "iam:GetInstanceProfile";
    let Some(arn) = node.iam_instance_profile.as_ref().map(|profile| profile.arn.clone()) else {
        return Seen::Unread(format!("node {} has no instance profile", node.instance_id));
    };
    match world.snapshot.instance_profiles.get(&arn) {
        Some(profile) => profile.roles.first().map_or(Seen::Absent, |role| Seen::Known(role.arn.clone())),
        None => {
            // EKS makes the profiles of managed node groups itself, and gives them the role of the group.
            let group = node.tag("eks:nodegroup-name").filter(|_| arn.contains(":instance-profile/eks-"));
            let group = group.and_then(|group| {
                world.snapshot.nodegroups.get(&format!("{}/{group}", world.target.cluster))
            });
            if let Some(role) = group.and_then(|group| group.node_role.clone()) {
                return Seen::Known(role);
            }
            // The call takes the name, and so a refusal names it too.
            let name = arn.rsplit('/').next().unwrap_or_default();
            world.snapshot.missing("InstanceProfiles", CALL, name)
        }
    }
}

/// What EKS says of the instance profile that it made for a group: nobody else may know that it is gone.
fn profile_issue<'w>(world: &World<'w>, source: &Source) -> Option<&'w HealthIssue> {
    let key = format!("{}/{}", world.target.cluster, source.id);
    let group = world.snapshot.nodegroups.get(&key).filter(|_| source.kind == SourceKind::Nodegroup)?;
    group.health.issues.iter().find(|issue| issue.code == "IamInstanceProfileNotFound")
}

fn profile_is_gone(world: &World<'_>, source: &Source, pulls: &[String], issue: &HealthIssue) -> Blocker {
    let said = issue.message.as_deref().unwrap_or_default();
    Blocker {
        cause: "instance-profile-missing",
        legs: vec![Leg::Credentials],
        pulls: pulls.to_vec(),
        severity: Severity::Critical,
        resource: source.id.clone(),
        account: world.target.account.clone(),
        summary: format!("EKS does not find the instance profile of node group {}", source.id),
        evidence: vec![Evidence {
            source: "eks:DescribeNodegroup".to_owned(),
            saw: format!("{} {}: {said}", issue.code, issue.resource_ids.join(", ")),
        }],
        fix: Fix::Manual {
            because: "EKS made the profile, and ecr-fix makes none".to_owned(),
            steps: vec![
                format!(
                    "let EKS make a new one: replace node group {} by a new one with the same settings",
                    quoted(&source.id)
                ),
                "read more: ecr-fix explain instance-profile-missing".to_owned(),
            ],
        },
    }
}

fn without_profile(node: &Instance) -> bool {
    node.iam_instance_profile.is_none()
}

fn without_metadata(node: &Instance) -> bool {
    is_off(node.metadata_options.as_ref())
}

fn is_off(metadata: Option<&MetadataOptions>) -> bool {
    let endpoint = metadata.and_then(|options| options.http_endpoint.as_deref());
    endpoint.is_some_and(|endpoint| endpoint.eq_ignore_ascii_case("disabled"))
}

/// The launch template of a group, where it switches off the metadata service of the nodes to come.
fn template_without_metadata<'w>(world: &'w World<'_>, source: &Source) -> Option<&'w LaunchTemplateVersion> {
    let key = format!("{}/{}", world.target.cluster, source.id);
    let group = world.snapshot.nodegroups.get(&key).filter(|_| source.kind == SourceKind::Nodegroup)?;
    let template = world.snapshot.template_of(group).known()?;
    is_off(template.launch_template_data.metadata_options.as_ref()).then_some(template)
}

fn template_blocker(
    world: &World<'_>,
    source: &Source,
    pulls: &[String],
    template: &LaunchTemplateVersion,
) -> Blocker {
    let LaunchTemplateVersion { launch_template_id: id, version_number, .. } = template;
    let what = format!("version {version_number} of launch template {id} switches the metadata service off");
    Blocker {
        cause: "imds-unreachable",
        legs: vec![Leg::Credentials],
        pulls: pulls.to_vec(),
        severity: Severity::High,
        resource: id.clone(),
        account: world.target.account.clone(),
        summary: format!("{what}, and nodes of {} will have it", source.id),
        evidence: vec![Evidence { source: LaunchTemplateVersion::CALL.to_owned(), saw: what }],
        fix: Fix::Manual {
            because: "ecr-fix makes no versions of launch templates".to_owned(),
            steps: vec![
                format!(
                    "make a version of {id} with HttpEndpoint=enabled, and update node group {} to it",
                    source.id
                ),
                "read more: ecr-fix explain imds-unreachable".to_owned(),
            ],
        },
    }
}

fn node_blocker(
    world: &World<'_>,
    (cause, what): (&'static str, &str),
    node: &Instance,
    pulls: &[String],
    fix: Fix,
) -> Blocker {
    let id = &node.instance_id;
    Blocker {
        cause,
        legs: vec![Leg::Credentials],
        pulls: pulls.to_vec(),
        severity: Severity::High,
        resource: id.clone(),
        account: world.target.account.clone(),
        summary: format!("node {id} {what}"),
        evidence: vec![Evidence { source: "ec2:DescribeInstances".to_owned(), saw: format!("{id} {what}") }],
        fix,
    }
}

fn replace_node(source: &Source, cause: &str, node: &Instance) -> Fix {
    Fix::Manual {
        because: format!("the node belongs to {}", owner_of(source)),
        steps: vec![
            replacement(source, &quoted(&node.instance_id)),
            format!("read more: ecr-fix explain {cause}"),
        ],
    }
}

/// Gives a node the one instance profile that it can be meant to have.
fn give_profile(world: &World<'_>, source: &Source, nodes: &[&Instance], node: &Instance) -> Fix {
    // The controllers of the others own the profiles of their nodes, and would take back what we give.
    let is_ours_to_give = matches!(source.kind, SourceKind::Nodegroup | SourceKind::SelfManaged);
    let Some(role_arn) = source.role.clone().filter(|_| is_ours_to_give) else {
        return replace_node(source, "instance-profile-missing", node);
    };
    let (profile, because) = match the_profile(world, &role_arn, nodes) {
        Ok(found) => found,
        Err(because) => {
            let role = quoted(role_arn.rsplit('/').next().unwrap_or_default());
            let list = format!("aws iam list-instance-profiles-for-role --role-name {role}");
            let profile = format!(
                "give it the right one: aws ec2 associate-iam-instance-profile --instance-id {} \
                 --iam-instance-profile Name=NAME",
                quoted(&node.instance_id)
            );
            return Fix::Manual { because, steps: vec![list, profile] };
        }
    };
    let Target { account, region, partition, .. } = &world.target;
    let change = Change::<ProfileAssociation> {
        at: Address {
            instance_arn: format!("arn:{partition}:ec2:{region}:{account}:instance/{}", node.instance_id),
            profile_arn: profile.arn.clone(),
            role_arn,
            association_id: None,
        },
        before: None,
        after: Some(ProfileAssociation { profile_name: profile.instance_profile_name.clone() }),
    };
    let change = AnyChange::from(change);
    match change.allowed() {
        Ok(()) => Fix::Automatic { changes: vec![change], because },
        Err(because) => Fix::Manual { because, steps: Vec::new() },
    }
}

/// The profile that the other nodes of the group have; else the only one with the role. Several, or none: nobody knows.
fn the_profile<'w>(
    world: &'w World<'_>,
    role_arn: &str,
    nodes: &[&Instance],
) -> Result<(&'w InstanceProfile, String), String> {
    let role = role_arn.rsplit('/').next().unwrap_or_default();
    let profiles = world.snapshot.instance_profiles.values();
    let with_role: Vec<&InstanceProfile> =
        profiles.filter(|profile| profile.roles.first().is_some_and(|held| held.arn == role_arn)).collect();
    let is_used = |profile: &&&InstanceProfile| {
        nodes
            .iter()
            .any(|node| node.iam_instance_profile.as_ref().is_some_and(|used| used.arn == profile.arn))
    };
    let used: Vec<&&InstanceProfile> = with_role.iter().filter(is_used).collect();
    match (used.as_slice(), with_role.as_slice()) {
        ([used], _) => Ok((used, "it is the profile that the other nodes of the group have".to_owned())),
        ([], [only]) => Ok((only, format!("it is the only instance profile with role {role}"))),
        ([], []) => Err(format!("no instance profile is known to hold role {role}")),
        _ => {
            let names: Vec<&str> =
                with_role.iter().map(|profile| profile.instance_profile_name.as_str()).collect();
            Err(format!("several instance profiles hold role {role}: {}", names.join(", ")))
        }
    }
}

fn owner_of(source: &Source) -> &'static str {
    match source.kind {
        SourceKind::Nodegroup | SourceKind::FargateProfile => "its node group",
        SourceKind::AutoMode => "EKS Auto Mode",
        SourceKind::Karpenter => "Karpenter",
        SourceKind::SelfManaged => "whoever started it",
        SourceKind::Hybrid => "a place outside AWS",
    }
}

/// How a node gets replaced by one that is as its owner wants it.
fn replacement(source: &Source, id: &str) -> String {
    match source.kind {
        SourceKind::AutoMode | SourceKind::Karpenter => format!(
            "let {} replace the node: kubectl get nodeclaims -o wide, then kubectl delete nodeclaim NAME of {id}",
            owner_of(source)
        ),
        SourceKind::SelfManaged => format!(
            "mend the launch template of {}, then replace the node: aws ec2 terminate-instances --instance-ids {id}",
            source.id
        ),
        SourceKind::Nodegroup | SourceKind::FargateProfile | SourceKind::Hybrid => {
            format!("let the node group replace the node: aws ec2 terminate-instances --instance-ids {id}")
        }
    }
}

/// No role, no credentials: and a role is not ours to make.
fn role_is_gone(world: &World<'_>, source: &Source, pulls: &[String]) -> Blocker {
    let role = source.role.clone().unwrap_or_default();
    let name = role.rsplit('/').next().unwrap_or_default().to_owned();
    let pulls: BTreeSet<String> = pulls.iter().cloned().collect();
    Blocker {
        cause: "instance-profile-missing",
        legs: vec![Leg::Credentials],
        pulls: pulls.into_iter().collect(),
        severity: Severity::Critical,
        account: world.target.account.clone(),
        summary: format!("role {name} of {} {} does not exist", source.kind.as_str(), source.id),
        evidence: vec![Evidence { source: "iam:GetRole".to_owned(), saw: "NoSuchEntity".to_owned() }],
        fix: Fix::Manual {
            because: "ecr-fix makes no roles".to_owned(),
            steps: vec![format!(
                "make role {name} again, as the EKS user guide shows under \"Node IAM role\""
            )],
        },
        resource: role,
    }
}

#[test]
fn eks_itself_says_that_the_profile_of_a_group_is_gone() {
    use serde_json::json;

    use crate::diagnosis::verdicts;
    use crate::pulls::Scope;
    use crate::pulls::tests::world;

    let role = "arn:aws:iam::111122223333:role/ng";
    let issue = json!({
        "code": "IamInstanceProfileNotFound", "message": "We couldn't find it.", "resourceIds": ["eks-1234"],
    });
    let snapshot = world(&[
        json!({ "Reservations": [] }),
        json!({ "RoleDetailList": [{ "RoleName": "ng", "Arn": role, "RoleId": "AROA1" }] }),
        json!({ "nodegroup": {
            "nodegroupName": "ng", "clusterName": "c", "nodeRole": role, "health": { "issues": [issue] },
        }}),
    ]);
    let world = World::of(&snapshot, &Scope::default()).unwrap();
    let found = verdicts(&world, &Options::default()).blockers;
    let of_profile: Vec<_> = found.iter().filter(|found| found.cause == "instance-profile-missing").collect();
    assert_eq!(of_profile.len(), 1, "{found:#?}");
    assert_eq!(of_profile[0].evidence[0].saw, "IamInstanceProfileNotFound eks-1234: We couldn't find it.");
}

#[test]
fn a_launch_template_tells_what_nodes_will_lack() {
    use serde_json::json;

    use crate::diagnosis::verdicts;
    use crate::pulls::Scope;
    use crate::pulls::tests::world;

    let role = "arn:aws:iam::111122223333:role/ng";
    let causes = |endpoint: &str, version: i64| -> Vec<&str> {
        let snapshot = world(&[
            json!({ "Reservations": [] }),
            json!({ "RoleDetailList": [{ "RoleName": "ng", "Arn": role, "RoleId": "AROA1" }] }),
            json!({ "nodegroup": { "nodegroupName": "ng", "clusterName": "c", "nodeRole": role,
                "launchTemplate": { "id": "lt-1", "version": "2" } } }),
            json!({ "LaunchTemplateVersions": [{ "LaunchTemplateId": "lt-1", "VersionNumber": version,
                "LaunchTemplateData": { "MetadataOptions": { "HttpEndpoint": endpoint }, "UserData": "c2VjcmV0" } }] }),
        ]);
        let world = World::of(&snapshot, &Scope::default()).unwrap();
        let found = verdicts(&world, &Options::default()).blockers;
        found.iter().map(|row| row.cause).filter(|cause| *cause == "imds-unreachable").collect()
    };
    assert_eq!(causes("disabled", 2), ["imds-unreachable"]);
    assert!(causes("enabled", 2).is_empty() && causes("disabled", 1).is_empty());
}
