//! One error message, read: typed facts for the causes to judge.

use super::connection::{self, Connection, Failure};
use super::denial::Denial;
use super::images;
use super::request::{self, Request, Status, Target};
use super::said::{Said, Sayings};
use super::text::flatten;
use super::wrapping::{Puller, Runtime, Wrapping};
use crate::model::ecr_host::{EcrHost, HostKind, is_account};
use crate::model::{ImageRef, aws_accounts};

/// What is known of the cluster that a message comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The account of the cluster, twelve digits.
    pub account: Option<String>,
    /// The region of the cluster.
    pub region: Option<String>,
}

/// A message, read.
#[derive(Clone, Debug)]
pub struct Message {
    /// In one line, without secrets.
    pub text: String,
    /// `text` in ASCII lower case, byte for byte alike.
    pub lower: String,
    /// Who speaks.
    pub wrapping: Wrapping,
    /// Which image.
    pub image: Option<ImageRef>,
    /// Every request that is named, outermost first.
    pub requests: Vec<Request>,
    /// The status of the answer.
    pub status: Option<Status>,
    /// Why the connection failed.
    pub connection: Option<Connection>,
    /// The sentence with which AWS refused.
    pub denial: Option<Denial>,
    /// What else is said.
    pub sayings: Sayings,
    /// What is known of the cluster.
    pub known: Known,
}

impl Message {
    /// Reads a message.
    pub fn read(raw: &str, known: &Known) -> Message {
        let text = flatten(raw);
        let lower = text.to_ascii_lowercase();
        let requests = Request::find_all(&text, &lower);
        let connection = connection::find(&text, &lower);
        let looked_up = connection.as_ref().and_then(|connection| connection.looked_up.as_deref());
        Message {
            wrapping: Wrapping::read(&lower),
            image: images::find(&text, &lower, &requests)
                .or_else(|| looked_up.map(ImageRef::of_registry).filter(ImageRef::is_ecr)),
            status: Status::find(&text, &lower),
            connection,
            denial: Denial::find(&text, &lower),
            sayings: Sayings::find(&text, &lower),
            known: known.clone(),
            requests,
            text,
            lower,
        }
    }

    /// The part of the message that says so, if it does.
    pub fn said(&self, said: Said) -> Option<&str> {
        self.sayings.get(said)
    }

    /// What the failing step talked to: the innermost request, else what was looked up, else the registry.
    pub fn target(&self) -> Option<Target> {
        if let Some(connection) = &self.connection
            && let Some(host) = &connection.looked_up
        {
            return Some(request::target(host, ""));
        }
        if self.connection.as_ref().and_then(|connection| connection.address).is_some_and(is_metadata) {
            return Some(Target::Metadata);
        }
        match (self.requests.last(), &self.image) {
            (Some(request), _) => Some(request.target()),
            (None, _) if self.said(Said::HiddenLayerAddress).is_some() => Some(Target::Layers),
            (None, _) if self.opens_layer() => Some(Target::Layers),
            (None, Some(_)) if self.private_image().is_some() && self.waits_for_s3() => Some(Target::Layers),
            // Docker fetches the configuration of an image from where the layers are.
            (None, image)
                if self.said(Said::ConfigurationOfImage).is_some()
                    && image.as_ref().is_none_or(|image| image.account.is_some()) =>
            {
                Some(Target::Layers)
            }
            (None, Some(image)) => Some(request::target(&image.registry, "")),
            (None, None) => None,
        }
    }

    /// Whether an address of S3 did not answer.
    fn waits_for_s3(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.is_silence() && connection.is_of_s3())
    }

    /// Whether a layer of a private registry was being fetched, where no request is named.
    fn opens_layer(&self) -> bool {
        let from_private = match &self.image {
            Some(image) => image.host().is_some_and(|host| host.kind == HostKind::Registry),
            None => self.said(Said::ForeignLimit).is_none(),
        };
        self.said(Said::ContentOpen).is_some() && self.status.is_none() && from_private
    }

    /// The host that the failing step talked to, as far as the message names it.
    pub fn failing_host(&self) -> Option<&str> {
        let looked_up = self.connection.as_ref().and_then(|connection| connection.looked_up.as_deref());
        looked_up
            .or_else(|| self.requests.last().map(|request| request.host.as_str()))
            .or_else(|| self.image.as_ref().map(|image| image.registry.as_str()))
    }

    /// The connection, if it failed towards this target.
    pub fn connection_to(&self, target: Target) -> Option<&Connection> {
        self.connection.as_ref().filter(|_| self.target() == Some(target))
    }

    /// The status, if it is this one.
    pub fn has_status(&self, code: u16) -> Option<&str> {
        self.status.as_ref().filter(|status| status.code == code).map(|status| status.excerpt.as_str())
    }

    /// Whether a registry of ECR is concerned; a message that names none may be.
    pub fn is_in_scope(&self) -> bool {
        match &self.image {
            Some(image) => image.is_ecr() || self.asked_ecr_as_mirror(),
            None if self.elsewhere().is_some() => false,
            None => self.target() != Some(Target::Elsewhere) || self.failed(&[Failure::Proxy]).is_some(),
        }
    }

    /// The part that no registry of ECR says, where nothing names the registry.
    fn elsewhere(&self) -> Option<&str> {
        let scope = self.said(Said::ScopeRefused).filter(|_| self.requests.is_empty());
        self.said(Said::ForeignLimit).or(scope)
    }

    /// The image, if a private registry of ECR serves it.
    pub fn private_image(&self) -> Option<(&ImageRef, EcrHost)> {
        let image = self.image.as_ref()?;
        let host = image.host().filter(|host| host.kind == HostKind::Registry)?;
        Some((image, host))
    }

    /// Whether ECR Public serves the image, or is asked for it.
    pub fn is_public(&self) -> bool {
        self.image.as_ref().is_some_and(ImageRef::is_ecr_public)
            || matches!(self.target(), Some(Target::EcrPublic | Target::EcrPublicApi))
    }

    /// Whether the account of the image belongs to AWS.
    pub fn is_of_aws(&self) -> bool {
        let account = self.image.as_ref().and_then(|image| image.account.as_deref());
        account.is_some_and(aws_accounts::is_aws_owned)
    }

    /// The region of the cluster: given, or read from the name of the node.
    pub fn cluster_region(&self) -> Option<String> {
        self.known.region.clone().or_else(|| {
            let (head, _) = self.lower.split_once(".compute.internal")?;
            let label = head.rsplit(['.', ' ', '"']).next()?;
            aws_accounts::is_known_region(label).then(|| label.to_owned())
        })
    }

    /// The region of the image, where it is known to be another than that of the cluster.
    pub fn other_region(&self) -> Option<(&str, String)> {
        let of_image = self.image.as_ref()?.region.as_deref()?;
        let of_cluster = self.cluster_region()?;
        (of_image != of_cluster).then_some((of_image, of_cluster))
    }

    /// The account of the image, where it is known to be another than that of the cluster.
    pub fn other_account(&self) -> Option<&str> {
        let of_image = self.image.as_ref()?.account.as_deref()?;
        let of_caller = self.known.account.as_deref().or_else(|| {
            self.denial.as_ref().and_then(Denial::principal_account).filter(|account| is_account(account))
        })?;
        (of_image != of_caller).then_some(of_image)
    }

    /// The part that says that the registry got no credentials, or none that it took.
    pub fn no_credentials(&self) -> Option<&str> {
        let said = self.sayings.any(&[Said::NoCredentials, Said::AuthenticationRequired]);
        said.or_else(|| self.has_status(401))
            .or_else(|| {
                self.said(Said::PullAccessDenied).filter(|_| self.image.is_none() && !self.says_else())
            })
            .filter(|_| self.denial.is_none())
    }

    /// The part that says `403`, where the registry of a private image said it without a reason.
    pub fn bare_forbidden(&self) -> Option<&str> {
        let explained = self.denial.is_some()
            || self
                .sayings
                .any(&[Said::S3Xml, Said::Html, Said::TokenExpired, Said::TokenInvalid, Said::Kms])
                .is_some();
        self.has_status(403).filter(|_| !explained)
    }

    /// The part that says that access was denied, where nothing says why or whether credentials were sent.
    pub fn bare_denial(&self) -> Option<&str> {
        self.said(Said::PullAccessDenied).filter(|_| self.image.is_some() && !self.says_else())
    }

    /// Whether it says anything beyond that a pull failed because access was denied.
    fn says_else(&self) -> bool {
        self.denial.is_some()
            || self.status.is_some()
            || self.connection.is_some()
            || self.sayings.says_more_than(&[
                Said::PullAccessDenied,
                Said::ScopeRefused,
                Said::BackOff,
                Said::ErrImagePull,
            ])
    }

    /// Something that happened on the node itself, whatever registry the image comes from.
    pub fn node_local(&self) -> Option<&str> {
        self.sayings
            .any(&[
                Said::DiskFull,
                Said::RuntimeDown,
                Said::PluginMissing,
                Said::PullQps,
                Said::InvalidName,
                Said::NeverPull,
                Said::Rejected,
                Said::PullSecretMissing,
                Said::PullSecretBroken,
            ])
            .or_else(|| self.corrupt())
            .or_else(|| self.runtime_hangs())
    }

    /// The part that says that content on the node is broken. With a status, a registry refused to give or to take it,
    /// and nothing is known to be broken.
    pub fn corrupt(&self) -> Option<&str> {
        self.said(Said::Corrupt).filter(|_| self.status.is_none())
    }

    /// Whether the message says anything about why: otherwise it only says that a pull failed.
    pub fn says_why(&self) -> bool {
        let wrappings = [Said::BackOff, Said::ErrImagePull];
        self.status.is_some()
            || self.connection.is_some()
            || self.denial.is_some()
            || self.sayings.says_more_than(&wrappings)
    }

    /// The part that says that the runtime did not answer a question of the kubelet in time.
    pub fn runtime_hangs(&self) -> Option<&str> {
        let silent = self.connection.as_ref().is_some_and(|connection| {
            matches!(connection.failure, Failure::Timeout | Failure::Canceled) && connection.address.is_none()
        });
        self.said(Said::LocalCall).filter(|_| silent && self.requests.is_empty())
    }

    /// Whether the words show a node of EKS: its name, the images of its add-ons, or a region that was given.
    pub fn shows_eks(&self) -> bool {
        self.wrapping.ec2 || self.is_of_aws() || self.known != Known::default() || self.lower.contains(" eks")
    }

    /// Whether the role of Fargate pulls: the node says so, or it is CoreDNS, which on nodes of EC2 pulls after
    /// the add-ons that come from the same registry.
    pub fn is_fargate(&self) -> bool {
        let repository = self.image.as_ref().and_then(|image| image.repository.as_deref());
        self.wrapping.fargate || repository.is_some_and(|name| name == "coredns" || name == "eks/coredns")
    }

    /// Whether the runtime pulls by itself, without the credentials of the kubelet: the image of the sandbox, except
    /// where the kubelet speaks to Docker and pulls that image too.
    pub fn runtime_pulls_alone(&self) -> bool {
        self.wrapping.sandbox && matches!(self.wrapping.runtime, Runtime::Containerd | Runtime::CriO)
    }

    /// Whether only the answer of a registry is left of the message, with no word on who asked for what.
    pub fn is_fragment(&self) -> bool {
        let names_repository = self.image.as_ref().is_some_and(|image| image.repository.is_some());
        matches!(self.wrapping.puller, Puller::Unsaid | Puller::Builder) && !names_repository
    }

    /// Whether a manifest was asked of another host than the image names: a mirror of the runtime's configuration.
    pub fn asked_mirror(&self) -> bool {
        let (Some(image), Some(request)) = (&self.image, self.requests.last()) else { return false };
        let is_registry = request.manifest().is_some() || request.path == "/v2/";
        let same = request.host.eq_ignore_ascii_case(&image.registry);
        let both_ecr = request.target() == Target::Registry && image.is_ecr();
        is_registry && !same && !both_ecr && (image.is_ecr() || self.asked_ecr_as_mirror())
    }

    /// Whether a private registry of ECR answered for an image of another registry: the kubelet has no credentials
    /// for the mirror, because it looks them up by the name of the image.
    fn asked_ecr_as_mirror(&self) -> bool {
        let foreign = self.image.as_ref().is_some_and(|image| !image.is_ecr());
        let request = self.requests.last().filter(|request| request.manifest().is_some());
        foreign
            && self.connection.is_none()
            && request.is_some_and(|request| request.target() == Target::Registry)
    }

    /// The connection, if it failed in this way.
    pub fn failed(&self, failures: &[Failure]) -> Option<&Connection> {
        self.connection.as_ref().filter(|connection| failures.contains(&connection.failure))
    }

    /// The connection, if nobody answered on the way to this target.
    pub fn silence_from(&self, target: Target) -> Option<&Connection> {
        self.connection_to(target).filter(|connection| connection.is_silence())
    }

    /// The connection, if no address of the internet answered for the private registry, as far as the message shows.
    pub fn registry_unreachable(&self) -> Option<&Connection> {
        let silent = self.connection.as_ref().filter(|connection| connection.is_silence())?;
        // Without a request, an address or a word of the network, a deadline may be that of the whole pull.
        let of_network = silent.failure == Failure::DialTimeout
            || ["net/http", "waiting for connection", "awaiting headers"]
                .iter()
                .any(|word| self.lower.contains(word))
            || self.prepares_task();
        let vague = self.requests.is_empty() && silent.address.is_none() && !of_network;
        if self.wrapping.plugin || vague {
            return None;
        }
        let to_registry = match self.target() {
            Some(Target::Registry) => true,
            None => silent.address.is_some() || of_network,
            _ => false,
        };
        (to_registry && !silent.is_private() && !silent.is_ipv6()).then_some(silent)
    }

    /// Whether the agent of Amazon ECS was still fetching what a task needs, before any image.
    fn prepares_task(&self) -> bool {
        self.wrapping.puller == Puller::Ecs && self.lower.contains("resourceinitializationerror")
    }

    /// The part that says that a pull failed, where nothing follows the name of the image.
    pub fn names_only_the_pull(&self) -> Option<&str> {
        const FAILED: &str = "failed to pull image \"";
        let at = self.lower.find(FAILED)?;
        let (_, behind) = self.lower.get(at + FAILED.len()..)?.split_once('"')?;
        let is_mark = |c: char| c.is_whitespace() || matches!(c, ':' | '.' | '…' | '`' | '"' | '\'');
        let status = behind.trim_matches(is_mark).strip_prefix("rpc error: code = ");
        let reason = status.and_then(|status| status.split_once(" desc =")).map_or(behind, |(_, why)| why);
        reason.trim_matches(is_mark).is_empty().then(|| self.text.get(at..at + FAILED.len() - 2)).flatten()
    }

    /// The connection, if the layers of a private registry could not be fetched.
    pub fn layers_unreachable(&self) -> Option<&Connection> {
        let failures = [Failure::DialTimeout, Failure::Timeout, Failure::Canceled];
        self.connection_to(Target::Layers).filter(|connection| failures.contains(&connection.failure))
    }

    /// The region that the message speaks of: of the image, of the failing host, or of the cluster.
    pub fn region(&self) -> Option<String> {
        let of_image = self.image.as_ref().and_then(|image| image.region.clone());
        let of_host = || self.failing_host().and_then(EcrHost::parse).and_then(|host| host.region);
        of_image.or_else(of_host).or_else(|| self.cluster_region())
    }

    /// The part that says that the registry does not have the image.
    pub fn not_found(&self) -> Option<&str> {
        let other = [
            Said::RepositoryUnknown,
            Said::BlobUnknown,
            Said::NoPlatform,
            Said::MediaType,
            Said::NoPullAccess,
            Said::PluginFailed,
            Said::PluginMissing,
            Said::NoSuchImageHere,
        ];
        let is_blob = self.requests.last().is_some_and(Request::is_blob);
        if is_blob
            || self.connection.is_some()
            || self.sayings.any(&other).is_some()
            || self.node_local().is_some()
        {
            return None;
        }
        let said = self.sayings.any(&[Said::ManifestUnknown, Said::NotFound]);
        said.or_else(|| self.has_status(404).filter(|_| self.image.is_some()))
    }

    /// Whether the image was asked for by its digest, which counts before a tag; or a part of an index, which has only
    /// a digest.
    pub fn asks_digest(&self) -> bool {
        let by_digest = self.image.as_ref().is_some_and(|image| image.digest.is_some());
        let part = self.requests.last().and_then(Request::manifest);
        // `...@sha256:<digest>: not found`, where the author left out what the image is.
        let left_out = self.lower.match_indices(" not found").any(|(at, _)| {
            let word = self.lower.get(..at).and_then(|head| head.rsplit(' ').next());
            word.is_some_and(|word| word.contains("@sha256:"))
        });
        by_digest || left_out || part.is_some_and(|(_, reference)| reference.contains(':'))
    }

    /// The host of a registry of ECR that Docker took for the name of an image, because nothing stands behind it.
    pub fn host_taken_for_name(&self) -> Option<&str> {
        let image = self.image.as_ref().filter(|image| image.is_ecr() && image.repository.is_none())?;
        let asked = format!("pull access denied for {},", image.registry.to_ascii_lowercase());
        self.lower.contains(&asked).then_some(image.registry.as_str())
    }

    /// Whether a connection broke while bytes were flowing, not while it was being made.
    pub fn is_mid_transfer(&self) -> bool {
        let marks = [
            "failed to copy: read",
            "failed to copy: unexpected",
            "short read",
            "copying blob",
            "writing blob",
            "storing blob",
            "unexpected eof",
            "error reading from",
        ];
        marks.iter().any(|mark| self.lower.contains(mark))
    }

    /// Whether the message names a request and ends before it says what became of it.
    pub fn is_cut_before_reason(&self) -> bool {
        let unexplained = self.connection.is_none() && self.status.is_none() && self.denial.is_none();
        let end = self.lower.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let ends_early =
            ["seeker: failed open", "failed to do request"].iter().any(|words| end.ends_with(words));
        unexplained && (!self.requests.is_empty() || (ends_early && self.opens_layer()))
    }

    /// The host of the layers, where the message says nothing more of why.
    pub fn layers_unexplained(&self) -> Option<&str> {
        let said = self.failing_host().or_else(|| self.said(Said::ContentOpen));
        said.filter(|_| self.target() == Some(Target::Layers) && self.is_cut_before_reason())
    }

    /// The host of a registry that is not ECR's.
    pub fn foreign_host(&self) -> Option<&str> {
        if self.is_in_scope() {
            return None;
        }
        let of_image = self.image.as_ref().map(|image| image.registry.as_str());
        of_image.or_else(|| self.failing_host()).or_else(|| self.elsewhere())
    }

    /// The first words, to quote a message of which nothing else is known.
    pub fn beginning(&self) -> String {
        let words: String = self.text.chars().take(80).collect();
        if words.len() < self.text.len() { words + "…" } else { words }
    }

    /// The prefix of a pull-through cache that the repository of the image has, and the rest of the name.
    pub fn cached(&self) -> Option<(&str, &str)> {
        let (image, _) = self.private_image()?;
        pull_through(image.repository.as_deref()?)
    }
}

/// Names that people give to pull-through cache rules: the upstream registry, or what AWS suggests for it.
const UPSTREAMS: [&str; 18] = [
    "ecr-public",
    "docker-hub",
    "dockerhub",
    "docker.io",
    "docker",
    "quay",
    "quay.io",
    "kubernetes",
    "k8s",
    "registry.k8s.io",
    "registry-k8s-io",
    "github",
    "ghcr",
    "ghcr.io",
    "gitlab",
    "public.ecr.aws",
    "chainguard",
    "mcr.microsoft.com",
];

/// Takes a repository of a pull-through cache apart: `docker-hub/library/x` is (`docker-hub`, `library/x`).
pub fn pull_through(repository: &str) -> Option<(&str, &str)> {
    UPSTREAMS.iter().find_map(|upstream| {
        let at =
            if repository.starts_with(upstream) { 0 } else { repository.find(&format!("/{upstream}/"))? + 1 };
        let (prefix, rest) = repository.split_at_checked(at + upstream.len())?;
        rest.strip_prefix('/').filter(|rest| !rest.is_empty()).map(|rest| (prefix, rest))
    })
}

/// Hosts of Microsoft that serve the base layers of Windows.
pub fn is_of_microsoft(host: &str) -> bool {
    ["mcr.microsoft.com", "mscr.io", "go.microsoft.com", ".azureedge.net"]
        .iter()
        .any(|known| host.contains(known))
}

fn is_metadata(address: std::net::IpAddr) -> bool {
    matches!(address.to_string().as_str(), "169.254.169.254" | "fd00:ec2::254")
}
