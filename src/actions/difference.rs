//! Which fields of two states differ, in words: what a person is told who finds a resource changed.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::model::policy_text::canonical;

/// The fields that tell the rows of a list apart.
const NAMES: [&str; 4] = ["Sid", "RuleNumber", "Key", "Id"];

/// Longer values are cut.
const LONGEST: usize = 120;

/// Every field in which `now` differs from `then`, by its path. Order and layout of lists do not count.
pub(super) fn difference(then: &Value, now: &Value) -> String {
    let mut differences = Vec::new();
    compare("", then, now, &mut differences);
    differences.join("; ")
}

fn compare(path: &str, then: &Value, now: &Value, out: &mut Vec<String>) {
    if canonical(then) == canonical(now) {
        return;
    }
    match (then, now) {
        (Value::Object(then), Value::Object(now)) => fields(path, then, now, out),
        _ => match (rows(then), rows(now)) {
            (Some(then), Some(now)) => compare_rows(path, &then, &now, out),
            _ => out.push(format!("{path} is {}, was {}", short(now), short(then))),
        },
    }
}

fn fields(path: &str, then: &Map<String, Value>, now: &Map<String, Value>, out: &mut Vec<String>) {
    let keys: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    for key in keys {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match (then.get(key), now.get(key)) {
            (Some(then), Some(now)) => compare(&path, then, now, out),
            (Some(_), None) => out.push(format!("{path} is gone")),
            (None, Some(now)) => out.push(format!("{path} is new: {}", short(now))),
            (None, None) => {}
        }
    }
}

/// The objects of a list, or the one object in the place of a list of one.
fn rows(value: &Value) -> Option<Vec<&Value>> {
    match value {
        Value::Object(_) => Some(vec![value]),
        Value::Array(rows) if rows.iter().all(Value::is_object) => Some(rows.iter().collect()),
        _ => None,
    }
}

fn compare_rows(path: &str, then: &[&Value], now: &[&Value], out: &mut Vec<String>) {
    let same = |row: &Value, others: &[&Value]| others.iter().any(|other| canonical(other) == canonical(row));
    let only_then: Vec<&&Value> = then.iter().filter(|row| !same(row, now)).collect();
    let only_now: Vec<&&Value> = now.iter().filter(|row| !same(row, then)).collect();
    let twin = |row: &Value, others: &[&&Value]| {
        others.iter().position(|other| name(row).is_some() && name(other) == name(row))
    };
    for row in &only_then {
        match twin(row, &only_now).and_then(|index| only_now.get(index)) {
            Some(now) => compare(&named(path, row), row, now, out),
            None => out.push(format!("{} is gone", named(path, row))),
        }
    }
    for row in only_now.iter().filter(|row| twin(row, &only_then).is_none()) {
        out.push(format!("{} is new", named(path, row)));
    }
}

fn name(row: &Value) -> Option<&Value> {
    NAMES.iter().find_map(|name| row.get(name))
}

fn named(path: &str, row: &Value) -> String {
    match name(row) {
        Some(Value::String(name)) => format!("{path} {name}"),
        Some(name) => format!("{path} {name}"),
        None => format!("{path} {}", short(row)),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= LONGEST {
        return text;
    }
    format!("{}…", text.chars().take(LONGEST).collect::<String>())
}

#[test]
fn every_field_that_differs_is_named_and_no_other() {
    let check = |then: &str, now: &str, expected: &str| {
        let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(difference(&parse(then), &parse(now)), expected);
    };
    check(r#"{"a":[1,2]}"#, r#"{"a":[2,1]}"#, "");
    check(r#"{"a":{"b":1}}"#, r#"{"a":{"b":2}}"#, "a.b is 2, was 1");
    check(r#"{"a":1}"#, r#"{"b":1}"#, "a is gone; b is new: 1");
    check(
        r#"{"Statement":[{"Sid":"A","Action":"x"},{"Sid":"B"}]}"#,
        r#"{"Statement":[{"Sid":"C"},{"Sid":"A","Action":["x","y"]}]}"#,
        r#"Statement A.Action is ["x","y"], was "x"; Statement B is gone; Statement C is new"#,
    );
    check(
        r#"{"Statement":{"Sid":"A"}}"#,
        r#"{"Statement":[{"Sid":"A"},{"Effect":"Deny"}]}"#,
        r#"Statement {"Effect":"Deny"} is new"#,
    );
}
