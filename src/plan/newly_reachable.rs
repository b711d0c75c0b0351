//! What a plan opens beyond the pulls that it is for: what its changes admit is tried out before and after them, for one
//! sender and one receiver of each class.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

use crate::actions::network_acl_entry::EPHEMERAL;
use crate::actions::security_group_rule::{Direction, Peer};
use crate::actions::{AnyChange, Change, NetworkAclEntry, Route, SecurityGroupRule};
use crate::judges::places;
use crate::model::Snapshot;
use crate::network::{AddressSet, Class, Destination, Network, Service, Source, SourceKind, Verdict};
use crate::pulls::World;

/// Ports that are tried where a change admits many: those that somebody may listen on, beside the ends of the range.
const PORTS: [u16; 6] = [3306, 5432, 6443, 8080, 9200, 10250];

/// Stands for every address of the internet of IPv6: one of Amazon's.
const INTERNET_OF_IPV6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2600, 0x1f00, 0, 0, 0, 0, 0, 1));

const HTTPS: Service = Service::tcp(443);

/// What stands for everything that may go to the internet.
const ANYTHING: [Service; 3] = [HTTPS, Service::tcp(80), Service::udp(53)];

/// Flows that work after the changes, did not work before, and are none of the pulls. Each is one line, in order.
pub(super) fn newly_reachable(world: &World<'_>, after: &Snapshot, changes: &[&AnyChange]) -> Vec<String> {
    let (before, after) = (Network::of(world.snapshot), Network::of(after));
    let senders = Senders::of(&after, world);
    let mut opened: BTreeMap<(String, Service), BTreeSet<String>> = BTreeMap::new();
    for change in changes {
        for Probe { from, to, service } in probes(&after, &senders, change) {
            let reaches =
                |network: &Network<'_>| network.trace(from, &to, service).verdict == Verdict::Reachable;
            if !senders.is_pull(&after, from, &to, service) && reaches(&after) && !reaches(&before) {
                opened.entry((name(&after, &to), service)).or_default().insert(from.name());
            }
        }
    }
    // The same senders and the same receiver share a line.
    let mut lines: BTreeMap<(String, BTreeSet<String>), Vec<String>> = BTreeMap::new();
    for ((to, service), from) in opened {
        lines.entry((to, from)).or_default().push(service.to_string());
    }
    lines.into_iter().map(|((to, from), services)| line(&services.join(", "), &to, &from)).collect()
}

/// A packet to try.
struct Probe<'s> {
    from: &'s Source,
    to: Destination,
    service: Service,
}

/// One sender of each class.
struct Senders {
    all: Vec<Source>,
    pullers: BTreeSet<Class>,
}

impl Senders {
    fn of(network: &Network<'_>, world: &World<'_>) -> Senders {
        let interfaces = world.snapshot.ec2.network_interfaces.keys().map(Source::interface);
        let names = world.every_source.iter().map(|source| format!("{}/{}", world.target.cluster, source.id));
        let by_name = names.flat_map(|name| network.resolve_source(&name).unwrap_or_default());
        // Nodes of Auto Mode, of Karpenter and of nobody have no name to find them by.
        let by_node = world.every_source.iter().flat_map(|source| places(network, world, source));
        let pullers: Vec<Source> = by_name.chain(by_node).collect();
        let all: Vec<Source> = interfaces.chain(pullers.iter().cloned()).collect();
        let all = network.classes(&all).into_iter().filter_map(|class| class.first().copied().cloned());
        Senders {
            all: all.collect(),
            pullers: pullers.iter().map(|puller| network.class_of(puller)).collect(),
        }
    }

    fn with_group(&self, network: &Network<'_>, group: &str) -> Vec<&Source> {
        let has = |source: &&Source| {
            network.groups_of(source).is_some_and(|groups| groups.iter().any(|id| id == group))
        };
        self.all.iter().filter(has).collect()
    }

    fn in_subnets(&self, network: &Network<'_>, subnets: &BTreeSet<String>) -> Vec<&Source> {
        let is_in =
            |source: &&Source| network.subnet_of(source).is_some_and(|subnet| subnets.contains(subnet));
        self.all.iter().filter(is_in).collect()
    }

    /// HTTPS from where images are pulled to an endpoint or to a prefix list: what the plan is for.
    fn is_pull(&self, network: &Network<'_>, from: &Source, to: &Destination, service: Service) -> bool {
        let wanted = match to {
            Destination::Endpoint(_) | Destination::PrefixList(_) => service == HTTPS,
            // A server of names that the VPC's own options name.
            Destination::Address(INTERNET_OF_IPV6) => false,
            Destination::Address(_) => service == Service::tcp(53) || service == Service::udp(53),
            Destination::Interface(id) => service == HTTPS && is_of_endpoint(network, id),
            Destination::Internet | Destination::Name(_) => false,
        };
        wanted && self.pullers.contains(&network.class_of(from))
    }
}

fn is_of_endpoint(network: &Network<'_>, interface: &str) -> bool {
    let endpoints = network.snapshot().ec2.vpc_endpoints.values();
    endpoints.flat_map(|endpoint| &endpoint.network_interface_ids).any(|id| id == interface)
}

fn probes<'s>(network: &Network<'_>, senders: &'s Senders, change: &AnyChange) -> Vec<Probe<'s>> {
    match change {
        AnyChange::SecurityGroupRule(change) => of_rule(network, senders, change),
        AnyChange::NetworkAclEntry(change) => of_entry(network, senders, change),
        AnyChange::Route(change) => of_route(network, senders, change),
        // Roles open no flows, and endpoints lead to what the pulls need.
        AnyChange::Attachment(_)
        | AnyChange::RolePolicy(_)
        | AnyChange::ProfileAssociation(_)
        | AnyChange::RepositoryPolicy(_)
        | AnyChange::TrustPolicy(_)
        | AnyChange::SecurityGroup(_)
        | AnyChange::VpcAttribute(_)
        | AnyChange::VpcEndpoint(_) => Vec::new(),
    }
}

fn of_rule<'s>(
    network: &Network<'_>,
    senders: &'s Senders,
    change: &Change<SecurityGroupRule>,
) -> Vec<Probe<'s>> {
    let at = &change.at;
    let service = match at.protocol.as_str() {
        "udp" => Service::udp(at.from_port),
        _ => Service::tcp(at.from_port),
    };
    let own = senders.with_group(network, &at.group_id);
    match (at.direction, &at.peer) {
        (Direction::Egress, peer) => pairs(&own, &receivers(network, senders, peer), &[service]),
        (Direction::Ingress, peer) => {
            let from = match peer {
                Peer::SecurityGroup(id) => senders.with_group(network, id),
                Peer::Block(block) => senders.in_subnets(network, &subnets_in(network, block)),
                Peer::PrefixList(_) => Vec::new(),
            };
            let to: Vec<Destination> = own.into_iter().filter_map(as_receiver).collect();
            pairs(&from, &to, &[service])
        }
    }
}

fn pairs<'s>(from: &[&'s Source], to: &[Destination], services: &[Service]) -> Vec<Probe<'s>> {
    let mut probes = Vec::new();
    for from in from {
        for to in to {
            probes.extend(services.iter().map(|service| Probe { from, to: to.clone(), service: *service }));
        }
    }
    probes
}

/// Who the other end of a rule for packets out may be.
fn receivers(network: &Network<'_>, senders: &Senders, peer: &Peer) -> Vec<Destination> {
    let all = |sources: Vec<&Source>| sources.into_iter().filter_map(as_receiver).collect();
    match peer {
        Peer::PrefixList(id) => vec![Destination::PrefixList(id.clone())],
        Peer::SecurityGroup(id) => all(senders.with_group(network, id)),
        Peer::Block(block) if block.prefix_len() == 0 => vec![Destination::Internet],
        Peer::Block(block) if block.prefix_len() == block.max_prefix_len() => {
            vec![Destination::Address(block.addr())]
        }
        Peer::Block(block) => all(senders.in_subnets(network, &subnets_in(network, block))),
    }
}

fn of_entry<'s>(
    network: &Network<'_>,
    senders: &'s Senders,
    change: &Change<NetworkAclEntry>,
) -> Vec<Probe<'s>> {
    let Some(entry) = &change.after else { return Vec::new() };
    let acl = network.snapshot().ec2.network_acls.get(&change.at.acl_id);
    let guarded = acl.iter().flat_map(|acl| &acl.associations).filter_map(|row| row.subnet_id.clone());
    let guarded = senders.in_subnets(network, &guarded.collect());
    // Replies are let in so that connections go out.
    if entry.block.prefix_len() == 0 {
        return pairs(&guarded, &[Destination::Internet], &ANYTHING);
    }
    let beyond = senders.in_subnets(network, &subnets_in(network, &entry.block));
    let (from, to) = if change.at.egress { (guarded, beyond) } else { (beyond, guarded) };
    let to: Vec<Destination> = to.into_iter().filter_map(as_receiver).collect();
    pairs(&from, &to, &services(entry))
}

fn services(entry: &NetworkAclEntry) -> Vec<Service> {
    let [first, last] = entry.ports.unwrap_or(EPHEMERAL);
    let within = |port: &u16| (first..=last).contains(&i64::from(*port));
    let ends = [first, last].into_iter().filter_map(|port| u16::try_from(port).ok());
    let ports: BTreeSet<u16> = ends.chain(PORTS.into_iter().filter(within)).collect();
    let service = |port| if entry.protocol == "17" { Service::udp(port) } else { Service::tcp(port) };
    ports.into_iter().map(service).collect()
}

/// A default route is for every subnet of its table, and for every port.
fn of_route<'s>(network: &Network<'_>, senders: &'s Senders, change: &Change<Route>) -> Vec<Probe<'s>> {
    let of_table = |source: &&Source| {
        let table = network.subnet_of(source).and_then(|subnet| network.route_table_of(subnet));
        table == Some(change.at.table_id.as_str())
    };
    let from: Vec<&Source> = senders.all.iter().filter(of_table).collect();
    let beyond = match change.at.destination {
        IpNet::V4(_) => Destination::Internet,
        IpNet::V6(_) => Destination::Address(INTERNET_OF_IPV6),
    };
    pairs(&from, &[beyond], &ANYTHING)
}

fn subnets_in(network: &Network<'_>, block: &IpNet) -> BTreeSet<String> {
    let wanted = AddressSet::from(*block);
    let subnets = network.snapshot().ec2.subnets.values();
    let touches = |subnet: &&crate::model::ec2::Subnet| {
        let v4 = subnet.cidr_block.map(IpNet::V4).into_iter();
        let mut blocks = v4.chain(subnet.ipv6_blocks().map(IpNet::V6));
        blocks.any(|block| !AddressSet::from(block).and(&wanted).is_empty())
    };
    subnets.filter(touches).map(|subnet| subnet.subnet_id.clone()).collect()
}

fn as_receiver(source: &Source) -> Option<Destination> {
    match (&source.interface, source.kind) {
        (Some(interface), kind) if kind != SourceKind::Internet => {
            Some(Destination::Interface(interface.clone()))
        }
        _ => None,
    }
}

fn name(network: &Network<'_>, to: &Destination) -> String {
    match to {
        Destination::Internet => "the whole internet".to_owned(),
        Destination::Address(INTERNET_OF_IPV6) => "the whole internet over IPv6".to_owned(),
        Destination::Address(address) => address.to_string(),
        Destination::Name(name) => name.clone(),
        Destination::Endpoint(id) | Destination::PrefixList(id) => id.clone(),
        Destination::Interface(id) => {
            let interface = network.snapshot().ec2.network_interfaces.get(id);
            let instance = interface.and_then(|row| row.attachment.as_ref()?.instance_id.clone());
            instance.unwrap_or_else(|| id.clone())
        }
    }
}

fn line(services: &str, to: &str, from: &BTreeSet<String>) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<&str> = from.iter().take(SHOWN).map(String::as_str).collect();
    let more = match from.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!(" and {more} more"),
        _ => String::new(),
    };
    format!("{services} to {to}, from {}{more} and whatever is like it", shown.join(", "))
}
