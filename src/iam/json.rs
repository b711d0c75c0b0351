//! JSON as policies need it: keys in order, and a key that stands twice is an error.
//!
//! The grammar of IAM says that an element must not hold several instances of the same key; a reader that
//! silently keeps the last one would judge another policy than the one that a person sees.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    /// As it is written, or in serde's shortest form.
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads one document.
    pub(super) fn parse(text: &str) -> Result<Json, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// About how many bytes the value takes as text.
    pub(super) fn len(&self) -> usize {
        match self {
            Json::Null | Json::Bool(_) => 4,
            Json::Number(text) => text.len(),
            Json::Text(text) => text.len() + 2,
            Json::List(items) => 2 + items.iter().map(|item| item.len() + 1).sum::<usize>(),
            Json::Object(entries) => {
                2 + entries.iter().map(|(key, value)| key.len() + value.len() + 4).sum::<usize>()
            }
        }
    }

    /// For messages: what kind of value this is.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "a boolean",
            Json::Number(_) => "a number",
            Json::Text(_) => "a string",
            Json::List(_) => "a list",
            Json::Object(_) => "an object",
        }
    }
}

/// One step of a JSON pointer (RFC 6901).
pub(super) fn step(pointer: &str, key: impl fmt::Display) -> String {
    format!("{pointer}/{}", key.to_string().replace('~', "~0").replace('/', "~1"))
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = from.next_element()? {
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Json, A::Error> {
        let mut entries: Vec<(String, Json)> = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        while let Some((key, value)) = from.next_entry::<String, Json>()? {
            if !seen.insert(key.clone()) {
                return Err(A::Error::custom(format_args!("the key {key:?} stands twice in one object")));
            }
            entries.push((key, value));
        }
        Ok(Json::Object(entries))
    }
}

#[test]
fn a_key_that_stands_twice_is_an_error() {
    assert!(
        Json::parse(r#"{"a": {"b": 1, "b": 2}}"#).unwrap_err().to_string().contains("\"b\" stands twice")
    );
    assert_eq!(Json::parse("[1, -2, 2.5]").unwrap().kind(), "a list");
    let keys = Json::parse(r#"{"b": null, "a": true}"#).unwrap();
    assert_eq!(keys, Json::Object(vec![("b".to_owned(), Json::Null), ("a".to_owned(), Json::Bool(true))]));
    assert_eq!(step("/Statement/0", "a/b~c"), "/Statement/0/a~1b~0c");
}

#[test]
fn nesting_is_bounded() {
    assert!(Json::parse(&"[".repeat(100_000)).is_err());
}

#[test]
fn the_length_is_about_that_of_the_text() {
    let of = |text: &str| Json::parse(text).unwrap().len();
    assert_eq!(of(r#"["a","bc"]"#), 11);
    assert_eq!(of(r#"{"ab":12}"#), 10);
    assert_eq!(of("true"), 4);
}
