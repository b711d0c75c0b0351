//! Blocks of addresses in changes.

use ipnet::IpNet;

use crate::network::{AddressSet, Family};

/// Whether no address of a block may be one of the internet.
pub fn is_private(block: &IpNet) -> bool {
    let public = AddressSet::public(Family::V4).or(&AddressSet::public(Family::V6));
    // `0.0.0.0/1` holds private addresses, too.
    block.prefix_len() > 0 && AddressSet::from(*block).and(&public).is_empty()
}

#[test]
fn only_blocks_without_public_addresses_are_private() {
    let private = |block: &str| is_private(&block.parse().unwrap());
    assert!(
        private("10.0.0.0/8") && private("100.64.0.0/16") && private("172.16.3.0/24") && private("fd00::/8")
    );
    assert!(
        !private("0.0.0.0/0") && !private("0.0.0.0/1") && !private("8.0.0.0/7") && !private("52.1.2.3/32")
    );
    assert!(!private("::/0") && !private("2600:1f18::/33"));
}
