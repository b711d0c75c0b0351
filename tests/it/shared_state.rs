//! Records in S3: whoever has them can look, go on, confirm and roll back on another machine; and of two who want the
//! same cluster, one gets it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::sandbox::Sandbox;
use crate::support::emulator::emulator;
use crate::support::{
    Case, Fault, Outcome, Program, Proxy, Times, assert_same_state, python, somebody_else, writes,
};

const APPLY: [&str; 3] = ["apply", "plan.json", "--yes"];

/// A bucket of its own for each test.
fn bucket() -> String {
    static MADE: AtomicU64 = AtomicU64::new(1);
    let name = format!("records-{}", MADE.fetch_add(1, Ordering::Relaxed));
    let code = format!(
        r#"client("s3").create_bucket(Bucket="{name}", CreateBucketConfiguration={{"LocationConstraint": "eu-west-1"}})"#
    );
    python(&team(), &code);
    name
}

/// Whose bucket it is.
fn team() -> Value {
    json!({ "env": {
        "AWS_ENDPOINT_URL": emulator().url(), "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI-SECRET",
    }})
}

/// The keys in the bucket, and what they hold.
fn objects(bucket: &str) -> Value {
    let code = format!(
        r#"
s3, found = client("s3"), {{}}
for one in s3.list_objects_v2(Bucket="{bucket}").get("Contents", []):
    found[one["Key"]] = s3.get_object(Bucket="{bucket}", Key=one["Key"])["Body"].read().decode()
print(json.dumps(found))"#
    );
    serde_json::from_str(&python(&team(), &code)).unwrap()
}

/// Somebody writes over every lock in the bucket. It is theirs for a second.
fn take_locks(bucket: &str) {
    let claim = r#"{"holder": "somebody", "on": "another machine", "lease_seconds": 1, "renewals": 0, "is_free": false}"#;
    let code = format!(
        r#"
s3 = client("s3")
for one in s3.list_objects_v2(Bucket="{bucket}", Prefix="team/locks/")["Contents"]:
    s3.put_object(Bucket="{bucket}", Key=one["Key"], Body='{claim}')"#
    );
    python(&team(), &code);
}

/// A cluster, the operator on two machines, and the records that they share.
struct Shared {
    case: Case,
    other: Program,
    bucket: String,
    state: String,
}

impl Shared {
    fn with(case: Case) -> Shared {
        let bucket = bucket();
        let state = format!("s3://{bucket}/team");
        let operator = case.operator.env("ECR_FIX_STATE", &state).env("ECR_FIX_LEASE", "3s");
        let case = Case { operator, ..case };
        let other = Program::operator(&case.scenario).env("AWS_ENDPOINT_URL", &emulator().url());
        let other = other.env("ECR_FIX_STATE", &state).env("ECR_FIX_LEASE", "3s");
        Shared { case, other, bucket, state }
    }

    /// On the other machine, with JSON as output.
    fn other(&self, arguments: &[&str]) -> Outcome {
        self.other.run(&[arguments, &["--output", "json"]].concat())
    }

    /// The latest run, as the other machine sees it.
    fn latest(&self) -> Value {
        let runs = self.other(&["runs", "list"]).expect(0).json();
        assert_eq!(runs["unreadable"], json!([]));
        runs["runs"].as_array().unwrap().last().expect("a run").clone()
    }

    /// What AWS was asked to change, without the records.
    fn changes(&self) -> Vec<String> {
        writes(&self.case.proxy.requests()).into_iter().filter(|name| !name.starts_with("s3:")).collect()
    }
}

fn id(run: &Value) -> &str {
    run["run"].as_str().unwrap()
}

#[test]
fn one_machine_applies_and_another_looks_and_rolls_back() {
    let shared = Shared::with(Case::planned_with_two_changes());
    let before = shared.case.state();
    let applied = shared.case.run(&APPLY).expect(0).json();
    let run = id(&applied).to_owned();
    assert_eq!(applied["undo"], format!("ecr-fix rollback {run} --state {}", shared.state));
    assert!(!shared.case.operator.state().exists(), "nothing is kept on the machine");

    assert_eq!(shared.latest()["state"], "applied");
    assert_eq!(shared.other(&["runs", "show", &run]).expect(0).json()["actions"], applied["actions"]);
    assert_eq!(shared.other(&["runs", "verify", &run]).expect(0).json()["chain"], "intact");
    let export = shared.other(&["runs", "export", &run, "--redact"]).expect(0);
    assert_eq!(export.json()["journal"].as_array().map(Vec::len), Some(6));
    assert!(!export.stdout.contains(shared.case.scenario.account()));
    assert!(
        shared.other.state().join("redaction.key").exists(),
        "the key of pseudonyms stays on the machine"
    );

    let plan = shared.other.file("plan.json");
    std::fs::copy(shared.case.operator.file("plan.json"), &plan).unwrap();
    assert_eq!(shared.other(&APPLY).expect(12).error_code(), "stale_plan", "a plan is used once");

    shared.other(&["rollback", "--yes"]).expect(0);
    assert_same_state(&before, &shared.case.state());
    let shown = shared.case.run(&["runs", "show", &run]).expect(0).json();
    assert_eq!(shown["state"], "rolled-back");
    check_objects(&shared, &run);
}

/// The layout of a state directory, and nothing secret.
fn check_objects(shared: &Shared, run: &str) {
    let objects = objects(&shared.bucket);
    let keys: Vec<&str> = objects.as_object().unwrap().keys().map(String::as_str).collect();
    let below = |part: &str| keys.iter().filter(|key| key.starts_with(&format!("team/{part}"))).count();
    assert_eq!((below("locks/"), below("used/"), below("runs/")), (1, 1, keys.len() - 2), "{keys:?}");
    for name in ["plan.json", "journal.head", "journal/000001.jsonl"] {
        assert!(keys.contains(&format!("team/runs/{run}/{name}").as_str()), "{keys:?}");
    }
    let text = objects.to_string();
    for (name, value) in shared.case.scenario.env() {
        assert!(!name.contains("KEY") || !text.contains(value), "{name} is in the bucket");
    }
}

#[test]
fn another_machine_confirms_or_takes_back_what_nobody_confirmed() {
    let shared = Shared::with(Case::planned("node-role-no-ecr"));
    let before = shared.case.state();
    let within = |time| [&APPLY[..], &["--confirm-within", time, "--output", "json"]].concat();
    let mut waiting = shared.case.operator.start(&within("90s"));
    waiting.wait_for("to keep this");
    let run = id(&shared.latest()).to_owned();
    shared.other(&["confirm", &run, "--lock-timeout", "20s"]).expect(0);
    assert_eq!(waiting.finish().expect(0).json()["state"], "applied");
    shared.other(&["rollback", "--yes"]).expect(0);

    shared.case.live("plan", &["--out", "plan.json"]).expect(0);
    let mut waiting = shared.case.operator.start(&within("3s"));
    waiting.wait_for("to keep this");
    waiting.kill();
    std::thread::sleep(Duration::from_secs(4));
    let expired = shared.other(&["rollback", "--expired", "--yes", "--lock-timeout", "20s"]).expect(0);
    assert_eq!(expired.json()["runs"].as_array().map(Vec::len), Some(1));
    assert_same_state(&before, &shared.case.state());
}

#[test]
fn whoever_loses_the_lock_in_mid_run_sends_nothing_more() {
    let shared = Shared::with(Case::planned_with_two_changes());
    let before = shared.case.state();
    let first = shared.case.call_of(0);
    let bucket = shared.bucket.clone();
    shared.case.proxy.rule(&first, Times::First(1), Fault::meanwhile(move |_| take_locks(&bucket)));
    let stopped = shared.case.run(&APPLY).expect(14);
    assert_eq!(shared.changes(), [first], "the second change is not sent");
    assert_eq!(stopped.error_code(), "partly_done");
    let run = shared.latest();
    assert_eq!(run["state"], "interrupted", "it is on record: {run}");
    let states: Vec<_> = run["actions"].as_array().unwrap().iter().map(|action| &action["state"]).collect();
    assert_eq!(states, ["applied", "failed"]);
    let (go_back, go_on) = (
        format!("ecr-fix rollback {} --state {}", id(&run), shared.state),
        format!("ecr-fix apply --resume {} --state {}", id(&run), shared.state),
    );
    assert!(stopped.stdout.contains(&go_back) && stopped.stdout.contains(&go_on), "{stopped}");

    shared.other(&["apply", "--resume", id(&run), "--yes", "--lock-timeout", "20s"]).expect(0);
    assert_eq!(shared.case.verdict(), "healthy");
    shared.case.roll_back_to(&before);
}

#[test]
fn whoever_loses_the_lock_before_the_first_change_sends_nothing() {
    let shared = Shared::with(Case::planned("node-role-no-ecr"));
    let bucket = shared.bucket.clone();
    let intent = Times::Nth(2);
    shared.case.proxy.rule("s3:PutObject journal", intent, Fault::meanwhile(move |_| take_locks(&bucket)));
    assert_eq!(shared.case.run(&APPLY).expect(17).error_code(), "locked");
    assert_eq!(shared.changes(), [""; 0]);
}

#[test]
fn whoever_loses_the_lock_on_the_way_back_leaves_the_rest() {
    let shared = Shared::with(Case::planned_with_two_changes());
    let before = shared.case.state();
    let run = id(&shared.case.run(&APPLY).expect(0).json()).to_owned();
    shared.case.proxy.forget();
    let bucket = shared.bucket.clone();
    let one_back = Times::Nth(4);
    shared.case.proxy.rule("s3:PutObject journal", one_back, Fault::meanwhile(move |_| take_locks(&bucket)));
    let stopped = shared.case.run(&["rollback", "--yes"]).expect(14);
    assert_eq!(shared.changes().len(), 1, "{stopped}");
    assert!(stopped.stdout.contains(&format!("ecr-fix rollback {run} --state")), "{stopped}");
    shared.other(&["rollback", &run, "--yes", "--lock-timeout", "20s"]).expect(0);
    assert_same_state(&before, &shared.case.state());
}

/// S3 is gone after the first change: the second is not sent, and its record tells enough.
#[test]
fn without_s3_nothing_more_is_sent() {
    for (gone, fault) in [("s3:PutObject journal", Fault::Drop), ("s3:PutObject locks", Fault::Fail(500))] {
        let shared = Shared::with(Case::planned_with_two_changes());
        let before = shared.case.state();
        // The first two lines of the journal and the first two writes of the lock are for the first change.
        let later = if gone.ends_with("journal") { 3 } else { 4 };
        shared.case.proxy.rule(gone, Times::From(later), fault);
        let stopped = shared.case.run(&APPLY).expect(14);
        assert_eq!(shared.changes(), [shared.case.call_of(0)], "{gone}\n{stopped}");
        assert!(stopped.stdout.contains("ecr-fix rollback"), "{stopped}");
        shared.case.proxy.calm();
        shared.other(&["rollback", "--yes", "--lock-timeout", "20s"]).expect(0);
        assert_same_state(&before, &shared.case.state());
    }
}

/// A directory plays the world: fast enough to race and to kill many times. Two who share it and the records.
struct Machines {
    sandbox: Sandbox,
    other: Program,
    proxy: Proxy,
}

impl Machines {
    fn planned() -> Machines {
        let Sandbox { program, before } = Sandbox::planned();
        let state = format!("s3://{}/team", bucket());
        let proxy = Proxy::start();
        let with = |program: Program, url: &str| {
            let team = team();
            let env = team["env"].as_object().unwrap().iter();
            let program =
                env.fold(program, |program, (name, value)| program.env(name, value.as_str().unwrap()));
            program.env("AWS_ENDPOINT_URL", url).env("ECR_FIX_STATE", &state).env("ECR_FIX_LEASE", "3s")
        };
        let world = program.file("world");
        let plan = program.file("plan.json");
        let program = with(program, &proxy.url()).env("ECR_FIX_SNAPSHOT", &world);
        let other = with(Program::new(), &emulator().url()).env("ECR_FIX_SNAPSHOT", &world);
        std::fs::copy(plan, other.file("plan.json")).unwrap();
        Machines { sandbox: Sandbox { program, before }, other, proxy }
    }
}

#[test]
fn of_two_machines_that_race_exactly_one_wins() {
    for _ in 0..10 {
        let machines = Machines::planned();
        // Long enough that nobody loses it on a busy machine.
        let arguments = [&APPLY[..], &["--output", "json", "--lease", "60s"]].concat();
        let racers = [machines.sandbox.program.start(&arguments), machines.other.start(&arguments)];
        let ends = racers.map(|racer| racer.finish());
        let won = ends.iter().filter(|end| end.code == 0).count();
        assert_eq!(won, 1, "{}\n{}", ends[0], ends[1]);
        for lost in ends.iter().filter(|end| end.code != 0) {
            assert!([12, 17].contains(&lost.code), "{lost}");
        }
        let runs = machines.other.run(&["runs", "list", "--output", "json"]).expect(0).json();
        assert_eq!(runs["runs"].as_array().map(Vec::len), Some(1));
        machines.other.run(&["rollback", "--yes", "--lock-timeout", "20s"]).expect(0);
        assert_eq!(machines.sandbox.world(), machines.sandbox.before);
    }
}

/// Of two writes of one object at the same moment S3 asks one to be sent again.
#[test]
fn a_write_that_meets_another_one_is_sent_again() {
    let machines = Machines::planned();
    for kind in ["locks", "plan", "journal", "head", "used"] {
        machines.proxy.rule(&format!("s3:PutObject {kind}"), Times::First(3), Fault::Fail(409));
    }
    machines.sandbox.program.run(&APPLY).expect(0);
    let sent = ["plan", "used"].map(|kind| machines.proxy.count(&format!("s3:PutObject {kind}")));
    assert_eq!(sent, [4, 4], "three times refused, then taken");
    machines.other.run(&["rollback", "--yes", "--lock-timeout", "20s"]).expect(0);
    assert_eq!(machines.sandbox.world(), machines.sandbox.before);

    let machines = Machines::planned();
    machines.proxy.rule("s3:PutObject journal", Times::Always, Fault::Fail(409));
    let refused = machines.sandbox.program.run(&[&APPLY[..], &["--output", "json"]].concat()).expect(1);
    assert!(refused.stdout.contains("ConditionalRequestConflict"), "{refused}");
    assert_eq!(machines.sandbox.world(), machines.sandbox.before, "nothing was sent");
}

/// Killed before and after each write to S3, in turn gone on with and taken back by another machine.
#[test]
fn a_run_that_is_killed_at_any_write_of_its_record_is_another_machines_to_end() {
    let kinds = [("journal", 8), ("head", 3), ("plan", 1), ("used", 1), ("locks", 3)];
    let points = kinds.iter().flat_map(|(kind, count)| (1..=*count).map(move |number| (*kind, number)));
    let points: Vec<_> =
        points.flat_map(|(kind, number)| [(kind, number, false), (kind, number, true)]).collect();
    println!("killed at {} points", points.len());
    for points in points.chunks(11) {
        std::thread::scope(|scope| {
            for (kind, number, arrives) in points {
                scope.spawn(|| kill_at(kind, *number, *arrives));
            }
        });
    }
}

fn kill_at(kind: &str, number: usize, arrives: bool) {
    let machines = Machines::planned();
    let pattern = format!("s3:PutObject {kind}");
    let what = format!("{kind} {number} {arrives}");
    if arrives {
        machines.proxy.rule(
            &pattern,
            Times::Nth(number),
            Fault::afterwards(|_| std::thread::sleep(Duration::from_secs(2))),
        );
    } else {
        machines.proxy.rule(&pattern, Times::Nth(number), Fault::Delay(Duration::from_secs(2)));
        machines.proxy.rule(&pattern, Times::Nth(number), Fault::Drop);
    }
    let running = machines.sandbox.program.start(&APPLY);
    machines.proxy.wait_for(&pattern, number);
    std::thread::sleep(Duration::from_millis(300));
    running.kill();
    let runs = machines.other.run(&["runs", "list", "--output", "json"]).expect(0).json();
    assert_eq!(runs["unreadable"], json!([]), "{what}");
    let wait = ["--yes", "--output", "json", "--lock-timeout", "30s"];
    let run = runs["runs"].as_array().unwrap().last().map(|run| id(run).to_owned());
    if let Some(run) = run {
        if number.is_multiple_of(2) {
            machines.other.run(&[&["apply", "--resume", &run], &wait[..]].concat()).expect(0);
        }
        let shown = machines.other.run(&["runs", "verify", &run, "--output", "json"]).expect(0);
        assert_eq!(shown.json()["chain"], "intact", "{what}");
        machines.other.run(&[&["rollback", &run], &wait[..]].concat()).expect(0);
    }
    assert_eq!(machines.sandbox.world(), machines.sandbox.before, "{what}");
}

#[test]
fn what_is_wrong_with_the_bucket_is_said() {
    let shared = Shared::with(Case::planned("node-role-no-ecr"));
    let with = |state: &str, arguments: &[&str]| {
        shared.case.operator.run(&[arguments, &["--output", "json", "--state", state]].concat())
    };
    let none = with("s3://records-that-nobody-made/team", &APPLY).expect(1);
    assert_eq!(none.error_code(), "not_found");
    assert!(none.stdout.contains("ecr-fix makes no buckets"), "{none}");
    assert_eq!(with("s3://No/bucket", &["runs", "list"]).expect(64).error_code(), "usage");
    for (request, permission) in [
        ("s3:ListObjectsV2", "s3:ListBucket"),
        ("s3:GetObject*", "s3:GetObject"),
        ("s3:PutObject*", "s3:PutObject"),
    ] {
        shared.case.proxy.rule(request, Times::Always, Fault::Deny);
        let denied = shared.case.run(&APPLY).expect(16);
        assert_eq!(denied.error_code(), "access_denied");
        let document = denied.json();
        assert!(document["error"]["hint"].as_str().unwrap().contains(permission), "{denied}");
        shared.case.proxy.calm();
    }
    let lost = Program::operator(&shared.case.scenario).env("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    assert_eq!(
        lost.run(&["runs", "list", "--output", "json", "--state", &shared.state]).expect(1).error_code(),
        "aws"
    );
    assert_eq!(shared.changes(), [""; 0]);
    let made = somebody_else(
        &shared.case.scenario,
        r#"print([b["Name"] for b in client("s3").list_buckets()["Buckets"]])"#,
    );
    assert!(!made.contains("nobody-made"), "{made}");

    // A bucket is found wherever it is.
    shared.case.proxy.rule("s3:ListObjectsV2", Times::First(1), Fault::InRegion("ap-southeast-2"));
    shared.case.run(&APPLY).expect(0);
    let asked = shared.case.proxy.requests();
    let regions: Vec<_> = asked
        .iter()
        .filter(|request| request.service == "s3")
        .map(|request| String::from_utf8_lossy(request.raw()).contains("/ap-southeast-2/s3/"))
        .collect();
    assert!(regions.iter().skip(regions.len() - 5).all(|there| *there));
}

#[test]
fn the_permissions_for_shared_records_are_named() {
    let case = Case::planned("node-role-no-ecr");
    let named = |arguments: &[&str]| {
        let document = case.run(&[&["permissions"], arguments].concat()).expect(0).json();
        let statements = document["Statement"].as_array().unwrap().clone();
        statements.into_iter().filter(|statement| statement.to_string().contains("s3:")).collect::<Vec<_>>()
    };
    assert_eq!(named(&["plan.json"]), [json!(null); 0]);
    let read = [
        json!({ "Sid": "ListRecords", "Effect": "Allow", "Action": ["s3:ListBucket"],
                "Resource": ["arn:aws:s3:::records"] }),
        json!({ "Sid": "ReadRecords", "Effect": "Allow", "Action": ["s3:GetObject"],
                "Resource": ["arn:aws:s3:::records/team/*"] }),
    ];
    assert_eq!(named(&["--state", "s3://records/team"]), read);
    let both = named(&["plan.json", "--state", "s3://records/team"]);
    assert_eq!(both[1]["Action"], json!(["s3:GetObject", "s3:PutObject"]));
}
