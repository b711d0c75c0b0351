//! What the nodes of a source run, as far as it is certain.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Seen;
use crate::model::ec2::Instance;
use crate::model::ecr::Platform;
use crate::model::kubernetes::Node;
use crate::pulls::{Source, SourceKind, World};

/// The platforms of the nodes of each source: of those that run, or of those that its node group would start. All at
/// once, since a source pulls many images, and each of its nodes has to be found among all that Kubernetes knows.
#[derive(Debug)]
pub(super) struct Platforms<'w>(BTreeMap<&'w Source, Seen<BTreeSet<Platform>>>);

impl<'w> Platforms<'w> {
    pub(super) fn of(world: &'w World<'_>) -> Platforms<'w> {
        let kubelets = kubelets(world);
        Platforms(world.sources.iter().map(|source| (source, of_source(world, source, &kubelets))).collect())
    }

    pub(super) fn get(&self, source: &Source) -> Seen<&BTreeSet<Platform>> {
        match self.0.get(source) {
            Some(Seen::Known(platforms)) => Seen::Known(platforms),
            Some(Seen::Absent) => Seen::Absent,
            Some(Seen::Unread(because)) => Seen::Unread(because.clone()),
            None => Seen::Unread(unsure(source)),
        }
    }
}

/// What Kubernetes knows of nodes, by the ids of their instances.
type Kubelets<'w> = BTreeMap<&'w str, &'w Node>;

fn kubelets<'w>(world: &'w World<'_>) -> Kubelets<'w> {
    let instance = |node: &'w Node| Some((node.spec.provider_id.as_deref()?.rsplit('/').next()?, node));
    world.snapshot.kubernetes.nodes.values().filter_map(instance).collect()
}

fn of_source(world: &World<'_>, source: &Source, kubelets: &Kubelets<'_>) -> Seen<BTreeSet<Platform>> {
    // EKS runs pods on Fargate on x86 alone, and no field asks for anything else.
    if source.kind == SourceKind::FargateProfile {
        return Seen::Known(BTreeSet::from([platform("linux", "amd64")]));
    }
    let running: Option<BTreeSet<Platform>> = world
        .nodes_of(source)
        .map(|node| of_node(world, source, node, kubelets.get(node.instance_id.as_str()).copied()))
        .collect();
    let platforms = match running {
        Some(running) if running.is_empty() => {
            of_nodes_to_come(world, source).map(|one| BTreeSet::from([one]))
        }
        running => running,
    };
    platforms.map_or_else(|| Seen::Unread(unsure(source)), Seen::Known)
}

fn unsure(source: &Source) -> String {
    format!("which platform {} {} has was not read", source.kind.as_str(), source.id)
}

/// As its kubelet says, or else its instance and its machine image.
fn of_node(world: &World<'_>, source: &Source, node: &Instance, kubelet: Option<&Node>) -> Option<Platform> {
    let said = kubelet.and_then(|kubelet| {
        let info = kubelet.status.node_info.as_ref()?;
        Some(platform(info.operating_system.as_deref()?, info.architecture.as_deref()?))
    });
    let of_instance = || match node.architecture.as_deref()? {
        "x86_64" => Some(platform(system(world, source)?, "amd64")),
        "arm64" => Some(platform(system(world, source)?, "arm64")),
        _ => None,
    };
    said.or_else(of_instance)
}

/// The nodes that a managed group starts, by the machine image that EKS gives them.
fn of_nodes_to_come(world: &World<'_>, source: &Source) -> Option<Platform> {
    let (ami_type, system) = (ami_type(world, source)?, system(world, source)?);
    // `AL2023_ARM_64_STANDARD`, `BOTTLEROCKET_x86_64_FIPS`, …; Windows is on x86 only.
    if ami_type.contains("ARM_64") {
        Some(platform(system, "arm64"))
    } else if ami_type.contains("x86_64") || system == "windows" {
        Some(platform(system, "amd64"))
    } else {
        None
    }
}

fn platform(os: &str, architecture: &str) -> Platform {
    Platform { os: os.to_owned(), architecture: architecture.to_owned() }
}

/// The system of the nodes, where somebody else's machine image does not decide it.
fn system(world: &World<'_>, source: &Source) -> Option<&'static str> {
    match source.kind {
        SourceKind::AutoMode => Some("linux"),
        SourceKind::Nodegroup => {
            Some(if ami_type(world, source)?.starts_with("WINDOWS") { "windows" } else { "linux" })
        }
        _ => None,
    }
}

fn ami_type<'w>(world: &World<'w>, source: &Source) -> Option<&'w str> {
    let groups = &world.snapshot.nodegroups;
    let group = groups.get(&format!("{}/{}", world.target.cluster, source.id))?;
    group.ami_type.as_deref().filter(|kind| !kind.is_empty() && *kind != "CUSTOM")
}
