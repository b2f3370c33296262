//! When a failed push is tried again.

use std::time::Duration;

/// When a push whose handler failed is tried again: after the first failure, the second, and so on.
/// After one failure more it is dead. Each time grows by up to a fifth, by chance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempts {
    delays: Vec<Duration>,
}

/// Why a list of times is not a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// One of the times is not a number with a unit.
    #[error("{text:?} is not a time: write a whole number and ms, s, m or h, for example \"10s\"")]
    NotATime {
        /// What was written.
        text: String,
    },
    /// One of the times is longer than a retry makes sense.
    #[error("{text:?} is too long: at most 168h")]
    TooLong {
        /// What was written.
        text: String,
    },
    /// No time at all, where there must be some.
    #[error("{text:?} is no time at all: write at least \"1ms\"")]
    NoTime {
        /// What was written.
        text: String,
    },
    /// More times than a schedule may have.
    #[error("{count} times are too many: at most {MAX_RETRIES}")]
    TooMany {
        /// How many were written.
        count: usize,
    },
}

/// Times a schedule may have.
const MAX_RETRIES: usize = 20;
/// The longest delay: a week.
pub(crate) const MAX_DELAY: Duration = Duration::from_secs(168 * 60 * 60);

/// A delay grows by less than one of so many parts of it.
const JITTER_PART: u32 = 5;
/// In so many steps.
const JITTER_STEPS: u32 = 1_024;

impl Attempts {
    /// Reads a schedule such as `["2s", "10s", "1m"]`; an empty one means: never again.
    ///
    /// # Errors
    /// [`ScheduleError`] names the text that is not a time.
    pub fn after<I>(times: I) -> Result<Self, ScheduleError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let delays: Vec<_> = times
            .into_iter()
            .map(|text| parse_delay(text.as_ref()))
            .collect::<Result<_, _>>()?;
        match delays.len() {
            count if count > MAX_RETRIES => Err(ScheduleError::TooMany { count }),
            _ => Ok(Self { delays }),
        }
    }

    /// How long to wait after the `failures`-th failure; `None`: give up.
    ///
    /// A little longer than the schedule says, by up to a fifth that `chance` chooses, so that what
    /// failed together is not tried together again.
    pub(crate) fn delay(&self, failures: u32, chance: u64) -> Option<Duration> {
        let index = usize::try_from(failures.checked_sub(1)?).ok()?;
        let delay = self.delays.get(index).copied()?;
        let share = u32::try_from(chance % u64::from(JITTER_STEPS)).ok()?;
        Some(delay + delay / JITTER_PART * share / JITTER_STEPS)
    }
}

impl Default for Attempts {
    /// After 2 s, 10 s and 1 minute.
    fn default() -> Self {
        Self {
            delays: [2, 10, 60].map(Duration::from_secs).to_vec(),
        }
    }
}

pub(crate) fn parse_delay(text: &str) -> Result<Duration, ScheduleError> {
    let not_a_time = || ScheduleError::NotATime {
        text: text.to_owned(),
    };
    let unit_at = text
        .find(|c: char| !c.is_ascii_digit())
        .ok_or_else(not_a_time)?;
    let (number, unit) = text.split_at(unit_at);
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(not_a_time()),
    };
    let number: u64 = number.parse().map_err(|_| not_a_time())?;
    let delay = Duration::from_millis(number.saturating_mul(milliseconds));
    match delay > MAX_DELAY {
        true => Err(ScheduleError::TooLong {
            text: text.to_owned(),
        }),
        false => Ok(delay),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_read_and_wrong_texts_are_named() {
        let schedule = Attempts::after(["500ms", "2s", "1m", "1h"]).unwrap();
        let delays: Vec<_> = (0..6).map(|failures| schedule.delay(failures, 0)).collect();
        let expected = [500, 2_000, 60_000, 3_600_000].map(|ms| Some(Duration::from_millis(ms)));
        assert_eq!(delays[1..5], expected);
        assert_eq!((delays[0], delays[5]), (None, None));
        for text in ["", "2", "s", "2 s", "-2s", "2d", "99999999999999999999s"] {
            let expected = ScheduleError::NotATime {
                text: text.to_owned(),
            };
            assert_eq!(Attempts::after([text]), Err(expected), "{text:?}");
        }
        assert!(matches!(
            Attempts::after(["18446744073709551615h"]),
            Err(ScheduleError::TooLong { .. })
        ));
        assert_eq!(
            Attempts::after(["1s"; 21]),
            Err(ScheduleError::TooMany { count: 21 })
        );
    }

    #[test]
    fn what_failed_together_is_spread_over_a_fifth_of_the_delay_and_never_earlier() {
        let schedule = Attempts::after(["10s"]).unwrap();
        let delays: std::collections::BTreeSet<_> = (0..5_000)
            .map(|chance| schedule.delay(1, chance).unwrap())
            .collect();
        let (first, last) = (delays.first().unwrap(), delays.last().unwrap());
        assert_eq!(*first, Duration::from_secs(10));
        assert!(*last > Duration::from_millis(11_990) && *last < Duration::from_secs(12));
        assert_eq!(delays.len(), 1_024);
        let longest = Attempts::after(["168h"]).unwrap();
        let far = longest.delay(1, u64::MAX).unwrap();
        assert!(far < MAX_DELAY + MAX_DELAY / 5);
    }
}
