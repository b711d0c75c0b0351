//! One resource, from what it is to what it shall be; and the same for any resource.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::difference::difference;
use super::{
    Attachment, Kind, NetworkAclEntry, ProfileAssociation, RepositoryPolicy, Risk, RolePolicy, Route,
    SecurityGroup, SecurityGroupRule, TrustPolicy, VpcAttribute, VpcEndpoint,
};
use crate::aws::{Reader, Refused, Writer};
use crate::error::Error;
use crate::model::{Arn, Snapshot};
use crate::pulls::Target;

/// The tag that names the run on what it makes.
pub const RUN_TAG: &str = "ecr-fix:run";

/// How many of something there may be, unless AWS was asked for more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// What it is that counts, and where: `managed policies of role node`.
    pub of: String,
    /// How many there are.
    pub present: usize,
    /// How many a change adds.
    pub more: usize,
    /// The default of AWS.
    pub most: usize,
}

impl Quota {
    /// The first quota that several changes do not fit in together. Where there are more than the default already, AWS was
    /// asked for more, and nobody knows how much more.
    pub fn exceeded(quotas: impl IntoIterator<Item = Quota>) -> Option<Quota> {
        let mut all: BTreeMap<String, Quota> = BTreeMap::new();
        for quota in quotas {
            match all.get_mut(&quota.of) {
                Some(known) => known.more += quota.more,
                None => drop(all.insert(quota.of.clone(), quota)),
            }
        }
        let is_exceeded =
            |Quota { present, more, most, .. }: &Quota| present <= most && present + more > *most;
        all.into_values().find(is_exceeded)
    }
}

/// Something that ecr-fix can change.
pub trait Resource: Clone + PartialEq + Serialize + DeserializeOwned {
    /// Where it is: the natural key, never an id that AWS has yet to assign.
    type Address: Clone + PartialEq + Serialize + DeserializeOwned;

    /// Every kind that a change of it can be.
    const KINDS: &'static [Kind];

    /// The calls that show its state.
    const READS: &'static [&'static str];

    /// Whether it may belong to another account than the cluster.
    const IN_ANY_ACCOUNT: bool = false;

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

    /// Why AWS is still at work on it, where it is: a change is not done before.
    fn unsettled(_world: &Snapshot, _at: &Self::Address) -> Option<String> {
        None
    }

    /// How long AWS may be at work on it, where it takes longer than reads lag.
    fn settles_within() -> Duration {
        Duration::ZERO
    }

    /// The quota that making it takes from.
    fn quota(_world: &Snapshot, _at: &Self::Address) -> Option<Quota> {
        None
    }

    /// Reads only what the change is about, just before and just after it.
    ///
    /// # Errors
    /// The caller's identity cannot be read. That the resource cannot is a fact of the snapshot.
    fn look(aws: &Reader, at: &Self::Address) -> impl Future<Output = Result<Snapshot, Error>> + Send;

    /// Changes the state in AWS.
    ///
    /// # Errors
    /// What AWS answered.
    fn send(
        aws: &Writer,
        at: &Self::Address,
        before: Option<&Self>,
        after: Option<&Self>,
    ) -> impl Future<Output = Result<Sent, Refused>> + Send;

    /// Asks AWS whether it would make the change, where its calls have `DryRun`; the refusal, if it would refuse.
    /// `None` also where nobody can know, such as for a change of something that another action makes first.
    fn dry_run(
        _aws: &Writer,
        _at: &Self::Address,
        _before: Option<&Self>,
        _after: Option<&Self>,
    ) -> impl Future<Output = Option<Refused>> + Send {
        std::future::ready(None)
    }

    /// The calls that make the change, in order.
    fn calls(before: Option<&Self>, after: Option<&Self>) -> Vec<&'static str> {
        vec![Self::kind(before, after).api_call()]
    }

    /// The permissions that reading and making the change needs: calls and their resource.
    fn permissions(
        at: &Self::Address,
        before: Option<&Self>,
        after: Option<&Self>,
    ) -> Vec<(&'static str, String)> {
        let calls = Self::READS.iter().copied().chain(Self::calls(before, after));
        calls.map(|call| (call, Self::arn(at))).collect()
    }

    /// What else the change makes, by the name under which other changes [require](Resource::requires) it.
    fn provides(_at: &Self::Address, _after: Option<&Self>) -> Option<String> {
        None
    }

    /// What other changes have to make first.
    fn requires(_at: &Self::Address, _after: Option<&Self>) -> Vec<String> {
        Vec::new()
    }

    /// Notes the id that AWS assigned to what the change made, so that the way back takes that one and no other.
    fn assign(_at: &mut Self::Address, _id: &str) {}

    /// The id that AWS assigned to what a run made, where AWS keeps the [tag of the run](RUN_TAG) on it and shows it.
    fn id_in_run(_world: &Snapshot, _at: &Self::Address, _run: &str) -> Option<String> {
        None
    }

    /// What it costs more than before, in US dollars for 730 hours.
    fn monthly_cost_usd(_at: &Self::Address, _before: Option<&Self>, _after: Option<&Self>) -> f64 {
        0.0
    }

    /// Whether two states mean the same, however they are written.
    fn same(one: &Self, other: &Self) -> bool {
        one == other
    }

    /// What taking a change back comes to, where the state is neither the one before it nor the one after. A resource of
    /// several parts undoes its own part and leaves those of others.
    fn undo(now: Option<&Self>, _before: Option<&Self>, _after: Option<&Self>) -> Undo<Self> {
        match now {
            Some(_) => Undo::Overlap("it has been changed since".to_owned()),
            None => Undo::Nothing("it does not exist any more".to_owned()),
        }
    }

    /// What of a state a change relies on: if it differs later, the change is stale. Order and layout that do not
    /// matter do not show in it.
    fn relies_on(state: &Self) -> Value {
        serde_json::to_value(state).unwrap_or(Value::Null)
    }

    /// What two changes of the same state make together; `None` where one excludes the other.
    fn together(_before: Option<&Self>, one: Option<&Self>, other: Option<&Self>) -> Option<Option<Self>> {
        (one == other).then(|| one.cloned())
    }

    /// Whether a change takes nothing away from what there is.
    fn is_additive(before: Option<&Self>, after: Option<&Self>) -> bool {
        before.is_none() && after.is_some()
    }

    /// Lines for a diff.
    fn lines(at: &Self::Address, state: Option<&Self>) -> Vec<String>;

    /// Why the engine may make this change at all, or why not. A plan made by hand is judged by it too.
    ///
    /// # Errors
    /// The rule that the change breaks.
    fn allowed(at: &Self::Address, before: Option<&Self>, after: Option<&Self>) -> Result<(), String>;

    /// Whether the resource is one of the cluster that a plan is for.
    ///
    /// # Errors
    /// Why it is not.
    fn within(_at: &Self::Address, _target: &Target) -> Result<(), String> {
        Ok(())
    }

    /// Whether a plan for a cluster may make the change; [`Resource::allowed`] also lets the way back pass.
    ///
    /// # Errors
    /// Why it may not.
    fn planned_for(before: Option<&Self>, after: Option<&Self>, target: &Target) -> Result<(), String>;

    /// Whether it opens a way to or from the whole internet: only a plan whose options ask for it may.
    fn opens_internet(_at: &Self::Address, _after: Option<&Self>) -> bool {
        false
    }

    /// How much it can harm, and why it is safe all the same.
    fn risk(at: &Self::Address, before: Option<&Self>, after: Option<&Self>) -> (Risk, String);
}

/// The state of a resource, as it was read.
#[derive(Clone, Debug, PartialEq)]
pub enum Found<R> {
    /// Its state; `None` where it does not exist.
    State(Option<R>),
    /// What it belongs to does not exist any more, and nothing stands in its place.
    Deleted(String),
    /// Something else is in its place, or it is not where it was.
    Gone(String),
    /// It could not be read.
    Unread(String),
}

/// What taking a change back comes to, where somebody changed the same resource since.
#[derive(Clone, Debug, PartialEq)]
pub enum Undo<R> {
    /// This state: without our change, and with all of theirs.
    Restored(Option<R>),
    /// Nothing, because nothing of our change is left.
    Nothing(String),
    /// Nobody knows: they changed the very part that we had changed. In words.
    Overlap(String),
}

/// What AWS answered to a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// For the support of AWS.
    pub request_id: Option<String>,
    /// The id of what was made, where AWS assigns one.
    pub assigned_id: Option<String>,
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

/// Declares [`AnyChange`] over the resources that can be changed.
macro_rules! any_change {
    ($($(#[$meaning:meta])+ $resource:ident,)+) => {
        /// A change of any resource.
        #[derive(Clone, Debug, PartialEq)]
        pub enum AnyChange {
            $($(#[$meaning])+ $resource(Change<$resource>),)+
        }

        $(impl From<Change<$resource>> for AnyChange {
            fn from(change: Change<$resource>) -> AnyChange {
                AnyChange::$resource(change)
            }
        })+

        impl AnyChange {
            /// Whether both are about the same resource.
            pub fn is_at(&self, other: &AnyChange) -> bool {
                match (self, other) {
                    $((AnyChange::$resource(one), AnyChange::$resource(other)) => one.at == other.at,)+
                    _ => false,
                }
            }

            /// One change that does what two of the same resource do; `None` where one excludes the other.
            pub fn together(&self, other: &AnyChange) -> Option<AnyChange> {
                match (self, other) {
                    $((AnyChange::$resource(one), AnyChange::$resource(other)) => {
                        one.together(other).map(AnyChange::from)
                    })+
                    _ => None,
                }
            }
        }

        fn read_change(kind: Kind, at: &Value, before: &Value, after: &Value) -> Result<AnyChange, String> {
            $(if $resource::KINDS.contains(&kind) {
                return Ok(change_from::<$resource>(at, before, after)?.into());
            })+
            Err(format!("this program does not make changes of kind {}", kind.as_str()))
        }
    };
}

any_change! {
    /// A managed policy and a role.
    Attachment,
    /// An inline policy of a role.
    RolePolicy,
    /// The trust policy of a role.
    TrustPolicy,
    /// A security group of our own.
    SecurityGroup,
    /// An attribute of a VPC.
    VpcAttribute,
    /// A VPC endpoint.
    VpcEndpoint,
    /// A rule of a security group.
    SecurityGroupRule,
    /// An entry of a network ACL.
    NetworkAclEntry,
    /// A route of a route table.
    Route,
    /// The instance profile of an instance.
    ProfileAssociation,
    /// The policy of a repository.
    RepositoryPolicy,
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

/// How a change can be taken back from the world as it is now.
#[derive(Clone, Debug, PartialEq)]
pub enum WayBack {
    /// By this change.
    Change(Box<AnyChange>),
    /// The resource is as it was before the change.
    AsBefore,
    /// Nothing of it is left, although the resource is not as it was before.
    Nothing(String),
    /// Something else is in its place, which is not ours.
    Replaced(String),
    /// Somebody changed the same part since.
    Overlap {
        /// In words.
        found: String,
        /// From what we had left to what is there.
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
            AnyChange::RolePolicy($change) => $body,
            AnyChange::TrustPolicy($change) => $body,
            AnyChange::SecurityGroup($change) => $body,
            AnyChange::VpcAttribute($change) => $body,
            AnyChange::VpcEndpoint($change) => $body,
            AnyChange::SecurityGroupRule($change) => $body,
            AnyChange::NetworkAclEntry($change) => $body,
            AnyChange::Route($change) => $body,
            AnyChange::ProfileAssociation($change) => $body,
            AnyChange::RepositoryPolicy($change) => $body,
        }
    };
}

impl<R: Resource> Change<R> {
    fn inverse(&self) -> Self {
        Change { at: self.at.clone(), before: self.after.clone(), after: self.before.clone() }
    }

    fn together(&self, other: &Self) -> Option<Self> {
        if self.at != other.at || self.before != other.before {
            return None;
        }
        let after = R::together(self.before.as_ref(), self.after.as_ref(), other.after.as_ref())?;
        Some(Change { after, ..self.clone() })
    }

    /// What a state of the resource differs in from the one that the change starts from, in words.
    fn moved(&self, found: Option<&R>) -> String {
        match (&self.before, found) {
            (Some(then), Some(now)) => {
                let differs = difference(&R::relies_on(then), &R::relies_on(now));
                format!("it has been changed since: {differs}")
            }
            (None, Some(_)) => "it exists now, and did not".to_owned(),
            (Some(_), None) => "it does not exist any more".to_owned(),
            (None, None) => "it has been changed since".to_owned(),
        }
    }

    fn standing(&self, world: &Snapshot) -> Standing {
        let found = match R::get(world, &self.at) {
            Found::State(found) => found,
            Found::Deleted(because) | Found::Gone(because) => {
                return Standing::Elsewhere { found: because, diff: String::new() };
            }
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
                found: self.moved(found.as_ref()),
                diff: diff(&R::lines(&self.at, self.before.as_ref()), &R::lines(&self.at, found.as_ref())),
            }
        }
    }
}

impl<R: Resource> Change<R>
where
    AnyChange: From<Change<R>>,
{
    fn way_back(&self, world: &Snapshot) -> WayBack {
        match self.standing(world) {
            Standing::Before => return WayBack::AsBefore,
            Standing::After => return WayBack::Change(Box::new(self.inverse().into())),
            Standing::Elsewhere { .. } | Standing::Unread(_) => {}
        }
        let now = match R::get(world, &self.at) {
            Found::State(now) => now,
            Found::Deleted(because) => return WayBack::Nothing(because),
            Found::Gone(found) => return WayBack::Replaced(found),
            Found::Unread(because) => return WayBack::Unread(because),
        };
        match R::undo(now.as_ref(), self.before.as_ref(), self.after.as_ref()) {
            Undo::Restored(restored) => {
                let change = Change { at: self.at.clone(), before: now, after: restored };
                WayBack::Change(Box::new(change.into()))
            }
            Undo::Nothing(because) => WayBack::Nothing(because),
            Undo::Overlap(found) => WayBack::Overlap {
                found,
                diff: diff(&R::lines(&self.at, self.after.as_ref()), &R::lines(&self.at, now.as_ref())),
            },
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
        each!(self, change => arn(change))
    }

    /// What the change relies on: where the resource is, and what of its state must still hold.
    pub fn relies_on(&self) -> Value {
        each!(self, change => relies_on(change))
    }

    /// Whether the change takes nothing away from what there is.
    pub fn is_additive(&self) -> bool {
        each!(self, change => is_additive(change))
    }

    /// Whether the resource may belong to another account than the cluster.
    pub fn is_in_any_account(&self) -> bool {
        each!(self, change => is_in_any_account(change))
    }

    /// The account that owns the resource.
    pub fn account(&self) -> String {
        self.resource().parse::<Arn>().map(|arn| arn.account).unwrap_or_default()
    }

    /// The region of the resource; `None` where it is global.
    pub fn region(&self) -> Option<String> {
        self.resource().parse::<Arn>().ok().map(|arn| arn.region).filter(|region| !region.is_empty())
    }

    /// One line: what the change does.
    pub fn summary(&self) -> String {
        each!(self, change => summary(change))
    }

    /// The change that takes this one back.
    #[must_use]
    pub fn inverse(&self) -> AnyChange {
        each!(self, change => change.inverse().into())
    }

    /// Makes the change on paper: for the proof of a plan, and in the sandbox.
    pub fn simulate(&self, world: &mut Snapshot) {
        each!(self, change => simulate(change, world));
    }

    /// How the resource stands in a world to this change.
    pub fn standing(&self, world: &Snapshot) -> Standing {
        each!(self, change => change.standing(world))
    }

    /// How the change can be taken back from a world in which others may have changed the same resource since.
    pub fn way_back(&self, world: &Snapshot) -> WayBack {
        each!(self, change => change.way_back(world))
    }

    /// Whether all of the change is there, whatever others changed beside it.
    pub fn is_in_force(&self, world: &Snapshot) -> bool {
        matches!(self.way_back(world), WayBack::Change(_))
    }

    /// Why AWS is still at work on the resource, where it is.
    pub fn unsettled(&self, world: &Snapshot) -> Option<String> {
        each!(self, change => unsettled(change, world))
    }

    /// The id of what a run made, where AWS shows which run that was.
    pub fn id_in_run(&self, world: &Snapshot, run: &str) -> Option<String> {
        each!(self, change => id_in_run(change, world, run))
    }

    /// The quota that the change takes from, where it makes something.
    pub fn quota(&self, world: &Snapshot) -> Option<Quota> {
        each!(self, change => quota(change, world))
    }

    /// How long AWS may be at work on the resource.
    pub fn settles_within(&self) -> Duration {
        each!(self, change => settles_within(change))
    }

    /// Reads from AWS only what the change is about.
    ///
    /// # Errors
    /// The caller's identity cannot be read.
    pub async fn look(&self, aws: &Reader) -> Result<Snapshot, Error> {
        each!(self, change => look(change, aws).await)
    }

    /// Makes the change in AWS.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn send(&self, aws: &Writer) -> Result<Sent, Refused> {
        each!(self, change => send(change, aws).await)
    }

    /// The refusal, if AWS says beforehand that it would refuse the change.
    pub async fn dry_run(&self, aws: &Writer) -> Option<Refused> {
        each!(self, change => dry_run(change, aws).await)
    }

    /// The calls that make the change, in order.
    pub fn api_calls(&self) -> Vec<&'static str> {
        each!(self, change => calls(change))
    }

    /// What else the change makes, by name.
    pub fn provides(&self) -> Option<String> {
        each!(self, change => provides(change))
    }

    /// What other changes have to make first, by name.
    pub fn requires(&self) -> Vec<String> {
        each!(self, change => requires(change))
    }

    /// Notes the id that AWS assigned to what the change made.
    pub fn assign(&mut self, id: &str) {
        each!(self, change => assign(change, id));
    }

    /// What it costs more than before, in US dollars for 730 hours.
    pub fn monthly_cost_usd(&self) -> f64 {
        each!(self, change => monthly_cost_usd(change))
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

    /// Whether it opens a way to or from the whole internet.
    pub fn opens_internet(&self) -> bool {
        each!(self, change => opens_internet(change))
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
        let read = read_change(kind, at, before, after)?;
        if read.kind() == kind {
            Ok(read)
        } else {
            Err(format!("before and after make it {}, not {}", read.kind().as_str(), kind.as_str()))
        }
    }

    /// The permissions that making the change, reading it and taking it back needs: calls and their resource.
    pub fn permissions(&self) -> Vec<(&'static str, String)> {
        let both = [self, &self.inverse()];
        both.into_iter().flat_map(|any| each!(any, change => permissions(change))).collect()
    }
}

/// The changes with those of the same resource as one. Where one excludes another, the first stays.
pub fn gathered<'a>(changes: impl IntoIterator<Item = &'a AnyChange>) -> Vec<AnyChange> {
    let mut all: Vec<AnyChange> = Vec::new();
    for change in changes {
        match all.iter_mut().find(|known| known.is_at(change)) {
            Some(known) => *known = known.together(change).unwrap_or_else(|| known.clone()),
            None => all.push(change.clone()),
        }
    }
    all
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

fn unsettled<R: Resource>(change: &Change<R>, world: &Snapshot) -> Option<String> {
    R::unsettled(world, &change.at)
}

fn id_in_run<R: Resource>(change: &Change<R>, world: &Snapshot, run: &str) -> Option<String> {
    R::id_in_run(world, &change.at, run)
}

fn quota<R: Resource>(change: &Change<R>, world: &Snapshot) -> Option<Quota> {
    let makes = change.before.is_none() && change.after.is_some();
    makes.then(|| R::quota(world, &change.at)).flatten()
}

fn settles_within<R: Resource>(_change: &Change<R>) -> Duration {
    R::settles_within()
}

fn arn<R: Resource>(change: &Change<R>) -> String {
    R::arn(&change.at)
}

fn calls<R: Resource>(change: &Change<R>) -> Vec<&'static str> {
    R::calls(change.before.as_ref(), change.after.as_ref())
}

fn permissions<R: Resource>(change: &Change<R>) -> Vec<(&'static str, String)> {
    R::permissions(&change.at, change.before.as_ref(), change.after.as_ref())
}

fn provides<R: Resource>(change: &Change<R>) -> Option<String> {
    R::provides(&change.at, change.after.as_ref())
}

fn requires<R: Resource>(change: &Change<R>) -> Vec<String> {
    R::requires(&change.at, change.after.as_ref())
}

fn assign<R: Resource>(change: &mut Change<R>, id: &str) {
    R::assign(&mut change.at, id);
}

fn monthly_cost_usd<R: Resource>(change: &Change<R>) -> f64 {
    R::monthly_cost_usd(&change.at, change.before.as_ref(), change.after.as_ref())
}

async fn look<R: Resource + Sync>(change: &Change<R>, aws: &Reader) -> Result<Snapshot, Error>
where
    R::Address: Sync,
{
    R::look(aws, &change.at).await
}

async fn send<R: Resource + Sync>(change: &Change<R>, aws: &Writer) -> Result<Sent, Refused>
where
    R::Address: Sync,
{
    R::send(aws, &change.at, change.before.as_ref(), change.after.as_ref()).await
}

async fn dry_run<R: Resource + Sync>(change: &Change<R>, aws: &Writer) -> Option<Refused>
where
    R::Address: Sync,
{
    R::dry_run(aws, &change.at, change.before.as_ref(), change.after.as_ref()).await
}

fn change_diff<R: Resource>(change: &Change<R>) -> String {
    diff(&R::lines(&change.at, change.before.as_ref()), &R::lines(&change.at, change.after.as_ref()))
}

fn allowed<R: Resource>(change: &Change<R>) -> Result<(), String> {
    R::allowed(&change.at, change.before.as_ref(), change.after.as_ref())
}

fn planned_for<R: Resource>(change: &Change<R>, target: &Target) -> Result<(), String> {
    R::within(&change.at, target)?;
    R::planned_for(change.before.as_ref(), change.after.as_ref(), target)
}

fn opens_internet<R: Resource>(change: &Change<R>) -> bool {
    R::opens_internet(&change.at, change.after.as_ref())
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

fn relies_on<R: Resource>(change: &Change<R>) -> Value {
    let before = change.before.as_ref().map(R::relies_on);
    serde_json::json!({ "at": change.at, "before": before })
}

fn is_additive<R: Resource>(change: &Change<R>) -> bool {
    R::is_additive(change.before.as_ref(), change.after.as_ref())
}

fn is_in_any_account<R: Resource>(_change: &Change<R>) -> bool {
    R::IN_ANY_ACCOUNT
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
