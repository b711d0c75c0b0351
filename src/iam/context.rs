//! The context of a request: what it says, what follows from it, what nobody knows.
//!
//! Source: IAM user guide, "AWS global condition context keys" and the table of principal key values in
//! "IAM policy elements: Variables and tags".

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::glob::{Template, Value};
use super::policies::{Layer, Request};
use super::principal::{Caller, Kind, Who, is_account};
use super::resource::Target;

/// What is not known of the world when a request is weighed.
///
/// A key that the request has, or that follows from it, is always known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Knowledge {
    /// Keys of which nobody knows whether the request has them, and with which value. A name may end in `*`:
    /// `aws:PrincipalTag/*`; `*` alone means every key.
    pub unknown: BTreeSet<String>,
    /// Exceptions to `unknown`: keys that the request is known not to have.
    pub absent: BTreeSet<String>,
    /// Layers whose policies could not be read.
    pub unread: BTreeSet<Layer>,
}

impl Knowledge {
    fn is_unknown(&self, key: &str) -> bool {
        !self.unknown.is_empty() && names(&self.unknown, key) && !names(&self.absent, key)
    }
}

/// Whether a set of names, of which each may end in `*`, holds a key in lower case.
fn names(set: &BTreeSet<String>, key: &str) -> bool {
    set.iter().any(|name| {
        let name = name.to_lowercase();
        match name.strip_suffix('*') {
            Some(start) => key.starts_with(start),
            None => name == key,
        }
    })
}

/// The keys of a request.
#[derive(Debug)]
pub(super) struct Context<'a> {
    given: Vec<(String, &'a [String])>,
    derived: Vec<(&'static str, [String; 1])>,
    knowledge: Option<&'a Knowledge>,
}

/// What is known of a key.
pub(super) enum Lookup<'c> {
    Values(&'c [String]),
    /// Not in the request, or in it without a value.
    Missing,
    Unknown,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        request: &'a Request,
        caller: &Caller<'_>,
        target: &Target<'_>,
        resource_account: Option<&str>,
        knowledge: Option<&'a Knowledge>,
    ) -> Context<'a> {
        let given = request.context.iter().map(|(key, values)| (key.to_lowercase(), values.as_slice()));
        Context {
            given: given.collect(),
            derived: derived(request, caller, target, resource_account),
            knowledge,
        }
    }

    /// Looks up a key, which must be in lower case.
    pub(super) fn get(&self, key: &str) -> Lookup<'_> {
        if let Some((_, values)) = self.given.iter().rev().find(|(name, _)| name == key) {
            return if values.is_empty() { Lookup::Missing } else { Lookup::Values(values) };
        }
        match self.derived.iter().find(|(name, _)| *name == key) {
            Some((_, values)) => Lookup::Values(values),
            None if self.knowledge.is_some_and(|knowledge| knowledge.is_unknown(key)) => Lookup::Unknown,
            None => Lookup::Missing,
        }
    }

    /// The only value of a key.
    pub(super) fn single(&self, key: &str) -> Option<&str> {
        match self.get(key) {
            Lookup::Values([value]) => Some(value),
            _ => None,
        }
    }

    /// What a variable stands for. A key with several values cannot be used as a variable.
    pub(super) fn variable(&self, key: &str) -> Value<'_> {
        match self.get(key) {
            Lookup::Values([value]) if !value.is_empty() => Value::Known(Cow::Borrowed(value)),
            Lookup::Values(_) | Lookup::Missing => Value::Nothing,
            Lookup::Unknown => Value::Unknown,
        }
    }

    /// The variables of a text that are not known.
    pub(super) fn unknown_among(&self, template: &Template) -> Vec<String> {
        let is_unknown = |key: &&str| matches!(self.get(key), Lookup::Unknown);
        template.keys().filter(is_unknown).map(str::to_owned).collect()
    }
}

/// The keys that follow from the request.
fn derived(
    request: &Request,
    caller: &Caller<'_>,
    target: &Target<'_>,
    resource_account: Option<&str>,
) -> Vec<(&'static str, [String; 1])> {
    let mut keys: Vec<(&'static str, String)> = Vec::with_capacity(10);
    match caller.kind {
        Kind::Anonymous => {
            keys.push(("aws:principaltype", "Anonymous".to_owned()));
            keys.push(("aws:userid", "anonymous".to_owned()));
        }
        Kind::Named if caller.is_service() => {
            keys.push(("aws:principalisawsservice", "true".to_owned()));
            keys.push(("aws:principalservicename", caller.text.to_owned()));
        }
        Kind::Named | Kind::Provider => {}
        Kind::Account { account, who, .. } => {
            keys.push(("aws:principalaccount", account.to_owned()));
            keys.push(("aws:principalisawsservice", "false".to_owned()));
            keys.extend(caller.principal_arn().map(|arn| ("aws:principalarn", arn)));
            if request.action.to_ascii_lowercase().starts_with("kms:") {
                keys.push(("kms:calleraccount", account.to_owned()));
            }
            match who {
                Who::Root => {
                    keys.push(("aws:principaltype", "Account".to_owned()));
                    keys.push(("aws:userid", account.to_owned()));
                }
                Who::User { name } => {
                    keys.push(("aws:principaltype", "User".to_owned()));
                    keys.push(("aws:username", name.to_owned()));
                }
                Who::Role { .. } | Who::Session { .. } => {
                    keys.push(("aws:principaltype", "AssumedRole".to_owned()));
                }
                Who::FederatedUser { name } => {
                    keys.push(("aws:principaltype", "FederatedUser".to_owned()));
                    keys.push(("aws:userid", format!("{account}:{name}")));
                }
                Who::Other => {}
            }
        }
    }
    if let Some(account) = resource_account.filter(|account| is_account(account)) {
        keys.push(("aws:resourceaccount", account.to_owned()));
    }
    if !target.region().is_empty() {
        keys.push(("aws:requestedregion", target.region().to_owned()));
    }
    keys.into_iter().map(|(key, value)| (key, [value])).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn derived_of(principal: &str, resource: &str) -> String {
        let service = resource.split(':').nth(2).unwrap_or("ecr");
        let request = Request {
            principal: principal.to_owned(),
            action: format!("{service}:Call"),
            resource: resource.to_owned(),
            resource_account: None,
            context: BTreeMap::new(),
        };
        let target = Target::new(resource);
        let account = Some(target.account()).filter(|account| !account.is_empty());
        derived(&request, &Caller::new(principal), &target, account)
            .into_iter()
            .map(|(key, [value])| format!("{key}={value}\n"))
            .collect()
    }

    #[test]
    fn keys_that_follow_from_the_request() {
        use expect_test::expect;
        let repository = "arn:aws:ecr:eu-west-1:444455556666:repository/app";
        expect![[r#"
            aws:principalaccount=111122223333
            aws:principalisawsservice=false
            aws:principalarn=arn:aws:iam::111122223333:role/node
            aws:principaltype=AssumedRole
            aws:resourceaccount=444455556666
            aws:requestedregion=eu-west-1
        "#]]
        .assert_eq(&derived_of("arn:aws:sts::111122223333:assumed-role/node/i-1", repository));
        expect![[r#"
            aws:principalaccount=111122223333
            aws:principalisawsservice=false
            aws:principalarn=arn:aws:iam::111122223333:role/team/node
            aws:principaltype=AssumedRole
        "#]]
        .assert_eq(&derived_of("arn:aws:iam::111122223333:role/team/node", "*"));
        expect![[r#"
            aws:principalaccount=111122223333
            aws:principalisawsservice=false
            aws:principalarn=arn:aws:iam::111122223333:role/team/node
            kms:calleraccount=111122223333
            aws:principaltype=AssumedRole
            aws:resourceaccount=111122223333
            aws:requestedregion=eu-west-1
        "#]]
        .assert_eq(&derived_of(
            "arn:aws:iam::111122223333:role/team/node",
            "arn:aws:kms:eu-west-1:111122223333:key/a",
        ));
        expect![[r#"
            aws:principalaccount=111122223333
            aws:principalisawsservice=false
            aws:principalarn=arn:aws:iam::111122223333:user/ops/ann
            aws:principaltype=User
            aws:username=ann
        "#]]
        .assert_eq(&derived_of("arn:aws:iam::111122223333:user/ops/ann", "arn:aws:s3:::bucket/key"));
        expect![[r#"
            aws:principalaccount=111122223333
            aws:principalisawsservice=false
            aws:principalarn=arn:aws:iam::111122223333:root
            aws:principaltype=Account
            aws:userid=111122223333
        "#]]
        .assert_eq(&derived_of("arn:aws:iam::111122223333:root", "*"));
        expect![[r#"
            aws:principalaccount=111122223333
            aws:principalisawsservice=false
            aws:principalarn=arn:aws:sts::111122223333:federated-user/ann
            aws:principaltype=FederatedUser
            aws:userid=111122223333:ann
        "#]]
        .assert_eq(&derived_of("arn:aws:sts::111122223333:federated-user/ann", "*"));
        expect![[r#"
            aws:principalisawsservice=true
            aws:principalservicename=ec2.amazonaws.com
        "#]]
        .assert_eq(&derived_of("ec2.amazonaws.com", "*"));
        expect![[r#"
            aws:principaltype=Anonymous
            aws:userid=anonymous
        "#]]
        .assert_eq(&derived_of("*", "*"));
    }

    #[test]
    fn names_of_unknown_keys() {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let knowledge = Knowledge {
            unknown: set(&["aws:PrincipalTag/*", "aws:SourceIp"]),
            absent: set(&["aws:PrincipalTag/none"]),
            unread: BTreeSet::new(),
        };
        assert!(knowledge.is_unknown("aws:principaltag/team"));
        assert!(knowledge.is_unknown("aws:sourceip"));
        assert!(!knowledge.is_unknown("aws:principaltag/none"));
        assert!(!knowledge.is_unknown("aws:sourcevpc"));
    }
}
