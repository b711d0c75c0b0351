//! Somebody, or the machine, stops a run: what was done is known and can be undone.

use std::time::Duration;

use serde_json::Value;

use crate::support::{Case, Fault, Times, assert_same_state, runs_in};

const APPLY: [&str; 3] = ["apply", "plan.json", "--yes"];

#[test]
fn control_c_at_the_prompt() {
    let case = Case::planned("node-role-no-ecr");
    let mut running = case.operator.on_terminal(&["apply", "plan.json"]);
    running.wait_for("explain");
    running.type_in("\x03");
    running.finish().expect(130);
    assert_eq!(case.writes(), [""; 0]);
}

#[test]
fn the_answer_is_no() {
    let case = Case::planned("node-role-no-ecr");
    // Enter alone, yes without the name, and another name.
    for answer in ["no\r", "\rno\r", "yes\rno\r", "yes\r\r", "another-cluster\r"] {
        let mut running = case.operator.on_terminal(&["apply", "plan.json"]);
        running.wait_for("explain");
        running.type_in(answer);
        let outcome = running.finish().expect(10);
        assert_eq!(case.writes(), [""; 0], "{answer:?} is no consent\n{outcome}");
    }
}

#[test]
fn control_d_at_the_prompt_is_no_answer() {
    let case = Case::planned("node-role-no-ecr");
    let mut running = case.operator.on_terminal(&["apply", "plan.json"]);
    running.wait_for("explain");
    running.type_in("\x04");
    std::thread::sleep(Duration::from_millis(200));
    running.type_in("\x03");
    let outcome = running.finish();
    assert!([10, 130].contains(&outcome.code), "{outcome}");
    assert_eq!(case.writes(), [""; 0]);
}

#[test]
fn the_typed_name_of_the_cluster_is_consent() {
    let case = Case::planned("node-role-no-ecr");
    let before = case.state();
    let mut running = case.operator.on_terminal(&["apply", "plan.json"]);
    running.wait_for("explain");
    let shown = running.shown();
    for known in [case.scenario.account(), case.scenario.region(), case.scenario.cluster(), "-operator"] {
        assert!(shown.contains(known), "{known} must be shown before the question\n{shown}");
    }
    running.type_in("explain\r");
    running.type_in(&format!("{}\r", case.scenario.cluster()));
    running.finish().expect(0);
    assert_eq!(case.writes(), ["iam:AttachRolePolicy"]);
    case.roll_back_to(&before);
}

#[test]
fn a_signal_in_the_middle_of_apply_lets_the_write_finish() {
    for signal in ["INT", "TERM"] {
        let case = Case::planned("node-role-no-ecr");
        let before = case.state();
        case.proxy.rule("iam:AttachRolePolicy", Times::Always, Fault::Delay(Duration::from_secs(1)));
        let running = case.operator.start(&[&APPLY[..], &["--output", "json"]].concat());
        case.proxy.wait_for("iam:AttachRolePolicy", 1);
        running.signal(signal);
        let outcome = running.finish().expect(130);
        assert_eq!(outcome.error_code(), "interrupted");
        let run = case.operator.runs().swap_remove(0);
        let shown = case.run(&["runs", "show", run.file_name().unwrap().to_str().unwrap()]).expect(0).json();
        // The only change was in flight, and it was finished.
        assert_eq!(shown["state"], "applied", "{shown:#}");
        assert_eq!(shown["chain"], "intact", "{shown:#}");
        case.roll_back_to(&before);
    }
}

#[test]
fn control_c_on_the_terminal_in_the_middle_of_apply() {
    let case = Case::planned("fargate-trust");
    let before = case.state();
    case.proxy.rule("iam:UpdateAssumeRolePolicy", Times::Nth(1), Fault::Delay(Duration::from_secs(1)));
    let mut running = case.operator.on_terminal(&APPLY);
    case.proxy.wait_for("iam:UpdateAssumeRolePolicy", 1);
    running.type_in("\x03");
    let outcome = running.finish().expect(130);
    assert!(outcome.stderr.contains("ecr-fix rollback"), "how to undo it is not said\n{outcome}");
    case.roll_back_to(&before);
}

#[test]
fn a_signal_before_the_first_write_changes_nothing() {
    let case = Case::planned("node-role-no-ecr");
    case.proxy.rule("iam:*", Times::Nth(1), Fault::Delay(Duration::from_secs(1)));
    let running = case.operator.start(&APPLY);
    case.proxy.wait_for("iam:*", 1);
    running.signal("INT");
    running.finish().expect(130);
    assert_eq!(case.writes(), [""; 0]);
}

#[test]
fn the_intent_is_on_disk_before_the_request_leaves() {
    let case = Case::planned("node-role-no-ecr");
    let before = case.state();
    let (tell, told) = std::sync::mpsc::channel();
    let state = case.operator.state();
    let look = Fault::meanwhile(move |request| {
        let run = runs_in(&state).pop().expect("a run");
        let journal = std::fs::read_to_string(run.join("journal.jsonl")).expect("a journal");
        let event: Value = serde_json::from_str(journal.lines().last().expect("a line")).expect("JSON");
        tell.send(format!("{}: {} {}", request.action, event["event"], event["action"])).expect("a listener");
    });
    case.proxy.rule("writes", Times::Always, look);
    case.run(&APPLY).expect(0);
    case.roll_back_to(&before);
    case.proxy.calm();
    let seen: Vec<String> = told.iter().collect();
    assert_eq!(
        seen,
        [r#"AttachRolePolicy: "intended" "a1""#, r#"DetachRolePolicy: "revert-intended" "a1""#,]
    );
}

#[test]
fn power_is_lost_at_the_write() {
    // Before AWS sees the request, and after it was carried out.
    for fault in [Fault::Drop, Fault::LoseAnswer] {
        let case = Case::planned("node-role-no-ecr");
        let before = case.state();
        case.proxy.rule("iam:AttachRolePolicy", Times::Nth(1), Fault::Delay(Duration::from_millis(500)));
        case.proxy.rule("iam:AttachRolePolicy", Times::Nth(1), fault);
        let running = case.operator.start(&APPLY);
        case.proxy.wait_for("iam:AttachRolePolicy", 1);
        running.signal("KILL");
        running.finish().expect(128 + 9);
        std::thread::sleep(Duration::from_secs(1));
        let run = case.operator.runs().swap_remove(0);
        let shown = case.run(&["runs", "show", run.file_name().unwrap().to_str().unwrap()]).expect(0).json();
        assert_eq!(shown["chain"], "intact", "{shown:#}");
        // The lock of a process that is gone does not stand in the way.
        case.roll_back_to(&before);
    }
}

#[test]
fn a_signal_in_the_middle_of_rollback() {
    let case = Case::planned("node-role-no-ecr");
    let before = case.state();
    case.run(&APPLY).expect(0);
    case.proxy.rule("iam:DetachRolePolicy", Times::Nth(1), Fault::Delay(Duration::from_secs(1)));
    let running = case.operator.start(&["rollback", "--yes"]);
    case.proxy.wait_for("iam:DetachRolePolicy", 1);
    running.signal("INT");
    // The write in flight was the last one, so all is done, and still somebody asked to stop.
    let stopped = running.finish().expect(130);
    assert!(stopped.stderr.contains("taken back completely"), "{stopped}");
    let again = case.run(&["rollback", "--yes"]);
    again.json();
    assert_same_state(&before, &case.state());
}
