//! What an action does, read from its fields as the plan keeps them.
//!
//! The fields are read and not the change, so that a plan under pseudonyms can be exported too.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::actions::Kind;
use crate::plan::Action;

/// One change, with what every language needs for it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    AttachRolePolicy { role: String, policy_arn: String },
    PutRolePolicy { role: String, name: String, document: Value },
    UpdateTrustPolicy { role: String, document: Value },
    SetRepositoryPolicy { repository: Repository, document: Value, exists: bool },
    CreateSecurityGroup { vpc: String, name: String, cluster: String, ingress: Vec<Rule>, egress: Vec<Rule> },
    CreateEndpoint { vpc: String, service: String, is_interface: bool, state: Endpoint },
    ModifyEndpoint { id: String, is_interface: bool, before: Endpoint, after: Endpoint },
    SecurityGroupRule { group: String, is_egress: bool, rule: Rule, description: Option<String> },
    NetworkAclEntry { acl: String, number: i64, is_egress: bool, entry: Entry, exists: bool },
    Route { table: String, destination: String, target: String, exists: bool },
    VpcAttribute { vpc: String, attribute: String, is_on: bool },
    AssociateInstanceProfile { instance: String, profile: String },
}

/// A repository, by the parts of its ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Repository {
    pub(super) account: String,
    pub(super) region: String,
    pub(super) name: String,
}

/// A rule of a security group.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Rule {
    pub(super) protocol: String,
    pub(super) from_port: Option<i64>,
    pub(super) to_port: Option<i64>,
    /// A group, a block of addresses, or a prefix list.
    pub(super) peer: String,
}

/// An endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Endpoint {
    pub(super) private_dns_enabled: bool,
    pub(super) subnet_ids: Vec<String>,
    /// By id, or by name where the plan makes the group.
    pub(super) security_groups: Vec<String>,
    pub(super) route_table_ids: Vec<String>,
    pub(super) policy: Option<String>,
}

/// One of the lists of an endpoint.
pub(super) type List = fn(&Endpoint) -> &Vec<String>;

/// An entry of a network ACL.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Entry {
    pub(super) action: String,
    pub(super) protocol: String,
    pub(super) block: String,
    pub(super) ports: Option<[i64; 2]>,
    pub(super) icmp: Option<[i64; 2]>,
}

/// What a rule or a route leads to, by the form of its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Group,
    PrefixList,
    BlockV4,
    BlockV6,
}

impl Step {
    /// What an action does; `None` where this version knows no such change.
    pub(super) fn of(action: &Action) -> Option<Step> {
        let exists = !action.before.is_null();
        match action.kind {
            Kind::AttachRolePolicy => attach(action),
            Kind::PutRolePolicy => put_role_policy(action),
            Kind::UpdateTrustPolicy => Some(Step::UpdateTrustPolicy {
                role: text(&action.at, "role_name")?,
                document: document(action)?,
            }),
            Kind::SetRepositoryPolicy => Some(Step::SetRepositoryPolicy {
                repository: repository(&text(&action.at, "repository_arn")?)?,
                document: document(action)?,
                exists,
            }),
            Kind::CreateSecurityGroup => create_group(action),
            Kind::CreateVpcEndpoint | Kind::ModifyVpcEndpoint => endpoint(action),
            Kind::AuthorizeSecurityGroupIngress | Kind::AuthorizeSecurityGroupEgress => group_rule(action),
            Kind::CreateNetworkAclEntry | Kind::ReplaceNetworkAclEntry => acl_entry(action, exists),
            Kind::CreateRoute | Kind::ReplaceRoute => route(action, exists),
            Kind::ModifyVpcAttribute => Some(Step::VpcAttribute {
                vpc: text(&action.at, "vpc_id")?,
                attribute: text(&action.at, "attribute")?,
                is_on: action.after.get("value")?.as_bool()?,
            }),
            Kind::AssociateInstanceProfile => Some(Step::AssociateInstanceProfile {
                instance: id_of(&text(&action.at, "instance_arn")?),
                profile: text(&action.after, "profile_name")?,
            }),
            _ => None,
        }
    }
}

impl Endpoint {
    /// What one has of a list that the other lacks.
    pub(super) fn more<'e>(&'e self, than: &'e Endpoint, list: List) -> impl Iterator<Item = &'e str> {
        list(self).iter().filter(move |id| !list(than).contains(id)).map(String::as_str)
    }
}

impl End {
    /// By the form of a peer or a destination.
    pub(super) fn of(peer: &str) -> End {
        if peer.starts_with("sg-") {
            End::Group
        } else if peer.starts_with("pl-") {
            End::PrefixList
        } else if peer.contains(':') {
            End::BlockV6
        } else {
            End::BlockV4
        }
    }
}

/// The first part of an id of AWS: `nat` of `nat-0123`.
pub(super) fn prefix(id: &str) -> &str {
    id.split('-').next().unwrap_or_default()
}

fn attach(action: &Action) -> Option<Step> {
    Some(Step::AttachRolePolicy {
        role: text(&action.at, "role_name")?,
        policy_arn: text(&action.at, "policy_arn")?,
    })
}

fn put_role_policy(action: &Action) -> Option<Step> {
    Some(Step::PutRolePolicy {
        role: text(&action.at, "role_name")?,
        name: text(&action.at, "policy_name")?,
        document: document(action)?,
    })
}

fn create_group(action: &Action) -> Option<Step> {
    Some(Step::CreateSecurityGroup {
        vpc: text(&action.at, "vpc_id")?,
        name: text(&action.at, "group_name")?,
        cluster: text(&action.at, "cluster")?,
        ingress: read(action.after.get("ingress")?)?,
        egress: read(action.after.get("egress")?)?,
    })
}

fn endpoint(action: &Action) -> Option<Step> {
    let is_interface = text(&action.at, "endpoint_type")?.eq_ignore_ascii_case("interface");
    let after: Endpoint = read(&action.after)?;
    if action.before.is_null() {
        let (vpc, service) = (text(&action.at, "vpc_id")?, text(&action.at, "service_name")?);
        return Some(Step::CreateEndpoint { vpc, service, is_interface, state: after });
    }
    let id = text(&action.at, "endpoint_id")?;
    Some(Step::ModifyEndpoint { id, is_interface, before: read(&action.before)?, after })
}

fn group_rule(action: &Action) -> Option<Step> {
    let peer = action.at.get("peer")?.as_object()?.values().next()?.as_str()?.to_owned();
    Some(Step::SecurityGroupRule {
        group: text(&action.at, "group_id")?,
        is_egress: action.kind == Kind::AuthorizeSecurityGroupEgress,
        rule: Rule {
            protocol: text(&action.at, "protocol")?,
            from_port: action.at.get("from_port")?.as_i64(),
            to_port: action.at.get("to_port")?.as_i64(),
            peer,
        },
        description: text(&action.after, "description"),
    })
}

fn acl_entry(action: &Action, exists: bool) -> Option<Step> {
    Some(Step::NetworkAclEntry {
        acl: text(&action.at, "acl_id")?,
        number: action.at.get("rule_number")?.as_i64()?,
        is_egress: action.at.get("egress")?.as_bool()?,
        entry: read(&action.after)?,
        exists,
    })
}

fn route(action: &Action, exists: bool) -> Option<Step> {
    Some(Step::Route {
        table: text(&action.at, "table_id")?,
        destination: text(&action.at, "destination")?,
        target: text(&action.after, "target")?,
        exists,
    })
}

fn text(fields: &Value, name: &str) -> Option<String> {
    fields.get(name)?.as_str().map(str::to_owned)
}

fn read<T: DeserializeOwned>(fields: &Value) -> Option<T> {
    serde_json::from_value(fields.clone()).ok()
}

/// The policy that the action writes: an object, or the change cannot be expressed.
fn document(action: &Action) -> Option<Value> {
    let text = text(&action.after, "document")?;
    serde_json::from_str(&text).ok().filter(Value::is_object)
}

fn id_of(arn: &str) -> String {
    arn.rsplit('/').next().unwrap_or_default().to_owned()
}

fn repository(arn: &str) -> Option<Repository> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let &[_, _, _, region, account, resource] = parts.as_slice() else { return None };
    let name = resource.strip_prefix("repository/")?.to_owned();
    Some(Repository { account: account.to_owned(), region: region.to_owned(), name })
}
