//! The policies managed by AWS that matter for pulls, for where the live document could not be read.
//!
//! Whoever uses one must say so: AWS changes its policies without notice.
//!
//! Source: iann0036/iam-dataset, `aws/managedpolicies`, August 2026; `AmazonEKS_CNI_Policy`: the copy in moto 5.2.1.

use std::sync::Arc;

use super::document::Document;
use super::policies::Named;

/// A policy managed by AWS, as it stood when this program was made.
#[derive(Clone, Debug, PartialEq)]
pub struct ManagedPolicy {
    /// Without its path.
    pub name: &'static str,
    /// `v1`, …
    pub version: &'static str,
    /// When AWS made this version.
    pub date: &'static str,
    /// What it allows on everything.
    pub actions: &'static [&'static str],
    /// What it says.
    pub document: Arc<Document>,
}

/// The built-in copy of a policy, by its ARN in any partition.
pub fn document(policy_arn: &str) -> Option<ManagedPolicy> {
    let (partition, name) = name_of(policy_arn)?;
    let copy = COPIES.iter().find(|copy| copy.name == name)?;
    let document = Document::parse(&copy.text(partition)).ok()?;
    Some(ManagedPolicy {
        name: copy.name,
        version: copy.version,
        date: copy.date,
        actions: copy.actions,
        document: Arc::new(document),
    })
}

/// The text of a version of a policy, where it is the one that is built in: AWS never changes a version.
pub fn text_of_version(policy_arn: &str, version: &str) -> Option<String> {
    let (partition, name) = name_of(policy_arn)?;
    let copy = COPIES.iter().find(|copy| copy.name == name && copy.version == version)?;
    Some(copy.text(partition))
}

/// `FullAWSAccess`, which AWS attaches to every root, organizational unit and account as SCP, and
/// `RCPFullAWSAccess`, which says the same as RCP.
pub fn full_access() -> Option<Named> {
    let text = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    Document::parse(text).ok().map(|document| Named::new("FullAWSAccess", document))
}

/// The partition and `NAME` of `arn:PARTITION:iam::aws:policy/NAME`.
fn name_of(policy_arn: &str) -> Option<(&str, &str)> {
    match policy_arn.splitn(6, ':').collect::<Vec<_>>().as_slice() {
        ["arn", partition, "iam", "", "aws", resource] => {
            Some((partition, resource.strip_prefix("policy/")?))
        }
        _ => None,
    }
}

struct Copy {
    name: &'static str,
    version: &'static str,
    date: &'static str,
    sid: Option<&'static str>,
    actions: &'static [&'static str],
    /// A second statement, where there is one: its name, its action, and the resource behind the partition.
    second: Option<(&'static str, &'static str, &'static str)>,
}

impl Copy {
    fn text(&self, partition: &str) -> String {
        let mut statement = serde_json::json!({ "Effect": "Allow", "Action": self.actions, "Resource": "*" });
        if let (Some(sid), Some(fields)) = (self.sid, statement.as_object_mut()) {
            fields.insert("Sid".to_owned(), sid.into());
        }
        let second = self.second.map(|(sid, action, resource)| {
            let resource = format!("arn:{partition}:{resource}");
            serde_json::json!({ "Sid": sid, "Effect": "Allow", "Action": [action], "Resource": [resource] })
        });
        let statements: Vec<serde_json::Value> = std::iter::once(statement).chain(second).collect();
        serde_json::json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
    }
}

const COPIES: [Copy; 7] = [
    Copy {
        name: "AmazonEC2ContainerRegistryPullOnly",
        version: "v1",
        date: "2024-10-04",
        sid: None,
        actions: &[
            "ecr:GetAuthorizationToken",
            "ecr:BatchGetImage",
            "ecr:GetDownloadUrlForLayer",
            "ecr:BatchImportUpstreamImage",
        ],
        second: None,
    },
    Copy {
        name: "AmazonEC2ContainerRegistryReadOnly",
        version: "v3",
        date: "2019-12-10",
        sid: None,
        actions: &[
            "ecr:GetAuthorizationToken",
            "ecr:BatchCheckLayerAvailability",
            "ecr:GetDownloadUrlForLayer",
            "ecr:GetRepositoryPolicy",
            "ecr:DescribeRepositories",
            "ecr:ListImages",
            "ecr:DescribeImages",
            "ecr:BatchGetImage",
            "ecr:GetLifecyclePolicy",
            "ecr:GetLifecyclePolicyPreview",
            "ecr:ListTagsForResource",
            "ecr:DescribeImageScanFindings",
        ],
        second: None,
    },
    Copy {
        name: "AmazonEKSFargatePodExecutionRolePolicy",
        version: "v1",
        date: "2019-11-22",
        sid: None,
        actions: &[
            "ecr:GetAuthorizationToken",
            "ecr:BatchCheckLayerAvailability",
            "ecr:GetDownloadUrlForLayer",
            "ecr:BatchGetImage",
        ],
        second: None,
    },
    Copy {
        name: "AmazonEKSWorkerNodePolicy",
        version: "v3",
        date: "2023-11-27",
        sid: Some("WorkerNodePermissions"),
        actions: &[
            "ec2:DescribeInstances",
            "ec2:DescribeInstanceTypes",
            "ec2:DescribeRouteTables",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVolumes",
            "ec2:DescribeVolumesModifications",
            "ec2:DescribeVpcs",
            "eks:DescribeCluster",
            "eks-auth:AssumeRoleForPodIdentity",
        ],
        second: None,
    },
    Copy {
        name: "AmazonEKSWorkerNodeMinimalPolicy",
        version: "v1",
        date: "2024-10-02",
        sid: Some("WorkerNodePermissions"),
        actions: &["eks-auth:AssumeRoleForPodIdentity"],
        second: None,
    },
    // It lets nobody pull, but most nodes have it, and it need not be read to know that.
    Copy {
        name: "AmazonEKS_CNI_Policy",
        version: "v6",
        date: "2026-03-04",
        sid: Some("AmazonEKSCNIPolicy"),
        actions: &[
            "ec2:AssignPrivateIpAddresses",
            "ec2:AttachNetworkInterface",
            "ec2:CreateNetworkInterface",
            "ec2:DeleteNetworkInterface",
            "ec2:DescribeInstances",
            "ec2:DescribeTags",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeInstanceTypes",
            "ec2:DescribeSubnets",
            "ec2:DescribeSecurityGroups",
            "ec2:DetachNetworkInterface",
            "ec2:ModifyNetworkInterfaceAttribute",
            "ec2:UnassignPrivateIpAddresses",
        ],
        second: Some(("AmazonEKSCNIPolicyENITag", "ec2:CreateTags", "ec2:*:*:network-interface/*")),
    },
    Copy {
        name: "AmazonElasticContainerRegistryPublicReadOnly",
        version: "v1",
        date: "2020-12-01",
        sid: None,
        actions: &[
            "ecr-public:GetAuthorizationToken",
            "sts:GetServiceBearerToken",
            "ecr-public:BatchCheckLayerAvailability",
            "ecr-public:GetRepositoryPolicy",
            "ecr-public:DescribeRepositories",
            "ecr-public:DescribeRegistries",
            "ecr-public:DescribeImages",
            "ecr-public:DescribeImageTags",
            "ecr-public:GetRepositoryCatalogData",
            "ecr-public:GetRegistryCatalogData",
        ],
        second: None,
    },
];

#[test]
fn every_copy_is_a_policy_in_every_partition() {
    for copy in &COPIES {
        for partition in ["aws", "aws-cn", "aws-us-gov"] {
            let arn = format!("arn:{partition}:iam::aws:policy/{}", copy.name);
            let found = document(&arn).unwrap();
            let statements = 1 + usize::from(copy.second.is_some());
            assert_eq!((found.name, found.document.len()), (copy.name, statements));
        }
    }
    assert_eq!(document("arn:aws:iam::111122223333:policy/AmazonEC2ContainerRegistryPullOnly"), None);
    assert_eq!(document("arn:aws:iam::aws:policy/AdministratorAccess"), None);
}
