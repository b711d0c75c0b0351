//! Hop by hop: filters, routes and gateways, in the order in which a packet meets them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::addresses::{AddressSet, Family};
use super::filter::{self, Direction, Peer, Ports, Service};
use super::routes::{Route, Target};
use super::trace::{Blocker, Decision, Hop, HopKind, Reason, Side, Trace, Verdict};
use super::transit::TransitRoute;
use super::{Network, Subnet};
use crate::model::ec2::{GatewayAttachment, NatGateway, TransitGateway};

/// After so many gateways a packet is taken to go in circles.
const MOST_GATEWAYS: u8 = 12;

/// One end of a connection.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) addresses: AddressSet,
    /// Whether every address counts. Otherwise it is one of them, and nobody knows which.
    pub(super) every: bool,
    /// The prefix list that the addresses are.
    pub(super) prefix_list: Option<String>,
    /// Whether it is a public service of AWS, whose addresses are in no other service's prefix list.
    pub(super) service: bool,
    /// `None` where they were not read; empty where there are none.
    pub(super) groups: Option<Arc<[String]>>,
    pub(super) subnet: Option<usize>,
    pub(super) interface: Option<usize>,
    pub(super) public: PublicAddress,
    /// Whether it is a machine somewhere on the internet.
    pub(super) internet: bool,
    /// Where it opens connections from.
    pub(super) ports: Ports,
}

/// What stands for a private IPv4 address on the internet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PublicAddress {
    /// The address, if it is known.
    Has(Option<Ipv4Addr>),
    None,
}

impl End {
    /// Somewhere outside: no interface, no groups.
    pub(super) fn outside(addresses: AddressSet) -> End {
        End {
            addresses,
            every: true,
            prefix_list: None,
            service: false,
            groups: Some(Arc::default()),
            subnet: None,
            interface: None,
            public: PublicAddress::None,
            internet: false,
            ports: Ports::LINUX,
        }
    }

    fn peer(&self) -> Peer<'_> {
        Peer {
            addresses: &self.addresses,
            groups: self.groups.as_deref(),
            prefix_list: self.prefix_list.as_deref(),
        }
    }
}

/// What was put in the place of the sender's address, and what had stood there.
#[derive(Clone, Debug)]
struct Translation {
    by: String,
    before: End,
}

/// Where a packet came to an end.
#[derive(Clone, Debug)]
enum Arrival {
    /// At the interface that `to` describes.
    Interface,
    /// On the internet, through a gateway of a VPC.
    Internet { vpc: usize, gateway: String, kind: HopKind },
    /// At a service, through a gateway endpoint of a VPC.
    Service { vpc: usize, endpoint: String },
    /// At a link-local service, which answers by itself.
    Resolver,
}

/// One way that a packet, or a reply, takes.
#[derive(Clone, Debug)]
pub(super) struct Path {
    hops: Vec<Hop>,
    blockers: Vec<Blocker>,
    unknown: Vec<String>,
    arrival: Option<Arrival>,
    from: End,
    to: End,
    /// The part of the destination that takes this way, before any translation.
    part: AddressSet,
    service: Service,
    reply: bool,
    side: Side,
    translations: Vec<Translation>,
    /// The zone that it started in: transit gateways keep to it.
    zone: Option<String>,
    router: Option<usize>,
    gateways: u8,
}

impl Path {
    pub(super) fn new(hops: Vec<Hop>, from: End, to: End, service: Service) -> Path {
        Path {
            hops,
            blockers: Vec::new(),
            unknown: Vec::new(),
            arrival: None,
            from,
            part: to.addresses.clone(),
            to,
            service,
            reply: false,
            side: Side::Source,
            translations: Vec::new(),
            zone: None,
            router: None,
            gateways: 0,
        }
    }

    /// The part of this path that goes to some of its addresses.
    fn part(&self, addresses: AddressSet) -> Path {
        let mut part = self.clone();
        if part.part == part.to.addresses {
            part.part.clone_from(&addresses);
        }
        part.to.addresses = addresses;
        part
    }

    fn pass(&mut self, hop: Hop) {
        self.hops.push(hop);
    }

    fn gateway(&mut self, kind: HopKind, id: &str) {
        self.router = None;
        self.gateways += 1;
        self.pass(Hop::new(kind, id));
    }

    fn block(&mut self, kind: HopKind, component: &str, reason: Reason, because: impl Into<String>) {
        self.block_part(kind, component, reason, because.into(), Vec::new());
    }

    fn block_part(
        &mut self,
        kind: HopKind,
        component: &str,
        reason: Reason,
        because: String,
        failing: Vec<String>,
    ) {
        let is_filter = matches!(kind, HopKind::NetworkAcl | HopKind::SecurityGroup);
        let reason = if self.reply && !is_filter { Reason::ReturnPath } else { reason };
        self.blockers.push(Blocker {
            component: component.to_owned(),
            kind,
            reason,
            side: self.side,
            on_return: self.reply,
            because,
            failing,
        });
    }

    /// Ends the path at a component that packets do not get past.
    fn stop(mut self, hop: Hop, reason: Reason, because: impl Into<String>) -> Vec<Path> {
        let because = because.into();
        self.block(hop.kind, &hop.id, reason, because.clone());
        self.end_at(hop.decided(Decision::Deny, because));
        vec![self]
    }

    /// Ends the path where nobody knows how it goes on.
    fn lose(mut self, hop: Hop, why: impl Into<String>) -> Vec<Path> {
        let why = why.into();
        self.end_at(hop.decided(Decision::Unknown, why.clone()));
        self.unknown.push(why);
        vec![self]
    }

    /// Adds the last hop, in the place of one that stands there undecided.
    fn end_at(&mut self, hop: Hop) {
        if self
            .hops
            .last()
            .is_some_and(|last| last.kind == hop.kind && last.id == hop.id && last.decision.is_none())
        {
            self.hops.pop();
        }
        self.pass(hop);
    }

    fn arrive(mut self, arrival: Arrival) -> Vec<Path> {
        self.arrival = Some(arrival);
        vec![self]
    }

    fn verdict(&self) -> Verdict {
        match (self.blockers.is_empty(), self.unknown.is_empty()) {
            (false, _) => Verdict::Blocked,
            (true, false) => Verdict::Unknown,
            (true, true) => Verdict::Reachable,
        }
    }

    /// Takes note of what a filter said; packets are followed further either way, so that every blocker is found.
    fn filtered(
        &mut self,
        kind: HopKind,
        direction: Direction,
        said: filter::Decision,
        peer: &End,
        reason: Reason,
        owner: &str,
    ) {
        let mut hop = Hop::new(kind, &said.component);
        hop.direction = Some(direction);
        hop.rule.clone_from(&said.rule);
        if said.allows_all() {
            self.pass(hop.decided(Decision::Allow, ""));
            return;
        }
        let partly = said.denied != peer.addresses;
        let towards = match direction {
            Direction::Egress => "to",
            Direction::Ingress => "from",
        };
        let rule = match (kind, &said.rule) {
            (HopKind::NetworkAcl, Some(rule)) => format!("entry {rule}"),
            _ => "no rule".to_owned(),
        };
        let verb = if kind == HopKind::NetworkAcl { "denies" } else { "allows" };
        let whom = peer
            .prefix_list
            .as_deref()
            .filter(|_| !partly)
            .map_or_else(|| said.denied.to_string(), str::to_owned);
        let because =
            format!("{rule} of {owner} {verb} {} {towards} {whom} ({})", self.service, direction.as_str());
        let unsure = said.doubt.or_else(|| (partly && !peer.every).then(|| because.clone()));
        match unsure {
            Some(doubt) => {
                let doubt = if doubt == because { format!("perhaps blocked: {because}") } else { doubt };
                self.pass(hop.decided(Decision::Unknown, doubt.clone()));
                self.unknown.push(doubt);
            }
            None => {
                let failing = if partly {
                    said.denied.blocks().iter().map(ToString::to_string).collect()
                } else {
                    Vec::new()
                };
                self.block_part(kind, &said.component, reason, because.clone(), failing);
                self.pass(hop.decided(Decision::Deny, because));
            }
        }
    }
}

impl Network<'_> {
    /// Follows packets from one end to the other and the replies back. `hops` is what stands before the sender's groups.
    pub(super) fn round_trip(&self, hops: Vec<Hop>, from: &End, to: &End, service: Service) -> Trace {
        let start = Path::new(hops, from.clone(), to.clone(), service);
        let every = to.every;
        let traces =
            self.set_out(start).into_iter().map(|path| self.with_reply(path, &to.addresses)).collect();
        let combined = if every { Trace::all(traces) } else { Trace::one_of(traces) };
        combined.unwrap_or_else(|| Trace::unknown(Vec::new(), "the destination has no address"))
    }

    /// `whole` is the destination of which the path takes a part: what fails is named where it is not all.
    fn with_reply(&self, there: Path, whole: &AddressSet) -> Trace {
        let back = if there.arrival.is_some() { self.reply(&there) } else { Vec::new() };
        let worst = back.into_iter().max_by_key(Path::verdict);
        let (mut blockers, mut unknown) = (there.blockers.clone(), there.unknown.clone());
        let mut return_path = Vec::new();
        if let Some(back) = worst {
            blockers.extend(back.blockers);
            unknown.extend(back.unknown);
            return_path = back.hops;
        }
        if there.part != *whole {
            let part: Vec<String> = there.part.blocks().iter().map(ToString::to_string).collect();
            let unnamed = blockers.iter_mut().filter(|blocker| blocker.failing.is_empty());
            unnamed.for_each(|blocker| blocker.failing.clone_from(&part));
        }
        let verdict = match (blockers.is_empty(), unknown.is_empty()) {
            (false, _) => Verdict::Blocked,
            (true, false) => Verdict::Unknown,
            (true, true) => Verdict::Reachable,
        };
        let first = blockers.first();
        Trace {
            verdict,
            forward: there.hops,
            return_path,
            blocked_at: first.map(|blocker| blocker.component.clone()),
            reason: first.map(|blocker| blocker.reason),
            unknown,
            blockers,
        }
    }

    fn set_out(&self, mut path: Path) -> Vec<Path> {
        if let Some(name) =
            path.to.addresses.single().and_then(|address| self.link_local_service(address, path.from.subnet))
        {
            path.pass(Hop::new(HopKind::Resolver, name).saying("not filtered by groups and network ACLs"));
            return path.arrive(Arrival::Resolver);
        }
        if let Some(interface) = path.from.interface
            && path.to.interface == Some(interface)
        {
            return path.arrive(Arrival::Resolver);
        }
        if path.from.internet {
            return self.set_out_from_internet(path);
        }
        self.ask_groups(&mut path, Direction::Egress);
        let Some(subnet) = path.from.subnet else {
            let hop = Hop::new(HopKind::Subnet, "?");
            return path.lose(hop, "the subnet of the source was not read");
        };
        path.zone = self.subnets.get(subnet).and_then(|subnet| subnet.zone.clone());
        self.leave_subnet(path, subnet)
    }

    fn set_out_from_internet(&self, path: Path) -> Vec<Path> {
        let hop = Hop::new(HopKind::Internet, "internet");
        let Some(address) = path.to.addresses.single() else {
            return path.lose(hop, "the destination is not one address");
        };
        if !self.public.contains(address) {
            return path.stop(
                hop,
                Reason::NoRoute,
                format!("{address} is a private address: nothing on the internet leads to it"),
            );
        }
        let ours = match address {
            IpAddr::V4(address) => self.public_addresses.contains_key(&address),
            IpAddr::V6(_) => self.vpcs.iter().any(|vpc| vpc.blocks.contains(address)),
        };
        if !ours {
            return path.lose(hop, format!("who has the public address {address} is not in the snapshot"));
        }
        self.on_the_internet(path, 0, "internet", HopKind::Internet)
    }

    /// The resolver of the VPC, and other services that each instance has to itself.
    fn link_local_service(&self, address: IpAddr, subnet: Option<usize>) -> Option<String> {
        let text = address.to_string();
        if matches!(text.as_str(), "169.254.169.253" | "fd00:ec2::253") {
            return Some(format!("Amazon resolver {text}"));
        }
        if matches!(
            text.as_str(),
            "169.254.169.254"
                | "fd00:ec2::254"
                | "169.254.169.123"
                | "fd00:ec2::123"
                | "169.254.170.2"
                | "169.254.170.23"
        ) {
            return Some(format!("link-local service {text}"));
        }
        let vpc = self.vpcs.get(self.subnets.get(subnet?)?.vpc)?;
        (self.resolver_of(vpc)? == address).then(|| format!("Amazon resolver {text}"))
    }

    /// The base of the VPC's primary block plus two.
    pub(super) fn resolver_of(&self, vpc: &super::Vpc) -> Option<IpAddr> {
        let primary = self.ec2().vpcs.get(&vpc.id)?.ipv4_blocks().next()?;
        Some(IpAddr::V4(Ipv4Addr::from(u32::from(primary.network()).checked_add(2)?)))
    }

    fn ask_groups(&self, path: &mut Path, direction: Direction) {
        let (own, peer, reason) = match direction {
            Direction::Egress => (&path.from, &path.to, Reason::SecurityGroupEgress),
            Direction::Ingress => (&path.to, &path.from, Reason::SecurityGroupIngress),
        };
        let Some(groups) = own.groups.clone() else {
            let owner = own
                .interface
                .and_then(|index| self.interfaces.get(index))
                .map_or("the workload", |interface| interface.id.as_str());
            let why = format!("the security groups of {owner} were not read");
            path.pass(Hop::new(HopKind::SecurityGroup, "?").decided(Decision::Unknown, why.clone()));
            path.unknown.push(why);
            return;
        };
        if groups.is_empty() {
            return;
        }
        let said = filter::ask_groups(&self.groups, &groups, direction, path.service, peer.peer());
        let peer = peer.clone();
        path.filtered(HopKind::SecurityGroup, direction, said, &peer, reason, &groups.join(", "));
    }

    fn ask_acl(&self, path: &mut Path, subnet: &Subnet, direction: Direction) {
        let (peer, reason) = match direction {
            Direction::Egress => (path.to.clone(), Reason::NetworkAclEgress),
            Direction::Ingress => (path.from.clone(), Reason::NetworkAclIngress),
        };
        let Some(acl) = subnet.acl.and_then(|index| self.acls.get(index)) else {
            let why = format!("the network ACL of {} was not read", subnet.id);
            path.pass(Hop::new(HopKind::NetworkAcl, "?").decided(Decision::Unknown, why.clone()));
            path.unknown.push(why);
            return;
        };
        let said = acl.ask(direction, path.service, &peer.addresses);
        path.filtered(
            HopKind::NetworkAcl,
            direction,
            said,
            &peer,
            reason,
            &format!("{} ({})", acl.id, subnet.id),
        );
    }

    fn router(&self, path: &mut Path, vpc: usize) {
        if path.router != Some(vpc) {
            path.router = Some(vpc);
            path.pass(Hop::new(HopKind::Vpc, self.vpc_id(vpc)));
        }
    }

    fn vpc_id(&self, vpc: usize) -> &str {
        self.vpcs.get(vpc).map_or("?", |vpc| vpc.id.as_str())
    }

    /// From an interface in a subnet: to a neighbour, or past the network ACL to the router.
    fn leave_subnet(&self, path: Path, index: usize) -> Vec<Path> {
        let Some(subnet) = self.subnets.get(index) else { return Vec::new() };
        if path.gateways > MOST_GATEWAYS {
            let hop = Hop::new(HopKind::Subnet, &subnet.id);
            return path.stop(hop, Reason::NoRoute, "the routes lead in a circle");
        }
        let near = match path.to.subnet {
            Some(to) if to == index => path.to.addresses.clone(),
            Some(_) => AddressSet::default(),
            None => path.to.addresses.and(&subnet.blocks),
        };
        let far = path.to.addresses.minus(&near);
        let mut paths = Vec::new();
        if !near.is_empty() {
            let mut path = path.part(near);
            if path.gateways > 0 {
                path.pass(Hop::new(HopKind::Subnet, &subnet.id));
            }
            paths.extend(self.arrive_in(path, index, true));
        }
        if !far.is_empty() {
            let mut path = path.part(far);
            path.pass(Hop::new(HopKind::Subnet, &subnet.id));
            self.ask_acl(&mut path, subnet, Direction::Egress);
            paths.extend(self.route(path, index, subnet));
        }
        paths
    }

    fn route(&self, path: Path, index: usize, subnet: &Subnet) -> Vec<Path> {
        let Some(table) = subnet.table.and_then(|table| self.tables.get(table)) else {
            let hop = Hop::new(HopKind::Route, "?");
            return path.lose(hop, format!("the route table of {} was not read", subnet.id));
        };
        self.route_by(path, table, subnet.vpc, Some(index))
    }

    /// Takes the routes of a table of a VPC.
    fn route_by(
        &self,
        path: Path,
        table: &super::RouteTable,
        vpc: usize,
        origin: Option<usize>,
    ) -> Vec<Path> {
        let skip = |list: &str, route: &Route| self.cannot_concern(&path.to, list, route);
        let mut paths = Vec::new();
        for taken in table.take(&path.to.addresses, path.to.prefix_list.as_deref(), skip) {
            if path.to.service && taken.route.is_some_and(|route| self.serves_another(&path.to, route)) {
                continue;
            }
            let mut path = path.part(taken.addresses);
            let mut hop = Hop::new(HopKind::Route, &table.id);
            let Some(route) = taken.route else {
                let because = format!("{} has no route to {}", table.id, named(&path.to));
                paths.extend(match taken.doubt {
                    Some(doubt) => path.lose(hop, doubt),
                    None => path.stop(hop, Reason::NoRoute, because),
                });
                continue;
            };
            hop.destination = Some(route.destination.clone());
            hop.target = Some(route.target.text().to_owned());
            if let Some(doubt) = taken.doubt {
                paths.extend(path.lose(hop, doubt));
            } else if route.blackhole {
                let because = format!(
                    "the route {} to {} of {} is a blackhole",
                    route.destination,
                    route.target.text(),
                    table.id
                );
                paths.extend(path.stop(hop, Reason::BlackholeRoute, because));
            } else {
                path.pass(hop);
                self.router(&mut path, vpc);
                paths.extend(self.follow(path, vpc, origin, &route.target));
            }
        }
        paths
    }

    /// Whether a route to a list that was not read cannot be meant for these addresses: a gateway endpoint takes only
    /// the public addresses of its own service.
    fn cannot_concern(&self, to: &End, list: &str, route: &Route) -> bool {
        let of_aws = self
            .ec2()
            .prefix_lists
            .get(list)
            .is_some_and(|list| list.prefix_list_name.starts_with("com.amazonaws."));
        if !of_aws && !self.is_gateway_endpoint(&route.target) {
            return false;
        }
        to.service && to.prefix_list.as_deref() != Some(list) || to.addresses.and(&self.public).is_empty()
    }

    /// Whether a route is for the prefix list of another service than the one we want.
    fn serves_another(&self, to: &End, route: &Route) -> bool {
        let list = self.ec2().prefix_lists.get(&route.destination);
        to.prefix_list.as_deref() != Some(&route.destination)
            && list.is_some_and(|list| list.prefix_list_name.starts_with("com.amazonaws."))
    }

    fn follow(&self, path: Path, vpc: usize, origin: Option<usize>, target: &Target) -> Vec<Path> {
        match target {
            Target::Local => self.deliver(path, vpc, origin),
            Target::InternetGateway(id) => self.through_internet_gateway(path, vpc, id),
            Target::EgressOnlyInternetGateway(id) => self.through_egress_only(path, vpc, id),
            Target::NatGateway(id) => self.through_nat(path, origin, id),
            Target::Endpoint(id) => self.through_endpoint(path, vpc, id),
            Target::TransitGateway(id) => self.through_transit_gateway(path, vpc, origin, id),
            Target::Peering(id) => self.through_peering(path, vpc, id),
            Target::VpnGateway(id) => path.lose(
                Hop::new(HopKind::VpnGateway, id),
                format!("what lies beyond VPN gateway {id} is not in the snapshot"),
            ),
            Target::Interface(id) => self.through_appliance(path, self.interface_by_id.get(id).copied(), id),
            Target::Instance(id) => {
                let interface = self.interfaces_of_instance.get(id).and_then(|interfaces| interfaces.first());
                self.through_appliance(path, interface.copied(), id)
            }
            Target::Other(id) => {
                path.lose(Hop::new(HopKind::Gateway, id), format!("what lies beyond {id} is not modelled"))
            }
            Target::None => {
                path.lose(Hop::new(HopKind::Gateway, "?"), "the route names no target that is known")
            }
        }
    }

    /// From the router of a VPC to the subnets that hold the destination.
    fn deliver(&self, mut path: Path, vpc: usize, origin: Option<usize>) -> Vec<Path> {
        self.router(&mut path, vpc);
        let Some(found) = self.vpcs.get(vpc) else { return Vec::new() };
        if let Some(subnet) =
            path.to.subnet.filter(|subnet| self.subnets.get(*subnet).is_some_and(|subnet| subnet.vpc == vpc))
        {
            return self.arrive_in(path, subnet, origin == Some(subnet));
        }
        let mut paths = Vec::new();
        for (subnet, addresses) in found.by_address.split(&path.to.addresses) {
            let path = path.part(addresses);
            paths.extend(match subnet {
                Some(subnet) => self.arrive_in(path, subnet, origin == Some(subnet)),
                None if self.was_read("Subnets", "ec2:DescribeSubnets") => {
                    let because = format!("no subnet of {} holds {}", found.id, path.to.addresses);
                    path.stop(Hop::new(HopKind::Vpc, &found.id), Reason::NoRoute, because)
                }
                None => {
                    let why = format!("the subnets of {} were not read", found.id);
                    path.lose(Hop::new(HopKind::Vpc, &found.id), why)
                }
            });
        }
        paths
    }

    /// Into a subnet, past its network ACL unless packets come from within it, and to the interface.
    fn arrive_in(&self, mut path: Path, index: usize, from_within: bool) -> Vec<Path> {
        let Some(subnet) = self.subnets.get(index) else { return Vec::new() };
        path.side = self.side_of_arrival(&path);
        if !from_within {
            path.pass(Hop::new(HopKind::Subnet, &subnet.id));
            self.ask_acl(&mut path, subnet, Direction::Ingress);
        }
        let by_address =
            || path.to.addresses.single().and_then(|address| self.interface_at(subnet.vpc, address));
        let interface = path.to.interface.or_else(by_address);
        let Some(interface) = interface else { return self.arrive_without_interface(path, subnet) };
        self.arrive_at(path, interface, index)
    }

    fn side_of_arrival(&self, path: &Path) -> Side {
        match (path.reply, path.translations.is_empty()) {
            (false, _) => Side::Destination,
            (true, true) => Side::Source,
            (true, false) => Side::Nat,
        }
    }

    fn arrive_without_interface(&self, mut path: Path, subnet: &Subnet) -> Vec<Path> {
        let nat = path.translations.last().map(|translation| translation.by.clone());
        if let Some(nat) = nat.filter(|nat| path.reply && self.ec2().nat_gateways.contains_key(nat)) {
            return self.back_through_nat(path, &nat, self.subnet_by_id.get(&subnet.id).copied());
        }
        if path.to.subnet.is_some() {
            if !path.reply {
                self.ask_groups(&mut path, Direction::Ingress);
            }
            return path.arrive(Arrival::Interface);
        }
        let hop = Hop::new(HopKind::Subnet, &subnet.id);
        let ours = self
            .snapshot
            .about
            .account
            .as_ref()
            .is_none_or(|account| subnet.owner.as_ref().is_none_or(|owner| owner == account));
        if ours
            && self.was_read("NetworkInterfaces", "ec2:DescribeNetworkInterfaces")
            && path.to.addresses.single().is_some()
        {
            let because = format!("no network interface in {} has {}", subnet.id, path.to.addresses);
            return path.stop(hop, Reason::NoRoute, because);
        }
        let why = format!("which network interface in {} has {} was not read", subnet.id, path.to.addresses);
        path.lose(hop, why)
    }

    fn arrive_at(&self, mut path: Path, index: usize, subnet: usize) -> Vec<Path> {
        let Some(interface) = self.interfaces.get(index) else { return Vec::new() };
        if let Some(nat) = self.nat_by_interface.get(&interface.id) {
            let undone =
                path.translations.last().is_some_and(|translation| path.reply && &translation.by == nat);
            if undone {
                return self.back_through_nat(path, nat, Some(subnet));
            }
            let hop = Hop::new(HopKind::NatGateway, nat);
            return path.stop(hop, Reason::NatUnavailable, format!("{nat} takes no connections of its own"));
        }
        let endpoint = self.endpoint_by_interface.get(&interface.id);
        if path.to.interface.is_none() {
            path.to.groups = Some(Arc::from(interface.groups.as_slice()));
            path.to.interface = Some(index);
            path.to.subnet = Some(subnet);
            path.to.public =
                interface.public.map_or(PublicAddress::None, |address| PublicAddress::Has(Some(address)));
            if let Some(groups) =
                endpoint.and_then(|id| self.ec2().vpc_endpoints.get(id)).map(|endpoint| &endpoint.groups)
                && !groups.is_empty()
            {
                path.to.groups = Some(groups.iter().map(|group| group.group_id.clone()).collect());
            }
        }
        if !path.reply {
            self.ask_groups(&mut path, Direction::Ingress);
        }
        path.pass(Hop::new(HopKind::NetworkInterface, &interface.id));
        if let Some(instance) = &interface.instance {
            path.pass(Hop::new(HopKind::Instance, instance));
        }
        if let Some(endpoint) = endpoint {
            path.pass(Hop::new(HopKind::VpcEndpoint, endpoint));
            if let Some(row) = self
                .ec2()
                .vpc_endpoints
                .get(endpoint)
                .filter(|row| !row.state.is_empty() && !row.state.eq_ignore_ascii_case("available"))
            {
                let because = format!("endpoint {endpoint} is {}", row.state);
                return path.stop(
                    Hop::new(HopKind::VpcEndpoint, endpoint),
                    Reason::EndpointUnavailable,
                    because,
                );
            }
        }
        path.arrive(Arrival::Interface)
    }

    fn through_internet_gateway(&self, mut path: Path, vpc: usize, id: &str) -> Vec<Path> {
        path.gateway(HopKind::InternetGateway, id);
        let hop = || Hop::new(HopKind::InternetGateway, id);
        if self
            .ec2()
            .internet_gateways
            .get(id)
            .is_some_and(|gateway| !is_attached(&gateway.attachments, self.vpc_id(vpc)))
        {
            let because = format!("{id} is not attached to {}", self.vpc_id(vpc));
            return path.stop(hop(), Reason::BlackholeRoute, because);
        }
        let public = AddressSet::public(Family::V4).or(&AddressSet::public(Family::V6));
        if !path.to.addresses.is_within(&public) {
            let because =
                format!("{id} carries only public addresses, not {}", path.to.addresses.minus(&public));
            return path.stop(hop(), Reason::NoRoute, because);
        }
        if path.from.addresses.families().any(|family| family == Family::V4) {
            let PublicAddress::Has(address) = path.from.public.clone() else {
                let because = format!(
                    "{} has no public address, and {id} carries nothing without one",
                    self.name_of(&path.from)
                );
                return path.stop(hop(), Reason::NoPublicAddress, because);
            };
            let before = path.from.clone();
            path.from.addresses =
                address.map_or_else(|| AddressSet::public(Family::V4), |address| IpAddr::V4(address).into());
            path.from.every = address.is_some();
            path.from.groups = Some(Arc::default());
            path.translations.push(Translation { by: id.to_owned(), before });
        }
        self.on_the_internet(path, vpc, id, HopKind::InternetGateway)
    }

    /// Out on the internet: back in where the destination is a public address of the snapshot, otherwise arrived.
    fn on_the_internet(&self, mut path: Path, vpc: usize, gateway: &str, kind: HopKind) -> Vec<Path> {
        let owner = match path.to.addresses.single() {
            Some(IpAddr::V4(address)) => self.public_addresses.get(&address).copied(),
            _ => None,
        };
        let Some((interface, private)) = owner else {
            if let Some(IpAddr::V6(address)) = path.to.addresses.single()
                && let Some(vpc) = self.vpcs.iter().position(|vpc| vpc.blocks.contains(IpAddr::V6(address)))
            {
                return self.come_in(path, vpc);
            }
            path.pass(Hop::new(HopKind::Internet, "internet"));
            return path.arrive(Arrival::Internet { vpc, gateway: gateway.to_owned(), kind });
        };
        let Some(found) = self.interfaces.get(interface) else { return Vec::new() };
        path.to.addresses = IpAddr::V4(private).into();
        if path.reply
            && path
                .translations
                .last()
                .is_some_and(|translation| translation.before.interface == Some(interface))
        {
            path.translations.pop();
        }
        self.come_in(path, found.vpc)
    }

    /// From the internet into a VPC, by the gateway that is attached to it and by the table of that gateway.
    pub(super) fn come_in(&self, mut path: Path, vpc: usize) -> Vec<Path> {
        path.side = Side::Destination;
        let id = self.vpc_id(vpc).to_owned();
        let mut attached =
            self.ec2().internet_gateways.values().filter(|gateway| is_attached(&gateway.attachments, &id));
        let Some(gateway) = attached.next() else {
            let hop = Hop::new(HopKind::Vpc, &id);
            if self.was_read("InternetGateways", "ec2:DescribeInternetGateways") {
                return path.stop(hop, Reason::NoRoute, format!("no internet gateway is attached to {id}"));
            }
            return path.lose(hop, format!("the internet gateway of {id} was not read"));
        };
        let gateway = gateway.internet_gateway_id.clone();
        path.gateway(HopKind::InternetGateway, &gateway);
        self.come_in_by(path, vpc, &gateway)
    }

    fn come_in_by(&self, path: Path, vpc: usize, gateway: &str) -> Vec<Path> {
        let edge = self
            .vpcs
            .get(vpc)
            .and_then(|vpc| vpc.edge_tables.get(gateway))
            .and_then(|table| self.tables.get(*table));
        match edge {
            Some(table) => self.route_by(path, table, vpc, None),
            None => self.deliver(path, vpc, None),
        }
    }

    fn through_egress_only(&self, mut path: Path, vpc: usize, id: &str) -> Vec<Path> {
        path.gateway(HopKind::EgressOnlyInternetGateway, id);
        let hop = || Hop::new(HopKind::EgressOnlyInternetGateway, id);
        let known = self.ec2().egress_only_internet_gateways.get(id);
        if known.is_some_and(|gateway| !is_attached(&gateway.attachments, self.vpc_id(vpc))) {
            return path.stop(
                hop(),
                Reason::BlackholeRoute,
                format!("{id} is not attached to {}", self.vpc_id(vpc)),
            );
        }
        if path.to.addresses.families().any(|family| family == Family::V4) {
            return path.stop(hop(), Reason::NoRoute, format!("{id} carries IPv6 only"));
        }
        self.on_the_internet(path, vpc, id, HopKind::EgressOnlyInternetGateway)
    }

    fn through_nat(&self, mut path: Path, origin: Option<usize>, id: &str) -> Vec<Path> {
        path.side = Side::Nat;
        let hop = || Hop::new(HopKind::NatGateway, id);
        let Some(nat) = self.ec2().nat_gateways.get(id) else {
            path.gateways += 1;
            if self.was_read("NatGateways", "ec2:DescribeNatGateways") {
                return path.stop(hop(), Reason::NatUnavailable, format!("{id} does not exist"));
            }
            return path.lose(hop(), format!("{id} was not read"));
        };
        if path.translations.iter().any(|translation| translation.by == id) {
            return path.stop(
                hop(),
                Reason::NatUnavailable,
                format!("the route of {id}'s own subnet leads back to it"),
            );
        }
        let regional =
            nat.availability_mode.as_deref().is_some_and(|mode| mode.eq_ignore_ascii_case("regional"));
        let own = nat
            .subnet_id
            .as_ref()
            .filter(|_| !regional)
            .and_then(|subnet| self.subnet_by_id.get(subnet))
            .copied();
        let vpc = own
            .and_then(|own| self.subnets.get(own))
            .map(|own| own.vpc)
            .or_else(|| self.vpc_by_id.get(&nat.vpc_id).copied());
        let (Some(vpc), true) = (vpc, regional || own.is_some()) else {
            return path.lose(hop(), format!("the subnet of {id} was not read"));
        };
        if !nat.state.is_empty() && !nat.state.eq_ignore_ascii_case("available") {
            let failure = nat.failure_code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
            return path.stop(hop(), Reason::NatUnavailable, format!("{id} is {}{failure}", nat.state));
        }
        if !path.service.passes_nat() {
            let because = format!("{id} carries TCP, UDP and ICMP only, not {}", path.service);
            return path.stop(hop(), Reason::NatUnavailable, because);
        }
        let private_only =
            nat.connectivity_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("private"));
        if path.to.addresses.families().any(|family| family == Family::V6) {
            return self.through_nat64(path, id);
        }
        if let Some(own) = own.and_then(|own| self.subnets.get(own))
            && origin.and_then(|origin| self.subnets.get(origin)).is_none_or(|origin| origin.id != own.id)
        {
            path.pass(Hop::new(HopKind::Subnet, &own.id));
            self.ask_acl(&mut path, own, Direction::Ingress);
        }
        path.gateway(HopKind::NatGateway, id);
        if private_only && path.to.addresses.is_within(&self.public) && self.leads_to_internet_gateway(own) {
            let because = format!("{id} has private connectivity: it has no way to the internet");
            return path.stop(hop(), Reason::NatUnavailable, because);
        }
        let before = path.from.clone();
        path.from = self.nat_end(nat, vpc, own);
        path.translations.push(Translation { by: id.to_owned(), before });
        if regional {
            return self.regional_nat(path, vpc, nat);
        }
        own.map(|own| self.leave_subnet(path, own)).unwrap_or_default()
    }

    fn leads_to_internet_gateway(&self, subnet: Option<usize>) -> bool {
        let table = subnet
            .and_then(|subnet| self.subnets.get(subnet)?.table)
            .and_then(|table| self.tables.get(table));
        table.is_some_and(|table| table.leads_to(|target| matches!(target, Target::InternetGateway(_))))
    }

    fn nat_end(&self, nat: &NatGateway, vpc: usize, own: Option<usize>) -> End {
        let address = nat.nat_gateway_addresses.first();
        let private = address.and_then(|address| address.private_ip);
        let whole = || {
            own.and_then(|own| self.subnets.get(own))
                .map(|own| own.blocks.of(Family::V4))
                .or_else(|| self.vpcs.get(vpc).map(|vpc| vpc.blocks.of(Family::V4)))
        };
        let is_private =
            nat.connectivity_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("private"));
        End {
            addresses: private
                .map(|address| AddressSet::from(IpAddr::V4(address)))
                .or_else(whole)
                .unwrap_or_default(),
            every: private.is_some(),
            prefix_list: None,
            service: false,
            groups: Some(Arc::default()),
            subnet: own,
            interface: address
                .and_then(|address| address.network_interface_id.as_ref())
                .and_then(|id| self.interface_by_id.get(id))
                .copied(),
            public: if is_private {
                PublicAddress::None
            } else {
                PublicAddress::Has(address.and_then(|address| address.public_ip))
            },
            internet: false,
            ports: Ports::NAT,
        }
    }

    /// A regional NAT gateway stands in no subnet: it has a route table of its own, made with a route to the internet.
    fn regional_nat(&self, path: Path, vpc: usize, nat: &NatGateway) -> Vec<Path> {
        let table = nat
            .route_table_id
            .as_ref()
            .and_then(|id| self.table_by_id.get(id))
            .and_then(|table| self.tables.get(*table));
        match table {
            Some(table) => self.route_by(path, table, vpc, None),
            None => {
                let why =
                    format!("the route table of regional NAT gateway {} was not read", nat.nat_gateway_id);
                path.lose(Hop::new(HopKind::Route, nat.route_table_id.as_deref().unwrap_or("?")), why)
            }
        }
    }

    /// NAT64: the last 32 bits of an address in 64:ff9b::/96 are the IPv4 address that is meant.
    fn through_nat64(&self, path: Path, id: &str) -> Vec<Path> {
        let hop = Hop::new(HopKind::NatGateway, id);
        let prefix = AddressSet::range(Family::V6, 0x64_ff9b << 96, (0x64_ff9b << 96) + u128::from(u32::MAX));
        if path.to.addresses.is_within(&prefix) {
            return path.lose(hop, format!("the translation from IPv6 to IPv4 by {id} is not modelled"));
        }
        path.stop(hop, Reason::NatUnavailable, format!("{id} carries IPv4 only"))
    }

    fn back_through_nat(&self, mut path: Path, nat: &str, subnet: Option<usize>) -> Vec<Path> {
        let Some(translation) = path.translations.pop() else { return Vec::new() };
        path.gateway(HopKind::NatGateway, nat);
        path.service = path.service.answer(translation.before.ports);
        path.to = translation.before;
        let vpc = self.ec2().nat_gateways.get(nat).and_then(|nat| self.vpc_by_id.get(&nat.vpc_id)).copied();
        match (subnet, vpc) {
            (Some(subnet), _) => self.leave_subnet(path, subnet),
            (None, Some(vpc)) => self.deliver(path, vpc, None),
            (None, None) => Vec::new(),
        }
    }

    fn through_endpoint(&self, mut path: Path, vpc: usize, id: &str) -> Vec<Path> {
        path.gateway(HopKind::VpcEndpoint, id);
        let hop = || Hop::new(HopKind::VpcEndpoint, id);
        let Some(endpoint) = self.ec2().vpc_endpoints.get(id) else {
            return path.lose(hop(), format!("endpoint {id} was not read"));
        };
        if !endpoint.state.is_empty() && !endpoint.state.eq_ignore_ascii_case("available") {
            return path.stop(
                hop(),
                Reason::EndpointUnavailable,
                format!("endpoint {id} is {}", endpoint.state),
            );
        }
        if !endpoint.vpc_endpoint_type.eq_ignore_ascii_case("gateway") {
            let kind =
                if endpoint.vpc_endpoint_type.is_empty() { "unknown" } else { &endpoint.vpc_endpoint_type };
            return path.lose(
                hop(),
                format!("what firewall or appliance endpoint {id} ({kind}) lets pass is not modelled"),
            );
        }
        path.side = Side::Destination;
        path.arrive(Arrival::Service { vpc, endpoint: id.to_owned() })
    }

    fn through_appliance(&self, mut path: Path, interface: Option<usize>, id: &str) -> Vec<Path> {
        path.side = Side::Between;
        let Some(interface) = interface.and_then(|index| self.interfaces.get(index)) else {
            return path.lose(
                Hop::new(HopKind::NetworkInterface, id),
                format!("{id}, the target of a route, was not read"),
            );
        };
        path.gateway(HopKind::NetworkInterface, &interface.id);
        let hop = Hop::new(HopKind::NetworkInterface, &interface.id);
        if interface.checks_source_and_destination && !path.to.addresses.is_within(&interface.addresses) {
            let because = format!(
                "{} drops what is not meant for it: its source/destination check is on",
                interface.id
            );
            return path.stop(hop, Reason::NoRoute, because);
        }
        path.lose(hop, format!("what appliance {} does with packets is not modelled", interface.id))
    }

    fn through_peering(&self, mut path: Path, vpc: usize, id: &str) -> Vec<Path> {
        path.side = Side::Between;
        path.gateway(HopKind::PeeringConnection, id);
        let hop = || Hop::new(HopKind::PeeringConnection, id);
        let Some(peering) = self.ec2().vpc_peering_connections.get(id) else {
            return path.lose(hop(), format!("peering {id} was not read"));
        };
        if peering.status.code != "active" {
            return path.stop(
                hop(),
                Reason::BlackholeRoute,
                format!("peering {id} is {}", peering.status.code),
            );
        }
        let near = self.vpc_id(vpc);
        let (requester, accepter) = (&peering.requester_vpc_info, &peering.accepter_vpc_info);
        let far = if requester.vpc_id.as_deref() == Some(near) { accepter } else { requester };
        let far_id = far.vpc_id.clone().unwrap_or_default();
        let described = far
            .ipv4_blocks()
            .map(ipnet::IpNet::V4)
            .chain(far.ipv6_blocks().map(ipnet::IpNet::V6))
            .collect::<AddressSet>();
        let Some(far_vpc) = self.vpc_by_id.get(&far_id).copied() else {
            if !described.is_empty() && path.to.addresses.and(&described).is_empty() {
                let because =
                    format!("{} is not in {far_id}, and peering {id} leads no further", path.to.addresses);
                return path.stop(hop(), Reason::NoRoute, because);
            }
            let owner = far.owner_id.as_deref().unwrap_or("?");
            return path
                .lose(hop(), format!("{far_id} of account {owner}, beyond peering {id}, was not read"));
        };
        let blocks = self.vpcs.get(far_vpc).map(|vpc| vpc.blocks.or(&described)).unwrap_or_default();
        if !path.to.addresses.is_within(&blocks) {
            let because = format!(
                "{} is not in {far_id}, and peering {id} leads no further",
                path.to.addresses.minus(&blocks)
            );
            return path.stop(hop(), Reason::NoRoute, because);
        }
        let own = self.vpcs.get(vpc).map(|vpc| vpc.blocks.clone()).unwrap_or_default();
        if !own.is_empty() && !path.from.addresses.is_within(&own) {
            let because =
                format!("peering {id} carries only what begins in {near}, not {}", path.from.addresses);
            return path.stop(hop(), Reason::NoRoute, because);
        }
        self.deliver(path, far_vpc, None)
    }

    fn through_transit_gateway(
        &self,
        mut path: Path,
        vpc: usize,
        origin: Option<usize>,
        id: &str,
    ) -> Vec<Path> {
        path.side = Side::Between;
        let near = self.vpc_id(vpc).to_owned();
        let hop = || Hop::new(HopKind::TransitGateway, id);
        let mut rows = self.ec2().transit_gateway_vpc_attachments.values();
        let attached = rows.find(|row| row.vpc_id == near && row.transit_gateway_id == id);
        let mut rows = self.ec2().transit_gateway_attachments.values();
        let listed = rows.find(|row| row.resource_id == near && row.transit_gateway_id == id);
        let attachment = attached
            .map(|row| &row.transit_gateway_attachment_id)
            .or(listed.map(|row| &row.transit_gateway_attachment_id));
        let Some(attachment) = attachment.cloned() else {
            path.gateways += 1;
            if self.was_read("TransitGatewayVpcAttachments", "ec2:DescribeTransitGatewayVpcAttachments")
                || self.was_read("TransitGatewayAttachments", "ec2:DescribeTransitGatewayAttachments")
            {
                return path.stop(hop(), Reason::NoRoute, format!("{near} is not attached to {id}"));
            }
            return path.lose(hop(), format!("the attachment of {near} to {id} was not read"));
        };
        let state = attached
            .map(|row| row.state.as_str())
            .or(listed.map(|row| row.state.as_str()))
            .unwrap_or_default();
        if !matches!(state, "" | "available" | "modifying") {
            path.gateway(HopKind::TransitGateway, id);
            let hop = Hop::new(HopKind::TransitGatewayAttachment, &attachment);
            return path.stop(hop, Reason::NoRoute, format!("attachment {attachment} is {state}"));
        }
        if let (Some(row), Some(origin)) = (attached, origin) {
            let zone = self.subnets.get(origin).and_then(|subnet| subnet.zone.clone());
            path.zone.clone_from(&zone);
            let homes: Vec<usize> =
                row.subnet_ids.iter().filter_map(|id| self.subnet_by_id.get(id)).copied().collect();
            let home =
                homes.iter().find(|home| self.subnets.get(**home).is_some_and(|home| home.zone == zone));
            let complete = homes.len() == row.subnet_ids.len() && !homes.is_empty();
            match home.and_then(|home| self.subnets.get(*home)) {
                Some(home) => self.ask_acl(&mut path, home, Direction::Ingress),
                None if complete && zone.is_some() => {
                    path.gateway(HopKind::TransitGateway, id);
                    let because = format!(
                        "{id} has no interface in zone {}: attachment {attachment} has no subnet there",
                        zone.unwrap_or_default()
                    );
                    return path.stop(
                        Hop::new(HopKind::TransitGatewayAttachment, &attachment),
                        Reason::NoRoute,
                        because,
                    );
                }
                None => {
                    let why = format!("the subnets of attachment {attachment} were not read");
                    path.unknown.push(why);
                }
            }
        }
        self.within_transit_gateway(path, id, &attachment)
    }

    /// By the table that the attachment is associated with, to the attachment of the route.
    fn within_transit_gateway(&self, mut path: Path, id: &str, attachment: &str) -> Vec<Path> {
        path.gateway(HopKind::TransitGateway, id);
        if path.gateways > MOST_GATEWAYS {
            return path.stop(
                Hop::new(HopKind::TransitGateway, id),
                Reason::NoRoute,
                "the routes lead in a circle",
            );
        }
        let row = self.ec2().transit_gateway_attachments.get(&format!("{id}/{attachment}"));
        let hop = Hop::new(HopKind::TransitGatewayAttachment, attachment);
        let Some(row) = row else {
            return path.lose(hop, format!("attachment {attachment} of {id} was not read"));
        };
        let Some(association) = row
            .association
            .as_ref()
            .filter(|association| !association.transit_gateway_route_table_id.is_empty())
        else {
            return path.stop(
                hop,
                Reason::NoRoute,
                format!("attachment {attachment} is associated with no route table of {id}"),
            );
        };
        let table_id = &association.transit_gateway_route_table_id;
        let hop = Hop::new(HopKind::Route, table_id);
        let Some(table) = self.transit_tables.get(table_id) else {
            return path.lose(hop, format!("the routes of {table_id} were not read"));
        };
        let mut paths = Vec::new();
        for (addresses, route) in table.take(&path.to.addresses) {
            let path = path.part(addresses);
            let hop = hop.clone();
            paths.extend(match (route, &table.gaps) {
                (Some(route), _) => self.by_transit_route(path, id, table_id, route),
                (None, Some(gaps)) => path.lose(hop, gaps.clone()),
                (None, None) => {
                    let because = format!("{table_id} of {id} has no route to {}", named(&path.to));
                    path.stop(hop, Reason::NoRoute, because)
                }
            });
        }
        paths
    }

    fn by_transit_route(&self, mut path: Path, id: &str, table: &str, route: &TransitRoute) -> Vec<Path> {
        let mut hop = Hop::new(HopKind::Route, table);
        hop.destination = Some(route.destination.clone());
        hop.target =
            route.attachments.first().map(|attachment| attachment.transit_gateway_attachment_id.clone());
        if route.blackhole {
            let because = format!("the route {} of {table} is a blackhole", route.destination);
            return path.stop(hop, Reason::BlackholeRoute, because);
        }
        path.pass(hop);
        if route.attachments.is_empty() {
            return path.lose(
                Hop::new(HopKind::TransitGateway, id),
                format!("where the route {} of {table} leads was not read", route.destination),
            );
        }
        let gateway = self.ec2().transit_gateways.get(id);
        let references_groups = gateway.is_some_and(TransitGateway::references_groups);
        let mut paths = Vec::new();
        for attachment in &route.attachments {
            let path = path.clone();
            let through = &attachment.transit_gateway_attachment_id;
            let resource = &attachment.resource_id;
            paths.extend(match attachment.resource_type.as_str() {
                "vpc" => self.out_of_transit_gateway(path, resource, through, references_groups),
                "peering" | "tgw-peering" => self.to_peer_gateway(path, id, resource, through),
                kind => {
                    let hop = Hop::new(HopKind::TransitGatewayAttachment, through);
                    path.lose(hop, format!("what lies beyond {kind} {resource} is not in the snapshot"))
                }
            });
        }
        paths
    }

    fn to_peer_gateway(&self, path: Path, id: &str, resource: &str, attachment: &str) -> Vec<Path> {
        let row = self.ec2().transit_gateway_attachments.get(&format!("{id}/{attachment}"));
        let named = row.map_or(resource, |row| row.resource_id.as_str());
        let peer = if named == id { resource } else { named };
        if peer == id || !self.ec2().transit_gateway_attachments.contains_key(&format!("{peer}/{attachment}"))
        {
            let hop = Hop::new(HopKind::TransitGateway, peer);
            return path
                .lose(hop, format!("transit gateway {peer}, beyond peering {attachment}, was not read"));
        }
        self.within_transit_gateway(path, peer, attachment)
    }

    /// Into a VPC by the interface of the transit gateway in the sender's zone, or else in any.
    fn out_of_transit_gateway(
        &self,
        mut path: Path,
        vpc_id: &str,
        attachment: &str,
        references_groups: bool,
    ) -> Vec<Path> {
        // Behind a transit gateway rules that name groups match nothing, unless the gateway was told to pass them on.
        if !references_groups {
            path.from.groups = Some(Arc::default());
        }
        let hop = || Hop::new(HopKind::Vpc, vpc_id);
        let Some(vpc) = self.vpc_by_id.get(vpc_id).copied() else {
            return path.lose(hop(), format!("{vpc_id}, beyond attachment {attachment}, was not read"));
        };
        self.router(&mut path, vpc);
        path.side = Side::Between;
        let Some(row) = self.ec2().transit_gateway_vpc_attachments.get(attachment) else {
            return path.lose(hop(), format!("the subnets of attachment {attachment} were not read"));
        };
        let mut homes: Vec<usize> =
            row.subnet_ids.iter().filter_map(|id| self.subnet_by_id.get(id)).copied().collect();
        if let Some(home) = homes.iter().copied().find(|home| {
            self.subnets.get(*home).is_some_and(|home| path.zone.is_some() && home.zone == path.zone)
        }) {
            homes = vec![home];
        }
        if homes.is_empty() {
            return path.lose(hop(), format!("the subnets of attachment {attachment} were not read"));
        }
        homes.into_iter().flat_map(|home| self.leave_subnet(path.clone(), home)).collect()
    }

    /// The way of the replies to what arrived.
    fn reply(&self, there: &Path) -> Vec<Path> {
        let Some(arrival) = &there.arrival else { return Vec::new() };
        let mut back = Path::new(
            Vec::new(),
            there.to.clone(),
            there.from.clone(),
            there.service.answer(there.from.ports),
        );
        back.reply = true;
        back.side = Side::Destination;
        back.translations.clone_from(&there.translations);
        match arrival {
            Arrival::Resolver => Vec::new(),
            Arrival::Interface => self.reply_from_interface(back),
            Arrival::Service { vpc, endpoint } => {
                back.gateway(HopKind::VpcEndpoint, endpoint);
                self.deliver(back, *vpc, None)
            }
            Arrival::Internet { vpc, gateway, kind } => {
                back.pass(Hop::new(HopKind::Internet, "internet"));
                back.gateway(*kind, gateway);
                if back.translations.last().is_some_and(|translation| &translation.by == gateway)
                    && let Some(translation) = back.translations.pop()
                {
                    back.to = translation.before;
                }
                self.reply_into(back, *vpc, gateway)
            }
        }
    }

    /// From the internet to the sender, or to the NAT gateway that stands for it.
    fn reply_into(&self, back: Path, vpc: usize, gateway: &str) -> Vec<Path> {
        let regional = back
            .translations
            .last()
            .map(|translation| translation.by.clone())
            .filter(|_| back.to.subnet.is_none());
        match regional {
            Some(nat) => self.back_through_nat(back, &nat, None),
            None => self.come_in_by(back, vpc, gateway),
        }
    }

    fn reply_from_interface(&self, mut back: Path) -> Vec<Path> {
        if let Some(interface) = back.from.interface.and_then(|index| self.interfaces.get(index)) {
            if let Some(instance) = &interface.instance {
                back.pass(Hop::new(HopKind::Instance, instance));
            }
            back.pass(Hop::new(HopKind::NetworkInterface, &interface.id));
        }
        let Some(subnet) = back.from.subnet else {
            return back.lose(Hop::new(HopKind::Subnet, "?"), "the subnet of the destination was not read");
        };
        back.zone = self.subnets.get(subnet).and_then(|subnet| subnet.zone.clone());
        self.leave_subnet(back, subnet)
    }

    fn name_of(&self, end: &End) -> String {
        let interface =
            end.interface.and_then(|index| self.interfaces.get(index)).map(|interface| interface.id.clone());
        interface.unwrap_or_else(|| end.addresses.to_string())
    }
}

fn named(end: &End) -> String {
    match &end.prefix_list {
        Some(list) => list.clone(),
        None if end.service => "the public addresses of AWS".to_owned(),
        None => end.addresses.to_string(),
    }
}

fn is_attached(attachments: &[GatewayAttachment], vpc: &str) -> bool {
    attachments.iter().any(|attachment| {
        let gone = matches!(attachment.state.as_deref(), Some("detached" | "detaching"));
        !gone && attachment.vpc_id.as_deref() == Some(vpc)
    })
}
