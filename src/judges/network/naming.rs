//! Which cause it is that a component stops packets.

use crate::checks::Leg;
use crate::model::EcrHost;
use crate::model::ec2::VpcEndpoint;
use crate::model::snapshot::Record as _;
use crate::network::names::{self, PullHosts, Resolution};
use crate::network::{self, Destination, HopKind, Network, Reason, Service, Side, Source, Verdict};
use crate::pulls::{Pull, SourceKind, World};

/// The endpoint service behind each flow.
const SERVICES: [(Leg, &str); 3] =
    [(Leg::EcrApiNetwork, "ecr.api"), (Leg::RegistryNetwork, "ecr.dkr"), (Leg::LayerNetwork, "s3")];

/// The causes behind a component that stops packets, each with what is at fault.
pub(super) fn causes(
    network: &Network<'_>,
    world: &World<'_>,
    leg: Leg,
    stopped: &network::Blocker,
    source: &Source,
    pull: &Pull<'_>,
) -> Vec<(&'static str, String)> {
    let fargate = pull.source.kind == SourceKind::FargateProfile;
    let at_component = |cause| vec![(cause, stopped.component.clone())];
    if leg == Leg::Dns && stopped.reason != Reason::Dns {
        return at_component("dns-server-unreachable");
    }
    let place = Place::of(network, world, leg, source, pull);
    match stopped.reason {
        Reason::SecurityGroupEgress if stopped.side == Side::Source => {
            let cause = if fargate {
                "fargate-sg-blocks"
            } else if leg == Leg::LayerNetwork && place.has_s3_gateway() {
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
        Reason::NoPublicAddress if place.is_ipv6_only() => at_component("ipv6-only-egress"),
        Reason::NoPublicAddress => at_component("igw-no-public-ip"),
        Reason::EndpointUnavailable => at_component("vpce-not-available"),
        Reason::Dns => vec![place.without_answer(stopped)],
        Reason::BlackholeRoute => match stopped.kind {
            HopKind::NatGateway => at_component("nat-gateway-broken"),
            _ if stopped.because.contains("nat-") => at_component("nat-gateway-broken"),
            _ if stopped.because.contains("eigw-") => at_component("egress-only-igw-missing"),
            _ => at_component("tgw-egress-broken"),
        },
        Reason::ReturnPath => at_component("tgw-egress-broken"),
        Reason::NoRoute => vec![place.no_route(stopped, fargate)],
    }
}

/// The groups of an interface: the model names all of them as one component.
fn groups(stopped: &network::Blocker) -> Vec<String> {
    stopped.component.split(',').map(|group| group.trim().to_owned()).collect()
}

/// One leg of a pull, from one place.
struct Place<'w> {
    network: &'w Network<'w>,
    world: &'w World<'w>,
    source: &'w Source,
    pull: &'w Pull<'w>,
    /// `ecr.api`, `ecr.dkr` or `s3`.
    service: &'static str,
    /// The VPC of the source, where it was read.
    vpc: Option<&'w str>,
}

type Named = (&'static str, String);

impl<'w> Place<'w> {
    fn of(
        network: &'w Network<'w>,
        world: &'w World<'w>,
        leg: Leg,
        source: &'w Source,
        pull: &'w Pull<'w>,
    ) -> Place<'w> {
        let service = SERVICES.iter().find(|(of, _)| *of == leg).map_or("", |(_, service)| *service);
        Place { network, world, source, pull, service, vpc: network.vpc_id_of(source) }
    }

    fn registry(&self) -> Option<EcrHost> {
        EcrHost::parse(self.pull.image.name.split('/').next()?)
    }

    /// The name that this leg looks up.
    fn host(&self) -> Option<String> {
        let hosts = PullHosts::of(&self.registry()?)?;
        Some(match self.service {
            "ecr.api" => hosts.api,
            "ecr.dkr" => hosts.registry,
            _ => hosts.layers,
        })
    }

    fn endpoints(&self) -> impl Iterator<Item = &'w VpcEndpoint> {
        let vpc = self.vpc;
        self.world
            .snapshot
            .ec2
            .vpc_endpoints
            .values()
            .filter(move |endpoint| Some(endpoint.vpc_id.as_str()) == vpc)
    }

    /// Whether an endpoint, of whatever VPC, is one of the service in the region of the image.
    fn is_served_by(&self, endpoint: &VpcEndpoint) -> bool {
        is_of(endpoint, self.service, &self.pull.image.region)
    }

    fn has_s3_gateway(&self) -> bool {
        self.endpoints().any(|endpoint| self.is_served_by(endpoint) && is_gateway(endpoint))
    }

    /// Whether the subnet of the source has no block of IPv4 addresses.
    fn is_ipv6_only(&self) -> bool {
        self.subnet()
            .is_some_and(|subnet| subnet.cidr_block.is_none() && subnet.ipv6_blocks().next().is_some())
    }

    fn subnet(&self) -> Option<&'w crate::model::ec2::Subnet> {
        self.world.snapshot.ec2.subnets.get(self.network.subnet_of(self.source)?)
    }

    fn without_answer(&self, stopped: &network::Blocker) -> Named {
        let zones = &mut self.world.snapshot.route53.zones.values();
        let zone = zones.map(|zone| zone.id()).find(|id| stopped.because.contains(&format!("({id})")));
        match zone {
            Some(zone) => ("private-hosted-zone-shadow", zone),
            None => ("vpc-dns-support-disabled", self.vpc.unwrap_or(&stopped.component).to_owned()),
        }
    }

    /// The private zone that leads the name of this leg to an address which nothing has.
    fn misleading_zone(&self, stopped: &network::Blocker) -> Option<Named> {
        let host = self.host()?;
        let misled = stopped.because.starts_with("no network interface in")
            && matches!(self.network.resolve(self.source, &host), Resolution::Address(_));
        let zone = names::private_zone(self.network, self.vpc?, &host).filter(|_| misled)?;
        Some(("private-hosted-zone-shadow", zone.id()))
    }

    /// No route to a public address means a missing gateway in a VPC that reaches the internet, and a missing or unused
    /// endpoint in one that is meant to do without.
    fn no_route(&self, stopped: &network::Blocker, fargate: bool) -> Named {
        let Some(vpc) = self.vpc else { return ("no-route-to-internet", stopped.component.clone()) };
        if let Some(named) = self.misleading_zone(stopped).or_else(|| self.by_family(stopped)) {
            return named;
        }
        let of_service: Vec<&VpcEndpoint> =
            self.endpoints().filter(|endpoint| self.is_served_by(endpoint)).collect();
        if let Some(gateway) = of_service.iter().find(|endpoint| is_gateway(endpoint)) {
            return ("s3-gateway-route-table-missing", gateway.vpc_endpoint_id.clone());
        }
        if let Some(endpoint) = of_service.first() {
            return self.unused(endpoint, vpc);
        }
        if let Some(shared) = self.shared_endpoint(self.service) {
            return ("vpce-shared-dns-missing", shared);
        }
        // A firewall on the way to the internet is no way around it.
        let has_endpoints = self.endpoints().any(|endpoint| !is_of_load_balancer(endpoint));
        if !has_endpoints && !self.lives_by_a_hub() {
            // The subnet has its way out, and it ends behind the transit gateway.
            if stopped.component.starts_with("tgw-") {
                return ("tgw-egress-broken", stopped.component.clone());
            }
            let subnet = self.network.subnet_of(self.source).unwrap_or(&stopped.component);
            return if fargate {
                ("fargate-subnet-no-egress", subnet.to_owned())
            } else {
                ("no-route-to-internet", stopped.component.clone())
            };
        }
        if self.pull.image.region != self.world.target.region {
            return ("cross-region-private-pull", vpc.to_owned());
        }
        let missing = match self.service {
            "ecr.api" => "vpce-ecr-api-missing",
            "ecr.dkr" => "vpce-ecr-dkr-missing",
            _ => "vpce-s3-missing",
        };
        (missing, vpc.to_owned())
    }

    /// Whether the VPC does without the internet: by endpoints in a hub, to which names or at least routes lead.
    fn lives_by_a_hub(&self) -> bool {
        let hosts = self.registry().and_then(|host| PullHosts::of(&host));
        let leads_to_hub = |host: &String| match self.network.resolve(self.source, host) {
            Resolution::Private { .. } => true,
            Resolution::Address(address) => !self.is_in_vpc(address),
            Resolution::Public { .. } | Resolution::Unknown(_) | Resolution::NoAnswer(_) => false,
        };
        hosts.is_some_and(|hosts| [hosts.api, hosts.registry].iter().any(leads_to_hub))
            || ["ecr.api", "ecr.dkr"].iter().any(|service| self.shared_endpoint(service).is_some())
    }

    fn is_in_vpc(&self, address: std::net::IpAddr) -> bool {
        let vpc = self.vpc.and_then(|vpc| self.world.snapshot.ec2.vpcs.get(vpc));
        let std::net::IpAddr::V4(address) = address else { return false };
        vpc.is_some_and(|vpc| vpc.ipv4_blocks().any(|block| block.contains(&address)))
    }

    /// A route for the other family of addresses alone.
    fn by_family(&self, stopped: &network::Blocker) -> Option<Named> {
        let table = self.world.snapshot.ec2.route_tables.get(&stopped.component)?;
        let has_ipv6 = self.subnet()?.ipv6_blocks().next().is_some();
        let default = |route: &&crate::model::ec2::Route| {
            route.destination_ipv6_cidr_block.is_some_and(|block| block.prefix_len() == 0)
        };
        let leads_out = table.routes.iter().find(default).is_some();
        let dual_stack = self.host().is_some_and(|host| {
            matches!(self.network.resolve(self.source, &host), Resolution::Public { dual_stack: true, .. })
        });
        match (dual_stack, leads_out) {
            (true, false) if has_ipv6 => Some(("egress-only-igw-missing", stopped.component.clone())),
            (false, true) if !self.endpoints().any(|endpoint| self.is_for_pulls(endpoint)) => {
                Some(("ipv6-only-egress", stopped.component.clone()))
            }
            _ => None,
        }
    }

    fn is_for_pulls(&self, endpoint: &VpcEndpoint) -> bool {
        names::service_and_region(endpoint)
            .is_some_and(|(service, _)| SERVICES.iter().any(|(_, known)| *known == service))
    }

    /// There is an endpoint, and names do not lead to it.
    fn unused(&self, endpoint: &VpcEndpoint, vpc: &str) -> Named {
        let at = endpoint.vpc_endpoint_id.clone();
        let known_off = |seen| matches!(seen, crate::model::Seen::Known(false));
        let by_name = self.registry().is_some_and(|host| host.fips || host.dual_stack);
        let for_inbound_only = endpoint
            .dns_options
            .as_ref()
            .is_some_and(|options| options.private_dns_only_for_inbound_resolver_endpoint == Some(true));
        if !endpoint.state.eq_ignore_ascii_case("available") {
            ("vpce-not-available", at)
        } else if known_off(names::dns_support(self.network, vpc)) {
            ("vpc-dns-support-disabled", vpc.to_owned())
        } else if self.service == "s3" && (for_inbound_only || !endpoint.private_dns_enabled) {
            ("vpce-s3-interface-only", at)
        } else if by_name && self.service != "s3" && endpoint.private_dns_enabled {
            ("vpce-fips-or-dualstack-name", at)
        } else {
            ("vpce-private-dns-disabled", at)
        }
    }

    /// An endpoint of another VPC to which routes lead; names do not.
    fn shared_endpoint(&self, service: &str) -> Option<String> {
        let elsewhere = self.world.snapshot.ec2.vpc_endpoints.values().filter(|endpoint| {
            Some(endpoint.vpc_id.as_str()) != self.vpc
                && is_of(endpoint, service, &self.pull.image.region)
                && !is_gateway(endpoint)
        });
        let mut reached = elsewhere.map(|endpoint| &endpoint.vpc_endpoint_id).filter(|id| {
            let to = Destination::Endpoint((*id).clone());
            let trace = self.network.trace(self.source, &to, Service::tcp(443));
            trace.verdict != Verdict::Unknown
                && trace.blockers.iter().all(|blocker| blocker.reason.is_filter())
        });
        reached.next().cloned()
    }
}

fn is_of(endpoint: &VpcEndpoint, service: &str, region: &str) -> bool {
    names::service_and_region(endpoint).is_some_and(|known| known == (service, region.to_owned()))
}

fn is_of_load_balancer(endpoint: &VpcEndpoint) -> bool {
    endpoint.vpc_endpoint_type.eq_ignore_ascii_case("gatewayloadbalancer")
}

fn is_gateway(endpoint: &VpcEndpoint) -> bool {
    endpoint.vpc_endpoint_type.eq_ignore_ascii_case("gateway")
}

/// The cause that may stand behind what is not modelled, where there is one.
pub(super) fn suspect(unknown: &str) -> Option<&'static str> {
    [
        ("custom DNS servers", "custom-dhcp-dns"),
        ("resolver rule", "custom-dhcp-dns"),
        ("firewall or appliance endpoint", "network-firewall-block"),
    ]
    .into_iter()
    .find_map(|(part, cause)| unknown.contains(part).then_some(cause))
}
