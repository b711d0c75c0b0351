//! What a Network Firewall on the way does with the host of a leg, as far as lists of domains decide it.
//!
//! Source: Network Firewall developer guide, "Stateful domain list rule groups" and "Managing evaluation order". Rules in
//! the language of Suricata are not understood: what they may let pass, or drop, is not known.

use crate::model::network_firewall::{DomainList, Firewall, FirewallPolicy, RuleGroup};
use crate::network::{HopKind, Network, Source, Trace};
use crate::pulls::World;

/// A firewall that cuts a connection, and why.
pub(super) struct Cut {
    /// The ARN of the firewall.
    pub(super) firewall: String,
    pub(super) because: String,
}

/// The firewall that cuts the connection of a flow which a trace lost at its endpoint; none where that is not certain.
pub(super) fn cut(network: &Network<'_>, world: &World<'_>, trace: &Trace, source: &Source) -> Option<Cut> {
    let endpoint = trace.forward.iter().rev().find(|hop| hop.kind == HopKind::VpcEndpoint)?;
    let known = &world.snapshot.network_firewalls;
    let firewall = known.behind(&endpoint.id)?;
    let policy = &known.policies.get(&firewall.firewall_policy_arn)?.firewall_policy;
    let host = super::host_of(trace)?;
    let why = why(world, firewall, policy, host, network.vpc_id_of(source))?;
    Some(Cut {
        because: format!("firewall {} ({}) does not let {host} pass: {why}", name(&firewall.firewall_arn), endpoint.id),
        firewall: firewall.firewall_arn.clone(),
    })
}

fn name(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

fn why(
    world: &World<'_>,
    firewall: &Firewall,
    policy: &FirewallPolicy,
    host: &str,
    vpc: Option<&str>,
) -> Option<String> {
    if !policy.stateless_rule_group_references.is_empty() {
        return None;
    }
    if policy.stateless_default_actions.iter().any(|action| action == "aws:drop") {
        return Some("its policy drops every packet (stateless default action aws:drop)".to_owned());
    }
    let strict = policy.stateful_engine_options.rule_order.as_deref() == Some("STRICT_ORDER");
    let drops_others = policy.stateful_default_actions.iter().any(|action| action.starts_with("aws:drop"));
    let groups: Option<Vec<(&str, &DomainList)>> = policy
        .stateful_rule_group_references
        .iter()
        .map(|reference| {
            let group = &world.snapshot.network_firewalls.rule_groups.get(&reference.resource_arn)?.rule_group;
            is_about(group, firewall, vpc).then_some(())?;
            Some((name(&reference.resource_arn), group.rules_source.rules_source_list.as_ref()?))
        })
        .collect();
    let groups = groups?;
    let of_tls = |list: &DomainList| list.target_types.iter().any(|kind| kind == "TLS_SNI");
    if groups.is_empty() {
        return (strict && drops_others).then(|| "its policy has no rules, and drops the rest".to_owned());
    }
    let allows = |list: &DomainList| list.generated_rules_type == "ALLOWLIST" && of_tls(list);
    let denies = |list: &DomainList| list.generated_rules_type == "DENYLIST" && of_tls(list);
    // Newer kinds of lists are not understood.
    if groups.iter().any(|(_, list)| !["ALLOWLIST", "DENYLIST"].contains(&list.generated_rules_type.as_str())) {
        return None;
    }
    let mut deciding = groups.iter().filter(|(_, list)| (allows(list) || denies(list)) && list.holds(host));
    // In the order of actions, to let pass comes before all; in strict order, the first group decides.
    let held = if strict { deciding.next() } else { deciding.find(|(_, list)| allows(list)) };
    if held.is_some_and(|(_, list)| allows(list)) {
        return None;
    }
    if let Some((group, _)) = groups.iter().find(|(_, list)| denies(list) && list.holds(host)) {
        return Some(format!("it is on deny list {group}"));
    }
    let lists: Vec<&str> = groups.iter().filter(|(_, list)| allows(list)).map(|(group, _)| *group).collect();
    // A list of what to let pass drops the rest itself in the order of actions; in strict order the policy does.
    (!lists.is_empty() && (!strict || drops_others)).then(|| format!("it is on no allow list ({})", lists.join(", ")))
}

/// Whether a list of domains is about packets of this VPC: by itself only about those of the VPC of its firewall.
fn is_about(group: &RuleGroup, firewall: &Firewall, vpc: Option<&str>) -> bool {
    let home = group.rule_variables.ip_sets.get("HOME_NET");
    home.is_some_and(|home| !home.definition.is_empty()) || vpc == Some(firewall.vpc_id.as_str())
}
