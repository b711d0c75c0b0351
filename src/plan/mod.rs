//! The plan: every change that a diagnosis asks for, minimal, ordered and proven on paper.

mod alternatives;
mod build;
pub mod file;
mod group;
#[cfg(test)]
mod laws;
mod newly_allowed;
mod newly_reachable;
mod on_paper;
mod owner;
mod permissions;
pub mod prices;
mod select;
mod working_pulls;

pub use build::{Request, build};
pub use file::{Action, Alternative, Inverse, NotFixed, Plan, Precondition, Proof, Tally};
pub use owner::{Owned, Owner, Tool};
pub use permissions::{Document, for_changes, for_diagnosis, for_plan, for_records};
pub use select::{Only, Selection};
