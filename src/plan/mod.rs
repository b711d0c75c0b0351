//! The plan: every change that a diagnosis asks for, minimal, ordered and proven on paper.

mod build;
pub mod file;
mod newly_reachable;
mod permissions;
pub mod prices;

pub use build::{Request, build};
pub use file::{Action, Inverse, NotFixed, Plan, Precondition, Proof, Tally};
pub use permissions::{Document, for_changes, for_diagnosis};
