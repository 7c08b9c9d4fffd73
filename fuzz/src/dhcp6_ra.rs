use std::{
    collections::BTreeMap,
    net::{Ipv6Addr, SocketAddrV6},
    time::Duration,
};

use dhcp6::{
    Effect, Engine, Mode, Origin, Settings, SubnetSettings,
    client::ServerMessage,
    message::Packet,
    ra::{HOP_LIMIT, RaEffect, RaEngine, RaInterface, RaOrigin, RaSettings, RouterAdvertisement, RouterSolicitation},
};
use model::{Duid, Lease6, LeaseState, SubnetId, Timestamp};

use crate::Script;

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

/// A conversation: no address to two associations, and every reply can be read.
pub fn dhcp6_engine(data: &[u8]) {
    let mut engine = Engine::new(settings(), 7).expect("the settings are fixed");
    let mut now = START;
    let mut leases = BTreeMap::new();
    for (way, message) in Script::read(data) {
        now = now + Duration::from_secs(u64::from(way >> 1) * 2);
        if engine.deadline().is_some_and(|at| at <= now) {
            engine.on_deadline(now);
            take(&mut engine, now, &mut leases);
        }
        let source = if way & 1 == 0 {
            SocketAddrV6::new(CLIENT, 546, 0, INTERFACE)
        } else {
            SocketAddrV6::new(RELAY, 547, 0, 0)
        };
        engine.on_packet(now, &Origin { source, local: SERVERS, interface: INTERFACE }, message);
        take(&mut engine, now, &mut leases);
    }
}

fn take(engine: &mut Engine, now: Timestamp, leases: &mut BTreeMap<Ipv6Addr, Lease6>) {
    while let Some(effect) = engine.next_effect() {
        match effect {
            Effect::Save(lease) => {
                if let Some(before) = leases.get(&lease.address)
                    && lease.state == LeaseState::Bound
                    && before.state == LeaseState::Bound
                    && before.is_active(now)
                {
                    assert_eq!(
                        (&before.duid, before.iaid),
                        (&lease.duid, lease.iaid),
                        "{} is held twice",
                        lease.address
                    );
                }
                leases.insert(lease.address, lease);
            }
            Effect::Send(reply) => {
                Packet::parse(&reply.bytes).expect("our own replies can be read");
            }
            Effect::Event(_) => {}
        }
    }
}

fn settings() -> Settings {
    let address = |subnet, last| Ipv6Addr::new(0x2001, 0xdb8, 0, subnet, 0, 0, 0, last);
    let mut first = SubnetSettings::new(SubnetId(0), "attendee", "2001:db8:0:1::/64".parse().expect("a prefix"));
    first.mode = Mode::Stateful;
    first.pools = vec![(address(1, 0x10), address(1, 0x13))];
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
    watched.advertisement = Some(dhcp6::ra::Advertisement::default());
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
