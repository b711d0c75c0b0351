//! JSON documents for programs.

use std::io;

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, PrettyFormatter};

use super::terminal::with_risk;
use crate::error::Error;
use crate::run::Progress;

/// `{"error": {"code": …, "message": …, "hint": …}}`.
pub fn error(error: &Error) -> String {
    let mut fields = error.details();
    let message = serde_json::json!({
        "code": error.code.as_str(), "message": error.to_string(), "hint": error.hint()
    });
    fields.insert("error".to_owned(), message);
    document(&fields)
}

/// One object on one line, with its `type` first.
pub fn line(kind: &str, document: Value) -> String {
    let mut fields = serde_json::Map::from_iter([("type".to_owned(), Value::from(kind))]);
    match document {
        Value::Object(of_document) => fields.extend(of_document),
        other => drop(fields.insert(kind.to_owned(), other)),
    }
    compact(&fields)
}

/// What happens during a run, on one line.
pub fn progress(progress: &Progress) -> String {
    compact(progress)
}

/// One document on one line, as harmless as [`document`].
fn compact(value: &impl Serialize) -> String {
    // Line ends stand between values only: within strings JSON writes them as two characters.
    let spread = document(value);
    spread.lines().map(str::trim_start).collect::<String>() + "\n"
}

/// A document, indented, with a line end. What could steer a terminal or command a pipeline is escaped as JSON knows
/// it, so that programs read the very text and nobody else is fooled.
pub fn document(value: &impl Serialize) -> String {
    let mut bytes = Vec::new();
    let layout = Harmless { pretty: PrettyFormatter::new() };
    let written = value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, layout));
    match written {
        Ok(()) => String::from_utf8_lossy(&bytes).into_owned() + "\n",
        Err(error) => format!(
            "{{\"error\": {{\"code\": \"bad_input\", \"message\": \"{}\"}}}}\n",
            error.to_string().escape_default()
        ),
    }
}

/// The pretty layout of serde_json, with more characters escaped.
struct Harmless<'a> {
    pretty: PrettyFormatter<'a>,
}

impl Formatter for Harmless<'_> {
    fn begin_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.begin_array(writer)
    }

    fn end_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.end_array(writer)
    }

    fn begin_array_value<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.pretty.begin_array_value(writer, first)
    }

    fn end_array_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.end_array_value(writer)
    }

    fn begin_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.begin_object(writer)
    }

    fn end_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.end_object(writer)
    }

    fn begin_object_key<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.pretty.begin_object_key(writer, first)
    }

    fn begin_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.begin_object_value(writer)
    }

    fn end_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.end_object_value(writer)
    }

    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if !with_risk(fragment).any(|(_, is_risky)| is_risky) {
            return writer.write_all(fragment.as_bytes());
        }
        for (c, is_risky) in with_risk(fragment) {
            if is_risky {
                c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(writer, "\\u{unit:04x}"))?;
            } else {
                writer.write_all(c.encode_utf8(&mut [0; 4]).as_bytes())?;
            }
        }
        Ok(())
    }
}

#[test]
fn documents_read_as_they_were_and_steer_nothing() {
    let foreign = "a\u{9b}2J\u{202e}\u{e0041}\u{7f} ##[error]x ::y \u{1b}é😀\"\\";
    let text = document(&serde_json::json!({ foreign: [foreign] }));
    assert!(
        text.chars().all(|c| c == '\n' || !super::terminal::is_unsafe(c)) && !text.contains("##["),
        "{text}"
    );
    let read: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(read, serde_json::json!({ foreign: [foreign] }));
}
