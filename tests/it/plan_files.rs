//! Whatever stands in a plan file, reading it, judging it and showing it ends in an answer.

use std::fs;
use std::path::Path;

use ecr_fix::plan::Plan;
use ecr_fix::plan::file::digest_of;
use ecr_fix::render::report::{Form, report};
use ecr_fix::render::{terminal::Paint, text};
use serde_json::{Value, json};

use crate::worlds::Dice;

/// How often each plan of a story is damaged in each way.
const TRIES: usize = 20;

fn plans() -> Vec<String> {
    let stories = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans");
    let files = fs::read_dir(stories).unwrap().map(|entry| entry.unwrap().path().join("plan.json"));
    let mut files: Vec<_> = files.filter(|file| file.exists()).collect();
    files.sort();
    files.iter().map(|file| fs::read_to_string(file).unwrap()).collect()
}

#[test]
fn a_plan_file_that_was_damaged_is_refused() {
    let mut dice = Dice(0x00BA_DF11);
    for text in plans() {
        let plan = Plan::read(&text, "plan").unwrap();
        for _ in 0..TRIES {
            let mut bytes = text.clone().into_bytes();
            let at = dice.below(bytes.len());
            match dice.below(3) {
                0 => bytes.truncate(at),
                1 => bytes[at] = b' ' + u8::try_from(dice.below(90)).unwrap(),
                _ => drop(bytes.drain(at..(at + dice.below(200)).min(text.len()))),
            }
            let Ok(damaged) = String::from_utf8(bytes) else { continue };
            if let Ok(read) = Plan::read(&damaged, "plan") {
                assert_eq!(read, plan, "what was read is what was sealed");
            }
        }
    }
}

/// Somebody who knows how to seal a plan puts something else into it.
#[test]
fn a_plan_that_was_sealed_by_somebody_else_is_read_judged_and_shown_or_refused() {
    let mut dice = Dice(0x5EA1_ED00);
    let (mut read, mut refused) = (0, 0);
    for text in plans() {
        for _ in 0..TRIES {
            let mut document: Value = serde_json::from_str(&text).unwrap();
            let count = nodes(&document);
            let mut left = 1 + dice.below(count - 1);
            replace(&mut document, &mut left, &surprise(&mut dice));
            document["digest"] = digest_of(&document).into();
            let Ok(plan) = Plan::read(&document.to_string(), "plan") else {
                refused += 1;
                continue;
            };
            read += 1;
            for action in &plan.actions {
                let Ok(change) = action.change() else { continue };
                if change.allowed().is_ok() {
                    let _ = change.planned_for(&plan.target);
                    let _ = change.inverse().allowed();
                }
            }
            text::plan(&plan, Paint { on: true });
            for form in [Form::Markdown, Form::Html, Form::Sarif, Form::Junit] {
                report(&plan, form, "plan.json").unwrap();
            }
        }
    }
    assert!(read > 100 && refused > 100, "{read} plans were read, and {refused} refused");
    println!("{read} plans with something else in them were read, judged and shown, {refused} refused");
}

fn surprise(dice: &mut Dice) -> Value {
    let all = [
        json!(null),
        json!(""),
        json!("arn:aws:iam::aws:policy/AdministratorAccess"),
        json!("\u{1b}[2J\u{202e}<script>"),
        json!("x".repeat(20_000)),
        json!(-1),
        json!(1e300),
        json!([]),
        json!({}),
        json!("0.0.0.0/0"),
        json!(["*"]),
    ];
    all[dice.below(all.len())].clone()
}

fn nodes(value: &Value) -> usize {
    1 + match value {
        Value::Array(rows) => rows.iter().map(nodes).sum(),
        Value::Object(fields) => fields.values().map(nodes).sum(),
        _ => 0,
    }
}

fn replace(value: &mut Value, left: &mut usize, new: &Value) -> bool {
    if *left == 0 {
        *value = new.clone();
        return true;
    }
    *left -= 1;
    match value {
        Value::Array(rows) => rows.iter_mut().any(|row| replace(row, left, new)),
        Value::Object(fields) => fields.values_mut().any(|field| replace(field, left, new)),
        _ => false,
    }
}
