//! A plan in numbers and in a few words, the same in every format.

use std::collections::BTreeMap;

use super::semantic::{Sign, sign};
use crate::actions::Risk;
use crate::plan::Plan;

/// What a plan amounts to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// Resources that are made.
    pub add: usize,
    /// Resources that become others.
    pub change: usize,
    /// Resources that go away.
    pub remove: usize,
    /// That of the riskiest action; none where there is no action.
    pub risk: Option<Risk>,
    /// Over all actions, in US dollars for 730 hours.
    pub monthly_cost_usd: f64,
}

impl Totals {
    /// Adds the actions of a plan up.
    pub fn of(plan: &Plan) -> Totals {
        let count = |wanted| plan.actions.iter().filter(|action| sign(action) == wanted).count();
        Totals {
            add: count(Sign::Add),
            change: count(Sign::Change),
            remove: count(Sign::Remove),
            risk: plan.actions.iter().map(|action| action.risk).max(),
            monthly_cost_usd: plan.actions.iter().map(|action| action.monthly_cost_usd).sum(),
        }
    }

    /// Such as `2 to add, 1 to change, 0 to remove`.
    pub fn counts(&self) -> String {
        format!("{} to add, {} to change, {} to remove", self.add, self.change, self.remove)
    }

    /// Such as `low risk`.
    pub fn risk(&self) -> String {
        self.risk.map_or_else(|| "no risk".to_owned(), |risk| format!("{} risk", risk_word(risk)))
    }
}

/// The name in every output.
pub fn risk_word(risk: Risk) -> &'static str {
    match risk {
        Risk::Low => "low",
        Risk::Medium => "medium",
        Risk::High => "high",
    }
}

/// Such as `about 21.90 USD a month`.
pub fn cost(usd: f64) -> String {
    if usd == 0.0 { "no cost".to_owned() } else { format!("about {usd:.2} USD a month") }
}

/// The actions that mend each finding, by the id of the finding.
pub fn mended_by(plan: &Plan) -> BTreeMap<&str, Vec<&str>> {
    let mut mended: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for action in &plan.actions {
        for finding in &action.fixes {
            mended.entry(finding).or_default().push(&action.id);
        }
    }
    mended
}
