//! What replies say and where they go: RFC 2131 section 4.1 and table 3.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::{
    CLIENT_PORT, Destination, Engine, Reply, SERVER_PORT,
    message::{HTYPE_ETHERNET, MessageBuilder, MessageType, code},
    request::Request,
};

/// IP and UDP headers, which option 57 counts in.
const HEADERS: usize = 28;
/// What every client and the path to it can take, headers included (RFC 2131 section 2).
const DATAGRAM_MIN: usize = 576;
/// Replies are not made longer than fits an Ethernet frame, whatever option 57 allows.
const DATAGRAM_MAX: usize = 1_500;

impl Engine {
    pub(crate) fn offer(&self, request: &Request<'_>, yiaddr: Ipv4Addr, seconds: u32) -> Reply {
        let mut builder = begin(MessageType::Offer, request);
        builder.yiaddr(yiaddr);
        add_times(&mut builder, request, yiaddr, seconds);
        self.add_parameters(&mut builder, request, Some(yiaddr));
        finish(builder, request, to_client(request, yiaddr), false)
    }

    pub(crate) fn ack(&self, request: &Request<'_>, yiaddr: Ipv4Addr, seconds: u32) -> Reply {
        let mut builder = begin(MessageType::Ack, request);
        builder.ciaddr(request.view.ciaddr()).yiaddr(yiaddr);
        add_times(&mut builder, request, yiaddr, seconds);
        self.add_parameters(&mut builder, request, Some(yiaddr));
        finish(builder, request, to_client(request, yiaddr), true)
    }

    /// The answer to INFORM: no address, no times (RFC 2131 section 4.3.5), straight to the host.
    pub(crate) fn inform_ack(&self, request: &Request<'_>, address: Ipv4Addr) -> Reply {
        let mut builder = begin(MessageType::Ack, request);
        builder.ciaddr(request.view.ciaddr());
        self.add_parameters(&mut builder, request, None);
        let destination = Destination::Unicast(SocketAddrV4::new(address, CLIENT_PORT));
        finish(builder, request, destination, false)
    }

    pub(crate) fn nak(&self, request: &Request<'_>, why: &str) -> Reply {
        let mut builder = begin(MessageType::Nak, request);
        let destination = to_relay(request).unwrap_or(Destination::Broadcast { interface: request.origin.interface });
        if matches!(destination, Destination::Relay(_)) {
            // The client's address is in doubt, so the relay shall broadcast (RFC 2131 section 4.3.2).
            builder.broadcast();
        }
        builder.option(code::MESSAGE, why.as_bytes());
        finish(builder, request, destination, false)
    }

    /// The mask always, then what the client asks for in its order (RFC 2132 section 9.8), or all there is when it
    /// names nothing. What does not fit is left out, the least wanted first.
    fn add_parameters(&self, builder: &mut MessageBuilder, request: &Request<'_>, yiaddr: Option<Ipv4Addr>) {
        let subnet = &self.subnets[request.subnet];
        if let Some(mask) = subnet.option(code::SUBNET_MASK) {
            builder.option(code::SUBNET_MASK, mask);
        }
        let Some(wanted) = request.view.option(code::PARAMETER_LIST) else {
            for (code, data) in subnet.options().iter().filter(|option| option.0 != code::SUBNET_MASK) {
                builder.option(*code, data);
            }
            return;
        };
        let mut given = [false; 256];
        given[usize::from(code::SUBNET_MASK)] = true;
        for &code in wanted {
            if std::mem::replace(&mut given[usize::from(code)], true) {
                continue;
            }
            let name = (code == code::HOST_NAME).then(|| subnet.reserved_name(yiaddr?)).flatten();
            if let Some(data) = name.map(|name| name.as_str().as_bytes()).or_else(|| subnet.option(code)) {
                builder.option(code, data);
            }
        }
    }
}

/// Type, server identifier and the client's own identifier (RFC 6842 section 3).
fn begin(message_type: MessageType, request: &Request<'_>) -> MessageBuilder {
    let mut builder = MessageBuilder::reply(message_type, request.view, size_max(request));
    builder.option(code::SERVER_IDENTIFIER, &request.server.octets());
    if let Some(identifier) = request.client_identifier() {
        builder.option(code::CLIENT_IDENTIFIER, identifier);
    }
    builder
}

/// How long the reply may become for the client, option 82 not counted (RFC 2132 section 9.10).
fn size_max(request: &Request<'_>) -> usize {
    let size = request.view.option(code::MESSAGE_SIZE).map_or(DATAGRAM_MIN, |data| match data {
        [high, low] => usize::from(u16::from_be_bytes([*high, *low])),
        _ => DATAGRAM_MIN,
    });
    let relayed = request.view.option(code::RELAY_AGENT_INFORMATION).map_or(0, |data| data.len() + 2);
    size.min(DATAGRAM_MAX - relayed.min(DATAGRAM_MAX - DATAGRAM_MIN)).max(DATAGRAM_MIN) - HEADERS
}

/// Lease time, T1 and T2 (RFC 2131 section 4.4.5). T1 is up to 1/32 of the lease early, by client and address, so that
/// a crowd that came together does not renew together, and the same client is told the same again.
fn add_times(builder: &mut MessageBuilder, request: &Request<'_>, yiaddr: Ipv4Addr, seconds: u32) {
    builder.option(code::LEASE_TIME, &seconds.to_be_bytes());
    if seconds == u32::MAX {
        return;
    }
    let spread = request
        .client()
        .iter()
        .fold(u32::from(yiaddr), |hash, &octet| (hash ^ u32::from(octet)).wrapping_mul(0x0100_0193));
    let early = u64::from(seconds / 32) * u64::from(spread >> 16) / 0x1_0000;
    let renewal = seconds / 2 - u32::try_from(early).unwrap_or(0);
    let rebinding = u32::try_from(u64::from(seconds) * 7 / 8).unwrap_or(seconds);
    builder.option(code::RENEWAL_TIME, &renewal.to_be_bytes());
    builder.option(code::REBINDING_TIME, &rebinding.to_be_bytes());
}

/// RFC 2131 section 4.1: to the relay, else to the address the client has, else to its hardware, else to everybody.
fn to_client(request: &Request<'_>, yiaddr: Ipv4Addr) -> Destination {
    if let Some(relay) = to_relay(request) {
        return relay;
    }
    let interface = request.origin.interface;
    let ciaddr = request.view.ciaddr();
    if request.message_type == MessageType::Request && !ciaddr.is_unspecified() {
        return Destination::Unicast(SocketAddrV4::new(ciaddr, CLIENT_PORT));
    }
    match request.mac {
        Some(mac) if !request.view.is_broadcast() && request.view.htype() == HTYPE_ETHERNET => {
            Destination::Hardware { interface, mac, address: yiaddr }
        }
        Some(_) | None => Destination::Broadcast { interface },
    }
}

/// Where the relay agent listens: port 67, or the port it sent from if it says so (RFC 8357).
fn to_relay(request: &Request<'_>) -> Option<Destination> {
    let giaddr = request.view.giaddr();
    let port = if request.relay.has_source_port { request.origin.source.port() } else { SERVER_PORT };
    (!giaddr.is_unspecified()).then_some(Destination::Relay(SocketAddrV4::new(giaddr, port)))
}

/// Option 82 as it came, byte for byte and last, in every reply (RFC 3046 section 2.2).
fn finish(builder: MessageBuilder, request: &Request<'_>, destination: Destination, needs_save: bool) -> Reply {
    let bytes = builder.finish(request.view.option(code::RELAY_AGENT_INFORMATION));
    Reply { destination, bytes, needs_save, from: request.origin.local }
}
