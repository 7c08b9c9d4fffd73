//! Several messages in one input: for each a way, a length and the octets.

/// Messages of one input; more are left out, so that one input stays fast.
const MESSAGES_MAX: usize = 48;

/// Reads and writes the format: way (1 octet), length (2 octets, big-endian), message; the last one may be short.
#[derive(Clone, Debug, Default)]
pub struct Script {
    bytes: Vec<u8>,
}

impl Script {
    /// Adds a message.
    pub fn then(mut self, way: u8, message: &[u8]) -> Self {
        self.bytes.push(way);
        self.bytes.extend_from_slice(&(message.len() as u16).to_be_bytes());
        self.bytes.extend_from_slice(message);
        self
    }

    /// The input.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Way and octets of each message.
    pub fn read(data: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
        let mut rest = data;
        std::iter::from_fn(move || {
            let (&[way, high, low], after) = rest.split_first_chunk::<3>()?;
            let length = usize::from(u16::from_be_bytes([high, low])).min(after.len());
            let (message, after) = after.split_at(length);
            rest = after;
            Some((way, message))
        })
        .take(MESSAGES_MAX)
    }
}
