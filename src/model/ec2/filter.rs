//! Security groups and network ACLs.

use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use super::lenient;
use crate::model::iam::Tag;
use crate::model::snapshot::Table;

/// A security group, as in `SecurityGroups`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SecurityGroup {
    /// `sg-…`.
    pub group_id: String,
    /// Unique within the VPC.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub group_name: String,
    /// The VPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc_id: Option<String>,
    /// The account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<String>,
    /// What may come in.
    #[serde(default, deserialize_with = "lenient::list")]
    pub ip_permissions: Vec<IpPermission>,
    /// What may go out: nothing, where the list is empty.
    #[serde(default, deserialize_with = "lenient::list")]
    pub ip_permissions_egress: Vec<IpPermission>,
    /// Names for people.
    #[serde(default, deserialize_with = "lenient::list")]
    pub tags: Vec<Tag>,
}

/// One or more rules with the same protocol and ports.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct IpPermission {
    /// `-1`, `tcp`, `udp`, `icmp`, `icmpv6`, or a number.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub ip_protocol: String,
    /// The first port, or the ICMP type; -1 for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_port: Option<i64>,
    /// The last port, or the ICMP code; -1 for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_port: Option<i64>,
    /// IPv4 blocks.
    #[serde(default, deserialize_with = "lenient::list")]
    pub ip_ranges: Vec<IpRange>,
    /// IPv6 blocks.
    #[serde(default, deserialize_with = "lenient::list")]
    pub ipv6_ranges: Vec<Ipv6Range>,
    /// Prefix lists.
    #[serde(default, deserialize_with = "lenient::list")]
    pub prefix_list_ids: Vec<PrefixListId>,
    /// Groups, of this VPC or of a peered one.
    #[serde(default, deserialize_with = "lenient::list")]
    pub user_id_group_pairs: Vec<GroupPair>,
}

/// An IPv4 block in a rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct IpRange {
    /// The block.
    #[serde(default, deserialize_with = "lenient::parsed", skip_serializing_if = "Option::is_none")]
    pub cidr_ip: Option<Ipv4Net>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// An IPv6 block in a rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Ipv6Range {
    /// The block.
    #[serde(default, deserialize_with = "lenient::parsed", skip_serializing_if = "Option::is_none")]
    pub cidr_ipv6: Option<Ipv6Net>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A prefix list in a rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PrefixListId {
    /// `pl-…`.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub prefix_list_id: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A group in a rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GroupPair {
    /// `sg-…`.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub group_id: String,
    /// Only in old rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_name: Option<String>,
    /// The account of the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The VPC of the group, where it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc_id: Option<String>,
    /// How the other VPC is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc_peering_connection_id: Option<String>,
    /// `active`, or a stale rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peering_status: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// One rule, as in `SecurityGroupRules`: gives the rules of [`SecurityGroup`] their ids.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SecurityGroupRule {
    /// `sgr-…`.
    pub security_group_rule_id: String,
    /// `sg-…`.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub group_id: String,
    /// The account of the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_owner_id: Option<String>,
    /// The direction.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub is_egress: bool,
    /// As in [`IpPermission`].
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub ip_protocol: String,
    /// As in [`IpPermission`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_port: Option<i64>,
    /// As in [`IpPermission`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_port: Option<i64>,
    /// One of the four kinds of peers.
    #[serde(default, deserialize_with = "lenient::parsed", skip_serializing_if = "Option::is_none")]
    pub cidr_ipv4: Option<Ipv4Net>,
    /// One of the four kinds of peers.
    #[serde(default, deserialize_with = "lenient::parsed", skip_serializing_if = "Option::is_none")]
    pub cidr_ipv6: Option<Ipv6Net>,
    /// One of the four kinds of peers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix_list_id: Option<String>,
    /// One of the four kinds of peers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referenced_group_info: Option<ReferencedGroup>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Names for people.
    #[serde(default, deserialize_with = "lenient::list")]
    pub tags: Vec<Tag>,
}

/// The group that a rule names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ReferencedGroup {
    /// `sg-…`.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub group_id: String,
    /// The account of the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The VPC of the group, where it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc_id: Option<String>,
    /// How the other VPC is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc_peering_connection_id: Option<String>,
    /// `active`, or a stale rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peering_status: Option<String>,
}

/// A security group by its id, as other resources name it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GroupId {
    /// `sg-…`.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub group_id: String,
    /// Unique within the VPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_name: Option<String>,
}

/// A network ACL, as in `NetworkAcls`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NetworkAcl {
    /// `acl-…`.
    pub network_acl_id: String,
    /// The VPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc_id: Option<String>,
    /// The subnets that it guards.
    #[serde(default, deserialize_with = "lenient::list")]
    pub associations: Vec<AclAssociation>,
    /// Rules of both directions. What no rule decides is denied.
    #[serde(default, deserialize_with = "lenient::list")]
    pub entries: Vec<AclEntry>,
    /// The one of the VPC.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub is_default: bool,
    /// The account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<String>,
    /// Names for people.
    #[serde(default, deserialize_with = "lenient::list")]
    pub tags: Vec<Tag>,
}

/// A subnet and its network ACL.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AclAssociation {
    /// `aclassoc-…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_acl_association_id: Option<String>,
    /// `acl-…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_acl_id: Option<String>,
    /// `subnet-…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet_id: Option<String>,
}

/// A rule of a network ACL: the lowest number that matches decides.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AclEntry {
    /// 1 to 32766, or 32767 for the final denial.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub rule_number: i64,
    /// The direction.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub egress: bool,
    /// A number; `-1` for all.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub protocol: String,
    /// `allow` or `deny`.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub rule_action: String,
    /// The other end.
    #[serde(default, deserialize_with = "lenient::parsed", skip_serializing_if = "Option::is_none")]
    pub cidr_block: Option<Ipv4Net>,
    /// The other end.
    #[serde(default, deserialize_with = "lenient::parsed", skip_serializing_if = "Option::is_none")]
    pub ipv6_cidr_block: Option<Ipv6Net>,
    /// Destination ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_range: Option<PortRange>,
    /// For ICMP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icmp_type_code: Option<IcmpTypeCode>,
}

/// Ports, both ends included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PortRange {
    /// The first.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub from: i64,
    /// The last.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub to: i64,
}

/// Kinds of ICMP; -1 for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct IcmpTypeCode {
    /// The type.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub code: i64,
    /// The code.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub r#type: i64,
}

rows_by_id! {
    SecurityGroup, group_id, security_groups, Table::list::<SecurityGroup>("SecurityGroups");
    SecurityGroupRule, security_group_rule_id, security_group_rules, Table::list::<SecurityGroupRule>("SecurityGroupRules");
    NetworkAcl, network_acl_id, network_acls, Table::list::<NetworkAcl>("NetworkAcls");
}
