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
            Seen::Unread(because) => doubt(verdicts, &format!("whether it can be assumed is not known ({because})")),
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
        Weighed::DependsOn(on) => {
            Seen::Unread(format!("its trust policy asks for {}", on.keys.into_iter().collect::<Vec<_>>().join(", ")))
        }
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
        summary: format!("service account {} names a role for pulls that it cannot assume: {because}", own.account),
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
