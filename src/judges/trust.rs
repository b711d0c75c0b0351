//! Whether Fargate may assume a pod execution role: `fargate-exec-role-trust`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Options;
use crate::actions::trust_policy::{Address, FARGATE_PODS, is_for_fargate, profiles_of, source_arns};
use crate::actions::{AnyChange, Change, TrustPolicy, statement};
use crate::checks::{Leg, Severity};
use crate::diagnosis::{Blocker, Evidence, Fix, Verdicts, pull_id};
use crate::iam::{self, Document, Effect, Knowledge, Named, Policies, Weighed};
use crate::model::iam::Role;
use crate::model::{Arn, PolicyText, Seen};
use crate::pulls::{SourceKind, World};

const CAUSE: &str = "fargate-exec-role-trust";

/// Judges `credentials` of Fargate profiles.
pub(super) fn judge(world: &World<'_>, _options: &Options, verdicts: &mut Verdicts) {
    for (arn, profiles) in profiles_by_role(world) {
        let pulls = pulls_of(world, &profiles);
        let unknown = |verdicts: &mut Verdicts, because: &str| {
            pulls.iter().for_each(|pull| verdicts.unknown(pull, Leg::Credentials, because));
        };
        match world.snapshot.role(arn) {
            Seen::Known(role) => match &role.assume_role_policy_document {
                Some(document) => judge_role(world, role, document, &profiles, &pulls, verdicts),
                None => unknown(verdicts, "the trust policy was not read"),
            },
            Seen::Absent => verdicts.blocked(role_is_gone(arn, &pulls)),
            Seen::Unread(because) => unknown(verdicts, &because),
        }
    }
}

/// The names of the Fargate profiles of each role.
fn profiles_by_role<'w>(world: &'w World<'_>) -> BTreeMap<&'w str, BTreeSet<&'w str>> {
    let mut roles: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for source in world.sources.iter().filter(|source| source.kind == SourceKind::FargateProfile) {
        if let Some(role) = &source.role {
            roles.entry(role).or_default().insert(&source.id);
        }
    }
    roles
}

fn pulls_of(world: &World<'_>, profiles: &BTreeSet<&str>) -> Vec<String> {
    let of_profile = world.pulls().into_iter().filter(|pull| {
        pull.source.kind == SourceKind::FargateProfile && profiles.contains(pull.source.id.as_str())
    });
    of_profile.map(|pull| pull_id(&pull)).collect()
}

fn judge_role(
    world: &World<'_>,
    role: &Role,
    document: &PolicyText,
    profiles: &BTreeSet<&str>,
    pulls: &[String],
    verdicts: &mut Verdicts,
) {
    let parsed = match Document::parse(document.as_str()) {
        Ok(parsed) => Named::new("trust policy", parsed),
        Err(error) => {
            let because = format!("the trust policy cannot be understood: {error}");
            pulls.iter().for_each(|pull| verdicts.unknown(pull, Leg::Credentials, because.clone()));
            return;
        }
    };
    let (mut names, mut denied) = (BTreeSet::new(), false);
    for profile in profiles {
        let pulls = pulls_of(world, &BTreeSet::from([*profile]));
        match assume(world, role, &parsed, profile) {
            Weighed::Allowed(_) => pulls.iter().for_each(|pull| verdicts.ok(pull, Leg::Credentials)),
            Weighed::DependsOn(doubt) => {
                let keys = doubt.keys.into_iter().collect::<Vec<_>>().join(", ");
                let because = format!("whether Fargate may assume role {} depends on {keys}", role.role_name);
                pulls.iter().for_each(|pull| verdicts.unknown(pull, Leg::Credentials, because.clone()));
            }
            Weighed::Denied(decision) => {
                denied |= decision.deciding.iter().any(|deciding| deciding.effect == Effect::Deny);
                names.insert(*profile);
            }
        }
    }
    if names.is_empty() {
        return;
    }
    let list = names.iter().copied().collect::<Vec<_>>().join(", ");
    verdicts.blocked(Blocker {
        cause: CAUSE,
        legs: vec![Leg::Credentials],
        pulls: pulls_of(world, &names),
        severity: Severity::Critical,
        resource: role.arn.clone(),
        account: role.arn.parse::<Arn>().map(|arn| arn.account).unwrap_or_default(),
        summary: format!(
            "the trust policy of role {} does not let Fargate assume it for profile {list}",
            role.role_name
        ),
        evidence: vec![Evidence { source: "iam:GetRole".to_owned(), saw: who_may(document) }],
        fix: if denied { refuse_to_fix(role) } else { fix(world, role, document) },
    });
}

/// Fargate's request, as IAM sees it: EKS user guide, "Amazon EKS Pod execution IAM role".
fn assume(world: &World<'_>, role: &Role, trust: &Named, profile: &str) -> Weighed {
    let target = &world.target;
    let known = world.snapshot.fargate_profiles.get(&format!("{}/{profile}", target.cluster));
    let arn = known.and_then(|known| known.fargate_profile_arn.clone());
    let arn = arn.unwrap_or_else(|| profiles_of(&world.target).replace('*', &format!("{profile}/unknown")));
    let context = BTreeMap::from([
        ("aws:SourceArn".to_owned(), vec![arn]),
        ("aws:SourceAccount".to_owned(), vec![target.account.clone()]),
    ]);
    let request = iam::Request {
        principal: FARGATE_PODS.to_owned(),
        action: "sts:AssumeRole".to_owned(),
        resource: role.arn.clone(),
        resource_account: Some(target.account.clone()),
        context,
    };
    let policies = Policies { resource: vec![trust.clone()], ..Policies::default() };
    // Fargate's request has more keys than these two, and nobody documents which.
    let knowledge = Knowledge { unknown: BTreeSet::from(["*".to_owned()]), ..Knowledge::default() };
    iam::weigh(&request, &policies, &knowledge)
}

/// Whom the policy names, for the evidence.
fn who_may(document: &PolicyText) -> String {
    let statements = statement::statements(document.as_str()).unwrap_or_default();
    let whom =
        statements.iter().filter_map(|text| serde_json::from_str::<Value>(text).ok()).map(|statement| {
            let principal = statement.get("Principal").map(Value::to_string).unwrap_or_default();
            match statement.get("Condition") {
                Some(condition) => format!("{principal} if {condition}"),
                None => principal,
            }
        });
    let whom: Vec<String> = whom.collect();
    if whom.is_empty() { "no statement".to_owned() } else { whom.join("; ") }
}

fn refuse_to_fix(role: &Role) -> Fix {
    Fix::Manual {
        because: "a deny is a guard that somebody set on purpose".to_owned(),
        steps: vec![format!(
            "ask the owner of role {} to take {FARGATE_PODS} out of the deny",
            role.role_name
        )],
    }
}

fn fix(world: &World<'_>, role: &Role, document: &PolicyText) -> Fix {
    let profiles = profiles_of(&world.target);
    let edited =
        repaired(document.as_str(), &profiles).unwrap_or_else(|| added(document.as_str(), &profiles));
    let (after, because) = match edited {
        Ok(edited) => edited,
        Err(because) => {
            return Fix::Manual {
                because: format!("its trust policy cannot be edited: {because}"),
                steps: vec![format!(
                    "let {FARGATE_PODS} assume role {} if aws:SourceArn is like {profiles}",
                    role.role_name
                )],
            };
        }
    };
    let change = Change::<TrustPolicy> {
        at: Address {
            role_arn: role.arn.clone(),
            role_name: role.role_name.clone(),
            role_id: role.role_id.clone(),
        },
        before: Some(TrustPolicy { document: document.as_str().to_owned() }),
        after: Some(TrustPolicy { document: after }),
    };
    let change = AnyChange::TrustPolicy(change);
    match change.allowed() {
        Ok(()) => Fix::Automatic { changes: vec![change], because },
        Err(because) => Fix::Manual { because, steps: Vec::new() },
    }
}

type Edited = Result<(String, String), String>;

/// The policy with this cluster's profiles added to the one statement that trusts Fargate for others.
fn repaired(document: &str, profiles: &str) -> Option<Edited> {
    let statements = statement::statements(document).ok()?;
    let for_fargate = |text: &&str| serde_json::from_str(text).is_ok_and(|value| is_for_fargate(&value));
    let index = statements.iter().position(for_fargate)?;
    let mut repaired: Value = serde_json::from_str(statements.get(index)?).ok()?;
    let mut sources = source_arns(&repaired);
    sources.push(profiles.to_owned());
    *repaired.get_mut("Condition")? = json!({ "ArnLike": { "aws:SourceArn": sources } });
    let because =
        "the statement that trusts Fargate names only profiles of other clusters; this adds ours".to_owned();
    Some(statement::replace(document, index, &repaired).map(|edited| (edited, because)))
}

/// The policy with a statement of our own at the end.
fn added(document: &str, profiles: &str) -> Edited {
    let taken = |sid: &str| {
        let statements = statement::statements(document).unwrap_or_default();
        let sids = statements.iter().filter_map(|text| serde_json::from_str::<Value>(text).ok());
        sids.into_iter().any(|statement| statement.get("Sid").and_then(Value::as_str) == Some(sid))
    };
    let names = std::iter::once("EcrFixFargate".to_owned())
        .chain((2..100).map(|number| format!("EcrFixFargate{number}")));
    let sid = names.into_iter().find(|sid| !taken(sid)).ok_or("every Sid of ours is taken")?;
    let ours = json!({
        "Sid": sid,
        "Effect": "Allow",
        "Principal": { "Service": FARGATE_PODS },
        "Action": "sts:AssumeRole",
        "Condition": { "ArnLike": { "aws:SourceArn": profiles } },
    });
    let because =
        "no statement trusts Fargate for this cluster; this adds one, for its profiles only".to_owned();
    statement::append(document, &ours).map(|edited| (edited, because))
}

/// No role, no credentials: and a role is not ours to make.
fn role_is_gone(arn: &str, pulls: &[String]) -> Blocker {
    let name = arn.rsplit('/').next().unwrap_or_default();
    Blocker {
        cause: CAUSE,
        legs: vec![Leg::Credentials],
        pulls: pulls.to_vec(),
        severity: Severity::Critical,
        resource: arn.to_owned(),
        account: arn.parse::<Arn>().map(|arn| arn.account).unwrap_or_default(),
        summary: format!("role {name} does not exist"),
        evidence: vec![Evidence { source: "iam:GetRole".to_owned(), saw: "NoSuchEntity".to_owned() }],
        fix: Fix::Manual {
            because: "ecr-fix makes no roles".to_owned(),
            steps: vec![format!(
                "make role {name} again, as the EKS user guide shows under \"Pod execution role\""
            )],
        },
    }
}
