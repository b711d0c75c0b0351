//! # vpce-fips-or-dualstack-name
//!
//! The image is named by a FIPS or dual-stack host, for which the endpoint has no private name.
//!
//! ## Why pulls fail
//! The private names of an endpoint cover `*.dkr.ecr.REGION.amazonaws.com`. Hosts such as `dkr.ecr-fips` or
//! `dkr-ecr.REGION.on.aws` may not be among them, so they resolve to public addresses although the endpoint
//! exists. Pages of AWS differ on whether endpoints serve dual-stack names; `DnsEntries` of the endpoint
//! tells.
//!
//! ## How to see it
//! - Timeouts to a public address for such a host only; images by the usual host pull.
//! - In AWS: `aws ec2 describe-vpc-endpoints --query 'VpcEndpoints[].DnsEntries'` lacks the form.
//!
//! ## What to do
//! Name the image by the usual host `ACCOUNT.dkr.ecr.REGION.amazonaws.com` where FIPS is not required, or
//! give the subnet a way to the public address.
//!
//! ## What is never automated
//! Image names are never changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::Message;

pub(crate) const CAUSE: Cause = Cause {
    id: "vpce-fips-or-dualstack-name",
    leg: Some(Leg::RegistryNetwork),
    severity: Severity::High,
    remedy: Remedy::NotAws,
    source: include_str!("vpce_fips_or_dualstack_name.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let connection = message
        .connection
        .as_ref()
        .filter(|connection| connection.is_silence() && !connection.is_private() && !connection.is_ipv6())?;
    let (_, host) = message.private_image().filter(|(_, host)| host.fips || host.dual_stack)?;
    let form = if host.fips { "the host is one for FIPS" } else { "the host is a dual-stack one" };
    let next = "`aws ec2 describe-vpc-endpoints --query 'VpcEndpoints[].DnsEntries'`: is this form of the host among them?";
    Some(Recognition::likely(&connection.excerpt, form, next).weight(65))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr-fips.us-east-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr.ecr-fips.us-east-1.amazonaws.com/app:v1": failed to resolve reference "111122223333.dkr.ecr-fips.us-east-1.amazonaws.com/app:v1": failed to do request: Head "https://111122223333.dkr.ecr-fips.us-east-1.amazonaws.com/v2/app/manifests/v1": dial tcp 52.207.2.251:443: i/o timeout"#,
    );
}
