//! One access token for each account, asked for as rarely as possible, whoever needs it.
//!
//! A token is served from memory while it lives; the store says what the other processes have; the
//! platform is asked by one process at a time, which has the store's right to. Nobody waits for a
//! renewal who need not:
//!
//! - The *stable* endpoint gives the same token again while that is valid, and a new one only when less
//!   than five minutes are left; for five minutes both are accepted. So a token is served while it is
//!   renewed.
//! - A copy in memory is compared with the store after a minute at most, beside its use.
//! - A store that is away says nothing about the token: the one in hand is used until its end. Without
//!   the store each process asks the stable endpoint alone, which gives all of them the same token; the
//!   plain endpoint is asked only by the process that asked it last.
//! - An answer that comes after the right has ended is never stored. The plain endpoint is then asked
//!   once more under a new right, because the late answer may be the platform's newest token.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::clock::{Clock, Timestamp};
use crate::id::AppId;
use crate::metric::Counters;
use crate::platform::Platform;
use crate::platform::error::ErrorCode;
use crate::secret::{AccessToken, AppSecret};
use crate::store::tokens::{Note, TokenKey, Tokens, TokensError};

mod budget;
pub mod central;
mod error;
pub(crate) mod flight;
mod lifetime;
pub mod mint;
pub mod publisher;
pub mod remote;
mod renewal;
mod request;
mod source;
mod state;
mod suspect;

pub use self::error::TokenError;
pub use self::lifetime::{
    ALARM_REMAINDER, HEARTBEAT, LONGEST_LOOK, MINIMUM_REMAINDER, RENEWAL_WINDOW,
};
use self::mint::{Mint, Tally};
pub use self::renewal::{ASK_LIMIT, RIGHT_LASTING, STORE_LIMIT};
use self::renewal::{Errand, Shared, within};
use self::request::AccessTokens;
pub use self::request::Endpoint;
pub use self::source::{Asked, TokenSource};
use self::state::{Need, State, Wish};
pub use self::suspect::Suspect;

/// How long an answer that gave the same token again counts as proof that it is the current one.
pub const CONFIRMED_FOR: Duration = Duration::from_secs(30);

/// A token that the platform gave within this time is not asked for again by [`Keeper::refresh`].
pub const FRESH_FOR: Duration = Duration::from_secs(5);

/// What renewals wait for: an outcome that all who wait share.
type Outcome = Result<Lease, TokenError>;

/// A token that may be used now.
#[derive(Debug, Clone)]
pub struct Lease {
    /// The token.
    pub token: AccessToken,
    /// Grows with every other token, in all processes alike; the same token again keeps its generation.
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
    /// Which of the platform's endpoints is asked.
    pub endpoint: Endpoint,
    /// What all processes of the account share.
    pub store: Arc<dyn Tokens>,
    /// The platform.
    pub platform: Arc<Platform>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Where token requests are counted.
    pub counters: Arc<Counters>,
    /// What counts them against the platform's limits; without it nothing does.
    pub tally: Option<Arc<dyn Tally>>,
}

/// What is known about an account's token, without the token.
#[derive(Debug, Clone)]
pub struct Status {
    /// The token's generation.
    pub generation: u64,
    /// When it was first asked for.
    pub obtained_at: Timestamp,
    /// When the platform last gave it.
    pub confirmed_at: Timestamp,
    /// The process that asked for it.
    pub obtained_by: String,
    /// What is left of its life; zero when it is not used any more.
    pub remaining: Duration,
    /// Whether the store did not answer the last time.
    pub store_is_away: bool,
    /// Questions that this process asked within the last day, and how many it allows itself; `None`
    /// when it asks nobody.
    pub questions: Option<(u32, u32)>,
}

/// Keeps one account's access token.
pub struct Keeper {
    shared: Arc<Shared>,
    /// The renewal under way; dropping the keeper ends it.
    renewals: Mutex<JoinSet<()>>,
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper")
            .field("account", self.account())
            .finish_non_exhaustive()
    }
}

impl Keeper {
    /// A keeper that looks into the store, and asks the platform, when a token is first needed.
    pub fn new(parts: KeeperParts) -> Self {
        let key = TokenKey {
            account: parts.account.clone(),
            kind: parts.endpoint.kind(),
        };
        let mint = Arc::new(AccessTokens {
            account: parts.account,
            secret: parts.secret,
            endpoint: parts.endpoint,
            platform: parts.platform,
            counters: parts.counters,
            tally: parts.tally,
        });
        Self::minting(key, mint, parts.store, parts.clock)
    }

    /// A keeper of whatever `mint` brings: of access tokens, or of tickets.
    pub fn minting(
        key: TokenKey,
        mint: Arc<dyn Mint>,
        store: Arc<dyn Tokens>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            shared: Arc::new(Shared::new(key, mint, store, clock)),
            renewals: Mutex::new(JoinSet::new()),
        }
    }

    /// The account.
    pub fn account(&self) -> &AppId {
        self.shared.account()
    }

    /// A token that may be used now. Waits only when there is none in hand; a token that is soon to
    /// end is renewed in the background. However many callers there are, the platform is asked once.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`TokenError`] when there is no token, and none can be had now.
    pub async fn token(&self) -> Result<Lease, TokenError> {
        self.token_because(|| None).await
    }

    async fn token_because(
        &self,
        cause: impl FnOnce() -> Option<String>,
    ) -> Result<Lease, TokenError> {
        let waiting = {
            let mut state = self.shared.state();
            match state.need(self.shared.now()) {
                Need::Nothing(lease) => return Ok(lease),
                Need::Beside(lease, wish) => {
                    // A refusal to start is no matter here: the token in hand still serves.
                    drop(self.renewal(&mut state, Errand { wish, cause: None }));
                    return Ok(lease);
                }
                Need::Token => {
                    let (wish, cause) = (Wish::Use, cause());
                    self.renewal(&mut state, Errand { wish, cause })?
                }
            }
        };
        outcome_of(waiting).await
    }

    /// As [`Keeper::token`], [`Keeper::report`] and [`Keeper::refresh`], for `who`, whom the history
    /// names as the cause of what the platform was asked.
    ///
    /// # Errors
    /// [`TokenError`] when no token can be had now.
    pub async fn serve(&self, who: &str, asked: &Asked) -> Result<Lease, TokenError> {
        match asked {
            Asked::Token => self.token_because(|| Some(format!("asked by {who}"))).await,
            Asked::Replacement(failed, code) => {
                let cause = format!("reported by {who} with code {code}");
                self.report_because(failed, *code, cause).await
            }
            Asked::Confirmation => self.refresh_because(Some(format!("asked by {who}"))).await,
        }
    }

    /// The token in hand, if it may be used. Asks nobody.
    pub fn held(&self) -> Option<Lease> {
        self.shared.state().lease(self.shared.now().monotonic)
    }

    /// Tells the newest generation whenever another token comes into hand; 0 before the first one.
    pub fn generations(&self) -> watch::Receiver<u64> {
        self.shared.state().generations()
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

    /// As [`Keeper::report_bad`], for one who names the token by its digest or its generation.
    ///
    /// # Errors
    /// [`TokenError`] when no token can be had now.
    pub async fn report(&self, failed: &Suspect, code: ErrorCode) -> Result<Lease, TokenError> {
        self.report_because(failed, code, format!("code {code}"))
            .await
    }

    async fn report_because(
        &self,
        failed: &Suspect,
        code: ErrorCode,
        cause: String,
    ) -> Result<Lease, TokenError> {
        if !code.refuses_the_token() {
            return self.token().await;
        }
        let errand = Errand {
            wish: Wish::Replace(failed.clone()),
            cause: Some(cause),
        };
        let (is_for_another, waiting) = {
            let mut state = self.shared.state();
            match state.fulfilled(&errand.wish, self.shared.now()) {
                Some(current) => return Ok(current),
                None => (
                    state.renewal_under_way().is_some(),
                    self.renewal(&mut state, errand.clone())?,
                ),
            }
        };
        tracing::info!(account = %self.account(), error_code = code.0,
            "The platform refused the access token; asking for it again.");
        let lease = outcome_of(waiting).await?;
        if !is_for_another || !failed.is(&lease) {
            return Ok(lease);
        }
        // The renewal that was under way knew nothing of this report.
        let waiting = {
            let mut state = self.shared.state();
            match state.fulfilled(&errand.wish, self.shared.now()) {
                Some(current) => return Ok(current),
                None => self.renewal(&mut state, errand)?,
            }
        };
        outcome_of(waiting).await
    }

    /// Asks the platform once, unless it gave the token a moment ago. Forces nothing: while the stable
    /// endpoint finds its token good, the same one comes back.
    ///
    /// # Errors
    /// [`TokenError`] when no token can be had now.
    pub async fn refresh(&self) -> Result<Lease, TokenError> {
        self.refresh_because(None).await
    }

    async fn refresh_because(&self, cause: Option<String>) -> Result<Lease, TokenError> {
        let waiting = {
            let wish = Wish::Confirm(FRESH_FOR);
            let mut state = self.shared.state();
            self.renewal(&mut state, Errand { wish, cause })?
        };
        outcome_of(waiting).await
    }

    /// Why the last renewal failed, if none went well since.
    pub fn failure(&self) -> Option<TokenError> {
        self.shared.state().last_failure().cloned()
    }

    /// What is known about the token; `None` before the first one.
    pub fn status(&self) -> Option<Status> {
        let now = self.shared.now().monotonic;
        let state = self.shared.state();
        let record = state.record()?;
        let lease = state.lease(now);
        Some(Status {
            generation: record.generation,
            obtained_at: record.obtained_at,
            confirmed_at: record.confirmed_at,
            obtained_by: record.obtained_by.clone(),
            remaining: lease.map_or(Duration::ZERO, |lease| lease.remaining),
            store_is_away: state.store_is_away,
            questions: Some(state.asked(now)),
        })
    }

    /// Writes down who did what to this account's token, for [`Keeper::notes`]. Never a token.
    ///
    /// # Errors
    /// [`TokensError`].
    pub async fn note(&self, who: &str, what: &str) -> Result<(), TokensError> {
        let note = Note {
            at: self.shared.clock.now(),
            who: who.to_owned(),
            what: what.to_owned(),
        };
        within(self.shared.store.note(self.key(), note)).await
    }

    /// Who did what to this account's token, in the order in which it was written down.
    ///
    /// # Errors
    /// [`TokensError`].
    pub async fn notes(&self) -> Result<Vec<Note>, TokensError> {
        within(self.shared.store.notes(self.key())).await
    }

    fn key(&self) -> &TokenKey {
        &self.shared.key
    }

    /// Looks after the token until it is told to stop: compares with the store, renews in time, and
    /// sees once an hour that the platform answers. Gets no first token: that is left to the first
    /// need. One of all processes asks; the others find what it brought.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        loop {
            let pause = self.shared.state().pause(self.shared.now());
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                // Without anybody to say stop, there is nobody to work for.
                _ = stop.wait_for(|stop| *stop) => return,
            }
            tokio::select! {
                () = self.look_after() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    async fn look_after(&self) {
        let now = self.shared.now();
        let waiting = {
            let mut state = self.shared.state();
            if state.record().is_none() {
                return;
            }
            let wish = state.due(now);
            self.renewal(&mut state, Errand { wish, cause: None })
        };
        if let Ok(waiting) = waiting {
            // Its failures are told where they happen.
            drop(outcome_of(waiting).await);
        }
        if let Some(remaining) = self.shared.state().alarm(now.monotonic) {
            tracing::error!(account = %self.account(), remaining_seconds = remaining.as_secs(),
                "The access token nears its end, and the platform has given no other one.");
        }
    }

    /// The renewal under way, or a new one if one may be started now.
    fn renewal(
        &self,
        state: &mut State,
        errand: Errand,
    ) -> Result<watch::Receiver<Option<Outcome>>, TokenError> {
        if let Some(under_way) = state.renewal_under_way() {
            return Ok(under_way);
        }
        state.may_begin(self.shared.now().monotonic)?;
        let (done, waiting) = watch::channel(None);
        state.renewal = Some(waiting.clone());
        let shared = Arc::clone(&self.shared);
        let mut renewals = self.renewals.lock().unwrap_or_else(|e| e.into_inner());
        while renewals.try_join_next().is_some() {}
        renewals.spawn(async move {
            let (outcome, note) = shared.renew(errand).await;
            shared.state().renewal = None;
            // Nobody waiting is no matter: the state holds the outcome.
            let _ = done.send(Some(outcome));
            if let Some(note) = note {
                // For people: not worth another try.
                drop(within(shared.store.note(&shared.key, note)).await);
            }
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
