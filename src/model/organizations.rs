//! Organizations in the shapes of the AWS CLI: who stands below whom, and which policies bind them.
//!
//! The CLI prints what a call answers and not what it was asked, so a file says itself whose rows it holds: beside them
//! (`TargetId`, `ChildId`) or by its path (`…/ou-ab12-cdefghij/…`, `…-111122223333.json`).

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::snapshot::{FileReader, Misshapen, Record, Snapshot, Table, file_name, pretty, read_key};
use super::{PolicyText, Seen};
use crate::json_text::Fields;

/// What is known of the organization.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Organizations {
    /// By id: at most one.
    pub organizations: BTreeMap<String, Organization>,
    /// The root or organizational unit above an account or an organizational unit.
    pub parents: BTreeMap<String, String>,
    /// The ids of the policies that are attached to a target, by the target and the kind of policy.
    pub attached: BTreeMap<(String, PolicyKind), Vec<PolicySummary>>,
    /// By id.
    pub policies: BTreeMap<String, Policy>,
}

/// The kinds of policies that bear on pulls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PolicyKind {
    /// Binds the principals of an account.
    ServiceControlPolicy,
    /// Binds whoever uses the resources of an account.
    ResourceControlPolicy,
}

impl PolicyKind {
    /// Both.
    pub const ALL: [PolicyKind; 2] = [PolicyKind::ServiceControlPolicy, PolicyKind::ResourceControlPolicy];

    /// The name in requests and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            PolicyKind::ServiceControlPolicy => "SERVICE_CONTROL_POLICY",
            PolicyKind::ResourceControlPolicy => "RESOURCE_CONTROL_POLICY",
        }
    }

    fn parse(text: &str) -> Option<PolicyKind> {
        PolicyKind::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The organization, as `aws organizations describe-organization` prints it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Organization {
    /// `o-…`.
    pub id: String,
    /// The management account, which no policy of the organization binds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub master_account_id: Option<String>,
}

/// A policy, as `aws organizations describe-policy` prints it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Policy {
    /// What lists say of it.
    pub policy_summary: PolicySummary,
    /// The document.
    #[serde(default, serialize_with = "as_text")]
    pub content: Option<PolicyText>,
}

/// The CLI prints these documents as text, not as JSON.
fn as_text<S: serde::Serializer>(policy: &Option<PolicyText>, to: S) -> Result<S::Ok, S::Error> {
    policy.as_ref().map(PolicyText::as_str).serialize(to)
}

/// A policy in a list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PolicySummary {
    /// `p-…`.
    #[serde(default)]
    pub id: String,
    /// Under which it is reported.
    #[serde(default)]
    pub arn: String,
    /// For people.
    #[serde(default)]
    pub name: String,
    /// `SERVICE_CONTROL_POLICY`, `RESOURCE_CONTROL_POLICY`, ….
    #[serde(default)]
    pub r#type: String,
    /// `FullAWSAccess`, `RCPFullAWSAccess`.
    #[serde(default)]
    pub aws_managed: bool,
}

/// One level of an organization, with the policies that are attached to it.
pub type Level<'a> = Vec<&'a Policy>;

/// No organization is deeper: root, five organizational units, account.
const DEEPEST: usize = 7;

impl Snapshot {
    /// The organization, absent where it is known that an account is in none.
    pub fn organization(&self, account: &str) -> Seen<&Organization> {
        const CALL: &str = "organizations:DescribeOrganization";
        match self.organizations.organizations.values().next() {
            Some(organization) => Seen::Known(organization),
            None if self.not_found.contains(&format!("{CALL} {account}")) => Seen::Absent,
            None => Seen::Unread(format!("{CALL}: not read")),
        }
    }

    /// The policies that bind an account, from the root down; absent where none can.
    pub fn organization_policies(&self, account: &str, kind: PolicyKind) -> Seen<Vec<Level<'_>>> {
        match self.organization(account) {
            Seen::Absent => return Seen::Absent,
            Seen::Known(organization) if organization.master_account_id.as_deref() == Some(account) => {
                return Seen::Absent;
            }
            Seen::Known(_) | Seen::Unread(_) => {}
        }
        let known = &self.organizations;
        let mut levels = Vec::new();
        let mut target = account;
        loop {
            let Some(attached) = known.attached.get(&(target.to_owned(), kind)) else {
                return self.unread_of("organizations:ListPoliciesForTarget", target);
            };
            let mut level = Vec::new();
            for summary in attached {
                match known.policies.get(&summary.id) {
                    Some(policy) if policy.content.is_some() => level.push(policy),
                    _ => return self.unread_of("organizations:DescribePolicy", &summary.id),
                }
            }
            levels.push(level);
            if target.starts_with("r-") {
                levels.reverse();
                return Seen::Known(levels);
            }
            match known.parents.get(target) {
                Some(parent) if levels.len() < DEEPEST => target = parent,
                _ => return self.unread_of("organizations:ListParents", target),
            }
        }
    }

    /// Whether anything was read of the policies of a kind that bind an account.
    pub fn knows_policies_above(&self, account: &str, kind: PolicyKind) -> bool {
        let known = &self.organizations;
        let mut above = vec![account];
        while let Some(parent) = above.last().and_then(|target| known.parents.get(*target)) {
            if above.len() > DEEPEST {
                break;
            }
            above.push(parent);
        }
        above.iter().any(|target| known.attached.contains_key(&((*target).to_owned(), kind)))
    }

    fn unread_of<T>(&self, call: &str, resource: &str) -> Seen<T> {
        let refused = self.unread.iter().find(|row| row.source == call);
        let because = refused.map_or("not in the snapshot", |row| &row.because);
        Seen::Unread(format!("{call} {resource}: {because}"))
    }
}

/// The keys of Organizations that are complete by themselves.
pub const TABLES: &[Table] = &[Organization::TABLE, Policy::TABLE];

/// The keys of Organizations that belong to an id which stands elsewhere.
pub const FILE_READERS: &[FileReader] =
    &[FileReader { key: "Parents", read: read_parents }, FileReader { key: "Policies", read: read_policies }];

impl Record for Organization {
    const TABLE: Table = Table::one::<Organization>("Organization");

    fn id(&self) -> String {
        self.id.clone()
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        &mut snapshot.organizations.organizations
    }
}

impl Record for Policy {
    const TABLE: Table = Table::one::<Policy>("Policy");

    fn id(&self) -> String {
        self.policy_summary.id.clone()
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        &mut snapshot.organizations.policies
    }
}

/// The files of what [`FILE_READERS`] read: the name of each, without its ending, and its text.
pub fn files_by_id(known: &Organizations) -> Vec<(String, String)> {
    let parents = known.parents.iter().map(|(child, parent)| {
        let kind = if parent.starts_with("r-") { "ROOT" } else { "ORGANIZATIONAL_UNIT" };
        let value = serde_json::json!({ "ChildId": child, "Parents": [{ "Id": parent, "Type": kind }] });
        (format!("Parents-{}", file_name(child)), pretty(&value))
    });
    let attached = known.attached.iter().map(|((target, kind), policies)| {
        let value = serde_json::json!({ "TargetId": target, "Filter": kind, "Policies": policies });
        (format!("Policies-{}-{}", kind.as_str(), file_name(target)), pretty(&value))
    });
    parents.chain(attached).collect()
}

/// The parent of the child that the file names.
fn read_parents(snapshot: &mut Snapshot, top: &Fields<'_>, file: &Path) -> Result<bool, Misshapen> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Parent {
        id: String,
    }
    let parents: Vec<Parent> = read_key(top, "Parents")?;
    let (Some(child), Some(parent)) = (target(top, "ChildId", file)?, parents.into_iter().next()) else {
        return Ok(false);
    };
    snapshot.organizations.parents.insert(child, parent.id);
    Ok(true)
}

/// The policies of the target that the file names. IAM has a key of this name too: its rows are left alone.
fn read_policies(snapshot: &mut Snapshot, top: &Fields<'_>, file: &Path) -> Result<bool, Misshapen> {
    // Rows of IAM have other fields, and may be in a file that happens to be named after an account.
    let Ok(policies) = read_key::<Vec<PolicySummary>>(top, "Policies") else { return Ok(false) };
    let filter = read_key::<Option<String>>(top, "Filter")?;
    let kind = policies.first().map(|policy| policy.r#type.clone()).or(filter);
    let Some(kind) = kind.as_deref().and_then(PolicyKind::parse) else { return Ok(false) };
    let Some(target) = target(top, "TargetId", file)? else { return Ok(false) };
    snapshot.organizations.attached.entry((target, kind)).or_default().extend(policies);
    Ok(true)
}

/// The root, organizational unit or account that a file is about.
fn target(top: &Fields<'_>, beside: &str, file: &Path) -> Result<Option<String>, Misshapen> {
    if let Some(id) = read_key::<Option<String>>(top, beside)? {
        return Ok(Some(id));
    }
    Ok(file.iter().rev().find_map(|part| target_in(&part.to_string_lossy())))
}

/// `ou-ROOT-UNIT`, `r-ROOT` or an account in a text.
fn target_in(text: &str) -> Option<String> {
    let plain = |part: &str, least: usize| {
        part.len() >= least && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    let text = text.strip_suffix(".json").unwrap_or(text);
    let parts: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let unit = parts.windows(3).find_map(|three| match three {
        ["ou", root, unit] if plain(root, 4) && plain(unit, 8) => Some(format!("ou-{root}-{unit}")),
        _ => None,
    });
    let root = || {
        parts.windows(2).find_map(|two| match two {
            ["r", root] if plain(root, 4) => Some(format!("r-{root}")),
            _ => None,
        })
    };
    let account = || parts.iter().find(|part| part.len() == 12 && part.bytes().all(|b| b.is_ascii_digit()));
    unit.or_else(root).or_else(|| account().map(|account| (*account).to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::snapshot_dir::{Loaded, read_file};

    fn world(files: &[(&str, serde_json::Value)]) -> Snapshot {
        let mut loaded = Loaded::default();
        for (name, text) in files {
            read_file(&mut loaded, Path::new(name), &text.to_string()).unwrap();
        }
        loaded.snapshot
    }

    fn policy(id: &str, kind: &str) -> serde_json::Value {
        let arn = format!("arn:aws:organizations::111122223333:policy/o-1/x/{id}");
        json!({ "Id": id, "Arn": arn, "Name": id, "Type": kind, "AwsManaged": false })
    }

    #[test]
    fn levels_stand_from_the_root_down() {
        const SCP: &str = "SERVICE_CONTROL_POLICY";
        let full =
            json!({ "Policy": { "PolicySummary": policy("p-full", SCP), "Content": "{\"Statement\":[]}" } });
        let files = [
            ("scp-111122223333.json", json!({ "Policies": [policy("p-full", SCP)] })),
            ("org/ou-ab12-cdefghij/policies.json", json!({ "Policies": [policy("p-full", SCP)] })),
            ("x.json", json!({ "TargetId": "r-ab12", "Filter": SCP, "Policies": [] })),
            (
                "parents/111122223333.json",
                json!({ "Parents": [{ "Id": "ou-ab12-cdefghij", "Type": "ORGANIZATIONAL_UNIT" }] }),
            ),
            (
                "y.json",
                json!({ "ChildId": "ou-ab12-cdefghij", "Parents": [{ "Id": "r-ab12", "Type": "ROOT" }] }),
            ),
            ("full.json", full),
        ];
        let snapshot = world(&files);
        let levels = snapshot.organization_policies("111122223333", PolicyKind::ServiceControlPolicy);
        let levels: Vec<usize> = levels.known().unwrap().iter().map(Vec::len).collect();
        assert_eq!(levels, [0, 1, 1]);
        assert!(matches!(
            snapshot.organization_policies("111122223333", PolicyKind::ResourceControlPolicy),
            Seen::Unread(_)
        ));
        assert!(snapshot.policies.is_empty(), "they are no policies of IAM");
        for without in 0..files.len() {
            let mut some = files.to_vec();
            some.remove(without);
            let part = world(&some);
            let levels = part.organization_policies("111122223333", PolicyKind::ServiceControlPolicy);
            assert!(matches!(levels, Seen::Unread(_)), "without {}", files[without].0);
        }
    }

    #[test]
    fn the_management_account_is_bound_by_nothing() {
        let organization = json!({ "Organization": { "Id": "o-1", "MasterAccountId": "111122223333" } });
        let snapshot = world(&[("o.json", organization)]);
        let kind = PolicyKind::ServiceControlPolicy;
        assert_eq!(snapshot.organization_policies("111122223333", kind), Seen::Absent);
        assert!(matches!(snapshot.organization_policies("444455556666", kind), Seen::Unread(_)));
    }

    #[test]
    fn policies_of_iam_stay_what_they_are() {
        let iam = json!({ "Policies": [{ "PolicyName": "a", "Arn": "arn:aws:iam::111122223333:policy/a" }] });
        let snapshot = world(&[("policies-111122223333.json", iam), ("p.json", json!({ "Policies": [] }))]);
        assert_eq!(snapshot.policies.len(), 1);
        assert!(snapshot.keys.contains("Policies") && snapshot.organizations.attached.is_empty());
    }
}
