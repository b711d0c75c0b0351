//! Finds what stops pods on Amazon EKS from pulling images from Amazon ECR, and fixes it.
//!
//! The library is small on purpose: it is what the program, its tests and its benchmarks need.

pub mod actions;
pub mod aws;
pub mod checks;
pub mod cli;
pub mod collect;
pub mod commands;
pub mod diagnosis;
pub mod error;
pub mod explain;
pub mod iam;
pub mod json_text;
pub mod judges;
pub mod kube;
pub mod model;
pub mod network;
pub mod plan;
pub mod pulls;
pub mod render;
pub mod run;
pub mod snapshot_dir;
pub mod ui;
