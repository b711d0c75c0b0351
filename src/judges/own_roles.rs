//! Roles that service accounts name for pulls: `sa-credential-role-denied`.
//!
//! Only a file on each node tells whether its kubelet hands tokens of service accounts to the credential provider. Without
//! that the annotation means nothing, and the node pulls with its own role. So a role that cannot be had breaks nothing by
//! itself; where a pod waits for an image, it does.

use std::collections::BTreeSet;

use super::paths::Paths;
use super::{Options, permission, quoted, role_policies};
use crate::actions::repository_policy::PULL_CALLS;
use crate::actions::role_policy::TOKEN_CALL;
use crate::checks::{Cause, Leg};
use crate::diagnosis::{Blocker, Evidence, Fix, Verdicts, pull_id};
use crate::iam::{self, Document, Knowledge, Named, Policies, Weighed};
use crate::model::iam::Role;
use crate::model::{Arn, Seen};
use crate::pulls::{OwnRole, World};

/// The audience of the tokens, where nobody chose another one.
const AUDIENCE: &str = "sts.amazonaws.com";

/// Judges `credentials` and `pull-permission` of pulls with roles of service accounts.
pub(super) fn judge(world: &World<'_>, _options: &Options, verdicts: &mut Verdicts) {
    if world.own_roles.is_empty() {
        return;
    }
    let paths = Paths::of(world);
    for own in &world.own_roles {
        let pulls: Vec<String> = world.pulls_with(own).map(|pull| pull_id(&pull)).collect();
        let doubt = |verdicts: &mut Verdicts, because: &str| {
            let because = format!(
                "service account {} names role {} for pulls, and {because}: that matters where the kubelet hands tokens of \
                 service accounts to its credential provider",
                own.account, own.role
            );
            pulls.iter().for_each(|pull| verdicts.unknown(pull, Leg::Credentials, because.clone()));
        };
        match refusal(world, own) {
            Seen::Known(because) if own.waits => {
                denied(world, own, &because, &pulls).into_iter().for_each(|found| verdicts.blocked(found));
            }
            Seen::Known(because) => doubt(verdicts, &because),
            Seen::Unread(because) => {
                doubt(verdicts, &format!("whether it can be assumed is not known ({because})"))
            }
            Seen::Absent => judge_calls(&paths, own, verdicts),
        }
    }
}

/// Why the service account cannot have the role; absent where it can.
fn refusal(world: &World<'_>, own: &OwnRole) -> Seen<String> {
    let role = match world.snapshot.role(&own.role) {
        Seen::Known(role) => role,
        Seen::Absent => return Seen::Known("that role does not exist".to_owned()),
        Seen::Unread(because) => return Seen::Unread(because),
    };
    let Some(text) = &role.assume_role_policy_document else {
        return Seen::Unread("its trust policy was not read".to_owned());
    };
    let Some(issuer) = issuer(world) else {
        return Seen::Unread("the OIDC issuer of the cluster was not read".to_owned());
    };
    let trust = match Document::parse(text.as_str()) {
        Ok(parsed) => Named::new("trust policy", parsed),
        Err(error) => return Seen::Unread(format!("its trust policy cannot be understood: {error}")),
    };
    match assume(world, own, role, trust, issuer) {
        Weighed::Allowed(_) => Seen::Absent,
        Weighed::DependsOn(on) => Seen::Unread(format!(
            "its trust policy asks for {}",
            on.keys.into_iter().collect::<Vec<_>>().join(", ")
        )),
        Weighed::Denied(_) => Seen::Known(format!(
            "its trust policy does not let system:serviceaccount:{} of {issuer} assume it",
            own.account.replacen('/', ":", 1)
        )),
    }
}

/// Who signs the tokens of service accounts, without the scheme, as policies name it.
fn issuer<'w>(world: &World<'w>) -> Option<&'w str> {
    let cluster = world.snapshot.clusters.values().find(|cluster| cluster.name == world.target.cluster)?;
    let issuer = cluster.identity.as_ref()?.oidc.as_ref()?.issuer.as_str();
    Some(issuer.strip_prefix("https://").unwrap_or(issuer)).filter(|issuer| !issuer.is_empty())
}

fn assume(world: &World<'_>, own: &OwnRole, role: &Role, trust: Named, issuer: &str) -> Weighed {
    let account = role.arn.parse::<Arn>().map(|arn| arn.account).unwrap_or_default();
    let subject = format!("system:serviceaccount:{}", own.account.replacen('/', ":", 1));
    let request = iam::Request {
        principal: format!("arn:{}:iam::{account}:oidc-provider/{issuer}", world.target.partition),
        action: "sts:AssumeRoleWithWebIdentity".to_owned(),
        resource: role.arn.clone(),
        resource_account: Some(account),
        context: [
            (format!("{issuer}:sub"), vec![subject]),
            (format!("{issuer}:aud"), vec![AUDIENCE.to_owned()]),
        ]
        .into(),
    };
    let policies = Policies { resource: vec![trust], ..Policies::default() };
    let knowledge = Knowledge { unknown: ["*".to_owned()].into(), ..Knowledge::default() };
    iam::weigh(&request, &policies, &knowledge)
}

/// What a role that can be had may do is judged as a doubt: nobody knows whether it is the one that pulls.
fn judge_calls(paths: &Paths<'_>, own: &OwnRole, verdicts: &mut Verdicts) {
    let Seen::Known(role) = paths.world.snapshot.role(&own.role) else { return };
    let policies = role_policies::of(paths.world.snapshot, role);
    for pull in paths.world.pulls_with(own) {
        let mut refused = BTreeSet::new();
        for call in [TOKEN_CALL].into_iter().chain(PULL_CALLS) {
            let answer = permission::weigh(paths, role, &policies, call, &pull);
            if !matches!(answer.weighed, Weighed::Allowed(_)) {
                refused.insert(call);
            }
        }
        if !refused.is_empty() {
            let because = format!(
                "role {} may pull for service account {}, and nothing that was read lets it call {}",
                own.role,
                own.account,
                refused.into_iter().collect::<Vec<_>>().join(", ")
            );
            verdicts.unknown(&pull_id(&pull), Leg::PullPermission, because);
        }
    }
}

fn denied(world: &World<'_>, own: &OwnRole, because: &str, pulls: &[String]) -> Option<Blocker> {
    let cause = Cause::find("sa-credential-role-denied")?;
    let (namespace, name) = own.account.split_once('/')?;
    let role = quoted(own.role.rsplit('/').next().unwrap_or_default());
    Some(Blocker {
        cause: cause.id,
        legs: vec![Leg::Credentials],
        pulls: pulls.to_vec(),
        severity: cause.severity,
        resource: own.role.clone(),
        account: own.role.parse::<Arn>().map(|arn| arn.account).unwrap_or_default(),
        summary: format!(
            "service account {} names a role for pulls that it cannot assume: {because}",
            own.account
        ),
        evidence: vec![
            Evidence {
                source: "kubernetes:ListServiceAccounts".to_owned(),
                saw: format!("{}: eks.amazonaws.com/ecr-role-arn {}", own.account, own.role),
            },
            Evidence { source: "iam:GetRole".to_owned(), saw: because.to_owned() },
        ],
        fix: Fix::Manual {
            because: "trust policies of roles of applications are not changed".to_owned(),
            steps: vec![
                format!("look: aws iam get-role --role-name {role} --query Role.AssumeRolePolicyDocument"),
                format!(
                    "let arn:{}:iam::…:oidc-provider/{} assume it with sts:AssumeRoleWithWebIdentity for \
                     system:serviceaccount:{}",
                    world.target.partition,
                    issuer(world).unwrap_or("ISSUER"),
                    own.account.replacen('/', ":", 1)
                ),
                format!(
                    "or let the role of the node pull again: kubectl annotate serviceaccount -n {} {} \
                     eks.amazonaws.com/ecr-role-arn-",
                    quoted(namespace),
                    quoted(name)
                ),
                format!("read more: ecr-fix explain {}", cause.id),
            ],
        },
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    use crate::checks::Leg;
    use crate::judges::test_support;
    use crate::pulls::tests::{APP, instance, list, node, pod, profiles};

    const ROLE: &str = "arn:aws:iam::111122223333:role/puller";
    const ISSUER: &str = "oidc.eks.eu-west-1.amazonaws.com/id/ABCD";

    fn check(state: Value, documents: &[Value], expected: &Expect) {
        let of_group = json!({ "eks:nodegroup-name": "ng", "eks:cluster-name": "c" });
        let account = json!({ "kind": "ServiceAccount", "metadata": { "name": "app", "namespace": "shop",
            "annotations": { "eks.amazonaws.com/ecr-role-arn": ROLE, "eks.amazonaws.com/role-arn": "arn:x" } } });
        let status = json!({ "containerStatuses": [{ "name": "app", "state": state }] });
        let pod = pod("shop/web", APP, json!({ "nodeName": "ip-1", "serviceAccountName": "app" }), status);
        let mut all = vec![
            json!({ "cluster": { "name": "c", "arn": "arn:aws:eks:eu-west-1:111122223333:cluster/c",
                "identity": { "oidc": { "issuer": format!("https://{ISSUER}") } } } }),
            json!({ "Reservations": [{ "Instances": [instance("i-1", "ng", of_group)] }] }),
            profiles(&["ng"]),
            list(&[node("ip-1", "i-1", json!({})), account, pod]),
        ];
        all.extend(documents.iter().cloned());
        let legs: &[Leg] =
            if documents.is_empty() { &[Leg::Credentials] } else { &[Leg::Credentials, Leg::PullPermission] };
        test_support::check(&all, &["sa-credential-role-denied"], legs, expected);
    }

    fn roles(subject: &str, policies: Value) -> Value {
        let trust = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow",
            "Principal": { "Federated": format!("arn:aws:iam::111122223333:oidc-provider/{ISSUER}") },
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": { "StringEquals": { (format!("{ISSUER}:sub")): subject, (format!("{ISSUER}:aud")): "sts.amazonaws.com" } } }] });
        let node = json!({ "RoleName": "ng", "Arn": "arn:aws:iam::111122223333:role/ng", "RoleId": "AROAN", "RolePolicyList": [],
            "AttachedManagedPolicies": pull_only() });
        json!({ "RoleDetailList": [node, { "RoleName": "puller", "Arn": ROLE, "RoleId": "AROAP", "RolePolicyList": [],
            "AttachedManagedPolicies": policies, "AssumeRolePolicyDocument": trust }] })
    }

    fn pull_only() -> Value {
        let name = "AmazonEC2ContainerRegistryPullOnly";
        json!([{ "PolicyName": name, "PolicyArn": format!("arn:aws:iam::aws:policy/{name}") }])
    }

    fn waits() -> Value {
        json!({ "waiting": { "reason": "ErrImagePull", "message": format!("failed to pull and unpack image \"{APP}\": no basic auth credentials") } })
    }

    fn runs() -> Value {
        json!({ "running": { "startedAt": "2026-11-23T09:00:00Z" } })
    }

    #[test]
    fn a_role_that_the_service_account_cannot_have_keeps_a_pod_that_waits() {
        let other = || roles("system:serviceaccount:shop:other", pull_only());
        check(
            waits(),
            &[other()],
            &expect![[r#"
            sa-credential-role-denied high manual on arn:aws:iam::111122223333:role/puller: service account shop/app names a role for pulls that it cannot assume: its trust policy does not let system:serviceaccount:shop:app of oidc.eks.eu-west-1.amazonaws.com/id/ABCD assume it
              kubernetes:ListServiceAccounts: shop/app: eks.amazonaws.com/ecr-role-arn arn:aws:iam::111122223333:role/puller
              iam:GetRole: its trust policy does not let system:serviceaccount:shop:app of oidc.eks.eu-west-1.amazonaws.com/id/ABCD assume it
              kubernetes:ListPods: pod shop/web on ip-1: failed to pull and unpack image "app:v1": no basic auth credentials
              blocks credentials of nodegroup/ng <- app:v1
            nodegroup/ng pull-permission unknown ecr:BatchGetImage depends on the repository policy, which was not read, AmazonEC2ContainerRegistryPullOnly was not read; its v1 of 2024-10-04 stands in; ecr:GetDownloadUrlForLayer depends on the repository policy, which was not read, AmazonEC2ContainerRegistryPullOnly was not read; its v1 of 2024-10-04 stands in; the VPC of the cluster was not read
        "#]],
        );
        // It runs, and so its kubelet may know nothing of such roles.
        check(
            runs(),
            &[other()],
            &expect![[r#"
            nodegroup/ng credentials unknown service account shop/app names role arn:aws:iam::111122223333:role/puller for pulls, and its trust policy does not let system:serviceaccount:shop:app of oidc.eks.eu-west-1.amazonaws.com/id/ABCD assume it: that matters where the kubelet hands tokens of service accounts to its credential provider
            nodegroup/ng pull-permission unknown ecr:BatchGetImage depends on the repository policy, which was not read, AmazonEC2ContainerRegistryPullOnly was not read; its v1 of 2024-10-04 stands in; ecr:GetDownloadUrlForLayer depends on the repository policy, which was not read, AmazonEC2ContainerRegistryPullOnly was not read; its v1 of 2024-10-04 stands in; the VPC of the cluster was not read
        "#]],
        );
        check(
            waits(),
            &[json!({ "RoleDetailList": [] })],
            &expect![[r#"
            sa-credential-role-denied high manual on arn:aws:iam::111122223333:role/puller: service account shop/app names a role for pulls that it cannot assume: that role does not exist
              kubernetes:ListServiceAccounts: shop/app: eks.amazonaws.com/ecr-role-arn arn:aws:iam::111122223333:role/puller
              iam:GetRole: that role does not exist
              kubernetes:ListPods: pod shop/web on ip-1: failed to pull and unpack image "app:v1": no basic auth credentials
              blocks credentials of nodegroup/ng <- app:v1
            nodegroup/ng pull-permission unknown its role does not exist; the VPC of the cluster was not read
        "#]],
        );
    }

    #[test]
    fn a_role_that_can_be_had_pulls_if_it_may() {
        check(
            runs(),
            &[roles("system:serviceaccount:shop:app", pull_only())],
            &expect![[r#"
            nodegroup/ng credentials ok
            nodegroup/ng pull-permission unknown role arn:aws:iam::111122223333:role/puller may pull for service account shop/app, and nothing that was read lets it call ecr:BatchGetImage, ecr:GetDownloadUrlForLayer; ecr:BatchGetImage depends on the repository policy, which was not read, AmazonEC2ContainerRegistryPullOnly was not read; its v1 of 2024-10-04 stands in; ecr:GetDownloadUrlForLayer depends on the repository policy, which was not read, AmazonEC2ContainerRegistryPullOnly was not read; its v1 of 2024-10-04 stands in; the VPC of the cluster was not read
        "#]],
        );
        check(
            runs(),
            &[roles("system:serviceaccount:shop:app", json!([]))],
            &expect![[r#"
            nodegroup/ng credentials ok
            nodegroup/ng pull-permission unknown role arn:aws:iam::111122223333:role/puller may pull for service account shop/app, and nothing that was read lets it call ecr:BatchGetImage, ecr:GetAuthorizationToken, ecr:GetDownloadUrlForLayer; ecr:BatchGetImage depends on the repository policy, which was not read, AmazonEC2ContainerRegistryPullOnly was not read; its v1 of 2024-10-04 stands in; ecr:GetDownloadUrlForLayer depends on the repository policy, which was not read, AmazonEC2ContainerRegistryPullOnly was not read; its v1 of 2024-10-04 stands in; the VPC of the cluster was not read
        "#]],
        );
    }

    #[test]
    fn a_role_that_was_not_read_is_a_doubt() {
        check(
            runs(),
            &[],
            &expect![[r#"
            nodegroup/ng credentials unknown iam:GetRole: not in the snapshot; service account shop/app names role arn:aws:iam::111122223333:role/puller for pulls, and whether it can be assumed is not known (iam:GetRole: not in the snapshot): that matters where the kubelet hands tokens of service accounts to its credential provider
        "#]],
        );
    }
}
