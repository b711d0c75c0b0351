//! Snapshot directories as people make them, call by call, lead to the same findings, and to changes that come back.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Program, read_json};

const WORLD: [&str; 4] = ["--snapshot", "world", "--output", "json"];

/// The world of a story, with its roles as the single calls of IAM print them.
fn call_by_call(story: &str) -> (Program, Value) {
    let program = Program::new();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans").join(story).join("world");
    let from_text = from.to_str().expect("UTF-8");
    let before = program.run(&["diagnose", "--snapshot", from_text, "--output", "json"]).expect(0).json();
    let world = program.home().join("world");
    fs::create_dir(&world).unwrap();
    for file in fs::read_dir(&from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), world.join(file.file_name())).unwrap();
    }
    let roles = read_json(&world.join("roles.json"));
    fs::remove_file(world.join("roles.json")).unwrap();
    let write = |name: String, value: Value| {
        fs::write(world.join(name), serde_json::to_string_pretty(&value).unwrap()).unwrap();
    };
    for mut role in roles["RoleDetailList"].as_array().unwrap().iter().cloned() {
        let name = role["RoleName"].as_str().unwrap().to_owned();
        let fields = role.as_object_mut().unwrap();
        let attached = fields.remove("AttachedManagedPolicies").unwrap();
        let inline = fields.remove("RolePolicyList").unwrap_or(json!([]));
        let inline = inline.as_array().unwrap();
        let names: Vec<&Value> = inline.iter().map(|policy| &policy["PolicyName"]).collect();
        write(format!("list-attached-role-policies-{name}.json"), json!({ "AttachedPolicies": attached }));
        write(format!("list-role-policies-{name}.json"), json!({ "PolicyNames": names }));
        for policy in inline {
            let (of, document) = (&policy["PolicyName"], &policy["PolicyDocument"]);
            let name = format!("{name}-{}.json", of.as_str().unwrap());
            write(
                name,
                json!({ "RoleName": role["RoleName"], "PolicyName": of, "PolicyDocument": document }),
            );
        }
        write(format!("get-role-{name}.json"), json!({ "Role": role }));
    }
    (program, before)
}

#[test]
fn roles_as_single_calls_print_them_lead_to_the_same_findings() {
    for story in ["node-role-missing-ecr-policy", "fargate-exec-role-trust", "permissions-boundary-blocks"] {
        let (program, before) = call_by_call(story);
        let diagnosis = program.run(&[&["diagnose"], &WORLD[..]].concat()).expect(0).json();
        for part in ["findings", "pull_paths", "summary"] {
            assert_eq!(diagnosis[part], before[part], "{story}");
        }
    }
}

#[test]
fn roles_as_single_calls_print_them_can_be_mended_and_restored() {
    for story in ["node-role-missing-ecr-policy", "fargate-exec-role-trust"] {
        let (program, _) = call_by_call(story);
        let findings = || {
            let diagnosis = program.run(&[&["diagnose"], &WORLD[..]].concat()).expect(0).json();
            diagnosis["findings"].as_array().unwrap().len()
        };
        let before = findings();
        program.run(&[&["apply", "--yes"], &WORLD[..]].concat()).expect(0);
        assert_eq!(findings(), 0, "{story}");
        program.run(&[&["rollback", "--yes"], &WORLD[..]].concat()).expect(0);
        assert_eq!(findings(), before, "{story}");
    }
}

/// What a role may do is not known as long as one of its lists is missing.
#[test]
fn a_role_of_which_a_list_is_missing_is_neither_healthy_nor_broken() {
    for list in ["list-attached-role-policies-demo-node.json", "list-role-policies-demo-node.json"] {
        let (program, _) = call_by_call("node-role-missing-ecr-policy");
        fs::remove_file(program.home().join("world").join(list)).unwrap();
        let diagnosis = program.run(&[&["diagnose"], &WORLD[..]].concat()).expect(0).json();
        assert_eq!(diagnosis["summary"]["verdict"], "inconclusive", "without {list}: {diagnosis:#}");
        assert_eq!(diagnosis["findings"], json!([]), "without {list}");
    }
}
