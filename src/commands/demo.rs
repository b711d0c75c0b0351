//! `ecr-fix demo`: the whole loop on a copy of a story, without account, network or emulator.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::carry_out::How;
use super::{carry_out, consent, rollback};
use crate::cli::Format;
use crate::diagnosis::{self, FORMAT_VERSION};
use crate::error::{Code, Error};
use crate::judges::Options;
use crate::plan::{self, Plan};
use crate::pulls::{Scope, World};
use crate::render;
use crate::run::{self, Interrupt};
use crate::snapshot_dir;
use crate::ui::Ui;

/// See the whole loop on a made-up cluster: no account, no network
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Do not ask
    #[arg(long, visible_alias = "auto-approve", env = "ECR_FIX_YES")]
    yes: bool,
}

/// The broken world of the story `plans/demo`.
const WORLD: [(&str, &str); 7] = [
    ("cluster.json", include_str!("../../plans/demo/world/cluster.json")),
    ("dns-hostnames.json", include_str!("../../plans/demo/world/dns-hostnames.json")),
    ("dns-support.json", include_str!("../../plans/demo/world/dns-support.json")),
    ("fargate-profile.json", include_str!("../../plans/demo/world/fargate-profile.json")),
    ("network.json", include_str!("../../plans/demo/world/network.json")),
    ("nodegroup.json", include_str!("../../plans/demo/world/nodegroup.json")),
    ("roles.json", include_str!("../../plans/demo/world/roles.json")),
];

/// Its phases in a row.
///
/// # Errors
/// The answer was no, or the temporary directory cannot be written.
pub async fn run(args: &Args, ui: &Ui) -> Result<u8, Error> {
    let interrupt = Interrupt::listen();
    let dir = write_story()?;
    let ui = &ui.with_state(dir.join("state"));
    let world = dir.join("world");
    let snapshot = snapshot_dir::load(&world)?.snapshot;

    say(ui, || {
        format!(
            "This is a made-up cluster, in {}.\nIts pods cannot pull their images. First, `ecr-fix diagnose` reads it:\n\n",
            world.display()
        )
    });
    let seen = World::of(&snapshot, &Scope::default())?;
    let found = diagnosis::diagnosis(&seen, &diagnosis::verdicts(&seen, &Options::default()));
    say(ui, || render::text::diagnosis(&found, ui.paint()));

    say(ui, || "\nThen `ecr-fix plan` shows what it would change, and proves that it helps:\n\n".to_owned());
    let plan = plan_for(&snapshot)?;
    say(ui, || render::text::plan(&plan, ui.paint()));

    let target = run::World::Sandbox(world.clone());
    say(ui, || {
        "\nNow `ecr-fix apply` asks, makes the changes, and looks again.\n".to_owned()
            + &render::text::about_to_change(&plan, None, &target, ui.paint())
    });
    let what =
        format!("Make {} on cluster {}?", render::text::changes(plan.actions.len()), plan.target.cluster);
    let explanation = render::text::explain_actions(&plan);
    consent::ask(ui, &interrupt, args.yes, &what, &plan.target.cluster, &explanation).await?;
    let state = ui.state_dir()?;
    let job = carry_out::Job {
        plan: &plan,
        world: &target,
        caller: None,
        state: &state,
        how: How::default(),
        interrupt: &interrupt,
        ui,
    };
    let done = carry_out::carry_out(&job).await?;
    say(ui, || render::text::applied(&done, &carry_out::undo(&done.record.run, ui), ui.paint()));

    say(ui, || "\nAt last, `ecr-fix rollback` takes everything back:\n\n".to_owned());
    say(ui, || render::text::rollback(&done.record, &plan, ui.paint()));
    let run_dir = state.run(&done.record.run)?;
    let job = rollback::Job {
        dir: &run_dir,
        plan: &plan,
        world: &target,
        caller: None,
        state: &state,
        wait: SignedDuration::from_secs(10),
        lock_timeout: SignedDuration::ZERO,
        unless_confirmed: false,
        interrupt: &interrupt,
        ui,
    };
    let rolled_back = rollback::carry_out(&job).await?;
    check_restored(&world)?;
    say(ui, || render::text::rolled_back(&rolled_back, ui.paint()) + &what_next(&world, ui));

    if ui.format == Format::Json {
        ui.answer(&render::json::document(&json!({
            "format_version": FORMAT_VERSION, "directory": world, "diagnosis": found, "plan": plan,
            "run": done.record, "rolled_back": rolled_back, "restored": true,
        })));
    }
    Ok(0)
}

fn say(ui: &Ui, text: impl FnOnce() -> String) {
    if ui.format == Format::Text {
        ui.answer(&text());
    }
}

fn plan_for(snapshot: &crate::model::Snapshot) -> Result<Plan, Error> {
    let request = plan::Request {
        scope: Scope::default(),
        options: Options::default(),
        selection: plan::Selection::default(),
        owned: plan::Owned::default(),
        now: Timestamp::now(),
        time_to_live: SignedDuration::from_hours(24),
        looks_for_others: false,
    };
    plan::build(snapshot, &request)
}

fn write_story() -> Result<PathBuf, Error> {
    let failed = |error: std::io::Error| {
        Error::new(Code::Storage, "the story cannot be written", "set TMPDIR to a directory with free space")
            .because(error)
    };
    let dir = tempfile::Builder::new().prefix("ecr-fix-demo-").tempdir().map_err(failed)?.keep();
    fs::create_dir(dir.join("world")).map_err(failed)?;
    for (name, text) in WORLD {
        fs::write(dir.join("world").join(name), text).map_err(failed)?;
    }
    Ok(dir)
}

/// After the rollback every file has the bytes that it had before.
fn check_restored(world: &Path) -> Result<(), Error> {
    for (name, text) in WORLD {
        let now = fs::read_to_string(world.join(name)).unwrap_or_default();
        if now != text {
            return Err(Error::new(
                Code::PartlyDone,
                format!("{name} is not as it was before"),
                format!(
                    "this is a defect of ecr-fix: please report it, with the directory {}",
                    world.display()
                ),
            ));
        }
    }
    Ok(())
}

fn what_next(world: &Path, ui: &Ui) -> String {
    let paint = ui.paint();
    let dir = world.display();
    format!(
        "\nEvery file is as it was before, byte for byte.\n\n{}\n  \
         the same by hand     ecr-fix plan --snapshot {dir}\n                       \
         ecr-fix apply --snapshot {dir}\n  \
         what a cause means   ecr-fix explain node-role-missing-ecr-policy\n  \
         your own cluster     ecr-fix plan --cluster NAME --region REGION\n                       \
         (reads only; `ecr-fix permissions` prints the IAM policy it needs)\n",
        paint.bold("What to try next")
    )
}

#[test]
fn the_demo_carries_the_whole_story() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans/demo/world");
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, WORLD.map(|(name, _)| name));
}
