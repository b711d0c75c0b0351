//! # mtu-blackhole
//!
//! Small packets get through, large ones vanish: the handshake starts and never ends.
//!
//! ## Why pulls fail
//! The TCP connection stands, but the large packets of the TLS handshake are lost: a VPN or a transit gateway
//! on the way carries smaller packets (8500 or 1500 bytes) than the node sends (9001), and the ICMP message
//! that would tell it is blocked (numbers unverified). A firewall, or the security group of an endpoint, that
//! drops after the first packet looks the same.
//!
//! ## How to see it
//! - `net/http: TLS handshake timeout`.
//! - On the node: `ping -M do -s 1472 HOST` fails while `ping -s 500 HOST` works; `curl -v` hangs after
//!   `Client hello`.
//!
//! ## What to do
//! Let ICMP type 3 code 4 pass, lower the MTU of the nodes or clamp the MSS on the way. Check the security
//! group and the ACL of the endpoint as well.
//!
//! ## What is never automated
//! Nothing is changed: the message does not tell which part of the way is at fault.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{Message, connection::Failure};

pub(crate) const CAUSE: Cause = Cause {
    id: "mtu-blackhole",
    leg: Some(Leg::RegistryNetwork),
    severity: Severity::High,
    remedy: Remedy::Manual,
    source: include_str!("mtu_blackhole.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    let connection = message.failed(&[Failure::TlsHandshakeTimeout])?;
    let next = "on the node: `curl -v https://HOST/v2/` hangs after `Client hello`? `ip link` for the MTU; VPN or transit gateway on the way?";
    Some(Recognition::likely(
        &connection.excerpt,
        "the connection stands, but the handshake got no answer",
        next,
    ))
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        r#"Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to resolve reference "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": failed to do request: Head "https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/app/manifests/v1": net/http: TLS handshake timeout"#,
    );
}
