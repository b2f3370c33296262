//! Is a signed timestamp recent? And if many in a row are not: is it our own clock that is wrong?

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use crate::clock::Timestamp;

/// So many authentic, distinct requests in a row, all off by the same amount, and it is our clock.
pub const WRONG_CLOCK_STREAK: usize = 20;
/// Offsets that differ by no more than this are the same offset: transport and repeats take seconds.
pub const SAME_OFFSET: Duration = Duration::from_secs(60);

/// What to do with an authentic request of this age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// Within the window.
    Fresh,
    /// Outside the window: refuse.
    Stale {
        /// Our clock minus the signed timestamp.
        offset_seconds: i64,
    },
    /// Outside the window, but so are all others, by the same offset: accept, and say that our clock is wrong.
    OurClockIsWrong {
        /// Our clock minus the signed timestamp.
        offset_seconds: i64,
    },
}

/// Judges the timestamps of one account's authentic requests.
///
/// An attacker who caught one signed request can repeat it, but not sign others: only requests with
/// distinct timestamp and nonce count towards the streak, and one fresh request ends it.
#[derive(Debug)]
pub struct Freshness {
    window_seconds: i64,
    streak: Mutex<VecDeque<Sighting>>,
}

#[derive(Debug, PartialEq, Eq)]
struct Sighting {
    offset_seconds: i64,
    nonce: String,
}

impl Freshness {
    /// Requests within `window` of our clock, on either side, are fresh.
    pub fn new(window: Duration) -> Self {
        let window_seconds = i64::try_from(window.as_secs()).unwrap_or(i64::MAX);
        Self {
            window_seconds,
            streak: Mutex::default(),
        }
    }

    /// Judges a request whose signature was found right.
    pub fn judge(&self, signed_seconds: i64, nonce: &str, now: Timestamp) -> Judgement {
        let offset_seconds = now.seconds().saturating_sub(signed_seconds);
        let mut streak = self.streak.lock().unwrap_or_else(|e| e.into_inner());
        if offset_seconds.saturating_abs() <= self.window_seconds {
            streak.clear();
            return Judgement::Fresh;
        }
        let same = |other: &Sighting| {
            other.offset_seconds.abs_diff(offset_seconds) <= SAME_OFFSET.as_secs()
        };
        if !streak.iter().all(same) {
            streak.clear();
        }
        if !streak.iter().any(|seen| seen.nonce == nonce) {
            streak.push_back(Sighting {
                offset_seconds,
                nonce: nonce.to_owned(),
            });
        }
        if streak.len() < WRONG_CLOCK_STREAK {
            return Judgement::Stale { offset_seconds };
        }
        streak.truncate(WRONG_CLOCK_STREAK);
        Judgement::OurClockIsWrong { offset_seconds }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

    fn freshness() -> Freshness {
        Freshness::new(Duration::from_secs(600))
    }

    #[test]
    fn the_window_reaches_to_both_sides_and_includes_its_ends() {
        for (name, signed, fresh) in [
            ("now", 1_700_000_000, true),
            ("oldest", 1_700_000_000 - 600, true),
            ("too old", 1_700_000_000 - 601, false),
            ("newest", 1_700_000_000 + 600, true),
            ("too new", 1_700_000_000 + 601, false),
            ("absurd", i64::MIN, false),
        ] {
            let judgement = freshness().judge(signed, "s", NOW);
            assert_eq!(judgement == Judgement::Fresh, fresh, "{name}");
        }
    }

    #[test]
    fn twenty_distinct_requests_with_the_same_offset_show_that_our_clock_is_wrong() {
        let freshness = freshness();
        for number in 1..=25 {
            let signed = 1_700_000_000 - 3_600 + number % 30;
            let judgement = freshness.judge(signed, &number.to_string(), NOW);
            let wrong_clock = matches!(judgement, Judgement::OurClockIsWrong { .. });
            assert_eq!(wrong_clock, number >= 20, "request {number}");
        }
    }

    #[test]
    fn one_request_repeated_for_ever_stays_stale() {
        let freshness = freshness();
        for _ in 0..100 {
            let judgement = freshness.judge(1_700_000_000 - 3_600, "caught", NOW);
            assert_eq!(
                judgement,
                Judgement::Stale {
                    offset_seconds: 3_600
                }
            );
        }
    }

    #[test]
    fn a_fresh_request_or_another_offset_begins_the_count_anew() {
        for breaker in [1_700_000_000, 1_700_000_000 - 9_000] {
            let freshness = freshness();
            for number in 0..19 {
                freshness.judge(1_700_000_000 - 3_600, &format!("a{number}"), NOW);
            }
            freshness.judge(breaker, "breaker", NOW);
            let judgement = freshness.judge(1_700_000_000 - 3_600, "b", NOW);
            assert_eq!(
                judgement,
                Judgement::Stale {
                    offset_seconds: 3_600
                }
            );
        }
    }
}
