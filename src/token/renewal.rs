//! One renewal, among all processes of an account: look, get the right, look again, ask, store.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::id::AppId;
use crate::store::tokens::{
    Note, Owner, Promise, PutBack, Right, Saved, TokenKey, TokenKind, TokenRecord, Tokens,
    TokensError,
};
use crate::token::mint::{Mint, Minted};
use crate::token::state::{State, Wish};
use crate::token::{Lease, Now, Outcome, TokenError};

/// How long a store may take for one step; one that takes longer is away.
pub const STORE_LIMIT: Duration = Duration::from_secs(1);

/// How long one question to the platform may take, all its hosts together.
pub const ASK_LIMIT: Duration = Duration::from_secs(10);

/// How long the right to ask holds without being asked for again: longer than a question and the two
/// steps of the store around it.
pub const RIGHT_LASTING: Duration = Duration::from_secs(15);

/// Tries of one renewal while the platform is busy or cannot be reached.
const TRIES: u32 = 3;

/// The pause before the second try; twice as long before each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// How often one who has no right looks whether the answer is there.
const POLL: Duration = Duration::from_millis(75);

/// Looks after which a token in hand must serve: 3 seconds.
const LOOKS_WITH_A_TOKEN: u32 = 40;

/// Looks after which one without any token gives up: 16 seconds, by when the right of a process that
/// died with it has ended.
const LOOKS_WITHOUT: u32 = 215;

/// What the keeper's handles and its renewal share.
pub(super) struct Shared {
    pub(super) key: TokenKey,
    pub(super) store: Arc<dyn Tokens>,
    pub(super) clock: Arc<dyn Clock>,
    mint: Arc<dyn Mint>,
    /// This process, for people.
    name: String,
    state: Mutex<State>,
}

/// How one attempt to fulfil a wish ended.
enum Round {
    Over(Outcome),
    /// Another process has the right.
    Elsewhere,
    /// The right ended before an answer was stored; when this process last asked under it, if it did,
    /// the answer or the failure was there at this moment.
    Fenced(Option<Timestamp>),
}

/// An outcome, and what is to be written down about it.
type Told = (Outcome, Option<Note>);

/// What a renewal is for.
#[derive(Debug, Clone)]
pub(super) struct Errand {
    pub(super) wish: Wish,
    /// Who caused it, for people; nobody when it was time.
    pub(super) cause: Option<String>,
}

impl Errand {
    fn reason(&self) -> String {
        match (&self.cause, self.wish.reason()) {
            (Some(cause), reason) => format!("{reason} ({cause})"),
            (None, reason) => reason.to_owned(),
        }
    }
}

impl Shared {
    pub(super) fn new(
        key: TokenKey,
        mint: Arc<dyn Mint>,
        store: Arc<dyn Tokens>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let kind = key.kind;
        Self {
            key,
            store,
            clock,
            mint,
            name: process_name(),
            state: Mutex::new(State::new(kind)),
        }
    }

    pub(super) fn account(&self) -> &AppId {
        &self.key.account
    }

    /// The question ends the life of what was given before.
    fn is_plain(&self) -> bool {
        self.key.kind == TokenKind::Plain
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    pub(super) fn now(&self) -> Now {
        Now {
            monotonic: self.clock.monotonic(),
            wall_ms: self.clock.now().milliseconds(),
        }
    }

    fn fulfilled(&self, wish: &Wish) -> Option<Lease> {
        self.state().fulfilled(wish, self.now())
    }

    /// Fulfils a wish by whatever another process did, or by asking the platform.
    pub(super) async fn renew(&self, mut errand: Errand) -> Told {
        let mut note = None;
        let mut fenced = false;
        for looks in 0.. {
            let round = match self.look().await {
                Ok(()) => self.round(&errand, &mut note).await,
                Err(away) => Round::Over(self.alone(&errand, away, &mut note).await),
            };
            match round {
                Round::Over(outcome) => return (outcome, note),
                Round::Fenced(asked) if !fenced => {
                    fenced = true;
                    // What was asked for later than ours is newer than whatever ours brought.
                    if let Some(asked) = asked.filter(|_| self.is_plain()) {
                        errand.wish = Wish::Since(asked);
                    }
                }
                Round::Fenced(_) => return (self.whatever_serves(), note),
                Round::Elsewhere => {
                    let serves = self.fulfilled(&Wish::Use).is_some();
                    if looks
                        >= if serves {
                            LOOKS_WITH_A_TOKEN
                        } else {
                            LOOKS_WITHOUT
                        }
                    {
                        return (self.whatever_serves(), note);
                    }
                    tokio::time::sleep(POLL).await;
                }
            }
        }
        (self.whatever_serves(), note)
    }

    fn whatever_serves(&self) -> Outcome {
        self.fulfilled(&Wish::Use).ok_or(TokenError::AskedElsewhere)
    }

    /// Takes what the store has that is newer, and gives it what it lacks.
    async fn look(&self) -> Result<(), TokensError> {
        let store = &self.store;
        let loaded = within(store.load(&self.key)).await;
        self.tell_store(loaded.as_ref().err());
        if loaded.is_err() {
            self.state().miss(self.now().monotonic);
        }
        let lacking = self.state().compare(loaded?, self.now());
        if let Some(record) = lacking
            && let PutBack::Newer(newer) = within(store.put_back(&self.key, &record)).await?
        {
            self.state().compare(Some(newer), self.now());
        }
        Ok(())
    }

    /// Says once that the store went away, and once that it is back.
    fn tell_store(&self, error: Option<&TokensError>) {
        let was_away = std::mem::replace(&mut self.state().store_is_away, error.is_some());
        match error {
            Some(error) if !was_away => {
                tracing::error!(account = %self.account(), error = %error,
                "The token store (token.store) gives no answer; the token in hand is used on.")
            }
            None if was_away => tracing::info!(account = %self.account(),
                "The token store answers again."),
            _ => {}
        }
    }

    async fn round(&self, errand: &Errand, note: &mut Option<Note>) -> Round {
        if let Some(lease) = self.fulfilled(&errand.wish) {
            return Round::Over(Ok(lease));
        }
        if let Err(error) = self.state().barred(self.now().monotonic) {
            return Round::Over(Err(error));
        }
        let store = &self.store;
        let owner = match self.owner() {
            Ok(owner) => owner,
            Err(away) => return Round::Over(self.alone(errand, away, note).await),
        };
        match within(store.acquire(&self.key, &owner, RIGHT_LASTING)).await {
            Ok(None) => Round::Elsewhere,
            Ok(Some(right)) => {
                let round = self.lead(&right, errand, note).await;
                // What is not given back ends by itself.
                drop(within(store.release(&self.key, &owner)).await);
                round
            }
            Err(away) => {
                // It may have been given all the same.
                drop(within(store.release(&self.key, &owner)).await);
                Round::Over(self.alone(errand, away, note).await)
            }
        }
    }

    /// A new owner; and, with the same randomness, this process's turn in the next renewals.
    fn owner(&self) -> Result<Owner, TokensError> {
        let mut random = [0; 17];
        getrandom::fill(&mut random).map_err(TokensError::away)?;
        let [turn, owner @ ..] = random;
        self.state().turn = turn;
        Ok(Owner::new(owner))
    }

    /// With the right in hand: another process may have been faster between the look and the right.
    async fn lead(&self, right: &Right, errand: &Errand, note: &mut Option<Note>) -> Round {
        if let Err(away) = self.look().await {
            return Round::Over(self.alone(errand, away, note).await);
        }
        if let Some(lease) = self.fulfilled(&errand.wish) {
            return Round::Over(Ok(lease));
        }
        let mut pause = FIRST_PAUSE;
        let mut tries = 1;
        let mut answered = None;
        loop {
            let held_at = self.clock.monotonic();
            match within(self.store.holds(right, RIGHT_LASTING)).await {
                Ok(true) => {}
                Ok(false) => return Round::Fenced(answered),
                Err(away) => return Round::Over(self.alone(errand, away, note).await),
            }
            let asked = self.now();
            match self.ask().await {
                Ok(minted) => {
                    return self
                        .store(right, minted, (asked, held_at), errand, note)
                        .await;
                }
                Err(error) if tries < TRIES && error.is_passing() => {
                    answered = Some(self.clock.now());
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                    tries += 1;
                }
                Err(error) => return Round::Over(self.failed(error, errand, note)),
            }
        }
    }

    /// Without the store. The stable endpoint gives every process the same token; the plain one is
    /// asked only by the process that asked it last.
    async fn alone(&self, errand: &Errand, away: TokensError, note: &mut Option<Note>) -> Outcome {
        if let Some(lease) = self.fulfilled(&errand.wish) {
            return Ok(lease);
        }
        self.state().barred(self.now().monotonic)?;
        if self.is_plain() && !self.state().is_own() {
            let source = TokenError::Store { source: away };
            return self.fulfilled(&Wish::Use).ok_or(source);
        }
        let mut pause = FIRST_PAUSE;
        let mut tries = 1;
        loop {
            let asked = self.now();
            match self.ask().await {
                Ok(minted) => {
                    let record = self.beside(minted, asked);
                    return Ok(self.keep(record, asked, errand, note));
                }
                Err(error) if tries < TRIES && error.is_passing() => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                    tries += 1;
                }
                Err(error) => return self.failed(error, errand, note),
            }
        }
    }

    async fn ask(&self) -> Result<Minted, TokenError> {
        let (may_ask, passed) = {
            let mut state = self.state();
            let may_ask = state.may_ask(self.now().monotonic);
            (may_ask, state.passed())
        };
        if let Some(percent) = passed {
            tracing::warn!(account = %self.account(), kind = self.key.kind.name(), percent,
                "So much of the questions for tokens that this process allows itself within a day is \
                 used up; look for a second system that asks for this account's tokens.");
        }
        may_ask?;
        match tokio::time::timeout(ASK_LIMIT, self.mint.mint()).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(TokenError::out_of_time(ASK_LIMIT)),
        }
    }

    /// The record that this process makes of an answer when the store does not.
    fn beside(&self, minted: Minted, asked: Now) -> TokenRecord {
        let state = self.state();
        let new = state.new_token(minted, asked, &self.name);
        new.beside(state.record())
    }

    async fn store(
        &self,
        right: &Right,
        minted: Minted,
        (asked, held_at): (Now, Duration),
        errand: &Errand,
        note: &mut Option<Note>,
    ) -> Round {
        let new = self.state().new_token(minted.clone(), asked, &self.name);
        match within(self.store.save(right, new)).await {
            Ok(Saved::Stored(record)) => Round::Over(Ok(self.keep(record, asked, errand, note))),
            Ok(Saved::Fenced) => self.fenced(),
            Err(away) => {
                self.tell_store(Some(&away));
                let since = self.clock.monotonic().saturating_sub(held_at);
                if since >= RIGHT_LASTING {
                    return self.fenced();
                }
                // Nobody else had the right meanwhile. The next look puts it back.
                let record = self.beside(minted, asked);
                Round::Over(Ok(self.keep(record, asked, errand, note)))
            }
        }
    }

    fn fenced(&self) -> Round {
        tracing::warn!(account = %self.account(),
            "The platform's answer came after the right to ask had ended; it is not used.");
        Round::Fenced(Some(self.clock.now()))
    }

    fn keep(
        &self,
        record: TokenRecord,
        asked: Now,
        errand: &Errand,
        note: &mut Option<Note>,
    ) -> Lease {
        let (lease, is_new) = self.state().hold(record, asked, self.now());
        let (generation, seconds) = (lease.generation, lease.remaining.as_secs());
        let reason = errand.reason();
        tracing::info!(account = %self.account(), kind = self.key.kind.name(), generation, is_new,
            expires_in_seconds = seconds, reason, "The platform gave an access token.");
        let which = if is_new { "another" } else { "the same" };
        let what = format!(
            "{reason}: the platform gave {which} token, generation {generation}, for {seconds} s"
        );
        *note = Some(self.written(what));
        lease
    }

    fn failed(&self, error: TokenError, errand: &Errand, note: &mut Option<Note>) -> Outcome {
        let now = self.now().monotonic;
        let (pause, serving, is_known) = {
            let mut state = self.state();
            let before = state.last_failure().map(ToString::to_string);
            let pause = state.fail(error.clone(), now);
            let is_known = before == Some(error.to_string());
            (pause, state.lease(now).is_some(), is_known)
        };
        tracing::error!(account = %self.account(), error = %error,
            retry_in_ms = pause.as_millis(), serving_the_old_token = serving,
            "No access token was given.");
        // A long outage must not drive out what was written down before it.
        if !is_known {
            *note = Some(self.written(format!("{}: {error}", errand.reason())));
        }
        Err(error)
    }

    fn written(&self, what: String) -> Note {
        Note {
            at: self.clock.now(),
            who: self.name.clone(),
            what,
        }
    }
}

/// This process, for people who look at the history of several machines.
fn process_name() -> String {
    let machine = rustix::system::uname();
    let machine = machine.nodename().to_string_lossy();
    format!("process {} on {machine}", std::process::id())
}

/// One step of a store, which must not take long.
pub(super) async fn within<T>(step: Promise<'_, T>) -> Result<T, TokensError> {
    match tokio::time::timeout(STORE_LIMIT, step).await {
        Ok(outcome) => outcome,
        Err(_elapsed) => Err(TokensError::away("it did not answer within a second")),
    }
}
