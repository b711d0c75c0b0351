//! One rule of a security group: what one peer may send to it, or be sent by it.

use std::fmt;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::blocks::is_private;
use super::cluster_vpc::{ClusterVpc, id_on_paper, is_id, is_on_paper};
use super::{Change, Found, Kind, Quota, RUN_TAG, Resource, Risk, Sent};
use crate::aws::{Reader, Refused, Writer};
use crate::collect;
use crate::error::Error;
use crate::model::ec2::{
    GroupPair, IpPermission, IpRange, Ipv6Range, PrefixListId, ReferencedGroup, SecurityGroupRule as RuleRow,
};
use crate::model::snapshot::Record as _;
use crate::model::{Seen, Snapshot};
use crate::pulls::Target;

/// What ecr-fix writes beside each of its rules, for whoever reads them in the console.
pub const DESCRIPTION: &str = "ecr-fix: image pulls from Amazon ECR";

/// The default quota of rules in one direction: VPC user guide, "Amazon VPC quotas".
pub const MOST_RULES: usize = 60;

/// That a group has the rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityGroupRule {
    /// The direction of its address: the name of a change follows from its states.
    pub direction: Direction,
    /// For people. Two rules with different descriptions let the same packets pass.
    pub description: Option<String>,
}

/// Which rule, by what EC2 takes for the same rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address {
    /// Where it is.
    pub vpc: ClusterVpc,
    /// `sg-…`.
    pub group_id: String,
    /// Which way packets pass.
    pub direction: Direction,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// The first destination port.
    pub from_port: u16,
    /// The last destination port.
    pub to_port: u16,
    /// The other end.
    pub peer: Peer,
    /// The id that EC2 gave to the rule that a run made: another one means another rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_id: Option<String>,
}

/// Which way packets pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Into the interfaces of the group.
    Ingress,
    /// Out of them.
    Egress,
}

/// The other end of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Peer {
    /// A block of addresses.
    Block(IpNet),
    /// A prefix list.
    PrefixList(String),
    /// Every interface with this group.
    SecurityGroup(String),
}

impl fmt::Display for Peer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Block(block) => write!(out, "{block}"),
            Peer::PrefixList(id) | Peer::SecurityGroup(id) => out.write_str(id),
        }
    }
}

impl Address {
    /// `tcp/443`.
    fn service(&self) -> String {
        let Address { protocol, from_port, to_port, .. } = self;
        if from_port == to_port {
            format!("{protocol}/{from_port}")
        } else {
            format!("{protocol}/{from_port}-{to_port}")
        }
    }

    fn is_egress(&self) -> bool {
        self.direction == Direction::Egress
    }

    fn to_or_from(&self) -> &'static str {
        if self.is_egress() { "to" } else { "from" }
    }

    /// The rule by itself, as EC2 shows it.
    fn permission(&self, description: Option<String>) -> IpPermission {
        let mut permission = IpPermission {
            ip_protocol: self.protocol.clone(),
            from_port: Some(self.from_port.into()),
            to_port: Some(self.to_port.into()),
            ..IpPermission::default()
        };
        self.add_to(&mut permission, description);
        permission
    }

    /// A group is named with its account, as EC2 shows it.
    fn add_to(&self, permission: &mut IpPermission, description: Option<String>) {
        match &self.peer {
            Peer::Block(IpNet::V4(block)) => {
                permission.ip_ranges.push(IpRange { cidr_ip: Some(*block), description });
            }
            Peer::Block(IpNet::V6(block)) => {
                permission.ipv6_ranges.push(Ipv6Range { cidr_ipv6: Some(*block), description });
            }
            Peer::PrefixList(id) => {
                permission.prefix_list_ids.push(PrefixListId { prefix_list_id: id.clone(), description });
            }
            Peer::SecurityGroup(id) => {
                let (group_id, user_id) = (id.clone(), Some(self.vpc.account.clone()));
                let pair = GroupPair { group_id, user_id, description, ..GroupPair::default() };
                permission.user_id_group_pairs.push(pair);
            }
        }
    }

    fn fits(&self, protocol: &str, from_port: Option<i64>, to_port: Option<i64>) -> bool {
        let number = match self.protocol.as_str() {
            "tcp" => "6",
            "udp" => "17",
            other => other,
        };
        (protocol == self.protocol || protocol == number)
            && from_port == Some(self.from_port.into())
            && to_port == Some(self.to_port.into())
    }

    fn is_row(&self, row: &RuleRow) -> bool {
        let peer = match &self.peer {
            Peer::Block(IpNet::V4(block)) => row.cidr_ipv4 == Some(*block),
            Peer::Block(IpNet::V6(block)) => row.cidr_ipv6 == Some(*block),
            Peer::PrefixList(id) => row.prefix_list_id.as_ref() == Some(id),
            Peer::SecurityGroup(id) => {
                row.referenced_group_info.as_ref().is_some_and(|group| group.group_id == *id)
            }
        };
        peer && row.group_id == self.group_id
            && row.is_egress == self.is_egress()
            && self.fits(&row.ip_protocol, row.from_port, row.to_port)
    }

    /// The row that EC2 would show. Its id is only known once EC2 has assigned it: on paper it follows from the rule.
    fn row(&self, rule: &SecurityGroupRule) -> RuleRow {
        let key = [&self.group_id, self.to_or_from(), &self.service(), &self.peer.to_string()];
        let mut row = RuleRow {
            security_group_rule_id: id_on_paper("sgr-", &key),
            group_id: self.group_id.clone(),
            group_owner_id: Some(self.vpc.account.clone()),
            is_egress: self.is_egress(),
            ip_protocol: self.protocol.clone(),
            from_port: Some(self.from_port.into()),
            to_port: Some(self.to_port.into()),
            description: rule.description.clone(),
            ..RuleRow::default()
        };
        match &self.peer {
            Peer::Block(IpNet::V4(block)) => row.cidr_ipv4 = Some(*block),
            Peer::Block(IpNet::V6(block)) => row.cidr_ipv6 = Some(*block),
            Peer::PrefixList(id) => row.prefix_list_id = Some(id.clone()),
            Peer::SecurityGroup(id) => {
                let (group_id, user_id) = (id.clone(), Some(self.vpc.account.clone()));
                row.referenced_group_info =
                    Some(ReferencedGroup { group_id, user_id, ..ReferencedGroup::default() });
            }
        }
        row
    }
}

impl Resource for SecurityGroupRule {
    type Address = Address;

    const KINDS: &'static [Kind] = &[
        Kind::AuthorizeSecurityGroupIngress,
        Kind::RevokeSecurityGroupIngress,
        Kind::AuthorizeSecurityGroupEgress,
        Kind::RevokeSecurityGroupEgress,
    ];

    const READS: &'static [&'static str] = &["ec2:DescribeSecurityGroupRules", "ec2:DescribeSecurityGroups"];

    fn kind(before: Option<&Self>, after: Option<&Self>) -> Kind {
        match (after.or(before).map(|rule| rule.direction), after) {
            (Some(Direction::Ingress), Some(_)) => Kind::AuthorizeSecurityGroupIngress,
            (Some(Direction::Ingress), None) => Kind::RevokeSecurityGroupIngress,
            (_, Some(_)) => Kind::AuthorizeSecurityGroupEgress,
            (_, None) => Kind::RevokeSecurityGroupEgress,
        }
    }

    fn arn(at: &Address) -> String {
        at.vpc.arn(&format!("security-group/{}", at.group_id))
    }

    fn summary(at: &Address, _before: Option<&Self>, after: Option<&Self>) -> String {
        let (way, group) = (at.to_or_from(), &at.group_id);
        let inward = if at.is_egress() { "out of" } else { "into" };
        match after {
            Some(_) => format!("let {} {inward} {group}, {way} {}", at.service(), at.peer),
            None => format!("take the rule for {} {inward} {group}, {way} {}, away", at.service(), at.peer),
        }
    }

    fn get(world: &Snapshot, at: &Address) -> Found<Self> {
        if let Some(lost) = at.vpc.lost_in(world) {
            return lost;
        }
        let Some(group) = world.ec2.security_groups.get(&at.group_id) else {
            return match world.missing::<()>("SecurityGroups", "ec2:DescribeSecurityGroups", &at.group_id) {
                Seen::Unread(because) => Found::Unread(because),
                _ => Found::Deleted(format!("security group {} does not exist any more", at.group_id)),
            };
        };
        if group.vpc_id.as_ref().is_some_and(|vpc| *vpc != at.vpc.vpc_id) {
            return Found::Gone(format!("{} is not in {}", at.group_id, at.vpc.vpc_id));
        }
        let permissions = if at.is_egress() { &group.ip_permissions_egress } else { &group.ip_permissions };
        let fits = |permission: &&IpPermission| {
            at.fits(&permission.ip_protocol, permission.from_port, permission.to_port)
        };
        let found = permissions.iter().filter(fits).find_map(|permission| peer_in(permission, &at.peer));
        let Some(description) = found else { return Found::State(None) };
        let rows = world.ec2.security_group_rules.values().filter(|row| at.is_row(row));
        let ids: Vec<&String> = rows.map(|row| &row.security_group_rule_id).collect();
        if at.rule_id.as_ref().is_some_and(|id| !ids.is_empty() && !ids.contains(&id)) {
            return Found::Gone("the rule was taken away, and somebody made it anew".to_owned());
        }
        Found::State(Some(SecurityGroupRule { direction: at.direction, description }))
    }

    fn quota(world: &Snapshot, at: &Address) -> Option<Quota> {
        let group = world.ec2.security_groups.get(&at.group_id)?;
        let (permissions, direction) = match at.is_egress() {
            true => (&group.ip_permissions_egress, "outgoing"),
            false => (&group.ip_permissions, "incoming"),
        };
        let present = permissions.iter().map(|permission| weight_of_all(permission, world)).sum();
        let of = format!("{direction} rules of security group {}", at.group_id);
        Some(Quota { of, present, more: weight(&at.peer, world), most: MOST_RULES })
    }

    fn set(world: &mut Snapshot, at: &Address, state: Option<Self>) {
        let Some(group) = world.ec2.security_groups.get_mut(&at.group_id) else { return };
        let permissions =
            if at.is_egress() { &mut group.ip_permissions_egress } else { &mut group.ip_permissions };
        let fits = |permission: &IpPermission| {
            at.fits(&permission.ip_protocol, permission.from_port, permission.to_port)
        };
        for permission in permissions.iter_mut().filter(|permission| fits(permission)) {
            remove_peer(permission, &at.peer);
        }
        permissions.retain(|permission| !fits(permission) || has_peers(permission));
        if let Some(rule) = &state {
            match permissions.iter_mut().find(|permission| fits(permission)) {
                Some(permission) => at.add_to(permission, rule.description.clone()),
                None => permissions.push(at.permission(rule.description.clone())),
            }
        }
        if world.keys.contains(RuleRow::TABLE.key) {
            let rows = &mut world.ec2.security_group_rules;
            rows.retain(|_, row| !at.is_row(row));
            rows.extend(state.map(|rule| at.row(&rule)).map(|row| (row.security_group_rule_id.clone(), row)));
        }
    }

    async fn look(aws: &Reader, at: &Address) -> Result<Snapshot, Error> {
        Ok(collect::security_group_again(aws, &at.vpc.cluster, &at.group_id).await)
    }

    async fn send(
        aws: &Writer,
        at: &Address,
        before: Option<&Self>,
        after: Option<&Self>,
    ) -> Result<Sent, Refused> {
        match (at.direction, after) {
            (Direction::Ingress, Some(rule)) => aws.authorize_ingress(at, rule).await,
            (Direction::Ingress, None) => aws.revoke_ingress(at, before).await,
            (Direction::Egress, Some(rule)) => aws.authorize_egress(at, rule).await,
            (Direction::Egress, None) => aws.revoke_egress(at, before).await,
        }
    }

    fn permissions(at: &Address, before: Option<&Self>, after: Option<&Self>) -> Vec<(&'static str, String)> {
        let rules = at.vpc.arn("security-group-rule/*");
        let call = Self::kind(before, after).api_call();
        // Descriptions of EC2 cannot be limited to one resource. A rule gets its tag in the call that makes it.
        let reads = Self::READS.iter().map(|read| (*read, "*".to_owned()));
        let writes = [(call, Self::arn(at)), (call, rules.clone())];
        let tags = after.map(|_| ("ec2:CreateTags", rules));
        let cluster = ("eks:DescribeCluster", at.vpc.cluster_arn());
        reads.chain([cluster]).chain(writes).chain(tags).collect()
    }

    fn assign(at: &mut Address, id: &str) {
        at.rule_id = Some(id.to_owned());
    }

    fn id_in_run(world: &Snapshot, at: &Address, run: &str) -> Option<String> {
        let of_run = |row: &&RuleRow| row.tags.iter().any(|tag| tag.key == RUN_TAG && tag.value == run);
        let mut rows = world.ec2.security_group_rules.values().filter(|row| at.is_row(row));
        rows.find(of_run).map(|row| row.security_group_rule_id.clone())
    }

    fn same(_one: &Self, _other: &Self) -> bool {
        true
    }

    fn lines(at: &Address, state: Option<&Self>) -> Vec<String> {
        let direction = if at.is_egress() { "egress" } else { "ingress" };
        let line =
            || format!("{}: {direction} {} {} {}", at.group_id, at.service(), at.to_or_from(), at.peer);
        state.iter().map(|_| line()).collect()
    }

    fn allowed(at: &Address, before: Option<&Self>, after: Option<&Self>) -> Result<(), String> {
        let changed = match (before, after) {
            (Some(rule), None) | (None, Some(rule)) => rule,
            _ => return Err("it changes nothing".to_owned()),
        };
        if changed.direction != at.direction {
            return Err("the direction of the rule is not that of its address".to_owned());
        }
        at.vpc.check()?;
        check_id(&at.group_id, "sg-")?;
        if at.from_port != at.to_port {
            return Err(format!("it opens ports {}-{}, and a pull needs only one", at.from_port, at.to_port));
        }
        match (at.direction, at.protocol.as_str(), at.to_port) {
            (_, "tcp", 443) => allowed_peer(at),
            (Direction::Egress, "tcp" | "udp", 53) => match &at.peer {
                Peer::Block(block) if block.prefix_len() == block.max_prefix_len() => allowed_peer(at),
                _ => Err("port 53 is opened to single servers only".to_owned()),
            },
            _ => Err(format!("it opens {} ({:?}), which no pull needs", at.service(), at.direction)),
        }
    }

    fn within(at: &Address, target: &Target) -> Result<(), String> {
        at.vpc.within(target)
    }

    fn planned_for(_before: Option<&Self>, after: Option<&Self>, _target: &Target) -> Result<(), String> {
        after.map(|_| ()).ok_or_else(|| "a plan adds rules; only a rollback takes them away".to_owned())
    }

    fn opens_internet(at: &Address, after: Option<&Self>) -> bool {
        after.is_some() && matches!(&at.peer, Peer::Block(block) if block.prefix_len() == 0)
    }

    fn risk(at: &Address, _before: Option<&Self>, after: Option<&Self>) -> (Risk, String) {
        let (service, group) = (at.service(), &at.group_id);
        if after.is_none() {
            return (Risk::Medium, format!("whoever uses the rule for {service} of {group} loses it"));
        }
        match &at.peer {
            Peer::Block(block) if block.prefix_len() == 0 => (
                Risk::Medium,
                format!(
                    "it lets every interface with {group} open connections to {service} anywhere on the internet; \
                     nothing new comes in, because replies are no connections of their own"
                ),
            ),
            peer => (
                Risk::Low,
                format!(
                    "it only adds {service} {} {peer} to what {group} lets pass; no rule is changed or taken away",
                    at.to_or_from()
                ),
            ),
        }
    }
}

/// The same as a command for a person.
pub fn command(change: &Change<SecurityGroupRule>, region: &str) -> String {
    let at = &change.at;
    let Address { protocol, from_port, to_port, .. } = at;
    let peers = match &at.peer {
        Peer::Block(IpNet::V4(block)) => format!("IpRanges=[{{CidrIp={block}}}]"),
        Peer::Block(IpNet::V6(block)) => format!("Ipv6Ranges=[{{CidrIpv6={block}}}]"),
        Peer::PrefixList(id) => format!("PrefixListIds=[{{PrefixListId={id}}}]"),
        Peer::SecurityGroup(id) => format!("UserIdGroupPairs=[{{GroupId={id}}}]"),
    };
    let kind = SecurityGroupRule::kind(change.before.as_ref(), change.after.as_ref()).as_str();
    format!(
        "aws ec2 {kind} --region {region} --group-id {} --ip-permissions \
         'IpProtocol={protocol},FromPort={from_port},ToPort={to_port},{peers}'",
        at.group_id
    )
}

/// Whether an id is one that AWS has assigned.
fn check_id(id: &str, prefix: &str) -> Result<(), String> {
    if is_id(id, prefix) && !is_on_paper(id) {
        Ok(())
    } else {
        Err(format!("{id} is not an id of AWS that begins with {prefix}"))
    }
}

fn allowed_peer(at: &Address) -> Result<(), String> {
    match &at.peer {
        Peer::SecurityGroup(id) => check_id(id, "sg-"),
        Peer::PrefixList(id) if at.is_egress() => check_id(id, "pl-"),
        Peer::PrefixList(_) => Err("nothing is let in from a prefix list".to_owned()),
        Peer::Block(block) if block.trunc() != *block => Err(format!("{block} is no block")),
        // The plan's options decide about the internet: see `opens_internet`.
        Peer::Block(block) if block.prefix_len() == 0 && at.is_egress() && at.to_port == 443 => Ok(()),
        Peer::Block(block) if is_private(block) => Ok(()),
        Peer::Block(block) => Err(format!("{block} is not within private addresses")),
    }
}

/// For how many rules a peer counts: a prefix list for as many as it may have entries, where that was read.
fn weight(peer: &Peer, world: &Snapshot) -> usize {
    let Peer::PrefixList(id) = peer else { return 1 };
    let list = world.ec2.prefix_lists.get(id);
    let most = list.and_then(|list| list.max_entries).and_then(|most| usize::try_from(most).ok());
    let known = || list.and_then(|list| list.cidrs.as_ref()).map(Vec::len);
    most.or_else(known).unwrap_or(1)
}

fn weight_of_all(permission: &IpPermission, world: &Snapshot) -> usize {
    let lists = permission.prefix_list_ids.iter();
    let lists: usize = lists.map(|list| weight(&Peer::PrefixList(list.prefix_list_id.clone()), world)).sum();
    let IpPermission { ip_ranges, ipv6_ranges, user_id_group_pairs, .. } = permission;
    ip_ranges.len() + ipv6_ranges.len() + user_id_group_pairs.len() + lists
}

fn peer_in(permission: &IpPermission, peer: &Peer) -> Option<Option<String>> {
    match peer {
        Peer::Block(IpNet::V4(block)) => permission
            .ip_ranges
            .iter()
            .find(|range| range.cidr_ip == Some(*block))
            .map(|range| range.description.clone()),
        Peer::Block(IpNet::V6(block)) => permission
            .ipv6_ranges
            .iter()
            .find(|range| range.cidr_ipv6 == Some(*block))
            .map(|range| range.description.clone()),
        Peer::PrefixList(id) => permission
            .prefix_list_ids
            .iter()
            .find(|list| list.prefix_list_id == *id)
            .map(|list| list.description.clone()),
        Peer::SecurityGroup(id) => permission
            .user_id_group_pairs
            .iter()
            .find(|pair| pair.group_id == *id)
            .map(|pair| pair.description.clone()),
    }
}

fn remove_peer(permission: &mut IpPermission, peer: &Peer) {
    match peer {
        Peer::Block(IpNet::V4(block)) => permission.ip_ranges.retain(|range| range.cidr_ip != Some(*block)),
        Peer::Block(IpNet::V6(block)) => {
            permission.ipv6_ranges.retain(|range| range.cidr_ipv6 != Some(*block));
        }
        Peer::PrefixList(id) => permission.prefix_list_ids.retain(|list| list.prefix_list_id != *id),
        Peer::SecurityGroup(id) => permission.user_id_group_pairs.retain(|pair| pair.group_id != *id),
    }
}

fn has_peers(permission: &IpPermission) -> bool {
    !permission.ip_ranges.is_empty()
        || !permission.ipv6_ranges.is_empty()
        || !permission.prefix_list_ids.is_empty()
        || !permission.user_id_group_pairs.is_empty()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::actions::AnyChange;
    use crate::actions::change::Standing;
    use crate::actions::cluster_vpc::tests::{cluster_vpc, world};

    fn at(direction: Direction, protocol: &str, port: u16, peer: Peer) -> Address {
        let (vpc, group_id, protocol) = (cluster_vpc(), "sg-0a".to_owned(), protocol.to_owned());
        Address { vpc, group_id, direction, protocol, from_port: port, to_port: port, peer, rule_id: None }
    }

    fn adding(at: Address) -> Change<SecurityGroupRule> {
        let rule = SecurityGroupRule { direction: at.direction, description: Some(DESCRIPTION.to_owned()) };
        Change { at, before: None, after: Some(rule) }
    }

    fn block(text: &str) -> Peer {
        Peer::Block(text.parse().unwrap())
    }

    fn group() -> serde_json::Value {
        json!({"SecurityGroupRules": [], "SecurityGroups": [{"GroupId": "sg-0a", "VpcId": "vpc-1", "IpPermissions": [
            {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.9.0.0/16"}]}],
            "IpPermissionsEgress": []}]})
    }

    #[test]
    fn the_engine_opens_https_and_name_servers_and_nothing_else() {
        use Direction::{Egress, Ingress};
        let allowed = |direction, protocol: &str, port, peer| {
            AnyChange::from(adding(at(direction, protocol, port, peer))).allowed()
        };
        let other = || Peer::SecurityGroup("sg-0b".to_owned());
        for fine in [
            at(Ingress, "tcp", 443, other()),
            at(Ingress, "tcp", 443, block("10.0.0.0/16")),
            at(Egress, "tcp", 443, Peer::PrefixList("pl-0s3".to_owned())),
            at(Egress, "tcp", 443, block("0.0.0.0/0")),
            at(Egress, "udp", 53, block("10.0.0.2/32")),
        ] {
            let change = AnyChange::from(adding(fine));
            assert_eq!(change.allowed(), Ok(()), "{}", change.summary());
            assert_eq!(change.inverse().allowed(), Ok(()), "the way back");
        }
        for (direction, protocol, port, peer) in [
            (Ingress, "tcp", 443, block("0.0.0.0/0")),
            (Ingress, "tcp", 443, block("::/0")),
            (Ingress, "tcp", 443, block("52.0.0.0/16")),
            (Ingress, "tcp", 443, Peer::PrefixList("pl-0s3".to_owned())),
            (Ingress, "tcp", 22, other()),
            (Ingress, "udp", 53, block("10.0.0.2/32")),
            (Ingress, "-1", 443, other()),
            (Egress, "tcp", 443, block("0.0.0.0/1")),
            (Egress, "tcp", 443, block("52.0.0.0/16")),
            (Egress, "tcp", 443, Peer::SecurityGroup("sg-onpaper-1".to_owned())),
            (Egress, "tcp", 80, other()),
            (Egress, "udp", 443, other()),
            (Egress, "udp", 53, block("10.0.0.0/16")),
            (Egress, "udp", 53, block("8.8.8.8/32")),
            (Egress, "tcp", 53, block("0.0.0.0/0")),
        ] {
            assert!(
                allowed(direction, protocol, port, peer.clone()).is_err(),
                "{direction:?} {protocol} {port} {peer}"
            );
        }
        let wide = Address { to_port: 8443, ..at(Ingress, "tcp", 443, other()) };
        assert!(AnyChange::from(adding(wide)).allowed().is_err());
        let mut turned = adding(at(Ingress, "tcp", 443, other()));
        turned.at.direction = Egress;
        assert!(AnyChange::from(turned).allowed().is_err(), "the address says egress, the state ingress");
    }

    #[test]
    fn only_the_whole_internet_needs_a_word_of_the_user() {
        let opens = |peer| AnyChange::from(adding(at(Direction::Egress, "tcp", 443, peer))).opens_internet();
        assert!(opens(block("0.0.0.0/0")) && opens(block("::/0")));
        assert!(!opens(block("10.0.0.0/8")) && !opens(Peer::PrefixList("pl-1".to_owned())));
    }

    #[test]
    fn a_rule_of_another_id_is_not_ours_and_one_without_ids_is_known_by_its_value() {
        let mut with_rows = world(&[group()]);
        let change = AnyChange::from(adding(at(Direction::Egress, "tcp", 443, block("10.1.0.0/16"))));
        change.simulate(&mut with_rows);
        let mut back = change.inverse();
        let id = with_rows.ec2.security_group_rules.keys().next().unwrap().clone();
        back.assign(&id);
        assert_eq!(back.standing(&with_rows), Standing::Before);
        back.assign("sgr-other");
        assert!(matches!(back.standing(&with_rows), Standing::Elsewhere { .. }));
        with_rows.ec2.security_group_rules.clear();
        assert_eq!(back.standing(&with_rows), Standing::Before, "the ids were not read");
    }

    #[test]
    fn a_group_of_another_vpc_or_none_is_not_touched() {
        let change = AnyChange::from(adding(at(Direction::Egress, "tcp", 443, block("10.1.0.0/16"))));
        let foreign = json!({"SecurityGroups": [{"GroupId": "sg-0a", "VpcId": "vpc-2"}]});
        assert!(matches!(change.standing(&world(&[foreign])), Standing::Elsewhere { .. }));
        assert!(matches!(
            change.standing(&world(&[json!({"SecurityGroups": []})])),
            Standing::Elsewhere { .. }
        ));
        assert!(matches!(change.standing(&world(&[])), Standing::Unread(_)));
    }

    proptest! {
        #[test]
        fn a_rule_on_paper_leaves_no_trace(egress: bool, kind in 0..3, third in 0..=255_u8) {
            let direction = if egress { Direction::Egress } else { Direction::Ingress };
            let peer = match kind {
                0 => block(&format!("10.1.{third}.0/24")),
                1 => Peer::PrefixList(format!("pl-{third}")),
                _ => Peer::SecurityGroup(format!("sg-{third}")),
            };
            let before = world(&[group()]);
            let change = AnyChange::from(adding(at(direction, "tcp", 443, peer)));
            prop_assert_eq!(change.standing(&before), Standing::Before);
            let mut after = before.clone();
            change.simulate(&mut after);
            prop_assert_eq!(change.standing(&after), Standing::After);
            prop_assert_eq!(after.ec2.security_group_rules.len(), 1);
            // The rule that stood there before is the same permission, or is left alone.
            prop_assert!(after.ec2.security_groups["sg-0a"].ip_permissions[0].ip_ranges[0] == before.ec2.security_groups["sg-0a"].ip_permissions[0].ip_ranges[0]);
            change.inverse().simulate(&mut after);
            prop_assert_eq!(after, before);
        }
    }
}
