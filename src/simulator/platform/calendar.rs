//! The platform's calendar: days and months begin at midnight in Beijing, eight hours before Greenwich.

use crate::clock::Timestamp;

const BEIJING_SECONDS: i64 = 8 * 3600;
const DAY_SECONDS: i64 = 24 * 3600;

/// The minute, counted from 1970.
pub(super) fn minute(now: Timestamp) -> i64 {
    now.seconds().div_euclid(60)
}

/// The day in Beijing, counted from 1970.
pub(super) fn day(now: Timestamp) -> i64 {
    now.seconds()
        .saturating_add(BEIJING_SECONDS)
        .div_euclid(DAY_SECONDS)
}

/// The month in Beijing, counted from the year 0.
pub(super) fn month(now: Timestamp) -> i64 {
    // The civil calendar in years that begin in March, so that the leap day is the last of its year.
    let days = day(now).saturating_add(719_468);
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let year = era * 400 + year_of_era;
    // March is month 2 when January is 0.
    year * 12 + month_from_march + 2
}

/// Counts what happens within one period, and starts anew with the next.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Meter {
    period: i64,
    count: u64,
}

impl Meter {
    pub(super) fn count(&self, period: i64) -> u64 {
        if self.period == period { self.count } else { 0 }
    }

    pub(super) fn set(&mut self, period: i64, count: u64) {
        *self = Self { period, count };
    }

    /// Counts one more, unless there are `limit` already; false then.
    pub(super) fn take(&mut self, period: i64, limit: u64) -> bool {
        let count = self.count(period);
        let has_room = count < limit;
        self.set(period, count.saturating_add(u64::from(has_room)));
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_months_begin_at_midnight_in_beijing() {
        // 2026-11-30 23:59:59 in Beijing, and the second after it.
        let last = Timestamp::from_seconds(1_796_054_399);
        let first = Timestamp::from_seconds(1_796_054_400);
        assert_eq!(day(first) - day(last), 1);
        assert_eq!(
            (month(last), month(first)),
            (2026 * 12 + 10, 2026 * 12 + 11)
        );
        for (seconds, year, month_of_year) in [
            (0, 1970, 1),
            (951_753_599, 2000, 2),
            (951_840_000, 2000, 3),
            (1_767_196_799, 2025, 12),
            (1_767_196_800, 2026, 1),
        ] {
            let got = month(Timestamp::from_seconds(seconds));
            assert_eq!(got, year * 12 + month_of_year - 1, "{seconds}");
        }
    }

    #[test]
    fn a_meter_counts_within_its_period_and_not_above_its_limit() {
        let mut meter = Meter::default();
        assert_eq!([0; 3].map(|_| meter.take(7, 2)), [true, true, false]);
        assert_eq!((meter.count(7), meter.count(8)), (2, 0));
        assert!(meter.take(8, 2));
        assert_eq!(meter.count(8), 1);
    }
}
