//! # registry-host-typo
//!
//! The host name of the image is misspelled: no registry of ECR has such a name.
//!
//! ## Why pulls fail
//! The host of a private image is `ACCOUNT.dkr.ecr.REGION.amazonaws.com`, with another domain in some
//! partitions. A slip such as `amazon.aws.com`, an empty account, a missing `dkr.`, an availability zone in
//! place of the region, or `.amazonaws.com` with a region of China gives a name that does not exist, or that
//! belongs to something else.
//!
//! ## How to see it
//! - `no such host` for a name that does not fit the form. A host without `dkr.` may resolve and then time
//!   out instead.
//! - Often an empty variable in a template: `.dkr.ecr.eu-west-1.amazonaws.com/app`.
//!
//! ## What to do
//! Correct the image name in the workload, chart or pipeline. `aws ecr describe-repositories --query
//! 'repositories[].repositoryUri'` prints the right names.
//!
//! ## What is never automated
//! Workloads are never changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, connection::Failure};
use crate::model::EcrHost;

pub(crate) const CAUSE: Cause = Cause {
    id: "registry-host-typo",
    leg: Some(Leg::Dns),
    severity: Severity::High,
    remedy: Remedy::NotAws,
    source: include_str!("registry_host_typo.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let host = message.failing_host()?;
    let parsed = EcrHost::parse(host)?;
    let defect = parsed.defect?;
    let next = "correct the image name; `aws ecr describe-repositories --query 'repositories[].repositoryUri'` prints the right ones";
    match &message.connection {
        Some(connection) if connection.failure == Failure::NoSuchHost => {
            Some(Recognition::certain(host, defect, next).weight(80))
        }
        Some(_) => Some(Recognition::likely(host, defect, next).weight(80)),
        // A region with a name of the right form may be younger than this program.
        None if parsed.region.is_some() => Some(Recognition::likely(host, defect, next).weight(20)),
        None => Some(Recognition::likely(host, defect, next).weight(80)),
    }
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"Get "https://111122223333.dkr.ecr.us-west-2.amazon.aws.com/v2/": dial tcp: lookup 111122223333.dkr.ecr.us-west-2.amazon.aws.com on 172.31.0.2:53: no such host"#,
    );
    super::test_support::silent(
        &CAUSE,
        r#"Get "https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/": dial tcp: lookup 111122223333.dkr.ecr.eu-west-1.amazonaws.com on 172.31.0.2:53: no such host"#,
    );
    super::test_support::first(
        &CAUSE,
        r#"failed to resolve reference "111122223333.dkr.ecr.us-east-1e.amazonaws.com/app:v1": 111122223333.dkr.ecr.us-east-1e.amazonaws.com/app:v1: not found"#,
    );
    super::test_support::among(
        &CAUSE,
        r#"failed to resolve reference "111122223333.dkr.ecr.eu-middle-1.amazonaws.com/app:v1": 111122223333.dkr.ecr.eu-middle-1.amazonaws.com/app:v1: not found"#,
    );
    super::test_support::first(
        &CAUSE,
        r#"Could not connect to the endpoint URL: "https://api.ecr.eu-middle-1.amazonaws.com/""#,
    );
    super::test_support::first(
        &CAUSE,
        r#"Could not connect to the endpoint URL: "https://api.ecr-public.eu-west-1.amazonaws.com/""#,
    );
}
