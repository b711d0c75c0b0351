//! One file per command, its phases in a row.

pub mod apply;
pub mod consent;
pub mod demo;
pub mod diagnose;
pub mod explain;
pub mod export;
pub mod permissions;
pub mod plan;
pub mod report;
pub mod rollback;
pub mod runs;
pub mod show;
pub mod simulate;
pub mod snapshot;
pub mod trace;
pub mod world;
