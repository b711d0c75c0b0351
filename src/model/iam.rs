//! IAM in the shape of `aws iam get-account-authorization-details`, and of its single calls.

mod single_calls;

pub use single_calls::{BESIDE_PARTS, FILE_READERS, PARTS, Part, ROLE, is_one_of_several_pages, settle};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::PolicyText;
use super::snapshot::{Record, Snapshot, Table};

/// A role with all that decides what it may do, as in `RoleDetailList`.
///
/// A list that is `None` was not read; an empty list was read and is empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Role {
    /// The name without the path.
    pub role_name: String,
    /// The stable unique id (`AROA…`): another one means that the role was replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_id: Option<String>,
    /// With path and account.
    pub arn: String,
    /// `/` or `/some/path/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The trust policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assume_role_policy_document: Option<PolicyText>,
    /// The attached managed policies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attached_managed_policies: Option<Vec<AttachedPolicy>>,
    /// The inline policies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_policy_list: Option<Vec<InlinePolicy>>,
    /// The permissions boundary, if the role has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions_boundary: Option<PermissionsBoundary>,
    /// The tags of the role.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
}

/// A managed policy, as attached to a role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AttachedPolicy {
    /// Without its path.
    pub policy_name: String,
    /// Of the policy, not of a version of it.
    pub policy_arn: String,
}

/// A policy that lives inside a role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InlinePolicy {
    /// Unique within the role.
    pub policy_name: String,
    /// `None` where the name was read and the document was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_document: Option<PolicyText>,
}

/// The managed policy that limits a role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PermissionsBoundary {
    /// `Policy` or `PermissionsBoundaryPolicy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions_boundary_type: Option<String>,
    /// The managed policy used as boundary.
    pub permissions_boundary_arn: String,
}

/// A tag, as IAM and EC2 print it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tag {
    /// Unique within the resource.
    pub key: String,
    /// Any text.
    #[serde(default)]
    pub value: String,
}

/// A managed policy with its versions, as in `Policies`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ManagedPolicy {
    /// Without its path.
    #[serde(default)]
    pub policy_name: String,
    /// Of the policy, not of a version of it.
    pub arn: String,
    /// `v1`, `v2`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_version_id: Option<String>,
    /// `None` where the policy was seen and its document was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_version_list: Option<Vec<PolicyVersion>>,
}

impl ManagedPolicy {
    /// The document in force.
    pub fn document(&self) -> Option<&PolicyText> {
        let versions = self.policy_version_list.as_ref()?;
        let in_force = |version: &&PolicyVersion| {
            version.is_default_version || Some(&version.version_id) == self.default_version_id.as_ref()
        };
        versions.iter().find(in_force).and_then(|version| version.document.as_ref())
    }
}

/// One version of a managed policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PolicyVersion {
    /// `v1`, `v2`, …
    pub version_id: String,
    /// The version in force.
    #[serde(default)]
    pub is_default_version: bool,
    /// The policy itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<PolicyText>,
}

/// The container through which an instance gets its role, as in `InstanceProfiles`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InstanceProfile {
    /// Without its path.
    pub instance_profile_name: String,
    /// With path and account.
    pub arn: String,
    /// At most one.
    #[serde(default)]
    pub roles: Vec<Role>,
}

/// The keys of IAM.
pub const TABLES: &[Table] = &[Role::TABLE, ManagedPolicy::TABLE, InstanceProfile::TABLE];

impl Record for Role {
    const TABLE: Table = Table::list::<Role>("RoleDetailList");

    fn id(&self) -> String {
        self.arn.clone()
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        &mut snapshot.roles
    }

    /// Several calls print parts of a role: what only one of them knows stays.
    fn merge(&mut self, newer: Self) {
        let older = std::mem::replace(self, newer);
        self.role_id = self.role_id.take().or(older.role_id);
        self.path = self.path.take().or(older.path);
        self.assume_role_policy_document =
            self.assume_role_policy_document.take().or(older.assume_role_policy_document);
        self.attached_managed_policies =
            self.attached_managed_policies.take().or(older.attached_managed_policies);
        self.permissions_boundary = self.permissions_boundary.take().or(older.permissions_boundary);
        if self.tags.is_empty() {
            self.tags = older.tags;
        }
        self.role_policy_list = match (self.role_policy_list.take(), older.role_policy_list) {
            (Some(newer), Some(older)) => Some(all_of(newer, older)),
            (newer, older) => newer.or(older),
        };
    }
}

/// Each policy once, with its document where one of the two lists has it.
fn all_of(newer: Vec<InlinePolicy>, older: Vec<InlinePolicy>) -> Vec<InlinePolicy> {
    let mut by_name: BTreeMap<String, InlinePolicy> = BTreeMap::new();
    for policy in newer.into_iter().chain(older) {
        let known = by_name.entry(policy.policy_name.clone()).or_insert_with(|| policy.clone());
        if known.policy_document.is_none() {
            known.policy_document = policy.policy_document;
        }
    }
    by_name.into_values().collect()
}

impl Record for ManagedPolicy {
    const TABLE: Table = Table::list::<ManagedPolicy>("Policies");

    fn id(&self) -> String {
        self.arn.clone()
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        &mut snapshot.policies
    }

    /// Lists print policies without their documents, and single calls one version of them: what only one knows stays.
    fn merge(&mut self, newer: Self) {
        let older = std::mem::replace(self, newer);
        self.default_version_id = self.default_version_id.take().or(older.default_version_id);
        self.policy_version_list = match (self.policy_version_list.take(), older.policy_version_list) {
            (Some(mut newer), Some(older)) => {
                let is_new = |old: &PolicyVersion| !newer.iter().any(|row| row.version_id == old.version_id);
                let kept: Vec<PolicyVersion> = older.into_iter().filter(is_new).collect();
                // A policy has one version in force: the newer file says which.
                let newer_decides = newer.iter().any(|row| row.is_default_version);
                newer.extend(kept.into_iter().map(|old| PolicyVersion {
                    is_default_version: old.is_default_version && !newer_decides,
                    ..old
                }));
                Some(newer)
            }
            (newer, older) => newer.or(older),
        };
    }
}

impl Record for InstanceProfile {
    const TABLE: Table = Table::list::<InstanceProfile>("InstanceProfiles");

    fn id(&self) -> String {
        self.arn.clone()
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        &mut snapshot.instance_profiles
    }
}

#[test]
fn a_role_is_put_together_from_what_the_single_calls_print() {
    let part = |json: &str| serde_json::from_str::<Role>(json).unwrap();
    let mut snapshot = Snapshot::default();
    for json in [
        r#"{"RoleName": "r", "Arn": "a", "RoleId": "AROA", "AssumeRolePolicyDocument": {}}"#,
        r#"{"RoleName": "r", "Arn": "a", "AttachedManagedPolicies": [{"PolicyName": "p", "PolicyArn": "b"}]}"#,
        r#"{"RoleName": "r", "Arn": "a", "RolePolicyList": [{"PolicyName": "x"}, {"PolicyName": "y"}]}"#,
        r#"{"RoleName": "r", "Arn": "a", "RolePolicyList": [{"PolicyName": "y", "PolicyDocument": {}}]}"#,
    ] {
        snapshot.put(part(json));
    }
    let whole = part(
        r#"{"RoleName": "r", "Arn": "a", "RoleId": "AROA", "AssumeRolePolicyDocument": {},
            "AttachedManagedPolicies": [{"PolicyName": "p", "PolicyArn": "b"}],
            "RolePolicyList": [{"PolicyName": "x"}, {"PolicyName": "y", "PolicyDocument": {}}]}"#,
    );
    assert_eq!(snapshot.roles["a"], whole);
    snapshot.put(part(r#"{"RoleName": "r", "Arn": "a"}"#));
    assert_eq!(snapshot.roles["a"], whole, "a part that knows nothing takes nothing away");
}
