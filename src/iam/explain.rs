//! In which one element a statement fails, in words that a reader of the AWS documentation recognises.

use super::condition::{Condition, Truth};
use super::context::Lookup;
use super::document::{Choice, Statement};
use super::evaluate::Case;
use super::policies::Layer;
use super::principal::{self, Claim};

/// The element, and why, if it is exactly one.
pub(super) fn near_miss(
    case: &Case<'_>,
    statement: &Statement,
    layer: Layer,
) -> Option<(&'static str, String)> {
    let action = !case.action_matches(statement);
    if action && !speaks_of_service(case, statement) {
        return None;
    }
    let principal = case.claim(statement, layer) == Claim::None;
    let resource = case.resource_matches(statement, layer, &mut Vec::new()) == Truth::No;
    if u8::from(action) + u8::from(principal) + u8::from(resource) > 1 {
        return None;
    }
    let failed: Vec<&Condition> = statement
        .conditions
        .iter()
        .filter(|condition| condition.holds(&case.context, &mut Vec::new()) == Truth::No)
        .collect();
    match (action, principal, resource, failed.is_empty()) {
        (true, false, false, true) => Some(("Action", of_action(case, statement))),
        (false, true, false, true) => Some(("Principal", of_principal(case, statement))),
        (false, false, true, true) => Some(("Resource", of_resource(case, statement))),
        (false, false, false, false) => Some(("Condition", of_conditions(case, &failed))),
        _ => None,
    }
}

/// A statement about another service is no near miss.
fn speaks_of_service(case: &Case<'_>, statement: &Statement) -> bool {
    statement.action.entries.iter().any(|entry| entry.is_of_service(&case.service))
}

fn of_action(case: &Case<'_>, statement: &Statement) -> String {
    let asked = code(case.written_action);
    let listed = list(&statement.action);
    if statement.action.negated {
        format!("action does not match: NotAction is {listed}, which excludes {asked}")
    } else {
        format!("action does not match: the statement has {listed}, the request is {asked}")
    }
}

fn of_resource(case: &Case<'_>, statement: &Statement) -> String {
    let Some(choice) = &statement.resource else { return String::new() };
    let asked = code(case.target.text);
    let listed = list(choice);
    if choice.negated {
        format!("resource does not match: NotResource is {listed}, which excludes {asked}")
    } else {
        format!("resource does not match: the statement has {listed}, the request is for {asked}")
    }
}

fn of_principal(case: &Case<'_>, statement: &Statement) -> String {
    let caller = code(case.caller.text);
    let Some(choice) = &statement.principal else {
        return "principal does not match: the statement has no Principal, so it means nobody".to_owned();
    };
    let listed = list(choice);
    if choice.negated {
        return format!("principal does not match: NotPrincipal is {listed}, which excludes {caller}");
    }
    let mut text =
        format!("principal does not match: the statement has {listed}, the request is from {caller}");
    if choice.entries.iter().any(|entry| matches!(entry, principal::Entry::UniqueId(_))) {
        text.push_str("; a unique id is what is left of a principal that was deleted, even if one of that name exists again");
    }
    let wildcard =
        |entry: &principal::Entry| matches!(entry, principal::Entry::Arn(arn) if arn.contains('*'));
    if choice.entries.iter().any(wildcard) {
        text.push_str("; a wildcard has no meaning within a principal, use aws:PrincipalArn in a condition");
    }
    text
}

fn of_conditions(case: &Case<'_>, failed: &[&Condition]) -> String {
    let each: Vec<String> = failed
        .iter()
        .map(|condition| {
            let has = match case.context.get(&condition.key.to_lowercase()) {
                Lookup::Values(values) => format!("has {}", some_of(values)),
                Lookup::Missing => "does not have this key".to_owned(),
                Lookup::Unknown => "may or may not have it".to_owned(),
            };
            format!(
                "{} {} wants {}, the request {has}",
                condition.operator,
                condition.key,
                some_of(&condition.written_values)
            )
        })
        .collect();
    format!("condition does not match: {}", each.join("; "))
}

fn list<T>(choice: &Choice<T>) -> String {
    some_of(&choice.written)
}

/// The first few of a list.
fn some_of(texts: &[String]) -> String {
    const SHOWN: usize = 4;
    let shown: Vec<String> = texts.iter().take(SHOWN).map(|text| code(text)).collect();
    match texts.len() {
        0 => "no value".to_owned(),
        count if count > SHOWN => format!("{} and {} more", shown.join(", "), count - SHOWN),
        _ => shown.join(", "),
    }
}

/// A text in backquotes, cut where it is long.
fn code(text: &str) -> String {
    const LONGEST: usize = 200;
    if text.chars().count() <= LONGEST {
        return format!("`{text}`");
    }
    format!("`{}…`", text.chars().take(LONGEST).collect::<String>())
}

#[test]
fn a_long_list_is_cut() {
    let texts: Vec<String> = ["a", "b", "c", "d", "e", "f"].map(str::to_owned).into();
    assert_eq!(some_of(&texts[..4]), "`a`, `b`, `c`, `d`");
    assert_eq!(some_of(&texts), "`a`, `b`, `c`, `d` and 2 more");
}
