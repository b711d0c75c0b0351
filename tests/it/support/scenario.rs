//! A cluster in the emulator, broken on purpose, in accounts of its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use serde_json::{Value, json};
use similar::TextDiff;

use super::emulator::{Emulator, emulator, script};

/// What `broken_cluster.py` built.
pub(crate) struct Scenario {
    /// What it printed: ids, images, `env`, `expected`.
    pub(crate) document: Value,
}

impl Scenario {
    /// Builds a scenario by its name in `broken_cluster.py --list`.
    pub(crate) fn build(kind: &str) -> Scenario {
        Scenario::build_in(emulator(), kind)
    }

    /// The same, in an emulator of one's own.
    pub(crate) fn build_in(emulator: &Emulator, kind: &str) -> Scenario {
        static BUILT: AtomicU64 = AtomicU64::new(1);
        let number = BUILT.fetch_add(1, Ordering::Relaxed);
        let mut command = script("broken_cluster.py");
        command.args(["--json", "--endpoint-url", &emulator.url(), "--scenario", kind]);
        command.args(["--name", &format!("{kind}-{number}")]);
        command.args(["--account", &format!("{:012}", 100_000_000_000 + number)]);
        command.args(["--registry-account", &format!("{:012}", 200_000_000_000 + number)]);
        let document = serde_json::from_str(&stdout(command)).expect("the JSON of broken_cluster.py");
        Scenario { document }
    }

    /// The name of the cluster.
    pub(crate) fn cluster(&self) -> &str {
        self.text("/cluster/name")
    }

    /// Where the cluster is.
    pub(crate) fn region(&self) -> &str {
        self.text("/region")
    }

    /// The account of the cluster.
    pub(crate) fn account(&self) -> &str {
        self.text("/account")
    }

    /// The ARN of a role: `node`, `fargate` or `cluster`.
    pub(crate) fn role(&self, kind: &str) -> &str {
        self.text(&format!("/roles/{kind}"))
    }

    /// The string at a JSON pointer of the document.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        let found = self.document.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_else(|| panic!("the scenario has no {pointer}"))
    }

    /// The environment of an operator with all rights.
    pub(crate) fn env(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.document["env"].as_object().expect("an environment");
        pairs.iter().map(|(name, value)| (name.as_str(), value.as_str().expect("a string")))
    }

    /// The causes that a diagnosis must find, sorted, each once.
    pub(crate) fn expected_causes(&self) -> Vec<String> {
        let findings = self.document.pointer("/expected/findings").and_then(Value::as_array);
        let causes = findings.expect("findings").iter().map(|finding| finding["cause"].as_str());
        let mut causes: Vec<String> = causes.map(|cause| cause.expect("a cause").to_owned()).collect();
        causes.sort();
        causes.dedup();
        causes
    }
}

/// Everything that ecr-fix could change in the accounts of a scenario, as JSON text that is the same for the same
/// state.
pub(crate) fn emulated_state(scenario: &Scenario) -> String {
    static READERS: [OnceLock<Mutex<StateReader>>; 2] = [OnceLock::new(), OnceLock::new()];
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let (url, region) = (emulator().url(), scenario.region());
    let (account, registry) = (scenario.account(), scenario.text("/registry_account"));
    let arguments = ["--endpoint-url", &url, "--region", region, "--account", account, "--account", registry];
    let reader = &READERS[NEXT.fetch_add(1, Ordering::Relaxed) % READERS.len()];
    let reader = reader.get_or_init(|| Mutex::new(StateReader::start()));
    reader.lock().expect("a reader that answers").ask(&arguments)
}

/// Reads states for all tests: starting Python anew takes longer than reading. It ends when its input does.
struct StateReader {
    running: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl StateReader {
    fn start() -> StateReader {
        let mut command = script("world_state.py");
        let running = command.arg("--serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut running = running.expect("Python runs");
        let answers = BufReader::new(running.stdout.take().expect("its output"));
        StateReader { questions: running.stdin.take().expect("its input"), answers, running }
    }

    fn ask(&mut self, arguments: &[&str]) -> String {
        writeln!(self.questions, "{}", json!(arguments)).expect("a reader that listens");
        let mut answer = String::new();
        if self.answers.read_line(&mut answer).expect("an answer") == 0 {
            panic!("the reader of states has ended: {:?}", self.running.wait());
        }
        serde_json::from_str(&answer).expect("a state")
    }
}

/// Demands two equal states, and shows where they differ.
#[track_caller]
pub(crate) fn assert_same_state(before: &str, after: &str) {
    let diff = TextDiff::from_lines(before, after);
    assert!(before == after, "the state has changed:\n{}", diff.unified_diff().context_radius(4));
}

/// Runs Python code as the operator of a scenario, past any proxy: somebody else who changes things. The code finds
/// `client("iam")` and `world`, the document of the scenario. Gives what it printed.
pub(crate) fn somebody_else(scenario: &Scenario, code: &str) -> String {
    python(&scenario.document, code)
}

/// The same with a document of the caller's, of which only `env` is needed.
pub(crate) fn python(world: &Value, code: &str) -> String {
    let mut command = script("somebody_else.py");
    command.args([world.to_string(), code.to_owned()]);
    stdout(command)
}

fn stdout(mut command: Command) -> String {
    let output = command.output().expect("Python runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed:\n{stderr}");
    String::from_utf8(output.stdout).expect("UTF-8")
}
