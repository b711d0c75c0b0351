//! Names that the DNS firewall of a VPC does not answer: `dns-firewall-block`.
//!
//! The first rule that a name fits decides, in the order of the groups and of the rules in them (Route 53 guide, "Rule
//! groups and rules in DNS Firewall"). It looks at every name of a chain of CNAMEs, if it does not trust them. Of the chains of
//! a pull only that of the API is documented.

use std::collections::{BTreeMap, BTreeSet};

use super::{Options, network, quoted};
use crate::checks::{Cause, Leg};
use crate::diagnosis::{Blocker, Evidence, Fix, Verdicts, pull_id};
use crate::model::dns_firewall::Rule;
use crate::model::{EcrHost, Partition, Seen, Snapshot};
use crate::network::Network;
use crate::network::names::{PullHosts, Resolution};
use crate::pulls::{Image, World};

/// What a firewall does with a name.
enum Answer {
    Passes,
    Blocked(String),
    Unknown(String),
}

/// Judges `dns`, beside whether there is an answer at all.
pub(super) fn judge(world: &World<'_>, _options: &Options, verdicts: &mut Verdicts) {
    let snapshot = world.snapshot;
    if snapshot.dns_firewall.associations.is_empty() {
        return;
    }
    let network = Network::of(snapshot);
    let mut stopped: BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    for source in &world.sources {
        let places = network::places(&network, world, source);
        for pull in world.pulls_by(source) {
            for host in names_of(pull.image) {
                for place in &places {
                    // Whoever is asked elsewhere has no firewall of ours; a name without an answer is another cause.
                    let asked = !matches!(network.resolve(place, &host), Resolution::NoAnswer(_))
                        && network.custom_resolvers(place).is_empty();
                    let Some(vpc) = network.vpc_id_of(place).filter(|_| asked) else { continue };
                    match answer(snapshot, vpc, &host, pull.image) {
                        Answer::Passes => {}
                        Answer::Blocked(saw) => {
                            let (pulls, seen) = stopped.entry(vpc.to_owned()).or_default();
                            pulls.insert(pull_id(&pull));
                            seen.insert(saw);
                        }
                        Answer::Unknown(because) => verdicts.unknown(&pull_id(&pull), Leg::Dns, because),
                    }
                }
            }
        }
    }
    for (vpc, (pulls, seen)) in stopped {
        blocker(world, &vpc, pulls, seen).into_iter().for_each(|found| verdicts.blocked(found));
    }
}

fn names_of(image: &Image) -> Vec<String> {
    let hosts = image.name.split('/').next().and_then(EcrHost::parse).and_then(|host| PullHosts::of(&host));
    hosts.map(|hosts| vec![hosts.api, hosts.registry, hosts.layers]).unwrap_or_default()
}

fn answer(snapshot: &Snapshot, vpc: &str, host: &str, image: &Image) -> Answer {
    let rules = match snapshot.dns_firewall_rules(vpc) {
        Seen::Known(rules) => rules,
        Seen::Absent => return Answer::Passes,
        Seen::Unread(because) => return Answer::Unknown(because),
    };
    let mut unread = None;
    for rule in rules.into_iter().filter(|rule| rule.is_about_addresses()) {
        // Rules without a list look for tunnels and for names that programs make up.
        let Some(list) = &rule.firewall_domain_list_id else { continue };
        let Some(domains) = snapshot.dns_firewall.domains.get(list) else {
            // A list that nobody may read may hold the name; that of AWS's threats holds no name of AWS.
            if rule.action != "ALERT" {
                unread.get_or_insert_with(|| {
                    format!("domain list {list} of the DNS firewall of {vpc} was not read")
                });
            }
            continue;
        };
        let is_held = |name: &str| domains.iter().any(|domain| fits(domain, name));
        let decides = is_held(host);
        let group = &rule.firewall_rule_group_id;
        match rule.action.as_str() {
            "BLOCK" if decides => {
                let how = rule.block_response.as_deref().unwrap_or("NODATA");
                let saw = format!("rule {} of {group} blocks {host} ({how})", rule.priority);
                return unread.map_or(Answer::Blocked(saw), Answer::Unknown);
            }
            "ALLOW" if decides => {
                let behind = behind(host, image);
                let later_blocks = |name: &str| blocks(snapshot, vpc, rule, name);
                return match behind.filter(|name| rule.inspects_redirections() && !is_held(name)) {
                    Some(name) if later_blocks(&name) => Answer::Blocked(format!(
                        "rule {} of {group} allows {host}, and a later one blocks {name}, to which it leads",
                        rule.priority
                    )),
                    _ => Answer::Passes,
                };
            }
            _ => {}
        }
    }
    unread.map_or(Answer::Passes, Answer::Unknown)
}

/// Whether the rules behind one block a name.
fn blocks(snapshot: &Snapshot, vpc: &str, after: &Rule, name: &str) -> bool {
    let Seen::Known(rules) = snapshot.dns_firewall_rules(vpc) else { return false };
    let mut rules = rules.into_iter().skip_while(|rule| *rule != after).skip(1).filter(|rule| {
        let list = rule.firewall_domain_list_id.as_ref();
        let domains = list.and_then(|list| snapshot.dns_firewall.domains.get(list));
        rule.is_about_addresses()
            && domains.is_some_and(|domains| domains.iter().any(|domain| fits(domain, name)))
    });
    rules.find(|rule| rule.action != "ALERT").is_some_and(|rule| rule.action == "BLOCK")
}

/// The name that a name of a pull is another one of.
fn behind(host: &str, image: &Image) -> Option<String> {
    let suffix = Partition::of_region(&image.region).dns_suffix;
    (host == format!("api.ecr.{}.{suffix}", image.region)).then(|| format!("ecr.{}.{suffix}", image.region))
}

/// Whether a domain of a list holds a name: itself, or with `*.` all below it.
fn fits(domain: &str, name: &str) -> bool {
    let domain = domain.trim_end_matches('.').to_ascii_lowercase();
    match domain.strip_prefix('*') {
        Some(rest) => name.len() > rest.len() && name.ends_with(rest),
        None => name == domain,
    }
}

fn blocker(world: &World<'_>, vpc: &str, pulls: BTreeSet<String>, seen: BTreeSet<String>) -> Option<Blocker> {
    let cause = Cause::find("dns-firewall-block")?;
    let region = quoted(&world.target.region);
    let source = "route53resolver:ListFirewallRules";
    Some(Blocker {
        cause: cause.id,
        legs: vec![Leg::Dns],
        pulls: pulls.into_iter().collect(),
        severity: cause.severity,
        resource: vpc.to_owned(),
        account: world.target.account.clone(),
        summary: format!("the DNS firewall of {vpc} blocks names that pulls look up"),
        evidence: seen.into_iter().map(|saw| Evidence { source: source.to_owned(), saw }).collect(),
        fix: Fix::Manual {
            because: "rules of a firewall are guards that somebody set on purpose".to_owned(),
            steps: vec![
                format!(
                    "look: aws route53resolver list-firewall-rule-group-associations --region {region} --vpc-id {}",
                    quoted(vpc)
                ),
                "ask the owner of the rule group to allow the names above in a rule of a lower priority number; where \
                 it inspects redirections, allow the names behind them too, or trust them \
                 (TRUST_REDIRECTION_DOMAIN)"
                    .to_owned(),
                format!("read more: ecr-fix explain {}", cause.id),
            ],
        },
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    use crate::checks::Leg;
    use crate::judges::test_support;
    use crate::pulls::tests::{instance, profiles};

    fn association() -> Value {
        json!({ "FirewallRuleGroupAssociations": [
            { "Id": "rslvr-frgassoc-1", "FirewallRuleGroupId": "rslvr-frg-1", "VpcId": "vpc-1", "Priority": 101 },
        ] })
    }

    fn rule(priority: i64, list: &str, action: &str, more: Value) -> Value {
        let mut rule = json!({ "FirewallRuleGroupId": "rslvr-frg-1", "FirewallDomainListId": list, "Priority": priority,
            "Action": action });
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        rule
    }

    fn domains(list: &str, domains: &[&str]) -> Value {
        json!({ "FirewallDomainListId": list, "Domains": domains })
    }

    fn check(documents: &[Value], expected: &Expect) {
        let mut of_group =
            instance("i-1", "ng", json!({ "eks:nodegroup-name": "ng", "eks:cluster-name": "c" }));
        of_group["NetworkInterfaces"] = json!([{ "NetworkInterfaceId": "eni-1", "SubnetId": "subnet-1", "VpcId": "vpc-1",
            "PrivateIpAddress": "10.0.0.9", "Groups": [] }]);
        let mut all = vec![
            json!({ "Reservations": [{ "Instances": [of_group] }] }),
            profiles(&["ng"]),
            json!({ "Vpcs": [{ "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16", "DhcpOptionsId": "default" }],
                "Subnets": [{ "SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24" }],
                "NetworkInterfaces": of_group["NetworkInterfaces"], "VpcEndpoints": [] }),
            json!({ "VpcId": "vpc-1", "EnableDnsSupport": { "Value": true } }),
        ];
        all.extend(documents.iter().cloned());
        test_support::check(&all, &["dns-firewall-block"], &[Leg::Dns], expected);
    }

    #[test]
    fn an_allow_list_that_forgets_the_layers_blocks_them() {
        let rules = json!({ "FirewallRules": [
            rule(1, "rslvr-fdl-ok", "ALLOW", json!({ "FirewallDomainRedirectionAction": "TRUST_REDIRECTION_DOMAIN" })),
            rule(2, "rslvr-fdl-all", "BLOCK", json!({ "BlockResponse": "NXDOMAIN" })),
        ] });
        let ecr = ["*.ecr.eu-west-1.amazonaws.com.", "api.ecr.eu-west-1.amazonaws.com"];
        check(
            &[association(), rules.clone(), domains("rslvr-fdl-ok", &ecr), domains("rslvr-fdl-all", &["*"])],
            &expect![[r#"
                dns-firewall-block high manual on vpc-1: the DNS firewall of vpc-1 blocks names that pulls look up
                  route53resolver:ListFirewallRules: rule 2 of rslvr-frg-1 blocks prod-eu-west-1-starport-layer-bucket.s3.eu-west-1.amazonaws.com (NXDOMAIN)
                  blocks dns of nodegroup/ng <- app:v1, nodegroup/ng <- 602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/*
            "#]],
        );
        let with_layers = [ecr[0], ecr[1], "*.s3.eu-west-1.amazonaws.com"];
        check(
            &[
                association(),
                rules.clone(),
                domains("rslvr-fdl-ok", &with_layers),
                domains("rslvr-fdl-all", &["*"]),
            ],
            &expect![[r#"
                nodegroup/ng dns ok
            "#]],
        );
        // Somebody else's list may allow what a later one blocks.
        check(
            &[association(), rules, domains("rslvr-fdl-all", &["*"])],
            &expect![[r#"
                nodegroup/ng dns unknown domain list rslvr-fdl-ok of the DNS firewall of vpc-1 was not read
            "#]],
        );
        check(
            &[association()],
            &expect![[r#"
                nodegroup/ng dns unknown the rules of DNS firewall rule group rslvr-frg-1 were not read
            "#]],
        );
    }

    #[test]
    fn the_name_behind_the_api_is_looked_at_where_redirections_are() {
        let rules = json!({ "FirewallRules": [
            rule(1, "rslvr-fdl-ok", "ALLOW", json!({})),
            rule(2, "rslvr-fdl-all", "BLOCK", json!({})),
        ] });
        let listed = [
            "api.ecr.eu-west-1.amazonaws.com",
            "*.dkr.ecr.eu-west-1.amazonaws.com",
            "*.s3.eu-west-1.amazonaws.com",
        ];
        check(
            &[association(), rules, domains("rslvr-fdl-ok", &listed), domains("rslvr-fdl-all", &["*"])],
            &expect![[r#"
                dns-firewall-block high manual on vpc-1: the DNS firewall of vpc-1 blocks names that pulls look up
                  route53resolver:ListFirewallRules: rule 1 of rslvr-frg-1 allows api.ecr.eu-west-1.amazonaws.com, and a later one blocks ecr.eu-west-1.amazonaws.com, to which it leads
                  blocks dns of nodegroup/ng <- app:v1, nodegroup/ng <- 602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/*
            "#]],
        );
    }

    #[test]
    fn alerts_other_names_and_other_questions_block_nothing() {
        let rules = json!({ "FirewallRules": [
            rule(1, "rslvr-fdl-all", "ALERT", json!({})),
            rule(2, "rslvr-fdl-bad", "BLOCK", json!({})),
            rule(3, "rslvr-fdl-all", "BLOCK", json!({ "Qtype": "TXT" })),
        ] });
        check(
            &[
                association(),
                rules,
                domains("rslvr-fdl-all", &["*"]),
                domains("rslvr-fdl-bad", &["evil.example."]),
            ],
            &expect![[r#"
                nodegroup/ng dns ok
            "#]],
        );
    }
}
