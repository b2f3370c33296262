//! How far this machine's clock is from the platform's, by the `Date` of its answers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::transport::Dates;

/// A difference up to this is normal: answers take a while, and dates have whole seconds.
pub const TOLERATED_SKEW: Duration = Duration::from_secs(60);

/// Compares the clocks at every answer, and says once when they part and once when they meet again.
#[derive(Debug)]
pub struct ClockSkew {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The platform's time minus ours, in seconds.
    seconds: Option<i64>,
    is_told: bool,
}

impl ClockSkew {
    /// For this machine's clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            state: Mutex::default(),
        }
    }

    /// By how many seconds the platform's clock is ahead of ours, by its last answer; negative when it
    /// is behind; `None` before the first answer.
    pub fn seconds(&self) -> Option<i64> {
        self.state.lock().unwrap_or_else(|e| e.into_inner()).seconds
    }

    /// As [`ClockSkew::seconds`], when it is more than [`TOLERATED_SKEW`].
    pub fn beyond_tolerance(&self) -> Option<i64> {
        self.seconds().filter(|seconds| is_far(*seconds))
    }
}

fn is_far(seconds: i64) -> bool {
    seconds.unsigned_abs() > TOLERATED_SKEW.as_secs()
}

impl Dates for ClockSkew {
    fn saw(&self, date: Timestamp) {
        let seconds = date.seconds().saturating_sub(self.clock.now().seconds());
        let was_told = {
            let mut state = self.state.lock().unwrap_or_else(|e| e.into_inner());
            state.seconds = Some(seconds);
            std::mem::replace(&mut state.is_told, is_far(seconds))
        };
        match (was_told, is_far(seconds)) {
            (false, true) => tracing::warn!(
                platform_ahead_seconds = seconds,
                "This machine's clock is far from that of the answers; look at its time server."
            ),
            (true, false) => {
                tracing::info!("This machine's clock agrees with that of the answers again.")
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn a_difference_is_seen_either_way_and_forgotten_when_it_is_gone() {
        let clock = Arc::new(ManualClock::at(1_700_000_000));
        let skew = ClockSkew::new(clock.clone());
        assert_eq!(skew.seconds(), None);
        for (date, seconds, beyond) in [
            (1_700_000_060, 60, None),
            (1_700_000_061, 61, Some(61)),
            (1_699_999_900, -100, Some(-100)),
            (1_699_999_940, -60, None),
            (
                i64::MAX / 1000,
                i64::MAX / 1000 - 1_700_000_000,
                Some(i64::MAX / 1000 - 1_700_000_000),
            ),
        ] {
            skew.saw(Timestamp::from_seconds(date));
            assert_eq!(
                (skew.seconds(), skew.beyond_tolerance()),
                (Some(seconds), beyond),
                "{date}"
            );
        }
    }
}
