//! When an account is open, by the wall clock of one place.

use std::ops::Range;

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::Offset;

use crate::clock::Timestamp;
use crate::dispatch::router::{SHANGHAI_OFFSET, minute_of_day};

/// Whether a rule is meant while the account is open, or while it is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Open,
    Closed,
}

/// Opening hours: minutes of the day, by weekday.
#[derive(Debug, Clone)]
pub(super) struct Calendar {
    pub(super) offset: Offset,
    pub(super) open: Vec<(Weekday, Range<i32>)>,
    /// Days on which nobody is there.
    pub(super) closed: Vec<Date>,
}

impl Default for Calendar {
    fn default() -> Self {
        Self {
            offset: SHANGHAI_OFFSET,
            open: Vec::new(),
            closed: Vec::new(),
        }
    }
}

impl Calendar {
    pub(super) fn is(&self, when: When, at: Timestamp) -> bool {
        self.is_open(at) == (when == When::Open)
    }

    fn is_open(&self, at: Timestamp) -> bool {
        let Ok(at) = jiff::Timestamp::from_millisecond(at.milliseconds()) else {
            return false;
        };
        let local = self.offset.to_datetime(at);
        let minute = i32::from(local.hour()) * 60 + i32::from(local.minute());
        let is_now = |(day, minutes): &(Weekday, Range<i32>)| {
            *day == local.weekday() && minutes.contains(&minute)
        };
        !self.closed.contains(&local.date()) && self.open.iter().any(is_now)
    }

    /// The moment of a local date and time.
    pub(super) fn moment(&self, local: DateTime) -> Option<Timestamp> {
        let at = self.offset.to_timestamp(local).ok()?;
        Some(Timestamp::from_milliseconds(at.as_millisecond()))
    }
}

const DAYS: [(&str, Weekday); 7] = [
    ("Mon", Weekday::Monday),
    ("Tue", Weekday::Tuesday),
    ("Wed", Weekday::Wednesday),
    ("Thu", Weekday::Thursday),
    ("Fri", Weekday::Friday),
    ("Sat", Weekday::Saturday),
    ("Sun", Weekday::Sunday),
];

/// Reads `Mon-Fri 09:00-18:00`, `Sat,Sun 10:00-16:00` or `daily 00:00-24:00`.
pub(super) fn parse_open(text: &str) -> Option<Vec<(Weekday, Range<i32>)>> {
    let (days, times) = text.trim().split_once(char::is_whitespace)?;
    let (from, until) = times.trim().split_once('-')?;
    let minutes = minute(from)?..minute(until)?;
    if minutes.is_empty() {
        return None;
    }
    let mut open = Vec::new();
    for part in days.split(',') {
        let found: Vec<Weekday> = match part.split_once('-') {
            _ if part == "daily" => DAYS.iter().map(|(_, day)| *day).collect(),
            None => vec![DAYS[day(part)?].1],
            Some((first, last)) => {
                let (first, last) = (day(first)?, day(last)?);
                let days = DAYS.get(first..=last)?;
                days.iter().map(|(_, day)| *day).collect()
            }
        };
        open.extend(found.into_iter().map(|day| (day, minutes.clone())));
    }
    Some(open)
}

fn day(text: &str) -> Option<usize> {
    DAYS.iter()
        .position(|(name, _)| name.eq_ignore_ascii_case(text))
}

/// Minutes since midnight; 24:00 is the day's end. The hour may have one digit.
fn minute(text: &str) -> Option<i32> {
    let text = text.trim();
    let padded = match text.len() {
        4 => format!("0{text}"),
        _ => text.to_owned(),
    };
    minute_of_day(&padded).ok().map(i32::from)
}

/// Reads `+08:00`.
pub(super) fn parse_offset(text: &str) -> Option<Offset> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let minutes = minute(rest)?;
    Offset::from_seconds(sign * minutes * 60).ok()
}
