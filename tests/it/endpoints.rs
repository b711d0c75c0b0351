//! VPC endpoints, the group that guards them, and the DNS attributes of their VPC: made, repaired and taken back.

use crate::support::{Case, Fault, Program, Times, assert_same_state, sealed, somebody_else};
use crate::whole_loop::{there_and_back, whole_loop};

const CREATE: &str = "ec2:CreateVpcEndpoint";
const DELETE: &str = "ec2:DeleteVpcEndpoints";
const MODIFY: &str = "ec2:ModifyVpcEndpoint";

fn causes(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

#[test]
fn all_three_endpoints_are_missing() {
    whole_loop("private-missing-endpoints", &[CREATE; 3], &[DELETE; 3]);
}

#[test]
fn a_gateway_endpoint_that_the_nodes_routes_do_not_lead_to() {
    whole_loop("s3-gateway-unassociated", &[MODIFY], &[MODIFY]);
}

#[test]
fn endpoints_without_private_dns() {
    whole_loop("private-dns-off", &[MODIFY; 2], &[MODIFY; 2]);
}

#[test]
fn a_vpc_whose_resolver_is_off() {
    whole_loop("vpc-dns-off", &["ec2:ModifyVpcAttribute"], &["ec2:ModifyVpcAttribute"]);
}

#[test]
fn a_group_is_made_where_no_endpoint_has_one_that_lets_the_nodes_in() {
    let case = Case::build("private-missing-endpoints");
    close_endpoint_group(&case);
    there_and_back(
        &case,
        &causes(&["vpce-ecr-api-missing", "vpce-ecr-dkr-missing", "vpce-s3-missing"]),
        &[
            "ec2:CreateSecurityGroup",
            "ec2:RevokeSecurityGroupEgress",
            "ec2:AuthorizeSecurityGroupIngress",
            CREATE,
            CREATE,
            CREATE,
        ],
        &[DELETE, DELETE, DELETE, "ec2:DeleteSecurityGroup"],
    );
}

/// A cluster that lacks its endpoints, and a group that they could use.
pub(crate) fn without_a_group() -> Case {
    let case = Case::build("private-missing-endpoints");
    close_endpoint_group(&case);
    case
}

fn close_endpoint_group(case: &Case) {
    somebody_else(
        &case.scenario,
        "group = world['vpc']['endpoint_security_group']\n\
         client('ec2').revoke_security_group_ingress(GroupId=group, IpPermissions=[{'IpProtocol': 'tcp', 'FromPort': 443,\n\
         'ToPort': 443, 'UserIdGroupPairs': [{'GroupId': world['cluster']['security_group']}]}])",
    );
}

/// Everything that ecr-fix makes says whose work it is.
#[test]
fn what_is_made_carries_the_run() {
    let case = Case::build("private-missing-endpoints");
    close_endpoint_group(&case);
    case.live("apply", &["--yes"]).expect(0);
    let run = case.operator.runs().swap_remove(0);
    let run = run.file_name().unwrap().to_str().unwrap().to_owned();
    let tagged = somebody_else(
        &case.scenario,
        "vpc = [{'Name': 'vpc-id', 'Values': [world['vpc']['id']]}]\n\
         ec2 = client('ec2')\n\
         rows = ec2.describe_vpc_endpoints(Filters=vpc)['VpcEndpoints']\n\
         rows += ec2.describe_security_groups(Filters=vpc)['SecurityGroups']\n\
         tags = [{tag['Key']: tag['Value'] for tag in row.get('Tags', [])} for row in rows]\n\
         print('\\n'.join(sorted(of['Name'] + ' ' + of['ecr-fix:run'] for of in tags if 'ecr-fix:run' in of)))",
    );
    let cluster = case.scenario.cluster();
    let expected = [
        format!("ecr-fix S3 of {cluster} {run}"),
        format!("ecr-fix ecr.api of {cluster} {run}"),
        format!("ecr-fix ecr.dkr of {cluster} {run}"),
        format!("ecr-fix-endpoints-{cluster} {run}"),
    ];
    assert_eq!(tagged.lines().collect::<Vec<_>>(), expected);
}

/// The trial of a call comes before the call, and what it refuses is never tried in earnest.
#[test]
fn what_the_trial_refuses_is_never_sent() {
    let case = Case::planned("private-missing-endpoints");
    let before = case.state();
    case.proxy.rule(CREATE, Times::Nth(5), Fault::Deny);
    let refused = case.run(&["apply", "plan.json", "--yes"]).expect(13);
    assert!(refused.stdout.contains(CREATE), "{refused}");
    assert_same_state(&before, &case.state());
    assert_eq!(case.writes(), [CREATE, CREATE, DELETE, DELETE], "two were made, and taken back");
    for call in [CREATE, DELETE] {
        let of_call = case.proxy.requests().into_iter().filter(|request| request.name() == call);
        let trials: Vec<bool> = of_call.map(|request| request.is_trial()).collect();
        assert!(trials.chunks(2).all(|pair| pair[0] && pair.get(1) != Some(&true)), "{call}: {trials:?}");
    }
}

/// The answer with the id got lost: the way back finds the endpoint by the tag of its run.
#[test]
fn an_endpoint_whose_answer_was_lost_is_found_again() {
    let case = Case::planned("private-missing-endpoints");
    let before = case.state();
    case.proxy.rule(CREATE, Times::Nth(4), Fault::LoseAnswer);
    case.run(&["apply", "plan.json", "--yes"]).expect(0);
    assert_eq!(case.verdict(), "healthy");
    case.roll_back_to(&before);
}

/// Somebody replaced our endpoint: theirs is not deleted.
#[test]
fn an_endpoint_that_took_the_place_of_ours_is_left_alone() {
    let case = Case::planned("private-missing-endpoints");
    case.run(&["apply", "plan.json", "--yes"]).expect(0);
    somebody_else(
        &case.scenario,
        "ec2 = client('ec2')\n\
         rows = ec2.describe_vpc_endpoints(Filters=[{'Name': 'vpc-id', 'Values': [world['vpc']['id']]}])['VpcEndpoints']\n\
         old = [row for row in rows if row['ServiceName'].endswith('ecr.dkr')][0]\n\
         ec2.delete_vpc_endpoints(VpcEndpointIds=[old['VpcEndpointId']])\n\
         ec2.create_vpc_endpoint(VpcId=old['VpcId'], ServiceName=old['ServiceName'], VpcEndpointType='Interface',\n\
         SubnetIds=old['SubnetIds'], SecurityGroupIds=[group['GroupId'] for group in old['Groups']], PrivateDnsEnabled=True)",
    );
    case.proxy.forget();
    let outcome = case.run(&["rollback", "--yes"]).expect(14);
    assert!(outcome.stdout.contains("is in its place"), "{outcome}");
    assert_eq!(case.writes(), [DELETE, DELETE], "the other two are ours");
    assert!(case.state().contains("ecr.dkr"), "theirs is there");
}

/// The cluster is gone, and what was made for it is not: nobody is told that nothing is left.
#[test]
fn endpoints_outlive_their_cluster() {
    let case = Case::planned("private-missing-endpoints");
    case.run(&["apply", "plan.json", "--yes"]).expect(0);
    somebody_else(
        &case.scenario,
        "eks, name = client('eks'), world['cluster']['name']\n\
         eks.delete_nodegroup(clusterName=name, nodegroupName=world['cluster']['nodegroup'])\n\
         eks.delete_fargate_profile(clusterName=name, fargateProfileName=world['cluster']['fargate_profile'])\n\
         eks.delete_cluster(name=name)",
    );
    let outcome = case.run(&["rollback", "--yes"]).expect(14);
    assert!(outcome.stdout.contains("there is no cluster"), "{outcome}");
    assert!(case.state().contains("ecr.dkr"), "they are left");
}

/// The rules of a new group are refused: the group does not stay behind.
#[test]
fn a_group_that_cannot_be_finished_is_taken_back() {
    let case = Case::build("private-missing-endpoints");
    close_endpoint_group(&case);
    let before = case.state();
    case.proxy.rule("ec2:AuthorizeSecurityGroupIngress", Times::Always, Fault::Deny);
    let refused = case.live("apply", &["--yes"]);
    assert!([13, 16].contains(&refused.code), "{refused}");
    assert!(refused.stdout.contains("ec2:AuthorizeSecurityGroupIngress"), "{refused}");
    assert_same_state(&before, &case.state());
}

/// A plan by somebody with ill intent: the engine makes none of it.
#[test]
fn a_plan_for_another_vpc_or_a_wider_group_is_refused() {
    let case = Case::build("private-missing-endpoints");
    close_endpoint_group(&case);
    case.live("plan", &["--out", "plan.json"]).expect(0);
    let before = case.state();
    case.proxy.forget();
    let plan = case.plan();
    let index = |kind: &str| {
        plan["actions"].as_array().unwrap().iter().position(|action| action["kind"] == kind).unwrap()
    };
    let (group, endpoint) = (index("create-security-group"), index("create-vpc-endpoint"));
    for (number, (pointer, value)) in [
        (format!("/actions/{group}/after/ingress/0/peer"), "0.0.0.0/0"),
        (format!("/actions/{group}/at/cluster"), "other"),
        (format!("/actions/{endpoint}/at/vpc_id"), "vpc-0123456789abcdef0"),
        (format!("/actions/{endpoint}/at/service_name"), "com.amazonaws.us-east-1.ssm"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut bad = plan.clone();
        *bad.pointer_mut(&pointer).expect("this field of a plan") = value.into();
        let file = format!("bad-{number}.json");
        std::fs::write(case.operator.home().join(&file), sealed(bad)).unwrap();
        let refused = case.run(&["apply", &file, "--yes"]);
        assert!([1, 12].contains(&refused.code), "{pointer}\n{refused}");
    }
    assert_eq!(case.writes(), [""; 0]);
    assert_same_state(&before, &case.state());
}

/// Each story of an endpoint, by the program: a directory plays the world.
#[test]
fn endpoints_in_the_sandbox() {
    for story in ["vpce-missing", "vpce-missing-beside-others", "vpce-private-dns-disabled"] {
        let program = Program::new();
        let from = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("plans").join(story).join("world");
        let world = program.home().join("world");
        std::fs::create_dir(&world).unwrap();
        for file in std::fs::read_dir(&from).unwrap() {
            let file = file.unwrap().path();
            std::fs::copy(&file, world.join(file.file_name().unwrap())).unwrap();
        }
        let read = || std::fs::read_to_string(world.join("network.json")).unwrap();
        let before = read();
        program.run(&["apply", "--snapshot", "world", "--yes"]).expect(0);
        let diagnosis =
            program.run(&["diagnose", "--snapshot", "world", "--output", "json"]).expect(0).json();
        assert_eq!(diagnosis["summary"]["blocked"], 0, "{diagnosis:#}");
        assert_ne!(read(), before);
        program.run(&["rollback", "--snapshot", "world", "--yes"]).expect(0);
        assert_eq!(read(), before, "{story}");
    }
}
