//! What leases say of their clients' names, for DNS.

use std::net::IpAddr;

use dns::ClientIdentity;
use model::{ClientKey, Duid, HostName, Lease, Lease6, LeaseChange, LeaseState, Timestamp};

/// A name that DNS should know, or no longer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum NameChange {
    /// The client at the address is called so until the moment.
    Set { name: HostName, address: IpAddr, client: ClientIdentity, until: Timestamp },
    /// Nobody is there.
    Remove(IpAddr),
}

/// A lease of either family, as far as names go.
pub(crate) trait NamedLease {
    /// The name, while it is the client's.
    fn host_name(&self) -> Option<&HostName>;
    fn address(&self) -> IpAddr;
    fn client(&self) -> ClientIdentity;
    fn state(&self) -> LeaseState;
    fn starts(&self) -> Timestamp;
    fn expires(&self) -> Timestamp;
}

impl NamedLease for Lease {
    fn host_name(&self) -> Option<&HostName> {
        self.host_name.as_ref()
    }

    fn address(&self) -> IpAddr {
        self.address.into()
    }

    fn client(&self) -> ClientIdentity {
        ClientIdentity { mac: self.mac, duid: duid_in(&self.client) }
    }

    fn state(&self) -> LeaseState {
        self.state
    }

    fn starts(&self) -> Timestamp {
        self.starts
    }

    fn expires(&self) -> Timestamp {
        self.expires
    }
}

impl NamedLease for Lease6 {
    fn host_name(&self) -> Option<&HostName> {
        self.host_name.as_ref()
    }

    fn address(&self) -> IpAddr {
        self.address.into()
    }

    fn client(&self) -> ClientIdentity {
        ClientIdentity { mac: self.mac, duid: Some(self.duid.clone()) }
    }

    fn state(&self) -> LeaseState {
        self.state
    }

    fn starts(&self) -> Timestamp {
        self.starts
    }

    fn expires(&self) -> Timestamp {
        self.expires
    }
}

impl NameChange {
    /// What a lease says about its client's name.
    pub(crate) fn of(lease: &impl NamedLease) -> Option<Self> {
        let name = lease.host_name().filter(|_| lease.state() == LeaseState::Bound)?.clone();
        Some(Self::Set { name, address: lease.address(), client: lease.client(), until: lease.expires() })
    }

    /// What follows from a change of a lease.
    pub(crate) fn after(change: LeaseChange, lease: &impl NamedLease) -> Option<Self> {
        match change {
            LeaseChange::Granted | LeaseChange::Renewed => Self::of(lease),
            LeaseChange::Released | LeaseChange::Expired | LeaseChange::Declined => {
                lease.host_name().is_some().then(|| Self::Remove(lease.address()))
            }
        }
    }

    /// Tells DNS.
    pub(crate) fn apply(self, engine: &mut dns::Engine, now: Timestamp) {
        match self {
            Self::Set { name, address, client, until } => engine.set_client_name(now, &name, address, &client, until),
            Self::Remove(address) => engine.remove_client_name(address),
        }
    }
}

/// The names of recovered leases; those heard of last come last, so that they win.
pub(crate) fn recovered_names<L: NamedLease>(leases: &[L], now: Timestamp) -> Vec<NameChange> {
    let is_named = |lease: &&L| lease.host_name().is_some() && lease.expires() > now;
    let mut named: Vec<&L> = leases.iter().filter(is_named).collect();
    named.sort_unstable_by_key(|lease| (lease.starts(), lease.address()));
    named.into_iter().filter_map(NameChange::of).collect()
}

/// The DUID of a DHCPv4 client that sends it as its identifier (RFC 4361 section 6.1: type 255, IAID, DUID).
fn duid_in(client: &ClientKey) -> Option<Duid> {
    match &*client.0 {
        [0, 255, _, _, _, _, duid @ ..] if (Duid::LEN_MIN..=Duid::LEN_MAX).contains(&duid.len()) => {
            Some(Duid(duid.into()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::{Mac, SubnetId};

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_568_595_600);

    fn lease(client: &[u8], name: &str, starts: u64) -> Lease {
        Lease {
            subnet: SubnetId(1),
            address: [192, 0, 2, u8::try_from(starts).unwrap()].into(),
            client: ClientKey(client.into()),
            mac: Some(Mac([2, 0, 0x5e, 0x10, 0, 1])),
            state: LeaseState::Bound,
            starts: NOW + std::time::Duration::from_secs(starts),
            expires: NOW + std::time::Duration::from_secs(600),
            host_name: HostName::sanitise(name.as_bytes()),
            circuit_id: Arc::default(),
            remote_id: Arc::default(),
        }
    }

    #[test]
    fn a_duid_in_option_61_is_the_clients() {
        let table: [(&[u8], Option<&[u8]>); 5] = [
            (&[0, 255, 1, 2, 3, 4, 0, 4, 9], Some(&[0, 4, 9])),
            (&[0, 255, 1, 2, 3, 4, 0, 4], None),
            (&[0, 1, 2, 0, 0x5e, 0x10, 0, 1], None),
            // Without option 61: hardware type and address.
            (&[1, 1, 255, 1, 2, 3, 4, 5, 6, 7], None),
            (&[], None),
        ];
        for (client, duid) in table {
            let found = lease(client, "a", 1).client().duid;
            assert_eq!(found, duid.map(|duid| Duid(duid.into())), "{client:02x?}");
        }
    }

    #[test]
    fn names_follow_leases() {
        let bound = lease(&[1, 1, 2], "laptop", 1);
        assert!(matches!(NameChange::of(&bound), Some(NameChange::Set { until, .. }) if until == bound.expires));
        let gone = Some(NameChange::Remove(bound.address()));
        for change in [LeaseChange::Released, LeaseChange::Expired, LeaseChange::Declined] {
            assert_eq!(NameChange::after(change, &bound), gone);
        }
        assert_eq!(NameChange::after(LeaseChange::Renewed, &bound), NameChange::of(&bound));
        assert_eq!(NameChange::of(&lease(&[1, 1, 2], "", 1)), None);
        assert_eq!(NameChange::of(&Lease { state: LeaseState::Released, ..bound }), None);
        let all = [lease(&[1, 1, 2], "b", 9), lease(&[1, 1, 2], "", 2), lease(&[1, 1, 2], "a", 3)];
        let names = |now| -> Vec<IpAddr> {
            let address = |change| match change {
                NameChange::Set { address, .. } | NameChange::Remove(address) => address,
            };
            recovered_names(&all, now).into_iter().map(address).collect()
        };
        assert_eq!(names(NOW), [all[2].address(), all[0].address()], "the newest last");
        assert!(names(all[0].expires).is_empty());
    }
}
