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
use crate::model::ec2::{GatewayAttachment, NatGateway};
use crate::network::{self, HopKind, Network, Source, Trace};
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
        "egress-only-igw-missing" => by_egress_only(network, world, component, stop),
        // A gateway that comes back would find S3 behind the policy of an endpoint: only whoever asks for it gets that.
        "nat-gateway-broken" => match options.prefer {
            Some(WayOut::Endpoints) => by_endpoints(network, world),
            Some(WayOut::Nat) | None => by_nat(network, world, component, stop, options),
        },
        "no-route-to-internet" | "fargate-subnet-no-egress" => match options.prefer {
            Some(WayOut::Endpoints) => by_endpoints(network, world),
            Some(WayOut::Nat) => by_nat(network, world, component, stop, options),
            None => by_nat(network, world, component, stop, options)
                .or_else(|manual| by_endpoints(network, world).map_err(|_| manual)),
        },
        _ => Err(Manual::because(never(cause))),
    }
}

/// Why ecr-fix never mends a cause by itself.
fn never(cause: &str) -> &'static str {
    match cause {
        "private-hosted-zone-shadow" => {
            "ecr-fix changes no hosted zone, because whoever made it may need it for other names"
        }
        "vpce-shared-dns-missing" => {
            "ecr-fix changes no hosted zone: this one belongs to whoever runs the shared endpoints"
        }
        "custom-dhcp-dns" => "ecr-fix changes no DHCP options, because they are for everything in the VPC",
        "network-firewall-block" => "ecr-fix changes no rules of a firewall",
        "igw-no-public-ip" => {
            "ecr-fix gives nothing a public address, and an endpoint for S3 would be for everything in the subnet"
        }
        "ipv6-only-egress" => "ecr-fix makes no gateway",
        "vpce-not-available" => "ecr-fix takes no endpoint away to make it anew",
        "vpce-fips-or-dualstack-name" => "ecr-fix does not change how nodes are set up",
        _ => "ecr-fix changes no gateway, and no routes to other networks",
    }
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
    let tables = tables(world, &vpc, network, stop, IpNet::V4(Ipv4Net::default()))?;
    let broken: BTreeSet<&str> = tables
        .values()
        .filter_map(|table| table.before.as_ref())
        .map(|route| route.target.as_str())
        .collect();
    let healthy: Vec<&NatGateway> = gateways(world, &vpc)
        .filter(|nat| !broken.contains(nat.nat_gateway_id.as_str()))
        .filter(|nat| {
            opens(world, stop, tables.values().map(|table| table.change(&vpc, &nat.nat_gateway_id)))
        })
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
    let changes = || {
        tables
            .values()
            .filter_map(|table| Some(table.change(&vpc, &nearest(world, table, &chosen)?.nat_gateway_id)))
    };
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

/// The default route of IPv6, to the egress-only gateway of the VPC: AWS allows a VPC one.
fn by_egress_only(network: &Network<'_>, world: &World<'_>, component: &str, stop: &Stop) -> RemedyOrSteps {
    let vpc = in_vpc(world, component, None, None)?;
    let tables = tables(world, &vpc, network, stop, IpNet::V6(Ipv6Net::default()))?;
    let gateways = world.snapshot.ec2.egress_only_internet_gateways.values();
    let gateway = gateways
        .filter(|gateway| gateway.attachments.iter().any(|at| is_attached(at, &vpc)))
        .map(|gateway| &gateway.egress_only_internet_gateway_id)
        .find(|id| tables.values().all(|table| !table.leads_to(id)));
    let Some(gateway) = gateway else {
        let none =
            format!("{} has no egress-only internet gateway that works, and ecr-fix makes none", vpc.vpc_id);
        return Err(Manual::because(none));
    };
    let changes: Vec<Change<Route>> = tables.values().map(|table| table.change(&vpc, gateway)).collect();
    if !opens(world, stop, changes.iter().cloned()) {
        return Err(Manual::because(format!("a route to {gateway} alone would not open it")));
    }
    let because = format!("{gateway} is the egress-only internet gateway of {}", vpc.vpc_id);
    Ok((changes.into_iter().map(AnyChange::from).collect(), because))
}

fn is_attached(at: &GatewayAttachment, vpc: &ClusterVpc) -> bool {
    let is_there =
        |state: &String| ["attached", "available"].iter().any(|known| state.eq_ignore_ascii_case(known));
    at.vpc_id.as_ref() == Some(&vpc.vpc_id) && at.state.as_ref().is_some_and(is_there)
}

/// A table whose default route has to change.
struct Table {
    id: String,
    destination: IpNet,
    before: Option<Route>,
    zones: BTreeSet<String>,
}

impl Table {
    fn change(&self, vpc: &ClusterVpc, target: &str) -> Change<Route> {
        let at = Address { vpc: vpc.clone(), table_id: self.id.clone(), destination: self.destination };
        let after = Route { target: target.to_owned(), state: Some("active".to_owned()), must_work: true };
        Change { at, before: self.before.clone(), after: Some(after) }
    }

    fn leads_to(&self, target: &str) -> bool {
        self.before.as_ref().is_some_and(|route| route.target == target)
    }
}

/// The tables of the subnets that packets start in. A NAT gateway's own table is never changed: it would have to lead to
/// an internet gateway, and that makes a subnet public.
fn tables(
    world: &World<'_>,
    vpc: &ClusterVpc,
    network: &Network<'_>,
    stop: &Stop,
    destination: IpNet,
) -> Result<BTreeMap<String, Table>, Manual> {
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    for (_, _, source) in &stop.flows {
        let subnet = network.subnet_of(source).ok_or_else(|| unread("the subnet"))?;
        let id = network.route_table_of(subnet).ok_or_else(|| unread("the route table"))?;
        let zone = world.snapshot.ec2.subnets.get(subnet).and_then(|subnet| subnet.availability_zone.clone());
        let table = match tables.entry(id.to_owned()) {
            std::collections::btree_map::Entry::Occupied(table) => table.into_mut(),
            std::collections::btree_map::Entry::Vacant(place) => {
                let before = route_now(world, vpc, id, destination)?;
                if let Some(before) = before.as_ref().filter(|route| !may_be_turned(route)) {
                    return Err(Manual::because(format!(
                        "the default route of {id} leads to {}, which ecr-fix does not turn",
                        before.target
                    )));
                }
                place.insert(Table { id: id.to_owned(), destination, before, zones: BTreeSet::new() })
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

/// Whether no route, no gateway and no part of the way beyond stops any of the flows once the routes are changed.
fn opens(world: &World<'_>, stop: &Stop, changes: impl IntoIterator<Item = Change<Route>>) -> bool {
    let mut mended = world.snapshot.clone();
    changes.into_iter().for_each(|change| AnyChange::from(change).simulate(&mut mended));
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
