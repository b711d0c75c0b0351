//! The policy of a repository: who else may pull from it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::statement::{self, one_or_many, strings};
use super::{Found, Kind, Resource, Risk, Sent, Undo};
use crate::aws::{Reader, Refused, Writer};
use crate::collect;
use crate::error::Error;
use crate::model::ecr::{RegistryDocument, RepositoryName};
use crate::model::{Arn, PolicyText, Seen, Snapshot, aws_accounts};
use crate::pulls::Target;

/// What a pull asks of a repository. Whoever may do these two, and nothing else, can only pull.
pub const PULL_CALLS: [&str; 2] = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];

/// What a pull asks of a repository that a pull-through cache fills: whoever pulls first brings the image in.
const PULL_THROUGH_CALLS: [&str; 3] =
    ["ecr:BatchGetImage", "ecr:BatchImportUpstreamImage", "ecr:GetDownloadUrlForLayer"];

/// The most characters that ECR takes: Amazon ECR API reference, `SetRepositoryPolicy`, `policyText`.
pub const LONGEST: usize = 10_240;

/// How the `Sid` of every statement of ours begins.
const SID: &str = "EcrFixPull";

/// What stands for no policy, where two documents are compared.
const EMPTY: &str = r#"{"Version":"2012-10-17","Statement":[]}"#;

/// The policy of a repository.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RepositoryPolicy {
    /// The document, byte for byte.
    pub document: String,
}

/// What a statement of ours allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// To pull what is there.
    Pull,
    /// To pull through a cache, which brings in what is not there yet.
    PullThrough,
}

impl Right {
    const ALL: [Right; 2] = [Right::Pull, Right::PullThrough];

    /// The calls, sorted.
    pub fn calls(self) -> &'static [&'static str] {
        match self {
            Right::Pull => &PULL_CALLS,
            Right::PullThrough => &PULL_THROUGH_CALLS,
        }
    }

    /// As a verb.
    fn as_str(self) -> &'static str {
        match self {
            Right::Pull => "pull",
            Right::PullThrough => "pull through the cache",
        }
    }
}

/// Whose policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address {
    /// Names partition, region and account of the registry.
    pub repository_arn: String,
}

impl Address {
    /// The account and the region of the registry, and the name of the repository.
    pub fn repository(&self) -> RepositoryName<'_> {
        let mut parts = self.repository_arn.splitn(6, ':').skip(3);
        let (region, account) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let name = parts.next().and_then(|resource| resource.strip_prefix("repository/"));
        RepositoryName { account, region, name: name.unwrap_or_default() }
    }
}

impl RepositoryPolicy {
    /// The policy with one statement that gives roles a right: ours where there is one already, else a new one at the end.
    /// Every other statement stays byte for byte.
    ///
    /// # Errors
    /// The policy cannot be edited, or would become longer than ECR takes.
    pub fn granting(
        before: Option<&RepositoryPolicy>,
        roles: &BTreeSet<String>,
        right: Right,
    ) -> Result<RepositoryPolicy, String> {
        let document = match before {
            None => {
                let statement = grant(SID, roles, right);
                json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
            }
            Some(RepositoryPolicy { document }) => {
                let ours =
                    statement::statements(document)?.into_iter().enumerate().find_map(|(index, text)| {
                        let statement: Value = serde_json::from_str(text).ok()?;
                        let (_, granted) = granted(&statement).filter(|(granted, _)| *granted == right)?;
                        Some((index, statement.get("Sid")?.as_str()?.to_owned(), granted))
                    });
                match ours {
                    Some((_, _, granted)) if roles.is_subset(&granted) => document.clone(),
                    Some((index, sid, granted)) => statement::replace(
                        document,
                        index,
                        &grant(&sid, &granted.union(roles).cloned().collect(), right),
                    )?,
                    None => statement::append(
                        document,
                        &grant(&statement::free_sid(document, SID)?, roles, right),
                    )?,
                }
            }
        };
        match document.chars().count() {
            length if length > LONGEST => {
                Err(format!("it would have {length} characters, and ECR takes {LONGEST}"))
            }
            _ => Ok(RepositoryPolicy { document }),
        }
    }
}

impl Resource for RepositoryPolicy {
    type Address = Address;

    const KINDS: &'static [Kind] = &[Kind::SetRepositoryPolicy, Kind::DeleteRepositoryPolicy];

    const READS: &'static [&'static str] = &["ecr:GetRepositoryPolicy"];

    const IN_ANY_ACCOUNT: bool = true;

    fn kind(_before: Option<&Self>, after: Option<&Self>) -> Kind {
        match after {
            Some(_) => Kind::SetRepositoryPolicy,
            None => Kind::DeleteRepositoryPolicy,
        }
    }

    fn arn(at: &Address) -> String {
        at.repository_arn.clone()
    }

    fn summary(at: &Address, before: Option<&Self>, after: Option<&Self>) -> String {
        let RepositoryName { account, name, .. } = at.repository();
        let gained = gained(before, after);
        if after.is_none() {
            format!("delete the policy of repository {name} of account {account}, which had none")
        } else if gained.is_empty() {
            format!("give repository {name} of account {account} its earlier policy back")
        } else {
            format!("let {} from repository {name} of account {account}", in_words(&gained))
        }
    }

    fn get(world: &Snapshot, at: &Address) -> Found<Self> {
        let repository = at.repository();
        // ECR answers the same call otherwise where there is a repository without a policy.
        if world.not_found.contains(&format!("ecr:GetRepositoryPolicy {}", repository.resource())) {
            return Found::Deleted(format!("repository {} does not exist any more", repository.name));
        }
        match world.repository_policy(repository) {
            Seen::Known(policy) => {
                Found::State(Some(RepositoryPolicy { document: policy.as_str().to_owned() }))
            }
            Seen::Absent => Found::State(None),
            Seen::Unread(because) => Found::Unread(because),
        }
    }

    fn set(world: &mut Snapshot, at: &Address, state: Option<Self>) {
        let RepositoryName { account, region, name } = at.repository();
        let text = state.map(|policy| PolicyText::new(policy.document));
        let found = world.registry_documents.values_mut().find(|row| {
            row.registry_id == account
                && row.repository_name.as_deref() == Some(name)
                && row.region.as_deref().is_none_or(|known| known == region)
        });
        match found {
            Some(row) => row.policy_text = text,
            None => world.put(RegistryDocument {
                registry_id: account.to_owned(),
                region: Some(region.to_owned()),
                repository_name: Some(name.to_owned()),
                policy_text: text,
            }),
        }
    }

    async fn look(aws: &Reader, at: &Address) -> Result<Snapshot, Error> {
        collect::repository_policy_again(aws, at.repository()).await
    }

    async fn send(
        aws: &Writer,
        at: &Address,
        _before: Option<&Self>,
        after: Option<&Self>,
    ) -> Result<Sent, Refused> {
        match after {
            Some(after) => aws.set_repository_policy(at.repository(), &after.document).await,
            None => aws.delete_repository_policy(at.repository()).await,
        }
    }

    fn same(one: &Self, other: &Self) -> bool {
        statement::meaning(&one.document) == statement::meaning(&other.document)
    }

    fn relies_on(state: &Self) -> Value {
        statement::meaning(&state.document)
    }

    fn together(before: Option<&Self>, one: Option<&Self>, other: Option<&Self>) -> Option<Option<Self>> {
        let mut gained = gained(before, one);
        gained.extend(self::gained(before, other));
        let mut whole = before.cloned();
        for right in Right::ALL {
            let roles: BTreeSet<String> = roles_with(&gained, right).cloned().collect();
            if !roles.is_empty() {
                whole = Some(RepositoryPolicy::granting(whole.as_ref(), &roles, right).ok()?);
            }
        }
        Some(whole)
    }

    fn is_additive(before: Option<&Self>, after: Option<&Self>) -> bool {
        after.is_some() && grants(before).is_subset(&grants(after))
    }

    fn undo(now: Option<&Self>, before: Option<&Self>, after: Option<&Self>) -> Undo<Self> {
        let Some(now) = now else { return Undo::Nothing("the repository has no policy any more".to_owned()) };
        let text = |policy: Option<&Self>| policy.map(|policy| policy.document.clone());
        let after = text(after).unwrap_or_else(|| EMPTY.to_owned());
        match statement::undo(&now.document, text(before).as_deref(), &after) {
            Undo::Restored(document) => {
                Undo::Restored(document.map(|document| RepositoryPolicy { document }))
            }
            Undo::Nothing(because) => Undo::Nothing(because),
            Undo::Overlap(because) => Undo::Overlap(because),
        }
    }

    fn lines(_at: &Address, state: Option<&Self>) -> Vec<String> {
        state.map_or_else(Vec::new, |policy| statement::lines(&policy.document))
    }

    /// One statement may come, change or go, and it must be one that lets roles that it names pull, and do nothing else.
    /// A policy may be deleted only where that statement is all that it says.
    fn allowed(at: &Address, before: Option<&Self>, after: Option<&Self>) -> Result<(), String> {
        let repository: Arn =
            at.repository_arn.parse().map_err(|error| format!("repository_arn: {error}"))?;
        let is_account =
            repository.account.len() == 12 && repository.account.chars().all(|c| c.is_ascii_digit());
        if repository.service != "ecr" || at.repository().name.is_empty() || !is_account {
            return Err(format!("{} is not the ARN of a repository", at.repository_arn));
        }
        if aws_accounts::is_aws_owned(&repository.account) {
            return Err(format!("the registry of {} belongs to AWS", repository.account));
        }
        if after.is_some_and(|policy| policy.document.chars().count() > LONGEST) {
            return Err(format!("it is longer than the {LONGEST} characters that ECR takes"));
        }
        let document =
            |policy: Option<&Self>| policy.map_or(EMPTY.to_owned(), |policy| policy.document.clone());
        let (removed, added) = statement::one_edit(&document(before), &document(after))?;
        if removed.is_none() && added.is_none() {
            return Err("it changes nothing".to_owned());
        }
        for statement in removed.iter().chain(&added) {
            let (_, roles) = granted(statement)
                .ok_or("it touches a statement that does more than to let roles that it names pull")?;
            if let Some(foreign) = roles.iter().find(|role| !is_role(role, &repository.partition)) {
                return Err(format!("{foreign} is not a role that can be let in"));
            }
        }
        match (removed.as_ref().and_then(granted), added.as_ref().and_then(granted)) {
            (Some((old_right, old)), Some((new_right, new)))
                if old_right != new_right || (!old.is_subset(&new) && !new.is_subset(&old)) =>
            {
                Err("it takes roles out and lets others in".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn planned_for(before: Option<&Self>, after: Option<&Self>, target: &Target) -> Result<(), String> {
        let (old, new) = (grants(before), grants(after));
        if !old.is_subset(&new) || after.is_none() {
            return Err("it takes permissions away".to_owned());
        }
        let foreign = |role: &&String| {
            role.parse::<Arn>()
                .map_or(true, |arn| arn.account != target.account || arn.partition != target.partition)
        };
        match new.difference(&old).map(|(_, role)| role).collect::<Vec<_>>().as_slice() {
            [] => Err("it lets nobody in".to_owned()),
            gained => match gained.iter().find(|role| foreign(role)) {
                Some(role) => Err(format!("{role} is not a role of account {}", target.account)),
                None => Ok(()),
            },
        }
    }

    fn risk(at: &Address, before: Option<&Self>, after: Option<&Self>) -> (Risk, String) {
        let gained = gained(before, after);
        if gained.is_empty() {
            let name = at.repository().name;
            return (Risk::Medium, format!("the roles of this plan can no longer pull from {name}"));
        }
        let safe = format!(
            "in addition it lets {} from it, and nothing else; every other statement stays as it is, byte for byte",
            in_words(&gained)
        );
        (Risk::Low, safe)
    }
}

/// The smallest statement that gives roles a right. A repository policy has no `Resource`.
fn grant(sid: &str, roles: &BTreeSet<String>, right: Right) -> Value {
    let principal = json!({ "AWS": one_or_many(roles) });
    json!({ "Sid": sid, "Effect": "Allow", "Principal": principal, "Action": right.calls() })
}

/// What a statement of ours allows which roles; nothing where it is not exactly such a statement.
fn granted(statement: &Value) -> Option<(Right, BTreeSet<String>)> {
    let fields = statement.as_object().filter(|fields| fields.len() == 4)?;
    let sid = fields.get("Sid")?.as_str()?;
    let is_ours = sid.starts_with(SID) && sid.chars().all(|c| c.is_ascii_alphanumeric());
    let calls: BTreeSet<&str> = strings(fields.get("Action"))?.into_iter().collect();
    let right =
        Right::ALL.into_iter().find(|right| right.calls().iter().copied().eq(calls.iter().copied()))?;
    let principal = fields.get("Principal")?.as_object().filter(|kinds| kinds.len() == 1)?;
    let roles = strings(principal.get("AWS"))?;
    let is_grant = is_ours
        && fields.get("Effect")? == "Allow"
        && !roles.is_empty()
        && roles.iter().all(|role| role.split(':').nth(2) == Some("iam"));
    is_grant.then(|| (right, roles.into_iter().map(str::to_owned).collect()))
}

/// What our statements of a policy allow, and to which role.
fn grants(policy: Option<&RepositoryPolicy>) -> BTreeSet<(Right, String)> {
    let statements =
        policy.and_then(|policy| statement::statements(&policy.document).ok()).unwrap_or_default();
    let statements = statements.into_iter().filter_map(|text| serde_json::from_str::<Value>(text).ok());
    let granted = statements.filter_map(|statement| granted(&statement));
    granted.flat_map(|(right, roles)| roles.into_iter().map(move |role| (right, role))).collect()
}

/// What a policy allows that the one before did not.
fn gained(before: Option<&RepositoryPolicy>, after: Option<&RepositoryPolicy>) -> BTreeSet<(Right, String)> {
    grants(after).difference(&grants(before)).cloned().collect()
}

fn roles_with(grants: &BTreeSet<(Right, String)>, right: Right) -> impl Iterator<Item = &String> {
    grants.iter().filter(move |(granted, _)| *granted == right).map(|(_, role)| role)
}

/// Whether an ARN is that of exactly one role, which is no AWS service's own.
fn is_role(text: &str, partition: &str) -> bool {
    let of_service = |arn: &Arn| arn.resource.starts_with("role/aws-service-role/");
    !text.contains(['*', '?'])
        && text.parse::<Arn>().is_ok_and(|arn| {
            arn.service == "iam"
                && arn.partition == partition
                && arn.region.is_empty()
                && arn.account.len() == 12
                && arn.account.chars().all(|c| c.is_ascii_digit())
                && arn.resource.starts_with("role/")
                && !arn.resource_name().is_empty()
                && !of_service(&arn)
        })
}

/// `role node of account 111122223333 pull`, or several.
fn in_words(gained: &BTreeSet<(Right, String)>) -> String {
    let one = |role: &String| match role.parse::<Arn>() {
        Ok(arn) => format!("role {} of account {}", arn.resource_name(), arn.account),
        Err(_) => role.clone(),
    };
    let with = |right: Right| {
        let roles: Vec<String> = roles_with(gained, right).map(one).collect();
        (!roles.is_empty()).then(|| format!("{} {}", roles.join(", "), right.as_str()))
    };
    Right::ALL.into_iter().filter_map(with).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: &str = "arn:aws:iam::111122223333:role/team/node";
    const PODS: &str = "arn:aws:iam::111122223333:role/pods";
    const PARTNER: &str =
        r#"{"Sid":"Partner", "Effect":"Allow","Principal":{"AWS":"999988887777"},"Action":"ecr:*"}"#;

    fn at() -> Address {
        Address { repository_arn: "arn:aws:ecr:eu-west-1:444455556666:repository/team/app".to_owned() }
    }

    fn policy(statements: &[&str]) -> RepositoryPolicy {
        let statements = statements.join(",");
        RepositoryPolicy { document: format!(r#"{{"Version":"2008-10-17","Statement":[{statements}]}}"#) }
    }

    fn roles(arns: &[&str]) -> BTreeSet<String> {
        arns.iter().map(ToString::to_string).collect()
    }

    fn ours(sid: &str, arns: &[&str]) -> String {
        grant(sid, &roles(arns), Right::Pull).to_string()
    }

    fn granting(before: Option<&RepositoryPolicy>, arns: &[&str]) -> String {
        RepositoryPolicy::granting(before, &roles(arns), Right::Pull).unwrap().document
    }

    #[test]
    fn one_statement_lets_all_roles_in_and_the_others_stay_byte_for_byte() {
        assert_eq!(
            granting(None, &[NODE]),
            format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"EcrFixPull","Effect":"Allow","Principal":{{"AWS":"{NODE}"}},"Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"]}}]}}"#
            )
        );
        let foreign = policy(&[PARTNER]);
        let first = granting(Some(&foreign), &[NODE]);
        assert_eq!(first, policy(&[PARTNER, &ours("EcrFixPull", &[NODE])]).document);
        let second = granting(Some(&RepositoryPolicy { document: first.clone() }), &[PODS]);
        assert_eq!(second, policy(&[PARTNER, &ours("EcrFixPull", &[PODS, NODE])]).document);
        let again = granting(Some(&RepositoryPolicy { document: second.clone() }), &[PODS, NODE]);
        assert_eq!(again, second, "who is in already is not let in again");
        let taken = r#"{"Sid":"EcrFixPull","Effect":"Deny","Principal":"*","Action":"ecr:PutImage"}"#;
        assert_eq!(
            granting(Some(&policy(&[taken])), &[NODE]),
            policy(&[taken, &ours("EcrFixPull2", &[NODE])]).document
        );
    }

    #[test]
    fn a_policy_does_not_grow_beyond_what_ecr_takes() {
        let long = format!(r#"{{"Sid":"{}","Effect":"Deny"}}"#, "x".repeat(LONGEST - 100));
        let refused =
            RepositoryPolicy::granting(Some(&policy(&[&long])), &roles(&[NODE]), Right::Pull).unwrap_err();
        assert_eq!(refused, "it would have 10366 characters, and ECR takes 10240");
    }

    #[test]
    fn grants_of_several_blockers_become_one() {
        let before = policy(&[PARTNER]);
        let part =
            |role: &str| RepositoryPolicy::granting(Some(&before), &roles(&[role]), Right::Pull).unwrap();
        let both = RepositoryPolicy::together(Some(&before), Some(&part(NODE)), Some(&part(PODS)));
        let whole = RepositoryPolicy::granting(Some(&before), &roles(&[NODE, PODS]), Right::Pull).unwrap();
        assert_eq!(both, Some(Some(whole)));
    }

    #[test]
    fn the_engine_lets_named_roles_pull_and_nothing_else() {
        let allowed = |before: Option<&RepositoryPolicy>, after: Option<&RepositoryPolicy>| {
            RepositoryPolicy::allowed(&at(), before, after)
        };
        let (foreign, node) = (policy(&[PARTNER]), ours("EcrFixPull", &[NODE]));
        let both = policy(&[PARTNER, &node]);
        assert_eq!(allowed(Some(&foreign), Some(&both)), Ok(()));
        assert_eq!(allowed(Some(&both), Some(&foreign)), Ok(()), "the way back");
        let first = RepositoryPolicy::granting(None, &roles(&[NODE]), Right::Pull).unwrap();
        assert_eq!(allowed(None, Some(&first)), Ok(()));
        assert_eq!(allowed(Some(&first), None), Ok(()), "the way back");
        let more = policy(&[PARTNER, &ours("EcrFixPull", &[NODE, PODS])]);
        assert_eq!(allowed(Some(&both), Some(&more)), Ok(()));
        let swapped = policy(&[PARTNER, &ours("EcrFixPull", &[PODS])]);
        assert!(allowed(Some(&both), Some(&swapped)).is_err());

        assert!(allowed(Some(&foreign), None).is_err(), "the policy of somebody else goes");
        assert!(allowed(Some(&both), None).is_err(), "and with it what others may do");
        assert!(allowed(Some(&foreign), Some(&policy(&[&node]))).is_err());
        assert!(allowed(Some(&both), Some(&both)).is_err());
        let newer = RepositoryPolicy { document: both.document.replace("2008", "2012") };
        assert!(allowed(Some(&foreign), Some(&newer)).is_err(), "another version");
        for loose in [
            ours("EcrFixPull", &["*"]),
            ours("EcrFixPull", &["arn:aws:iam::111122223333:root"]),
            ours("EcrFixPull", &["111122223333"]),
            ours("EcrFixPull", &["arn:aws:iam::111122223333:role/*"]),
            ours("EcrFixPull", &["arn:aws:iam::111122223333:instance-profile/node"]),
            ours("EcrFixPull", &["arn:aws:iam::111122223333:user/node"]),
            ours("EcrFixPull", &["arn:aws:sts::111122223333:assumed-role/node/i-1"]),
            ours("EcrFixPull", &["arn:aws-cn:iam::111122223333:role/node"]),
            ours("EcrFixPull", &["arn:aws:iam::111122223333:role/aws-service-role/eks.amazonaws.com/x"]),
            ours("Other", &[NODE]),
            ours("EcrFixPull 1", &[NODE]),
            node.replace("Allow", "Deny"),
            node.replace("ecr:BatchGetImage", "ecr:*"),
            node.replace("ecr:BatchGetImage", "ecr:PutImage"),
            node.replace("\"Effect\"", "\"Resource\":\"*\",\"Effect\""),
            node.replace("\"Effect\"", "\"Condition\":{},\"Effect\""),
            node.replace("\"Principal\":{", "\"Principal\":{\"Service\":\"lambda.amazonaws.com\","),
            node.replace("Principal", "NotPrincipal"),
        ] {
            assert!(allowed(Some(&foreign), Some(&policy(&[PARTNER, &loose]))).is_err(), "{loose}");
        }
        let of = |arn: &str| {
            let at = Address { repository_arn: arn.to_owned() };
            RepositoryPolicy::allowed(&at, None, Some(&first))
        };
        for foreign in [
            "arn:aws:ecr:eu-west-1:602401143452:repository/eks/pause",
            "arn:aws:ecr:eu-west-1::repository/app",
            "arn:aws:ecr:eu-west-1:444455556666:registry",
            "arn:aws:s3:::repository/app",
            "arn:aws-cn:ecr:cn-north-1:444455556666:repository/app",
        ] {
            assert!(of(foreign).is_err(), "{foreign}");
        }
    }

    #[test]
    fn who_may_fill_a_cache_stands_in_a_statement_of_its_own() {
        let pull = policy(&[PARTNER, &ours("EcrFixPull", &[PODS])]);
        let both = RepositoryPolicy::granting(Some(&pull), &roles(&[NODE]), Right::PullThrough).unwrap();
        let fill = grant("EcrFixPull2", &roles(&[NODE]), Right::PullThrough).to_string();
        assert_eq!(both, policy(&[PARTNER, &ours("EcrFixPull", &[PODS]), &fill]));
        assert!(fill.contains(
            r#""Action":["ecr:BatchGetImage","ecr:BatchImportUpstreamImage","ecr:GetDownloadUrlForLayer"]"#
        ));
        assert_eq!(RepositoryPolicy::allowed(&at(), Some(&pull), Some(&both)), Ok(()));
        assert_eq!(RepositoryPolicy::allowed(&at(), Some(&both), Some(&pull)), Ok(()), "the way back");
        assert_eq!(
            RepositoryPolicy::summary(&at(), Some(&pull), Some(&both)),
            "let role node of account 111122223333 pull through the cache from repository team/app of account 444455556666"
        );
        let widened =
            policy(&[PARTNER, &grant("EcrFixPull", &roles(&[PODS]), Right::PullThrough).to_string()]);
        assert!(RepositoryPolicy::allowed(&at(), Some(&pull), Some(&widened)).is_err(), "of somebody else's");
        let merged = RepositoryPolicy::together(Some(&pull), Some(&both), Some(&both));
        assert_eq!(merged, Some(Some(both)));
    }

    #[test]
    fn a_plan_lets_in_roles_of_its_own_account_only() {
        let target = Target {
            account: "111122223333".to_owned(),
            region: "eu-west-1".to_owned(),
            partition: "aws".to_owned(),
            cluster: "prod".to_owned(),
        };
        let planned = |before: &[&str], after: &[&str]| {
            RepositoryPolicy::planned_for(Some(&policy(before)), Some(&policy(after)), &target)
        };
        let node = ours("EcrFixPull", &[NODE]);
        let foreign = ours("EcrFixPull", &["arn:aws:iam::999988887777:role/node"]);
        assert_eq!(planned(&[PARTNER], &[PARTNER, &node]), Ok(()));
        assert!(planned(&[PARTNER], &[PARTNER, &foreign]).is_err());
        assert!(planned(&[PARTNER, &node], &[PARTNER]).is_err());
        assert!(planned(&[PARTNER], &[PARTNER]).is_err());
        assert!(RepositoryPolicy::planned_for(Some(&policy(&[&node])), None, &target).is_err());
    }

    #[test]
    fn layout_and_order_do_not_matter_and_a_statement_does() {
        let node = ours("EcrFixPull", &[NODE, PODS]);
        let (one, other) = (policy(&[PARTNER, &node]), policy(&[&node, PARTNER]));
        assert!(RepositoryPolicy::same(&one, &other));
        let pretty: Value = serde_json::from_str(&one.document).unwrap();
        let pretty = RepositoryPolicy { document: serde_json::to_string_pretty(&pretty).unwrap() };
        assert!(RepositoryPolicy::same(&one, &pretty));
        assert!(!RepositoryPolicy::same(&one, &policy(&[PARTNER])));
    }
}
