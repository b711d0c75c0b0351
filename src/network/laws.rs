//! Laws that hold in every world: random rules, routes and damaged files.

use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::tests::{changed, lawful, plain, registry, snapshot};
use super::*;
use crate::snapshot_dir::{self, Loaded};

const BLOCKS: [&str; 8] = [
    "0.0.0.0/0",
    "10.0.0.0/16",
    "10.0.1.0/24",
    "10.0.2.0/24",
    "10.0.2.10/32",
    "8.0.0.0/8",
    "8.8.8.8/32",
    "52.218.0.0/17",
];
const DESTINATIONS: [&str; 5] = ["10.0.2.10", "8.8.8.8", "52.218.1.1", "pl-s3", "internet"];
const TARGETS: [(&str, &str); 5] = [
    ("NatGatewayId", "nat-1"),
    ("GatewayId", "igw-1"),
    ("GatewayId", "vgw-1"),
    ("NetworkInterfaceId", "eni-2"),
    ("VpcPeeringConnectionId", "pcx-1"),
];

fn block() -> impl Strategy<Value = Value> {
    prop::sample::select(&BLOCKS[..]).prop_map(|block| json!(block))
}

fn ports() -> impl Strategy<Value = (i64, i64)> {
    prop::sample::select(vec![
        (0, 65535),
        (443, 443),
        (1024, 65535),
        (32768, 60999),
        (22, 80),
        (40000, 50000),
    ])
}

fn permission() -> impl Strategy<Value = Value> {
    (block(), ports(), any::<bool>()).prop_map(|(block, (from, to), all)| {
        let protocol = if all { "-1" } else { "tcp" };
        json!({"IpProtocol": protocol, "FromPort": from, "ToPort": to, "IpRanges": [{"CidrIp": block}]})
    })
}

fn entry() -> impl Strategy<Value = Value> {
    (block(), ports(), any::<bool>(), any::<bool>(), 1_i64..200).prop_map(|(block, (from, to), egress, allow, number)| {
        let action = if allow { "allow" } else { "deny" };
        json!({"RuleNumber": number, "Egress": egress, "Protocol": "6", "RuleAction": action, "CidrBlock": block, "PortRange": {"From": from, "To": to}})
    })
}

fn route() -> impl Strategy<Value = Value> {
    (block(), prop::sample::select(&TARGETS[..]), any::<bool>()).prop_map(|(block, (field, target), gone)| {
        json!({"DestinationCidrBlock": block, field: target, "State": if gone { "blackhole" } else { "active" }})
    })
}

/// A world whose rules and routes are random, with an end to reach.
fn worlds() -> impl Strategy<Value = (Value, &'static str)> {
    let list = |one: BoxedStrategy<Value>| prop::collection::vec(one, 0..5);
    let parts = (
        list(permission().boxed()),
        list(permission().boxed()),
        list(entry().boxed()),
        list(entry().boxed()),
        list(route().boxed()),
        any::<bool>(),
        prop::sample::select(&DESTINATIONS[..]),
    );
    parts.prop_map(|(out, into, at_node, elsewhere, routes, open, to)| {
        let mut world = plain();
        world["SecurityGroups"][0]["IpPermissionsEgress"] = json!(out);
        world["SecurityGroups"][1]["IpPermissions"] = json!(into);
        let add = |list: &mut Value, more: Vec<Value>| list.as_array_mut().unwrap().extend(more);
        if !open {
            world["NetworkAcls"][0]["Entries"] = json!([]);
        }
        add(&mut world["NetworkAcls"][1]["Entries"], at_node);
        add(&mut world["NetworkAcls"][0]["Entries"], elsewhere);
        add(&mut world["RouteTables"][0]["Routes"], routes);
        (world, to)
    })
}

fn trace(world: &Value, to: &str) -> Trace {
    let snapshot = snapshot(world);
    let network = Network::of(&snapshot);
    let source = network.resolve_source("i-1").unwrap().remove(0);
    let (to, _) = network.resolve_destination(to).unwrap();
    let trace = network.trace(&source, &to, Service::tcp(443));
    lawful(&trace);
    trace
}

/// How much a trace promises: only reachable and blocked are promises.
fn may_become(before: Verdict, after: Verdict) -> bool {
    before != Verdict::Reachable || after == Verdict::Reachable
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn adding_an_allow_never_blocks((world, to) in worlds(), rule in permission(), ingress in any::<bool>()) {
        let list = if ingress { "/SecurityGroups/1/IpPermissions/-" } else { "/SecurityGroups/0/IpPermissionsEgress/-" };
        let (before, after) = (trace(&world, to), trace(&changed(world, json!({list: rule})), to));
        prop_assert!(may_become(before.verdict, after.verdict), "{before:#?} {after:#?}");
        prop_assert!(before.verdict == Verdict::Blocked || after.verdict != Verdict::Blocked);
    }

    #[test]
    fn an_allow_in_front_of_a_network_acl_never_blocks((world, to) in worlds(), which in 0_usize..2) {
        let allow = |egress: bool| json!({"RuleNumber": 0, "Egress": egress, "Protocol": "-1", "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"});
        let list = format!("/NetworkAcls/{which}/Entries/-");
        let open = changed(changed(world.clone(), json!({list.clone(): allow(true)})), json!({list: allow(false)}));
        let (before, after) = (trace(&world, to), trace(&open, to));
        prop_assert!(may_become(before.verdict, after.verdict));
        let acl = ["acl-default", "acl-node"][which];
        prop_assert!(after.blockers.iter().all(|blocker| blocker.component != acl));
    }

    #[test]
    fn removing_a_route_opens_a_path_only_by_uncovering_another((world, to) in worlds(), which in any::<prop::sample::Index>()) {
        let routes = world["RouteTables"][0]["Routes"].as_array().unwrap().clone();
        let index = which.index(routes.len());
        let mut fewer = routes.clone();
        let gone = fewer.remove(index);
        let less = changed(world.clone(), json!({"/RouteTables/0/Routes": fewer}));
        let (before, after) = (trace(&world, to), trace(&less, to));
        if before.verdict != Verdict::Reachable && after.verdict == Verdict::Reachable {
            let block = |route: &Value| route["DestinationCidrBlock"].as_str().unwrap().parse::<IpNet>().unwrap();
            let uncovered = fewer.iter().any(|route| block(route).contains(&block(&gone)));
            prop_assert!(uncovered);
        }
    }

    #[test]
    fn what_is_not_read_is_never_a_promise((world, to) in worlds(), key in prop::sample::select(vec!["RouteTables", "NetworkAcls", "SecurityGroups", "NatGateways"])) {
        let before = trace(&world, to);
        let after = trace(&changed(world, json!({format!("-/{key}"): null})), to);
        prop_assert!(after.verdict != Verdict::Reachable || before.verdict == Verdict::Reachable);
    }

    #[test]
    fn damaged_files_give_errors_or_traces((world, to) in worlds(), places in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..9), 1..6)) {
        let mut world = world;
        for (place, what) in places {
            damage(&mut world, place, what);
        }
        let mut loaded = Loaded::default();
        if snapshot_dir::read_file(&mut loaded, Path::new("world.json"), &world.to_string()).is_ok() {
            let network = Network::of(&loaded.snapshot);
            for from in ["i-1", "eni-1", "subnet-node", "10.0.1.10", "8.8.8.8"] {
                if let (Ok(sources), Ok((to, _))) = (network.resolve_source(from), network.resolve_destination(to)) {
                    for source in sources {
                        lawful(&network.trace(&source, &to, Service::tcp(443)));
                        pull::flows(&network, &source, &registry());
                    }
                }
            }
        }
    }
}

/// Puts something unexpected somewhere into a document.
fn damage(world: &mut Value, place: prop::sample::Index, what: usize) {
    let count = nodes(world);
    let mut left = place.index(count.max(1));
    let new = [
        json!(null),
        json!(""),
        json!("vpc-1"),
        json!("rtb-main"),
        json!(-1),
        json!([]),
        json!({}),
        json!("255.255.255.255/32"),
        json!("0.0.0.0/0"),
    ];
    replace(world, &mut left, &new[what]);
}

fn nodes(value: &Value) -> usize {
    1 + match value {
        Value::Array(rows) => rows.iter().map(nodes).sum(),
        Value::Object(fields) => fields.values().map(nodes).sum(),
        _ => 0,
    }
}

fn replace(value: &mut Value, left: &mut usize, new: &Value) -> bool {
    if *left == 0 {
        *value = new.clone();
        return true;
    }
    *left -= 1;
    match value {
        Value::Array(rows) => rows.iter_mut().any(|row| replace(row, left, new)),
        Value::Object(fields) => fields.values_mut().any(|field| replace(field, left, new)),
        _ => false,
    }
}
