//! How to mend what stops packets: by a change where there is a narrow one, by a person otherwise.

use super::{Stop, endpoints, filters, routes, steps::steps};
use crate::actions::AnyChange;
use crate::diagnosis::Fix;
use crate::network::Network;
use crate::pulls::World;

/// The changes that mend a cause, and why these; or why there are none.
pub(super) type Remedy = Result<(Vec<AnyChange>, String), String>;

/// How to mend a cause at a component.
pub(super) fn fix(
    network: &Network<'_>,
    world: &World<'_>,
    cause: &str,
    component: &str,
    stop: &Stop,
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
        | "vpc-dns-support-disabled" => endpoints::remedy(network, world, cause, component, stop),
        "vpce-sg-blocks-443"
        | "sg-egress-blocked"
        | "sg-egress-missing-s3-prefix-list"
        | "fargate-sg-blocks"
        | "nacl-blocked" => filters::remedy(network, world, cause, component, stop),
        _ => routes::remedy(network, world, cause, component, stop),
    };
    match remedy {
        Ok((changes, because)) => Fix::Automatic { changes, because },
        Err(because) => Fix::Manual { because, steps: steps(world, cause, component) },
    }
}
