//! Parts of the network of a cluster, read again just before and just after a change of them.

use super::hides::hides;
use crate::aws::{Reader, Reason, Refused};
use crate::model::Snapshot;
use crate::model::eks::Cluster;
use crate::model::snapshot::Record;

/// The cluster, and the endpoints of a VPC.
pub async fn vpc_endpoints_again(reader: &Reader, cluster: &str, vpc: &str) -> Snapshot {
    let (cluster, endpoints) = tokio::join!(reader.cluster(cluster), reader.vpc_endpoints(vpc));
    let mut part = with_cluster(cluster);
    put(&mut part, endpoints);
    part
}

/// The cluster, and the security groups of a VPC.
pub async fn security_groups_again(reader: &Reader, cluster: &str, vpc: &str) -> Snapshot {
    let (cluster, groups) = tokio::join!(reader.cluster(cluster), reader.security_groups(vpc));
    let mut part = with_cluster(cluster);
    put(&mut part, groups);
    part
}

/// The cluster, and the DNS attributes of a VPC.
pub async fn vpc_attributes_again(reader: &Reader, cluster: &str, vpc: &str) -> Snapshot {
    let (cluster, support, hostnames) =
        tokio::join!(reader.cluster(cluster), reader.dns_support(vpc), reader.dns_hostnames(vpc));
    let mut part = with_cluster(cluster);
    put(&mut part, support.map(|row| vec![row]));
    put(&mut part, hostnames.map(|row| vec![row]));
    part
}

pub(super) fn with_cluster(cluster: Result<Cluster, Refused>) -> Snapshot {
    let mut part = Snapshot::default();
    let cluster = match cluster {
        Err(refused) if refused.reason == Reason::NotFound => Ok(Vec::new()),
        cluster => cluster.map(|cluster| vec![cluster]),
    };
    put(&mut part, cluster);
    part
}

pub(super) fn put<R: Record>(part: &mut Snapshot, rows: Result<Vec<R>, Refused>) {
    match rows {
        Ok(rows) => {
            part.keys.insert(R::TABLE.key.to_owned());
            rows.into_iter().for_each(|row| part.put(row));
        }
        Err(refused) => part.unread.push(refused.unread(hides(refused.call))),
    }
}
