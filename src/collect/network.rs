//! Reads the network of a cluster: first what stands in its VPC, then what its routes, groups and nodes name.

use std::collections::BTreeSet;
use std::future::Future;

use super::Purpose;
use super::each::{Each, each};
use super::hides::hides;
use crate::actions::attachment::policy_name;
use crate::aws::{Reader, Reason, Refused};
use crate::model::ec2::{
    DhcpOptions, EgressOnlyInternetGateway, EndpointService, Instance, NetworkInterface, PrefixList,
    PrefixListEntry, RouteTable, SecurityGroupRule, TransitGatewayAttachment, TransitGatewayRouteTable,
    TransitGatewayRoutes, TransitGatewayVpcAttachment, VpcPeeringConnection, VpnGateway,
};
use crate::model::eks::{Cluster, VpcConfig};
use crate::model::iam::InstanceProfile;
use crate::model::snapshot::Record;
use crate::model::{Snapshot, endpoint_service_names};

/// The network of a cluster, as a part of a snapshot. What it costs does not grow with the number of nodes.
pub(super) async fn read(reader: &Reader, cluster: &Cluster, purpose: Purpose) -> Snapshot {
    let mut part = Snapshot::default();
    let config = cluster.resources_vpc_config.clone().unwrap_or_default();
    let Some(vpc) = &config.vpc_id else {
        let unknown = Refused::never_sent("ec2:DescribeVpcs", "the cluster names no VPC");
        part.unread.push(unknown.unread(hides("ec2:DescribeRouteTables")));
        return part;
    };
    in_vpc(reader, vpc, &cluster.name, &mut part).await;
    let mut named = Named::by(&part, &config, reader.region());
    let traces = purpose == Purpose::Trace;
    if !traces {
        named.groups.clear();
    }
    let profiles = instance_profile_names(&part);
    let (others, nat, internet, egress_only, records, transit, profiles) = tokio::join!(
        Others::read(reader, &named),
        when(may_use_nat(&part, &named), reader.nat_gateways(vpc)),
        when(traces || leads_to_internet(&part), reader.internet_gateways(vpc)),
        when(has_ipv6(&part), reader.egress_only_internet_gateways(vpc)),
        each(reader, shadowing_zones(&part), |reader, zone| async move { reader.records(&zone).await }),
        Transit::read(reader, &named.transit_gateways),
        each(reader, profiles, |reader, name| async move { reader.instance_profile(&name).await }),
    );
    others.put(&mut part);
    // Where they are not asked for, nothing that runs here leaves by one; what else there is, is not known.
    nat.into_iter().for_each(|gateways| put(&mut part, gateways));
    internet.into_iter().for_each(|gateways| put(&mut part, gateways));
    match egress_only {
        Some(gateways) => put(&mut part, gateways),
        // Without addresses of IPv6 nothing could leave by one.
        None => drop(part.keys.insert(EgressOnlyInternetGateway::TABLE.key.to_owned())),
    }
    for (zone, records) in records {
        put_by_id(&mut part, "ResourceRecordSets", records, |part, records| {
            part.route53.records.insert(zone, records);
        });
    }
    transit.put(&mut part);
    put_profiles(&mut part, profiles);
    part
}

/// Everything that EC2 lists by VPC.
async fn in_vpc(reader: &Reader, vpc: &str, cluster: &str, part: &mut Snapshot) {
    let answers = tokio::join!(
        reader.vpc(vpc),
        reader.dns_support(vpc),
        reader.dns_hostnames(vpc),
        reader.subnets(vpc),
        reader.route_tables(vpc),
        reader.security_groups(vpc),
        reader.network_acls(vpc),
        reader.vpc_endpoints(vpc),
        reader.network_interfaces(vpc),
        reader.nodes(vpc, cluster),
        reader.prefix_lists_of_aws(),
        reader.private_zones(vpc),
    );
    put(part, answers.0);
    put(part, answers.1.map(|row| vec![row]));
    put(part, answers.2.map(|row| vec![row]));
    put(part, answers.3);
    put(part, answers.4);
    put(part, answers.5);
    put(part, answers.6);
    put(part, answers.7);
    put(part, answers.8);
    put(part, answers.9);
    put(part, answers.10);
    put_by_id(part, "HostedZoneSummaries", answers.11, |part, zones| {
        zones.into_iter().for_each(|zone| part.put(zone));
    });
}

/// How the services of a pull may be called of which the VPC has no endpoint: a plan may make one, and has to know what AWS
/// calls it and in which zones it is.
fn services_without_endpoint(part: &Snapshot, region: &str) -> Vec<String> {
    let wanted = [("ecr.api", "Interface"), ("ecr.dkr", "Interface"), ("s3", "Gateway")];
    let is_there = |names: &BTreeSet<String>, kind: &str| {
        let mut endpoints = part.ec2.vpc_endpoints.values();
        endpoints.any(|endpoint| {
            names.contains(&endpoint.service_name) && endpoint.vpc_endpoint_type.eq_ignore_ascii_case(kind)
        })
    };
    let names = wanted.map(|(service, kind)| (endpoint_service_names(region, service), kind));
    let missing = names.into_iter().filter(|(names, kind)| !is_there(names, kind));
    missing.flat_map(|(names, _)| names).collect()
}

/// What the rows of a VPC name and EC2 does not list by VPC.
#[derive(Debug, Default, PartialEq)]
struct Named {
    dhcp_options: Option<String>,
    /// Of which no blocks are known.
    prefix_lists: Vec<String>,
    /// Those of them that are not AWS's.
    unnamed_lists: Vec<String>,
    peerings: Vec<String>,
    vpn_gateways: Vec<String>,
    transit_gateways: Vec<String>,
    /// Of which a trace names the rules.
    groups: Vec<String>,
    /// As endpoints.
    services: Vec<String>,
}

impl Named {
    fn by(part: &Snapshot, cluster: &VpcConfig, region: &str) -> Named {
        let ec2 = &part.ec2;
        let routes = || ec2.route_tables.values().flat_map(|table| &table.routes);
        let permissions = || {
            let groups = ec2.security_groups.values();
            groups.flat_map(|group| group.ip_permissions.iter().chain(&group.ip_permissions_egress))
        };
        let in_rules = permissions().flat_map(|rule| &rule.prefix_list_ids).map(|list| &list.prefix_list_id);
        let lists = routes().filter_map(|route| route.destination_prefix_list_id.as_ref()).chain(in_rules);
        let with_blocks =
            |list: &&String| ec2.prefix_lists.get(*list).is_some_and(|list| list.cidrs.is_some());
        let dhcp_options = ec2.vpcs.values().find_map(|vpc| vpc.dhcp_options_id.clone());
        Named {
            // AWS's name for "none": the Amazon resolver answers, and there is nothing to read.
            dhcp_options: dhcp_options.filter(|id| id != "default"),
            unnamed_lists: unique(lists.clone().filter(|list| !ec2.prefix_lists.contains_key(*list))),
            prefix_lists: unique(lists.filter(|list| !with_blocks(list))),
            peerings: unique(routes().filter_map(|route| route.vpc_peering_connection_id.as_ref())),
            vpn_gateways: unique(vpn_gateways(ec2.route_tables.values())),
            transit_gateways: unique(routes().filter_map(|route| route.transit_gateway_id.as_ref())),
            groups: relevant_groups(part, cluster),
            services: services_without_endpoint(part, region),
        }
    }
}

fn unique<'a>(ids: impl Iterator<Item = &'a String>) -> Vec<String> {
    ids.cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

fn vpn_gateways<'a>(tables: impl Iterator<Item = &'a RouteTable>) -> impl Iterator<Item = &'a String> {
    tables.flat_map(|table| {
        let routes = table.routes.iter().filter_map(|route| route.gateway_id.as_ref());
        let propagating = table.propagating_vgws.iter().filter_map(|gateway| gateway.gateway_id.as_ref());
        routes.chain(propagating).filter(|id| id.starts_with("vgw-"))
    })
}

/// The groups that a pull passes: those of nodes, of endpoints, and those that EKS gives to both.
fn relevant_groups(part: &Snapshot, cluster: &VpcConfig) -> Vec<String> {
    let of_cluster = cluster.cluster_security_group_id.iter().chain(&cluster.security_group_ids);
    let of_nodes = part.ec2.instances.values().flat_map(|node| &node.security_groups);
    let of_endpoints = part.ec2.vpc_endpoints.values().flat_map(|endpoint| &endpoint.groups);
    unique(of_nodes.chain(of_endpoints).map(|group| &group.group_id).chain(of_cluster))
}

/// Whether a way out may lead by a NAT gateway: a route names one; or an endpoint is missing, and a plan may lead a route
/// to one. Where routes were not read, one may.
fn may_use_nat(part: &Snapshot, named: &Named) -> bool {
    let mut routes = part.ec2.route_tables.values().flat_map(|table| &table.routes);
    part.ec2.route_tables.is_empty()
        || !named.services.is_empty()
        || routes.any(|route| route.nat_gateway_id.is_some())
}

/// Whether something runs in a subnet from which a route leads to an internet gateway. Where subnets, routes or what runs
/// there were not read, it may.
fn leads_to_internet(part: &Snapshot) -> bool {
    let ec2 = &part.ec2;
    if ec2.route_tables.is_empty()
        || ec2.subnets.is_empty()
        || !part.keys.contains(NetworkInterface::TABLE.key)
    {
        return true;
    }
    let interfaces = ec2.network_interfaces.values().filter_map(|interface| interface.subnet_id.as_deref());
    let nodes = ec2.instances.values().filter_map(|node| node.subnet_id.as_deref());
    let used: BTreeSet<&str> = interfaces.chain(nodes).collect();
    let is_gateway = |id: &String| id.starts_with("igw-");
    let leads = |table: &&RouteTable| {
        table.routes.iter().any(|route| route.gateway_id.as_ref().is_some_and(is_gateway))
    };
    let with_table: BTreeSet<&str> = ec2
        .route_tables
        .values()
        .flat_map(|table| &table.associations)
        .filter_map(|association| association.subnet_id.as_deref())
        .collect();
    ec2.route_tables.values().filter(leads).any(|table| {
        table.associations.iter().any(|association| match &association.subnet_id {
            Some(subnet) => used.contains(subnet.as_str()),
            // The table of the VPC serves the subnets that have none of their own; one of a gateway may serve anything.
            None => !association.main || used.iter().any(|subnet| !with_table.contains(subnet)),
        })
    })
}

/// Whether anything in the VPC may have an address of IPv6. Where that was not read, it may.
fn has_ipv6(part: &Snapshot) -> bool {
    let mut vpcs = part.ec2.vpcs.values();
    part.ec2.vpcs.is_empty() || vpcs.any(|vpc| vpc.ipv6_blocks().next().is_some())
}

/// The private zones that answer for names of AWS.
fn shadowing_zones(part: &Snapshot) -> Vec<String> {
    let of_aws = |name: &str| {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let domains = [
            "amazonaws.com",
            "amazonaws.com.cn",
            "amazonaws.eu",
            "api.aws",
            "on.aws",
            "amazonwebservices.com.cn",
        ];
        let below = |name: &str, domain: &str| {
            name == domain || name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
        };
        domains.iter().any(|domain| below(&name, domain) || below(domain, &name))
            || name.ends_with(".gov")
            || name.ends_with(".uk")
    };
    let zones = part.route53.zones.values().filter(|zone| of_aws(&zone.hosted_zone.name));
    zones.map(|zone| zone.id()).collect()
}

/// EKS makes the instance profiles of managed node groups itself, with their role, and calls them so.
const MADE_BY_EKS: &str = "eks-";

fn instance_profile_names(part: &Snapshot) -> Vec<String> {
    let made_by_eks = |node: &&Instance| {
        let profile = node.iam_instance_profile.as_ref();
        let name = profile.map(|profile| policy_name(&profile.arn)).unwrap_or_default();
        node.tag("eks:nodegroup-name").is_some() && name.starts_with(MADE_BY_EKS)
    };
    let nodes = part.ec2.instances.values().filter(|node| !made_by_eks(node));
    let profiles = nodes.filter_map(|node| node.iam_instance_profile.as_ref());
    let names = profiles.map(|profile| policy_name(&profile.arn).to_owned());
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

/// An answer, or nothing where there was nothing to ask for.
async fn when<T>(
    wanted: bool,
    answer: impl Future<Output = Result<T, Refused>>,
) -> Option<Result<T, Refused>> {
    if wanted { Some(answer.await) } else { None }
}

struct Others {
    dhcp_options: Option<Result<Vec<DhcpOptions>, Refused>>,
    prefix_lists: Option<Result<Vec<PrefixList>, Refused>>,
    entries: Each<Result<Vec<PrefixListEntry>, Refused>>,
    peerings: Option<Result<Vec<VpcPeeringConnection>, Refused>>,
    vpn_gateways: Option<Result<Vec<VpnGateway>, Refused>>,
    rules: Option<Result<Vec<SecurityGroupRule>, Refused>>,
    services: Option<Result<Vec<EndpointService>, Refused>>,
}

impl Others {
    async fn read(reader: &Reader, named: &Named) -> Others {
        let Named {
            dhcp_options, prefix_lists, unnamed_lists, peerings, vpn_gateways, groups, services, ..
        } = named;
        let dhcp = dhcp_options.as_deref().unwrap_or_default();
        let (dhcp_options, prefix_lists, entries, peerings, vpn_gateways, rules, services) = tokio::join!(
            when(dhcp_options.is_some(), reader.dhcp_options(dhcp)),
            when(!unnamed_lists.is_empty(), reader.managed_prefix_lists(unnamed_lists)),
            each(reader, prefix_lists.iter().cloned(), |reader, id| async move {
                reader.prefix_list_entries(&id).await
            }),
            when(!peerings.is_empty(), reader.vpc_peering_connections(peerings)),
            when(!vpn_gateways.is_empty(), reader.vpn_gateways(vpn_gateways)),
            when(!groups.is_empty(), reader.security_group_rules(groups)),
            when(!services.is_empty(), reader.endpoint_services(services)),
        );
        Others { dhcp_options, prefix_lists, entries, peerings, vpn_gateways, rules, services }
    }

    fn put(self, part: &mut Snapshot) {
        self.dhcp_options.into_iter().for_each(|rows| put(part, rows));
        self.prefix_lists.into_iter().for_each(|rows| put(part, rows));
        self.peerings.into_iter().for_each(|rows| put(part, rows));
        self.vpn_gateways.into_iter().for_each(|rows| put(part, rows));
        self.rules.into_iter().for_each(|rows| put(part, rows));
        self.services.into_iter().for_each(|rows| put(part, rows));
        for (list, entries) in self.entries {
            put_by_id(part, "Entries", entries, |part, entries| {
                part.ec2.prefix_list_entries.insert(list, entries);
            });
        }
    }
}

#[derive(Default)]
struct Transit {
    attachments: Option<Result<Vec<TransitGatewayAttachment>, Refused>>,
    vpc_attachments: Option<Result<Vec<TransitGatewayVpcAttachment>, Refused>>,
    tables: Option<Result<Vec<TransitGatewayRouteTable>, Refused>>,
    routes: Each<Result<TransitGatewayRoutes, Refused>>,
}

impl Transit {
    async fn read(reader: &Reader, gateways: &[String]) -> Transit {
        if gateways.is_empty() {
            return Transit::default();
        }
        let (attachments, vpc_attachments, (tables, routes)) = tokio::join!(
            reader.transit_gateway_attachments(gateways),
            reader.transit_gateway_vpc_attachments(gateways),
            Transit::tables(reader, gateways),
        );
        Transit {
            attachments: Some(attachments),
            vpc_attachments: Some(vpc_attachments),
            tables: Some(tables),
            routes,
        }
    }

    async fn tables(
        reader: &Reader,
        gateways: &[String],
    ) -> (Result<Vec<TransitGatewayRouteTable>, Refused>, Each<Result<TransitGatewayRoutes, Refused>>) {
        let tables = reader.transit_gateway_route_tables(gateways).await;
        let ids = tables.iter().flatten().map(|table| table.transit_gateway_route_table_id.clone());
        let ids: Vec<String> = ids.collect();
        let routes = each(reader, ids, |reader, id| async move { reader.transit_gateway_routes(&id).await });
        let routes = routes.await;
        (tables, routes)
    }

    fn put(self, part: &mut Snapshot) {
        self.attachments.into_iter().for_each(|rows| put(part, rows));
        self.vpc_attachments.into_iter().for_each(|rows| put(part, rows));
        self.tables.into_iter().for_each(|rows| put(part, rows));
        for (table, routes) in self.routes {
            put_by_id(part, "Routes", routes, |part, routes| {
                part.ec2.transit_gateway_routes.insert(table, routes);
            });
        }
    }
}

fn put_profiles(part: &mut Snapshot, profiles: Each<Result<InstanceProfile, Refused>>) {
    // Which profiles there are is known only where the nodes are.
    if part.keys.contains(Instance::TABLE.key) {
        part.keys.insert(InstanceProfile::TABLE.key.to_owned());
    }
    for (_, profile) in profiles {
        match profile {
            Ok(profile) => part.put(profile),
            // It was deleted while a node has it: that is what the judges want to know.
            Err(refused) if refused.reason == Reason::NotFound => {}
            Err(refused) => part.unread.push(refused.unread(hides(refused.call))),
        }
    }
}

/// A list that was read, or why it was not.
pub(super) fn put<R: Record>(part: &mut Snapshot, rows: Result<Vec<R>, Refused>) {
    put_by_id(part, R::TABLE.key, rows, |part, rows| rows.into_iter().for_each(|row| part.put(row)));
}

fn put_by_id<T>(
    part: &mut Snapshot,
    key: &str,
    answer: Result<T, Refused>,
    put: impl FnOnce(&mut Snapshot, T),
) {
    match answer {
        Ok(rows) => {
            part.keys.insert(key.to_owned());
            put(part, rows);
        }
        Err(refused) => part.unread.push(refused.unread(hides(refused.call))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A VPC with a public and a private subnet; the main table leads to the internet.
    fn vpc(interfaces: Value, routes: Value) -> Snapshot {
        let world = json!({
            "Subnets": [{ "SubnetId": "subnet-public", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24" },
                { "SubnetId": "subnet-private", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24" }],
            "RouteTables": [
                { "RouteTableId": "rtb-main", "VpcId": "vpc-1", "Associations": [{ "Main": true }],
                  "Routes": [{ "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1", "State": "active" }] },
                { "RouteTableId": "rtb-private", "VpcId": "vpc-1", "Routes": routes,
                  "Associations": [{ "SubnetId": "subnet-private" }] },
            ],
            "NetworkInterfaces": interfaces,
        });
        let mut loaded = crate::snapshot_dir::Loaded::default();
        let file = std::path::Path::new("world.json");
        crate::snapshot_dir::read_file(&mut loaded, file, &world.to_string()).unwrap();
        loaded.snapshot
    }

    fn interface(subnet: &str) -> Value {
        json!([{ "NetworkInterfaceId": "eni-1", "VpcId": "vpc-1", "SubnetId": subnet }])
    }

    #[test]
    fn internet_gateways_matter_where_something_runs_that_leaves_by_one() {
        assert!(leads_to_internet(&vpc(interface("subnet-public"), json!([]))));
        assert!(!leads_to_internet(&vpc(interface("subnet-private"), json!([]))));
        for key in ["NetworkInterfaces", "RouteTables", "Subnets"] {
            let mut part = vpc(interface("subnet-private"), json!([]));
            match key {
                "RouteTables" => part.ec2.route_tables.clear(),
                "Subnets" => part.ec2.subnets.clear(),
                _ => drop(part.keys.remove(key)),
            }
            assert!(leads_to_internet(&part), "without {key}");
        }
    }

    #[test]
    fn nat_gateways_matter_where_a_route_names_one_or_may_come_to() {
        let none = Named::default();
        let part = vpc(json!([]), json!([]));
        assert!(!may_use_nat(&part, &none));
        assert!(may_use_nat(&part, &Named { services: vec!["s3".to_owned()], ..Named::default() }));
        let route =
            json!([{ "DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "State": "blackhole" }]);
        assert!(may_use_nat(&vpc(json!([]), route), &none));
        assert!(may_use_nat(&Snapshot::default(), &none), "nobody looked");
    }
}
