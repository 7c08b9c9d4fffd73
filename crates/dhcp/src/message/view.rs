use std::{net::Ipv4Addr, ops::Range};

use model::Mac;
use thiserror::Error;

use super::{
    FILE, FLAG_BROADCAST, HTYPE_ETHERNET, MAGIC_COOKIE, MESSAGE_SIZE_MAX, MessageType, OPTIONS_START, SNAME, code,
};

/// Why bytes are not a DHCPv4 message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ParseError {
    /// Fewer than the 240 octets of header and cookie (RFC 2131 section 2).
    #[error("{0} octets are too few for a DHCP message")]
    TooShort(usize),
    /// More than [`MESSAGE_SIZE_MAX`].
    #[error("{0} octets are too many for a DHCP message")]
    TooLong(usize),
    /// Not the cookie of RFC 2131 section 3: BOOTP, or something else altogether.
    #[error("the magic cookie is missing")]
    NoCookie,
    /// `hlen` says more than the 16 octets of `chaddr`.
    #[error("hardware address length {0} is more than 16")]
    HardwareLength(u8),
    /// An option's length octet is missing, or says more than is left of its field.
    #[error("option {0} runs past the end of its field")]
    OptionOverrun(u8),
    /// Option 52 is not 1, 2 or 3 (RFC 2132 section 9.3).
    #[error("option overload has an unknown value")]
    Overload,
}

/// A DHCPv4 message as it came, checked and indexed. Borrows the datagram; copies only options that came in
/// pieces (RFC 3396). Finding an option is one look into a table.
///
/// Checked: cookie, `hlen`, every option inside its field. Not checked: what the fields mean, that is the engine's.
/// A missing END is tolerated when the last option ends with the datagram.
#[derive(Clone, Debug)]
pub struct MessageView<'a> {
    bytes: &'a [u8],
    /// Options that came in pieces, put together; addressed by offsets from `bytes.len()` on.
    joined: Vec<u8>,
    spans: [Span; 256],
}

/// Where an option's data is; `start` 0 = the option is absent, since no option starts in the header's first octet.
#[derive(Clone, Copy, Default, Debug)]
struct Span {
    start: u16,
    /// Octets of all pieces together.
    len: u16,
}

impl<'a> MessageView<'a> {
    /// Reads `bytes` in one pass (two when options came in pieces), in time and memory linear in their number.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        if bytes.len() < OPTIONS_START {
            return Err(ParseError::TooShort(bytes.len()));
        }
        if bytes.len() > MESSAGE_SIZE_MAX {
            return Err(ParseError::TooLong(bytes.len()));
        }
        if bytes[OPTIONS_START - 4..OPTIONS_START] != MAGIC_COOKIE {
            return Err(ParseError::NoCookie);
        }
        if bytes[2] > 16 {
            return Err(ParseError::HardwareLength(bytes[2]));
        }
        let mut view = Self { bytes, joined: Vec::new(), spans: [Span::default(); 256] };
        let options = OPTIONS_START..bytes.len();
        let mut in_pieces = view.index(options.clone())?;
        // RFC 3396 section 5: the aggregate is options, then file, then sname.
        let (file, sname) = match view.overload()? {
            0 => (0..0, 0..0),
            1 => (FILE, 0..0),
            2 => (0..0, SNAME),
            _ => (FILE, SNAME),
        };
        in_pieces |= view.index(file.clone())?;
        in_pieces |= view.index(sname.clone())?;
        if in_pieces {
            view.join([options, file, sname]);
        }
        Ok(view)
    }

    /// Enters the options of one field into the table; true when one had been seen before.
    fn index(&mut self, field: Range<usize>) -> Result<bool, ParseError> {
        let mut again = false;
        for option in (Walk { bytes: self.bytes, left: field }) {
            let (code, data) = option?;
            let span = &mut self.spans[usize::from(code)];
            again |= span.start != 0;
            if span.start == 0 {
                span.start = offset(data.start);
            }
            span.len += offset(data.len());
        }
        Ok(again)
    }

    fn overload(&self) -> Result<u8, ParseError> {
        let span = self.spans[usize::from(code::OVERLOAD)];
        // An empty option 52 may end with the datagram, so its data may start where there is no octet any more.
        match (span.start, span.len, self.bytes.get(usize::from(span.start))) {
            (0, _, _) => Ok(0),
            (_, 1, Some(&value @ 1..=3)) => Ok(value),
            _ => Err(ParseError::Overload),
        }
    }

    /// Puts options that came in pieces together, in the order of the fields.
    fn join(&mut self, fields: [Range<usize>; 3]) {
        let mut ends = [0_usize; 256];
        let mut total = 0;
        for (span, end) in self.spans.iter_mut().zip(&mut ends) {
            // The octet before the data is the first piece's own length.
            let is_whole = span.start == 0 || u16::from(self.bytes[usize::from(span.start) - 1]) == span.len;
            if is_whole {
                continue;
            }
            *end = total;
            span.start = offset(self.bytes.len() + total);
            total += usize::from(span.len);
        }
        self.joined = vec![0; total];
        for (code, data) in fields.into_iter().flat_map(|left| Walk { bytes: self.bytes, left }).flatten() {
            if usize::from(self.spans[usize::from(code)].start) < self.bytes.len() {
                continue;
            }
            let end = &mut ends[usize::from(code)];
            if let Some(place) = self.joined.get_mut(*end..*end + data.len()) {
                place.copy_from_slice(&self.bytes[data.clone()]);
            }
            *end += data.len();
        }
    }

    /// The data of option `code`, all pieces together; `None` when the message has no such option.
    pub fn option(&self, code: u8) -> Option<&[u8]> {
        let span = self.spans[usize::from(code)];
        let (start, len) = (usize::from(span.start), usize::from(span.len));
        if start == 0 {
            return None;
        }
        match start.checked_sub(self.bytes.len()) {
            None => self.bytes.get(start..start + len),
            Some(start) => self.joined.get(start..start + len),
        }
    }

    /// All options with their data, by code.
    pub fn options(&self) -> impl Iterator<Item = (u8, &[u8])> {
        (0..=u8::MAX).filter_map(|code| self.option(code).map(|data| (code, data)))
    }

    /// Option `code` as one address; `None` when absent or not of 4 octets.
    pub fn address_option(&self, code: u8) -> Option<Ipv4Addr> {
        self.option(code).and_then(|data| <[u8; 4]>::try_from(data).ok()).map(Ipv4Addr::from)
    }

    /// Option `code` as a number of 32 bits; `None` when absent or not of 4 octets.
    pub fn number_option(&self, code: u8) -> Option<u32> {
        self.address_option(code).map(u32::from)
    }

    /// Option 53; `None` when absent, of a wrong length or unknown.
    pub fn message_type(&self) -> Option<MessageType> {
        match self.option(code::MESSAGE_TYPE)? {
            &[number] => MessageType::from_number(number),
            _ => None,
        }
    }

    /// `op`: 1 from clients, 2 from servers.
    pub fn op(&self) -> u8 {
        self.bytes[0]
    }

    /// `htype`, the hardware type; 1 = Ethernet.
    pub fn htype(&self) -> u8 {
        self.bytes[1]
    }

    /// `hops`, relay agents passed.
    pub fn hops(&self) -> u8 {
        self.bytes[3]
    }

    /// `xid`, the client's transaction number.
    pub fn xid(&self) -> u32 {
        u32::from_be_bytes(self.octets(4))
    }

    /// `secs`, seconds since the client began.
    pub fn secs(&self) -> u16 {
        u16::from_be_bytes(self.octets(8))
    }

    /// `flags`; only [`FLAG_BROADCAST`] has a meaning.
    pub fn flags(&self) -> u16 {
        u16::from_be_bytes(self.octets(10))
    }

    /// True when the client cannot receive unicast before it has its address.
    pub fn is_broadcast(&self) -> bool {
        self.flags() & FLAG_BROADCAST != 0
    }

    /// `ciaddr`, the address the client has and answers ARP for.
    pub fn ciaddr(&self) -> Ipv4Addr {
        self.octets(12).into()
    }

    /// `yiaddr`, the address the server gives.
    pub fn yiaddr(&self) -> Ipv4Addr {
        self.octets(16).into()
    }

    /// `siaddr`, the next server of a boot.
    pub fn siaddr(&self) -> Ipv4Addr {
        self.octets(20).into()
    }

    /// `giaddr`, the relay agent's address on the client's link; 0.0.0.0 = not relayed.
    pub fn giaddr(&self) -> Ipv4Addr {
        self.octets(24).into()
    }

    /// `chaddr`, as many octets as `hlen` says, at most 16.
    pub fn chaddr(&self) -> &'a [u8] {
        &self.bytes[28..28 + usize::from(self.bytes[2])]
    }

    /// `chaddr` when it is an Ethernet address.
    pub fn mac(&self) -> Option<Mac> {
        (self.htype() == HTYPE_ETHERNET).then(|| self.chaddr().try_into().ok().map(Mac)).flatten()
    }

    fn octets<const N: usize>(&self, at: usize) -> [u8; N] {
        std::array::from_fn(|index| self.bytes[at + index])
    }
}

/// Offsets fit: messages are at most `MESSAGE_SIZE_MAX` octets, and what is joined is at most as much again.
fn offset(value: usize) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}

/// The options of one field: code, and where the data is. Ends at END, at the end of the field, or with an error.
struct Walk<'a> {
    bytes: &'a [u8],
    left: Range<usize>,
}

impl Iterator for Walk<'_> {
    type Item = Result<(u8, Range<usize>), ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        let code = loop {
            match self.bytes[self.left.next()?] {
                code::PAD => {}
                code::END => {
                    self.left = 0..0;
                    return None;
                }
                code => break code,
            }
        };
        let data = self.left.next().map(|at| at + 1..at + 1 + usize::from(self.bytes[at]));
        let Some(data) = data.filter(|data| data.end <= self.left.end) else {
            self.left = 0..0;
            return Some(Err(ParseError::OptionOverrun(code)));
        };
        self.left.start = data.end;
        Some(Ok((code, data)))
    }
}
