//! How many calls a minute may have: what the platform states, and what its refusals teach.

use std::collections::VecDeque;
use std::time::Duration;

/// How the calls of a window are remembered: in so many parts of it.
const PARTS: u32 = 12;

/// The window where nothing else is stated.
const MINUTE: Duration = Duration::from_secs(60);

/// No refusal teaches a limit below this: other systems may have used the rest.
const LEAST_LEARNT: u64 = 10;

/// What a refusal taught is forgotten after so long without another one.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60 * 60);

/// So many calls within so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Calls.
    pub calls: u64,
    /// Within this time.
    pub per: Duration,
}

/// The pace of one key. Times are of the clock that never jumps.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// (which part of time, calls in it), oldest first; at most [`PARTS`] + 1 of them.
    parts: VecDeque<(u128, u64)>,
    sum: u64,
    stated: Option<Rate>,
    /// Calls a minute that were too many, and when that was.
    learnt: Option<(u64, Duration)>,
    paused_until: Duration,
}

impl Pace {
    pub(super) fn new(stated: Option<Rate>) -> Self {
        Self {
            stated,
            ..Self::default()
        }
    }

    /// How long the next call must wait; zero when it need not.
    pub(super) fn wait(&mut self, now: Duration) -> Duration {
        let paused = self.paused_until.saturating_sub(now);
        let Some(rate) = self.rate(now) else {
            return paused;
        };
        self.forget(now);
        if self.sum < rate.calls {
            return paused;
        }
        // The oldest part leaves the window when the part after its last moment is as old as the window.
        let part = self.part();
        let leaves = self.parts.front().map_or(Duration::ZERO, |(index, _)| {
            multiple(part, index + u128::from(PARTS) + 1)
        });
        paused.max(leaves.saturating_sub(now))
    }

    /// A call is made.
    pub(super) fn note(&mut self, now: Duration) {
        self.forget(now);
        let index = now.as_nanos() / self.part().as_nanos();
        self.sum += 1;
        match self.parts.back_mut() {
            Some((last, calls)) if *last == index => *calls += 1,
            _ => self.parts.push_back((index, 1)),
        }
    }

    /// The platform stated a rate, or that it has none.
    pub(super) fn state(&mut self, stated: Option<Rate>) {
        if self.window_of(stated) != self.window() {
            self.parts.clear();
            self.sum = 0;
        }
        self.stated = stated;
    }

    /// The platform refused a call because the minute was full: nothing until `pause` has passed, and
    /// fewer in a minute than this one had.
    pub(super) fn refused(&mut self, now: Duration, pause: Duration) {
        self.forget(now);
        self.paused_until = self.paused_until.max(now + pause);
        self.learnt = Some((self.sum.saturating_sub(1).max(LEAST_LEARNT), now));
        // The platform's minute is over when the pause is: what was in it counts no more.
        self.parts.clear();
        self.sum = 0;
    }

    /// The platform's counts were reset.
    pub(super) fn cleared(&mut self) {
        let stated = self.stated;
        *self = Self::new(stated);
    }

    /// The rate that holds now: the stated one, or the one that a refusal taught, which grows by a tenth
    /// and one with each minute without another refusal.
    pub(super) fn rate(&self, now: Duration) -> Option<Rate> {
        let learnt = self.learnt.and_then(|(calls, at)| {
            let since = now.saturating_sub(at);
            let minutes = since.as_secs() / 60;
            let calls = calls + minutes * (1 + calls / 10);
            let per = self.window();
            (since < FORGOTTEN_AFTER).then_some(Rate { calls, per })
        });
        match (self.stated, learnt) {
            (Some(stated), Some(learnt)) if learnt.calls < stated.calls => Some(learnt),
            (None, learnt) => learnt,
            (stated, _) => stated,
        }
    }

    fn window(&self) -> Duration {
        self.window_of(self.stated)
    }

    fn window_of(&self, stated: Option<Rate>) -> Duration {
        let per = stated.map_or(MINUTE, |stated| stated.per);
        per.clamp(Duration::from_secs(1), Duration::from_secs(24 * 60 * 60))
    }

    fn part(&self) -> Duration {
        self.window() / PARTS
    }

    /// Drops what no window that ends now reaches.
    fn forget(&mut self, now: Duration) {
        let index = now.as_nanos() / self.part().as_nanos();
        while let Some((oldest, calls)) = self.parts.front().copied()
            && oldest + u128::from(PARTS) < index
        {
            self.sum -= calls;
            self.parts.pop_front();
        }
    }
}

fn multiple(part: Duration, times: u128) -> Duration {
    let nanoseconds = part.as_nanos().saturating_mul(times);
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn calls_until_full(pace: &mut Pace, now: Duration, most: u64) -> u64 {
        let mut calls = 0;
        while calls < most && pace.wait(now).is_zero() {
            pace.note(now);
            calls += 1;
        }
        calls
    }

    #[test]
    fn a_stated_rate_is_kept_and_says_when_it_goes_on() {
        let rate = Rate {
            calls: 20,
            per: seconds(60),
        };
        let mut pace = Pace::new(Some(rate));
        assert_eq!(calls_until_full(&mut pace, seconds(100), 99), 20);
        let wait = pace.wait(seconds(100));
        assert!(wait > seconds(59) && wait <= seconds(66), "{wait:?}");
        assert_eq!(calls_until_full(&mut pace, seconds(100) + wait, 99), 20);
    }

    #[test]
    fn a_refusal_pauses_and_teaches_a_rate_that_grows_until_it_is_forgotten() {
        let mut pace = Pace::new(None);
        assert_eq!(calls_until_full(&mut pace, seconds(600), 101), 101);
        pace.refused(seconds(600), seconds(45));
        assert_eq!(pace.wait(seconds(600)), seconds(45));
        assert_eq!(calls_until_full(&mut pace, seconds(645), 999), 100);
        for (minute, expected) in [(2, 122), (10, 210)] {
            let now = seconds(600 + 60 * minute);
            assert_eq!(calls_until_full(&mut pace, now, 999), expected, "{minute}");
        }
        let later = seconds(600 + 3600);
        assert_eq!(calls_until_full(&mut pace, later, 999), 999);
    }

    #[test]
    fn what_others_used_up_does_not_teach_that_nothing_is_allowed() {
        let mut pace = Pace::new(None);
        pace.note(seconds(600));
        pace.refused(seconds(600), seconds(5));
        assert_eq!(pace.wait(seconds(600)), seconds(5));
        assert_eq!(calls_until_full(&mut pace, seconds(605), 99), LEAST_LEARNT);
    }

    proptest! {
        #[test]
        fn no_window_ever_holds_more_than_its_rate(
            calls in 1_u64..30,
            per in 1_u64..120,
            steps in prop::collection::vec(0_u64..20_000, 1..400),
        ) {
            let per = seconds(per);
            let mut pace = Pace::new(Some(Rate { calls, per }));
            let (mut now, mut made) = (Duration::ZERO, Vec::new());
            for step in steps {
                now += Duration::from_millis(step);
                if pace.wait(now).is_zero() {
                    pace.note(now);
                    made.push(now);
                }
                let recent = made.iter().filter(|at| now - **at < per).count();
                prop_assert!(recent as u64 <= calls);
                prop_assert!(pace.parts.len() <= PARTS as usize + 1);
            }
            let wait = pace.wait(now);
            prop_assert!(pace.wait(now + wait).is_zero());
        }
    }
}
