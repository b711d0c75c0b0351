//! Edits of policy documents, one statement at a time: the bytes of all other statements stay.

use std::ops::Range;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::json_text::{Fields, indent_before, range_within};

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
}
