//! Reports, pseudonyms and exports: of every story, and of a plan in which everything foreign attacks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ecr_fix::plan::Plan;
use ecr_fix::render::export::{Language, export};
use ecr_fix::render::redact::{Key, redacted};
use ecr_fix::render::report::{Form, report};
use ecr_fix::render::{json, terminal::Paint, text};
use serde_json::{Value, json};

use crate::support::{Program, test_python};

const PLAIN: Paint = Paint { on: false };

/// What foreign text may try: each in the name of whatever can have one.
const ATTACKS: [&str; 32] = [
    "\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m",
    "\u{202e}fdp.exe\u{2066}\u{200b}\u{e0041}",
    "\r\nBROKEN: 0 of 0\n::error::x\n##[error]x ##vso[task.setvariable]x",
    " ::add-mask::x ::stop-commands::y",
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</style></title></svg></textarea><iframe src=//x>",
    "<!-- --><details><summary></summary>",
    "-->]]><![CDATA[<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>&e;",
    "&lt;b&gt;&#60;b&#62;&amp;",
    "[x](http://evil.example) ![x](//evil.example/i.png) <http://evil.example>",
    "http://evil.example www.evil.example mail@evil.example @octocat #1 GH-1",
    "`code` ``more`` ```\n```\n# heading\n~~~\n",
    "a | b \\| c\n| --- |\n",
    "\n\n# heading\n- list\n1. list\n> quote\n---\n<details>\n\n",
    "**bold** __bold__ ~~gone~~ $math$ \\( :smile: ![",
    "- [ ] task\n",
    "</code></pre></details></summary></table>",
    "'; echo INJECTED >&2; '",
    "\"; echo INJECTED >&2; \"",
    "$(echo INJECTED >&2) `echo INJECTED >&2` ${HOME} $HOME !! \\",
    "\n echo INJECTED >&2 #\n",
    "' | cat <<EOF\nEOF\n",
    "--query x --endpoint-url http://evil.example",
    "${file(\"/etc/passwd\")} $${x} $$${y} %{ if true }x%{ endif } %%{x}",
    "\"\n}\nresource \"null_resource\" \"x\" {\n",
    "<<-EOT\nEOT\n /* */ // #",
    "\": {\"Type\": \"x\"}\n  X:\n    Type: x\n# ",
    "!!python/object/apply:os.system [\"id\"] &a *a !Ref x {{x}} {0} %s %n",
    "\u{0}\u{1}\u{7f}\u{85}\u{2028}\u{feff}\u{fffd}\u{10ffff}",
    "\\u0022\\x22\\\" \\N \\t",
];

/// Fields of a plan in which only ecr-fix itself writes, or which say where and not what.
const OWN_WORDS: [&str; 30] = [
    "format_version",
    "created_at",
    "expires_at",
    "kind",
    "risk",
    "verdict",
    "leg",
    "findings",
    "finding",
    "severity",
    "cause",
    "remedy",
    "fixes",
    "depends_on",
    "tool",
    "prefer",
    "pull_policy",
    "Version",
    "Effect",
    "attribute",
    "endpoint_type",
    "direction",
    "protocol",
    "action",
    "block",
    "destination",
    "target",
    "peer",
    "account",
    "region",
];

fn stories() -> Vec<(String, Plan)> {
    let plans = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans");
    let mut stories: Vec<PathBuf> = fs::read_dir(plans).unwrap().map(|entry| entry.unwrap().path()).collect();
    stories.retain(|path| path.is_dir());
    stories.sort();
    let read = |story: &PathBuf| {
        let text = fs::read_to_string(story.join("plan.json")).unwrap();
        (story.file_name().unwrap().to_str().unwrap().to_owned(), Plan::read(&text, "plan.json").unwrap())
    };
    stories.iter().map(read).collect()
}

fn demo() -> Plan {
    stories().into_iter().find(|(name, _)| name == "demo").unwrap().1
}

/// Stories that together have every kind of action that any story has.
fn one_of_each_kind() -> Vec<(String, Plan)> {
    let mut seen = std::collections::BTreeSet::new();
    let mut stories = stories();
    stories.push(("every-kind".to_owned(), crate::exports::every_kind()));
    stories.sort_by_key(|(_, plan)| std::cmp::Reverse(plan.actions.len()));
    stories.retain(|(_, plan)| {
        plan.actions
            .iter()
            .map(|action| (action.kind, action.before.is_null()))
            .filter(|kind| seen.insert(*kind))
            .count()
            > 0
    });
    stories
}

/// Every output that a plan has, by the ending that `check.py` knows it by.
fn outputs(plan: &Plan) -> Vec<(&'static str, String)> {
    let forms = [
        (Form::Markdown, "md"),
        (Form::Html, "html"),
        (Form::Junit, "junit"),
        (Form::Sarif, "sarif"),
        (Form::Json, "json"),
    ];
    let languages =
        [(Language::Terraform, "tf"), (Language::Cloudformation, "yaml"), (Language::Awscli, "sh")];
    let reports = forms.map(|(form, ending)| (ending, report(plan, form, "plan.json").unwrap()));
    let exports = languages.map(|(language, ending)| (ending, export(plan, language)));
    reports.into_iter().chain(exports).collect()
}

fn check(dir: &Path) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reports/check.py");
    let output = Command::new(test_python()).arg(script).arg(dir).output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

#[test]
fn reports_of_every_story_are_well_formed() {
    let dir = tempfile::tempdir().unwrap();
    for (name, plan) in stories().into_iter().chain([("every-kind".to_owned(), crate::exports::every_kind())])
    {
        for (ending, text) in outputs(&plan) {
            fs::write(dir.path().join(format!("{name}.benign.{ending}")), text).unwrap();
        }
    }
    check(dir.path());
}

#[test]
fn every_change_of_every_story_has_words_in_every_language() {
    for (name, plan) in stories() {
        for language in Language::ALL {
            let code = export(&plan, language);
            assert!(!code.contains("this version has no words"), "{name}:\n{code}");
        }
    }
}

/// The plan with the attack at the end of everything foreign.
fn attacked(plan: &Plan, attack: &str) -> Plan {
    let mut document = serde_json::to_value(plan).unwrap();
    attack_in("", &mut document, attack);
    serde_json::from_value(document).unwrap()
}

fn attack_in(field: &str, value: &mut Value, attack: &str) {
    match value {
        Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| attack_in(name, value, attack)),
        Value::Array(values) => values.iter_mut().for_each(|value| attack_in(field, value, attack)),
        Value::String(_) if OWN_WORDS.contains(&field) => {}
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(mut document @ Value::Object(_)) => {
                attack_in("", &mut document, attack);
                *text = document.to_string();
            }
            // A line end in a diff is a line more, and no attack.
            _ if field == "diff" => {
                *text = text.trim_end().to_owned() + &attack.replace(['\r', '\n'], " ") + "\n"
            }
            _ if field == "id" && text.len() <= 3 => {}
            _ => *text += attack,
        },
        _ => {}
    }
}

#[test]
fn foreign_text_changes_texts_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    for (name, plan) in one_of_each_kind() {
        for (ending, text) in outputs(&attacked(&plan, "x")) {
            fs::write(dir.path().join(format!("{name}.benign.{ending}")), text).unwrap();
        }
        for (number, attack) in ATTACKS.iter().enumerate() {
            let plan = attacked(&plan, attack);
            for (ending, text) in outputs(&plan) {
                fs::write(dir.path().join(format!("{name}.hostile-{number}.{ending}")), text).unwrap();
            }
            for text in [text::plan(&plan, PLAIN), text::raw_plan(&plan, PLAIN)] {
                let steers = |c: char| c != '\n' && ecr_fix::render::terminal::is_unsafe(c);
                assert!(!text.contains(steers), "{attack:?}:\n{text}");
                assert!(text.lines().all(|line| !line.trim_start().starts_with("::")), "{attack:?}:\n{text}");
            }
        }
    }
    check(dir.path());
}

#[test]
fn everything_is_still_read_as_it_was_written() {
    for attack in ATTACKS {
        let plan = attacked(&demo(), attack);
        let log: Value = serde_json::from_str(&report(&plan, Form::Json, "x").unwrap()).unwrap();
        assert_eq!(log, serde_json::to_value(&plan).unwrap());
    }
}

#[test]
fn a_large_plan_fits_a_comment_and_keeps_its_risks() {
    for number in [10, 100, 1_000, 5_000] {
        let mut plan = demo();
        let action = plan.actions[0].clone();
        plan.actions = (1..=number)
            .map(|number| {
                let mut action = action.clone();
                action.id = format!("a{number}");
                action.risk = if number == 7 { ecr_fix::actions::Risk::High } else { action.risk };
                action
            })
            .collect();
        plan.proof.newly_reachable = (0..number).map(|number| format!("opened {number}")).collect();
        let comment = report(&plan, Form::Markdown, "plan.json").unwrap();
        assert!(comment.len() <= 65_536, "{number}: {}", comment.len());
        assert!(
            comment.contains("### Risks") && comment.contains("**high**") && comment.contains("a7"),
            "{number}"
        );
        assert!(comment.contains(&format!("{number} to change")) && comment.contains("opened 9"), "{number}");
        assert_eq!(comment.contains("Cut to fit"), number >= 100, "{number}");
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("large.benign.md"), comment).unwrap();
        check(dir.path());
    }
}

#[test]
fn a_finding_keeps_its_fingerprint() {
    let prints = |plan: &Plan| -> Vec<String> {
        let log: Value = serde_json::from_str(&report(plan, Form::Sarif, "plan.json").unwrap()).unwrap();
        let results = log["runs"][0]["results"].as_array().unwrap().clone();
        results.iter().map(|result| result["partialFingerprints"]["ecrFixFinding/v1"].to_string()).collect()
    };
    let plan = demo();
    let mut later = plan.clone();
    later.diagnosis.findings.remove(0);
    later.diagnosis.findings.iter_mut().for_each(|found| {
        found.summary += " and more";
        found.id = found.id.replace('f', "f1");
    });
    assert_eq!(prints(&plan)[1..], prints(&later));
    assert_eq!(prints(&plan).len(), 3);
}

mod pseudonyms {
    use super::*;
    use proptest::prelude::*;

    const KEY: [u8; 32] = [7; 32];

    fn everything(plan: &Plan) -> Vec<(&'static str, String)> {
        let mut all = outputs(plan);
        all.push(("text", text::plan(plan, PLAIN)));
        all.push(("raw", text::raw_plan(plan, PLAIN)));
        all.push(("github", report(plan, Form::Github, "plan.json").unwrap()));
        all
    }

    /// The plan of the demo, with other names for everything, and ids and addresses in its texts.
    fn renamed(names: &[String; 5], address: &str, id: &str) -> Plan {
        let [account, cluster, node, fargate, group] = names;
        let text = json::document(&demo())
            .replace("111122223333", account)
            .replace("demo-node", node)
            .replace("demo-fargate", fargate)
            .replace("\"demo\"", &format!("\"{cluster}\""))
            .replace("profile/demo/", &format!("profile/{cluster}/"))
            .replace("cluster demo", &format!("cluster {cluster}"))
            .replace("workers", group);
        let mut plan: Plan = serde_json::from_str(&text).unwrap();
        let found = &mut plan.diagnosis.findings[0];
        found.evidence[0].saw =
            format!("sg-{id} lets {address}/32 of vpc-{id} in, ip-{}", address.replace('.', "-"));
        found.manual_steps.push(format!("ping {address}; aws ecr get-login-password --region eu-west-1 | docker login registry.{node}.example"));
        plan.diagnosis.pull_paths[0].image =
            format!("{account}.dkr.ecr.eu-west-1.amazonaws.com/{group}-repo/{node}:v1");
        plan.proof.newly_reachable.push(format!("{node} reaches {address}"));
        plan
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn no_name_survives_in_any_format(
            account in "[0-9]{12}",
            names in proptest::collection::btree_set("[a-z]{3}[a-zA-Z0-9]{3,8}([-_.][a-z0-9]{2,5}){0,2}z9", 4),
            address in (10_u8..=223, 1_u8..=250, 1_u8..=250, 1_u8..=250),
            id in "0[0-9a-f]{16}",
        ) {
            let address = format!("{}.{}.{}.{}", address.0, address.1, address.2, address.3);
            prop_assume!(!address.starts_with("127.") && !address.starts_with("169.254."));
            let names: Vec<String> = [account].into_iter().chain(names).collect();
            let names: [String; 5] = names.try_into().unwrap();
            let plan = renamed(&names, &address, &id);
            let hidden = redacted(&plan, &Key::new(KEY)).unwrap();
            let dashed = address.replace('.', "-");
            let secrets: Vec<&str> = names.iter().map(String::as_str).chain([address.as_str(), id.as_str(), dashed.as_str()]).collect();
            for (format, text) in everything(&hidden) {
                for secret in &secrets {
                    let survives = text.to_lowercase().contains(&secret.to_lowercase());
                    prop_assert!(!survives, "{} survives in {}:\n{}", secret, format, text);
                }
            }
            // And all of them were there to begin with.
            let shown: String = everything(&plan).into_iter().map(|(_, text)| text).collect();
            for secret in secrets {
                prop_assert!(shown.contains(secret), "{} is not shown", secret);
            }
        }
    }

    #[test]
    fn pseudonyms_are_stable_within_a_key_and_only_there() {
        let plan = demo();
        let hide = |key: u8| redacted(&plan, &Key::new([key; 32])).unwrap();
        assert_eq!(hide(1), hide(1));
        assert_ne!(hide(1), hide(2));
        let hidden = hide(1);
        assert_eq!(hidden.target.account.len(), 12);
        assert_eq!(hidden.digest, plan.digest, "the plan that is meant");
        assert_ne!(
            hidden.actions[0].precondition, plan.actions[0].precondition,
            "a hash of names can be guessed"
        );
        // One name, one pseudonym, wherever it stands and in whichever format.
        let role = hidden.actions[0].resource.rsplit('/').next().unwrap().to_owned();
        assert!(
            role.starts_with("name-") && hidden.actions[0].summary.ends_with(&role),
            "{}",
            hidden.actions[0].summary
        );
        for (format, text) in everything(&hidden) {
            assert!(text.contains(&role), "{format}");
        }
        // What says nothing about anybody stays readable.
        let text = text::plan(&hidden, PLAIN);
        for known in [
            "AmazonEC2ContainerRegistryPullOnly",
            "eks-fargate-pods.amazonaws.com",
            "eu-west-1",
            "ecr:BatchGetImage",
            "statement EcrFixFargate",
        ] {
            assert!(text.contains(known), "{known}:\n{text}");
        }
    }

    #[test]
    fn names_in_odd_places_are_replaced_too() {
        let mut plan = demo();
        plan.actions[0].after = json!({"document": json!({"Version": "2012-10-17", "Statement": [{
            "Sid": "x", "Effect": "Allow", "Action": "ecr:BatchGetImage",
            "Principal": {"AWS": "arn:aws:iam::444455556666:role/path/secretrole"},
            "Condition": {"StringEquals": {"aws:PrincipalTag/team": "x", "aws:SourceVpce": "vpce-0abc1234"}},
            "Resource": "arn:aws:ecr:eu-west-1:444455556666:repository/secret-team/secret-app"
        }]}).to_string()});
        plan.actions[0].at =
            json!({"role_name": "it's \"quoted\"\nname", "tags": [{"Key": "Name", "Value": "secret-tag"}]});
        plan.actions[0].why_safe =
            "secretrole\\nsecretrole, SECRETROLE and (secret-team/x) of it's \"quoted\"\nname; secret-tag"
                .to_owned();
        plan.not_fixed.push(ecr_fix::plan::NotFixed {
            finding: "f1".to_owned(),
            because: "AROAEXAMPLE123456789 of 444455556666 at db.internal.secret.example, fd00:1234::5"
                .to_owned(),
            manual_steps: vec!["aws ec2 describe-vpc-endpoints --vpc-endpoint-ids vpce-0abc1234".to_owned()],
        });
        let hidden = redacted(&plan, &Key::new(KEY)).unwrap();
        for (format, text) in everything(&hidden) {
            for secret in ["secret", "444455556666", "quoted", "0abc1234", "AROAEXAMPLE", "fd00:1234"] {
                assert!(
                    !text.to_lowercase().contains(&secret.to_lowercase()),
                    "{secret} survives in {format}:\n{text}"
                );
            }
        }
    }
}

/// A directory with the plan of the demo.
fn with_plan() -> Program {
    let program = Program::new();
    let story = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans/demo/world");
    ecr_fix::snapshot_dir::copy(&story, &program.home().join("world")).unwrap();
    program.run(&["plan", "--snapshot", "world", "--out", "plan.json"]).expect(0);
    program
}

#[test]
fn the_command_prints_every_form_and_never_fails_by_its_findings() {
    let program = with_plan();
    let starts = [
        ("markdown", "## ecr-fix: cluster"),
        ("html", "<!DOCTYPE html>"),
        ("json", "{\n  \"format_version\""),
        ("junit", "<?xml"),
        ("sarif", "{\n  \"$schema\""),
        ("github", "## ecr-fix: cluster"),
        ("text", "## ecr-fix: cluster"),
    ];
    for (form, start) in starts {
        let outcome = program.run(&["report", "plan.json", "--output", form]).expect(0);
        assert!(outcome.stdout.starts_with(start) && outcome.stderr.is_empty(), "{form}: {outcome}");
        let file = program.run(&["report", "plan.json", "-o", form, "--out", "report"]).expect(0);
        assert_eq!((file.stdout.as_str(), read(&program, "report")), ("", outcome.stdout), "{form}");
    }
    let default = program.run(&["report", "plan.json"]).expect(0);
    assert!(default.stdout.starts_with("## ecr-fix"), "{default}");
    program.run(&["report", "nothing.json", "-o", "sarif"]).expect(1);
    program.run(&["diagnose", "--snapshot", "world", "-o", "html"]).expect(64);
}

#[test]
fn the_summary_of_a_step_is_appended_to() {
    let program = with_plan().env("GITHUB_STEP_SUMMARY", "summary.md");
    fs::write(program.home().join("summary.md"), "before\n").unwrap();
    let outcome = program.run(&["report", "plan.json", "--output", "github"]).expect(0);
    assert_eq!(outcome.stdout, "");
    assert!(read(&program, "summary.md").starts_with("before\n## ecr-fix: cluster"));
    assert!(
        program.run(&["report", "plan.json"]).expect(0).stdout.starts_with("## ecr-fix"),
        "only with github"
    );
    let broken = with_plan().env("GITHUB_STEP_SUMMARY", "no/such/dir/summary.md");
    broken.run(&["report", "plan.json", "--output", "github"]).expect(1);
}

#[test]
fn the_key_of_pseudonyms_stays_in_the_state_directory() {
    use std::os::unix::fs::PermissionsExt as _;
    let program = with_plan();
    let first = program.run(&["report", "plan.json", "--redact"]).expect(0);
    assert!(!first.stdout.contains("demo") && !first.stdout.contains("111122223333"), "{first}");
    assert_eq!(program.run(&["report", "plan.json", "--redact"]).expect(0).stdout, first.stdout);
    let key = program.state().join("redaction.key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let key = fs::read_to_string(key).unwrap();
    for arguments in [
        &["show", "plan.json", "--redact"][..],
        &["show", "plan.json", "--redact", "--raw"],
        &["show", "plan.json", "--redact", "-o", "json"],
        &["export", "plan.json", "--as", "awscli", "--redact"],
    ] {
        let outcome = program.run(arguments).expect(0);
        for secret in ["demo-node", "demo-fargate", "\"demo\"", "111122223333", "workers", key.as_str()] {
            assert!(!outcome.stdout.contains(secret), "{secret}: {outcome}");
        }
    }
    let elsewhere = with_plan();
    assert_ne!(elsewhere.run(&["report", "plan.json", "--redact"]).expect(0).stdout, first.stdout);
    // What is under pseudonyms is no plan to apply.
    fs::write(
        program.home().join("hidden.json"),
        program.run(&["show", "plan.json", "--redact", "-o", "json"]).stdout,
    )
    .unwrap();
    program.run(&["apply", "hidden.json", "--snapshot", "world", "--yes"]).expect(12);
}

fn read(program: &Program, name: &str) -> String {
    fs::read_to_string(program.home().join(name)).unwrap()
}
