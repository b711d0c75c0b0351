//! Security groups and network ACLs.

use aws_sdk_ec2::types;

use super::{PAGE, filter, in_vpc};
use crate::aws::pages::{Unclear, Understand, all, one, pages, parsed};
use crate::aws::{Reader, Refused};
use crate::model::ec2::{
    AclAssociation, AclEntry, GroupId, GroupPair, IcmpTypeCode, IpPermission, IpRange, Ipv6Range, NetworkAcl,
    PortRange, PrefixListId, ReferencedGroup, SecurityGroup, SecurityGroupRule,
};

/// The most values that a filter of EC2 takes.
const FILTER_VALUES: usize = 200;

impl Reader {
    /// `ec2:DescribeSecurityGroups` of one VPC.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn security_groups(&self, vpc: &str) -> Result<Vec<SecurityGroup>, Refused> {
        pages(
            "ec2:DescribeSecurityGroups",
            vpc,
            |token| {
                let ask = self.ec2.describe_security_groups().filters(in_vpc(vpc)).max_results(PAGE);
                ask.set_next_token(token).send()
            },
            |page| (page.security_groups, page.next_token),
        )
        .await
    }

    /// `ec2:DescribeSecurityGroupRules` of some groups: their rules with their ids.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn security_group_rules(&self, groups: &[String]) -> Result<Vec<SecurityGroupRule>, Refused> {
        let mut rules = Vec::new();
        for groups in groups.chunks(FILTER_VALUES) {
            let read: Vec<SecurityGroupRule> = pages(
                "ec2:DescribeSecurityGroupRules",
                "",
                |token| {
                    let of_groups = filter("group-id", groups);
                    let ask = self.ec2.describe_security_group_rules().filters(of_groups).max_results(PAGE);
                    ask.set_next_token(token).send()
                },
                |page| (page.security_group_rules, page.next_token),
            )
            .await?;
            rules.extend(read);
        }
        Ok(rules)
    }

    /// `ec2:DescribeNetworkAcls` of one VPC.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn network_acls(&self, vpc: &str) -> Result<Vec<NetworkAcl>, Refused> {
        pages(
            "ec2:DescribeNetworkAcls",
            vpc,
            |token| {
                let ask = self.ec2.describe_network_acls().filters(in_vpc(vpc)).max_results(PAGE);
                ask.set_next_token(token).send()
            },
            |page| (page.network_acls, page.next_token),
        )
        .await
    }
}

impl Understand<types::SecurityGroup> for SecurityGroup {
    fn understand(row: types::SecurityGroup) -> Result<SecurityGroup, Unclear> {
        Ok(SecurityGroup {
            group_id: row.group_id.unwrap_or_default(),
            group_name: row.group_name.unwrap_or_default(),
            vpc_id: row.vpc_id,
            owner_id: row.owner_id,
            ip_permissions: all(row.ip_permissions)?,
            ip_permissions_egress: all(row.ip_permissions_egress)?,
            tags: all(row.tags)?,
        })
    }
}

impl Understand<types::IpPermission> for IpPermission {
    fn understand(row: types::IpPermission) -> Result<IpPermission, Unclear> {
        Ok(IpPermission {
            ip_protocol: row.ip_protocol.unwrap_or_default(),
            from_port: row.from_port.map(i64::from),
            to_port: row.to_port.map(i64::from),
            ip_ranges: all(row.ip_ranges)?,
            ipv6_ranges: all(row.ipv6_ranges)?,
            prefix_list_ids: all(row.prefix_list_ids)?,
            user_id_group_pairs: all(row.user_id_group_pairs)?,
        })
    }
}

impl Understand<types::IpRange> for IpRange {
    fn understand(row: types::IpRange) -> Result<IpRange, Unclear> {
        Ok(IpRange { cidr_ip: parsed(row.cidr_ip)?, description: row.description })
    }
}

impl Understand<types::Ipv6Range> for Ipv6Range {
    fn understand(row: types::Ipv6Range) -> Result<Ipv6Range, Unclear> {
        Ok(Ipv6Range { cidr_ipv6: parsed(row.cidr_ipv6)?, description: row.description })
    }
}

impl Understand<types::PrefixListId> for PrefixListId {
    fn understand(row: types::PrefixListId) -> Result<PrefixListId, Unclear> {
        Ok(PrefixListId {
            prefix_list_id: row.prefix_list_id.unwrap_or_default(),
            description: row.description,
        })
    }
}

impl Understand<types::UserIdGroupPair> for GroupPair {
    fn understand(row: types::UserIdGroupPair) -> Result<GroupPair, Unclear> {
        Ok(GroupPair {
            group_id: row.group_id.unwrap_or_default(),
            group_name: row.group_name,
            user_id: row.user_id,
            vpc_id: row.vpc_id,
            vpc_peering_connection_id: row.vpc_peering_connection_id,
            peering_status: row.peering_status,
            description: row.description,
        })
    }
}

impl Understand<types::SecurityGroupRule> for SecurityGroupRule {
    fn understand(row: types::SecurityGroupRule) -> Result<SecurityGroupRule, Unclear> {
        Ok(SecurityGroupRule {
            security_group_rule_id: row.security_group_rule_id.unwrap_or_default(),
            group_id: row.group_id.unwrap_or_default(),
            group_owner_id: row.group_owner_id,
            is_egress: row.is_egress.unwrap_or_default(),
            ip_protocol: row.ip_protocol.unwrap_or_default(),
            from_port: row.from_port.map(i64::from),
            to_port: row.to_port.map(i64::from),
            cidr_ipv4: parsed(row.cidr_ipv4)?,
            cidr_ipv6: parsed(row.cidr_ipv6)?,
            prefix_list_id: row.prefix_list_id,
            referenced_group_info: one(row.referenced_group_info)?,
            description: row.description,
            tags: all(row.tags)?,
        })
    }
}

impl Understand<types::ReferencedSecurityGroup> for ReferencedGroup {
    fn understand(row: types::ReferencedSecurityGroup) -> Result<ReferencedGroup, Unclear> {
        Ok(ReferencedGroup {
            group_id: row.group_id.unwrap_or_default(),
            user_id: row.user_id,
            vpc_id: row.vpc_id,
            vpc_peering_connection_id: row.vpc_peering_connection_id,
            peering_status: row.peering_status,
        })
    }
}

impl Understand<types::GroupIdentifier> for GroupId {
    fn understand(row: types::GroupIdentifier) -> Result<GroupId, Unclear> {
        Ok(GroupId { group_id: row.group_id.unwrap_or_default(), group_name: row.group_name })
    }
}

impl Understand<types::SecurityGroupIdentifier> for GroupId {
    fn understand(row: types::SecurityGroupIdentifier) -> Result<GroupId, Unclear> {
        Ok(GroupId { group_id: row.group_id.unwrap_or_default(), group_name: row.group_name })
    }
}

impl Understand<types::NetworkAcl> for NetworkAcl {
    fn understand(row: types::NetworkAcl) -> Result<NetworkAcl, Unclear> {
        Ok(NetworkAcl {
            network_acl_id: row.network_acl_id.unwrap_or_default(),
            vpc_id: row.vpc_id,
            associations: all(row.associations)?,
            entries: all(row.entries)?,
            is_default: row.is_default.unwrap_or_default(),
            owner_id: row.owner_id,
            tags: all(row.tags)?,
        })
    }
}

impl Understand<types::NetworkAclAssociation> for AclAssociation {
    fn understand(row: types::NetworkAclAssociation) -> Result<AclAssociation, Unclear> {
        Ok(AclAssociation {
            network_acl_association_id: row.network_acl_association_id,
            network_acl_id: row.network_acl_id,
            subnet_id: row.subnet_id,
        })
    }
}

impl Understand<types::NetworkAclEntry> for AclEntry {
    fn understand(row: types::NetworkAclEntry) -> Result<AclEntry, Unclear> {
        Ok(AclEntry {
            rule_number: row.rule_number.map(i64::from).unwrap_or_default(),
            egress: row.egress.unwrap_or_default(),
            protocol: row.protocol.unwrap_or_default(),
            rule_action: row.rule_action.map(|action| action.as_str().to_owned()).unwrap_or_default(),
            cidr_block: parsed(row.cidr_block)?,
            ipv6_cidr_block: parsed(row.ipv6_cidr_block)?,
            port_range: row.port_range.map(|ports| PortRange {
                from: ports.from.map(i64::from).unwrap_or_default(),
                to: ports.to.map(i64::from).unwrap_or_default(),
            }),
            icmp_type_code: row.icmp_type_code.map(|icmp| IcmpTypeCode {
                code: icmp.code.map(i64::from).unwrap_or_default(),
                r#type: icmp.r#type.map(i64::from).unwrap_or_default(),
            }),
        })
    }
}
