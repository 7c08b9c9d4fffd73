//! Names that other servers are asked for than the rest (split horizon).

use std::{collections::HashMap, net::SocketAddr};

use foldhash::quality::FixedState;

use crate::{
    name::{from_text, suffixes},
    settings::{Settings, SettingsError},
    upstream::Mask,
};

/// Which upstreams may be asked for a name.
pub(crate) struct Forwards {
    /// Folded names.
    by_zone: HashMap<Box<[u8]>, Mask, FixedState>,
    /// For everything else.
    rest: Mask,
}

impl Forwards {
    /// `upstreams` are all there are, in the order that masks count.
    pub(crate) fn new(settings: &Settings, upstreams: &[SocketAddr], hash_seed: u64) -> Result<Self, SettingsError> {
        let mask = |of: &[SocketAddr]| {
            let mut mask = Mask::default();
            (0..upstreams.len()).filter(|&at| of.contains(&upstreams[at])).for_each(|at| mask.insert(at));
            mask
        };
        let mut by_zone = HashMap::with_hasher(FixedState::with_seed(hash_seed));
        for forward in &settings.forwards {
            let name = from_text(&forward.zone).ok_or_else(|| SettingsError::BadName { name: forward.zone.clone() })?;
            if by_zone.insert(name, mask(&forward.upstreams)).is_some() {
                return Err(SettingsError::DuplicateZone { origin: forward.zone.clone() });
            }
        }
        Ok(Self { by_zone, rest: mask(&settings.upstreams) })
    }

    /// Who may be asked for folded `name`: those of the longest zone that holds it.
    pub(crate) fn allowed(&self, name: &[u8]) -> Mask {
        self.zone(name).map_or(self.rest, |(_, mask)| mask)
    }

    /// The zone that holds folded `name`, if it is one that others are asked for.
    pub(crate) fn zone<'a>(&self, name: &'a [u8]) -> Option<(&'a [u8], Mask)> {
        if self.by_zone.is_empty() {
            return None;
        }
        suffixes(name).find_map(|suffix| Some((suffix, *self.by_zone.get(suffix)?)))
    }
}
