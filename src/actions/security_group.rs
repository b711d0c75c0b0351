//! A security group of our own, which lets the pullers of a cluster in to VPC endpoints.

use std::collections::BTreeSet;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::cluster_vpc::{ClusterVpc, id_on_paper, is_id};
use super::{Found, Kind, Resource, Risk, Sent, Undo};
use crate::aws::{Reader, Refused, Writer};
use crate::collect;
use crate::error::Error;
use crate::model::ec2::{GroupPair, IpPermission, IpRange, SecurityGroup as Row};
use crate::model::{Seen, Snapshot};
use crate::network::{AddressSet, Family};
use crate::pulls::Target;

/// The rules of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityGroup {
    /// What may come in.
    pub ingress: BTreeSet<Rule>,
    /// What may go out. Endpoints open no connections, so ours need none; answers pass without a rule.
    pub egress: BTreeSet<Rule>,
}

/// A rule: who, and on which ports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rule {
    /// `tcp`, `-1`, ….
    pub protocol: String,
    /// The first port; none for all.
    pub from_port: Option<i64>,
    /// The last port.
    pub to_port: Option<i64>,
    /// A group, a block of addresses, or a prefix list.
    pub peer: String,
}

/// Which group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address {
    /// Where it is.
    #[serde(flatten)]
    pub vpc: ClusterVpc,
    /// Unique within the VPC.
    pub group_name: String,
    /// `sg-…`, once AWS has assigned it.
    pub group_id: Option<String>,
}

/// The name of the group that ecr-fix makes for the endpoints of a cluster.
pub fn own_name(cluster: &str) -> String {
    format!("ecr-fix-endpoints-{cluster}")
}

/// What the group says of itself.
pub fn description(cluster: &str) -> String {
    format!("Endpoints for image pulls of EKS cluster {cluster}, made by ecr-fix")
}

/// What making the group is called by the changes that need it.
pub fn provided(vpc: &str, name: &str) -> String {
    format!("security group {name} in {vpc}")
}

impl Rule {
    /// HTTPS from a group or a block.
    pub fn https_from(peer: impl Into<String>) -> Rule {
        Rule { protocol: "tcp".to_owned(), from_port: Some(443), to_port: Some(443), peer: peer.into() }
    }

    fn line(&self) -> String {
        let protocol = if self.protocol == "-1" { "all" } else { self.protocol.as_str() };
        match (self.from_port, self.to_port) {
            (Some(first), Some(last)) if first == last => format!("{protocol} {first} {}", self.peer),
            (Some(first), Some(last)) => format!("{protocol} {first}-{last} {}", self.peer),
            _ => format!("{protocol} {}", self.peer),
        }
    }

    /// HTTPS, from groups of this account or from private blocks that may be those of a VPC.
    fn is_narrow(&self) -> bool {
        let ports = (self.protocol.as_str(), self.from_port, self.to_port) == ("tcp", Some(443), Some(443));
        let public = AddressSet::public(Family::V4);
        let is_private = |block: Ipv4Net| {
            let is_plain = block.trunc().to_string() == self.peer;
            let is_private = AddressSet::from(block).and(&public).is_empty();
            is_plain && is_private && (16..=28).contains(&block.prefix_len())
        };
        ports && (is_id(&self.peer, "sg-") || self.peer.parse().is_ok_and(is_private))
    }

    /// As a row of the AWS CLI.
    pub fn permission(&self) -> IpPermission {
        let mut permission = IpPermission {
            ip_protocol: self.protocol.clone(),
            from_port: self.from_port,
            to_port: self.to_port,
            ..IpPermission::default()
        };
        match self.peer.parse() {
            Ok(block) => permission.ip_ranges.push(IpRange { cidr_ip: Some(block), description: None }),
            Err(_) => permission
                .user_id_group_pairs
                .push(GroupPair { group_id: self.peer.clone(), ..GroupPair::default() }),
        }
        permission
    }
}

/// The single rules behind the rows that AWS groups them in.
pub fn rules(permissions: &[IpPermission]) -> BTreeSet<Rule> {
    let of_one = |permission: &IpPermission| -> Vec<Rule> {
        let v4 = permission.ip_ranges.iter().filter_map(|range| range.cidr_ip.map(|block| block.to_string()));
        let v6 =
            permission.ipv6_ranges.iter().filter_map(|range| range.cidr_ipv6.map(|block| block.to_string()));
        let lists = permission.prefix_list_ids.iter().map(|list| list.prefix_list_id.clone());
        let groups = permission.user_id_group_pairs.iter().map(|pair| pair.group_id.clone());
        let rule = |peer| Rule {
            protocol: permission.ip_protocol.clone(),
            from_port: permission.from_port,
            to_port: permission.to_port,
            peer,
        };
        v4.chain(v6).chain(lists).chain(groups).map(rule).collect()
    };
    permissions.iter().flat_map(of_one).collect()
}

impl SecurityGroup {
    /// EC2 lets a new group send everything everywhere.
    fn lets_out_no_more_than_a_new_one(&self) -> bool {
        let everywhere = ["0.0.0.0/0", "::/0"];
        self.egress.iter().all(|rule| rule.protocol == "-1" && everywhere.contains(&rule.peer.as_str()))
    }
}

impl Address {
    fn row<'w>(&self, world: &'w Snapshot) -> Option<&'w Row> {
        let mut rows = world.ec2.security_groups.values();
        rows.find(|row| row.vpc_id.as_deref() == Some(&self.vpc.vpc_id) && row.group_name == self.group_name)
    }
}

impl Resource for SecurityGroup {
    type Address = Address;

    const KINDS: &'static [Kind] = &[Kind::CreateSecurityGroup, Kind::DeleteSecurityGroup];

    const READS: &'static [&'static str] = &["eks:DescribeCluster", "ec2:DescribeSecurityGroups"];

    fn kind(_before: Option<&Self>, after: Option<&Self>) -> Kind {
        match after {
            Some(_) => Kind::CreateSecurityGroup,
            None => Kind::DeleteSecurityGroup,
        }
    }

    fn arn(at: &Address) -> String {
        match &at.group_id {
            Some(id) => at.vpc.arn(&format!("security-group/{id}")),
            None => at.vpc.vpc_arn(),
        }
    }

    fn summary(at: &Address, _before: Option<&Self>, after: Option<&Self>) -> String {
        match after {
            Some(_) => format!("make security group {}, for endpoints", at.group_name),
            None => format!("delete security group {}", at.group_name),
        }
    }

    fn get(world: &Snapshot, at: &Address) -> Found<Self> {
        let row = at.row(world);
        let missing = world.missing::<()>("SecurityGroups", "ec2:DescribeSecurityGroups", "");
        match (row, missing, &at.group_id, at.vpc.lost_in(world)) {
            (None, Seen::Unread(because), ..) => Found::Unread(because),
            // Whatever became of the cluster, a group that has an id and is not there is not there.
            (None, _, Some(_), _) => Found::State(None),
            (_, _, _, Some(lost)) => lost,
            (Some(row), _, Some(id), _) if row.group_id != *id => {
                Found::Gone(format!("{id} is gone, and {} has its name {}", row.group_id, at.group_name))
            }
            (Some(row), ..) => Found::State(Some(SecurityGroup {
                ingress: rules(&row.ip_permissions),
                egress: rules(&row.ip_permissions_egress),
            })),
            (None, ..) => Found::State(None),
        }
    }

    /// AWS does not delete a group that an endpoint has.
    fn set(world: &mut Snapshot, at: &Address, state: Option<Self>) {
        let here = at.row(world).cloned();
        match (here, state) {
            (None, Some(SecurityGroup { ingress, egress })) => {
                let id = id_on_paper("sg-", &[&at.vpc.vpc_id, &at.group_name]);
                let row = Row {
                    group_id: id.clone(),
                    group_name: at.group_name.clone(),
                    vpc_id: Some(at.vpc.vpc_id.clone()),
                    owner_id: Some(at.vpc.account.clone()),
                    ip_permissions: ingress.iter().map(Rule::permission).collect(),
                    ip_permissions_egress: egress.iter().map(Rule::permission).collect(),
                    tags: Vec::new(),
                };
                world.ec2.security_groups.insert(id, row);
            }
            (Some(row), None) => {
                let groups = world.ec2.vpc_endpoints.values().flat_map(|endpoint| &endpoint.groups);
                if !groups.map(|group| &group.group_id).any(|id| *id == row.group_id) {
                    world.ec2.security_groups.remove(&row.group_id);
                }
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
    }

    async fn look(aws: &Reader, at: &Address) -> Result<Snapshot, Error> {
        Ok(collect::security_groups_again(aws, &at.vpc.cluster, &at.vpc.vpc_id).await)
    }

    async fn send(
        aws: &Writer,
        at: &Address,
        _before: Option<&Self>,
        after: Option<&Self>,
    ) -> Result<Sent, Refused> {
        match after {
            Some(after) => {
                let description = description(&at.vpc.cluster);
                aws.create_security_group(&at.vpc.vpc_id, &at.group_name, &description, &after.ingress).await
            }
            None => aws.delete_security_group(&at.vpc.vpc_id, &at.group_name, at.group_id.as_deref()).await,
        }
    }

    fn calls(_before: Option<&Self>, after: Option<&Self>) -> Vec<&'static str> {
        match after {
            Some(_) => vec![
                Kind::CreateSecurityGroup.api_call(),
                Kind::RevokeSecurityGroupEgress.api_call(),
                Kind::AuthorizeSecurityGroupIngress.api_call(),
            ],
            None => vec![Kind::DeleteSecurityGroup.api_call()],
        }
    }

    fn permissions(at: &Address, before: Option<&Self>, after: Option<&Self>) -> Vec<(&'static str, String)> {
        let group = at.vpc.arn(&format!("security-group/{}", at.group_id.as_deref().unwrap_or("*")));
        let calls = Self::calls(before, after).into_iter().map(|call| (call, group.clone()));
        let mut needed: Vec<(&str, String)> = calls.collect();
        needed.push(("eks:DescribeCluster", at.vpc.cluster_arn()));
        needed.push(("ec2:DescribeSecurityGroups", "*".to_owned()));
        if after.is_some() {
            needed.push((Kind::CreateSecurityGroup.api_call(), at.vpc.vpc_arn()));
            needed.push(("ec2:CreateTags", group));
        }
        needed
    }

    /// A group that was made and never finished has none but our rules, and those that EC2 gives to every group.
    fn undo(now: Option<&Self>, _before: Option<&Self>, after: Option<&Self>) -> Undo<Self> {
        match (now, after) {
            (None, _) => Undo::Nothing("it does not exist any more".to_owned()),
            (Some(now), Some(after))
                if now.ingress.is_subset(&after.ingress) && now.lets_out_no_more_than_a_new_one() =>
            {
                Undo::Restored(None)
            }
            (Some(_), _) => Undo::Overlap("it has been changed since".to_owned()),
        }
    }

    fn provides(at: &Address, after: Option<&Self>) -> Option<String> {
        after.map(|_| provided(&at.vpc.vpc_id, &at.group_name))
    }

    fn assign(at: &mut Address, id: &str) {
        at.group_id = Some(id.to_owned());
    }

    fn lines(at: &Address, state: Option<&Self>) -> Vec<String> {
        let Some(SecurityGroup { ingress, egress }) = state else { return Vec::new() };
        let name = format!("security group {} in {}", at.group_name, at.vpc.vpc_id);
        let ingress = ingress.iter().map(|rule| format!("  lets in {}", rule.line()));
        let none = egress.is_empty().then(|| "  lets nothing out".to_owned());
        let egress = egress.iter().map(|rule| format!("  lets out {}", rule.line()));
        [name].into_iter().chain(ingress).chain(egress).chain(none).collect()
    }

    /// A group of our own name, which lets HTTPS in from groups and private blocks and nothing out.
    fn allowed(at: &Address, before: Option<&Self>, after: Option<&Self>) -> Result<(), String> {
        at.vpc.check()?;
        if at.group_name != own_name(&at.vpc.cluster) {
            return Err(format!("{} is not a group of ecr-fix", at.group_name));
        }
        let (group, is_made) = match (before, after) {
            (None, Some(group)) => (group, true),
            (Some(group), None) => (group, false),
            _ => return Err("it neither makes nor deletes the group".to_owned()),
        };
        // One that was never finished is deleted as well.
        let is_new = !is_made && group.lets_out_no_more_than_a_new_one();
        if let Some(rule) = group.egress.first().filter(|_| !is_new) {
            return Err(format!("the group lets {} out", rule.line()));
        }
        match group.ingress.iter().find(|rule| !rule.is_narrow()) {
            Some(rule) => Err(format!("the group lets {} in", rule.line())),
            None if is_made && group.ingress.is_empty() => Err("the group lets nobody in".to_owned()),
            None => Ok(()),
        }
    }

    fn within(at: &Address, target: &Target) -> Result<(), String> {
        at.vpc.within(target)
    }

    fn planned_for(_before: Option<&Self>, after: Option<&Self>, _target: &Target) -> Result<(), String> {
        after.map(|_| ()).ok_or_else(|| "a plan makes groups; only a rollback deletes them".to_owned())
    }

    fn risk(at: &Address, _before: Option<&Self>, after: Option<&Self>) -> (Risk, String) {
        match after {
            Some(_) => (Risk::Low, "a new group guards nothing until something has it".to_owned()),
            None => (Risk::Low, format!("AWS deletes {} only once nothing has it any more", at.group_name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::actions::change::Standing;
    use crate::actions::cluster_vpc::is_on_paper;
    use crate::actions::cluster_vpc::tests::{cluster_vpc, world};
    use crate::actions::{AnyChange, Change};

    fn address() -> Address {
        Address { vpc: cluster_vpc(), group_name: own_name("demo"), group_id: None }
    }

    fn group(peers: &[&str]) -> SecurityGroup {
        SecurityGroup {
            ingress: peers.iter().map(|peer| Rule::https_from(*peer)).collect(),
            egress: BTreeSet::new(),
        }
    }

    /// Making a group takes three calls, and a run may end after each.
    #[test]
    fn a_group_that_was_never_finished_is_taken_back() {
        let everything =
            Rule { protocol: "-1".to_owned(), from_port: None, to_port: None, peer: "0.0.0.0/0".to_owned() };
        let ours = group(&["sg-0cluster", "10.0.0.0/16"]);
        let undone = |peers: &[&str], egress: &[Rule]| {
            let now = SecurityGroup { egress: egress.iter().cloned().collect(), ..group(peers) };
            matches!(SecurityGroup::undo(Some(&now), None, Some(&ours)), Undo::Restored(None))
        };
        assert!(undone(&[], std::slice::from_ref(&everything)), "just made");
        assert!(undone(&[], &[]), "it lets nothing out any more");
        assert!(undone(&["sg-0cluster"], &[]), "it lets some in");
        assert!(!undone(&["sg-0other"], &[]), "somebody else let others in");
        assert!(!undone(&[], &[Rule::https_from("0.0.0.0/0")]), "somebody else let something out");
        let now = SecurityGroup { egress: [everything].into(), ..group(&[]) };
        assert!(SecurityGroup::allowed(&address(), Some(&now), None).is_ok());
        assert!(SecurityGroup::allowed(&address(), None, Some(&now)).is_err());
    }

    fn making(group: SecurityGroup) -> AnyChange {
        Change { at: address(), before: None, after: Some(group) }.into()
    }

    fn no_groups() -> Snapshot {
        world(&[json!({"SecurityGroups": []}), json!({"VpcEndpoints": []})])
    }

    #[test]
    fn only_narrow_groups_of_our_own_are_made() {
        let allowed = |group: SecurityGroup| making(group).allowed();
        assert_eq!(allowed(group(&["sg-0a1b", "10.0.0.0/16"])), Ok(()));
        assert_eq!(making(group(&["sg-0a1b"])).inverse().allowed(), Ok(()), "the way back");
        for open in [
            "10.00.0.0/16",
            "10.0.0.1/16",
            "0.0.0.0/0",
            "10.0.0.0/8",
            "52.0.0.0/16",
            "::/0",
            "pl-1",
            "sg-*",
            "",
        ] {
            assert!(allowed(group(&["sg-0a1b", open])).is_err(), "{open}");
        }
        assert!(allowed(group(&[])).is_err());
        let ssh = Rule { from_port: Some(22), to_port: Some(443), ..Rule::https_from("sg-0a1b") };
        assert!(allowed(SecurityGroup { ingress: [ssh].into(), ..SecurityGroup::default() }).is_err());
        let out = [Rule::https_from("sg-0a1b")].into();
        assert!(allowed(SecurityGroup { egress: out, ..group(&["sg-0a1b"]) }).is_err());
        let foreign = Address { group_name: "default".to_owned(), ..address() };
        assert!(SecurityGroup::allowed(&foreign, None, Some(&group(&["sg-0a1b"]))).is_err());
    }

    #[test]
    fn what_came_in_its_place_is_not_ours() {
        let mut world = no_groups();
        making(group(&["sg-0a1b"])).simulate(&mut world);
        let mut back = making(group(&["sg-0a1b"])).inverse();
        assert_eq!(back.standing(&world), Standing::Before);
        let id = world.ec2.security_groups.keys().next().unwrap().clone();
        assert!(is_on_paper(&id));
        back.assign(&id);
        assert_eq!(back.standing(&world), Standing::Before);
        back.assign("sg-other");
        assert!(matches!(back.standing(&world), Standing::Elsewhere { .. }));
        // Somebody let more in: the group is not as we left it.
        let row = world.ec2.security_groups.get_mut(&id).unwrap();
        row.ip_permissions.push(Rule::https_from("sg-0c2d").permission());
        back.assign(&id);
        assert!(matches!(back.standing(&world), Standing::Elsewhere { .. }));
    }

    #[test]
    fn a_group_in_use_stays() {
        let mut world = no_groups();
        making(group(&["sg-0a1b"])).simulate(&mut world);
        let id = world.ec2.security_groups.keys().next().unwrap().clone();
        let endpoint = json!({"VpcEndpoints": [{"VpcEndpointId": "vpce-1", "Groups": [{"GroupId": id}]}]});
        let with_endpoint = super::super::cluster_vpc::tests::world(&[endpoint]);
        world.ec2.vpc_endpoints = with_endpoint.ec2.vpc_endpoints;
        making(group(&["sg-0a1b"])).inverse().simulate(&mut world);
        assert!(world.ec2.security_groups.contains_key(&id));
    }

    #[test]
    fn what_was_not_read_is_unread() {
        let unread = making(group(&["sg-0a1b"])).standing(&world(&[]));
        assert!(matches!(unread, Standing::Unread(_)), "{unread:?}");
    }

    proptest! {
        #[test]
        fn a_group_on_paper_is_what_was_asked_for_and_leaves_no_trace(
            peers in prop::collection::btree_set("(sg-[0-9a-f]{8}|10\\.[1-9][0-9]?\\.0\\.0/16)", 1..5),
        ) {
            let peers: Vec<&str> = peers.iter().map(String::as_str).collect();
            let (before, change) = (no_groups(), making(group(&peers)));
            prop_assert_eq!(change.standing(&before), Standing::Before);
            let mut world = before.clone();
            change.simulate(&mut world);
            prop_assert_eq!(change.standing(&world), Standing::After);
            change.inverse().simulate(&mut world);
            prop_assert_eq!(world, before);
        }
    }
}
