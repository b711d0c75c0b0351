//! The world as plain data: what was read, and what could not be read.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    Seen, dns_firewall, ec2, ecr, eks, iam, kms, kubernetes, network_firewall, organizations, route53,
};
use crate::json_text::Fields;

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
    /// By the ARN of the principal.
    pub access_entries: BTreeMap<String, eks::AccessEntry>,
    /// By name.
    pub addons: BTreeMap<String, eks::Addon>,
    /// By id.
    pub pod_identities: BTreeMap<String, eks::PodIdentityAssociation>,
    /// By ARN.
    pub roles: BTreeMap<String, iam::Role>,
    /// By ARN.
    pub policies: BTreeMap<String, iam::ManagedPolicy>,
    /// By ARN.
    pub instance_profiles: BTreeMap<String, iam::InstanceProfile>,
    /// The network.
    pub ec2: ec2::Ec2,
    /// Private zones and resolver rules.
    pub route53: route53::Route53,
    /// What names the resolver refuses to answer.
    pub dns_firewall: dns_firewall::DnsFirewall,
    /// Firewalls on the way of packets.
    pub network_firewalls: network_firewall::NetworkFirewalls,
    /// What runs in the cluster: by far the largest part, and no change is about it, so worlds on paper share it.
    pub kubernetes: Arc<kubernetes::Kubernetes>,
    /// The organization, and what it forbids.
    pub organizations: organizations::Organizations,
    /// By ARN.
    pub repositories: BTreeMap<String, ecr::Repository>,
    /// By the ARN of the repository.
    pub repository_tags: BTreeMap<String, ecr::RepositoryTags>,
    /// By `ACCOUNT/REGION/REPOSITORY@DIGEST`.
    pub image_details: BTreeMap<String, ecr::ImageDetail>,
    /// By `ACCOUNT/REGION/REPOSITORY:TAG@DIGEST`.
    pub image_manifests: BTreeMap<String, ecr::ImageManifest>,
    /// Which layers are there, by digest, and repository where that was said.
    pub layers: BTreeMap<String, ecr::Layer>,
    /// By `ACCOUNT/REGION/PREFIX`.
    pub pull_through_cache_rules: BTreeMap<String, ecr::PullThroughCacheRule>,
    /// By `ACCOUNT/REGION/REPOSITORY`.
    pub lifecycle_policies: BTreeMap<String, ecr::LifecyclePolicy>,
    /// Keys that encrypt repositories, by ARN.
    pub kms_keys: BTreeMap<String, kms::KmsKey>,
    /// Policies of repositories and registries, by `ACCOUNT/REGION/REPOSITORY`.
    pub registry_documents: BTreeMap<String, ecr::RegistryDocument>,
    /// What was asked for by name and does not exist, as `SERVICE:Operation RESOURCE`.
    pub not_found: BTreeSet<String>,
    /// What was refused, or failed.
    pub unread: Vec<Unread>,
    /// The top-level keys that were read: a list that was read tells what is absent.
    pub keys: BTreeSet<String>,
}

/// `snapshot.json`: where and when a snapshot was taken, and by whom.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
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

    /// Takes over a row of the same id that was read later.
    fn merge(&mut self, newer: Self) {
        *self = newer;
    }
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
    /// Its rows, as the AWS CLI would print them: the name of each file, without its ending, and its text.
    pub files: fn(&mut Snapshot) -> Vec<(String, String)>,
}

/// How rows stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `{"Vpcs": [ROW, …]}`
    List,
    /// `{"cluster": ROW}`
    One,
    /// `{"Reservations": [{"Instances": [ROW, …]}, …]}`
    Nested(&'static str),
    /// The file is the row: `{"VpcId": "…", "EnableDnsSupport": …}`
    WholeFile,
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
        Table { key, shape: Shape::List, read: read_list::<R>, changes: changes::<R>, files: files::<R> }
    }

    /// A key whose value is one row.
    pub const fn one<R: Record>(key: &'static str) -> Table {
        Table { key, shape: Shape::One, read: read_one::<R>, changes: changes::<R>, files: files::<R> }
    }

    /// A key whose value is a list of objects, each of which holds a list of rows under `inner`.
    pub const fn nested<R: Record>(key: &'static str, inner: &'static str) -> Table {
        Table {
            key,
            shape: Shape::Nested(inner),
            read: read_nested::<R>,
            changes: changes::<R>,
            files: files::<R>,
        }
    }

    /// A key by which a file is known whose top level is one row.
    pub const fn whole_file<R: Record>(key: &'static str) -> Table {
        Table { key, shape: Shape::WholeFile, read: read_one::<R>, changes: changes::<R>, files: files::<R> }
    }
}

/// A top-level key whose value belongs to an id beside it in the file, or in the path of the file.
#[derive(Clone, Copy)]
pub struct FileReader {
    /// The key, as the AWS CLI prints it.
    pub key: &'static str,
    /// Reads the file into the snapshot, and says whether it did: a file that does not say whose rows it holds is
    /// ignored. Pointers of errors start at the top level.
    pub read: fn(&mut Snapshot, &Fields<'_>, &Path) -> Result<bool, Misshapen>,
}

/// Every key that is read together with its surroundings.
pub const FILE_READERS: &[&[FileReader]] = &[
    eks::FILE_READERS,
    ec2::FILE_READERS,
    iam::FILE_READERS,
    route53::FILE_READERS,
    organizations::FILE_READERS,
    dns_firewall::FILE_READERS,
    ecr::FILE_READERS,
];

/// The value of a key, or the default where it is missing or `null`.
///
/// # Errors
/// The value has another shape.
pub fn read_key<T: DeserializeOwned + Default>(top: &Fields<'_>, key: &str) -> Result<T, Misshapen> {
    let Some(value) = top.get(key) else { return Ok(T::default()) };
    let value: Option<T> = typed(value).map_err(|wrong| wrong.below(key))?;
    Ok(value.unwrap_or_default())
}

/// The id that rows of a file belong to: the value of the key `beside` them, or the part of the path that starts so.
///
/// # Errors
/// The value beside is no text.
pub fn id_in_file(
    top: &Fields<'_>,
    beside: &str,
    file: &Path,
    prefix: &str,
) -> Result<Option<String>, Misshapen> {
    if let Some(id) = read_key::<Option<String>>(top, beside)? {
        return Ok(Some(id));
    }
    Ok(file.iter().rev().find_map(|part| {
        let part = part.to_string_lossy();
        let rest = part.get(part.find(prefix)?..)?;
        let id = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').next()?;
        (id.len() > prefix.len()).then(|| id.to_owned())
    }))
}

impl Misshapen {
    fn below(self, key: &str) -> Misshapen {
        let key = key.replace('~', "~0").replace('/', "~1");
        Misshapen { pointer: format!("/{key}{}", self.pointer), ..self }
    }
}

/// Every key that is understood. A file may hold any of them.
pub const TABLES: &[&[Table]] = &[
    eks::TABLES,
    iam::TABLES,
    ec2::TABLES,
    ecr::TABLES,
    route53::TABLES,
    organizations::TABLES,
    kubernetes::TABLES,
    kms::TABLES,
    dns_firewall::TABLES,
    network_firewall::TABLES,
];

/// The table of a key.
pub fn table(key: &str) -> Option<&'static Table> {
    TABLES.iter().copied().flatten().find(|table| table.key == key)
}

/// The reader of a key that is read together with its surroundings.
pub fn file_reader(key: &str) -> Option<&'static FileReader> {
    FILE_READERS.iter().copied().flatten().find(|reader| reader.key == key)
}

impl Snapshot {
    /// A role by its ARN.
    pub fn role(&self, arn: &str) -> Seen<&iam::Role> {
        if let Some(role) = self.roles.get(arn) {
            return Seen::Known(role);
        }
        self.missing("RoleDetailList", "iam:GetRole", arn)
    }

    /// Takes a row in, or merges it with the row of the same id.
    pub fn put<R: Record>(&mut self, row: R) {
        match R::rows(self).entry(row.id()) {
            Entry::Vacant(place) => {
                place.insert(row);
            }
            Entry::Occupied(mut place) => place.get_mut().merge(row),
        }
    }

    /// Why a row is not there: because it does not exist, or because nobody looked. Without a resource: whether all
    /// rows of the key are there.
    pub fn missing<T>(&self, key: &str, source: &str, resource: &str) -> Seen<T> {
        let refused = self.unread.iter().find(|unread| {
            let about = resource.is_empty() || unread.resource.is_empty() || unread.resource == resource;
            unread.source == source && about
        });
        match refused {
            Some(unread) => Seen::Unread(format!("{source}: {}", unread.because)),
            None if self.keys.contains(key) => Seen::Absent,
            None => Seen::Unread(format!("{source}: not in the snapshot")),
        }
    }
}

fn read_list<R: Record>(snapshot: &mut Snapshot, value: &RawValue) -> Result<(), Misshapen> {
    let rows: Vec<Option<R>> = typed::<Option<_>>(value)?.unwrap_or_default();
    rows.into_iter().flatten().for_each(|row| snapshot.put(row));
    Ok(())
}

fn read_nested<R: Record>(snapshot: &mut Snapshot, value: &RawValue) -> Result<(), Misshapen> {
    let inner = match R::TABLE.shape {
        Shape::Nested(inner) => inner,
        Shape::List | Shape::One | Shape::WholeFile => return read_list::<R>(snapshot, value),
    };
    let outer: Vec<Fields<'_>> = parse(value)?;
    for (index, object) in outer.iter().enumerate() {
        let rows: Vec<Option<R>> = read_key(object, inner)
            .map_err(|wrong| Misshapen { pointer: format!("/{index}{}", wrong.pointer), ..wrong })?;
        rows.into_iter().flatten().for_each(|row| snapshot.put(row));
    }
    Ok(())
}

fn read_one<R: Record>(snapshot: &mut Snapshot, value: &RawValue) -> Result<(), Misshapen> {
    let row: R = typed(value)?;
    snapshot.put(row);
    Ok(())
}

fn typed<T: DeserializeOwned>(value: &RawValue) -> Result<T, Misshapen> {
    parse(value)
}

/// Reads a value; a misshapen one is told apart by its JSON pointer.
pub(crate) fn parse<'a, T: Deserialize<'a>>(value: &'a RawValue) -> Result<T, Misshapen> {
    parse_text(value.get())
}

/// The same for a text that is known to be one JSON value.
pub(crate) fn parse_text<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Misshapen> {
    let mut reader = serde_json::Deserializer::from_str(text);
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

fn files<R: Record>(snapshot: &mut Snapshot) -> Vec<(String, String)> {
    let key = R::TABLE.key;
    let read = snapshot.keys.contains(key);
    let rows = R::rows(snapshot);
    let name = |id: &str| format!("{key}-{}", file_name(id));
    match R::TABLE.shape {
        Shape::List | Shape::Nested(_) if rows.is_empty() && !read => Vec::new(),
        Shape::List => {
            let rows: Vec<&R> = rows.values().collect();
            vec![(key.to_owned(), pretty(&BTreeMap::from([(key, rows)])))]
        }
        Shape::Nested(inner) => {
            let rows: Vec<&R> = rows.values().collect();
            vec![(key.to_owned(), pretty(&BTreeMap::from([(key, [BTreeMap::from([(inner, rows)])])])))]
        }
        Shape::One => {
            rows.iter().map(|(id, row)| (name(id), pretty(&BTreeMap::from([(key, row)])))).collect()
        }
        Shape::WholeFile => rows.iter().map(|(id, row)| (name(id), pretty(row))).collect(),
    }
}

/// An id as a part of a file name.
pub fn file_name(id: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    id.chars().map(plain).collect()
}

/// As the AWS CLI lays JSON out. Policy documents keep every byte.
pub fn pretty(value: &impl Serialize) -> String {
    let mut text = Vec::new();
    let layout = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    // Writing to memory cannot fail, and no row has a key that is not a text.
    let _ = value.serialize(&mut serde_json::Serializer::with_formatter(&mut text, layout));
    text.push(b'\n');
    String::from_utf8(text).unwrap_or_default()
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
