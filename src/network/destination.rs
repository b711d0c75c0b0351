//! Where packets go, and how a user names it.

use std::net::IpAddr;
use std::sync::Arc;

use super::Network;
use super::addresses::{AddressSet, Family};
use super::filter::{Ports, Service};
use super::names::{self, Resolution};
use super::routes::prefix_list_of_service;
use super::source::{Source, unknown_id};
use super::trace::{Blocker, Decision, Hop, HopKind, Reason, Side, Trace};
use super::walk::{End, PublicAddress};
use crate::error::Error;

/// A receiver.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Destination {
    /// One address.
    Address(IpAddr),
    /// Whatever a name resolves to for the sender.
    Name(String),
    /// A network interface.
    Interface(String),
    /// An interface or gateway endpoint.
    Endpoint(String),
    /// All of a prefix list.
    PrefixList(String),
    /// Any public address of AWS.
    Internet,
}

impl Network<'_> {
    /// What `--to` names, and the port where it names one: `IP`, `HOST` or a component id, each with or without `:PORT`.
    ///
    /// # Errors
    /// A component id that is not in the snapshot.
    pub fn resolve_destination(&self, text: &str) -> Result<(Destination, Option<u16>), Error> {
        let text = text.trim();
        if let Ok(address) = text.parse() {
            return Ok((Destination::Address(address), None));
        }
        if let Ok(socket) = text.parse::<std::net::SocketAddr>() {
            return Ok((Destination::Address(socket.ip()), Some(socket.port())));
        }
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) => match port.parse() {
                Ok(port) => (name, Some(port)),
                Err(_) => (text, None),
            },
            None => (text, None),
        };
        let name = name.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = name.parse() {
            return Ok((Destination::Address(address), port));
        }
        self.component(name).map(|destination| (destination, port))
    }

    fn component(&self, name: &str) -> Result<Destination, Error> {
        let ec2 = self.ec2();
        if self.interface_by_id.contains_key(name) {
            return Ok(Destination::Interface(name.to_owned()));
        }
        if let Some(index) = self
            .resolve_source(name)
            .ok()
            .filter(|_| name.starts_with("i-"))
            .and_then(|sources| sources.into_iter().next())
        {
            return match (index.interface, index.address) {
                (Some(interface), _) => Ok(Destination::Interface(interface)),
                (None, Some(address)) => Ok(Destination::Address(address)),
                (None, None) => Err(self.unknown_destination(name)),
            };
        }
        if ec2.vpc_endpoints.contains_key(name) {
            return Ok(Destination::Endpoint(name.to_owned()));
        }
        if name == "internet" || ec2.internet_gateways.contains_key(name) {
            return Ok(Destination::Internet);
        }
        if ec2.prefix_lists.contains_key(name) || ec2.prefix_list_entries.contains_key(name) {
            return Ok(Destination::PrefixList(name.to_owned()));
        }
        if let Some(nat) = ec2.nat_gateways.get(name) {
            let address = nat.nat_gateway_addresses.iter().find_map(|address| address.private_ip);
            return address
                .map(|address| Destination::Address(address.into()))
                .ok_or_else(|| self.unknown_destination(name));
        }
        if name.contains('.') {
            return Ok(Destination::Name(name.to_ascii_lowercase()));
        }
        Err(self.unknown_destination(name))
    }

    fn unknown_destination(&self, name: &str) -> Error {
        let ec2 = self.ec2();
        let ids = self.interface_by_id.keys().chain(ec2.instances.keys()).chain(ec2.vpc_endpoints.keys());
        let ids = ids
            .chain(ec2.internet_gateways.keys())
            .chain(ec2.nat_gateways.keys())
            .chain(ec2.prefix_lists.keys());
        unknown_id("destination", name, ids)
    }

    /// Follows packets from a source to a destination, and the replies back.
    pub fn trace(&self, source: &Source, to: &Destination, service: Service) -> Trace {
        let hops = self.first_hops(source);
        match to {
            Destination::Address(address) => {
                let family = if address.is_ipv4() { Family::V4 } else { Family::V6 };
                let from = self.end_of(source, family);
                let to = self.end_at(&from, *address);
                self.connect(hops, &from, &to, family, service)
            }
            Destination::Interface(id) => self.to_interface(source, hops, id, service),
            Destination::Endpoint(id) => self.to_endpoint(source, hops, id, service),
            Destination::PrefixList(id) => self.to_public(source, hops, Some(id), &[Family::V4], service),
            Destination::Internet => self.to_public(source, hops, None, &[Family::V4], service),
            Destination::Name(name) => self.to_name(source, hops, name, service),
        }
    }

    fn connect(&self, hops: Vec<Hop>, from: &End, to: &End, family: Family, service: Service) -> Trace {
        if !from.addresses.is_empty() {
            return self.round_trip(hops, from, to, service);
        }
        let (component, kind) = match hops.last() {
            Some(hop) => (hop.id.clone(), hop.kind),
            None => ("?".to_owned(), HopKind::Workload),
        };
        let version = if family == Family::V4 { "IPv4" } else { "IPv6" };
        if from.subnet.is_none() {
            return Trace::unknown(hops, format!("the addresses of {component} were not read"));
        }
        let because = format!("{component} has no {version} address");
        let blocker = Blocker {
            component,
            kind,
            reason: Reason::NoPublicAddress,
            side: Side::Source,
            on_return: false,
            because,
            failing: Vec::new(),
            denied: None,
        };
        Trace::blocked(hops, blocker)
    }

    /// An address as the other end. Its groups matter where rules of the sender name them.
    fn end_at(&self, from: &End, address: IpAddr) -> End {
        let own = from.subnet.and_then(|subnet| self.subnets.get(subnet)).map(|subnet| subnet.vpc);
        let candidates = own.into_iter().chain(0..self.vpcs.len());
        let interface = candidates.filter_map(|vpc| self.interface_at(vpc, address)).next();
        let groups = match interface.and_then(|index| self.interfaces.get(index)) {
            Some(interface) => Some(Arc::from(interface.groups.as_slice())),
            None if own
                .and_then(|vpc| self.vpcs.get(vpc))
                .is_some_and(|vpc| vpc.blocks.contains(address)) =>
            {
                None
            }
            None => Some(Arc::default()),
        };
        End { groups, ..End::outside(address.into()) }
    }

    fn to_interface(&self, source: &Source, hops: Vec<Hop>, id: &str, service: Service) -> Trace {
        let Some((index, row)) =
            self.interface_by_id.get(id).and_then(|index| Some((*index, self.interfaces.get(*index)?)))
        else {
            return Trace::unknown(hops, format!("network interface {id} was not read"));
        };
        let address = row.primary.map(IpAddr::V4).or(row.ipv6.map(IpAddr::V6));
        let Some(address) = address else {
            return Trace::unknown(hops, format!("the addresses of {id} were not read"));
        };
        let family = if address.is_ipv4() { Family::V4 } else { Family::V6 };
        let from = self.end_of(source, family);
        let to = End {
            interface: Some(index),
            subnet: row.subnet,
            groups: Some(Arc::from(row.groups.as_slice())),
            ..End::outside(address.into())
        };
        self.connect(hops, &from, &to, family, service)
    }

    /// An interface endpoint has to be reachable in every zone, as its name resolves to all of them.
    pub(super) fn to_endpoint(&self, source: &Source, hops: Vec<Hop>, id: &str, service: Service) -> Trace {
        let Some(endpoint) = self.ec2().vpc_endpoints.get(id) else {
            return Trace::unknown(hops, format!("endpoint {id} was not read"));
        };
        if endpoint.vpc_endpoint_type.eq_ignore_ascii_case("gateway") {
            let name = &endpoint.service_name;
            return match self.list_named(name) {
                Some(list) => self.to_public(source, hops, Some(&list), &[Family::V4], service),
                None => Trace::unknown(hops, format!("the prefix list of {name} was not read")),
            };
        }
        if !endpoint.state.is_empty() && !endpoint.state.eq_ignore_ascii_case("available") {
            let because = format!("endpoint {id} is {}", endpoint.state);
            let blocker = Blocker {
                component: id.to_owned(),
                kind: HopKind::VpcEndpoint,
                reason: Reason::EndpointUnavailable,
                side: Side::Destination,
                on_return: false,
                because: because.clone(),
                failing: Vec::new(),
                denied: None,
            };
            let hop = Hop::new(HopKind::VpcEndpoint, id).decided(Decision::Deny, because);
            return Trace::blocked(hops.into_iter().chain([hop]).collect(), blocker);
        }
        let from = self.end_of(source, Family::V4);
        let ends = self.ends_of_endpoint(endpoint);
        let traces =
            ends.iter().map(|to| self.connect(hops.clone(), &from, to, Family::V4, service)).collect();
        Trace::all(traces).unwrap_or_else(|| {
            Trace::unknown(hops, format!("the subnets and interfaces of endpoint {id} were not read"))
        })
    }

    /// One end for each interface. The endpoint itself says which groups guard them; where an interface was not read,
    /// or has an address outside its subnet, it is somewhere in the subnet.
    fn ends_of_endpoint(&self, endpoint: &crate::model::ec2::VpcEndpoint) -> Vec<End> {
        let of_endpoint: Vec<String> = endpoint.groups.iter().map(|group| group.group_id.clone()).collect();
        let rows: Vec<usize> = endpoint
            .network_interface_ids
            .iter()
            .filter_map(|id| self.interface_by_id.get(id))
            .copied()
            .collect();
        let complete = !rows.is_empty() && rows.len() == endpoint.network_interface_ids.len();
        let end = |subnet: Option<usize>, interface: Option<usize>| {
            let row = interface.and_then(|index| self.interfaces.get(index));
            let known = subnet.and_then(|subnet| self.subnets.get(subnet));
            let exact = row.and_then(|row| row.primary).map(IpAddr::V4);
            let exact = exact.filter(|address| known.is_none_or(|subnet| subnet.blocks.contains(*address)));
            let somewhere = || known.map(|subnet| subnet.blocks.of(Family::V4)).unwrap_or_default();
            let groups = match (of_endpoint.is_empty(), row) {
                (false, _) => Some(Arc::from(of_endpoint.as_slice())),
                (true, Some(row)) if !row.groups.is_empty() => Some(Arc::from(row.groups.as_slice())),
                (true, _) => None,
            };
            End {
                addresses: exact.map(AddressSet::from).unwrap_or_else(somewhere),
                every: exact.is_some(),
                prefix_list: None,
                service: false,
                groups,
                subnet,
                interface,
                public: PublicAddress::None,
                internet: false,
                ports: Ports::LINUX,
            }
        };
        if complete {
            return rows
                .iter()
                .map(|index| end(self.interfaces.get(*index).and_then(|row| row.subnet), Some(*index)))
                .collect();
        }
        endpoint.subnet_ids.iter().map(|id| end(self.subnet_by_id.get(id).copied(), None)).collect()
    }

    /// The public addresses of a service: all of its prefix list where that was read, otherwise some public address that
    /// nobody knows.
    pub(super) fn to_public(
        &self,
        source: &Source,
        hops: Vec<Hop>,
        list: Option<&str>,
        families: &[Family],
        service: Service,
    ) -> Trace {
        let entries = list.and_then(|id| self.prefix_lists.get(id)).filter(|entries| !entries.is_empty());
        let traces = families.iter().filter_map(|family| {
            let from = self.end_of(source, *family);
            let addresses = match entries {
                Some(entries) => entries.of(*family),
                None => self.public_services.of(*family),
            };
            if addresses.is_empty() || families.len() > 1 && from.addresses.is_empty() {
                return None;
            }
            let to = End {
                every: entries.is_some(),
                prefix_list: list.map(ToOwned::to_owned),
                service: true,
                ..End::outside(addresses)
            };
            Some(self.connect(hops.clone(), &from, &to, *family, service))
        });
        Trace::any(traces.collect()).unwrap_or_else(|| {
            Trace::unknown(hops, "the source has no address of the families that the service has")
        })
    }

    fn to_name(&self, source: &Source, mut hops: Vec<Hop>, name: &str, service: Service) -> Trace {
        let vpc = self.vpc_of(source);
        let answer = self.resolve(source, name);
        let hop = Hop::new(HopKind::Dns, name);
        match answer {
            Resolution::Private { endpoint } => {
                hops.push(hop.saying(format!("resolves to endpoint {endpoint}")));
                self.to_endpoint(source, hops, &endpoint, service)
            }
            Resolution::Public { prefix_list, dual_stack } => {
                hops.push(hop.saying("resolves to public addresses of AWS"));
                let families: &[Family] = if dual_stack { &[Family::V6, Family::V4] } else { &[Family::V4] };
                let list = prefix_list.and_then(|name| self.list_named(&name));
                self.to_public(source, hops, list.as_deref(), families, service)
            }
            Resolution::Address(address) => {
                hops.push(hop.saying(format!("resolves to {address}")));
                let from = self.end_of(source, Family::V4);
                let to = self.end_at(&from, address);
                self.connect(hops, &from, &to, Family::V4, service)
            }
            Resolution::Unknown(why) => {
                hops.push(hop.decided(Decision::Unknown, why.clone()));
                Trace::unknown(hops, why)
            }
            Resolution::NoAnswer(why) => {
                hops.push(hop.decided(Decision::Deny, why.clone()));
                let component = vpc
                    .and_then(|vpc| self.vpcs.get(vpc))
                    .map_or_else(|| name.to_owned(), |vpc| vpc.id.clone());
                let blocker = Blocker {
                    component,
                    kind: HopKind::Dns,
                    reason: Reason::Dns,
                    side: Side::Source,
                    on_return: false,
                    because: why,
                    failing: Vec::new(),
                    denied: None,
                };
                Trace::blocked(hops, blocker)
            }
        }
    }

    /// What a name resolves to for a source.
    pub fn resolve(&self, source: &Source, name: &str) -> Resolution {
        match self.vpc_of(source) {
            Some(vpc) => names::resolve(self, vpc, name),
            None => Resolution::Unknown("the VPC of the source was not read".to_owned()),
        }
    }

    /// The id of the VPC of a source, where it was read.
    pub fn vpc_id_of(&self, source: &Source) -> Option<&str> {
        self.vpcs.get(self.vpc_of(source)?).map(|vpc| vpc.id.as_str())
    }

    pub(super) fn vpc_of(&self, source: &Source) -> Option<usize> {
        let end = self.end_of(source, Family::V4);
        let row = end.interface.and_then(|index| self.interfaces.get(index)).map(|row| row.vpc);
        row.or_else(|| end.subnet.and_then(|subnet| self.subnets.get(subnet)).map(|subnet| subnet.vpc))
    }

    /// The id of a prefix list of AWS: by its name, or by the route that its gateway endpoint made. Where neither was
    /// read, but an endpoint was, the name itself stands for the list.
    pub fn list_named(&self, name: &str) -> Option<String> {
        let ec2 = self.ec2();
        let list = prefix_list_of_service(ec2, name);
        if list != name {
            return Some(list);
        }
        let endpoints = ec2.vpc_endpoints.values().filter(|endpoint| endpoint.service_name == name);
        let endpoints: Vec<&str> = endpoints.map(|endpoint| endpoint.vpc_endpoint_id.as_str()).collect();
        let mut routes = ec2.route_tables.values().flat_map(|table| &table.routes);
        let made = routes.find(|route| route.gateway_id.as_deref().is_some_and(|id| endpoints.contains(&id)));
        made.and_then(|route| route.destination_prefix_list_id.clone())
            .or((!endpoints.is_empty()).then_some(list))
    }
}
