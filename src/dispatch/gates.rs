//! Gates before routes of which only so many handlers may run at once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, oneshot};

use crate::dispatch::router::{RouteId, Routes};
use crate::dispatch::slots::Slot;

/// An attempt that came to a gate, and waits there.
#[derive(Debug)]
pub(crate) struct AtGate {
    pub(crate) ticket: Slot,
    pub(crate) route: RouteId,
    pub(crate) admit: oneshot::Sender<Pass>,
}

/// The right to be behind a gate. Dropped, it lets the next one in.
#[derive(Debug)]
pub(crate) struct Pass {
    taken: Arc<AtomicUsize>,
    bell: Arc<Notify>,
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.taken.fetch_sub(1, Ordering::AcqRel);
        self.bell.notify_one();
    }
}

#[derive(Debug)]
struct Gate {
    route: RouteId,
    most: usize,
    taken: Arc<AtomicUsize>,
    /// In the order of their coming. Bounded by the pushes in memory.
    waiting: VecDeque<AtGate>,
}

/// All gates of an engine. Only the engine lets anyone in; whoever is in leaves by itself.
#[derive(Debug)]
pub(crate) struct Gates {
    gates: Vec<Gate>,
    waiting: usize,
    /// The gate that is looked at first, so that none is always the last.
    first: usize,
    bell: Arc<Notify>,
}

impl Gates {
    pub(crate) fn new(routes: &Routes) -> Self {
        let gate = |(route, most)| Gate {
            route,
            most,
            taken: Arc::default(),
            waiting: VecDeque::new(),
        };
        Self {
            gates: routes.bounded().map(gate).collect(),
            waiting: 0,
            first: 0,
            bell: Arc::default(),
        }
    }

    /// Rings when a handler has left.
    pub(crate) fn bell(&self) -> Arc<Notify> {
        Arc::clone(&self.bell)
    }

    /// An attempt has come.
    pub(crate) fn queue(&mut self, attempt: AtGate) {
        let mut gates = self.gates.iter_mut();
        // Of a route without a gate nobody comes; a sender that is dropped ends its attempt.
        if let Some(gate) = gates.find(|gate| gate.route == attempt.route) {
            gate.waiting.push_back(attempt);
            self.waiting += 1;
        }
    }

    /// Lets the next one in, if there is room behind its gate.
    pub(crate) fn admit(&mut self) -> Option<Slot> {
        let count = self.gates.len();
        for offset in 0..count {
            if self.waiting == 0 {
                return None;
            }
            let index = (self.first + offset) % count;
            while let Some(admitted) = self.gates[index].admit(&self.bell) {
                self.waiting -= 1;
                if let Ok(ticket) = admitted {
                    self.first = (index + 1) % count;
                    return Some(ticket);
                }
            }
        }
        None
    }
}

/// An attempt that has ended while it waited.
struct Gone;

impl Gate {
    /// Lets the first one in; `None` when there is no room, or nobody.
    fn admit(&mut self, bell: &Arc<Notify>) -> Option<Result<Slot, Gone>> {
        if self.taken.load(Ordering::Acquire) >= self.most {
            return None;
        }
        let AtGate { ticket, admit, .. } = self.waiting.pop_front()?;
        self.taken.fetch_add(1, Ordering::AcqRel);
        let pass = Pass {
            taken: Arc::clone(&self.taken),
            bell: Arc::clone(bell),
        };
        Some(admit.send(pass).map(|()| ticket).map_err(|_pass| Gone))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::slots::Slots;
    use crate::dispatch::{AtOnce, Router};

    async fn nothing() {}

    #[test]
    fn gates_let_in_by_turns_in_order_and_no_more_than_they_may() {
        let router = Router::<()>::new()
            .text("a", nothing)
            .layer(AtOnce(2))
            .text("b", nothing)
            .layer(AtOnce(1))
            .fallback(nothing);
        let routes = router.with_state(()).unwrap();
        let mut gates = Gates::new(&routes);
        let ids: Vec<_> = routes.bounded().map(|(id, _)| id).collect();
        assert_eq!(ids.len(), 2);
        let mut slots = Slots::default();
        let mut come = |gates: &mut Gates, gate: usize| {
            let ticket = slots.insert(());
            let (admit, admitted) = oneshot::channel();
            gates.queue(AtGate {
                ticket,
                route: ids[gate],
                admit,
            });
            (ticket, admitted)
        };
        let mut a: Vec<_> = (0..4).map(|_| come(&mut gates, 0)).collect();
        let mut b: Vec<_> = (0..2).map(|_| come(&mut gates, 1)).collect();
        let admitted: Vec<_> = std::iter::from_fn(|| gates.admit()).collect();
        assert_eq!(admitted, [a[0].0, b[0].0, a[1].0]);
        let pass = b[0].1.try_recv().unwrap();
        assert_eq!(gates.admit(), None);
        drop(pass);
        assert_eq!(gates.admit(), Some(b[1].0));
        // One that has gone meanwhile takes nobody's place.
        drop(a.remove(2));
        drop(a[0].1.try_recv().unwrap());
        assert_eq!(gates.admit(), Some(a[2].0));
        assert_eq!((gates.admit(), gates.waiting), (None, 0));
    }
}
