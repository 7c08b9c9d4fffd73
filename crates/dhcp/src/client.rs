//! The client's side of DHCPv4, for simulated clients, relays and tests: write messages, read replies.
//!
//! Each function returns one whole datagram. A client behind a relay has `relay` set; the relay's part (giaddr,
//! hops, option 82) is then written as the relay would have added it.

use std::{net::Ipv4Addr, time::Duration};

use model::Mac;

use crate::message::{BOOTREPLY, MessageBuilder, MessageType, MessageView, ParseError, RelayAgentInformation, code};

/// Parameters that ordinary clients ask for: mask, router, name servers, domain, broadcast address, NTP, search list.
pub const PARAMETERS: &[u8] = &[1, 3, 6, 15, 28, 42, 119];

/// Who sends, and by which way. Borrowed, so that a crowd of clients shares what is equal.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    /// Transaction number (RFC 2131 section 4.4.1).
    pub xid: u32,
    /// The client's Ethernet address.
    pub mac: Mac,
    /// Option 61, without it the MAC identifies the client.
    pub client_identifier: Option<&'a [u8]>,
    /// Option 12.
    pub host_name: Option<&'a str>,
    /// Option 55; empty = left out.
    pub parameters: &'a [u8],
    /// Sets the broadcast bit.
    pub wants_broadcast: bool,
    /// The relay agent in between, if any.
    pub relay: Option<Relay<'a>>,
}

/// What a relay agent adds (RFC 2131 section 4.1, RFC 3046).
#[derive(Clone, Copy, Debug)]
pub struct Relay<'a> {
    /// The relay's address on the client's link.
    pub giaddr: Ipv4Addr,
    /// Data of option 82, see [`RelayAgentInformation::encode`]; empty = left out.
    pub information: &'a [u8],
}

/// Which kind of DHCPREQUEST (RFC 2131 section 4.3.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request {
    /// Accept an offer: options 50 and 54.
    Selecting {
        /// The address offered.
        address: Ipv4Addr,
        /// The server that offered it.
        server: Ipv4Addr,
    },
    /// Ask for the address of last time: option 50.
    Rebooting {
        /// The address of last time.
        address: Ipv4Addr,
    },
    /// Extend the lease: `ciaddr`. A renewing client (T1) sends it to its server, past the relay: leave `relay` out.
    /// A rebinding one (T2) broadcasts the same message.
    Extending {
        /// The address leased.
        address: Ipv4Addr,
    },
}

impl<'a> Sender<'a> {
    /// A client without any extras that asks for [`PARAMETERS`].
    pub fn new(xid: u32, mac: Mac) -> Self {
        Self {
            xid,
            mac,
            client_identifier: None,
            host_name: None,
            parameters: PARAMETERS,
            wants_broadcast: false,
            relay: None,
        }
    }

    /// The same client behind a relay agent.
    pub fn relayed(self, giaddr: Ipv4Addr, information: &'a [u8]) -> Self {
        Self { relay: Some(Relay { giaddr, information }), ..self }
    }

    fn begin(&self, message_type: MessageType) -> MessageBuilder {
        let mut builder = MessageBuilder::request(message_type, self.xid, self.mac);
        if self.wants_broadcast {
            builder.broadcast();
        }
        if let Some(relay) = self.relay {
            builder.giaddr(relay.giaddr).hops(1);
        }
        if let Some(identifier) = self.client_identifier {
            builder.option(code::CLIENT_IDENTIFIER, identifier);
        }
        builder
    }

    fn end(&self, builder: MessageBuilder) -> Vec<u8> {
        builder.finish(self.relay.map(|relay| relay.information).filter(|information| !information.is_empty()))
    }

    fn end_with_wishes(&self, mut builder: MessageBuilder) -> Vec<u8> {
        if let Some(name) = self.host_name {
            builder.option(code::HOST_NAME, name.as_bytes());
        }
        if !self.parameters.is_empty() {
            builder.option(code::PARAMETER_LIST, self.parameters);
        }
        self.end(builder)
    }
}

/// DHCPDISCOVER, with option 50 when `requested`.
pub fn discover(sender: &Sender<'_>, requested: Option<Ipv4Addr>) -> Vec<u8> {
    let mut builder = sender.begin(MessageType::Discover);
    if let Some(address) = requested {
        builder.option(code::REQUESTED_ADDRESS, &address.octets());
    }
    sender.end_with_wishes(builder)
}

/// DHCPREQUEST of the given kind.
pub fn request(sender: &Sender<'_>, kind: Request) -> Vec<u8> {
    let mut builder = sender.begin(MessageType::Request);
    match kind {
        Request::Selecting { address, server } => {
            builder.option(code::REQUESTED_ADDRESS, &address.octets());
            builder.option(code::SERVER_IDENTIFIER, &server.octets());
        }
        Request::Rebooting { address } => {
            builder.option(code::REQUESTED_ADDRESS, &address.octets());
        }
        Request::Extending { address } => {
            builder.ciaddr(address);
        }
    }
    sender.end_with_wishes(builder)
}

/// DHCPRELEASE of `address`; the server does not answer (RFC 2131 section 4.4.6).
pub fn release(sender: &Sender<'_>, address: Ipv4Addr, server: Ipv4Addr) -> Vec<u8> {
    let mut builder = sender.begin(MessageType::Release);
    builder.ciaddr(address).option(code::SERVER_IDENTIFIER, &server.octets());
    sender.end(builder)
}

/// DHCPDECLINE of `address`; the server does not answer (RFC 2131 section 4.4.4).
pub fn decline(sender: &Sender<'_>, address: Ipv4Addr, server: Ipv4Addr) -> Vec<u8> {
    let mut builder = sender.begin(MessageType::Decline);
    builder.option(code::REQUESTED_ADDRESS, &address.octets());
    builder.option(code::SERVER_IDENTIFIER, &server.octets());
    sender.end(builder)
}

/// DHCPINFORM from a host that has `address` already (RFC 2131 section 4.4.3).
pub fn inform(sender: &Sender<'_>, address: Ipv4Addr) -> Vec<u8> {
    let mut builder = sender.begin(MessageType::Inform);
    builder.ciaddr(address);
    sender.end_with_wishes(builder)
}

/// A reply as a client or relay sees it.
#[derive(Clone, Debug)]
pub struct ClientReply<'a> {
    /// The message itself, for everything not named here.
    pub message: MessageView<'a>,
    /// OFFER, ACK or NAK.
    pub message_type: MessageType,
}

impl<'a> ClientReply<'a> {
    /// Reads a server's message. `Ok(None)` when it is DHCP but not a server's.
    pub fn parse(bytes: &'a [u8]) -> Result<Option<Self>, ParseError> {
        let message = MessageView::parse(bytes)?;
        let message_type = message.message_type().filter(|_| message.op() == BOOTREPLY);
        Ok(message_type.map(|message_type| Self { message, message_type }))
    }

    /// The transaction it answers.
    pub fn xid(&self) -> u32 {
        self.message.xid()
    }

    /// The address offered or granted; 0.0.0.0 in a NAK and in answer to INFORM.
    pub fn yiaddr(&self) -> Ipv4Addr {
        self.message.yiaddr()
    }

    /// The relay it goes through.
    pub fn giaddr(&self) -> Ipv4Addr {
        self.message.giaddr()
    }

    /// Option 54.
    pub fn server_identifier(&self) -> Option<Ipv4Addr> {
        self.message.address_option(code::SERVER_IDENTIFIER)
    }

    /// Option 51; [`Duration::MAX`] = for ever (RFC 2131 section 3.3).
    pub fn lease_time(&self) -> Option<Duration> {
        seconds(self.message.number_option(code::LEASE_TIME)?)
    }

    /// Option 58, T1.
    pub fn renewal_time(&self) -> Option<Duration> {
        seconds(self.message.number_option(code::RENEWAL_TIME)?)
    }

    /// Option 59, T2.
    pub fn rebinding_time(&self) -> Option<Duration> {
        seconds(self.message.number_option(code::REBINDING_TIME)?)
    }

    /// Data of option 82, which must be what the relay sent.
    pub fn relay_agent_information(&self) -> Option<&[u8]> {
        self.message.option(code::RELAY_AGENT_INFORMATION)
    }
}

fn seconds(value: u32) -> Option<Duration> {
    Some(if value == u32::MAX { Duration::MAX } else { Duration::from_secs(value.into()) })
}

/// Option 82 of a relay on an unprivileged port that serves the subnet of `link` (RFC 3527, RFC 8357).
pub fn unprivileged_relay(circuit_id: &[u8], remote_id: &[u8], link: Ipv4Addr) -> Vec<u8> {
    RelayAgentInformation {
        circuit_id: circuit_id.to_vec(),
        remote_id: remote_id.to_vec(),
        link_selection: Some(link),
        server_override: None,
        source_port: true,
    }
    .encode()
}
