//! The records of runs: what they say, for how long they can be read, and who may keep them.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::sandbox::Sandbox;
use crate::support::{Case, Outcome, Program};

fn latest(program: &Program) -> String {
    program.runs().pop().unwrap().file_name().unwrap().to_str().unwrap().to_owned()
}

fn json(program: &Program, arguments: &[&str]) -> Outcome {
    program.run(&[arguments, &["--output", "json"]].concat())
}

#[test]
fn why_a_run_was_made_is_on_record_and_in_cloudtrail() {
    let case = Case::planned("node-role-no-ecr");
    let reasons =
        ["--reason", "prod is down", "--ticket", "INC-7", "--approved-by", "bob", "--approved-by", "eve"];
    case.run(&[&["apply", "plan.json", "--yes"], &reasons[..]].concat()).expect(0);
    let run = case.latest_run();
    let shown = case.run(&["runs", "show", &run]).expect(0).json();
    assert_eq!(shown["reason"], "prod is down");
    assert_eq!(shown["ticket"], "INC-7");
    assert_eq!(shown["approved_by"], serde_json::json!(["bob", "eve"]));
    let requests = case.proxy.requests();
    let write = requests.iter().find(|request| !request.reads()).expect("a write");
    let head = String::from_utf8_lossy(write.raw()).to_lowercase();
    assert!(
        head.contains(&format!("app/ecr-fix-{run}").to_lowercase()),
        "the user agent names the run\n{head}"
    );
    case.proxy.forget();
    case.run(&["rollback", "--yes"]).expect(0);
    let requests = case.proxy.requests();
    let write = requests.iter().find(|request| !request.reads()).expect("a write");
    let head = String::from_utf8_lossy(write.raw()).to_lowercase();
    assert!(head.contains(&format!("app/ecr-fix-{run}").to_lowercase()), "{head}");
}

#[test]
fn a_record_leaves_the_machine_with_or_without_names() {
    let sandbox = Sandbox::planned();
    sandbox.run(&["apply", "plan.json", "--yes", "--approved-by", "bob"]).expect(0);
    let run = latest(&sandbox.program);
    let whole = json(&sandbox.program, &["runs", "export", &run]).expect(0);
    let document = whole.json();
    assert_eq!(document["record"]["run"], run.as_str());
    assert_eq!(document["plan"]["digest"], document["record"]["plan_digest"]);
    assert_eq!(document["journal"].as_array().map(Vec::len), Some(8));
    assert!(whole.stdout.contains("111122223333") && whole.stdout.contains("bob"));
    let redacted = json(&sandbox.program, &["runs", "export", &run, "--redact"]).expect(0);
    assert_eq!(redacted.json()["redacted"], true);
    for secret in ["111122223333", "bob", sandbox.program.home().to_str().unwrap()] {
        assert!(!redacted.stdout.contains(secret), "{secret}\n{redacted}");
    }
}

/// Every format that a released or reviewed program has written stays readable.
#[test]
fn records_of_every_earlier_format_are_read() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/records");
    for format in fs::read_dir(kept).unwrap() {
        let program = Program::new();
        let runs = program.state().join("runs");
        fs::create_dir_all(&runs).unwrap();
        let mut ids = Vec::new();
        for run in fs::read_dir(format.unwrap().path()).unwrap() {
            let run = run.unwrap();
            let copy = runs.join(run.file_name());
            fs::create_dir(&copy).unwrap();
            for file in fs::read_dir(run.path()).unwrap() {
                let file = file.unwrap();
                fs::copy(file.path(), copy.join(file.file_name())).unwrap();
            }
            ids.push(run.file_name().into_string().unwrap());
        }
        let listed = json(&program, &["runs", "list"]).expect(0).json();
        assert_eq!(listed["runs"].as_array().map(Vec::len), Some(ids.len()));
        for id in ids {
            json(&program, &["runs", "verify", &id]).expect(0);
            let shown = json(&program, &["runs", "show", &id]).expect(0).json();
            assert_eq!(shown["state"], "rolled-back", "{shown:#}");
            assert_eq!(shown["chain"], "intact", "{shown:#}");
            json(&program, &["runs", "export", &id]).expect(0);
            // There is nothing to do, and nothing that is not understood stands in the way.
            json(&program, &["rollback", &id, "--yes"]).expect(0);
        }
    }
}

#[test]
fn the_newest_runs_can_be_listed_alone() {
    let sandbox = Sandbox::planned();
    sandbox.run(&["apply", "plan.json", "--yes"]).expect(0);
    sandbox.run(&["rollback", "--yes"]).expect(0);
    sandbox.run(&["plan", "--out", "again.json"]).expect(0);
    sandbox.run(&["apply", "again.json", "--yes"]).expect(0);
    let ids = |number: &str| -> Vec<String> {
        let listed = json(&sandbox.program, &["runs", "list", "--last", number]).expect(0).json();
        let runs = listed["runs"].as_array().unwrap().iter();
        runs.map(|run| run["run"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids("1"), [latest(&sandbox.program)]);
    assert_eq!((ids("2").len(), ids("3").len()), (2, 2));
    let text = |number| sandbox.program.run(&["runs", "list", "--last", number]).expect(0).stdout;
    assert!(text("1").starts_with("… 1 run before\n") && text("1").lines().count() == 2, "{}", text("1"));
    assert_eq!(text("0"), "… 2 runs before\n");
    assert!(!text("2").contains("before"));
}

#[test]
fn a_broken_record_is_listed_as_broken() {
    let sandbox = Sandbox::planned();
    sandbox.run(&["apply", "plan.json", "--yes"]).expect(0);
    let journal = sandbox.program.runs().pop().unwrap().join("journal.jsonl");
    let whole = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, whole.replacen("intended", "reverted", 1)).unwrap();
    assert!(sandbox.program.run(&["runs", "list"]).expect(0).stdout.contains("BROKEN"));
    let listed = json(&sandbox.program, &["runs", "list"]).expect(0).json();
    assert!(listed["runs"][0]["chain"].as_str().unwrap().starts_with("broken at line 2"), "{listed:#}");
    let run = latest(&sandbox.program);
    for arguments in [&["rollback", "--yes"][..], &["apply", "--resume", &run, "--yes"], &["confirm", &run]] {
        json(&sandbox.program, arguments).expect(1);
    }
    fs::remove_file(&journal).unwrap();
    assert!(sandbox.program.run(&["runs", "list"]).expect(0).stdout.contains("UNREADABLE"));
    let listed = json(&sandbox.program, &["runs", "list"]).expect(0).json();
    assert_eq!(listed["unreadable"].as_array().map(Vec::len), Some(1));
}

#[test]
fn lines_that_are_missing_at_the_end_are_found_and_what_is_known_is_taken_back() {
    for kept in 2..=7 {
        let sandbox = Sandbox::planned();
        sandbox.run(&["apply", "plan.json", "--yes"]).expect(0);
        let run = sandbox.program.runs().pop().unwrap();
        let id = latest(&sandbox.program);
        let whole = fs::read_to_string(run.join("journal.jsonl")).unwrap();
        let lines: Vec<&str> = whole.split_inclusive('\n').collect();
        assert_eq!(lines.len(), 8);
        fs::write(run.join("journal.jsonl"), lines[..kept].concat()).unwrap();
        let verified = json(&sandbox.program, &["runs", "verify", &id]).expect(1);
        assert!(verified.stdout.contains("are missing"), "{verified}");
        json(&sandbox.program, &["apply", "--resume", &id, "--yes"]).expect(1);
        let back = sandbox.run(&["rollback", "--yes"]);
        // What the journal does not speak of any more is left to a person, and named.
        let all_known = kept >= 6;
        assert_eq!(back.code, if all_known { 0 } else { 14 }, "{kept} lines\n{back}");
        if all_known {
            assert_eq!(sandbox.world(), sandbox.before);
        } else {
            assert!(back.stdout.contains("undo it by hand"), "{back}");
        }
    }
}

#[test]
fn the_head_of_a_journal_may_be_lost_but_not_unseen() {
    let sandbox = Sandbox::planned();
    sandbox.run(&["apply", "plan.json", "--yes"]).expect(0);
    fs::remove_file(sandbox.program.runs().pop().unwrap().join("journal.head")).unwrap();
    json(&sandbox.program, &["runs", "verify", &latest(&sandbox.program)]).expect(1);
    sandbox.check_way_back("without a head");
}

#[test]
fn a_state_directory_that_is_not_ours_alone_is_refused() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let sandbox = Sandbox::planned();
    let home = sandbox.program.home();
    fs::create_dir(home.join("real")).unwrap();
    symlink(home.join("real"), home.join("link")).unwrap();
    fs::create_dir_all(home.join("open/runs")).unwrap();
    fs::set_permissions(home.join("open/runs"), fs::Permissions::from_mode(0o777)).unwrap();
    fs::write(home.join("file"), "").unwrap();
    // The last is a directory in which nobody can make anything, not even root.
    for state in ["link", "link/", "open", "file", "/proc/self/ecr-fix"] {
        for arguments in
            [&["apply", "plan.json", "--yes", "--state", state][..], &["runs", "list", "--state", state]]
        {
            if state.starts_with("/proc") && arguments[0] == "runs" {
                continue;
            }
            let refused = sandbox.run_any(arguments).expect(1);
            assert_eq!(refused.error_code(), "storage", "{refused}");
        }
        assert_eq!(sandbox.world(), sandbox.before);
    }
}

#[test]
fn a_clock_that_was_set_back_does_not_hide_the_latest_run() {
    let sandbox = Sandbox::planned();
    sandbox.run(&["apply", "plan.json", "--yes"]).expect(0);
    let runs = sandbox.program.state().join("runs");
    let first = latest(&sandbox.program);
    // As if it had been made tomorrow.
    let later = "29990101T000000000Z-abcdef";
    fs::rename(runs.join(&first), runs.join(later)).unwrap();
    sandbox.run(&["rollback", "--yes"]).expect(0);
    sandbox.run(&["plan", "--out", "plan.json", "--ttl", "1h"]).expect(0);
    sandbox.run(&["apply", "plan.json", "--yes"]).expect(0);
    let second = latest(&sandbox.program);
    assert!(second.as_str() > later, "{second}");
    let undone: Value = sandbox.run(&["rollback", "--yes"]).expect(0).json();
    assert_eq!(undone["run"], second.as_str());
}
