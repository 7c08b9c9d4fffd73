//! Tests of the engine as a whole. Each names the section of the RFC that it holds the engine to.

mod bad_input;
mod behaviours;
mod campus;
mod clock;
mod codec;
mod leasequery;
mod messages;
mod option_values;
mod options;
mod oracle;
mod pools;
mod pressure;
mod protection;
mod relays;
mod restart;
mod settings;
mod shared_networks;
mod simulation;

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    time::Duration,
};

use model::{Lease, Mac, SubnetId, Timestamp};

use crate::{
    DhcpEvent, Effect, Engine, Origin, PoolSettings, Reply, Settings, SubnetSettings,
    client::{self, ClientReply, Request, Sender},
    message::MessageType,
};

pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
pub(crate) const GATEWAY: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
pub(crate) const CREW_GATEWAY: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
pub(crate) const ATTENDEE_INTERFACE: u32 = 2;
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn attendee(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, last)
}

pub(crate) fn crew(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(203, 0, 113, last)
}

pub(crate) fn mac(number: u16) -> Mac {
    let [high, low] = number.to_be_bytes();
    Mac([0x02, 0, 0x5e, 0x10, high, low])
}

pub(crate) fn sender(number: u16) -> Sender<'static> {
    Sender::new(0x1000_0000 + u32::from(number), mac(number))
}

/// Two subnets with ten addresses each: attendees .10 to .19, crew .100 to .109.
pub(crate) fn example() -> Settings {
    let mut first = SubnetSettings::new(SubnetId(0), "attendee", "198.51.100.0/24".parse().unwrap());
    first.pools = vec![PoolSettings::common(attendee(10), attendee(19))];
    first.gateway = Some(GATEWAY);
    first.name_servers = vec![Ipv4Addr::new(192, 0, 2, 53)];
    first.domain = Some("event.example".into());
    first.ntp_servers = vec![Ipv4Addr::new(192, 0, 2, 123)];
    first.direct_interfaces = vec![ATTENDEE_INTERFACE];
    // Few addresses, so most tests would be under pressure.
    first.lease_under_pressure = Some(HOUR);
    let mut second = SubnetSettings::new(SubnetId(1), "crew", "203.0.113.0/24".parse().unwrap());
    second.pools = vec![PoolSettings::common(crew(100), crew(109))];
    second.gateway = Some(CREW_GATEWAY);
    Settings { server_identifier: SERVER, subnets: vec![first, second], ..Settings::default() }
}

/// A reply with what most tests look at.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) kind: MessageType,
    pub(crate) yiaddr: Ipv4Addr,
    pub(crate) reply: Reply,
}

impl Answer {
    pub(crate) fn option(&self, code: u8) -> Option<Vec<u8>> {
        let parsed = ClientReply::parse(&self.reply.bytes).unwrap().unwrap();
        parsed.message.option(code).map(<[u8]>::to_vec)
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
                is_broadcast: false,
                source: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68),
                local: SERVER,
                interface: ATTENDEE_INTERFACE,
            },
            effects: Vec::new(),
        }
    }

    pub(crate) fn example() -> Self {
        Self::new(example())
    }

    /// Hands in a datagram and keeps what the engine wants done.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Option<Answer> {
        self.engine.on_packet(self.now, &self.origin, bytes);
        self.take_effects();
        let replies = self.effects.iter().filter_map(|effect| match effect {
            Effect::Send(reply) => Some(reply.clone()),
            Effect::Save(_) | Effect::Event(_) => None,
        });
        let replies: Vec<_> = replies.collect();
        assert!(replies.len() <= 1, "one message, one reply");
        replies.into_iter().next().map(|reply| {
            let parsed = ClientReply::parse(&reply.bytes).unwrap().unwrap();
            Answer { kind: parsed.message_type, yiaddr: parsed.yiaddr(), reply: reply.clone() }
        })
    }

    pub(crate) fn take_effects(&mut self) {
        self.effects = std::iter::from_fn(|| self.engine.next_effect()).collect();
    }

    /// Lets time pass as a driver would: every deadline is kept.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        let mut effects = Vec::new();
        while let Some(deadline) = self.engine.deadline().filter(|&deadline| deadline <= end) {
            self.now = self.now.max(deadline);
            self.engine.on_deadline(self.now);
            self.take_effects();
            effects.append(&mut self.effects);
        }
        self.now = end;
        self.engine.on_deadline(end);
        self.take_effects();
        effects.append(&mut self.effects);
        self.effects = effects;
    }

    pub(crate) fn discover(&mut self, who: &Sender<'_>) -> Option<Answer> {
        self.send(&client::discover(who, None))
    }

    pub(crate) fn select(&mut self, who: &Sender<'_>, address: Ipv4Addr) -> Option<Answer> {
        self.send(&client::request(who, Request::Selecting { address, server: SERVER }))
    }

    pub(crate) fn reboot(&mut self, who: &Sender<'_>, address: Ipv4Addr) -> Option<Answer> {
        self.send(&client::request(who, Request::Rebooting { address }))
    }

    pub(crate) fn renew(&mut self, who: &Sender<'_>, address: Ipv4Addr) -> Option<Answer> {
        self.send(&client::request(who, Request::Extending { address }))
    }

    /// DISCOVER, OFFER, REQUEST, ACK; the address.
    pub(crate) fn bind(&mut self, who: &Sender<'_>) -> Ipv4Addr {
        let offer = self.discover(who).expect("an offer");
        assert_eq!(offer.kind, MessageType::Offer);
        let ack = self.select(who, offer.yiaddr).expect("an ACK");
        assert_eq!((ack.kind, ack.yiaddr), (MessageType::Ack, offer.yiaddr));
        ack.yiaddr
    }

    pub(crate) fn saves(&self) -> Vec<&Lease> {
        let saves = self.effects.iter().filter_map(|effect| match effect {
            Effect::Save(lease) => Some(lease),
            Effect::Send(_) | Effect::Event(_) => None,
        });
        saves.collect()
    }

    pub(crate) fn events(&self) -> Vec<&DhcpEvent> {
        let events = self.effects.iter().filter_map(|effect| match effect {
            Effect::Event(event) => Some(event),
            Effect::Send(_) | Effect::Save(_) => None,
        });
        events.collect()
    }

    pub(crate) fn used(&self) -> u64 {
        self.engine.pool_use(self.now).next().unwrap().2
    }
}

pub(crate) fn kind(answer: Option<Answer>) -> Option<MessageType> {
    answer.map(|answer| answer.kind)
}
