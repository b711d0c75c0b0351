//! What the Kubernetes API says, as a part of a snapshot; what it does not say, as a fact.

use std::sync::Arc;

use crate::aws::Reader;
use crate::kube::{Access, Answers, Lost};
use crate::model::eks::Cluster;
use crate::model::kubernetes::{GET_SECRET, KINDS, Kubernetes, PullSecret};
use crate::model::snapshot::Record as _;
use crate::model::{Snapshot, Unread};
use crate::pulls::NO_KUBERNETES;

/// What was read of Kubernetes.
#[derive(Debug, Default)]
pub(super) struct Part {
    answers: Answers,
}

/// Asks the API of a cluster.
pub(super) async fn read(reader: &Reader, access: &Access, cluster: &Cluster) -> Part {
    if access.off {
        return Part::default();
    }
    let token = async {
        let token = reader.kubernetes_token(&cluster.name).await;
        token.map_err(|refused| format!("no token could be made: {}", refused.because))
    };
    Part { answers: access.read(cluster, token, reader.calls()).await }
}

impl Part {
    /// The images that pods pull.
    pub(super) fn images(&self) -> impl Iterator<Item = String> {
        self.answers.kubernetes.images().into_iter().map(str::to_owned)
    }

    /// Whether the list of pods is whole.
    pub(super) fn are_read(&self) -> bool {
        self.answers.read.iter().any(|kind| kind.key == "Pods")
    }

    /// Whether a pod waits for an image.
    pub(super) fn wait_for_images(&self) -> bool {
        let mut pods = self.answers.kubernetes.pods.values();
        pods.any(|pod| pod.statuses().any(|status| status.waits_for_image().is_some()))
    }

    /// Puts it into the world, whose instances were read before.
    pub(super) fn put(self, world: &mut Snapshot) {
        let Answers { kubernetes, read, refused, pull_secrets, closed, is_the_cluster } = self.answers;
        if !is_the_cluster && is_of_strangers(&kubernetes, world) {
            let because = "the server of the kubeconfig is of another cluster: none of its nodes is an instance \
                           of this one";
            world.unread.extend(KINDS.iter().map(|kind| unread(kind.call, because)));
            return;
        }
        world.kubernetes = Arc::new(kubernetes);
        world.keys.extend(read.iter().map(|kind| kind.key.to_owned()));
        world.unread.extend(refused.iter().map(|(kind, because)| unread(kind.call, because)));
        world.unread.extend(closed.map(|because| unread(NO_KUBERNETES, &because)));
        if pull_secrets.is_some() {
            world.keys.insert(PullSecret::TABLE.key.to_owned());
        }
        for (id, read) in pull_secrets.into_iter().flatten() {
            match read {
                Ok(()) => {}
                Err(Lost::NotFound) => drop(world.not_found.insert(format!("{GET_SECRET} {id}"))),
                Err(Lost::Refused(because)) => {
                    world.unread.push(Unread { resource: id, ..unread(GET_SECRET, &because) });
                }
            }
        }
    }
}

/// Whether the nodes are those of another cluster.
fn is_of_strangers(kubernetes: &Kubernetes, world: &Snapshot) -> bool {
    let instances = &world.ec2.instances;
    let mut ids = kubernetes.nodes.values().filter_map(|node| node.instance_id()).peekable();
    ids.peek().is_some() && !instances.is_empty() && !ids.any(|id| instances.contains_key(id))
}

fn unread(call: &str, because: &str) -> Unread {
    Unread {
        source: call.to_owned(),
        because: because.to_owned(),
        hides: hides(call).iter().map(|cause| (*cause).to_owned()).collect(),
        ..Unread::default()
    }
}

/// What may be wrong without our seeing it.
fn hides(call: &str) -> &'static [&'static str] {
    match call {
        NO_KUBERNETES | "kubernetes:ListPods" => {
            &["repo-policy-missing-cross-account", "image-tag-not-found"]
        }
        "kubernetes:ListNodes" => &["hybrid-node-credentials", "instance-profile-missing", "node-disk-full"],
        "kubernetes:ListEvents" => &["pull-secret-expired", "node-disk-full", "registry-host-typo"],
        GET_SECRET => &["pull-secret-expired", "pull-secret-missing", "pull-secret-wrong"],
        "kubernetes:ListServiceAccounts" => &["pull-secret-missing", "sa-credential-role-denied"],
        _ => &[],
    }
}

#[test]
fn every_list_hides_causes_of_the_catalogue() {
    for call in KINDS.iter().map(|kind| kind.call).chain([NO_KUBERNETES, GET_SECRET]) {
        for cause in hides(call) {
            assert!(crate::checks::Cause::find(cause).is_some(), "{call} hides {cause}");
        }
    }
}
