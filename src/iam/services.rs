//! Where a service departs from the common rules.
//!
//! Sources: IAM user guide, "Policy evaluation for requests within a single account" (trust and key policies
//! must allow); KMS developer guide, "Key policies" and "AWS managed keys"; STS API reference,
//! `GetCallerIdentity`; IAM user guide, "AWS managed policies".

use super::resource::Target;

/// The rules for one action on one resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rules {
    /// The resource policy must allow, or hand authority to the account, even within one account.
    pub needs_resource_policy: bool,
    /// Nobody's policies have a say: it is always allowed to who signs the request.
    pub always_allowed: bool,
    /// AWS owns the resource, and no policy can allow this.
    pub never_allowed: bool,
}

/// The rules of an action, given in lower case.
pub(super) fn rules(service: &str, action: &str, target: &Target<'_>) -> Rules {
    let resource = target.resource();
    match service {
        "sts" if action == "getcalleridentity" => Rules { always_allowed: true, ..Rules::default() },
        "sts" => Rules {
            needs_resource_policy: target.service() == "iam" && resource.starts_with("role/"),
            ..Rules::default()
        },
        "kms" => Rules {
            needs_resource_policy: resource.starts_with("key/"),
            never_allowed: resource.starts_with("alias/aws/") && ALIAS_CHANGES.contains(&action),
            ..Rules::default()
        },
        "iam" => {
            let of_aws = target.account() == "aws" && resource.starts_with("policy/");
            let reserved = resource.starts_with("role/aws-reserved/");
            let never_allowed =
                of_aws && POLICY_CHANGES.contains(&action) || reserved && ROLE_CHANGES.contains(&action);
            Rules { never_allowed, ..Rules::default() }
        }
        _ => Rules::default(),
    }
}

const ALIAS_CHANGES: [&str; 3] = ["createalias", "deletealias", "updatealias"];

const POLICY_CHANGES: [&str; 7] = [
    "createpolicy",
    "createpolicyversion",
    "deletepolicy",
    "deletepolicyversion",
    "setdefaultpolicyversion",
    "tagpolicy",
    "untagpolicy",
];

const ROLE_CHANGES: [&str; 16] = [
    "attachrolepolicy",
    "createrole",
    "createservicelinkedrole",
    "deleterole",
    "deleterolepermissionsboundary",
    "deleterolepolicy",
    "deleteservicelinkedrole",
    "detachrolepolicy",
    "passrole",
    "putrolepermissionsboundary",
    "putrolepolicy",
    "tagrole",
    "untagrole",
    "updateassumerolepolicy",
    "updaterole",
    "updateroledescription",
];
