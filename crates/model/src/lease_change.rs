use serde::{Deserialize, Serialize};

use crate::{SubnetId, Timestamp};

/// What happened to a lease.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeaseChange {
    /// Granted to a client that did not hold it.
    Granted,
    /// Renewed by its client.
    Renewed,
    /// Given back, or taken away by an operator.
    Released,
    /// Ended without renewal.
    Expired,
    /// Found in use by somebody else; in quarantine.
    Declined,
}

impl LeaseChange {
    /// All of them, in the order of a lease's life.
    pub const ALL: [Self; 5] = [Self::Granted, Self::Renewed, Self::Released, Self::Expired, Self::Declined];

    /// One word, as in labels and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Renewed => "renewed",
            Self::Released => "released",
            Self::Expired => "expired",
            Self::Declined => "declined",
        }
    }
}

/// How many leases of a pool changed in one way since the last look. Counts only: nobody can be followed by it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LeaseNews {
    /// When they were seen.
    pub at: Timestamp,
    /// The pool, as in [`PoolUse::name`](crate::PoolUse::name).
    pub pool: String,
    /// What happened.
    pub change: LeaseChange,
    /// To how many leases.
    pub count: u64,
}

/// Leases changed so far, by subnet and kind of change. As many counts as the plan has subnets, times five.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LeaseChangeCounts(Vec<(SubnetId, [u64; LeaseChange::ALL.len()])>);

impl LeaseChangeCounts {
    /// Counts one.
    pub fn add(&mut self, subnet: SubnetId, change: LeaseChange) {
        let found = self.0.iter().position(|(known, _)| *known == subnet);
        let row = found.unwrap_or_else(|| {
            self.0.push((subnet, [0; LeaseChange::ALL.len()]));
            self.0.len() - 1
        });
        if let Some(count) = self.0.get_mut(row).and_then(|(_, counts)| counts.get_mut(change as usize)) {
            *count += 1;
        }
    }

    /// The counts of one subnet that are not zero.
    pub fn of(&self, subnet: SubnetId) -> impl Iterator<Item = (LeaseChange, u64)> {
        let counts = self.0.iter().filter(move |(known, _)| *known == subnet).flat_map(|(_, counts)| counts);
        LeaseChange::ALL.into_iter().zip(counts.copied()).filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_kept_by_subnet_and_change() {
        let (staff, guests) = (SubnetId(10), SubnetId(20));
        let mut counts = LeaseChangeCounts::default();
        for change in LeaseChange::ALL {
            counts.add(staff, change);
        }
        counts.add(guests, LeaseChange::Declined);
        counts.add(staff, LeaseChange::Granted);
        assert_eq!(counts.of(guests).collect::<Vec<_>>(), [(LeaseChange::Declined, 1)]);
        assert_eq!(counts.of(staff).map(|(_, count)| count).collect::<Vec<_>>(), [2, 1, 1, 1, 1]);
        assert_eq!(counts.of(SubnetId(30)).count(), 0);
    }
}
