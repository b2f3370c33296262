//! How many pushes may be in the store's hands at once, so that each of them is stored in time.
//!
//! A queue that is longer than the store can work off within the requests' budget makes *every* push
//! late: it is stored after its request was given up. So the gate lets in as many as the store has
//! lately shown to work off in an eighth of the budget. The others wait, the newest is let in first
//! (the oldest has the least time left), and a bounded number of them: the oldest go when it is full.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::rejection::Rejection;
use crate::store::QUEUE_ROOM;

/// So many are let in however slow the store is: without them nobody would learn that it is quick again.
pub(super) const FEWEST: usize = 16;
/// Requests that wait at the gate at most.
pub(super) const WAITING: usize = 1_024;
/// One account may have so many places for each one that is free, when there are others: however many push,
/// a free place is left for who does not.
const SHARE: usize = 8;

/// The gate before the store, for all accounts of a process.
#[derive(Debug)]
pub(super) struct Gate {
    /// How long a push may be in the store's hands when all is well.
    aim: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limit: usize,
    taken: usize,
    lines: Vec<Line>,
}

/// One account's pushes.
#[derive(Debug, Default)]
struct Line {
    taken: usize,
    /// Oldest first.
    waiting: VecDeque<oneshot::Sender<Place>>,
}

/// The right to hand one push to the store. Dropping it gives the place back.
#[derive(Debug)]
pub(super) struct Place {
    gate: Arc<Gate>,
    account: usize,
    /// Pushes in the store's hands, with this one.
    number: usize,
    since: Instant,
    is_served: bool,
}

impl Gate {
    /// For so many accounts, and requests with this budget.
    pub(super) fn new(accounts: usize, request_budget: Duration) -> Arc<Self> {
        let lines = (0..accounts).map(|_| Line::default()).collect();
        Arc::new(Self {
            aim: request_budget / 8,
            state: Mutex::new(State {
                limit: QUEUE_ROOM,
                taken: 0,
                lines,
            }),
        })
    }

    /// Takes a place for a push of this account; waits for one until the deadline.
    ///
    /// # Errors
    /// [`Rejection::Overloaded`] when there was none, or too many wait for one.
    pub(super) async fn enter(
        self: &Arc<Self>,
        account: usize,
        deadline: Instant,
    ) -> Result<Place, Rejection> {
        let turn = {
            let mut state = self.lock();
            match state.take(account) {
                Some(number) => return Ok(self.place(account, number)),
                None => state.wait(account),
            }
        };
        match timeout_at(deadline, turn).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(Rejection::Overloaded),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn place(self: &Arc<Self>, account: usize, number: usize) -> Place {
        Place {
            gate: Arc::clone(self),
            account,
            number,
            since: Instant::now(),
            is_served: false,
        }
    }

    fn give_back(self: &Arc<Self>, place: &Place) {
        let mut turns = Vec::new();
        {
            let mut state = self.lock();
            if place.is_served {
                state.learn(place.number, place.since.elapsed(), self.aim);
            }
            state.taken -= 1;
            state.lines[place.account].taken -= 1;
            while let Some(turn) = state.next() {
                turns.push(turn);
            }
        }
        for (account, number, turn) in turns {
            // Who stopped waiting at this moment gives the place back by dropping it.
            drop(turn.send(self.place(account, number)));
        }
    }
}

impl Place {
    /// The store has answered: how long it took tells how many it can have at once.
    pub(super) fn served(mut self) {
        self.is_served = true;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let gate = Arc::clone(&self.gate);
        gate.give_back(self);
    }
}

impl State {
    fn may_take(&self, account: usize) -> bool {
        let free = self.limit.saturating_sub(self.taken);
        let share = free.saturating_mul(SHARE);
        free > 0 && (self.lines.len() == 1 || self.lines[account].taken < share)
    }

    fn take(&mut self, account: usize) -> Option<usize> {
        if !self.may_take(account) {
            return None;
        }
        self.taken += 1;
        self.lines[account].taken += 1;
        Some(self.taken)
    }

    fn wait(&mut self, account: usize) -> oneshot::Receiver<Place> {
        let (turn, wait) = oneshot::channel();
        let line = &mut self.lines[account];
        while line.waiting.front().is_some_and(oneshot::Sender::is_closed) {
            line.waiting.pop_front();
        }
        line.waiting.push_back(turn);
        let waiting: usize = self.lines.iter().map(|line| line.waiting.len()).sum();
        if waiting > WAITING
            && let Some(longest) = self.lines.iter_mut().max_by_key(|line| line.waiting.len())
        {
            longest.waiting.pop_front();
        }
        wait
    }

    /// Takes a place for the newest of those that wait, of the account that has the fewest.
    fn next(&mut self) -> Option<(usize, usize, oneshot::Sender<Place>)> {
        for line in &mut self.lines {
            while line.waiting.back().is_some_and(oneshot::Sender::is_closed) {
                line.waiting.pop_back();
            }
        }
        let account = (0..self.lines.len())
            .filter(|account| !self.lines[*account].waiting.is_empty() && self.may_take(*account))
            .min_by_key(|account| self.lines[*account].taken)?;
        let number = self.take(account)?;
        let turn = self.lines[account].waiting.pop_back()?;
        Some((account, number, turn))
    }

    /// In a queue the last of `number` waits in proportion to them: so many fit into the aim.
    fn learn(&mut self, number: usize, waited: Duration, aim: Duration) {
        if waited > aim {
            let fit = number as f64 * (aim.as_secs_f64() / waited.as_secs_f64());
            self.limit = self.limit.min((fit as usize).max(FEWEST));
        } else if waited < aim / 2 && number >= self.limit / 2 {
            self.limit = (self.limit + 1).min(QUEUE_ROOM);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Future, poll_fn};
    use std::pin::Pin;
    use std::task::Poll;

    use super::*;

    const BUDGET: Duration = Duration::from_secs(4);

    /// Looks at it once.
    async fn look(entering: &mut Entering<'_>) -> Poll<Result<Place, Rejection>> {
        poll_fn(|context| Poll::Ready(entering.as_mut().poll(context))).await
    }

    fn limited(accounts: usize, limit: usize) -> Arc<Gate> {
        let gate = Gate::new(accounts, BUDGET);
        gate.lock().limit = limit;
        gate
    }

    /// The place, if there is one at once.
    async fn at_once(gate: &Arc<Gate>, account: usize) -> Option<Place> {
        let mut entering: Entering<'_> = Box::pin(gate.enter(account, Instant::now() + BUDGET));
        match look(&mut entering).await {
            Poll::Ready(place) => Some(place.unwrap()),
            Poll::Pending => None,
        }
    }

    async fn fill(gate: &Arc<Gate>, account: usize) -> Vec<Place> {
        let mut places = Vec::new();
        while let Some(place) = at_once(gate, account).await {
            places.push(place);
        }
        places
    }

    type Entering<'g> = Pin<Box<dyn Future<Output = Result<Place, Rejection>> + 'g>>;

    /// One that waits, and has been looked at, so that it stands in the line.
    async fn waiting(gate: &Arc<Gate>, account: usize) -> Entering<'_> {
        let mut entering: Entering<'_> = Box::pin(gate.enter(account, Instant::now() + BUDGET));
        assert!(look(&mut entering).await.is_pending());
        entering
    }

    #[tokio::test(start_paused = true)]
    async fn beyond_the_limit_one_waits_for_its_budget_at_most_and_the_newest_goes_first() {
        let gate = limited(1, 2);
        let mut places = fill(&gate, 0).await;
        assert_eq!(places.len(), 2);
        let began = Instant::now();
        assert!(gate.enter(0, began + BUDGET).await.is_err());
        assert_eq!(began.elapsed(), BUDGET);

        let mut older = waiting(&gate, 0).await;
        let mut newer = waiting(&gate, 0).await;
        places.pop();
        assert!(look(&mut older).await.is_pending());
        let Poll::Ready(Ok(place)) = look(&mut newer).await else {
            panic!("the newest is let in");
        };
        drop(place);
        assert!(look(&mut older).await.is_ready());
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_given_to_one_who_left_is_free_again() {
        let gate = limited(1, 1);
        let place = at_once(&gate, 0).await.unwrap();
        let left = waiting(&gate, 0).await;
        drop(place);
        drop(left);
        assert_eq!(gate.lock().taken, 0);
        let place = at_once(&gate, 0).await.unwrap();
        drop(waiting(&gate, 0).await);
        drop(place);
        assert_eq!(gate.lock().taken, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_wait_and_then_the_oldest_is_turned_away() {
        let gate = limited(1, 1);
        let _place = at_once(&gate, 0).await.unwrap();
        let mut oldest = waiting(&gate, 0).await;
        let mut others = Vec::new();
        for _ in 1..WAITING {
            others.push(waiting(&gate, 0).await);
        }
        assert!(look(&mut oldest).await.is_pending());
        others.push(waiting(&gate, 0).await);
        assert!(matches!(look(&mut oldest).await, Poll::Ready(Err(_))));
        assert!(look(&mut others[0]).await.is_pending());
    }

    #[tokio::test(start_paused = true)]
    async fn no_account_takes_the_last_place_from_the_others() {
        let gate = limited(3, 90);
        let first = fill(&gate, 0).await;
        assert_eq!(first.len(), 80, "eight for each that is free");
        let second = fill(&gate, 1).await;
        assert!(!second.is_empty());
        let third = fill(&gate, 2).await;
        assert!(!third.is_empty(), "{} and {}", first.len(), second.len());
        assert_eq!(fill(&limited(1, 90), 0).await.len(), 90, "alone it has all");
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_becomes_free_goes_to_the_account_with_the_fewest() {
        let gate = limited(2, 9);
        let mut first = fill(&gate, 0).await;
        let second = fill(&gate, 1).await;
        assert_eq!((first.len(), second.len()), (8, 1));
        let mut more_of_first = waiting(&gate, 0).await;
        let mut more_of_second = waiting(&gate, 1).await;
        first.pop();
        assert!(look(&mut more_of_first).await.is_pending());
        assert!(look(&mut more_of_second).await.is_ready());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_store_gets_fewer_and_a_quick_one_more_again() {
        let gate = Gate::new(1, BUDGET);
        let mut places = Vec::new();
        for _ in 0..1_000 {
            places.push(at_once(&gate, 0).await.unwrap());
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        // The last of a thousand took twice the aim.
        places.pop().unwrap().served();
        assert_eq!(gate.lock().limit, 500);
        // What was given up teaches nothing.
        drop(places);
        assert_eq!(gate.lock().limit, 500);
        for _ in 0..10 {
            let places = fill(&gate, 0).await;
            places.into_iter().rev().for_each(Place::served);
        }
        assert!(gate.lock().limit > 1_000, "{}", gate.lock().limit);
        let place = at_once(&gate, 0).await.unwrap();
        tokio::time::advance(Duration::from_secs(100)).await;
        place.served();
        assert_eq!(gate.lock().limit, FEWEST, "never fewer");
    }
}
