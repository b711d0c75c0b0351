//! Which nodes a pod can run on: `nodeSelector`, the node affinity that is required, and the taints that it tolerates.
//!
//! Source: Kubernetes, "Assigning Pods to Nodes" and "Taints and Tolerations". Resources and preferences are not looked at:
//! they make a node less likely, and here a node counts that may take the pod at all.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{PodSpec, or_default};

/// Where a pod may go.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Affinity {
    /// Towards nodes; affinity towards pods decides nothing here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_affinity: Option<NodeAffinity>,
}

/// Affinity towards nodes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeAffinity {
    /// What a node must be like.
    #[serde(
        default,
        rename = "requiredDuringSchedulingIgnoredDuringExecution",
        skip_serializing_if = "Option::is_none"
    )]
    pub required: Option<NodeSelector>,
}

/// Terms of which one must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeSelector {
    /// One of them.
    #[serde(default, deserialize_with = "or_default")]
    pub node_selector_terms: Vec<NodeSelectorTerm>,
}

/// Requirements that must all hold; none never holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeSelectorTerm {
    /// Of the labels.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<NodeSelectorRequirement>,
    /// Of `metadata.name`.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub match_fields: Vec<NodeSelectorRequirement>,
}

/// One requirement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeSelectorRequirement {
    /// A label, or `metadata.name`.
    #[serde(default)]
    pub key: String,
    /// `In`, `NotIn`, `Exists`, `DoesNotExist`, `Gt`, `Lt`.
    #[serde(default)]
    pub operator: String,
    /// To compare with.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// What keeps pods off a node that do not tolerate it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Taint {
    /// `dedicated`.
    #[serde(default)]
    pub key: String,
    /// `gpu`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// `NoSchedule`, `PreferNoSchedule`, `NoExecute`; EKS writes `NO_SCHEDULE` and so on.
    #[serde(default)]
    pub effect: String,
}

/// What a pod puts up with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Toleration {
    /// None for every key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// `Equal`, which is the default, or `Exists`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// To compare with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// None for every effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
}

/// Taints of these come and go with the condition of a node: a pod waits for them to go, and then it pulls.
const PASSING: [&str; 5] = [
    "node.kubernetes.io/",
    "node.cloudprovider.kubernetes.io/",
    "karpenter.sh/",
    "ToBeDeletedByClusterAutoscaler",
    "DeletionCandidateOfClusterAutoscaler",
];

impl Taint {
    /// Whether it keeps pods off for as long as the node is what it is.
    fn keeps_off(&self) -> bool {
        let effect = plain(&self.effect);
        (effect == "noschedule" || effect == "noexecute")
            && !PASSING.iter().any(|key| self.key.starts_with(key))
    }
}

impl Toleration {
    fn covers(&self, taint: &Taint) -> bool {
        let effect = self.effect.as_deref().filter(|effect| !effect.is_empty());
        if effect.is_some_and(|effect| plain(effect) != plain(&taint.effect)) {
            return false;
        }
        let key = self.key.as_deref().filter(|key| !key.is_empty());
        let same_key = key.is_none_or(|key| key == taint.key);
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        same_key
            && match self.operator.as_deref().unwrap_or("Equal") {
                "" | "Equal" => key.is_some() && text(&self.value) == text(&taint.value),
                // `Exists`, or one that is newer than we are: it may cover.
                _ => true,
            }
    }
}

/// `NoSchedule` of Kubernetes and `NO_SCHEDULE` of EKS as one.
fn plain(effect: &str) -> String {
    effect.replace('_', "").to_ascii_lowercase()
}

/// The labels of a node, or as many of them as are known of a node that is not there yet.
#[derive(Clone, Copy, Debug)]
pub struct LabelSet<'a> {
    /// What is known.
    pub labels: &'a BTreeMap<String, String>,
    /// The name of the node, where there is one.
    pub name: Option<&'a str>,
    /// Whether it has no labels but these.
    pub complete: bool,
}

impl PodSpec {
    /// Whether a node with these labels may take the pod: what is not known may be as it should.
    pub fn may_run_on(&self, node: LabelSet<'_>) -> bool {
        let selected = self.node_selector.iter().all(|(key, value)| match node.labels.get(key) {
            Some(has) => has == value,
            None => !node.complete,
        });
        let affinity = self.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
        let required = affinity.and_then(|affinity| affinity.required.as_ref());
        selected
            && required
                .is_none_or(|selector| selector.node_selector_terms.iter().any(|term| term.may_hold(node)))
    }
}

impl PodSpec {
    /// Whether none of these taints keeps the pod off.
    pub fn tolerates(&self, taints: &[Taint]) -> bool {
        let tolerated = |taint: &Taint| self.tolerations.iter().any(|toleration| toleration.covers(taint));
        taints.iter().filter(|taint| taint.keeps_off()).all(tolerated)
    }
}

impl NodeSelectorTerm {
    fn may_hold(&self, node: LabelSet<'_>) -> bool {
        let any = !self.match_expressions.is_empty() || !self.match_fields.is_empty();
        let labels =
            self.match_expressions.iter().all(|requirement| match node.labels.get(&requirement.key) {
                None if !node.complete => true,
                value => requirement.holds(value.map(String::as_str)),
            });
        let names = self.match_fields.iter().all(|requirement| {
            node.name.is_none_or(|name| requirement.key != "metadata.name" || requirement.holds(Some(name)))
        });
        any && labels && names
    }
}

impl NodeSelectorRequirement {
    fn holds(&self, value: Option<&str>) -> bool {
        let listed = |value: &str| self.values.iter().any(|wanted| wanted == value);
        let number = |text: &str| text.parse::<i64>().ok();
        let limit = self.values.first().and_then(|limit| number(limit));
        match (self.operator.as_str(), value) {
            ("In", value) => value.is_some_and(listed),
            ("NotIn", value) => !value.is_some_and(listed),
            ("Exists", value) => value.is_some(),
            ("DoesNotExist", value) => value.is_none(),
            ("Gt", value) => value.and_then(number).zip(limit).is_some_and(|(value, limit)| value > limit),
            ("Lt", value) => value.and_then(number).zip(limit).is_some_and(|(value, limit)| value < limit),
            // An operator that is newer than we are: it may hold.
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn may_run(spec: Value, labels: &[(&str, &str)], complete: bool) -> bool {
        let spec: PodSpec = serde_json::from_value(spec).unwrap();
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        spec.may_run_on(LabelSet { labels: &labels, name: Some("node-1"), complete })
    }

    fn affinity(requirements: &Value, fields: &Value) -> Value {
        json!({ "affinity": { "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{ "matchExpressions": requirements, "matchFields": fields }]
        }}}})
    }

    #[test]
    fn labels_decide() {
        let arm = json!({ "nodeSelector": { "arch": "arm64" } });
        assert!(may_run(json!({}), &[], true));
        assert!(may_run(arm.clone(), &[("arch", "arm64")], true));
        assert!(!may_run(arm.clone(), &[("arch", "amd64")], false));
        assert!(!may_run(arm.clone(), &[], true));
        assert!(may_run(arm, &[], false), "a label that nobody knows may be there");
    }

    #[test]
    fn taints_keep_off_who_does_not_tolerate_them() {
        let tolerates = |tolerations: Value, taint: Value| {
            let spec: PodSpec = serde_json::from_value(json!({ "tolerations": tolerations })).unwrap();
            spec.tolerates(&[serde_json::from_value(taint).unwrap()])
        };
        let gpu = || json!({ "key": "dedicated", "value": "gpu", "effect": "NoSchedule" });
        assert!(!tolerates(json!(null), gpu()));
        assert!(tolerates(json!([{ "operator": "Exists" }]), gpu()), "of a DaemonSet that runs everywhere");
        assert!(tolerates(json!([{ "key": "dedicated", "value": "gpu" }]), gpu()));
        assert!(tolerates(
            json!([{ "key": "dedicated", "operator": "Exists", "effect": "NoSchedule" }]),
            gpu()
        ));
        assert!(!tolerates(json!([{ "key": "dedicated", "value": "arm" }]), gpu()));
        assert!(!tolerates(
            json!([{ "key": "dedicated", "operator": "Exists", "effect": "NoExecute" }]),
            gpu()
        ));
        let of_eks = json!({ "key": "dedicated", "value": "gpu", "effect": "NO_SCHEDULE" });
        assert!(!tolerates(json!([]), of_eks.clone()));
        assert!(tolerates(json!([{ "key": "dedicated", "value": "gpu", "effect": "NoSchedule" }]), of_eks));
        assert!(
            tolerates(json!([]), json!({ "key": "x", "effect": "PreferNoSchedule" })),
            "only less likely"
        );
        assert!(
            tolerates(json!([]), json!({ "key": "node.kubernetes.io/not-ready", "effect": "NoExecute" })),
            "it passes"
        );
    }

    #[test]
    fn required_affinity_decides() {
        let with = |key: &str, operator: &str, values: &[&str], labels: &[(&str, &str)]| {
            let requirement = json!([{ "key": key, "operator": operator, "values": values }]);
            may_run(affinity(&requirement, &json!(null)), labels, true)
        };
        assert!(with("zone", "In", &["a", "b"], &[("zone", "b")]));
        assert!(!with("zone", "In", &["a"], &[]));
        assert!(with("zone", "NotIn", &["a"], &[]));
        assert!(!with("gpu", "Exists", &[], &[]));
        assert!(with("gpu", "DoesNotExist", &[], &[]));
        assert!(with("cpu", "Gt", &["4"], &[("cpu", "8")]));
        assert!(!with("cpu", "Lt", &["4"], &[("cpu", "8")]));
        let on = |name: &str| json!([{ "key": "metadata.name", "operator": "In", "values": [name] }]);
        assert!(may_run(affinity(&json!([]), &on("node-1")), &[], true));
        assert!(!may_run(affinity(&json!([]), &on("node-2")), &[], true), "of a DaemonSet, for another node");
        assert!(
            !may_run(affinity(&json!([]), &json!([])), &[], true),
            "a term that asks for nothing never holds"
        );
    }
}
