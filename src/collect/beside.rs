//! What EKS says beside what pulls need: read only where something looks wrong, or where nobody can look at pods.

use std::collections::BTreeMap;

use super::each::{Each, each};
use super::hides::hides;
use super::kubernetes::Part;
use super::network::put;
use crate::aws::{Reader, Reason, Refused};
use crate::model::Snapshot;
use crate::model::eks::{ACCESS_ENTRIES, AccessEntry, Addon, Cluster, PodIdentityAssociation};
use crate::model::snapshot::Record as _;

/// The add-ons where pods were not read, and the roles of pods where some wait for images.
#[derive(Debug, Default)]
pub(super) struct Beside {
    addons: Option<Result<Each<Result<Addon, Refused>>, Refused>>,
    identities: Option<Result<Vec<PodIdentityAssociation>, Refused>>,
}

/// Reads what is of use beside these pods.
pub(super) async fn read(reader: &Reader, cluster: &str, pods: &Part) -> Beside {
    let addons = async { if pods.are_read() { None } else { Some(addons(reader, cluster).await) } };
    let identities =
        async { if pods.wait_for_images() { Some(reader.pod_identities(cluster).await) } else { None } };
    let (addons, identities) = tokio::join!(addons, identities);
    Beside { addons, identities }
}

async fn addons(reader: &Reader, cluster: &str) -> Result<Each<Result<Addon, Refused>>, Refused> {
    let names = reader.addon_names(cluster).await?;
    let cluster = cluster.to_owned();
    let addon = move |reader: Reader, name: String| {
        let cluster = cluster.clone();
        async move { reader.addon(&cluster, &name).await }
    };
    Ok(each(reader, names, addon).await)
}

impl Beside {
    /// Puts it into the world.
    pub(super) fn put(self, world: &mut Snapshot) {
        match self.addons {
            None => {}
            Some(Ok(addons)) => {
                world.keys.insert(Addon::TABLE.key.to_owned());
                for (_, addon) in addons {
                    match addon {
                        Ok(addon) => world.put(addon),
                        Err(refused) if refused.reason == Reason::NotFound => {}
                        Err(refused) => note(world, &refused),
                    }
                }
            }
            Some(Err(refused)) => note(world, &refused),
        }
        self.identities.into_iter().for_each(|rows| put(world, rows));
    }
}

/// Who may enter the cluster, where somebody who should does not. A cluster that goes by its ConfigMap alone has no entries.
pub(super) async fn who_may_enter(reader: &Reader, cluster: &Cluster, world: &mut Snapshot) {
    let mode = cluster.access_config.as_ref().and_then(|access| access.authentication_mode.as_deref());
    let fails = world.nodegroups.keys().any(|group| world.fails_to_join(group));
    let all_joined = world.not_joined(world.ec2.instances.keys().map(String::as_str)).is_empty();
    if !mode.is_some_and(|mode| mode.contains("API")) || all_joined && !fails {
        return;
    }
    match reader.access_entries(&cluster.name).await {
        Ok(arns) => {
            world.keys.insert(ACCESS_ENTRIES.to_owned());
            let entries = arns.into_iter().map(|principal_arn| {
                let cluster_name = Some(cluster.name.clone());
                (principal_arn.clone(), AccessEntry { principal_arn, cluster_name, ..AccessEntry::default() })
            });
            world.access_entries = entries.collect::<BTreeMap<_, _>>();
        }
        Err(refused) => note(world, &refused),
    }
}

fn note(world: &mut Snapshot, refused: &Refused) {
    world.unread.push(refused.unread(hides(refused.call)));
}
