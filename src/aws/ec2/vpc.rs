//! VPCs, their DNS attributes, DHCP options and subnets.

use aws_sdk_ec2::types::{self, VpcAttributeName};

use super::{PAGE, filter, in_vpc};
use crate::aws::pages::{Unclear, Understand, all, one, pages, parsed};
use crate::aws::{Reader, Refused};
use crate::model::ec2::{
    AttributeValue, BlockPublicAccessStates, BlockState, CidrAssociation, DhcpConfiguration, DhcpOptions,
    DhcpValue, DnsHostnames, DnsSupport, Ipv6CidrAssociation, Subnet, Vpc,
};

const ATTRIBUTE: &str = "ec2:DescribeVpcAttribute";

impl Reader {
    /// `ec2:DescribeVpcs` of one VPC: no row where it does not exist.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn vpc(&self, vpc: &str) -> Result<Vec<Vpc>, Refused> {
        pages(
            "ec2:DescribeVpcs",
            vpc,
            |token| self.ec2.describe_vpcs().filters(in_vpc(vpc)).set_next_token(token).send(),
            |page| (page.vpcs, page.next_token),
        )
        .await
    }

    /// `ec2:DescribeVpcAttribute` of `enableDnsSupport`.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn dns_support(&self, vpc: &str) -> Result<DnsSupport, Refused> {
        let ask = self.ec2.describe_vpc_attribute().vpc_id(vpc);
        let answer = ask.attribute(VpcAttributeName::EnableDnsSupport).send().await;
        let answer = answer.map_err(|error| Refused::from_sdk(ATTRIBUTE, vpc, &error))?;
        let value = answer.enable_dns_support.and_then(|value| value.value);
        let value = value.ok_or_else(|| Refused::never_sent(ATTRIBUTE, "an empty answer"))?;
        Ok(DnsSupport { vpc_id: vpc.to_owned(), enable_dns_support: AttributeValue { value } })
    }

    /// `ec2:DescribeVpcAttribute` of `enableDnsHostnames`.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn dns_hostnames(&self, vpc: &str) -> Result<DnsHostnames, Refused> {
        let ask = self.ec2.describe_vpc_attribute().vpc_id(vpc);
        let answer = ask.attribute(VpcAttributeName::EnableDnsHostnames).send().await;
        let answer = answer.map_err(|error| Refused::from_sdk(ATTRIBUTE, vpc, &error))?;
        let value = answer.enable_dns_hostnames.and_then(|value| value.value);
        let value = value.ok_or_else(|| Refused::never_sent(ATTRIBUTE, "an empty answer"))?;
        Ok(DnsHostnames { vpc_id: vpc.to_owned(), enable_dns_hostnames: AttributeValue { value } })
    }

    /// `ec2:DescribeDhcpOptions` of one set: no row where it does not exist.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn dhcp_options(&self, id: &str) -> Result<Vec<DhcpOptions>, Refused> {
        pages(
            "ec2:DescribeDhcpOptions",
            id,
            |token| {
                let ask = self.ec2.describe_dhcp_options().filters(filter("dhcp-options-id", [id]));
                ask.set_next_token(token).send()
            },
            |page| (page.dhcp_options, page.next_token),
        )
        .await
    }

    /// `ec2:DescribeSubnets` of one VPC.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn subnets(&self, vpc: &str) -> Result<Vec<Subnet>, Refused> {
        pages(
            "ec2:DescribeSubnets",
            vpc,
            |token| {
                let ask = self.ec2.describe_subnets().filters(in_vpc(vpc)).max_results(PAGE);
                ask.set_next_token(token).send()
            },
            |page| (page.subnets, page.next_token),
        )
        .await
    }
}

impl Understand<types::Vpc> for Vpc {
    fn understand(row: types::Vpc) -> Result<Vpc, Unclear> {
        Ok(Vpc {
            vpc_id: row.vpc_id.unwrap_or_default(),
            cidr_block: parsed(row.cidr_block)?,
            cidr_block_association_set: all(row.cidr_block_association_set)?,
            ipv6_cidr_block_association_set: all(row.ipv6_cidr_block_association_set)?,
            dhcp_options_id: row.dhcp_options_id,
            owner_id: row.owner_id,
            block_public_access_states: one(row.block_public_access_states)?,
            tags: all(row.tags)?,
        })
    }
}

impl Understand<types::VpcCidrBlockAssociation> for CidrAssociation {
    fn understand(row: types::VpcCidrBlockAssociation) -> Result<CidrAssociation, Unclear> {
        Ok(CidrAssociation {
            cidr_block: parsed(row.cidr_block)?,
            cidr_block_state: one(row.cidr_block_state)?,
        })
    }
}

impl Understand<types::VpcIpv6CidrBlockAssociation> for Ipv6CidrAssociation {
    fn understand(row: types::VpcIpv6CidrBlockAssociation) -> Result<Ipv6CidrAssociation, Unclear> {
        Ok(Ipv6CidrAssociation {
            ipv6_cidr_block: parsed(row.ipv6_cidr_block)?,
            ipv6_cidr_block_state: one(row.ipv6_cidr_block_state)?,
        })
    }
}

impl Understand<types::VpcCidrBlockState> for BlockState {
    fn understand(state: types::VpcCidrBlockState) -> Result<BlockState, Unclear> {
        Ok(BlockState { state: state.state.map(|state| state.as_str().to_owned()).unwrap_or_default() })
    }
}

impl Understand<types::BlockPublicAccessStates> for BlockPublicAccessStates {
    fn understand(row: types::BlockPublicAccessStates) -> Result<BlockPublicAccessStates, Unclear> {
        Ok(BlockPublicAccessStates {
            internet_gateway_block_mode: row.internet_gateway_block_mode.map(|mode| mode.as_str().to_owned()),
        })
    }
}

impl Understand<types::Subnet> for Subnet {
    fn understand(row: types::Subnet) -> Result<Subnet, Unclear> {
        Ok(Subnet {
            subnet_id: row.subnet_id.unwrap_or_default(),
            vpc_id: row.vpc_id.unwrap_or_default(),
            cidr_block: parsed(row.cidr_block)?,
            ipv6_cidr_block_association_set: all(row.ipv6_cidr_block_association_set)?,
            availability_zone: row.availability_zone,
            block_public_access_states: one(row.block_public_access_states)?,
            map_public_ip_on_launch: row.map_public_ip_on_launch.unwrap_or_default(),
            owner_id: row.owner_id,
            tags: all(row.tags)?,
        })
    }
}

impl Understand<types::SubnetIpv6CidrBlockAssociation> for Ipv6CidrAssociation {
    fn understand(row: types::SubnetIpv6CidrBlockAssociation) -> Result<Ipv6CidrAssociation, Unclear> {
        Ok(Ipv6CidrAssociation {
            ipv6_cidr_block: parsed(row.ipv6_cidr_block)?,
            ipv6_cidr_block_state: one(row.ipv6_cidr_block_state)?,
        })
    }
}

impl Understand<types::SubnetCidrBlockState> for BlockState {
    fn understand(state: types::SubnetCidrBlockState) -> Result<BlockState, Unclear> {
        Ok(BlockState { state: state.state.map(|state| state.as_str().to_owned()).unwrap_or_default() })
    }
}

impl Understand<types::DhcpOptions> for DhcpOptions {
    fn understand(row: types::DhcpOptions) -> Result<DhcpOptions, Unclear> {
        Ok(DhcpOptions {
            dhcp_options_id: row.dhcp_options_id.unwrap_or_default(),
            dhcp_configurations: all(row.dhcp_configurations)?,
        })
    }
}

impl Understand<types::DhcpConfiguration> for DhcpConfiguration {
    fn understand(row: types::DhcpConfiguration) -> Result<DhcpConfiguration, Unclear> {
        Ok(DhcpConfiguration { key: row.key.unwrap_or_default(), values: all(row.values)? })
    }
}

impl Understand<types::AttributeValue> for DhcpValue {
    fn understand(row: types::AttributeValue) -> Result<DhcpValue, Unclear> {
        Ok(DhcpValue { value: row.value.unwrap_or_default() })
    }
}
