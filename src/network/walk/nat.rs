//! NAT gateways: zonal and regional, public and private.

use std::net::IpAddr;
use std::sync::Arc;

use super::super::Network;
use super::super::addresses::{AddressSet, Family};
use super::super::filter::{Direction, Ports};
use super::super::routes::Target;
use super::super::trace::{Hop, HopKind, Reason, Side};
use super::{End, Path, PublicAddress, Translation};
use crate::model::ec2::NatGateway;

impl Network<'_> {
    pub(super) fn through_nat(&self, mut path: Path, origin: Option<usize>, id: &str) -> Vec<Path> {
        path.side = Side::Nat;
        let hop = || Hop::new(HopKind::NatGateway, id);
        if path.reply {
            let because = format!("replies through {id} would come from its address, which nobody has asked");
            return path.stop(hop(), Reason::ReturnPath, because);
        }
        let Some(nat) = self.ec2().nat_gateways.get(id) else {
            path.gateways += 1;
            if self.was_read("NatGateways", "ec2:DescribeNatGateways") {
                return path.stop(hop(), Reason::NatUnavailable, format!("{id} does not exist"));
            }
            return path.lose(hop(), format!("{id} was not read"));
        };
        if path.translations.iter().any(|translation| translation.by == id) {
            return path.stop(
                hop(),
                Reason::NatUnavailable,
                format!("the route of {id}'s own subnet leads back to it"),
            );
        }
        let regional =
            nat.availability_mode.as_deref().is_some_and(|mode| mode.eq_ignore_ascii_case("regional"));
        let own = nat
            .subnet_id
            .as_ref()
            .filter(|_| !regional)
            .and_then(|subnet| self.subnet_by_id.get(subnet))
            .copied();
        let vpc = own
            .and_then(|own| self.subnets.get(own))
            .map(|own| own.vpc)
            .or_else(|| self.vpc_by_id.get(&nat.vpc_id).copied());
        let (Some(vpc), true) = (vpc, regional || own.is_some()) else {
            return path.lose(hop(), format!("the subnet of {id} was not read"));
        };
        if !nat.state.is_empty() && !nat.state.eq_ignore_ascii_case("available") {
            let failure = nat.failure_code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
            return path.stop(hop(), Reason::NatUnavailable, format!("{id} is {}{failure}", nat.state));
        }
        if !path.service.passes_nat() {
            let because = format!("{id} carries TCP, UDP and ICMP only, not {}", path.service);
            return path.stop(hop(), Reason::NatUnavailable, because);
        }
        let private_only =
            nat.connectivity_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("private"));
        if path.to.addresses.families().any(|family| family == Family::V6) {
            return self.through_nat64(path, id);
        }
        if let Some(own) = own.and_then(|own| self.subnets.get(own))
            && origin.and_then(|origin| self.subnets.get(origin)).is_none_or(|origin| origin.id != own.id)
        {
            path.pass(Hop::new(HopKind::Subnet, &own.id));
            self.ask_acl(&mut path, own, Direction::Ingress);
        }
        path.gateway(HopKind::NatGateway, id);
        if private_only && path.to.addresses.is_within(&self.public) && self.leads_to_internet_gateway(own) {
            let because = format!("{id} has private connectivity: it has no way to the internet");
            return path.stop(hop(), Reason::NatUnavailable, because);
        }
        let before = path.from.clone();
        path.from = self.nat_end(nat, vpc, own);
        path.translations.push(Translation { by: id.to_owned(), before });
        if regional {
            return self.regional_nat(path, vpc, nat);
        }
        own.map(|own| self.leave_subnet(path, own)).unwrap_or_default()
    }

    pub(super) fn leads_to_internet_gateway(&self, subnet: Option<usize>) -> bool {
        let table = subnet
            .and_then(|subnet| self.subnets.get(subnet)?.table)
            .and_then(|table| self.tables.get(table));
        table.is_some_and(|table| table.leads_to(|target| matches!(target, Target::InternetGateway(_))))
    }

    pub(super) fn nat_end(&self, nat: &NatGateway, vpc: usize, own: Option<usize>) -> End {
        let address = nat.nat_gateway_addresses.first();
        let private = address.and_then(|address| address.private_ip);
        let whole = || {
            own.and_then(|own| self.subnets.get(own))
                .map(|own| own.blocks.of(Family::V4))
                .or_else(|| self.vpcs.get(vpc).map(|vpc| vpc.blocks.of(Family::V4)))
        };
        let is_private =
            nat.connectivity_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("private"));
        End {
            addresses: private
                .map(|address| AddressSet::from(IpAddr::V4(address)))
                .or_else(whole)
                .unwrap_or_default(),
            every: private.is_some(),
            prefix_list: None,
            service: false,
            groups: Some(Arc::default()),
            subnet: own,
            interface: address
                .and_then(|address| address.network_interface_id.as_ref())
                .and_then(|id| self.interface_by_id.get(id))
                .copied(),
            public: if is_private {
                PublicAddress::None
            } else {
                PublicAddress::Has(address.and_then(|address| address.public_ip))
            },
            internet: false,
            ports: Ports::NAT,
        }
    }

    /// A regional NAT gateway stands in no subnet: it has a route table of its own, made with a route to the internet.
    pub(super) fn regional_nat(&self, path: Path, vpc: usize, nat: &NatGateway) -> Vec<Path> {
        let table = nat
            .route_table_id
            .as_ref()
            .and_then(|id| self.table_by_id.get(id))
            .and_then(|table| self.tables.get(*table));
        match table {
            Some(table) => self.route_by(path, table, vpc, None),
            None => {
                let why =
                    format!("the route table of regional NAT gateway {} was not read", nat.nat_gateway_id);
                path.lose(Hop::new(HopKind::Route, nat.route_table_id.as_deref().unwrap_or("?")), why)
            }
        }
    }

    /// NAT64: the last 32 bits of an address in 64:ff9b::/96 are the IPv4 address that is meant.
    pub(super) fn through_nat64(&self, path: Path, id: &str) -> Vec<Path> {
        let hop = Hop::new(HopKind::NatGateway, id);
        let prefix = AddressSet::range(Family::V6, 0x64_ff9b << 96, (0x64_ff9b << 96) + u128::from(u32::MAX));
        if path.to.addresses.is_within(&prefix) {
            return path.lose(hop, format!("the translation from IPv6 to IPv4 by {id} is not modelled"));
        }
        path.stop(hop, Reason::NatUnavailable, format!("{id} carries IPv4 only"))
    }

    pub(super) fn back_through_nat(&self, mut path: Path, nat: &str, subnet: Option<usize>) -> Vec<Path> {
        let Some(translation) = path.translations.pop() else { return Vec::new() };
        path.gateway(HopKind::NatGateway, nat);
        path.service = path.service.answer(translation.before.ports);
        path.to = translation.before;
        let vpc = self.ec2().nat_gateways.get(nat).and_then(|nat| self.vpc_by_id.get(&nat.vpc_id)).copied();
        match (subnet, vpc) {
            (Some(subnet), _) => self.leave_subnet(path, subnet),
            (None, Some(vpc)) => self.deliver(path, vpc, None),
            (None, None) => Vec::new(),
        }
    }
}
