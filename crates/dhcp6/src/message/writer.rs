use std::net::Ipv6Addr;

use super::{MessageType, RELAY_FORWARD, RELAY_REPLY, Status, code};

/// Writes one message, option by option. An option longer than 65,535 octets is left out: nothing of ours is.
#[derive(Clone, Debug)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// A message between client and server (RFC 8415 section 8); of `transaction_id` the low 24 bits count.
    pub fn message(message_type: MessageType, transaction_id: u32) -> Self {
        let mut bytes = Vec::with_capacity(512);
        let [_, rest @ ..] = transaction_id.to_be_bytes();
        bytes.push(message_type.number());
        bytes.extend(rest);
        Self { bytes }
    }

    /// RELAY-FORW around `inner` (RFC 8415 section 9.1); more options may follow.
    pub fn relay_forward(hop_count: u8, link_address: Ipv6Addr, peer_address: Ipv6Addr, inner: &[u8]) -> Self {
        let mut writer = Self::relay(RELAY_FORWARD, hop_count, link_address, peer_address);
        writer.option(code::RELAY_MESSAGE, inner);
        writer
    }

    /// RELAY-REPL around `inner` (RFC 8415 section 9.2); more options may follow.
    pub fn relay_reply(hop_count: u8, link_address: Ipv6Addr, peer_address: Ipv6Addr, inner: &[u8]) -> Self {
        let mut writer = Self::relay(RELAY_REPLY, hop_count, link_address, peer_address);
        writer.option(code::RELAY_MESSAGE, inner);
        writer
    }

    fn relay(number: u8, hop_count: u8, link_address: Ipv6Addr, peer_address: Ipv6Addr) -> Self {
        let mut bytes = vec![number, hop_count];
        bytes.extend(link_address.octets());
        bytes.extend(peer_address.octets());
        Self { bytes }
    }

    /// One option with its data.
    pub fn option(&mut self, code: u16, data: &[u8]) {
        let Ok(len) = u16::try_from(data.len()) else { return };
        self.bytes.extend(code.to_be_bytes());
        self.bytes.extend(len.to_be_bytes());
        self.bytes.extend(data);
    }

    /// One option whose data starts with `fixed` and goes on with the options that `inner` writes.
    pub fn nested(&mut self, code: u16, fixed: &[u8], inner: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.option(code, fixed);
        inner(self);
        match u16::try_from(self.bytes.len() - start - 4) {
            Ok(len) => self.bytes[start + 2..start + 4].copy_from_slice(&len.to_be_bytes()),
            Err(_) => self.bytes.truncate(start),
        }
    }

    /// IA_NA with T1 and T2 in seconds, and the options that `inner` writes.
    pub fn association(&mut self, iaid: u32, t1: u32, t2: u32, inner: impl FnOnce(&mut Self)) {
        let fixed = [iaid, t1, t2].map(u32::to_be_bytes);
        self.nested(code::IA_NA, fixed.as_flattened(), inner);
    }

    /// IA Address with both lifetimes in seconds.
    pub fn address(&mut self, address: Ipv6Addr, preferred: u32, valid: u32) {
        let mut data = [0; 24];
        data[..16].copy_from_slice(&address.octets());
        data[16..20].copy_from_slice(&preferred.to_be_bytes());
        data[20..].copy_from_slice(&valid.to_be_bytes());
        self.option(code::IA_ADDRESS, &data);
    }

    /// Status Code with a text for people.
    pub fn status(&mut self, status: Status, text: &str) {
        let mut data = status.number().to_be_bytes().to_vec();
        data.extend(text.as_bytes());
        self.option(code::STATUS_CODE, &data);
    }

    /// The message.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}
