//! Changes: one resource each, from what it is to what it shall be.
//!
//! Kind, diff, precondition, simulation, inverse and rollback follow from `{at, before, after}`, so a new
//! kind of action is one file with `get`, `set` and `send`.

pub mod attachment;
pub mod change;
pub mod statement;
pub mod trust_policy;

pub use attachment::Attachment;
pub use change::{AnyChange, Change, Found, Resource};
pub use trust_policy::TrustPolicy;

use serde::{Deserialize, Serialize};

/// Every write call that ecr-fix can make at all. SECURITY.md lists the same; a test compares the two.
pub const WRITE_CALLS: [&str; 3] =
    ["iam:AttachRolePolicy", "iam:DetachRolePolicy", "iam:UpdateAssumeRolePolicy"];

/// What a change is called in plans, records and messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A managed policy is attached to a role.
    AttachRolePolicy,
    /// A managed policy is taken from a role.
    DetachRolePolicy,
    /// The trust policy of a role is replaced.
    UpdateTrustPolicy,
}

impl Kind {
    /// The name in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::AttachRolePolicy => "attach-role-policy",
            Kind::DetachRolePolicy => "detach-role-policy",
            Kind::UpdateTrustPolicy => "update-trust-policy",
        }
    }

    /// The one call that makes a change of this kind.
    pub fn api_call(self) -> &'static str {
        match self {
            Kind::AttachRolePolicy => "iam:AttachRolePolicy",
            Kind::DetachRolePolicy => "iam:DetachRolePolicy",
            Kind::UpdateTrustPolicy => "iam:UpdateAssumeRolePolicy",
        }
    }
}

/// How much a change can harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// It only adds what a pull needs.
    Low,
    /// It changes something that others rely on.
    Medium,
    /// It can take away what works today.
    High,
}
