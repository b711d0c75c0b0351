//! What only the list of layers of an image shows: `layer-blob-missing`, `windows-foreign-layers`.

use std::collections::{BTreeMap, BTreeSet};

use super::platforms::Platforms;
use super::{Options, elsewhere, quoted};
use crate::checks::{Cause, Leg};
use crate::diagnosis::{Blocker, Evidence, Fix, Verdicts, pull_id};
use crate::model::ecr::{ImageManifest, LayerDescriptor, RepositoryName};
use crate::network::{Network, Verdict};
use crate::pulls::{Image, Pull, World};

/// Judges the layers of images whose manifests were read.
pub(super) fn judge(world: &World<'_>, _options: &Options, verdicts: &mut Verdicts) {
    let mut pulls_by_image: BTreeMap<&Image, Vec<Pull<'_>>> = BTreeMap::new();
    for pull in world.pulls() {
        pulls_by_image.entry(pull.image).or_default().push(pull);
    }
    let (mut network, platforms) = (None, Platforms::of(world));
    for (image, pulls) in pulls_by_image.into_iter().filter(|(image, _)| image.reference.is_some()) {
        let Some(layers) = layers(world, image) else {
            let network = network.get_or_insert_with(|| Network::of(world.snapshot));
            judge_unread(world, network, &platforms, image, &pulls, verdicts);
            continue;
        };
        let missing = missing(world, image, &layers);
        if !missing.is_empty() {
            let ids = pulls.iter().map(pull_id).collect();
            blob_missing(image, &missing, ids).into_iter().for_each(|found| verdicts.blocked(found));
        }
        let foreign: Vec<&LayerDescriptor> = layers.iter().filter(|layer| layer.is_foreign()).collect();
        if !foreign.is_empty() {
            let network = network.get_or_insert_with(|| Network::of(world.snapshot));
            judge_foreign(world, (network, &platforms), image, &foreign, &pulls, verdicts);
        }
    }
}

/// Of an image whose layers nobody read: doubts what would break it, where something hints at that.
fn judge_unread(
    world: &World<'_>,
    network: &Network<'_>,
    platforms: &Platforms<'_>,
    image: &Image,
    pulls: &[Pull<'_>],
    verdicts: &mut Verdicts,
) {
    let at = image.repository();
    let lacks = world
        .snapshot
        .layers
        .values()
        .any(|layer| layer.repository_name.is_some() && layer.is_of(at) && layer.is_missing());
    for pull in pulls {
        if lacks {
            let because = format!(
                "repository {} lacks a layer, and whether {} has it was not read",
                at.name, image.name
            );
            verdicts.unknown(&pull_id(pull), Leg::Image, because);
        }
        if runs_windows(platforms, pull) == Some(true)
            && elsewhere::internet(network, world, pull.source).0 == Verdict::Blocked
        {
            let because = format!(
                "its nodes have no way to the internet, and whether layers of {} come from Microsoft was not read: aws ecr \
                 batch-get-image",
                image.name
            );
            verdicts.unknown(&pull_id(pull), Leg::LayerNetwork, because);
        }
    }
}

/// Whether nodes of the source run Windows; none where that was not read.
fn runs_windows(platforms: &Platforms<'_>, pull: &Pull<'_>) -> Option<bool> {
    let platforms = platforms.get(pull.source).known()?;
    Some(platforms.iter().any(|platform| platform.os == "windows"))
}

/// The layers of an image, and of those for single platforms that it lists, as far as their manifests were read; none
/// where none was.
fn layers(world: &World<'_>, image: &Image) -> Option<Vec<LayerDescriptor>> {
    let at = image.repository();
    let manifest = world.snapshot.manifest(at, image.reference.as_deref()?).known()?;
    let entries = manifest.entries();
    let listed = entries.iter().filter_map(|digest| world.snapshot.manifest(at, digest).known());
    let each: Vec<Vec<LayerDescriptor>> =
        std::iter::once(manifest).chain(listed).filter_map(ImageManifest::layers).collect();
    (!each.is_empty()).then(|| each.concat())
}

/// The layers of which ECR says that it does not have them. Where it was not said of which repository, a layer that
/// several repositories share tells nothing of any.
fn missing<'l>(world: &World<'_>, image: &Image, layers: &'l [LayerDescriptor]) -> Vec<&'l str> {
    let at = image.repository();
    let is_missing = |digest: &str| {
        let mut said =
            world.snapshot.layers.values().filter(|layer| layer.layer_digest == digest && layer.is_of(at));
        said.any(|layer| {
            let certain = layer.repository_name.is_some()
                || repositories_with(world, digest) == BTreeSet::from([at.resource()]);
            certain && layer.is_missing()
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
    (network, platforms): (&Network<'_>, &Platforms<'_>),
    image: &Image,
    foreign: &[&LayerDescriptor],
    pulls: &[Pull<'_>],
    verdicts: &mut Verdicts,
) {
    let (mut stopped, mut because) = (Vec::new(), BTreeSet::new());
    for pull in pulls {
        // Nodes that do not run Windows take another image of the index, or none.
        if runs_windows(platforms, pull) == Some(false) {
            continue;
        }
        let (verdict, why) = elsewhere::internet(network, world, pull.source);
        match verdict {
            Verdict::Reachable => {}
            Verdict::Unknown => verdicts.unknown(
                &pull_id(pull),
                Leg::LayerNetwork,
                format!(
                    "{} has layers that come from Microsoft, and whether the nodes get there is not known",
                    image.name
                ),
            ),
            Verdict::Blocked => {
                stopped.push(pull_id(pull));
                because.extend(why);
            }
        }
    }
    if !stopped.is_empty() {
        foreign_layers(image, foreign, stopped, because)
            .into_iter()
            .for_each(|found| verdicts.blocked(found));
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
        summary: format!(
            "layers of {} come from Microsoft, and its nodes have no way to the internet",
            image.name
        ),
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

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    use crate::checks::Leg;
    use crate::judges::test_support;
    use crate::pulls::tests::{instance, list, node, profiles};

    const FOREIGN: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

    fn image(repository: &str, layer_type: &str) -> Value {
        let manifest = json!({ "schemaVersion": 2, "layers": [
            { "mediaType": layer_type, "digest": "sha256:aa" }, { "mediaType": LAYER, "digest": "sha256:bb" },
        ] });
        json!({ "registryId": "111122223333", "repositoryName": repository, "imageId": { "imageDigest": "sha256:00", "imageTag": "v1" },
            "imageManifest": manifest.to_string(), "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json" })
    }

    fn layers(beside: Value, availability: &str) -> Value {
        let mut file = json!({ "layers": [{ "layerDigest": "sha256:bb", "layerAvailability": availability }], "failures": [] });
        file.as_object_mut().unwrap().extend(beside.as_object().unwrap().clone());
        file
    }

    fn check(documents: &[Value], expected: &Expect) {
        let causes = ["layer-blob-missing", "windows-foreign-layers"];
        test_support::check(documents, &causes, &[Leg::LayerNetwork], expected);
    }

    #[test]
    fn a_layer_that_is_not_there_is_found_in_its_repository() {
        let images = json!({ "images": [image("app", LAYER)] });
        check(
            &[images.clone(), layers(json!({}), "UNAVAILABLE")],
            &expect![[r#"
                layer-blob-missing critical not-aws on arn:aws:ecr:eu-west-1:111122223333:repository/app: 1 of the layers of app:v1 are not in repository app
                  ecr:BatchCheckLayerAvailability: sha256:bb UNAVAILABLE
                  blocks image of nodegroup/ng <- app:v1, fargate-profile/serverless <- app:v1
                nodegroup/ng layer-network unknown where it runs was not read
            "#]],
        );
        check(
            &[images.clone(), layers(json!({}), "AVAILABLE")],
            &expect![[r#"
                nodegroup/ng layer-network unknown where it runs was not read
            "#]],
        );
        check(
            &[images, layers(json!({ "repositoryName": "other" }), "UNAVAILABLE")],
            &expect![[r#"
                nodegroup/ng layer-network unknown where it runs was not read
            "#]],
        );
        // Two repositories have this layer, and it was not said in which of them it is missing.
        let both = json!({ "images": [image("app", LAYER), image("other", LAYER)] });
        check(
            &[both.clone(), layers(json!({}), "UNAVAILABLE")],
            &expect![[r#"
                nodegroup/ng layer-network unknown where it runs was not read
            "#]],
        );
        check(
            &[both, layers(json!({ "repositoryName": "app" }), "UNAVAILABLE")],
            &expect![[r#"
                layer-blob-missing critical not-aws on arn:aws:ecr:eu-west-1:111122223333:repository/app: 1 of the layers of app:v1 are not in repository app
                  ecr:BatchCheckLayerAvailability: sha256:bb UNAVAILABLE
                  blocks image of nodegroup/ng <- app:v1, fargate-profile/serverless <- app:v1
                nodegroup/ng layer-network unknown where it runs was not read
            "#]],
        );
    }

    /// A node of Windows in a subnet with this route.
    fn windows(system: &str, routes: Value) -> Vec<Value> {
        let mut windows = node("ip-1", "i-1", json!({}));
        windows["status"] = json!({ "nodeInfo": { "operatingSystem": system, "architecture": "amd64" } });
        let mut of_group =
            instance("i-1", "ng", json!({ "eks:nodegroup-name": "ng", "eks:cluster-name": "c" }));
        of_group["NetworkInterfaces"] = json!([{ "NetworkInterfaceId": "eni-1", "SubnetId": "subnet-1", "VpcId": "vpc-1",
            "PrivateIpAddress": "10.0.0.9", "Groups": [{ "GroupId": "sg-1" }] }]);
        let all = json!([{ "IpProtocol": "-1", "IpRanges": [{ "CidrIp": "0.0.0.0/0" }] }]);
        let entry = |egress: bool| json!({ "Egress": egress, "CidrBlock": "0.0.0.0/0", "Protocol": "-1", "RuleAction": "allow", "RuleNumber": 100 });
        vec![
            json!({ "Reservations": [{ "Instances": [of_group] }] }),
            profiles(&["ng"]),
            list(&[windows]),
            json!({ "Vpcs": [{ "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16" }],
                "Subnets": [{ "SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24" }],
                "NetworkInterfaces": of_group["NetworkInterfaces"], "VpcEndpoints": [], "NatGateways": [],
                "RouteTables": [{ "RouteTableId": "rtb-1", "VpcId": "vpc-1", "Associations": [{ "Main": true }], "Routes": routes }],
                "SecurityGroups": [{ "GroupId": "sg-1", "VpcId": "vpc-1", "IpPermissions": [], "IpPermissionsEgress": all }],
                "NetworkAcls": [{ "NetworkAclId": "acl-1", "VpcId": "vpc-1", "Associations": [{ "SubnetId": "subnet-1" }],
                    "Entries": [entry(true), entry(false)] }] }),
            json!({ "images": [image("app", FOREIGN)] }),
        ]
    }

    #[test]
    fn layers_of_microsoft_need_the_internet_on_windows() {
        let local = json!({ "DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active" });
        let causes = ["windows-foreign-layers"];
        let check =
            |documents: &[Value], expected: &Expect| test_support::check(documents, &causes, &[], expected);
        check(
            &windows("windows", json!([local])),
            &expect![[r#"
            windows-foreign-layers high not-aws on arn:aws:ecr:eu-west-1:111122223333:repository/app: layers of app:v1 come from Microsoft, and its nodes have no way to the internet
              ecr:BatchGetImage: a layer of type application/vnd.docker.image.rootfs.foreign.diff.tar.gzip
              ec2:DescribeRouteTables: rtb-1 has no route to the public addresses of AWS
              blocks layer-network of nodegroup/ng <- app:v1
        "#]],
        );
        check(&windows("linux", json!([local])), &expect![[r#""#]]);
    }
}
