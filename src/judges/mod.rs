//! The judges: each looks at some legs of every pull, and names the causes that block them.
//!
//! A cause is a file in `checks`; a judge may tell several causes apart, because one decision (may this role pull?)
//! has several ways to be no.

mod credentials;
mod disk;
mod dns_firewall;
mod eks_says;
mod elsewhere;
mod endpoint_policy;
mod grants;
mod hybrid;
mod image;
pub(crate) mod kubernetes;
mod layers;
mod network;
mod own_roles;
mod paths;
mod permission;
mod platforms;
mod pull_secrets;
mod pull_through;
pub(crate) mod registry_policies;
pub(crate) mod role_policies;
mod trust;

pub(crate) use network::places;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnosis::Verdicts;
use crate::pulls::World;

/// Every judge, in the order of a pull.
pub const ALL: &[Judge] = &[
    trust::judge,
    credentials::judge,
    hybrid::judge,
    own_roles::judge,
    network::judge,
    dns_firewall::judge,
    permission::judge,
    endpoint_policy::judge,
    pull_through::judge,
    image::judge,
    layers::judge,
    disk::judge,
    elsewhere::judge,
    eks_says::judge,
];

/// Which remedies to prefer, where several work.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Options {
    /// How a role gets the permission to pull.
    #[serde(default)]
    pub pull_policy: PullPolicy,
    /// Whether a role gets an inline policy that names the repositories, and not a managed policy for all of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub least_privilege: bool,
    /// How a network without a way out gets one; `None`: by the only NAT gateway, or else by endpoints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefer: Option<WayOut>,
    /// The NAT gateways that routes may lead to, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nat: Vec<String>,
    /// Whether HTTPS may be let out to the whole internet, and its replies in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_internet_egress: bool,
    /// Whether a role may be let in by a statement of its own where the policy of a repository has a condition that it
    /// does not meet: somebody may have meant to keep it out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_past_conditions: bool,
    /// Whether a node without an instance profile may be given one; its node group would rather replace the node.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_profile_association: bool,
}

/// How packets leave a network that has no way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WayOut {
    /// VPC endpoints for ECR and S3
    Endpoints,
    /// A NAT gateway that is there
    Nat,
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

/// A word of a command that a person may copy into a shell, where it means itself.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=+,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[test]
fn words_from_outside_stay_words_in_a_shell() {
    assert_eq!(quoted("arn:aws:iam::aws:policy/x_1"), "arn:aws:iam::aws:policy/x_1");
    assert_eq!(quoted("a; rm -rf /"), "'a; rm -rf /'");
    assert_eq!(quoted("it's $(x)"), r"'it'\''s $(x)'");
    assert_eq!(quoted(""), "''");
}

#[cfg(test)]
mod test_support {
    use expect_test::Expect;
    use serde_json::Value;

    use super::Options;
    use crate::checks::Leg;
    use crate::diagnosis::{diagnosis, verdicts};
    use crate::pulls::tests::{APP, world};
    use crate::pulls::{Scope, SourceKind, World};

    /// What is found of these causes in a world, and how these legs of pulls of `app:v1` are by the nodes that are meant: those
    /// on premises, where there are any, and else those of the group.
    pub(super) fn check(documents: &[Value], causes: &[&str], legs: &[Leg], expected: &Expect) {
        let snapshot = world(documents);
        let scope = Scope { images: vec![APP.to_owned()], ..Scope::default() };
        let world = World::of(&snapshot, &scope).unwrap();
        let told = diagnosis(&world, &verdicts(&world, &Options::default()));
        let mut text = String::new();
        for found in told.findings.iter().filter(|found| causes.contains(&found.cause.as_str())) {
            let legs = told.pull_paths.iter().flat_map(|path| &path.legs);
            let legs = legs.filter(|leg| leg.findings.contains(&found.id)).map(|leg| leg.leg.as_str());
            let legs: std::collections::BTreeSet<&str> = legs.collect();
            let (severity, remedy) = (found.severity.as_str(), found.remedy.as_str());
            text +=
                &format!("{} {severity} {remedy} on {}: {}\n", found.cause, found.resource, found.summary);
            text += &found
                .evidence
                .iter()
                .map(|seen| format!("  {}: {}\n", seen.source, seen.saw))
                .collect::<String>();
            text += &format!(
                "  blocks {} of {}\n",
                legs.into_iter().collect::<Vec<_>>().join(" "),
                found.blocks.join(", ")
            );
        }
        let hybrid = world.sources.iter().any(|source| source.kind == SourceKind::Hybrid);
        let meant = if hybrid { SourceKind::Hybrid } else { SourceKind::Nodegroup };
        for path in told.pull_paths.iter().filter(|path| path.image == APP && path.from.kind == meant) {
            for leg in path.legs.iter().filter(|leg| legs.contains(&leg.leg) && leg.findings.is_empty()) {
                let because = leg.because.join("; ");
                text += &format!(
                    "{}/{} {} {} {because}\n",
                    path.from.kind.as_str(),
                    path.from.id,
                    leg.leg.as_str(),
                    leg.verdict.as_str()
                );
            }
        }
        expected.assert_eq(&text.replace(APP, "app:v1").replace(" \n", "\n"));
    }
}
