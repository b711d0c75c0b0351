//! What a plan allows beyond the pulls: a managed policy may grant more than a pull calls.

use crate::actions::AnyChange;
use crate::iam::{self, Outcome, managed};
use crate::judges::role_policies;
use crate::model::Snapshot;

/// What pulls call, also those by way of a cache.
const OF_PULLS: [&str; 5] = [
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:BatchImportUpstreamImage",
    "ecr:GetAuthorizationToken",
    "ecr:GetDownloadUrlForLayer",
];

/// One line for each role that may do more than pull once the changes are made, and might not before.
pub(super) fn newly_allowed(before: &Snapshot, changes: &[&AnyChange]) -> Vec<String> {
    changes.iter().filter_map(|change| of_attachment(before, change)).collect()
}

fn of_attachment(before: &Snapshot, change: &AnyChange) -> Option<String> {
    let AnyChange::Attachment(change) = change else { return None };
    let policy = change.after.as_ref().and_then(|_| managed::document(&change.at.policy_arn))?;
    let role = before.roles.get(&change.at.role_arn)?;
    let known = role_policies::of(before, role).policies;
    let is_new = |action: &&str| {
        let request = iam::Request {
            principal: role.arn.clone(),
            action: (*action).to_owned(),
            resource: "*".to_owned(),
            ..iam::Request::default()
        };
        !OF_PULLS.contains(action) && iam::decide(&request, &known).outcome != Outcome::Allowed
    };
    let new: Vec<&str> = policy.actions.iter().copied().filter(is_new).collect();
    (!new.is_empty()).then(|| format!("{} on everything, for role {}", new.join(", "), change.at.role_name))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::actions::{Attachment, Change, attachment};
    use crate::snapshot_dir;

    const ROLE: &str = "arn:aws:iam::111122223333:role/demo-node";

    fn opened(policy: &str, edit: impl FnOnce(&mut Snapshot)) -> Vec<String> {
        let mut world = snapshot_dir::load(Path::new("plans/demo/world")).unwrap().snapshot;
        edit(&mut world);
        let at = attachment::Address {
            role_arn: ROLE.to_owned(),
            role_name: "demo-node".to_owned(),
            role_id: None,
            policy_arn: format!("arn:aws:iam::aws:policy/{policy}"),
        };
        let after = Attachment { policy_name: policy.to_owned() };
        let change = AnyChange::from(Change { at, before: None, after: Some(after) });
        newly_allowed(&world, &[&change])
    }

    #[test]
    fn a_policy_for_more_than_pulls_says_what_it_allows() {
        assert_eq!(opened("AmazonEC2ContainerRegistryPullOnly", |_| {}), [""; 0]);
        assert_eq!(opened("AmazonEKSFargatePodExecutionRolePolicy", |_| {}), [""; 0]);
        let more = opened("AmazonEC2ContainerRegistryReadOnly", |_| {});
        assert_eq!(
            more,
            ["ecr:GetRepositoryPolicy, ecr:DescribeRepositories, ecr:ListImages, ecr:DescribeImages, \
              ecr:GetLifecyclePolicy, ecr:GetLifecyclePolicyPreview, ecr:ListTagsForResource, \
              ecr:DescribeImageScanFindings on everything, for role demo-node"]
        );
    }

    #[test]
    fn what_a_role_might_do_before_is_not_new() {
        let before = |world: &mut Snapshot| {
            let text =
                r#"{"Statement":{"Effect":"Allow","Action":["ecr:Describe*","ecr:List*"],"Resource":"*"}}"#;
            let inline =
                serde_json::from_value(serde_json::json!({ "PolicyName": "look", "PolicyDocument": text }));
            let list = &mut world.roles.get_mut(ROLE).unwrap().role_policy_list;
            list.get_or_insert_default().push(inline.unwrap());
        };
        let more = opened("AmazonEC2ContainerRegistryReadOnly", before);
        assert_eq!(
            more,
            [
                "ecr:GetRepositoryPolicy, ecr:GetLifecyclePolicy, ecr:GetLifecyclePolicyPreview on everything, for role \
              demo-node"
            ]
        );
    }
}
