//! Counts in memory: for one process, and the executable model of a store of counts.

use std::collections::BTreeMap;
use std::fmt;
use std::future::ready;
use std::sync::{Arc, Mutex};

use crate::clock::{Clock, Timestamp};
use crate::id::AppId;
use crate::store::counters::{Counted, CounterKey, Counters, KEPT, Reservation, Reserved};

/// Counts that end with the process.
pub struct MemoryCounters {
    clock: Arc<dyn Clock>,
    counts: Mutex<BTreeMap<CounterKey, (u64, Timestamp)>>,
}

impl MemoryCounters {
    /// An empty store.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            counts: Mutex::default(),
        })
    }

    /// Sets a count to what `becomes` of it, which may leave it as it is by giving nothing.
    fn step<'a, T: Send + 'a>(
        &'a self,
        key: &CounterKey,
        becomes: impl FnOnce(u64) -> (Option<u64>, T),
    ) -> Counted<'a, T> {
        let now = self.clock.now();
        let mut counts = self.counts.lock().unwrap_or_else(|e| e.into_inner());
        let (new, outcome) = becomes(counts.get(key).map_or(0, |(total, _)| *total));
        if let Some(new) = new
            && counts.insert(key.clone(), (new, now)).is_none()
        {
            counts.retain(|_, (_, written)| now.since(*written) < KEPT);
        }
        Box::pin(ready(Ok(outcome)))
    }
}

impl fmt::Debug for MemoryCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCounters").finish_non_exhaustive()
    }
}

impl Counters for MemoryCounters {
    fn durability(&self) -> &'static str {
        "memory: counts end with this process, and no other process shares them"
    }

    fn reserve<'a>(&'a self, key: &'a CounterKey, asked: Reservation) -> Counted<'a, Reserved> {
        self.step(key, |total| {
            let reserved = asked.beside(total);
            (
                (reserved.total != total).then_some(reserved.total),
                reserved,
            )
        })
    }

    fn give_back<'a>(&'a self, key: &'a CounterKey, amount: u64, known: u64) -> Counted<'a, ()> {
        self.step(key, |total| {
            let left = total.saturating_sub(amount);
            ((total >= known && total > 0).then_some(left), ())
        })
    }

    fn replace<'a>(&'a self, key: &'a CounterKey, expected: u64, new: u64) -> Counted<'a, bool> {
        self.step(key, |total| {
            let is_expected = total == expected;
            ((is_expected && new != total).then_some(new), is_expected)
        })
    }

    fn counts<'a>(
        &'a self,
        account: &'a AppId,
        period: &'a str,
    ) -> Counted<'a, Vec<(String, u64)>> {
        let counts = self.counts.lock().unwrap_or_else(|e| e.into_inner());
        let meant = |(key, _): &(&CounterKey, &(u64, Timestamp))| {
            key.account == *account && key.period == period
        };
        let meant = counts.iter().filter(meant);
        let listed = meant.map(|(key, (total, _))| (key.counter.clone(), *total));
        Box::pin(ready(Ok(listed.collect())))
    }
}
