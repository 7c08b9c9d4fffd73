use std::net::Ipv6Addr;

use model::{Duid, HostName, Lease6, SubnetId, Timestamp};

use super::record::{JournalRecord, put_mac, put_state, take_mac, take_state};
use crate::octets::{Fields, put_short};

/// First octet of an IPv6 lease record.
const LEASE6: u8 = 2;

impl JournalRecord for Lease6 {
    type Key = Ipv6Addr;
    const DIR: &'static str = "leases6";

    fn address(&self) -> Ipv6Addr {
        self.address
    }

    fn encode(&self, buffer: &mut Vec<u8>) {
        buffer.push(LEASE6);
        put_state(self.state, buffer);
        buffer.extend_from_slice(&self.address.octets());
        buffer.extend_from_slice(&self.subnet.0.to_le_bytes());
        buffer.extend_from_slice(&self.iaid.to_le_bytes());
        for at in [self.starts, self.preferred_until, self.expires] {
            buffer.extend_from_slice(&at.as_nanos().to_le_bytes());
        }
        put_mac(self.mac, buffer);
        put_short(buffer, &self.duid.0);
        put_short(buffer, self.host_name.as_ref().map_or("", HostName::as_str).as_bytes());
        put_short(buffer, &self.interface_id);
        put_short(buffer, &self.remote_id);
    }

    fn decode(octets: &[u8]) -> Option<Self> {
        let mut fields = Fields(octets);
        if fields.u8()? != LEASE6 {
            return None;
        }
        let state = take_state(&mut fields)?;
        let address = Ipv6Addr::from(fields.array::<16>()?);
        let subnet = SubnetId(fields.u32()?);
        let iaid = fields.u32()?;
        let starts = Timestamp::from_nanos(fields.i64()?);
        let preferred_until = Timestamp::from_nanos(fields.i64()?);
        let expires = Timestamp::from_nanos(fields.i64()?);
        let mac = take_mac(&mut fields)?;
        Some(Self {
            subnet,
            address,
            duid: Duid(fields.short()?.into()),
            iaid,
            mac,
            state,
            starts,
            preferred_until,
            expires,
            host_name: HostName::sanitise(fields.short()?),
            interface_id: fields.short()?.into(),
            remote_id: fields.short()?.into(),
        })
    }

    fn key(octets: &[u8]) -> Option<Ipv6Addr> {
        let mut fields = Fields(octets);
        if fields.u8()? != LEASE6 {
            return None;
        }
        fields.u8()?;
        fields.array::<16>().map(Ipv6Addr::from)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use model::{LeaseState, Mac};
    use proptest::prelude::*;

    use super::*;

    pub(in super::super) fn any_lease6() -> impl Strategy<Value = Lease6> {
        let octets = || prop::collection::vec(any::<u8>(), 0..20);
        (
            (0_u32..3, 0_u128..12, any::<Option<[u8; 6]>>(), 0_usize..3, any::<u32>()),
            (any::<[i64; 3]>(), octets(), "[a-z0-9]{0,10}", octets(), octets()),
        )
            .prop_map(|((subnet, address, mac, state, iaid), (times, duid, name, interface, remote))| {
                let [starts, preferred_until, expires] = times.map(Timestamp::from_nanos);
                Lease6 {
                    subnet: SubnetId(subnet),
                    address: Ipv6Addr::from(0x2001_0db8 << 96 | address),
                    duid: Duid(duid.into()),
                    iaid,
                    mac: mac.map(Mac),
                    state: [LeaseState::Bound, LeaseState::Released, LeaseState::Declined][state],
                    starts,
                    preferred_until,
                    expires,
                    host_name: HostName::sanitise(name.as_bytes()),
                    interface_id: interface.into(),
                    remote_id: remote.into(),
                }
            })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(lease in any_lease6()) {
            let mut buffer = Vec::new();
            lease.encode(&mut buffer);
            prop_assert_eq!(Lease6::key(&buffer), Some(lease.address));
            prop_assert_eq!(Lease6::decode(&buffer), Some(lease));
            for length in 0..buffer.len() {
                prop_assert_eq!(Lease6::decode(&buffer[..length]), None);
            }
        }

        #[test]
        fn any_octets_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            Lease6::decode(&bytes);
            Lease6::key(&bytes);
        }
    }
}
