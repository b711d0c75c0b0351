//! The stand-in for a Kubernetes API.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::emulator::{emulator, script};

/// A running API. It ends with its standard input.
pub(crate) struct KubernetesApi {
    /// `https://127.0.0.1:PORT`.
    pub(crate) url: String,
    /// The same without TLS.
    pub(crate) plain_url: String,
    /// EKS with this API as that of every cluster.
    pub(crate) aws: String,
    authority: String,
    home: TempDir,
    _server: Child,
}

impl KubernetesApi {
    /// Serves these objects; `more` says what goes wrong, as `kubernetes_api.py` explains.
    pub(crate) fn serve(objects: &[Value], more: &Value) -> KubernetesApi {
        let home = tempfile::tempdir().expect("a temporary directory");
        let world = home.path().join("world.json");
        fs::write(&world, document(objects, more)).expect("a world");
        let mut server = script("kubernetes_api.py")
            .arg(&world)
            .args(["--aws", &emulator().url()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python runs");
        let mut line = String::new();
        BufReader::new(server.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        let said: Value = serde_json::from_str(&line).expect("what kubernetes_api.py prints");
        let text = |key: &str| said[key].as_str().expect("a text").to_owned();
        KubernetesApi {
            url: text("url"),
            plain_url: text("plain_url"),
            aws: text("aws"),
            authority: text("ca"),
            home,
            _server: server,
        }
    }

    /// Serves something else from now on.
    pub(crate) fn change(&self, objects: &[Value], more: &Value) {
        fs::write(self.home.path().join("world.json"), document(objects, more)).expect("a world");
    }

    /// The requests so far: `path`, `query`, `authorization`.
    pub(crate) fn asked(&self) -> Vec<Value> {
        let text =
            fs::read_to_string(self.home.path().join("world.asked")).unwrap_or_else(|_| "[]".to_owned());
        serde_json::from_str(&text).expect("a list")
    }

    /// A kubeconfig whose current context is at `server`, with this user.
    pub(crate) fn kubeconfig(&self, server: &str, user: &Value) -> PathBuf {
        let path = self.home.path().join("kubeconfig");
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "here",
            "contexts": [{ "name": "here", "context": { "cluster": "here", "user": "me" } }],
            "clusters": [{ "name": "here", "cluster": { "server": server, "certificate-authority": self.authority } }],
            "users": [{ "name": "me", "user": user }],
        });
        fs::write(&path, config.to_string()).expect("a kubeconfig");
        path
    }
}

fn document(objects: &[Value], more: &Value) -> String {
    let mut world = json!({ "objects": objects });
    for (key, value) in more.as_object().expect("an object") {
        world[key] = value.clone();
    }
    world.to_string()
}
