//! What registries, runtimes, kubelets and credential plugins say in words of their own.

use std::sync::LazyLock;

use super::phrases::Phrases;
use super::text::excerpt;

/// The meaning of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // The names are the meanings, and SENTENCES shows the words.
pub enum Said {
    // Credentials.
    NoCredentials,
    AuthenticationRequired,
    PullAccessDenied,
    /// A server of tokens refused, which private registries of ECR do not have.
    ScopeRefused,
    NoPullAccess,
    TokenExpired,
    TokenInvalid,
    LoginRefused,
    PullSecretMissing,
    PullSecretBroken,
    PluginMissing,
    PluginFailed,
    NoRegionInReference,
    /// The agent of Amazon ECS got no token, whatever the reason.
    NoTokenForTask,
    NoInstanceRole,
    NoProviders,
    MetadataCall,
    WebIdentityRefused,
    HybridSigning,
    FargateRoleRefused,
    SignatureExpired,
    // Images.
    RepositoryUnknown,
    ManifestUnknown,
    NotFound,
    NoSuchImageHere,
    BlobUnknown,
    NoPlatform,
    MediaType,
    TagImmutable,
    InvalidName,
    NeverPull,
    Rejected,
    // Pull-through caches.
    UpstreamDenied,
    UpstreamFailed,
    // Limits.
    RateExceeded,
    /// A limit in words of Docker Hub, or of Seqera's Wave.
    ForeignLimit,
    DataLimit,
    PullQps,
    NoProgress,
    SlowDown,
    Kms,
    // The node.
    DiskFull,
    Corrupt,
    RuntimeDown,
    /// A question to the runtime that no registry has a part in.
    LocalCall,
    /// Docker before 1.10 asked every address of a registry in vain; why, it does not say.
    NoEndpoint,
    // Answers that are not of a registry.
    S3Xml,
    Html,
    // Wrappings without a cause.
    BackOff,
    ErrImagePull,
    ConfigurationOfImage,
    /// The address of a layer, which the agent of Amazon ECS hides.
    HiddenLayerAddress,
    /// containerd had begun to fetch content, which for most of a pull are layers.
    ContentOpen,
}

const REPOSITORY: &str = "the repository with name";

/// Sentences in lower case, each with its meaning.
const SENTENCES: &[(&str, Said)] = &[
    ("no basic auth credentials", Said::NoCredentials),
    ("authorization failed: no ", Said::NoCredentials),
    ("not authorized\n", Said::NoCredentials),
    ("authentication required", Said::AuthenticationRequired),
    ("unable to retrieve auth token", Said::AuthenticationRequired),
    ("pull access denied", Said::PullAccessDenied),
    ("insufficient_scope", Said::ScopeRefused),
    ("requested access to the resource is denied", Said::ScopeRefused),
    ("failed to fetch anonymous token", Said::ScopeRefused),
    ("failed to fetch oauth token", Said::ScopeRefused),
    ("requesting bearer token", Said::ScopeRefused),
    ("does not exist or no pull access", Said::NoPullAccess),
    ("authorization token has expired", Said::TokenExpired),
    ("token is expired", Said::TokenExpired),
    ("security token included in the request is invalid", Said::TokenInvalid),
    ("security token included in the request is expired", Said::TokenInvalid),
    ("unrecognizedclientexception", Said::TokenInvalid),
    ("expiredtokenexception", Said::TokenInvalid),
    ("invalidclienttokenid", Said::TokenInvalid),
    ("incorrect username or password", Said::LoginRefused),
    ("invalid username/password", Said::LoginRefused),
    ("login attempt to ", Said::LoginRefused),
    ("authorization token is invalid", Said::LoginRefused),
    ("failedtoretrieveimagepullsecret", Said::PullSecretMissing),
    ("unable to retrieve some image pull secrets", Said::PullSecretMissing),
    ("unable to retrieve pull secret", Said::PullSecretMissing),
    ("couldn't find key .dockerconfigjson", Said::PullSecretBroken),
    ("unable to parse docker config", Said::PullSecretBroken),
    ("illegal base64 data", Said::PullSecretBroken),
    ("is not supported by this plugin", Said::PluginMissing),
    ("credentialprovider.kubelet.k8s.io/v1", Said::PluginMissing),
    ("plugin binary executable", Said::PluginMissing),
    ("failed to register crendential provider", Said::PluginMissing),
    ("failed to register credential provider", Said::PluginMissing),
    ("error execing credential provider plugin", Said::PluginFailed),
    ("error getting credentials from external credential provider", Said::PluginFailed),
    ("error running credential provider plugin", Said::PluginFailed),
    ("credential provider plugin", Said::PluginFailed),
    ("requesting ecr authorization token", Said::PluginFailed),
    ("no region found in the image reference", Said::NoRegionInReference),
    ("unable to retrieve ecr registry auth", Said::NoTokenForTask),
    ("no ec2 imds role found", Said::NoInstanceRole),
    ("no ec2 instance role found", Said::NoInstanceRole),
    ("operation error ec2imds", Said::MetadataCall),
    ("ec2metadata", Said::MetadataCall),
    ("nocredentialproviders", Said::NoProviders),
    ("no valid providers in chain", Said::NoProviders),
    ("unable to locate credentials", Said::NoProviders),
    ("assumerolewithwebidentity", Said::WebIdentityRefused),
    ("no openidconnect provider found", Said::WebIdentityRefused),
    ("rolesanywhere", Said::HybridSigning),
    ("aws_signing_helper", Said::HybridSigning),
    ("failed to assume podexecutionrole", Said::FargateRoleRefused),
    ("misconfigured fargate profile", Said::FargateRoleRefused),
    ("podexecutionrole", Said::FargateRoleRefused),
    ("signaturedoesnotmatch", Said::SignatureExpired),
    ("invalidsignatureexception", Said::SignatureExpired),
    ("requestexpired", Said::SignatureExpired),
    ("requesttimetooskewed", Said::SignatureExpired),
    ("signature expired", Said::SignatureExpired),
    ("signature not yet current", Said::SignatureExpired),
    ("name unknown", Said::RepositoryUnknown),
    ("name_unknown", Said::RepositoryUnknown),
    (REPOSITORY, Said::RepositoryUnknown),
    ("repositorynotfoundexception", Said::RepositoryUnknown),
    ("repository name not known to registry", Said::RepositoryUnknown),
    ("manifest unknown", Said::ManifestUnknown),
    ("manifest_unknown", Said::ManifestUnknown),
    ("requested image not found", Said::ManifestUnknown),
    ("the image with imageid ", Said::ManifestUnknown),
    ("imagenotfoundexception", Said::ManifestUnknown),
    ("no such manifest", Said::ManifestUnknown),
    ("api error (404)", Said::ManifestUnknown),
    (": not found", Said::NotFound),
    ("code = notfound", Said::NotFound),
    ("no such image", Said::NoSuchImageHere),
    ("blob unknown", Said::BlobUnknown),
    ("could not fetch content descriptor", Said::BlobUnknown),
    ("blob_unknown", Said::BlobUnknown),
    ("layersnotfoundexception", Said::BlobUnknown),
    ("layerinaccessibleexception", Said::BlobUnknown),
    ("<code>nosuchkey</code>", Said::BlobUnknown),
    ("no match for platform in manifest", Said::NoPlatform),
    ("no matching manifest for", Said::NoPlatform),
    ("no image found in manifest list for", Said::NoPlatform),
    ("no image found in image index for", Said::NoPlatform),
    ("does not match the specified platform", Said::NoPlatform),
    ("does not match the detected host platform", Said::NoPlatform),
    ("does not provide the specified platform", Said::NoPlatform),
    ("image operating system", Said::NoPlatform),
    ("exec format error", Said::NoPlatform),
    ("does not contain descriptor matching platform", Said::NoPlatform),
    ("-based image is incompatible with a", Said::NoPlatform),
    ("operating system is not supported", Said::NoPlatform),
    ("operating system does not match the host", Said::NoPlatform),
    ("no processor for media-type", Said::MediaType),
    ("no processor for media type", Said::MediaType),
    ("unsupported media type", Said::MediaType),
    ("unsupported manifest", Said::MediaType),
    ("unsupported mediatype", Said::MediaType),
    ("unknown media type", Said::MediaType),
    ("is no longer supported since containerd", Said::MediaType),
    ("mediatype in manifest should be", Said::MediaType),
    ("acceptedmediatypes", Said::MediaType),
    ("invalid media type", Said::MediaType),
    ("encountered unknown type", Said::MediaType),
    ("unsupported schema version", Said::MediaType),
    ("unexpected media type", Said::MediaType),
    ("schema 1 support", Said::MediaType),
    ("schema 1 images", Said::MediaType),
    ("manifest version 2, schema 1", Said::MediaType),
    ("not an image manifest", Said::MediaType),
    ("missing signature key", Said::MediaType),
    ("unsupported image-specific operation", Said::MediaType),
    ("invalid rootfs in image configuration", Said::MediaType),
    ("unsupported layer media", Said::MediaType),
    ("encountered remote \"application/", Said::MediaType),
    // The layers of the manifest are not those of the configuration: attestations that were read as an image, or
    // kinds of layers that this containerd is too old for.
    ("number of layers and diffids don't match", Said::MediaType),
    ("imagetagalreadyexistsexception", Said::TagImmutable),
    ("cannot be overwritten because the", Said::TagImmutable),
    ("invalid reference format", Said::InvalidName),
    ("couldn't parse image", Said::InvalidName),
    ("failed to parse image name", Said::InvalidName),
    ("unable to parse image name", Said::InvalidName),
    ("invalidimagename", Said::InvalidName),
    // The package of containerd that takes references apart has these three ways to refuse one.
    (": hostname required", Said::InvalidName),
    (": object required", Said::InvalidName),
    (": invalid reference", Said::InvalidName),
    ("repository name must be lowercase", Said::InvalidName),
    ("is not a valid repository/tag", Said::InvalidName),
    ("invalid repository name", Said::InvalidName),
    ("invalid checksum digest", Said::InvalidName),
    ("unsupported digest algorithm", Said::InvalidName),
    ("could not parse reference", Said::InvalidName),
    ("could not parse image", Said::InvalidName),
    ("repository name component must", Said::InvalidName),
    ("repository can only contain", Said::InvalidName),
    ("short-name resolution enforced", Said::InvalidName),
    ("short-name \"", Said::InvalidName),
    ("short name mode is enforcing", Said::InvalidName),
    ("errimageneverpull", Said::NeverPull),
    ("pull policy of never", Said::NeverPull),
    ("admission webhook", Said::Rejected),
    ("signaturevalidationfailed", Said::Rejected),
    ("source image rejected", Said::Rejected),
    ("no matching signatures", Said::Rejected),
    ("security validate failed", Said::Rejected),
    ("is not signed", Said::Rejected),
    ("signature verification failed", Said::Rejected),
    ("image verification failed", Said::Rejected),
    ("image policy webhook", Said::Rejected),
    ("is blocked in /etc/containers", Said::Rejected),
    ("is not allowed by policy", Said::Rejected),
    ("\" not allowed", Said::Rejected),
    ("upstreamaccessdenied", Said::UpstreamDenied),
    ("authentication to the upstream registry failed", Said::UpstreamDenied),
    ("unabletoaccesssecretexception", Said::UpstreamDenied),
    ("unabletodecryptsecretvalueexception", Said::UpstreamDenied),
    ("secretnotfoundexception", Said::UpstreamDenied),
    ("unabletogetupstreamimageexception", Said::UpstreamDenied),
    ("upstreamtoomanyrequests", Said::UpstreamFailed),
    ("upstreamunavailable", Said::UpstreamFailed),
    ("unabletogetupstreamlayerexception", Said::UpstreamFailed),
    ("toomanyrequests", Said::RateExceeded),
    ("too many requests", Said::RateExceeded),
    ("rate exceeded", Said::RateExceeded),
    ("throttlingexception", Said::RateExceeded),
    ("requestlimitexceeded", Said::RateExceeded),
    ("pull rate limit", Said::RateExceeded),
    ("reached your pull rate limit", Said::ForeignLimit),
    ("unauthenticated pull rate limit", Said::ForeignLimit),
    ("docker.com/increase-rate-limit", Said::ForeignLimit),
    ("exceeded pull rate limit for ", Said::ForeignLimit),
    ("data limit exceeded", Said::DataLimit),
    ("pull qps exceeded", Said::PullQps),
    ("because of no progress", Said::NoProgress),
    ("slowdown", Said::SlowDown),
    ("503 slow down", Said::SlowDown),
    ("reduce your request rate", Said::SlowDown),
    ("kmsexception", Said::Kms),
    ("kmserror", Said::Kms),
    ("kms key", Said::Kms),
    ("kms.", Said::Kms),
    ("no space left on device", Said::DiskFull),
    ("diskpressure", Said::DiskFull),
    ("disk quota exceeded", Said::DiskFull),
    ("not enough space on the disk", Said::DiskFull),
    ("low on resource: ephemeral-storage", Said::DiskFull),
    ("reclaim ephemeral-storage", Said::DiskFull),
    ("wanted to free", Said::DiskFull),
    ("freediskspacefailed", Said::DiskFull),
    ("imagegcfailed", Said::DiskFull),
    ("filesystem layer verification failed", Said::DiskFull),
    ("failed to extract layer", Said::Corrupt),
    ("failed to register layer", Said::Corrupt),
    ("failed to unpack image", Said::Corrupt),
    ("mismatched image rootfs", Said::Corrupt),
    ("layers from manifest don't match", Said::Corrupt),
    ("apply layer error", Said::Corrupt),
    ("unexpected commit digest", Said::Corrupt),
    ("failed size validation", Said::Corrupt),
    ("failed to convert whiteout file", Said::Corrupt),
    ("failed commit on ref", Said::Corrupt),
    ("wrong diff id calculated", Said::Corrupt),
    ("archive/tar:", Said::Corrupt),
    ("gzip: invalid", Said::Corrupt),
    ("layer does not exist", Said::Corrupt),
    ("failed to prepare extraction snapshot", Said::Corrupt),
    ("missing parent", Said::Corrupt),
    ("content digest sha256:", Said::Corrupt),
    ("io.containerd.content.v1.content/blobs", Said::Corrupt),
    ("read-only file system", Said::Corrupt),
    ("input/output error", Said::Corrupt),
    ("structure needs cleaning", Said::Corrupt),
    ("containerd.sock", Said::RuntimeDown),
    ("crio.sock", Said::RuntimeDown),
    ("dockershim.sock", Said::RuntimeDown),
    ("cri-dockerd.sock", Said::RuntimeDown),
    ("docker.sock", Said::RuntimeDown),
    ("container runtime is down", Said::RuntimeDown),
    ("is the docker daemon running", Said::RuntimeDown),
    ("dial unix /", Said::RuntimeDown),
    ("unknown service runtime.v1", Said::RuntimeDown),
    ("code = unavailable desc = error reading from server", Said::RuntimeDown),
    ("transport is closing", Said::RuntimeDown),
    ("failed to inspect image", Said::LocalCall),
    ("imageinspecterror", Said::LocalCall),
    ("imagestatus", Said::LocalCall),
    ("listimages", Said::LocalCall),
    ("imagefsinfo", Said::LocalCall),
    ("failed to list images", Said::LocalCall),
    ("could not reach any registry endpoint", Said::NoEndpoint),
    ("<code>accessdenied</code>", Said::S3Xml),
    ("<!doctype html", Said::Html),
    ("<html", Said::Html),
    ("back-off pulling image", Said::BackOff),
    ("imagepullbackoff", Said::BackOff),
    ("trying and failing to pull image", Said::BackOff),
    ("image can't be pulled", Said::BackOff),
    ("errimagepull", Said::ErrImagePull),
    ("error pulling image configuration", Said::ConfigurationOfImage),
    ("redacted ecr url related to", Said::HiddenLayerAddress),
    ("httpreadseeker: failed open", Said::ContentOpen),
    ("httpreaderseeker: failed open", Said::ContentOpen),
];

static PHRASES: LazyLock<Phrases> =
    LazyLock::new(|| Phrases::new(SENTENCES.iter().map(|(sentence, _)| *sentence)));

/// Every meaning that a message has, each with the part that says so.
#[derive(Clone, Debug, Default)]
pub struct Sayings(Vec<(Said, String)>);

impl Sayings {
    /// Finds them. `lower` is `text` in ASCII lower case.
    pub fn find(text: &str, lower: &str) -> Sayings {
        let mut first = vec![None; SENTENCES.len()];
        PHRASES.each(lower, |number, at| {
            let is_known =
                SENTENCES.get(number).is_some_and(|(sentence, _)| names_known(lower, at, sentence));
            if let Some(place @ None) = first.get_mut(number).filter(|_| !is_known) {
                *place = Some(at);
            }
        });
        let mut found: Vec<(Said, String)> = Vec::new();
        for ((sentence, said), at) in SENTENCES.iter().zip(first) {
            if let Some(at) = at.filter(|_| found.iter().all(|(known, _)| known != said)) {
                found.push((*said, excerpt(text, at, end_of_clause(lower, at + sentence.len()))));
            }
        }
        let says = |found: &[(Said, String)], said: Said| found.iter().any(|(known, _)| *known == said);
        for (before, said) in NOT_FOUND {
            let known =
                says(&found, *said) || *said == Said::RepositoryUnknown && says(&found, Said::NoPullAccess);
            if let Some((from, to)) = not_found(lower, before).filter(|_| !known) {
                found.push((*said, excerpt(text, from, to)));
            }
        }
        // Some registries answer with the code of the error and no sentence.
        let end = lower.trim_end_matches(['"', '\'', '.', ' ', ')']);
        // `IMAGE: ... not found`, where its author left out the middle.
        let cut = ["... not found", "… not found"].iter().find(|cut| end.ends_with(**cut));
        if let Some(cut) = cut.filter(|_| !says(&found, Said::NotFound)) {
            found.push((Said::NotFound, excerpt(text, end.len() - cut.len(), end.len())));
        }
        for (code, said) in
            [(": denied", Said::PullAccessDenied), (": unauthorized", Said::AuthenticationRequired)]
        {
            if end.ends_with(code) && !says(&found, said) {
                found.push((said, excerpt(text, end.len() - code.len(), end.len())));
            }
        }
        // `… does not exist or may require 'docker login'` says nothing of the repository.
        const MISSING: &str = "repository does not exist";
        if let Some(at) = lower.find(MISSING).filter(|_| !lower.contains("or may require"))
            && !says(&found, Said::RepositoryUnknown)
        {
            found.push((Said::RepositoryUnknown, excerpt(text, at, at + MISSING.len())));
        }
        Sayings(found)
    }

    /// The part of the message that says so, if it does.
    pub fn get(&self, said: Said) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == said).map(|(_, excerpt)| excerpt.as_str())
    }

    /// The first of several meanings that the message has.
    pub fn any(&self, wanted: &[Said]) -> Option<&str> {
        wanted.iter().find_map(|said| self.get(*said))
    }

    /// Whether there is a meaning beyond these.
    pub fn says_more_than(&self, known: &[Said]) -> bool {
        self.0.iter().any(|(said, _)| !known.contains(said))
    }
}

/// `The image … does not exist within the repository with name …`: the repository does exist.
fn names_known(lower: &str, at: usize, sentence: &str) -> bool {
    sentence == REPOSITORY && lower.get(..at).is_some_and(|head| head.ends_with("within "))
}

/// What stands before a name that ` not found` follows, in lower case, and what is missing then.
const NOT_FOUND: &[(&str, Said)] = &[
    ("repository ", Said::RepositoryUnknown),
    ("image ", Said::ManifestUnknown),
    ("manifest for ", Said::ManifestUnknown),
    ("resolve ref ", Said::NotFound),
    ("resolve ref: ", Said::NotFound),
    ("resolve reference ", Said::NotFound),
];

/// `repository NAME not found`, which has the name in the middle.
pub(super) fn not_found(lower: &str, before: &str) -> Option<(usize, usize)> {
    const AFTER: &str = " not found";
    lower.match_indices(before).find_map(|(at, _)| {
        let name = at + before.len();
        let end = name + lower.get(name..)?.find(' ')?;
        lower.get(end..)?.starts_with(AFTER).then_some((at, end + AFTER.len()))
    })
}

/// The rest of the clause, but not much of it.
fn end_of_clause(lower: &str, from: usize) -> usize {
    let rest = lower.get(from..).unwrap_or_default();
    let end = rest.find([':', '"', ',', ';', '\\']).unwrap_or(rest.len());
    from + end.min(100)
}

#[test]
fn sentences_are_in_lower_case_and_stand_once() {
    let mut seen = std::collections::BTreeSet::new();
    for (sentence, _) in SENTENCES {
        assert_eq!(*sentence, sentence.to_ascii_lowercase());
        assert!(seen.insert(sentence), "{sentence} stands twice");
    }
}

#[test]
fn a_sentence_is_quoted_as_it_stands() {
    let text = "denied: Your authorization token has expired. Reauthenticate and try again.";
    let found = Sayings::find(text, &text.to_ascii_lowercase());
    assert_eq!(
        found.get(Said::TokenExpired),
        Some("authorization token has expired. Reauthenticate and try again.")
    );
    assert_eq!(found.get(Said::NoCredentials), None);
}
