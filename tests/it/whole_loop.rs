//! Diagnose, plan, apply, verify, roll back: the whole loop on real HTTP, once for each cause.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Case, assert_same_state};

#[test]
fn a_node_role_that_may_not_pull() {
    whole_loop("node-role-no-ecr", &["iam:AttachRolePolicy"], &["iam:DetachRolePolicy"]);
}

#[test]
fn a_pod_execution_role_that_may_not_pull() {
    whole_loop("fargate-policy", &["iam:AttachRolePolicy"], &["iam:DetachRolePolicy"]);
}

#[test]
fn a_pod_execution_role_that_trusts_somebody_else() {
    whole_loop("fargate-trust", &["iam:UpdateAssumeRolePolicy"], &["iam:UpdateAssumeRolePolicy"]);
}

#[test]
fn a_pod_execution_role_that_trusts_another_cluster() {
    whole_loop("fargate-trust-source-arn", &["iam:UpdateAssumeRolePolicy"], &["iam:UpdateAssumeRolePolicy"]);
}

#[test]
fn a_healthy_cluster_is_left_alone() {
    let case = Case::build("healthy");
    assert_eq!(case.verdict(), "healthy");
    let plan = case.live("plan", &["--out", "plan.json"]).expect(0).json();
    assert_eq!(plan["actions"], Value::Array(vec![]));
    case.live("apply", &["--yes"]).expect(0);
    case.run(&["apply", "plan.json", "--yes"]).expect(0);
    assert_eq!(case.writes(), [""; 0]);
}

/// Demands of a scenario that its cause is found, that planning writes nothing, that applying makes these calls and
/// cures it, and that rolling back makes those calls and leaves no trace.
pub(crate) fn whole_loop(kind: &str, forward: &[&str], back: &[&str]) {
    let case = Case::build(kind);
    let causes = case.scenario.expected_causes();
    there_and_back(&case, &causes, forward, back);
}

/// The same in a world that was changed since it was built.
pub(crate) fn there_and_back(case: &Case, expected: &[String], forward: &[&str], back: &[&str]) {
    there_and_back_with(&[], case, expected, forward, back);
}

/// The same with options for the plan.
pub(crate) fn there_and_back_with(
    options: &[&str],
    case: &Case,
    expected: &[String],
    forward: &[&str],
    back: &[&str],
) {
    let before = case.state();

    let diagnosis = case.live("diagnose", &["--detailed-exitcode"]).expect(2).json();
    assert_eq!(diagnosis["summary"]["verdict"], "broken", "{diagnosis:#}");
    assert_eq!(causes(&diagnosis), expected, "{diagnosis:#}");

    let arguments = [&["--out", "plan.json", "--detailed-exitcode"], options].concat();
    let plan = case.live("plan", &arguments).expect(2).json();
    assert_eq!(plan, case.plan(), "what is printed and what is saved are one plan");
    assert_eq!(plan["proof"]["after"]["blocked"], 0, "{plan:#}");
    assert_eq!(plan["not_fixed"], Value::Array(vec![]), "{plan:#}");
    case.run(&["show", "plan.json"]).expect(0);
    assert_eq!(case.writes(), [""; 0], "planning writes nothing");

    case.run(&["apply", "plan.json", "--yes"]).expect(0).json();
    assert_eq!(case.writes(), forward);
    assert_eq!(announced(&plan), forward.iter().map(ToString::to_string).collect::<BTreeSet<_>>());
    assert_eq!(allowed(&plan, forward), [""; 0], "the required permissions must cover every write\n{plan:#}");
    assert_eq!(case.verdict(), "healthy");
    check_run(case, "applied", "applied");

    case.proxy.forget();
    case.roll_back_to(&before);
    assert_eq!(case.writes(), back);
    let run = case.operator.runs().swap_remove(0);
    let shown = case.run(&["runs", "show", run.file_name().unwrap().to_str().unwrap()]).expect(0).json();
    assert_eq!(shown["state"], "rolled-back", "{shown:#}");
    assert_eq!(shown["actions"][0]["state"], "reverted", "{shown:#}");
    assert_eq!(case.verdict(), "broken");

    // A rollback that was done is not done again, whatever the program says to it.
    case.proxy.forget();
    let again = case.run(&["rollback", run.file_name().unwrap().to_str().unwrap(), "--yes"]);
    again.json();
    assert_eq!(case.writes(), [""; 0], "{again}");
    assert_same_state(&before, &case.state());
}

fn check_run(case: &Case, state: &str, action_state: &str) {
    let runs = case.operator.runs();
    assert_eq!(runs.len(), 1, "one apply makes one run: {runs:?}");
    let id = runs[0].file_name().unwrap().to_str().unwrap();
    let shown = case.run(&["runs", "show", id]).expect(0).json();
    assert_eq!(shown["format_version"], "1.0");
    assert_eq!(shown["run"], id);
    assert_eq!(shown["state"], state, "{shown:#}");
    assert_eq!(shown["chain"], "intact", "{shown:#}");
    assert_eq!(shown["plan_digest"], case.plan()["digest"]);
    for action in shown["actions"].as_array().expect("actions") {
        assert_eq!(action["state"], action_state, "{shown:#}");
    }
    case.run(&["runs", "verify", id]).expect(0).json();
    let listed = case.run(&["runs", "list"]).expect(0);
    assert!(listed.stdout.contains(id), "{listed}");
    listed.json();
}

fn causes(diagnosis: &Value) -> Vec<String> {
    let findings = diagnosis["findings"].as_array().expect("findings").iter();
    let causes: BTreeSet<_> = findings.map(|finding| finding["cause"].as_str().unwrap().to_owned()).collect();
    causes.into_iter().collect()
}

/// The calls that the actions of a plan say they make.
fn announced(plan: &Value) -> BTreeSet<String> {
    let actions = plan["actions"].as_array().expect("actions").iter();
    let calls = actions.flat_map(|action| action["api_calls"].as_array().expect("calls"));
    calls.map(|call| call.as_str().unwrap().to_owned()).collect()
}

/// The calls that the policy in a plan does not allow.
fn allowed<'a>(plan: &Value, calls: &[&'a str]) -> Vec<&'a str> {
    let policy = plan["required_permissions"].to_string();
    calls.iter().copied().filter(|call| !policy.contains(&format!("\"{call}\""))).collect()
}
