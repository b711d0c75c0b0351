//! The catalogue of causes: one file each, with its id, its manual, its messages and its judgement.

use serde::{Deserialize, Serialize};

/// The legs of a pull, in the order in which a pull takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leg {
    /// The puller has an identity: instance profile, pod execution role, pull secret.
    Credentials,
    /// Names resolve, to the addresses they should.
    Dns,
    /// The way to the ECR API, which issues the token.
    EcrApiNetwork,
    /// `ecr:GetAuthorizationToken`.
    EcrTokenPermission,
    /// The way to the registry, which serves manifests.
    RegistryNetwork,
    /// `ecr:BatchGetImage` and `ecr:GetDownloadUrlForLayer`.
    PullPermission,
    /// The image exists, for this platform.
    Image,
    /// The way to the bucket that serves layers.
    LayerNetwork,
    /// `s3:GetObject`, by the policy of the S3 endpoint.
    LayerPermission,
}

impl Leg {
    /// Every leg, in order.
    pub const ALL: [Leg; 9] = [
        Leg::Credentials,
        Leg::Dns,
        Leg::EcrApiNetwork,
        Leg::EcrTokenPermission,
        Leg::RegistryNetwork,
        Leg::PullPermission,
        Leg::Image,
        Leg::LayerNetwork,
        Leg::LayerPermission,
    ];

    /// The name in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Leg::Credentials => "credentials",
            Leg::Dns => "dns",
            Leg::EcrApiNetwork => "ecr-api-network",
            Leg::EcrTokenPermission => "ecr-token-permission",
            Leg::RegistryNetwork => "registry-network",
            Leg::PullPermission => "pull-permission",
            Leg::Image => "image",
            Leg::LayerNetwork => "layer-network",
            Leg::LayerPermission => "layer-permission",
        }
    }
}

/// How bad a finding is for the pulls behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// No pull gets through.
    Critical,
    /// Some pulls do not get through.
    High,
    /// Pulls get through today, but may not tomorrow.
    Medium,
    /// Worth knowing.
    Low,
}

/// Who can mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remedy {
    /// A plan of ecr-fix.
    Automatic,
    /// A person, with the commands that are printed.
    Manual,
    /// Nobody by a change in AWS.
    NotAws,
}
