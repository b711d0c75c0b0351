//! Sets of addresses, so that "all of this prefix list" is one question with an exact answer.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv4Subnets, Ipv6Net, Ipv6Subnets};

/// A set of IPv4 and IPv6 addresses: for each family sorted, disjoint ranges with gaps between them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressSet {
    v4: Vec<(u128, u128)>,
    v6: Vec<(u128, u128)>,
}

/// The two families of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// IPv4 blocks that are never the address of a public service.
///
/// Source: the IANA registry of special-purpose addresses (RFC 6890), with multicast and class E.
const NOT_PUBLIC_V4: [(Ipv4Addr, u8); 14] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

impl AddressSet {
    /// Every address that a public service may have in a family.
    pub fn public(family: Family) -> AddressSet {
        match family {
            Family::V4 => {
                let blocked = NOT_PUBLIC_V4.iter().map(|(first, length)| block_v4(*first, *length));
                AddressSet::everything(Family::V4)
                    .minus(&AddressSet { v4: normal(blocked.collect()), v6: Vec::new() })
            }
            Family::V6 => {
                let documentation = block_v6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32);
                let all = block_v6(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
                AddressSet { v4: Vec::new(), v6: minus(&[all], &[documentation]) }
            }
        }
    }

    /// Every address of a family.
    pub fn everything(family: Family) -> AddressSet {
        match family {
            Family::V4 => AddressSet { v4: vec![(0, u128::from(u32::MAX))], v6: Vec::new() },
            Family::V6 => AddressSet { v4: Vec::new(), v6: vec![(0, u128::MAX)] },
        }
    }

    /// The addresses between two numbers, both included.
    pub(super) fn range(family: Family, first: u128, last: u128) -> AddressSet {
        match family {
            Family::V4 => AddressSet { v4: vec![(first, last)], v6: Vec::new() },
            Family::V6 => AddressSet { v4: Vec::new(), v6: vec![(first, last)] },
        }
    }

    /// Whether there is no address in it.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let within = |ranges: &[(u128, u128)], number| {
            ranges.iter().any(|(first, last)| (*first..=*last).contains(&number))
        };
        match address {
            IpAddr::V4(address) => within(&self.v4, u128::from(u32::from(address))),
            IpAddr::V6(address) => within(&self.v6, u128::from(address)),
        }
    }

    /// Whether every address of it is in the other.
    pub fn is_within(&self, other: &AddressSet) -> bool {
        self.minus(other).is_empty()
    }

    /// The addresses in both.
    #[must_use]
    pub fn and(&self, other: &AddressSet) -> AddressSet {
        AddressSet { v4: both(&self.v4, &other.v4), v6: both(&self.v6, &other.v6) }
    }

    /// The addresses in either.
    #[must_use]
    pub fn or(&self, other: &AddressSet) -> AddressSet {
        let join = |one: &[_], two: &[_]| normal([one, two].concat());
        AddressSet { v4: join(&self.v4, &other.v4), v6: join(&self.v6, &other.v6) }
    }

    /// The addresses that are not in the other.
    #[must_use]
    pub fn minus(&self, other: &AddressSet) -> AddressSet {
        AddressSet { v4: minus(&self.v4, &other.v4), v6: minus(&self.v6, &other.v6) }
    }

    /// The part of one family.
    #[must_use]
    pub fn of(&self, family: Family) -> AddressSet {
        match family {
            Family::V4 => AddressSet { v4: self.v4.clone(), v6: Vec::new() },
            Family::V6 => AddressSet { v4: Vec::new(), v6: self.v6.clone() },
        }
    }

    /// The families of its addresses.
    pub fn families(&self) -> impl Iterator<Item = Family> {
        let v4 = (!self.v4.is_empty()).then_some(Family::V4);
        v4.into_iter().chain((!self.v6.is_empty()).then_some(Family::V6))
    }

    /// Its lowest address.
    pub fn first(&self) -> Option<IpAddr> {
        let v4 = self.v4.first().map(|(first, _)| IpAddr::V4(number_v4(*first)));
        v4.or_else(|| self.v6.first().map(|(first, _)| IpAddr::V6(Ipv6Addr::from(*first))))
    }

    /// Its only address, if there is just one.
    pub fn single(&self) -> Option<IpAddr> {
        match (self.v4.as_slice(), self.v6.as_slice()) {
            ([(first, last)], []) | ([], [(first, last)]) if first == last => self.first(),
            _ => None,
        }
    }

    /// The fewest blocks that make it up, in order.
    pub fn blocks(&self) -> Vec<IpNet> {
        let v4 = self.v4.iter().flat_map(|(first, last)| {
            Ipv4Subnets::new(number_v4(*first), number_v4(*last), 0).map(IpNet::V4)
        });
        let v6 = self.v6.iter().flat_map(|(first, last)| {
            Ipv6Subnets::new(Ipv6Addr::from(*first), Ipv6Addr::from(*last), 0).map(IpNet::V6)
        });
        v4.chain(v6).collect()
    }
}

/// A few blocks in full, many cut short.
impl fmt::Display for AddressSet {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 4;
        if let Some(address) = self.single() {
            return write!(out, "{address}");
        }
        let blocks = self.blocks();
        for (index, block) in blocks.iter().take(SHOWN).enumerate() {
            write!(out, "{}{block}", if index == 0 { "" } else { ", " })?;
        }
        match blocks.len().checked_sub(SHOWN) {
            Some(more) if more > 0 => write!(out, " and {more} more"),
            _ => Ok(()),
        }
    }
}

impl From<IpAddr> for AddressSet {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Ipv4Net::from(address).into(),
            IpAddr::V6(address) => Ipv6Net::from(address).into(),
        }
    }
}

impl From<Ipv4Net> for AddressSet {
    fn from(block: Ipv4Net) -> Self {
        AddressSet { v4: vec![block_v4(block.addr(), block.prefix_len())], v6: Vec::new() }
    }
}

impl From<Ipv6Net> for AddressSet {
    fn from(block: Ipv6Net) -> Self {
        AddressSet { v4: Vec::new(), v6: vec![block_v6(block.addr(), block.prefix_len())] }
    }
}

impl From<IpNet> for AddressSet {
    fn from(block: IpNet) -> Self {
        match block {
            IpNet::V4(block) => block.into(),
            IpNet::V6(block) => block.into(),
        }
    }
}

impl<T: Into<AddressSet>> FromIterator<T> for AddressSet {
    fn from_iter<I: IntoIterator<Item = T>>(parts: I) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for part in parts {
            let part: AddressSet = part.into();
            v4.extend(part.v4);
            v6.extend(part.v6);
        }
        AddressSet { v4: normal(v4), v6: normal(v6) }
    }
}

fn block_v4(address: Ipv4Addr, length: u8) -> (u128, u128) {
    let size = 1_u128 << (32 - u32::from(length.min(32)));
    let first = u128::from(u32::from(address)) & !(size - 1);
    (first, first + (size - 1))
}

fn block_v6(address: Ipv6Addr, length: u8) -> (u128, u128) {
    let mask = u128::MAX.checked_shr(u32::from(length)).unwrap_or(0);
    let first = u128::from(address) & !mask;
    (first, first | mask)
}

fn number_v4(number: u128) -> Ipv4Addr {
    Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX))
}

/// Sorted and joined where they touch.
fn normal(mut ranges: Vec<(u128, u128)>) -> Vec<(u128, u128)> {
    ranges.sort_unstable();
    let mut joined: Vec<(u128, u128)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match joined.last_mut() {
            Some(previous) if first <= previous.1.saturating_add(1) => previous.1 = previous.1.max(last),
            _ => joined.push((first, last)),
        }
    }
    joined
}

fn both(one: &[(u128, u128)], two: &[(u128, u128)]) -> Vec<(u128, u128)> {
    let (mut one, mut two) = (one.iter().peekable(), two.iter().peekable());
    let mut common = Vec::new();
    while let (Some(a), Some(b)) = (one.peek(), two.peek()) {
        let (first, last) = (a.0.max(b.0), a.1.min(b.1));
        if first <= last {
            common.push((first, last));
        }
        if a.1 <= b.1 {
            one.next();
        } else {
            two.next();
        }
    }
    common
}

fn minus(from: &[(u128, u128)], taken: &[(u128, u128)]) -> Vec<(u128, u128)> {
    let mut left = Vec::new();
    let mut taken = taken.iter().peekable();
    for (first, last) in from.iter().copied() {
        let mut next = Some(first);
        while let (Some(start), Some(hole)) = (next, taken.peek()) {
            if hole.1 < start {
                taken.next();
            } else if hole.0 > last {
                break;
            } else {
                if hole.0 > start {
                    left.push((start, hole.0 - 1));
                }
                next = hole.1.checked_add(1).filter(|start| *start <= last);
            }
        }
        if let Some(start) = next.filter(|start| *start <= last) {
            left.push((start, last));
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(text: &str) -> AddressSet {
        text.split_whitespace().map(|block| block.parse::<IpNet>().unwrap()).collect()
    }

    #[test]
    fn sets_are_printed_as_blocks() {
        assert_eq!(set("10.0.0.0/25 10.0.0.128/25").to_string(), "10.0.0.0/24");
        assert_eq!(set("10.0.0.0/24").minus(&set("10.0.0.0/26")).to_string(), "10.0.0.64/26, 10.0.0.128/25");
        assert_eq!(set("10.0.0.7/32").to_string(), "10.0.0.7");
        assert_eq!(
            set("0.0.0.0/0 ::/0").minus(&set("128.0.0.0/1")).and(&set("::1/128 1.0.0.0/8")).to_string(),
            "1.0.0.0/8, ::1/128"
        );
    }

    #[test]
    fn public_addresses_are_those_of_the_internet() {
        let public = AddressSet::public(Family::V4);
        assert!(public.contains("52.95.120.1".parse().unwrap()));
        assert!(!public.contains("172.31.255.255".parse().unwrap()));
        assert!(public.contains("172.32.0.0".parse().unwrap()));
        assert!(AddressSet::public(Family::V6).contains("2600:1f16::1".parse().unwrap()));
        assert!(!AddressSet::public(Family::V6).contains("fd00::1".parse().unwrap()));
    }

    fn sets() -> impl Strategy<Value = AddressSet> {
        prop::collection::vec((0_u8..=255, 24_u8..=32, any::<bool>()), 0..6).prop_map(|blocks| {
            blocks
                .into_iter()
                .map(|(number, length, v4)| {
                    if v4 {
                        IpNet::from(Ipv4Net::new(Ipv4Addr::new(255, 255, 255, number), length).unwrap())
                    } else {
                        IpNet::from(
                            Ipv6Net::new(Ipv6Addr::from(u128::MAX - u128::from(number)), length + 96)
                                .unwrap(),
                        )
                    }
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn the_laws_of_sets_hold(a in sets(), b in sets(), number in 0_u8..=255) {
            for address in [IpAddr::V4(Ipv4Addr::new(255, 255, 255, number)), IpAddr::V6(Ipv6Addr::from(u128::MAX - u128::from(number)))] {
                let (in_a, in_b) = (a.contains(address), b.contains(address));
                prop_assert_eq!(a.and(&b).contains(address), in_a && in_b);
                prop_assert_eq!(a.or(&b).contains(address), in_a || in_b);
                prop_assert_eq!(a.minus(&b).contains(address), in_a && !in_b);
            }
            prop_assert_eq!(a.blocks().into_iter().collect::<AddressSet>(), a.clone());
            prop_assert_eq!(a.minus(&b).or(&a.and(&b)), a);
        }
    }
}
