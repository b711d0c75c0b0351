//! The token by which EKS knows a caller: a signed request to STS, which the cluster sends to ask who signed it.
//!
//! Source: kubernetes-sigs/aws-iam-authenticator, "API Authorization from Outside a Cluster"; AWS Signature Version 4,
//! "Authenticating requests: using query parameters".

use std::time::SystemTime;

use aws_sdk_sts::config::{Credentials, ProvideCredentials};
use base64::Engine as _;
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};

use super::{Reader, Refused};
use crate::model::Partition;

/// How long a token is good, in seconds: as long as `aws eks get-token` lets it be.
const SECONDS: u32 = 60;

/// What needs no escape in a query, by RFC 3986.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl Reader {
    /// A token for the Kubernetes API of a cluster. No request is sent, except where the credentials need one.
    ///
    /// # Errors
    /// There are no credentials.
    pub async fn kubernetes_token(&self, cluster: &str) -> Result<String, Refused> {
        const CALL: &str = "sts:GetCallerIdentity";
        let provider = self.accounts.config.credentials_provider();
        let provider = provider.ok_or_else(|| Refused::never_sent(CALL, "there are no credentials"))?;
        let credentials = provider.provide_credentials().await;
        let credentials = credentials.map_err(|_| Refused::never_sent(CALL, "no usable credentials"))?;
        let now = Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH);
        Ok(token(cluster, &self.region, &credentials, now))
    }
}

/// `k8s-aws-v1.` and the signed address.
fn token(cluster: &str, region: &str, credentials: &Credentials, now: Timestamp) -> String {
    let address = signed(cluster, region, credentials, now);
    format!("k8s-aws-v1.{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(address))
}

/// The address of `GetCallerIdentity`, signed for one cluster: the name of the cluster is a header that must come with it.
fn signed(cluster: &str, region: &str, credentials: &Credentials, now: Timestamp) -> String {
    let escaped = |text: &str| utf8_percent_encode(text, ESCAPED).to_string();
    let host = format!("sts.{region}.{}", Partition::of_region(region).dns_suffix);
    let (time, day) = (now.strftime("%Y%m%dT%H%M%SZ").to_string(), now.strftime("%Y%m%d").to_string());
    let scope = format!("{day}/{region}/sts/aws4_request");
    let mut query = vec![
        ("Action", "GetCallerIdentity".to_owned()),
        ("Version", "2011-06-15".to_owned()),
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256".to_owned()),
        ("X-Amz-Credential", format!("{}/{scope}", credentials.access_key_id())),
        ("X-Amz-Date", time.clone()),
        ("X-Amz-Expires", SECONDS.to_string()),
    ];
    // The order of the names: the signature is over sorted parameters.
    query.extend(credentials.session_token().map(|token| ("X-Amz-Security-Token", token.to_owned())));
    query.push(("X-Amz-SignedHeaders", "host;x-k8s-aws-id".to_owned()));
    let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    let query = query.join("&");
    let canonical = format!(
        "GET\n/\n{query}\nhost:{host}\nx-k8s-aws-id:{cluster}\n\nhost;x-k8s-aws-id\n{}",
        hex(&Sha256::digest(b""))
    );
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
    let secret = format!("AWS4{}", credentials.secret_access_key());
    let parts = [day.as_str(), region, "sts", "aws4_request", to_sign.as_str()];
    let signature = parts.iter().fold(secret.into_bytes(), |key, part| hmac(&key, part.as_bytes()).to_vec());
    format!("https://{host}/?{query}&X-Amz-Signature={}", hex(&signature))
}

/// HMAC-SHA256, RFC 2104.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    const BLOCK: usize = 64;
    let mut block = if key.len() > BLOCK { Sha256::digest(key).to_vec() } else { key.to_vec() };
    block.resize(BLOCK, 0);
    let padded = |with: u8| -> Vec<u8> { block.iter().map(|byte| byte ^ with).collect() };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test cases 2 and 6.
    #[test]
    fn hmac_is_that_of_the_standard() {
        assert_eq!(
            hex(&hmac(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hex(&hmac(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    /// As botocore 1.43 signs the same request at the same time.
    #[test]
    fn the_signature_is_that_of_botocore() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let of = |token: Option<&str>, region: &str| {
            let credentials = Credentials::new(
                "AKIDEXAMPLE",
                "wJalrXUtnFEMI/K7MDENG",
                token.map(str::to_owned),
                None,
                "test",
            );
            signed("prod", region, &credentials, now)
        };
        assert_eq!(
            of(None, "eu-west-1"),
            "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15\
             &X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential=AKIDEXAMPLE%2F20261123%2Feu-west-1%2Fsts%2Faws4_request\
             &X-Amz-Date=20261123T120000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id\
             &X-Amz-Signature=b446417930976c71beb2ecc31973a7a58cbe57eebd1014cde60613c5324e6ae4"
        );
        let of_session = of(Some("session/+="), "cn-north-1");
        assert!(of_session.starts_with("https://sts.cn-north-1.amazonaws.com.cn/?"), "{of_session}");
        let signature = "6af72802e88e6aee42d819ea72aef062bfc2c46c23b8d969bc0f1c804d415761";
        assert!(of_session.ends_with(signature), "{of_session}");
    }
}
