//! STS: who we are.

use super::{Reader, Refused};

/// The identity that signs our calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Twelve digits.
    pub account: String,
    /// Of the user, or of the session of a role.
    pub arn: String,
}

impl Reader {
    /// `sts:GetCallerIdentity`, which needs no permission.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn caller(&self) -> Result<Caller, Refused> {
        let answer = self.sts.get_caller_identity().send().await;
        let answer = answer.map_err(|error| Refused::from_sdk("sts:GetCallerIdentity", "", &error))?;
        Ok(Caller { account: answer.account.unwrap_or_default(), arn: answer.arn.unwrap_or_default() })
    }
}
