//! IAM: roles and their policies, read and changed.

use std::collections::BTreeMap;

use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_iam::operation::RequestId;
use aws_sdk_iam::types;

use super::pages::{Unclear, Understand, pages};
use super::{Reader, Refused, Writer};
use crate::actions::Sent;
use crate::actions::attachment::policy_name;
use crate::iam::managed;
use crate::model::PolicyText;
use crate::model::iam::{
    AttachedPolicy, InlinePolicy, InstanceProfile, ManagedPolicy, PermissionsBoundary, PolicyVersion, Role,
    Tag,
};

impl Reader {
    /// `iam:GetRole`: the role with its trust policy and boundary, without its permissions.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn role(&self, name: &str) -> Result<Role, Refused> {
        const CALL: &str = "iam:GetRole";
        let answer = self.iam.get_role().role_name(name).send().await;
        let answer = answer.map_err(|error| Refused::from_sdk(CALL, name, &error))?;
        let role = answer.role.ok_or_else(|| Refused::never_sent(CALL, "an empty answer"))?;
        Ok(Role::from(role))
    }

    /// `iam:GetInstanceProfile`, with the trust policy of its role and without the permissions.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn instance_profile(&self, name: &str) -> Result<InstanceProfile, Refused> {
        const CALL: &str = "iam:GetInstanceProfile";
        let answer = self.iam.get_instance_profile().instance_profile_name(name).send().await;
        let answer = answer.map_err(|error| Refused::from_sdk(CALL, name, &error))?;
        let profile = answer.instance_profile;
        let profile = profile.ok_or_else(|| Refused::never_sent(CALL, "an empty answer"))?;
        InstanceProfile::understand(profile).map_err(|unclear| Refused::unclear(CALL, name, unclear))
    }

    /// `iam:ListInstanceProfilesForRole`: those through which instances can get a role.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn instance_profiles_of(&self, role: &str) -> Result<Vec<InstanceProfile>, Refused> {
        pages(
            "iam:ListInstanceProfilesForRole",
            role,
            |marker| self.iam.list_instance_profiles_for_role().role_name(role).set_marker(marker).send(),
            |page| (Some(page.instance_profiles), page.marker.filter(|_| page.is_truncated)),
        )
        .await
    }

    /// `iam:ListAttachedRolePolicies`.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn attached_role_policies(&self, role: &str) -> Result<Vec<AttachedPolicy>, Refused> {
        let mut attached: Vec<AttachedPolicy> = pages(
            "iam:ListAttachedRolePolicies",
            role,
            |marker| self.iam.list_attached_role_policies().role_name(role).set_marker(marker).send(),
            |page| (page.attached_policies, page.marker.filter(|_| page.is_truncated)),
        )
        .await?;
        attached.sort();
        Ok(attached)
    }

    /// `iam:ListRolePolicies`: the names of the inline policies.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn role_policy_names(&self, role: &str) -> Result<Vec<String>, Refused> {
        let mut names: Vec<String> = pages(
            "iam:ListRolePolicies",
            role,
            |marker| self.iam.list_role_policies().role_name(role).set_marker(marker).send(),
            |page| (Some(page.policy_names), page.marker.filter(|_| page.is_truncated)),
        )
        .await?;
        names.sort();
        Ok(names)
    }

    /// `iam:GetRolePolicy`: one inline policy.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn role_policy(&self, role: &str, name: &str) -> Result<InlinePolicy, Refused> {
        let answer = self.iam.get_role_policy().role_name(role).policy_name(name).send().await;
        let answer = answer
            .map_err(|error| Refused::from_sdk("iam:GetRolePolicy", &format!("{role}/{name}"), &error))?;
        Ok(InlinePolicy {
            policy_name: answer.policy_name,
            policy_document: Some(PolicyText::from_percent_encoded(&answer.policy_document)),
        })
    }

    /// `iam:ListPolicies`: every managed policy that is attached to somebody, with the version in force.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn policy_versions(&self) -> Result<BTreeMap<String, String>, Refused> {
        let policies: Vec<InForce> = pages(
            "iam:ListPolicies",
            "",
            |marker| {
                let ask = self.iam.list_policies().only_attached(true).max_items(1000);
                ask.set_marker(marker).send()
            },
            |page| (page.policies, page.marker.filter(|_| page.is_truncated)),
        )
        .await?;
        Ok(policies.into_iter().map(|InForce(arn, version)| (arn, version)).collect())
    }

    /// A managed policy with the version in force: `iam:GetPolicy` where nobody said which that is, and
    /// `iam:GetPolicyVersion` where it is not one that we have.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn managed_policy(
        &self,
        arn: &str,
        in_force: Option<String>,
    ) -> Result<ManagedPolicy, Refused> {
        let version_id = match in_force {
            Some(version) => version,
            None => {
                const CALL: &str = "iam:GetPolicy";
                let answer = self.iam.get_policy().policy_arn(arn).send().await;
                let answer = answer.map_err(|error| Refused::from_sdk(CALL, arn, &error))?;
                let policy = answer.policy.ok_or_else(|| Refused::never_sent(CALL, "an empty answer"))?;
                policy.default_version_id.unwrap_or_default()
            }
        };
        let document = match managed::text_of_version(arn, &version_id) {
            Some(text) => Some(PolicyText::new(text)),
            None => self.policy_document(arn, &version_id).await?,
        };
        Ok(ManagedPolicy {
            policy_name: policy_name(arn).to_owned(),
            arn: arn.to_owned(),
            default_version_id: Some(version_id.clone()),
            policy_version_list: Some(vec![PolicyVersion { version_id, is_default_version: true, document }]),
        })
    }

    async fn policy_document(&self, arn: &str, version_id: &str) -> Result<Option<PolicyText>, Refused> {
        let answer = self.iam.get_policy_version().policy_arn(arn).version_id(version_id).send().await;
        let answer = answer.map_err(|error| Refused::from_sdk("iam:GetPolicyVersion", arn, &error))?;
        let document = answer.policy_version.and_then(|version| version.document);
        Ok(document.as_deref().map(PolicyText::from_percent_encoded))
    }
}

/// A policy and its version in force.
struct InForce(String, String);

impl Understand<types::Policy> for InForce {
    fn understand(row: types::Policy) -> Result<InForce, Unclear> {
        Ok(InForce(row.arn.unwrap_or_default(), row.default_version_id.unwrap_or_default()))
    }
}

/// What `iam:SimulatePrincipalPolicy` says of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulated {
    /// `SERVICE:Operation`.
    pub call: String,
    /// What the policies of the caller say, whatever the request holds beside the resource.
    pub answer: Simulation,
}

/// An answer of the simulation, which does not look at the policies of resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Simulation {
    /// It is allowed, or that hangs on what the simulation is not told.
    NotRefused,
    /// A statement denies it.
    Denied,
    /// No policy of the caller allows it.
    NotAllowed,
}

impl Reader {
    /// `iam:SimulatePrincipalPolicy`: whether an identity may make calls on a resource.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn simulate(
        &self,
        principal: &str,
        calls: &[String],
        resource: &str,
    ) -> Result<Vec<Simulated>, Refused> {
        pages(
            "iam:SimulatePrincipalPolicy",
            principal,
            |marker| {
                let ask = self.iam.simulate_principal_policy().policy_source_arn(principal);
                let ask = ask.set_action_names(Some(calls.to_vec())).resource_arns(resource);
                ask.set_marker(marker).send()
            },
            |page| (page.evaluation_results, page.marker.filter(|_| page.is_truncated)),
        )
        .await
    }
}

impl Understand<types::EvaluationResult> for Simulated {
    fn understand(result: types::EvaluationResult) -> Result<Simulated, Unclear> {
        let knows_all = result.missing_context_values.unwrap_or_default().is_empty();
        let answer = match result.eval_decision {
            types::PolicyEvaluationDecisionType::ExplicitDeny if knows_all => Simulation::Denied,
            types::PolicyEvaluationDecisionType::ImplicitDeny if knows_all => Simulation::NotAllowed,
            _ => Simulation::NotRefused,
        };
        Ok(Simulated { call: result.eval_action_name, answer })
    }
}

impl Understand<types::AttachedPolicy> for AttachedPolicy {
    fn understand(row: types::AttachedPolicy) -> Result<AttachedPolicy, Unclear> {
        Ok(AttachedPolicy {
            policy_name: row.policy_name.unwrap_or_default(),
            policy_arn: row.policy_arn.unwrap_or_default(),
        })
    }
}

impl Understand<types::InstanceProfile> for InstanceProfile {
    fn understand(profile: types::InstanceProfile) -> Result<InstanceProfile, Unclear> {
        Ok(InstanceProfile {
            instance_profile_name: profile.instance_profile_name,
            arn: profile.arn,
            roles: profile.roles.into_iter().map(Role::from).collect(),
        })
    }
}

impl From<types::Role> for Role {
    fn from(role: types::Role) -> Role {
        Role {
            role_name: role.role_name,
            role_id: Some(role.role_id),
            arn: role.arn,
            path: Some(role.path),
            assume_role_policy_document: role
                .assume_role_policy_document
                .as_deref()
                .map(PolicyText::from_percent_encoded),
            attached_managed_policies: None,
            role_policy_list: None,
            permissions_boundary: role.permissions_boundary.and_then(|boundary| {
                Some(PermissionsBoundary {
                    permissions_boundary_type: boundary
                        .permissions_boundary_type
                        .map(|kind| kind.as_str().to_owned()),
                    permissions_boundary_arn: boundary.permissions_boundary_arn?,
                })
            }),
            tags: role
                .tags
                .unwrap_or_default()
                .into_iter()
                .map(|tag| Tag { key: tag.key, value: tag.value })
                .collect(),
        }
    }
}

impl Writer {
    /// `iam:AttachRolePolicy`. Doing it twice changes nothing.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn attach_role_policy(&self, role: &str, policy_arn: &str) -> Result<Sent, Refused> {
        let answer = self.iam.attach_role_policy().role_name(role).policy_arn(policy_arn).send().await;
        sent("iam:AttachRolePolicy", role, answer)
    }

    /// `iam:DetachRolePolicy`.
    ///
    /// # Errors
    /// What AWS answered; that it was not attached is [`super::Reason::NotFound`].
    pub async fn detach_role_policy(&self, role: &str, policy_arn: &str) -> Result<Sent, Refused> {
        let answer = self.iam.detach_role_policy().role_name(role).policy_arn(policy_arn).send().await;
        sent("iam:DetachRolePolicy", role, answer)
    }

    /// `iam:UpdateAssumeRolePolicy`, which replaces the whole document.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn update_assume_role_policy(&self, role: &str, document: &str) -> Result<Sent, Refused> {
        let answer =
            self.iam.update_assume_role_policy().role_name(role).policy_document(document).send().await;
        sent("iam:UpdateAssumeRolePolicy", role, answer)
    }
}

impl Writer {
    /// `iam:PutRolePolicy`: an inline policy. It replaces one of the same name.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn put_role_policy(&self, role: &str, policy: &str, document: &str) -> Result<Sent, Refused> {
        let ask = self.iam.put_role_policy().role_name(role).policy_name(policy);
        sent("iam:PutRolePolicy", role, ask.policy_document(document).send().await)
    }

    /// `iam:DeleteRolePolicy`.
    ///
    /// # Errors
    /// What AWS answered; that there is none is [`super::Reason::NotFound`].
    pub async fn delete_role_policy(&self, role: &str, policy: &str) -> Result<Sent, Refused> {
        let answer = self.iam.delete_role_policy().role_name(role).policy_name(policy).send().await;
        sent("iam:DeleteRolePolicy", role, answer)
    }
}

/// What was answered, or the refusal.
fn sent<T, E>(call: &'static str, role: &str, answer: Result<T, SdkError<E>>) -> Result<Sent, Refused>
where
    T: RequestId,
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match answer {
        Ok(answer) => Ok(Sent { request_id: answer.request_id().map(str::to_owned), assigned_id: None }),
        Err(error) => Err(Refused::from_sdk(call, role, &error)),
    }
}
