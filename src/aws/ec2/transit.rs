//! Transit gateways: what is attached to them, and where their tables lead.

use aws_sdk_ec2::types;

use super::{PAGE, filter};
use crate::aws::pages::{Unclear, Understand, all, one, pages, parsed};
use crate::aws::{Reader, Refused};
use crate::model::ec2::{
    ResourceAttachment, RouteTableAssociationState, TransitGatewayAttachment, TransitGatewayRoute,
    TransitGatewayRouteTable, TransitGatewayRoutes, TransitGatewayVpcAttachment,
};

const BY_GATEWAY: &str = "transit-gateway-id";

impl Reader {
    /// `ec2:DescribeTransitGatewayAttachments` of some gateways.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn transit_gateway_attachments(
        &self,
        gateways: &[String],
    ) -> Result<Vec<TransitGatewayAttachment>, Refused> {
        pages(
            "ec2:DescribeTransitGatewayAttachments",
            &gateways.join(","),
            |token| {
                let ask = self.ec2.describe_transit_gateway_attachments();
                let ask = ask.filters(filter(BY_GATEWAY, gateways)).max_results(PAGE);
                ask.set_next_token(token).send()
            },
            |page| (page.transit_gateway_attachments, page.next_token),
        )
        .await
    }

    /// `ec2:DescribeTransitGatewayVpcAttachments` of some gateways.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn transit_gateway_vpc_attachments(
        &self,
        gateways: &[String],
    ) -> Result<Vec<TransitGatewayVpcAttachment>, Refused> {
        pages(
            "ec2:DescribeTransitGatewayVpcAttachments",
            &gateways.join(","),
            |token| {
                let ask = self.ec2.describe_transit_gateway_vpc_attachments();
                let ask = ask.filters(filter(BY_GATEWAY, gateways)).max_results(PAGE);
                ask.set_next_token(token).send()
            },
            |page| (page.transit_gateway_vpc_attachments, page.next_token),
        )
        .await
    }

    /// `ec2:DescribeTransitGatewayRouteTables` of some gateways.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn transit_gateway_route_tables(
        &self,
        gateways: &[String],
    ) -> Result<Vec<TransitGatewayRouteTable>, Refused> {
        pages(
            "ec2:DescribeTransitGatewayRouteTables",
            &gateways.join(","),
            |token| {
                let ask = self.ec2.describe_transit_gateway_route_tables();
                let ask = ask.filters(filter(BY_GATEWAY, gateways)).max_results(PAGE);
                ask.set_next_token(token).send()
            },
            |page| (page.transit_gateway_route_tables, page.next_token),
        )
        .await
    }

    /// `ec2:SearchTransitGatewayRoutes`: all routes of one table. EC2 may have more than it gives.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn transit_gateway_routes(&self, table: &str) -> Result<TransitGatewayRoutes, Refused> {
        const CALL: &str = "ec2:SearchTransitGatewayRoutes";
        let ask = self.ec2.search_transit_gateway_routes().transit_gateway_route_table_id(table);
        let ask = ask.filters(filter("type", ["static", "propagated"])).max_results(PAGE);
        let answer = ask.send().await.map_err(|error| Refused::from_sdk(CALL, table, &error))?;
        let more = answer.additional_routes_available.unwrap_or_default() || answer.next_token.is_some();
        let routes = all(answer.routes).map_err(|unclear| Refused::unclear(CALL, table, unclear))?;
        Ok(TransitGatewayRoutes { routes, incomplete: more })
    }
}

impl Understand<types::TransitGatewayAttachment> for TransitGatewayAttachment {
    fn understand(row: types::TransitGatewayAttachment) -> Result<TransitGatewayAttachment, Unclear> {
        Ok(TransitGatewayAttachment {
            transit_gateway_attachment_id: row.transit_gateway_attachment_id.unwrap_or_default(),
            transit_gateway_id: row.transit_gateway_id.unwrap_or_default(),
            resource_type: row.resource_type.map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
            resource_id: row.resource_id.unwrap_or_default(),
            resource_owner_id: row.resource_owner_id,
            state: row.state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
            association: one(row.association)?,
        })
    }
}

impl Understand<types::TransitGatewayAttachmentAssociation> for RouteTableAssociationState {
    fn understand(
        row: types::TransitGatewayAttachmentAssociation,
    ) -> Result<RouteTableAssociationState, Unclear> {
        Ok(RouteTableAssociationState {
            transit_gateway_route_table_id: row.transit_gateway_route_table_id.unwrap_or_default(),
            state: row.state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
        })
    }
}

impl Understand<types::TransitGatewayVpcAttachment> for TransitGatewayVpcAttachment {
    fn understand(row: types::TransitGatewayVpcAttachment) -> Result<TransitGatewayVpcAttachment, Unclear> {
        Ok(TransitGatewayVpcAttachment {
            transit_gateway_attachment_id: row.transit_gateway_attachment_id.unwrap_or_default(),
            transit_gateway_id: row.transit_gateway_id.unwrap_or_default(),
            vpc_id: row.vpc_id.unwrap_or_default(),
            vpc_owner_id: row.vpc_owner_id,
            state: row.state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
            subnet_ids: row.subnet_ids.unwrap_or_default(),
        })
    }
}

impl Understand<types::TransitGatewayRouteTable> for TransitGatewayRouteTable {
    fn understand(row: types::TransitGatewayRouteTable) -> Result<TransitGatewayRouteTable, Unclear> {
        Ok(TransitGatewayRouteTable {
            transit_gateway_route_table_id: row.transit_gateway_route_table_id.unwrap_or_default(),
            transit_gateway_id: row.transit_gateway_id.unwrap_or_default(),
        })
    }
}

impl Understand<types::TransitGatewayRoute> for TransitGatewayRoute {
    fn understand(row: types::TransitGatewayRoute) -> Result<TransitGatewayRoute, Unclear> {
        Ok(TransitGatewayRoute {
            destination_cidr_block: parsed(row.destination_cidr_block)?,
            prefix_list_id: row.prefix_list_id,
            state: row.state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
            r#type: row.r#type.map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
            transit_gateway_attachments: all(row.transit_gateway_attachments)?,
        })
    }
}

impl Understand<types::TransitGatewayRouteAttachment> for ResourceAttachment {
    fn understand(row: types::TransitGatewayRouteAttachment) -> Result<ResourceAttachment, Unclear> {
        Ok(ResourceAttachment {
            transit_gateway_attachment_id: row.transit_gateway_attachment_id.unwrap_or_default(),
            resource_type: row.resource_type.map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
            resource_id: row.resource_id.unwrap_or_default(),
        })
    }
}
