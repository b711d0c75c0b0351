//! VPC endpoints, the group that guards them, and the DNS attributes of their VPC: made, repaired and taken back.

use crate::support::{Case, somebody_else};
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

fn close_endpoint_group(case: &Case) {
    somebody_else(
        &case.scenario,
        "group = world['vpc']['endpoint_security_group']\n\
         client('ec2').revoke_security_group_ingress(GroupId=group, IpPermissions=[{'IpProtocol': 'tcp', 'FromPort': 443,\n\
         'ToPort': 443, 'UserIdGroupPairs': [{'GroupId': world['cluster']['security_group']}]}])",
    );
}
