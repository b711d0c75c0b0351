//! Which image a message is about.

use percent_encoding::percent_decode_str;

use super::request::{Request, Target};
use super::text::between;
use crate::model::image_ref::{DEFAULT_REGISTRY, is_tag};
use crate::model::{EcrHost, ImageRef};

/// What stands before an image in quotes, in lower case; the quote itself follows.
const BEFORE_QUOTED: &[&str] = &[
    "pull image ",
    "pulling image ",
    "pulled image ",
    "pullimage ",
    "and unpack image ",
    "resolve reference ",
    "sandbox image ",
    "container image ",
    "fetch image ",
    "default image tag ",
    "parse image reference ",
    "image reference ",
    "parse image name ",
    "pulling image: ",
    "image=",
    "image:",
    "image: ",
    "imageref=",
    "imagestatus ",
    "inspect image ",
    "ref ",
    "image ",
];

/// What stands before an image without quotes, in lower case.
const BEFORE_BARE: &[&str] = &[
    "pull image ",
    "resolve reference ",
    "failed to resolve ref ",
    "failed to resolve ref: ",
    "credential provider plugin",
    "creds for private image ",
    "creds for public image ",
    "load metadata for ",
    "source metadata for ",
    "failed to solve: ",
    "pull access denied for ",
    "manifest for ",
    "no such image: ",
    "docker://",
    "oci://",
    "docker pull ",
    "trying to pull ",
    "error: pulling image ",
    "pulling image ",
    "unable to pull image ",
    "image ",
    "image: ",
    "repository ",
];

/// The first image that a message names; failing that, what the address of its request says of one.
pub(super) fn find(text: &str, lower: &str, requests: &[Request]) -> Option<ImageRef> {
    let named = quoted(text, lower)
        .or_else(|| manifest_in(text, lower))
        .or_else(|| bare(text, lower))
        .or_else(|| anywhere(text))
        .or_else(|| from_query(text, lower));
    let image = match named {
        Some(image) => complete(image, text, requests),
        None => from_host_clause(text)
            .or_else(|| requests.iter().rev().find_map(from_request))
            .or_else(|| from_ping_clause(text))?,
    };
    Some(without_cut_digest(image, text))
}

/// The same image with its tag or digest, if the message names it once more and in full, or asks for its manifest.
fn complete(image: ImageRef, text: &str, requests: &[Request]) -> ImageRef {
    if image.digest.is_some() || image.repository.is_none() {
        return image;
    }
    let is_same = |other: &ImageRef| {
        (&other.registry, &other.repository) == (&image.registry, &image.repository)
            && (other.tag.is_some() || other.digest.is_some())
    };
    let name = match &image.repository {
        // Images of Docker Hub are named without it, too.
        Some(repository) if image.registry == DEFAULT_REGISTRY => repository.clone(),
        _ => format!("{}/", image.registry),
    };
    let others = || {
        let mentions = text.match_indices(name.as_str()).filter_map(|(at, _)| token(text.get(at..)?));
        mentions.filter_map(ImageRef::parse).filter(is_same)
    };
    if image.tag.is_some() {
        // Another digest of the same repository may be that of a part: an index has one for every platform.
        let fuller = others().find(|other| other.tag == image.tag && other.digest.is_some());
        return fuller.unwrap_or(image);
    }
    let asked = || requests.iter().filter_map(from_request).find(is_same);
    others().next().or_else(asked).unwrap_or(image)
}

/// The image without a digest of which the message shows only the beginning: nothing can be asked for by it.
fn without_cut_digest(mut image: ImageRef, text: &str) -> ImageRef {
    image.digest = image.digest.filter(|digest| {
        let behind = text.rsplit_once(digest.as_str()).map(|(_, behind)| behind);
        !behind.is_some_and(|behind| behind.starts_with("...") || behind.starts_with('…'))
    });
    image
}

/// `/images/create?fromImage=HOST%2FREPOSITORY&tag=TAG`, the question of Docker's API for a pull.
fn from_query(text: &str, lower: &str) -> Option<ImageRef> {
    const IMAGE: &str = "fromimage=";
    let at = lower.find(IMAGE)? + IMAGE.len();
    let query = text.get(at..)?.split([' ', '"', '\'']).next()?;
    let decoded = |value: &str| percent_decode_str(value).decode_utf8().ok().map(|value| value.into_owned());
    let mut parts = query.split('&');
    let mut image = plausible(&decoded(parts.next()?)?)?;
    let tag = parts.find_map(|part| part.strip_prefix("tag=")).and_then(decoded);
    image.tag = image.tag.or(tag.filter(|tag| is_tag(tag)));
    Some(image)
}

fn quoted(text: &str, lower: &str) -> Option<ImageRef> {
    lower
        .match_indices('"')
        .filter(|(at, _)| {
            let head = lower.get(..*at).unwrap_or_default();
            // `failed commit on ref "layer-sha256:…"` names a part of an image.
            BEFORE_QUOTED.iter().any(|before| head.ends_with(before)) && !head.ends_with("commit on ref ")
        })
        .filter_map(|(at, _)| text.get(at + 1..)?.split('"').next())
        .filter(|found| !found.trim().is_empty() && found.len() < 1_000)
        .map(|found| found.trim_end_matches(": not found"))
        .find_map(|found| plausible(found).or_else(|| wrapped(found)))
}

/// A reference at a registry of ECR that a terminal wrapped in the middle of a word.
fn wrapped(text: &str) -> Option<ImageRef> {
    let joined: String = text.split([' ', '│']).collect();
    let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._/-".contains(&b));
    plausible(&joined)
        .filter(|image| joined != text && image.is_ecr() && image.repository.as_deref().is_some_and(is_name))
}

/// `reading manifest TAG in REGISTRY/REPOSITORY`, as containers/image says.
fn manifest_in(text: &str, lower: &str) -> Option<ImageRef> {
    let at = lower.find("reading manifest ")?;
    let rest = text.get(at + "reading manifest ".len()..)?;
    let (reference, rest) = rest.split_once(" in ")?;
    if reference.contains(' ') {
        return None;
    }
    let mark = if reference.contains(':') { '@' } else { ':' };
    let name = rest.split([' ', '"']).next()?.trim_end_matches(':');
    ImageRef::parse(&format!("{name}{mark}{reference}"))
}

fn bare(text: &str, lower: &str) -> Option<ImageRef> {
    let mut found: Vec<(usize, ImageRef)> = Vec::new();
    for before in BEFORE_BARE {
        for (at, _) in lower.match_indices(before) {
            let mut rest = text.get(at + before.len()..).unwrap_or_default();
            if before.starts_with("credential provider") {
                // `… plugin NAME for image IMAGE: …`: the image may have any form, even a single word.
                let Some((_, image)) = rest.split_once(" for image ") else { continue };
                rest = image;
            }
            if matches!(*before, "repository " | "image ") && is_followed_by_not_found(rest) {
                found.extend(token(rest).and_then(ImageRef::parse).map(|image| (at, image)));
                break;
            }
            if let Some(image) = token(rest).and_then(|token| candidate(token, before)) {
                found.push((at, image));
                break;
            }
        }
    }
    // A message repeats its image; the fullest form counts, and among equals the first.
    found.sort_by_key(|(at, image)| (std::cmp::Reverse(fullness(image)), *at));
    found.into_iter().next().map(|(_, image)| image)
}

fn is_followed_by_not_found(rest: &str) -> bool {
    rest.split_once(' ').is_some_and(|(_, behind)| behind.starts_with("not found"))
}

fn fullness(image: &ImageRef) -> (bool, usize) {
    (image.is_ecr(), usize::from(image.tag.is_some()) + usize::from(image.digest.is_some()))
}

fn candidate(token: &str, before: &str) -> Option<ImageRef> {
    let certain = ["credential provider", "docker://", "oci://", "creds for", "trying to pull"];
    if certain.iter().any(|mark| before.starts_with(mark)) {
        return ImageRef::parse(token);
    }
    let names_image =
        matches!(before, "pull image " | "failed to solve: " | "failed to resolve ref ") && has_tag(token);
    if before.starts_with("pull access denied") || names_image {
        return plausible(token);
    }
    // `image configuration`, `repository does not …`: a word is an image only if it looks like one.
    let is_platform = ["linux/", "windows/"].iter().any(|system| token.starts_with(system));
    let looks = (token.contains('/') && !is_platform) || token.contains(".dkr.");
    let looks = looks || (before == "docker pull " && has_tag(token));
    if looks { plausible(token) } else { None }
}

/// `app:v1`: a name and a tag, in one word.
fn has_tag(token: &str) -> bool {
    ImageRef::parse(token).is_some_and(|image| image.tag.is_some())
}

/// Any word with a host name of ECR.
fn anywhere(text: &str) -> Option<ImageRef> {
    text.split([' ', '"', '\'', '(', ')', ',', '='])
        .filter(|word| !word.contains("://") && word.contains('/'))
        .filter(|word| {
            word.contains(".dkr.ecr") || word.contains(".dkr-ecr") || word.contains("public.ecr.aws/")
        })
        .filter_map(token)
        .find(|word| !word.contains("/v2/"))
        .and_then(ImageRef::parse)
}

/// The word up to the `: `, the comma or the bracket that ends it.
fn token(rest: &str) -> Option<&str> {
    let rest = rest.trim_start_matches([' ', '"', '\'', '`']);
    // `[IMAGE]`, as Docker names the repository of a push; `[id].dkr.ecr…` is a placeholder instead.
    let rest = match rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((inner, behind)) if inner.contains('/') && !behind.starts_with(['.', '/']) => inner,
        _ => rest,
    };
    let mut depth = 0_usize;
    let end = rest.find(|c: char| {
        match c {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            _ => {}
        }
        matches!(c, '"' | '\'' | '`' | ',' | '(' | ')') || (c.is_whitespace() && depth == 0)
    });
    let word = rest.get(..end.unwrap_or(rest.len()))?.trim_end_matches([':', '.', ';', ']', '}']);
    (!word.is_empty()).then_some(word)
}

/// A quoted text may be anything; an image has no blanks inside, except within a placeholder.
fn plausible(text: &str) -> Option<ImageRef> {
    let image = ImageRef::parse(text)?;
    let inner = image.to_string();
    let blank_outside = inner.contains(' ') && !(inner.contains('<') && inner.contains('>'));
    // A tag or a digest with a blank in it was wrapped.
    let blank_lost = text.trim().contains(' ') && !inner.contains(' ');
    // Dots alone stand for what its author left out.
    let has_gap = image.registry.contains("..");
    let is_arn = text.starts_with("arn:");
    let is_cut = text.starts_with('…') || text.starts_with("...");
    // Without a host, a name in capitals is no image: nothing could be pulled by it.
    let is_capital = image.registry == DEFAULT_REGISTRY
        && !text.starts_with(DEFAULT_REGISTRY)
        && image.repository.as_deref().is_some_and(|name| name.contains(|c: char| c.is_ascii_uppercase()));
    (!blank_outside && !blank_lost && !has_gap && !is_arn && !is_cut && !is_capital).then_some(image)
}

/// `pulling from host HOST failed with status code [manifests TAG]`.
fn from_host_clause(text: &str) -> Option<ImageRef> {
    let host = between(text, "pulling from host ", " failed with")?.trim();
    // A word without a dot or a port hides the name of the host.
    if !host.contains(['.', ':']) {
        return None;
    }
    let tag = between(text, "[manifests ", "]").map(str::trim);
    let mut image = ImageRef::of_registry(host);
    match tag {
        Some(digest) if digest.contains(':') => image.digest = Some(digest.to_owned()),
        tag => image.tag = tag.map(str::to_owned),
    }
    Some(image)
}

/// `pinging container registry HOST: …`, as containers/image says before it asks for anything.
fn from_ping_clause(text: &str) -> Option<ImageRef> {
    let host = between(text, "pinging container registry ", ": ")?.trim();
    host.contains(['.', ':']).then(|| ImageRef::of_registry(host))
}

/// `https://REGISTRY/v2/REPOSITORY/manifests/TAG`, or only `https://REGISTRY/v2/`.
fn from_request(request: &Request) -> Option<ImageRef> {
    let is_ecr = EcrHost::parse(&request.host).is_some_and(|host| host.serves_images());
    let Some(path) = request.path.strip_prefix("/v2") else {
        // containerd once printed the name of the image as an address.
        return ImageRef::parse(&format!("{}{}", request.host, request.path)).filter(|_| is_ecr);
    };
    let is_content = request.host.ends_with(".cloudfront.net");
    if is_content || !(is_ecr || request.target() == Target::Elsewhere) {
        return None;
    }
    let host = if request.host == "registry-1.docker.io" { DEFAULT_REGISTRY } else { &request.host };
    let reference = match request.manifest() {
        Some((repository, reference)) if reference.contains(':') => {
            format!("{host}/{repository}@{reference}")
        }
        Some((repository, reference)) => format!("{host}/{repository}:{reference}"),
        None => match path.split_once("/blobs/") {
            Some((repository, _)) => format!("{host}{repository}"),
            None => return Some(ImageRef::of_registry(host)),
        },
    };
    ImageRef::parse(&reference)
}

#[cfg(test)]
mod tests {
    use super::super::{Known, explain};
    use super::*;

    /// References in every form that is legal.
    const REFERENCES: &[&str] = &[
        "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app",
        "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1",
        "111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/sub__name/app.x:v1.2-rc_3",
        "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app@sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
        "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1@sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
        "111122223333.dkr.ecr.eu-west-1.amazonaws.com:443/app:v1",
        "111122223333.dkr.ecr-fips.us-east-1.amazonaws.com/app:v1",
        "111122223333.dkr-ecr.eu-west-1.on.aws/app:v1",
        "111122223333.dkr-ecr-fips.us-east-1.on.aws/app:v1",
        "111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn/app:v1",
        "111122223333.dkr-ecr.cn-northwest-1.on.amazonwebservices.com.cn/app:v1",
        "111122223333.dkr.ecr.us-gov-west-1.amazonaws.com/app:v1",
        "111122223333.dkr.ecr.us-iso-east-1.c2s.ic.gov/app:v1",
        "111122223333.dkr.ecr.us-isob-east-1.sc2s.sgov.gov/app:v1",
        "111122223333.dkr.ecr.eusc-de-east-1.amazonaws.eu/app:v1",
        "<account>.dkr.ecr.<region>.amazonaws.com/app:v1",
        "public.ecr.aws/docker/library/alpine:3.20",
        "localhost:5000/app:v1",
        "10.0.0.1:5000/team/app:v1",
        "[fd00::1]:5000/app:v1",
        "registry.example.com/team/app:v1",
    ];

    /// What messages and logs put around a reference.
    const WRAPPINGS: &[&str] = &[
        "Failed to pull image \"REF\": rpc error: code = Unknown desc = EOF",
        "failed to pull image \"REF\".",
        "err=\"failed to pull image \\\"REF\\\": EOF\"",
        "{\"msg\":\"err=\\\"Failed to pull image \\\\\\\"REF\\\\\\\": EOF\\\"\"}",
        "\u{1b}[33mWarning\u{1b}[0m  Failed  kubelet  Failed to pull image \"\u{1b}[1mREF\u{1b}[0m\"\r\n",
        "Failed to pull image “REF”: EOF",
        "failed to pull and unpack image \"REF\": failed to resolve reference \"REF\": REF: not found",
        "Error response from daemon: manifest for REF not found: manifest unknown: Requested image not found",
        "initializing source docker://REF: EOF",
        "CannotPullContainerError: failed to resolve ref REF: not found",
        "#3 ERROR: failed to solve: REF: failed to resolve source metadata for REF: EOF",
        "(docker pull REF).",
        "Unable to pull image REF, giving up",
        "Failed to pull image \"[REF](http://REF)\": EOF",
        "remote_image.go:171] \"PullImage from image service failed\" err=\"EOF\" image=\"REF\"",
    ];

    #[test]
    fn a_reference_is_read_exactly_wherever_it_stands() {
        for reference in REFERENCES {
            for wrapping in WRAPPINGS {
                let message = wrapping.replace("REF", reference);
                let found = explain(&message, &Known::default()).image;
                assert_eq!(found, ImageRef::parse(reference), "{message}");
                assert_eq!(found.map(|image| image.to_string()).as_deref(), Some(*reference), "{message}");
            }
        }
    }

    #[test]
    fn the_fullest_form_of_a_reference_counts() {
        let host = "111122223333.dkr.ecr.eu-west-1.amazonaws.com";
        let digest = "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
        let other = digest.replace("00", "ff");
        let found = |message: String| {
            let image = explain(&message, &Known::default()).image;
            image.map_or("-".to_owned(), |image| {
                image.to_string().replace(host, "HOST").replace(digest, "DIGEST")
            })
        };
        let table = [
            // The address of the manifest has what the name lacks.
            format!("reading image \"{host}/app\": GET https://{host}/v2/app/manifests/v1: 401 Unauthorized"),
            format!("reading image \"{host}/app\": GET https://{host}/v2/other/manifests/v1: 401 Unauthorized"),
            // A later mention adds the digest; that of another platform is none of the tag.
            format!("cannot pull {host}/app:v1 from the registry {host}/app:v1@{digest}."),
            format!("failed to resolve ref {host}/app:v1: {host}/app@{other}: not found"),
            // The beginning of a digest is none.
            format!("failed to resolve ref {host}/app@sha256:00112233...: not found"),
            format!("unexpected status code https://{host}/v2/app/manifests/sha256:00112233…"),
            // A tag that was wrapped stands whole elsewhere.
            "failed to get sandbox image \"example.org/pause:3. 6\": failed to pull image \"example.org/pause:3.6\": EOF".to_owned(),
            // Docker's API, and names without a registry.
            format!("POST /v1.17/images/create?fromImage={host}%2Fteam%2Fapp%3Av1\""),
            format!("POST /v1.17/images/create?fromImage={host}%2Fapp&tag=v2"),
            "POST /v1.17/images/create?fromImage=%zz%ff&tag=".to_owned(),
            "failed to resolve ref app:latest: not found.".to_owned(),
            "Error pulling plugins/app:latest. Error: image plugins/app not found".to_owned(),
            // Dots stand for what the author left out.
            "Failed to pull image \"658...ecr.../team/app:v1\": unauthorized".to_owned(),
        ]
        .map(|message| found(message) + "\n")
        .concat();
        expect_test::expect![[r#"
            HOST/app:v1
            HOST/app
            HOST/app:v1@DIGEST
            HOST/app:v1
            HOST/app
            HOST/app
            example.org/pause:3.6
            HOST/team/app:v1
            HOST/app:v2
            -
            docker.io/app:latest
            docker.io/plugins/app:latest
            -
        "#]]
        .assert_eq(&table);
    }
}
