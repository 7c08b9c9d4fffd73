//! ICMP echo as octets (RFC 792, RFC 4443 section 4.1 and 4.2).
//!
//! The identifier is not relied on: Linux rewrites it on datagram sockets. A request is known by the token and the
//! target in its payload, which the other side must return as they were (RFC 792; RFC 4443 section 4.2).

/// Octets of a request: header and payload.
pub const ECHO_BYTES: usize = HEADER_BYTES + 16;

const HEADER_BYTES: usize = 8;
const IPV4_HEADER_BYTES_MIN: usize = 20;

/// Which ICMP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// RFC 792.
    V4,
    /// RFC 4443; the kernel fills in the checksum.
    V6,
}

impl Family {
    fn request_type(self) -> u8 {
        match self {
            Self::V4 => 8,
            Self::V6 => 128,
        }
    }

    fn reply_type(self) -> u8 {
        match self {
            Self::V4 => 0,
            Self::V6 => 129,
        }
    }
}

/// What a reply returns to us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EchoReply {
    /// The run's secret; a reply with another is somebody else's.
    pub token: u64,
    /// Position of the target.
    pub target: u32,
    /// Number of the request, counted for each target.
    pub sequence: u32,
}

/// Why octets are not a reply to us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParseEchoError {
    /// Shorter than a reply to us is.
    Truncated,
    /// Another ICMP message.
    NotEchoReply,
}

/// An echo request, checksum filled in for IPv4.
pub fn encode_request(family: Family, identifier: u16, echo: EchoReply) -> [u8; ECHO_BYTES] {
    let mut bytes = [0; ECHO_BYTES];
    bytes[0] = family.request_type();
    bytes[4..6].copy_from_slice(&identifier.to_be_bytes());
    // The header's field has 16 bits; the payload has the whole number.
    bytes[6..8].copy_from_slice(&echo.sequence.to_be_bytes()[2..4]);
    bytes[8..16].copy_from_slice(&echo.token.to_be_bytes());
    bytes[16..20].copy_from_slice(&echo.target.to_be_bytes());
    bytes[20..24].copy_from_slice(&echo.sequence.to_be_bytes());
    if family == Family::V4 {
        let sum = checksum(&bytes);
        bytes[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    bytes
}

/// Reads what came from an ICMP socket. `has_ip_header`: raw IPv4 sockets put the IPv4 header before the message.
///
/// Errors: [`ParseEchoError`], for whatever else arrives on such a socket.
pub fn parse_reply(family: Family, has_ip_header: bool, bytes: &[u8]) -> Result<EchoReply, ParseEchoError> {
    let message = if has_ip_header { after_ip_header(bytes)? } else { bytes };
    let payload: &[u8; 16] =
        message.get(HEADER_BYTES..ECHO_BYTES).and_then(|p| p.try_into().ok()).ok_or(ParseEchoError::Truncated)?;
    if message[0] != family.reply_type() || message[1] != 0 {
        return Err(ParseEchoError::NotEchoReply);
    }
    let number = u128::from_be_bytes(*payload);
    Ok(EchoReply { token: (number >> 64) as u64, target: (number >> 32) as u32, sequence: number as u32 })
}

fn after_ip_header(bytes: &[u8]) -> Result<&[u8], ParseEchoError> {
    let first = bytes.first().ok_or(ParseEchoError::Truncated)?;
    let length = usize::from(first & 0x0f) * 4;
    if length < IPV4_HEADER_BYTES_MIN {
        return Err(ParseEchoError::Truncated);
    }
    bytes.get(length..).ok_or(ParseEchoError::Truncated)
}

/// Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let pairs = bytes.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])));
    let mut sum: u32 = pairs.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a host answers: type and checksum change, the rest comes back.
    fn answered(family: Family, mut request: Vec<u8>) -> Vec<u8> {
        request[0] = family.reply_type();
        request
    }

    #[test]
    fn known_checksum() {
        // RFC 1071 section 3's octets.
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
        let request = encode_request(Family::V4, 7, EchoReply { token: 1, target: 2, sequence: 3 });
        assert_eq!(checksum(&request), 0, "a message with its checksum sums to nothing");
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        let request = encode_request(Family::V4, 7, EchoReply { token: 1, target: 2, sequence: 3 }).to_vec();
        assert_eq!(parse_reply(Family::V4, false, &request), Err(ParseEchoError::NotEchoReply), "our own request");
        assert_eq!(parse_reply(Family::V4, false, &request[..23]), Err(ParseEchoError::Truncated));
        assert_eq!(parse_reply(Family::V4, true, &[]), Err(ParseEchoError::Truncated));
        assert_eq!(parse_reply(Family::V4, true, &[0x41; 64]), Err(ParseEchoError::Truncated), "header of 4 octets");
        assert_eq!(parse_reply(Family::V4, true, &[0x4f; 30]), Err(ParseEchoError::Truncated), "header beyond the end");
    }

    proptest! {
        #[test]
        fn a_reply_brings_back_what_was_sent(token: u64, target: u32, sequence: u32, v6: bool) {
            let family = if v6 { Family::V6 } else { Family::V4 };
            let echo = EchoReply { token, target, sequence };
            let reply = answered(family, encode_request(family, 1, echo).to_vec());
            prop_assert_eq!(parse_reply(family, false, &reply), Ok(echo));
            let with_header = [&[0x45; 20][..], &reply].concat();
            prop_assert_eq!(parse_reply(family, true, &with_header), Ok(echo));
        }

        #[test]
        fn any_octets_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..80), v6: bool, header: bool) {
            let family = if v6 { Family::V6 } else { Family::V4 };
            let _ = parse_reply(family, header, &bytes);
        }
    }
}
