//! The client's side of the messages, for tests and simulated clients: writes what clients send and reads what they
//! are answered. No state machine and no timers.

use std::net::Ipv6Addr;

use model::Duid;

use crate::message::{MessageType, MessageView, Packet, ParseError, Status, Writer, code};

/// What a client says in one message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientMessage {
    /// What kind.
    pub message_type: MessageType,
    /// Its number; the low 24 bits count.
    pub transaction_id: u32,
    /// Option 1; left out when `None`.
    pub client: Option<Duid>,
    /// Option 2; left out when `None`.
    pub server: Option<Duid>,
    /// IA_NA options: IAID and addresses.
    pub associations: Vec<(u32, Vec<Ipv6Addr>)>,
    /// Option 14.
    pub rapid_commit: bool,
    /// Option 6; left out when empty.
    pub requests: Vec<u16>,
    /// Option 39, one label of at most 63 octets; left out when `None`.
    pub host_name: Option<String>,
    /// Option 8, hundredths of a second.
    pub elapsed: u16,
}

impl ClientMessage {
    /// A message without server, addresses and wishes.
    pub fn new(message_type: MessageType, transaction_id: u32, client: &Duid) -> Self {
        Self {
            message_type,
            transaction_id,
            client: Some(client.clone()),
            server: None,
            associations: Vec::new(),
            rapid_commit: false,
            requests: Vec::new(),
            host_name: None,
            elapsed: 0,
        }
    }

    /// SOLICIT for one association (RFC 8415 section 18.2.1).
    pub fn solicit(transaction_id: u32, client: &Duid, iaid: u32) -> Self {
        Self { associations: vec![(iaid, Vec::new())], ..Self::new(MessageType::Solicit, transaction_id, client) }
    }

    /// INFORMATION-REQUEST (RFC 8415 section 18.2.6).
    pub fn information_request(transaction_id: u32, client: &Duid) -> Self {
        Self::new(MessageType::InformationRequest, transaction_id, client)
    }

    /// What follows `answer`: a REQUEST, RENEW, RELEASE or DECLINE to its server for the addresses in it, or a REBIND or
    /// CONFIRM for them to any server.
    pub fn following(message_type: MessageType, transaction_id: u32, answer: &ServerMessage<'_>) -> Self {
        let to_any = matches!(message_type, MessageType::Rebind | MessageType::Confirm | MessageType::Solicit);
        Self {
            message_type,
            transaction_id,
            client: answer.message.duid(code::CLIENT_ID),
            server: answer.message.duid(code::SERVER_ID).filter(|_| !to_any),
            associations: answer.associations().into_iter().map(|ia| (ia.iaid, ia.addresses)).collect(),
            rapid_commit: false,
            requests: Vec::new(),
            host_name: None,
            elapsed: 0,
        }
    }

    /// The message as it goes to ff02::1:2 port 547.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::message(self.message_type, self.transaction_id);
        for (code, duid) in [(code::CLIENT_ID, &self.client), (code::SERVER_ID, &self.server)] {
            if let Some(duid) = duid {
                writer.option(code, &duid.0);
            }
        }
        writer.option(code::ELAPSED_TIME, &self.elapsed.to_be_bytes());
        if self.rapid_commit {
            writer.option(code::RAPID_COMMIT, &[]);
        }
        if !self.requests.is_empty() {
            let list: Vec<_> = self.requests.iter().flat_map(|code| code.to_be_bytes()).collect();
            writer.option(code::OPTION_REQUEST, &list);
        }
        if let Some(label) = &self.host_name {
            let label = &label.as_bytes()[..label.len().min(63)];
            let len = u8::try_from(label.len()).unwrap_or(63);
            writer.option(code::CLIENT_FQDN, &[&[0, len], label].concat());
        }
        for (iaid, addresses) in &self.associations {
            writer.association(*iaid, 0, 0, |inner| {
                addresses.iter().for_each(|address| inner.address(*address, 0, 0));
            });
        }
        writer.finish()
    }
}

/// What a relay agent sends on: `message` from `peer`, with its interface id (RFC 8415 section 19.1).
pub fn relayed(link: Ipv6Addr, peer: Ipv6Addr, interface_id: &[u8], message: &[u8]) -> Vec<u8> {
    let mut writer = Writer::relay_forward(0, link, peer, message);
    if !interface_id.is_empty() {
        writer.option(code::INTERFACE_ID, interface_id);
    }
    writer.finish()
}

/// A server's answer, out of its relay messages.
#[derive(Clone, Debug)]
pub struct ServerMessage<'a> {
    /// The message itself.
    pub message: MessageView<'a>,
    /// The packet that it came in.
    pub packet: Packet<'a>,
}

/// One association of an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Association {
    /// Its number.
    pub iaid: u32,
    /// Seconds until RENEW and REBIND.
    pub t1_t2: (u32, u32),
    /// Addresses to use, of valid lifetime above 0.
    pub addresses: Vec<Ipv6Addr>,
    /// Addresses to use no longer, of valid lifetime 0.
    pub over: Vec<Ipv6Addr>,
    /// What the server says of it.
    pub status: Status,
}

impl<'a> ServerMessage<'a> {
    /// Reads an ADVERTISE or REPLY; `None` for messages of other types.
    pub fn parse(bytes: &'a [u8]) -> Result<Option<Self>, ParseError> {
        let packet = Packet::parse(bytes)?;
        let message = packet.message;
        let is_answer = matches!(message.message_type, MessageType::Advertise | MessageType::Reply);
        Ok(is_answer.then_some(Self { message, packet }))
    }

    /// Its associations in the order sent.
    pub fn associations(&self) -> Vec<Association> {
        let read = |association: crate::message::IaView<'_>| Association {
            iaid: association.iaid,
            t1_t2: (association.t1, association.t2),
            addresses: association.addresses().filter(|address| address.2 > 0).map(|address| address.0).collect(),
            over: association.addresses().filter(|address| address.2 == 0).map(|address| address.0).collect(),
            status: association.status(),
        };
        self.message.associations().map(read).collect()
    }

    /// The first address to use.
    pub fn address(&self) -> Option<Ipv6Addr> {
        self.associations().iter().find_map(|association| association.addresses.first().copied())
    }
}
