//! Partitions of AWS: which regions belong to which, and the domain names they use.
//!
//! Source: botocore `partitions.json` (1.43, August 2026).

use std::collections::BTreeSet;

/// One partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The second part of every ARN.
    pub name: &'static str,
    /// The domain of its services over IPv4.
    pub dns_suffix: &'static str,
    /// The domain of its services over IPv4 and IPv6.
    pub dual_stack_dns_suffix: &'static str,
    region_prefixes: &'static [&'static str],
}

/// Every partition we know. `aws` comes last, because it takes all that the others do not.
pub const PARTITIONS: [Partition; 8] = [
    Partition {
        name: "aws-cn",
        dns_suffix: "amazonaws.com.cn",
        dual_stack_dns_suffix: "api.amazonwebservices.com.cn",
        region_prefixes: &["cn-"],
    },
    Partition {
        name: "aws-us-gov",
        dns_suffix: "amazonaws.com",
        dual_stack_dns_suffix: "api.aws",
        region_prefixes: &["us-gov-"],
    },
    Partition {
        name: "aws-eusc",
        dns_suffix: "amazonaws.eu",
        dual_stack_dns_suffix: "api.amazonwebservices.eu",
        region_prefixes: &["eusc-"],
    },
    Partition {
        name: "aws-iso",
        dns_suffix: "c2s.ic.gov",
        dual_stack_dns_suffix: "api.aws.ic.gov",
        region_prefixes: &["us-iso-"],
    },
    Partition {
        name: "aws-iso-b",
        dns_suffix: "sc2s.sgov.gov",
        dual_stack_dns_suffix: "api.aws.scloud",
        region_prefixes: &["us-isob-"],
    },
    Partition {
        name: "aws-iso-e",
        dns_suffix: "cloud.adc-e.uk",
        dual_stack_dns_suffix: "api.cloud-aws.adc-e.uk",
        region_prefixes: &["eu-isoe-"],
    },
    Partition {
        name: "aws-iso-f",
        dns_suffix: "csp.hci.ic.gov",
        dual_stack_dns_suffix: "api.aws.hci.ic.gov",
        region_prefixes: &["us-isof-"],
    },
    Partition {
        name: "aws",
        dns_suffix: "amazonaws.com",
        dual_stack_dns_suffix: "api.aws",
        region_prefixes: &[""],
    },
];

impl Partition {
    /// The partition that a region belongs to.
    pub fn of_region(region: &str) -> &'static Partition {
        const AWS: &Partition = &PARTITIONS[7];
        let holds = |partition: &&Partition| {
            partition.region_prefixes.iter().any(|prefix| region.starts_with(prefix))
        };
        PARTITIONS.iter().find(holds).unwrap_or(AWS)
    }
}

/// How the endpoint services of a region may be called: by the domain of the partition backwards, or, as some are in China,
/// as in the partition `aws`.
pub fn endpoint_service_names(region: &str, service: &str) -> BTreeSet<String> {
    let mut domain: Vec<&str> = Partition::of_region(region).dns_suffix.split('.').collect();
    domain.reverse();
    [domain.join("."), "com.amazonaws".to_owned()].map(|prefix| format!("{prefix}.{region}.{service}")).into()
}

#[test]
fn a_region_belongs_to_one_partition() {
    let name = |region| Partition::of_region(region).name;
    assert_eq!(name("eu-west-1"), "aws");
    assert_eq!(name("cn-north-1"), "aws-cn");
    assert_eq!(name("us-gov-west-1"), "aws-us-gov");
    assert_eq!(name("us-isob-east-1"), "aws-iso-b");
}
