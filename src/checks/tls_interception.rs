//! # tls-interception
//!
//! Something between node and registry shows a certificate that the node does not trust.
//!
//! ## Why pulls fail
//! Hosts of AWS show certificates of Amazon's public authorities. If the node says that it does not know the
//! authority, a proxy or firewall re-signs TLS on the way, or the image of the node has a stripped list of
//! authorities.
//!
//! ## How to see it
//! - `x509: certificate signed by unknown authority`, or `tls: failed to verify certificate: x509: …`, for a
//!   host of `amazonaws.com`.
//! - On the node: `openssl s_client -connect HOST:443 -servername HOST | openssl x509 -noout -issuer` names
//!   your company, not Amazon.
//!
//! ## What to do
//! Exempt the hosts of ECR and S3 from inspection, or put the authority of the firewall into the trust store
//! of the nodes and restart the runtime.
//!
//! ## What is never automated
//! Verification of TLS is never switched off.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, connection::Failure};

pub(crate) const CAUSE: Cause = Cause {
    id: "tls-interception",
    leg: Some(Leg::RegistryNetwork),
    severity: Severity::Critical,
    remedy: Remedy::NotAws,
    source: include_str!("tls_interception.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let failures = [Failure::UnknownAuthority, Failure::OtherName];
    let connection = message.failed(&failures).or_else(|| message.failed(&[Failure::NotValidNow]))?;
    let next = "on the node: `openssl s_client -connect HOST:443 -servername HOST </dev/null | openssl x509 -noout -issuer`";
    let meaning = "the certificate is not the one of AWS";
    Some(if connection.failure == Failure::NotValidNow {
        Recognition::possible(&connection.excerpt, meaning, next).weight(60)
    } else {
        Recognition::likely(&connection.excerpt, meaning, next)
    })
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to resolve reference "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to do request: Head "https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/app/manifests/v1": tls: failed to verify certificate: x509: certificate signed by unknown authority"#,
    );
}
