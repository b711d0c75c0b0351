//! Reads only what a change is about, just before and just after it: the calls are those that the change says it needs.

use super::network::put;
use super::{about, put_role};
use crate::actions::attachment::policy_name;
use crate::aws::{Reader, Reason, Refused};
use crate::collect::hides::hides;
use crate::collect::registries;
use crate::error::Error;
use crate::model::ecr::RepositoryName;
use crate::model::iam::{InlinePolicy, Role};
use crate::model::snapshot::Record;
use crate::model::{Snapshot, Unread};

/// A role with its trust policy.
///
/// # Errors
/// The caller's identity cannot be read.
pub async fn trust_policy_again(reader: &Reader, role_arn: &str) -> Result<Snapshot, Error> {
    let role = reader.role(policy_name(role_arn)).await;
    with_role(reader, role_arn, role, Vec::new()).await
}

/// A role with the list of its attached policies.
///
/// # Errors
/// The caller's identity cannot be read.
pub async fn attached_policies_again(reader: &Reader, role_arn: &str) -> Result<Snapshot, Error> {
    let name = policy_name(role_arn);
    let (role, attached) = tokio::join!(reader.role(name), reader.attached_role_policies(name));
    let (attached, refused) = match attached {
        Ok(attached) => (Some(attached), Vec::new()),
        Err(refused) => (None, vec![refused]),
    };
    let role = role.map(|role| Role { attached_managed_policies: attached, ..role });
    with_role(reader, role_arn, role, refused).await
}

/// A role with one of its inline policies, as if it had no others.
///
/// # Errors
/// The caller's identity cannot be read.
pub async fn inline_policy_again(reader: &Reader, role_arn: &str, policy: &str) -> Result<Snapshot, Error> {
    let name = policy_name(role_arn);
    let (role, inline) = tokio::join!(reader.role(name), reader.role_policy(name, policy));
    let (inline, refused): (Option<Vec<InlinePolicy>>, _) = match inline {
        Ok(policy) => (Some(vec![policy]), Vec::new()),
        Err(refused) if refused.reason == Reason::NotFound => (Some(Vec::new()), Vec::new()),
        Err(refused) => (None, vec![refused]),
    };
    let role = role.map(|role| Role { role_policy_list: inline, ..role });
    with_role(reader, role_arn, role, refused).await
}

async fn with_role(
    reader: &Reader,
    arn: &str,
    role: Result<Role, Refused>,
    mut refused: Vec<Refused>,
) -> Result<Snapshot, Error> {
    let mut world = Snapshot { about: about(reader).await?, ..Snapshot::default() };
    let role = match role {
        Ok(role) => Some(role),
        Err(other) => {
            refused.retain(|refused| refused.reason != Reason::NotFound);
            refused.extend((other.reason != Reason::NotFound).then_some(other));
            None
        }
    };
    let unread = refused.into_iter();
    let unread =
        unread.map(|refused| Unread { resource: arn.to_owned(), ..refused.unread(hides(refused.call)) });
    put_role(&mut world, arn, (role, unread.collect()));
    world.keys.insert("RoleDetailList".to_owned());
    Ok(world)
}

/// The policy of a repository, with the credentials of its account.
///
/// # Errors
/// The caller's identity cannot be read.
pub async fn repository_policy_again(reader: &Reader, at: RepositoryName<'_>) -> Result<Snapshot, Error> {
    let about = about(reader).await?;
    let home = about.account.clone().unwrap_or_default();
    let part = registries::policy(reader, at, &home).await;
    Ok(Snapshot { about, ..part })
}

/// An instance, and the profile that it has or shall have.
///
/// # Errors
/// The caller's identity cannot be read.
pub async fn instance_again(reader: &Reader, id: &str, profile: &str) -> Result<Snapshot, Error> {
    let mut world = Snapshot { about: about(reader).await?, ..Snapshot::default() };
    let (instance, profile) = tokio::join!(reader.instance(id), reader.instance_profile(profile));
    put_found(&mut world, instance);
    put_found(&mut world, profile.map(|profile| vec![profile]));
    Ok(world)
}

/// The endpoints of a VPC, with the cluster.
pub async fn vpc_endpoints_again(reader: &Reader, cluster: &str, vpc: &str) -> Snapshot {
    with_cluster(reader, cluster, reader.vpc_endpoints(vpc), put).await
}

/// The security groups of a VPC, with the cluster.
pub async fn security_groups_again(reader: &Reader, cluster: &str, vpc: &str) -> Snapshot {
    with_cluster(reader, cluster, reader.security_groups(vpc), put).await
}

/// The DNS attributes of a VPC, with the cluster.
pub async fn vpc_attributes_again(reader: &Reader, cluster: &str, vpc: &str) -> Snapshot {
    let attributes = async { tokio::join!(reader.dns_support(vpc), reader.dns_hostnames(vpc)) };
    with_cluster(reader, cluster, attributes, |part, (support, hostnames)| {
        put(part, support.map(|row| vec![row]));
        put(part, hostnames.map(|row| vec![row]));
    })
    .await
}

/// A security group with its rules, with the cluster.
pub async fn security_group_again(reader: &Reader, cluster: &str, id: &str) -> Snapshot {
    let ids = [id.to_owned()];
    let group = async { tokio::join!(reader.security_group(id), reader.security_group_rules(&ids)) };
    with_cluster(reader, cluster, group, |part, (group, rules)| {
        put_found(part, group);
        // Without the ids of the rules the group itself still tells which there are.
        if let Ok(rules) = rules {
            put(part, Ok(rules));
        }
    })
    .await
}

/// A network ACL, with the cluster.
pub async fn network_acl_again(reader: &Reader, cluster: &str, id: &str) -> Snapshot {
    with_cluster(reader, cluster, reader.network_acl(id), put_found).await
}

/// A route table, with the cluster.
pub async fn route_table_again(reader: &Reader, cluster: &str, id: &str) -> Snapshot {
    with_cluster(reader, cluster, reader.route_table(id), put_found).await
}

/// The cluster, which every look at a network goes with, and what else is read at the same time.
async fn with_cluster<T>(
    reader: &Reader,
    cluster: &str,
    reading: impl Future<Output = T>,
    put_into: impl FnOnce(&mut Snapshot, T),
) -> Snapshot {
    let (cluster, read) = tokio::join!(reader.cluster(cluster), reading);
    let mut part = Snapshot::default();
    put_found(&mut part, cluster.map(|cluster| vec![cluster]));
    put_into(&mut part, read);
    part
}

/// What was asked for by its name: that it does not exist is an answer, too.
fn put_found<R: Record>(part: &mut Snapshot, rows: Result<Vec<R>, Refused>) {
    let rows = match rows {
        Err(refused) if refused.reason == Reason::NotFound => Ok(Vec::new()),
        rows => rows,
    };
    put(part, rows);
}
