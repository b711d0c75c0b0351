//! Every scenario of `broken_cluster.py`, diagnosed live: what was broken is found, and nothing else.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::Case;

/// A cause, and what is at fault.
type Found = BTreeSet<(String, String)>;

/// Diagnoses the images of a scenario, with the role that reads the other account.
fn diagnose(case: &Case) -> Value {
    let scenario = &case.scenario.document;
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let account_role =
        format!("{}={}", text(&scenario["registry_account"]), text(&scenario["registry_role"]));
    let mut arguments = vec!["--account-role".to_owned(), account_role];
    for image in scenario["images"].as_array().expect("images") {
        arguments.extend(["--image".to_owned(), text(image)]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    case.live("diagnose", &arguments).expect(0).json()
}

fn pairs(findings: &Value) -> Found {
    let pair = |found: &Value, key: &str| found[key].as_str().expect("a text").to_owned();
    let findings = findings.as_array().expect("findings").iter();
    findings.map(|found| (pair(found, "cause"), pair(found, "resource"))).collect()
}

/// Demands that the findings are those expected, beside `unseen`, which hide behind others.
fn check(kind: &str, unseen: &[&str]) {
    let case = Case::build(kind);
    let diagnosis = diagnose(&case);
    let expected = &case.scenario.document["expected"];
    assert_eq!(diagnosis["summary"]["verdict"], expected["verdict"], "{kind}: {diagnosis:#}");
    let (found, wanted) = (pairs(&diagnosis["findings"]), pairs(&expected["findings"]));
    let missing: Vec<_> =
        wanted.difference(&found).filter(|(cause, _)| !unseen.contains(&cause.as_str())).collect();
    assert!(missing.is_empty(), "{kind}: not found: {missing:?}");
    let also = expected["findings"].as_array().expect("findings").iter();
    let also: Vec<&Value> =
        also.flat_map(|found| found["also_acceptable"].as_array().expect("a list")).collect();
    let invented: Vec<_> =
        found.difference(&wanted).filter(|(cause, _)| !also.iter().any(|also| *also == cause)).collect();
    assert!(invented.is_empty(), "{kind}: invented: {invented:?}");
}

#[test]
fn healthy_clusters() {
    check("healthy", &[]);
    check("healthy-private", &[]);
}

#[test]
fn ways_to_the_internet() {
    for kind in ["node-no-egress", "sg-egress-closed", "nacl-ephemeral"] {
        check(kind, &[]);
    }
}

#[test]
fn ways_through_endpoints() {
    for kind in
        ["private-missing-endpoints", "sg-egress-no-s3", "s3-gateway-unassociated", "endpoint-sg-closed"]
    {
        check(kind, &[]);
    }
}

#[test]
fn names() {
    check("private-dns-off", &[]);
    check("vpc-dns-off", &[]);
}

#[test]
fn registries_of_other_accounts() {
    check("cross-account-repo", &[]);
}

/// Where no packet gets as far as an endpoint or a reply, what would stop it there is not seen yet.
#[test]
fn most_of_them_at_once() {
    check("kitchen-sink", &[]);
}
