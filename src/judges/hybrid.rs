//! Whether nodes on premises have credentials: `hybrid-node-credentials`.
//!
//! Their role is known by the access entry that they join with. What it may do is judged with all roles, in `permission`;
//! here is judged whether it can be had at all. Activations and trust anchors stand elsewhere, and are not read.

use serde_json::json;

use super::{Options, quoted};
use crate::checks::{Leg, Severity};
use crate::diagnosis::{Blocker, Evidence, Fix, Verdicts, pull_id};
use crate::iam::{self, Document, Knowledge, Named, Policies, Weighed};
use crate::model::iam::Role;
use crate::model::kubernetes::Node;
use crate::model::{Arn, Seen};
use crate::pulls::{Source, SourceKind, World};

const CAUSE: &str = "hybrid-node-credentials";

/// The services that hand out credentials for nodes on premises.
///
/// Source: EKS user guide, "Prepare credentials for hybrid nodes".
const ISSUERS: [&str; 2] = ["ssm.amazonaws.com", "rolesanywhere.amazonaws.com"];

/// Judges `credentials` of hybrid nodes.
pub(super) fn judge(world: &World<'_>, _options: &Options, verdicts: &mut Verdicts) {
    for source in world.sources.iter().filter(|source| source.kind == SourceKind::Hybrid) {
        let pulls: Vec<String> = world.pulls_by(source).map(|pull| pull_id(&pull)).collect();
        let unknown = |verdicts: &mut Verdicts, because: &str| {
            pulls.iter().for_each(|pull| verdicts.unknown(pull, Leg::Credentials, because));
        };
        let role = match source.role.as_deref().map(|arn| world.snapshot.role(arn)) {
            _ if pulls.is_empty() => continue,
            None => {
                unknown(verdicts, &role_not_read(world));
                continue;
            }
            Some(Seen::Known(role)) => role,
            Some(Seen::Absent) => {
                let arn = source.role.clone().unwrap_or_default();
                verdicts.blocked(role_is_gone(&arn, &pulls));
                continue;
            }
            Some(Seen::Unread(because)) => {
                unknown(verdicts, &because);
                continue;
            }
        };
        match issuer(world, role) {
            Seen::Absent => verdicts.blocked(nobody_may_assume(role, &pulls)),
            Seen::Unread(because) => unknown(verdicts, &because),
            Seen::Known(()) => match silent(world, source) {
                None => pulls.iter().for_each(|pull| verdicts.ok(pull, Leg::Credentials)),
                Some(because) => unknown(verdicts, &because),
            },
        }
    }
}

fn role_not_read(world: &World<'_>) -> String {
    let cluster = quoted(&world.target.cluster);
    format!(
        "the role of hybrid nodes was not read: it is that of the one access entry of type HYBRID_LINUX (aws eks \
         list-access-entries --cluster-name {cluster}, then describe-access-entry)"
    )
}

/// Whether any of the two services may assume the role; absent where neither may.
fn issuer(world: &World<'_>, role: &Role) -> Seen<()> {
    let Some(text) = &role.assume_role_policy_document else {
        return Seen::Unread("the trust policy was not read".to_owned());
    };
    let trust = match Document::parse(text.as_str()) {
        Ok(parsed) => Named::new("trust policy", parsed),
        Err(error) => return Seen::Unread(format!("the trust policy cannot be understood: {error}")),
    };
    let policies = Policies { resource: vec![trust], ..Policies::default() };
    // Which keys their requests have beside the account nobody documents in full.
    let knowledge = Knowledge { unknown: ["*".to_owned()].into(), ..Knowledge::default() };
    let may = |service: &&str| {
        let request = iam::Request {
            principal: (*service).to_owned(),
            action: "sts:AssumeRole".to_owned(),
            resource: role.arn.clone(),
            resource_account: Some(world.target.account.clone()),
            context: [("aws:SourceAccount".to_owned(), vec![world.target.account.clone()])].into(),
        };
        !matches!(iam::weigh(&request, &policies, &knowledge), Weighed::Denied(_))
    };
    if ISSUERS.iter().any(may) { Seen::Known(()) } else { Seen::Absent }
}

/// Why it is not certain that the nodes have credentials: a kubelet that is heard has used them to join.
fn silent(world: &World<'_>, source: &Source) -> Option<String> {
    let not_ready = |node: &&Node| node.is("Ready") != Some(true);
    let silent: Vec<&str> =
        world.kubelets_of(source).filter(not_ready).map(|node| node.metadata.name.as_str()).collect();
    let first = silent.first()?;
    Some(format!(
        "whether hybrid node {first} still gets credentials is not known: its kubelet does not say that it is ready (on \
         the node: journalctl -u kubelet -u aws_signing_helper_update -u amazon-ssm-agent)"
    ))
}

fn blocker(role: &str, pulls: &[String], summary: String, evidence: Evidence, steps: Vec<String>) -> Blocker {
    Blocker {
        cause: CAUSE,
        legs: vec![Leg::Credentials],
        pulls: pulls.to_vec(),
        severity: Severity::Critical,
        resource: role.to_owned(),
        account: role.parse::<Arn>().map(|arn| arn.account).unwrap_or_default(),
        summary,
        evidence: vec![evidence],
        fix: Fix::Manual {
            because: "how nodes on premises get their credentials was set up by somebody: ecr-fix cannot tell which of \
                      the two ways is meant"
                .to_owned(),
            steps: steps.into_iter().chain([format!("read more: ecr-fix explain {CAUSE}")]).collect(),
        },
    }
}

fn nobody_may_assume(role: &Role, pulls: &[String]) -> Blocker {
    let name = quoted(&role.role_name);
    let statement = |service: &str, calls: serde_json::Value| json!({ "Effect": "Allow", "Principal": { "Service": service }, "Action": calls });
    let by_ssm = statement("ssm.amazonaws.com", json!("sts:AssumeRole"));
    let calls = json!(["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]);
    let by_certificate = statement("rolesanywhere.amazonaws.com", calls);
    blocker(
        &role.arn,
        pulls,
        format!(
            "the trust policy of role {} lets neither SSM nor IAM Roles Anywhere assume it",
            role.role_name
        ),
        Evidence {
            source: "iam:GetRole".to_owned(),
            saw: format!("no statement for {} in AssumeRolePolicyDocument", ISSUERS.join(" or ")),
        },
        vec![
            format!("aws iam get-role --role-name {name} --query Role.AssumeRolePolicyDocument > trust.json"),
            format!("for SSM activations add the statement {by_ssm}"),
            format!("for IAM Roles Anywhere add the statement {by_certificate}"),
            format!(
                "aws iam update-assume-role-policy --role-name {name} --policy-document file://trust.json"
            ),
        ],
    )
}

fn role_is_gone(arn: &str, pulls: &[String]) -> Blocker {
    let name = arn.rsplit('/').next().unwrap_or_default();
    blocker(
        arn,
        pulls,
        format!("role {name} of the hybrid nodes does not exist"),
        Evidence { source: "iam:GetRole".to_owned(), saw: "NoSuchEntity".to_owned() },
        vec![format!(
            "make role {name} again, as the EKS user guide shows under \"Prepare credentials for hybrid nodes\""
        )],
    )
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    use super::CAUSE;
    use crate::checks::Leg;
    use crate::judges::test_support;
    use crate::pulls::tests::list;

    const ROLE: &str = "arn:aws:iam::111122223333:role/hybrid";

    fn check(documents: &[Value], ready: &str, expected: &Expect) {
        let node = json!({
            "kind": "Node", "metadata": { "name": "mi-1", "labels": { "eks.amazonaws.com/compute-type": "hybrid" } },
            "spec": { "providerID": "eks-hybrid:///eu-west-1/c/mi-1" },
            "status": { "conditions": [{ "type": "Ready", "status": ready }] },
        });
        let mut all = vec![list(&[node])];
        all.extend(documents.iter().cloned());
        let mut legs = vec![Leg::Credentials, Leg::EcrTokenPermission, Leg::PullPermission];
        legs.truncate(if documents.len() > 1 { 3 } else { 1 });
        test_support::check(&all, &[CAUSE, "node-role-missing-ecr-policy"], &legs, expected);
    }

    fn entry(role: &str) -> Value {
        json!({ "accessEntry": { "clusterName": "c", "principalArn": role, "type": "HYBRID_LINUX" } })
    }

    fn role(service: &str, policies: Value) -> Value {
        json!({ "RoleDetailList": [{
            "RoleName": "hybrid", "Arn": ROLE, "RoleId": "AROAH", "Path": "/", "RolePolicyList": [],
            "AttachedManagedPolicies": policies,
            "AssumeRolePolicyDocument": { "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession"], "Principal": { "Service": service },
                "Condition": { "StringEquals": { "aws:SourceAccount": "111122223333" } },
            }] },
        }] })
    }

    fn pull_only() -> Value {
        let name = "AmazonEC2ContainerRegistryPullOnly";
        json!([{ "PolicyName": name, "PolicyArn": format!("arn:aws:iam::aws:policy/{name}") }])
    }

    #[test]
    fn a_role_that_ssm_may_assume_and_that_may_pull_is_well() {
        check(
            &[entry(ROLE), role("ssm.amazonaws.com", pull_only())],
            "True",
            &expect![[r#"
                hybrid/hybrid credentials ok
                hybrid/hybrid ecr-token-permission unknown the VPC of the cluster was not read
                hybrid/hybrid pull-permission unknown ecr:BatchGetImage depends on the repository policy, which was not read, AmazonEC2ContainerRegistryPullOnly was not read; its v1 of 2024-10-04 stands in; ecr:GetDownloadUrlForLayer depends on the repository policy, which was not read, AmazonEC2ContainerRegistryPullOnly was not read; its v1 of 2024-10-04 stands in; the VPC of the cluster was not read
            "#]],
        );
        // Nothing shows whether it still gets credentials.
        check(
            &[entry(ROLE), role("ssm.amazonaws.com", pull_only())],
            "Unknown",
            &expect![[r#"
                hybrid/hybrid credentials unknown whether hybrid node mi-1 still gets credentials is not known: its kubelet does not say that it is ready (on the node: journalctl -u kubelet -u aws_signing_helper_update -u amazon-ssm-agent)
                hybrid/hybrid ecr-token-permission unknown the VPC of the cluster was not read
                hybrid/hybrid pull-permission unknown ecr:BatchGetImage depends on the repository policy, which was not read, AmazonEC2ContainerRegistryPullOnly was not read; its v1 of 2024-10-04 stands in; ecr:GetDownloadUrlForLayer depends on the repository policy, which was not read, AmazonEC2ContainerRegistryPullOnly was not read; its v1 of 2024-10-04 stands in; the VPC of the cluster was not read
            "#]],
        );
    }

    #[test]
    fn a_role_without_a_policy_or_without_trust_is_broken() {
        check(
            &[entry(ROLE), role("ec2.amazonaws.com", json!([]))],
            "True",
            &expect![[r#"
                hybrid-node-credentials critical manual on arn:aws:iam::111122223333:role/hybrid: the trust policy of role hybrid lets neither SSM nor IAM Roles Anywhere assume it
                  iam:GetRole: no statement for ssm.amazonaws.com or rolesanywhere.amazonaws.com in AssumeRolePolicyDocument
                  blocks credentials of hybrid/hybrid <- app:v1, hybrid/hybrid <- 602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/*
                hybrid-node-credentials critical automatic on arn:aws:iam::111122223333:role/hybrid: role hybrid may not call ecr:BatchGetImage, ecr:GetAuthorizationToken, ecr:GetDownloadUrlForLayer
                  iam:ListAttachedRolePolicies: none
                  iam:ListRolePolicies: none
                  blocks ecr-token-permission pull-permission of hybrid/hybrid <- app:v1, hybrid/hybrid <- 602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/*
                hybrid/hybrid pull-permission unknown ecr:BatchGetImage depends on the repository policy, which was not read; ecr:GetDownloadUrlForLayer depends on the repository policy, which was not read; the VPC of the cluster was not read
            "#]],
        );
        check(
            &[entry(ROLE), json!({ "RoleDetailList": [] })],
            "True",
            &expect![[r#"
                hybrid-node-credentials critical manual on arn:aws:iam::111122223333:role/hybrid: role hybrid of the hybrid nodes does not exist
                  iam:GetRole: NoSuchEntity
                  blocks credentials of hybrid/hybrid <- app:v1, hybrid/hybrid <- 602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/*
                hybrid/hybrid ecr-token-permission unknown its role does not exist; the VPC of the cluster was not read
                hybrid/hybrid pull-permission unknown its role does not exist; the VPC of the cluster was not read
            "#]],
        );
    }

    #[test]
    fn without_the_access_entry_nobody_knows_the_role() {
        check(
            &[role("ec2.amazonaws.com", json!([]))],
            "True",
            &expect![[r#"
            hybrid/hybrid credentials unknown the role of hybrid nodes was not read: it is that of the one access entry of type HYBRID_LINUX (aws eks list-access-entries --cluster-name c, then describe-access-entry)
        "#]],
        );
    }
}
