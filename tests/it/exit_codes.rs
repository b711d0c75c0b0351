//! The exit-code table of the contract: commands, formats, outcomes.

use crate::support::{Case, Outcome, Program};

/// Runs a command as text and as JSON, and demands one exit code of both, and in JSON one document.
#[track_caller]
fn both(program: &Program, arguments: &[&str], code: i32) -> [Outcome; 2] {
    let text = program.run(arguments).expect(code);
    if ![0, 2, 11, 20].contains(&code) {
        // Only what asks for approval has shown first what it is about.
        assert_eq!(text.stdout.is_empty(), code != 10, "an error is no answer\n{text}");
        assert!(text.stderr.contains("error: ") && text.stderr.contains("hint: "), "{text}");
    }
    let json = program.run(&[arguments, &["--output", "json"]].concat()).expect(code);
    let is_error = json.json().get("error").is_some();
    assert_eq!(is_error, ![0, 2, 11, 20].contains(&code), "{json}");
    if is_error {
        json.error_code();
    }
    [text, json]
}

#[test]
fn usage_errors() {
    let program = Program::new();
    for arguments in [
        &[][..],
        &["no-such-command"],
        &["diagnose", "--no-such-flag"],
        &["apply", "--expect-digest"],
        &["runs"],
        &["runs", "no-such-verb"],
        &["show"],
        &["explain", "--output", "yaml"],
    ] {
        let outcome = program.run(arguments).expect(64);
        assert_eq!(outcome.stdout, "", "{outcome}");
        let with_variable = Program::new().env("ECR_FIX_OUTPUT", "json").run(arguments).expect(64);
        if !arguments.contains(&"yaml") {
            assert_eq!(with_variable.error_code(), "usage");
        }
    }
}

#[test]
fn answers() {
    let program = Program::new();
    for arguments in [&["--version"][..], &["--help"], &["diagnose", "--help"], &["apply", "--help"]] {
        let outcome = program.run(arguments).expect(0);
        assert!(!outcome.stdout.is_empty() && outcome.stderr.is_empty(), "{outcome}");
    }
    both(&program, &["runs", "list"], 0);
}

#[test]
fn offline_errors() {
    let program = Program::new();
    for arguments in [
        &["show", "nothing.json"][..],
        &["apply", "nothing.json", "--yes"],
        &["diagnose", "--snapshot", "nowhere"],
        &["plan", "--snapshot", "nowhere"],
        &["runs", "show", "nothing"],
        &["runs", "verify", "nothing"],
        &["rollback", "nothing", "--yes"],
        &["rollback", "--yes"],
    ] {
        both(&program, arguments, 1);
    }
}

#[test]
fn a_broken_cluster() {
    let case = Case::shared();
    let cluster = ["--cluster", case.scenario.cluster()];
    let with = |words: &[&'static str]| [words, &cluster].concat();
    let program = &case.operator;
    both(program, &with(&["diagnose"]), 0);
    both(program, &with(&["diagnose", "--detailed-exitcode"]), 2);
    both(program, &with(&["plan"]), 0);
    both(program, &with(&["plan", "--detailed-exitcode"]), 2);
    both(program, &with(&["apply"]), 10);
    both(program, &["apply", "plan.json"], 10);
    both(program, &["apply", "plan.json", "--yes", "--expect-digest", "sha256:0"], 12);
    both(program, &["show", "plan.json"], 0);
    both(program, &["diagnose", "--cluster", "no-such-cluster"], 1);
    assert_eq!(case.writes(), [""; 0]);
}

#[test]
fn quiet_means_nothing_but_the_answer() {
    let case = Case::shared();
    let outcome = case.live("diagnose", &["--quiet"]).expect(0);
    assert_eq!(outcome.stderr, "", "{outcome}");
}

#[test]
fn a_cluster_without_a_fault() {
    let case = Case::build("healthy");
    let cluster = ["--cluster", case.scenario.cluster()];
    let with = |words: &[&'static str]| [words, &cluster].concat();
    for words in [&["diagnose"][..], &["diagnose", "--detailed-exitcode"], &["plan", "--detailed-exitcode"]] {
        both(&case.operator, &with(words), 0);
    }
    both(&case.operator, &with(&["apply", "--yes"]), 0);
}
