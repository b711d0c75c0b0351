//! CloudFormation: a template in YAML with what can be a resource of its own, and comments for what is a property of a
//! resource that another stack declares.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::step::{End, Endpoint, Entry, Rule, Step, prefix};
use super::{Expressed, about, comments, header, identifier, inexpressible, maker_of};
use crate::plan::{Action, Plan};
use crate::render::terminal::with_risk;

/// The template: parameters for what is known by name only, then every action.
pub(super) fn template(plan: &Plan) -> String {
    let mut parameters: BTreeMap<String, String> = BTreeMap::new();
    let mut resources = String::new();
    let mut is_empty = true;
    for action in &plan.actions {
        resources += &comments(&about(action), "  ");
        match resource(plan, action, &mut parameters).and_then(harmless) {
            Ok(all) => {
                is_empty = false;
                all.iter().for_each(|(name, value)| resources += &entry(name, value, 1));
            }
            Err(because) => {
                resources += &comments(&inexpressible(action, "CloudFormation", &because), "  ");
                resources += &property(action);
            }
        }
        resources.push('\n');
    }
    let mut out = comments(&header(plan), "") + "\nAWSTemplateFormatVersion: \"2010-09-09\"\n";
    let description =
        format!("Image pulls of EKS cluster {} from Amazon ECR, by ecr-fix", plan.target.cluster);
    out += &entry("Description", &json!(description), 0);
    if !parameters.is_empty() {
        out += "Parameters:\n";
    }
    for (name, description) in parameters {
        let value = json!({"Type": "AWS::EC2::SecurityGroup::Id", "Description": description});
        out += &entry(&name, &value, 1);
    }
    // A template without resources is none: then everything here is a comment.
    out += if is_empty { "# No change of this plan can be a resource of its own.\n" } else { "Resources:\n" };
    (out + &resources).trim_end().to_owned() + "\n"
}

fn resource(
    plan: &Plan,
    action: &Action,
    parameters: &mut BTreeMap<String, String>,
) -> Expressed<Vec<(String, Value)>> {
    let step = Step::of(action).ok_or("this version has no words for it")?;
    if action.account != plan.target.account {
        return Err(format!("it belongs to a stack of account {}", action.account));
    }
    let name = format!("EcrFix{}", identifier(&action.id).replace('_', "").to_uppercase());
    let one = |kind: &str, properties: Value| {
        Ok(vec![(name.clone(), json!({"Type": kind, "Properties": properties}))])
    };
    match step {
        Step::AttachRolePolicy { role, policy_arn } => Err(format!(
            "it is a property of the role: add {policy_arn} to ManagedPolicyArns of the AWS::IAM::Role {role}"
        )),
        Step::PutRolePolicy { role, name: policy, document } => one(
            "AWS::IAM::RolePolicy",
            json!({"RoleName": role, "PolicyName": policy, "PolicyDocument": document}),
        ),
        Step::UpdateTrustPolicy { role, .. } => Err(format!(
            "it is a property of the role: change AssumeRolePolicyDocument of the AWS::IAM::Role {role}"
        )),
        Step::SetRepositoryPolicy { repository, .. } => Err(format!(
            "it is a property of the repository: change RepositoryPolicyText of the AWS::ECR::Repository {}",
            repository.name
        )),
        Step::CreateSecurityGroup { vpc, name: group, cluster, ingress, egress } => {
            one("AWS::EC2::SecurityGroup", security_group(&vpc, &group, &cluster, &ingress, &egress))
        }
        Step::CreateEndpoint { vpc, service, is_interface, state } => {
            one("AWS::EC2::VPCEndpoint", endpoint(plan, [&vpc, &service], is_interface, &state, parameters))
        }
        Step::ModifyEndpoint { id, .. } => Err(format!(
            "it changes properties of the AWS::EC2::VPCEndpoint {id}, which another stack declares"
        )),
        Step::SecurityGroupRule { group, is_egress, rule, description } => {
            let kind =
                if is_egress { "AWS::EC2::SecurityGroupEgress" } else { "AWS::EC2::SecurityGroupIngress" };
            let mut properties = rule_properties(&rule, is_egress);
            properties.insert("GroupId".to_owned(), json!(group));
            properties.extend(description.map(|text| ("Description".to_owned(), json!(text))));
            one(kind, Value::Object(properties))
        }
        Step::NetworkAclEntry { exists: true, acl, number, .. } => {
            Err(format!("entry {number} of {acl} exists, and CloudFormation changes only what it has made"))
        }
        Step::NetworkAclEntry { acl, number, is_egress, entry, .. } => {
            one("AWS::EC2::NetworkAclEntry", acl_entry(&acl, number, is_egress, &entry)?)
        }
        Step::Route { exists: true, table, destination, .. } => Err(format!(
            "the route {destination} of {table} exists, and CloudFormation changes only what it has made"
        )),
        Step::Route { table, destination, target, .. } => {
            one("AWS::EC2::Route", route(&table, &destination, &target)?)
        }
        Step::VpcAttribute { vpc, attribute, is_on } => {
            let property =
                if attribute == "enableDnsSupport" { "EnableDnsSupport" } else { "EnableDnsHostnames" };
            Err(format!("it is a property of the VPC: set {property} of the AWS::EC2::VPC {vpc} to {is_on}"))
        }
        Step::AssociateInstanceProfile { instance, profile } => Err(format!(
            "it is a property of the instance: set IamInstanceProfile of the AWS::EC2::Instance {instance}, or of its launch template, to {profile}"
        )),
    }
}

/// The property to set in the stack of the owner, where it is a whole document.
fn property(action: &Action) -> String {
    let (name, document) = match Step::of(action) {
        Some(Step::UpdateTrustPolicy { document, .. }) => ("AssumeRolePolicyDocument", document),
        Some(Step::SetRepositoryPolicy { document, .. }) => ("RepositoryPolicyText", document),
        _ => return String::new(),
    };
    let lines: Vec<String> = entry(name, &document, 1).lines().map(str::to_owned).collect();
    comments(&lines, "  ")
}

fn security_group(vpc: &str, name: &str, cluster: &str, ingress: &[Rule], egress: &[Rule]) -> Value {
    let rules = |rules: &[Rule], is_egress| -> Vec<Value> {
        rules.iter().map(|rule| Value::Object(rule_properties(rule, is_egress))).collect()
    };
    let mut out = rules(egress, true);
    if out.is_empty() {
        // Without a rule CloudFormation lets everything out; this one leads nowhere.
        out.push(
            json!({"IpProtocol": "icmp", "FromPort": 252, "ToPort": 86, "CidrIp": "255.255.255.255/32"}),
        );
    }
    json!({
        "GroupName": name,
        "GroupDescription": format!("Endpoints for image pulls of EKS cluster {cluster}"),
        "VpcId": vpc,
        "SecurityGroupIngress": rules(ingress, false),
        "SecurityGroupEgress": out,
    })
}

fn rule_properties(rule: &Rule, is_egress: bool) -> Map<String, Value> {
    let peer = match (End::of(&rule.peer), is_egress) {
        (End::Group, false) => "SourceSecurityGroupId",
        (End::Group, true) => "DestinationSecurityGroupId",
        (End::PrefixList, false) => "SourcePrefixListId",
        (End::PrefixList, true) => "DestinationPrefixListId",
        (End::BlockV4, _) => "CidrIp",
        (End::BlockV6, _) => "CidrIpv6",
    };
    let mut properties = Map::new();
    properties.insert("IpProtocol".to_owned(), json!(rule.protocol));
    properties.extend(rule.from_port.map(|port| ("FromPort".to_owned(), json!(port))));
    properties.extend(rule.to_port.map(|port| ("ToPort".to_owned(), json!(port))));
    properties.insert(peer.to_owned(), json!(rule.peer));
    properties
}

fn endpoint(
    plan: &Plan,
    [vpc, service]: [&str; 2],
    is_interface: bool,
    state: &Endpoint,
    parameters: &mut BTreeMap<String, String>,
) -> Value {
    let mut properties = json!({
        "VpcId": vpc, "ServiceName": service, "VpcEndpointType": if is_interface { "Interface" } else { "Gateway" },
    });
    let Some(fields) = properties.as_object_mut() else { return properties };
    if is_interface {
        let groups: Vec<Value> =
            state.security_groups.iter().map(|group| group_id(plan, group, parameters)).collect();
        fields.insert("SubnetIds".to_owned(), json!(state.subnet_ids));
        fields.insert("SecurityGroupIds".to_owned(), json!(groups));
        fields.insert("PrivateDnsEnabled".to_owned(), json!(state.private_dns_enabled));
    } else {
        fields.insert("RouteTableIds".to_owned(), json!(state.route_table_ids));
    }
    let policy = state.policy.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
    fields.extend(policy.map(|policy| ("PolicyDocument".to_owned(), policy)));
    properties
}

/// The id of a group, which may be one that the plan makes, or one that is known by its name only.
fn group_id(plan: &Plan, group: &str, parameters: &mut BTreeMap<String, String>) -> Value {
    if group.starts_with("sg-") {
        return json!(group);
    }
    if let Some(maker) = maker_of(plan, group) {
        let name = format!("EcrFix{}", identifier(&maker.id).replace('_', "").to_uppercase());
        return json!({"Fn::GetAtt": [name, "GroupId"]});
    }
    let name: String = format!("Group{group}").chars().filter(char::is_ascii_alphanumeric).collect();
    parameters.insert(name.clone(), format!("The id of the security group {group}"));
    json!({"Ref": name})
}

fn acl_entry(acl: &str, number: i64, is_egress: bool, entry: &Entry) -> Expressed<Value> {
    let protocol: i64 =
        entry.protocol.parse().map_err(|_| format!("{} is no number of a protocol", entry.protocol))?;
    let block = if entry.block.contains(':') { "Ipv6CidrBlock" } else { "CidrBlock" };
    let mut properties = json!({
        "NetworkAclId": acl, "RuleNumber": number, "Egress": is_egress, "Protocol": protocol,
        "RuleAction": entry.action, block: entry.block,
    });
    if let Some(fields) = properties.as_object_mut() {
        let ports = entry.ports.map(|[from, to]| ("PortRange".to_owned(), json!({"From": from, "To": to})));
        let icmp = entry.icmp.map(|[kind, code]| ("Icmp".to_owned(), json!({"Type": kind, "Code": code})));
        fields.extend(ports.into_iter().chain(icmp));
    }
    Ok(properties)
}

fn route(table: &str, destination: &str, target: &str) -> Expressed<Value> {
    let to = match prefix(target) {
        "nat" => "NatGatewayId",
        "igw" | "vgw" => "GatewayId",
        "eigw" => "EgressOnlyInternetGatewayId",
        "tgw" => "TransitGatewayId",
        "pcx" => "VpcPeeringConnectionId",
        "eni" => "NetworkInterfaceId",
        "i" => "InstanceId",
        "vpce" => "VpcEndpointId",
        "lgw" => "LocalGatewayId",
        "cagw" => "CarrierGatewayId",
        _ => return Err(format!("AWS::EC2::Route has no property for the target {target}")),
    };
    let of = match End::of(destination) {
        End::PrefixList => "DestinationPrefixListId",
        End::BlockV6 => "DestinationIpv6CidrBlock",
        End::BlockV4 | End::Group => "DestinationCidrBlock",
    };
    Ok(json!({"RouteTableId": table, of: destination, to: target}))
}

/// CloudFormation fetches what `{{resolve:…}}` names, wherever that stands.
fn harmless(resources: Vec<(String, Value)>) -> Expressed<Vec<(String, Value)>> {
    if resources.iter().any(|(_, value)| value.to_string().contains("{{resolve:")) {
        return Err("a value in it looks like a dynamic reference".to_owned());
    }
    Ok(resources)
}

/// A key with its value, in block style.
fn entry(key: &str, value: &Value, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let inner: String = fields.iter().map(|(key, value)| entry(key, value, depth + 1)).collect();
            format!("{indent}{}:\n{inner}", key_text(key))
        }
        Value::Array(values) if !values.is_empty() => {
            let inner: String = values.iter().map(|value| item(value, depth + 1)).collect();
            format!("{indent}{}:\n{inner}", key_text(key))
        }
        other => format!("{indent}{}: {}\n", key_text(key), scalar(other)),
    }
}

/// An element of a list; a mapping starts on the line of its dash.
fn item(value: &Value, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let inner: String = fields.iter().map(|(key, value)| entry(key, value, depth + 1)).collect();
            format!("{indent}- {}", inner.trim_start_matches(' '))
        }
        Value::Array(values) if !values.is_empty() => {
            let inner: String = values.iter().map(|value| item(value, depth + 1)).collect();
            format!("{indent}-\n{inner}")
        }
        other => format!("{indent}- {}\n", scalar(other)),
    }
}

fn key_text(key: &str) -> String {
    // These words are something else than text in YAML.
    let is_word =
        key.starts_with(|c: char| c.is_ascii_alphabetic()) && key.chars().all(|c| c.is_ascii_alphanumeric());
    let is_special = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
        .contains(&key.to_ascii_lowercase().as_str());
    if is_word && !is_special { key.to_owned() } else { quoted(key) }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        other => other.to_string(),
    }
}

/// Text in double quotes, in which only a backslash and a quote mean anything.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for (c, is_risky) in with_risk(text) {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if is_risky => out += &format!("\\U{:08x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out + "\""
}

#[test]
fn values_are_text_whatever_they_look_like() {
    let value = json!({"a b": ["yes", {"no": "x: y # z", "n": []}, [1, "\u{85}"]]});
    expect_test::expect![[r#"
        key:
          "a b":
            - "yes"
            - "no": "x: y # z"
              "n": []
            -
              - 1
              - "\U00000085"
    "#]]
    .assert_eq(&entry("key", &value, 0));
}
