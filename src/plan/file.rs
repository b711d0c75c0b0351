//! The plan as a document: versioned, with a digest over its canonical form.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::owner::Owner;
use super::permissions::Document;
use crate::actions::{AnyChange, Kind, Risk};
use crate::diagnosis::{Diagnosis, FORMAT_VERSION};
use crate::error::{Code, Error};
use crate::judges::Options;
use crate::pulls::{Scope, Target};

/// A plan, as `ecr-fix plan --output json` prints it and `--out` saves it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// Readers refuse another major version.
    pub format_version: String,
    /// The program that made it.
    pub ecr_fix_version: String,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339. Afterwards `apply` refuses it.
    pub expires_at: String,
    /// The cluster.
    pub target: Target,
    /// The ARN that read the world.
    #[serde(default)]
    pub planned_by: Option<String>,
    /// `sha256:` over the canonical JSON (RFC 8785) of the document without this field.
    #[serde(default)]
    pub digest: String,
    /// What was diagnosed; the diagnosis after the plan is about the same.
    #[serde(default)]
    pub scope: Scope,
    /// Which remedies were preferred.
    #[serde(default)]
    pub options: Options,
    /// What the plan is for.
    pub diagnosis: Diagnosis,
    /// In the order in which they are made.
    pub actions: Vec<Action>,
    /// Other ways to mend the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<Alternative>,
    /// What the plan leaves, and why.
    pub not_fixed: Vec<NotFixed>,
    /// What the plan changes, computed on paper.
    pub proof: Proof,
    /// What the caller must be allowed to do, to apply the plan and to roll it back.
    pub required_permissions: Document,
}

/// One change, with all that a reviewer and the engine need.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Action {
    /// `a1`, `a2`, …
    pub id: String,
    /// What it is.
    pub kind: Kind,
    /// In one line.
    pub summary: String,
    /// The ARN or id of what changes.
    pub resource: String,
    /// The account of the resource.
    pub account: String,
    /// The region of the resource, or that of the cluster where the resource is global.
    pub region: String,
    /// The findings that it mends.
    pub fixes: Vec<String>,
    /// The actions that have to come first.
    pub depends_on: Vec<String>,
    /// How much it can harm.
    pub risk: Risk,
    /// Why it is safe all the same.
    pub why_safe: String,
    /// Why this change and not another.
    #[serde(default)]
    pub because: String,
    /// Where the resource is: its natural key.
    pub at: Value,
    /// What it is; null: it does not exist.
    pub before: Value,
    /// What it shall be; null: it shall not exist.
    pub after: Value,
    /// Both, as lines.
    pub diff: String,
    /// What must still hold when it is applied.
    pub precondition: Precondition,
    /// The change that takes it back.
    pub inverse: Inverse,
    /// The calls that make it.
    pub api_calls: Vec<String>,
    /// US dollars for 730 hours.
    pub monthly_cost_usd: f64,
    /// The role that is assumed to make it, where one was named for the account of the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assumes: Option<String>,
    /// The tool that owns the resource, where tags or names say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// What a person has to know before they agree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What must still hold when an action is applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Precondition {
    /// `sha256:` over the fields that the change relies on.
    pub fingerprint: String,
}

/// The change that takes an action back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Inverse {
    /// What it is.
    pub kind: Kind,
    /// In one line.
    #[serde(default)]
    pub summary: String,
}

/// Another way to mend at least as much, planned and proven on paper like the chosen one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Alternative {
    /// The flag of `ecr-fix plan` that asks for it.
    pub choice: String,
    /// The actions of this plan that it does without.
    pub replaces: Vec<String>,
    /// What it does and this plan does not, each in one line.
    pub changes: Vec<String>,
    /// US dollars for 730 hours, for the whole of the other plan.
    pub monthly_cost_usd: f64,
    /// What the other plan opens beyond the pulls.
    pub newly_reachable: Vec<String>,
}

impl Alternative {
    /// What it does in the place of what.
    pub fn in_words(&self) -> String {
        let (replaced, changes) = (self.replaces.join(", "), self.changes.join("; "));
        match (replaced.as_str(), changes.as_str()) {
            ("", changes) => format!("beside what this plan does: {changes}"),
            (replaced, "") => format!("without {replaced}"),
            (replaced, changes) => format!("in the place of {replaced}: {changes}"),
        }
    }
}

/// A finding that the plan leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotFixed {
    /// Its id.
    pub finding: String,
    /// Why.
    pub because: String,
    /// What a person does about it, in order.
    pub manual_steps: Vec<String>,
}

/// How the pulls are before and after, computed by applying the plan to a copy of the snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Proof {
    /// As they are.
    pub before: Tally,
    /// As they will be.
    pub after: Tally,
    /// What the plan opens beyond the pulls.
    pub newly_reachable: Vec<String>,
}

/// How many pulls do not work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tally {
    /// Known to be blocked.
    pub blocked: usize,
    /// Not decided.
    pub unknown: usize,
}

impl Action {
    /// Whether the words of the action are those of the change: a reviewer reads the words.
    pub fn shows(&self, change: &AnyChange) -> bool {
        let inverse = change.inverse();
        self.summary == change.summary()
            && self.diff == change.diff()
            && self.resource == change.resource()
            && self.account == change.account()
            && self.inverse == Inverse { kind: inverse.kind(), summary: inverse.summary() }
            && self.api_calls == change.api_calls()
    }

    /// The change itself.
    ///
    /// # Errors
    /// The parts of the action do not fit together.
    pub fn change(&self) -> Result<AnyChange, Error> {
        AnyChange::from_parts(self.kind, &self.at, &self.before, &self.after).map_err(|because| {
            Error::new(
                Code::BadInput,
                format!("action {} of the plan cannot be read", self.id),
                "make the plan again",
            )
            .because(because)
        })
    }
}

/// The fingerprint of what a change relies on.
pub fn fingerprint(change: &AnyChange) -> String {
    sha256_of(&change.relies_on())
}

impl Plan {
    /// The digest that belongs to the document.
    pub fn computed_digest(&self) -> String {
        digest_of(&serde_json::to_value(self).unwrap_or(Value::Null))
    }

    /// Reads a plan file, of this or an earlier format.
    ///
    /// # Errors
    /// It is no plan, it is of a newer format, or it was changed after it was made.
    pub fn read(text: &str, name: &str) -> Result<Plan, Error> {
        let broken = |because: String| {
            Error::new(
                Code::BadInput,
                format!("{name} is not a plan"),
                "make it again with `ecr-fix plan --out FILE`",
            )
            .because(because)
        };
        let document: Value = serde_json::from_str(text).map_err(|error| broken(error.to_string()))?;
        let version = document.get("format_version").and_then(Value::as_str).unwrap_or_default();
        let major = |version: &str| version.split('.').next().unwrap_or_default().to_owned();
        if major(version) != major(FORMAT_VERSION) {
            return Err(broken(format!(
                "its format_version is {version:?}, this program reads {FORMAT_VERSION}"
            )));
        }
        let digest = document.get("digest").and_then(Value::as_str).unwrap_or_default().to_owned();
        let computed = digest_of(&document);
        if digest != computed {
            return Err(Error::new(
                Code::StalePlan,
                format!("{name} was changed after it was made"),
                "make it again with `ecr-fix plan --out FILE`; edit the world, not the plan",
            )
            .because(format!("its digest is {digest}, its content has {computed}")));
        }
        let mut reader = serde_json::Deserializer::from_str(text);
        serde_path_to_error::deserialize(&mut reader)
            .map_err(|error| broken(format!("at {}: {}", error.path(), error.inner())))
    }
}

/// `sha256:` over the canonical JSON of a document without its `digest`.
pub fn digest_of(document: &Value) -> String {
    let mut document = document.clone();
    if let Value::Object(fields) = &mut document {
        fields.remove("digest");
    }
    sha256_of(&document)
}

/// `sha256:` over the canonical JSON (RFC 8785) of a value.
pub fn sha256_of(value: &Value) -> String {
    // Values of serde_json are always within RFC 8785: no NaN, no key twice.
    let canonical = serde_json_canonicalizer::to_vec(value).unwrap_or_default();
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(&canonical) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
