//! What lets a role pull: a policy of the role, or a statement in the policy of a repository of another account.

use std::collections::BTreeSet;

use super::{Options, PullPolicy, quoted};
use crate::actions::attachment::{
    self, ATTACHABLE, FARGATE_POD_EXECUTION, MOST_ATTACHED, PULL_ONLY, READ_ONLY, policy_name,
};
use crate::actions::repository_policy::{self, Right};
use crate::actions::role_policy::{self, Grant, LONGEST, NAME};
use crate::actions::{AnyChange, Attachment, Change, Found, RepositoryPolicy, Resource as _, RolePolicy};
use crate::diagnosis::Fix;
use crate::model::iam::{InlinePolicy, Role};
use crate::model::{Arn, Seen, Snapshot, aws_accounts};
use crate::pulls::Image;

/// The repositories that a policy has to name so that an image can be pulled. The names of the add-ons' repositories are
/// AWS's own affair (not all of them begin with `eks/`), and anybody may pull from all of them.
pub(super) fn scope(image: &Image) -> String {
    let registry = image.repository_arn.split_once(":repository/");
    match registry {
        Some((registry, _)) if aws_accounts::is_add_on_registry(&image.account) => {
            format!("{registry}:repository/*")
        }
        _ => image.repository_arn.clone(),
    }
}

/// Lets a role of another account pull from a repository, by one statement of the policy of the repository.
pub(super) fn let_in(
    world: &Snapshot,
    role: &Role,
    repository_arn: &str,
    cause: &str,
    options: &Options,
) -> Fix {
    let at = repository_policy::Address { repository_arn: repository_arn.to_owned() };
    let right = right_for(world, role, &at);
    let manual = |because: String| Fix::Manual { because, steps: by_hand(role, repository_arn, right) };
    let is_of_aws = repository_arn.parse::<Arn>().is_ok_and(|arn| aws_accounts::is_aws_owned(&arn.account));
    if is_of_aws {
        return Fix::Manual {
            because: "the registry belongs to AWS, which lets everybody pull what there is".to_owned(),
            steps: vec![
                "check the name of the image: ECR says the same of a repository that does not exist"
                    .to_owned(),
            ],
        };
    }
    let before = match RepositoryPolicy::get(world, &at) {
        Found::State(before) => before,
        Found::Deleted(because) | Found::Gone(because) => {
            let because = format!("{because}, and ecr-fix makes no repositories");
            return Fix::Manual { because, steps: vec!["check the name of the image".to_owned()] };
        }
        Found::Unread(because) => return manual(because),
    };
    let roles = BTreeSet::from([role.arn.clone()]);
    let after = match RepositoryPolicy::granting(before.as_ref(), &roles, right) {
        Ok(after) => Some(after),
        Err(because) => return manual(format!("its policy cannot be edited: {because}")),
    };
    let change = AnyChange::from(Change { at, before, after });
    if cause == "repo-policy-condition-mismatch" && !options.allow_past_conditions {
        return manual(
            "a condition may keep the role out on purpose; with --allow-past-conditions a plan lets it in past it"
                .to_owned(),
        );
    }
    let because = match cause {
        "repo-policy-condition-mismatch" => {
            "--allow-past-conditions asks for a statement for this role only; the one with the condition stays"
        }
        "repo-policy-stale-principal" => {
            "this adds a statement with the ARN of the role; the one with the stale id fits nobody, and stays"
        }
        _ => {
            "across accounts a policy there must let the role in as well: that of the repository is for it alone, that \
             of the registry (scope V2) would be for every repository"
        }
    };
    match change.allowed() {
        Ok(()) => Fix::Automatic { changes: vec![change], because: because.to_owned() },
        Err(because) => manual(because),
    }
}

/// The command that shows the policy of a repository.
pub(super) fn show_policy(repository_arn: &str) -> String {
    format!("aws ecr get-repository-policy {} --query policyText --output text", named(repository_arn))
}

/// Whoever pulls first from a repository that a cache fills brings the image in.
fn right_for(world: &Snapshot, role: &Role, at: &repository_policy::Address) -> Right {
    let home = role.arn.parse::<Arn>().map(|arn| arn.account).unwrap_or_default();
    match world.pull_through_cache_rule(at.repository(), &home) {
        Seen::Known(_) => Right::PullThrough,
        Seen::Absent | Seen::Unread(_) => Right::Pull,
    }
}

fn by_hand(role: &Role, repository_arn: &str, right: Right) -> Vec<String> {
    let statement = serde_json::json!({
        "Sid": "EcrFixPull", "Effect": "Allow", "Principal": { "AWS": role.arn }, "Action": right.calls(),
    });
    vec![
        format!("with credentials of the owner: {} > policy.json", show_policy(repository_arn)),
        format!("add this statement to those in policy.json: {statement}"),
        format!("aws ecr set-repository-policy {} --policy-text file://policy.json", named(repository_arn)),
    ]
}

/// A repository as the AWS CLI takes it.
fn named(repository_arn: &str) -> String {
    let Ok(arn) = repository_arn.parse::<Arn>() else { return quoted(repository_arn) };
    let name = arn.resource.strip_prefix("repository/").unwrap_or_default();
    format!(
        "--region {} --registry-id {} --repository-name {}",
        quoted(&arn.region),
        quoted(&arn.account),
        quoted(name)
    )
}

/// Lets a role get tokens and pull, by a policy of the role.
pub(super) fn let_pull(
    world: &Snapshot,
    role: &Role,
    fargate: bool,
    grant: &Grant,
    options: &Options,
) -> Fix {
    if role.arn.contains(":role/aws-service-role/") {
        return Fix::Manual {
            because: "the role belongs to an AWS service".to_owned(),
            steps: vec!["give the nodes a role of your own".to_owned()],
        };
    }
    let attached = role.attached_managed_policies.as_ref().map_or(0, Vec::len);
    let full = attached >= MOST_ATTACHED;
    if !options.least_privilege && !full {
        return attach(world, role, fargate, options);
    }
    match inline(role, grant) {
        Ok(change) => {
            let because = if full {
                format!(
                    "the role has {attached} managed policies, and the default quota is {MOST_ATTACHED}; this one is inline"
                )
            } else {
                "--least-privilege asks for a policy that names the repositories; images that were not judged are \
                 not in it: name them with --image"
                    .to_owned()
            };
            Fix::Automatic { changes: vec![change.into()], because }
        }
        Err(because) if full => Fix::Manual {
            because: format!(
                "the role has {attached} managed policies, which is the default quota, and {because}"
            ),
            steps: vec![
                format!("aws iam list-attached-role-policies --role-name {}", quoted(&role.role_name)),
                format!(
                    "detach a policy from role {}, or raise the quota (IAM, policies per role)",
                    role.role_name
                ),
            ],
        },
        Err(because) => match attach(world, role, fargate, options) {
            Fix::Automatic { changes, because: this } => {
                Fix::Automatic { changes, because: format!("{this}; not --least-privilege: {because}") }
            }
            other => other,
        },
    }
}

/// An inline policy of ours, or the one that is there already, with this in addition.
fn inline(role: &Role, grant: &Grant) -> Result<Change<RolePolicy>, String> {
    let Some(policies) = &role.role_policy_list else {
        return Err("its inline policies were not read".to_owned());
    };
    let named = |name: &str| policies.iter().find(|policy| policy.policy_name == name);
    let numbered = (2..100).map(|number| format!("{NAME}{number}"));
    let free = std::iter::once(NAME.to_owned()).chain(numbered).find_map(|name| match named(&name) {
        None => Some((name, None)),
        Some(InlinePolicy { policy_document: Some(text), .. }) => {
            let ours = RolePolicy { document: text.as_str().to_owned() };
            ours.grant().map(|granted| (name, Some((ours, granted))))
        }
        Some(_) => None,
    });
    let (policy_name, known) = free.ok_or("every name of ours is taken")?;
    let (before, granted) = known.unzip();
    let after = RolePolicy::granting(&grant.and(&granted.unwrap_or_default()));
    let mut total = after.document.len();
    for other in policies.iter().filter(|policy| policy.policy_name != policy_name) {
        let text = other.policy_document.as_ref().ok_or("its inline policies were not read")?;
        total += text.as_str().chars().filter(|c| !c.is_whitespace()).count();
    }
    if total > LONGEST {
        return Err(format!(
            "its inline policies would have {total} characters together, and IAM takes {LONGEST}"
        ));
    }
    let at = role_policy::Address {
        role_arn: role.arn.clone(),
        role_name: role.role_name.clone(),
        role_id: role.role_id.clone(),
        policy_name,
    };
    Ok(Change { at, before, after: Some(after) })
}

fn attach(world: &Snapshot, role: &Role, fargate: bool, options: &Options) -> Fix {
    let partition = role.arn.parse::<Arn>().map(|arn| arn.partition).unwrap_or_default();
    let (name, because) = which_policy(world, &partition, fargate, options);
    debug_assert!(ATTACHABLE.contains(&name));
    let policy_arn = format!("arn:{partition}:iam::aws:policy/{name}");
    let change = Change::<Attachment> {
        at: attachment::Address {
            role_arn: role.arn.clone(),
            role_name: role.role_name.clone(),
            role_id: role.role_id.clone(),
            policy_arn: policy_arn.clone(),
        },
        before: None,
        after: Some(Attachment { policy_name: policy_name(&policy_arn).to_owned() }),
    };
    Fix::Automatic { changes: vec![change.into()], because }
}

/// The smallest AWS managed policy that is known to exist in the partition, and why it is this one.
fn which_policy(
    world: &Snapshot,
    partition: &str,
    fargate: bool,
    options: &Options,
) -> (&'static str, String) {
    if fargate {
        return (FARGATE_POD_EXECUTION, "EKS documents this policy for pod execution roles".to_owned());
    }
    if options.pull_policy == PullPolicy::ReadOnly {
        return (READ_ONLY, "--pull-policy read-only asks for it".to_owned());
    }
    let arn = format!("arn:{partition}:iam::aws:policy/{PULL_ONLY}");
    let seen = if world.policies.contains_key(&arn) {
        Seen::Known(())
    } else {
        world.missing("Policies", "iam:GetPolicy", &arn)
    };
    match seen {
        Seen::Known(()) => (PULL_ONLY, "it grants the calls of a pull and no others".to_owned()),
        // A list that somebody cut down to the policies in use says nothing about the others.
        _ if partition == "aws" => (
            PULL_ONLY,
            "it grants the calls of a pull and no others; AWS has it in this partition since 2024-10-04"
                .to_owned(),
        ),
        Seen::Absent => (READ_ONLY, format!("this partition has no {PULL_ONLY}")),
        Seen::Unread(_) => (READ_ONLY, format!("whether this partition has {PULL_ONLY} could not be read")),
    }
}

#[test]
fn whoever_pulls_through_a_cache_may_fill_it() {
    use crate::model::PolicyText;
    use crate::model::ecr::{PullThroughCacheRule, RegistryDocument};

    let role = Role { arn: "arn:aws:iam::111122223333:role/node".to_owned(), ..Role::default() };
    let mut world = Snapshot::default();
    world.put(RegistryDocument {
        registry_id: "444455556666".to_owned(),
        repository_name: Some("hub/library/nginx".to_owned()),
        policy_text: Some(PolicyText::new(r#"{"Version":"2012-10-17","Statement":[]}"#.to_owned())),
        ..RegistryDocument::default()
    });
    let calls = |world: &Snapshot| {
        let repository = "arn:aws:ecr:eu-west-1:444455556666:repository/hub/library/nginx";
        match let_in(world, &role, repository, "repo-policy-missing-cross-account", &Options::default()) {
            Fix::Automatic { changes, .. } => changes[0].diff(),
            other => panic!("{other:?}"),
        }
    };
    assert!(!calls(&world).contains("ecr:BatchImportUpstreamImage"));
    world.put(PullThroughCacheRule {
        registry_id: "444455556666".to_owned(),
        ecr_repository_prefix: "hub".to_owned(),
        upstream_registry_url: "registry-1.docker.io".to_owned(),
        ..PullThroughCacheRule::default()
    });
    assert!(calls(&world).contains("ecr:BatchImportUpstreamImage"));
}
