//! How the world is read: with which calls, and what becomes of those that are refused.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Case, Fault, Times};
use crate::trouble::BESIDE;

/// Calls that only something unusual in a cluster asks for, which no scenario has.
const RARE: [&str; 22] = [
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeEgressOnlyInternetGateways",
    "ec2:DescribeInternetGateways",
    "ec2:DescribeManagedPrefixLists",
    "ec2:DescribeTransitGatewayAttachments",
    "ec2:DescribeTransitGatewayRouteTables",
    "ec2:DescribeTransitGatewayVpcAttachments",
    "ec2:DescribeVpcEndpointServices",
    "ec2:DescribeVpcPeeringConnections",
    "ec2:DescribeVpnGateways",
    "ec2:GetManagedPrefixListEntries",
    "ec2:SearchTransitGatewayRoutes",
    "ecr:BatchGetImage",
    "ecr:DescribePullThroughCacheRules",
    "ecr:DescribeRepositories",
    "ecr:GetLifecyclePolicy",
    "iam:GetPolicy",
    "iam:ListInstanceProfilesForRole",
    "organizations:DescribePolicy",
    "organizations:ListParents",
    "organizations:ListPoliciesForTarget",
    "route53:ListResourceRecordSets",
];

#[test]
fn the_permissions_for_reading_are_those_that_are_used() {
    let mut used: BTreeSet<String> = RARE.map(str::to_owned).into();
    // The list of clusters is read only for a hint, and inline policies only where there are some.
    used.extend(["eks:ListClusters".to_owned(), "iam:GetRolePolicy".to_owned()]);
    let case = Case::build("healthy-private");
    let images = case.images();
    let images: Vec<&str> = images.iter().map(String::as_str).collect();
    let diagnosis = case.live("diagnose", &images).expect(0).json();
    for row in diagnosis["unread"].as_array().expect("unread") {
        let source = row["source"].as_str().expect("a source");
        let never_read = ["kubernetes:", "route53resolver:"];
        assert!(never_read.iter().any(|service| source.starts_with(service)), "{diagnosis:#}");
    }
    used.extend(case.proxy.requests().iter().map(|request| request.name()));
    // Which role it is about is known only to whoever names it.
    used.remove("sts:AssumeRole");
    let policy = case.run(&["permissions"]).expect(0).json();
    let statements = policy["Statement"].as_array().expect("statements").iter();
    let allowed = statements.flat_map(|statement| statement["Action"].as_array().expect("actions"));
    let allowed: BTreeSet<String> = allowed.map(|call| call.as_str().unwrap().to_owned()).collect();
    assert_eq!(used, allowed);
}

/// A read that is refused makes the answer less certain, never different.
#[test]
fn a_refused_read_never_turns_a_verdict() {
    let case = Case::build("healthy-private");
    let images = case.images();
    let images: Vec<&str> = images.iter().map(String::as_str).collect();
    let whole = case.live("diagnose", &images).expect(0).json();
    let calls: BTreeSet<String> = case.proxy.requests().iter().map(|request| request.name()).collect();
    for call in calls.iter().filter(|call| *call != "sts:GetCallerIdentity" && *call != "eks:DescribeCluster")
    {
        case.proxy.calm();
        case.proxy.rule(call, Times::Always, Fault::Deny);
        let part = case.live("diagnose", &images).expect(0).json();
        let unread = part["unread"].as_array().expect("unread");
        let told =
            |row: &Value| row["source"] == **call || row["because"].as_str().unwrap().starts_with(call);
        assert!(call == "iam:ListPolicies" || unread.iter().any(told), "nothing is said of {call}: {part:#}");
        let healthy = part["summary"]["verdict"] == "healthy";
        assert_eq!(healthy, BESIDE.contains(&call.as_str()), "without {call}");
        no_verdict_turned(&format!("without {call}"), &whole, &part);
        no_finding_invented(&format!("without {call}"), &whole, &part);
    }
}

/// Nothing is broken that was well before.
fn no_finding_invented(what: &str, whole: &Value, part: &Value) {
    let causes = |diagnosis: &Value| -> BTreeSet<(String, String)> {
        let findings = diagnosis["findings"].as_array().expect("findings").iter();
        findings.map(|finding| (finding["cause"].to_string(), finding["resource"].to_string())).collect()
    };
    let invented: Vec<_> = causes(part).difference(&causes(whole)).cloned().collect();
    assert_eq!(invented, [], "{what}");
}

/// Of what both know, they say the same; and only what is whole can be healthy.
pub(crate) fn no_verdict_turned(what: &str, whole: &Value, part: &Value) {
    let paths = |diagnosis: &Value| diagnosis["pull_paths"].as_array().expect("pull paths").len();
    if paths(part) < paths(whole) {
        assert_ne!(part["summary"]["verdict"], "healthy", "{what}: pulls that nobody looked at");
    }
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

/// The worst for somebody who waits: an answer that never comes, or comes again and again.
#[test]
fn reading_ends() {
    let case = Case::build("healthy");
    case.proxy.rule("ec2:DescribeRouteTables", Times::Always, Fault::Delay(Duration::from_secs(20)));
    let outcome = case.live("diagnose", &["--timeout", "2s"]).expect(1);
    assert_eq!(outcome.error_code(), "aws");
    assert!(outcome.stdout.contains("--timeout"), "{outcome}");
    case.proxy.forget();
    let running =
        case.operator.start(&["diagnose", "--cluster", case.scenario.cluster(), "--output", "json"]);
    case.proxy.wait_for("ec2:DescribeRouteTables", 1);
    running.signal("INT");
    assert_eq!(running.finish().expect(130).error_code(), "interrupted");
}

#[test]
fn the_calls_are_counted_where_somebody_wants_to_know() {
    let case = Case::build("healthy-private");
    let outcome = case.live("diagnose", &["-v"]).expect(0);
    let told: usize = outcome
        .stderr
        .lines()
        .filter_map(|line| line.split_once(": ")?.1.split_once(" requests, ")?.0.parse::<usize>().ok())
        .sum();
    assert_eq!(told, case.proxy.count("*"), "{outcome}");
    assert!(outcome.stderr.contains("\nec2: "), "{outcome}");
    let by_operation = case.live("diagnose", &["-vv"]).expect(0);
    assert!(by_operation.stderr.contains("\nec2:DescribeVpcs: 1 requests, "), "{by_operation}");
}

/// A cluster of 3 node groups, 1 Fargate profile, 3 roles and 4 repositories in 2 accounts: none is made twice.
///
/// AWS needs two less than the emulator, which gives no blocks with its prefix lists and whose nodes have a profile that EKS did
/// not make.
#[test]
fn nothing_is_asked_twice() {
    let case = Case::build("healthy-private");
    let images = case.grown();
    let images: Vec<&str> = images.iter().map(String::as_str).collect();
    case.live("diagnose", &images).expect(0);
    let requests = case.proxy.requests();
    let questions: BTreeSet<String> = requests.iter().map(|request| request.question()).collect();
    assert_eq!(questions.len(), requests.len());
    let names: Vec<String> = requests.iter().map(|request| request.name()).collect();
    assert!(requests.len() <= 48, "{} requests: {names:#?}", requests.len());
    println!("{} requests", requests.len());
}
