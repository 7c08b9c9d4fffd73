//! The last echoes of one target: loss and round-trip times in bounded memory.

use std::time::Duration;

/// Echoes remembered for each target.
const ECHOES_MAX: usize = 60;

/// Round-trip times of the last 60 echoes, lost ones included.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// Microseconds; `None` = lost.
    echoes: std::collections::VecDeque<Option<u32>>,
}

/// What a window says.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct WindowSummary {
    /// Echoes in it.
    pub echoes: u32,
    /// Of these, lost.
    pub lost: u32,
    /// Shortest round trip; zero when none came back.
    pub rtt_min: Duration,
    /// Mean round trip.
    pub rtt_mean: Duration,
    /// Longest round trip.
    pub rtt_max: Duration,
}

impl WindowSummary {
    /// Lost echoes in hundredths; 0 when none was sent.
    pub fn loss_percent(&self) -> f64 {
        if self.echoes == 0 { 0.0 } else { f64::from(self.lost) * 100.0 / f64::from(self.echoes) }
    }
}

impl Window {
    /// Adds an echo: its round-trip time, or `None` when it was lost.
    pub fn push(&mut self, rtt: Option<Duration>) {
        if self.echoes.len() == ECHOES_MAX {
            self.echoes.pop_front();
        }
        self.echoes.push_back(rtt.map(|rtt| u32::try_from(rtt.as_micros()).unwrap_or(u32::MAX)));
    }

    /// O(window).
    pub fn summary(&self) -> WindowSummary {
        let came_back = || self.echoes.iter().flatten().map(|micros| u64::from(*micros));
        let count = came_back().count() as u64;
        let micros = Duration::from_micros;
        WindowSummary {
            echoes: self.echoes.len() as u32,
            lost: (self.echoes.len() as u64 - count) as u32,
            rtt_min: micros(came_back().min().unwrap_or(0)),
            rtt_mean: micros(came_back().sum::<u64>().checked_div(count).unwrap_or(0)),
            rtt_max: micros(came_back().max().unwrap_or(0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_and_times_are_of_the_last_echoes_only() {
        let mut window = Window::default();
        assert_eq!(window.summary(), WindowSummary::default());
        for _ in 0..ECHOES_MAX {
            window.push(None);
        }
        assert_eq!(window.summary().loss_percent(), 100.0);
        for millis in [2, 4, 6].into_iter().cycle().take(ECHOES_MAX / 2) {
            window.push(Some(Duration::from_millis(millis)));
        }
        let summary = window.summary();
        assert_eq!((summary.echoes, summary.lost, summary.loss_percent()), (60, 30, 50.0));
        let millis = Duration::from_millis;
        assert_eq!((summary.rtt_min, summary.rtt_mean, summary.rtt_max), (millis(2), millis(4), millis(6)));
    }
}
