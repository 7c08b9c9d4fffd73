//! A client's message, understood: checked, with its subnet and its sender's identity.

use std::net::Ipv4Addr;

use model::{HostName, Mac, Timestamp};

use crate::{
    Origin,
    class::ClassSet,
    counters::Drop,
    message::{BOOTREQUEST, HTYPE_ETHERNET, MessageType, MessageView, RelayAgentView, code},
};

/// A message from a client, as far as it can be understood without looking at leases.
#[derive(Debug)]
pub(crate) struct Request<'p> {
    pub(crate) now: Timestamp,
    pub(crate) origin: Origin,
    pub(crate) view: &'p MessageView<'p>,
    pub(crate) message_type: MessageType,
    pub(crate) relay: RelayAgentView<'p>,
    pub(crate) key: KeyBuffer,
    pub(crate) mac: Option<Mac>,
    /// Index of the subnet.
    pub(crate) subnet: usize,
    /// What our option 54 is towards this client.
    pub(crate) server: Ipv4Addr,
    /// What kinds of client it is.
    pub(crate) classes: ClassSet,
}

impl Request<'_> {
    pub(crate) fn client(&self) -> &[u8] {
        &self.key.octets[..self.key.len]
    }

    pub(crate) fn client_identifier(&self) -> Option<&[u8]> {
        self.view.option(code::CLIENT_IDENTIFIER)
    }

    pub(crate) fn requested(&self) -> Option<Ipv4Addr> {
        self.view.address_option(code::REQUESTED_ADDRESS)
    }

    /// True unless option 54 names another server.
    pub(crate) fn is_for_us(&self) -> bool {
        self.view.address_option(code::SERVER_IDENTIFIER).is_none_or(|server| server == self.server)
    }

    pub(crate) fn asks_for(&self, code: u8) -> bool {
        self.view.option(code::PARAMETER_LIST).is_some_and(|list| list.contains(&code))
    }

    /// The name the client wants: option 81 (RFC 4702) before option 12, sanitised.
    pub(crate) fn host_name(&self) -> Option<HostName> {
        let fqdn = self.view.option(code::CLIENT_FQDN).and_then(|data| match data {
            // Flag E: the name is in DNS wire form, so its first label follows a length octet (section 2.1).
            [flags, _, _, len, name @ ..] if flags & 0b100 != 0 => name.get(..usize::from(*len)),
            [flags, _, _, name @ ..] if flags & 0b100 == 0 => Some(name),
            _ => None,
        });
        fqdn.and_then(HostName::sanitise).or_else(|| HostName::sanitise(self.view.option(code::HOST_NAME)?))
    }
}

/// A [`model::ClientKey`] on the stack, so that looking a client up allocates nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyBuffer {
    octets: [u8; 256],
    len: usize,
}

impl KeyBuffer {
    /// RFC 2131 section 4.2: option 61 if sent, else hardware type and address. An option 61 shorter than the two
    /// octets it must have (RFC 2132 section 9.14) identifies nobody and counts as absent; `None` when it is
    /// longer than 255 octets.
    fn of(view: &MessageView<'_>) -> Option<Self> {
        let mut key = Self { octets: [0; 256], len: 1 };
        match view.option(code::CLIENT_IDENTIFIER).filter(|identifier| identifier.len() >= 2) {
            Some(identifier) => key.extend(identifier)?,
            None => {
                key.octets[0] = 1;
                key.extend(&[view.htype()])?;
                key.extend(view.chaddr())?;
            }
        }
        Some(key)
    }

    fn extend(&mut self, data: &[u8]) -> Option<()> {
        self.octets.get_mut(self.len..self.len + data.len())?.copy_from_slice(data);
        self.len += data.len();
        Some(())
    }
}

/// What of a message concerns no subnet: type, relay, client. The engine adds subnet and server identifier.
pub(crate) struct Understood<'p> {
    pub(crate) message_type: MessageType,
    pub(crate) relay: RelayAgentView<'p>,
    pub(crate) key: KeyBuffer,
}

/// Checks what a message says of itself. `server` is our own identifier.
pub(crate) fn understand<'p>(
    view: &'p MessageView<'p>,
    origin: &Origin,
    server: Ipv4Addr,
) -> Result<Understood<'p>, Drop> {
    if view.op() != BOOTREQUEST {
        return Err(Drop::NotARequest);
    }
    let message_type = match view.message_type() {
        None if view.option(code::MESSAGE_TYPE).is_some_and(|data| data.len() != 1) => return Err(Drop::Malformed),
        None => return Err(Drop::NotARequest),
        Some(kind) if kind.is_of_servers() => return Err(Drop::NotARequest),
        Some(kind) => kind,
    };
    let has_len = |code: u8, len: usize| view.option(code).is_none_or(|data| data.len() == len);
    let sizes = [
        (code::REQUESTED_ADDRESS, 4),
        (code::LEASE_TIME, 4),
        (code::SERVER_IDENTIFIER, 4),
        (code::SUBNET_SELECTION, 4),
        (code::MESSAGE_SIZE, 2),
    ];
    let is_group = view.htype() == HTYPE_ETHERNET && view.mac().is_none_or(Mac::is_multicast);
    if !sizes.iter().all(|&(code, len)| has_len(code, len))
        || (view.chaddr().is_empty() && message_type != MessageType::LeaseQuery)
        || is_group
    {
        return Err(Drop::Malformed);
    }
    let relay =
        view.option(code::RELAY_AGENT_INFORMATION).map_or(Some(RelayAgentView::default()), RelayAgentView::parse);
    let relay = relay.ok_or(Drop::Malformed)?;
    check_relay(view.giaddr(), relay.has_source_port, origin, server)?;
    let key = KeyBuffer::of(view).ok_or(Drop::Malformed)?;
    Ok(Understood { message_type, relay, key })
}

/// A relay has a unicast address, a port that can be answered, and is not ourselves: else we would answer into a
/// void, a crowd, or our own socket.
fn check_relay(giaddr: Ipv4Addr, has_source_port: bool, origin: &Origin, server: Ipv4Addr) -> Result<(), Drop> {
    if giaddr.is_unspecified() {
        return Ok(());
    }
    let is_unicast = !giaddr.is_multicast() && !giaddr.is_broadcast() && giaddr.octets()[0] != 0;
    let is_ourselves = giaddr == server && !has_source_port;
    let has_port = !has_source_port || origin.source.port() != 0;
    if is_unicast && !is_ourselves && has_port { Ok(()) } else { Err(Drop::BadRelay) }
}
