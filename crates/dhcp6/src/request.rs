//! What a message asks for and where from, after the checks of RFC 8415 section 16.

use std::{
    net::{Ipv6Addr, SocketAddrV6},
    sync::Arc,
};

use model::{Duid, Mac, Timestamp};

use crate::{
    CLIENT_PORT, Origin, Reply, SERVER_PORT,
    counters::Drop,
    message::{IaView, MessageType, MessageView, Packet, RelayView, Writer, code},
};

/// Octets of an interface or remote id that are kept.
const IDENTIFIER_MAX: usize = 255;

/// A valid message of a client in one subnet.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) now: Timestamp,
    pub(crate) origin: Origin,
    pub(crate) message: MessageView<'a>,
    pub(crate) relays: &'a [RelayView<'a>],
    /// Absent in some INFORMATION-REQUESTs only; an empty one then.
    pub(crate) duid: Duid,
    pub(crate) mac: Option<Mac>,
    /// Index of the subnet.
    pub(crate) subnet: usize,
}

impl<'a> Request<'a> {
    /// True when the client wrote to our own address, which RFC 8415 section 18.4 forbids it.
    pub(crate) fn is_unicast(&self) -> bool {
        let local = self.origin.local;
        self.relays.is_empty() && !local.is_multicast() && !local.is_unspecified()
    }

    /// True when option 6 lists `code`, or the client sent no option 6 and so takes what there is.
    pub(crate) fn wants(&self, code: u16) -> bool {
        self.message.option(code::OPTION_REQUEST).is_none() || self.message.requests(code)
    }

    /// The identity associations, the first of each IAID.
    pub(crate) fn associations(&self) -> Vec<IaView<'a>> {
        let mut associations: Vec<IaView<'a>> = Vec::new();
        for association in self.message.associations() {
            if associations.iter().all(|seen| seen.iaid != association.iaid) {
                associations.push(association);
            }
        }
        associations
    }

    /// Option 18 of the relay next to the client, empty if none.
    pub(crate) fn interface_id(&self) -> Arc<[u8]> {
        self.identifier(code::INTERFACE_ID)
    }

    /// Option 37 of the relay next to the client, empty if none.
    pub(crate) fn remote_id(&self) -> Arc<[u8]> {
        self.identifier(code::REMOTE_ID)
    }

    fn identifier(&self, code: u16) -> Arc<[u8]> {
        let octets = self.relays.iter().rev().find_map(|relay| relay.option(code)).unwrap_or_default();
        octets[..octets.len().min(IDENTIFIER_MAX)].into()
    }

    /// Starts the answer: type, transaction, server and client.
    pub(crate) fn answer(&self, message_type: MessageType, server: &Duid) -> Writer {
        let mut writer = Writer::message(message_type, self.message.transaction_id);
        writer.option(code::SERVER_ID, &server.0);
        if !self.duid.0.is_empty() {
            writer.option(code::CLIENT_ID, &self.duid.0);
        }
        writer
    }

    /// Wraps the answer for the way back (RFC 8415 section 19.3) and addresses it.
    pub(crate) fn reply(&self, message: Writer, needs_save: bool) -> Reply {
        let mut bytes = message.finish();
        for relay in self.relays.iter().rev() {
            let mut writer = Writer::relay_reply(relay.hop_count, relay.link_address, relay.peer_address, &bytes);
            for code in [code::INTERFACE_ID, code::RELAY_SOURCE_PORT] {
                if let Some(data) = relay.option(code) {
                    writer.option(code, data);
                }
            }
            bytes = writer.finish();
        }
        let from_port = |relay: &RelayView<'_>| relay.option(code::RELAY_SOURCE_PORT).is_some();
        let port = match self.relays.first() {
            None => CLIENT_PORT,
            Some(outermost) if from_port(outermost) => self.origin.source.port(),
            Some(_) => SERVER_PORT,
        };
        let address = *self.origin.source.ip();
        let scope = if address.is_unicast_link_local() { self.origin.interface } else { 0 };
        let local = self.origin.local;
        Reply {
            to: SocketAddrV6::new(address, port, 0, scope),
            from: (!local.is_multicast() && !local.is_unspecified()).then_some(local),
            interface: self.origin.interface,
            bytes,
            needs_save,
        }
    }
}

/// Checks that the message has what its type must have and lacks what it must not have (RFC 8415 section 16).
pub(crate) fn validate(message: &MessageView<'_>, server: &Duid) -> Result<(), Drop> {
    let client_id = message.option(code::CLIENT_ID);
    let server_id = message.option(code::SERVER_ID);
    match message.message_type {
        // Sections 16.2, 16.5 and 16.7.
        MessageType::Solicit | MessageType::Confirm | MessageType::Rebind => {
            if client_id.is_none() || server_id.is_some() {
                return Err(Drop::Invalid);
            }
        }
        // Sections 16.4, 16.6, 16.8 and 16.9.
        MessageType::Request | MessageType::Renew | MessageType::Release | MessageType::Decline => {
            if client_id.is_none() || server_id.is_none() {
                return Err(Drop::Invalid);
            }
        }
        // Section 16.12.
        MessageType::InformationRequest => {
            let is_association = |code| matches!(code, code::IA_NA | code::IA_TA | code::IA_PD);
            if message.options().any(|(code, _)| is_association(code)) {
                return Err(Drop::Invalid);
            }
        }
        // Sections 16.3, 16.10 and 16.11.
        MessageType::Advertise | MessageType::Reply | MessageType::Reconfigure => return Err(Drop::Invalid),
    }
    match server_id {
        Some(id) if *id != *server.0 => Err(Drop::NotForUs),
        _ => Ok(()),
    }
}

/// The client's Ethernet address: by its relay (RFC 6939), else from its DUID.
pub(crate) fn mac_of(packet: &Packet<'_>, duid: &Duid) -> Option<Mac> {
    packet.relays.iter().rev().find_map(RelayView::client_mac).or_else(|| Duid::mac_in(&duid.0))
}

/// The address that says which link the client is on: of the relay nearest to it that knows one (RFC 8415 section
/// 13.1; relays in switches know none, RFC 6221).
pub(crate) fn link_address(relays: &[RelayView<'_>]) -> Option<Ipv6Addr> {
    let is_known = |address: &Ipv6Addr| !address.is_unspecified() && !address.is_unicast_link_local();
    relays.iter().rev().map(|relay| relay.link_address).find(is_known)
}
