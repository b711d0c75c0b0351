//! Security groups and network ACLs that let too little through.

use super::{Stop, fixes::Remedy};
use crate::network::Network;
use crate::pulls::World;

/// The changes that mend a cause at a component.
///
/// # Errors
/// Why there is no change that ecr-fix makes by itself.
pub(super) fn remedy(
    _network: &Network<'_>,
    _world: &World<'_>,
    _cause: &str,
    _component: &str,
    _stop: &Stop,
) -> Remedy {
    Err("this version changes roles only; it does not change networks".to_owned())
}
