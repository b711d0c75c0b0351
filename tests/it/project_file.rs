//! `ecr-fix.toml`: what it can say, who wins, and that nothing in it makes a write happen.

use std::fs;

use serde_json::Value;

use crate::support::{Case, Outcome};

/// Without a flag for the world: it comes from a file, or from nowhere.
fn run(case: &Case, arguments: &[&str]) -> Outcome {
    case.run(arguments)
}

fn write(case: &Case, name: &str, text: &str) {
    fs::write(case.operator.home().join(name), text).unwrap();
}

/// What the scenario needs to be read whole.
fn whole(case: &Case) -> String {
    let (cluster, scenario) = (case.scenario.cluster(), &case.scenario);
    let images = scenario.document["images"].clone();
    let (account, role) = (scenario.text("/registry_account"), scenario.text("/registry_role"));
    format!("cluster = \"{cluster}\"\nimages = {images}\n[account_roles]\n{account} = \"{role}\"\n")
}

fn paths(diagnosis: &Value) -> usize {
    diagnosis["pull_paths"].as_array().expect("pull paths").len()
}

#[test]
fn a_project_says_once_what_every_command_needs() {
    let case = Case::build("healthy");
    let flags: Vec<String> = case.images();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let by_flags = case.live("diagnose", &flags).expect(0).json();
    write(&case, "ecr-fix.toml", &whole(&case));
    let outcome = run(&case, &["diagnose"]).expect(0);
    assert_eq!(outcome.json(), by_flags, "{outcome}");
    assert!(outcome.stderr.contains("from ecr-fix.toml: account_roles, cluster, images"), "{outcome}");
    // A flag wins, and says all there is to say of its list.
    let one = case.live("diagnose", &["--image", flags[1]]).expect(0).json();
    assert!(paths(&one) < paths(&by_flags), "{one:#}");
    let missing = run(&case, &["diagnose", "--cluster", "other"]).expect(1);
    assert_eq!(missing.error_code(), "not_found");
    // Another file instead of this one, or none.
    write(&case, "other.toml", "cluster = \"other\"");
    assert_eq!(run(&case, &["diagnose", "--config", "other.toml"]).expect(1).error_code(), "not_found");
    assert_eq!(run(&case, &["diagnose", "--config", "/dev/null"]).expect(64).error_code(), "usage");
    assert_eq!(run(&case, &["diagnose", "--config", "absent.toml"]).expect(1).error_code(), "bad_input");
}

#[test]
fn the_environment_wins_over_the_file() {
    let mut case = Case::build("healthy");
    write(&case, "ecr-fix.toml", "cluster = \"other\"");
    assert_eq!(run(&case, &["diagnose"]).expect(1).error_code(), "not_found");
    let cluster = case.scenario.cluster().to_owned();
    case.operator = case.operator.env("ECR_FIX_CLUSTER", &cluster);
    run(&case, &["diagnose"]).expect(0);
}

#[test]
fn a_file_that_cannot_be_used_is_an_error_with_its_line() {
    let case = Case::build("healthy");
    for (text, line) in
        [("cluster = \"a\"\nregoin = \"b\"", "line 2"), ("a b", "line 1"), ("\ntimeout = 3", "line 2")]
    {
        write(&case, "ecr-fix.toml", text);
        let outcome = run(&case, &["plan"]).expect(1);
        assert_eq!(outcome.error_code(), "bad_input", "{outcome}");
        assert!(outcome.stdout.contains(line) && outcome.stdout.contains("ecr-fix.toml"), "{outcome}");
    }
    // What reads no world does not read it, and a plan that was made says itself what it is about.
    run(&case, &["explain", "vpce-s3-missing"]).expect(0);
}

#[test]
fn nothing_in_a_file_makes_a_write_happen() {
    let case = Case::planned("node-role-no-ecr");
    for key in [
        "yes = true",
        "auto_approve = true",
        "require_approval = \"x\"",
        "allow_internet_egress = true",
        "expect_digest = \"x\"",
        "state = \"x\"",
        "snapshot = \"x\"",
        "read_pull_secrets = true",
        "on_failure = \"stop\"",
    ] {
        write(&case, "ecr-fix.toml", key);
        assert_eq!(run(&case, &["apply", "plan.json"]).expect(1).error_code(), "bad_input", "{key}");
    }
    write(&case, "ecr-fix.toml", &whole(&case));
    run(&case, &["apply"]).expect(10);
    run(&case, &["apply", "plan.json"]).expect(10);
    assert_eq!(case.writes(), [""; 0]);
    // A plan that was made is about what it says, whatever the file says now.
    write(&case, "ecr-fix.toml", "cluster = \"other\"\nregion = \"us-west-2\"");
    run(&case, &["apply", "plan.json", "--yes"]).expect(0);
    run(&case, &["rollback", "--yes"]).expect(0);
}
