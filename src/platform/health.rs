//! When a host counts as failing, and when it is trusted again. Pure: the time is an argument.

use std::time::Duration;

/// Failures in a row that take a host out of use.
pub(crate) const FAILURES_IN_A_ROW: u32 = 3;
/// The window in which failures and calls are compared.
pub(crate) const WINDOW: Duration = Duration::from_secs(10);
/// Calls in one window that are needed before their failures are weighed: over half of them.
pub(crate) const CALLS_TO_WEIGH: u32 = 10;
/// How long a failing host stays out of use at least.
pub(crate) const OPEN_AT_LEAST: Duration = Duration::from_secs(60);
/// How often a failing host is probed.
pub(crate) const PROBE_EVERY: Duration = Duration::from_secs(10);
/// Good answers in a row that bring a host back.
pub(crate) const GOOD_IN_A_ROW: u32 = 3;

/// A circuit breaker for one host: *closed* while calls flow, *open* while the host is avoided,
/// *half-open* while good answers of an open host are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Circuit {
    /// In use.
    Closed {
        /// Failures since the last good answer.
        failures_in_a_row: u32,
        /// When the present window began.
        window_start: Duration,
        /// Calls in the present window.
        calls: u32,
        /// Failures among them.
        failures: u32,
    },
    /// Avoided.
    Open {
        /// Since then.
        since: Duration,
        /// The last probe was given out then.
        probed_at: Duration,
        /// Good answers since the last failure: half-open when there are any.
        good_in_a_row: u32,
    },
}

impl Default for Circuit {
    fn default() -> Self {
        Self::closed(Duration::ZERO)
    }
}

impl Circuit {
    const fn closed(now: Duration) -> Self {
        Self::Closed {
            failures_in_a_row: 0,
            window_start: now,
            calls: 0,
            failures: 0,
        }
    }

    /// Whether the host is avoided.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Open { .. })
    }

    /// Takes in how one call went.
    pub(crate) fn record(&mut self, well: bool, now: Duration) {
        *self = match *self {
            Self::Closed { .. } => self.weighed(well, now),
            Self::Open {
                since,
                probed_at,
                good_in_a_row,
            } => {
                let good_in_a_row = if well {
                    good_in_a_row.saturating_add(1)
                } else {
                    0
                };
                let rested = now.saturating_sub(since) >= OPEN_AT_LEAST;
                if rested && good_in_a_row >= GOOD_IN_A_ROW {
                    Self::closed(now)
                } else {
                    Self::Open {
                        since,
                        probed_at,
                        good_in_a_row,
                    }
                }
            }
        };
    }

    fn weighed(self, well: bool, now: Duration) -> Self {
        let Self::Closed {
            failures_in_a_row,
            window_start,
            calls,
            failures,
        } = self
        else {
            return self;
        };
        let (window_start, calls, failures) = if now.saturating_sub(window_start) >= WINDOW {
            (now, 0, 0)
        } else {
            (window_start, calls, failures)
        };
        let calls = calls.saturating_add(1);
        let failures = failures.saturating_add(u32::from(!well));
        let failures_in_a_row = if well {
            0
        } else {
            failures_in_a_row.saturating_add(1)
        };
        let mostly_failing = calls >= CALLS_TO_WEIGH && failures > calls / 2;
        if failures_in_a_row >= FAILURES_IN_A_ROW || mostly_failing {
            return Self::Open {
                since: now,
                probed_at: now,
                good_in_a_row: 0,
            };
        }
        Self::Closed {
            failures_in_a_row,
            window_start,
            calls,
            failures,
        }
    }

    /// Whether a probe is due; if so, the next one is due an interval later.
    pub(crate) fn take_probe(&mut self, now: Duration) -> bool {
        match self {
            Self::Open { probed_at, .. } if now.saturating_sub(*probed_at) >= PROBE_EVERY => {
                *probed_at = now;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn after(calls: &[(u64, bool)]) -> Circuit {
        let mut circuit = Circuit::default();
        for &(at, well) in calls {
            circuit.record(well, Duration::from_secs(at));
        }
        circuit
    }

    #[test]
    fn a_host_opens_after_three_failures_in_a_row_or_when_most_calls_of_a_window_fail() {
        let mixed = |well_every: usize, calls: usize| -> Vec<(u64, bool)> {
            (0..calls).map(|n| (1, n % well_every == 0)).collect()
        };
        for (name, calls, open) in [
            ("two failures", vec![(0, false), (0, false)], false),
            ("three failures", vec![(0, false); 3], true),
            (
                "a good one between",
                vec![(0, false), (0, false), (0, true), (0, false)],
                false,
            ),
            ("half of ten", mixed(2, 10), false),
            ("two thirds of twelve", mixed(3, 12), true),
            ("two thirds of nine", mixed(3, 9), false),
        ] {
            assert_eq!(after(&calls).is_open(), open, "{name}");
        }
    }

    #[test]
    fn failures_of_another_window_are_not_weighed() {
        let early = (0..9).map(|n| (0, n % 3 == 0));
        let late = (0..9).map(|n| (10, n % 3 == 0));
        assert!(!after(&early.chain(late).collect::<Vec<_>>()).is_open());
    }

    #[test]
    fn a_host_comes_back_after_a_minute_and_three_good_answers() {
        let opened = [(0, false); 3];
        for (name, then, open) in [
            ("too early", vec![(10, true), (20, true), (30, true)], true),
            (
                "three, the last after a minute",
                vec![(40, true), (50, true), (60, true)],
                false,
            ),
            (
                "a failure between",
                vec![(50, true), (60, true), (70, false), (80, true)],
                true,
            ),
        ] {
            let calls: Vec<_> = opened.iter().copied().chain(then).collect();
            assert_eq!(after(&calls).is_open(), open, "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_host_that_always_answers_well_comes_back(calls in proptest::collection::vec((0u64..1000, any::<bool>()), 0..100)) {
            let mut calls = calls;
            calls.sort();
            calls.extend([(1070, true), (1071, true), (1072, true)]);
            prop_assert!(!after(&calls).is_open());
        }
    }
}
