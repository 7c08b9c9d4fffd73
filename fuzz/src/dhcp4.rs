use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddrV4},
    time::Duration,
};

use dhcp::{
    ClassSettings, Effect, Engine, Limits, Match, OptionSetting, Origin, PoolSettings, ProbeSettings, Reservation,
    ReservationKey, Settings, SubnetSettings,
    client::ClientReply,
    message::{MessageType, MessageView, RelayAgentView, code},
};
use model::{Lease, LeaseState, Mac, SubnetId, Timestamp};

use crate::{RELOAD, RESTART, Script};

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

/// A conversation with two subnets, relays, classes and reservations, reloads and restarts in between: no address to
/// two clients, replies that parse and answer what was asked, option 82 as it came, an ACK never without its save.
pub fn dhcp4_engine(data: &[u8]) {
    let mut play = Play::new();
    for (way, message) in Script::read(data) {
        play.now = play.now + Duration::from_secs(u64::from(way >> 2) * 4);
        match way {
            RESTART => play.restart(),
            RELOAD => play.reload(),
            _ => {}
        }
        // With probes there are offers that wait; they leave now, so that what comes next answers this message.
        if play.has_probed || play.engine.deadline().is_some_and(|at| at <= play.now) {
            play.engine.on_deadline(play.now);
            play.take(None);
        }
        play.engine.on_packet(play.now, &origin(way, message), message);
        play.take(MessageView::parse(message).ok().as_ref());
        while let Some(probe) = play.engine.next_probe() {
            play.engine.probe_result(probe.address, way & 4 != 0, play.now);
            play.take(None);
        }
    }
}

struct Play {
    engine: Engine,
    now: Timestamp,
    /// What is on disk.
    leases: BTreeMap<Ipv4Addr, Lease>,
    is_reloaded: bool,
    /// Some settings so far had probes.
    has_probed: bool,
}

impl Play {
    fn new() -> Self {
        Self {
            engine: Engine::new(settings(false), 7).expect("the settings are fixed"),
            now: Timestamp::from_secs(1_700_000_000),
            leases: BTreeMap::new(),
            is_reloaded: false,
            has_probed: false,
        }
    }

    /// The process ends and starts again with what it has saved.
    fn restart(&mut self) {
        self.engine = Engine::new(settings(self.is_reloaded), 8).expect("the settings are fixed");
        self.engine.restore_all(self.leases.values().cloned().collect(), self.now);
        self.take(None);
    }

    fn reload(&mut self) {
        self.is_reloaded = !self.is_reloaded;
        self.has_probed = true;
        let settings = settings(self.is_reloaded);
        let _ = self.engine.preview(&settings);
        self.engine.reconfigure(settings, self.now).expect("the settings are fixed");
        self.take(None);
    }

    /// Carries out the effects; `asked` is the message that they answer, if that is known.
    fn take(&mut self, asked: Option<&MessageView<'_>>) {
        while let Some(effect) = self.engine.next_effect() {
            match effect {
                Effect::Save(lease) => self.save(lease),
                Effect::Send(reply) => {
                    let parsed = ClientReply::parse(&reply.bytes).expect("our own replies can be read");
                    let parsed = parsed.expect("our own replies are replies");
                    let is_grant = parsed.message_type == MessageType::Ack
                        && !parsed.yiaddr().is_unspecified()
                        && reply.needs_save;
                    if is_grant {
                        self.check_grant(&parsed);
                    }
                    if let Some(asked) = asked {
                        self.check_reply(asked, &parsed, is_grant);
                    }
                }
                Effect::Event(_) => {}
            }
        }
    }

    fn save(&mut self, lease: Lease) {
        if let Some(before) = self.leases.get(&lease.address)
            && lease.state == LeaseState::Bound
            && before.is_active(self.now)
        {
            assert_eq!(before.client, lease.client, "{} has two clients", lease.address);
            assert_eq!(before.state, LeaseState::Bound, "{} is in quarantine", lease.address);
        }
        self.leases.insert(lease.address, lease);
    }

    /// On disk is a lease that lasts at least as long as the client is told.
    fn check_grant(&self, reply: &ClientReply<'_>) {
        let saved = self.leases.get(&reply.yiaddr()).expect("an ACK for a lease that was not saved");
        assert!(saved.state == LeaseState::Bound && saved.is_active(self.now), "an ACK for a lease that is over");
        let told = reply.lease_time().expect("an ACK has a lease time");
        assert!(saved.expires.since(self.now) >= told, "told {told:?}, saved until {:?}", saved.expires);
    }

    fn check_reply(&self, asked: &MessageView<'_>, reply: &ClientReply<'_>, is_grant: bool) {
        assert_eq!(reply.xid(), asked.xid());
        assert_eq!(reply.giaddr(), asked.giaddr());
        if asked.message_type() == Some(MessageType::LeaseQuery) {
            return;
        }
        assert_eq!(reply.message.chaddr(), asked.chaddr());
        let information = asked.option(code::RELAY_AGENT_INFORMATION);
        assert_eq!(reply.relay_agent_information(), information, "option 82 changed");
        let yiaddr = reply.yiaddr();
        if yiaddr.is_unspecified() {
            return;
        }
        assert!(![SERVER, GATEWAY].contains(&yiaddr), "{yiaddr} is the network's own");
        if let Some(lease) = self.leases.get(&yiaddr).filter(|lease| lease.is_active(self.now)) {
            let is_theirs = lease.state == LeaseState::Bound && *lease.client.0 == client_key(asked);
            assert!(is_theirs, "{yiaddr} is promised to one and held by another");
        } else {
            assert!(!is_grant);
        }
    }
}

/// What identifies a client (RFC 2131 section 4.2), in the form of [`model::ClientKey`].
fn client_key(view: &MessageView<'_>) -> Vec<u8> {
    match view.option(code::CLIENT_IDENTIFIER).filter(|identifier| identifier.len() >= 2) {
        Some(identifier) => [&[0], identifier].concat(),
        None => [&[1, view.htype()], view.chaddr()].concat(),
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

/// The settings before and after a reload: other pools, a reservation for somebody new, probes, shorter leases.
fn settings(is_reloaded: bool) -> Settings {
    let attendee = |last| Ipv4Addr::new(198, 51, 100, last);
    let shift = u8::from(is_reloaded);
    let mut first = SubnetSettings::new(SubnetId(0), "attendee", "198.51.100.0/24".parse().expect("a prefix"));
    first.pools = vec![
        PoolSettings::common(attendee(10 + shift), attendee(13 + shift)),
        PoolSettings { first: attendee(20), last: attendee(21 - shift), class: Some("phones".into()) },
    ];
    first.gateway = Some(GATEWAY);
    first.name_servers = vec![Ipv4Addr::new(192, 0, 2, 53)];
    first.domain = Some("event.example".into());
    first.direct_interfaces = vec![INTERFACE];
    first.ipv6_only_wait = Some(Duration::from_secs(1_800));
    first.lease = Duration::from_secs(if is_reloaded { 400 } else { 3_600 });
    let reserved = |client, last| Reservation { client, address: attendee(last), host_name: None, options: Vec::new() };
    first.reservations = vec![
        reserved(ReservationKey::CircuitId(b"port".to_vec()), 40),
        reserved(ReservationKey::Mac(Mac([0x02, 0, 0x5e, 0x10, 0, 2 + shift])), 12),
    ];
    let mut second = SubnetSettings::new(SubnetId(1), "crew", "203.0.113.0/24".parse().expect("a prefix"));
    let crew = |last| Ipv4Addr::new(203, 0, 113, last);
    second.pools = vec![PoolSettings::common(crew(100), crew(101))];
    second.gateway = Some(crew(1));
    second.rapid_commit = true;
    Settings {
        server_identifier: SERVER,
        subnets: vec![first, second],
        offers_outstanding_max: 3,
        classes: vec![phones()],
        limits: Limits { leases_per_circuit: Some(3), offers_per_circuit: Some(2), ..Limits::default() },
        leasequery_from: vec!["198.51.100.0/24".parse().expect("a prefix")],
        probe: ProbeSettings { wait: Duration::from_secs(shift.into()), ..ProbeSettings::default() },
        ..Settings::default()
    }
}

/// A class with an option that needs two pieces.
fn phones() -> ClassSettings {
    ClassSettings {
        name: "phones".into(),
        when: vec![
            vec![Match::VendorClassPrefix(b"phone".to_vec())],
            vec![Match::CircuitIdPrefix(b"ph".to_vec()), Match::MacPrefix(vec![0x02])],
        ],
        options: vec![OptionSetting { code: 43, data: vec![b'x'; 300], always: true }],
        lease: Some(Duration::from_secs(120)),
    }
}
