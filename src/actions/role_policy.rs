//! An inline policy of ours in a role: the pulls of the repositories that it names, and nothing else.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::repository_policy::PULL_CALLS;
use super::statement::{self, one_or_many, strings};
use super::{Found, Kind, Resource, Risk, Sent, Undo, role};
use crate::aws::{Reader, Refused, Writer};
use crate::collect;
use crate::error::Error;
use crate::model::iam::InlinePolicy;
use crate::model::{Arn, PolicyText, Snapshot, aws_accounts};
use crate::pulls::Target;

/// The call that gets a token. It knows no resources.
pub const TOKEN_CALL: &str = "ecr:GetAuthorizationToken";

/// The most characters, without white space, of all inline policies of a role together: IAM user guide, "IAM and AWS
/// STS quotas".
pub const LONGEST: usize = 10_240;

/// How the name of every inline policy of ours begins.
pub const NAME: &str = "EcrFixPull";

/// An inline policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RolePolicy {
    /// The document, byte for byte.
    pub document: String,
}

/// Which policy, and which role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address {
    /// With path and account.
    pub role_arn: String,
    /// The name that the calls take.
    pub role_name: String,
    /// The stable unique id, where it was read: another one means another role of the same name.
    pub role_id: Option<String>,
    /// Unique within the role.
    pub policy_name: String,
}

/// What a policy of ours grants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// Whether it lets the role get a token.
    pub token: bool,
    /// The repositories that it lets the role pull from.
    pub repositories: BTreeSet<String>,
}

impl Grant {
    /// What both grant.
    #[must_use]
    pub fn and(&self, other: &Grant) -> Grant {
        Grant {
            token: self.token || other.token,
            repositories: self.repositories.union(&other.repositories).cloned().collect(),
        }
    }

    fn is_within(&self, other: &Grant) -> bool {
        self.token <= other.token && self.repositories.is_subset(&other.repositories)
    }
}

impl RolePolicy {
    /// The policy that grants this and nothing else.
    pub fn granting(grant: &Grant) -> RolePolicy {
        let token = json!({
            "Sid": "EcrFixToken", "Effect": "Allow", "Action": TOKEN_CALL, "Resource": "*",
        });
        let pull = json!({
            "Sid": "EcrFixPull",
            "Effect": "Allow",
            "Action": PULL_CALLS,
            "Resource": one_or_many(&grant.repositories),
        });
        let token = grant.token.then_some(token);
        let pull = (!grant.repositories.is_empty()).then_some(pull);
        let statements: Vec<Value> = token.into_iter().chain(pull).collect();
        RolePolicy { document: json!({ "Version": "2012-10-17", "Statement": statements }).to_string() }
    }

    /// What the policy grants; nothing where it is not exactly one of ours.
    pub fn grant(&self) -> Option<Grant> {
        let document: Value = serde_json::from_str(&self.document).ok()?;
        let version = document.get("Version").and_then(Value::as_str);
        if version != Some("2012-10-17") || document.as_object()?.len() != 2 {
            return None;
        }
        let mut all = Grant::default();
        for text in statement::statements(&self.document).ok()? {
            all = all.and(&granted(&serde_json::from_str(text).ok()?)?);
        }
        (all != Grant::default()).then_some(all)
    }
}

impl Resource for RolePolicy {
    type Address = Address;

    const KINDS: &'static [Kind] = &[Kind::PutRolePolicy, Kind::DeleteRolePolicy];

    const READS: &'static [&'static str] = &["iam:GetRole", "iam:GetRolePolicy"];

    fn kind(_before: Option<&Self>, after: Option<&Self>) -> Kind {
        match after {
            Some(_) => Kind::PutRolePolicy,
            None => Kind::DeleteRolePolicy,
        }
    }

    fn arn(at: &Address) -> String {
        at.role_arn.clone()
    }

    fn summary(at: &Address, before: Option<&Self>, after: Option<&Self>) -> String {
        let Address { role_name, policy_name, .. } = at;
        let (old, new) = (grants(before), grants(after));
        let names: Vec<&str> =
            new.repositories.difference(&old.repositories).map(|arn| repository_name(arn)).collect();
        let token = if new.token && !old.token { "get a token" } else { "" };
        let pull = if names.is_empty() { String::new() } else { format!("pull from {}", names.join(", ")) };
        match (after, token, pull.as_str()) {
            (None, _, _) => format!("delete inline policy {policy_name} of role {role_name}"),
            (_, "", "") => {
                format!("give inline policy {policy_name} of role {role_name} its earlier text back")
            }
            (_, what, "") | (_, "", what) => format!("let role {role_name} {what}"),
            (_, token, pull) => format!("let role {role_name} {token} and {pull}"),
        }
    }

    fn get(world: &Snapshot, at: &Address) -> Found<Self> {
        let role = match role::found(world, &at.role_arn, &at.role_name, at.role_id.as_deref()) {
            Ok(role) => role,
            Err(instead) => return instead,
        };
        let Some(inline) = &role.role_policy_list else {
            return Found::Unread(format!("the inline policies of {} were not read", at.role_name));
        };
        match inline.iter().find(|policy| policy.policy_name == at.policy_name) {
            None => Found::State(None),
            Some(InlinePolicy { policy_document: Some(text), .. }) => {
                Found::State(Some(RolePolicy { document: text.as_str().to_owned() }))
            }
            Some(_) => Found::Unread(format!("inline policy {} was not read", at.policy_name)),
        }
    }

    fn set(world: &mut Snapshot, at: &Address, state: Option<Self>) {
        let Some(role) = world.roles.get_mut(&at.role_arn) else { return };
        let inline = role.role_policy_list.get_or_insert_default();
        let text = state.map(|policy| PolicyText::new(policy.document));
        let known = inline.iter().position(|policy| policy.policy_name == at.policy_name);
        match (known.and_then(|index| inline.get_mut(index)), text) {
            (Some(known), Some(text)) => known.policy_document = Some(text),
            (Some(_), None) => inline.retain(|policy| policy.policy_name != at.policy_name),
            (None, text) => inline.extend(text.map(|text| InlinePolicy {
                policy_name: at.policy_name.clone(),
                policy_document: Some(text),
            })),
        }
    }

    async fn look(aws: &Reader, at: &Address) -> Result<Snapshot, Error> {
        collect::inline_policy_again(aws, &at.role_arn, &at.policy_name).await
    }

    async fn send(
        aws: &Writer,
        at: &Address,
        _before: Option<&Self>,
        after: Option<&Self>,
    ) -> Result<Sent, Refused> {
        match after {
            Some(after) => aws.put_role_policy(&at.role_name, &at.policy_name, &after.document).await,
            None => aws.delete_role_policy(&at.role_name, &at.policy_name).await,
        }
    }

    fn same(one: &Self, other: &Self) -> bool {
        statement::meaning(&one.document) == statement::meaning(&other.document)
    }

    fn relies_on(state: &Self) -> Value {
        statement::meaning(&state.document)
    }

    fn together(_before: Option<&Self>, one: Option<&Self>, other: Option<&Self>) -> Option<Option<Self>> {
        Some(Some(RolePolicy::granting(&one?.grant()?.and(&other?.grant()?))))
    }

    fn is_additive(before: Option<&Self>, after: Option<&Self>) -> bool {
        after.is_some() && grants(before).is_within(&grants(after))
    }

    fn undo(now: Option<&Self>, before: Option<&Self>, after: Option<&Self>) -> Undo<Self> {
        let Some(now) = now else { return Undo::Nothing("the policy does not exist any more".to_owned()) };
        let Some(after) = after else { return Undo::Overlap("somebody made it anew".to_owned()) };
        let before = before.map(|policy| policy.document.as_str());
        match statement::undo(&now.document, before, &after.document) {
            Undo::Restored(document) => Undo::Restored(document.map(|document| RolePolicy { document })),
            Undo::Nothing(because) => Undo::Nothing(because),
            Undo::Overlap(because) => Undo::Overlap(because),
        }
    }

    fn lines(_at: &Address, state: Option<&Self>) -> Vec<String> {
        state.map_or_else(Vec::new, |policy| statement::lines(&policy.document))
    }

    /// Only a policy whose name is ours, and in it only statements that are ours to the last field: a token, and pulls
    /// from repositories that they name. Statements that others added to it since stay on the way back.
    fn allowed(at: &Address, before: Option<&Self>, after: Option<&Self>) -> Result<(), String> {
        let role = role::checked(&at.role_arn, &at.role_name)?;
        let number = at.policy_name.strip_prefix(NAME);
        if !number.is_some_and(|number| number.chars().all(|c| c.is_ascii_digit())) {
            return Err(format!("inline policy {} is not ours", at.policy_name));
        }
        if before == after {
            return Err("it changes nothing".to_owned());
        }
        let (old, new) = differing(before, after)?;
        let (old, new) = (ours(&old)?, ours(&new)?);
        let of_both = old.and(&new);
        if of_both == Grant::default() {
            return Err("it changes no statement".to_owned());
        }
        if let Some(loose) = of_both.repositories.iter().find(|arn| !is_scope(arn, &role.partition)) {
            return Err(format!("{loose} is not one repository"));
        }
        if before.into_iter().chain(after).any(|policy| policy.document.len() > LONGEST) {
            return Err(format!("it is longer than the {LONGEST} characters that IAM takes"));
        }
        if old.is_within(&new) || new.is_within(&old) {
            Ok(())
        } else {
            Err("it takes some repositories away and adds others".to_owned())
        }
    }

    /// A plan makes and extends only policies that are ours as a whole.
    fn planned_for(before: Option<&Self>, after: Option<&Self>, _target: &Target) -> Result<(), String> {
        if before.into_iter().chain(after).any(|policy| policy.grant().is_none()) {
            return Err("it does more than to let the role pull".to_owned());
        }
        let (old, new) = (grants(before), grants(after));
        if old.is_within(&new) && old != new { Ok(()) } else { Err("it takes permissions away".to_owned()) }
    }

    fn risk(at: &Address, before: Option<&Self>, after: Option<&Self>) -> (Risk, String) {
        let role = &at.role_name;
        if grants(before).is_within(&grants(after)) {
            let safe = format!(
                "it only adds pulls from the repositories that it names; nothing that {role} can do today is taken away"
            );
            (Risk::Low, safe)
        } else {
            (Risk::Medium, format!("{role} loses the pulls that this policy gave it"))
        }
    }
}

/// The statements that only one of two states has. What is beside the statements must be the same, or our own.
fn differing<'a>(
    before: Option<&'a RolePolicy>,
    after: Option<&'a RolePolicy>,
) -> Result<(Vec<&'a str>, Vec<&'a str>), String> {
    let text = |policy: Option<&'a RolePolicy>| policy.map(|policy| policy.document.as_str());
    let nothing = r#"{"Version":"2012-10-17","Statement":[]}"#;
    statement::differing(text(before).unwrap_or(nothing), text(after).unwrap_or(nothing))
}

/// What statements of ours grant together.
fn ours(statements: &[&str]) -> Result<Grant, String> {
    let mut all = Grant::default();
    for text in statements {
        let value: Option<Value> = serde_json::from_str(text).ok();
        let grant = value.as_ref().and_then(granted);
        all = all.and(&grant.ok_or("it does more than to let the role pull")?);
    }
    Ok(all)
}

/// What a statement of ours grants; nothing where it is not exactly such a statement.
fn granted(statement: &Value) -> Option<Grant> {
    let fields = statement.as_object().filter(|fields| fields.len() == 4)?;
    if fields.get("Effect")? != "Allow" {
        return None;
    }
    let calls: BTreeSet<&str> = strings(fields.get("Action"))?.into_iter().collect();
    let resources = strings(fields.get("Resource"))?;
    match fields.get("Sid")?.as_str()? {
        "EcrFixToken" if calls == BTreeSet::from([TOKEN_CALL]) && resources == ["*"] => {
            Some(Grant { token: true, ..Grant::default() })
        }
        "EcrFixPull" if calls == BTreeSet::from(PULL_CALLS) && !resources.is_empty() => {
            Some(Grant { token: false, repositories: resources.into_iter().map(str::to_owned).collect() })
        }
        _ => None,
    }
}

fn grants(policy: Option<&RolePolicy>) -> Grant {
    policy.and_then(RolePolicy::grant).unwrap_or_default()
}

/// Whether an ARN names exactly one repository, or all those of AWS's own registry of add-ons, from which anybody may
/// pull: their names are not known beforehand.
fn is_scope(text: &str, partition: &str) -> bool {
    text.parse::<Arn>().is_ok_and(|arn| {
        let exact = |part: &str| !part.is_empty() && !part.contains(['*', '?']);
        let repository = arn.resource.strip_prefix("repository/").unwrap_or_default();
        let all_add_ons = repository == "*" && aws_accounts::is_add_on_registry(&arn.account);
        arn.service == "ecr"
            && arn.partition == partition
            && exact(&arn.region)
            && exact(&arn.account)
            && (exact(repository) || all_add_ons)
    })
}

/// The name of a repository, or what its ARN says where it is more than one.
fn repository_name(arn: &str) -> &str {
    match arn.split_once(":repository/") {
        Some((_, "*")) | None => "the EKS add-ons",
        Some((_, name)) => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: &str = "arn:aws:ecr:eu-west-1:111122223333:repository/team/app";
    const ADD_ONS: &str = "arn:aws:ecr:eu-west-1:602401143452:repository/*";

    fn policy(token: bool, repositories: &[&str]) -> RolePolicy {
        let repositories = repositories.iter().map(ToString::to_string).collect();
        RolePolicy::granting(&Grant { token, repositories })
    }

    fn allowed(name: &str, before: Option<&RolePolicy>, after: Option<&RolePolicy>) -> Result<(), String> {
        let at = Address {
            role_arn: "arn:aws:iam::111122223333:role/team/node".to_owned(),
            role_name: "node".to_owned(),
            role_id: None,
            policy_name: name.to_owned(),
        };
        RolePolicy::allowed(&at, before, after)
    }

    #[test]
    fn a_policy_names_its_repositories_and_what_it_grants_is_read_back() {
        let whole = policy(true, &[APP, ADD_ONS]);
        assert_eq!(
            whole.document,
            format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"EcrFixToken","Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"}},{{"Sid":"EcrFixPull","Effect":"Allow","Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Resource":["{APP}","{ADD_ONS}"]}}]}}"#
            )
        );
        assert_eq!(RolePolicy::granting(&whole.grant().unwrap()), whole);
        assert_eq!(
            RolePolicy::together(None, Some(&policy(true, &[APP])), Some(&policy(false, &[ADD_ONS]))),
            Some(Some(whole))
        );
    }

    const THEIRS: &str = r#"{"Sid":"Theirs","Effect":"Allow","Action":"s3:GetObject","Resource":"*"}"#;

    fn with(policy: &RolePolicy, statement: &str) -> RolePolicy {
        let document = statement::append(&policy.document, &serde_json::from_str(statement).unwrap());
        RolePolicy { document: document.unwrap() }
    }

    /// Others put a statement beside ours: it stays, and ours goes or gets its earlier repositories back.
    #[test]
    fn the_way_back_leaves_the_statements_of_others() {
        let (one, two) = (policy(true, &[APP]), policy(true, &[APP, ADD_ONS]));
        let alone = RolePolicy { document: format!(r#"{{"Version":"2012-10-17","Statement":[{THEIRS}]}}"#) };
        for (before, after, expected) in [(None, &two, alone.clone()), (Some(&one), &two, with(&one, THEIRS))]
        {
            let now = with(after, THEIRS);
            let Undo::Restored(Some(undone)) = RolePolicy::undo(Some(&now), before, Some(after)) else {
                panic!("nothing was restored")
            };
            assert!(RolePolicy::same(&undone, &expected), "{}", undone.document);
            assert!(undone.document.contains(THEIRS) || before.is_some());
            assert_eq!(allowed(NAME, Some(&now), Some(&undone)), Ok(()));
            // A plan never starts from a policy that is not ours as a whole.
            let target = Target::default();
            assert!(RolePolicy::planned_for(Some(&now), Some(&undone), &target).is_err());
            assert!(RolePolicy::planned_for(Some(&undone), Some(&now), &target).is_err());
        }
        let edited = RolePolicy { document: two.document.replace(ADD_ONS, "*") };
        assert!(matches!(RolePolicy::undo(Some(&edited), None, Some(&two)), Undo::Overlap(_)));
        assert_eq!(RolePolicy::undo(Some(&two), None, Some(&two)), Undo::Restored(None));
        assert!(matches!(RolePolicy::undo(None, Some(&one), Some(&two)), Undo::Nothing(_)));
        // What is theirs is never touched.
        let swapped = RolePolicy { document: two.document.replace("},{", &format!("}},{THEIRS},{{")) };
        for (before, after) in [(&with(&two, THEIRS), &two), (&with(&two, THEIRS), &swapped), (&alone, &two)]
        {
            assert!(allowed(NAME, Some(before), Some(after)).is_err(), "{}", after.document);
        }
        assert!(allowed(NAME, Some(&alone), None).is_err());
    }

    #[test]
    fn the_engine_writes_policies_of_ours_and_no_others() {
        let (one, two) = (policy(true, &[APP]), policy(true, &[APP, ADD_ONS]));
        for (before, after) in
            [(None, Some(&one)), (Some(&one), None), (Some(&one), Some(&two)), (Some(&two), Some(&one))]
        {
            assert_eq!(allowed(NAME, before, after), Ok(()));
            assert_eq!(allowed("EcrFixPull2", before, after), Ok(()));
            assert!(allowed("theirs", before, after).is_err());
            assert!(allowed("EcrFixPullTheirs", before, after).is_err());
        }
        assert!(allowed(NAME, None, None).is_err() && allowed(NAME, Some(&one), Some(&one)).is_err());
        assert!(allowed(NAME, Some(&policy(false, &[APP])), Some(&policy(false, &[ADD_ONS]))).is_err());
        for loose in [
            one.document.replace(APP, "*"),
            one.document.replace(APP, "arn:aws:ecr:eu-west-1:111122223333:repository/*"),
            one.document.replace(APP, "arn:aws:ecr:*:111122223333:repository/app"),
            one.document.replace(APP, "arn:aws:ecr:eu-west-1:602401143452:repository/eks/*"),
            one.document.replace(APP, "arn:aws-cn:ecr:cn-north-1:111122223333:repository/app"),
            one.document.replace("ecr:BatchGetImage", "ecr:*"),
            one.document.replace("ecr:BatchGetImage", "ecr:PutImage"),
            one.document.replace("ecr:GetAuthorizationToken", "*"),
            one.document.replace("Allow", "Deny"),
            one.document.replace("\"Effect\"", "\"Condition\":{},\"Effect\""),
            one.document.replace("2012-10-17", "2008-10-17"),
            one.document.replace("\"Version\"", "\"Id\":\"x\",\"Version\""),
            r#"{"Version":"2012-10-17","Statement":[]}"#.to_owned(),
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#
                .to_owned(),
        ] {
            let loose = RolePolicy { document: loose };
            assert!(allowed(NAME, None, Some(&loose)).is_err(), "{}", loose.document);
            assert!(allowed(NAME, Some(&loose), None).is_err(), "{}", loose.document);
        }
    }

    #[test]
    fn what_is_set_on_paper_leaves_the_other_policies_alone() {
        let role = r#"{"RoleName":"node","Arn":"arn:aws:iam::111122223333:role/team/node","RolePolicyList":[{"PolicyName":"a","PolicyDocument":{}}]}"#;
        let mut world = Snapshot::default();
        world.put(serde_json::from_str::<crate::model::iam::Role>(role).unwrap());
        let before = world.clone();
        let at = Address {
            role_arn: "arn:aws:iam::111122223333:role/team/node".to_owned(),
            role_name: "node".to_owned(),
            role_id: None,
            policy_name: NAME.to_owned(),
        };
        assert_eq!(RolePolicy::get(&world, &at), Found::State(None));
        RolePolicy::set(&mut world, &at, Some(policy(true, &[])));
        assert_eq!(RolePolicy::get(&world, &at), Found::State(Some(policy(true, &[]))));
        RolePolicy::set(&mut world, &at, None);
        assert_eq!(world, before);
    }
}
