//! The fault matrix: for each kind of change, every way in which a run can be cut off or refused, and how it ends.
//! `docs/faults.md` is what this test prints.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use expect_test::expect_file;

use crate::support::{Case, Fault, Outcome, Times};

/// Each kind of change, and a scenario whose plan makes just one of it.
const KINDS: [(&str, &str); 3] = [
    ("attach-role-policy", "node-role-no-ecr"),
    ("update-trust-policy, a statement more", "fargate-trust"),
    ("update-trust-policy, another statement", "fargate-trust-source-arn"),
];

/// What happens to the write, and what may come of it: exit codes.
const REFUSALS: [(&str, fn() -> Fault); 8] = [
    ("refused (403)", || Fault::Deny),
    ("throttled", || Fault::Throttle),
    ("500", || Fault::Fail(500)),
    ("503", || Fault::Fail(503)),
    ("credentials expire", || Fault::ExpireToken),
    ("connection cut before the request arrives", || Fault::Drop),
    ("connection cut after the request was carried out", || Fault::LoseAnswer),
    ("request arrives twice", || Fault::Repeat),
];

/// Reads that lag behind the write.
const LAGS: [(&str, fn() -> Fault); 2] = [
    ("reads lag 2 s behind", || Fault::StaleFor(Duration::from_secs(2))),
    ("reads never show it", || Fault::StaleFor(Duration::from_secs(3600))),
];

#[test]
fn the_matrix() {
    let rows: Vec<Vec<String>> = std::thread::scope(|scope| {
        let kinds = KINDS.map(|(kind, scenario)| scope.spawn(move || Matrix::new(kind, scenario).rows()));
        kinds.into_iter().map(|kind| kind.join().expect("a kind that survives")).collect()
    });
    let mut page = "# Faults\n\n\
        Printed by the test `faults::the_matrix`, which compares it with this page. Each line is a number of runs of the real\n\
        program against an emulator of AWS, over a proxy that makes the trouble. *Original* and *planned* are compared\n\
        as whole states of the emulated accounts.\n\n\
        A kill is `kill -9`, once before a request is seen by AWS and once after it was carried out and before its answer. The\n\
        requests are all that stand between the first line of the journal and the end of the run, so there is a\n\
        kill before and after every line of the journal, too; and a unit test cuts a journal at every byte.\n\n\
        | kind of change | fault | runs | how it ends |\n| --- | --- | --- | --- |\n"
        .to_owned();
    for row in rows.concat() {
        page += &row;
    }
    expect_file![Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/faults.md")].assert_eq(&page);
}

/// One cluster in which the same change is made and taken back again and again.
struct Matrix {
    kind: &'static str,
    case: Case,
    original: String,
    planned: String,
    /// A plan is used once, so each gets a time to live of its own.
    plans: std::cell::Cell<u32>,
}

impl Matrix {
    fn new(kind: &'static str, scenario: &str) -> Matrix {
        let case = Case::build(scenario);
        let original = case.state();
        let mut matrix =
            Matrix { kind, case, original, planned: String::new(), plans: std::cell::Cell::new(0) };
        matrix.plan();
        matrix.apply().expect(0);
        matrix.planned = matrix.case.state();
        assert_ne!(matrix.original, matrix.planned);
        matrix.roll_back("rehearsal");
        matrix
    }

    fn rows(&self) -> Vec<String> {
        let mut rows = Vec::new();
        for way in ["apply", "rollback"] {
            for moment in ["before", "after"] {
                let points = self.points(way);
                for point in &points {
                    self.kill(way, moment, *point);
                }
                let (kind, count) = (self.kind, points.len());
                let fault = format!("`{way}` killed {moment} each of {count} requests");
                rows.push(format!("| {kind} | {fault}, then `rollback` | {count} | original {count} of {count} |\n"));
                rows.push(format!("| {kind} | {fault}, then `apply --resume` | {count} | planned {count} of {count} |\n"));
            }
        }
        for (name, fault) in REFUSALS {
            let ends = self.refuse("writes", fault());
            rows.push(format!("| {} | the write: {name} | 1 | {ends} |\n", self.kind));
        }
        for (name, fault) in LAGS {
            let ends = self.refuse("iam:*", fault());
            rows.push(format!("| {} | {name} | 1 | {ends} |\n", self.kind));
        }
        rows
    }

    fn plan(&self) {
        let number = self.plans.replace(self.plans.get() + 1);
        let ttl = format!("{}s", 3600 + number);
        self.case.live("plan", &["--out", "plan.json", "--ttl", &ttl]).expect(0);
    }

    fn apply(&self) -> Outcome {
        self.case.run(&["apply", "plan.json", "--yes"])
    }

    #[track_caller]
    fn roll_back(&self, what: &str) {
        let back = self.case.run(&["rollback", "--yes"]);
        assert!(back.code == 0 || back.error_code() == "not_found", "{what}\n{back}");
        assert!(self.case.state() == self.original, "{} is not as it was: {what}\n{back}", self.kind);
    }

    /// The numbers of the requests of a command that come while its run is on record.
    fn points(&self, way: &str) -> Vec<usize> {
        self.plan();
        if way == "rollback" {
            self.apply().expect(0);
        }
        let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
        let (state, list) = (self.case.operator.state(), Arc::clone(&seen));
        let known = crate::support::runs_in(&state).len();
        let applies = way == "apply";
        self.case.proxy.rule(
            "*",
            Times::Always,
            Fault::meanwhile(move |_| {
                let begun = !applies || crate::support::runs_in(&state).len() > known;
                list.lock().expect("a list").push(begun);
            }),
        );
        let arguments: &[&str] = if applies { &["apply", "plan.json", "--yes"] } else { &["rollback", "--yes"] };
        self.case.run(arguments).expect(0);
        self.case.proxy.calm();
        if applies {
            self.roll_back("a count of requests");
        }
        let seen = seen.lock().expect("a list");
        let begun = (1..).zip(seen.iter()).filter(|(_, begun)| **begun).map(|(number, _)| number);
        // The diagnosis at the end writes nothing more: its first requests stand for all.
        begun.take(9).collect()
    }

    /// Kills a command at a request: once to go back, and once to go on.
    fn kill(&self, way: &str, moment: &str, point: usize) {
        for then in ["rollback", "resume"] {
            let what = format!("{way} killed {moment} request {point}, then {then}");
            self.plan();
            if way == "rollback" {
                self.apply().expect(0);
            }
            let runs = self.case.operator.runs().len();
            self.killed(way, moment, point);
            let is_on_record = way == "rollback" || self.case.operator.runs().len() > runs;
            if then == "resume" && is_on_record {
                let run = self.case.latest_run();
                let resumed = self.case.run(&["apply", "--resume", &run, "--yes"]);
                let was_done = resumed.code == 12 && resumed.stdout.contains("was rolled back");
                assert!(resumed.code == 0 || was_done, "{what}\n{resumed}");
                let expected = if was_done { &self.original } else { &self.planned };
                assert!(self.case.state() == *expected, "{}: {what}\n{resumed}", self.kind);
            }
            self.roll_back(&what);
        }
    }

    fn killed(&self, way: &str, moment: &str, point: usize) {
        let process: Arc<OnceLock<u32>> = Arc::default();
        let victim = Arc::clone(&process);
        let kill = move |_: &crate::support::Request| {
            while victim.get().is_none() {
                std::thread::sleep(Duration::from_millis(1));
            }
            let id = victim.get().expect("a process").to_string();
            // A process that is gone already needs no kill.
            let _ = Command::new("kill").args(["-9", &id]).stderr(std::process::Stdio::null()).status();
        };
        if moment == "before" {
            self.case.proxy.rule("*", Times::Nth(point), Fault::meanwhile(kill));
            self.case.proxy.rule("*", Times::Nth(point), Fault::Drop);
        } else {
            self.case.proxy.rule("*", Times::Nth(point), Fault::afterwards(kill));
        }
        let arguments: &[&str] =
            if way == "apply" { &["apply", "plan.json", "--yes"] } else { &["rollback", "--yes"] };
        let running = self.case.operator.start(arguments);
        process.set(running.id()).expect("one process");
        running.finish().expect(128 + 9);
        self.case.proxy.calm();
    }

    /// Makes trouble of one kind, and demands that the world is then as planned or as before, or that the way back is
    /// named and works.
    fn refuse(&self, pattern: &str, fault: Fault) -> String {
        self.plan();
        let lags = pattern != "writes";
        self.case.proxy.rule(pattern, Times::Always, fault);
        let outcome = self.apply();
        outcome.json();
        self.case.proxy.calm();
        let state = self.case.state();
        let is = if state == self.original {
            "original"
        } else if state == self.planned {
            "planned"
        } else {
            panic!("{}: neither original nor planned\n{outcome}", self.kind)
        };
        let expected: BTreeMap<i32, &[&str]> = BTreeMap::from([
            (0, &["planned"][..]),
            (13, &["original"]),
            (14, &["original", "planned"]),
            (16, &["original"]),
        ]);
        assert!(expected.get(&outcome.code).is_some_and(|states| states.contains(&is)), "{outcome}");
        assert!(lags || outcome.code != 14 || outcome.stdout.contains("ecr-fix rollback"), "{outcome}");
        self.roll_back("after a refusal");
        format!("exit code {}, {is}; then `rollback`: original", outcome.code)
    }
}
