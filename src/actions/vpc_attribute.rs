//! An attribute of a VPC: whether its resolver answers, and whether private names of endpoints may be used in it.

use serde::{Deserialize, Serialize};

use super::cluster_vpc::ClusterVpc;
use super::{Found, Kind, Resource, Risk, Sent};
use crate::aws::{Reader, Refused, Writer};
use crate::collect;
use crate::error::Error;
use crate::model::Snapshot;
use crate::model::ec2::{AttributeValue, DnsHostnames, DnsSupport};
use crate::pulls::Target;

/// The value of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VpcAttribute {
    /// Whether it is on.
    pub value: bool,
}

/// Which attribute of which VPC.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address {
    /// The VPC.
    #[serde(flatten)]
    pub vpc: ClusterVpc,
    /// The attribute.
    pub attribute: Attribute,
}

/// The attributes that private DNS needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Attribute {
    /// The Amazon resolver answers.
    #[serde(rename = "enableDnsSupport")]
    DnsSupport,
    /// Private names may be used. It can be on only while the resolver answers.
    #[serde(rename = "enableDnsHostnames")]
    DnsHostnames,
}

impl Attribute {
    /// The name in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Attribute::DnsSupport => "enableDnsSupport",
            Attribute::DnsHostnames => "enableDnsHostnames",
        }
    }

    /// What turning it on is called by the changes that need it.
    pub fn of(self, vpc: &str) -> String {
        format!("{} of {vpc}", self.as_str())
    }

    fn key(self) -> &'static str {
        match self {
            Attribute::DnsSupport => "EnableDnsSupport",
            Attribute::DnsHostnames => "EnableDnsHostnames",
        }
    }
}

impl Resource for VpcAttribute {
    type Address = Address;

    const KINDS: &'static [Kind] = &[Kind::ModifyVpcAttribute];

    const READS: &'static [&'static str] = &["eks:DescribeCluster", "ec2:DescribeVpcAttribute"];

    fn kind(_before: Option<&Self>, _after: Option<&Self>) -> Kind {
        Kind::ModifyVpcAttribute
    }

    fn arn(at: &Address) -> String {
        at.vpc.vpc_arn()
    }

    fn summary(at: &Address, _before: Option<&Self>, after: Option<&Self>) -> String {
        let way = if after.is_some_and(|after| after.value) { "on" } else { "off" };
        format!("switch {} of {} {way}", at.attribute.as_str(), at.vpc.vpc_id)
    }

    fn get(world: &Snapshot, at: &Address) -> Found<Self> {
        if let Some(lost) = at.vpc.lost_in(world) {
            return lost;
        }
        let (ec2, vpc) = (&world.ec2, &at.vpc.vpc_id);
        let value = match at.attribute {
            Attribute::DnsSupport => ec2.dns_support.get(vpc).map(|row| row.enable_dns_support.value),
            Attribute::DnsHostnames => ec2.dns_hostnames.get(vpc).map(|row| row.enable_dns_hostnames.value),
        };
        match value {
            Some(value) => Found::State(Some(VpcAttribute { value })),
            None => {
                let missing = world.missing::<()>(at.attribute.key(), "ec2:DescribeVpcAttribute", vpc);
                Found::Unread(match missing {
                    crate::model::Seen::Unread(because) => because,
                    _ => format!("{} was not read", at.attribute.of(vpc)),
                })
            }
        }
    }

    /// Names of hosts need a resolver: AWS does not switch them on without one.
    fn set(world: &mut Snapshot, at: &Address, state: Option<Self>) {
        let Some(VpcAttribute { value }) = state else { return };
        let (ec2, vpc_id) = (&mut world.ec2, at.vpc.vpc_id.clone());
        let value = AttributeValue { value };
        match at.attribute {
            Attribute::DnsSupport => {
                ec2.dns_support.insert(vpc_id.clone(), DnsSupport { vpc_id, enable_dns_support: value });
            }
            Attribute::DnsHostnames => {
                let resolver_is_off =
                    ec2.dns_support.get(&vpc_id).is_some_and(|row| !row.enable_dns_support.value);
                if !(value.value && resolver_is_off) {
                    let row = DnsHostnames { vpc_id: vpc_id.clone(), enable_dns_hostnames: value };
                    ec2.dns_hostnames.insert(vpc_id, row);
                }
            }
        }
    }

    async fn look(aws: &Reader, at: &Address) -> Result<Snapshot, Error> {
        Ok(collect::vpc_attributes_again(aws, &at.vpc.cluster, &at.vpc.vpc_id).await)
    }

    async fn send(
        aws: &Writer,
        at: &Address,
        _before: Option<&Self>,
        after: Option<&Self>,
    ) -> Result<Sent, Refused> {
        match after {
            Some(after) => aws.modify_vpc_attribute(&at.vpc.vpc_id, at.attribute, after.value).await,
            None => Err(Refused::never_sent("ec2:ModifyVpcAttribute", "an attribute always has a value")),
        }
    }

    fn permissions(
        at: &Address,
        _before: Option<&Self>,
        _after: Option<&Self>,
    ) -> Vec<(&'static str, String)> {
        vec![
            ("eks:DescribeCluster", at.vpc.cluster_arn()),
            ("ec2:DescribeVpcAttribute", at.vpc.vpc_arn()),
            ("ec2:ModifyVpcAttribute", at.vpc.vpc_arn()),
        ]
    }

    fn provides(at: &Address, after: Option<&Self>) -> Option<String> {
        after.filter(|after| after.value).map(|_| at.attribute.of(&at.vpc.vpc_id))
    }

    fn requires(at: &Address, _after: Option<&Self>) -> Vec<String> {
        match at.attribute {
            Attribute::DnsSupport => Vec::new(),
            Attribute::DnsHostnames => vec![Attribute::DnsSupport.of(&at.vpc.vpc_id)],
        }
    }

    fn lines(at: &Address, state: Option<&Self>) -> Vec<String> {
        state.iter().map(|state| format!("{} {}", at.attribute.as_str(), state.value)).collect()
    }

    fn allowed(at: &Address, before: Option<&Self>, after: Option<&Self>) -> Result<(), String> {
        at.vpc.check()?;
        match (before, after) {
            (Some(before), Some(after)) if before.value != after.value => Ok(()),
            (Some(_), Some(_)) => Err("it changes nothing".to_owned()),
            _ => Err("an attribute always has a value".to_owned()),
        }
    }

    fn within(at: &Address, target: &Target) -> Result<(), String> {
        at.vpc.within(target)
    }

    fn planned_for(_before: Option<&Self>, after: Option<&Self>, _target: &Target) -> Result<(), String> {
        match after {
            Some(VpcAttribute { value: true }) => Ok(()),
            _ => Err("a plan switches attributes on; only a rollback switches them off".to_owned()),
        }
    }

    fn risk(at: &Address, _before: Option<&Self>, after: Option<&Self>) -> (Risk, String) {
        let vpc = &at.vpc.vpc_id;
        let on = after.is_some_and(|after| after.value);
        let text = match (at.attribute, on) {
            (Attribute::DnsSupport, true) => format!(
                "every host in {vpc} is affected: the resolver that most of them are told to ask answers from then on"
            ),
            (Attribute::DnsHostnames, true) => format!(
                "every host in {vpc} is affected: those with public addresses get public names, and private names of \
                 endpoints begin to work"
            ),
            (_, false) => format!("every host in {vpc} is affected, and goes back to what it had"),
        };
        (Risk::Medium, text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::actions::cluster_vpc::tests::{cluster_vpc, world};
    use crate::actions::{AnyChange, Change};

    fn change(attribute: Attribute) -> AnyChange {
        let at = Address { vpc: cluster_vpc(), attribute };
        let (before, after) = (Some(VpcAttribute { value: false }), Some(VpcAttribute { value: true }));
        Change { at, before, after }.into()
    }

    fn dns(support: bool, hostnames: bool) -> Snapshot {
        world(&[
            json!({"VpcId": "vpc-1", "EnableDnsSupport": {"Value": support}}),
            json!({"VpcId": "vpc-1", "EnableDnsHostnames": {"Value": hostnames}}),
        ])
    }

    #[test]
    fn a_change_on_paper_and_its_inverse_lead_there_and_back() {
        for (attribute, before, after) in [
            (Attribute::DnsSupport, dns(false, true), dns(true, true)),
            (Attribute::DnsHostnames, dns(true, false), dns(true, true)),
        ] {
            let mut world = before.clone();
            change(attribute).simulate(&mut world);
            assert_eq!(world, after);
            change(attribute).inverse().simulate(&mut world);
            assert_eq!(world, before);
        }
    }

    #[test]
    fn names_of_hosts_wait_for_the_resolver() {
        let mut world = dns(false, false);
        change(Attribute::DnsHostnames).simulate(&mut world);
        assert_eq!(world, dns(false, false), "AWS refuses");
        assert_eq!(
            change(Attribute::DnsHostnames).requires(),
            change(Attribute::DnsSupport).provides().into_iter().collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_plan_only_switches_on_and_only_in_the_cluster_that_it_is_for() {
        let target = Target {
            account: "111122223333".to_owned(),
            region: "eu-west-1".to_owned(),
            partition: "aws".to_owned(),
            cluster: "demo".to_owned(),
        };
        let on = change(Attribute::DnsSupport);
        assert_eq!((on.allowed(), on.planned_for(&target)), (Ok(()), Ok(())));
        assert_eq!(on.inverse().allowed(), Ok(()), "the way back");
        assert!(on.inverse().planned_for(&target).is_err());
        assert!(on.planned_for(&Target { cluster: "other".to_owned(), ..target }).is_err());
    }
}
