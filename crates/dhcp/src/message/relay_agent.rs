use std::net::Ipv4Addr;

use super::code;

/// What the server needs of option 82 (RFC 3046); the option itself is echoed as it came.
///
/// The first of repeated sub-options counts. Borrows the message.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct RelayAgentView<'a> {
    /// Sub-option 1, the port the client came in by (RFC 3046 section 3.1); empty if absent.
    pub circuit_id: &'a [u8],
    /// Sub-option 2, who the remote end is (RFC 3046 section 3.2); empty if absent.
    pub remote_id: &'a [u8],
    /// Sub-option 5, an address of the client's subnet (RFC 3527 section 3).
    pub link_selection: Option<Ipv4Addr>,
    /// Sub-option 11, what option 54 shall be (RFC 5107 section 4).
    pub server_override: Option<Ipv4Addr>,
    /// Sub-option 19: replies go to the port the relay sent from (RFC 8357).
    pub has_source_port: bool,
}

impl<'a> RelayAgentView<'a> {
    /// Reads the data of option 82. `None` when a sub-option runs past the end or an address is not of 4 octets.
    pub fn parse(data: &'a [u8]) -> Option<Self> {
        let mut view = Self::default();
        let mut seen = [false; 256];
        let mut left = data;
        while let [code, len, rest @ ..] = left {
            let (value, rest) = rest.split_at_checked(usize::from(*len))?;
            left = rest;
            if std::mem::replace(&mut seen[usize::from(*code)], true) {
                continue;
            }
            match *code {
                code::RELAY_CIRCUIT_ID => view.circuit_id = value,
                code::RELAY_REMOTE_ID => view.remote_id = value,
                code::RELAY_LINK_SELECTION => view.link_selection = Some(address(value)?),
                code::RELAY_SERVER_OVERRIDE => view.server_override = Some(address(value)?),
                code::RELAY_SOURCE_PORT => view.has_source_port = true,
                _ => {}
            }
        }
        left.is_empty().then_some(view)
    }
}

fn address(value: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(value).ok().map(Ipv4Addr::from)
}

/// What a relay agent adds to a client's message as option 82 (RFC 3046); for simulated relays and tests.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RelayAgentInformation {
    /// Sub-option 1; empty = left out. At most 255 octets are written.
    pub circuit_id: Vec<u8>,
    /// Sub-option 2; empty = left out. At most 255 octets are written.
    pub remote_id: Vec<u8>,
    /// Sub-option 5 (RFC 3527).
    pub link_selection: Option<Ipv4Addr>,
    /// Sub-option 11 (RFC 5107).
    pub server_override: Option<Ipv4Addr>,
    /// Sub-option 19, length 0 (RFC 8357).
    pub source_port: bool,
}

impl RelayAgentInformation {
    /// The data of option 82.
    pub fn encode(&self) -> Vec<u8> {
        let mut data = Vec::new();
        let mut add = |code: u8, value: &[u8]| {
            let len = u8::try_from(value.len()).unwrap_or(u8::MAX);
            data.extend([code, len]);
            data.extend(&value[..usize::from(len)]);
        };
        if !self.circuit_id.is_empty() {
            add(code::RELAY_CIRCUIT_ID, &self.circuit_id);
        }
        if !self.remote_id.is_empty() {
            add(code::RELAY_REMOTE_ID, &self.remote_id);
        }
        if let Some(address) = self.link_selection {
            add(code::RELAY_LINK_SELECTION, &address.octets());
        }
        if let Some(address) = self.server_override {
            add(code::RELAY_SERVER_OVERRIDE, &address.octets());
        }
        if self.source_port {
            add(code::RELAY_SOURCE_PORT, &[]);
        }
        data
    }
}
