//! Frames to clients that have no address yet: an AF_PACKET socket, so that the reply goes to the client's hardware
//! address alone instead of to everybody, and no neighbour entry need be made (RFC 2131 section 4.1).

use std::{
    io,
    net::{Ipv4Addr, SocketAddrV4},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use dhcp::{CLIENT_PORT, SERVER_PORT};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

const IP_HEADER_BYTES: usize = 20;
const UDP_HEADER_BYTES: usize = 8;
/// Octets before the payload.
pub(crate) const HEADERS_BYTES: usize = IP_HEADER_BYTES + UDP_HEADER_BYTES;

/// Sends IPv4 datagrams to a hardware address.
pub(crate) struct PacketSocket {
    socket: OwnedFd,
}

impl PacketSocket {
    /// Needs `CAP_NET_RAW`. Receives nothing: its protocol is 0.
    pub(crate) fn open() -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        Ok(Self { socket: socket(AddressFamily::Packet, SockType::Datagram, flags, None)? })
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Headers from `source`, port 67, to `address`, port 68.
pub(crate) fn headers(source: Ipv4Addr, address: Ipv4Addr, payload: &[u8]) -> [u8; HEADERS_BYTES] {
    headers_between(SocketAddrV4::new(source, SERVER_PORT), SocketAddrV4::new(address, CLIENT_PORT), payload)
}

/// IPv4 header without options (RFC 791) and UDP header (RFC 768), checksums filled in.
pub(crate) fn headers_between(from: SocketAddrV4, to: SocketAddrV4, payload: &[u8]) -> [u8; HEADERS_BYTES] {
    let (source, address) = (from.ip(), to.ip());
    let udp_length = u16::try_from(UDP_HEADER_BYTES + payload.len()).unwrap_or(u16::MAX);
    let total_length = udp_length.saturating_add(20);
    let mut bytes = [0; HEADERS_BYTES];
    let (ip, udp) = bytes.split_at_mut(IP_HEADER_BYTES);
    ip[0] = 0x45;
    ip[1] = 0x10;
    ip[2..4].copy_from_slice(&total_length.to_be_bytes());
    ip[8] = 64;
    ip[9] = 17;
    ip[12..16].copy_from_slice(&source.octets());
    ip[16..20].copy_from_slice(&address.octets());
    let sum = checksum(&[ip]);
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    udp[0..2].copy_from_slice(&from.port().to_be_bytes());
    udp[2..4].copy_from_slice(&to.port().to_be_bytes());
    udp[4..6].copy_from_slice(&udp_length.to_be_bytes());
    let length = udp_length.to_be_bytes();
    let pseudo = [0, 17, length[0], length[1]];
    let sum = match checksum(&[&source.octets(), &address.octets(), &pseudo, udp, payload]) {
        0 => 0xffff,
        sum => sum,
    };
    udp[6..8].copy_from_slice(&sum.to_be_bytes());
    bytes
}

/// Internet checksum (RFC 1071) over the parts; every part but the last has an even length.
pub(crate) fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum: u32 = 0;
    for part in parts {
        for pair in part.chunks(2) {
            let word = u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]);
            sum = sum.wrapping_add(u32::from(word));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_verify_to_zero() {
        let (source, address) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 77));
        for payload in [&b""[..], b"x", b"four", &[0xff; 301]] {
            let bytes = headers(source, address, payload);
            assert_eq!(checksum(&[&bytes[..20]]), 0);
            let length = bytes[24..26].to_vec();
            let pseudo = [0, 17, length[0], length[1]];
            assert_eq!(checksum(&[&source.octets(), &address.octets(), &pseudo, &bytes[20..], payload]), 0);
        }
    }

    #[test]
    fn checksum_of_rfc_1071_section_3() {
        assert_eq!(checksum(&[&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]]), !0xddf2);
    }
}
