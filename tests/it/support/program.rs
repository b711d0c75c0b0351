//! The real program, run as a person or a pipeline runs it.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::emulator::script;
use super::{Proxy, Scenario};

/// A program that does not end within this time hangs.
const LIMIT: Duration = Duration::from_secs(90);

/// Somebody who runs the program: a home of their own and an environment of which nothing comes from outside.
pub(crate) struct Program {
    home: TempDir,
    env: BTreeMap<String, String>,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// The exit code; 128 and the number of the signal for a process that was killed.
    pub(crate) code: i32,
    /// The answer.
    pub(crate) stdout: String,
    /// Everything else; on a terminal, what it showed.
    pub(crate) stderr: String,
    command: String,
}

/// A run that goes on.
pub(crate) struct Running {
    command: String,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Heard,
    stderr: Heard,
}

/// What a stream has said so far.
struct Heard {
    said: Arc<(Mutex<Said>, Condvar)>,
}

#[derive(Default)]
struct Said {
    bytes: Vec<u8>,
    closed: bool,
}

impl Program {
    /// Somebody without credentials.
    pub(crate) fn new() -> Program {
        let home = tempfile::tempdir().expect("a temporary directory");
        let mut program = Program { home, env: BTreeMap::new() };
        let under_home = [
            ("HOME", ""),
            ("XDG_CACHE_HOME", ".cache"),
            ("XDG_CONFIG_HOME", ".config"),
            ("XDG_DATA_HOME", ".local/share"),
            ("XDG_STATE_HOME", ".local/state"),
        ];
        for (name, below) in under_home {
            let path = program.home().join(below);
            program = program.env(name, path.to_str().expect("UTF-8"));
        }
        // One attempt: the emulator answers what it does not know with an error 500, and the SDK would try again.
        // A short wait for changes: the emulator shows them at once, or the proxy never does.
        let path = std::env::var("PATH").expect("a PATH");
        program
            .env("PATH", &path)
            .env("TERM", "xterm")
            .env("AWS_MAX_ATTEMPTS", "1")
            .env("ECR_FIX_WAIT", "4s")
            // The emulator has no Kubernetes: the tests that bring one take this away.
            .env("ECR_FIX_NO_KUBERNETES", "true")
            .env("AWS_EC2_METADATA_DISABLED", "true")
    }

    /// The operator of a scenario, with all rights there.
    pub(crate) fn operator(scenario: &Scenario) -> Program {
        scenario.env().fold(Program::new(), |program, (name, value)| program.env(name, value))
    }

    /// Reaches AWS only through the proxy.
    pub(crate) fn through(self, proxy: &Proxy) -> Program {
        self.env("AWS_ENDPOINT_URL", &proxy.url())
    }

    /// With one more environment variable, or another value for it.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Program {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Without an environment variable.
    pub(crate) fn without(mut self, name: &str) -> Program {
        self.env.remove(name);
        self
    }

    /// The home, which is also the working directory.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// A path below the home, as text for an argument.
    pub(crate) fn file(&self, name: &str) -> String {
        self.home().join(name).to_str().expect("UTF-8").to_owned()
    }

    /// Where the records of runs are kept by default.
    pub(crate) fn state(&self) -> PathBuf {
        self.home().join(".local/state/ecr-fix")
    }

    /// Runs it to its end, with nothing on standard input and no terminal.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        self.run_with_input(arguments, "")
    }

    /// Runs it to its end, with this on standard input.
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> Outcome {
        let mut running = self.start(arguments);
        running.type_in(input);
        running.finish()
    }

    /// Starts it, without a terminal.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        self.spawn(Command::new(env!("CARGO_BIN_EXE_ecr-fix")), arguments)
    }

    /// Starts it with standard input and standard error on a terminal.
    pub(crate) fn on_terminal(&self, arguments: &[&str]) -> Running {
        let mut terminal = script("terminal.py");
        terminal.arg(env!("CARGO_BIN_EXE_ecr-fix"));
        self.spawn(terminal, arguments)
    }

    /// Starts it under limits that the shell's `ulimit` sets, such as `-f 8` for files of at most 8 blocks.
    pub(crate) fn start_limited(&self, limit: &str, arguments: &[&str]) -> Running {
        let mut shell = Command::new("bash");
        // A process that outgrows the limit for files gets a signal; ignored, it gets an error like on a full disk.
        shell.args(["-c", &format!("trap '' XFSZ; ulimit {limit}; exec \"$@\""), "bash"]);
        shell.arg(env!("CARGO_BIN_EXE_ecr-fix"));
        self.spawn(shell, arguments)
    }

    fn spawn(&self, mut command: Command, arguments: &[&str]) -> Running {
        command.args(arguments).current_dir(self.home()).env_clear().envs(&self.env);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        Running {
            command: format!("ecr-fix {}", arguments.join(" ")),
            stdin: child.stdin.take(),
            stdout: Heard::listen(child.stdout.take().expect("a pipe")),
            stderr: Heard::listen(child.stderr.take().expect("a pipe")),
            child,
        }
    }
}

impl Running {
    /// Writes to standard input, or types on the terminal; `\x03` is Ctrl-C there.
    pub(crate) fn type_in(&mut self, text: &str) {
        // A program that has ended already does not read it, and its outcome tells more than this error.
        let _ = self.stdin.as_mut().expect("an open standard input").write_all(text.as_bytes());
    }

    /// Waits until standard error, or the terminal, has shown a text.
    pub(crate) fn wait_for(&mut self, text: &str) {
        if !self.stderr.wait_until(|said| said.closed || said.text().contains(text))
            || !self.stderr.text().contains(text)
        {
            panic!("{text:?} was never shown\n{}", self.transcript());
        }
    }

    /// What standard error, or the terminal, has shown so far.
    pub(crate) fn shown(&self) -> String {
        self.stderr.text()
    }

    /// Sends a signal by name, such as `INT`. Not for a program on a terminal: there, type.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().expect("kill runs");
        assert!(sent.success(), "no signal {name} to {id}");
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether there is nothing left to kill: both streams are closed.
    pub(crate) fn has_ended(&self) -> bool {
        [&self.stdout, &self.stderr].iter().all(|stream| stream.is_closed())
    }

    /// Ends it as a power cut does.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("a process to kill");
        self.child.wait().expect("a process to wait for");
    }

    /// Closes standard input and waits for the end.
    pub(crate) fn finish(mut self) -> Outcome {
        drop(self.stdin.take());
        let status = self.wait();
        for stream in [&self.stdout, &self.stderr] {
            assert!(stream.wait_until(|said| said.closed), "a stream stays open\n{}", self.transcript());
        }
        Outcome {
            code: status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()),
            stdout: self.stdout.text(),
            stderr: self.stderr.text(),
            command: self.command.clone(),
        }
    }

    fn wait(&mut self) -> ExitStatus {
        let end = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().expect("a process to wait for") {
                return status;
            }
            assert!(Instant::now() < end, "it hangs\n{}", self.transcript());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn transcript(&self) -> String {
        transcript(&self.command, &self.stdout.text(), &self.stderr.text())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Only where a test gave up on it; for one that has ended these do nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Outcome {
    /// Demands an exit code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Outcome {
        assert!(self.code == code, "exit code {}, not {code}\n{self}", self.code);
        self
    }

    /// The one JSON document that is standard output.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("standard output is not one JSON document: {error}\n{self}"))
    }

    /// `error.code` of the JSON document, with a message and a hint beside it.
    #[track_caller]
    pub(crate) fn error_code(&self) -> String {
        let document = self.json();
        let part = |name: &str| document["error"][name].as_str().unwrap_or_default().to_owned();
        assert!(!part("message").is_empty() && !part("hint").is_empty(), "no message or no hint\n{self}");
        part("code")
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}exit code: {}", transcript(&self.command, &self.stdout, &self.stderr), self.code)
    }
}

fn transcript(command: &str, stdout: &str, stderr: &str) -> String {
    format!("$ {command}\n--- standard output\n{stdout}\n--- standard error\n{stderr}\n---\n")
}

impl Heard {
    fn listen(mut stream: impl Read + Send + 'static) -> Heard {
        let said = Arc::new((Mutex::new(Said::default()), Condvar::new()));
        let hearing = Arc::clone(&said);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let count = stream.read(&mut buffer).unwrap_or_default();
                let mut said = hearing.0.lock().unwrap_or_else(PoisonError::into_inner);
                said.bytes.extend_from_slice(&buffer[..count]);
                said.closed = count == 0;
                hearing.1.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        Heard { said }
    }

    fn text(&self) -> String {
        self.said.0.lock().unwrap_or_else(PoisonError::into_inner).text()
    }

    fn is_closed(&self) -> bool {
        self.said.0.lock().unwrap_or_else(PoisonError::into_inner).closed
    }

    /// Whether it became so in time.
    fn wait_until(&self, so: impl Fn(&Said) -> bool) -> bool {
        let said = self.said.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.said.1.wait_timeout_while(said, LIMIT, |said| !so(said));
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

impl Said {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}
