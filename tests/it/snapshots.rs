//! Snapshots: what was saved tells the same as the live world, whoever saved it, and holds no secret.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::reading::no_verdict_turned;
use crate::support::emulator::python_home;
use crate::support::{Case, Fault, Times, read_json};

fn live(case: &Case, command: &str, arguments: &[String]) -> Value {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    case.live(command, &arguments).expect(0).json()
}

/// A plan without its times and what depends on them.
fn timeless(mut plan: Value) -> String {
    for field in ["created_at", "expires_at", "digest"] {
        plan.as_object_mut().expect("a plan").remove(field).expect(field);
    }
    serde_json::to_string_pretty(&plan).unwrap()
}

#[test]
fn a_plan_from_a_snapshot_is_the_live_plan() {
    for kind in ["healthy-private", "kitchen-sink", "cross-account-repo"] {
        let case = Case::build(kind);
        let images = case.images();
        let plan = timeless(live(&case, "plan", &images));
        let out = ["--out".to_owned(), "saved".to_owned()];
        let saved = live(&case, "snapshot", &[images.as_slice(), &out].concat());
        assert_eq!(saved["unread"], Value::Array(vec![]), "{kind}");
        case.proxy.forget();
        let directory = ["--snapshot".to_owned(), "saved".to_owned()];
        let again = timeless(live(&case, "plan", &[images.as_slice(), &directory].concat()));
        assert_eq!(again, plan, "{kind}");
        assert_eq!(case.proxy.count("*"), 0, "a snapshot is read without AWS");
    }
}

/// Taking a key away makes the verdict of a leg less certain, never different. Which cause a blocked leg has may look
/// different then: that is not tested here.
#[test]
fn a_key_that_is_missing_never_turns_a_verdict() {
    for kind in ["healthy-private", "kitchen-sink"] {
        let case = Case::build(kind);
        let images = case.images();
        let out = ["--out".to_owned(), "saved".to_owned()];
        live(&case, "snapshot", &[images.as_slice(), &out].concat());
        let directory = ["--snapshot".to_owned(), "saved".to_owned()];
        let diagnose = [images.as_slice(), &directory].concat();
        let whole = live(&case, "diagnose", &diagnose);
        let saved = case.operator.home().join("saved");
        let about = read_json(&saved.join("snapshot.json"));
        for key in about["keys"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()) {
            // Without a cluster there is nothing to diagnose. A directory without node groups or profiles is one of a
            // cluster that has none: where they could not be read, `unread` says so.
            if ["cluster", "nodegroup", "fargateProfile"].contains(&key) {
                continue;
            }
            let hidden: Vec<_> = fs::read_dir(&saved)
                .unwrap()
                .map(|file| file.unwrap().path())
                .filter(|file| file.file_name().unwrap() != "snapshot.json")
                .filter(|file| read_json(file).get(key).is_some())
                .collect();
            for file in &hidden {
                fs::rename(file, file.with_extension("hidden")).unwrap();
            }
            let mut without = about.clone();
            without["keys"].as_array_mut().unwrap().retain(|other| other != key);
            fs::write(saved.join("snapshot.json"), without.to_string()).unwrap();
            let part = live(&case, "diagnose", &diagnose);
            no_verdict_turned(&format!("{kind} without {key}"), &whole, &part);
            for file in &hidden {
                fs::rename(file.with_extension("hidden"), file).unwrap();
            }
        }
    }
}

#[test]
fn what_was_refused_is_refused_in_the_snapshot_too() {
    let case = Case::build("kitchen-sink");
    for call in ["ec2:DescribeRouteTables", "iam:ListAttachedRolePolicies", "ecr:DescribeImages"] {
        case.proxy.rule(call, Times::Always, Fault::Deny);
    }
    let images = case.images();
    let plan = timeless(live(&case, "plan", &images));
    let out = ["--out".to_owned(), "saved".to_owned()];
    live(&case, "snapshot", &[images.as_slice(), &out].concat());
    let directory = ["--snapshot".to_owned(), "saved".to_owned()];
    assert_eq!(timeless(live(&case, "plan", &[images.as_slice(), &directory].concat())), plan);
}

#[test]
fn a_registry_of_another_account_is_read_with_its_role_or_not_at_all() {
    let case = Case::build("healthy");
    let images = case.images();
    case.proxy.rule("sts:AssumeRole", Times::Always, Fault::Deny);
    for (arguments, because) in
        [(&images[..], "sts:AssumeRole: AccessDenied"), (&images[..images.len() - 2], "no role was named")]
    {
        let diagnosis = live(&case, "diagnose", arguments);
        let unread = diagnosis["unread"].as_array().expect("unread");
        let unread: Vec<&Value> = unread.iter().filter(|row| !is_never_read(row)).collect();
        let sources: Vec<&str> = unread.iter().map(|row| row["source"].as_str().unwrap()).collect();
        assert_eq!(
            sources,
            [
                "ecr:DescribeImages",
                "ecr:DescribePullThroughCacheRules",
                "ecr:DescribeRepositories",
                "ecr:GetRegistryPolicy",
                "ecr:GetRepositoryPolicy"
            ],
            "{diagnosis:#}"
        );
        for row in unread {
            assert!(row["because"].as_str().unwrap().contains(because), "{row}");
            assert!(row["resource"].as_str().unwrap().starts_with(case.scenario.text("/registry_account")));
        }
    }
    let wrong = case.live("diagnose", &["--account-role", "111122223333"]).expect(64);
    assert_eq!(wrong.error_code(), "usage");
}

#[test]
fn a_snapshot_is_whole_or_not_there() {
    let case = Case::build("healthy");
    let target = case.operator.home().join("saved");
    fs::create_dir(&target).unwrap();
    fs::write(target.join("mine.txt"), "mine").unwrap();
    assert_eq!(case.live("snapshot", &["--out", "saved"]).expect(1).error_code(), "storage");
    assert_eq!(fs::read_dir(&target).unwrap().count(), 1);
    case.proxy.rule("eks:DescribeCluster", Times::Always, Fault::Deny);
    assert_eq!(case.live("snapshot", &["--out", "other"]).expect(16).error_code(), "access_denied");
    assert!(!case.operator.home().join("other").exists());
    assert_eq!(case.live("snapshot", &[]).expect(64).error_code(), "usage");
}

/// Secrets where AWS keeps some, and in the environment of the process.
#[test]
fn a_snapshot_holds_no_secret() {
    let mut case = Case::build("healthy");
    case.operator =
        case.operator.env("AWS_SECRET_ACCESS_KEY", "CANARY-key").env("AWS_SESSION_TOKEN", "CANARY-token");
    crate::support::somebody_else(
        &case.scenario,
        r#"
ec2 = client("ec2")
for reservation in ec2.describe_instances()["Reservations"]:
    for instance in reservation["Instances"]:
        ec2.modify_instance_attribute(InstanceId=instance["InstanceId"], UserData={"Value": "Q0FOQVJZ"})"#,
    );
    case.live("snapshot", &["--out", "saved"]).expect(0);
    let outputs = [case.live("diagnose", &["-vv"]), case.live("plan", &["-vv"])];
    for outcome in &outputs {
        assert!(!outcome.stdout.contains("CANARY") && !outcome.stderr.contains("CANARY"), "{outcome}");
    }
    for file in fs::read_dir(case.operator.home().join("saved")).unwrap() {
        let file = file.unwrap().path();
        let text = fs::read_to_string(&file).unwrap();
        assert!(!text.contains("CANARY") && !text.contains("Q0FOQVJZ"), "{}", file.display());
    }
}

/// The script for whoever may not run ecr-fix, run with the real AWS CLI.
#[test]
fn the_script_saves_what_leads_to_the_same_findings() {
    let case = Case::build("kitchen-sink");
    let images = case.images();
    let script = case.operator.home().join("snapshot.sh");
    fs::write(&script, case.operator.run(&["snapshot", "script"]).expect(0).stdout).unwrap();
    // The other account's registry needs a profile of the AWS CLI, which a test does not have.
    let own: Vec<&str> = images.iter().filter(|image| image.contains("/web:")).map(String::as_str).collect();
    let output = Command::new("sh")
        .args([script.to_str().unwrap(), case.scenario.cluster(), "scripted"])
        .args(&own)
        .current_dir(case.operator.home())
        .env_clear()
        .envs(case.scenario.env())
        .env("AWS_ENDPOINT_URL", case.proxy.url())
        .env("AWS_MAX_ATTEMPTS", "1")
        .env("HOME", case.operator.home())
        .env("PATH", path_with_aws())
        .output()
        .expect("sh runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert_eq!(case.writes(), [""; 0], "the script only reads");
    let arguments: Vec<String> =
        own.iter().flat_map(|image| ["--image".to_owned(), (*image).to_owned()]).collect();
    let live_diagnosis = without_keys(live(&case, "diagnose", &arguments));
    let directory = ["--snapshot".to_owned(), "scripted".to_owned()];
    let scripted = live(&case, "diagnose", &[arguments.as_slice(), &directory].concat());
    assert_eq!(scripted, live_diagnosis, "{said}");
}

/// The script asks how repositories are encrypted, which would be a request more for each registry.
pub(crate) fn without_keys(mut diagnosis: Value) -> Value {
    let unread = diagnosis["unread"].as_array_mut().unwrap();
    unread.retain(|row| row["source"] != "kms:DescribeKey");
    diagnosis
}

fn path_with_aws() -> String {
    let bin = python_home();
    assert!(Path::new(&bin).join("aws").exists(), "{bin} has no aws: run `./test --setup`");
    format!("{bin}:/usr/bin:/bin")
}

/// What this version never looks at is said with every diagnosis.
fn is_never_read(row: &Value) -> bool {
    let source = row["source"].as_str().expect("a source");
    ["kms:", "kubernetes:", "organizations:", "route53:", "route53resolver:"]
        .iter()
        .any(|service| source.starts_with(service))
}
