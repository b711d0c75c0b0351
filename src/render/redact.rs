//! A plan without the names in it: pseudonyms that are the same in every format, as long as the key is the same.
//!
//! Account ids, resource ids, addresses and host names are known by their form, wherever they stand. Names of roles,
//! clusters, repositories and the like are gathered from the fields and ARNs that hold them, and are then replaced
//! wherever they stand too: in summaries, in diffs, in commands. What is not known to be harmless is replaced, so a
//! name that is also a word (`role`) takes the word with it.

mod scan;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::error::{Code, Error};
use crate::model::aws_accounts;
use crate::plan::Plan;
use scan::Found;

/// What the pseudonyms are made with. Whoever has it can test a guess, so it stays on this machine.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl Key {
    /// Takes 32 secret bytes.
    pub fn new(secret: [u8; 32]) -> Key {
        Key(secret)
    }

    /// HMAC-SHA-256 (RFC 2104).
    fn tag(&self, kind: &str, text: &str) -> [u8; 32] {
        let pad = |with: u8| {
            let mut block = [with; 64];
            for (byte, key) in block.iter_mut().zip(self.0) {
                *byte ^= key;
            }
            block
        };
        let inner =
            Sha256::new().chain_update(pad(0x36)).chain_update(kind).chain_update([0]).chain_update(text);
        Sha256::new().chain_update(pad(0x5c)).chain_update(inner.finalize()).finalize().into()
    }

    fn hex(&self, kind: &str, text: &str, digits: usize) -> String {
        let hex: String = self.tag(kind, text).iter().map(|byte| format!("{byte:02x}")).collect();
        hex.chars().take(digits).collect()
    }

    fn account(&self, account: &str) -> String {
        let digits = self.tag("account", account);
        digits.iter().take(12).map(|byte| char::from(b'0' + byte % 10)).collect()
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Key")
    }
}

/// The same plan under pseudonyms. Its digest is that of the plan that it was made of, so that a reviewer can say
/// which one they mean; as a plan of its own it is refused.
///
/// # Errors
/// A name in the plan is one of our own words, so that the plan could not be read any more.
pub fn redacted(plan: &Plan, key: &Key) -> Result<Plan, Error> {
    let refused = |error: serde_json::Error| {
        Error::new(Code::BadInput, "the plan cannot be redacted", "leave out --redact").because(error)
    };
    let mut document = serde_json::to_value(plan).map_err(refused)?;
    let mut names = Names::default();
    names.gather("", &document);
    names.gather_pullers(plan);
    let pseudonyms = Pseudonyms::new(key, names);
    pseudonyms.replace_in("", &mut document);
    serde_json::from_value(document).map_err(refused)
}

/// The same for any document about a run of a plan, such as its record: under the pseudonyms of the plan.
pub fn redacted_with(plan: &Plan, mut document: Value, key: &Key) -> Value {
    let mut names = Names::default();
    names.gather("", &serde_json::to_value(plan).unwrap_or_default());
    names.gather_pullers(plan);
    names.gather("", &document);
    Pseudonyms::new(key, names).replace_in("", &mut document);
    document
}

/// Fields that hold our own words, versions, times and hashes; `id` does for findings and actions.
const OWN_WORDS: [&str; 37] = [
    "chain",
    "event",
    "hash",
    "plan_digest",
    "prev",
    "run",
    "started_at",
    "state",
    "format_version",
    "ecr_fix_version",
    "created_at",
    "expires_at",
    "digest",
    "region",
    "partition",
    "kind",
    "risk",
    "verdict",
    "leg",
    "findings",
    "finding",
    "severity",
    "cause",
    "remedy",
    "source",
    "hides",
    "fixes",
    "depends_on",
    "api_calls",
    "pull_policy",
    "options",
    "tool",
    "prefer",
    "Version",
    "Effect",
    "Action",
    "Sid",
];

/// Fields that hold one name, whatever it looks like.
fn holds_name(field: &str) -> bool {
    let lower = field.to_ascii_lowercase();
    ["cluster", "stack", "repository", "owner"].contains(&lower.as_str())
        || lower.ends_with("name")
            && !["servicename", "service_name", "privatednsname"].contains(&lower.as_str())
}

/// Names that say nothing about anybody.
fn is_public(name: &str) -> bool {
    const PUBLIC: [&str; 12] = [
        "*",
        "root",
        "default",
        "role",
        "aws-service-role",
        "aws-reserved",
        "service-role",
        "eks",
        "ecr.api",
        "ecr.dkr",
        "s3",
        "ecr",
    ];
    name.is_empty()
        || name.chars().all(|c| !c.is_alphanumeric())
        || PUBLIC.contains(&name)
        || name.starts_with("AWSServiceRole")
        || name.starts_with("EcrFix")
        || name.ends_with(".amazonaws.com")
        || name.starts_with("com.amazonaws.")
        || crate::actions::attachment::ATTACHABLE.contains(&name)
}

#[derive(Default)]
struct Names(BTreeSet<String>);

impl Names {
    fn gather(&mut self, field: &str, value: &Value) {
        match value {
            Value::Object(fields) => {
                let is_tag = fields.contains_key("Key") && fields.contains_key("Value");
                for (name, value) in fields {
                    self.gather(if is_tag && name == "Value" { "tag name" } else { name }, value);
                }
            }
            Value::Array(values) => values.iter().for_each(|value| self.gather(field, value)),
            Value::String(text) if !OWN_WORDS.contains(&field) => self.gather_text(field, text),
            _ => {}
        }
    }

    fn gather_text(&mut self, field: &str, text: &str) {
        if let Ok(document @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str::<Value>(text) {
            self.gather("", &document);
        }
        if holds_name(field) {
            self.add_path(text);
        }
        for arn in scan::arns(text) {
            self.add_arn(arn);
        }
        for (account, repository) in scan::images(text) {
            // The namespaces of AWS's own registries are the same for everybody.
            if !aws_accounts::is_add_on_registry(account) {
                self.add_path(repository);
            }
        }
    }

    /// The names of node groups and profiles stand in fields that hold other ids elsewhere.
    fn gather_pullers(&mut self, plan: &Plan) {
        for path in &plan.diagnosis.pull_paths {
            self.add_path(&path.from.id);
        }
        let things = plan.diagnosis.findings.iter().map(|found| &found.resource);
        for thing in things.chain(plan.actions.iter().map(|action| &action.resource)) {
            if !thing.contains(char::is_whitespace)
                && !thing.starts_with("arn:")
                && scan::at(thing, 0).is_none()
            {
                self.add_path(thing);
            }
        }
    }

    fn add_path(&mut self, path: &str) {
        for name in path.split(['/', ':', '+', ',']).map(str::trim).filter(|name| !is_public(name)) {
            self.0.insert(name.to_owned());
        }
    }

    fn add_arn(&mut self, arn: &str) {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let &[_, _, service, _, account, resource] = parts.as_slice() else { return };
        if account == "aws" || resource.contains("starport-layer-bucket") {
            return;
        }
        let has_type = !matches!(service, "s3" | "sns" | "sqs");
        let kind_end =
            if has_type { resource.find(['/', ':']).map_or(resource.len(), |at| at + 1) } else { 0 };
        self.add_path(resource.get(kind_end..).unwrap_or_default());
    }
}

struct Pseudonyms<'k> {
    key: &'k Key,
    /// By their first two bytes in lower case, the longest first.
    names: BTreeMap<Vec<u8>, Vec<String>>,
}

impl<'k> Pseudonyms<'k> {
    fn new(key: &'k Key, names: Names) -> Self {
        let mut by_start: BTreeMap<Vec<u8>, Vec<String>> = BTreeMap::new();
        for name in names.0 {
            // Documents stand in the plan as text, where some characters are written with a backslash.
            let written = Value::String(name.clone()).to_string();
            let written = written.trim_matches('"').to_owned();
            if written != name {
                by_start.entry(start(written.as_bytes())).or_default().push(written);
            }
            by_start.entry(start(name.as_bytes())).or_default().push(name);
        }
        for names in by_start.values_mut() {
            names.sort_by_key(|name| (std::cmp::Reverse(name.len()), name.clone()));
        }
        Pseudonyms { key, names: by_start }
    }

    fn replace_in(&self, field: &str, value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields.iter_mut() {
                    self.replace_in(name, value);
                }
                let renamed = fields.iter().any(|(name, _)| self.text(name) != *name);
                if renamed {
                    *fields = std::mem::take(fields)
                        .into_iter()
                        .map(|(name, value)| (self.text(&name), value))
                        .collect();
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.replace_in(field, value)),
            Value::String(text) if field == "fingerprint" => {
                *text = format!("sha256:{}", self.key.hex("fingerprint", text, 64))
            }
            Value::String(text) if field == "id" && is_number(text) => {}
            Value::String(text) if !OWN_WORDS.contains(&field) => *text = self.text(text),
            _ => {}
        }
    }

    /// The text with everything replaced that names somebody's things.
    fn text(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
            let (end, pseudonym) = match self.at(text, at) {
                Some(found) => found,
                None => (at + c.len_utf8(), String::from(c)),
            };
            out += &pseudonym;
            at = end;
        }
        out
    }

    /// What starts here, where it ends, and what stands for it.
    fn at(&self, text: &str, at: usize) -> Option<(usize, String)> {
        if !scan::is_start(text, at) {
            return None;
        }
        if let Some(name) = self.name_at(text, at) {
            return Some((
                at + name.len(),
                format!("name-{}", self.key.hex("name", &name.to_ascii_lowercase(), 10)),
            ));
        }
        let (found, end) = scan::at(text, at)?;
        let original = text.get(at..end)?;
        let pseudonym = match found {
            Found::Account => self.key.account(original),
            Found::Resource { prefix } => format!("{prefix}-{}", self.key.hex("resource", original, 17)),
            Found::Principal => format!("id-{}", self.key.hex("principal", original, 10)),
            Found::Address { prefix_length } => {
                let address = original.split('/').next().unwrap_or(original);
                let address = self.key.hex("address", address, 10);
                prefix_length
                    .map_or_else(|| format!("ip-{address}"), |length| format!("net-{address}/{length}"))
            }
            Found::Host => format!("host-{}", self.key.hex("host", &original.to_ascii_lowercase(), 10)),
        };
        Some((end, pseudonym))
    }

    fn name_at<'t>(&self, text: &'t str, at: usize) -> Option<&'t str> {
        let rest = text.get(at..)?;
        let fits = |name: &&String| {
            let here = rest.get(..name.len());
            here.is_some_and(|here| here.eq_ignore_ascii_case(name)) && scan::is_end(text, at + name.len())
        };
        let of_start =
            |length: usize| self.names.get(&start(rest.as_bytes().get(..length)?))?.iter().find(fits);
        let name = of_start(2).or_else(|| of_start(1))?;
        rest.get(..name.len())
    }
}

fn start(name: &[u8]) -> Vec<u8> {
    name.iter().take(2).map(u8::to_ascii_lowercase).collect()
}

/// `f1`, `a12`: the ids of findings and actions.
fn is_number(id: &str) -> bool {
    id.strip_prefix(['f', 'a'])
        .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_digit()))
}
