//! Whether the policies of VPC endpoints let a pull pass: `vpce-policy-denies-ecr`, `vpce-policy-denies-s3-layer-bucket`.

use std::collections::{BTreeMap, BTreeSet};

use super::Options;
use crate::checks::{Leg, Severity};
use crate::diagnosis::{Blocker, Evidence, Fix, Verdicts, pull_id};
use crate::iam::{self, Document, Knowledge, Named, Policies, Weighed};
use crate::model::ec2::VpcEndpoint;
use crate::network::names::service_and_region;
use crate::pulls::{Pull, World};

/// Which call passes the endpoint of which service, on which leg.
const CALLS: [(Leg, &str, &str); 4] = [
    (Leg::EcrTokenPermission, "ecr.api", "ecr:GetAuthorizationToken"),
    (Leg::PullPermission, "ecr.dkr", "ecr:BatchGetImage"),
    (Leg::PullPermission, "ecr.dkr", "ecr:GetDownloadUrlForLayer"),
    (Leg::LayerPermission, "s3", "s3:GetObject"),
];

/// What one endpoint does not let pass, gathered over the pulls.
#[derive(Default)]
struct Refusal {
    legs: BTreeSet<Leg>,
    pulls: BTreeSet<String>,
    calls: BTreeSet<&'static str>,
}

/// Judges `layer-permission`, and the part that endpoints have in the permissions of ECR.
pub(super) fn judge(world: &World<'_>, _options: &Options, verdicts: &mut Verdicts) {
    let mut refusals: BTreeMap<(&'static str, String), Refusal> = BTreeMap::new();
    for pull in world.pulls() {
        let id = pull_id(&pull);
        for (leg, service, call) in CALLS {
            let endpoints = match endpoints(world, service, &pull.image.region) {
                Ok(endpoints) => endpoints,
                Err(because) => {
                    verdicts.unknown(&id, leg, because);
                    continue;
                }
            };
            if endpoints.is_empty() {
                // Without an endpoint there is no endpoint policy.
                verdicts.ok(&id, leg);
            }
            for endpoint in endpoints {
                match weigh(world, &pull, endpoint, call) {
                    Ok(Weighed::Allowed(_)) => verdicts.ok(&id, leg),
                    Ok(Weighed::DependsOn(doubt)) => {
                        let keys: Vec<&str> = doubt.keys.iter().map(String::as_str).collect();
                        let on = keys.join(", ");
                        verdicts.unknown(
                            &id,
                            leg,
                            format!("the policy of {} depends on {on}", endpoint.vpc_endpoint_id),
                        );
                    }
                    Ok(Weighed::Denied(_)) => {
                        let refusal =
                            refusals.entry((cause(service), endpoint.vpc_endpoint_id.clone())).or_default();
                        refusal.legs.insert(leg);
                        refusal.pulls.insert(id.clone());
                        refusal.calls.insert(call);
                    }
                    Err(because) => verdicts.unknown(&id, leg, because),
                }
            }
        }
    }
    for ((cause, endpoint), refusal) in refusals {
        verdicts.blocked(blocker(world, cause, endpoint, refusal));
    }
}

fn cause(service: &str) -> &'static str {
    if service == "s3" { "vpce-policy-denies-s3-layer-bucket" } else { "vpce-policy-denies-ecr" }
}

fn blocker(world: &World<'_>, cause: &'static str, endpoint: String, refusal: Refusal) -> Blocker {
    let calls = refusal.calls.into_iter().collect::<Vec<_>>().join(", ");
    Blocker {
        cause,
        legs: refusal.legs.into_iter().collect(),
        pulls: refusal.pulls.into_iter().collect(),
        severity: Severity::Critical,
        account: world.target.account.clone(),
        summary: format!("the policy of endpoint {endpoint} does not let {calls} pass"),
        evidence: vec![Evidence {
            source: "ec2:DescribeVpcEndpoints".to_owned(),
            saw: format!("PolicyDocument of {endpoint}"),
        }],
        fix: Fix::Manual {
            because: "an endpoint policy is a guard that somebody set on purpose".to_owned(),
            steps: vec![
                format!("ask its owner to let {calls} pass endpoint {endpoint}"),
                format!("read more: ecr-fix explain {cause}"),
            ],
        },
        resource: endpoint,
    }
}

/// The endpoints in the cluster's VPC that names or routes of a region lead to: an endpoint serves one region.
fn endpoints<'w>(world: &'w World<'_>, service: &str, region: &str) -> Result<Vec<&'w VpcEndpoint>, String> {
    let cluster = world.snapshot.clusters.values().find(|cluster| cluster.name == world.target.cluster);
    let vpc = cluster.and_then(|cluster| cluster.resources_vpc_config.as_ref()?.vpc_id.clone());
    let Some(vpc) = vpc else { return Err("the VPC of the cluster was not read".to_owned()) };
    if !world.snapshot.keys.contains("VpcEndpoints") {
        return Err("ec2:DescribeVpcEndpoints: not read".to_owned());
    }
    let in_use = |endpoint: &&VpcEndpoint| {
        let gateway = endpoint.vpc_endpoint_type.eq_ignore_ascii_case("gateway");
        let serves = service_and_region(endpoint).is_some_and(|found| found == (service, region.to_owned()));
        endpoint.vpc_id == vpc
            && serves
            && (gateway && !endpoint.route_table_ids.is_empty() || endpoint.private_dns_enabled)
    };
    Ok(world.snapshot.ec2.vpc_endpoints.values().filter(in_use).collect())
}

/// Only the endpoint's own say: everything else allows.
fn weigh(world: &World<'_>, pull: &Pull<'_>, endpoint: &VpcEndpoint, call: &str) -> Result<Weighed, String> {
    let id = &endpoint.vpc_endpoint_id;
    let Some(text) = &endpoint.policy_document else {
        return Err(format!("the policy of {id} was not read"));
    };
    let parse = |name: &str, text: &str| Document::parse(text).map(|document| Named::new(name, document));
    let policy = parse(id, text.as_str())
        .map_err(|error| format!("the policy of {id} cannot be understood: {error}"))?;
    let everybody =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*"}]}"#;
    let all = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let (everybody, all) = (parse("everybody", everybody), parse("everything", all));
    let policies = Policies {
        identity: all.into_iter().collect(),
        resource: everybody.into_iter().collect(),
        endpoint: vec![policy],
        ..Policies::default()
    };
    let target = &world.target;
    let (principal, resource) = match call {
        // ECR signs the URLs of layers, so S3 sees a principal of AWS's, which only a grant to everybody covers.
        "s3:GetObject" => (
            "*".to_owned(),
            format!("arn:{}:s3:::prod-{}-starport-layer-bucket/layer", target.partition, pull.image.region),
        ),
        "ecr:GetAuthorizationToken" => (pull.source.role.clone().unwrap_or_default(), "*".to_owned()),
        _ => (pull.source.role.clone().unwrap_or_default(), pull.image.repository_arn.clone()),
    };
    let request = iam::Request {
        principal,
        action: call.to_owned(),
        resource,
        resource_account: None,
        context: BTreeMap::new(),
    };
    let knowledge = Knowledge { unknown: BTreeSet::from(["*".to_owned()]), ..Knowledge::default() };
    Ok(iam::weigh(&request, &policies, &knowledge))
}
