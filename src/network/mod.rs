//! Follows one packet both ways through the VPCs of a snapshot, and says where it stops.
//!
//! Everything here is pure. What is not modelled or was not read makes an answer unknown, with its name, and never
//! reachable or blocked by guess. Addresses are handled as sets: see [`AddressSet`].

mod addresses;
mod destination;
mod filter;
#[cfg(test)]
mod laws;
pub mod names;
pub mod pull;
mod routes;
mod source;
#[cfg(test)]
mod tests;
mod trace;
mod transit;
mod walk;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

pub use addresses::{AddressSet, Family};
pub use destination::Destination;
pub use filter::{Direction, Ports, Service};
pub use source::{Class, Source, SourceKind};
pub use trace::{Blocker, Decision, Denied, Hop, HopKind, Reason, Side, Trace, Verdict};

use crate::model::ec2::{self, Ec2};
use crate::model::{Seen, Snapshot};
use filter::{Acl, SecurityGroups};
use routes::{Lookup, RouteTable, Target};
use transit::TransitRouteTable;

/// The network of a snapshot, compiled: groups, network ACLs and route tables are taken apart once.
#[derive(Debug)]
pub struct Network<'a> {
    snapshot: &'a Snapshot,
    vpcs: Vec<Vpc>,
    subnets: Vec<Subnet>,
    interfaces: Vec<Interface>,
    vpc_by_id: BTreeMap<String, usize>,
    subnet_by_id: BTreeMap<String, usize>,
    interface_by_id: BTreeMap<String, usize>,
    /// For each VPC and first address of a block: the last address, and the interface that has it.
    interface_by_address: BTreeMap<(usize, IpAddr), (IpAddr, usize)>,
    /// Public addresses: whose, and the private address that each stands for.
    public_addresses: BTreeMap<Ipv4Addr, (usize, Ipv4Addr)>,
    interfaces_of_instance: BTreeMap<String, Vec<usize>>,
    /// The running nodes of managed groups, by cluster and group.
    nodes_of_group: BTreeMap<(&'a str, &'a str), Vec<&'a ec2::Instance>>,
    nat_by_interface: BTreeMap<String, String>,
    endpoint_by_interface: BTreeMap<String, String>,
    groups: SecurityGroups,
    acls: Vec<Acl>,
    tables: Vec<RouteTable>,
    table_by_id: BTreeMap<String, usize>,
    transit_tables: BTreeMap<String, TransitRouteTable>,
    /// The blocks of the prefix lists whose entries were read.
    prefix_lists: BTreeMap<String, AddressSet>,
    /// Blocks of rules that hold a part of a subnet only, by subnet.
    narrow_blocks: BTreeMap<usize, Vec<IpNet>>,
    /// Every public address.
    public: AddressSet,
    /// Every public address that is in no VPC of the snapshot.
    public_services: AddressSet,
}

#[derive(Debug)]
struct Vpc {
    id: String,
    blocks: AddressSet,
    subnets: Vec<usize>,
    by_address: Lookup<usize>,
    region: Option<String>,
    main_table: Option<usize>,
    /// Tables for what comes in through a gateway.
    edge_tables: BTreeMap<String, usize>,
}

#[derive(Debug)]
struct Subnet {
    id: String,
    vpc: usize,
    blocks: AddressSet,
    zone: Option<String>,
    owner: Option<String>,
    public_on_launch: bool,
    /// `None` where it was not read.
    table: Option<usize>,
    /// `None` where it was not read.
    acl: Option<usize>,
}

#[derive(Debug)]
struct Interface {
    id: String,
    vpc: usize,
    subnet: Option<usize>,
    addresses: AddressSet,
    primary: Option<Ipv4Addr>,
    ipv6: Option<std::net::Ipv6Addr>,
    public: Option<Ipv4Addr>,
    groups: Vec<String>,
    instance: Option<String>,
    checks_source_and_destination: bool,
}

impl<'a> Network<'a> {
    /// Compiles the network of a snapshot.
    pub fn of(snapshot: &'a Snapshot) -> Network<'a> {
        let ec2 = &snapshot.ec2;
        let entries = prefix_list_entries(ec2);
        let prefix_lists: BTreeMap<String, AddressSet> =
            entries.iter().map(|(id, blocks)| (id.clone(), blocks.iter().copied().collect())).collect();
        let tables: Vec<RouteTable> =
            ec2.route_tables.values().map(|table| RouteTable::of(table, ec2, &entries)).collect();
        let public = AddressSet::public(Family::V4).or(&AddressSet::public(Family::V6));
        let mut network = Network {
            snapshot,
            vpcs: Vec::new(),
            subnets: Vec::new(),
            interfaces: Vec::new(),
            vpc_by_id: BTreeMap::new(),
            subnet_by_id: BTreeMap::new(),
            interface_by_id: BTreeMap::new(),
            interface_by_address: BTreeMap::new(),
            public_addresses: BTreeMap::new(),
            interfaces_of_instance: BTreeMap::new(),
            nodes_of_group: source::nodes_of_groups(ec2),
            nat_by_interface: BTreeMap::new(),
            endpoint_by_interface: BTreeMap::new(),
            groups: filter::security_groups(ec2, &prefix_lists),
            acls: ec2.network_acls.values().map(Acl::of).collect(),
            tables,
            table_by_id: ec2.route_tables.keys().cloned().zip(0..).collect(),
            transit_tables: transit::route_tables(ec2, &entries),
            prefix_lists,
            narrow_blocks: BTreeMap::new(),
            public_services: public.minus(&ec2.vpcs.values().map(vpc_blocks).collect()),
            public,
        };
        network.add_vpcs(ec2);
        network.add_subnets(ec2);
        network.associate(ec2);
        network.add_interfaces(ec2);
        network.add_owners(ec2);
        network.add_elastic_addresses(ec2);
        network.add_narrow_blocks(ec2, &entries);
        network
    }

    /// Addresses of one subnet are alike unless a rule tells them apart: these are the blocks of such rules.
    fn add_narrow_blocks(&mut self, ec2: &Ec2, entries: &BTreeMap<String, Vec<IpNet>>) {
        let in_groups = ec2
            .security_groups
            .values()
            .flat_map(|group| group.ip_permissions.iter().chain(&group.ip_permissions_egress));
        let in_groups = in_groups.flat_map(|rule| {
            let v4 = rule.ip_ranges.iter().filter_map(|range| range.cidr_ip).map(IpNet::V4);
            v4.chain(rule.ipv6_ranges.iter().filter_map(|range| range.cidr_ipv6).map(IpNet::V6))
        });
        let in_acls = ec2.network_acls.values().flat_map(|acl| &acl.entries);
        let in_acls = in_acls
            .filter_map(|entry| entry.cidr_block.map(IpNet::V4).or(entry.ipv6_cidr_block.map(IpNet::V6)));
        let mut blocks: Vec<IpNet> =
            in_groups.chain(in_acls).chain(entries.values().flatten().copied()).collect();
        blocks.sort();
        blocks.dedup();
        for block in blocks {
            for vpc in &self.vpcs {
                let Some(index) = vpc.by_address.get(block.network()) else { continue };
                let subnet = self.subnets.get(index);
                let family = if block.network().is_ipv4() { Family::V4 } else { Family::V6 };
                let is_part = |subnet: &Subnet| !subnet.blocks.of(family).is_within(&AddressSet::from(block));
                if subnet.is_some_and(is_part) {
                    self.narrow_blocks.entry(index).or_default().push(block);
                }
            }
        }
    }

    fn add_vpcs(&mut self, ec2: &Ec2) {
        // A VPC may be known only by its subnets, when nobody described it.
        let mut ids: Vec<&String> =
            ec2.vpcs.keys().chain(ec2.subnets.values().map(|subnet| &subnet.vpc_id)).collect();
        ids.sort();
        ids.dedup();
        for (index, id) in ids.into_iter().enumerate() {
            let blocks = ec2.vpcs.get(id).map(vpc_blocks).unwrap_or_default();
            self.vpc_by_id.insert(id.clone(), index);
            self.vpcs.push(Vpc {
                id: id.clone(),
                blocks,
                subnets: Vec::new(),
                by_address: Lookup::default(),
                region: None,
                main_table: None,
                edge_tables: BTreeMap::new(),
            });
        }
    }

    fn add_subnets(&mut self, ec2: &Ec2) {
        let mut blocks: BTreeMap<usize, Vec<(IpNet, usize)>> = BTreeMap::new();
        for subnet in ec2.subnets.values() {
            let Some(vpc) = self.vpc_by_id.get(&subnet.vpc_id).copied() else { continue };
            let index = self.subnets.len();
            let v4 = subnet.cidr_block.map(IpNet::V4);
            let nets: Vec<IpNet> = v4.into_iter().chain(subnet.ipv6_blocks().map(IpNet::V6)).collect();
            blocks.entry(vpc).or_default().extend(nets.iter().map(|net| (*net, index)));
            self.subnet_by_id.insert(subnet.subnet_id.clone(), index);
            if let Some(vpc) = self.vpcs.get_mut(vpc) {
                vpc.subnets.push(index);
                vpc.region = vpc
                    .region
                    .take()
                    .or_else(|| subnet.availability_zone.as_deref().and_then(region_of_zone));
            }
            self.subnets.push(Subnet {
                id: subnet.subnet_id.clone(),
                vpc,
                blocks: nets.into_iter().collect(),
                zone: subnet.availability_zone.clone(),
                owner: subnet.owner_id.clone(),
                public_on_launch: subnet.map_public_ip_on_launch,
                table: None,
                acl: None,
            });
        }
        for (vpc, blocks) in blocks {
            if let Some(vpc) = self.vpcs.get_mut(vpc) {
                vpc.by_address = Lookup::of(blocks);
            }
        }
    }

    /// Gives each subnet its route table and its network ACL: its own, or the one of the VPC.
    fn associate(&mut self, ec2: &Ec2) {
        let mut own_table: BTreeMap<&str, usize> = BTreeMap::new();
        for (index, table) in ec2.route_tables.values().enumerate() {
            let vpc = table.vpc_id.as_ref().and_then(|id| self.vpc_by_id.get(id)).copied();
            for association in &table.associations {
                if let Some(subnet) = &association.subnet_id {
                    own_table.insert(subnet, index);
                }
                if let Some(vpc) = vpc.and_then(|vpc| self.vpcs.get_mut(vpc)) {
                    if association.main {
                        vpc.main_table = Some(index);
                    }
                    if let Some(gateway) = &association.gateway_id {
                        vpc.edge_tables.insert(gateway.clone(), index);
                    }
                }
            }
        }
        let mut own_acl: BTreeMap<&str, usize> = BTreeMap::new();
        let mut default_acl: BTreeMap<&str, usize> = BTreeMap::new();
        for (index, acl) in ec2.network_acls.values().enumerate() {
            own_acl.extend(
                acl.associations
                    .iter()
                    .filter_map(|association| association.subnet_id.as_deref())
                    .map(|subnet| (subnet, index)),
            );
            if let (true, Some(vpc)) = (acl.is_default, acl.vpc_id.as_deref()) {
                default_acl.insert(vpc, index);
            }
        }
        for subnet in &mut self.subnets {
            let Some(vpc) = self.vpcs.get(subnet.vpc) else { continue };
            subnet.table = own_table.get(subnet.id.as_str()).copied().or(vpc.main_table);
            subnet.acl =
                own_acl.get(subnet.id.as_str()).or_else(|| default_acl.get(vpc.id.as_str())).copied();
        }
    }

    fn add_interfaces(&mut self, ec2: &Ec2) {
        for interface in ec2.network_interfaces.values() {
            let instance =
                interface.attachment.as_ref().and_then(|attachment| attachment.instance_id.clone());
            self.add_interface(interface, instance);
        }
        for instance in ec2.instances.values() {
            for interface in &instance.network_interfaces {
                self.add_interface(interface, Some(instance.instance_id.clone()));
            }
        }
    }

    fn add_interface(&mut self, row: &ec2::NetworkInterface, instance: Option<String>) {
        if self.interface_by_id.contains_key(&row.network_interface_id) {
            return;
        }
        let subnet = row.subnet_id.as_ref().and_then(|id| self.subnet_by_id.get(id)).copied();
        let in_row = row.vpc_id.as_ref().and_then(|id| self.vpc_by_id.get(id)).copied();
        let Some(vpc) = in_row.or_else(|| self.subnets.get(subnet?).map(|subnet| subnet.vpc)) else { return };
        let index = self.interfaces.len();
        let v4 = row
            .private_ip_address
            .into_iter()
            .chain(row.private_ip_addresses.iter().filter_map(|address| address.private_ip_address));
        let v6 = row.ipv6_addresses.iter().filter_map(|address| address.ipv6_address);
        let delegated = row.ipv4_prefixes.iter().filter_map(|block| block.ipv4_prefix).map(IpNet::V4);
        let delegated =
            delegated.chain(row.ipv6_prefixes.iter().filter_map(|block| block.ipv6_prefix).map(IpNet::V6));
        let blocks: Vec<IpNet> =
            v4.map(IpAddr::V4).chain(v6.map(IpAddr::V6)).map(IpNet::from).chain(delegated).collect();
        for block in &blocks {
            self.interface_by_address.insert((vpc, block.network()), (block.broadcast(), index));
        }
        let public = |association: &Option<ec2::InterfaceAssociation>| {
            association.as_ref().and_then(|association| association.public_ip)
        };
        for address in &row.private_ip_addresses {
            if let (Some(private), Some(public)) = (address.private_ip_address, public(&address.association))
            {
                self.public_addresses.insert(public, (index, private));
            }
        }
        let primary = row
            .private_ip_address
            .or_else(|| row.private_ip_addresses.iter().find_map(|address| address.private_ip_address));
        if let (Some(private), Some(public)) = (primary, public(&row.association)) {
            self.public_addresses.insert(public, (index, private));
        }
        if let Some(instance) = &instance {
            self.interfaces_of_instance.entry(instance.clone()).or_default().push(index);
        }
        self.interface_by_id.insert(row.network_interface_id.clone(), index);
        let of_primary =
            row.private_ip_addresses.iter().find(|address| address.private_ip_address == primary);
        self.interfaces.push(Interface {
            id: row.network_interface_id.clone(),
            vpc,
            subnet,
            addresses: blocks.into_iter().collect(),
            primary,
            ipv6: row.ipv6_addresses.iter().find_map(|address| address.ipv6_address),
            public: public(&row.association).or_else(|| public(&of_primary?.association)),
            groups: row.groups.iter().map(|group| group.group_id.clone()).collect(),
            instance,
            checks_source_and_destination: row.source_dest_check.unwrap_or(true),
        });
    }

    /// Elastic IP addresses that only `Addresses` knows of.
    fn add_elastic_addresses(&mut self, ec2: &Ec2) {
        for address in ec2.addresses.values() {
            let interface =
                address.network_interface_id.as_ref().and_then(|id| self.interface_by_id.get(id)).copied();
            let (Some(interface), Some(public), Some(private)) =
                (interface, address.public_ip, address.private_ip_address)
            else {
                continue;
            };
            self.public_addresses.entry(public).or_insert((interface, private));
            if let Some(row) = self.interfaces.get_mut(interface).filter(|row| row.primary == Some(private)) {
                row.public = row.public.or(Some(public));
            }
        }
    }

    /// Which interfaces belong to NAT gateways and to endpoints.
    fn add_owners(&mut self, ec2: &Ec2) {
        for nat in ec2.nat_gateways.values() {
            let interfaces =
                nat.nat_gateway_addresses.iter().filter_map(|address| address.network_interface_id.clone());
            self.nat_by_interface.extend(interfaces.map(|interface| (interface, nat.nat_gateway_id.clone())));
        }
        for endpoint in ec2.vpc_endpoints.values() {
            let interfaces = endpoint.network_interface_ids.iter().cloned();
            self.endpoint_by_interface
                .extend(interfaces.map(|interface| (interface, endpoint.vpc_endpoint_id.clone())));
        }
    }

    /// The snapshot that this network was compiled from.
    pub fn snapshot(&self) -> &'a Snapshot {
        self.snapshot
    }

    fn ec2(&self) -> &'a Ec2 {
        &self.snapshot.ec2
    }

    fn interface_at(&self, vpc: usize, address: IpAddr) -> Option<usize> {
        let ((found, _), (last, index)) = self.interface_by_address.range(..=(vpc, address)).next_back()?;
        (*found == vpc && address <= *last).then_some(*index)
    }

    /// Whether rows of a kind are complete: read, and not refused.
    fn was_read(&self, key: &str, call: &str) -> bool {
        matches!(self.snapshot.missing::<()>(key, call, ""), Seen::Absent)
    }

    fn region(&self, vpc: usize) -> Option<&str> {
        self.vpcs.get(vpc).and_then(|vpc| vpc.region.as_deref()).or(self.snapshot.about.region.as_deref())
    }

    /// Whether the gateway endpoint behind a route serves none of the addresses in question.
    fn is_gateway_endpoint(&self, target: &Target) -> bool {
        let Target::Endpoint(id) = target else { return false };
        self.ec2()
            .vpc_endpoints
            .get(id)
            .is_none_or(|endpoint| endpoint.vpc_endpoint_type.eq_ignore_ascii_case("gateway"))
    }
}

fn vpc_blocks(vpc: &ec2::Vpc) -> AddressSet {
    let v4 = vpc.ipv4_blocks().map(IpNet::V4);
    v4.chain(vpc.ipv6_blocks().map(IpNet::V6)).collect()
}

/// The blocks of each prefix list that was read with its entries.
fn prefix_list_entries(ec2: &Ec2) -> BTreeMap<String, Vec<IpNet>> {
    let described = ec2.prefix_lists.iter().filter_map(|(id, list)| Some((id.clone(), list.cidrs.clone()?)));
    let listed = ec2
        .prefix_list_entries
        .iter()
        .map(|(id, entries)| (id.clone(), entries.iter().map(|entry| entry.cidr).collect()));
    described.chain(listed).collect()
}

/// `eu-west-1` of `eu-west-1a`, `us-west-2` of the local zone `us-west-2-lax-1a`.
fn region_of_zone(zone: &str) -> Option<String> {
    let mut parts = zone.split('-');
    let mut region: Vec<&str> = Vec::new();
    for part in parts.by_ref() {
        let digits = part.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        if !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit()) {
            region.push(digits);
            return Some(region.join("-"));
        }
        region.push(part);
    }
    None
}
