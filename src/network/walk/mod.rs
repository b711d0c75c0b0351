//! Hop by hop: filters, routes and gateways, in the order in which a packet meets them.

mod internet;
mod nat;
mod path;
mod reply;
mod targets;
mod transit;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::addresses::AddressSet;
use super::filter::{self, Direction, Peer, Ports, Service};
use super::routes::{Route, Target};
use super::trace::{Decision, Hop, HopKind, Reason, Side, Trace, Verdict};
use super::{Network, Subnet};
use path::Path;

/// After so many gateways a packet is taken to go in circles.
const MOST_GATEWAYS: u8 = 12;

/// Routes to several attachments, and attachments in several zones, branch: after so many steps nobody follows them all.
const MOST_STEPS: u32 = 2_000;

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
    /// With no network between: at a link-local service, or at the sender itself.
    Beside,
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
        let asked_from_internet =
            there.translations.first().map_or(&there.from, |first| &first.before).internet;
        let (mut blockers, mut unknown) = (there.blockers.clone(), there.unknown.clone());
        let mut return_path = Vec::new();
        let answered = matches!(there.arrival, None | Some(Arrival::Beside)) || !back.is_empty();
        if !answered {
            unknown.push("the way of the replies could not be followed".to_owned());
        }
        if let Some(back) = back.into_iter().max_by_key(Path::verdict) {
            let astray = matches!(back.arrival, Some(Arrival::Internet { .. })) && !asked_from_internet;
            if astray {
                unknown.push("replies go to the internet: whether they come back in was not read".to_owned());
            }
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
            return path.arrive(Arrival::Beside);
        }
        if let Some(interface) = path.from.interface
            && path.to.interface == Some(interface)
        {
            return path.arrive(Arrival::Beside);
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
        if !path.spend() {
            let hop = Hop::new(HopKind::Subnet, &subnet.id);
            return path.lose(hop, "the routes branch too often to follow them all");
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
