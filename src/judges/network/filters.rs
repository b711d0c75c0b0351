//! Security groups that let too little through: the narrowest rule that opens the flow. For network ACLs see `entries`.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::fixes::{Manual, RemedyOrSteps, opens};
use super::{Stop, entries, host_of};
use crate::actions::blocks::is_private;
use crate::actions::cluster_vpc::{ClusterVpc, is_on_paper};
use crate::actions::security_group_rule::{self, Address, DESCRIPTION, Direction, Peer, SecurityGroupRule};
use crate::actions::{AnyChange, Change};
use crate::checks::Leg;
use crate::judges::Options;
use crate::model::ec2::{IpPermission, SecurityGroup, VpcEndpoint};
use crate::network::names::Resolution;
use crate::network::{self, Network, Reason, Source};
use crate::pulls::World;

/// The most rules that a group may have in one direction, unless AWS was asked for more (EC2 quotas).
const MOST_RULES: usize = 60;

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
    if cause == "nacl-blocked" {
        return entries::remedy(world, component, stop, options);
    }
    let Some(group) = world.snapshot.ec2.security_groups.get(component) else {
        return Err(Manual::because(format!("security group {component} was not read")));
    };
    let vpc = in_vpc(world, component, group.vpc_id.as_deref(), group.owner_id.as_deref())?;
    let (direction, reason) = match cause {
        "vpce-sg-blocks-443" => (Direction::Ingress, Reason::SecurityGroupIngress),
        _ => (Direction::Egress, Reason::SecurityGroupEgress),
    };
    let wanted = match direction {
        Direction::Ingress => ingress(network, world, group, stop),
        Direction::Egress => egress(network, world, group, stop)?,
    };
    let rules = wanted.iter().map(|wanted| change(&vpc, group, direction, wanted));
    let rules: Vec<Change<SecurityGroupRule>> = rules.collect();
    let commands = || rules.iter().map(|rule| command(world, rule)).collect();
    if wanted.iter().any(|wanted| is_internet(&wanted.peer)) && !options.allow_internet_egress {
        return Err(Manual {
            because: "nothing narrower than the whole internet opens it, because the public addresses of ECR are in no \
                      list: endpoints would need less. With --allow-internet-egress a plan does it"
                .to_owned(),
            commands: commands(),
        });
    }
    let more: usize = wanted.iter().map(|wanted| weight(world, &wanted.peer)).sum();
    let permissions = match direction {
        Direction::Ingress => &group.ip_permissions,
        Direction::Egress => &group.ip_permissions_egress,
    };
    let present: usize = permissions.iter().map(|permission| weight_of(world, permission)).sum();
    if present <= MOST_RULES && present + more > MOST_RULES {
        return Err(Manual {
            because: format!("{component} has {present} rules of {MOST_RULES}, and this needs {more} more"),
            commands: commands(),
        });
    }
    let changes: Vec<AnyChange> = rules.iter().cloned().map(AnyChange::from).collect();
    if changes.is_empty() || !opens(world, &changes, component, &[reason], stop) {
        return Err(Manual::because("no rule that ecr-fix adds by itself would open it"));
    }
    Ok((changes, because(&wanted)))
}

/// One service, to or from one peer, and what makes it the narrowest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Wanted {
    protocol: &'static str,
    port: u16,
    peer: Peer,
    why: &'static str,
}

impl Wanted {
    fn https(peer: Peer, why: &'static str) -> Wanted {
        Wanted { protocol: "tcp", port: 443, peer, why }
    }
}

/// The VPC of the cluster, where a resource stands in it and belongs to the same account.
///
/// # Errors
/// It is somebody else's.
pub(super) fn in_vpc(
    world: &World<'_>,
    id: &str,
    vpc: Option<&str>,
    owner: Option<&str>,
) -> Result<ClusterVpc, Manual> {
    let ours = ClusterVpc::of(world).map_err(Manual::because)?;
    if vpc.is_some_and(|vpc| vpc != ours.vpc_id) {
        return Err(Manual::because(format!("{id} is not in {}, the VPC of the cluster", ours.vpc_id)));
    }
    match owner.filter(|owner| *owner != ours.account) {
        Some(owner) => Err(Manual::because(format!("{id} belongs to account {owner}: its owner decides"))),
        None => Ok(ours),
    }
}

/// From each source by one of its groups, or by the blocks of its subnet where groups do not reach.
fn ingress(network: &Network<'_>, world: &World<'_>, group: &SecurityGroup, stop: &Stop) -> Vec<Wanted> {
    let mut wanted: BTreeSet<Wanted> = BTreeSet::new();
    let sources: Vec<&Source> = stop.flows.iter().map(|(_, _, source)| source).collect();
    let groups = |source: &Source| network.groups_of(source).unwrap_or_default();
    for source in &sources {
        let of_same_vpc = |id: &String| {
            let known = world.snapshot.ec2.security_groups.get(id);
            known.is_some_and(|known| known.vpc_id == group.vpc_id)
        };
        // The group that most of the sources have, so that few rules serve all of them.
        let shared = |id: &String| sources.iter().filter(|other| groups(other).contains(id)).count();
        let best = groups(source)
            .into_iter()
            .filter(of_same_vpc)
            .min_by_key(|id| (std::cmp::Reverse(shared(id)), id.clone()));
        match best {
            Some(id) => {
                let why = "the rule names the security group of the pullers, and no addresses";
                wanted.insert(Wanted::https(Peer::SecurityGroup(id), why));
            }
            None => wanted.extend(subnet_of(network, world, source).into_iter().map(|block| {
                Wanted::https(Peer::Block(block), "security groups of another network cannot be named")
            })),
        }
    }
    wanted.into_iter().collect()
}

/// To wherever each flow goes.
fn egress(
    network: &Network<'_>,
    world: &World<'_>,
    group: &SecurityGroup,
    stop: &Stop,
) -> Result<Vec<Wanted>, Manual> {
    let mut wanted: BTreeSet<Wanted> = BTreeSet::new();
    for (leg, trace, source) in &stop.flows {
        if *leg == Leg::Dns {
            wanted.extend(name_servers(network, world, group, source)?);
            continue;
        }
        let host = host_of(trace).ok_or_else(|| Manual::because("where the packets go was not read"))?;
        match network.resolve(source, host) {
            Resolution::Private { endpoint } => match world.snapshot.ec2.vpc_endpoints.get(&endpoint) {
                Some(endpoint) => wanted.extend(to_endpoint(world, group, endpoint)),
                None => return Err(Manual::because(format!("endpoint {endpoint} was not read"))),
            },
            Resolution::Public { prefix_list, .. } => {
                let list = prefix_list.and_then(|name| network.list_named(&name));
                let list = list.filter(|id| world.snapshot.ec2.prefix_lists.contains_key(id));
                wanted.insert(match list {
                    Some(id) => {
                        let why = "the prefix list of S3 holds the public addresses that layers come from, and no others";
                        Wanted::https(Peer::PrefixList(id), why)
                    }
                    None => Wanted::https(
                        Peer::Block(IpNet::default()),
                        "the public addresses of ECR are in no prefix list",
                    ),
                });
            }
            Resolution::Address(address) => {
                let block = IpNet::from(address);
                wanted.insert(Wanted::https(Peer::Block(block), "it is the one address of that name"));
            }
            Resolution::Unknown(because) | Resolution::NoAnswer(because) => {
                return Err(Manual::because(because));
            }
        }
    }
    // Whoever reaches all of the internet needs no rule for a part of it.
    if wanted.iter().any(|wanted| is_internet(&wanted.peer)) {
        wanted.retain(|wanted| !matches!(wanted.peer, Peer::PrefixList(_)));
    }
    Ok(wanted.into_iter().collect())
}

/// By the group of the endpoint where it is one of this VPC, else by the blocks of the endpoint's subnets.
fn to_endpoint(world: &World<'_>, group: &SecurityGroup, endpoint: &VpcEndpoint) -> Vec<Wanted> {
    let ec2 = &world.snapshot.ec2;
    let named = endpoint.groups.iter().map(|group| &group.group_id).find(|id| {
        ec2.security_groups.get(*id).is_some_and(|known| known.vpc_id == group.vpc_id) && !is_on_paper(id)
    });
    if let Some(id) = named {
        let why = "the rule names the security group of the endpoint, and no addresses";
        return vec![Wanted::https(Peer::SecurityGroup(id.clone()), why)];
    }
    let subnets = endpoint.subnet_ids.iter().filter_map(|id| ec2.subnets.get(id)?.cidr_block);
    let why = "the subnets of the endpoint are the narrowest that can be named";
    subnets.map(|block| Wanted::https(Peer::Block(block.into()), why)).collect()
}

/// The name servers of the VPC's own choice, one by one.
fn name_servers(
    network: &Network<'_>,
    world: &World<'_>,
    group: &SecurityGroup,
    source: &Source,
) -> Result<Vec<Wanted>, Manual> {
    let servers = network.custom_resolvers(source);
    let blocks: Vec<IpNet> = servers.into_iter().map(IpNet::from).collect();
    let subnets = blocks_of_subnets(world, group.vpc_id.as_deref());
    let in_vpc = |server: &IpNet| subnets.iter().any(|subnet| subnet.contains(server));
    if blocks.is_empty() || !blocks.iter().all(|block| in_vpc(block) && is_private(block)) {
        return Err(Manual::because(
            "the name servers are not all in the VPC: their owner decides who asks them",
        ));
    }
    let why = "the rule names the one server that the DHCP options name";
    let both = |block: IpNet| {
        ["udp", "tcp"].map(|protocol| Wanted { protocol, port: 53, peer: Peer::Block(block), why })
    };
    Ok(blocks.into_iter().flat_map(both).collect())
}

fn subnet_of(network: &Network<'_>, world: &World<'_>, source: &Source) -> Option<IpNet> {
    let id = network.subnet_of(source)?;
    world.snapshot.ec2.subnets.get(id)?.cidr_block.map(IpNet::V4)
}

fn change(
    vpc: &ClusterVpc,
    group: &SecurityGroup,
    direction: Direction,
    wanted: &Wanted,
) -> Change<SecurityGroupRule> {
    let at = Address {
        vpc: vpc.clone(),
        group_id: group.group_id.clone(),
        direction,
        protocol: wanted.protocol.to_owned(),
        from_port: wanted.port,
        to_port: wanted.port,
        peer: wanted.peer.clone(),
        rule_id: None,
    };
    let rule = SecurityGroupRule { direction, description: Some(DESCRIPTION.to_owned()) };
    Change { at, before: None, after: Some(rule) }
}

fn command(world: &World<'_>, rule: &Change<SecurityGroupRule>) -> String {
    security_group_rule::command(rule, &world.target.region)
}

fn because(wanted: &[Wanted]) -> String {
    let whys: BTreeSet<&str> = wanted.iter().map(|wanted| wanted.why).collect();
    whys.into_iter().collect::<Vec<_>>().join("; ")
}

fn is_internet(peer: &Peer) -> bool {
    matches!(peer, Peer::Block(block) if block.prefix_len() == 0)
}

/// For how many rules a peer counts: a prefix list for as many as it may have entries.
fn weight(world: &World<'_>, peer: &Peer) -> usize {
    let Peer::PrefixList(id) = peer else { return 1 };
    let list = world.snapshot.ec2.prefix_lists.get(id);
    let most = list.and_then(|list| list.max_entries).and_then(|most| usize::try_from(most).ok());
    let known = || list.and_then(|list| list.cidrs.as_ref()).map(Vec::len);
    most.or_else(known).unwrap_or(1)
}

fn weight_of(world: &World<'_>, permission: &IpPermission) -> usize {
    let lists = permission.prefix_list_ids.iter();
    let lists: usize = lists.map(|list| weight(world, &Peer::PrefixList(list.prefix_list_id.clone()))).sum();
    let IpPermission { ip_ranges, ipv6_ranges, user_id_group_pairs, .. } = permission;
    ip_ranges.len() + ipv6_ranges.len() + user_id_group_pairs.len() + lists
}

/// The subnets of a VPC, by their blocks.
pub(super) fn blocks_of_subnets(world: &World<'_>, vpc: Option<&str>) -> Vec<IpNet> {
    let subnets =
        world.snapshot.ec2.subnets.values().filter(|subnet| vpc.is_none_or(|vpc| subnet.vpc_id == vpc));
    let blocks = subnets.flat_map(|subnet| {
        subnet.cidr_block.map(IpNet::V4).into_iter().chain(subnet.ipv6_blocks().map(IpNet::V6))
    });
    blocks.collect::<BTreeSet<IpNet>>().into_iter().collect()
}

/// The entries of a prefix list, where they were read.
pub(super) fn entries_of_list(world: &World<'_>, id: &str) -> Option<Vec<IpNet>> {
    let ec2 = &world.snapshot.ec2;
    let listed = ec2.prefix_list_entries.get(id).map(|rows| rows.iter().map(|row| row.cidr).collect());
    listed.or_else(|| ec2.prefix_lists.get(id)?.cidrs.clone())
}

/// What a filter denied of the packets of a flow, at a component.
pub(super) fn denied_at<'s>(
    stop: &'s Stop,
    component: &'s str,
) -> impl Iterator<Item = (&'s network::Blocker, &'s network::Denied)> {
    let blockers = stop.flows.iter().flat_map(|(_, trace, _)| &trace.blockers);
    let here = blockers.filter(move |blocker| blocker.component == component);
    here.filter_map(|blocker| Some((blocker, blocker.denied.as_ref()?)))
}
