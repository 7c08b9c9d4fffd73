//! Noticing that another DHCP server is at work, and that it is not ourselves.

use std::{net::Ipv4Addr, sync::Arc};

use model::{Lease, Mac, Timestamp};

use crate::{
    DhcpEvent, Effect, Engine, Origin,
    message::{MessageView, RelayAgentView},
    request::Request,
    rogue::overheard,
};

/// Addresses of our own that are remembered.
const OWN_MAX: usize = 64;

impl Engine {
    /// What was heard on the link of another server's messages to clients. False when it says nothing of the kind, or is
    /// our own.
    pub fn on_foreign(&mut self, now: Timestamp, origin: &Origin, bytes: &[u8]) -> bool {
        let own = self.own_identifier(origin);
        let Some(heard) = overheard(bytes).filter(|heard| heard.server != own) else { return false };
        let told = self.note_foreign(now, heard.server);
        if told == Some(true) {
            self.effects.push_back(Effect::Event(DhcpEvent::ForeignServer {
                server: heard.server,
                heard_from: None,
                relay: Ipv4Addr::UNSPECIFIED,
                circuit_id: Arc::default(),
                remote_id: Arc::default(),
                interface: origin.interface,
            }));
        }
        told.is_some()
    }

    /// A client took another server's offer.
    pub(crate) fn on_foreign_choice(&mut self, request: &Request<'_>, server: Ipv4Addr) {
        if self.note_foreign(request.now, server) == Some(true) {
            self.effects.push_back(Effect::Event(DhcpEvent::ForeignServer {
                server,
                heard_from: request.mac,
                relay: request.view.giaddr(),
                circuit_id: request.relay.circuit_id.into(),
                remote_id: request.relay.remote_id.into(),
                interface: request.origin.interface,
            }));
        }
    }

    /// Counts it; `None` when it is ourselves, true when it is to be told.
    fn note_foreign(&mut self, now: Timestamp, server: Ipv4Addr) -> Option<bool> {
        if self.own.contains(&server) {
            return None;
        }
        self.counters.foreign_servers += 1;
        Some(self.foreign.hear(server, now))
    }

    /// The newest lease of a hardware address that says behind which port it is: machines that play server are clients
    /// now and then. Looks at all leases.
    pub fn lease_with_port(&self, mac: Mac) -> Option<&Lease> {
        let is_placed = |lease: &&Lease| !lease.circuit_id.is_empty() || !lease.remote_id.is_empty();
        self.leases().filter(|lease| lease.mac == Some(mac)).filter(is_placed).max_by_key(|lease| lease.starts)
    }

    /// A server without an identifier of its own has one for each address that clients reach it by, and a relay agent
    /// may have another name for it: its own address (RFC 5107 section 4).
    pub(crate) fn note_own(&mut self, view: &MessageView<'_>, relay: &RelayAgentView<'_>, origin: &Origin) {
        let by_relay = relay.server_override.filter(|address| *address == view.giaddr());
        for address in [Some(self.own_identifier(origin)), by_relay].into_iter().flatten() {
            if self.own.len() < OWN_MAX && !self.own.contains(&address) {
                self.own.push(address);
            }
        }
    }
}
