//! What kubelets say, weighed against what the other judges found: it confirms a finding, or it contradicts the model.
//!
//! A healthy model never silences a kubelet that cannot pull. Where the words are certain about something that no state
//! of AWS shows (an expired pull secret, a full disk), they are a finding of their own; else the leg that they are
//! about is not decided any more.

use std::collections::{BTreeMap, BTreeSet};

use super::pull_secrets::{self, Proof, Tried};
use super::{elsewhere, quoted};
use crate::checks::{Cause, Leg, Likelihood, Remedy};
use crate::diagnosis::{Blocker, Contradiction, Evidence, Fix, Verdicts, pull_id};
use crate::explain::{self, Explanation, Known, Reason};
use crate::model::Unread;
use crate::model::kubernetes::GET_SECRET;
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
    /// All of them, the first one first.
    words: Vec<&'a Words>,
    reason: Reason,
    cause: &'static Cause,
    pulls: Vec<String>,
    /// What they say of the logins that were tried, where they are about that.
    tried: Option<Tried>,
}

/// Weighs what kubelets say against the verdicts so far.
pub(crate) fn weigh_words(world: &World<'_>, verdicts: &mut Verdicts) {
    let choruses = choruses(world);
    choruses.iter().for_each(|chorus| confirm(verdicts, chorus));
    choruses.iter().for_each(|chorus| confirm_elsewhere(world, verdicts, chorus));
    // Whoever backs off has said before why, if anybody heard it.
    let told: BTreeSet<&Vec<String>> =
        choruses.iter().filter(|chorus| chorus.reason.id != BACK_OFF).map(|chorus| &chorus.pulls).collect();
    for chorus in &choruses {
        if chorus.reason.id != BACK_OFF || !told.contains(&chorus.pulls) {
            contradict(world, verdicts, chorus);
        }
    }
}

/// The words by what they are about. Thousands of pods may wait for one image: each text is explained once.
fn choruses<'w>(world: &'w World<'_>) -> Vec<Chorus<'w>> {
    let known =
        Known { account: Some(world.target.account.clone()), region: Some(world.target.region.clone()) };
    let mut explanations: BTreeMap<String, Explanation> = BTreeMap::new();
    let mut choruses: BTreeMap<(Vec<String>, &'static str), Chorus<'_>> = BTreeMap::new();
    for words in &world.words {
        let message = words.message();
        let explained =
            explanations.entry(message).or_insert_with_key(|message| explain::explain(message, &known));
        let Some(reason) = explained.causes.first().filter(|_| explained.in_scope) else { continue };
        let Some(cause) = Cause::find(reason.id) else { continue };
        let pulls: Vec<String> = world.pulls_of(words).map(|pull| pull_id(&pull)).collect();
        if pulls.is_empty() && is_elsewhere(explained.image.as_ref()) {
            continue;
        }
        let candidates: Vec<&str> = explained.causes.iter().map(|reason| reason.id).collect();
        let tried = pull_secrets::tried(cause, &candidates, reason.id == BACK_OFF);
        let fresh =
            || Chorus { words: Vec::new(), reason: reason.clone(), cause, pulls: pulls.clone(), tried };
        choruses.entry((pulls.clone(), reason.id)).or_insert_with(fresh).words.push(words);
    }
    choruses.into_values().collect()
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
fn confirm(verdicts: &mut Verdicts, chorus: &Chorus<'_>) {
    let Chorus { words, cause, pulls, reason, .. } = chorus;
    let mut blocked: BTreeSet<&String> = BTreeSet::new();
    for blocker in &mut verdicts.blockers {
        let same = blocker.cause == cause.id;
        let before = blocker.legs.iter().any(|leg| *leg <= leg_of(cause));
        let concerned: Vec<&String> = pulls.iter().filter(|pull| blocker.pulls.contains(pull)).collect();
        if concerned.is_empty() || !(same || before || cause.leg.is_none()) {
            continue;
        }
        blocked.extend(concerned);
        if reason.id != BACK_OFF {
            let heard = words.iter().take(SHOWN).map(|words| evidence(words));
            blocker.evidence.extend(heard);
        }
    }
    // All pulls that they may be about must be explained: a kubelet speaks of one of them.
    if !pulls.is_empty() && blocked.len() == pulls.len() {
        verdicts.explained.extend(words.iter().map(|words| words.key()));
    }
}

/// The same for images that are not in the matrix.
fn confirm_elsewhere(world: &World<'_>, verdicts: &mut Verdicts, chorus: &Chorus<'_>) {
    if !chorus.pulls.is_empty() {
        return;
    }
    for blocker in verdicts.blockers.iter_mut().filter(|blocker| blocker.cause == chorus.cause.id) {
        let is_of = |words: &&&Words| {
            world.elsewhere.iter().any(|wanted| {
                elsewhere::is_about(&blocker.resource, wanted) && wanted.pods.contains(&words.pod)
            })
        };
        let heard: Vec<&Words> = chorus.words.iter().filter(is_of).copied().collect();
        blocker.evidence.extend(heard.iter().take(SHOWN).map(|words| evidence(words)));
        verdicts.explained.extend(heard.iter().map(|words| words.key()));
    }
}

/// Doubts what looks well, or reports what the words prove, where no blocker explains them.
fn contradict(world: &World<'_>, verdicts: &mut Verdicts, chorus: &Chorus<'_>) {
    let Chorus { words, reason, cause, pulls, .. } = chorus;
    let unexplained = words.iter().filter(|words| !verdicts.explained.contains(&words.key())).copied();
    let (mut spent, mut others): (BTreeMap<Proof, Vec<&Words>>, Vec<&Words>) = Default::default();
    for words in unexplained {
        match chorus.tried.and_then(|tried| pull_secrets::proof(world, words, tried)) {
            Some(proof) => spent.entry(proof).or_default().push(words),
            None => others.push(words),
        }
    }
    for (proof, words) in spent {
        secret_blocker(world, pulls, &proof, &words)
            .into_iter()
            .for_each(|blocker| verdicts.blocked(blocker));
    }
    let Some(first) = others.first() else { return };
    let certain =
        reason.recognition.likelihood == Likelihood::Certain && BEYOND_THE_MODEL.contains(&reason.id);
    if certain {
        verdicts.blocked(blocker(world, chorus, first));
        return;
    }
    let because = doubt(chorus, first);
    verdicts.contradictions.push(contradiction(world, chorus, first, &because));
    if pulls.is_empty() {
        verdicts.untied.push(Unread {
            source: first.source.to_owned(),
            resource: first.pod.clone(),
            because: because.clone(),
            hides: vec![reason.id.to_owned()],
            request_id: None,
        });
    }
    for pull in pulls {
        verdicts.unknown(pull, leg_of(cause), because.clone());
    }
}

fn evidence(words: &Words) -> Evidence {
    Evidence { source: words.source.to_owned(), saw: saw(words) }
}

/// How many more there are.
fn others(chorus: &Chorus<'_>) -> Option<usize> {
    Some(chorus.words.len().saturating_sub(1)).filter(|others| *others > 0)
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
fn doubt(chorus: &Chorus<'_>, words: &Words) -> String {
    let reason = &chorus.reason;
    let more = others(chorus).map(|others| format!(", and {others} more of the kind")).unwrap_or_default();
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

/// What could explain words that contradict the model, and how to find out.
fn contradiction(world: &World<'_>, chorus: &Chorus<'_>, words: &Words, because: &str) -> Contradiction {
    let Chorus { reason, cause, pulls, .. } = chorus;
    let reads_as = (reason.id != BACK_OFF).then(|| reason.id.to_owned());
    Contradiction {
        source: words.source.to_owned(),
        pod: words.pod.clone(),
        node: words.node.clone(),
        at: words.at.clone(),
        says: quote(&words.text),
        others: others(chorus).unwrap_or_default(),
        leg: leg_of(cause),
        pulls: pulls.clone(),
        may_be: may_be(world, chorus, words),
        look_closer: look_closer(chorus, words),
        reads_as,
        summary: because.to_owned(),
    }
}

fn may_be(world: &World<'_>, chorus: &Chorus<'_>, words: &Words) -> Vec<String> {
    let mut may_be = Vec::new();
    let leg = leg_of(chorus.cause);
    let hides = |unread: &Unread| {
        unread.hides.iter().any(|id| {
            chorus.reason.id == BACK_OFF
                || *id == chorus.reason.id
                || Cause::find(id).is_some_and(|cause| cause.leg == Some(leg))
        })
    };
    let unread: BTreeSet<String> =
        world.unread().into_iter().filter(hides).map(|unread| unread.source).collect();
    if !unread.is_empty() {
        may_be.push(format!(
            "in what could not be read: {}",
            unread.into_iter().collect::<Vec<_>>().join(", ")
        ));
    }
    may_be.push(match &words.at {
        Some(at) => format!("over by now: it was said at {at}, and Kubernetes keeps events for an hour"),
        None => "over by now: a kubelet waits up to five minutes before it tries again".to_owned(),
    });
    may_be.push(match &words.node {
        Some(node) if !node.starts_with("fargate-") => format!(
            "local to node {node}, where AWS shows nothing of it: proxy, mirror or certificates of containerd, clock, \
             disk, stale credentials of the kubelet"
        ),
        _ => "local to the node, where AWS shows nothing of it".to_owned(),
    });
    may_be
}

fn look_closer(chorus: &Chorus<'_>, words: &Words) -> Vec<String> {
    let mut steps = vec![describe(words)];
    if let Some((namespace, name)) = words.pod.split_once('/') {
        steps.push(format!(
            "kubectl get events -n {} --field-selector involvedObject.name={} --sort-by=.lastTimestamp",
            quoted(namespace),
            quoted(name)
        ));
    }
    if let Some(node) = words.node.as_deref().filter(|node| !node.starts_with("fargate-")) {
        steps.push(format!("on node {node}: journalctl -u kubelet -u containerd --since -1h"));
    }
    if chorus.reason.id != BACK_OFF {
        steps.push(chorus.reason.recognition.next.clone());
    }
    steps
}

fn describe(words: &Words) -> String {
    match words.pod.split_once('/') {
        Some((namespace, name)) => {
            format!("kubectl describe pod -n {} {}", quoted(namespace), quoted(name))
        }
        None => format!("kubectl describe pod {}", quoted(&words.pod)),
    }
}

/// What a pull secret proves together with the words.
fn secret_blocker(world: &World<'_>, pulls: &[String], proof: &Proof, words: &[&Words]) -> Option<Blocker> {
    let cause = Cause::find(proof.cause)?;
    let (namespace, name) = proof.secret.split_once('/')?;
    let (namespace, name) = (quoted(namespace), quoted(name));
    let of_secret =
        Evidence { source: GET_SECRET.to_owned(), saw: format!("{}: {}", proof.secret, proof.saw) };
    let heard = words.iter().take(SHOWN).map(|words| evidence(words));
    let steps = vec![
        format!(
            "on EKS the role of the node pulls: take {name} out of `imagePullSecrets` of the pods in {namespace} and of \
             their service accounts"
        ),
        format!(
            "or make it anew, with a fresh token for the host of the image: kubectl get secret -n {namespace} {name}"
        ),
        format!("read more: ecr-fix explain {}", cause.id),
    ];
    Some(Blocker {
        cause: cause.id,
        legs: vec![Leg::Credentials],
        pulls: pulls.to_vec(),
        severity: cause.severity,
        resource: format!("secret/{}", proof.secret),
        account: world.target.account.clone(),
        summary: format!("pull secret {} cannot work: {}", proof.secret, proof.saw),
        evidence: std::iter::once(of_secret).chain(heard).collect(),
        fix: Fix::NotAws { because: "no change in AWS mends it".to_owned(), steps },
    })
}

/// What the words prove by themselves.
fn blocker(world: &World<'_>, chorus: &Chorus<'_>, words: &Words) -> Blocker {
    let Chorus { reason, cause, pulls, .. } = chorus;
    let more = others(chorus).map(|others| format!(" and {others} more")).unwrap_or_default();
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
        evidence: chorus.words.iter().take(SHOWN).map(|words| evidence(words)).collect(),
        fix: match cause.remedy {
            Remedy::NotAws => Fix::NotAws { because: "no change in AWS mends it".to_owned(), steps },
            Remedy::Automatic | Remedy::Manual => {
                Fix::Manual { because: "ecr-fix knows of it only what the kubelet says".to_owned(), steps }
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    use crate::diagnosis::{diagnosis, verdicts};
    use crate::judges::Options;
    use crate::model::Snapshot;
    use crate::pulls::tests::{APP, instance, list, node, pod, profiles, world};
    use crate::pulls::{Scope, World};

    /// A world whose one node runs what is said of it, with nothing else read: what kubelets say stands out.
    fn said(objects: &[Value]) -> Snapshot {
        let mut items = vec![node("ip-1", "i-1", json!({}))];
        items.extend(objects.iter().cloned());
        world(&[
            json!({ "Reservations": [{ "Instances": [
                instance("i-1", "ng", json!({ "eks:nodegroup-name": "ng", "eks:cluster-name": "c" })),
            ] }] }),
            profiles(&["ng"]),
            list(&items),
        ])
    }

    fn check(objects: &[Value], expected: &Expect) {
        let snapshot = said(objects);
        let world = World::of(&snapshot, &Scope::default()).unwrap();
        let told = diagnosis(&world, &verdicts(&world, &Options::default()));
        let mut text = String::new();
        for finding in &told.findings {
            let blocks = finding.blocks.len();
            text += &format!("{} on {} blocks {blocks}\n", finding.cause, finding.resource);
            text += &finding.evidence.iter().map(|seen| format!("  saw {}\n", seen.saw)).collect::<String>();
        }
        for path in told.pull_paths.iter().filter(|path| !path.image.ends_with("*")) {
            for leg in &path.legs {
                let said = leg.because.iter().filter(|because| because.contains("kubelet"));
                text += &said.map(|said| format!("{}: {said}\n", leg.leg.as_str())).collect::<String>();
            }
        }
        let of_kubernetes = told.unread.iter().filter(|row| row.source.starts_with("kubernetes:"));
        text += &of_kubernetes
            .map(|row| format!("unread {}: {}\n", row.resource, row.because))
            .collect::<String>();
        expected.assert_eq(&text);
    }

    fn event(about: &str, reason: &str, message: &str) -> Value {
        json!({
            "kind": "Event", "metadata": { "name": format!("{about}.{reason}"), "namespace": "shop" },
            "involvedObject": {
                "kind": "Pod", "namespace": "shop", "name": about, "fieldPath": "spec.containers{app}",
            },
            "reason": reason, "message": message, "source": { "host": "ip-1" },
            "lastTimestamp": "2026-11-23T11:00:00Z",
        })
    }

    fn on_node() -> Value {
        json!({ "nodeName": "ip-1" })
    }

    fn state(state: Value) -> Value {
        json!({ "containerStatuses": [{ "name": "app", "state": state }] })
    }

    fn failed(image: &str, why: &str) -> String {
        format!("Failed to pull image \"{image}\": rpc error: code = Unknown desc = {why}")
    }

    #[test]
    fn a_back_off_alone_is_doubt_until_somebody_says_why() {
        let waits = state(
            json!({ "waiting": { "reason": "ImagePullBackOff", "message": "Back-off pulling image" } }),
        );
        let web = pod("shop/web", APP, on_node(), waits);
        check(
            std::slice::from_ref(&web),
            &expect![[r#"
            image: the kubelet says of pod shop/web on ip-1: Back-off pulling image; the kubelet waits before it tries again, and its reason is not on record, and nothing that was read shows why: it may be older than a change, local to the node, or in what was not read. Look closer: kubectl describe pod -n shop web
        "#]],
        );
        let full = failed(APP, "write /x: no space left on device");
        check(
            &[web, event("web", "Failed", &full)],
            &expect![[r#"
            node-disk-full on pod/shop/web blocks 1
              saw pod shop/web on ip-1: Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = write /x: no space left on device
        "#]],
        );
    }

    #[test]
    fn what_has_worked_since_is_old() {
        let says = |name: &str| event(name, "Failed", &failed(APP, "403 Forbidden"));
        let runs = |since: &str| state(json!({ "running": { "startedAt": since } }));
        let crashes = state(json!({ "waiting": { "reason": "CrashLoopBackOff" } }));
        check(&[pod("shop/web", APP, on_node(), runs("2026-11-23T09:00:00Z")), says("web")], &expect![[""]]);
        check(&[pod("shop/web", APP, on_node(), crashes), says("web")], &expect![[""]]);
        // The pod is gone; another one started the image later on the same nodes, or did not.
        check(&[pod("shop/new", APP, on_node(), runs("2026-11-23T12:00:00Z")), says("gone")], &expect![[""]]);
        check(
            &[pod("shop/old", APP, on_node(), runs("2026-11-23T09:00:00Z")), says("gone")],
            &expect![[r#"
            pull-permission: the kubelet says of pod shop/gone on ip-1: Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = 403 Forbidden; it reads as node-role-missing-ecr-policy (likely), and nothing that was read shows why: it may be older than a change, local to the node, or in what was not read. Look closer: kubectl describe pod -n shop gone
        "#]],
        );
    }

    #[test]
    fn a_name_that_cannot_be_is_a_finding_without_a_pull() {
        let image = "111122223333.dkr.ecr.us-west-2.amazon.aws.com/app:v1";
        let message = failed(
            image,
            "dial tcp: lookup 111122223333.dkr.ecr.us-west-2.amazon.aws.com on 10.0.0.2:53: no such host",
        );
        let waits = state(json!({ "waiting": { "reason": "ErrImagePull", "message": message } }));
        check(
            &[pod("shop/web", image, on_node(), waits)],
            &expect![[r#"
                registry-host-typo on 111122223333.dkr.ecr.us-west-2.amazon.aws.com/app:v1 blocks 0
                  saw pod shop/web wait for 111122223333.dkr.ecr.us-west-2.amazon.aws.com/app:v1
                  saw pod shop/web on ip-1: Failed to pull image "111122223333.dkr.ecr.us-west-2.amazon.aws.com/app:v1": rpc error: code = Unknown desc = dial tcp: lookup 111122223333.dkr.ecr.us-west-2.amazon.aws.com on 10.0.0.2:53: no such host
            "#]],
        );
    }

    #[test]
    fn other_registries_are_not_ours() {
        let message =
            failed("docker.io/library/nginx:1", "toomanyrequests: You have reached your pull rate limit");
        let waits = state(json!({ "waiting": { "reason": "ErrImagePull", "message": message } }));
        check(&[pod("shop/web", "docker.io/library/nginx:1", on_node(), waits)], &expect![[""]]);
    }
}
