//! EKS: the cluster, its node groups and Fargate profiles, who may enter it, and what EKS itself finds wrong.

use super::pages::{Unclear, Understand, pages};
use super::{Reader, Refused};
use crate::model::eks::{
    AccessConfig, Addon, CertificateAuthority, Cluster, ComputeConfig, FargateProfile, FargateSelector,
    Health, HealthIssue, Identity, LaunchTemplate, Nodegroup, Oidc, PodIdentityAssociation, VpcConfig,
};
use crate::model::kubernetes::Taint;

impl Reader {
    /// `eks:DescribeCluster`.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn cluster(&self, name: &str) -> Result<Cluster, Refused> {
        let answer = self.eks.describe_cluster().name(name).send().await;
        let answer = answer.map_err(|error| Refused::from_sdk("eks:DescribeCluster", name, &error))?;
        let cluster =
            answer.cluster.ok_or_else(|| Refused::never_sent("eks:DescribeCluster", "an empty answer"))?;
        Ok(Cluster {
            name: cluster.name.unwrap_or_default(),
            arn: cluster.arn.unwrap_or_default(),
            version: cluster.version,
            status: cluster.status.map(|status| status.as_str().to_owned()),
            endpoint: cluster.endpoint,
            certificate_authority: cluster
                .certificate_authority
                .map(|authority| CertificateAuthority { data: authority.data }),
            resources_vpc_config: cluster.resources_vpc_config.map(|vpc| VpcConfig {
                vpc_id: vpc.vpc_id,
                subnet_ids: vpc.subnet_ids.unwrap_or_default(),
                security_group_ids: vpc.security_group_ids.unwrap_or_default(),
                cluster_security_group_id: vpc.cluster_security_group_id,
            }),
            compute_config: cluster.compute_config.map(|compute| ComputeConfig {
                enabled: compute.enabled.unwrap_or_default(),
                node_role_arn: compute.node_role_arn,
                node_pools: compute.node_pools.unwrap_or_default(),
            }),
            identity: cluster.identity.map(|identity| Identity {
                oidc: identity.oidc.map(|oidc| Oidc { issuer: oidc.issuer.unwrap_or_default() }),
            }),
            access_config: cluster.access_config.map(|access| AccessConfig {
                authentication_mode: access.authentication_mode.map(|mode| mode.as_str().to_owned()),
            }),
        })
    }

    /// `eks:ListClusters`: the names, for a hint.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn cluster_names(&self) -> Result<Vec<String>, Refused> {
        pages(
            "eks:ListClusters",
            "",
            |token| self.eks.list_clusters().set_next_token(token).send(),
            |page| (page.clusters, page.next_token),
        )
        .await
    }

    /// `eks:ListNodegroups`.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn nodegroup_names(&self, cluster: &str) -> Result<Vec<String>, Refused> {
        pages(
            "eks:ListNodegroups",
            cluster,
            |token| self.eks.list_nodegroups().cluster_name(cluster).set_next_token(token).send(),
            |page| (page.nodegroups, page.next_token),
        )
        .await
    }

    /// `eks:DescribeNodegroup`.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn nodegroup(&self, cluster: &str, name: &str) -> Result<Nodegroup, Refused> {
        const CALL: &str = "eks:DescribeNodegroup";
        let answer = self.eks.describe_nodegroup().cluster_name(cluster).nodegroup_name(name).send().await;
        let answer = answer.map_err(|error| Refused::from_sdk(CALL, &format!("{cluster}/{name}"), &error))?;
        let group = answer.nodegroup.ok_or_else(|| Refused::never_sent(CALL, "an empty answer"))?;
        Ok(Nodegroup {
            nodegroup_name: group.nodegroup_name.unwrap_or_default(),
            cluster_name: group.cluster_name.unwrap_or_default(),
            nodegroup_arn: group.nodegroup_arn,
            node_role: group.node_role,
            subnets: group.subnets.unwrap_or_default(),
            labels: group.labels.unwrap_or_default().into_iter().collect(),
            taints: group.taints.unwrap_or_default().into_iter().map(taint).collect(),
            status: group.status.map(|status| status.as_str().to_owned()),
            health: Health {
                issues: group
                    .health
                    .and_then(|health| health.issues)
                    .unwrap_or_default()
                    .into_iter()
                    .map(issue)
                    .collect(),
            },
            ami_type: group.ami_type.map(|kind| kind.as_str().to_owned()),
            launch_template: group
                .launch_template
                .map(|template| LaunchTemplate { id: template.id, version: template.version }),
        })
    }

    /// `eks:ListFargateProfiles`.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn fargate_profile_names(&self, cluster: &str) -> Result<Vec<String>, Refused> {
        pages(
            "eks:ListFargateProfiles",
            cluster,
            |token| self.eks.list_fargate_profiles().cluster_name(cluster).set_next_token(token).send(),
            |page| (page.fargate_profile_names, page.next_token),
        )
        .await
    }

    /// `eks:DescribeFargateProfile`.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn fargate_profile(&self, cluster: &str, name: &str) -> Result<FargateProfile, Refused> {
        const CALL: &str = "eks:DescribeFargateProfile";
        let answer =
            self.eks.describe_fargate_profile().cluster_name(cluster).fargate_profile_name(name).send().await;
        let answer = answer.map_err(|error| Refused::from_sdk(CALL, &format!("{cluster}/{name}"), &error))?;
        let profile = answer.fargate_profile.ok_or_else(|| Refused::never_sent(CALL, "an empty answer"))?;
        let selectors = profile.selectors.unwrap_or_default().into_iter().map(|selector| FargateSelector {
            namespace: selector.namespace,
            labels: selector.labels.unwrap_or_default().into_iter().collect(),
        });
        Ok(FargateProfile {
            fargate_profile_name: profile.fargate_profile_name.unwrap_or_default(),
            cluster_name: profile.cluster_name.unwrap_or_default(),
            fargate_profile_arn: profile.fargate_profile_arn,
            pod_execution_role_arn: profile.pod_execution_role_arn,
            subnets: profile.subnets.unwrap_or_default(),
            selectors: selectors.collect(),
            status: profile.status.map(|status| status.as_str().to_owned()),
        })
    }

    /// `eks:ListAccessEntries`: the ARNs of the roles and users that may enter a cluster.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn access_entries(&self, cluster: &str) -> Result<Vec<String>, Refused> {
        pages(
            "eks:ListAccessEntries",
            cluster,
            |token| self.eks.list_access_entries().cluster_name(cluster).set_next_token(token).send(),
            |page| (page.access_entries, page.next_token),
        )
        .await
    }

    /// `eks:ListAddons`: the names of the add-ons that EKS manages.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn addon_names(&self, cluster: &str) -> Result<Vec<String>, Refused> {
        pages(
            "eks:ListAddons",
            cluster,
            |token| self.eks.list_addons().cluster_name(cluster).set_next_token(token).send(),
            |page| (page.addons, page.next_token),
        )
        .await
    }

    /// `eks:DescribeAddon`.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn addon(&self, cluster: &str, name: &str) -> Result<Addon, Refused> {
        const CALL: &str = "eks:DescribeAddon";
        let answer = self.eks.describe_addon().cluster_name(cluster).addon_name(name).send().await;
        let answer = answer.map_err(|error| Refused::from_sdk(CALL, &format!("{cluster}/{name}"), &error))?;
        let addon = answer.addon.ok_or_else(|| Refused::never_sent(CALL, "an empty answer"))?;
        let issues = addon.health.and_then(|health| health.issues).unwrap_or_default();
        Ok(Addon {
            addon_name: addon.addon_name.unwrap_or_default(),
            cluster_name: addon.cluster_name,
            status: addon.status.map(|status| status.as_str().to_owned()),
            addon_version: addon.addon_version,
            health: Health {
                issues: issues
                    .into_iter()
                    .map(|row| HealthIssue {
                        code: row.code.map(|code| code.as_str().to_owned()).unwrap_or_default(),
                        message: row.message,
                        resource_ids: row.resource_ids.unwrap_or_default(),
                    })
                    .collect(),
            },
        })
    }

    /// `eks:ListPodIdentityAssociations`: which service accounts have a role, without saying which role.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn pod_identities(&self, cluster: &str) -> Result<Vec<PodIdentityAssociation>, Refused> {
        pages(
            "eks:ListPodIdentityAssociations",
            cluster,
            |token| {
                self.eks.list_pod_identity_associations().cluster_name(cluster).set_next_token(token).send()
            },
            |page| (page.associations, page.next_token),
        )
        .await
    }
}

impl Understand<aws_sdk_eks::types::PodIdentityAssociationSummary> for PodIdentityAssociation {
    fn understand(row: aws_sdk_eks::types::PodIdentityAssociationSummary) -> Result<Self, Unclear> {
        Ok(PodIdentityAssociation {
            association_id: row.association_id.unwrap_or_default(),
            cluster_name: row.cluster_name,
            namespace: row.namespace.unwrap_or_default(),
            service_account: row.service_account.unwrap_or_default(),
            role_arn: None,
        })
    }
}

fn taint(row: aws_sdk_eks::types::Taint) -> Taint {
    let effect = row.effect.map(|effect| effect.as_str().to_owned());
    Taint { key: row.key.unwrap_or_default(), value: row.value, effect: effect.unwrap_or_default() }
}

fn issue(row: aws_sdk_eks::types::Issue) -> HealthIssue {
    HealthIssue {
        code: row.code.map(|code| code.as_str().to_owned()).unwrap_or_default(),
        message: row.message,
        resource_ids: row.resource_ids.unwrap_or_default(),
    }
}
