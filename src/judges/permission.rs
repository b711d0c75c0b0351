//! Whether a role may get a token and pull with it, by the policies of the role.
//!
//! Tells apart: no permission at all (`node-role-missing-ecr-policy`, `fargate-exec-role-missing-policy`), a boundary
//! (`permissions-boundary-blocks`), a deny (`identity-policy-explicit-deny`, `repo-policy-explicit-deny`,
//! `registry-policy-deny`), and a registry of another account that does not grant it
//! (`repo-policy-missing-cross-account`).

use std::collections::{BTreeMap, BTreeSet};

use super::registry_policies::{self, REGISTRY_POLICY};
use super::role_policies::{self, RolePolicies};
use super::{Options, PullPolicy};
use crate::actions::attachment::{
    self, ATTACHABLE, FARGATE_POD_EXECUTION, PULL_ONLY, READ_ONLY, policy_name,
};
use crate::actions::{AnyChange, Attachment, Change};
use crate::checks::{Leg, Severity};
use crate::diagnosis::{Blocker, Evidence, Fix, Verdicts, pull_id};
use crate::iam::{self, Decision, Effect, Knowledge, Layer, Outcome, Weighed};
use crate::model::iam::Role;
use crate::model::{Arn, Seen, Snapshot};
use crate::pulls::{Image, Pull, SourceKind, World};

const TOKEN: &str = "ecr:GetAuthorizationToken";
const PULL: [&str; 2] = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];

/// The default quota of managed policies per role.
const MOST_ATTACHED: usize = 10;

/// What one role lacks, gathered over its pulls.
#[derive(Default)]
struct Lack {
    legs: BTreeSet<Leg>,
    pulls: BTreeSet<String>,
    calls: BTreeSet<&'static str>,
    statements: BTreeSet<String>,
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
                    for cause in causes(&decision, fargate) {
                        let at =
                            if is_about_registry(cause) { &pull.image.repository_arn } else { &role.arn };
                        let lack = lacks.entry((cause, at.clone())).or_default();
                        lack.legs.insert(leg);
                        lack.pulls.insert(id.clone());
                        lack.calls.insert(call);
                        lack.statements.extend(denials(&decision));
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
fn causes(decision: &Decision, fargate: bool) -> BTreeSet<&'static str> {
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
        causes.insert("repo-policy-missing-cross-account");
    }
    causes
}

/// Whether what is at fault is the registry, and not the role.
fn is_about_registry(cause: &str) -> bool {
    matches!(
        cause,
        "registry-policy-deny" | "repo-policy-explicit-deny" | "repo-policy-missing-cross-account"
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
        let saw = if saw.is_empty() { format!("no statement that lets {} pull", role.arn) } else { saw };
        (
            format!("repository {name} does not let role {} call {calls}", role.role_name),
            vec![Evidence { source: "ecr:GetRepositoryPolicy".to_owned(), saw }],
        )
    } else {
        (format!("role {} may not call {calls}", role.role_name), role_evidence(role, &lack))
    };
    Blocker {
        cause,
        legs: lack.legs.into_iter().collect(),
        pulls: lack.pulls.into_iter().collect(),
        severity: Severity::Critical,
        account: resource.parse::<Arn>().map(|arn| arn.account).unwrap_or_default(),
        summary,
        evidence,
        fix: fix(world, role, (cause, &resource), &calls, options),
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
    options: &Options,
) -> Fix {
    let manual = |because: &str, steps: Vec<String>| Fix::Manual { because: because.to_owned(), steps };
    match cause {
        "permissions-boundary-blocks" => manual(
            "a permissions boundary is a guard that somebody set on purpose",
            vec![format!("ask the owner of the boundary of role {} to let it allow {calls}", role.role_name)],
        ),
        "identity-policy-explicit-deny" => manual(
            "a deny is a guard that somebody set on purpose; a quarantine policy means that a key has leaked",
            vec![format!("ask the owner of the policy that denies {calls} to role {}", role.role_name)],
        ),
        "registry-policy-deny" | "repo-policy-explicit-deny" => manual(
            "a deny is a guard that somebody set on purpose",
            vec![format!("ask the owner of {resource} to take role {} out of the deny", role.role_name)],
        ),
        "repo-policy-missing-cross-account" => manual(
            "this version does not change repository policies",
            vec![format!(
                "let the owner of {resource} add this statement to the policy of the repository, beside those that \
                 are there: {}",
                pull_statement(role)
            )],
        ),
        _ if role.arn.contains(":role/aws-service-role/") => {
            manual("the role belongs to an AWS service", vec!["give the nodes a role of your own".to_owned()])
        }
        _ if role
            .attached_managed_policies
            .as_ref()
            .is_some_and(|attached| attached.len() >= MOST_ATTACHED) =>
        {
            manual(
                "the role has 10 managed policies, which is the default quota",
                vec![format!(
                    "detach a policy from role {}, or raise the quota (IAM, policies per role)",
                    role.role_name
                )],
            )
        }
        _ => attach(world, role, cause == "fargate-exec-role-missing-policy", options),
    }
}

/// The smallest statement that lets a role pull; a repository policy has no `Resource`.
fn pull_statement(role: &Role) -> String {
    let principal = serde_json::json!({ "AWS": role.arn });
    serde_json::json!({ "Sid": "EcrFixPull", "Effect": "Allow", "Principal": principal, "Action": PULL })
        .to_string()
}

fn attach(world: &Snapshot, role: &Role, fargate: bool, options: &Options) -> Fix {
    let partition = role.arn.parse::<Arn>().map(|arn| arn.partition).unwrap_or_default();
    let (name, because) = which_policy(world, &partition, fargate, options);
    debug_assert!(ATTACHABLE.contains(&name));
    let policy_arn = format!("arn:{partition}:iam::aws:policy/{name}");
    let change = Change::<Attachment> {
        at: attachment::Address {
            role_arn: role.arn.clone(),
            role_name: role.role_name.clone(),
            role_id: role.role_id.clone(),
            policy_arn: policy_arn.clone(),
        },
        before: None,
        after: Some(Attachment { policy_name: policy_name(&policy_arn).to_owned() }),
    };
    Fix::Automatic { changes: vec![AnyChange::Attachment(change)], because }
}

/// The smallest AWS managed policy that is known to exist in the partition, and why it is this one.
fn which_policy(
    world: &Snapshot,
    partition: &str,
    fargate: bool,
    options: &Options,
) -> (&'static str, String) {
    if fargate {
        return (FARGATE_POD_EXECUTION, "EKS documents this policy for pod execution roles".to_owned());
    }
    if options.pull_policy == PullPolicy::ReadOnly {
        return (READ_ONLY, "--pull-policy read-only asks for it".to_owned());
    }
    let arn = format!("arn:{partition}:iam::aws:policy/{PULL_ONLY}");
    let seen = if world.policies.contains_key(&arn) {
        Seen::Known(())
    } else {
        world.missing("Policies", "iam:GetPolicy", &arn)
    };
    match seen {
        Seen::Known(()) => (PULL_ONLY, "it grants the calls of a pull and no others".to_owned()),
        // A list that somebody cut down to the policies in use says nothing about the others.
        _ if partition == "aws" => (
            PULL_ONLY,
            "it grants the calls of a pull and no others; AWS has it in this partition since 2024-10-04"
                .to_owned(),
        ),
        Seen::Absent => (READ_ONLY, format!("this partition has no {PULL_ONLY}")),
        Seen::Unread(_) => (READ_ONLY, format!("whether this partition has {PULL_ONLY} could not be read")),
    }
}
