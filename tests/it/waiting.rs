//! `diagnose --wait`: looks until all is well, and answers once.

use std::fs;
use std::path::Path;

use crate::sandbox::{Sandbox, WORLD};
use crate::support::Running;

fn start(sandbox: &Sandbox, arguments: &[&str]) -> Running {
    sandbox.program.start(&[&["diagnose"], &WORLD[..], &["--output", "json"], arguments].concat())
}

/// Puts another story in the place of the world.
fn becomes(sandbox: &Sandbox, story: &str) {
    let world = sandbox.program.home().join("world");
    for name in sandbox.before.keys() {
        fs::remove_file(world.join(name)).unwrap();
    }
    let story = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans").join(story).join("world");
    for entry in fs::read_dir(story).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), world.join(entry.file_name())).unwrap();
    }
}

#[test]
fn it_ends_as_soon_as_all_is_well() {
    let sandbox = Sandbox::new();
    let mut running = start(&sandbox, &["--wait", "10m", "--detailed-exitcode"]);
    running.wait_for("looking again");
    becomes(&sandbox, "healthy-look-alike");
    let outcome = running.finish().expect(0);
    assert_eq!(outcome.json()["summary"]["verdict"], "healthy", "{outcome}");
    assert!(outcome.stderr.contains("broken: of 2 pulls 2 are blocked"), "{outcome}");
}

#[test]
fn it_ends_with_how_things_are_when_the_time_is_up() {
    let sandbox = Sandbox::new();
    let outcome = start(&sandbox, &["--wait", "1s", "--detailed-exitcode"]).finish().expect(2);
    assert_eq!(outcome.json()["summary"]["verdict"], "broken", "{outcome}");
    let outcome = start(&sandbox, &["--wait", "1s", "--quiet"]).finish().expect(0);
    assert_eq!(outcome.stderr, "", "{outcome}");
    outcome.json();
}

/// What was seen before a look that fails is no answer to how things are.
#[test]
fn a_world_that_cannot_be_read_at_the_end_is_an_error() {
    let sandbox = Sandbox::new();
    let mut running = start(&sandbox, &["--wait", "3s"]);
    running.wait_for("looking again");
    fs::write(sandbox.program.home().join("world/broken.json"), "{").unwrap();
    let outcome = running.finish().expect(1);
    assert_eq!(outcome.error_code(), "bad_input", "{outcome}");
}

#[test]
fn control_c_ends_the_wait() {
    for signal in ["INT", "TERM"] {
        let sandbox = Sandbox::new();
        let mut running = start(&sandbox, &["--wait", "10m"]);
        running.wait_for("looking again");
        running.signal(signal);
        let outcome = running.finish().expect(130);
        assert_eq!(outcome.error_code(), "interrupted");
    }
}

#[test]
fn what_cannot_be_right_is_said_at_once() {
    let sandbox = Sandbox::new();
    start(&sandbox, &["--wait", "10m", "--cluster", "no-such-cluster"]).finish().expect(1);
    start(&sandbox, &["--wait", "soon"]).finish().expect(64);
    start(&sandbox, &["--wait", "0s"]).finish().expect(64);
}
