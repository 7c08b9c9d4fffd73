//! Which subnet a message is of.

use std::net::Ipv4Addr;

use crate::{
    Engine, Origin,
    bindings::{Hold, Slot},
    message::{MessageType, MessageView, RelayAgentView, code},
    request::Request,
};

impl Engine {
    /// The client's subnet: link selection (RFC 3527), subnet selection (RFC 3011), relay agent, own address of a
    /// client that renews past its relay (RFC 2131 section 4.3.2), interface, address of the interface. For broadcasts
    /// the interface comes before the client's own address.
    /// The first that is present decides, except that a `ciaddr` of elsewhere says nothing about where we are.
    pub(crate) fn select_subnet(
        &self,
        view: &MessageView<'_>,
        relay: &RelayAgentView<'_>,
        origin: &Origin,
    ) -> Option<usize> {
        if let Some(link) = relay.link_selection {
            return self.subnet_of(link);
        }
        if let Some(address) = view.address_option(code::SUBNET_SELECTION) {
            return self.subnet_of(address);
        }
        if !view.giaddr().is_unspecified() {
            return self.subnet_of(view.giaddr());
        }
        let by_client = || Some(view.ciaddr()).filter(|address| !address.is_unspecified());
        let by_interface = || {
            let index = Some(origin.interface).filter(|&index| index != 0)?;
            self.subnets.iter().position(|subnet| subnet.interfaces.contains(&index))
        };
        let by_client = || by_client().and_then(|address| self.subnet_of(address));
        // A broadcast was sent on the link that it was heard on, whatever address its sender still has.
        let found =
            if origin.is_broadcast { by_interface().or_else(by_client) } else { by_client().or_else(by_interface) };
        found.or_else(|| self.subnet_of(origin.local))
    }

    pub(crate) fn subnet_of(&self, address: Ipv4Addr) -> Option<usize> {
        let after = self.by_prefix.partition_point(|&(network, _)| network <= address);
        let (_, index) = *self.by_prefix.get(after.checked_sub(1)?)?;
        self.subnets[index].prefix.contains(&address).then_some(index)
    }

    /// Of the subnets that share the client's link: the one of the address that it says it has; for a DISCOVER the one
    /// where it has a reservation, an address, or had its last one, else the first with room.
    pub(crate) fn subnet_on_link(&mut self, request: &Request<'_>) -> usize {
        let on_link = || [request.subnet].into_iter().chain(self.siblings[request.subnet].iter().copied());
        let ciaddr = Some(request.view.ciaddr()).filter(|address| !address.is_unspecified());
        if request.message_type != MessageType::Discover
            && let Some(address) = ciaddr.or_else(|| request.requested())
        {
            return on_link().find(|&index| self.subnets[index].prefix.contains(&address)).unwrap_or(request.subnet);
        }
        let (relay, identifier) = (&request.relay, request.client_identifier());
        let is_reserved = |index: usize| {
            let subnet = &self.subnets[index];
            subnet.reservation(identifier, request.mac, relay.circuit_id, relay.remote_id).is_some()
        };
        let own = |index: usize| Some(self.bindings.slot(self.bindings.of_client(index, request.client())?));
        let is_held = |slot: &Slot| slot.is_leased_to(request.client()) || slot.is_offered_to(request.client());
        let is_free = |slot: &Slot| slot.group.is_some() && slot.hold == Hold::Free;
        let known = on_link()
            .find(|&index| is_reserved(index))
            .or_else(|| on_link().find(|&index| own(index).is_some_and(is_held)))
            .or_else(|| on_link().find(|&index| own(index).is_some_and(is_free)));
        known.or_else(|| self.first_with_room(request)).unwrap_or(request.subnet)
    }

    fn first_with_room(&mut self, request: &Request<'_>) -> Option<usize> {
        if self.has_room(request.subnet, request.classes) {
            return Some(request.subnet);
        }
        let others = 0..self.siblings[request.subnet].len();
        others.into_iter().find_map(|other| {
            let index = self.siblings[request.subnet][other];
            self.has_room(index, request.classes).then_some(index)
        })
    }
}
