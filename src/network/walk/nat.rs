//! NAT gateways: zonal and regional, public and private.

use std::net::IpAddr;
use std::sync::Arc;

use super::super::addresses::{AddressSet, Family};
use super::super::filter::{Direction, Ports};
use super::super::routes::Target;
use super::super::trace::{Hop, HopKind, Reason, Side};
use super::super::{Network, Subnet};
use super::{End, Path, PublicAddress, Translation};
use crate::model::ec2::NatGateway;

impl Network<'_> {
    pub(super) fn through_nat(&self, mut path: Path, origin: Option<usize>, id: &str) -> Vec<Path> {
        path.side = Side::Nat;
        let hop = || Hop::new(HopKind::NatGateway, id);
        let Some(nat) = self.ec2().nat_gateways.get(id) else {
            if self.was_read("NatGateways", "ec2:DescribeNatGateways") {
                return path.stop(hop(), Reason::NatUnavailable, format!("{id} does not exist"));
            }
            return path.lose(hop(), format!("{id} was not read"));
        };
        if let Some(because) = why_not_through(&path, nat) {
            return path.stop(hop(), Reason::NatUnavailable, because);
        }
        if path.to.addresses.families().any(|family| family == Family::V6) {
            return self.through_nat64(path, id);
        }
        if nat.is_regional() {
            return self.through_regional_nat(path, nat);
        }
        let subnet = nat.subnet_id.as_ref().and_then(|subnet| self.subnet_by_id.get(subnet)).copied();
        let Some((index, own)) = subnet.and_then(|index| Some((index, self.subnets.get(index)?))) else {
            return path.lose(hop(), format!("the subnet of {id} was not read"));
        };
        if origin != Some(index) {
            path.pass(Hop::new(HopKind::Subnet, &own.id));
            self.ask_acl(&mut path, own, Direction::Ingress);
        }
        path.gateway(HopKind::NatGateway, id);
        if nat.is_private()
            && path.to.addresses.is_within(&self.public)
            && self.leads_to_internet_gateway(own)
        {
            let because = format!("{id} has private connectivity: it has no way to the internet");
            return path.stop(hop(), Reason::NatUnavailable, because);
        }
        self.translate(&mut path, nat, own.vpc, Some(index));
        self.leave_subnet(path, index)
    }

    fn translate(&self, path: &mut Path, nat: &NatGateway, vpc: usize, subnet: Option<usize>) {
        let own = self.nat_end(nat, vpc, subnet);
        let before = std::mem::replace(&mut path.from, own);
        path.translations.push(Translation { by: nat.nat_gateway_id.clone(), before });
    }

    fn leads_to_internet_gateway(&self, subnet: &Subnet) -> bool {
        let table = subnet.table.and_then(|table| self.tables.get(table));
        table.is_some_and(|table| table.leads_to(|target| matches!(target, Target::InternetGateway(_))))
    }

    fn nat_end(&self, nat: &NatGateway, vpc: usize, own: Option<usize>) -> End {
        let address = nat.nat_gateway_addresses.first();
        let private = address.and_then(|address| address.private_ip);
        let whole = || {
            own.and_then(|own| self.subnets.get(own))
                .map(|own| own.blocks.of(Family::V4))
                .or_else(|| self.vpcs.get(vpc).map(|vpc| vpc.blocks.of(Family::V4)))
        };
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
            public: if nat.is_private() {
                PublicAddress::None
            } else {
                PublicAddress::Has(address.and_then(|address| address.public_ip))
            },
            internet: false,
            ports: Ports::NAT,
        }
    }

    /// A regional NAT gateway stands in no subnet: it has a route table of its own, made with a route to the internet.
    fn through_regional_nat(&self, mut path: Path, nat: &NatGateway) -> Vec<Path> {
        let id = &nat.nat_gateway_id;
        path.gateway(HopKind::NatGateway, id);
        let Some(vpc) = self.vpc_by_id.get(&nat.vpc_id).copied() else {
            return path.lose(Hop::new(HopKind::NatGateway, id), format!("the VPC of {id} was not read"));
        };
        let table = nat.route_table_id.as_ref().and_then(|table| self.table_by_id.get(table));
        let Some(table) = table.and_then(|table| self.tables.get(*table)) else {
            let why = format!("the route table of regional NAT gateway {id} was not read");
            return path.lose(Hop::new(HopKind::Route, nat.route_table_id.as_deref().unwrap_or("?")), why);
        };
        self.translate(&mut path, nat, vpc, None);
        self.route_by(path, table, vpc, None)
    }

    /// NAT64: the last 32 bits of an address in 64:ff9b::/96 are the IPv4 address that is meant.
    fn through_nat64(&self, path: Path, id: &str) -> Vec<Path> {
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

/// Why a NAT gateway does not take a packet, whatever the network around it.
fn why_not_through(path: &Path, nat: &NatGateway) -> Option<String> {
    let id = &nat.nat_gateway_id;
    if path.reply {
        return Some(format!("replies through {id} would come from its address, which nobody has asked"));
    }
    if !nat.is_available() {
        let failure = nat.failure_code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
        return Some(format!("{id} is {}{failure}", nat.state));
    }
    if path.translations.iter().any(|translation| translation.by == *id) {
        return Some(format!("the route of {id}'s own subnet leads back to it"));
    }
    (!path.service.passes_nat()).then(|| format!("{id} carries TCP, UDP and ICMP only, not {}", path.service))
}
