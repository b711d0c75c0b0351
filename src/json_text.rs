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

/// What is written, changed where two values differ and nowhere else: `old` is what a reader makes of `written`, and
/// may know less of it. `indent` is the white space of the line in which it starts.
pub fn revised(written: &str, old: &str, new: &str, indent: &str) -> Option<String> {
    if old == new {
        return Some(written.to_owned());
    }
    let by_parts = revised_list(written, old, new, indent).or_else(|| revised_object(written, old, new, indent));
    by_parts.or_else(|| laid_out(new, indent, written.contains('\n')))
}

/// The list with elements after its last one. To take them out again gives the list back to every byte.
pub fn with_elements(written: &str, elements: &[&str], indent: &str) -> Option<String> {
    let present = list(written)?;
    inserted(written, &present, present.len(), elements, indent)
}

/// The list without some of its elements, which follow each other.
pub fn without_elements(written: &str, range: Range<usize>) -> Option<String> {
    let present = list(written)?;
    removed(written, &present, range)
}

fn list(text: &str) -> Option<Vec<&RawValue>> {
    serde_json::from_str(text).ok()
}

fn fields(text: &str) -> Option<Fields<'_>> {
    serde_json::from_str(text).ok()
}

/// Lists that differ in one place: elements put in there, taken out, or changed.
fn revised_list(written: &str, old: &str, new: &str, indent: &str) -> Option<String> {
    let (present, old, new) = (list(written)?, list(old)?, list(new)?);
    if present.len() != old.len() {
        return None;
    }
    let same = |(one, other): &(&&RawValue, &&RawValue)| one.get() == other.get();
    let head = old.iter().zip(&new).take_while(same).count();
    let rest = (old.len() - head).min(new.len() - head);
    let tail = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(same).count();
    let (gone, come) = (head..old.len() - tail, head..new.len() - tail);
    if gone.is_empty() {
        let come: Vec<&str> = new.get(come)?.iter().map(|element| element.get()).collect();
        return inserted(written, &present, head, &come, indent);
    }
    if come.is_empty() {
        return removed(written, &present, gone);
    }
    if gone != come {
        return None;
    }
    let mut edits = Vec::new();
    for index in gone {
        let element = present.get(index)?.get();
        let range = range_within(written, element)?;
        let indent = indent_at(written, range.start, indent);
        edits.push((range, revised(element, old.get(index)?.get(), new.get(index)?.get(), &indent)?));
    }
    Some(edited(written, edits))
}

/// Objects: fields put in at the start, taken out, or changed.
fn revised_object(written: &str, old: &str, new: &str, indent: &str) -> Option<String> {
    let (present, old, new) = (fields(written)?, fields(old)?, fields(new)?);
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    let mut added = String::new();
    for name in old.keys().chain(new.keys().filter(|name| !old.contains_key(*name))) {
        let (before, after) = (old.get(name).map(|value| value.get()), new.get(name).map(|value| value.get()));
        if before == after {
            continue;
        }
        match (present.get(name), after) {
            (Some(field), Some(after)) => {
                let range = range_within(written, field.get())?;
                let indent = indent_at(written, range.start, indent);
                let value = match before {
                    Some(before) => revised(field.get(), before, after, &indent)?,
                    None => laid_out(after, &indent, field.get().contains('\n'))?,
                };
                edits.push((range, value));
            }
            (Some(field), None) => edits.push((pair_with_comma(written, name, field, present.len())?, String::new())),
            (None, Some(after)) => added += &format!("{}: {after},", serde_json::to_string(name).ok()?),
            (None, None) => {}
        }
    }
    if !added.is_empty() {
        let start = written.find('{')? + 1;
        let only = if present.is_empty() { added.trim_end_matches(',') } else { &added };
        edits.push((start..start, only.to_owned()));
    }
    Some(edited(written, edits))
}

/// Where a field stands in its object, with the comma that parts it from the others.
fn pair_with_comma(written: &str, name: &Cow<'_, str>, value: &RawValue, count: usize) -> Option<Range<usize>> {
    // A name with escapes is not borrowed from the text, and no name of AWS has any.
    let Cow::Borrowed(name) = name else { return None };
    let end = range_within(written, value.get())?;
    let start = written.get(..end.start)?.rfind(&format!("\"{name}\""))?;
    let before = written.get(..start)?.trim_end();
    let after = written.get(end.end..)?;
    if before.ends_with(',') {
        return Some(before.len() - 1..end.end);
    }
    let comma = if count > 1 { after.find(',')? + 1 } else { 0 };
    Some(before.len()..end.end + comma)
}

fn inserted(
    written: &str,
    present: &[&RawValue],
    at: usize,
    elements: &[&str],
    indent: &str,
) -> Option<String> {
    let Some(neighbour) = present.get(at).or(present.last()) else {
        return laid_out(&format!("[{}]", elements.join(",")), indent, written.contains('\n'));
    };
    let neighbour = range_within(written, neighbour.get())?;
    let gap = gap_before(written, neighbour.start);
    let indent = indent_at(written, neighbour.start, indent);
    let many_lines = gap.contains('\n');
    let laid: Option<Vec<String>> = elements
        .iter()
        .map(|element| if many_lines { laid_out(element, &indent, true) } else { Some((*element).to_owned()) })
        .collect();
    let laid = laid?;
    let (position, text) = if at < present.len() {
        (neighbour.start, laid.iter().map(|element| format!("{element},{gap}")).collect::<String>())
    } else {
        (neighbour.end, laid.iter().map(|element| format!(",{gap}{element}")).collect::<String>())
    };
    Some(edited(written, vec![(position..position, text)]))
}

fn removed(written: &str, present: &[&RawValue], range: Range<usize>) -> Option<String> {
    let place = |index: usize| range_within(written, present.get(index)?.get());
    let last = place(range.end.checked_sub(1)?)?;
    let gone = match (range.start.checked_sub(1), present.get(range.end)) {
        (Some(before), _) => place(before)?.end..last.end,
        (None, Some(_)) => place(range.start)?.start..place(range.end)?.start,
        (None, None) => return Some("[]".to_owned()),
    };
    Some(edited(written, vec![(gone, String::new())]))
}

/// The white space in front of a position.
fn gap_before(text: &str, position: usize) -> &str {
    let before = text.get(..position).unwrap_or_default();
    before.get(before.trim_end().len()..).unwrap_or_default()
}

/// The indent of the line that holds a position of a part, where that part may start in the middle of a line.
fn indent_at(part: &str, position: usize, outer: &str) -> String {
    let begins_inside = part.get(..position).is_some_and(|before| before.contains('\n'));
    if begins_inside { indent_before(part, position) } else { outer.to_owned() }
}

fn edited(text: &str, mut edits: Vec<(Range<usize>, String)>) -> String {
    edits.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
    let mut edited = text.to_owned();
    for (range, value) in edits {
        edited.replace_range(range, &value);
    }
    edited
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const GROUP: &str = r#"{
    "IpPermissions": [
        {
            "FromPort": 443,
            "IpRanges": [{"CidrIp": "10.0.0.0/8"}],
            "Unknown": 1.0
        }
    ],
    "Tags": []
}"#;

    #[test]
    fn only_what_differs_is_written() {
        let old = json!({"IpPermissions": [{"FromPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}], "Tags": []});
        let mut new = old.clone();
        new["IpPermissions"][0]["IpRanges"].as_array_mut().unwrap().push(json!({"CidrIp": "10.1.0.0/16"}));
        new["IpPermissions"].as_array_mut().unwrap().push(json!({"FromPort": 53}));
        new["Tags"] = json!([{"Key": "a"}]);
        let (old, new) = (old.to_string(), new.to_string());
        let forth = revised(GROUP, &old, &new, "").unwrap();
        expect![[r#"
            {
                "IpPermissions": [
                    {
                        "FromPort": 443,
                        "IpRanges": [
                            {
                                "CidrIp": "10.0.0.0/8"
                            },
                            {
                                "CidrIp": "10.1.0.0/16"
                            }
                        ]
                    },
                    {
                        "FromPort": 53
                    }
                ],
                "Tags": [
                    {
                        "Key": "a"
                    }
                ]
            }"#]]
        .assert_eq(&forth);
    }

    #[test]
    fn fields_come_and_go() {
        let written = "{\"GatewayId\": \"igw-1\", \"State\": \"active\"}";
        let old = r#"{"GatewayId":"igw-1","State":"active"}"#;
        let new = r#"{"NatGatewayId":"nat-1","State":"active"}"#;
        let forth = revised(written, old, new, "").unwrap();
        assert_eq!(forth, "{\"NatGatewayId\": \"nat-1\", \"State\": \"active\"}".replace(", ", ", "));
    }

    proptest! {
        /// Whatever is put into a list goes out again and leaves no trace, in whichever layout.
        #[test]
        fn the_way_back_gives_every_byte(
            lists in prop::collection::vec(prop::collection::vec(0_u8..9, 0..4), 0..4),
            place in 0_usize..4,
            new in prop::collection::vec(0_u8..9, 1..3),
            pretty: bool,
        ) {
            let old = json!({"a": lists, "b": {"c": "d"}});
            let mut changed = lists;
            match changed.get_mut(place) {
                Some(list) => list.extend(new),
                None => changed.push(new),
            }
            let after = json!({"a": changed, "b": {"c": "d"}});
            let written = if pretty { crate::model::snapshot::pretty(&old) } else { old.to_string() };
            let (old, new) = (old.to_string(), after.to_string());
            let forth = revised(&written, &old, &new, "").unwrap();
            prop_assert_eq!(serde_json::from_str::<Value>(&forth).unwrap(), after);
            prop_assert_eq!(revised(&forth, &new, &old, "").unwrap(), written);
        }
    }
}
