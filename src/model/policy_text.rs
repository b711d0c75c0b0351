//! A policy document, kept as the very text that was read.

use percent_encoding::percent_decode_str;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
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
    /// As JSON where the text is JSON (every byte of it), else as a string.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match RawValue::from_string(self.0.clone()) {
            Ok(raw) => raw.serialize(to).map_err(S::Error::custom),
            Err(_) => self.0.serialize(to),
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
}
