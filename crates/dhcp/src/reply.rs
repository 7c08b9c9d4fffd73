//! What replies say and where they go: RFC 2131 section 4.1 and table 3.

use std::{
    borrow::Cow,
    net::{Ipv4Addr, SocketAddrV4},
};

use crate::{
    CLIENT_PORT, Destination, Engine, Reply, SERVER_PORT, fqdn,
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
    pub(crate) fn offer(&mut self, request: &Request<'_>, yiaddr: Ipv4Addr, seconds: u32) -> Reply {
        let mut builder = begin(MessageType::Offer, request);
        builder.yiaddr(yiaddr);
        add_times(&mut builder, request, yiaddr, seconds);
        self.add_parameters(&mut builder, request, Some(yiaddr));
        self.counters.options_left_out += u64::from(builder.left_out());
        finish(builder, request, to_client(request, yiaddr), false)
    }

    pub(crate) fn ack(&mut self, request: &Request<'_>, yiaddr: Ipv4Addr, seconds: u32) -> Reply {
        let mut builder = begin(MessageType::Ack, request);
        builder.ciaddr(request.view.ciaddr()).yiaddr(yiaddr);
        if request.message_type == MessageType::Discover {
            builder.option(code::RAPID_COMMIT, &[]);
        }
        add_times(&mut builder, request, yiaddr, seconds);
        self.add_parameters(&mut builder, request, Some(yiaddr));
        self.counters.options_left_out += u64::from(builder.left_out());
        finish(builder, request, to_client(request, yiaddr), true)
    }

    /// The answer to INFORM: no address, no times (RFC 2131 section 4.3.5), straight to the host.
    pub(crate) fn inform_ack(&mut self, request: &Request<'_>, address: Ipv4Addr) -> Reply {
        let mut builder = begin(MessageType::Ack, request);
        builder.ciaddr(request.view.ciaddr());
        self.add_parameters(&mut builder, request, None);
        self.counters.options_left_out += u64::from(builder.left_out());
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
    /// names nothing, then what is sent unasked. What has no room is left out, the least wanted first.
    ///
    /// Of several layers that have an option (reservation, class, subnet) the first counts.
    fn add_parameters(&self, builder: &mut MessageBuilder, request: &Request<'_>, yiaddr: Option<Ipv4Addr>) {
        let layers = self.options_for(request, yiaddr);
        let find = |code: u8| layers.clone().find(|option| option.code == code).map(|option| option.data.as_slice());
        let name = || self.subnets[request.subnet].reserved_name(yiaddr?).map(|name| name.as_str().as_bytes());
        let mut given = [false; 256];
        OWN.iter().for_each(|&code| given[usize::from(code)] = true);
        let mut add = |code: u8| {
            if std::mem::replace(&mut given[usize::from(code)], true) {
                return;
            }
            let name = (code == code::HOST_NAME).then(name).flatten();
            let Some(data) = name.or_else(|| find(code)) else { return };
            match code {
                code::CLASSLESS_ROUTES => builder.option(code, &with_default_route(data, find(code::ROUTER))),
                _ => builder.option(code, data),
            };
        };
        let wanted = request.view.option(code::PARAMETER_LIST);
        add(code::SUBNET_MASK);
        wanted.unwrap_or_default().iter().for_each(|&code| add(code));
        for option in layers.clone() {
            // What a client must ask for to understand it is never sent unasked (RFC 8925 section 3.3).
            if option.always || (wanted.is_none() && option.code != code::IPV6_ONLY_PREFERRED) {
                add(option.code);
            }
        }
        if let Some(sent) = request.view.option(code::CLIENT_FQDN) {
            let reserved = yiaddr.and_then(|address| self.subnets[request.subnet].reserved_name(address)).cloned();
            let name = reserved.or_else(|| request.host_name());
            let domain =
                find(code::DOMAIN_NAME).and_then(|domain| std::str::from_utf8(domain).ok()).unwrap_or_default();
            if let Some(data) = name.and_then(|name| fqdn::answer(sent, name.as_str(), domain)) {
                builder.option(code::CLIENT_FQDN, &data);
            }
        }
    }
}

/// Options that no setting gives: made for each reply, or no option at all.
const OWN: [u8; 12] = [
    code::PAD,
    code::LEASE_TIME,
    code::OVERLOAD,
    code::MESSAGE_TYPE,
    code::SERVER_IDENTIFIER,
    code::RENEWAL_TIME,
    code::REBINDING_TIME,
    code::CLIENT_IDENTIFIER,
    code::RAPID_COMMIT,
    code::CLIENT_FQDN,
    code::RELAY_AGENT_INFORMATION,
    code::END,
];

/// A client that takes option 121 ignores option 3, so the default route is to be in both (RFC 3442, "DHCP Client
/// Behavior").
fn with_default_route<'o>(routes: &'o [u8], routers: Option<&[u8]>) -> Cow<'o, [u8]> {
    let mut left = routes;
    while let [prefix_len, rest @ ..] = left {
        if *prefix_len == 0 {
            return Cow::Borrowed(routes);
        }
        left = rest.get(usize::from(prefix_len.div_ceil(8)) + 4..).unwrap_or_default();
    }
    match routers.and_then(<[u8]>::first_chunk::<4>) {
        Some(router) => Cow::Owned([routes, &[0], router].concat()),
        None => Cow::Borrowed(routes),
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
