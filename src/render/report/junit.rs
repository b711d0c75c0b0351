//! The diagnosis as JUnit: one suite for each puller, one test case for each leg of each of its pulls.

use std::collections::BTreeMap;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::diagnosis::{LegVerdict, PullPath, Verdict};
use crate::plan::Plan;
use crate::render::terminal::clean;
use crate::render::totals::mended_by;

/// The report. It holds no times: what is printed is a function of the plan.
pub(super) fn report(plan: &Plan) -> Report {
    let mended = mended_by(plan);
    let mut report = Report::new(clean(&format!("ecr-fix {}", plan.target.cluster)));
    let mut suites: BTreeMap<&crate::pulls::Source, TestSuite> = BTreeMap::new();
    for path in &plan.diagnosis.pull_paths {
        let suite = suites.entry(&path.from).or_insert_with(|| {
            TestSuite::new(clean(&format!("{}/{}", path.from.kind.as_str(), path.from.id)))
        });
        suite.add_test_cases(path.legs.iter().map(|leg| case(plan, path, leg, &mended)));
    }
    report.add_test_suites(suites.into_values());
    report
}

fn case(plan: &Plan, path: &PullPath, leg: &LegVerdict, mended: &BTreeMap<&str, Vec<&str>>) -> TestCase {
    let mut status = match leg.verdict {
        Verdict::Ok => TestCaseStatus::success(),
        Verdict::Blocked => TestCaseStatus::non_success(NonSuccessKind::Failure),
        // What was not decided counts neither as well nor as broken.
        Verdict::Unknown | Verdict::NotReached => TestCaseStatus::skipped(),
    };
    match leg.verdict {
        Verdict::Ok => {}
        Verdict::Blocked => {
            let found = plan.diagnosis.findings.iter().filter(|found| leg.findings.contains(&found.id));
            let lines: Vec<String> = found
                .clone()
                .map(|found| {
                    let by = mended.get(found.id.as_str()).map(|actions| actions.join(", "));
                    let by = by.unwrap_or_else(|| "not by this plan".to_owned());
                    clean(&format!(
                        "{} {} on {}: {} (mended by {by})",
                        found.id, found.cause, found.resource, found.summary
                    ))
                })
                .collect();
            let causes: Vec<String> = found.map(|found| clean(&found.cause)).collect();
            status.set_message(causes.join(", ")).set_type("blocked").set_description(lines.join("\n"));
        }
        Verdict::Unknown => {
            status.set_message(clean(&format!("not decided: {}", leg.because.join("; "))));
        }
        Verdict::NotReached => {
            status.set_message("not reached");
        }
    }
    let mut case = TestCase::new(leg.leg.as_str(), status);
    case.set_classname(clean(&path.id));
    case
}
