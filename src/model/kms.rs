//! KMS in the shape of `aws kms describe-key`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::snapshot::{Record, Snapshot, Table};

/// A key, as `aws kms describe-key` prints it under `KeyMetadata`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct KmsKey {
    /// Names the account and the region.
    pub arn: String,
    /// What stands at the end of the ARN.
    #[serde(default)]
    pub key_id: String,
    /// `Enabled`, `Disabled`, `PendingDeletion`, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_state: Option<String>,
}

impl KmsKey {
    /// Why nothing can be read with it; none if it works, or if that was not read.
    ///
    /// Source: AWS KMS developer guide, "Key states of AWS KMS keys".
    pub fn flaw(&self) -> Option<&str> {
        let state = self.key_state.as_deref()?;
        let broken =
            ["Disabled", "PendingDeletion", "PendingReplicaDeletion", "PendingImport", "Unavailable"];
        broken.contains(&state).then_some(state)
    }
}

/// The keys of KMS.
pub const TABLES: &[Table] = &[KmsKey::TABLE];

impl Record for KmsKey {
    const TABLE: Table = Table::one::<KmsKey>("KeyMetadata");

    fn id(&self) -> String {
        self.arn.clone()
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        &mut snapshot.kms_keys
    }
}
