//! The fault matrix: for each kind of change, every way in which a run can be cut off or refused, and how it ends.
//! `docs/faults.md` is what this test prints.

use std::cell::Cell;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use expect_test::expect_file;

use crate::support::{Case, Fault, Outcome, Request, Times, runs_in, somebody_else};
use crate::{endpoints, filters};

/// Some kinds of change, and a cluster with a plan that makes just them.
struct Kind {
    name: &'static str,
    case: fn() -> Case,
    kills: Kills,
    /// Whether what is made is the same each time: AWS gives ids of its own to what is new.
    is_repeatable: bool,
}

/// Where a run is killed.
#[derive(Clone, Copy, PartialEq)]
enum Kills {
    /// Before and after each.
    AtEveryRequest,
    /// And after every write. To be killed after a read is to be killed before the next request: nothing has changed in
    /// the world or on record. The kinds with all kills show it.
    BeforeEveryRequest,
    Nowhere,
}

const KINDS: [Kind; 16] = [
    Kind {
        name: "attach-role-policy",
        case: || Case::planned("node-role-no-ecr"),
        kills: Kills::AtEveryRequest,
        is_repeatable: true,
    },
    Kind {
        name: "put-role-policy",
        case: || planned(Case::build("node-role-no-ecr"), &["--least-privilege"]),
        kills: Kills::BeforeEveryRequest,
        is_repeatable: true,
    },
    Kind {
        name: "update-trust-policy, a statement more",
        case: || Case::planned("fargate-trust"),
        kills: Kills::AtEveryRequest,
        is_repeatable: true,
    },
    // The same call as the one before: its kills would tell nothing new.
    Kind {
        name: "update-trust-policy, another statement",
        case: || Case::planned("fargate-trust-source-arn"),
        kills: Kills::Nowhere,
        is_repeatable: true,
    },
    Kind {
        name: "set-repository-policy, in another account",
        case: || planned(Case::build("cross-account-repo"), &[]),
        kills: Kills::BeforeEveryRequest,
        is_repeatable: true,
    },
    Kind {
        name: "associate-instance-profile",
        case: || planned(without_instance_profile(), &["--allow-profile-association"]),
        kills: Kills::BeforeEveryRequest,
        is_repeatable: false,
    },
    Kind {
        name: "authorize-security-group-ingress",
        case: || Case::planned("endpoint-sg-closed"),
        kills: Kills::BeforeEveryRequest,
        is_repeatable: false,
    },
    Kind {
        name: "authorize-security-group-egress",
        case: || Case::planned("sg-egress-no-s3"),
        kills: Kills::BeforeEveryRequest,
        is_repeatable: false,
    },
    Kind {
        name: "create-network-acl-entry",
        case: || planned(Case::build("nacl-ephemeral"), &["--allow-internet-egress"]),
        kills: Kills::BeforeEveryRequest,
        is_repeatable: true,
    },
    Kind {
        name: "replace-network-acl-entry",
        case: || planned(filters::with_full_network_acl(), &[]),
        kills: Kills::BeforeEveryRequest,
        is_repeatable: true,
    },
    Kind {
        name: "modify-vpc-attribute",
        case: || Case::planned("vpc-dns-off"),
        kills: Kills::BeforeEveryRequest,
        is_repeatable: true,
    },
    Kind {
        name: "replace-route",
        case: || planned(without_nat_gateway("healthy"), &[]),
        kills: Kills::BeforeEveryRequest,
        is_repeatable: true,
    },
    Kind {
        name: "create-route",
        case: || planned(without_nat_gateway("node-no-egress"), &[]),
        kills: Kills::BeforeEveryRequest,
        is_repeatable: true,
    },
    Kind {
        name: "modify-vpc-endpoint",
        case: || Case::planned("s3-gateway-unassociated"),
        kills: Kills::BeforeEveryRequest,
        is_repeatable: false,
    },
    Kind {
        name: "create-vpc-endpoint",
        case: || Case::planned("private-missing-endpoints"),
        kills: Kills::BeforeEveryRequest,
        is_repeatable: false,
    },
    Kind {
        name: "create-security-group and its endpoints",
        case: || planned(endpoints::without_a_group(), &[]),
        kills: Kills::BeforeEveryRequest,
        is_repeatable: false,
    },
];

/// A plan for everything that is wrong in a cluster, whichever registry its images are in.
fn planned(case: Case, arguments: &[&str]) -> Case {
    let images = case.images();
    let images: Vec<&str> = images.iter().map(String::as_str).collect();
    case.live("plan", &[&images, arguments, &["--out", "plan.json"]].concat()).expect(0);
    case.proxy.forget();
    case
}

fn without_nat_gateway(scenario: &str) -> Case {
    let case = Case::build(scenario);
    let delete = "client('ec2').delete_nat_gateway(NatGatewayId=world['vpc']['nat_gateways'][0])";
    somebody_else(&case.scenario, delete);
    case
}

fn without_instance_profile() -> Case {
    let case = Case::build("healthy");
    let code = r#"
ec2, node = client("ec2"), world["cluster"]["instances"][0]
found = ec2.describe_iam_instance_profile_associations(Filters=[{"Name": "instance-id", "Values": [node]}])
ec2.disassociate_iam_instance_profile(AssociationId=found["IamInstanceProfileAssociations"][0]["AssociationId"])"#;
    somebody_else(&case.scenario, code);
    case
}

/// A kind of trouble by its name.
type Trouble = (&'static str, fn() -> Fault);

/// What happens to the write.
const REFUSALS: [Trouble; 7] = [
    ("refused (403)", || Fault::Deny),
    ("throttled", || Fault::Throttle),
    ("500", || Fault::Fail(500)),
    ("503", || Fault::Fail(503)),
    ("credentials expire", || Fault::ExpireToken),
    ("connection cut before the request arrives", || Fault::Drop),
    ("connection cut after the request was carried out", || Fault::LoseAnswer),
];

/// Reads that lag behind the write.
const LAGS: [Trouble; 2] = [
    ("reads lag 2 s behind", || Fault::StaleFor(Duration::from_secs(2))),
    ("reads never show it", || Fault::StaleFor(Duration::from_secs(3600))),
];

#[test]
fn the_matrix() {
    let rows: Vec<Vec<String>> = std::thread::scope(|scope| {
        let kinds = KINDS.map(|kind| scope.spawn(move || Matrix::new(kind).rows()));
        kinds.into_iter().map(|kind| kind.join().expect("a kind that survives")).collect()
    });
    let mut page = "# Faults\n\n\
        Printed by the test `faults::the_matrix`, which compares it with this page. Each line is a number of runs of the real\n\
        program against an emulator of AWS, over a proxy that makes the trouble. *Original* is compared as the whole state of\n\
        the emulated accounts, *planned* too where AWS gives no new ids, and always by the diagnosis that follows.\n\n\
        A kill is `kill -9`, once before a request is seen by AWS and once after it was carried out and before its answer. The\n\
        requests are all that stand between the first line of the journal and the end of the run, so there is a\n\
        kill before and after every line of the journal, too; and a unit test cuts a journal at every byte.\n\n\
        AWS keeps no tag on an entry of a network ACL or on a route. Where a request for one arrives twice without having been\n\
        sent twice, the second answer says that there is one. Whether this run made it, or another at the same time, is not\n\
        known then: it stays. Where ecr-fix itself sent it twice, because an answer was lost, it is taken back.\n\n\
        Nothing changes in the world or on record between a read and the next request, so after a read only two kinds are\n\
        killed, which shows just that.\n\n\
        | kind of change | fault | runs | how it ends |\n| --- | --- | --- | --- |\n"
        .to_owned();
    for row in rows.concat() {
        page += &row;
    }
    expect_file![Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/faults.md")].assert_eq(&page);
}

/// One cluster in which the same plan is made and taken back again and again. A plan is used once, so each time has
/// records of its own.
struct Matrix {
    kind: Kind,
    case: Case,
    original: String,
    planned: String,
    records: Cell<u32>,
}

impl Matrix {
    fn new(kind: Kind) -> Matrix {
        let case = (kind.case)();
        let original = case.state();
        let mut matrix = Matrix { kind, case, original, planned: String::new(), records: Cell::new(0) };
        matrix.start_anew();
        matrix.run("apply").expect(0);
        matrix.planned = matrix.case.state();
        assert_ne!(matrix.original, matrix.planned);
        matrix.roll_back("rehearsal");
        matrix
    }

    fn rows(&self) -> Vec<String> {
        let mut rows = Vec::new();
        for way in ["apply", "rollback"].iter().filter(|_| self.kind.kills != Kills::Nowhere) {
            for moment in ["before", "after"] {
                rows.extend(self.kill_everywhere(way, moment));
            }
        }
        for (name, fault) in REFUSALS {
            rows.push(format!(
                "| {} | the write: {name} | 1 | {} |\n",
                self.kind.name,
                self.refuse("writes", fault())
            ));
        }
        for (name, fault) in LAGS {
            rows.push(format!("| {} | {name} | 1 | {} |\n", self.kind.name, self.refuse("*", fault())));
        }
        rows.push(format!(
            "| {} | the write: request arrives twice | 1 | {} |\n",
            self.kind.name,
            self.repeat()
        ));
        rows
    }

    fn kill_everywhere(&self, way: &str, moment: &str) -> [String; 2] {
        let points = self.points(way, moment);
        let (kind, count) = (self.kind.name, points.len());
        let ends: Vec<&str> = points.iter().map(|point| self.kill(way, moment, *point)).collect();
        let planned = ends.iter().filter(|end| **end == "planned").count();
        let too_late = match count - planned {
            0 => String::new(),
            number => format!("; it had ended, and stays rolled back: {number}"),
        };
        let what = if self.are_only_writes(moment) { "writes" } else { "requests" };
        let fault = format!("`{way}` killed {moment} each of {count} {what}");
        [
            format!("| {kind} | {fault}, then `rollback` | {count} | original: {count} |\n"),
            format!("| {kind} | {fault}, then `apply --resume` | {count} | planned: {planned}{too_late} |\n"),
        ]
    }

    fn start_anew(&self) {
        self.records.set(self.records.get() + 1);
    }

    fn records(&self) -> String {
        format!("records-{}", self.records.get())
    }

    fn words<'a>(&self, way: &'a str, records: &'a str) -> Vec<&'a str> {
        let what: &[&str] = if way == "apply" { &["apply", "plan.json"] } else { &[way] };
        [what, &["--yes", "--state", records]].concat()
    }

    fn run(&self, way: &str) -> Outcome {
        self.case.run(&self.words(way, &self.records()))
    }

    #[track_caller]
    fn roll_back(&self, what: &str) {
        let back = self.run("rollback");
        assert!(back.code == 0 || back.error_code() == "not_found", "{what}\n{back}");
        assert!(self.case.state() == self.original, "{} is not as it was: {what}\n{back}", self.kind.name);
    }

    fn are_only_writes(&self, moment: &str) -> bool {
        moment == "after" && self.kind.kills == Kills::BeforeEveryRequest
    }

    /// The numbers of the requests of a command that come while its run is on record.
    fn points(&self, way: &str, moment: &str) -> Vec<usize> {
        self.start_anew();
        if way == "rollback" {
            self.run("apply").expect(0);
        }
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (records, list) = (self.case.operator.home().join(self.records()), Arc::clone(&seen));
        let look = move |_: &Request| list.lock().expect("a list").push(!runs_in(&records).is_empty());
        self.case.proxy.rule("*", Times::Always, Fault::meanwhile(look));
        self.case.proxy.forget();
        self.run(way).expect(0);
        let requests = self.case.proxy.requests();
        self.case.proxy.calm();
        self.roll_back("a count of requests");
        let last_write = requests.iter().rposition(|request| !request.reads()).expect("a write");
        let begun: Vec<bool> = seen.lock().expect("a list").clone();
        // The diagnosis at the end writes nothing more: its first requests stand for all of it.
        let numbers = (1..=begun.len().min(last_write + 5)).filter(|number| begun[number - 1]);
        let writes = self.are_only_writes(moment);
        numbers.filter(|number| !writes || !requests[number - 1].reads()).collect()
    }

    /// Kills a command at a request: once to go back, and once to go on. Says where going on led.
    fn kill(&self, way: &str, moment: &str, point: usize) -> &'static str {
        let what = format!("{way} killed {moment} request {point}");
        self.killed(way, moment, point);
        self.roll_back(&what);

        self.killed(way, moment, point);
        let run = runs_in(&self.case.operator.home().join(self.records())).pop().expect("a run");
        let id = run.file_name().expect("a name").to_str().expect("UTF-8");
        let resumed = self.case.run(&["apply", "--resume", id, "--yes", "--state", &self.records()]);
        let was_done = resumed.code == 12 && resumed.stdout.contains("was rolled back");
        assert!(resumed.code == 0 || was_done, "{what}\n{resumed}");
        let (end, expected) =
            if was_done { ("original", &self.original) } else { ("planned", &self.planned) };
        // What was verified by a diagnosis is planned; where it is the same each time, it is compared, too.
        if self.kind.is_repeatable || was_done {
            assert!(self.case.state() == *expected, "{}: {what}\n{resumed}", self.kind.name);
        }
        match self.kind.is_repeatable {
            // The next one finds out whether everything is original again.
            true => drop(self.run("rollback").expect(0)),
            // Nothing was made twice.
            false => self.roll_back(&what),
        }
        end
    }

    fn killed(&self, way: &str, moment: &str, point: usize) {
        self.start_anew();
        if way == "rollback" {
            self.run("apply").expect(0);
        }
        let process: Arc<OnceLock<u32>> = Arc::default();
        let victim = Arc::clone(&process);
        let kill = move |_: &Request| {
            while victim.get().is_none() {
                std::thread::sleep(Duration::from_millis(1));
            }
            let id = victim.get().expect("a process").to_string();
            // A process that is gone already needs no kill.
            let _ = Command::new("kill").args(["-9", &id]).stderr(Stdio::null()).status();
        };
        if moment == "before" {
            self.case.proxy.rule("*", Times::Nth(point), Fault::meanwhile(kill));
            self.case.proxy.rule("*", Times::Nth(point), Fault::Drop);
        } else {
            self.case.proxy.rule("*", Times::Nth(point), Fault::afterwards(kill));
        }
        let running = self.case.operator.start(&self.words(way, &self.records()));
        process.set(running.id()).expect("one process");
        running.finish().expect(128 + 9);
        self.case.proxy.calm();
    }

    /// A request that arrives twice is answered for the second time. Where that one finds the first one's work, and
    /// AWS keeps no tag on it, nobody can tell it from the work of somebody else, and it stays. Nothing comes after
    /// this in a cluster.
    fn repeat(&self) -> String {
        self.start_anew();
        self.case.proxy.rule("writes", Times::Always, Fault::Repeat);
        let outcome = self.run("apply").expect(0).json();
        self.case.proxy.calm();
        assert!(outcome["verification"]["summary"]["verdict"] != "broken", "{outcome:#}");
        let planned = self.case.state();
        if outcome.to_string().contains("\"already-so\"") {
            self.run("rollback").expect(0);
            assert!(self.case.state() == planned, "{}: it is not ours", self.kind.name);
            return "exit code 0, planned; found made, so `rollback` leaves it".to_owned();
        }
        self.roll_back("after a request that arrived twice");
        "exit code 0, planned; then `rollback`: original".to_owned()
    }

    /// Makes trouble of one kind, and demands that the world is then as planned or as before, and that the way back
    /// works.
    fn refuse(&self, pattern: &str, fault: Fault) -> String {
        self.start_anew();
        self.case.proxy.rule(pattern, Times::Always, fault);
        let outcome = self.run("apply");
        outcome.json();
        self.case.proxy.calm();
        let state = self.case.state();
        let is = if state == self.original { "original" } else { "planned" };
        let may_differ = !self.kind.is_repeatable;
        assert!(
            may_differ || is == "original" || state == self.planned,
            "{}: neither\n{outcome}",
            self.kind.name
        );
        let may_be: &[&str] = match outcome.code {
            0 => &["planned"],
            1 | 13 | 16 => &["original"],
            14 => &["original", "planned"],
            _ => &[],
        };
        assert!(may_be.contains(&is), "{outcome}");
        assert!(outcome.code != 14 || outcome.stdout.contains("ecr-fix rollback"), "{outcome}");
        self.roll_back("after a refusal");
        format!("exit code {}, {is}; then `rollback`: original", outcome.code)
    }
}
