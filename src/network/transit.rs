//! Transit gateways: which attachment a packet leaves through.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::addresses::AddressSet;
use super::routes::Lookup;
use crate::model::ec2::{Ec2, ResourceAttachment, TransitGatewayRoute};

/// A route table of a transit gateway, compiled.
#[derive(Debug)]
pub(super) struct TransitRouteTable {
    routes: Vec<TransitRoute>,
    lookup: Lookup<(Priority, usize)>,
    /// Why a destination may have a route that is not here.
    pub(super) gaps: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct TransitRoute {
    pub(super) destination: String,
    pub(super) attachments: Vec<ResourceAttachment>,
    pub(super) blackhole: bool,
}

/// Which of two routes to the same block is taken: the lower (transit gateway guide, "Route evaluation order").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Priority {
    Static,
    PrefixList,
    PropagatedVpc,
    Propagated,
}

impl TransitRouteTable {
    /// The routes that a set of addresses takes.
    pub(super) fn take(&self, to: &AddressSet) -> Vec<(AddressSet, Option<&TransitRoute>)> {
        let split = self.lookup.split(to).into_iter();
        split.map(|(winner, part)| (part, winner.and_then(|(_, index)| self.routes.get(index)))).collect()
    }

    fn compile(routes: Vec<(IpNet, Priority, TransitRoute)>, gaps: Option<String>) -> TransitRouteTable {
        let blocks =
            routes.iter().enumerate().map(|(index, (block, priority, _))| (*block, (*priority, index)));
        let lookup = Lookup::of(blocks);
        TransitRouteTable { lookup, routes: routes.into_iter().map(|(.., route)| route).collect(), gaps }
    }
}

/// Compiles every table of which something was read: from all its routes where they were searched, otherwise from
/// its static routes and the blocks of the VPCs that propagate into it.
pub(super) fn route_tables(
    ec2: &Ec2,
    prefix_lists: &BTreeMap<String, Vec<IpNet>>,
) -> BTreeMap<String, TransitRouteTable> {
    let mut tables = BTreeMap::new();
    let mut ids: Vec<&String> = ec2
        .transit_gateway_routes
        .keys()
        .chain(ec2.transit_gateway_static_routes.keys())
        .chain(ec2.transit_gateway_propagations.keys())
        .collect();
    ids.sort();
    ids.dedup();
    for id in ids {
        let table = match ec2.transit_gateway_routes.get(id) {
            Some(all) => {
                let routes = all.routes.iter().flat_map(|route| expand(route, prefix_lists)).collect();
                TransitRouteTable::compile(
                    routes,
                    all.incomplete.then(|| format!("only some routes of {id} were read")),
                )
            }
            None => assembled(id, ec2, prefix_lists),
        };
        tables.insert(id.clone(), table);
    }
    tables
}

fn assembled(id: &str, ec2: &Ec2, prefix_lists: &BTreeMap<String, Vec<IpNet>>) -> TransitRouteTable {
    let mut gaps = None;
    let mut routes: Vec<_> = match ec2.transit_gateway_static_routes.get(id) {
        Some(table) => table.routes.iter().flat_map(|route| expand(route, prefix_lists)).collect(),
        None => {
            gaps = Some(format!("the static routes of {id} were not read"));
            Vec::new()
        }
    };
    let Some(propagations) = ec2.transit_gateway_propagations.get(id) else {
        return TransitRouteTable::compile(routes, Some(format!("the propagations into {id} were not read")));
    };
    for propagation in &propagations.transit_gateway_route_table_propagations {
        if propagation.state != "enabled" && !propagation.state.is_empty() {
            continue;
        }
        let blocks: Vec<IpNet> =
            match (propagation.resource_type.as_str(), ec2.vpcs.get(&propagation.resource_id)) {
                ("vpc", Some(vpc)) => {
                    vpc.ipv4_blocks().map(IpNet::V4).chain(vpc.ipv6_blocks().map(IpNet::V6)).collect()
                }
                _ => {
                    let resource = &propagation.resource_id;
                    gaps.get_or_insert_with(|| {
                        format!("the routes that {resource} propagates into {id} were not read")
                    });
                    continue;
                }
            };
        let attachment = ResourceAttachment {
            transit_gateway_attachment_id: propagation.transit_gateway_attachment_id.clone(),
            resource_type: propagation.resource_type.clone(),
            resource_id: propagation.resource_id.clone(),
        };
        routes.extend(blocks.into_iter().map(|block| {
            let route = TransitRoute {
                destination: block.to_string(),
                attachments: vec![attachment.clone()],
                blackhole: false,
            };
            (block, Priority::PropagatedVpc, route)
        }));
    }
    TransitRouteTable::compile(routes, gaps)
}

fn expand(
    route: &TransitGatewayRoute,
    prefix_lists: &BTreeMap<String, Vec<IpNet>>,
) -> Vec<(IpNet, Priority, TransitRoute)> {
    let resource =
        route.transit_gateway_attachments.first().map(|attachment| attachment.resource_type.as_str());
    let priority = match (route.r#type.as_str(), &route.prefix_list_id, resource) {
        ("propagated", _, Some("vpc")) => Priority::PropagatedVpc,
        ("propagated", ..) => Priority::Propagated,
        (_, Some(_), _) => Priority::PrefixList,
        _ => Priority::Static,
    };
    let blocks: Vec<IpNet> = match (route.destination_cidr_block, &route.prefix_list_id) {
        (Some(block), _) => vec![block],
        (None, Some(list)) => prefix_lists.get(list).cloned().unwrap_or_default(),
        (None, None) => Vec::new(),
    };
    let one = |block: IpNet| {
        let attachments = route.transit_gateway_attachments.clone();
        (
            block,
            priority,
            TransitRoute {
                destination: block.to_string(),
                attachments,
                blackhole: route.state == "blackhole",
            },
        )
    };
    blocks.into_iter().map(one).collect()
}
