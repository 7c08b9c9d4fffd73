//! What must be remembered of one exporter to read its next datagram.

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
    time::Duration,
};

use model::Timestamp;

use crate::{
    Counters,
    sequence::Sequence,
    template::{Format, Template, TemplateKey},
};

/// Templates of one exporter; then the one that was told longest ago goes.
pub(crate) const TEMPLATES_MAX: usize = 1_024;
/// Templates of all exporters together.
pub(crate) const TEMPLATES_ALL_MAX: usize = 16_384;
/// A template is told again at least every half hour by what is on the market; one that was missed three times is old.
pub(crate) const TEMPLATE_LIFE: Duration = Duration::from_secs(90 * 60);
/// Octets that wait for their template, of one exporter.
pub(crate) const WAITING_OCTETS_MAX: usize = 64 << 10;
/// The same of all exporters together.
pub(crate) const WAITING_OCTETS_ALL_MAX: usize = 4 << 20;
/// How long they wait.
pub(crate) const WAITING_MAX: Duration = Duration::from_secs(60);
/// Octets that a set which waits takes beside its own.
const WAITING_OVERHEAD: usize = 64;
/// Observation domains, source ids and sub-agents of one exporter whose sequences are followed.
const SEQUENCES_MAX: usize = 256;
/// Samplers of one exporter.
const SAMPLERS_MAX: usize = 256;

/// What is left for all exporters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) templates: usize,
    pub(crate) waiting_octets: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { templates: TEMPLATES_ALL_MAX, waiting_octets: WAITING_OCTETS_ALL_MAX }
    }
}

/// Whose numbers a sequence counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Stream {
    /// NetFlow version 5: engine type and id.
    Netflow5(u16),
    /// Source id or observation domain.
    Templates(Format, u32),
    /// sFlow: sub-agent.
    Sflow(u32),
}

/// The state of one exporter.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExporterState {
    pub(crate) heard: Timestamp,
    templates: BTreeMap<TemplateKey, Template>,
    sequences: BTreeMap<Stream, Sequence>,
    /// By format and domain, and by sampler where it has an id.
    samplers: BTreeMap<(Format, u32, Option<u64>), u32>,
    waiting: VecDeque<Waiting>,
    waiting_octets: usize,
}

/// A set whose template is not known yet.
#[derive(Clone, Debug)]
struct Waiting {
    since: Timestamp,
    key: TemplateKey,
    octets: Box<[u8]>,
}

impl Waiting {
    fn size(&self) -> usize {
        self.octets.len() + WAITING_OVERHEAD
    }
}

impl ExporterState {
    pub(crate) fn template(&self, key: TemplateKey) -> Option<&Template> {
        self.templates.get(&key)
    }

    /// Keeps `template`; the sets that waited for it are returned, to be read now.
    pub(crate) fn learn(
        &mut self,
        key: TemplateKey,
        template: Template,
        room: &mut Room,
        counters: &mut Counters,
    ) -> Vec<Box<[u8]>> {
        match self.templates.get_mut(&key) {
            Some(known) => {
                counters.templates_changed += u64::from(!known.is_like(&template));
                *known = template;
            }
            None => {
                if self.templates.len() >= TEMPLATES_MAX || room.templates == 0 {
                    counters.templates_dropped += 1;
                    let oldest = self.templates.iter().min_by_key(|(_, known)| known.refreshed).map(|(key, _)| *key);
                    // An exporter that has none has nothing to give up for a new one.
                    let Some(oldest) = oldest else { return Vec::new() };
                    self.templates.remove(&oldest);
                    room.templates += 1;
                }
                self.templates.insert(key, template);
                room.templates -= 1;
            }
        }
        self.take_waiting(key, room, counters)
    }

    fn take_waiting(&mut self, key: TemplateKey, room: &mut Room, counters: &mut Counters) -> Vec<Box<[u8]>> {
        if !self.waiting.iter().any(|waiting| waiting.key == key) {
            return Vec::new();
        }
        let mut found = Vec::new();
        for waiting in mem::take(&mut self.waiting) {
            if waiting.key == key {
                self.give_back(waiting.size(), room);
                counters.sets_waited += 1;
                found.push(waiting.octets);
            } else {
                self.waiting.push_back(waiting);
            }
        }
        found
    }

    /// Keeps a set until its template comes; what waited longest makes place.
    pub(crate) fn wait(
        &mut self,
        now: Timestamp,
        key: TemplateKey,
        set: &[u8],
        room: &mut Room,
        counters: &mut Counters,
    ) {
        let waiting = Waiting { since: now, key, octets: set.into() };
        let size = waiting.size();
        let fits = |state: &Self, room: &Room| {
            state.waiting_octets + size <= WAITING_OCTETS_MAX && size <= room.waiting_octets
        };
        while !fits(self, room) {
            counters.sets_without_template += 1;
            let Some(oldest) = self.waiting.pop_front() else { return };
            self.give_back(oldest.size(), room);
        }
        self.waiting_octets += size;
        room.waiting_octets -= size;
        self.waiting.push_back(waiting);
    }

    fn give_back(&mut self, size: usize, room: &mut Room) {
        self.waiting_octets -= size;
        room.waiting_octets += size;
    }

    /// Forgets what is too old.
    pub(crate) fn expire(&mut self, now: Timestamp, room: &mut Room, counters: &mut Counters) {
        while self.waiting.front().is_some_and(|waiting| now.since(waiting.since) > WAITING_MAX) {
            if let Some(old) = self.waiting.pop_front() {
                self.give_back(old.size(), room);
                counters.sets_without_template += 1;
            }
        }
        let before = self.templates.len();
        self.templates.retain(|_, template| now.since(template.refreshed) <= TEMPLATE_LIFE);
        let gone = before - self.templates.len();
        room.templates += gone;
        counters.templates_dropped += gone as u64;
    }

    /// Gives back all the room that it has.
    pub(crate) fn leave(&self, room: &mut Room) {
        room.templates += self.templates.len();
        room.waiting_octets += self.waiting_octets;
    }

    /// The sequence of `stream`.
    pub(crate) fn sequence(&mut self, stream: Stream) -> &mut Sequence {
        if self.sequences.len() >= SEQUENCES_MAX && !self.sequences.contains_key(&stream) {
            self.sequences.pop_first();
        }
        self.sequences.entry(stream).or_default()
    }

    /// Keeps the rate of a sampler.
    pub(crate) fn set_sampler(&mut self, format: Format, domain: u32, sampler: Option<u64>, rate: u32) {
        let key = (format, domain, sampler);
        if self.samplers.len() >= SAMPLERS_MAX && !self.samplers.contains_key(&key) {
            self.samplers.pop_first();
        }
        self.samplers.insert(key, rate);
    }

    /// One of how many packets `sampler` looks at; for records that name none, what holds for the whole domain, or its
    /// only sampler.
    pub(crate) fn sampling(&self, format: Format, domain: u32, sampler: Option<u64>) -> u32 {
        if let Some(rate) = self.samplers.get(&(format, domain, sampler)) {
            return *rate;
        }
        if let Some(rate) = self.samplers.get(&(format, domain, None)) {
            return *rate;
        }
        let mut of_domain = self.samplers.range((format, domain, None)..=(format, domain, Some(u64::MAX)));
        match (sampler, of_domain.next(), of_domain.next()) {
            (None, Some((_, rate)), None) => *rate,
            _ => 1,
        }
    }

    /// Templates known.
    pub(crate) fn templates(&self) -> usize {
        self.templates.len()
    }
}
