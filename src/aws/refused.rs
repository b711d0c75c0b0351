//! A call that did not give an answer: which, on what, why, and its request id.

use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::RequestId;

use super::pages::Unclear;
use crate::error::{Code, Error};
use crate::model::Unread;

/// A call that AWS refused, or that did not get through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// `SERVICE:Operation`.
    pub call: &'static str,
    /// What it was about.
    pub resource: String,
    /// The kind of refusal.
    pub reason: Reason,
    /// The error code of the service, or what happened on the way.
    pub because: String,
    /// What the service said.
    pub message: String,
    /// For the support of AWS.
    pub request_id: Option<String>,
}

/// Why a call failed, as far as it matters for what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The caller lacks the permission.
    Denied,
    /// What it asked for does not exist.
    NotFound,
    /// What it was to make exists already.
    AlreadyThere,
    /// The credentials are not valid, or not valid any more.
    BadCredentials,
    /// There are no credentials.
    NoCredentials,
    /// Too many calls.
    Throttled,
    /// The request or its answer got lost: whether it had an effect is not known.
    Network,
    /// Anything else.
    Other,
}

const DENIED: [&str; 5] = [
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "AuthorizationError",
    "UnauthorizedAccess",
];
const NOT_FOUND: [&str; 8] = [
    "AWSOrganizationsNotInUseException",
    "ChildNotFoundException",
    "ImageNotFoundException",
    "NoSuchBucket",
    "NoSuchEntity",
    "NotFoundException",
    "RepositoryNotFoundException",
    "ResourceNotFoundException",
];
const ALREADY_THERE: [&str; 3] =
    ["InvalidPermission.Duplicate", "NetworkAclEntryAlreadyExists", "RouteAlreadyExists"];
const BAD_CREDENTIALS: [&str; 11] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidToken",
    "AuthFailure",
];
const THROTTLED: [&str; 8] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottledException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "EC2ThrottledException",
    "SlowDown",
];

impl Refused {
    /// Turns an error of the SDK into ours.
    pub fn from_sdk<E>(call: &'static str, resource: &str, error: &SdkError<E>) -> Refused
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let refused = |reason, because: String, message: String, request_id| Refused {
            call,
            resource: resource.to_owned(),
            reason,
            because,
            message,
            request_id,
        };
        let request_id = error.request_id().map(str::to_owned);
        if let SdkError::ServiceError(service) = error {
            let status = service.raw().status().as_u16();
            let code = service.err().code().map_or_else(|| format!("HTTP status {status}"), str::to_owned);
            let message = service.err().message().unwrap_or_default().to_owned();
            return refused(reason_of(&code, status), code, message, request_id);
        }
        let chain = chain_of(error);
        if chain.iter().any(|cause| cause.contains("credential")) {
            let none = chain.iter().any(|cause| {
                cause.contains("no providers in chain")
                    || cause.contains("not enabled")
                    || cause.contains("not loaded")
            });
            let reason = if none { Reason::NoCredentials } else { Reason::BadCredentials };
            return refused(reason, "no usable credentials".to_owned(), chain.join(": "), request_id);
        }
        let because = match error {
            SdkError::TimeoutError(_) => "no answer in time",
            SdkError::DispatchFailure(_) => "the service could not be reached",
            SdkError::ResponseError(_) => "the answer could not be understood",
            _ => "the request could not be made",
        };
        refused(Reason::Network, because.to_owned(), chain.join(": "), request_id)
    }

    /// A refusal of one part of a call, within an answer that is no error.
    pub(super) fn from_code(
        call: &'static str,
        resource: &str,
        code: &str,
        message: &str,
        request_id: Option<&str>,
    ) -> Refused {
        Refused {
            call,
            resource: resource.to_owned(),
            reason: reason_of(code, 400),
            because: code.to_owned(),
            message: message.to_owned(),
            request_id: request_id.map(str::to_owned),
        }
    }

    /// A call that is not made, because it could not be right.
    pub fn never_sent(call: &'static str, because: &str) -> Refused {
        Refused {
            call,
            resource: String::new(),
            reason: Reason::Other,
            because: because.to_owned(),
            message: String::new(),
            request_id: None,
        }
    }

    /// An answer with something in it that cannot be read.
    pub(super) fn unclear(call: &'static str, resource: &str, Unclear(why): Unclear) -> Refused {
        let because = "the answer could not be understood";
        Refused { resource: resource.to_owned(), message: why, ..Refused::never_sent(call, because) }
    }

    /// As a fact about the world: nobody could look.
    pub fn unread(&self, hides: &[&str]) -> Unread {
        Unread {
            source: self.call.to_owned(),
            resource: self.resource.clone(),
            because: self.because.clone(),
            hides: hides.iter().map(|cause| (*cause).to_owned()).collect(),
            request_id: self.request_id.clone(),
        }
    }

    /// As the end of a command.
    pub fn error(&self, what: impl Into<String>) -> Error {
        let (code, hint) = match self.reason {
            Reason::Denied => {
                (Code::AccessDenied, format!("allow {} for the identity you run as", self.call))
            }
            Reason::NotFound => (Code::NotFound, "check the name, the account and the region".to_owned()),
            Reason::NoCredentials => (
                Code::Credentials,
                "log in (`aws sso login`), name a --profile, or set AWS_ACCESS_KEY_ID".to_owned(),
            ),
            Reason::BadCredentials => (
                Code::Credentials,
                "renew the credentials (`aws sso login`) and run the command again".to_owned(),
            ),
            Reason::Throttled => (Code::Aws, "wait a minute and run the command again".to_owned()),
            Reason::Network => (
                Code::Aws,
                "check the region, AWS_ENDPOINT_URL and the network, then run the command again".to_owned(),
            ),
            Reason::AlreadyThere | Reason::Other => {
                (Code::Aws, "read the message of AWS above, then run the command again".to_owned())
            }
        };
        let mut error = Error::new(code, what, hint).because(self);
        if !self.message.is_empty() {
            error = error.because(&self.message);
        }
        error
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Refused { call, resource, because, .. } = self;
        write!(out, "{call}")?;
        if !resource.is_empty() {
            write!(out, " on {resource}")?;
        }
        write!(out, ": {because}")?;
        match &self.request_id {
            Some(id) => write!(out, " (request {id})"),
            None => Ok(()),
        }
    }
}

fn reason_of(code: &str, status: u16) -> Reason {
    let is = |codes: &[&str]| codes.contains(&code);
    if is(&DENIED) {
        Reason::Denied
    } else if is(&NOT_FOUND) || code.ends_with(".NotFound") {
        Reason::NotFound
    } else if is(&ALREADY_THERE) {
        Reason::AlreadyThere
    } else if is(&BAD_CREDENTIALS) {
        Reason::BadCredentials
    } else if is(&THROTTLED) || status == 429 {
        Reason::Throttled
    } else if status >= 500 {
        Reason::Network
    } else {
        Reason::Other
    }
}

fn chain_of(error: &(dyn std::error::Error + 'static)) -> Vec<String> {
    let mut chain = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        chain.push(cause.to_string());
        source = cause.source();
    }
    chain.dedup();
    chain
}

#[test]
fn codes_of_all_protocols_have_a_reason() {
    let reason = |code| reason_of(code, 400);
    assert_eq!(reason("UnauthorizedOperation"), Reason::Denied);
    assert_eq!(reason("InvalidVpcID.NotFound"), Reason::NotFound);
    assert_eq!(reason("RouteAlreadyExists"), Reason::AlreadyThere);
    assert_eq!(reason("ExpiredTokenException"), Reason::BadCredentials);
    assert_eq!(reason("Throttling"), Reason::Throttled);
    assert_eq!(reason("MalformedPolicyDocument"), Reason::Other);
    assert_eq!(reason_of("HTTP status 503", 503), Reason::Network);
}
