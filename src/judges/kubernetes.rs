//! What kubelets say, weighed against what the other judges found: it confirms a finding, or it contradicts the model.
//!
//! A healthy model never silences a kubelet that cannot pull. Where the words are certain about something that no state
//! of AWS shows (an expired pull secret, a full disk), they are a finding of their own; else the leg that they are
//! about is not decided any more.

use std::collections::BTreeMap;

use crate::checks::{Cause, Leg, Likelihood, Remedy};
use crate::diagnosis::{Blocker, Evidence, Fix, Verdicts, pull_id};
use crate::explain::{self, Known, Reason};
use crate::model::Unread;
use crate::pulls::{Words, World};

/// Causes that the words of a kubelet or of AWS prove, and that nothing which this program reads could refute.
const BEYOND_THE_MODEL: [&str; 27] = [
    "clock-skew",
    "containerd-registry-config-broken",
    "credential-provider-pattern-miss",
    "fargate-storage-full",
    "http-proxy-misconfig",
    "image-policy-rejected",
    "image-pull-policy-never",
    "invalid-image-name",
    "kms-key-unavailable",
    "kubelet-credential-provider-missing",
    "layer-blob-missing",
    "manifest-type-unsupported",
    "node-disk-full",
    "platform-mismatch",
    "ptc-upstream-auth-failed",
    "ptc-upstream-failed",
    "pull-secret-expired",
    "pull-secret-wrong",
    "rcp-deny",
    "registry-host-typo",
    "runtime-content-corrupt",
    "runtime-down",
    "scp-deny",
    "sandbox-image-pull-failed",
    "tls-interception",
    "windows-foreign-layers",
    "wrong-region-token",
];

/// Says only that the kubelet waits before it tries again.
const BACK_OFF: &str = "backoff-no-cause";

/// How many words of one kind are shown with a finding.
const SHOWN: usize = 3;

/// The longest quotation, in characters.
const LONGEST_QUOTE: usize = 400;

/// What several kubelets say of the same pulls, for the same reason.
struct Chorus<'a> {
    /// The first of them.
    words: &'a Words,
    others: usize,
    reason: Reason,
    cause: &'static Cause,
    pulls: Vec<String>,
}

/// Weighs what kubelets say against the verdicts so far.
pub(crate) fn weigh_words(world: &World<'_>, verdicts: &mut Verdicts) {
    let known =
        Known { account: Some(world.target.account.clone()), region: Some(world.target.region.clone()) };
    let mut choruses: BTreeMap<(Vec<String>, &'static str), Chorus<'_>> = BTreeMap::new();
    for words in &world.words {
        let explained = explain::explain(&words.message(), &known);
        let Some(reason) = explained.causes.into_iter().next().filter(|_| explained.in_scope) else {
            continue;
        };
        let Some(cause) = Cause::find(reason.id) else { continue };
        let pulls: Vec<String> = world.pulls_of(words).map(|pull| pull_id(&pull)).collect();
        if pulls.is_empty() && is_elsewhere(explained.image.as_ref()) {
            continue;
        }
        confirm(verdicts, words, cause, &pulls);
        choruses
            .entry((pulls.clone(), reason.id))
            .and_modify(|chorus| chorus.others += 1)
            .or_insert(Chorus { words, others: 0, reason, cause, pulls });
    }
    let told: Vec<Vec<String>> = choruses
        .values()
        .filter(|chorus| chorus.reason.id != BACK_OFF)
        .map(|chorus| chorus.pulls.clone())
        .collect();
    for chorus in choruses.into_values() {
        // Whoever backs off has said before why, if anybody heard it.
        if chorus.reason.id != BACK_OFF || !told.contains(&chorus.pulls) {
            contradict(world, verdicts, &chorus);
        }
    }
}

/// Words without an image, or about one of another registry, tell nothing of ours.
fn is_elsewhere(image: Option<&crate::model::ImageRef>) -> bool {
    image.is_none_or(|image| image.account.is_none() && !image.registry.contains(".ecr"))
}

/// The leg that a message is about: where it does not say, the request for the image itself.
fn leg_of(cause: &Cause) -> Leg {
    cause.leg.unwrap_or(Leg::Image)
}

/// Adds the words to the blockers that explain them. A pull stops at its first blocker, and the kubelet sees the
/// consequence on that leg or on a later one.
fn confirm(verdicts: &mut Verdicts, words: &Words, cause: &Cause, pulls: &[String]) {
    let mut explained = false;
    for blocker in &mut verdicts.blockers {
        let same = blocker.cause == cause.id;
        let before = blocker.legs.iter().any(|leg| *leg <= leg_of(cause));
        let vague = cause.leg.is_none();
        if !blocker.pulls.iter().any(|pull| pulls.contains(pull)) || !(same || before || vague) {
            continue;
        }
        explained = true;
        let said = Evidence { source: words.source.to_owned(), saw: saw(words) };
        let heard = blocker.evidence.iter().filter(|known| known.source.starts_with("kubernetes:")).count();
        if heard < SHOWN && !blocker.evidence.contains(&said) {
            blocker.evidence.push(said);
        }
    }
    // All pulls that it may be about must be explained: the kubelet speaks of one of them.
    let is_blocked = |pull: &String| verdicts.blockers.iter().any(|blocker| blocker.pulls.contains(pull));
    if explained && pulls.iter().all(is_blocked) {
        verdicts.explained.insert(words.key());
    }
}

/// Whether every pull that the words may be about is known to be blocked where they say, or before.
fn contradict(world: &World<'_>, verdicts: &mut Verdicts, chorus: &Chorus<'_>) {
    let Chorus { words, reason, cause, pulls, .. } = chorus;
    if verdicts.explained.contains(&words.key()) {
        return;
    }
    let certain =
        reason.recognition.likelihood == Likelihood::Certain && BEYOND_THE_MODEL.contains(&reason.id);
    if certain {
        verdicts.blocked(blocker(world, chorus));
        return;
    }
    let because = doubt(chorus);
    if pulls.is_empty() {
        verdicts.untied.push(Unread {
            source: words.source.to_owned(),
            resource: words.pod.clone(),
            because: because.clone(),
            hides: vec![reason.id.to_owned()],
            request_id: None,
        });
    }
    for pull in pulls {
        verdicts.unknown(pull, leg_of(cause), because.clone());
    }
}

fn saw(words: &Words) -> String {
    let node = words.node.as_deref().map(|node| format!(" on {node}")).unwrap_or_default();
    format!("pod {}{node}: {}", words.pod, quote(&words.text))
}

fn quote(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST_QUOTE) {
        Some((end, _)) => format!("{} …", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

/// Why a leg that looks well is not decided.
fn doubt(chorus: &Chorus<'_>) -> String {
    let Chorus { words, others, reason, .. } = chorus;
    let more = if *others > 0 { format!(", and {others} more of the kind") } else { String::new() };
    let reading = if reason.id == BACK_OFF {
        "the kubelet waits before it tries again, and its reason is not on record".to_owned()
    } else {
        format!("it reads as {} ({})", reason.id, reason.recognition.likelihood.as_str())
    };
    format!(
        "the kubelet says of {}{more}; {reading}, and nothing that was read shows why: it may be older than a change, \
         local to the node, or in what was not read. Look closer: {}",
        saw(words),
        describe(words)
    )
}

fn describe(words: &Words) -> String {
    match words.pod.split_once('/') {
        Some((namespace, name)) => format!("kubectl describe pod -n {namespace} {name}"),
        None => format!("kubectl describe pod {}", words.pod),
    }
}

/// What the words prove by themselves.
fn blocker(world: &World<'_>, chorus: &Chorus<'_>) -> Blocker {
    let Chorus { words, others, reason, cause, pulls } = chorus;
    let more = if *others > 0 { format!(" and {others} more") } else { String::new() };
    let steps = vec![
        reason.recognition.next.clone(),
        describe(words),
        format!("read more: ecr-fix explain {}", cause.id),
    ];
    Blocker {
        cause: cause.id,
        legs: vec![leg_of(cause)],
        pulls: pulls.clone(),
        severity: cause.severity,
        resource: format!("pod/{}", words.pod),
        account: world.target.account.clone(),
        summary: format!("the kubelet says so of pod {}{more}: {}", words.pod, cause.summary()),
        evidence: vec![Evidence { source: words.source.to_owned(), saw: saw(words) }],
        fix: match cause.remedy {
            Remedy::NotAws => Fix::NotAws { because: "no change in AWS mends it".to_owned(), steps },
            Remedy::Automatic | Remedy::Manual => {
                Fix::Manual { because: "ecr-fix knows of it only what the kubelet says".to_owned(), steps }
            }
        },
    }
}
