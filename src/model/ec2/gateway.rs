//! Gateways and peerings: where traffic leaves a VPC.

use std::net::Ipv4Addr;

use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use super::lenient;
use crate::model::iam::Tag;
use crate::model::snapshot::{Record, Snapshot, Table};

/// A NAT gateway, as in `NatGateways`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NatGateway {
    /// `nat-…`.
    pub nat_gateway_id: String,
    /// The VPC.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub vpc_id: String,
    /// Where it stands; none for a regional one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet_id: Option<String>,
    /// `available`, `pending`, `failed`, `deleting`, `deleted`.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub state: String,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_code: Option<String>,
    /// `public` or `private`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connectivity_type: Option<String>,
    /// `zonal` or `regional`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability_mode: Option<String>,
    /// The table of a regional one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route_table_id: Option<String>,
    /// Its addresses.
    #[serde(default, deserialize_with = "lenient::list")]
    pub nat_gateway_addresses: Vec<NatAddress>,
    /// Names for people.
    #[serde(default, deserialize_with = "lenient::list")]
    pub tags: Vec<Tag>,
}

/// An address of a NAT gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NatAddress {
    /// `eni-…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_interface_id: Option<String>,
    /// Within its subnet.
    #[serde(default, deserialize_with = "lenient::parsed", skip_serializing_if = "Option::is_none")]
    pub private_ip: Option<Ipv4Addr>,
    /// An Elastic IP address.
    #[serde(default, deserialize_with = "lenient::parsed", skip_serializing_if = "Option::is_none")]
    pub public_ip: Option<Ipv4Addr>,
}

/// An internet gateway, as in `InternetGateways`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InternetGateway {
    /// `igw-…`.
    pub internet_gateway_id: String,
    /// At most one VPC.
    #[serde(default, deserialize_with = "lenient::list")]
    pub attachments: Vec<GatewayAttachment>,
    /// The account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<String>,
    /// Names for people.
    #[serde(default, deserialize_with = "lenient::list")]
    pub tags: Vec<Tag>,
}

/// A gateway and its VPC.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GatewayAttachment {
    /// `available`, `attached`, `detached`, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// `vpc-…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc_id: Option<String>,
}

/// An egress-only internet gateway, as in `EgressOnlyInternetGateways`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EgressOnlyInternetGateway {
    /// `eigw-…`.
    pub egress_only_internet_gateway_id: String,
    /// At most one VPC.
    #[serde(default, deserialize_with = "lenient::list")]
    pub attachments: Vec<GatewayAttachment>,
    /// Names for people.
    #[serde(default, deserialize_with = "lenient::list")]
    pub tags: Vec<Tag>,
}

/// A VPN gateway, as in `VpnGateways`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct VpnGateway {
    /// `vgw-…`.
    pub vpn_gateway_id: String,
    /// `available`, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// At most one VPC.
    #[serde(default, deserialize_with = "lenient::list")]
    pub vpc_attachments: Vec<GatewayAttachment>,
    /// Names for people.
    #[serde(default, deserialize_with = "lenient::list")]
    pub tags: Vec<Tag>,
}

/// A VPN connection, as in `VpnConnections`. Its keys are secrets and are not read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct VpnConnection {
    /// `vpn-…`.
    pub vpn_connection_id: String,
    /// `available`, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The AWS side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpn_gateway_id: Option<String>,
    /// The AWS side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transit_gateway_id: Option<String>,
    /// The other side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_gateway_id: Option<String>,
    /// Names for people.
    #[serde(default, deserialize_with = "lenient::list")]
    pub tags: Vec<Tag>,
}

/// A peering, as in `VpcPeeringConnections`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct VpcPeeringConnection {
    /// `pcx-…`.
    pub vpc_peering_connection_id: String,
    /// One side.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub requester_vpc_info: PeeringVpc,
    /// The other side.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub accepter_vpc_info: PeeringVpc,
    /// Only `active` ones carry traffic.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub status: PeeringStatus,
    /// Names for people.
    #[serde(default, deserialize_with = "lenient::list")]
    pub tags: Vec<Tag>,
}

/// One side of a peering.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PeeringVpc {
    /// `vpc-…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc_id: Option<String>,
    /// The account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<String>,
    /// The region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// All IPv4 blocks.
    #[serde(default, deserialize_with = "lenient::list")]
    pub cidr_block_set: Vec<PeeringCidr>,
    /// All IPv6 blocks.
    #[serde(default, deserialize_with = "lenient::list")]
    pub ipv6_cidr_block_set: Vec<PeeringIpv6Cidr>,
    /// The first IPv4 block.
    #[serde(default, deserialize_with = "lenient::parsed", skip_serializing_if = "Option::is_none")]
    pub cidr_block: Option<Ipv4Net>,
    /// How names of the other side resolve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peering_options: Option<PeeringOptions>,
}

/// A block of a peered VPC.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PeeringCidr {
    /// The block.
    #[serde(default, deserialize_with = "lenient::parsed", skip_serializing_if = "Option::is_none")]
    pub cidr_block: Option<Ipv4Net>,
}

/// A block of a peered VPC.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PeeringIpv6Cidr {
    /// The block.
    #[serde(default, deserialize_with = "lenient::parsed", skip_serializing_if = "Option::is_none")]
    pub ipv6_cidr_block: Option<Ipv6Net>,
}

/// Options of one side of a peering.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PeeringOptions {
    /// Whether public names of this side resolve to private addresses on the other.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub allow_dns_resolution_from_remote_vpc: bool,
}

/// The state of a peering.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PeeringStatus {
    /// `active`, `pending-acceptance`, ….
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub code: String,
}

/// An Elastic IP address, as in `Addresses`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Address {
    /// `eipalloc-…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocation_id: Option<String>,
    /// The address.
    #[serde(default, deserialize_with = "lenient::parsed", skip_serializing_if = "Option::is_none")]
    pub public_ip: Option<Ipv4Addr>,
    /// The private address that it stands for.
    #[serde(default, deserialize_with = "lenient::parsed", skip_serializing_if = "Option::is_none")]
    pub private_ip_address: Option<Ipv4Addr>,
    /// The interface that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_interface_id: Option<String>,
    /// The instance that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    /// Names for people.
    #[serde(default, deserialize_with = "lenient::list")]
    pub tags: Vec<Tag>,
}

impl NatGateway {
    /// Whether it works. A snapshot that does not tell the state is believed.
    pub fn is_available(&self) -> bool {
        self.state.is_empty() || self.state.eq_ignore_ascii_case("available")
    }

    /// Whether it translates to private addresses only.
    pub fn is_private(&self) -> bool {
        self.connectivity_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("private"))
    }

    /// Whether it stands in no subnet, but in all zones.
    pub fn is_regional(&self) -> bool {
        self.availability_mode.as_deref().is_some_and(|mode| mode.eq_ignore_ascii_case("regional"))
    }
}

impl PeeringVpc {
    /// Its IPv4 blocks.
    pub fn ipv4_blocks(&self) -> impl Iterator<Item = Ipv4Net> + '_ {
        let set = self.cidr_block_set.iter().filter_map(|block| block.cidr_block);
        self.cidr_block.into_iter().chain(set.filter(|block| Some(*block) != self.cidr_block))
    }

    /// Its IPv6 blocks.
    pub fn ipv6_blocks(&self) -> impl Iterator<Item = Ipv6Net> + '_ {
        self.ipv6_cidr_block_set.iter().filter_map(|block| block.ipv6_cidr_block)
    }
}

impl Record for Address {
    const TABLE: Table = Table::list::<Address>("Addresses");

    fn id(&self) -> String {
        let address = || self.public_ip.map(|address| address.to_string());
        self.allocation_id.clone().or_else(address).unwrap_or_default()
    }

    fn rows(snapshot: &mut Snapshot) -> &mut std::collections::BTreeMap<String, Self> {
        &mut snapshot.ec2.addresses
    }
}

rows_by_id! {
    NatGateway, nat_gateway_id, nat_gateways, Table::list::<NatGateway>("NatGateways");
    InternetGateway, internet_gateway_id, internet_gateways, Table::list::<InternetGateway>("InternetGateways");
    EgressOnlyInternetGateway, egress_only_internet_gateway_id, egress_only_internet_gateways, Table::list::<EgressOnlyInternetGateway>("EgressOnlyInternetGateways");
    VpnGateway, vpn_gateway_id, vpn_gateways, Table::list::<VpnGateway>("VpnGateways");
    VpnConnection, vpn_connection_id, vpn_connections, Table::list::<VpnConnection>("VpnConnections");
    VpcPeeringConnection, vpc_peering_connection_id, vpc_peering_connections, Table::list::<VpcPeeringConnection>("VpcPeeringConnections");
}
