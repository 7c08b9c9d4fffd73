use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddrV4},
    time::Duration,
};

use dhcp::{
    Effect, Engine, Origin, PoolSettings, Settings, SubnetSettings,
    client::ClientReply,
    message::{MessageView, RelayAgentView, code},
};
use model::{Lease, LeaseState, SubnetId, Timestamp};

/// The server's address in scripts.
pub const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// The gateway and relay of the first subnet.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const INTERFACE: u32 = 2;

/// The parser: it never panics, and what it says of a message does not contradict itself.
pub fn dhcp4_message(data: &[u8]) {
    let Ok(view) = MessageView::parse(data) else { return };
    for (option, octets) in view.options() {
        assert_eq!(view.option(option), Some(octets));
    }
    if let Some(agent) = view.option(code::RELAY_AGENT_INFORMATION) {
        let _ = RelayAgentView::parse(agent);
    }
    let _ = (view.message_type(), view.mac(), view.chaddr().len());
    let _ = ClientReply::parse(data);
}

/// A conversation: no address to two clients, replies that parse, option 82 as it came, an ACK never without a save.
pub fn dhcp4_engine(data: &[u8]) {
    let mut engine = Engine::new(settings(), 7).expect("the settings are fixed");
    let mut now = Timestamp::from_secs(1_700_000_000);
    let mut leases = BTreeMap::new();
    for (way, message) in Script::read(data) {
        now = now + Duration::from_secs(u64::from(way >> 2) * 4);
        if engine.deadline().is_some_and(|at| at <= now) {
            engine.on_deadline(now);
            take(&mut engine, now, &mut leases, None);
        }
        let origin = origin(way, message);
        engine.on_packet(now, &origin, message);
        take(&mut engine, now, &mut leases, Some(message));
    }
}

fn origin(way: u8, message: &[u8]) -> Origin {
    let giaddr = MessageView::parse(message).map_or(Ipv4Addr::UNSPECIFIED, |view| view.giaddr());
    let from = |address, port| SocketAddrV4::new(address, port);
    match way & 3 {
        0 => Origin { source: from(giaddr, 67), local: SERVER, interface: 1, is_broadcast: false },
        1 => {
            Origin { source: from(Ipv4Addr::UNSPECIFIED, 68), local: GATEWAY, interface: INTERFACE, is_broadcast: true }
        }
        2 => Origin {
            source: from(Ipv4Addr::new(198, 51, 100, 10), 68),
            local: SERVER,
            interface: INTERFACE,
            is_broadcast: false,
        },
        _ => Origin { source: from(GATEWAY, 1067), local: SERVER, interface: 0, is_broadcast: false },
    }
}

fn take(engine: &mut Engine, now: Timestamp, leases: &mut BTreeMap<Ipv4Addr, Lease>, asked: Option<&[u8]>) {
    while let Some(effect) = engine.next_effect() {
        match effect {
            Effect::Save(lease) => {
                if let Some(before) = leases.get(&lease.address)
                    && lease.state == LeaseState::Bound
                    && before.state == LeaseState::Bound
                    && before.is_active(now)
                {
                    assert_eq!(before.client, lease.client, "{} has two clients", lease.address);
                }
                leases.insert(lease.address, lease);
            }
            Effect::Send(reply) => {
                let parsed = ClientReply::parse(&reply.bytes).expect("our own replies can be read");
                let parsed = parsed.expect("our own replies are replies");
                let held = leases.get(&parsed.yiaddr()).is_some_and(|lease| lease.is_active(now));
                let is_grant = parsed.message_type == dhcp::message::MessageType::Ack
                    && !parsed.yiaddr().is_unspecified()
                    && reply.needs_save;
                assert!(!is_grant || held, "an ACK for a lease that was not saved");
                let information = asked.and_then(|bytes| MessageView::parse(bytes).ok());
                let information = information.as_ref().and_then(|view| view.option(code::RELAY_AGENT_INFORMATION));
                if let (Some(got), Some(sent)) = (parsed.relay_agent_information(), information) {
                    assert_eq!(got, sent, "option 82 changed");
                }
            }
            Effect::Event(_) => {}
        }
    }
}

fn settings() -> Settings {
    let mut first = SubnetSettings::new(SubnetId(0), "attendee", "198.51.100.0/24".parse().expect("a prefix"));
    let attendee = |last| Ipv4Addr::new(198, 51, 100, last);
    first.pools = vec![PoolSettings::common(attendee(10), attendee(13))];
    first.gateway = Some(GATEWAY);
    first.name_servers = vec![Ipv4Addr::new(192, 0, 2, 53)];
    first.domain = Some("event.example".into());
    first.direct_interfaces = vec![INTERFACE];
    let mut second = SubnetSettings::new(SubnetId(1), "crew", "203.0.113.0/24".parse().expect("a prefix"));
    let crew = |last| Ipv4Addr::new(203, 0, 113, last);
    second.pools = vec![PoolSettings::common(crew(100), crew(101))];
    second.gateway = Some(crew(1));
    Settings { server_identifier: SERVER, subnets: vec![first, second], ..Settings::default() }
}

use crate::Script;
