//! One resource, from what it is to what it shall be; and the same for any resource.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Attachment, Kind, Risk, TrustPolicy, attachment, trust_policy};
use crate::aws::{Refused, Writer};
use crate::model::{Arn, Snapshot};
use crate::pulls::Target;

/// Something that ecr-fix can change.
pub trait Resource: Clone + PartialEq + Serialize + DeserializeOwned {
    /// Where it is: the natural key, never an id that AWS has yet to assign.
    type Address: Clone + PartialEq + Serialize + DeserializeOwned;

    /// What a change from one state to another is called.
    fn kind(before: Option<&Self>, after: Option<&Self>) -> Kind;

    /// The ARN of the resource that changes.
    fn arn(at: &Self::Address) -> String;

    /// One line: what the change does.
    fn summary(at: &Self::Address, before: Option<&Self>, after: Option<&Self>) -> String;

    /// The state in a snapshot.
    fn get(world: &Snapshot, at: &Self::Address) -> Found<Self>;

    /// Changes the state in a snapshot.
    fn set(world: &mut Snapshot, at: &Self::Address, state: Option<Self>);

    /// Changes the state in AWS. Gives the request id.
    fn send(
        aws: &Writer,
        at: &Self::Address,
        before: Option<&Self>,
        after: Option<&Self>,
    ) -> impl Future<Output = Result<Option<String>, Refused>> + Send;

    /// Whether two states mean the same, however they are written.
    fn same(one: &Self, other: &Self) -> bool {
        one == other
    }

    /// Lines for a diff.
    fn lines(at: &Self::Address, state: Option<&Self>) -> Vec<String>;

    /// Why the engine may make this change at all, or why not. A plan made by hand is judged by it too.
    ///
    /// # Errors
    /// The rule that the change breaks.
    fn allowed(at: &Self::Address, before: Option<&Self>, after: Option<&Self>) -> Result<(), String>;

    /// Whether a plan for a cluster may make the change; [`Resource::allowed`] also lets the way back pass.
    ///
    /// # Errors
    /// Why it may not.
    fn planned_for(before: Option<&Self>, after: Option<&Self>, target: &Target) -> Result<(), String>;

    /// How much it can harm, and why it is safe all the same.
    fn risk(at: &Self::Address, before: Option<&Self>, after: Option<&Self>) -> (Risk, String);
}

/// The state of a resource, as it was read.
#[derive(Clone, Debug, PartialEq)]
pub enum Found<R> {
    /// Its state; `None` where it does not exist.
    State(Option<R>),
    /// What it belongs to is gone, or was replaced by another of the same name.
    Gone(String),
    /// It could not be read.
    Unread(String),
}

/// One resource, from what it is to what it shall be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Change<R: Resource> {
    /// Which one.
    pub at: R::Address,
    /// What it is; `None`: it does not exist.
    pub before: Option<R>,
    /// What it shall be; `None`: it shall not exist.
    pub after: Option<R>,
}

/// A change of any resource.
#[derive(Clone, Debug, PartialEq)]
pub enum AnyChange {
    /// A managed policy and a role.
    Attachment(Change<Attachment>),
    /// The trust policy of a role.
    TrustPolicy(Change<TrustPolicy>),
}

/// How a resource stands to a change of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// As it was when the plan was made.
    Before,
    /// As it shall be.
    After,
    /// Something else; what was found, and the lines that differ from what was expected.
    Elsewhere {
        /// In words.
        found: String,
        /// As a diff, where there is one.
        diff: String,
    },
    /// It could not be read.
    Unread(String),
}

/// Runs the same expression for the change in whichever variant.
macro_rules! each {
    ($any:expr, $change:ident => $body:expr) => {
        match $any {
            AnyChange::Attachment($change) => $body,
            AnyChange::TrustPolicy($change) => $body,
        }
    };
}

impl<R: Resource> Change<R> {
    fn inverse(&self) -> Self {
        Change { at: self.at.clone(), before: self.after.clone(), after: self.before.clone() }
    }

    fn standing(&self, world: &Snapshot) -> Standing {
        let found = match R::get(world, &self.at) {
            Found::State(found) => found,
            Found::Gone(because) => return Standing::Elsewhere { found: because, diff: String::new() },
            Found::Unread(because) => return Standing::Unread(because),
        };
        let same = |state: &Option<R>| match (state, &found) {
            (Some(state), Some(found)) => R::same(state, found),
            (None, None) => true,
            _ => false,
        };
        if same(&self.before) {
            Standing::Before
        } else if same(&self.after) {
            Standing::After
        } else {
            Standing::Elsewhere {
                found: "it has been changed since".to_owned(),
                diff: diff(&R::lines(&self.at, self.before.as_ref()), &R::lines(&self.at, found.as_ref())),
            }
        }
    }
}

impl AnyChange {
    /// What the change is called.
    pub fn kind(&self) -> Kind {
        each!(self, change => kind(change))
    }

    /// The ARN of the resource that changes.
    pub fn resource(&self) -> String {
        match self {
            AnyChange::Attachment(change) => Attachment::arn(&change.at),
            AnyChange::TrustPolicy(change) => TrustPolicy::arn(&change.at),
        }
    }

    /// The account that owns the resource.
    pub fn account(&self) -> String {
        self.resource().parse::<Arn>().map(|arn| arn.account).unwrap_or_default()
    }

    /// One line: what the change does.
    pub fn summary(&self) -> String {
        each!(self, change => summary(change))
    }

    /// The change that takes this one back.
    #[must_use]
    pub fn inverse(&self) -> AnyChange {
        match self {
            AnyChange::Attachment(change) => AnyChange::Attachment(change.inverse()),
            AnyChange::TrustPolicy(change) => AnyChange::TrustPolicy(change.inverse()),
        }
    }

    /// Makes the change on paper: for the proof of a plan, and in the sandbox.
    pub fn simulate(&self, world: &mut Snapshot) {
        each!(self, change => simulate(change, world));
    }

    /// How the resource stands in a world to this change.
    pub fn standing(&self, world: &Snapshot) -> Standing {
        each!(self, change => change.standing(world))
    }

    /// Makes the change in AWS. Gives the request id.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn send(&self, aws: &Writer) -> Result<Option<String>, Refused> {
        each!(self, change => send(change, aws).await)
    }

    /// The change as lines with `+`, `-` and blank.
    pub fn diff(&self) -> String {
        each!(self, change => change_diff(change))
    }

    /// Whether the engine may make this change at all.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn allowed(&self) -> Result<(), String> {
        each!(self, change => allowed(change))
    }

    /// Whether a plan for a cluster may make the change.
    ///
    /// # Errors
    /// Why it may not.
    pub fn planned_for(&self, target: &Target) -> Result<(), String> {
        each!(self, change => planned_for(change, target))
    }

    /// How much it can harm, and why it is safe all the same.
    pub fn risk(&self) -> (Risk, String) {
        each!(self, change => risk(change))
    }

    /// `at`, `before` and `after` as JSON.
    pub fn parts(&self) -> (Value, Value, Value) {
        each!(self, change => parts(change))
    }

    /// Reads a change back from the parts that a plan file keeps.
    ///
    /// # Errors
    /// What does not fit.
    pub fn from_parts(kind: Kind, at: &Value, before: &Value, after: &Value) -> Result<AnyChange, String> {
        let read = match kind {
            Kind::AttachRolePolicy | Kind::DetachRolePolicy => {
                AnyChange::Attachment(change_from::<Attachment>(at, before, after)?)
            }
            Kind::UpdateTrustPolicy => AnyChange::TrustPolicy(change_from::<TrustPolicy>(at, before, after)?),
        };
        if read.kind() == kind {
            Ok(read)
        } else {
            Err(format!("before and after make it {}, not {}", read.kind().as_str(), kind.as_str()))
        }
    }

    /// The permissions that making the change, and reading it before and after, needs: calls and their resource.
    pub fn permissions(&self) -> Vec<(&'static str, String)> {
        let reads: &[&'static str] = match self {
            AnyChange::Attachment(_) => attachment::READS,
            AnyChange::TrustPolicy(_) => trust_policy::READS,
        };
        let calls = reads.iter().copied().chain([self.kind().api_call(), self.inverse().kind().api_call()]);
        calls.map(|call| (call, self.resource())).collect()
    }
}

fn kind<R: Resource>(change: &Change<R>) -> Kind {
    R::kind(change.before.as_ref(), change.after.as_ref())
}

fn summary<R: Resource>(change: &Change<R>) -> String {
    R::summary(&change.at, change.before.as_ref(), change.after.as_ref())
}

fn simulate<R: Resource>(change: &Change<R>, world: &mut Snapshot) {
    R::set(world, &change.at, change.after.clone());
}

async fn send<R: Resource + Sync>(change: &Change<R>, aws: &Writer) -> Result<Option<String>, Refused>
where
    R::Address: Sync,
{
    R::send(aws, &change.at, change.before.as_ref(), change.after.as_ref()).await
}

fn change_diff<R: Resource>(change: &Change<R>) -> String {
    diff(&R::lines(&change.at, change.before.as_ref()), &R::lines(&change.at, change.after.as_ref()))
}

fn allowed<R: Resource>(change: &Change<R>) -> Result<(), String> {
    R::allowed(&change.at, change.before.as_ref(), change.after.as_ref())
}

fn planned_for<R: Resource>(change: &Change<R>, target: &Target) -> Result<(), String> {
    R::planned_for(change.before.as_ref(), change.after.as_ref(), target)
}

fn risk<R: Resource>(change: &Change<R>) -> (Risk, String) {
    R::risk(&change.at, change.before.as_ref(), change.after.as_ref())
}

fn parts<R: Resource>(change: &Change<R>) -> (Value, Value, Value) {
    fn json(part: &impl Serialize) -> Value {
        serde_json::to_value(part).unwrap_or(Value::Null)
    }
    (json(&change.at), json(&change.before), json(&change.after))
}

fn change_from<R: Resource>(at: &Value, before: &Value, after: &Value) -> Result<Change<R>, String> {
    fn read<T: DeserializeOwned>(name: &str, part: &Value) -> Result<T, String> {
        serde_json::from_value(part.clone()).map_err(|error| format!("{name}: {error}"))
    }
    Ok(Change { at: read("at", at)?, before: read("before", before)?, after: read("after", after)? })
}

/// Lines with `+`, `-` and blank in front: every line, because a reviewer reads whole documents.
fn diff(before: &[String], after: &[String]) -> String {
    let (before, after) = (with_line_ends(before), with_line_ends(after));
    let diff = similar::TextDiff::from_lines(before.as_str(), after.as_str());
    diff.iter_all_changes()
        .map(|change| {
            let sign = match change.tag() {
                similar::ChangeTag::Insert => '+',
                similar::ChangeTag::Delete => '-',
                similar::ChangeTag::Equal => ' ',
            };
            format!("{sign} {}", change.value())
        })
        .collect()
}

fn with_line_ends(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}
