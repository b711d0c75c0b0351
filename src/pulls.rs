//! Who pulls which image: the sources, the images, and every pair of them.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Code, Error};
use crate::model::ecr::RepositoryName;
use crate::model::eks::Cluster;
use crate::model::image_ref::ImageRef;
use crate::model::organizations::PolicyKind;
use crate::model::{Arn, Partition, Seen, Snapshot, Unread, aws_accounts};

/// The cluster that a diagnosis is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// The account of the cluster.
    pub account: String,
    /// The region of the cluster.
    pub region: String,
    /// The partition of the region.
    pub partition: String,
    /// Its name.
    pub cluster: String,
}

/// What pulls: all nodes of a group, or all pods of a Fargate profile.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    /// Which sort of puller.
    pub kind: SourceKind,
    /// Its name.
    pub id: String,
    /// The role that it pulls with, where it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

/// The sorts of pullers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// A managed node group.
    Nodegroup,
    /// A Fargate profile.
    FargateProfile,
    /// The built-in node pools of EKS Auto Mode.
    AutoMode,
}

impl SourceKind {
    /// The name in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            SourceKind::Nodegroup => "nodegroup",
            SourceKind::FargateProfile => "fargate-profile",
            SourceKind::AutoMode => "auto-mode",
        }
    }
}

/// An image that is pulled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Image {
    /// As the user, the pod or the table of add-on registries writes it.
    pub name: String,
    /// The account of the registry.
    pub account: String,
    /// The region of the registry.
    pub region: String,
    /// The ARN that permissions to pull it are about.
    pub repository_arn: String,
    /// The digest, or the tag; none for the stand-in of the add-ons, which names no image.
    pub reference: Option<String>,
}

impl Image {
    /// The repository, by account, region and name.
    pub fn repository(&self) -> RepositoryName<'_> {
        let name = self.repository_arn.split_once(":repository/").map_or("", |(_, name)| name);
        RepositoryName { account: &self.account, region: &self.region, name }
    }
}

/// One way that an image takes to a puller.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pull<'a> {
    /// Who pulls.
    pub source: &'a Source,
    /// What is pulled.
    pub image: &'a Image,
}

/// A snapshot with the pulls in it.
#[derive(Clone, Debug)]
pub struct World<'a> {
    /// All that was read.
    pub snapshot: &'a Snapshot,
    /// The cluster.
    pub target: Target,
    /// Who pulls.
    pub sources: Vec<Source>,
    /// What is pulled.
    pub images: Vec<Image>,
}

/// What to diagnose in a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scope {
    /// The name of the cluster, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Images to judge, beside those of the add-ons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
}

impl<'a> World<'a> {
    /// Finds the cluster, the sources and the images.
    ///
    /// # Errors
    /// There is no such cluster, several to choose from, or an image that is none.
    pub fn of(snapshot: &'a Snapshot, scope: &Scope) -> Result<World<'a>, Error> {
        let cluster = the_cluster(snapshot, scope.cluster.as_deref())?;
        let arn: Arn = cluster.arn.parse().map_err(|error: String| {
            Error::new(
                Code::BadInput,
                format!("the ARN of cluster {} is not one", cluster.name),
                "look at `cluster.arn`",
            )
            .because(error)
        })?;
        let target = Target {
            account: arn.account,
            region: arn.region,
            partition: arn.partition,
            cluster: cluster.name.clone(),
        };
        let sources = sources(snapshot, cluster);
        let images = images(&target, &scope.images)?;
        Ok(World { snapshot, target, sources, images })
    }

    /// What was not read: what was refused, what a snapshot does not hold, and what this version does not look at.
    pub fn unread(&self) -> Vec<Unread> {
        let row = |source: &str, because: &str, hides: &[&str]| Unread {
            source: source.to_owned(),
            because: because.to_owned(),
            hides: hides.iter().map(|cause| (*cause).to_owned()).collect(),
            ..Unread::default()
        };
        let keys = &self.snapshot.keys;
        let mut unread = self.snapshot.unread.clone();
        for (key, source, hides) in [
            ("nodegroup", "eks:ListNodegroups", "node-role-missing-ecr-policy"),
            ("fargateProfile", "eks:ListFargateProfiles", "fargate-exec-role-missing-policy"),
        ] {
            if !keys.contains(key) && !unread.iter().any(|unread| unread.source == source) {
                unread.push(row(source, "not in the snapshot", &[hides]));
            }
        }
        let strays = self.stray_nodes();
        if !strays.is_empty() {
            let because = format!(
                "this version does not judge nodes outside managed node groups: {}",
                strays.join(", ")
            );
            unread.push(row(
                "ec2:DescribeInstances",
                &because,
                &["node-role-missing-ecr-policy", "instance-profile-missing"],
            ));
        }
        unread.push(row(
            "kubernetes:pods",
            "not read: only the add-on images and those named with --image are judged",
            &["repo-policy-missing-cross-account", "image-tag-not-found"],
        ));
        let said = |service: &str| self.snapshot.unread.iter().any(|unread| unread.source.starts_with(service));
        if !said("organizations:") && !self.knows_organization() {
            let causes = ["scp-deny", "rcp-deny"];
            unread.push(row("organizations:ListPoliciesForTarget", "not in the snapshot", &causes));
        }
        if !said("route53:") && !keys.contains("HostedZoneSummaries") {
            let causes = ["private-hosted-zone-shadow"];
            unread.push(row("route53:ListHostedZonesByVPC", "not in the snapshot", &causes));
        }
        unread.push(row(
            "route53resolver:ListFirewallRuleGroupAssociations",
            "this version does not read it",
            &["dns-firewall-block"],
        ));
        unread
    }

    /// Whether it is known what an organization forbids here, if there is one.
    fn knows_organization(&self) -> bool {
        PolicyKind::ALL.into_iter().all(|kind| {
            let policies = self.snapshot.organization_policies(&self.target.account, kind);
            !matches!(policies, Seen::Unread(_))
        })
    }

    /// Running nodes of the cluster that belong to no managed node group: at most five of them.
    fn stray_nodes(&self) -> Vec<String> {
        let tag = format!("kubernetes.io/cluster/{}", self.target.cluster);
        let instances = self.snapshot.ec2.instances.values();
        let strays = instances.filter(|instance| {
            !instance.is_gone()
                && instance.tag(&tag).is_some()
                && instance.tag("eks:nodegroup-name").is_none()
        });
        strays.take(5).map(|instance| instance.instance_id.clone()).collect()
    }

    /// Every pull, in a fixed order.
    pub fn pulls(&self) -> Vec<Pull<'_>> {
        let of_source = |source| self.images.iter().map(move |image| Pull { source, image });
        self.sources.iter().flat_map(of_source).collect()
    }

    /// The sources of each role, by the ARN of the role.
    pub fn sources_by_role(&self) -> BTreeMap<&str, Vec<&Source>> {
        let mut roles: BTreeMap<&str, Vec<&Source>> = BTreeMap::new();
        for source in &self.sources {
            if let Some(role) = &source.role {
                roles.entry(role).or_default().push(source);
            }
        }
        roles
    }
}

fn the_cluster<'a>(snapshot: &'a Snapshot, name: Option<&str>) -> Result<&'a Cluster, Error> {
    let names =
        || snapshot.clusters.values().map(|cluster| cluster.name.as_str()).collect::<Vec<_>>().join(", ");
    let mut found = snapshot.clusters.values().filter(|cluster| name.is_none_or(|name| name == cluster.name));
    match (found.next(), found.next()) {
        (Some(cluster), None) => Ok(cluster),
        (Some(_), Some(_)) => Err(Error::new(
            Code::BadInput,
            "there are several clusters",
            format!("name one with --cluster: {}", names()),
        )),
        (None, _) if snapshot.clusters.is_empty() => Err(Error::new(
            Code::NotFound,
            "the snapshot holds no cluster",
            "add one with `aws eks describe-cluster --name NAME > DIR/cluster.json`",
        )),
        (None, _) => Err(Error::new(
            Code::NotFound,
            format!("there is no cluster {}", name.unwrap_or_default()),
            format!("the clusters here are: {}", names()),
        )),
    }
}

fn sources(snapshot: &Snapshot, cluster: &Cluster) -> Vec<Source> {
    let groups = snapshot.nodegroups.values().filter(|group| group.cluster_name == cluster.name);
    let profiles = snapshot.fargate_profiles.values().filter(|profile| profile.cluster_name == cluster.name);
    let auto_mode =
        cluster.compute_config.iter().filter(|compute| compute.enabled && !compute.node_pools.is_empty());
    let sources: BTreeSet<Source> = groups
        .map(|group| Source {
            kind: SourceKind::Nodegroup,
            id: group.nodegroup_name.clone(),
            role: group.node_role.clone(),
        })
        .chain(profiles.map(|profile| Source {
            kind: SourceKind::FargateProfile,
            id: profile.fargate_profile_name.clone(),
            role: profile.pod_execution_role_arn.clone(),
        }))
        .chain(auto_mode.map(|compute| Source {
            kind: SourceKind::AutoMode,
            id: compute.node_pools.join("+"),
            role: compute.node_role_arn.clone(),
        }))
        .collect();
    sources.into_iter().collect()
}

/// The images that were asked for and, because every node pulls them, those of the EKS add-ons.
fn images(target: &Target, asked: &[String]) -> Result<Vec<Image>, Error> {
    let mut images = BTreeSet::new();
    for name in asked {
        images.insert(private_image(name)?);
    }
    let partition = Partition::of_region(&target.region);
    if let Some(account) = aws_accounts::add_on_account(&target.region) {
        let host = format!("{account}.dkr.ecr.{}.{}", target.region, partition.dns_suffix);
        images.insert(Image {
            name: format!("{host}/eks/*"),
            account: account.to_owned(),
            region: target.region.clone(),
            repository_arn: format!(
                "arn:{}:ecr:{}:{account}:repository/eks/pause",
                target.partition, target.region
            ),
            reference: None,
        });
    }
    Ok(images.into_iter().collect())
}

fn private_image(name: &str) -> Result<Image, Error> {
    let refused = |because: &str| {
        Error::new(
            Code::BadInput,
            format!("{name} is not an image of a private ECR registry"),
            "write it as ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY:TAG",
        )
        .because(because)
    };
    let image = ImageRef::parse(name).ok_or_else(|| refused("it is no image reference"))?;
    let (Some(account), Some(region)) = (image.account, image.region) else {
        return Err(refused("its registry names no account and region"));
    };
    let repository = image.repository.ok_or_else(|| refused("it names no repository"))?;
    let partition = Partition::of_region(&region).name;
    Ok(Image {
        name: name.to_owned(),
        repository_arn: format!("arn:{partition}:ecr:{region}:{account}:repository/{repository}"),
        account,
        region,
        // Container runtimes ask for the digest where there is one, and for `latest` where there is nothing.
        reference: Some(image.digest.or(image.tag).unwrap_or_else(|| "latest".to_owned())),
    })
}
