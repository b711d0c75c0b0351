//! A managed policy, attached to a role.

use serde::{Deserialize, Serialize};

use super::{Found, Kind, Quota, Resource, Risk, Sent, role};
use crate::aws::{Reader, Refused, Writer};
use crate::collect;
use crate::error::Error;
use crate::model::iam::AttachedPolicy;
use crate::model::{Arn, Snapshot};
use crate::pulls::Target;

/// The only policies that the engine will ever attach. None of them can write.
pub const ATTACHABLE: [&str; 3] = [PULL_ONLY, READ_ONLY, FARGATE_POD_EXECUTION];

/// What a pull needs, and nothing else. Version 1 is of 2024-10-04.
pub const PULL_ONLY: &str = "AmazonEC2ContainerRegistryPullOnly";

/// The older policy: pulls and descriptions, without pull-through imports.
pub const READ_ONLY: &str = "AmazonEC2ContainerRegistryReadOnly";

/// What EKS documents for pod execution roles.
pub const FARGATE_POD_EXECUTION: &str = "AmazonEKSFargatePodExecutionRolePolicy";

/// The default quota of managed policies per role: IAM user guide, "IAM and AWS STS quotas".
pub const MOST_ATTACHED: usize = 10;

/// That a policy is attached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Without its path.
    pub policy_name: String,
}

/// Which policy, and which role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address {
    /// With path and account.
    pub role_arn: String,
    /// The name that the calls take.
    pub role_name: String,
    /// The stable unique id, where it was read: another one means another role of the same name.
    pub role_id: Option<String>,
    /// The managed policy.
    pub policy_arn: String,
}

impl Resource for Attachment {
    type Address = Address;

    const KINDS: &'static [Kind] = &[Kind::AttachRolePolicy, Kind::DetachRolePolicy];

    const READS: &'static [&'static str] = &["iam:GetRole", "iam:ListAttachedRolePolicies"];

    fn kind(_before: Option<&Self>, after: Option<&Self>) -> Kind {
        match after {
            Some(_) => Kind::AttachRolePolicy,
            None => Kind::DetachRolePolicy,
        }
    }

    fn arn(at: &Address) -> String {
        at.role_arn.clone()
    }

    fn summary(at: &Address, _before: Option<&Self>, after: Option<&Self>) -> String {
        let policy = policy_name(&at.policy_arn);
        match after {
            Some(_) => format!("attach {policy} to role {}", at.role_name),
            None => format!("detach {policy} from role {}", at.role_name),
        }
    }

    fn get(world: &Snapshot, at: &Address) -> Found<Self> {
        let role = match role::found(world, &at.role_arn, &at.role_name, at.role_id.as_deref()) {
            Ok(role) => role,
            Err(instead) => return instead,
        };
        let Some(attached) = &role.attached_managed_policies else {
            return Found::Unread(format!("iam:ListAttachedRolePolicies of {} was not read", at.role_name));
        };
        let found = attached.iter().find(|policy| policy.policy_arn == at.policy_arn);
        Found::State(found.map(|policy| Attachment { policy_name: policy.policy_name.clone() }))
    }

    fn set(world: &mut Snapshot, at: &Address, state: Option<Self>) {
        let Some(role) = world.roles.get_mut(&at.role_arn) else { return };
        let attached = role.attached_managed_policies.get_or_insert_default();
        attached.retain(|policy| policy.policy_arn != at.policy_arn);
        if let Some(Attachment { policy_name }) = state {
            attached.push(AttachedPolicy { policy_name, policy_arn: at.policy_arn.clone() });
        }
    }

    fn quota(world: &Snapshot, at: &Address) -> Option<Quota> {
        let present = world.roles.get(&at.role_arn)?.attached_managed_policies.as_ref()?.len();
        let of = format!("managed policies of role {}", at.role_name);
        Some(Quota { of, present, more: 1, most: MOST_ATTACHED })
    }

    async fn look(aws: &Reader, at: &Address) -> Result<Snapshot, Error> {
        collect::attached_policies_again(aws, &at.role_arn).await
    }

    async fn send(
        aws: &Writer,
        at: &Address,
        _before: Option<&Self>,
        after: Option<&Self>,
    ) -> Result<Sent, Refused> {
        match after {
            Some(_) => aws.attach_role_policy(&at.role_name, &at.policy_arn).await,
            None => aws.detach_role_policy(&at.role_name, &at.policy_arn).await,
        }
    }

    fn lines(at: &Address, state: Option<&Self>) -> Vec<String> {
        state.iter().map(|_| format!("AWS managed policy {}", policy_name(&at.policy_arn))).collect()
    }

    fn allowed(at: &Address, before: Option<&Self>, after: Option<&Self>) -> Result<(), String> {
        if before.is_some() == after.is_some() {
            return Err("it changes nothing".to_owned());
        }
        let role = role::checked(&at.role_arn, &at.role_name)?;
        let policy: Arn = at.policy_arn.parse().map_err(|error| format!("policy_arn: {error}"))?;
        let ours = policy.service == "iam"
            && policy.account == "aws"
            && policy.partition == role.partition
            && ATTACHABLE.iter().any(|name| policy.resource == format!("policy/{name}"));
        if ours { Ok(()) } else { Err(format!("{} is not one of the pull policies of AWS", at.policy_arn)) }
    }

    fn planned_for(_before: Option<&Self>, after: Option<&Self>, _target: &Target) -> Result<(), String> {
        after.map(|_| ()).ok_or_else(|| "a plan attaches policies; only a rollback detaches them".to_owned())
    }

    fn risk(at: &Address, _before: Option<&Self>, after: Option<&Self>) -> (Risk, String) {
        match after {
            Some(_) => (
                Risk::Low,
                format!(
                    "it only adds the permission to pull; nothing that {} can do today is taken away",
                    at.role_name
                ),
            ),
            None => {
                (Risk::Medium, format!("{} loses the permissions that this policy gave it", at.role_name))
            }
        }
    }
}

/// The name of a managed policy without its path.
pub fn policy_name(policy_arn: &str) -> &str {
    policy_arn.rsplit('/').next().unwrap_or_default()
}

#[test]
fn the_engine_attaches_pull_policies_and_no_others() {
    let address = |policy: &str| Address {
        role_arn: "arn:aws:iam::111122223333:role/team/node".to_owned(),
        role_name: "node".to_owned(),
        role_id: None,
        policy_arn: policy.to_owned(),
    };
    let attachment = Attachment { policy_name: String::new() };
    let allowed = |policy: &str| Attachment::allowed(&address(policy), None, Some(&attachment));
    assert_eq!(allowed("arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"), Ok(()));
    for refused in [
        "arn:aws:iam::aws:policy/AdministratorAccess",
        "arn:aws:iam::111122223333:policy/AmazonEC2ContainerRegistryPullOnly",
        "arn:aws-cn:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly",
        "arn:aws:iam::aws:policy/x/AmazonEC2ContainerRegistryPullOnly",
    ] {
        assert!(allowed(refused).is_err(), "{refused}");
    }
}
