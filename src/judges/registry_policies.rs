//! What a registry has to say of a pull: the policy of the repository, and that of the registry.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use serde_json::Value;

use crate::actions::statement::{self, strings};
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
    /// Roles that a grant names by their unique ids (`AROA…`): AWS writes them so once a role is deleted.
    pub unique_ids: BTreeSet<String>,
}

/// The name under which the policy of a registry is reported.
pub(super) const REGISTRY_POLICY: &str = "registry policy";

/// The name under which the policy of a repository is reported.
pub(super) const REPOSITORY_POLICY: &str = "repository policy";

/// Whether a statement of the policy of a repository names a role or a user by its unique id: that is what is left of
/// one that was deleted.
pub(super) fn names_the_deleted(world: &Snapshot, at: RepositoryName<'_>, statement: usize) -> bool {
    let Seen::Known(text) = world.repository_policy(at) else { return false };
    let statements = statement::statements(text.as_str()).unwrap_or_default();
    let parsed = statements.get(statement).and_then(|text| serde_json::from_str::<Value>(text).ok());
    let principals = parsed.as_ref().and_then(|statement| strings(statement.get("Principal")?.get("AWS")));
    principals.unwrap_or_default().iter().any(|principal| {
        (principal.starts_with("AROA") || principal.starts_with("AIDA"))
            && principal.chars().all(|c| c.is_ascii_alphanumeric())
    })
}

/// The unique ids of roles that statements of a policy grant something to.
fn unique_ids(text: &PolicyText) -> BTreeSet<String> {
    let statements = statement::statements(text.as_str()).unwrap_or_default();
    let mut ids = BTreeSet::new();
    for statement in statements.iter().filter_map(|text| serde_json::from_str::<Value>(text).ok()) {
        let allows = statement.get("Effect").is_some_and(|effect| effect == "Allow");
        let principals = statement.get("Principal").and_then(|principal| strings(principal.get("AWS")));
        let named =
            principals.unwrap_or_default().into_iter().filter(|name| allows && name.starts_with("AROA"));
        ids.extend(named.map(str::to_owned));
    }
    ids
}

/// The policies that bear on the images of a repository.
pub(crate) fn of(world: &Snapshot, repository: RepositoryName<'_>) -> RegistryPolicies {
    of_call(world, repository, "ecr:BatchGetImage")
}

/// The policies that bear on a call about a repository, which has no say in its own making.
pub(super) fn of_call(world: &Snapshot, repository: RepositoryName<'_>, call: &str) -> RegistryPolicies {
    let mut all = RegistryPolicies::default();
    if aws_accounts::is_add_on_registry(repository.account) {
        all.policies.extend(policy_of_aws());
        return all;
    }
    if call != "ecr:CreateRepository" {
        all.add(REPOSITORY_POLICY, world.repository_policy(repository));
    }
    all.add(REGISTRY_POLICY, world.registry_policy(repository));
    all
}

impl RegistryPolicies {
    fn add(&mut self, name: &str, policy: Seen<&PolicyText>) {
        match policy {
            Seen::Absent => {}
            Seen::Unread(because) => self.unread.push(because),
            Seen::Known(text) => match Document::parse(text.as_str()) {
                Ok(document) => {
                    self.policies.push(Named::new(name, document));
                    self.unique_ids.extend(unique_ids(text));
                }
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
