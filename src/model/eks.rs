//! EKS in the shape of `aws eks describe-cluster`, `describe-nodegroup` and `describe-fargate-profile`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::kubernetes::{Taint, or_default};
use super::snapshot::{Record, Snapshot, Table};

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

/// Who may join or use a cluster, as `aws eks describe-access-entry` prints it under `accessEntry`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessEntry {
    /// The cluster.
    pub cluster_name: String,
    /// The role or user.
    pub principal_arn: String,
    /// `STANDARD`, `EC2_LINUX`, `HYBRID_LINUX`, ….
    #[serde(default, rename = "type")]
    pub kind: String,
}

/// The keys of EKS.
pub const TABLES: &[Table] = &[Cluster::TABLE, Nodegroup::TABLE, FargateProfile::TABLE, AccessEntry::TABLE];

impl Record for AccessEntry {
    const TABLE: Table = Table::one::<AccessEntry>("accessEntry");

    fn id(&self) -> String {
        format!("{}/{}", self.cluster_name, self.principal_arn)
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        &mut snapshot.access_entries
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
