//! Frames of the watch for other DHCP servers: our DISCOVER, and what servers send to clients.

use std::net::{Ipv4Addr, SocketAddrV4};

use dhcp::{CLIENT_PORT, SERVER_PORT};
use model::Mac;

use crate::{
    link_socket::ETHERNET_HEADER_BYTES,
    packet::{HEADERS_BYTES, headers_between},
};

/// EtherType of IPv4.
pub(crate) const IPV4: u16 = 0x0800;
const UDP: u8 = 17;

/// A client's broadcast (RFC 2131 section 4.1): from 0.0.0.0 port 68 to 255.255.255.255 port 67.
pub(crate) fn discover_frame(from: Mac, payload: &[u8]) -> Vec<u8> {
    let source = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, CLIENT_PORT);
    let to = SocketAddrV4::new(Ipv4Addr::BROADCAST, SERVER_PORT);
    let mut frame = Vec::with_capacity(ETHERNET_HEADER_BYTES + HEADERS_BYTES + payload.len());
    frame.extend_from_slice(&Mac::BROADCAST.0);
    frame.extend_from_slice(&from.0);
    frame.extend_from_slice(&IPV4.to_be_bytes());
    frame.extend_from_slice(&headers_between(source, to, payload));
    frame.extend_from_slice(payload);
    frame
}

/// A datagram from a server's port to a client's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ServerMessage<'f> {
    /// Ethernet source.
    pub(crate) from: Mac,
    /// IP source.
    pub(crate) source: Ipv4Addr,
    pub(crate) payload: &'f [u8],
}

/// Reads a frame; `None` when it is anything else, or cut short.
pub(crate) fn server_message(frame: &[u8]) -> Option<ServerMessage<'_>> {
    let (header, packet) = frame.split_at_checked(ETHERNET_HEADER_BYTES)?;
    let from = Mac(header.get(6..12)?.try_into().ok()?);
    let first = *packet.first()?;
    let (ip, datagram) = packet.split_at_checked(usize::from(first & 0x0f) * 4)?;
    if header.get(12..14)? != IPV4.to_be_bytes() || first >> 4 != 4 || *ip.get(9)? != UDP {
        return None;
    }
    let source = Ipv4Addr::from(<[u8; 4]>::try_from(ip.get(12..16)?).ok()?);
    let word = |at: usize| Some(u16::from_be_bytes([*datagram.get(at)?, *datagram.get(at + 1)?]));
    if (word(0)?, word(2)?) != (SERVER_PORT, CLIENT_PORT) {
        return None;
    }
    // What follows is padding of a short frame.
    let payload = datagram.get(8..usize::from(word(4)?))?;
    Some(ServerMessage { from, source, payload })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: Mac = Mac([0, 0, 0x5e, 0, 0x53, 1]);
    const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 66);

    fn frame(from: u16, to: u16) -> Vec<u8> {
        let (from, to) = (SocketAddrV4::new(ADDRESS, from), SocketAddrV4::new(Ipv4Addr::BROADCAST, to));
        let header = [&[0xff; 6][..], &SERVER.0, &IPV4.to_be_bytes()].concat();
        [&header[..], &headers_between(from, to, b"offer"), b"offer"].concat()
    }

    #[test]
    fn servers_are_heard_and_nobody_else() {
        let said = Some(ServerMessage { from: SERVER, source: ADDRESS, payload: b"offer" });
        for (from, to, want) in [(67, 68, said), (68, 67, None), (67, 67, None), (53, 68, None)] {
            assert_eq!(server_message(&frame(from, to)), want, "{from} {to}");
        }
        assert_eq!(server_message(&[&frame(67, 68)[..], &[0; 13]].concat()), said, "padded to 60 octets");
        assert_eq!(server_message(&discover_frame(SERVER, b"x")), None);
    }

    /// No length of a frame, of its IP header or of its datagram makes it read past an end.
    #[test]
    fn what_is_cut_or_contradicts_itself_is_nothing() {
        let good = frame(67, 68);
        for length in 0..good.len() {
            assert_eq!(server_message(&good[..length]), None, "{length}");
        }
        for words in (0..5).chain(6..16) {
            let mut bad = good.clone();
            bad[14] = 0x40 | words;
            assert_eq!(server_message(&bad), None, "{words} words of header");
        }
        for length in [0, 7, 14, u16::MAX] {
            let mut bad = good.clone();
            bad[38..40].copy_from_slice(&length.to_be_bytes());
            assert_eq!(server_message(&bad), None, "{length} octets of datagram");
        }
    }

    #[test]
    fn with_options_in_the_ip_header() {
        let mut long = frame(67, 68);
        long[14] = 0x46;
        long.splice(34..34, [1, 1, 1, 0]);
        assert_eq!(server_message(&long).map(|said| said.payload), Some(&b"offer"[..]));
    }
}
