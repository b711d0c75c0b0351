//! The findings as SARIF 2.1.0: the cause is the rule, and a finding keeps its fingerprint from plan to plan.

use std::collections::BTreeSet;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::checks::{Cause, Severity};
use crate::diagnosis::{Diagnosis, Finding};
use crate::model::Unread;
use crate::plan::Plan;
use crate::plan::file::sha256_of;
use crate::pulls::Source;
use crate::render::terminal::clean;
use crate::render::totals::mended_by;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// What a file name may hold in a URI.
const FILE_NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// The log: one run, with one result for each finding, placed in the file of the plan.
pub(super) fn log(plan: &Plan, file_name: &str) -> Value {
    let diagnosis = &plan.diagnosis;
    let causes: BTreeSet<&str> = diagnosis.findings.iter().map(|found| found.cause.as_str()).collect();
    let causes: Vec<&str> = causes.into_iter().collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "ecr-fix",
                "semanticVersion": clean(&plan.ecr_fix_version),
                "rules": causes.iter().map(|cause| rule(cause, diagnosis)).collect::<Vec<_>>(),
            }},
            "automationDetails": {"id": clean(&format!("ecr-fix/{}/{}/{}/", plan.target.account, plan.target.region, plan.target.cluster))},
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": true,
                "toolExecutionNotifications": diagnosis.unread.iter().map(notification).collect::<Vec<_>>(),
            }],
            "results": diagnosis.findings.iter().map(|found| result(plan, found, &causes, file_name)).collect::<Vec<_>>(),
            "properties": {"planDigest": clean(&plan.digest), "verdict": diagnosis.summary.verdict.as_str()},
        }],
    })
}

fn rule(id: &str, diagnosis: &Diagnosis) -> Value {
    let known = Cause::find(id);
    let severity = known
        .map(|cause| cause.severity)
        .or_else(|| diagnosis.findings.iter().find(|found| found.cause == id).map(|found| found.severity));
    let mut rule = json!({
        "id": clean(id),
        "defaultConfiguration": {"level": severity.map_or("warning", level)},
        "properties": {"tags": ["ecr", "eks"], "precision": "high"},
    });
    if let (Some(cause), Some(fields)) = (known, rule.as_object_mut()) {
        let manual = cause.manual();
        fields.insert("shortDescription".to_owned(), json!({"text": cause.summary()}));
        fields.insert("help".to_owned(), json!({"text": manual, "markdown": manual}));
    }
    rule
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low => "note",
    }
}

fn result(plan: &Plan, found: &Finding, causes: &[&str], file_name: &str) -> Value {
    let mended = mended_by(plan);
    let by = mended.get(found.id.as_str()).map_or_else(
        || "This plan does not mend it.".to_owned(),
        |actions| format!("Mended by {} of the plan.", actions.join(", ")),
    );
    let blocks =
        if found.blocks.len() == 1 { "1 pull".to_owned() } else { format!("{} pulls", found.blocks.len()) };
    let index = causes.iter().position(|cause| *cause == found.cause).unwrap_or_default();
    json!({
        "ruleId": clean(&found.cause),
        "ruleIndex": index,
        "level": level(found.severity),
        "message": {"text": literal(&clean(&format!("{} on {}: {}. It blocks {blocks}. {by}", found.cause, found.resource, found.summary)))},
        "locations": [{
            "physicalLocation": {
                "artifactLocation": {"uri": utf8_percent_encode(file_name, FILE_NAME).to_string()},
                "region": {"startLine": 1},
            },
            "logicalLocations": [{"fullyQualifiedName": clean(&found.resource), "kind": "resource"}],
        }],
        "partialFingerprints": {"ecrFixFinding/v1": fingerprint(plan, found)},
        "properties": {
            "finding": clean(&found.id),
            "severity": found.severity.as_str(),
            "remedy": found.remedy.as_str(),
            "account": clean(&found.account),
            "region": clean(&found.region),
            "evidence": found.evidence.iter().map(|seen| clean(&format!("{}: {}", seen.source, seen.saw))).collect::<Vec<_>>(),
        },
    })
}

/// The same for the same cause on the same thing, whatever else a plan holds. Where that is true of several findings, who
/// cannot pull tells them apart.
fn fingerprint(plan: &Plan, found: &Finding) -> String {
    let findings = &plan.diagnosis.findings;
    let is_same = |other: &&Finding| (&other.cause, &other.resource) == (&found.cause, &found.resource);
    let pullers: BTreeSet<&Source> = if findings.iter().filter(is_same).count() > 1 {
        let blocked = plan.diagnosis.pull_paths.iter().filter(|path| found.blocks.contains(&path.id));
        blocked.map(|path| &path.from).collect()
    } else {
        BTreeSet::new()
    };
    sha256_of(&json!([found.cause, found.resource, found.account, found.region, pullers]))
        .replace("sha256:", "")
}

fn notification(unread: &Unread) -> Value {
    let on = if unread.resource.is_empty() { String::new() } else { format!(" on {}", unread.resource) };
    let hides = if unread.hides.is_empty() {
        String::new()
    } else {
        format!("; may hide: {}", unread.hides.join(", "))
    };
    json!({
        "level": "warning",
        "descriptor": {"id": "not-read"},
        "message": {"text": literal(&clean(&format!("{}{on}: {}{hides}", unread.source, unread.because)))},
    })
}

/// Messages know links (`[text](target)`) and placeholders (`{0}`); a backslash or a second brace makes them text.
fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '[' | ']' => out.extend(['\\', c]),
            '{' | '}' => out.extend([c, c]),
            c => out.push(c),
        }
    }
    out
}

#[test]
fn messages_hold_no_links_and_no_placeholders() {
    assert_eq!(literal(r"[a](http://b) {0} \"), r"\[a\](http://b) {{0}} \\");
}
