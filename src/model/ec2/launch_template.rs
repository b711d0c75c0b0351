//! Launch templates: how the nodes of a group will be that has none yet.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{IamInstanceProfile, MetadataOptions, lenient};
use crate::model::eks::Nodegroup;
use crate::model::snapshot::{Record, Table};
use crate::model::{Seen, Snapshot};

/// One version of a launch template, as in `LaunchTemplateVersions`. Its user data is never kept: people put secrets there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LaunchTemplateVersion {
    /// `lt-…`.
    pub launch_template_id: String,
    /// From 1.
    pub version_number: i64,
    /// What instances get.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub launch_template_data: LaunchTemplateData,
}

/// `LaunchTemplateData` of a version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LaunchTemplateData {
    /// Those of the first interface, where it has no others.
    #[serde(default, deserialize_with = "lenient::list", skip_serializing_if = "Vec::is_empty")]
    pub security_group_ids: Vec<String>,
    /// The same by their names.
    #[serde(default, deserialize_with = "lenient::list", skip_serializing_if = "Vec::is_empty")]
    pub security_groups: Vec<String>,
    /// Those that instances start with.
    #[serde(default, deserialize_with = "lenient::list", skip_serializing_if = "Vec::is_empty")]
    pub network_interfaces: Vec<TemplateInterface>,
    /// Not of managed node groups: EKS makes theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iam_instance_profile: Option<IamInstanceProfile>,
    /// Where instances read their credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata_options: Option<MetadataOptions>,
}

/// An interface of a launch template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TemplateInterface {
    /// 0: the first one, through which the node pulls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_index: Option<i64>,
    /// The ids of its security groups.
    #[serde(default, deserialize_with = "lenient::list")]
    pub groups: Vec<String>,
    /// Whatever the subnet says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub associate_public_ip_address: Option<bool>,
}

impl LaunchTemplateVersion {
    /// The security groups that it gives to nodes; absent where it names none, and EKS gives them the cluster's.
    pub fn groups(&self) -> Seen<Vec<String>> {
        let data = &self.launch_template_data;
        let first = data.network_interfaces.iter().find(|row| row.device_index.unwrap_or_default() == 0);
        let call = LaunchTemplateVersion::CALL;
        if first.is_some_and(|first| first.associate_public_ip_address.is_some()) {
            return Seen::Unread(format!("{call}: whether nodes get a public address is not followed"));
        }
        if !data.security_groups.is_empty() {
            return Seen::Unread(format!(
                "{call}: groups that are named, not given by their ids, are not followed"
            ));
        }
        match first.map(|first| &first.groups).filter(|groups| !groups.is_empty()) {
            Some(groups) => Seen::Known(groups.clone()),
            None if data.security_group_ids.is_empty() => Seen::Absent,
            None => Seen::Known(data.security_group_ids.clone()),
        }
    }

    /// What reads it.
    pub const CALL: &str = "ec2:DescribeLaunchTemplateVersions";
}

impl Snapshot {
    /// The launch template that a node group names; absent where it names none.
    pub fn template_of(&self, group: &Nodegroup) -> Seen<&LaunchTemplateVersion> {
        let Some(named) = &group.launch_template else { return Seen::Absent };
        let id = named.id.clone().unwrap_or_default();
        let version = named.version.clone().unwrap_or_default();
        match self.ec2.launch_template_versions.get(&format!("{id}/{version}")) {
            Some(template) => Seen::Known(template),
            None => {
                let call = LaunchTemplateVersion::CALL;
                let refused = self.unread.iter().find(|row| row.source == call && row.resource == id);
                let because = refused.map_or("not read", |row| row.because.as_str());
                Seen::Unread(format!("{call}: version {version} of {id}: {because}"))
            }
        }
    }
}

impl Record for LaunchTemplateVersion {
    const TABLE: Table = Table::list::<LaunchTemplateVersion>("LaunchTemplateVersions");

    fn id(&self) -> String {
        format!("{}/{}", self.launch_template_id, self.version_number)
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        &mut snapshot.ec2.launch_template_versions
    }
}

#[test]
fn the_first_interface_counts_for_more_than_the_instance() {
    let groups = |data: serde_json::Value| {
        let row =
            serde_json::json!({ "LaunchTemplateId": "lt-1", "VersionNumber": 1, "LaunchTemplateData": data });
        serde_json::from_value::<LaunchTemplateVersion>(row).unwrap().groups()
    };
    let known = |id: &str| Seen::Known(vec![id.to_owned()]);
    assert_eq!(groups(serde_json::json!(null)), Seen::Absent);
    assert_eq!(groups(serde_json::json!({ "SecurityGroupIds": ["sg-1"] })), known("sg-1"));
    let interfaces = serde_json::json!({ "NetworkInterfaces": [
        { "DeviceIndex": 1, "Groups": ["sg-9"] }, { "DeviceIndex": 0, "Groups": ["sg-2"] },
    ] });
    assert_eq!(groups(interfaces), known("sg-2"));
    let named = serde_json::json!({ "SecurityGroups": ["web"] });
    let public = serde_json::json!({ "NetworkInterfaces": [{ "AssociatePublicIpAddress": true }] });
    for unclear in [named, public] {
        assert!(matches!(groups(unclear), Seen::Unread(_)));
    }
}
