//! # vpce-ecr-api-missing
//!
//! The node cannot reach the API of ECR that issues tokens.
//!
//! ## Why pulls fail
//! Before a pull, the credential plugin calls `api.ecr.REGION.amazonaws.com` for a token. A VPC without a way
//! to the internet needs an interface endpoint for `ecr.api` beside the one for `ecr.dkr`. Without it the
//! plugin waits until its deadline, and the kubelet goes on *without credentials*: the pod event says 401,
//! never a timeout.
//!
//! ## How to see it
//! - Pod event: `no basic auth credentials` or `401 Unauthorized`.
//! - Kubelet log: the plugin says `context deadline exceeded`, or `Post
//!   "https://api.ecr.REGION.amazonaws.com/": dial tcp …: i/o timeout`.
//! - In AWS: `ecr.dkr` is among `aws ec2 describe-vpc-endpoints`, `ecr.api` is not, and the route table has
//!   no default route.
//!
//! ## What the fix does
//! Creates an interface endpoint for `ecr.api` with private DNS (`create-vpc-endpoint`), in one subnet of
//! each zone of the nodes, with a security group that admits them on port 443; the rollback deletes it. It
//! costs money for every zone and hour, which the plan shows.
//!
//! ## What is never automated
//! No second endpoint with private DNS is made for the same service, and no internet path is opened.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{
    Message,
    connection::Failure,
    credentials::{self, Whose},
    next,
    request::Target,
    said::Said,
};

pub(crate) const CAUSE: Cause = Cause {
    id: "vpce-ecr-api-missing",
    leg: Some(Leg::EcrApiNetwork),
    severity: Severity::Critical,
    remedy: Remedy::Automatic,
    source: include_str!("vpce_ecr_api_missing.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let next = next::endpoints(message, "ecr.api") + "; " + next::KUBELET_LOG;
    let unanswered = "the API that issues tokens does not answer";
    if let Some(connection) = message.connection_to(Target::EcrApi).filter(|found| found.is_silence()) {
        let by_endpoint = connection.is_private()
            || connection.failure == Failure::DialTimeout && connection.address.is_none();
        return Some(if by_endpoint {
            Recognition::possible(&connection.excerpt, unanswered, next).weight(80)
        } else {
            Recognition::likely(&connection.excerpt, unanswered, next)
        });
    }
    let silent_host = message.failing_host().filter(|_| message.target() == Some(Target::EcrApi));
    if let Some(host) = silent_host.filter(|_| message.is_cut_before_reason()) {
        return Some(Recognition::likely(host, unanswered, next));
    }
    let unexplained = message.connection.is_none() && message.denial.is_none() && message.status.is_none();
    if let Some(said) = message.said(Said::NoTokenForTask).filter(|_| unexplained) {
        return Some(Recognition::likely(said, "the task got no token, usually for want of a way", next));
    }
    if let Some(connection) = &message.connection
        && message.wrapping.plugin
        && connection.is_silence()
        && message.target() != Some(Target::Metadata)
        && message.said(Said::NoInstanceRole).is_none()
    {
        return Some(Recognition::likely(
            &connection.excerpt,
            "the plugin waited in vain, usually for the API",
            next,
        ));
    }
    let (whose, said) = credentials::missing(message)?;
    let meaning = "if the API cannot be reached, the kubelet pulls without credentials";
    match whose {
        Whose::Api => Some(Recognition::likely(said, meaning, next).weight(60)),
        Whose::Node | Whose::PullSecret | Whose::Fargate | Whose::Throttled => {
            Some(Recognition::possible(said, meaning, next).weight(55))
        }
        _ => None,
    }
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        "E0101 plugin.go:1 Failed getting credential from external registry credential provider: error execing credential provider plugin ecr-credential-provider for image 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app: context deadline exceeded",
    );
    super::test_support::first(
        &CAUSE,
        r#"operation error ECR: GetAuthorizationToken, exceeded maximum number of attempts, 3, https response error StatusCode: 0, RequestID: , request send failed, Post "https://api.ecr.eu-west-1.amazonaws.com/": dial tcp 52.94.0.1:443: i/o timeout"#,
    );
    super::test_support::first(
        &CAUSE,
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve ecr registry auth",
    );
}
