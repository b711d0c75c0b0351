//! The changes of a plan as code, for whoever owns the resources: the same change, in their language.
//!
//! What a language cannot express, or what could mean more there than it says, is a comment that says so.

mod awscli;
mod cloudformation;
mod step;
mod terraform;

use std::fmt::Write as _;

use crate::plan::{Action, Plan};
use crate::render::semantic;
use crate::render::terminal::clean;
use step::Step;

/// The language of the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// HCL, for the AWS provider from version 5.60
    Terraform,
    /// A template in YAML
    Cloudformation,
    /// A shell script that calls the AWS CLI
    Awscli,
}

impl Language {
    /// Every language.
    pub const ALL: [Language; 3] = [Language::Terraform, Language::Cloudformation, Language::Awscli];

    /// The name in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Language::Terraform => "terraform",
            Language::Cloudformation => "cloudformation",
            Language::Awscli => "awscli",
        }
    }
}

/// The changes of a plan in a language.
pub fn export(plan: &Plan, language: Language) -> String {
    match language {
        Language::Terraform => terraform::code(plan),
        Language::Cloudformation => cloudformation::template(plan),
        Language::Awscli => awscli::script(plan),
    }
}

/// A value that a language would take for something else than text, or a thing that it has no words for.
type Expressed<T> = Result<T, String>;

/// What the code is and of which plan.
fn header(plan: &Plan) -> Vec<String> {
    let target = &plan.target;
    vec![
        format!(
            "The changes of an ecr-fix plan, for cluster {} (account {}, {}).",
            target.cluster, target.account, target.region
        ),
        format!("Plan {}, valid until {}.", plan.digest, plan.expires_at),
        "Read it before you run it: it does not look again, keeps no record and does not roll back."
            .to_owned(),
    ]
}

/// What an action is and why, for a comment above its code.
fn about(action: &Action) -> Vec<String> {
    let mut lines = vec![format!("{} {}: {}", action.id, action.kind.as_str(), action.summary)];
    if !action.because.is_empty() {
        lines.push(format!("why: {}", action.because));
    }
    lines.push(format!("undo: {}", action.inverse.summary));
    lines.extend(action.owner.iter().map(|owner| format!("owner: {}", owner.in_words())));
    lines.extend(action.warnings.iter().map(|warning| format!("WARNING: {warning}")));
    lines
}

/// What to do by hand, where a language has no words for an action.
fn inexpressible(action: &Action, language: &str, because: &str) -> Vec<String> {
    let mut lines =
        vec![format!("NOT EXPRESSED in {language}: {because}"), format!("on {}:", action.resource)];
    lines.extend(
        semantic::lines(action).iter().map(|line| format!("  {} {}", line.sign.as_char(), line.text)),
    );
    lines
}

/// Comment lines, of which nothing in them makes a line of its own.
fn comments(lines: &[String], indent: &str) -> String {
    lines.iter().fold(String::new(), |mut out, line| {
        let _ = writeln!(out, "{indent}# {}", clean(line).trim_end());
        out
    })
}

/// The id of an action as part of an identifier.
fn identifier(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// The action that makes a security group that has no id yet.
fn maker_of<'p>(plan: &'p Plan, group: &str) -> Option<&'p Action> {
    plan.actions.iter().find(
        |action| matches!(Step::of(action), Some(Step::CreateSecurityGroup { name, .. }) if name == group),
    )
}
