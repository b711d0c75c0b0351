//! The request that failed: its verb, its address, and the status of the answer.

use super::text::{beginning, excerpt};
use crate::model::ecr_host::{EcrHost, HostKind};

/// An HTTP request that a message names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Where it went: host and port.
    pub host: String,
    /// From the first slash, without its query.
    pub path: String,
}

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The API that issues tokens for private registries.
    EcrApi,
    /// The API of ECR Public.
    EcrPublicApi,
    /// A private registry of ECR.
    Registry,
    /// `public.ecr.aws`, and where it sends for layers.
    EcrPublic,
    /// The bucket that serves the layers of private registries.
    Layers,
    /// The metadata service of the instance.
    Metadata,
    /// Another API of AWS.
    OtherAws,
    /// Anything else.
    Elsewhere,
}

/// The status of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// 401, 403, …
    pub code: u16,
    /// The part of the message that says so.
    pub excerpt: String,
}

/// What stands before the address of a request, in lower case.
const VERBS: [&str; 9] = [
    "get ",
    "head ",
    "post ",
    "put ",
    "request to ",
    "login attempt to ",
    "unexpected status code ",
    "endpoint url: ",
    "content at ",
];

impl Request {
    /// Every request that a message names, outermost first.
    pub fn find_all(text: &str, lower: &str) -> Vec<Request> {
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(at) = lower.get(from..).and_then(|rest| rest.find("://")).map(|at| at + from) {
            from = at + 3;
            let scheme = if lower.get(..at).is_some_and(|head| head.ends_with("https")) { 5 } else { 4 };
            let before =
                lower.get(..at.saturating_sub(scheme)).unwrap_or_default().trim_end_matches(['"', '\'']);
            let named = before.ends_with(|c: char| !c.is_alphanumeric())
                && VERBS.iter().any(|verb| before.ends_with(verb));
            // An address of the registry API is one of a request, whatever stands before it.
            let request = Request::parse(text.get(from..).unwrap_or_default());
            found.extend(request.filter(|request| named || request.path.starts_with("/v2/")));
        }
        // Some write the address without its scheme.
        if found.is_empty()
            && let Some((at, _)) = lower.rmatch_indices("request to ").next()
        {
            let request = Request::parse(text.get(at + "request to ".len()..).unwrap_or_default());
            found.extend(request.filter(|request| request.host.contains('.')));
        }
        found
    }

    /// What it was for.
    pub fn target(&self) -> Target {
        target(&self.host, &self.path)
    }

    /// The repository and the tag or digest of `/v2/REPOSITORY/manifests/REFERENCE`.
    pub fn manifest(&self) -> Option<(&str, &str)> {
        self.path.strip_prefix("/v2/")?.split_once("/manifests/")
    }

    /// Whether it asked a registry for a layer or a configuration.
    pub fn is_blob(&self) -> bool {
        self.path.contains("/blobs/")
    }

    fn parse(text: &str) -> Option<Request> {
        let text = beginning(text, LONGEST_ADDRESS);
        let mut depth = 0_usize;
        let end = text.find(|c: char| {
            match c {
                '<' => depth += 1,
                '>' => depth = depth.saturating_sub(1),
                _ => {}
            }
            matches!(c, '"' | '\'' | '`' | ')' | ',') || (c.is_whitespace() && depth == 0)
        });
        let address =
            text.get(..end.unwrap_or(text.len())).unwrap_or_default().trim_end_matches([':', '.', ';']);
        let (host, path) = match address.find('/') {
            Some(slash) => address.split_at(slash),
            None => (address, ""),
        };
        let path = path.split('?').next().unwrap_or_default();
        let path =
            format!("{path}{}", wrapped(path, text.get(end.unwrap_or(text.len())..).unwrap_or_default()));
        let is_host = host.contains(['.', ':']) || host == "localhost" || host.starts_with("prod-");
        is_host.then(|| Request { host: host.to_owned(), path })
    }
}

/// The rest of a path of the registry API that a line end cut behind a slash.
fn wrapped<'a>(path: &str, behind: &'a str) -> &'a str {
    let rest = behind.trim_start();
    let goes_on = path.starts_with("/v2/") && path.ends_with('/') && rest.len() < behind.len();
    let is_part = ["manifests/", "blobs/"].iter().any(|part| rest.starts_with(part));
    if !(goes_on && is_part) {
        return "";
    }
    let word = rest.split_whitespace().next().unwrap_or_default();
    word.trim_end_matches([':', '.', ',', ';', '"'])
}

/// Longer than any address whose query was cut, in bytes; it bounds the work on text that is none.
const LONGEST_ADDRESS: usize = 2_048;

/// Where ECR Public sends for layers, as far as is known (EKS Anywhere documentation, list of domains).
const PUBLIC_LAYER_HOSTS: [&str; 2] = ["d2glxqk2uabbnd.cloudfront.net", "d5l0dvt14r5h8.cloudfront.net"];

/// What a host is for.
pub fn target(host: &str, path: &str) -> Target {
    let lower = host.to_ascii_lowercase();
    match EcrHost::parse(host).map(|host| host.kind) {
        Some(HostKind::Registry) => Target::Registry,
        Some(HostKind::PublicRegistry) => Target::EcrPublic,
        Some(HostKind::Api) => Target::EcrApi,
        Some(HostKind::PublicApi) => Target::EcrPublicApi,
        Some(HostKind::LayerBucket) => Target::Layers,
        None if path.contains("starport-layer-bucket") => Target::Layers,
        None if PUBLIC_LAYER_HOSTS.contains(&lower.as_str()) => Target::EcrPublic,
        // Messages are cut anywhere.
        None if lower.starts_with("api.ecr") => Target::EcrApi,
        None if lower.starts_with("prod-") && lower.contains("starport") => Target::Layers,
        None if lower.starts_with("169.254.169.254") || lower.starts_with("[fd00:ec2::254]") => {
            Target::Metadata
        }
        None if lower.contains(".amazonaws.") && !lower.contains("s3") => Target::OtherAws,
        None => Target::Elsewhere,
    }
}

/// Reasons in lower case, as Go prints them behind the code.
const REASONS: [&str; 14] = [
    "400 bad request",
    "401 unauthorized",
    "403 forbidden",
    "404 not found",
    "405 method not allowed",
    "406 not acceptable",
    "407 proxy authentication required",
    "408 request timeout",
    "429 too many requests",
    "500 internal server error",
    "502 bad gateway",
    "503 service unavailable",
    "503 slow down",
    "504 gateway timeout",
];

/// What stands before a bare code, in lower case.
const MARKS: [&str; 10] = [
    "statuscode: ",
    "statuscode=",
    "status code: ",
    "status code ",
    "http status: ",
    "error parsing http ",
    "http code: ",
    "failed with status: ",
    "status code from registry ",
    "returned error: ",
];

impl Status {
    /// The innermost status that a message names.
    pub fn find(text: &str, lower: &str) -> Option<Status> {
        let reasons = REASONS.iter().filter_map(|reason| {
            let at = lower.rfind(reason)?;
            Some((at, at + reason.len(), code(reason)?))
        });
        let marks = MARKS.iter().filter_map(|mark| {
            let at = lower.rfind(mark)?;
            let digits = at + mark.len();
            Some((at, digits + 3, code(lower.get(digits..)?)?))
        });
        let (from, to, code) = reasons.chain(marks).max_by_key(|(at, ..)| *at)?;
        Some(Status { code, excerpt: excerpt(text, from, to) })
    }
}

/// Three digits, and no more.
fn code(text: &str) -> Option<u16> {
    let digits = text.get(..3)?;
    let ends = !text.get(3..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    digits.parse().ok().filter(|code| ends && (100..600).contains(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_their_targets() {
        let messages = [
            "failed to do request: Head \"https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/a/b/manifests/v1\": EOF",
            "Get https://<account number>.dkr.ecr.eu-west-1.amazonaws.com/v2/zre/manifests/latest: no basic auth",
            "Post https://api.ecr.us-east-1.amazonaws.com/: dial tcp i/o timeout",
            "Post \"https://api.ecr.",
            "unexpected status from HEAD request to <A>.dkr.ecr.<R>.amazonaws.com/v2/c/manifests/latest: 401 Unauthorized",
            "Get https://prod-us-east-1-starport-layer-bucket.s3.us-east-1.amazonaws.com/x?REDACTED: timeout",
            "Get https://s3.us-east-1.amazonaws.com/prod-us-east-1-starport-layer-bucket/x: timeout",
            "Put \"http://169.254.169.254/latest/api/token\": dial tcp",
            "please visit https://aka.ms/acr for more",
            "HEAD request to https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/app/ manifests/v1: 403 Forbidden",
        ];
        let table: String = messages
            .iter()
            .map(|text| {
                let requests = Request::find_all(text, &text.to_ascii_lowercase());
                requests
                    .iter()
                    .map(|r| format!("{:?} {} {}\n", r.target(), r.host, r.path))
                    .collect::<String>()
            })
            .collect();
        expect_test::expect![[r#"
            Registry 111122223333.dkr.ecr.eu-west-1.amazonaws.com /v2/a/b/manifests/v1
            Registry <account number>.dkr.ecr.eu-west-1.amazonaws.com /v2/zre/manifests/latest
            EcrApi api.ecr.us-east-1.amazonaws.com /
            EcrApi api.ecr 
            Registry <A>.dkr.ecr.<R>.amazonaws.com /v2/c/manifests/latest
            Layers prod-us-east-1-starport-layer-bucket.s3.us-east-1.amazonaws.com /x
            Layers s3.us-east-1.amazonaws.com /prod-us-east-1-starport-layer-bucket/x
            Metadata 169.254.169.254 /latest/api/token
            Registry 111122223333.dkr.ecr.eu-west-1.amazonaws.com /v2/app/manifests/v1
        "#]]
        .assert_eq(&table);
    }

    #[test]
    fn the_last_status_counts() {
        let status = |text: &str| Status::find(text, &text.to_ascii_lowercase()).map(|status| status.code);
        assert_eq!(status("failed with status code [manifests 404]: 403 Forbidden"), Some(403));
        assert_eq!(status("https response error StatusCode: 400, RequestID: 1"), Some(400));
        assert_eq!(status("https response error StatusCode: 0, RequestID: "), None);
        assert_eq!(status("error parsing HTTP 403 response body: invalid character"), Some(403));
        assert_eq!(status("app-401:v2"), None);
    }
}
