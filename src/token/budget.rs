//! How often the platform may be asked for a token at all: what stops every loop that is not
//! foreseen. Pure.

use std::time::Duration;

/// Questions that may follow each other at once.
pub(super) const BURST: u32 = 10;

/// One more question may be asked each second: far below the platform's 10,000 a minute.
pub(super) const REFILL: Duration = Duration::from_secs(1);

/// A bucket of questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Budget {
    level: u32,
    refilled_at: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            level: BURST,
            refilled_at: Duration::ZERO,
        }
    }
}

impl Budget {
    /// Takes one question out, if there is one.
    pub(super) fn take(&mut self, now: Duration) -> bool {
        let gained = now.saturating_sub(self.refilled_at).as_secs() / REFILL.as_secs();
        if gained > 0 {
            let gained = u32::try_from(gained).unwrap_or(u32::MAX);
            self.level = self.level.saturating_add(gained).min(BURST);
            self.refilled_at = now;
        }
        if self.level == 0 {
            return false;
        }
        self.level -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn never_more_than_the_burst_and_one_a_second(pauses_ms in proptest::collection::vec(0u64..3000, 1..200)) {
            let mut budget = Budget::default();
            let mut now = Duration::ZERO;
            let mut taken = 0u64;
            for pause in pauses_ms {
                now += Duration::from_millis(pause);
                taken += u64::from(budget.take(now));
                prop_assert!(taken <= u64::from(BURST) + now.as_secs());
            }
        }

        #[test]
        fn one_question_a_second_is_always_allowed(count in 1u64..100) {
            let mut budget = Budget::default();
            for second in 0..count {
                prop_assert!(budget.take(Duration::from_secs(second)));
            }
        }
    }
}
