//! The same commands on a directory that plays the world: fast enough to stop, race and starve them many times.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Outcome, Program};

pub(crate) const WORLD: [&str; 2] = ["--snapshot", "world"];

/// The story of the demo, with three changes, in the directory `world`, and a plan for it.
pub(crate) struct Sandbox {
    /// Somebody without credentials.
    pub(crate) program: Program,
    /// The files of the world as they were.
    pub(crate) before: BTreeMap<String, String>,
}

impl Sandbox {
    /// A world that nobody has touched.
    pub(crate) fn new() -> Sandbox {
        Sandbox::with(|text| text)
    }

    /// With every file of the story changed.
    fn with(change: impl Fn(String) -> String) -> Sandbox {
        let program = Program::new();
        let story = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans/demo/world");
        let world = program.home().join("world");
        fs::create_dir(&world).unwrap();
        for (name, text) in files(&story) {
            fs::write(world.join(name), change(text)).unwrap();
        }
        let before = files(&world);
        Sandbox { program, before }
    }

    /// The same, with a plan in the file `plan.json`.
    pub(crate) fn planned() -> Sandbox {
        let sandbox = Sandbox::new();
        sandbox.run(&["plan", "--out", "plan.json"]).expect(0);
        sandbox
    }

    /// Runs a command on the directory, with JSON as output.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        self.program.run(&[arguments, &WORLD, &["--output", "json"]].concat())
    }

    /// The same for a command that may not take a directory.
    pub(crate) fn run_any(&self, arguments: &[&str]) -> Outcome {
        match arguments {
            ["apply" | "rollback" | "plan" | "diagnose", ..] => self.run(arguments),
            _ => self.program.run(&[arguments, &["--output", "json"]].concat()),
        }
    }

    /// The files of the world as they are.
    pub(crate) fn world(&self) -> BTreeMap<String, String> {
        files(&self.program.home().join("world"))
    }

    fn journal_lines(&self) -> usize {
        let journals = self.program.runs().into_iter().map(|run| run.join("journal.jsonl"));
        journals.map(|journal| fs::read_to_string(journal).unwrap_or_default().lines().count()).sum()
    }

    /// Whatever happened before, the way back leads to every byte.
    #[track_caller]
    pub(crate) fn check_way_back(&self, what: &str) {
        let run = self.program.runs().pop();
        let back = self.run(&["rollback", "--yes"]);
        match run {
            Some(_) => assert_eq!(back.code, 0, "{what}\n{back}"),
            None => assert_eq!(back.error_code(), "not_found", "{what}\n{back}"),
        }
        assert_eq!(self.world(), self.before, "{what}\n{back}");
        if run.is_some() {
            let left: Vec<_> = fs::read_dir(self.program.home().join("world"))
                .unwrap()
                .map(|entry| entry.unwrap().file_name())
                .collect();
            assert_eq!(left.len(), self.before.len(), "nothing temporary is left: {left:?}\n{what}");
        }
        if let Some(run) = run {
            let id = run.file_name().unwrap().to_str().unwrap().to_owned();
            let shown = self.program.run(&["runs", "show", &id, "--output", "json"]).expect(0);
            for action in shown.json()["actions"].as_array().unwrap() {
                assert!(
                    ["pending", "reverted"].contains(&action["state"].as_str().unwrap()),
                    "{what}\n{shown}"
                );
            }
        }
    }
}

#[test]
fn the_whole_loop() {
    let sandbox = Sandbox::new();
    let diagnosis = sandbox.run(&["diagnose", "--detailed-exitcode"]).expect(2).json();
    assert_eq!(diagnosis["summary"]["verdict"], "broken");
    let plan = sandbox.run(&["plan", "--out", "plan.json", "--detailed-exitcode"]).expect(2).json();
    assert_eq!(plan["actions"].as_array().map(Vec::len), Some(3));
    assert_eq!(sandbox.world(), sandbox.before, "planning writes nothing");
    assert!(!sandbox.program.state().exists(), "planning leaves no record");
    sandbox.run(&["apply", "plan.json", "--yes"]).expect(0);
    assert_ne!(sandbox.world(), sandbox.before);
    assert_eq!(sandbox.run(&["diagnose"]).expect(0).json()["summary"]["blocked"], 0);
    sandbox.check_way_back("applied");
}

#[test]
fn apply_on_a_copy_leaves_the_original_alone() {
    let sandbox = Sandbox::new();
    sandbox.run(&["apply", "--yes", "--sandbox-out", "copy"]).expect(0);
    assert_eq!(sandbox.world(), sandbox.before);
    let copy = files(&sandbox.program.home().join("copy"));
    assert_ne!(copy, sandbox.before);
    sandbox.program.run(&["rollback", "--yes"]).expect(0);
    assert_eq!(files(&sandbox.program.home().join("copy")), sandbox.before);
}

#[test]
fn the_demo_runs_unattended_without_a_network() {
    let nowhere = "http://127.0.0.1:9";
    let program = Program::new().env("AWS_ENDPOINT_URL", nowhere).env("HTTPS_PROXY", nowhere);
    let temporary = program.home().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let program = program.env("TMPDIR", temporary.to_str().unwrap());
    let text = program.run(&["demo", "--yes"]).expect(0);
    assert!(text.stdout.contains("node-role-missing-ecr-policy"), "{text}");
    let json = program.run(&["demo", "--yes", "--output", "json"]).expect(0).json();
    assert_eq!(json["restored"], true);
    program.run(&["demo"]).expect(10);
}

/// A kill -9 after each line of the journal, and a little later, on the way forward.
#[test]
fn killed_at_every_point_of_apply() {
    for lines in 0..=8 {
        for later in [0, 3, 8, 14, 22, 32] {
            let sandbox = Sandbox::planned();
            let mut apply = vec!["apply", "plan.json", "--yes"];
            apply.extend(WORLD);
            kill_after(&sandbox, &apply, lines, Duration::from_millis(later));
            sandbox.check_way_back(&format!("killed {later} ms after line {lines}"));
        }
    }
}

/// The same on the way back.
#[test]
fn killed_at_every_point_of_rollback() {
    for lines in 8..=16 {
        for later in [0, 7] {
            let sandbox = Sandbox::planned();
            sandbox.run(&["apply", "plan.json", "--yes"]).expect(0);
            let mut rollback = vec!["rollback", "--yes"];
            rollback.extend(WORLD);
            kill_after(&sandbox, &rollback, lines, Duration::from_millis(later));
            sandbox.check_way_back(&format!("killed {later} ms after line {lines}"));
        }
    }
}

#[test]
fn of_many_at_once_exactly_one_wins() {
    for _ in 0..10 {
        let sandbox = Sandbox::planned();
        let mut apply = vec!["apply", "plan.json", "--yes", "--output", "json"];
        apply.extend(WORLD);
        let running: Vec<_> = (0..10).map(|_| sandbox.program.start(&apply)).collect();
        let outcomes: Vec<_> = running.into_iter().map(crate::support::Running::finish).collect();
        let won = outcomes.iter().filter(|outcome| outcome.code == 0).count();
        assert_eq!(won, 1, "{}", outcomes.iter().map(ToString::to_string).collect::<String>());
        for lost in outcomes.iter().filter(|outcome| outcome.code != 0) {
            let expected = if lost.code == 17 { "locked" } else { "stale_plan" };
            assert!([12, 17].contains(&lost.code) && lost.error_code() == expected, "{lost}");
        }
        assert_eq!(sandbox.program.runs().len(), 1);
        sandbox.check_way_back("many at once");
    }
}

#[test]
fn a_disk_that_is_full_from_the_start() {
    let sandbox = Sandbox::planned();
    let mut apply = vec!["apply", "plan.json", "--yes", "--output", "json"];
    apply.extend(WORLD);
    let outcome = sandbox.program.start_limited("-f 0", &apply).finish().expect(1);
    assert_eq!(outcome.error_code(), "storage");
    assert_eq!(sandbox.world(), sandbox.before, "{outcome}");
}

#[test]
fn a_full_disk_at_any_point() {
    for blocks in 1..=24 {
        let sandbox = Sandbox::planned();
        let mut apply = vec!["apply", "plan.json", "--yes", "--output", "json"];
        apply.extend(WORLD);
        let outcome = sandbox.program.start_limited(&format!("-f {blocks}"), &apply).finish();
        outcome.json();
        if outcome.code == 0 {
            assert!(blocks > 1, "nothing was ever full");
            return;
        }
        if sandbox.world() != sandbox.before {
            sandbox.check_way_back(&format!("{blocks} blocks\n{outcome}"));
        }
    }
}

#[test]
fn names_from_outside_never_reach_the_terminal_as_they_are() {
    let escape = "\\u001b]0;owned\\u0007\\u001b[31m";
    let sandbox = Sandbox::with(|text| text.replace("demo-node", &format!("demo-{escape}node")));
    for arguments in [&["diagnose"][..], &["plan"], &["apply"], &["plan", "--color", "never"]] {
        let outcome = sandbox.program.run(&[arguments, &WORLD].concat());
        for stream in [&outcome.stdout, &outcome.stderr] {
            assert!(!stream.contains('\x1b') && !stream.contains('\x07'), "{outcome:?}");
        }
    }
}

#[test]
fn colour_is_for_terminals_and_for_those_who_ask() {
    let sandbox = Sandbox::new();
    let plan =
        |flags: &[&str]| sandbox.program.run(&[&["plan"], &WORLD[..], flags].concat()).expect(0).stdout;
    let plain = plan(&[]);
    assert!(!plain.contains('\x1b'));
    let coloured = plan(&["--color", "always"]);
    assert!(coloured.contains('\x1b'));
    assert_eq!(plan(&["--color", "never"]).lines().count(), plain.lines().count());
}

/// Text for people, JSON for programs, and the same exit code.
#[test]
fn exit_codes_do_not_depend_on_the_format() {
    let sandbox = Sandbox::planned();
    let with = |words: &[&'static str]| [words, &WORLD].concat();
    for (arguments, code) in [
        (with(&["diagnose"]), 0),
        (with(&["diagnose", "--detailed-exitcode"]), 2),
        (with(&["plan"]), 0),
        (with(&["plan", "--detailed-exitcode"]), 2),
        (with(&["apply"]), 10),
        (with(&["apply", "plan.json"]), 10),
        (with(&["apply", "plan.json", "--yes", "--expect-digest", "sha256:0"]), 12),
        (vec!["show", "plan.json"], 0),
        (vec!["permissions", "plan.json"], 0),
        (with(&["rollback", "--yes"]), 1),
        (vec!["runs", "list"], 0),
    ] {
        let text = sandbox.program.run(&arguments).expect(code);
        assert!(!text.stdout.trim_start().starts_with('{') || arguments[0] == "permissions", "{text}");
        let json = sandbox.program.run(&[&arguments[..], &["--output", "json"]].concat()).expect(code);
        assert_eq!(json.json().get("error").is_some(), ![0, 2].contains(&code), "{json}");
    }
}

/// Ends a command as a power cut does, so long after so many lines are in its journal.
pub(crate) fn kill_after(sandbox: &Sandbox, arguments: &[&str], lines: usize, later: Duration) {
    let running = sandbox.program.start(arguments);
    let limit = Instant::now() + Duration::from_secs(20);
    // It may end before that line: then there is nothing to kill, and the way back is the same.
    while sandbox.journal_lines() < lines && Instant::now() < limit && !running.has_ended() {
        std::thread::sleep(Duration::from_micros(300));
    }
    std::thread::sleep(later);
    running.kill();
}

#[test]
fn a_plan_says_what_it_was_made_from() {
    let sandbox = Sandbox::planned();
    let plan: Value =
        serde_json::from_str(&fs::read_to_string(sandbox.program.file("plan.json")).unwrap()).unwrap();
    for field in [
        "format_version",
        "ecr_fix_version",
        "created_at",
        "expires_at",
        "target",
        "planned_by",
        "digest",
        "diagnosis",
        "actions",
        "not_fixed",
        "proof",
        "required_permissions",
    ] {
        assert!(plan.get(field).is_some(), "the contract names {field}");
    }
    for action in plan["actions"].as_array().unwrap() {
        for field in [
            "id",
            "kind",
            "summary",
            "resource",
            "account",
            "region",
            "fixes",
            "depends_on",
            "risk",
            "why_safe",
            "before",
            "after",
            "diff",
            "precondition",
            "inverse",
            "api_calls",
            "monthly_cost_usd",
        ] {
            assert!(action.get(field).is_some(), "the contract names {field}");
        }
        assert!(action["precondition"]["fingerprint"].as_str().unwrap().starts_with("sha256:"));
        assert!(action["inverse"]["kind"].is_string());
    }
}

/// The world is its JSON files; what a killed process was writing beside them is no part of it.
fn files(dir: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let json = entries.filter(|path| path.extension().is_some_and(|end| end == "json"));
    json.map(|path| {
        (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap())
    })
    .collect()
}
