//! The diagnosis of a world: every pull, leg by leg, and every blocker at once.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::actions::change::Standing;
use crate::actions::{AnyChange, gathered};
use crate::checks::{Leg, Remedy, Severity};
use crate::judges::{self, Options};
use crate::model::Unread;
use crate::pulls::{NO_KUBERNETES, Narrowed, Pull, Target, World};

/// The version of every document that we write.
pub const FORMAT_VERSION: &str = "1.0";

/// How often the world is mended on paper to see what hides behind what was found.
const REVEALING_ROUNDS: usize = 8;

/// What `ecr-fix diagnose` says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Diagnosis {
    /// See [`FORMAT_VERSION`].
    pub format_version: String,
    /// The cluster.
    pub target: Target,
    /// In one look.
    pub summary: Summary,
    /// That not every pull was judged, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub narrowed: Option<Narrowed>,
    /// Every pull.
    pub pull_paths: Vec<PullPath>,
    /// Every blocker.
    pub findings: Vec<Finding>,
    /// What kubelets say of failed pulls, and no finding explains.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contradictions: Vec<Contradiction>,
    /// What could not be read, and what may hide behind it.
    pub unread: Vec<Unread>,
}

/// The diagnosis in one look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Over all pulls.
    pub verdict: Health,
    /// How many pulls there are.
    pub pull_paths: usize,
    /// How many of them are blocked.
    pub blocked: usize,
    /// How many of them could not be decided.
    pub unknown: usize,
    /// How many images of pods come from registries that are not judged.
    #[serde(default, skip_serializing_if = "is_none")]
    pub images_elsewhere: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands on a reference")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

/// The verdict over all pulls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// Every leg of every pull is known to be well.
    Healthy,
    /// At least one pull is blocked.
    Broken,
    /// Nothing is known to be broken, but not everything could be decided.
    #[default]
    Inconclusive,
}

impl Health {
    /// The name in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Health::Healthy => "healthy",
            Health::Broken => "broken",
            Health::Inconclusive => "inconclusive",
        }
    }
}

/// One pull: a source and an image, with the legs between them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PullPath {
    /// Findings name it in `blocks`.
    pub id: String,
    /// Who pulls.
    pub from: crate::pulls::Source,
    /// What is pulled.
    pub image: String,
    /// Over all legs.
    pub verdict: Verdict,
    /// In the order in which a pull takes them.
    pub legs: Vec<LegVerdict>,
}

/// One leg of a pull.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LegVerdict {
    /// Which one.
    pub leg: Leg,
    /// How it is.
    pub verdict: Verdict,
    /// The findings that block it.
    pub findings: Vec<String>,
    /// Why it could not be decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<String>,
}

/// How a leg, or a whole pull, is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Known to be well.
    Ok,
    /// Could not be decided.
    Unknown,
    /// Known to be broken.
    Blocked,
    /// Could not even be tried, because of a leg before it.
    NotReached,
}

impl Verdict {
    /// The name in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Unknown => "unknown",
            Verdict::Blocked => "blocked",
            Verdict::NotReached => "not-reached",
        }
    }
}

/// One blocker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// `f1`, `f2`, …
    pub id: String,
    /// The id of the cause: `ecr-fix explain CAUSE` prints its manual.
    pub cause: String,
    /// Always `broken`: what could not be decided is in the legs and in `unread`.
    pub verdict: String,
    /// How bad it is.
    pub severity: Severity,
    /// The ARN or id of what is wrong.
    pub resource: String,
    /// The account of the resource.
    pub account: String,
    /// The region of the resource, or of the cluster where the resource is global.
    pub region: String,
    /// In one sentence.
    pub summary: String,
    /// What was seen, and where.
    pub evidence: Vec<Evidence>,
    /// The pulls that it blocks, by their ids.
    pub blocks: Vec<String>,
    /// Who can mend it.
    pub remedy: Remedy,
    /// What a person does about it, in order.
    pub manual_steps: Vec<String>,
    /// The finding whose remedy alone makes this one go away, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows_from: Option<String>,
}

/// What kubelets say of pulls that look well, or that could not be judged. It is never silenced by what was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Contradiction {
    /// `kubernetes:ListPods` or `kubernetes:ListEvents`.
    pub source: String,
    /// `NAMESPACE/NAME` of the first pod of which it is said.
    pub pod: String,
    /// The node of the kubelet, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// When it was said last, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The words, without secrets.
    pub says: String,
    /// Of how many other pods the same is said.
    pub others: usize,
    /// The most likely cause by the words; none where they hold no cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reads_as: Option<String>,
    /// The leg that the words are about, and that is not decided by them.
    pub leg: Leg,
    /// The pulls that they may be about, by their ids.
    pub pulls: Vec<String>,
    /// What could explain it.
    pub may_be: Vec<String>,
    /// The commands that tell more.
    pub look_closer: Vec<String>,
    /// All of it in one sentence, as the legs have it.
    pub summary: String,
}

/// What was seen, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// `SERVICE:Operation`.
    pub source: String,
    /// The value that was seen.
    pub saw: String,
}

/// A blocker as a check finds it: a finding without its number, and the change that mends it.
#[derive(Clone, Debug)]
pub struct Blocker {
    /// The id of the cause.
    pub cause: &'static str,
    /// The legs that it blocks.
    pub legs: Vec<Leg>,
    /// The ids of the pulls that it blocks.
    pub pulls: Vec<String>,
    /// How bad it is.
    pub severity: Severity,
    /// The ARN or id of what is wrong.
    pub resource: String,
    /// The account of the resource.
    pub account: String,
    /// In one sentence.
    pub summary: String,
    /// What was seen, and where.
    pub evidence: Vec<Evidence>,
    /// How to mend it.
    pub fix: Fix,
}

/// How to mend a blocker.
#[derive(Clone, Debug)]
pub enum Fix {
    /// By these changes.
    Automatic {
        /// All of them are needed.
        changes: Vec<AnyChange>,
        /// Why these and not others.
        because: String,
    },
    /// By a person.
    Manual {
        /// Why ecr-fix does not do it.
        because: String,
        /// What to do, in order.
        steps: Vec<String>,
    },
    /// By nothing that changes in AWS.
    NotAws {
        /// Why.
        because: String,
        /// What to do, in order.
        steps: Vec<String>,
    },
}

/// What the checks say of every leg of every pull.
#[derive(Debug, Default)]
pub struct Verdicts {
    legs: BTreeMap<(String, Leg), (Verdict, Vec<String>)>,
    /// Every blocker, in the order of the checks.
    pub blockers: Vec<Blocker>,
    /// What kubelets say that no pull of ours is known for.
    pub untied: Vec<Unread>,
    /// What kubelets say that no blocker explains.
    pub contradictions: Vec<Contradiction>,
    /// Which words of kubelets a blocker explains: mending it makes them old.
    pub explained: BTreeSet<(String, String)>,
    /// Blockers that go away with the remedy of another one alone, by their positions.
    follows: BTreeMap<usize, usize>,
    /// What a blocker blocks, by its position, where that is not every one of its legs of every one of its pulls.
    exactly: BTreeMap<usize, Pairs>,
}

/// What tells blockers apart: the cause, and the resource.
type BlockerName = (&'static str, String);

/// Pulls, by their ids, each with a leg.
pub type Pairs = BTreeSet<(String, Leg)>;

impl Verdicts {
    /// A leg of a pull is well, as far as one check can tell.
    pub fn ok(&mut self, pull: &str, leg: Leg) {
        self.legs.entry((pull.to_owned(), leg)).or_insert((Verdict::Ok, Vec::new()));
    }

    /// A leg of a pull could not be decided.
    pub fn unknown(&mut self, pull: &str, leg: Leg, because: impl Into<String>) {
        let state = self.legs.entry((pull.to_owned(), leg)).or_insert((Verdict::Unknown, Vec::new()));
        state.0 = state.0.max(Verdict::Unknown);
        let because = because.into();
        if !state.1.contains(&because) {
            state.1.push(because);
        }
    }

    /// A blocker was found, of all its legs of all its pulls.
    pub fn blocked(&mut self, blocker: Blocker) {
        self.block(&every_pair(&blocker));
        self.blockers.push(blocker);
    }

    /// A blocker was found, of these legs of these pulls.
    pub fn blocked_exactly(&mut self, blocker: Blocker, pairs: Pairs) {
        self.block(&pairs);
        self.exactly.insert(self.blockers.len(), pairs);
        self.blockers.push(blocker);
    }

    fn block(&mut self, pairs: &Pairs) {
        for pair in pairs {
            self.legs.entry(pair.clone()).or_insert((Verdict::Blocked, Vec::new())).0 = Verdict::Blocked;
        }
    }

    fn pairs_of(&self, position: usize, blocker: &Blocker) -> Pairs {
        self.exactly.get(&position).cloned().unwrap_or_else(|| every_pair(blocker))
    }

    /// Adds the blockers that show only once others are mended, on legs that do not work as it is; and what a known
    /// blocker needs beside, where more of it shows: changes that `fit` the world as it is. Says whether there were any.
    fn reveal(&mut self, behind: Verdicts, fit: impl Fn(&AnyChange) -> bool) -> bool {
        let mut any = false;
        for (position, blocker) in behind.blockers.iter().enumerate() {
            let pairs = behind.pairs_of(position, blocker);
            let same = |known: &Blocker| (known.cause, &known.resource) == (blocker.cause, &blocker.resource);
            let known = self.blockers.iter().position(same);
            let is_well = |pair: &(String, Leg)| {
                self.legs.get(pair).is_some_and(|(verdict, _)| *verdict == Verdict::Ok)
            };
            any |= match known {
                _ if pairs.iter().any(is_well) => false,
                Some(known) => self.grow(known, blocker, pairs, &fit),
                None => {
                    self.blocked_exactly(blocker.clone(), pairs);
                    true
                }
            };
        }
        any
    }

    /// Adds to a known blocker what shows of it behind others. Says whether it takes more changes than were known.
    fn grow(
        &mut self,
        position: usize,
        more: &Blocker,
        pairs: Pairs,
        fit: impl Fn(&AnyChange) -> bool,
    ) -> bool {
        let Some(known) = self.blockers.get_mut(position) else { return false };
        let all_pairs = self.exactly.get(&position).cloned().unwrap_or_else(|| every_pair(known));
        let Fix::Automatic { changes: further, .. } = &more.fix else { return false };
        match &mut known.fix {
            Fix::Automatic { changes, .. } => {
                let is_new = |change: &&AnyChange| !changes.contains(change) && fit(change);
                let new: Vec<AnyChange> = further.iter().filter(is_new).cloned().collect();
                if new.is_empty() {
                    return false;
                }
                changes.extend(new);
            }
            // Alone it asks for more than ecr-fix does. With the others mended, less is left of it.
            Fix::Manual { .. } | Fix::NotAws { .. } if further.iter().all(&fit) => {
                known.fix = more.fix.clone()
            }
            Fix::Manual { .. } | Fix::NotAws { .. } => return false,
        }
        let legs: BTreeSet<Leg> = known.legs.iter().chain(&more.legs).copied().collect();
        known.legs = legs.into_iter().collect();
        let pulls: BTreeSet<&String> = known.pulls.iter().chain(&more.pulls).collect();
        known.pulls = pulls.into_iter().cloned().collect();
        let seen: Vec<Evidence> =
            more.evidence.iter().filter(|seen| !known.evidence.contains(seen)).cloned().collect();
        known.evidence.extend(seen);
        self.block(&pairs);
        self.exactly.insert(position, all_pairs.into_iter().chain(pairs).collect());
        true
    }

    fn names(&self) -> BTreeSet<BlockerName> {
        self.blockers.iter().map(|blocker| (blocker.cause, blocker.resource.clone())).collect()
    }

    /// How a leg of a pull is, as far as it was judged.
    pub fn verdict_of(&self, pull: &str, leg: Leg) -> Option<Verdict> {
        self.legs.get(&(pull.to_owned(), leg)).map(|(verdict, _)| *verdict)
    }

    /// Every leg that is blocked, by pull.
    pub fn blocked_legs(&self) -> Vec<(&str, Leg)> {
        let blocked = self.legs.iter().filter(|(_, (verdict, _))| *verdict == Verdict::Blocked);
        blocked.map(|((pull, leg), _)| (pull.as_str(), *leg)).collect()
    }

    fn leg(&self, pull: &str, leg: Leg) -> LegVerdict {
        let (verdict, because) = match self.legs.get(&(pull.to_owned(), leg)) {
            Some((verdict, because)) => (*verdict, because.clone()),
            None => (Verdict::Unknown, vec!["this version does not judge it".to_owned()]),
        };
        let pair = (pull.to_owned(), leg);
        let findings = self.blockers.iter().enumerate().zip(1..);
        let findings = findings.filter(|((at, blocker), _)| match self.exactly.get(at) {
            Some(pairs) => pairs.contains(&pair),
            None => blocker.legs.contains(&leg) && blocker.pulls.contains(&pair.0),
        });
        LegVerdict {
            leg,
            verdict,
            findings: findings.map(|(_, number)| finding_id(number)).collect(),
            because,
        }
    }
}

/// Every leg of every pull of a blocker.
fn every_pair(blocker: &Blocker) -> Pairs {
    let of_pull = |pull: &String| blocker.legs.iter().map(|leg| (pull.clone(), *leg)).collect::<Pairs>();
    blocker.pulls.iter().flat_map(of_pull).collect()
}

impl Diagnosis {
    /// The exit code that `--detailed-exitcode` asks for, where a plan has nothing to say.
    pub fn exit_code(&self) -> u8 {
        match self.summary.verdict {
            Health::Healthy => 0,
            Health::Broken if self.findings.iter().all(|found| found.remedy == Remedy::NotAws) => 20,
            Health::Broken => 2,
            Health::Inconclusive => 11,
        }
    }
}

/// The id under which findings name a pull.
pub fn pull_id(pull: &Pull<'_>) -> String {
    format!("{}/{} <- {}", pull.source.kind.as_str(), pull.source.id, pull.image.name)
}

/// Runs every check, also on the world as it would be once everything that ecr-fix can mend is mended: a blocker may
/// hide behind another one on the same leg.
pub fn verdicts(world: &World<'_>, options: &Options) -> Verdicts {
    let mut verdicts = judged(world, options);
    let now = verdicts.names();
    for _ in 0..REVEALING_ROUNDS {
        let changes = verdicts.blockers.iter().flat_map(|blocker| match &blocker.fix {
            Fix::Automatic { changes, .. } => changes.as_slice(),
            Fix::Manual { .. } | Fix::NotAws { .. } => &[],
        });
        let changes = gathered(changes);
        if changes.is_empty() {
            break;
        }
        let mut mended = world.snapshot.clone();
        changes.iter().for_each(|change| change.simulate(&mut mended));
        let behind = judged(&world.on(&mended), options);
        let fits = |change: &AnyChange| change.standing(world.snapshot) == Standing::Before;
        if !verdicts.reveal(behind, fits) {
            break;
        }
    }
    verdicts.follows = followers(world, &verdicts, &now, options);
    judges::kubernetes::weigh_words(world, &mut verdicts);
    verdicts
}

/// Which blockers of those that show `now` go away when another one alone is mended on paper. Where two mend each other,
/// the first leads.
fn followers(
    world: &World<'_>,
    verdicts: &Verdicts,
    now: &BTreeSet<BlockerName>,
    options: &Options,
) -> BTreeMap<usize, usize> {
    let mut follows: BTreeMap<usize, usize> = BTreeMap::new();
    if verdicts.blockers.len() < 2 {
        return follows;
    }
    for (position, blocker) in verdicts.blockers.iter().enumerate() {
        let Fix::Automatic { changes, .. } = &blocker.fix else { continue };
        if follows.contains_key(&position) || !now.contains(&(blocker.cause, blocker.resource.clone())) {
            continue;
        }
        let mut mended = world.snapshot.clone();
        gathered(changes).iter().for_each(|change| change.simulate(&mut mended));
        let left = judged(&world.on(&mended), options).names();
        for (other, also) in verdicts.blockers.iter().enumerate() {
            let name = (also.cause, also.resource.clone());
            if other != position && now.contains(&name) && !left.contains(&name) {
                follows.entry(other).or_insert(position);
            }
        }
    }
    // Whoever leads follows nobody: what is shown has one level.
    let leaders: BTreeSet<usize> = follows.values().copied().collect();
    follows.retain(|follower, _| !leaders.contains(follower));
    follows
}

/// Forgets what kubelets say only of pulls that were blocked before a plan was applied: they wait up to five minutes
/// before they try again, and until then their words are about the world before.
pub fn forget_old_words(world: &mut World<'_>, before: &Diagnosis) {
    let blocked = before.pull_paths.iter().filter(|path| path.verdict == Verdict::Blocked);
    let blocked: BTreeSet<&str> = blocked.map(|path| path.id.as_str()).collect();
    let is_old = |words| {
        let mut pulls = world.pulls_of(words).map(|pull| pull_id(&pull)).peekable();
        pulls.peek().is_some() && pulls.all(|pull| blocked.contains(pull.as_str()))
    };
    world.words = world.words.iter().filter(|words| !is_old(words)).cloned().collect();
}

/// Runs every check on the world as it is.
pub fn judged(world: &World<'_>, options: &Options) -> Verdicts {
    let mut verdicts = Verdicts::default();
    for judge in judges::ALL {
        judge(world, options, &mut verdicts);
    }
    verdicts
}

/// The diagnosis that the checks amount to.
pub fn diagnosis(world: &World<'_>, verdicts: &Verdicts) -> Diagnosis {
    let pull_paths: Vec<PullPath> = world.pulls().iter().map(|pull| pull_path(pull, verdicts)).collect();
    let count = |wanted| pull_paths.iter().filter(|path| path.verdict == wanted).count();
    let (blocked, unknown) = (count(Verdict::Blocked), count(Verdict::Unknown));
    let mut unread = world.unread();
    unread.extend(verdicts.untied.iter().cloned());
    let verdict = match (blocked, unknown) {
        // A blocker of a pull that is not in the matrix, such as one with a name that cannot be.
        _ if verdicts.blockers.iter().any(|blocker| blocker.pulls.is_empty()) => Health::Broken,
        (0, 0) if !pull_paths.is_empty() && !unread.iter().any(hides_pulls) => Health::Healthy,
        (0, _) => Health::Inconclusive,
        _ => Health::Broken,
    };
    let images_elsewhere = world.images_elsewhere;
    Diagnosis {
        format_version: FORMAT_VERSION.to_owned(),
        target: world.target.clone(),
        narrowed: world.narrowed.clone(),
        summary: Summary { verdict, pull_paths: pull_paths.len(), blocked, unknown, images_elsewhere },
        findings: verdicts
            .blockers
            .iter()
            .zip(1..)
            .map(|(blocker, number)| finding(world, blocker, number, verdicts))
            .collect(),
        contradictions: verdicts.contradictions.clone(),
        unread,
        pull_paths,
    }
}

/// Whether there may be pullers, or reasons, that nobody saw. What this version never looks at, and a Kubernetes API
/// that nobody could ask, is said with every diagnosis, and leaves the verdict on what was judged: it is "every pull
/// that was checked", and says so. An API that was asked and refused a list is another matter. Ids of rules and names of
/// services only make an answer nicer, and so does what EKS says of add-ons and of who may enter a cluster; but an add-on
/// that waits for images contradicts whatever looks well.
fn hides_pulls(unread: &Unread) -> bool {
    let refused_list = unread.source.starts_with("kubernetes:") && unread.source != NO_KUBERNETES;
    let never_looked = ["kms:", "kubernetes:", "organizations:", "route53:", "route53resolver:"];
    let hides_nothing = [
        "ec2:DescribeSecurityGroupRules",
        "ec2:DescribeVpcEndpointServices",
        "ecr:ListTagsForResource",
        "eks:ListAccessEntries",
    ];
    let says_more = ["eks:DescribeAddon", "eks:ListAddons", "eks:ListPodIdentityAssociations"];
    let source = unread.source.as_str();
    if hides_nothing.contains(&source) || says_more.contains(&source) && unread.hides.is_empty() {
        return false;
    }
    (refused_list && !unread.hides.is_empty())
        || !never_looked.iter().any(|service| unread.source.starts_with(service))
}

fn pull_path(pull: &Pull<'_>, verdicts: &Verdicts) -> PullPath {
    let id = pull_id(pull);
    let legs: Vec<LegVerdict> = Leg::ALL.iter().map(|leg| verdicts.leg(&id, *leg)).collect();
    let verdict = legs.iter().map(|leg| leg.verdict).max().unwrap_or(Verdict::Unknown);
    PullPath { id, from: pull.source.clone(), image: pull.image.name.clone(), verdict, legs }
}

fn finding(world: &World<'_>, blocker: &Blocker, number: usize, verdicts: &Verdicts) -> Finding {
    let leader = verdicts.follows.get(&number.wrapping_sub(1));
    let (remedy, manual_steps) = match &blocker.fix {
        Fix::Automatic { .. } => (Remedy::Automatic, Vec::new()),
        Fix::Manual { steps, .. } => (Remedy::Manual, steps.clone()),
        Fix::NotAws { steps, .. } => (Remedy::NotAws, steps.clone()),
    };
    Finding {
        id: finding_id(number),
        cause: blocker.cause.to_owned(),
        verdict: "broken".to_owned(),
        severity: blocker.severity,
        resource: blocker.resource.clone(),
        account: blocker.account.clone(),
        region: world.target.region.clone(),
        summary: blocker.summary.clone(),
        evidence: blocker.evidence.clone(),
        blocks: blocker.pulls.clone(),
        remedy,
        manual_steps,
        follows_from: leader.map(|position| finding_id(position + 1)),
    }
}

/// `f1`, `f2`, …
pub fn finding_id(number: usize) -> String {
    format!("f{number}")
}
