//! Reads one resource of a network again, with the cluster, for a look just before and just after a change of it.

use super::vpc_again::{put, with_cluster};
use crate::aws::{Reader, Reason, Refused};
use crate::model::Snapshot;
use crate::model::snapshot::Record;

/// A security group with its rules.
pub async fn security_group_again(reader: &Reader, cluster: &str, id: &str) -> Snapshot {
    let ids = [id.to_owned()];
    let (cluster, group, rules) =
        tokio::join!(reader.cluster(cluster), reader.security_group(id), reader.security_group_rules(&ids));
    let mut part = with_cluster(cluster);
    put_one(&mut part, group);
    // Without the ids of the rules the group itself still tells which there are.
    if let Ok(rules) = rules {
        put(&mut part, Ok(rules));
    }
    part
}

/// A network ACL.
pub async fn network_acl_again(reader: &Reader, cluster: &str, id: &str) -> Snapshot {
    let (cluster, acl) = tokio::join!(reader.cluster(cluster), reader.network_acl(id));
    let mut part = with_cluster(cluster);
    put_one(&mut part, acl);
    part
}

/// A route table.
pub async fn route_table_again(reader: &Reader, cluster: &str, id: &str) -> Snapshot {
    let (cluster, table) = tokio::join!(reader.cluster(cluster), reader.route_table(id));
    let mut part = with_cluster(cluster);
    put_one(&mut part, table);
    part
}

/// That it does not exist is an answer, too.
fn put_one<R: Record>(part: &mut Snapshot, rows: Result<Vec<R>, Refused>) {
    let rows = match rows {
        Err(refused) if refused.reason == Reason::NotFound => Ok(Vec::new()),
        rows => rows,
    };
    put(part, rows);
}
