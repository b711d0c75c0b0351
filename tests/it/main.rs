//! The tests that run the real program: against the emulator, against snapshot directories, and with faults.

// Clippy's leave for tests covers only functions marked as tests, and these helpers are nothing else.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod bad_input;
mod diagnosis;
mod documents;
mod exit_codes;
mod explain;
mod harness;
mod interrupts;
mod reading;
mod refusals;
mod sandbox;
mod snapshots;
mod stories;
mod support;
mod trouble;
mod whole_loop;
mod worlds;
