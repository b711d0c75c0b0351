//! The world as plain data: what was read, and what could not be read.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Seen, eks, iam};

/// Everything that a diagnosis may look at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Where and when it was taken.
    pub about: About,
    /// By ARN.
    pub clusters: BTreeMap<String, eks::Cluster>,
    /// By `CLUSTER/NODEGROUP`.
    pub nodegroups: BTreeMap<String, eks::Nodegroup>,
    /// By `CLUSTER/PROFILE`.
    pub fargate_profiles: BTreeMap<String, eks::FargateProfile>,
    /// By ARN.
    pub roles: BTreeMap<String, iam::Role>,
    /// By ARN.
    pub policies: BTreeMap<String, iam::ManagedPolicy>,
    /// By ARN.
    pub instance_profiles: BTreeMap<String, iam::InstanceProfile>,
    /// What was refused, or failed.
    pub unread: Vec<Unread>,
    /// The top-level keys that were read: a list that was read tells what is absent.
    pub keys: BTreeSet<String>,
}

/// `snapshot.json`: where and when a snapshot was taken, and by whom.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct About {
    /// The account of the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The region of the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The partition of the region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    /// The ARN that read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<String>,
}

/// A read that did not give an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unread {
    /// `SERVICE:Operation`.
    pub source: String,
    /// What it was asked of: an ARN, an id, or a name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub resource: String,
    /// The error code of the service, or why the call was never made.
    pub because: String,
    /// Which causes may hide behind it.
    #[serde(default)]
    pub hides: Vec<String>,
    /// For the support of AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// One resource of a snapshot: a row of what the AWS CLI or kubectl prints.
pub trait Record: Serialize + DeserializeOwned + Clone + PartialEq {
    /// Where it stands in a file, and how to read it from there.
    const TABLE: Table;

    /// Unique among the rows of its kind.
    fn id(&self) -> String;

    /// The rows of its kind.
    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self>;
}

/// A top-level key of snapshot files, and how its value is read.
#[derive(Clone, Copy)]
pub struct Table {
    /// The key, as the AWS CLI prints it.
    pub key: &'static str,
    /// Whether the value is a list of rows or a single row.
    pub shape: Shape,
    /// Reads the value into the snapshot.
    pub read: fn(&mut Snapshot, &RawValue) -> Result<(), Misshapen>,
    /// The rows that differ between two snapshots.
    pub changes: fn(&mut Snapshot, &mut Snapshot) -> Vec<RowChange>,
}

/// How rows stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `{"Vpcs": [ROW, …]}`
    List,
    /// `{"cluster": ROW}`
    One,
}

/// A value of a known key that does not have the shape it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misshapen {
    /// JSON pointer (RFC 6901) below the key.
    pub pointer: String,
    /// What was expected there.
    pub expected: String,
}

/// A row that differs between two snapshots, as JSON text.
#[derive(Clone, Debug)]
pub struct RowChange {
    /// The id of the row.
    pub id: String,
    /// The row as it was.
    pub before: Option<String>,
    /// The row as it shall be.
    pub after: Option<String>,
    /// Reads the id of a row from its JSON text.
    pub id_of: fn(&str) -> Option<String>,
}

impl Table {
    /// A key whose value is a list of rows.
    pub const fn list<R: Record>(key: &'static str) -> Table {
        Table { key, shape: Shape::List, read: read_list::<R>, changes: changes::<R> }
    }

    /// A key whose value is one row.
    pub const fn one<R: Record>(key: &'static str) -> Table {
        Table { key, shape: Shape::One, read: read_one::<R>, changes: changes::<R> }
    }
}

/// Every key that is understood. A file may hold any of them.
pub const TABLES: &[Table] = &[
    eks::Cluster::TABLE,
    eks::Nodegroup::TABLE,
    eks::FargateProfile::TABLE,
    iam::Role::TABLE,
    iam::ManagedPolicy::TABLE,
    iam::InstanceProfile::TABLE,
];

impl Snapshot {
    /// A role by its ARN.
    pub fn role(&self, arn: &str) -> Seen<&iam::Role> {
        if let Some(role) = self.roles.get(arn) {
            return Seen::Known(role);
        }
        self.missing("RoleDetailList", "iam:GetRole", arn)
    }

    /// Why a row is not there: because it does not exist, or because nobody looked.
    pub fn missing<T>(&self, key: &str, source: &str, resource: &str) -> Seen<T> {
        let refused = self.unread.iter().find(|unread| {
            unread.source == source && (unread.resource.is_empty() || unread.resource == resource)
        });
        match refused {
            Some(unread) => Seen::Unread(format!("{source}: {}", unread.because)),
            None if self.keys.contains(key) => Seen::Absent,
            None => Seen::Unread(format!("{source}: not in the snapshot")),
        }
    }
}

fn read_list<R: Record>(snapshot: &mut Snapshot, value: &RawValue) -> Result<(), Misshapen> {
    let rows: Vec<R> = typed(value)?;
    R::rows(snapshot).extend(rows.into_iter().map(|row| (row.id(), row)));
    Ok(())
}

fn read_one<R: Record>(snapshot: &mut Snapshot, value: &RawValue) -> Result<(), Misshapen> {
    let row: R = typed(value)?;
    R::rows(snapshot).insert(row.id(), row);
    Ok(())
}

fn typed<T: DeserializeOwned>(value: &RawValue) -> Result<T, Misshapen> {
    let mut reader = serde_json::Deserializer::from_str(value.get());
    serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| Misshapen { pointer: pointer(error.path()), expected: error.inner().to_string() })
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } | Segment::Enum { variant: key } => {
                format!("/{}", key.replace('~', "~0").replace('/', "~1"))
            }
            Segment::Unknown => "/?".to_owned(),
        })
        .collect()
}

fn changes<R: Record>(before: &mut Snapshot, after: &mut Snapshot) -> Vec<RowChange> {
    let (before, after) = (R::rows(before), R::rows(after));
    let ids: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let text = |row: &R| serde_json::to_string(row).ok();
    ids.into_iter()
        .filter(|id| before.get(*id) != after.get(*id))
        .map(|id| RowChange {
            id: id.clone(),
            before: before.get(id).and_then(text),
            after: after.get(id).and_then(text),
            id_of: |row| serde_json::from_str::<R>(row).ok().map(|row| row.id()),
        })
        .collect()
}
