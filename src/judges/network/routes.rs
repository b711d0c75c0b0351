//! Routes that lead nowhere: to a NAT gateway that is there, and works.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::Stop;
use super::filters::in_vpc;
use super::fixes::{Manual, RemedyOrSteps};
use crate::actions::cluster_vpc::ClusterVpc;
use crate::actions::route::{self, Address, Route};
use crate::actions::{AnyChange, Change, Found, Resource as _};
use crate::checks::Leg;
use crate::judges::{Options, WayOut};
use crate::model::ec2::{EgressOnlyInternetGateway, NatGateway};
use crate::network::{self, HopKind, Network, Reason, Source, Trace};
use crate::pulls::World;

/// The changes that mend a cause at a component.
///
/// # Errors
/// Why there is no change that ecr-fix makes by itself, and what a person does.
pub(super) fn remedy(
    network: &Network<'_>,
    world: &World<'_>,
    cause: &str,
    component: &str,
    stop: &Stop,
    options: &Options,
) -> RemedyOrSteps {
    match cause {
        "nat-gateway-broken" => by_nat(network, world, component, stop, options),
        "no-route-to-internet" | "fargate-subnet-no-egress" => match options.prefer {
            Some(WayOut::Endpoints) => by_endpoints(network, world),
            Some(WayOut::Nat) => by_nat(network, world, component, stop, options),
            None => by_nat(network, world, component, stop, options)
                .or_else(|manual| by_endpoints(network, world).map_err(|_| manual)),
        },
        "igw-no-public-ip" => Err(Manual::because(
            "no node that runs is given a public address, and the route to the internet gateway may be there for others",
        )),
        "egress-only-igw-missing" => by_egress_only_gateway(network, world, component, stop),
        _ => Err(Manual::because("ecr-fix changes no gateway, and no routes to other networks")),
    }
}

/// The default route of every table on the way for IPv6, to the egress-only internet gateway of the VPC.
fn by_egress_only_gateway(
    network: &Network<'_>,
    world: &World<'_>,
    component: &str,
    stop: &Stop,
) -> RemedyOrSteps {
    let vpc = in_vpc(world, component, None, None)?;
    let all = world.snapshot.ec2.egress_only_internet_gateways.values();
    let is_here = |gateway: &&EgressOnlyInternetGateway| {
        gateway.attachments.iter().any(|attached| attached.vpc_id.as_deref() == Some(vpc.vpc_id.as_str()))
    };
    let Some(gateway) = all.into_iter().find(is_here) else {
        return Err(Manual::because(format!(
            "{} has no egress-only internet gateway, and ecr-fix makes none",
            vpc.vpc_id
        )));
    };
    let gateway = &gateway.egress_only_internet_gateway_id;
    let destination = IpNet::V6(Ipv6Net::default());
    let mut changes: BTreeMap<String, Change<Route>> = BTreeMap::new();
    for (_, _, source) in &stop.flows {
        let subnet = network.subnet_of(source).ok_or_else(|| unread("the subnet"))?;
        let table = network.route_table_of(subnet).ok_or_else(|| unread("the route table"))?;
        let before = route_now(world, &vpc, table, destination)?;
        let leads_there = before.as_ref().is_some_and(|route| route.target == *gateway);
        if leads_there || before.as_ref().is_some_and(|route| !route.is_blackhole()) {
            return Err(Manual::because(format!("{table} has a default route for IPv6 already")));
        }
        changes.insert(table.to_owned(), change(&vpc, table, destination, before, gateway));
    }
    let changes: Vec<AnyChange> = changes.into_values().map(AnyChange::from).collect();
    if !super::fixes::opens(world, &changes, component, &[Reason::NoRoute, Reason::BlackholeRoute], stop) {
        return Err(Manual::because("a route to the gateway would not be enough"));
    }
    Ok((changes, format!("{gateway} is the egress-only internet gateway of {}", vpc.vpc_id)))
}

/// Endpoints need no way out at all.
fn by_endpoints(network: &Network<'_>, world: &World<'_>) -> RemedyOrSteps {
    super::endpoints::full_set(network, world).map_err(Manual::because)
}

/// The default route of every table on the way, to the only NAT gateway that works, or to one that was named.
fn by_nat(
    network: &Network<'_>,
    world: &World<'_>,
    component: &str,
    stop: &Stop,
    options: &Options,
) -> RemedyOrSteps {
    let vpc = in_vpc(world, component, None, None)?;
    let tables = tables(world, &vpc, network, stop)?;
    let broken: BTreeSet<&str> = tables
        .values()
        .filter_map(|table| table.before.as_ref())
        .map(|route| route.target.as_str())
        .collect();
    let healthy: Vec<&NatGateway> = gateways(world, &vpc)
        .filter(|nat| !broken.contains(nat.nat_gateway_id.as_str()) && opens(world, &vpc, &tables, stop, nat))
        .collect();
    let named = |nat: &&NatGateway| options.nat.contains(&nat.nat_gateway_id);
    let chosen: Vec<&NatGateway> = if options.nat.is_empty() {
        healthy.clone()
    } else {
        healthy.iter().copied().filter(named).collect()
    };
    if healthy.is_empty() {
        return Err(Manual::because(format!(
            "{} has no NAT gateway that works, and ecr-fix makes none: it would have a price and a public address",
            vpc.vpc_id
        )));
    }
    if chosen.is_empty() {
        return Err(Manual::because(format!(
            "{} is no NAT gateway that works for these subnets",
            options.nat.join(", ")
        )));
    }
    let changes =
        || tables.values().filter_map(|table| Some(table.change(&vpc, nearest(world, table, &chosen)?)));
    if options.nat.is_empty() && chosen.len() > 1 {
        let ids: Vec<String> = chosen.iter().map(|nat| describe(world, nat)).collect();
        let commands = changes().map(|change| route::command(&change, &world.target.region));
        return Err(Manual {
            because: format!(
                "there are several NAT gateways: name the right one with --nat: {}",
                ids.join(", ")
            ),
            commands: commands.collect(),
        });
    }
    let only = chosen.first().map(|nat| describe(world, nat)).unwrap_or_default();
    let because = match options.nat.is_empty() {
        true => format!("{only} is the only NAT gateway of {} that works", vpc.vpc_id),
        false => "you named the NAT gateway; of several, each table gets the one in its zone".to_owned(),
    };
    Ok((changes().map(AnyChange::from).collect(), because))
}

/// A table whose default route has to change.
struct Table {
    id: String,
    before: Option<Route>,
    zones: BTreeSet<String>,
}

impl Table {
    fn change(&self, vpc: &ClusterVpc, nat: &NatGateway) -> Change<Route> {
        change(vpc, &self.id, IpNet::V4(Ipv4Net::default()), self.before.clone(), &nat.nat_gateway_id)
    }
}

fn change(
    vpc: &ClusterVpc,
    table: &str,
    destination: IpNet,
    before: Option<Route>,
    target: &str,
) -> Change<Route> {
    let at = Address { vpc: vpc.clone(), table_id: table.to_owned(), destination };
    let after = Route { target: target.to_owned(), state: Some("active".to_owned()), must_work: true };
    Change { at, before, after: Some(after) }
}

/// The tables of the subnets that packets start in. A NAT gateway's own table is never changed: it would have to lead to
/// an internet gateway, and that makes a subnet public.
fn tables(
    world: &World<'_>,
    vpc: &ClusterVpc,
    network: &Network<'_>,
    stop: &Stop,
) -> Result<BTreeMap<String, Table>, Manual> {
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    for (_, _, source) in &stop.flows {
        let subnet = network.subnet_of(source).ok_or_else(|| unread("the subnet"))?;
        let id = network.route_table_of(subnet).ok_or_else(|| unread("the route table"))?;
        let zone = world.snapshot.ec2.subnets.get(subnet).and_then(|subnet| subnet.availability_zone.clone());
        let table = match tables.entry(id.to_owned()) {
            std::collections::btree_map::Entry::Occupied(table) => table.into_mut(),
            std::collections::btree_map::Entry::Vacant(place) => {
                let destination = IpNet::V4(Ipv4Net::default());
                let before = route_now(world, vpc, id, destination)?;
                if let Some(before) = before.as_ref().filter(|route| !may_be_turned(route)) {
                    return Err(Manual::because(format!(
                        "the default route of {id} leads to {}, which ecr-fix does not turn",
                        before.target
                    )));
                }
                place.insert(Table { id: id.to_owned(), before, zones: BTreeSet::new() })
            }
        };
        table.zones.extend(zone);
    }
    Ok(tables)
}

fn unread(what: &str) -> Manual {
    Manual::because(format!("{what} of a puller was not read"))
}

fn route_now(
    world: &World<'_>,
    vpc: &ClusterVpc,
    table: &str,
    destination: IpNet,
) -> Result<Option<Route>, Manual> {
    let at = Address { vpc: vpc.clone(), table_id: table.to_owned(), destination };
    match Route::get(world.snapshot, &at) {
        Found::State(route) => Ok(route),
        Found::Deleted(because) | Found::Gone(because) | Found::Unread(because) => {
            Err(Manual::because(because))
        }
    }
}

fn may_be_turned(route: &Route) -> bool {
    route.is_blackhole() || route.target.starts_with("nat-")
}

/// Public NAT gateways at work in the VPC.
fn gateways<'w>(world: &'w World<'_>, vpc: &ClusterVpc) -> impl Iterator<Item = &'w NatGateway> {
    let vpc = vpc.vpc_id.clone();
    let all = world.snapshot.ec2.nat_gateways.values();
    all.filter(move |nat| nat.vpc_id == vpc && nat.is_available() && !nat.is_private())
}

/// Whether no route, no gateway and no part of the way beyond stops any of the flows once they go by a NAT gateway.
fn opens(
    world: &World<'_>,
    vpc: &ClusterVpc,
    tables: &BTreeMap<String, Table>,
    stop: &Stop,
    nat: &NatGateway,
) -> bool {
    let mut mended = world.snapshot.clone();
    for table in tables.values() {
        AnyChange::from(table.change(vpc, nat)).simulate(&mut mended);
    }
    let network = Network::of(&mended);
    let is_filter =
        |blocker: &network::Blocker| matches!(blocker.kind, HopKind::SecurityGroup | HopKind::NetworkAcl);
    stop.flows.iter().all(|(leg, trace, source): &(Leg, Trace, Source)| {
        // What groups and network ACLs say is a cause of its own.
        super::trace_again(&network, *leg, trace, source)
            .is_some_and(|again| again.unknown.is_empty() && again.blockers.iter().all(is_filter))
    })
}

fn zone_of<'w>(world: &'w World<'_>, nat: &NatGateway) -> Option<&'w str> {
    world.snapshot.ec2.subnets.get(nat.subnet_id.as_ref()?)?.availability_zone.as_deref()
}

/// In the zone of the table's subnets where there is one, or else the first.
fn nearest<'n>(world: &World<'_>, table: &Table, gateways: &[&'n NatGateway]) -> Option<&'n NatGateway> {
    let near = |nat: &&&NatGateway| zone_of(world, nat).is_some_and(|zone| table.zones.contains(zone));
    gateways.iter().find(near).or(gateways.first()).copied()
}

fn describe(world: &World<'_>, nat: &NatGateway) -> String {
    let zone = zone_of(world, nat).map(|zone| format!(" in {zone}")).unwrap_or_default();
    format!("{}{zone}", nat.nat_gateway_id)
}
