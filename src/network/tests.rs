//! Small worlds in the shape of the AWS CLI, one for each documented behaviour.

use std::path::Path;

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::names::PullHosts;
use super::*;
use crate::model::EcrHost;
use crate::snapshot_dir::{self, Loaded};

/// A node in a private subnet with a way to the internet by NAT, an open network ACL, and a second private subnet.
pub(super) fn plain() -> Value {
    let open = |number: i64, egress: bool| json!({"RuleNumber": number, "Egress": egress, "Protocol": "-1", "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"});
    let subnet = |id: &str, block: &str, zone: &str| json!({"SubnetId": id, "VpcId": "vpc-1", "CidrBlock": block, "AvailabilityZone": zone});
    let interface = |id: &str, subnet: &str, address: &str, group: &str| json!({"NetworkInterfaceId": id, "SubnetId": subnet, "VpcId": "vpc-1", "PrivateIpAddress": address, "Groups": [{"GroupId": group}]});
    let mut node = interface("eni-1", "subnet-node", "10.0.1.10", "sg-node");
    node["Attachment"] = json!({"InstanceId": "i-1"});
    let mut peer = interface("eni-2", "subnet-other", "10.0.2.10", "sg-other");
    peer["Attachment"] = json!({"InstanceId": "i-2"});
    let mut nat = interface("eni-nat", "subnet-public", "10.0.0.5", "sg-none");
    nat["Groups"] = json!([]);
    nat["Association"] = json!({"PublicIp": "52.0.0.5"});
    json!({
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16", "DhcpOptionsId": "default"}],
        "Subnets": [
            subnet("subnet-node", "10.0.1.0/24", "eu-west-1a"),
            subnet("subnet-public", "10.0.0.0/24", "eu-west-1a"),
            subnet("subnet-other", "10.0.2.0/24", "eu-west-1b"),
        ],
        "RouteTables": [
            {"RouteTableId": "rtb-main", "VpcId": "vpc-1", "Associations": [{"Main": true}], "Routes": [
                {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"},
                {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "State": "active"},
            ]},
            {"RouteTableId": "rtb-public", "VpcId": "vpc-1", "Associations": [{"SubnetId": "subnet-public"}], "Routes": [
                {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"},
                {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1", "State": "active"},
            ]},
        ],
        "NetworkAcls": [
            {"NetworkAclId": "acl-default", "VpcId": "vpc-1", "IsDefault": true, "Entries": [open(100, true), open(100, false)]},
            {"NetworkAclId": "acl-node", "VpcId": "vpc-1", "Associations": [{"SubnetId": "subnet-node"}], "Entries": [open(100, true), open(100, false)]},
        ],
        "SecurityGroups": [
            {"GroupId": "sg-node", "VpcId": "vpc-1", "IpPermissions": [], "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]},
            {"GroupId": "sg-other", "VpcId": "vpc-1", "IpPermissionsEgress": [], "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "UserIdGroupPairs": [{"GroupId": "sg-node"}]}]},
        ],
        "NetworkInterfaces": [node, nat, peer],
        "NatGateways": [{"NatGatewayId": "nat-1", "VpcId": "vpc-1", "SubnetId": "subnet-public", "State": "available", "NatGatewayAddresses": [{"NetworkInterfaceId": "eni-nat", "PrivateIp": "10.0.0.5", "PublicIp": "52.0.0.5"}]}],
        "InternetGateways": [{"InternetGatewayId": "igw-1", "Attachments": [{"VpcId": "vpc-1", "State": "available"}]}],
        "VpcEndpoints": [],
        "PrefixLists": [{"PrefixListId": "pl-s3", "PrefixListName": "com.amazonaws.eu-west-1.s3", "Cidrs": ["52.218.0.0/17", "3.5.64.0/21"]}],
    })
}

/// Changes a world: `/a/0/b` sets, `/a/-` appends, `-/a` takes out.
pub(super) fn changed(mut world: Value, changes: Value) -> Value {
    for (pointer, value) in changes.as_object().unwrap() {
        if let Some(key) = pointer.strip_prefix("-/") {
            world.as_object_mut().unwrap().remove(key).unwrap();
        } else if let Some(list) = pointer.strip_suffix("/-") {
            world
                .pointer_mut(list)
                .unwrap_or_else(|| panic!("{list}"))
                .as_array_mut()
                .unwrap()
                .push(value.clone());
        } else {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            let parent = world.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}"));
            match parent {
                Value::Array(rows) => rows[key.parse::<usize>().unwrap()] = value.clone(),
                row => row[key] = value.clone(),
            }
        }
    }
    world
}

pub(super) fn snapshot(world: &Value) -> Snapshot {
    let mut loaded = Loaded::default();
    snapshot_dir::read_file(&mut loaded, Path::new("world.json"), &world.to_string()).unwrap();
    for (key, value) in [("EnableDnsSupport", true), ("EnableDnsHostnames", true)] {
        let off =
            world.get("VpcAttributesOff").is_some_and(|off| off.as_array().unwrap().contains(&json!(key)));
        let text = json!({"VpcId": "vpc-1", key: {"Value": value && !off}}).to_string();
        if world.get("VpcAttributesUnread").is_none() {
            snapshot_dir::read_file(&mut loaded, Path::new("attribute.json"), &text).unwrap();
        }
    }
    loaded.snapshot
}

/// The verdict in one line, and then the laws that every trace obeys.
fn ask(world: &Value, from: &str, to: &str, protocol: Option<Service>) -> Trace {
    let snapshot = snapshot(world);
    let network = Network::of(&snapshot);
    let source = network.resolve_source(from).unwrap().remove(0);
    let (to, port) = network.resolve_destination(to).unwrap();
    let service = protocol.unwrap_or(Service::tcp(port.unwrap_or(443)));
    let trace = network.trace(&source, &to, service);
    assert_eq!(trace, Network::of(&snapshot).trace(&source, &to, service), "a trace is deterministic");
    lawful(&trace);
    trace
}

pub(super) fn lawful(trace: &Trace) {
    let hops = || trace.forward.iter().chain(&trace.return_path);
    let denied = hops().any(|hop| hop.decision == Some(Decision::Deny));
    match trace.verdict {
        Verdict::Reachable => {
            assert!(
                hops().all(|hop| hop.decision.is_none_or(|decision| decision == Decision::Allow)),
                "{trace:#?}"
            );
            assert!(trace.unknown.is_empty() && trace.blockers.is_empty() && trace.blocked_at.is_none());
        }
        Verdict::Blocked => {
            assert!(trace.blocked_at.is_some() && trace.reason.is_some() && !trace.blockers.is_empty());
            let at = trace.blocked_at.as_ref();
            assert!(denied || hops().any(|hop| Some(&hop.id) == at), "a hop says so: {trace:#?}");
        }
        Verdict::Unknown => assert!(
            !trace.unknown.is_empty()
                && trace.blocked_at.is_none()
                && trace.reason.is_none()
                && (!denied || trace.unknown.iter().any(|why| why.starts_with("part"))),
            "{trace:#?}"
        ),
    }
}

fn line(trace: &Trace) -> String {
    match (&trace.blocked_at, trace.reason) {
        (Some(at), Some(reason)) => format!("blocked: {} at {at}", reason.as_str()),
        _ if trace.verdict == Verdict::Unknown => format!("unknown: {}", trace.unknown.join("; ")),
        _ => trace.verdict.as_str().to_owned(),
    }
}

fn check(changes: Value, to: &str, expected: &str) {
    let world = changed(plain(), changes);
    let trace = ask(&world, "i-1", to, None);
    assert_eq!(line(&trace), expected, "{:#?}", trace.blockers);
}

#[test]
fn a_path_is_told_hop_by_hop() {
    let draw = |trace: &Trace, expected: Expect| {
        let hop = |hop: &Hop| {
            let extra = [
                hop.direction.map(|direction| direction.as_str().to_owned()),
                hop.rule.clone(),
                hop.destination.clone(),
                hop.target.clone(),
            ];
            format!(
                "{} {} {}",
                hop.kind.as_str(),
                hop.id,
                extra.into_iter().flatten().collect::<Vec<_>>().join(" ")
            )
            .trim_end()
            .to_owned()
                + "\n"
        };
        let there: String = trace.forward.iter().map(hop).collect();
        let back: String = trace.return_path.iter().map(hop).collect();
        expected.assert_eq(&format!("{there}--\n{back}"));
    };
    draw(
        &ask(&plain(), "i-1", "52.95.1.1", None),
        expect![[r#"
            instance i-1
            network-interface eni-1
            security-group sg-node egress all 0.0.0.0/0
            subnet subnet-node
            network-acl acl-node egress 100
            route rtb-main 0.0.0.0/0 nat-1
            vpc vpc-1
            subnet subnet-public
            network-acl acl-default ingress 100
            nat-gateway nat-1
            subnet subnet-public
            network-acl acl-default egress 100
            route rtb-public 0.0.0.0/0 igw-1
            vpc vpc-1
            internet-gateway igw-1
            internet internet
            --
            internet internet
            internet-gateway igw-1
            vpc vpc-1
            subnet subnet-public
            network-acl acl-default ingress 100
            nat-gateway nat-1
            subnet subnet-public
            network-acl acl-default egress 100
            route rtb-public 10.0.0.0/16 local
            vpc vpc-1
            subnet subnet-node
            network-acl acl-node ingress 100
            network-interface eni-1
            instance i-1
        "#]],
    );
    draw(
        &ask(&plain(), "i-1", "i-2", None),
        expect![[r#"
            instance i-1
            network-interface eni-1
            security-group sg-node egress all 0.0.0.0/0
            subnet subnet-node
            network-acl acl-node egress 100
            route rtb-main 10.0.0.0/16 local
            vpc vpc-1
            subnet subnet-other
            network-acl acl-default ingress 100
            security-group sg-other ingress tcp 443 sg-node
            network-interface eni-2
            instance i-2
            --
            instance i-2
            network-interface eni-2
            subnet subnet-other
            network-acl acl-default egress 100
            route rtb-main 10.0.0.0/16 local
            vpc vpc-1
            subnet subnet-node
            network-acl acl-node ingress 100
            network-interface eni-1
            instance i-1
        "#]],
    );
}

fn egress(rules: Value) -> Value {
    json!({"/SecurityGroups/0/IpPermissionsEgress": rules})
}

#[test]
fn security_groups() {
    check(json!({}), "10.0.2.10", "reachable");
    check(json!({}), "10.0.2.10:22", "blocked: security-group-ingress at sg-other");
    check(egress(json!([])), "10.0.2.10", "blocked: security-group-egress at sg-node");
    check(
        egress(
            json!([{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "UserIdGroupPairs": [{"GroupId": "sg-other"}]}]),
        ),
        "10.0.2.10",
        "reachable",
    );
    check(
        egress(
            json!([{"IpProtocol": "6", "FromPort": 0, "ToPort": 65535, "IpRanges": [{"CidrIp": "10.0.2.0/24"}]}]),
        ),
        "10.0.2.10",
        "reachable",
    );
    check(
        egress(
            json!([{"IpProtocol": "tcp", "FromPort": 444, "ToPort": 500, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]),
        ),
        "10.0.2.10",
        "blocked: security-group-egress at sg-node",
    );
    check(
        egress(
            json!([{"IpProtocol": "udp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]),
        ),
        "10.0.2.10",
        "blocked: security-group-egress at sg-node",
    );
    // A group of the same name in a stale rule, after its peering was deleted.
    check(
        json!({"/SecurityGroups/1/IpPermissions/0/UserIdGroupPairs/0/PeeringStatus": "deleted"}),
        "10.0.2.10",
        "blocked: security-group-ingress at sg-other",
    );
    // Several groups: any of them may allow.
    check(
        json!({"/SecurityGroups/0/IpPermissionsEgress": [], "/SecurityGroups/-": {"GroupId": "sg-more", "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]}, "/NetworkInterfaces/0/Groups/-": {"GroupId": "sg-more"}}),
        "10.0.2.10",
        "reachable",
    );
    // A group that was not read may allow.
    check(
        json!({"/SecurityGroups/0/IpPermissionsEgress": [], "/NetworkInterfaces/0/Groups/-": {"GroupId": "sg-unread"}}),
        "10.0.2.10",
        "unknown: security group sg-unread was not read",
    );
    // A self reference.
    check(
        json!({"/NetworkInterfaces/2/Groups/0/GroupId": "sg-node", "/SecurityGroups/0/IpPermissions": [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-node"}]}]}),
        "10.0.2.10:8080",
        "reachable",
    );
}

#[test]
fn pings_and_all_protocols() {
    let icmp = |first: i64, last: i64| {
        changed(
            plain(),
            json!({"/SecurityGroups/1/IpPermissions": [{"IpProtocol": "icmp", "FromPort": first, "ToPort": last, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]}),
        )
    };
    let ping = |world: &Value| line(&ask(world, "i-1", "10.0.2.10", Some(Service::ping())));
    assert_eq!(ping(&icmp(-1, -1)), "reachable");
    check(
        json!({"/SecurityGroups/1/IpPermissions": [{"IpProtocol": "tcp", "FromPort": -1, "ToPort": -1, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]}),
        "10.0.2.10",
        "reachable",
    );
    assert_eq!(ping(&icmp(8, -1)), "reachable");
    assert_eq!(ping(&icmp(8, 0)), "reachable");
    assert_eq!(ping(&icmp(3, 4)), "blocked: security-group-ingress at sg-other");
    assert_eq!(ping(&plain()), "blocked: security-group-ingress at sg-other");
    assert_eq!(
        line(&ask(&plain(), "i-1", "10.0.2.10", Some(Service::all()))),
        "blocked: security-group-ingress at sg-other"
    );
    // A denial of one protocol is enough to stop some of "all", an allowance is not enough to let all pass.
    let all = |changes: Value| {
        let open = json!({"/SecurityGroups/1/IpPermissions": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]});
        line(&ask(&changed(changed(plain(), open), changes), "i-1", "10.0.2.10", Some(Service::all())))
    };
    assert_eq!(all(json!({})), "reachable");
    let deny = entry(50, true, "deny", "0.0.0.0/0", Some((22, 22)));
    assert_eq!(all(json!({"/NetworkAcls/1/Entries/-": deny})), "blocked: network-acl-egress at acl-node");
    let allow = json!([entry(100, true, "allow", "0.0.0.0/0", None)]);
    assert_eq!(all(json!({"/NetworkAcls/1/Entries": allow})), "blocked: network-acl-egress at acl-node");
    // A NAT gateway carries TCP, UDP and ICMP.
    assert_eq!(line(&ask(&plain(), "i-1", "8.8.8.8", Some(Service::ping()))), "reachable");
    assert_eq!(line(&ask(&plain(), "i-1", "8.8.8.8", Some(Service::udp(53)))), "reachable");
    assert_eq!(
        line(&ask(&plain(), "i-1", "8.8.8.8", Some(Service::of_protocol(50)))),
        "blocked: nat-unavailable at nat-1"
    );
    assert_eq!(
        line(&ask(&plain(), "i-1", "8.8.8.8", Some(Service::all()))),
        "blocked: nat-unavailable at nat-1"
    );
    let no_answers = json!({"/NetworkAcls/1/Entries/1": {"RuleNumber": 100, "Egress": false, "Protocol": "1", "RuleAction": "allow", "CidrBlock": "0.0.0.0/0", "IcmpTypeCode": {"Type": 8, "Code": -1}}});
    assert_eq!(
        line(&ask(&changed(plain(), no_answers), "i-1", "8.8.8.8", Some(Service::ping()))),
        "blocked: network-acl-ingress at acl-node"
    );
}

fn entry(number: i64, egress: bool, action: &str, block: &str, ports: Option<(i64, i64)>) -> Value {
    let mut entry = json!({"RuleNumber": number, "Egress": egress, "Protocol": "6", "RuleAction": action, "CidrBlock": block});
    if let Some((from, to)) = ports {
        entry["PortRange"] = json!({"From": from, "To": to});
    }
    entry
}

#[test]
fn network_acls() {
    let node = |entries: Value| json!({"/NetworkAcls/1/Entries": entries});
    let out = || entry(100, true, "allow", "0.0.0.0/0", Some((443, 443)));
    // The lowest number decides, wherever it stands in the list.
    check(
        json!({"/NetworkAcls/1/Entries/-": entry(50, true, "deny", "10.0.2.0/24", None)}),
        "10.0.2.10",
        "blocked: network-acl-egress at acl-node",
    );
    check(
        json!({"/NetworkAcls/1/Entries/-": entry(150, true, "deny", "10.0.2.0/24", None)}),
        "10.0.2.10",
        "reachable",
    );
    // No rule is a denial, also where the final one is not listed.
    check(node(json!([])), "10.0.2.10", "blocked: network-acl-egress at acl-node");
    // Replies come to ephemeral ports: all of those of Linux have to be let in.
    check(
        node(json!([out(), entry(100, false, "allow", "0.0.0.0/0", Some((1024, 65535)))])),
        "8.8.8.8",
        "reachable",
    );
    check(
        node(json!([out(), entry(100, false, "allow", "0.0.0.0/0", Some((32768, 60999)))])),
        "8.8.8.8",
        "reachable",
    );
    check(
        node(json!([out(), entry(100, false, "allow", "0.0.0.0/0", Some((32768, 60998)))])),
        "8.8.8.8",
        "blocked: network-acl-ingress at acl-node",
    );
    check(
        node(json!([out(), entry(100, false, "allow", "0.0.0.0/0", Some((443, 443)))])),
        "8.8.8.8",
        "blocked: network-acl-ingress at acl-node",
    );
    check(
        node(json!([
            out(),
            entry(100, false, "allow", "0.0.0.0/0", Some((1024, 40000))),
            entry(110, false, "allow", "0.0.0.0/0", Some((40001, 65535)))
        ])),
        "8.8.8.8",
        "reachable",
    );
    check(
        node(json!([
            out(),
            entry(90, false, "deny", "0.0.0.0/0", Some((3389, 3389))),
            entry(100, false, "allow", "0.0.0.0/0", None)
        ])),
        "8.8.8.8",
        "reachable",
    );
    // The ACL of the NAT gateway's subnet: replies come to 1024-65535.
    check(
        json!({"/NetworkAcls/0/Entries": [out(), entry(100, false, "allow", "10.0.0.0/16", None), entry(110, false, "allow", "0.0.0.0/0", Some((32768, 65535))), entry(110, true, "allow", "10.0.0.0/16", None)]}),
        "8.8.8.8",
        "blocked: network-acl-ingress at acl-default",
    );
    // Network ACLs do not see what stays in a subnet.
    check(
        json!({"/NetworkAcls/1/Entries": [], "/NetworkInterfaces/2/SubnetId": "subnet-node", "/NetworkInterfaces/2/PrivateIpAddress": "10.0.1.20"}),
        "10.0.1.20",
        "reachable",
    );
    // What was not read decides nothing.
    check(
        json!({"-/NetworkAcls": null}),
        "10.0.2.10",
        "unknown: the network ACL of subnet-node was not read; the network ACL of subnet-other was not read",
    );
    // Every blocker is found, not just the first.
    let trace = ask(
        &changed(plain(), json!({"/NetworkAcls/1/Entries": [], "/SecurityGroups/0/IpPermissionsEgress": []})),
        "i-1",
        "10.0.2.10",
        None,
    );
    let blockers: Vec<_> = trace
        .blockers
        .iter()
        .map(|blocker| (blocker.component.as_str(), blocker.reason.as_str(), blocker.on_return))
        .collect();
    assert_eq!(
        blockers,
        [
            ("sg-node", "security-group-egress", false),
            ("acl-node", "network-acl-egress", false),
            ("acl-node", "network-acl-ingress", true)
        ]
    );
}

/// VPC User Guide, "Block public access to VPCs and subnets": ingress-only leaves NAT gateways alone.
#[test]
fn block_public_access() {
    let of_vpc = |mode: &str| json!({"/Vpcs/0/BlockPublicAccessStates": {"InternetGatewayBlockMode": mode}});
    let public = |mode: &str| {
        let mut changes = of_vpc(mode);
        changes["/RouteTables/0/Routes/1"] =
            json!({"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"});
        changes["/NetworkInterfaces/0/Association"] = json!({"PublicIp": "52.0.0.9"});
        changes
    };
    check(of_vpc("off"), "8.8.8.8", "reachable");
    check(of_vpc("block-ingress"), "8.8.8.8", "reachable");
    check(of_vpc("block-bidirectional"), "8.8.8.8", "blocked: no-route at igw-1");
    check(public("off"), "8.8.8.8", "reachable");
    check(public("block-ingress"), "8.8.8.8", "blocked: no-route at igw-1");
    check(public("block-bidirectional"), "8.8.8.8", "blocked: no-route at igw-1");
    check(of_vpc("block-bidirectional"), "10.0.2.10", "reachable");
    // An exclusion of the subnet of the NAT gateway is in the state of that subnet.
    let mut excluded = of_vpc("block-bidirectional");
    excluded["/Subnets/1/BlockPublicAccessStates"] = json!({"InternetGatewayBlockMode": "off"});
    check(excluded, "8.8.8.8", "reachable");
}

#[test]
fn routes_and_gateways() {
    let route = |value: Value| json!({"/RouteTables/0/Routes/1": value});
    check(
        route(json!({"DestinationCidrBlock": "1.0.0.0/8", "NatGatewayId": "nat-1"})),
        "8.8.8.8",
        "blocked: no-route at rtb-main",
    );
    check(
        route(json!({"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "State": "blackhole"})),
        "8.8.8.8",
        "blocked: blackhole-route at rtb-main",
    );
    // Gateways may have ids of any form, as made-up snapshots show.
    check(
        json!({"/RouteTables/1/Routes/1/GatewayId": "internet", "/InternetGateways/0/InternetGatewayId": "internet"}),
        "8.8.8.8",
        "reachable",
    );
    // Attached to another VPC, or not any more, it is none of ours.
    for attachment in
        [json!({"VpcId": "vpc-9", "State": "available"}), json!({"VpcId": "vpc-1", "State": "detached"})]
    {
        check(
            json!({"/RouteTables/0/Routes/1": {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"}, "/NetworkInterfaces/0/Association": {"PublicIp": "52.0.0.9"}, "/InternetGateways/0/Attachments/0": attachment}),
            "8.8.8.8",
            "blocked: blackhole-route at igw-1",
        );
    }
    // The public address of another private address of the interface does not serve.
    let with_addresses = |first: Value, second: Value| {
        let address = |address: &str, association: Value| json!({"PrivateIpAddress": address, "Association": association});
        json!({"/RouteTables/0/Routes/1": {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"},
            "/NetworkInterfaces/0/PrivateIpAddresses": [address("10.0.1.10", first), address("10.0.1.11", second)]})
    };
    let public = || json!({"PublicIp": "52.0.0.9"});
    check(with_addresses(public(), Value::Null), "8.8.8.8", "reachable");
    check(with_addresses(Value::Null, public()), "8.8.8.8", "blocked: no-public-address at igw-1");
    // An internet gateway carries only interfaces with a public address.
    check(
        route(json!({"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"})),
        "8.8.8.8",
        "blocked: no-public-address at igw-1",
    );
    check(
        json!({"/RouteTables/0/Routes/1": {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"}, "/NetworkInterfaces/0/Association": {"PublicIp": "52.0.0.9"}}),
        "8.8.8.8",
        "reachable",
    );
    check(
        json!({"/RouteTables/0/Routes/1": {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"}, "/NetworkInterfaces/0/Association": {"PublicIp": "52.0.0.9"}, "/InternetGateways/0/Attachments": []}),
        "8.8.8.8",
        "blocked: blackhole-route at igw-1",
    );
    // The longest match wins, also over the local route.
    check(
        json!({"/RouteTables/0/Routes/-": {"DestinationCidrBlock": "10.0.2.0/24", "NetworkInterfaceId": "eni-2"}}),
        "10.0.2.77",
        "blocked: no-route at eni-2",
    );
    check(
        json!({"/RouteTables/0/Routes/-": {"DestinationCidrBlock": "10.0.2.0/24", "NetworkInterfaceId": "eni-2"}, "/NetworkInterfaces/2/SourceDestCheck": false}),
        "10.0.2.77",
        "unknown: what appliance eni-2 does with packets is not modelled",
    );
    check(
        json!({"/RouteTables/0/Routes/-": {"DestinationCidrBlock": "8.8.8.0/24", "TransitGatewayId": "tgw-1", "State": "blackhole"}}),
        "8.8.8.8",
        "blocked: blackhole-route at rtb-main",
    );
    // Static before prefix list before propagated, for the same block.
    let list = json!({"PrefixListId": "pl-own", "PrefixListName": "own", "Cidrs": ["8.8.8.0/24"]});
    let by_list = json!({"DestinationPrefixListId": "pl-own", "VpcPeeringConnectionId": "pcx-gone", "State": "blackhole"});
    check(
        json!({"/PrefixLists/-": list, "/RouteTables/0/Routes/-": by_list}),
        "8.8.8.8",
        "blocked: blackhole-route at rtb-main",
    );
    let worlds =
        [("CreateRoute", "reachable"), ("EnableVgwRoutePropagation", "blocked: blackhole-route at rtb-main")];
    for (origin, expected) in worlds {
        let same = json!({"DestinationCidrBlock": "8.8.8.0/24", "NatGatewayId": "nat-1", "Origin": origin});
        let world = changed(
            changed(plain(), json!({"/PrefixLists/-": list, "/RouteTables/0/Routes/-": by_list})),
            json!({"/RouteTables/0/Routes/-": same}),
        );
        assert_eq!(line(&ask(&world, "i-1", "8.8.8.8", None)), expected);
    }
    // A list whose entries were not read may take it.
    check(
        json!({"/RouteTables/0/Routes/-": {"DestinationPrefixListId": "pl-unread", "VpcPeeringConnectionId": "pcx-1"}}),
        "8.8.8.8",
        "unknown: the entries of prefix list pl-unread, a route of rtb-main, were not read",
    );
    check(
        json!({"/RouteTables/0/Routes/-": {"DestinationPrefixListId": "pl-unread", "VpcPeeringConnectionId": "pcx-1"}}),
        "10.0.2.10",
        "reachable",
    );
    // A subnet's own table comes before the main one.
    check(
        json!({"/RouteTables/-": {"RouteTableId": "rtb-own", "VpcId": "vpc-1", "Associations": [{"SubnetId": "subnet-node"}], "Routes": []}}),
        "8.8.8.8",
        "blocked: no-route at rtb-own",
    );
    check(json!({"-/RouteTables": null}), "8.8.8.8", "unknown: the route table of subnet-node was not read");
    check(
        route(json!({"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "vgw-1"})),
        "8.8.8.8",
        "unknown: what lies beyond VPN gateway vgw-1 is not in the snapshot",
    );
    check(
        route(json!({"DestinationCidrBlock": "0.0.0.0/0", "LocalGatewayId": "lgw-1"})),
        "8.8.8.8",
        "unknown: what lies beyond lgw-1 is not modelled",
    );
    check(json!({}), "10.0.9.1", "blocked: no-route at vpc-1");
    check(json!({}), "10.0.2.99", "blocked: no-route at subnet-other");
    check(
        json!({"/VpcEndpoints/-": {"VpcEndpointId": "vpce-fw", "VpcEndpointType": "GatewayLoadBalancer", "VpcId": "vpc-1", "State": "available"}, "/RouteTables/0/Routes/1": {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "vpce-fw"}}),
        "8.8.8.8",
        "unknown: what firewall or appliance endpoint vpce-fw (GatewayLoadBalancer) lets pass is not modelled",
    );
    // What comes back in may be led past an appliance.
    check(
        json!({"/RouteTables/-": {"RouteTableId": "rtb-edge", "VpcId": "vpc-1", "Associations": [{"GatewayId": "igw-1"}], "Routes": [{"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"}, {"DestinationCidrBlock": "10.0.0.0/24", "NetworkInterfaceId": "eni-2"}]}, "/NetworkInterfaces/2/SourceDestCheck": false}),
        "8.8.8.8",
        "unknown: what appliance eni-2 does with packets is not modelled",
    );
}

#[test]
fn nat_gateways() {
    check(json!({"/NatGateways/0/State": "failed"}), "8.8.8.8", "blocked: nat-unavailable at nat-1");
    check(json!({"/NatGateways": []}), "8.8.8.8", "blocked: nat-unavailable at nat-1");
    check(json!({"-/NatGateways": null}), "8.8.8.8", "unknown: nat-1 was not read");
    check(
        json!({"/NatGateways/0/ConnectivityType": "private"}),
        "8.8.8.8",
        "blocked: nat-unavailable at nat-1",
    );
    check(
        json!({"/RouteTables/1/Routes": [{"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"}]}),
        "8.8.8.8",
        "blocked: no-route at rtb-public",
    );
    check(json!({"/RouteTables/1/Associations": []}), "8.8.8.8", "blocked: nat-unavailable at nat-1");
    check(json!({}), "nat-1", "blocked: nat-unavailable at nat-1");
    // A regional one stands in no subnet and has a table of its own.
    let regional = json!({"NatGatewayId": "nat-1", "VpcId": "vpc-1", "State": "available", "AvailabilityMode": "regional", "RouteTableId": "rtb-public", "NatGatewayAddresses": [{"PublicIp": "52.0.0.5"}]});
    check(json!({"/NatGateways/0": regional, "/NetworkAcls/0/Entries": []}), "8.8.8.8", "reachable");
    check(
        json!({"/NatGateways/0": changed(regional, json!({"/RouteTableId": "rtb-unread"}))}),
        "8.8.8.8",
        "unknown: the route table of regional NAT gateway nat-1 was not read",
    );
    // Its interface need not be in the snapshot.
    check(json!({"/NetworkInterfaces/1/NetworkInterfaceId": "eni-else"}), "8.8.8.8", "reachable");
}

/// A second VPC 10.1.0.0/16 with one instance that lets in everything.
fn with_second_vpc(changes: Value) -> Value {
    let second = json!({
        "/Vpcs/-": {"VpcId": "vpc-2", "CidrBlock": "10.1.0.0/16"},
        "/Subnets/-": {"SubnetId": "subnet-far", "VpcId": "vpc-2", "CidrBlock": "10.1.0.0/24", "AvailabilityZone": "eu-west-1a"},
        "/RouteTables/-": {"RouteTableId": "rtb-far", "VpcId": "vpc-2", "Associations": [{"Main": true}], "Routes": [{"DestinationCidrBlock": "10.1.0.0/16", "GatewayId": "local"}]},
        "/NetworkAcls/-": {"NetworkAclId": "acl-far", "VpcId": "vpc-2", "IsDefault": true, "Entries": [entry(100, true, "allow", "0.0.0.0/0", None), entry(100, false, "allow", "0.0.0.0/0", None)]},
        "/SecurityGroups/-": {"GroupId": "sg-far", "VpcId": "vpc-2", "IpPermissions": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]},
        "/NetworkInterfaces/-": {"NetworkInterfaceId": "eni-far", "SubnetId": "subnet-far", "VpcId": "vpc-2", "PrivateIpAddress": "10.1.0.10", "Groups": [{"GroupId": "sg-far"}]},
    });
    changed(changed(plain(), second), changes)
}

#[test]
fn peerings() {
    let peering = |code: &str| json!({"VpcPeeringConnectionId": "pcx-1", "Status": {"Code": code}, "RequesterVpcInfo": {"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}, "AccepterVpcInfo": {"VpcId": "vpc-2", "CidrBlock": "10.1.0.0/16", "OwnerId": "444455556666"}});
    let there = || json!({"DestinationCidrBlock": "10.0.0.0/8", "VpcPeeringConnectionId": "pcx-1"});
    let both = |code: &str| json!({"/VpcPeeringConnections": [peering(code)], "/RouteTables/0/Routes/-": there(), "/RouteTables/2/Routes/-": there()});
    let ask = |world: &Value, to: &str| line(&ask(world, "i-1", to, None));
    assert_eq!(ask(&with_second_vpc(both("active")), "10.1.0.10"), "reachable");
    assert_eq!(
        ask(&with_second_vpc(both("pending-acceptance")), "10.1.0.10"),
        "blocked: blackhole-route at pcx-1"
    );
    // It leads into the other VPC and no further.
    assert_eq!(ask(&with_second_vpc(both("active")), "10.2.0.10"), "blocked: no-route at pcx-1");
    // Routes are needed on both sides.
    let one_side = json!({"/VpcPeeringConnections": [peering("active")], "/RouteTables/0/Routes/-": there()});
    assert_eq!(ask(&with_second_vpc(one_side), "10.1.0.10"), "blocked: return-path at rtb-far");
    // Groups of the other side may be named.
    let by_group = changed(
        with_second_vpc(both("active")),
        json!({"/SecurityGroups/2/IpPermissions": [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-node"}]}]}),
    );
    assert_eq!(ask(&by_group, "10.1.0.10"), "reachable");
    // The other account was not read.
    let alone = changed(
        plain(),
        json!({"/VpcPeeringConnections": [peering("active")], "/RouteTables/0/Routes/-": there()}),
    );
    assert_eq!(
        ask(&alone, "10.1.0.10"),
        "unknown: vpc-2 of account 444455556666, beyond peering pcx-1, was not read"
    );
}

/// Both VPCs on a transit gateway; the second one has the way to the internet.
fn with_transit_gateway() -> Value {
    let attachment = |id: &str, vpc: &str| json!({"TransitGatewayAttachmentId": id, "TransitGatewayId": "tgw-1", "ResourceType": "vpc", "ResourceId": vpc, "State": "available", "Association": {"TransitGatewayRouteTableId": "tgw-rtb-1", "State": "associated"}});
    let of_vpc = |id: &str, vpc: &str, subnet: &str| json!({"TransitGatewayAttachmentId": id, "TransitGatewayId": "tgw-1", "VpcId": vpc, "State": "available", "SubnetIds": [subnet]});
    let propagation = |id: &str, vpc: &str| json!({"TransitGatewayAttachmentId": id, "ResourceType": "vpc", "ResourceId": vpc, "State": "enabled"});
    with_second_vpc(json!({
        "/RouteTables/0/Routes/1": {"DestinationCidrBlock": "0.0.0.0/0", "TransitGatewayId": "tgw-1"},
        "/RouteTables/2/Routes/-": {"DestinationCidrBlock": "10.0.0.0/8", "TransitGatewayId": "tgw-1"},
        "/TransitGateways": [{"TransitGatewayId": "tgw-1", "State": "available"}],
        "/TransitGatewayAttachments": [attachment("tgw-attach-1", "vpc-1"), attachment("tgw-attach-2", "vpc-2")],
        "/TransitGatewayVpcAttachments": [of_vpc("tgw-attach-1", "vpc-1", "subnet-node"), of_vpc("tgw-attach-2", "vpc-2", "subnet-far")],
        "/TransitGatewayRouteTables": [{"TransitGatewayRouteTableId": "tgw-rtb-1", "TransitGatewayId": "tgw-1"}],
        "/TransitGatewayStaticRoutes": [{"TransitGatewayRouteTableId": "tgw-rtb-1", "Routes": [{"DestinationCidrBlock": "0.0.0.0/0", "State": "active", "Type": "static", "TransitGatewayAttachments": [{"TransitGatewayAttachmentId": "tgw-attach-2", "ResourceType": "vpc", "ResourceId": "vpc-2"}]}]}],
        "/TransitGatewayPropagations": [{"TransitGatewayRouteTableId": "tgw-rtb-1", "TransitGatewayRouteTablePropagations": [propagation("tgw-attach-1", "vpc-1"), propagation("tgw-attach-2", "vpc-2")]}],
    }))
}

#[test]
fn transit_gateways() {
    let ask =
        |changes: Value, to: &str| line(&ask(&changed(with_transit_gateway(), changes), "i-1", to, None));
    assert_eq!(ask(json!({}), "10.1.0.10"), "reachable");
    assert_eq!(
        ask(json!({"/TransitGatewayAttachments/0/Association": null}), "10.1.0.10"),
        "blocked: no-route at tgw-attach-1"
    );
    assert_eq!(
        ask(json!({"/TransitGatewayVpcAttachments/0/State": "pendingAcceptance"}), "10.1.0.10"),
        "blocked: no-route at tgw-attach-1"
    );
    assert_eq!(
        ask(json!({"/TransitGatewayVpcAttachments/0/SubnetIds": ["subnet-other"]}), "10.1.0.10"),
        "blocked: no-route at tgw-attach-1"
    );
    assert_eq!(
        ask(
            json!({"/TransitGatewayStaticRoutes/0/Routes": [], "/TransitGatewayPropagations/0/TransitGatewayRouteTablePropagations": []}),
            "10.1.0.10"
        ),
        "blocked: no-route at tgw-rtb-1"
    );
    assert_eq!(
        ask(
            json!({"/TransitGatewayStaticRoutes/0/Routes/-": {"DestinationCidrBlock": "10.1.0.0/24", "State": "blackhole", "Type": "static"}}),
            "10.1.0.10"
        ),
        "blocked: blackhole-route at tgw-rtb-1"
    );
    assert_eq!(
        ask(json!({"-/TransitGatewayStaticRoutes": null, "-/TransitGatewayPropagations": null}), "10.1.0.10"),
        "unknown: the routes of tgw-rtb-1 were not read"
    );
    assert_eq!(
        ask(
            json!({"-/TransitGatewayAttachments": null, "-/TransitGatewayVpcAttachments": null}),
            "10.1.0.10"
        ),
        "unknown: the attachment of vpc-1 to tgw-1 was not read"
    );
    // The first VPC does not propagate: replies find no way back.
    assert_eq!(
        ask(
            json!({"/TransitGatewayPropagations/0/TransitGatewayRouteTablePropagations/0/State": "disabling", "/TransitGatewayStaticRoutes/0/Routes": []}),
            "10.1.0.10"
        ),
        "blocked: return-path at tgw-rtb-1"
    );
    // Groups of another VPC mean nothing, unless the gateway passes them on.
    let by_group = json!({"/SecurityGroups/2/IpPermissions": [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-node"}]}]});
    assert_eq!(ask(by_group.clone(), "10.1.0.10"), "blocked: security-group-ingress at sg-far");
    let mut passed_on = by_group;
    passed_on["/TransitGateways/0/Options"] = json!({"SecurityGroupReferencingSupport": "enable"});
    assert_eq!(ask(passed_on, "10.1.0.10"), "reachable");
    // Of two routes to one block the static one counts, whoever propagated the other.
    let propagated = json!({"DestinationCidrBlock": "0.0.0.0/0", "State": "active", "Type": "propagated", "TransitGatewayAttachments": [{"TransitGatewayAttachmentId": "tgw-attach-9", "ResourceType": "vpn", "ResourceId": "vpn-1"}]});
    assert_eq!(
        ask(
            json!({"/TransitGatewayPropagations/0/TransitGatewayRouteTablePropagations/1/State": "disabling", "/TransitGatewayStaticRoutes/0/Routes/-": propagated}),
            "10.1.0.10"
        ),
        "reachable"
    );
    // Packets leave the gateway in the zone in which they came.
    let two_homes = json!({
        "/Subnets/-": {"SubnetId": "subnet-elsewhere", "VpcId": "vpc-2", "CidrBlock": "10.1.8.0/28", "AvailabilityZone": "eu-west-1b"},
        "/TransitGatewayVpcAttachments/1/SubnetIds": ["subnet-elsewhere", "subnet-far"],
        "/NetworkAcls/-": {"NetworkAclId": "acl-elsewhere", "VpcId": "vpc-2", "Associations": [{"SubnetId": "subnet-elsewhere"}]},
    });
    assert_eq!(ask(two_homes, "10.1.0.10"), "reachable");
    // The ACL of the gateway's subnet sees what comes out of the gateway.
    assert_eq!(
        ask(
            json!({"/Subnets/-": {"SubnetId": "subnet-gateway", "VpcId": "vpc-2", "CidrBlock": "10.1.9.0/28", "AvailabilityZone": "eu-west-1a"}, "/TransitGatewayVpcAttachments/1/SubnetIds": ["subnet-gateway"], "/NetworkAcls/-": {"NetworkAclId": "acl-gateway", "VpcId": "vpc-2", "Associations": [{"SubnetId": "subnet-gateway"}]}}),
            "10.1.0.10"
        ),
        "blocked: network-acl-egress at acl-gateway"
    );
    // Searched routes are all routes there are.
    let searched = |more: bool| json!({"-/TransitGatewayStaticRoutes": null, "/Routes": [], "/TransitGatewayRouteTableId": "tgw-rtb-1", "/AdditionalRoutesAvailable": more});
    assert_eq!(ask(searched(false), "10.1.0.10"), "blocked: no-route at tgw-rtb-1");
    assert_eq!(ask(searched(true), "10.1.0.10"), "unknown: only some routes of tgw-rtb-1 were read");
}

#[test]
fn circles_end() {
    let circle = json!({"/RouteTables/2/Routes/-": {"DestinationCidrBlock": "0.0.0.0/0", "TransitGatewayId": "tgw-1"}});
    let circle = changed(with_transit_gateway(), circle);
    let trace = ask(&circle, "i-1", "9.9.9.9", None);
    assert_eq!(trace.blockers[0].because, "the routes lead in a circle");
    // With an interface in each of many zones, none of which the sender is in, the ways would multiply.
    let mut many = circle;
    for zone in 0..40 {
        let subnet = json!({"SubnetId": format!("subnet-z{zone}"), "VpcId": "vpc-2", "CidrBlock": format!("10.1.{}.0/24", 100 + zone), "AvailabilityZone": "eu-west-1z"});
        many["Subnets"].as_array_mut().unwrap().push(subnet);
    }
    let homes: Vec<String> = (0..40).map(|zone| format!("subnet-z{zone}")).collect();
    let many = changed(
        many,
        json!({"/TransitGatewayVpcAttachments/1/SubnetIds": homes, "/Subnets/0/AvailabilityZone": "eu-west-1a"}),
    );
    assert_ne!(ask(&many, "i-1", "9.9.9.9", None).verdict, Verdict::Reachable);
}

#[test]
fn central_egress_through_a_transit_gateway() {
    let egress = json!({
        "/Subnets/-": {"SubnetId": "subnet-far-public", "VpcId": "vpc-2", "CidrBlock": "10.1.1.0/24", "AvailabilityZone": "eu-west-1a"},
        "/RouteTables/-": {"RouteTableId": "rtb-far-public", "VpcId": "vpc-2", "Associations": [{"SubnetId": "subnet-far-public"}], "Routes": [{"DestinationCidrBlock": "10.1.0.0/16", "GatewayId": "local"}, {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-2"}, {"DestinationCidrBlock": "10.0.0.0/8", "TransitGatewayId": "tgw-1"}]},
        "/RouteTables/2/Routes/-": {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-2"},
        "/NatGateways/-": {"NatGatewayId": "nat-2", "VpcId": "vpc-2", "SubnetId": "subnet-far-public", "State": "available", "NatGatewayAddresses": [{"NetworkInterfaceId": "eni-nat-2", "PrivateIp": "10.1.1.5", "PublicIp": "52.0.0.6"}]},
        "/InternetGateways/-": {"InternetGatewayId": "igw-2", "Attachments": [{"VpcId": "vpc-2", "State": "available"}]},
    });
    let world = changed(with_transit_gateway(), egress);
    let trace = ask(&world, "i-1", "8.8.8.8", None);
    assert_eq!(line(&trace), "reachable");
    let ids = |hops: &[Hop]| {
        hops.iter()
            .filter(|hop| hop.kind != HopKind::NetworkAcl)
            .map(|hop| hop.id.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(
        ids(&trace.forward),
        "i-1 eni-1 sg-node subnet-node rtb-main vpc-1 tgw-1 tgw-rtb-1 vpc-2 subnet-far rtb-far subnet-far-public nat-2 subnet-far-public rtb-far-public vpc-2 igw-2 internet"
    );
    assert_eq!(
        ids(&trace.return_path),
        "internet igw-2 vpc-2 subnet-far-public nat-2 subnet-far-public rtb-far-public vpc-2 tgw-1 tgw-rtb-1 vpc-1 subnet-node eni-1 i-1"
    );
    let no_way_back = changed(world, json!({"/RouteTables/3/Routes/2/DestinationCidrBlock": "10.9.0.0/16"}));
    assert_eq!(line(&ask(&no_way_back, "i-1", "8.8.8.8", None)), "blocked: return-path at igw-2");
}

#[test]
fn ipv6() {
    let v6 = json!({
        "/Vpcs/0/Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": "2600:1f16:1:1100::/56", "Ipv6CidrBlockState": {"State": "associated"}}],
        "/Subnets/0/Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": "2600:1f16:1:1101::/64", "Ipv6CidrBlockState": {"State": "associated"}}],
        "/NetworkInterfaces/0/Ipv6Addresses": [{"Ipv6Address": "2600:1f16:1:1101::10"}],
        "/RouteTables/0/Routes/-": {"DestinationIpv6CidrBlock": "::/0", "EgressOnlyInternetGatewayId": "eigw-1"},
        "/EgressOnlyInternetGateways": [{"EgressOnlyInternetGatewayId": "eigw-1", "Attachments": [{"State": "attached", "VpcId": "vpc-1"}]}],
    });
    let open = |egress: bool| json!({"RuleNumber": 101, "Egress": egress, "Protocol": "-1", "RuleAction": "allow", "Ipv6CidrBlock": "::/0"});
    let ask = |changes: Value| {
        line(&ask(&changed(changed(plain(), v6.clone()), changes), "i-1", "2607:f8b0::1", None))
    };
    let group = json!([{"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}]);
    // Rules for IPv4 say nothing of IPv6.
    assert_eq!(ask(json!({})), "blocked: security-group-egress at sg-node");
    assert_eq!(
        ask(json!({"/SecurityGroups/0/IpPermissionsEgress": group})),
        "blocked: network-acl-egress at acl-node"
    );
    let well = json!({"/SecurityGroups/0/IpPermissionsEgress": group, "/NetworkAcls/1/Entries": [open(true), open(false)]});
    assert_eq!(ask(well.clone()), "reachable");
    let mut gone = well.clone();
    gone["/EgressOnlyInternetGateways/0/Attachments"] = json!([]);
    assert_eq!(ask(gone), "blocked: blackhole-route at eigw-1");
    let mut none = well;
    none["/NetworkInterfaces/0/Ipv6Addresses"] = json!([]);
    assert_eq!(ask(none), "blocked: no-public-address at eni-1");
}

fn s3_gateway(route: bool) -> Value {
    let mut changes = json!({"/VpcEndpoints/-": {"VpcEndpointId": "vpce-s3", "VpcEndpointType": "Gateway", "VpcId": "vpc-1", "ServiceName": "com.amazonaws.eu-west-1.s3", "State": "Available", "RouteTableIds": ["rtb-main"]}});
    if route {
        changes["/RouteTables/0/Routes/-"] =
            json!({"DestinationPrefixListId": "pl-s3", "GatewayId": "vpce-s3", "State": "active"});
    }
    changes
}

#[test]
fn a_prefix_list_is_decided_as_a_whole() {
    let isolated =
        json!({"/RouteTables/0/Routes/1": {"DestinationCidrBlock": "10.1.0.0/16", "GatewayId": "local"}});
    let world =
        |changes: Value| changed(changed(changed(plain(), isolated.clone()), s3_gateway(true)), changes);
    let ask = |changes: Value| ask(&world(changes), "i-1", "pl-s3", None);
    assert_eq!(line(&ask(json!({}))), "reachable");
    // The list by its id, which stands for all of its addresses.
    assert_eq!(
        line(&ask(egress(
            json!([{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "PrefixListIds": [{"PrefixListId": "pl-s3"}]}])
        ))),
        "reachable"
    );
    // The VPC's own block is not where S3 is.
    assert_eq!(
        line(&ask(egress(json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/16"}]}])))),
        "blocked: security-group-egress at sg-node"
    );
    // A part of the list is not the list: what fails is named.
    let part = ask(egress(json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "52.0.0.0/8"}]}])));
    assert_eq!(line(&part), "blocked: security-group-egress at sg-node");
    assert_eq!(part.blockers[0].failing, ["3.5.64.0/21"]);
    let part = ask(
        json!({"/PrefixLists/0/Cidrs/-": "99.0.0.0/24", "/NetworkAcls/1/Entries/-": entry(50, false, "deny", "99.0.0.0/25", None)}),
    );
    assert_eq!(line(&part), "blocked: network-acl-ingress at acl-node");
    assert_eq!(part.blockers[0].failing, ["99.0.0.0/25"]);
    // A more specific route takes a part of it elsewhere.
    let part = ask(
        json!({"/RouteTables/0/Routes/-": {"DestinationCidrBlock": "3.5.64.0/22", "NatGatewayId": "nat-x", "State": "blackhole"}}),
    );
    assert_eq!(line(&part), "blocked: no-route at rtb-main".replace("no-route", "blackhole-route"));
    assert_eq!(part.blockers[0].failing, ["3.5.64.0/22"]);
    // Without its entries the list is still known by its id, and an open rule is open for all.
    let unread = |changes: Value| {
        line(&self::ask(
            &changed(world(json!({"/PrefixLists/0/Cidrs": null})), changes),
            "i-1",
            "pl-s3",
            None,
        ))
    };
    assert_eq!(unread(json!({})), "reachable");
    assert_eq!(
        unread(egress(json!([{"IpProtocol": "-1", "PrefixListIds": [{"PrefixListId": "pl-s3"}]}]))),
        "reachable"
    );
    assert!(
        unread(egress(json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "52.0.0.0/8"}]}])))
            .starts_with("unknown: perhaps blocked: no rule of sg-node allows tcp/443")
    );
    assert_eq!(
        line(&ask(json!({"/VpcEndpoints/0/State": "Pending"}))),
        "blocked: endpoint-unavailable at vpce-s3"
    );
}

#[test]
fn routes_that_always_exist_need_not_be_listed() {
    // The local route.
    check(json!({"/RouteTables/0/Routes": []}), "10.0.2.10", "reachable");
    check(json!({"/RouteTables/0/Routes": []}), "8.8.8.8", "blocked: no-route at rtb-main");
    // The route of a gateway endpoint, with and without its prefix list.
    let mut associated = s3_gateway(false);
    associated["/RouteTables/0/Routes"] = json!([]);
    check(associated.clone(), "pl-s3", "reachable");
    check(associated.clone(), "vpce-s3", "reachable");
    associated["/PrefixLists"] = json!([]);
    check(associated.clone(), "vpce-s3", "reachable");
    associated["/VpcEndpoints/-"]["RouteTableIds"] = json!(["rtb-public"]);
    check(associated, "vpce-s3", "blocked: no-route at rtb-main");
}

#[test]
fn some_public_address_is_no_known_address() {
    let ask = |changes: Value| line(&ask(&changed(plain(), changes), "i-1", "internet", None));
    assert_eq!(ask(json!({})), "reachable");
    assert_eq!(
        ask(egress(json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]))),
        "blocked: security-group-egress at sg-node"
    );
    assert!(
        ask(egress(json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "52.0.0.0/8"}]}])))
            .starts_with("unknown: perhaps blocked")
    );
    assert_eq!(
        ask(egress(
            json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/1"}, {"CidrIp": "128.0.0.0/1"}]}])
        )),
        "reachable"
    );
    // The gateway of another service takes none of them.
    assert_eq!(ask(s3_gateway(true)), "reachable");
}

fn endpoint(id: &str, service: &str) -> Value {
    json!({"VpcEndpointId": id, "VpcEndpointType": "Interface", "VpcId": "vpc-1", "ServiceName": format!("com.amazonaws.eu-west-1.{service}"), "State": "available", "PrivateDnsEnabled": true, "SubnetIds": ["subnet-other"], "Groups": [{"GroupId": "sg-other"}], "NetworkInterfaceIds": [format!("eni-{id}")]})
}

pub(super) fn registry() -> PullHosts {
    PullHosts::of(&EcrHost::parse("111122223333.dkr.ecr.eu-west-1.amazonaws.com").unwrap()).unwrap()
}

fn pull(changes: Value) -> String {
    let world = changed(plain(), changes);
    let snapshot = snapshot(&world);
    let network = Network::of(&snapshot);
    let source = network.resolve_source("i-1").unwrap().remove(0);
    let hosts = registry();
    let flows = pull::flows(&network, &source, &hosts);
    flows.in_order().iter().map(|flow| lawful(&flow.trace)).for_each(drop);
    flows
        .in_order()
        .iter()
        .map(|flow| format!("{} {}\n", flow.host.split('.').next().unwrap(), line(&flow.trace)))
        .collect()
}

#[test]
fn the_flows_of_a_pull() {
    expect![[r#"
        dns reachable
        api reachable
        111122223333 reachable
        prod-eu-west-1-starport-layer-bucket reachable
    "#]]
    .assert_eq(&pull(json!({})));
    let private = || {
        let mut changes = s3_gateway(true);
        changes["/RouteTables/0/Routes/1"] =
            json!({"DestinationPrefixListId": "pl-s3", "GatewayId": "vpce-s3"});
        changes["/VpcEndpoints"] = json!([
            changes["/VpcEndpoints/-"],
            endpoint("vpce-api", "ecr.api"),
            endpoint("vpce-dkr", "ecr.dkr")
        ]);
        changes.as_object_mut().unwrap().remove("/VpcEndpoints/-");
        changes.as_object_mut().unwrap().remove("/RouteTables/0/Routes/-");
        changes
    };
    expect![[r#"
        dns reachable
        api reachable
        111122223333 reachable
        prod-eu-west-1-starport-layer-bucket reachable
    "#]]
    .assert_eq(&pull(private()));
    let with = |pointer: &str, value: Value| {
        let mut changes = private();
        changes[pointer] = value;
        pull(changes)
    };
    expect![[r#"
        dns reachable
        api blocked: security-group-ingress at sg-other
        111122223333 blocked: security-group-ingress at sg-other
        prod-eu-west-1-starport-layer-bucket reachable
    "#]]
    .assert_eq(&with("/SecurityGroups/1/IpPermissions", json!([])));
    expect![[r#"
        dns reachable
        api reachable
        111122223333 blocked: no-route at rtb-main
        prod-eu-west-1-starport-layer-bucket reachable
    "#]]
    .assert_eq(&with("/VpcEndpoints/2/PrivateDnsEnabled", json!(false)));
    expect![[r#"
        dns blocked: dns at vpc-1
        api blocked: dns at vpc-1
        111122223333 blocked: dns at vpc-1
        prod-eu-west-1-starport-layer-bucket blocked: dns at vpc-1
    "#]]
    .assert_eq(&with("/VpcAttributesOff", json!(["EnableDnsSupport"])));
    expect![[r#"
        dns reachable
        api blocked: no-route at rtb-main
        111122223333 blocked: no-route at rtb-main
        prod-eu-west-1-starport-layer-bucket reachable
    "#]]
    .assert_eq(&with("/VpcAttributesOff", json!(["EnableDnsHostnames"])));
    expect![[r#"
        dns unknown: enableDnsSupport of vpc-1 was not read
        api unknown: enableDnsSupport of vpc-1 was not read
        111122223333 unknown: enableDnsSupport of vpc-1 was not read
        prod-eu-west-1-starport-layer-bucket unknown: enableDnsSupport of vpc-1 was not read
    "#]]
    .assert_eq(&with("/VpcAttributesUnread", json!(true)));
    expect![[r#"
        dns reachable
        api reachable
        111122223333 reachable
        prod-eu-west-1-starport-layer-bucket blocked: security-group-egress at sg-node
    "#]]
    .assert_eq(&with(
        "/SecurityGroups/0/IpPermissionsEgress",
        json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/16"}]}]),
    ));
}

#[test]
fn private_zones_and_resolver_rules_shadow_public_names() {
    let zone = |name: &str, vpc: &str| json!({"/HostedZone": {"Id": "/hostedzone/Z1", "Name": name}, "/VPCs": [{"VPCId": vpc}]});
    let api = |changes: Value| pull(changes).lines().nth(1).unwrap().to_owned();
    assert_eq!(
        api(zone("amazonaws.com.", "vpc-1")),
        "api unknown: private zone amazonaws.com (Z1) answers for api.ecr.eu-west-1.amazonaws.com, and its records were not read"
    );
    assert_eq!(api(zone("amazonaws.com.", "vpc-2")), "api reachable");
    assert_eq!(api(zone("xamazonaws.com.", "vpc-1")), "api reachable");
    let with_records = |records: Value| {
        let mut changes = zone("ecr.eu-west-1.amazonaws.com.", "vpc-1");
        changes["/HostedZoneId"] = json!("Z1");
        changes["/ResourceRecordSets"] = records;
        api(changes)
    };
    assert_eq!(with_records(json!([])), "api blocked: dns at vpc-1");
    assert_eq!(
        with_records(
            json!([{"Name": "api.ecr.eu-west-1.amazonaws.com.", "Type": "A", "ResourceRecords": [{"Value": "10.0.2.10"}]}])
        ),
        "api reachable"
    );
    assert_eq!(
        with_records(
            json!([{"Name": "\\052.ecr.eu-west-1.amazonaws.com.", "Type": "A", "ResourceRecords": [{"Value": "10.0.9.9"}]}])
        ),
        "api blocked: no-route at vpc-1"
    );
    let rule = |domain: &str, kind: &str| json!({"/ResolverRules": [{"Id": "rslvr-rr-1", "DomainName": domain, "RuleType": kind}], "/ResolverRuleAssociations": [{"Id": "a", "ResolverRuleId": "rslvr-rr-1", "VPCId": "vpc-1"}]});
    assert_eq!(
        api(rule("amazonaws.com.", "FORWARD")),
        "api unknown: resolver rule rslvr-rr-1 sends api.ecr.eu-west-1.amazonaws.com to another DNS server"
    );
    assert_eq!(api(rule("amazonaws.com.", "SYSTEM")), "api reachable");
    assert_eq!(api(rule("example.com.", "FORWARD")), "api reachable");
}

#[test]
fn custom_dns_servers() {
    let servers = |address: &str| json!({"/Vpcs/0/DhcpOptionsId": "dopt-1", "/DhcpOptions": [{"DhcpOptionsId": "dopt-1", "DhcpConfigurations": [{"Key": "domain-name-servers", "Values": [{"Value": address}]}]}]});
    let dns = |changes: Value| pull(changes).lines().next().unwrap().to_owned();
    assert_eq!(dns(servers("AmazonProvidedDNS")), "dns reachable");
    assert_eq!(dns(servers("10.0.0.2")), "dns reachable");
    assert_eq!(dns(servers("10.0.2.10")), "dns blocked: security-group-ingress at sg-other");
    let mut open = servers("10.0.2.10");
    open["/SecurityGroups/1/IpPermissions/0/IpProtocol"] = json!("-1");
    assert_eq!(
        dns(open),
        "dns unknown: what the custom DNS servers (10.0.2.10) answer is not in the snapshot"
    );
    assert_eq!(
        dns(json!({"/Vpcs/0/DhcpOptionsId": "dopt-2"})),
        "dns unknown: DHCP options dopt-2 of vpc-1 were not read"
    );
    // The resolver of the VPC is filtered by nothing.
    check(
        json!({"/SecurityGroups/0/IpPermissionsEgress": [], "/NetworkAcls/1/Entries": []}),
        "10.0.0.2:53",
        "reachable",
    );
    check(
        json!({"/SecurityGroups/0/IpPermissionsEgress": [], "/NetworkAcls/1/Entries": []}),
        "169.254.169.253:53",
        "reachable",
    );
}

#[test]
fn sources() {
    let sources = |changes: Value, from: &str| {
        let snapshot = snapshot(&changed(plain(), changes));
        let network = Network::of(&snapshot);
        match network.resolve_source(from) {
            Ok(sources) => sources.iter().map(Source::name).collect::<Vec<_>>().join(", "),
            Err(error) => format!("{} / {}", error.what(), error.hint()),
        }
    };
    assert_eq!(sources(json!({}), "i-1"), "i-1 (eni-1)");
    assert_eq!(sources(json!({}), "eni-nat"), "eni-nat");
    assert_eq!(sources(json!({}), "subnet-node"), "i-1 (eni-1)", "those of other subnets are not in it");
    assert_eq!(sources(json!({}), "10.0.1.10"), "10.0.1.10 (eni-1)");
    assert_eq!(sources(json!({}), "10.0.1.77"), "10.0.1.77 in subnet-node");
    assert_eq!(sources(json!({}), "8.8.8.8"), "8.8.8.8");
    assert_eq!(
        sources(json!({}), "192.168.0.1"),
        "there is no source 192.168.0.1 in the snapshot / name one that the snapshot holds, such as eni-1, eni-2, eni-nat, i-1, i-2"
    );
    assert_eq!(
        sources(json!({}), "subnet-nod"),
        "there is no source subnet-nod in the snapshot / name one that the snapshot holds, such as subnet-node, subnet-other, subnet-public, eni-1, eni-2"
    );
    let cluster = json!({"/cluster": {"name": "prod", "arn": "arn:aws:eks:eu-west-1:111122223333:cluster/prod", "resourcesVpcConfig": {"vpcId": "vpc-1", "clusterSecurityGroupId": "sg-node"}}, "/nodegroup": {"nodegroupName": "ng", "clusterName": "prod", "subnets": ["subnet-node", "subnet-other"]}, "/fargateProfile": {"fargateProfileName": "fp", "clusterName": "prod", "subnets": ["subnet-other"]}});
    assert_eq!(sources(cluster.clone(), "ng"), "prod/ng in subnet-node, prod/ng in subnet-other");
    assert_eq!(sources(cluster.clone(), "prod/fp"), "prod/fp in subnet-other");
    let mut running = cluster.clone();
    running["/Reservations"] = json!([{"Instances": [{"InstanceId": "i-1", "PrivateDnsName": "ip-10-0-1-10.eu-west-1.compute.internal", "Tags": [{"Key": "eks:nodegroup-name", "Value": "ng"}, {"Key": "eks:cluster-name", "Value": "prod"}]}]}]);
    assert_eq!(sources(running.clone(), "ng"), "i-1 (eni-1)");
    assert_eq!(sources(running, "ip-10-0-1-10.eu-west-1.compute.internal"), "i-1 (eni-1)");
    // A pod of Fargate has the group of the cluster.
    assert_eq!(line(&ask(&changed(plain(), cluster), "fp", "8.8.8.8", None)), "reachable");
    // A node in a public subnet gets a public address where the subnet gives one, a pod of Fargate never.
    let in_public = |from: &str, on_launch: bool| {
        let mut changes = json!({
            "/cluster": {"name": "prod", "arn": "arn:aws:eks:eu-west-1:111122223333:cluster/prod", "resourcesVpcConfig": {"vpcId": "vpc-1", "clusterSecurityGroupId": "sg-node"}},
            "/nodegroup": {"nodegroupName": "ng", "clusterName": "prod", "subnets": ["subnet-public"]},
            "/fargateProfile": {"fargateProfileName": "fp", "clusterName": "prod", "subnets": ["subnet-public"]},
        });
        changes["/Subnets/1/MapPublicIpOnLaunch"] = json!(on_launch);
        line(&ask(&changed(plain(), changes), from, "8.8.8.8", None))
    };
    assert_eq!(in_public("ng", true), "reachable");
    assert_eq!(in_public("ng", false), "blocked: no-public-address at igw-1");
    assert_eq!(in_public("fp", true), "blocked: no-public-address at igw-1");
    // From the internet to the public address of an instance.
    let public = json!({"/RouteTables/0/Routes/1": {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"}, "/NetworkInterfaces/2/Association": {"PublicIp": "52.0.0.9"}});
    assert_eq!(
        line(&ask(&changed(plain(), public.clone()), "8.8.8.8", "52.0.0.9", None)),
        "blocked: security-group-ingress at sg-other"
    );
    assert_eq!(line(&ask(&plain(), "8.8.8.8", "52.0.0.5", None)), "blocked: nat-unavailable at nat-1");
    assert_eq!(line(&ask(&plain(), "8.8.8.8", "10.0.2.10", None)), "blocked: no-route at internet");
    // One instance reaches another by its public address: then rules see the public address of the first.
    let by_public = |group_rule: Value| {
        let mut changes = public.clone();
        changes["/NetworkInterfaces/0/Association"] = json!({"PublicIp": "52.0.0.8"});
        changes["/SecurityGroups/1/IpPermissions/0"] = group_rule;
        line(&ask(&changed(plain(), changes), "i-1", "52.0.0.9", None))
    };
    assert_eq!(by_public(json!({"IpProtocol": "-1", "IpRanges": [{"CidrIp": "52.0.0.8/32"}]})), "reachable");
    let by_group = json!({"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-node"}]});
    assert_eq!(by_public(by_group), "blocked: security-group-ingress at sg-other");
}

#[test]
fn replies_that_take_another_way_out_are_lost() {
    let open = json!({"/SecurityGroups/1/IpPermissions": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}], "/NetworkInterfaces/2/Association": {"PublicIp": "52.0.0.9"}});
    let world = changed(plain(), open);
    assert_eq!(line(&ask(&world, "8.8.8.8", "52.0.0.9", None)), "blocked: return-path at nat-1");
    let public = changed(
        world,
        json!({"/RouteTables/0/Routes/1": {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"}}),
    );
    assert_eq!(line(&ask(&public, "8.8.8.8", "52.0.0.9", None)), "reachable");
}

#[test]
fn sources_that_a_rule_tells_apart_are_of_different_classes() {
    let classes = |changes: Value| {
        let node = json!({"NetworkInterfaceId": "eni-3", "SubnetId": "subnet-node", "VpcId": "vpc-1", "PrivateIpAddress": "10.0.1.200", "Groups": [{"GroupId": "sg-node"}], "Attachment": {"InstanceId": "i-3"}});
        let snapshot = snapshot(&changed(changed(plain(), json!({"/NetworkInterfaces/-": node})), changes));
        let network = Network::of(&snapshot);
        let sources: Vec<Source> =
            ["i-1", "i-3"].iter().flat_map(|id| network.resolve_source(id).unwrap()).collect();
        network.classes(&sources).len()
    };
    assert_eq!(classes(json!({})), 1);
    assert_eq!(
        classes(json!({"/NetworkAcls/0/Entries/-": entry(50, false, "deny", "10.0.1.128/25", None)})),
        2
    );
    assert_eq!(classes(json!({"/NetworkInterfaces/3/Groups": []})), 2);
    assert_eq!(classes(json!({"/NetworkInterfaces/3/Association": {"PublicIp": "52.0.0.9"}})), 2);
}

#[test]
fn a_destination_is_known_by_its_names() {
    check(json!({}), "ip-10-0-2-10.eu-west-1.compute.internal", "reachable");
    let trace = ask(&plain(), "i-1", "eni-2", None);
    let ends: Vec<&str> = trace.forward.iter().rev().take(2).map(|hop| hop.id.as_str()).collect();
    assert_eq!(ends, ["i-2", "eni-2"]);
    let snapshot = snapshot(&plain());
    let network = Network::of(&snapshot);
    let source = network.resolve_source("i-1").unwrap().remove(0);
    assert_eq!(network.subnet_of(&source), Some("subnet-node"));
    let endpoint = |service: &str| serde_json::from_value(endpoint("vpce-1", service)).unwrap();
    assert_eq!(names::private_names(&endpoint("sts")), ["sts.eu-west-1.amazonaws.com"]);
    assert_eq!(names::private_names(&endpoint("ec2")), [""; 0]);
}
