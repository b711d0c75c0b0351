//! Whether a role may get a token and pull with it, by the policies of the role.
//!
//! Tells apart: no permission at all (`node-role-missing-ecr-policy`, `fargate-exec-role-missing-policy`), a boundary
//! (`permissions-boundary-blocks`), a deny (`identity-policy-explicit-deny`, `repo-policy-explicit-deny`,
//! `registry-policy-deny`), and a registry of another account that does not grant it: not at all
//! (`repo-policy-missing-cross-account`), under a condition that does not hold (`repo-policy-condition-mismatch`), or to
//! somebody who was deleted (`repo-policy-stale-principal`). What mends them is in `grants`.

use std::collections::{BTreeMap, BTreeSet};

use super::registry_policies::{self, REGISTRY_POLICY, REPOSITORY_POLICY};
use super::role_policies::{self, RolePolicies};
use super::{Options, grants, quoted};
use crate::actions::repository_policy::PULL_CALLS as PULL;
use crate::actions::role_policy::{Grant, TOKEN_CALL as TOKEN};
use crate::checks::{Leg, Severity};
use crate::diagnosis::{Blocker, Evidence, Fix, Verdicts, pull_id};
use crate::iam::{self, Decision, Effect, Knowledge, Layer, Outcome, Weighed};
use crate::model::iam::Role;
use crate::model::{Arn, Seen, Snapshot};
use crate::pulls::{Image, Pull, SourceKind, World};

/// What one role lacks, gathered over its pulls.
#[derive(Default)]
struct Lack {
    legs: BTreeSet<Leg>,
    pulls: BTreeSet<String>,
    calls: BTreeSet<&'static str>,
    statements: BTreeSet<String>,
    /// Where to look at them.
    look: BTreeSet<String>,
    grant: Grant,
}

/// Judges `ecr-token-permission` and `pull-permission`.
pub(super) fn judge(world: &World<'_>, options: &Options, verdicts: &mut Verdicts) {
    let mut groups: BTreeMap<(&str, bool), Vec<Pull<'_>>> = BTreeMap::new();
    for pull in world.pulls() {
        match &pull.source.role {
            Some(role) => {
                let fargate = pull.source.kind == SourceKind::FargateProfile;
                groups.entry((role.as_str(), fargate)).or_default().push(pull);
            }
            None => doubt(verdicts, &pull, "its role was not read"),
        }
    }
    for ((arn, fargate), pulls) in groups {
        match world.snapshot.role(arn) {
            Seen::Known(role) => judge_role(world, role, fargate, &pulls, options, verdicts),
            Seen::Absent => pulls.iter().for_each(|pull| doubt(verdicts, pull, "its role does not exist")),
            Seen::Unread(because) => pulls.iter().for_each(|pull| doubt(verdicts, pull, &because)),
        }
    }
}

fn doubt(verdicts: &mut Verdicts, pull: &Pull<'_>, because: &str) {
    for leg in [Leg::EcrTokenPermission, Leg::PullPermission] {
        verdicts.unknown(&pull_id(pull), leg, because);
    }
}

fn judge_role(
    world: &World<'_>,
    role: &Role,
    fargate: bool,
    pulls: &[Pull<'_>],
    options: &Options,
    verdicts: &mut Verdicts,
) {
    let policies = role_policies::of(world.snapshot, role);
    let mut lacks: BTreeMap<(&'static str, String), Lack> = BTreeMap::new();
    for pull in pulls {
        let requests = [(Leg::EcrTokenPermission, TOKEN)]
            .into_iter()
            .chain(PULL.map(|call| (Leg::PullPermission, call)));
        for (leg, call) in requests {
            let id = pull_id(pull);
            match weigh(world.snapshot, role, &policies, call, pull.image) {
                Weighed::Allowed(_) => verdicts.ok(&id, leg),
                Weighed::DependsOn(doubt) => {
                    let on = doubt
                        .keys
                        .iter()
                        .cloned()
                        .chain(doubt.unread.iter().map(|layer| unread_layer(*layer)));
                    let on: Vec<String> = on.chain(policies.notes.iter().cloned()).collect();
                    verdicts.unknown(&id, leg, format!("{call} depends on {}", on.join(", ")));
                }
                Weighed::Denied(decision) => {
                    for cause in causes(world.snapshot, pull.image, &decision, fargate) {
                        let at =
                            if is_about_registry(cause) { &pull.image.repository_arn } else { &role.arn };
                        let lack = lacks.entry((cause, at.clone())).or_default();
                        lack.legs.insert(leg);
                        lack.pulls.insert(id.clone());
                        lack.calls.insert(call);
                        lack.statements.extend(denials(&decision));
                        lack.look.extend(places(&decision, role, pull.image));
                        if call == TOKEN {
                            lack.grant.token = true;
                        } else {
                            lack.grant.repositories.insert(grants::scope(pull.image));
                        }
                    }
                }
            }
        }
    }
    for ((cause, resource), lack) in lacks {
        verdicts.blocked(blocker(world.snapshot, role, (cause, resource), lack, options));
    }
}

fn unread_layer(layer: Layer) -> String {
    match layer {
        Layer::Resource => "the repository policy, which was not read".to_owned(),
        other => format!("the {} policies, of which some were not read", other.as_str()),
    }
}

fn weigh(world: &Snapshot, role: &Role, policies: &RolePolicies, call: &str, image: &Image) -> Weighed {
    let about_token = call == TOKEN;
    let mut knowledge = Knowledge {
        unknown: BTreeSet::from(["*".to_owned()]),
        unread: policies.unread.clone(),
        ..Knowledge::default()
    };
    let mut all = policies.policies.clone();
    if !about_token {
        let registry = registry_policies::of(world, image.repository());
        all.resource = registry.policies;
        if !registry.unread.is_empty() {
            knowledge.unread.insert(Layer::Resource);
        }
    }
    let request = iam::Request {
        principal: role.arn.clone(),
        action: call.to_owned(),
        resource: if about_token { "*".to_owned() } else { image.repository_arn.clone() },
        resource_account: (!about_token).then(|| image.account.clone()),
        context: BTreeMap::new(),
    };
    iam::weigh(&request, &all, &knowledge)
}

/// Which causes a refusal has.
fn causes(world: &Snapshot, image: &Image, decision: &Decision, fargate: bool) -> BTreeSet<&'static str> {
    let missing = if fargate { "fargate-exec-role-missing-policy" } else { "node-role-missing-ecr-policy" };
    let explicit = |layer| {
        decision
            .deciding
            .iter()
            .any(|deciding| deciding.effect == Effect::Deny && deciding.policy_type == layer)
    };
    let mut causes = BTreeSet::new();
    if explicit(Layer::Identity) {
        causes.insert("identity-policy-explicit-deny");
    } else if decision.blocked_by.contains(&Layer::Identity) {
        causes.insert(missing);
    }
    if decision.blocked_by.contains(&Layer::Boundary) {
        causes.insert("permissions-boundary-blocks");
    }
    if explicit(Layer::Resource) {
        let by_registry = decision.deciding.iter().any(|deciding| {
            deciding.effect == Effect::Deny && deciding.policy.as_deref() == Some(REGISTRY_POLICY)
        });
        causes.insert(if by_registry { "registry-policy-deny" } else { "repo-policy-explicit-deny" });
    } else if decision.blocked_by.contains(&Layer::Resource) {
        causes.insert(why_not_granted(world, image, decision));
    }
    causes
}

/// Why no policy of the registry lets a role of another account in.
fn why_not_granted(world: &Snapshot, image: &Image, decision: &Decision) -> &'static str {
    let nearly: Vec<_> = decision
        .near_misses
        .iter()
        .filter(|miss| miss.policy_type == Layer::Resource && miss.effect == Effect::Allow)
        .filter(|miss| miss.policy.as_deref() == Some(REPOSITORY_POLICY))
        .collect();
    let names_the_deleted = |index| registry_policies::names_the_deleted(world, image.repository(), index);
    if nearly.iter().any(|miss| miss.element == "Condition") {
        "repo-policy-condition-mismatch"
    } else if nearly.iter().any(|miss| miss.element == "Principal" && names_the_deleted(miss.statement)) {
        "repo-policy-stale-principal"
    } else {
        "repo-policy-missing-cross-account"
    }
}

/// Whether what is at fault is the registry, and not the role.
fn is_about_registry(cause: &str) -> bool {
    matches!(
        cause,
        "registry-policy-deny"
            | "repo-policy-condition-mismatch"
            | "repo-policy-explicit-deny"
            | "repo-policy-missing-cross-account"
            | "repo-policy-stale-principal"
    )
}

/// The statements that forbid it, in words.
fn denials(decision: &Decision) -> Vec<String> {
    let denies = decision.deciding.iter().filter(|_| decision.outcome == Outcome::ExplicitDeny);
    denies
        .map(|deciding| {
            let policy = deciding.policy.as_deref().unwrap_or("a policy");
            format!("statement {} of {policy} denies it", deciding.statement)
        })
        .collect()
}

/// The commands that show the statements that forbid it.
fn places(decision: &Decision, role: &Role, image: &Image) -> Vec<String> {
    let denies = decision.deciding.iter().filter(|deciding| deciding.effect == Effect::Deny);
    denies
        .map(|deciding| {
            let policy = quoted(deciding.policy.as_deref().unwrap_or_default());
            match deciding.policy.as_deref() {
                Some(REGISTRY_POLICY) => {
                    format!("aws ecr get-registry-policy --region {}", quoted(&image.region))
                }
                Some(REPOSITORY_POLICY) => grants::show_policy(&image.repository_arn),
                Some(arn) if arn.starts_with("arn:") => format!(
                    "aws iam get-policy-version --policy-arn {policy} --version-id $(aws iam get-policy \
                     --policy-arn {policy} --query Policy.DefaultVersionId --output text)"
                ),
                _ => format!(
                    "aws iam get-role-policy --role-name {} --policy-name {policy}",
                    quoted(&role.role_name)
                ),
            }
        })
        .collect()
}

fn blocker(
    world: &Snapshot,
    role: &Role,
    (cause, resource): (&'static str, String),
    lack: Lack,
    options: &Options,
) -> Blocker {
    let calls = lack.calls.iter().copied().collect::<Vec<_>>().join(", ");
    let (summary, evidence) = if is_about_registry(cause) {
        let name = resource.split_once(":repository/").map_or(resource.as_str(), |(_, name)| name);
        let saw = lack.statements.iter().cloned().collect::<Vec<_>>().join("; ");
        let saw = match cause {
            _ if !saw.is_empty() => saw,
            "repo-policy-condition-mismatch" => {
                format!("a statement that would let {} pull, under a condition that does not hold", role.arn)
            }
            "repo-policy-stale-principal" => {
                format!("a statement for a principal that was deleted, and none that lets {} pull", role.arn)
            }
            _ => format!("no statement that lets {} pull", role.arn),
        };
        (
            format!("repository {name} does not let role {} call {calls}", role.role_name),
            vec![Evidence { source: "ecr:GetRepositoryPolicy".to_owned(), saw }],
        )
    } else {
        (format!("role {} may not call {calls}", role.role_name), role_evidence(role, &lack))
    };
    let fix = fix(world, role, (cause, &resource), &calls, &lack, options);
    Blocker {
        cause,
        legs: lack.legs.into_iter().collect(),
        pulls: lack.pulls.into_iter().collect(),
        severity: Severity::Critical,
        account: resource.parse::<Arn>().map(|arn| arn.account).unwrap_or_default(),
        summary,
        evidence,
        fix,
        resource,
    }
}

fn role_evidence(role: &Role, lack: &Lack) -> Vec<Evidence> {
    let evidence = |source: &str, saw: String| Evidence { source: source.to_owned(), saw };
    let list = |names: Vec<&str>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let attached = role.attached_managed_policies.iter().flatten().map(|policy| policy.policy_name.as_str());
    let inline = role.role_policy_list.iter().flatten().map(|policy| policy.policy_name.as_str());
    let boundary = role.permissions_boundary.iter().map(|boundary| {
        evidence("iam:GetRole", format!("permissions boundary {}", boundary.permissions_boundary_arn))
    });
    let mut all = vec![
        evidence("iam:ListAttachedRolePolicies", list(attached.collect())),
        evidence("iam:ListRolePolicies", list(inline.collect())),
    ];
    all.extend(boundary);
    all.extend(lack.statements.iter().map(|saw| evidence("iam:GetPolicyVersion", saw.clone())));
    all
}

fn fix(
    world: &Snapshot,
    role: &Role,
    (cause, resource): (&'static str, &str),
    calls: &str,
    lack: &Lack,
    options: &Options,
) -> Fix {
    let manual = |because: &str, ask: String| {
        let steps = lack.look.iter().cloned().chain([ask]).collect();
        Fix::Manual { because: because.to_owned(), steps }
    };
    match cause {
        "permissions-boundary-blocks" => manual(
            "a permissions boundary is a guard that somebody set on purpose",
            format!("ask the owner of the boundary of role {} to let it allow {calls}", role.role_name),
        ),
        "identity-policy-explicit-deny" => manual(
            "a deny is a guard that somebody set on purpose; a quarantine policy means that a key has leaked",
            format!("ask the owner of the policy that denies {calls} to role {}", role.role_name),
        ),
        "registry-policy-deny" | "repo-policy-explicit-deny" => manual(
            "a deny is a guard that somebody set on purpose",
            format!("ask the owner of {resource} to take role {} out of the deny", role.role_name),
        ),
        _ if is_about_registry(cause) => grants::let_in(world, role, resource, cause),
        _ => {
            let fargate = cause == "fargate-exec-role-missing-policy";
            grants::let_pull(world, role, fargate, &lack.grant, options)
        }
    }
}
