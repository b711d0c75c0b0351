//! The judges: each looks at some legs of every pull, and names the causes that block them.
//!
//! A cause is a file in `checks`; a judge may tell several causes apart, because one decision (may this role pull?)
//! has several ways to be no.

mod credentials;
mod endpoint_policy;
mod image;
mod network;
mod paths;
mod permission;
mod platforms;
mod pull_through;
mod registry_policies;
pub(crate) mod role_policies;
mod trust;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnosis::Verdicts;
use crate::pulls::World;

/// Every judge, in the order of a pull.
pub const ALL: &[Judge] = &[
    trust::judge,
    credentials::judge,
    network::judge,
    permission::judge,
    endpoint_policy::judge,
    pull_through::judge,
    image::judge,
];

/// Which remedies to prefer, where several work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Options {
    /// How a role gets the permission to pull.
    #[serde(default)]
    pub pull_policy: PullPolicy,
}

/// Which AWS managed policy lets nodes pull.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PullPolicy {
    /// AmazonEC2ContainerRegistryPullOnly, where the partition has it
    #[default]
    PullOnly,
    /// AmazonEC2ContainerRegistryReadOnly
    ReadOnly,
}

/// A check: looks at a world, and says what it finds of every pull.
pub type Judge = fn(&World<'_>, &Options, &mut Verdicts);
