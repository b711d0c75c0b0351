//! Kubernetes in the shape of `kubectl get … -o json`, of which only what a pull depends on is kept.
//!
//! What these types do not name is dropped when it is read: environment values, annotations, commands, volumes and
//! the content of Secrets can reach no output, because they are never in memory as part of the world.

mod files;
mod pull_secret;
mod scheduling;

pub use files::{KINDS, Kind, files, is_kubernetes, kind_of, read_file, read_list};
#[cfg(test)]
pub(crate) use pull_secret::tests as pull_secret_tests;
pub use pull_secret::{PullSecret, PullSecretRegistry};
pub use scheduling::{Affinity, LabelSet, NodeSelectorRequirement, NodeSelectorTerm, Taint, Toleration};

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize};

use super::image_ref::ImageRef;
use super::redact::redact;
use super::snapshot::{Record as _, Table};

/// What the Kubernetes API says of one cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kubernetes {
    /// By `NAMESPACE/NAME`.
    pub pods: BTreeMap<String, Pod>,
    /// By name.
    pub nodes: BTreeMap<String, Node>,
    /// By `NAMESPACE/NAME`.
    pub events: BTreeMap<String, Event>,
    /// By `NAMESPACE/NAME`.
    pub service_accounts: BTreeMap<String, ServiceAccount>,
    /// Of Karpenter, by name.
    pub ec2_node_classes: BTreeMap<String, NodeClass>,
    /// Of EKS Auto Mode, by name.
    pub node_classes: BTreeMap<String, NodeClass>,
    /// By `NAMESPACE/NAME`; only those that pods name, and only where that was asked for.
    pub pull_secrets: BTreeMap<String, PullSecret>,
}

/// How the read of one pull secret is named.
pub const GET_SECRET: &str = "kubernetes:GetSecret";

/// The keys of a snapshot with rows of ours: Kubernetes itself would print the secrets, too.
pub const TABLES: &[Table] = &[PullSecret::TABLE];

/// What every object has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// Unique in its namespace.
    #[serde(default)]
    pub name: String,
    /// None for what belongs to the whole cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Another one under the same name means that it was replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// By which others select it.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Who made it.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub owner_references: Vec<OwnerReference>,
}

impl Metadata {
    /// `NAMESPACE/NAME`, or the name of what belongs to the whole cluster.
    pub fn id(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}/{}", self.name),
            None => self.name.clone(),
        }
    }
}

/// Who made an object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OwnerReference {
    /// `ReplicaSet`, `DaemonSet`, …
    #[serde(default)]
    pub kind: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
}

/// A pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pod {
    /// Its name and labels.
    pub metadata: Metadata,
    /// What it shall be.
    #[serde(default)]
    pub spec: PodSpec,
    /// How it is.
    #[serde(default)]
    pub status: PodStatus,
}

/// What a pod shall be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodSpec {
    /// The node that it was put on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_name: Option<String>,
    /// Labels that its node must have.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// What else its node must be like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,
    /// Taints that do not keep it off.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// Whose pull secrets it has, beside its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// Only the names.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub image_pull_secrets: Vec<SecretName>,
    /// They run before the others.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub init_containers: Vec<Container>,
    /// What it runs.
    #[serde(default, deserialize_with = "or_default")]
    pub containers: Vec<Container>,
    /// Added by `kubectl debug`.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub ephemeral_containers: Vec<Container>,
}

/// The name of a Secret; its content is not part of the world.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SecretName {
    /// In the namespace of the pod.
    #[serde(default)]
    pub name: String,
}

/// A container: nothing but its name and its image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Container {
    /// Unique in its pod.
    #[serde(default)]
    pub name: String,
    /// As the pod writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

/// How a pod is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodStatus {
    /// `Pending`, `Running`, `Succeeded`, `Failed`, `Unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Of [`PodSpec::init_containers`].
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub init_container_statuses: Vec<ContainerStatus>,
    /// Of [`PodSpec::containers`].
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub container_statuses: Vec<ContainerStatus>,
    /// Of [`PodSpec::ephemeral_containers`].
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub ephemeral_container_statuses: Vec<ContainerStatus>,
}

/// How a container is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ContainerStatus {
    /// Of the container.
    #[serde(default)]
    pub name: String,
    /// What it does now.
    #[serde(default, deserialize_with = "or_default")]
    pub state: ContainerState,
}

/// What a container does now: one of these.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ContainerState {
    /// It runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<Running>,
    /// It waits for something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// It ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminated: Option<Terminated>,
}

/// Since when a container runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Running {
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
}

/// What a container waits for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// `ImagePullBackOff`, `ContainerCreating`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The words of the kubelet, without secrets and of bounded length.
    #[serde(default, deserialize_with = "message", skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// That a container ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Terminated {
    /// `Completed`, `Error`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Its name and labels.
    pub metadata: Metadata,
    /// Which machine it is.
    #[serde(default)]
    pub spec: NodeSpec,
    /// How it is.
    #[serde(default)]
    pub status: NodeStatus,
}

/// Which machine a node is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeSpec {
    /// `aws:///eu-west-1a/i-…`.
    #[serde(default, rename = "providerID", skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// What keeps pods off.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub taints: Vec<Taint>,
}

/// How a node is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeStatus {
    /// Its addresses and names.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<NodeAddress>,
    /// What it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_info: Option<NodeInfo>,
    /// How its kubelet finds it.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<NodeCondition>,
}

/// One thing that a kubelet says of its node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeCondition {
    /// `Ready`, `DiskPressure`, …
    #[serde(default, rename = "type")]
    pub kind: String,
    /// `True`, `False`, `Unknown`.
    #[serde(default)]
    pub status: String,
}

/// An address or a name of a node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeAddress {
    /// `InternalIP`, `InternalDNS`, …
    #[serde(default, rename = "type")]
    pub kind: String,
    /// The address.
    #[serde(default)]
    pub address: String,
}

/// What a node runs on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeInfo {
    /// `amd64`, `arm64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// `linux`, `windows`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operating_system: Option<String>,
    /// `containerd://2.0.4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_runtime_version: Option<String>,
    /// `v1.33.1-eks-…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubelet_version: Option<String>,
}

/// An event that warns of a pull.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Its name; the labels of events say nothing.
    pub metadata: Metadata,
    /// What it is about.
    #[serde(default, alias = "regarding")]
    pub involved_object: InvolvedObject,
    /// `Failed`, `BackOff`, `FailedCreatePodSandBox`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The words of the kubelet, without secrets and of bounded length.
    #[serde(default, alias = "note", deserialize_with = "message", skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// `Warning` or `Normal`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Whose words.
    #[serde(default, alias = "deprecatedSource", deserialize_with = "or_default")]
    pub source: EventSource,
    /// The same for newer events: the name of the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reporting_instance: Option<String>,
    /// RFC 3339.
    #[serde(default, alias = "deprecatedLastTimestamp", skip_serializing_if = "Option::is_none")]
    pub last_timestamp: Option<String>,
    /// RFC 3339, for events without [`Event::last_timestamp`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_time: Option<String>,
}

impl Event {
    /// When it was seen last, RFC 3339.
    pub fn seen_at(&self) -> Option<&str> {
        self.last_timestamp.as_deref().or(self.event_time.as_deref())
    }

    /// The node whose kubelet says it.
    pub fn node(&self) -> Option<&str> {
        let host = self.source.host.as_deref().or(self.reporting_instance.as_deref());
        host.filter(|host| !host.is_empty())
    }

    /// Whether it may be about a pull. `FailedScheduling` and its like are not ours to keep, but for one: Fargate
    /// says with it that it may not use the role of a profile.
    pub fn is_about_pulls(&self) -> bool {
        const REASONS: [&str; 6] = [
            "Failed",
            "BackOff",
            "ErrImageNeverPull",
            "FailedCreatePodSandBox",
            "FailedToRetrieveImagePullSecret",
            "InspectFailed",
        ];
        let said = |word| self.message.as_deref().is_some_and(|message| message.contains(word));
        self.involved_object.kind == "Pod"
            && (self.reason.as_deref().is_some_and(|reason| REASONS.contains(&reason))
                || said("Fargate Profile"))
    }
}

/// What an event is about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InvolvedObject {
    /// `Pod`.
    #[serde(default)]
    pub kind: String,
    /// Of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Of the pod.
    #[serde(default)]
    pub name: String,
    /// Of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// `spec.containers{NAME}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field_path: Option<String>,
}

/// Who says an event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EventSource {
    /// `kubelet`, `fargate-scheduler`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// The name of the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// A service account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAccount {
    /// Its name, and the one annotation that is about pulls.
    pub metadata: ServiceAccountMetadata,
    /// Only the names.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub image_pull_secrets: Vec<SecretName>,
}

/// What a service account has beside its secrets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServiceAccountMetadata {
    /// As of every object.
    #[serde(flatten)]
    pub common: Metadata,
    /// Those that say something about pulls.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "PullAnnotations::is_empty")]
    pub annotations: PullAnnotations,
}

/// The annotations of a service account by which a kubelet pulls: all others are dropped when it is read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullAnnotations {
    /// The role that a kubelet pulls with, where it hands the tokens of service accounts to its credential provider.
    #[serde(default, rename = "eks.amazonaws.com/ecr-role-arn", skip_serializing_if = "Option::is_none")]
    pub ecr_role_arn: Option<String>,
}

impl PullAnnotations {
    fn is_empty(&self) -> bool {
        self.ecr_role_arn.is_none()
    }
}

/// How Karpenter or EKS Auto Mode starts nodes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeClass {
    /// Its name.
    pub metadata: Metadata,
    /// What its nodes shall be.
    #[serde(default)]
    pub spec: NodeClassSpec,
    /// What was found for them.
    #[serde(default, deserialize_with = "or_default")]
    pub status: NodeClassStatus,
}

/// What the nodes of a class shall be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeClassSpec {
    /// The NAME of their role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Instead of the role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_profile: Option<String>,
}

/// What was found for the nodes of a class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeClassStatus {
    /// Where they are started.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub subnets: Vec<WithId>,
    /// What they are started with.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub security_groups: Vec<WithId>,
}

/// A resource of EC2 by its id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WithId {
    /// `subnet-…`, `sg-…`.
    #[serde(default)]
    pub id: String,
}

impl Pod {
    /// All of its containers: those that run first, first.
    pub fn containers(&self) -> impl Iterator<Item = &Container> {
        let spec = &self.spec;
        spec.init_containers.iter().chain(&spec.containers).chain(&spec.ephemeral_containers)
    }

    /// How all of its containers are.
    pub fn statuses(&self) -> impl Iterator<Item = &ContainerStatus> {
        let status = &self.status;
        let containers = status.init_container_statuses.iter().chain(&status.container_statuses);
        containers.chain(&status.ephemeral_container_statuses)
    }

    /// How a container is.
    pub fn status_of(&self, container: &str) -> Option<&ContainerStatus> {
        self.statuses().find(|status| status.name == container)
    }

    /// The image of a container.
    pub fn image_of(&self, container: &str) -> Option<&str> {
        self.containers().find(|known| known.name == container)?.image.as_deref()
    }

    /// Whether it has ended: it pulls nothing any more.
    pub fn has_ended(&self) -> bool {
        matches!(self.status.phase.as_deref(), Some("Succeeded" | "Failed"))
    }

    /// The Fargate profile that EKS put it on.
    pub fn fargate_profile(&self) -> Option<&str> {
        self.metadata.labels.get("eks.amazonaws.com/fargate-profile").map(String::as_str)
    }
}

impl ContainerStatus {
    /// Whether its image was pulled: it runs, has run, or waits for something that comes later.
    pub fn has_image(&self) -> bool {
        const BEFORE: [&str; 2] = ["ContainerCreating", "PodInitializing"];
        match &self.state {
            ContainerState { running: Some(_), .. } | ContainerState { terminated: Some(_), .. } => true,
            ContainerState { waiting: Some(waiting), .. } => waiting
                .reason
                .as_deref()
                .is_some_and(|reason| !BEFORE.contains(&reason) && !is_about_images(reason)),
            _ => false,
        }
    }

    /// Why it waits for its image: the reason, and the message or the reason again.
    pub fn waits_for_image(&self) -> Option<(&str, &str)> {
        let waiting = self.state.waiting.as_ref()?;
        let reason = waiting.reason.as_deref().filter(|reason| is_about_images(reason))?;
        Some((reason, waiting.message.as_deref().unwrap_or(reason)))
    }
}

/// Whether the reason of a container that waits is about its image.
fn is_about_images(reason: &str) -> bool {
    ["Image", "Registry", "Signature"].iter().any(|word| reason.contains(word))
}

impl Node {
    /// The id of the EC2 instance.
    pub fn instance_id(&self) -> Option<&str> {
        let id = self.spec.provider_id.as_deref()?.rsplit('/').next()?;
        id.starts_with("i-").then_some(id)
    }

    /// `ec2`, `auto`, `fargate`, `hybrid`, where a label says so.
    pub fn compute_type(&self) -> Option<&str> {
        self.metadata.labels.get("eks.amazonaws.com/compute-type").map(String::as_str)
    }

    /// Whether its kubelet says this of it; none where it says nothing, or was not heard for long.
    pub fn is(&self, condition: &str) -> Option<bool> {
        let said = self.status.conditions.iter().find(|said| said.kind == condition)?;
        match said.status.as_str() {
            "True" => Some(true),
            "False" => Some(false),
            _ => None,
        }
    }

    /// Whether it is on premises.
    pub fn is_hybrid(&self) -> bool {
        self.compute_type() == Some("hybrid")
            || self.spec.provider_id.as_deref().is_some_and(|id| id.starts_with("eks-hybrid:"))
    }
}

impl Kubernetes {
    /// Takes over what was read of other kinds.
    pub fn absorb(&mut self, other: Kubernetes) {
        let Kubernetes {
            pods,
            nodes,
            events,
            service_accounts,
            ec2_node_classes,
            node_classes,
            pull_secrets,
        } = other;
        self.pods.extend(pods);
        self.nodes.extend(nodes);
        self.events.extend(events);
        self.service_accounts.extend(service_accounts);
        self.ec2_node_classes.extend(ec2_node_classes);
        self.node_classes.extend(node_classes);
        self.pull_secrets.extend(pull_secrets);
    }

    /// The service account of a pod, where it was read.
    pub fn service_account_of(&self, pod: &Pod) -> Option<&ServiceAccount> {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
        let account = pod.spec.service_account_name.as_deref().unwrap_or("default");
        self.service_accounts.get(&format!("{namespace}/{account}"))
    }

    /// The pull secrets that a pod uses, as `NAMESPACE/NAME`: its own, or else those of its service account, which
    /// Kubernetes gives to pods that name none.
    pub fn pull_secrets_of<'a>(&'a self, pod: &'a Pod) -> impl Iterator<Item = String> + 'a {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
        let of_account = || self.service_account_of(pod);
        let own = &pod.spec.image_pull_secrets;
        let names = match own.is_empty() {
            true => of_account().map(|account| account.image_pull_secrets.as_slice()).unwrap_or_default(),
            false => own.as_slice(),
        };
        names
            .iter()
            .filter(|secret| !secret.name.is_empty())
            .map(move |secret| format!("{namespace}/{}", secret.name))
    }

    /// The pull secrets of all pods that pull from ECR.
    pub fn pull_secrets_named(&self) -> BTreeSet<String> {
        let of_ecr = |pod: &&Pod| {
            let mut images = pod.containers().filter_map(|container| container.image.as_deref());
            images.any(|image| ImageRef::parse(image).is_some_and(|image| image.account.is_some()))
        };
        let pods = self.pods.values().filter(|pod| !pod.has_ended()).filter(of_ecr);
        pods.flat_map(|pod| self.pull_secrets_of(pod)).collect()
    }

    /// Every image that a pod of the cluster pulls, or that a kubelet could not pull for a pod that is gone.
    pub fn images(&self) -> BTreeSet<&str> {
        let pods = self.pods.values().filter(|pod| !pod.has_ended());
        let named = pods.flat_map(Pod::containers).filter_map(|container| container.image.as_deref());
        let missed = self.events.values().filter_map(|event| image_in(event.message.as_deref()?));
        named.chain(missed).collect()
    }
}

/// The image that the kubelet names in its own words, between the first quotes.
pub fn image_in(message: &str) -> Option<&str> {
    const BEFORE: [&str; 2] = ["Failed to pull image \"", "Back-off pulling image \""];
    let (_, rest) = BEFORE.iter().find_map(|before| message.split_once(before))?;
    rest.split('"').next()
}

/// A value, or the default for `null`.
pub(super) fn or_default<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// The longest message that is kept, in bytes.
const LONGEST_MESSAGE: usize = 4096;

/// The words of a kubelet may hold the presigned address of a layer: secrets go before anything keeps them.
fn message<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(from)?
        .map(|text| bounded(&redact(bounded(&text, 16 * LONGEST_MESSAGE)), LONGEST_MESSAGE).to_owned()))
}

fn bounded(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}
