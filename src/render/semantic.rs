//! A change in words: the statements of a policy that come, go and change, instead of lines of JSON.
//!
//! Nothing is hidden: what these words cannot say is shown as the lines of the document.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::model::policy_text::canonical;
use crate::plan::Action;

/// One line of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What happens to what the line says.
    pub sign: Sign,
    /// As it came: whoever prints it escapes it.
    pub text: String,
    /// Whether it belongs to the line above it.
    pub is_detail: bool,
}

/// What happens to a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sign {
    /// It is new.
    Add,
    /// It goes away.
    Remove,
    /// It becomes another.
    Change,
    /// It stays.
    Keep,
}

impl Sign {
    /// The character in front of a line.
    pub fn as_char(self) -> char {
        match self {
            Sign::Add => '+',
            Sign::Remove => '-',
            Sign::Change => '~',
            Sign::Keep => ' ',
        }
    }

    /// In a word, for those who see no colour and hear no sign.
    pub fn as_word(self) -> &'static str {
        match self {
            Sign::Add => "added",
            Sign::Remove => "removed",
            Sign::Change => "changed",
            Sign::Keep => "unchanged",
        }
    }
}

/// What an action does to its resource.
pub fn sign(action: &Action) -> Sign {
    match (action.before.is_null(), action.after.is_null()) {
        (true, _) => Sign::Add,
        (_, true) => Sign::Remove,
        _ => Sign::Change,
    }
}

/// What an action changes, in words where it is about a policy, and else line by line.
pub fn lines(action: &Action) -> Vec<Line> {
    let (before, after) = (fields(&action.before), fields(&action.after));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differing: Vec<&String> =
        names.into_iter().filter(|name| before.get(*name) != after.get(*name)).collect();
    let policies: Vec<&&String> = differing
        .iter()
        .filter(|name| is_policy(before.get(**name)) || is_policy(after.get(**name)))
        .collect();
    // What a resource says of itself is better than the names of its fields, unless it is a whole document.
    if policies.is_empty() || differing.len() > policies.len() {
        return with_policies_in_words(&raw_lines(action));
    }
    policies.into_iter().flat_map(|name| policy_lines(before.get(*name), after.get(*name))).collect()
}

/// The change as the lines of the resource.
pub fn raw_lines(action: &Action) -> Vec<Line> {
    action.diff.lines().map(raw_line).collect()
}

/// The lines, with every policy that comes or goes as a whole in words.
fn with_policies_in_words(lines: &[Line]) -> Vec<Line> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let (words, length) =
            whole_policy(lines.get(at..).unwrap_or_default()).unwrap_or_else(|| (vec![line.clone()], 1));
        out.extend(words);
        at += length;
    }
    out
}

/// A policy that starts here, all of one sign: in words, and how many lines it takes.
fn whole_policy(lines: &[Line]) -> Option<(Vec<Line>, usize)> {
    let first = lines.first().filter(|line| line.text.trim() == "{")?;
    let end = first.text.replace('{', "}");
    let length = lines.iter().position(|line| line.text == end)? + 1;
    let block = lines.get(..length).filter(|block| block.iter().all(|line| line.sign == first.sign))?;
    let text: String = block.iter().map(|line| format!("{}\n", line.text)).collect();
    let policy = Value::String(text);
    let (before, after) = match first.sign {
        Sign::Add => (None, Some(&policy)),
        Sign::Remove => (Some(&policy), None),
        Sign::Change | Sign::Keep => return None,
    };
    is_policy(Some(&policy)).then(|| {
        let words = policy_lines(before, after).into_iter();
        (words.map(|line| Line { is_detail: true, ..line }).collect(), length)
    })
}

fn raw_line(line: &str) -> Line {
    let sign = match line.chars().next() {
        Some('+') => Sign::Add,
        Some('-') => Sign::Remove,
        Some('~') => Sign::Change,
        _ => Sign::Keep,
    };
    let text = line.strip_prefix(['+', '-', '~', ' ']).unwrap_or(line);
    Line { sign, text: text.strip_prefix(' ').unwrap_or(text).to_owned(), is_detail: false }
}

fn fields(state: &Value) -> Map<String, Value> {
    state.as_object().cloned().unwrap_or_default()
}

fn is_policy(field: Option<&Value>) -> bool {
    field.and_then(document).is_some_and(|document| document.contains_key("Statement"))
}

/// A policy document, which may stand in the plan as text.
fn document(field: &Value) -> Option<Map<String, Value>> {
    match field {
        Value::String(text) => serde_json::from_str(text).ok(),
        Value::Object(document) => Some(document.clone()),
        _ => None,
    }
}

fn policy_lines(before: Option<&Value>, after: Option<&Value>) -> Vec<Line> {
    let (Some(before), Some(after)) = (policy(before), policy(after)) else {
        let whole = |sign, field: Option<&Value>| field.map(|field| line(sign, field.to_string()));
        return [whole(Sign::Remove, before), whole(Sign::Add, after)].into_iter().flatten().collect();
    };
    let (mut old, mut new) = (statements(&before), statements(&after));
    let kept = take_common(&mut old, &mut new);
    let changed = take_pairs(&mut old, &mut new);
    let mut lines = frame_lines(&before, &after);
    for (from, to) in changed {
        lines.extend(changed_statement(&from, &to));
    }
    lines.extend(old.iter().map(|statement| line(Sign::Remove, in_words(statement))));
    lines.extend(new.iter().map(|statement| line(Sign::Add, in_words(statement))));
    if lines.is_empty() {
        lines.push(line(Sign::Change, "only the layout of the document changes".to_owned()));
    }
    match kept {
        0 => {}
        1 => lines.push(line(Sign::Keep, "1 other statement stays as it is".to_owned())),
        _ => lines.push(line(Sign::Keep, format!("{kept} other statements stay as they are"))),
    }
    lines
}

/// A document that is not there has nothing in it; one that cannot be read is none.
fn policy(field: Option<&Value>) -> Option<Map<String, Value>> {
    match field {
        None | Some(Value::Null) => Some(Map::new()),
        Some(field) => document(field),
    }
}

fn line(sign: Sign, text: String) -> Line {
    Line { sign, text, is_detail: false }
}

fn detail(sign: Sign, text: String) -> Line {
    Line { sign, text, is_detail: true }
}

fn statements(document: &Map<String, Value>) -> Vec<Value> {
    match document.get("Statement") {
        Some(Value::Array(statements)) => statements.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    }
}

/// Takes out the statements that mean the same on both sides, and says how many.
fn take_common(old: &mut Vec<Value>, new: &mut Vec<Value>) -> usize {
    let before = old.len();
    old.retain(|statement| {
        let same = new.iter().position(|other| canonical(other) == canonical(statement));
        same.map(|place| new.remove(place)).is_none()
    });
    before - old.len()
}

/// Takes out the statements that became others: those of one Sid, and the last one that is left on both sides.
fn take_pairs(old: &mut Vec<Value>, new: &mut Vec<Value>) -> Vec<(Value, Value)> {
    let mut pairs = Vec::new();
    old.retain(|statement| {
        let sid = statement.get("Sid").filter(|sid| sid.is_string());
        let same = sid.and_then(|sid| new.iter().position(|other| other.get("Sid") == Some(sid)));
        match same {
            Some(place) => pairs.push((statement.clone(), new.remove(place))),
            None => return true,
        }
        false
    });
    if let ([from], [to]) = (old.as_slice(), new.as_slice())
        && from.get("Effect") == to.get("Effect")
        && !facts(from).is_disjoint(&facts(to))
    {
        pairs.push((from.clone(), to.clone()));
        old.clear();
        new.clear();
    }
    pairs
}

/// What changes of a document beside its statements.
fn frame_lines(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<Line> {
    if before.is_empty() || after.is_empty() {
        return Vec::new();
    }
    let names: BTreeSet<&String> =
        before.keys().chain(after.keys()).filter(|name| *name != "Statement").collect();
    let changed = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    changed
        .map(|name| match (before.get(name), after.get(name)) {
            (Some(from), Some(to)) => line(Sign::Change, format!("{name}: {} -> {}", plain(from), plain(to))),
            (Some(from), None) => line(Sign::Remove, format!("{name}: {}", plain(from))),
            (None, to) => line(Sign::Add, format!("{name}: {}", to.map(plain).unwrap_or_default())),
        })
        .collect()
}

fn changed_statement(from: &Value, to: &Value) -> Vec<Line> {
    let (old, new) = (facts(from), facts(to));
    let effect = to.get("Effect").and_then(Value::as_str).unwrap_or_default();
    let mut lines = vec![line(Sign::Change, format!("{}: {effect}", name(to)))];
    lines.extend(old.difference(&new).map(|fact| detail(Sign::Remove, fact.clone())));
    lines.extend(new.difference(&old).map(|fact| detail(Sign::Add, fact.clone())));
    lines
}

/// Everything that a statement says, one thing each: two statements with the same facts mean the same.
fn facts(statement: &Value) -> BTreeSet<String> {
    let mut facts = BTreeSet::new();
    for (element, value) in statement.as_object().into_iter().flatten() {
        match (element.as_str(), value) {
            ("Principal" | "NotPrincipal", Value::Object(kinds)) => {
                let of_kind = |(kind, ids): (&String, &Value)| {
                    values(ids).into_iter().map(|id| format!("{element} {kind}: {id}")).collect::<Vec<_>>()
                };
                facts.extend(kinds.iter().flat_map(of_kind));
            }
            ("Condition", Value::Object(operators)) => {
                for (operator, keys) in operators {
                    let Some(keys) = keys.as_object() else {
                        facts.insert(format!("if {operator}: {keys}"));
                        continue;
                    };
                    for (key, wanted) in keys {
                        let each = values(wanted).into_iter();
                        facts.extend(each.map(|wanted| format!("if {operator} {key}: {wanted}")));
                    }
                }
            }
            _ => facts.extend(values(value).into_iter().map(|value| format!("{element}: {value}"))),
        }
    }
    facts
}

fn name(statement: &Value) -> String {
    match statement.get("Sid").and_then(Value::as_str) {
        Some(sid) if !sid.is_empty() => format!("statement {sid}"),
        _ => "statement without Sid".to_owned(),
    }
}

/// A whole statement as a sentence.
fn in_words(statement: &Value) -> String {
    let Some(elements) = statement.as_object() else { return format!("statement {statement}") };
    let part = |element: &str, before: &str| {
        let value = elements.get(element)?;
        Some(format!(" {before}{}", values(value).join(", ")))
    };
    let mut text = format!("{}: {}", name(statement), elements.get("Effect").map(plain).unwrap_or_default());
    text += &part("Action", "").unwrap_or_default();
    text += &part("NotAction", "every action but ").unwrap_or_default();
    text += &part("Resource", "on ").unwrap_or_default();
    text += &part("NotResource", "on everything but ").unwrap_or_default();
    text += &elements.get("Principal").map(|who| format!(" to {}", principals(who))).unwrap_or_default();
    text += &elements
        .get("NotPrincipal")
        .map(|who| format!(" to all but {}", principals(who)))
        .unwrap_or_default();
    text += &elements.get("Condition").map(conditions).unwrap_or_default();
    const SAID: [&str; 9] = [
        "Sid",
        "Effect",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Principal",
        "NotPrincipal",
        "Condition",
    ];
    for (element, value) in elements.iter().filter(|(element, _)| !SAID.contains(&element.as_str())) {
        text += &format!(" [{element}: {value}]");
    }
    text
}

fn principals(who: &Value) -> String {
    let Some(kinds) = who.as_object() else {
        return if who == "*" { "anyone (*)".to_owned() } else { plain(who) };
    };
    let of_kind = |(kind, ids): (&String, &Value)| {
        let ids = values(ids).join(", ");
        match kind.as_str() {
            "AWS" if ids == "*" => "anyone (*)".to_owned(),
            "AWS" => ids,
            "Service" => format!("service {ids}"),
            _ => format!("{kind} {ids}"),
        }
    };
    kinds.iter().map(of_kind).collect::<Vec<_>>().join(", ")
}

fn conditions(condition: &Value) -> String {
    let Some(operators) = condition.as_object() else { return format!(", if {condition}") };
    let mut parts = Vec::new();
    for (operator, keys) in operators {
        match keys.as_object() {
            Some(keys) => parts.extend(
                keys.iter().map(|(key, wanted)| format!("{key} {operator} {}", values(wanted).join(" or "))),
            ),
            None => parts.push(format!("{operator} {keys}")),
        }
    }
    format!(", if {}", parts.join(" and "))
}

/// The values of an element, which may stand alone.
fn values(value: &Value) -> Vec<String> {
    match value {
        Value::Array(all) => all.iter().map(plain).collect(),
        one => vec![plain(one)],
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(before: Value, after: Value) -> String {
        let lines = policy_lines(Some(&before), Some(&after));
        let text = |line: &Line| {
            let indent = if line.is_detail { "  " } else { "" };
            format!("{} {indent}{}\n", line.sign.as_char(), line.text)
        };
        lines.iter().map(text).collect()
    }

    #[test]
    fn a_new_statement_is_a_sentence() {
        let others = json!({"Sid": "Old", "Effect": "Deny", "Principal": "*", "Action": "ecr:*"});
        let ours = json!({
            "Sid": "EcrFixPull", "Effect": "Allow",
            "Principal": {"AWS": ["arn:aws:iam::1:role/x", "arn:aws:iam::2:role/y"]},
            "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            "Condition": {"StringEquals": {"aws:SourceVpce": ["vpce-1", "vpce-2"]}, "Bool": {"aws:SecureTransport": "true"}}
        });
        let before = json!({"Version": "2008-10-17", "Statement": others});
        let after = json!({"Version": "2008-10-17", "Statement": [others, ours]});
        expect_test::expect![[r#"
            + statement EcrFixPull: Allow ecr:BatchGetImage, ecr:GetDownloadUrlForLayer to arn:aws:iam::1:role/x, arn:aws:iam::2:role/y, if aws:SourceVpce StringEquals vpce-1 or vpce-2 and aws:SecureTransport Bool true
              1 other statement stays as it is
        "#]].assert_eq(&shown(before.clone(), after.clone()));
        expect_test::expect![[r#"
            - statement EcrFixPull: Allow ecr:BatchGetImage, ecr:GetDownloadUrlForLayer to arn:aws:iam::1:role/x, arn:aws:iam::2:role/y, if aws:SourceVpce StringEquals vpce-1 or vpce-2 and aws:SecureTransport Bool true
              1 other statement stays as it is
        "#]].assert_eq(&shown(after, before));
    }

    #[test]
    fn a_changed_statement_names_only_what_changes() {
        let statement = |arns: Value| {
            json!({"Statement": [{
                "Effect": "Allow", "Principal": {"Service": "eks-fargate-pods.amazonaws.com"},
                "Action": "sts:AssumeRole", "Condition": {"ArnLike": {"aws:SourceArn": arns}}
            }]})
        };
        expect_test::expect![[r#"
            ~ statement without Sid: Allow
            +   if ArnLike aws:SourceArn: b
        "#]]
        .assert_eq(&shown(statement(json!("a")), statement(json!(["a", "b"]))));
    }

    #[test]
    fn a_policy_within_a_larger_change_is_in_words_too() {
        let policy = [
            "policy",
            "  {",
            "    \"Statement\": [",
            "      {\"Effect\": \"Allow\", \"Action\": \"s3:GetObject\"}",
            "    ]",
            "  }",
            "end",
        ];
        let said = |sign| {
            let lines: Vec<Line> = policy.iter().map(|text| line(sign, (*text).to_owned())).collect();
            with_policies_in_words(&lines).into_iter().map(|line| line.text).collect::<Vec<_>>()
        };
        assert_eq!(said(Sign::Add), ["policy", "statement without Sid: Allow s3:GetObject", "end"]);
        assert_eq!(said(Sign::Remove), said(Sign::Add));
        assert_eq!(said(Sign::Keep), policy, "what stays is no change");
        let mixed: Vec<Line> = policy
            .iter()
            .zip([Sign::Add, Sign::Add, Sign::Keep].into_iter().cycle())
            .map(|(text, sign)| line(sign, (*text).to_owned()))
            .collect();
        assert_eq!(with_policies_in_words(&mixed), mixed);
    }

    #[test]
    fn nothing_is_hidden() {
        let document = |statement: Value| json!({"Version": "2012-10-17", "Statement": [statement]});
        expect_test::expect![[r#"
            ~ statement X: Deny
            -   Effect: Allow
            +   Effect: Deny
        "#]]
        .assert_eq(&shown(
            document(json!({"Sid": "X", "Effect": "Allow", "Action": "a:b"})),
            document(json!({"Sid": "X", "Effect": "Deny", "Action": "a:b"})),
        ));
        expect_test::expect![[r#"
            ~ Version: 2012-10-17 -> 2008-10-17
            - statement without Sid: Allow every action but a:b on everything but r to anyone (*) [Odd: {"x":1}]
        "#]].assert_eq(&shown(
            document(json!({
                "Effect": "Allow", "NotAction": "a:b", "NotResource": "r", "Principal": {"AWS": "*"}, "Odd": {"x": 1}
            })),
            json!({"Version": "2008-10-17", "Statement": []}),
        ));
        expect_test::expect![[r#"
            ~ only the layout of the document changes
              1 other statement stays as it is
        "#]]
        .assert_eq(&shown(
            document(json!({"Effect": "Allow", "Action": ["a:b"]})),
            document(json!({"Action": "a:b", "Effect": "Allow"})),
        ));
    }

    proptest::proptest! {
        /// Whatever changes in meaning is in the words.
        #[test]
        fn two_documents_that_differ_read_differently(
            one in statement(), other in statement(), kept in statement(),
        ) {
            let document = |statement: &Value| json!({"Statement": [kept, statement]});
            let lines = policy_lines(Some(&document(&one)), Some(&document(&other)));
            // That a statement changes says nothing without what changes in it.
            let says_nothing = !lines.iter().any(|line| matches!(line.sign, Sign::Add | Sign::Remove));
            proptest::prop_assert_eq!(says_nothing, canonical(&one) == canonical(&other));
        }
    }

    fn statement() -> impl proptest::strategy::Strategy<Value = Value> {
        use proptest::prelude::*;
        let word = || prop::sample::select(vec!["a", "b", "*"]);
        let words = || prop::collection::vec(word(), 1..3);
        (
            prop::bool::ANY,
            words(),
            prop::option::of(words()),
            prop::option::of(words()),
            prop::option::of(word()),
        )
            .prop_map(|(allow, actions, resources, sources, sid)| {
                let mut statement =
                    json!({"Effect": if allow { "Allow" } else { "Deny" }, "Action": actions});
                if let Some(resources) = resources {
                    statement["Resource"] = json!(resources);
                }
                if let Some(sources) = sources {
                    statement["Condition"] = json!({"StringEquals": {"aws:SourceVpce": sources}});
                }
                if let Some(sid) = sid {
                    statement["Sid"] = json!(sid);
                }
                statement
            })
    }
}
