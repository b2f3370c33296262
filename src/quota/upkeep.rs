//! What happens beside the calls: the start, the platform's numbers, clears, the end, and what is shown.

use std::sync::Arc;

use futures_util::future::join_all;

use super::key::{QuotaKey, Span};
use super::slot::Change;
use super::status::KeyStatus;
use super::{Figures, Quotas, Slot, within};
use crate::clock::Timestamp;
use crate::id::AppId;
use crate::metric::Counter;
use crate::store::counters::{CounterKey, CountersError, Reservation};

/// Tries of setting a count anew that others keep changing.
const STEPS: usize = 16;

/// What the platform is to be asked: how much of a key is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Whose.
    pub account: AppId,
    /// Of what.
    pub key: QuotaKey,
    /// The path to ask about.
    pub path: &'static str,
}

impl Quotas {
    /// Finds what was counted today and this month before this process began, so that what is used up
    /// is not tried again.
    ///
    /// # Errors
    /// [`CountersError`] when the store does not answer; counting goes on all the same.
    pub async fn load(&self, accounts: &[AppId]) -> Result<(), CountersError> {
        let now = self.now();
        let calendar = self.parts.settings.calendar;
        let today = calendar.period(Span::Day, now.wall);
        for account in accounts {
            for span in [Span::Day, Span::Month] {
                let period = calendar.period(span, now.wall).name;
                for (counter, total) in within(self.parts.store.counts(account, &period)).await? {
                    if let Some(key) = QuotaKey::find(&counter).filter(|key| key.span() == span) {
                        let slot = self.slot(account, key);
                        slot.state().listed(&period, total, now);
                    }
                }
            }
            if now.wall < today.begins.after(calendar.grace) {
                self.hold_what_ended(account, today.begins).await?;
            }
        }
        Ok(())
    }

    /// What was used up when the day began is not open before the grace has passed.
    async fn hold_what_ended(
        &self,
        account: &AppId,
        began: Timestamp,
    ) -> Result<(), CountersError> {
        let before = Timestamp::from_milliseconds(began.milliseconds() - 1);
        let period = self.parts.settings.calendar.period(Span::Day, before).name;
        for (counter, total) in within(self.parts.store.counts(account, &period)).await? {
            if let Some(key) = QuotaKey::find(&counter) {
                let slot = self.slot(account, key);
                let mut state = slot.state();
                let was_full = state.limit().is_some_and(|(limit, _)| total >= limit);
                state.hold(was_full);
            }
        }
        Ok(())
    }

    /// The keys in use about which the platform is to be asked now. They count as asked.
    pub fn questions(&self) -> Vec<Question> {
        let now = self.now();
        let question = |slot: Arc<Slot>| {
            let path = slot.key.row()?.paths.first()?;
            slot.state().is_due(now).then(|| Question {
                account: slot.account.clone(),
                key: slot.key,
                path,
            })
        };
        self.all_slots(None)
            .into_iter()
            .filter_map(question)
            .collect()
    }

    /// Takes the platform's numbers of a key, asked for at `asked_at`: its answer wins.
    pub async fn learned(
        &self,
        account: &AppId,
        key: QuotaKey,
        figures: Figures,
        asked_at: Timestamp,
    ) {
        let slot = self.slot(account, key);
        let change = slot.state().learned(figures, asked_at, self.now());
        tracing::debug!(account = %account, quota = %key, used = figures.used,
            limit = figures.daily_limit, "The platform told how much of a quota is used.");
        match change {
            Change::Nothing => {}
            Change::Raise => self.tell_store(&slot).await,
            Change::Lower {
                period,
                expected,
                new,
            } => {
                let _turn = slot.turn.lock().await;
                let counter = slot.key_of(&period);
                let replaced = within(self.parts.store.replace(&counter, expected, new)).await;
                if matches!(replaced, Ok(true)) {
                    slot.state().lowered(&period, new);
                    tracing::info!(account = %account, quota = %key, used = figures.used,
                        counted = expected,
                        "The platform counts fewer calls than wxhook did; its count is taken over.");
                }
            }
        }
    }

    /// The platform has no numbers of this key: it is not asked again today.
    pub fn is_not_known_there(&self, account: &AppId, key: QuotaKey) {
        self.slot(account, key).state().is_not_known_there();
    }

    /// The platform reset the counts of an account: of one key, or of all that are counted by day.
    ///
    /// # Errors
    /// [`CountersError`] when the store does not know it: other processes then find it with the
    /// platform's next numbers.
    pub async fn cleared(
        &self,
        account: &AppId,
        key: Option<QuotaKey>,
    ) -> Result<(), CountersError> {
        self.parts.counters.add(Counter::QuotaClears);
        let today = self.today();
        let listed = within(self.parts.store.counts(account, &today)).await;
        let names = listed.iter().flatten().map(|(counter, _)| counter.as_str());
        let mut keys: Vec<QuotaKey> = names.filter_map(QuotaKey::find).collect();
        keys.extend(self.all_slots(Some(account)).iter().map(|slot| slot.key));
        keys.sort();
        keys.dedup();
        keys.retain(|found| found.span() == Span::Day && key.is_none_or(|key| key == *found));
        let mut outcome = listed.map(drop);
        for key in keys {
            let slot = self.slot(account, key);
            let _turn = slot.turn.lock().await;
            slot.state().cleared(self.now());
            outcome = outcome.and(self.set_to_zero(&slot.key_of(&today)).await);
        }
        outcome
    }

    async fn set_to_zero(&self, counter: &CounterKey) -> Result<(), CountersError> {
        let store = &self.parts.store;
        for _ in 0..STEPS {
            let found = within(store.reserve(counter, Reservation::default())).await?;
            if found.total == 0 || within(store.replace(counter, found.total, 0)).await? {
                return Ok(());
            }
        }
        Err(CountersError::away("others keep changing the count"))
    }

    /// Gives back what is reserved and not used, and tells the store what it does not know. For the end
    /// of the process: after it, counts are exact.
    pub async fn close(&self) {
        let slots = self.all_slots(None);
        join_all(slots.iter().map(|slot| self.close_slot(slot))).await;
    }

    async fn close_slot(&self, slot: &Slot) {
        if slot.state().count().has_news() {
            self.tell_store(slot).await;
        }
        let _turn = slot.turn.lock().await;
        let (period, left, known) = {
            let mut state = slot.state();
            let known = state.count().total();
            (state.period().name.clone(), state.take_block(), known)
        };
        if left > 0 {
            // A block that stays is counted as used: no harm.
            drop(
                within(
                    self.parts
                        .store
                        .give_back(&slot.key_of(&period), left, known),
                )
                .await,
            );
        }
    }

    /// What is known of an account's keys: those in use, and the clears of this month.
    pub async fn status(&self, account: &AppId) -> Vec<KeyStatus> {
        for key in [QuotaKey::CLEAR_ALL, QuotaKey::CLEAR_ONE] {
            drop(self.slot(account, key));
        }
        // What others counted since; a store that is away leaves what is known here.
        drop(self.load(std::slice::from_ref(account)).await);
        let now = self.now();
        let slots = self.all_slots(Some(account));
        slots.iter().map(|slot| slot.status(now)).collect()
    }

    /// Which keys refuse calls now for the rest of a day or month, as far as is known here. Asks nobody.
    pub fn used_up(&self) -> Vec<(AppId, KeyStatus)> {
        let now = self.now();
        let used_up = |slot: Arc<Slot>| {
            let status = slot.status(now);
            let (limit, _) = status.obstacle?;
            let lasts = matches!(limit, super::Limit::Day | super::Limit::Month);
            lasts.then(|| (slot.account.clone(), status))
        };
        let slots = self.all_slots(None);
        slots.into_iter().filter_map(used_up).collect()
    }

    pub(super) fn today(&self) -> String {
        let calendar = self.parts.settings.calendar;
        calendar.period(Span::Day, self.now().wall).name
    }
}

impl Slot {
    fn status(&self, now: super::Now) -> KeyStatus {
        let mut state = self.state();
        let obstacle = state.obstacle(now);
        KeyStatus {
            key: self.key,
            span: self.key.span(),
            period: state.period().name.clone(),
            limit: state.limit(),
            used: state.count().used(),
            reserved: state.count().left(),
            platform: state.figures().copied(),
            obstacle,
            rate: state.rate(now),
            store_is_away: state.store_failed(),
        }
    }
}
