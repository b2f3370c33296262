//! What a keeper knows, and what follows from it. Pure: both clocks are arguments.

use std::time::Duration;

use tokio::sync::watch;

use crate::secret::AccessToken;
use crate::token::budget::Budget;
use crate::token::lifetime::Lifetime;
use crate::token::request::Minted;
use crate::token::{CONFIRMED_FOR, Lease, Now, Outcome, TokenError};

/// A keeper's knowledge. Behind a lock that is never held while something is waited for.
#[derive(Debug, Default)]
pub(super) struct State {
    held: Option<Held>,
    failure: Option<Failure>,
    generation: u64,
    budget: Budget,
    /// The renewal under way.
    pub(super) renewal: Option<watch::Receiver<Option<Outcome>>>,
}

/// The token in hand.
#[derive(Debug)]
struct Held {
    lease: Lease,
    lifetime: Lifetime,
    asked: Now,
    /// When the platform gave this same token once more.
    confirmed_at: Option<Duration>,
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
    /// This token serves, and is to be renewed beside.
    Renewal(Lease),
    /// There is none that serves.
    Token,
}

impl State {
    /// What a caller needs now.
    pub(super) fn need(&self, now: Now) -> Need {
        match &self.held {
            Some(held) if held.is_usable(now.monotonic) => {
                let lease = held.lease.clone();
                if held.wants_renewal(now) && self.may_retry(now.monotonic) {
                    Need::Renewal(lease)
                } else {
                    Need::Nothing(lease)
                }
            }
            _ => Need::Token,
        }
    }

    /// Whether a usable token is in hand.
    pub(super) fn is_holding(&self, now: Duration) -> bool {
        self.held.as_ref().is_some_and(|held| held.is_usable(now))
    }

    /// The lease to use in place of a refused token, if the platform need not be asked for it.
    pub(super) fn judge(&self, failed: &AccessToken, now: Duration) -> Option<Lease> {
        let held = self.held.as_ref().filter(|held| held.is_usable(now))?;
        let is_current = held.lease.token.matches(failed.expose());
        let is_confirmed = held
            .confirmed_at
            .is_some_and(|at| now.saturating_sub(at) < CONFIRMED_FOR);
        (!is_current || is_confirmed).then(|| held.lease.clone())
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

    /// Whether the platform may be asked now. Takes a question out of the budget.
    pub(super) fn may_ask(&mut self, now: Duration) -> Result<(), TokenError> {
        if let Some(failure) = self.failure.as_ref().filter(|_| !self.may_retry(now)) {
            return Err(TokenError::Paused {
                retry_in: failure.until.saturating_sub(now),
                source: Box::new(failure.error.clone()),
            });
        }
        if self.budget.take(now) {
            Ok(())
        } else {
            Err(TokenError::TooOften)
        }
    }

    fn may_retry(&self, now: Duration) -> bool {
        self.failure
            .as_ref()
            .is_none_or(|failure| now >= failure.until)
    }

    /// Keeps what the platform gave. Says whether it is another token than before.
    pub(super) fn hold(&mut self, minted: Minted, asked: Now, now: Duration) -> (Lease, bool) {
        self.failure = None;
        let same = self
            .held
            .as_ref()
            .is_some_and(|held| held.lease.token.matches(minted.token.expose()));
        if !same {
            self.generation += 1;
        }
        let lease = Lease {
            token: minted.token,
            generation: self.generation,
        };
        self.held = Some(Held {
            lease: lease.clone(),
            lifetime: Lifetime::new(minted.lifetime),
            asked,
            confirmed_at: same.then_some(now),
        });
        (lease, !same)
    }

    /// Remembers a failure. Returns how long nothing is asked: twice as long after each one.
    pub(super) fn fail(&mut self, error: TokenError, now: Duration) -> Duration {
        let (first, longest) = error.pauses();
        let pause = match &self.failure {
            Some(earlier) => (earlier.pause * 2).clamp(first, longest),
            None => first,
        };
        self.failure = Some(Failure {
            error,
            until: now + pause,
            pause,
        });
        pause
    }
}

impl Held {
    /// By the clock that never jumps: a corrected wall clock must not make anybody wait.
    fn is_usable(&self, now: Duration) -> bool {
        self.lifetime
            .is_usable(now.saturating_sub(self.asked.monotonic))
    }

    /// By whichever clock says that more time has passed: the monotonic one stands still while a
    /// virtual machine sleeps, and asking too early harms nobody.
    fn wants_renewal(&self, now: Now) -> bool {
        let steady = now.monotonic.saturating_sub(self.asked.monotonic);
        let by_wall = u64::try_from(now.wall_ms.saturating_sub(self.asked.wall_ms)).unwrap_or(0);
        let age = steady.max(Duration::from_millis(by_wall));
        self.lifetime.wants_renewal(age, steady)
    }
}
