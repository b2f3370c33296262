//! What a keeper knows, and what follows from it. Pure: both clocks are arguments.

use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Timestamp;
use crate::store::tokens::{NewToken, TokenKind, TokenRecord};
use crate::token::budget::{Budget, Limits};
use crate::token::lifetime::{ALARM_REMAINDER, HEARTBEAT, LAST_TURN, LONGEST_LOOK, Lifetime, Turn};
use crate::token::mint::Minted;
use crate::token::{CONFIRMED_FOR, Lease, Now, Outcome, Suspect, TokenError};

/// How often the store is looked at while there is no token and renewals are barred.
const LOOK_WHILE_BARRED: Duration = Duration::from_secs(1);

/// How often a store that does not answer is tried again beside the use of a token.
const LOOK_WHILE_AWAY: Duration = Duration::from_secs(1);

/// The shortest pause between two looks of the keeper's own task.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// A ticket that the platform has just given as current is good for so long, however old it seems.
const CURRENT_TICKET: Duration = Duration::from_secs(15);

/// A keeper's knowledge. Behind a lock that is never held while something is waited for.
#[derive(Debug)]
pub(super) struct State {
    kind: TokenKind,
    held: Option<Held>,
    failure: Option<Failure>,
    /// The newest generation that was ever seen.
    newest: watch::Sender<u64>,
    budget: Budget,
    /// When the store was last looked at.
    looked_at: Option<Duration>,
    /// When a look at the store last failed.
    missed_at: Option<Duration>,
    /// The generation whose late renewal was told.
    alarmed: u64,
    /// Whether the store did not answer the last time.
    pub(super) store_is_away: bool,
    /// Where this process stands among those of the account.
    pub(super) turn: Turn,
    /// The renewal under way.
    pub(super) renewal: Option<watch::Receiver<Option<Outcome>>>,
}

/// The token in hand.
#[derive(Debug)]
struct Held {
    record: TokenRecord,
    lifetime: Lifetime,
    /// When it came into this hand, and its age at that moment, counted from the question.
    since: Now,
    age_then: Duration,
    /// Whether this process asked the platform for it.
    is_own: bool,
}

/// The last renewal, when it failed.
#[derive(Debug)]
struct Failure {
    error: TokenError,
    until: Duration,
    pause: Duration,
}

/// What a caller needs.
#[derive(Debug)]
pub(super) enum Need {
    /// This token serves.
    Nothing(Lease),
    /// This token serves, and this is to be done beside.
    Beside(Lease, Wish),
    /// There is none that serves.
    Token,
}

/// What a renewal is to bring about. Fulfilled by whatever another process did already.
#[derive(Debug, Clone)]
pub(super) enum Wish {
    /// A token that may be used.
    Use,
    /// One that is not due to be renewed.
    Renew,
    /// One that the platform gave within this time.
    Confirm(Duration),
    /// One in place of this one, unless the platform insists on it.
    Replace(Suspect),
    /// One that was asked for after this moment.
    Since(Timestamp),
}

impl Wish {
    /// Why the platform is asked, for people.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Use => "no token was there",
            Self::Renew => "the token was soon to end",
            Self::Confirm(_) => "to see that the platform answers",
            Self::Replace(_) => "the platform refused the token",
            Self::Since(_) => "an answer had come too late to be stored",
        }
    }
}

impl State {
    /// Knows nothing yet.
    pub(super) fn new(kind: TokenKind) -> Self {
        Self {
            kind,
            held: None,
            failure: None,
            newest: watch::Sender::new(0),
            budget: Budget::new(Limits::of(kind)),
            looked_at: None,
            missed_at: None,
            alarmed: 0,
            store_is_away: false,
            turn: 0,
            renewal: None,
        }
    }

    /// What a caller needs now.
    pub(super) fn need(&self, now: Now) -> Need {
        let Some((held, lease)) = self.usable(now.monotonic) else {
            return Need::Token;
        };
        // In turn it is the keepers' own tasks that renew; a caller sees to it when none of them did.
        if held.wants_renewal(now, LAST_TURN) && self.may_retry(now.monotonic) {
            Need::Beside(lease, Wish::Renew)
        } else if self.look_is_due(held, now.monotonic) {
            Need::Beside(lease, Wish::Use)
        } else {
            Need::Nothing(lease)
        }
    }

    fn usable(&self, now: Duration) -> Option<(&Held, Lease)> {
        let held = self.held.as_ref().filter(|held| held.is_usable(now))?;
        Some((held, held.lease(now)))
    }

    fn look_is_due(&self, held: &Held, now: Duration) -> bool {
        let after = held.lifetime.look_after(held.age(now));
        let is_over =
            |at: Option<Duration>, pause| at.is_none_or(|at| now.saturating_sub(at) >= pause);
        is_over(self.looked_at, after) && is_over(self.missed_at, LOOK_WHILE_AWAY)
    }

    /// Remembers that the store did not answer: not every use of the token is to try it again.
    pub(super) fn miss(&mut self, now: Duration) {
        self.missed_at = Some(now);
    }

    /// The token in hand, if it is usable.
    pub(super) fn lease(&self, now: Duration) -> Option<Lease> {
        self.usable(now).map(|(_, lease)| lease)
    }

    /// Tells each newest generation.
    pub(super) fn generations(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// The record in hand, usable or not.
    pub(super) fn record(&self) -> Option<&TokenRecord> {
        self.held.as_ref().map(|held| &held.record)
    }

    /// Whether the record in hand was asked for by this process.
    pub(super) fn is_own(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.is_own)
    }

    /// The lease with which a wish is fulfilled, if the platform need not be asked for it.
    pub(super) fn fulfilled(&self, wish: &Wish, now: Now) -> Option<Lease> {
        let (held, lease) = self.usable(now.monotonic)?;
        let age = held.age(now.monotonic);
        let is_fulfilled = match wish {
            Wish::Use => true,
            Wish::Renew => !held.wants_renewal(now, self.turn),
            Wish::Confirm(within) => age < *within,
            Wish::Replace(failed) => {
                let confirmed = held.record.confirmed_at > held.record.obtained_at;
                !failed.is(&lease) || (confirmed && age < CONFIRMED_FOR)
            }
            Wish::Since(moment) => held.record.confirmed_at > *moment,
        };
        is_fulfilled.then_some(lease)
    }

    /// The renewal under way, if it was not broken off.
    pub(super) fn renewal_under_way(&mut self) -> Option<watch::Receiver<Option<Outcome>>> {
        let broken_off = self
            .renewal
            .as_ref()
            .is_some_and(|waiting| waiting.has_changed().is_err());
        if broken_off {
            self.renewal = None;
        }
        self.renewal.clone()
    }

    /// Whether it makes sense to begin a renewal: not while they are barred and the store was looked
    /// at a moment ago.
    pub(super) fn may_begin(&self, now: Duration) -> Result<(), TokenError> {
        let looked = self
            .looked_at
            .is_some_and(|at| now.saturating_sub(at) < LOOK_WHILE_BARRED);
        if looked { self.barred(now) } else { Ok(()) }
    }

    /// The last failure, while it bars further questions.
    pub(super) fn barred(&self, now: Duration) -> Result<(), TokenError> {
        match &self.failure {
            Some(failure) if now < failure.until => Err(TokenError::Paused {
                retry_in: failure.until.saturating_sub(now),
                source: Box::new(failure.error.clone()),
            }),
            _ => Ok(()),
        }
    }

    /// Takes a question to the platform out of the budget.
    pub(super) fn may_ask(&mut self, now: Duration) -> Result<(), TokenError> {
        if self.budget.take(now) {
            Ok(())
        } else {
            Err(TokenError::TooOften)
        }
    }

    /// How many questions were asked today, and how many may be.
    pub(super) fn asked(&self, now: Duration) -> (u32, u32) {
        self.budget.asked(now)
    }

    /// The part of the day's questions, in percent, that was just passed and is to be told.
    pub(super) fn passed(&mut self) -> Option<u32> {
        self.budget.passed()
    }

    fn may_retry(&self, now: Duration) -> bool {
        self.barred(now).is_ok()
    }

    /// What the store is to keep of what the platform gave.
    pub(super) fn new_token(&self, minted: Minted, asked: Now, by: &str) -> NewToken {
        let asked_at = Timestamp::from_milliseconds(asked.wall_ms);
        let lifetime = self.believed(&minted, asked);
        NewToken {
            token: minted.token,
            asked_at,
            expires_at: asked_at.after(lifetime),
            known: *self.newest.borrow(),
            by: by.to_owned(),
        }
    }

    /// Of a ticket that is given again the platform says a whole life again; its life counts from
    /// when it was first seen.
    fn believed(&self, minted: &Minted, asked: Now) -> Duration {
        let known = self
            .held
            .as_ref()
            .filter(|held| self.kind.is_ticket() && held.record.token == minted.token);
        known.map_or(minted.lifetime, |held| {
            let remaining = held.lifetime.remaining(held.age(asked.monotonic));
            remaining.max(CURRENT_TICKET).min(minted.lifetime)
        })
    }

    /// Keeps what the platform gave. Says whether it is another token than before.
    pub(super) fn hold(&mut self, record: TokenRecord, asked: Now, now: Now) -> (Lease, bool) {
        let generation = self.record().map(|held| held.generation);
        let is_new = generation != Some(record.generation);
        self.failure = None;
        self.looked_at = Some(now.monotonic);
        let age = now.monotonic.saturating_sub(asked.monotonic);
        let lease = self.put(record, now, age, true);
        (lease, is_new)
    }

    /// Compares with what the store holds, and takes what is newer. Returns what the store lacks.
    pub(super) fn compare(&mut self, found: Option<TokenRecord>, now: Now) -> Option<TokenRecord> {
        self.looked_at = Some(now.monotonic);
        let held = self.held.as_ref();
        let usable = held.filter(|held| held.is_usable(now.monotonic));
        let Some(found) = found else {
            return usable.map(|held| held.record.clone());
        };
        if let Some(own) = usable.filter(|held| held.record.generation > found.generation) {
            return Some(own.record.clone());
        }
        // By the clock that never jumps the one in hand is known better.
        if held.is_none_or(|held| held.record != found) {
            let whole = found.expires_at.since(found.confirmed_at);
            let wall = Timestamp::from_milliseconds(now.wall_ms);
            let remaining = found.expires_at.since(wall).min(whole);
            self.put(found, now, whole - remaining, false);
            if self.lease(now.monotonic).is_some() {
                self.failure = None;
            }
        }
        None
    }

    fn put(&mut self, record: TokenRecord, now: Now, age: Duration, is_own: bool) -> Lease {
        self.newest.send_if_modified(|newest| {
            let is_newer = record.generation > *newest;
            *newest = record.generation.max(*newest);
            is_newer
        });
        let whole = record.expires_at.since(record.confirmed_at);
        let held = Held {
            lifetime: Lifetime::new(whole, self.kind),
            record,
            since: now,
            age_then: age,
            is_own,
        };
        let lease = held.lease(now.monotonic);
        self.held = Some(held);
        lease
    }

    /// Remembers a failure. Returns how long nothing is asked: twice as long after each one.
    pub(super) fn fail(&mut self, error: TokenError, now: Duration) -> Duration {
        let earlier = self.failure.as_ref().map(|earlier| earlier.pause);
        let pause = error.pause_after(earlier);
        self.failure = Some(Failure {
            error,
            until: now + pause,
            pause,
        });
        pause
    }

    /// The last failure, if no renewal went well since.
    pub(super) fn last_failure(&self) -> Option<&TokenError> {
        self.failure.as_ref().map(|failure| &failure.error)
    }

    /// What the keeper's own task is to do now. Nobody waits for it.
    pub(super) fn due(&self, now: Now) -> Wish {
        match &self.held {
            Some(held) if !self.may_retry(now.monotonic) || !held.is_usable(now.monotonic) => {
                Wish::Use
            }
            Some(held) if held.wants_renewal(now, self.turn) => Wish::Renew,
            Some(held) if held.lifetime.wants_heartbeat(held.age(now.monotonic)) => {
                Wish::Confirm(HEARTBEAT)
            }
            _ => Wish::Use,
        }
    }

    /// How long the keeper's own task may sleep.
    pub(super) fn pause(&self, now: Now) -> Duration {
        let Some(held) = &self.held else {
            return LONGEST_LOOK;
        };
        let age = held.age(now.monotonic);
        let renewal = held.lifetime.renewal_age(self.turn);
        let until = match renewal.checked_sub(age) {
            Some(until) if !until.is_zero() => until,
            _ => held.lifetime.pause(),
        };
        let barred = match &self.failure {
            Some(failure) => failure.until.saturating_sub(now.monotonic),
            None => Duration::ZERO,
        };
        until.max(barred).clamp(SHORTEST_PAUSE, LONGEST_LOOK)
    }

    /// Whether it is to be told, once, that a token nears its end and is not replaced.
    pub(super) fn alarm(&mut self, now: Duration) -> Option<Duration> {
        let held = self.held.as_ref()?;
        let remaining = held.lifetime.remaining(held.age(now));
        let generation = held.record.generation;
        let is_late = remaining < ALARM_REMAINDER && held.age(now) >= held.lifetime.renewal_age(0);
        if !is_late || self.alarmed == generation {
            return None;
        }
        self.alarmed = generation;
        Some(remaining)
    }
}

impl Held {
    fn age(&self, now: Duration) -> Duration {
        self.age_then + now.saturating_sub(self.since.monotonic)
    }

    fn lease(&self, now: Duration) -> Lease {
        Lease {
            token: self.record.token.clone(),
            generation: self.record.generation,
            remaining: self.lifetime.remaining(self.age(now)),
        }
    }

    /// By the clock that never jumps: a corrected wall clock must not make anybody wait.
    fn is_usable(&self, now: Duration) -> bool {
        self.lifetime.is_usable(self.age(now))
    }

    /// By whichever clock says that more time has passed: the monotonic one stands still while a
    /// virtual machine sleeps, and asking too early costs one question.
    fn wants_renewal(&self, now: Now, turn: Turn) -> bool {
        let steady = self.age(now.monotonic);
        let by_wall = u64::try_from(now.wall_ms.saturating_sub(self.since.wall_ms)).unwrap_or(0);
        let by_wall = self.age_then + Duration::from_millis(by_wall);
        self.lifetime
            .wants_renewal(steady.max(by_wall), steady, turn)
    }
}

#[cfg(test)]
mod tests;
