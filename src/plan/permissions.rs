//! What the caller must be allowed to do, as an IAM policy document.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::actions::AnyChange;

/// An IAM policy document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Document {
    /// The version of the policy language.
    pub version: String,
    /// All of them allow.
    pub statement: Vec<Statement>,
}

/// One statement that allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Statement {
    /// Letters and digits.
    pub sid: String,
    /// `Allow`.
    pub effect: String,
    /// The calls.
    pub action: Vec<String>,
    /// What they may be about.
    pub resource: Vec<String>,
}

/// The calls of a diagnosis, by service. None of them changes anything.
const READS: [(&str, &[&str]); 7] = [
    (
        "ReadCluster",
        &[
            "eks:DescribeCluster",
            "eks:DescribeFargateProfile",
            "eks:DescribeNodegroup",
            "eks:ListClusters",
            "eks:ListFargateProfiles",
            "eks:ListNodegroups",
        ],
    ),
    (
        "ReadNetwork",
        &[
            "ec2:DescribeDhcpOptions",
            "ec2:DescribeEgressOnlyInternetGateways",
            "ec2:DescribeInstances",
            "ec2:DescribeInternetGateways",
            "ec2:DescribeManagedPrefixLists",
            "ec2:DescribeNatGateways",
            "ec2:DescribeNetworkAcls",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribePrefixLists",
            "ec2:DescribeRouteTables",
            "ec2:DescribeSecurityGroupRules",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeTransitGatewayAttachments",
            "ec2:DescribeTransitGatewayRouteTables",
            "ec2:DescribeTransitGatewayVpcAttachments",
            "ec2:DescribeVpcAttribute",
            "ec2:DescribeVpcEndpoints",
            "ec2:DescribeVpcPeeringConnections",
            "ec2:DescribeVpcs",
            "ec2:DescribeVpnGateways",
            "ec2:GetManagedPrefixListEntries",
            "ec2:SearchTransitGatewayRoutes",
        ],
    ),
    (
        "ReadRoles",
        &[
            "iam:GetInstanceProfile",
            "iam:GetPolicy",
            "iam:GetPolicyVersion",
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListPolicies",
            "iam:ListRolePolicies",
        ],
    ),
    (
        "ReadRegistries",
        &[
            "ecr:BatchGetImage",
            "ecr:DescribeImages",
            "ecr:DescribePullThroughCacheRules",
            "ecr:DescribeRepositories",
            "ecr:GetLifecyclePolicy",
            "ecr:GetRegistryPolicy",
            "ecr:GetRepositoryPolicy",
        ],
    ),
    ("ReadPrivateZones", &["route53:ListHostedZonesByVPC", "route53:ListResourceRecordSets"]),
    (
        "ReadOrganization",
        &[
            "organizations:DescribeOrganization",
            "organizations:DescribePolicy",
            "organizations:ListParents",
            "organizations:ListPoliciesForTarget",
        ],
    ),
    ("ReadIdentity", &["sts:GetCallerIdentity"]),
];

/// What a diagnosis needs.
pub fn for_diagnosis() -> Document {
    let statement = |(sid, calls): &(&str, &[&str])| Statement {
        sid: (*sid).to_owned(),
        effect: "Allow".to_owned(),
        action: calls.iter().map(|call| (*call).to_owned()).collect(),
        resource: vec!["*".to_owned()],
    };
    Document { version: "2012-10-17".to_owned(), statement: READS.iter().map(statement).collect() }
}

/// What making changes, reading them back and taking them back needs: one statement per set of resources.
pub fn for_changes<'a>(changes: impl IntoIterator<Item = &'a AnyChange>) -> Document {
    let mut resources_by_call: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (call, resource) in changes.into_iter().flat_map(AnyChange::permissions) {
        resources_by_call.entry(call).or_default().insert(resource);
    }
    let mut calls_by_resources: BTreeMap<BTreeSet<String>, Vec<String>> = BTreeMap::new();
    for (call, resources) in resources_by_call {
        calls_by_resources.entry(resources).or_default().push(call.to_owned());
    }
    let statement = |((resources, calls), number): ((BTreeSet<String>, Vec<String>), usize)| Statement {
        sid: format!("Apply{number}"),
        effect: "Allow".to_owned(),
        action: calls,
        resource: resources.into_iter().collect(),
    };
    Document {
        version: "2012-10-17".to_owned(),
        statement: calls_by_resources.into_iter().zip(1..).map(statement).collect(),
    }
}
