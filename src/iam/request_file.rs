//! The file that `ecr-fix simulate` reads: a request with all its policies, or a list of such.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::document::{Document, PolicyError};
use super::json::{Json, step};
use super::policies::{Layer, Named, Policies, Request};

/// The longest file that is read, in bytes.
pub const LONGEST_FILE: usize = 64 * 1024 * 1024;

/// The longest text in a request, in bytes. The longest ARN has 2048.
const LONGEST_TEXT: usize = 4 * 1024;

/// The most values that a request may have for all its keys.
const MOST_VALUES: usize = 1_000;

/// A request with the policies that may have a say in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// What is asked.
    pub request: Request,
    /// Who may have a say.
    pub policies: Policies,
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq)]
pub enum RequestFile {
    /// One request: the answer is one document.
    One(Box<Question>),
    /// A list: the answer is a list in the same order.
    Many(Vec<Question>),
}

/// Why a text is not a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestError {
    /// Where: a JSON pointer (RFC 6901) below the file.
    pub pointer: String,
    /// The name of the policy that is malformed, where it is one.
    pub policy: Option<String>,
    /// What is wrong, and what was expected.
    pub message: String,
}

impl fmt::Display for RequestError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pointer = if self.pointer.is_empty() { "/" } else { &self.pointer };
        if let Some(policy) = &self.policy {
            write!(out, "policy {policy}, ")?;
        }
        write!(out, "at {pointer}: {}", self.message)
    }
}

impl std::error::Error for RequestError {}

impl RequestFile {
    /// Reads a file.
    ///
    /// # Errors
    /// What is malformed, by JSON pointer, and in which policy.
    pub fn parse(text: &str) -> Result<RequestFile, RequestError> {
        if text.len() > LONGEST_FILE {
            return fail("", format!("the file has {} bytes, more than {LONGEST_FILE}", text.len()));
        }
        let json = match Json::parse(text) {
            Ok(json) => json,
            Err(error) => return fail("", format!("not JSON: {error}")),
        };
        match &json {
            Json::List(items) => {
                let each = items.iter().enumerate().map(|(index, item)| question(item, &step("", index)));
                each.collect::<Result<_, _>>().map(RequestFile::Many)
            }
            single => question(single, "").map(|question| RequestFile::One(Box::new(question))),
        }
    }

    /// Its requests, in order.
    pub fn questions(&self) -> &[Question] {
        match self {
            RequestFile::One(question) => std::slice::from_ref(question),
            RequestFile::Many(questions) => questions,
        }
    }
}

/// Reads a policy that stands alone in a file: a document, `{"name": …, "document": …}`, a statement, or a list
/// of statements.
///
/// # Errors
/// What is malformed, by JSON pointer.
pub fn policy_or_statement(text: &str, name: &str, layer: Layer) -> Result<Named, RequestError> {
    let json = match Json::parse(text) {
        Ok(json) => json,
        Err(error) => return fail("", format!("not JSON: {error}")),
    };
    let has =
        |wanted: &str| matches!(&json, Json::Object(entries) if entries.iter().any(|(key, _)| key == wanted));
    let is_statement = has("Effect") && !has("Statement");
    if is_statement || matches!(json, Json::List(_)) {
        let document = Json::Object(vec![
            ("Version".to_owned(), Json::Text("2012-10-17".to_owned())),
            ("Statement".to_owned(), json),
        ]);
        return named(&document, "", name, layer).map_err(|error| {
            let pointer = error.pointer.strip_prefix("/Statement").unwrap_or(&error.pointer).to_owned();
            RequestError { pointer, ..error }
        });
    }
    named(&json, "", name, layer)
}

impl Request {
    /// A request put together by hand, checked as one of a file is.
    ///
    /// # Errors
    /// The action or the resource is none.
    pub fn checked(
        principal: &str,
        action: &str,
        resource: &str,
        context: BTreeMap<String, Vec<String>>,
    ) -> Result<Request, RequestError> {
        Ok(Request {
            principal: principal.to_owned(),
            action: self::action(&Json::Text(action.to_owned()), "/action")?,
            resource: self::resource(&Json::Text(resource.to_owned()), "/resource")?,
            resource_account: None,
            context,
        })
    }
}

fn fail<T>(pointer: &str, message: impl Into<String>) -> Result<T, RequestError> {
    Err(RequestError { pointer: pointer.to_owned(), policy: None, message: message.into() })
}

fn question(json: &Json, pointer: &str) -> Result<Question, RequestError> {
    let Json::Object(entries) = json else {
        return fail(pointer, format!("a request is an object, this is {}", json.kind()));
    };
    let mut request = Request::default();
    let mut policies = Policies::default();
    for (key, value) in entries {
        let at = step(pointer, key);
        let list = |layer| named_list(value, &at, key, layer);
        match key.as_str() {
            "principal" => request.principal = text(value, &at)?,
            "action" => request.action = action(value, &at)?,
            "resource" => request.resource = resource(value, &at)?,
            "resource_account" if *value == Json::Null => {}
            "resource_account" => request.resource_account = Some(text(value, &at)?),
            "context" => request.context = context(value, &at)?,
            "identity_policies" => policies.identity = list(Layer::Identity)?,
            "permissions_boundary" => policies.boundary = optional(value, &at, key, Layer::Boundary)?,
            "session_policy" if *value == Json::Null => {}
            "session_policy" => policies.session = Some(list(Layer::Session)?),
            "resource_policy" => policies.resource = list(Layer::Resource)?,
            "endpoint_policies" => policies.endpoint = list(Layer::Endpoint)?,
            "service_control_policies" => policies.service_control = levels(value, &at, key, Layer::Scp)?,
            "resource_control_policies" => policies.resource_control = levels(value, &at, key, Layer::Rcp)?,
            "name" | "description" | "comment" => {}
            _ => return fail(&at, format!("a request has no field {key:?}")),
        }
    }
    for required in ["principal", "action", "resource"] {
        if !entries.iter().any(|(key, _)| key == required) {
            return fail(pointer, format!("a request needs the field {required:?}"));
        }
    }
    Ok(Question { request, policies })
}

fn text(json: &Json, pointer: &str) -> Result<String, RequestError> {
    match json {
        Json::Text(text) if text.len() > LONGEST_TEXT => {
            fail(pointer, format!("the text has {} bytes, more than {LONGEST_TEXT}", text.len()))
        }
        Json::Text(text) => Ok(text.clone()),
        other => fail(pointer, format!("expected a string, this is {}", other.kind())),
    }
}

fn action(json: &Json, pointer: &str) -> Result<String, RequestError> {
    let action = text(json, pointer)?;
    let parts: Vec<&str> = action.split(':').collect();
    match parts.as_slice() {
        [service, name] if !service.is_empty() && !name.is_empty() && !action.contains(['*', '?']) => {
            Ok(action)
        }
        _ => fail(
            pointer,
            format!("expected one action, SERVICE:ACTION without wildcards, this is {action:?}"),
        ),
    }
}

fn resource(json: &Json, pointer: &str) -> Result<String, RequestError> {
    let resource = text(json, pointer)?;
    let is_arn = resource.starts_with("arn:") && resource.splitn(6, ':').count() == 6;
    if resource == "*" || is_arn {
        return Ok(resource);
    }
    fail(
        pointer,
        format!("expected \"*\" or arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE, this is {resource:?}"),
    )
}

fn context(json: &Json, pointer: &str) -> Result<BTreeMap<String, Vec<String>>, RequestError> {
    let entries = match json {
        Json::Object(entries) => entries,
        Json::Null => return Ok(BTreeMap::new()),
        other => return fail(pointer, format!("expected an object, this is {}", other.kind())),
    };
    let mut context: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, value) in entries {
        let at = step(pointer, key);
        if context.keys().any(|known| known.eq_ignore_ascii_case(key)) {
            return fail(&at, "the key stands twice; the case of keys has no meaning");
        }
        context.insert(key.clone(), context_values(value, &at)?);
    }
    if context.values().map(Vec::len).sum::<usize>() > MOST_VALUES {
        return fail(pointer, format!("there are more than {MOST_VALUES} values"));
    }
    Ok(context)
}

fn context_values(json: &Json, pointer: &str) -> Result<Vec<String>, RequestError> {
    match json {
        Json::List(items) => {
            items.iter().enumerate().map(|(index, item)| context_value(item, &step(pointer, index))).collect()
        }
        Json::Null => Ok(Vec::new()),
        single => Ok(vec![context_value(single, pointer)?]),
    }
}

fn context_value(json: &Json, pointer: &str) -> Result<String, RequestError> {
    match json {
        Json::Bool(value) => Ok(value.to_string()),
        Json::Number(number) => Ok(number.clone()),
        Json::Text(_) => text(json, pointer),
        other => fail(pointer, format!("expected a string, a number or a boolean, this is {}", other.kind())),
    }
}

fn levels(json: &Json, pointer: &str, name: &str, layer: Layer) -> Result<Vec<Vec<Named>>, RequestError> {
    match json {
        Json::List(levels) => levels
            .iter()
            .enumerate()
            .map(|(index, level)| match level {
                Json::List(_) => named_list(level, &step(pointer, index), &format!("{name}/{index}"), layer),
                other => fail(
                    &step(pointer, index),
                    format!("expected a level: a list of policies, this is {}", other.kind()),
                ),
            })
            .collect(),
        Json::Null => Ok(Vec::new()),
        other => fail(pointer, format!("expected a list of levels, this is {}", other.kind())),
    }
}

/// A list of policies, one policy, or nothing.
fn named_list(json: &Json, pointer: &str, name: &str, layer: Layer) -> Result<Vec<Named>, RequestError> {
    match json {
        Json::List(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| named(item, &step(pointer, index), &format!("{name}/{index}"), layer))
            .collect(),
        Json::Null => Ok(Vec::new()),
        single => Ok(vec![named(single, pointer, name, layer)?]),
    }
}

fn optional(json: &Json, pointer: &str, name: &str, layer: Layer) -> Result<Option<Named>, RequestError> {
    match json {
        Json::Null => Ok(None),
        single => named(single, pointer, name, layer).map(Some),
    }
}

/// A bare document, or `{"name": …, "document": …}`.
fn named(json: &Json, pointer: &str, default_name: &str, layer: Layer) -> Result<Named, RequestError> {
    let wrapped = match json {
        Json::Object(entries) if entries.iter().any(|(key, _)| key == "document") => Some(entries),
        _ => None,
    };
    let Some(entries) = wrapped else {
        return compiled(json, pointer, default_name.to_owned(), layer);
    };
    let mut name = default_name.to_owned();
    let mut document = json;
    for (key, value) in entries {
        let at = step(pointer, key);
        match (key.as_str(), value) {
            ("name", Json::Null) => {}
            ("name", _) => name = text(value, &at)?,
            ("document", _) => document = value,
            _ => return fail(&at, format!("a policy has \"name\" and \"document\", not {key:?}")),
        }
    }
    compiled(document, &step(pointer, "document"), name, layer)
}

fn compiled(json: &Json, pointer: &str, name: String, layer: Layer) -> Result<Named, RequestError> {
    let read = match json {
        // The AWS CLI prints policies of repositories and keys as text.
        Json::Text(text) => Document::parse(text),
        other => Document::compile(other),
    };
    match read.and_then(|document| document.fit_for(layer)) {
        Ok(document) => Ok(Named { name: Some(name), document: Arc::new(document) }),
        Err(PolicyError { pointer: below, message }) => {
            Err(RequestError { pointer: format!("{pointer}{below}"), policy: Some(name), message })
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(fields: &str, expected: Expect) {
        let text = format!(
            r#"{{"principal": "arn:aws:iam::111122223333:role/node", "action": "ecr:BatchGetImage", "resource": "*" {fields}}}"#
        );
        let answer = match RequestFile::parse(&text) {
            Ok(_) => "read".to_owned(),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&answer);
    }

    #[test]
    fn the_example_of_the_contract_is_read() {
        let text = r#"{"principal": "arn:aws:iam::111122223333:role/node", "action": "ecr:BatchGetImage",
         "resource": "arn:aws:ecr:eu-west-1:444455556666:repository/app", "resource_account": "444455556666",
         "context": {"aws:SourceVpce": "vpce-1", "aws:PrincipalTag/team": ["a", "b"], "n": 1, "b": true, "none": null},
         "identity_policies": [{"Version": "2012-10-17", "Statement": []}],
         "permissions_boundary": null, "session_policy": null, "resource_policy": null,
         "endpoint_policies": [], "service_control_policies": [[]], "resource_control_policies": [[]]}"#;
        let RequestFile::One(question) = RequestFile::parse(text).unwrap() else { panic!("one") };
        assert_eq!(question.request.context["aws:PrincipalTag/team"], ["a", "b"]);
        assert_eq!(question.request.context["n"], ["1"]);
        assert_eq!(question.request.context["b"], ["true"]);
        assert!(question.request.context["none"].is_empty());
        assert_eq!(question.policies.identity[0].name.as_deref(), Some("identity_policies/0"));
        assert_eq!(question.policies.service_control.len(), 1);
        assert!(question.policies.session.is_none() && question.policies.boundary.is_none());
        assert_eq!(RequestFile::parse(&format!("[{text}, {text}]")).unwrap().questions().len(), 2);
        assert_eq!(RequestFile::parse("[]").unwrap(), RequestFile::Many(Vec::new()));
    }

    #[test]
    fn policies_in_every_form() {
        let document = r#"{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#;
        let quoted = serde_json::to_string(document).unwrap();
        for fields in [
            format!(r#", "identity_policies": [{document}, {{"name": "n", "document": {document}}}]"#),
            format!(r#", "permissions_boundary": {{"name": null, "document": {document}}}"#),
            format!(r#", "session_policy": {document}"#),
            format!(r#", "session_policy": [{document}, {document}]"#),
            format!(r#", "resource_policy": {quoted}"#),
            format!(r#", "endpoint_policies": [{document}]"#),
            format!(r#", "service_control_policies": [[{document}], []]"#),
        ] {
            check(&fields, expect!["read"]);
        }
    }

    #[test]
    fn what_is_malformed_is_named() {
        check(
            r#", "identity_policies": [{"name": "pull", "document": {"Statement": [{"Effect": "allow", "Action": "*", "Resource": "*"}]}}]"#,
            expect![[
                r#"policy pull, at /identity_policies/0/document/Statement/0/Effect: the effect is exactly "Allow" or "Deny""#
            ]],
        );
        check(
            r#", "service_control_policies": [[], [{"Statement": [{"Effect": "Deny", "Action": "ecr", "Resource": "*"}]}]]"#,
            expect![[
                r#"policy service_control_policies/1/0, at /service_control_policies/1/0/Statement/0/Action: an action is "*" or SERVICE:ACTION; this is "ecr""#
            ]],
        );
        check(
            r#", "identity_policies": [{"Statement": [{"Effect": "Allow", "Action": "*"}]}]"#,
            expect![
                "policy identity_policies/0, at /identity_policies/0/Statement/0: a statement of this policy needs the element Resource or NotResource"
            ],
        );
        check(
            r#", "service_control_policies": [{"Statement": []}]"#,
            expect![
                "at /service_control_policies/0: expected a level: a list of policies, this is an object"
            ],
        );
        check(
            r#", "identity_polices": []"#,
            expect![[r#"at /identity_polices: a request has no field "identity_polices""#]],
        );
        check(
            r#", "context": {"aws:SourceVpc": 1, "AWS:sourcevpc": 2}"#,
            expect!["at /context/AWS:sourcevpc: the key stands twice; the case of keys has no meaning"],
        );
        check(
            r#", "context": {"a/b": {}}"#,
            expect!["at /context/a~1b: expected a string, a number or a boolean, this is an object"],
        );
        check(
            r#", "resource_account": 1"#,
            expect!["at /resource_account: expected a string, this is a number"],
        );
        check(
            r#", "action": "ecr:BatchGetImage""#,
            expect![[r#"at /: not JSON: the key "action" stands twice in one object at line 1 column 132"#]],
        );
    }

    #[test]
    fn what_a_request_needs() {
        let error = |text: &str| RequestFile::parse(text).unwrap_err().to_string();
        expect![[r#"at /: a request needs the field "principal""#]].assert_eq(&error("{}"));
        expect![[r#"at /1: a request is an object, this is a number"#]]
            .assert_eq(&error(r#"[{"principal": "*", "action": "a:b", "resource": "*"}, 1]"#));
        expect![[r#"at /action: expected one action, SERVICE:ACTION without wildcards, this is "ecr:*""#]]
            .assert_eq(&error(r#"{"action": "ecr:*"}"#));
        expect![[r#"at /resource: expected "*" or arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE, this is "repository/app""#]]
            .assert_eq(&error(r#"{"resource": "repository/app"}"#));
        assert!(error(&format!(r#"{{"principal": "{}"}}"#, "x".repeat(5_000))).contains("more than 4096"));
        assert!(error(&" ".repeat(LONGEST_FILE + 1)).contains("bytes, more than"));
    }

    #[test]
    fn a_single_statement_is_a_policy() {
        let read = |text: &str| {
            policy_or_statement(text, "what-if", Layer::Identity).map(|named| named.document.len())
        };
        assert_eq!(read(r#"{"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}"#), Ok(1));
        assert_eq!(read(r#"{"Statement": []}"#), Ok(0));
        assert_eq!(read("[]"), Ok(0));
        let error = |text: &str| read(text).unwrap_err().to_string();
        expect!["policy what-if, at /: a statement of this policy needs the element Resource or NotResource"]
            .assert_eq(&error(r#"{"Effect": "Allow", "Action": "ecr:*"}"#));
        expect![[r#"policy what-if, at /1/Effect: the effect is exactly "Allow" or "Deny""#]]
            .assert_eq(&error(r#"[{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "No"}]"#));
    }
}
