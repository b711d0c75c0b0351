//! What kubelets say of pulls that have not worked since: the waiting messages of pods, and events.

use std::collections::{BTreeMap, BTreeSet};

use super::nodes::SourceKey;
use super::pods::Pods;
use super::{Image, Source};
use crate::explain::input::with_host;
use crate::model::kubernetes::{Event, Kubernetes, Pod, image_in};

/// What a kubelet says of one pull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// `kubernetes:ListPods` or `kubernetes:ListEvents`.
    pub source: &'static str,
    /// `NAMESPACE/NAME`.
    pub pod: String,
    /// The node of the kubelet, where it is known.
    pub node: Option<String>,
    /// Its words, without secrets.
    pub text: String,
    /// When it said so last (RFC 3339); of a pod that waits nobody knows since when.
    pub at: Option<String>,
    /// The pulls that it may be about: where in the lists of sources and images of the world they stand.
    pub pulls: BTreeSet<(usize, usize)>,
}

impl Words {
    /// The words as the grammar of messages wants them: the name of the node says something about the credentials.
    pub fn message(&self) -> String {
        with_host(self.node.as_deref(), &self.text)
    }

    /// Tells them apart from others.
    pub fn key(&self) -> (String, String) {
        (self.pod.clone(), self.text.clone())
    }
}

/// Puts pulls into words: where sources and images stand in the lists of the world.
pub(super) struct Places {
    sources: BTreeMap<SourceKey, usize>,
    images: BTreeMap<Image, usize>,
}

impl Places {
    pub(super) fn of(sources: &[Source], images: &[Image]) -> Places {
        let sources = sources.iter().enumerate().map(|(at, source)| ((source.kind, source.id.clone()), at));
        let images = images.iter().enumerate().map(|(at, image)| (image.clone(), at));
        Places { sources: sources.collect(), images: images.collect() }
    }

    pub(super) fn pairs(&self, image: &Image, sources: &BTreeSet<SourceKey>) -> BTreeSet<(usize, usize)> {
        let Some(image) = self.images.get(image) else { return BTreeSet::new() };
        sources.iter().filter_map(|source| Some((*self.sources.get(source)?, *image))).collect()
    }
}

/// All that is said, of pods that wait first.
pub(super) fn all(kubernetes: &Kubernetes, pods: &mut Pods<'_>, places: &Places) -> Vec<Words> {
    let mut all = Vec::new();
    for (id, pod) in kubernetes.pods.iter().filter(|(_, pod)| !pod.has_ended()) {
        for status in pod.statuses() {
            let Some((_, text)) = status.waits_for_image() else { continue };
            let pulls = pod.image_of(&status.name).and_then(|image| pods.image(image));
            all.push(Words {
                source: "kubernetes:ListPods",
                pod: id.clone(),
                node: pod.spec.node_name.clone(),
                text: text.to_owned(),
                at: None,
                pulls: pulls.map(|image| places.pairs(&image, &pods.sources_of(pod))).unwrap_or_default(),
            });
        }
    }
    let started = Started::of(kubernetes, pods);
    for event in kubernetes.events.values() {
        all.extend(words_of(event, kubernetes, pods, places, &started));
    }
    all
}

/// When pods last started a container of an image, by image and source.
struct Started<'a>(BTreeMap<(&'a str, SourceKey), &'a str>);

impl<'a> Started<'a> {
    fn of(kubernetes: &'a Kubernetes, pods: &mut Pods<'_>) -> Started<'a> {
        let mut latest: BTreeMap<(&str, SourceKey), &str> = BTreeMap::new();
        if kubernetes.events.is_empty() {
            return Started(latest);
        }
        for pod in kubernetes.pods.values() {
            let sources = pods.sources_of(pod);
            for status in pod.statuses() {
                let since = status.state.running.as_ref().and_then(|running| running.started_at.as_deref());
                let (Some(image), Some(since)) = (pod.image_of(&status.name), since) else { continue };
                for source in &sources {
                    let known = latest.entry((image, source.clone())).or_insert(since);
                    // RFC 3339 in UTC, as Kubernetes writes it, sorts by time.
                    *known = (*known).max(since);
                }
            }
        }
        Started(latest)
    }

    fn since(&self, image: &str, sources: &BTreeSet<SourceKey>, at: Option<&str>) -> bool {
        let latest = sources.iter().filter_map(|source| self.0.get(&(image, source.clone()))).max();
        at.zip(latest).is_some_and(|(at, latest)| *latest >= at)
    }
}

/// The words of an event; none where the pull has worked since, or where the node is gone.
fn words_of(
    event: &Event,
    kubernetes: &Kubernetes,
    pods: &mut Pods<'_>,
    places: &Places,
    started: &Started<'_>,
) -> Option<Words> {
    let text = event.message.clone()?;
    let object = &event.involved_object;
    let id = format!("{}/{}", object.namespace.as_deref().unwrap_or_default(), object.name);
    // Another pod under the same name is another pod.
    let same =
        |pod: &&Pod| object.uid.is_none() || pod.metadata.uid.is_none() || pod.metadata.uid == object.uid;
    let pod = kubernetes.pods.get(&id).filter(same);
    let container = object.field_path.as_deref().and_then(container_in);
    let (image, sources) = match pod {
        Some(pod) if pod.has_ended() || has_worked(pod, container) => return None,
        Some(pod) => {
            let image = container.and_then(|container| pod.image_of(container)).or_else(|| image_in(&text));
            (image.or_else(|| only_image(pod)).map(str::to_owned), pods.sources_of(pod))
        }
        None => {
            let gone = event
                .node()
                .is_some_and(|node| !kubernetes.nodes.is_empty() && !kubernetes.nodes.contains_key(node));
            let sources = pods.sources_of_event(event).unwrap_or_default();
            let image = image_in(&text).map(str::to_owned);
            let since = image.as_deref().is_some_and(|image| started.since(image, &sources, event.seen_at()));
            if gone || since {
                return None;
            }
            (image, sources)
        }
    };
    // The sandbox is pulled from the registry of AWS, whatever the pod runs.
    let sandbox = event.reason.as_deref() == Some("FailedCreatePodSandBox");
    let image = if sandbox { pods.stand_in() } else { image.and_then(|image| pods.image(&image)) };
    Some(Words {
        source: "kubernetes:ListEvents",
        pod: id,
        node: event.node().map(str::to_owned),
        text,
        at: event.seen_at().map(str::to_owned),
        pulls: image.map(|image| places.pairs(&image, &sources)).unwrap_or_default(),
    })
}

/// `web` of `spec.containers{web}`.
fn container_in(field_path: &str) -> Option<&str> {
    field_path.split_once('{')?.1.strip_suffix('}')
}

/// Whether the container got its image; without a container, whether any of the pod did.
fn has_worked(pod: &Pod, container: Option<&str>) -> bool {
    match container {
        Some(container) => pod.status_of(container).is_some_and(|status| status.has_image()),
        None => pod.statuses().any(|status| status.has_image()),
    }
}

/// The one image of a pod.
fn only_image(pod: &Pod) -> Option<&str> {
    let images: BTreeSet<&str> =
        pod.containers().filter_map(|container| container.image.as_deref()).collect();
    images.first().copied().filter(|_| images.len() == 1)
}
