//! VPCs, their attributes, DHCP options and subnets.

use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use super::lenient;
use crate::model::iam::Tag;
use crate::model::snapshot::Table;

/// A VPC, as in `Vpcs`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Vpc {
    /// `vpc-…`.
    pub vpc_id: String,
    /// The primary block.
    #[serde(default, deserialize_with = "lenient::parsed", skip_serializing_if = "Option::is_none")]
    pub cidr_block: Option<Ipv4Net>,
    /// All IPv4 blocks.
    #[serde(default, deserialize_with = "lenient::list")]
    pub cidr_block_association_set: Vec<CidrAssociation>,
    /// All IPv6 blocks.
    #[serde(default, deserialize_with = "lenient::list", skip_serializing_if = "Vec::is_empty")]
    pub ipv6_cidr_block_association_set: Vec<Ipv6CidrAssociation>,
    /// `dopt-…`, or `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dhcp_options_id: Option<String>,
    /// The account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<String>,
    /// Whether it is cut off from the internet, after exclusions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_public_access_states: Option<BlockPublicAccessStates>,
    /// Names for people.
    #[serde(default, deserialize_with = "lenient::list")]
    pub tags: Vec<Tag>,
}

/// What VPC Block Public Access does to a VPC or a subnet, as `describe-vpcs` and `describe-subnets` tell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct BlockPublicAccessStates {
    /// `off`, `block-ingress` (only NAT and egress-only gateways work) or `block-bidirectional` (nothing does).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internet_gateway_block_mode: Option<String>,
}

/// One IPv4 block of a VPC.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CidrAssociation {
    /// The block.
    #[serde(default, deserialize_with = "lenient::parsed", skip_serializing_if = "Option::is_none")]
    pub cidr_block: Option<Ipv4Net>,
    /// `associated`, `disassociated`, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cidr_block_state: Option<BlockState>,
}

/// One IPv6 block of a VPC or of a subnet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Ipv6CidrAssociation {
    /// The block.
    #[serde(default, deserialize_with = "lenient::parsed", skip_serializing_if = "Option::is_none")]
    pub ipv6_cidr_block: Option<Ipv6Net>,
    /// `associated`, `disassociated`, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6_cidr_block_state: Option<BlockState>,
}

/// The state of a block.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct BlockState {
    /// `associated`, `disassociated`, ….
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub state: String,
}

impl BlockState {
    fn in_use(state: Option<&BlockState>) -> bool {
        state.is_none_or(|state| matches!(state.state.as_str(), "" | "associated" | "associating"))
    }
}

impl Vpc {
    /// Its IPv4 blocks in use.
    pub fn ipv4_blocks(&self) -> impl Iterator<Item = Ipv4Net> + '_ {
        let associated = self
            .cidr_block_association_set
            .iter()
            .filter(|block| BlockState::in_use(block.cidr_block_state.as_ref()))
            .filter_map(|block| block.cidr_block);
        self.cidr_block.into_iter().chain(associated.filter(|block| Some(*block) != self.cidr_block))
    }

    /// Its IPv6 blocks in use.
    pub fn ipv6_blocks(&self) -> impl Iterator<Item = Ipv6Net> + '_ {
        self.ipv6_cidr_block_association_set
            .iter()
            .filter(|block| BlockState::in_use(block.ipv6_cidr_block_state.as_ref()))
            .filter_map(|block| block.ipv6_cidr_block)
    }
}

/// `enableDnsSupport` of a VPC, as `aws ec2 describe-vpc-attribute` prints it: the whole file is the row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DnsSupport {
    /// The VPC.
    pub vpc_id: String,
    /// Whether the Amazon resolver answers in it.
    pub enable_dns_support: AttributeValue,
}

/// `enableDnsHostnames` of a VPC, as `aws ec2 describe-vpc-attribute` prints it: the whole file is the row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DnsHostnames {
    /// The VPC.
    pub vpc_id: String,
    /// Private DNS names of endpoints need it.
    pub enable_dns_hostnames: AttributeValue,
}

/// The value of a VPC attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AttributeValue {
    /// Whether it is on. The AWS CLI leaves it out where it is off.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub value: bool,
}

/// DHCP options, as in `DhcpOptions`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DhcpOptions {
    /// `dopt-…`.
    pub dhcp_options_id: String,
    /// `domain-name-servers` and others.
    #[serde(default, deserialize_with = "lenient::list")]
    pub dhcp_configurations: Vec<DhcpConfiguration>,
}

/// One option with its values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DhcpConfiguration {
    /// `domain-name-servers`, ….
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub key: String,
    /// In order of preference.
    #[serde(default, deserialize_with = "lenient::list")]
    pub values: Vec<DhcpValue>,
}

/// One value of an option.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DhcpValue {
    /// An address, or `AmazonProvidedDNS`.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub value: String,
}

impl DhcpOptions {
    /// The name servers that instances are given, in order.
    pub fn name_servers(&self) -> Vec<&str> {
        self.dhcp_configurations
            .iter()
            .filter(|option| option.key == "domain-name-servers")
            .flat_map(|option| option.values.iter().map(|value| value.value.as_str()))
            .collect()
    }
}

/// A subnet, as in `Subnets`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Subnet {
    /// `subnet-…`.
    pub subnet_id: String,
    /// The VPC.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub vpc_id: String,
    /// None in an IPv6-only subnet.
    #[serde(default, deserialize_with = "lenient::parsed", skip_serializing_if = "Option::is_none")]
    pub cidr_block: Option<Ipv4Net>,
    /// IPv6 blocks.
    #[serde(default, deserialize_with = "lenient::list")]
    pub ipv6_cidr_block_association_set: Vec<Ipv6CidrAssociation>,
    /// `eu-west-1a`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability_zone: Option<String>,
    /// Whether new instances get a public address.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub map_public_ip_on_launch: bool,
    /// The account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<String>,
    /// Whether it is cut off from the internet, after exclusions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_public_access_states: Option<BlockPublicAccessStates>,
    /// Names for people.
    #[serde(default, deserialize_with = "lenient::list")]
    pub tags: Vec<Tag>,
}

impl Subnet {
    /// Its IPv6 blocks in use.
    pub fn ipv6_blocks(&self) -> impl Iterator<Item = Ipv6Net> + '_ {
        self.ipv6_cidr_block_association_set
            .iter()
            .filter(|block| BlockState::in_use(block.ipv6_cidr_block_state.as_ref()))
            .filter_map(|block| block.ipv6_cidr_block)
    }
}

rows_by_id! {
    Vpc, vpc_id, vpcs, Table::list::<Vpc>("Vpcs");
    DnsSupport, vpc_id, dns_support, Table::whole_file::<DnsSupport>("EnableDnsSupport");
    DnsHostnames, vpc_id, dns_hostnames, Table::whole_file::<DnsHostnames>("EnableDnsHostnames");
    DhcpOptions, dhcp_options_id, dhcp_options, Table::list::<DhcpOptions>("DhcpOptions");
    Subnet, subnet_id, subnets, Table::list::<Subnet>("Subnets");
}
