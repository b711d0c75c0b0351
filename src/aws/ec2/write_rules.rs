//! Rules of security groups, entries of network ACLs, and routes, changed; and read again one by one.
//!
//! Each call is rehearsed first (`DryRun`). None is sent again by the SDK: an answer that it exists already must mean
//! that somebody else made it, and never that our own first try got through.

use std::time::Duration;

use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::operation::RequestId;
use aws_sdk_ec2::types::{self, ResourceType, TagSpecification};

use ipnet::IpNet;
use tokio::time::sleep;

use crate::actions::network_acl_entry::{self, NetworkAclEntry};
use crate::actions::route::{self, Route};
use crate::actions::security_group_rule::{self, Peer, SecurityGroupRule};
use crate::actions::{RUN_TAG, Sent};
use crate::aws::pages::all;
use crate::aws::{Reader, Reason, Refused, Writer};
use crate::model::ec2::{NetworkAcl, RouteTable, SecurityGroup};

/// How often a call is sent that AWS did not even look at, because there were too many.
const TRIES_WHEN_THROTTLED: u32 = 5;

impl Reader {
    /// `ec2:DescribeSecurityGroups` of one group.
    ///
    /// # Errors
    /// What AWS answered: that it does not exist is [`Reason::NotFound`].
    pub async fn security_group(&self, id: &str) -> Result<Vec<SecurityGroup>, Refused> {
        const CALL: &str = "ec2:DescribeSecurityGroups";
        let answer = self.ec2.describe_security_groups().group_ids(id).send().await;
        let answer = answer.map_err(|error| Refused::from_sdk(CALL, id, &error))?;
        all(answer.security_groups).map_err(|unclear| Refused::unclear(CALL, id, unclear))
    }

    /// `ec2:DescribeNetworkAcls` of one ACL.
    ///
    /// # Errors
    /// What AWS answered: that it does not exist is [`Reason::NotFound`].
    pub async fn network_acl(&self, id: &str) -> Result<Vec<NetworkAcl>, Refused> {
        const CALL: &str = "ec2:DescribeNetworkAcls";
        let answer = self.ec2.describe_network_acls().network_acl_ids(id).send().await;
        let answer = answer.map_err(|error| Refused::from_sdk(CALL, id, &error))?;
        all(answer.network_acls).map_err(|unclear| Refused::unclear(CALL, id, unclear))
    }

    /// `ec2:DescribeRouteTables` of one table.
    ///
    /// # Errors
    /// What AWS answered: that it does not exist is [`Reason::NotFound`].
    pub async fn route_table(&self, id: &str) -> Result<Vec<RouteTable>, Refused> {
        const CALL: &str = "ec2:DescribeRouteTables";
        let answer = self.ec2.describe_route_tables().route_table_ids(id).send().await;
        let answer = answer.map_err(|error| Refused::from_sdk(CALL, id, &error))?;
        all(answer.route_tables).map_err(|unclear| Refused::unclear(CALL, id, unclear))
    }
}

/// Sends a request of the SDK as the house sends all of this file: `$build` makes it anew for each try.
macro_rules! rehearsed {
    ($call:literal, $resource:expr, $build:expr) => {
        rehearsed($call, $resource, |rehearsal| {
            let once = aws_sdk_ec2::Config::builder().retry_config(RetryConfig::disabled());
            let request = $build.dry_run(rehearsal).customize().config_override(once);
            async move { request.send().await }
        })
        .await
    };
}

impl Writer {
    /// `ec2:AuthorizeSecurityGroupIngress` with one rule.
    ///
    /// # Errors
    /// What AWS answered: that there is such a rule is [`Reason::AlreadyThere`].
    pub async fn authorize_ingress(
        &self,
        at: &security_group_rule::Address,
        rule: &SecurityGroupRule,
    ) -> Result<Sent, Refused> {
        let (permission, tags) = (permission(at, rule.description.as_deref()), self.tags_of_rules());
        let answer = rehearsed!(
            "ec2:AuthorizeSecurityGroupIngress",
            &at.group_id,
            self.ec2
                .authorize_security_group_ingress()
                .group_id(&at.group_id)
                .ip_permissions(permission.clone())
                .set_tag_specifications(tags.clone())
        )?;
        Ok(sent(&answer, first_rule(answer.security_group_rules())))
    }

    /// `ec2:AuthorizeSecurityGroupEgress` with one rule.
    ///
    /// # Errors
    /// What AWS answered: that there is such a rule is [`Reason::AlreadyThere`].
    pub async fn authorize_egress(
        &self,
        at: &security_group_rule::Address,
        rule: &SecurityGroupRule,
    ) -> Result<Sent, Refused> {
        let (permission, tags) = (permission(at, rule.description.as_deref()), self.tags_of_rules());
        let answer = rehearsed!(
            "ec2:AuthorizeSecurityGroupEgress",
            &at.group_id,
            self.ec2
                .authorize_security_group_egress()
                .group_id(&at.group_id)
                .ip_permissions(permission.clone())
                .set_tag_specifications(tags.clone())
        )?;
        Ok(sent(&answer, first_rule(answer.security_group_rules())))
    }

    /// `ec2:RevokeSecurityGroupIngress` of one rule: by its id where that is known.
    ///
    /// # Errors
    /// What AWS answered: that there is no such rule is [`Reason::NotFound`].
    pub async fn revoke_ingress(
        &self,
        at: &security_group_rule::Address,
        rule: Option<&SecurityGroupRule>,
    ) -> Result<Sent, Refused> {
        let (ids, permissions) = by_id_or_by_value(at, rule);
        let answer = rehearsed!(
            "ec2:RevokeSecurityGroupIngress",
            &at.group_id,
            self.ec2
                .revoke_security_group_ingress()
                .group_id(&at.group_id)
                .set_security_group_rule_ids(ids.clone())
                .set_ip_permissions(permissions.clone())
        )?;
        Ok(sent(&answer, None))
    }

    /// `ec2:RevokeSecurityGroupEgress` of one rule: by its id where that is known.
    ///
    /// # Errors
    /// What AWS answered: that there is no such rule is [`Reason::NotFound`].
    pub async fn revoke_egress(
        &self,
        at: &security_group_rule::Address,
        rule: Option<&SecurityGroupRule>,
    ) -> Result<Sent, Refused> {
        let (ids, permissions) = by_id_or_by_value(at, rule);
        let answer = rehearsed!(
            "ec2:RevokeSecurityGroupEgress",
            &at.group_id,
            self.ec2
                .revoke_security_group_egress()
                .group_id(&at.group_id)
                .set_security_group_rule_ids(ids.clone())
                .set_ip_permissions(permissions.clone())
        )?;
        Ok(sent(&answer, None))
    }

    /// `ec2:CreateNetworkAclEntry`.
    ///
    /// # Errors
    /// What AWS answered: that the number is taken is [`Reason::AlreadyThere`].
    pub async fn create_network_acl_entry(
        &self,
        at: &network_acl_entry::Address,
        entry: &NetworkAclEntry,
    ) -> Result<Sent, Refused> {
        let entry = Entry::of(at, entry);
        let answer = rehearsed!(
            "ec2:CreateNetworkAclEntry",
            &at.acl_id,
            self.ec2
                .create_network_acl_entry()
                .network_acl_id(&at.acl_id)
                .rule_number(entry.number)
                .egress(at.egress)
                .rule_action(entry.action.clone())
                .protocol(&entry.protocol)
                .set_cidr_block(entry.v4.clone())
                .set_ipv6_cidr_block(entry.v6.clone())
                .set_port_range(entry.ports.clone())
                .set_icmp_type_code(entry.icmp.clone())
        )?;
        Ok(sent(&answer, None))
    }

    /// `ec2:ReplaceNetworkAclEntry`.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn replace_network_acl_entry(
        &self,
        at: &network_acl_entry::Address,
        entry: &NetworkAclEntry,
    ) -> Result<Sent, Refused> {
        let entry = Entry::of(at, entry);
        let answer = rehearsed!(
            "ec2:ReplaceNetworkAclEntry",
            &at.acl_id,
            self.ec2
                .replace_network_acl_entry()
                .network_acl_id(&at.acl_id)
                .rule_number(entry.number)
                .egress(at.egress)
                .rule_action(entry.action.clone())
                .protocol(&entry.protocol)
                .set_cidr_block(entry.v4.clone())
                .set_ipv6_cidr_block(entry.v6.clone())
                .set_port_range(entry.ports.clone())
                .set_icmp_type_code(entry.icmp.clone())
        )?;
        Ok(sent(&answer, None))
    }

    /// `ec2:DeleteNetworkAclEntry`.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn delete_network_acl_entry(&self, at: &network_acl_entry::Address) -> Result<Sent, Refused> {
        let number = i32::try_from(at.rule_number).unwrap_or_default();
        let answer = rehearsed!(
            "ec2:DeleteNetworkAclEntry",
            &at.acl_id,
            self.ec2
                .delete_network_acl_entry()
                .network_acl_id(&at.acl_id)
                .rule_number(number)
                .egress(at.egress)
        )?;
        Ok(sent(&answer, None))
    }

    /// `ec2:CreateRoute`, once the gateway was seen at work in the VPC that the route names.
    ///
    /// # Errors
    /// The gateway is not at work, or what AWS answered: that there is a route is [`Reason::AlreadyThere`].
    pub async fn create_route(&self, at: &route::Address, route: &Route) -> Result<Sent, Refused> {
        self.check_gateway("ec2:CreateRoute", at, route).await?;
        let (v4, v6) = destination(at);
        let answer = rehearsed!(
            "ec2:CreateRoute",
            &at.table_id,
            self.ec2
                .create_route()
                .route_table_id(&at.table_id)
                .set_destination_cidr_block(v4.clone())
                .set_destination_ipv6_cidr_block(v6.clone())
                .set_nat_gateway_id(target(route, "nat-"))
                .set_egress_only_internet_gateway_id(target(route, "eigw-"))
                .set_transit_gateway_id(target(route, "tgw-"))
                .set_vpc_peering_connection_id(target(route, "pcx-"))
                .set_network_interface_id(target(route, "eni-"))
                .set_gateway_id(gateway(route))
        )?;
        Ok(sent(&answer, None))
    }

    /// `ec2:ReplaceRoute`, once the gateway was seen at work in the VPC that the route names.
    ///
    /// # Errors
    /// The gateway is not at work, or what AWS answered.
    pub async fn replace_route(&self, at: &route::Address, route: &Route) -> Result<Sent, Refused> {
        self.check_gateway("ec2:ReplaceRoute", at, route).await?;
        let (v4, v6) = destination(at);
        let answer = rehearsed!(
            "ec2:ReplaceRoute",
            &at.table_id,
            self.ec2
                .replace_route()
                .route_table_id(&at.table_id)
                .set_destination_cidr_block(v4.clone())
                .set_destination_ipv6_cidr_block(v6.clone())
                .set_nat_gateway_id(target(route, "nat-"))
                .set_egress_only_internet_gateway_id(target(route, "eigw-"))
                .set_transit_gateway_id(target(route, "tgw-"))
                .set_vpc_peering_connection_id(target(route, "pcx-"))
                .set_network_interface_id(target(route, "eni-"))
                .set_gateway_id(gateway(route))
        )?;
        Ok(sent(&answer, None))
    }

    /// `ec2:DeleteRoute`.
    ///
    /// # Errors
    /// What AWS answered: that there is none is [`Reason::NotFound`].
    pub async fn delete_route(&self, at: &route::Address) -> Result<Sent, Refused> {
        let (v4, v6) = destination(at);
        let answer = rehearsed!(
            "ec2:DeleteRoute",
            &at.table_id,
            self.ec2
                .delete_route()
                .route_table_id(&at.table_id)
                .set_destination_cidr_block(v4.clone())
                .set_destination_ipv6_cidr_block(v6.clone())
        )?;
        Ok(sent(&answer, None))
    }

    /// A plan may be old, or made by hand: whether its NAT gateway is at work, and where, is for EC2 to say.
    async fn check_gateway(
        &self,
        call: &'static str,
        at: &route::Address,
        route: &Route,
    ) -> Result<(), Refused> {
        const LOOK: &str = "ec2:DescribeNatGateways";
        let vpc = &at.vpc.vpc_id;
        let Some(id) = target(route, "nat-").filter(|_| route.must_work) else { return Ok(()) };
        let answer = self.ec2.describe_nat_gateways().nat_gateway_ids(&id).send().await;
        let answer = answer.map_err(|error| Refused::from_sdk(LOOK, &id, &error))?;
        let found = answer.nat_gateways.unwrap_or_default();
        let at_work = found.iter().any(|gateway| {
            gateway.vpc_id() == Some(vpc.as_str())
                && gateway.state() == Some(&types::NatGatewayState::Available)
        });
        if at_work {
            Ok(())
        } else {
            let because = format!("{id} is no NAT gateway at work in {vpc}");
            Err(Refused { resource: id, ..Refused::never_sent(call, &because) })
        }
    }

    fn tags_of_rules(&self) -> Option<Vec<TagSpecification>> {
        if self.run().is_empty() {
            return None;
        }
        let run = types::Tag::builder().key(RUN_TAG).value(self.run()).build();
        let tags = TagSpecification::builder().resource_type(ResourceType::SecurityGroupRule).tags(run);
        Some(vec![tags.build()])
    }
}

/// Asks whether the call would be let through, then makes it. Both are waited for where there are too many calls.
async fn rehearsed<T, E, F>(
    call: &'static str,
    resource: &str,
    send: impl Fn(bool) -> F,
) -> Result<T, Refused>
where
    F: Future<Output = Result<T, SdkError<E>>>,
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    for rehearsal in [true, false] {
        let mut pause = Duration::from_millis(500);
        for attempt in 1.. {
            match send(rehearsal).await {
                Ok(answer) if !rehearsal => return Ok(answer),
                // EC2 answers a rehearsal by an error. Whoever answers otherwise does not know rehearsals, and is no AWS.
                Ok(_) => {
                    return Err(Refused::never_sent(call, "a rehearsal was answered as if it were none"));
                }
                Err(error) if rehearsal && error.code() == Some("DryRunOperation") => break,
                Err(error) => {
                    let refused = Refused::from_sdk(call, resource, &error);
                    if refused.reason != Reason::Throttled || attempt == TRIES_WHEN_THROTTLED {
                        return Err(not_yet(refused, rehearsal));
                    }
                }
            }
            sleep(pause).await;
            pause *= 2;
        }
    }
    Err(Refused::never_sent(call, "it was never sent"))
}

/// Where a rehearsal gets lost, nothing was made: that is known.
fn not_yet(refused: Refused, rehearsal: bool) -> Refused {
    match refused.reason {
        Reason::Network if rehearsal => Refused { reason: Reason::Other, ..refused },
        _ => refused,
    }
}

fn sent(answer: &impl RequestId, assigned_id: Option<String>) -> Sent {
    Sent { request_id: answer.request_id().map(str::to_owned), assigned_id }
}

fn first_rule(rules: &[types::SecurityGroupRule]) -> Option<String> {
    rules.first().and_then(types::SecurityGroupRule::security_group_rule_id).map(str::to_owned)
}

fn permission(at: &security_group_rule::Address, description: Option<&str>) -> types::IpPermission {
    let permission = types::IpPermission::builder()
        .ip_protocol(&at.protocol)
        .from_port(at.from_port.into())
        .to_port(at.to_port.into());
    let description = description.map(str::to_owned);
    match &at.peer {
        Peer::Block(IpNet::V4(block)) => permission.ip_ranges(
            types::IpRange::builder().cidr_ip(block.to_string()).set_description(description).build(),
        ),
        Peer::Block(IpNet::V6(block)) => permission.ipv6_ranges(
            types::Ipv6Range::builder().cidr_ipv6(block.to_string()).set_description(description).build(),
        ),
        Peer::PrefixList(id) => permission.prefix_list_ids(
            types::PrefixListId::builder().prefix_list_id(id).set_description(description).build(),
        ),
        Peer::SecurityGroup(id) => permission.user_id_group_pairs(
            types::UserIdGroupPair::builder().group_id(id).set_description(description).build(),
        ),
    }
    .build()
}

/// One of the two: EC2 takes no more.
fn by_id_or_by_value(
    at: &security_group_rule::Address,
    rule: Option<&SecurityGroupRule>,
) -> (Option<Vec<String>>, Option<Vec<types::IpPermission>>) {
    let description = rule.and_then(|rule| rule.description.as_deref());
    match &at.rule_id {
        Some(id) => (Some(vec![id.clone()]), None),
        None => (None, Some(vec![permission(at, description)])),
    }
}

/// An entry in the types of the SDK.
struct Entry {
    number: i32,
    action: types::RuleAction,
    protocol: String,
    v4: Option<String>,
    v6: Option<String>,
    ports: Option<types::PortRange>,
    icmp: Option<types::IcmpTypeCode>,
}

impl Entry {
    fn of(at: &network_acl_entry::Address, entry: &NetworkAclEntry) -> Entry {
        // Numbers and ports that do not fit were refused before anything is sent.
        let small = |number: i64| i32::try_from(number).unwrap_or_default();
        let (v4, v6) = match entry.block {
            IpNet::V4(block) => (Some(block.to_string()), None),
            IpNet::V6(block) => (None, Some(block.to_string())),
        };
        Entry {
            number: small(at.rule_number),
            action: types::RuleAction::from(entry.action.as_str()),
            protocol: entry.protocol.clone(),
            v4,
            v6,
            ports: entry
                .ports
                .map(|[from, to]| types::PortRange::builder().from(small(from)).to(small(to)).build()),
            icmp: entry.icmp.map(|[kind, code]| {
                types::IcmpTypeCode::builder().r#type(small(kind)).code(small(code)).build()
            }),
        }
    }
}

fn destination(at: &route::Address) -> (Option<String>, Option<String>) {
    match at.destination {
        IpNet::V4(block) => (Some(block.to_string()), None),
        IpNet::V6(block) => (None, Some(block.to_string())),
    }
}

/// The target of a route where it is of the kind that a prefix stands for.
fn target(route: &Route, prefix: &str) -> Option<String> {
    Some(route.target.clone()).filter(|target| target.starts_with(prefix))
}

fn gateway(route: &Route) -> Option<String> {
    target(route, "igw-").or_else(|| target(route, "vgw-"))
}
