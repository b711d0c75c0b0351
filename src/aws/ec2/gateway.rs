//! Gateways and peerings: where traffic leaves a VPC.

use aws_sdk_ec2::types;

use super::{PAGE, filter, in_vpc};
use crate::aws::pages::{Unclear, Understand, all, one, pages, parsed};
use crate::aws::{Reader, Refused};
use crate::model::ec2::{
    EgressOnlyInternetGateway, GatewayAttachment, InternetGateway, NatAddress, NatGateway, PeeringCidr,
    PeeringIpv6Cidr, PeeringOptions, PeeringStatus, PeeringVpc, VpcPeeringConnection, VpnGateway,
};

impl Reader {
    /// `ec2:DescribeNatGateways` of one VPC.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn nat_gateways(&self, vpc: &str) -> Result<Vec<NatGateway>, Refused> {
        pages(
            "ec2:DescribeNatGateways",
            vpc,
            |token| {
                let ask = self.ec2.describe_nat_gateways().filter(in_vpc(vpc)).max_results(PAGE);
                ask.set_next_token(token).send()
            },
            |page| (page.nat_gateways, page.next_token),
        )
        .await
    }

    /// `ec2:DescribeInternetGateways` of one VPC.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn internet_gateways(&self, vpc: &str) -> Result<Vec<InternetGateway>, Refused> {
        pages(
            "ec2:DescribeInternetGateways",
            vpc,
            |token| {
                let attached = filter("attachment.vpc-id", [vpc]);
                self.ec2.describe_internet_gateways().filters(attached).set_next_token(token).send()
            },
            |page| (page.internet_gateways, page.next_token),
        )
        .await
    }

    /// `ec2:DescribeEgressOnlyInternetGateways` of one VPC. EC2 cannot select them by VPC.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn egress_only_internet_gateways(
        &self,
        vpc: &str,
    ) -> Result<Vec<EgressOnlyInternetGateway>, Refused> {
        let mut gateways: Vec<EgressOnlyInternetGateway> = pages(
            "ec2:DescribeEgressOnlyInternetGateways",
            vpc,
            |token| self.ec2.describe_egress_only_internet_gateways().set_next_token(token).send(),
            |page| (page.egress_only_internet_gateways, page.next_token),
        )
        .await?;
        let here = |attachment: &GatewayAttachment| attachment.vpc_id.as_deref() == Some(vpc);
        gateways.retain(|gateway| gateway.attachments.iter().any(here));
        Ok(gateways)
    }

    /// `ec2:DescribeVpcPeeringConnections` by their ids.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn vpc_peering_connections(
        &self,
        ids: &[String],
    ) -> Result<Vec<VpcPeeringConnection>, Refused> {
        pages(
            "ec2:DescribeVpcPeeringConnections",
            &ids.join(","),
            |token| {
                let these = filter("vpc-peering-connection-id", ids);
                self.ec2.describe_vpc_peering_connections().filters(these).set_next_token(token).send()
            },
            |page| (page.vpc_peering_connections, page.next_token),
        )
        .await
    }

    /// `ec2:DescribeVpnGateways` by their ids.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn vpn_gateways(&self, ids: &[String]) -> Result<Vec<VpnGateway>, Refused> {
        pages(
            "ec2:DescribeVpnGateways",
            &ids.join(","),
            |_| self.ec2.describe_vpn_gateways().filters(filter("vpn-gateway-id", ids)).send(),
            |page| (page.vpn_gateways, None),
        )
        .await
    }
}

impl Understand<types::NatGateway> for NatGateway {
    fn understand(row: types::NatGateway) -> Result<NatGateway, Unclear> {
        Ok(NatGateway {
            nat_gateway_id: row.nat_gateway_id.unwrap_or_default(),
            vpc_id: row.vpc_id.unwrap_or_default(),
            subnet_id: row.subnet_id,
            state: row.state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
            failure_code: row.failure_code,
            connectivity_type: row.connectivity_type.map(|kind| kind.as_str().to_owned()),
            availability_mode: row.availability_mode.map(|mode| mode.as_str().to_owned()),
            route_table_id: row.route_table_id,
            nat_gateway_addresses: all(row.nat_gateway_addresses)?,
            tags: all(row.tags)?,
        })
    }
}

impl Understand<types::NatGatewayAddress> for NatAddress {
    fn understand(row: types::NatGatewayAddress) -> Result<NatAddress, Unclear> {
        Ok(NatAddress {
            network_interface_id: row.network_interface_id,
            private_ip: parsed(row.private_ip)?,
            public_ip: parsed(row.public_ip)?,
        })
    }
}

impl Understand<types::InternetGateway> for InternetGateway {
    fn understand(row: types::InternetGateway) -> Result<InternetGateway, Unclear> {
        Ok(InternetGateway {
            internet_gateway_id: row.internet_gateway_id.unwrap_or_default(),
            attachments: all(row.attachments)?,
            owner_id: row.owner_id,
            tags: all(row.tags)?,
        })
    }
}

impl Understand<types::InternetGatewayAttachment> for GatewayAttachment {
    fn understand(row: types::InternetGatewayAttachment) -> Result<GatewayAttachment, Unclear> {
        Ok(GatewayAttachment { state: row.state.map(|state| state.as_str().to_owned()), vpc_id: row.vpc_id })
    }
}

impl Understand<types::EgressOnlyInternetGateway> for EgressOnlyInternetGateway {
    fn understand(row: types::EgressOnlyInternetGateway) -> Result<EgressOnlyInternetGateway, Unclear> {
        Ok(EgressOnlyInternetGateway {
            egress_only_internet_gateway_id: row.egress_only_internet_gateway_id.unwrap_or_default(),
            attachments: all(row.attachments)?,
            tags: all(row.tags)?,
        })
    }
}

impl Understand<types::VpnGateway> for VpnGateway {
    fn understand(row: types::VpnGateway) -> Result<VpnGateway, Unclear> {
        Ok(VpnGateway {
            vpn_gateway_id: row.vpn_gateway_id.unwrap_or_default(),
            state: row.state.map(|state| state.as_str().to_owned()),
            vpc_attachments: all(row.vpc_attachments)?,
            tags: all(row.tags)?,
        })
    }
}

impl Understand<types::VpcAttachment> for GatewayAttachment {
    fn understand(row: types::VpcAttachment) -> Result<GatewayAttachment, Unclear> {
        Ok(GatewayAttachment { state: row.state.map(|state| state.as_str().to_owned()), vpc_id: row.vpc_id })
    }
}

impl Understand<types::VpcPeeringConnection> for VpcPeeringConnection {
    fn understand(row: types::VpcPeeringConnection) -> Result<VpcPeeringConnection, Unclear> {
        let status = row.status.and_then(|status| status.code);
        Ok(VpcPeeringConnection {
            vpc_peering_connection_id: row.vpc_peering_connection_id.unwrap_or_default(),
            requester_vpc_info: one(row.requester_vpc_info)?.unwrap_or_default(),
            accepter_vpc_info: one(row.accepter_vpc_info)?.unwrap_or_default(),
            status: PeeringStatus { code: status.map(|code| code.as_str().to_owned()).unwrap_or_default() },
            tags: all(row.tags)?,
        })
    }
}

impl Understand<types::VpcPeeringConnectionVpcInfo> for PeeringVpc {
    fn understand(row: types::VpcPeeringConnectionVpcInfo) -> Result<PeeringVpc, Unclear> {
        Ok(PeeringVpc {
            vpc_id: row.vpc_id,
            owner_id: row.owner_id,
            region: row.region,
            cidr_block_set: all(row.cidr_block_set)?,
            ipv6_cidr_block_set: all(row.ipv6_cidr_block_set)?,
            cidr_block: parsed(row.cidr_block)?,
            peering_options: row.peering_options.map(|options| PeeringOptions {
                allow_dns_resolution_from_remote_vpc: options
                    .allow_dns_resolution_from_remote_vpc
                    .unwrap_or_default(),
            }),
        })
    }
}

impl Understand<types::CidrBlock> for PeeringCidr {
    fn understand(row: types::CidrBlock) -> Result<PeeringCidr, Unclear> {
        Ok(PeeringCidr { cidr_block: parsed(row.cidr_block)? })
    }
}

impl Understand<types::Ipv6CidrBlock> for PeeringIpv6Cidr {
    fn understand(row: types::Ipv6CidrBlock) -> Result<PeeringIpv6Cidr, Unclear> {
        Ok(PeeringIpv6Cidr { ipv6_cidr_block: parsed(row.ipv6_cidr_block)? })
    }
}
