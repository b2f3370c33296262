//! What the platform lets an account do: how many calls of each API it has in a day, a month, a minute.
//!
//! Every call is counted *before* it is made, for all processes of the account together. A process
//! reserves blocks in the store of counts and spends them from memory: most calls cost a lock that
//! nobody else holds. After a kill a count is high by what was left of one block, and never low.
//!
//! - A key whose limit is reached fails at once with [`Exhausted`], which says when it returns. The last
//!   part of a day is kept for [`Purpose::Interactive`].
//! - The platform's answers win: 45009 closes a key until the next day in Beijing, 45011 pauses it until
//!   the next minute and teaches how many calls a minute may have, and its own numbers
//!   (`openapi/quota/get`) set limit and count.
//! - A store that is away stops nobody: calls are counted here, and told when it answers again. What a
//!   process counted alone is lost if it is killed before that; the platform's numbers mend it.
//!
//! Which limits there are: [`ROWS`].

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::id::AppId;
use crate::metric;
use crate::metric::Counter;
use crate::platform::error::ErrorCode;
use crate::platform::exchange::ExchangeError;
use crate::store::counters::{Counted, CounterKey, Counters, CountersError, Reservation};

mod automatic;
mod calendar;
mod count;
mod exhausted;
mod figures;
mod key;
mod pace;
mod settings;
mod slot;
mod status;
mod table;
mod upkeep;
pub mod window;

pub use self::calendar::{Calendar, RESET_GRACE, zoned};
pub use self::count::LARGEST_BLOCK;
pub use self::exhausted::{Exhausted, Limit};
pub use self::figures::Figures;
pub use self::key::{QuotaKey, Row, Span};
pub use self::pace::Rate;
pub use self::settings::{
    AccountClass, AccountLimits, Automatic, JITTER, RESERVE_PERCENT, SHORTEST_ASK_EVERY, Settings,
};
pub use self::slot::{FIRST_ASK, RECHECK, STORE_PAUSE};
use self::slot::{Passed, Rules, State, Step};
pub use self::status::{KeyStatus, LimitFrom};
pub use self::table::ROWS;
pub use self::upkeep::Question;

/// How long one step of the store of counts may take; one that needs longer is away.
pub const STORE_LIMIT: Duration = Duration::from_secs(1);

/// Who waits for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A follower, or an operator: may use a limit to its end.
    Interactive,
    /// A job of many calls: stops where the reserve for replies begins.
    Bulk,
}

/// What [`Quotas`] is made of.
#[derive(Debug)]
pub struct QuotaParts {
    /// Where counts are kept for all processes.
    pub store: Arc<dyn Counters>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Where refusals and clears are counted.
    pub counters: Arc<metric::Counters>,
    /// How calls are counted and limited.
    pub settings: Settings,
}

/// The limits and counts of all accounts.
pub struct Quotas {
    parts: QuotaParts,
    /// Bounded by the accounts and by the keys that calls have.
    slots: RwLock<HashMap<AppId, HashMap<QuotaKey, Arc<Slot>>>>,
}

impl fmt::Debug for Quotas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quotas")
            .field("store", &self.parts.store)
            .finish_non_exhaustive()
    }
}

/// The two clocks, read together.
#[derive(Debug, Clone, Copy)]
struct Now {
    wall: Timestamp,
    monotonic: Duration,
}

fn now(clock: &dyn Clock) -> Now {
    Now {
        wall: clock.now(),
        monotonic: clock.monotonic(),
    }
}

/// One key of one account.
#[derive(Debug)]
struct Slot {
    account: AppId,
    key: QuotaKey,
    state: Mutex<State>,
    /// Whoever speaks with the store about this key.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Quotas {
    /// Puts the parts together. Asks nobody.
    pub fn new(parts: QuotaParts) -> Self {
        Self {
            parts,
            slots: RwLock::default(),
        }
    }

    /// Counts one call that is about to be made. Waits only where a new block must be reserved.
    ///
    /// Must be called within a tokio runtime. A caller that stops waiting may have taken one.
    ///
    /// # Errors
    /// [`Exhausted`] when the platform would refuse the call; nothing is counted then.
    pub async fn take(
        &self,
        account: &AppId,
        key: QuotaKey,
        purpose: Purpose,
    ) -> Result<(), Exhausted> {
        let slot = self.slot(account, key);
        let step = slot.step(self.now(), purpose, true);
        let outcome = match step {
            Step::Ask(..) => self.ask(&slot, purpose).await,
            step => slot.outcome(step),
        };
        if outcome.is_err() {
            self.parts.counters.add(Counter::QuotaRefused);
        }
        outcome
    }

    /// Counts one call that is made whatever the limits say, because it is rare and nothing goes without
    /// it. The store knows of it before this returns, unless it is away.
    pub async fn note(&self, account: &AppId, key: QuotaKey) {
        let slot = self.slot(account, key);
        let (store_must_know, passed) = {
            let mut state = slot.state();
            (state.note(self.now()), state.passed())
        };
        match passed {
            Some(passed) if passed.percent >= 100 => tracing::error!(%account, quota = %key,
                used = passed.used, limit = passed.limit,
                "A quota is used up, as far as is counted here. Its calls are made all the same."),
            Some(passed) => slot.tell(passed),
            None => {}
        }
        if store_must_know {
            self.tell_store(&slot).await;
        }
    }

    /// Takes note of how a call failed that was counted.
    pub async fn failed(&self, account: &AppId, key: QuotaKey, error: &ExchangeError) {
        match error.code() {
            Some(code) => self.answered(account, key, code).await,
            None if error.surely_not_executed() => self.put_back(account, key),
            None => {}
        }
    }

    /// Puts back what was taken for a call that surely did not reach the platform.
    pub fn put_back(&self, account: &AppId, key: QuotaKey) {
        self.slot(account, key).state().put_back(self.now());
    }

    /// Takes note of what the platform answered to a call that was taken. Costs nothing for most codes.
    pub async fn answered(&self, account: &AppId, key: QuotaKey, code: ErrorCode) {
        let is_clear = key == QuotaKey::CLEAR_ALL || key == QuotaKey::CLEAR_ONE;
        match code.0 {
            0 => {}
            45009 => self.exhausted(account, key, code).await,
            48006 if is_clear => self.exhausted(account, key, code).await,
            45011 => {
                let slot = self.slot(account, key);
                let jitter = self.jitter();
                slot.state().minute_is_used_up(self.now(), jitter);
                self.parts.counters.add(Counter::QuotaMinutesFull);
                tracing::warn!(account = %account, quota = %key, error_code = code.0,
                    "The platform refused a call: the minute is full. The key pauses until the next one.");
            }
            45040 => {
                self.slot(account, key).state().month_is_used_up(self.now());
                tracing::error!(account = %account, quota = %key, error_code = code.0,
                    "The platform refused a call: the month is used up.");
            }
            // Only a reset that takes effect uses one of the month.
            _ if is_clear && !code.may_have_acted() => self.put_back(account, key),
            _ => {}
        }
    }

    async fn exhausted(&self, account: &AppId, key: QuotaKey, code: ErrorCode) {
        let slot = self.slot(account, key);
        let (is_news, used, returns_at) = {
            let (now, mut state) = (self.now(), slot.state());
            let used = state.count().used();
            let is_news = state.exhausted(now);
            let returns_at = state.obstacle(now).map(|(_, returns_at)| returns_at);
            (is_news, used, returns_at.unwrap_or(now.wall))
        };
        self.parts.counters.add(Counter::QuotasUsedUp);
        tracing::error!(account = %account, quota = %key, error_code = code.0, used,
            returns_at = %calendar::in_beijing(returns_at),
            "The platform refused a call: its quota is used up. Calls fail at once until it returns.");
        if is_news {
            self.tell_store(&slot).await;
        }
    }

    /// A random part of the longest delay, so that not all processes go on in the same moment.
    fn jitter(&self) -> Duration {
        let mut random = [0; 2];
        // Without randomness the delay is the shortest.
        let _ = getrandom::fill(&mut random);
        self.parts.settings.jitter * u32::from(u16::from_be_bytes(random)) / u32::from(u16::MAX)
    }

    fn now(&self) -> Now {
        now(&*self.parts.clock)
    }

    fn slot(&self, account: &AppId, key: QuotaKey) -> Arc<Slot> {
        let slots = self.slots.read().unwrap_or_else(|e| e.into_inner());
        if let Some(slot) = slots.get(account).and_then(|slots| slots.get(&key)) {
            return Arc::clone(slot);
        }
        drop(slots);
        let mut slots = self.slots.write().unwrap_or_else(|e| e.into_inner());
        let of_account = slots.entry(account.clone()).or_default();
        let made = || Arc::new(self.make_slot(account, key));
        Arc::clone(of_account.entry(key).or_insert_with(made))
    }

    fn make_slot(&self, account: &AppId, key: QuotaKey) -> Slot {
        let settings = &self.parts.settings;
        let limits = settings.accounts.get(account).cloned().unwrap_or_default();
        let rules = Rules {
            key,
            calendar: settings.calendar,
            published: key.row().and_then(|row| limits.published(row)),
            set: limits.limits.get(&key).copied(),
            per_minute: key.row().and_then(|row| row.per_minute),
            reserve_percent: settings.reserve_percent.min(100),
            ask_every: settings.ask_every.max(SHORTEST_ASK_EVERY),
        };
        Slot {
            account: account.clone(),
            key,
            state: Mutex::new(State::new(rules, self.now())),
            turn: Arc::default(),
        }
    }

    /// Every slot, of one account or of all, in the order of names.
    fn all_slots(&self, account: Option<&AppId>) -> Vec<Arc<Slot>> {
        let slots = self.slots.read().unwrap_or_else(|e| e.into_inner());
        let meant = slots
            .iter()
            .filter(|(of, _)| account.is_none_or(|account| account == *of));
        let mut meant: Vec<_> = meant.flat_map(|(_, keys)| keys.values().cloned()).collect();
        meant.sort_by(|a, b| (a.account.as_str(), a.key).cmp(&(b.account.as_str(), b.key)));
        meant
    }

    /// Has a block reserved, in a task of its own: one that stops waiting leaves no block behind.
    async fn ask(&self, slot: &Arc<Slot>, purpose: Purpose) -> Result<(), Exhausted> {
        let turn = match Arc::clone(&slot.turn).try_lock_owned() {
            Ok(turn) => turn,
            // One of all sees whether the store answers again; the others do not wait for that.
            Err(_) if slot.state().store_failed() => return slot.alone(self.now(), purpose),
            Err(_) => Arc::clone(&slot.turn).lock_owned().await,
        };
        let mine = Arc::clone(slot);
        let (store, clock) = (Arc::clone(&self.parts.store), Arc::clone(&self.parts.clock));
        let counters = Arc::clone(&self.parts.counters);
        let asked = tokio::spawn(async move {
            let _turn = turn;
            match mine.step(now(&*clock), purpose, true) {
                Step::Ask(period, asked) => {
                    mine.contact(&*store, &*clock, &counters, (&period, asked))
                        .await;
                    mine.alone(now(&*clock), purpose)
                }
                // Whoever had the turn before brought enough for this one too.
                step => mine.outcome(step),
            }
        });
        match asked.await {
            Ok(outcome) => outcome,
            Err(_ended) => slot.alone(self.now(), purpose),
        }
    }

    /// Tells the store what it does not know of a key.
    async fn tell_store(&self, slot: &Slot) {
        let _turn = slot.turn.lock().await;
        let (period, news) = {
            let state = slot.state();
            (state.period().name.clone(), state.count().news())
        };
        let (store, clock) = (&*self.parts.store, &*self.parts.clock);
        slot.contact(store, clock, &self.parts.counters, (&period, news))
            .await;
    }
}

impl Slot {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn key_of(&self, period: &str) -> CounterKey {
        CounterKey {
            account: self.account.clone(),
            period: period.to_owned(),
            counter: self.key.name().to_owned(),
        }
    }

    /// Counts one call, and says so when a threshold is passed.
    fn step(&self, now: Now, purpose: Purpose, may_ask: bool) -> Step {
        let (step, passed) = {
            let mut state = self.state();
            let step = state.take(now, purpose, may_ask);
            (step, state.passed())
        };
        if let Some(passed) = passed {
            self.tell(passed);
        }
        step
    }

    /// Says that a threshold was passed.
    fn tell(&self, passed: Passed) {
        let (percent, used, limit) = (passed.percent, passed.used, passed.limit);
        let (account, quota) = (&self.account, self.key);
        match percent {
            100.. => tracing::error!(%account, %quota, used, limit,
                "A quota is used up. Calls fail at once until it returns, or is cleared."),
            90.. => tracing::warn!(%account, %quota, used, limit,
                "90 percent of a quota are used."),
            _ => tracing::info!(%account, %quota, used, limit,
                "70 percent of a quota are used."),
        }
    }

    /// Counts one call without asking anybody.
    fn alone(&self, now: Now, purpose: Purpose) -> Result<(), Exhausted> {
        let step = self.step(now, purpose, false);
        self.outcome(step)
    }

    fn outcome(&self, step: Step) -> Result<(), Exhausted> {
        match step {
            // Who asks nobody is not sent to ask.
            Step::Taken | Step::Ask(..) => Ok(()),
            Step::Refused { limit, returns_at } => Err(Exhausted {
                account: self.account.clone(),
                key: self.key,
                limit,
                used: self.state().count().used(),
                returns_at,
            }),
        }
    }

    /// One step with the store, whose turn the caller has.
    async fn contact(
        &self,
        store: &dyn Counters,
        clock: &dyn Clock,
        counters: &metric::Counters,
        (period, asked): (&str, Reservation),
    ) {
        let key = self.key_of(period);
        let answer = within(store.reserve(&key, asked)).await;
        let reserved = answer.as_ref().ok().copied();
        let changed = self.state().answered((period, asked), reserved, now(clock));
        let (account, quota) = (&self.account, self.key);
        match answer {
            Ok(_) if changed => tracing::info!(%account, %quota,
                "The store of counts answers again; it knows now what was counted meanwhile."),
            Ok(_) => {}
            Err(error) => {
                counters.add(Counter::QuotaStoreFailures);
                if changed {
                    tracing::warn!(%account, %quota, error = %error,
                        "The store of counts does not answer; calls are counted in memory meanwhile.");
                }
            }
        }
    }
}

/// One step of the store, which must not take long.
async fn within<T>(step: Counted<'_, T>) -> Result<T, CountersError> {
    match tokio::time::timeout(STORE_LIMIT, step).await {
        Ok(outcome) => outcome,
        Err(_elapsed) => Err(CountersError::away("it did not answer within a second")),
    }
}
