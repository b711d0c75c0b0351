//! A diagnosis for somebody tired: the verdict, the legs of every pull in one look, then why.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::terminal::{Paint, clean};
use super::text::{count, steps, wrapped};
use crate::checks::{Leg, Remedy};
use crate::diagnosis::{Contradiction, Diagnosis, Finding, Health, LegVerdict, PullPath, Verdict};
use crate::pulls::Source;

/// The columns of the matrix, as wide as their headings and with a blank after each.
const COLUMNS: [(Leg, &str, &str, usize); 9] = [
    (Leg::Credentials, "creds", "", 6),
    (Leg::Dns, "dns", "", 6),
    (Leg::EcrApiNetwork, "ecr-api", "network", 8),
    (Leg::EcrTokenPermission, "token", "allowed", 8),
    (Leg::RegistryNetwork, "registry", "network", 9),
    (Leg::PullPermission, "pull", "allowed", 8),
    (Leg::Image, "image", "", 6),
    (Leg::LayerNetwork, "layer", "network", 8),
    (Leg::LayerPermission, "layer", "allowed", 7),
];

/// How wide the verdict over all legs is, with what stands before it.
const BEFORE_COLUMNS: usize = 12;

/// How many images of one row are named: all that do not work, and a few of those that do.
const SHOWN_IMAGES: [(Verdict, usize); 2] = [(Verdict::Ok, 4), (Verdict::Unknown, 12)];

/// How much of what somebody asked for is repeated to them.
const SHOWN_CHOICES: usize = 5;

/// The verdict, the pulls, the findings, what kubelets say against it, and what could not be decided or read.
pub fn diagnosis(diagnosis: &Diagnosis, paint: Paint) -> String {
    let mut out = headline(diagnosis, paint);
    out += &matrix(diagnosis, paint);
    out += &findings(diagnosis, paint);
    out += &contradictions(diagnosis, paint);
    out += &undecided(diagnosis, paint);
    out += &unread(diagnosis, paint);
    if diagnosis.findings.iter().any(|found| found.remedy == Remedy::Automatic) {
        out += "\nNext: `ecr-fix plan` shows the changes that mend this.\n";
    }
    out
}

/// The cluster, the verdict in one line, and that it is about less than everything where it is.
pub(super) fn headline(diagnosis: &Diagnosis, paint: Paint) -> String {
    let target = &diagnosis.target;
    let mut out = format!(
        "Cluster {} (account {}, {})\n{}\n",
        paint.bold(&clean(&target.cluster)),
        clean(&target.account),
        clean(&target.region),
        verdict(diagnosis, paint)
    );
    if let Some(said) = narrowed(diagnosis) {
        out += &paint.yellow(&wrapped(&clean(&said), 0));
    }
    out
}

/// That not everything was judged, in one sentence.
pub(super) fn narrowed(diagnosis: &Diagnosis) -> Option<String> {
    let narrowed = diagnosis.narrowed.as_ref()?;
    let others = match narrowed.left_out {
        0 => "there are no other pulls".to_owned(),
        1 => "1 other pull was not judged".to_owned(),
        others => format!("{others} other pulls were not judged"),
    };
    let shown: Vec<&str> = narrowed.to.iter().take(SHOWN_CHOICES).map(String::as_str).collect();
    let more = match narrowed.to.len().saturating_sub(shown.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!("NARROWED to {}{more}: {others}", shown.join(", ")))
}

/// The verdict in words.
pub(super) fn verdict_in_words(diagnosis: &Diagnosis) -> String {
    let summary = &diagnosis.summary;
    match summary.verdict {
        Health::Healthy if diagnosis.narrowed.is_some() => {
            format!(
                "HEALTHY as far as asked: {} of those that were picked work",
                count(summary.pull_paths, "pull")
            )
        }
        Health::Healthy => "HEALTHY: every pull that was checked works".to_owned(),
        Health::Broken if summary.blocked == 0 => {
            "BROKEN: no pull that was judged is blocked, and something else is wrong".to_owned()
        }
        Health::Broken => format!("BROKEN: {} of {} pulls are blocked", summary.blocked, summary.pull_paths),
        Health::Inconclusive if !diagnosis.contradictions.is_empty() => {
            "NOT DECIDED: kubelets fail to pull, and nothing that was read shows why".to_owned()
        }
        Health::Inconclusive => {
            "NOT DECIDED: nothing is known to be broken, not everything could be checked".to_owned()
        }
    }
}

fn verdict(diagnosis: &Diagnosis, paint: Paint) -> String {
    let words = verdict_in_words(diagnosis);
    match diagnosis.summary.verdict {
        Health::Healthy => paint.green(&words),
        Health::Broken => paint.red(&words),
        Health::Inconclusive => paint.yellow(&words),
    }
}

/// Sources that fare alike with the same images, and those images by how they fare.
struct Group<'d> {
    sources: Vec<&'d Source>,
    rows: Vec<Row<'d>>,
}

/// Images that fare alike on every leg.
struct Row<'d> {
    like: &'d PullPath,
    images: Vec<&'d str>,
}

fn groups(diagnosis: &Diagnosis) -> Vec<Group<'_>> {
    let mut by_source: BTreeMap<&Source, Vec<Row<'_>>> = BTreeMap::new();
    for path in &diagnosis.pull_paths {
        let rows = by_source.entry(&path.from).or_default();
        match rows.iter_mut().find(|row| cells(row.like) == cells(path)) {
            Some(row) => row.images.push(&path.image),
            None => rows.push(Row { like: path, images: vec![&path.image] }),
        }
    }
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (source, mut rows) in by_source {
        rows.sort_by_key(|row| urgency(row.like));
        let alike = |group: &&mut Group<'_>| {
            let pairs = group.rows.iter().zip(&rows);
            group.rows.len() == rows.len()
                && pairs
                    .into_iter()
                    .all(|(one, other)| one.images == other.images && cells(one.like) == cells(other.like))
        };
        match groups.iter_mut().find(alike) {
            Some(group) => group.sources.push(source),
            None => groups.push(Group { sources: vec![source], rows }),
        }
    }
    groups.sort_by_key(|group| group.rows.iter().map(|row| urgency(row.like)).min());
    groups
}

/// What is blocked stands first, what is well last.
fn urgency(path: &PullPath) -> u8 {
    match path.verdict {
        Verdict::Blocked => 0,
        Verdict::Unknown | Verdict::NotReached => 1,
        Verdict::Ok => 2,
    }
}

fn cells(path: &PullPath) -> Vec<String> {
    path.legs.iter().map(cell).collect()
}

/// A leg as the matrix shows it: what blocks it, by the name of the finding.
fn cell(leg: &LegVerdict) -> String {
    match (leg.verdict, leg.findings.as_slice()) {
        (Verdict::Ok, _) => "ok".to_owned(),
        (Verdict::Unknown, _) => "?".to_owned(),
        (Verdict::NotReached, _) => "-".to_owned(),
        (Verdict::Blocked, [one]) => format!("X {}", clean(one)),
        (Verdict::Blocked, [first, _, ..]) => format!("X {}+", clean(first)),
        (Verdict::Blocked, []) => "X".to_owned(),
    }
}

fn matrix(diagnosis: &Diagnosis, paint: Paint) -> String {
    if diagnosis.pull_paths.is_empty() {
        let none = "  none: the cluster has no node group and no Fargate profile that could be read\n";
        return format!("\n{}\n{none}", paint.bold("Pulls"));
    }
    let heading = |of: fn(&(Leg, &'static str, &'static str, usize)) -> &'static str, first: &str| {
        let cells = COLUMNS.iter().map(|column| format!("{:1$}", of(column), column.3)).collect::<String>();
        format!("{first:BEFORE_COLUMNS$}{cells}").trim_end().to_owned()
    };
    let mut out = format!("\n{}\n", paint.bold(&heading(|column| column.1, "Pulls")));
    let _ = writeln!(out, "{}", paint.bold(&heading(|column| column.2, "")));
    for group in groups(diagnosis) {
        let names: Vec<String> = group.sources.iter().map(|source| name_of(source)).collect();
        out += &wrapped(&names.join(", "), 0);
        for row in &group.rows {
            out += &images(row);
            out += &legs(row.like, paint);
        }
    }
    if diagnosis.summary.images_elsewhere > 0 {
        let images = count(diagnosis.summary.images_elsewhere, "image");
        out += &wrapped(&format!("Not judged: {images} of registries other than private ones of ECR."), 0);
    }
    if diagnosis.pull_paths.iter().any(|path| path.verdict != Verdict::Ok) {
        out += &paint.dim("ok: known to be well   X: blocked, by the finding named   ?: not decided\n");
    }
    out
}

fn name_of(source: &Source) -> String {
    format!("{} {}", source.kind.as_str(), clean(&source.id))
}

fn images(row: &Row<'_>) -> String {
    let most = SHOWN_IMAGES.iter().find(|(verdict, _)| *verdict == row.like.verdict);
    let most = most.map_or(usize::MAX, |(_, most)| *most);
    let shown = row.images.iter().take(most);
    let mut out: String = shown.map(|image| wrapped(&clean(image), 2)).collect();
    if let Some(more) = row.images.len().checked_sub(most).filter(|more| *more > 0) {
        let _ = writeln!(out, "  and {more} more that fare the same (--output json names them)");
    }
    out
}

fn legs(path: &PullPath, paint: Paint) -> String {
    let word = match path.verdict {
        Verdict::Ok => paint.green("ok     "),
        Verdict::Blocked => paint.red("BLOCKED"),
        Verdict::Unknown | Verdict::NotReached => paint.yellow("unknown"),
    };
    let mut out = format!("    {word} ");
    for (leg, (.., width)) in path.legs.iter().zip(COLUMNS) {
        let text = cell(leg);
        // A number that does not fit stands in the list of findings.
        let text = if text.len() < width { text } else { text.chars().take(1).collect() };
        let padding = " ".repeat(width.saturating_sub(text.len()));
        out += &match leg.verdict {
            Verdict::Ok => paint.green(&text),
            Verdict::Blocked => paint.red(&text),
            Verdict::Unknown | Verdict::NotReached => paint.yellow(&text),
        };
        out += &padding;
    }
    out.trim_end().to_owned() + "\n"
}

/// By severity; what only follows from another one stands under it.
fn findings(diagnosis: &Diagnosis, paint: Paint) -> String {
    if diagnosis.findings.is_empty() {
        return String::new();
    }
    let mut out = format!("\n{}\n", paint.bold("What blocks them"));
    let mut roots: Vec<&Finding> =
        diagnosis.findings.iter().filter(|found| found.follows_from.is_none()).collect();
    roots.sort_by_key(|found| found.severity);
    for root in roots {
        out.push('\n');
        out += &finding(diagnosis, root, paint);
        for follower in
            diagnosis.findings.iter().filter(|found| found.follows_from.as_ref() == Some(&root.id))
        {
            out += &follows(diagnosis, follower, paint);
        }
    }
    out
}

fn finding(diagnosis: &Diagnosis, found: &Finding, paint: Paint) -> String {
    let severity = found.severity.as_str().to_uppercase();
    let mut out = format!(
        "  {} {} {}\n",
        paint.bold(&clean(&found.id)),
        paint.red(&severity),
        paint.bold(&clean(&found.cause))
    );
    out += &wrapped(&clean(&found.summary), 5);
    out += &wrapped(&format!("on     {}", clean(&found.resource)), 5);
    for evidence in &found.evidence {
        out += &wrapped(&format!("saw    {}: {}", clean(&evidence.source), clean(&evidence.saw)), 5);
    }
    out += &wrapped(&format!("blocks {}", blocked_by(diagnosis, found)), 5);
    let remedy = match found.remedy {
        Remedy::Automatic => "a plan can mend it".to_owned(),
        Remedy::Manual => "a person has to mend it:".to_owned(),
        Remedy::NotAws => "no change in AWS mends it:".to_owned(),
    };
    out += &wrapped(&format!("remedy {remedy}"), 5);
    out + &steps(&found.manual_steps, 7)
}

fn follows(diagnosis: &Diagnosis, found: &Finding, paint: Paint) -> String {
    let severity = found.severity.as_str().to_uppercase();
    let head = format!("{} {severity} {} goes away with it:", clean(&found.id), clean(&found.cause));
    let mut out = format!("     + {}\n", paint.bold(&head));
    out += &wrapped(&format!("{}, on {}", clean(&found.summary), clean(&found.resource)), 7);
    for evidence in &found.evidence {
        out += &wrapped(&format!("saw    {}: {}", clean(&evidence.source), clean(&evidence.saw)), 7);
    }
    out + &wrapped(&format!("blocks {}", blocked_by(diagnosis, found)), 7)
}

/// Which legs of which pulls, by source.
fn blocked_by(diagnosis: &Diagnosis, found: &Finding) -> String {
    if found.blocks.is_empty() {
        return "no pull that was judged".to_owned();
    }
    let ids: BTreeSet<&str> = found.blocks.iter().map(String::as_str).collect();
    let paths = diagnosis.pull_paths.iter().filter(|path| ids.contains(path.id.as_str()));
    let mut sources: BTreeMap<&Source, usize> = BTreeMap::new();
    let mut legs: BTreeSet<Leg> = BTreeSet::new();
    for path in paths {
        *sources.entry(&path.from).or_default() += 1;
        let blocked = path.legs.iter().filter(|leg| leg.findings.contains(&found.id));
        legs.extend(blocked.map(|leg| leg.leg));
    }
    let by: Vec<String> = sources
        .iter()
        .map(|(source, images)| format!("{} ({})", name_of(source), count(*images, "image")))
        .collect();
    let legs: Vec<&str> = legs.iter().map(|leg| leg.as_str()).collect();
    format!("{} at {}: {}", count(found.blocks.len(), "pull"), legs.join(", "), by.join(", "))
}

/// What kubelets say that nothing explains.
pub(super) fn contradictions(diagnosis: &Diagnosis, paint: Paint) -> String {
    if diagnosis.contradictions.is_empty() {
        return String::new();
    }
    let mut out = format!("\n{}\n", paint.bold("What kubelets say, and nothing that was read explains"));
    for said in &diagnosis.contradictions {
        out.push('\n');
        out += &contradiction(said, paint);
    }
    out
}

fn contradiction(said: &Contradiction, paint: Paint) -> String {
    let node = said.node.as_ref().map(|node| format!(" on {}", clean(node))).unwrap_or_default();
    let more = match said.others {
        0 => String::new(),
        others => format!(", and {others} more of the kind"),
    };
    let mut out = paint.yellow(&wrapped(&format!("pod {}{node}{more}", clean(&said.pod)), 2));
    out += &wrapped(&format!("says   {}", clean(&said.says)), 5);
    if let Some(cause) = &said.reads_as {
        out += &wrapped(&format!("reads  as {} (`ecr-fix explain {}`)", clean(cause), clean(cause)), 5);
    }
    for because in &said.may_be {
        out += &wrapped(&format!("maybe  {}", clean(because)), 5);
    }
    out += "     look closer:\n";
    out + &steps(&said.look_closer, 7)
}

/// Why legs could not be decided: each reason once, with the legs and how many pulls it is about. What kubelets say is
/// told with what they say.
fn undecided(diagnosis: &Diagnosis, paint: Paint) -> String {
    let told: BTreeSet<&str> = diagnosis.contradictions.iter().map(|said| said.summary.as_str()).collect();
    let mut reasons: BTreeMap<&str, (BTreeSet<Leg>, BTreeSet<&str>)> = BTreeMap::new();
    for path in &diagnosis.pull_paths {
        for leg in path.legs.iter().filter(|leg| leg.verdict == Verdict::Unknown) {
            for because in leg.because.iter().filter(|because| !told.contains(because.as_str())) {
                let (legs, pulls) = reasons.entry(because).or_default();
                legs.insert(leg.leg);
                pulls.insert(&path.id);
            }
        }
    }
    if reasons.is_empty() {
        return String::new();
    }
    let mut rows: Vec<_> = reasons.into_iter().collect();
    rows.sort_by_key(|(because, (legs, _))| (legs.first().copied(), *because));
    let mut out = format!("\n{}\n", paint.bold("What could not be decided"));
    for (because, (legs, pulls)) in rows {
        let legs: Vec<&str> = legs.iter().map(|leg| leg.as_str()).collect();
        let pulls = count(pulls.len(), "pull");
        out += &wrapped(&format!("{} of {pulls}: {}", legs.join(", "), clean(because)), 2);
    }
    out
}

/// What could not be read, and what may hide there.
pub(super) fn unread(diagnosis: &Diagnosis, paint: Paint) -> String {
    if diagnosis.unread.is_empty() {
        return String::new();
    }
    let told: BTreeSet<&str> = diagnosis.contradictions.iter().map(|said| said.summary.as_str()).collect();
    let mut out = format!("\n{}\n", paint.bold("What could not be read"));
    for unread in diagnosis.unread.iter().filter(|unread| !told.contains(unread.because.as_str())) {
        let on = if unread.resource.is_empty() {
            String::new()
        } else {
            format!(" on {}", clean(&unread.resource))
        };
        out += &wrapped(&format!("{}{on}: {}", clean(&unread.source), clean(&unread.because)), 2);
        if !unread.hides.is_empty() {
            out += &wrapped(&format!("may hide: {}", clean(&unread.hides.join(", "))), 6);
        }
    }
    out
}
