use std::{fmt, net::Ipv4Addr, time::Duration};

const FIXED_LENGTH: usize = 240;
const MAGIC_COOKIE: [u8; 4] = [99, 130, 83, 99];

/// Option 53 (RFC 2132 section 9.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Client looks for servers.
    Discover,
    /// Server offers.
    Offer,
    /// Client asks for one address.
    Request,
    /// Client found the address in use.
    Decline,
    /// Server grants.
    Ack,
    /// Server refuses.
    Nak,
    /// Client gives the address back.
    Release,
    /// Client asks for options only.
    Inform,
}

/// What a client is doing when it sends a REQUEST (RFC 2131 section 4.3.2, table 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestState {
    /// Takes an offer: server identifier and requested address.
    Selecting,
    /// Woke up with an address it remembers: requested address, no server identifier.
    InitReboot,
    /// Extends by unicast: `ciaddr` only.
    Renewing,
    /// Extends by broadcast: `ciaddr` only.
    Rebinding,
}

/// What the tests look at in a DHCP message. Read by code of its own, so that the codec under test is not its own judge.
#[derive(Debug, Clone)]
pub struct DhcpMessage {
    /// When it was captured, since 1970.
    pub at: Duration,
    /// Destination of the datagram; 0.0.0.0 where only the payload was seen.
    pub to: Ipv4Addr,
    /// Message type.
    pub kind: Kind,
    /// Transaction id.
    pub xid: u32,
    /// Client's own address.
    pub ciaddr: Ipv4Addr,
    /// Client's new address.
    pub yiaddr: Ipv4Addr,
    /// Relay agent's address.
    pub giaddr: Ipv4Addr,
    /// Client's MAC.
    pub chaddr: [u8; 6],
    /// Option 50.
    pub requested: Option<Ipv4Addr>,
    /// Option 54.
    pub server: Option<Ipv4Addr>,
    /// Option 51, seconds.
    pub lease_seconds: Option<u32>,
}

impl DhcpMessage {
    /// Reads the payload of a UDP datagram; `None` when it is no DHCP message.
    pub fn read(at: Duration, to: Ipv4Addr, bytes: &[u8]) -> Option<Self> {
        let options = bytes.get(FIXED_LENGTH..)?;
        if bytes[236..240] != MAGIC_COOKIE {
            return None;
        }
        let option = |code| find_option(options, code);
        let kind = match option(53)?.first()? {
            1 => Kind::Discover,
            2 => Kind::Offer,
            3 => Kind::Request,
            4 => Kind::Decline,
            5 => Kind::Ack,
            6 => Kind::Nak,
            7 => Kind::Release,
            8 => Kind::Inform,
            _ => return None,
        };
        Some(Self {
            at,
            to,
            kind,
            xid: u32::from_be_bytes(bytes[4..8].try_into().ok()?),
            ciaddr: address(&bytes[12..16])?,
            yiaddr: address(&bytes[16..20])?,
            giaddr: address(&bytes[24..28])?,
            chaddr: bytes[28..34].try_into().ok()?,
            requested: option(50).and_then(address),
            server: option(54).and_then(address),
            lease_seconds: option(51).and_then(|value| Some(u32::from_be_bytes(value.try_into().ok()?))),
        })
    }

    /// What a client that sends this REQUEST is doing.
    pub fn request_state(&self) -> Option<RequestState> {
        if self.kind != Kind::Request {
            return None;
        }
        match (self.ciaddr.is_unspecified(), self.server.is_some(), self.requested.is_some()) {
            (true, true, true) => Some(RequestState::Selecting),
            (true, false, true) => Some(RequestState::InitReboot),
            (false, false, false) if self.to.is_broadcast() => Some(RequestState::Rebinding),
            (false, false, false) => Some(RequestState::Renewing),
            _ => None,
        }
    }

    /// The client's MAC as the program prints it.
    pub fn mac(&self) -> String {
        self.chaddr.map(|byte| format!("{byte:02x}")).join(":")
    }
}

impl fmt::Display for DhcpMessage {
    /// One line; the seconds of the day, and only what is set.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:9.3} {:?} ", self.at.as_secs_f64() % 86_400.0, self.kind)?;
        if let Some(state) = self.request_state() {
            write!(f, "({state:?}) ")?;
        }
        write!(f, "{} xid={:08x} to={}", self.mac(), self.xid, self.to)?;
        for (name, value) in [("ciaddr", self.ciaddr), ("yiaddr", self.yiaddr), ("giaddr", self.giaddr)] {
            if !value.is_unspecified() {
                write!(f, " {name}={value}")?;
            }
        }
        for (name, value) in [("requested", self.requested), ("server", self.server)] {
            if let Some(value) = value {
                write!(f, " {name}={value}")?;
            }
        }
        self.lease_seconds.map_or(Ok(()), |seconds| write!(f, " lease={seconds}s"))
    }
}

fn address(bytes: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from)
}

fn find_option(mut options: &[u8], wanted: u8) -> Option<&[u8]> {
    loop {
        match *options {
            [0, ref rest @ ..] => options = rest,
            [] | [_] | [255, ..] => return None,
            [code, length, ref rest @ ..] => {
                let value = rest.get(..usize::from(length))?;
                if code == wanted {
                    return Some(value);
                }
                options = &rest[usize::from(length)..];
            }
        }
    }
}
