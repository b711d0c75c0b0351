//! Security groups that let too little through: the narrowest rule that opens the flow. For network ACLs see `entries`.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::fixes::{Manual, RemedyOrSteps, opens};
use super::{Stop, entries, host_of};
use crate::actions::blocks::is_private;
use crate::actions::cluster_vpc::{ClusterVpc, is_on_paper};
use crate::actions::security_group_rule::{self, Address, DESCRIPTION, Direction, Peer, SecurityGroupRule};
use crate::actions::{AnyChange, Change, Quota};
use crate::checks::Leg;
use crate::judges::Options;
use crate::model::ec2::{SecurityGroup, VpcEndpoint};
use crate::network::names::Resolution;
use crate::network::{self, Network, Reason, Source};
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
    if component.starts_with("acl-") {
        return entries::remedy(world, component, stop, options);
    }
    if !component.starts_with("sg-") {
        return Err(Manual::because(
            "no rule and no entry stands in the way, and ecr-fix makes no other way there",
        ));
    }
    let Some(group) = world.snapshot.ec2.security_groups.get(component) else {
        return Err(Manual::because(format!("security group {component} was not read")));
    };
    let vpc = in_vpc(world, component, group.vpc_id.as_deref(), group.owner_id.as_deref())?;
    let (direction, reason) = match cause {
        "vpce-sg-blocks-443" => (Direction::Ingress, Reason::SecurityGroupIngress),
        _ => (Direction::Egress, Reason::SecurityGroupEgress),
    };
    if denied_at(stop, component).any(|(blocker, _)| blocker.reason != reason) {
        return Err(Manual::because(format!(
            "{component} guards what is no endpoint: its owner decides who comes in"
        )));
    }
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
    let changes: Vec<AnyChange> = rules.iter().cloned().map(AnyChange::from).collect();
    let quotas = changes.iter().filter_map(|change| change.quota(world.snapshot));
    if let Some(Quota { of, present, more, most }) = Quota::exceeded(quotas) {
        return Err(Manual {
            because: format!(
                "there are {present} {of}, this needs {more} more, and the default quota is {most}"
            ),
            commands: commands(),
        });
    }
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

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::path::Path;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::diagnosis::{self, Fix};
    use crate::model::Snapshot;
    use crate::model::ec2::IpPermission;
    use crate::model::ec2::{DhcpConfiguration, DhcpValue, GroupId, IpRange, NetworkInterface};
    use crate::pulls::Scope;
    use crate::snapshot_dir;

    /// What is found in a story that was changed, each with what mends it or why a person has to.
    fn check(story: &str, options: &Options, change: impl FnOnce(&mut Snapshot), expected: &Expect) {
        let dir = Path::new("plans").join(story).join("world");
        let mut snapshot = snapshot_dir::load(&dir).unwrap().snapshot;
        change(&mut snapshot);
        let world = World::of(&snapshot, &Scope::default()).unwrap();
        let mut text = String::new();
        for blocker in diagnosis::verdicts(&world, options).blockers {
            let _ = writeln!(text, "{} on {}", blocker.cause, blocker.resource);
            match blocker.fix {
                Fix::Automatic { changes, .. } => changes.iter().for_each(|change| {
                    let _ = writeln!(text, "  {}", change.summary());
                    assert_eq!(change.allowed(), Ok(()), "the engine makes what is planned");
                    assert_eq!(change.planned_for(&world.target), Ok(()));
                }),
                Fix::Manual { because, .. } | Fix::NotAws { because, .. } => {
                    let _ = writeln!(text, "  by hand: {because}");
                }
            }
        }
        expected.assert_eq(&text);
    }

    fn group<'s>(snapshot: &'s mut Snapshot, id: &str) -> &'s mut SecurityGroup {
        snapshot.ec2.security_groups.get_mut(id).unwrap()
    }

    /// Lets only one thing out.
    fn only_out(snapshot: &mut Snapshot, block: &str) {
        let range = IpRange { cidr_ip: Some(block.parse().unwrap()), description: None };
        let permission =
            IpPermission { ip_protocol: "-1".to_owned(), ip_ranges: vec![range], ..IpPermission::default() };
        group(snapshot, "sg-0cluster").ip_permissions_egress = vec![permission];
    }

    #[test]
    fn a_group_that_lets_nothing_out_gets_one_rule_for_each_kind_of_destination() {
        check(
            "sg-egress-missing-s3-prefix-list",
            &Options::default(),
            |snapshot| only_out(snapshot, "10.99.0.0/16"),
            &expect![[r#"
                fargate-sg-blocks on sg-0cluster
                  let tcp/443 out of sg-0cluster, to pl-0s3
                  let tcp/443 out of sg-0cluster, to sg-0endpoints
                sg-egress-blocked on sg-0cluster
                  let tcp/443 out of sg-0cluster, to sg-0endpoints
                sg-egress-missing-s3-prefix-list on sg-0cluster
                  let tcp/443 out of sg-0cluster, to pl-0s3
            "#]],
        );
    }

    #[test]
    fn endpoints_without_a_group_of_this_vpc_are_named_by_their_subnets() {
        check(
            "sg-egress-missing-s3-prefix-list",
            &Options::default(),
            |snapshot| {
                only_out(snapshot, "10.99.0.0/16");
                group(snapshot, "sg-0endpoints").vpc_id = Some("vpc-other".to_owned());
            },
            &expect![[r#"
                fargate-sg-blocks on sg-0cluster
                  let tcp/443 out of sg-0cluster, to 10.42.128.0/20
                  let tcp/443 out of sg-0cluster, to 10.42.144.0/20
                  let tcp/443 out of sg-0cluster, to pl-0s3
                sg-egress-blocked on sg-0cluster
                  let tcp/443 out of sg-0cluster, to 10.42.128.0/20
                  let tcp/443 out of sg-0cluster, to 10.42.144.0/20
                sg-egress-missing-s3-prefix-list on sg-0cluster
                  let tcp/443 out of sg-0cluster, to pl-0s3
            "#]],
        );
    }

    /// The VPC asks this server; at 10.42.130.53 there is one, with these groups.
    fn name_server(snapshot: &mut Snapshot, asked: &str, groups: Vec<GroupId>) {
        for options in snapshot.ec2.dhcp_options.values_mut() {
            options.dhcp_configurations = vec![DhcpConfiguration {
                key: "domain-name-servers".to_owned(),
                values: vec![DhcpValue { value: asked.to_owned() }],
            }];
        }
        let interface = NetworkInterface {
            network_interface_id: "eni-0dns".to_owned(),
            subnet_id: Some("subnet-0a".to_owned()),
            vpc_id: Some("vpc-0demo".to_owned()),
            private_ip_address: Some("10.42.130.53".parse().unwrap()),
            groups,
            ..NetworkInterface::default()
        };
        std::sync::Arc::make_mut(&mut snapshot.ec2.network_interfaces)
            .insert("eni-0dns".to_owned(), interface);
    }

    #[test]
    fn name_servers_of_the_vpc_are_let_through_and_others_are_not() {
        let custom = |server: &'static str| {
            move |snapshot: &mut Snapshot| {
                only_out(snapshot, "10.99.0.0/16");
                name_server(snapshot, server, Vec::new());
            }
        };
        let story = "sg-egress-missing-s3-prefix-list";
        check(
            story,
            &Options::default(),
            custom("10.42.130.53"),
            &expect![[r#"
                dns-server-unreachable on sg-0cluster
                  let tcp/53 out of sg-0cluster, to 10.42.130.53/32
                  let udp/53 out of sg-0cluster, to 10.42.130.53/32
            "#]],
        );
        check(
            story,
            &Options::default(),
            custom("10.77.0.53"),
            &expect![[r#"
                dns-server-unreachable on rtb-0b
                  by hand: no rule and no entry stands in the way, and ecr-fix makes no other way there
                dns-server-unreachable on rtb-0private
                  by hand: no rule and no entry stands in the way, and ecr-fix makes no other way there
                dns-server-unreachable on sg-0cluster
                  by hand: the name servers are not all in the VPC: their owner decides who asks them
            "#]],
        );
    }

    /// The group of the server itself is not opened: who may ask it is not for a pull to say.
    #[test]
    fn a_name_server_that_lets_nobody_in_is_left_to_its_owner() {
        let closed = |snapshot: &mut Snapshot| {
            let group = GroupId { group_id: "sg-0endpoints".to_owned(), group_name: None };
            name_server(snapshot, "10.42.130.53", vec![group]);
        };
        check(
            "sg-egress-missing-s3-prefix-list",
            &Options::default(),
            closed,
            &expect![[r#"
            dns-server-unreachable on sg-0endpoints
              by hand: sg-0endpoints guards what is no endpoint: its owner decides who comes in
        "#]],
        );
    }

    #[test]
    fn groups_of_others_and_groups_that_are_full_are_left_to_a_person() {
        let story = "vpce-sg-blocks-443";
        check(
            story,
            &Options::default(),
            |snapshot| group(snapshot, "sg-0endpoints").owner_id = Some("999988887777".to_owned()),
            &expect![[r#"
                vpce-sg-blocks-443 on sg-0endpoints
                  by hand: sg-0endpoints belongs to account 999988887777: its owner decides
            "#]],
        );
        check(
            story,
            &Options::default(),
            |snapshot| {
                let ranges = (0..60_u8).map(|third| IpRange {
                    cidr_ip: Some(format!("10.7.{third}.0/24").parse().unwrap()),
                    description: None,
                });
                let permission = IpPermission {
                    ip_protocol: "-1".to_owned(),
                    ip_ranges: ranges.collect(),
                    ..IpPermission::default()
                };
                group(snapshot, "sg-0endpoints").ip_permissions = vec![permission];
            },
            &expect![[r#"
                vpce-sg-blocks-443 on sg-0endpoints
                  by hand: there are 60 incoming rules of security group sg-0endpoints, this needs 1 more, and the default quota is 60
            "#]],
        );
    }

    #[test]
    fn the_whole_internet_takes_a_word_of_the_user() {
        let asked = Options { allow_internet_egress: true, ..Options::default() };
        check(
            "sg-egress-blocked",
            &asked,
            |_| {},
            &expect![[r#"
            fargate-sg-blocks on sg-0cluster
              let tcp/443 out of sg-0cluster, to 0.0.0.0/0
            sg-egress-blocked on sg-0cluster
              let tcp/443 out of sg-0cluster, to 0.0.0.0/0
        "#]],
        );
    }

    #[test]
    fn routes_lead_to_the_only_gateway_that_works_or_to_the_one_that_was_named() {
        let second = |snapshot: &mut Snapshot| {
            let mut nat = snapshot.ec2.nat_gateways["nat-0"].clone();
            nat.nat_gateway_id = "nat-9".to_owned();
            nat.nat_gateway_addresses.clear();
            snapshot.ec2.nat_gateways.insert("nat-9".to_owned(), nat);
        };
        let prefer = Options { prefer: Some(crate::judges::WayOut::Nat), ..Options::default() };
        let named = |id: &str| Options { nat: vec![id.to_owned()], ..prefer.clone() };
        check(
            "no-route-to-internet",
            &prefer,
            second,
            &expect![[r#"
                fargate-subnet-no-egress on subnet-0a
                  by hand: there are several NAT gateways: name the right one with --nat: nat-0 in eu-west-1a, nat-9 in eu-west-1a
                fargate-subnet-no-egress on subnet-0b
                  by hand: there are several NAT gateways: name the right one with --nat: nat-0 in eu-west-1a, nat-9 in eu-west-1a
                no-route-to-internet on rtb-0private
                  by hand: there are several NAT gateways: name the right one with --nat: nat-0 in eu-west-1a, nat-9 in eu-west-1a
            "#]],
        );
        check(
            "no-route-to-internet",
            &named("nat-9"),
            second,
            &expect![[r#"
            fargate-subnet-no-egress on subnet-0a
              lead 0.0.0.0/0 in rtb-0private to nat-9
            fargate-subnet-no-egress on subnet-0b
              lead 0.0.0.0/0 in rtb-0private to nat-9
            no-route-to-internet on rtb-0private
              lead 0.0.0.0/0 in rtb-0private to nat-9
        "#]],
        );
        check(
            "no-route-to-internet",
            &named("nat-7"),
            second,
            &expect![[r#"
            fargate-subnet-no-egress on subnet-0a
              by hand: nat-7 is no NAT gateway that works for these subnets
            fargate-subnet-no-egress on subnet-0b
              by hand: nat-7 is no NAT gateway that works for these subnets
            no-route-to-internet on rtb-0private
              by hand: nat-7 is no NAT gateway that works for these subnets
        "#]],
        );
        let private = |snapshot: &mut Snapshot| {
            let nat = snapshot.ec2.nat_gateways.get_mut("nat-0").unwrap();
            nat.connectivity_type = Some("private".to_owned());
        };
        check(
            "no-route-to-internet",
            &prefer,
            private,
            &expect![[r#"
            fargate-subnet-no-egress on subnet-0a
              by hand: vpc-0demo has no NAT gateway that works, and ecr-fix makes none: it would have a price and a public address
            fargate-subnet-no-egress on subnet-0b
              by hand: vpc-0demo has no NAT gateway that works, and ecr-fix makes none: it would have a price and a public address
            no-route-to-internet on rtb-0private
              by hand: vpc-0demo has no NAT gateway that works, and ecr-fix makes none: it would have a price and a public address
        "#]],
        );
    }

    /// The NAT gateway stands in a subnet whose own routes lead nowhere: a route there would make the subnet public.
    #[test]
    fn no_subnet_is_made_public() {
        let no_way_out = |snapshot: &mut Snapshot| {
            for table in snapshot.ec2.route_tables.values_mut() {
                table.routes.retain(|route| route.gateway_id.as_deref() != Some("igw-0"));
            }
        };
        let prefer = Options { prefer: Some(crate::judges::WayOut::Nat), ..Options::default() };
        check(
            "healthy-look-alike",
            &prefer,
            no_way_out,
            &expect![[r#"
            fargate-subnet-no-egress on subnet-0a
              by hand: vpc-0demo has no NAT gateway that works, and ecr-fix makes none: it would have a price and a public address
            fargate-subnet-no-egress on subnet-0b
              by hand: vpc-0demo has no NAT gateway that works, and ecr-fix makes none: it would have a price and a public address
            no-route-to-internet on rtb-0public
              by hand: vpc-0demo has no NAT gateway that works, and ecr-fix makes none: it would have a price and a public address
        "#]],
        );
    }
}
