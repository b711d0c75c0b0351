//! A run stops half-way, because AWS refuses or the machine dies: it can go on, or back.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Case, Fault, Outcome, Times, assert_same_state, somebody_else};

const APPLY: [&str; 3] = ["apply", "plan.json", "--yes"];

/// Refuses the call of the second action, and runs apply.
fn failing(case: &Case, on_failure: &[&str]) -> Outcome {
    case.proxy.rule(&case.call_of(1), Times::First(1), Fault::Deny);
    case.run(&[&APPLY[..], on_failure].concat())
}

fn outcome_of(document: &Value, what: &str) -> Value {
    document["outcome"][what].clone()
}

#[test]
fn what_was_done_is_taken_back_after_a_failure() {
    let case = Case::planned_with_two_changes();
    let before = case.state();
    for on_failure in [&[][..], &["--on-failure", "rollback"]] {
        case.live("plan", &["--out", "plan.json", "--ttl", &format!("{}h", on_failure.len() + 1)]).expect(0);
        let failed = failing(&case, on_failure).expect(13);
        assert_eq!(failed.error_code(), "rolled_back");
        assert_eq!(outcome_of(&failed.json(), "taken_back"), json!(["a1"]));
        assert_eq!(outcome_of(&failed.json(), "failed"), json!(["a2"]));
        assert_same_state(&before, &case.state());
    }
}

#[test]
fn what_was_done_is_left_after_a_failure_and_the_run_goes_on() {
    let case = Case::planned_with_two_changes();
    let before = case.state();
    let failed = failing(&case, &["--on-failure", "stop"]).expect(14);
    assert_eq!(failed.error_code(), "partly_done");
    assert_eq!(outcome_of(&failed.json(), "done"), json!(["a1"]));
    let run = case.latest_run();
    for next in [format!("ecr-fix rollback {run}"), format!("ecr-fix apply --resume {run}")] {
        assert!(failed.stdout.contains(&next), "{failed}");
    }
    assert_eq!(case.run(&["runs", "show", &run]).expect(0).json()["state"], "failed");

    case.proxy.forget();
    let resumed = case.run(&["apply", "--resume", &run, "--yes"]).expect(0).json();
    assert_eq!(resumed["state"], "applied");
    assert_eq!(case.writes(), [case.call_of(1)], "what is done is not done again");
    assert_eq!(case.verdict(), "healthy");
    // A run that is complete may be asked to go on: nothing is left to do.
    case.run(&["apply", "--resume", &run, "--yes"]).expect(0);
    case.roll_back_to(&before);
    let refused = case.run(&["apply", "--resume", &run, "--yes"]).expect(12);
    assert_eq!(refused.error_code(), "stale_plan", "what was rolled back needs a new plan");
}

#[test]
fn a_person_decides_after_a_failure() {
    for (answer, code) in [("rollback\r", 13), ("\rstop\r", 14), ("\x03", 14)] {
        let case = Case::planned_with_two_changes();
        let before = case.state();
        case.proxy.rule(&case.call_of(1), Times::First(1), Fault::Deny);
        let mut running = case.operator.on_terminal(&["apply", "plan.json"]);
        running.wait_for("explain");
        running.type_in(&format!("{}\r", case.scenario.cluster()));
        running.wait_for("[rollback/stop]");
        running.type_in(answer);
        running.finish().expect(code);
        match code {
            13 => assert_same_state(&before, &case.state()),
            _ => drop(case.roll_back_to(&before)),
        }
    }
}

#[test]
fn nobody_can_be_asked_without_a_terminal() {
    let case = Case::planned("node-role-no-ecr");
    let refused = case.run(&[&APPLY[..], &["--on-failure", "ask"]].concat()).expect(64);
    assert_eq!(refused.error_code(), "usage");
    assert_eq!(case.writes(), [""; 0]);
}

#[test]
fn somebody_takes_a_change_back_before_the_run_goes_on() {
    let case = Case::planned_with_two_changes();
    failing(&case, &["--on-failure", "stop"]).expect(14);
    let call = case.call_of(0);
    let code = match call.as_str() {
        "iam:AttachRolePolicy" => detach_code(),
        _ => r#"client("iam").update_assume_role_policy(RoleName=world["roles"]["fargate"].split("/")[-1], PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}))"#.to_owned(),
    };
    somebody_else(&case.scenario, &code);
    case.proxy.forget();
    let refused = case.run(&["apply", "--resume", &case.latest_run(), "--yes"]).expect(12);
    assert_eq!(refused.error_code(), "stale_plan");
    assert_eq!(case.writes(), [""; 0]);
}

fn detach_code() -> String {
    r#"
iam, role = client("iam"), world["roles"]["node"].split("/")[-1]
for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
    if "ContainerRegistry" in policy["PolicyArn"]:
        iam.detach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])"#
        .to_owned()
}

#[test]
fn permissions_are_simulated_before_the_first_write() {
    let case = Case::planned_with_two_changes();
    case.run(&APPLY).expect(0);
    // The emulator cannot simulate, which is no failure; that it was asked is seen here.
    assert!(case.proxy.count("iam:SimulatePrincipalPolicy") > 0);
    let requests = case.proxy.requests();
    let asked = requests.iter().position(|request| request.name() == "iam:SimulatePrincipalPolicy");
    let wrote = requests.iter().position(|request| !request.reads());
    assert!(asked < wrote);
}

#[test]
fn a_call_that_the_simulation_refuses_is_named_before_the_first_write() {
    let case = Case::planned("node-role-no-ecr");
    let denied = r#"<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated><EvaluationResults><member><EvalActionName>iam:AttachRolePolicy</EvalActionName><EvalResourceName>*</EvalResourceName><EvalDecision>implicitDeny</EvalDecision><MissingContextValues/></member></EvaluationResults></SimulatePrincipalPolicyResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></SimulatePrincipalPolicyResponse>"#;
    case.proxy.rule("iam:SimulatePrincipalPolicy", Times::Always, Fault::Answer(denied.to_owned()));
    let refused = case.run(&APPLY).expect(16);
    assert!(refused.stdout.contains("iam:AttachRolePolicy"), "{refused}");
    assert_eq!(case.writes(), [""; 0]);
    assert!(case.operator.runs().is_empty(), "nothing was begun");
    // Where the answer hangs on what the simulation was not told, the call itself will tell.
    case.proxy.calm();
    let unsure = denied.replace(
        "<MissingContextValues/>",
        "<MissingContextValues><member>iam:PolicyARN</member></MissingContextValues>",
    );
    case.proxy.rule("iam:SimulatePrincipalPolicy", Times::Always, Fault::Answer(unsure));
    case.run(&APPLY).expect(0);
}

/// Who may not ask for a simulation is held against the policies of its own role.
#[test]
fn a_call_that_the_role_of_the_caller_does_not_allow_is_named_before_the_first_write() {
    for (allowed, code) in [("iam:Get*", 16), ("iam:*", 0)] {
        let case = Case::planned("node-role-no-ecr");
        let made = somebody_else(
            &case.scenario,
            &format!(
                r#"
iam, trust = client("iam"), {{"Version": "2012-10-17", "Statement": []}}
arn = iam.create_role(RoleName=f"{{world['cluster']['name']}}-caller", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
policy = {{"Version": "2012-10-17", "Statement": {{"Effect": "Allow", "Action": ["{allowed}"], "Resource": "*"}}}}
iam.put_role_policy(RoleName=arn.split("/")[-1], PolicyName="p", PolicyDocument=json.dumps(policy))
print(json.dumps(client("sts").assume_role(RoleArn=arn, RoleSessionName="somebody")["Credentials"], default=str))"#
            ),
        );
        let keys: serde_json::Value = serde_json::from_str(&made).unwrap();
        let session = [
            ("AWS_ACCESS_KEY_ID", "AccessKeyId"),
            ("AWS_SECRET_ACCESS_KEY", "SecretAccessKey"),
            ("AWS_SESSION_TOKEN", "SessionToken"),
        ];
        let before = case.state();
        let mut case = case;
        for (name, field) in session {
            case.operator = case.operator.env(name, keys[field].as_str().unwrap());
        }
        case.proxy.rule("iam:SimulatePrincipalPolicy", Times::Always, Fault::Deny);
        let outcome = case.run(&APPLY).expect(code);
        if code == 16 {
            assert!(outcome.stdout.contains("do not allow iam:AttachRolePolicy on arn:aws:iam"), "{outcome}");
            assert_eq!(case.writes(), [""; 0]);
            assert_same_state(&before, &case.state());
        }
    }
}

#[test]
fn power_is_lost_and_the_run_goes_on() {
    for fault in [Fault::Drop, Fault::LoseAnswer] {
        let case = Case::planned("node-role-no-ecr");
        let before = case.state();
        case.proxy.rule("iam:AttachRolePolicy", Times::Nth(1), Fault::Delay(Duration::from_millis(500)));
        case.proxy.rule("iam:AttachRolePolicy", Times::Nth(1), fault);
        let running = case.operator.start(&APPLY);
        case.proxy.wait_for("iam:AttachRolePolicy", 1);
        running.kill();
        std::thread::sleep(Duration::from_secs(1));
        let resumed = case.run(&["apply", "--resume", &case.latest_run(), "--yes"]).expect(0).json();
        assert_eq!(resumed["actions"][0]["state"], "applied");
        assert_eq!(case.verdict(), "healthy");
        case.roll_back_to(&before);
    }
}
