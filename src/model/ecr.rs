//! ECR in the shape that the AWS CLI prints it: repositories, their policies, and images.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize, Serializer};

use super::iam::Tag;
use super::kms::KmsKey;
use super::snapshot::{FileReader, Misshapen, Record, Snapshot, Table, file_name, pretty, read_key};
use super::{Partition, PolicyText, Seen};
use crate::json_text::Fields;

/// A repository, as in `repositories`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Repository {
    /// Names the account and the region.
    pub repository_arn: String,
    /// The account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry_id: Option<String>,
    /// With its namespaces.
    #[serde(default)]
    pub repository_name: String,
    /// What images of it start with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_uri: Option<String>,
    /// `MUTABLE`, `IMMUTABLE`, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_tag_mutability: Option<String>,
    /// What encrypts its layers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption_configuration: Option<EncryptionConfiguration>,
}

/// The tags of a repository. AWS prints them alone, without saying whose they are: ecr-fix keeps them with its ARN, as
/// `repositoryTags`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryTags {
    /// Of the repository.
    pub repository_arn: String,
    /// Who made it, among others.
    #[serde(default)]
    pub tags: Vec<Tag>,
}

/// `encryptionConfiguration` of a repository.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EncryptionConfiguration {
    /// `AES256`, `KMS`, `KMS_DSSE`.
    #[serde(default)]
    pub encryption_type: String,
    /// The key, mostly by its ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
}

/// An image, as in `imageDetails`: one manifest with its tags.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageDetail {
    /// The account.
    #[serde(default)]
    pub registry_id: String,
    /// The region. AWS does not print it; without it the image is one of every region of the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The repository.
    #[serde(default)]
    pub repository_name: String,
    /// `sha256:…`.
    #[serde(default)]
    pub image_digest: String,
    /// None for an image without tags.
    #[serde(default)]
    pub image_tags: Vec<String>,
    /// The kind of manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_manifest_media_type: Option<String>,
    /// The kind of what the manifest is about, where it is no image: a chart, a signature, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_media_type: Option<String>,
    /// `ACTIVE`, `ARCHIVED`, `ACTIVATING`; not printed by old versions of the CLI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_status: Option<String>,
}

/// The policy of a repository, or of a whole registry: what `get-repository-policy` and `get-registry-policy` print.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistryDocument {
    /// The account.
    #[serde(default)]
    pub registry_id: String,
    /// The region. AWS does not print it; without it the policy is one of every region of the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// `None`: the policy of the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_name: Option<String>,
    /// The document; `None` where it is known that there is none.
    #[serde(default, serialize_with = "as_text")]
    pub policy_text: Option<PolicyText>,
}

/// An image with its manifest, as in `images` of `aws ecr batch-get-image`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageManifest {
    /// The account.
    #[serde(default)]
    pub registry_id: String,
    /// The region. AWS does not print it; without it the image is one of every region of the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The repository.
    #[serde(default)]
    pub repository_name: String,
    /// Its digest, and the tag that it was asked for by.
    #[serde(default)]
    pub image_id: ImageId,
    /// The manifest itself: JSON, as text.
    #[serde(default)]
    pub image_manifest: String,
    /// The kind of manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_manifest_media_type: Option<String>,
}

/// One name of an image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageId {
    /// `sha256:…`.
    #[serde(default)]
    pub image_digest: String,
    /// None where it was asked for by its digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_tag: Option<String>,
}

/// What an image runs on.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Platform {
    /// `linux`, `windows`; `unknown` for attestations.
    pub os: String,
    /// `amd64`, `arm64`.
    pub architecture: String,
}

impl ImageManifest {
    /// The platforms of an index, without its attestations; `None` where the manifest is no index, or says of one of its
    /// images not what that runs on.
    pub fn platforms(&self) -> Option<Vec<Platform>> {
        #[derive(Deserialize)]
        struct Index {
            manifests: Vec<Entry>,
        }
        #[derive(Deserialize)]
        struct Entry {
            platform: Option<Platform>,
        }
        let index: Index = serde_json::from_str(&self.image_manifest).ok()?;
        let platforms: Option<Vec<Platform>> =
            index.manifests.into_iter().map(|entry| entry.platform).collect();
        let mut platforms = platforms?;
        platforms.retain(|platform| platform.os != "unknown");
        platforms.sort();
        platforms.dedup();
        Some(platforms)
    }
}

/// A layer of an image, as its manifest lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LayerDescriptor {
    /// Its kind.
    pub media_type: String,
    /// `sha256:…`.
    pub digest: String,
}

impl LayerDescriptor {
    /// Whether registries need not have it: whoever pulls fetches it from where its maker keeps it.
    ///
    /// Source: OCI image specification, "Non-Distributable Layers"; Docker manifest schema 2.
    pub fn is_foreign(&self) -> bool {
        ["foreign", "nondistributable"].iter().any(|word| self.media_type.contains(word))
    }
}

impl ImageManifest {
    /// The layers of an image for one platform; `None` where the manifest is none of those.
    pub fn layers(&self) -> Option<Vec<LayerDescriptor>> {
        #[derive(Deserialize)]
        struct Manifest {
            layers: Vec<LayerDescriptor>,
        }
        let manifest: Manifest = serde_json::from_str(&self.image_manifest).ok()?;
        Some(manifest.layers)
    }

    /// The digests of the images that an index lists.
    pub fn entries(&self) -> Vec<String> {
        #[derive(Deserialize)]
        struct Index {
            manifests: Vec<Entry>,
        }
        #[derive(Deserialize)]
        struct Entry {
            #[serde(default)]
            digest: String,
        }
        let index: Option<Index> = serde_json::from_str(&self.image_manifest).ok();
        index.into_iter().flat_map(|index| index.manifests).map(|entry| entry.digest).collect()
    }
}

/// Whether a layer is there, as `aws ecr batch-check-layer-availability` prints it under `layers`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Layer {
    /// The account. AWS does not print it, nor the region and the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry_id: Option<String>,
    /// The region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_name: Option<String>,
    /// `sha256:…`.
    #[serde(default)]
    pub layer_digest: String,
    /// `AVAILABLE`, `UNAVAILABLE`.
    #[serde(default)]
    pub layer_availability: String,
}

impl Layer {
    /// Whether ECR says that it does not have it.
    pub fn is_missing(&self) -> bool {
        self.layer_availability.eq_ignore_ascii_case("UNAVAILABLE")
    }

    /// Whether it may be one of a repository: what was not said fits all.
    pub fn is_of(&self, at: RepositoryName<'_>) -> bool {
        let fits = |said: &Option<String>, is: &str| said.as_deref().is_none_or(|said| said == is);
        fits(&self.registry_id, at.account)
            && fits(&self.region, at.region)
            && fits(&self.repository_name, at.name)
    }

    fn id(&self) -> String {
        let part = |part: &Option<String>| part.clone().unwrap_or_default();
        let (registry, region) = (part(&self.registry_id), part(&self.region));
        format!("{registry}/{region}/{}@{}", part(&self.repository_name), self.layer_digest)
    }
}

/// A rule by which a registry fetches images from another one, as in `pullThroughCacheRules`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PullThroughCacheRule {
    /// The account.
    #[serde(default)]
    pub registry_id: String,
    /// The region. AWS does not print it; without it the rule is one of every region of the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The beginning of the names that it is about; `ROOT` for all of the registry.
    #[serde(default)]
    pub ecr_repository_prefix: String,
    /// `registry-1.docker.io`, `public.ecr.aws`, ….
    #[serde(default)]
    pub upstream_registry_url: String,
    /// What stands for the prefix in the registry behind; `ROOT` or nothing where that is the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_repository_prefix: Option<String>,
    /// The secret with the credentials for the registry behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_arn: Option<String>,
    /// Whether the registry behind takes the credentials, as `aws ecr validate-pull-through-cache-rule` prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_valid: Option<bool>,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// The rule of a whole registry.
const ROOT: &str = "ROOT";

impl PullThroughCacheRule {
    /// What is left of a name behind the prefix; `None` where the rule is not about it.
    pub fn rest<'n>(&self, name: &'n str) -> Option<&'n str> {
        if self.ecr_repository_prefix == ROOT {
            return Some(name);
        }
        name.strip_prefix(self.ecr_repository_prefix.as_str())?
            .strip_prefix('/')
            .filter(|rest| !rest.is_empty())
    }

    /// What the registry behind calls a repository.
    pub fn upstream_name(&self, name: &str) -> Option<String> {
        let rest = self.rest(name)?;
        let prefix = self.upstream_repository_prefix.as_deref().filter(|prefix| *prefix != ROOT);
        Some(prefix.map_or_else(|| rest.to_owned(), |prefix| format!("{prefix}/{rest}")))
    }

    /// The longer the prefix, the nearer the rule.
    fn nearness(&self) -> usize {
        if self.ecr_repository_prefix == ROOT { 0 } else { self.ecr_repository_prefix.len() }
    }
}

/// When a repository forgets its images: what `aws ecr get-lifecycle-policy` prints.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LifecyclePolicy {
    /// The account.
    #[serde(default)]
    pub registry_id: String,
    /// The region. AWS does not print it; without it the policy is one of every region of the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The repository.
    #[serde(default)]
    pub repository_name: String,
    /// The document; `None` where it is known that there is none.
    #[serde(default, serialize_with = "as_text")]
    pub lifecycle_policy_text: Option<PolicyText>,
}

impl LifecyclePolicy {
    /// The priority of a rule that takes images of this tag away, and what it counts; images without a tag are `None`.
    pub fn expires(&self, tag: Option<&str>) -> Option<String> {
        #[derive(Deserialize)]
        struct Document {
            #[serde(default)]
            rules: Vec<Rule>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Rule {
            #[serde(default)]
            rule_priority: u64,
            selection: Selection,
            action: Action,
        }
        #[derive(Deserialize)]
        struct Action {
            r#type: String,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Selection {
            tag_status: String,
            #[serde(default)]
            tag_prefix_list: Vec<String>,
            #[serde(default)]
            tag_pattern_list: Vec<String>,
            count_type: String,
            #[serde(default)]
            count_number: u64,
        }
        let selects = |selection: &Selection| match (selection.tag_status.as_str(), tag) {
            ("any", _) | ("untagged", None) => true,
            // Every prefix and pattern of a rule has to fit one of the tags: the image may have had others.
            ("tagged", Some(tag)) => {
                selection.tag_prefix_list.iter().any(|prefix| tag.starts_with(prefix.as_str()))
                    || selection.tag_pattern_list.iter().any(|pattern| fits(pattern, tag))
            }
            _ => false,
        };
        let document: Document = serde_json::from_str(self.lifecycle_policy_text.as_ref()?.as_str()).ok()?;
        let rule =
            document.rules.iter().find(|rule| rule.action.r#type == "expire" && selects(&rule.selection))?;
        let (kind, number) = (&rule.selection.count_type, rule.selection.count_number);
        Some(format!("rule {} expires such images ({kind} {number})", rule.rule_priority))
    }
}

/// Whether a tag fits a pattern, in which `*` stands for any text.
fn fits(pattern: &str, tag: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == tag,
        Some((start, rest)) => tag.strip_prefix(start).is_some_and(|tag| {
            tag.char_indices()
                .map(|(at, _)| at)
                .chain([tag.len()])
                .any(|at| fits(rest, tag.get(at..).unwrap_or_default()))
        }),
    }
}

/// The CLI prints these documents as text, not as JSON.
fn as_text<S: Serializer>(policy: &Option<PolicyText>, to: S) -> Result<S::Ok, S::Error> {
    policy.as_ref().map(PolicyText::as_str).serialize(to)
}

/// The key that encrypts a repository.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Key<'a> {
    /// With its state.
    Described(&'a KmsKey),
    /// By the name that the repository has for it: nobody read how it is.
    OfUnknownState(&'a str),
}

/// A repository by account, region and name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RepositoryName<'a> {
    /// Of the registry.
    pub account: &'a str,
    /// Of the registry.
    pub region: &'a str,
    /// With its namespaces.
    pub name: &'a str,
}

impl RepositoryName<'_> {
    /// Under which a refused read of it stands in `unread`.
    pub fn resource(&self) -> String {
        format!("{}/{}/{}", self.account, self.region, self.name)
    }

    /// The same for one image of it, by its tag or digest.
    pub fn image(&self, reference: &str) -> String {
        let separator = if reference.starts_with("sha256:") { '@' } else { ':' };
        format!("{}{separator}{reference}", self.resource())
    }

    /// Its ARN.
    pub fn arn(&self) -> String {
        let partition = Partition::of_region(self.region).name;
        format!("arn:{partition}:ecr:{}:{}:repository/{}", self.region, self.account, self.name)
    }

    /// What its rows begin with in tables: those that say no region come first.
    fn keys(&self) -> [String; 2] {
        [format!("{}//{}", self.account, self.name), self.resource()]
    }

    /// Its row in a table that has one for each repository.
    fn row<'a, R>(&self, table: &'a BTreeMap<String, R>) -> Option<&'a R> {
        self.keys().iter().find_map(|key| table.get(key))
    }

    /// Its rows in a table where `separator` and more follow the name of the repository.
    fn rows<'a, R>(&self, table: &'a BTreeMap<String, R>, separator: &str) -> impl Iterator<Item = &'a R> {
        let keys = self.keys().map(|key| key + separator);
        keys.into_iter().flat_map(|key| {
            let from = table.range::<String, _>(&key..);
            from.take_while(move |(row, _)| row.starts_with(&key)).map(|(_, row)| row)
        })
    }
}

impl Snapshot {
    /// A repository, if it is known whether it exists.
    pub fn repository(&self, at: RepositoryName<'_>) -> Seen<&Repository> {
        self.repositories
            .get(&at.arn())
            .map_or_else(|| self.not_there("ecr:DescribeRepositories", &at.resource()), Seen::Known)
    }

    /// The policy of a repository: absent where it is known that there is none.
    pub fn repository_policy(&self, at: RepositoryName<'_>) -> Seen<&PolicyText> {
        self.registry_document(at, Some(at.name), "ecr:GetRepositoryPolicy", &at.resource())
    }

    /// The policy of the registry that a repository is in: absent where it is known that there is none.
    pub fn registry_policy(&self, at: RepositoryName<'_>) -> Seen<&PolicyText> {
        let registry = format!("{}/{}", at.account, at.region);
        self.registry_document(at, None, "ecr:GetRegistryPolicy", &registry)
    }

    /// An image by its tag or its digest.
    pub fn image(&self, at: RepositoryName<'_>, reference: &str) -> Seen<&ImageDetail> {
        let is_it = |row: &&ImageDetail| {
            row.image_digest == reference || row.image_tags.iter().any(|tag| tag == reference)
        };
        let found = at.rows(&self.image_details, "@").find(is_it);
        found.map_or_else(|| self.not_there("ecr:DescribeImages", &at.image(reference)), Seen::Known)
    }

    /// The manifest of an image, by its tag or its digest.
    pub fn manifest(&self, at: RepositoryName<'_>, reference: &str) -> Seen<&ImageManifest> {
        let digest = match self.image(at, reference) {
            Seen::Known(image) => image.image_digest.clone(),
            Seen::Absent | Seen::Unread(_) => String::new(),
        };
        let found = at.rows(&self.image_manifests, ":").find(|row| {
            row.image_id.image_digest == reference
                || row.image_id.image_digest == digest
                || digest.is_empty() && row.image_id.image_tag.as_deref() == Some(reference)
        });
        found.map_or_else(|| self.not_there("ecr:BatchGetImage", &at.image(reference)), Seen::Known)
    }

    /// The lifecycle policy of a repository: absent where it is known that there is none.
    pub fn lifecycle_policy(&self, at: RepositoryName<'_>) -> Seen<&LifecyclePolicy> {
        match at.row(&self.lifecycle_policies) {
            Some(row) if row.lifecycle_policy_text.is_none() => Seen::Absent,
            Some(row) => Seen::Known(row),
            None => self.not_there("ecr:GetLifecyclePolicy", &at.resource()),
        }
    }

    /// The nearest pull-through cache rule that a repository falls under: absent where it is known that there is none.
    /// A list without rows names no registry: it is that of the account `home`.
    pub fn pull_through_cache_rule(&self, at: RepositoryName<'_>, home: &str) -> Seen<&PullThroughCacheRule> {
        const CALL: &str = "ecr:DescribePullThroughCacheRules";
        let registry = format!("{}/{}", at.account, at.region);
        let of_registry = |row: &&PullThroughCacheRule| {
            row.registry_id == at.account && row.region.as_deref().is_none_or(|region| region == at.region)
        };
        let rules = || self.pull_through_cache_rules.values().filter(of_registry);
        let nearest = rules().filter(|rule| rule.rest(at.name).is_some()).max_by_key(|rule| rule.nearness());
        match nearest {
            Some(rule) => Seen::Known(rule),
            None if rules().next().is_some() => Seen::Absent,
            None => match self.not_there(CALL, &registry) {
                Seen::Unread(because) if self.unread.iter().any(|row| row.source == CALL) => {
                    Seen::Unread(because)
                }
                Seen::Unread(_) if at.account == home && self.keys.contains("pullThroughCacheRules") => {
                    Seen::Absent
                }
                seen => seen,
            },
        }
    }

    fn registry_document(
        &self,
        at: RepositoryName<'_>,
        name: Option<&str>,
        source: &str,
        resource: &str,
    ) -> Seen<&PolicyText> {
        let at = RepositoryName { name: name.unwrap_or_default(), ..at };
        match at.row(&self.registry_documents).map(|row| &row.policy_text) {
            Some(Some(policy)) => Seen::Known(policy),
            Some(None) => Seen::Absent,
            None => self.not_there(source, resource),
        }
    }

    /// The key that encrypts a repository: absent where none of KMS does.
    pub fn repository_key(&self, at: RepositoryName<'_>) -> Seen<Key<'_>> {
        let repository = match self.repository(at) {
            Seen::Known(repository) => repository,
            Seen::Absent => return Seen::Absent,
            Seen::Unread(because) => return Seen::Unread(because),
        };
        let of_repository = repository.encryption_configuration.as_ref();
        let Some(name) = of_repository.and_then(|of| of.kms_key.as_deref()) else { return Seen::Absent };
        let is_it = |key: &&KmsKey| key.arn == name || key.key_id == name;
        let known = self.kms_keys.values().find(is_it).filter(|key| key.key_state.is_some());
        Seen::Known(known.map_or(Key::OfUnknownState(name), Key::Described))
    }

    /// A registry is never read whole, so what is not there is absent only if it was asked for by name.
    fn not_there<T>(&self, source: &str, resource: &str) -> Seen<T> {
        match self.unread.iter().find(|row| row.source == source && row.resource == resource) {
            Some(unread) => Seen::Unread(format!("{source}: {}", unread.because)),
            None if self.not_found.contains(&format!("{source} {resource}")) => Seen::Absent,
            None => Seen::Unread(format!("{source}: not in the snapshot")),
        }
    }
}

/// The keys of ECR that belong to a repository which stands beside them, if anywhere.
pub const FILE_READERS: &[FileReader] = &[FileReader { key: "layers", read: read_layers }];

/// The files of what stands beside a repository: the name of each, without its ending, and its text.
pub fn files_by_id(layers: &BTreeMap<String, Layer>) -> Vec<(String, String)> {
    let files = layers.iter().map(|(id, layer)| {
        let row = serde_json::json!({
            "layerDigest": layer.layer_digest, "layerAvailability": layer.layer_availability,
        });
        let beside = [
            ("registryId", &layer.registry_id),
            ("region", &layer.region),
            ("repositoryName", &layer.repository_name),
        ];
        let mut value = serde_json::json!({ "layers": [row] });
        for (key, text) in beside {
            if let (Some(object), Some(text)) = (value.as_object_mut(), text) {
                object.insert(key.to_owned(), text.as_str().into());
            }
        }
        (format!("layers-{}", file_name(id)), pretty(&value))
    });
    files.collect()
}

/// Layers by the repository that the file names (`registryId`, `region`, `repositoryName`), as far as it does.
fn read_layers(snapshot: &mut Snapshot, top: &Fields<'_>, _file: &Path) -> Result<bool, Misshapen> {
    let registry_id: Option<String> = read_key(top, "registryId")?;
    let region: Option<String> = read_key(top, "region")?;
    let repository_name: Option<String> = read_key(top, "repositoryName")?;
    for layer in read_key::<Vec<Layer>>(top, "layers")? {
        let layer = Layer {
            registry_id: registry_id.clone(),
            region: region.clone(),
            repository_name: repository_name.clone(),
            ..layer
        };
        snapshot.layers.insert(layer.id(), layer);
    }
    Ok(true)
}

/// The keys of ECR.
pub const TABLES: &[Table] = &[
    Repository::TABLE,
    ImageDetail::TABLE,
    ImageManifest::TABLE,
    RegistryDocument::TABLE,
    PullThroughCacheRule::TABLE,
    Table::whole_file::<PullThroughCacheRule>("isValid"),
    LifecyclePolicy::TABLE,
    RepositoryTags::TABLE,
];

impl Record for ImageManifest {
    const TABLE: Table = Table::list::<ImageManifest>("images");

    fn id(&self) -> String {
        let region = self.region.as_deref().unwrap_or_default();
        let ImageId { image_digest, image_tag } = &self.image_id;
        let tag = image_tag.as_deref().unwrap_or_default();
        format!("{}/{region}/{}:{tag}@{image_digest}", self.registry_id, self.repository_name)
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        &mut snapshot.image_manifests
    }
}

impl Record for PullThroughCacheRule {
    const TABLE: Table = Table::list::<PullThroughCacheRule>("pullThroughCacheRules");

    fn id(&self) -> String {
        let region = self.region.as_deref().unwrap_or_default();
        format!("{}/{region}/{}", self.registry_id, self.ecr_repository_prefix)
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        &mut snapshot.pull_through_cache_rules
    }

    /// One call lists the rule, and another one tells whether it is valid.
    fn merge(&mut self, newer: Self) {
        let older = std::mem::replace(self, newer);
        self.upstream_repository_prefix =
            self.upstream_repository_prefix.take().or(older.upstream_repository_prefix);
        self.credential_arn = self.credential_arn.take().or(older.credential_arn);
        self.is_valid = self.is_valid.or(older.is_valid);
        self.failure = self.failure.take().or(older.failure);
    }
}

impl Record for LifecyclePolicy {
    const TABLE: Table = Table::whole_file::<LifecyclePolicy>("lifecyclePolicyText");

    fn id(&self) -> String {
        let region = self.region.as_deref().unwrap_or_default();
        format!("{}/{region}/{}", self.registry_id, self.repository_name)
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        &mut snapshot.lifecycle_policies
    }
}

impl Record for Repository {
    const TABLE: Table = Table::list::<Repository>("repositories");

    fn id(&self) -> String {
        self.repository_arn.clone()
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        &mut snapshot.repositories
    }
}

impl Record for RepositoryTags {
    const TABLE: Table = Table::list::<RepositoryTags>("repositoryTags");

    fn id(&self) -> String {
        self.repository_arn.clone()
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        &mut snapshot.repository_tags
    }
}

impl Record for ImageDetail {
    const TABLE: Table = Table::list::<ImageDetail>("imageDetails");

    fn id(&self) -> String {
        let region = self.region.as_deref().unwrap_or_default();
        format!("{}/{region}/{}@{}", self.registry_id, self.repository_name, self.image_digest)
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        &mut snapshot.image_details
    }
}

impl Record for RegistryDocument {
    const TABLE: Table = Table::whole_file::<RegistryDocument>("policyText");

    fn id(&self) -> String {
        let region = self.region.as_deref().unwrap_or_default();
        format!("{}/{region}/{}", self.registry_id, self.repository_name.as_deref().unwrap_or_default())
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        &mut snapshot.registry_documents
    }
}

#[test]
fn what_was_not_asked_for_is_not_known_to_be_absent() {
    let at = RepositoryName { account: "111122223333", region: "eu-west-1", name: "team/app" };
    let mut world = Snapshot::default();
    assert!(matches!(world.image(at, "v1"), Seen::Unread(_)));
    world.not_found.insert(format!("ecr:DescribeImages {}", at.image("v1")));
    assert_eq!(world.image(at, "v1"), Seen::Absent);
    assert!(matches!(world.image(at, "v2"), Seen::Unread(_)));
    world.put(ImageDetail {
        registry_id: at.account.to_owned(),
        repository_name: at.name.to_owned(),
        image_digest: "sha256:1".to_owned(),
        image_tags: vec!["v2".to_owned()],
        ..ImageDetail::default()
    });
    assert!(matches!(world.image(at, "v2"), Seen::Known(_)));
    assert!(matches!(world.image(at, "sha256:1"), Seen::Known(_)));
    assert!(matches!(world.repository_policy(at), Seen::Unread(_)));
    world.put(RegistryDocument {
        registry_id: at.account.to_owned(),
        repository_name: Some(at.name.to_owned()),
        ..RegistryDocument::default()
    });
    assert_eq!(world.repository_policy(at), Seen::Absent);
    assert!(matches!(world.registry_policy(at), Seen::Unread(_)));
}

#[test]
fn the_nearest_rule_decides_and_a_rule_of_another_registry_never() {
    fn at(name: &str) -> RepositoryName<'_> {
        RepositoryName { account: "111122223333", region: "eu-west-1", name }
    }
    let rule = |prefix: &str| PullThroughCacheRule {
        registry_id: "111122223333".to_owned(),
        region: Some("eu-west-1".to_owned()),
        ecr_repository_prefix: prefix.to_owned(),
        ..PullThroughCacheRule::default()
    };
    let mut world = Snapshot::default();
    let found = |world: &Snapshot, name: &str| match world.pull_through_cache_rule(at(name), "111122223333") {
        Seen::Known(rule) => rule.ecr_repository_prefix.clone(),
        Seen::Absent => "none".to_owned(),
        Seen::Unread(_) => "unread".to_owned(),
    };
    assert_eq!(found(&world, "hub/nginx"), "unread");
    world.keys.insert("pullThroughCacheRules".to_owned());
    assert_eq!(found(&world, "hub/nginx"), "none");
    assert!(matches!(world.pull_through_cache_rule(at("hub/nginx"), "444455556666"), Seen::Unread(_)));
    world.put(rule("hub"));
    assert_eq!(found(&world, "hub/nginx"), "hub");
    assert_eq!(found(&world, "hubble/nginx"), "none");
    assert_eq!(found(&world, "hub"), "none");
    world.put(rule("ROOT"));
    world.put(rule("hub/library"));
    assert_eq!(found(&world, "hub/library/nginx"), "hub/library");
    assert_eq!(found(&world, "app"), "ROOT");
    let other = RepositoryName { region: "us-east-1", ..at("hub/nginx") };
    assert_eq!(world.pull_through_cache_rule(other, "444455556666").known(), None);
}

#[test]
fn a_lifecycle_policy_says_which_tags_it_takes_away() {
    let policy = |selection: &str| LifecyclePolicy {
        lifecycle_policy_text: Some(PolicyText::new(format!(
            r#"{{"rules":[{{"rulePriority":1,"selection":{selection},"action":{{"type":"expire"}}}}]}}"#
        ))),
        ..LifecyclePolicy::default()
    };
    let any = policy(r#"{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":5}"#);
    assert_eq!(any.expires(Some("v1")).unwrap(), "rule 1 expires such images (imageCountMoreThan 5)");
    let untagged = policy(
        r#"{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":5}"#,
    );
    assert_eq!(untagged.expires(Some("v1")), None);
    assert!(untagged.expires(None).is_some());
    let tagged = policy(
        r#"{"tagStatus":"tagged","tagPatternList":["pr-*-x","v*"],"countType":"imageCountMoreThan","countNumber":5}"#,
    );
    assert!(tagged.expires(Some("v1")).is_some() && tagged.expires(Some("pr-12-x")).is_some());
    assert!(tagged.expires(Some("pr-12")).is_none() && tagged.expires(Some("main")).is_none());
    assert_eq!(LifecyclePolicy::default().expires(None), None);
}

#[test]
fn an_index_lists_its_platforms_and_an_image_has_none_to_list() {
    let of = |text: &str| {
        ImageManifest { image_manifest: text.to_owned(), ..ImageManifest::default() }.platforms()
    };
    let index = r#"{"manifests":[{"platform":{"os":"linux","architecture":"arm64","variant":"v8"}},
        {"platform":{"os":"linux","architecture":"amd64"}},{"platform":{"os":"unknown","architecture":"unknown"}}]}"#;
    let found: Vec<String> = of(index)
        .unwrap()
        .iter()
        .map(|platform| format!("{}/{}", platform.os, platform.architecture))
        .collect();
    assert_eq!(found, ["linux/amd64", "linux/arm64"]);
    assert_eq!(of(r#"{"manifests":[{"digest":"sha256:1"}]}"#), None, "it does not say");
    assert_eq!(of(r#"{"config":{}}"#), None);
}
