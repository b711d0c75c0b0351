//! Instances.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{GroupId, NetworkInterface, lenient};
use crate::model::Snapshot;
use crate::model::iam::Tag;
use crate::model::snapshot::{Record, Table};

/// An instance, as in `Reservations[].Instances`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Instance {
    /// `i-…`.
    pub instance_id: String,
    /// `running`, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<InstanceState>,
    /// The VPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc_id: Option<String>,
    /// Of the first interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet_id: Option<String>,
    /// Of the first interface.
    #[serde(default, deserialize_with = "lenient::parsed", skip_serializing_if = "Option::is_none")]
    pub private_ip_address: Option<Ipv4Addr>,
    /// Of the first interface.
    #[serde(default, deserialize_with = "lenient::parsed", skip_serializing_if = "Option::is_none")]
    pub public_ip_address: Option<Ipv4Addr>,
    /// `ip-10-0-0-1.eu-west-1.compute.internal`: the name of the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_dns_name: Option<String>,
    /// `x86_64`, `arm64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// Its groups.
    #[serde(default, deserialize_with = "lenient::list")]
    pub security_groups: Vec<GroupId>,
    /// Its interfaces.
    #[serde(default, deserialize_with = "lenient::list")]
    pub network_interfaces: Vec<NetworkInterface>,
    /// Of the first interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_dest_check: Option<bool>,
    /// Through which it gets its role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iam_instance_profile: Option<IamInstanceProfile>,
    /// Where it reads its credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata_options: Option<MetadataOptions>,
    /// Names for people.
    #[serde(default, deserialize_with = "lenient::list")]
    pub tags: Vec<Tag>,
}

impl Instance {
    /// The value of a tag.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags.iter().find(|tag| tag.key == key).map(|tag| tag.value.as_str())
    }

    /// Whether it has ended, or is about to: EC2 lists it for an hour more.
    pub fn is_gone(&self) -> bool {
        self.state.as_ref().is_some_and(|state| matches!(state.name.as_str(), "terminated" | "shutting-down"))
    }

    /// The cluster and the managed node group that it is a node of, by the tags that EKS gives; none once it has ended.
    pub fn managed_group(&self) -> Option<(&str, &str)> {
        if self.is_gone() {
            return None;
        }
        self.tag("eks:cluster-name").zip(self.tag("eks:nodegroup-name"))
    }
}

/// The state of an instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InstanceState {
    /// `pending`, `running`, `stopping`, `stopped`, `shutting-down`, `terminated`.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub name: String,
}

/// The instance profile of an instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct IamInstanceProfile {
    /// With path and account.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub arn: String,
    /// The stable unique id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// How the metadata service of an instance answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MetadataOptions {
    /// `enabled` or `disabled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_endpoint: Option<String>,
    /// `required` or `optional`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_tokens: Option<String>,
    /// How far an answer may travel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_put_response_hop_limit: Option<i64>,
}

impl Record for Instance {
    const TABLE: Table = Table::nested::<Instance>("Reservations", "Instances");

    fn id(&self) -> String {
        self.instance_id.clone()
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        Arc::make_mut(&mut snapshot.ec2.instances)
    }
}
