//! EC2 in the shape that the AWS CLI prints it: only the fields that a trace, a check or an action uses.
//!
//! The rows are strict about types and lenient about absence: a field that is missing or `null` reads as
//! empty, a field of another type is an error.

/// Makes rows known to the snapshot: the type, the field that is its id, its table in [`Ec2`], its key in a file.
macro_rules! rows_by_id {
    ($($row:ty, $id:ident, $rows:ident, $table:expr;)*) => {$(
        impl $crate::model::snapshot::Record for $row {
            const TABLE: Table = $table;

            fn id(&self) -> String {
                self.$id.clone()
            }

            fn rows(
                snapshot: &mut $crate::model::Snapshot,
            ) -> &mut std::collections::BTreeMap<String, Self> {
                &mut snapshot.ec2.$rows
            }
        }
    )*};
}

mod endpoint;
mod filter;
mod gateway;
mod instance;
mod interface;
mod lenient;
mod prefix_list;
mod routing;
mod transit;
mod vpc;

use std::collections::BTreeMap;

pub use endpoint::{DnsEntry, DnsOptions, VpcEndpoint};
pub use filter::{
    AclAssociation, AclEntry, GroupId, GroupPair, IcmpTypeCode, IpPermission, IpRange, Ipv6Range, NetworkAcl,
    PortRange, PrefixListId, ReferencedGroup, SecurityGroup, SecurityGroupRule,
};
pub use gateway::{
    Address, EgressOnlyInternetGateway, GatewayAttachment, InternetGateway, NatAddress, NatGateway,
    PeeringCidr, PeeringIpv6Cidr, PeeringOptions, PeeringStatus, PeeringVpc, VpcPeeringConnection,
    VpnConnection, VpnGateway,
};
pub use instance::{IamInstanceProfile, Instance, InstanceState, MetadataOptions};
pub use interface::{
    Attachment, InterfaceAssociation, Ipv6Address, Ipv6PrefixDelegation, NetworkInterface, PrefixDelegation,
    PrivateAddress,
};
pub use prefix_list::{PrefixList, PrefixListEntry};
pub use routing::{PropagatingVgw, Route, RouteTable, RouteTableAssociation};
pub use transit::{
    ResourceAttachment, RouteTableAssociationState, TransitGateway, TransitGatewayAttachment,
    TransitGatewayPropagation, TransitGatewayPropagations, TransitGatewayRoute, TransitGatewayRouteTable,
    TransitGatewayRoutes, TransitGatewayStaticRoutes, TransitGatewayVpcAttachment,
};
pub use vpc::{
    AttributeValue, BlockState, CidrAssociation, DhcpConfiguration, DhcpOptions, DhcpValue, DnsHostnames,
    DnsSupport, Ipv6CidrAssociation, Subnet, Vpc,
};

use super::snapshot::{FileReader, Record as _, Table, file_name, pretty};

/// Every EC2 resource of a snapshot, of all accounts and regions that it holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ec2 {
    /// By id.
    pub vpcs: BTreeMap<String, Vpc>,
    /// `enableDnsSupport`, by VPC.
    pub dns_support: BTreeMap<String, DnsSupport>,
    /// `enableDnsHostnames`, by VPC.
    pub dns_hostnames: BTreeMap<String, DnsHostnames>,
    /// By id.
    pub dhcp_options: BTreeMap<String, DhcpOptions>,
    /// By id.
    pub subnets: BTreeMap<String, Subnet>,
    /// By id.
    pub route_tables: BTreeMap<String, RouteTable>,
    /// By id.
    pub security_groups: BTreeMap<String, SecurityGroup>,
    /// By id.
    pub security_group_rules: BTreeMap<String, SecurityGroupRule>,
    /// By id.
    pub network_acls: BTreeMap<String, NetworkAcl>,
    /// By id.
    pub vpc_endpoints: BTreeMap<String, VpcEndpoint>,
    /// By id.
    pub nat_gateways: BTreeMap<String, NatGateway>,
    /// By id.
    pub internet_gateways: BTreeMap<String, InternetGateway>,
    /// By id.
    pub egress_only_internet_gateways: BTreeMap<String, EgressOnlyInternetGateway>,
    /// By id.
    pub network_interfaces: BTreeMap<String, NetworkInterface>,
    /// By id.
    pub instances: BTreeMap<String, Instance>,
    /// By allocation id, or by address where there is none.
    pub addresses: BTreeMap<String, Address>,
    /// By id: AWS's own and managed ones.
    pub prefix_lists: BTreeMap<String, PrefixList>,
    /// Entries of managed prefix lists, by the id of the list.
    pub prefix_list_entries: BTreeMap<String, Vec<PrefixListEntry>>,
    /// By id.
    pub transit_gateways: BTreeMap<String, TransitGateway>,
    /// By `GATEWAY/ATTACHMENT`: both gateways of a peering know it by the same id.
    pub transit_gateway_attachments: BTreeMap<String, TransitGatewayAttachment>,
    /// By attachment id.
    pub transit_gateway_vpc_attachments: BTreeMap<String, TransitGatewayVpcAttachment>,
    /// By id.
    pub transit_gateway_route_tables: BTreeMap<String, TransitGatewayRouteTable>,
    /// All routes, by route table: what `search-transit-gateway-routes` prints.
    pub transit_gateway_routes: BTreeMap<String, TransitGatewayRoutes>,
    /// Static routes, by route table.
    pub transit_gateway_static_routes: BTreeMap<String, TransitGatewayStaticRoutes>,
    /// Which attachments propagate their routes, by route table.
    pub transit_gateway_propagations: BTreeMap<String, TransitGatewayPropagations>,
    /// By id.
    pub vpc_peering_connections: BTreeMap<String, VpcPeeringConnection>,
    /// By id.
    pub vpn_gateways: BTreeMap<String, VpnGateway>,
    /// By id.
    pub vpn_connections: BTreeMap<String, VpnConnection>,
}

/// The keys of EC2 whose values are complete by themselves.
pub const TABLES: &[Table] = &[
    Vpc::TABLE,
    DnsSupport::TABLE,
    DnsHostnames::TABLE,
    DhcpOptions::TABLE,
    Subnet::TABLE,
    RouteTable::TABLE,
    SecurityGroup::TABLE,
    SecurityGroupRule::TABLE,
    NetworkAcl::TABLE,
    VpcEndpoint::TABLE,
    NatGateway::TABLE,
    InternetGateway::TABLE,
    EgressOnlyInternetGateway::TABLE,
    NetworkInterface::TABLE,
    Instance::TABLE,
    Address::TABLE,
    PrefixList::TABLE,
    TransitGateway::TABLE,
    TransitGatewayAttachment::TABLE,
    TransitGatewayVpcAttachment::TABLE,
    TransitGatewayRouteTable::TABLE,
    TransitGatewayStaticRoutes::TABLE,
    TransitGatewayPropagations::TABLE,
    VpcPeeringConnection::TABLE,
    VpnGateway::TABLE,
    VpnConnection::TABLE,
];

/// The keys of EC2 that belong to an id which stands elsewhere: beside them in the file, or in its path.
pub const FILE_READERS: &[FileReader] = &[
    FileReader { key: "Entries", read: prefix_list::read_entries },
    FileReader { key: "Routes", read: transit::read_routes },
    FileReader { key: "TransitGatewayRouteTablePropagations", read: transit::read_propagations },
];

/// The files of what [`FILE_READERS`] read: the name of each, without its ending, and its text.
pub fn files_by_id(ec2: &Ec2) -> Vec<(String, String)> {
    let entries = ec2.prefix_list_entries.iter().map(|(list, entries)| {
        let value = serde_json::json!({ "PrefixListId": list, "Entries": entries });
        (format!("Entries-{}", file_name(list)), pretty(&value))
    });
    let routes = ec2.transit_gateway_routes.iter().map(|(table, routes)| {
        let value = serde_json::json!({
            "TransitGatewayRouteTableId": table,
            "Routes": routes.routes,
            "AdditionalRoutesAvailable": routes.incomplete,
        });
        (format!("Routes-{}", file_name(table)), pretty(&value))
    });
    entries.chain(routes).collect()
}
