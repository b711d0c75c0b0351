//! # kms-key-unavailable
//!
//! The key that encrypts the repository cannot be used.
//!
//! ## Why pulls fail
//! A repository with `KMS` or `KMS_DSSE` encryption needs its key for every manifest and layer. If the key is
//! disabled or waits for deletion, or the grant of ECR was retired, nothing can be read. Whoever pulls needs
//! no right on the key: ECR uses grants that were made with the repository.
//!
//! ## How to see it
//! - Where nobody read the state of the key, `ecr-fix diagnose` leaves the image undecided, unless its
//!   manifest was read: ECR cannot print one without the key.
//! - 400, 403 or 500 on a manifest or layer, `KmsException`, or the failure code `KmsError`.
//! - In AWS: `aws ecr describe-repositories --query 'repositories[].encryptionConfiguration'`, then `aws kms
//!   describe-key` shows `Disabled` or `PendingDeletion`.
//!
//! ## What to do
//! `aws kms enable-key --key-id ID` if the key is only disabled. If it waits for deletion, its owner can
//! cancel that; otherwise push the images to a new repository.
//!
//! ## What is never automated
//! Keys are never enabled unasked, a deletion is never cancelled, and key policies are not changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, said::Said};

pub(crate) const CAUSE: Cause = Cause {
    id: "kms-key-unavailable",
    leg: Some(Leg::Image),
    severity: Severity::Critical,
    remedy: Remedy::Manual,
    source: include_str!("kms_key_unavailable.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let denied = message.denial.as_ref().filter(|denial| denial.action.starts_with("kms:"));
    let said = message
        .said(Said::Kms)
        .or_else(|| denied.map(|denial| denial.action.as_str()))
        .filter(|_| message.is_in_scope())?;
    let next = "`aws ecr describe-repositories --query 'repositories[].encryptionConfiguration'`, then `aws kms describe-key --key-id KEY`";
    Some(Recognition::likely(said, "the key of the repository cannot be used", next).weight(70))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        "Error response from daemon: KmsException: com.amazonaws.services.kms.model.DisabledException: arn:aws:kms:eu-west-1:111122223333:key/00 is disabled.",
    );
}
