//! # http-proxy-misconfig
//!
//! The runtime of the node is told to use a proxy that is down, refuses, or should be bypassed.
//!
//! ## Why pulls fail
//! containerd and Docker read `HTTPS_PROXY` and `NO_PROXY` from their service configuration. A proxy that
//! does not run, wants a login, or does not know the names of private endpoints breaks the pull. `NO_PROXY`
//! should hold the CIDR of the VPC, `169.254.169.254`, `169.254.170.2`, and with endpoints
//! `.dkr.ecr.REGION.amazonaws.com` and the other names (list unverified).
//!
//! ## How to see it
//! - `proxyconnect tcp: dial tcp …: connect: connection refused`, `Proxy Authentication Required`
//!   (unverified), or an answer 403 with an HTML page.
//! - On the node: `/etc/systemd/system/containerd.service.d/*`; Bottlerocket: `settings.network.https-proxy`.
//!
//! ## What to do
//! Mend the proxy, or the proxy settings of the nodes, and restart the runtime.
//!
//! ## What is never automated
//! Nodes are never changed.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, connection::Failure, said::Said};

pub(crate) const CAUSE: Cause = Cause {
    id: "http-proxy-misconfig",
    leg: Some(Leg::RegistryNetwork),
    severity: Severity::Critical,
    remedy: Remedy::NotAws,
    source: include_str!("http_proxy_misconfig.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    const NEXT: &str = "on the node: `systemctl show containerd -p Environment` and the same for kubelet: HTTPS_PROXY, NO_PROXY";
    if let Some(connection) = message.failed(&[Failure::Proxy]) {
        return Some(Recognition::certain(&connection.excerpt, "the proxy of the node is what failed", NEXT));
    }
    if let Some(said) = message.has_status(407) {
        return Some(Recognition::certain(said, "the proxy of the node wants a login", NEXT));
    }
    if let Some(said) = message.said(Said::Html).filter(|_| message.is_in_scope()) {
        return Some(Recognition::likely(
            said,
            "ECR answers in JSON and S3 in XML; a web page comes from a proxy",
            NEXT,
        ));
    }
    if let Some(said) = message.bare_forbidden().filter(|_| message.is_public()) {
        return Some(Recognition::possible(said, "a proxy may refuse the host", NEXT).weight(40));
    }
    let slow = [Failure::TlsHandshakeTimeout, Failure::Timeout];
    let connection =
        message.failed(&slow).filter(|_| message.is_in_scope() && !message.requests.is_empty())?;
    Some(Recognition::possible(&connection.excerpt, "a proxy may stand in between", NEXT).weight(25))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        "proxyconnect tcp: dial tcp 127.0.0.1:10808: connect: connection refused",
    );
}
