//! The tests that run the real program: against the emulator, against snapshot directories, and with faults.

// Clippy's leave for tests covers only functions marked as tests, and these helpers are nothing else.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod approval;
mod bad_input;
mod causes;
mod confirmation;
mod diagnosis;
mod documents;
mod endpoints;
mod enforcement;
mod exit_codes;
mod explain;
mod exports;
mod faults;
mod filters;
mod following;
mod harness;
mod interrupts;
mod kubernetes;
mod narrowing;
mod plan_files;
mod project_file;
mod reading;
mod records;
mod refusals;
mod registries;
mod reports;
mod resume;
mod sandbox;
mod schemas;
mod shapes;
mod shared_state;
mod snapshots;
mod stories;
mod support;
mod three_way;
mod trouble;
mod waiting;
mod whole_loop;
mod worlds;
