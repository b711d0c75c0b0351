//! # credential-provider-pattern-miss
//!
//! The kubelet does not ask its credential plugin for hosts of this form.
//!
//! ## Why pulls fail
//! The configuration of the kubelet lists the patterns of hosts for which it runs the plugin (`matchImages`).
//! An older list lacks the dual-stack, FIPS, China, ISO or EU Sovereign forms of the registry, and then such
//! an image is pulled without credentials while others of the same account work. `ecr-public.aws.com` is
//! listed only from kubelet 1.32 on.
//!
//! ## How to see it
//! - `no basic auth credentials` or `401 Unauthorized` for images of one form of host only.
//! - On the node, `matchImages` in `/etc/eks/image-credential-provider/config.json` has no pattern that fits.
//!
//! ## What to do
//! Add the pattern to the configuration of the node image (for example `*.dkr-ecr.*.on.aws`), or name the
//! image by its IPv4 host `ACCOUNT.dkr.ecr.REGION.amazonaws.com`. Newer EKS-optimized images have all forms.
//!
//! ## What is never automated
//! Nodes are never changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{
    Message,
    credentials::{self, Whose},
};

pub(crate) const CAUSE: Cause = Cause {
    id: "credential-provider-pattern-miss",
    leg: Some(Leg::Credentials),
    severity: Severity::Critical,
    remedy: Remedy::NotAws,
    source: include_str!("credential_provider_pattern_miss.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    const NEXT: &str = "on the node: `matchImages` in /etc/eks/image-credential-provider/config.json";
    let (whose, said) = credentials::missing(message)?;
    let (_, host) = message.private_image()?;
    let unusual = host.fips || !matches!(host.partition, None | Some("aws" | "aws-us-gov"));
    match whose {
        Whose::Pattern => Some(
            Recognition::likely(said, "older lists of patterns lack the dual-stack hosts", NEXT).weight(60),
        ),
        Whose::Node | Whose::PullSecret if unusual => Some(
            Recognition::possible(said, "older lists of patterns lack this form of host", NEXT).weight(60),
        ),
        _ => None,
    }
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr-ecr.eu-west-1.on.aws/app:v1": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr-ecr.eu-west-1.on.aws/app:v1": failed to resolve reference "111122223333.dkr-ecr.eu-west-1.on.aws/app:v1": pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials"#,
    );
}
