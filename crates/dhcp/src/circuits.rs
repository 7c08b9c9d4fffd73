//! How much of a pool each circuit and each relay agent holds (option 82, RFC 3046), so that one port cannot drain it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use foldhash::{SharedSeed, quality::SeedableRandomState};
use model::Timestamp;

/// Index of a circuit; stays good as long as it is charged with something.
pub(crate) type CircuitId = u32;

/// Circuits told apart. An event has some hundreds of ports; beyond this, new ones are nowhere and unlimited.
const CIRCUITS_MAX: usize = 65_536;
/// What declines are counted over.
const DECLINE_WINDOW: Duration = Duration::from_secs(3_600);

/// What an address costs the circuit of its holder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Charge {
    Nothing,
    Offer,
    Lease,
}

/// One circuit, or one relay agent when its circuit id is empty.
#[derive(Clone, Debug)]
pub(crate) struct Circuit {
    pub(crate) remote_id: Arc<[u8]>,
    pub(crate) circuit_id: Arc<[u8]>,
    pub(crate) leases: u32,
    pub(crate) offers: u32,
    /// The relay agent that it is behind, itself if it is one.
    relay: CircuitId,
    declines: u32,
    declines_since: Timestamp,
}

/// Remote id and circuit id.
type Ids = (Arc<[u8]>, Arc<[u8]>);

#[derive(Debug)]
pub(crate) struct Circuits {
    circuits: Vec<Circuit>,
    by_ids: HashMap<Ids, CircuitId, SeedableRandomState>,
    /// Where to look next for one that holds nothing, to be replaced.
    sweep: usize,
    nothing: Arc<[u8]>,
}

impl Circuits {
    /// No relay agent has said anything about the client.
    pub(crate) const NOWHERE: CircuitId = CircuitId::MAX;

    pub(crate) fn new(seed: u64) -> Self {
        let hasher = SeedableRandomState::with_seed(seed, SharedSeed::global_fixed());
        Self { circuits: Vec::new(), by_ids: HashMap::with_hasher(hasher), sweep: 0, nothing: Arc::from([]) }
    }

    pub(crate) fn get(&self, id: CircuitId) -> Option<&Circuit> {
        self.circuits.get(place(id))
    }

    /// Leases behind the relay agent of a circuit.
    pub(crate) fn relay_leases(&self, id: CircuitId) -> u32 {
        self.get(id).and_then(|circuit| self.get(circuit.relay)).map_or(0, |relay| relay.leases)
    }

    /// The circuits that hold something, relay agents left out.
    pub(crate) fn in_use(&self) -> impl Iterator<Item = &Circuit> {
        self.circuits.iter().filter(|circuit| circuit.leases + circuit.offers > 0 && !circuit.circuit_id.is_empty())
    }

    /// The circuit of these sub-options, [`Self::NOWHERE`] when both are empty.
    pub(crate) fn of(&mut self, remote_id: &Arc<[u8]>, circuit_id: &Arc<[u8]>) -> CircuitId {
        if remote_id.is_empty() && circuit_id.is_empty() {
            return Self::NOWHERE;
        }
        let ids = (Arc::clone(remote_id), Arc::clone(circuit_id));
        let nothing = Arc::clone(&self.nothing);
        if let Some(&id) = self.by_ids.get(&ids) {
            let relay = self.circuits[place(id)].relay;
            // A relay agent without leases may have made room for another one meanwhile.
            let is_lost = self.get(relay).is_some_and(|relay| relay.remote_id != *remote_id);
            if is_lost {
                self.circuits[place(id)].relay = self.of(remote_id, &nothing);
            }
            return id;
        }
        let relay = match (remote_id.is_empty(), circuit_id.is_empty()) {
            (true, _) => Self::NOWHERE,
            (false, true) => return self.add(ids, None),
            (false, false) => self.of(remote_id, &nothing),
        };
        self.add(ids, Some(relay))
    }

    /// `relay` is `None` for a relay agent itself.
    fn add(&mut self, ids: Ids, relay: Option<CircuitId>) -> CircuitId {
        let is_full = self.circuits.len() >= CIRCUITS_MAX;
        let place = if is_full { self.unused() } else { Some(self.circuits.len()) };
        let Some(place) = place else { return Self::NOWHERE };
        let id = CircuitId::try_from(place).expect("fewer circuits than the bound");
        let circuit = Circuit {
            remote_id: Arc::clone(&ids.0),
            circuit_id: Arc::clone(&ids.1),
            leases: 0,
            offers: 0,
            relay: relay.unwrap_or(id),
            declines: 0,
            declines_since: Timestamp::EPOCH,
        };
        if let Some(old) = self.circuits.get_mut(place) {
            let old = std::mem::replace(old, circuit);
            self.by_ids.remove(&(old.remote_id, old.circuit_id));
        } else {
            self.circuits.push(circuit);
        }
        self.by_ids.insert(ids, id);
        id
    }

    /// One that holds nothing. A relay agent's counts are those of its circuits, so it is not one in use either. Looks at a few at a time, so that it stays cheap.
    fn unused(&mut self) -> Option<usize> {
        const LOOKS: usize = 16;
        for _ in 0..LOOKS {
            self.sweep = (self.sweep + 1) % self.circuits.len().max(1);
            let circuit = &self.circuits[self.sweep];
            if circuit.leases + circuit.offers == 0 {
                return Some(self.sweep);
            }
        }
        None
    }

    /// An address changed hands or circuit.
    pub(crate) fn move_charge(&mut self, from: (CircuitId, Charge), to: (CircuitId, Charge)) {
        self.charge(from, |count| *count -= 1);
        self.charge(to, |count| *count += 1);
    }

    fn charge(&mut self, (id, charge): (CircuitId, Charge), change: impl Fn(&mut u32)) {
        let Some(relay) = self.get(id).map(|circuit| circuit.relay) else { return };
        let both = [Some(id), (relay != id).then_some(relay)];
        for id in both.into_iter().flatten() {
            let Some(circuit) = self.circuits.get_mut(place(id)) else { continue };
            match charge {
                Charge::Nothing => {}
                Charge::Offer => change(&mut circuit.offers),
                Charge::Lease => change(&mut circuit.leases),
            }
        }
    }

    /// Counts a decline behind a circuit; false when it has had `max` in this hour already.
    pub(crate) fn may_decline(&mut self, id: CircuitId, max: u32, now: Timestamp) -> bool {
        let Some(circuit) = self.circuits.get_mut(place(id)) else { return true };
        let is_new_window = now.since(circuit.declines_since) >= DECLINE_WINDOW || now < circuit.declines_since;
        if is_new_window {
            (circuit.declines, circuit.declines_since) = (0, now);
        }
        circuit.declines = circuit.declines.saturating_add(1);
        circuit.declines <= max
    }
}

fn place(id: CircuitId) -> usize {
    id as usize
}

#[cfg(test)]
impl Circuits {
    /// Checks that the counts are those of `charges`.
    pub(crate) fn check_invariants(&self, charges: impl Iterator<Item = (CircuitId, Charge)>) {
        let mut counts = vec![(0, 0); self.circuits.len()];
        for (id, charge) in charges {
            let Some(circuit) = self.get(id) else { continue };
            for id in [Some(id), (circuit.relay != id).then_some(circuit.relay)].into_iter().flatten() {
                let Some(count) = counts.get_mut(place(id)) else { continue };
                match charge {
                    Charge::Nothing => {}
                    Charge::Offer => count.1 += 1,
                    Charge::Lease => count.0 += 1,
                }
            }
        }
        let kept: Vec<_> = self.circuits.iter().map(|circuit| (circuit.leases, circuit.offers)).collect();
        assert_eq!(kept, counts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Arc<[u8]> {
        text.as_bytes().into()
    }

    #[test]
    fn a_relay_counts_what_its_circuits_hold() {
        let mut circuits = Circuits::new(1);
        let (a, b) = (circuits.of(&id("sw"), &id("1")), circuits.of(&id("sw"), &id("2")));
        let alone = circuits.of(&id(""), &id("7"));
        assert_eq!(circuits.of(&id(""), &id("")), Circuits::NOWHERE);
        assert_eq!(circuits.of(&id("sw"), &id("1")), a);
        for circuit in [a, b, alone] {
            circuits.move_charge((circuit, Charge::Nothing), (circuit, Charge::Lease));
        }
        circuits.move_charge((a, Charge::Lease), (b, Charge::Lease));
        let leases = |id| circuits.get(id).map(|circuit: &Circuit| circuit.leases);
        assert_eq!((leases(a), leases(b), circuits.relay_leases(a)), (Some(0), Some(2), 2));
        assert_eq!(circuits.relay_leases(alone), 0, "a circuit whose relay does not name itself");
        assert_eq!(circuits.in_use().count(), 2);
    }

    #[test]
    fn a_relay_that_made_room_comes_back() {
        let mut circuits = Circuits::new(1);
        let a = circuits.of(&id("relay"), &id("a"));
        for number in 0..CIRCUITS_MAX * 2 {
            circuits.of(&id(""), &id(&number.to_string()));
            // Kept in use, so that it is its relay that goes.
            if number == 0 {
                circuits.circuits[place(a)].offers = 1;
            }
        }
        circuits.circuits[place(a)].offers = 0;
        let again = circuits.of(&id("relay"), &id("a"));
        circuits.move_charge((again, Charge::Nothing), (again, Charge::Lease));
        assert_eq!(circuits.relay_leases(again), 1);
        let relay = circuits.of(&id("relay"), &id(""));
        assert_eq!(circuits.get(relay).map(|relay| relay.leases), Some(1));
    }

    #[test]
    fn a_flood_of_circuits_is_bounded_and_replaces_the_empty_ones() {
        let mut circuits = Circuits::new(1);
        let held = circuits.of(&id(""), &id("held"));
        circuits.move_charge((held, Charge::Nothing), (held, Charge::Lease));
        for number in 0..CIRCUITS_MAX + 1_000 {
            assert_ne!(circuits.of(&id(""), &id(&number.to_string())), Circuits::NOWHERE);
        }
        assert_eq!((circuits.circuits.len(), circuits.by_ids.len()), (CIRCUITS_MAX, CIRCUITS_MAX));
        assert_eq!(circuits.of(&id(""), &id("held")), held);
    }

    #[test]
    fn declines_are_counted_by_the_hour() {
        let mut circuits = Circuits::new(1);
        let circuit = circuits.of(&id("r"), &id("c"));
        let at = |seconds: i64| Timestamp::from_secs(1_000_000 + seconds);
        let table = [(0, true), (10, true), (20, false), (3_599, false), (3_600, true), (3_601, true), (3_602, false)];
        for (seconds, may) in table {
            assert_eq!(circuits.may_decline(circuit, 2, at(seconds)), may, "after {seconds} s");
        }
        assert!(circuits.may_decline(Circuits::NOWHERE, 0, at(0)));
    }
}
