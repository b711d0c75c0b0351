//! The AWS CLI: a script that makes the same calls as `ecr-fix apply`, in the same order.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::step::{End, Endpoint, Entry, List, Rule, Step, prefix};
use super::{Expressed, about, comments, header, identifier, inexpressible, maker_of};
use crate::plan::{Action, Plan};
use crate::render::terminal::with_risk;

/// What every script starts with: a call goes to the account that it is for, or nowhere.
const PRELUDE: &str = r#"set -euo pipefail
export AWS_PAGER=""

# with_profile PROFILE ARGUMENTS...: calls the AWS CLI, with a profile where one is named.
with_profile() {
    local profile=$1
    shift
    if [ -n "$profile" ]; then
        aws --profile "$profile" "$@"
    else
        aws "$@"
    fi
}

# in_account ACCOUNT REGION ARGUMENTS...: calls it with the profile in $PROFILE_ACCOUNT, and for no other account.
in_account() {
    local account=$1 region=$2 profile="PROFILE_$1" found
    shift 2
    found=$(with_profile "${!profile:-}" sts get-caller-identity --query Account --output text)
    if [ "$found" != "$account" ]; then
        echo "these are credentials of account $found, not $account: set PROFILE_$account" >&2
        exit 1
    fi
    with_profile "${!profile:-}" --region "$region" "$@"
}
"#;

/// The script: every action once, each refused where the credentials are of another account.
pub(super) fn script(plan: &Plan) -> String {
    let mut out = format!("#!/usr/bin/env bash\n{}{PRELUDE}", comments(&header(plan), ""));
    for action in &plan.actions {
        out.push('\n');
        out += &comments(&about(action), "");
        match commands(plan, action) {
            Ok(commands) => out += &commands,
            Err(because) => out += &comments(&inexpressible(action, "the AWS CLI", &because), ""),
        }
    }
    out
}

fn commands(plan: &Plan, action: &Action) -> Expressed<String> {
    let step = Step::of(action).ok_or("this version has no words for it")?;
    let call =
        |service: &str, operation: &str| Call::new(&action.account, &action.region, service, operation);
    match step {
        Step::AttachRolePolicy { role, policy_arn } => call("iam", "attach-role-policy")?
            .with("--role-name", &role)?
            .with("--policy-arn", &policy_arn)?
            .line(),
        Step::PutRolePolicy { role, name, document } => call("iam", "put-role-policy")?
            .with("--role-name", &role)?
            .with("--policy-name", &name)?
            .json("--policy-document", &document)
            .line(),
        Step::UpdateTrustPolicy { role, document } => call("iam", "update-assume-role-policy")?
            .with("--role-name", &role)?
            .json("--policy-document", &document)
            .line(),
        Step::SetRepositoryPolicy { repository, document, .. } => {
            Call::new(&repository.account, &repository.region, "ecr", "set-repository-policy")?
                .with("--registry-id", &repository.account)?
                .with("--repository-name", &repository.name)?
                .json("--policy-text", &document)
                .line()
        }
        Step::CreateSecurityGroup { vpc, name, cluster, ingress, egress } => {
            create_group(action, &[&vpc, &name, &cluster], &ingress, &egress)
        }
        Step::CreateEndpoint { vpc, service, is_interface, state } => {
            let kind = if is_interface { "Interface" } else { "Gateway" };
            let call = call("ec2", "create-vpc-endpoint")?
                .with("--vpc-id", &vpc)?
                .with("--service-name", &service)?
                .with("--vpc-endpoint-type", kind)?;
            endpoint(plan, action, call, [&vpc], is_interface, &state)
        }
        Step::ModifyEndpoint { id, is_interface, before, after } => {
            let call = call("ec2", "modify-vpc-endpoint")?.with("--vpc-endpoint-id", &id)?;
            modify_endpoint(plan, call, is_interface, &before, &after)
        }
        Step::SecurityGroupRule { group, is_egress, rule, description } => {
            let operation = if is_egress {
                "authorize-security-group-egress"
            } else {
                "authorize-security-group-ingress"
            };
            let permission = json!([permission(&rule, description.as_deref())]);
            call("ec2", operation)?.with("--group-id", &group)?.json("--ip-permissions", &permission).line()
        }
        Step::NetworkAclEntry { acl, number, is_egress, entry, exists } => {
            let operation = if exists { "replace-network-acl-entry" } else { "create-network-acl-entry" };
            acl_entry(call("ec2", operation)?, &acl, number, is_egress, &entry)
        }
        Step::Route { table, destination, target, exists } => {
            let operation = if exists { "replace-route" } else { "create-route" };
            route(call("ec2", operation)?, &table, &destination, &target)
        }
        Step::VpcAttribute { vpc, attribute, is_on } => {
            let flag = if attribute == "enableDnsSupport" {
                "--enable-dns-support"
            } else {
                "--enable-dns-hostnames"
            };
            let value = json!({"Value": is_on});
            call("ec2", "modify-vpc-attribute")?.with("--vpc-id", &vpc)?.json(flag, &value).line()
        }
        Step::AssociateInstanceProfile { instance, profile } => {
            call("ec2", "associate-iam-instance-profile")?
                .with("--instance-id", &instance)?
                .json("--iam-instance-profile", &json!({"Name": profile}))
                .line()
        }
    }
}

fn create_group(
    action: &Action,
    [vpc, name, cluster]: &[&str; 3],
    ingress: &[Rule],
    egress: &[Rule],
) -> Expressed<String> {
    let call = |operation: &str| Call::new(&action.account, &action.region, "ec2", operation);
    let description = format!("Endpoints for image pulls of EKS cluster {cluster}");
    let variable = variable(&action.id);
    let made = call("create-security-group")?
        .with("--vpc-id", vpc)?
        .with("--group-name", name)?
        .with("--description", &description)?
        .with("--query", "GroupId")?
        .with("--output", "text")?
        .text();
    let mut out = format!("{variable}=$({made})\n");
    let permissions =
        |rules: &[Rule]| Value::Array(rules.iter().map(|rule| permission(rule, None)).collect());
    if !ingress.is_empty() {
        let call = call("authorize-security-group-ingress")?.variable("--group-id", &variable);
        out += &call.json("--ip-permissions", &permissions(ingress)).line()?;
    }
    // EC2 gives a new group a rule that lets everything out.
    let everything = json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]);
    let call_out = call("revoke-security-group-egress")?.variable("--group-id", &variable);
    out += &call_out.json("--ip-permissions", &everything).line()?;
    if !egress.is_empty() {
        let call = call("authorize-security-group-egress")?.variable("--group-id", &variable);
        out += &call.json("--ip-permissions", &permissions(egress)).line()?;
    }
    Ok(out)
}

fn endpoint(
    plan: &Plan,
    action: &Action,
    call: Call,
    [vpc]: [&str; 1],
    is_interface: bool,
    state: &Endpoint,
) -> Expressed<String> {
    let mut lookups = String::new();
    let mut call = if is_interface {
        let mut groups = Vec::new();
        for group in &state.security_groups {
            groups.push(group_id(plan, action, vpc, group, &mut lookups)?);
        }
        let dns =
            if state.private_dns_enabled { "--private-dns-enabled" } else { "--no-private-dns-enabled" };
        call.list("--subnet-ids", &state.subnet_ids)?.words("--security-group-ids", &groups).flag(dns)
    } else {
        call.list("--route-table-ids", &state.route_table_ids)?
    };
    if let Some(policy) = &state.policy {
        call = call.document("--policy-document", policy)?;
    }
    Ok(lookups + &call.line()?)
}

/// The id of a group as a word of the shell: its own, or one that the script finds out.
fn group_id(plan: &Plan, action: &Action, vpc: &str, group: &str, lookups: &mut String) -> Expressed<String> {
    if group.starts_with("sg-") {
        return word(group);
    }
    if let Some(maker) = maker_of(plan, group) {
        return Ok(format!("\"${}\"", variable(&maker.id)));
    }
    let variable = variable(&action.id);
    let filters = json!([{"Name": "group-name", "Values": [group]}, {"Name": "vpc-id", "Values": [vpc]}]);
    let found = Call::new(&action.account, &action.region, "ec2", "describe-security-groups")?
        .json("--filters", &filters)
        .with("--query", "SecurityGroups[0].GroupId")?
        .with("--output", "text")?
        .text();
    let _ = writeln!(lookups, "{variable}=$({found})");
    Ok(format!("\"${variable}\""))
}

fn modify_endpoint(
    plan: &Plan,
    mut call: Call,
    is_interface: bool,
    before: &Endpoint,
    after: &Endpoint,
) -> Expressed<String> {
    let lists: [(&str, &str, List); 3] = [
        ("--add-subnet-ids", "--remove-subnet-ids", |state| &state.subnet_ids),
        ("--add-security-group-ids", "--remove-security-group-ids", |state| &state.security_groups),
        ("--add-route-table-ids", "--remove-route-table-ids", |state| &state.route_table_ids),
    ];
    for (add, remove, list) in lists {
        for (flag, ids) in [(add, after.more(before, list)), (remove, before.more(after, list))] {
            let ids: Expressed<Vec<String>> = ids
                .map(|id| match maker_of(plan, id) {
                    Some(maker) => Ok(format!("\"${}\"", variable(&maker.id))),
                    None => word(id),
                })
                .collect();
            call = call.words(flag, &ids?);
        }
    }
    if is_interface && before.private_dns_enabled != after.private_dns_enabled {
        call = call.flag(if after.private_dns_enabled {
            "--private-dns-enabled"
        } else {
            "--no-private-dns-enabled"
        });
    }
    match &after.policy {
        Some(policy) if before.policy != after.policy => call.document("--policy-document", policy)?.line(),
        None if before.policy.is_some() => call.flag("--reset-policy").line(),
        _ => call.line(),
    }
}

fn acl_entry(call: Call, acl: &str, number: i64, is_egress: bool, entry: &Entry) -> Expressed<String> {
    let block = if entry.block.contains(':') { "--ipv6-cidr-block" } else { "--cidr-block" };
    let mut call = call
        .with("--network-acl-id", acl)?
        .with("--rule-number", &number.to_string())?
        .flag(if is_egress { "--egress" } else { "--ingress" })
        .with("--protocol", &entry.protocol)?
        .with("--rule-action", &entry.action)?
        .with(block, &entry.block)?;
    if let Some([from, to]) = entry.ports {
        call = call.json("--port-range", &json!({"From": from, "To": to}));
    }
    if let Some([kind, code]) = entry.icmp {
        call = call.json("--icmp-type-code", &json!({"Type": kind, "Code": code}));
    }
    call.line()
}

fn route(call: Call, table: &str, destination: &str, target: &str) -> Expressed<String> {
    let to = match prefix(target) {
        "nat" => "--nat-gateway-id",
        "igw" | "vgw" => "--gateway-id",
        "eigw" => "--egress-only-internet-gateway-id",
        "tgw" => "--transit-gateway-id",
        "pcx" => "--vpc-peering-connection-id",
        "eni" => "--network-interface-id",
        "i" => "--instance-id",
        "vpce" => "--vpc-endpoint-id",
        "lgw" => "--local-gateway-id",
        "cagw" => "--carrier-gateway-id",
        _ => return Err(format!("there is no flag for the target {target}")),
    };
    let of = match End::of(destination) {
        End::PrefixList => "--destination-prefix-list-id",
        End::BlockV6 => "--destination-ipv6-cidr-block",
        End::BlockV4 | End::Group => "--destination-cidr-block",
    };
    call.with("--route-table-id", table)?.with(of, destination)?.with(to, target)?.line()
}

fn permission(rule: &Rule, description: Option<&str>) -> Value {
    let (list, field) = match End::of(&rule.peer) {
        End::Group => ("UserIdGroupPairs", "GroupId"),
        End::PrefixList => ("PrefixListIds", "PrefixListId"),
        End::BlockV4 => ("IpRanges", "CidrIp"),
        End::BlockV6 => ("Ipv6Ranges", "CidrIpv6"),
    };
    let mut peer = Map::new();
    peer.insert(field.to_owned(), json!(rule.peer));
    peer.extend(description.map(|text| ("Description".to_owned(), json!(text))));
    let mut permission = Map::new();
    permission.insert("IpProtocol".to_owned(), json!(rule.protocol));
    permission.extend(rule.from_port.map(|port| ("FromPort".to_owned(), json!(port))));
    permission.extend(rule.to_port.map(|port| ("ToPort".to_owned(), json!(port))));
    permission.insert(list.to_owned(), json!([peer]));
    Value::Object(permission)
}

/// The variable for what an action makes.
fn variable(id: &str) -> String {
    format!("made_by_{}", identifier(id))
}

/// One call, as the words of a line.
struct Call(Vec<String>);

impl Call {
    fn new(account: &str, region: &str, service: &str, operation: &str) -> Expressed<Call> {
        if account.len() != 12 || !account.chars().all(|c| c.is_ascii_digit()) {
            return Err(format!("{account} is no account"));
        }
        let words = ["in_account", account, &word(region)?, service, operation];
        Ok(Call(words.map(str::to_owned).to_vec()))
    }

    fn with(self, flag: &str, value: &str) -> Expressed<Call> {
        Ok(self.words(flag, &[word(value)?]))
    }

    fn list(self, flag: &str, values: &[String]) -> Expressed<Call> {
        let words: Expressed<Vec<String>> = values.iter().map(|value| word(value)).collect();
        Ok(self.words(flag, &words?))
    }

    /// A document starts with a bracket, which the CLI takes for nothing else.
    fn json(self, flag: &str, value: &Value) -> Call {
        self.words(flag, &[quoted(&value.to_string())])
    }

    fn document(self, flag: &str, text: &str) -> Expressed<Call> {
        let document: Value = serde_json::from_str(text).map_err(|_| format!("{flag} would be no JSON"))?;
        Ok(self.json(flag, &document))
    }

    fn variable(self, flag: &str, name: &str) -> Call {
        self.words(flag, &[format!("\"${name}\"")])
    }

    fn flag(mut self, flag: &str) -> Call {
        self.0.push(flag.to_owned());
        self
    }

    fn words(mut self, flag: &str, words: &[String]) -> Call {
        if !words.is_empty() {
            self.0.push(format!("{flag} {}", words.join(" ")));
        }
        self
    }

    fn text(&self) -> String {
        let (call, flags) = self.0.split_at(self.0.len().min(5));
        flags.iter().fold(call.join(" "), |text, flag| format!("{text} \\\n    {flag}"))
    }

    #[allow(clippy::unnecessary_wraps, reason = "the end of chains that can fail")]
    fn line(&self) -> Expressed<String> {
        Ok(self.text() + "\n")
    }
}

/// A value as one word of the shell that the CLI takes for nothing but this value.
fn word(value: &str) -> Expressed<String> {
    let lower = value.to_ascii_lowercase();
    let fetches = ["file://", "fileb://", "http://", "https://"].iter().any(|start| lower.starts_with(start));
    if value.is_empty() || value.starts_with('-') && value != "-1" || fetches {
        return Err(format!("the AWS CLI takes {value:?} for something else than a value"));
    }
    Ok(quoted(value))
}

/// Text as one word of bash.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./:=@,+-".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) && !text.starts_with('=') {
        return text.to_owned();
    }
    if !with_risk(text).any(|(_, is_risky)| is_risky) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let mut out = String::from("$'");
    for (c, is_risky) in with_risk(text) {
        match c {
            '\'' | '\\' => out.extend(['\\', c]),
            c if is_risky => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    let _ = write!(out, "\\x{byte:02x}");
                }
            }
            c => out.push(c),
        }
    }
    out + "'"
}

#[test]
fn a_value_is_one_word_and_nothing_else() {
    assert_eq!(quoted("arn:aws:iam::1:role/x"), "arn:aws:iam::1:role/x");
    assert_eq!(quoted("a b; $(rm) `x` ~ *"), "'a b; $(rm) `x` ~ *'");
    assert_eq!(quoted("it's"), r"'it'\''s'");
    assert_eq!(quoted("a\u{1b}'\\\u{202e}"), r"$'a\x1b\'\\\xe2\x80\xae'");
    assert_eq!(quoted(""), "''");
    for taken in ["file:///etc/passwd", "FILE://x", "http://169.254.169.254/", "--role-name", "-x", ""] {
        assert!(word(taken).is_err(), "{taken}");
    }
    assert_eq!(word("-1").as_deref(), Ok("-1"));
}
