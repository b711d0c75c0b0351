//! The emulated AWS that all tests of this process share.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

const START_WITHIN: Duration = Duration::from_secs(30);

/// A running emulator. Tests share it and stay apart by account.
pub(crate) struct Emulator {
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
    /// The emulator ends when its standard input does: with this process, however that ends.
    _server: Child,
}

/// The one emulator of this process, started by whoever asks first.
pub(crate) fn emulator() -> &'static Emulator {
    static SHARED: OnceLock<Result<Emulator, String>> = OnceLock::new();
    SHARED.get_or_init(|| Emulator::start("emulator.log")).as_ref().unwrap_or_else(|why| panic!("{why}"))
}

/// A script of `tests/emulator`, run by the Python that has what it needs.
pub(crate) fn script(name: &str) -> Command {
    let mut command = Command::new(python().unwrap_or_else(|why| panic!("{why}")));
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulator").join(name));
    for (variable, _) in std::env::vars_os() {
        let name = variable.to_string_lossy().to_uppercase();
        if name.starts_with("AWS_") || name.ends_with("_PROXY") {
            command.env_remove(variable);
        }
    }
    command
}

/// The directory of the programs that `./test --setup` installs, such as `aws`.
pub(crate) fn python_home() -> String {
    let python = python().unwrap_or_else(|why| panic!("{why}"));
    python.parent().expect("a directory").to_str().expect("UTF-8").to_owned()
}

/// The Python that `./test --setup` prepares, for scripts that check outputs.
pub(crate) fn test_python() -> PathBuf {
    python().unwrap_or_else(|why| panic!("{why}"))
}

fn python() -> Result<PathBuf, String> {
    let chosen = std::env::var_os("ECR_FIX_TEST_PYTHON").map(PathBuf::from);
    // Cargo gives tests a directory inside its target directory, where `./test` puts the environment.
    let python = chosen.unwrap_or_else(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory");
        target.join("test-venv/bin/python")
    });
    if python.is_file() {
        return Ok(python);
    }
    Err(format!("there is no emulator: {} does not exist\nhint: run `./test --setup`", python.display()))
}

impl Emulator {
    /// One for a single test, where what it changes would be in the way of others.
    ///
    /// # Errors
    /// Why it does not start.
    pub(crate) fn start(log: &str) -> Result<Emulator, String> {
        let mut server = script("moto_like_aws.py")
            .args(["--with-stdin", "-p", "0"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("the emulator does not start: {error}"))?;
        let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(log);
        let address = log_lines(&mut server, &log).recv_timeout(START_WITHIN).map_err(|_| {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            format!("the emulator does not start; it said:\n{said}hint: run `./test --setup`")
        })?;
        TcpStream::connect(&address)
            .map_err(|error| format!("the emulator at {address} does not answer: {error}"))?;
        Ok(Emulator { address, _server: server })
    }

    /// From now on everybody may do only what the policies of IAM allow, or everything.
    pub(crate) fn enforce_policies(&self, on: bool) {
        let requests_before = if on { "0" } else { "inf" };
        let mut server = TcpStream::connect(&self.address).expect("the emulator");
        write!(
            server,
            "POST /moto-api/reset-auth HTTP/1.1\r\nHost: {}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{requests_before}",
            self.address,
            requests_before.len()
        )
        .expect("a request");
        let mut answer = String::new();
        server.read_to_string(&mut answer).expect("an answer");
        assert!(answer.contains(" 200 "), "{answer}");
    }

    /// For `AWS_ENDPOINT_URL`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Keeps what the server says in a file, for whoever looks for the cause of an error 500, and finds its address there.
fn log_lines(server: &mut Child, log: &Path) -> Receiver<String> {
    let (found, address) = mpsc::channel();
    let lines = BufReader::new(server.stderr.take().expect("a pipe")).lines();
    let mut log = File::create(log).expect("a log of the emulator");
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            // The disk may be full on purpose, and the log is not what is tested.
            let _ = writeln!(log, "{line}");
            if let Some((_, address)) = line.split_once("Running on http://") {
                let _ = found.send(address.trim().to_owned());
            }
        }
    });
    address
}
