//! Network interfaces.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use super::{GroupId, lenient};
use crate::model::Snapshot;
use crate::model::iam::Tag;
use crate::model::snapshot::{Record, Table};

/// A network interface, as in `NetworkInterfaces` and within an instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NetworkInterface {
    /// `eni-…`.
    pub network_interface_id: String,
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet_id: Option<String>,
    /// The VPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc_id: Option<String>,
    /// The zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability_zone: Option<String>,
    /// `interface`, `vpc_endpoint`, `nat_gateway`, `network_load_balancer`, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface_type: Option<String>,
    /// Names its user, for interfaces that AWS made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its security groups.
    #[serde(default, deserialize_with = "lenient::list")]
    pub groups: Vec<GroupId>,
    /// The primary address.
    #[serde(default, deserialize_with = "lenient::parsed", skip_serializing_if = "Option::is_none")]
    pub private_ip_address: Option<Ipv4Addr>,
    /// All IPv4 addresses.
    #[serde(default, deserialize_with = "lenient::list")]
    pub private_ip_addresses: Vec<PrivateAddress>,
    /// IPv6 addresses.
    #[serde(default, deserialize_with = "lenient::list")]
    pub ipv6_addresses: Vec<Ipv6Address>,
    /// Delegated blocks, for pods.
    #[serde(default, deserialize_with = "lenient::list")]
    pub ipv4_prefixes: Vec<PrefixDelegation>,
    /// Delegated blocks, for pods.
    #[serde(default, deserialize_with = "lenient::list")]
    pub ipv6_prefixes: Vec<Ipv6PrefixDelegation>,
    /// The public address of the primary address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub association: Option<InterfaceAssociation>,
    /// What it is attached to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attachment: Option<Attachment>,
    /// Whether only its own traffic may pass. `None`: not printed, which means on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_dest_check: Option<bool>,
    /// `in-use`, `available`, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<String>,
    /// Names for people.
    #[serde(default, deserialize_with = "lenient::list")]
    pub tag_set: Vec<Tag>,
}

/// A private address of an interface.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PrivateAddress {
    /// The address.
    #[serde(default, deserialize_with = "lenient::parsed", skip_serializing_if = "Option::is_none")]
    pub private_ip_address: Option<Ipv4Addr>,
    /// Whether it is the first.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub primary: bool,
    /// Its public address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub association: Option<InterfaceAssociation>,
}

/// An IPv6 address of an interface.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Ipv6Address {
    /// The address.
    #[serde(default, deserialize_with = "lenient::parsed", skip_serializing_if = "Option::is_none")]
    pub ipv6_address: Option<Ipv6Addr>,
}

/// A block delegated to an interface.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PrefixDelegation {
    /// The block.
    #[serde(default, deserialize_with = "lenient::parsed", skip_serializing_if = "Option::is_none")]
    pub ipv4_prefix: Option<Ipv4Net>,
}

/// A block delegated to an interface.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Ipv6PrefixDelegation {
    /// The block.
    #[serde(default, deserialize_with = "lenient::parsed", skip_serializing_if = "Option::is_none")]
    pub ipv6_prefix: Option<Ipv6Net>,
}

/// The public address that an internet gateway puts in the place of a private one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InterfaceAssociation {
    /// The address.
    #[serde(default, deserialize_with = "lenient::parsed", skip_serializing_if = "Option::is_none")]
    pub public_ip: Option<Ipv4Addr>,
    /// The outpost's counterpart.
    #[serde(default, deserialize_with = "lenient::parsed", skip_serializing_if = "Option::is_none")]
    pub carrier_ip: Option<Ipv4Addr>,
}

/// What an interface is attached to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Attachment {
    /// `i-…`, or none for what AWS runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    /// 0 for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_index: Option<i64>,
    /// `attached`, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

impl Record for NetworkInterface {
    const TABLE: Table = Table::list::<NetworkInterface>("NetworkInterfaces");

    fn id(&self) -> String {
        self.network_interface_id.clone()
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        Arc::make_mut(&mut snapshot.ec2.network_interfaces)
    }
}
