//! Route tables.

use aws_sdk_ec2::types;

use super::in_vpc;
use crate::aws::pages::{Unclear, Understand, all, pages, parsed};
use crate::aws::{Reader, Refused};
use crate::model::ec2::{PropagatingVgw, Route, RouteTable, RouteTableAssociation};

impl Reader {
    /// `ec2:DescribeRouteTables` of one VPC.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn route_tables(&self, vpc: &str) -> Result<Vec<RouteTable>, Refused> {
        pages(
            "ec2:DescribeRouteTables",
            vpc,
            |token| {
                let ask = self.ec2.describe_route_tables().filters(in_vpc(vpc)).max_results(100);
                ask.set_next_token(token).send()
            },
            |page| (page.route_tables, page.next_token),
        )
        .await
    }
}

impl Understand<types::RouteTable> for RouteTable {
    fn understand(row: types::RouteTable) -> Result<RouteTable, Unclear> {
        Ok(RouteTable {
            route_table_id: row.route_table_id.unwrap_or_default(),
            vpc_id: row.vpc_id,
            associations: all(row.associations)?,
            propagating_vgws: all(row.propagating_vgws)?,
            routes: all(row.routes)?,
            owner_id: row.owner_id,
            tags: all(row.tags)?,
        })
    }
}

impl Understand<types::RouteTableAssociation> for RouteTableAssociation {
    fn understand(row: types::RouteTableAssociation) -> Result<RouteTableAssociation, Unclear> {
        Ok(RouteTableAssociation {
            main: row.main.unwrap_or_default(),
            route_table_association_id: row.route_table_association_id,
            route_table_id: row.route_table_id,
            subnet_id: row.subnet_id,
            gateway_id: row.gateway_id,
        })
    }
}

impl Understand<types::PropagatingVgw> for PropagatingVgw {
    fn understand(row: types::PropagatingVgw) -> Result<PropagatingVgw, Unclear> {
        Ok(PropagatingVgw { gateway_id: row.gateway_id })
    }
}

impl Understand<types::Route> for Route {
    fn understand(row: types::Route) -> Result<Route, Unclear> {
        Ok(Route {
            destination_cidr_block: parsed(row.destination_cidr_block)?,
            destination_ipv6_cidr_block: parsed(row.destination_ipv6_cidr_block)?,
            destination_prefix_list_id: row.destination_prefix_list_id,
            gateway_id: row.gateway_id,
            nat_gateway_id: row.nat_gateway_id,
            transit_gateway_id: row.transit_gateway_id,
            vpc_peering_connection_id: row.vpc_peering_connection_id,
            egress_only_internet_gateway_id: row.egress_only_internet_gateway_id,
            instance_id: row.instance_id,
            instance_owner_id: row.instance_owner_id,
            network_interface_id: row.network_interface_id,
            local_gateway_id: row.local_gateway_id,
            carrier_gateway_id: row.carrier_gateway_id,
            core_network_arn: row.core_network_arn,
            state: row.state.map(|state| state.as_str().to_owned()),
            origin: row.origin.map(|origin| origin.as_str().to_owned()),
        })
    }
}
