//! Reads only what a change is about, just before and just after it: the calls are those that the change says it needs.

use super::{about, put_role};
use crate::actions::attachment::policy_name;
use crate::aws::{Reader, Reason, Refused};
use crate::collect::hides::hides;
use crate::collect::registries;
use crate::error::Error;
use crate::model::ecr::RepositoryName;
use crate::model::iam::{InlinePolicy, Role};
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
    world.keys.extend(["Reservations".to_owned(), "InstanceProfiles".to_owned()]);
    match instance {
        Ok(instance) => instance.into_iter().for_each(|instance| world.put(instance)),
        Err(refused) if refused.reason == Reason::NotFound => {}
        Err(refused) => world.unread.push(refused.unread(hides(refused.call))),
    }
    match profile {
        Ok(profile) => world.put(profile),
        Err(refused) if refused.reason == Reason::NotFound => {}
        Err(refused) => world.unread.push(refused.unread(hides(refused.call))),
    }
    Ok(world)
}
