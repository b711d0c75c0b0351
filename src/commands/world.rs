//! Which world a command is about: live AWS, or a snapshot directory.

use std::path::{Path, PathBuf};

use jiff::SignedDuration;

use crate::aws::{Calls, Connection, Reader, Tally};
use crate::error::{Code, Error};
use crate::kube::Access;
use crate::model::{Arn, Snapshot};
use crate::plan::Plan;
use crate::pulls::{Narrowing, Scope};
use crate::snapshot_dir;
use crate::ui::{Progress, Ui};
use crate::{collect, run};

/// Flags of every command that reads the world.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct WorldArgs {
    /// The EKS cluster
    #[arg(long, env = "ECR_FIX_CLUSTER", value_name = "NAME")]
    pub cluster: Option<String>,
    /// The AWS region (default: as the SDK finds it)
    #[arg(long, env = "ECR_FIX_REGION")]
    pub region: Option<String>,
    /// The AWS profile (default: as the SDK finds it)
    #[arg(long, env = "ECR_FIX_PROFILE", value_name = "NAME")]
    pub profile: Option<String>,
    /// Read a directory of `aws … --output json` files instead of AWS
    #[arg(long, env = "ECR_FIX_SNAPSHOT", value_name = "DIR")]
    pub snapshot: Option<PathBuf>,
    /// An image to judge (repeatable): only those that are named where pods pull any of them, else beside the pods'
    #[arg(long = "image", env = "ECR_FIX_IMAGE", value_name = "REF", value_delimiter = ',')]
    pub images: Vec<String>,
    /// Read, and when applying write, the registries of an account with a role of it (repeatable)
    #[arg(
        long = "account-role",
        env = "ECR_FIX_ACCOUNT_ROLE",
        value_name = "ACCOUNT=ROLE_ARN",
        value_delimiter = ',',
        value_parser = account_role
    )]
    pub account_roles: Vec<(String, String)>,
    /// Ask the Kubernetes API with this kubeconfig (default: KUBECONFIG, or else a token made from the AWS credentials)
    #[arg(long, env = "ECR_FIX_KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig (default: the current one, or the one of the cluster)
    #[arg(long = "context", env = "ECR_FIX_CONTEXT", value_name = "NAME")]
    pub kube_context: Option<String>,
    /// Do not ask the Kubernetes API: only the add-on images and those named with --image are judged
    #[arg(long, env = "ECR_FIX_NO_KUBERNETES")]
    pub no_kubernetes: bool,
    /// Read the pull secrets that pods name, and keep of them only the hosts and when a token of ECR expires
    #[arg(long, env = "ECR_FIX_READ_PULL_SECRETS")]
    pub read_pull_secrets: bool,
    /// Give up reading after this time, such as 30s or 2m
    #[arg(long, env = "ECR_FIX_TIMEOUT", value_name = "DURATION", default_value = "2m", value_parser = duration)]
    pub timeout: SignedDuration,
    /// What the world is read for
    #[arg(skip)]
    pub purpose: collect::Purpose,
}

/// Flags that choose which pulls are judged. The answer says that it is narrowed.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct NarrowArgs {
    /// Judge only what pods of this namespace pull; * and ? are wildcards, here and below (repeatable)
    #[arg(long = "namespace", env = "ECR_FIX_NAMESPACE", value_name = "NAMESPACE", value_delimiter = ',')]
    namespaces: Vec<String>,
    /// Judge only what this pod pulls, such as web-1 or shop/web-* (repeatable)
    #[arg(long = "pod", env = "ECR_FIX_POD", value_name = "POD", value_delimiter = ',')]
    pods: Vec<String>,
    /// Judge only this source of pulls, such as workers or fargate-profile/* (repeatable)
    #[arg(long = "source", env = "ECR_FIX_SOURCE", value_name = "SOURCE", value_delimiter = ',')]
    sources: Vec<String>,
}

impl NarrowArgs {
    /// Whether less than everything is asked for.
    pub fn narrows(&self) -> bool {
        !self.only().is_empty()
    }

    fn only(&self) -> Narrowing {
        Narrowing {
            namespaces: self.namespaces.clone(),
            pods: self.pods.clone(),
            sources: self.sources.clone(),
        }
    }
}

/// What a command reads from. It cannot change anything.
#[derive(Debug)]
pub enum Eyes {
    /// Live AWS.
    Aws(Box<Reader>),
    /// A directory.
    Directory(PathBuf),
}

impl WorldArgs {
    /// Connects, or takes the directory.
    ///
    /// # Errors
    /// There is no region.
    pub async fn eyes(&self) -> Result<Eyes, Error> {
        match &self.snapshot {
            Some(dir) => Ok(Eyes::Directory(dir.clone())),
            None => Ok(Eyes::Aws(Box::new(self.connection().reader().await?))),
        }
    }

    /// What the engine works on.
    ///
    /// # Errors
    /// There is no region.
    pub async fn hands(&self) -> Result<run::World, Error> {
        match &self.snapshot {
            Some(dir) => Ok(run::World::Sandbox(absolute(dir)?)),
            None => {
                let connection = self.connection();
                let (reader, writer) =
                    (Box::new(connection.reader().await?), Box::new(connection.writer().await?));
                Ok(run::World::Aws { reader, writer, kubernetes: self.kubernetes() })
            }
        }
    }

    /// Reads the world.
    ///
    /// # Errors
    /// It cannot be read, or not in time.
    pub async fn read(&self, eyes: &Eyes, ui: &Ui) -> Result<Snapshot, Error> {
        match eyes {
            Eyes::Directory(dir) => {
                let loaded = snapshot_dir::load(dir)?;
                if ui.verbose > 0 {
                    for (file, key) in &loaded.ignored {
                        ui.note(&format!("ignored: key {key} of {}", file.display()));
                    }
                }
                Ok(loaded.snapshot)
            }
            Eyes::Aws(reader) => {
                let cluster = self.cluster.as_deref().ok_or_else(|| {
                    Error::new(
                        Code::Usage,
                        "no cluster is named",
                        "name one with --cluster (`aws eks list-clusters`)",
                    )
                })?;
                ui.note(&format!("reading cluster {cluster} in {} …", reader.region()));
                let world = self.read_live(reader, cluster, ui).await;
                note_calls(reader.calls(), ui);
                world
            }
        }
    }

    /// Reads AWS until it is done, the time is over, or somebody interrupts.
    async fn read_live(&self, reader: &Reader, cluster: &str, ui: &Ui) -> Result<Snapshot, Error> {
        let limit = std::time::Duration::try_from(self.timeout).unwrap_or_default();
        let interrupt = run::Interrupt::listen();
        let progress = Progress::start(ui, reader.calls());
        let kubernetes = self.kubernetes();
        let read = tokio::select! {
            read = collect::snapshot(reader, cluster, &self.images, &kubernetes, self.purpose) => read,
            () = interrupt.wait() => Err(Error::new(
                Code::Interrupted,
                "interrupted while reading",
                "nothing was changed: run the command again",
            )),
            () = tokio::time::sleep(limit) => Err(Error::new(
                Code::Aws,
                format!("AWS did not answer within {:#}", self.timeout),
                "check the network, or allow more time with --timeout",
            )),
        };
        progress.end();
        read
    }

    /// The same world, with what only a trace shows.
    #[must_use]
    pub fn for_trace(&self) -> WorldArgs {
        WorldArgs { purpose: collect::Purpose::Trace, ..self.clone() }
    }

    /// The same world, in the region that a plan is for and with the roles that it was made with, where no others are
    /// named.
    #[must_use]
    pub fn for_plan(&self, plan: &Plan) -> WorldArgs {
        let region = self.region.clone().or_else(|| Some(plan.target.region.clone()));
        // What is named now counts for more than what was named when the plan was made.
        let planned = plan.scope.account_roles.clone().into_iter();
        let account_roles = planned.chain(self.account_roles.clone()).collect();
        WorldArgs { region, account_roles, ..self.clone() }
    }

    /// What to diagnose.
    pub fn scope(&self, narrow: &NarrowArgs) -> Scope {
        Scope {
            cluster: self.cluster.clone(),
            images: self.images.clone(),
            only: narrow.only(),
            account_roles: self.account_roles.iter().cloned().collect(),
        }
    }

    /// Kubernetes may take three quarters of the time: a server that hangs must not keep AWS from being read.
    fn kubernetes(&self) -> Access {
        let limit = std::time::Duration::try_from(self.timeout).unwrap_or_default();
        Access {
            kubeconfig: self.kubeconfig.clone(),
            context: self.kube_context.clone(),
            off: self.no_kubernetes,
            pull_secrets: self.read_pull_secrets,
            limit: limit * 3 / 4,
        }
    }

    fn connection(&self) -> Connection {
        Connection {
            region: self.region.clone(),
            profile: self.profile.clone(),
            account_roles: self.account_roles.iter().cloned().collect(),
        }
    }
}

/// With `-v` how many requests each service got, with `-vv` each operation.
fn note_calls(calls: &Calls, ui: &Ui) {
    let tallies = match ui.verbose {
        0 => return,
        1 => calls.by_service(),
        _ => calls.by_operation(),
    };
    for (of, Tally { count, time }) in tallies {
        let mean = time.as_millis() / u128::try_from(count).unwrap_or(1).max(1);
        ui.note(&format!("{of}: {count} requests, {mean} ms each"));
    }
}

/// `30s`, `2m`, `24h`: more than nothing.
pub fn duration(text: &str) -> Result<SignedDuration, String> {
    let parsed: SignedDuration = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    if parsed.is_positive() { Ok(parsed) } else { Err("expected more than nothing".to_owned()) }
}

/// As [`duration`], and long enough to be renewed in time.
pub fn lease(text: &str) -> Result<SignedDuration, String> {
    let shortest = SignedDuration::from_secs(3);
    match duration(text)? {
        lease if lease < shortest => Err("expected 3 seconds or more".to_owned()),
        lease => Ok(lease),
    }
}

/// `444455556666=arn:aws:iam::444455556666:role/reader`.
fn account_role(text: &str) -> Result<(String, String), String> {
    let expected = || "expected ACCOUNT=ROLE_ARN, such as 444455556666=arn:aws:iam::444455556666:role/reader";
    let (account, role) = text.split_once('=').ok_or_else(expected)?;
    let arn: Arn = role.parse()?;
    if arn.service != "iam" || !arn.resource.starts_with("role/") {
        return Err(expected().to_owned());
    }
    if arn.account != account {
        return Err(format!("the role is in account {}, not in {account}", arn.account));
    }
    Ok((account.to_owned(), role.to_owned()))
}

/// The one path of a directory, whatever the working directory of a later command.
fn absolute(dir: &Path) -> Result<PathBuf, Error> {
    dir.canonicalize().map_err(|error| {
        Error::new(
            Code::NotFound,
            format!("there is no snapshot directory {}", dir.display()),
            "name a directory of JSON files as the AWS CLI prints them",
        )
        .because(error)
    })
}
