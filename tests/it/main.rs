//! The tests that run the real program: against the emulator, against snapshot directories, and with faults.

// Clippy's leave for tests covers only functions marked as tests, and these helpers are nothing else.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod bad_input;
mod diagnosis;
mod documents;
mod endpoints;
mod exit_codes;
mod explain;
mod exports;
mod filters;
mod harness;
mod interrupts;
mod kubernetes;
mod reading;
mod refusals;
mod registries;
mod reports;
mod sandbox;
mod schemas;
mod snapshots;
mod stories;
mod support;
mod trouble;
mod whole_loop;
mod worlds;
