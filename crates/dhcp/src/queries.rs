//! Who may ask whose an address is, and how the leases are found (RFC 4388).

use std::net::{Ipv4Addr, SocketAddrV4};

use model::{Lease, LeaseState, Timestamp};

use crate::{
    Destination, Effect, Engine, Origin, Reply, SERVER_PORT,
    bindings::Hold,
    counters::Drop,
    leasequery::{Known, Question, answer, question},
    message::{HTYPE_ETHERNET, MessageView},
};

impl Engine {
    /// RFC 4388. Only for those who are named in the settings, as it tells whose an address is.
    pub(crate) fn on_leasequery(
        &mut self,
        now: Timestamp,
        origin: &Origin,
        view: &MessageView<'_>,
        own: Ipv4Addr,
    ) -> Result<(), Drop> {
        let asker = view.giaddr();
        let may_ask = |address: &Ipv4Addr| self.settings.leasequery_from.iter().any(|net| net.contains(address));
        if asker.is_unspecified() || !may_ask(&asker) || !may_ask(origin.source.ip()) {
            return Err(Drop::NotPermitted);
        }
        let mut leases: Vec<&Lease> = match question(view).ok_or(Drop::Malformed)? {
            Question::Address(address) => {
                let found = self.bindings.find(address).map(|id| self.bindings.slot(id));
                found
                    .filter(|slot| slot.hold == Hold::Leased)
                    .and_then(|slot| slot.lease.as_ref())
                    .into_iter()
                    .collect()
            }
            Question::ClientIdentifier(id) => self.leases_of(&[&[0], id].concat()).collect(),
            Question::Hardware { htype, chaddr } => self.leases_of_hardware(htype, chaddr),
        };
        leases.retain(|lease| lease.state == LeaseState::Bound);
        leases.sort_by_key(|lease| std::cmp::Reverse(lease.starts));
        let subnet = leases.first().map_or(view.ciaddr(), |lease| lease.address);
        let subnet = self.subnet_of(subnet).map(|index| &self.subnets[index]);
        let known = Known { is_ours: subnet.is_some(), leases: &leases };
        let told = |code: u8| {
            let option = subnet?.options().iter().find(|option| option.code == code)?;
            Some(option.data.as_slice())
        };
        let bytes = answer(view, own, now, &known, told);
        self.counters.leasequeries += 1;
        let destination = Destination::Relay(SocketAddrV4::new(asker, SERVER_PORT));
        self.effects.push_back(Effect::Send(Reply { destination, bytes, needs_save: false, from: origin.local }));
        Ok(())
    }

    /// The leases in force of a client, one for each subnet at most.
    fn leases_of(&self, client: &[u8]) -> impl Iterator<Item = &Lease> {
        let slots = (0..self.subnets.len()).filter_map(move |subnet| self.bindings.of_client(subnet, client));
        let held = slots.map(|id| self.bindings.slot(id)).filter(move |slot| slot.is_leased_to(client));
        held.filter_map(|slot| slot.lease.as_ref())
    }

    /// Most clients are known by type and address (RFC 2131 section 4.2), or send just those as their identifier (RFC
    /// 2132 section 9.14). Only when nobody is, all leases are looked through.
    fn leases_of_hardware(&self, htype: u8, chaddr: &[u8]) -> Vec<&Lease> {
        let is_of = |lease: &&Lease| htype == HTYPE_ETHERNET && lease.mac.is_some_and(|mac| mac.0 == *chaddr);
        let (key, identifier) = ([&[1, htype], chaddr].concat(), [&[0, htype], chaddr].concat());
        let found: Vec<_> = self.leases_of(&key).chain(self.leases_of(&identifier).filter(is_of)).collect();
        if found.is_empty() { self.leases_in_force().filter(is_of).collect() } else { found }
    }
}
