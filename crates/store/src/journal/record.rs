use std::{hash::Hash, net::Ipv4Addr};

use model::{ClientKey, HostName, Lease, LeaseState, Mac, SubnetId, Timestamp};

use crate::octets::{Fields, put_short};

/// What a journal keeps: one record for each address, the newest counts.
pub trait JournalRecord: Sized {
    /// What there is one record of.
    type Key: Ord + Hash + Copy + Send;
    /// Where records of this kind are, in the state directory.
    const DIR: &'static str;

    /// What it is the record of.
    fn address(&self) -> Self::Key;
    /// Appends the record as octets; each of its fields is far below the 65,535 octets kept.
    fn encode(&self, buffer: &mut Vec<u8>);
    /// The record of these octets; `None` for one of another format.
    fn decode(octets: &[u8]) -> Option<Self>;
    /// The address in these octets, without decoding the rest.
    fn key(octets: &[u8]) -> Option<Self::Key>;
}

/// First octet of a lease record; another format gets another number (`record6` has the next).
const LEASE: u8 = 1;

pub(super) fn put_state(state: LeaseState, buffer: &mut Vec<u8>) {
    buffer.push(match state {
        LeaseState::Bound => 0,
        LeaseState::Released => 1,
        LeaseState::Declined => 2,
    });
}

pub(super) fn take_state(fields: &mut Fields<'_>) -> Option<LeaseState> {
    match fields.u8()? {
        0 => Some(LeaseState::Bound),
        1 => Some(LeaseState::Released),
        2 => Some(LeaseState::Declined),
        _ => None,
    }
}

pub(super) fn put_mac(mac: Option<Mac>, buffer: &mut Vec<u8>) {
    buffer.push(u8::from(mac.is_some()));
    buffer.extend_from_slice(&mac.unwrap_or_default().0);
}

/// The outer `None`: no such field.
pub(super) fn take_mac(fields: &mut Fields<'_>) -> Option<Option<Mac>> {
    let has_mac = fields.u8()? != 0;
    let mac = Mac(fields.array()?);
    Some(has_mac.then_some(mac))
}

impl JournalRecord for Lease {
    type Key = Ipv4Addr;
    const DIR: &'static str = "leases";

    fn address(&self) -> Ipv4Addr {
        self.address
    }

    fn encode(&self, buffer: &mut Vec<u8>) {
        encode(self, buffer);
    }

    fn decode(octets: &[u8]) -> Option<Self> {
        decode(octets)
    }

    fn key(octets: &[u8]) -> Option<Ipv4Addr> {
        address(octets)
    }
}

fn encode(lease: &Lease, buffer: &mut Vec<u8>) {
    buffer.push(LEASE);
    put_state(lease.state, buffer);
    buffer.extend_from_slice(&lease.address.octets());
    buffer.extend_from_slice(&lease.subnet.0.to_le_bytes());
    buffer.extend_from_slice(&lease.starts.as_nanos().to_le_bytes());
    buffer.extend_from_slice(&lease.expires.as_nanos().to_le_bytes());
    put_mac(lease.mac, buffer);
    put_short(buffer, &lease.client.0);
    put_short(buffer, lease.host_name.as_ref().map_or("", HostName::as_str).as_bytes());
    put_short(buffer, &lease.circuit_id);
    put_short(buffer, &lease.remote_id);
}

fn decode(payload: &[u8]) -> Option<Lease> {
    let mut fields = Fields(payload);
    if fields.u8()? != LEASE {
        return None;
    }
    let state = take_state(&mut fields)?;
    let address = Ipv4Addr::from(fields.array::<4>()?);
    let subnet = SubnetId(fields.u32()?);
    let starts = Timestamp::from_nanos(fields.i64()?);
    let expires = Timestamp::from_nanos(fields.i64()?);
    let mac = take_mac(&mut fields)?;
    Some(Lease {
        subnet,
        address,
        client: ClientKey(fields.short()?.into()),
        mac,
        state,
        starts,
        expires,
        host_name: HostName::sanitise(fields.short()?),
        circuit_id: fields.short()?.into(),
        remote_id: fields.short()?.into(),
    })
}

fn address(payload: &[u8]) -> Option<Ipv4Addr> {
    let mut fields = Fields(payload);
    if fields.u8()? != LEASE {
        return None;
    }
    fields.u8()?;
    fields.array::<4>().map(Ipv4Addr::from)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(in super::super) fn any_lease() -> impl Strategy<Value = Lease> {
        let octets = || prop::collection::vec(any::<u8>(), 0..20);
        (
            (0_u32..3, 0_u32..12, any::<Option<[u8; 6]>>(), 0_usize..3),
            (any::<i64>(), any::<i64>(), octets(), "[a-z0-9]{0,10}", octets(), octets()),
        )
            .prop_map(|((subnet, address, mac, state), (starts, expires, client, name, circuit, remote))| {
                Lease {
                    subnet: SubnetId(subnet),
                    address: Ipv4Addr::from(0xc000_0200 + address),
                    client: ClientKey(client.into()),
                    mac: mac.map(Mac),
                    state: [LeaseState::Bound, LeaseState::Released, LeaseState::Declined][state],
                    starts: Timestamp::from_nanos(starts),
                    expires: Timestamp::from_nanos(expires),
                    host_name: HostName::sanitise(name.as_bytes()),
                    circuit_id: circuit.into(),
                    remote_id: remote.into(),
                }
            })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(lease in any_lease()) {
            let mut buffer = Vec::new();
            encode(&lease, &mut buffer);
            prop_assert_eq!(address(&buffer), Some(lease.address));
            prop_assert_eq!(decode(&buffer), Some(lease));
            for length in 0..buffer.len() {
                prop_assert_eq!(decode(&buffer[..length]), None);
            }
        }

        #[test]
        fn any_octets_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            decode(&bytes);
            address(&bytes);
        }
    }
}
