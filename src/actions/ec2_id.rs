//! Names of EC2 resources in the addresses of changes.

use ipnet::IpNet;

use crate::model::Arn;
use crate::network::{AddressSet, Family};
use crate::pulls::Target;

/// The ARN of a resource, in the account that owns it.
pub fn arn(target: &Target, owner: Option<&str>, kind: &str, id: &str) -> String {
    let Target { account, region, partition, .. } = target;
    format!("arn:{partition}:ec2:{region}:{}:{kind}/{id}", owner.unwrap_or(account))
}

/// The id at the end of an ARN.
pub fn of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or_default()
}

/// The account in an ARN; empty where it is none.
pub fn account(arn: &str) -> String {
    arn.parse::<Arn>().map(|arn| arn.account).unwrap_or_default()
}

/// Every resource of a kind in the account and region of an ARN.
pub fn any_of(arn: &str, kind: &str) -> String {
    match arn.parse::<Arn>() {
        Ok(arn) => Arn { resource: format!("{kind}/*"), ..arn }.to_string(),
        Err(_) => "*".to_owned(),
    }
}

/// Whether an ARN names one resource of a kind.
///
/// # Errors
/// What it names instead.
pub fn check(arn: &str, kind: &str, prefix: &str) -> Result<(), String> {
    let parsed: Arn = arn.parse().map_err(|error| format!("{arn}: {error}"))?;
    let named = parsed.resource.strip_prefix(kind).and_then(|rest| rest.strip_prefix('/'));
    let exact = |part: &str| !part.is_empty() && !part.contains(['*', '?']);
    if parsed.service != "ec2" || !exact(&parsed.account) || !exact(&parsed.region) {
        return Err(format!("{arn} names no {kind} of one account and region"));
    }
    check_id(named.unwrap_or_default(), prefix).map_err(|_| format!("{arn} names no {kind}"))
}

/// Whether an id is one of a kind: `sg-`, `acl-`, ….
///
/// # Errors
/// It is not.
pub fn check_id(id: &str, prefix: &str) -> Result<(), String> {
    let rest = id.strip_prefix(prefix).unwrap_or_default();
    if !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        Ok(())
    } else {
        Err(format!("{id} is not an id that begins with {prefix}"))
    }
}

/// Whether no address of a block may be one of the internet.
pub fn is_private(block: &IpNet) -> bool {
    let public = AddressSet::public(Family::V4).or(&AddressSet::public(Family::V6));
    // `0.0.0.0/1` holds private addresses, too.
    block.prefix_len() > 0 && AddressSet::from(*block).and(&public).is_empty()
}

#[test]
fn only_blocks_without_public_addresses_are_private() {
    let private = |block: &str| is_private(&block.parse().unwrap());
    assert!(private("10.0.0.0/8") && private("100.64.0.0/16") && private("172.16.3.0/24") && private("fd00::/8"));
    assert!(!private("0.0.0.0/0") && !private("0.0.0.0/1") && !private("8.0.0.0/7") && !private("52.1.2.3/32"));
    assert!(!private("::/0") && !private("2600:1f18::/33"));
}

#[test]
fn an_arn_names_one_resource() {
    let check = |arn: &str| check(arn, "security-group", "sg-");
    assert_eq!(check("arn:aws:ec2:eu-west-1:111122223333:security-group/sg-0a1"), Ok(()));
    for wrong in [
        "arn:aws:ec2:eu-west-1:111122223333:security-group/*",
        "arn:aws:ec2:eu-west-1:111122223333:security-group/sg-",
        "arn:aws:ec2:eu-west-1:111122223333:network-acl/acl-1",
        "arn:aws:ec2:*:111122223333:security-group/sg-1",
        "arn:aws:ec2:eu-west-1::security-group/sg-1",
        "arn:aws:ec2:eu-west-1:111122223333:security-group/sg-1/sg-2",
        "sg-1",
    ] {
        assert!(check(wrong).is_err(), "{wrong}");
    }
}
