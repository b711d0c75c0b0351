//! One way of a packet: the hops so far, and what was found on them.

use std::cell::Cell;
use std::rc::Rc;

use super::super::addresses::AddressSet;
use super::super::filter::{self, Direction, Service};
use super::super::trace::{Blocker, Decision, Denied, Hop, HopKind, Reason, Side, Verdict};
use super::{Arrival, End, MOST_STEPS, Translation};

/// One way that a packet, or a reply, takes.
#[derive(Clone, Debug)]
pub(super) struct Path {
    pub(super) hops: Vec<Hop>,
    pub(super) blockers: Vec<Blocker>,
    pub(super) unknown: Vec<String>,
    pub(super) arrival: Option<Arrival>,
    pub(super) from: End,
    pub(super) to: End,
    /// The part of the destination that takes this way, before any translation.
    pub(super) part: AddressSet,
    pub(super) service: Service,
    pub(super) reply: bool,
    pub(super) side: Side,
    pub(super) translations: Vec<Translation>,
    /// The zone that it started in: transit gateways keep to it.
    pub(super) zone: Option<String>,
    pub(super) router: Option<usize>,
    pub(super) gateways: u8,
    /// How often all ways that began as one may still leave a subnet.
    pub(super) budget: Rc<Cell<u32>>,
}

impl Path {
    pub(super) fn new(hops: Vec<Hop>, from: End, to: End, service: Service) -> Path {
        Path {
            hops,
            blockers: Vec::new(),
            unknown: Vec::new(),
            arrival: None,
            from,
            part: to.addresses.clone(),
            to,
            service,
            reply: false,
            side: Side::Source,
            translations: Vec::new(),
            zone: None,
            router: None,
            gateways: 0,
            budget: Rc::new(Cell::new(MOST_STEPS)),
        }
    }

    /// The part of this path that goes to some of its addresses.
    pub(super) fn part(&self, addresses: AddressSet) -> Path {
        let mut part = self.clone();
        if part.part == part.to.addresses {
            part.part.clone_from(&addresses);
        }
        part.to.addresses = addresses;
        part
    }

    pub(super) fn pass(&mut self, hop: Hop) {
        self.hops.push(hop);
    }

    pub(super) fn gateway(&mut self, kind: HopKind, id: &str) {
        self.router = None;
        self.gateways += 1;
        self.pass(Hop::new(kind, id));
    }

    pub(super) fn block(
        &mut self,
        kind: HopKind,
        component: &str,
        reason: Reason,
        because: impl Into<String>,
    ) {
        self.block_part(kind, component, reason, because.into(), Vec::new(), None);
    }

    pub(super) fn block_part(
        &mut self,
        kind: HopKind,
        component: &str,
        reason: Reason,
        because: String,
        failing: Vec<String>,
        denied: Option<Denied>,
    ) {
        let is_filter = matches!(kind, HopKind::NetworkAcl | HopKind::SecurityGroup);
        let reason = if self.reply && !is_filter { Reason::ReturnPath } else { reason };
        self.blockers.push(Blocker {
            component: component.to_owned(),
            kind,
            reason,
            side: self.side,
            on_return: self.reply,
            because,
            failing,
            denied,
        });
    }

    /// Counts one more step; `false` where there have been too many.
    pub(super) fn spend(&self) -> bool {
        let left = self.budget.get();
        self.budget.set(left.saturating_sub(1));
        left > 0
    }

    /// Ends the path at a component that packets do not get past.
    pub(super) fn stop(mut self, hop: Hop, reason: Reason, because: impl Into<String>) -> Vec<Path> {
        let because = because.into();
        self.block(hop.kind, &hop.id, reason, because.clone());
        self.end_at(hop.decided(Decision::Deny, because));
        vec![self]
    }

    /// Ends the path where nobody knows how it goes on.
    pub(super) fn lose(mut self, hop: Hop, why: impl Into<String>) -> Vec<Path> {
        let why = why.into();
        self.end_at(hop.decided(Decision::Unknown, why.clone()));
        self.unknown.push(why);
        vec![self]
    }

    /// Adds the last hop, in the place of one that stands there undecided.
    pub(super) fn end_at(&mut self, hop: Hop) {
        if self
            .hops
            .last()
            .is_some_and(|last| last.kind == hop.kind && last.id == hop.id && last.decision.is_none())
        {
            self.hops.pop();
        }
        self.pass(hop);
    }

    pub(super) fn arrive(mut self, arrival: Arrival) -> Vec<Path> {
        self.arrival = Some(arrival);
        vec![self]
    }

    pub(super) fn verdict(&self) -> Verdict {
        match (self.blockers.is_empty(), self.unknown.is_empty()) {
            (false, _) => Verdict::Blocked,
            (true, false) => Verdict::Unknown,
            (true, true) => Verdict::Reachable,
        }
    }

    /// Takes note of what a filter said; packets are followed further either way, so that every blocker is found.
    pub(super) fn filtered(
        &mut self,
        kind: HopKind,
        direction: Direction,
        said: filter::Decision,
        peer: &End,
        reason: Reason,
        owner: &str,
    ) {
        let mut hop = Hop::new(kind, &said.component);
        hop.direction = Some(direction);
        hop.rule.clone_from(&said.rule);
        if said.allows_all() {
            self.pass(hop.decided(Decision::Allow, ""));
            return;
        }
        let partly = said.denied != peer.addresses;
        let towards = match direction {
            Direction::Egress => "to",
            Direction::Ingress => "from",
        };
        let rule = match (kind, &said.rule) {
            (HopKind::NetworkAcl, Some(rule)) => format!("entry {rule}"),
            _ => "no rule".to_owned(),
        };
        let verb = if kind == HopKind::NetworkAcl { "denies" } else { "allows" };
        let whom = peer
            .prefix_list
            .as_deref()
            .filter(|_| !partly)
            .map_or_else(|| said.denied.to_string(), str::to_owned);
        let because =
            format!("{rule} of {owner} {verb} {} {towards} {whom} ({})", self.service, direction.as_str());
        let unsure = said.doubt.or_else(|| (partly && !peer.every).then(|| because.clone()));
        match unsure {
            Some(doubt) => {
                let doubt = if doubt == because { format!("perhaps blocked: {because}") } else { doubt };
                self.pass(hop.decided(Decision::Unknown, doubt.clone()));
                self.unknown.push(doubt);
            }
            None => {
                let failing = if partly {
                    said.denied.blocks().iter().map(ToString::to_string).collect()
                } else {
                    Vec::new()
                };
                let denied = Denied {
                    direction,
                    service: self.service,
                    peers: said.denied,
                    prefix_list: peer.prefix_list.clone(),
                };
                self.block_part(kind, &said.component, reason, because.clone(), failing, Some(denied));
                self.pass(hop.decided(Decision::Deny, because));
            }
        }
    }
}
