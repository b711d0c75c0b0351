//! What can go wrong between the program and AWS.

use std::sync::Arc;
use std::time::Duration;

use super::request::{Protocol, Request};

/// What happens to a request, or to its answer.
#[derive(Clone)]
pub(crate) enum Fault {
    /// It arrives later.
    Delay(Duration),
    /// The caller may not do that.
    Deny,
    /// Too many requests.
    Throttle,
    /// The service fails, with status 500 or 503; or, where it is S3, meets another write of the same object: 409.
    Fail(u16),
    /// The session of the caller is over.
    ExpireToken,
    /// The connection is cut before AWS sees the request.
    Drop,
    /// AWS does what it was asked, and the connection is cut before its answer is there.
    LoseAnswer,
    /// AWS sees the request twice, and the second answer is delivered.
    Repeat,
    /// After each write to the service, this many reads get the answer from before the write.
    StaleReads(usize),
    /// After each write to the service, reads get the answer from before the write for so long.
    StaleFor(Duration),
    /// The bucket is in another region.
    InRegion(&'static str),
    /// AWS is not asked, and answers this XML.
    Answer(String),
    /// Somebody does something before AWS sees the request.
    Meanwhile(Arc<dyn Fn(&Request) + Send + Sync>),
    /// AWS does what it was asked, then somebody does something, and no answer is delivered.
    Afterwards(Arc<dyn Fn(&Request) + Send + Sync>),
}

/// Which of the requests that a rule is about, counted from 1.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Times {
    /// All of them.
    Always,
    /// The first so many.
    First(usize),
    /// Only this one.
    Nth(usize),
    /// This one and all later ones.
    From(usize),
}

impl Times {
    /// Whether the request with this number is meant.
    pub(crate) fn include(self, number: usize) -> bool {
        match self {
            Times::Always => true,
            Times::First(count) => number <= count,
            Times::Nth(nth) => number == nth,
            Times::From(first) => number >= first,
        }
    }
}

impl Fault {
    /// Somebody does something before AWS sees the request.
    pub(crate) fn meanwhile(something: impl Fn(&Request) + Send + Sync + 'static) -> Fault {
        Fault::Meanwhile(Arc::new(something))
    }

    /// AWS does what it was asked, then somebody does something, and no answer is delivered.
    pub(crate) fn afterwards(something: impl Fn(&Request) + Send + Sync + 'static) -> Fault {
        Fault::Afterwards(Arc::new(something))
    }

    /// The answer of a service that refuses, in its own shape; nothing for a fault that is no refusal.
    pub(crate) fn refusal(&self, request: &Request) -> Option<Vec<u8>> {
        if let Fault::Answer(body) = self {
            return Some(xml(body));
        }
        if let Fault::InRegion(region) = self {
            let body =
                "<Error><Code>PermanentRedirect</Code><Message>use the other endpoint</Message></Error>";
            let head = format!("x-amz-bucket-region: {region}\r\ncontent-length: {}", body.len());
            return Some(
                format!("HTTP/1.1 301 Moved\r\n{head}\r\nconnection: close\r\n\r\n{body}").into_bytes(),
            );
        }
        let name = request.name();
        let (status, code) = self.status_and_code(request.protocol)?;
        let message = match self {
            Fault::Deny => format!(
                "User: arn:aws:iam::{}:user/refused is not authorized to perform: {name} because no \
                 identity-based policy allows the {name} action",
                "000000000000"
            ),
            Fault::Throttle => "Rate exceeded".to_owned(),
            Fault::ExpireToken => "The security token included in the request is expired".to_owned(),
            _ => "The service failed; it was told to".to_owned(),
        };
        Some(answer(request.protocol, status, code, &message))
    }

    /// As each service answers, from its list of common errors.
    fn status_and_code(&self, protocol: Protocol) -> Option<(u16, &'static str)> {
        Some(match (self, protocol) {
            (Fault::Deny, Protocol::Ec2) => (403, "UnauthorizedOperation"),
            (Fault::Deny, Protocol::Query | Protocol::S3) => (403, "AccessDenied"),
            (Fault::Deny, Protocol::Json) => (400, "AccessDeniedException"),
            (Fault::Deny, Protocol::Rest) => (403, "AccessDeniedException"),
            (Fault::Throttle, Protocol::Ec2) => (503, "RequestLimitExceeded"),
            (Fault::Throttle, Protocol::S3) => (503, "SlowDown"),
            (Fault::ExpireToken, Protocol::S3) => (400, "ExpiredToken"),
            (Fault::Fail(409), Protocol::S3) => (409, "ConditionalRequestConflict"),
            (Fault::Fail(status), Protocol::S3) => (*status, "InternalError"),
            (Fault::Throttle, Protocol::Query) => (400, "Throttling"),
            (Fault::Throttle, Protocol::Json) => (400, "ThrottlingException"),
            (Fault::Throttle, Protocol::Rest) => (429, "ThrottlingException"),
            (Fault::ExpireToken, Protocol::Ec2) => (400, "RequestExpired"),
            (Fault::ExpireToken, Protocol::Query) => (403, "ExpiredToken"),
            (Fault::ExpireToken, Protocol::Json) => (400, "ExpiredTokenException"),
            (Fault::ExpireToken, Protocol::Rest) => (403, "ExpiredTokenException"),
            (Fault::Fail(503), Protocol::Ec2) => (503, "Unavailable"),
            (Fault::Fail(503), Protocol::Query) => (503, "ServiceUnavailable"),
            (Fault::Fail(503), Protocol::Json | Protocol::Rest) => (503, "ServiceUnavailableException"),
            (Fault::Fail(status), Protocol::Ec2) => (*status, "InternalError"),
            (Fault::Fail(status), Protocol::Query) => (*status, "ServiceFailure"),
            (Fault::Fail(status), Protocol::Json | Protocol::Rest) => (*status, "ServerException"),
            _ => return None,
        })
    }
}

fn xml(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
        .into_bytes()
}

fn answer(protocol: Protocol, status: u16, code: &str, message: &str) -> Vec<u8> {
    let id = "00000000-0000-4000-8000-000000000000";
    let (kind, body) = match protocol {
        Protocol::Ec2 => (
            "text/xml",
            format!(
                "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>\
                 <RequestID>{id}</RequestID></Response>"
            ),
        ),
        Protocol::Query => (
            "text/xml",
            format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>\
                 </Error><RequestId>{id}</RequestId></ErrorResponse>"
            ),
        ),
        Protocol::S3 => (
            "application/xml",
            format!(
                "<Error><Code>{code}</Code><Message>{message}</Message><RequestId>{id}</RequestId></Error>"
            ),
        ),
        Protocol::Json => {
            let body = serde_json::json!({"__type": code, "message": message});
            ("application/x-amz-json-1.1", body.to_string())
        }
        // The code stands in a header of its own.
        Protocol::Rest => ("application/json", serde_json::json!({"message": message}).to_string()),
    };
    let error_type =
        if protocol == Protocol::Rest { format!("x-amzn-ErrorType: {code}\r\n") } else { String::new() };
    format!(
        "HTTP/1.1 {status} Refused\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nx-amzn-RequestId: {id}\r\n\
         {error_type}connection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
