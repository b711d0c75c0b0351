//! Laws that hold for every request and all policies, tried with random ones.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use super::*;

const CALLERS: [&str; 8] = [
    "arn:aws:iam::111122223333:role/team/node",
    "arn:aws:sts::111122223333:assumed-role/node/i-1",
    "arn:aws:iam::111122223333:user/ann",
    "arn:aws:sts::111122223333:federated-user/ann",
    "arn:aws:iam::111122223333:root",
    "arn:aws:iam::111122223333:role/aws-service-role/ecr.amazonaws.com/AWSServiceRoleForECR",
    "ec2.amazonaws.com",
    "*",
];

const TARGETS: [(&str, &str); 6] = [
    ("ecr:BatchGetImage", "arn:aws:ecr:eu-west-1:111122223333:repository/a"),
    ("ecr:BatchGetImage", "arn:aws:ecr:eu-west-1:444455556666:repository/a"),
    ("ecr:GetAuthorizationToken", "*"),
    ("sts:AssumeRole", "arn:aws:iam::111122223333:role/a"),
    ("kms:Decrypt", "arn:aws:kms:eu-west-1:444455556666:key/a"),
    ("s3:GetObject", "arn:aws:s3:::b/a"),
];

const KEYS: [&str; 4] = ["aws:SourceVpce", "aws:SourceIp", "aws:PrincipalTag/team", "aws:TagKeys"];

fn condition() -> impl Strategy<Value = Value> {
    let text = (
        select(vec![
            "StringEquals",
            "StringNotEquals",
            "StringLikeIfExists",
            "ForAnyValue:StringEquals",
            "ForAllValues:StringNotLike",
        ]),
        select(KEYS.to_vec()),
        subsequence(vec!["x", "y", "x*", "${aws:PrincipalTag/team}"], 1..3),
    );
    prop_oneof![
        2 => Just(Value::Null),
        2 => text.prop_map(|(operator, key, values)| json!({operator: {key: values}})),
        1 => (select(KEYS.to_vec()), any::<bool>()).prop_map(|(key, missing)| json!({"Null": {key: missing}})),
    ]
}

fn statement() -> impl Strategy<Value = Value> {
    let actions = vec!["*", "ecr:*", "ecr:Batch*", "s3:GetObject", "sts:AssumeRole", "kms:*"];
    let resources = vec![
        "*",
        "arn:aws:ecr:*:*:repository/*",
        "arn:aws:s3:::b/${aws:PrincipalTag/team}",
        "arn:aws:iam::111122223333:role/a",
    ];
    let principals = vec![
        "*",
        "111122223333",
        "arn:aws:iam::111122223333:role/team/node",
        "arn:aws:sts::111122223333:assumed-role/node/i-1",
        "arn:aws:iam::111122223333:user/ann",
        "AROAEXAMPLEID",
    ];
    let element = |names: [&'static str; 2]| prop_oneof![4 => Just(names[0]), 1 => Just(names[1])];
    (
        prop_oneof![3 => Just("Allow"), 1 => Just("Deny")],
        (element(["Action", "NotAction"]), subsequence(actions, 1..3)),
        (element(["Resource", "NotResource"]), subsequence(resources, 1..3)),
        (element(["Principal", "NotPrincipal"]), subsequence(principals, 1..3)),
        condition(),
    )
        .prop_map(
            |(effect, (action, actions), (resource, resources), (principal, principals), condition)| {
                let mut statement = json!({
                    "Effect": effect, action: actions, resource: resources, principal: {"AWS": principals}
                });
                if !condition.is_null() {
                    statement["Condition"] = condition;
                }
                statement
            },
        )
}

fn documents() -> impl Strategy<Value = Vec<Value>> {
    let document = vec(statement(), 0..4).prop_map(|all| json!({"Version": "2012-10-17", "Statement": all}));
    vec(document, 0..3)
}

fn request() -> impl Strategy<Value = Value> {
    let context = subsequence(KEYS.to_vec(), 0..KEYS.len()).prop_flat_map(|keys| {
        let values = vec(subsequence(vec!["x", "y", "xy"], 0..3), keys.len());
        values.prop_map(move |values| keys.iter().copied().zip(values).collect::<BTreeMap<_, _>>())
    });
    let levels = || prop_oneof![2 => Just(Vec::new()), 1 => vec(documents(), 1..3)];
    let one = || documents().prop_map(|documents| documents.into_iter().next().unwrap_or(Value::Null));
    (
        (select(CALLERS.to_vec()), select(TARGETS.to_vec()), context),
        (documents(), one(), one(), one()),
        (prop_oneof![2 => Just(Vec::new()), 1 => documents()], levels(), levels()),
    )
        .prop_map(|((principal, (action, resource), context), (identity, boundary, session, policy), (endpoint, scp, rcp))| {
            json!({
                "principal": principal, "action": action, "resource": resource, "context": context,
                "identity_policies": identity, "permissions_boundary": boundary, "session_policy": session,
                "resource_policy": policy, "endpoint_policies": endpoint,
                "service_control_policies": scp, "resource_control_policies": rcp
            })
        })
}

fn question(request: &Value) -> Question {
    let file = RequestFile::parse(&request.to_string()).unwrap_or_else(|error| panic!("{error}: {request}"));
    file.questions()[0].clone()
}

fn decided(request: &Value) -> Decision {
    let Question { request, policies } = question(request);
    decide(&request, &policies)
}

/// What must not differ between two ways to say the same.
fn verdict(decision: &Decision) -> (Outcome, &[Layer], usize) {
    (decision.outcome, &decision.blocked_by, decision.deciding.len())
}

/// The field of a layer in a request file.
fn field(layer: Layer) -> &'static str {
    match layer {
        Layer::Identity => "identity_policies",
        Layer::Resource => "resource_policy",
        Layer::Boundary => "permissions_boundary",
        Layer::Session => "session_policy",
        Layer::Endpoint => "endpoint_policies",
        Layer::Scp => "service_control_policies",
        Layer::Rcp => "resource_control_policies",
    }
}

/// Adds a statement to the first document of a layer, if it has one.
fn with_statement(request: &Value, layer: Layer, statement: &Value) -> Option<Value> {
    let mut changed = request.clone();
    let mut place = &mut changed[field(layer)];
    while place.is_array() {
        place = place.as_array_mut()?.first_mut()?;
    }
    place.get_mut("Statement")?.as_array_mut()?.push(statement.clone());
    Some(changed)
}

/// The same value with every list reversed.
fn reversed(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().rev().map(reversed).collect(),
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), reversed(value))).collect(),
        other => other.clone(),
    }
}

/// The same value with every list of one text replaced by the text.
fn unwrapped(value: &Value) -> Value {
    match value {
        Value::Array(items) => match items.as_slice() {
            [Value::String(text)] => Value::String(text.clone()),
            items => items.iter().map(unwrapped).collect(),
        },
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), unwrapped(value))).collect(),
        other => other.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn adding_a_deny_never_allows(request in request(), statement in statement(), layer in select(Layer::ALL.to_vec())) {
        let mut statement = statement;
        statement["Effect"] = "Deny".into();
        if let Some(changed) = with_statement(&request, layer, &statement) {
            let (before, after) = (decided(&request), decided(&changed));
            prop_assert!(before.outcome <= after.outcome, "{} {}", request, statement);
            prop_assert!(before.blocked_by.iter().all(|layer| after.blocked_by.contains(layer)));
        }
    }

    /// Except that within one account identity and resource policy may stand in for each other, and that a
    /// resource policy may lift the limits of boundary and session policy.
    #[test]
    fn adding_an_allow_never_lifts_the_block_of_another_layer(
        request in request(), statement in statement(), layer in select(Layer::ALL.to_vec())
    ) {
        let mut statement = statement;
        statement["Effect"] = "Allow".into();
        if let Some(changed) = with_statement(&request, layer, &statement) {
            let (before, after) = (decided(&request), decided(&changed));
            prop_assert!(after.outcome <= before.outcome, "{} {}", request, statement);
            let others = before.blocked_by.iter().filter(|blocking| **blocking != layer && layer != Layer::Resource);
            for other in others {
                prop_assert!(after.blocked_by.contains(other), "{:?}: {} {}", other, request, statement);
            }
        }
    }

    #[test]
    fn order_does_not_matter(request in request()) {
        let (there, back) = (decided(&request), decided(&reversed(&request)));
        prop_assert_eq!(verdict(&there), verdict(&back));
    }

    #[test]
    fn a_single_value_equals_a_list_of_one(request in request()) {
        let (list, single) = (decided(&request), decided(&unwrapped(&request)));
        prop_assert_eq!(verdict(&list), verdict(&single));
    }

    #[test]
    fn the_case_of_keys_has_no_meaning(request in request()) {
        let Question { request, policies } = question(&request);
        let context = request.context.iter().map(|(key, values)| (key.to_uppercase(), values.clone())).collect();
        let (plain, loud) = (decide(&request, &policies), decide(&Request { context, ..request }, &policies));
        prop_assert_eq!(verdict(&plain), verdict(&loud));
    }

    #[test]
    fn what_is_said_fits_together(request in request()) {
        let decision = decided(&request);
        prop_assert_eq!(decision.outcome == Outcome::Allowed, decision.blocked_by.is_empty());
        let denies = decision.deciding.iter().any(|deciding| deciding.effect == Effect::Deny);
        prop_assert_eq!(decision.outcome == Outcome::ExplicitDeny, denies);
        for deciding in &decision.deciding {
            let blocks = decision.blocked_by.contains(&deciding.policy_type);
            prop_assert!(blocks == (deciding.effect == Effect::Deny));
        }
    }

    /// What is certain without knowing a key is so with every value of it.
    #[test]
    fn what_is_certain_stays_so(request in request(), hidden in subsequence(KEYS.to_vec(), 1..4)) {
        let Question { request, policies } = question(&request);
        let knowledge = Knowledge {
            unknown: hidden.iter().map(|key| (*key).to_owned()).collect(),
            ..Knowledge::default()
        };
        let mut partly = request.clone();
        partly.context.retain(|key, _| !hidden.contains(&key.as_str()));
        let outcome = decide(&request, &policies).outcome;
        match weigh(&partly, &policies, &knowledge) {
            Weighed::Allowed(_) => prop_assert_eq!(outcome, Outcome::Allowed),
            Weighed::Denied(_) => prop_assert_ne!(outcome, Outcome::Allowed),
            Weighed::DependsOn(doubt) => {
                prop_assert_eq!(doubt.at_best.outcome, Outcome::Allowed);
                prop_assert_ne!(doubt.at_worst.outcome, Outcome::Allowed);
                let hidden: BTreeSet<String> = hidden.iter().map(|key| key.to_lowercase()).collect();
                prop_assert!(!doubt.keys.is_empty() && doubt.keys.is_subset(&hidden));
            }
        }
    }

    #[test]
    fn an_unread_layer_never_makes_certain_what_its_policies_change(
        request in request(), layer in select(Layer::ALL.to_vec())
    ) {
        let mut without = request.clone();
        without[field(layer)] = Value::Null;
        let Question { request, policies } = question(&without);
        let knowledge = Knowledge { unread: BTreeSet::from([layer]), ..Knowledge::default() };
        let weighed = weigh(&request, &policies, &knowledge);
        let outcome = decided(&without).outcome;
        match weighed {
            Weighed::Allowed(_) => prop_assert_eq!(outcome, Outcome::Allowed),
            Weighed::Denied(_) => prop_assert_ne!(outcome, Outcome::Allowed),
            Weighed::DependsOn(doubt) => prop_assert_eq!(doubt.unread, BTreeSet::from([layer])),
        }
    }

    #[test]
    fn nothing_known_decides_as_strictly(request in request()) {
        let Question { request, policies } = question(&request);
        let strict = decide(&request, &policies);
        match weigh(&request, &policies, &Knowledge::default()) {
            Weighed::Denied(decision) => prop_assert_eq!(decision, strict),
            Weighed::Allowed(decision) => {
                prop_assert_eq!(decision, Decision { near_misses: Vec::new(), ..strict });
            }
            Weighed::DependsOn(doubt) => prop_assert!(false, "{:?}", doubt),
        }
    }

    #[test]
    fn no_text_makes_the_reader_fall(text in "\\PC{0,200}") {
        let _ = (Document::parse(&text), RequestFile::parse(&text));
    }

    /// Any value in any place of a policy: read or refused with the place, and evaluated.
    #[test]
    fn no_value_makes_the_reader_fall(
        request in request(),
        key in select(vec!["Version", "Statement", "Effect", "Action", "Resource", "Principal", "Condition", "x"]),
        value in select(vec![
            json!(null), json!(1), json!(true), json!(""), json!("*"), json!("::::::"), json!("arn:"), json!("${"),
            json!("${}"), json!([]), json!({}), json!([[]]), json!({"StringLike": {"": ["*${*}?${,'"]}}), json!({"AWS": ""}),
        ])
    ) {
        let mut changed = request;
        for field in ["identity_policies", "resource_policy"] {
            let mut place = &mut changed[field];
            if place.is_array() && place.as_array().is_some_and(|all| !all.is_empty()) {
                place = &mut place[0];
            }
            if place.is_object() && matches!(key, "Version" | "Statement") {
                place[key] = value.clone();
            } else if let Some(statement) = place.get_mut("Statement").and_then(|all| all.get_mut(0)) {
                statement[key] = value.clone();
            }
        }
        match RequestFile::parse(&changed.to_string()) {
            Ok(file) => file.questions().iter().for_each(|question| {
                let _ = decide(&question.request, &question.policies);
            }),
            Err(error) => prop_assert!(error.pointer.starts_with('/'), "{}", error),
        }
    }
}
