//! `--namespace`, `--pod`, `--source` and `--image`: less is judged, and that is said.

use std::fs;

use serde_json::{Value, json};

use crate::sandbox::Sandbox;

const APP: &str = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1";
const OTHER: &str = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/other:v1";

/// The story of the demo, where both sources lack permissions, with two pods that wait for a node.
fn cluster() -> Sandbox {
    let sandbox = Sandbox::new();
    let pod = |namespace: &str, name: &str, image: &str| {
        json!({ "kind": "Pod", "apiVersion": "v1", "metadata": { "namespace": namespace, "name": name },
            "spec": { "containers": [{ "name": "app", "image": image }] }, "status": { "phase": "Pending" } })
    };
    let pods = json!({ "kind": "List", "apiVersion": "v1", "items": [pod("shop", "web-1", APP), pod("jobs", "nightly", OTHER)] });
    fs::write(sandbox.program.home().join("world/pods.json"), pods.to_string()).unwrap();
    sandbox
}

fn images(diagnosis: &Value) -> Vec<&str> {
    let mut images: Vec<&str> = diagnosis["pull_paths"]
        .as_array()
        .unwrap()
        .iter()
        .map(|path| path["image"].as_str().unwrap())
        .collect();
    images.sort_unstable();
    images.dedup();
    images
}

#[test]
fn less_is_judged_and_that_is_said() {
    let sandbox = cluster();
    let whole = sandbox.run(&["diagnose"]).expect(0).json();
    assert!(whole["narrowed"].is_null() && images(&whole).len() == 3, "{whole:#}");
    for arguments in
        [&["--namespace", "shop"][..], &["--pod", "web-*"], &["--pod", "shop/web-1"], &["--image", APP]]
    {
        let part = sandbox.run(&[&["diagnose"], arguments].concat()).expect(0).json();
        assert_eq!(images(&part), [APP], "{arguments:?}");
        assert!(part["narrowed"]["left_out"].as_u64().unwrap() > 0, "{part:#}");
        let shown =
            sandbox.program.run(&[&["diagnose", "--snapshot", "world"], arguments].concat()).expect(0);
        let third = shown.stdout.lines().nth(2).unwrap();
        assert!(third.starts_with("NARROWED to "), "{shown}");
    }
    let beside = sandbox.run(&["diagnose", "--image", &APP.replace("v1", "v2")]).expect(0).json();
    assert_eq!(images(&beside).len(), 4, "what no pod pulls is judged beside the rest: {beside:#}");
    assert!(beside["narrowed"].is_null());
}

#[test]
fn what_fits_nothing_is_an_error_that_lists_what_there_is() {
    let sandbox = cluster();
    for (arguments, there) in [
        (["--namespace", "shup"], "shop"),
        (["--pod", "web-2"], "shop/web-1"),
        (["--source", "nodes"], "nodegroup/workers"),
    ] {
        let outcome = sandbox.run(&[&["plan"], &arguments[..]].concat()).expect(1);
        assert_eq!(outcome.error_code(), "not_found");
        assert!(outcome.json()["error"]["hint"].as_str().unwrap().contains(there), "{outcome}");
    }
}

/// The pod is replaced while the plan is applied: what the plan was for is looked at all the same.
#[test]
fn a_narrowed_plan_mends_what_was_asked_for_and_is_verified() {
    let sandbox = cluster();
    let plan = sandbox.run(&["plan", "--source", "workers", "--out", "plan.json"]).expect(0).json();
    let kinds: Vec<&Value> =
        plan["actions"].as_array().unwrap().iter().map(|action| &action["kind"]).collect();
    assert_eq!(kinds, ["attach-role-policy"], "nothing for Fargate: {plan:#}");
    assert_eq!(plan["scope"]["only"]["sources"], json!(["workers"]));
    sandbox.run(&["apply", "plan.json", "--yes"]).expect(0);

    let pods = sandbox.program.home().join("world/pods.json");
    sandbox.run(&["plan", "--pod", "nightly", "--out", "pod.json"]).expect(0);
    fs::write(&pods, fs::read_to_string(&pods).unwrap().replace("nightly", "nightly-2")).unwrap();
    sandbox.run(&["apply", "pod.json", "--yes"]).expect(0);
}

#[test]
fn a_saved_plan_is_not_narrowed_any_more() {
    let sandbox = Sandbox::planned();
    sandbox.run(&["apply", "plan.json", "--source", "workers", "--yes"]).expect(64);
}

/// Endpoints are for all of a VPC, also for pulls that nobody asked about.
#[test]
fn a_narrowed_plan_blocks_no_pull_beside_it() {
    let sandbox = Sandbox::new();
    let world = concat!(env!("CARGO_MANIFEST_DIR"), "/plans/working-pull-spared/world");
    let plan = sandbox
        .program
        .run(&["plan", "--snapshot", world, "--source", "workers", "--output", "json"])
        .expect(0)
        .json();
    let kinds: Vec<&Value> = plan["actions"].as_array().unwrap().iter().map(|a| &a["summary"]).collect();
    assert_eq!(kinds, ["make the gateway endpoint for S3 in vpc-0demo"]);
    let left = plan["not_fixed"].as_array().unwrap();
    assert_eq!(left.len(), 2);
    for left in left {
        let because = left["because"].as_str().unwrap();
        assert!(because.contains("such as nodegroup/batch <- "), "{because}");
        assert!(because.ends_with("a plan for all pulls may mend both"), "{because}");
    }
}
