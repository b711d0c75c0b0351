//! The DNS firewall of Route 53 Resolver, in the shapes of `aws route53resolver list-firewall-…`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Seen;
use super::snapshot::{
    FileReader, Misshapen, Record, Snapshot, Table, file_name, id_in_file, pretty, read_key,
};
use crate::json_text::Fields;

/// What is known of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DnsFirewall {
    /// Which rule groups hold in which VPC, by id.
    pub associations: BTreeMap<String, RuleGroupAssociation>,
    /// By group, priority and domain list.
    pub rules: BTreeMap<String, Rule>,
    /// The domains of each list, by its id. Those of the lists that AWS keeps are not for anybody to read.
    pub domains: BTreeMap<String, Vec<String>>,
}

/// A rule group in a VPC, as in `FirewallRuleGroupAssociations`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RuleGroupAssociation {
    /// `rslvr-frgassoc-…`.
    pub id: String,
    /// `rslvr-frg-…`.
    #[serde(default)]
    pub firewall_rule_group_id: String,
    /// `vpc-…`.
    #[serde(default)]
    pub vpc_id: String,
    /// The lowest comes first.
    #[serde(default)]
    pub priority: i64,
}

/// A rule, as in `FirewallRules`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Rule {
    /// Its group.
    #[serde(default)]
    pub firewall_rule_group_id: String,
    /// The domains that it is about; none for rules that look for tunnels and generated names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firewall_domain_list_id: Option<String>,
    /// The lowest comes first.
    #[serde(default)]
    pub priority: i64,
    /// `ALLOW`, `ALERT`, `BLOCK`.
    #[serde(default)]
    pub action: String,
    /// `NODATA`, `NXDOMAIN`, `OVERRIDE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_response: Option<String>,
    /// Whether the names to which a CNAME leads are looked at, too: `INSPECT_REDIRECTION_DOMAIN` (where nothing is said)
    /// or `TRUST_REDIRECTION_DOMAIN`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firewall_domain_redirection_action: Option<String>,
    /// The only kind of question that it is about: `A`, `AAAA`, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qtype: Option<String>,
}

impl Rule {
    /// Whether it looks also at the names behind a name.
    pub fn inspects_redirections(&self) -> bool {
        self.firewall_domain_redirection_action.as_deref() != Some("TRUST_REDIRECTION_DOMAIN")
    }

    /// Whether questions for IPv4 addresses are among those that it is about.
    pub fn is_about_addresses(&self) -> bool {
        self.qtype.as_deref().is_none_or(|kind| kind == "A" || kind == "1")
    }
}

/// The keys of the DNS firewall.
pub const TABLES: &[Table] = &[RuleGroupAssociation::TABLE, Rule::TABLE];

/// Those that belong to an id which stands elsewhere: `list-firewall-domains` does not print whose domains these are.
pub const FILE_READERS: &[FileReader] = &[FileReader { key: "Domains", read: read_domains }];

/// The files of what belongs to an id: the name of each, without its ending, and its text.
pub fn files_by_id(known: &DnsFirewall) -> Vec<(String, String)> {
    let lists = known.domains.iter().map(|(list, domains)| {
        let value = serde_json::json!({ "FirewallDomainListId": list, "Domains": domains });
        (format!("Domains-{}", file_name(list)), pretty(&value))
    });
    lists.collect()
}

impl Snapshot {
    /// The rules of the DNS firewall for a VPC, in the order in which they are tried; absent where it has none.
    pub fn dns_firewall_rules(&self, vpc: &str) -> Seen<Vec<&Rule>> {
        const LIST: &str = "route53resolver:ListFirewallRuleGroupAssociations";
        let known = &self.dns_firewall;
        let mut groups: Vec<&RuleGroupAssociation> =
            known.associations.values().filter(|held| held.vpc_id == vpc).collect();
        if groups.is_empty() {
            return self.missing("FirewallRuleGroupAssociations", LIST, vpc);
        }
        groups.sort_by_key(|held| held.priority);
        let mut rules = Vec::new();
        for group in groups {
            let id = &group.firewall_rule_group_id;
            let of_group = || known.rules.values().filter(|rule| rule.firewall_rule_group_id == *id);
            if of_group().next().is_none() {
                return Seen::Unread(format!("the rules of DNS firewall rule group {id} were not read"));
            }
            let mut of_group: Vec<&Rule> = of_group().collect();
            of_group.sort_by_key(|rule| rule.priority);
            rules.extend(of_group);
        }
        Seen::Known(rules)
    }
}

impl Record for RuleGroupAssociation {
    const TABLE: Table = Table::list::<RuleGroupAssociation>("FirewallRuleGroupAssociations");

    fn id(&self) -> String {
        self.id.clone()
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        &mut snapshot.dns_firewall.associations
    }
}

impl Record for Rule {
    const TABLE: Table = Table::list::<Rule>("FirewallRules");

    fn id(&self) -> String {
        let list = self.firewall_domain_list_id.as_deref().unwrap_or_default();
        let kind = self.qtype.as_deref().unwrap_or_default();
        format!("{}/{}/{list}/{kind}", self.firewall_rule_group_id, self.priority)
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, Self> {
        &mut snapshot.dns_firewall.rules
    }
}

/// The domains of the list that the file names (`FirewallDomainListId`), or its path (`…/rslvr-fdl-0123.json`).
fn read_domains(snapshot: &mut Snapshot, top: &Fields<'_>, file: &Path) -> Result<bool, Misshapen> {
    let Some(list) = id_in_file(top, "FirewallDomainListId", file, "rslvr-fdl-")? else { return Ok(false) };
    let domains: Vec<String> = read_key(top, "Domains")?;
    snapshot.dns_firewall.domains.insert(list, domains);
    Ok(true)
}
