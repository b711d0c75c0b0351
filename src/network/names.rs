//! What a host name resolves to for the machines of a VPC.
//!
//! Sources: the ECR user guide, "Amazon ECR interface VPC endpoints"; the VPC user guide, "DNS attributes for your VPC";
//! the S3 user guide, "Private DNS"; botocore `partitions.json`.

use std::net::{IpAddr, Ipv4Addr};

use serde::Serialize;

use super::Network;
use crate::model::ec2::VpcEndpoint;
use crate::model::ecr_host::{EcrHost, HostKind, is_region_like};
use crate::model::route53::HostedZone;
use crate::model::snapshot::Record as _;
use crate::model::{Partition, Seen};

/// The answer to a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resolution {
    /// The interfaces of an endpoint in this VPC.
    Private {
        /// `vpce-…`.
        endpoint: String,
    },
    /// Public addresses of AWS.
    Public {
        /// The name of the prefix list that holds them, for S3 and DynamoDB: `com.amazonaws.eu-west-1.s3`.
        prefix_list: Option<String>,
        /// Whether there are IPv6 addresses too.
        dual_stack: bool,
    },
    /// This very address.
    Address(IpAddr),
    /// Somebody else's resolver answers, or what decides was not read.
    Unknown(String),
    /// The name has no answer.
    NoAnswer(String),
}

/// Who answers the machines of a VPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolver {
    /// Amazon's own, which knows the private names of endpoints.
    Amazon,
    /// Servers that the DHCP options name.
    Custom(Vec<IpAddr>),
    /// Not read.
    Unknown(String),
}

/// The three names that a pull of an image looks up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullHosts {
    /// Issues the token.
    pub api: String,
    /// Serves manifests.
    pub registry: String,
    /// Serves layers.
    pub layers: String,
}

impl PullHosts {
    /// What a pull from a registry looks up, one after the other; `None` where the host is not a registry that can exist.
    pub fn of(registry: &EcrHost) -> Option<PullHosts> {
        if registry.kind != HostKind::Registry || registry.defect.is_some() {
            return None;
        }
        let (account, region) = (registry.account.as_deref()?, registry.region.as_deref()?);
        let partition = Partition::of_region(region);
        let suffix = partition.dns_suffix;
        let ecr = if registry.fips { "ecr-fips" } else { "ecr" };
        let (api, registry) = if registry.dual_stack {
            let api = format!("{ecr}.{region}.{}", partition.dual_stack_dns_suffix);
            (api, format!("{account}.dkr-{ecr}.{region}.{}", registry_suffix(partition)))
        } else {
            let api = if registry.fips { "ecr-fips" } else { "api.ecr" };
            (format!("{api}.{region}.{suffix}"), format!("{account}.dkr.{ecr}.{region}.{suffix}"))
        };
        Some(PullHosts {
            api,
            registry,
            layers: format!("prod-{region}-starport-layer-bucket.s3.{region}.{suffix}"),
        })
    }
}

/// `on.aws`, and its counterpart in other partitions: the dual-stack domain without its `api.`.
fn registry_suffix(partition: &Partition) -> String {
    let domain =
        partition.dual_stack_dns_suffix.strip_prefix("api.").unwrap_or(partition.dual_stack_dns_suffix);
    format!("on.{domain}")
}

/// Who answers the machines of a VPC, by its DHCP options.
pub fn resolver(network: &Network<'_>, vpc: usize) -> Resolver {
    let ec2 = network.ec2();
    let Some(row) = network.vpcs.get(vpc) else {
        return Resolver::Unknown("the VPC was not read".to_owned());
    };
    let id = match ec2.vpcs.get(&row.id) {
        Some(described) => described.dhcp_options_id.as_deref().unwrap_or("default"),
        None => return Resolver::Unknown(format!("the DHCP options of {} were not read", row.id)),
    };
    let Some(options) = ec2.dhcp_options.get(id) else {
        return match id {
            "default" => Resolver::Amazon,
            _ => Resolver::Unknown(format!("DHCP options {id} of {} were not read", row.id)),
        };
    };
    let own = network.resolver_of(row);
    let servers: Vec<&str> = options.name_servers();
    let is_amazon = |server: &&str| {
        let address = server.parse::<IpAddr>().ok();
        server.eq_ignore_ascii_case("AmazonProvidedDNS")
            || ["169.254.169.253", "fd00:ec2::253"].contains(server)
            || address.is_some() && address == own
    };
    if servers.is_empty() || servers.iter().all(is_amazon) {
        return Resolver::Amazon;
    }
    Resolver::Custom(
        servers.iter().filter(|server| !is_amazon(server)).filter_map(|server| server.parse().ok()).collect(),
    )
}

/// What a name resolves to for the machines of a VPC.
pub fn resolve(network: &Network<'_>, vpc: usize, host: &str) -> Resolution {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    match resolver(network, vpc) {
        Resolver::Amazon => {}
        Resolver::Custom(servers) => {
            let servers: Vec<String> = servers.iter().map(ToString::to_string).collect();
            return Resolution::Unknown(format!(
                "custom DNS servers ({}) answer for {host}: what they say is not in the snapshot",
                servers.join(", ")
            ));
        }
        Resolver::Unknown(why) => return Resolution::Unknown(why),
    }
    let id = network.vpcs.get(vpc).map_or("", |vpc| vpc.id.as_str());
    match dns_support(network, id) {
        Seen::Known(true) => {}
        Seen::Known(false) => {
            return Resolution::NoAnswer(format!(
                "enableDnsSupport of {id} is off: the Amazon resolver does not answer"
            ));
        }
        Seen::Absent | Seen::Unread(_) => {
            return Resolution::Unknown(format!("enableDnsSupport of {id} was not read"));
        }
    }
    if let Some(answer) = by_endpoint(network, vpc, id, &host) {
        return answer;
    }
    if let Some(answer) = by_route53(network, id, &host) {
        return answer;
    }
    if let Some(address) = internal_name(&host) {
        return Resolution::Address(address);
    }
    by_service(network, vpc, &host)
}

/// `enableDnsSupport` of a VPC.
pub fn dns_support(network: &Network<'_>, vpc: &str) -> Seen<bool> {
    match network.ec2().dns_support.get(vpc) {
        Some(row) => Seen::Known(row.enable_dns_support.value),
        None => Seen::Unread("ec2:DescribeVpcAttribute".to_owned()),
    }
}

/// `enableDnsHostnames` of a VPC.
pub fn dns_hostnames(network: &Network<'_>, vpc: &str) -> Seen<bool> {
    match network.ec2().dns_hostnames.get(vpc) {
        Some(row) => Seen::Known(row.enable_dns_hostnames.value),
        None => Seen::Unread("ec2:DescribeVpcAttribute".to_owned()),
    }
}

/// The endpoint of this VPC whose private name this is.
fn by_endpoint(network: &Network<'_>, vpc: usize, vpc_id: &str, host: &str) -> Option<Resolution> {
    let ec2 = network.ec2();
    // The names of the endpoint itself resolve everywhere, and to its private addresses.
    let own = ec2.vpc_endpoints.values().find(|endpoint| own_names(endpoint).any(|name| name == host));
    if let Some(endpoint) = own {
        return Some(Resolution::Private { endpoint: endpoint.vpc_endpoint_id.clone() });
    }
    let mut here =
        ec2.vpc_endpoints.values().filter(|endpoint| endpoint.vpc_id == vpc_id && serves(endpoint, host));
    let Some(endpoint) = here.next() else {
        let read = network.was_read("VpcEndpoints", "ec2:DescribeVpcEndpoints");
        let of_aws = matches!(by_service(network, vpc, host), Resolution::Public { .. });
        return (!read && of_aws)
            .then(|| Resolution::Unknown(format!("the endpoints of {vpc_id} were not read")));
    };
    match dns_hostnames(network, vpc_id) {
        Seen::Known(true) => Some(Resolution::Private { endpoint: endpoint.vpc_endpoint_id.clone() }),
        Seen::Known(false) => None,
        Seen::Absent | Seen::Unread(_) => {
            Some(Resolution::Unknown(format!("enableDnsHostnames of {vpc_id} was not read")))
        }
    }
}

/// The private zone or the resolver rule that takes a name from the public ones: the longest domain wins, and of equal
/// ones the rule (Route 53 guide, "How VPC Resolver evaluates rules").
fn by_route53(network: &Network<'_>, vpc: &str, host: &str) -> Option<Resolution> {
    let known = &network.snapshot.route53;
    let here = known.resolver_rule_associations.values().filter(|association| association.vpc_id == vpc);
    let rules = here.filter_map(|association| known.resolver_rules.get(&association.resolver_rule_id));
    let rule = rules
        .filter(|rule| holds(&rule.domain_name, host))
        .max_by_key(|rule| domain(&rule.domain_name).len());
    match (rule, private_zone(network, vpc, host)) {
        (Some(rule), zone)
            if zone.is_none_or(|zone| {
                domain(&zone.hosted_zone.name).len() <= domain(&rule.domain_name).len()
            }) =>
        {
            let forwarded = rule.rule_type.eq_ignore_ascii_case("forward");
            let why = format!("resolver rule {} sends {host} to another DNS server", rule.id);
            forwarded.then_some(Resolution::Unknown(why))
        }
        (_, Some(zone)) => Some(by_zone(network, zone, host)),
        (_, None) => {
            let refused = network.snapshot.unread.iter().find(|unread| unread.source == PRIVATE_ZONES)?;
            let why =
                format!("the private zones of {vpc} were not read ({PRIVATE_ZONES}: {})", refused.because);
            Some(Resolution::Unknown(why))
        }
    }
}

/// The call that lists the private zones of a VPC. Where nobody made it, nothing speaks for a zone; where it was refused,
/// there may be one.
const PRIVATE_ZONES: &str = "route53:ListHostedZonesByVPC";

/// The private zone of a VPC that answers for a name: the nearest.
pub fn private_zone<'a>(network: &Network<'a>, vpc: &str, host: &str) -> Option<&'a HostedZone> {
    let zones = network.snapshot.route53.zones.values();
    let zones = zones.filter(|zone| zone.vpcs.iter().any(|seen| seen.vpc_id == vpc));
    zones
        .filter(|zone| holds(&zone.hosted_zone.name, host))
        .max_by_key(|zone| domain(&zone.hosted_zone.name).len())
}

/// A private zone answers for every name below it, also where it has no record.
fn by_zone(network: &Network<'_>, zone: &HostedZone, host: &str) -> Resolution {
    let (id, name) = (zone.id(), domain(&zone.hosted_zone.name));
    let Some(records) = network.snapshot.route53.records.get(&id) else {
        return Resolution::Unknown(format!(
            "private zone {name} ({id}) answers for {host}, and its records were not read"
        ));
    };
    let addresses = records.iter().filter(|record| record.r#type == "A");
    let named = addresses.filter(|record| matches(&domain(&record.name), host));
    // A record of the very name comes before a wildcard.
    let Some(record) = named.min_by_key(|record| domain(&record.name).starts_with("*.")) else {
        return Resolution::NoAnswer(format!(
            "private zone {name} ({id}) shadows {host} and has no record for it"
        ));
    };
    let address = record.resource_records.iter().find_map(|record| record.value.parse().ok());
    let endpoints = &mut network.ec2().vpc_endpoints.values();
    let alias = record.alias_target.as_ref().map(|alias| domain(&alias.dns_name));
    let endpoint =
        alias.and_then(|alias| endpoints.find(|endpoint| own_names(endpoint).any(|name| name == alias)));
    match (address, endpoint) {
        (Some(address), _) => Resolution::Address(address),
        (None, Some(endpoint)) => Resolution::Private { endpoint: endpoint.vpc_endpoint_id.clone() },
        (None, None) => Resolution::Unknown(format!(
            "where the record {} of private zone {name} leads was not read",
            record.name
        )),
    }
}

/// A domain in the form in which hosts are compared: no dot at the end, `*` for `\052`.
fn domain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase().replace("\\052", "*")
}

/// Whether a host is a domain or below it; the root holds all.
fn holds(name: &str, host: &str) -> bool {
    let name = domain(name);
    name.is_empty() || host == name || host.strip_suffix(&name).is_some_and(|rest| rest.ends_with('.'))
}

fn own_names(endpoint: &VpcEndpoint) -> impl Iterator<Item = String> + '_ {
    let names = endpoint.dns_entries.iter().filter_map(|entry| entry.dns_name.as_deref());
    names.filter(|name| name.starts_with("vpce-")).map(str::to_ascii_lowercase)
}

/// Whether a working endpoint answers for a name by private DNS.
pub fn serves(endpoint: &VpcEndpoint, host: &str) -> bool {
    let working = endpoint.vpc_endpoint_type.eq_ignore_ascii_case("interface")
        && endpoint.private_dns_enabled
        && (endpoint.state.is_empty() || endpoint.state.eq_ignore_ascii_case("available"));
    let for_inbound_only = endpoint
        .dns_options
        .as_ref()
        .is_some_and(|options| options.private_dns_only_for_inbound_resolver_endpoint == Some(true));
    working && !for_inbound_only && private_names(endpoint).iter().any(|name| matches(name, host))
}

/// The private names of an endpoint: those that it lists, and those that the guide of its service promises.
pub fn private_names(endpoint: &VpcEndpoint) -> Vec<String> {
    let listed = endpoint.dns_entries.iter().filter_map(|entry| entry.dns_name.as_deref());
    let listed = listed
        .filter(|name| !name.starts_with("vpce-") && !name.contains(".vpce."))
        .map(str::to_ascii_lowercase);
    let promised = service_and_region(endpoint).map(|(service, region)| {
        let suffix = Partition::of_region(&region).dns_suffix;
        match service {
            "ecr.api" => vec![format!("api.ecr.{region}.{suffix}")],
            "ecr.dkr" => vec![format!("*.dkr.ecr.{region}.{suffix}")],
            "sts" => vec![format!("sts.{region}.{suffix}")],
            "s3" => vec![format!("s3.{region}.{suffix}"), format!("*.s3.{region}.{suffix}")],
            _ => Vec::new(),
        }
    });
    listed.chain(promised.into_iter().flatten()).collect()
}

/// `ecr.api` and `eu-west-1` of `com.amazonaws.eu-west-1.ecr.api`, whatever stands before the region.
pub fn service_and_region(endpoint: &VpcEndpoint) -> Option<(&'static str, String)> {
    const SERVICES: [&str; 4] = ["ecr.api", "ecr.dkr", "sts", "s3"];
    SERVICES.iter().find_map(|service| {
        let before = endpoint.service_name.strip_suffix(service)?.strip_suffix('.')?;
        let region = before.rsplit('.').next()?.to_owned();
        Some((*service, endpoint.service_region.clone().unwrap_or(region)))
    })
}

/// `*.` stands for one label, as in the names of endpoints.
fn matches(name: &str, host: &str) -> bool {
    match name.strip_prefix("*.") {
        Some(parent) => host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == parent),
        None => name == host,
    }
}

/// `ip-10-0-0-1.eu-west-1.compute.internal`.
fn internal_name(host: &str) -> Option<IpAddr> {
    let (first, rest) = host.split_once('.')?;
    if !rest.ends_with("compute.internal") && rest != "ec2.internal" {
        return None;
    }
    let address: Ipv4Addr = first.strip_prefix("ip-")?.replace('-', ".").parse().ok()?;
    Some(address.into())
}

/// The public names of the services that a pull needs.
fn by_service(network: &Network<'_>, vpc: usize, host: &str) -> Resolution {
    let labels: Vec<&str> = host.split('.').collect();
    let region = labels.iter().copied().find(|label| is_region_like(label)).or_else(|| network.region(vpc));
    let Some(region) = region else {
        return Resolution::Unknown(format!("what {host} resolves to is not in the snapshot"));
    };
    let partition = Partition::of_region(region);
    let dual_stack = host.ends_with(partition.dual_stack_dns_suffix)
        || host.ends_with(&registry_suffix(partition))
        || labels.contains(&"dualstack");
    if !dual_stack && !host.ends_with(partition.dns_suffix) {
        return Resolution::Unknown(format!("what {host} resolves to is not in the snapshot"));
    }
    let s3 = labels.contains(&"s3");
    Resolution::Public { prefix_list: s3.then(|| format!("com.amazonaws.{region}.s3")), dual_stack }
}

#[test]
fn a_pull_looks_up_three_names() {
    let hosts =
        |host| PullHosts::of(&EcrHost::parse(host)?).map(|hosts| (hosts.api, hosts.registry, hosts.layers));
    let triple = |api: &str, registry: &str, layers: &str| {
        Some((api.to_owned(), registry.to_owned(), layers.to_owned()))
    };
    assert_eq!(
        hosts("111122223333.dkr.ecr.eu-west-1.amazonaws.com"),
        triple(
            "api.ecr.eu-west-1.amazonaws.com",
            "111122223333.dkr.ecr.eu-west-1.amazonaws.com",
            "prod-eu-west-1-starport-layer-bucket.s3.eu-west-1.amazonaws.com"
        )
    );
    assert_eq!(
        hosts("111122223333.dkr-ecr.us-west-2.on.aws"),
        triple(
            "ecr.us-west-2.api.aws",
            "111122223333.dkr-ecr.us-west-2.on.aws",
            "prod-us-west-2-starport-layer-bucket.s3.us-west-2.amazonaws.com"
        )
    );
    assert_eq!(
        hosts("111122223333.dkr.ecr-fips.us-gov-west-1.amazonaws.com"),
        triple(
            "ecr-fips.us-gov-west-1.amazonaws.com",
            "111122223333.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
            "prod-us-gov-west-1-starport-layer-bucket.s3.us-gov-west-1.amazonaws.com"
        )
    );
    assert_eq!(
        hosts("111122223333.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn").map(|hosts| hosts.0),
        Some("ecr.cn-north-1.api.amazonwebservices.com.cn".to_owned())
    );
    assert_eq!(hosts("111122223333.dkr.ecr.cn-north-1.amazonaws.com"), None);
    assert_eq!(hosts("docker.io"), None);
    assert_eq!(hosts("public.ecr.aws"), None);
}
