//! The policies managed by AWS that matter for pulls, for where the live document could not be read.
//!
//! Whoever uses one must say so: AWS changes its policies without notice.
//!
//! Source: iann0036/iam-dataset, `aws/managedpolicies`, August 2026.

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
    /// What it says.
    pub document: Arc<Document>,
}

/// The built-in copy of a policy, by its ARN in any partition.
pub fn document(policy_arn: &str) -> Option<ManagedPolicy> {
    let name = name_of(policy_arn)?;
    let copy = COPIES.iter().find(|copy| copy.name == name)?;
    let document = Document::parse(&copy.text()).ok()?;
    Some(ManagedPolicy {
        name: copy.name,
        version: copy.version,
        date: copy.date,
        document: Arc::new(document),
    })
}

/// The text of a version of a policy, where it is the one that is built in: AWS never changes a version.
pub fn text_of_version(policy_arn: &str, version: &str) -> Option<String> {
    let name = name_of(policy_arn)?;
    COPIES.iter().find(|copy| copy.name == name && copy.version == version).map(Copy::text)
}

/// `FullAWSAccess`, which AWS attaches to every root, organizational unit and account as SCP, and
/// `RCPFullAWSAccess`, which says the same as RCP.
pub fn full_access() -> Option<Named> {
    let text = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    Document::parse(text).ok().map(|document| Named::new("FullAWSAccess", document))
}

/// `NAME` of `arn:PARTITION:iam::aws:policy/NAME`.
fn name_of(policy_arn: &str) -> Option<&str> {
    match policy_arn.splitn(6, ':').collect::<Vec<_>>().as_slice() {
        ["arn", _, "iam", "", "aws", resource] => resource.strip_prefix("policy/"),
        _ => None,
    }
}

struct Copy {
    name: &'static str,
    version: &'static str,
    date: &'static str,
    sid: Option<&'static str>,
    actions: &'static [&'static str],
}

impl Copy {
    fn text(&self) -> String {
        let mut statement = serde_json::json!({ "Effect": "Allow", "Action": self.actions, "Resource": "*" });
        if let (Some(sid), Some(fields)) = (self.sid, statement.as_object_mut()) {
            fields.insert("Sid".to_owned(), sid.into());
        }
        serde_json::json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
    }
}

const COPIES: [Copy; 6] = [
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
    },
    Copy {
        name: "AmazonEKSWorkerNodeMinimalPolicy",
        version: "v1",
        date: "2024-10-02",
        sid: Some("WorkerNodePermissions"),
        actions: &["eks-auth:AssumeRoleForPodIdentity"],
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
    },
];

#[test]
fn every_copy_is_a_policy_in_every_partition() {
    for copy in &COPIES {
        for partition in ["aws", "aws-cn", "aws-us-gov"] {
            let arn = format!("arn:{partition}:iam::aws:policy/{}", copy.name);
            let found = document(&arn).unwrap();
            assert_eq!((found.name, found.document.len()), (copy.name, 1));
        }
    }
    assert_eq!(document("arn:aws:iam::111122223333:policy/AmazonEC2ContainerRegistryPullOnly"), None);
    assert_eq!(document("arn:aws:iam::aws:policy/AdministratorAccess"), None);
}
