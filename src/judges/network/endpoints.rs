//! Endpoints that are missing, or not used: what exists is repaired before anything new is made.

use std::collections::{BTreeMap, BTreeSet};

use super::{Stop, fixes::Remedy, places};
use crate::actions::cluster_vpc::ClusterVpc;
use crate::actions::security_group::{self, Rule, own_name};
use crate::actions::vpc_attribute::{self, Attribute};
use crate::actions::vpc_endpoint::{self, EndpointType, layers_only};
use crate::actions::{AnyChange, Change, Found, Resource, SecurityGroup, VpcAttribute, VpcEndpoint};
use crate::model::ec2::{EndpointService, NetworkInterface, RouteTable, VpcEndpoint as Row};
use crate::model::snapshot::Record as _;
use crate::model::{EcrHost, Partition, Seen, endpoint_service_names};
use crate::network::names::{self, PullHosts};
use crate::network::{Destination, Network, Reason, Service, Side, Source};
use crate::pulls::World;

const HTTPS: Service = Service::tcp(443);

/// The changes that mend a cause at a component.
///
/// # Errors
/// Why there is no change that ecr-fix makes by itself.
pub(super) fn remedy(
    network: &Network<'_>,
    world: &World<'_>,
    cause: &str,
    component: &str,
    _stop: &Stop,
) -> Remedy {
    let site = Site::of(network, world)?;
    match cause {
        "vpce-ecr-api-missing" => site.in_vpc(component)?.interface_endpoint("ecr.api"),
        "vpce-ecr-dkr-missing" => site.in_vpc(component)?.interface_endpoint("ecr.dkr"),
        "vpce-s3-missing" => site.in_vpc(component)?.gateway_endpoint(),
        "vpce-s3-interface-only" => site.gateway_endpoint(),
        "s3-gateway-route-table-missing" => site.associate(site.endpoint(component)?),
        "vpce-private-dns-disabled" => site.private_dns(site.endpoint(component)?),
        "vpc-dns-support-disabled" => site.in_vpc(component)?.resolver(),
        "cross-region-private-pull" => {
            Err("endpoints lead to their own region only, and the image is in another one".to_owned())
        }
        _ => Err("which zones an endpoint is in is a choice about cost and outages that its owner makes"
            .to_owned()),
    }
}

/// The changes that give the VPC of the cluster what it lacks of the three endpoints that a pull needs, where there is no
/// other way out.
///
/// # Errors
/// Why there are none that ecr-fix makes by itself.
pub(super) fn full_set(network: &Network<'_>, world: &World<'_>) -> Remedy {
    let site = Site::of(network, world)?;
    let mut changes: Vec<AnyChange> = Vec::new();
    for part in
        [site.layers_by_endpoint()?, site.names_by_endpoint("ecr.api")?, site.names_by_endpoint("ecr.dkr")?]
    {
        let new = part.into_iter().filter(|change| !changes.contains(change)).collect::<Vec<_>>();
        changes.extend(new);
    }
    let because = format!(
        "no way out of {} works; endpoints for ecr.api, ecr.dkr and S3 are all that a pull needs, and open nothing else",
        site.vpc.vpc_id
    );
    Ok((changes, because))
}

/// One that pulls: where, and with which groups.
struct Puller {
    source: Source,
    subnet: String,
    groups: Vec<String>,
}

/// The VPC of the cluster, with all that pulls in it.
struct Site<'n, 'w> {
    network: &'n Network<'n>,
    world: &'w World<'w>,
    vpc: ClusterVpc,
    pullers: Vec<Puller>,
}

impl<'n, 'w> Site<'n, 'w> {
    fn of(network: &'n Network<'n>, world: &'w World<'w>) -> Result<Self, String> {
        let vpc = ClusterVpc::of(world)?;
        let all: BTreeSet<Source> =
            world.every_source.iter().flat_map(|source| places(network, world, source)).collect();
        let all: Vec<Source> = all.into_iter().collect();
        let mut pullers = Vec::new();
        for class in network.classes(&all) {
            let Some(source) = class.first() else { continue };
            let unknown = |what: &str| format!("{what} of {} was not read", source.name());
            let subnet = network.subnet_of(source).ok_or_else(|| unknown("the subnet"))?.to_owned();
            let in_vpc = world.snapshot.ec2.subnets.get(&subnet).is_some_and(|row| row.vpc_id == vpc.vpc_id);
            if in_vpc {
                let groups = network.groups_of(source).ok_or_else(|| unknown("the security group"))?;
                pullers.push(Puller { source: (*source).clone(), subnet, groups });
            }
        }
        Ok(Site { network, world, vpc, pullers })
    }

    fn in_vpc(&self, vpc: &str) -> Result<&Self, String> {
        if vpc == self.vpc.vpc_id {
            Ok(self)
        } else {
            Err(format!("{vpc} is not the VPC of the cluster; ecr-fix changes no other"))
        }
    }

    /// The rows of the VPC's endpoints.
    fn endpoints(&self) -> impl Iterator<Item = &'w Row> {
        let vpc = self.vpc.vpc_id.clone();
        self.world.snapshot.ec2.vpc_endpoints.values().filter(move |row| row.vpc_id == vpc)
    }

    fn endpoint(&self, id: &str) -> Result<&'w Row, String> {
        let row = self.endpoints().find(|row| row.vpc_endpoint_id == id);
        let row =
            row.ok_or_else(|| format!("{id} is not in the VPC of the cluster; ecr-fix changes no other"))?;
        match &row.owner_id {
            Some(owner) if *owner != self.vpc.account => {
                Err(format!("{id} belongs to account {owner}, which has to change it"))
            }
            _ => Ok(row),
        }
    }

    /// The name of the service: as its siblings in the VPC are called, or as AWS calls it in the partition.
    fn service_name(&self, service: &str) -> Result<String, String> {
        let region = &self.vpc.region;
        let prefix_of =
            |name: &str, service: &str| name.strip_suffix(&format!(".{region}.{service}")).map(str::to_owned);
        if let Some(offered) = self.offered(service) {
            return Ok(offered.service_name.clone());
        }
        if self.world.snapshot.keys.contains(EndpointService::TABLE.key) {
            return Err(format!("AWS offers no endpoint for {service} in {region}"));
        }
        if service == "s3" {
            let lists = self.world.snapshot.ec2.prefix_lists.values();
            let mut of_s3 = lists.filter(|list| prefix_of(&list.prefix_list_name, "s3").is_some());
            if let Some(list) = of_s3.next() {
                return Ok(list.prefix_list_name.clone());
            }
        }
        let siblings = ["ecr.api", "ecr.dkr", "ec2", "sts"].into_iter();
        let mut siblings = siblings.flat_map(|sibling| {
            self.endpoints().filter_map(move |row| prefix_of(&row.service_name, sibling))
        });
        let known = match (self.vpc.partition.as_str(), service) {
            ("aws" | "aws-us-gov", _) | ("aws-cn", "s3") => Some("com.amazonaws".to_owned()),
            ("aws-cn", _) => siblings.next().or(Some("cn.com.amazonaws".to_owned())),
            _ => None,
        };
        let prefix = known.ok_or_else(|| {
            format!("how AWS calls the endpoint service of {service} in {region} is not known to ecr-fix")
        })?;
        Ok(format!("{prefix}.{region}.{service}"))
    }

    /// The service as AWS offers it in the region, where that was read.
    fn offered(&self, service: &str) -> Option<&'w EndpointService> {
        let names = endpoint_service_names(&self.vpc.region, service);
        let kind = if service == "s3" { "Gateway" } else { "Interface" };
        self.world.snapshot.ec2.endpoint_services.values().find(|row| {
            let mut kinds = row.service_type.iter();
            names.contains(&row.service_name) && kinds.any(|row| row.service_type.eq_ignore_ascii_case(kind))
        })
    }

    /// What is lacking for layers to come by a gateway endpoint: nothing where they get through.
    fn layers_by_endpoint(&self) -> Result<Vec<AnyChange>, String> {
        if self.tables_without_s3()?.is_empty() {
            return Ok(Vec::new());
        }
        let is_gateway = |row: &&Row| row.vpc_endpoint_type.eq_ignore_ascii_case("gateway");
        let (changes, _) = match self.endpoints_of("s3").find(is_gateway) {
            Some(row) => self.associate(self.endpoint(&row.vpc_endpoint_id)?)?,
            None => self.gateway_endpoint()?,
        };
        Ok(changes)
    }

    /// What is lacking for the names of a service to lead to an interface endpoint.
    fn names_by_endpoint(&self, service: &str) -> Result<Vec<AnyChange>, String> {
        let (changes, _) = match self.endpoints_of(service).next() {
            Some(row) if row.private_dns_enabled && self.attributes()?.is_empty() => return Ok(Vec::new()),
            Some(row) => self.private_dns(self.endpoint(&row.vpc_endpoint_id)?)?,
            None => self.interface_endpoint(service)?,
        };
        Ok(changes)
    }

    fn endpoints_of(&self, service: &str) -> impl Iterator<Item = &'w Row> {
        let wanted = (service.to_owned(), self.vpc.region.clone());
        self.endpoints().filter(move |row| {
            names::service_and_region(row)
                .is_some_and(|(service, region)| (service.to_owned(), region) == wanted)
        })
    }

    fn interface_endpoint(&self, service: &str) -> Remedy {
        let service_name = self.service_name(service)?;
        self.check_names(service, &service_name, None)?;
        let mut changes = self.attributes()?;
        let (groups, making, group_because) = self.groups()?;
        changes.extend(making);
        let mut subnets = self.subnets()?;
        if let Some(offered) = self.offered(service).filter(|row| !row.availability_zones.is_empty()) {
            subnets.retain(|zone, _| offered.availability_zones.contains(zone));
            if subnets.is_empty() {
                return Err(format!("AWS offers {service} in none of the zones with pullers"));
            }
        }
        let zones = subnets.keys().cloned().collect::<Vec<_>>().join(", ");
        let after = VpcEndpoint {
            private_dns_enabled: true,
            subnet_ids: subnets.into_values().collect(),
            security_groups: groups,
            ..VpcEndpoint::default()
        };
        let at = self.address(service_name, EndpointType::Interface, None);
        changes.push(Change { at, before: None, after: Some(after) }.into());
        let because = format!(
            "{} uses endpoints and has none for {service}; one subnet in each zone with pullers ({zones}); \
             {group_because}",
            self.vpc.vpc_id
        );
        Ok((changes, because))
    }

    fn gateway_endpoint(&self) -> Remedy {
        let service_name = self.service_name("s3")?;
        let after = VpcEndpoint {
            route_table_ids: self.some_tables_without_s3()?,
            policy: Some(layers_only(&self.vpc.partition, &self.vpc.region)),
            ..VpcEndpoint::default()
        };
        let at = self.address(service_name, EndpointType::Gateway, None);
        let change = Change { at, before: None, after: Some(after) };
        let because = "image layers come from S3, and a gateway endpoint is the way there that costs nothing; its \
                       policy lets only layers pass";
        Ok((vec![change.into()], because.to_owned()))
    }

    fn associate(&self, row: &Row) -> Remedy {
        let tables = self.some_tables_without_s3()?;
        let because = "the S3 endpoint exists; only these route tables do not lead to it".to_owned();
        self.modify(row, |after| after.route_table_ids.extend(tables)).map(|change| (vec![change], because))
    }

    /// Names lead to an endpoint where its private DNS and both attributes of its VPC are on.
    fn private_dns(&self, row: &Row) -> Remedy {
        let mut changes = self.attributes()?;
        if !row.private_dns_enabled {
            let service = names::service_and_region(row).map_or("", |(service, _)| service);
            self.check_names(service, &row.service_name, Some(&row.vpc_endpoint_id))?;
            changes.push(self.modify(row, |after| after.private_dns_enabled = true)?);
        }
        if changes.is_empty() {
            return Err(
                "private DNS and what it needs is on; why names do not lead there is not known".to_owned()
            );
        }
        Ok((changes, "the endpoint exists, and only names do not lead to it".to_owned()))
    }

    fn resolver(&self) -> Remedy {
        let change = self.attribute(Attribute::DnsSupport);
        Ok((vec![change], "without it the resolver of the VPC answers nobody".to_owned()))
    }

    fn modify(&self, row: &Row, edit: impl FnOnce(&mut VpcEndpoint)) -> Result<AnyChange, String> {
        let kind = match row.vpc_endpoint_type.to_ascii_lowercase().as_str() {
            "gateway" => EndpointType::Gateway,
            _ => EndpointType::Interface,
        };
        let at = self.address(row.service_name.clone(), kind, Some(row.vpc_endpoint_id.clone()));
        match VpcEndpoint::get(self.world.snapshot, &at) {
            Found::State(Some(before)) => {
                let mut after = before.clone();
                edit(&mut after);
                Ok(Change { at, before: Some(before), after: Some(after) }.into())
            }
            Found::State(None) => Err(format!("{} does not exist", row.vpc_endpoint_id)),
            Found::Deleted(because) | Found::Gone(because) | Found::Unread(because) => Err(because),
        }
    }

    fn address(
        &self,
        service_name: String,
        endpoint_type: EndpointType,
        endpoint_id: Option<String>,
    ) -> vpc_endpoint::Address {
        vpc_endpoint::Address { vpc: self.vpc.clone(), service_name, endpoint_type, endpoint_id }
    }

    /// What AWS would refuse, said before anything is changed: two owners of one private name.
    fn check_names(&self, service: &str, service_name: &str, itself: Option<&str>) -> Result<(), String> {
        let mut others = self.endpoints().filter(|row| itself != Some(row.vpc_endpoint_id.as_str()));
        if let Some(other) = others.find(|row| row.service_name == service_name && row.private_dns_enabled) {
            return Err(format!(
                "{} has the private names of {service} already, and a VPC has them only once",
                other.vpc_endpoint_id
            ));
        }
        let suffix = Partition::of_region(&self.vpc.region).dns_suffix;
        let zone = match service {
            "ecr.api" => format!("api.ecr.{}.{suffix}", self.vpc.region),
            _ => format!("dkr.ecr.{}.{suffix}", self.vpc.region),
        };
        let zones = self.world.snapshot.route53.zones.values();
        let mut here = zones.filter(|known| known.vpcs.iter().any(|vpc| vpc.vpc_id == self.vpc.vpc_id));
        match here.find(|known| known.hosted_zone.name.trim_end_matches('.').eq_ignore_ascii_case(&zone)) {
            Some(known) => Err(format!(
                "private zone {zone} ({}) has the names of {service}, and AWS allows only one owner of them",
                known.id()
            )),
            None => Ok(()),
        }
    }

    /// Private DNS needs both attributes.
    fn attributes(&self) -> Result<Vec<AnyChange>, String> {
        let vpc = &self.vpc.vpc_id;
        let mut changes = Vec::new();
        for (attribute, value) in [
            (Attribute::DnsSupport, names::dns_support(self.network, vpc)),
            (Attribute::DnsHostnames, names::dns_hostnames(self.network, vpc)),
        ] {
            match value {
                Seen::Known(true) => {}
                Seen::Known(false) => changes.push(self.attribute(attribute)),
                Seen::Absent | Seen::Unread(_) => return Err(format!("{} was not read", attribute.of(vpc))),
            }
        }
        Ok(changes)
    }

    fn attribute(&self, attribute: Attribute) -> AnyChange {
        let at = vpc_attribute::Address { vpc: self.vpc.clone(), attribute };
        let (before, after) = (VpcAttribute { value: false }, VpcAttribute { value: true });
        Change { at, before: Some(before), after: Some(after) }.into()
    }

    /// One subnet for each zone with pullers: one of theirs, a private one first.
    fn subnets(&self) -> Result<BTreeMap<String, String>, String> {
        let mut by_zone: BTreeMap<String, (bool, String)> = BTreeMap::new();
        for puller in &self.pullers {
            let row = self.world.snapshot.ec2.subnets.get(&puller.subnet);
            let zone = row.and_then(|row| row.availability_zone.clone());
            let zone = zone.ok_or_else(|| format!("the zone of {} was not read", puller.subnet))?;
            let choice = (row.is_some_and(|row| row.map_public_ip_on_launch), puller.subnet.clone());
            let best = by_zone.entry(zone).or_insert_with(|| choice.clone());
            *best = choice.min(best.clone());
        }
        if by_zone.is_empty() {
            return Err("nothing that pulls was found in the VPC".to_owned());
        }
        Ok(by_zone.into_iter().map(|(zone, (_, subnet))| (zone, subnet)).collect())
    }

    fn some_tables_without_s3(&self) -> Result<BTreeSet<String>, String> {
        let tables = self.tables_without_s3()?;
        if tables.is_empty() {
            Err("every route table of the pullers leads to S3".to_owned())
        } else {
            Ok(tables)
        }
    }

    /// The tables of pullers that find no way to S3 which works. What groups and network ACLs say is a cause of its own.
    fn tables_without_s3(&self) -> Result<BTreeSet<String>, String> {
        let Partition { dns_suffix, .. } = Partition::of_region(&self.vpc.region);
        let registry = format!("{}.dkr.ecr.{}.{dns_suffix}", self.vpc.account, self.vpc.region);
        let hosts = EcrHost::parse(&registry).and_then(|host| PullHosts::of(&host));
        let layers = hosts.ok_or("the host of the layers is not known")?.layers;
        let lacks_way = |puller: &&Puller| {
            let trace = self.network.trace(&puller.source, &Destination::Name(layers.clone()), HTTPS);
            trace.blockers.iter().any(|blocker| {
                // Without a public address one interface does not get there; others of the same table do.
                !blocker.reason.is_filter() && blocker.reason != Reason::NoPublicAddress
            })
        };
        let mut tables = BTreeSet::new();
        for puller in self.pullers.iter().filter(lacks_way) {
            let table = self.network.route_table_of(&puller.subnet);
            tables.insert(
                table.ok_or_else(|| format!("the route table of {} was not read", puller.subnet))?.to_owned(),
            );
        }
        Ok(tables)
    }

    /// The groups of a new endpoint: those of an endpoint that lets every caller in already, or one of our own with the
    /// change that makes it; and why.
    fn groups(&self) -> Result<(BTreeSet<String>, Option<AnyChange>, String), String> {
        if let Some(row) = self.endpoint_open_to_all() {
            let because = format!("the groups of {}, which let every puller in", row.vpc_endpoint_id);
            let groups = vpc_endpoint::group_names(self.world.snapshot, &self.vpc.cluster, row);
            return Ok((groups, None, because));
        }
        let name = own_name(&self.vpc.cluster);
        let wanted = self.own_group()?;
        let at = security_group::Address { vpc: self.vpc.clone(), group_name: name.clone(), group_id: None };
        let because = "a group of its own, because no endpoint has one that lets every puller in".to_owned();
        match SecurityGroup::get(self.world.snapshot, &at) {
            Found::State(None) => {
                let change = Change { at, before: None, after: Some(wanted) };
                Ok(([name].into(), Some(change.into()), because))
            }
            Found::State(Some(found)) if found == wanted => Ok(([name].into(), None, because)),
            Found::State(Some(_)) => Err(format!(
                "security group {name} exists and lets others in than ecr-fix would: delete it, or mend it"
            )),
            Found::Deleted(because) | Found::Gone(because) | Found::Unread(because) => Err(because),
        }
    }

    /// An interface endpoint whose groups let every puller in, and all others whom private DNS would send there.
    fn endpoint_open_to_all(&self) -> Option<&'w Row> {
        let others = self.others().ok()?;
        let others: Vec<Source> =
            others.into_iter().map(|row| Source::interface(&row.network_interface_id)).collect();
        let classes = self.network.classes(&others);
        let callers = || {
            let others = classes.iter().filter_map(|class| class.first().copied());
            self.pullers.iter().map(|puller| &puller.source).chain(others)
        };
        let lets_in = |row: &&Row, source: &Source| {
            let to = Destination::Endpoint(row.vpc_endpoint_id.clone());
            let trace = self.network.trace(source, &to, HTTPS);
            let refused = trace.blockers.iter().any(|blocker| {
                blocker.reason == Reason::SecurityGroupIngress && blocker.side == Side::Destination
            });
            trace.unknown.is_empty() && !refused
        };
        self.endpoints().find(|row| {
            row.vpc_endpoint_type.eq_ignore_ascii_case("interface")
                && row.state.eq_ignore_ascii_case("available")
                && !row.groups.is_empty()
                && row.owner_id.as_ref().is_none_or(|owner| *owner == self.vpc.account)
                && callers().all(|source| lets_in(row, source))
        })
    }

    /// HTTPS from a group of every puller; and from the blocks of the VPC where others in it have a way to ECR today,
    /// which private DNS would move to the endpoint.
    fn own_group(&self) -> Result<SecurityGroup, String> {
        let of_cluster = self.world.snapshot.clusters.values().find(|row| row.name == self.vpc.cluster);
        let of_cluster =
            of_cluster.and_then(|row| row.resources_vpc_config.as_ref()?.cluster_security_group_id.clone());
        let mut admitted: BTreeSet<String> = BTreeSet::new();
        let with_group =
            |puller: &&Puller| of_cluster.as_ref().is_some_and(|group| puller.groups.contains(group));
        if self.pullers.iter().any(|puller| with_group(&puller)) {
            admitted.extend(of_cluster.clone());
        }
        for puller in &self.pullers {
            if !puller.groups.iter().any(|group| admitted.contains(group)) {
                let first = puller.groups.iter().min();
                admitted.insert(
                    first.ok_or_else(|| format!("{} has no security group", puller.source.name()))?.clone(),
                );
            }
        }
        let mut ingress: BTreeSet<Rule> = admitted.iter().map(Rule::https_from).collect();
        let is_admitted =
            |row: &&NetworkInterface| row.groups.iter().any(|group| admitted.contains(&group.group_id));
        let moved = self.others().map_or(true, |others| !others.iter().all(is_admitted));
        if moved {
            let row = self.world.snapshot.ec2.vpcs.get(&self.vpc.vpc_id);
            let row = row.ok_or_else(|| format!("{} was not read", self.vpc.vpc_id))?;
            ingress.extend(row.ipv4_blocks().map(|block| Rule::https_from(block.to_string())));
        }
        Ok(SecurityGroup { ingress, egress: BTreeSet::new() })
    }

    /// The interfaces in the VPC that have a way out of it today, beside those of pullers and those that AWS runs.
    ///
    /// # Errors
    /// Some may have, and the interfaces were not read.
    fn others(&self) -> Result<Vec<&'w NetworkInterface>, String> {
        let ec2 = &self.world.snapshot.ec2;
        let leads_out = |subnet: &str| {
            let table = self.network.route_table_of(subnet).and_then(|table| ec2.route_tables.get(table));
            table.is_none_or(leads_out)
        };
        let subnets = ec2.subnets.values().filter(|row| row.vpc_id == self.vpc.vpc_id);
        let out: BTreeSet<&str> =
            subnets.map(|row| row.subnet_id.as_str()).filter(|subnet| leads_out(subnet)).collect();
        if out.is_empty() {
            return Ok(Vec::new());
        }
        if let Seen::Unread(because) = self.world.snapshot.missing::<()>(
            NetworkInterface::TABLE.key,
            "ec2:DescribeNetworkInterfaces",
            "",
        ) {
            return Err(because);
        }
        let pullers: BTreeSet<&str> =
            self.pullers.iter().filter_map(|puller| puller.source.interface.as_deref()).collect();
        let others = ec2.network_interfaces.values().filter(|row| {
            row.subnet_id.as_deref().is_some_and(|subnet| out.contains(subnet))
                && calls_services(row)
                && !pullers.contains(row.network_interface_id.as_str())
        });
        Ok(others.collect())
    }
}

/// Whether a table has a way out of the VPC for any address.
fn leads_out(table: &RouteTable) -> bool {
    table.routes.iter().any(|route| {
        let all = route.destination_cidr_block.is_some_and(|block| block.prefix_len() == 0);
        all && !route.state.as_deref().is_some_and(|state| state.eq_ignore_ascii_case("blackhole"))
    })
}

/// Whether an interface is of a machine or a function, and not of a gateway, a balancer or an endpoint.
fn calls_services(row: &NetworkInterface) -> bool {
    let kind = row.interface_type.as_deref().unwrap_or("interface");
    let by_aws = ["ELB ", "Interface for NAT Gateway", "VPC Endpoint Interface"];
    let description = row.description.as_deref().unwrap_or_default();
    matches!(kind, "interface" | "branch" | "trunk" | "efa" | "lambda")
        && !by_aws.iter().any(|start| description.starts_with(start))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use expect_test::{Expect, expect};
    use serde_json::Value;

    use super::*;
    use crate::model::Snapshot;
    use crate::model::ec2::EndpointServiceType;
    use crate::pulls::Scope;
    use crate::snapshot_dir;

    /// The world of a story, with some of its texts changed.
    fn story(name: &str, changes: &[(&str, &str)]) -> Snapshot {
        let dir = Path::new("plans").join(name).join("world");
        let mut loaded = snapshot_dir::Loaded::default();
        let mut unused: Vec<&str> = changes.iter().map(|(old, _)| *old).collect();
        for file in std::fs::read_dir(dir).unwrap() {
            let path = file.unwrap().path();
            let mut text = std::fs::read_to_string(&path).unwrap();
            for (old, new) in changes {
                unused.retain(|unused| unused != old || !text.contains(old));
                text = text.replace(old, new);
            }
            snapshot_dir::read_file(&mut loaded, &path, &text).unwrap();
        }
        assert!(unused.is_empty(), "not in the story: {unused:?}");
        loaded.snapshot
    }

    fn told(remedy: Remedy) -> String {
        match remedy {
            Ok((changes, because)) => {
                let lines = changes.iter().map(|change| format!("{}\n{}", change.summary(), change.diff()));
                format!("{}because {because}\n", lines.collect::<String>())
            }
            Err(because) => format!("manual: {because}\n"),
        }
    }

    fn check(world: &Snapshot, cause: &str, component: &str, expected: &Expect) {
        let network = Network::of(world);
        let world = World::of(world, &Scope::default()).unwrap();
        let remedy = remedy(&network, &world, cause, component, &Stop::default());
        expected.assert_eq(&told(remedy));
    }

    #[test]
    fn a_vpc_of_somebody_else_is_left_to_them() {
        let shared = story(
            "vpce-missing",
            &[(
                r#""OwnerId": "111122223333",
            "IsDefault""#,
                r#""OwnerId": "999988887777",
            "IsDefault""#,
            )],
        );
        check(
            &shared,
            "vpce-s3-missing",
            "vpc-0demo",
            &expect![[r#"
            manual: vpc-0demo is shared: it belongs to account 999988887777, which has to change it
        "#]],
        );
        let world = story("vpce-missing", &[]);
        check(
            &world,
            "vpce-s3-missing",
            "vpc-0other",
            &expect![[r#"
            manual: vpc-0other is not the VPC of the cluster; ecr-fix changes no other
        "#]],
        );
    }

    #[test]
    fn nobody_gets_the_private_names_twice() {
        let second = story("vpce-private-dns-disabled", &[]);
        let mut twice = second.clone();
        let mut other = twice.ec2.vpc_endpoints["vpce-0ecrapi"].clone();
        other.vpc_endpoint_id = "vpce-0second".to_owned();
        other.private_dns_enabled = true;
        twice.put(other);
        check(
            &twice,
            "vpce-private-dns-disabled",
            "vpce-0ecrapi",
            &expect![[r#"
            manual: vpce-0second has the private names of ecr.api already, and a VPC has them only once
        "#]],
        );
    }

    #[test]
    fn what_was_not_read_is_not_guessed() {
        let mut unread = story("vpce-missing", &[]);
        unread.ec2.dns_hostnames.clear();
        check(
            &unread,
            "vpce-ecr-api-missing",
            "vpc-0demo",
            &expect![[r#"
            manual: enableDnsHostnames of vpc-0demo was not read
        "#]],
        );
        let no_zone = story("vpce-missing", &[(r#""AvailabilityZone": "eu-west-1a","#, "")]);
        check(
            &no_zone,
            "vpce-ecr-api-missing",
            "vpc-0demo",
            &expect![[r#"
            manual: the zone of subnet-0a was not read
        "#]],
        );
    }

    #[test]
    fn one_subnet_for_each_zone() {
        let one_zone = story(
            "vpce-missing",
            &[(r#""AvailabilityZone": "eu-west-1b","#, r#""AvailabilityZone": "eu-west-1a","#)],
        );
        check(
            &one_zone,
            "vpce-ecr-api-missing",
            "vpc-0demo",
            &expect![[r#"
            make the interface endpoint for ecr.api in vpc-0demo
            + Interface endpoint com.amazonaws.eu-west-1.ecr.api
            +   subnet subnet-0a
            +   security group sg-0endpoints
            +   private DNS on
            +   policy AWS's default: IAM alone decides
            because vpc-0demo uses endpoints and has none for ecr.api; one subnet in each zone with pullers (eu-west-1a); the groups of vpce-0ec2, which let every puller in
        "#]],
        );
    }

    #[test]
    fn a_group_that_lets_others_in_is_not_taken_over() {
        let taken = story(
            "vpce-missing-beside-others",
            &[(
                "\"GroupName\": \"build\",\n            \"VpcId\"",
                "\"GroupName\": \"ecr-fix-endpoints-demo\",\n            \"VpcId\"",
            )],
        );
        check(
            &taken,
            "vpce-ecr-api-missing",
            "vpc-0demo",
            &expect![[r#"
            manual: security group ecr-fix-endpoints-demo exists and lets others in than ecr-fix would: delete it, or mend it
        "#]],
        );
    }

    /// Found by its id, it would never look as it was planned: what is read goes by its name.
    #[test]
    fn our_own_group_is_used_again_by_its_name() {
        let again = story(
            "vpce-missing",
            &[("\"GroupName\": \"endpoints\"", "\"GroupName\": \"ecr-fix-endpoints-demo\"")],
        );
        check(
            &again,
            "vpce-ecr-api-missing",
            "vpc-0demo",
            &expect![[r#"
            make the interface endpoint for ecr.api in vpc-0demo
            + Interface endpoint com.amazonaws.eu-west-1.ecr.api
            +   subnet subnet-0a
            +   subnet subnet-0b
            +   security group ecr-fix-endpoints-demo
            +   private DNS on
            +   policy AWS's default: IAM alone decides
            because vpc-0demo uses endpoints and has none for ecr.api; one subnet in each zone with pullers (eu-west-1a, eu-west-1b); the groups of vpce-0ec2, which let every puller in
        "#]],
        );
    }

    /// Private DNS moves the whole VPC: the blocks of the VPC are let in only where somebody else would be cut off.
    #[test]
    fn whoever_reaches_ecr_today_still_reaches_it() {
        let peers = |changes: &[(&str, &str)]| -> Vec<String> {
            let world = story("vpce-missing-beside-others", changes);
            let network = Network::of(&world);
            let pulls = World::of(&world, &Scope::default()).unwrap();
            let group = Site::of(&network, &pulls).unwrap().own_group().unwrap();
            group.ingress.into_iter().map(|rule| rule.peer).collect()
        };
        assert_eq!(peers(&[]), ["10.42.0.0/16", "sg-0cluster"]);
        let no_machine = [("\"InterfaceType\": \"interface\"", "\"InterfaceType\": \"nat_gateway\"")];
        assert_eq!(peers(&no_machine), ["sg-0cluster"]);
        let no_way_out =
            [("\"DestinationCidrBlock\": \"0.0.0.0/0\"", "\"DestinationCidrBlock\": \"10.9.0.0/16\"")];
        assert_eq!(peers(&no_way_out), ["sg-0cluster"]);
        assert_eq!(
            peers(&[("\"NetworkInterfaces\"", "\"NothingThatIsRead\"")]),
            ["10.42.0.0/16", "sg-0cluster"]
        );
    }

    #[test]
    fn services_are_called_as_in_their_partition() {
        let in_china = |changes: &[(&str, &str)]| {
            let mut all = vec![("eu-west-1", "cn-north-1"), ("arn:aws:", "arn:aws-cn:")];
            all.extend(changes);
            let world = story("vpce-missing", &all);
            let network = Network::of(&world);
            let pulls = World::of(&world, &Scope::default()).unwrap();
            let site = Site::of(&network, &pulls).unwrap();
            ["ecr.dkr", "s3"].map(|service| site.service_name(service).unwrap())
        };
        // In its VPC stand endpoints without the prefix, as an emulator names them; AWS itself has it.
        assert_eq!(in_china(&[]), ["com.amazonaws.cn-north-1.ecr.dkr", "com.amazonaws.cn-north-1.s3"]);
        let of_aws = in_china(&[("com.amazonaws.cn-north-1.ec2", "cn.com.amazonaws.cn-north-1.ec2")]);
        assert_eq!(of_aws, ["cn.com.amazonaws.cn-north-1.ecr.dkr", "com.amazonaws.cn-north-1.s3"]);
        let none = in_china(&[("cn-north-1.ec2", "cn-north-1.ssm"), ("cn-north-1.sts", "cn-north-1.kms")]);
        assert_eq!(none[0], "cn.com.amazonaws.cn-north-1.ecr.dkr");
        let secret = story("vpce-missing", &[("eu-west-1", "us-iso-east-1"), ("arn:aws:", "arn:aws-iso:")]);
        check(
            &secret,
            "vpce-ecr-api-missing",
            "vpc-0demo",
            &expect![[r#"
            manual: how AWS calls the endpoint service of ecr.api in us-iso-east-1 is not known to ecr-fix
        "#]],
        );
    }

    /// What AWS says that it offers comes before what we know of names, and endpoints stand only where they can.
    #[test]
    fn services_are_those_that_aws_offers() {
        let offer = |service: &str, kind: &str, zones: &[&str]| EndpointService {
            service_id: format!("{service}-{kind}"),
            service_name: format!("com.amazonaws.eu-west-1.{service}"),
            service_type: vec![EndpointServiceType { service_type: kind.to_owned() }],
            availability_zones: zones.iter().map(|zone| (*zone).to_owned()).collect(),
        };
        let plan = |offers: &[EndpointService], service: &str| -> Result<usize, String> {
            let mut world = story("vpce-missing", &[]);
            offers.iter().cloned().for_each(|row| world.put(row));
            world.keys.insert("ServiceDetails".to_owned());
            let network = Network::of(&world);
            let pulls = World::of(&world, &Scope::default()).unwrap();
            let site = Site::of(&network, &pulls).unwrap();
            let (changes, _) =
                if service == "s3" { site.gateway_endpoint() } else { site.interface_endpoint(service) }?;
            let Some(AnyChange::VpcEndpoint(Change { after: Some(made), .. })) = changes.last() else {
                panic!("no endpoint is made");
            };
            Ok(made.subnet_ids.len())
        };
        let zones = ["eu-west-1a", "eu-west-1b"];
        assert_eq!(plan(&[offer("ecr.dkr", "Interface", &zones)], "ecr.dkr"), Ok(2));
        assert_eq!(plan(&[offer("ecr.dkr", "Interface", &zones[..1])], "ecr.dkr"), Ok(1));
        assert_eq!(plan(&[offer("ecr.dkr", "Interface", &[])], "ecr.dkr"), Ok(2), "the zones were not read");
        assert_eq!(plan(&[offer("s3", "Interface", &zones), offer("s3", "Gateway", &zones)], "s3"), Ok(0));
        let refusals = [
            plan(&[offer("ecr.dkr", "Interface", &["eu-west-1c"])], "ecr.dkr"),
            plan(&[offer("ecr.dkr", "Interface", &zones)], "ecr.api"),
            plan(&[offer("s3", "Interface", &zones)], "s3"),
        ];
        assert_eq!(
            refusals.map(Result::unwrap_err),
            [
                "AWS offers ecr.dkr in none of the zones with pullers",
                "AWS offers no endpoint for ecr.api in eu-west-1",
                "AWS offers no endpoint for s3 in eu-west-1",
            ]
        );
    }

    #[test]
    fn an_endpoint_whose_vpc_lost_its_names_needs_no_change_itself() {
        let off = story(
            "vpce-private-dns-disabled",
            &[
                ("\"PrivateDnsEnabled\": false", "\"PrivateDnsEnabled\": true"),
                (
                    "\"EnableDnsHostnames\": {\n        \"Value\": true",
                    "\"EnableDnsHostnames\": {\n        \"Value\": false",
                ),
            ],
        );
        check(
            &off,
            "vpce-private-dns-disabled",
            "vpce-0ecrapi",
            &expect![[r#"
            switch enableDnsHostnames of vpc-0demo on
            - enableDnsHostnames false
            + enableDnsHostnames true
            because the endpoint exists, and only names do not lead to it
        "#]],
        );
    }

    #[test]
    fn a_full_set_is_ordered_by_what_it_needs() {
        let world = story("vpce-missing-beside-others", &[]);
        let network = Network::of(&world);
        let pulls = World::of(&world, &Scope::default()).unwrap();
        let (changes, _) = full_set(&network, &pulls).unwrap();
        let kinds: Vec<Value> =
            changes.iter().map(|change| serde_json::to_value(change.kind()).unwrap()).collect();
        assert_eq!(
            kinds,
            [
                "create-vpc-endpoint",
                "modify-vpc-attribute",
                "create-security-group",
                "create-vpc-endpoint",
                "create-vpc-endpoint"
            ]
        );
        let mut mended = world.clone();
        changes.iter().for_each(|change| change.simulate(&mut mended));
        assert_eq!(
            mended.ec2.vpc_endpoints.len(),
            world.ec2.vpc_endpoints.len() + 3,
            "in this order AWS takes them"
        );
    }
}
