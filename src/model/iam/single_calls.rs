//! IAM in the shapes of its single calls: `get-role`, `get-instance-profile`, `get-policy`, `list-attached-role-policies`,
//! `list-role-policies`, `get-role-policy` and `get-policy-version`.
//!
//! The lists and documents do not say whose they are. A file says so itself, beside them (`RoleName`, `Role`, `PolicyArn`,
//! `Policy`), or by its path, in which the name of a role or policy stands that another file knows
//! (`attached-NAME.json`, `NAME/v3.json`). So they are put in their places when all files were read. What belongs to
//! nobody is ignored, and a role of which nobody saw `get-role` is no role: it may have a boundary.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{AttachedPolicy, InlinePolicy, InstanceProfile, ManagedPolicy, PolicyVersion, Role};
use crate::json_text::Fields;
use crate::model::PolicyText;
use crate::model::snapshot::{FileReader, Misshapen, Snapshot, parse, read_key};

/// The keys that say themselves what they are about.
pub const FILE_READERS: &[FileReader] = &[
    FileReader { key: ROLE.0, read: read_role },
    FileReader { key: "InstanceProfile", read: read_instance_profile },
    FileReader { key: "Policy", read: read_policy },
];

/// The key of a role that stands alone, and the one of a list of them.
pub const ROLE: (&str, &str) = ("Role", "RoleDetailList");

/// The keys that do not: see [`Part`].
pub const PARTS: [&str; 4] = ["AttachedPolicies", "PolicyNames", "PolicyDocument", "PolicyVersion"];

/// What stands beside a part and belongs to it.
pub const BESIDE_PARTS: [&str; 6] =
    ["RoleName", "RoleArn", "PolicyName", "PolicyArn", "IsTruncated", "NextToken"];

/// A part of a role or of a policy that waits for the rest.
#[derive(Debug)]
pub struct Part {
    /// The file that it is in.
    pub file: PathBuf,
    /// The key that it is under.
    pub key: &'static str,
    whose: Option<String>,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Attached(Vec<AttachedPolicy>),
    Names(Vec<String>),
    Inline(InlinePolicy),
    Version(PolicyVersion),
}

impl Part {
    /// Reads a part.
    ///
    /// # Errors
    /// The value has another shape.
    pub fn read(key: &str, top: &Fields<'_>, file: &Path) -> Result<Option<Part>, Misshapen> {
        let Some(key) = PARTS.into_iter().find(|part| *part == key) else { return Ok(None) };
        let whole = !is_one_of_several_pages(top)?;
        let content = match key {
            "AttachedPolicies" if whole => Content::Attached(read_key(top, key)?),
            "PolicyNames" if whole => Content::Names(read_key(top, key)?),
            "PolicyDocument" => Content::Inline(InlinePolicy {
                policy_name: read_key(top, "PolicyName")?,
                policy_document: read_key::<Option<PolicyText>>(top, key)?,
            }),
            "PolicyVersion" => match top.get(key) {
                Some(value) => Content::Version(parse(value).map_err(|wrong| below(key, wrong))?),
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        let (name, arn, owner) = match content {
            Content::Version(_) => ("PolicyName", "PolicyArn", "Policy"),
            _ => ("RoleName", "RoleArn", "Role"),
        };
        let whose = match (read_key::<Option<String>>(top, arn)?, arn_of(top, owner)) {
            (Some(arn), _) | (None, Some(arn)) => Some(arn),
            (None, None) => read_key(top, name)?,
        };
        Ok(Some(Part { file: file.to_owned(), key, whose, content }))
    }

    /// What it would say of somebody.
    fn place(&self, owner: Option<&str>) -> String {
        let detail = match &self.content {
            Content::Inline(policy) => policy.policy_name.as_str(),
            Content::Version(version) => version.version_id.as_str(),
            Content::Attached(_) | Content::Names(_) => "",
        };
        format!("{} {detail}", owner.unwrap_or_default())
    }

    /// Which of these it is about, by their ARNs: the one that the file names, or the one with the longest name that the
    /// path within the directory holds, the end of the path first.
    fn owner(&self, arns: &[String], dir: &Path) -> Option<String> {
        if let Some(whose) = &self.whose {
            let mut named = arns.iter().filter(|arn| *arn == whose || name_of(arn) == whose);
            return named.next().filter(|_| named.next().is_none()).cloned();
        }
        self.file.strip_prefix(dir).unwrap_or(&self.file).iter().rev().find_map(|part| {
            let part = part.to_string_lossy();
            let part = part.strip_suffix(".json").unwrap_or(&part);
            let mut named: Vec<&String> = arns.iter().filter(|arn| holds(part, name_of(arn))).collect();
            named.sort_by_key(|arn| std::cmp::Reverse(name_of(arn).len()));
            let first = *named.first()?;
            // Two of one name, in two paths or accounts: nobody knows which.
            named.get(1).is_none_or(|next| name_of(next).len() < name_of(first).len()).then(|| first.clone())
        })
    }
}

/// Puts the parts of roles and policies in their places, and gives back those that belong to nobody. What a role says
/// itself counts for more than its parts: the sandbox writes what it changes there.
pub fn settle(snapshot: &mut Snapshot, mut parts: Vec<Part>, dir: &Path) -> Vec<Part> {
    // A document counts only where it is known which others there are.
    parts.sort_by_key(|part| matches!(part.content, Content::Inline(_)));
    let (roles, policies) = (role_arns(snapshot), policy_arns(snapshot, &parts));
    let owners: Vec<Option<String>> = parts
        .iter()
        .map(|part| match part.content {
            Content::Version(_) => part.owner(&policies, dir),
            Content::Attached(_) | Content::Names(_) | Content::Inline(_) => part.owner(&roles, dir),
        })
        .collect();
    let mut claims: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for (part, owner) in parts.iter().zip(&owners) {
        *claims.entry((part.key, part.place(owner.as_deref()))).or_default() += 1;
    }
    // Where two paths could mean one place, a name was taken for a longer one that nobody knows.
    let is_sure = |part: &Part, owner: &Option<String>| {
        let claims = claims.get(&(part.key, part.place(owner.as_deref()))).copied();
        part.whose.is_some() || claims == Some(1)
    };
    let sure: Vec<bool> = parts.iter().zip(&owners).map(|(part, owner)| is_sure(part, owner)).collect();
    let known = |has: fn(&Role) -> bool| -> BTreeSet<String> {
        snapshot.roles.values().filter(|role| has(role)).map(|role| role.arn.clone()).collect()
    };
    let with_attached = known(|role| role.attached_managed_policies.is_some());
    let with_inline = known(|role| role.role_policy_list.is_some());
    let mut strangers = Vec::new();
    for ((part, owner), sure) in parts.into_iter().zip(owners).zip(sure) {
        let is_role =
            |arn: &String| matches!(part.content, Content::Version(_)) || snapshot.roles.contains_key(arn);
        let Some(arn) = owner.filter(|arn| sure && is_role(arn)) else {
            strangers.push(part);
            continue;
        };
        let is_known = match part.content {
            Content::Attached(_) => with_attached.contains(&arn),
            Content::Names(_) | Content::Inline(_) => with_inline.contains(&arn),
            Content::Version(_) => false,
        };
        if !is_known {
            put(snapshot, &arn, part.content);
        }
    }
    strangers
}

/// Every role that the snapshot names, also those that nobody looked at: a path may be about one of them.
fn role_arns(snapshot: &Snapshot) -> Vec<String> {
    let groups = snapshot.nodegroups.values().filter_map(|group| group.node_role.as_ref());
    let fargate = snapshot.fargate_profiles.values().filter_map(|row| row.pod_execution_role_arn.as_ref());
    let profiles = snapshot.instance_profiles.values().flat_map(|row| &row.roles).map(|role| &role.arn);
    unique(snapshot.roles.keys().chain(groups).chain(fargate).chain(profiles))
}

/// Every policy that the snapshot or one of the parts names.
fn policy_arns(snapshot: &Snapshot, parts: &[Part]) -> Vec<String> {
    let roles = || snapshot.roles.values();
    let attached = roles().flat_map(|role| role.attached_managed_policies.iter().flatten());
    let attached_here = parts.iter().flat_map(|part| match &part.content {
        Content::Attached(policies) => policies.as_slice(),
        _ => &[],
    });
    let boundaries = roles().filter_map(|role| role.permissions_boundary.as_ref());
    let named = attached.chain(attached_here).map(|policy| &policy.policy_arn);
    let named = named.chain(boundaries.map(|boundary| &boundary.permissions_boundary_arn));
    unique(named.chain(snapshot.policies.keys()))
}

fn unique<'a>(arns: impl Iterator<Item = &'a String>) -> Vec<String> {
    arns.cloned().collect::<BTreeSet<String>>().into_iter().collect()
}

fn put(snapshot: &mut Snapshot, arn: &str, content: Content) {
    let version = match content {
        Content::Version(version) => version,
        of_role => {
            let Some(role) = snapshot.roles.get_mut(arn) else { return };
            match of_role {
                Content::Attached(policies) => role.attached_managed_policies = Some(policies),
                Content::Names(names) => add_names(role, names),
                Content::Inline(policy) => {
                    if let Some(list) = &mut role.role_policy_list {
                        list.retain(|other| other.policy_name != policy.policy_name);
                        list.push(policy);
                        list.sort_by(|one, other| one.policy_name.cmp(&other.policy_name));
                    }
                }
                Content::Version(_) => {}
            }
            return;
        }
    };
    snapshot.put(ManagedPolicy {
        policy_name: name_of(arn).to_owned(),
        arn: arn.to_owned(),
        default_version_id: version.is_default_version.then(|| version.version_id.clone()),
        policy_version_list: Some(vec![version]),
    });
}

fn add_names(role: &mut Role, names: Vec<String>) {
    let known = role.role_policy_list.take().unwrap_or_default();
    let mut by_name: BTreeMap<String, InlinePolicy> =
        known.into_iter().map(|policy| (policy.policy_name.clone(), policy)).collect();
    for policy_name in names {
        by_name.entry(policy_name.clone()).or_insert(InlinePolicy { policy_name, policy_document: None });
    }
    role.role_policy_list = Some(by_name.into_values().collect());
}

/// Whether a file holds one of several pages of a list: then it does not tell what is absent.
pub fn is_one_of_several_pages(top: &Fields<'_>) -> Result<bool, Misshapen> {
    let next: Option<String> = read_key(top, "NextToken")?;
    Ok(next.is_some_and(|next| !next.is_empty()))
}

fn name_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// Whether a text holds a name, with neither letter nor digit around it.
fn holds(text: &str, name: &str) -> bool {
    let is_end = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    !name.is_empty()
        && text.match_indices(name).any(|(at, _)| {
            let before = text.get(..at).and_then(|before| before.chars().next_back());
            let after = text.get(at + name.len()..).and_then(|after| after.chars().next());
            is_end(before) && is_end(after)
        })
}

fn arn_of(top: &Fields<'_>, owner: &str) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Named {
        arn: String,
    }
    let named: Named = serde_json::from_str(top.get(owner)?.get()).ok()?;
    Some(named.arn)
}

fn below(key: &str, wrong: Misshapen) -> Misshapen {
    Misshapen { pointer: format!("/{key}{}", wrong.pointer), ..wrong }
}

fn value<'a>(top: &Fields<'a>, key: &str) -> Option<&'a RawValue> {
    top.get(key).copied()
}

fn read_role(snapshot: &mut Snapshot, top: &Fields<'_>, _: &Path) -> Result<bool, Misshapen> {
    let Some(role) = value(top, "Role") else { return Ok(false) };
    let role: Role = parse(role).map_err(|wrong| below("Role", wrong))?;
    snapshot.put(role);
    Ok(true)
}

fn read_instance_profile(snapshot: &mut Snapshot, top: &Fields<'_>, _: &Path) -> Result<bool, Misshapen> {
    let Some(profile) = value(top, "InstanceProfile") else { return Ok(false) };
    let profile: InstanceProfile = parse(profile).map_err(|wrong| below("InstanceProfile", wrong))?;
    snapshot.put(profile);
    Ok(true)
}

/// Organizations has a key of this name too, whose rows have no ARN of their own.
fn read_policy(snapshot: &mut Snapshot, top: &Fields<'_>, _: &Path) -> Result<bool, Misshapen> {
    let Some(policy) = value(top, "Policy").filter(|_| arn_of(top, "Policy").is_some()) else {
        return Ok(false);
    };
    let policy: ManagedPolicy = parse(policy).map_err(|wrong| below("Policy", wrong))?;
    snapshot.put(policy);
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::{Value, json};

    use crate::snapshot_dir::{Loaded, load};

    const ARN: &str = "arn:aws:iam::111122223333:role/team/ng";
    const POLICY: &str = "arn:aws:iam::111122223333:policy/pull";

    fn loaded(files: &[(&str, Value)]) -> Loaded {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let file = dir.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text.to_string()).unwrap();
        }
        load(dir.path()).unwrap()
    }

    fn single_calls() -> Vec<(&'static str, Value)> {
        let document = json!({ "Version": "2012-10-17", "Statement": [] });
        vec![
            (
                "role.json",
                json!({ "Role": { "RoleName": "ng", "Arn": ARN, "RoleId": "AROA1", "Path": "/team/",
                    "AssumeRolePolicyDocument": document } }),
            ),
            (
                "attached-ng.json",
                json!({ "AttachedPolicies": [{ "PolicyName": "pull", "PolicyArn": POLICY }] }),
            ),
            ("ng/names.json", json!({ "PolicyNames": ["own"] })),
            ("a.json", json!({ "RoleName": "ng", "PolicyName": "own", "PolicyDocument": document })),
            (
                "policies/pull.json",
                json!({ "PolicyVersion": { "VersionId": "v2", "IsDefaultVersion": true,
                "Document": document } }),
            ),
            (
                "profile.json",
                json!({ "InstanceProfile": { "InstanceProfileName": "p", "Arn": "arn:p",
                "Roles": [{ "RoleName": "ng", "Arn": ARN }] } }),
            ),
        ]
    }

    #[test]
    fn what_single_calls_print_is_one_role_with_its_policies() {
        let Loaded { snapshot, ignored, .. } = loaded(&single_calls());
        assert_eq!(ignored, []);
        let role = &snapshot.roles[ARN];
        assert_eq!(role.attached_managed_policies.as_ref().unwrap()[0].policy_arn, POLICY);
        assert!(role.role_policy_list.as_ref().unwrap()[0].policy_document.is_some());
        assert!(snapshot.policies[POLICY].document().is_some());
        assert_eq!(snapshot.instance_profiles["arn:p"].roles[0].arn, ARN);
        assert!(!snapshot.keys.contains("RoleDetailList"), "other roles were not looked for");
    }

    #[test]
    fn what_is_missing_is_not_known() {
        let without = |name: &str| {
            let mut files = single_calls();
            files.retain(|(file, _)| *file != name);
            loaded(&files)
        };
        assert!(without("role.json").snapshot.roles.is_empty(), "it may have a boundary");
        assert_eq!(without("role.json").ignored.len(), 3);
        assert_eq!(without("attached-ng.json").snapshot.roles[ARN].attached_managed_policies, None);
        assert_eq!(without("ng/names.json").snapshot.roles[ARN].role_policy_list, None);
        let nameless = without("a.json").snapshot.roles[ARN].role_policy_list.clone().unwrap();
        assert_eq!(nameless[0].policy_document, None);
        assert!(!without("policies/pull.json").snapshot.policies.contains_key(POLICY));
    }

    #[test]
    fn a_part_goes_to_nobody_rather_than_to_the_wrong_one() {
        let role = |name: &str| json!({ "Role": { "RoleName": name, "Arn": format!("arn:aws:iam::1:role/{name}") } });
        let empty = json!({ "AttachedPolicies": [] });
        let files = [
            ("1.json", role("ng")),
            ("2.json", role("my-ng")),
            ("3.json", role("other")),
            ("attached-my-ng.json", empty.clone()),
            ("attached.json", empty.clone()),
            ("attached-another.json", empty),
        ];
        let Loaded { snapshot, ignored, .. } = loaded(&files);
        let attached = |name: &str| {
            snapshot.roles[&format!("arn:aws:iam::1:role/{name}")].attached_managed_policies.is_some()
        };
        assert!(attached("my-ng") && !attached("ng") && !attached("other"));
        assert_eq!(ignored.len(), 2);
    }

    #[test]
    fn a_name_within_a_longer_one_that_nobody_knows_is_no_name() {
        let mut files = single_calls();
        let group = json!({ "nodegroup": { "nodegroupName": "n", "clusterName": "c",
            "nodeRole": "arn:aws:iam::111122223333:role/my-ng" } });
        files.push(("attached-my-ng.json", json!({ "AttachedPolicies": [] })));
        let twice = loaded(&files);
        assert_eq!(twice.snapshot.roles[ARN].attached_managed_policies, None, "either may be its own");
        assert_eq!(twice.ignored.len(), 2);
        files.push(("nodegroup.json", group));
        let Loaded { snapshot, ignored, .. } = loaded(&files);
        assert_eq!(snapshot.roles[ARN].attached_managed_policies.as_ref().map(Vec::len), Some(1));
        assert_eq!(ignored.len(), 1, "the role of the group was not looked at: {ignored:?}");
    }

    #[test]
    fn one_page_of_a_list_does_not_tell_what_is_absent() {
        let mut files = single_calls();
        files[1].1["NextToken"] = "more".into();
        assert_eq!(loaded(&files).snapshot.roles[ARN].attached_managed_policies, None);
        let page = json!({ "RoleDetailList": [{ "RoleName": "ng", "Arn": ARN }], "NextToken": "more" });
        assert!(!loaded(&[("a.json", page)]).snapshot.keys.contains("RoleDetailList"));
    }
}
