//! Whether the image is there, and for the platform of the nodes: `repository-not-found`, `image-tag-not-found`,
//! `image-digest-not-found`, `image-archived`, `image-deleted-by-lifecycle`, `wrong-account-in-image`,
//! `wrong-registry-region`, `ptc-rule-missing`, `platform-mismatch`, `manifest-type-unsupported`, `kms-key-unavailable`.
//!
//! What a pull-through cache would fetch is judged in `pull_through`.

use std::collections::BTreeMap;

use super::platforms::Platforms;
use super::{Options, pull_through, quoted};
use crate::checks::{Leg, Severity};
use crate::diagnosis::{Blocker, Evidence, Fix, Verdicts, pull_id};
use crate::explain::message::pull_through as looks_like_a_cache;
use crate::model::Seen;
use crate::model::ecr::{Key, Platform, RepositoryName};
use crate::model::kms::KmsKey;
use crate::pulls::{Image, Pull, World};

/// Manifests that list one image for each platform.
const INDEXES: [&str; 2] =
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];

/// What an image that can run says it is about.
const RUNNABLE: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// What is stored like an image, and is none.
const NO_IMAGES: [(&str, &str); 2] = [
    ("application/vnd.cncf.helm.config.v1+json", "a Helm chart"),
    ("application/vnd.in-toto+json", "an attestation"),
];

/// Judges `image`.
pub(super) fn judge(world: &World<'_>, _options: &Options, verdicts: &mut Verdicts) {
    let mut pulls_by_image: BTreeMap<&Image, Vec<Pull<'_>>> = BTreeMap::new();
    for pull in world.pulls() {
        pulls_by_image.entry(pull.image).or_default().push(pull);
    }
    let platforms = Platforms::of(world);
    for (image, pulls) in pulls_by_image {
        let ids = || pulls.iter().map(pull_id).collect();
        match look(world, image) {
            Found::There => {
                judge_kind(world, &platforms, image, &pulls, verdicts);
                match without_key(world, image) {
                    Seen::Known(missing) => verdicts.blocked(blocker(image, ids(), missing)),
                    Seen::Absent => {}
                    Seen::Unread(because) => {
                        let unknown = |pull| verdicts.unknown(&pull_id(pull), Leg::Image, because.clone());
                        pulls.iter().for_each(unknown);
                    }
                }
            }
            // Whether it gets there is judged with the cache.
            Found::Cached => {}
            Found::Unread(because) => {
                pulls.iter().for_each(|pull| verdicts.unknown(&pull_id(pull), Leg::Image, because.clone()));
            }
            Found::Not(missing) => verdicts.blocked(blocker(image, ids(), missing)),
        }
    }
}

/// What is known of an image.
enum Found {
    There,
    Cached,
    Not(Missing),
    Unread(String),
}

/// Why an image cannot be had.
struct Missing {
    cause: &'static str,
    summary: String,
    evidence: Vec<Evidence>,
    fix: Fix,
}

fn look(world: &World<'_>, image: &Image) -> Found {
    let Some(reference) = &image.reference else {
        // It stands for whatever AWS keeps there, and names nothing that could be missing.
        return Found::There;
    };
    let (snapshot, at) = (world.snapshot, image.repository());
    let no_repository = snapshot.repository(at) == Seen::Absent;
    match snapshot.image(at, reference) {
        Seen::Known(found) => match found.image_status.as_deref() {
            Some(status) if !status.eq_ignore_ascii_case("active") => {
                Found::Not(archived(image, reference, status))
            }
            _ => Found::There,
        },
        Seen::Unread(because) if !no_repository => match snapshot.manifest(at, reference) {
            Seen::Known(_) => Found::There,
            Seen::Absent | Seen::Unread(_) => Found::Unread(because),
        },
        Seen::Absent | Seen::Unread(_) => match pull_through::rule(world, image) {
            Seen::Known(_) => Found::Cached,
            Seen::Absent if no_repository => Found::Not(no_such_repository(world, image, reference)),
            Seen::Absent => Found::Not(no_such_image(world, image, reference)),
            Seen::Unread(because) => Found::Unread(format!(
                "{} is not there, and whether a pull-through cache fetches it was not read ({because})",
                image.name
            )),
        },
    }
}

fn saw(source: &str, saw: impl Into<String>) -> Evidence {
    Evidence { source: source.to_owned(), saw: saw.into() }
}

/// The key of KMS without which nothing of the repository can be read; absent where there is none, or where it works.
///
/// A key whose state was not read leaves a doubt, unless ECR has decrypted the very image: `BatchGetImage` answers with the
/// failure `KmsError` where it cannot.
fn without_key(world: &World<'_>, image: &Image) -> Seen<Missing> {
    let at = image.repository();
    let key = match world.snapshot.repository_key(at) {
        Seen::Known(Key::Described(key)) => key,
        Seen::Known(Key::OfUnknownState(name)) => return untested(world, image, name),
        Seen::Absent => return Seen::Absent,
        Seen::Unread(_) => return suspected(world, image),
    };
    let Some(state) = key.flaw() else { return Seen::Absent };
    let step = if state == "Disabled" {
        format!("if it may be used again: aws kms enable-key --region {} --key-id {}", image.region, key.arn)
    } else {
        format!("ask the owner of {}; if it cannot be had back, push the images to a new repository", key.arn)
    };
    Seen::Known(Missing {
        cause: "kms-key-unavailable",
        summary: format!("the key that encrypts repository {} is {state}", image.repository().name),
        evidence: vec![saw("kms:DescribeKey", format!("{} KeyState {state}", key.arn))],
        fix: Fix::Manual {
            because: "somebody switched the key off, and ecr-fix changes no keys".to_owned(),
            steps: vec![step, "read more: ecr-fix explain kms-key-unavailable".to_owned()],
        },
    })
}

/// Of a repository that was not described: that this was not read is said once for all of them, beside the verdicts; but
/// where a key is known to be switched off, it may be that of this repository.
fn suspected(world: &World<'_>, image: &Image) -> Seen<Missing> {
    let RepositoryName { account, region, name } = image.repository();
    // Keys are of the account and the region of what they encrypt, or are named by the repository.
    let place = format!(":kms:{region}:{account}:");
    let may_be_its = |key: &&KmsKey| key.flaw().is_some() && key.arn.contains(&place);
    // What AWS serves for everybody names no repository.
    let broken = world.snapshot.kms_keys.values().find(may_be_its).filter(|_| image.reference.is_some());
    broken.map_or(Seen::Absent, |key| {
        Seen::Unread(format!(
            "whether {} encrypts repository {name} was not read: it cannot be used",
            key.arn
        ))
    })
}

fn untested(world: &World<'_>, image: &Image, key: &str) -> Seen<Missing> {
    let at = image.repository();
    let reference = image.reference.as_deref().unwrap_or_default();
    if matches!(world.snapshot.manifest(at, reference), Seen::Known(_)) {
        return Seen::Absent;
    }
    Seen::Unread(format!(
        "whether the KMS key of repository {} is enabled was not read: aws kms describe-key --region {} --key-id {} --query \
         KeyMetadata.KeyState",
        at.name,
        image.region,
        quoted(key)
    ))
}

fn archived(image: &Image, reference: &str, status: &str) -> Missing {
    let RepositoryName { account, region, name } = image.repository();
    let id = if reference.starts_with("sha256:") { "imageDigest" } else { "imageTag" };
    Missing {
        cause: "image-archived",
        summary: format!("image {reference} of {name} is archived"),
        evidence: vec![saw("ecr:DescribeImages", format!("imageStatus {status}"))],
        fix: Fix::Manual {
            because: "to restore an archived image may cost, and takes its time".to_owned(),
            steps: vec![format!(
                "aws ecr update-image-storage-class --region {region} --registry-id {account} --repository-name {name} \
                 --target-storage-class STANDARD --image-id {id}={reference}"
            )],
        },
    }
}

fn no_such_repository(world: &World<'_>, image: &Image, reference: &str) -> Missing {
    let at = image.repository();
    let evidence = vec![saw("ecr:DescribeRepositories", "RepositoryNotFoundException")];
    if let Some((cause, found)) = elsewhere(world, at, reference) {
        let place = format!("account {}, region {}", found.account, found.region);
        let mut evidence = evidence;
        evidence.push(saw("ecr:DescribeRepositories", format!("{} in {place}", at.name)));
        return Missing {
            cause,
            summary: format!("repository {} is in {place}, and not where the image says", at.name),
            evidence,
            fix: in_the_pod(
                format!("correct the name {} in the pod: the repository is in {place}", image.name),
                cause,
            ),
        };
    }
    if let Some((prefix, _)) = looks_like_a_cache(at.name) {
        let mut evidence = evidence;
        let none = format!("no rule for {} in {}/{}", at.name, at.account, at.region);
        evidence.push(saw("ecr:DescribePullThroughCacheRules", none));
        return Missing {
            cause: "ptc-rule-missing",
            summary: format!(
                "{} looks like a pull-through cache, and no rule has the prefix {prefix}",
                at.name
            ),
            evidence,
            fix: Fix::Manual {
                because: "a rule lets nodes bring in images from outside".to_owned(),
                steps: vec![
                    format!(
                        "create the rule if it is wanted, or correct the prefix in the image name: aws ecr \
                         create-pull-through-cache-rule --region {} --ecr-repository-prefix {prefix} \
                         --upstream-registry-url …",
                        at.region
                    ),
                    "read more: ecr-fix explain ptc-rule-missing".to_owned(),
                ],
            },
        };
    }
    Missing {
        cause: "repository-not-found",
        summary: format!("repository {} does not exist", at.name),
        evidence,
        fix: push_it(image, "repository-not-found"),
    }
}

/// The same repository where the cluster is: in its account, or in its region.
fn elsewhere<'a>(
    world: &'a World<'_>,
    at: RepositoryName<'a>,
    reference: &str,
) -> Option<(&'static str, RepositoryName<'a>)> {
    let (account, region) = (world.target.account.as_str(), world.target.region.as_str());
    let places = [
        ("wrong-account-in-image", RepositoryName { account, ..at }),
        ("wrong-registry-region", RepositoryName { region, ..at }),
        ("wrong-account-in-image", RepositoryName { account, region, ..at }),
    ];
    places.into_iter().find(|(_, place)| {
        let known = matches!(world.snapshot.repository(*place), Seen::Known(_));
        *place != at && known && world.snapshot.image(*place, reference) != Seen::Absent
    })
}

fn no_such_image(world: &World<'_>, image: &Image, reference: &str) -> Missing {
    let at = image.repository();
    let digest = reference.starts_with("sha256:");
    let mut evidence = vec![saw("ecr:DescribeImages", format!("no image {reference}"))];
    let summary = format!("repository {} has no image {reference}", at.name);
    let tag = (!digest).then_some(reference);
    if let Some(rule) = world.snapshot.lifecycle_policy(at).known().and_then(|policy| policy.expires(tag)) {
        evidence.push(saw("ecr:GetLifecyclePolicy", rule.clone()));
        return Missing {
            cause: "image-deleted-by-lifecycle",
            summary: format!("{summary}, and {rule}: judged by the policy, not by the history of the image"),
            evidence,
            fix: push_it(image, "image-deleted-by-lifecycle"),
        };
    }
    let cause = if digest { "image-digest-not-found" } else { "image-tag-not-found" };
    Missing { cause, summary, evidence, fix: push_it(image, cause) }
}

fn push_it(image: &Image, cause: &str) -> Fix {
    in_the_pod(format!("push the image, or correct the name {} in the pod", image.name), cause)
}

fn in_the_pod(step: String, cause: &str) -> Fix {
    Fix::NotAws {
        because: "what is not there cannot be pulled".to_owned(),
        steps: vec![step, format!("read more: ecr-fix explain {cause}")],
    }
}

fn blocker(image: &Image, pulls: Vec<String>, missing: Missing) -> Blocker {
    Blocker {
        cause: missing.cause,
        legs: vec![Leg::Image],
        pulls,
        severity: Severity::High,
        resource: image.repository_arn.clone(),
        account: image.account.clone(),
        summary: missing.summary,
        evidence: missing.evidence,
        fix: missing.fix,
    }
}

/// What sort of thing is stored under the name of an image.
enum Kind {
    /// It runs where it was built for; runtimes pull it without asking.
    Single,
    /// One image for each of these platforms.
    Index(Seen<Vec<Platform>>),
    /// Nothing that runs.
    NoImage(&'static str, String),
    /// Only some runtimes can handle it.
    Unsure(String),
}

fn kind(world: &World<'_>, image: &Image, reference: &str) -> Kind {
    let (snapshot, at) = (world.snapshot, image.repository());
    let detail = snapshot.image(at, reference).known();
    let manifest = snapshot.manifest(at, reference);
    let of_detail = detail.and_then(|detail| detail.image_manifest_media_type.as_deref());
    let media_type = match (&manifest, of_detail) {
        (Seen::Known(manifest), None) => manifest.image_manifest_media_type.as_deref().unwrap_or_default(),
        (_, of_detail) => of_detail.unwrap_or_default(),
    };
    if INDEXES.contains(&media_type) {
        return Kind::Index(match manifest {
            Seen::Known(manifest) => match manifest.platforms() {
                Some(platforms) => Seen::Known(platforms),
                None => Seen::Unread(format!("the manifest of {} does not name its platforms", image.name)),
            },
            Seen::Absent => Seen::Absent,
            Seen::Unread(because) => Seen::Unread(because),
        });
    }
    if media_type.starts_with("application/vnd.docker.distribution.manifest.v1+") {
        return Kind::Unsure(format!(
            "its manifest is of schema 1 ({media_type}), which containerd 2 refuses"
        ));
    }
    let artifact = detail.and_then(|detail| detail.artifact_media_type.as_deref()).unwrap_or_default();
    match NO_IMAGES.iter().find(|(known, _)| *known == artifact) {
        Some((_, what)) => Kind::NoImage(what, artifact.to_owned()),
        None if artifact.is_empty() || RUNNABLE.contains(&artifact) => Kind::Single,
        None => Kind::Unsure(format!("whether a runtime can handle {artifact} is not certain")),
    }
}

fn judge_kind(
    world: &World<'_>,
    platforms: &Platforms<'_>,
    image: &Image,
    pulls: &[Pull<'_>],
    verdicts: &mut Verdicts,
) {
    let kind = image.reference.as_deref().map_or(Kind::Single, |reference| kind(world, image, reference));
    let all = || pulls.iter().map(pull_id);
    match kind {
        Kind::Single => all().for_each(|pull| verdicts.ok(&pull, Leg::Image)),
        Kind::Unsure(because) => all().for_each(|pull| verdicts.unknown(&pull, Leg::Image, because.clone())),
        Kind::NoImage(what, artifact) => {
            let missing = Missing {
                cause: "manifest-type-unsupported",
                summary: format!("{} is {what}, which no runtime can start", image.name),
                evidence: vec![saw("ecr:DescribeImages", format!("artifactMediaType {artifact}"))],
                fix: in_the_pod(
                    format!("name an image in the pod in place of {}", image.name),
                    "manifest-type-unsupported",
                ),
            };
            verdicts.blocked(blocker(image, all().collect(), missing));
        }
        Kind::Index(Seen::Known(offered)) => judge_platforms(platforms, image, &offered, pulls, verdicts),
        Kind::Index(Seen::Absent) => {
            let because = "its manifest could not be found again";
            all().for_each(|pull| verdicts.unknown(&pull, Leg::Image, because));
        }
        Kind::Index(Seen::Unread(because)) => {
            let because = format!("for which platforms it is was not read ({because})");
            all().for_each(|pull| verdicts.unknown(&pull, Leg::Image, because.clone()));
        }
    }
}

fn judge_platforms(
    platforms: &Platforms<'_>,
    image: &Image,
    offered: &[Platform],
    pulls: &[Pull<'_>],
    verdicts: &mut Verdicts,
) {
    let mut misfits: BTreeMap<Platform, Vec<String>> = BTreeMap::new();
    for pull in pulls {
        let id = pull_id(pull);
        let wanted = match platforms.get(pull.source) {
            Seen::Known(wanted) => wanted,
            Seen::Absent => continue,
            Seen::Unread(because) => {
                verdicts.unknown(&id, Leg::Image, because);
                continue;
            }
        };
        let (fitting, lacking): (Vec<&Platform>, Vec<&Platform>) =
            wanted.iter().partition(|wanted| offered.contains(wanted));
        if fitting.is_empty() {
            lacking
                .into_iter()
                .for_each(|wanted| misfits.entry(wanted.clone()).or_default().push(id.clone()));
        } else if !lacking.is_empty() {
            let because =
                "it is not built for every platform of the nodes: it depends on where the pod lands";
            verdicts.unknown(&id, Leg::Image, because);
        } else if fitting.iter().any(|platform| platform.os == "windows") {
            verdicts.unknown(
                &id,
                Leg::Image,
                "whether its Windows version is that of the nodes was not read",
            );
        } else {
            verdicts.ok(&id, Leg::Image);
        }
    }
    for (wanted, pulls) in misfits {
        let offers: Vec<String> = offered.iter().map(named).collect();
        let missing = Missing {
            cause: "platform-mismatch",
            summary: format!("{} is not built for {}", image.name, named(&wanted)),
            evidence: vec![saw("ecr:BatchGetImage", format!("manifests for {}", offers.join(", ")))],
            fix: in_the_pod(
                format!(
                    "build for both (docker buildx build --platform linux/amd64,linux/arm64 --push -t {} .), or keep \
                     the pod to nodes of a platform that it has ({})",
                    image.name,
                    offers.join(", ")
                ),
                "platform-mismatch",
            ),
        };
        verdicts.blocked(blocker(image, pulls, missing));
    }
}

fn named(platform: &Platform) -> String {
    format!("{}/{}", platform.os, platform.architecture)
}
