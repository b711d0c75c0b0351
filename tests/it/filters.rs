//! Security groups, network ACLs and routes: opened as narrowly as can be, and closed again.

use serde_json::Value;

use crate::support::{Case, Fault, Times, assert_same_state, sealed, somebody_else};
use crate::whole_loop::{there_and_back, there_and_back_with, whole_loop};

const LET_IN: &str = "ec2:AuthorizeSecurityGroupIngress";
const LET_IN_NO_MORE: &str = "ec2:RevokeSecurityGroupIngress";
const LET_OUT: &str = "ec2:AuthorizeSecurityGroupEgress";
const LET_OUT_NO_MORE: &str = "ec2:RevokeSecurityGroupEgress";
const CREATE_ENTRY: &str = "ec2:CreateNetworkAclEntry";
const DELETE_ENTRY: &str = "ec2:DeleteNetworkAclEntry";
const REPLACE_ENTRY: &str = "ec2:ReplaceNetworkAclEntry";
const CREATE_ROUTE: &str = "ec2:CreateRoute";
const DELETE_ROUTE: &str = "ec2:DeleteRoute";
const REPLACE_ROUTE: &str = "ec2:ReplaceRoute";

fn causes(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

#[test]
fn an_endpoint_whose_group_admits_nobody() {
    whole_loop("endpoint-sg-closed", &[LET_IN], &[LET_IN_NO_MORE]);
}

/// Nodes and Fargate pods share the group: one rule mends both findings.
#[test]
fn a_group_without_a_rule_for_the_prefix_list_of_s3() {
    whole_loop("sg-egress-no-s3", &[LET_OUT], &[LET_OUT_NO_MORE]);
}

#[test]
fn a_group_that_lets_nothing_out_to_endpoints() {
    let case = Case::build("healthy-private");
    somebody_else(
        &case.scenario,
        "group = world['cluster']['security_group']\n\
         client('ec2').revoke_security_group_egress(GroupId=group,\n\
         IpPermissions=[{'IpProtocol': '-1', 'IpRanges': [{'CidrIp': '0.0.0.0/0'}]}])",
    );
    let expected = causes(&["fargate-sg-blocks", "sg-egress-blocked", "sg-egress-missing-s3-prefix-list"]);
    // One for the group of the endpoints, one for the prefix list.
    there_and_back(&case, &expected, &[LET_OUT; 2], &[LET_OUT_NO_MORE; 2]);
}

/// Without endpoints only the whole internet would do: that takes a word of the user.
#[test]
fn the_internet_is_opened_only_on_request() {
    for (kind, forward, back) in
        [("sg-egress-closed", LET_OUT, LET_OUT_NO_MORE), ("nacl-ephemeral", CREATE_ENTRY, DELETE_ENTRY)]
    {
        let case = Case::build(kind);
        let plan = case.live("plan", &["--out", "plan.json"]).expect(0).json();
        assert_eq!(plan["actions"], Value::Array(vec![]), "{plan:#}");
        let left = plan["not_fixed"].as_array().unwrap();
        assert!(!left.is_empty(), "{plan:#}");
        for left in left {
            let command = left["manual_steps"][0].as_str().unwrap();
            assert!(command.starts_with("aws ec2 ") && command.contains("0.0.0.0/0"), "{plan:#}");
        }
        let causes = case.scenario.expected_causes();
        there_and_back_with(&["--allow-internet-egress"], &case, &causes, &[forward], &[back]);
        // Whoever takes the word out of the plan gets nothing.
        let mut plan = case.plan();
        plan["options"].as_object_mut().unwrap().remove("allow_internet_egress");
        std::fs::write(case.operator.home().join("silent.json"), sealed(plan)).unwrap();
        let refused = case.run(&["apply", "silent.json", "--yes"]);
        assert_eq!(refused.error_code(), "bad_input", "{refused}");
    }
}

/// A network ACL for the private subnets: what the code puts into `entries`, as `(number, egress, protocol, block, ports)`.
fn with_network_acl(case: &Case, entries: &str) {
    let code = format!(
        r#"
ec2 = client("ec2")
s3 = next(row for row in ec2.describe_managed_prefix_lists()["PrefixLists"] if row["PrefixListName"].endswith(".s3"))
s3 = [row["Cidr"] for row in ec2.get_managed_prefix_list_entries(PrefixListId=s3["PrefixListId"])["Entries"]]
entries = ({entries})
acl = ec2.create_network_acl(VpcId=world["vpc"]["id"])["NetworkAcl"]["NetworkAclId"]
for number, egress, protocol, block, ports in entries:
    span = {{"PortRange": {{"From": ports[0], "To": ports[1]}}}} if ports else {{}}
    ec2.create_network_acl_entry(NetworkAclId=acl, RuleNumber=number, Egress=egress, Protocol=protocol, CidrBlock=block,
                                 RuleAction="allow", **span)
subnets = world["vpc"]["subnets"]["private"]
for old in ec2.describe_network_acls(Filters=[{{"Name": "association.subnet-id", "Values": subnets}}])["NetworkAcls"]:
    for association in old["Associations"]:
        if association["SubnetId"] in subnets:
            ec2.replace_network_acl_association(AssociationId=association["NetworkAclAssociationId"], NetworkAclId=acl)
"#
    );
    somebody_else(&case.scenario, &code);
}

/// The replies of S3 come to some ports only, and there is no space for another entry.
pub(crate) fn with_full_network_acl() -> Case {
    let case = Case::build("healthy-private");
    with_network_acl(
        &case,
        r#"[(100, True, "-1", "0.0.0.0/0", None), (100, False, "-1", "10.42.0.0/16", None)]
    + [(110 + 10 * i, False, "6", block, (49152, 65535)) for i, block in enumerate(s3)]
    + [(200 + i, False, "6", f"192.168.{i}.0/24", (22, 22)) for i in range(16)]"#,
    );
    case
}

/// Entries cannot name a prefix list: one for each of its blocks.
#[test]
fn a_network_acl_that_drops_the_replies_of_s3() {
    let case = Case::build("healthy-private");
    with_network_acl(
        &case,
        r#"[(100, False, "-1", "10.42.0.0/16", None), (100, True, "-1", "0.0.0.0/0", None)]"#,
    );
    there_and_back(&case, &causes(&["nacl-blocked"]), &[CREATE_ENTRY; 3], &[DELETE_ENTRY; 3]);
    let plan = case.plan();
    let numbers: Vec<&Value> =
        plan["actions"].as_array().unwrap().iter().map(|action| &action["at"]["rule_number"]).collect();
    assert_eq!(numbers, [110, 120, 130], "{plan:#}");
}

/// The quota is used up: what lets some ports pass lets all of them pass that replies may go to.
#[test]
fn a_network_acl_without_space_for_another_entry() {
    let case = with_full_network_acl();
    there_and_back(&case, &causes(&["nacl-blocked"]), &[REPLACE_ENTRY; 3], &[REPLACE_ENTRY; 3]);
}

#[test]
fn a_route_to_a_nat_gateway_that_is_gone() {
    let case = Case::build("healthy");
    let delete = "client('ec2').delete_nat_gateway(NatGatewayId=world['vpc']['nat_gateways'][0])";
    somebody_else(&case.scenario, delete);
    there_and_back(&case, &causes(&["nat-gateway-broken"]), &[REPLACE_ROUTE], &[REPLACE_ROUTE]);
    let other = case.scenario.text("/vpc/nat_gateways/1");
    assert_eq!(case.plan()["actions"][0]["after"]["target"], other);
}

#[test]
fn routes_lead_to_the_only_nat_gateway_or_to_those_that_were_named() {
    let expected = causes(&["fargate-subnet-no-egress", "no-route-to-internet"]);
    let case = Case::build("node-no-egress");
    let nat = |number: usize| case.scenario.text(&format!("/vpc/nat_gateways/{number}")).to_owned();
    let named = ["--nat", &nat(0), "--nat", &nat(1)];
    there_and_back_with(&named, &case, &expected, &[CREATE_ROUTE; 2], &[DELETE_ROUTE; 2]);
    let plan = case.plan();
    let targets: std::collections::BTreeSet<String> = plan["actions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|action| action["after"]["target"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(targets.len(), 2, "each table gets the one in its zone: {plan:#}");

    let case = Case::build("node-no-egress");
    let delete = "client('ec2').delete_nat_gateway(NatGatewayId=world['vpc']['nat_gateways'][0])";
    somebody_else(&case.scenario, delete);
    there_and_back(&case, &expected, &[CREATE_ROUTE; 2], &[DELETE_ROUTE; 2]);
}

#[test]
fn endpoints_are_made_where_no_nat_gateway_is_the_only_one() {
    let case = Case::build("node-no-egress");
    let plan = case.live("plan", &[]).expect(0).json();
    let kinds: Vec<&str> =
        plan["actions"].as_array().unwrap().iter().map(|action| action["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"create-vpc-endpoint") && !kinds.contains(&"create-route"), "{plan:#}");
    assert_eq!(plan["proof"]["after"]["blocked"], 0, "{plan:#}");
    let plan = case.live("plan", &["--prefer", "nat"]).expect(0).json();
    assert_eq!(plan["actions"], Value::Array(vec![]), "there are two: {plan:#}");
    assert!(plan["not_fixed"][0]["because"].as_str().unwrap().contains("--nat"), "{plan:#}");
}

/// A NAT gateway that went away since the plan was made: EC2 is asked once more, and nothing is made.
#[test]
fn no_route_is_made_to_a_gateway_that_is_gone() {
    let case = Case::build("node-no-egress");
    let nat = case.scenario.text("/vpc/nat_gateways/0").to_owned();
    case.live("plan", &["--out", "plan.json", "--nat", &nat]).expect(0);
    let before = case.state();
    let delete = "client('ec2').delete_nat_gateway(NatGatewayId=world['vpc']['nat_gateways'][0])";
    somebody_else(&case.scenario, delete);
    case.proxy.forget();
    let refused = case.run(&["apply", "plan.json", "--yes"]).expect(13);
    assert!(refused.stdout.contains("is no NAT gateway at work"), "{refused}");
    assert_eq!(case.writes(), [""; 0]);
    assert_eq!(
        before.matches("\"DestinationCidrBlock\"").count(),
        case.state().matches("\"DestinationCidrBlock\"").count()
    );
}

/// Between our look and our call somebody makes the very same rule: it is theirs, and no rollback takes it away.
#[test]
fn what_somebody_else_made_first_is_not_ours() {
    let case = Case::planned("endpoint-sg-closed");
    let world = case.scenario.document.clone();
    let rule = "client('ec2').authorize_security_group_ingress(GroupId=world['vpc']['endpoint_security_group'],\n\
        IpPermissions=[{'IpProtocol': 'tcp', 'FromPort': 443, 'ToPort': 443,\n\
        'UserIdGroupPairs': [{'GroupId': world['cluster']['security_group'],\n\
        'Description': 'ecr-fix: image pulls from Amazon ECR'}]}])";
    // The first is the rehearsal.
    case.proxy.rule(
        LET_IN,
        Times::Nth(2),
        Fault::meanwhile(move |_| drop(crate::support::python(&world, rule))),
    );
    case.run(&["apply", "plan.json", "--yes"]).expect(0);
    assert_eq!(case.verdict(), "healthy");
    let run = case.operator.runs().swap_remove(0);
    let shown = case.run(&["runs", "show", run.file_name().unwrap().to_str().unwrap()]).expect(0).json();
    assert_eq!(shown["actions"][0]["state"], "already-so", "{shown:#}");
    let before = case.state();
    case.run(&["rollback", "--yes"]).expect(0);
    assert_same_state(&before, &case.state());
}

/// The answer gets lost, and the rule is there: it is ours, whatever a second try would have been told.
#[test]
fn a_rule_whose_answer_got_lost_is_ours() {
    let case = Case::planned("endpoint-sg-closed");
    let before = case.state();
    case.proxy.rule(LET_IN, Times::Nth(2), Fault::LoseAnswer);
    case.run(&["apply", "plan.json", "--yes"]).expect(0);
    assert_eq!(case.writes(), [LET_IN], "it is not sent again");
    case.roll_back_to(&before);
}

/// The second of two equal requests is told that there is such a rule: the rule carries the tag of this run.
#[test]
fn a_rule_that_was_asked_for_twice_is_ours() {
    let case = Case::planned("endpoint-sg-closed");
    let before = case.state();
    case.proxy.rule(LET_IN, Times::Nth(2), Fault::Repeat);
    case.run(&["apply", "plan.json", "--yes"]).expect(0);
    case.roll_back_to(&before);
}

/// Somebody takes our rule away and makes their own: the rollback knows ours by its id, and leaves theirs alone.
#[test]
fn a_rule_that_was_made_anew_is_not_ours() {
    let case = Case::planned("endpoint-sg-closed");
    case.run(&["apply", "plan.json", "--yes"]).expect(0);
    let anew = r#"
ec2, group = client("ec2"), world["vpc"]["endpoint_security_group"]
rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
ours = [row["SecurityGroupRuleId"] for row in rules if row.get("ReferencedGroupInfo")]
ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=ours)
rule = [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "UserIdGroupPairs": [{"GroupId": world["cluster"]["security_group"]}]}]
ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rule)
"#;
    somebody_else(&case.scenario, anew);
    let before = case.state();
    case.proxy.forget();
    case.run(&["rollback", "--yes"]).expect(14);
    assert_eq!(case.writes(), [""; 0]);
    assert_same_state(&before, &case.state());
}

/// A refusal of the rehearsal comes before anything is made.
#[test]
fn a_rehearsal_that_is_refused_changes_nothing() {
    let case = Case::planned("endpoint-sg-closed");
    let before = case.state();
    case.proxy.rule(LET_IN, Times::Nth(1), Fault::Deny);
    case.run(&["apply", "plan.json", "--yes"]).expect(16);
    assert_eq!(case.writes(), [""; 0]);
    assert_same_state(&before, &case.state());
}
