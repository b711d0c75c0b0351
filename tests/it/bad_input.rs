//! Input that cannot be used: each gets a clear error, the right exit code, and loses nothing.

use std::fs;

use crate::support::{Case, Fault, KubernetesApi, Program, Times, read_json};

#[test]
fn a_cluster_that_does_not_exist() {
    let case = Case::shared();
    let outcome =
        case.operator.run(&["diagnose", "--cluster", "no-such-cluster", "--output", "json"]).expect(1);
    assert_eq!(outcome.error_code(), "not_found");
    assert!(outcome.stdout.contains("no-such-cluster"), "{outcome}");
}

#[test]
fn the_wrong_region() {
    let case = Case::shared();
    let outcome = case.live("diagnose", &["--region", "eu-central-1"]).expect(1);
    assert_eq!(outcome.error_code(), "not_found");
    assert!(outcome.stdout.contains("eu-central-1"), "the region is what is wrong\n{outcome}");
}

#[test]
fn no_region_at_all() {
    let case = Case::shared();
    let nowhere = Program::operator(&case.scenario).without("AWS_REGION");
    let outcome =
        nowhere.run(&["diagnose", "--cluster", case.scenario.cluster(), "--output", "json"]).expect(1);
    assert!(outcome.stdout.contains("region"), "{outcome}");
    outcome.error_code();
}

#[test]
fn no_credentials() {
    let nobody = Program::new().env("AWS_REGION", "eu-west-1").env("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    for command in ["diagnose", "plan", "apply"] {
        let outcome = nobody.run(&[command, "--cluster", "any", "--output", "json"]).expect(1);
        assert_eq!(outcome.error_code(), "credentials");
    }
}

#[test]
fn nobody_listens_at_the_endpoint() {
    let case = Case::shared();
    let program = Program::operator(&case.scenario).env("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    let outcome = program.run(&["diagnose", "--cluster", "any", "--output", "json"]).expect(1);
    assert_eq!(outcome.error_code(), "aws");
}

#[test]
fn a_plan_that_was_cut_short() {
    let case = Case::shared();
    let whole = fs::read(case.operator.home().join("plan.json")).unwrap();
    for (number, length) in [0, 1, whole.len() / 2, whole.len() - 2].into_iter().enumerate() {
        let file = case.operator.file(&format!("cut-{number}.json"));
        fs::write(&file, &whole[..length]).unwrap();
        let outcome = case.run(&["apply", &file, "--yes"]).expect(1);
        assert_eq!(outcome.error_code(), "bad_input");
        assert!(outcome.stdout.contains(&format!("cut-{number}.json")), "the file is not named\n{outcome}");
    }
}

#[test]
fn a_plan_that_is_not_there() {
    let program = Program::new();
    for command in ["apply", "show"] {
        let outcome = program.run(&[command, "no-such-plan.json", "--output", "json"]).expect(1);
        assert!(outcome.stdout.contains("no-such-plan.json"), "{outcome}");
        outcome.error_code();
    }
}

#[test]
fn a_snapshot_with_a_broken_file() {
    let program = Program::new();
    let files = [
        ("not-json", "a.json", "{\"Vpcs\": [", "a.json"),
        (
            "wrong-shape",
            "deep/b.json",
            "{\"RoleDetailList\": [{\"RoleName\": 7}]}",
            "/RoleDetailList/0/RoleName",
        ),
        ("no-list", "c.json", "{\"RoleDetailList\": {}}", "/RoleDetailList"),
    ];
    for (directory, file, text, named) in files {
        let path = program.home().join(directory).join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        let outcome = program.run(&["diagnose", "--snapshot", directory, "--output", "json"]).expect(1);
        assert_eq!(outcome.error_code(), "bad_input");
        assert!(outcome.stdout.contains(named) && outcome.stdout.contains(file), "{outcome}");
    }
}

#[test]
fn a_snapshot_that_is_not_there() {
    let outcome = Program::new().run(&["diagnose", "--snapshot", "nowhere", "--output", "json"]).expect(1);
    assert!(outcome.stdout.contains("nowhere"), "{outcome}");
    outcome.error_code();
}

/// The files may be anybody's: a directory that somebody sent must not make us read what is not in it.
#[test]
fn a_snapshot_that_leads_out_of_itself() {
    use std::os::unix::fs::symlink;
    let program = Program::new();
    let outside = program.home().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("vpcs.json"), r#"{"Vpcs": [{"VpcId": "vpc-outside"}]}"#).unwrap();
    for (world, target) in [("file.json", "vpcs.json"), ("deep/file.json", "vpcs.json"), ("directory", "")] {
        let directory = program.home().join("world");
        let link = directory.join(world);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        fs::write(directory.join("subnets.json"), r#"{"Subnets": []}"#).unwrap();
        symlink(outside.join(target), &link).unwrap();
        let outcome = program.run(&["diagnose", "--snapshot", "world", "--output", "json"]).expect(1);
        assert_eq!(outcome.error_code(), "bad_input");
        assert!(outcome.stdout.contains("symbolic link") && outcome.stdout.contains(world), "{outcome}");
        assert!(!outcome.stdout.contains("vpc-outside"), "{outcome}");
        fs::remove_dir_all(&directory).unwrap();
    }
}

/// The file has no bytes on the disk, and must not have them in memory either.
#[test]
fn a_snapshot_with_a_file_of_5_gigabytes() {
    let program = Program::new();
    let directory = program.home().join("world");
    fs::create_dir(&directory).unwrap();
    let file = fs::File::create(directory.join("huge.json")).unwrap();
    file.set_len(5 << 30).unwrap();
    let started = std::time::Instant::now();
    let outcome = program.run(&["diagnose", "--snapshot", "world", "--output", "json"]).expect(1);
    assert_eq!(outcome.error_code(), "bad_input");
    assert!(outcome.stdout.contains("huge.json") && outcome.stdout.contains("5368709120"), "{outcome}");
    assert!(started.elapsed().as_secs() < 10, "it was read");
}

/// One endpoint that does not speak TLS, and one whose certificate nobody vouches for.
#[test]
fn an_endpoint_whose_tls_fails() {
    let case = Case::shared();
    let stranger = KubernetesApi::serve(&[], &serde_json::json!({}));
    for endpoint in [stranger.plain_url.replace("http://", "https://"), stranger.url.clone()] {
        let program = Program::operator(&case.scenario).env("AWS_ENDPOINT_URL", &endpoint);
        let outcome = program.run(&["diagnose", "--cluster", "any", "--output", "json"]).expect(1);
        assert_eq!(outcome.error_code(), "aws", "{endpoint}");
        let told = outcome.stdout.to_ascii_lowercase();
        assert!(
            told.contains("certificate") || told.contains("tls"),
            "{endpoint}: why is not said\n{outcome}"
        );
    }
}

/// A service that always says that there is more: the list is not known, and nobody waits for its end.
#[test]
fn a_list_whose_pages_never_end() {
    let case = Case::build("healthy-private");
    let page = "<DescribeSubnetsResponse><subnetSet/><nextToken>again</nextToken></DescribeSubnetsResponse>";
    case.proxy.rule("ec2:DescribeSubnets", Times::Always, Fault::Answer(page.to_owned()));
    let diagnosis = case.live("diagnose", &["--detailed-exitcode"]).expect(11).json();
    assert_eq!(case.proxy.count("ec2:DescribeSubnets"), 2);
    let unread = diagnosis["unread"].as_array().unwrap().iter();
    let told: Vec<_> = unread.filter(|row| row["source"] == "ec2:DescribeSubnets").collect();
    assert_eq!(told.len(), 1, "{diagnosis:#}");
    assert!(told[0]["because"].as_str().unwrap().contains("token"), "{diagnosis:#}");
    assert_eq!(diagnosis["findings"], serde_json::json!([]), "{diagnosis:#}");
}

#[test]
fn an_empty_snapshot_is_not_a_healthy_one() {
    let program = Program::new();
    fs::create_dir(program.home().join("empty")).unwrap();
    let outcome = program.run(&["diagnose", "--snapshot", "empty", "--output", "json"]);
    assert_ne!(outcome.json()["summary"]["verdict"], "healthy", "{outcome}");
}

#[test]
fn a_journal_with_a_torn_last_line() {
    let case = Case::planned("node-role-no-ecr");
    let before = case.state();
    case.run(&["apply", "plan.json", "--yes"]).expect(0);
    let run = case.operator.runs().swap_remove(0);
    let journal = run.join("journal.jsonl");
    let whole = fs::read(&journal).unwrap();
    fs::write(&journal, &whole[..whole.len() - 7]).unwrap();
    let id = run.file_name().unwrap().to_str().unwrap();
    let verified = case.run(&["runs", "verify", id]);
    assert_ne!(verified.code, 0, "{verified}");
    assert_ne!(case.run(&["runs", "show", id]).json()["chain"], "intact");
    // A torn line is what a crash leaves, so it must not stand in the way back.
    case.roll_back_to(&before);
}

#[test]
fn a_journal_with_a_changed_line() {
    let case = Case::planned("node-role-no-ecr");
    case.run(&["apply", "plan.json", "--yes"]).expect(0);
    let run = case.operator.runs().swap_remove(0);
    let id = run.file_name().unwrap().to_str().unwrap();
    let journal = run.join("journal.jsonl");
    let whole = fs::read_to_string(&journal).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    assert!(lines.len() >= 3, "a run writes at least its start, an intent and an outcome:\n{whole}");
    let swapped = [&[lines[1], lines[0]], &lines[2..]].concat().join("\n") + "\n";
    let dropped = [&lines[..1], &lines[2..]].concat().join("\n") + "\n";
    for (what, text) in
        [("changed", whole.replacen("node", "nodx", 1)), ("dropped", dropped), ("reordered", swapped)]
    {
        fs::write(&journal, text).unwrap();
        let verified = case.run(&["runs", "verify", id]);
        assert_ne!(verified.code, 0, "a line was {what}\n{verified}");
        verified.json();
    }
    fs::write(&journal, whole).unwrap();
    case.run(&["runs", "verify", id]).expect(0);
}

#[test]
fn a_journal_whose_last_line_is_gone() {
    let case = Case::planned("node-role-no-ecr");
    case.run(&["apply", "plan.json", "--yes"]).expect(0);
    let run = case.operator.runs().swap_remove(0);
    let journal = run.join("journal.jsonl");
    let whole = fs::read_to_string(&journal).unwrap();
    let (kept, _) = whole.trim_end().rsplit_once('\n').expect("two lines");
    fs::write(&journal, format!("{kept}\n")).unwrap();
    let verified = case.run(&["runs", "verify", run.file_name().unwrap().to_str().unwrap()]);
    assert_ne!(verified.code, 0, "{verified}");
}

#[test]
fn a_run_that_is_not_on_record() {
    let program = Program::new();
    for arguments in
        [&["runs", "show", "nothing"][..], &["runs", "verify", "nothing"], &["rollback", "nothing"]]
    {
        let outcome = program.run(&[arguments, &["--output", "json"]].concat()).expect(1);
        assert_eq!(outcome.error_code(), "not_found", "{outcome}");
    }
    program.run(&["runs", "list", "--output", "json"]).expect(0).json();
}

/// The limit stands for a full disk: the first write that does not fit fails, and so do all later ones.
#[test]
fn a_full_disk() {
    let case = Case::planned("node-role-no-ecr");
    let before = case.state();
    for blocks in [0, 1, 2, 4, 8, 16] {
        case.proxy.forget();
        let limited = case
            .operator
            .start_limited(&format!("-f {blocks}"), &["apply", "plan.json", "--yes", "--output", "json"]);
        let outcome = limited.finish();
        outcome.json();
        if outcome.code == 0 {
            case.roll_back_to(&before);
            return;
        }
        if !case.writes().is_empty() {
            // The disk was full only after the first request: then the run is on record and can be undone.
            case.roll_back_to(&before);
            return;
        }
        assert_eq!(outcome.code, 1, "{blocks} blocks\n{outcome}");
        assert_eq!(outcome.error_code(), "storage");
    }
    panic!("16 blocks are not enough for one run");
}

#[test]
fn a_state_directory_that_others_can_write_to() {
    use std::os::unix::fs::PermissionsExt as _;
    let case = Case::planned("node-role-no-ecr");
    let state = case.operator.home().join("open");
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o777)).unwrap();
    let outcome = case.run(&["apply", "plan.json", "--yes", "--state", "open"]).expect(1);
    assert_eq!(outcome.error_code(), "storage");
    assert_eq!(case.writes(), [""; 0]);
}

#[test]
fn records_are_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let case = Case::planned("node-role-no-ecr");
    case.run(&["apply", "plan.json", "--yes"]).expect(0);
    let run = case.operator.runs().swap_remove(0);
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&case.operator.state()), 0o700);
    assert_eq!(mode(&run), 0o700);
    for file in fs::read_dir(&run).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    let text = fs::read_to_string(run.join("journal.jsonl")).unwrap();
    assert!(!text.contains(case.scenario.text("/env/AWS_SECRET_ACCESS_KEY")), "a secret in the journal");
    let plan = fs::read_dir(&run).unwrap().map(|file| file.unwrap().path());
    let plans: Vec<_> = plan.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
    assert!(plans.iter().any(|path| read_json(path)["digest"] == case.plan()["digest"]), "{plans:?}");
}
