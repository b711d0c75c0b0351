//! # containerd-registry-config-broken
//!
//! The runtime is configured to ask another host than the image names.
//!
//! ## Why pulls fail
//! `hosts.toml` under `certs.d`, the older mirror tables of containerd, or
//! `settings.container-registry.mirrors` of Bottlerocket send the pull to a mirror. The mirror may be down,
//! speak HTTP, or want credentials. A mirror of a public registry that points *at* ECR fails with 401,
//! because the kubelet looks up credentials by the name in the pod, not by the host of the mirror.
//!
//! ## How to see it
//! - The address in the message has another host than the image.
//! - `http: server gave HTTP response to HTTPS client`, a 401 of the mirror, or `no such host` for the
//!   mirror.
//! - On the node: `/etc/containerd/certs.d/*/hosts.toml`, `/etc/containerd/config.toml`.
//!
//! ## What to do
//! Mend or remove the mirror in the configuration of the nodes. For a cache of public images in ECR, name the
//! ECR host in the pods (a pull-through cache), instead of a mirror.
//!
//! ## What is never automated
//! Nodes are never changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{
    Message,
    connection::Failure,
    credentials::{self, Whose},
};

pub(crate) const CAUSE: Cause = Cause {
    id: "containerd-registry-config-broken",
    leg: Some(Leg::Credentials),
    severity: Severity::High,
    remedy: Remedy::NotAws,
    source: include_str!("containerd_registry_config_broken.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    const NEXT: &str = "on the node: `ls /etc/containerd/certs.d` and `containerd config dump | grep -A3 registry`; \
        Bottlerocket: `apiclient get settings.container-registry`";
    if let Some(connection) = message.failed(&[Failure::PlainHttp]) {
        return Some(Recognition::likely(
            &connection.excerpt,
            "ECR never speaks plain HTTP: another host answered",
            NEXT,
        ));
    }
    if message.asked_mirror() {
        let host = message.failing_host().unwrap_or_default();
        return Some(
            Recognition::likely(host, "the manifest was asked of another host than the image names", NEXT)
                .weight(70),
        );
    }
    let (whose, said) = credentials::missing(message)?;
    let meaning = "containerd names the host that it asked; a mirror that points at ECR gets no credentials";
    (whose == Whose::Mirror).then(|| Recognition::likely(said, meaning, NEXT))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to resolve reference "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to do request: Head "https://mirror.example.com/v2/app/manifests/v1?ns=111122223333.dkr.ecr.eu-west-1.amazonaws.com": dial tcp 10.0.0.9:443: connect: connection refused"#,
    );
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "docker.io/library/app:v1": failed to resolve reference "docker.io/library/app:v1": unexpected status from HEAD request to https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/docker-hub/library/app/manifests/v1?ns=docker.io: 401 Unauthorized"#,
    );
}
