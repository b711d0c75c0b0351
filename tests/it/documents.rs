//! Documents that must say what the program does.

use std::collections::BTreeSet;
use std::path::Path;

use ecr_fix::actions::WRITE_CALLS;
use expect_test::expect_file;

fn file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn the_security_page_lists_every_write_call() {
    let page = std::fs::read_to_string(file("SECURITY.md")).unwrap();
    let list = page.split("<!-- write-calls: begin -->").nth(1).unwrap();
    let list = list.split("<!-- write-calls: end -->").next().unwrap();
    let listed: BTreeSet<&str> =
        list.lines().filter_map(|line| line.strip_prefix("- `")?.strip_suffix('`')).collect();
    assert_eq!(listed, WRITE_CALLS.iter().copied().collect());
}

#[test]
fn the_command_reference_is_that_of_the_program() {
    expect_file![file("docs/cli.md")].assert_eq(&ecr_fix::cli::reference());
}

#[test]
fn the_readme_shows_what_the_demo_prints() {
    let readme = std::fs::read_to_string(file("README.md")).unwrap();
    let plan = std::fs::read_to_string(file("plans/demo/plan.txt")).unwrap();
    let excerpt = plan.split("Changes\n").nth(1).unwrap().split("\n  + a2 ").next().unwrap();
    assert!(readme.contains(excerpt.trim_end()), "the README does not show this:\n{excerpt}");
}

#[test]
fn the_schemas_are_those_of_the_types() {
    for (name, schema) in ecr_fix::render::schema::all() {
        expect_file![file(&format!("docs/schema/{name}.json"))].assert_eq(&schema);
    }
}
