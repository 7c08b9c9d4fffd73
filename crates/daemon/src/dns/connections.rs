//! How many connections clients may hold: in all, and each of them.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::Hash,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Connections of DNS clients, over all stream transports.
const DNS_CLIENTS: ConnectionLimits = ConnectionLimits { all: 4_096, each: 256, each_ipv6: 32 };
/// A client that says nothing for so long is closed (RFC 7766 section 6.2.3).
const IDLE: Duration = dns::STREAM_IDLE;
/// The same while half of all connections are taken.
const IDLE_WHEN_BUSY: Duration = Duration::from_secs(2);

/// How many connections there may be at one time; more are closed at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionLimits {
    pub(crate) all: u32,
    /// Of these, from one IPv4 address, which may be that of many.
    pub(crate) each: u32,
    /// From one IPv6 address. From one /64, which is a whole VLAN here and what one host may have elsewhere, three quarters of all.
    pub(crate) each_ipv6: u32,
}

/// What is held now. Shared by all threads.
#[derive(Debug)]
pub(crate) struct Connections {
    limits: ConnectionLimits,
    open: AtomicUsize,
    refused: AtomicU64,
    held: Mutex<Held>,
}

/// Connections by who has them; nobody is in it with none.
#[derive(Debug, Default)]
struct Held {
    by_client: HashMap<IpAddr, u32>,
    by_network: HashMap<Ipv6Addr, u32>,
}

/// One connection; gives its place back when dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    connections: Arc<Connections>,
    client: IpAddr,
}

impl Default for Connections {
    fn default() -> Self {
        Self::new(DNS_CLIENTS)
    }
}

impl Connections {
    /// Nothing held.
    pub(crate) fn new(limits: ConnectionLimits) -> Self {
        Self { limits, open: AtomicUsize::new(0), refused: AtomicU64::new(0), held: Mutex::default() }
    }

    /// A place for a connection of `client`, or `None`, counted, when there is none.
    pub(crate) fn admit(self: &Arc<Self>, client: IpAddr) -> Option<Permit> {
        let client = client.to_canonical();
        // A proxy on this machine speaks for many.
        let is_proxy = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()].contains(&client);
        let each_max = match client {
            _ if is_proxy => self.limits.all,
            IpAddr::V4(_) => self.limits.each,
            IpAddr::V6(_) => self.limits.each_ipv6,
        };
        let network_max = if is_proxy { self.limits.all } else { self.limits.all / 4 * 3 };
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let of_client = held.by_client.get(&client).copied().unwrap_or(0);
        let of_network = network(client).and_then(|network| held.by_network.get(&network)).copied().unwrap_or(0);
        if of_client >= each_max || of_network >= network_max || self.open() >= self.limits.all as usize {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        held.by_client.insert(client, of_client + 1);
        if let Some(network) = network(client) {
            held.by_network.insert(network, of_network + 1);
        }
        self.open.fetch_add(1, Ordering::Relaxed);
        Some(Permit { connections: Arc::clone(self), client })
    }

    /// How long a client may say nothing.
    pub(crate) fn idle(&self) -> Duration {
        if self.open() >= self.limits.all as usize / 2 { IDLE_WHEN_BUSY } else { IDLE }
    }

    /// Connections turned away so far.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Connections open now.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut held = self.connections.held.lock().unwrap_or_else(PoisonError::into_inner);
        self.connections.open.fetch_sub(1, Ordering::Relaxed);
        give_back(&mut held.by_client, self.client);
        if let Some(network) = network(self.client) {
            give_back(&mut held.by_network, network);
        }
    }
}

fn give_back<K: Eq + Hash>(held: &mut HashMap<K, u32>, key: K) {
    if let Entry::Occupied(mut count) = held.entry(key) {
        *count.get_mut() -= 1;
        if *count.get() == 0 {
            count.remove();
        }
    }
}

/// The /64 of an IPv6 client.
fn network(client: IpAddr) -> Option<Ipv6Addr> {
    match client {
        IpAddr::V6(address) => Some(Ipv6Addr::from(u128::from(address) >> 64 << 64)),
        IpAddr::V4(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A VLAN is one /64: its hosts have places of their own, and one host with all its addresses does not take all.
    #[test]
    fn one_client_cannot_take_the_places_of_the_others() {
        let connections = Arc::new(Connections::default());
        let prefix = u128::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 0));
        let of_host = |host: u128| connections.admit(Ipv6Addr::from(prefix + host).into());
        let mut held: Vec<Permit> = (0..300).filter_map(of_host).collect();
        assert_eq!(held.len(), 300, "a connection each");
        held.extend((0..1_000).filter_map(|_| of_host(7)));
        assert_eq!(held.len(), 300 + 31, "one address gets no 33rd");
        held.extend((1_000..10_000).filter_map(of_host));
        assert_eq!(held.len(), 3_072, "three quarters of all");
        assert!(connections.refused() > 0);
        let v4 = |_| connections.admit("192.0.2.7".parse().unwrap());
        held.extend((0..1_000).filter_map(v4));
        assert_eq!(held.len(), 3_072 + 256);
        held.extend((0..1_000).filter_map(|_| connections.admit("::ffff:127.0.0.1".parse().unwrap())));
        assert_eq!(held.len(), 4_096, "a proxy on this machine has no limit of its own");
        held.clear();
        assert_eq!(connections.open(), 0);
        let left = connections.held.lock().unwrap();
        assert!(left.by_client.is_empty() && left.by_network.is_empty());
    }

    #[test]
    fn patience_is_shorter_when_many_are_there() {
        let connections = Arc::new(Connections::default());
        assert_eq!(connections.idle(), IDLE);
        let admit = |host: u32| connections.admit(Ipv4Addr::from(host).into());
        let held: Vec<Option<Permit>> = (0..5_000).map(admit).collect();
        assert_eq!(held.iter().flatten().count(), DNS_CLIENTS.all as usize);
        assert_eq!(connections.idle(), IDLE_WHEN_BUSY);
    }
}
