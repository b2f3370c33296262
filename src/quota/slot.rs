//! One key of one account: its limits, its count in this period, its pace. Pure: time is an argument.

use std::time::Duration;

use super::calendar::{Calendar, Period};
use super::count::{Count, LARGEST_BLOCK, Store, Took};
use super::exhausted::Limit;
use super::figures::Figures;
use super::key::{QuotaKey, Span};
use super::pace::{Pace, Rate};
use super::status::LimitFrom;
use super::{Now, Purpose};
use crate::clock::Timestamp;
use crate::store::counters::{MOST, Reservation, Reserved};

/// How long a store that failed is left alone.
pub const STORE_PAUSE: Duration = Duration::from_secs(5);

/// How often the store is asked whether what is used up was set anew by somebody.
pub const RECHECK: Duration = Duration::from_secs(5);

/// How long after its first use a key is asked about: a start is a busy moment.
pub const FIRST_ASK: Duration = Duration::from_secs(20);

/// Hundredths of a limit at which something is said, once each.
const THRESHOLDS: [u64; 3] = [70, 90, 100];

/// What holds for a key, whatever happens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) key: QuotaKey,
    pub(super) calendar: Calendar,
    pub(super) published: Option<u64>,
    pub(super) set: Option<u64>,
    pub(super) per_minute: Option<u64>,
    pub(super) reserve_percent: u8,
    pub(super) ask_every: Duration,
}

/// What becomes of a wish for a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Taken,
    Refused {
        limit: Limit,
        returns_at: Timestamp,
    },
    /// The store must be asked first, about this period.
    Ask(String, Reservation),
}

/// A threshold that was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) percent: u64,
    pub(super) used: u64,
    pub(super) limit: u64,
}

/// What the platform's numbers change in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    Nothing,
    /// The store is to be told the news.
    Raise,
    /// The count of this period is to be set anew, if it is still `expected`.
    Lower {
        period: String,
        expected: u64,
        new: u64,
    },
}

/// The state of one key.
#[derive(Debug)]
pub(super) struct State {
    rules: Rules,
    period: Period,
    count: Count,
    pace: Pace,
    /// The platform's numbers, and when they were asked for.
    figures: Option<(Figures, Timestamp)>,
    /// The limit that the platform's refusal showed, where no other is known.
    found: Option<u64>,
    verdict_at: Option<Timestamp>,
    /// What was used up when the period began stays closed until then.
    held_until: Timestamp,
    /// The platform said that the month is used up.
    month_closed_until: Timestamp,
    warned: u64,
    store_answered_at: Option<Duration>,
    store_away_until: Option<Duration>,
    used_since: Option<Duration>,
    asked_at: Option<Duration>,
    /// The platform has no numbers of this key.
    is_unanswerable: bool,
}

impl State {
    pub(super) fn new(rules: Rules, now: Now) -> Self {
        let minute = |calls| Rate {
            calls,
            per: Duration::from_secs(60),
        };
        Self {
            rules,
            period: rules.calendar.period(rules.key.span(), now.wall),
            count: Count::default(),
            pace: Pace::new(rules.per_minute.map(minute)),
            figures: None,
            found: None,
            verdict_at: None,
            held_until: Timestamp::default(),
            month_closed_until: Timestamp::default(),
            warned: 0,
            store_answered_at: None,
            store_away_until: None,
            used_since: None,
            asked_at: None,
            is_unanswerable: false,
        }
    }

    /// Counts one call. `may_ask` is false for one who has just asked, or cannot.
    pub(super) fn take(&mut self, now: Now, purpose: Purpose, may_ask: bool) -> Step {
        self.roll(now.wall);
        if let Some(refused) = self.closed(now) {
            return refused;
        }
        let store = match self.store_answered_at {
            _ if !may_ask || self.is_store_away(now) => Store::Away,
            Some(at) if now.monotonic.saturating_sub(at) < RECHECK => Store::Near,
            _ => Store::Due,
        };
        match self.count.take(self.ceiling(purpose), store) {
            Took::Taken => {
                self.pace.note(now.monotonic);
                self.used_since.get_or_insert(now.monotonic);
                Step::Taken
            }
            Took::Ask(asked) => Step::Ask(self.period.name.clone(), asked),
            Took::Full => Step::Refused {
                limit: self.limit_met(),
                returns_at: self.returns_at(),
            },
        }
    }

    /// Counts one call that is made whatever the limits say. Says whether the store is to be told.
    pub(super) fn note(&mut self, now: Now) -> bool {
        self.roll(now.wall);
        self.count.note();
        self.pace.note(now.monotonic);
        self.used_since.get_or_insert(now.monotonic);
        self.count.has_news() && !self.is_store_away(now)
    }

    /// What refuses a call whatever the count is.
    fn closed(&mut self, now: Now) -> Option<Step> {
        let refused = |limit, returns_at| Some(Step::Refused { limit, returns_at });
        if now.wall < self.held_until {
            return refused(self.span_limit(), self.held_until);
        }
        if now.wall < self.month_closed_until {
            return refused(Limit::Month, self.month_closed_until);
        }
        let wait = self.pace.wait(now.monotonic);
        if !wait.is_zero() {
            return refused(Limit::Minute, now.wall.after(wait));
        }
        None
    }

    fn limit_met(&self) -> Limit {
        match self.limit() {
            Some((limit, _)) if self.count.used() < limit => Limit::Reserve,
            _ => self.span_limit(),
        }
    }

    fn span_limit(&self) -> Limit {
        match self.rules.key.span() {
            Span::Day => Limit::Day,
            Span::Month => Limit::Month,
        }
    }

    fn returns_at(&self) -> Timestamp {
        self.period.ends.after(self.rules.calendar.grace)
    }

    fn ceiling(&self, purpose: Purpose) -> u64 {
        let Some((limit, _)) = self.limit() else {
            return MOST;
        };
        match (purpose, self.rules.key.span()) {
            (Purpose::Bulk, Span::Day) => {
                limit - limit.saturating_mul(u64::from(self.rules.reserve_percent)) / 100
            }
            _ => limit,
        }
    }

    /// The limit that holds, and who says so.
    pub(super) fn limit(&self) -> Option<(u64, LimitFrom)> {
        let told = self.figures.and_then(|(figures, _)| figures.daily_limit);
        let told = told.filter(|_| self.rules.key.span() == Span::Day);
        let known = told
            .map(|limit| (limit, LimitFrom::Platform))
            .or(self
                .rules
                .published
                .map(|limit| (limit, LimitFrom::Published)))
            .or(self.found.map(|limit| (limit, LimitFrom::Refusal)));
        match (self.rules.set, known) {
            (Some(set), Some((limit, from))) if limit < set => Some((limit, from)),
            (Some(set), _) => Some((set, LimitFrom::Setting)),
            (None, known) => known,
        }
    }

    /// Goes on to the period of this moment.
    pub(super) fn roll(&mut self, now: Timestamp) {
        if self.period.has(now) {
            return;
        }
        let next = self.rules.calendar.period(self.rules.key.span(), now);
        let was_full = self.period.ends == next.begins && self.is_full();
        self.period = next;
        self.hold(was_full);
        self.count = Count::default();
        (self.found, self.verdict_at, self.warned) = (None, None, 0);
        (self.store_answered_at, self.used_since) = (None, None);
        self.is_unanswerable = false;
    }

    /// What was used up when the period began stays closed for the grace.
    pub(super) fn hold(&mut self, was_full: bool) {
        self.held_until = match was_full {
            true => self.period.begins.after(self.rules.calendar.grace),
            false => Timestamp::default(),
        };
    }

    pub(super) fn is_full(&self) -> bool {
        let full = |(limit, _)| self.count.used() >= limit;
        self.limit().is_some_and(full)
    }

    /// The highest threshold that was passed since the last look.
    pub(super) fn passed(&mut self) -> Option<Passed> {
        let (limit, _) = self.limit()?;
        let used = self.count.used();
        let reached = |percent: &u64| used.saturating_mul(100) >= limit.saturating_mul(*percent);
        let percent = THRESHOLDS.into_iter().rev().find(reached).unwrap_or(0);
        let is_new = percent > self.warned && limit > 0;
        self.warned = self.warned.max(percent);
        is_new.then_some(Passed {
            percent,
            used,
            limit,
        })
    }

    /// The store's answer, or its failure; says whether that is a change.
    pub(super) fn answered(
        &mut self,
        (period, asked): (&str, Reservation),
        answer: Option<Reserved>,
        now: Now,
    ) -> bool {
        let was_away = self.store_away_until.is_some();
        match answer {
            Some(reserved) => {
                self.store_away_until = None;
                if self.period.name == period {
                    self.count.reserved(asked, reserved);
                    self.store_answered_at = Some(now.monotonic);
                }
                was_away
            }
            None => {
                self.store_away_until = Some(now.monotonic + STORE_PAUSE);
                !was_away
            }
        }
    }

    /// Whether the store failed when it was last asked.
    pub(super) fn store_failed(&self) -> bool {
        self.store_away_until.is_some()
    }

    fn is_store_away(&self, now: Now) -> bool {
        self.store_away_until
            .is_some_and(|until| now.monotonic < until)
    }

    /// What was taken was surely not used.
    pub(super) fn put_back(&mut self, now: Now) {
        self.roll(now.wall);
        self.count.put_back();
    }

    /// The platform said that the day, or the month of a monthly key, is used up. Says whether the store
    /// is to know it.
    pub(super) fn exhausted(&mut self, now: Now) -> bool {
        self.roll(now.wall);
        let begun = self.period.begins.after(self.rules.calendar.grace);
        if now.wall < begun && self.rules.key.span() == Span::Day {
            // It speaks of the day that has just ended.
            self.held_until = begun;
            return false;
        }
        self.verdict_at = Some(now.wall);
        match self.limit() {
            Some((limit, _)) => self.count.exhaust(limit),
            // What was used is the limit, then; other processes find it as this one did.
            None => self.found = Some(self.count.used().max(1)),
        }
        self.count.has_news()
    }

    /// The platform said that the month is used up, whatever the day.
    pub(super) fn month_is_used_up(&mut self, now: Now) {
        let month = self.rules.calendar.period(Span::Month, now.wall);
        self.month_closed_until = month.ends.after(self.rules.calendar.grace);
    }

    /// The platform said that the minute is used up.
    pub(super) fn minute_is_used_up(&mut self, now: Now, jitter: Duration) {
        let into_minute = now.wall.milliseconds().rem_euclid(60_000).unsigned_abs();
        let rest = Duration::from_millis(60_000 - into_minute);
        self.pace.refused(now.monotonic, rest + jitter);
    }

    /// The platform's numbers, asked for at `asked_at`. Its answer wins: upwards at once, downwards only
    /// beyond what it may be wrong by, and never for a day that is not this one.
    pub(super) fn learned(&mut self, figures: Figures, asked_at: Timestamp, now: Now) -> Change {
        self.roll(now.wall);
        self.pace.state(figures.rate);
        self.figures = Some((figures, asked_at));
        let begun = self.period.begins.after(self.rules.calendar.grace);
        let is_today = self.period.has(asked_at) && asked_at >= begun;
        let Some(limit) = figures.daily_limit.filter(|_| is_today) else {
            return Change::Nothing;
        };
        let used = match figures.remain {
            0 => figures.used.max(limit),
            _ => figures.used.min(MOST),
        };
        if used > self.count.used() {
            self.count.raise(used);
            return Change::Raise;
        }
        // Its numbers are about a percent wrong, and blocks of other processes count as spent here.
        let margin = limit / 100 + 2 * (limit / 1000).clamp(1, LARGEST_BLOCK);
        let is_late = self.verdict_at.is_some_and(|at| at >= asked_at);
        if used.saturating_add(margin) >= self.count.used() || is_late || self.count.has_news() {
            return Change::Nothing;
        }
        Change::Lower {
            period: self.period.name.clone(),
            expected: self.count.total(),
            new: used + margin + self.count.left(),
        }
    }

    /// The count of this period was set anew in the store; our block is still part of it.
    pub(super) fn lowered(&mut self, period: &str, total: u64) {
        if self.period.name == period {
            self.count.set(total, self.count.left());
            self.verdict_at = None;
            self.warned = 0;
            let _ = self.passed();
        }
    }

    /// The platform has no numbers of this key.
    pub(super) fn is_not_known_there(&mut self) {
        self.is_unanswerable = true;
    }

    /// The platform's counts were reset: what we hold counts against nothing any more.
    pub(super) fn cleared(&mut self, now: Now) {
        self.roll(now.wall);
        self.count.set(0, 0);
        self.pace.cleared();
        self.hold(false);
        (self.found, self.verdict_at, self.warned) = (None, None, 0);
        self.month_closed_until = Timestamp::default();
    }

    /// The store's list has so much of it.
    pub(super) fn listed(&mut self, period: &str, total: u64, now: Now) {
        self.roll(now.wall);
        if self.period.name == period && total > 0 {
            self.count.listed(total);
            self.used_since.get_or_insert(now.monotonic);
        }
    }

    /// Whether the platform is to be asked about this key; if so, it counts as asked.
    pub(super) fn is_due(&mut self, now: Now) -> bool {
        self.roll(now.wall);
        let due_at = match (self.asked_at, self.used_since) {
            (_, None) => return false,
            (Some(asked), Some(_)) => asked + self.rules.ask_every,
            (None, Some(since)) => since + FIRST_ASK,
        };
        let is_due =
            now.monotonic >= due_at && !self.is_unanswerable && self.rules.key.span() == Span::Day;
        if is_due {
            self.asked_at = Some(now.monotonic);
        }
        is_due
    }

    pub(super) fn period(&self) -> &Period {
        &self.period
    }

    pub(super) fn count(&self) -> &Count {
        &self.count
    }

    pub(super) fn take_block(&mut self) -> u64 {
        self.count.take_block()
    }

    pub(super) fn figures(&self) -> Option<&(Figures, Timestamp)> {
        self.figures.as_ref()
    }

    pub(super) fn rate(&self, now: Now) -> Option<Rate> {
        self.pace.rate(now.monotonic)
    }

    /// Which limit refuses interactive calls now, and until when.
    pub(super) fn obstacle(&mut self, now: Now) -> Option<(Limit, Timestamp)> {
        self.roll(now.wall);
        match self.closed(now) {
            Some(Step::Refused { limit, returns_at }) => Some((limit, returns_at)),
            _ => self
                .is_full()
                .then(|| (self.span_limit(), self.returns_at())),
        }
    }
}
