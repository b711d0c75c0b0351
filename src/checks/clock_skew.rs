//! # clock-skew
//!
//! The clock of the node is wrong, so certificates and signatures count as invalid.
//!
//! ## Why pulls fail
//! TLS certificates and signatures of AWS requests are valid for a time. If the clock of the node is far off,
//! the runtime refuses the certificate of the registry, or AWS refuses the signature of the token request.
//!
//! ## How to see it
//! - `x509: certificate has expired or is not yet valid: current time … is after …`; the current time in the
//!   message is not the real one.
//! - Kubelet log: `SignatureDoesNotMatch`, `InvalidSignatureException` or `RequestExpired` (texts
//!   unverified).
//! - On the node: `chronyc tracking`, `timedatectl`.
//!
//! ## What to do
//! Mend the time service of the node (`chrony`, UDP 123 to `169.254.169.123`). If the time in the message is
//! right, the certificate really has expired, and something that inspects TLS is the suspect.
//!
//! ## What is never automated
//! Nodes are never changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, connection::Failure, said::Said};

pub(crate) const CAUSE: Cause = Cause {
    id: "clock-skew",
    leg: Some(Leg::Credentials),
    severity: Severity::High,
    remedy: Remedy::NotAws,
    source: include_str!("clock_skew.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    const NEXT: &str = "on the node: `timedatectl` and `chronyc tracking`; compare the time in the message with the real one";
    if let Some(connection) = message.failed(&[Failure::NotValidNow]) {
        return Some(Recognition::likely(
            &connection.excerpt,
            "by the clock of the node the certificate is not valid",
            NEXT,
        ));
    }
    if let Some(said) = message.said(Said::SignatureExpired) {
        return Some(Recognition::likely(said, "AWS refuses signatures of another time", NEXT));
    }
    let said = message.sayings.any(&[Said::TokenExpired, Said::TokenInvalid])?;
    Some(Recognition::possible(said, "with a wrong clock a fresh token looks old", NEXT).weight(20))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to resolve reference "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to do request: Head "https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/app/manifests/v1": x509: certificate has expired or is not yet valid: current time 2020-01-01T00:00:00Z is before 2024-01-01T00:00:00Z"#,
    );
}
