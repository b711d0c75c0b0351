//! Network ACLs that let too little through: entries for both ends of the flow and for both directions, placed so that
//! the order stays right.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::Stop;
use super::filters::{blocks_of_subnets, denied_at, entries_of_list, in_vpc};
use super::fixes::{Manual, RemedyOrSteps, opens};
use crate::actions::cluster_vpc::ClusterVpc;
use crate::actions::network_acl_entry::{
    self, Address, EPHEMERAL, LAST_NUMBER, MOST_ENTRIES, NetworkAclEntry,
};
use crate::actions::{AnyChange, Change};
use crate::judges::Options;
use crate::model::ec2::{AclEntry, NetworkAcl};
use crate::network::{self, AddressSet, Denied, Family, Reason};
use crate::pulls::World;

/// Numbers of entries are left this far apart, where there is space.
const STEP: i64 = 10;

/// The number of a first entry.
const FIRST: i64 = 100;

/// AWS's own denial of everything else.
const FINAL: i64 = LAST_NUMBER + 1;

/// Entries that let the flows pass.
///
/// # Errors
/// Why there is no change that ecr-fix makes by itself, and what a person does.
pub(super) fn remedy(world: &World<'_>, component: &str, stop: &Stop, options: &Options) -> RemedyOrSteps {
    let Some(acl) = world.snapshot.ec2.network_acls.get(component) else {
        return Err(Manual::because(format!("network ACL {component} was not read")));
    };
    let vpc = in_vpc(world, component, acl.vpc_id.as_deref(), acl.owner_id.as_deref())?;
    let changes = changes(world, &vpc, acl, stop)?;
    let commands = || {
        let region = &world.target.region;
        changes.iter().map(|change| network_acl_entry::command(change, region)).collect::<Vec<_>>()
    };
    let wide =
        changes.iter().any(|change| change.after.as_ref().is_some_and(|entry| entry.block.prefix_len() == 0));
    if wide && !options.allow_internet_egress {
        return Err(Manual {
            because: "replies of ECR come from public addresses that are in no list, so only entries for the whole \
                      internet help. With --allow-internet-egress a plan makes them"
                .to_owned(),
            commands: commands(),
        });
    }
    if wide && let Some(subnet) = public_subnet(world, acl) {
        return Err(Manual {
            because: format!(
                "{component} also guards {subnet}, which the internet can reach: a person decides what it lets in"
            ),
            commands: commands(),
        });
    }
    let made: Vec<AnyChange> = changes.iter().cloned().map(AnyChange::from).collect();
    let reasons = [Reason::NetworkAclEgress, Reason::NetworkAclIngress];
    if made.is_empty() || !opens(world, &made, component, &reasons, stop) {
        return Err(Manual { because: "these entries would not be enough".to_owned(), commands: commands() });
    }
    Ok((made, because(acl)))
}

/// What has to pass, in one direction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Need {
    egress: bool,
    protocol: u8,
    ports: [i64; 2],
    block: IpNet,
    /// The ports that were tried: part of `ports`.
    tried: [i64; 2],
}

impl Need {
    fn entry(&self) -> NetworkAclEntry {
        NetworkAclEntry {
            action: "allow".to_owned(),
            protocol: self.protocol.to_string(),
            block: self.block,
            ports: Some(self.ports),
            icmp: None,
        }
    }

    fn is_about(&self, entry: &AclEntry, ports: [i64; 2]) -> bool {
        let protocol = entry.protocol == "-1" || entry.protocol == self.protocol.to_string();
        let overlap = entry.port_range.is_none_or(|range| range.from <= ports[1] && ports[0] <= range.to);
        let block = NetworkAclEntry::of(entry).map(|entry| AddressSet::from(entry.block));
        entry.egress == self.egress
            && protocol
            && overlap
            && block.is_some_and(|block| !block.and(&AddressSet::from(self.block)).is_empty())
    }
}

fn needs(world: &World<'_>, acl: &NetworkAcl, stop: &Stop) -> Result<BTreeSet<Need>, Manual> {
    let mut needs = BTreeSet::new();
    for (blocker, denied) in denied_at(stop, &acl.network_acl_id) {
        let Some(protocol @ (6 | 17)) = denied.service.protocol else {
            return Err(Manual::because("ecr-fix opens network ACLs for TCP and UDP only"));
        };
        let tried = [i64::from(denied.service.first), i64::from(denied.service.last)];
        let ports = if blocker.on_return { EPHEMERAL } else { tried };
        for block in blocks(world, acl, denied) {
            let egress = denied.direction == network::Direction::Egress;
            needs.insert(Need { egress, protocol, ports, block, tried });
        }
    }
    // Whoever lets the whole internet pass needs no entry for a part of it.
    let whole: Vec<Need> = needs.iter().filter(|need| need.block.prefix_len() == 0).cloned().collect();
    needs.retain(|need| {
        let part_of = |whole: &Need| {
            let same =
                (whole.egress, whole.protocol, whole.ports) == (need.egress, need.protocol, need.ports);
            same && whole.block != need.block && whole.block.contains(&need.block)
        };
        !whole.iter().any(part_of)
    });
    Ok(needs)
}

/// The narrowest blocks that hold the other end: its subnets, the blocks of its prefix list, or the whole internet.
fn blocks(world: &World<'_>, acl: &NetworkAcl, denied: &Denied) -> Vec<IpNet> {
    let touches = |block: &IpNet| !AddressSet::from(*block).and(&denied.peers).is_empty();
    let subnets: Vec<IpNet> =
        blocks_of_subnets(world, acl.vpc_id.as_deref()).into_iter().filter(touches).collect();
    let rest = denied.peers.minus(&subnets.iter().copied().collect());
    if rest.is_empty() {
        return subnets;
    }
    let public = AddressSet::public(Family::V4).or(&AddressSet::public(Family::V6));
    let beyond: Vec<IpNet> = match denied.prefix_list.as_ref().and_then(|id| entries_of_list(world, id)) {
        Some(entries) => {
            let entries: AddressSet = entries.into_iter().filter(touches).collect();
            entries.blocks()
        }
        None if rest.and(&public).is_empty() => rest.blocks(),
        None => rest.families().map(everything).collect(),
    };
    subnets.into_iter().chain(beyond).collect()
}

fn everything(family: Family) -> IpNet {
    match family {
        Family::V4 => IpNet::V4(ipnet::Ipv4Net::default()),
        Family::V6 => IpNet::V6(ipnet::Ipv6Net::default()),
    }
}

/// One change for each need, each placed among the entries that stand there and those before it.
fn changes(
    world: &World<'_>,
    vpc: &ClusterVpc,
    acl: &NetworkAcl,
    stop: &Stop,
) -> Result<Vec<Change<NetworkAclEntry>>, Manual> {
    let mut entries = acl.entries.clone();
    let mut changes = Vec::new();
    for need in needs(world, acl, stop)? {
        let same = |change: &Change<NetworkAclEntry>| {
            change.at.egress == need.egress && change.after.as_ref() == Some(&need.entry())
        };
        // Packets of several kinds of senders may need one and the same entry.
        if changes.iter().any(same) {
            continue;
        }
        let (number, before) = place(&entries, &need)?;
        let acl_id = acl.network_acl_id.clone();
        let at = Address { vpc: vpc.clone(), acl_id, rule_number: number, egress: need.egress };
        entries.retain(|entry| (entry.rule_number, entry.egress) != (number, need.egress));
        entries.push(need.entry().row(number, need.egress));
        changes.push(Change { at, before, after: Some(need.entry()) });
    }
    Ok(changes)
}

/// The number of a new entry, or that of an entry that is made wider, with the entry as it is.
fn place(entries: &[AclEntry], need: &Need) -> Result<(i64, Option<NetworkAclEntry>), Manual> {
    let mut here: Vec<&AclEntry> =
        entries.iter().filter(|entry| entry.egress == need.egress && entry.rule_number < FINAL).collect();
    here.sort_by_key(|entry| entry.rule_number);
    let bites = here.iter().find(|entry| is_denial(entry) && need.is_about(entry, need.tried));
    if let Some(denial) = bites.filter(|denial| is_deliberate(denial, need)) {
        return Err(Manual::because(format!(
            "entry {} denies just this: somebody meant it, and a person has to decide",
            denial.rule_number
        )));
    }
    let before = bites.map_or(FINAL, |denial| denial.rule_number);
    let number = if here.len() < MOST_ENTRIES { free_number(&here, before, need) } else { None };
    if let Some(number) = number {
        return Ok((number, None));
    }
    let narrower = here.iter().filter(|entry| entry.rule_number < before).find_map(|entry| {
        let known = NetworkAclEntry::of(entry)?;
        let wider = NetworkAclEntry { ports: Some(need.ports), ..known.clone() };
        let [first, last] = known.ports?;
        let fits = wider == need.entry() && need.ports[0] <= first && last <= need.ports[1];
        fits.then_some((entry.rule_number, Some(known)))
    });
    narrower.ok_or_else(|| {
        Manual::because(format!(
            "there is no place for another entry: {} of {MOST_ENTRIES} are taken in this direction",
            here.len()
        ))
    })
}

fn is_denial(entry: &AclEntry) -> bool {
    !entry.rule_action.eq_ignore_ascii_case("allow")
}

/// A denial of all addresses and of all that is wanted closes the list, as AWS's own does. Any narrower one was written
/// for a purpose.
fn is_deliberate(denial: &AclEntry, need: &Need) -> bool {
    let everywhere = NetworkAclEntry::of(denial).is_some_and(|entry| entry.block.prefix_len() == 0);
    let [first, last] = need.tried;
    let whole = denial.port_range.is_none_or(|range| range.from <= first && last <= range.to);
    !(everywhere && whole)
}

/// A number right before the denial: after every entry that it may come after, and with space around it.
fn free_number(here: &[&AclEntry], before: i64, need: &Need) -> Option<i64> {
    let mut bound = before;
    for entry in here.iter().rev().filter(|entry| entry.rule_number < before) {
        if let Some(number) = between(entry.rule_number, bound) {
            return Some(number);
        }
        // No number is left after this one. To go before it changes nothing where it lets pass, or is about other packets.
        if is_denial(entry) && need.is_about(entry, need.ports) {
            return None;
        }
        bound = entry.rule_number;
    }
    between(0, bound)
}

fn between(low: i64, high: i64) -> Option<i64> {
    let round = if low == 0 { FIRST } else { (low / STEP + 1) * STEP };
    let number = if round < high { round } else { low + (high - low) / 2 };
    (low < number && number < high).then_some(number)
}

/// A subnet of the ACL whose routes lead to an internet gateway.
fn public_subnet<'w>(world: &'w World<'_>, acl: &'w NetworkAcl) -> Option<&'w str> {
    let ec2 = &world.snapshot.ec2;
    guarded(acl).find(|subnet| {
        let own = ec2.route_tables.values().find(|table| {
            table.associations.iter().any(|association| association.subnet_id.as_deref() == Some(subnet))
        });
        let main = || {
            ec2.route_tables.values().find(|table| {
                table.vpc_id == acl.vpc_id && table.associations.iter().any(|association| association.main)
            })
        };
        let to_internet = |table: &crate::model::ec2::RouteTable| {
            let mut gateways = table.routes.iter().filter_map(|route| route.gateway_id.as_deref());
            gateways.any(|gateway| gateway.starts_with("igw-"))
        };
        // A table that was not read may lead anywhere.
        own.or_else(main).is_none_or(to_internet)
    })
}

fn guarded(acl: &NetworkAcl) -> impl Iterator<Item = &str> {
    acl.associations.iter().filter_map(|association| association.subnet_id.as_deref())
}

fn because(acl: &NetworkAcl) -> String {
    let subnets: Vec<&str> = guarded(acl).collect();
    format!(
        "each entry is for one subnet or one block of the other end, and stands right before the denial that stops the \
         packets; network ACLs do not remember connections, so replies need entries too. {} guards {}",
        acl.network_acl_id,
        subnets.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: i64, action: &str, protocol: &str, block: &str, ports: Option<[i64; 2]>) -> AclEntry {
        let (action, protocol, block) = (action.to_owned(), protocol.to_owned(), block.parse().unwrap());
        NetworkAclEntry { action, protocol, block, ports, icmp: None }.row(number, false)
    }

    /// Where an entry for replies from S3 would go: its number, and whether it is one that stands there.
    fn placed(entries: &[AclEntry]) -> Result<(i64, bool), String> {
        let (tried, block) = ([32_768, 60_999], "52.92.16.0/20".parse().unwrap());
        let need = Need { egress: false, protocol: 6, ports: EPHEMERAL, block, tried };
        place(entries, &need)
            .map(|(number, before)| (number, before.is_some()))
            .map_err(|manual| manual.because)
    }

    #[test]
    fn entries_go_right_before_the_denial_that_bites_with_space_around_them() {
        let vpc = |number| row(number, "allow", "-1", "10.0.0.0/16", None);
        let closing = |number| row(number, "deny", "-1", "0.0.0.0/0", None);
        let rdp = |number| row(number, "deny", "6", "0.0.0.0/0", Some([3389, 3389]));
        assert_eq!(placed(&[]), Ok((100, false)), "an empty list");
        assert_eq!(placed(&[vpc(100), closing(FINAL)]), Ok((110, false)));
        assert_eq!(
            placed(&[vpc(103), rdp(117)]),
            Ok((120, false)),
            "a denial of other packets still comes first"
        );
        assert_eq!(placed(&[vpc(100), closing(110)]), Ok((105, false)), "between two that stand close");
        assert_eq!(
            placed(&[vpc(100), vpc(109), closing(110)]),
            Ok((104, false)),
            "before one that lets others pass"
        );
        assert_eq!(placed(&[vpc(1), closing(2)]).map_err(|_| ()), Err(()), "no number is left");
        assert_eq!(placed(&[rdp(109), closing(110)]).map_err(|_| ()), Err(()), "it would undo a denial");
    }

    #[test]
    fn what_somebody_denies_on_purpose_stays_denied() {
        for deliberate in [
            row(90, "deny", "6", "52.92.16.0/20", None),
            row(90, "deny", "-1", "52.0.0.0/8", None),
            row(90, "deny", "6", "0.0.0.0/0", Some([40_000, 40_000])),
        ] {
            let because = placed(std::slice::from_ref(&deliberate)).unwrap_err();
            assert!(because.contains("entry 90 denies just this"), "{deliberate:?}: {because}");
        }
        assert_eq!(
            placed(&[row(90, "deny", "17", "52.92.16.0/20", None)]),
            Ok((100, false)),
            "udp is no pull"
        );
    }

    #[test]
    fn a_full_list_gives_an_entry_that_is_there_more_ports_or_has_no_place() {
        let filler = |number| row(number, "allow", "6", "192.168.0.0/24", Some([22, 22]));
        let full: Vec<AclEntry> = (1..=20).map(filler).collect();
        assert!(placed(&full).unwrap_err().contains("20 of 20"));
        let mut narrow: Vec<AclEntry> = (1..=19).map(filler).collect();
        narrow.push(row(50, "allow", "6", "52.92.16.0/20", Some([49_152, 65_535])));
        assert_eq!(placed(&narrow), Ok((50, true)));
        narrow.pop();
        narrow.push(row(50, "allow", "6", "52.92.16.0/20", Some([80, 65_535])));
        assert!(placed(&narrow).is_err(), "it lets port 80 pass, which ours would take away");
    }
}
