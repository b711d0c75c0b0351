//! One file per command, its phases in a row.

pub mod apply;
pub mod carry_out;
pub mod confirm;
pub mod consent;
pub mod demo;
pub mod diagnose;
pub mod explain;
pub mod export;
pub mod permissions;
pub mod plan;
pub mod preflight;
pub mod report;
pub mod rollback;
pub mod runs;
pub mod show;
pub mod simulate;
pub mod snapshot;
pub mod trace;
pub mod usable;
pub mod world;
