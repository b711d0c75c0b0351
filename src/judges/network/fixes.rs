//! How to mend what stops packets: by a change where there is a narrow one, by a person otherwise.

use super::{Stop, endpoints, filters, routes, steps::steps};
use crate::actions::AnyChange;
use crate::diagnosis::Fix;
use crate::judges::Options;
use crate::network::{Network, Reason};
use crate::pulls::World;

/// The changes that mend a cause, and why these; or why there are none.
pub(super) type Remedy = Result<(Vec<AnyChange>, String), String>;

/// The same, with what a person does where there are none.
pub(super) type RemedyOrSteps = Result<(Vec<AnyChange>, String), Manual>;

/// Why a person has to do it, and how.
#[derive(Debug)]
pub(super) struct Manual {
    /// Why.
    pub(super) because: String,
    /// The commands for this world; empty: those of the cause.
    pub(super) commands: Vec<String>,
}

impl Manual {
    /// By the commands of the cause.
    pub(super) fn because(because: impl Into<String>) -> Manual {
        Manual { because: because.into(), commands: Vec::new() }
    }
}

/// How to mend a cause at a component.
pub(super) fn fix(
    network: &Network<'_>,
    world: &World<'_>,
    cause: &str,
    component: &str,
    stop: &Stop,
    options: &Options,
) -> Fix {
    let remedy = match cause {
        "vpce-ecr-api-missing"
        | "vpce-ecr-dkr-missing"
        | "vpce-s3-missing"
        | "vpce-s3-interface-only"
        | "cross-region-private-pull"
        | "vpce-private-dns-disabled"
        | "vpce-subnet-az-missing"
        | "s3-gateway-route-table-missing"
        | "vpc-dns-support-disabled" => {
            endpoints::remedy(network, world, cause, component, stop).map_err(Manual::because)
        }
        "vpce-sg-blocks-443"
        | "sg-egress-blocked"
        | "sg-egress-missing-s3-prefix-list"
        | "fargate-sg-blocks"
        | "dns-server-unreachable"
        | "nacl-blocked" => filters::remedy(network, world, cause, component, stop, options),
        _ => routes::remedy(network, world, cause, component, stop, options),
    };
    match remedy {
        Ok((changes, because)) => Fix::Automatic { changes, because },
        Err(Manual { because, commands }) if commands.is_empty() => {
            Fix::Manual { because, steps: steps(world, cause, component) }
        }
        Err(Manual { because, commands }) => {
            let more = format!("read more: ecr-fix explain {cause}");
            Fix::Manual { because, steps: commands.into_iter().chain([more]).collect() }
        }
    }
}

/// Whether packets of every flow get past a component, for these reasons, once the changes are made.
pub(super) fn opens(
    world: &World<'_>,
    changes: &[AnyChange],
    component: &str,
    reasons: &[Reason],
    stop: &Stop,
) -> bool {
    let mut mended = world.snapshot.clone();
    changes.iter().for_each(|change| change.simulate(&mut mended));
    let network = Network::of(&mended);
    stop.flows.iter().all(|(leg, trace, source)| {
        super::trace_again(&network, *leg, trace, source).is_some_and(|again| {
            let stopped = |blocker: &crate::network::Blocker| {
                blocker.component == component && reasons.contains(&blocker.reason)
            };
            !again.blockers.iter().any(stopped)
        })
    })
}
