//! ECR in the shape that the AWS CLI prints it: repositories, their policies, and images.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use super::snapshot::{Record, Snapshot, Table};
use super::{PolicyText, Seen};

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

/// The CLI prints these documents as text, not as JSON.
fn as_text<S: Serializer>(policy: &Option<PolicyText>, to: S) -> Result<S::Ok, S::Error> {
    policy.as_ref().map(PolicyText::as_str).serialize(to)
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
}

impl Snapshot {
    /// A repository, if it is known whether it exists.
    pub fn repository(&self, at: RepositoryName<'_>) -> Seen<&Repository> {
        let found = self.repositories.values().find(|row| {
            let mut parts = row.repository_arn.split(':').skip(3);
            parts.next() == Some(at.region)
                && parts.next() == Some(at.account)
                && row.repository_name == at.name
        });
        found.map_or_else(|| self.not_there("ecr:DescribeRepositories", &at.resource()), Seen::Known)
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
        let found = self.image_details.values().find(|row| {
            row.registry_id == at.account
                && row.repository_name == at.name
                && row.region.as_deref().is_none_or(|region| region == at.region)
                && (row.image_digest == reference || row.image_tags.iter().any(|tag| tag == reference))
        });
        found.map_or_else(|| self.not_there("ecr:DescribeImages", &at.image(reference)), Seen::Known)
    }

    fn registry_document(
        &self,
        at: RepositoryName<'_>,
        name: Option<&str>,
        source: &str,
        resource: &str,
    ) -> Seen<&PolicyText> {
        let found = self.registry_documents.values().find(|row| {
            row.registry_id == at.account
                && row.repository_name.as_deref() == name
                && row.region.as_deref().is_none_or(|region| region == at.region)
        });
        match found.map(|row| &row.policy_text) {
            Some(Some(policy)) => Seen::Known(policy),
            Some(None) => Seen::Absent,
            None => self.not_there(source, resource),
        }
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

/// The keys of ECR.
pub const TABLES: &[Table] = &[Repository::TABLE, ImageDetail::TABLE, RegistryDocument::TABLE];

impl Record for Repository {
    const TABLE: Table = Table::list::<Repository>("repositories");

    fn id(&self) -> String {
        self.repository_arn.clone()
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        &mut snapshot.repositories
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
