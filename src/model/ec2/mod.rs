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
mod launch_template;
mod lenient;
mod prefix_list;
mod routing;
mod transit;
mod vpc;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use endpoint::{DnsEntry, DnsOptions, EndpointService, EndpointServiceType, VpcEndpoint};
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
pub use launch_template::{LaunchTemplateData, LaunchTemplateVersion, TemplateInterface};
pub use prefix_list::{PrefixList, PrefixListEntry};
pub use routing::{PropagatingVgw, Route, RouteTable, RouteTableAssociation};
pub use transit::{
    ResourceAttachment, RouteTableAssociationState, TransitGateway, TransitGatewayAttachment,
    TransitGatewayPropagation, TransitGatewayPropagations, TransitGatewayRoute, TransitGatewayRouteTable,
    TransitGatewayRoutes, TransitGatewayStaticRoutes, TransitGatewayVpcAttachment,
};
pub use vpc::{
    AttributeValue, BlockPublicAccessStates, BlockState, CidrAssociation, DhcpConfiguration, DhcpOptions,
    DhcpValue, DnsHostnames, DnsSupport, Ipv6CidrAssociation, Subnet, Vpc,
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
    /// By id: services that endpoints can lead to.
    pub endpoint_services: BTreeMap<String, EndpointService>,
    /// By id.
    pub nat_gateways: BTreeMap<String, NatGateway>,
    /// By id.
    pub internet_gateways: BTreeMap<String, InternetGateway>,
    /// By id.
    pub egress_only_internet_gateways: BTreeMap<String, EgressOnlyInternetGateway>,
    /// By id. Shared by worlds on paper: there are many of them, and hardly any change is about one.
    pub network_interfaces: Arc<BTreeMap<String, NetworkInterface>>,
    /// By id. Shared like interfaces.
    pub instances: Arc<BTreeMap<String, Instance>>,
    /// By `ID/VERSION`.
    pub launch_template_versions: BTreeMap<String, LaunchTemplateVersion>,
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
    EndpointService::TABLE,
    NatGateway::TABLE,
    InternetGateway::TABLE,
    EgressOnlyInternetGateway::TABLE,
    NetworkInterface::TABLE,
    Instance::TABLE,
    LaunchTemplateVersion::TABLE,
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use crate::model::Snapshot;
    use crate::snapshot_dir::{Loaded, read_file};

    fn read(file: &str, text: &serde_json::Value) -> Result<Snapshot, String> {
        let mut loaded = Loaded::default();
        read_file(&mut loaded, Path::new(file), &text.to_string()).map_err(|error| error.to_string())?;
        Ok(loaded.snapshot)
    }

    #[test]
    fn absence_is_read_as_nothing_and_another_type_is_an_error() {
        let absent = json!({"SecurityGroups": [null, {"GroupId": "sg-1", "IpPermissions": null, "Tags": [null],
            "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": null, "Ipv6Ranges": [{"CidrIpv6": ""}]}]}], "Vpcs": null});
        let snapshot = read("a.json", &absent).unwrap();
        assert_eq!(snapshot.ec2.security_groups.len(), 1);
        assert!(snapshot.keys.contains("Vpcs"));
        let wrong = |text: serde_json::Value| read("a.json", &text).unwrap_err();
        let error =
            wrong(json!({"SecurityGroups": [{"GroupId": "sg-1", "IpPermissions": [{"IpRanges": "all"}]}]}));
        assert!(
            error.starts_with(
                "a.json has an unexpected shape at /SecurityGroups/0/IpPermissions/0/IpRanges: "
            ),
            "{error}"
        );
        let error = wrong(json!({"Subnets": [{"SubnetId": "subnet-1", "CidrBlock": "10.0.0.0/33"}]}));
        assert!(error.contains("/Subnets/0/CidrBlock") && error.contains("10.0.0.0/33"), "{error}");
        let error = wrong(json!({"Reservations": [{"Instances": [{"InstanceId": 7}]}]}));
        assert!(error.contains("/Reservations/0/Instances/0/InstanceId"), "{error}");
        let error = wrong(json!({"Vpcs": [{"CidrBlock": "10.0.0.0/16"}]}));
        assert!(error.contains("/Vpcs/0") && error.contains("VpcId"), "{error}");
    }

    #[test]
    fn rows_of_somebody_else_are_told_by_the_file_or_its_path() {
        let entries = json!({"Entries": [{"Cidr": "10.0.0.0/8", "Description": "all"}]});
        assert_eq!(read("lists/pl-0a1b.json", &entries).unwrap().ec2.prefix_list_entries["pl-0a1b"].len(), 1);
        assert_eq!(
            read("pl-0a1b/entries.json", &entries).unwrap().ec2.prefix_list_entries["pl-0a1b"].len(),
            1
        );
        assert!(read("entries.json", &entries).unwrap().ec2.prefix_list_entries.is_empty());
        let routes = json!({"TransitGatewayRouteTableId": "tgw-rtb-1", "Routes": [{"DestinationCidrBlock": "0.0.0.0/0", "State": "active"}], "AdditionalRoutesAvailable": true});
        let snapshot = read("a.json", &routes).unwrap();
        let table = &snapshot.ec2.transit_gateway_routes["tgw-rtb-1"];
        assert!(table.routes.len() == 1 && table.incomplete);
        let propagations = json!({"TransitGatewayRouteTablePropagations": [{"ResourceId": "vpc-1", "ResourceType": "vpc", "State": "enabled"}]});
        let snapshot = read("propagations-of-tgw-rtb-9.json", &propagations).unwrap();
        assert_eq!(
            snapshot.ec2.transit_gateway_propagations["tgw-rtb-9"]
                .transit_gateway_route_table_propagations
                .len(),
            1
        );
    }

    #[test]
    fn what_two_calls_print_of_one_list_is_kept() {
        let mut loaded = Loaded::default();
        let described = json!({"PrefixLists": [{"PrefixListId": "pl-1", "PrefixListName": "com.amazonaws.eu-west-1.s3", "Cidrs": ["52.218.0.0/17"]}]});
        let managed = json!({"PrefixLists": [{"PrefixListId": "pl-1", "PrefixListName": "com.amazonaws.eu-west-1.s3", "OwnerId": "AWS", "MaxEntries": 10}]});
        for text in [described, managed] {
            read_file(&mut loaded, Path::new("a.json"), &text.to_string()).unwrap();
        }
        let list = &loaded.snapshot.ec2.prefix_lists["pl-1"];
        assert_eq!(
            (list.cidrs.as_ref().map(Vec::len), list.owner_id.as_deref(), list.max_entries),
            (Some(1), Some("AWS"), Some(10))
        );
    }

    #[test]
    fn attributes_of_a_vpc_are_whole_files() {
        let attributes =
            json!({"VpcId": "vpc-1", "EnableDnsSupport": {"Value": true}, "EnableDnsHostnames": {}});
        let ec2 = read("a.json", &attributes).unwrap().ec2;
        assert!(
            ec2.dns_support["vpc-1"].enable_dns_support.value
                && !ec2.dns_hostnames["vpc-1"].enable_dns_hostnames.value
        );
    }
}
