//! Whether a puller reaches what it pulls from: `dns`, `ecr-api-network`, `registry-network` and `layer-network`.
//!
//! The network model says which component stops packets; this says which cause that is.

mod endpoints;
mod entries;
mod filters;
mod fixes;
mod routes;
mod steps;

use std::collections::{BTreeMap, BTreeSet};

use super::Options;
use crate::checks::{Leg, Severity};
use crate::diagnosis::{Blocker, Evidence, Verdicts, pull_id};
use crate::model::EcrHost;
use crate::model::ec2::VpcEndpoint;
use crate::network::names::{self, PullHosts};
use crate::network::{
    self, Destination, HopKind, Network, Reason, Service, Side, Source, Trace, Verdict, pull,
};
use crate::pulls::{self, Pull, SourceKind, World};

/// The endpoint service behind each flow.
const SERVICES: [(Leg, &str); 3] =
    [(Leg::EcrApiNetwork, "ecr.api"), (Leg::RegistryNetwork, "ecr.dkr"), (Leg::LayerNetwork, "s3")];

/// Causes of a path that leads past the endpoints that it should take.
const LACKS_ENDPOINT: [&str; 7] = [
    "vpce-ecr-api-missing",
    "vpce-ecr-dkr-missing",
    "vpce-s3-missing",
    "vpce-s3-interface-only",
    "vpce-private-dns-disabled",
    "vpce-not-available",
    "vpc-dns-support-disabled",
];

/// One cause at one component, gathered over the pulls that it stops.
#[derive(Default)]
struct Stop {
    legs: BTreeSet<Leg>,
    pulls: BTreeSet<String>,
    because: BTreeSet<String>,
    /// The flows that stop here: which leg, how packets went, and from where.
    flows: Vec<Flow>,
}

/// One leg, how packets go on it, and from where.
type Flow = (Leg, Trace, Source);

type Stops = BTreeMap<(&'static str, String), Stop>;

/// Judges the legs that packets take.
pub(super) fn judge(world: &World<'_>, options: &Options, verdicts: &mut Verdicts) {
    let network = Network::of(world.snapshot);
    let mut stops = Stops::new();
    let mut flows: BTreeMap<(&pulls::Source, &str), Vec<Flow>> = BTreeMap::new();
    for pull in world.pulls() {
        let id = pull_id(&pull);
        let registry = pull.image.name.split('/').next().unwrap_or_default();
        let flows = flows
            .entry((pull.source, registry))
            .or_insert_with(|| flows_of(&network, world, &pull, registry));
        if flows.is_empty() {
            for leg in [Leg::Dns, Leg::EcrApiNetwork, Leg::RegistryNetwork, Leg::LayerNetwork] {
                verdicts.unknown(&id, leg, "where it runs was not read");
            }
        }
        for (leg, trace, source) in flows {
            match trace.verdict {
                Verdict::Reachable => verdicts.ok(&id, *leg),
                Verdict::Unknown => verdicts.unknown(&id, *leg, trace.unknown.join("; ")),
                Verdict::Blocked => note(&network, world, (*leg, trace, source), (&pull, &id), &mut stops),
            }
        }
    }
    for ((cause, component), stop) in stops {
        verdicts.blocked(blocker(&network, world, cause, component, stop, options));
    }
}

/// The flows of every class of places in which the source runs.
fn flows_of(network: &Network<'_>, world: &World<'_>, pull: &Pull<'_>, registry: &str) -> Vec<Flow> {
    let Some(hosts) = EcrHost::parse(registry).and_then(|host| PullHosts::of(&host)) else {
        return Vec::new();
    };
    let sources = places(network, world, pull.source);
    let mut flows = Vec::new();
    for (class, found) in pull::flows_by_class(network, &sources, &hosts) {
        let Some(source) = class.first() else { continue };
        let legs = [
            (Leg::Dns, found.dns),
            (Leg::EcrApiNetwork, found.ecr_api),
            (Leg::RegistryNetwork, found.registry),
            (Leg::LayerNetwork, found.layers),
        ];
        flows.extend(legs.map(|(leg, flow)| (leg, flow.trace, (*source).clone())));
    }
    flows
}

/// Where a source runs: what EKS would start, or the nodes that there are.
fn places(network: &Network<'_>, world: &World<'_>, source: &pulls::Source) -> Vec<Source> {
    let wanted = match source.kind {
        SourceKind::FargateProfile => network::SourceKind::FargateProfile,
        SourceKind::Nodegroup => network::SourceKind::Nodegroup,
        SourceKind::AutoMode | SourceKind::SelfManaged | SourceKind::Karpenter => {
            // A node pulls through its first interface; the others are for pods.
            let first = |id: &str| network.resolve_source(id).ok()?.into_iter().next();
            return world.nodes_of(source).filter_map(|node| first(&node.instance_id)).collect();
        }
        // It is not in a VPC.
        SourceKind::Hybrid => return Vec::new(),
    };
    let name = format!("{}/{}", world.target.cluster, source.id);
    let of_kind = |place: &Source| place.kind == wanted || wanted == network::SourceKind::Nodegroup;
    network.resolve_source(&name).unwrap_or_default().into_iter().filter(of_kind).collect()
}

fn note(
    network: &Network<'_>,
    world: &World<'_>,
    (leg, trace, source): (Leg, &Trace, &Source),
    (pull, id): (&Pull<'_>, &str),
    stops: &mut Stops,
) {
    let found = trace.blockers.iter().flat_map(|stopped| {
        let because = stopped.because.clone();
        let causes = causes(network, world, leg, stopped, source, pull).into_iter();
        causes.map(move |(cause, component)| (cause, component, because.clone()))
    });
    let found: Vec<(&'static str, String, String)> = found.collect();
    // Where an endpoint is missing or not used, what groups and ACLs say of public addresses is beside the point.
    let around_endpoint = found.iter().any(|(cause, ..)| LACKS_ENDPOINT.contains(cause));
    for (cause, component, because) in found {
        if around_endpoint && !LACKS_ENDPOINT.contains(&cause) {
            continue;
        }
        let stop = stops.entry((cause, component)).or_default();
        stop.legs.insert(leg);
        stop.pulls.insert(id.to_owned());
        stop.because.insert(because);
        stop.flows.push((leg, trace.clone(), source.clone()));
    }
}

/// The name that a flow is to.
fn host_of(trace: &Trace) -> Option<&str> {
    trace.forward.iter().find(|hop| hop.kind == HopKind::Dns).map(|hop| hop.id.as_str())
}

/// The same flow in another world.
fn trace_again(network: &Network<'_>, leg: Leg, trace: &Trace, source: &Source) -> Option<Trace> {
    if leg == Leg::Dns {
        return Some(pull::dns(network, source));
    }
    let host = Destination::Name(host_of(trace)?.to_owned());
    Some(network.trace(source, &host, Service::tcp(443)))
}

/// The causes behind a component that stops packets, each with what is at fault.
fn causes(
    network: &Network<'_>,
    world: &World<'_>,
    leg: Leg,
    stopped: &network::Blocker,
    source: &Source,
    pull: &Pull<'_>,
) -> Vec<(&'static str, String)> {
    let fargate = pull.source.kind == SourceKind::FargateProfile;
    let at_component = |cause| vec![(cause, stopped.component.clone())];
    match stopped.reason {
        Reason::SecurityGroupEgress if stopped.side == Side::Source => {
            let cause = if fargate {
                "fargate-sg-blocks"
            } else if leg == Leg::LayerNetwork && has_s3_gateway(world, source) {
                "sg-egress-missing-s3-prefix-list"
            } else {
                "sg-egress-blocked"
            };
            groups(stopped).into_iter().map(|group| (cause, group)).collect()
        }
        Reason::SecurityGroupIngress if stopped.side == Side::Destination => {
            groups(stopped).into_iter().map(|group| ("vpce-sg-blocks-443", group)).collect()
        }
        Reason::SecurityGroupEgress | Reason::SecurityGroupIngress => at_component("sg-egress-blocked"),
        Reason::NetworkAclEgress | Reason::NetworkAclIngress => at_component("nacl-blocked"),
        Reason::NatUnavailable => at_component("nat-gateway-broken"),
        Reason::NoPublicAddress => at_component("igw-no-public-ip"),
        Reason::EndpointUnavailable => at_component("vpce-not-available"),
        Reason::Dns => vec![("vpc-dns-support-disabled", vpc(world, source).unwrap_or_default())],
        Reason::BlackholeRoute => match stopped.kind {
            HopKind::NatGateway => at_component("nat-gateway-broken"),
            _ if stopped.because.contains("nat-") => at_component("nat-gateway-broken"),
            _ => at_component("tgw-egress-broken"),
        },
        Reason::ReturnPath => at_component("tgw-egress-broken"),
        Reason::NoRoute if leads_to_another_region(world, source, pull) => {
            vec![("cross-region-private-pull", vpc(world, source).unwrap_or_default())]
        }
        Reason::NoRoute => no_route(network, world, leg, stopped, source, fargate),
    }
}

/// Endpoints serve their own region: in a VPC that lives by them, an image of another one is out of reach.
fn leads_to_another_region(world: &World<'_>, source: &Source, pull: &Pull<'_>) -> bool {
    let has_endpoints = vpc(world, source).is_some_and(|vpc| endpoints(world, &vpc).next().is_some());
    has_endpoints && pull.image.region != world.target.region
}

/// The groups of an interface: the model names all of them as one component.
fn groups(stopped: &network::Blocker) -> Vec<String> {
    stopped.component.split(',').map(|group| group.trim().to_owned()).collect()
}

/// No route to a public address means a missing gateway in a VPC that reaches the internet, and a missing or
/// unused endpoint in one that is meant to do without.
fn no_route(
    network: &Network<'_>,
    world: &World<'_>,
    leg: Leg,
    stopped: &network::Blocker,
    source: &Source,
    fargate: bool,
) -> Vec<(&'static str, String)> {
    let Some(vpc) = vpc(world, source) else {
        return vec![("no-route-to-internet", stopped.component.clone())];
    };
    let service = SERVICES.iter().find(|(of, _)| *of == leg).map_or("", |(_, service)| *service);
    let of_service: Vec<&VpcEndpoint> =
        endpoints(world, &vpc).filter(|endpoint| serves(endpoint, service)).collect();
    let gateway =
        of_service.iter().find(|endpoint| endpoint.vpc_endpoint_type.eq_ignore_ascii_case("gateway"));
    if let Some(gateway) = gateway {
        return vec![("s3-gateway-route-table-missing", gateway.vpc_endpoint_id.clone())];
    }
    if let Some(endpoint) = of_service.first() {
        return unused(network, endpoint, &vpc);
    }
    let missing = match service {
        "ecr.api" => "vpce-ecr-api-missing",
        "ecr.dkr" => "vpce-ecr-dkr-missing",
        _ => "vpce-s3-missing",
    };
    if endpoints(world, &vpc).next().is_some() {
        vec![(missing, vpc)]
    } else if fargate {
        vec![("fargate-subnet-no-egress", source.subnet.clone().unwrap_or_else(|| stopped.component.clone()))]
    } else {
        vec![("no-route-to-internet", stopped.component.clone())]
    }
}

/// There is an endpoint, and names do not lead to it.
fn unused(network: &Network<'_>, endpoint: &VpcEndpoint, vpc: &str) -> Vec<(&'static str, String)> {
    let known_off = |seen| matches!(seen, crate::model::Seen::Known(false));
    if !endpoint.state.eq_ignore_ascii_case("available") {
        vec![("vpce-not-available", endpoint.vpc_endpoint_id.clone())]
    } else if serves(endpoint, "s3") {
        vec![("vpce-s3-interface-only", endpoint.vpc_endpoint_id.clone())]
    } else if known_off(names::dns_support(network, vpc)) {
        vec![("vpc-dns-support-disabled", vpc.to_owned())]
    } else {
        vec![("vpce-private-dns-disabled", endpoint.vpc_endpoint_id.clone())]
    }
}

fn endpoints<'w>(world: &'w World<'_>, vpc: &str) -> impl Iterator<Item = &'w VpcEndpoint> {
    world.snapshot.ec2.vpc_endpoints.values().filter(move |endpoint| endpoint.vpc_id == vpc)
}

fn serves(endpoint: &VpcEndpoint, service: &str) -> bool {
    endpoint.service_name.ends_with(&format!(".{service}"))
}

fn has_s3_gateway(world: &World<'_>, source: &Source) -> bool {
    let Some(vpc) = vpc(world, source) else { return false };
    endpoints(world, &vpc)
        .any(|endpoint| serves(endpoint, "s3") && endpoint.vpc_endpoint_type.eq_ignore_ascii_case("gateway"))
}

fn vpc(world: &World<'_>, source: &Source) -> Option<String> {
    let ec2 = &world.snapshot.ec2;
    let by_interface = source.interface.as_ref().and_then(|id| ec2.network_interfaces.get(id));
    let subnet =
        by_interface.and_then(|interface| interface.subnet_id.clone()).or_else(|| source.subnet.clone())?;
    ec2.subnets.get(&subnet).map(|subnet| subnet.vpc_id.clone())
}

fn blocker(
    network: &Network<'_>,
    world: &World<'_>,
    cause: &'static str,
    component: String,
    stop: Stop,
    options: &Options,
) -> Blocker {
    let fix = fixes::fix(network, world, cause, &component, &stop, options);
    let because: Vec<String> = stop.because.into_iter().collect();
    let summary = because.first().cloned().unwrap_or_default();
    Blocker {
        cause,
        legs: stop.legs.into_iter().collect(),
        pulls: stop.pulls.into_iter().collect(),
        severity: Severity::Critical,
        account: world.target.account.clone(),
        summary,
        evidence: because
            .iter()
            .map(|saw| Evidence { source: source_call(&component).to_owned(), saw: saw.clone() })
            .collect(),
        fix,
        resource: component,
    }
}

/// The read that shows a component, by the prefix of its id.
fn source_call(component: &str) -> &'static str {
    let prefix = component.split('-').next().unwrap_or_default();
    match prefix {
        "sg" => "ec2:DescribeSecurityGroups",
        "acl" => "ec2:DescribeNetworkAcls",
        "rtb" => "ec2:DescribeRouteTables",
        "vpce" => "ec2:DescribeVpcEndpoints",
        "nat" => "ec2:DescribeNatGateways",
        "vpc" => "ec2:DescribeVpcs",
        "subnet" => "ec2:DescribeSubnets",
        _ => "ec2:DescribeNetworkInterfaces",
    }
}
