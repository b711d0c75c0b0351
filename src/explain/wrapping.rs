//! Who speaks in a message: which runtime, on whose behalf, on what kind of node.

use super::said::not_found;

/// The runtime whose words a message has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Runtime {
    /// containerd, and Docker where it stores images in containerd.
    Containerd,
    /// Docker's own store, and kubelets that speak to Docker.
    Docker,
    /// CRI-O, Podman, Skopeo: containers/image.
    #[serde(rename = "cri-o")]
    CriO,
    /// The words do not tell.
    Unknown,
}

/// On whose behalf an image was pulled: it decides whose credentials count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Puller {
    /// The kubelet: pull secrets, or the credential provider with the role of the node.
    Kubelet,
    /// A kubelet older than the container runtime interface (before Kubernetes 1.6 or so).
    OldKubelet,
    /// The agent of Amazon ECS: the role of the instance or the task execution role.
    Ecs,
    /// A builder: its own credentials.
    Builder,
    /// The words do not tell.
    Unsaid,
}

/// The wrapping of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wrapping {
    /// Whose words.
    pub runtime: Runtime,
    /// On whose behalf.
    pub puller: Puller,
    /// The image of the sandbox (pause), which the runtime itself pulls.
    pub sandbox: bool,
    /// The node is one of Fargate.
    pub fargate: bool,
    /// The node is one of EC2: its name says so.
    pub ec2: bool,
    /// The message comes from the credential plugin, or is about it.
    pub plugin: bool,
}

const BUILDER: &[&str] = &[
    "failed to solve",
    "load metadata for",
    "llb definition",
    "error building image",
    "dockerfile",
    "buildkit",
];
const ECS: &[&str] = &["cannotpull", "resourceinitializationerror"];
const KUBELET: &[&str] = &[
    "failed to pull image \"",
    "pulling image \"",
    "pull image \"",
    "errimagepull",
    "imagepullbackoff",
    "error syncing pod",
    "kubelet",
    "pullimage",
    "rpc error: code",
    "pod sandbox",
    "runpodsandbox",
];
const CRI_O: &[&str] = &[
    "initializing source",
    "docker://",
    "reading manifest",
    "manifest mime type",
    "pinging container registry",
    "pinging docker registry",
    "error reading signatures",
    "trying to pull",
    "choosing image instance",
    "from manifest list: ",
    "source image rejected",
    "copying blob",
    "writing blob:",
    "determining manifest",
    "crio",
    "cri-o",
    "unable to retrieve auth token",
    "podman",
];
const CONTAINERD: &[&str] = &[
    "failed to pull and unpack",
    "failed to resolve ref",
    "failed to do request: ",
    "pulling from host",
    "httpreadseeker",
    "httpreaderseeker",
    "failed to copy:",
    "no match for platform in manifest",
    "failed to get sandbox image",
    "unexpected status from",
    "unexpected status code [",
    "unexpected status code http",
    "failed to extract layer",
    "apply failure",
    "failed to unpack image",
    "ctr: ",
    "containerd",
    "or may require authorization",
    "authorization failed: no ",
    "image manifest has been retried",
    "pull has been retried",
    "inspect image has been retried",
    "descriptor matching platform",
    "because of no progress in",
    "unexpected commit digest",
    "failed commit on ref",
    "no processor for media-type",
    "image config descriptor",
];
const DOCKER: &[&str] = &[
    "error response from daemon",
    "api error (",
    "cannotpullcontainererror",
    "error pulling image configuration",
    "download failed, retrying",
    "proxyconnect tcp",
    "/v2/: ",
    "/v2/\": ",
    "manifest unknown",
    "manifest for ",
    "denied: ",
    "unauthorized: authentication required",
    "not continuing with pull",
    "http error",
    "name unknown",
    "no matching manifest for",
    "toomanyrequests: ",
    "no basic auth credentials",
    "failed to register layer",
    "filesystem layer verification failed",
    "/var/lib/docker/",
    "invalid tag \"",
    "docker daemon",
    "login attempt to ",
    "(http code",
    "error while pulling container",
    "trying to pull repository",
    "the requested image's platform",
    "no such image",
    "image operating system",
    "-based image is incompatible with a",
];
/// go-containerregistry, whose words resemble Docker's.
const LIBRARY: &[&str] = &[
    "image verification failed",
    "unable to fetch image",
    "failed to resolve image to digest",
    "retrieving image",
    "push permission",
    "kaniko",
];
/// Its words too, where no other word shows containerd, which says the same of some answers.
const LIBRARY_STATUS: &str = "unexpected status code 4";
/// Where the agent of Amazon ECS explains a failure in words of its own, those of the runtime are gone, unless they
/// follow.
const EXPLAINED_BY_ECS: &str = "the task cannot pull ";

impl Wrapping {
    /// Reads the wrapping. `lower` is the message in lower case.
    pub fn read(lower: &str) -> Wrapping {
        let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        let plugin = has(&["credential provider", "credential-provider", "authorization token requesterror"])
            || has(&[
                "aws_credentials.go",
                "getauthorizationtoken",
                "ec2imds",
                "requesting ecr authorization token",
            ]);
        let puller = if has(BUILDER) || is_step(lower) {
            Puller::Builder
        } else if has(ECS) {
            Puller::Ecs
        } else if lower.contains("api error (")
            && has(&["error syncing pod", "errimagepull", "startcontainer"])
        {
            Puller::OldKubelet
        } else if has(KUBELET) {
            Puller::Kubelet
        } else {
            Puller::Unsaid
        };
        let runtime = if puller == Puller::Builder || has(LIBRARY) || plugin {
            Runtime::Unknown
        } else if has(CRI_O) && !lower.contains("trying to pull repository") {
            Runtime::CriO
        } else if has(CONTAINERD) || ends_with_not_found(lower) {
            Runtime::Containerd
        } else if not_found(lower, "error: image ").is_some() {
            // Docker before 1.10.
            Runtime::Docker
        } else if has(DOCKER) && !lower.contains(LIBRARY_STATUS) && !lower.contains(EXPLAINED_BY_ECS) {
            Runtime::Docker
        } else {
            Runtime::Unknown
        };
        Wrapping {
            runtime,
            puller,
            sandbox: has(&["sandbox"]),
            fargate: has(&["fargate"]),
            ec2: has(&[".compute.internal", ".ec2.internal"]),
            plugin,
        }
    }
}

/// `#3 ERROR: …`, as BuildKit numbers its steps.
fn is_step(lower: &str) -> bool {
    let number = lower.strip_prefix('#').and_then(|rest| rest.split_once(' '));
    number.is_some_and(|(number, _)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// containerd ends with `IMAGE: not found`, without a word of its own.
fn ends_with_not_found(lower: &str) -> bool {
    let end = lower.trim_end_matches(['"', '.', ' ', ')', '\'']);
    end.ends_with(": not found") && !lower.contains("name unknown") && !lower.contains("manifest for")
}
