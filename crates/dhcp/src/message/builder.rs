use std::net::Ipv4Addr;

use model::Mac;

use super::{
    BOOTREPLY, BOOTREQUEST, FILE, FLAG_BROADCAST, HTYPE_ETHERNET, MAGIC_COOKIE, MESSAGE_SIZE_MAX, MESSAGE_SIZE_MIN,
    MessageType, MessageView, OPTIONS_START, SNAME, code,
};

/// Writes a DHCPv4 message: header fields, options in the order given, option 82 last, END, padding to 300 octets.
///
/// An option is written whole or not at all; longer than 255 octets it is split (RFC 3396 section 6). What has no
/// room among the options goes to `file`, then to `sname`, and option 52 says so (RFC 2132 section 9.3). What has no
/// room there either is left out and counted, so whoever calls gives the most wanted options first.
#[derive(Clone, Debug)]
pub struct MessageBuilder {
    bytes: Vec<u8>,
    size_max: usize,
    /// Octets of `file` that options take.
    file: usize,
    /// Octets of `sname` that options take.
    sname: usize,
    left_out: u32,
}

/// Option 52, and END.
const OVERLOAD_AND_END: usize = 4;

impl MessageBuilder {
    /// A client's message (`op` 1) from an Ethernet interface, of the given type.
    pub fn request(message_type: MessageType, xid: u32, mac: Mac) -> Self {
        let mut builder = Self::empty(BOOTREQUEST, HTYPE_ETHERNET, &mac.0, MESSAGE_SIZE_MAX);
        builder.bytes[4..8].copy_from_slice(&xid.to_be_bytes());
        builder.option(code::MESSAGE_TYPE, &[message_type.number()]);
        builder
    }

    /// A server's message (`op` 2) of the given type: `xid`, `flags`, `giaddr`, `htype` and `chaddr` as in `asked`
    /// (RFC 2131 table 3), all else zero. Without option 82 it grows to `size_max` octets at most.
    pub fn reply(message_type: MessageType, asked: &MessageView<'_>, size_max: usize) -> Self {
        let mut builder = Self::empty(BOOTREPLY, asked.htype(), asked.chaddr(), size_max);
        builder.bytes[4..8].copy_from_slice(&asked.xid().to_be_bytes());
        builder.bytes[10..12].copy_from_slice(&asked.flags().to_be_bytes());
        builder.giaddr(asked.giaddr());
        builder.option(code::MESSAGE_TYPE, &[message_type.number()]);
        builder
    }

    fn empty(op: u8, htype: u8, chaddr: &[u8], size_max: usize) -> Self {
        let mut bytes = Vec::with_capacity(MESSAGE_SIZE_MIN.max(size_max.min(576)));
        bytes.resize(OPTIONS_START, 0);
        bytes[0] = op;
        bytes[OPTIONS_START - 4..].copy_from_slice(&MAGIC_COOKIE);
        let mut builder = Self { bytes, size_max, file: 0, sname: 0, left_out: 0 };
        builder.hardware(htype, chaddr);
        builder
    }

    /// Sets `hops`.
    pub fn hops(&mut self, hops: u8) -> &mut Self {
        self.bytes[3] = hops;
        self
    }

    /// Sets `secs`.
    pub fn secs(&mut self, secs: u16) -> &mut Self {
        self.bytes[8..10].copy_from_slice(&secs.to_be_bytes());
        self
    }

    /// Sets the broadcast bit; the other bits of `flags` stay.
    pub fn broadcast(&mut self) -> &mut Self {
        self.bytes[10] |= FLAG_BROADCAST.to_be_bytes()[0];
        self
    }

    /// Sets `ciaddr`.
    pub fn ciaddr(&mut self, address: Ipv4Addr) -> &mut Self {
        self.address(12, address)
    }

    /// Sets `yiaddr`.
    pub fn yiaddr(&mut self, address: Ipv4Addr) -> &mut Self {
        self.address(16, address)
    }

    /// Sets `giaddr`.
    pub fn giaddr(&mut self, address: Ipv4Addr) -> &mut Self {
        self.address(24, address)
    }

    fn address(&mut self, at: usize, address: Ipv4Addr) -> &mut Self {
        self.bytes[at..at + 4].copy_from_slice(&address.octets());
        self
    }

    /// Sets `htype` and `chaddr`, of which 16 octets count.
    pub fn hardware(&mut self, htype: u8, chaddr: &[u8]) -> &mut Self {
        let hlen = chaddr.len().min(16);
        self.bytes[1] = htype;
        self.bytes[2] = u8::try_from(hlen).unwrap_or(16);
        self.bytes[28..44].fill(0);
        self.bytes[28..28 + hlen].copy_from_slice(&chaddr[..hlen]);
        self
    }

    /// Adds an option; false, and nothing added, when it does not fit any more.
    pub fn option(&mut self, code: u8, data: &[u8]) -> bool {
        let size = 2 * data.len().div_ceil(255).max(1) + data.len();
        if self.bytes.len() + size + OVERLOAD_AND_END <= self.size_max {
            self.write(code, data);
        } else if self.file + size < FILE.len() {
            self.file += self.overload(FILE.start + self.file, code, data);
        } else if self.sname + size < SNAME.len() {
            self.sname += self.overload(SNAME.start + self.sname, code, data);
        } else {
            self.left_out += 1;
            return false;
        }
        true
    }

    /// Options that had no room so far.
    pub fn left_out(&self) -> u32 {
        self.left_out
    }

    /// Writes a short option into a header field, with END behind it; its size.
    fn overload(&mut self, at: usize, code: u8, data: &[u8]) -> usize {
        let (header, size) = ([code, u8::try_from(data.len()).unwrap_or(u8::MAX)], data.len() + 2);
        self.bytes[at..at + 2].copy_from_slice(&header);
        self.bytes[at + 2..at + size].copy_from_slice(data);
        self.bytes[at + size] = code::END;
        size
    }

    fn write(&mut self, code: u8, data: &[u8]) {
        let (first, rest) = data.split_at(data.len().min(255));
        self.bytes.extend([code, u8::try_from(first.len()).unwrap_or(u8::MAX)]);
        self.bytes.extend(first);
        if !rest.is_empty() {
            self.write(code, rest);
        }
    }

    /// The message. Option 82 comes last (RFC 3046 section 2.1) and beyond `size_max`: the relay takes it off again.
    pub fn finish(mut self, relay_agent_information: Option<&[u8]>) -> Vec<u8> {
        let overloaded = u8::from(self.file > 0) + 2 * u8::from(self.sname > 0);
        if overloaded > 0 {
            self.write(code::OVERLOAD, &[overloaded]);
        }
        if let Some(data) = relay_agent_information {
            self.write(code::RELAY_AGENT_INFORMATION, data);
        }
        self.bytes.push(code::END);
        if self.bytes.len() < MESSAGE_SIZE_MIN {
            self.bytes.resize(MESSAGE_SIZE_MIN, 0);
        }
        self.bytes
    }
}
