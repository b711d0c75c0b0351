//! Stands between a client and the emulator, remembers every request, and makes trouble by rule.

use std::collections::HashMap;
use std::io::{self, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::emulator::emulator;
use super::{Fault, Request, Times};

/// An HTTP proxy that forwards verbatim, because the Host header is signed. One request a connection: so does moto.
pub(crate) struct Proxy {
    address: String,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
    closed: AtomicBool,
}

#[derive(Default)]
struct State {
    requests: Vec<Request>,
    rules: Vec<Rule>,
    /// The last true answer to each question.
    answers: HashMap<String, (Request, Vec<u8>)>,
    /// Answers that a write has made false, and how long they are still given.
    held: HashMap<String, (Vec<u8>, Hold)>,
}

struct Rule {
    pattern: String,
    times: Times,
    seen: usize,
    fault: Fault,
}

#[derive(Clone, Copy)]
enum Hold {
    Reads(usize),
    Until(Instant),
}

impl Proxy {
    /// In front of the emulator that the tests share.
    pub(crate) fn start() -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            arrived: Condvar::new(),
            closed: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if serving.closed.load(Ordering::Relaxed) {
                    return;
                }
                let serving = Arc::clone(&serving);
                // A client that went away, or that was cut off on purpose, is no failure of the proxy.
                std::thread::spawn(move || serving.serve(client).unwrap_or_default());
            }
        });
        Proxy { address, shared }
    }

    /// For `AWS_ENDPOINT_URL`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on, this happens to the requests that are meant (see [`Request::is`]). Rules are applied in order,
    /// until one of them ends the request.
    pub(crate) fn rule(&self, pattern: &str, times: Times, fault: Fault) {
        self.shared.lock().rules.push(Rule { pattern: pattern.to_owned(), times, seen: 0, fault });
    }

    /// No more trouble.
    pub(crate) fn calm(&self) {
        let mut state = self.shared.lock();
        state.rules.clear();
        state.held.clear();
    }

    /// Every request so far, in the order of arrival.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.lock().requests.clone()
    }

    /// Forgets the requests so far.
    pub(crate) fn forget(&self) {
        self.shared.lock().requests.clear();
    }

    /// How many requests of a kind came so far.
    pub(crate) fn count(&self, pattern: &str) -> usize {
        self.shared.lock().count(pattern)
    }

    /// Waits until so many requests of a kind have come.
    pub(crate) fn wait_for(&self, pattern: &str, count: usize) {
        let limit = Duration::from_secs(60);
        let waiting = |state: &mut State| state.count(pattern) < count;
        let (state, waited) =
            self.shared.arrived.wait_timeout_while(self.shared.lock(), limit, waiting).expect("the lock");
        assert!(!waited.timed_out(), "{pattern} came {} times, not {count}", state.count(pattern));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Relaxed);
        // Wakes the listener, which then sees that it is over. If it is gone already, all the better.
        let _ = TcpStream::connect(&self.address);
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        let Some(request) = Request::read(&mut BufReader::new(client.try_clone()?))? else {
            return Ok(());
        };
        let faults = self.lock().arrive(&request);
        self.arrived.notify_all();
        for fault in faults {
            match fault {
                Fault::Delay(time) => std::thread::sleep(time),
                Fault::Meanwhile(something) => something(&request),
                Fault::Afterwards(something) => {
                    self.forward(&request)?;
                    something(&request);
                    return Ok(());
                }
                Fault::Drop => return Ok(()),
                Fault::LoseAnswer => return self.forward(&request).map(drop),
                Fault::Repeat => drop(self.forward(&request)?),
                Fault::StaleReads(_) | Fault::StaleFor(_) => {
                    if let Some(answer) = self.lock().held_answer(&request.question()) {
                        return client.write_all(&answer);
                    }
                }
                Fault::InRegion(_)
                | Fault::Answer(_)
                | Fault::Deny
                | Fault::Throttle
                | Fault::Fail(_)
                | Fault::ExpireToken => {
                    return client.write_all(&fault.refusal(&request).expect("a refusal"));
                }
            }
        }
        client.write_all(&self.forward(&request)?)
    }

    fn forward(&self, request: &Request) -> io::Result<Vec<u8>> {
        if !request.reads() {
            self.lock().hold_answers(request);
        }
        let mut server = TcpStream::connect(&emulator().address)?;
        server.write_all(request.raw())?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer)?;
        if request.reads() {
            self.lock().answers.insert(request.question(), (request.clone(), answer.clone()));
        }
        Ok(answer)
    }
}

impl State {
    fn count(&self, pattern: &str) -> usize {
        self.requests.iter().filter(|request| request.is(pattern)).count()
    }

    /// Remembers the request, and says what happens to it.
    fn arrive(&mut self, request: &Request) -> Vec<Fault> {
        self.requests.push(request.clone());
        let mut faults = Vec::new();
        for rule in self.rules.iter_mut().filter(|rule| request.is(&rule.pattern)) {
            rule.seen += 1;
            if rule.times.include(rule.seen) {
                faults.push(rule.fault.clone());
            }
        }
        faults
    }

    /// Keeps the answers that this write makes false, where a rule wants reads to lag behind.
    fn hold_answers(&mut self, write: &Request) {
        for rule in &self.rules {
            let hold = match rule.fault {
                Fault::StaleReads(count) => Hold::Reads(count),
                Fault::StaleFor(time) => Hold::Until(Instant::now() + time),
                _ => continue,
            };
            for (question, (read, answer)) in &self.answers {
                if read.service == write.service && read.is(&rule.pattern) {
                    self.held.insert(question.clone(), (answer.clone(), hold));
                }
            }
        }
    }

    fn held_answer(&mut self, question: &str) -> Option<Vec<u8>> {
        let (answer, hold) = self.held.get_mut(question)?;
        let answer = answer.clone();
        match hold {
            Hold::Reads(0) => return None,
            Hold::Reads(left) => *left -= 1,
            Hold::Until(end) if *end <= Instant::now() => return None,
            Hold::Until(_) => {}
        }
        Some(answer)
    }
}
