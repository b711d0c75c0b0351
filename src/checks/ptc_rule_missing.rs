//! # ptc-rule-missing
//!
//! The name looks like one of a pull-through cache, but no rule has that prefix.
//!
//! ## Why pulls fail
//! A pull-through cache rule says which prefix of a repository stands for which registry. Without a rule
//! whose prefix fits the beginning of the name, the registry looks for an ordinary repository and finds none.
//! Rules are regional.
//!
//! ## How to see it
//! - `name unknown: The repository with name 'PREFIX/…' does not exist in the registry`.
//! - In AWS: `aws ecr describe-pull-through-cache-rules` has no `ecrRepositoryPrefix` that fits, in that
//!   region.
//!
//! ## What to do
//! Create the rule (`aws ecr create-pull-through-cache-rule`), or correct the prefix in the image name.
//!
//! ## What is never automated
//! Rules are created only when asked for: they let nodes bring in images from outside.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, said::Said};

pub(crate) const CAUSE: Cause = Cause {
    id: "ptc-rule-missing",
    leg: Some(Leg::Image),
    severity: Severity::High,
    remedy: Remedy::Manual,
    source: include_str!("ptc_rule_missing.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let (prefix, _) = message.cached()?;
    let said = message.said(Said::RepositoryUnknown).or_else(|| message.not_found())?;
    let next =
        "`aws ecr describe-pull-through-cache-rules --query 'pullThroughCacheRules[].ecrRepositoryPrefix'`";
    let meaning = format!("is there a rule with the prefix `{prefix}`, in this region?");
    Some(Recognition::possible(said, &meaning, next).weight(80))
}

#[test]
fn recognises_its_messages() {
    super::test_support::among(
        &CAUSE,
        "Error response from daemon: repository 111122223333.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/library/x not found: name unknown: The repository with name 'docker-hub/library/x' does not exist in the registry with id '111122223333'",
    );
}
