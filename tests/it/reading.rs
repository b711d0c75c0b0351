//! How the world is read: with which calls, and what becomes of those that are refused.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Case, Fault, Times};

/// Calls that only something unusual in a cluster asks for, which no scenario has.
const RARE: [&str; 9] = [
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeManagedPrefixLists",
    "ec2:DescribeTransitGatewayAttachments",
    "ec2:DescribeTransitGatewayRouteTables",
    "ec2:DescribeTransitGatewayVpcAttachments",
    "ec2:DescribeVpcPeeringConnections",
    "ec2:DescribeVpnGateways",
    "ec2:GetManagedPrefixListEntries",
    "ec2:SearchTransitGatewayRoutes",
];

#[test]
fn the_permissions_for_reading_are_those_that_are_used() {
    let mut used: BTreeSet<String> = RARE.map(str::to_owned).into();
    // The list of clusters is read only for a hint, and inline policies only where there are some.
    used.extend(["eks:ListClusters".to_owned(), "iam:GetRolePolicy".to_owned()]);
    let case = Case::build("healthy-private");
    let diagnosis = case.live("diagnose", &[]).expect(0).json();
    let unread = diagnosis["unread"].as_array().expect("unread").iter();
    let unread: Vec<_> = unread.filter(|unread| unread["source"] != "kubernetes:pods").collect();
    assert!(unread.is_empty(), "{diagnosis:#}");
    used.extend(case.proxy.requests().iter().map(|request| request.name()));
    let policy = case.run(&["permissions"]).expect(0).json();
    let statements = policy["Statement"].as_array().expect("statements").iter();
    let allowed = statements.flat_map(|statement| statement["Action"].as_array().expect("actions"));
    let allowed: BTreeSet<String> = allowed.map(|call| call.as_str().unwrap().to_owned()).collect();
    assert_eq!(used, allowed);
}

/// A read that is refused makes the answer less certain, never different.
#[test]
fn a_refused_read_never_turns_a_verdict() {
    for kind in ["healthy-private", "kitchen-sink"] {
        let case = Case::build(kind);
        let whole = case.live("diagnose", &[]).expect(0).json();
        let calls: BTreeSet<String> = case.proxy.requests().iter().map(|request| request.name()).collect();
        for call in calls.iter().filter(|call| !call.starts_with("sts:") && *call != "eks:DescribeCluster") {
            case.proxy.calm();
            case.proxy.rule(call, Times::Always, Fault::Deny);
            let part = case.live("diagnose", &[]).expect(0).json();
            let unread = part["unread"].as_array().expect("unread");
            let told = unread.iter().find(|row| row["source"] == **call);
            let told = told.unwrap_or_else(|| panic!("{kind}: nothing is said of {call}: {part:#}"));
            assert!(
                told["because"].as_str().unwrap().contains("nauthorized")
                    || told["because"].as_str().unwrap().contains("AccessDenied"),
                "{told}"
            );
            no_verdict_turned(&format!("{kind} without {call}"), &whole, &part);
        }
    }
}

/// Of what both know, they say the same; and only what is whole can be healthy.
fn no_verdict_turned(what: &str, whole: &Value, part: &Value) {
    assert_ne!(part["summary"]["verdict"], "healthy", "{what}");
    for path in part["pull_paths"].as_array().expect("pull paths") {
        let Some(before) =
            whole["pull_paths"].as_array().unwrap().iter().find(|other| other["id"] == path["id"])
        else {
            panic!("{what}: a new pull {path:#}");
        };
        for (leg, whole_leg) in
            path["legs"].as_array().unwrap().iter().zip(before["legs"].as_array().unwrap())
        {
            let (now, then) = (&leg["verdict"], &whole_leg["verdict"]);
            assert!(now == then || now == "unknown", "{what}: {leg} was {whole_leg}");
        }
    }
}
