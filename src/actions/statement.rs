//! Edits of policy documents, one statement at a time: the bytes of all other statements stay.

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::Value;
use serde_json::value::RawValue;

use super::Undo;
use crate::json_text::{Fields, indent_before, range_within};
use crate::model::PolicyText;
use crate::model::policy_text::canonical;

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

/// Takes the change from `before` to `after` out of a document that others may have edited since, statement by
/// statement: theirs stay byte for byte. `None` stands for no document.
///
/// What they did to a statement that the change is about is an overlap, except that they took back just that.
pub fn undo(now: &str, before: Option<&str>, after: &str) -> Undo<String> {
    let forms = |document: &str| statements(document).map(|texts| texts.into_iter().map(form).collect());
    let read = |document: &str| -> Option<Vec<Value>> { forms(document).ok() };
    let (Some(present), Some(old), Some(new)) =
        (read(now), before.map_or(Some(Vec::new()), read), read(after))
    else {
        return Undo::Overlap("it cannot be read statement by statement".to_owned());
    };
    let old_texts = before.and_then(|before| statements(before).ok()).unwrap_or_default();
    let mut removed = beyond(&old, &new).into_iter();
    let mut added = beyond(&new, &old).into_iter();
    let foreign: Vec<&Value> = beyond(&present, &[old.as_slice(), new.as_slice()].concat())
        .into_iter()
        .filter_map(|at| present.get(at))
        .collect();
    let was_edited = |statement: &Value| foreign.iter().any(|other| is_version_of(other, statement));
    let mut edits: Vec<Edit<'_>> = Vec::new();
    loop {
        let (ours, theirs) = (added.next(), removed.next());
        let ours = ours.and_then(|at| new.get(at));
        let earlier = theirs.and_then(|at| Some((old.get(at)?, *old_texts.get(at)?)));
        let taken = |at: usize| edits.iter().any(|edit| edit.at == Some(at));
        let found = ours.and_then(|ours| {
            (0..present.len()).rev().find(|at| present.get(*at) == Some(ours) && !taken(*at))
        });
        match (ours, earlier) {
            (None, None) => break,
            (Some(_), _) if found.is_some() => {
                edits.push(Edit { at: found, text: earlier.map(|(_, text)| text) });
            }
            (_, Some((earlier, _))) if present.contains(earlier) => {}
            (Some(ours), None) if !was_edited(ours) => {}
            (None, Some((earlier, text))) if !was_edited(earlier) => {
                edits.push(Edit { at: None, text: Some(text) });
            }
            _ => return Undo::Overlap("the statement of this change has been changed since".to_owned()),
        }
    }
    if edits.is_empty() {
        return Undo::Nothing("somebody took it back already".to_owned());
    }
    match make_edits(now, edits) {
        Ok(document) => match statements(&document) {
            Ok(left) if left.is_empty() => Undo::Restored(None),
            _ => Undo::Restored(Some(document)),
        },
        Err(because) => Undo::Overlap(because),
    }
}

/// One statement of a document, by its place, gets another text or goes; without a place, the text is added.
struct Edit<'a> {
    at: Option<usize>,
    text: Option<&'a str>,
}

fn make_edits(document: &str, mut edits: Vec<Edit<'_>>) -> Result<String, String> {
    // From the last to the first, so that places stay true.
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.at));
    let mut edited = document.to_owned();
    for Edit { at, text } in edits {
        edited = match (at, text) {
            (Some(at), Some(text)) => replace_text(&edited, at, text)?,
            (Some(at), None) => remove(&edited, at)?,
            (None, Some(text)) => {
                append(&edited, &serde_json::from_str(text).map_err(|error| error.to_string())?)?
            }
            (None, None) => edited,
        };
    }
    Ok(edited)
}

/// The document without the statement at a place, and without the comma beside it.
fn remove(document: &str, index: usize) -> Result<String, String> {
    let (all, places) = places(document)?;
    let place = places.get(index).ok_or("it has no such statement")?;
    let before = index.checked_sub(1).and_then(|before| places.get(before));
    let range = match (before, places.get(index + 1)) {
        (Some(before), _) => before.end..place.end,
        (None, Some(next)) => place.start..next.start,
        (None, None) => all,
    };
    let alone = places.len() == 1;
    let mut edited = document.to_owned();
    edited.replace_range(range, if alone { "[]" } else { "" });
    Ok(edited)
}

fn replace_text(document: &str, index: usize, text: &str) -> Result<String, String> {
    let (_, places) = places(document)?;
    let place = places.get(index).ok_or("it has no such statement")?;
    let mut edited = document.to_owned();
    edited.replace_range(place.clone(), text);
    Ok(edited)
}

/// What a statement means, however it is written.
fn form(text: &str) -> Value {
    serde_json::from_str(text).map(|value: Value| canonical(&value)).unwrap_or_default()
}

/// The places of those of `these` that are not among `those`; of a statement that stands there twice, once each.
fn beyond(these: &[Value], those: &[Value]) -> Vec<usize> {
    let mut those: Vec<&Value> = those.iter().collect();
    let mut places = Vec::new();
    for (place, statement) in these.iter().enumerate() {
        match those.iter().position(|other| *other == statement) {
            Some(found) => drop(those.swap_remove(found)),
            None => places.push(place),
        }
    }
    places
}

/// Whether one statement can be what became of another: the same Sid, or the same effect for the same principals.
fn is_version_of(one: &Value, other: &Value) -> bool {
    let same = |name: &str| one.get(name).is_some() && one.get(name) == other.get(name);
    same("Sid") || same("Effect") && same("Principal")
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

/// The statements that only the old document has, and those that only the new one has. Statements that both have stand
/// there as the same bytes in the same order.
///
/// # Errors
/// Something beside the statements differs, or a document cannot be read.
pub fn differing<'a>(old: &'a str, new: &'a str) -> Result<(Vec<&'a str>, Vec<&'a str>), String> {
    if frame(old)? != frame(new)? {
        return Err("it changes something beside the statements".to_owned());
    }
    let (old, new) = (statements(old)?, statements(new)?);
    let only = |these: &[&'a str], those: &[&'a str]| {
        let mut those = those.to_vec();
        let mut left = these.to_vec();
        left.retain(|text| match those.iter().position(|other| other == text) {
            Some(found) => {
                those.remove(found);
                false
            }
            None => true,
        });
        left
    };
    let (gone, come) = (only(&old, &new), only(&new, &old));
    if only(&old, &gone) != only(&new, &come) {
        return Err("it changes the order of the statements".to_owned());
    }
    Ok((gone, come))
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

    const EC2: &str = r#"{"Sid":"Ec2", "Effect":"Allow","Principal":"ec2"}"#;
    const OLD: &str = r#"{ "Effect":"Allow","Principal":"fargate","Condition":"other" }"#;
    const NEW: &str = r#"{"Effect":"Allow","Principal":"fargate","Condition":"this"}"#;

    fn document(statements: &[&str]) -> String {
        format!("{{\"Version\":\"2012-10-17\",\"Statement\":[{}]}}", statements.join(" , "))
    }

    #[test]
    fn a_change_is_taken_out_and_edits_of_others_stay_byte_for_byte() {
        let theirs = r#"{"Sid" : "Theirs","Effect":"Allow","Principal":"lambda"}"#;
        let (before, after) = (document(&[EC2]), document(&[EC2, NEW]));
        let undo = |now: &[&str]| undo(&document(now), Some(&before), &after);
        let restored = |statements: &[&str]| Undo::Restored(Some(document(statements)));
        assert_eq!(undo(&[EC2, NEW]), restored(&[EC2]));
        assert_eq!(undo(&[theirs, EC2, NEW]), restored(&[theirs, EC2]));
        assert_eq!(undo(&[EC2, NEW, theirs]), restored(&[EC2, theirs]));
        assert_eq!(undo(&[NEW, theirs]), restored(&[theirs]), "they took a statement of theirs away");
        assert_eq!(undo(&[NEW]), Undo::Restored(None), "nothing else is left");
        assert!(matches!(undo(&[EC2, theirs]), Undo::Nothing(_)), "they took ours away");
        assert!(matches!(undo(&[EC2]), Undo::Nothing(_)));
        let edited = NEW.replace("this", "that");
        assert!(matches!(undo(&[EC2, &edited]), Undo::Overlap(_)), "they changed ours");
        assert!(matches!(super::undo("{}", Some(&before), &after), Undo::Overlap(_)));
        assert_eq!(super::undo(&document(&[theirs, NEW]), None, &document(&[NEW])), restored(&[theirs]));
    }

    #[test]
    fn a_statement_that_was_replaced_comes_back_as_it_was_written() {
        let theirs = r#"{"Sid":"Theirs"}"#;
        let (before, after) = (document(&[EC2, OLD]), document(&[EC2, NEW]));
        let undo = |now: &[&str]| undo(&document(now), Some(&before), &after);
        assert_eq!(undo(&[NEW, theirs]), Undo::Restored(Some(document(&[OLD, theirs]))));
        assert!(matches!(undo(&[OLD, theirs]), Undo::Nothing(_)));
        assert!(matches!(undo(&[EC2, theirs]), Undo::Overlap(_)), "theirs would come back that they deleted");
        assert!(matches!(undo(&[EC2, &NEW.replace("this", "that")]), Undo::Overlap(_)));
    }

    /// What somebody else does to a policy that has statements with the Sids 0 to 9, and to our statement.
    #[derive(Clone, Debug)]
    enum Edit {
        Add(u8, bool),
        Change(u8),
        Remove(u8),
    }

    fn statement_of(sid: u8, version: u8) -> String {
        format!(r#"{{"Sid":"S{sid}","Effect":"Allow","Principal":"p{sid}",  "Version":{version}}}"#)
    }

    fn edited(mut statements: Vec<String>, edits: &[Edit]) -> Vec<String> {
        let is = |text: &String, sid: u8| text.contains(&format!("\"S{sid}\""));
        for edit in edits {
            match edit {
                Edit::Add(sid, first) => {
                    let at = if *first { 0 } else { statements.len() };
                    statements.insert(at, statement_of(10 + sid, 0));
                }
                Edit::Change(sid) => {
                    for text in statements.iter_mut().filter(|text| is(text, *sid)) {
                        *text = text.replace("Version\":", "Version\":1");
                    }
                }
                Edit::Remove(sid) => statements.retain(|text| !is(text, *sid)),
            }
        }
        statements
    }

    fn any_edit() -> impl proptest::strategy::Strategy<Value = Edit> {
        use proptest::prelude::*;
        prop_oneof![
            (0..5_u8, any::<bool>()).prop_map(|(sid, first)| Edit::Add(sid, first)),
            (1..6_u8).prop_map(Edit::Change),
            (1..6_u8).prop_map(Edit::Remove),
        ]
    }

    proptest::proptest! {
        /// rollback(edits(apply(world))) == edits(world), for all edits beside the statement of the change.
        #[test]
        fn disjoint_edits_survive(
            count in 1..6_u8, at in 0..7_usize, replaced: bool, edits in proptest::collection::vec(any_edit(), 0..6)
        ) {
            let theirs: Vec<String> = (1..=count).map(|sid| statement_of(sid, 0)).collect();
            let ours = |version| {
                let mut all = theirs.clone();
                all.insert(at.min(theirs.len()), statement_of(0, version));
                all
            };
            let before = if replaced { ours(5) } else { theirs.clone() };
            let after = ours(7);
            let text = |all: &[String]| document(&all.iter().map(String::as_str).collect::<Vec<_>>());
            let (expected, now) = (edited(before.clone(), &edits), edited(after.clone(), &edits));
            let undone = undo(&text(&now), Some(&text(&before)), &text(&after));
            if expected.is_empty() {
                proptest::prop_assert_eq!(undone, Undo::Restored(None));
            } else {
                let Undo::Restored(Some(undone)) = undone else { panic!("{undone:?}") };
                proptest::prop_assert_eq!(statements(&undone).unwrap(), expected);
            }
        }

        /// Whoever edits the statement of the change finds it as they left it.
        #[test]
        fn overlapping_edits_are_left(
            count in 1..6_u8, replaced: bool, edits in proptest::collection::vec(any_edit(), 0..6)
        ) {
            let theirs: Vec<String> = (1..=count).map(|sid| statement_of(sid, 0)).collect();
            let with = |version| [theirs.clone(), vec![statement_of(0, version)]].concat();
            let before = if replaced { with(5) } else { theirs.clone() };
            let after = with(7);
            let now = edited(edited(after.clone(), &edits), &[Edit::Change(0)]);
            let text = |all: &[String]| document(&all.iter().map(String::as_str).collect::<Vec<_>>());
            let undone = undo(&text(&now), Some(&text(&before)), &text(&after));
            proptest::prop_assert!(matches!(undone, Undo::Overlap(_)), "{:?}", undone);
        }
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
