//! Days and months in Beijing. No time zone of the machine has a say here.

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::Offset;

use super::key::Span;
use crate::clock::Timestamp;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Beijing is eight hours ahead of UTC, all year.
const BEIJING: Offset = Offset::constant(8);
const BEIJING_MS: i64 = 8 * 60 * 60 * 1000;

/// When the platform's days begin, and how sure that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calendar {
    /// The time of day in Beijing at which counts begin anew. The platform says "the next day" and names
    /// no instant. Default: midnight.
    pub reset_at: Duration,
    /// How long what was used up stays closed after that, because the platform's clock is not ours.
    /// Default: [`RESET_GRACE`].
    pub grace: Duration,
}

/// See [`Calendar::grace`].
pub const RESET_GRACE: Duration = Duration::from_secs(90);

impl Default for Calendar {
    fn default() -> Self {
        Self {
            reset_at: Duration::ZERO,
            grace: RESET_GRACE,
        }
    }
}

/// One day or month: its name, where it begins, and where the next one does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Period {
    pub(super) name: String,
    pub(super) begins: Timestamp,
    pub(super) ends: Timestamp,
}

impl Period {
    pub(super) fn has(&self, now: Timestamp) -> bool {
        self.begins <= now && now < self.ends
    }
}

impl Calendar {
    /// The day or month of a moment.
    pub(super) fn period(&self, span: Span, now: Timestamp) -> Period {
        match span {
            Span::Day => self.day(now),
            Span::Month => self.month(now),
        }
    }

    fn day(&self, now: Timestamp) -> Period {
        let offset = BEIJING_MS - self.reset_ms();
        let number = now.milliseconds().saturating_add(offset).div_euclid(DAY_MS);
        let begins = Timestamp::from_milliseconds(number * DAY_MS - offset);
        Period {
            name: civil(begins).date().to_string(),
            begins,
            ends: Timestamp::from_milliseconds(begins.milliseconds() + DAY_MS),
        }
    }

    fn month(&self, now: Timestamp) -> Period {
        let shifted = Timestamp::from_milliseconds(now.milliseconds() - self.reset_ms());
        let first = civil(shifted).date().first_of_month();
        let instant = |date: jiff::civil::Date| {
            let midnight = BEIJING.to_timestamp(date.at(0, 0, 0, 0));
            let ms = midnight.map_or(i64::MAX, |at| at.as_millisecond());
            Timestamp::from_milliseconds(ms.saturating_add(self.reset_ms()))
        };
        let next = first.last_of_month().tomorrow().unwrap_or(first);
        Period {
            name: format!("{:04}-{:02}", first.year(), first.month()),
            begins: instant(first),
            ends: instant(next),
        }
    }

    fn reset_ms(&self) -> i64 {
        i64::try_from(self.reset_at.as_millis()).unwrap_or(0)
    }
}

/// The wall clock in Beijing at a moment.
fn civil(at: Timestamp) -> DateTime {
    let at = jiff::Timestamp::from_millisecond(at.milliseconds()).unwrap_or_default();
    BEIJING.to_datetime(at)
}

/// A moment for people, as clocks in Beijing show it.
pub(super) fn in_beijing(at: Timestamp) -> String {
    format!("{} (Beijing)", civil(at).strftime("%Y-%m-%d %H:%M:%S"))
}

/// A moment in Beijing, as RFC 3339 writes it: `2026-11-26T00:01:30+08:00`.
pub fn zoned(at: Timestamp) -> String {
    civil(at).strftime("%Y-%m-%dT%H:%M:%S+08:00").to_string()
}

/// The time of day in Beijing.
pub(super) fn time_of_day(at: Timestamp) -> Duration {
    let time = civil(at).time();
    let seconds = i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60;
    Duration::from_secs(u64::try_from(seconds + i64::from(time.second())).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        let at: jiff::Timestamp = text.parse().unwrap();
        Timestamp::from_milliseconds(at.as_millisecond())
    }

    #[test]
    fn a_day_begins_at_midnight_in_beijing_or_where_it_is_set() {
        let hours = |hours: u64| Calendar {
            reset_at: Duration::from_secs(3600 * hours),
            ..Calendar::default()
        };
        for (name, hour, now, day) in [
            (
                "before midnight",
                0,
                "2026-11-25T15:59:59.999Z",
                "2026-11-25",
            ),
            ("at midnight", 0, "2026-11-25T16:00:00Z", "2026-11-26"),
            (
                "in the morning",
                0,
                "2026-11-26T00:30:00+08:00",
                "2026-11-26",
            ),
            (
                "another zone's evening",
                0,
                "2026-11-25T20:00:00-05:00",
                "2026-11-26",
            ),
            ("the end of a year", 0, "2026-12-31T16:00:00Z", "2027-01-01"),
            (
                "before a later reset",
                6,
                "2026-11-26T05:59:59+08:00",
                "2026-11-25",
            ),
            (
                "at a later reset",
                6,
                "2026-11-26T06:00:00+08:00",
                "2026-11-26",
            ),
        ] {
            let period = hours(hour).period(Span::Day, at(now));
            assert_eq!(period.name, day, "{name}");
            assert!(period.has(at(now)), "{name}: {period:?}");
            let length = period.ends.since(period.begins);
            assert_eq!(length, Duration::from_secs(86_400), "{name}");
        }
    }

    #[test]
    fn a_month_begins_with_its_first_day_in_beijing() {
        for (now, month, next) in [
            (
                "2026-11-30T15:59:59Z",
                "2026-11",
                "2026-12-01T00:00:00+08:00",
            ),
            (
                "2026-11-30T16:00:00Z",
                "2026-12",
                "2027-01-01T00:00:00+08:00",
            ),
            (
                "2028-02-29T12:00:00+08:00",
                "2028-02",
                "2028-03-01T00:00:00+08:00",
            ),
        ] {
            let period = Calendar::default().period(Span::Month, at(now));
            assert_eq!(period.name, month);
            assert_eq!(period.ends, at(next));
            assert!(period.has(at(now)));
        }
    }

    #[test]
    fn no_moment_is_too_far() {
        for ms in [i64::MIN / 4, -1, 0, i64::MAX / 4] {
            let now = Timestamp::from_milliseconds(ms);
            let day = Calendar::default().period(Span::Day, now);
            assert!(day.has(now));
            drop(Calendar::default().period(Span::Month, now));
            drop((in_beijing(now), time_of_day(now)));
        }
    }
}
