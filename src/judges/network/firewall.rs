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
        because: format!(
            "firewall {} ({}) does not let {host} pass: {why}",
            name(&firewall.firewall_arn),
            endpoint.id
        ),
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
            let group =
                &world.snapshot.network_firewalls.rule_groups.get(&reference.resource_arn)?.rule_group;
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
    if groups.iter().any(|(_, list)| !["ALLOWLIST", "DENYLIST"].contains(&list.generated_rules_type.as_str()))
    {
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
    (!lists.is_empty() && (!strict || drops_others))
        .then(|| format!("it is on no allow list ({})", lists.join(", ")))
}

/// Whether a list of domains is about packets of this VPC: by itself only about those of the VPC of its firewall.
fn is_about(group: &RuleGroup, firewall: &Firewall, vpc: Option<&str>) -> bool {
    let home = group.rule_variables.ip_sets.get("HOME_NET");
    home.is_some_and(|home| !home.definition.is_empty()) || vpc == Some(firewall.vpc_id.as_str())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    use crate::checks::Leg;
    use crate::judges::test_support;
    use crate::pulls::tests::{instance, profiles};

    const ARN: &str = "arn:aws:network-firewall:eu-west-1:111122223333";

    fn check(policy: Value, groups: &[Value], expected: &Expect) {
        let mut of_group =
            instance("i-1", "ng", json!({ "eks:nodegroup-name": "ng", "eks:cluster-name": "c" }));
        of_group["NetworkInterfaces"] = json!([{ "NetworkInterfaceId": "eni-1", "SubnetId": "subnet-1", "VpcId": "vpc-1",
            "PrivateIpAddress": "10.0.0.9", "Groups": [{ "GroupId": "sg-1" }] }]);
        let everything = json!([{ "IpProtocol": "-1", "IpRanges": [{ "CidrIp": "0.0.0.0/0" }] }]);
        let entry = |egress: bool| json!({ "Egress": egress, "CidrBlock": "0.0.0.0/0", "Protocol": "-1", "RuleAction": "allow", "RuleNumber": 100 });
        let mut all = vec![
            json!({ "Reservations": [{ "Instances": [of_group] }] }),
            profiles(&["ng"]),
            json!({ "Vpcs": [{ "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16", "DhcpOptionsId": "default" }],
                "Subnets": [{ "SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24" }],
                "NetworkInterfaces": of_group["NetworkInterfaces"],
                "VpcEndpoints": [{ "VpcEndpointId": "vpce-fw", "VpcEndpointType": "GatewayLoadBalancer", "VpcId": "vpc-1", "State": "available" }],
                "RouteTables": [{ "RouteTableId": "rtb-1", "VpcId": "vpc-1", "Associations": [{ "Main": true }], "Routes": [
                    { "DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active" },
                    { "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "vpce-fw", "State": "active" }] }],
                "SecurityGroups": [{ "GroupId": "sg-1", "VpcId": "vpc-1", "IpPermissions": [], "IpPermissionsEgress": everything }],
                "NetworkAcls": [{ "NetworkAclId": "acl-1", "VpcId": "vpc-1", "Associations": [{ "SubnetId": "subnet-1" }],
                    "Entries": [entry(true), entry(false)] }] }),
            json!({ "VpcId": "vpc-1", "EnableDnsSupport": { "Value": true } }),
            json!({ "UpdateToken": "t", "Firewall": { "FirewallName": "fw", "FirewallArn": format!("{ARN}:firewall/fw"),
                "FirewallPolicyArn": format!("{ARN}:firewall-policy/p"), "VpcId": "vpc-1" },
                "FirewallStatus": { "SyncStates": { "eu-west-1a": { "Attachment": { "SubnetId": "subnet-fw", "EndpointId": "vpce-fw" } } } } }),
            json!({ "FirewallPolicyResponse": { "FirewallPolicyArn": format!("{ARN}:firewall-policy/p") }, "FirewallPolicy": policy }),
        ];
        all.extend(groups.iter().cloned());
        let legs = [Leg::EcrApiNetwork, Leg::RegistryNetwork, Leg::LayerNetwork];
        test_support::check(&all, &["network-firewall-block"], &legs, expected);
    }

    fn policy(groups: &[&str], more: Value) -> Value {
        let references: Vec<Value> = groups
            .iter()
            .map(|name| json!({ "ResourceArn": format!("{ARN}:stateful-rulegroup/{name}") }))
            .collect();
        let mut policy = json!({ "StatelessDefaultActions": ["aws:forward_to_sfe"], "StatefulRuleGroupReferences": references });
        policy.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        policy
    }

    fn list(name: &str, kind: &str, targets: &[&str]) -> Value {
        json!({ "RuleGroupResponse": { "RuleGroupArn": format!("{ARN}:stateful-rulegroup/{name}"), "Type": "STATEFUL" },
            "RuleGroup": { "RulesSource": { "RulesSourceList": {
                "Targets": targets, "TargetTypes": ["TLS_SNI", "HTTP_HOST"], "GeneratedRulesType": kind } } } })
    }

    #[test]
    fn an_allow_list_without_the_layers_blocks_them() {
        check(
            policy(&["web"], json!({})),
            &[list("web", "ALLOWLIST", &[".ecr.eu-west-1.amazonaws.com", "github.com"])],
            &expect![[r#"
                network-firewall-block critical manual on arn:aws:network-firewall:eu-west-1:111122223333:firewall/fw: firewall fw (vpce-fw) does not let prod-eu-west-1-starport-layer-bucket.s3.eu-west-1.amazonaws.com pass: it is on no allow list (web)
                  network-firewall:DescribeRuleGroup: firewall fw (vpce-fw) does not let prod-eu-west-1-starport-layer-bucket.s3.eu-west-1.amazonaws.com pass: it is on no allow list (web)
                  blocks layer-network of nodegroup/ng <- app:v1, nodegroup/ng <- 602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/*
                nodegroup/ng ecr-api-network unknown what firewall or appliance endpoint vpce-fw (GatewayLoadBalancer) lets pass is not modelled (read: ecr-fix explain network-firewall-block)
                nodegroup/ng registry-network unknown what firewall or appliance endpoint vpce-fw (GatewayLoadBalancer) lets pass is not modelled (read: ecr-fix explain network-firewall-block)
            "#]],
        );
    }

    #[test]
    fn what_lists_let_pass_may_still_be_dropped_elsewhere() {
        check(
            policy(&["web"], json!({})),
            &[list("web", "ALLOWLIST", &[".amazonaws.com"])],
            &expect![[r#"
                nodegroup/ng ecr-api-network unknown what firewall or appliance endpoint vpce-fw (GatewayLoadBalancer) lets pass is not modelled (read: ecr-fix explain network-firewall-block)
                nodegroup/ng registry-network unknown what firewall or appliance endpoint vpce-fw (GatewayLoadBalancer) lets pass is not modelled (read: ecr-fix explain network-firewall-block)
                nodegroup/ng layer-network unknown what firewall or appliance endpoint vpce-fw (GatewayLoadBalancer) lets pass is not modelled (read: ecr-fix explain network-firewall-block)
            "#]],
        );
    }

    #[test]
    fn rules_that_are_not_understood_leave_it_open() {
        let suricata = json!({ "RuleGroupResponse": { "RuleGroupArn": format!("{ARN}:stateful-rulegroup/own") },
            "RuleGroup": { "RulesSource": { "RulesString": "pass tls any any -> any any (sid:1;)" } } });
        check(
            policy(&["web", "own"], json!({})),
            &[list("web", "ALLOWLIST", &["github.com"]), suricata],
            &expect![[r#"
                nodegroup/ng ecr-api-network unknown what firewall or appliance endpoint vpce-fw (GatewayLoadBalancer) lets pass is not modelled (read: ecr-fix explain network-firewall-block)
                nodegroup/ng registry-network unknown what firewall or appliance endpoint vpce-fw (GatewayLoadBalancer) lets pass is not modelled (read: ecr-fix explain network-firewall-block)
                nodegroup/ng layer-network unknown what firewall or appliance endpoint vpce-fw (GatewayLoadBalancer) lets pass is not modelled (read: ecr-fix explain network-firewall-block)
            "#]],
        );
    }

    #[test]
    fn in_strict_order_the_policy_drops_what_no_list_holds() {
        let strict = json!({ "StatefulEngineOptions": { "RuleOrder": "STRICT_ORDER" } });
        let mut drops = strict.clone();
        drops["StatefulDefaultActions"] = json!(["aws:drop_established"]);
        let web = || [list("web", "ALLOWLIST", &["github.com"])];
        check(
            policy(&["web"], strict),
            &web(),
            &expect![[r#"
                nodegroup/ng ecr-api-network unknown what firewall or appliance endpoint vpce-fw (GatewayLoadBalancer) lets pass is not modelled (read: ecr-fix explain network-firewall-block)
                nodegroup/ng registry-network unknown what firewall or appliance endpoint vpce-fw (GatewayLoadBalancer) lets pass is not modelled (read: ecr-fix explain network-firewall-block)
                nodegroup/ng layer-network unknown what firewall or appliance endpoint vpce-fw (GatewayLoadBalancer) lets pass is not modelled (read: ecr-fix explain network-firewall-block)
            "#]],
        );
        check(
            policy(&["web"], drops),
            &web(),
            &expect![[r#"
                network-firewall-block critical manual on arn:aws:network-firewall:eu-west-1:111122223333:firewall/fw: firewall fw (vpce-fw) does not let 111122223333.dkr.ecr.eu-west-1.amazonaws.com pass: it is on no allow list (web)
                  network-firewall:DescribeRuleGroup: firewall fw (vpce-fw) does not let 111122223333.dkr.ecr.eu-west-1.amazonaws.com pass: it is on no allow list (web)
                  network-firewall:DescribeRuleGroup: firewall fw (vpce-fw) does not let 602401143452.dkr.ecr.eu-west-1.amazonaws.com pass: it is on no allow list (web)
                  network-firewall:DescribeRuleGroup: firewall fw (vpce-fw) does not let api.ecr.eu-west-1.amazonaws.com pass: it is on no allow list (web)
                  network-firewall:DescribeRuleGroup: firewall fw (vpce-fw) does not let prod-eu-west-1-starport-layer-bucket.s3.eu-west-1.amazonaws.com pass: it is on no allow list (web)
                  blocks ecr-api-network layer-network registry-network of nodegroup/ng <- app:v1, nodegroup/ng <- 602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/*
            "#]],
        );
        check(
            policy(&["bad"], json!({})),
            &[list("bad", "DENYLIST", &[".dkr.ecr.eu-west-1.amazonaws.com"])],
            &expect![[r#"
                network-firewall-block critical manual on arn:aws:network-firewall:eu-west-1:111122223333:firewall/fw: firewall fw (vpce-fw) does not let 111122223333.dkr.ecr.eu-west-1.amazonaws.com pass: it is on deny list bad
                  network-firewall:DescribeRuleGroup: firewall fw (vpce-fw) does not let 111122223333.dkr.ecr.eu-west-1.amazonaws.com pass: it is on deny list bad
                  network-firewall:DescribeRuleGroup: firewall fw (vpce-fw) does not let 602401143452.dkr.ecr.eu-west-1.amazonaws.com pass: it is on deny list bad
                  blocks registry-network of nodegroup/ng <- app:v1, nodegroup/ng <- 602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/*
                nodegroup/ng ecr-api-network unknown what firewall or appliance endpoint vpce-fw (GatewayLoadBalancer) lets pass is not modelled (read: ecr-fix explain network-firewall-block)
                nodegroup/ng layer-network unknown what firewall or appliance endpoint vpce-fw (GatewayLoadBalancer) lets pass is not modelled (read: ecr-fix explain network-firewall-block)
            "#]],
        );
    }
}
