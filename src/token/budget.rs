//! How often the platform may be asked for a token at all: what stops every loop that is not
//! foreseen. Pure.

use std::time::Duration;

use crate::store::tokens::TokenKind;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How often one endpoint is asked at most, by one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Questions that may follow each other at once.
    pub(super) burst: u32,
    /// The time in which one more question may be asked.
    pub(super) refill: Duration,
    /// Questions within 24 hours.
    pub(super) a_day: u32,
}

impl Limits {
    /// Far below what the platform allows: of the stable endpoint 10,000 a minute and 500,000 a day,
    /// of the plain one 2,000 a day, each of which ends another token's life.
    pub(super) const fn of(kind: TokenKind) -> Self {
        match kind {
            TokenKind::Plain => Self {
                burst: 3,
                refill: Duration::from_secs(10),
                a_day: 200,
            },
            TokenKind::Stable | TokenKind::JsapiTicket | TokenKind::CardTicket => Self {
                burst: 10,
                refill: Duration::from_secs(1),
                a_day: 5_000,
            },
        }
    }
}

/// A bucket of questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Budget {
    limits: Limits,
    level: u32,
    refilled_at: Duration,
    day_began: Duration,
    asked_today: u32,
    /// The highest of [`TOLD`] that was told today.
    told: u32,
}

/// At these parts of a day's questions, in percent, people are told: nothing good asks so often.
const TOLD: [u32; 3] = [100, 90, 70];

impl Budget {
    /// A full one.
    pub(super) const fn new(limits: Limits) -> Self {
        Self {
            limits,
            level: limits.burst,
            refilled_at: Duration::ZERO,
            day_began: Duration::ZERO,
            asked_today: 0,
            told: 0,
        }
    }

    /// How many questions were asked today, and how many may be.
    pub(super) fn asked(&self, now: Duration) -> (u32, u32) {
        let is_over = now.saturating_sub(self.day_began) >= DAY;
        let asked = if is_over { 0 } else { self.asked_today };
        (asked, self.limits.a_day)
    }

    /// The highest of [`TOLD`] that was passed and not told today.
    pub(super) fn passed(&mut self) -> Option<u32> {
        let percent = u64::from(self.asked_today) * 100 / u64::from(self.limits.a_day);
        let passed = TOLD.into_iter().find(|part| u64::from(*part) <= percent)?;
        let is_new = passed > self.told;
        self.told = self.told.max(passed);
        is_new.then_some(passed)
    }

    /// Takes one question out, if there is one.
    pub(super) fn take(&mut self, now: Duration) -> bool {
        let refill = self.limits.refill.as_secs();
        let gained = now.saturating_sub(self.refilled_at).as_secs() / refill;
        if gained > 0 {
            let gained = u32::try_from(gained).unwrap_or(u32::MAX);
            self.level = self.level.saturating_add(gained).min(self.limits.burst);
            self.refilled_at = now;
        }
        if now.saturating_sub(self.day_began) >= DAY {
            self.day_began = now;
            self.asked_today = 0;
            self.told = 0;
        }
        if self.level == 0 || self.asked_today >= self.limits.a_day {
            return false;
        }
        self.level -= 1;
        self.asked_today += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn never_more_than_the_limits_say(pauses_ms in proptest::collection::vec(0u64..30_000, 1..300)) {
            for kind in [TokenKind::Stable, TokenKind::Plain] {
                let limits = Limits::of(kind);
                let mut budget = Budget::new(limits);
                let mut now = Duration::ZERO;
                let mut taken = 0u64;
                for pause in &pauses_ms {
                    now += Duration::from_millis(*pause);
                    taken += u64::from(budget.take(now));
                    let most = u64::from(limits.burst) + now.as_secs() / limits.refill.as_secs();
                    prop_assert!(taken <= most);
                }
            }
        }

        #[test]
        fn each_level_is_told_once_a_day(days in 1u32..3) {
            let limits = Limits::of(TokenKind::Plain);
            let mut budget = Budget::new(limits);
            for day in 0..days {
                let mut told = Vec::new();
                for turn in 0..limits.a_day + 20 {
                    budget.take(DAY * day + limits.refill * turn);
                    told.extend(budget.passed());
                }
                prop_assert_eq!(told, vec![70, 90, 100]);
                prop_assert_eq!(budget.asked(DAY * day + DAY / 2), (200, 200));
            }
            prop_assert_eq!(budget.asked(DAY * days), (0, 200));
        }

        #[test]
        fn one_question_each_refill_is_allowed_until_the_day_is_full(count in 1u32..400) {
            let limits = Limits::of(TokenKind::Plain);
            let mut budget = Budget::new(limits);
            for turn in 0..count {
                prop_assert_eq!(budget.take(limits.refill * turn), turn < limits.a_day);
            }
            prop_assert!(budget.take(DAY));
        }
    }
}
