//! Pull secrets that explain what a kubelet says: `pull-secret-expired`, `pull-secret-missing`, `pull-secret-wrong`.
//!
//! A kubelet tries every login that fits an image, and that of its node as well. So a secret that cannot work breaks nothing by
//! itself; where a kubelet says that the registry did not let it in, and nothing else explains that, the secret does.

use crate::checks::{Cause, Leg};
use crate::model::kubernetes::{GET_SECRET, PullSecret};
use crate::pulls::{Words, World};

/// A secret that explains what a kubelet says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Proof {
    /// The cause.
    pub cause: &'static str,
    /// `NAMESPACE/NAME`.
    pub secret: String,
    /// What shows it.
    pub saw: String,
}

/// What the words say of the logins that the kubelet tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    /// It had none that fits.
    None,
    /// The registry let none of them in, or the words do not say.
    InVain,
}

/// What words say of logins; none where they are about something else.
pub(super) fn tried(cause: &Cause, candidates: &[&str], waits: bool) -> Option<Tried> {
    const OF_LOGINS: [Leg; 3] = [Leg::Credentials, Leg::EcrTokenPermission, Leg::PullPermission];
    if candidates.contains(&"pull-secret-missing") || candidates.contains(&"pull-secret-wrong") {
        return Some(Tried::None);
    }
    (waits || cause.leg.is_some_and(|leg| OF_LOGINS.contains(&leg))).then_some(Tried::InVain)
}

/// The secret of the pod that explains its words, where every secret of it was read and none of them could have worked.
pub(super) fn proof(world: &World<'_>, words: &Words, tried: Tried) -> Option<Proof> {
    let kubernetes = &world.snapshot.kubernetes;
    let pod = kubernetes.pods.get(&words.pod)?;
    let image = world.pulls_of(words).next()?.image;
    let (mut read, mut absent): (Vec<&PullSecret>, Option<String>) = (Vec::new(), None);
    for id in kubernetes.pull_secrets_of(pod) {
        match kubernetes.pull_secrets.get(&id) {
            Some(secret) => read.push(secret),
            None if world.snapshot.not_found.contains(&format!("{GET_SECRET} {id}")) => absent = Some(id),
            None => return None,
        }
    }
    let proof = |cause, secret: &PullSecret, saw| {
        let secret = format!("{}/{}", secret.namespace, secret.name);
        Some(Proof { cause, secret, saw })
    };
    let serving =
        || read.iter().flat_map(|secret| secret.serving(&image.name).map(move |login| (*secret, login)));
    if let Some((secret, login)) = serving().next() {
        let all_expired = serving().all(|(secret, login)| secret.has_expired(login));
        let expired = login.expires_at.as_deref().filter(|_| all_expired)?;
        let saw = format!("its token for {} expired at {expired}", login.host);
        return proof("pull-secret-expired", secret, saw);
    }
    // The kubelet had a login that fits after all: that of its node.
    if tried == Tried::InVain {
        return None;
    }
    let meant =
        |secret: &&&PullSecret| secret.registries.iter().flatten().any(|login| login.is_meant_for_ecr());
    if let Some(secret) = read.iter().find(meant) {
        let hosts: Vec<&str> = secret.registries.iter().flatten().map(|login| login.host.as_str()).collect();
        let registry = image.name.split('/').next().unwrap_or_default();
        let saw = format!("it is for {}, and not for {registry}", hosts.join(", "));
        return proof("pull-secret-wrong", secret, saw);
    }
    let secret = absent?;
    Some(Proof { cause: "pull-secret-missing", saw: "there is no such Secret".to_owned(), secret })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    use crate::diagnosis::{diagnosis, verdicts};
    use crate::judges::Options;
    use crate::model::kubernetes::{GET_SECRET, PullSecret, pull_secret_tests};
    use crate::pulls::tests::{APP, instance, list, node, pod, profiles, world};
    use crate::pulls::{Scope, World};

    const NOW: &str = "2026-11-23T12:00:00Z";

    /// A pod that waits with these words, and what was read of its secret `regcred`.
    fn check(message: &str, secret: Option<&Value>, expected: &Expect) {
        let spec = json!({ "nodeName": "ip-1", "imagePullSecrets": [{ "name": "regcred" }] });
        let waits = json!({ "waiting": { "reason": "ImagePullBackOff", "message": message } });
        let status = json!({ "containerStatuses": [{ "name": "app", "state": waits }] });
        let mut snapshot = world(&[
            json!({ "Reservations": [{ "Instances": [
                instance("i-1", "ng", json!({ "eks:nodegroup-name": "ng", "eks:cluster-name": "c" })),
            ] }] }),
            profiles(&["ng"]),
            list(&[node("ip-1", "i-1", json!({})), pod("shop/web", APP, spec, status)]),
        ]);
        match secret {
            Some(secret) => {
                let now = NOW.parse().unwrap();
                let read = PullSecret::from_answer("shop", "regcred", &secret.to_string(), now).unwrap();
                snapshot.put(read);
            }
            None => drop(snapshot.not_found.insert(format!("{GET_SECRET} shop/regcred"))),
        }
        let world = World::of(&snapshot, &Scope::default()).unwrap();
        let told = diagnosis(&world, &verdicts(&world, &Options::default()));
        assert!(!serde_json::to_string(&told).unwrap().contains("CANARY"));
        let mut text = String::new();
        for finding in &told.findings {
            text += &format!("{} on {}\n", finding.cause, finding.resource);
            text += &finding
                .evidence
                .iter()
                .map(|seen| format!("  {}: {}\n", seen.source, seen.saw))
                .collect::<String>();
        }
        expected.assert_eq(&text);
    }

    fn logins(host: &str, expiration: &str) -> Value {
        let expiration = expiration.parse::<jiff::Timestamp>().unwrap().as_second();
        let login = json!({ "username": "AWS", "password": pull_secret_tests::token(expiration) });
        pull_secret_tests::secret("regcred", &json!({ host: login }))
    }

    const FORBIDDEN: &str = "unexpected status from HEAD request: 403 Forbidden";
    const NONE: &str = "authorization failed: no basic auth credentials";

    fn failed(why: &str) -> String {
        format!("Failed to pull image \"{APP}\": rpc error: code = Unknown desc = {why}")
    }

    #[test]
    fn a_token_that_had_expired_explains_a_refusal() {
        let expired = logins(pull_secret_tests::HOST, "2026-11-23T03:00:00Z");
        check(
            &failed(FORBIDDEN),
            Some(&expired),
            &expect![[r#"
            pull-secret-expired on secret/shop/regcred
              kubernetes:GetSecret: shop/regcred: its token for 111122223333.dkr.ecr.eu-west-1.amazonaws.com expired at 2026-11-23T03:00:00Z
              kubernetes:ListPods: pod shop/web on ip-1: Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = unexpected status from HEAD request: 403 Forbidden
        "#]],
        );
        check(
            &format!("Back-off pulling image \"{APP}\""),
            Some(&expired),
            &expect![[r#"
            pull-secret-expired on secret/shop/regcred
              kubernetes:GetSecret: shop/regcred: its token for 111122223333.dkr.ecr.eu-west-1.amazonaws.com expired at 2026-11-23T03:00:00Z
              kubernetes:ListPods: pod shop/web on ip-1: Back-off pulling image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1"
        "#]],
        );
        // What a token has nothing to do with.
        check(&failed("dial tcp 52.1.2.3:443: i/o timeout"), Some(&expired), &expect![[""]]);
        // It is valid.
        check(
            &failed(FORBIDDEN),
            Some(&logins(pull_secret_tests::HOST, "2026-11-23T13:00:00Z")),
            &expect![[""]],
        );
    }

    #[test]
    fn a_secret_for_another_host_explains_that_there_were_no_credentials() {
        let other = logins("111122223333.dkr.ecr.us-east-1.amazonaws.com", "2026-11-23T13:00:00Z");
        check(
            &failed(NONE),
            Some(&other),
            &expect![[r#"
            pull-secret-wrong on secret/shop/regcred
              kubernetes:GetSecret: shop/regcred: it is for 111122223333.dkr.ecr.us-east-1.amazonaws.com, and not for 111122223333.dkr.ecr.eu-west-1.amazonaws.com
              kubernetes:ListPods: pod shop/web on ip-1: Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = authorization failed: no basic auth credentials
        "#]],
        );
        // Some login was sent: it was not this one.
        check(&failed(FORBIDDEN), Some(&other), &expect![[""]]);
        // For images of other registries.
        let hub = pull_secret_tests::secret("regcred", &json!({ "docker.io": { "username": "CANARY" } }));
        check(&failed(NONE), Some(&hub), &expect![[""]]);
        check(
            &failed(NONE),
            None,
            &expect![[r#"
            pull-secret-missing on secret/shop/regcred
              kubernetes:GetSecret: shop/regcred: there is no such Secret
              kubernetes:ListPods: pod shop/web on ip-1: Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1": rpc error: code = Unknown desc = authorization failed: no basic auth credentials
        "#]],
        );
    }
}
