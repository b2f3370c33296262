//! Hours of the day, of a time zone that is named: never of the machine's.

use std::fmt;

use jiff::civil::{Time, Weekday};
use jiff::tz::{Offset, TimeZone};

use crate::clock::Timestamp;

/// Hours in which a route takes pushes; made by [`between`], for [`Router::guard`](crate::dispatch::Router::guard).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    from: String,
    to: String,
    zone: String,
    weekdays_only: bool,
}

/// From the first time of day on, up to the second: `between("09:00", "18:00")`. Where the second is the
/// earlier one, over midnight: `between("22:00", "06:00")`.
///
/// The zone is `Asia/Shanghai` unless [`Hours::in_zone`] names another. What counts is when the attempt
/// begins. Times are written as `HH:MM`, from `00:00` to `24:00`; what cannot be read is reported at
/// start, with the routes.
pub fn between(from: impl Into<String>, to: impl Into<String>) -> Hours {
    Hours {
        from: from.into(),
        to: to.into(),
        zone: SHANGHAI.to_owned(),
        weekdays_only: false,
    }
}

/// Its offset is constant, so that it is known where no time zones are installed.
const SHANGHAI: &str = "Asia/Shanghai";
pub(crate) const SHANGHAI_OFFSET: Offset = Offset::constant(8);
const DAY_MINUTES: u16 = 24 * 60;

/// Why hours cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HoursError {
    /// One of the times is none of a day.
    #[error("{text:?} is no time of day: write hours and minutes, from \"00:00\" to \"24:00\"")]
    NotATime {
        /// What was written.
        text: String,
    },
    /// They end where they begin.
    #[error(
        "they end at {text:?}, where they begin: write \"00:00\" and \"24:00\" for the whole day"
    )]
    Empty {
        /// What was written twice.
        text: String,
    },
    /// The zone is not known on this machine.
    #[error(
        "the time zone {name:?} is not known here: is the name right, and are time zones installed (tzdata)?"
    )]
    Zone {
        /// What was written.
        name: String,
    },
}

impl Hours {
    /// In this time zone, by its name in the tz database: `Asia/Tokyo`.
    #[must_use]
    pub fn in_zone(mut self, name: impl Into<String>) -> Self {
        self.zone = name.into();
        self
    }

    /// From Monday to Friday. What lies after midnight counts to the day on which the hours began. Public
    /// holidays are not known here.
    #[must_use]
    pub fn on_weekdays(mut self) -> Self {
        self.weekdays_only = true;
        self
    }

    pub(super) fn read(&self) -> Result<OpenHours, HoursError> {
        let (from, to) = (minute_of_day(&self.from)?, minute_of_day(&self.to)?);
        if from == to {
            let text = self.from.clone();
            return Err(HoursError::Empty { text });
        }
        let zone = match self.zone.as_str() {
            SHANGHAI => TimeZone::fixed(SHANGHAI_OFFSET),
            name => TimeZone::get(name).map_err(|_| HoursError::Zone {
                name: name.to_owned(),
            })?,
        };
        Ok(OpenHours {
            from,
            to,
            zone,
            weekdays_only: self.weekdays_only,
        })
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weekdays = if self.weekdays_only {
            ", on weekdays"
        } else {
            ""
        };
        let Self { from, to, zone, .. } = self;
        write!(f, "between {from} and {to} in {zone}{weekdays}")
    }
}

/// Minutes since midnight of `09:00`; `24:00` is the day's end.
pub(crate) fn minute_of_day(text: &str) -> Result<u16, HoursError> {
    let not_a_time = || HoursError::NotATime {
        text: text.to_owned(),
    };
    if text == "24:00" {
        return Ok(DAY_MINUTES);
    }
    let time = match text.len() {
        5 => Time::strptime("%H:%M", text).map_err(|_| not_a_time())?,
        _ => return Err(not_a_time()),
    };
    Ok(minute(time))
}

fn minute(time: Time) -> u16 {
    u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs())
}

/// Hours that were read.
#[derive(Debug, Clone)]
pub(super) struct OpenHours {
    /// Minutes of the day: the first that is in.
    from: u16,
    /// The first that is out.
    to: u16,
    zone: TimeZone,
    weekdays_only: bool,
}

impl OpenHours {
    pub(super) fn has(&self, now: Timestamp) -> bool {
        let Ok(now) = jiff::Timestamp::from_millisecond(now.milliseconds()) else {
            return false;
        };
        let now = self.zone.to_datetime(now);
        let minute = minute(now.time());
        let weekday = now.date().weekday();
        let over_midnight = self.from > self.to;
        match over_midnight {
            false => self.from <= minute && minute < self.to && self.is_day(weekday),
            true if minute >= self.from => self.is_day(weekday),
            true => minute < self.to && self.is_day(weekday.previous()),
        }
    }

    fn is_day(&self, weekday: Weekday) -> bool {
        !self.weekdays_only || !matches!(weekday, Weekday::Saturday | Weekday::Sunday)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> Timestamp {
        let time: jiff::Timestamp = time.parse().unwrap();
        Timestamp::from_milliseconds(time.as_millisecond())
    }

    #[test]
    fn hours_begin_with_their_first_minute_and_end_before_their_last() {
        let office = between("09:00", "18:00").on_weekdays();
        let night = between("22:00", "06:00");
        let friday_night = between("22:00", "06:00").on_weekdays();
        let all_day = between("00:00", "24:00");
        let tokyo = between("09:00", "18:00").in_zone("Asia/Tokyo");
        // 2026-12-04 is a Friday.
        for (hours, time, expected) in [
            (&office, "2026-12-04T08:59:59+08:00", false),
            (&office, "2026-12-04T09:00:00+08:00", true),
            (&office, "2026-12-04T17:59:59+08:00", true),
            (&office, "2026-12-04T18:00:00+08:00", false),
            (&office, "2026-12-05T12:00:00+08:00", false),
            (&office, "2026-12-04T20:00:00Z", false),
            (&office, "2026-12-04T02:00:00Z", true),
            (&night, "2026-12-04T21:59:59+08:00", false),
            (&night, "2026-12-04T22:00:00+08:00", true),
            (&night, "2026-12-05T05:59:59+08:00", true),
            (&night, "2026-12-05T06:00:00+08:00", false),
            (&friday_night, "2026-12-05T05:00:00+08:00", true),
            (&friday_night, "2026-12-05T23:00:00+08:00", false),
            (&friday_night, "2026-12-07T05:00:00+08:00", false),
            (&all_day, "2026-12-05T23:59:59+08:00", true),
            (&tokyo, "2026-12-04T08:30:00+08:00", true),
            (&tokyo, "2026-12-04T17:30:00+08:00", false),
        ] {
            let open = hours.read().unwrap();
            assert_eq!(open.has(at(time)), expected, "{hours} at {time}");
        }
    }

    #[test]
    fn what_is_no_time_no_span_or_no_zone_is_named() {
        for text in ["9:00", "09:60", "25:00", "24:01", "0900", "09:0x", ""] {
            let expected = HoursError::NotATime {
                text: text.to_owned(),
            };
            assert_eq!(between(text, "18:00").read().unwrap_err(), expected);
            assert_eq!(between("08:00", text).read().unwrap_err(), expected);
        }
        let empty = between("09:00", "09:00").read().unwrap_err();
        assert!(matches!(empty, HoursError::Empty { .. }), "{empty}");
        let zone = between("09:00", "18:00").in_zone("Asia/Nowhere").read();
        assert!(matches!(zone, Err(HoursError::Zone { .. })));
    }
}
