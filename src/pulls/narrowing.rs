//! Which of the pulls are judged, where somebody asks for less than all of them.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pods::Pods;
use super::words::Places;
use super::{Image, Scope, Source, World, first_of, nodes};
use crate::error::{Code, Error};
use crate::iam::Glob;
use crate::model::kubernetes::Pod;

/// What to judge, as patterns with `*` and `?`: of one kind any may fit, of every kind that is named one must.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Narrowing {
    /// Namespaces of pods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// Pods, as `NAME` or `NAMESPACE/NAME`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pods: Vec<String>,
    /// Sources, as `ID` or `KIND/ID`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
}

/// That a diagnosis is about some of the pulls only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Narrowed {
    /// What was asked for, in words.
    pub to: Vec<String>,
    /// How many other pulls are known, and were not judged.
    pub left_out: usize,
}

impl Narrowing {
    /// Whether everything is judged.
    pub fn is_empty(&self) -> bool {
        *self == Narrowing::default()
    }

    fn picks_pods(&self) -> bool {
        !(self.namespaces.is_empty() && self.pods.is_empty())
    }

    /// Whether a pod is one of those.
    pub(super) fn takes(&self, namespace: Option<&str>, name: &str) -> bool {
        let namespace = namespace.unwrap_or("default");
        any_fits(&self.namespaces, |pattern| fits(pattern, namespace))
            && any_fits(&self.pods, |pattern| is_pod(pattern, namespace, name))
    }

    fn takes_source(&self, source: &Source) -> bool {
        any_fits(&self.sources, |pattern| is_source(pattern, source))
    }
}

/// The images that were asked for and that pods pull: where there are any, only images that were asked for are judged.
pub(super) fn asked_of_pods(
    asked: &BTreeSet<Image>,
    pods: &Pods<'_>,
    all: &BTreeMap<String, Pod>,
) -> BTreeMap<Image, Image> {
    let live = all.values().filter(|pod| !pod.has_ended());
    let names: BTreeSet<&str> =
        live.flat_map(|pod| pod.containers().filter_map(|container| container.image.as_deref())).collect();
    let images = names.into_iter().filter_map(|name| Some((pods.image_as_named(name)?, pods.image(name)?)));
    images.filter(|(named, _)| asked.contains(named)).collect()
}

/// Leaves only what was asked for.
///
/// # Errors
/// Something that was asked for is not there: the error lists what is.
pub(super) fn narrow(
    world: &mut World<'_>,
    scope: &Scope,
    asked: &BTreeSet<Image>,
    of_pods: &BTreeMap<Image, Image>,
    nodes: &nodes::Nodes,
) -> Result<(), Error> {
    let only = &scope.only;
    check_sources(world, only)?;
    check_pods(world, only)?;
    let sources = world.sources.clone();
    let cluster = world.target.cluster.clone();
    let stand_in = super::stand_in(&world.target);
    let mut pods = Pods::new(world.snapshot, &cluster, nodes, &sources, stand_in.as_ref());
    let places = Places::of(&world.sources, &world.images);
    let all = world.all_pairs();

    let mut kept = all.clone();
    if only.picks_pods() || !of_pods.is_empty() {
        let demand = pods.demand(&|namespace, name| only.takes(namespace, name));
        let pulled = demand
            .images
            .iter()
            .filter(|(image, _)| of_pods.is_empty() || of_pods.values().any(|asked| asked == *image));
        let pulling: BTreeSet<usize> =
            demand.images.iter().flat_map(|(image, of)| places.pairs(image, of)).map(|(at, _)| at).collect();
        kept = pulled.flat_map(|(image, of)| places.pairs(image, of)).collect();
        // What no pod pulls is judged for those that pull the pods that were picked.
        let beside = asked.iter().filter(|image| !of_pods.contains_key(image));
        let everywhere: BTreeSet<_> = sources.iter().map(|source| (source.kind, source.id.clone())).collect();
        let beside = beside.flat_map(|image| places.pairs(image, &everywhere));
        kept.extend(beside.filter(|(at, _)| !only.picks_pods() || pulling.contains(at)));
        // Who asks for an image does not ask for others.
        let elsewhere = if of_pods.is_empty() { world.wanted(demand.wanted_elsewhere) } else { Vec::new() };
        world.elsewhere = elsewhere;
        world.images_elsewhere = demand.elsewhere;
        world.strangers = demand.strangers;
    }
    world.elsewhere.iter_mut().for_each(|wanted| wanted.sources.retain(|source| only.takes_source(source)));
    world.elsewhere.retain(|wanted| !wanted.sources.is_empty());
    let before_sources = kept.clone();
    kept.retain(|(source, _)| sources.get(*source).is_some_and(|source| only.takes_source(source)));
    if kept.is_empty() {
        return Err(nothing_left(world, only, &before_sources));
    }
    let is_about = |words: &super::Words| {
        let mut parts = words.pod.splitn(2, '/');
        let (namespace, name) = (parts.next(), parts.next().unwrap_or_default());
        let of_pod = !only.picks_pods() || only.takes(namespace.filter(|name| !name.is_empty()), name);
        let of_image =
            if words.pulls.is_empty() { of_pods.is_empty() } else { !words.pulls.is_disjoint(&kept) };
        of_pod && of_image
    };
    world.words.retain(is_about);
    world.narrowed =
        Some(Narrowed { to: in_words(only, asked, of_pods), left_out: all.difference(&kept).count() });
    world.keep(&kept);
    Ok(())
}

/// What was asked for, for the one line that says so.
fn in_words(only: &Narrowing, asked: &BTreeSet<Image>, of_pods: &BTreeMap<Image, Image>) -> Vec<String> {
    let of =
        |kind: &str, names: &[String]| names.iter().map(|name| format!("{kind} {name}")).collect::<Vec<_>>();
    let asked = asked.iter().filter(|_| !of_pods.is_empty());
    let images: Vec<String> = asked.map(|image| image.name.clone()).collect();
    let kinds = [
        of("namespace", &only.namespaces),
        of("pod", &only.pods),
        of("source", &only.sources),
        of("image", &images),
    ];
    kinds.concat()
}

fn check_sources(world: &World<'_>, only: &Narrowing) -> Result<(), Error> {
    let fits_none = |pattern: &&String| !world.sources.iter().any(|source| is_source(pattern, source));
    let Some(lost) = only.sources.iter().find(fits_none) else { return Ok(()) };
    let names =
        world.sources.iter().map(|source| format!("{}/{}", source.kind.as_str(), source.id)).collect();
    Err(nowhere(format!("no source of pulls is called {lost}"), "the sources here are", &names))
}

fn check_pods(world: &World<'_>, only: &Narrowing) -> Result<(), Error> {
    if !only.picks_pods() {
        return Ok(());
    }
    if !world.snapshot.keys.contains("Pods") {
        return Err(Error::new(
            Code::NotFound,
            "no pods were read, so none can be picked by namespace or name",
            "let the Kubernetes API be read, or name sources with --source and images with --image",
        ));
    }
    let kubernetes = &world.snapshot.kubernetes;
    let live: Vec<&Pod> = kubernetes.pods.values().filter(|pod| !pod.has_ended()).collect();
    // Events may be all that is left of a pod whose image nobody could pull.
    let gone =
        kubernetes.events.values().filter(|event| event.is_about_pulls()).map(|event| &event.involved_object);
    let gone = gone.map(|object| (object.namespace.as_deref().unwrap_or("default"), object.name.as_str()));
    let all: BTreeSet<(&str, &str)> = live
        .iter()
        .map(|pod| (pod.metadata.namespace.as_deref().unwrap_or("default"), pod.metadata.name.as_str()))
        .chain(gone)
        .collect();
    let lost =
        only.namespaces.iter().find(|pattern| !all.iter().any(|(namespace, _)| fits(pattern, namespace)));
    if let Some(lost) = lost {
        let names = all.iter().map(|(namespace, _)| (*namespace).to_owned()).collect();
        return Err(nowhere(format!("no pod is in namespace {lost}"), "namespaces with pods are", &names));
    }
    let takes = |pattern: &str, (namespace, name): &(&str, &str)| {
        is_pod(pattern, namespace, name) && any_fits(&only.namespaces, |pattern| fits(pattern, namespace))
    };
    let Some(lost) = only.pods.iter().find(|pattern| !all.iter().any(|pod| takes(pattern, pod))) else {
        return Ok(());
    };
    let here =
        all.iter().filter(|(namespace, _)| any_fits(&only.namespaces, |pattern| fits(pattern, namespace)));
    let names = here.map(|(namespace, name)| format!("{namespace}/{name}")).collect();
    Err(nowhere(format!("no pod that runs or waits is called {lost}"), "the pods here are", &names))
}

/// Everything that was named is there, and nothing of it pulls from ECR, or not together.
fn nothing_left(world: &World<'_>, only: &Narrowing, without_sources: &BTreeSet<(usize, usize)>) -> Error {
    if !without_sources.is_empty() {
        let by = without_sources.iter().filter_map(|(at, _)| world.sources.get(*at));
        let names = by.map(|source| format!("{}/{}", source.kind.as_str(), source.id)).collect();
        return nowhere(
            "no source that was named pulls any of this".to_owned(),
            "the sources that do are",
            &names,
        );
    }
    let pods =
        world.snapshot.kubernetes.pods.values().filter(|pod| {
            !pod.has_ended() && only.takes(pod.metadata.namespace.as_deref(), &pod.metadata.name)
        });
    let names =
        pods.flat_map(|pod| pod.containers().filter_map(|container| container.image.clone())).collect();
    nowhere(
        "the pods that were picked pull nothing from a private registry of ECR".to_owned(),
        "their images are",
        &names,
    )
}

fn nowhere(what: String, list: &str, names: &BTreeSet<String>) -> Error {
    let hint =
        if names.is_empty() { "there are none".to_owned() } else { format!("{list}: {}", first_of(names)) };
    Error::new(Code::NotFound, what, hint)
}

fn any_fits(patterns: &[String], fits: impl Fn(&str) -> bool) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| fits(pattern))
}

fn fits(pattern: &str, text: &str) -> bool {
    Glob::new(pattern).matches(text)
}

/// Names of pods hold no slash, so one in the pattern ends the namespace.
fn is_pod(pattern: &str, namespace: &str, name: &str) -> bool {
    match pattern.split_once('/') {
        Some((of, pattern)) => fits(of, namespace) && fits(pattern, name),
        None => fits(pattern, name),
    }
}

fn is_source(pattern: &str, source: &Source) -> bool {
    fits(pattern, &source.id) || fits(pattern, &format!("{}/{}", source.kind.as_str(), source.id))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    use super::*;
    use crate::diagnosis::{diagnosis, pull_id, verdicts};
    use crate::judges::Options;
    use crate::model::Snapshot;
    use crate::pulls::tests::{APP, instance, list, node, pod, profiles, world};

    /// Two nodes of two groups, with pods of two namespaces.
    fn cluster() -> Snapshot {
        let other = APP.replace("app", "other");
        let waits = json!({ "containerStatuses": [{ "name": "app", "state": { "waiting": {
            "reason": "ErrImagePull", "message": "unexpected status from HEAD request to https://x/: 403 Forbidden" } } }] });
        let on = |name: &str| json!({ "nodeName": name });
        world(&[
            json!({ "Reservations": [{ "Instances": [
                instance("i-1", "ng", json!({ "eks:nodegroup-name": "ng", "eks:cluster-name": "c" })),
                instance("i-2", "own", json!({ "kubernetes.io/cluster/c": "owned" })),
            ] }] }),
            profiles(&["ng", "own"]),
            list(&[
                node("ip-1", "i-1", json!({})),
                node("ip-2", "i-2", json!({})),
                pod("shop/web-1", APP, on("ip-1"), json!({})),
                pod("shop/api-1", &other, on("ip-2"), waits),
                pod("jobs/hub", "busybox", on("ip-1"), json!({})),
                pod("jobs/app", APP, on("ip-2"), json!({})),
                pod("jobs/done", APP, on("ip-2"), json!({ "phase": "Succeeded" })),
            ]),
        ])
    }

    fn asked(only: &Value, images: &[&str]) -> Scope {
        Scope {
            only: serde_json::from_value(only.clone()).unwrap(),
            images: images.iter().map(|image| (*image).to_owned()).collect(),
            ..Scope::default()
        }
    }

    fn check(only: Value, images: &[&str], expected: &Expect) {
        let snapshot = cluster();
        let text = match World::of(&snapshot, &asked(&only, images)) {
            Ok(world) => {
                let mut text: String = world
                    .pulls()
                    .iter()
                    .map(|pull| pull_id(pull).replace(".dkr.ecr.eu-west-1.amazonaws.com", "") + "\n")
                    .collect();
                text +=
                    &world.words.iter().map(|words| format!("words of {}\n", words.pod)).collect::<String>();
                if let Some(narrowed) = &world.narrowed {
                    text +=
                        &format!("narrowed to {}, {} left out\n", narrowed.to.join(", "), narrowed.left_out);
                }
                text
            }
            Err(error) => format!("{error}\n{}\n", error.hint()),
        };
        expected.assert_eq(&text);
    }

    #[test]
    fn everything_is_judged_where_nothing_is_asked_for() {
        check(
            json!({}),
            &[],
            &expect![[r#"
            nodegroup/ng <- 111122223333/app:v1
            nodegroup/ng <- 602401143452/eks/*
            fargate-profile/serverless <- 602401143452/eks/*
            self-managed/own <- 111122223333/app:v1
            self-managed/own <- 111122223333/other:v1
            self-managed/own <- 602401143452/eks/*
            words of shop/api-1
        "#]],
        );
    }

    #[test]
    fn pods_and_sources_pick_pulls() {
        check(
            json!({ "namespaces": ["shop"] }),
            &[],
            &expect![[r#"
            nodegroup/ng <- 111122223333/app:v1
            self-managed/own <- 111122223333/other:v1
            words of shop/api-1
            narrowed to namespace shop, 4 left out
        "#]],
        );
        check(
            json!({ "pods": ["web-*"] }),
            &[],
            &expect![[r#"
            nodegroup/ng <- 111122223333/app:v1
            narrowed to pod web-*, 5 left out
        "#]],
        );
        check(
            json!({ "pods": ["jobs/app"], "sources": ["self-managed/*"] }),
            &[],
            &expect![[r#"
            self-managed/own <- 111122223333/app:v1
            narrowed to pod jobs/app, source self-managed/*, 5 left out
        "#]],
        );
        check(
            json!({ "sources": ["ng"] }),
            &[],
            &expect![[r#"
            nodegroup/ng <- 111122223333/app:v1
            nodegroup/ng <- 602401143452/eks/*
            narrowed to source ng, 4 left out
        "#]],
        );
    }

    #[test]
    fn an_image_of_pods_narrows_and_another_one_is_judged_beside() {
        let new = APP.replace("v1", "v2");
        check(
            json!({}),
            &[APP],
            &expect![[r#"
            nodegroup/ng <- 111122223333/app:v1
            self-managed/own <- 111122223333/app:v1
            narrowed to image 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1, 4 left out
        "#]],
        );
        check(
            json!({}),
            &[&new],
            &expect![[r#"
            nodegroup/ng <- 111122223333/app:v1
            nodegroup/ng <- 111122223333/app:v2
            nodegroup/ng <- 602401143452/eks/*
            fargate-profile/serverless <- 111122223333/app:v2
            fargate-profile/serverless <- 602401143452/eks/*
            self-managed/own <- 111122223333/app:v1
            self-managed/own <- 111122223333/app:v2
            self-managed/own <- 111122223333/other:v1
            self-managed/own <- 602401143452/eks/*
            words of shop/api-1
        "#]],
        );
        check(
            json!({}),
            &[APP, &new],
            &expect![[r#"
                nodegroup/ng <- 111122223333/app:v1
                nodegroup/ng <- 111122223333/app:v2
                fargate-profile/serverless <- 111122223333/app:v2
                self-managed/own <- 111122223333/app:v1
                self-managed/own <- 111122223333/app:v2
                narrowed to image 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1, image 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v2, 4 left out
            "#]],
        );
        check(
            json!({ "pods": ["api-1"] }),
            &[&new],
            &expect![[r#"
            self-managed/own <- 111122223333/app:v2
            self-managed/own <- 111122223333/other:v1
            words of shop/api-1
            narrowed to pod api-1, 7 left out
        "#]],
        );
    }

    #[test]
    fn what_fits_nothing_is_an_error_that_lists_what_there_is() {
        check(
            json!({ "namespaces": ["shup"] }),
            &[],
            &expect![[r#"
            no pod is in namespace shup
            namespaces with pods are: jobs, shop
        "#]],
        );
        check(
            json!({ "namespaces": ["shop"], "pods": ["app"] }),
            &[],
            &expect![[r#"
            no pod that runs or waits is called app
            the pods here are: shop/api-1, shop/web-1
        "#]],
        );
        check(
            json!({ "pods": ["done"] }),
            &[],
            &expect![[r#"
            no pod that runs or waits is called done
            the pods here are: jobs/app, jobs/hub, shop/api-1, shop/web-1
        "#]],
        );
        check(
            json!({ "pods": ["hub"] }),
            &[],
            &expect![[r#"
            the pods that were picked pull nothing from a private registry of ECR
            their images are: busybox
        "#]],
        );
        check(
            json!({ "sources": ["nodegroup/x"] }),
            &[],
            &expect![[r#"
            no source of pulls is called nodegroup/x
            the sources here are: fargate-profile/serverless, nodegroup/ng, self-managed/own
        "#]],
        );
        check(
            json!({ "pods": ["web-1"], "sources": ["own"] }),
            &[],
            &expect![[r#"
            no source that was named pulls any of this
            the sources that do are: nodegroup/ng
        "#]],
        );
    }

    #[test]
    fn without_pods_only_sources_can_be_picked() {
        let snapshot = world(&[]);
        let error = World::of(&snapshot, &asked(&json!({ "namespaces": ["shop"] }), &[])).unwrap_err();
        assert!(error.what().contains("no pods were read"), "{error}");
        let only = json!({ "sources": ["serverless"] });
        let world = World::of(&snapshot, &asked(&only, &[APP])).unwrap();
        assert!(world.pulls().iter().all(|pull| pull.source.id == "serverless"));
        assert_eq!(world.pulls().len(), 2);
    }

    /// What is wrong elsewhere is no finding of a narrowed diagnosis, and what is wrong here is one still.
    #[test]
    fn a_narrowed_diagnosis_says_of_its_pulls_what_the_whole_one_says() {
        let snapshot = cluster();
        let tell = |scope: &Scope| {
            let world = World::of(&snapshot, scope).unwrap();
            diagnosis(&world, &verdicts(&world, &Options::default()))
        };
        let whole = tell(&Scope::default());
        for only in [
            json!({ "namespaces": ["shop"] }),
            json!({ "namespaces": ["jobs"] }),
            json!({ "pods": ["api-1"] }),
            json!({ "sources": ["own"] }),
        ] {
            let part = tell(&asked(&only, &[]));
            for path in &part.pull_paths {
                let known = whole.pull_paths.iter().find(|known| known.id == path.id).unwrap();
                let legs = |path: &crate::diagnosis::PullPath| {
                    path.legs
                        .iter()
                        .map(|leg| (leg.leg, leg.verdict, leg.because.clone()))
                        .collect::<Vec<_>>()
                };
                // Words of pods that were not picked are no news of those that were.
                if only["sources"].is_array() {
                    assert_eq!(legs(path), legs(known), "{only}");
                }
                assert_eq!(path.legs.len(), known.legs.len());
            }
            for finding in &part.findings {
                assert!(!finding.blocks.is_empty(), "{only}: {finding:?}");
            }
        }
    }
}
