use std::net::Ipv4Addr;

use model::{ClientKey, HostName, Lease, LeaseState, Mac, SubnetId, Timestamp};

use crate::octets::{Fields, put_short};

/// First octet of a lease record; another format gets another number.
const LEASE: u8 = 1;

/// Appends `lease` as octets. Client key, circuit-id and remote-id are far below the 65,535 octets kept of each.
pub(super) fn encode(lease: &Lease, buffer: &mut Vec<u8>) {
    buffer.push(LEASE);
    buffer.push(match lease.state {
        LeaseState::Bound => 0,
        LeaseState::Released => 1,
        LeaseState::Declined => 2,
    });
    buffer.extend_from_slice(&lease.address.octets());
    buffer.extend_from_slice(&lease.subnet.0.to_le_bytes());
    buffer.extend_from_slice(&lease.starts.as_nanos().to_le_bytes());
    buffer.extend_from_slice(&lease.expires.as_nanos().to_le_bytes());
    buffer.push(u8::from(lease.mac.is_some()));
    buffer.extend_from_slice(&lease.mac.unwrap_or_default().0);
    put_short(buffer, &lease.client.0);
    put_short(buffer, lease.host_name.as_ref().map_or("", HostName::as_str).as_bytes());
    put_short(buffer, &lease.circuit_id);
    put_short(buffer, &lease.remote_id);
}

/// The lease of a record; `None` for one of another format.
pub(super) fn decode(payload: &[u8]) -> Option<Lease> {
    let mut fields = Fields(payload);
    if fields.u8()? != LEASE {
        return None;
    }
    let state = match fields.u8()? {
        0 => LeaseState::Bound,
        1 => LeaseState::Released,
        2 => LeaseState::Declined,
        _ => return None,
    };
    let address = Ipv4Addr::from(fields.array::<4>()?);
    let subnet = SubnetId(fields.u32()?);
    let starts = Timestamp::from_nanos(fields.i64()?);
    let expires = Timestamp::from_nanos(fields.i64()?);
    let has_mac = fields.u8()? != 0;
    let mac = Mac(fields.array()?);
    Some(Lease {
        subnet,
        address,
        client: ClientKey(fields.short()?.into()),
        mac: has_mac.then_some(mac),
        state,
        starts,
        expires,
        host_name: HostName::sanitise(fields.short()?),
        circuit_id: fields.short()?.into(),
        remote_id: fields.short()?.into(),
    })
}

/// The address of a record, without decoding the rest.
pub(super) fn address(payload: &[u8]) -> Option<Ipv4Addr> {
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
