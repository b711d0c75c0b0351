//! The tests that run the real program: against the emulator, against snapshot directories, and with faults.

// Clippy's leave for tests covers only functions marked as tests, and these helpers are nothing else.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod approval;
mod bad_input;
mod confirmation;
mod diagnosis;
mod documents;
mod exit_codes;
mod explain;
mod faults;
mod following;
mod harness;
mod interrupts;
mod reading;
mod records;
mod refusals;
mod resume;
mod sandbox;
mod snapshots;
mod stories;
mod support;
mod three_way;
mod trouble;
mod whole_loop;
