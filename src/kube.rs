//! Reads the Kubernetes API of a cluster: the only file that names a type of a Kubernetes client. It only lists, and
//! gets pull secrets by their names where that was asked for.

use std::collections::BTreeSet;
use std::future::Future;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use base64::Engine as _;
use jiff::Timestamp;
use kube::client::Client;
use kube::config::{Config, ExecInteractiveMode, KubeConfigOptions, Kubeconfig, KubeconfigError};
use serde_json::value::RawValue;
use tokio::time::timeout;

use crate::aws::Calls;
use crate::json_text::Fields;
use crate::model::eks::Cluster;
use crate::model::kubernetes::{KINDS, Kind, Kubernetes, PullSecret, read_list};
use crate::model::snapshot::read_key;

/// How long to wait for a connection.
const CONNECT: Duration = Duration::from_secs(4);

/// How long to wait for one page of a list.
const PAGE: Duration = Duration::from_secs(15);

/// How many objects a page has.
const PAGE_SIZE: usize = 500;

/// The longest explanation of the API that is passed on, in characters.
const LONGEST_REASON: usize = 200;

/// How to get into the Kubernetes API, as the user says.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Instead of `KUBECONFIG`.
    pub kubeconfig: Option<PathBuf>,
    /// Instead of the current one.
    pub context: Option<String>,
    /// Do not ask at all.
    pub off: bool,
    /// Whether the pull secrets that pods name are read, too.
    pub pull_secrets: bool,
    /// How long all lists may take together.
    pub limit: Duration,
}

/// What became of asking.
#[derive(Debug, Default)]
pub struct Answers {
    /// All that was read.
    pub kubernetes: Kubernetes,
    /// The kinds that were read to their end, or that the cluster does not know.
    pub read: Vec<&'static Kind>,
    /// The kinds that were not, and why.
    pub refused: Vec<(&'static Kind, String)>,
    /// What became of each pull secret, by `NAMESPACE/NAME`; none where they were not asked for.
    pub pull_secrets: Option<Vec<(String, Result<(), Lost>)>>,
    /// Why nobody got in at all.
    pub closed: Option<String>,
    /// Whether the server is known to be that of the cluster. If not, what it says must be compared with EC2.
    pub is_the_cluster: bool,
}

/// Why a pull secret was not read.
#[derive(Debug, PartialEq, Eq)]
pub enum Lost {
    /// There is none.
    NotFound,
    /// Nobody could look.
    Refused(String),
}

impl Access {
    /// Whether the user, and not the cluster, says where the API is.
    fn is_chosen(&self) -> bool {
        let in_environment = std::env::var_os("KUBECONFIG").is_some_and(|paths| !paths.is_empty());
        self.kubeconfig.is_some() || self.context.is_some() || in_environment
    }

    /// Lists everything: with the kubeconfig that was chosen, or else with a token of our own. Nothing that happens
    /// here is an error.
    pub async fn read(
        &self,
        cluster: &Cluster,
        token: impl Future<Output = Result<String, String>>,
        calls: &Calls,
    ) -> Answers {
        let end = Instant::now() + self.limit;
        let entered = timeout(self.limit, async {
            if self.is_chosen() { self.chosen(cluster).await } else { minted(cluster, token).await }
        });
        let (client, is_the_cluster) = match entered.await {
            Ok(Ok(entered)) => entered,
            Ok(Err(because)) => return self.closed(because),
            Err(_) => return self.closed("no login in time".to_owned()),
        };
        let mut answers = lists(&client, calls, end).await;
        if self.pull_secrets {
            let names = answers.kubernetes.pull_secrets_named();
            answers.pull_secrets =
                Some(pull_secrets(&client, calls, end, names, &mut answers.kubernetes).await);
        }
        answers.is_the_cluster = is_the_cluster;
        if answers.read.is_empty() && !self.is_chosen() {
            // Our own attempt to get in, which nobody asked for, did not work.
            let because = answers.refused.first().map(|(_, because)| because.clone());
            return self.closed(because.unwrap_or_default());
        }
        answers
    }

    /// Nobody got in: for somebody who chose a kubeconfig, each list that is missing.
    fn closed(&self, because: String) -> Answers {
        let mut answers = Answers::default();
        if self.is_chosen() {
            answers.refused = KINDS.iter().map(|kind| (kind, because.clone())).collect();
        } else {
            answers.closed = Some(because);
        }
        answers
    }

    /// The context that was named, the current one, or the one of this cluster.
    async fn chosen(&self, cluster: &Cluster) -> Result<(Client, bool), String> {
        let path = self.kubeconfig.clone();
        let read = move || match path {
            Some(path) => Kubeconfig::read_from(path),
            None => Kubeconfig::read(),
        };
        let read = tokio::task::spawn_blocking(read).await.map_err(|error| error.to_string())?;
        let kubeconfig = read.map_err(|error| without_secrets(&error))?;
        let contexts = self.contexts(&kubeconfig);
        let mut other = None;
        for context in &contexts {
            let options =
                KubeConfigOptions { context: Some(context.clone()), ..KubeConfigOptions::default() };
            let config = match Config::from_custom_kubeconfig(kubeconfig.clone(), &options).await {
                Ok(config) => config,
                Err(error) if contexts.len() == 1 => return Err(without_secrets(&error)),
                Err(_) => continue,
            };
            match identity(&config, cluster) {
                Identity::Other => drop(other.get_or_insert_with(|| config.cluster_url.to_string())),
                known => return Ok((client(config).await?, known == Identity::Same)),
            }
        }
        match (other, &self.context) {
            (None, _) => Err("the kubeconfig has no context".to_owned()),
            (Some(other), Some(context)) => Err(format!(
                "context {context} is of another cluster: its server is {other}, that of {} is {}",
                cluster.name,
                cluster.endpoint.as_deref().unwrap_or_default()
            )),
            (Some(other), None) => Err(format!(
                "no context of the kubeconfig is of this cluster: the server of the current one is {other}, that of \
                 {} is {}",
                cluster.name,
                cluster.endpoint.as_deref().unwrap_or_default()
            )),
        }
    }

    /// The names of the contexts to try, in order.
    fn contexts(&self, kubeconfig: &Kubeconfig) -> Vec<String> {
        if let Some(context) = &self.context {
            return vec![context.clone()];
        }
        let all = kubeconfig.contexts.iter().map(|context| &context.name);
        let mut seen = BTreeSet::new();
        kubeconfig.current_context.iter().chain(all).filter(|name| seen.insert(*name)).cloned().collect()
    }
}

/// Whether a server is that of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Identity {
    /// By its address, or by who signs its certificates.
    Same,
    /// It has another address.
    Other,
    /// It is at the end of a tunnel, which may lead anywhere.
    Tunnel,
}

fn identity(config: &Config, cluster: &Cluster) -> Identity {
    let Some(endpoint) = cluster.endpoint.as_deref().and_then(|at| at.parse::<http::Uri>().ok()) else {
        return Identity::Tunnel;
    };
    let port =
        |at: &http::Uri| at.port_u16().unwrap_or(if at.scheme_str() == Some("http") { 80 } else { 443 });
    let host = |at: &http::Uri| at.host().unwrap_or_default().to_ascii_lowercase();
    let (server, wanted) = (&config.cluster_url, host(&endpoint));
    let same_host = host(server) == wanted && port(server) == port(&endpoint);
    let for_host = config.tls_server_name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(&wanted));
    let authority = authority_of(cluster).ok();
    let same_authority = authority.is_some() && authority == config.root_cert;
    // An unverified certificate says nothing about who signed it.
    if same_host || ((for_host || same_authority) && !config.accept_invalid_certs) {
        return Identity::Same;
    }
    let is_local = |host: &str| {
        host == "localhost"
            || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|at| at.is_loopback())
    };
    if is_local(&host(server)) { Identity::Tunnel } else { Identity::Other }
}

/// With a token of our own, as `aws eks get-token` makes it, at the address that EKS gives.
async fn minted(
    cluster: &Cluster,
    token: impl Future<Output = Result<String, String>>,
) -> Result<(Client, bool), String> {
    let endpoint = cluster.endpoint.as_deref().ok_or("the cluster has no endpoint yet")?;
    let url: http::Uri = endpoint.parse().map_err(|_| format!("{endpoint} is not an address"))?;
    if url.scheme_str() != Some("https") {
        return Err(format!("{endpoint} is not https: no token goes there"));
    }
    let mut config = Config::new(url);
    config.root_cert = Some(authority_of(cluster)?);
    config.auth_info.token = Some(token.await?.into());
    Ok((client(config).await?, true))
}

/// The certificates that sign those of the cluster, as DER.
fn authority_of(cluster: &Cluster) -> Result<Vec<Vec<u8>>, String> {
    let unclear = || "the certificate authority of the cluster cannot be read".to_owned();
    let data = cluster.certificate_authority.as_ref().and_then(|authority| authority.data.as_deref());
    let engine = base64::engine::general_purpose::STANDARD;
    let pem = engine.decode(data.ok_or_else(unclear)?.trim()).map_err(|_| unclear())?;
    let pem = String::from_utf8(pem).map_err(|_| unclear())?;
    let blocks = pem.split("-----BEGIN CERTIFICATE-----").skip(1);
    let certificates: Option<Vec<Vec<u8>>> = blocks
        .map(|block| {
            let body: String = block.split("-----END").next()?.split_whitespace().collect();
            engine.decode(body).ok()
        })
        .collect();
    certificates.filter(|certificates| !certificates.is_empty()).ok_or_else(unclear)
}

/// A login command of a kubeconfig runs here: it may take its time, but it gets nothing to read.
async fn client(mut config: Config) -> Result<Client, String> {
    config.connect_timeout = Some(CONNECT);
    config.read_timeout = Some(PAGE);
    config.default_retry = false;
    if let Some(exec) = &mut config.auth_info.exec {
        exec.interactive_mode = Some(ExecInteractiveMode::Never);
    }
    let made = tokio::task::spawn_blocking(|| Client::try_from(config));
    made.await.map_err(|error| error.to_string())?.map_err(|error| because(&error))
}

/// Every list at once; what is not done by the end is refused.
async fn lists(client: &Client, calls: &Calls, end: Instant) -> Answers {
    let mut reads = tokio::task::JoinSet::new();
    for kind in KINDS {
        let (client, calls) = (client.clone(), calls.clone());
        reads.spawn(async move {
            let left = end.saturating_duration_since(Instant::now());
            let read = timeout(left, list(&client, &calls, kind)).await;
            (kind.call, read.unwrap_or_else(|_| Err("no answer in time".to_owned())))
        });
    }
    let mut results = reads.join_all().await;
    results.sort_by_key(|(call, _)| *call);
    let mut answers = Answers::default();
    for kind in KINDS {
        let Some(at) = results.iter().position(|(call, _)| *call == kind.call) else { continue };
        match results.swap_remove(at).1 {
            Ok(part) => {
                answers.kubernetes.absorb(part);
                answers.read.push(kind);
            }
            Err(because) => answers.refused.push((kind, because)),
        }
    }
    answers
}

/// One list, page by page, to its end. Half a list is none: what is missing would look absent.
async fn list(client: &Client, calls: &Calls, kind: &'static Kind) -> Result<Kubernetes, String> {
    let mut all = Kubernetes::default();
    let mut tokens = BTreeSet::new();
    let mut token = String::new();
    loop {
        let sent = Instant::now();
        let page = timeout(PAGE, client.request_text(request(kind, &token)?)).await;
        calls.add("kubernetes", kind.call.trim_start_matches("kubernetes:"), sent.elapsed());
        let text = match page {
            Err(_) => return Err(format!("no answer within {} s", PAGE.as_secs())),
            // The cluster knows no such kind, so there is none of it.
            Ok(Err(kube::Error::Api(status))) if status.code == 404 && kind.is_custom() => return Ok(all),
            Ok(Err(error)) => return Err(because(&error)),
            Ok(Ok(text)) => text,
        };
        token = take_page(&mut all, kind, &text)?;
        if token.is_empty() {
            return Ok(all);
        }
        if !tokens.insert(token.clone()) {
            return Err("the same page token came twice".to_owned());
        }
    }
}

/// Each by its name, some at once: nobody lists Secrets.
async fn pull_secrets(
    client: &Client,
    calls: &Calls,
    end: Instant,
    names: BTreeSet<String>,
    into: &mut Kubernetes,
) -> Vec<(String, Result<(), Lost>)> {
    const AT_ONCE: usize = 16;
    let names: Vec<String> = names.into_iter().collect();
    let mut told = Vec::new();
    for some in names.chunks(AT_ONCE) {
        let mut reads = tokio::task::JoinSet::new();
        for id in some.iter().cloned() {
            let (client, calls) = (client.clone(), calls.clone());
            reads.spawn(async move {
                let left = end.saturating_duration_since(Instant::now()).min(PAGE);
                let read = timeout(left, pull_secret(&client, &calls, &id)).await;
                (id, read.unwrap_or_else(|_| Err(Lost::Refused("no answer in time".to_owned()))))
            });
        }
        for (id, read) in reads.join_all().await {
            told.push((id.clone(), read.map(|secret| drop(into.pull_secrets.insert(id, secret)))));
        }
    }
    told.sort_by(|(one, _), (other, _)| one.cmp(other));
    told
}

/// The text of the answer lives no longer than this function.
async fn pull_secret(client: &Client, calls: &Calls, id: &str) -> Result<PullSecret, Lost> {
    let (namespace, name) = id.split_once('/').unwrap_or(("default", id));
    let address = format!("/api/v1/namespaces/{}/secrets/{}", encoded(namespace), encoded(name));
    let request = http::Request::get(address).body(Vec::new());
    let request = request.map_err(|error| Lost::Refused(error.to_string()))?;
    let sent = Instant::now();
    let answer = client.request_text(request).await;
    calls.add("kubernetes", "GetSecret", sent.elapsed());
    match answer {
        Ok(text) => PullSecret::from_answer(namespace, name, &text, Timestamp::now()).map_err(Lost::Refused),
        Err(kube::Error::Api(status)) if status.code == 404 => Err(Lost::NotFound),
        Err(error) => Err(Lost::Refused(because(&error))),
    }
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn request(kind: &Kind, token: &str) -> Result<http::Request<Vec<u8>>, String> {
    let mut address = format!("{}?limit={PAGE_SIZE}", kind.path);
    for (name, value) in [("fieldSelector", kind.field_selector), ("continue", token)] {
        if !value.is_empty() {
            address += &format!("&{name}={}", encoded(value));
        }
    }
    http::Request::get(address).body(Vec::new()).map_err(|error| error.to_string())
}

/// Takes the objects of a page over, and gives the token of the next one.
fn take_page(all: &mut Kubernetes, kind: &Kind, text: &str) -> Result<String, String> {
    let unclear = |why: &dyn std::fmt::Display| format!("the answer cannot be understood: {why}");
    let top: Fields<'_> = serde_json::from_str(text).map_err(|_| unclear(&"it is not JSON"))?;
    let items: &RawValue = top.get("items").ok_or_else(|| unclear(&"it is no list"))?;
    read_list(all, items, Some(kind))
        .map_err(|wrong| unclear(&format!("items{}: {}", wrong.pointer, wrong.expected)))?;
    let metadata: serde_json::Value = read_key(&top, "metadata").map_err(|wrong| unclear(&wrong.expected))?;
    Ok(metadata.get("continue").and_then(|token| token.as_str()).unwrap_or_default().to_owned())
}

/// What went wrong, without what a login command printed: that may be a token.
fn because(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => {
            let reason = if status.reason.is_empty() {
                format!("status {}", status.code)
            } else {
                status.reason.clone()
            };
            let message: String = status.message.chars().take(LONGEST_REASON).collect();
            if message.is_empty() { reason } else { format!("{reason}: {message}") }
        }
        kube::Error::Auth(_) => {
            "the login of the kubeconfig failed: see what `kubectl get pods` says".to_owned()
        }
        kube::Error::RustlsTls(error) => format!("the certificates cannot be used: {error}"),
        error => {
            // The innermost cause says most: "connection refused", "deadline has elapsed".
            let mut inner: &dyn std::error::Error = error;
            while let Some(source) = inner.source() {
                inner = source;
            }
            format!("no answer: {}", inner.to_string().chars().take(LONGEST_REASON).collect::<String>())
        }
    }
}

/// What is wrong with a kubeconfig, without quoting it: it may hold tokens.
fn without_secrets(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::ReadConfig(error, path) => {
            format!("the kubeconfig {} cannot be read: {error}", path.display())
        }
        KubeconfigError::CurrentContextNotSet => "the kubeconfig names no current context".to_owned(),
        KubeconfigError::LoadContext(context) => format!("the kubeconfig has no context {context}"),
        KubeconfigError::LoadClusterOfContext(cluster) => format!("the kubeconfig has no cluster {cluster}"),
        KubeconfigError::FindPath => "there is no kubeconfig".to_owned(),
        _ => "the kubeconfig cannot be understood: see what `kubectl config view` says".to_owned(),
    }
}
