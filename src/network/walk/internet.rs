//! Internet gateways, both kinds, and the internet beyond them.

use std::net::IpAddr;
use std::sync::Arc;

use super::super::Network;
use super::super::addresses::{AddressSet, Family};
use super::super::trace::{Hop, HopKind, Reason, Side};
use super::{Arrival, Path, PublicAddress, Translation};
use crate::model::ec2::GatewayAttachment;

impl Network<'_> {
    pub(super) fn through_internet_gateway(&self, mut path: Path, vpc: usize, id: &str) -> Vec<Path> {
        path.gateway(HopKind::InternetGateway, id);
        let hop = || Hop::new(HopKind::InternetGateway, id);
        if self
            .ec2()
            .internet_gateways
            .get(id)
            .is_some_and(|gateway| !is_attached(&gateway.attachments, self.vpc_id(vpc)))
        {
            let because = format!("{id} is not attached to {}", self.vpc_id(vpc));
            return path.stop(hop(), Reason::BlackholeRoute, because);
        }
        if let Some(because) = self.cut_off(&path, vpc, true) {
            return path.stop(hop(), Reason::NoRoute, because);
        }
        let public = AddressSet::public(Family::V4).or(&AddressSet::public(Family::V6));
        if !path.to.addresses.is_within(&public) {
            let because =
                format!("{id} carries only public addresses, not {}", path.to.addresses.minus(&public));
            return path.stop(hop(), Reason::NoRoute, because);
        }
        if path.from.addresses.families().any(|family| family == Family::V4) {
            let PublicAddress::Has(address) = path.from.public.clone() else {
                let because = format!(
                    "{} has no public address, and {id} carries nothing without one",
                    self.name_of(&path.from)
                );
                return path.stop(hop(), Reason::NoPublicAddress, because);
            };
            let before = path.from.clone();
            path.from.addresses =
                address.map_or_else(|| AddressSet::public(Family::V4), |address| IpAddr::V4(address).into());
            path.from.every = address.is_some();
            path.from.groups = Some(Arc::default());
            path.translations.push(Translation { by: id.to_owned(), before });
        }
        self.on_the_internet(path, vpc, id, HopKind::InternetGateway)
    }

    /// Out on the internet: back in where the destination is a public address of the snapshot, otherwise arrived.
    pub(super) fn on_the_internet(
        &self,
        mut path: Path,
        vpc: usize,
        gateway: &str,
        kind: HopKind,
    ) -> Vec<Path> {
        let owner = match path.to.addresses.single() {
            Some(IpAddr::V4(address)) => self.public_addresses.get(&address).copied(),
            _ => None,
        };
        let Some((interface, private)) = owner else {
            if let Some(IpAddr::V6(address)) = path.to.addresses.single()
                && let Some(vpc) = self.vpcs.iter().position(|vpc| vpc.blocks.contains(IpAddr::V6(address)))
            {
                return self.come_in(path, vpc);
            }
            path.pass(Hop::new(HopKind::Internet, "internet"));
            return path.arrive(Arrival::Internet { vpc, gateway: gateway.to_owned(), kind });
        };
        let Some(found) = self.interfaces.get(interface) else { return Vec::new() };
        path.to.addresses = IpAddr::V4(private).into();
        if path.reply
            && path
                .translations
                .last()
                .is_some_and(|translation| translation.before.interface == Some(interface))
        {
            path.translations.pop();
        }
        self.come_in(path, found.vpc)
    }

    /// From the internet into a VPC, by the gateway that is attached to it and by the table of that gateway.
    pub(super) fn come_in(&self, mut path: Path, vpc: usize) -> Vec<Path> {
        path.side = Side::Destination;
        let id = self.vpc_id(vpc).to_owned();
        let mut attached =
            self.ec2().internet_gateways.values().filter(|gateway| is_attached(&gateway.attachments, &id));
        let Some(gateway) = attached.next() else {
            let hop = Hop::new(HopKind::Vpc, &id);
            if self.was_read("InternetGateways", "ec2:DescribeInternetGateways") {
                return path.stop(hop, Reason::NoRoute, format!("no internet gateway is attached to {id}"));
            }
            return path.lose(hop, format!("the internet gateway of {id} was not read"));
        };
        let gateway = gateway.internet_gateway_id.clone();
        path.gateway(HopKind::InternetGateway, &gateway);
        self.come_in_by(path, vpc, &gateway)
    }

    pub(super) fn come_in_by(&self, path: Path, vpc: usize, gateway: &str) -> Vec<Path> {
        let edge = self
            .vpcs
            .get(vpc)
            .and_then(|vpc| vpc.edge_tables.get(gateway))
            .and_then(|table| self.tables.get(*table));
        match edge {
            Some(table) => self.route_by(path, table, vpc, None),
            None => self.deliver(path, vpc, None),
        }
    }

    pub(super) fn through_egress_only(&self, mut path: Path, vpc: usize, id: &str) -> Vec<Path> {
        path.gateway(HopKind::EgressOnlyInternetGateway, id);
        let hop = || Hop::new(HopKind::EgressOnlyInternetGateway, id);
        let known = self.ec2().egress_only_internet_gateways.get(id);
        if known.is_some_and(|gateway| !is_attached(&gateway.attachments, self.vpc_id(vpc))) {
            return path.stop(
                hop(),
                Reason::BlackholeRoute,
                format!("{id} is not attached to {}", self.vpc_id(vpc)),
            );
        }
        if path.to.addresses.families().any(|family| family == Family::V4) {
            return path.stop(hop(), Reason::NoRoute, format!("{id} carries IPv6 only"));
        }
        if let Some(because) = self.cut_off(&path, vpc, false) {
            return path.stop(hop(), Reason::NoRoute, because);
        }
        self.on_the_internet(path, vpc, id, HopKind::EgressOnlyInternetGateway)
    }
}

impl Network<'_> {
    /// Why VPC Block Public Access keeps packets from leaving, where it does. Its mode `block-ingress` lets only NAT
    /// gateways and egress-only gateways through. What counts is the subnet next to the gateway; exclusions are in its
    /// state already. Source: VPC User Guide, "Block public access to VPCs and subnets".
    fn cut_off(&self, path: &Path, vpc: usize, internet_gateway: bool) -> Option<String> {
        let ec2 = self.ec2();
        let subnet = path.from.subnet.and_then(|subnet| self.subnets.get(subnet));
        let of_subnet =
            subnet.and_then(|subnet| ec2.subnets.get(&subnet.id)?.block_public_access_states.as_ref());
        let of_vpc = || ec2.vpcs.get(self.vpc_id(vpc))?.block_public_access_states.as_ref();
        let mode = of_subnet.or_else(of_vpc)?.internet_gateway_block_mode.as_deref()?;
        let only_nat = internet_gateway && path.side != Side::Nat;
        let blocks = mode.eq_ignore_ascii_case("block-bidirectional")
            || mode.eq_ignore_ascii_case("block-ingress") && only_nat;
        let place = subnet.map_or_else(|| self.vpc_id(vpc), |subnet| subnet.id.as_str());
        blocks.then(|| format!("VPC Block Public Access ({mode}) cuts {place} off from the internet"))
    }
}

fn is_attached(attachments: &[GatewayAttachment], vpc: &str) -> bool {
    attachments.iter().any(|attachment| {
        let gone = matches!(attachment.state.as_deref(), Some("detached" | "detaching"));
        !gone && attachment.vpc_id.as_deref() == Some(vpc)
    })
}
