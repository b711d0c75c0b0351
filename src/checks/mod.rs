//! The catalogue of causes: one file each, with its id, its manual, its messages and its judgement.

mod backoff_no_cause;
mod clock_skew;
mod containerd_registry_config_broken;
mod credential_provider_pattern_miss;
mod cross_region_private_pull;
mod custom_dhcp_dns;
mod dns_firewall_block;
mod dns_no_such_host;
mod dns_server_unreachable;
mod dns_throttled;
mod ecr_api_throttled;
mod ecr_public_auth_denied;
mod ecr_public_image_not_found;
mod ecr_public_rate_limited;
mod ecr_public_stale_credentials;
mod ecr_public_unreachable;
mod egress_only_igw_missing;
mod fargate_exec_role_missing_policy;
mod fargate_exec_role_trust;
mod fargate_sg_blocks;
mod fargate_storage_full;
mod fargate_subnet_no_egress;
mod http_proxy_misconfig;
mod hybrid_node_credentials;
mod identity_policy_explicit_deny;
mod igw_no_public_ip;
mod image_archived;
mod image_deleted_by_lifecycle;
mod image_digest_not_found;
mod image_policy_rejected;
mod image_pull_policy_never;
mod image_tag_not_found;
mod imds_unreachable;
mod immutable_tag_confusion;
mod instance_profile_missing;
mod invalid_image_name;
mod ipv6_only_egress;
mod kms_key_unavailable;
mod kubelet_credential_provider_missing;
mod kubelet_credentials_stale;
mod kubelet_pull_qps;
mod layer_blob_missing;
mod manifest_type_unsupported;
mod mtu_blackhole;
mod nacl_blocked;
mod nat_gateway_broken;
mod nat_port_exhaustion;
mod network_firewall_block;
mod no_route_to_internet;
mod node_bootstrap_endpoints_missing;
mod node_disk_full;
mod node_role_missing_ecr_policy;
mod out_of_scope_registry;
mod permissions_boundary_blocks;
mod platform_mismatch;
mod private_hosted_zone_shadow;
mod ptc_cross_account;
mod ptc_dockerhub_library_prefix;
mod ptc_first_pull_no_internet;
mod ptc_permission_missing;
mod ptc_rule_missing;
mod ptc_upstream_auth_failed;
mod ptc_upstream_failed;
mod pull_progress_deadline;
mod pull_secret_expired;
mod pull_secret_missing;
mod pull_secret_wrong;
mod rcp_deny;
mod registry_host_typo;
mod registry_policy_deny;
mod repo_policy_condition_mismatch;
mod repo_policy_explicit_deny;
mod repo_policy_missing_cross_account;
mod repo_policy_stale_principal;
mod repository_not_found;
mod runtime_content_corrupt;
mod runtime_down;
mod s3_gateway_route_table_missing;
mod s3_throttled;
mod sa_credential_role_denied;
mod sandbox_image_pull_failed;
mod scp_deny;
mod session_policy_or_vpce_condition;
mod sg_egress_blocked;
mod sg_egress_missing_s3_prefix_list;
mod tgw_egress_broken;
mod tls_interception;
mod transient_network;
mod unclassified;
mod vpc_dns_support_disabled;
mod vpce_ecr_api_missing;
mod vpce_ecr_dkr_missing;
mod vpce_fips_or_dualstack_name;
mod vpce_not_available;
mod vpce_policy_denies_ecr;
mod vpce_policy_denies_s3_layer_bucket;
mod vpce_private_dns_disabled;
mod vpce_s3_interface_only;
mod vpce_s3_missing;
mod vpce_sg_blocks_443;
mod vpce_shared_dns_missing;
mod vpce_subnet_az_missing;
mod windows_foreign_layers;
mod wrong_account_in_image;
mod wrong_region_token;
mod wrong_registry_region;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::explain::Message;

/// Why pulls fail: one entry of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Cause {
    /// Stable, in kebab case.
    pub id: &'static str,
    /// The leg of a pull that it breaks; none for entries that are no cause.
    pub leg: Option<Leg>,
    /// How bad it is for the pulls behind it.
    pub severity: Severity,
    /// Who can mend it.
    pub remedy: Remedy,
    /// The file of the cause: its leading `//!` lines are the manual.
    pub source: &'static str,
    /// Whether a message may come from it.
    pub recognise: fn(&Message) -> Option<Recognition>,
}

impl Cause {
    /// The manual, in Markdown: `# id`, a summary, and chapters.
    pub fn manual(&self) -> String {
        let lines = self.source.lines().map_while(|line| line.strip_prefix("//!"));
        lines.map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line))).collect()
    }

    /// The first line of the manual below its title.
    pub fn summary(&self) -> String {
        self.manual().lines().skip(1).find(|line| !line.is_empty()).unwrap_or_default().to_owned()
    }

    /// The cause with this id.
    pub fn find(id: &str) -> Option<&'static Cause> {
        ALL.iter().find(|cause| cause.id == id).copied()
    }
}

/// Why a cause may be the one that a message comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Recognition {
    /// How likely.
    pub likelihood: Likelihood,
    /// The part of the message that says so, and what it means.
    pub because: String,
    /// What to check or run next.
    pub next: String,
    /// Orders the causes of one likelihood: the heavier first.
    #[serde(skip)]
    weight: u8,
}

/// How likely a cause is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Likelihood {
    /// The message fits it, and others better or as well.
    Possible,
    /// The first thing to check.
    Likely,
    /// The message says so itself.
    Certain,
}

impl Recognition {
    /// The message says so itself.
    pub fn certain(said: &str, meaning: &str, next: impl Into<String>) -> Recognition {
        Recognition::new(Likelihood::Certain, said, meaning, next.into())
    }

    /// The first thing to check.
    pub fn likely(said: &str, meaning: &str, next: impl Into<String>) -> Recognition {
        Recognition::new(Likelihood::Likely, said, meaning, next.into())
    }

    /// The message fits it, and others better or as well.
    pub fn possible(said: &str, meaning: &str, next: impl Into<String>) -> Recognition {
        Recognition::new(Likelihood::Possible, said, meaning, next.into())
    }

    /// Puts it before causes of the same likelihood that are lighter; 50 is the middle.
    #[must_use]
    pub fn weight(mut self, weight: u8) -> Recognition {
        self.weight = weight;
        self
    }

    /// The higher, the more likely.
    pub fn rank(&self) -> (Likelihood, u8) {
        (self.likelihood, self.weight)
    }

    fn new(likelihood: Likelihood, said: &str, meaning: &str, next: String) -> Recognition {
        Recognition { likelihood, because: format!("`{said}`: {meaning}"), next, weight: 50 }
    }
}

impl Likelihood {
    /// The name in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Likelihood::Possible => "possible",
            Likelihood::Likely => "likely",
            Likelihood::Certain => "certain",
        }
    }
}

/// Every cause, in the order of a pull.
pub const ALL: &[&Cause] = &[
    &instance_profile_missing::CAUSE,
    &imds_unreachable::CAUSE,
    &hybrid_node_credentials::CAUSE,
    &fargate_exec_role_trust::CAUSE,
    &pull_secret_missing::CAUSE,
    &pull_secret_expired::CAUSE,
    &pull_secret_wrong::CAUSE,
    &kubelet_credential_provider_missing::CAUSE,
    &credential_provider_pattern_miss::CAUSE,
    &kubelet_credentials_stale::CAUSE,
    &sa_credential_role_denied::CAUSE,
    &containerd_registry_config_broken::CAUSE,
    &sandbox_image_pull_failed::CAUSE,
    &clock_skew::CAUSE,
    &wrong_region_token::CAUSE,
    &registry_host_typo::CAUSE,
    &dns_no_such_host::CAUSE,
    &vpc_dns_support_disabled::CAUSE,
    &custom_dhcp_dns::CAUSE,
    &dns_server_unreachable::CAUSE,
    &dns_throttled::CAUSE,
    &private_hosted_zone_shadow::CAUSE,
    &dns_firewall_block::CAUSE,
    &vpce_private_dns_disabled::CAUSE,
    &vpce_shared_dns_missing::CAUSE,
    &vpce_ecr_api_missing::CAUSE,
    &ecr_api_throttled::CAUSE,
    &no_route_to_internet::CAUSE,
    &nat_gateway_broken::CAUSE,
    &igw_no_public_ip::CAUSE,
    &tgw_egress_broken::CAUSE,
    &network_firewall_block::CAUSE,
    &http_proxy_misconfig::CAUSE,
    &sg_egress_blocked::CAUSE,
    &nacl_blocked::CAUSE,
    &mtu_blackhole::CAUSE,
    &nat_port_exhaustion::CAUSE,
    &ipv6_only_egress::CAUSE,
    &egress_only_igw_missing::CAUSE,
    &tls_interception::CAUSE,
    &transient_network::CAUSE,
    &vpce_ecr_dkr_missing::CAUSE,
    &vpce_sg_blocks_443::CAUSE,
    &vpce_subnet_az_missing::CAUSE,
    &vpce_not_available::CAUSE,
    &vpce_fips_or_dualstack_name::CAUSE,
    &cross_region_private_pull::CAUSE,
    &fargate_subnet_no_egress::CAUSE,
    &fargate_sg_blocks::CAUSE,
    &ecr_public_unreachable::CAUSE,
    &fargate_exec_role_missing_policy::CAUSE,
    &permissions_boundary_blocks::CAUSE,
    &scp_deny::CAUSE,
    &identity_policy_explicit_deny::CAUSE,
    &session_policy_or_vpce_condition::CAUSE,
    &node_role_missing_ecr_policy::CAUSE,
    &repo_policy_missing_cross_account::CAUSE,
    &repo_policy_explicit_deny::CAUSE,
    &repo_policy_condition_mismatch::CAUSE,
    &repo_policy_stale_principal::CAUSE,
    &registry_policy_deny::CAUSE,
    &rcp_deny::CAUSE,
    &wrong_account_in_image::CAUSE,
    &vpce_policy_denies_ecr::CAUSE,
    &ptc_permission_missing::CAUSE,
    &ptc_cross_account::CAUSE,
    &ecr_public_stale_credentials::CAUSE,
    &ecr_public_rate_limited::CAUSE,
    &repository_not_found::CAUSE,
    &image_tag_not_found::CAUSE,
    &image_digest_not_found::CAUSE,
    &image_deleted_by_lifecycle::CAUSE,
    &image_archived::CAUSE,
    &wrong_registry_region::CAUSE,
    &platform_mismatch::CAUSE,
    &manifest_type_unsupported::CAUSE,
    &layer_blob_missing::CAUSE,
    &immutable_tag_confusion::CAUSE,
    &invalid_image_name::CAUSE,
    &image_pull_policy_never::CAUSE,
    &image_policy_rejected::CAUSE,
    &ptc_rule_missing::CAUSE,
    &ptc_dockerhub_library_prefix::CAUSE,
    &ptc_upstream_auth_failed::CAUSE,
    &ptc_upstream_failed::CAUSE,
    &ecr_public_image_not_found::CAUSE,
    &kms_key_unavailable::CAUSE,
    &vpce_s3_missing::CAUSE,
    &s3_gateway_route_table_missing::CAUSE,
    &sg_egress_missing_s3_prefix_list::CAUSE,
    &vpce_s3_interface_only::CAUSE,
    &ptc_first_pull_no_internet::CAUSE,
    &windows_foreign_layers::CAUSE,
    &pull_progress_deadline::CAUSE,
    &s3_throttled::CAUSE,
    &vpce_policy_denies_s3_layer_bucket::CAUSE,
    &node_bootstrap_endpoints_missing::CAUSE,
    &ecr_public_auth_denied::CAUSE,
    &kubelet_pull_qps::CAUSE,
    &node_disk_full::CAUSE,
    &fargate_storage_full::CAUSE,
    &runtime_content_corrupt::CAUSE,
    &runtime_down::CAUSE,
    &backoff_no_cause::CAUSE,
    &out_of_scope_registry::CAUSE,
    &unclassified::CAUSE,
];

/// The legs of a pull, in the order in which a pull takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
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

impl Severity {
    /// The name in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Critical => "critical",
            Severity::High => "high",
            Severity::Medium => "medium",
            Severity::Low => "low",
        }
    }
}

/// Who can mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Remedy {
    /// A plan of ecr-fix.
    Automatic,
    /// A person, with the commands that are printed.
    Manual,
    /// Nobody by a change in AWS.
    NotAws,
}

impl Remedy {
    /// The name in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Remedy::Automatic => "automatic",
            Remedy::Manual => "manual",
            Remedy::NotAws => "not-aws",
        }
    }
}

#[cfg(test)]
mod test_support {
    use super::Cause;
    use crate::explain::{Known, explain};

    fn found(message: &str) -> Vec<&'static str> {
        explain(message, &Known::default()).causes.iter().map(|reason| reason.id).collect()
    }

    /// The cause is the most likely one.
    pub(crate) fn first(cause: &Cause, message: &str) {
        let found = found(message);
        assert_eq!(found.first(), Some(&cause.id), "{message}\nfound {found:?}");
    }

    /// The cause is one of several.
    pub(crate) fn among(cause: &Cause, message: &str) {
        let found = found(message);
        assert!(found.contains(&cause.id), "{message}\nfound {found:?}");
    }

    /// The cause is none of them.
    pub(crate) fn silent(cause: &Cause, message: &str) {
        let found = found(message);
        assert!(!found.contains(&cause.id), "{message}\nfound {found:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// None appears or vanishes unseen.
    #[test]
    fn every_cause() {
        let table: String = ALL
            .iter()
            .map(|cause| {
                let leg = cause.leg.map_or("-", Leg::as_str);
                format!("{leg} {} {} {}\n", cause.id, cause.severity.as_str(), cause.remedy.as_str())
            })
            .collect();
        expect_test::expect![[r#"
            credentials instance-profile-missing critical automatic
            credentials imds-unreachable critical manual
            credentials hybrid-node-credentials critical automatic
            credentials fargate-exec-role-trust critical automatic
            credentials pull-secret-missing high not-aws
            credentials pull-secret-expired high not-aws
            credentials pull-secret-wrong high not-aws
            credentials kubelet-credential-provider-missing critical not-aws
            credentials credential-provider-pattern-miss critical not-aws
            credentials kubelet-credentials-stale high not-aws
            credentials sa-credential-role-denied high manual
            credentials containerd-registry-config-broken high not-aws
            credentials sandbox-image-pull-failed critical not-aws
            credentials clock-skew high not-aws
            credentials wrong-region-token medium not-aws
            dns registry-host-typo high not-aws
            dns dns-no-such-host critical manual
            dns vpc-dns-support-disabled critical automatic
            dns custom-dhcp-dns high manual
            dns dns-server-unreachable critical automatic
            dns dns-throttled medium not-aws
            dns private-hosted-zone-shadow high manual
            dns dns-firewall-block high manual
            dns vpce-private-dns-disabled critical automatic
            dns vpce-shared-dns-missing high manual
            ecr-api-network vpce-ecr-api-missing critical automatic
            ecr-token-permission ecr-api-throttled high manual
            registry-network no-route-to-internet critical automatic
            registry-network nat-gateway-broken critical automatic
            registry-network igw-no-public-ip critical manual
            registry-network tgw-egress-broken critical manual
            registry-network network-firewall-block high manual
            registry-network http-proxy-misconfig critical not-aws
            registry-network sg-egress-blocked critical automatic
            registry-network nacl-blocked critical automatic
            registry-network mtu-blackhole high manual
            registry-network nat-port-exhaustion medium manual
            registry-network ipv6-only-egress critical manual
            registry-network egress-only-igw-missing high automatic
            registry-network tls-interception critical not-aws
            registry-network transient-network low not-aws
            registry-network vpce-ecr-dkr-missing critical automatic
            registry-network vpce-sg-blocks-443 critical automatic
            registry-network vpce-subnet-az-missing medium manual
            registry-network vpce-not-available critical manual
            registry-network vpce-fips-or-dualstack-name high not-aws
            registry-network cross-region-private-pull high manual
            registry-network fargate-subnet-no-egress critical automatic
            registry-network fargate-sg-blocks critical automatic
            registry-network ecr-public-unreachable high manual
            pull-permission fargate-exec-role-missing-policy critical automatic
            pull-permission permissions-boundary-blocks critical manual
            pull-permission scp-deny critical manual
            pull-permission identity-policy-explicit-deny critical manual
            pull-permission session-policy-or-vpce-condition high manual
            pull-permission node-role-missing-ecr-policy critical automatic
            pull-permission repo-policy-missing-cross-account critical automatic
            pull-permission repo-policy-explicit-deny critical manual
            pull-permission repo-policy-condition-mismatch high manual
            pull-permission repo-policy-stale-principal high automatic
            pull-permission registry-policy-deny critical manual
            pull-permission rcp-deny critical manual
            pull-permission wrong-account-in-image high not-aws
            pull-permission vpce-policy-denies-ecr critical manual
            pull-permission ptc-permission-missing critical automatic
            pull-permission ptc-cross-account high manual
            pull-permission ecr-public-stale-credentials high not-aws
            pull-permission ecr-public-rate-limited high manual
            image repository-not-found critical not-aws
            image image-tag-not-found critical not-aws
            image image-digest-not-found critical not-aws
            image image-deleted-by-lifecycle high not-aws
            image image-archived high manual
            image wrong-registry-region high not-aws
            image platform-mismatch critical not-aws
            image manifest-type-unsupported critical not-aws
            image layer-blob-missing critical not-aws
            image immutable-tag-confusion low not-aws
            image invalid-image-name critical not-aws
            image image-pull-policy-never high not-aws
            image image-policy-rejected high not-aws
            image ptc-rule-missing high manual
            image ptc-dockerhub-library-prefix high not-aws
            image ptc-upstream-auth-failed high manual
            image ptc-upstream-failed high not-aws
            image ecr-public-image-not-found critical not-aws
            image kms-key-unavailable critical manual
            layer-network vpce-s3-missing critical automatic
            layer-network s3-gateway-route-table-missing critical automatic
            layer-network sg-egress-missing-s3-prefix-list critical automatic
            layer-network vpce-s3-interface-only high automatic
            layer-network ptc-first-pull-no-internet high manual
            layer-network windows-foreign-layers high not-aws
            layer-network pull-progress-deadline high not-aws
            layer-network s3-throttled medium not-aws
            layer-permission vpce-policy-denies-s3-layer-bucket critical manual
            - node-bootstrap-endpoints-missing high manual
            - ecr-public-auth-denied low manual
            - kubelet-pull-qps medium not-aws
            - node-disk-full critical not-aws
            - fargate-storage-full critical not-aws
            - runtime-content-corrupt high not-aws
            - runtime-down critical not-aws
            - backoff-no-cause low not-aws
            - out-of-scope-registry low not-aws
            - unclassified low not-aws
        "#]]
        .assert_eq(&table);
    }

    #[test]
    fn every_cause_has_a_manual_of_one_form() {
        for cause in ALL {
            let manual = cause.manual();
            let headings: Vec<&str> = manual.lines().filter(|line| line.starts_with('#')).collect();
            let what =
                if cause.remedy == Remedy::Automatic { "## What the fix does" } else { "## What to do" };
            let title = format!("# {}", cause.id);
            let wanted = [title.as_str(), "## Why pulls fail", "## How to see it", what];
            assert_eq!(headings[..4], wanted, "{}", cause.id);
            assert!(headings.len() == 4 || headings[4..] == ["## What is never automated"], "{}", cause.id);
            assert!(cause.summary().ends_with('.') && cause.summary().len() <= 120, "{}", cause.summary());
            assert!(manual.lines().all(|line| line.chars().count() <= 110), "{}", cause.id);
        }
    }

    #[test]
    fn causes_stand_in_the_order_of_a_pull() {
        let leg = |cause: &Cause| cause.leg.map_or(Leg::ALL.len(), |leg| leg as usize);
        assert!(ALL.windows(2).all(|pair| leg(pair[0]) <= leg(pair[1])));
        let ids: std::collections::BTreeSet<&str> = ALL.iter().map(|cause| cause.id).collect();
        assert_eq!(ids.len(), ALL.len());
    }
}
