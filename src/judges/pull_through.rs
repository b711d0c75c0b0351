//! Whether a pull-through cache can fetch what it does not hold yet: `ptc-permission-missing`, `ptc-cross-account`,
//! `ptc-dockerhub-library-prefix`, `ptc-upstream-auth-failed`, `ptc-first-pull-no-internet`.
//!
//! That an image is in the registry behind the cache cannot be seen from here, so the first pull of one stays unknown.
//! Repository creation templates are not read.

use std::collections::BTreeMap;

use super::paths::Paths;
use super::permission::{self, Lack};
use super::{Options, network, quoted, role_policies};
use crate::actions::attachment::PULL_ONLY;
use crate::checks::{Leg, Severity};
use crate::diagnosis::{Blocker, Evidence, Fix, Verdicts, pull_id};
use crate::iam::Weighed;
use crate::model::ecr::PullThroughCacheRule;
use crate::model::iam::Role;
use crate::model::{EcrHost, Seen, aws_accounts};
use crate::network::names::{PullHosts, Resolution};
use crate::network::{Destination, Service, Verdict};
use crate::pulls::{Image, Pull, World};

const CREATE: &str = "ecr:CreateRepository";
const IMPORT: &str = "ecr:BatchImportUpstreamImage";

/// The host of Docker Hub in rules.
const DOCKER_HUB: &str = "registry-1.docker.io";

/// A cause, what is at fault, and the role that lacks something.
type Lacking<'w> = (&'static str, String, &'w str);

/// The rule by which a registry fetches an image that it does not hold.
pub(super) fn rule<'w>(world: &'w World<'_>, image: &Image) -> Seen<&'w PullThroughCacheRule> {
    if image.reference.is_none() || aws_accounts::is_add_on_registry(&image.account) {
        return Seen::Absent;
    }
    world.snapshot.pull_through_cache_rule(image.repository(), &world.target.account)
}

/// Judges the first pull of what a cache does not hold yet.
pub(super) fn judge(world: &World<'_>, _options: &Options, verdicts: &mut Verdicts) {
    let paths = Paths::of(world);
    let mut lacks: BTreeMap<Lacking<'_>, Lack> = BTreeMap::new();
    let mut unnamed: BTreeMap<&Image, Vec<String>> = BTreeMap::new();
    let mut stranded: BTreeMap<&Image, Vec<String>> = BTreeMap::new();
    let mut shut_out: BTreeMap<&Image, (&PullThroughCacheRule, Vec<String>)> = BTreeMap::new();
    for pull in world.pulls() {
        let id = pull_id(&pull);
        let (rule, calls) = match first_pull(world, pull.image) {
            Seen::Known(first) => first,
            Seen::Absent => continue,
            Seen::Unread(because) => {
                let because = format!("whether a pull-through cache fetches it was not read ({because})");
                for leg in [Leg::PullPermission, Leg::LayerNetwork] {
                    verdicts.unknown(&id, leg, because.clone());
                }
                continue;
            }
        };
        let upstream = rule.upstream_name(pull.image.repository().name).unwrap_or_default();
        if rule.upstream_registry_url == DOCKER_HUB && !upstream.contains('/') {
            unnamed.entry(pull.image).or_default().push(id.clone());
        } else if rule.is_valid == Some(false) {
            shut_out.entry(pull.image).or_insert((rule, Vec::new())).1.push(id.clone());
        } else {
            let because = format!(
                "the first pull fetches it from {}: whether {upstream} is there cannot be seen from here",
                rule.upstream_registry_url
            );
            verdicts.unknown(&id, Leg::Image, because);
        }
        judge_calls(&paths, &pull, calls, &mut lacks, verdicts);
        match reaches_upstream(&paths, &pull, rule) {
            Verdict::Reachable => {}
            Verdict::Blocked => stranded.entry(pull.image).or_default().push(id),
            Verdict::Unknown => {
                verdicts.unknown(
                    &id,
                    Leg::LayerNetwork,
                    "whether the first pull reaches the internet was not read",
                );
            }
        }
    }
    for ((cause, resource, role), lack) in lacks {
        if let Seen::Known(role) = world.snapshot.role(role) {
            verdicts.blocked(lacking(world, role, (cause, resource), lack));
        }
    }
    for (image, pulls) in unnamed {
        verdicts.blocked(without_library(image, pulls));
    }
    for (image, (rule, pulls)) in shut_out {
        verdicts.blocked(refused_upstream(image, rule, pulls));
    }
    for (image, pulls) in stranded {
        verdicts.blocked(without_internet(world, image, pulls));
    }
}

/// The rule of an image that the cache does not hold, and the calls that its first pull needs; absent where there is no
/// such pull.
fn first_pull<'w>(
    world: &'w World<'_>,
    image: &Image,
) -> Seen<(&'w PullThroughCacheRule, &'static [&'static str])> {
    let Some(reference) = image.reference.as_deref() else { return Seen::Absent };
    let at = image.repository();
    let calls: &[&str] = if world.snapshot.repository(at) == Seen::Absent {
        &[CREATE, IMPORT]
    } else if world.snapshot.image(at, reference) == Seen::Absent {
        &[IMPORT]
    } else {
        return Seen::Absent;
    };
    rule(world, image).map(|rule| (rule, calls))
}

fn judge_calls<'w>(
    paths: &Paths<'w>,
    pull: &Pull<'w>,
    calls: &[&'static str],
    lacks: &mut BTreeMap<Lacking<'w>, Lack>,
    verdicts: &mut Verdicts,
) {
    let id = pull_id(pull);
    let snapshot = paths.world.snapshot;
    // That a role is missing or was not read is said where all its permissions are judged.
    let Some(Seen::Known(role)) = pull.source.role.as_deref().map(|arn| snapshot.role(arn)) else { return };
    let policies = role_policies::of(snapshot, role);
    for call in calls {
        let answer = permission::weigh(paths, role, &policies, call, pull);
        let decision = match &answer.weighed {
            Weighed::Allowed(_) => continue,
            Weighed::DependsOn(doubt) => {
                let because = permission::depends(call, doubt, &policies);
                verdicts.unknown(&id, Leg::PullPermission, because);
                continue;
            }
            Weighed::Denied(decision) => decision,
        };
        for cause in permission::causes(snapshot, pull.image, &answer, permission::lacking(pull.source.kind))
        {
            let cause = match cause {
                "node-role-missing-ecr-policy"
                | "fargate-exec-role-missing-policy"
                | "hybrid-node-credentials" => "ptc-permission-missing",
                "repo-policy-condition-mismatch"
                | "repo-policy-missing-cross-account"
                | "repo-policy-stale-principal" => "ptc-cross-account",
                other => other,
            };
            let resource =
                if permission::is_about_registry(cause) { &pull.image.repository_arn } else { &role.arn };
            let lack = lacks.entry((cause, resource.clone(), role.arn.as_str())).or_default();
            lack.pairs.insert((id.clone(), Leg::PullPermission));
            lack.calls.insert(call);
            lack.grant.repositories.insert(pull.image.repository_arn.clone());
            lack.statements.extend(permission::denials(decision));
        }
    }
}

/// "You need to create a public subnet … with a NAT gateway … in order for the pull to work. Subsequent image pulls don't
/// require this": ECR user guide, "Amazon ECR interface VPC endpoints", of first pulls through a cache.
fn reaches_upstream(paths: &Paths<'_>, pull: &Pull<'_>, rule: &PullThroughCacheRule) -> Verdict {
    let host = pull.image.name.split('/').next().unwrap_or_default();
    let Some(hosts) = EcrHost::parse(host).and_then(|host| PullHosts::of(&host)) else {
        return Verdict::Unknown;
    };
    // A cache of another registry of ECR sends nobody elsewhere.
    if rule.upstream_registry_url.contains(".dkr.ecr.") {
        return Verdict::Reachable;
    }
    let network = paths.network();
    let places = network::places(network, paths.world, pull.source);
    let internet = |place| network.trace(place, &Destination::Internet, Service::tcp(443)).verdict;
    let verdicts = places.iter().map(|place| match network.resolve(place, &hosts.registry) {
        Resolution::Private { .. } => internet(place),
        // It may be through an endpoint.
        Resolution::Unknown(_) => internet(place).min(Verdict::Unknown),
        Resolution::Public { .. } | Resolution::Address(_) | Resolution::NoAnswer(_) => Verdict::Reachable,
    });
    verdicts.max().unwrap_or(Verdict::Reachable)
}

fn lacking(world: &World<'_>, role: &Role, (cause, resource): (&'static str, String), lack: Lack) -> Blocker {
    let (creates, imports) = (lack.calls.contains(CREATE), lack.calls.contains(IMPORT));
    let repositories: Vec<String> = lack.grant.repositories.iter().cloned().collect();
    // Of the policies of AWS only one allows the import, whatever else is preferred.
    let blocker = permission::blocker(world.snapshot, role, (cause, resource), lack, &Options::default());
    if cause != "ptc-permission-missing" {
        return blocker;
    }
    let name = &role.role_name;
    let policy = grant(&repositories, creates, imports);
    let by_hand = Fix::Manual {
        because: "the right to create repositories is given only by a person".to_owned(),
        steps: vec![
            format!(
                "give role {name} what the cache needs: aws iam put-role-policy --role-name {name} --policy-name \
                 EcrFixPullThroughCache --policy-document '{policy}'"
            ),
            "read more: ecr-fix explain ptc-permission-missing".to_owned(),
        ],
    };
    let attaches_pull_only = match &blocker.fix {
        Fix::Automatic { changes, .. } => changes.iter().all(|change| change.summary().contains(PULL_ONLY)),
        Fix::Manual { .. } | Fix::NotAws { .. } => false,
    };
    if creates || !attaches_pull_only { Blocker { fix: by_hand, ..blocker } } else { blocker }
}

/// The smallest policy that lets a role bring these repositories in.
fn grant(repositories: &[String], creates: bool, imports: bool) -> String {
    let calls: Vec<&str> = creates.then_some(CREATE).into_iter().chain(imports.then_some(IMPORT)).collect();
    let statement = serde_json::json!({ "Sid": "EcrFixCache", "Effect": "Allow", "Action": calls, "Resource": repositories });
    serde_json::json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
}

fn without_library(image: &Image, pulls: Vec<String>) -> Blocker {
    let name = image.repository().name;
    let (start, last) = name.rsplit_once('/').unwrap_or(("", name));
    let right = format!("{start}/library/{last}");
    Blocker {
        cause: "ptc-dockerhub-library-prefix",
        legs: vec![Leg::Image],
        pulls,
        severity: Severity::High,
        resource: image.repository_arn.clone(),
        account: image.account.clone(),
        summary: format!("Docker Hub has no {last}: its official images are named library/{last}"),
        evidence: vec![Evidence {
            source: "ecr:DescribePullThroughCacheRules".to_owned(),
            saw: format!("a rule for {DOCKER_HUB}, and the name {name} without library/"),
        }],
        fix: Fix::NotAws {
            because: "the name stands in the pod".to_owned(),
            steps: vec![
                format!("write {} in the pod", image.name.replacen(name, &right, 1)),
                "read more: ecr-fix explain ptc-dockerhub-library-prefix".to_owned(),
            ],
        },
    }
}

fn refused_upstream(image: &Image, rule: &PullThroughCacheRule, pulls: Vec<String>) -> Blocker {
    let prefix = &rule.ecr_repository_prefix;
    let failure = rule.failure.as_deref().unwrap_or("no reason is given");
    Blocker {
        cause: "ptc-upstream-auth-failed",
        legs: vec![Leg::Image],
        pulls,
        severity: Severity::High,
        resource: image.repository_arn.clone(),
        account: image.account.clone(),
        summary: format!("the cache for {prefix} cannot log in at {}", rule.upstream_registry_url),
        evidence: vec![Evidence {
            source: "ecr:ValidatePullThroughCacheRule".to_owned(),
            saw: format!("isValid false: {failure}"),
        }],
        fix: Fix::Manual {
            because: "ecr-fix reads and writes no secrets".to_owned(),
            steps: vec![
                format!(
                    "put a valid token into {}, then: aws ecr validate-pull-through-cache-rule --region {} \
                     --ecr-repository-prefix {}",
                    rule.credential_arn.as_deref().unwrap_or("the secret of the rule"),
                    quoted(&image.region),
                    quoted(prefix)
                ),
                "read more: ecr-fix explain ptc-upstream-auth-failed".to_owned(),
            ],
        },
    }
}

fn without_internet(world: &World<'_>, image: &Image, pulls: Vec<String>) -> Blocker {
    let name = image.repository().name;
    Blocker {
        cause: "ptc-first-pull-no-internet",
        legs: vec![Leg::LayerNetwork],
        pulls,
        severity: Severity::High,
        resource: image.repository_arn.clone(),
        account: world.target.account.clone(),
        summary: format!(
            "the first pull of {name} through the cache needs the internet, which the nodes do not reach"
        ),
        evidence: vec![Evidence {
            source: "ecr:DescribeImages".to_owned(),
            saw: format!("{} is not in the cache yet", image.name),
        }],
        fix: Fix::Manual {
            because: "no way to the internet is opened unasked".to_owned(),
            steps: vec![
                format!("pull it once from where the internet can be reached: docker pull {}", image.name),
                "read more: ecr-fix explain ptc-first-pull-no-internet".to_owned(),
            ],
        },
    }
}
