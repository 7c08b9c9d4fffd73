//! Tests of the engine as a whole. Each names the section of the RFC that it holds the engine to.

mod codec;
mod life;
mod limits;
mod messages;
mod oracle;
mod pools;
mod relays;
mod settings;

use std::{
    net::{Ipv6Addr, SocketAddrV6},
    time::Duration,
};

use model::{Duid, Lease6, Mac, SubnetId, Timestamp};

use crate::{
    CLIENT_PORT, Dhcp6Event, Effect, Engine, Origin, Reply, Settings, SubnetSettings,
    client::{Association, ClientMessage, ServerMessage},
    message::{MessageType, Status},
};

pub(crate) const INTERFACE: u32 = 2;
pub(crate) const MULTICAST: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
pub(crate) const CLIENT: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xc);
pub(crate) const RELAY: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 2, 0, 0, 0, 1);

pub(crate) fn attendee(last: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, last)
}

pub(crate) fn crew(last: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, 2, 0, 0, 0, last)
}

pub(crate) fn mac(number: u16) -> Mac {
    let [high, low] = number.to_be_bytes();
    Mac([0x02, 0, 0x5e, 0x10, high, low])
}

pub(crate) fn duid(number: u16) -> Duid {
    Duid::from_link_layer(mac(number))
}

pub(crate) fn server() -> Duid {
    Duid::from_uuid([7; 16])
}

/// Two subnets with ten addresses each: attendees ::10 to ::19 on link, crew ::100 to ::109 behind a relay. The clock
/// never steps, so that tests can let time pass.
pub(crate) fn example() -> Settings {
    let mut first = SubnetSettings::new(SubnetId(0), "attendee", "2001:db8:0:1::/64".parse().unwrap());
    first.pools = vec![(attendee(0x10), attendee(0x19))];
    first.name_servers = vec!["2001:db8::53".parse().unwrap()];
    first.domain = Some("event.example".into());
    first.ntp_servers = vec!["2001:db8::123".parse().unwrap()];
    first.captive_portal = Some("https://portal.event.example/api".into());
    first.direct_interfaces = vec![INTERFACE];
    let mut second = SubnetSettings::new(SubnetId(1), "crew", "2001:db8:0:2::/64".parse().unwrap());
    second.pools = vec![(crew(0x100), crew(0x109))];
    let clock_step_min = Duration::MAX;
    Settings { server_duid: server().0.to_vec(), subnets: vec![first, second], clock_step_min, ..Settings::default() }
}

/// A reply with what most tests look at.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) kind: MessageType,
    pub(crate) status: Status,
    pub(crate) associations: Vec<Association>,
    pub(crate) reply: Reply,
}

impl Answer {
    pub(crate) fn address(&self) -> Option<Ipv6Addr> {
        self.associations.iter().find_map(|association| association.addresses.first().copied())
    }

    pub(crate) fn option(&self, code: u16) -> Option<Vec<u8>> {
        let parsed = ServerMessage::parse(&self.reply.bytes).unwrap().unwrap();
        parsed.message.option(code).map(<[u8]>::to_vec)
    }

    /// What the client sends next.
    pub(crate) fn then(&self, message_type: MessageType) -> ClientMessage {
        ClientMessage::following(message_type, 0x77, &ServerMessage::parse(&self.reply.bytes).unwrap().unwrap())
    }
}

/// An engine, the time, and where clients are.
pub(crate) struct Bench {
    pub(crate) engine: Engine,
    pub(crate) now: Timestamp,
    pub(crate) origin: Origin,
    pub(crate) effects: Vec<Effect>,
}

impl Bench {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            engine: Engine::new(settings, 7).unwrap(),
            now: Timestamp::from_secs(1_568_595_600),
            origin: Origin {
                source: SocketAddrV6::new(CLIENT, CLIENT_PORT, 0, INTERFACE),
                local: MULTICAST,
                interface: INTERFACE,
            },
            effects: Vec::new(),
        }
    }

    pub(crate) fn example() -> Self {
        Self::new(example())
    }

    /// Hands in a datagram and keeps what the engine wants done.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) -> Option<Answer> {
        self.engine.on_packet(self.now, &self.origin, bytes);
        self.take_effects();
        let mut replies = Vec::new();
        let mut saves = 0;
        for effect in &self.effects {
            match effect {
                Effect::Save(_) => saves += 1,
                Effect::Send(reply) => replies.push((reply.clone(), saves)),
                Effect::Event(_) => {}
            }
        }
        assert!(replies.len() <= 1, "one message, one reply");
        let (reply, saves_before) = replies.pop()?;
        assert!(saves_before == 0 || reply.needs_save, "a reply may not leave before what it depends on is saved");
        let parsed = ServerMessage::parse(&reply.bytes).unwrap().unwrap();
        Some(Answer {
            kind: parsed.message.message_type,
            status: parsed.message.status(),
            associations: parsed.associations(),
            reply: reply.clone(),
        })
    }

    pub(crate) fn send(&mut self, message: &ClientMessage) -> Option<Answer> {
        self.send_bytes(&message.to_bytes())
    }

    pub(crate) fn take_effects(&mut self) {
        self.effects = std::iter::from_fn(|| self.engine.next_effect()).collect();
        self.engine.bindings.check_invariants();
    }

    /// SOLICIT and REQUEST: the REPLY.
    pub(crate) fn obtain(&mut self, client: u16, iaid: u32) -> Answer {
        let advertise = self.send(&ClientMessage::solicit(1, &duid(client), iaid)).expect("an ADVERTISE");
        assert_eq!(advertise.kind, MessageType::Advertise);
        self.send(&advertise.then(MessageType::Request)).expect("a REPLY")
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.engine.on_deadline(self.now);
        self.take_effects();
    }

    pub(crate) fn saved(&self) -> Vec<Lease6> {
        let saved = self.effects.iter().filter_map(|effect| match effect {
            Effect::Save(lease) => Some(lease.clone()),
            Effect::Send(_) | Effect::Event(_) => None,
        });
        saved.collect()
    }

    pub(crate) fn events(&self) -> Vec<Dhcp6Event> {
        let events = self.effects.iter().filter_map(|effect| match effect {
            Effect::Event(event) => Some(event.clone()),
            Effect::Save(_) | Effect::Send(_) => None,
        });
        events.collect()
    }
}
