//! The trust policy of a role: who may assume it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Found, Kind, Resource, Risk, Sent, Undo, role, statement};
use crate::aws::{Reader, Refused, Writer};
use crate::collect;
use crate::error::Error;
use crate::model::{Arn, PolicyText, Snapshot};
use crate::pulls::Target;

/// The service that pulls the images of Fargate pods, in every partition.
pub const FARGATE_PODS: &str = "eks-fargate-pods.amazonaws.com";

/// A trust policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrustPolicy {
    /// The document, byte for byte.
    pub document: String,
}

/// Whose trust policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address {
    /// With path and account.
    pub role_arn: String,
    /// The name that the calls take.
    pub role_name: String,
    /// The stable unique id, where it was read: another one means another role of the same name.
    pub role_id: Option<String>,
}

impl Resource for TrustPolicy {
    type Address = Address;

    const KINDS: &'static [Kind] = &[Kind::UpdateTrustPolicy];

    const READS: &'static [&'static str] = &["iam:GetRole"];

    fn kind(_before: Option<&Self>, _after: Option<&Self>) -> Kind {
        Kind::UpdateTrustPolicy
    }

    fn arn(at: &Address) -> String {
        at.role_arn.clone()
    }

    fn summary(at: &Address, before: Option<&Self>, after: Option<&Self>) -> String {
        let gained = gained_clusters(before, after);
        if gained.is_empty() {
            format!("give role {} its earlier trust policy back", at.role_name)
        } else {
            format!(
                "let Fargate pods of cluster {} assume role {}",
                gained.into_iter().collect::<Vec<_>>().join(", "),
                at.role_name
            )
        }
    }

    fn get(world: &Snapshot, at: &Address) -> Found<Self> {
        let role = match role::found(world, &at.role_arn, &at.role_name, at.role_id.as_deref()) {
            Ok(role) => role,
            Err(instead) => return instead,
        };
        match &role.assume_role_policy_document {
            Some(document) => Found::State(Some(TrustPolicy { document: document.as_str().to_owned() })),
            None => Found::Unread(format!("the trust policy of {} was not read", at.role_name)),
        }
    }

    fn set(world: &mut Snapshot, at: &Address, state: Option<Self>) {
        if let Some(role) = world.roles.get_mut(&at.role_arn) {
            role.assume_role_policy_document = state.map(|policy| PolicyText::new(policy.document));
        }
    }

    async fn look(aws: &Reader, at: &Address) -> Result<Snapshot, Error> {
        collect::trust_policy_again(aws, &at.role_arn).await
    }

    async fn send(
        aws: &Writer,
        at: &Address,
        _before: Option<&Self>,
        after: Option<&Self>,
    ) -> Result<Sent, Refused> {
        match after {
            Some(after) => aws.update_assume_role_policy(&at.role_name, &after.document).await,
            None => {
                Err(Refused::never_sent("iam:UpdateAssumeRolePolicy", "a role always has a trust policy"))
            }
        }
    }

    fn same(one: &Self, other: &Self) -> bool {
        statement::meaning(&one.document) == statement::meaning(&other.document)
    }

    fn relies_on(state: &Self) -> Value {
        statement::meaning(&state.document)
    }

    fn is_additive(before: Option<&Self>, after: Option<&Self>) -> bool {
        trusted_profiles(before).is_subset(&trusted_profiles(after))
    }

    fn undo(now: Option<&Self>, before: Option<&Self>, after: Option<&Self>) -> Undo<Self> {
        let (Some(now), Some(before), Some(after)) = (now, before, after) else {
            return Undo::Overlap("a role always has a trust policy".to_owned());
        };
        match statement::undo(&now.document, Some(&before.document), &after.document) {
            Undo::Restored(Some(document)) => Undo::Restored(Some(TrustPolicy { document })),
            Undo::Restored(None) => {
                Undo::Overlap("without this change nobody would be trusted any more".to_owned())
            }
            Undo::Nothing(because) => Undo::Nothing(because),
            Undo::Overlap(because) => Undo::Overlap(because),
        }
    }

    fn lines(_at: &Address, state: Option<&Self>) -> Vec<String> {
        state.map_or_else(Vec::new, |policy| statement::lines(&policy.document))
    }

    /// A trust policy may change in one statement only, and only for Fargate's pods of one cluster. The way
    /// back is allowed, too: it is the same change, seen from the other side.
    fn allowed(at: &Address, before: Option<&Self>, after: Option<&Self>) -> Result<(), String> {
        role::checked(&at.role_arn, &at.role_name)?;
        let (Some(before), Some(after)) = (before, after) else {
            return Err("a role always has a trust policy".to_owned());
        };
        let (removed, added) = statement::one_edit(&before.document, &after.document)?;
        match removed.iter().chain(&added).find(|statement| !is_for_fargate(statement)) {
            Some(_) => {
                Err("it touches a statement that is not for the Fargate pods of one cluster".to_owned())
            }
            None => Ok(()),
        }
    }

    fn planned_for(before: Option<&Self>, after: Option<&Self>, target: &Target) -> Result<(), String> {
        let (old, new) = (trusted_profiles(before), trusted_profiles(after));
        let ours = profiles_of(target);
        if !old.is_subset(&new) {
            return Err("it takes trust away".to_owned());
        }
        match new.difference(&old).collect::<Vec<_>>().as_slice() {
            [gained] if **gained == ours => Ok(()),
            _ => Err(format!("it does not add trust in {ours} and nothing else")),
        }
    }

    fn risk(at: &Address, _before: Option<&Self>, _after: Option<&Self>) -> (Risk, String) {
        let safe = format!(
            "only Fargate profiles of this cluster may assume {} in addition; every other statement stays as it is",
            at.role_name
        );
        (Risk::Low, safe)
    }
}

/// Every Fargate profile of a cluster, as trust policies name them.
pub fn profiles_of(target: &Target) -> String {
    let Target { account, region, partition, cluster } = target;
    format!("arn:{partition}:eks:{region}:{account}:fargateprofile/{cluster}/*")
}

/// The Fargate profiles that a policy trusts, by the ARNs that it names.
fn trusted_profiles(policy: Option<&TrustPolicy>) -> BTreeSet<String> {
    let statements =
        policy.and_then(|policy| statement::statements(&policy.document).ok()).unwrap_or_default();
    let statements = statements.into_iter().filter_map(|text| serde_json::from_str(text).ok());
    statements.filter(is_for_fargate).flat_map(|statement| source_arns(&statement)).collect()
}

/// The clusters whose Fargate profiles may assume the role afterwards, and may not before.
fn gained_clusters(before: Option<&TrustPolicy>, after: Option<&TrustPolicy>) -> BTreeSet<String> {
    let gained: BTreeSet<String> =
        trusted_profiles(after).difference(&trusted_profiles(before)).cloned().collect();
    let arns = gained.iter().filter_map(|source| source.parse::<Arn>().ok());
    arns.filter_map(|arn| arn.resource.split('/').nth(1).map(str::to_owned)).collect()
}

/// Whether a statement lets Fargate's service, and nobody else, assume the role for profiles that it names.
pub fn is_for_fargate(statement: &Value) -> bool {
    let field =
        |name: &str| statement.get(name).map(|value| crate::model::policy_text::canonical(value).to_string());
    let known = ["Sid", "Effect", "Principal", "Action", "Condition"];
    let only_known =
        statement.as_object().is_some_and(|fields| fields.keys().all(|key| known.contains(&key.as_str())));
    let sources = source_arns(statement);
    only_known
        && field("Effect").as_deref() == Some("\"Allow\"")
        && field("Principal") == Some(format!("{{\"Service\":\"{FARGATE_PODS}\"}}"))
        && field("Action").as_deref() == Some("\"sts:AssumeRole\"")
        && !sources.is_empty()
        && sources.iter().all(|arn| arn.parse::<Arn>().is_ok_and(|arn| names_one_cluster(&arn)))
}

fn names_one_cluster(arn: &Arn) -> bool {
    let exact = |part: &str| !part.is_empty() && !part.contains(['*', '?']);
    let cluster = arn.resource.strip_prefix("fargateprofile/").and_then(|rest| rest.split('/').next());
    arn.service == "eks" && exact(&arn.region) && exact(&arn.account) && cluster.is_some_and(exact)
}

/// The values of `aws:SourceArn` of a statement whose only condition is about them.
pub fn source_arns(statement: &Value) -> Vec<String> {
    let only = |value: &Value| -> Option<(String, Value)> {
        let fields = value.as_object().filter(|fields| fields.len() == 1)?;
        fields.iter().next().map(|(key, value)| (key.clone(), value.clone()))
    };
    let Some((operator, keys)) = statement.get("Condition").and_then(only) else { return Vec::new() };
    let Some((key, values)) = only(&keys) else { return Vec::new() };
    if !operator.eq_ignore_ascii_case("ArnLike") || !key.eq_ignore_ascii_case("aws:SourceArn") {
        return Vec::new();
    }
    match values {
        Value::String(value) => vec![value],
        Value::Array(values) => values.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EC2: &str =
        r#"{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}"#;

    fn fargate(source: &str) -> String {
        format!(
            r#"{{"Effect":"Allow","Principal":{{"Service":"{FARGATE_PODS}"}},"Action":"sts:AssumeRole","Condition":{{"ArnLike":{{"aws:SourceArn":"{source}"}}}}}}"#
        )
    }

    fn allowed(before: &[&str], after: &[&str]) -> Result<(), String> {
        let policy = |statements: &[&str]| TrustPolicy {
            document: format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(",")),
        };
        let at = Address {
            role_arn: "arn:aws:iam::111122223333:role/fargate".to_owned(),
            role_name: "fargate".to_owned(),
            role_id: None,
        };
        TrustPolicy::allowed(&at, Some(&policy(before)), Some(&policy(after)))
    }

    #[test]
    fn the_engine_adds_trust_in_fargate_for_one_cluster_and_nothing_else() {
        let (ours, other) = (
            fargate("arn:aws:eks:eu-west-1:111122223333:fargateprofile/prod/*"),
            fargate("arn:aws:eks:eu-west-1:111122223333:fargateprofile/other/*"),
        );
        assert_eq!(allowed(&[EC2], &[EC2, &ours]), Ok(()));
        assert_eq!(allowed(&[EC2, &ours], &[EC2]), Ok(()), "the way back");
        assert_eq!(allowed(&[&other, EC2], &[&ours, EC2]), Ok(()));
        assert!(allowed(&[EC2], &[&ours]).is_err(), "EC2 would lose the role");
        assert!(allowed(&[EC2], &[EC2, &ours, &other]).is_err());
        for loose in [
            "*",
            "arn:aws:eks:*:111122223333:fargateprofile/prod/*",
            "arn:aws:eks:eu-west-1:*:fargateprofile/prod/*",
            "arn:aws:eks:eu-west-1:111122223333:fargateprofile/*",
            "arn:aws:eks:eu-west-1:111122223333:*",
        ] {
            assert!(allowed(&[EC2], &[EC2, &fargate(loose)]).is_err(), "{loose}");
        }
        let anybody = r#"{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}"#;
        assert!(allowed(&[EC2], &[EC2, anybody]).is_err());
    }

    #[test]
    fn a_plan_adds_trust_in_its_own_cluster_only() {
        let target = Target {
            account: "111122223333".to_owned(),
            region: "eu-west-1".to_owned(),
            partition: "aws".to_owned(),
            cluster: "prod".to_owned(),
        };
        let policy = |statements: &[&str]| TrustPolicy {
            document: format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(",")),
        };
        let planned = |before: &[&str], after: &[&str]| {
            TrustPolicy::planned_for(Some(&policy(before)), Some(&policy(after)), &target)
        };
        let ours = fargate(&profiles_of(&target));
        let foreign = fargate("arn:aws:eks:eu-west-1:999988887777:fargateprofile/prod/*");
        assert_eq!(planned(&[EC2], &[EC2, &ours]), Ok(()));
        assert!(planned(&[EC2], &[EC2, &foreign]).is_err(), "another account");
        assert!(planned(&[EC2, &ours], &[EC2]).is_err(), "trust is taken away");
        assert!(planned(&[EC2], &[EC2]).is_err(), "nothing is gained");
    }
}
