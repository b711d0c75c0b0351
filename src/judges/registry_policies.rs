//! What a registry has to say of a pull: the policy of the repository, and that of the registry.

use std::sync::OnceLock;

use crate::iam::{Document, Named};
use crate::model::ecr::RepositoryName;
use crate::model::{PolicyText, Seen, Snapshot, aws_accounts};

/// The policies of a registry, and whether one of them was not read.
#[derive(Clone, Debug, Default)]
pub(crate) struct RegistryPolicies {
    /// What was read.
    pub policies: Vec<Named>,
    /// Why something was not read.
    pub unread: Vec<String>,
}

/// The name under which the policy of a registry is reported.
pub(super) const REGISTRY_POLICY: &str = "registry policy";

/// The policies that bear on the images of a repository.
pub(crate) fn of(world: &Snapshot, repository: RepositoryName<'_>) -> RegistryPolicies {
    let mut all = RegistryPolicies::default();
    if aws_accounts::is_add_on_registry(repository.account) {
        all.policies.extend(policy_of_aws());
        return all;
    }
    all.add("repository policy", world.repository_policy(repository));
    all.add(REGISTRY_POLICY, world.registry_policy(repository));
    all
}

impl RegistryPolicies {
    fn add(&mut self, name: &str, policy: Seen<&PolicyText>) {
        match policy {
            Seen::Absent => {}
            Seen::Unread(because) => self.unread.push(because),
            Seen::Known(text) => match Document::parse(text.as_str()) {
                Ok(document) => self.policies.push(Named::new(name, document)),
                Err(error) => self.unread.push(format!("the {name} cannot be understood: {error}")),
            },
        }
    }
}

/// What the registries of the EKS add-ons grant: everybody may pull.
fn policy_of_aws() -> Option<Named> {
    static POLICY: OnceLock<Option<Named>> = OnceLock::new();
    let parse = || {
        let text =
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr:*"}]}"#;
        Document::parse(text).ok().map(|document| Named::new("the policy of AWS's registry", document))
    };
    POLICY.get_or_init(parse).clone()
}
