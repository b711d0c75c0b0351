//! The flows of a pull: name resolution, the ECR API, the registry, and the bucket that serves layers.

use serde::Serialize;

use super::filter::Service;
use super::names::{self, PullHosts, Resolution, Resolver};
use super::trace::{Blocker, Decision, Hop, HopKind, Reason, Side, Trace, Verdict};
use super::{Destination, Network, Source};
use crate::model::Seen;

/// HTTPS.
const HTTPS: Service = Service::tcp(443);

/// What becomes of the flows of one pull, in the order in which a pull needs them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Flows {
    /// To the resolver.
    pub dns: Flow,
    /// To `api.ecr`, for the token.
    pub ecr_api: Flow,
    /// To the registry host, for the manifest.
    pub registry: Flow,
    /// To the bucket, for the layers.
    pub layers: Flow,
}

/// One flow of a pull.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Flow {
    /// The name that is looked up; `dns` for the look-up itself.
    pub host: String,
    /// Protocol and port.
    #[serde(skip)]
    pub service: Service,
    /// What the name resolves to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
    /// How packets go.
    pub trace: Trace,
}

impl Flows {
    /// In the order in which a pull needs them.
    pub fn in_order(&self) -> [&Flow; 4] {
        [&self.dns, &self.ecr_api, &self.registry, &self.layers]
    }

    /// The worst of the four.
    pub fn verdict(&self) -> Verdict {
        self.in_order().iter().map(|flow| flow.trace.verdict).max().unwrap_or(Verdict::Unknown)
    }
}

/// Follows every flow of pulling from a registry.
pub fn flows(network: &Network<'_>, source: &Source, hosts: &PullHosts) -> Flows {
    let to = |host: &String| Flow {
        host: host.clone(),
        service: HTTPS,
        resolution: Some(network.resolve(source, host)),
        trace: network.trace(source, &Destination::Name(host.clone()), HTTPS),
    };
    let dns = Flow {
        host: "dns".to_owned(),
        service: Service::udp(53),
        resolution: None,
        trace: dns(network, source),
    };
    Flows { dns, ecr_api: to(&hosts.api), registry: to(&hosts.registry), layers: to(&hosts.layers) }
}

/// The flows of many sources, each class of sources traced once: the sources of each class, and what becomes of them.
pub fn flows_by_class<'s>(
    network: &Network<'_>,
    sources: &'s [Source],
    hosts: &PullHosts,
) -> Vec<(Vec<&'s Source>, Flows)> {
    let classes = network.classes(sources).into_iter();
    classes
        .filter_map(|class| Some((flows(network, class.first()?, hosts), class)))
        .map(|(flows, class)| (class, flows))
        .collect()
}

impl Network<'_> {
    /// The name servers of the VPC's own choice; none where the Amazon resolver answers.
    pub fn custom_resolvers(&self, source: &Source) -> Vec<std::net::IpAddr> {
        match self.vpc_of(source).map(|vpc| names::resolver(self, vpc)) {
            Some(Resolver::Custom(servers)) => servers,
            Some(Resolver::Amazon | Resolver::Unknown(_)) | None => Vec::new(),
        }
    }
}

/// To the resolver that the VPC's DHCP options name.
pub fn dns(network: &Network<'_>, source: &Source) -> Trace {
    let mut hops = network.first_hops(source);
    let Some(vpc) = network.vpc_of(source) else {
        return Trace::unknown(hops, "the VPC of the source was not read");
    };
    let id = network.vpcs.get(vpc).map(|vpc| vpc.id.clone()).unwrap_or_default();
    match names::resolver(network, vpc) {
        Resolver::Unknown(why) => Trace::unknown(hops, why),
        Resolver::Custom(servers) => custom_dns(network, source, &servers),
        Resolver::Amazon => {
            let hop = Hop::new(HopKind::Resolver, "Amazon resolver");
            match names::dns_support(network, &id) {
                Seen::Known(true) => {
                    hops.push(hop.saying("not filtered by groups and network ACLs"));
                    Trace { verdict: Verdict::Reachable, unknown: Vec::new(), ..Trace::unknown(hops, "") }
                }
                Seen::Known(false) => {
                    let because =
                        format!("enableDnsSupport of {id} is off: the Amazon resolver does not answer");
                    hops.push(hop.decided(Decision::Deny, because.clone()));
                    let blocker = Blocker {
                        component: id,
                        kind: HopKind::Dns,
                        reason: Reason::Dns,
                        side: Side::Source,
                        on_return: false,
                        because,
                        failing: Vec::new(),
                        denied: None,
                    };
                    Trace::blocked(hops, blocker)
                }
                Seen::Absent | Seen::Unread(_) => {
                    Trace::unknown(hops, format!("enableDnsSupport of {id} was not read"))
                }
            }
        }
    }
}

/// A custom server may be out of reach; what one within reach answers is not in the snapshot.
fn custom_dns(network: &Network<'_>, source: &Source, servers: &[std::net::IpAddr]) -> Trace {
    let traces =
        servers.iter().map(|server| network.trace(source, &Destination::Address(*server), Service::udp(53)));
    let Some(mut best) = Trace::any(traces.collect()) else {
        return Trace::unknown(network.first_hops(source), "the DHCP options name no DNS server");
    };
    if best.verdict != Verdict::Blocked {
        best.verdict = Verdict::Unknown;
        let names: Vec<String> = servers.iter().map(ToString::to_string).collect();
        best.unknown.push(format!(
            "what the custom DNS servers ({}) answer is not in the snapshot",
            names.join(", ")
        ));
    }
    best
}
