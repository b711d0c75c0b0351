//! Reads one resource of a network again, for a look just before and just after a change of it.

use super::network::put;
use crate::aws::{Reader, Reason, Refused};
use crate::model::Snapshot;
use crate::model::snapshot::Record;

/// A security group with its rules.
pub async fn security_group_again(reader: &Reader, id: &str) -> Snapshot {
    let ids = [id.to_owned()];
    let (group, rules) = tokio::join!(reader.security_group(id), reader.security_group_rules(&ids));
    let mut part = Snapshot::default();
    put_one(&mut part, group);
    // Without the ids of the rules the group itself still tells which there are.
    if let Ok(rules) = rules {
        put(&mut part, Ok(rules));
    }
    part
}

/// A network ACL.
pub async fn network_acl_again(reader: &Reader, id: &str) -> Snapshot {
    let mut part = Snapshot::default();
    put_one(&mut part, reader.network_acl(id).await);
    part
}

/// A route table.
pub async fn route_table_again(reader: &Reader, id: &str) -> Snapshot {
    let mut part = Snapshot::default();
    put_one(&mut part, reader.route_table(id).await);
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
