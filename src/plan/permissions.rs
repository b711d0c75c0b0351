//! What the caller must be allowed to do, as an IAM policy document.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Plan;
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
            "eks:DescribeAddon",
            "eks:DescribeCluster",
            "eks:DescribeFargateProfile",
            "eks:DescribeNodegroup",
            "eks:ListAccessEntries",
            "eks:ListAddons",
            "eks:ListClusters",
            "eks:ListFargateProfiles",
            "eks:ListNodegroups",
            "eks:ListPodIdentityAssociations",
        ],
    ),
    (
        "ReadNetwork",
        &[
            "ec2:DescribeDhcpOptions",
            "ec2:DescribeEgressOnlyInternetGateways",
            "ec2:DescribeInstances",
            "ec2:DescribeInternetGateways",
            "ec2:DescribeLaunchTemplateVersions",
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
            "ec2:DescribeVpcEndpointServices",
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
            "iam:ListInstanceProfilesForRole",
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
            "ecr:ListTagsForResource",
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

/// What `apply` asks before its first write, where it may: whether all of its writes are allowed.
const PREFLIGHT: (&str, &[&str]) = ("AskBeforeWriting", &["iam:SimulatePrincipalPolicy"]);

/// What a diagnosis needs.
pub fn for_diagnosis() -> Document {
    Document { version: "2012-10-17".to_owned(), statement: READS.iter().map(reading).collect() }
}

fn reading((sid, calls): &(&str, &[&str])) -> Statement {
    Statement {
        sid: (*sid).to_owned(),
        effect: "Allow".to_owned(),
        action: calls.iter().map(|call| (*call).to_owned()).collect(),
        resource: vec!["*".to_owned()],
    }
}

/// What applying and rolling back a plan needs, with the diagnoses before and after.
pub fn for_plan(plan: &Plan) -> Document {
    let mut document = for_diagnosis();
    document.statement.push(reading(&PREFLIGHT));
    let roles: Vec<String> = plan.scope.account_roles.values().cloned().collect();
    if !roles.is_empty() {
        document.statement.push(Statement {
            sid: "AssumeAccountRoles".to_owned(),
            effect: "Allow".to_owned(),
            action: vec!["sts:AssumeRole".to_owned()],
            resource: roles,
        });
    }
    let everywhere: BTreeSet<String> =
        document.statement.iter().flat_map(|statement| statement.action.clone()).collect();
    for mut statement in plan.required_permissions.statement.clone() {
        // What the diagnosis reads in this account it may read for the plan, too.
        if !statement.sid.contains(IN_ACCOUNT) {
            statement.action.retain(|call| !everywhere.contains(call));
        }
        document.statement.extend((!statement.action.is_empty()).then_some(statement));
    }
    document
}

/// What keeping the records of runs in S3 needs: to look at them, and with `writes` to make runs. Nothing is ever deleted.
pub fn for_records(bucket: &str, prefix: &str, partition: &str, writes: bool) -> [Statement; 2] {
    let statement = |sid: &str, calls: &[&str], resource: String| Statement {
        sid: sid.to_owned(),
        effect: "Allow".to_owned(),
        action: calls.iter().map(|call| (*call).to_owned()).collect(),
        resource: vec![resource],
    };
    let bucket = format!("arn:{partition}:s3:::{bucket}");
    let objects = if prefix.is_empty() { format!("{bucket}/*") } else { format!("{bucket}/{prefix}/*") };
    let calls = ["s3:GetObject", "s3:PutObject"];
    [
        statement("ListRecords", &["s3:ListBucket"], bucket),
        match writes {
            true => statement("WriteRecords", &calls, objects),
            false => statement("ReadRecords", &calls[..1], objects),
        },
    ]
}

/// Marks the statements for the role that is assumed in another account: they are no use to the caller.
const IN_ACCOUNT: &str = "InAccount";

/// What making changes, reading them back and taking them back needs: one statement per set of resources. What is in
/// another account than `home` is written with the role that was named for it, which the caller must be allowed to
/// assume; the statements for that role have its account in their `Sid`.
pub fn for_changes<'a>(
    changes: impl IntoIterator<Item = &'a AnyChange>,
    home: &str,
    roles: &BTreeMap<String, String>,
) -> Document {
    let mut resources_by_call: BTreeMap<(String, &str), BTreeSet<String>> = BTreeMap::new();
    let mut allow = |account: &str, call, resource| {
        resources_by_call.entry((account.to_owned(), call)).or_default().insert(resource);
    };
    for change in changes {
        let account = change.account();
        let role = roles.get(&account).filter(|_| change.is_in_any_account());
        if let Some(role) = role {
            allow("", "sts:AssumeRole", role.clone());
        }
        let of = if account == home || !change.is_in_any_account() { "" } else { &account };
        change.permissions().into_iter().for_each(|(call, resource)| allow(of, call, resource));
    }
    let mut calls_by_resources: BTreeMap<(String, BTreeSet<String>), Vec<String>> = BTreeMap::new();
    for ((account, call), resources) in resources_by_call {
        calls_by_resources.entry((account, resources)).or_default().push(call.to_owned());
    }
    let mut document = Document { version: "2012-10-17".to_owned(), statement: Vec::new() };
    for (((account, resources), calls), number) in calls_by_resources.into_iter().zip(1..) {
        let place = if account.is_empty() { String::new() } else { format!("{IN_ACCOUNT}{account}") };
        document.statement.push(Statement {
            sid: format!("Apply{number}{place}"),
            effect: "Allow".to_owned(),
            action: calls,
            resource: resources.into_iter().collect(),
        });
    }
    document
}
