//! Private hosted zones and resolver rules: what shadows a public name in a VPC.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::snapshot::{
    FileReader, Misshapen, Record, Snapshot, Table, file_name, id_in_file, pretty, read_key,
};
use crate::json_text::Fields;

/// What is known of Route 53.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Route53 {
    /// By id.
    pub zones: BTreeMap<String, HostedZone>,
    /// The records of each zone, by the id of the zone.
    pub records: BTreeMap<String, Vec<RecordSet>>,
    /// By id.
    pub resolver_rules: BTreeMap<String, ResolverRule>,
    /// Which rule holds in which VPC, by id.
    pub resolver_rule_associations: BTreeMap<String, ResolverRuleAssociation>,
}

/// A zone with its VPCs, as `aws route53 get-hosted-zone` prints it: the whole file is the row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct HostedZone {
    /// The zone.
    pub hosted_zone: Zone,
    /// The VPCs that see it.
    #[serde(default, rename = "VPCs")]
    pub vpcs: Vec<ZoneVpc>,
}

/// A zone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Zone {
    /// `/hostedzone/Z…`.
    pub id: String,
    /// With a dot at its end.
    pub name: String,
}

/// A VPC that sees a zone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ZoneVpc {
    /// `vpc-…`.
    #[serde(rename = "VPCId")]
    pub vpc_id: String,
}

/// A record, as `aws route53 list-resource-record-sets` prints it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RecordSet {
    /// With a dot at its end; `\052` stands for `*`.
    pub name: String,
    /// `A`, `AAAA`, `CNAME`, ….
    pub r#type: String,
    /// Its values.
    #[serde(default)]
    pub resource_records: Vec<RecordValue>,
    /// Another name whose addresses it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias_target: Option<AliasTarget>,
}

/// A value of a record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RecordValue {
    /// An address or a name.
    pub value: String,
}

/// Another name whose addresses a record has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AliasTarget {
    /// For an endpoint: `vpce-….vpce.amazonaws.com.`.
    #[serde(rename = "DNSName")]
    pub dns_name: String,
}

/// A resolver rule, as in `ResolverRules`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ResolverRule {
    /// `rslvr-rr-…`.
    pub id: String,
    /// The names that it is about: this one and all below.
    #[serde(default)]
    pub domain_name: String,
    /// `FORWARD` sends questions elsewhere; `SYSTEM` takes them back.
    #[serde(default)]
    pub rule_type: String,
}

/// A rule in a VPC, as in `ResolverRuleAssociations`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ResolverRuleAssociation {
    /// `rslvr-rrassoc-…`.
    pub id: String,
    /// The rule.
    #[serde(default)]
    pub resolver_rule_id: String,
    /// `vpc-…`.
    #[serde(default, rename = "VPCId")]
    pub vpc_id: String,
}

/// The keys of Route 53.
pub const TABLES: &[Table] = &[HostedZone::TABLE, ResolverRule::TABLE, ResolverRuleAssociation::TABLE];

/// The keys of Route 53 that belong to an id which stands elsewhere.
pub const FILE_READERS: &[FileReader] = &[
    FileReader { key: "ResourceRecordSets", read: read_records },
    FileReader { key: "HostedZoneSummaries", read: read_summaries },
];

/// The files of what belongs to an id: the name of each, without its ending, and its text.
pub fn files_by_id(known: &Route53) -> Vec<(String, String)> {
    let records = known.records.iter().map(|(zone, records)| {
        let value = serde_json::json!({ "HostedZoneId": zone, "ResourceRecordSets": records });
        (format!("ResourceRecordSets-{}", file_name(zone)), pretty(&value))
    });
    records.collect()
}

impl Record for HostedZone {
    const TABLE: Table = Table::whole_file::<HostedZone>("HostedZone");

    fn id(&self) -> String {
        self.hosted_zone.id.trim_start_matches("/hostedzone/").to_owned()
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        &mut snapshot.route53.zones
    }

    /// Lists by VPC name one VPC each.
    fn merge(&mut self, newer: Self) {
        self.hosted_zone = newer.hosted_zone;
        for vpc in newer.vpcs {
            if !self.vpcs.contains(&vpc) {
                self.vpcs.push(vpc);
            }
        }
    }
}

impl Record for ResolverRule {
    const TABLE: Table = Table::list::<ResolverRule>("ResolverRules");

    fn id(&self) -> String {
        self.id.clone()
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        &mut snapshot.route53.resolver_rules
    }
}

impl Record for ResolverRuleAssociation {
    const TABLE: Table = Table::list::<ResolverRuleAssociation>("ResolverRuleAssociations");

    fn id(&self) -> String {
        self.id.clone()
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        &mut snapshot.route53.resolver_rule_associations
    }
}

/// The records of the zone that the file names (`HostedZoneId`), or its path (`…/Z0123.json`).
fn read_records(snapshot: &mut Snapshot, top: &Fields<'_>, file: &Path) -> Result<bool, Misshapen> {
    let Some(zone) = id_in_file(top, "HostedZoneId", file, "Z")? else { return Ok(false) };
    let records: Vec<RecordSet> = read_key(top, "ResourceRecordSets")?;
    snapshot.route53.records.insert(zone.trim_start_matches("/hostedzone/").to_owned(), records);
    Ok(true)
}

/// The private zones of the VPC that the file names (`VPCId`), or its path (`…/vpc-0123.json`).
fn read_summaries(snapshot: &mut Snapshot, top: &Fields<'_>, file: &Path) -> Result<bool, Misshapen> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Summary {
        hosted_zone_id: String,
        name: String,
        #[serde(default)]
        owner: Owner,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Owner {
        owning_service: Option<String>,
    }
    let Some(vpc) = id_in_file(top, "VPCId", file, "vpc-")? else { return Ok(false) };
    let summaries: Vec<Summary> = read_key(top, "HostedZoneSummaries")?;
    // The private names of endpoints are zones too, which belong to AWS: the endpoints themselves tell of them.
    let of_people = summaries.into_iter().filter(|summary| summary.owner.owning_service.is_none());
    for Summary { hosted_zone_id: id, name, .. } in of_people {
        let vpcs = vec![ZoneVpc { vpc_id: vpc.clone() }];
        snapshot.put(HostedZone { hosted_zone: Zone { id, name }, vpcs });
    }
    Ok(true)
}
