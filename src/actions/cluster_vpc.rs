//! The VPC of a cluster: where changes of the network take place, and nowhere else.

use serde::{Deserialize, Serialize};

use super::Found;
use crate::model::{Partition, Seen, Snapshot};
use crate::plan::file::sha256_of;
use crate::pulls::{Target, World};

/// The one VPC of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ClusterVpc {
    /// The partition of the region.
    pub partition: String,
    /// The region of the cluster.
    pub region: String,
    /// The account of the cluster, which owns the VPC too.
    pub account: String,
    /// The name of the cluster.
    pub cluster: String,
    /// `vpc-…`.
    pub vpc_id: String,
}

impl ClusterVpc {
    /// The VPC of the cluster that a diagnosis is about.
    ///
    /// # Errors
    /// It was not read, or belongs to another account.
    pub fn of(world: &World<'_>) -> Result<ClusterVpc, String> {
        let Target { account, region, partition, cluster } = world.target.clone();
        let vpc_id = vpc_of_cluster(world.snapshot, &cluster)
            .ok_or_else(|| format!("the VPC of cluster {cluster} was not read"))?;
        let owner = world.snapshot.ec2.vpcs.get(&vpc_id).and_then(|vpc| vpc.owner_id.clone());
        if let Some(owner) = owner.filter(|owner| *owner != account) {
            return Err(format!("{vpc_id} is shared: it belongs to account {owner}, which has to change it"));
        }
        Ok(ClusterVpc { partition, region, account, cluster, vpc_id })
    }

    /// The ARN of a resource of EC2 in the account and the region.
    pub fn arn(&self, resource: &str) -> String {
        let ClusterVpc { partition, region, account, .. } = self;
        format!("arn:{partition}:ec2:{region}:{account}:{resource}")
    }

    /// The ARN of the VPC.
    pub fn vpc_arn(&self) -> String {
        self.arn(&format!("vpc/{}", self.vpc_id))
    }

    /// The ARN of the cluster.
    pub fn cluster_arn(&self) -> String {
        let ClusterVpc { partition, region, account, cluster, .. } = self;
        format!("arn:{partition}:eks:{region}:{account}:cluster/{cluster}")
    }

    /// Whether its parts fit together.
    ///
    /// # Errors
    /// What does not.
    pub fn check(&self) -> Result<(), String> {
        if Partition::of_region(&self.region).name != self.partition {
            return Err(format!("region {} is not in partition {}", self.region, self.partition));
        }
        if !is_id(&self.vpc_id, "vpc-") {
            return Err(format!("{} is not the id of a VPC", self.vpc_id));
        }
        Ok(())
    }

    /// Whether it is the VPC of the cluster that a plan is for, as far as the names say; [`ClusterVpc::lost_in`] looks.
    ///
    /// # Errors
    /// What does not fit.
    pub fn within(&self, target: &Target) -> Result<(), String> {
        let Target { account, region, partition, cluster } = target;
        let own = (&self.account, &self.region, &self.partition, &self.cluster);
        if own == (account, region, partition, cluster) {
            Ok(())
        } else {
            Err(format!("{} is not the VPC of cluster {cluster} in {region}", self.vpc_id))
        }
    }

    /// What is found where the cluster is not in this VPC, whatever the plan says. That says nothing about what a run made
    /// here: it may well be left, so it is never "gone".
    pub fn lost_in<R>(&self, world: &Snapshot) -> Option<Found<R>> {
        let because = match vpc_of_cluster(world, &self.cluster) {
            Some(vpc) if vpc == self.vpc_id => return None,
            Some(vpc) => format!("cluster {} is in {vpc}, not in {}", self.cluster, self.vpc_id),
            None => match world.missing::<()>("cluster", "eks:DescribeCluster", &self.cluster) {
                Seen::Unread(because) => because,
                Seen::Known(()) | Seen::Absent => {
                    format!(
                        "there is no cluster {} any more that says what to change in {}",
                        self.cluster, self.vpc_id
                    )
                }
            },
        };
        Some(Found::Unread(because))
    }
}

/// An id that AWS has yet to assign, for the world on paper: always the same for the same resource, and never one of AWS's,
/// whose ids have only hexadecimal digits.
pub fn id_on_paper(prefix: &str, natural_key: &[&str]) -> String {
    let hash = sha256_of(&serde_json::json!(natural_key));
    let digits: String = hash.trim_start_matches("sha256:").chars().take(9).collect();
    format!("{prefix}onpaper-{digits}")
}

/// Whether an id stands for one that AWS has yet to assign.
pub fn is_on_paper(id: &str) -> bool {
    id.contains("-onpaper-")
}

/// Whether a text is an id of AWS: a prefix with its dash, and letters and digits.
pub fn is_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix)
        .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'))
}

/// The id of the VPC of a cluster, where it was read.
pub fn vpc_of_cluster(world: &Snapshot, name: &str) -> Option<String> {
    let cluster = world.clusters.values().find(|cluster| cluster.name == name)?;
    cluster.resources_vpc_config.as_ref()?.vpc_id.clone()
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;

    use serde_json::{Value, json};

    use super::*;
    use crate::snapshot_dir::{Loaded, read_file};

    /// The VPC of [`world`].
    pub(in crate::actions) fn cluster_vpc() -> ClusterVpc {
        ClusterVpc {
            partition: "aws".to_owned(),
            region: "eu-west-1".to_owned(),
            account: "111122223333".to_owned(),
            cluster: "demo".to_owned(),
            vpc_id: "vpc-1".to_owned(),
        }
    }

    /// The cluster `demo` in `vpc-1`, and what further files say.
    pub(in crate::actions) fn world(files: &[Value]) -> Snapshot {
        let cluster = json!({"cluster": {"name": "demo", "arn": cluster_vpc().cluster_arn(),
            "resourcesVpcConfig": {"vpcId": "vpc-1"}}});
        let mut loaded = Loaded::default();
        for file in files.iter().chain([&cluster]) {
            read_file(&mut loaded, Path::new("a.json"), &file.to_string()).unwrap();
        }
        loaded.snapshot
    }

    #[test]
    fn changes_take_place_in_the_vpc_of_the_cluster_and_nowhere_else() {
        let elsewhere = ClusterVpc { vpc_id: "vpc-2".to_owned(), ..cluster_vpc() };
        assert_eq!(cluster_vpc().lost_in::<()>(&world(&[])), None);
        assert!(matches!(elsewhere.lost_in::<()>(&world(&[])), Some(Found::Unread(_))));
        assert!(matches!(elsewhere.lost_in::<()>(&Snapshot::default()), Some(Found::Unread(_))));
        assert!(ClusterVpc { partition: "aws-cn".to_owned(), ..cluster_vpc() }.check().is_err());
        assert!(ClusterVpc { vpc_id: "vpc-1/../2".to_owned(), ..cluster_vpc() }.check().is_err());
    }

    #[test]
    fn ids_on_paper_are_none_of_aws() {
        let id = id_on_paper("vpce-", &["vpc-1", "com.amazonaws.eu-west-1.s3"]);
        assert_eq!(id, id_on_paper("vpce-", &["vpc-1", "com.amazonaws.eu-west-1.s3"]));
        assert_ne!(id, id_on_paper("vpce-", &["vpc-2", "com.amazonaws.eu-west-1.s3"]));
        assert!(is_on_paper(&id) && is_id(&id, "vpce-"), "{id}");
        assert!(!is_on_paper("vpce-0123456789abcdef0"));
    }
}
