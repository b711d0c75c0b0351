//! What may be wrong without our seeing it, where a call is refused.

/// The causes that hide behind a call that gave no answer, as in the catalogue of causes.
pub(super) fn hides(call: &str) -> &'static [&'static str] {
    match call {
        "eks:ListNodegroups" | "eks:DescribeNodegroup" => &["node-role-missing-ecr-policy"],
        "eks:ListFargateProfiles" | "eks:DescribeFargateProfile" => {
            &["fargate-exec-role-missing-policy", "fargate-exec-role-trust"]
        }
        // What EKS says beside: where it is missing, nothing is decided differently.
        _ if call.starts_with("eks:") => &[],
        "iam:ListInstanceProfilesForRole" => &["instance-profile-missing"],
        "iam:GetInstanceProfile" => &["instance-profile-missing", "node-role-missing-ecr-policy"],
        "iam:GetRole" => &["fargate-exec-role-trust", "permissions-boundary-blocks"],
        _ if call.starts_with("iam:") => &[
            "node-role-missing-ecr-policy",
            "fargate-exec-role-missing-policy",
            "identity-policy-explicit-deny",
            "permissions-boundary-blocks",
        ],
        _ if call.starts_with("organizations:") => &["scp-deny", "rcp-deny"],
        _ if call.starts_with("route53:") => &["private-hosted-zone-shadow"],
        _ if call.starts_with("ec2:") => of_ec2(call),
        _ => of_ecr(call),
    }
}

fn of_ecr(call: &str) -> &'static [&'static str] {
    match call {
        "ecr:DescribeRepositories" => {
            &["repository-not-found", "wrong-account-in-image", "wrong-registry-region"]
        }
        "ecr:GetRepositoryPolicy" => &[
            "repo-policy-missing-cross-account",
            "repo-policy-explicit-deny",
            "repo-policy-condition-mismatch",
            "repo-policy-stale-principal",
        ],
        "ecr:GetRegistryPolicy" => &["registry-policy-deny"],
        "ecr:DescribePullThroughCacheRules" => &[
            "ptc-rule-missing",
            "ptc-permission-missing",
            "ptc-cross-account",
            "ptc-dockerhub-library-prefix",
            "ptc-first-pull-no-internet",
            "repository-not-found",
            "image-tag-not-found",
        ],
        "ecr:BatchGetImage" => &["platform-mismatch", "manifest-type-unsupported"],
        "ecr:GetLifecyclePolicy" => &["image-deleted-by-lifecycle"],
        "ecr:DescribeImages" => {
            &["image-tag-not-found", "image-digest-not-found", "image-deleted-by-lifecycle", "image-archived"]
        }
        _ => &[],
    }
}

fn of_ec2(call: &str) -> &'static [&'static str] {
    match call {
        "ec2:DescribeVpcs" => &["custom-dhcp-dns", "sg-egress-blocked"],
        "ec2:DescribeVpcAttribute" => &["vpc-dns-support-disabled", "vpce-private-dns-disabled"],
        "ec2:DescribeDhcpOptions" => &["custom-dhcp-dns", "dns-server-unreachable"],
        "ec2:DescribeSubnets" | "ec2:DescribeRouteTables" => &[
            "no-route-to-internet",
            "fargate-subnet-no-egress",
            "nat-gateway-broken",
            "tgw-egress-broken",
            "igw-no-public-ip",
            "egress-only-igw-missing",
            "s3-gateway-route-table-missing",
        ],
        "ec2:DescribeSecurityGroups" => &[
            "sg-egress-blocked",
            "sg-egress-missing-s3-prefix-list",
            "vpce-sg-blocks-443",
            "fargate-sg-blocks",
        ],
        "ec2:DescribeNetworkAcls" => &["nacl-blocked"],
        "ec2:DescribeVpcEndpoints" => &[
            "vpce-ecr-api-missing",
            "vpce-ecr-dkr-missing",
            "vpce-s3-missing",
            "vpce-not-available",
            "vpce-private-dns-disabled",
            "vpce-sg-blocks-443",
            "vpce-subnet-az-missing",
            "vpce-policy-denies-ecr",
            "vpce-policy-denies-s3-layer-bucket",
            "s3-gateway-route-table-missing",
            "network-firewall-block",
        ],
        "ec2:DescribeNatGateways" => &["nat-gateway-broken"],
        "ec2:DescribeInternetGateways" => &["no-route-to-internet", "igw-no-public-ip"],
        "ec2:DescribeEgressOnlyInternetGateways" => &["egress-only-igw-missing"],
        "ec2:DescribeNetworkInterfaces" => &["igw-no-public-ip", "sg-egress-blocked", "vpce-sg-blocks-443"],
        "ec2:DescribeInstances" => {
            &["instance-profile-missing", "imds-unreachable", "igw-no-public-ip", "sg-egress-blocked"]
        }
        "ec2:DescribeLaunchTemplateVersions" => {
            &["sg-egress-blocked", "vpce-sg-blocks-443", "imds-unreachable", "igw-no-public-ip"]
        }
        "ec2:DescribePrefixLists" | "ec2:DescribeManagedPrefixLists" | "ec2:GetManagedPrefixListEntries" => {
            &["sg-egress-missing-s3-prefix-list", "s3-gateway-route-table-missing", "sg-egress-blocked"]
        }
        // Only names of rules are lost, which themselves stand in their groups; and how AWS calls services, which we know.
        "ec2:DescribeSecurityGroupRules" | "ec2:DescribeVpcEndpointServices" => &[],
        _ => &["tgw-egress-broken"],
    }
}

#[test]
fn every_call_hides_causes_of_the_catalogue() {
    let catalogue: Vec<&str> = crate::checks::ALL.iter().map(|cause| cause.id).collect();
    for statement in crate::plan::for_diagnosis().statement {
        for call in statement.action {
            for cause in hides(&call) {
                assert!(catalogue.contains(cause), "{call} hides {cause}");
            }
            let nothing = [
                "ec2:DescribeSecurityGroupRules",
                "ec2:DescribeVpcEndpointServices",
                "ecr:ListTagsForResource",
                "eks:DescribeAddon",
                "eks:DescribeCluster",
                "eks:ListAccessEntries",
                "eks:ListAddons",
                "eks:ListClusters",
                "eks:ListPodIdentityAssociations",
            ];
            let nothing = nothing.contains(&call.as_str()) || call.starts_with("sts:");
            assert_eq!(hides(&call).is_empty(), nothing, "{call}");
        }
    }
}
