//! Decides any request of a pull offline, and says which statement decided.
//!
//! Pure: a [`Request`], the [`Policies`] that may have a say in it, and a [`Decision`]. Policies are compiled
//! once ([`Document::parse`]) and evaluated many times. [`decide`] is strict; [`weigh`] has three values, for
//! a world of which not everything is known.
//!
//! # What is modelled
//! - Identity policies, permissions boundary, session policy, resource policy, VPC endpoint policy, SCPs and
//!   RCPs by level, after the logic that AWS documents; see [`decide`] and [`Decision::blocked_by`].
//! - Trust policies and KMS key policies must allow, even within one account.
//! - The root user needs no identity policy in its own account; SCPs and resource policies bind it.
//! - SCPs bind users, roles and the root user, not service principals, unsigned requests and service-linked
//!   roles. RCPs bind everybody but service-linked roles.
//!
//! # What is not
//! - That an account is the management account of its organization, which SCPs and RCPs do not bind: the
//!   caller leaves the levels empty.
//! - Which services support RCPs or resource policies: policies that are passed are evaluated.
//! - Access control lists, S3 Block Public Access, KMS grants, AWS RAM: they are not policies of a pull.
//! - For an assumed-role session the path of its role: it is not in the ARN. Pass the role's ARN, or
//!   `aws:PrincipalArn`.

mod condition;
mod context;
mod decision;
mod document;
mod evaluate;
mod explain;
mod glob;
mod json;
#[cfg(test)]
mod laws;
pub mod managed;
mod policies;
mod principal;
mod request_file;
mod resource;
mod services;

pub use context::Knowledge;
pub use decision::{Deciding, Decision, Doubt, MOST_NEAR_MISSES, NearMiss, Outcome, Weighed};
pub use document::{Document, Effect, LONGEST_DOCUMENT, PolicyError};
pub use evaluate::{decide, weigh};
pub(crate) use glob::Glob;
pub use policies::{Layer, Named, Policies, Request};
pub use request_file::{LONGEST_FILE, Question, RequestError, RequestFile, policy_or_statement};
