//! Who pulls which image: the sources, the images, and every pair of them that can happen.

mod narrowing;
mod nodes;
mod own_roles;
mod pods;
mod words;

pub use narrowing::{Narrowed, Narrowing};
pub use own_roles::OwnRole;
pub use words::Words;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Code, Error};
use crate::model::ec2::Instance;
use crate::model::ecr::{Key, RepositoryName};
use crate::model::eks::Cluster;
use crate::model::image_ref::ImageRef;
use crate::model::kubernetes::Node;
use crate::model::organizations::PolicyKind;
use crate::model::{Arn, Partition, Seen, Snapshot, Unread, aws_accounts};

/// The cluster that a diagnosis is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// The account of the cluster.
    pub account: String,
    /// The region of the cluster.
    pub region: String,
    /// The partition of the region.
    pub partition: String,
    /// Its name.
    pub cluster: String,
}

/// What pulls: all nodes of a group, or all pods of a Fargate profile.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    /// Which sort of puller.
    pub kind: SourceKind,
    /// Its name.
    pub id: String,
    /// The role that it pulls with, where it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

/// The sorts of pullers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// A managed node group.
    Nodegroup,
    /// A Fargate profile.
    FargateProfile,
    /// The node pools of EKS Auto Mode.
    AutoMode,
    /// Nodes that nobody but an auto scaling group manages, or nobody at all.
    SelfManaged,
    /// A node pool of Karpenter.
    Karpenter,
    /// The nodes on premises.
    Hybrid,
}

impl SourceKind {
    /// The name in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            SourceKind::Nodegroup => "nodegroup",
            SourceKind::FargateProfile => "fargate-profile",
            SourceKind::AutoMode => "auto-mode",
            SourceKind::SelfManaged => "self-managed",
            SourceKind::Karpenter => "karpenter",
            SourceKind::Hybrid => "hybrid",
        }
    }
}

/// An image that is pulled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Image {
    /// As the user, the pod or the table of add-on registries writes it.
    pub name: String,
    /// The account of the registry.
    pub account: String,
    /// The region of the registry.
    pub region: String,
    /// The ARN that permissions to pull it are about.
    pub repository_arn: String,
    /// The digest, or the tag; none for the stand-in of the add-ons, which names no image.
    pub reference: Option<String>,
}

impl Image {
    /// The repository, by account, region and name.
    pub fn repository(&self) -> RepositoryName<'_> {
        let name = self.repository_arn.split_once(":repository/").map_or("", |(_, name)| name);
        RepositoryName { account: &self.account, region: &self.region, name }
    }
}

/// One way that an image takes to a puller.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pull<'a> {
    /// Who pulls.
    pub source: &'a Source,
    /// What is pulled.
    pub image: &'a Image,
}

/// A snapshot with the pulls in it.
#[derive(Clone, Debug)]
pub struct World<'a> {
    /// All that was read.
    pub snapshot: &'a Snapshot,
    /// The cluster.
    pub target: Target,
    /// Who pulls.
    pub sources: Vec<Source>,
    /// What is pulled.
    pub images: Vec<Image>,
    /// What kubelets say of pulls that have not worked since.
    pub words: Vec<Words>,
    /// The roles that service accounts name for pulls, in place of those of the nodes.
    pub own_roles: Vec<OwnRole>,
    /// How many images of pods come from elsewhere than private registries of ECR: they are not judged.
    pub images_elsewhere: usize,
    /// Those of them that somebody waits for.
    pub elsewhere: Vec<Elsewhere>,
    /// Which sources pull which images, by where they stand in the lists above; all pull all where it is not known.
    pairs: Option<BTreeSet<(usize, usize)>>,
    /// The instances of each source.
    instances: BTreeMap<nodes::SourceKey, BTreeSet<String>>,
    /// The source of each node, by its name.
    by_node: BTreeMap<String, nodes::SourceKey>,
    /// Nodes that run pods, and of which it is not known what they are.
    strangers: BTreeSet<String>,
    /// That not all pulls are judged, where that was asked for.
    pub narrowed: Option<Narrowed>,
    /// Everything that pulls in the cluster, also what is not judged: no change may forget it.
    pub every_source: Vec<Source>,
}

/// An image from elsewhere than a private registry of ECR, which containers do not have yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// As the pods name it.
    pub image: String,
    /// The pods, as `NAMESPACE/NAME`.
    pub pods: BTreeSet<String>,
    /// Who would pull it.
    pub sources: BTreeSet<Source>,
}

/// What to diagnose in a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scope {
    /// The name of the cluster, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Images to judge: only those where pods pull any of them, else beside what pods and add-ons pull.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    /// Which pulls to judge; nothing: all of them.
    #[serde(default, skip_serializing_if = "Narrowing::is_empty")]
    pub only: Narrowing,
    /// The roles to assume for registries of other accounts, by account.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub account_roles: BTreeMap<String, String>,
}

impl<'a> World<'a> {
    /// Finds the cluster, the sources and the images.
    ///
    /// # Errors
    /// There is no such cluster, several to choose from, or an image that is none.
    pub fn of(snapshot: &'a Snapshot, scope: &Scope) -> Result<World<'a>, Error> {
        let cluster = the_cluster(snapshot, scope.cluster.as_deref())?;
        let arn: Arn = cluster.arn.parse().map_err(|error: String| {
            Error::new(
                Code::BadInput,
                format!("the ARN of cluster {} is not one", cluster.name),
                "look at `cluster.arn`",
            )
            .because(error)
        })?;
        let target = Target {
            account: arn.account,
            region: arn.region,
            partition: arn.partition,
            cluster: cluster.name.clone(),
        };
        let stand_in = stand_in(&target);
        let asked = asked(&scope.images)?;
        let nodes = nodes::Nodes::of(snapshot, cluster);
        let sources = sources(snapshot, cluster, &nodes);
        let for_all = asked.iter().cloned().chain(stand_in.clone());
        let mut world = World {
            snapshot,
            target,
            images: for_all.collect::<BTreeSet<_>>().into_iter().collect(),
            every_source: sources.clone(),
            sources,
            narrowed: None,
            words: Vec::new(),
            own_roles: Vec::new(),
            images_elsewhere: 0,
            elsewhere: Vec::new(),
            pairs: None,
            instances: BTreeMap::new(),
            by_node: BTreeMap::new(),
            strangers: BTreeSet::new(),
        };
        let mut of_pods = BTreeMap::new();
        if snapshot.keys.contains("Pods") {
            of_pods = world.add_pods(&nodes, stand_in.as_ref(), &asked);
        }
        if !(scope.only.is_empty() && of_pods.is_empty()) {
            narrowing::narrow(&mut world, scope, &asked, &of_pods, &nodes)?;
        }
        world.instances = nodes.instances;
        world.by_node = nodes.by_name;
        Ok(world)
    }

    /// Every pull, by where its source and its image stand in the lists.
    fn all_pairs(&self) -> BTreeSet<(usize, usize)> {
        let all =
            || (0..self.sources.len()).flat_map(|source| (0..self.images.len()).map(move |at| (source, at)));
        self.pairs.clone().unwrap_or_else(|| all().collect())
    }

    /// Forgets all pulls but these, and the sources and images that have none of them.
    fn keep(&mut self, kept: &BTreeSet<(usize, usize)>) {
        let places = |of: BTreeSet<usize>| of.into_iter().zip(0..).collect::<BTreeMap<usize, usize>>();
        let sources = places(kept.iter().map(|(source, _)| *source).collect());
        let images = places(kept.iter().map(|(_, image)| *image).collect());
        let moved = |(source, image): &(usize, usize)| Some((*sources.get(source)?, *images.get(image)?));
        for words in &mut self.words {
            words.pulls = words.pulls.intersection(kept).filter_map(moved).collect();
        }
        for own in &mut self.own_roles {
            own.pulls = own.pulls.intersection(kept).filter_map(moved).collect();
        }
        self.pairs = Some(kept.iter().filter_map(moved).collect());
        self.sources = sources.keys().filter_map(|at| self.sources.get(*at).cloned()).collect();
        self.images = images.keys().filter_map(|at| self.images.get(*at).cloned()).collect();
    }

    /// The same pulls in a world that was changed.
    #[must_use]
    pub fn on<'b>(&self, snapshot: &'b Snapshot) -> World<'b>
    where
        'a: 'b,
    {
        World { snapshot, ..self.clone() }
    }

    /// The images of pods, for the sources that pull them; what was asked for and no pod pulls is pulled by all.
    /// Returns what was asked for and pods pull, and as what the matrix has it.
    fn add_pods(
        &mut self,
        nodes: &nodes::Nodes,
        stand_in: Option<&Image>,
        asked: &BTreeSet<Image>,
    ) -> BTreeMap<Image, Image> {
        let sources = self.sources.clone();
        let mut pods = pods::Pods::new(self.snapshot, &self.target.cluster, nodes, &sources, stand_in);
        let named = narrowing::asked_of_pods(asked, &pods, &self.snapshot.kubernetes.pods);
        let demand = pods.demand(&|_, _| true);
        let for_all: BTreeSet<Image> =
            self.images.drain(..).filter(|image| !named.contains_key(image)).collect();
        let images: BTreeSet<Image> = for_all.iter().chain(demand.images.keys()).cloned().collect();
        self.images = images.into_iter().collect();
        let places = words::Places::of(&self.sources, &self.images);
        let of_pods = demand.images.iter().flat_map(|(image, sources)| places.pairs(image, sources));
        let all_sources: BTreeSet<_> =
            self.sources.iter().map(|source| (source.kind, source.id.clone())).collect();
        let pairs = for_all.iter().flat_map(|image| places.pairs(image, &all_sources)).chain(of_pods);
        self.pairs = Some(pairs.collect());
        self.words = words::all(&self.snapshot.kubernetes, &mut pods, &places);
        self.own_roles = own_roles::all(&self.snapshot.kubernetes, &mut pods, &places);
        self.images_elsewhere = demand.elsewhere;
        self.elsewhere = self.wanted(demand.wanted_elsewhere);
        self.strangers = demand.strangers;
        named
    }

    fn wanted(&self, wanted: pods::Wanted) -> Vec<Elsewhere> {
        let sources = |keys: &BTreeSet<nodes::SourceKey>| {
            let is_one = |source: &&Source| keys.contains(&(source.kind, source.id.clone()));
            self.sources.iter().filter(is_one).cloned().collect()
        };
        wanted
            .into_iter()
            .map(|(image, (pods, keys))| Elsewhere { image, pods, sources: sources(&keys) })
            .collect()
    }

    /// What was not read: what was refused, what a snapshot does not hold, and what this version does not look at.
    pub fn unread(&self) -> Vec<Unread> {
        let row = |source: &str, because: &str, hides: &[&str]| Unread {
            source: source.to_owned(),
            because: because.to_owned(),
            hides: hides.iter().map(|cause| (*cause).to_owned()).collect(),
            ..Unread::default()
        };
        let keys = &self.snapshot.keys;
        let mut unread = self.snapshot.unread.clone();
        for (key, source, hides) in [
            ("nodegroup", "eks:ListNodegroups", "node-role-missing-ecr-policy"),
            ("fargateProfile", "eks:ListFargateProfiles", "fargate-exec-role-missing-policy"),
        ] {
            if !keys.contains(key) && !unread.iter().any(|unread| unread.source == source) {
                unread.push(row(source, "not in the snapshot", &[hides]));
            }
        }
        if !self.strangers.is_empty() {
            let because = format!(
                "pods run on nodes of which it is not known what they are, so their pulls are judged for every node: {}",
                first_of(&self.strangers)
            );
            unread.push(row(
                "ec2:DescribeInstances",
                &because,
                &["node-role-missing-ecr-policy", "instance-profile-missing"],
            ));
        }
        let of_pods =
            |unread: &Unread| ["kubernetes:ListPods", NO_KUBERNETES].contains(&unread.source.as_str());
        if !keys.contains("Pods") && !unread.iter().any(of_pods) {
            unread.push(row(
                NO_KUBERNETES,
                "not read: only the add-on images and those named with --image are judged",
                &["repo-policy-missing-cross-account", "image-tag-not-found"],
            ));
        }
        let said =
            |service: &str| self.snapshot.unread.iter().any(|unread| unread.source.starts_with(service));
        if !said("organizations:") && !self.knows_organization() {
            let causes = ["scp-deny", "rcp-deny"];
            unread.push(row("organizations:ListPoliciesForTarget", "not in the snapshot", &causes));
        }
        if !said("route53:") && !keys.contains("HostedZoneSummaries") {
            let causes = ["private-hosted-zone-shadow"];
            unread.push(row("route53:ListHostedZonesByVPC", "not in the snapshot", &causes));
        }
        unread.extend(self.untold_keys());
        if !keys.contains("FirewallRuleGroupAssociations") {
            unread.push(row(
                "route53resolver:ListFirewallRuleGroupAssociations",
                "not read: only files of a snapshot can tell",
                &["dns-firewall-block"],
            ));
        }
        unread
    }

    /// The keys of KMS of which nobody knows whether they work; and that this is so of repositories that were not
    /// described. It is said beside the verdicts, because almost every reading leaves it open.
    fn untold_keys(&self) -> Vec<Unread> {
        let row = |resource: &str, because: &str| Unread {
            source: "kms:DescribeKey".to_owned(),
            resource: resource.to_owned(),
            because: because.to_owned(),
            hides: vec!["kms-key-unavailable".to_owned()],
            request_id: None,
        };
        let (mut keys, mut others) = (BTreeSet::new(), false);
        for image in self.images.iter().filter(|image| image.reference.is_some()) {
            match self.snapshot.repository_key(image.repository()) {
                Seen::Known(Key::OfUnknownState(key)) => {
                    keys.insert(key);
                }
                Seen::Unread(_) => others = true,
                Seen::Known(Key::Described(_)) | Seen::Absent => {}
            }
        }
        let of_key = "not in the snapshot: `aws kms describe-key` tells whether it is enabled";
        let of_others = "not read: which keys encrypt the repositories (aws ecr describe-repositories), and whether \
                         they work (aws kms describe-key)";
        let is_told = |key: &str| {
            let mut told = self.snapshot.unread.iter();
            told.any(|unread| unread.source == "kms:DescribeKey" && unread.resource == key)
        };
        let untold = keys.into_iter().filter(|key| !is_told(key));
        let mut rows: Vec<Unread> = untold.map(|key| row(key, of_key)).collect();
        rows.extend(others.then(|| row("", of_others)));
        rows
    }

    /// Whether it is known what an organization forbids here, if there is one.
    fn knows_organization(&self) -> bool {
        PolicyKind::ALL.into_iter().all(|kind| {
            let policies = self.snapshot.organization_policies(&self.target.account, kind);
            !matches!(policies, Seen::Unread(_))
        })
    }

    /// Every pull, in a fixed order.
    pub fn pulls(&self) -> Vec<Pull<'_>> {
        self.sources.iter().enumerate().flat_map(|(at, source)| self.pulls_at(at, source)).collect()
    }

    /// The pulls of one source.
    pub fn pulls_by<'w>(&'w self, source: &Source) -> impl Iterator<Item = Pull<'w>> {
        let at = self.sources.iter().position(|known| known == source);
        at.into_iter()
            .flat_map(|at| self.sources.get(at).map(|source| (at, source)))
            .flat_map(|(at, source)| self.pulls_at(at, source))
    }

    fn pulls_at<'w>(&'w self, at: usize, source: &'w Source) -> impl Iterator<Item = Pull<'w>> {
        let all = self.pairs.is_none().then_some(0..self.images.len());
        let some = self
            .pairs
            .iter()
            .flat_map(move |pairs| pairs.range((at, 0)..(at + 1, 0)).map(|(_, image)| *image));
        let images = all.into_iter().flatten().chain(some);
        images.filter_map(move |image| Some(Pull { source, image: self.images.get(image)? }))
    }

    /// The pulls that a kubelet may speak of.
    pub fn pulls_of<'w>(&'w self, words: &'w Words) -> impl Iterator<Item = Pull<'w>> {
        self.those(&words.pulls)
    }

    /// The pulls that a service account may have another role for.
    pub fn pulls_with<'w>(&'w self, own: &'w OwnRole) -> impl Iterator<Item = Pull<'w>> {
        self.those(&own.pulls)
    }

    /// Pulls by where their sources and images stand in the lists.
    fn those<'w>(&'w self, pulls: &'w BTreeSet<(usize, usize)>) -> impl Iterator<Item = Pull<'w>> {
        let at = |(source, image): &(usize, usize)| {
            Some(Pull { source: self.sources.get(*source)?, image: self.images.get(*image)? })
        };
        pulls.iter().filter_map(at)
    }

    /// The running nodes of a source, as EC2 knows them.
    pub fn nodes_of(&self, source: &Source) -> impl Iterator<Item = &'a Instance> {
        let ids = self.instances.get(&(source.kind, source.id.clone()));
        let instances = &self.snapshot.ec2.instances;
        ids.into_iter().flatten().filter_map(|id| instances.get(id))
    }

    /// The nodes of a source, as Kubernetes knows them.
    pub fn kubelets_of<'w>(&'w self, source: &'w Source) -> impl Iterator<Item = &'a Node> {
        let is_of = move |node: &&Node| {
            let of = self.by_node.get(&node.metadata.name);
            of.is_some_and(|(kind, id)| *kind == source.kind && *id == source.id)
        };
        self.snapshot.kubernetes.nodes.values().filter(is_of)
    }

    /// The sources of each role, by the ARN of the role.
    pub fn sources_by_role(&self) -> BTreeMap<&str, Vec<&Source>> {
        let mut roles: BTreeMap<&str, Vec<&Source>> = BTreeMap::new();
        for source in &self.sources {
            if let Some(role) = &source.role {
                roles.entry(role).or_default().push(source);
            }
        }
        roles
    }
}

fn the_cluster<'a>(snapshot: &'a Snapshot, name: Option<&str>) -> Result<&'a Cluster, Error> {
    let names =
        || snapshot.clusters.values().map(|cluster| cluster.name.as_str()).collect::<Vec<_>>().join(", ");
    let mut found = snapshot.clusters.values().filter(|cluster| name.is_none_or(|name| name == cluster.name));
    match (found.next(), found.next()) {
        (Some(cluster), None) => Ok(cluster),
        (Some(_), Some(_)) => Err(Error::new(
            Code::BadInput,
            "there are several clusters",
            format!("name one with --cluster: {}", names()),
        )),
        (None, _) if snapshot.clusters.is_empty() => Err(Error::new(
            Code::NotFound,
            "the snapshot holds no cluster",
            "add one with `aws eks describe-cluster --name NAME > DIR/cluster.json`",
        )),
        (None, _) => Err(Error::new(
            Code::NotFound,
            format!("there is no cluster {}", name.unwrap_or_default()),
            format!("the clusters here are: {}", names()),
        )),
    }
}

/// How it is said that nobody asked Kubernetes.
pub const NO_KUBERNETES: &str = "kubernetes:pods";

/// A few of many names.
fn first_of(names: &BTreeSet<String>) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{}, and {more} more", shown.join(", ")),
    }
}

fn sources(snapshot: &Snapshot, cluster: &Cluster, nodes: &nodes::Nodes) -> Vec<Source> {
    let groups = snapshot.nodegroups.values().filter(|group| group.cluster_name == cluster.name);
    let profiles = snapshot.fargate_profiles.values().filter(|profile| profile.cluster_name == cluster.name);
    // Where nodes of its pools are known, each pool is a source of its own.
    let pools_are_known = nodes.sources.iter().any(|source| source.kind == SourceKind::AutoMode);
    let auto_mode = cluster
        .compute_config
        .iter()
        .filter(|compute| compute.enabled && !compute.node_pools.is_empty() && !pools_are_known);
    let sources: BTreeSet<Source> = groups
        .map(|group| Source {
            kind: SourceKind::Nodegroup,
            id: group.nodegroup_name.clone(),
            role: group.node_role.clone(),
        })
        .chain(profiles.map(|profile| Source {
            kind: SourceKind::FargateProfile,
            id: profile.fargate_profile_name.clone(),
            role: profile.pod_execution_role_arn.clone(),
        }))
        .chain(auto_mode.map(|compute| Source {
            kind: SourceKind::AutoMode,
            id: compute.node_pools.join("+"),
            role: compute.node_role_arn.clone(),
        }))
        .chain(nodes.sources.iter().cloned())
        .collect();
    sources.into_iter().collect()
}

/// The images that were asked for.
fn asked(names: &[String]) -> Result<BTreeSet<Image>, Error> {
    names.iter().map(|name| private_image(name)).collect()
}

/// What stands for the images of the EKS add-ons, because every node pulls them.
fn stand_in(target: &Target) -> Option<Image> {
    let account = aws_accounts::add_on_account(&target.region)?;
    let host =
        format!("{account}.dkr.ecr.{}.{}", target.region, Partition::of_region(&target.region).dns_suffix);
    Some(Image {
        name: format!("{host}/eks/*"),
        account: account.to_owned(),
        region: target.region.clone(),
        repository_arn: format!(
            "arn:{}:ecr:{}:{account}:repository/eks/pause",
            target.partition, target.region
        ),
        reference: None,
    })
}

fn private_image(name: &str) -> Result<Image, Error> {
    let refused = |because: &str| {
        Error::new(
            Code::BadInput,
            format!("{name} is not an image of a private ECR registry"),
            "write it as ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY:TAG",
        )
        .because(because)
    };
    let image = ImageRef::parse(name).ok_or_else(|| refused("it is no image reference"))?;
    let (Some(account), Some(region)) = (image.account, image.region) else {
        return Err(refused("its registry names no account and region"));
    };
    let repository = image.repository.ok_or_else(|| refused("it names no repository"))?;
    let partition = Partition::of_region(&region).name;
    Ok(Image {
        name: name.to_owned(),
        repository_arn: format!("arn:{partition}:ecr:{region}:{account}:repository/{repository}"),
        account,
        region,
        // Container runtimes ask for the digest where there is one, and for `latest` where there is nothing.
        reference: Some(image.digest.or(image.tag).unwrap_or_else(|| "latest".to_owned())),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;

    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    use super::*;
    use crate::snapshot_dir;

    /// A cluster in eu-west-1 with a node group `ng` and a Fargate profile `serverless`, and these documents.
    pub(crate) fn world(documents: &[Value]) -> Snapshot {
        let role = |name: &str| format!("arn:aws:iam::111122223333:role/{name}");
        let mut all = vec![
            json!({ "cluster": { "name": "c", "arn": "arn:aws:eks:eu-west-1:111122223333:cluster/c" } }),
            json!({ "nodegroup": {
                "nodegroupName": "ng", "clusterName": "c", "nodeRole": role("ng"), "subnets": ["subnet-1"],
            }}),
            json!({ "fargateProfile": {
                "fargateProfileName": "serverless", "clusterName": "c", "podExecutionRoleArn": role("fargate"),
                "selectors": [{ "namespace": "jobs-*", "labels": { "size": "small" } }],
            }}),
        ];
        all.extend(documents.iter().cloned());
        let mut loaded = snapshot_dir::Loaded::default();
        for document in all {
            snapshot_dir::read_file(&mut loaded, Path::new("a.json"), &document.to_string()).unwrap();
        }
        loaded.snapshot
    }

    /// A pod of one container; `spec` and `status` are merged in.
    pub(crate) fn pod(id: &str, image: &str, spec: Value, status: Value) -> Value {
        let (namespace, name) = id.split_once('/').unwrap();
        let mut pod = json!({
            "kind": "Pod", "metadata": { "name": name, "namespace": namespace, "uid": format!("uid-{name}") },
            "spec": { "containers": [{ "name": "app", "image": image }] }, "status": status,
        });
        for (key, value) in spec.as_object().into_iter().flatten() {
            pod["spec"][key] = value.clone();
        }
        pod
    }

    /// A list as kubectl prints it.
    pub(crate) fn list(items: &[Value]) -> Value {
        json!({ "apiVersion": "v1", "kind": "List", "items": items })
    }

    pub(crate) fn node(name: &str, instance: &str, labels: Value) -> Value {
        json!({
            "kind": "Node", "metadata": { "name": name, "labels": labels },
            "spec": { "providerID": format!("aws:///eu-west-1a/{instance}") },
        })
    }

    pub(crate) fn instance(id: &str, profile: &str, tags: Value) -> Value {
        let tags = tags.as_object().unwrap().iter();
        let tags: Vec<Value> = tags.map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
        json!({
            "InstanceId": id, "State": { "Name": "running" }, "SubnetId": "subnet-1", "Tags": tags,
            "IamInstanceProfile": { "Arn": format!("arn:aws:iam::111122223333:instance-profile/{profile}") },
        })
    }

    pub(crate) fn profiles(names: &[&str]) -> Value {
        let profile = |name: &&str| {
            json!({
                "InstanceProfileName": name, "Arn": format!("arn:aws:iam::111122223333:instance-profile/{name}"),
                "Roles": [{ "RoleName": name, "Arn": format!("arn:aws:iam::111122223333:role/{name}") }],
            })
        };
        json!({ "InstanceProfiles": names.iter().map(profile).collect::<Vec<_>>() })
    }

    pub(crate) const APP: &str = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1";

    fn check(documents: &[Value], images: &[&str], expected: &Expect) {
        let snapshot = world(documents);
        let images = images.iter().map(|image| (*image).to_owned()).collect();
        let world = World::of(&snapshot, &Scope { images, ..Scope::default() }).unwrap();
        let mut text = String::new();
        for source in &world.sources {
            let role = source.role.as_deref().unwrap_or("-").rsplit('/').next().unwrap();
            let nodes: Vec<&str> = world.nodes_of(source).map(|node| node.instance_id.as_str()).collect();
            text +=
                &format!("{} {} role {role} nodes {}\n", source.kind.as_str(), source.id, nodes.join(" "));
            for pull in world.pulls_by(source) {
                let name = pull
                    .image
                    .name
                    .split_once('.')
                    .map(|(account, rest)| format!("{account}/{}", rest.split_once('/').unwrap().1));
                text += &format!("  {}\n", name.unwrap());
            }
        }
        text += &format!("elsewhere {}\n", world.images_elsewhere);
        let ours = |unread: &&Unread| ["kubernetes:", "ec2:"].iter().any(|of| unread.source.starts_with(of));
        for unread in world.unread().iter().filter(ours) {
            text += &format!("unread {}: {}\n", unread.source, unread.because);
        }
        expected.assert_eq(&text);
    }

    #[test]
    fn without_pods_every_source_pulls_every_image() {
        check(
            &[],
            &[APP],
            &expect![[r#"
            nodegroup ng role ng nodes 
              111122223333/app:v1
              602401143452/eks/*
            fargate-profile serverless role fargate nodes 
              111122223333/app:v1
              602401143452/eks/*
            elsewhere 0
            unread kubernetes:pods: not read: only the add-on images and those named with --image are judged
        "#]],
        );
    }

    #[test]
    fn nodes_of_every_kind_are_sources() {
        let ours = |more: Value| {
            let mut tags = json!({ "kubernetes.io/cluster/c": "owned" });
            tags.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            tags
        };
        let instances = json!([
            instance("i-ng", "ng", json!({ "eks:nodegroup-name": "ng", "eks:cluster-name": "c" })),
            instance("i-asg1", "own", ours(json!({ "aws:autoscaling:groupName": "asg" }))),
            instance("i-asg2", "own", ours(json!({ "aws:autoscaling:groupName": "asg" }))),
            instance("i-asg3", "other", ours(json!({ "aws:autoscaling:groupName": "asg" }))),
            instance("i-lone", "own", ours(json!({}))),
            instance("i-karp", "karp", ours(json!({ "karpenter.sh/nodepool": "spot" }))),
            instance(
                "i-auto",
                "auto",
                json!({
                    "eks:eks-cluster-name": "c", "eks:kubernetes-node-pool-name": "general-purpose",
                })
            ),
            instance("i-not-ours", "x", json!({ "eks:cluster-name": "d", "eks:nodegroup-name": "ng" })),
        ]);
        check(
            &[
                json!({ "Reservations": [{ "Instances": instances }] }),
                profiles(&["ng", "own", "other", "karp"]),
                list(&[
                    node("hybrid-1", "x", json!({ "eks.amazonaws.com/compute-type": "hybrid" })),
                    node("fargate-1", "x", json!({ "eks.amazonaws.com/compute-type": "fargate" })),
                    node("ip-1", "i-lone", json!({})),
                ]),
            ],
            &[],
            &expect![[r#"
                nodegroup ng role ng nodes i-ng
                  602401143452/eks/*
                fargate-profile serverless role fargate nodes 
                  602401143452/eks/*
                auto-mode general-purpose role - nodes i-auto
                  602401143452/eks/*
                self-managed asg (other) role other nodes i-asg3
                  602401143452/eks/*
                self-managed asg (own) role own nodes i-asg1 i-asg2
                  602401143452/eks/*
                self-managed own role own nodes i-lone
                  602401143452/eks/*
                karpenter spot role karp nodes i-karp
                  602401143452/eks/*
                hybrid hybrid role - nodes 
                  602401143452/eks/*
                elsewhere 0
                unread kubernetes:pods: not read: only the add-on images and those named with --image are judged
            "#]],
        );
    }

    #[test]
    fn pods_pull_where_they_run_and_where_they_may_run() {
        let other = APP.replace("app", "other");
        let init = json!({
            "nodeName": "ip-1",
            "initContainers": [{ "name": "init", "image": APP.replace("app", "init") }],
            "ephemeralContainers": [{ "name": "debug", "image": "busybox" }],
        });
        let coredns = "602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/coredns:v1";
        let in_fargate = json!({
            "kind": "Pod", "metadata": {
                "name": "f", "namespace": "x", "labels": { "eks.amazonaws.com/fargate-profile": "serverless" },
            },
            "spec": { "containers": [{ "name": "f", "image": APP.replace("app", "fargate") }] },
        });
        let mut selected = pod("jobs-1/selected", &APP.replace("app", "job"), json!({}), json!({}));
        selected["metadata"]["labels"] = json!({ "size": "small" });
        let needs_arm = json!({ "nodeSelector": { "kubernetes.io/arch": "arm64" } });
        check(
            &[
                json!({ "Reservations": [{ "Instances": [
                    instance("i-1", "ng", json!({ "eks:nodegroup-name": "ng", "eks:cluster-name": "c" })),
                    instance("i-2", "own", json!({ "kubernetes.io/cluster/c": "owned" })),
                ] }] }),
                profiles(&["ng", "own"]),
                list(&[
                    node("ip-1", "i-1", json!({ "kubernetes.io/arch": "amd64" })),
                    node("ip-2", "i-2", json!({ "kubernetes.io/arch": "arm64" })),
                    pod("a/init", APP, init, json!({})),
                    pod("a/lost", &other, json!({ "nodeName": "ip-9" }), json!({})),
                    pod("a/arm", &APP.replace("app", "arm"), needs_arm, json!({})),
                    pod("a/done", &APP.replace("app", "done"), json!({}), json!({ "phase": "Succeeded" })),
                    pod("kube-system/coredns", coredns, json!({ "nodeName": "ip-1" }), json!({})),
                    in_fargate,
                    selected,
                ]),
            ],
            &[],
            &expect![[r#"
                nodegroup ng role ng nodes i-1
                  111122223333/app:v1
                  111122223333/init:v1
                  111122223333/other:v1
                  602401143452/eks/*
                fargate-profile serverless role fargate nodes 
                  111122223333/fargate:v1
                  111122223333/job:v1
                  602401143452/eks/*
                self-managed own role own nodes i-2
                  111122223333/arm:v1
                  111122223333/other:v1
                  602401143452/eks/*
                elsewhere 1
                unread ec2:DescribeInstances: pods run on nodes of which it is not known what they are, so their pulls are judged for every node: ip-9
            "#]],
        );
    }

    /// A group that has no nodes yet is judged by what its nodes will be like.
    #[test]
    fn pods_that_wait_are_judged_only_where_they_can_run() {
        let group = |name: &str, more: Value| {
            let mut group = json!({ "nodegroupName": name, "clusterName": "c", "subnets": [] });
            group.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({ "nodegroup": group })
        };
        let taint = json!([{ "key": "dedicated", "value": "gpu", "effect": "NO_SCHEDULE" }]);
        let gpu = json!({
            "nodeSelector": { "team": "ml" },
            "tolerations": [{ "key": "dedicated", "operator": "Equal", "value": "gpu", "effect": "NoSchedule" }],
        });
        // Not a taint of its group: it may go, and then a pod that asks for this node pulls there.
        let mut tainted = node("ip-1", "i-1", json!({ "team": "agents" }));
        tainted["spec"]["taints"] = json!([{ "key": "own", "effect": "NoExecute" }]);
        let pending = |name: &str, spec: Value| {
            pod(&format!("a/{name}"), &APP.replace("app", name), spec, json!({ "phase": "Pending" }))
        };
        check(
            &[
                group("gpu", json!({ "labels": { "team": "ml" }, "taints": taint })),
                group("web", json!({ "labels": { "team": "web" } })),
                json!({ "Reservations": [{ "Instances": [
                    instance("i-1", "ng", json!({ "eks:nodegroup-name": "ng", "eks:cluster-name": "c" })),
                ] }] }),
                profiles(&["ng"]),
                list(&[
                    tainted,
                    pending("model", gpu),
                    pending("shop", json!({})),
                    pending("nowhere", json!({ "nodeSelector": { "team": "ml" } })),
                    pending("agent", json!({ "nodeSelector": { "team": "agents" } })),
                ]),
            ],
            &[],
            &expect![[r#"
                nodegroup gpu role - nodes 
                  111122223333/model:v1
                  602401143452/eks/*
                nodegroup ng role ng nodes i-1
                  111122223333/agent:v1
                  602401143452/eks/*
                nodegroup web role - nodes 
                  111122223333/shop:v1
                  602401143452/eks/*
                fargate-profile serverless role fargate nodes 
                  602401143452/eks/*
                elsewhere 0
            "#]],
        );
    }
}
