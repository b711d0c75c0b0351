//! A policy document, kept as the very text that was read.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// The JSON text of a policy document, byte for byte as AWS or a file gave it.
///
/// The AWS CLI prints documents of IAM as JSON, its API as percent-encoded text: both are read.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PolicyText(String);

impl PolicyText {
    /// Takes the document's own text, not percent-encoded.
    pub fn new(text: impl Into<String>) -> Self {
        PolicyText(text.into())
    }

    /// Takes what IAM's API answers: the document, percent-encoded by RFC 3986.
    pub fn from_percent_encoded(text: &str) -> Self {
        PolicyText(percent_decode_str(text).decode_utf8_lossy().into_owned())
    }

    /// The text of the document.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the document means, however it is written: see [`canonical`]. `None` where it is not JSON.
    pub fn canonical(&self) -> Option<Value> {
        serde_json::from_str(&self.0).ok().map(|document| canonical(&document))
    }
}

/// A document in the one form that all documents of the same meaning share.
///
/// AWS gives documents back with other white space, order and lists: lists are sorted, a list of one is a
/// single value, an account's root ARN is its id, object keys are sorted.
pub fn canonical(document: &Value) -> Value {
    match document {
        Value::Object(fields) => {
            let sorted: BTreeMap<_, _> = fields.iter().map(|(key, value)| (key, canonical(value))).collect();
            sorted.into_iter().map(|(key, value)| (key.clone(), value)).collect()
        }
        Value::Array(values) => {
            let mut values: Vec<Value> = values.iter().map(canonical).collect();
            values.sort_by_cached_key(Value::to_string);
            values.dedup();
            match <[Value; 1]>::try_from(values) {
                Ok([single]) => single,
                Err(values) => Value::Array(values),
            }
        }
        Value::String(text) => Value::String(account_of_root(text).unwrap_or(text).to_owned()),
        other => other.clone(),
    }
}

/// The account of `arn:PARTITION:iam::ACCOUNT:root`, which means the same as the bare id.
fn account_of_root(text: &str) -> Option<&str> {
    let (start, account) = text.strip_suffix(":root")?.rsplit_once("::")?;
    (start.starts_with("arn:") && start.ends_with(":iam") && account.len() == 12).then_some(account)
}

impl<'de> Deserialize<'de> for PolicyText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(from)?;
        if !raw.get().starts_with('"') {
            return Ok(PolicyText(raw.get().to_owned()));
        }
        let text: String = serde_json::from_str(raw.get()).map_err(D::Error::custom)?;
        Ok(if text.trim_start().starts_with('%') {
            PolicyText::from_percent_encoded(&text)
        } else {
            PolicyText(text)
        })
    }
}

impl Serialize for PolicyText {
    /// As JSON where the text is JSON (every byte of it, and nothing around it), else as a string.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match RawValue::from_string(self.0.clone()) {
            Ok(raw) if raw.get().len() == self.0.len() => raw.serialize(to).map_err(S::Error::custom),
            _ => self.0.serialize(to),
        }
    }
}

#[test]
fn a_document_keeps_its_bytes_in_either_form() {
    let read = |json: &str| serde_json::from_str::<PolicyText>(json).unwrap();
    assert_eq!(read(r#"{"Version" :  "2012-10-17"}"#).as_str(), r#"{"Version" :  "2012-10-17"}"#);
    assert_eq!(read(r#""%7B%22Version%22%3A%221%22%7D""#).as_str(), r#"{"Version":"1"}"#);
    assert_eq!(read(r#""{\"Version\":\"1\"}""#).as_str(), r#"{"Version":"1"}"#);
    let odd = r#"{"b":1,   "a" : 1.50}"#;
    assert_eq!(serde_json::to_string(&read(odd)).unwrap(), odd);
    let spaced = PolicyText::new(" {}\n");
    assert_eq!(read(&serde_json::to_string(&spaced).unwrap()), spaced);
}

#[test]
fn documents_of_one_meaning_have_one_canonical_form() {
    let form = |json: &str| PolicyText::new(json).canonical().unwrap().to_string();
    assert_eq!(
        form(
            r#"{"Statement":[{"Principal":{"AWS":["arn:aws:iam::111122223333:root"]},"Action":["b","a"]}]}"#
        ),
        form(r#"{"Statement":{"Action":["a","b","a"],"Principal":{"AWS":"111122223333"}}}"#),
    );
    assert_ne!(form(r#"{"Action":["a","b"]}"#), form(r#"{"Action":["a"]}"#));
    assert_eq!(PolicyText::new("{").canonical(), None);
}
