//! Random steps against a keeper's knowledge, its store and a platform.

use proptest::prelude::*;

use super::*;
use crate::platform::error::ErrorCode;
use crate::platform::exchange::ExchangeError;
use crate::secret::AccessToken;

#[derive(Debug, Clone)]
enum Step {
    Pass(u64),
    JumpWall(i64),
    Use(Platform),
    Report {
        current: bool,
        then: Platform,
    },
    /// The process ends and starts again with what the store has.
    Restart,
    /// Another process looks, and asks if it must.
    Other(Platform),
    /// The store loses everything.
    Flush,
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
        1 => Just(Step::Restart),
        2 => platform().prop_map(Step::Other),
        1 => Just(Step::Flush),
    ]
}

/// Two keepers without their threads, their store, and what the platform knows.
struct World {
    own: State,
    other: State,
    stored: Option<TokenRecord>,
    now: Now,
    minted: u64,
    /// The end of the last token's life, by the clock that never jumps.
    ends_at: Duration,
    asked: u64,
    generation: u64,
    /// Processes that were started: each has a budget of its own.
    starts: u64,
    /// A store that lost everything and a clock that was set back are survived, but not both.
    was_flushed: bool,
    was_set_back: bool,
}

impl Default for World {
    fn default() -> Self {
        Self {
            own: State::new(TokenKind::Stable),
            other: State::new(TokenKind::Stable),
            stored: None,
            now: Now {
                monotonic: Duration::ZERO,
                wall_ms: 1_700_000_000_000,
            },
            minted: 0,
            ends_at: Duration::ZERO,
            asked: 0,
            generation: 0,
            starts: 2,
            was_flushed: false,
            was_set_back: false,
        }
    }
}

impl World {
    fn look(&mut self, is_own: bool) {
        let state = if is_own {
            &mut self.own
        } else {
            &mut self.other
        };
        if let Some(lacking) = state.compare(self.stored.clone(), self.now) {
            assert!(
                self.stored
                    .as_ref()
                    .is_none_or(|stored| stored.generation < lacking.generation),
                "an older record was put back"
            );
            self.stored = Some(lacking);
        }
    }

    fn renew(&mut self, is_own: bool, wish: &Wish, platform: &Platform) -> Option<Lease> {
        self.look(is_own);
        let state = if is_own {
            &mut self.own
        } else {
            &mut self.other
        };
        if let Some(lease) = state.fulfilled(wish, self.now) {
            return Some(lease);
        }
        state.barred(self.now.monotonic).ok()?;
        state.may_ask(self.now.monotonic).ok()?;
        self.asked += 1;
        let code = match platform {
            Platform::Another(seconds) => {
                self.minted += 1;
                return Some(self.take(is_own, *seconds));
            }
            Platform::TheSame(seconds) if self.minted > 0 => {
                return Some(self.take(is_own, *seconds));
            }
            Platform::TheSame(_) | Platform::Busy => -1,
            Platform::WrongSecret => 40125,
        };
        let error = TokenError::from_exchange(ExchangeError::Refused {
            code: ErrorCode(code),
            message: String::new(),
            rid: None,
        });
        let state = if is_own {
            &mut self.own
        } else {
            &mut self.other
        };
        let pause = state.fail(error, self.now.monotonic);
        assert!(pause >= Duration::from_secs(1) && pause <= Duration::from_secs(600));
        None
    }

    fn take(&mut self, is_own: bool, seconds: u64) -> Lease {
        // Answers take time, so no two questions have the same moment.
        self.now.monotonic += Duration::from_millis(1);
        self.now.wall_ms += 1;
        let minted = Minted {
            token: AccessToken::new(format!("token-{}", self.minted)),
            lifetime: Duration::from_secs(seconds),
        };
        self.ends_at = self.now.monotonic + minted.lifetime;
        let state = if is_own {
            &mut self.own
        } else {
            &mut self.other
        };
        let new = state.new_token(minted, self.now, "test");
        let record = new.beside(self.stored.as_ref());
        self.stored = Some(record.clone());
        state.hold(record, self.now, self.now).0
    }

    /// A token that was just looked for is the newest one, and its generation never goes back.
    fn check(&mut self, lease: &Lease) {
        let current = format!("token-{}", self.minted);
        assert!(lease.token.matches(&current), "an old token was served");
        assert!(
            lease.generation >= self.generation,
            "a generation came back"
        );
        self.generation = lease.generation;
    }

    fn play(&mut self, step: Step) {
        match step {
            Step::Pass(seconds) => {
                self.now.monotonic += Duration::from_secs(seconds);
                self.now.wall_ms += i64::try_from(seconds * 1000).unwrap();
            }
            Step::JumpWall(seconds) if seconds < 0 && self.was_flushed => {}
            Step::JumpWall(seconds) => {
                self.was_set_back |= seconds < 0;
                self.now.wall_ms += seconds * 1000;
            }
            Step::Use(platform) => {
                self.look(true);
                match self.own.need(self.now) {
                    Need::Nothing(lease) => self.check(&lease),
                    Need::Beside(lease, wish) => {
                        self.check(&lease);
                        self.renew(true, &wish, &platform);
                    }
                    Need::Token => {
                        if let Some(lease) = self.renew(true, &Wish::Use, &platform) {
                            self.check(&lease);
                        }
                    }
                }
            }
            Step::Report { current, then } => {
                let number = if current {
                    self.minted
                } else {
                    self.minted + 7
                };
                let failed = Suspect::Token(AccessToken::new(format!("token-{number}")));
                if let Some(lease) = self.renew(true, &Wish::Replace(failed), &then) {
                    self.check(&lease);
                }
            }
            // What nobody remembers and no store holds is lost.
            Step::Restart if self.stored.is_none() => {}
            Step::Restart => {
                self.own = State::new(TokenKind::Stable);
                self.starts += 1;
            }
            Step::Other(platform) => {
                let wish = self.other.due(self.now);
                self.renew(false, &wish, &platform);
            }
            Step::Flush if self.was_set_back || self.own.record() != self.stored.as_ref() => {}
            Step::Flush if self.own.lease(self.now.monotonic).is_none() => {}
            Step::Flush => {
                self.was_flushed = true;
                self.stored = None;
                // Whoever has the newest token looks before that has ended.
                self.look(true);
            }
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_only_the_newest_token_is_served_and_the_platform_is_spared(
        steps in proptest::collection::vec(step(), 1..200),
    ) {
        let mut world = World::default();
        let burst = u64::from(Limits::of(TokenKind::Stable).burst);
        for step in steps {
            world.play(step);
            let seconds = world.now.monotonic.as_secs();
            prop_assert!(world.asked <= (burst + seconds) * world.starts);
        }
    }

    #[test]
    fn a_token_in_hand_is_never_used_beyond_its_end(
        life in 1u64..8000,
        passes in proptest::collection::vec((0u64..3000, -9000i64..9000), 1..50),
    ) {
        let mut world = World { minted: 1, ..World::default() };
        world.take(true, life);
        for (seconds, jump) in passes {
            world.play(Step::Pass(seconds));
            world.play(Step::JumpWall(jump));
            world.look(true);
            prop_assert!(world.own.lease(world.now.monotonic).is_none() || world.now.monotonic < world.ends_at);
        }
    }
}

#[test]
fn a_store_that_is_away_is_tried_once_a_second_however_often_the_token_is_used() {
    let mut state = State::new(TokenKind::Stable);
    let at = |milliseconds: u64| Now {
        monotonic: Duration::from_millis(milliseconds),
        wall_ms: 1_700_000_000_000 + i64::try_from(milliseconds).unwrap(),
    };
    let moment = Timestamp::from_milliseconds(at(0).wall_ms);
    let record = TokenRecord {
        token: AccessToken::new("token"),
        generation: 1,
        obtained_at: moment,
        confirmed_at: moment,
        expires_at: moment.after(Duration::from_secs(7_200)),
        obtained_by: String::new(),
    };
    state.hold(record, at(0), at(0));
    let mut tried = 0;
    for milliseconds in (0..70_000).step_by(10) {
        if let Need::Beside(_, Wish::Use) = state.need(at(milliseconds)) {
            tried += 1;
            state.miss(at(milliseconds).monotonic);
        }
    }
    // The first look is due after 60 s.
    assert_eq!(tried, 10);
    assert!(matches!(state.need(at(70_000)), Need::Beside(_, Wish::Use)));
}
