//! `--output json-lines`: a program follows a run as it goes on.

use std::time::Duration;

use serde_json::Value;

use crate::sandbox::{Sandbox, WORLD};
use crate::support::{Case, Fault, Outcome, Program, Times};

fn lines(outcome: &Outcome) -> Vec<Value> {
    let read =
        |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{outcome}"));
    outcome.stdout.lines().map(read).collect()
}

fn types(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["type"].as_str().expect("a type")).collect()
}

#[test]
fn apply_and_rollback_line_by_line() {
    let sandbox = Sandbox::planned();
    let run = |words: &[&str]| sandbox.program.run(&[words, &WORLD, &["--output", "json-lines"]].concat());
    let applied = lines(&run(&["apply", "plan.json", "--yes"]).expect(0));
    let each = ["apply_start", "apply_complete"];
    assert_eq!(types(&applied), [&["version", "plan"], &each[..], &each, &each, &["summary"]].concat());
    assert_eq!(applied[0]["format_version"], "1.0");
    assert_eq!(applied[1]["actions"].as_array().map(Vec::len), Some(3));
    assert_eq!(applied[2]["action"], "a1");
    assert_eq!(applied[2]["way"], "forward");
    assert_eq!(applied[3]["state"], "applied");
    assert_eq!(applied[8]["state"], "applied");

    let back = lines(&run(&["rollback", "--yes"]).expect(0));
    assert_eq!(types(&back), [&["version", "plan"], &each[..], &each, &each, &["summary"]].concat());
    assert_eq!(back[2]["way"], "back");
    assert_eq!(back[8]["state"], "rolled-back");

    let refused = lines(&run(&["apply", "plan.json", "--yes"]).expect(12));
    assert_eq!(types(&refused), ["version", "summary"]);
    assert_eq!(refused[1]["error"]["code"], "stale_plan");
}

#[test]
fn a_refused_change_and_a_long_wait_are_told() {
    let case = Case::planned("node-role-no-ecr");
    case.proxy.rule("iam:AttachRolePolicy", Times::First(1), Fault::Delay(Duration::from_secs(11)));
    case.proxy.rule("iam:AttachRolePolicy", Times::First(1), Fault::Deny);
    let failed = case.operator.run(&["apply", "plan.json", "--yes", "--output", "json-lines"]).expect(16);
    let told = lines(&failed);
    let types = types(&told);
    assert_eq!(types[..3], ["version", "plan", "apply_start"], "{failed}");
    assert!(types.iter().filter(|kind| **kind == "apply_progress").count() >= 2, "{failed}");
    assert_eq!(types[types.len() - 2..], ["apply_errored", "summary"], "{failed}");
    assert_eq!(told[types.len() - 1]["error"]["code"], "access_denied");
}

#[test]
fn other_commands_have_nothing_to_follow() {
    let outcome = Program::new().run(&["runs", "list", "--output", "json-lines"]).expect(64);
    assert_eq!(types(&lines(&outcome)), ["summary"]);
    let wrong = Program::new().run(&["apply", "--no-such-flag", "--output", "json-lines"]).expect(64);
    assert_eq!(lines(&wrong)[0]["error"]["code"], "usage");
}

/// Nobody reads standard error, and a run goes on all the same.
#[test]
fn a_terminal_that_is_gone_does_not_end_a_run() {
    let sandbox = Sandbox::planned();
    let apply = [&["apply", "plan.json", "--yes"], &WORLD[..]].concat();
    sandbox.program.start_limited("-n 1000; exec 2>/dev/full", &apply).finish().expect(0);
    sandbox.check_way_back("with nobody to tell");
}
