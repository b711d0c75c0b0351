//! The pulls as a table: who pulls, and how each leg is before and after the plan.

use std::collections::BTreeMap;

use crate::diagnosis::{LegVerdict, Verdict};
use crate::plan::Plan;
use crate::pulls::Source;
use crate::render::totals::mended_by;

/// The pulls of one puller that fare the same on every leg.
pub(super) struct Row<'p> {
    /// Who pulls.
    pub(super) from: &'p Source,
    /// What it pulls.
    pub(super) images: Vec<&'p str>,
    /// In the order in which a pull takes them.
    pub(super) cells: Vec<Cell<'p>>,
}

/// One leg.
pub(super) struct Cell<'p> {
    /// As it is.
    pub(super) leg: &'p LegVerdict,
    /// The actions that mend it, where the plan mends all that blocks it.
    pub(super) mended_by: Vec<&'p str>,
}

impl Cell<'_> {
    /// How it is in words.
    pub(super) fn before(&self) -> &'static str {
        match self.leg.verdict {
            Verdict::Ok => "ok",
            Verdict::Blocked => "BLOCKED",
            Verdict::Unknown => "not decided",
            Verdict::NotReached => "not reached",
        }
    }

    /// Whether the plan mends it.
    pub(super) fn is_mended(&self) -> bool {
        !self.mended_by.is_empty()
    }
}

/// Every pull, gathered by puller and by how the legs are.
pub(super) fn rows(plan: &Plan) -> Vec<Row<'_>> {
    let mended = mended_by(plan);
    let mut rows: Vec<Row<'_>> = Vec::new();
    let mut places: BTreeMap<(&Source, String), usize> = BTreeMap::new();
    for path in &plan.diagnosis.pull_paths {
        let legs = serde_json::to_string(&path.legs).unwrap_or_default();
        let place = *places.entry((&path.from, legs)).or_insert_with(|| {
            let cells = path.legs.iter().map(|leg| cell(leg, &mended)).collect();
            rows.push(Row { from: &path.from, images: Vec::new(), cells });
            rows.len() - 1
        });
        if let Some(row) = rows.get_mut(place) {
            row.images.push(&path.image);
        }
    }
    rows
}

fn cell<'p>(leg: &'p LegVerdict, mended: &BTreeMap<&str, Vec<&'p str>>) -> Cell<'p> {
    let by: Vec<Option<&Vec<&'p str>>> = leg.findings.iter().map(|id| mended.get(id.as_str())).collect();
    let all = leg.verdict == Verdict::Blocked && !by.is_empty() && by.iter().all(Option::is_some);
    let mut mended_by: Vec<&str> =
        if all { by.into_iter().flatten().flatten().copied().collect() } else { Vec::new() };
    mended_by.dedup();
    Cell { leg, mended_by }
}
