//! Security groups and network ACLs: compiled once, asked for whole sets of addresses.

use std::collections::BTreeMap;

use super::addresses::{AddressSet, Family};
use crate::model::ec2::{AclEntry, Ec2, IpPermission, NetworkAcl};

/// What a packet is, as far as filters look: its protocol and its destination ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Service {
    /// The number of the protocol (IANA); `None` stands for all protocols at once.
    pub protocol: Option<u8>,
    /// The first destination port, or the type of ICMP.
    pub first: u16,
    /// The last destination port, or the code of ICMP.
    pub last: u16,
}

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP_V6: u8 = 58;

impl Service {
    /// TCP to one port.
    pub const fn tcp(port: u16) -> Service {
        Service { protocol: Some(TCP), first: port, last: port }
    }

    /// UDP to one port.
    pub const fn udp(port: u16) -> Service {
        Service { protocol: Some(UDP), first: port, last: port }
    }

    /// The question of a ping.
    pub const fn ping() -> Service {
        Service { protocol: Some(ICMP), first: 8, last: 0 }
    }

    /// Every protocol, on every port.
    pub const fn all() -> Service {
        Service { protocol: None, first: 0, last: u16::MAX }
    }

    /// A protocol that has no ports.
    pub const fn of_protocol(number: u8) -> Service {
        Service { protocol: Some(number), first: 0, last: u16::MAX }
    }

    /// The answer, to the ports that the asker may have used.
    #[must_use]
    pub fn answer(self, asker: Ports) -> Service {
        match self.protocol {
            Some(TCP | UDP) => Service { first: asker.first, last: asker.last, ..self },
            Some(ICMP) => Service { first: 0, last: 0, ..self },
            _ => self,
        }
    }

    /// Whether a NAT gateway carries it: TCP, UDP and ICMP only.
    pub fn passes_nat(self) -> bool {
        matches!(self.protocol, Some(TCP | UDP | ICMP | ICMP_V6))
    }

    fn has_ports(self) -> bool {
        matches!(self.protocol, Some(TCP | UDP))
    }

    fn is_icmp(self) -> bool {
        matches!(self.protocol, Some(ICMP | ICMP_V6))
    }

    /// ICMP has another number and other types over IPv6.
    fn over(self, family: Family) -> Service {
        match (self.protocol, family, self.first) {
            (Some(ICMP), Family::V6, 8) => Service { protocol: Some(ICMP_V6), first: 128, last: 0 },
            (Some(ICMP), Family::V6, 0) => Service { protocol: Some(ICMP_V6), first: 129, last: 0 },
            (Some(ICMP), Family::V6, _) => Service { protocol: Some(ICMP_V6), ..self },
            _ => self,
        }
    }
}

impl std::fmt::Display for Service {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self.protocol {
            None => return out.write_str("all protocols"),
            Some(TCP) => "tcp",
            Some(UDP) => "udp",
            Some(ICMP | ICMP_V6) => return write!(out, "icmp type {}", self.first),
            Some(number) => return write!(out, "protocol {number}"),
        };
        if self.first == self.last {
            write!(out, "{name}/{}", self.first)
        } else {
            write!(out, "{name}/{}-{}", self.first, self.last)
        }
    }
}

/// A range of ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ports {
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
}

impl Ports {
    /// Where Linux opens connections from (`ip_local_port_range`).
    pub const LINUX: Ports = Ports { first: 32_768, last: 60_999 };
    /// Where a NAT gateway opens connections from (VPC user guide, "Ephemeral ports").
    pub const NAT: Ports = Ports { first: 1_024, last: 65_535 };
}

/// Which way a packet passes a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Out of the interface or the subnet.
    Egress,
    /// Into it.
    Ingress,
}

impl Direction {
    /// The word in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::Egress => "egress",
            Direction::Ingress => "ingress",
        }
    }
}

/// The protocols and ports that a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Match {
    protocol: Option<u8>,
    /// Ports, or type and code of ICMP; `None` for all.
    ports: Option<(i64, i64)>,
}

impl Match {
    fn covers(self, service: Service) -> bool {
        let Some(protocol) = self.protocol else { return true };
        if service.protocol != Some(protocol) {
            return false;
        }
        let Some((first, last)) = self.ports else { return true };
        if service.has_ports() {
            return first <= i64::from(service.first) && i64::from(service.last) <= last;
        }
        !service.is_icmp()
            || first == -1
            || first == i64::from(service.first) && (last == -1 || last == i64::from(service.last))
    }
}

fn protocol_number(text: &str) -> Option<Option<u8>> {
    match text.to_ascii_lowercase().as_str() {
        "-1" | "all" => Some(None),
        "tcp" => Some(Some(TCP)),
        "udp" => Some(Some(UDP)),
        "icmp" => Some(Some(ICMP)),
        "icmpv6" => Some(Some(ICMP_V6)),
        number => number.parse().ok().map(Some),
    }
}

/// The other end of a packet, as a filter sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer<'a> {
    /// Its addresses.
    pub addresses: &'a AddressSet,
    /// Its security groups, where rules may name them; `None` where they were not read.
    pub groups: Option<&'a [String]>,
    /// The prefix list that it is.
    pub prefix_list: Option<&'a str>,
}

/// What a filter says of a whole set of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    /// The addresses that do not pass.
    pub denied: AddressSet,
    /// Why some of them may pass after all: what was not read.
    pub doubt: Option<String>,
    /// The component that decided: a security group or a network ACL.
    pub component: String,
    /// The rule that decided.
    pub rule: Option<String>,
}

impl Decision {
    /// Whether everything passes.
    pub(super) fn allows_all(&self) -> bool {
        self.denied.is_empty()
    }
}

#[derive(Clone, Debug)]
enum Target {
    Addresses(AddressSet),
    /// With its blocks, if they were read.
    PrefixList(String, Option<AddressSet>),
    Group(String),
}

#[derive(Clone, Debug)]
struct GroupRule {
    matches: Match,
    target: Target,
    name: String,
}

/// A security group, compiled.
#[derive(Clone, Debug, Default)]
pub(super) struct SecurityGroup {
    ingress: Vec<GroupRule>,
    egress: Vec<GroupRule>,
}

/// Every security group, by id.
pub(super) type SecurityGroups = BTreeMap<String, SecurityGroup>;

/// Compiles all groups; the ids of their rules come from `SecurityGroupRules` where they were read.
pub(super) fn security_groups(ec2: &Ec2, prefix_lists: &BTreeMap<String, AddressSet>) -> SecurityGroups {
    let mut names: BTreeMap<(&str, bool, String), &str> = BTreeMap::new();
    for rule in ec2.security_group_rules.values() {
        let peer = rule
            .cidr_ipv4
            .map(|block| block.to_string())
            .or_else(|| rule.cidr_ipv6.map(|block| block.to_string()))
            .or_else(|| rule.prefix_list_id.clone())
            .or_else(|| rule.referenced_group_info.as_ref().map(|group| group.group_id.clone()));
        let text = rule_text(&rule.ip_protocol, rule.from_port, rule.to_port, &peer.unwrap_or_default());
        names.insert((&rule.group_id, rule.is_egress, text), &rule.security_group_rule_id);
    }
    let compile = |id: &str, egress: bool, permissions: &[IpPermission]| {
        let mut rules = Vec::new();
        for permission in permissions {
            let Some(protocol) = protocol_number(&permission.ip_protocol) else { continue };
            let ports = match (permission.from_port, permission.to_port) {
                (None, None) => None,
                (first, last) => Some((first.unwrap_or(-1), last.or(first).unwrap_or(-1))),
            };
            let ports = ports.filter(|ports| *ports != (-1, -1));
            for target in targets(permission, prefix_lists) {
                let peer = match &target {
                    Target::Addresses(set) => set.to_string(),
                    Target::PrefixList(id, _) | Target::Group(id) => id.clone(),
                };
                let text =
                    rule_text(&permission.ip_protocol, permission.from_port, permission.to_port, &peer);
                let name = names.get(&(id, egress, text.clone())).map_or(text, |name| (*name).to_owned());
                rules.push(GroupRule { matches: Match { protocol, ports }, target, name });
            }
        }
        rules
    };
    let group = |(id, group): (&String, &crate::model::ec2::SecurityGroup)| {
        let ingress = compile(id, false, &group.ip_permissions);
        let egress = compile(id, true, &group.ip_permissions_egress);
        (id.clone(), SecurityGroup { ingress, egress })
    };
    ec2.security_groups.iter().map(group).collect()
}

fn targets(permission: &IpPermission, prefix_lists: &BTreeMap<String, AddressSet>) -> Vec<Target> {
    let v4 = permission
        .ip_ranges
        .iter()
        .filter_map(|range| range.cidr_ip)
        .map(|block| Target::Addresses(block.into()));
    let v6 = permission
        .ipv6_ranges
        .iter()
        .filter_map(|range| range.cidr_ipv6)
        .map(|block| Target::Addresses(block.into()));
    let lists = permission.prefix_list_ids.iter().map(|list| {
        let id = &list.prefix_list_id;
        Target::PrefixList(id.clone(), prefix_lists.get(id).cloned())
    });
    // A stale rule names a group behind a peering that is gone: it matches nothing.
    let live = permission.user_id_group_pairs.iter().filter(|pair| {
        pair.peering_status.as_deref().is_none_or(|status| status.is_empty() || status == "active")
    });
    let groups = live.map(|pair| Target::Group(pair.group_id.clone()));
    v4.chain(v6).chain(lists).chain(groups).collect()
}

fn rule_text(protocol: &str, first: Option<i64>, last: Option<i64>, peer: &str) -> String {
    let protocol = if protocol == "-1" { "all" } else { protocol };
    match (first, last) {
        (None | Some(-1), _) => format!("{protocol} {peer}"),
        (Some(first), Some(last)) if last != first => format!("{protocol} {first}-{last} {peer}"),
        (Some(first), _) => format!("{protocol} {first} {peer}"),
    }
}

/// Asks all groups of an interface: what any of them allows passes.
pub(super) fn ask_groups(
    known: &SecurityGroups,
    groups: &[String],
    direction: Direction,
    service: Service,
    peer: Peer<'_>,
) -> Decision {
    let mut denied = peer.addresses.clone();
    let mut doubt = None;
    let mut deciding = None;
    for id in groups {
        let Some(group) = known.get(id) else {
            doubt.get_or_insert_with(|| format!("security group {id} was not read"));
            continue;
        };
        let rules = match direction {
            Direction::Egress => &group.egress,
            Direction::Ingress => &group.ingress,
        };
        for rule in rules {
            if denied.is_empty() {
                break;
            }
            match rule_allows(rule, service, peer, &denied) {
                Ok(left) if left != denied => {
                    denied = left;
                    deciding.get_or_insert((id, rule));
                }
                Ok(_) => {}
                Err(why) => {
                    doubt.get_or_insert(why);
                }
            }
        }
    }
    let doubt = doubt.filter(|_| !denied.is_empty());
    match deciding {
        Some((id, rule)) => Decision { denied, doubt, component: id.clone(), rule: Some(rule.name.clone()) },
        None => {
            Decision { denied, doubt, component: groups.first().cloned().unwrap_or_default(), rule: None }
        }
    }
}

/// What a rule leaves denied, or why that cannot be said.
fn rule_allows(
    rule: &GroupRule,
    service: Service,
    peer: Peer<'_>,
    denied: &AddressSet,
) -> Result<AddressSet, String> {
    let covered: AddressSet = denied
        .families()
        .filter(|family| rule.matches.covers(service.over(*family)))
        .map(|family| denied.of(family))
        .collect();
    if covered.is_empty() {
        return Ok(denied.clone());
    }
    match &rule.target {
        Target::Addresses(allowed) => Ok(denied.minus(&covered.and(allowed))),
        Target::PrefixList(id, _) if peer.prefix_list == Some(id) => Ok(denied.minus(&covered)),
        Target::PrefixList(_, Some(allowed)) => Ok(denied.minus(&covered.and(allowed))),
        Target::PrefixList(id, None) => Err(format!("the entries of prefix list {id} were not read")),
        Target::Group(id) => match peer.groups {
            Some(groups) if groups.contains(id) => Ok(denied.minus(&covered)),
            Some(_) => Ok(denied.clone()),
            None => Err(format!("which interface has {} was not read", peer.addresses)),
        },
    }
}

#[derive(Clone, Debug)]
struct AclRule {
    number: i64,
    matches: Match,
    addresses: AddressSet,
    allow: bool,
}

/// A network ACL, compiled: each direction in the order of evaluation.
#[derive(Clone, Debug)]
pub(super) struct Acl {
    pub(super) id: String,
    ingress: Vec<AclRule>,
    egress: Vec<AclRule>,
}

impl Acl {
    pub(super) fn of(acl: &NetworkAcl) -> Acl {
        let rules = |egress: bool| {
            let mut rules: Vec<AclRule> =
                acl.entries.iter().filter(|entry| entry.egress == egress).filter_map(acl_rule).collect();
            rules.sort_by_key(|rule| rule.number);
            rules
        };
        Acl { id: acl.network_acl_id.clone(), ingress: rules(false), egress: rules(true) }
    }

    /// Asks for a set of addresses and all ports of a service: the first rule that matches decides, and what
    /// none matches is denied.
    pub(super) fn ask(&self, direction: Direction, service: Service, addresses: &AddressSet) -> Decision {
        let rules = match direction {
            Direction::Egress => &self.egress,
            Direction::Ingress => &self.ingress,
        };
        let mut denied = AddressSet::default();
        let (mut denying, mut allowing) = (None, None);
        for family in addresses.families() {
            let addresses = addresses.of(family);
            for cell in cells(rules, service.over(family)) {
                let mut left = addresses.clone();
                for rule in rules {
                    // A rule for one protocol decides only part of "all protocols": enough to deny, not to allow.
                    let part = cell.protocol.is_none() && rule.matches.protocol.is_some() && !rule.allow;
                    if !part && !rule.matches.covers(cell) {
                        continue;
                    }
                    let hit = left.and(&rule.addresses);
                    if hit.is_empty() {
                        continue;
                    }
                    left = left.minus(&hit);
                    if rule.allow {
                        allowing.get_or_insert(rule.number);
                    } else {
                        denied = denied.or(&hit);
                        denying.get_or_insert((rule.number, cell));
                    }
                }
                if !left.is_empty() {
                    denied = denied.or(&left);
                    denying.get_or_insert((FINAL_RULE, cell));
                }
            }
        }
        let rule = match denying {
            Some((FINAL_RULE, cell)) => Some(format!("* ({cell})")),
            Some((number, cell)) => Some(format!("{number} ({cell})")),
            None => allowing.map(|number| number.to_string()),
        };
        Decision { denied, doubt: None, component: self.id.clone(), rule }
    }
}

/// The rule that ends every network ACL: deny all.
const FINAL_RULE: i64 = 32_767;

fn acl_rule(entry: &AclEntry) -> Option<AclRule> {
    let protocol = protocol_number(&entry.protocol)?;
    let ports = match protocol {
        Some(TCP | UDP) => entry.port_range.map(|range| (range.from, range.to)),
        Some(ICMP | ICMP_V6) => entry.icmp_type_code.map(|kind| (kind.r#type, kind.code)),
        _ => None,
    };
    let v4 = entry.cidr_block.map(AddressSet::from);
    let addresses = v4.into_iter().chain(entry.ipv6_cidr_block.map(AddressSet::from)).collect();
    Some(AclRule {
        number: entry.rule_number,
        matches: Match { protocol, ports },
        addresses,
        allow: entry.rule_action.eq_ignore_ascii_case("allow"),
    })
}

/// Splits a range of ports where a rule begins or ends, so that each rule covers a part or does not touch it.
fn cells(rules: &[AclRule], service: Service) -> Vec<Service> {
    if !service.has_ports() || service.first == service.last {
        return vec![service];
    }
    let within =
        |port: i64| u16::try_from(port).ok().filter(|port| *port > service.first && *port <= service.last);
    let mut starts: Vec<u16> = rules
        .iter()
        .filter(|rule| rule.matches.protocol == service.protocol)
        .filter_map(|rule| rule.matches.ports)
        .flat_map(|(first, last)| [within(first), within(last.saturating_add(1))])
        .flatten()
        .chain([service.first])
        .collect();
    starts.sort_unstable();
    starts.dedup();
    let ends = starts.iter().skip(1).map(|start| start - 1).chain([service.last]);
    starts.iter().zip(ends).map(|(first, last)| Service { first: *first, last, ..service }).collect()
}
