//! Noticing that another DHCP server is at work, and that it is not ourselves.

use std::net::Ipv4Addr;

use model::{Mac, Timestamp};

use crate::{
    DhcpEvent, Effect, Engine, Origin,
    message::{MessageView, RelayAgentView},
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
        self.note_foreign(now, heard.server, None, Ipv4Addr::UNSPECIFIED, origin.interface)
    }

    pub(crate) fn note_foreign(
        &mut self,
        now: Timestamp,
        server: Ipv4Addr,
        heard_from: Option<Mac>,
        relay: Ipv4Addr,
        interface: u32,
    ) -> bool {
        if self.own.contains(&server) {
            return false;
        }
        self.counters.foreign_servers += 1;
        if self.foreign.hear(server, now) {
            let event = DhcpEvent::ForeignServer { server, heard_from, relay, interface };
            self.effects.push_back(Effect::Event(event));
        }
        true
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
