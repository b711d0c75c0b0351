//! Route tables: compiled once, asked for single addresses and for whole sets.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::addresses::{AddressSet, Family};
use crate::model::ec2::{self, Ec2};

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    Local,
    InternetGateway(String),
    EgressOnlyInternetGateway(String),
    NatGateway(String),
    Endpoint(String),
    TransitGateway(String),
    Peering(String),
    VpnGateway(String),
    Interface(String),
    Instance(String),
    /// A kind of target that is not modelled.
    Other(String),
    /// The route names no target.
    None,
}

impl Target {
    pub(super) fn text(&self) -> &str {
        match self {
            Target::Local => "local",
            Target::None => "nothing",
            Target::InternetGateway(id)
            | Target::EgressOnlyInternetGateway(id)
            | Target::NatGateway(id)
            | Target::Endpoint(id)
            | Target::TransitGateway(id)
            | Target::Peering(id)
            | Target::VpnGateway(id)
            | Target::Interface(id)
            | Target::Instance(id)
            | Target::Other(id) => id,
        }
    }
}

/// Which of two routes to the same block is taken: the lower (VPC user guide, "Route priority").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Priority {
    Static,
    PrefixList,
    Propagated,
}

#[derive(Clone, Debug)]
pub(super) struct Route {
    /// As the table prints it: a block or a prefix list.
    pub(super) destination: String,
    pub(super) target: Target,
    pub(super) blackhole: bool,
}

/// Routes with the longest match worked out beforehand: for each family, sorted and disjoint ranges of addresses,
/// each with its one winner. One binary search finds the route of an address, one walk the routes of a set, which a
/// trie could only answer address by address.
#[derive(Clone, Debug, Default)]
pub(super) struct Lookup<T> {
    v4: Vec<(u128, u128, T)>,
    v6: Vec<(u128, u128, T)>,
}

impl<T: Copy + PartialEq + Ord> Lookup<T> {
    /// The longest block wins; among equal blocks the lowest value.
    pub(super) fn of(blocks: impl IntoIterator<Item = (IpNet, T)>) -> Lookup<T> {
        let (mut v4, mut v6): (BTreeMap<_, T>, BTreeMap<_, T>) = Default::default();
        for (block, value) in blocks {
            let block = block.trunc();
            let (first, last, map) = match block {
                IpNet::V4(block) => (
                    u128::from(u32::from(block.network())),
                    u128::from(u32::from(block.broadcast())),
                    &mut v4,
                ),
                IpNet::V6(block) => (u128::from(block.network()), u128::from(block.broadcast()), &mut v6),
            };
            // Sorted by their beginning, the larger of two blocks comes first.
            map.entry((first, u128::MAX - last))
                .and_modify(|old: &mut T| *old = value.min(*old))
                .or_insert(value);
        }
        Lookup { v4: flatten(v4), v6: flatten(v6) }
    }

    pub(super) fn get(&self, address: IpAddr) -> Option<T> {
        let (number, ranges) = match address {
            IpAddr::V4(address) => (u128::from(u32::from(address)), &self.v4),
            IpAddr::V6(address) => (u128::from(address), &self.v6),
        };
        let after = ranges.partition_point(|(first, ..)| *first <= number);
        let (_, last, value) = ranges.get(after.checked_sub(1)?)?;
        (number <= *last).then_some(*value)
    }

    /// The parts of a set by their winners, in the order of the winners; last what no block holds.
    pub(super) fn split(&self, set: &AddressSet) -> Vec<(Option<T>, AddressSet)> {
        if let Some(address) = set.single() {
            return vec![(self.get(address), set.clone())];
        }
        let mut parts: BTreeMap<T, Vec<AddressSet>> = BTreeMap::new();
        for (ranges, family) in [(&self.v4, Family::V4), (&self.v6, Family::V6)] {
            let set = set.of(family);
            if set.is_empty() {
                continue;
            }
            for (first, last, value) in ranges {
                let hit = set.and(&AddressSet::range(family, *first, *last));
                if !hit.is_empty() {
                    parts.entry(*value).or_default().push(hit);
                }
            }
        }
        let mut left = set.clone();
        let mut split = Vec::new();
        for (value, hits) in parts {
            let hit: AddressSet = hits.into_iter().collect();
            left = left.minus(&hit);
            split.push((Some(value), hit));
        }
        if !left.is_empty() {
            split.push((None, left));
        }
        split
    }
}

/// Nested blocks, outer before inner, as disjoint ranges in which the innermost block wins.
fn flatten<T: Copy>(blocks: BTreeMap<(u128, u128), T>) -> Vec<(u128, u128, T)> {
    let mut ranges = Vec::with_capacity(blocks.len());
    let mut open: Vec<(u128, T)> = Vec::new();
    let mut next: Option<u128> = Some(0);
    let mut close = |open: &mut Vec<(u128, T)>, next: &mut Option<u128>, before: Option<u128>| {
        while let Some((last, value)) = open.last().copied() {
            if before.is_some_and(|before| before <= last) {
                break;
            }
            if let Some(start) = next.filter(|start| *start <= last) {
                ranges.push((start, last, value));
            }
            *next = last.checked_add(1);
            open.pop();
        }
        if let (Some(before), Some(start), Some((_, value))) = (before, *next, open.last().copied())
            && start < before
        {
            ranges.push((start, before - 1, value));
        }
    };
    for ((first, last), value) in blocks {
        close(&mut open, &mut next, Some(first));
        next = Some(first);
        open.push((u128::MAX - last, value));
    }
    close(&mut open, &mut next, None);
    ranges
}

/// Blocks with the index of the route that each leads to.
type Blocks = Vec<(IpNet, (Priority, usize))>;

/// A route table of a VPC, compiled.
#[derive(Clone, Debug)]
pub(super) struct RouteTable {
    pub(super) id: String,
    routes: Vec<Route>,
    lookup: Lookup<(Priority, usize)>,
    /// Routes to prefix lists whose entries were not read, with the id of the list.
    unread: Vec<(String, usize)>,
}

/// A part of a destination and the route that takes it.
#[derive(Clone, Debug)]
pub(super) struct Taken<'a> {
    pub(super) addresses: AddressSet,
    pub(super) route: Option<&'a Route>,
    /// Another route that may take it instead: the entries of its prefix list were not read.
    pub(super) doubt: Option<String>,
}

impl RouteTable {
    pub(super) fn of(
        table: &ec2::RouteTable,
        ec2: &Ec2,
        prefix_lists: &BTreeMap<String, Vec<IpNet>>,
    ) -> RouteTable {
        let mut compiled = RouteTable {
            id: table.route_table_id.clone(),
            routes: Vec::new(),
            lookup: Lookup::of([]),
            unread: Vec::new(),
        };
        let mut blocks: Blocks = Vec::new();
        for route in &table.routes {
            let v4 = route.destination_cidr_block.map(IpNet::V4);
            let block = v4.or(route.destination_ipv6_cidr_block.map(IpNet::V6));
            let propagated = route.origin.as_deref() == Some("EnableVgwRoutePropagation");
            let priority = if propagated { Priority::Propagated } else { Priority::Static };
            let blackhole =
                route.state.as_deref().is_some_and(|state| state.eq_ignore_ascii_case("blackhole"));
            let target = target(route, ec2);
            match (block, &route.destination_prefix_list_id) {
                (Some(block), _) => {
                    let index = compiled.push(block.to_string(), target, blackhole);
                    blocks.push((block, (priority, index)));
                }
                (None, Some(list)) => compiled.push_list(list, target, blackhole, prefix_lists, &mut blocks),
                (None, None) => {}
            }
        }
        compiled.add_local_routes(table, ec2, &mut blocks);
        compiled.add_gateway_endpoints(ec2, prefix_lists, &mut blocks);
        compiled.lookup = Lookup::of(blocks);
        compiled
    }

    fn push(&mut self, destination: String, target: Target, blackhole: bool) -> usize {
        self.routes.push(Route { destination, target, blackhole });
        self.routes.len() - 1
    }

    fn push_list(
        &mut self,
        list: &str,
        target: Target,
        blackhole: bool,
        prefix_lists: &BTreeMap<String, Vec<IpNet>>,
        blocks: &mut Blocks,
    ) {
        let index = self.push(list.to_owned(), target, blackhole);
        match prefix_lists.get(list) {
            Some(entries) => {
                blocks.extend(entries.iter().map(|entry| (*entry, (Priority::PrefixList, index))))
            }
            None => self.unread.push((list.to_owned(), index)),
        }
    }

    /// Every table has a route to every block of its VPC, which can be led elsewhere but not taken away.
    fn add_local_routes(&mut self, table: &ec2::RouteTable, ec2: &Ec2, blocks: &mut Blocks) {
        let Some(vpc) = table.vpc_id.as_ref().and_then(|id| ec2.vpcs.get(id)) else { return };
        for local in vpc.ipv4_blocks().map(IpNet::V4).chain(vpc.ipv6_blocks().map(IpNet::V6)) {
            if !blocks.iter().any(|(block, _)| *block == local) {
                let index = self.push(local.to_string(), Target::Local, false);
                blocks.push((local, (Priority::Static, index)));
            }
        }
    }

    /// A gateway endpoint that is associated with a table has a route in it, listed or not.
    fn add_gateway_endpoints(
        &mut self,
        ec2: &Ec2,
        prefix_lists: &BTreeMap<String, Vec<IpNet>>,
        blocks: &mut Blocks,
    ) {
        for endpoint in ec2.vpc_endpoints.values() {
            let id = &endpoint.vpc_endpoint_id;
            let is_associated = endpoint.vpc_endpoint_type.eq_ignore_ascii_case("gateway")
                && endpoint.route_table_ids.contains(&self.id);
            let listed = |route: &Route| matches!(&route.target, Target::Endpoint(listed) if listed == id);
            if is_associated && !self.routes.iter().any(listed) {
                let list = prefix_list_of_service(ec2, &endpoint.service_name);
                self.push_list(&list, Target::Endpoint(id.clone()), false, prefix_lists, blocks);
            }
        }
    }

    /// The routes that a set of addresses takes. `prefix_list` is the list that the set stands for, if any;
    /// `skip` says of a route to an unread list whether it cannot concern this set.
    pub(super) fn take(
        &self,
        to: &AddressSet,
        prefix_list: Option<&str>,
        skip: impl Fn(&str, &Route) -> bool,
    ) -> Vec<Taken<'_>> {
        let own = self.unread.iter().find(|(list, _)| Some(list.as_str()) == prefix_list);
        if let Some(route) = own.and_then(|(_, index)| self.routes.get(*index)) {
            return vec![Taken { addresses: to.clone(), route: Some(route), doubt: None }];
        }
        let other = self
            .unread
            .iter()
            .find(|(list, index)| self.routes.get(*index).is_some_and(|route| !skip(list, route)));
        let taken = self.lookup.split(to).into_iter().map(|(winner, addresses)| {
            let route = winner.and_then(|(_, index)| self.routes.get(index));
            let doubt =
                other.filter(|_| route.is_none_or(|route| route.target != Target::Local)).map(|(list, _)| {
                    format!("the entries of prefix list {list}, a route of {}, were not read", self.id)
                });
            Taken { addresses, route, doubt }
        });
        taken.collect()
    }

    /// Whether any route leads to a target.
    pub(super) fn leads_to(&self, wanted: impl Fn(&Target) -> bool) -> bool {
        self.routes.iter().any(|route| wanted(&route.target) && !route.blackhole)
    }
}

/// The id of a service's prefix list, or the name of the service where no list of that name was read.
pub(super) fn prefix_list_of_service(ec2: &Ec2, service: &str) -> String {
    let listed = ec2.prefix_lists.values().find(|list| list.prefix_list_name == service);
    listed.map_or(service, |list| list.prefix_list_id.as_str()).to_owned()
}

fn target(route: &ec2::Route, ec2: &Ec2) -> Target {
    let text = |field: &Option<String>| field.clone().filter(|id| !id.is_empty());
    if let Some(id) = text(&route.gateway_id) {
        return match id.split('-').next().unwrap_or_default() {
            "local" => Target::Local,
            "igw" => Target::InternetGateway(id),
            "vgw" => Target::VpnGateway(id),
            "vpce" => Target::Endpoint(id),
            "nat" => Target::NatGateway(id),
            "tgw" => Target::TransitGateway(id),
            _ if ec2.internet_gateways.contains_key(&id) => Target::InternetGateway(id),
            _ => Target::Other(id),
        };
    }
    let known = [
        (&route.nat_gateway_id, Target::NatGateway as fn(String) -> Target),
        (&route.transit_gateway_id, Target::TransitGateway),
        (&route.vpc_peering_connection_id, Target::Peering),
        (&route.egress_only_internet_gateway_id, Target::EgressOnlyInternetGateway),
        (&route.network_interface_id, Target::Interface),
        (&route.instance_id, Target::Instance),
        (&route.local_gateway_id, Target::Other),
        (&route.carrier_gateway_id, Target::Other),
        (&route.core_network_arn, Target::Other),
    ];
    known.into_iter().find_map(|(field, target)| text(field).map(target)).unwrap_or(Target::None)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_longest_block_wins() {
        let blocks = [
            "0.0.0.0/0",
            "10.0.0.0/8",
            "10.1.0.0/16",
            "10.1.2.0/24",
            "10.1.3.0/24",
            "192.168.0.0/16",
            "::/0",
            "fd00::/8",
        ];
        let lookup =
            Lookup::of(blocks.iter().enumerate().map(|(index, block)| (block.parse().unwrap(), index)));
        let winner = |address: &str| lookup.get(address.parse().unwrap()).map(|index| blocks[index]);
        assert_eq!(winner("10.1.2.255"), Some("10.1.2.0/24"));
        assert_eq!(winner("10.1.4.0"), Some("10.1.0.0/16"));
        assert_eq!(winner("10.255.255.255"), Some("10.0.0.0/8"));
        assert_eq!(winner("11.0.0.0"), Some("0.0.0.0/0"));
        assert_eq!(winner("255.255.255.255"), Some("0.0.0.0/0"));
        assert_eq!(winner("fd12::1"), Some("fd00::/8"));
        assert_eq!(winner("2600::1"), Some("::/0"));
    }

    proptest! {
        #[test]
        fn lookups_agree_with_the_definition(
            blocks in prop::collection::vec((any::<u8>(), 0_u8..=8), 0..12),
            address in any::<u8>(),
        ) {
            let net = |(number, length): (u8, u8)| -> IpNet { ipnet::Ipv4Net::new([10, 0, 0, number].into(), 24 + length).unwrap().trunc().into() };
            let address = IpAddr::from([10, 0, 0, address]);
            let nets: Vec<IpNet> = blocks.iter().map(|block| net(*block)).collect();
            let expected = (0..nets.len()).filter(|index| nets[*index].contains(&address)).max_by_key(|index| (nets[*index].prefix_len(), std::cmp::Reverse(*index)));
            let lookup = Lookup::of(nets.iter().copied().enumerate().map(|(index, net)| (net, index)));
            prop_assert_eq!(lookup.get(address), expected);
            let all: AddressSet = "10.0.0.0/24".parse::<IpNet>().unwrap().into();
            let parts = lookup.split(&all);
            let part = parts.iter().find(|(_, part)| part.contains(address)).map(|(winner, _)| *winner);
            prop_assert_eq!(part, Some(expected));
            prop_assert_eq!(parts.into_iter().map(|(_, part)| part).collect::<AddressSet>(), all);
        }
    }
}
