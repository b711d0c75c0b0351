//! AWS and the network fail: the world ends as planned or as before, and nobody is told that all is well.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::{Case, Fault, Outcome, Times, assert_same_state, somebody_else};

/// Without these nothing is hidden: policies are looked at one by one, rules have no ids of their own, the names of
/// services are those that we know, and what EKS says of add-ons stands beside what is judged.
pub(crate) const BESIDE: [&str; 4] = [
    "ec2:DescribeSecurityGroupRules",
    "ec2:DescribeVpcEndpointServices",
    "eks:ListAddons",
    "iam:ListPolicies",
];

/// Every read that the diagnosis of a healthy cluster makes, refused alone.
#[test]
fn a_refused_read_is_never_healthy() {
    let case = Case::build("healthy");
    assert_eq!(case.verdict(), "healthy");
    let reads: BTreeSet<String> = case.proxy.requests().iter().map(|request| request.name()).collect();
    for read in reads {
        case.proxy.calm();
        case.proxy.rule(&read, Times::Always, Fault::Deny);
        let outcome = case.live("diagnose", &["--detailed-exitcode"]);
        let document = outcome.json();
        match outcome.code {
            // Some legs could not be decided, and what was not read is named.
            11 => {
                assert_eq!(document["summary"]["verdict"], "inconclusive", "{read} was refused\n{outcome}");
                let unread = document["unread"].as_array().expect("unread").iter();
                let sources: Vec<_> = unread.filter_map(|unread| unread["source"].as_str()).collect();
                assert!(sources.contains(&read.as_str()), "{read} was refused\n{outcome}");
            }
            0 if BESIDE.contains(&read.as_str()) => {
                assert_eq!(document["summary"]["verdict"], "healthy", "{outcome}")
            }
            // Without this one there is nothing to say at all.
            16 => assert!(document["error"]["message"].as_str().unwrap().contains(&read), "{outcome}"),
            code => panic!("{read} was refused, and the exit code is {code}\n{outcome}"),
        }
    }
    assert_eq!(case.writes(), [""; 0]);
}

#[test]
fn a_refused_read_is_never_broken_either() {
    let case = Case::build("node-role-no-ecr");
    case.proxy.rule("iam:*", Times::Always, Fault::Deny);
    let diagnosis = case.live("diagnose", &["--detailed-exitcode"]).expect(11).json();
    assert_eq!(diagnosis["summary"]["verdict"], "inconclusive", "{diagnosis:#}");
    let plan = case.live("plan", &[]).expect(0).json();
    assert_eq!(plan["actions"].as_array().map(Vec::len), Some(0), "nothing is changed on a guess: {plan:#}");
}

#[test]
fn a_refused_write_is_named_and_changes_nothing() {
    let case = Case::planned("node-role-no-ecr");
    let before = case.state();
    case.proxy.rule("iam:AttachRolePolicy", Times::Always, Fault::Deny);
    let refused = case.run(&["apply", "plan.json", "--yes"]);
    assert!([13, 16].contains(&refused.code), "{refused}");
    assert!(refused.stdout.contains("iam:AttachRolePolicy"), "which permission is missing\n{refused}");
    assert!(refused.stdout.contains(&format!("{}-node", case.scenario.cluster())), "on what\n{refused}");
    assert_same_state(&before, &case.state());
    check_journal(&case);
}

#[test]
fn a_lost_answer_to_a_write_is_resolved_by_reading() {
    let case = Case::planned("node-role-no-ecr");
    let before = case.state();
    case.proxy.rule("iam:AttachRolePolicy", Times::Nth(1), Fault::LoseAnswer);
    let outcome = case.run(&["apply", "plan.json", "--yes"]);
    ends_known(&case, &outcome, &before);
}

/// The SDK asks again, and is told that the rule is there: it is ours all the same, and is taken back.
#[test]
fn a_write_whose_answer_was_lost_and_that_is_tried_again_is_ours() {
    let mut case = Case::planned("endpoint-sg-closed");
    let before = case.state();
    case.operator = case.operator.without("AWS_MAX_ATTEMPTS");
    case.proxy.rule("writes", Times::Nth(1), Fault::LoseAnswer);
    let applied = case.run(&["apply", "plan.json", "--yes"]).expect(0).json();
    assert_eq!(applied["actions"][0]["state"], "applied", "{applied:#}");
    case.roll_back_to(&before);
}

#[test]
fn a_request_that_never_arrived_is_resolved_by_reading() {
    let case = Case::planned("fargate-trust");
    let before = case.state();
    case.proxy.rule("iam:UpdateAssumeRolePolicy", Times::Nth(1), Fault::Drop);
    let outcome = case.run(&["apply", "plan.json", "--yes"]);
    ends_known(&case, &outcome, &before);
}

#[test]
fn a_write_that_arrives_twice_is_one_change() {
    let case = Case::planned("node-role-no-ecr");
    let before = case.state();
    case.proxy.rule("writes", Times::Always, Fault::Repeat);
    case.run(&["apply", "plan.json", "--yes"]).expect(0);
    // The second detachment is answered with NoSuchEntity: already gone is success.
    case.roll_back_to(&before);
}

#[test]
fn a_service_that_fails_while_writing() {
    for status in [500, 503] {
        let case = Case::planned("node-role-no-ecr");
        let before = case.state();
        case.proxy.rule("iam:AttachRolePolicy", Times::Always, Fault::Fail(status));
        let outcome = case.run(&["apply", "plan.json", "--yes"]);
        assert_ne!(outcome.code, 0, "{outcome}");
        ends_known(&case, &outcome, &before);
    }
}

#[test]
fn throttling_is_waited_out() {
    let mut case = Case::build("node-role-no-ecr");
    let before = case.state();
    for service in ["ec2:*", "ecr:*", "eks:*", "iam:*", "sts:*"] {
        case.proxy.rule(service, Times::First(1), Fault::Throttle);
    }
    case.proxy.rule("iam:AttachRolePolicy", Times::First(1), Fault::Throttle);
    case.operator = case.operator.without("AWS_MAX_ATTEMPTS");
    case.live("apply", &["--yes"]).expect(0);
    assert!(case.proxy.count("iam:AttachRolePolicy") >= 2);
    case.roll_back_to(&before);
}

#[test]
fn reads_that_lag_behind_are_waited_for() {
    let case = Case::planned("fargate-policy");
    let before = case.state();
    case.proxy.rule("iam:List*", Times::Always, Fault::StaleFor(Duration::from_secs(2)));
    case.proxy.rule("iam:Get*", Times::Always, Fault::StaleFor(Duration::from_secs(2)));
    case.run(&["apply", "plan.json", "--yes"]).expect(0);
    assert_eq!(case.writes(), ["iam:AttachRolePolicy"], "a change that is not seen yet is not made again");
    case.roll_back_to(&before);
}

#[test]
fn credentials_that_expire_before_the_first_read() {
    let case = Case::build("node-role-no-ecr");
    case.proxy.rule("*", Times::Always, Fault::ExpireToken);
    for command in ["diagnose", "plan", "apply"] {
        let outcome = case.live(command, if command == "apply" { &["--yes"] } else { &[] }).expect(1);
        assert_eq!(outcome.error_code(), "credentials", "{outcome}");
    }
}

/// Whatever was read until then counts, and nothing that was not: no cause is invented and none of the rest looks well.
#[test]
fn credentials_that_expire_while_reading() {
    let case = Case::build("healthy");
    case.live("diagnose", &[]).expect(0);
    let all = case.proxy.count("*");
    for first in [3, all / 2, all - 1] {
        case.proxy.calm();
        case.proxy.forget();
        case.proxy.rule("*", Times::From(first), Fault::ExpireToken);
        let outcome = case.live("diagnose", &["--detailed-exitcode"]);
        match outcome.code {
            1 => assert_eq!(outcome.error_code(), "credentials", "{outcome}"),
            11 => {
                let diagnosis = outcome.json();
                assert_eq!(diagnosis["findings"], serde_json::json!([]), "{outcome}");
                let unread = diagnosis["unread"].as_array().expect("unread").iter();
                let expired = unread.filter(|row| row["because"].as_str().unwrap().contains("Expired"));
                assert!(expired.count() > 0, "{outcome}");
            }
            code => panic!("from request {first}: exit code {code}\n{outcome}"),
        }
        let plan = case.live("plan", &[]);
        assert!(plan.code == 1 || plan.json()["actions"] == serde_json::json!([]), "{plan}");
    }
}

#[test]
fn credentials_that_expire_at_the_write() {
    let case = Case::planned("node-role-no-ecr");
    let before = case.state();
    case.proxy.rule("iam:AttachRolePolicy", Times::Always, Fault::ExpireToken);
    let outcome = case.run(&["apply", "plan.json", "--yes"]);
    assert_ne!(outcome.code, 0, "{outcome}");
    assert_same_state(&before, &case.state());
    check_journal(&case);
}

#[test]
fn credentials_that_expire_right_after_the_write() {
    let rehearsal = Case::planned("node-role-no-ecr");
    rehearsal.run(&["apply", "plan.json", "--yes"]).expect(0);
    let requests = rehearsal.proxy.requests();
    let write = requests.iter().position(|request| !request.reads()).expect("a write") + 1;

    let case = Case::planned("node-role-no-ecr");
    let before = case.state();
    case.proxy.rule("*", Times::From(write + 1), Fault::ExpireToken);
    let outcome = case.run(&["apply", "plan.json", "--yes"]);
    assert_ne!(outcome.code, 0, "nobody has seen that all is well\n{outcome}");
    outcome.error_code();
    case.proxy.calm();
    case.roll_back_to(&before);
}

#[test]
fn a_role_that_vanishes_between_plan_and_apply() {
    let case = Case::planned("node-role-no-ecr");
    delete_node_role(&case);
    let outcome = case.run(&["apply", "plan.json", "--yes"]);
    assert!([1, 12].contains(&outcome.code), "{outcome}");
    outcome.error_code();
    assert_eq!(case.writes(), [""; 0]);
}

#[test]
fn a_role_that_vanishes_before_the_diagnosis() {
    let case = Case::build("node-role-no-ecr");
    delete_node_role(&case);
    let outcome = case.live("diagnose", &[]);
    let verdict = outcome.json()["summary"]["verdict"].as_str().unwrap_or("an error").to_owned();
    assert_ne!(verdict, "healthy", "{outcome}");
}

#[test]
fn somebody_edits_the_policy_between_our_read_and_our_write() {
    let case = Case::planned("fargate-trust");
    let scenario = crate::support::Scenario { document: case.scenario.document.clone() };
    let role = format!("{}-fargate", case.scenario.cluster());
    let edit =
        format!(r#"client("iam").tag_role(RoleName="{role}", Tags=[{{"Key": "theirs", "Value": "kept"}}])"#);
    case.proxy.rule(
        "iam:UpdateAssumeRolePolicy",
        Times::Nth(1),
        Fault::meanwhile(move |_| drop(somebody_else(&scenario, &edit))),
    );
    case.run(&["apply", "plan.json", "--yes"]).expect(0);
    case.run(&["rollback", "--yes"]).expect(0);
    assert!(case.state().contains("theirs"), "what others changed stays");
}

/// Whatever the program says, the world must agree, and the way back must lead to the state from before.
#[track_caller]
fn ends_known(case: &Case, outcome: &Outcome, before: &str) {
    outcome.json();
    check_journal(case);
    match outcome.code {
        0 => assert_eq!(case.verdict(), "healthy"),
        1 | 13 | 16 => return assert_same_state(before, &case.state()),
        14 => assert!(format!("{outcome}").contains("ecr-fix rollback"), "no next command\n{outcome}"),
        code => panic!("exit code {code}\n{outcome}"),
    }
    case.proxy.calm();
    case.roll_back_to(before);
}

#[track_caller]
fn check_journal(case: &Case) {
    for run in case.operator.runs() {
        case.run(&["runs", "verify", run.file_name().unwrap().to_str().unwrap()]).expect(0);
    }
}

fn delete_node_role(case: &Case) {
    somebody_else(
        &case.scenario,
        r#"
iam, role = client("iam"), world["roles"]["node"].split("/")[-1]
iam.remove_role_from_instance_profile(InstanceProfileName=role, RoleName=role)
for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
    iam.detach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])
iam.delete_role(RoleName=role)"#,
    );
}
