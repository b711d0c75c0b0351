//! Prefix lists: AWS's own, and managed ones with their entries.

use aws_sdk_ec2::types;

use super::{PAGE, filter};
use crate::aws::pages::{Unclear, Understand, pages, parsed};
use crate::aws::{Reader, Refused};
use crate::model::ec2::{PrefixList, PrefixListEntry};

impl Reader {
    /// `ec2:DescribePrefixLists`: those of AWS's services in the region, with their blocks.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn prefix_lists_of_aws(&self) -> Result<Vec<PrefixList>, Refused> {
        pages(
            "ec2:DescribePrefixLists",
            "",
            |token| self.ec2.describe_prefix_lists().max_results(PAGE).set_next_token(token).send(),
            |page| (page.prefix_lists, page.next_token),
        )
        .await
    }

    /// `ec2:DescribeManagedPrefixLists` by their ids, without their blocks.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn managed_prefix_lists(&self, ids: &[String]) -> Result<Vec<PrefixList>, Refused> {
        pages(
            "ec2:DescribeManagedPrefixLists",
            &ids.join(","),
            |token| {
                let ask = self.ec2.describe_managed_prefix_lists().filters(filter("prefix-list-id", ids));
                ask.set_next_token(token).send()
            },
            |page| (page.prefix_lists, page.next_token),
        )
        .await
    }

    /// `ec2:GetManagedPrefixListEntries`.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn prefix_list_entries(&self, id: &str) -> Result<Vec<PrefixListEntry>, Refused> {
        pages(
            "ec2:GetManagedPrefixListEntries",
            id,
            |token| {
                let ask = self.ec2.get_managed_prefix_list_entries().prefix_list_id(id);
                ask.set_next_token(token).send()
            },
            |page| (page.entries, page.next_token),
        )
        .await
    }
}

impl Understand<types::PrefixList> for PrefixList {
    fn understand(row: types::PrefixList) -> Result<PrefixList, Unclear> {
        let cidrs: Option<Result<Vec<_>, Unclear>> = row
            .cidrs
            .map(|cidrs| cidrs.into_iter().filter_map(|cidr| parsed(Some(cidr)).transpose()).collect());
        Ok(PrefixList {
            prefix_list_id: row.prefix_list_id.unwrap_or_default(),
            prefix_list_name: row.prefix_list_name.unwrap_or_default(),
            cidrs: cidrs.transpose()?,
            owner_id: None,
            max_entries: None,
        })
    }
}

impl Understand<types::ManagedPrefixList> for PrefixList {
    fn understand(row: types::ManagedPrefixList) -> Result<PrefixList, Unclear> {
        Ok(PrefixList {
            prefix_list_id: row.prefix_list_id.unwrap_or_default(),
            prefix_list_name: row.prefix_list_name.unwrap_or_default(),
            cidrs: None,
            owner_id: row.owner_id,
            max_entries: row.max_entries.map(i64::from),
        })
    }
}

impl Understand<types::PrefixListEntry> for PrefixListEntry {
    fn understand(row: types::PrefixListEntry) -> Result<PrefixListEntry, Unclear> {
        let cidr = row.cidr.unwrap_or_default();
        let cidr = cidr.parse().map_err(|error| Unclear::new(&cidr, &error))?;
        Ok(PrefixListEntry { cidr, description: row.description })
    }
}
