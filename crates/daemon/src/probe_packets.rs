//! The packets of conflict probes: ARP (RFC 826, RFC 5227) and ICMP echo (RFC 792).

use std::net::Ipv4Addr;

use model::Mac;

use crate::{link_socket::ETHERNET_HEADER_BYTES, packet::checksum};

/// EtherType of ARP.
pub(crate) const ARP: u16 = 0x0806;
/// Ethernet header and an ARP packet for IPv4.
pub(crate) const ARP_FRAME_BYTES: usize = ETHERNET_HEADER_BYTES + 28;
/// Hardware type Ethernet, protocol type IPv4, lengths 6 and 4 (RFC 826).
const ARP_KINDS: [u8; 6] = [0, 1, 0x08, 0x00, 6, 4];
const ARP_REQUEST: u16 = 1;

const ECHO_REPLY: u8 = 0;
const ECHO_REQUEST: u8 = 8;
const ICMP_HEADER_BYTES: usize = 8;

/// What our echo requests carry and echo replies give back, so that nobody who has not seen one can answer it.
pub(crate) type Token = [u8; 16];
pub(crate) const ECHO_BYTES: usize = ICMP_HEADER_BYTES + size_of::<Token>();

/// Asks everybody on the link who has `address`. The sender's IP address is left out, so that nobody learns a wrong one
/// (RFC 5227 section 2.1.1).
pub(crate) fn arp_probe(from: Mac, address: Ipv4Addr) -> [u8; ARP_FRAME_BYTES] {
    let mut frame = [0; ARP_FRAME_BYTES];
    frame[0..6].copy_from_slice(&Mac::BROADCAST.0);
    frame[6..12].copy_from_slice(&from.0);
    frame[12..14].copy_from_slice(&ARP.to_be_bytes());
    frame[14..20].copy_from_slice(&ARP_KINDS);
    frame[20..22].copy_from_slice(&ARP_REQUEST.to_be_bytes());
    frame[22..28].copy_from_slice(&from.0);
    frame[38..42].copy_from_slice(&address.octets());
    frame
}

/// Which address the sender of an ARP frame has, or is about to take: the probe of somebody else counts as a conflict as
/// well (RFC 5227 section 2.1.1).
pub(crate) fn arp_claim(frame: &[u8]) -> Option<(Ipv4Addr, Mac)> {
    let frame: &[u8; ARP_FRAME_BYTES] = frame.get(..ARP_FRAME_BYTES)?.try_into().ok()?;
    if frame[12..14] != ARP.to_be_bytes() || frame[14..20] != ARP_KINDS {
        return None;
    }
    let mac = Mac(frame[22..28].try_into().ok()?);
    let is_request = frame[20..22] == ARP_REQUEST.to_be_bytes();
    let sender = Ipv4Addr::from(<[u8; 4]>::try_from(&frame[28..32]).ok()?);
    let target = Ipv4Addr::from(<[u8; 4]>::try_from(&frame[38..42]).ok()?);
    match sender.is_unspecified() {
        false => Some((sender, mac)),
        true => is_request.then_some((target, mac)),
    }
}

/// An echo request with our token.
pub(crate) fn echo_request(identifier: u16, sequence: u16, token: &Token) -> [u8; ECHO_BYTES] {
    let mut bytes = [0; ECHO_BYTES];
    bytes[0] = ECHO_REQUEST;
    bytes[4..6].copy_from_slice(&identifier.to_be_bytes());
    bytes[6..8].copy_from_slice(&sequence.to_be_bytes());
    bytes[ICMP_HEADER_BYTES..].copy_from_slice(token);
    let sum = checksum(&[&bytes]);
    bytes[2..4].copy_from_slice(&sum.to_be_bytes());
    bytes
}

/// True for the reply to one of our requests. `packet` begins with an IP header on a raw socket.
pub(crate) fn is_echo_reply(packet: &[u8], has_ip_header: bool, token: &Token) -> bool {
    let header_bytes = match packet.first() {
        Some(first) if has_ip_header => usize::from(first & 0x0f) * 4,
        _ => 0,
    };
    let Some(message) = packet.get(header_bytes..) else { return false };
    message.first() == Some(&ECHO_REPLY) && message.get(ICMP_HEADER_BYTES..ECHO_BYTES) == Some(token.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Mac = Mac([0, 0, 0x5e, 0, 0x53, 1]);
    const OTHER: Mac = Mac([0, 0, 0x5e, 0, 0x53, 2]);
    const ASKED: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);

    /// An ARP packet of `OTHER`'s.
    fn arp(operation: u16, sender: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
        let mut frame = arp_probe(OTHER, target).to_vec();
        frame[20..22].copy_from_slice(&operation.to_be_bytes());
        frame[28..32].copy_from_slice(&sender.octets());
        frame
    }

    /// RFC 5227 section 2.1.1: whoever sends from the address has it, whoever probes for it will.
    #[test]
    fn who_claims_an_address() {
        let elsewhere = Ipv4Addr::new(192, 0, 2, 1);
        let nobody = Ipv4Addr::UNSPECIFIED;
        for (operation, sender, target, claimed) in [
            (2, ASKED, nobody, Some(ASKED)),
            (1, ASKED, elsewhere, Some(ASKED)),
            (1, ASKED, ASKED, Some(ASKED)),
            (1, elsewhere, ASKED, Some(elsewhere)),
            (1, nobody, ASKED, Some(ASKED)),
            (2, nobody, ASKED, None),
        ] {
            let want = claimed.map(|address| (address, OTHER));
            assert_eq!(arp_claim(&arp(operation, sender, target)), want, "{operation} {sender} {target}");
        }
    }

    #[test]
    fn what_is_not_arp_of_ipv4_claims_nothing() {
        let good = arp(2, ASKED, ASKED);
        assert!(arp_claim(&[&good[..], &[0; 18]].concat()).is_some(), "padded to 60 octets");
        for length in 0..good.len() {
            assert_eq!(arp_claim(&good[..length]), None, "{length}");
        }
        for position in 12..20 {
            let mut bad = good.clone();
            bad[position] ^= 1;
            assert_eq!(arp_claim(&bad), None, "octet {position}");
        }
    }

    #[test]
    fn our_probe_tells_nobody_an_address() {
        let frame = arp_probe(OWN, ASKED);
        assert_eq!((&frame[..6], &frame[28..32]), (&[0xff; 6][..], &[0; 4][..]));
        assert_eq!(arp_claim(&frame), Some((ASKED, OWN)));
    }

    #[test]
    fn replies_are_known_by_their_token() {
        let token = [7; 16];
        let request = echo_request(1, 2, &token);
        assert_eq!(checksum(&[&request]), 0);
        assert!(!is_echo_reply(&request, false, &token), "a request");
        let mut reply = request.to_vec();
        reply[0] = ECHO_REPLY;
        assert!(is_echo_reply(&reply, false, &token) && !is_echo_reply(&reply, false, &[8; 16]));
        for length in 0..reply.len() {
            assert!(!is_echo_reply(&reply[..length], false, &token), "{length}");
        }
        for words in [5, 6, 15] {
            let with_header = [&[0x40 | words][..], &vec![0; usize::from(words) * 4 - 1], &reply].concat();
            assert!(is_echo_reply(&with_header, true, &token), "{words}");
            assert!(!is_echo_reply(&with_header[..with_header.len() - 1], true, &token), "{words}");
        }
        assert!(!is_echo_reply(&[0x4f], true, &token) && !is_echo_reply(&[], true, &token));
    }
}
