//! Endpoints, appliances and peerings.

use super::super::Network;
use super::super::addresses::AddressSet;
use super::super::trace::{Hop, HopKind, Reason, Side};
use super::{Arrival, Path};

impl Network<'_> {
    pub(super) fn through_endpoint(&self, mut path: Path, vpc: usize, id: &str) -> Vec<Path> {
        path.gateway(HopKind::VpcEndpoint, id);
        let hop = || Hop::new(HopKind::VpcEndpoint, id);
        let Some(endpoint) = self.ec2().vpc_endpoints.get(id) else {
            return path.lose(hop(), format!("endpoint {id} was not read"));
        };
        if !endpoint.state.is_empty() && !endpoint.state.eq_ignore_ascii_case("available") {
            return path.stop(
                hop(),
                Reason::EndpointUnavailable,
                format!("endpoint {id} is {}", endpoint.state),
            );
        }
        if !endpoint.vpc_endpoint_type.eq_ignore_ascii_case("gateway") {
            let kind =
                if endpoint.vpc_endpoint_type.is_empty() { "unknown" } else { &endpoint.vpc_endpoint_type };
            return path.lose(
                hop(),
                format!("what firewall or appliance endpoint {id} ({kind}) lets pass is not modelled"),
            );
        }
        path.side = Side::Destination;
        path.arrive(Arrival::Service { vpc, endpoint: id.to_owned() })
    }

    pub(super) fn through_appliance(&self, mut path: Path, interface: Option<usize>, id: &str) -> Vec<Path> {
        path.side = Side::Between;
        let Some(interface) = interface.and_then(|index| self.interfaces.get(index)) else {
            return path.lose(
                Hop::new(HopKind::NetworkInterface, id),
                format!("{id}, the target of a route, was not read"),
            );
        };
        path.gateway(HopKind::NetworkInterface, &interface.id);
        let hop = Hop::new(HopKind::NetworkInterface, &interface.id);
        if interface.checks_source_and_destination && !path.to.addresses.is_within(&interface.addresses) {
            let because = format!(
                "{} drops what is not meant for it: its source/destination check is on",
                interface.id
            );
            return path.stop(hop, Reason::NoRoute, because);
        }
        path.lose(hop, format!("what appliance {} does with packets is not modelled", interface.id))
    }

    pub(super) fn through_peering(&self, mut path: Path, vpc: usize, id: &str) -> Vec<Path> {
        path.side = Side::Between;
        path.gateway(HopKind::PeeringConnection, id);
        let hop = || Hop::new(HopKind::PeeringConnection, id);
        let Some(peering) = self.ec2().vpc_peering_connections.get(id) else {
            return path.lose(hop(), format!("peering {id} was not read"));
        };
        if peering.status.code != "active" {
            return path.stop(
                hop(),
                Reason::BlackholeRoute,
                format!("peering {id} is {}", peering.status.code),
            );
        }
        let near = self.vpc_id(vpc);
        let (requester, accepter) = (&peering.requester_vpc_info, &peering.accepter_vpc_info);
        let far = if requester.vpc_id.as_deref() == Some(near) { accepter } else { requester };
        let far_id = far.vpc_id.clone().unwrap_or_default();
        let described = far
            .ipv4_blocks()
            .map(ipnet::IpNet::V4)
            .chain(far.ipv6_blocks().map(ipnet::IpNet::V6))
            .collect::<AddressSet>();
        let Some(far_vpc) = self.vpc_by_id.get(&far_id).copied() else {
            if !described.is_empty() && path.to.addresses.and(&described).is_empty() {
                let because =
                    format!("{} is not in {far_id}, and peering {id} leads no further", path.to.addresses);
                return path.stop(hop(), Reason::NoRoute, because);
            }
            let owner = far.owner_id.as_deref().unwrap_or("?");
            return path
                .lose(hop(), format!("{far_id} of account {owner}, beyond peering {id}, was not read"));
        };
        let blocks = self.vpcs.get(far_vpc).map(|vpc| vpc.blocks.or(&described)).unwrap_or_default();
        if !path.to.addresses.is_within(&blocks) {
            let because = format!(
                "{} is not in {far_id}, and peering {id} leads no further",
                path.to.addresses.minus(&blocks)
            );
            return path.stop(hop(), Reason::NoRoute, because);
        }
        let own = self.vpcs.get(vpc).map(|vpc| vpc.blocks.clone()).unwrap_or_default();
        if !own.is_empty() && !path.from.addresses.is_within(&own) {
            let because =
                format!("peering {id} carries only what begins in {near}, not {}", path.from.addresses);
            return path.stop(hop(), Reason::NoRoute, because);
        }
        self.deliver(path, far_vpc, None)
    }
}
