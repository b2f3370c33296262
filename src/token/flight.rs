//! One question under way, however many wait for its answer.

use std::sync::{Mutex, MutexGuard};

use tokio::sync::watch;
use tokio::task::JoinSet;

/// The question under way. It runs on its own: one who stops waiting does not stop it; dropping the
/// flight does.
#[derive(Debug)]
pub(crate) struct Flight<T>(Mutex<State<T>>);

#[derive(Debug)]
struct State<T> {
    under_way: Option<watch::Receiver<Option<T>>>,
    tasks: JoinSet<()>,
}

impl<T> Default for Flight<T> {
    fn default() -> Self {
        Self(Mutex::new(State {
            under_way: None,
            tasks: JoinSet::new(),
        }))
    }
}

impl<T: Clone + Send + Sync + 'static> Flight<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Waits for the question under way, or for the one that `ask` makes. `None` when it was broken
    /// off. Must be called within a tokio runtime.
    pub(crate) async fn join<F>(&self, ask: impl FnOnce() -> F) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut waiting = self.board(ask);
        match waiting.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone(),
            Err(_broken_off) => None,
        }
    }

    fn board<F>(&self, ask: impl FnOnce() -> F) -> watch::Receiver<Option<T>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut state = self.state();
        while state.tasks.try_join_next().is_some() {}
        let under_way = state.under_way.clone().filter(|waiting| {
            let landed = waiting.borrow().is_some();
            !landed && waiting.has_changed().is_ok()
        });
        under_way.unwrap_or_else(|| {
            let (done, waiting) = watch::channel(None);
            let asking = ask();
            state.tasks.spawn(async move {
                // Nobody waiting is no matter.
                let _ = done.send(Some(asking.await));
            });
            state.under_way = Some(waiting.clone());
            waiting
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn all_who_come_while_it_is_under_way_share_one_answer() {
        let flight = Flight::default();
        let asked = Arc::new(AtomicU32::new(0));
        let ask = || {
            let asked = Arc::clone(&asked);
            async move {
                tokio::time::sleep(Duration::from_secs(2)).await;
                asked.fetch_add(1, Ordering::Relaxed) + 1
            }
        };
        let answers = join_all((0..500).map(|_| flight.join(ask))).await;
        assert!(answers.iter().all(|answer| *answer == Some(1)));
        assert_eq!(flight.join(ask).await, Some(2), "the next question is new");
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_stops_waiting_does_not_stop_it() {
        let flight = Flight::default();
        let ask = || async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            7
        };
        let impatient = tokio::time::timeout(Duration::from_secs(1), flight.join(ask)).await;
        assert!(impatient.is_err());
        assert_eq!(flight.join(|| async { 8 }).await, Some(7));
    }
}
