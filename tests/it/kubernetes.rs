//! Kubernetes, read from an API that serves what kubectl understands: who gets in, what is read, and what never is.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::snapshots::without_keys;
use crate::support::{Case, KubernetesApi, Outcome};

/// What no output and no file may hold.
const CANARY: &str = "CANARY";

/// A healthy cluster with a Kubernetes API, and an operator who may ask it.
struct Cluster {
    case: Case,
    api: KubernetesApi,
}

impl Cluster {
    fn build(kind: &str, objects: impl Fn(&Case) -> Vec<Value>, more: &Value) -> Cluster {
        let mut case = Case::build(kind);
        let api = KubernetesApi::serve(&objects(&case), more);
        case.operator = case.operator.without("ECR_FIX_NO_KUBERNETES");
        Cluster { case, api }
    }

    /// With the kubeconfig of the API: its user has this token.
    fn diagnose(&self, arguments: &[&str]) -> Outcome {
        let kubeconfig = self.api.kubeconfig(&self.api.url, &json!({ "token": "reader" }));
        let role = self.account_role();
        let own = ["--kubeconfig", kubeconfig.to_str().unwrap(), "--account-role", &role];
        self.case.live("diagnose", &[own.as_slice(), arguments].concat())
    }

    fn account_role(&self) -> String {
        let scenario = &self.case.scenario;
        format!("{}={}", scenario.text("/registry_account"), scenario.text("/registry_role"))
    }
}

fn own_image(case: &Case) -> String {
    let images = case.scenario.document["images"].as_array().unwrap();
    let mut own = images.iter().map(|image| image.as_str().unwrap());
    own.find(|image| image.starts_with(case.scenario.account())).unwrap().to_owned()
}

/// The nodes of the scenario as Kubernetes knows them.
fn nodes(case: &Case) -> Vec<Value> {
    let instances = case.scenario.document.pointer("/cluster/instances").and_then(Value::as_array).unwrap();
    let node = |(number, id): (usize, &Value)| {
        json!({
            "kind": "Node", "apiVersion": "v1",
            "metadata": { "name": format!("node-{number}"), "labels": { "kubernetes.io/os": "linux" } },
            "spec": { "providerID": format!("aws:///eu-west-1a/{}", id.as_str().unwrap()) },
            "status": {},
        })
    };
    instances.iter().enumerate().map(node).collect()
}

fn pod(name: &str, image: &str, state: &Value) -> Value {
    json!({
        "kind": "Pod", "apiVersion": "v1",
        "metadata": {
            "name": name, "namespace": "shop", "uid": format!("uid-{name}"),
            "annotations": { "kubectl.kubernetes.io/last-applied-configuration": "CANARY-annotation" },
            "managedFields": [{ "manager": "CANARY-manager" }],
        },
        "spec": {
            "nodeName": "node-0", "serviceAccountName": "default",
            "containers": [{
                "name": "app", "image": image, "command": ["sh", "-c", "CANARY-command"],
                "env": [{ "name": "PASSWORD", "value": "CANARY-env" }],
            }],
            "volumes": [{ "name": "v", "projected": { "sources": "CANARY-volume" } }],
        },
        "status": {
            "phase": "Pending", "podIP": "10.0.0.1",
            "containerStatuses": [{ "name": "app", "image": image, "state": state }],
        },
    })
}

fn running() -> Value {
    json!({ "running": { "startedAt": "2026-11-23T10:00:00Z" } })
}

fn waiting(message: &str) -> Value {
    json!({ "waiting": { "reason": "ImagePullBackOff", "message": message } })
}

fn event(pod: &str, reason: &str, message: &str) -> Value {
    json!({
        "kind": "Event", "apiVersion": "v1", "type": "Warning", "reason": reason, "message": message,
        "metadata": { "name": format!("{pod}.1"), "namespace": "shop" },
        "involvedObject": {
            "kind": "Pod", "namespace": "shop", "name": pod, "uid": format!("uid-{pod}"),
            "fieldPath": "spec.containers{app}",
        },
        "source": { "component": "kubelet", "host": "node-0" },
        "lastTimestamp": "2026-11-23T11:00:00Z",
    })
}

fn healthy_objects(case: &Case) -> Vec<Value> {
    let mut objects = nodes(case);
    objects.push(pod("web", &own_image(case), &running()));
    objects.push(pod("proxy", "docker.io/library/nginx:1", &running()));
    objects
}

/// The pulls by image and source kind, without the stand-in of the add-ons.
fn pulls(diagnosis: &Value) -> Vec<String> {
    let paths = diagnosis["pull_paths"].as_array().unwrap().iter();
    let told = paths.map(|path| {
        let repository = path["image"].as_str().unwrap().split_once('/').unwrap().1.to_owned();
        format!(
            "{} <- {repository} {}",
            path["from"]["kind"].as_str().unwrap(),
            path["verdict"].as_str().unwrap()
        )
    });
    told.filter(|pull| !pull.contains("<- eks/")).collect()
}

fn unread(diagnosis: &Value) -> Vec<(String, String)> {
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    let rows = diagnosis["unread"].as_array().unwrap().iter();
    let rows = rows.filter(|row| row["source"].as_str().unwrap().starts_with("kubernetes:"));
    rows.map(|row| (text(row, "source"), text(row, "because"))).collect()
}

#[test]
fn pods_decide_what_is_judged_where() {
    let more = json!({ "token": "reader", "page": 1 });
    let cluster = Cluster::build("healthy", healthy_objects, &more);
    let diagnosis = cluster.diagnose(&[]).expect(0).json();
    assert_eq!(unread(&diagnosis), [], "{diagnosis:#}");
    assert_eq!(diagnosis["summary"]["verdict"], "healthy", "{diagnosis:#}");
    assert_eq!(diagnosis["summary"]["images_elsewhere"], 1);
    let pulls = pulls(&diagnosis);
    assert_eq!(pulls.len(), 1, "one pod runs one image of ours, on one node: {pulls:?}");
    assert!(pulls[0].starts_with("nodegroup <- ") && pulls[0].ends_with(" ok"), "{pulls:?}");
    let asked = cluster.api.asked();
    let pages = asked.iter().filter(|request| request["path"] == "/api/v1/pods").count();
    assert_eq!(pages, 2, "a page for each pod");
    assert!(asked.iter().all(|request| request["query"]["limit"] == "500"), "{asked:#?}");
}

/// Without a kubeconfig: the token that EKS knows the caller by, at the address that EKS gives, over TLS that its
/// authority signed.
#[test]
fn without_a_kubeconfig_a_token_of_our_own_gets_in() {
    let mut cluster = Cluster::build("healthy", healthy_objects, &json!({ "eks_token": true }));
    let aws = cluster.api.aws.clone();
    cluster.case.operator = cluster.case.operator.env("AWS_ENDPOINT_URL_EKS", &aws);
    let diagnosis = cluster.case.live("diagnose", &[]).expect(0).json();
    assert_eq!(unread(&diagnosis), [], "{diagnosis:#}");
    assert_eq!(pulls(&diagnosis).len(), 1, "{diagnosis:#}");
    let asked = cluster.api.asked();
    let authorization = asked[0]["authorization"].as_str().unwrap();
    let token = authorization.strip_prefix("Bearer k8s-aws-v1.").unwrap();
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let address = String::from_utf8(base64::Engine::decode(&engine, token).unwrap()).unwrap();
    let sts =
        format!("https://sts.{}.amazonaws.com/?Action=GetCallerIdentity", cluster.case.scenario.region());
    assert!(address.starts_with(&sts), "{address}");
    assert!(address.contains("X-Amz-Expires=60&") && address.contains("host%3Bx-k8s-aws-id"), "{address}");
    // Whoever is not let in has no more than without Kubernetes, and is told so.
    cluster.api.change(&healthy_objects(&cluster.case), &json!({ "token": "other" }));
    let diagnosis = cluster.case.live("diagnose", &[]).expect(0).json();
    let [(source, because)] = &unread(&diagnosis)[..] else { panic!("{diagnosis:#}") };
    assert_eq!(source, "kubernetes:pods");
    assert!(because.starts_with("Unauthorized"), "{because}");
}

/// The emulator's own answer names an endpoint that is none: nobody waits for it.
#[test]
fn an_endpoint_that_is_none_costs_no_time() {
    let cluster = Cluster::build("healthy", healthy_objects, &json!({}));
    let before = Instant::now();
    let diagnosis = cluster.case.live("diagnose", &[]).expect(0).json();
    assert!(before.elapsed() < Duration::from_secs(8), "{:?}", before.elapsed());
    let [(source, because)] = &unread(&diagnosis)[..] else { panic!("{diagnosis:#}") };
    assert_eq!((source.as_str(), because.is_empty()), ("kubernetes:pods", false));
    assert_eq!(diagnosis["summary"]["verdict"], "healthy", "as without Kubernetes: {diagnosis:#}");
    assert_eq!(cluster.api.asked().len(), 0);
}

#[test]
fn lists_that_hang_are_refused_or_never_end_are_unread() {
    let cluster = Cluster::build("healthy", healthy_objects, &json!({}));
    let check = |more: &Value, arguments: &[&str], source: &str, because: &str| {
        cluster.api.change(&healthy_objects(&cluster.case), more);
        let before = Instant::now();
        let diagnosis = cluster.diagnose(arguments).expect(0).json();
        assert!(before.elapsed() < Duration::from_secs(12), "{more}: {:?}", before.elapsed());
        let rows = unread(&diagnosis);
        assert_eq!(rows.len(), 1, "{more}: {rows:?}");
        assert!(rows[0].0 == source && rows[0].1.contains(because), "{more}: {rows:?}");
        assert_eq!(diagnosis["summary"]["verdict"], "inconclusive", "{more}");
    };
    check(&json!({ "refuse": { "nodes": 403 } }), &[], "kubernetes:ListNodes", "Forbidden");
    check(&json!({ "refuse": { "pods": 403 } }), &[], "kubernetes:ListPods", "Forbidden");
    check(&json!({ "loop": ["events"] }), &[], "kubernetes:ListEvents", "same page token");
    check(&json!({ "hang": ["pods"] }), &["--timeout", "8s"], "kubernetes:ListPods", "no answer");
}

#[test]
fn the_kubeconfig_of_another_cluster_is_not_mixed_in() {
    let cluster = Cluster::build("healthy", healthy_objects, &json!({}));
    let diagnose = |server: &str, user: &Value| {
        let kubeconfig = cluster.api.kubeconfig(server, user);
        cluster.case.live("diagnose", &["--kubeconfig", kubeconfig.to_str().unwrap()]).expect(0).json()
    };
    let rows = unread(&diagnose("https://other.example:443", &json!({})));
    assert_eq!(rows.len(), 6, "{rows:?}");
    assert!(rows.iter().all(|(_, because)| because.contains("https://other.example")), "{rows:?}");
    // A tunnel that leads to a cluster with other nodes.
    let mut foreign = healthy_objects(&cluster.case);
    for node in foreign.iter_mut().filter(|object| object["kind"] == "Node") {
        node["spec"]["providerID"] = "aws:///eu-west-1a/i-0123456789".into();
    }
    cluster.api.change(&foreign, &json!({}));
    let diagnosis = diagnose(&cluster.api.plain_url, &json!({}));
    assert!(
        unread(&diagnosis).iter().all(|(_, because)| because.contains("another cluster")),
        "{diagnosis:#}"
    );
    assert_eq!(pulls(&diagnosis).len(), 0);
    // A kubeconfig that cannot be used never ends the command, and is never quoted.
    let login = json!({ "exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "command": "sh",
        "args": ["-c", "echo CANARY-token; exit 3"], "env": [{ "name": "X", "value": "CANARY-login" }],
    }});
    let diagnosis = diagnose(&cluster.api.url, &login);
    assert!(unread(&diagnosis)[0].1.contains("login"), "{diagnosis:#}");
    assert!(!diagnosis.to_string().contains(CANARY), "{diagnosis:#}");
    let absent = cluster.case.live("diagnose", &["--kubeconfig", "absent"]).expect(0).json();
    assert!(unread(&absent)[0].1.contains("absent"), "{absent:#}");
}

const FORBIDDEN: &str = "unexpected status from HEAD request: 403 Forbidden";

fn failed(image: &str, because: &str) -> String {
    format!(
        "Failed to pull image \"{image}\": rpc error: code = Unknown desc = failed to pull and unpack image \
         \"{image}\": {because}"
    )
}

/// What a kubelet says is evidence where a finding explains it, and doubt where none does.
#[test]
fn kubelets_confirm_and_contradict() {
    let says = |because: &'static str| {
        move |case: &Case| {
            let (mut objects, image) = (nodes(case), own_image(case));
            objects.push(pod("web", &image, &waiting(&format!("Back-off pulling image \"{image}\""))));
            objects.push(event("web", "Failed", &failed(&image, because)));
            objects
        }
    };
    let broken =
        Cluster::build("node-role-no-ecr", says("failed to resolve reference: 401 Unauthorized"), &json!({}));
    let diagnosis = broken.diagnose(&[]).expect(0).json();
    let evidence = diagnosis["findings"][0]["evidence"].to_string();
    assert!(evidence.contains("kubernetes:ListEvents") && evidence.contains("shop/web"), "{diagnosis:#}");
    let plan = broken.case.live("plan", &[]).expect(0).json();
    assert_eq!(plan["proof"]["after"]["blocked"], 0, "{plan:#}");

    let healthy = Cluster::build("healthy", says(FORBIDDEN), &json!({}));
    let diagnosis = healthy.diagnose(&[]).expect(0).json();
    assert_eq!(diagnosis["summary"]["verdict"], "inconclusive", "{diagnosis:#}");
    assert_eq!(diagnosis["findings"], json!([]));
    let text = diagnosis["pull_paths"].to_string();
    assert!(text.contains("the kubelet says of pod shop/web on node-0"), "{diagnosis:#}");
    assert!(text.contains("kubectl describe pod -n shop web"), "{diagnosis:#}");

    healthy
        .api
        .change(&says("write /var/lib/containerd/x: no space left on device")(&healthy.case), &json!({}));
    let diagnosis = healthy.diagnose(&["--detailed-exitcode"]).expect(20).json();
    assert_eq!(diagnosis["findings"][0]["cause"], "node-disk-full", "{diagnosis:#}");
    assert_eq!(diagnosis["findings"][0]["resource"], "pod/shop/web");

    // It has worked since: an old event says nothing any more.
    let mut objects = says(FORBIDDEN)(&healthy.case);
    let image = own_image(&healthy.case);
    objects.retain(|object| object["kind"] != "Pod");
    objects.push(pod("web", &image, &running()));
    healthy.api.change(&objects, &json!({}));
    let diagnosis = healthy.diagnose(&[]).expect(0).json();
    assert_eq!(diagnosis["summary"]["verdict"], "healthy", "{diagnosis:#}");
}

fn canary_objects(case: &Case) -> Vec<Value> {
    let (mut objects, image) = (nodes(case), own_image(case));
    let layer = "https://prod-eu-west-1-starport-layer-bucket.s3.eu-west-1.amazonaws.com/a?X-Amz-Security-Token=\
                 CANARYtoken&X-Amz-Signature=CANARYsignature";
    objects.push(pod(
        "web",
        &image,
        &waiting(&format!("Get \"{layer}\": dial tcp 52.1.2.3:443: i/o timeout")),
    ));
    objects.push(event("web", "Failed", &failed(&image, &format!("Get \"{layer}\": dial tcp: i/o timeout"))));
    objects.push(json!({
        "kind": "ServiceAccount", "metadata": { "name": "default", "namespace": "shop" },
        "secrets": [{ "name": "CANARY-secret" }], "imagePullSecrets": [{ "name": "regcred" }],
    }));
    objects
}

fn assert_no_canary(what: &str, text: &str) {
    assert!(!text.contains(CANARY), "{what}: {text}");
}

#[test]
fn no_secret_of_the_cluster_comes_out() {
    let cluster = Cluster::build("healthy", canary_objects, &json!({ "token": "CANARY-bearer" }));
    let kubeconfig = cluster.api.kubeconfig(&cluster.api.url, &json!({ "token": "CANARY-bearer" }));
    let kubeconfig = kubeconfig.to_str().unwrap();
    let role = cluster.account_role();
    let arguments = ["--kubeconfig", kubeconfig, "--account-role", &role, "-vv"];
    cluster.case.live("snapshot", &[&arguments[..], &["--out", "saved"]].concat()).expect(0);
    let saved = cluster.case.operator.home().join("saved");
    for file in fs::read_dir(&saved).unwrap() {
        let file = file.unwrap().path();
        assert_no_canary(&file.display().to_string(), &fs::read_to_string(&file).unwrap());
    }
    let pods = fs::read_to_string(saved.join("Pods.json")).unwrap();
    assert!(pods.contains("i/o timeout") && pods.contains("\"PodList\""), "{pods}");
    for command in ["diagnose", "plan"] {
        let outcome = cluster.case.live(command, &arguments).expect(0);
        assert_no_canary(command, &outcome.to_string());
        assert!(outcome.stderr.contains("kubernetes:ListPods"), "{outcome}");
    }
    // And what was saved says the same.
    let live = cluster.case.live("diagnose", &arguments).expect(0).json();
    let offline = cluster.case.live("diagnose", &["--snapshot", "saved"]).expect(0).json();
    assert_eq!(offline, live);
}

/// A Secret as the API gives it: a token of ECR that expires then, and a password of another registry.
fn pull_secret(host: &str, expires: &str) -> Value {
    let engine = base64::engine::general_purpose::STANDARD;
    let encode = |text: String| base64::Engine::encode(&engine, text);
    let expiration = expires.parse::<jiff::Timestamp>().unwrap().as_second();
    let token = json!({ "payload": "CANARY-payload", "datakey": "CANARY-key", "expiration": expiration });
    let token = encode(token.to_string());
    let config = json!({ "auths": {
        host: { "auth": encode(format!("AWS:{token}")) },
        "ghcr.io": { "username": "CANARY-user", "password": "CANARY-password" },
    }});
    json!({
        "kind": "Secret", "apiVersion": "v1", "type": "kubernetes.io/dockerconfigjson",
        "metadata": { "name": "regcred", "namespace": "shop", "annotations": { "x": "CANARY-annotation" } },
        "data": { ".dockerconfigjson": encode(config.to_string()), "CANARY": "CANARY-data" },
    })
}

/// Only who asks for it has Secrets read: those that pods name, by their names, and never what is secret in them.
#[test]
fn pull_secrets_are_read_where_that_is_asked_for_and_stay_secret() {
    let objects = |host: fn(&str) -> String, expires: &'static str| {
        move |case: &Case| {
            let (mut objects, image) = (nodes(case), own_image(case));
            let mut web = pod("web", &image, &waiting(&failed(&image, FORBIDDEN)));
            web["spec"]["imagePullSecrets"] = json!([{ "name": "regcred" }]);
            objects.push(web);
            objects.push(pull_secret(&host(image.split('/').next().unwrap()), expires));
            objects
        }
    };
    let expired = objects(|host| host.to_owned(), "2020-01-01T00:00:00Z");
    let cluster = Cluster::build("healthy", expired, &json!({}));
    let asked_for_secrets = || {
        let asked = cluster.api.asked();
        asked.iter().filter(|request| request["path"].as_str().unwrap().contains("secrets")).count()
    };
    let without = cluster.diagnose(&["--detailed-exitcode"]).expect(11).json();
    assert_eq!(asked_for_secrets(), 0, "{without:#}");
    let outcome = cluster.diagnose(&["--read-pull-secrets", "--detailed-exitcode", "-vv"]).expect(20);
    assert_eq!(asked_for_secrets(), 1);
    assert_no_canary("diagnose", &outcome.to_string());
    let diagnosis = outcome.json();
    assert_eq!(diagnosis["findings"][0]["cause"], "pull-secret-expired", "{diagnosis:#}");
    assert_eq!(diagnosis["findings"][0]["resource"], "secret/shop/regcred");
    assert!(diagnosis.to_string().contains("expired at 2020-01-01T00:00:00Z"), "{diagnosis:#}");

    let kubeconfig = cluster.api.kubeconfig(&cluster.api.url, &json!({}));
    let role = cluster.account_role();
    let arguments =
        ["--kubeconfig", kubeconfig.to_str().unwrap(), "--account-role", &role, "--read-pull-secrets", "-vv"];
    let saved = cluster.case.live("snapshot", &[&arguments[..], &["--out", "saved"]].concat()).expect(0);
    assert_no_canary("snapshot", &saved.to_string());
    let mut files = 0;
    for file in fs::read_dir(cluster.case.operator.home().join("saved")).unwrap() {
        let file = file.unwrap().path();
        assert_no_canary(&file.display().to_string(), &fs::read_to_string(&file).unwrap());
        files += usize::from(file.file_name().is_some_and(|name| name == "PullSecrets.json"));
    }
    assert_eq!(files, 1);
    let offline = cluster.case.live("diagnose", &["--snapshot", "saved"]).expect(0).json();
    assert_eq!(offline, diagnosis);
    for command in ["plan", "apply"] {
        let outcome = cluster
            .case
            .live(command, &[&arguments[..], if command == "apply" { &["--yes"] } else { &[] }].concat());
        assert_no_canary(command, &outcome.to_string());
    }

    // A token that is valid explains nothing, and a read that is refused is said.
    cluster.api.change(&objects(|host| host.to_owned(), "2100-01-01T00:00:00Z")(&cluster.case), &json!({}));
    cluster.diagnose(&["--read-pull-secrets", "--detailed-exitcode"]).expect(11);
    cluster.api.change(&expired(&cluster.case), &json!({ "refuse": { "secrets": 403 } }));
    let refused = cluster.diagnose(&["--read-pull-secrets", "--detailed-exitcode"]).expect(11).json();
    let rows = unread(&refused);
    assert!(
        rows.iter()
            .any(|(source, because)| source == "kubernetes:GetSecret" && because.contains("Forbidden")),
        "{rows:?}"
    );
}

/// Kubelets wait before they try again: what they said before a plan was applied is no doubt about it.
#[test]
fn old_words_do_not_spoil_a_plan_that_was_applied() {
    let objects = |case: &Case| {
        let (mut objects, image) = (nodes(case), own_image(case));
        objects.push(pod("web", &image, &waiting(&failed(&image, "401 Unauthorized"))));
        objects
    };
    let cluster = Cluster::build("node-role-no-ecr", objects, &json!({}));
    let kubeconfig = cluster.api.kubeconfig(&cluster.api.url, &json!({}));
    let role = cluster.account_role();
    let arguments = ["--yes", "--kubeconfig", kubeconfig.to_str().unwrap(), "--account-role", &role];
    cluster.case.live("apply", &arguments).expect(0);
    assert_eq!(
        cluster.diagnose(&[]).expect(0).json()["summary"]["verdict"],
        "inconclusive",
        "the pod still waits"
    );
}

/// The script asks kubectl for what a diagnosis needs, and for nothing else.
#[test]
fn the_script_saves_the_same_with_kubectl() {
    if Command::new("kubectl").arg("version").arg("--client").output().is_err() {
        return;
    }
    let cluster = Cluster::build("healthy", canary_objects, &json!({ "token": "CANARY-bearer" }));
    let operator = &cluster.case.operator;
    let kubeconfig = cluster.api.kubeconfig(&cluster.api.url, &json!({ "token": "CANARY-bearer" }));
    let script = operator.home().join("snapshot.sh");
    fs::write(&script, operator.run(&["snapshot", "script"]).expect(0).stdout).unwrap();
    let output = Command::new("sh")
        .args([script.to_str().unwrap(), cluster.case.scenario.cluster(), "scripted"])
        .current_dir(operator.home())
        .env_clear()
        .envs(cluster.case.scenario.env())
        .env("AWS_MAX_ATTEMPTS", "1")
        .env("HOME", operator.home())
        .env("KUBECONFIG", &kubeconfig)
        .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", crate::support::emulator::python_home()))
        .output()
        .expect("sh runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !said.contains("kubernetes:"), "{said}");
    for file in fs::read_dir(operator.home().join("scripted")).unwrap() {
        let file = file.unwrap().path();
        assert_no_canary(&file.display().to_string(), &fs::read_to_string(&file).unwrap());
    }
    let scripted = cluster.case.live("diagnose", &["--snapshot", "scripted"]).expect(0).json();
    let live =
        cluster.case.live("diagnose", &["--kubeconfig", kubeconfig.to_str().unwrap()]).expect(0).json();
    assert_eq!(scripted, without_keys(live), "{said}");
}

/// The stand-in is one that kubectl takes for an API.
#[test]
fn kubectl_reads_the_stand_in() {
    if Command::new("kubectl").arg("version").arg("--client").output().is_err() {
        return;
    }
    let cluster = Cluster::build("healthy", healthy_objects, &json!({ "token": "reader", "page": 1 }));
    let kubeconfig = cluster.api.kubeconfig(&cluster.api.url, &json!({ "token": "reader" }));
    let output = kubectl(&cluster, &kubeconfig, &["get", "pods", "-A", "-o", "json"]);
    let list: Value = serde_json::from_str(&output).unwrap();
    assert_eq!(list["items"].as_array().unwrap().len(), 2, "{list:#}");
    // What kubectl prints is a snapshot.
    let dir = cluster.case.operator.home().join("by-hand");
    cluster.case.live("snapshot", &["--out", "by-hand", "--no-kubernetes"]).expect(0);
    fs::write(dir.join("my-pods.json"), output).unwrap();
    fs::write(dir.join("my-nodes.json"), kubectl(&cluster, &kubeconfig, &["get", "nodes", "-o", "json"]))
        .unwrap();
    let diagnosis = cluster.case.live("diagnose", &["--snapshot", "by-hand"]).expect(0).json();
    assert_eq!(pulls(&diagnosis).len(), 1, "{diagnosis:#}");
}

fn kubectl(cluster: &Cluster, kubeconfig: &Path, arguments: &[&str]) -> String {
    let output = Command::new("kubectl")
        .args(["--cache-dir", cluster.case.operator.home().to_str().unwrap()])
        .args(arguments)
        .env("KUBECONFIG", kubeconfig)
        .output()
        .expect("kubectl runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
