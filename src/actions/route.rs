//! One route of a route table: by its destination.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::cluster_vpc::{ClusterVpc, is_id};
use super::{Change, Found, Kind, Resource, Risk, Sent};
use crate::aws::{Reader, Refused, Writer};
use crate::collect;
use crate::error::Error;
use crate::model::ec2::Route as Row;
use crate::model::{Seen, Snapshot};
use crate::pulls::Target;

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// `nat-…`, `eigw-…`, `tgw-…`, ….
    pub target: String,
    /// `blackhole` where the target is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Whether the target has to be seen at work just before the route is made; what was there before need not be.
    #[serde(default)]
    pub must_work: bool,
}

/// Which route.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address {
    /// Where it is.
    pub vpc: ClusterVpc,
    /// `rtb-…`.
    pub table_id: String,
    /// The block that it is for.
    pub destination: IpNet,
}

impl Address {
    fn is_destination_of(&self, row: &Row) -> bool {
        match self.destination {
            IpNet::V4(block) => row.destination_cidr_block == Some(block),
            IpNet::V6(block) => row.destination_ipv6_cidr_block == Some(block),
        }
    }
}

impl Route {
    /// The route of a row; `None` where the row names no target that is known.
    pub fn of(row: &Row) -> Option<Route> {
        let mut copy = row.clone();
        let fields = target_fields(&mut copy);
        let target = fields.into_iter().find_map(|(_, field)| field.take())?;
        Some(Route { target, state: row.state.clone(), must_work: false })
    }

    /// Whether packets get lost on it, whatever else is true.
    pub fn is_blackhole(&self) -> bool {
        self.state.as_deref().is_some_and(|state| state.eq_ignore_ascii_case("blackhole"))
    }

    fn put_into(&self, row: &mut Row) {
        let fields = target_fields(row);
        let wanted = fields.iter().position(|(prefix, _)| self.target.starts_with(prefix));
        for (index, (_, field)) in fields.into_iter().enumerate() {
            *field = (Some(index) == wanted).then(|| self.target.clone());
        }
        row.state = self.state.clone().or_else(|| Some("active".to_owned()));
    }
}

/// The fields of a row that may hold its target, each with what its ids begin with. An interface comes before the
/// instance that has it: EC2 shows both.
fn target_fields(row: &mut Row) -> [(&'static str, &mut Option<String>); 9] {
    [
        ("nat-", &mut row.nat_gateway_id),
        ("eigw-", &mut row.egress_only_internet_gateway_id),
        ("tgw-", &mut row.transit_gateway_id),
        ("pcx-", &mut row.vpc_peering_connection_id),
        ("eni-", &mut row.network_interface_id),
        ("lgw-", &mut row.local_gateway_id),
        ("cagw-", &mut row.carrier_gateway_id),
        ("i-", &mut row.instance_id),
        ("", &mut row.gateway_id),
    ]
}

impl Resource for Route {
    type Address = Address;

    const KINDS: &'static [Kind] = &[Kind::CreateRoute, Kind::DeleteRoute, Kind::ReplaceRoute];

    const READS: &'static [&'static str] = &["ec2:DescribeNatGateways", "ec2:DescribeRouteTables"];

    fn kind(before: Option<&Self>, after: Option<&Self>) -> Kind {
        match (before, after) {
            (None, _) => Kind::CreateRoute,
            (Some(_), Some(_)) => Kind::ReplaceRoute,
            (Some(_), None) => Kind::DeleteRoute,
        }
    }

    fn arn(at: &Address) -> String {
        at.vpc.arn(&format!("route-table/{}", at.table_id))
    }

    fn summary(at: &Address, before: Option<&Self>, after: Option<&Self>) -> String {
        let (destination, table) = (at.destination, &at.table_id);
        match (before, after) {
            (Some(old), Some(new)) => {
                format!("lead {destination} in {table} to {}, not to {}", new.target, old.target)
            }
            (None, Some(new)) => format!("lead {destination} in {table} to {}", new.target),
            (_, None) => format!("delete the route {destination} of {table}"),
        }
    }

    fn get(world: &Snapshot, at: &Address) -> Found<Self> {
        if let Some(lost) = at.vpc.lost_in(world) {
            return lost;
        }
        let Some(table) = world.ec2.route_tables.get(&at.table_id) else {
            return match world.missing::<()>("RouteTables", "ec2:DescribeRouteTables", &at.table_id) {
                Seen::Unread(because) => Found::Unread(because),
                _ => Found::Deleted(format!("route table {} does not exist any more", at.table_id)),
            };
        };
        if table.vpc_id.as_ref().is_some_and(|vpc| *vpc != at.vpc.vpc_id) {
            return Found::Gone(format!("{} is not in {}", at.table_id, at.vpc.vpc_id));
        }
        match table.routes.iter().find(|row| at.is_destination_of(row)) {
            None => Found::State(None),
            Some(row) => match Route::of(row) {
                Some(route) => Found::State(Some(route)),
                None => Found::Unread(format!(
                    "where the route {} of {} leads is not known",
                    at.destination, at.table_id
                )),
            },
        }
    }

    fn set(world: &mut Snapshot, at: &Address, state: Option<Self>) {
        let Some(table) = world.ec2.route_tables.get_mut(&at.table_id) else { return };
        let Some(route) = state else {
            table.routes.retain(|row| !at.is_destination_of(row));
            return;
        };
        if let Some(row) = table.routes.iter_mut().find(|row| at.is_destination_of(row)) {
            return route.put_into(row);
        }
        let mut row = Row { origin: Some("CreateRoute".to_owned()), ..Row::default() };
        match at.destination {
            IpNet::V4(block) => row.destination_cidr_block = Some(block),
            IpNet::V6(block) => row.destination_ipv6_cidr_block = Some(block),
        }
        route.put_into(&mut row);
        table.routes.push(row);
    }

    async fn look(aws: &Reader, at: &Address) -> Result<Snapshot, Error> {
        Ok(collect::route_table_again(aws, &at.vpc.cluster, &at.table_id).await)
    }

    async fn send(
        aws: &Writer,
        at: &Address,
        before: Option<&Self>,
        after: Option<&Self>,
    ) -> Result<Sent, Refused> {
        match (before, after) {
            (None, Some(route)) => aws.create_route(at, route).await,
            (Some(_), Some(route)) => aws.replace_route(at, route).await,
            (_, None) => aws.delete_route(at).await,
        }
    }

    fn permissions(at: &Address, before: Option<&Self>, after: Option<&Self>) -> Vec<(&'static str, String)> {
        // Descriptions of EC2 cannot be limited to one resource.
        let reads = Self::READS.iter().map(|read| (*read, "*".to_owned()));
        let cluster = ("eks:DescribeCluster", at.vpc.cluster_arn());
        reads.chain([cluster, (Self::kind(before, after).api_call(), Self::arn(at))]).collect()
    }

    /// Whether the target is a blackhole changes by itself, when the target comes or goes.
    fn same(one: &Self, other: &Self) -> bool {
        one.target == other.target
    }

    fn lines(at: &Address, state: Option<&Self>) -> Vec<String> {
        let line = |route: &Self| {
            let state = if route.is_blackhole() { " (blackhole)" } else { "" };
            format!("{}: {} -> {}{state}", at.table_id, at.destination, route.target)
        };
        state.map(line).into_iter().collect()
    }

    /// A default route comes to a gateway that only lets out, where there is none or one that is lost. The way back is
    /// the same change, seen from the other side.
    fn allowed(at: &Address, before: Option<&Self>, after: Option<&Self>) -> Result<(), String> {
        at.vpc.check()?;
        if !is_id(&at.table_id, "rtb-") {
            return Err(format!("{} is not the id of a route table", at.table_id));
        }
        leads_out(at, before, after).or_else(|because| leads_out(at, after, before).map_err(|_| because))
    }

    fn within(at: &Address, target: &Target) -> Result<(), String> {
        at.vpc.within(target)
    }

    fn planned_for(before: Option<&Self>, after: Option<&Self>, _target: &Target) -> Result<(), String> {
        match after {
            Some(route) if !route.must_work => {
                Err("nobody would look whether the gateway is at work".to_owned())
            }
            Some(after) if before.is_none_or(|before| before.target != after.target) => Ok(()),
            _ => Err("a plan adds or turns routes; only a rollback takes them away".to_owned()),
        }
    }

    fn risk(at: &Address, before: Option<&Self>, after: Option<&Self>) -> (Risk, String) {
        let table = &at.table_id;
        match (before, after) {
            (None, Some(route)) => (
                Risk::Medium,
                format!(
                    "{table} has no route to {} today, and {} lets connections out only: nothing comes in by it. It \
                     is for every subnet of the table",
                    at.destination, route.target
                ),
            ),
            (Some(old), Some(new)) => (
                Risk::Medium,
                format!(
                    "what leaves by {} gets nowhere today. By {} it has another public address: look whether \
                     somebody allows only the old one. Where {} does not exist any more, AWS refuses to lead the route \
                     back to it, and a rollback will say so",
                    old.target, new.target, old.target
                ),
            ),
            (_, None) => (Risk::Medium, format!("what leaves {table} by this route stays inside again")),
        }
    }
}

/// Why a change may lead a default route out, or why not.
fn leads_out(at: &Address, before: Option<&Route>, after: Option<&Route>) -> Result<(), String> {
    let Some(after) = after else { return Err("it only takes a route away".to_owned()) };
    let (kind, prefix) = match at.destination {
        IpNet::V4(block) if block.prefix_len() == 0 => ("NAT gateway", "nat-"),
        IpNet::V6(block) if block.prefix_len() == 0 => ("egress-only internet gateway", "eigw-"),
        block => return Err(format!("{block} is no default route")),
    };
    if !is_id(&after.target, prefix) {
        return Err(format!(
            "{} is no {kind}, and a route to anything else may let the internet in",
            after.target
        ));
    }
    match before {
        None => Ok(()),
        Some(before) if before.target == after.target => Err("it changes nothing".to_owned()),
        Some(before) if before.is_blackhole() || before.target.starts_with("nat-") => Ok(()),
        Some(before) => Err(format!("the route leads to {} today", before.target)),
    }
}

/// The same as a command for a person.
pub fn command(change: &Change<Route>, region: &str) -> String {
    let Change { at, before, after } = change;
    let kind = Route::kind(before.as_ref(), after.as_ref()).as_str();
    let option = if at.destination.network().is_ipv4() {
        "--destination-cidr-block"
    } else {
        "--destination-ipv6-cidr-block"
    };
    let mut text = format!(
        "aws ec2 {kind} --region {region} --route-table-id {} {option} {}",
        at.table_id, at.destination
    );
    if let Some(route) = after {
        let option = match route.target.split('-').next().unwrap_or_default() {
            "nat" => "--nat-gateway-id",
            "eigw" => "--egress-only-internet-gateway-id",
            "tgw" => "--transit-gateway-id",
            "pcx" => "--vpc-peering-connection-id",
            "eni" => "--network-interface-id",
            _ => "--gateway-id",
        };
        text += &format!(" {option} {}", route.target);
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::actions::AnyChange;
    use crate::actions::change::Standing;
    use crate::actions::cluster_vpc::tests::{cluster_vpc, world};

    fn route(target: &str) -> Route {
        Route { target: target.to_owned(), state: Some("active".to_owned()), must_work: true }
    }

    fn change(destination: &str, before: Option<Route>, after: Option<Route>) -> AnyChange {
        let destination = destination.parse().unwrap();
        let at = Address { vpc: cluster_vpc(), table_id: "rtb-0a".to_owned(), destination };
        Change { at, before, after }.into()
    }

    #[test]
    fn the_engine_leads_default_routes_out_and_makes_no_subnet_public() {
        let lost = Route { state: Some("blackhole".to_owned()), ..route("igw-1") };
        for fine in [
            change("0.0.0.0/0", None, Some(route("nat-1"))),
            change("0.0.0.0/0", Some(route("nat-1")), Some(route("nat-2"))),
            change("0.0.0.0/0", Some(lost), Some(route("nat-2"))),
            change("::/0", None, Some(route("eigw-1"))),
        ] {
            assert_eq!(fine.allowed(), Ok(()), "{}", fine.summary());
            assert_eq!(fine.inverse().allowed(), Ok(()), "the way back");
        }
        for refused in [
            change("0.0.0.0/0", None, Some(route("igw-1"))),
            change("0.0.0.0/0", Some(route("nat-1")), Some(route("igw-1"))),
            change("0.0.0.0/0", Some(route("igw-1")), Some(route("nat-1"))),
            change("0.0.0.0/0", Some(route("tgw-1")), Some(route("nat-1"))),
            change("0.0.0.0/0", None, Some(route("eni-1"))),
            change("10.0.0.0/8", None, Some(route("nat-1"))),
            change("::/0", None, Some(route("nat-1"))),
            change("0.0.0.0/0", Some(route("nat-1")), Some(route("nat-1"))),
            change("0.0.0.0/0", None, None),
        ] {
            assert!(refused.allowed().is_err(), "{}", refused.summary());
        }
    }

    #[test]
    fn a_plan_makes_no_route_that_nobody_looks_at_again() {
        let target = Target {
            account: "111122223333".to_owned(),
            region: "eu-west-1".to_owned(),
            partition: "aws".to_owned(),
            cluster: "demo".to_owned(),
        };
        let blind = Route { must_work: false, ..route("nat-1") };
        assert!(change("0.0.0.0/0", None, Some(blind)).planned_for(&target).is_err());
        assert_eq!(change("0.0.0.0/0", None, Some(route("nat-1"))).planned_for(&target), Ok(()));
        assert!(change("0.0.0.0/0", Some(route("nat-1")), None).planned_for(&target).is_err());
    }

    #[test]
    fn on_paper_a_route_turns_and_turns_back() {
        let table = json!({"RouteTables": [{"RouteTableId": "rtb-0a", "VpcId": "vpc-1", "Routes": [
            {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "State": "blackhole", "Origin": "CreateRoute"}]}]});
        let before = world(&[table]);
        let lost =
            Route { target: "nat-1".to_owned(), state: Some("blackhole".to_owned()), must_work: false };
        let (turn, add) = (
            change("0.0.0.0/0", Some(lost), Some(route("nat-2"))),
            change("::/0", None, Some(route("eigw-1"))),
        );
        let mut now = before.clone();
        for step in [&turn, &add] {
            assert_eq!(step.standing(&now), Standing::Before, "{}", step.summary());
            step.simulate(&mut now);
            assert_eq!(step.standing(&now), Standing::After, "{}", step.summary());
        }
        let routes = &now.ec2.route_tables["rtb-0a"].routes;
        assert_eq!(routes[0].state.as_deref(), Some("active"));
        assert_eq!(routes[1].egress_only_internet_gateway_id.as_deref(), Some("eigw-1"));
        turn.inverse().simulate(&mut now);
        add.inverse().simulate(&mut now);
        assert_eq!(now, before);
    }
}
