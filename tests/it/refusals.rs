//! What is refused before anything is written: no consent, or a plan that no longer fits.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::sandbox::Sandbox;
use crate::support::{Case, Fault, Program, Times, sealed, somebody_else};

#[test]
fn without_a_terminal_nobody_has_agreed() {
    let case = Case::shared();
    let refused = case.run(&["apply", "plan.json"]).expect(10);
    assert_eq!(refused.error_code(), "approval_needed");
    case.operator.run(&["apply", "plan.json"]).expect(10);
    // Text on standard input is not a person.
    let cluster = format!("{}\n", case.scenario.cluster());
    case.operator.run_with_input(&["apply", "plan.json"], &cluster).expect(10);
    case.operator.run_with_input(&["apply", "plan.json"], "yes\ny\n").expect(10);
    assert!(case.operator.runs().is_empty(), "a refusal leaves no record");
}

#[test]
fn another_digest_than_the_expected_one() {
    let case = Case::shared();
    let other = format!("sha256:{}", "0".repeat(64));
    let refused = case.run(&["apply", "plan.json", "--yes", "--expect-digest", &other]).expect(12);
    assert_eq!(refused.error_code(), "stale_plan");
}

#[test]
fn a_plan_that_was_edited_by_hand() {
    let case = Case::shared();
    for (pointer, value) in [
        ("/expires_at", json!("2999-01-01T00:00:00Z")),
        ("/actions/0/resource", json!("arn:aws:iam::111122223333:role/other")),
        ("/actions", json!([])),
    ] {
        let mut plan = case.plan();
        *plan.pointer_mut(pointer).expect("this field of a plan") = value;
        let refused = apply_text(case, &pointer.replace('/', "-"), &plan.to_string()).expect(12);
        assert_eq!(refused.error_code(), "stale_plan", "{refused}");
    }
}

#[test]
fn a_plan_that_has_expired() {
    let case = Case::shared();
    let mut plan = case.plan();
    plan["created_at"] = json!("2020-01-01T00:00:00Z");
    plan["expires_at"] = json!("2020-01-02T00:00:00Z");
    let refused = apply_text(case, "expired", &sealed(plan)).expect(12);
    assert_eq!(refused.error_code(), "stale_plan");
    assert!(refused.stdout.contains("expired"), "{refused}");
}

#[test]
fn a_plan_that_was_sealed_again_unchanged_is_the_same_plan() {
    let case = Case::shared();
    let again: Value = serde_json::from_str(&sealed(case.plan())).unwrap();
    assert_eq!(
        again["digest"],
        case.plan()["digest"],
        "the digest is RFC 8785 and SHA-256, as anybody can check"
    );
}

#[test]
fn a_plan_for_another_account() {
    let case = Case::shared();
    let stranger = Program::operator(&crate::support::Scenario::build("healthy"));
    let plan = case.operator.file("plan.json");
    let refused = stranger.run(&["apply", &plan, "--yes", "--output", "json"]);
    assert!([1, 12].contains(&refused.code), "{refused}");
    refused.error_code();
}

#[test]
fn the_world_has_moved_since_the_plan() {
    let case = Case::planned("fargate-trust");
    let role = format!("{}-fargate", case.scenario.cluster());
    somebody_else(
        &case.scenario,
        &format!(
            r#"
iam = client("iam")
trust = iam.get_role(RoleName="{role}")["Role"]["AssumeRolePolicyDocument"]
trust["Statement"].append({{"Sid": "Theirs", "Effect": "Allow", "Principal": {{"Service": "lambda.amazonaws.com"}}, "Action": "sts:AssumeRole"}})
iam.update_assume_role_policy(RoleName="{role}", PolicyDocument=json.dumps(trust))"#
        ),
    );
    let refused = case.run(&["apply", "plan.json", "--yes"]).expect(12);
    assert_eq!(refused.error_code(), "stale_plan");
    assert_eq!(case.writes(), [""; 0]);
}

/// Somebody attaches other policies meanwhile: nothing of the plan is made, because all of it cannot be.
#[test]
fn a_quota_is_used_up_since_the_plan() {
    let sandbox = Sandbox::planned();
    let path = sandbox.program.home().join("world/roles.json");
    let mut roles: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let attached = |count: usize| -> Value {
        let one = |number| json!({ "PolicyName": format!("P{number}"), "PolicyArn": format!("arn:aws:iam::111122223333:policy/P{number}") });
        (0..count).map(one).collect()
    };
    let node = |roles: &mut Value, count: usize| {
        let rows = roles["RoleDetailList"].as_array_mut().unwrap();
        let role = rows.iter_mut().find(|role| role["RoleName"] == "demo-node").unwrap();
        role["AttachedManagedPolicies"] = attached(count);
    };
    node(&mut roles, 10);
    fs::write(&path, roles.to_string()).unwrap();
    let before = fs::read_to_string(&path).unwrap();
    let refused = sandbox.run(&["apply", "plan.json", "--yes"]).expect(12);
    assert_eq!(refused.error_code(), "stale_plan");
    let what =
        "there are 10 managed policies of role demo-node, the plan adds 1, and the default quota is 10";
    assert_eq!(refused.json()["error"]["message"], what);
    assert_eq!(fs::read_to_string(&path).unwrap(), before);

    // With more than the default the quota was raised, and how far is not known. What those policies say is not known either,
    // so it is not sure that all is well afterwards.
    node(&mut roles, 11);
    fs::write(&path, roles.to_string()).unwrap();
    let applied = sandbox.run(&["apply", "plan.json", "--yes"]).expect(15);
    assert_eq!(applied.json()["run"]["state"], "applied");
}

#[test]
fn a_plan_is_used_once() {
    let case = Case::planned("node-role-no-ecr");
    let before = case.state();
    case.run(&["apply", "plan.json", "--yes"]).expect(0);
    case.proxy.forget();
    assert_eq!(case.run(&["apply", "plan.json", "--yes"]).expect(12).error_code(), "stale_plan");
    case.roll_back_to(&before);
    case.proxy.forget();
    // The world is as it was planned for, and still: it was used.
    assert_eq!(case.run(&["apply", "plan.json", "--yes"]).expect(12).error_code(), "stale_plan");
    assert_eq!(case.writes(), [""; 0]);
}

#[test]
fn two_at_once() {
    let case = Case::planned("node-role-no-ecr");
    let before = case.state();
    case.proxy.rule("iam:AttachRolePolicy", Times::Always, Fault::Delay(Duration::from_secs(4)));
    let first = case.operator.start(&["apply", "plan.json", "--yes", "--output", "json"]);
    case.proxy.wait_for("iam:AttachRolePolicy", 1);
    let second = case.run(&["apply", "plan.json", "--yes"]).expect(17);
    assert_eq!(second.error_code(), "locked");
    first.finish().expect(0);
    assert_eq!(case.writes(), ["iam:AttachRolePolicy"]);
    case.roll_back_to(&before);
}

#[test]
fn another_run_is_waited_for() {
    let case = Case::planned("node-role-no-ecr");
    case.live("plan", &["--out", "other.json", "--ttl", "1h"]).expect(0);
    case.proxy.forget();
    case.proxy.rule("iam:AttachRolePolicy", Times::Always, Fault::Delay(Duration::from_secs(2)));
    let first = case.operator.start(&["apply", "plan.json", "--yes", "--output", "json"]);
    case.proxy.wait_for("iam:AttachRolePolicy", 1);
    let second = case.run(&["apply", "other.json", "--yes", "--lock-timeout", "60s"]).expect(0).json();
    assert_eq!(second["actions"][0]["state"], "already-so", "{second:#}");
    first.finish().expect(0);
    assert_eq!(case.writes(), ["iam:AttachRolePolicy"]);
}

#[test]
fn a_plan_that_grants_more_than_the_tool_may() {
    let case = Case::planned("node-role-no-ecr");
    let forged = case.plan().to_string().replace("AmazonEC2ContainerRegistryPullOnly", "AdministratorAccess");
    let refused = apply_text(&case, "forged", &sealed(serde_json::from_str(&forged).unwrap()));
    assert!([1, 12].contains(&refused.code), "{refused}");
    assert_eq!(case.writes(), [""; 0], "{refused}");
}

#[test]
fn a_plan_of_a_newer_format() {
    let case = Case::shared();
    let mut plan = case.plan();
    plan["format_version"] = json!("2.0");
    let refused = apply_text(case, "newer", &sealed(plan)).expect(1);
    assert_eq!(refused.error_code(), "bad_input");
}

/// Applies a plan of this text, in a file of its own.
fn apply_text(case: &Case, name: &str, plan: &str) -> crate::support::Outcome {
    let file = case.operator.file(&format!("{name}.json"));
    fs::write(&file, plan).unwrap();
    let outcome = case.run(&["apply", &file, "--yes"]);
    assert_eq!(case.writes(), [""; 0], "{outcome}");
    outcome
}
