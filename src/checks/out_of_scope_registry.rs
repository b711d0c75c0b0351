//! # out-of-scope-registry
//!
//! The image does not come from ECR.
//!
//! ## Why pulls fail
//! The registry is another one: Docker Hub (the default of names without a host), quay.io, ghcr.io,
//! registry.k8s.io, one of your own. Roles and policies of AWS play no part. The network still may: routes,
//! DNS, firewalls and proxies are the same for every registry, and `registry.k8s.io` sends clients in AWS to
//! S3, so endpoint policies for S3 can matter.
//!
//! ## How to see it
//! - The host of the image, or of the address in the message, is none of ECR's.
//!
//! ## What to do
//! Look at the second cause that `ecr-fix explain` names, and at the documents of that registry. `ecr-fix
//! diagnose --image` judges the network legs for images of ECR on the same nodes.

use super::{Cause, Recognition, Remedy, Severity};
use crate::explain::Message;

pub(crate) const CAUSE: Cause = Cause {
    id: "out-of-scope-registry",
    leg: None,
    severity: Severity::Low,
    remedy: Remedy::NotAws,
    source: include_str!("out_of_scope_registry.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let host = message.foreign_host()?;
    let next = "look at the other causes below; roles and policies of AWS play no part";
    let meaning = "this registry is not one of ECR";
    let elsewhere = message.node_local().is_some() || !message.says_why();
    Some(if elsewhere {
        Recognition::possible(host, meaning, next).weight(90)
    } else {
        Recognition::certain(host, meaning, next).weight(70)
    })
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "nginx:9": rpc error: code = NotFound desc = failed to pull and unpack image "docker.io/library/nginx:9": failed to resolve reference "docker.io/library/nginx:9": docker.io/library/nginx:9: not found"#,
    );
    super::test_support::silent(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to resolve reference "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": 401 Unauthorized"#,
    );
    super::test_support::first(
        &CAUSE,
        "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
    );
    super::test_support::first(&CAUSE, "failed to authorize: failed to fetch anonymous token: 403 Forbidden");
    super::test_support::first(&CAUSE, "toomanyrequests: Request exceeded pull rate limit for IP 192.0.2.1");
}
