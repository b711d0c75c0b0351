//! `explain`: messages, streams, manuals, and what is wrong with the question.

use serde_json::Value;

use crate::support::Program;

const SILENT: &str = "Failed to pull image \"111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/app:v1\": failed to do request: \
    Head \"https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/team/app/manifests/v1\": dial tcp 10.0.3.7:443: i/o timeout";

fn first_causes(document: &Value) -> Vec<&str> {
    let messages = document["messages"].as_array().expect("messages");
    messages.iter().filter_map(|message| message["causes"][0]["id"].as_str()).collect()
}

#[test]
fn one_message_is_one_document() {
    let document = Program::new().run(&["explain", SILENT, "-o", "json"]).expect(0).json();
    assert_eq!(document["format_version"], "1.0");
    assert_eq!(document["in_scope"], true);
    assert_eq!(document["runtime"], "containerd");
    assert_eq!(document["image"]["repository"], "team/app");
    assert_eq!(document["image"]["digest"], Value::Null);
    assert_eq!(document["causes"][0]["id"], "vpce-sg-blocks-443");
    assert_eq!(document["causes"][0]["likelihood"], "likely");
    assert!(
        document["causes"][0]["because"].as_str().unwrap().contains("dial tcp 10.0.3.7:443: i/o timeout")
    );
}

#[test]
fn piped_messages_are_always_a_list() {
    let program = Program::new();
    let lines = format!("{SILENT}\n\nError: ImagePullBackOff\n");
    let answer = program.run_with_input(&["explain", "-", "-o", "json"], &lines).expect(0);
    assert_eq!(first_causes(&answer.json()), ["vpce-sg-blocks-443", "backoff-no-cause"]);
    let one = program.run_with_input(&["explain", "-", "-o", "json"], SILENT).expect(0);
    assert_eq!(first_causes(&one.json()), ["vpce-sg-blocks-443"]);
    let none = program.run_with_input(&["explain", "-", "-o", "json"], "").expect(0);
    assert_eq!(none.json()["messages"], serde_json::json!([]));
}

#[test]
fn events_in_json_keep_their_order() {
    let events = serde_json::json!({"kind": "List", "items": [
        {"kind": "Event", "type": "Normal", "reason": "Pulling", "message": "Pulling image \"app\""},
        {"kind": "Event", "type": "Warning", "reason": "Failed", "message": SILENT},
        {"kind": "Event", "type": "Normal", "reason": "BackOff", "message": "Back-off pulling image \"app\""},
    ]});
    let answer =
        Program::new().run_with_input(&["explain", "-", "-o", "json"], &events.to_string()).expect(0);
    assert_eq!(first_causes(&answer.json()), ["vpce-sg-blocks-443", "backoff-no-cause"]);
}

#[test]
fn a_torn_document_is_one_document_with_an_error() {
    let answer = Program::new()
        .run_with_input(&["explain", "-", "-o", "json"], "{\"items\": [{\"message\": \"EOF\"}, ");
    let document = answer.expect(1).json();
    assert_eq!(document["messages"].as_array().map(Vec::len), Some(1));
    assert_eq!(document["error"]["code"], "bad_input");
}

#[test]
fn manuals_and_the_list() {
    let program = Program::new();
    for id in ["node-role-missing-ecr-policy", "fargate-exec-role-missing-policy", "fargate-exec-role-trust"]
    {
        assert!(program.run(&["explain", id]).expect(0).stdout.starts_with(id));
        let document = program.run(&["explain", id, "-o", "json"]).expect(0).json();
        assert_eq!(document["id"], id);
        assert_eq!(document["remedy"], "automatic");
        assert!(document["manual"].as_str().unwrap().contains("## What the fix does"));
    }
    let list = program.run(&["explain", "--list", "-o", "json"]).expect(0).json();
    assert!(list["causes"].as_array().unwrap().len() > 100);
}

#[test]
fn bad_questions() {
    let program = Program::new();
    let unknown = program.run(&["explain", "node-role-missing-policy", "-o", "json"]).expect(1);
    assert_eq!(unknown.error_code(), "not_found");
    assert!(unknown.stdout.contains("node-role-missing-ecr-policy"), "{unknown}");
    assert_eq!(program.run(&["explain", "", "-o", "json"]).expect(64).error_code(), "usage");
    assert_eq!(
        program.run(&["explain", "x", "--cluster-account", "1", "-o", "json"]).expect(64).error_code(),
        "usage"
    );
}

#[test]
fn many_lines_stream_through() {
    let lines = format!("{SILENT}\n").repeat(20_000);
    let answer = Program::new().run_with_input(&["explain", "-", "-o", "json"], &lines).expect(0);
    assert_eq!(first_causes(&answer.json()).len(), 20_000);
}
