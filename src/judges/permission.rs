//! Whether a role may get a token and pull with it, by the policies of the role.
//!
//! Tells apart: no permission at all (`node-role-missing-ecr-policy`, `fargate-exec-role-missing-policy`, and
//! `hybrid-node-credentials` of nodes on premises), a boundary
//! (`permissions-boundary-blocks`), the organization (`scp-deny`, `rcp-deny`), a deny (`identity-policy-explicit-deny`,
//! `repo-policy-explicit-deny`, `registry-policy-deny`), a condition on the way that packets take
//! (`session-policy-or-vpce-condition`), and a registry of another account that does not grant it: not at all
//! (`repo-policy-missing-cross-account`), under a condition that does not hold (`repo-policy-condition-mismatch`), or to
//! somebody who was deleted (`repo-policy-stale-principal`). What mends them is in `grants`.

use std::collections::{BTreeMap, BTreeSet};

use super::paths::Paths;
use super::registry_policies::{self, REGISTRY_POLICY, REPOSITORY_POLICY, RegistryPolicies};
use super::role_policies::{self, RolePolicies};
use super::{Options, grants, quoted};
use crate::actions::repository_policy::PULL_CALLS as PULL;
use crate::actions::role_policy::{Grant, TOKEN_CALL as TOKEN};
use crate::checks::{Leg, Severity};
use crate::diagnosis::{Blocker, Evidence, Fix, Pairs, Verdicts, pull_id};
use crate::iam::{self, Decision, Doubt, Effect, Knowledge, Layer, Outcome, Weighed};
use crate::model::iam::Role;
use crate::model::{Arn, Seen, Snapshot};
use crate::pulls::{Image, Pull, SourceKind, World};

/// What one role lacks, gathered over its pulls.
#[derive(Default)]
pub(super) struct Lack {
    pub(super) pairs: Pairs,
    pub(super) calls: BTreeSet<&'static str>,
    pub(super) statements: BTreeSet<String>,
    /// Where to look at them.
    pub(super) look: BTreeSet<String>,
    pub(super) grant: Grant,
}

/// What came of a call.
pub(super) struct Answer {
    pub(super) weighed: Weighed,
    /// The layers that stop it because of the way that packets take.
    by_network: BTreeSet<Layer>,
    /// The layers that stop it whatever way they take.
    any_way: BTreeSet<Layer>,
}

/// Judges `ecr-token-permission` and `pull-permission`.
pub(super) fn judge(world: &World<'_>, options: &Options, verdicts: &mut Verdicts) {
    let mut groups: BTreeMap<(&str, &'static str), Vec<Pull<'_>>> = BTreeMap::new();
    for pull in world.pulls() {
        match &pull.source.role {
            Some(role) => groups.entry((role.as_str(), lacking(pull.source.kind))).or_default().push(pull),
            None => doubt(verdicts, &pull, "its role was not read"),
        }
    }
    let paths = Paths::of(world);
    for ((arn, lacking), pulls) in groups {
        match world.snapshot.role(arn) {
            Seen::Known(role) => judge_role(&paths, role, lacking, &pulls, options, verdicts),
            Seen::Absent => pulls.iter().for_each(|pull| doubt(verdicts, pull, "its role does not exist")),
            Seen::Unread(because) => pulls.iter().for_each(|pull| doubt(verdicts, pull, &because)),
        }
    }
}

/// The cause of a role that has no permission to pull, by who has the role.
pub(super) fn lacking(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::FargateProfile => "fargate-exec-role-missing-policy",
        SourceKind::Hybrid => "hybrid-node-credentials",
        SourceKind::Nodegroup | SourceKind::AutoMode | SourceKind::SelfManaged | SourceKind::Karpenter => {
            "node-role-missing-ecr-policy"
        }
    }
}

fn doubt(verdicts: &mut Verdicts, pull: &Pull<'_>, because: &str) {
    for leg in [Leg::EcrTokenPermission, Leg::PullPermission] {
        verdicts.unknown(&pull_id(pull), leg, because);
    }
}

fn judge_role(
    paths: &Paths<'_>,
    role: &Role,
    lacking: &'static str,
    pulls: &[Pull<'_>],
    options: &Options,
    verdicts: &mut Verdicts,
) {
    let snapshot = paths.world.snapshot;
    let policies = role_policies::of(snapshot, role);
    let mut lacks: BTreeMap<(&'static str, String), Lack> = BTreeMap::new();
    for pull in pulls {
        let requests = [(Leg::EcrTokenPermission, TOKEN)]
            .into_iter()
            .chain(PULL.map(|call| (Leg::PullPermission, call)));
        for (leg, call) in requests {
            let id = pull_id(pull);
            let answer = weigh(paths, role, &policies, call, pull);
            match &answer.weighed {
                Weighed::Allowed(_) => verdicts.ok(&id, leg),
                Weighed::DependsOn(doubt) => verdicts.unknown(&id, leg, depends(call, doubt, &policies)),
                Weighed::Denied(decision) => {
                    let mut causes = causes(snapshot, pull.image, &answer, lacking);
                    // What does not exist has no policy: that it is not there is said of the image.
                    let gone = snapshot.repository(pull.image.repository()) == Seen::Absent;
                    causes.retain(|cause| !gone || !is_grant_of_registry(cause));
                    if causes.is_empty() {
                        verdicts.unknown(&id, leg, "the repository does not exist, so it has no policy");
                    }
                    for cause in causes {
                        let at =
                            if is_about_registry(cause) { &pull.image.repository_arn } else { &role.arn };
                        let lack = lacks.entry((cause, at.clone())).or_default();
                        lack.pairs.insert((id.clone(), leg));
                        lack.calls.insert(call);
                        lack.statements.extend(denials(decision));
                        lack.look.extend(places(decision, role, pull.image));
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
        let pairs = lack.pairs.clone();
        verdicts.blocked_exactly(blocker(snapshot, role, (cause, resource), lack, options), pairs);
    }
}

/// On what a call depends, in words.
pub(super) fn depends(call: &str, doubt: &Doubt, policies: &RolePolicies) -> String {
    let unread = doubt.unread.iter().map(|layer| unread_layer(*layer));
    let on: Vec<String> =
        doubt.keys.iter().cloned().chain(unread).chain(policies.notes.iter().cloned()).collect();
    format!("{call} depends on {}", on.join(", "))
}

fn unread_layer(layer: Layer) -> String {
    match layer {
        Layer::Resource => "the repository policy, which was not read".to_owned(),
        other => format!("the {} policies, of which some were not read", other.as_str()),
    }
}

/// Whether a role may make a call that a pull needs.
pub(super) fn weigh(
    paths: &Paths<'_>,
    role: &Role,
    policies: &RolePolicies,
    call: &str,
    pull: &Pull<'_>,
) -> Answer {
    let (world, image) = (paths.world.snapshot, pull.image);
    let about_token = call == TOKEN;
    let mut knowledge = Knowledge {
        unknown: BTreeSet::from(["*".to_owned()]),
        unread: policies.unread.clone(),
        ..Knowledge::default()
    };
    let mut all = policies.policies.clone();
    let mut context = BTreeMap::from([
        ("aws:RequestedRegion".to_owned(), vec![image.region.clone()]),
        ("aws:SecureTransport".to_owned(), vec!["true".to_owned()]),
        ("aws:ViaAWSService".to_owned(), vec!["false".to_owned()]),
    ]);
    context.extend(role_policies::organization(world, role));
    if !about_token {
        let registry = registry_policies::of_call(world, image.repository(), call);
        if !registry.unread.is_empty() || is_unsure_of(role, &registry) {
            knowledge.unread.insert(Layer::Resource);
        }
        // A grant to the unique id of a role holds as long as the role does.
        context.extend(user_id(role, &registry));
        all.resource = registry.policies;
        role_policies::add_resource_control(world, image, &mut all, &mut knowledge);
    }
    let mut request = iam::Request {
        principal: role.arn.clone(),
        action: call.to_owned(),
        resource: if about_token { "*".to_owned() } else { image.repository_arn.clone() },
        resource_account: (!about_token).then(|| image.account.clone()),
        context,
    };
    let weighed = iam::weigh(&request, &all, &knowledge);
    // The way of packets is looked at only where a condition asks for it.
    let facts = all.asks_for("aws:sourcevpc").then(|| paths.facts(pull, about_token)).flatten();
    let (any_way, denied) = (stopping(&weighed), denying(&weighed));
    let Some(facts) = facts else { return Answer { weighed, by_network: BTreeSet::new(), any_way } };
    request.context.extend(facts.context);
    knowledge.absent = facts.absent;
    let weighed = iam::weigh(&request, &all, &knowledge);
    let stops = stopping(&weighed).into_iter().filter(|layer| !any_way.contains(layer));
    let denies = denying(&weighed).into_iter().filter(|layer| !denied.contains(layer));
    Answer { by_network: stops.chain(denies).collect(), weighed, any_way }
}

/// The layers that stop a call.
fn stopping(weighed: &Weighed) -> BTreeSet<Layer> {
    match weighed {
        Weighed::Denied(decision) => decision.blocked_by.iter().copied().collect(),
        Weighed::Allowed(_) | Weighed::DependsOn(_) => BTreeSet::new(),
    }
}

/// Those of them in which a statement denies it.
fn denying(weighed: &Weighed) -> BTreeSet<Layer> {
    let Weighed::Denied(decision) = weighed else { return BTreeSet::new() };
    let denies = decision.deciding.iter().filter(|deciding| deciding.effect == Effect::Deny);
    denies.map(|deciding| deciding.policy_type).collect()
}

/// Whether a grant to a unique id may be one to this role, whose own id was not read.
fn is_unsure_of(role: &Role, registry: &RegistryPolicies) -> bool {
    role.role_id.is_none() && !registry.unique_ids.is_empty()
}

fn user_id(role: &Role, registry: &RegistryPolicies) -> Option<(String, Vec<String>)> {
    let id = role.role_id.as_ref().filter(|id| registry.unique_ids.contains(*id))?;
    Some(("aws:userid".to_owned(), vec![format!("{id}:node")]))
}

/// Which causes a refusal has.
pub(super) fn causes(
    world: &Snapshot,
    image: &Image,
    answer: &Answer,
    lacking: &'static str,
) -> BTreeSet<&'static str> {
    let Weighed::Denied(decision) = &answer.weighed else { return BTreeSet::new() };
    let explicit = |layer| {
        decision
            .deciding
            .iter()
            .any(|deciding| deciding.effect == Effect::Deny && deciding.policy_type == layer)
    };
    let mut causes = BTreeSet::new();
    if answer.by_network.contains(&Layer::Identity) {
        causes.insert("session-policy-or-vpce-condition");
        causes.extend(answer.any_way.contains(&Layer::Identity).then_some(lacking));
    } else if explicit(Layer::Identity) {
        causes.insert("identity-policy-explicit-deny");
    } else if decision.blocked_by.contains(&Layer::Identity) {
        causes.insert(lacking);
    }
    for (layer, cause) in
        [(Layer::Boundary, "permissions-boundary-blocks"), (Layer::Scp, "scp-deny"), (Layer::Rcp, "rcp-deny")]
    {
        if decision.blocked_by.contains(&layer) {
            causes.insert(cause);
        }
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

/// Whether it is the policy of a repository that does not grant something.
fn is_grant_of_registry(cause: &str) -> bool {
    matches!(
        cause,
        "repo-policy-condition-mismatch"
            | "repo-policy-missing-cross-account"
            | "repo-policy-stale-principal"
    )
}

/// Whether what is at fault is the registry, and not the role.
pub(super) fn is_about_registry(cause: &str) -> bool {
    let refuses = ["ptc-cross-account", "rcp-deny", "registry-policy-deny", "repo-policy-explicit-deny"];
    is_grant_of_registry(cause) || refuses.contains(&cause)
}

/// The statements that forbid it, in words.
pub(super) fn denials(decision: &Decision) -> Vec<String> {
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

pub(super) fn blocker(
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
        legs: lack.pairs.iter().map(|(_, leg)| *leg).collect::<BTreeSet<Leg>>().into_iter().collect(),
        pulls: lack
            .pairs
            .into_iter()
            .map(|(pull, _)| pull)
            .collect::<BTreeSet<String>>()
            .into_iter()
            .collect(),
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
        "scp-deny" | "rcp-deny" => manual(
            "policies of an organization are guards that somebody set on purpose",
            format!(
                "ask whoever runs the organization to let role {} call {calls} on {resource}",
                role.role_name
            ),
        ),
        "session-policy-or-vpce-condition" => manual(
            "a condition on the network is a guard that somebody set on purpose",
            format!(
                "ask the owner of the policies of role {} to let {calls} pass on the way that its packets take, through \
                 the endpoints of its VPC or around them",
                role.role_name
            ),
        ),
        "ptc-cross-account" => manual(
            "registries of other accounts are their owners'",
            format!(
                "ask the owner of {resource} to allow role {} to call {calls} in the policy of the registry, and to give \
                 new repositories of the cache a policy by a repository creation template",
                role.role_name
            ),
        ),
        _ if is_about_registry(cause) => grants::let_in(world, role, resource, cause, options),
        _ => {
            let fargate = cause == "fargate-exec-role-missing-policy";
            grants::let_pull(world, role, fargate, &lack.grant, options)
        }
    }
}
