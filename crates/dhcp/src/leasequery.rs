//! What an access concentrator is told of a lease: DHCPLEASEQUERY (RFC 4388).
//!
//! Reads and writes messages only. Who may ask, and how leases are found, is the engine's.

use std::net::Ipv4Addr;

use model::{Lease, Timestamp};

use crate::message::{MessageBuilder, MessageType, MessageView, RelayAgentInformation, code};

/// What is asked for (RFC 4388 section 6.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Question<'a> {
    /// The lease of an address: `ciaddr`.
    Address(Ipv4Addr),
    /// The leases of a client identifier: option 61.
    ClientIdentifier(&'a [u8]),
    /// The leases of a hardware address: `htype` and `chaddr`.
    Hardware { htype: u8, chaddr: &'a [u8] },
}

/// What a DHCPLEASEQUERY asks for; an address counts before an identifier, that before a hardware address.
/// `None` when it asks for nothing.
pub(crate) fn question<'a>(view: &'a MessageView<'_>) -> Option<Question<'a>> {
    if !view.ciaddr().is_unspecified() {
        return Some(Question::Address(view.ciaddr()));
    }
    if let Some(identifier) = view.option(code::CLIENT_IDENTIFIER) {
        return Some(Question::ClientIdentifier(identifier));
    }
    let (htype, chaddr) = (view.htype(), view.chaddr());
    (htype != 0 && !chaddr.is_empty()).then_some(Question::Hardware { htype, chaddr })
}

/// What is known for an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    /// The address asked for is in a subnet of ours.
    pub(crate) is_ours: bool,
    /// Leases in force of the client or address, the one renewed last first.
    pub(crate) leases: &'a [&'a Lease],
}

/// The answer, for `giaddr` (RFC 4388 section 6.4.2): DHCPLEASEACTIVE with what is known, of that what option 55 names;
/// DHCPLEASEUNASSIGNED for an address of ours that nobody has; else DHCPLEASEUNKNOWN.
///
/// `told` gives the data of an option that the client would be told, such as its routers.
pub(crate) fn answer<'o>(
    asked: &MessageView<'_>,
    server: Ipv4Addr,
    now: Timestamp,
    known: &Known<'_>,
    told: impl Fn(u8) -> Option<&'o [u8]>,
) -> Vec<u8> {
    let kind = match (known.leases, question(asked)) {
        ([_, ..], _) => MessageType::LeaseActive,
        ([], Some(Question::Address(_))) if known.is_ours => MessageType::LeaseUnassigned,
        ([], _) => MessageType::LeaseUnknown,
    };
    let mut builder = MessageBuilder::reply(kind, asked, REPLY_SIZE_MAX);
    builder.option(code::SERVER_IDENTIFIER, &server.octets());
    let Some(lease) = known.leases.first() else {
        builder.ciaddr(asked.ciaddr());
        return builder.finish(None);
    };
    builder.ciaddr(lease.address);
    let hardware = hardware(lease);
    builder.hardware(hardware.0, hardware.1);
    let wanted = asked.option(code::PARAMETER_LIST).unwrap_or(ALL);
    let mut given = [false; 256];
    // Ours already, or nobody's.
    for code in [code::PAD, code::MESSAGE_TYPE, code::SERVER_IDENTIFIER, code::RELAY_AGENT_INFORMATION, code::END] {
        given[usize::from(code)] = true;
    }
    for &code in [code::LEASE_TIME].iter().chain(wanted) {
        if std::mem::replace(&mut given[usize::from(code)], true) {
            continue;
        }
        if let Some(data) = of_lease(code, lease, known.leases, now) {
            builder.option(code, &data);
        } else if let Some(data) = told(code) {
            builder.option(code, data);
        }
    }
    let relay = wanted.contains(&code::RELAY_AGENT_INFORMATION).then(|| relay_information(lease)).flatten();
    builder.finish(relay.as_deref())
}

/// The answer crosses routers, so it is to fit any path (RFC 2131 section 2), headers left out.
const REPLY_SIZE_MAX: usize = 548;

/// What one who names no options is told.
const ALL: &[u8] = &[
    code::RENEWAL_TIME,
    code::REBINDING_TIME,
    code::CLIENT_LAST_TRANSACTION_TIME,
    code::CLIENT_IDENTIFIER,
    code::ASSOCIATED_IP,
    code::RELAY_AGENT_INFORMATION,
];

/// An option that follows from the lease.
fn of_lease(code: u8, lease: &Lease, all: &[&Lease], now: Timestamp) -> Option<Vec<u8>> {
    let seconds = |time: std::time::Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX).to_be_bytes().to_vec();
    let granted = (lease.expires != Timestamp::MAX).then(|| lease.expires.since(lease.starts));
    match code {
        code::LEASE_TIME if granted.is_none() => Some(vec![u8::MAX; 4]),
        code::LEASE_TIME => Some(seconds(lease.expires.since(now))),
        code::RENEWAL_TIME => granted.map(|granted| seconds((lease.starts + granted / 2).since(now))),
        code::REBINDING_TIME => granted.map(|granted| seconds((lease.starts + granted / 8 * 7).since(now))),
        code::CLIENT_LAST_TRANSACTION_TIME => Some(seconds(now.since(lease.starts))),
        code::CLIENT_IDENTIFIER => lease.client.0.strip_prefix(&[0]).map(<[u8]>::to_vec),
        code::HOST_NAME => lease.host_name.as_ref().map(|name| name.as_str().as_bytes().to_vec()),
        code::ASSOCIATED_IP if all.len() > 1 => Some(all.iter().flat_map(|lease| lease.address.octets()).collect()),
        _ => None,
    }
}

/// `htype` and `chaddr` of the holder; nothing when it never said.
fn hardware(lease: &Lease) -> (u8, &[u8]) {
    match (&lease.mac, &*lease.client.0) {
        (Some(mac), _) => (crate::message::HTYPE_ETHERNET, &mac.0),
        (None, [1, htype, chaddr @ ..]) => (*htype, chaddr),
        (None, _) => (0, &[]),
    }
}

/// Option 82 as far as it is remembered: circuit and remote id (RFC 4388 section 6.4.2).
fn relay_information(lease: &Lease) -> Option<Vec<u8>> {
    let (circuit_id, remote_id) = (lease.circuit_id.to_vec(), lease.remote_id.to_vec());
    let data = RelayAgentInformation { circuit_id, remote_id, ..RelayAgentInformation::default() }.encode();
    Some(data).filter(|data| !data.is_empty())
}
