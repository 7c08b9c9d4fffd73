//! How many connections clients may hold: in all, and each of them.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Connections of DNS clients, over all stream transports.
const DNS_CLIENTS: ConnectionLimits = ConnectionLimits { all: 4_096, each: 256 };
/// A client that says nothing for so long is closed (RFC 7766 section 6.2.3).
const IDLE: Duration = dns::STREAM_IDLE;
/// The same while half of all connections are taken.
const IDLE_WHEN_BUSY: Duration = Duration::from_secs(2);

/// How many connections there may be at one time; more are closed at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionLimits {
    pub(crate) all: u32,
    /// Of these, from one address (one /64 of IPv6).
    pub(crate) each: u32,
}

/// What is held now. Shared by all threads.
#[derive(Debug)]
pub(crate) struct Connections {
    limits: ConnectionLimits,
    open: AtomicUsize,
    refused: AtomicU64,
    by_client: Mutex<HashMap<IpAddr, u32>>,
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
        Self { limits, open: AtomicUsize::new(0), refused: AtomicU64::new(0), by_client: Mutex::default() }
    }

    /// A place for a connection of `client`, or `None`, counted, when there is none.
    pub(crate) fn admit(self: &Arc<Self>, client: IpAddr) -> Option<Permit> {
        // A proxy on this machine speaks for many.
        let is_proxy = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()].contains(&client.to_canonical());
        let each_max = if is_proxy { self.limits.all } else { self.limits.each };
        let client = network(client);
        let mut by_client = self.by_client.lock().unwrap_or_else(PoisonError::into_inner);
        let held = by_client.get(&client).copied().unwrap_or(0);
        if held >= each_max || self.open() >= self.limits.all as usize {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        by_client.insert(client, held + 1);
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
        let mut by_client = self.connections.by_client.lock().unwrap_or_else(PoisonError::into_inner);
        self.connections.open.fetch_sub(1, Ordering::Relaxed);
        if let Some(held) = by_client.get_mut(&self.client) {
            *held -= 1;
            if *held == 0 {
                by_client.remove(&self.client);
            }
        }
    }
}

/// A host of IPv6 has a whole /64 to come from.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) >> 64 << 64).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_cannot_take_the_places_of_the_others() {
        let connections = Arc::new(Connections::default());
        let prefix = u128::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 0));
        let greedy = |host: u128| connections.admit(Ipv6Addr::from(prefix + host).into());
        let mut held: Vec<Permit> = (0..1_000).filter_map(greedy).collect();
        assert_eq!(held.len(), DNS_CLIENTS.each as usize);
        assert_eq!(connections.refused(), 1_000 - u64::from(DNS_CLIENTS.each));
        assert!(connections.admit("192.0.2.7".parse().unwrap()).is_some());
        held.clear();
        assert_eq!(connections.open(), 0);
        assert!(greedy(5).is_some());
    }

    #[test]
    fn patience_is_shorter_when_many_are_there() {
        let connections = Arc::new(Connections::default());
        assert_eq!(connections.idle(), IDLE);
        let admit = |host: u32| connections.admit(std::net::Ipv4Addr::from(host).into());
        let held: Vec<Option<Permit>> = (0..5_000).map(admit).collect();
        assert_eq!(held.iter().flatten().count(), DNS_CLIENTS.all as usize);
        assert_eq!(connections.idle(), IDLE_WHEN_BUSY);
    }
}
