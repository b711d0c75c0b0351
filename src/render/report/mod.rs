//! A plan for those who decide on it: in a pull request, in a browser, in the reports of a pipeline.
//!
//! Every format is a function of the plan, so that it can be made offline and gives the same bytes every time.

mod html;
mod junit;
mod markdown;
mod markup;
mod matrix;
mod picture;
mod sarif;

use super::json;
use crate::error::{Code, Error};
use crate::plan::Plan;

/// The form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For a comment on a pull request.
    Markdown,
    /// One page that needs nothing else.
    Html,
    /// The plan itself.
    Json,
    /// One test case for each leg of each pull.
    Junit,
    /// One result for each finding.
    Sarif,
    /// For the summary of a step of GitHub Actions.
    Github,
}

impl Form {
    /// Every form.
    pub const ALL: [Form; 6] =
        [Form::Markdown, Form::Html, Form::Json, Form::Junit, Form::Sarif, Form::Github];
}

/// The report on a plan that was read from a file of this name.
///
/// # Errors
/// The form cannot hold it.
pub fn report(plan: &Plan, form: Form, file_name: &str) -> Result<String, Error> {
    Ok(match form {
        Form::Markdown => markdown::report(plan, markdown::COMMENT),
        Form::Github => markdown::report(plan, markdown::STEP_SUMMARY),
        Form::Html => html::page(plan),
        Form::Json => json::document(plan),
        Form::Sarif => json::document(&sarif::log(plan, file_name)),
        Form::Junit => junit::report(plan).to_string().map_err(|error| {
            Error::new(Code::BadInput, "the plan cannot be written as JUnit", "choose another --output")
                .because(error)
        })?,
    })
}
