//! The way back from the writer to a waiting request: one wake for each worker and batch.
//!
//! Every actix worker has a [`Desk`]. A request takes a [`Ticket`] from it, hands the ticket to the
//! store and awaits the [`Pickup`]. The writer completes a whole batch of tickets into the desks'
//! trays and rings each desk once; the worker's own task ([`Desk::serve`]) hands the results out
//! without leaving its thread.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::sync::oneshot;

use super::{Accepted, StoreError};

type Outcome = Result<Accepted, StoreError>;

/// The part of a desk that other threads see.
#[derive(Default)]
struct Tray {
    done: Mutex<Vec<(usize, Outcome)>>,
    bell: AtomicWaker,
    rung: AtomicBool,
}

impl Tray {
    fn put(&self, slot: usize, outcome: Outcome) {
        self.done
            .lock()
            .unwrap_or_else(|e| e.into_inner())
            .push((slot, outcome));
    }

    fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.bell.wake();
        }
    }
}

enum Slot {
    Free {
        next: Option<usize>,
    },
    Waiting(Option<Waker>),
    Ready(Outcome),
    /// The request was given up; the outcome is dropped when it comes.
    Abandoned,
}

struct Slots {
    slots: Vec<Slot>,
    free: Option<usize>,
}

impl Slots {
    fn take(&mut self) -> usize {
        match self.free {
            Some(index) => {
                if let Slot::Free { next } = self.slots[index] {
                    self.free = next;
                }
                self.slots[index] = Slot::Waiting(None);
                index
            }
            None => {
                self.slots.push(Slot::Waiting(None));
                self.slots.len() - 1
            }
        }
    }

    fn release(&mut self, index: usize) {
        self.slots[index] = Slot::Free { next: self.free };
        self.free = Some(index);
    }

    fn deliver(&mut self, index: usize, outcome: Outcome) -> Option<Waker> {
        match std::mem::replace(&mut self.slots[index], Slot::Ready(outcome)) {
            Slot::Waiting(waker) => waker,
            Slot::Abandoned => {
                self.release(index);
                None
            }
            // A ticket is completed once, so a slot cannot be free or ready here.
            Slot::Free { .. } | Slot::Ready(_) => None,
        }
    }
}

/// One worker's counter, where requests wait for their outcome. Stays on its thread.
#[derive(Clone)]
pub struct Desk {
    tray: Arc<Tray>,
    slots: Rc<RefCell<Slots>>,
}

impl Default for Desk {
    fn default() -> Self {
        Self::new()
    }
}

impl Desk {
    /// A desk for the current thread.
    pub fn new() -> Self {
        let slots = Slots {
            slots: Vec::new(),
            free: None,
        };
        Self {
            tray: Arc::default(),
            slots: Rc::new(RefCell::new(slots)),
        }
    }

    /// A ticket for the store, and the place to wait for it.
    pub fn ticket(&self) -> (Ticket, Pickup) {
        let slot = self.slots.borrow_mut().take();
        let to = Destination::Desk {
            tray: Arc::clone(&self.tray),
            slot,
        };
        (
            Ticket {
                to: Some(to),
                deadline: None,
            },
            Pickup {
                desk: self.clone(),
                slot,
                taken: false,
            },
        )
    }

    /// Hands out outcomes for as long as it is polled. Spawn it once on the desk's thread.
    pub async fn serve(self) {
        let mut outcomes = Vec::new();
        loop {
            std::future::poll_fn(|context| {
                self.tray.bell.register(context.waker());
                if self.tray.rung.swap(false, Ordering::AcqRel) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
            std::mem::swap(
                &mut *self.tray.done.lock().unwrap_or_else(|e| e.into_inner()),
                &mut outcomes,
            );
            for (slot, outcome) in outcomes.drain(..) {
                let waker = self.slots.borrow_mut().deliver(slot, outcome);
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
        }
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk")
            .field("slots", &self.slots.borrow().slots.len())
            .finish()
    }
}

/// Waits for one ticket's outcome.
pub struct Pickup {
    desk: Desk,
    slot: usize,
    taken: bool,
}

impl Future for Pickup {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let desk = self.desk.clone();
        let mut slots = desk.slots.borrow_mut();
        let slot = self.slot;
        if let Slot::Ready(outcome) = &slots.slots[slot] {
            let outcome = outcome.clone();
            slots.release(slot);
            self.taken = true;
            return Poll::Ready(outcome);
        }
        slots.slots[slot] = Slot::Waiting(Some(context.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Pickup {
    fn drop(&mut self) {
        if self.taken {
            return;
        }
        let mut slots = self.desk.slots.borrow_mut();
        match slots.slots[self.slot] {
            Slot::Ready(_) => slots.release(self.slot),
            _ => slots.slots[self.slot] = Slot::Abandoned,
        }
    }
}

impl fmt::Debug for Pickup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pickup")
            .field("slot", &self.slot)
            .finish_non_exhaustive()
    }
}

enum Destination {
    Desk { tray: Arc<Tray>, slot: usize },
    Once(oneshot::Sender<Outcome>),
}

/// The right to one answer. Completed exactly once: dropping it is an answer too.
pub struct Ticket {
    to: Option<Destination>,
    deadline: Option<Duration>,
}

impl Ticket {
    /// A ticket without a desk, for callers on any thread.
    pub fn once() -> (Self, impl Future<Output = Outcome> + Send) {
        let (sender, receiver) = oneshot::channel();
        let ticket = Self {
            to: Some(Destination::Once(sender)),
            deadline: None,
        };
        (ticket, async move {
            receiver.await.unwrap_or(Err(StoreError::Closed))
        })
    }

    /// Nobody waits beyond this moment of the monotonic clock: a store that cannot be done by then need
    /// not begin.
    #[must_use]
    pub fn until(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Whether what is done at this moment of the monotonic clock comes too late.
    pub(super) fn is_late(&self, done_at: Duration) -> bool {
        self.deadline.is_some_and(|deadline| deadline < done_at)
    }

    /// Hands the outcome to whoever waits.
    pub fn complete(mut self, outcome: Outcome) {
        if let Some(tray) = self.put(outcome) {
            tray.ring();
        }
    }

    /// Hands a batch of outcomes over: all into the trays first, then one ring for each desk, so
    /// that a worker wakes once.
    pub(super) fn complete_all(outcomes: impl Iterator<Item = (Self, Outcome)>) {
        let mut trays: Vec<Arc<Tray>> = Vec::new();
        for (mut ticket, outcome) in outcomes {
            // There are as many desks as workers: looking through them all is quick.
            if let Some(tray) = ticket.put(outcome)
                && !trays.iter().any(|known| Arc::ptr_eq(known, &tray))
            {
                trays.push(tray);
            }
        }
        for tray in trays {
            tray.ring();
        }
    }

    /// Leaves the outcome where it belongs; the tray, if any, is still to be rung.
    fn put(&mut self, outcome: Outcome) -> Option<Arc<Tray>> {
        match self.to.take()? {
            Destination::Desk { tray, slot } => {
                tray.put(slot, outcome);
                Some(tray)
            }
            // The receiver may have stopped waiting; then nobody needs the outcome.
            Destination::Once(sender) => {
                drop(sender.send(outcome));
                None
            }
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(tray) = self.put(Err(StoreError::Closed)) {
            tray.ring();
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use futures_util::FutureExt as _;

    use super::*;
    use crate::id::PushId;

    const STORED: Accepted = Accepted::Stored(PushId(1));

    #[tokio::test(flavor = "current_thread")]
    async fn outcomes_completed_on_another_thread_arrive_at_their_requests() {
        let desk = Desk::new();
        let local = tokio::task::LocalSet::new();
        local.spawn_local(desk.clone().serve());
        local
            .run_until(async {
                let (tickets, pickups): (Vec<_>, Vec<_>) = (0..100).map(|_| desk.ticket()).unzip();
                let writer = std::thread::spawn(move || {
                    for (index, ticket) in tickets.into_iter().enumerate() {
                        ticket.complete(Ok(Accepted::Stored(PushId(index as i64))));
                    }
                });
                for (index, pickup) in pickups.into_iter().enumerate() {
                    let outcome = pickup.await.unwrap();
                    assert_eq!(outcome, Accepted::Stored(PushId(index as i64)));
                }
                writer.join().unwrap();
                assert_eq!(desk.slots.borrow().slots.len(), 100);
            })
            .await;
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_dropped_ticket_is_a_failure_and_an_abandoned_slot_is_used_again() {
        let desk = Desk::new();
        let local = tokio::task::LocalSet::new();
        local.spawn_local(desk.clone().serve());
        local
            .run_until(async {
                let (ticket, pickup) = desk.ticket();
                drop(ticket);
                assert!(matches!(pickup.await, Err(StoreError::Closed)));

                let (ticket, mut pickup) = desk.ticket();
                assert!((&mut pickup).now_or_never().is_none());
                drop(pickup);
                ticket.complete(Ok(STORED));
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
                let (ticket, pickup) = desk.ticket();
                ticket.complete(Ok(STORED));
                assert_eq!(pickup.await.unwrap(), STORED);
                assert_eq!(desk.slots.borrow().slots.len(), 1);
            })
            .await;
    }

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_batch_rings_each_desk_once_after_all_its_outcomes_are_there() {
        let desks = [Desk::new(), Desk::new()];
        let wakes = [(); 2].map(|()| Arc::new(Wakes::default()));
        let wakers = wakes.each_ref().map(|wakes| Waker::from(Arc::clone(wakes)));
        let mut serving = desks.each_ref().map(|desk| Box::pin(desk.clone().serve()));
        for (serve, waker) in serving.iter_mut().zip(&wakers) {
            let polled = serve.as_mut().poll(&mut Context::from_waker(waker));
            assert!(polled.is_pending());
        }

        let (tickets, pickups): (Vec<_>, Vec<_>) =
            (0..10).map(|number| desks[number % 2].ticket()).unzip();
        Ticket::complete_all(tickets.into_iter().map(|ticket| (ticket, Ok(STORED))));

        for (wakes, desk) in wakes.iter().zip(&desks) {
            assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
            assert_eq!(desk.tray.done.lock().unwrap().len(), 5);
        }
        for (serve, waker) in serving.iter_mut().zip(&wakers) {
            let polled = serve.as_mut().poll(&mut Context::from_waker(waker));
            assert!(polled.is_pending());
        }
        for pickup in pickups {
            assert!(matches!(pickup.now_or_never(), Some(Ok(STORED))));
        }
    }
}
