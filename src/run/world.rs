//! The world that a run changes: AWS, or a directory that plays the world.

use std::path::PathBuf;

use crate::actions::{AnyChange, Sent};
use crate::aws::{Reader, Refused, Writer};
use crate::collect::{self, Purpose};
use crate::error::Error;
use crate::kube::Access;
use crate::model::Snapshot;
use crate::snapshot_dir;

/// What a run reads and changes.
#[derive(Clone, Debug)]
pub enum World {
    /// The real one.
    Aws {
        /// Looks.
        reader: Box<Reader>,
        /// Changes.
        writer: Box<Writer>,
        /// How to look into Kubernetes.
        kubernetes: Access,
    },
    /// A snapshot directory: it is the world, and is changed in place.
    Sandbox(PathBuf),
}

impl World {
    /// The same, for a run: what it makes in AWS carries the id of the run.
    #[must_use]
    pub fn of_run(&self, run: &str) -> World {
        match self {
            World::Aws { reader, writer, kubernetes } => World::Aws {
                reader: reader.clone(),
                writer: Box::new(writer.of_run(run)),
                kubernetes: kubernetes.clone(),
            },
            World::Sandbox(dir) => World::Sandbox(dir.clone()),
        }
    }

    /// The id of the run, where what the run makes carries it.
    pub fn run(&self) -> Option<&str> {
        match self {
            World::Aws { writer, .. } => Some(writer.run()),
            World::Sandbox(_) => None,
        }
    }

    /// How many requests that change something were tried again so far.
    pub fn retries(&self) -> usize {
        match self {
            World::Aws { writer, .. } => writer.calls().retries(),
            World::Sandbox(_) => 0,
        }
    }

    /// Takes away what a process that was killed was writing. Only whoever holds the lock may.
    ///
    /// # Errors
    /// The directory cannot be read or written.
    pub fn tidy(&self) -> Result<(), Error> {
        match self {
            World::Aws { .. } => Ok(()),
            World::Sandbox(dir) => snapshot_dir::remove_leftovers(dir),
        }
    }

    /// Everything, for the diagnosis before and after: the cluster, and the registries of these images.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn read(&self, cluster: &str, images: &[String]) -> Result<Snapshot, Error> {
        match self {
            World::Aws { reader, kubernetes, .. } => {
                // Boxed, as are the next two: what they hold while they wait is too large for a stack.
                Box::pin(collect::snapshot(reader, cluster, images, kubernetes, Purpose::Diagnosis)).await
            }
            World::Sandbox(dir) => Ok(snapshot_dir::load(dir)?.snapshot),
        }
    }

    /// Only what a change is about.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn look(&self, change: &AnyChange) -> Result<Snapshot, Error> {
        match self {
            World::Aws { reader, .. } => Box::pin(change.look(reader)).await,
            World::Sandbox(dir) => Ok(snapshot_dir::load(dir)?.snapshot),
        }
    }

    /// Makes a change.
    ///
    /// # Errors
    /// What AWS, or the disk, answered.
    pub async fn make(&self, change: &AnyChange) -> Result<Sent, Refused> {
        match self {
            World::Aws { writer, .. } => Box::pin(change.send(writer)).await,
            World::Sandbox(dir) => {
                let make = || {
                    let before = snapshot_dir::load(dir)?.snapshot;
                    let mut after = before.clone();
                    change.simulate(&mut after);
                    snapshot_dir::write_changes(dir, &before, &after)
                };
                make().map_err(|error: Error| {
                    Refused::never_sent(change.kind().api_call(), &error.to_string())
                })?;
                Ok(Sent::default())
            }
        }
    }
}
