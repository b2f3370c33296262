//! Who may send next: whoever's window closes first, and nobody waits for ever.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::oneshot;

/// How long somebody whose window stays open longer is overtaken at most. One whose window is open for a
/// minute passes; but no window that is opened a minute after this wait began.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// Slots for messages that are being sent at the same time. A free one goes to whoever must be through
/// first: the moment when the window closes, at most [`LONGEST_WAIT`] after the wait began; among equals
/// to who came first.
pub(crate) struct SendSlots {
    state: Arc<Mutex<State>>,
}

struct State {
    free: usize,
    /// Waits that have begun.
    waits: u64,
    /// By deadline on the monotonic clock, then in order. Whoever stopped waiting is found out when it
    /// would be its turn.
    waiting: BTreeMap<(Duration, u64), oneshot::Sender<SendSlot>>,
}

/// The right to send one message. Dropped, it goes to the next.
pub(crate) struct SendSlot {
    state: Option<Arc<Mutex<State>>>,
}

impl SendSlots {
    pub(crate) fn new(slots: usize) -> Self {
        let state = State {
            free: slots.max(1),
            waits: 0,
            waiting: BTreeMap::new(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// A slot, if one is free now. Nobody waits then.
    pub(crate) fn free(&self) -> Option<SendSlot> {
        let mut state = lock(&self.state);
        state.free = state.free.checked_sub(1)?;
        drop(state);
        Some(self.slot())
    }

    /// A slot, when it is one's turn. `left` is the time until the window closes, if that is known.
    pub(crate) async fn take(&self, now: Duration, left: Option<Duration>) -> SendSlot {
        let turn = {
            let mut state = lock(&self.state);
            if let Some(free) = state.free.checked_sub(1) {
                state.free = free;
                drop(state);
                return self.slot();
            }
            let left = left.map_or(LONGEST_WAIT, |left| left.min(LONGEST_WAIT));
            let place = (now.saturating_add(left), state.waits);
            state.waits += 1;
            let (call, turn) = oneshot::channel();
            state.waiting.insert(place, call);
            turn
        };
        // Calls are only dropped with the slots themselves.
        turn.await.unwrap_or(SendSlot { state: None })
    }

    /// How many are free.
    pub(crate) fn count_free(&self) -> usize {
        lock(&self.state).free
    }

    fn slot(&self) -> SendSlot {
        SendSlot {
            state: Some(Arc::clone(&self.state)),
        }
    }
}

impl Drop for SendSlot {
    fn drop(&mut self) {
        let Some(state) = self.state.take() else {
            return;
        };
        loop {
            let mut waiting = lock(&state);
            let Some((_, call)) = waiting.waiting.pop_first() else {
                waiting.free += 1;
                return;
            };
            drop(waiting);
            let slot = Self {
                state: Some(Arc::clone(&state)),
            };
            let Err(mut unheard) = call.send(slot) else {
                return;
            };
            // Whoever waited is gone: the next one.
            unheard.state = None;
        }
    }
}

impl fmt::Debug for SendSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SendSlot")
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(|e| e.into_inner())
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const NOW: Duration = Duration::from_secs(1_000);

    fn seconds(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    #[tokio::test]
    async fn a_free_slot_goes_to_whoever_must_be_through_first() {
        let slots = SendSlots::new(1);
        let held = slots.free().unwrap();
        assert!(slots.free().is_none());
        let order = Mutex::new(Vec::new());
        let wait = async |name: &'static str, now: Duration, left| {
            let slot = slots.take(now, left).await;
            order.lock().unwrap().push(name);
            drop(slot);
        };
        let mut waits = vec![
            Box::pin(wait("two days, first", NOW, seconds(172_800))),
            Box::pin(wait("two days, second", NOW, seconds(172_800))),
            Box::pin(wait("not known", NOW, None)),
            Box::pin(wait("a minute", NOW, seconds(60))),
            Box::pin(wait("a second", NOW, seconds(1))),
            Box::pin(wait(
                "a minute, later",
                NOW + Duration::from_secs(61),
                seconds(60),
            )),
        ];
        for wait in &mut waits {
            assert!(wait.now_or_never().is_none());
        }
        drop(held);
        futures_util::future::join_all(waits).await;
        assert_eq!(
            *order.lock().unwrap(),
            [
                "a second",
                "a minute",
                "two days, first",
                "two days, second",
                "not known",
                "a minute, later"
            ]
        );
        assert_eq!(slots.count_free(), 1);
    }

    #[tokio::test]
    async fn whoever_stops_waiting_takes_no_slot_away() {
        let slots = SendSlots::new(1);
        let held = slots.free().unwrap();
        let mut gone: Vec<_> = (0..10_000)
            .map(|_| Box::pin(slots.take(NOW, None)))
            .collect();
        for wait in &mut gone {
            assert!(wait.now_or_never().is_none());
        }
        let last = gone.pop().unwrap();
        drop(gone);
        drop(held);
        let slot = last.await;
        assert_eq!(slots.count_free(), 0);
        drop(slot);
        assert_eq!(slots.count_free(), 1);

        let held = slots.free().unwrap();
        let mut called = Box::pin(slots.take(NOW, None));
        assert!((&mut called).now_or_never().is_none());
        drop(held);
        drop(called);
        assert_eq!(
            slots.count_free(),
            1,
            "a slot that was called for and not fetched"
        );
    }
}
