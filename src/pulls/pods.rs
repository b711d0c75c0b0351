//! Which images the pods of a cluster pull, and from which sources: only the pairs that can happen.

use std::collections::{BTreeMap, BTreeSet};

use super::nodes::{Nodes, SourceKey};
use super::{Image, Source, SourceKind, private_image};
use crate::iam::Glob;
use crate::model::eks::{FargateProfile, Nodegroup};
use crate::model::kubernetes::{ContainerStatus, Event, Kubernetes, LabelSet, Node, Pod, PodSpec, image_in};
use crate::model::{EcrHost, Partition, Snapshot, aws_accounts};

/// What the pods pull.
#[derive(Clone, Debug, Default)]
pub(super) struct Demand {
    /// Each image, and the sources that pull it.
    pub images: BTreeMap<Image, BTreeSet<SourceKey>>,
    /// How many images come from elsewhere than private registries of ECR.
    pub elsewhere: usize,
    /// Nodes that run pods, and of which it is not known what they are.
    pub strangers: BTreeSet<String>,
    /// The images from elsewhere that containers do not have yet, with their pods and sources.
    pub wanted_elsewhere: Wanted,
}

/// Images that containers do not have yet, with their pods and sources.
pub(super) type Wanted = BTreeMap<String, (BTreeSet<String>, BTreeSet<SourceKey>)>;

/// Reads pods against the sources of a cluster.
pub(super) struct Pods<'a> {
    kubernetes: &'a Kubernetes,
    nodes: &'a Nodes,
    sources: &'a [Source],
    profiles: Vec<&'a FargateProfile>,
    groups: BTreeMap<&'a str, &'a Nodegroup>,
    stand_in: Option<Image>,
    nodes_of: BTreeMap<SourceKey, Vec<&'a Node>>,
    /// The sources of pods that wait for a node, by what they ask of it: thousands may ask for the same.
    waiting: BTreeMap<String, BTreeSet<SourceKey>>,
}

impl<'a> Pods<'a> {
    pub(super) fn new(
        world: &'a Snapshot,
        cluster: &str,
        nodes: &'a Nodes,
        sources: &'a [Source],
        stand_in: Option<&Image>,
    ) -> Pods<'a> {
        let mut nodes_of: BTreeMap<SourceKey, Vec<&Node>> = BTreeMap::new();
        for node in world.kubernetes.nodes.values() {
            if let Some(key) = nodes.by_name.get(&node.metadata.name) {
                nodes_of.entry(key.clone()).or_default().push(node);
            }
        }
        let profiles =
            world.fargate_profiles.values().filter(|profile| profile.cluster_name == cluster).collect();
        let groups = world.nodegroups.values().filter(|group| group.cluster_name == cluster);
        Pods {
            kubernetes: &world.kubernetes,
            nodes,
            sources,
            profiles,
            groups: groups.map(|group| (group.nodegroup_name.as_str(), group)).collect(),
            stand_in: stand_in.cloned(),
            nodes_of,
            waiting: BTreeMap::new(),
        }
    }

    /// Everything that the chosen pods pull, by their namespaces and names.
    pub(super) fn demand(&mut self, chosen: &dyn Fn(Option<&str>, &str) -> bool) -> Demand {
        let mut demand = Demand::default();
        let mut elsewhere: BTreeSet<&str> = BTreeSet::new();
        let mut images: BTreeMap<&str, Option<Image>> = BTreeMap::new();
        let is_chosen = |pod: &&Pod| chosen(pod.metadata.namespace.as_deref(), &pod.metadata.name);
        for pod in self.kubernetes.pods.values().filter(|pod| !pod.has_ended()).filter(is_chosen) {
            let sources = self.sources_of(pod);
            demand.strangers.extend(self.strange_node(pod).map(str::to_owned));
            for container in pod.containers() {
                let Some(name) = container.image.as_deref() else { continue };
                match images.entry(name).or_insert_with(|| self.image(name)) {
                    Some(image) if demand.images.contains_key(image) => {
                        demand.images.entry(image.clone()).or_default().extend(sources.iter().cloned());
                    }
                    Some(image) => drop(demand.images.insert(image.clone(), sources.clone())),
                    None => {
                        elsewhere.insert(name);
                        if !pod.status_of(&container.name).is_some_and(ContainerStatus::has_image) {
                            let (pods, of) = demand.wanted_elsewhere.entry(name.to_owned()).or_default();
                            pods.insert(pod.metadata.id());
                            of.extend(sources.iter().cloned());
                        }
                    }
                }
            }
        }
        let is_chosen =
            |event: &&Event| chosen(event.involved_object.namespace.as_deref(), &event.involved_object.name);
        for event in self.kubernetes.events.values().filter(is_chosen) {
            let (Some(name), Some(sources)) =
                (image_of_gone(self.kubernetes, event), self.sources_of_event(event))
            else {
                continue;
            };
            if let Some(image) = self.image(name) {
                demand.images.entry(image).or_default().extend(sources);
            }
        }
        demand.images.retain(|_, sources| !sources.is_empty());
        demand.elsewhere = elsewhere.len();
        demand
    }

    /// The image as the matrix names it; none if it is not in a private registry of ECR.
    pub(super) fn image(&self, name: &str) -> Option<Image> {
        let image = self.image_as_named(name)?;
        if let Some(stand_in) =
            self.stand_in.as_ref().filter(|of| of.account == image.account && of.region == image.region)
        {
            return Some(stand_in.clone());
        }
        // Nobody may look into the registries of AWS, and there is nothing to mend in them.
        let is_of_aws = aws_accounts::is_add_on_registry(&image.account);
        Some(Image { reference: image.reference.filter(|_| !is_of_aws), ..image })
    }

    /// The image by its own name, also where the matrix has a stand-in for it.
    pub(super) fn image_as_named(&self, name: &str) -> Option<Image> {
        private_image(name).ok().filter(is_whole)
    }

    /// What stands for the images that AWS serves for every node.
    pub(super) fn stand_in(&self) -> Option<Image> {
        self.stand_in.clone()
    }

    /// The sources that pull for a pod.
    pub(super) fn sources_of(&mut self, pod: &Pod) -> BTreeSet<SourceKey> {
        let profile = pod.fargate_profile().map(|name| (SourceKind::FargateProfile, name.to_owned()));
        if let Some(key) = profile.filter(|key| self.is_source(key)) {
            return BTreeSet::from([key]);
        }
        match &pod.spec.node_name {
            Some(node) => match self.nodes.by_name.get(node).filter(|key| self.is_source(key)) {
                Some(key) => BTreeSet::from([key.clone()]),
                // It runs somewhere: what is true of every node is true of that one.
                None => self.of_nodes().collect(),
            },
            None => self.sources_for(pod),
        }
    }

    /// The sources of the kubelet that says an event; none if its node is gone or not known.
    pub(super) fn sources_of_event(&self, event: &Event) -> Option<BTreeSet<SourceKey>> {
        let key = self.nodes.by_name.get(event.node()?).filter(|key| self.is_source(key))?;
        Some(BTreeSet::from([key.clone()]))
    }

    /// The sources that a pod without a node may get one from.
    fn sources_for(&mut self, pod: &Pod) -> BTreeSet<SourceKey> {
        let takes = |profile: &&FargateProfile| takes(profile, pod);
        if let Some(profile) = self.profiles.iter().find(|profile| takes(profile)) {
            return BTreeSet::from([(SourceKind::FargateProfile, profile.fargate_profile_name.clone())]);
        }
        let PodSpec { node_selector, affinity, tolerations, .. } = &pod.spec;
        let asks = serde_json::to_string(&(node_selector, affinity, tolerations)).unwrap_or_default();
        if let Some(known) = self.waiting.get(&asks) {
            return known.clone();
        }
        let mut may: BTreeSet<SourceKey> =
            self.of_nodes().filter(|key| self.may_take(key, &pod.spec, true)).collect();
        if may.is_empty() {
            // What taints a node may go, such as an agent that starts; a pod that nobody judges would look well.
            may = self.of_nodes().filter(|key| self.may_take(key, &pod.spec, false)).collect();
        }
        self.waiting.entry(asks).or_insert(may).clone()
    }

    /// Whether a node of a source, or one that it would start, may take a pod: now, or without the taints that its nodes have
    /// beside those of their group.
    fn may_take(&self, key: &SourceKey, pod: &PodSpec, now: bool) -> bool {
        let group = (key.0 == SourceKind::Nodegroup).then(|| self.groups.get(key.1.as_str())).flatten();
        if group.is_some_and(|group| !pod.tolerates(&group.taints)) {
            return false;
        }
        match self.nodes_of.get(key) {
            Some(nodes) => nodes.iter().any(|node| {
                let name = Some(node.metadata.name.as_str());
                pod.may_run_on(LabelSet { labels: &node.metadata.labels, name, complete: true })
                    && (!now || pod.tolerates(&node.spec.taints))
            }),
            None => {
                let mut labels = group.map(|group| group.labels.clone()).unwrap_or_default();
                labels.extend(labels_of_new_nodes(key));
                pod.may_run_on(LabelSet { labels: &labels, name: None, complete: false })
            }
        }
    }

    fn of_nodes(&self) -> impl Iterator<Item = SourceKey> + '_ {
        let sources = self.sources.iter().filter(|source| source.kind != SourceKind::FargateProfile);
        sources.map(|source| (source.kind, source.id.clone()))
    }

    fn is_source(&self, (kind, id): &SourceKey) -> bool {
        self.sources.iter().any(|source| source.kind == *kind && source.id == *id)
    }

    /// The node of a pod, where nothing is known of it.
    fn strange_node<'p>(&self, pod: &'p Pod) -> Option<&'p str> {
        let node = pod.spec.node_name.as_deref().filter(|_| pod.fargate_profile().is_none())?;
        let known = self.nodes.by_name.get(node).is_some_and(|key| self.is_source(key));
        (!known).then_some(node)
    }
}

/// The labels that every node of a source gets from whoever starts it.
fn labels_of_new_nodes((kind, name): &SourceKey) -> BTreeMap<String, String> {
    let (label, compute) = match kind {
        SourceKind::Nodegroup => ("eks.amazonaws.com/nodegroup", "ec2"),
        SourceKind::AutoMode => ("karpenter.sh/nodepool", "auto"),
        SourceKind::Karpenter => ("karpenter.sh/nodepool", "ec2"),
        SourceKind::Hybrid => ("", "hybrid"),
        SourceKind::SelfManaged | SourceKind::FargateProfile => ("", "ec2"),
    };
    let pairs = [(label, name.as_str()), ("eks.amazonaws.com/compute-type", compute)];
    pairs.map(|(label, value)| (label.to_owned(), value.to_owned())).into()
}

/// Whether the host is one of ECR to its end, and the repository one that can be. Messages may cut a host short; what a pod names so does not exist.
fn is_whole(image: &Image) -> bool {
    if image.repository().name.contains(|c: char| c.is_ascii_uppercase()) {
        return false;
    }
    let host = image.name.split('/').next().unwrap_or_default().to_ascii_lowercase();
    let host = host.split(':').next().unwrap_or_default();
    let suffix = Partition::of_region(&image.region).dns_suffix;
    EcrHost::parse(host).is_some_and(|known| {
        known.defect.is_none() && (known.dual_stack || host.ends_with(&format!(".{suffix}")))
    })
}

/// The image that an event is about, where its pod is gone and so names none.
fn image_of_gone<'e>(kubernetes: &Kubernetes, event: &'e Event) -> Option<&'e str> {
    let object = &event.involved_object;
    let id = format!("{}/{}", object.namespace.as_deref().unwrap_or_default(), object.name);
    if kubernetes.pods.contains_key(&id) {
        return None;
    }
    image_in(event.message.as_deref()?)
}

/// Whether a Fargate profile takes a pod: one of its selectors matches.
///
/// Source: EKS user guide, "Define which Pods use AWS Fargate when launched".
fn takes(profile: &FargateProfile, pod: &Pod) -> bool {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
    profile.selectors.iter().any(|selector| {
        selector.namespace.as_deref().is_some_and(|pattern| fits(pattern, namespace))
            && selector
                .labels
                .iter()
                .all(|(key, pattern)| pod.metadata.labels.get(key).is_some_and(|value| fits(pattern, value)))
    })
}

fn fits(pattern: &str, text: &str) -> bool {
    Glob::new(pattern).matches(text)
}
