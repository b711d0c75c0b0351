//! Which way the packets of a pull take, for conditions of policies that ask for it.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use super::network;
use crate::model::EcrHost;
use crate::network::Network;
use crate::network::names::{PullHosts, Resolution};
use crate::pulls::{Pull, World};

/// The keys that only a request through an endpoint has.
const OF_ENDPOINTS: [&str; 3] = ["aws:SourceVpc", "aws:SourceVpce", "aws:VpcSourceIp"];

/// The ways of a world: its network is compiled when the first condition asks for it.
pub(super) struct Paths<'w> {
    pub(super) world: &'w World<'w>,
    network: OnceCell<Network<'w>>,
}

/// What is known of a request because of the way that it takes.
pub(super) struct Facts {
    /// Keys with their values.
    pub(super) context: BTreeMap<String, Vec<String>>,
    /// Keys that it does not have.
    pub(super) absent: BTreeSet<String>,
}

impl<'w> Paths<'w> {
    /// Of a world.
    pub(super) fn of(world: &'w World<'w>) -> Paths<'w> {
        Paths { world, network: OnceCell::new() }
    }

    pub(super) fn network(&self) -> &Network<'w> {
        self.network.get_or_init(|| Network::of(self.world.snapshot))
    }

    /// The facts about the call for the token, or about those to the registry; `None` where not all places of the
    /// source take one way, or where that was not read.
    pub(super) fn facts(&self, pull: &Pull<'_>, about_token: bool) -> Option<Facts> {
        let registry = pull.image.name.split('/').next().unwrap_or_default();
        let hosts = PullHosts::of(&EcrHost::parse(registry)?)?;
        let host = if about_token { &hosts.api } else { &hosts.registry };
        let places = network::places(self.network(), self.world, pull.source);
        let mut ways = places.iter().map(|place| self.network().resolve(place, host));
        let way = ways.next()?;
        if ways.any(|other| other != way) {
            return None;
        }
        match way {
            Resolution::Private { endpoint } => {
                let vpc = self.world.snapshot.ec2.vpc_endpoints.get(&endpoint)?.vpc_id.clone();
                let context = [("aws:SourceVpce", endpoint), ("aws:SourceVpc", vpc)];
                let context = context.map(|(key, value)| (key.to_owned(), vec![value]));
                Some(Facts { context: context.into(), absent: BTreeSet::new() })
            }
            Resolution::Public { .. } => {
                Some(Facts { context: BTreeMap::new(), absent: OF_ENDPOINTS.map(str::to_owned).into() })
            }
            Resolution::Address(_) | Resolution::Unknown(_) | Resolution::NoAnswer(_) => None,
        }
    }
}
