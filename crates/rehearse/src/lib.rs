//! The crowd, the virtual clock and the summary of a rehearsal.
//!
//! A plan and a seed become a [`course::Course`]: what the devices of the people do, hour by hour. [`run`] plays it
//! against the real DHCP engine in virtual time, as often as wished, and says what to expect and what saturates
//! first. It opens no socket and reads no clock; the same input gives the same bytes. Start at [`crowd::course`].

mod bottleneck;
mod clients;
pub mod course;
pub mod crowd;
mod measure;
mod names;
mod outcome;
mod table;
#[cfg(test)]
mod test_plans;
#[cfg(test)]
mod tests;

use check::ApprovedPlan;
use dhcp::{Settings, SettingsError};
use generate::GenerateError;
use plan::Plan;
use thiserror::Error;

use self::{crowd::random::Seed, measure::measure};

pub use bottleneck::{Bottleneck, Kind};
pub use outcome::{
    AccessPointOutcome, Band, BottleneckShare, Outcome, PoolOutcome, RoomOutcome, RunOutcome, Totals, UplinkOutcome,
};

/// Runs that one rehearsal may have.
pub const RUNS_MAX: u32 = 10_000;

/// How to rehearse.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Seed of everything that is drawn.
    pub seed: u64,
    /// How many times the event is played in virtual time, each with draws of its own; 1 to [`RUNS_MAX`].
    pub runs: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: 1, runs: 1 }
    }
}

/// Why an event cannot be rehearsed.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum RehearseError {
    /// No settings of the services can be made of the plan.
    #[error("no settings can be made of the plan")]
    Generate(#[from] GenerateError),
    /// The DHCP engine refuses its settings.
    #[error("the DHCP server refuses its settings")]
    Dhcp(#[from] SettingsError),
    /// The number of runs is 0 or too high.
    #[error("{runs} runs are not from 1 to {RUNS_MAX}; change `--runs`")]
    Runs {
        /// How many were asked for.
        runs: u32,
    },
}

/// Plays the event `options.runs` times in virtual time, each device through the real DHCP engine.
///
/// Run 1 takes the likely values of the plan's estimates, the others draw people and devices between low and high.
pub fn run(plan: &ApprovedPlan, options: &Options) -> Result<Outcome, RehearseError> {
    let settings = generate::service_settings(plan)?;
    run_with(plan, &settings.dhcp, options)
}

fn run_with(plan: &Plan, settings: &Settings, options: &Options) -> Result<Outcome, RehearseError> {
    if options.runs == 0 || options.runs > RUNS_MAX {
        return Err(RehearseError::Runs { runs: options.runs });
    }
    let mut runs = Vec::new();
    for run in 0..options.runs {
        runs.push(measure(plan, settings, Seed { seed: options.seed, run })?);
    }
    Ok(Outcome::of(plan, options, &runs))
}
