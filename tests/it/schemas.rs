//! What programs read fits the schemas in `docs/schema`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Program, emulator::script};

fn schema(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema").join(format!("{name}.json"))
}

/// What does not fit, by the validator that is written by others.
fn complaints(pairs: &[(PathBuf, PathBuf)]) -> String {
    let mut validator = script("validate.py");
    validator.args(pairs.iter().flat_map(|(schema, document)| [schema, document]));
    let output = validator.output().expect("the validator runs");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let complaints = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(output.status.success(), complaints.is_empty());
    complaints
}

#[test]
fn every_document_fits_its_schema() {
    let program = Program::new();
    let story = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans/demo");
    let copied = ecr_fix::snapshot_dir::copy(&story.join("world"), Path::new(&program.file("world")));
    copied.expect("a copy of the world");
    let request = json!({
        "principal": "arn:aws:iam::111122223333:role/node", "action": "ecr:BatchGetImage",
        "resource": "arn:aws:ecr:eu-west-1:111122223333:repository/app", "identity_policies": [
            {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "ecr:*", "Resource": "*"}]}
        ]
    });
    fs::write(program.file("request.json"), request.to_string()).expect("a request");
    program.run(&["apply", "--snapshot", "world", "--sandbox-out", "changed", "--yes"]).expect(0);
    let runs = program.run(&["runs", "list", "-o", "json"]).expect(0).json();
    let run = runs["runs"][0]["run"].as_str().expect("a run");
    let world = ["--snapshot", "world", "-o", "json"];
    let message = "Failed to pull image \"111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1\": not found";
    let documents: [(&str, i32, Vec<&str>); 9] = [
        ("diagnosis", 0, [&["diagnose"], &world[..]].concat()),
        ("plan", 0, [&["plan"], &world[..]].concat()),
        ("explanation", 0, vec!["explain", message, "-o", "json"]),
        ("explanations", 0, vec!["explain", "-", "-o", "json"]),
        ("simulation", 0, vec!["simulate", "request.json", "-o", "json"]),
        ("error", 1, vec!["plan", "--snapshot", "nowhere", "-o", "json"]),
        ("error", 64, vec!["plan", "--no-such-flag", "-o", "json"]),
        ("error", 10, [&["apply"], &world[..]].concat()),
        ("run", 0, vec!["runs", "show", run, "-o", "json"]),
    ];
    let mut pairs = Vec::new();
    for (number, (name, code, arguments)) in documents.iter().enumerate() {
        let outcome = program
            .run_with_input(arguments, "first line: not found\nsecond line: 403 Forbidden\n")
            .expect(*code);
        let path = PathBuf::from(program.file(&format!("document-{number}.json")));
        fs::write(&path, outcome.json().to_string()).expect("a document");
        pairs.push((schema(name), path));
    }
    assert_eq!(complaints(&pairs), "");
}

#[test]
fn a_document_that_lacks_a_field_does_not_fit() {
    let program = Program::new();
    let story = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans/demo/plan.json");
    let mut plan: Value = serde_json::from_str(&fs::read_to_string(story).expect("a plan")).expect("JSON");
    plan["actions"][0].as_object_mut().expect("an action").remove("inverse");
    plan["diagnosis"]["summary"]["verdict"] = json!("splendid");
    let path = PathBuf::from(program.file("plan.json"));
    fs::write(&path, plan.to_string()).expect("a document");
    let said = complaints(&[(schema("plan"), path)]);
    assert!(said.contains("'inverse' is a required property"), "{said}");
    assert!(said.contains("splendid"), "{said}");
}
