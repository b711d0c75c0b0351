//! Fills a snapshot from AWS. A read that is refused is a fact of the snapshot, not a failure.

mod again;
mod beside;
mod each;
mod hides;
mod kubernetes;
mod network;
mod organizations;
mod registries;

use std::collections::{BTreeMap, BTreeSet};

use crate::actions::attachment::{ATTACHABLE, policy_name};
use crate::aws::{Reader, Reason, Refused};
use crate::error::Error;
use crate::kube::Access;
use crate::model::ec2::{Instance, LaunchTemplateVersion};
use crate::model::eks::{Cluster, Nodegroup};
use crate::model::iam::{ManagedPolicy, Role};
use crate::model::snapshot::{About, Record as _};
use crate::model::{Arn, Partition, Snapshot, Unread};
pub use again::{
    attached_policies_again, inline_policy_again, instance_again, network_acl_again, repository_policy_again,
    route_table_again, security_group_again, security_groups_again, trust_policy_again, vpc_attributes_again,
    vpc_endpoints_again,
};
use each::{Each, each};
use hides::hides;

/// The keys of a snapshot that reading live fills completely.
const KEYS: [&str; 5] = ["cluster", "nodegroup", "fargateProfile", "RoleDetailList", "Policies"];

/// What a world is read for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// What decides whether pulls work, and nothing else.
    #[default]
    Diagnosis,
    /// Also what only a trace shows: the names of rules, and the ways out of subnets in which nothing runs.
    Trace,
}

/// Reads the world of one cluster, and the registries that these images are in.
///
/// # Errors
/// Only what nothing can be said without: the caller's identity and the cluster itself.
pub async fn snapshot(
    reader: &Reader,
    cluster: &str,
    images: &[String],
    access: &Access,
    purpose: Purpose,
) -> Result<Snapshot, Error> {
    let (about, found) = tokio::join!(about(reader), reader.cluster(cluster));
    let about = about?;
    let found = match found {
        Ok(found) => found,
        Err(refused) => return Err(no_cluster(reader, cluster, &refused).await),
    };
    let home = about.account.clone().unwrap_or_default();
    let of_pods = async {
        let pods = kubernetes::read(reader, access, &found).await;
        let images: BTreeSet<String> = images.iter().cloned().chain(pods.images()).collect();
        let images: Vec<String> = images.into_iter().collect();
        let (registries, organization, beside) = tokio::join!(
            registries::read(reader, &images, &home),
            organizations::read(reader, &home, registries::accounts(&images, &home)),
            beside::read(reader, cluster, &pods),
        );
        (pods, registries, organization, beside)
    };
    let (mut world, (pods, registries, organization, beside)) =
        tokio::join!(nodes_and_roles(reader, cluster, &found, purpose), of_pods);
    world.about = about;
    pods.put(&mut world);
    beside.put(&mut world);
    world.organizations = organization.organizations;
    world.not_found.extend(organization.not_found);
    world.keys.extend(organization.keys);
    world.unread.extend(organization.unread);
    registries::absorb(&mut world, registries);
    world.clusters.insert(found.arn.clone(), found.clone());
    beside::who_may_enter(reader, &found, &mut world).await;
    world.keys.extend(KEYS.map(str::to_owned));
    world.unread.sort();
    Ok(world)
}

/// Everything about nodes and what they pull with: none of it needs to know what pods pull.
async fn nodes_and_roles(reader: &Reader, cluster: &str, found: &Cluster, purpose: Purpose) -> Snapshot {
    let (groups, profiles, mut world, versions) = tokio::join!(
        nodegroups(reader, cluster),
        fargate_profiles(reader, cluster),
        network::read(reader, found, purpose),
        reader.policy_versions(),
    );
    for group in keep(&mut world, groups) {
        world.nodegroups.insert(format!("{cluster}/{}", group.nodegroup_name), group);
    }
    for profile in keep(&mut world, profiles) {
        world.fargate_profiles.insert(format!("{cluster}/{}", profile.fargate_profile_name), profile);
    }
    spare_profiles(reader, &mut world).await;
    let templates = launch_templates(reader, &world);
    // Who may not list policies may still read them one by one.
    let (templates, ()) =
        tokio::join!(templates, roles(reader, &mut world, found, versions.unwrap_or_default()));
    for (_, answer) in templates {
        network::put(&mut world, answer);
    }
    world
}

async fn about(reader: &Reader) -> Result<About, Error> {
    let caller =
        reader.caller().await.map_err(|refused| refused.error("the AWS credentials cannot be used"))?;
    let partition = caller.arn.parse::<Arn>().map(|arn| arn.partition);
    let partition = partition.unwrap_or_else(|_| Partition::of_region(reader.region()).name.to_owned());
    Ok(About {
        account: Some(caller.account),
        region: Some(reader.region().to_owned()),
        partition: Some(partition),
        caller: Some(caller.arn),
        taken_at: None,
    })
}

/// The cluster could not be read: says which clusters there are, where that helps.
async fn no_cluster(reader: &Reader, cluster: &str, refused: &Refused) -> Error {
    let what = format!("cluster {cluster} cannot be read in {}", reader.region());
    if refused.reason != Reason::NotFound {
        return refused.error(what);
    }
    let hint = match reader.cluster_names().await {
        Ok(names) if names.is_empty() => {
            format!("there is no cluster in {}: check --region and --profile", reader.region())
        }
        Ok(names) => format!("the clusters in {} are: {}", reader.region(), names.join(", ")),
        Err(_) => "check --cluster, --region and --profile".to_owned(),
    };
    Error::new(crate::error::Code::NotFound, what, hint).because(refused)
}

/// What was read of a list, and what was refused of it.
type Listed<T> = (Vec<T>, Vec<Unread>);

async fn nodegroups(reader: &Reader, cluster: &str) -> Listed<Nodegroup> {
    let names = match reader.nodegroup_names(cluster).await {
        Ok(names) => names,
        Err(refused) => return (Vec::new(), vec![refused.unread(hides(refused.call))]),
    };
    let group = |reader: Reader, name: String| {
        let cluster = cluster.to_owned();
        async move { reader.nodegroup(&cluster, &name).await }
    };
    sort_out(each(reader, names, group).await)
}

async fn fargate_profiles(reader: &Reader, cluster: &str) -> Listed<crate::model::eks::FargateProfile> {
    let names = match reader.fargate_profile_names(cluster).await {
        Ok(names) => names,
        Err(refused) => return (Vec::new(), vec![refused.unread(hides(refused.call))]),
    };
    let profile = |reader: Reader, name: String| {
        let cluster = cluster.to_owned();
        async move { reader.fargate_profile(&cluster, &name).await }
    };
    sort_out(each(reader, names, profile).await)
}

fn sort_out<T>(answers: Each<Result<T, Refused>>) -> Listed<T> {
    let mut listed = (Vec::new(), Vec::new());
    for (_, answer) in answers {
        match answer {
            Ok(row) => listed.0.push(row),
            // It was deleted between the list and the look: that is no gap.
            Err(refused) if refused.reason == Reason::NotFound => {}
            Err(refused) => listed.1.push(refused.unread(hides(refused.call))),
        }
    }
    listed
}

fn keep<T>(world: &mut Snapshot, (rows, unread): Listed<T>) -> Vec<T> {
    world.unread.extend(unread);
    rows
}

/// The profiles through which nodes that have none could get the role of their group.
async fn spare_profiles(reader: &Reader, world: &mut Snapshot) {
    let lacks = |group: &&Nodegroup| {
        world.ec2.instances.values().any(|node| {
            node.iam_instance_profile.is_none()
                && node.managed_group() == Some((&group.cluster_name, &group.nodegroup_name))
        })
    };
    let roles: BTreeSet<String> =
        world.nodegroups.values().filter(lacks).filter_map(|group| group.node_role.clone()).collect();
    let profiles =
        each(
            reader,
            roles,
            |reader, arn| async move { reader.instance_profiles_of(policy_name(&arn)).await },
        );
    for (_, answer) in profiles.await {
        match answer {
            Ok(profiles) => profiles.into_iter().for_each(|profile| world.put(profile)),
            Err(refused) if refused.reason == Reason::NotFound => {}
            Err(refused) => world.unread.push(refused.unread(hides(refused.call))),
        }
    }
}

/// The launch templates of groups that have no nodes: the others show by their nodes what they are like.
fn launch_templates(
    reader: &Reader,
    world: &Snapshot,
) -> impl Future<Output = Each<Result<Vec<LaunchTemplateVersion>, Refused>>> + use<> {
    let looked = world.keys.contains(Instance::TABLE.key);
    let has_nodes = |group: &Nodegroup| {
        let mut instances = world.ec2.instances.values();
        instances.any(|node| node.managed_group() == Some((&group.cluster_name, &group.nodegroup_name)))
    };
    let groups = world.nodegroups.values().filter(|group| looked && !has_nodes(group));
    let templates = groups.filter_map(|group| {
        let template = group.launch_template.as_ref()?;
        Some(format!("{}/{}", template.id.as_ref()?, template.version.as_ref()?))
    });
    let (reader, templates) = (reader.clone(), templates.collect::<BTreeSet<String>>());
    async move {
        let read = |reader: Reader, template: String| async move {
            let (id, version) = template.split_once('/').unwrap_or_default();
            reader.launch_template(id, version).await
        };
        each(&reader, templates, read).await
    }
}

/// Every role that pulls, and every policy that bears on it.
async fn roles(reader: &Reader, world: &mut Snapshot, cluster: &Cluster, versions: BTreeMap<String, String>) {
    let roles =
        each(reader, pulling_roles(world, cluster), |reader, arn| async move { role(&reader, &arn).await });
    for (arn, read) in roles.await {
        put_role(world, &arn, read);
    }
    let policies = each(reader, policies(world, cluster), |reader, arn| {
        let in_force = versions.get(&arn).cloned();
        async move { reader.managed_policy(&arn, in_force).await }
    });
    for (arn, read) in policies.await {
        put_policy(world, arn, read);
    }
}

fn pulling_roles(world: &Snapshot, cluster: &Cluster) -> BTreeSet<String> {
    let nodes = world.nodegroups.values().filter_map(|group| group.node_role.clone());
    let fargate =
        world.fargate_profiles.values().filter_map(|profile| profile.pod_execution_role_arn.clone());
    let auto_mode = cluster.compute_config.iter().filter(|compute| compute.enabled);
    let auto_mode = auto_mode.filter_map(|compute| compute.node_role_arn.clone());
    // A node may have another role than its group says, and nodes of their own have only this one.
    let profiles = world.instance_profiles.values().flat_map(|profile| &profile.roles);
    let instances = profiles.map(|role| role.arn.clone());
    nodes.chain(fargate).chain(auto_mode).chain(instances).collect()
}

/// The policies that bear on the roles, and those that a plan may attach where they may not exist.
fn policies(world: &Snapshot, cluster: &Cluster) -> BTreeSet<String> {
    let partition = cluster.arn.parse::<Arn>().map(|arn| arn.partition).unwrap_or_default();
    let mut arns = policies_of_roles(world);
    // In the partition `aws` they are known to exist.
    if partition != "aws" && !world.roles.is_empty() {
        arns.extend(ATTACHABLE.iter().map(|name| format!("arn:{partition}:iam::aws:policy/{name}")));
    }
    arns
}

/// The policies attached to the roles, and their boundaries.
fn policies_of_roles(world: &Snapshot) -> BTreeSet<String> {
    let attached = world.roles.values().flat_map(|role| role.attached_managed_policies.iter().flatten());
    let boundaries = world.roles.values().filter_map(|role| role.permissions_boundary.as_ref());
    let attached = attached.map(|policy| policy.policy_arn.clone());
    attached.chain(boundaries.map(|boundary| boundary.permissions_boundary_arn.clone())).collect()
}

/// A role as far as it could be read, and what was refused of it; `None` where it does not exist.
async fn role(reader: &Reader, arn: &str) -> (Option<Role>, Vec<Unread>) {
    let name = policy_name(arn);
    let (role, attached, inline) =
        tokio::join!(reader.role(name), reader.attached_role_policies(name), inline_policies(reader, name));
    let mut unread = Vec::new();
    let mut refuse = |refused: Refused| {
        if refused.reason != Reason::NotFound {
            unread.push(Unread { resource: arn.to_owned(), ..refused.unread(hides(refused.call)) });
        }
    };
    let attached = attached.map_err(&mut refuse).ok();
    let (inline, refused_inline) = match inline {
        Ok((inline, refused)) => (Some(inline), refused),
        Err(refused) => {
            refuse(refused);
            (None, Vec::new())
        }
    };
    refused_inline.into_iter().for_each(&mut refuse);
    let role = role.map_err(&mut refuse).ok();
    (role.map(|role| Role { attached_managed_policies: attached, role_policy_list: inline, ..role }), unread)
}

type Inline = (Vec<crate::model::iam::InlinePolicy>, Vec<Refused>);

/// A role with its policies, as far as they can be read.
pub async fn role_with_policies(reader: &Reader, arn: &str) -> Snapshot {
    let mut world = Snapshot::default();
    put_role(&mut world, arn, role(reader, arn).await);
    let policies = each(reader, policies_of_roles(&world), |reader, arn| async move {
        reader.managed_policy(&arn, None).await
    });
    for (arn, read) in policies.await {
        put_policy(&mut world, arn, read);
    }
    world
}

async fn inline_policies(reader: &Reader, role: &str) -> Result<Inline, Refused> {
    let of_role = role.to_owned();
    let policies = each(reader, reader.role_policy_names(role).await?, move |reader, name| {
        let role = of_role.clone();
        async move { reader.role_policy(&role, &name).await }
    });
    let mut inline: Inline = (Vec::new(), Vec::new());
    for (policy_name, policy) in policies.await {
        match policy {
            Ok(policy) => inline.0.push(policy),
            Err(refused) => {
                inline.0.push(crate::model::iam::InlinePolicy { policy_name, policy_document: None });
                inline.1.push(refused);
            }
        }
    }
    Ok(inline)
}

fn put_role(world: &mut Snapshot, arn: &str, (role, unread): (Option<Role>, Vec<Unread>)) {
    world.unread.extend(unread);
    // A role of the same name with another path is another role.
    if let Some(role) = role.filter(|role| role.arn == arn) {
        world.roles.insert(arn.to_owned(), role);
    }
}

fn put_policy(world: &mut Snapshot, arn: String, read: Result<ManagedPolicy, Refused>) {
    match read {
        Ok(policy) => {
            world.policies.insert(arn, policy);
        }
        Err(refused) if refused.reason == Reason::NotFound => {}
        Err(refused) => {
            let mut unread = refused.unread(hides(refused.call));
            unread.resource = arn;
            world.unread.push(unread);
        }
    }
}
