//! Edits of policy documents, one statement at a time: the bytes of all other statements stay.

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::json_text::{Fields, indent_before, range_within};
use crate::model::PolicyText;

/// The statements of a document, each as it is written.
///
/// # Errors
/// What is wrong with the document.
pub fn statements(document: &str) -> Result<Vec<&str>, String> {
    Ok(places(document)?.1.into_iter().filter_map(|place| document.get(place)).collect())
}

/// The document with one more statement at the end.
///
/// # Errors
/// What is wrong with the document.
pub fn append(document: &str, statement: &Value) -> Result<String, String> {
    let (all, places) = places(document)?;
    let mut edited = document.to_owned();
    match places.last() {
        None => edited.replace_range(all, &format!("[{statement}]")),
        Some(last) => {
            let separator = separator(document, &all, &places);
            let text = laid_out(statement, document, last.start);
            if document.get(all.start..).is_some_and(|value| value.starts_with('[')) {
                edited.insert_str(last.end, &format!(",{separator}{text}"));
            } else {
                edited.insert_str(last.end, &format!(", {text}]"));
                edited.insert(all.start, '[');
            }
        }
    }
    Ok(edited)
}

/// The document with the statement at a place replaced.
///
/// # Errors
/// What is wrong with the document, or that it has no such statement.
pub fn replace(document: &str, index: usize, statement: &Value) -> Result<String, String> {
    let (_, places) = places(document)?;
    let place = places.get(index).ok_or("it has no such statement")?;
    let mut edited = document.to_owned();
    edited.replace_range(place.clone(), &laid_out(statement, document, place.start));
    Ok(edited)
}

/// What a document means, however it is written; where it is no JSON, its text.
pub fn meaning(document: &str) -> Value {
    PolicyText::new(document).canonical().unwrap_or_else(|| document.into())
}

/// A document as lines for a diff.
pub fn lines(document: &str) -> Vec<String> {
    let parsed: Result<Value, _> = serde_json::from_str(document);
    let text = parsed.ok().and_then(|value| serde_json::to_string_pretty(&value).ok());
    text.as_deref().unwrap_or(document).lines().map(str::to_owned).collect()
}

/// The one statement in which two documents differ: as it was and as it is; nothing where it was not, or is not any
/// more. All others are the same bytes in the same order.
///
/// # Errors
/// More than one statement differs, something beside the statements does, or a document cannot be read.
pub fn one_edit(old: &str, new: &str) -> Result<(Option<Value>, Option<Value>), String> {
    if frame(old)? != frame(new)? {
        return Err("it changes something beside the statements".to_owned());
    }
    let (old, new) = (statements(old)?, statements(new)?);
    let same = |(one, other): &(&&str, &&str)| one == other;
    let start = old.iter().zip(&new).take_while(same).count();
    let most = old.len().min(new.len()) - start;
    let end = old.iter().rev().zip(new.iter().rev()).take(most).take_while(same).count();
    let differing = |statements: &[&str]| -> Result<Option<Value>, String> {
        match statements.get(start..statements.len() - end) {
            None | Some([]) => Ok(None),
            Some([one]) => serde_json::from_str(one).map(Some).map_err(|error| error.to_string()),
            Some(_) => Err("it changes more than one statement".to_owned()),
        }
    };
    Ok((differing(&old)?, differing(&new)?))
}

/// The first of `NAME`, `NAME2`, `NAME3`, … that no statement of a document has as its `Sid`.
///
/// # Errors
/// What is wrong with the document.
pub fn free_sid(document: &str, name: &str) -> Result<String, String> {
    let statements = statements(document)?;
    let parsed = statements.into_iter().filter_map(|text| serde_json::from_str::<Value>(text).ok());
    let taken: Vec<Value> = parsed.filter_map(|statement| statement.get("Sid").cloned()).collect();
    let numbered = (2..1000).map(|number| format!("{name}{number}"));
    let mut names = std::iter::once(name.to_owned()).chain(numbered);
    names.find(|name| !taken.iter().any(|sid| sid == name)).ok_or("every Sid of ours is taken".to_owned())
}

/// The values of an element that is one string or a list of strings; nothing where it is anything else.
pub fn strings(value: Option<&Value>) -> Option<Vec<&str>> {
    match value? {
        Value::String(one) => Some(vec![one]),
        Value::Array(values) => values.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

/// A list as policies write it: sorted, each once, and a list of one as a single value.
pub fn one_or_many(values: impl IntoIterator<Item = impl Into<String>>) -> Value {
    let values: BTreeSet<String> = values.into_iter().map(Into::into).collect();
    match Vec::from_iter(values).as_slice() {
        [single] => Value::String(single.clone()),
        many => many.into(),
    }
}

/// Everything of a document but its statements.
fn frame(document: &str) -> Result<Value, String> {
    let mut frame: Value = serde_json::from_str(document).map_err(|error| error.to_string())?;
    frame.as_object_mut().ok_or("it is no JSON object")?.remove("Statement");
    Ok(frame)
}

/// Where the value of `Statement` stands, and each statement in it.
fn places(document: &str) -> Result<(Range<usize>, Vec<Range<usize>>), String> {
    let fields: Fields<'_> = serde_json::from_str(document).map_err(|error| error.to_string())?;
    let all = *fields.get("Statement").ok_or("it has no Statement")?;
    let each: Vec<&RawValue> = if all.get().starts_with('[') {
        serde_json::from_str(all.get()).map_err(|error| error.to_string())?
    } else {
        vec![all]
    };
    let place =
        |value: &RawValue| range_within(document, value.get()).ok_or("it cannot be edited".to_owned());
    Ok((place(all)?, each.into_iter().map(place).collect::<Result<_, _>>()?))
}

/// The white space that the document puts before a statement of a list.
fn separator(document: &str, all: &Range<usize>, places: &[Range<usize>]) -> String {
    let from = match places {
        [.., before, _] => before.end,
        _ => all.start,
    };
    let between = places.last().and_then(|last| document.get(from..last.start)).unwrap_or_default();
    between.chars().filter(|c| c.is_whitespace()).collect()
}

/// A statement on one line where the document is on one line, else indented as its neighbours are.
fn laid_out(statement: &Value, document: &str, neighbour: usize) -> String {
    let indent = indent_before(document, neighbour);
    if indent.is_empty() {
        return statement.to_string();
    }
    crate::json_text::laid_out(&statement.to_string(), &indent, true).unwrap_or_else(|| statement.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_appended_statement_leaves_the_others_byte_for_byte() {
        let new = json!({"Sid": "New", "Effect": "Allow"});
        let check = |document: &str, expected: &str| {
            let edited = append(document, &new).unwrap();
            assert_eq!(edited, expected);
            for statement in statements(document).unwrap() {
                assert!(statements(&edited).unwrap().contains(&statement));
            }
        };
        check(
            r#"{"Version":"2012-10-17","Statement":[{"a" :1}]}"#,
            r#"{"Version":"2012-10-17","Statement":[{"a" :1},{"Sid":"New","Effect":"Allow"}]}"#,
        );
        check(
            r#"{"Statement": {"a" :1.50}, "Id": "x"}"#,
            r#"{"Statement": [{"a" :1.50}, {"Sid":"New","Effect":"Allow"}], "Id": "x"}"#,
        );
        check(r#"{"Statement":[]}"#, r#"{"Statement":[{"Sid":"New","Effect":"Allow"}]}"#);
        check(
            "{\n  \"Statement\": [\n    {\n      \"a\": 1\n    }\n  ]\n}",
            "{\n  \"Statement\": [\n    {\n      \"a\": 1\n    },\n    {\n        \"Sid\": \"New\",\n        \"Effect\": \"Allow\"\n    }\n  ]\n}",
        );
    }

    #[test]
    fn a_replaced_statement_leaves_the_others_byte_for_byte() {
        let edited = replace(r#"{"Statement":[{"a" :1},{"b":2} , {"c":3}]}"#, 1, &json!({"new": 1})).unwrap();
        assert_eq!(edited, r#"{"Statement":[{"a" :1},{"new":1} , {"c":3}]}"#);
        assert!(replace(r#"{"Statement":[]}"#, 0, &json!({})).is_err());
        assert!(append("{}", &json!({})).is_err());
    }

    #[test]
    fn an_edit_of_one_statement_is_told_from_more() {
        let document = |statements: &str| format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
        let edit = |old: &str, new: &str| {
            let (old, new) = one_edit(&document(old), &document(new))?;
            let text = |value: Option<Value>| value.map_or("-".to_owned(), |value| value.to_string());
            Ok::<_, String>(format!("{} {}", text(old), text(new)))
        };
        assert_eq!(edit(r#"{"a":1}"#, r#"{"a":1},{"b":2}"#).unwrap(), r#"- {"b":2}"#);
        assert_eq!(edit(r#"{"a":1},{"b":2}"#, r#"{"b":2}"#).unwrap(), r#"{"a":1} -"#);
        assert_eq!(edit(r#"{"a":1},{"b":2}"#, r#"{"a":3},{"b":2}"#).unwrap(), r#"{"a":1} {"a":3}"#);
        assert_eq!(edit(r#"{"a":1},{"a":1}"#, r#"{"a":1}"#).unwrap(), r#"{"a":1} -"#);
        assert_eq!(edit(r#"{"a":1}"#, r#"{"a":1}"#).unwrap(), "- -");
        assert!(edit(r#"{"a":1},{"b":2}"#, r#"{"b":2},{"a":1}"#).is_err(), "another order");
        assert!(edit(r#"{"a":1}"#, r#"{"a":1},{"b":2},{"c":3}"#).is_err());
        assert!(one_edit(r#"{"Id":"x","Statement":[]}"#, r#"{"Statement":[]}"#).is_err());
    }

    #[test]
    fn a_free_name_is_one_that_nobody_has() {
        let free =
            |statements: &str| free_sid(&format!(r#"{{"Statement":[{statements}]}}"#), "Ours").unwrap();
        assert_eq!(free(""), "Ours");
        assert_eq!(free(r#"{"Sid":"Ours"},{"Sid":"Ours3"}"#), "Ours2");
    }
}
