//! Reads whatever bytes as a plan file. So that more than its digest is reached, the plan is sealed first, as somebody
//! would who knows how. What is read is judged and shown in every form: nothing may panic, and what is read again is the
//! same.
//!
//! `cargo +nightly fuzz run plan fuzz/corpus/plan plans`

#![no_main]

use ecr_fix::plan::Plan;
use ecr_fix::plan::file::digest_of;
use ecr_fix::render::report::{Form, report};
use ecr_fix::render::terminal::Paint;
use ecr_fix::render::text;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let Ok(as_it_is) = std::str::from_utf8(bytes) else { return };
    let _ = Plan::read(as_it_is, "plan.json");
    let Ok(mut document) = serde_json::from_str::<Value>(as_it_is) else { return };
    let Some(fields) = document.as_object_mut() else { return };
    fields.insert("format_version".to_owned(), "1.0".into());
    let digest = digest_of(&document);
    document["digest"] = digest.into();
    let Ok(plan) = Plan::read(&document.to_string(), "plan.json") else { return };
    for action in &plan.actions {
        if let Ok(change) = action.change() {
            let _ = (change.allowed(), change.planned_for(&plan.target), change.inverse().summary(), change.diff());
        }
    }
    for form in [Form::Markdown, Form::Html, Form::Json, Form::Junit, Form::Sarif, Form::Github] {
        let _ = report(&plan, form, "plan.json");
    }
    let _ = text::plan(&plan, Paint { on: true });
});
