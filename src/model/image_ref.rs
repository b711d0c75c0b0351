//! References of images, as pods and error messages write them.
//!
//! Source: the grammar of distribution/reference, and [`super::ecr_host`] for what ECR's host names say.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::ecr_host::{EcrHost, HostKind};

/// The registry of images that name none.
pub const DEFAULT_REGISTRY: &str = "docker.io";

/// A reference of an image, or as much of it as a message shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct ImageRef {
    /// As written, with its port; `docker.io` where the image names none.
    pub registry: String,
    /// The account of a private registry of ECR.
    pub account: Option<String>,
    /// The region of a private registry of ECR.
    pub region: Option<String>,
    /// The partition of ECR's registries.
    pub partition: Option<&'static str>,
    /// As written.
    pub repository: Option<String>,
    /// None if there is none, or if it cannot be one.
    pub tag: Option<String>,
    /// `sha256:…`.
    pub digest: Option<String>,
}

impl ImageRef {
    /// Reads a reference; blanks and quotes around it do not count. None if there is nothing to read.
    pub fn parse(text: &str) -> Option<ImageRef> {
        let text = trim(text);
        if text.is_empty() || text.contains(['\n', '"']) {
            return None;
        }
        let (registry, path) = match text.split_once('/') {
            Some((first, path)) if is_registry(first) => (first, path),
            None if EcrHost::parse(text).is_some_and(|host| host.serves_images()) => (text, ""),
            _ => (DEFAULT_REGISTRY, text),
        };
        let (path, digest) = match path.split_once('@') {
            Some((path, digest)) => (path, is_digest(digest).then(|| digest.to_owned())),
            None => (path, None),
        };
        let (repository, tag) = split_tag(path);
        let found = ImageRef {
            repository: Some(repository.trim_end_matches('/').to_owned()).filter(|name| !name.is_empty()),
            tag: tag.filter(|tag| is_tag(tag)).map(str::to_owned),
            digest,
            ..ImageRef::of_registry(registry)
        };
        let names_something = found.repository.is_some() || registry != DEFAULT_REGISTRY;
        names_something.then_some(found)
    }

    /// Only a registry, as far as its name says.
    pub fn of_registry(registry: &str) -> ImageRef {
        let host = EcrHost::parse(registry).filter(EcrHost::serves_images);
        ImageRef {
            registry: registry.to_owned(),
            account: host.as_ref().and_then(|host| host.account.clone()),
            region: host.as_ref().and_then(|host| host.region.clone()),
            partition: host.as_ref().and_then(|host| host.partition),
            ..ImageRef::default()
        }
    }

    /// What the registry is to ECR; none if it is not ECR's.
    pub fn host(&self) -> Option<EcrHost> {
        EcrHost::parse(&self.registry).filter(EcrHost::serves_images)
    }

    /// Whether a registry of ECR serves it, private or public.
    pub fn is_ecr(&self) -> bool {
        self.host().is_some()
    }

    /// Whether ECR Public serves it.
    pub fn is_ecr_public(&self) -> bool {
        self.host().is_some_and(|host| host.kind == HostKind::PublicRegistry)
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.registry)?;
        let part = |out: &mut fmt::Formatter<'_>, mark: &str, part: &Option<String>| match part {
            Some(part) => write!(out, "{mark}{part}"),
            None => Ok(()),
        };
        part(out, "/", &self.repository)?;
        part(out, ":", &self.tag)?;
        part(out, "@", &self.digest)
    }
}

/// A tag by the OCI distribution specification.
pub fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

/// A digest: an algorithm and hexadecimal digits, of which messages may show only the first.
pub fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, hex)| {
        !algorithm.is_empty()
            && algorithm.bytes().all(|b| b.is_ascii_alphanumeric() || b"+._-".contains(&b))
            && !hex.is_empty()
            && hex.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

fn trim(text: &str) -> &str {
    let text = text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`'));
    let text = match text.split_once("://") {
        Some(("docker" | "oci" | "http" | "https" | "containers-storage", rest)) => rest,
        _ => text,
    };
    text.trim_matches(|c: char| c.is_whitespace() || c == '/')
}

/// Docker's rule: the first part is a registry if it has a dot or a port, or is `localhost`.
fn is_registry(first: &str) -> bool {
    let is_host = first == "localhost" || first.contains(['.', ':']);
    // Dots alone stand for what its author left out.
    is_host && !first.contains('@') && first.contains(|c: char| c != '.')
}

fn split_tag(path: &str) -> (&str, Option<&str>) {
    let after_slash = path.rfind('/').map_or(0, |slash| slash + 1);
    match path.rfind(':') {
        Some(colon) if colon >= after_slash => {
            let tag = path.get(colon + 1..).unwrap_or_default().trim();
            (path.get(..colon).unwrap_or_default(), Some(tag))
        }
        _ => (path, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let Some(image) = ImageRef::parse(text) else { return "-".to_owned() };
        let or_dash = |part: &Option<String>| part.clone().unwrap_or_else(|| "-".to_owned());
        [
            image.registry.clone(),
            or_dash(&image.account),
            or_dash(&image.region),
            image.partition.unwrap_or("-").to_owned(),
            or_dash(&image.repository),
            or_dash(&image.tag),
            or_dash(&image.digest),
        ]
        .join(" | ")
    }

    #[test]
    fn references_of_the_field() {
        let references = [
            "111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/app:v1",
            " 111122223333.dkr.ecr.eu-west-1.amazonaws.com/coredns:latest ",
            "111122223333.dkr.ecr.eu-west-1.amazonaws.com/pause:3.9@sha256:7031c1b283388d2c",
            "111122223333.dkr.ecr.eu-west-1.amazonaws.com:443/app",
            "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:",
            "111122223333.dkr.ecr.eu-west-1.amazonaws.com",
            "<account number>.dkr.ecr.eu-west-1.amazonaws.com/zre:latest",
            "cross-aws-account-id:.dkr.ecr.REGION.amazonaws.com/repo-name:image-tag",
            "public.ecr.aws/docker/library/redis:8.2.2-alpine",
            "docker://istio/dev:[USER]",
            "nginx",
            "localhost:5000/a/b",
            "registry.k8s.io/pause@sha256:aa",
            "",
            "  ",
        ];
        let table: String = references.iter().map(|text| format!("{}\n", shown(text))).collect();
        expect_test::expect![[r#"
            111122223333.dkr.ecr.eu-west-1.amazonaws.com | 111122223333 | eu-west-1 | aws | team/app | v1 | -
            111122223333.dkr.ecr.eu-west-1.amazonaws.com | 111122223333 | eu-west-1 | aws | coredns | latest | -
            111122223333.dkr.ecr.eu-west-1.amazonaws.com | 111122223333 | eu-west-1 | aws | pause | 3.9 | sha256:7031c1b283388d2c
            111122223333.dkr.ecr.eu-west-1.amazonaws.com:443 | 111122223333 | eu-west-1 | aws | app | - | -
            111122223333.dkr.ecr.eu-west-1.amazonaws.com | 111122223333 | eu-west-1 | aws | app | - | -
            111122223333.dkr.ecr.eu-west-1.amazonaws.com | 111122223333 | eu-west-1 | aws | - | - | -
            <account number>.dkr.ecr.eu-west-1.amazonaws.com | - | eu-west-1 | aws | zre | latest | -
            cross-aws-account-id:.dkr.ecr.REGION.amazonaws.com | - | - | - | repo-name | image-tag | -
            public.ecr.aws | - | - | aws | docker/library/redis | 8.2.2-alpine | -
            docker.io | - | - | - | istio/dev | - | -
            docker.io | - | - | - | nginx | - | -
            localhost:5000 | - | - | - | a/b | - | -
            registry.k8s.io | - | - | - | pause | - | sha256:aa
            -
            -
        "#]]
        .assert_eq(&table);
    }

    proptest::proptest! {
        #[test]
        fn what_is_printed_is_read_again_alike(
            account in "[0-9]{12}", repository in "[a-z0-9]{1,8}(/[a-z0-9]{1,8}){0,2}",
            tag in proptest::option::of("[A-Za-z0-9_][A-Za-z0-9._-]{0,20}"),
            digest in proptest::option::of("sha256:[0-9a-f]{64}"),
        ) {
            let mut image = ImageRef::of_registry(&format!("{account}.dkr.ecr.eu-west-1.amazonaws.com"));
            (image.repository, image.tag, image.digest) = (Some(repository), tag, digest);
            proptest::prop_assert_eq!(ImageRef::parse(&image.to_string()), Some(image));
        }

        #[test]
        fn any_text_is_read_without_panic(text in "\\PC*") {
            let _ = ImageRef::parse(&text);
        }
    }
}
