//! What only the list of layers of an image shows: `layer-blob-missing`, `windows-foreign-layers`.

use std::collections::{BTreeMap, BTreeSet};

use super::{Options, elsewhere, platforms, quoted};
use crate::checks::{Cause, Leg};
use crate::diagnosis::{Blocker, Evidence, Fix, Verdicts, pull_id};
use crate::model::Seen;
use crate::model::ecr::{ImageManifest, LayerDescriptor, RepositoryName};
use crate::network::{Network, Verdict};
use crate::pulls::{Image, Pull, World};

/// Judges the layers of images whose manifests were read.
pub(super) fn judge(world: &World<'_>, _options: &Options, verdicts: &mut Verdicts) {
    let mut pulls_by_image: BTreeMap<&Image, Vec<Pull<'_>>> = BTreeMap::new();
    for pull in world.pulls() {
        pulls_by_image.entry(pull.image).or_default().push(pull);
    }
    let mut network = None;
    for (image, pulls) in pulls_by_image {
        let layers = layers(world, image);
        let missing = missing(world, image, &layers);
        if !missing.is_empty() {
            let ids = pulls.iter().map(pull_id).collect();
            blob_missing(image, &missing, ids).into_iter().for_each(|found| verdicts.blocked(found));
        }
        let foreign: Vec<&LayerDescriptor> = layers.iter().filter(|layer| layer.is_foreign()).collect();
        if !foreign.is_empty() {
            let network = network.get_or_insert_with(|| Network::of(world.snapshot));
            judge_foreign(world, network, image, &foreign, &pulls, verdicts);
        }
    }
}

/// The layers of an image, and of those for single platforms that it lists, as far as their manifests were read.
fn layers(world: &World<'_>, image: &Image) -> Vec<LayerDescriptor> {
    let Some(reference) = &image.reference else { return Vec::new() };
    let at = image.repository();
    let Seen::Known(manifest) = world.snapshot.manifest(at, reference) else { return Vec::new() };
    let entries = manifest.entries();
    let listed = entries.iter().filter_map(|digest| world.snapshot.manifest(at, digest).known());
    std::iter::once(manifest).chain(listed).filter_map(ImageManifest::layers).flatten().collect()
}

/// The layers of which ECR says that it does not have them. Where it was not said of which repository, a layer that
/// several repositories share tells nothing of any.
fn missing<'l>(world: &World<'_>, image: &Image, layers: &'l [LayerDescriptor]) -> Vec<&'l str> {
    let at = image.repository();
    let is_missing = |digest: &str| {
        let mut said = world.snapshot.layers.values().filter(|layer| layer.layer_digest == digest && layer.is_of(at));
        said.any(|layer| {
            let certain = layer.repository_name.is_some() || repositories_with(world, digest) == BTreeSet::from([at.resource()]);
            certain && layer.layer_availability.eq_ignore_ascii_case("UNAVAILABLE")
        })
    };
    layers.iter().map(|layer| layer.digest.as_str()).filter(|digest| is_missing(digest)).collect()
}

fn repositories_with(world: &World<'_>, digest: &str) -> BTreeSet<String> {
    let lists = |manifest: &&ImageManifest| {
        manifest.layers().is_some_and(|layers| layers.iter().any(|layer| layer.digest == digest))
    };
    let of = |manifest: &ImageManifest| {
        let region = manifest.region.as_deref().unwrap_or(&world.target.region);
        RepositoryName { account: &manifest.registry_id, region, name: &manifest.repository_name }.resource()
    };
    world.snapshot.image_manifests.values().filter(lists).map(of).collect()
}

fn blob_missing(image: &Image, digests: &[&str], pulls: Vec<String>) -> Option<Blocker> {
    let cause = Cause::find("layer-blob-missing")?;
    let RepositoryName { account, region, name } = image.repository();
    let reference = image.reference.as_deref().unwrap_or_default();
    let id = if reference.starts_with("sha256:") { "imageDigest" } else { "imageTag" };
    let (name_quoted, reference_quoted) = (quoted(name), quoted(reference));
    Some(Blocker {
        cause: cause.id,
        legs: vec![Leg::Image],
        pulls,
        severity: cause.severity,
        resource: image.repository_arn.clone(),
        account: image.account.clone(),
        summary: format!("{} of the layers of {} are not in repository {name}", digests.len(), image.name),
        evidence: digests
            .iter()
            .map(|digest| Evidence {
                source: "ecr:BatchCheckLayerAvailability".to_owned(),
                saw: format!("{digest} UNAVAILABLE"),
            })
            .collect(),
        fix: Fix::NotAws {
            because: "layers that are not there can only be pushed".to_owned(),
            steps: vec![
                format!(
                    "if it is replicated from elsewhere, see whether that still runs: aws ecr \
                     describe-image-replication-status --region {region} --registry-id {account} --repository-name \
                     {name_quoted} --image-id {id}={reference_quoted}"
                ),
                format!("or push {} again: only missing layers are sent", image.name),
                format!("read more: ecr-fix explain {}", cause.id),
            ],
        },
    })
}

/// Layers that the registry need not have come from the servers of Microsoft, over the internet.
fn judge_foreign(
    world: &World<'_>,
    network: &Network<'_>,
    image: &Image,
    foreign: &[&LayerDescriptor],
    pulls: &[Pull<'_>],
    verdicts: &mut Verdicts,
) {
    let (mut stopped, mut because) = (Vec::new(), BTreeSet::new());
    for pull in pulls {
        // Nodes that do not run Windows take another image of the index, or none.
        if let Seen::Known(platforms) = platforms::of(world, pull.source)
            && platforms.iter().all(|platform| platform.os != "windows")
        {
            continue;
        }
        let (verdict, why) = elsewhere::internet(network, world, pull.source);
        match verdict {
            Verdict::Reachable => {}
            Verdict::Unknown => verdicts.unknown(
                &pull_id(pull),
                Leg::LayerNetwork,
                format!("{} has layers that come from Microsoft, and whether the nodes get there is not known", image.name),
            ),
            Verdict::Blocked => {
                stopped.push(pull_id(pull));
                because.extend(why);
            }
        }
    }
    if !stopped.is_empty() {
        foreign_layers(image, foreign, stopped, because).into_iter().for_each(|found| verdicts.blocked(found));
    }
}

fn foreign_layers(
    image: &Image,
    foreign: &[&LayerDescriptor],
    pulls: Vec<String>,
    because: BTreeSet<String>,
) -> Option<Blocker> {
    let cause = Cause::find("windows-foreign-layers")?;
    let kinds: BTreeSet<&str> = foreign.iter().map(|layer| layer.media_type.as_str()).collect();
    let seen = kinds.into_iter().map(|kind| Evidence {
        source: "ecr:BatchGetImage".to_owned(),
        saw: format!("a layer of type {kind}"),
    });
    let way = because.into_iter().map(|saw| Evidence { source: "ec2:DescribeRouteTables".to_owned(), saw });
    Some(Blocker {
        cause: cause.id,
        legs: vec![Leg::LayerNetwork],
        pulls,
        severity: cause.severity,
        resource: image.repository_arn.clone(),
        account: image.account.clone(),
        summary: format!("layers of {} come from Microsoft, and its nodes have no way to the internet", image.name),
        evidence: seen.chain(way).collect(),
        fix: Fix::NotAws {
            because: "the registry does not have these layers".to_owned(),
            steps: vec![
                format!(
                    "push {} again with its layers: `\"allow-nondistributable-artifacts\": [\"{}\"]` in the daemon.json of \
                     the Docker daemon that pushes, or build it on a base image of 2023 or later, which has none of them",
                    image.name,
                    image.name.split('/').next().unwrap_or_default()
                ),
                format!("read more: ecr-fix explain {}", cause.id),
            ],
        },
    })
}
