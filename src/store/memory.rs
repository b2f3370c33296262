//! The store that forgets: everything in memory, gone with the process.
//!
//! It is also the executable model of a push's life: [`Model`] is the state machine, and every other
//! store must behave as it does.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::future::BoxFuture;
use tokio::sync::{Semaphore, watch};

use crate::clock::{Clock, Timestamp};
use crate::id::{AppId, OpenId, PushId};
use crate::protocol::push::Kind;
use crate::store::{
    Accepted, Aside, ComponentTicket, Filter, Health, Inbox, LaneKey, NewPush, Page, Part, PartKey,
    PartVerdict, Past, QUEUE_ROOM, Room, Settlement, StoreError, StoredConversation, StoredPush,
    Story, Ticket,
};

mod conversations;
mod model;

pub use model::{Limits, Model};

/// An inbox in memory. Accepting completes its ticket at once.
pub struct MemoryInbox {
    clock: Arc<dyn Clock>,
    room: Arc<Semaphore>,
    health: watch::Sender<Health>,
    newest: watch::Sender<PushId>,
    model: Mutex<Model>,
}

impl MemoryInbox {
    /// An empty inbox with the limits of a server.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Self::with_limits(clock, Limits::SERVER)
    }

    /// An empty inbox with limits of its own.
    pub fn with_limits(clock: Arc<dyn Clock>, limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            clock,
            room: Arc::new(Semaphore::new(QUEUE_ROOM)),
            health: watch::Sender::new(Health::Ready),
            newest: watch::Sender::new(PushId::ZERO),
            model: Mutex::new(Model::new(limits)),
        })
    }

    fn model(&self) -> Result<MutexGuard<'_, Model>, StoreError> {
        let model = self.model.lock().unwrap_or_else(|e| e.into_inner());
        match *self.health.borrow() {
            Health::Closed => Err(StoreError::Closed),
            Health::Ready | Health::Refusing(_) | Health::Poisoned(_) => Ok(model),
        }
    }

    /// Does it now; the future only hands the result over.
    fn now<'a, T: Send + 'a>(
        &self,
        act: impl FnOnce(&mut Model) -> Result<T, StoreError>,
    ) -> BoxFuture<'a, Result<T, StoreError>> {
        let result = self.model().and_then(|mut model| act(&mut model));
        Box::pin(std::future::ready(result))
    }

    fn take(&self, push: NewPush) -> Result<Accepted, StoreError> {
        let mut model = self.model()?;
        let accepted = model.accept(push, self.clock.now());
        if let Ok(Accepted::Stored(id)) = accepted {
            // Under the lock, so that the newest id never goes back.
            self.newest.send_replace(id);
        }
        self.tell_health(&model);
        accepted
    }

    /// A change after which there may be room again.
    fn finish(
        &self,
        act: impl FnOnce(&mut Model) -> Result<(), StoreError>,
    ) -> BoxFuture<'static, Result<(), StoreError>> {
        self.now(|model| {
            let result = act(model);
            self.tell_health(model);
            result
        })
    }

    fn tell_health(&self, model: &Model) {
        let health = match model.check_room() {
            Err(StoreError::Refusing(reason)) => Health::Refusing(reason.to_string()),
            _ => Health::Ready,
        };
        self.health.send_if_modified(|known| {
            let changed = *known != Health::Closed && *known != health;
            if changed {
                *known = health;
            }
            changed
        });
    }
}

impl fmt::Debug for MemoryInbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryInbox")
            .field("newest", &*self.newest.borrow())
            .finish_non_exhaustive()
    }
}

impl Inbox for MemoryInbox {
    fn durability(&self) -> &'static str {
        "memory: nothing survives the end of the process; pushes that were acknowledged and not handled are lost with it"
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    fn room(&self) -> &Arc<Semaphore> {
        &self.room
    }

    fn accept(&self, push: NewPush, room: Room, ticket: Ticket) {
        ticket.complete(self.take(push));
        drop(room);
    }

    fn newest(&self) -> watch::Receiver<PushId> {
        self.newest.subscribe()
    }

    fn pending(&self, after: PushId, limit: usize) -> BoxFuture<'_, Result<Page, StoreError>> {
        self.now(|model| Ok(model.pending(after, limit)))
    }

    fn due(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredPush>, StoreError>> {
        self.now(|model| Ok(model.due(now, limit)))
    }

    fn waiting(
        &self,
        after: Option<PartKey>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Part>, StoreError>> {
        self.now(|model| Ok(model.waiting(after, limit)))
    }

    fn parts(&self, push: PushId, run: u32) -> BoxFuture<'_, Result<Vec<Part>, StoreError>> {
        self.now(|model| Ok(model.parts(push, run)))
    }

    fn conversation(
        &self,
        lane: LaneKey,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<StoredConversation>, StoreError>> {
        self.now(|model| Ok(model.conversation(&lane, now)))
    }

    fn past(
        &self,
        after: PushId,
        upto: PushId,
        limit: usize,
    ) -> BoxFuture<'_, Result<Past, StoreError>> {
        self.now(|model| Ok(model.past(after, upto, limit)))
    }

    fn spill(&self, lane: LaneKey, pushes: Vec<PushId>) -> BoxFuture<'_, Result<(), StoreError>> {
        self.now(|model| {
            model.spill(lane, pushes);
            Ok(())
        })
    }

    fn unspill(
        &self,
        lane: LaneKey,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredPush>, StoreError>> {
        self.now(|model| Ok(model.unspill(&lane, limit)))
    }

    fn start(&self, push: PushId) -> BoxFuture<'static, Result<(), StoreError>> {
        self.now(|model| model.start(push))
    }

    fn settle(&self, settlement: Settlement) -> BoxFuture<'static, Result<(), StoreError>> {
        self.finish(|model| model.settle(settlement))
    }

    fn mark_sending(&self, part: Part) -> BoxFuture<'static, Result<(), StoreError>> {
        self.now(|model| model.mark_sending(part))
    }

    fn record(&self, verdict: PartVerdict) -> BoxFuture<'static, Result<(), StoreError>> {
        self.finish(|model| model.record(verdict))
    }

    fn replay(&self, push: PushId, at: Timestamp) -> BoxFuture<'static, Result<(), StoreError>> {
        self.now(|model| model.replay(push, at))
    }

    fn discard(&self, push: PushId) -> BoxFuture<'static, Result<(), StoreError>> {
        self.finish(|model| model.discard(push))
    }

    fn aside(&self) -> BoxFuture<'_, Result<Aside, StoreError>> {
        self.now(|model| Ok(model.aside()))
    }

    fn reread(
        &self,
        push: PushId,
        kind: Kind,
        user: OpenId,
        at: Timestamp,
    ) -> BoxFuture<'static, Result<(), StoreError>> {
        self.now(|model| model.reread(push, kind, user, at))
    }

    fn component_ticket(
        &self,
        component: AppId,
    ) -> BoxFuture<'_, Result<Option<ComponentTicket>, StoreError>> {
        self.now(|model| Ok(model.component_ticket(&component)))
    }

    fn list(&self, filter: Filter) -> BoxFuture<'_, Result<Vec<StoredPush>, StoreError>> {
        self.now(|model| Ok(model.list(&filter)))
    }

    fn story(&self, push: PushId) -> BoxFuture<'_, Result<Option<Story>, StoreError>> {
        self.now(|model| Ok(model.story(push)))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.health.send_replace(Health::Closed);
        Box::pin(std::future::ready(()))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::clock::ManualClock;
    use crate::id::{AppId, OpenId};
    use crate::protocol::push::{DedupeKey, Kind};
    use crate::store::{Attempt, Ended, Next, PushState};

    fn push(number: u8) -> NewPush {
        NewPush {
            account: AppId::parse("wx0123456789abcdef").unwrap(),
            user: OpenId::new("oUser"),
            kind: Kind::Message,
            key: DedupeKey([number; 16]),
            body: Bytes::from_static(b"<xml/>"),
            received_at: Timestamp::from_seconds(1_700_000_000),
            verified: "secure",
            malformed: None,
            ticket: None,
        }
    }

    fn done(push: PushId) -> Settlement {
        Settlement {
            push,
            run: 1,
            next: Next::Done,
            attempt: Attempt {
                number: 1,
                started_at: Timestamp::from_seconds(1_700_000_000),
                ended_at: Timestamp::from_seconds(1_700_000_001),
                route: "echo".into(),
                ended: Ended::Well,
                error: None,
                out_of_order: false,
            },
            parts: Vec::new(),
            conversation: None,
        }
    }

    async fn accept(inbox: &MemoryInbox, push: NewPush) -> Result<Accepted, StoreError> {
        let room = Arc::clone(inbox.room()).acquire_owned().await.unwrap();
        let (ticket, outcome) = Ticket::once();
        inbox.accept(push, room, ticket);
        outcome.await
    }

    fn inbox(limits: Limits) -> Arc<MemoryInbox> {
        MemoryInbox::with_limits(Arc::new(ManualClock::at(1_700_000_000)), limits)
    }

    #[tokio::test]
    async fn a_repeated_push_is_stored_once_and_its_repeats_are_counted() {
        let inbox = inbox(Limits::SERVER);
        let Ok(Accepted::Stored(id)) = accept(&inbox, push(1)).await else {
            panic!("the first is new");
        };
        let again = accept(&inbox, push(1)).await.unwrap();
        assert_eq!(again, Accepted::Repeat(id));
        let listed = inbox.list(Filter::default()).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].repeats, 1);
        assert_eq!(*inbox.newest().borrow(), id);
    }

    #[tokio::test]
    async fn finished_pushes_beyond_the_limit_are_dropped_and_still_recognised() {
        let inbox = inbox(Limits {
            done: 2,
            ..Limits::SERVER
        });
        let mut ids = Vec::new();
        for number in 0..5 {
            let Ok(Accepted::Stored(id)) = accept(&inbox, push(number)).await else {
                panic!("{number} is new");
            };
            inbox.settle(done(id)).await.unwrap();
            ids.push(id);
        }
        let kept = inbox.list(Filter::default()).await.unwrap();
        let kept: Vec<_> = kept.iter().map(|push| (push.id, push.state)).collect();
        assert_eq!(kept, [(ids[3], PushState::Done), (ids[4], PushState::Done)]);
        let again = accept(&inbox, push(0)).await.unwrap();
        assert_eq!(again, Accepted::Repeat(ids[0]));
    }

    #[tokio::test]
    async fn a_full_store_lets_finished_pushes_go_then_refuses_and_is_ready_when_there_is_room() {
        let inbox = inbox(Limits {
            done: 100,
            bytes: 1_500,
            ..Limits::SERVER
        });
        let health = inbox.health();
        let mut ids = Vec::new();
        for number in 0..2 {
            let Ok(Accepted::Stored(id)) = accept(&inbox, push(number)).await else {
                panic!("{number} is new");
            };
            ids.push(id);
        }
        inbox.settle(done(ids[0])).await.unwrap();
        let third = accept(&inbox, push(2)).await;
        assert!(matches!(third, Ok(Accepted::Stored(_))));
        assert_eq!(inbox.story(ids[0]).await.unwrap(), None);
        assert_eq!(*health.borrow(), Health::Ready);

        let fourth = accept(&inbox, push(3)).await;
        assert!(matches!(fourth, Ok(Accepted::Stored(_))));
        assert!(matches!(*health.borrow(), Health::Refusing(_)));
        let refused = accept(&inbox, push(4)).await;
        assert!(matches!(refused, Err(StoreError::Refusing(_))));

        inbox.settle(done(ids[1])).await.unwrap();
        assert_eq!(*health.borrow(), Health::Ready);
        let fifth = accept(&inbox, push(4)).await;
        assert!(matches!(fifth, Ok(Accepted::Stored(_))));
    }

    #[tokio::test]
    async fn a_closed_store_does_nothing_more() {
        let inbox = inbox(Limits::SERVER);
        inbox.close().await;
        assert!(matches!(
            accept(&inbox, push(1)).await,
            Err(StoreError::Closed)
        ));
        assert!(matches!(
            inbox.pending(PushId::ZERO, 1).await,
            Err(StoreError::Closed)
        ));
        assert_eq!(*inbox.health().borrow(), Health::Closed);
    }
}
