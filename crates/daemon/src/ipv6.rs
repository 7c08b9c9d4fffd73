//! The IPv6 services as a whole: DHCPv6 with its journal and identity, router advertisements, their reload.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
};

use dhcp6::ra::{RaEngine, RaInterface, RaSettings};
use foldhash::quality::FixedState;
use generate::{Link6, ServiceSettings};
use model::Duid;
use socket2::SockRef;
use store::{JournalLimits, LeaseJournal, StateDir};
use tokio::sync::{broadcast, mpsc};

use crate::{
    clock::Clock,
    control::LeaseEvent,
    dhcp_service::{COMMANDS_MAX, Command},
    dhcp6_service::{Dhcp6Channels, Dhcp6Service, Dhcp6View},
    lease_names::{NameChange, recovered_names},
    links6::{Interface, Links, interfaces},
    ra_service::{self, Facts, LinkFacts, RaService, RaView, RaWork},
    start::StartError,
    udp::BatchSocket,
};

/// Where clients and relay agents on a link write to (RFC 8415 section 7.1).
const ALL_SERVERS_AND_RELAYS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
/// Where relay agents of the site may write to.
const ALL_SERVERS: Ipv6Addr = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 1, 3);
/// The document that keeps the server's DUID, in hexadecimal.
const DUID_DOCUMENT: &str = "dhcp6-server-duid";
/// Smaller segments than those of IPv4: fewer clients lease, most make their addresses themselves.
const JOURNAL: JournalLimits = JournalLimits { segment_bytes: 8 << 20, segments_max: 8 };

/// What `start` needs of IPv6, ready to run.
#[derive(Default)]
pub(crate) struct Ipv6 {
    pub(crate) dhcp: Option<Dhcp6Service>,
    pub(crate) ra: Option<RaService>,
    /// Where DHCPv6 listens.
    pub(crate) addresses: Vec<SocketAddr>,
    /// Leases recovered.
    pub(crate) leases: usize,
    /// Names of their clients.
    pub(crate) names: Vec<NameChange>,
    pub(crate) views: Ipv6Views,
    pub(crate) reload: Ipv6Reload,
}

/// How the publisher looks at them.
#[derive(Clone, Default)]
pub(crate) struct Ipv6Views {
    dhcp: Option<Arc<Mutex<Dhcp6View>>>,
    ra: Option<Arc<Mutex<RaView>>>,
}

/// What it sees; `None` = not served.
#[derive(Clone, Default)]
pub(crate) struct Ipv6Seen {
    pub(crate) dhcp: Option<Dhcp6View>,
    pub(crate) ra: Option<RaView>,
}

impl Ipv6Views {
    pub(crate) fn read(&self) -> Ipv6Seen {
        Ipv6Seen { dhcp: read(self.dhcp.as_ref()), ra: read(self.ra.as_ref()) }
    }
}

fn read<T: Clone>(view: Option<&Arc<Mutex<T>>>) -> Option<T> {
    view.map(|view| view.lock().unwrap_or_else(PoisonError::into_inner).clone())
}

/// How a changed plan reaches them.
#[derive(Default)]
pub(crate) struct Ipv6Reload {
    pub(crate) dhcp: Option<mpsc::Sender<Command<dhcp6::Engine>>>,
    pub(crate) ra: Option<mpsc::Sender<Command<RaWork>>>,
    pub(crate) adjustment: Ipv6Adjustment,
}

/// What this run changes in every plan's IPv6 settings.
#[derive(Clone, Default)]
pub(crate) struct Ipv6Adjustment {
    links: Links,
    server_duid: Vec<u8>,
    /// True when nobody sets the clock.
    is_clock_steady: bool,
}

impl Ipv6 {
    /// Binds, recovers, and makes the engines. Nothing is served where the plan has no IPv6 or `listen` is empty.
    pub(crate) fn start(
        services: &ServiceSettings,
        listen: &[SocketAddr],
        state: &StateDir,
        clock: &Clock,
        seed: u64,
        (names, events): (&mpsc::Sender<NameChange>, &broadcast::Sender<LeaseEvent>),
        stop: &Arc<AtomicBool>,
    ) -> Result<Self, StartError> {
        let mut started = Self::default();
        if services.dhcp6.subnets.is_empty() {
            return Ok(started);
        }
        let interfaces = interfaces()?;
        let links = Links::new(services, &interfaces).map_err(|name| StartError::NoInterface { name })?;
        let adjustment = Ipv6Adjustment {
            links,
            server_duid: server_duid(state, seed)?.0.to_vec(),
            is_clock_steady: matches!(clock, Clock::Rehearsal { .. }),
        };
        if !listen.is_empty() {
            started.start_dhcp(
                services,
                listen,
                state,
                clock,
                seed,
                (names, events),
                stop,
                &adjustment,
                &interfaces,
            )?;
        }
        started.start_ra(services, clock, seed, stop, &adjustment)?;
        started.reload.adjustment = adjustment;
        Ok(started)
    }

    #[expect(clippy::too_many_arguments, reason = "what a start knows, once")]
    fn start_dhcp(
        &mut self,
        services: &ServiceSettings,
        listen: &[SocketAddr],
        state: &StateDir,
        clock: &Clock,
        seed: u64,
        (names, events): (&mpsc::Sender<NameChange>, &broadcast::Sender<LeaseEvent>),
        stop: &Arc<AtomicBool>,
        adjustment: &Ipv6Adjustment,
        interfaces: &[Interface],
    ) -> Result<(), StartError> {
        let sockets = bind(listen, &adjustment.links, interfaces)?;
        for socket in &sockets {
            self.addresses.push(socket.socket.local_addr()?);
        }
        let mut engine = dhcp6::Engine::new(adjustment.dhcp(services), seed)?;
        let (journal, mut leases, _) = LeaseJournal::<model::Lease6>::open_with(state, JOURNAL)
            .map_err(|source| StartError::Journal { path: state.path().to_owned(), source })?;
        // Of two for one association the engine keeps the last one handed in.
        leases.sort_unstable_by_key(|lease| lease.starts);
        self.leases = leases.len();
        let now = clock.now();
        self.names = recovered_names(&leases, now);
        for lease in leases {
            engine.restore(lease, now);
        }
        let (commands, receiver) = mpsc::channel(COMMANDS_MAX);
        let channels = Dhcp6Channels { names: names.clone(), commands: receiver, events: events.clone() };
        let service = Dhcp6Service::new(engine, journal, sockets, clock.clone(), channels, Arc::clone(stop));
        self.views.dhcp = Some(Arc::clone(&service.view));
        self.reload.dhcp = Some(commands);
        self.dhcp = Some(service);
        Ok(())
    }

    fn start_ra(
        &mut self,
        services: &ServiceSettings,
        clock: &Clock,
        seed: u64,
        stop: &Arc<AtomicBool>,
        adjustment: &Ipv6Adjustment,
    ) -> Result<(), StartError> {
        let (settings, facts) = adjustment.ra(services);
        if settings.interfaces.is_empty() {
            return Ok(());
        }
        let engine = RaEngine::new(settings, seed, clock.now())?;
        let socket = match ra_service::open(facts.keys().copied()) {
            Ok(socket) => socket,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                tracing::warn!(
                    "no router advertisements are sent or watched: a raw socket needs `CAP_NET_RAW` (the systemd unit gives it)"
                );
                return Ok(());
            }
            Err(source) => return Err(StartError::RouterAdvertisements { source }),
        };
        let (commands, receiver) = mpsc::channel(COMMANDS_MAX);
        let work = RaWork { engine, facts };
        let service = RaService::new(work, socket, clock.clone(), receiver, Arc::clone(stop));
        self.views.ra = Some(Arc::clone(&service.view));
        self.reload.ra = Some(commands);
        self.ra = Some(service);
        Ok(())
    }
}

impl Ipv6Adjustment {
    /// The plan's DHCPv6 settings as this run serves them.
    pub(crate) fn dhcp(&self, services: &ServiceSettings) -> dhcp6::Settings {
        let mut settings = services.dhcp6.clone();
        settings.server_duid.clone_from(&self.server_duid);
        if self.is_clock_steady {
            settings.clock_step_min = std::time::Duration::MAX;
        }
        for subnet in &mut settings.subnets {
            subnet.direct_interfaces = self.links.of(subnet.id).iter().map(|interface| interface.index).collect();
        }
        settings
    }

    /// The plan's router advertisements on this run's interfaces, and what foreign ones are judged by.
    pub(crate) fn ra(&self, services: &ServiceSettings) -> (RaSettings, Facts) {
        let (mut settings, mut facts) = (RaSettings::default(), BTreeMap::new());
        for link in &services.links6 {
            for interface in self.links.of(link.subnet) {
                let prefixes = services.dhcp6.subnets.iter().filter(|subnet| subnet.id == link.subnet);
                let known = LinkFacts {
                    interface: interface.name.clone(),
                    prefixes: prefixes.map(|subnet| subnet.prefix).collect(),
                    knows_routers: !link.routers_expected.is_empty(),
                };
                facts.insert(interface.index, known);
                settings.interfaces.push(self.ra_interface(link, interface));
            }
        }
        (settings, facts)
    }

    fn ra_interface(&self, link: &Link6, interface: &Interface) -> RaInterface {
        RaInterface {
            mac: interface.mac,
            own_addresses: self.links.own().to_vec(),
            routers_expected: link.routers_expected.clone(),
            advertisement: link.advertisement.clone(),
            ..RaInterface::new(interface.index)
        }
    }
}

/// Who we are to DHCPv6 clients: made once and kept, so that they know us again (RFC 8415 section 11).
fn server_duid(state: &StateDir, seed: u64) -> Result<Duid, StartError> {
    let refused = |source| StartError::ServerDuid { path: duid_path(state), source };
    let kept = state.read_document(DUID_DOCUMENT).map_err(refused)?;
    if let Some(text) = kept {
        let octets = std::str::from_utf8(&text).ok().and_then(|text| from_hex(text.trim()));
        let is_duid = |octets: &Vec<u8>| (Duid::LEN_MIN..=Duid::LEN_MAX).contains(&octets.len());
        let octets = octets.filter(is_duid).ok_or_else(|| io::Error::other("it is no DUID in hexadecimal"));
        return octets.map(|octets| Duid(octets.into())).map_err(refused);
    }
    let duid = Duid::from_uuid(uuid(seed));
    state.write_document(DUID_DOCUMENT, format!("{duid}\n").as_bytes()).map_err(refused)?;
    Ok(duid)
}

fn duid_path(state: &StateDir) -> PathBuf {
    state.path().join("documents").join(DUID_DOCUMENT)
}

/// A random UUID (RFC 9562 section 5.4) of a seed.
fn uuid(seed: u64) -> [u8; 16] {
    let half = |half: u8| std::hash::BuildHasher::hash_one(&FixedState::with_seed(seed), ("server-duid", half));
    let mut uuid = ((u128::from(half(0)) << 64) | u128::from(half(1))).to_be_bytes();
    uuid[6] = uuid[6] & 0x0f | 0x40;
    uuid[8] = uuid[8] & 0x3f | 0x80;
    uuid
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// One socket for each address; those of every address join the groups that clients and relay agents write to.
fn bind(listen: &[SocketAddr], links: &Links, interfaces: &[Interface]) -> Result<Vec<BatchSocket>, StartError> {
    let mut sockets = Vec::new();
    for &address in listen {
        if address.is_ipv4() {
            return Err(StartError::NotIpv6 { address });
        }
        let socket =
            BatchSocket::bind(address, None).map_err(|error| StartError::refused("DHCPv6", "dhcp6", address, error))?;
        if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
            join(&socket, links, interfaces)?;
        }
        sockets.push(socket);
    }
    Ok(sockets)
}

fn join(socket: &BatchSocket, links: &Links, interfaces: &[Interface]) -> Result<(), StartError> {
    let socket = SockRef::from(&socket.socket);
    for link in links.all() {
        socket
            .join_multicast_v6(&ALL_SERVERS_AND_RELAYS, link.index)
            .map_err(|source| StartError::JoinGroup { interface: link.name.clone(), source })?;
    }
    for interface in interfaces {
        // A relay agent that writes to the group of the site is rare, and so is an interface without multicast.
        if let Err(error) = socket.join_multicast_v6(&ALL_SERVERS, interface.index) {
            tracing::debug!(%error, interface = interface.name, "ff05::1:3 is not heard");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use store::Mode;

    use super::*;

    #[test]
    fn the_server_keeps_its_duid() {
        let temp = std::env::temp_dir().join(format!("hotstage-duid-{}", std::process::id()));
        let state = StateDir::open(&temp, "e", Mode::Serve).unwrap();
        let first = server_duid(&state, 1).unwrap();
        assert_eq!((first.0.len(), &first.0[..2]), (18, &[0, 4][..]));
        assert_eq!((first.0[8] & 0xf0, first.0[10] & 0xc0), (0x40, 0x80), "version 4, variant 1");
        assert_eq!(server_duid(&state, 2).unwrap(), first);
        for damaged in ["", "0", "00", "zz", "000"] {
            state.write_document(DUID_DOCUMENT, damaged.as_bytes()).unwrap();
            let said = server_duid(&state, 3).unwrap_err().to_string();
            assert!(said.contains(DUID_DOCUMENT), "{said}");
        }
        drop(state);
        std::fs::remove_dir_all(temp).unwrap();
    }

    #[test]
    fn hexadecimal_is_read_whole_or_not_at_all() {
        let table: [(&str, Option<&[u8]>); 5] =
            [("", Some(&[])), ("00ff", Some(&[0, 255])), ("0", None), ("0g", None), ("0 ff", None)];
        for (text, octets) in table {
            assert_eq!(from_hex(text).as_deref(), octets, "{text}");
        }
    }
}
