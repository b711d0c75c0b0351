//! Terraform: resources of their own where the provider has them, and the value to set where it is a property of a
//! resource that somebody else declares.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::step::{End, Endpoint, Entry, List, Rule, Step, prefix};
use super::{Expressed, about, comments, header, identifier, inexpressible, maker_of};
use crate::plan::{Action, Plan};
use crate::render::terminal::with_risk;

/// An argument: its name and its expression.
type Argument = (&'static str, String);

/// The code: providers, then every action.
pub(super) fn code(plan: &Plan) -> String {
    let mut out = comments(&header(plan), "");
    out += "\nterraform {\n  required_version = \">= 1.5\"\n  required_providers {\n    aws = {\n      source  = \"hashicorp/aws\"\n      version = \">= 5.60\"\n    }\n  }\n}\n";
    out.push('\n');
    out += &provider(None, &plan.target.account, &plan.target.region);
    for (account, region) in elsewhere(plan) {
        out += "\n# The credentials of this account belong here: assume_role or profile.\n";
        out += provider(Some(&alias(&account, &region)), &account, &region).trim_start_matches('\n');
    }
    for action in &plan.actions {
        out.push('\n');
        out += &comments(&about(action), "");
        match blocks(plan, action) {
            Ok(blocks) => out += &blocks,
            Err(because) => out += &comments(&inexpressible(action, "Terraform", &because), ""),
        }
    }
    out
}

fn provider(alias: Option<&str>, account: &str, region: &str) -> String {
    let mut arguments: Vec<Argument> = alias.map(|alias| ("alias", string(alias))).into_iter().collect();
    arguments.push(("region", string(region)));
    arguments.push(("allowed_account_ids", format!("[{}]", string(account))));
    block("provider \"aws\"", &arguments)
}

/// Registries in other accounts or regions than the cluster.
fn elsewhere(plan: &Plan) -> BTreeSet<(String, String)> {
    let places = plan.actions.iter().filter_map(|action| match Step::of(action)? {
        Step::SetRepositoryPolicy { repository, .. } => Some((repository.account, repository.region)),
        _ => None,
    });
    places
        .filter(|(account, region)| (account, region) != (&plan.target.account, &plan.target.region))
        .collect()
}

fn alias(account: &str, region: &str) -> String {
    format!("account_{}_{}", identifier(account), identifier(region))
}

fn blocks(plan: &Plan, action: &Action) -> Expressed<String> {
    let step = Step::of(action).ok_or("this version has no words for it")?;
    let name = format!("ecr_fix_{}", identifier(&action.id));
    Ok(match step {
        Step::AttachRolePolicy { role, policy_arn } => resource(
            "aws_iam_role_policy_attachment",
            &name,
            &[("role", string(&role)), ("policy_arn", string(&policy_arn))],
        ),
        Step::PutRolePolicy { role, name: policy, document } => resource(
            "aws_iam_role_policy",
            &name,
            &[("name", string(&policy)), ("role", string(&role)), ("policy", encoded(&document))],
        ),
        Step::UpdateTrustPolicy { role, document } => property(
            &name,
            &format!(
                "The trust policy is a property of the role: set assume_role_policy = local.{name} in the aws_iam_role {role}."
            ),
            &encoded(&document),
        ),
        Step::SetRepositoryPolicy { repository, document, exists } => {
            let place = (repository.account.clone(), repository.region.clone());
            let mut arguments =
                vec![("repository", string(&repository.name)), ("policy", encoded(&document))];
            if elsewhere(plan).contains(&place) {
                arguments.insert(0, ("provider", format!("aws.{}", alias(&place.0, &place.1))));
            }
            let import = if exists {
                import("aws_ecr_repository_policy", &name, &repository.name)
            } else {
                String::new()
            };
            import + &resource("aws_ecr_repository_policy", &name, &arguments)
        }
        Step::CreateSecurityGroup { vpc, name: group, cluster, ingress, egress } => {
            security_group(&name, &[&vpc, &group, &cluster], &ingress, &egress)
        }
        Step::CreateEndpoint { vpc, service, is_interface, state } => {
            create_endpoint(plan, &name, &[&vpc, &service], is_interface, &state)
        }
        Step::ModifyEndpoint { id, is_interface, before, after } => {
            modify_endpoint(plan, &name, &id, is_interface, &before, &after)?
        }
        Step::SecurityGroupRule { group, is_egress, rule, description } => {
            group_rule(&name, &string(&group), is_egress, &rule, description.as_deref())
        }
        Step::NetworkAclEntry { acl, number, is_egress, entry, exists } => {
            let id = format!("{acl}:{number}:{}:{is_egress}", entry.protocol);
            let import = if exists { import("aws_network_acl_rule", &name, &id) } else { String::new() };
            import + &acl_rule(&name, &acl, number, is_egress, &entry)
        }
        Step::Route { table, destination, target, exists } => {
            let import = if exists {
                import("aws_route", &name, &format!("{table}_{destination}"))
            } else {
                String::new()
            };
            import + &route(&name, &table, &destination, &target)?
        }
        Step::VpcAttribute { vpc, attribute, is_on } => {
            let argument = match attribute.as_str() {
                "enableDnsSupport" => "enable_dns_support",
                _ => "enable_dns_hostnames",
            };
            property(
                &name,
                &format!("It is a property of the VPC: set {argument} = local.{name} in the aws_vpc {vpc}."),
                &is_on.to_string(),
            )
        }
        Step::AssociateInstanceProfile { instance, profile } => property(
            &name,
            &format!(
                "It is a property of the instance: set iam_instance_profile = local.{name} in the aws_instance {instance}, or in its launch template."
            ),
            &string(&profile),
        ),
    })
}

fn security_group(
    name: &str,
    [vpc, group, cluster]: &[&str; 3],
    ingress: &[Rule],
    egress: &[Rule],
) -> String {
    let description = format!("Endpoints for image pulls of EKS cluster {cluster}");
    let mut out = resource(
        "aws_security_group",
        name,
        &[("name", string(group)), ("description", string(&description)), ("vpc_id", string(vpc))],
    );
    let own = format!("aws_security_group.{name}.id");
    let rules = ingress.iter().map(|rule| (false, rule)).chain(egress.iter().map(|rule| (true, rule)));
    for ((is_egress, rule), number) in rules.zip(1..) {
        out += &group_rule(&format!("{name}_{number}"), &own, is_egress, rule, None);
    }
    out
}

fn group_rule(name: &str, group: &str, is_egress: bool, rule: &Rule, description: Option<&str>) -> String {
    let kind =
        if is_egress { "aws_vpc_security_group_egress_rule" } else { "aws_vpc_security_group_ingress_rule" };
    let peer = match End::of(&rule.peer) {
        End::Group => "referenced_security_group_id",
        End::PrefixList => "prefix_list_id",
        End::BlockV4 => "cidr_ipv4",
        End::BlockV6 => "cidr_ipv6",
    };
    let mut arguments =
        vec![("security_group_id", group.to_owned()), ("ip_protocol", string(&rule.protocol))];
    arguments.extend(rule.from_port.map(|port| ("from_port", port.to_string())));
    arguments.extend(rule.to_port.map(|port| ("to_port", port.to_string())));
    arguments.push((peer, string(&rule.peer)));
    arguments.extend(description.map(|text| ("description", string(text))));
    resource(kind, name, &arguments)
}

fn create_endpoint(
    plan: &Plan,
    name: &str,
    [vpc, service]: &[&str; 2],
    is_interface: bool,
    state: &Endpoint,
) -> String {
    let mut arguments = vec![
        ("vpc_id", string(vpc)),
        ("service_name", string(service)),
        ("vpc_endpoint_type", string(if is_interface { "Interface" } else { "Gateway" })),
    ];
    let mut lookups = String::new();
    if is_interface {
        let groups = state.security_groups.iter().map(|group| group_id(plan, name, vpc, group, &mut lookups));
        let groups: Vec<String> = groups.collect();
        arguments.push(("subnet_ids", list(&state.subnet_ids)));
        arguments.push(("security_group_ids", format!("[{}]", groups.join(", "))));
        arguments.push(("private_dns_enabled", state.private_dns_enabled.to_string()));
    } else {
        arguments.push(("route_table_ids", list(&state.route_table_ids)));
    }
    arguments.extend(policy(state).map(|policy| ("policy", policy)));
    lookups + &resource("aws_vpc_endpoint", name, &arguments)
}

/// The id of a group, which may be one that the plan makes, or one that is known by its name only.
fn group_id(plan: &Plan, name: &str, vpc: &str, group: &str, lookups: &mut String) -> String {
    if group.starts_with("sg-") {
        return string(group);
    }
    if let Some(maker) = maker_of(plan, group) {
        return format!("aws_security_group.ecr_fix_{}.id", identifier(&maker.id));
    }
    *lookups += &block(
        &format!("data \"aws_security_group\" \"{name}\""),
        &[("name", string(group)), ("vpc_id", string(vpc))],
    );
    format!("data.aws_security_group.{name}.id")
}

fn modify_endpoint(
    plan: &Plan,
    name: &str,
    id: &str,
    is_interface: bool,
    before: &Endpoint,
    after: &Endpoint,
) -> Expressed<String> {
    let lists: [(&str, &'static str, List); 3] = [
        ("aws_vpc_endpoint_subnet_association", "subnet_id", |state| &state.subnet_ids),
        ("aws_vpc_endpoint_security_group_association", "security_group_id", |state| &state.security_groups),
        ("aws_vpc_endpoint_route_table_association", "route_table_id", |state| &state.route_table_ids),
    ];
    let mut out = String::new();
    let mut number = 0;
    for (kind, argument, list) in lists {
        if before.more(after, list).next().is_some() {
            return Err(format!(
                "an association ({argument}) ends, which only the code that declares it can say"
            ));
        }
        for added in after.more(before, list) {
            number += 1;
            let added = match maker_of(plan, added) {
                Some(maker) => format!("aws_security_group.ecr_fix_{}.id", identifier(&maker.id)),
                None => string(added),
            };
            out += &resource(
                kind,
                &format!("{name}_{number}"),
                &[("vpc_endpoint_id", string(id)), (argument, added)],
            );
        }
    }
    if is_interface && before.private_dns_enabled != after.private_dns_enabled {
        let enabled = ("private_dns_enabled", after.private_dns_enabled.to_string());
        out += &resource("aws_vpc_endpoint_private_dns", name, &[("vpc_endpoint_id", string(id)), enabled]);
    }
    if before.policy != after.policy {
        let policy = policy(after)
            .ok_or("the policy becomes the one of AWS, which only the code that declares it can say")?;
        out += &resource(
            "aws_vpc_endpoint_policy",
            name,
            &[("vpc_endpoint_id", string(id)), ("policy", policy)],
        );
    }
    Ok(out)
}

fn policy(state: &Endpoint) -> Option<String> {
    let document: Value = serde_json::from_str(state.policy.as_deref()?).ok()?;
    Some(encoded(&document))
}

fn acl_rule(name: &str, acl: &str, number: i64, is_egress: bool, entry: &Entry) -> String {
    let block = if entry.block.contains(':') { "ipv6_cidr_block" } else { "cidr_block" };
    let mut arguments = vec![
        ("network_acl_id", string(acl)),
        ("rule_number", number.to_string()),
        ("egress", is_egress.to_string()),
        ("protocol", string(&entry.protocol)),
        ("rule_action", string(&entry.action)),
        (block, string(&entry.block)),
    ];
    if let Some([from, to]) = entry.ports {
        arguments.extend([("from_port", from.to_string()), ("to_port", to.to_string())]);
    }
    if let Some([kind, code]) = entry.icmp {
        arguments.extend([("icmp_type", kind.to_string()), ("icmp_code", code.to_string())]);
    }
    resource("aws_network_acl_rule", name, &arguments)
}

fn route(name: &str, table: &str, destination: &str, target: &str) -> Expressed<String> {
    let to = match prefix(target) {
        "nat" => "nat_gateway_id",
        "igw" | "vgw" => "gateway_id",
        "eigw" => "egress_only_gateway_id",
        "tgw" => "transit_gateway_id",
        "pcx" => "vpc_peering_connection_id",
        "eni" => "network_interface_id",
        "vpce" => "vpc_endpoint_id",
        "lgw" => "local_gateway_id",
        "cagw" => "carrier_gateway_id",
        _ => return Err(format!("aws_route has no argument for the target {target}")),
    };
    let of = match End::of(destination) {
        End::PrefixList => "destination_prefix_list_id",
        End::BlockV6 => "destination_ipv6_cidr_block",
        End::BlockV4 | End::Group => "destination_cidr_block",
    };
    let arguments = [("route_table_id", string(table)), (of, string(destination)), (to, string(target))];
    Ok(resource("aws_route", name, &arguments))
}

fn resource(kind: &str, name: &str, arguments: &[Argument]) -> String {
    block(&format!("resource \"{kind}\" \"{name}\""), arguments)
}

/// What exists already is taken over, not made a second time.
fn import(kind: &str, name: &str, id: &str) -> String {
    block("import", &[("to", format!("{kind}.{name}")), ("id", string(id))])
}

/// A value for a resource that is declared elsewhere.
fn property(name: &str, how: &str, value: &str) -> String {
    comments(&[format!("NOT EXPRESSED as a resource of its own. {how}")], "")
        + &format!("locals {{\n  {name} = {value}\n}}\n")
}

/// A block in the layout of `terraform fmt`: the signs of neighbours that stand on one line are aligned.
fn block(head: &str, arguments: &[Argument]) -> String {
    let mut out = format!("\n{head} {{\n");
    let mut start = 0;
    while start < arguments.len() {
        let group = aligned(arguments.get(start..).unwrap_or_default());
        let width = group.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        for (name, value) in group {
            let _ = writeln!(out, "  {name:width$} = {value}");
        }
        start += group.len();
    }
    out.trim_start_matches('\n').to_owned() + "}\n"
}

/// The arguments from the first on whose signs stand in one column: one of several lines stands by itself.
fn aligned(arguments: &[Argument]) -> &[Argument] {
    let single = arguments.iter().take_while(|(_, value)| !value.contains('\n')).count();
    arguments.get(..single.max(1)).unwrap_or(arguments)
}

fn list(values: &[String]) -> String {
    format!("[{}]", values.iter().map(|value| string(value)).collect::<Vec<_>>().join(", "))
}

fn encoded(document: &Value) -> String {
    format!("jsonencode({})", expression(document, 1))
}

/// A JSON value as an expression.
fn expression(value: &Value, depth: usize) -> String {
    let (inner, outer) = ("  ".repeat(depth + 1), "  ".repeat(depth));
    match value {
        Value::String(text) => string(text),
        Value::Array(values) if !values.is_empty() => {
            let lines: String =
                values.iter().map(|value| format!("{inner}{},\n", expression(value, depth + 1))).collect();
            format!("[\n{lines}{outer}]")
        }
        Value::Object(fields) if !fields.is_empty() => {
            let lines: String = fields
                .iter()
                .map(|(name, value)| format!("{inner}{} : {},\n", string(name), expression(value, depth + 1)))
                .collect();
            format!("{{\n{lines}{outer}}}")
        }
        other => json!(other).to_string(),
    }
}

/// A quoted string: in it, only `${` and `%{` start a template, and only a quote ends it. A brace behind one of these
/// signs is written as its number, because a doubled sign is read differently after another sign.
fn string(text: &str) -> String {
    let mut out = String::from("\"");
    let mut before = ' ';
    for (c, is_risky) in with_risk(text) {
        let starts_template = c == '{' && matches!(before, '$' | '%');
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if u32::from(c) > 0xffff && is_risky => out += &format!("\\U{:08x}", u32::from(c)),
            c if is_risky || starts_template => out += &format!("\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
        before = c;
    }
    out + "\""
}

#[test]
fn nothing_in_a_string_is_a_template_or_ends_it() {
    assert_eq!(string(r#"a"b\c"#), r#""a\"b\\c""#);
    assert_eq!(string("${x} %{if} $ % $${y} {"), r#""$\u007bx} %\u007bif} $ % $$\u007by} {""#);
    assert_eq!(string("a\nb\u{1b}\u{e0041}"), r#""a\nb\u001b\U000e0041""#);
}
