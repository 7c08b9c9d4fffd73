//! Frames to clients that have no address yet: an AF_PACKET socket, so that the reply goes to the client's hardware
//! address alone instead of to everybody, and no neighbour entry need be made (RFC 2131 section 4.1).
#![expect(unsafe_code, reason = "the system library has no safe way to build a link-layer address")]

use std::{
    io::{self, IoSlice},
    net::Ipv4Addr,
    os::fd::{AsRawFd, OwnedFd},
};

use model::Mac;
use nix::{
    libc,
    sys::socket::{AddressFamily, LinkAddr, MsgFlags, SockFlag, SockType, SockaddrLike, sendmsg, socket},
};

const ETHERTYPE_IPV4: u16 = 0x0800;
const IP_HEADER_BYTES: usize = 20;
const UDP_HEADER_BYTES: usize = 8;

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

    /// Sends `payload` from `source`, port 67, to `address`, port 68, at `mac` on `interface`.
    pub(crate) fn send(
        &self,
        interface: u32,
        mac: Mac,
        source: Ipv4Addr,
        address: Ipv4Addr,
        payload: &[u8],
    ) -> io::Result<()> {
        let headers = headers(source, address, payload);
        let to = link_address(interface, mac)?;
        let parts = [IoSlice::new(&headers), IoSlice::new(payload)];
        sendmsg(self.socket.as_raw_fd(), &parts, &[], MsgFlags::empty(), Some(&to))?;
        Ok(())
    }
}

fn link_address(interface: u32, mac: Mac) -> io::Result<LinkAddr> {
    let [a, b, c, d, e, f] = mac.0;
    let raw = libc::sockaddr_ll {
        sll_family: u16::try_from(libc::AF_PACKET).unwrap_or_default(),
        sll_protocol: ETHERTYPE_IPV4.to_be(),
        sll_ifindex: i32::try_from(interface).unwrap_or_default(),
        sll_hatype: 1,
        sll_pkttype: 0,
        sll_halen: 6,
        sll_addr: [a, b, c, d, e, f, 0, 0],
    };
    let length = u32::try_from(size_of::<libc::sockaddr_ll>()).unwrap_or_default();
    // SAFETY: `raw` is a valid sockaddr_ll that lives across the call, and `length` is its size.
    unsafe { LinkAddr::from_raw((&raw const raw).cast(), Some(length)) }
        .ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))
}

/// IPv4 header without options (RFC 791) and UDP header (RFC 768), checksums filled in.
fn headers(source: Ipv4Addr, address: Ipv4Addr, payload: &[u8]) -> [u8; IP_HEADER_BYTES + UDP_HEADER_BYTES] {
    let udp_length = u16::try_from(UDP_HEADER_BYTES + payload.len()).unwrap_or(u16::MAX);
    let total_length = udp_length.saturating_add(20);
    let mut bytes = [0; IP_HEADER_BYTES + UDP_HEADER_BYTES];
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
    udp[0..2].copy_from_slice(&67_u16.to_be_bytes());
    udp[2..4].copy_from_slice(&68_u16.to_be_bytes());
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
fn checksum(parts: &[&[u8]]) -> u16 {
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
