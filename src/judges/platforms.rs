//! What the nodes of a source run, as far as it is certain.

use std::collections::BTreeSet;

use crate::model::Seen;
use crate::model::ec2::Instance;
use crate::model::ecr::Platform;
use crate::pulls::{Source, SourceKind, World};

/// The platforms of the nodes of a source: of those that run, or of those that its node group would start.
pub(super) fn of(world: &World<'_>, source: &Source) -> Seen<BTreeSet<Platform>> {
    match source.kind {
        // "Fargate: x86_64 only": EKS has no other, and no field asks for one.
        SourceKind::FargateProfile => Seen::Known(BTreeSet::from([platform("linux", "amd64")])),
        SourceKind::Nodegroup => of_nodegroup(world, source),
        _ => Seen::Unread(format!(
            "which platforms {} {} starts is not certain",
            source.kind.as_str(),
            source.id
        )),
    }
}

fn of_nodegroup(world: &World<'_>, source: &Source) -> Seen<BTreeSet<Platform>> {
    let unsure = || Seen::Unread(format!("the platform of node group {} was not read", source.id));
    let cluster = &world.target.cluster;
    let group = world.snapshot.nodegroups.get(&format!("{cluster}/{}", source.id));
    let ami_type = group.and_then(|group| group.ami_type.as_deref()).unwrap_or_default();
    let os = if ami_type.starts_with("WINDOWS") { "windows" } else { "linux" };
    let nodes = world.snapshot.ec2.instances.values().filter(|node| node.is_node_of(cluster, &source.id));
    let running: Option<BTreeSet<Platform>> =
        nodes.map(|node| Some(platform(os, architecture(node)?))).collect();
    // Machine images of other people's making say nothing of their system.
    if ami_type.is_empty() || ami_type == "CUSTOM" {
        return unsure();
    }
    match running {
        Some(running) if !running.is_empty() => Seen::Known(running),
        Some(_) => match architecture_of_ami(ami_type) {
            Some(architecture) => Seen::Known(BTreeSet::from([platform(os, architecture)])),
            None => unsure(),
        },
        None => unsure(),
    }
}

fn platform(os: &str, architecture: &str) -> Platform {
    Platform { os: os.to_owned(), architecture: architecture.to_owned() }
}

fn architecture(node: &Instance) -> Option<&'static str> {
    match node.architecture.as_deref()? {
        "x86_64" => Some("amd64"),
        "arm64" => Some("arm64"),
        _ => None,
    }
}

/// `AL2023_ARM_64_STANDARD`, `BOTTLEROCKET_x86_64_FIPS`, ….
fn architecture_of_ami(ami_type: &str) -> Option<&'static str> {
    if ami_type.contains("ARM_64") {
        Some("arm64")
    } else if ami_type.contains("x86_64") || ami_type.starts_with("WINDOWS") {
        Some("amd64")
    } else {
        None
    }
}
