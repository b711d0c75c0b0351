//! The way of the replies.

use super::super::Network;
use super::super::trace::{Hop, HopKind, Side};
use super::{Arrival, Path};

impl Network<'_> {
    /// The way of the replies to what arrived.
    pub(super) fn reply(&self, there: &Path) -> Vec<Path> {
        let Some(arrival) = &there.arrival else { return Vec::new() };
        let mut back = Path::new(
            Vec::new(),
            there.to.clone(),
            there.from.clone(),
            there.service.answer(there.from.ports),
        );
        back.reply = true;
        back.side = Side::Destination;
        back.translations.clone_from(&there.translations);
        match arrival {
            Arrival::Beside => Vec::new(),
            Arrival::Interface => self.reply_from_interface(back),
            Arrival::Service { vpc, endpoint } => {
                back.gateway(HopKind::VpcEndpoint, endpoint);
                self.deliver(back, *vpc, None)
            }
            Arrival::Internet { vpc, gateway, kind } => {
                back.pass(Hop::new(HopKind::Internet, "internet"));
                back.gateway(*kind, gateway);
                if back.translations.last().is_some_and(|translation| &translation.by == gateway)
                    && let Some(translation) = back.translations.pop()
                {
                    back.to = translation.before;
                }
                self.reply_into(back, *vpc, gateway)
            }
        }
    }

    /// From the internet to the sender, or to the NAT gateway that stands for it.
    pub(super) fn reply_into(&self, back: Path, vpc: usize, gateway: &str) -> Vec<Path> {
        let regional = back
            .translations
            .last()
            .map(|translation| translation.by.clone())
            .filter(|_| back.to.subnet.is_none());
        match regional {
            Some(nat) => self.back_through_nat(back, &nat, None),
            None => self.come_in_by(back, vpc, gateway),
        }
    }

    pub(super) fn reply_from_interface(&self, mut back: Path) -> Vec<Path> {
        if let Some(interface) = back.from.interface.and_then(|index| self.interfaces.get(index)) {
            if let Some(instance) = &interface.instance {
                back.pass(Hop::new(HopKind::Instance, instance));
            }
            back.pass(Hop::new(HopKind::NetworkInterface, &interface.id));
        }
        let Some(subnet) = back.from.subnet else {
            return back.lose(Hop::new(HopKind::Subnet, "?"), "the subnet of the destination was not read");
        };
        back.zone = self.subnets.get(subnet).and_then(|subnet| subnet.zone.clone());
        self.leave_subnet(back, subnet)
    }
}
