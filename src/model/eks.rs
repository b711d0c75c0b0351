//! EKS in the shape of `aws eks describe-cluster`, `describe-nodegroup`, `describe-fargate-profile`, `describe-addon`, and of
//! what it prints of access entries and pod identity associations.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::kubernetes::{Taint, or_default};
use super::snapshot::{FileReader, Misshapen, Record, Snapshot, Table, read_key};
use crate::json_text::Fields;

/// A cluster, as `aws eks describe-cluster` prints it under `cluster`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cluster {
    /// Unique within account and region.
    pub name: String,
    /// Names the account, the region and the partition.
    pub arn: String,
    /// `1.31`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `ACTIVE`, `CREATING`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The address of its Kubernetes API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Who signs the certificates of that API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_authority: Option<CertificateAuthority>,
    /// Where the cluster's own network interfaces are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources_vpc_config: Option<VpcConfig>,
    /// Auto Mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute_config: Option<ComputeConfig>,
    /// Who vouches for its service accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// How roles get into it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_config: Option<AccessConfig>,
}

/// `identity` of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// OpenID Connect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc: Option<Oidc>,
}

/// Who signs the tokens of service accounts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Oidc {
    /// `https://oidc.eks.REGION.amazonaws.com/id/…`.
    #[serde(default)]
    pub issuer: String,
}

/// `accessConfig` of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessConfig {
    /// `API`, `API_AND_CONFIG_MAP`, `CONFIG_MAP`: whether access entries, the ConfigMap `aws-auth`, or both name them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication_mode: Option<String>,
}

/// `certificateAuthority` of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CertificateAuthority {
    /// PEM in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}

/// `resourcesVpcConfig` of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VpcConfig {
    /// The one VPC of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc_id: Option<String>,
    /// Nodes may be in others.
    #[serde(default)]
    pub subnet_ids: Vec<String>,
    /// Additional groups of the control plane.
    #[serde(default)]
    pub security_group_ids: Vec<String>,
    /// The group that EKS made; managed nodes and Fargate pods have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_security_group_id: Option<String>,
}

/// `computeConfig` of a cluster: EKS Auto Mode.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ComputeConfig {
    /// Whether Auto Mode is on.
    #[serde(default)]
    pub enabled: bool,
    /// The role of the built-in node pools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_role_arn: Option<String>,
    /// `general-purpose`, `system`.
    #[serde(default)]
    pub node_pools: Vec<String>,
}

/// A managed node group, as printed under `nodegroup`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Nodegroup {
    /// Unique within the cluster.
    pub nodegroup_name: String,
    /// The cluster it belongs to.
    pub cluster_name: String,
    /// Names the account and the region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodegroup_arn: Option<String>,
    /// The ARN of the role that the nodes have, and pull with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_role: Option<String>,
    /// Where its nodes are started.
    #[serde(default)]
    pub subnets: Vec<String>,
    /// Which its nodes get in Kubernetes.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Which its nodes get in Kubernetes.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub taints: Vec<Taint>,
    /// `ACTIVE`, `DEGRADED`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// What EKS itself finds wrong with it.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Health::is_good")]
    pub health: Health,
    /// `AL2023_x86_64_STANDARD`, `CUSTOM`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ami_type: Option<String>,
    /// What may give its nodes other security groups than the cluster's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch_template: Option<LaunchTemplate>,
}

/// What EKS finds wrong with a node group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// None where all is well.
    #[serde(default, deserialize_with = "or_default")]
    pub issues: Vec<HealthIssue>,
}

impl Health {
    fn is_good(&self) -> bool {
        self.issues.is_empty()
    }
}

/// One thing that EKS finds wrong.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HealthIssue {
    /// `IamInstanceProfileNotFound`, `NodeCreationFailure`, …
    #[serde(default)]
    pub code: String,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What it is about.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub resource_ids: Vec<String>,
}

/// The launch template of a node group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LaunchTemplate {
    /// `lt-…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// A Fargate profile, as printed under `fargateProfile`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FargateProfile {
    /// Unique within the cluster.
    pub fargate_profile_name: String,
    /// The cluster it belongs to.
    pub cluster_name: String,
    /// Names the account and the region; trust policies compare `aws:SourceArn` with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fargate_profile_arn: Option<String>,
    /// The ARN of the role that Fargate pulls with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_execution_role_arn: Option<String>,
    /// Private subnets only.
    #[serde(default)]
    pub subnets: Vec<String>,
    /// Which pods run on it.
    #[serde(default)]
    pub selectors: Vec<FargateSelector>,
    /// `ACTIVE`, `CREATE_FAILED`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// Which pods a Fargate profile takes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FargateSelector {
    /// May contain `*` and `?`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// All must match.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// A role that may enter a cluster, as printed under `accessEntry`. Nodes of a role that may not never join.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessEntry {
    /// The ARN of the role, or of a user.
    pub principal_arn: String,
    /// A list names none: it is the one cluster of the snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_name: Option<String>,
    /// `EC2_LINUX`, `FARGATE_LINUX`, `STANDARD`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#type: Option<String>,
    /// Its groups in Kubernetes.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub kubernetes_groups: Vec<String>,
}

/// An add-on that EKS manages, as printed under `addon`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Addon {
    /// `vpc-cni`, `coredns`, …
    pub addon_name: String,
    /// The cluster it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_name: Option<String>,
    /// `ACTIVE`, `DEGRADED`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// `v1.11.1-eksbuild.9`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addon_version: Option<String>,
    /// What EKS itself finds wrong with it.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Health::is_good")]
    pub health: Health,
}

/// The role that EKS Pod Identity gives to the pods of a service account: not what their images are pulled with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodIdentityAssociation {
    /// `a-…`.
    pub association_id: String,
    /// The cluster it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_name: Option<String>,
    /// Of the service account.
    #[serde(default)]
    pub namespace: String,
    /// Its name.
    #[serde(default)]
    pub service_account: String,
    /// Not printed by the list of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
}

/// The keys of EKS.
pub const TABLES: &[Table] = &[
    Cluster::TABLE,
    Nodegroup::TABLE,
    FargateProfile::TABLE,
    AccessEntry::TABLE,
    Addon::TABLE,
    PodIdentityAssociation::TABLE,
    Table::one::<PodIdentityAssociation>("association"),
];

/// Lists of names.
pub const FILE_READERS: &[FileReader] = &[
    FileReader { key: ACCESS_ENTRIES, read: read_access_entries },
    FileReader { key: "addons", read: read_addon_names },
];

/// The list of all who may enter: what is not in it may not.
pub const ACCESS_ENTRIES: &str = "accessEntries";

/// `aws eks list-access-entries` prints ARNs.
fn read_access_entries(snapshot: &mut Snapshot, top: &Fields<'_>, _: &Path) -> Result<bool, Misshapen> {
    for principal_arn in read_key::<Vec<String>>(top, ACCESS_ENTRIES)? {
        // One that was described is known better.
        snapshot
            .access_entries
            .entry(principal_arn.clone())
            .or_insert(AccessEntry { principal_arn, ..AccessEntry::default() });
    }
    Ok(true)
}

/// `aws eks list-addons` prints names, which tell nothing by themselves.
fn read_addon_names(_: &mut Snapshot, top: &Fields<'_>, _: &Path) -> Result<bool, Misshapen> {
    read_key::<Vec<String>>(top, "addons").map(|_| true)
}

impl Record for AccessEntry {
    const TABLE: Table = Table::one::<AccessEntry>("accessEntry");

    fn id(&self) -> String {
        self.principal_arn.clone()
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        &mut snapshot.access_entries
    }
}

impl Record for Addon {
    const TABLE: Table = Table::one::<Addon>("addon");

    fn id(&self) -> String {
        self.addon_name.clone()
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        &mut snapshot.addons
    }
}

impl Record for PodIdentityAssociation {
    const TABLE: Table = Table::list::<PodIdentityAssociation>("associations");

    fn id(&self) -> String {
        self.association_id.clone()
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        &mut snapshot.pod_identities
    }

    /// The list of all does not print roles.
    fn merge(&mut self, newer: Self) {
        let role_arn = newer.role_arn.clone().or(self.role_arn.take());
        *self = PodIdentityAssociation { role_arn, ..newer };
    }
}

impl Record for Cluster {
    const TABLE: Table = Table::one::<Cluster>("cluster");

    fn id(&self) -> String {
        self.arn.clone()
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        &mut snapshot.clusters
    }
}

impl Record for Nodegroup {
    const TABLE: Table = Table::one::<Nodegroup>("nodegroup");

    fn id(&self) -> String {
        format!("{}/{}", self.cluster_name, self.nodegroup_name)
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        &mut snapshot.nodegroups
    }
}

impl Record for FargateProfile {
    const TABLE: Table = Table::one::<FargateProfile>("fargateProfile");

    fn id(&self) -> String {
        format!("{}/{}", self.cluster_name, self.fargate_profile_name)
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        &mut snapshot.fargate_profiles
    }
}
