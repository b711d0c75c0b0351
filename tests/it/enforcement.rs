//! The permissions that ecr-fix prints, enforced by the emulator. It knows the resources of IAM alone: of a write of any
//! other service it asks for `*`, which no policy of ours allows. `registries.rs` weighs those by the evaluator.

use serde_json::Value;

use crate::support::{Emulator, Program, Scenario, somebody_else};

/// From now on this is all that the operator may do.
fn allow_only(emulator: &Emulator, scenario: &Scenario, policy: &Value) {
    emulator.enforce_policies(false);
    let document = Value::from(policy.to_string());
    let user = format!("{}-operator", scenario.cluster());
    let put = "client('iam').put_user_policy(PolicyName='admin', ";
    somebody_else(scenario, &format!("{put}UserName='{user}', PolicyDocument={document})"));
    emulator.enforce_policies(true);
}

/// The policy without one call.
fn without(policy: &Value, call: &str) -> Value {
    let mut policy = policy.clone();
    let statements = policy["Statement"].as_array_mut().unwrap();
    for statement in statements.iter_mut() {
        statement["Action"].as_array_mut().unwrap().retain(|action| action != call);
    }
    statements.retain(|statement| statement["Action"] != serde_json::json!([]));
    policy
}

#[test]
fn a_plan_is_applied_and_rolled_back_with_its_permissions_and_with_no_fewer() {
    let emulator = Emulator::start("enforcing-emulator.log").unwrap();
    let plans: [(&str, &[&str]); 3] =
        [("node-role-no-ecr", &[]), ("node-role-no-ecr", &["--least-privilege"]), ("fargate-trust", &[])];
    for (kind, arguments) in plans {
        emulator.enforce_policies(false);
        let scenario = Scenario::build_in(&emulator, kind);
        let operator = Program::operator(&scenario);
        let words = ["plan", "--cluster", scenario.cluster(), "--out", "plan.json", "--output", "json"];
        let plan = || operator.run(&[&words, arguments].concat()).expect(0).json();
        let write = plan()["actions"][0]["api_calls"][0].as_str().unwrap().to_owned();
        let policy = operator.run(&["permissions", "plan.json", "--output", "json"]).expect(0).json();

        allow_only(&emulator, &scenario, &without(&policy, &write));
        operator.run(&["apply", "plan.json", "--yes"]).expect(16);
        // A plan is used once, and with these permissions another one can be made.
        allow_only(&emulator, &scenario, &policy);
        plan();
        operator.run(&["apply", "plan.json", "--yes"]).expect(0);
        operator.run(&["rollback", "--yes"]).expect(0);
    }
}
