//! One access token for each account, asked for as rarely as possible.
//!
//! The platform's *stable* endpoint is used: while a token is valid it gives the same one again, so
//! asking twice harms nobody, and a new one only when less than five minutes are left; for five
//! minutes both are accepted. So a token is served while it is renewed, and nobody waits for a
//! renewal who need not.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::id::AppId;
use crate::metric::{Counter, Counters};
use crate::platform::Platform;
use crate::platform::error::ErrorCode;
use crate::secret::{AccessToken, AppSecret};

mod budget;
pub mod central;
mod error;
pub(crate) mod flight;
mod lifetime;
pub mod remote;
mod request;
mod source;
mod state;
mod suspect;

pub use self::error::TokenError;
pub use self::lifetime::{MINIMUM_REMAINDER, RENEWAL_WINDOW};
use self::request::Minted;
pub use self::source::TokenSource;
use self::state::{Need, State};
pub use self::suspect::Suspect;

/// How long an answer that gave the same token again counts as proof that it is the current one.
pub const CONFIRMED_FOR: Duration = Duration::from_secs(30);

/// Tries of one renewal while the platform is busy or cannot be reached.
const TRIES: u32 = 3;

/// The pause before the second try; twice as long before each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// What renewals wait for: an outcome that all who wait share.
type Outcome = Result<Lease, TokenError>;

/// A token that may be used now.
#[derive(Debug, Clone)]
pub struct Lease {
    /// The token.
    pub token: AccessToken,
    /// Grows by one with every other token; the same token again keeps its generation.
    pub generation: u64,
    /// What was left of its life when the lease was given, counted by the clock that never jumps.
    pub remaining: Duration,
}

/// What a keeper is made of.
#[derive(Debug, Clone)]
pub struct KeeperParts {
    /// The account.
    pub account: AppId,
    /// Its AppSecret.
    pub secret: AppSecret,
    /// The platform.
    pub platform: Arc<Platform>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Where token requests are counted.
    pub counters: Arc<Counters>,
}

/// Keeps one account's access token, in memory.
pub struct Keeper {
    shared: Arc<Shared>,
    /// The renewal under way; dropping the keeper ends it.
    renewals: Mutex<JoinSet<()>>,
}

struct Shared {
    parts: KeeperParts,
    state: Mutex<State>,
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper")
            .field("account", &self.shared.parts.account)
            .finish_non_exhaustive()
    }
}

impl Keeper {
    /// A keeper without a token. Asks for one when it is first needed.
    pub fn new(parts: KeeperParts) -> Self {
        Self {
            shared: Arc::new(Shared {
                parts,
                state: Mutex::new(State::default()),
            }),
            renewals: Mutex::new(JoinSet::new()),
        }
    }

    /// The account.
    pub fn account(&self) -> &AppId {
        &self.shared.parts.account
    }

    /// A token that may be used now. Waits only when there is none; a token that is soon to end is
    /// renewed in the background. However many callers there are, the platform is asked once.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`TokenError`] when there is no token, and none can be had now.
    pub async fn token(&self) -> Result<Lease, TokenError> {
        let waiting = {
            let mut state = self.shared.state();
            let need = state.need(self.shared.now());
            match need {
                Need::Nothing(lease) => return Ok(lease),
                Need::Renewal(lease) => {
                    // A refusal to start is no matter here: the old token still serves.
                    drop(self.renewal(&mut state));
                    return Ok(lease);
                }
                Need::Token => self.renewal(&mut state)?,
            }
        };
        outcome_of(waiting).await
    }

    /// Tells that the platform refused a token, and returns the one to use instead.
    ///
    /// A token that is not the current one was replaced before: the current one is returned, and the
    /// platform is not asked. The *same* token may come back, with the same generation: then the
    /// platform holds it for good, and trying it once more is all that makes sense.
    ///
    /// # Errors
    /// [`TokenError`] when no token can be had now.
    pub async fn report_bad(
        &self,
        failed: &AccessToken,
        code: ErrorCode,
    ) -> Result<Lease, TokenError> {
        self.report(&Suspect::Token(failed.clone()), code).await
    }

    /// The token in hand, if it may be used. Asks nobody.
    pub fn held(&self) -> Option<Lease> {
        self.shared.state().held(self.shared.now().monotonic)
    }

    /// As [`Keeper::report_bad`], for one who names the token by its digest or its generation.
    ///
    /// # Errors
    /// [`TokenError`] when no token can be had now.
    pub async fn report(&self, failed: &Suspect, code: ErrorCode) -> Result<Lease, TokenError> {
        if !code.refuses_the_token() {
            return self.token().await;
        }
        let waiting = {
            let mut state = self.shared.state();
            match state.judge(failed, self.shared.now().monotonic) {
                Some(current) => return Ok(current),
                None => self.renewal(&mut state)?,
            }
        };
        tracing::info!(account = %self.account(), error_code = code.0,
            "The platform refused the access token; asking for it again.");
        outcome_of(waiting).await
    }

    /// The renewal under way, or a new one if one may be started now.
    fn renewal(&self, state: &mut State) -> Result<watch::Receiver<Option<Outcome>>, TokenError> {
        if let Some(under_way) = state.renewal_under_way() {
            return Ok(under_way);
        }
        state.may_ask(self.shared.now().monotonic)?;
        let (done, waiting) = watch::channel(None);
        state.renewal = Some(waiting.clone());
        let shared = Arc::clone(&self.shared);
        let mut renewals = self.renewals.lock().unwrap_or_else(|e| e.into_inner());
        while renewals.try_join_next().is_some() {}
        renewals.spawn(async move {
            let outcome = shared.renew().await;
            // Nobody waiting is no matter: the state holds the outcome.
            let _ = done.send(Some(outcome));
        });
        Ok(waiting)
    }
}

/// Waits for a renewal. It runs on its own: a caller that stops waiting does not stop it.
async fn outcome_of(mut waiting: watch::Receiver<Option<Outcome>>) -> Outcome {
    match waiting.wait_for(Option::is_some).await {
        Ok(outcome) => outcome.clone().unwrap_or(Err(TokenError::Interrupted)),
        Err(_ended) => Err(TokenError::Interrupted),
    }
}

/// The two clocks, read together.
#[derive(Debug, Clone, Copy)]
struct Now {
    /// For durations.
    monotonic: Duration,
    /// Milliseconds since 1970: it goes on while a virtual machine sleeps.
    wall_ms: i64,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn now(&self) -> Now {
        Now {
            monotonic: self.parts.clock.monotonic(),
            wall_ms: self.parts.clock.now().milliseconds(),
        }
    }

    async fn renew(&self) -> Outcome {
        // A lifetime counts from before the question: the answer may have taken its time.
        let mut asked = self.now();
        let mut pause = FIRST_PAUSE;
        let mut minted = self.ask().await;
        for _ in 1..TRIES {
            match &minted {
                Err(error) if error.is_passing() => {}
                _ => break,
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
            asked = self.now();
            minted = self.ask().await;
        }
        self.settle(minted, asked)
    }

    async fn ask(&self) -> Result<Minted, TokenError> {
        let parts = &self.parts;
        parts.counters.add(Counter::TokensRequested);
        request::ask(&parts.platform, &parts.account, &parts.secret).await
    }

    /// Keeps what came, and says once what happened.
    fn settle(&self, minted: Result<Minted, TokenError>, asked: Now) -> Outcome {
        let account = &self.parts.account;
        let now = self.now().monotonic;
        let mut state = self.state();
        state.renewal = None;
        match minted {
            Ok(minted) => {
                let seconds = minted.lifetime.as_secs();
                let (lease, is_new) = state.hold(minted, asked, now);
                drop(state);
                tracing::info!(account = %account, generation = lease.generation, is_new,
                    expires_in_seconds = seconds, "The platform gave an access token.");
                Ok(lease)
            }
            Err(error) => {
                let pause = state.fail(error.clone(), now);
                let serving = state.is_holding(now);
                drop(state);
                tracing::error!(account = %account, error = %error, retry_in_ms = pause.as_millis(),
                    serving_the_old_token = serving, "No access token was given.");
                Err(error)
            }
        }
    }
}
