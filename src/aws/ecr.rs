//! ECR: repositories, their policies and images, in any account and region.

use aws_sdk_ecr::Client;
use aws_sdk_ecr::config::{Builder, Region};
use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecr::operation::RequestId;
use aws_sdk_ecr::types::{self, DescribeImagesFilter, ImageIdentifier, ImageStatusFilter};

use super::pages::{Unclear, Understand, pages};
use super::{Accounts, Reader, Refused, Writer};
use crate::actions::Sent;
use crate::model::PolicyText;
use crate::model::ecr::{
    EncryptionConfiguration, ImageDetail, ImageId, ImageManifest, LifecyclePolicy, PullThroughCacheRule,
    RegistryDocument, Repository, RepositoryName, RepositoryTags,
};
use crate::model::iam::Tag;

/// One registry: an account in a region, with credentials that may look there.
#[derive(Clone, Debug)]
pub struct Registry {
    account: String,
    region: String,
    client: Client,
}

impl Reader {
    /// The registry of an account in a region: with the role that was named for the account, or with the credentials
    /// of the caller, whose account is `home`.
    ///
    /// # Errors
    /// The role cannot be assumed, or none was named for an account that is not the caller's.
    pub async fn registry(&self, account: &str, region: &str, home: &str) -> Result<Registry, Refused> {
        let config = self.accounts.ecr(account, region, home).await?.interceptor(self.calls.clone());
        let client = Client::from_conf(config.build());
        Ok(Registry { account: account.to_owned(), region: region.to_owned(), client })
    }
}

impl Accounts {
    /// A client of ECR that acts in an account.
    async fn ecr(&self, account: &str, region: &str, home: &str) -> Result<Builder, Refused> {
        let config = Builder::from(&self.config).region(Region::new(region.to_owned()));
        match self.roles.get(account) {
            Some(role) => Ok(config.credentials_provider(self.assume(role).await?)),
            None if account == home => Ok(config),
            None => {
                let because = format!("no role was named with --account-role {account}=…");
                let refused = Refused::never_sent("sts:AssumeRole", &because);
                Err(Refused { resource: account.to_owned(), ..refused })
            }
        }
    }
}

impl Writer {
    /// `ecr:SetRepositoryPolicy`, which replaces the whole document. Without `force`: ECR refuses a policy that would
    /// lock the caller out.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn set_repository_policy(
        &self,
        at: RepositoryName<'_>,
        document: &str,
    ) -> Result<Sent, Refused> {
        let ask = self.registry(at).await?.set_repository_policy().registry_id(at.account);
        let answer = ask.repository_name(at.name).policy_text(document).send().await;
        answered("ecr:SetRepositoryPolicy", at, answer)
    }

    /// `ecr:DeleteRepositoryPolicy`.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn delete_repository_policy(&self, at: RepositoryName<'_>) -> Result<Sent, Refused> {
        let ask = self.registry(at).await?.delete_repository_policy().registry_id(at.account);
        let answer = ask.repository_name(at.name).send().await;
        answered("ecr:DeleteRepositoryPolicy", at, answer)
    }

    /// With the role that was named for the account, or with the credentials of the caller where it is theirs.
    async fn registry(&self, at: RepositoryName<'_>) -> Result<Client, Refused> {
        let home = match self.accounts.roles.contains_key(at.account) {
            true => String::new(),
            false => self.accounts.caller().await?.account,
        };
        Ok(Client::from_conf(self.accounts.ecr(at.account, at.region, &home).await?.build()))
    }
}

/// What was answered, or the refusal.
fn answered<T, E>(
    call: &'static str,
    at: RepositoryName<'_>,
    answer: Result<T, SdkError<E>>,
) -> Result<Sent, Refused>
where
    T: RequestId,
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match answer {
        Ok(answer) => Ok(Sent { request_id: answer.request_id().map(str::to_owned), assigned_id: None }),
        Err(error) => Err(Refused::from_sdk(call, &at.resource(), &error)),
    }
}

impl Registry {
    /// A repository of it.
    pub fn at<'a>(&'a self, name: &'a str) -> RepositoryName<'a> {
        RepositoryName { account: &self.account, region: &self.region, name }
    }

    /// Under which a refused read of the whole registry stands in `unread`.
    pub fn resource(&self) -> String {
        format!("{}/{}", self.account, self.region)
    }

    /// `ecr:DescribeRepositories` by name.
    ///
    /// # Errors
    /// What AWS answered: that one of them does not exist is [`super::Reason::NotFound`] for all.
    pub async fn repositories(&self, names: &[String]) -> Result<Vec<Repository>, Refused> {
        pages(
            "ecr:DescribeRepositories",
            &self.at(&names.join(",")).resource(),
            |token| {
                let ask = self.client.describe_repositories().registry_id(&self.account);
                ask.set_repository_names(Some(names.to_vec())).set_next_token(token).send()
            },
            |page| (page.repositories, page.next_token),
        )
        .await
    }

    /// `ecr:GetRepositoryPolicy`. A row without a text: there is none.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn repository_policy(&self, name: &str) -> Result<RegistryDocument, Refused> {
        const CALL: &str = "ecr:GetRepositoryPolicy";
        let ask = self.client.get_repository_policy().registry_id(&self.account).repository_name(name);
        let answer = ask.send().await.map(|answer| answer.policy_text);
        let answer = answer.map_err(|error| Refused::from_sdk(CALL, &self.at(name).resource(), &error));
        self.document(Some(name), answer, "RepositoryPolicyNotFoundException")
    }

    /// `ecr:ListTagsForResource` of a repository.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn tags(&self, name: &str) -> Result<RepositoryTags, Refused> {
        const CALL: &str = "ecr:ListTagsForResource";
        let (at, repository_arn) = (self.at(name), self.at(name).arn());
        let answer = self.client.list_tags_for_resource().resource_arn(&repository_arn).send().await;
        let answer = answer.map_err(|error| Refused::from_sdk(CALL, &at.resource(), &error))?;
        let tags = answer.tags.unwrap_or_default().into_iter();
        let tags = tags.map(|tag| Tag { key: tag.key, value: tag.value }).collect();
        Ok(RepositoryTags { repository_arn, tags })
    }

    /// `ecr:GetRegistryPolicy`. A row without a text: there is none.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn registry_policy(&self) -> Result<RegistryDocument, Refused> {
        const CALL: &str = "ecr:GetRegistryPolicy";
        let answer = self.client.get_registry_policy().send().await.map(|answer| answer.policy_text);
        let answer = answer.map_err(|error| Refused::from_sdk(CALL, &self.resource(), &error));
        self.document(None, answer, "RegistryPolicyNotFoundException")
    }

    /// `ecr:DescribeImages`, by tags and digests; archived images too.
    ///
    /// # Errors
    /// What AWS answered: that one of them is not there is [`super::Reason::NotFound`] for all.
    pub async fn images(&self, repository: &str, references: &[String]) -> Result<Vec<ImageDetail>, Refused> {
        let ids: Vec<ImageIdentifier> = references.iter().map(|reference| identifier(reference)).collect();
        let mut images: Vec<ImageDetail> = pages(
            "ecr:DescribeImages",
            &self.resource_of(repository, references),
            |token| {
                let any = DescribeImagesFilter::builder().image_status(ImageStatusFilter::Any).build();
                let ask = self.client.describe_images().registry_id(&self.account).filter(any);
                let ask = ask.repository_name(repository).set_image_ids(Some(ids.clone()));
                ask.set_next_token(token).send()
            },
            |page| (page.image_details, page.next_token),
        )
        .await?;
        images.iter_mut().for_each(|image| image.region = Some(self.region.clone()));
        Ok(images)
    }

    /// `ecr:BatchGetImage`: the manifests, of those that are there.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn manifests(
        &self,
        repository: &str,
        references: &[String],
    ) -> Result<Vec<ImageManifest>, Refused> {
        const CALL: &str = "ecr:BatchGetImage";
        let ids = references.iter().map(|reference| identifier(reference)).collect();
        let ask = self.client.batch_get_image().registry_id(&self.account).repository_name(repository);
        let answer = ask.set_image_ids(Some(ids)).set_accepted_media_types(None).send().await;
        let resource = self.resource_of(repository, references);
        let answer = answer.map_err(|error| Refused::from_sdk(CALL, &resource, &error))?;
        let images = answer.images.unwrap_or_default().into_iter();
        Ok(images
            .map(|image| {
                let id = image.image_id;
                ImageManifest {
                    registry_id: self.account.clone(),
                    region: Some(self.region.clone()),
                    repository_name: repository.to_owned(),
                    image_id: ImageId {
                        image_digest: id.as_ref().and_then(|id| id.image_digest.clone()).unwrap_or_default(),
                        image_tag: id.and_then(|id| id.image_tag),
                    },
                    image_manifest: image.image_manifest.unwrap_or_default(),
                    image_manifest_media_type: image.image_manifest_media_type,
                }
            })
            .collect())
    }

    /// `ecr:GetLifecyclePolicy`. A row without a text: there is none.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn lifecycle_policy(&self, name: &str) -> Result<LifecyclePolicy, Refused> {
        const CALL: &str = "ecr:GetLifecyclePolicy";
        let ask = self.client.get_lifecycle_policy().registry_id(&self.account).repository_name(name);
        let text = match ask.send().await {
            Ok(answer) => answer.lifecycle_policy_text,
            Err(error) => match Refused::from_sdk(CALL, &self.at(name).resource(), &error) {
                refused if refused.because == "LifecyclePolicyNotFoundException" => None,
                refused => return Err(refused),
            },
        };
        Ok(LifecyclePolicy {
            registry_id: self.account.clone(),
            region: Some(self.region.clone()),
            repository_name: name.to_owned(),
            lifecycle_policy_text: text.map(PolicyText::new),
        })
    }

    /// `ecr:DescribePullThroughCacheRules`.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn pull_through_cache_rules(&self) -> Result<Vec<PullThroughCacheRule>, Refused> {
        let mut rules: Vec<PullThroughCacheRule> = pages(
            "ecr:DescribePullThroughCacheRules",
            &self.resource(),
            |token| {
                let ask = self.client.describe_pull_through_cache_rules().registry_id(&self.account);
                ask.set_next_token(token).send()
            },
            |page| (page.pull_through_cache_rules, page.next_token),
        )
        .await?;
        for rule in &mut rules {
            rule.registry_id.clone_from(&self.account);
            rule.region = Some(self.region.clone());
        }
        Ok(rules)
    }

    /// Under which a read of some images stands where it is refused.
    fn resource_of(&self, repository: &str, references: &[String]) -> String {
        match references {
            [reference] => self.at(repository).image(reference),
            _ => self.at(repository).resource(),
        }
    }

    fn document(
        &self,
        name: Option<&str>,
        answer: Result<Option<String>, Refused>,
        none: &str,
    ) -> Result<RegistryDocument, Refused> {
        let text = match answer {
            Ok(text) => text,
            Err(refused) if refused.because == none => None,
            Err(refused) => return Err(refused),
        };
        Ok(RegistryDocument {
            registry_id: self.account.clone(),
            region: Some(self.region.clone()),
            repository_name: name.map(str::to_owned),
            policy_text: text.map(PolicyText::new),
        })
    }
}

fn identifier(reference: &str) -> ImageIdentifier {
    let image = ImageIdentifier::builder();
    let image = if reference.starts_with("sha256:") {
        image.image_digest(reference)
    } else {
        image.image_tag(reference)
    };
    image.build()
}

impl Understand<types::PullThroughCacheRule> for PullThroughCacheRule {
    fn understand(row: types::PullThroughCacheRule) -> Result<PullThroughCacheRule, Unclear> {
        Ok(PullThroughCacheRule {
            registry_id: row.registry_id.unwrap_or_default(),
            region: None,
            ecr_repository_prefix: row.ecr_repository_prefix.unwrap_or_default(),
            upstream_registry_url: row.upstream_registry_url.unwrap_or_default(),
            upstream_repository_prefix: row.upstream_repository_prefix,
            credential_arn: row.credential_arn,
            // Whether its credentials work is asked for by nobody: ECR would try them on the registry behind.
            is_valid: None,
            failure: None,
        })
    }
}

impl Understand<types::Repository> for Repository {
    fn understand(row: types::Repository) -> Result<Repository, Unclear> {
        Ok(Repository {
            repository_arn: row.repository_arn.unwrap_or_default(),
            registry_id: row.registry_id,
            repository_name: row.repository_name.unwrap_or_default(),
            repository_uri: row.repository_uri,
            image_tag_mutability: row.image_tag_mutability.map(|kind| kind.as_str().to_owned()),
            encryption_configuration: row.encryption_configuration.map(|of| EncryptionConfiguration {
                encryption_type: of.encryption_type.as_str().to_owned(),
                kms_key: of.kms_key,
            }),
        })
    }
}

impl Understand<types::ImageDetail> for ImageDetail {
    fn understand(row: types::ImageDetail) -> Result<ImageDetail, Unclear> {
        Ok(ImageDetail {
            registry_id: row.registry_id.unwrap_or_default(),
            region: None,
            repository_name: row.repository_name.unwrap_or_default(),
            image_digest: row.image_digest.unwrap_or_default(),
            image_tags: row.image_tags.unwrap_or_default(),
            image_manifest_media_type: row.image_manifest_media_type,
            artifact_media_type: row.artifact_media_type,
            image_status: row.image_status.map(|status| status.as_str().to_owned()),
        })
    }
}
