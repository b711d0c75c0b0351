//! Confirm or revert: what nobody confirms in time is taken back, by the process that waits or by any other.

use std::time::{Duration, Instant};

use crate::sandbox::{Sandbox, WORLD};

fn apply(within: &str) -> Vec<&str> {
    [&["apply", "plan.json", "--yes", "--output", "json", "--confirm-within", within], &WORLD[..]].concat()
}

fn wait_for_run(sandbox: &Sandbox) -> String {
    let limit = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(run) = sandbox.program.runs().pop()
            && std::fs::read_to_string(run.join("journal.jsonl")).unwrap().contains("confirmation-awaited")
        {
            return run.file_name().unwrap().to_str().unwrap().to_owned();
        }
        assert!(Instant::now() < limit, "no run waits");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_nobody_confirms_is_taken_back_by_the_process_that_waits() {
    let sandbox = Sandbox::planned();
    let outcome = sandbox.program.run(&apply("2s")).expect(13);
    assert_eq!(outcome.error_code(), "rolled_back");
    assert!(outcome.stderr.contains("ecr-fix confirm 2"), "how to keep it is not said\n{outcome}");
    assert_eq!(sandbox.world(), sandbox.before);
    assert_eq!(outcome.json()["run"]["state"], "rolled-back");
}

#[test]
fn what_somebody_confirms_stays() {
    let sandbox = Sandbox::planned();
    let waiting = sandbox.program.start(&apply("90s"));
    let run = wait_for_run(&sandbox);
    // The run may still look whether it helped.
    let confirm = ["confirm", &run, "--lock-timeout", "30s", "--output", "json"];
    let confirmed = sandbox.program.run(&confirm).expect(0).json();
    assert_eq!(confirmed["confirmation"]["is_given"], true);
    let applied = waiting.finish().expect(0).json();
    assert_eq!(applied["state"], "applied");
    assert_ne!(sandbox.world(), sandbox.before);
    sandbox.program.run(&["confirm", &run]).expect(0);
    let nothing =
        sandbox.program.run(&["rollback", "--expired", "--yes", "--output", "json"]).expect(0).json();
    assert_eq!(nothing["runs"], serde_json::json!([]));
    sandbox.check_way_back("confirmed");
    assert_eq!(
        sandbox.program.run(&["confirm", &run, "--output", "json"]).expect(0).json()["state"],
        "rolled-back"
    );
}

/// The process that waits dies; cron, or somebody on another machine, does its work.
#[test]
fn what_nobody_confirms_is_taken_back_by_another_process() {
    let sandbox = Sandbox::planned();
    let waiting = sandbox.program.start(&apply("3s"));
    let run = wait_for_run(&sandbox);
    waiting.kill();
    let expired = ["rollback", "--expired", "--yes", "--output", "json"];
    let early = sandbox.program.run(&expired).expect(0).json();
    assert_eq!(early["runs"], serde_json::json!([]), "its time is not over");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(
        sandbox.program.run(&["rollback", "--expired", "--output", "json"]).expect(10).error_code(),
        "approval_needed"
    );
    let late = sandbox.program.run(&expired).expect(0).json();
    assert_eq!(late["runs"][0]["run"], run.as_str());
    assert_eq!(sandbox.world(), sandbox.before);
}

/// It dies before it can even wait: its time begins with the last thing that it said.
#[test]
fn a_run_that_died_before_it_could_wait_expires_too() {
    let sandbox = Sandbox::planned();
    crate::sandbox::kill_after(&sandbox, &apply("2s"), 3, Duration::ZERO);
    std::thread::sleep(Duration::from_secs(2));
    sandbox.program.run(&["rollback", "--expired", "--yes"]).expect(0);
    sandbox.check_way_back("died and expired");
}

#[test]
fn somebody_takes_it_back_while_it_waits() {
    let sandbox = Sandbox::planned();
    let waiting = sandbox.program.start(&apply("90s"));
    let run = wait_for_run(&sandbox);
    // The lock is free once the run only waits for somebody to confirm it.
    sandbox.program.run(&["rollback", &run, "--yes", "--lock-timeout", "30s"]).expect(0);
    let outcome = waiting.finish().expect(13);
    assert!(outcome.stdout.contains("somebody took run"), "{outcome}");
    sandbox.program.run(&["confirm", &run]).expect(1);
}

#[test]
fn whoever_waits_can_be_stopped() {
    let sandbox = Sandbox::planned();
    let waiting = sandbox.program.start(&apply("90s"));
    let run = wait_for_run(&sandbox);
    // The look afterwards comes first.
    std::thread::sleep(Duration::from_millis(700));
    waiting.signal("INT");
    let outcome = waiting.finish().expect(130);
    assert_ne!(sandbox.world(), sandbox.before);
    assert!(outcome.stdout.contains(&run), "{outcome}");
}

#[test]
fn a_run_that_waits_for_nothing() {
    let sandbox = Sandbox::planned();
    sandbox.run(&["apply", "plan.json", "--yes"]).expect(0);
    let run = sandbox.program.runs().pop().unwrap();
    let refused =
        sandbox.program.run(&["confirm", run.file_name().unwrap().to_str().unwrap(), "--output", "json"]);
    assert_eq!(refused.expect(1).error_code(), "bad_input");
    sandbox.program.run(&["confirm", "nothing"]).expect(1);
}
