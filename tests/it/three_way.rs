//! Somebody else changes the same resources between apply and rollback: theirs stays, ours goes, and where nobody can
//! tell them apart nothing is touched.

use serde_json::{Value, json};

use crate::support::{Case, Outcome, assert_same_state, somebody_else};

const APPLY: [&str; 3] = ["apply", "plan.json", "--yes"];

/// Edits the trust policy of the pod execution role, with `statements` as a Python list.
fn edit_trust(case: &Case, edit: &str) {
    let code = format!(
        r#"
iam, role = client("iam"), world["roles"]["fargate"].split("/")[-1]
document = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
statements = document["Statement"]
{edit}
iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(document))"#
    );
    somebody_else(&case.scenario, &code);
}

fn trust(case: &Case) -> Value {
    let code = r#"print(json.dumps(client("iam").get_role(RoleName=world["roles"]["fargate"].split("/")[-1])["Role"]["AssumeRolePolicyDocument"]))"#;
    serde_json::from_str(&somebody_else(&case.scenario, code)).unwrap()
}

const THEIRS: &str = r#"{"Sid": "Theirs", "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}"#;

fn states(outcome: &Outcome) -> Vec<String> {
    let document = outcome.json();
    let record = if document["actions"].is_array() { &document } else { &document["run"] };
    let actions = record["actions"].as_array().expect("actions").iter();
    actions.map(|action| action["state"].as_str().unwrap().to_owned()).collect()
}

/// rollback(edits(apply(world))) == edits(world)
#[test]
fn edits_beside_ours_stay() {
    for edit in [
        format!("statements.append({THEIRS})"),
        format!("statements.insert(0, {THEIRS})"),
        "statements[0]['Sid'] = 'Renamed'".to_owned(),
        format!("statements[0] = {THEIRS}"),
    ] {
        for kind in ["fargate-trust", "fargate-trust-source-arn"] {
            if kind.ends_with("arn") && edit.contains("statements[0]") {
                // There the first statement is the one that we change.
                continue;
            }
            let untouched = Case::build(kind);
            edit_trust(&untouched, &edit);
            let case = Case::planned(kind);
            case.run(&APPLY).expect(0);
            edit_trust(&case, &edit);
            case.run(&["rollback", "--yes"]).expect(0);
            let names = |case: &Case, document: Value| {
                let text = document.to_string();
                text.replace(case.scenario.account(), "A").replace(case.scenario.cluster(), "C")
            };
            let (now, expected) = (trust(&case), trust(&untouched));
            assert_eq!(names(&case, now), names(&untouched, expected), "{kind}: {edit}");
        }
    }
}

#[test]
fn an_edit_of_our_statement_is_left_and_the_rest_goes_on() {
    let case = Case::planned_with_two_changes();
    case.run(&APPLY).expect(0);
    edit_trust(&case, "statements[-1]['Condition']['ArnLike']['aws:SourceArn'] += '/more'");
    let edited = trust(&case);
    let left = case.run(&["rollback", "--yes"]).expect(14);
    let mut states = states(&left);
    states.sort();
    assert_eq!(states, ["revert-skipped", "reverted"], "{left}");
    assert!(left.stdout.contains("/more"), "what differs is shown\n{left}");
    assert_eq!(trust(&case), edited, "theirs is left");

    // Once they have taken their edit back, ours can be taken back.
    edit_trust(
        &case,
        "arn = statements[-1]['Condition']['ArnLike']; arn['aws:SourceArn'] = arn['aws:SourceArn'].removesuffix('/more')",
    );
    case.run(&["rollback", "--yes"]).expect(0);
}

#[test]
fn what_they_took_back_is_gone_already() {
    let case = Case::planned_with_two_changes();
    let before = case.state();
    case.run(&APPLY).expect(0);
    edit_trust(&case, "statements.pop()");
    let role = r#"
iam, role = client("iam"), world["roles"]["node"].split("/")[-1]
for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
    if "ContainerRegistry" in policy["PolicyArn"]:
        iam.detach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])"#;
    somebody_else(&case.scenario, role);
    case.proxy.forget();
    let gone = case.run(&["rollback", "--yes"]).expect(0);
    assert_eq!(states(&gone), ["reverted", "reverted"]);
    assert_eq!(case.writes(), [""; 0]);
    // The emulator keeps the document as it is sent, and they sent it with other white space.
    let compact = |state: &str| state.replace("\\\"", "\"").replace(' ', "");
    assert_same_state(&compact(&before), &compact(&case.state()));
}

#[test]
fn a_role_that_is_gone_or_another_holds_nothing_of_ours() {
    // What is gone is gone; another of the same name is not ours, and is left alone.
    let made_again = "iam.create_role(RoleName=role, AssumeRolePolicyDocument='{}')";
    for (again, exit, state) in [("", 0, "reverted"), (made_again, 14, "revert-skipped")] {
        let case = Case::planned("node-role-no-ecr");
        case.run(&APPLY).expect(0);
        let code = format!(
            r#"
iam, role = client("iam"), world["roles"]["node"].split("/")[-1]
iam.remove_role_from_instance_profile(InstanceProfileName=role, RoleName=role)
for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
    iam.detach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])
iam.delete_role(RoleName=role)
{again}"#
        );
        somebody_else(&case.scenario, &code);
        case.proxy.forget();
        let gone = case.run(&["rollback", "--yes"]).expect(exit);
        assert_eq!(states(&gone), [state]);
        assert_eq!(case.writes(), [""; 0]);
    }
}

#[test]
fn somebody_adds_a_statement_between_our_read_and_the_look_after_our_write() {
    let case = Case::planned("fargate-trust");
    let scenario = crate::support::Scenario { document: case.scenario.document.clone() };
    let code = format!(
        r#"
iam, role = client("iam"), world["roles"]["fargate"].split("/")[-1]
document = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
document["Statement"].append({THEIRS})
iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(document))"#
    );
    // The first read after the write comes after theirs.
    let wrote = std::sync::atomic::AtomicBool::new(false);
    let edit = crate::support::Fault::meanwhile(move |request| {
        if request.name() == "iam:UpdateAssumeRolePolicy" {
            wrote.store(true, std::sync::atomic::Ordering::SeqCst);
        } else if wrote.swap(false, std::sync::atomic::Ordering::SeqCst) {
            somebody_else(&scenario, &code);
        }
    });
    case.proxy.rule("iam:*", crate::support::Times::Always, edit);
    let applied = case.run(&APPLY).expect(0).json();
    assert_eq!(applied["actions"][0]["state"], "applied", "ours is there, whatever stands beside it");
    case.proxy.calm();
    case.run(&["rollback", "--yes"]).expect(0);
    assert_eq!(trust(&case)["Statement"].as_array().map(Vec::len), Some(2));
    assert_eq!(trust(&case)["Statement"][1]["Sid"], json!("Theirs"));
}
