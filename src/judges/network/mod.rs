//! Whether a puller reaches what it pulls from: `dns`, `ecr-api-network`, `registry-network` and `layer-network`.
//!
//! The network model says which component stops packets; this says which cause that is.

mod endpoints;
mod entries;
mod filters;
mod firewall;
mod fixes;
mod naming;
mod routes;
mod steps;

use std::collections::{BTreeMap, BTreeSet};

use super::Options;
use crate::checks::{Leg, Severity};
use crate::diagnosis::{Blocker, Evidence, Pairs, Verdicts, pull_id};
use crate::model::{EcrHost, Seen};
use crate::network::names::PullHosts;
use crate::network::{self, Destination, HopKind, Network, Service, Source, Trace, Verdict, pull};
use crate::pulls::{self, Pull, SourceKind, World};

/// Causes of a path that leads past the endpoints that it should take.
const LACKS_ENDPOINT: [&str; 10] = [
    "vpce-ecr-api-missing",
    "vpce-ecr-dkr-missing",
    "vpce-s3-missing",
    "vpce-s3-interface-only",
    "vpce-private-dns-disabled",
    "vpce-shared-dns-missing",
    "vpce-fips-or-dualstack-name",
    "vpce-not-available",
    "vpc-dns-support-disabled",
    "cross-region-private-pull",
];

/// One cause at one component, gathered over the pulls that it stops.
#[derive(Default)]
struct Stop {
    pairs: Pairs,
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
                Verdict::Unknown => match firewall::cut(&network, world, trace, source) {
                    Some(firewall::Cut { firewall, because }) => {
                        let stop = stops.entry(("network-firewall-block", firewall)).or_default();
                        stop.pairs.insert((id.clone(), *leg));
                        stop.because.insert(because);
                    }
                    None => verdicts.unknown(&id, *leg, doubt(trace)),
                },
                Verdict::Blocked => note(&network, world, (*leg, trace, source), (&pull, &id), &mut stops),
            }
        }
    }
    for ((cause, component), stop) in stops {
        let pairs = stop.pairs.clone();
        verdicts.blocked_exactly(blocker(&network, world, cause, component, stop, options), pairs);
    }
}

/// What is not known of a way, and the cause to think of.
fn doubt(trace: &Trace) -> String {
    let unknown = trace.unknown.join("; ");
    match naming::suspect(&unknown) {
        Some(cause) => format!("{unknown} (read: ecr-fix explain {cause})"),
        None => unknown,
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

/// Where a source runs: what EKS would start, or the nodes that there are; none where that was not read.
pub(crate) fn places(network: &Network<'_>, world: &World<'_>, source: &pulls::Source) -> Vec<Source> {
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
    if source.kind == SourceKind::Nodegroup && would_be_guesses(network, world, &name) {
        return Vec::new();
    }
    let of_kind = |place: &Source| place.kind == wanted || wanted == network::SourceKind::Nodegroup;
    network.resolve_source(&name).unwrap_or_default().into_iter().filter(of_kind).collect()
}

/// Whether a group has no nodes that we know of, and how those would be that it starts is not known: because nobody
/// looked for nodes, or because its launch template, which may give them other security groups than the cluster's, is not
/// known.
fn would_be_guesses(network: &Network<'_>, world: &World<'_>, name: &str) -> bool {
    let snapshot = world.snapshot;
    let Some(group) = snapshot.nodegroups.get(name) else { return true };
    if network.has_nodes(&group.cluster_name, &group.nodegroup_name) {
        return false;
    }
    let looked = matches!(snapshot.missing::<()>("Reservations", "ec2:DescribeInstances", ""), Seen::Absent);
    let unclear = match snapshot.template_of(group) {
        Seen::Known(template) => matches!(template.groups(), Seen::Unread(_)),
        Seen::Absent => false,
        Seen::Unread(_) => true,
    };
    !looked || unclear
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
        let causes = naming::causes(network, world, leg, stopped, source, pull).into_iter();
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
        stop.pairs.insert((id.to_owned(), leg));
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
        legs: stop.pairs.iter().map(|(_, leg)| *leg).collect::<BTreeSet<Leg>>().into_iter().collect(),
        pulls: stop
            .pairs
            .into_iter()
            .map(|(pull, _)| pull)
            .collect::<BTreeSet<String>>()
            .into_iter()
            .collect(),
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
        "eigw" => "ec2:DescribeEgressOnlyInternetGateways",
        zone if zone.starts_with('Z') => "route53:ListHostedZonesByVPC",
        "subnet" => "ec2:DescribeSubnets",
        arn if arn.starts_with("arn:") => "network-firewall:DescribeRuleGroup",
        _ => "ec2:DescribeNetworkInterfaces",
    }
}
