//! STS: who we are.

use std::time::SystemTime;

use aws_sdk_sts::config::Credentials;

use super::{Accounts, Reader, Refused};

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
        self.accounts.caller().await
    }
}

impl Accounts {
    /// As [`Reader::caller`].
    pub(super) async fn caller(&self) -> Result<Caller, Refused> {
        let answer = self.sts.get_caller_identity().send().await;
        let answer = answer.map_err(|error| Refused::from_sdk("sts:GetCallerIdentity", "", &error))?;
        Ok(Caller { account: answer.account.unwrap_or_default(), arn: answer.arn.unwrap_or_default() })
    }

    /// `sts:AssumeRole`: credentials of a role, for as long as a read or a change takes.
    ///
    /// # Errors
    /// What AWS answered.
    pub(super) async fn assume(&self, role_arn: &str) -> Result<Credentials, Refused> {
        const CALL: &str = "sts:AssumeRole";
        let ask = self.sts.assume_role().role_arn(role_arn).role_session_name("ecr-fix");
        let answer = ask.send().await.map_err(|error| Refused::from_sdk(CALL, role_arn, &error))?;
        let given = answer.credentials.ok_or_else(|| Refused::never_sent(CALL, "an empty answer"))?;
        let expiry = SystemTime::try_from(given.expiration).ok();
        Ok(Credentials::new(
            given.access_key_id,
            given.secret_access_key,
            Some(given.session_token),
            expiry,
            "AssumeRole",
        ))
    }
}
