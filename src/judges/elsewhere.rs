//! Images that no private registry of ECR serves, where pods wait for them and no packet will ever bring them:
//! `registry-host-typo`, `invalid-image-name`, `ecr-public-unreachable`. They are in no row of the matrix.

use std::collections::{BTreeMap, BTreeSet};

use super::{Options, network, quoted};
use crate::checks::{Cause, Leg};
use crate::diagnosis::{Blocker, Evidence, Fix, Verdicts};
use crate::model::EcrHost;
use crate::model::ecr_host::HostKind;
use crate::network::{Destination, Network, Service, Verdict};
use crate::pulls::{Elsewhere, Source, World};

/// How many pods of one image are named.
const SHOWN: usize = 3;

/// Judges what is not in the matrix.
pub(super) fn judge(world: &World<'_>, _options: &Options, verdicts: &mut Verdicts) {
    let mut public: BTreeMap<&Source, Vec<&Elsewhere>> = BTreeMap::new();
    for wanted in &world.elsewhere {
        match flaw(&wanted.image) {
            Some((cause, because)) => {
                verdicts.blockers.extend(misnamed(world, wanted, cause, &because));
            }
            None if host_of(&wanted.image).is_some_and(|host| host.kind == HostKind::PublicRegistry) => {
                wanted.sources.iter().for_each(|source| public.entry(source).or_default().push(wanted));
            }
            None => {}
        }
    }
    if public.is_empty() {
        return;
    }
    let network = Network::of(world.snapshot);
    for (source, wanted) in public {
        if let (Verdict::Blocked, because) = internet(&network, world, source) {
            verdicts.blockers.extend(unreachable(world, source, &wanted, because));
        }
    }
}

/// Whether a finding of this judge, by its resource, is about an image.
pub(super) fn is_about(resource: &str, wanted: &Elsewhere) -> bool {
    resource == wanted.image || wanted.sources.iter().any(|source| resource == place(source))
}

fn place(source: &Source) -> String {
    format!("{}/{}", source.kind.as_str(), source.id)
}

fn host_of(image: &str) -> Option<EcrHost> {
    EcrHost::parse(without_scheme(image).split('/').next()?)
}

fn without_scheme(image: &str) -> &str {
    image.split_once("://").map_or(image, |(_, rest)| rest)
}

/// Why nobody can have an image under this name, where it was meant to be one of ECR.
fn flaw(image: &str) -> Option<(&'static str, String)> {
    let host = host_of(image)?;
    let invalid = |because: &str| Some(("invalid-image-name", because.to_owned()));
    if image.contains("://") {
        return invalid("a name of an image has no scheme in front");
    }
    if image.contains(char::is_whitespace) {
        return invalid("there is a blank in it");
    }
    let path = image.split_once('/').map_or("", |(_, path)| path);
    let repository = path.split(['@', ':']).next().unwrap_or_default();
    if repository.contains(|c: char| c.is_ascii_uppercase()) {
        return invalid("repository names are in lower case");
    }
    host.defect.map(|defect| ("registry-host-typo", defect.to_owned()))
}

fn misnamed(world: &World<'_>, wanted: &Elsewhere, cause: &str, because: &str) -> Option<Blocker> {
    let cause = Cause::find(cause)?;
    Some(Blocker {
        cause: cause.id,
        legs: cause.leg.into_iter().collect(),
        pulls: Vec::new(),
        severity: cause.severity,
        resource: wanted.image.clone(),
        account: world.target.account.clone(),
        summary: format!("no image can have this name: {because}"),
        evidence: vec![named_by(wanted)],
        fix: Fix::NotAws {
            because: "the name stands in the pod".to_owned(),
            steps: vec![
                format!("correct the image {} in the workload of {}", wanted.image, pods(wanted)),
                "aws ecr describe-repositories --query 'repositories[].repositoryUri' prints the right names"
                    .to_owned(),
                format!("read more: ecr-fix explain {}", cause.id),
            ],
        },
    })
}

fn named_by(wanted: &Elsewhere) -> Evidence {
    let saw = format!("{} wait for {}", pods(wanted), wanted.image);
    Evidence { source: "kubernetes:ListPods".to_owned(), saw }
}

fn pods(wanted: &Elsewhere) -> String {
    let shown: Vec<&str> = wanted.pods.iter().take(SHOWN).map(String::as_str).collect();
    match wanted.pods.len().saturating_sub(SHOWN) {
        0 => format!("pod {}", shown.join(", ")),
        more => format!("pod {} and {more} more", shown.join(", ")),
    }
}

/// Whether a source reaches the internet from any of its places, and why not; that is not known where none is.
pub(super) fn internet(
    network: &Network<'_>,
    world: &World<'_>,
    source: &Source,
) -> (Verdict, BTreeSet<String>) {
    let places = network::places(network, world, source);
    let traces = places.iter().map(|place| network.trace(place, &Destination::Internet, Service::tcp(443)));
    let (mut best, mut because) = (None, BTreeSet::new());
    for trace in traces {
        best = best.min(Some(trace.verdict)).or(Some(trace.verdict));
        because.extend(trace.blockers.into_iter().map(|blocker| blocker.because));
    }
    (best.unwrap_or(Verdict::Unknown), because)
}

fn unreachable(
    world: &World<'_>,
    source: &Source,
    wanted: &[&Elsewhere],
    because: BTreeSet<String>,
) -> Option<Blocker> {
    let cause = Cause::find("ecr-public-unreachable")?;
    let region = &world.target.region;
    let seen = because.into_iter().map(|saw| Evidence { source: "ec2:DescribeRouteTables".to_owned(), saw });
    let named = wanted.iter().take(SHOWN).map(|wanted| named_by(wanted));
    Some(Blocker {
        cause: cause.id,
        legs: vec![Leg::RegistryNetwork],
        pulls: Vec::new(),
        severity: cause.severity,
        resource: place(source),
        account: world.target.account.clone(),
        summary: format!(
            "{} has no way to the internet, and public.ecr.aws has no endpoint in a VPC",
            place(source)
        ),
        evidence: named.chain(seen).collect(),
        fix: Fix::Manual {
            because: "no way to the internet is opened, and no image renamed, unasked".to_owned(),
            steps: vec![
                format!(
                    "aws ecr create-pull-through-cache-rule --region {} --ecr-repository-prefix ecr-public \
                     --upstream-registry-url public.ecr.aws",
                    quoted(region)
                ),
                format!(
                    "name the images {}.dkr.ecr.{region}.amazonaws.com/ecr-public/… in their workloads, and pull them \
                     once from where the internet can be reached",
                    world.target.account
                ),
                "read more: ecr-fix explain ecr-public-unreachable".to_owned(),
            ],
        },
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    use super::*;
    use crate::diagnosis::{diagnosis, verdicts};
    use crate::pulls::Scope;
    use crate::pulls::tests::{instance, list, node, pod, profiles, world};

    const PUBLIC: &str = "public.ecr.aws/karpenter/controller:1.0";

    fn check(target: &str, items: &[Value], expected: &Expect) {
        let mut objects = vec![node("ip-1", "i-1", json!({}))];
        objects.extend(items.iter().cloned());
        let all = json!([{ "IpProtocol": "-1", "IpRanges": [{ "CidrIp": "0.0.0.0/0" }] }]);
        let mut node = instance("i-1", "ng", json!({ "eks:nodegroup-name": "ng", "eks:cluster-name": "c" }));
        node["NetworkInterfaces"] = json!([{ "NetworkInterfaceId": "eni-1", "SubnetId": "subnet-1", "VpcId": "vpc-1",
            "PrivateIpAddress": "10.0.0.9", "Groups": [{ "GroupId": "sg-1" }] }]);
        let mut routes =
            vec![json!({ "DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active" })];
        if !target.is_empty() {
            routes.push(
                json!({ "DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": target, "State": "active" }),
            );
        }
        let snapshot = world(&[
            json!({ "Reservations": [{ "Instances": [node] }] }),
            json!({ "Vpcs": [{ "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16" }],
                "Subnets": [{ "SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24" }],
                "NetworkInterfaces": node["NetworkInterfaces"], "VpcEndpoints": [],
                "RouteTables": [{ "RouteTableId": "rtb-1", "VpcId": "vpc-1", "Associations": [{ "Main": true }], "Routes": routes }],
                "SecurityGroups": [{ "GroupId": "sg-1", "VpcId": "vpc-1", "IpPermissions": [], "IpPermissionsEgress": all }],
                "NetworkAcls": [{ "NetworkAclId": "acl-1", "VpcId": "vpc-1", "IsDefault": true,
                    "Associations": [{ "SubnetId": "subnet-1" }], "Entries": [
                    { "Egress": true, "CidrBlock": "0.0.0.0/0", "Protocol": "-1", "RuleAction": "allow", "RuleNumber": 100 },
                    { "Egress": false, "CidrBlock": "0.0.0.0/0", "Protocol": "-1", "RuleAction": "allow", "RuleNumber": 100 }] }],
            }),
            profiles(&["ng"]),
            list(&objects),
        ]);
        let world = World::of(&snapshot, &Scope::default()).unwrap();
        let told = diagnosis(&world, &verdicts(&world, &Options::default()));
        let ours = ["registry-host-typo", "invalid-image-name", "ecr-public-unreachable"];
        let mut text = String::new();
        for found in told.findings.iter().filter(|found| ours.contains(&found.cause.as_str())) {
            text += &format!("{} on {}: {}\n", found.cause, found.resource, found.summary);
            text += &found.evidence.iter().map(|seen| format!("  saw {}\n", seen.saw)).collect::<String>();
        }
        text += &told.contradictions.iter().map(|said| format!("doubt {}\n", said.pod)).collect::<String>();
        expected.assert_eq(&text);
    }

    fn on_node() -> Value {
        json!({ "nodeName": "ip-1" })
    }

    fn runs() -> Value {
        json!({ "containerStatuses": [{ "name": "app", "state": { "running": { "startedAt": "2026-11-23T09:00:00Z" } } }] })
    }

    #[test]
    fn names_that_cannot_be_are_found_before_any_kubelet_says_so() {
        let typo = "111122223333.dkr.ecr.us-west-2.amazon.aws.com/app:v1";
        let upper = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/Team/App:v1";
        check(
            "nat-1",
            &[
                pod("shop/typo", typo, on_node(), json!({})),
                pod("shop/typo-2", typo, json!({}), json!({})),
                pod("shop/upper", upper, json!({}), json!({})),
                pod(
                    "shop/scheme",
                    "https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/app",
                    json!({}),
                    json!({}),
                ),
                pod("shop/hub", "busybox", json!({}), json!({})),
            ],
            &expect![[r#"
                invalid-image-name on 111122223333.dkr.ecr.eu-west-1.amazonaws.com/Team/App:v1: no image can have this name: repository names are in lower case
                  saw pod shop/upper wait for 111122223333.dkr.ecr.eu-west-1.amazonaws.com/Team/App:v1
                registry-host-typo on 111122223333.dkr.ecr.us-west-2.amazon.aws.com/app:v1: no image can have this name: its domain is none of ECR's
                  saw pod shop/typo, shop/typo-2 wait for 111122223333.dkr.ecr.us-west-2.amazon.aws.com/app:v1
                invalid-image-name on https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/app: no image can have this name: a name of an image has no scheme in front
                  saw pod shop/scheme wait for https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/app
            "#]],
        );
        // What runs has its image, from wherever.
        check("nat-1", &[pod("shop/typo", typo, on_node(), runs())], &expect![[""]]);
    }

    #[test]
    fn images_of_ecr_public_need_the_internet() {
        let waits = json!({ "containerStatuses": [{ "name": "app", "state": { "waiting": { "reason": "ErrImagePull",
            "message": "failed to do request: Head \"https://public.ecr.aws/v2/karpenter/controller/manifests/1.0\": dial tcp 75.2.101.78:443: i/o timeout" } } }] });
        check(
            "",
            &[pod("kube-system/karpenter", PUBLIC, on_node(), waits)],
            &expect![[r#"
            ecr-public-unreachable on nodegroup/ng: nodegroup/ng has no way to the internet, and public.ecr.aws has no endpoint in a VPC
              saw pod kube-system/karpenter wait for public.ecr.aws/karpenter/controller:1.0
              saw rtb-1 has no route to the public addresses of AWS
              saw pod kube-system/karpenter on ip-1: failed to do request: Head "https://public.ecr.aws/v2/karpenter/controller/manifests/1.0": dial tcp 75.2.101.78:443: i/o timeout
        "#]],
        );
        check("", &[pod("kube-system/karpenter", PUBLIC, on_node(), runs())], &expect![[""]]);
        // A gateway that was not read may work.
        check("nat-1", &[pod("kube-system/karpenter", PUBLIC, on_node(), json!({}))], &expect![""]);
    }
}
