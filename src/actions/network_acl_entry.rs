//! One entry of a network ACL: by its number and direction.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::blocks::is_private;
use super::cluster_vpc::{ClusterVpc, is_id};
use super::{Change, Found, Kind, Quota, Resource, Risk, Sent};
use crate::aws::{Reader, Refused, Writer};
use crate::collect;
use crate::error::Error;
use crate::model::ec2::{AclEntry, IcmpTypeCode, PortRange};
use crate::model::{Seen, Snapshot};
use crate::pulls::Target;

/// The port of HTTPS.
pub const HTTPS: [i64; 2] = [443, 443];

/// Where clients open connections from, and replies go to (VPC user guide, "Ephemeral ports").
pub const EPHEMERAL: [i64; 2] = [1_024, 65_535];

/// The port of DNS.
const DNS: [i64; 2] = [53, 53];

/// The last number that an entry may have; AWS's own denial of everything else comes after it.
pub const LAST_NUMBER: i64 = 32_766;

/// The default quota of entries in one direction: VPC user guide, "Amazon VPC quotas". AWS's own denial does not count.
pub const MOST_ENTRIES: usize = 20;

/// An entry, without its number and direction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkAclEntry {
    /// `allow` or `deny`.
    pub action: String,
    /// A number (IANA); `-1` for all.
    pub protocol: String,
    /// The other end.
    pub block: IpNet,
    /// The first and the last destination port, where the protocol has ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<[i64; 2]>,
    /// Type and code, where the protocol is ICMP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icmp: Option<[i64; 2]>,
}

/// Which entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address {
    /// Where it is.
    pub vpc: ClusterVpc,
    /// `acl-…`.
    pub acl_id: String,
    /// Lower numbers decide first.
    pub rule_number: i64,
    /// Out of the subnets, or into them.
    pub egress: bool,
}

impl Address {
    fn is_place_of(&self, entry: &AclEntry) -> bool {
        entry.rule_number == self.rule_number && entry.egress == self.egress
    }

    fn direction(&self) -> &'static str {
        if self.egress { "egress" } else { "ingress" }
    }
}

impl NetworkAclEntry {
    /// The entry of a row; `None` where the row names no block.
    pub fn of(row: &AclEntry) -> Option<NetworkAclEntry> {
        let block = row.cidr_block.map(IpNet::V4).or(row.ipv6_cidr_block.map(IpNet::V6))?;
        Some(NetworkAclEntry {
            action: row.rule_action.clone(),
            protocol: row.protocol.clone(),
            block,
            ports: row.port_range.map(|range| [range.from, range.to]),
            icmp: row.icmp_type_code.map(|kind| [kind.r#type, kind.code]),
        })
    }

    /// The row that EC2 shows.
    pub fn row(&self, number: i64, egress: bool) -> AclEntry {
        let (v4, v6) = match self.block {
            IpNet::V4(block) => (Some(block), None),
            IpNet::V6(block) => (None, Some(block)),
        };
        AclEntry {
            rule_number: number,
            egress,
            protocol: self.protocol.clone(),
            rule_action: self.action.clone(),
            cidr_block: v4,
            ipv6_cidr_block: v6,
            port_range: self.ports.map(|[from, to]| PortRange { from, to }),
            icmp_type_code: self.icmp.map(|[kind, code]| IcmpTypeCode { r#type: kind, code }),
        }
    }

    fn text(&self) -> String {
        let protocol = match self.protocol.as_str() {
            "6" => "tcp",
            "17" => "udp",
            "-1" => "all",
            number => number,
        };
        match self.ports {
            Some([first, last]) if first == last => format!("{protocol}/{first}"),
            Some([first, last]) => format!("{protocol}/{first}-{last}"),
            None => protocol.to_owned(),
        }
    }

    /// Whether it lets pass what a pull needs, and nothing else: HTTPS or a name server one way, replies the other.
    fn is_for_pulls(&self, egress: bool) -> Result<(), String> {
        let ports = match (self.protocol.as_str(), self.ports) {
            ("6", Some(HTTPS)) => HTTPS,
            ("6" | "17", Some(DNS)) => DNS,
            ("6" | "17", Some(EPHEMERAL)) => EPHEMERAL,
            _ => return Err(format!("it lets {} pass, which no pull needs", self.text())),
        };
        if self.action != "allow" || self.icmp.is_some() {
            return Err("it is no entry that lets tcp or udp pass".to_owned());
        }
        if self.block.trunc() != self.block {
            return Err(format!("{} is no block", self.block));
        }
        if is_private(&self.block) {
            return Ok(());
        }
        // To and from public addresses only what a client sends out and gets back; whether to and from all of them is
        // for the options of the plan to say (`opens_internet`), and a block of an AWS service is never this wide.
        let narrow = match self.block {
            IpNet::V4(block) => block.prefix_len() >= 10,
            IpNet::V6(block) => block.prefix_len() >= 28,
        };
        let way = egress && ports == HTTPS || !egress && ports == EPHEMERAL && self.protocol == "6";
        if way && (narrow || self.block.prefix_len() == 0) {
            Ok(())
        } else {
            let direction = if egress { "out to" } else { "in from" };
            Err(format!("it lets {} {direction} {}", self.text(), self.block))
        }
    }
}

impl Resource for NetworkAclEntry {
    type Address = Address;

    const KINDS: &'static [Kind] =
        &[Kind::CreateNetworkAclEntry, Kind::DeleteNetworkAclEntry, Kind::ReplaceNetworkAclEntry];

    const READS: &'static [&'static str] = &["ec2:DescribeNetworkAcls"];

    fn kind(before: Option<&Self>, after: Option<&Self>) -> Kind {
        match (before, after) {
            (None, _) => Kind::CreateNetworkAclEntry,
            (Some(_), Some(_)) => Kind::ReplaceNetworkAclEntry,
            (Some(_), None) => Kind::DeleteNetworkAclEntry,
        }
    }

    fn arn(at: &Address) -> String {
        at.vpc.arn(&format!("network-acl/{}", at.acl_id))
    }

    fn summary(at: &Address, before: Option<&Self>, after: Option<&Self>) -> String {
        let (number, direction, acl) = (at.rule_number, at.direction(), &at.acl_id);
        let end = if at.egress { "to" } else { "from" };
        match (before, after) {
            (None, Some(entry)) => {
                format!(
                    "let {} {end} {} pass by entry {number} ({direction}) of {acl}",
                    entry.text(),
                    entry.block
                )
            }
            (Some(old), Some(new)) => format!(
                "change entry {number} ({direction}) of {acl} from {} to {}, {end} {}",
                old.text(),
                new.text(),
                new.block
            ),
            (_, None) => format!("delete entry {number} ({direction}) of {acl}"),
        }
    }

    fn get(world: &Snapshot, at: &Address) -> Found<Self> {
        if let Some(lost) = at.vpc.lost_in(world) {
            return lost;
        }
        let Some(acl) = world.ec2.network_acls.get(&at.acl_id) else {
            return match world.missing::<()>("NetworkAcls", "ec2:DescribeNetworkAcls", &at.acl_id) {
                Seen::Unread(because) => Found::Unread(because),
                _ => Found::Deleted(format!("network ACL {} does not exist any more", at.acl_id)),
            };
        };
        if acl.vpc_id.as_ref().is_some_and(|vpc| *vpc != at.vpc.vpc_id) {
            return Found::Gone(format!("{} is not in {}", at.acl_id, at.vpc.vpc_id));
        }
        match acl.entries.iter().find(|entry| at.is_place_of(entry)) {
            None => Found::State(None),
            Some(row) => match NetworkAclEntry::of(row) {
                Some(entry) => Found::State(Some(entry)),
                None => Found::Unread(format!("entry {} of {} names no block", at.rule_number, at.acl_id)),
            },
        }
    }

    fn quota(world: &Snapshot, at: &Address) -> Option<Quota> {
        let entries = world.ec2.network_acls.get(&at.acl_id)?.entries.iter();
        let counts = |entry: &&AclEntry| entry.egress == at.egress && entry.rule_number <= LAST_NUMBER;
        let of = format!("{} entries of network ACL {}", at.direction(), at.acl_id);
        Some(Quota { of, present: entries.filter(counts).count(), more: 1, most: MOST_ENTRIES })
    }

    fn set(world: &mut Snapshot, at: &Address, state: Option<Self>) {
        let Some(acl) = world.ec2.network_acls.get_mut(&at.acl_id) else { return };
        let place = acl.entries.iter().position(|entry| at.is_place_of(entry));
        let row = state.map(|entry| entry.row(at.rule_number, at.egress));
        match (place.and_then(|place| acl.entries.get_mut(place)), row) {
            (Some(entry), Some(row)) => *entry = row,
            (None, Some(row)) => acl.entries.push(row),
            (_, None) => acl.entries.retain(|entry| !at.is_place_of(entry)),
        }
    }

    async fn look(aws: &Reader, at: &Address) -> Result<Snapshot, Error> {
        Ok(collect::network_acl_again(aws, &at.vpc.cluster, &at.acl_id).await)
    }

    async fn send(
        aws: &Writer,
        at: &Address,
        before: Option<&Self>,
        after: Option<&Self>,
    ) -> Result<Sent, Refused> {
        match (before, after) {
            (None, Some(entry)) => aws.create_network_acl_entry(at, entry).await,
            (Some(_), Some(entry)) => aws.replace_network_acl_entry(at, entry).await,
            (_, None) => aws.delete_network_acl_entry(at).await,
        }
    }

    fn permissions(at: &Address, before: Option<&Self>, after: Option<&Self>) -> Vec<(&'static str, String)> {
        // Descriptions of EC2 cannot be limited to one resource.
        let reads = Self::READS.iter().map(|read| (*read, "*".to_owned()));
        let cluster = ("eks:DescribeCluster", at.vpc.cluster_arn());
        reads.chain([cluster, (Self::kind(before, after).api_call(), Self::arn(at))]).collect()
    }

    fn lines(at: &Address, state: Option<&Self>) -> Vec<String> {
        let line = |entry: &Self| {
            let end = if at.egress { "to" } else { "from" };
            let (number, direction) = (at.rule_number, at.direction());
            format!(
                "{}: {number} {direction} {} {} {end} {}",
                at.acl_id,
                entry.action,
                entry.text(),
                entry.block
            )
        };
        state.map(line).into_iter().collect()
    }

    /// Entries come and go only where they let pass what a pull needs. One that stands there may only let more ports
    /// of that pass, between the same two ends; and a denial is never touched.
    fn allowed(at: &Address, before: Option<&Self>, after: Option<&Self>) -> Result<(), String> {
        at.vpc.check()?;
        if !is_id(&at.acl_id, "acl-") {
            return Err(format!("{} is not the id of a network ACL", at.acl_id));
        }
        if !(1..=LAST_NUMBER).contains(&at.rule_number) {
            return Err(format!("{} is not the number of an entry", at.rule_number));
        }
        match (before, after) {
            (None, None) => Err("it changes nothing".to_owned()),
            (Some(entry), None) | (None, Some(entry)) => entry.is_for_pulls(at.egress),
            (Some(one), Some(other)) if widens(one, other) => other.is_for_pulls(at.egress),
            (Some(one), Some(other)) if widens(other, one) => one.is_for_pulls(at.egress),
            (Some(_), Some(_)) => Err("it does more than to let more ports pass".to_owned()),
        }
    }

    fn within(at: &Address, target: &Target) -> Result<(), String> {
        at.vpc.within(target)
    }

    fn planned_for(before: Option<&Self>, after: Option<&Self>, _target: &Target) -> Result<(), String> {
        match (before, after) {
            (None, Some(_)) => Ok(()),
            (Some(before), Some(after)) if widens(before, after) => Ok(()),
            _ => Err("a plan lets more pass; only a rollback lets less pass".to_owned()),
        }
    }

    fn opens_internet(_at: &Address, after: Option<&Self>) -> bool {
        after.is_some_and(|entry| entry.block.prefix_len() == 0)
    }

    fn risk(at: &Address, before: Option<&Self>, after: Option<&Self>) -> (Risk, String) {
        let Some(entry) = after else {
            return (
                Risk::Medium,
                format!("what only this entry of {} lets pass is dropped again", at.acl_id),
            );
        };
        let what = match before {
            Some(_) => "it lets more ports pass between the same two ends",
            None => "it is a new entry in a free place; no entry is changed or taken away",
        };
        let wide = entry.block.prefix_len() == 0;
        let groups = if wide {
            "; it is about replies, or about what goes out: no route and no security group lets more in than before"
        } else {
            "; security groups decide as before what of it reaches an interface"
        };
        (if wide || before.is_some() { Risk::Medium } else { Risk::Low }, format!("{what}{groups}"))
    }
}

/// The same as a command for a person.
pub fn command(change: &Change<NetworkAclEntry>, region: &str) -> String {
    let Change { at, before, after } = change;
    let kind = NetworkAclEntry::kind(before.as_ref(), after.as_ref()).as_str();
    let direction = at.direction();
    let mut text = format!(
        "aws ec2 {kind} --region {region} --network-acl-id {} --{direction} --rule-number {}",
        at.acl_id, at.rule_number
    );
    if let Some(entry) = after {
        let option = if entry.block.network().is_ipv4() { "--cidr-block" } else { "--ipv6-cidr-block" };
        text += &format!(
            " --rule-action {} --protocol {} {option} {}",
            entry.action, entry.protocol, entry.block
        );
        if let Some([from, to]) = entry.ports {
            text += &format!(" --port-range From={from},To={to}");
        }
    }
    text
}

/// Whether one entry lets everything pass that another does, between the same two ends, and more ports.
fn widens(before: &NetworkAclEntry, after: &NetworkAclEntry) -> bool {
    let (Some([old_first, old_last]), Some([first, last])) = (before.ports, after.ports) else {
        return false;
    };
    let same = before.action == "allow"
        && after.action == "allow"
        && (&before.protocol, before.block, before.icmp) == (&after.protocol, after.block, after.icmp);
    same && before.ports != after.ports && first <= old_first && old_last <= last
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::actions::AnyChange;
    use crate::actions::change::Standing;
    use crate::actions::cluster_vpc::tests::{cluster_vpc, world};

    fn entry(protocol: &str, ports: [i64; 2], block: &str) -> NetworkAclEntry {
        let (action, block) = ("allow".to_owned(), block.parse().unwrap());
        NetworkAclEntry { action, protocol: protocol.to_owned(), block, ports: Some(ports), icmp: None }
    }

    fn change(egress: bool, before: Option<NetworkAclEntry>, after: Option<NetworkAclEntry>) -> AnyChange {
        let at = Address { vpc: cluster_vpc(), acl_id: "acl-0a".to_owned(), rule_number: 110, egress };
        Change { at, before, after }.into()
    }

    #[test]
    fn the_engine_lets_pulls_and_their_replies_pass_and_nothing_else() {
        let adding = |egress, entry| change(egress, None, Some(entry));
        for fine in [
            adding(true, entry("6", HTTPS, "10.0.0.0/16")),
            adding(false, entry("6", HTTPS, "10.0.0.0/16")),
            adding(false, entry("6", EPHEMERAL, "52.92.16.0/20")),
            adding(false, entry("6", EPHEMERAL, "0.0.0.0/0")),
            adding(true, entry("6", HTTPS, "0.0.0.0/0")),
            adding(true, entry("17", DNS, "10.0.0.2/32")),
        ] {
            assert_eq!(fine.allowed(), Ok(()), "{}", fine.summary());
            assert_eq!(fine.inverse().allowed(), Ok(()), "the way back");
        }
        let deny = NetworkAclEntry { action: "deny".to_owned(), ..entry("6", HTTPS, "10.0.0.0/16") };
        for refused in [
            adding(false, entry("6", HTTPS, "0.0.0.0/0")),
            adding(false, entry("6", HTTPS, "52.92.16.0/20")),
            adding(false, entry("6", EPHEMERAL, "0.0.0.0/1")),
            adding(false, entry("17", EPHEMERAL, "0.0.0.0/0")),
            adding(true, entry("6", EPHEMERAL, "52.92.16.0/20")),
            adding(false, entry("6", [22, 22], "10.0.0.0/16")),
            adding(false, entry("6", [0, 65_535], "10.0.0.0/16")),
            adding(false, entry("-1", HTTPS, "10.0.0.0/16")),
            adding(true, deny.clone()),
            change(true, Some(deny.clone()), None),
            change(true, Some(deny), Some(entry("6", HTTPS, "10.0.0.0/16"))),
            change(true, Some(entry("6", HTTPS, "10.0.0.0/16")), Some(entry("6", HTTPS, "10.1.0.0/16"))),
        ] {
            assert!(refused.allowed().is_err(), "{}", refused.summary());
        }
    }

    #[test]
    fn an_entry_that_stands_there_may_only_get_more_ports() {
        let (narrow, wide) =
            (entry("6", [49_152, 65_535], "10.0.0.0/16"), entry("6", EPHEMERAL, "10.0.0.0/16"));
        let widen = change(false, Some(narrow.clone()), Some(wide.clone()));
        assert_eq!((widen.allowed(), widen.inverse().allowed()), (Ok(()), Ok(())));
        let target = Target {
            account: "111122223333".to_owned(),
            region: "eu-west-1".to_owned(),
            partition: "aws".to_owned(),
            cluster: "demo".to_owned(),
        };
        assert_eq!(widen.planned_for(&target), Ok(()));
        assert!(widen.inverse().planned_for(&target).is_err(), "a plan never lets less pass");
        assert!(change(false, Some(wide), None).planned_for(&target).is_err());
        let elsewhere = Target { cluster: "other".to_owned(), ..target };
        assert!(widen.planned_for(&elsewhere).is_err(), "the ACL is of another cluster");
    }

    #[test]
    fn only_the_whole_internet_needs_a_word_of_the_user() {
        assert!(change(false, None, Some(entry("6", EPHEMERAL, "0.0.0.0/0"))).opens_internet());
        assert!(!change(false, None, Some(entry("6", EPHEMERAL, "52.92.16.0/20"))).opens_internet());
    }

    #[test]
    fn on_paper_an_entry_comes_goes_and_changes_in_its_place() {
        let acl = json!({"NetworkAcls": [{"NetworkAclId": "acl-0a", "VpcId": "vpc-1", "Entries": [
            {"RuleNumber": 110, "Egress": true, "Protocol": "-1", "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"},
            {"RuleNumber": 32767, "Egress": false, "Protocol": "-1", "RuleAction": "deny", "CidrBlock": "0.0.0.0/0"}]}]});
        let before = world(&[acl]);
        let (narrow, wide) =
            (entry("6", [49_152, 65_535], "10.0.0.0/16"), entry("6", EPHEMERAL, "10.0.0.0/16"));
        let (create, widen) =
            (change(false, None, Some(narrow.clone())), change(false, Some(narrow), Some(wide)));
        let mut now = before.clone();
        for step in [&create, &widen] {
            assert_eq!(step.standing(&now), Standing::Before, "{}", step.summary());
            step.simulate(&mut now);
            assert_eq!(step.standing(&now), Standing::After, "{}", step.summary());
        }
        assert!(matches!(create.standing(&now), Standing::Elsewhere { .. }), "somebody changed it since");
        widen.inverse().simulate(&mut now);
        create.inverse().simulate(&mut now);
        assert_eq!(now, before);
    }
}
