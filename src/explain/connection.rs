//! Why a connection failed, as Go's network stack says it: the inner cause, which a message names last.

use std::net::IpAddr;
use std::sync::LazyLock;

use super::phrases::Phrases;
use super::text::excerpt;

/// How a connection failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nobody answered the first packet.
    DialTimeout,
    /// Something did not come in time; what, is not said.
    Timeout,
    /// Whoever waited gave up; why, is not said.
    Canceled,
    /// A packet said: nobody listens there.
    Refused,
    /// The node has no route to the address.
    Unreachable,
    /// The way ended at a router, or at a host that rejects.
    NoRouteToHost,
    /// A packet ended the connection.
    Reset,
    /// The other side closed it.
    Eof,
    /// The connection stands, but the handshake got no answer.
    TlsHandshakeTimeout,
    /// The handshake was refused.
    TlsRefused,
    /// The certificate is signed by somebody the node does not trust.
    UnknownAuthority,
    /// The certificate is for another name.
    OtherName,
    /// By the clock of the node, the certificate is not valid.
    NotValidNow,
    /// The proxy of the node could not be reached or refused.
    Proxy,
    /// The other side speaks HTTP where HTTPS was expected.
    PlainHttp,
    /// The resolver says that there is no such name.
    NoSuchHost,
    /// The resolver did not answer.
    ResolverSilent,
    /// The resolver answered with a failure.
    ResolverFailed,
}

/// A failed connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Connection {
    /// How it failed.
    pub failure: Failure,
    /// Where it went, if the message says.
    pub address: Option<IpAddr>,
    /// The name that was looked up.
    pub looked_up: Option<String>,
    /// The resolver that was asked.
    pub resolver: Option<String>,
    /// The part of the message that says so.
    pub excerpt: String,
}

/// Sentences in lower case. Among those that a message holds, the one that ends last counts, and the longest
/// of those that end there.
const SENTENCES: &[(&str, Failure)] = &[
    ("proxyconnect", Failure::Proxy),
    ("proxy authentication required", Failure::Proxy),
    ("\": forbidden", Failure::Proxy),
    ("\": service unavailable", Failure::Proxy),
    ("\": bad gateway", Failure::Proxy),
    ("\": gateway timeout", Failure::Proxy),
    ("\": internal server error", Failure::Proxy),
    ("tls handshake timeout", Failure::TlsHandshakeTimeout),
    ("certificate signed by unknown authority", Failure::UnknownAuthority),
    ("certificate is not trusted", Failure::UnknownAuthority),
    ("unable to get local issuer certificate", Failure::UnknownAuthority),
    ("legacy common name", Failure::OtherName),
    ("x509: ", Failure::UnknownAuthority),
    ("tls: failed to verify certificate", Failure::UnknownAuthority),
    ("self-signed certificate", Failure::UnknownAuthority),
    ("self signed certificate", Failure::UnknownAuthority),
    ("certificate verify failed", Failure::UnknownAuthority),
    ("certificate_verify_failed", Failure::UnknownAuthority),
    ("unable to verify the first certificate", Failure::UnknownAuthority),
    ("certificate has expired or is not yet valid", Failure::NotValidNow),
    ("certificate is valid for", Failure::OtherName),
    ("doesn't contain any ip sans", Failure::OtherName),
    ("remote error: tls", Failure::TlsRefused),
    ("tls: first record does not look like a tls handshake", Failure::PlainHttp),
    ("server gave http response to https client", Failure::PlainHttp),
    ("no such host", Failure::NoSuchHost),
    ("name or service not known", Failure::NoSuchHost),
    ("could not resolve host", Failure::NoSuchHost),
    ("name does not resolve", Failure::NoSuchHost),
    ("getaddrinfo enotfound", Failure::NoSuchHost),
    ("nodename nor servname provided", Failure::NoSuchHost),
    ("no address associated with hostname", Failure::NoSuchHost),
    ("getaddrinfo failed", Failure::NoSuchHost),
    // What the resolver of nginx says, with its codes.
    ("could not be resolved (3: host not found", Failure::NoSuchHost),
    ("could not be resolved (110: operation timed out", Failure::ResolverSilent),
    ("could not be resolved (2: server failure", Failure::ResolverFailed),
    ("no answer from dns server", Failure::NoSuchHost),
    ("cannot unmarshal dns message", Failure::ResolverFailed),
    ("server misbehaving", Failure::ResolverFailed),
    ("temporary failure in name resolution", Failure::ResolverFailed),
    (":53: try again", Failure::ResolverFailed),
    ("getaddrinfo eai_again", Failure::ResolverFailed),
    ("i/o timeout", Failure::DialTimeout),
    ("connection timed out", Failure::DialTimeout),
    ("operation timed out", Failure::DialTimeout),
    ("did not properly respond after a period of time", Failure::DialTimeout),
    ("http connect timeout", Failure::DialTimeout),
    ("request canceled while waiting for connection", Failure::Timeout),
    ("client.timeout", Failure::Timeout),
    ("net/http: request canceled", Failure::Timeout),
    ("timeout awaiting response headers", Failure::Timeout),
    ("request timed out", Failure::Timeout),
    ("connect timeout on endpoint", Failure::Timeout),
    ("read timeout on endpoint", Failure::Timeout),
    ("could not connect to the endpoint", Failure::Timeout),
    ("couldn't connect to server", Failure::Timeout),
    (": unable to connect", Failure::Timeout),
    ("connection refused", Failure::Refused),
    ("actively refused it", Failure::Refused),
    ("network is unreachable", Failure::Unreachable),
    ("attempted to an unreachable network", Failure::Unreachable),
    ("host is down", Failure::NoRouteToHost),
    ("no route to host", Failure::NoRouteToHost),
    ("connection reset by peer", Failure::Reset),
    ("broken pipe", Failure::Reset),
    ("forcibly closed by the remote host", Failure::Reset),
    ("server sent goaway", Failure::Reset),
    ("http2: client connection lost", Failure::Reset),
    ("stream error: stream id", Failure::Reset),
    ("use of closed network connection", Failure::Reset),
    ("server closed idle connection", Failure::Reset),
    ("transport connection broken", Failure::Reset),
    ("bad record mac", Failure::Reset),
    ("unexpected eof", Failure::Eof),
    ("short read: expected", Failure::Eof),
    (": eof", Failure::Eof),
    ("context deadline exceeded", Failure::Timeout),
    ("context canceled", Failure::Canceled),
    ("code = deadlineexceeded", Failure::Timeout),
];

static PHRASES: LazyLock<Phrases> =
    LazyLock::new(|| Phrases::new(SENTENCES.iter().map(|(sentence, _)| *sentence)));

/// Finds the inner cause. `lower` is `text` in ASCII lower case.
pub fn find(text: &str, lower: &str) -> Option<Connection> {
    let mut last = vec![None; SENTENCES.len()];
    PHRASES.each(lower, |number, at| {
        if let Some(place) = last.get_mut(number) {
            *place = Some(at);
        }
    });
    let (at, sentence, said) = SENTENCES
        .iter()
        .zip(last)
        .filter_map(|((sentence, failure), at)| Some((at?, *sentence, *failure)))
        // Outer layers repeat a weaker word behind the strong one: `i/o timeout (Client.Timeout exceeded …)`.
        .max_by_key(|(at, sentence, failure)| (strength(*failure), at + sentence.len(), sentence.len()))?;
    let from = start_of_clause(lower, at);
    let clause = excerpt(text, from, at + sentence.len());
    let lookup = Lookup::find(&clause).or_else(|| Lookup::of_nginx(lower, at));
    let failure = match said {
        Failure::DialTimeout | Failure::Refused if lookup.is_some() => Failure::ResolverSilent,
        Failure::Timeout if lookup.as_ref().is_some_and(|lookup| lookup.is_last) => Failure::ResolverSilent,
        other => other,
    };
    Some(Connection {
        failure,
        address: address(&clause),
        looked_up: lookup.as_ref().map(|lookup| lookup.host.clone()),
        resolver: lookup.and_then(|lookup| lookup.resolver),
        excerpt: clause,
    })
}

impl Connection {
    /// Packets vanish: the sign of a missing route or of a filter.
    pub fn is_silence(&self) -> bool {
        matches!(self.failure, Failure::DialTimeout | Failure::Timeout)
    }

    /// Whether the address belongs to a private network, as those of interface endpoints do.
    pub fn is_private(&self) -> bool {
        self.address.is_some_and(is_private)
    }

    /// Whether the address is one of the internet.
    pub fn is_public(&self) -> bool {
        self.address.is_some_and(|address| !is_private(address))
    }

    /// Whether the address is one of S3, in the ranges that belong to it whole (`ip-ranges.json` of AWS, service S3).
    pub fn is_of_s3(&self) -> bool {
        let Some(IpAddr::V4(address)) = self.address else { return false };
        matches!(address.octets(), [52, 216..=219, ..] | [54, 231, ..] | [3, 5, ..])
    }

    /// Whether the address is one of IPv6.
    pub fn is_ipv6(&self) -> bool {
        self.address.is_some_and(|address| address.is_ipv6())
    }

    /// Whether the resolver is the one of the VPC: `169.254.169.253`, or the second address of a network.
    pub fn asked_vpc_resolver(&self) -> bool {
        self.resolver.as_deref().is_some_and(|resolver| {
            resolver == "169.254.169.253" || resolver == "fd00:ec2::253" || resolver.ends_with(".2")
        })
    }

    /// Whether the resolver is a named one that is not of the VPC, nor the node itself.
    pub fn asked_other_resolver(&self) -> bool {
        let named = self.resolver.as_deref().is_some_and(|resolver| !resolver.starts_with("127.0.0.1"));
        named && !self.asked_vpc_resolver()
    }
}

/// What says more goes before what says less, wherever it stands.
fn strength(failure: Failure) -> u8 {
    match failure {
        Failure::Timeout | Failure::Canceled => 0,
        Failure::Proxy => 2,
        _ => 1,
    }
}

/// Addresses that are never on the internet (RFC 1918, RFC 6598, RFC 4193, link-local, loopback).
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            v4.is_private()
                || v4.is_link_local()
                || v4.is_loopback()
                || (first == 100 && (64..128).contains(&second))
        }
        IpAddr::V6(v6) => {
            let first = v6.segments().first().copied().unwrap_or_default();
            v6.is_loopback() || first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80
        }
    }
}

/// The inner clause begins where Go names the operation; failing that, a little before the sentence.
fn start_of_clause(lower: &str, at: usize) -> usize {
    let head = lower.get(..at).unwrap_or_default();
    let window = head.len().saturating_sub(400);
    let near = |mark: &&str| head.rfind(*mark).filter(|found| *found >= window);
    [
        "proxyconnect tcp",
        "lookup ",
        "dial tcp",
        "read tcp",
        "dial udp",
        "write tcp",
        "tls: failed to verify",
        "x509:",
        "net/http:",
    ]
    .iter()
    .filter_map(near)
    .min()
    .filter(|found| !head.get(*found..).is_some_and(|clause| clause.contains("https://")))
    .unwrap_or_else(|| {
        head.rfind(": ").map_or(at.saturating_sub(60), |colon| colon + 2).max(at.saturating_sub(120))
    })
}

/// The first address in a clause that a connection went to: `dial tcp 10.0.0.1:443`, `read tcp a->b`.
fn address(clause: &str) -> Option<IpAddr> {
    let from =
        ["dial tcp ", "->", "tcp "].iter().find_map(|mark| clause.split_once(mark)).map(|(_, rest)| rest)?;
    parse_address(from.split([' ', ',']).next().unwrap_or_default())
}

fn parse_address(text: &str) -> Option<IpAddr> {
    let text = text.trim_end_matches(':');
    if let Some(rest) = text.strip_prefix('[') {
        return rest.split(']').next().and_then(|address| address.parse().ok());
    }
    let host = text.rsplit_once(':').map_or(text, |(host, _)| host);
    host.parse().ok().or_else(|| text.parse().ok())
}

/// `lookup HOST on SERVER:53: …`.
struct Lookup {
    host: String,
    resolver: Option<String>,
    /// Whether nothing follows the lookup: it did not come to a connection.
    is_last: bool,
}

impl Lookup {
    fn find(clause: &str) -> Option<Lookup> {
        let (_, rest) = clause.split_once("lookup ")?;
        let host = rest.split(' ').next().unwrap_or_default().trim_end_matches(':');
        let resolver = rest.split_once(" on ").map(|(_, rest)| {
            let server = rest.split(' ').next().unwrap_or_default().trim_end_matches(':');
            let server = server.rsplit_once(':').map_or(server, |(server, _)| server);
            server.trim_matches(['[', ']']).to_owned()
        });
        (!host.is_empty()).then(|| Lookup {
            host: host.trim_end_matches('.').to_owned(),
            resolver,
            is_last: !rest.contains("dial tcp"),
        })
    }

    /// `HOST could not be resolved (110: Operation timed out)`.
    fn of_nginx(lower: &str, at: usize) -> Option<Lookup> {
        let (head, sentence) = lower.split_at_checked(at)?;
        let host = head.trim_end().rsplit([' ', '"']).next().filter(|host| host.contains('.'))?;
        let host = host.to_owned();
        sentence.starts_with("could not be resolved").then_some(Lookup {
            host,
            resolver: None,
            is_last: true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let Some(found) = find(text, &text.to_ascii_lowercase()) else { return "-\n".to_owned() };
        format!(
            "{:?} {} {} | {}\n",
            found.failure,
            found.address.map_or("-".to_owned(), |address| address.to_string()),
            match (&found.looked_up, &found.resolver) {
                (Some(host), Some(resolver)) => format!("{host} by {resolver}"),
                (Some(host), None) => host.clone(),
                _ => "-".to_owned(),
            },
            found.excerpt
        )
    }

    #[test]
    fn the_inner_cause_is_found() {
        let messages = [
            "failed to do request: Head \"https://h/v2/a/manifests/b\": dial tcp 10.0.1.7:443: i/o timeout",
            "Get https://h/v2/: net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)",
            "Get \"https://h/v2/\": dial tcp: lookup h on 172.31.0.2:53: no such host",
            "dial tcp: lookup ecr.eu-west-1.amazonaws.com on 10.96.0.10:53: read udp 172.17.0.8:33304->10.96.0.10:53: i/o timeout",
            "dial tcp [2600:1f18::1]:443: connect: network is unreachable",
            "read tcp 192.168.1.112:49380->204.79.197.219:443: read: connection reset by peer",
            "dial tcp i/o timeout",
            "proxyconnect tcp: dial tcp 127.0.0.1:10808: connect: connection refused",
            "tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2024",
            "rpc error: code = DeadlineExceeded desc = context deadline exceeded",
            "Head \"https://h/v2/\": EOF",
            "[error] 68#68: *4 h.example could not be resolved (110: Operation timed out), client: 10.0.0.1",
            "[error] 68#68: *4 h.example could not be resolved (3: Host not found), client: 10.0.0.1",
            "[error] 68#68: *4 h.example could not be resolved (2: Server failure), client: 10.0.0.1",
            "401 Unauthorized",
        ];
        let table: String = messages.iter().map(|message| shown(message)).collect();
        expect_test::expect![[r#"
            DialTimeout 10.0.1.7 - | dial tcp 10.0.1.7:443: i/o timeout
            Timeout - - | net/http: request canceled while waiting for connection (Client.Timeout
            NoSuchHost - h by 172.31.0.2 | dial tcp: lookup h on 172.31.0.2:53: no such host
            ResolverSilent 10.96.0.10 ecr.eu-west-1.amazonaws.com by 10.96.0.10 | dial tcp: lookup ecr.eu-west-1.amazonaws.com on 10.96.0.10:53: read udp 172.17.0.8:33304->10.96.0.10:53: i/o timeout
            Unreachable 2600:1f18::1 - | dial tcp [2600:1f18::1]:443: connect: network is unreachable
            Reset 204.79.197.219 - | read tcp 192.168.1.112:49380->204.79.197.219:443: read: connection reset by peer
            DialTimeout - - | dial tcp i/o timeout
            Proxy - - | proxyconnect
            NotValidNow - - | tls: failed to verify certificate: x509: certificate has expired or is not yet valid
            Timeout - - | code = DeadlineExceeded desc = context deadline exceeded
            Eof - - | Head "https://h/v2/": EOF
            ResolverSilent - h.example | *4 h.example could not be resolved (110: Operation timed out
            NoSuchHost - h.example | *4 h.example could not be resolved (3: Host not found
            ResolverFailed - h.example | *4 h.example could not be resolved (2: Server failure
            -
        "#]].assert_eq(&table);
    }
}
