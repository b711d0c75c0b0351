//! Transit gateways: into them, from one to the other, and out into a VPC.

use std::sync::Arc;

use super::super::Network;
use super::super::filter::Direction;
use super::super::trace::{Hop, HopKind, Reason, Side};
use super::super::transit::TransitRoute;
use super::{MOST_GATEWAYS, Path, named};
use crate::model::ec2::TransitGateway;

impl Network<'_> {
    pub(super) fn through_transit_gateway(
        &self,
        mut path: Path,
        vpc: usize,
        origin: Option<usize>,
        id: &str,
    ) -> Vec<Path> {
        path.side = Side::Between;
        let near = self.vpc_id(vpc).to_owned();
        let hop = || Hop::new(HopKind::TransitGateway, id);
        let mut rows = self.ec2().transit_gateway_vpc_attachments.values();
        let attached = rows.find(|row| row.vpc_id == near && row.transit_gateway_id == id);
        let mut rows = self.ec2().transit_gateway_attachments.values();
        let listed = rows.find(|row| row.resource_id == near && row.transit_gateway_id == id);
        let attachment = attached
            .map(|row| &row.transit_gateway_attachment_id)
            .or(listed.map(|row| &row.transit_gateway_attachment_id));
        let Some(attachment) = attachment.cloned() else {
            path.gateways += 1;
            if self.was_read("TransitGatewayVpcAttachments", "ec2:DescribeTransitGatewayVpcAttachments")
                || self.was_read("TransitGatewayAttachments", "ec2:DescribeTransitGatewayAttachments")
            {
                return path.stop(hop(), Reason::NoRoute, format!("{near} is not attached to {id}"));
            }
            return path.lose(hop(), format!("the attachment of {near} to {id} was not read"));
        };
        let state = attached
            .map(|row| row.state.as_str())
            .or(listed.map(|row| row.state.as_str()))
            .unwrap_or_default();
        if !matches!(state, "" | "available" | "modifying") {
            path.gateway(HopKind::TransitGateway, id);
            let hop = Hop::new(HopKind::TransitGatewayAttachment, &attachment);
            return path.stop(hop, Reason::NoRoute, format!("attachment {attachment} is {state}"));
        }
        if let (Some(row), Some(origin)) = (attached, origin) {
            let zone = self.subnets.get(origin).and_then(|subnet| subnet.zone.clone());
            path.zone.clone_from(&zone);
            let homes: Vec<usize> =
                row.subnet_ids.iter().filter_map(|id| self.subnet_by_id.get(id)).copied().collect();
            let home =
                homes.iter().find(|home| self.subnets.get(**home).is_some_and(|home| home.zone == zone));
            let complete = homes.len() == row.subnet_ids.len() && !homes.is_empty();
            match home.and_then(|home| self.subnets.get(*home)) {
                Some(home) => self.ask_acl(&mut path, home, Direction::Ingress),
                None if complete && zone.is_some() => {
                    path.gateway(HopKind::TransitGateway, id);
                    let because = format!(
                        "{id} has no interface in zone {}: attachment {attachment} has no subnet there",
                        zone.unwrap_or_default()
                    );
                    return path.stop(
                        Hop::new(HopKind::TransitGatewayAttachment, &attachment),
                        Reason::NoRoute,
                        because,
                    );
                }
                None => {
                    let why = format!("the subnets of attachment {attachment} were not read");
                    path.unknown.push(why);
                }
            }
        }
        self.within_transit_gateway(path, id, &attachment)
    }

    /// By the table that the attachment is associated with, to the attachment of the route.
    pub(super) fn within_transit_gateway(&self, mut path: Path, id: &str, attachment: &str) -> Vec<Path> {
        path.gateway(HopKind::TransitGateway, id);
        if path.gateways > MOST_GATEWAYS {
            return path.stop(
                Hop::new(HopKind::TransitGateway, id),
                Reason::NoRoute,
                "the routes lead in a circle",
            );
        }
        let row = self.ec2().transit_gateway_attachments.get(&format!("{id}/{attachment}"));
        let hop = Hop::new(HopKind::TransitGatewayAttachment, attachment);
        let Some(row) = row else {
            return path.lose(hop, format!("attachment {attachment} of {id} was not read"));
        };
        let Some(association) = row
            .association
            .as_ref()
            .filter(|association| !association.transit_gateway_route_table_id.is_empty())
        else {
            return path.stop(
                hop,
                Reason::NoRoute,
                format!("attachment {attachment} is associated with no route table of {id}"),
            );
        };
        let table_id = &association.transit_gateway_route_table_id;
        let hop = Hop::new(HopKind::Route, table_id);
        let Some(table) = self.transit_tables.get(table_id) else {
            return path.lose(hop, format!("the routes of {table_id} were not read"));
        };
        let mut paths = Vec::new();
        for (addresses, route) in table.take(&path.to.addresses) {
            let path = path.part(addresses);
            let hop = hop.clone();
            paths.extend(match (route, &table.gaps) {
                // A narrower route that was not read would be taken instead.
                (_, Some(gaps)) => path.lose(hop, gaps.clone()),
                (Some(route), None) => self.by_transit_route(path, id, table_id, route),
                (None, None) => {
                    let because = format!("{table_id} of {id} has no route to {}", named(&path.to));
                    path.stop(hop, Reason::NoRoute, because)
                }
            });
        }
        paths
    }

    pub(super) fn by_transit_route(
        &self,
        mut path: Path,
        id: &str,
        table: &str,
        route: &TransitRoute,
    ) -> Vec<Path> {
        let mut hop = Hop::new(HopKind::Route, table);
        hop.destination = Some(route.destination.clone());
        hop.target =
            route.attachments.first().map(|attachment| attachment.transit_gateway_attachment_id.clone());
        if route.blackhole {
            let because = format!("the route {} of {table} is a blackhole", route.destination);
            return path.stop(hop, Reason::BlackholeRoute, because);
        }
        path.pass(hop);
        if route.attachments.is_empty() {
            return path.lose(
                Hop::new(HopKind::TransitGateway, id),
                format!("where the route {} of {table} leads was not read", route.destination),
            );
        }
        let gateway = self.ec2().transit_gateways.get(id);
        let references_groups = gateway.is_some_and(TransitGateway::references_groups);
        let mut paths = Vec::new();
        for attachment in &route.attachments {
            let path = path.clone();
            let through = &attachment.transit_gateway_attachment_id;
            let resource = &attachment.resource_id;
            paths.extend(match attachment.resource_type.as_str() {
                "vpc" => self.out_of_transit_gateway(path, resource, through, references_groups),
                "peering" | "tgw-peering" => self.to_peer_gateway(path, id, resource, through),
                kind => {
                    let hop = Hop::new(HopKind::TransitGatewayAttachment, through);
                    path.lose(hop, format!("what lies beyond {kind} {resource} is not in the snapshot"))
                }
            });
        }
        paths
    }

    pub(super) fn to_peer_gateway(
        &self,
        path: Path,
        id: &str,
        resource: &str,
        attachment: &str,
    ) -> Vec<Path> {
        let row = self.ec2().transit_gateway_attachments.get(&format!("{id}/{attachment}"));
        let named = row.map_or(resource, |row| row.resource_id.as_str());
        let peer = if named == id { resource } else { named };
        if peer == id || !self.ec2().transit_gateway_attachments.contains_key(&format!("{peer}/{attachment}"))
        {
            let hop = Hop::new(HopKind::TransitGateway, peer);
            return path
                .lose(hop, format!("transit gateway {peer}, beyond peering {attachment}, was not read"));
        }
        self.within_transit_gateway(path, peer, attachment)
    }

    /// Into a VPC by the interface of the transit gateway in the sender's zone, or else in any.
    pub(super) fn out_of_transit_gateway(
        &self,
        mut path: Path,
        vpc_id: &str,
        attachment: &str,
        references_groups: bool,
    ) -> Vec<Path> {
        // Behind a transit gateway rules that name groups match nothing, unless the gateway was told to pass them on.
        if !references_groups {
            path.from.groups = Some(Arc::default());
        }
        let hop = || Hop::new(HopKind::Vpc, vpc_id);
        let Some(vpc) = self.vpc_by_id.get(vpc_id).copied() else {
            return path.lose(hop(), format!("{vpc_id}, beyond attachment {attachment}, was not read"));
        };
        self.router(&mut path, vpc);
        path.side = Side::Between;
        let Some(row) = self.ec2().transit_gateway_vpc_attachments.get(attachment) else {
            return path.lose(hop(), format!("the subnets of attachment {attachment} were not read"));
        };
        let mut homes: Vec<usize> =
            row.subnet_ids.iter().filter_map(|id| self.subnet_by_id.get(id)).copied().collect();
        if let Some(home) = homes.iter().copied().find(|home| {
            self.subnets.get(*home).is_some_and(|home| path.zone.is_some() && home.zone == path.zone)
        }) {
            homes = vec![home];
        }
        if homes.is_empty() {
            return path.lose(hop(), format!("the subnets of attachment {attachment} were not read"));
        }
        homes.into_iter().flat_map(|home| self.leave_subnet(path.clone(), home)).collect()
    }
}
