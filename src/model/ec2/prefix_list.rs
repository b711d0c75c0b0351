//! Prefix lists: named sets of blocks, AWS's own and managed ones.

use std::collections::BTreeMap;
use std::path::Path;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::lenient;
use crate::json_text::Fields;
use crate::model::snapshot::{Misshapen, Record, Snapshot, Table, id_in_file, read_key};

/// A prefix list, as `describe-prefix-lists` and `describe-managed-prefix-lists` print it under `PrefixLists`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PrefixList {
    /// `pl-…`.
    pub prefix_list_id: String,
    /// `com.amazonaws.eu-west-1.s3` for one of AWS.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub prefix_list_name: String,
    /// The blocks; only `describe-prefix-lists` prints them here.
    #[serde(default, deserialize_with = "lenient::optional_list", skip_serializing_if = "Option::is_none")]
    pub cidrs: Option<Vec<IpNet>>,
    /// The account, or `AWS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<String>,
    /// How many entries it counts for in the quotas of groups and route tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_entries: Option<i64>,
}

/// An entry, as `get-managed-prefix-list-entries` prints it under `Entries`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PrefixListEntry {
    /// The block.
    pub cidr: IpNet,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl Record for PrefixList {
    const TABLE: Table = Table::list::<PrefixList>("PrefixLists");

    fn id(&self) -> String {
        self.prefix_list_id.clone()
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        &mut snapshot.ec2.prefix_lists
    }

    /// Two calls print the same list with different fields: what only one of them knows stays.
    fn merge(&mut self, newer: Self) {
        let older = std::mem::replace(self, newer);
        self.cidrs = self.cidrs.take().or(older.cidrs);
        self.owner_id = self.owner_id.take().or(older.owner_id);
        self.max_entries = self.max_entries.or(older.max_entries);
    }
}

/// `Entries` of the list that the file names (`PrefixListId`), or its path (`…/pl-0123.json`).
pub(super) fn read_entries(
    snapshot: &mut Snapshot,
    top: &Fields<'_>,
    file: &Path,
) -> Result<bool, Misshapen> {
    let Some(list) = id_in_file(top, "PrefixListId", file, "pl-")? else { return Ok(false) };
    let entries: Vec<PrefixListEntry> = read_key(top, "Entries")?;
    snapshot.ec2.prefix_list_entries.insert(list, entries);
    Ok(true)
}
