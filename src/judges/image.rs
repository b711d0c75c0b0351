//! Whether the image is there: `repository-not-found`, `image-tag-not-found`, `image-digest-not-found`, `image-archived`.

use std::collections::BTreeMap;

use super::Options;
use crate::checks::{Leg, Severity};
use crate::diagnosis::{Blocker, Evidence, Fix, Verdicts, pull_id};
use crate::model::{Seen, Snapshot};
use crate::pulls::{Image, World};

/// Judges `image`.
pub(super) fn judge(world: &World<'_>, _options: &Options, verdicts: &mut Verdicts) {
    let mut pulls_by_image: BTreeMap<&Image, Vec<String>> = BTreeMap::new();
    for pull in world.pulls() {
        pulls_by_image.entry(pull.image).or_default().push(pull_id(&pull));
    }
    for (image, pulls) in pulls_by_image {
        match look(world.snapshot, image) {
            Found::There => pulls.iter().for_each(|pull| verdicts.ok(pull, Leg::Image)),
            Found::Unread(because) => {
                pulls.iter().for_each(|pull| verdicts.unknown(pull, Leg::Image, because.clone()));
            }
            Found::Not(cause, source, saw) => verdicts.blocked(blocker(image, pulls, cause, source, saw)),
        }
    }
}

/// What is known of an image.
enum Found {
    There,
    Not(&'static str, &'static str, String),
    Unread(String),
}

fn look(world: &Snapshot, image: &Image) -> Found {
    let Some(reference) = &image.reference else {
        // It stands for whatever AWS keeps there, and names nothing that could be missing.
        return Found::There;
    };
    if let Seen::Absent = world.repository(image.repository()) {
        let saw = "RepositoryNotFoundException".to_owned();
        return Found::Not("repository-not-found", "ecr:DescribeRepositories", saw);
    }
    match world.image(image.repository(), reference) {
        Seen::Known(found) => match found.image_status.as_deref() {
            Some(status) if !status.eq_ignore_ascii_case("active") => {
                Found::Not("image-archived", "ecr:DescribeImages", format!("imageStatus {status}"))
            }
            _ => Found::There,
        },
        Seen::Absent => {
            let cause = if reference.starts_with("sha256:") {
                "image-digest-not-found"
            } else {
                "image-tag-not-found"
            };
            Found::Not(cause, "ecr:DescribeImages", format!("no image {reference}"))
        }
        Seen::Unread(because) => Found::Unread(because),
    }
}

fn blocker(image: &Image, pulls: Vec<String>, cause: &'static str, source: &str, saw: String) -> Blocker {
    let reference = image.reference.as_deref().unwrap_or_default();
    let summary = match cause {
        "repository-not-found" => format!("repository {} does not exist", image.repository().name),
        "image-archived" => format!("image {reference} of {} is archived", image.repository().name),
        _ => format!("repository {} has no image {reference}", image.repository().name),
    };
    let steps = vec![
        format!("push the image, or correct the name {} in the pod", image.name),
        format!("read more: ecr-fix explain {cause}"),
    ];
    let fix = match cause {
        "image-archived" => Fix::Manual {
            because: "to restore an archived image may cost, and takes its time".to_owned(),
            steps: vec![format!(
                "aws ecr update-image-storage-class --region {} --registry-id {} --repository-name {} \
                 --target-storage-class STANDARD --image-id imageTag={reference}",
                image.region,
                image.account,
                image.repository().name
            )],
        },
        _ => Fix::NotAws { because: "what is not there cannot be pulled".to_owned(), steps },
    };
    Blocker {
        cause,
        legs: vec![Leg::Image],
        pulls,
        severity: Severity::High,
        resource: image.repository_arn.clone(),
        account: image.account.clone(),
        summary,
        evidence: vec![Evidence { source: source.to_owned(), saw }],
        fix,
    }
}
