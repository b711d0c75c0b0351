//! One request to AWS: what it asks for, in whichever of AWS's protocols it asks.

use std::io::{self, BufRead};

/// A request as it came in.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The name that the signature gives: `iam`, `ec2`, …, or `unsigned`.
    pub(crate) service: String,
    /// `AttachRolePolicy`; for a REST path that is not known, `GET /path`.
    pub(crate) action: String,
    /// How the service wants its errors.
    pub(crate) protocol: Protocol,
    /// The body, or for a REST read the path.
    pub(crate) body: String,
    /// Whose request it is.
    pub(crate) access_key: String,
    path: String,
    raw: Vec<u8>,
}

/// How a service is asked and how it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// EC2's own: a form in, XML out.
    Ec2,
    /// IAM, STS: a form in, XML out.
    Query,
    /// ECR: JSON both ways, the action in `X-Amz-Target`.
    Json,
    /// EKS: JSON both ways, the action in method and path.
    Rest,
    /// S3: whatever bytes in, XML out where something is wrong.
    S3,
}

/// The first words of the actions that read. AssumeRole makes a session, which changes nothing in an account.
const READS: [&str; 8] = ["AssumeRole", "BatchGet", "Describe", "GET ", "Get", "HEAD ", "List", "Simulate"];

/// What follows `/clusters/NAME/`, and the actions on the list and on one of it.
const EKS_PATHS: [(&str, &str, &str); 8] = [
    ("access-entries", "ListAccessEntries", "DescribeAccessEntry"),
    ("addons", "ListAddons", "DescribeAddon"),
    ("fargate-profiles", "ListFargateProfiles", "DescribeFargateProfile"),
    ("identity-provider-configs", "ListIdentityProviderConfigs", "DescribeIdentityProviderConfig"),
    ("insights", "ListInsights", "DescribeInsight"),
    ("node-groups", "ListNodegroups", "DescribeNodegroup"),
    ("pod-identity-associations", "ListPodIdentityAssociations", "DescribePodIdentityAssociation"),
    ("updates", "ListUpdates", "DescribeUpdate"),
];

/// The requests that may change something: all but those that are known to read.
pub(crate) fn writes(requests: &[Request]) -> Vec<String> {
    requests.iter().filter(|request| !request.reads()).map(Request::name).collect()
}

impl Request {
    /// Reads one request with a body of a known length; nothing where the client closed the connection instead.
    pub(crate) fn read(from: &mut impl BufRead) -> io::Result<Option<Request>> {
        let mut raw = Vec::new();
        while !raw.ends_with(b"\r\n\r\n") {
            if from.read_until(b'\n', &mut raw)? == 0 {
                return Ok(None);
            }
        }
        let head = String::from_utf8_lossy(&raw).into_owned();
        let length = header(&head, "content-length").map_or(Ok(0), |length| length.parse());
        let mut body = vec![0; length.map_err(io::Error::other)?];
        from.read_exact(&mut body)?;
        raw.extend_from_slice(&body);
        Ok(Some(Request::new(&head, String::from_utf8_lossy(&body).into_owned(), raw)))
    }

    fn new(head: &str, body: String, raw: Vec<u8>) -> Request {
        let mut first = head.split(' ');
        let method = first.next().unwrap_or_default();
        let path = first.next().unwrap_or_default().to_owned();
        // Credential=KEY/DATE/REGION/SERVICE/aws4_request
        let scope = header(head, "authorization").and_then(|value| value.split_once("Credential="));
        let scope: Vec<&str> = scope.map(|(_, scope)| scope.split('/').collect()).unwrap_or_default();
        let part = |number: usize| scope.get(number).copied().unwrap_or("unsigned").to_owned();
        let (access_key, service) = (part(0), part(3));
        let target = header(head, "x-amz-target").and_then(|target| target.rsplit_once('.'));
        let (protocol, action) = match (target, form(&body, "Action")) {
            (Some((_, action)), _) => (Protocol::Json, action.to_owned()),
            (None, Some(action)) if service == "ec2" => (Protocol::Ec2, action),
            (None, Some(action)) => (Protocol::Query, action),
            (None, None) if service == "s3" => (Protocol::S3, s3_action(method, &path)),
            (None, None) => (Protocol::Rest, rest_action(&service, method, &path)),
        };
        Request { service, action, protocol, body, access_key, path, raw }
    }

    /// `iam:AttachRolePolicy`.
    pub(crate) fn name(&self) -> String {
        format!("{}:{}", self.service, self.action)
    }

    /// A field of the form, or a string of the JSON object, that is the body.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        match self.protocol {
            Protocol::Ec2 | Protocol::Query => form(&self.body, name),
            Protocol::Json | Protocol::Rest | Protocol::S3 => {
                let body: serde_json::Value = serde_json::from_str(&self.body).ok()?;
                Some(body.get(name)?.as_str()?.to_owned())
            }
        }
    }

    /// Whether it is known to change nothing: it only reads, or it is a trial of EC2.
    pub(crate) fn reads(&self) -> bool {
        READS.iter().any(|start| self.action.starts_with(start)) || self.is_trial()
    }

    /// Whether it asks EC2 what a call would answer.
    pub(crate) fn is_trial(&self) -> bool {
        self.protocol == Protocol::Ec2 && self.field("DryRun").as_deref() == Some("true")
    }

    /// Whether it is meant by `iam:AttachRolePolicy`, by `iam:*`, by `*`, or by `writes`.
    pub(crate) fn is(&self, pattern: &str) -> bool {
        match pattern.strip_suffix('*') {
            _ if pattern == "writes" => !self.reads(),
            Some(start) => self.name().starts_with(start),
            None => self.name() == pattern,
        }
    }

    /// The same for the same question by the same caller.
    pub(crate) fn question(&self) -> String {
        [&self.access_key, &self.service, &self.action, &self.path, &self.body].map(String::as_str).join("\n")
    }

    /// The bytes as they came.
    pub(crate) fn raw(&self) -> &[u8] {
        &self.raw
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    pairs.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn form(body: &str, name: &str) -> Option<String> {
    let mut pairs = body.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| *key == name)?;
    let value = value.replace('+', " ");
    Some(percent_encoding::percent_decode_str(&value).decode_utf8_lossy().into_owned())
}

/// With what of a record it is about: `PutObject journal`.
fn s3_action(method: &str, path: &str) -> String {
    let about = |path: &str| {
        let kinds = ["/journal/", "/journal.head", "/plan.json", "/locks/", "/used/"]
            .into_iter()
            .find(|kind| path.contains(kind));
        kinds.unwrap_or("/other").trim_matches('/').replace("journal.head", "head").replace(".json", "")
    };
    match method {
        "GET" if path.contains("list-type") => "ListObjectsV2".to_owned(),
        "GET" => format!("GetObject {}", about(path)),
        "PUT" => format!("PutObject {}", about(path)),
        _ => format!("{method} {path}"),
    }
}

fn rest_action(service: &str, method: &str, path: &str) -> String {
    let plain = path.split('?').next().unwrap_or_default().trim_matches('/');
    let parts: Vec<&str> = plain.split('/').collect();
    let known = |list: &str| EKS_PATHS.iter().find(|(path, _, _)| *path == list);
    let action = match (service, method, parts.as_slice()) {
        ("route53", "GET", [_, "hostedzonesbyvpc"]) => Some("ListHostedZonesByVPC"),
        ("route53", "GET", [_, "hostedzone", _, "rrset"]) => Some("ListResourceRecordSets"),
        ("eks", "GET", ["clusters"]) => Some("ListClusters"),
        ("eks", "GET", ["clusters", _]) => Some("DescribeCluster"),
        ("eks", "GET", ["clusters", _, list]) => known(list).map(|(_, all, _)| *all),
        ("eks", "GET", ["clusters", _, list, _]) => known(list).map(|(_, _, one)| *one),
        ("eks", "GET", ["clusters", _, "access-entries", _, "access-policies"]) => {
            Some("ListAssociatedAccessPolicies")
        }
        // These two read although they post.
        ("eks", "POST", ["clusters", _, "insights"]) => Some("ListInsights"),
        ("eks", "POST", ["clusters", _, "identity-provider-configs", "describe"]) => {
            Some("DescribeIdentityProviderConfig")
        }
        _ => None,
    };
    action.map_or_else(|| format!("{method} {path}"), str::to_owned)
}
