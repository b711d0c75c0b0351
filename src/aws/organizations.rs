//! Organizations: where an account stands, and which policies bind it. Only the management account and those that it
//! names may read this.

use aws_sdk_organizations::types::{self, PolicyType};

use super::pages::{Unclear, Understand, pages};
use super::{Reader, Refused};
use crate::model::PolicyText;
use crate::model::organizations::{Organization, Policy, PolicyKind, PolicySummary};

impl Reader {
    /// `organizations:DescribeOrganization`, which every account of an organization may call.
    ///
    /// # Errors
    /// What AWS answered: that there is none is [`super::Reason::NotFound`].
    pub async fn organization(&self, account: &str) -> Result<Organization, Refused> {
        const CALL: &str = "organizations:DescribeOrganization";
        let answer = self.organizations.describe_organization().send().await;
        let answer = answer.map_err(|error| Refused::from_sdk(CALL, account, &error))?;
        let found = answer.organization.ok_or_else(|| Refused::never_sent(CALL, "an empty answer"))?;
        Ok(Organization { id: found.id.unwrap_or_default(), master_account_id: found.master_account_id })
    }

    /// `organizations:ListParents`: what stands above an account or an organizational unit.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn parents(&self, child: &str) -> Result<Vec<String>, Refused> {
        let parents: Vec<Above> = pages(
            "organizations:ListParents",
            child,
            |token| self.organizations.list_parents().child_id(child).set_next_token(token).send(),
            |page| (page.parents, page.next_token),
        )
        .await?;
        Ok(parents.into_iter().map(|Above(id)| id).collect())
    }

    /// `organizations:ListPoliciesForTarget`: the policies of a kind that are attached to a target itself.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn policies_for_target(
        &self,
        target: &str,
        kind: PolicyKind,
    ) -> Result<Vec<PolicySummary>, Refused> {
        let filter = match kind {
            PolicyKind::ServiceControlPolicy => PolicyType::ServiceControlPolicy,
            PolicyKind::ResourceControlPolicy => PolicyType::ResourceControlPolicy,
        };
        pages(
            "organizations:ListPoliciesForTarget",
            target,
            |token| {
                let ask = self.organizations.list_policies_for_target().target_id(target);
                ask.filter(filter.clone()).set_next_token(token).send()
            },
            |page| (page.policies, page.next_token),
        )
        .await
    }

    /// `organizations:DescribePolicy`.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn organization_policy(&self, id: &str) -> Result<Policy, Refused> {
        const CALL: &str = "organizations:DescribePolicy";
        let answer = self.organizations.describe_policy().policy_id(id).send().await;
        let answer = answer.map_err(|error| Refused::from_sdk(CALL, id, &error))?;
        let policy = answer.policy.ok_or_else(|| Refused::never_sent(CALL, "an empty answer"))?;
        Ok(Policy {
            policy_summary: policy.policy_summary.map(summary).unwrap_or_default(),
            content: policy.content.map(PolicyText::new),
        })
    }
}

/// The id of a root or an organizational unit.
struct Above(String);

impl Understand<types::Parent> for Above {
    fn understand(row: types::Parent) -> Result<Above, Unclear> {
        Ok(Above(row.id.unwrap_or_default()))
    }
}

impl Understand<types::PolicySummary> for PolicySummary {
    fn understand(row: types::PolicySummary) -> Result<PolicySummary, Unclear> {
        Ok(summary(row))
    }
}

fn summary(row: types::PolicySummary) -> PolicySummary {
    PolicySummary {
        id: row.id.unwrap_or_default(),
        arn: row.arn.unwrap_or_default(),
        name: row.name.unwrap_or_default(),
        r#type: row.r#type.map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
        aws_managed: row.aws_managed,
    }
}
