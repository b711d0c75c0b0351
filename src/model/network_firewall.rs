//! AWS Network Firewall in the shapes of `aws network-firewall describe-firewall`, `describe-firewall-policy` and
//! `describe-rule-group`: each file is one row.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::kubernetes::or_default;
use super::snapshot::{Record, Snapshot, Table};

/// What is known of firewalls, by ARN.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetworkFirewalls {
    /// The firewalls.
    pub firewalls: BTreeMap<String, FirewallFile>,
    /// What they let pass.
    pub policies: BTreeMap<String, PolicyFile>,
    /// The groups of rules of policies.
    pub rule_groups: BTreeMap<String, RuleGroupFile>,
}

/// A firewall with its endpoints.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FirewallFile {
    /// The firewall.
    pub firewall: Firewall,
    /// Where it is.
    #[serde(default, deserialize_with = "or_default")]
    pub firewall_status: FirewallStatus,
}

/// A firewall.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Firewall {
    /// Names the account and the region.
    pub firewall_arn: String,
    /// What it lets pass.
    #[serde(default)]
    pub firewall_policy_arn: String,
    /// Where its endpoints are.
    #[serde(default)]
    pub vpc_id: String,
}

/// Where a firewall is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FirewallStatus {
    /// By availability zone.
    #[serde(default, deserialize_with = "or_default")]
    pub sync_states: BTreeMap<String, SyncState>,
}

/// A firewall in one zone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SyncState {
    /// Its endpoint there.
    #[serde(default, deserialize_with = "or_default")]
    pub attachment: Attachment,
}

/// The endpoint of a firewall in one zone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Attachment {
    /// `vpce-…`: what routes lead to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_id: Option<String>,
}

/// A policy with its ARN.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PolicyFile {
    /// Its name.
    pub firewall_policy_response: PolicyResponse,
    /// What it lets pass.
    #[serde(default, deserialize_with = "or_default")]
    pub firewall_policy: FirewallPolicy,
}

/// The name of a policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PolicyResponse {
    /// Its ARN.
    pub firewall_policy_arn: String,
}

/// What a policy lets pass.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FirewallPolicy {
    /// Groups that look at single packets.
    #[serde(default, deserialize_with = "or_default")]
    pub stateless_rule_group_references: Vec<Reference>,
    /// What becomes of packets that no such group is about: `aws:forward_to_sfe`, `aws:pass`, `aws:drop`.
    #[serde(default, deserialize_with = "or_default")]
    pub stateless_default_actions: Vec<String>,
    /// Groups that look at connections.
    #[serde(default, deserialize_with = "or_default")]
    pub stateful_rule_group_references: Vec<Reference>,
    /// In strict order: what becomes of connections that no group is about.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub stateful_default_actions: Vec<String>,
    /// In which order rules are tried.
    #[serde(default, deserialize_with = "or_default")]
    pub stateful_engine_options: EngineOptions,
}

/// A group of a policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Reference {
    /// The group.
    #[serde(default)]
    pub resource_arn: String,
}

/// In which order rules are tried.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EngineOptions {
    /// `DEFAULT_ACTION_ORDER` (where nothing is said) or `STRICT_ORDER`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_order: Option<String>,
}

/// A group of rules with its ARN.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RuleGroupFile {
    /// Its name.
    pub rule_group_response: RuleGroupResponse,
    /// Its rules; none for the groups that AWS keeps.
    #[serde(default, deserialize_with = "or_default")]
    pub rule_group: RuleGroup,
}

/// The name of a group of rules.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RuleGroupResponse {
    /// Its ARN.
    pub rule_group_arn: String,
}

/// A group of rules.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RuleGroup {
    /// What its rules call the networks inside.
    #[serde(default, deserialize_with = "or_default")]
    pub rule_variables: RuleVariables,
    /// The rules; of other sources than a list of domains nothing is kept.
    #[serde(default, deserialize_with = "or_default")]
    pub rules_source: RulesSource,
}

/// What rules call the networks inside.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RuleVariables {
    /// By name; `HOME_NET` is what a list of domains is about.
    #[serde(default, rename = "IPSets", deserialize_with = "or_default")]
    pub ip_sets: BTreeMap<String, IpSet>,
}

/// Networks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct IpSet {
    /// Blocks of addresses.
    #[serde(default, deserialize_with = "or_default")]
    pub definition: Vec<String>,
}

/// The rules of a group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RulesSource {
    /// A list of domains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules_source_list: Option<DomainList>,
}

/// A list of domains.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DomainList {
    /// `example.com`; with a dot in front also all below it.
    #[serde(default, deserialize_with = "or_default")]
    pub targets: Vec<String>,
    /// `TLS_SNI`, `HTTP_HOST`.
    #[serde(default, deserialize_with = "or_default")]
    pub target_types: Vec<String>,
    /// `ALLOWLIST`, `DENYLIST`, and newer kinds.
    #[serde(default)]
    pub generated_rules_type: String,
}

impl DomainList {
    /// Whether a host is on the list.
    ///
    /// Source: Network Firewall developer guide, "Stateful domain list rule groups".
    pub fn holds(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.targets.iter().any(|target| {
            let target = target.to_ascii_lowercase();
            match target.strip_prefix('.') {
                Some(domain) => host == domain || host.ends_with(&target),
                None => host == target,
            }
        })
    }
}

impl NetworkFirewalls {
    /// The firewall behind an endpoint.
    pub fn behind(&self, endpoint: &str) -> Option<&Firewall> {
        let is_there = |file: &&FirewallFile| {
            let mut states = file.firewall_status.sync_states.values();
            states.any(|state| state.attachment.endpoint_id.as_deref() == Some(endpoint))
        };
        self.firewalls.values().find(is_there).map(|file| &file.firewall)
    }
}

/// The keys of Network Firewall.
pub const TABLES: &[Table] = &[FirewallFile::TABLE, PolicyFile::TABLE, RuleGroupFile::TABLE];

impl Record for FirewallFile {
    const TABLE: Table = Table::whole_file::<FirewallFile>("Firewall");

    fn id(&self) -> String {
        self.firewall.firewall_arn.clone()
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        &mut snapshot.network_firewalls.firewalls
    }
}

impl Record for PolicyFile {
    const TABLE: Table = Table::whole_file::<PolicyFile>("FirewallPolicyResponse");

    fn id(&self) -> String {
        self.firewall_policy_response.firewall_policy_arn.clone()
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        &mut snapshot.network_firewalls.policies
    }
}

impl Record for RuleGroupFile {
    const TABLE: Table = Table::whole_file::<RuleGroupFile>("RuleGroupResponse");

    fn id(&self) -> String {
        self.rule_group_response.rule_group_arn.clone()
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        &mut snapshot.network_firewalls.rule_groups
    }
}
