//! A VPC endpoint of one of the three services that a pull needs.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cluster_vpc::{ClusterVpc, id_on_paper, is_id};
use super::security_group::{own_name, provided};
use super::vpc_attribute::Attribute;
use super::{Found, Kind, RUN_TAG, Resource, Risk, Sent};
use crate::aws::{EndpointChanges, NewEndpoint, Reader, Refused, Writer};
use crate::collect;
use crate::error::Error;
use crate::model::ec2::{GroupId, Route, VpcEndpoint as Row};
use crate::model::{PolicyText, Seen, Snapshot};
use crate::plan::prices;
use crate::pulls::Target;

/// How an endpoint is set up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VpcEndpoint {
    /// Interface endpoints: whether the names of the service lead to it, for the whole VPC.
    pub private_dns_enabled: bool,
    /// Interface endpoints: at most one for each zone.
    pub subnet_ids: BTreeSet<String>,
    /// Interface endpoints: by id, or by name where it is the group that ecr-fix makes.
    pub security_groups: BTreeSet<String>,
    /// Gateway endpoints: the tables that lead to it.
    pub route_table_ids: BTreeSet<String>,
    /// What it lets pass; none: AWS's default, which leaves every decision to IAM.
    pub policy: Option<String>,
}

/// Which endpoint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address {
    /// Where it is.
    #[serde(flatten)]
    pub vpc: ClusterVpc,
    /// `com.amazonaws.eu-west-1.ecr.dkr`.
    pub service_name: String,
    /// Which kind.
    pub endpoint_type: EndpointType,
    /// `vpce-…`: of one that exists, or once AWS has assigned it.
    pub endpoint_id: Option<String>,
}

/// The kinds of endpoints that lead to services of AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EndpointType {
    /// Network interfaces in subnets.
    Interface,
    /// Routes in route tables.
    Gateway,
}

/// What AWS gives an endpoint without a policy of its own.
const FULL_ACCESS: &str = r#"{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#;

/// The services that a pull needs, as the names of their endpoints end.
pub const SERVICES: [&str; 3] = ["ecr.api", "ecr.dkr", "s3"];

/// How the names of AWS's own endpoint services begin.
const PREFIXES: [&str; 2] = ["com.amazonaws", "cn.com.amazonaws"];

impl EndpointType {
    /// The name in AWS's answers.
    pub fn as_str(self) -> &'static str {
        match self {
            EndpointType::Interface => "Interface",
            EndpointType::Gateway => "Gateway",
        }
    }
}

/// What an S3 endpoint of our own lets pass: the layers of ECR's images in its region, and nothing else of S3.
///
/// Source: the ECR user guide, "Minimum Amazon S3 bucket permissions for Amazon ECR". ECR signs the URLs of layers, so
/// the caller that S3 sees is not the node.
pub fn layers_only(partition: &str, region: &str) -> String {
    serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "EcrFixImageLayers",
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": format!("arn:{partition}:s3:::prod-{region}-starport-layer-bucket/*"),
        }],
    })
    .to_string()
}

/// What the S3 endpoint of a VPC is called by the changes that come after it.
fn s3_of(vpc: &str) -> String {
    format!("S3 gateway endpoint of {vpc}")
}

impl Address {
    /// `ecr.api`, `ecr.dkr` or `s3`, of this region and of AWS itself.
    fn service(&self) -> Option<&'static str> {
        SERVICES.into_iter().find(|service| {
            let before = self.service_name.strip_suffix(&format!(".{}.{service}", self.vpc.region));
            before.is_some_and(|prefix| PREFIXES.contains(&prefix))
        })
    }

    /// The endpoints at the natural key: VPC, service and type. One that AWS is deleting is there no more.
    fn rows<'w>(&self, world: &'w Snapshot) -> impl Iterator<Item = &'w Row> {
        let Address { vpc, service_name, endpoint_type, .. } = self.clone();
        world.ec2.vpc_endpoints.values().filter(move |row| {
            row.vpc_id == vpc.vpc_id
                && row.service_name == service_name
                && row.vpc_endpoint_type.eq_ignore_ascii_case(endpoint_type.as_str())
                && !is_going(row)
        })
    }

    /// The endpoint itself.
    fn row<'w>(&self, world: &'w Snapshot) -> Option<&'w Row> {
        self.rows(world).find(|row| self.endpoint_id.as_ref().is_none_or(|id| *id == row.vpc_endpoint_id))
    }

    fn short(&self) -> &str {
        match self.service() {
            Some("s3") => "S3",
            service => service.unwrap_or(&self.service_name),
        }
    }
}

fn is_going(row: &Row) -> bool {
    ["deleting", "deleted"].iter().any(|state| row.state.eq_ignore_ascii_case(state))
}

/// The groups of an endpoint: by name where it is the group that ecr-fix makes, by id otherwise.
pub fn group_names(world: &Snapshot, cluster: &str, row: &Row) -> BTreeSet<String> {
    row.groups.iter().map(|group| group_name(world, cluster, group)).collect()
}

fn group_name(world: &Snapshot, cluster: &str, group: &GroupId) -> String {
    let described = world.ec2.security_groups.get(&group.group_id).map(|row| &row.group_name);
    let own = own_name(cluster);
    let is_ours = group.group_name.as_ref().or(described) == Some(&own);
    if is_ours { own } else { group.group_id.clone() }
}

/// The group as a row of an endpoint; `None` where there is no such group.
fn group_in(world: &Snapshot, at: &Address, name: &str) -> Option<GroupId> {
    if name != own_name(&at.vpc.cluster) {
        return Some(GroupId { group_id: name.to_owned(), group_name: None });
    }
    let mut rows = world.ec2.security_groups.values();
    let row =
        rows.find(|row| row.group_name == name && row.vpc_id.as_deref() == Some(at.vpc.vpc_id.as_str()))?;
    Some(GroupId { group_id: row.group_id.clone(), group_name: Some(row.group_name.clone()) })
}

fn state_of(world: &Snapshot, at: &Address, row: &Row) -> VpcEndpoint {
    let policy = row.policy_document.as_ref().filter(|policy| !gives_full_access(policy));
    VpcEndpoint {
        private_dns_enabled: row.private_dns_enabled,
        subnet_ids: row.subnet_ids.iter().cloned().collect(),
        security_groups: group_names(world, &at.vpc.cluster, row),
        route_table_ids: row.route_table_ids.iter().cloned().collect(),
        policy: policy.map(|policy| policy.as_str().to_owned()),
    }
}

fn gives_full_access(policy: &PolicyText) -> bool {
    let statements =
        |policy: &PolicyText| policy.canonical().and_then(|document| document.get("Statement").cloned());
    statements(policy).is_some_and(|found| Some(found) == statements(&PolicyText::new(FULL_ACCESS)))
}

/// Why AWS would refuse the endpoint in this world.
fn refusal(world: &Snapshot, at: &Address, state: &VpcEndpoint, itself: Option<&str>) -> Option<String> {
    let (ec2, vpc) = (&world.ec2, &at.vpc.vpc_id);
    if let Some(name) = state.security_groups.iter().find(|name| group_in(world, at, name).is_none()) {
        return Some(format!("there is no security group {name}"));
    }
    let others = || at.rows(world).filter(|row| itself != Some(row.vpc_endpoint_id.as_str()));
    if state.private_dns_enabled {
        let off = ec2.dns_support.get(vpc).is_some_and(|row| !row.enable_dns_support.value)
            || ec2.dns_hostnames.get(vpc).is_some_and(|row| !row.enable_dns_hostnames.value);
        if off {
            return Some(format!("private DNS needs both DNS attributes of {vpc}"));
        }
        if let Some(other) = others().find(|row| row.private_dns_enabled) {
            return Some(format!("{} has the private names already", other.vpc_endpoint_id));
        }
    }
    let taken = others().find(|row| row.route_table_ids.iter().any(|id| state.route_table_ids.contains(id)));
    taken.map(|row| format!("a route table leads to {} already", row.vpc_endpoint_id))
}

fn insert(world: &mut Snapshot, at: &Address, state: &VpcEndpoint) {
    let vpc = &at.vpc.vpc_id;
    let id = at
        .endpoint_id
        .clone()
        .unwrap_or_else(|| id_on_paper("vpce-", &[vpc, &at.service_name, at.endpoint_type.as_str()]));
    let policy = state.policy.as_deref().unwrap_or(FULL_ACCESS);
    let row = Row {
        vpc_endpoint_id: id.clone(),
        vpc_endpoint_type: at.endpoint_type.as_str().to_owned(),
        vpc_id: vpc.clone(),
        service_name: at.service_name.clone(),
        state: "available".to_owned(),
        policy_document: Some(PolicyText::new(policy)),
        subnet_ids: state.subnet_ids.iter().cloned().collect(),
        groups: state.security_groups.iter().filter_map(|name| group_in(world, at, name)).collect(),
        private_dns_enabled: state.private_dns_enabled,
        owner_id: Some(at.vpc.account.clone()),
        // AWS chooses the addresses of its interfaces: until then they are somewhere in their subnets.
        ..Row::default()
    };
    world.ec2.vpc_endpoints.insert(id.clone(), row);
    set_tables(world, &id, &state.route_table_ids);
}

fn change(world: &mut Snapshot, at: &Address, id: &str, state: &VpcEndpoint) {
    let groups: Vec<(String, Option<GroupId>)> =
        state.security_groups.iter().map(|name| (name.clone(), group_in(world, at, name))).collect();
    let known: Vec<String> = match world.ec2.vpc_endpoints.get(id) {
        Some(row) => row.groups.iter().map(|group| group_name(world, &at.vpc.cluster, group)).collect(),
        None => return,
    };
    let Some(row) = world.ec2.vpc_endpoints.get_mut(id) else { return };
    row.private_dns_enabled = state.private_dns_enabled;
    keep(&mut row.subnet_ids, &state.subnet_ids);
    let mut names = known.iter();
    row.groups.retain(|_| names.next().is_some_and(|name| state.security_groups.contains(name)));
    let new = groups.into_iter().filter(|(name, _)| !known.contains(name));
    row.groups.extend(new.filter_map(|(_, group)| group));
    set_tables(world, id, &state.route_table_ids);
}

/// Leaves the order of what stays.
fn keep(list: &mut Vec<String>, wanted: &BTreeSet<String>) {
    list.retain(|id| wanted.contains(id));
    let new: Vec<String> = wanted.iter().filter(|id| !list.contains(id)).cloned().collect();
    list.extend(new);
}

/// Associates an endpoint with these route tables and no others: AWS adds and removes their routes.
fn set_tables(world: &mut Snapshot, id: &str, wanted: &BTreeSet<String>) {
    let ec2 = &mut world.ec2;
    let Some(row) = ec2.vpc_endpoints.get_mut(id) else { return };
    let had: Vec<String> = row.route_table_ids.clone();
    keep(&mut row.route_table_ids, wanted);
    let service = row.service_name.clone();
    let list = ec2.prefix_lists.values().find(|list| list.prefix_list_name == service);
    let list = list.map(|list| list.prefix_list_id.clone());
    let leads_here = |route: &Route| route.gateway_id.as_deref() == Some(id);
    for table in ec2.route_tables.values_mut() {
        let (before, after) = (had.contains(&table.route_table_id), wanted.contains(&table.route_table_id));
        if before && !after {
            table.routes.retain(|route| !leads_here(route));
        } else if after && !before && !table.routes.iter().any(leads_here) && list.is_some() {
            table.routes.push(Route {
                destination_prefix_list_id: list.clone(),
                gateway_id: Some(id.to_owned()),
                origin: Some("CreateRoute".to_owned()),
                state: Some("active".to_owned()),
                ..Route::default()
            });
        }
    }
}

fn remove(world: &mut Snapshot, id: &str) {
    set_tables(world, id, &BTreeSet::new());
    if let Some(row) = world.ec2.vpc_endpoints.remove(id) {
        row.network_interface_ids.iter().for_each(|interface| {
            Arc::make_mut(&mut world.ec2.network_interfaces).remove(interface);
        });
    }
}

fn added(before: &BTreeSet<String>, after: &BTreeSet<String>) -> Vec<String> {
    after.difference(before).cloned().collect()
}

impl Resource for VpcEndpoint {
    type Address = Address;

    const KINDS: &'static [Kind] =
        &[Kind::CreateVpcEndpoint, Kind::ModifyVpcEndpoint, Kind::DeleteVpcEndpoint];

    const READS: &'static [&'static str] = &["eks:DescribeCluster", "ec2:DescribeVpcEndpoints"];

    fn kind(before: Option<&Self>, after: Option<&Self>) -> Kind {
        match (before, after) {
            (None, _) => Kind::CreateVpcEndpoint,
            (Some(_), Some(_)) => Kind::ModifyVpcEndpoint,
            (Some(_), None) => Kind::DeleteVpcEndpoint,
        }
    }

    fn arn(at: &Address) -> String {
        match &at.endpoint_id {
            Some(id) => at.vpc.arn(&format!("vpc-endpoint/{id}")),
            None => at.vpc.vpc_arn(),
        }
    }

    fn summary(at: &Address, before: Option<&Self>, after: Option<&Self>) -> String {
        let kind = at.endpoint_type.as_str().to_lowercase();
        match (before, after) {
            (None, _) => format!("make the {kind} endpoint for {} in {}", at.short(), at.vpc.vpc_id),
            (Some(_), None) => format!("delete the {kind} endpoint for {} in {}", at.short(), at.vpc.vpc_id),
            (Some(before), Some(after)) => {
                let endpoint = format!(
                    "endpoint {} ({})",
                    at.endpoint_id.as_deref().unwrap_or("of this VPC"),
                    at.short()
                );
                let mut parts = Vec::new();
                match (before.private_dns_enabled, after.private_dns_enabled) {
                    (false, true) => parts.push("switch private DNS on".to_owned()),
                    (true, false) => parts.push("switch private DNS off".to_owned()),
                    _ => {}
                }
                for (what, old, new) in before.lists(after) {
                    let (gained, lost) = (added(old, new), added(new, old));
                    if !gained.is_empty() {
                        parts.push(format!("add {what} {}", gained.join(", ")));
                    }
                    if !lost.is_empty() {
                        parts.push(format!("remove {what} {}", lost.join(", ")));
                    }
                }
                format!("{endpoint}: {}", parts.join("; "))
            }
        }
    }

    fn get(world: &Snapshot, at: &Address) -> Found<Self> {
        if let Seen::Unread(because) = world.missing::<()>("VpcEndpoints", "ec2:DescribeVpcEndpoints", "") {
            return Found::Unread(because);
        }
        let (own, any) = (at.row(world), at.rows(world).next());
        match (own, &at.endpoint_id, any, at.vpc.lost_in(world)) {
            // Whatever became of the cluster, an endpoint that has an id and is not there is not there.
            (None, Some(_), None, _) => Found::State(None),
            (_, _, _, Some(lost)) => lost,
            (Some(row), ..) => Found::State(Some(state_of(world, at, row))),
            (None, Some(id), Some(other), _) => {
                Found::Gone(format!("{id} is gone, and {} is in its place", other.vpc_endpoint_id))
            }
            (None, None, ..) => Found::State(None),
        }
    }

    /// What AWS would refuse changes nothing.
    fn set(world: &mut Snapshot, at: &Address, state: Option<Self>) {
        let id = at.row(world).map(|row| row.vpc_endpoint_id.clone());
        match (id, state) {
            (None, Some(state)) if refusal(world, at, &state, None).is_none() => insert(world, at, &state),
            // A second endpoint for the same names: AWS refuses it.
            (Some(_), Some(_)) if at.endpoint_id.is_none() => {}
            (Some(id), Some(state)) if refusal(world, at, &state, Some(&id)).is_none() => {
                change(world, at, &id, &state);
            }
            (Some(id), None) => remove(world, &id),
            _ => {}
        }
    }

    fn unsettled(world: &Snapshot, at: &Address) -> Option<String> {
        if let Some(row) = at.row(world) {
            let available = row.state.is_empty() || row.state.eq_ignore_ascii_case("available");
            return (!available).then(|| format!("{} is {}", row.vpc_endpoint_id, row.state));
        }
        let id = at.endpoint_id.as_ref()?;
        let row = world.ec2.vpc_endpoints.get(id).filter(|row| row.state.eq_ignore_ascii_case("deleting"))?;
        Some(format!("{id} is {}", row.state))
    }

    /// Interface endpoints take some minutes.
    fn settles_within() -> std::time::Duration {
        std::time::Duration::from_mins(10)
    }

    async fn look(aws: &Reader, at: &Address) -> Result<Snapshot, Error> {
        Ok(collect::vpc_endpoints_again(aws, &at.vpc.cluster, &at.vpc.vpc_id).await)
    }

    async fn send(
        aws: &Writer,
        at: &Address,
        before: Option<&Self>,
        after: Option<&Self>,
    ) -> Result<Sent, Refused> {
        let vpc = &at.vpc.vpc_id;
        let own = own_name(&at.vpc.cluster);
        match (before, after) {
            (None, Some(after)) => {
                let new = NewEndpoint {
                    vpc,
                    service: &at.service_name,
                    name: format!("ecr-fix {} of {}", at.short(), at.vpc.cluster),
                    groups: aws.group_ids(vpc, &own, &after.security_groups).await?,
                    state: after,
                };
                aws.create_vpc_endpoint(&new).await
            }
            (Some(before), Some(after)) => {
                let Some(id) = &at.endpoint_id else {
                    return Err(Refused::never_sent("ec2:ModifyVpcEndpoint", "it names no endpoint"));
                };
                let groups =
                    async |names: Vec<String>| aws.group_ids(vpc, &own, &names.into_iter().collect()).await;
                let changes = EndpointChanges {
                    add_subnets: added(&before.subnet_ids, &after.subnet_ids),
                    remove_subnets: added(&after.subnet_ids, &before.subnet_ids),
                    add_tables: added(&before.route_table_ids, &after.route_table_ids),
                    remove_tables: added(&after.route_table_ids, &before.route_table_ids),
                    add_groups: groups(added(&before.security_groups, &after.security_groups)).await?,
                    remove_groups: groups(added(&after.security_groups, &before.security_groups)).await?,
                    private_dns: (before.private_dns_enabled != after.private_dns_enabled)
                        .then_some(after.private_dns_enabled),
                };
                aws.modify_vpc_endpoint(id, &changes).await
            }
            (_, None) => aws.delete_vpc_endpoint(vpc, &at.service_name, at.endpoint_id.as_deref()).await,
        }
    }

    fn permissions(at: &Address, before: Option<&Self>, after: Option<&Self>) -> Vec<(&'static str, String)> {
        let call = Self::kind(before, after).api_call();
        let nothing = VpcEndpoint::default();
        let (old, new) = (before.unwrap_or(&nothing), after.unwrap_or(&nothing));
        let mut needed = vec![
            ("eks:DescribeCluster", at.vpc.cluster_arn()),
            ("ec2:DescribeVpcEndpoints", "*".to_owned()),
            (call, at.vpc.arn(&format!("vpc-endpoint/{}", at.endpoint_id.as_deref().unwrap_or("*")))),
        ];
        if after.is_none() {
            return needed;
        }
        let own = own_name(&at.vpc.cluster);
        let changed = |old: &BTreeSet<String>, new: &BTreeSet<String>| -> Vec<String> {
            old.symmetric_difference(new).cloned().collect()
        };
        for subnet in changed(&old.subnet_ids, &new.subnet_ids) {
            needed.push((call, at.vpc.arn(&format!("subnet/{subnet}"))));
        }
        for table in changed(&old.route_table_ids, &new.route_table_ids) {
            needed.push((call, at.vpc.arn(&format!("route-table/{table}"))));
        }
        for group in changed(&old.security_groups, &new.security_groups) {
            let is_ours = group == own;
            let id = if is_ours { "*" } else { group.as_str() };
            needed.push((call, at.vpc.arn(&format!("security-group/{id}"))));
            if is_ours {
                // Its id is looked up by its name.
                needed.push(("ec2:DescribeSecurityGroups", "*".to_owned()));
            }
        }
        if before.is_none() {
            needed.push((call, at.vpc.vpc_arn()));
            needed.push(("ec2:CreateTags", at.vpc.arn("vpc-endpoint/*")));
        }
        if new.private_dns_enabled && !old.private_dns_enabled {
            needed.push(("route53:AssociateVPCWithHostedZone", "*".to_owned()));
        }
        needed
    }

    fn provides(at: &Address, after: Option<&Self>) -> Option<String> {
        let leads_to_s3 = at.endpoint_type == EndpointType::Gateway && after.is_some();
        leads_to_s3.then(|| s3_of(&at.vpc.vpc_id))
    }

    /// Private DNS comes last, because it moves the traffic of the whole VPC: until then every other part is in place.
    fn requires(at: &Address, after: Option<&Self>) -> Vec<String> {
        let Some(after) = after else { return Vec::new() };
        let (vpc, own) = (&at.vpc.vpc_id, own_name(&at.vpc.cluster));
        let mut requires = Vec::new();
        if after.security_groups.contains(&own) {
            requires.push(provided(vpc, &own));
        }
        if after.private_dns_enabled {
            requires.extend([Attribute::DnsSupport.of(vpc), Attribute::DnsHostnames.of(vpc), s3_of(vpc)]);
        }
        requires
    }

    fn assign(at: &mut Address, id: &str) {
        at.endpoint_id = Some(id.to_owned());
    }

    fn id_in_run(world: &Snapshot, at: &Address, run: &str) -> Option<String> {
        let of_run = |row: &&Row| row.tags.iter().any(|tag| tag.key == RUN_TAG && tag.value == run);
        at.rows(world).find(of_run).map(|row| row.vpc_endpoint_id.clone())
    }

    fn monthly_cost_usd(at: &Address, before: Option<&Self>, after: Option<&Self>) -> f64 {
        if at.endpoint_type == EndpointType::Gateway {
            return 0.0;
        }
        let zones = |state: Option<&Self>| state.map_or(0, |state| state.subnet_ids.len());
        prices::interface_endpoint(&at.vpc.region).monthly(zones(after))
            - prices::interface_endpoint(&at.vpc.region).monthly(zones(before))
    }

    fn same(one: &Self, other: &Self) -> bool {
        let policy =
            |state: &Self| state.policy.as_ref().map(|text| PolicyText::new(text.as_str()).canonical());
        let without = |state: &Self| VpcEndpoint { policy: None, ..state.clone() };
        without(one) == without(other) && policy(one) == policy(other)
    }

    /// Several blockers may each ask for their own subnet, group or route table.
    fn together(_before: Option<&Self>, one: Option<&Self>, other: Option<&Self>) -> Option<Option<Self>> {
        let (one, other) = (one?, other?);
        let both = |one: &BTreeSet<String>, other: &BTreeSet<String>| one.union(other).cloned().collect();
        (one.policy == other.policy).then(|| {
            Some(VpcEndpoint {
                private_dns_enabled: one.private_dns_enabled || other.private_dns_enabled,
                subnet_ids: both(&one.subnet_ids, &other.subnet_ids),
                security_groups: both(&one.security_groups, &other.security_groups),
                route_table_ids: both(&one.route_table_ids, &other.route_table_ids),
                policy: one.policy.clone(),
            })
        })
    }

    /// Private DNS moves the traffic of the whole VPC, so switching it on does more than to add.
    fn is_additive(before: Option<&Self>, after: Option<&Self>) -> bool {
        match (before, after) {
            (None, after) => after.is_some(),
            (Some(_), None) => false,
            (Some(old), Some(new)) => {
                old.private_dns_enabled == new.private_dns_enabled
                    && old.policy == new.policy
                    && old.subnet_ids.is_subset(&new.subnet_ids)
                    && old.security_groups.is_subset(&new.security_groups)
                    && old.route_table_ids.is_subset(&new.route_table_ids)
            }
        }
    }

    fn lines(at: &Address, state: Option<&Self>) -> Vec<String> {
        let Some(state) = state else { return Vec::new() };
        let mut lines = vec![format!("{} endpoint {}", at.endpoint_type.as_str(), at.service_name)];
        let nothing = VpcEndpoint::default();
        for (what, _, ids) in nothing.lists(state) {
            lines.extend(ids.iter().map(|id| format!("  {what} {id}")));
        }
        if at.endpoint_type == EndpointType::Interface {
            lines.push(format!("  private DNS {}", if state.private_dns_enabled { "on" } else { "off" }));
        }
        match &state.policy {
            None => lines.push("  policy AWS's default: IAM alone decides".to_owned()),
            Some(policy) => {
                lines.push("  policy".to_owned());
                let parsed: Option<serde_json::Value> = serde_json::from_str(policy).ok();
                let pretty = parsed.and_then(|parsed| serde_json::to_string_pretty(&parsed).ok());
                let text = pretty.as_deref().unwrap_or(policy);
                lines.extend(text.lines().map(|line| format!("    {line}")));
            }
        }
        lines
    }

    fn allowed(at: &Address, before: Option<&Self>, after: Option<&Self>) -> Result<(), String> {
        at.vpc.check()?;
        let Some(service) = at.service() else {
            return Err(format!("{} is not a service that pulls need in {}", at.service_name, at.vpc.region));
        };
        let kind = if service == "s3" { EndpointType::Gateway } else { EndpointType::Interface };
        if at.endpoint_type != kind {
            return Err(format!("ecr-fix makes no {} endpoint for {service}", at.endpoint_type.as_str()));
        }
        if at.endpoint_id.as_ref().is_some_and(|id| !is_id(id, "vpce-")) {
            return Err("that is not the id of an endpoint".to_owned());
        }
        match (before, after) {
            (None, Some(whole)) | (Some(whole), None) => whole.may_be_made(at),
            (Some(before), Some(after)) => before.may_become(at, after),
            (None, None) => Err("it changes nothing".to_owned()),
        }
    }

    fn within(at: &Address, target: &Target) -> Result<(), String> {
        at.vpc.within(target)
    }

    fn planned_for(before: Option<&Self>, after: Option<&Self>, _target: &Target) -> Result<(), String> {
        let nothing = VpcEndpoint::default();
        let Some(after) = after else {
            return Err("a plan makes endpoints; only a rollback deletes them".to_owned());
        };
        if before.unwrap_or(&nothing).is_part_of(after) {
            Ok(())
        } else {
            Err("a plan only adds to endpoints".to_owned())
        }
    }

    fn risk(at: &Address, before: Option<&Self>, after: Option<&Self>) -> (Risk, String) {
        let (vpc, service) = (&at.vpc.vpc_id, at.short());
        let off = VpcEndpoint::default();
        let (old, new) = (before.unwrap_or(&off), after.unwrap_or(&off));
        if after.is_none() {
            return (Risk::Medium, format!("whatever in {vpc} uses the endpoint loses its way to {service}"));
        }
        if !old.is_part_of(new) {
            return (Risk::Medium, "the endpoint goes back to what it was".to_owned());
        }
        if new.private_dns_enabled && !old.private_dns_enabled {
            let price = match before {
                None => format!("; {}", prices::interface_endpoint(&at.vpc.region).in_words(&at.vpc.region)),
                Some(_) => String::new(),
            };
            let text = format!(
                "from then on all of {vpc} reaches {service} through this endpoint and no other way; it comes after \
                 all that it needs{price}"
            );
            return (Risk::Medium, text);
        }
        let text = match at.endpoint_type {
            EndpointType::Gateway => {
                "the route tables that lead to it have no other route to S3 that works today, so no connection is \
                 moved; whoever gives them one later has S3 behind the policy of the endpoint; it costs nothing"
            }
            EndpointType::Interface => "it only adds to the endpoint; what works today stays",
        };
        (Risk::Low, text.to_owned())
    }
}

impl VpcEndpoint {
    /// The lists of both states, by what is in them.
    fn lists<'s>(
        &'s self,
        other: &'s Self,
    ) -> [(&'static str, &'s BTreeSet<String>, &'s BTreeSet<String>); 3] {
        [
            ("subnet", &self.subnet_ids, &other.subnet_ids),
            ("security group", &self.security_groups, &other.security_groups),
            ("route table", &self.route_table_ids, &other.route_table_ids),
        ]
    }

    fn is_part_of(&self, whole: &Self) -> bool {
        self.private_dns_enabled <= whole.private_dns_enabled
            && self.lists(whole).iter().all(|(_, part, whole)| part.is_subset(whole))
    }

    fn ids_are_ids(&self, at: &Address) -> Result<(), String> {
        let own = own_name(&at.vpc.cluster);
        let wrong = |ids: &BTreeSet<String>, prefix: &str| {
            ids.iter().find(|id| !is_id(id, prefix) && (prefix != "sg-" || **id != own)).cloned()
        };
        let wrong = wrong(&self.subnet_ids, "subnet-")
            .or_else(|| wrong(&self.security_groups, "sg-"))
            .or_else(|| wrong(&self.route_table_ids, "rtb-"));
        wrong.map_or(Ok(()), |id| Err(format!("{id} is no id")))
    }

    /// Whether ecr-fix makes, and on the way back deletes, such an endpoint.
    fn may_be_made(&self, at: &Address) -> Result<(), String> {
        self.ids_are_ids(at)?;
        let VpcEndpoint { private_dns_enabled, subnet_ids, security_groups, route_table_ids, policy } = self;
        match at.endpoint_type {
            EndpointType::Interface if !private_dns_enabled => Err("its private DNS is off".to_owned()),
            EndpointType::Interface if subnet_ids.is_empty() || security_groups.is_empty() => {
                Err("an interface endpoint needs subnets and security groups".to_owned())
            }
            EndpointType::Interface if !route_table_ids.is_empty() || policy.is_some() => {
                Err("ecr-fix makes interface endpoints without route tables and policies".to_owned())
            }
            EndpointType::Gateway
                if *private_dns_enabled || !subnet_ids.is_empty() || !security_groups.is_empty() =>
            {
                Err("a gateway endpoint has neither names nor interfaces".to_owned())
            }
            EndpointType::Gateway if route_table_ids.is_empty() => {
                Err("no route table leads to it".to_owned())
            }
            EndpointType::Gateway if *policy != Some(layers_only(&at.vpc.partition, &at.vpc.region)) => {
                Err("its policy lets more pass than the layers of images".to_owned())
            }
            EndpointType::Interface | EndpointType::Gateway => Ok(()),
        }
    }

    /// Whether ecr-fix changes an endpoint so: only more, or on the way back only less, and never its policy.
    fn may_become(&self, at: &Address, after: &Self) -> Result<(), String> {
        after.ids_are_ids(at)?;
        let is_interface = at.endpoint_type == EndpointType::Interface;
        if at.endpoint_id.is_none() {
            Err("it names no endpoint".to_owned())
        } else if self.policy != after.policy {
            Err("it changes the policy of the endpoint".to_owned())
        } else if self == after {
            Err("it changes nothing".to_owned())
        } else if !self.is_part_of(after) && !after.is_part_of(self) {
            Err("it adds and takes away at once".to_owned())
        } else if is_interface && self.route_table_ids != after.route_table_ids
            || !is_interface && self.route_table_ids == after.route_table_ids
        {
            Err(format!("{} endpoints have other parts", at.endpoint_type.as_str()))
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::actions::change::{Standing, WayBack};
    use crate::actions::cluster_vpc::is_on_paper;
    use crate::actions::cluster_vpc::tests::{cluster_vpc, world};
    use crate::actions::{AnyChange, Change};

    const DKR: &str = "com.amazonaws.eu-west-1.ecr.dkr";
    const S3: &str = "com.amazonaws.eu-west-1.s3";

    fn address(service: &str, endpoint_type: EndpointType, id: Option<&str>) -> Address {
        let (service_name, endpoint_id) = (service.to_owned(), id.map(str::to_owned));
        Address { vpc: cluster_vpc(), service_name, endpoint_type, endpoint_id }
    }

    fn ids(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(ToString::to_string).collect()
    }

    fn interface() -> VpcEndpoint {
        VpcEndpoint {
            private_dns_enabled: true,
            subnet_ids: ids(&["subnet-a", "subnet-b"]),
            security_groups: ids(&["sg-1"]),
            ..VpcEndpoint::default()
        }
    }

    fn gateway() -> VpcEndpoint {
        let policy = Some(layers_only("aws", "eu-west-1"));
        VpcEndpoint { route_table_ids: ids(&["rtb-1", "rtb-2"]), policy, ..VpcEndpoint::default() }
    }

    fn making(service: &str, state: VpcEndpoint) -> AnyChange {
        let kind = if service == S3 { EndpointType::Gateway } else { EndpointType::Interface };
        Change { at: address(service, kind, None), before: None, after: Some(state) }.into()
    }

    /// A VPC with two route tables, two groups and the prefix list of S3.
    fn vpc(endpoints: &serde_json::Value) -> Snapshot {
        let table = |id| json!({"RouteTableId": id, "VpcId": "vpc-1", "Routes": [{"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"}]});
        world(&[
            json!({"VpcId": "vpc-1", "EnableDnsSupport": {"Value": true}}),
            json!({"VpcId": "vpc-1", "EnableDnsHostnames": {"Value": true}}),
            json!({
                "RouteTables": [table("rtb-1"), table("rtb-2")],
                "SecurityGroups": [{"GroupId": "sg-1", "GroupName": "endpoints", "VpcId": "vpc-1"}],
                "PrefixLists": [{"PrefixListId": "pl-1", "PrefixListName": S3, "Cidrs": ["52.92.16.0/20"]}],
                "VpcEndpoints": endpoints,
            }),
        ])
    }

    fn existing(private_dns: bool) -> serde_json::Value {
        json!([{"VpcEndpointId": "vpce-1", "VpcEndpointType": "Interface", "VpcId": "vpc-1", "ServiceName": DKR,
            "State": "available", "SubnetIds": ["subnet-a"], "PrivateDnsEnabled": private_dns,
            "Groups": [{"GroupId": "sg-1", "GroupName": "endpoints"}], "PolicyDocument": FULL_ACCESS}])
    }

    fn modifying(edit: impl FnOnce(&mut VpcEndpoint)) -> AnyChange {
        let before = VpcEndpoint {
            private_dns_enabled: false,
            subnet_ids: ids(&["subnet-a"]),
            security_groups: ids(&["sg-1"]),
            ..VpcEndpoint::default()
        };
        let mut after = before.clone();
        edit(&mut after);
        let at = address(DKR, EndpointType::Interface, Some("vpce-1"));
        Change { at, before: Some(before), after: Some(after) }.into()
    }

    fn target() -> Target {
        Target {
            account: "111122223333".to_owned(),
            region: "eu-west-1".to_owned(),
            partition: "aws".to_owned(),
            cluster: "demo".to_owned(),
        }
    }

    /// On paper the change does what it says, and its inverse leads back to the very world.
    fn there_and_back(change: &AnyChange, before: &Snapshot) -> Snapshot {
        assert_eq!(change.standing(before), Standing::Before);
        let mut after = before.clone();
        change.simulate(&mut after);
        assert_eq!(change.standing(&after), Standing::After);
        let mut back = after.clone();
        change.inverse().simulate(&mut back);
        assert_eq!(back, *before);
        after
    }

    #[test]
    fn an_interface_endpoint_on_paper_has_its_names_at_once() {
        let after = there_and_back(&making(DKR, interface()), &vpc(&json!([])));
        let row = after.ec2.vpc_endpoints.values().next().unwrap();
        assert!(is_on_paper(&row.vpc_endpoint_id));
        assert!(crate::network::names::serves(row, "111122223333.dkr.ecr.eu-west-1.amazonaws.com"));
        assert_eq!(row.policy_document, Some(PolicyText::new(FULL_ACCESS)));
    }

    #[test]
    fn a_gateway_endpoint_on_paper_puts_routes_into_its_tables() {
        let after = there_and_back(&making(S3, gateway()), &vpc(&json!([])));
        let id = after.ec2.vpc_endpoints.keys().next().unwrap();
        for table in after.ec2.route_tables.values() {
            let route = table.routes.last().unwrap();
            assert_eq!(route.destination_prefix_list_id.as_deref(), Some("pl-1"));
            assert_eq!(route.gateway_id.as_ref(), Some(id));
        }
    }

    #[test]
    fn private_dns_waits_for_all_that_it_needs() {
        let s3 = making(S3, gateway()).provides().unwrap();
        assert_eq!(making(S3, gateway()).requires(), [""; 0]);
        let wanted = ["enableDnsSupport of vpc-1", "enableDnsHostnames of vpc-1", s3.as_str()];
        assert_eq!(making(DKR, interface()).requires(), wanted);
        assert_eq!(modifying(|after| after.private_dns_enabled = true).requires(), wanted);
    }

    #[test]
    fn changes_of_an_endpoint_lead_there_and_back() {
        let world = vpc(&existing(false));
        there_and_back(&modifying(|after| after.private_dns_enabled = true), &world);
        there_and_back(&modifying(|after| after.subnet_ids.extend(ids(&["subnet-b"]))), &world);
        there_and_back(&modifying(|after| after.security_groups.extend(ids(&["sg-2"]))), &world);
    }

    #[test]
    fn what_aws_refuses_changes_nothing_on_paper() {
        let mut no_names = vpc(&json!([]));
        no_names.ec2.dns_hostnames.get_mut("vpc-1").unwrap().enable_dns_hostnames.value = false;
        let own_group = VpcEndpoint { security_groups: ids(&[&own_name("demo")]), ..interface() };
        let taken = json!([{"VpcEndpointId": "vpce-2", "VpcEndpointType": "Gateway", "VpcId": "vpc-1",
            "ServiceName": S3, "State": "available", "RouteTableIds": ["rtb-2"]}]);
        for (world, change) in [
            (no_names, making(DKR, interface())),
            (vpc(&json!([])), making(DKR, own_group)),
            (vpc(&existing(true)), making(DKR, interface())),
            (vpc(&taken), making(S3, gateway())),
        ] {
            let mut after = world.clone();
            change.simulate(&mut after);
            assert_eq!(after, world, "{}", change.diff());
        }
    }

    #[test]
    fn our_own_group_goes_by_its_name_wherever_it_is_read() {
        let own = own_name("demo");
        let state = VpcEndpoint { security_groups: ids(&[&own]), ..interface() };
        let mut world = vpc(&json!([]));
        let mut group = world.ec2.security_groups["sg-1"].clone();
        (group.group_id, group.group_name) = ("sg-77".to_owned(), own.clone());
        world.put(group);
        let after = there_and_back(&making(DKR, state), &world);
        assert_eq!(after.ec2.vpc_endpoints.values().next().unwrap().groups[0].group_id, "sg-77");
        assert_eq!(
            making(DKR, VpcEndpoint { security_groups: ids(&[&own]), ..interface() }).requires()[0],
            provided("vpc-1", &own)
        );
    }

    #[test]
    fn an_endpoint_that_aws_still_works_on_is_not_done() {
        let change = making(DKR, interface());
        let mut world = vpc(&json!([]));
        change.simulate(&mut world);
        assert_eq!(change.unsettled(&world), None);
        let id = world.ec2.vpc_endpoints.keys().next().unwrap().clone();
        world.ec2.vpc_endpoints.get_mut(&id).unwrap().state = "Pending".to_owned();
        assert_eq!(change.standing(&world), Standing::After);
        assert_eq!(change.unsettled(&world), Some(format!("{id} is Pending")));
        // The way back may begin at once, and is done only when the endpoint is gone.
        let mut back = change.inverse();
        back.assign(&id);
        assert_eq!(back.standing(&world), Standing::Before);
        world.ec2.vpc_endpoints.get_mut(&id).unwrap().state = "deleting".to_owned();
        assert_eq!(back.standing(&world), Standing::After);
        assert_eq!(back.unsettled(&world), Some(format!("{id} is deleting")));
        world.ec2.vpc_endpoints.remove(&id);
        assert_eq!((back.standing(&world), back.unsettled(&world)), (Standing::After, None));
    }

    #[test]
    fn what_came_in_its_place_is_not_ours() {
        let change = making(DKR, interface());
        let mut world = vpc(&json!([]));
        change.simulate(&mut world);
        let mut back = change.inverse();
        back.assign("vpce-other");
        assert!(matches!(back.standing(&world), Standing::Elsewhere { .. }));
        let id = world.ec2.vpc_endpoints.keys().next().unwrap().clone();
        back.assign(&id);
        assert_eq!(back.standing(&world), Standing::Before);
        // Somebody gave it a policy: it is not as we left it.
        world.ec2.vpc_endpoints.get_mut(&id).unwrap().policy_document =
            Some(PolicyText::new(layers_only("aws", "eu-west-1")));
        assert!(matches!(back.standing(&world), Standing::Elsewhere { .. }));
    }

    /// A run that is taken back after its cluster was deleted has endpoints left, which cost money.
    #[test]
    fn an_endpoint_outlives_its_cluster() {
        let change = making(DKR, interface());
        let mut world = vpc(&json!([]));
        change.simulate(&mut world);
        world.clusters.clear();
        let id = world.ec2.vpc_endpoints.keys().next().unwrap().clone();
        let mut made = change;
        made.assign(&id);
        assert!(matches!(made.way_back(&world), WayBack::Unread(_)), "{:?}", made.way_back(&world));
        world.ec2.vpc_endpoints.clear();
        assert!(matches!(made.way_back(&world), WayBack::AsBefore), "{:?}", made.way_back(&world));
    }

    #[test]
    fn the_policy_of_aws_is_known_however_it_is_written() {
        let short = r#"{"Statement":[{"Action":"*","Effect":"Allow","Principal":"*","Resource":"*"}]}"#;
        assert!(
            gives_full_access(&PolicyText::new(FULL_ACCESS)) && gives_full_access(&PolicyText::new(short))
        );
        assert!(!gives_full_access(&PolicyText::new(layers_only("aws", "eu-west-1"))));
    }

    #[test]
    fn the_engine_makes_endpoints_for_pulls_and_no_others() {
        let allowed = |change: &AnyChange| change.allowed().and_then(|()| change.planned_for(&target()));
        for change in [
            making(DKR, interface()),
            making(S3, gateway()),
            modifying(|after| after.private_dns_enabled = true),
        ] {
            assert_eq!(allowed(&change), Ok(()), "{}", change.summary());
            assert_eq!(change.inverse().allowed(), Ok(()), "the way back");
            assert!(change.inverse().planned_for(&target()).is_err(), "{}", change.summary());
            let elsewhere = Target { cluster: "other".to_owned(), ..target() };
            assert!(change.planned_for(&elsewhere).is_err());
        }
        for service in [
            "com.amazonaws.eu-west-1.ssm",
            "com.amazonaws.us-east-1.ecr.dkr",
            "com.amazonaws.vpce.eu-west-1.vpce-svc-0123456789abcdef0",
            "evil.com.amazonaws.eu-west-1.ecr.dkr",
        ] {
            assert!(allowed(&making(service, interface())).is_err(), "{service}");
        }
        let open = VpcEndpoint { policy: None, ..gateway() };
        let wide = VpcEndpoint { policy: Some(FULL_ACCESS.to_owned()), ..gateway() };
        let no_names = VpcEndpoint { private_dns_enabled: false, ..interface() };
        let no_groups = VpcEndpoint { security_groups: BTreeSet::new(), ..interface() };
        let odd = VpcEndpoint { subnet_ids: ids(&["subnet-a,subnet-b"]), ..interface() };
        let with_policy = VpcEndpoint { policy: Some(FULL_ACCESS.to_owned()), ..interface() };
        for state in [open, wide] {
            assert!(allowed(&making(S3, state.clone())).is_err(), "{state:?}");
        }
        for state in [no_names, no_groups, odd, with_policy, VpcEndpoint::default(), gateway()] {
            assert!(allowed(&making(DKR, state.clone())).is_err(), "{state:?}");
        }
        let kind = |kind| Change { at: address(S3, kind, None), before: None, after: Some(interface()) };
        assert!(allowed(&kind(EndpointType::Interface).into()).is_err(), "S3 by interface costs money");
    }

    #[test]
    fn an_endpoint_only_gains_and_keeps_its_policy() {
        let allowed = |change: &AnyChange| change.allowed().and_then(|()| change.planned_for(&target()));
        assert!(allowed(&modifying(|_| {})).is_err(), "nothing changes");
        assert!(allowed(&modifying(|after| after.policy = Some(layers_only("aws", "eu-west-1")))).is_err());
        assert!(
            allowed(&modifying(|after| after.security_groups = ids(&["sg-2"]))).is_err(),
            "another group"
        );
        assert!(allowed(&modifying(|after| after.route_table_ids = ids(&["rtb-1"]))).is_err(), "no gateway");
        assert!(allowed(&modifying(|after| after.subnet_ids.clear())).is_err(), "it loses its zones");
        let mut unnamed = modifying(|after| after.private_dns_enabled = true);
        if let AnyChange::VpcEndpoint(change) = &mut unnamed {
            change.at.endpoint_id = None;
        }
        assert!(allowed(&unnamed).is_err(), "which endpoint?");
    }

    #[test]
    fn each_zone_has_its_price_and_a_gateway_has_none() {
        let close = |found: f64, wanted: f64| assert!((found - wanted).abs() < 1e-9, "{found}");
        close(making(DKR, interface()).monthly_cost_usd(), 14.60);
        close(making(DKR, interface()).inverse().monthly_cost_usd(), -14.60);
        close(making(S3, gateway()).monthly_cost_usd(), 0.0);
        close(modifying(|after| after.subnet_ids.extend(ids(&["subnet-b"]))).monthly_cost_usd(), 7.30);
        close(modifying(|after| after.private_dns_enabled = true).monthly_cost_usd(), 0.0);
    }

    #[test]
    fn permissions_name_what_the_endpoint_touches() {
        let needed = making(DKR, interface()).permissions();
        let of = |call: &str| -> Vec<String> {
            let mut resources: Vec<String> = needed
                .iter()
                .filter(|(of, _)| *of == call)
                .map(|(_, resource)| {
                    resource.trim_start_matches("arn:aws:ec2:eu-west-1:111122223333:").to_owned()
                })
                .collect();
            resources.sort();
            resources.dedup();
            resources
        };
        assert_eq!(
            of("ec2:CreateVpcEndpoint"),
            ["security-group/sg-1", "subnet/subnet-a", "subnet/subnet-b", "vpc-endpoint/*", "vpc/vpc-1"]
        );
        assert_eq!(of("ec2:CreateTags"), ["vpc-endpoint/*"]);
        assert_eq!(of("ec2:DeleteVpcEndpoints"), ["vpc-endpoint/*"], "the way back");
        assert_eq!(of("ec2:DescribeVpcEndpoints"), ["*"]);
    }

    proptest! {
        #[test]
        fn any_parts_lead_there_and_back(
            subnets in prop::collection::btree_set("subnet-[a-f]", 1..4),
            groups in prop::collection::btree_set("sg-[0-9a-f]{2}", 1..4),
            tables in prop::collection::btree_set("rtb-[1-3]", 1..4),
        ) {
            let state = VpcEndpoint { subnet_ids: subnets, security_groups: groups, ..interface() };
            there_and_back(&making(DKR, state), &vpc(&json!([])));
            let state = VpcEndpoint { route_table_ids: tables, ..gateway() };
            there_and_back(&making(S3, state), &vpc(&json!([])));
        }
    }
}

#[test]
fn what_several_blockers_ask_of_one_endpoint_is_one_change() {
    let with = |tables: &[&str]| VpcEndpoint {
        route_table_ids: tables.iter().map(ToString::to_string).collect(),
        ..VpcEndpoint::default()
    };
    let (before, both) = (with(&["rtb-0"]), with(&["rtb-0", "rtb-1", "rtb-2"]));
    let (one, other) = (with(&["rtb-0", "rtb-1"]), with(&["rtb-0", "rtb-2"]));
    assert_eq!(VpcEndpoint::together(Some(&before), Some(&one), Some(&other)), Some(Some(both.clone())));
    assert!(VpcEndpoint::is_additive(Some(&before), Some(&both)));
    assert!(!VpcEndpoint::is_additive(Some(&both), Some(&before)));
    let named = VpcEndpoint { private_dns_enabled: true, ..both.clone() };
    assert!(!VpcEndpoint::is_additive(Some(&both), Some(&named)));
}
