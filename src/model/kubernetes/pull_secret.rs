//! Pull secrets, of which only what tells whether they can work is kept: hosts, the user name that ECR gives, and when a
//! token of ECR expires. The password goes before anything else sees the secret.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::iam::Glob;
use crate::model::EcrHost;
use crate::model::snapshot::{Record, Snapshot, Table};

/// A pull secret that a pod names, without what is secret in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PullSecret {
    /// Where it is.
    pub namespace: String,
    /// Unique there.
    pub name: String,
    /// `kubernetes.io/dockerconfigjson`, `kubernetes.io/dockercfg`; kubelets use no other.
    #[serde(default, rename = "type")]
    pub kind: String,
    /// When it was read (RFC 3339): what had expired then had expired when the pods pulled last.
    #[serde(default)]
    pub read_at: String,
    /// What it is for; none where its content cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registries: Option<Vec<PullSecretRegistry>>,
}

/// One login of a pull secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PullSecretRegistry {
    /// As the secret writes it, without a user in it: a host, maybe with `https://`, a port, a path or `*`.
    pub host: String,
    /// Only that of ECR, `AWS`: elsewhere a token may stand in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// When the token of ECR expires (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// The user name of every token of ECR.
const USER_OF_ECR: &str = "AWS";

impl Record for PullSecret {
    const TABLE: Table = Table::list::<PullSecret>("PullSecrets");

    fn id(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    fn rows(snapshot: &mut Snapshot) -> &mut BTreeMap<String, PullSecret> {
        &mut Arc::make_mut(&mut snapshot.kubernetes).pull_secrets
    }
}

/// A Secret of Kubernetes while its content is being taken apart. It is never printed and never kept.
#[derive(Deserialize)]
struct Secret {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    data: Option<BTreeMap<String, Option<String>>>,
}

#[derive(Deserialize)]
struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, Login>,
}

#[derive(Deserialize)]
struct Login {
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    password: Option<String>,
    /// `USER:PASSWORD` in base64; it counts for more than the others.
    #[serde(default)]
    auth: Option<String>,
}

impl PullSecret {
    /// Takes over what is no secret from the answer of the API.
    ///
    /// # Errors
    /// The answer is no Secret; the text quotes nothing of it.
    pub fn from_answer(
        namespace: &str,
        name: &str,
        answer: &str,
        now: Timestamp,
    ) -> Result<PullSecret, String> {
        let secret: Secret =
            serde_json::from_str(answer).map_err(|_| "the answer is no Secret".to_owned())?;
        let data = secret.data.unwrap_or_default();
        let content = |key: &str| data.get(key)?.as_deref().and_then(decoded);
        let logins = match secret.kind.as_str() {
            "kubernetes.io/dockercfg" => {
                content(".dockercfg").and_then(|text| serde_json::from_slice(&text).ok())
            }
            _ => content(".dockerconfigjson")
                .and_then(|text| serde_json::from_slice(&text).ok())
                .map(|config: DockerConfig| config.auths),
        };
        Ok(PullSecret {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            kind: secret.kind,
            read_at: seconds(now),
            registries: logins
                .map(|logins| logins.iter().map(|(host, login)| login.without_secrets(host)).collect()),
        })
    }

    /// The logins that a kubelet would use for an image.
    pub fn serving<'a>(&'a self, image: &'a str) -> impl Iterator<Item = &'a PullSecretRegistry> {
        self.registries.iter().flatten().filter(move |registry| registry.serves(image))
    }

    /// Whether a login of it had expired when it was read.
    pub fn has_expired(&self, registry: &PullSecretRegistry) -> bool {
        let time = |text: &str| text.parse::<Timestamp>().ok();
        let expires = registry.expires_at.as_deref().and_then(time);
        expires.zip(time(&self.read_at)).is_some_and(|(expires, read)| expires <= read)
    }
}

impl Login {
    fn without_secrets(&self, host: &str) -> PullSecretRegistry {
        let joined = self.auth.as_deref().and_then(decoded).and_then(|text| String::from_utf8(text).ok());
        let (user, password) = match joined.as_deref().and_then(|joined| joined.split_once(':')) {
            Some((user, password)) => (Some(user), Some(password)),
            None => (self.username.as_deref(), self.password.as_deref()),
        };
        let of_ecr = user == Some(USER_OF_ECR);
        PullSecretRegistry {
            host: without_user(host),
            username: of_ecr.then(|| USER_OF_ECR.to_owned()),
            expires_at: password.filter(|_| of_ecr).and_then(expiry),
        }
    }
}

impl PullSecretRegistry {
    /// Whether it was meant for ECR, right or wrong.
    pub fn is_meant_for_ecr(&self) -> bool {
        self.username.is_some() || EcrHost::parse(self.host_and_path().0).is_some()
    }

    /// Whether a kubelet uses it for an image: every label of the host fits, the port is the same, and the path begins so.
    ///
    /// Source: Kubernetes, "Images", "Interpretation of config.json".
    fn serves(&self, image: &str) -> bool {
        let (image_host, image_path) = image.split_once('/').unwrap_or((image, ""));
        let (host, path) = self.host_and_path();
        let split = |host: &str| -> (Vec<String>, String) {
            let (name, port) = host.split_once(':').unwrap_or((host, ""));
            (name.split('.').map(str::to_owned).collect(), port.to_owned())
        };
        let ((patterns, port), (labels, image_port)) = (split(host), split(image_host));
        let fits = |(pattern, label): (&String, &String)| Glob::new(pattern).matches(label);
        patterns.len() == labels.len()
            && port == image_port
            && patterns.iter().zip(&labels).all(fits)
            && image_path.starts_with(path)
    }

    /// Without what kubelets leave away: the scheme, and the version of the API.
    fn host_and_path(&self) -> (&str, &str) {
        let host = self.host.trim();
        let host = host.strip_prefix("https://").or(host.strip_prefix("http://")).unwrap_or(host);
        let (host, path) = host.split_once('/').unwrap_or((host, ""));
        let path = path.strip_prefix("v1").or(path.strip_prefix("v2")).unwrap_or(path);
        (host, path.trim_matches('/'))
    }
}

/// When a token of ECR expires. It is a JSON document in base64, and only this field of it is for us.
fn expiry(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Token {
        /// Seconds since 1970.
        expiration: i64,
    }
    let token: Token = serde_json::from_slice(&decoded(token)?).ok()?;
    Timestamp::from_second(token.expiration).ok().map(seconds)
}

fn seconds(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

/// Base64, with or without padding.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&base64::alphabet::STANDARD, lenient).decode(text.trim()).ok()
}

/// A host may come with `USER:PASSWORD@` before it, and a query behind.
fn without_user(host: &str) -> String {
    let (scheme, rest) = host.split_once("://").map_or(("", host), |(scheme, rest)| (scheme, rest));
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    if scheme.is_empty() { rest.to_owned() } else { format!("{scheme}://{rest}") }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;

    pub(crate) const HOST: &str = "111122223333.dkr.ecr.eu-west-1.amazonaws.com";

    /// A Secret as the API gives it, with these logins.
    pub(crate) fn secret(name: &str, auths: &Value) -> Value {
        let engine = base64::engine::general_purpose::STANDARD;
        let config = engine.encode(json!({ "auths": auths }).to_string());
        json!({
            "kind": "Secret", "apiVersion": "v1", "type": "kubernetes.io/dockerconfigjson",
            "metadata": { "name": name, "namespace": "shop" }, "data": { ".dockerconfigjson": config },
        })
    }

    /// A token of ECR that expires then, and that must never be seen.
    pub(crate) fn token(expiration: i64) -> String {
        let document =
            json!({ "payload": "CANARY", "datakey": "CANARY", "version": "2", "expiration": expiration });
        base64::engine::general_purpose::STANDARD.encode(document.to_string())
    }

    fn read(secret: &Value) -> PullSecret {
        let now = "2026-11-23T12:00:00Z".parse().unwrap();
        PullSecret::from_answer("shop", "regcred", &secret.to_string(), now).unwrap()
    }

    #[test]
    fn only_host_user_and_expiry_are_kept() {
        let engine = base64::engine::general_purpose::STANDARD;
        let old = "2026-11-23T11:59:59Z".parse::<Timestamp>().unwrap().as_second();
        let secret = read(&secret(
            "regcred",
            &json!({
                HOST: { "auth": engine.encode(format!("AWS:{}", token(old))) },
                "https://CANARY:CANARY@ghcr.io/x?CANARY": { "username": "CANARY", "password": "CANARY" },
            }),
        ));
        let text = serde_json::to_string(&secret).unwrap();
        assert_eq!(
            text,
            r#"{"namespace":"shop","name":"regcred","type":"kubernetes.io/dockerconfigjson","read_at":"2026-11-23T12:00:00Z","registries":[{"host":"111122223333.dkr.ecr.eu-west-1.amazonaws.com","username":"AWS","expires_at":"2026-11-23T11:59:59Z"},{"host":"https://ghcr.io/x"}]}"#
        );
        let image = format!("{HOST}/app:v1");
        let expired: Vec<bool> =
            secret.serving(&image).map(|registry| secret.has_expired(registry)).collect();
        assert_eq!(expired, [true]);
        assert!(!format!("{secret:?}").contains("CANARY"));
    }

    #[test]
    fn a_content_that_cannot_be_read_is_no_login() {
        let mut broken = secret("regcred", &json!({}));
        broken["data"][".dockerconfigjson"] = json!("CANARY???");
        assert_eq!(read(&broken).registries, None);
        assert_eq!(read(&json!({ "type": "Opaque" })).registries, None);
        let refused = PullSecret::from_answer("a", "b", "CANARY", Timestamp::UNIX_EPOCH);
        assert_eq!(refused, Err("the answer is no Secret".to_owned()));
        assert_eq!(expiry("CANARY"), None);
    }

    #[test]
    fn logins_serve_what_kubelets_use_them_for() {
        let image = format!("{HOST}/team/app:v1");
        let serves =
            |host: &str| PullSecretRegistry { host: host.to_owned(), ..Default::default() }.serves(&image);
        for host in
            [HOST, "https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/", "*.dkr.ecr.*.amazonaws.com"]
        {
            assert!(serves(host), "{host}");
        }
        assert!(serves(&format!("{HOST}/team")));
        for host in ["*.amazonaws.com", "111122223333.dkr.ecr.us-east-1.amazonaws.com", "docker.io", ""] {
            assert!(!serves(host), "{host}");
        }
        assert!(!serves(&format!("{HOST}/other")) && !serves(&format!("{HOST}:5000")));
    }
}
