//! What can be known by its form alone: accounts, ids of resources and principals, addresses, host names, ARNs, images.

use std::net::{IpAddr, Ipv6Addr};

/// Something that its form gives away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Twelve digits.
    Account,
    /// Such as `sg-0123abcd`.
    Resource {
        /// What stands before the number.
        prefix: String,
    },
    /// The unique id of a role, user or key, such as `AROA…`.
    Principal,
    /// An address, or a network with the length of its prefix.
    Address {
        /// Of a network.
        prefix_length: Option<String>,
    },
    /// A host name that is not one of AWS or Kubernetes.
    Host,
}

/// Prefixes of the ids of AWS resources, and of organizations.
const RESOURCES: [&str; 43] = [
    "acl",
    "aclassoc",
    "ami",
    "cgw",
    "dopt",
    "dxgw",
    "eigw",
    "eipalloc",
    "eipassoc",
    "eni",
    "fs",
    "i",
    "igw",
    "lgw",
    "local",
    "lt",
    "nat",
    "o",
    "ou",
    "p",
    "pcx",
    "pl",
    "prt",
    "r",
    "rtb",
    "rtbassoc",
    "sg",
    "sgr",
    "snap",
    "subnet",
    "tgw",
    "tgw-attach",
    "tgw-rtb",
    "vgw",
    "vol",
    "vpc",
    "vpc-cidr-assoc",
    "vpce",
    "vpce-svc",
    "vpn",
    "rslvr-rr",
    "ws",
    "vpcp",
];

/// The starts of unique ids of IAM.
const PRINCIPALS: [&str; 8] = ["AGPA", "AIDA", "AIPA", "AKIA", "ANPA", "AROA", "ASIA", "ASCA"];

/// Ends of host names that are the same for everybody, beside the names of services.
const PUBLIC_HOSTS: [&str; 14] = [
    "amazonaws.com",
    "ec2.internal",
    "compute.internal",
    "amazonaws.com.cn",
    "api.aws",
    "on.aws",
    "aws.amazon.com",
    "kubernetes.io",
    "k8s.io",
    "ecr.aws",
    "docker.io",
    "amazonaws.eu",
    "sc2s.sgov.gov",
    "c2s.ic.gov",
];

/// Last parts of file names and of names of services, which have the form of host names.
const NO_HOSTS: [&str; 14] =
    ["json", "jsonl", "txt", "md", "sh", "yaml", "yml", "tf", "html", "xml", "api", "dkr", "log", "service"];

/// Whether something could start here: in the middle of a word nothing does. The letter of an escape in a JSON text
/// (`\n`) is no part of a word.
pub(super) fn is_start(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    let is_escape = before.ends_with(['b', 'f', 'n', 'r', 't']) && before.chars().nth_back(1) == Some('\\');
    is_escape || !before.chars().next_back().is_some_and(char::is_alphanumeric)
}

/// Whether something could end here.
pub(super) fn is_end(text: &str, at: usize) -> bool {
    text.get(at..).is_some_and(|rest| !rest.chars().next().is_some_and(char::is_alphanumeric))
}

/// What starts here, and where it ends.
pub(super) fn at(text: &str, at: usize) -> Option<(Found, usize)> {
    if !is_start(text, at) {
        return None;
    }
    account(text, at)
        .or_else(|| address(text, at))
        .or_else(|| dashed_address(text, at))
        .or_else(|| resource(text, at))
        .or_else(|| principal(text, at))
        .or_else(|| host(text, at))
}

/// Every ARN in a text.
pub(super) fn arns(text: &str) -> Vec<&str> {
    let starts = text.match_indices("arn:").map(|(at, _)| at);
    starts.filter_map(|at| text.get(at..at + run(text, at, |c| !ends_arn(c)))).collect()
}

/// Every image of a private registry in a text: its account and its repository.
pub(super) fn images(text: &str) -> Vec<(&str, &str)> {
    let hosts = text.match_indices(".dkr").map(|(at, _)| at);
    hosts
        .filter_map(|at| {
            let account = text.get(at.checked_sub(12)?..at)?;
            let path_at = at + text.get(at..)?.find('/')? + 1;
            let is_host =
                text.get(at..path_at - 1)?.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c));
            let path =
                text.get(path_at..path_at + run(text, path_at, |c| !ends_arn(c) && c != ':' && c != '@'))?;
            (is_host && account.chars().all(|c| c.is_ascii_digit())).then_some((account, path))
        })
        .collect()
}

fn ends_arn(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "\"'`,;()[]{}<>\\|".contains(c)
}

/// How many bytes from here on are of characters that fit.
fn run(text: &str, at: usize, fits: impl Fn(char) -> bool) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    rest.find(|c| !fits(c)).unwrap_or(rest.len())
}

fn account(text: &str, at: usize) -> Option<(Found, usize)> {
    let end = at + run(text, at, |c| c.is_ascii_digit());
    (end - at == 12 && is_end(text, end)).then_some((Found::Account, end))
}

fn address(text: &str, at: usize) -> Option<(Found, usize)> {
    let mut end = at + run(text, at, |c| c.is_ascii_hexdigit() || c == ':' || c == '.');
    // A sentence ends with a full stop, and a colon stands before a port or a reason.
    while text.get(at..end)?.ends_with(['.', ':']) && !text.get(at..end)?.ends_with("::") {
        end -= 1;
    }
    let mut address: Option<IpAddr> = text.get(at..end)?.parse().ok();
    if address.is_none() {
        let digits = at + run(text, at, |c| c.is_ascii_digit() || c == '.');
        end = digits - text.get(at..digits)?.len() + text.get(at..digits)?.trim_end_matches('.').len();
        address = text.get(at..end)?.parse().ok();
    }
    let address = address?;
    let length =
        if text.get(end..)?.starts_with('/') { run(text, end + 1, |c| c.is_ascii_digit()) } else { 0 };
    let after = if length > 0 { end + 1 + length } else { end };
    if is_public_address(address) || !is_end(text, after) {
        return None;
    }
    let prefix_length = (length > 0).then(|| text.get(end + 1..after).unwrap_or_default().to_owned());
    Some((Found::Address { prefix_length }, after))
}

/// Everything, the loopback, and what is the same in every VPC.
fn is_public_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => four.is_unspecified() || four.is_loopback() || four.is_link_local(),
        IpAddr::V6(six) => {
            six.is_unspecified()
                || six.is_loopback()
                || six == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x253)
        }
    }
}

/// `ip-10-0-1-2`, as nodes are called.
fn dashed_address(text: &str, at: usize) -> Option<(Found, usize)> {
    let start = at + if text.get(at..)?.starts_with("ip-") { 3 } else { return None };
    let end = start + run(text, start, |c| c.is_ascii_digit() || c == '-');
    let dotted = text.get(start..end)?.trim_end_matches('-').replace('-', ".");
    let end = start + dotted.len();
    dotted.parse::<std::net::Ipv4Addr>().ok()?;
    is_end(text, end).then_some((Found::Address { prefix_length: None }, end))
}

fn resource(text: &str, at: usize) -> Option<(Found, usize)> {
    let end = at + run(text, at, |c| c.is_ascii_alphanumeric() || c == '-');
    let token = text.get(at..end)?;
    // The DNS name of an endpoint goes on behind the id of the endpoint.
    let whole = token.match_indices('-').filter_map(|(dash, _)| {
        let (prefix, rest) = (token.get(..dash)?, token.get(dash + 1..)?);
        let length = rest.find('-').unwrap_or(rest.len());
        let number = rest.get(..length)?;
        let has_digit = number.chars().any(|c| c.is_ascii_digit());
        let is_id = number.len() >= 4 && has_digit && number.chars().all(|c| c.is_ascii_alphanumeric());
        (RESOURCES.contains(&prefix) && is_id).then(|| (prefix.to_owned(), at + dash + 1 + length))
    });
    whole.max_by_key(|(_, end)| *end).map(|(prefix, end)| (Found::Resource { prefix }, end))
}

fn principal(text: &str, at: usize) -> Option<(Found, usize)> {
    let end = at + run(text, at, |c| c.is_ascii_uppercase() || c.is_ascii_digit());
    let id = text.get(at..end)?;
    let known = PRINCIPALS.iter().any(|start| id.starts_with(start)) && id.len() >= 16;
    (known && is_end(text, end)).then_some((Found::Principal, end))
}

fn host(text: &str, at: usize) -> Option<(Found, usize)> {
    let end = at + run(text, at, |c| c.is_ascii_alphanumeric() || c == '-' || c == '.' || c == '_');
    let host = text.get(at..end)?.trim_end_matches(['.', '-']);
    let lower = host.to_ascii_lowercase();
    let (_, last) = lower.rsplit_once('.')?;
    let is_name = last.len() >= 2 && last.chars().all(|c| c.is_ascii_alphabetic()) && !lower.contains("..");
    let is_known = PUBLIC_HOSTS.iter().any(|known| lower == *known || lower.ends_with(&format!(".{known}")))
        || NO_HOSTS.contains(&last)
        || lower.starts_with("com.amazonaws.")
        || lower.starts_with("aws.");
    (is_name && !is_known).then_some((Found::Host, at + host.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(&str, Found)> {
        let places = text.char_indices().map(|(place, _)| place);
        let mut out = Vec::new();
        let mut past = 0;
        for place in places {
            if place >= past
                && let Some((found, end)) = at(text, place)
            {
                out.push((text.get(place..end).unwrap(), found));
                past = end;
            }
        }
        out
    }

    #[test]
    fn what_has_a_form_is_found() {
        let resource = |prefix: &str| Found::Resource { prefix: prefix.to_owned() };
        let address = || Found::Address { prefix_length: None };
        assert_eq!(
            found(
                "sg-0abc1 in vpc-12345678 of 111122223333: vpce-0a1b2c3d-x1y2.ecr.eu-west-1.vpce.amazonaws.com"
            ),
            [
                ("sg-0abc1", resource("sg")),
                ("vpc-12345678", resource("vpc")),
                ("111122223333", Found::Account),
                ("vpce-0a1b2c3d", resource("vpce")),
            ]
        );
        assert_eq!(
            found("10.0.1.2, 10.0.0.0/16, 2001:db8::1 and fd12::/64; ip-10-0-1-2.ec2.internal:443."),
            [
                ("10.0.1.2", address()),
                ("10.0.0.0/16", Found::Address { prefix_length: Some("16".to_owned()) }),
                ("2001:db8::1", address()),
                ("fd12::/64", Found::Address { prefix_length: Some("64".to_owned()) }),
                ("ip-10-0-1-2", address()),
            ]
        );
        assert_eq!(
            found("AROA0123456789ABCDEFG at registry.corp.example"),
            [("AROA0123456789ABCDEFG", Found::Principal), ("registry.corp.example", Found::Host)]
        );
        assert_eq!(found("tgw-rtb-0123456789 i-0123456789abcdef0").len(), 2);
    }

    #[test]
    fn what_says_nothing_about_anybody_stays() {
        for harmless in [
            "0.0.0.0/0 ::/0 169.254.169.254 127.0.0.1",
            "443 65536 2026-01-01T00:00:00Z version 1.30.2",
            "com.amazonaws.eu-west-1.ecr.dkr ecr.api sts.amazonaws.com plan.json aws:SourceVpce",
            "ecr:GetAuthorizationToken eks-fargate-pods.amazonaws.com node-role-missing-ecr-policy vpce-sg-blocks-443",
            "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly sha256:00",
        ] {
            assert_eq!(found(harmless), [], "{harmless}");
        }
    }

    #[test]
    fn arns_and_images_are_cut_out_of_sentences() {
        assert_eq!(
            arns("see \"arn:aws:iam::1:role/a/b\", or (arn:aws:s3:::x/*)"),
            ["arn:aws:iam::1:role/a/b", "arn:aws:s3:::x/*"]
        );
        assert_eq!(
            images(
                "pull 111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/app:v1 or 111122223333.dkr-ecr.eu-west-1.on.aws/x@sha256:0"
            ),
            [("111122223333", "team/app"), ("111122223333", "x")]
        );
    }
}
