//! Route 53: the private zones of a VPC, and their records.

use std::collections::BTreeSet;

use aws_sdk_route53::types;

use super::pages::{Unclear, Understand, all, pages};
use super::{Reader, Refused};
use crate::model::route53::{AliasTarget, HostedZone, RecordSet, RecordValue, Zone, ZoneVpc};

/// A zone, and whether AWS made it for an endpoint.
struct Summary {
    id: String,
    name: String,
    of_aws: bool,
}

impl Reader {
    /// `route53:ListHostedZonesByVPC`, without the zones that AWS itself makes for endpoints.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn private_zones(&self, vpc: &str) -> Result<Vec<HostedZone>, Refused> {
        let region = types::VpcRegion::from(self.region());
        let summaries: Vec<Summary> = pages(
            "route53:ListHostedZonesByVPC",
            vpc,
            |token| {
                let ask = self.route53.list_hosted_zones_by_vpc().vpc_id(vpc).vpc_region(region.clone());
                ask.set_next_token(token).send()
            },
            |page| (Some(page.hosted_zone_summaries), page.next_token),
        )
        .await?;
        let of_people = summaries.into_iter().filter(|summary| !summary.of_aws);
        Ok(of_people
            .map(|summary| HostedZone {
                hosted_zone: Zone { id: summary.id, name: summary.name },
                vpcs: vec![ZoneVpc { vpc_id: vpc.to_owned() }],
            })
            .collect())
    }

    /// `route53:ListResourceRecordSets`.
    ///
    /// # Errors
    /// What AWS answered; a page that comes back, which would never end.
    pub async fn records(&self, zone: &str) -> Result<Vec<RecordSet>, Refused> {
        const CALL: &str = "route53:ListResourceRecordSets";
        let mut records = Vec::new();
        let mut seen = BTreeSet::new();
        let mut next = (None, None, None);
        loop {
            let (name, kind, identifier) = next;
            let ask = self.route53.list_resource_record_sets().hosted_zone_id(zone);
            let ask = ask.set_start_record_name(name).set_start_record_type(kind);
            let answer = ask.set_start_record_identifier(identifier).send().await;
            let page = answer.map_err(|error| Refused::from_sdk(CALL, zone, &error))?;
            let rows = all(Some(page.resource_record_sets));
            let rows: Vec<RecordSet> = rows.map_err(|unclear| Refused::unclear(CALL, zone, unclear))?;
            records.extend(rows);
            if !page.is_truncated {
                return Ok(records);
            }
            next = (page.next_record_name, page.next_record_type, page.next_record_identifier);
            if !seen.insert(format!("{next:?}")) {
                let refused = Refused::never_sent(CALL, "the same page came twice");
                return Err(Refused { resource: zone.to_owned(), ..refused });
            }
        }
    }
}

impl Understand<types::HostedZoneSummary> for Summary {
    fn understand(row: types::HostedZoneSummary) -> Result<Summary, Unclear> {
        Ok(Summary {
            id: row.hosted_zone_id,
            name: row.name,
            of_aws: row.owner.is_some_and(|owner| owner.owning_service.is_some()),
        })
    }
}

impl Understand<types::ResourceRecordSet> for RecordSet {
    fn understand(row: types::ResourceRecordSet) -> Result<RecordSet, Unclear> {
        Ok(RecordSet {
            name: row.name,
            r#type: row.r#type.as_str().to_owned(),
            resource_records: row
                .resource_records
                .unwrap_or_default()
                .into_iter()
                .map(|record| RecordValue { value: record.value })
                .collect(),
            alias_target: row.alias_target.map(|alias| AliasTarget { dns_name: alias.dns_name }),
        })
    }
}
