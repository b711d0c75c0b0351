//! One file per command, its phases in a row.

pub mod trace;
