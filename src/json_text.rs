//! JSON as text: edits that leave every byte alone that they are not about.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::value::RawValue;

/// The fields of an object, each with its value as it is written.
pub type Fields<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// Where a part of a text stands in it; `part` must have been borrowed from `text`.
pub fn range_within(text: &str, part: &str) -> Option<Range<usize>> {
    let start = (part.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    let range = start..start.checked_add(part.len())?;
    (text.get(range.clone()) == Some(part)).then_some(range)
}

/// The white space at the start of the line that holds a position.
pub fn indent_before(text: &str, position: usize) -> String {
    let line = text.get(..position).unwrap_or_default().rsplit('\n').next().unwrap_or_default();
    line.chars().take_while(|c| c.is_whitespace()).collect()
}

/// A value in the layout of the lines around it: the step of the AWS CLI (4) or of kubectl (2).
pub fn laid_out(value: &str, indent: &str, many_lines: bool) -> Option<String> {
    let empty = matches!(value, "[]" | "{}");
    if indent.is_empty() || empty && !many_lines {
        return Some(value.to_owned());
    }
    let step = if indent.len().is_multiple_of(4) { "    " } else { "  " };
    let parsed: serde_json::Value = serde_json::from_str(value).ok()?;
    let mut bytes = Vec::new();
    let layout = serde_json::ser::PrettyFormatter::with_indent(step.as_bytes());
    let mut writer = serde_json::Serializer::with_formatter(&mut bytes, layout);
    serde::Serialize::serialize(&parsed, &mut writer).ok()?;
    Some(String::from_utf8(bytes).ok()?.replace('\n', &format!("\n{indent}")))
}
