//! What came of a request, in the shape of `simulate --output json`.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::document::Effect;
use super::policies::Layer;

/// The end of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every layer lets it pass.
    Allowed,
    /// Nothing forbids it, but something that must allow it does not.
    ImplicitDeny,
    /// A `Deny` statement matches.
    ExplicitDeny,
}

impl Outcome {
    /// The name in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Allowed => "allowed",
            Outcome::ImplicitDeny => "implicit_deny",
            Outcome::ExplicitDeny => "explicit_deny",
        }
    }
}

/// A decision and its reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Decision {
    /// Whether the request passes.
    #[serde(rename = "decision")]
    pub outcome: Outcome,
    /// Every layer that by itself stops the request, in the order of [`Layer::ALL`].
    ///
    /// Where within one account either the identity or the resource policy could have allowed it and neither
    /// did, it is `identity`, as in the error messages of AWS; where only the resource policy could have
    /// (key and trust policies, services and unsigned requests), it is `resource`.
    pub blocked_by: Vec<Layer>,
    /// The statements that decided: the `Deny` statements that match, or the `Allow` statements that let the
    /// request pass. Empty for an implicit deny.
    pub deciding: Vec<Deciding>,
    /// Statements that fail in exactly one element: those that would have allowed what is denied, or would
    /// have had a say in what is allowed. At most [`MOST_NEAR_MISSES`].
    pub near_misses: Vec<NearMiss>,
}

/// More near misses than these help nobody.
pub const MOST_NEAR_MISSES: usize = 50;

/// A statement that decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Deciding {
    /// The kind of its policy.
    pub policy_type: Layer,
    /// The name of its policy.
    pub policy: Option<String>,
    /// Which level of the organization, from the root; only for SCPs and RCPs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<usize>,
    /// Its position in the policy, from 0.
    pub statement: usize,
    /// Its `Sid`.
    pub sid: Option<String>,
    /// What it does.
    pub effect: Effect,
}

/// A statement that fails in exactly one element.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NearMiss {
    /// The kind of its policy.
    pub policy_type: Layer,
    /// The name of its policy.
    pub policy: Option<String>,
    /// Which level of the organization, from the root; only for SCPs and RCPs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<usize>,
    /// Its position in the policy, from 0.
    pub statement: usize,
    /// Its `Sid`.
    pub sid: Option<String>,
    /// What it would do.
    pub effect: Effect,
    /// `Action`, `Resource`, `Principal` or `Condition`.
    pub element: &'static str,
    /// In which element, and what stands there.
    pub because: String,
}

/// What can be said of a request of which not everything is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Weighed {
    /// It passes, whatever the unknown turns out to be.
    Allowed(Decision),
    /// It does not pass, whatever the unknown turns out to be. The decision is the one at best: it names
    /// only what certainly stops the request.
    Denied(Decision),
    /// It depends.
    DependsOn(Box<Doubt>),
}

/// On what a request depends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// Context keys, in lower case.
    pub keys: BTreeSet<String>,
    /// Layers that could not be read.
    pub unread: BTreeSet<Layer>,
    /// The decision if everything unknown is as the request needs it.
    pub at_best: Decision,
    /// The decision if nothing unknown is as the request needs it.
    pub at_worst: Decision,
}
