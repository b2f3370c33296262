//! What a keeper knows, and what follows from it. Pure: both clocks are arguments.

use std::time::Duration;

use tokio::sync::watch;

use crate::token::budget::Budget;
use crate::token::lifetime::Lifetime;
use crate::token::request::Minted;
use crate::token::{CONFIRMED_FOR, Lease, Now, Outcome, Suspect, TokenError};

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
                let lease = held.lease_at(now.monotonic);
                if held.wants_renewal(now) && self.may_retry(now.monotonic) {
                    Need::Renewal(lease)
                } else {
                    Need::Nothing(lease)
                }
            }
            _ => Need::Token,
        }
    }

    /// The token in hand, if it is usable.
    pub(super) fn held(&self, now: Duration) -> Option<Lease> {
        let held = self.held.as_ref().filter(|held| held.is_usable(now))?;
        Some(held.lease_at(now))
    }

    /// Whether a usable token is in hand.
    pub(super) fn is_holding(&self, now: Duration) -> bool {
        self.held.as_ref().is_some_and(|held| held.is_usable(now))
    }

    /// The lease to use in place of a refused token, if the platform need not be asked for it.
    pub(super) fn judge(&self, failed: &Suspect, now: Duration) -> Option<Lease> {
        let held = self.held.as_ref().filter(|held| held.is_usable(now))?;
        let is_current = failed.is(&held.lease);
        let is_confirmed = held
            .confirmed_at
            .is_some_and(|at| now.saturating_sub(at) < CONFIRMED_FOR);
        (!is_current || is_confirmed).then(|| held.lease_at(now))
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
            remaining: minted.lifetime,
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
    /// The lease as it is now.
    fn lease_at(&self, now: Duration) -> Lease {
        let age = now.saturating_sub(self.asked.monotonic);
        Lease {
            remaining: self.lease.remaining.saturating_sub(age),
            ..self.lease.clone()
        }
    }

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::platform::error::ErrorCode;
    use crate::platform::exchange::ExchangeError;
    use crate::secret::AccessToken;
    use crate::token::budget::BURST;

    #[derive(Debug, Clone)]
    enum Step {
        Pass(u64),
        JumpWall(i64),
        Use(Platform),
        Report { current: bool, then: Platform },
    }

    /// What the platform would answer if it were asked.
    #[derive(Debug, Clone)]
    enum Platform {
        Another(u64),
        TheSame(u64),
        WrongSecret,
        Busy,
    }

    fn platform() -> impl Strategy<Value = Platform> {
        prop_oneof![
            3 => (1u64..8000).prop_map(Platform::Another),
            1 => (1u64..8000).prop_map(Platform::TheSame),
            1 => Just(Platform::WrongSecret),
            1 => Just(Platform::Busy),
        ]
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            2 => (0u64..3000).prop_map(Step::Pass),
            1 => (-9000i64..9000).prop_map(Step::JumpWall),
            3 => platform().prop_map(Step::Use),
            2 => (any::<bool>(), platform())
                .prop_map(|(current, then)| Step::Report { current, then }),
        ]
    }

    /// A keeper without its threads, and what the platform knows.
    #[derive(Default)]
    struct World {
        state: State,
        monotonic: Duration,
        wall_ms: i64,
        minted: u64,
        /// The end of the last token's life.
        ends_at: Duration,
        asked: u64,
        barred_until: Duration,
        generation: u64,
    }

    impl World {
        fn now(&self) -> Now {
            Now {
                monotonic: self.monotonic,
                wall_ms: self.wall_ms,
            }
        }

        fn ask(&mut self, platform: &Platform) -> Option<Lease> {
            let now = self.monotonic;
            self.state.may_ask(now).ok()?;
            assert!(now >= self.barred_until, "asked while it was barred");
            self.asked += 1;
            let code = match platform {
                Platform::Another(seconds) => {
                    self.minted += 1;
                    return Some(self.take(*seconds));
                }
                Platform::TheSame(seconds) => return Some(self.take(*seconds)),
                Platform::WrongSecret => {
                    self.barred_until = now + Duration::from_secs(60);
                    40125
                }
                Platform::Busy => -1,
            };
            let error = TokenError::from_exchange(ExchangeError::Refused {
                code: ErrorCode(code),
                message: String::new(),
                rid: None,
            });
            let pause = self.state.fail(error, now);
            assert!(pause >= Duration::from_secs(1) && pause <= Duration::from_secs(600));
            None
        }

        fn take(&mut self, seconds: u64) -> Lease {
            let lifetime = Duration::from_secs(seconds);
            let token = AccessToken::new(format!("token-{}", self.minted));
            let now = self.now();
            self.ends_at = now.monotonic + lifetime;
            self.state
                .hold(Minted { token, lifetime }, now, now.monotonic)
                .0
        }

        fn check(&mut self, lease: &Lease) {
            let current = format!("token-{}", self.minted);
            assert!(lease.token.matches(&current), "an old token was served");
            assert!(self.monotonic < self.ends_at, "a dead token was served");
            assert!(
                lease.generation >= self.generation,
                "a generation came back"
            );
            self.generation = lease.generation;
        }

        fn play(&mut self, step: Step) {
            match step {
                Step::Pass(seconds) => {
                    self.monotonic += Duration::from_secs(seconds);
                    self.wall_ms += i64::try_from(seconds * 1000).unwrap();
                }
                Step::JumpWall(seconds) => self.wall_ms += seconds * 1000,
                Step::Use(platform) => match self.state.need(self.now()) {
                    Need::Nothing(lease) => self.check(&lease),
                    Need::Renewal(lease) => {
                        self.check(&lease);
                        self.ask(&platform);
                    }
                    Need::Token => {
                        if let Some(lease) = self.ask(&platform) {
                            self.check(&lease);
                        }
                    }
                },
                Step::Report { current, then } => {
                    let number = if current {
                        self.minted
                    } else {
                        self.minted + 7
                    };
                    let failed = Suspect::Token(AccessToken::new(format!("token-{number}")));
                    let lease = match self.state.judge(&failed, self.monotonic) {
                        Some(lease) => Some(lease),
                        None => self.ask(&then),
                    };
                    if let Some(lease) = lease {
                        self.check(&lease);
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_happens_only_the_newest_living_token_is_served_and_the_platform_is_spared(
            steps in proptest::collection::vec(step(), 1..200),
        ) {
            let mut world = World::default();
            for step in steps {
                world.play(step);
                prop_assert!(world.asked <= u64::from(BURST) + world.monotonic.as_secs());
            }
        }
    }
}
