//! Reads the registries that images are pulled from, each with the credentials of its account.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;

use tokio::task::JoinSet;

use super::each::Turns;
use super::hides::hides;
use crate::aws::{Reader, Reason, Refused, Registry};
use crate::model::ecr::{ImageDetail, RegistryDocument, Repository, RepositoryName};
use crate::model::snapshot::Record;
use crate::model::{ImageRef, Seen, Snapshot, Unread, aws_accounts};

/// A registry: account and region.
type At = (String, String);

/// What is wanted of a registry: tags and digests, by repository.
type Wanted = BTreeMap<String, BTreeSet<String>>;

/// The most images and repositories that ECR takes in one call.
const AT_ONCE: usize = 100;

/// The kinds of manifests that list one image for each platform.
const INDEXES: [&str; 2] =
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];

/// The repositories of these images, their policies, and the images, as a part of a snapshot.
pub(super) async fn read(reader: &Reader, images: &[String], home: &str) -> Snapshot {
    let (mut reads, turns) = (JoinSet::new(), Turns::new());
    for ((account, region), wanted) in by_registry(images) {
        let (reader, home, turns) = (reader.clone(), home.to_owned(), turns.clone());
        reads.spawn(async move {
            match turns.take(reader.registry(&account, &region, &home)).await {
                Ok(registry) => whole(registry, wanted, &home, turns).await,
                Err(refused) => nobody_looked(&refused, (&account, &region), &wanted),
            }
        });
    }
    let mut part = all(reads).await;
    let lost = look_elsewhere(reader, images, home, &part, &turns).await;
    absorb(&mut part, lost);
    part
}

/// The accounts of registries that are neither the caller's nor AWS's.
pub(super) fn accounts(images: &[String], home: &str) -> BTreeSet<String> {
    by_registry(images).into_keys().map(|(account, _)| account).filter(|account| account != home).collect()
}

/// Repositories that are not where an image says may be in the account or the region of the cluster.
async fn look_elsewhere(
    reader: &Reader,
    images: &[String],
    home: &str,
    found: &Snapshot,
    turns: &Turns,
) -> Snapshot {
    let mut places: BTreeMap<At, BTreeSet<String>> = BTreeMap::new();
    for ((account, region), wanted) in by_registry(images) {
        for name in wanted.into_keys() {
            let at = RepositoryName { account: &account, region: &region, name: &name };
            if found.repository(at) != Seen::Absent {
                continue;
            }
            for (other, place) in
                [(home, region.as_str()), (account.as_str(), reader.region()), (home, reader.region())]
            {
                if (other, place) != (account.as_str(), region.as_str()) {
                    places.entry((other.to_owned(), place.to_owned())).or_default().insert(name.clone());
                }
            }
        }
    }
    let mut reads = JoinSet::new();
    for ((account, region), names) in places {
        let (reader, home, turns) = (reader.clone(), home.to_owned(), turns.clone());
        let reading = async move {
            match reader.registry(&account, &region, &home).await {
                Ok(registry) => repositories(&registry, names.into_iter().collect()).await,
                Err(_) => Snapshot::default(),
            }
        };
        reads.spawn(async move { turns.take(reading).await });
    }
    let mut part = all(reads).await;
    // It is a second look: what it does not show was asked for by nobody.
    part.unread.clear();
    part
}

/// The policy of one repository, as a part of a snapshot.
pub(super) async fn policy(reader: &Reader, at: RepositoryName<'_>, home: &str) -> Snapshot {
    match reader.registry(at.account, at.region, home).await {
        Ok(registry) => {
            let policy = registry.repository_policy(at.name).await;
            known("ecr:GetRepositoryPolicy", at.resource(), policy.map(|policy| vec![policy]))
        }
        Err(refused) => {
            let wanted = Wanted::from([(at.name.to_owned(), BTreeSet::new())]);
            nobody_looked(&refused, (at.account, at.region), &wanted)
        }
    }
}

/// The registries of AWS itself are left out: nobody may look into them, and everybody may pull from them.
fn by_registry(images: &[String]) -> BTreeMap<At, Wanted> {
    let mut registries: BTreeMap<At, Wanted> = BTreeMap::new();
    for image in images.iter().filter_map(|image| ImageRef::parse(image)) {
        let (Some(account), Some(region), Some(repository)) = (image.account, image.region, image.repository)
        else {
            continue;
        };
        if aws_accounts::is_add_on_registry(&account) {
            continue;
        }
        // The digest decides where an image has both.
        let reference = image.digest.or(image.tag).unwrap_or_else(|| "latest".to_owned());
        registries.entry((account, region)).or_default().entry(repository).or_default().insert(reference);
    }
    registries
}

/// Everything that is wanted of one registry.
async fn whole(registry: Registry, wanted: Wanted, home: &str, turns: Turns) -> Snapshot {
    let (mut reads, everything) = (JoinSet::new(), wanted.clone());
    let mut read = |reading: Pin<Box<dyn Future<Output = Snapshot> + Send>>| {
        let turns = turns.clone();
        reads.spawn(async move { turns.take(reading).await });
    };
    for (name, references) in wanted {
        let (images_of, of_images) = (registry.clone(), name.clone());
        read(Box::pin(async move { images(&images_of, &of_images, references.into_iter().collect()).await }));
        let (registry, home) = (registry.clone(), home.to_owned());
        read(Box::pin(async move { policy_and_tags(&registry, &name, &home).await }));
    }
    let policy_of = registry.clone();
    read(Box::pin(async move {
        let policy = policy_of.registry_policy().await;
        known("ecr:GetRegistryPolicy", policy_of.resource(), policy.map(|policy| vec![policy]))
    }));
    let mut part = all(reads).await;
    // What is there need not be fetched by a cache.
    let is_there = |(name, references): (&String, &BTreeSet<String>)| {
        references.iter().all(|one| matches!(part.image(registry.at(name), one), Seen::Known(_)))
    };
    if !everything.iter().all(is_there) {
        let rules = turns.take(cache_rules(&registry)).await;
        absorb(&mut part, rules);
    }
    part
}

/// The policy of a repository. Where it may have to be changed, also its tags: they tell who else writes it. That is so
/// in another account, whose repository names nobody of ours.
async fn policy_and_tags(registry: &Registry, name: &str, home: &str) -> Snapshot {
    let resource = registry.at(name).resource();
    let policy = registry.repository_policy(name).await;
    let names_us = |policy: &RegistryDocument| {
        policy.policy_text.as_ref().is_some_and(|text| text.as_str().contains(home))
    };
    let may_be_changed = registry.at(name).account != home && policy.as_ref().is_ok_and(|row| !names_us(row));
    let mut part = known("ecr:GetRepositoryPolicy", resource.clone(), policy.map(|policy| vec![policy]));
    if may_be_changed {
        let tags = registry.tags(name).await;
        absorb(&mut part, known("ecr:ListTagsForResource", resource, tags.map(|tags| vec![tags])));
    }
    part
}

/// The pull-through caches of a registry.
async fn cache_rules(registry: &Registry) -> Snapshot {
    let (rules, resource) = (registry.pull_through_cache_rules().await, registry.resource());
    let none = rules.as_ref().is_ok_and(Vec::is_empty);
    let mut part = known("ecr:DescribePullThroughCacheRules", resource.clone(), rules);
    if none {
        // A list without rows does not say whose it is.
        part.not_found.insert(format!("ecr:DescribePullThroughCacheRules {resource}"));
    }
    part
}

/// The images of a repository: all in one call, and one by one where that fails because one of them does not exist.
/// Then the manifests of those for several platforms, and what may have taken those away that are missing.
async fn images(registry: &Registry, name: &str, references: Vec<String>) -> Snapshot {
    const CALL: &str = "ecr:DescribeImages";
    let mut part = Snapshot::default();
    for some in references.chunks(AT_ONCE) {
        match registry.images(name, some).await {
            Err(refused) if refused.because == "ImageNotFoundException" && some.len() > 1 => {
                for one in some {
                    let answer = registry.images(name, std::slice::from_ref(one)).await;
                    absorb(&mut part, known(CALL, registry.at(name).image(one), answer));
                }
            }
            Ok(rows) => absorb(&mut part, known(CALL, String::new(), Ok(rows))),
            Err(refused) => {
                // What lists the images of a repository tells whether there is one.
                match refused.because.as_str() {
                    "RepositoryNotFoundException" => {
                        let resource = registry.at(name).resource();
                        part.not_found.insert(format!("ecr:DescribeRepositories {resource}"));
                    }
                    "ImageNotFoundException" => {}
                    _ => absorb(&mut part, repositories(registry, vec![name.to_owned()]).await),
                }
                for one in some {
                    let answer = Err::<Vec<ImageDetail>, _>(refused.clone());
                    absorb(&mut part, known(CALL, registry.at(name).image(one), answer));
                }
            }
        }
    }
    let media_type = |reference: &String| match part.image(registry.at(name), reference) {
        Seen::Known(image) => image.image_manifest_media_type.clone().unwrap_or_default(),
        Seen::Absent | Seen::Unread(_) => String::new(),
    };
    let indexes: Vec<String> = references
        .iter()
        .filter(|reference| INDEXES.contains(&media_type(reference).as_str()))
        .cloned()
        .collect();
    let missing = references.iter().any(|one| part.image(registry.at(name), one) == Seen::Absent);
    let (manifests, lifecycle) =
        tokio::join!(manifests(registry, name, indexes), lifecycle(registry, name, missing));
    absorb(&mut part, manifests);
    absorb(&mut part, lifecycle);
    part
}

async fn manifests(registry: &Registry, name: &str, indexes: Vec<String>) -> Snapshot {
    const CALL: &str = "ecr:BatchGetImage";
    let mut part = Snapshot::default();
    for some in indexes.chunks(AT_ONCE) {
        match registry.manifests(name, some).await {
            Ok(rows) => absorb(&mut part, known(CALL, String::new(), Ok(rows))),
            Err(refused) => {
                for one in some {
                    let answer = Err::<Vec<ImageDetail>, _>(refused.clone());
                    absorb(&mut part, known(CALL, registry.at(name).image(one), answer));
                }
            }
        }
    }
    part
}

async fn lifecycle(registry: &Registry, name: &str, missing: bool) -> Snapshot {
    if !missing {
        return Snapshot::default();
    }
    let policy = registry.lifecycle_policy(name).await.map(|policy| vec![policy]);
    known("ecr:GetLifecyclePolicy", registry.at(name).resource(), policy)
}

/// All in one call; one by one where that fails because one of them does not exist.
async fn repositories(registry: &Registry, names: Vec<String>) -> Snapshot {
    const CALL: &str = "ecr:DescribeRepositories";
    let mut part = Snapshot::default();
    for names in names.chunks(AT_ONCE) {
        match (registry.repositories(names).await, names) {
            (Err(refused), [_, _, ..]) if refused.reason == Reason::NotFound => {
                for name in names {
                    let one = registry.repositories(std::slice::from_ref(name)).await;
                    absorb(&mut part, known(CALL, registry.at(name).resource(), one));
                }
            }
            (Ok(rows), _) => absorb(&mut part, known(CALL, String::new(), Ok(rows))),
            (Err(refused), _) => {
                for name in names {
                    absorb(
                        &mut part,
                        known::<Repository>(CALL, registry.at(name).resource(), Err(refused.clone())),
                    );
                }
            }
        }
    }
    part
}

/// What an answer tells: rows, that there is no such thing, or nothing.
fn known<R: Record>(call: &str, resource: String, answer: Result<Vec<R>, Refused>) -> Snapshot {
    let mut part = Snapshot::default();
    match answer {
        Ok(rows) => {
            part.keys.insert(R::TABLE.key.to_owned());
            rows.into_iter().for_each(|row| part.put(row));
        }
        Err(refused) if refused.reason == Reason::NotFound => {
            part.not_found.insert(format!("{call} {resource}"));
        }
        Err(refused) => part.unread.push(Unread { resource, ..refused.unread(hides(refused.call)) }),
    }
    part
}

/// The registry is in an account that we have no way into: says so of everything that was wanted there.
fn nobody_looked(refused: &Refused, (account, region): (&str, &str), wanted: &Wanted) -> Snapshot {
    let mut part = Snapshot::default();
    let mut unread = |call: &'static str, resource: String| {
        part.unread.push(Unread {
            source: call.to_owned(),
            resource,
            because: format!("{}: {}", refused.call, refused.because),
            hides: hides(call).iter().map(|cause| (*cause).to_owned()).collect(),
            request_id: refused.request_id.clone(),
        });
    };
    unread("ecr:GetRegistryPolicy", format!("{account}/{region}"));
    unread("ecr:DescribePullThroughCacheRules", format!("{account}/{region}"));
    for (name, references) in wanted {
        let at = RepositoryName { account, region, name };
        unread("ecr:DescribeRepositories", at.resource());
        unread("ecr:GetRepositoryPolicy", at.resource());
        references.iter().for_each(|reference| unread("ecr:DescribeImages", at.image(reference)));
    }
    part
}

async fn all(reads: JoinSet<Snapshot>) -> Snapshot {
    let mut whole = Snapshot::default();
    for part in reads.join_all().await {
        absorb(&mut whole, part);
    }
    whole
}

/// Takes over what was read of registries.
pub(super) fn absorb(whole: &mut Snapshot, part: Snapshot) {
    whole.repositories.extend(part.repositories);
    whole.repository_tags.extend(part.repository_tags);
    whole.image_details.extend(part.image_details);
    whole.image_manifests.extend(part.image_manifests);
    whole.lifecycle_policies.extend(part.lifecycle_policies);
    whole.pull_through_cache_rules.extend(part.pull_through_cache_rules);
    whole.registry_documents.extend(part.registry_documents);
    whole.not_found.extend(part.not_found);
    whole.keys.extend(part.keys);
    whole.unread.extend(part.unread);
}

#[test]
fn each_registry_is_asked_once_and_those_of_aws_never() {
    let images = [
        "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1",
        "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app",
        "111122223333.dkr.ecr.us-east-1.amazonaws.com/app:v1@sha256:0000000000000000000000000000000000000000000000000000000000000001",
        "602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/coredns:v1",
        "nginx",
    ];
    let registries = by_registry(&images.map(str::to_owned));
    let told: Vec<String> = registries
        .iter()
        .map(|((account, region), wanted)| format!("{account} {region} {wanted:?}"))
        .collect();
    assert_eq!(
        told,
        [
            r#"111122223333 eu-west-1 {"app": {"latest", "v1"}}"#,
            r#"111122223333 us-east-1 {"app": {"sha256:0000000000000000000000000000000000000000000000000000000000000001"}}"#,
        ]
    );
}
