//! Other DHCP servers: what is heard of them, and a DISCOVER that makes them speak up.

use std::{collections::BTreeMap, net::Ipv4Addr, time::Duration};

use model::{Mac, Timestamp};

use crate::message::{BOOTREPLY, MessageBuilder, MessageType, MessageView, code};

/// What a server said to a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Overheard {
    /// OFFER, ACK or NAK.
    pub message_type: MessageType,
    /// Option 54: who says it is a server.
    pub server: Ipv4Addr,
    /// The address given; 0.0.0.0 in a NAK.
    pub yiaddr: Ipv4Addr,
    /// The transaction that it answers.
    pub xid: u32,
}

/// Reads a datagram heard on port 68; `None` when it is not a server's OFFER, ACK or NAK with its identifier.
pub fn overheard(bytes: &[u8]) -> Option<Overheard> {
    let view = MessageView::parse(bytes).ok().filter(|view| view.op() == BOOTREPLY)?;
    let message_type = view.message_type()?;
    let is_answer = matches!(message_type, MessageType::Offer | MessageType::Ack | MessageType::Nak);
    let server = view.address_option(code::SERVER_IDENTIFIER).filter(|_| is_answer)?;
    Some(Overheard { message_type, server, yiaddr: view.yiaddr(), xid: view.xid() })
}

/// Option 61 of our probes: always the same, so that a server keeps one offer in hold for all of them. Type 0 = no
/// hardware address (RFC 2132 section 9.14).
const PROBE_IDENTIFIER: &[u8] = b"\0hotstage server probe";

/// A DISCOVER that is never followed by a REQUEST: any server that answers it is heard, and no address is taken. The
/// broadcast bit is set, so that the answer reaches whoever listens.
pub fn probe_discover(xid: u32, mac: Mac) -> Vec<u8> {
    let mut builder = MessageBuilder::request(MessageType::Discover, xid, mac);
    builder.broadcast();
    builder.option(code::CLIENT_IDENTIFIER, PROBE_IDENTIFIER);
    builder.option(code::PARAMETER_LIST, &[code::SUBNET_MASK, code::ROUTER]);
    builder.finish(None)
}

/// True for [`probe_discover`]'s, which our own engine does not answer.
pub(crate) fn is_probe(view: &MessageView<'_>) -> bool {
    view.option(code::CLIENT_IDENTIFIER) == Some(PROBE_IDENTIFIER)
}

/// Servers that were told of, so that each is told at most once in [`ForeignServers::INTERVAL`].
#[derive(Clone, Default, Debug)]
pub struct ForeignServers {
    told: BTreeMap<Ipv4Addr, Timestamp>,
}

impl ForeignServers {
    /// Servers remembered. When all were told of within the interval, one more has to wait: somebody makes them up.
    pub const MAX: usize = 64;
    /// How long a server is not told of again.
    pub const INTERVAL: Duration = Duration::from_secs(60);

    /// A server was heard; true when it is to be told.
    pub fn hear(&mut self, server: Ipv4Addr, now: Timestamp) -> bool {
        // A clock that stepped back must not silence a server until it has caught up.
        let is_recent = |told: Timestamp| now.since(told) < Self::INTERVAL && told.since(now) < Self::INTERVAL;
        if self.told.get(&server).is_some_and(|&told| is_recent(told)) {
            return false;
        }
        if self.told.len() >= Self::MAX && !self.told.contains_key(&server) {
            self.told.retain(|_, told| is_recent(*told));
        }
        let has_room = self.told.len() < Self::MAX || self.told.contains_key(&server);
        if has_room {
            self.told.insert(server, now);
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = Mac([2, 0, 0x5e, 0x10, 0, 1]);

    fn said(message_type: MessageType, server: &[u8]) -> Vec<u8> {
        let asked = probe_discover(7, MAC);
        let mut builder = MessageBuilder::reply(message_type, &MessageView::parse(&asked).unwrap(), 548);
        builder.yiaddr([192, 0, 2, 9].into()).option(code::SERVER_IDENTIFIER, server);
        builder.finish(None)
    }

    #[test]
    fn what_servers_say() {
        let server = [203, 0, 113, 66];
        for (message_type, is_heard) in [
            (MessageType::Offer, true),
            (MessageType::Ack, true),
            (MessageType::Nak, true),
            (MessageType::LeaseActive, false),
            (MessageType::Discover, false),
        ] {
            let (server, yiaddr) = (Ipv4Addr::from(server), Ipv4Addr::new(192, 0, 2, 9));
            let want = is_heard.then_some(Overheard { message_type, server, yiaddr, xid: 7 });
            assert_eq!(overheard(&said(message_type, &server.octets())), want, "{message_type:?}");
        }
        assert_eq!(overheard(&said(MessageType::Offer, &server[..3])), None, "no identifier");
        assert_eq!(overheard(&probe_discover(7, MAC)), None, "a client's");
        assert_eq!(overheard(&[]), None);
    }

    /// RFC 2131 section 4.3.1: a DISCOVER binds nobody; ours is known by its identifier.
    #[test]
    fn probes() {
        let bytes = probe_discover(0x99, MAC);
        let view = MessageView::parse(&bytes).unwrap();
        assert_eq!((view.message_type(), view.xid(), view.mac()), (Some(MessageType::Discover), 0x99, Some(MAC)));
        assert!(view.is_broadcast() && is_probe(&view));
        let other = crate::client::discover(&crate::client::Sender::new(1, MAC), None);
        assert!(!is_probe(&MessageView::parse(&other).unwrap()));
    }

    #[test]
    fn each_server_is_told_now_and_then() {
        let mut servers = ForeignServers::default();
        let at = |seconds: i64| Timestamp::from_secs(1_568_595_600 + seconds);
        let (one, other) = (Ipv4Addr::new(203, 0, 113, 1), Ipv4Addr::new(203, 0, 113, 2));
        for (server, seconds, is_told) in [
            (one, 0, true),
            (one, 0, false),
            (other, 30, true),
            (one, 59, false),
            (one, 60, true),
            (other, 61, false),
            // The clock stepped back by an hour.
            (one, -3_600, true),
            (one, -3_590, false),
        ] {
            assert_eq!(servers.hear(server, at(seconds)), is_told, "{server} after {seconds} s");
        }
    }

    #[test]
    fn made_up_servers_are_bounded() {
        let mut servers = ForeignServers::default();
        let at = |seconds: i64| Timestamp::from_secs(1_568_595_600 + seconds);
        let told = (0..10_000_u32).filter(|number| servers.hear(Ipv4Addr::from(*number), at(0))).count();
        assert_eq!((told, servers.told.len()), (ForeignServers::MAX, ForeignServers::MAX));
        assert!(servers.hear(Ipv4Addr::new(203, 0, 113, 1), at(60)));
        assert_eq!(servers.told.len(), 1);
    }
}
