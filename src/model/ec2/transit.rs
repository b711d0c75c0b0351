//! Transit gateways, their attachments and their route tables.

use std::collections::BTreeMap;
use std::path::Path;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::lenient;
use crate::json_text::Fields;
use crate::model::iam::Tag;
use crate::model::snapshot::{Misshapen, Record, Snapshot, Table, id_in_file, read_key};

/// A transit gateway, as in `TransitGateways`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TransitGateway {
    /// `tgw-…`.
    pub transit_gateway_id: String,
    /// `available`, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<String>,
    /// How it treats its attachments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<TransitGatewayOptions>,
    /// Names for people.
    #[serde(default, deserialize_with = "lenient::list")]
    pub tags: Vec<Tag>,
}

/// How a transit gateway treats its attachments.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TransitGatewayOptions {
    /// `enable`: inbound rules may name groups of other VPCs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_group_referencing_support: Option<String>,
}

impl TransitGateway {
    /// Whether inbound rules may name groups of the other VPCs.
    pub fn references_groups(&self) -> bool {
        let support =
            self.options.as_ref().and_then(|options| options.security_group_referencing_support.as_deref());
        support == Some("enable")
    }
}

/// Something attached to a transit gateway, as in `TransitGatewayAttachments`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TransitGatewayAttachment {
    /// `tgw-attach-…`.
    pub transit_gateway_attachment_id: String,
    /// `tgw-…`.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub transit_gateway_id: String,
    /// `vpc`, `peering`, `vpn`, `direct-connect-gateway`, `connect`, ….
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub resource_type: String,
    /// The VPC, the other gateway, ….
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub resource_id: String,
    /// The account of the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_owner_id: Option<String>,
    /// `available`, ….
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub state: String,
    /// The table that decides where its traffic goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub association: Option<RouteTableAssociationState>,
}

/// The route table of an attachment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RouteTableAssociationState {
    /// `tgw-rtb-…`.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub transit_gateway_route_table_id: String,
    /// `associated`, ….
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub state: String,
}

/// A VPC's attachment, as in `TransitGatewayVpcAttachments`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TransitGatewayVpcAttachment {
    /// `tgw-attach-…`.
    pub transit_gateway_attachment_id: String,
    /// `tgw-…`.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub transit_gateway_id: String,
    /// `vpc-…`.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub vpc_id: String,
    /// The account of the VPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc_owner_id: Option<String>,
    /// `available`, ….
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub state: String,
    /// Where the gateway has its interfaces: at most one subnet for each zone.
    #[serde(default, deserialize_with = "lenient::list")]
    pub subnet_ids: Vec<String>,
}

/// A route table of a transit gateway, as in `TransitGatewayRouteTables`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TransitGatewayRouteTable {
    /// `tgw-rtb-…`.
    pub transit_gateway_route_table_id: String,
    /// `tgw-…`.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub transit_gateway_id: String,
}

/// All routes of one route table, as far as they were read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TransitGatewayRoutes {
    /// The routes.
    pub routes: Vec<TransitGatewayRoute>,
    /// Whether the search had more than it printed, or looked for some only.
    pub incomplete: bool,
}

/// A route of a transit gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TransitGatewayRoute {
    /// The destination.
    #[serde(default, deserialize_with = "lenient::parsed", skip_serializing_if = "Option::is_none")]
    pub destination_cidr_block: Option<IpNet>,
    /// The list that this route comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix_list_id: Option<String>,
    /// `active` or `blackhole`.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub state: String,
    /// `static` or `propagated`.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub r#type: String,
    /// Where it leads: several for equal paths, none for a blackhole.
    #[serde(default, deserialize_with = "lenient::list")]
    pub transit_gateway_attachments: Vec<ResourceAttachment>,
}

/// An attachment as a route or a propagation names it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ResourceAttachment {
    /// `tgw-attach-…`.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub transit_gateway_attachment_id: String,
    /// `vpc`, `peering`, ….
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub resource_type: String,
    /// The VPC, the other gateway, ….
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub resource_id: String,
}

/// The static routes of one table, as in `TransitGatewayStaticRoutes`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TransitGatewayStaticRoutes {
    /// `tgw-rtb-…`.
    pub transit_gateway_route_table_id: String,
    /// The routes.
    #[serde(default, deserialize_with = "lenient::list")]
    pub routes: Vec<TransitGatewayRoute>,
}

/// Who propagates routes into one table, as in `TransitGatewayPropagations`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TransitGatewayPropagations {
    /// `tgw-rtb-…`.
    pub transit_gateway_route_table_id: String,
    /// The attachments.
    #[serde(default, deserialize_with = "lenient::list")]
    pub transit_gateway_route_table_propagations: Vec<TransitGatewayPropagation>,
}

/// One attachment that propagates its routes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TransitGatewayPropagation {
    /// `tgw-attach-…`.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub transit_gateway_attachment_id: String,
    /// `vpc`, `vpn`, ….
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub resource_type: String,
    /// The VPC, ….
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub resource_id: String,
    /// `enabled`, ….
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub state: String,
}

impl Record for TransitGatewayAttachment {
    const TABLE: Table = Table::list::<TransitGatewayAttachment>("TransitGatewayAttachments");

    fn id(&self) -> String {
        format!("{}/{}", self.transit_gateway_id, self.transit_gateway_attachment_id)
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        &mut snapshot.ec2.transit_gateway_attachments
    }

    /// An account that shares the gateway sees the attachment without its association.
    fn merge(&mut self, newer: Self) {
        let older = std::mem::replace(self, newer);
        self.association = self.association.take().or(older.association);
    }
}

rows_by_id! {
    TransitGateway, transit_gateway_id, transit_gateways, Table::list::<TransitGateway>("TransitGateways");
    TransitGatewayVpcAttachment, transit_gateway_attachment_id, transit_gateway_vpc_attachments, Table::list::<TransitGatewayVpcAttachment>("TransitGatewayVpcAttachments");
    TransitGatewayRouteTable, transit_gateway_route_table_id, transit_gateway_route_tables, Table::list::<TransitGatewayRouteTable>("TransitGatewayRouteTables");
    TransitGatewayStaticRoutes, transit_gateway_route_table_id, transit_gateway_static_routes, Table::list::<TransitGatewayStaticRoutes>("TransitGatewayStaticRoutes");
    TransitGatewayPropagations, transit_gateway_route_table_id, transit_gateway_propagations, Table::list::<TransitGatewayPropagations>("TransitGatewayPropagations");
}

/// `Routes` of the table that the file names (`TransitGatewayRouteTableId`), or its path (`…/tgw-rtb-0123.json`).
pub(super) fn read_routes(snapshot: &mut Snapshot, top: &Fields<'_>, file: &Path) -> Result<bool, Misshapen> {
    let Some(table) = id_in_file(top, "TransitGatewayRouteTableId", file, "tgw-rtb-")? else {
        return Ok(false);
    };
    let routes: Vec<TransitGatewayRoute> = read_key(top, "Routes")?;
    let more: Option<bool> = read_key(top, "AdditionalRoutesAvailable")?;
    let rows = snapshot.ec2.transit_gateway_routes.entry(table).or_default();
    rows.routes.extend(routes);
    rows.incomplete |= more.unwrap_or(false);
    Ok(true)
}

/// The propagations of the table that the file names (`TransitGatewayRouteTableId`), or its path.
pub(super) fn read_propagations(
    snapshot: &mut Snapshot,
    top: &Fields<'_>,
    file: &Path,
) -> Result<bool, Misshapen> {
    let Some(table) = id_in_file(top, "TransitGatewayRouteTableId", file, "tgw-rtb-")? else {
        return Ok(false);
    };
    let rows: Vec<TransitGatewayPropagation> = read_key(top, "TransitGatewayRouteTablePropagations")?;
    let propagations = snapshot.ec2.transit_gateway_propagations.entry(table.clone()).or_default();
    propagations.transit_gateway_route_table_id = table;
    propagations.transit_gateway_route_table_propagations.extend(rows);
    Ok(true)
}
