//! What holds of every plan, over worlds of roles and repositories that are broken in many ways at once.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Action, Only, Owned, Plan, Request, Selection, build};
use crate::actions::AnyChange;
use crate::diagnosis::{self, Fix};
use crate::judges::Options;
use crate::model::snapshot::Record;
use crate::model::{Snapshot, ecr, eks, iam};
use crate::pulls::{Scope, World};

const HOME: &str = "111122223333";
const OWNER: &str = "444455556666";
const ROLES: usize = 3;
const REPOSITORIES: usize = 3;

/// What a role may do, and what a repository says of whom.
#[derive(Clone, Debug)]
struct Case {
    /// By role: no policy, the managed policy, ten other policies, an inline policy that denies.
    roles: Vec<u8>,
    /// By repository: the statements of its policy; none for no policy.
    repositories: Vec<Vec<u8>>,
    least_privilege: bool,
}

fn cases() -> impl Strategy<Value = Case> {
    let roles = prop::collection::vec(0..4_u8, ROLES);
    let repositories = prop::collection::vec(prop::collection::vec(0..7_u8, 0..4), REPOSITORIES);
    (roles, repositories, any::<bool>()).prop_map(|(roles, repositories, least_privilege)| Case {
        roles,
        repositories,
        least_privilege,
    })
}

fn role_arn(number: usize) -> String {
    format!("arn:aws:iam::{HOME}:role/node-{number}")
}

fn put<R: Record>(world: &mut Snapshot, row: Value) {
    world.keys.insert(R::TABLE.key.to_owned());
    world.put(serde_json::from_value::<R>(row).unwrap());
}

fn world(case: &Case) -> Snapshot {
    let mut world = Snapshot::default();
    let arn = format!("arn:aws:eks:eu-west-1:{HOME}:cluster/prod");
    put::<eks::Cluster>(&mut world, json!({ "name": "prod", "arn": arn }));
    for (number, sort) in case.roles.iter().enumerate() {
        let group = format!("ng-{number}");
        put::<eks::Nodegroup>(
            &mut world,
            json!({ "nodegroupName": group, "clusterName": "prod", "nodeRole": role_arn(number) }),
        );
        put::<iam::Role>(&mut world, role(number, *sort));
    }
    for (number, statements) in case.repositories.iter().enumerate() {
        let statements: Vec<String> = statements.iter().map(|sort| statement(*sort)).collect();
        let text = format!("{{ \"Version\":\"2012-10-17\", \"Statement\": [ {} ] }}", statements.join(" , "));
        let text = if statements.is_empty() { Value::Null } else { text.into() };
        put::<ecr::RegistryDocument>(
            &mut world,
            json!({ "registryId": OWNER, "repositoryName": format!("app-{number}"), "policyText": text }),
        );
    }
    put::<ecr::RegistryDocument>(&mut world, json!({ "registryId": OWNER, "policyText": null }));
    world.keys.insert("Policies".to_owned());
    world
}

fn role(number: usize, sort: u8) -> Value {
    let attached = |names: &[String]| -> Vec<Value> {
        names
            .iter()
            .map(|name| json!({ "PolicyName": name, "PolicyArn": format!("arn:aws:iam::aws:policy/{name}") }))
            .collect()
    };
    let harmless = "AmazonEKSWorkerNodePolicy".to_owned();
    let attached = match sort {
        1 => attached(&["AmazonEC2ContainerRegistryPullOnly".to_owned()]),
        2 => attached(&vec![harmless; 10]),
        _ => Vec::new(),
    };
    let deny = json!({ "Version": "2012-10-17", "Statement": { "Effect": "Deny", "Action": "ecr:*", "Resource": "*" } });
    let inline =
        if sort == 3 { json!([{ "PolicyName": "guard", "PolicyDocument": deny }]) } else { json!([]) };
    json!({
        "RoleName": format!("node-{number}"), "Arn": role_arn(number), "RoleId": format!("AROANODE{number}"),
        "AttachedManagedPolicies": attached, "RolePolicyList": inline,
    })
}

/// A statement as somebody else may have written it.
fn statement(sort: u8) -> String {
    let of = |sid: &str, effect: &str, principal: Value, action: &str| {
        json!({ "Sid": sid, "Effect": effect, "Principal": principal, "Action": action }).to_string()
    };
    match sort {
        0 => of("Partner", "Allow", json!({ "AWS": "999988887777" }), "ecr:BatchGetImage"),
        1 => of("First", "Allow", json!({ "AWS": role_arn(0) }), "ecr:*"),
        2 => of("Stale", "Allow", json!({ "AWS": "AROAGONE" }), "ecr:*"),
        3 => of("Guard", "Deny", json!({ "AWS": role_arn(1) }), "ecr:GetDownloadUrlForLayer"),
        4 => of("EcrFixPull", "Deny", json!("*"), "ecr:PutImage"),
        5 => {
            let calls = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];
            json!({ "Sid": "EcrFixPull", "Effect": "Allow", "Principal": { "AWS": role_arn(2) }, "Action": calls })
                .to_string()
        }
        _ => r#"{"Effect":"Allow","Principal":"*","Action":"ecr:*","Condition":{"StringEquals":{"aws:PrincipalAccount":"999988887777"}}}"#.to_owned(),
    }
}

fn request(case: &Case, selection: Selection) -> Request {
    let images =
        (0..REPOSITORIES).map(|number| format!("{OWNER}.dkr.ecr.eu-west-1.amazonaws.com/app-{number}:v1"));
    let role = format!("arn:aws:iam::{OWNER}:role/reader");
    Request {
        scope: Scope {
            images: images.collect(),
            account_roles: [(OWNER.to_owned(), role)].into(),
            ..Scope::default()
        },
        options: Options { least_privilege: case.least_privilege, ..Options::default() },
        selection,
        owned: Owned::default(),
        now: Timestamp::UNIX_EPOCH,
        time_to_live: SignedDuration::from_hours(24),
        looks_for_others: false,
    }
}

fn plan(case: &Case, selection: Selection) -> Plan {
    build(&world(case), &request(case, selection)).unwrap()
}

fn changes(plan: &Plan) -> Vec<AnyChange> {
    plan.actions.iter().map(|action| action.change().unwrap()).collect()
}

fn made<'a>(world: &Snapshot, changes: impl IntoIterator<Item = &'a AnyChange>) -> Snapshot {
    let mut world = world.clone();
    changes.into_iter().for_each(|change| change.simulate(&mut world));
    world
}

/// The legs that are blocked, and the findings that a plan could mend.
fn broken(snapshot: &Snapshot, case: &Case) -> (BTreeSet<String>, Vec<String>) {
    let request = request(case, Selection::default());
    let world = World::of(snapshot, &request.scope).unwrap();
    let verdicts = diagnosis::judged(&world, &request.options);
    let legs = verdicts.blocked_legs().into_iter().map(|(pull, leg)| format!("{} {pull}", leg.as_str()));
    let automatic = verdicts.blockers.iter().filter(|blocker| matches!(blocker.fix, Fix::Automatic { .. }));
    let automatic = automatic.map(|blocker| blocker.summary.clone());
    (legs.collect(), automatic.collect())
}

fn fixes(actions: &[Action]) -> BTreeSet<&String> {
    actions.iter().flat_map(|action| &action.fixes).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_mends_what_can_be_mended_and_each_part_of_it_is_needed(case in cases()) {
        let (before, plan) = (world(&case), plan(&case, Selection::default()));
        let changes = changes(&plan);
        let after = made(&before, &changes);
        let (blocked, automatic) = broken(&after, &case);
        let useless: BTreeSet<&str> = plan.not_fixed.iter()
            .filter(|left| left.because.starts_with("mending it alone"))
            .filter_map(|left| plan.diagnosis.findings.iter().find(|found| found.id == left.finding))
            .map(|found| found.summary.as_str())
            .collect();
        for summary in &automatic {
            prop_assert!(useless.contains(summary.as_str()), "left: {summary}\n{plan:#?}");
        }
        prop_assert_eq!(plan.proof.after.blocked == 0, blocked.is_empty());
        for gone in 0..changes.len() {
            let others = changes.iter().enumerate().filter(|(index, _)| *index != gone).map(|(_, change)| change);
            let (without, _) = broken(&made(&before, others), &case);
            prop_assert!(without.is_superset(&blocked) && without != blocked, "a{} is not needed", gone + 1);
        }
    }

    #[test]
    fn a_plan_and_its_inverse_give_the_world_back_and_planning_twice_gives_the_same_bytes(case in cases()) {
        let (before, first) = (world(&case), plan(&case, Selection::default()));
        prop_assert_eq!(serde_json::to_string(&first).unwrap(), serde_json::to_string(&plan(&case, Selection::default())).unwrap());
        let changes = changes(&first);
        let inverses: Vec<AnyChange> = changes.iter().rev().map(AnyChange::inverse).collect();
        prop_assert_eq!(made(&made(&before, &changes), &inverses), before);
        for change in changes.iter().chain(&inverses) {
            prop_assert_eq!(change.allowed(), Ok(()));
        }
        for change in &changes {
            prop_assert_eq!(change.planned_for(&first.target), Ok(()));
            prop_assert!(change.is_additive());
        }
        let resources: BTreeSet<String> = changes.iter().map(AnyChange::resource).collect();
        prop_assert_eq!(resources.len(), changes.len(), "two changes of one resource");
    }

    #[test]
    fn what_is_left_out_is_left_out_and_the_rest_is_as_it_was(case in cases(), pick in any::<prop::sample::Index>()) {
        let whole = plan(&case, Selection::default());
        prop_assume!(!whole.actions.is_empty());
        let picked = &whole.actions[pick.index(whole.actions.len())];
        let id = vec![picked.id.clone()];
        let only = plan(&case, Selection { target: id.clone(), ..Selection::default() });
        prop_assert_eq!(&only.actions, &vec![picked.clone()]);
        let rest = plan(&case, Selection { exclude: id.clone(), ..Selection::default() });
        prop_assert_eq!(rest.actions.len() + 1, whole.actions.len());
        prop_assert!(rest.actions.iter().all(|action| whole.actions.contains(action)));
        let additive = plan(&case, Selection { only: Some(Only::Additive), ..Selection::default() });
        prop_assert_eq!(&additive.actions, &whole.actions);

        // By finding: only its own share of an action that several findings ask for.
        let finding = &picked.fixes[0];
        let without = plan(&case, Selection { exclude: vec![finding.clone()], ..Selection::default() });
        prop_assert!(!fixes(&without.actions).contains(finding));
        let others: BTreeSet<&String> = fixes(&whole.actions).into_iter().filter(|id| *id != finding).collect();
        prop_assert_eq!(fixes(&without.actions), others);
        let left = without.not_fixed.iter().find(|left| left.finding == *finding);
        prop_assert_eq!(left.map(|left| left.because.as_str()), Some("left out on request: --exclude"));
        let alone = plan(&case, Selection { target: vec![finding.clone()], ..Selection::default() });
        prop_assert_eq!(fixes(&alone.actions), BTreeSet::from([finding]));
    }
}
