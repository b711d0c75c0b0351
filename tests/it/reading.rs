//! How the world is read: with which calls, and what becomes of those that are refused.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Case, Fault, Times, somebody_else};
use crate::trouble::BESIDE;

/// Calls that only something unusual in a cluster asks for, which no scenario has.
const RARE: [&str; 30] = [
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeEgressOnlyInternetGateways",
    "ec2:DescribeInternetGateways",
    "ec2:DescribeLaunchTemplateVersions",
    "ec2:DescribeManagedPrefixLists",
    "ec2:DescribeNatGateways",
    "ec2:DescribeSecurityGroupRules",
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
    "ecr:ListTagsForResource",
    "eks:DescribeAddon",
    "eks:ListAccessEntries",
    "eks:ListPodIdentityAssociations",
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
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
        let never_read = ["kms:", "kubernetes:", "route53resolver:"];
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

/// A group that has no nodes yet: its launch template says what they will be like, and nobody asks for it otherwise.
#[test]
fn a_group_without_nodes_is_judged_by_its_launch_template() {
    let case = Case::build("healthy-private");
    case.live("diagnose", &[]).expect(0);
    assert_eq!(case.proxy.count("ec2:DescribeLaunchTemplateVersions"), 0);
    somebody_else(
        &case.scenario,
        r#"
ec2 = client("ec2")
group = ec2.create_security_group(GroupName="closed", Description="lets nothing out", VpcId=world["vpc"]["id"])["GroupId"]
ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
template = ec2.create_launch_template(LaunchTemplateName="closed", LaunchTemplateData={
    "NetworkInterfaces": [{"DeviceIndex": 0, "Groups": [group]}], "UserData": "Q0FOQVJZ"})["LaunchTemplate"]["LaunchTemplateId"]
client("eks").create_nodegroup(clusterName=world["cluster"]["name"], nodegroupName="empty", nodeRole=world["roles"]["node"],
    subnets=world["vpc"]["subnets"]["private"], launchTemplate={"id": template, "version": "1"})"#,
    );
    let diagnosis = case.live("diagnose", &[]).expect(0).json();
    assert_eq!(case.proxy.count("ec2:DescribeLaunchTemplateVersions"), 1);
    let causes: BTreeSet<&str> =
        diagnosis["findings"].as_array().unwrap().iter().map(|row| row["cause"].as_str().unwrap()).collect();
    let of_groups = ["sg-egress-blocked", "sg-egress-missing-s3-prefix-list", "vpce-sg-blocks-443"];
    assert_eq!(causes, of_groups.into(), "{diagnosis:#}");
    for path in diagnosis["pull_paths"].as_array().unwrap() {
        let verdict = if path["from"]["id"] == "empty" { "blocked" } else { "ok" };
        assert_eq!(path["verdict"], verdict, "{path:#}");
    }
    case.live("snapshot", &["--out", "saved"]).expect(0);
    for file in std::fs::read_dir(case.operator.home().join("saved")).unwrap() {
        assert!(!std::fs::read_to_string(file.unwrap().path()).unwrap().contains("Q0FOQVJZ"), "user data");
    }
    assert_eq!(saved(&case)["findings"], diagnosis["findings"]);
    case.proxy.rule("ec2:DescribeLaunchTemplateVersions", Times::Always, Fault::Deny);
    let unread = case.live("diagnose", &[]).expect(0).json();
    assert_eq!(unread["findings"], serde_json::json!([]), "{unread:#}");
    assert_eq!(unread["summary"]["verdict"], "inconclusive");
    no_verdict_turned("without the template", &diagnosis, &unread);
}

/// Nobody could look at pods, and nodes do not join: EKS is asked what it knows. Each answer is told, live and from files.
#[test]
fn what_eks_says_beside_is_told() {
    let case = Case::build("healthy-private");
    case.live("diagnose", &[]).expect(0);
    assert_eq!(case.proxy.count("eks:ListAccessEntries"), 0);
    let answer = |call: &str, answer: String| case.proxy.rule(call, Times::Always, Fault::Answer(answer));
    let described = somebody_else(
        &case.scenario,
        r#"
cluster = client("eks").describe_cluster(name=world["cluster"]["name"])["cluster"]
cluster["accessConfig"] = {"authenticationMode": "API"}
group = client("eks").describe_nodegroup(clusterName=world["cluster"]["name"], nodegroupName="workers")["nodegroup"]
group["health"] = {"issues": [{"code": "NodeCreationFailure", "message": "Instances failed to join.", "resourceIds": ["i-1"]}]}
for row in (cluster, group):
    row.pop("createdAt", None), row.pop("modifiedAt", None)
print(json.dumps({"cluster": cluster}))
print(json.dumps({"nodegroup": group}))"#,
    );
    let (cluster, group) = described.trim().split_once('\n').expect("two lines");
    answer("eks:DescribeCluster", cluster.to_owned());
    answer("eks:DescribeNodegroup", group.to_owned());
    answer(
        "eks:ListAccessEntries",
        r#"{"accessEntries": ["arn:aws:iam::111122223333:role/other"]}"#.to_owned(),
    );
    answer("eks:ListAddons", r#"{"addons": ["coredns"]}"#.to_owned());
    let addon = r#"{"addon": {"addonName": "coredns", "status": "DEGRADED", "health": {"issues": [
        {"code": "InsufficientNumberOfReplicas", "message": "2 pods are in ImagePullBackOff", "resourceIds": []}]}}}"#;
    answer("eks:DescribeAddon", addon.to_owned());
    let diagnosis = case.live("diagnose", &[]).expect(0).json();
    assert_eq!(diagnosis["summary"]["verdict"], "inconclusive", "{diagnosis:#}");
    let told = |diagnosis: &Value, source: &str| -> String {
        let rows = diagnosis["unread"].as_array().expect("unread").iter();
        rows.filter(|row| row["source"] == source).map(|row| row["because"].as_str().unwrap()).collect()
    };
    case.live("snapshot", &["--out", "saved"]).expect(0);
    for diagnosis in [&diagnosis, &saved(&case)] {
        let addon = told(diagnosis, "eks:DescribeAddon");
        assert!(addon.contains("2 pods are in ImagePullBackOff"), "{diagnosis:#}");
        let entry = told(diagnosis, "eks:ListAccessEntries");
        assert!(entry.contains("never join") && entry.contains("create-access-entry"), "{diagnosis:#}");
    }
}

fn saved(case: &Case) -> Value {
    case.operator.run(&["diagnose", "--snapshot", "saved", "--output", "json"]).expect(0).json()
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
    assert!(requests.len() <= 45, "{} requests: {names:#?}", requests.len());
    println!("{} requests", requests.len());
}
