//! Finds what stops pods on Amazon EKS from pulling images from Amazon ECR, and fixes it.
//!
//! The library is small on purpose: it is what the program, its tests and its benchmarks need.

pub mod checks;
pub mod cli;
pub mod commands;
pub mod error;
pub mod model;
pub mod network;
pub mod render;
pub mod snapshot_dir;
pub mod ui;
