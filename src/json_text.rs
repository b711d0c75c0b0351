//! JSON as text: edits that leave every byte alone that they are not about.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

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

/// Replacements of parts of a text, by where they stand in it.
pub type Edits = Vec<(Range<usize>, String)>;

/// The text with all replacements made.
pub fn edited(text: &str, mut edits: Edits) -> String {
    edits.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
    let mut out = text.to_owned();
    for (range, replacement) in edits {
        out.replace_range(range, &replacement);
    }
    out
}

/// The replacements that make a written object say `new` where it said `old`: a field that `new` does not have is `null`.
///
/// What is the same in both stays byte for byte, also where the text says more than `old` knows: a list that gains or
/// loses elements keeps the others as they are written.
pub fn edits(text: &str, written: &RawValue, old: &Value, new: &Value) -> Option<Edits> {
    let (Value::Object(old), Value::Object(new)) = (old, new) else { return replacement(text, written, new) };
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    field_edits(text, written, old, new, names)
}

fn value_edits(text: &str, written: &RawValue, old: &Value, new: &Value) -> Option<Edits> {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) if old.keys().eq(new.keys()) => {
            field_edits(text, written, old, new, new.keys().collect())
        }
        (Value::Array(old), Value::Array(new)) => list_edits(text, written, old, new),
        _ => replacement(text, written, new),
    }
}

fn replacement(text: &str, written: &RawValue, new: &Value) -> Option<Edits> {
    let range = range_within(text, written.get())?;
    let indent = indent_before(text, range.start);
    let new = laid_out(&new.to_string(), &indent, written.get().contains('\n'))?;
    Some(vec![(range, new)])
}

fn field_edits(
    text: &str,
    written: &RawValue,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    names: BTreeSet<&String>,
) -> Option<Edits> {
    let Ok(present) = serde_json::from_str::<Fields<'_>>(written.get()) else {
        return replacement(text, written, &Value::Object(new.clone()));
    };
    let mut all = Vec::new();
    for name in names {
        let is_going = !new.contains_key(name);
        let (old, new) = (old.get(name), new.get(name).unwrap_or(&Value::Null));
        if old == Some(new) {
            continue;
        }
        match present.get(name.as_str()) {
            Some(field) if is_going && inserted(text, written, name, field).is_some() => {
                all.push((inserted(text, written, name, field)?, String::new()));
            }
            Some(field) => all.extend(value_edits(text, field, old.unwrap_or(&Value::Null), new)?),
            None => {
                let start = range_within(text, written.get())?.start + 1;
                let key = serde_json::to_string(name).ok()?;
                let comma = if present.is_empty() { "" } else { "," };
                all.push((start..start, format!("{key}: {new}{comma}")));
            }
        }
    }
    Some(all)
}

/// Where a field stands with its name and its comma, if [`field_edits`] put it there: first in the row, which no printer
/// of JSON lays out so. Taking it out gives the bytes from before.
fn inserted(text: &str, row: &RawValue, name: &str, field: &RawValue) -> Option<Range<usize>> {
    let start = range_within(text, row.get())?.start + 1;
    let value = range_within(text, field.get())?;
    let key = format!("{}: ", serde_json::to_string(name).ok()?);
    let ours = text.get(start..value.start) == Some(&key) && text.get(value.end..)?.starts_with(',');
    ours.then_some(start..value.end + 1)
}

/// A list changes in its middle: what both begin and end with is left alone.
fn list_edits(text: &str, written: &RawValue, old: &[Value], new: &[Value]) -> Option<Edits> {
    let whole = || replacement(text, written, &Value::Array(new.to_vec()));
    let elements = match serde_json::from_str::<Vec<&RawValue>>(written.get()) {
        Ok(elements) if elements.len() == old.len() => elements,
        _ => return whole(),
    };
    let before = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let (old, new) = (old.get(before..)?, new.get(before..)?);
    let after = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
    let (old, new) = (old.get(..old.len() - after)?, new.get(..new.len() - after)?);
    if old.len() == new.len() {
        let changed = elements.get(before..)?.iter().zip(old).zip(new);
        let parts: Option<Vec<Edits>> =
            changed.map(|((element, old), new)| value_edits(text, element, old, new)).collect();
        return parts.map(|parts| parts.concat());
    }
    let edit = match (old.is_empty(), new.is_empty()) {
        (true, _) => insertion(text, written, &elements, before, new),
        (_, true) => removal(text, written, &elements, before..before + old.len()),
        _ => return whole(),
    };
    edit.map(|edit| vec![edit])
}

/// New elements before the one at a position, in the layout of their neighbours.
pub fn insertion(
    text: &str,
    list: &RawValue,
    elements: &[&RawValue],
    position: usize,
    new: &[Value],
) -> Option<(Range<usize>, String)> {
    let range = range_within(text, list.get())?;
    let many_lines = list.get().contains('\n');
    let Some(neighbour) = position.checked_sub(1).map_or(elements.first(), |last| elements.get(last)) else {
        let all = laid_out(&Value::Array(new.to_vec()).to_string(), &indent_before(text, range.start), true)?;
        return Some((range, all));
    };
    let neighbour = range_within(text, neighbour.get())?;
    let indent = indent_before(text, neighbour.start);
    let gap = if many_lines { format!("\n{indent}") } else { " ".to_owned() };
    let written: Option<Vec<String>> =
        new.iter()
            .map(|value| {
                if many_lines { laid_out(&value.to_string(), &indent, true) } else { Some(value.to_string()) }
            })
            .collect();
    let written = written?.join(&format!(",{gap}"));
    Some(match position {
        0 => (neighbour.start..neighbour.start, format!("{written},{gap}")),
        _ => (neighbour.end..neighbour.end, format!(",{gap}{written}")),
    })
}

/// Takes elements away, with the commas and the white space that belong to them.
pub fn removal(
    text: &str,
    list: &RawValue,
    elements: &[&RawValue],
    gone: Range<usize>,
) -> Option<(Range<usize>, String)> {
    let place = |index: usize| range_within(text, elements.get(index)?.get());
    let last = place(gone.end.checked_sub(1)?)?;
    let range = match (gone.start.checked_sub(1), place(gone.end)) {
        (Some(kept), _) => place(kept)?.end..last.end,
        (None, Some(next)) => place(gone.start)?.start..next.start,
        (None, None) => return Some((range_within(text, list.get())?, "[]".to_owned())),
    };
    Some((range, String::new()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn change(text: &str, old: &Value, new: &Value) -> String {
        let written: &RawValue = serde_json::from_str(text).unwrap();
        // The value must be borrowed from the text that is edited.
        let edits = edits(written.get(), written, old, new).unwrap();
        edited(written.get(), edits)
    }

    #[test]
    fn a_field_that_was_put_in_is_taken_out_again_and_every_byte_is_as_it_was() {
        let (old, new) =
            (json!({"InstanceId": "i-1"}), json!({"InstanceId": "i-1", "Profile": {"Arn": "a"}}));
        for text in [
            "{\n    \"InstanceId\": \"i-1\",\n    \"Tags\": []\n}",
            r#"{"InstanceId": "i-1", "Tags": []}"#,
            r#"{"InstanceId":"i-1","Tags":[]}"#,
        ] {
            let with = change(text, &old, &new);
            assert!(with.contains(r#""Profile": {"Arn":"a"}"#), "{with}");
            assert_eq!(change(&with, &new, &old), text);
        }
        // What somebody else wrote is emptied, not taken out.
        let theirs = r#"{ "Profile": null, "InstanceId": "i-1"}"#;
        assert_eq!(change(&change(theirs, &old, &new), &new, &old), theirs);
    }

    #[test]
    fn elements_come_and_go_and_the_others_keep_every_byte() {
        let text = "{\"Routes\": [\n    {\"A\": 1,   \"Unknown\": true},\n    {\"A\": 2}\n  ], \"x\": null}";
        let (old, new) =
            (json!({"Routes": [{"A": 1}, {"A": 2}]}), json!({"Routes": [{"A": 1}, {"A": 2}, {"A": 3}]}));
        let changed = change(text, &old, &new);
        assert!(changed.contains("{\"A\": 1,   \"Unknown\": true}"), "{changed}");
        assert_eq!(serde_json::from_str::<Value>(&changed).unwrap()["Routes"][2], json!({"A": 3}));
        assert_eq!(change(&changed, &new, &old), text);
        let inner = json!({"Routes": [{"A": 7}, {"A": 2}]});
        assert_eq!(change(text, &old, &inner), text.replace("\"A\": 1", "\"A\": 7"));
    }

    #[test]
    fn lists_in_one_line_stay_in_one_line() {
        let (old, new) = (json!({"x": ["a", "b"]}), json!({"x": ["a", "b", "c"]}));
        assert_eq!(change(r#"{"x": ["a",  "b"]}"#, &old, &new), r#"{"x": ["a",  "b", "c"]}"#);
        assert_eq!(change(r#"{"x": ["a",  "b", "c"]}"#, &new, &old), r#"{"x": ["a",  "b"]}"#);
        let (none, one) = (json!({"x": []}), json!({"x": ["a"]}));
        assert_eq!(change(r#"{"x": []}"#, &none, &one), r#"{"x": ["a"]}"#);
        assert_eq!(change(r#"{"x": ["a"]}"#, &one, &none), r#"{"x": []}"#);
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_was_meant(
            old in prop::collection::vec(0..4_u8, 0..5),
            new in prop::collection::vec(0..4_u8, 0..5),
        ) {
            let (old, new) = (json!({ "x": old }), json!({ "x": new }));
            for text in [old.to_string(), serde_json::to_string_pretty(&old).unwrap()] {
                let changed = change(&text, &old, &new);
                prop_assert_eq!(&serde_json::from_str::<Value>(&changed).unwrap(), &new);
            }
        }
    }
}
