//! What these tests share: an account, a clock at an hour in Beijing, and quotas over a store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use wxhook::clock::{Clock, ManualClock, Timestamp};
use wxhook::id::AppId;
use wxhook::quota::{
    AccountLimits, Exhausted, KeyStatus, Purpose, QuotaKey, QuotaParts, Quotas, Settings,
};
use wxhook::store::counters::{CounterKey, Counters, Reservation};
use wxhook::store::memory_counters::MemoryCounters;

pub(crate) const SEND: QuotaKey = QuotaKey::CUSTOM_SEND;

pub(crate) fn account() -> AppId {
    AppId::parse("wx0123456789abcdef").unwrap()
}

/// A moment, as RFC 3339 writes it.
pub(crate) fn at(text: &str) -> Timestamp {
    let at: jiff::Timestamp = text.parse().unwrap();
    Timestamp::from_milliseconds(at.as_millisecond())
}

pub(crate) fn clock_at(text: &str) -> Arc<ManualClock> {
    let clock = ManualClock::at(0);
    clock.set_wall(at(text));
    Arc::new(clock)
}

/// Settings in which the account has these limits.
pub(crate) fn limited(limits: &[(QuotaKey, u64)]) -> Settings {
    let limits = AccountLimits {
        limits: limits.iter().copied().collect(),
        ..AccountLimits::default()
    };
    Settings {
        accounts: BTreeMap::from([(account(), limits)]),
        jitter: Duration::ZERO,
        ..Settings::default()
    }
}

pub(crate) fn quotas(
    store: &Arc<dyn Counters>,
    clock: &Arc<dyn Clock>,
    settings: Settings,
) -> Quotas {
    Quotas::new(QuotaParts {
        store: Arc::clone(store),
        clock: Arc::clone(clock),
        counters: Arc::default(),
        settings,
    })
}

/// Quotas alone in the world, at an hour in Beijing.
pub(crate) struct Stage {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Arc<dyn Counters>,
    pub(crate) quotas: Quotas,
}

impl Stage {
    pub(crate) fn new(at: &str, settings: Settings) -> Self {
        let clock = clock_at(at);
        let store = MemoryCounters::new(clock.clone()) as Arc<dyn Counters>;
        let quotas = quotas(&store, &(clock.clone() as Arc<dyn Clock>), settings);
        Self {
            clock,
            store,
            quotas,
        }
    }

    /// Another process that shares the counts.
    pub(crate) fn another(&self, settings: Settings) -> Quotas {
        quotas(
            &self.store,
            &(self.clock.clone() as Arc<dyn Clock>),
            settings,
        )
    }

    /// Calls until one is refused, or there were so many.
    pub(crate) async fn calls(&self, key: QuotaKey, most: u64) -> (u64, Option<Exhausted>) {
        calls(&self.quotas, key, Purpose::Interactive, most).await
    }

    pub(crate) async fn status(&self, key: QuotaKey) -> KeyStatus {
        let found = self.quotas.status(&account()).await;
        found.into_iter().find(|status| status.key == key).unwrap()
    }

    pub(crate) async fn stored(&self, period: &str, key: QuotaKey) -> u64 {
        stored(&*self.store, period, key).await
    }

    pub(crate) fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

pub(crate) async fn calls(
    quotas: &Quotas,
    key: QuotaKey,
    purpose: Purpose,
    most: u64,
) -> (u64, Option<Exhausted>) {
    for made in 0..most {
        if let Err(exhausted) = quotas.take(&account(), key, purpose).await {
            return (made, Some(exhausted));
        }
    }
    (most, None)
}

pub(crate) async fn stored(store: &dyn Counters, period: &str, key: QuotaKey) -> u64 {
    let counter = CounterKey {
        account: account(),
        period: period.to_owned(),
        counter: key.name().to_owned(),
    };
    let read = store.reserve(&counter, Reservation::default()).await;
    read.unwrap().total
}
