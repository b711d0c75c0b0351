//! Reads and writes objects and lists of Kubernetes: `kubectl get … -o json`, and the answers of the API.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Event, Kubernetes, Node, NodeClass, Pod, ServiceAccount};
use crate::json_text::Fields;
use crate::model::Snapshot;
use crate::model::snapshot::{Misshapen, parse, parse_text, pretty, read_key};

/// A kind of object that is read.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// `Pod`.
    pub kind: &'static str,
    /// `v1`.
    pub api_version: &'static str,
    /// The path of the API that lists all of them.
    pub path: &'static str,
    /// Narrows the list on the server.
    pub field_selector: &'static str,
    /// The key of a snapshot that says that they were read, and the name of their file.
    pub key: &'static str,
    /// `kubernetes:ListPods`: how a read of them is named.
    pub call: &'static str,
    read: fn(&mut Kubernetes, &str) -> Result<(), Misshapen>,
    rows: fn(&Kubernetes) -> Vec<Value>,
}

impl Kind {
    /// Whether only some clusters know it.
    pub fn is_custom(&self) -> bool {
        self.path.starts_with("/apis/")
    }
}

/// Every kind, in the order in which they are read.
pub const KINDS: &[Kind] = &[
    Kind {
        kind: "Pod",
        api_version: "v1",
        path: "/api/v1/pods",
        field_selector: "",
        key: "Pods",
        call: "kubernetes:ListPods",
        read: |into, item| read(item, |pod: Pod| into.pods.insert(pod.metadata.id(), pod)),
        rows: |of| rows("Pod", "v1", &of.pods),
    },
    Kind {
        kind: "Node",
        api_version: "v1",
        path: "/api/v1/nodes",
        field_selector: "",
        key: "Nodes",
        call: "kubernetes:ListNodes",
        read: |into, item| read(item, |node: Node| into.nodes.insert(node.metadata.id(), node)),
        rows: |of| rows("Node", "v1", &of.nodes),
    },
    Kind {
        kind: "Event",
        api_version: "v1",
        path: "/api/v1/events",
        field_selector: "involvedObject.kind=Pod,type!=Normal",
        key: "Events",
        call: "kubernetes:ListEvents",
        read: |into, item| {
            read(item, |event: Event| {
                event.is_about_pulls().then(|| into.events.insert(event.metadata.id(), event));
            })
        },
        rows: |of| rows("Event", "v1", &of.events),
    },
    Kind {
        kind: "ServiceAccount",
        api_version: "v1",
        path: "/api/v1/serviceaccounts",
        field_selector: "",
        key: "ServiceAccounts",
        call: "kubernetes:ListServiceAccounts",
        read: |into, item| {
            read(item, |account: ServiceAccount| {
                into.service_accounts.insert(account.metadata.common.id(), account)
            })
        },
        rows: |of| rows("ServiceAccount", "v1", &of.service_accounts),
    },
    Kind {
        kind: "EC2NodeClass",
        api_version: "karpenter.k8s.aws/v1",
        path: "/apis/karpenter.k8s.aws/v1/ec2nodeclasses",
        field_selector: "",
        key: "EC2NodeClasses",
        call: "kubernetes:ListEC2NodeClasses",
        read: |into, item| {
            read(item, |class: NodeClass| into.ec2_node_classes.insert(class.metadata.id(), class))
        },
        rows: |of| rows("EC2NodeClass", "karpenter.k8s.aws/v1", &of.ec2_node_classes),
    },
    Kind {
        kind: "NodeClass",
        api_version: "eks.amazonaws.com/v1",
        path: "/apis/eks.amazonaws.com/v1/nodeclasses",
        field_selector: "",
        key: "NodeClasses",
        call: "kubernetes:ListNodeClasses",
        read: |into, item| {
            read(item, |class: NodeClass| into.node_classes.insert(class.metadata.id(), class))
        },
        rows: |of| rows("NodeClass", "eks.amazonaws.com/v1", &of.node_classes),
    },
];

/// The kind with this name.
pub fn kind_of(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.kind == name)
}

/// Whether a file holds an object or a list of Kubernetes: those alone have both keys.
pub fn is_kubernetes(top: &Fields<'_>) -> bool {
    let text = |key: &str| top.get(key).is_some_and(|value| value.get().starts_with('"'));
    text("kind") && text("apiVersion")
}

/// Reads a file that holds an object or a list. Says whether there was something in it for us.
///
/// # Errors
/// An object of a kind that is read has another shape; pointers start at the top level.
pub fn read_file(
    snapshot: &mut Snapshot,
    text: &str,
    top: &Fields<'_>,
    file: &Path,
) -> Result<bool, Misshapen> {
    let name: String = read_key(top, "kind")?;
    let Some(items) = top.get("items") else {
        return Ok(match kind_of(&name) {
            Some(kind) => {
                (kind.read)(Arc::make_mut(&mut snapshot.kubernetes), text)?;
                snapshot.keys.insert(kind.key.to_owned());
                true
            }
            None => false,
        });
    };
    let of_list = name.strip_suffix("List").and_then(kind_of);
    let mut kinds = read_list(Arc::make_mut(&mut snapshot.kubernetes), items, of_list)
        .map_err(|wrong| Misshapen { pointer: format!("/items{}", wrong.pointer), ..wrong })?;
    // A list of nothing says of what only where kubectl was asked for one kind, and its file is named after it.
    kinds.extend(of_list.map(|kind| kind.key));
    if kinds.is_empty() && items.get().len() < 5 {
        let stem = file.file_stem().map(|stem| stem.to_string_lossy().to_ascii_lowercase());
        let of_file = KINDS.iter().find(|kind| stem.as_deref() == Some(&kind.key.to_ascii_lowercase()));
        kinds.extend(of_file.map(|kind| kind.key));
    }
    snapshot.keys.extend(kinds.iter().map(|key| (*key).to_owned()));
    Ok(!kinds.is_empty())
}

/// Reads the items of a list: of one kind, or of what each item says. Gives the keys of the kinds that were there.
///
/// # Errors
/// An item of a kind that is read has another shape.
pub fn read_list(
    into: &mut Kubernetes,
    items: &RawValue,
    of_list: Option<&Kind>,
) -> Result<Vec<&'static str>, Misshapen> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(default, borrow)]
        kind: Option<Cow<'a, str>>,
    }
    let items: Option<Vec<&RawValue>> = parse(items)?;
    let mut keys: Vec<&'static str> = Vec::new();
    for (index, item) in items.unwrap_or_default().into_iter().enumerate() {
        let below = |wrong: Misshapen| Misshapen { pointer: format!("/{index}{}", wrong.pointer), ..wrong };
        // The API leaves the kind out of the items of a list.
        let named: Named<'_> =
            if of_list.is_some() { Named { kind: None } } else { parse(item).map_err(below)? };
        let of_item = named.kind.as_deref().and_then(kind_of);
        let Some(kind) = of_list.or(of_item) else { continue };
        (kind.read)(into, item.get()).map_err(below)?;
        if !keys.contains(&kind.key) {
            keys.push(kind.key);
        }
    }
    Ok(keys)
}

/// The lists as files, as `kubectl get … -o json` would print what we keep: the name of each, and its text.
pub fn files(snapshot: &Snapshot) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for kind in KINDS {
        let rows = (kind.rows)(&snapshot.kubernetes);
        if rows.is_empty() && !snapshot.keys.contains(kind.key) {
            continue;
        }
        let list = List { api_version: kind.api_version, kind: format!("{}List", kind.kind), items: rows };
        files.push((kind.key.to_owned(), pretty(&list)));
    }
    files
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    api_version: &'a str,
    kind: String,
    items: Vec<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a, R> {
    api_version: &'a str,
    kind: &'a str,
    #[serde(flatten)]
    row: &'a R,
}

fn rows<R: Serialize>(kind: &str, api_version: &str, rows: &BTreeMap<String, R>) -> Vec<Value> {
    let object = |row| serde_json::to_value(Object { api_version, kind, row }).ok();
    rows.values().filter_map(object).collect()
}

fn read<R: DeserializeOwned, T>(item: &str, put: impl FnOnce(R) -> T) -> Result<(), Misshapen> {
    put(parse_text(item)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use crate::model::Snapshot;
    use crate::snapshot_dir::{Loaded, read_file};

    fn read(name: &str, document: &serde_json::Value) -> Result<Snapshot, String> {
        let mut loaded = Loaded::default();
        read_file(&mut loaded, Path::new(name), &document.to_string())
            .map_err(|error| format!("{} {}", error.what(), error.causes().join(" ")))?;
        Ok(loaded.snapshot)
    }

    #[test]
    fn lists_and_single_objects_are_read_in_every_form() {
        let pod = json!({ "kind": "Pod", "apiVersion": "v1", "metadata": { "name": "a", "namespace": "b" } });
        let bare = json!({ "metadata": { "name": "a", "namespace": "b", "creationTimestamp": null } });
        for document in [
            pod.clone(),
            json!({ "kind": "List", "apiVersion": "v1", "items": [pod, { "kind": "Secret", "data": {} }] }),
            json!({ "kind": "PodList", "apiVersion": "v1", "items": [bare] }),
        ] {
            let snapshot = read("x.json", &document).unwrap();
            assert!(snapshot.kubernetes.pods.contains_key("b/a"), "{document}");
            assert_eq!(snapshot.keys.iter().collect::<Vec<_>>(), ["Pods"], "{document}");
        }
    }

    #[test]
    fn a_list_of_nothing_tells_of_what() {
        let empty = |kind: &str| json!({ "kind": kind, "apiVersion": "v1", "items": [] });
        assert!(read("x.json", &empty("PodList")).unwrap().keys.contains("Pods"));
        assert!(read("dir/pods.json", &empty("List")).unwrap().keys.contains("Pods"));
        assert!(read("x.json", &empty("List")).unwrap().keys.is_empty());
    }

    #[test]
    fn a_wrong_shape_is_named() {
        let broken = json!({ "kind": "PodList", "apiVersion": "v1", "items": [
            { "metadata": { "name": "a" } }, { "metadata": { "name": "b" }, "spec": { "containers": "none" } },
        ]});
        let error = read("pods.json", &broken).map(|_| ()).unwrap_err();
        assert!(error.contains("pods.json") && error.contains("/items/1/spec/containers"), "{error}");
    }

    /// What is not named by our types is never in memory, and signatures are cut.
    #[test]
    fn only_what_is_needed_is_written() {
        let document = json!({ "kind": "List", "apiVersion": "v1", "items": [{
            "kind": "Pod",
            "metadata": { "name": "a", "namespace": "b", "annotations": { "x": "CANARY" } },
            "spec": { "containers": [{ "name": "c", "image": "i", "env": [{ "name": "P", "value": "CANARY" }] }] },
            "status": { "containerStatuses": [{ "name": "c", "state": { "waiting": {
                "reason": "ErrImagePull", "message": "Get \"https://h/x?X-Amz-Signature=CANARY\": timeout",
            }}}]},
        }, {
            "kind": "Event", "metadata": { "name": "e" }, "involvedObject": { "kind": "Pod", "name": "a" },
            "reason": "Failed", "message": "token=CANARYCANARY",
        }, {
            "kind": "Event", "metadata": { "name": "f" }, "involvedObject": { "kind": "Pod", "name": "a" },
            "reason": "FailedScheduling", "message": "0/3 nodes are available",
        }]});
        let snapshot = read("x.json", &document).unwrap();
        let text: String = super::files(&snapshot).into_iter().map(|(_, text)| text).collect();
        assert!(text.contains("ErrImagePull") && text.contains("timeout"), "{text}");
        assert!(!text.contains("CANARY") && !text.contains("FailedScheduling"), "{text}");
    }
}
