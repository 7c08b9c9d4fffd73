use std::{
    collections::BTreeMap,
    net::{Ipv6Addr, SocketAddrV6},
    time::Duration,
};

use dhcp6::{
    Effect, Engine, Mode, Origin, Settings, SubnetSettings,
    client::ServerMessage,
    message::{MessageType, Packet, code},
    ra::{
        Advertisement, HOP_LIMIT, PrefixSetting, RaEffect, RaEngine, RaInterface, RaOrigin, RaSettings,
        RouterAdvertisement, RouterSolicitation,
    },
};
use model::{Duid, Lease6, LeaseState, SubnetId, Timestamp};

use crate::{RELOAD, RESTART, Script};

const INTERFACE: u32 = 2;
const CLIENT: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xc);
const RELAY: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 2, 0, 0, 0, 1);
const SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
const START: Timestamp = Timestamp::from_secs(1_700_000_000);

/// The parsers of both sides never panic.
pub fn dhcp6_message(data: &[u8]) {
    let _ = Packet::parse(data);
    if let Ok(Some(answer)) = ServerMessage::parse(data) {
        let _ = (answer.associations(), answer.address());
    }
}

/// A conversation, with reloads and restarts in between: no address to two associations, an answer that is one to what
/// was asked, back through the same relays, and no address granted without its save.
pub fn dhcp6_engine(data: &[u8]) {
    let mut play = Play::new();
    for (way, message) in Script::read(data) {
        play.now = play.now + Duration::from_secs(u64::from(way >> 1) * 2);
        if play.engine.deadline().is_some_and(|at| at <= play.now) {
            play.engine.on_deadline(play.now);
            play.take(None);
        }
        match way {
            RESTART => play.restart(),
            RELOAD => play.reload(),
            _ => {}
        }
        let source = if way & 1 == 0 {
            SocketAddrV6::new(CLIENT, 546, 0, INTERFACE)
        } else {
            SocketAddrV6::new(RELAY, 547, 0, 0)
        };
        play.engine.on_packet(play.now, &Origin { source, local: SERVERS, interface: INTERFACE }, message);
        play.take(Packet::parse(message).ok().as_ref());
    }
}

struct Play {
    engine: Engine,
    now: Timestamp,
    /// What is on disk.
    leases: BTreeMap<Ipv6Addr, Lease6>,
    is_reloaded: bool,
}

impl Play {
    fn new() -> Self {
        let engine = Engine::new(settings(false), 7).expect("the settings are fixed");
        Self { engine, now: START, leases: BTreeMap::new(), is_reloaded: false }
    }

    /// The process ends and starts again with what it has saved.
    fn restart(&mut self) {
        self.engine = Engine::new(settings(self.is_reloaded), 8).expect("the settings are fixed");
        for lease in self.leases.values() {
            self.engine.restore(lease.clone(), self.now);
        }
        self.take(None);
    }

    fn reload(&mut self) {
        self.is_reloaded = !self.is_reloaded;
        self.engine.reconfigure(settings(self.is_reloaded), self.now).expect("the settings are fixed");
        self.take(None);
    }

    fn take(&mut self, asked: Option<&Packet<'_>>) {
        while let Some(effect) = self.engine.next_effect() {
            match effect {
                Effect::Save(lease) => self.save(lease),
                Effect::Send(reply) => {
                    let answer = ServerMessage::parse(&reply.bytes).expect("our own replies can be read");
                    let answer = answer.expect("our own replies are answers");
                    check_answer(asked.expect("nothing is sent unasked"), &answer);
                    self.check_addresses(&answer);
                }
                Effect::Event(_) => {}
            }
        }
    }

    fn save(&mut self, lease: Lease6) {
        if let Some(before) = self.leases.get(&lease.address)
            && lease.state == LeaseState::Bound
            && before.is_active(self.now)
        {
            let holder = (&before.duid, before.iaid);
            assert_eq!(holder, (&lease.duid, lease.iaid), "{} is held twice", lease.address);
            assert_eq!(before.state, LeaseState::Bound, "{} is in quarantine", lease.address);
        }
        self.leases.insert(lease.address, lease);
    }

    /// A REPLY names only addresses that are saved for as long as it says, an ADVERTISE none that another has.
    fn check_addresses(&self, answer: &ServerMessage<'_>) {
        let duid = answer.message.duid(code::CLIENT_ID);
        for association in answer.message.associations() {
            for (address, preferred, valid) in association.addresses().filter(|address| address.2 > 0) {
                assert!(preferred <= valid, "preferred for longer than valid");
                let held = self.leases.get(&address).filter(|lease| lease.is_active(self.now));
                if answer.message.message_type == MessageType::Reply {
                    let lease = held.expect("a REPLY for a lease that was not saved");
                    let left = lease.expires.since(self.now);
                    assert!(left >= Duration::from_secs(valid.into()), "told {valid} s, saved for {left:?}");
                }
                if let Some(lease) = held {
                    assert_eq!(lease.state, LeaseState::Bound, "{address} is in quarantine");
                    assert_eq!(Some(&lease.duid), duid.as_ref(), "{address} is another client's");
                    assert_eq!(lease.iaid, association.iaid, "{address} is another association's");
                }
            }
        }
    }
}

/// RFC 8415 sections 16 and 19.3: the same transaction, the same identifiers, the same way back.
fn check_answer(asked: &Packet<'_>, answer: &ServerMessage<'_>) {
    assert_eq!(answer.message.transaction_id, asked.message.transaction_id);
    assert_eq!(answer.message.option(code::CLIENT_ID), asked.message.option(code::CLIENT_ID));
    assert_eq!(answer.message.option(code::SERVER_ID), Some(&*Duid::from_uuid([7; 16]).0));
    assert_eq!(answer.packet.relays.len(), asked.relays.len());
    for (back, forth) in answer.packet.relays.iter().zip(&asked.relays) {
        assert!(back.is_reply);
        assert_eq!(
            (back.hop_count, back.link_address, back.peer_address, back.option(code::INTERFACE_ID)),
            (forth.hop_count, forth.link_address, forth.peer_address, forth.option(code::INTERFACE_ID)),
        );
    }
}

/// The settings before and after a reload: other pools, shorter lifetimes.
fn settings(is_reloaded: bool) -> Settings {
    let address = |subnet, last| Ipv6Addr::new(0x2001, 0xdb8, 0, subnet, 0, 0, 0, last);
    let shift = u16::from(is_reloaded);
    let mut first = SubnetSettings::new(SubnetId(0), "attendee", "2001:db8:0:1::/64".parse().expect("a prefix"));
    first.mode = Mode::Stateful;
    first.pools = vec![(address(1, 0x10 + shift), address(1, 0x13 + shift))];
    first.name_servers = vec!["2001:db8::53".parse().expect("an address")];
    first.direct_interfaces = vec![INTERFACE];
    let mut second = SubnetSettings::new(SubnetId(1), "crew", "2001:db8:0:2::/64".parse().expect("a prefix"));
    second.mode = Mode::Stateful;
    second.pools = vec![(address(2, 0x100), address(2, 0x101))];
    Settings {
        server_duid: Duid::from_uuid([7; 16]).0.to_vec(),
        subnets: vec![first, second],
        rapid_commit: true,
        clock_step_min: Duration::MAX,
        ..Settings::default()
    }
}

/// Router messages: what can be read can be written and read again as the same; the engine takes them all.
pub fn ra(data: &[u8]) {
    if let Ok(message) = RouterAdvertisement::parse(data) {
        let again = RouterAdvertisement::parse(&message.to_bytes()).expect("our own messages can be read");
        assert_eq!(again.to_bytes(), message.to_bytes());
    }
    if let Ok(message) = RouterSolicitation::parse(data) {
        RouterSolicitation::parse(&message.to_bytes()).expect("our own messages can be read");
    }
    let mut watched = RaInterface::new(INTERFACE);
    watched.advertisement = Some(advertisement());
    let settings = RaSettings { interfaces: vec![watched] };
    let mut engine = RaEngine::new(settings, 7, START).expect("the settings are fixed");
    let mut now = START;
    for (way, message) in std::iter::once((0, data)).chain(Script::read(data)) {
        now = now + Duration::from_millis(u64::from(way) * 50);
        let hop_limit = if way & 1 == 0 { HOP_LIMIT } else { 64 };
        engine.on_packet(now, &RaOrigin { source: CLIENT, interface: INTERFACE, hop_limit }, message);
        if engine.deadline().is_some_and(|at| at <= now) {
            engine.on_deadline(now);
        }
        while let Some(effect) = engine.next_effect() {
            if let RaEffect::Send(message) = effect {
                RouterAdvertisement::parse(&message.bytes).expect("our own messages can be read");
            }
        }
    }
}

fn advertisement() -> Advertisement {
    let prefix = |text: &str| text.parse().expect("a prefix");
    Advertisement {
        prefixes: vec![PrefixSetting::new(prefix("2001:db8:0:1::/64"))],
        name_servers: vec!["2001:db8::53".parse().expect("an address")],
        domains: vec!["event.example".into()],
        pref64: Some(prefix("64:ff9b::/96")),
        captive_portal: Some("https://portal.event.example/api".into()),
        mtu: Some(1_500),
        router_lifetime: Duration::from_secs(1_800),
        ..Advertisement::default()
    }
}
