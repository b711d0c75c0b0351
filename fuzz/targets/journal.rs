//! Reads whatever bytes as the journal of a run. So that more than the chain of hashes is reached, lines that are events
//! are also recorded, one after the other, and the record is read as a rollback would. Nothing may panic, and of a
//! journal that ecr-fix wrote itself every line is believed.
//!
//! `cargo +nightly fuzz run journal fuzz/corpus/journal`

#![no_main]

use std::fs;
use std::path::Path;

use ecr_fix::run::{Event, Journal, Record, RunDir, read_events};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

const PLAN: &str = include_str!("../../plans/demo/plan.json");

fuzz_target!(|bytes: &[u8]| {
    let dir = tempfile::tempdir_in(scratch()).expect("a directory");
    let found = dir.path().join("found");
    let run = run_in(&found);
    fs::write(found.join("journal.jsonl"), bytes).expect("a file");
    let _ = (read_events(&run), Record::load(&run), Record::skim(&run));
    let _ = Journal::open(&run, Timestamp::UNIX_EPOCH);

    let events: Vec<Event> =
        bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let run = run_in(&dir.path().join("written"));
    let mut journal = Journal::create(&run).expect("a journal");
    let count = events.len();
    for event in events {
        journal.record(Timestamp::UNIX_EPOCH, event).expect("a line");
    }
    assert_eq!(read_events(&run).expect("lines").len(), count);
    let _ = (Record::load(&run), Record::skim(&run));
});

/// In memory, where there is such a place: the journal flushes every line to the disk.
fn scratch() -> &'static Path {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory } else { Path::new("/tmp") }
}

fn run_in(dir: &Path) -> RunDir {
    fs::create_dir(dir).expect("a directory");
    fs::write(dir.join("plan.json"), PLAN).expect("a plan");
    RunDir::Local(dir.to_owned())
}
