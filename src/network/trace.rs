//! What a trace says: hops in order, the verdict, and what stopped it.

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::addresses::AddressSet;
use super::filter::{Direction, Service};

/// Whether packets get through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// There and back.
    Reachable,
    /// Something that was not read or is not modelled decides.
    Unknown,
    /// Something stops them.
    Blocked,
}

impl Verdict {
    /// The word in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Reachable => "reachable",
            Verdict::Unknown => "unknown",
            Verdict::Blocked => "blocked",
        }
    }
}

/// Why packets stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// No rule of the sender's groups lets them out.
    SecurityGroupEgress,
    /// No rule of the receiver's groups lets them in.
    SecurityGroupIngress,
    /// A network ACL does not let them out of a subnet.
    NetworkAclEgress,
    /// A network ACL does not let them into a subnet.
    NetworkAclIngress,
    /// No route leads there, or nothing is there.
    NoRoute,
    /// The route's target is gone.
    BlackholeRoute,
    /// An internet gateway carries only interfaces with a public address.
    NoPublicAddress,
    /// The NAT gateway is not working, or does not carry this.
    NatUnavailable,
    /// The endpoint is not available.
    EndpointUnavailable,
    /// The name does not resolve.
    Dns,
    /// Replies find no way back.
    ReturnPath,
}

impl Reason {
    /// The word in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::SecurityGroupEgress => "security-group-egress",
            Reason::SecurityGroupIngress => "security-group-ingress",
            Reason::NetworkAclEgress => "network-acl-egress",
            Reason::NetworkAclIngress => "network-acl-ingress",
            Reason::NoRoute => "no-route",
            Reason::BlackholeRoute => "blackhole-route",
            Reason::NoPublicAddress => "no-public-address",
            Reason::NatUnavailable => "nat-unavailable",
            Reason::EndpointUnavailable => "endpoint-unavailable",
            Reason::Dns => "dns",
            Reason::ReturnPath => "return-path",
        }
    }

    /// Whether it is a rule that stops packets, and not the lack of a way.
    pub fn is_filter(self) -> bool {
        matches!(
            self,
            Reason::SecurityGroupEgress
                | Reason::SecurityGroupIngress
                | Reason::NetworkAclEgress
                | Reason::NetworkAclIngress
        )
    }
}

/// What kind of component a hop is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HopKind {
    /// An EC2 instance.
    Instance,
    /// A network interface.
    NetworkInterface,
    /// A pod, node or interface that does not exist yet, by where it will be.
    Workload,
    /// The groups of an interface.
    SecurityGroup,
    /// A subnet that packets leave or enter.
    Subnet,
    /// The network ACL of a subnet.
    NetworkAcl,
    /// A route of a VPC's or a transit gateway's table.
    Route,
    /// The router of a VPC.
    Vpc,
    /// An internet gateway.
    InternetGateway,
    /// An egress-only internet gateway.
    EgressOnlyInternetGateway,
    /// A NAT gateway.
    NatGateway,
    /// An endpoint: gateway, interface or Gateway Load Balancer.
    VpcEndpoint,
    /// A transit gateway.
    TransitGateway,
    /// An attachment of a transit gateway.
    TransitGatewayAttachment,
    /// A peering.
    PeeringConnection,
    /// A VPN gateway.
    VpnGateway,
    /// A target that is not modelled.
    Gateway,
    /// The Amazon resolver, or another service at a link-local address.
    Resolver,
    /// A name, and what it resolves to.
    Dns,
    /// The internet, with AWS's own public addresses.
    Internet,
}

impl HopKind {
    /// The word in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            HopKind::Instance => "instance",
            HopKind::NetworkInterface => "network-interface",
            HopKind::Workload => "workload",
            HopKind::SecurityGroup => "security-group",
            HopKind::Subnet => "subnet",
            HopKind::NetworkAcl => "network-acl",
            HopKind::Route => "route",
            HopKind::Vpc => "vpc",
            HopKind::InternetGateway => "internet-gateway",
            HopKind::EgressOnlyInternetGateway => "egress-only-internet-gateway",
            HopKind::NatGateway => "nat-gateway",
            HopKind::VpcEndpoint => "vpc-endpoint",
            HopKind::TransitGateway => "transit-gateway",
            HopKind::TransitGatewayAttachment => "transit-gateway-attachment",
            HopKind::PeeringConnection => "peering-connection",
            HopKind::VpnGateway => "vpn-gateway",
            HopKind::Gateway => "gateway",
            HopKind::Resolver => "resolver",
            HopKind::Dns => "dns",
            HopKind::Internet => "internet",
        }
    }
}

/// What a component decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Packets go on.
    Allow,
    /// Packets stop here.
    Deny,
    /// Something that was not read decides.
    Unknown,
}

/// One component on the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Hop {
    /// What it is.
    pub kind: HopKind,
    /// Its id.
    pub id: String,
    /// Which way packets pass a filter.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "direction")]
    #[schemars(with = "Option<String>")]
    pub direction: Option<Direction>,
    /// The rule or ACL entry that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The destination of a route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// The target of a route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// What it decided, where it decides anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// Why, or what happens here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

fn direction<S: Serializer>(direction: &Option<Direction>, out: S) -> Result<S::Ok, S::Error> {
    direction.map(Direction::as_str).serialize(out)
}

impl Hop {
    /// A component that packets only pass.
    pub fn new(kind: HopKind, id: impl Into<String>) -> Hop {
        Hop {
            kind,
            id: id.into(),
            direction: None,
            rule: None,
            destination: None,
            target: None,
            decision: None,
            detail: None,
        }
    }

    #[must_use]
    pub(super) fn decided(mut self, decision: Decision, detail: impl Into<String>) -> Hop {
        self.decision = Some(decision);
        self.detail = Some(detail.into()).filter(|text| !text.is_empty());
        self
    }

    #[must_use]
    pub(super) fn saying(mut self, detail: impl Into<String>) -> Hop {
        self.detail = Some(detail.into());
        self
    }
}

/// On whose side of the path a component stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The sender's interface and subnet.
    Source,
    /// A NAT gateway, its subnet, and what comes after it.
    Nat,
    /// A transit gateway, a peering, or the way between VPCs.
    Between,
    /// The receiver's interface and subnet.
    Destination,
}

/// One thing that by itself stops packets. A path may have several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Blocker {
    /// The id of the component.
    pub component: String,
    /// What it is.
    pub kind: HopKind,
    /// Why it stops them.
    pub reason: Reason,
    /// Where it stands.
    pub side: Side,
    /// Whether it stops the replies.
    pub on_return: bool,
    /// In words.
    pub because: String,
    /// The part of the destination, or of the senders of replies, that fails, where it is not all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failing: Vec<String>,
    /// What a filter denied; `None` where the component is no filter.
    #[serde(skip)]
    pub denied: Option<Denied>,
}

/// The packets that a filter denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// Which way they pass the filter.
    pub direction: Direction,
    /// Their protocol and destination ports.
    pub service: Service,
    /// The other end: where they go to, or come from.
    pub peers: AddressSet,
    /// The prefix list that the other end is.
    pub prefix_list: Option<String>,
}

/// A packet and its reply, followed from end to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Trace {
    /// Whether packets get through.
    pub verdict: Verdict,
    /// From the source on.
    pub forward: Vec<Hop>,
    /// The way of the replies, from the destination on.
    #[serde(rename = "return")]
    pub return_path: Vec<Hop>,
    /// The first component that stops them.
    pub blocked_at: Option<String>,
    /// Why it stops them.
    pub reason: Option<Reason>,
    /// What was not read or is not modelled.
    pub unknown: Vec<String>,
    /// Everything that stops packets by itself, in the order in which they meet it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blockers: Vec<Blocker>,
}

impl Trace {
    pub(super) fn unknown(hops: Vec<Hop>, why: impl Into<String>) -> Trace {
        Trace {
            verdict: Verdict::Unknown,
            forward: hops,
            return_path: Vec::new(),
            blocked_at: None,
            reason: None,
            unknown: vec![why.into()],
            blockers: Vec::new(),
        }
    }

    pub(super) fn blocked(hops: Vec<Hop>, blocker: Blocker) -> Trace {
        Trace {
            verdict: Verdict::Blocked,
            forward: hops,
            return_path: Vec::new(),
            blocked_at: Some(blocker.component.clone()),
            reason: Some(blocker.reason),
            unknown: Vec::new(),
            blockers: vec![blocker],
        }
    }

    /// All of several destinations have to be reached: shown is the worst of them.
    pub(super) fn all(traces: Vec<Trace>) -> Option<Trace> {
        let verdict = traces.iter().map(|trace| trace.verdict).max()?;
        Trace::shown(traces, verdict)
    }

    /// One of several destinations is used, and nobody knows which: only what all agree on is known.
    pub(super) fn one_of(traces: Vec<Trace>) -> Option<Trace> {
        let worst = traces.iter().map(|trace| trace.verdict).max()?;
        if traces.iter().all(|trace| trace.verdict == worst) {
            return Trace::shown(traces, worst);
        }
        let stops: Vec<String> = traces
            .iter()
            .flat_map(|trace| trace.blockers.iter().map(|blocker| blocker.because.clone()))
            .collect();
        let mut shown = Trace::shown(traces, worst)?;
        shown.verdict = Verdict::Unknown;
        shown
            .unknown
            .extend(stops.into_iter().map(|stop| format!("part of the destination is blocked: {stop}")));
        shown.unknown.sort();
        shown.unknown.dedup();
        (shown.blocked_at, shown.reason, shown.blockers) = (None, None, Vec::new());
        Some(shown)
    }

    /// Any of several destinations suffices: shown is the best of them.
    pub(super) fn any(traces: Vec<Trace>) -> Option<Trace> {
        traces.into_iter().min_by_key(|trace| trace.verdict)
    }

    /// The first trace with a verdict, with what the others add.
    fn shown(traces: Vec<Trace>, verdict: Verdict) -> Option<Trace> {
        let mut shown = traces.iter().find(|trace| trace.verdict == verdict)?.clone();
        for trace in traces {
            for blocker in trace.blockers {
                if !shown.blockers.contains(&blocker) {
                    shown.blockers.push(blocker);
                }
            }
            if verdict != Verdict::Reachable {
                shown.unknown.extend(trace.unknown);
            }
        }
        shown.unknown.sort();
        shown.unknown.dedup();
        Some(shown)
    }
}
