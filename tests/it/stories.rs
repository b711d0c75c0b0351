//! Replays every story of `plans/`: world, diagnosis, plan, applied world, rolled-back world.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use ecr_fix::checks::{self, Remedy};
use ecr_fix::diagnosis;
use ecr_fix::judges::Options;
use ecr_fix::model::Snapshot;
use ecr_fix::plan::{self, Plan};
use ecr_fix::pulls::{Scope, World};
use ecr_fix::render::report::{Form, report};
use ecr_fix::render::{json, terminal::Paint, text};
use ecr_fix::snapshot_dir;
use expect_test::expect_file;
use jiff::{SignedDuration, Timestamp};

const PLAIN: Paint = Paint { on: false };

fn stories() -> Vec<PathBuf> {
    let plans = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans");
    let entries = fs::read_dir(plans).unwrap().map(|entry| entry.unwrap().path());
    let mut stories: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    stories.sort();
    assert!(stories.len() >= 7, "where are the stories? {stories:?}");
    stories
}

fn load(dir: &Path) -> Snapshot {
    snapshot_dir::load(dir).unwrap().snapshot
}

/// What a story is planned with, beside its world.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Asked {
    scope: Scope,
    options: Options,
}

fn asked(story: &Path) -> Asked {
    match fs::read_to_string(story.join("request.json")) {
        Ok(text) => serde_json::from_str(&text).unwrap(),
        Err(_) => Asked::default(),
    }
}

fn plan_for(story: &Path, world: &Snapshot) -> Plan {
    let Asked { scope, options } = asked(story);
    let request = plan::Request {
        scope,
        options,
        selection: plan::Selection::default(),
        owned: plan::Owned::default(),
        now: "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap(),
        time_to_live: SignedDuration::from_hours(24),
        looks_for_others: true,
    };
    plan::build(world, &request).unwrap()
}

fn diagnosis_of(story: &Path, snapshot: &Snapshot) -> diagnosis::Diagnosis {
    let Asked { scope, options } = asked(story);
    let world = World::of(snapshot, &scope).unwrap();
    diagnosis::diagnosis(&world, &diagnosis::verdicts(&world, &options))
}

fn blocked(plan: &Plan) -> BTreeSet<String> {
    let paths = plan.diagnosis.pull_paths.iter();
    paths.filter(|path| path.verdict == diagnosis::Verdict::Blocked).map(|path| path.id.clone()).collect()
}

/// Every file of a directory, by its name.
fn files(dir: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap()))
        .collect()
}

fn difference(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    for (name, text) in before {
        let diff = similar::TextDiff::from_lines(text, &after[name]);
        out += &diff.unified_diff().context_radius(3).header(name, name).to_string();
    }
    out
}

#[test]
fn stories_are_told_as_they_are_written() {
    for story in stories() {
        let world = load(&story.join("world"));
        expect_file![story.join("diagnosis.txt")]
            .assert_eq(&text::diagnosis(&diagnosis_of(&story, &world), PLAIN));
        let plan = plan_for(&story, &world);
        expect_file![story.join("plan.txt")].assert_eq(&text::plan(&plan, PLAIN));
        expect_file![story.join("plan.json")].assert_eq(&json::document(&plan));
        expect_file![story.join("report.md")].assert_eq(&report(&plan, Form::Markdown, "plan.json").unwrap());
    }
}

#[test]
fn stories_end_mended_and_roll_back_to_every_byte() {
    for story in stories() {
        let sandbox = tempfile::tempdir().unwrap();
        let dir = sandbox.path().join("world");
        snapshot_dir::copy(&story.join("world"), &dir).unwrap();
        let before = files(&dir);
        let plan = plan_for(&story, &load(&dir));

        let apply = |change: &ecr_fix::actions::AnyChange| {
            let world = load(&dir);
            let mut changed = world.clone();
            change.simulate(&mut changed);
            snapshot_dir::write_changes(&dir, &world, &changed).unwrap();
        };
        let changes: Vec<_> = plan.actions.iter().map(|action| action.change().unwrap()).collect();
        changes.iter().for_each(apply);
        expect_file![story.join("applied.diff")].assert_eq(&difference(&before, &files(&dir)));

        let after = plan_for(&story, &load(&dir));
        assert!(after.actions.is_empty(), "{}: a second plan has changes", story.display());
        assert_eq!(after.proof.before, plan.proof.after, "{}: the proof was wrong", story.display());
        let newly: Vec<_> = blocked(&after).difference(&blocked(&plan)).cloned().collect();
        assert!(newly.is_empty(), "{}: {newly:?} worked before", story.display());

        changes.iter().rev().for_each(|change| apply(&change.inverse()));
        assert_eq!(files(&dir), before, "{}: not rolled back", story.display());
    }
}

#[test]
fn plans_are_the_same_every_time_and_read_back_as_they_were() {
    for story in stories() {
        let world = load(&story.join("world"));
        let plan = plan_for(&story, &world);
        assert_eq!(json::document(&plan), json::document(&plan_for(&story, &world)));
        let text = json::document(&plan);
        assert_eq!(Plan::read(&text, "plan").unwrap(), plan);
        // Whoever changes a character changes the digest, or what is no JSON any more.
        let tampered = text.replacen("demo", "prod", 1);
        assert!(Plan::read(&tampered, "plan").is_err());
    }
}

/// A manual that promises a fix has a story in which a plan makes it, and what is left to people no plan mends.
#[test]
fn what_manuals_call_automatic_is_what_plans_mend() {
    let mut mended: BTreeSet<String> = BTreeSet::new();
    for story in stories() {
        let plan = plan_for(&story, &load(&story.join("world")));
        let fixes: BTreeSet<&String> = plan.actions.iter().flat_map(|action| &action.fixes).collect();
        let findings = plan.diagnosis.findings.iter().filter(|finding| fixes.contains(&finding.id));
        mended.extend(findings.map(|finding| finding.cause.clone()));
    }
    let automatic = checks::ALL.iter().filter(|cause| cause.remedy == Remedy::Automatic);
    let automatic: BTreeSet<String> = automatic.map(|cause| cause.id.to_owned()).collect();
    assert_eq!(mended, automatic);
}
