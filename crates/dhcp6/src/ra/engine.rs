use std::{
    collections::{BTreeMap, VecDeque},
    net::Ipv6Addr,
    time::Duration,
};

use ipnet::Ipv6Net;
use model::{Mac, Timestamp};

use super::{
    ALL_NODES, HOP_LIMIT, INITIAL_ADVERTISEMENTS, INITIAL_INTERVAL_MAX, RA_DELAY_MAX, RA_SPACING_MIN,
    ROUTER_ADVERTISEMENT, ROUTER_SOLICITATION, RaInterface, RaOption, RaSettings, RaSettingsError, RouterAdvertisement,
    RouterSolicitation, jitter::Jitter,
};

/// The same foreign router is told of at most so often.
const FOREIGN_INTERVAL: Duration = Duration::from_secs(60);
/// Foreign routers of one link that are remembered; more than that is an attack, of which one is told as well.
const FOREIGN_ROUTERS_MAX: usize = 16;
/// Prefixes of a foreign router that are told.
const FOREIGN_PREFIXES_MAX: usize = 8;

/// How an ICMPv6 message came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RaOrigin {
    /// Who sent it.
    pub source: Ipv6Addr,
    /// Index of the receiving interface.
    pub interface: u32,
    /// Hop limit of the packet.
    pub hop_limit: u8,
}

/// What the engine asks for, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RaEffect {
    /// Send this message.
    Send(RaMessage),
    /// Something others may want to know.
    Event(RaEvent),
}

/// An ICMPv6 message to send with hop limit [`HOP_LIMIT`], from a link-local address of the interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RaMessage {
    /// Index of the interface.
    pub interface: u32,
    /// Where to: [`ALL_NODES`].
    pub to: Ipv6Addr,
    /// The message from its ICMPv6 header on; the checksum is zero and the kernel's to fill in.
    pub bytes: Vec<u8>,
}

/// Something seen on a link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RaEvent {
    /// A router that is neither ours nor expected advertises itself. Told once a minute for each router, and for at
    /// most 16 routers of a link in a minute.
    ForeignRouter {
        /// Index of the interface.
        interface: u32,
        /// Its link-local address.
        source: Ipv6Addr,
        /// Its Ethernet address, as it says.
        mac: Option<Mac>,
        /// How long it wants to be a default router, seconds; 0 = it is none, or no more.
        router_lifetime: u16,
        /// The prefixes that it advertises, at most eight.
        prefixes: Vec<Ipv6Net>,
    },
}

/// What the engine has done so far. Each only grows.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct RaCounters {
    /// Messages handed in.
    pub packets: u64,
    /// Router Solicitations understood.
    pub solicitations: u64,
    /// Of them, those that an advertisement already due will answer.
    pub solicitations_joined: u64,
    /// Advertisements sent.
    pub advertisements: u64,
    /// Advertisements heard from expected routers and ourselves.
    pub expected: u64,
    /// Advertisements heard from others.
    pub foreign: u64,
    /// Of them, those not told of because there were too many routers.
    pub foreign_untold: u64,
    /// Dropped: on an interface that is not in the settings.
    pub dropped_unknown_interface: u64,
    /// Dropped: hop limit below 255, so from another link (RFC 4861 section 6.1).
    pub dropped_hop_limit: u64,
    /// Dropped: neither solicitation nor advertisement.
    pub dropped_other_type: u64,
    /// Dropped: contradicts itself or RFC 4861 section 6.1.
    pub dropped_malformed: u64,
    /// Dropped: solicitations on links where we do not advertise.
    pub dropped_not_a_router: u64,
}

#[derive(Clone, Copy, Debug)]
enum Drop {
    UnknownInterface,
    HopLimit,
    OtherType,
    Malformed,
    NotARouter,
}

/// Advertises on links of ours (RFC 4861 section 6.2) and tells of foreign routers, without sockets and clock.
///
/// Call [`on_packet`](Self::on_packet) for each ICMPv6 message of types 133 and 134 and
/// [`on_deadline`](Self::on_deadline) when [`deadline`](Self::deadline) has come; after either, carry out effects
/// until [`next_effect`](Self::next_effect) says `None`. Before the end call [`stop`](Self::stop).
///
/// **Bounds.** Sixteen foreign routers for each link; effects: one for each link or message.
#[derive(Debug)]
pub struct RaEngine {
    links: Vec<Link>,
    jitter: Jitter,
    effects: VecDeque<RaEffect>,
    counters: RaCounters,
}

/// One interface, and when it is to send.
#[derive(Debug)]
struct Link {
    settings: RaInterface,
    /// What is advertised, and the same as bytes.
    advertisement: Option<(RouterAdvertisement, Vec<u8>)>,
    /// When to advertise next.
    due: Option<Timestamp>,
    last: Option<Timestamp>,
    /// How many of the first few are left.
    initial_left: u8,
    /// By address: when it was told of last.
    foreign: BTreeMap<Ipv6Addr, Timestamp>,
}

impl RaEngine {
    /// An engine that advertises soon after `now`. `seed` decides the random times.
    pub fn new(settings: RaSettings, seed: u64, now: Timestamp) -> Result<Self, RaSettingsError> {
        let mut engine = Self {
            links: Vec::new(),
            jitter: Jitter::new(seed),
            effects: VecDeque::new(),
            counters: RaCounters::default(),
        };
        engine.reconfigure(settings, now)?;
        Ok(engine)
    }

    /// Goes on by other settings. Links where we advertise no more hear so; where something else is advertised it is
    /// soon (RFC 4861 section 6.2.4). On an error nothing changes.
    pub fn reconfigure(&mut self, settings: RaSettings, now: Timestamp) -> Result<(), RaSettingsError> {
        let advertisements = settings.check()?;
        let mut before = std::mem::take(&mut self.links);
        for (settings, message) in settings.interfaces.into_iter().zip(advertisements) {
            let known = before.iter().position(|link| link.settings.index == settings.index);
            let link = known.map(|at| before.swap_remove(at));
            self.enter(settings, message, link, now);
        }
        for link in before {
            self.farewell(&link);
        }
        Ok(())
    }

    fn enter(
        &mut self,
        settings: RaInterface,
        message: Option<RouterAdvertisement>,
        before: Option<Link>,
        now: Timestamp,
    ) {
        let advertisement = message.map(|message| {
            let bytes = message.to_bytes();
            (message, bytes)
        });
        let mut link = before.unwrap_or_else(|| Link::new(settings.clone()));
        if advertisement.is_none() {
            self.farewell(&link);
        }
        let is_news = link.advertisement != advertisement;
        link.settings = settings;
        link.advertisement = advertisement;
        if link.advertisement.is_none() {
            link.due = None;
        } else if is_news {
            link.initial_left = INITIAL_ADVERTISEMENTS;
            link.due = Some(link.soon(now, &mut self.jitter));
        }
        self.links.push(link);
    }

    /// We are a router no more: says so on each link, once, and is silent then (RFC 4861 section 6.2.5).
    pub fn stop(&mut self, now: Timestamp) {
        for mut link in std::mem::take(&mut self.links) {
            self.farewell(&link);
            (link.due, link.last) = (None, Some(now));
            link.advertisement = None;
            self.links.push(link);
        }
    }

    /// The last advertisement of a link: router lifetime zero.
    fn farewell(&mut self, link: &Link) {
        if let Some((message, _)) = &link.advertisement {
            let last = RouterAdvertisement { router_lifetime: 0, ..message.clone() };
            self.send(link.settings.index, last.to_bytes());
        }
    }

    fn send(&mut self, interface: u32, bytes: Vec<u8>) {
        self.counters.advertisements += 1;
        self.effects.push_back(RaEffect::Send(RaMessage { interface, to: ALL_NODES, bytes }));
    }

    /// Reads one message and decides. What cannot be understood is counted and dropped.
    pub fn on_packet(&mut self, now: Timestamp, origin: &RaOrigin, bytes: &[u8]) {
        self.counters.packets += 1;
        if let Err(reason) = self.on_message(now, origin, bytes) {
            let counter = match reason {
                Drop::UnknownInterface => &mut self.counters.dropped_unknown_interface,
                Drop::HopLimit => &mut self.counters.dropped_hop_limit,
                Drop::OtherType => &mut self.counters.dropped_other_type,
                Drop::Malformed => &mut self.counters.dropped_malformed,
                Drop::NotARouter => &mut self.counters.dropped_not_a_router,
            };
            *counter += 1;
        }
        self.on_deadline(now);
    }

    fn on_message(&mut self, now: Timestamp, origin: &RaOrigin, bytes: &[u8]) -> Result<(), Drop> {
        let found = self.links.iter().position(|link| link.settings.index == origin.interface);
        let at = found.ok_or(Drop::UnknownInterface)?;
        if origin.hop_limit != HOP_LIMIT {
            return Err(Drop::HopLimit);
        }
        match bytes.first() {
            Some(&ROUTER_SOLICITATION) => self.on_solicitation(now, origin, at, bytes),
            Some(&ROUTER_ADVERTISEMENT) => self.on_advertisement(now, origin, at, bytes),
            Some(_) => Err(Drop::OtherType),
            None => Err(Drop::Malformed),
        }
    }

    /// RFC 4861 sections 6.1.1 and 6.2.6. Many solicitations share one advertisement.
    fn on_solicitation(&mut self, now: Timestamp, origin: &RaOrigin, at: usize, bytes: &[u8]) -> Result<(), Drop> {
        let message = RouterSolicitation::parse(bytes).map_err(|_| Drop::Malformed)?;
        let is_anonymous = origin.source.is_unspecified();
        if origin.source.is_multicast() || is_anonymous && message.has_source_link_layer() {
            return Err(Drop::Malformed);
        }
        let link = &mut self.links[at];
        link.advertisement.as_ref().ok_or(Drop::NotARouter)?;
        self.counters.solicitations += 1;
        // What is due within the longest delay of an answer answers this one too; else no random number is spent.
        let latest = link.earliest(now) + RA_DELAY_MAX;
        if link.due.is_some_and(|due| due <= latest) {
            self.counters.solicitations_joined += 1;
        } else {
            link.due = Some(link.soon(now, &mut self.jitter));
        }
        Ok(())
    }

    /// RFC 4861 section 6.1.2: whose is it?
    fn on_advertisement(&mut self, now: Timestamp, origin: &RaOrigin, at: usize, bytes: &[u8]) -> Result<(), Drop> {
        let message = RouterAdvertisement::parse(bytes).map_err(|_| Drop::Malformed)?;
        let (source, interface) = (origin.source, origin.interface);
        if !source.is_unicast_link_local() {
            return Err(Drop::Malformed);
        }
        let link = &mut self.links[at];
        // Not by the Ethernet address that it tells: anybody can tell ours.
        if link.settings.own_addresses.contains(&source) || link.settings.routers_expected.contains(&source) {
            self.counters.expected += 1;
            return Ok(());
        }
        self.counters.foreign += 1;
        match link.note_foreign(source, now) {
            Noted::Told => {}
            Noted::TooMany => self.counters.foreign_untold += 1,
            Noted::News => {
                let prefixes = message.options.iter().filter_map(|option| match option {
                    RaOption::Prefix { prefix, .. } => Some(*prefix),
                    _ => None,
                });
                self.effects.push_back(RaEffect::Event(RaEvent::ForeignRouter {
                    interface,
                    source,
                    mac: message.source_link_layer(),
                    router_lifetime: message.router_lifetime,
                    prefixes: prefixes.take(FOREIGN_PREFIXES_MAX).collect(),
                }));
            }
        }
        Ok(())
    }

    /// Sends what is due. Calling it too early or too late does no harm.
    pub fn on_deadline(&mut self, now: Timestamp) {
        for at in 0..self.links.len() {
            let link = &mut self.links[at];
            // The clock went back: what was due soon shall not be due tomorrow.
            let latest = now + link.settings.interval_max;
            link.due = link.due.map(|due| due.min(latest));
            if link.due.is_none_or(|due| due > now) {
                continue;
            }
            link.schedule(now, &mut self.jitter);
            let interface = link.settings.index;
            if let Some((_, bytes)) = &link.advertisement {
                let bytes = bytes.clone();
                self.send(interface, bytes);
            }
        }
    }

    /// When to call [`on_deadline`](Self::on_deadline) next; `None` while we advertise nowhere.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.links.iter().filter_map(|link| link.due).min()
    }

    /// The next thing to do, in order. `None`: done until the next call.
    pub fn next_effect(&mut self) -> Option<RaEffect> {
        self.effects.pop_front()
    }

    /// What was done so far.
    pub fn counters(&self) -> &RaCounters {
        &self.counters
    }
}

enum Noted {
    News,
    Told,
    TooMany,
}

impl Link {
    fn new(settings: RaInterface) -> Self {
        Self { settings, advertisement: None, due: None, last: None, initial_left: 0, foreign: BTreeMap::new() }
    }

    /// When the next advertisement may leave at the earliest.
    fn earliest(&self, now: Timestamp) -> Timestamp {
        // A last one in the future is from before the clock went back, and says nothing.
        let last = self.last.filter(|&last| last <= now);
        last.map_or(now, |last| now.max(last + RA_SPACING_MIN))
    }

    fn soon(&self, now: Timestamp, jitter: &mut Jitter) -> Timestamp {
        self.earliest(now) + jitter.between(Duration::ZERO, RA_DELAY_MAX)
    }

    /// Takes note that an advertisement leaves now, and when the next one will.
    fn schedule(&mut self, now: Timestamp, jitter: &mut Jitter) {
        let mut interval = jitter.between(self.settings.interval_min, self.settings.interval_max);
        if self.initial_left > 1 {
            interval = interval.min(INITIAL_INTERVAL_MAX);
        }
        self.initial_left = self.initial_left.saturating_sub(1);
        (self.last, self.due) = (Some(now), Some(now + interval));
    }

    fn note_foreign(&mut self, source: Ipv6Addr, now: Timestamp) -> Noted {
        let is_recent = |told: Timestamp| told <= now && now.since(told) < FOREIGN_INTERVAL;
        if self.foreign.get(&source).is_some_and(|&told| is_recent(told)) {
            return Noted::Told;
        }
        if self.foreign.len() >= FOREIGN_ROUTERS_MAX {
            self.foreign.retain(|_, told| is_recent(*told));
        }
        if self.foreign.len() >= FOREIGN_ROUTERS_MAX {
            return Noted::TooMany;
        }
        self.foreign.insert(source, now);
        Noted::News
    }
}
