//! One error type: what happened, why, and what to do now.

use std::fmt;

/// The kind of an error. It fixes the exit code and the `code` of the JSON document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// A file, a document or a value that cannot be used.
    BadInput,
    /// The command line itself is wrong.
    Usage,
    /// AWS or the network failed in a way that trying again may cure.
    Aws,
    /// The thing that the command is about does not exist.
    NotFound,
    /// There are no credentials, or they are not valid any more.
    Credentials,
    /// The caller lacks a permission.
    AccessDenied,
    /// Somebody has to approve, and nobody did.
    ApprovalNeeded,
    /// The plan no longer fits the world, has expired, was used, or has another digest.
    StalePlan,
    /// Another run holds the lock.
    Locked,
    /// A change failed; everything that had been done was rolled back.
    RolledBack,
    /// A change failed and something of it is left.
    PartlyDone,
    /// Applied, but the diagnosis afterwards still finds the problem.
    NotCured,
    /// Stopped by a signal.
    Interrupted,
    /// The disk, or a file of our own, failed us.
    Storage,
}

impl Code {
    /// Every code, for the tests of the exit-code table.
    pub const ALL: [Code; 14] = [
        Code::BadInput,
        Code::Usage,
        Code::Aws,
        Code::NotFound,
        Code::Credentials,
        Code::AccessDenied,
        Code::ApprovalNeeded,
        Code::StalePlan,
        Code::Locked,
        Code::RolledBack,
        Code::PartlyDone,
        Code::NotCured,
        Code::Interrupted,
        Code::Storage,
    ];

    /// The exit code of the process.
    pub fn exit(self) -> u8 {
        match self {
            Code::BadInput | Code::Aws | Code::NotFound | Code::Credentials | Code::Storage => 1,
            Code::ApprovalNeeded => 10,
            Code::StalePlan => 12,
            Code::RolledBack => 13,
            Code::PartlyDone => 14,
            Code::NotCured => 15,
            Code::AccessDenied => 16,
            Code::Locked => 17,
            Code::Usage => 64,
            Code::Interrupted => 130,
        }
    }

    /// The name in the JSON error document.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::BadInput => "bad_input",
            Code::Usage => "usage",
            Code::Aws => "aws",
            Code::NotFound => "not_found",
            Code::Credentials => "credentials",
            Code::AccessDenied => "access_denied",
            Code::ApprovalNeeded => "approval_needed",
            Code::StalePlan => "stale_plan",
            Code::Locked => "locked",
            Code::RolledBack => "rolled_back",
            Code::PartlyDone => "partly_done",
            Code::NotCured => "not_cured",
            Code::Interrupted => "interrupted",
            Code::Storage => "storage",
        }
    }
}

/// What happened, why, and what to do now.
#[derive(Debug, Clone, PartialEq)]
pub struct Error {
    /// Decides the exit code.
    pub code: Code,
    what: String,
    because: Vec<String>,
    hint: String,
    details: Option<Box<serde_json::Map<String, serde_json::Value>>>,
}

impl Error {
    /// An error always carries a hint, so nobody is left at a dead end.
    pub fn new(code: Code, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Error { code, what: what.into(), because: Vec::new(), hint: hint.into(), details: None }
    }

    /// Adds one more cause, from the outermost to the innermost.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.because.push(cause.to_string());
        self
    }

    /// Adds the whole chain of causes of another error.
    #[must_use]
    pub fn because_of(mut self, error: &dyn std::error::Error) -> Self {
        self.because.push(error.to_string());
        let mut source = error.source();
        while let Some(cause) = source {
            self.because.push(cause.to_string());
            source = cause.source();
        }
        self.because.dedup();
        self
    }

    /// Adds a document that programs may want, beside `error`.
    #[must_use]
    pub fn with(mut self, key: &str, document: &impl serde::Serialize) -> Self {
        let details = self.details.get_or_insert_default();
        details.insert(key.to_owned(), serde_json::to_value(document).unwrap_or_default());
        self
    }

    /// What programs may want, beside `error`.
    pub fn details(&self) -> serde_json::Map<String, serde_json::Value> {
        self.details.as_deref().cloned().unwrap_or_default()
    }

    /// One line, without its causes.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// The causes, outermost first.
    pub fn causes(&self) -> &[String] {
        &self.because
    }

    /// What to do now.
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.what)?;
        self.because.iter().try_for_each(|cause| write!(out, ": {cause}"))
    }
}

impl std::error::Error for Error {}

#[test]
fn every_code_has_a_name_of_its_own() {
    let names: std::collections::BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(names.len(), Code::ALL.len());
}
