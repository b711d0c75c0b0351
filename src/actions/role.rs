//! What all changes of a role have in common: which role it is, and that it is the same as before.

use super::Found;
use crate::model::iam::Role;
use crate::model::{Arn, Seen, Snapshot};

/// The ARN of a role that may be changed.
///
/// # Errors
/// It is no role's ARN, that of a role of another name, or that of a role of an AWS service.
pub(super) fn checked(role_arn: &str, role_name: &str) -> Result<Arn, String> {
    let role: Arn = role_arn.parse().map_err(|error| format!("role_arn: {error}"))?;
    if role.service != "iam" || !role.resource.starts_with("role/") || role.resource_name() != role_name {
        return Err(format!("{role_arn} is not the ARN of role {role_name}"));
    }
    if role.resource.starts_with("role/aws-service-role/") {
        return Err(format!("{role_name} belongs to an AWS service"));
    }
    Ok(role)
}

/// The role in a snapshot, or why there is nothing to say of it. Another unique id means another role of the same name.
pub(super) fn found<'w, R>(
    world: &'w Snapshot,
    role_arn: &str,
    role_name: &str,
    role_id: Option<&str>,
) -> Result<&'w Role, Found<R>> {
    let role = match world.role(role_arn) {
        Seen::Known(role) => role,
        Seen::Absent => return Err(Found::Deleted(format!("role {role_name} does not exist any more"))),
        Seen::Unread(because) => return Err(Found::Unread(because)),
    };
    match (role_id, role.role_id.as_deref()) {
        (Some(then), Some(now)) if then != now => Err(Found::Gone(format!(
            "role {role_name} was deleted and made again: RoleId is {now}, was {then}"
        ))),
        _ => Ok(role),
    }
}
