//! A policy document, read strictly and compiled.
//!
//! Source: IAM user guide, "Grammar of the IAM JSON policy language". What AWS would refuse to store is an
//! error here, with two exceptions, which depend on where a policy is attached: a `Principal` element in a
//! policy that must not have one is ignored, and a statement of a resource policy that should have one and
//! has none means nobody.

use std::collections::BTreeSet;
use std::fmt;

use super::condition::Condition;
use super::glob::Glob;
use super::json::{Json, step};
use super::policies::Layer;
use super::{principal, resource};

/// The longest document that is read, in bytes. The longest that AWS stores is that of a KMS key: 32 KiB.
pub const LONGEST_DOCUMENT: usize = 128 * 1024;

/// The longest single text in a document, in bytes.
const LONGEST_TEXT: usize = 8 * 1024;

/// Why a text is not a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// Where: a JSON pointer (RFC 6901) below the document.
    pub pointer: String,
    /// What is wrong, and what was expected.
    pub message: String,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pointer = if self.pointer.is_empty() { "/" } else { &self.pointer };
        write!(out, "at {pointer}: {}", self.message)
    }
}

impl std::error::Error for PolicyError {}

/// A policy document, ready to be evaluated.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    pub(super) statements: Vec<Statement>,
    /// `Statement` is one object, not a list: for JSON pointers.
    is_single: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Statement {
    pub sid: Option<String>,
    pub effect: Effect,
    pub principal: Option<Choice<principal::Entry>>,
    pub action: Choice<Action>,
    pub resource: Option<Choice<resource::Entry>>,
    pub conditions: Vec<Condition>,
}

/// Whether a statement allows or denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub enum Effect {
    /// `Allow`
    Allow,
    /// `Deny`
    Deny,
}

/// `Action` or `NotAction`, `Resource` or `NotResource`, `Principal` or `NotPrincipal`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Choice<T> {
    /// Everything but the entries is meant.
    pub negated: bool,
    pub entries: Vec<T>,
    /// The entries as they are written.
    pub written: Vec<String>,
}

/// One entry of `Action` or `NotAction`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    /// `*`
    All,
    /// In lower case: the prefix of a service, and the pattern of its actions.
    Of { service: String, name: Glob },
}

impl Action {
    fn new(text: &str) -> Result<Action, &'static str> {
        if !text.is_empty() && text.chars().all(|c| c == '*') {
            return Ok(Action::All);
        }
        let lower = text.to_lowercase();
        let Some((service, name)) = lower.split_once(':') else {
            return Err("an action is \"*\" or SERVICE:ACTION");
        };
        if name.contains(':') {
            return Err("an action has one colon: SERVICE:ACTION");
        }
        if service == "*" && name == "*" {
            return Ok(Action::All);
        }
        if service.is_empty() || !service.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            return Err(
                "the service of an action consists of letters, digits and hyphens, without wildcards",
            );
        }
        let of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '*' | '?' | '-' | '_' | ',' | ' ');
        if !name.chars().all(of_name) {
            return Err("the name of an action consists of letters, digits and wildcards");
        }
        // White space and commas are stored by AWS, and match no action.
        Ok(Action::Of { service: service.to_owned(), name: Glob::new(name) })
    }

    /// Whether it means an action, which must be in lower case.
    pub(super) fn matches(&self, service: &str, name: &str) -> bool {
        match self {
            Action::All => true,
            Action::Of { service: its, name: pattern } => its == service && pattern.matches(name),
        }
    }

    pub(super) fn is_of_service(&self, service: &str) -> bool {
        match self {
            Action::All => true,
            Action::Of { service: its, .. } => its == service,
        }
    }
}

impl Document {
    /// Whether a condition asks for a key that starts so, in lower case.
    pub fn asks_for(&self, start: &str) -> bool {
        let mut conditions = self.statements.iter().flat_map(|statement| &statement.conditions);
        conditions.any(|condition| condition.key.to_lowercase().starts_with(start))
    }

    /// Reads a document.
    ///
    /// # Errors
    /// Where the text is not a policy, by JSON pointer.
    pub fn parse(text: &str) -> Result<Document, PolicyError> {
        if text.len() > LONGEST_DOCUMENT {
            let message = format!("the document has {} bytes, more than {LONGEST_DOCUMENT}", text.len());
            return Err(PolicyError { pointer: String::new(), message });
        }
        let json = Json::parse(text)
            .map_err(|error| PolicyError { pointer: String::new(), message: format!("not JSON: {error}") })?;
        document(&json)
    }

    /// Compiles a document that was read as part of another file.
    pub(super) fn compile(json: &Json) -> Result<Document, PolicyError> {
        if json.len() > LONGEST_DOCUMENT {
            return fail("", format!("the document has {} bytes, more than {LONGEST_DOCUMENT}", json.len()));
        }
        document(json)
    }

    /// How many statements it has.
    pub fn len(&self) -> usize {
        self.statements.len()
    }

    /// Whether it has no statement: it neither allows nor denies anything.
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// Checks what depends on where a policy is attached: only policies of resources may leave the resource
    /// to the place where they stand.
    pub(super) fn fit_for(self, layer: Layer) -> Result<Document, PolicyError> {
        let without = self.statements.iter().position(|statement| statement.resource.is_none());
        match without {
            Some(index) if layer != Layer::Resource => {
                let pointer =
                    if self.is_single { "/Statement".to_owned() } else { format!("/Statement/{index}") };
                fail(&pointer, "a statement of this policy needs the element Resource or NotResource")
            }
            _ => Ok(self),
        }
    }
}

/// A value with the place where it stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    json: &'a Json,
    pointer: &'a str,
}

fn fail<T>(pointer: &str, message: impl Into<String>) -> Result<T, PolicyError> {
    Err(PolicyError { pointer: pointer.to_owned(), message: message.into() })
}

fn document(json: &Json) -> Result<Document, PolicyError> {
    let Json::Object(entries) = json else {
        return fail("", format!("a policy is an object, this is {}", json.kind()));
    };
    let mut variables = false;
    for (key, value) in entries {
        let pointer = step("", key);
        match (key.as_str(), value) {
            ("Version", Json::Text(version)) if version == "2012-10-17" => variables = true,
            ("Version", Json::Text(version)) if version == "2008-10-17" => {}
            ("Version", _) => return fail(&pointer, "the version is \"2012-10-17\" or \"2008-10-17\""),
            ("Id", Json::Text(_)) | ("Statement", _) => {}
            ("Id", _) => return fail(&pointer, format!("expected a string, this is {}", value.kind())),
            _ => return fail(&pointer, format!("a policy has no element {key:?}")),
        }
    }
    let Some((_, written)) = entries.iter().find(|(key, _)| key == "Statement") else {
        return fail("", "a policy needs the element Statement");
    };
    let statements = match written {
        Json::List(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| statement(item, &step("/Statement", index), variables))
            .collect::<Result<Vec<_>, _>>()?,
        single => vec![statement(single, "/Statement", variables)?],
    };
    distinct_sids(&statements)?;
    Ok(Document { statements, is_single: !matches!(written, Json::List(_)) })
}

fn distinct_sids(statements: &[Statement]) -> Result<(), PolicyError> {
    let mut seen = BTreeSet::new();
    for (index, statement) in statements.iter().enumerate() {
        let Some(sid) = statement.sid.as_deref().filter(|sid| !sid.is_empty()) else { continue };
        if !seen.insert(sid) {
            return fail(
                &format!("/Statement/{index}/Sid"),
                format!("the Sid {sid:?} stands twice in the policy"),
            );
        }
    }
    Ok(())
}

fn statement(json: &Json, pointer: &str, variables: bool) -> Result<Statement, PolicyError> {
    let Json::Object(entries) = json else {
        return fail(pointer, format!("a statement is an object, this is {}", json.kind()));
    };
    let mut read = Read::default();
    for (key, value) in entries {
        let place = step(pointer, key);
        read.element(key, Place { json: value, pointer: &place }, variables)?;
    }
    let Some(effect) = read.effect else {
        return fail(pointer, "a statement needs the element Effect: \"Allow\" or \"Deny\"");
    };
    let Some(action) = one_of(read.action, read.not_action, pointer, "Action", "NotAction")? else {
        return fail(pointer, "a statement needs the element Action or NotAction");
    };
    Ok(Statement {
        sid: read.sid,
        effect,
        principal: one_of(read.principal, read.not_principal, pointer, "Principal", "NotPrincipal")?,
        action,
        resource: one_of(read.resource, read.not_resource, pointer, "Resource", "NotResource")?,
        conditions: read.conditions,
    })
}

/// The elements of a statement, as far as they were read.
#[derive(Default)]
struct Read {
    sid: Option<String>,
    effect: Option<Effect>,
    principal: Option<Choice<principal::Entry>>,
    not_principal: Option<Choice<principal::Entry>>,
    action: Option<Choice<Action>>,
    not_action: Option<Choice<Action>>,
    resource: Option<Choice<resource::Entry>>,
    not_resource: Option<Choice<resource::Entry>>,
    conditions: Vec<Condition>,
}

impl Read {
    fn element(&mut self, key: &str, place: Place<'_>, variables: bool) -> Result<(), PolicyError> {
        match key {
            "Sid" => self.sid = Some(text(place)?),
            "Effect" => self.effect = Some(effect(place)?),
            "Principal" => self.principal = Some(principals(place, false)?),
            "NotPrincipal" => self.not_principal = Some(principals(place, true)?),
            "Action" => self.action = Some(choice(place, false, action)?),
            "NotAction" => self.not_action = Some(choice(place, true, action)?),
            "Resource" => self.resource = Some(choice(place, false, |text| resource(text, variables))?),
            "NotResource" => self.not_resource = Some(choice(place, true, |text| resource(text, variables))?),
            "Condition" => self.conditions = conditions(place, variables)?,
            _ => return fail(place.pointer, format!("a statement has no element {key:?}")),
        }
        Ok(())
    }
}

fn one_of<T>(
    plain: Option<T>,
    negated: Option<T>,
    pointer: &str,
    name: &str,
    negated_name: &str,
) -> Result<Option<T>, PolicyError> {
    match (plain, negated) {
        (Some(_), Some(_)) => fail(pointer, format!("a statement has {name} or {negated_name}, not both")),
        (one, None) | (None, one) => Ok(one),
    }
}

fn text(place: Place<'_>) -> Result<String, PolicyError> {
    match place.json {
        Json::Text(text) if text.len() > LONGEST_TEXT => {
            fail(place.pointer, format!("the text has {} bytes, more than {LONGEST_TEXT}", text.len()))
        }
        Json::Text(text) => Ok(text.clone()),
        other => fail(place.pointer, format!("expected a string, this is {}", other.kind())),
    }
}

/// A string, or a list of strings, each with its pointer.
fn texts(place: Place<'_>) -> Result<Vec<(String, String)>, PolicyError> {
    match place.json {
        Json::List(items) => items
            .iter()
            .enumerate()
            .map(|(index, json)| {
                let pointer = step(place.pointer, index);
                text(Place { json, pointer: &pointer }).map(|text| (text, pointer))
            })
            .collect(),
        Json::Text(_) => Ok(vec![(text(place)?, place.pointer.to_owned())]),
        other => {
            fail(place.pointer, format!("expected a string or a list of strings, this is {}", other.kind()))
        }
    }
}

fn effect(place: Place<'_>) -> Result<Effect, PolicyError> {
    match place.json {
        Json::Text(text) if text == "Allow" => Ok(Effect::Allow),
        Json::Text(text) if text == "Deny" => Ok(Effect::Deny),
        _ => fail(place.pointer, "the effect is exactly \"Allow\" or \"Deny\""),
    }
}

fn choice<T>(
    place: Place<'_>,
    negated: bool,
    read: impl Fn(&str) -> Result<T, &'static str>,
) -> Result<Choice<T>, PolicyError> {
    let mut choice = Choice { negated, entries: Vec::new(), written: Vec::new() };
    for (text, pointer) in texts(place)? {
        match read(&text) {
            Ok(entry) => choice.entries.push(entry),
            Err(message) => return fail(&pointer, format!("{message}; this is {text:?}")),
        }
        choice.written.push(text);
    }
    if choice.entries.is_empty() {
        return fail(place.pointer, "the list is empty");
    }
    Ok(choice)
}

fn action(text: &str) -> Result<Action, &'static str> {
    Action::new(text)
}

fn resource(text: &str, variables: bool) -> Result<resource::Entry, &'static str> {
    resource::Entry::new(text, variables).ok_or("a resource is \"*\" or an ARN")
}

fn principals(place: Place<'_>, negated: bool) -> Result<Choice<principal::Entry>, PolicyError> {
    let mut choice = Choice { negated, entries: Vec::new(), written: Vec::new() };
    let entries = match place.json {
        Json::Text(text) if principal::Entry::is_plain(text) => {
            choice.entries.push(principal::Entry::aws(text));
            choice.written.push(text.clone());
            return Ok(choice);
        }
        Json::Object(entries) => entries,
        _ => return fail(place.pointer, "a principal is \"*\" or an object such as {\"AWS\": …}"),
    };
    for (key, json) in entries {
        let pointer = step(place.pointer, key);
        let read: fn(&str) -> principal::Entry = match key.as_str() {
            "AWS" => principal::Entry::aws,
            "Service" | "Federated" | "CanonicalUser" => |text| principal::Entry::Named(text.to_owned()),
            _ => return fail(&pointer, "a principal is of AWS, Service, Federated or CanonicalUser"),
        };
        for (text, _) in texts(Place { json, pointer: &pointer })? {
            choice.entries.push(read(&text));
            choice.written.push(text);
        }
    }
    if choice.entries.is_empty() {
        return fail(place.pointer, "nobody is named");
    }
    Ok(choice)
}

fn conditions(place: Place<'_>, variables: bool) -> Result<Vec<Condition>, PolicyError> {
    let mut found = Vec::new();
    for (operator, keys) in entries(place)? {
        let pointer = step(place.pointer, operator);
        for (key, values) in entries(Place { json: keys, pointer: &pointer })? {
            let values = condition_values(Place { json: values, pointer: &step(&pointer, key) })?;
            match Condition::new(operator, key, values, variables) {
                Some(condition) => found.push(condition),
                None => return fail(&pointer, format!("there is no condition operator {operator:?}")),
            }
        }
        if Condition::new(operator, "", Vec::new(), variables).is_none() {
            return fail(&pointer, format!("there is no condition operator {operator:?}"));
        }
    }
    Ok(found)
}

fn entries<'a>(place: Place<'a>) -> Result<&'a [(String, Json)], PolicyError> {
    match place.json {
        Json::Object(entries) => Ok(entries),
        other => fail(place.pointer, format!("expected an object, this is {}", other.kind())),
    }
}

fn condition_values(place: Place<'_>) -> Result<Vec<String>, PolicyError> {
    match place.json {
        Json::List(items) => items
            .iter()
            .enumerate()
            .map(|(index, json)| condition_value(Place { json, pointer: &step(place.pointer, index) }))
            .collect(),
        _ => Ok(vec![condition_value(place)?]),
    }
}

fn condition_value(place: Place<'_>) -> Result<String, PolicyError> {
    match place.json {
        Json::Bool(value) => Ok(value.to_string()),
        Json::Number(number) => Ok(number.clone()),
        Json::Text(_) => text(place),
        other => fail(
            place.pointer,
            format!("a value of a condition is a string, a number or a boolean, this is {}", other.kind()),
        ),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, expected: Expect) {
        let answer = match Document::parse(text) {
            Ok(document) => format!("{} statements", document.len()),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&answer);
    }

    fn statement(fields: &str, expected: Expect) {
        check(&format!(r#"{{"Version": "2012-10-17", "Statement": [{{{fields}}}]}}"#), expected);
    }

    #[test]
    fn what_the_grammar_takes() {
        check(r#"{"Statement": []}"#, expect!["0 statements"]);
        check(
            r#"{"Version": "2008-10-17", "Id": "x", "Statement": {"Effect": "Deny", "Action": "*"}}"#,
            expect!["1 statements"],
        );
        for fields in [
            r#""Effect": "Allow", "Action": "ecr:*""#,
            r#""Sid": "A b", "Effect": "Deny", "NotAction": ["ecr:Get*", "s3:?et"], "NotResource": "arn:aws:s3:::b""#,
            r#""Effect": "Allow", "Action": "*", "Principal": "*""#,
            r#""Effect": "Allow", "Action": "*:*", "Principal": {"AWS": ["*", "111122223333"], "Service": "ec2.amazonaws.com"}"#,
            r#""Effect": "Allow", "Action": "*", "NotPrincipal": {"Federated": "a", "CanonicalUser": "b"}"#,
            r#""Effect": "Allow", "Action": "*", "Principal": "arn:aws:iam::111122223333:user/ann""#,
            r#""Effect": "Allow", "Action": "*", "Condition": {}"#,
            r#""Effect": "Allow", "Action": "*", "Condition": {"Bool": {"a": true}, "NumericLessThan": {"b": [1, "2"]}}"#,
            r#""Effect": "Allow", "Action": "*", "Condition": {"ForAnyValue:StringLikeIfExists": {"a": ["b"]}, "Null": {"c": "true"}}"#,
        ] {
            statement(fields, expect!["1 statements"]);
        }
    }

    #[test]
    fn what_the_grammar_refuses() {
        check("", expect!["at /: not JSON: EOF while parsing a value at line 1 column 0"]);
        check("[]", expect!["at /: a policy is an object, this is a list"]);
        check("{}", expect!["at /: a policy needs the element Statement"]);
        check(
            r#"{"Version": "2012-10-18", "Statement": []}"#,
            expect![[r#"at /Version: the version is "2012-10-17" or "2008-10-17""#]],
        );
        check(r#"{"Id": 1, "Statement": []}"#, expect!["at /Id: expected a string, this is a number"]);
        check(r#"{"statement": []}"#, expect![[r#"at /statement: a policy has no element "statement""#]]);
        check(r#"{"Statement": [[]]}"#, expect!["at /Statement/0: a statement is an object, this is a list"]);
        check(r#"{"Statement": null}"#, expect!["at /Statement: a statement is an object, this is null"]);
        statement(
            r#""Action": "*""#,
            expect![[r#"at /Statement/0: a statement needs the element Effect: "Allow" or "Deny""#]],
        );
        statement(
            r#""Effect": "allow", "Action": "*""#,
            expect![[r#"at /Statement/0/Effect: the effect is exactly "Allow" or "Deny""#]],
        );
        statement(
            r#""Effect": "Allow""#,
            expect!["at /Statement/0: a statement needs the element Action or NotAction"],
        );
        statement(r#""Effect": "Allow", "Action": []"#, expect!["at /Statement/0/Action: the list is empty"]);
        statement(
            r#""Effect": "Allow", "Action": ["ecr:a", 1]"#,
            expect!["at /Statement/0/Action/1: expected a string, this is a number"],
        );
        statement(
            r#""Effect": "Allow", "Action": "ecr""#,
            expect![[r#"at /Statement/0/Action: an action is "*" or SERVICE:ACTION; this is "ecr""#]],
        );
        statement(
            r#""Effect": "Allow", "Action": "a:b:c""#,
            expect![[r#"at /Statement/0/Action: an action has one colon: SERVICE:ACTION; this is "a:b:c""#]],
        );
        statement(
            r#""Effect": "Allow", "Action": "e*:Get""#,
            expect![[
                r#"at /Statement/0/Action: the service of an action consists of letters, digits and hyphens, without wildcards; this is "e*:Get""#
            ]],
        );
        statement(
            r#""Effect": "Allow", "Action": "ecr:Get$""#,
            expect![[
                r#"at /Statement/0/Action: the name of an action consists of letters, digits and wildcards; this is "ecr:Get$""#
            ]],
        );
        statement(
            r#""Effect": "Allow", "Action": "*", "NotAction": "*""#,
            expect!["at /Statement/0: a statement has Action or NotAction, not both"],
        );
        statement(
            r#""Effect": "Allow", "Action": "*", "Resource": "*", "NotResource": "*""#,
            expect!["at /Statement/0: a statement has Resource or NotResource, not both"],
        );
        statement(
            r#""Effect": "Allow", "Action": "*", "Principal": "*", "NotPrincipal": "*""#,
            expect!["at /Statement/0: a statement has Principal or NotPrincipal, not both"],
        );
        statement(
            r#""Effect": "Allow", "Action": "*", "Resource": ["*", "app"]"#,
            expect![[r#"at /Statement/0/Resource/1: a resource is "*" or an ARN; this is "app""#]],
        );
        statement(
            r#""Effect": "Allow", "Action": "*", "Resource": {}"#,
            expect!["at /Statement/0/Resource: expected a string or a list of strings, this is an object"],
        );
        statement(
            r#""Effect": "Allow", "Action": "*", "Principal": "ann""#,
            expect![[r#"at /Statement/0/Principal: a principal is "*" or an object such as {"AWS": …}"#]],
        );
        statement(
            r#""Effect": "Allow", "Action": "*", "Principal": {"Aws": "*"}"#,
            expect![
                "at /Statement/0/Principal/Aws: a principal is of AWS, Service, Federated or CanonicalUser"
            ],
        );
        statement(
            r#""Effect": "Allow", "Action": "*", "Principal": {}"#,
            expect!["at /Statement/0/Principal: nobody is named"],
        );
        statement(
            r#""Effect": "Allow", "Action": "*", "Principal": {"AWS": ["*", {}]}"#,
            expect!["at /Statement/0/Principal/AWS/1: expected a string, this is an object"],
        );
        statement(
            r#""Effect": "Allow", "Action": "*", "Condition": []"#,
            expect!["at /Statement/0/Condition: expected an object, this is a list"],
        );
        statement(
            r#""Effect": "Allow", "Action": "*", "Condition": {"StringEqual": {"a": "b"}}"#,
            expect![[
                r#"at /Statement/0/Condition/StringEqual: there is no condition operator "StringEqual""#
            ]],
        );
        statement(
            r#""Effect": "Allow", "Action": "*", "Condition": {"StringEqual": {}}"#,
            expect![[
                r#"at /Statement/0/Condition/StringEqual: there is no condition operator "StringEqual""#
            ]],
        );
        statement(
            r#""Effect": "Allow", "Action": "*", "Condition": {"NullIfExists": {"a": "true"}}"#,
            expect![[
                r#"at /Statement/0/Condition/NullIfExists: there is no condition operator "NullIfExists""#
            ]],
        );
        statement(
            r#""Effect": "Allow", "Action": "*", "Condition": {"StringEquals": {"a/b": null}}"#,
            expect![
                "at /Statement/0/Condition/StringEquals/a~1b: a value of a condition is a string, a number or a boolean, this is null"
            ],
        );
        statement(
            r#""Effect": "Allow", "Action": "*", "Condition": {"Bool": "a"}"#,
            expect!["at /Statement/0/Condition/Bool: expected an object, this is a string"],
        );
        statement(
            r#""Effect": "Allow", "Action": "*", "Sid": 1"#,
            expect!["at /Statement/0/Sid: expected a string, this is a number"],
        );
        statement(
            r#""Effect": "Allow", "Action": "*", "Ressource": "*""#,
            expect![[r#"at /Statement/0/Ressource: a statement has no element "Ressource""#]],
        );
        statement(
            r#""Effect": "Allow", "Effect": "Deny", "Action": "*""#,
            expect![[r#"at /: not JSON: the key "Effect" stands twice in one object at line 1 column 76"#]],
        );
        check(
            r#"{"Statement": [{"Sid": "a", "Effect": "Allow", "Action": "*"}, {"Sid": "a", "Effect": "Deny", "Action": "*"}]}"#,
            expect![[r#"at /Statement/1/Sid: the Sid "a" stands twice in the policy"#]],
        );
    }

    #[test]
    fn size_is_bounded() {
        let error = Document::parse(&" ".repeat(LONGEST_DOCUMENT + 1)).unwrap_err();
        assert!(error.message.contains("more than"), "{error}");
        let long =
            format!(r#"{{"Statement": {{"Effect": "Allow", "Action": "a:{}"}}}}"#, "b".repeat(LONGEST_TEXT));
        assert_eq!(Document::parse(&long).unwrap_err().pointer, "/Statement/Action");

        let short = r#"{"Statement": {"Effect": "Allow", "Action": "*"}}"#;
        let longest = format!("{short}{}", " ".repeat(LONGEST_DOCUMENT - short.len()));
        let document = Document::parse(&longest).unwrap();
        assert!(!document.is_empty() && document.len() == 1);
        assert!(Document::parse(r#"{"Statement": []}"#).unwrap().is_empty());
        let most = long.replace(&"b".repeat(LONGEST_TEXT), &"b".repeat(LONGEST_TEXT - "a:".len()));
        assert!(Document::parse(&most).is_ok());
    }
}
