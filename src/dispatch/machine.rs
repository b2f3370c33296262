//! The engine's state and its steps: what is started when, and what is done with what comes. One
//! task owns it; nothing here waits.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::dispatch::attempt::{Job, Report};
use crate::dispatch::ending::{Ending, Follow, Spoken};
use crate::dispatch::engine::{EngineError, EngineParts};
use crate::dispatch::gates::Gates;
use crate::dispatch::intake::Intake;
use crate::dispatch::lane::{Bounds, Lanes};
use crate::dispatch::live::Live;
use crate::dispatch::outbox::Outbox;
use crate::dispatch::router::RouteId;
use crate::dispatch::runtime::HandlerRuntime;
use crate::dispatch::settle::{Phase, Running, stale, started_too_often};
use crate::dispatch::slots::{Slot, Slots};
use crate::protocol::push::Kind;
use crate::store::{LaneKey, Page, Part, StoreError, StoredPush};

/// Pushes of a lane, from its oldest on, that a former process may have started without a mark of it
/// being stored: each waits for its mark, one commit after another. Those behind them were out of
/// reach, and a long backlog need not be that slow.
const SUSPECTS: usize = 64;

/// Something of the store's that was waited for.
pub(crate) enum Event {
    /// A page of the cursor, asked for with this limit.
    Page(usize, Result<Page, StoreError>),
    /// Retries whose time has come, asked for with this limit.
    Due(usize, Result<Vec<StoredPush>, StoreError>),
    /// A lane's pushes that were put aside, asked for with this limit.
    Refill(LaneKey, usize, Result<Vec<StoredPush>, StoreError>),
    /// Ids of a lane are put aside.
    Spilled(LaneKey, Result<(), StoreError>),
    /// Pushes that are to be handled again.
    Replayed(Result<Vec<StoredPush>, StoreError>),
    /// The start of an attempt is marked, and what earlier ones have said is known.
    Marked(Slot, Result<Vec<Part>, StoreError>),
    /// The last send of an attempt that has ended is over.
    Silent(Ending),
    /// An attempt is settled; this follows.
    Settled(Follow, Result<(), StoreError>),
    /// A user is no longer shown that an answer is being prepared.
    Accompanied,
    /// A mark or verdict is stored; nothing waits for it.
    Stored(Result<(), StoreError>),
}

/// The state.
pub(crate) struct Machine {
    pub(crate) parts: EngineParts,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) runtime: HandlerRuntime,
    pub(crate) lanes: Lanes,
    pub(crate) intake: Intake,
    pub(crate) work: FuturesUnordered<BoxFuture<'static, Event>>,
    pub(crate) sends: JoinSet<Spoken>,
    pub(crate) stopping: bool,
    pub(crate) running: Slots<Running>,
    /// Attempts that the handlers' threads have.
    pub(crate) under_way: usize,
    /// Users who are shown that an answer is being prepared, among the `work`.
    accompanied: usize,
    /// Attempts whose start is marked, with what earlier ones have said: they wait for their turn.
    marked: VecDeque<(Slot, Vec<Part>)>,
    /// Attempts that wait until fewer handlers of their route run.
    pub(crate) gates: Gates,
    reports: mpsc::Sender<Report>,
    /// Lanes that wait for a retry, by the monotonic time at which they go on.
    pub(crate) holds: BinaryHeap<Reverse<(Duration, Slot)>>,
    pub(crate) held: Slots<LaneKey>,
    /// When something may be due next, on the monotonic clock.
    alarm: Option<Duration>,
}

impl Machine {
    pub(crate) fn new(
        parts: EngineParts,
        runtime: HandlerRuntime,
        reports: mpsc::Sender<Report>,
    ) -> Self {
        let settings = &parts.settings;
        let bounds = Bounds {
            lane: settings.lane_pushes.max(1),
            pushes: settings.pushes_in_memory.max(1),
            bytes: settings.bytes_in_memory.max(1),
        };
        let outbox = Outbox::new(
            &parts.inbox,
            &parts.courier,
            &parts.clock,
            &parts.counters,
            settings,
            parts.passive.clone(),
        );
        let born = *parts.inbox.newest().borrow();
        Self {
            outbox,
            runtime,
            lanes: Lanes::new(bounds),
            intake: Intake::new(born),
            work: FuturesUnordered::new(),
            sends: JoinSet::new(),
            stopping: false,
            running: Slots::default(),
            under_way: 0,
            accompanied: 0,
            marked: VecDeque::new(),
            gates: Gates::new(&parts.routes),
            reports,
            holds: BinaryHeap::new(),
            held: Slots::default(),
            alarm: None,
            parts,
        }
    }

    /// Starts whatever can be started and reads whatever there is room for.
    pub(crate) fn advance(&mut self) {
        let handlers = self.parts.settings.handlers.max(1);
        while self.under_way < handlers
            && let Some(ticket) = self.gates.admit()
        {
            self.let_in(ticket);
        }
        while self.under_way < handlers
            && let Some((ticket, recorded)) = self.marked.pop_front()
        {
            self.launch(ticket, recorded);
        }
        if self.stopping {
            return;
        }
        self.read_on();
        while self.under_way < handlers && self.open_work() < self.parts.settings.open_work.max(1) {
            let Some((push, before)) = self.lanes.next() else {
                return;
            };
            self.start(push, before);
        }
    }

    /// Commits and deliveries under way.
    fn open_work(&self) -> usize {
        self.work.len() + self.sends.len() - self.accompanied
    }

    /// Attempts and deliveries under way.
    pub(crate) fn busy(&self) -> usize {
        self.running.len() + self.sends.len()
    }

    /// Whether nothing is under way at all.
    pub(crate) fn is_idle(&self) -> bool {
        self.busy() == 0 && self.work.is_empty()
    }

    /// Ends it: the threads are left, everything else is dropped.
    pub(crate) fn into_runtime(self) -> HandlerRuntime {
        self.runtime
    }

    /// When to call [`Machine::ring`] at the latest.
    pub(crate) fn alarm(&self) -> Option<Duration> {
        self.alarm
    }

    pub(crate) fn set_alarm(&mut self, at: Duration) {
        self.alarm = Some(self.alarm.map_or(at, |known| known.min(at)));
    }

    /// Does what its time has come for: time-outs, held lanes, due retries.
    pub(crate) fn ring(&mut self) {
        self.alarm = None;
        let now = self.parts.clock.monotonic();
        self.time_out(now);
        while let Some(Reverse((at, number))) = self.holds.peek().copied() {
            if at > now {
                self.set_alarm(at);
                break;
            }
            self.holds.pop();
            if let Some(lane) = self.held.remove(number) {
                self.lanes.resume(lane);
            }
        }
        if !self.stopping {
            self.look_for_due(now);
        }
    }

    pub(crate) fn wait_for(&self, future: impl Future<Output = Event> + Send + 'static) {
        self.work.push(Box::pin(future));
    }

    /// Starts a push, the first of its lane or one of so many after it.
    fn start(&mut self, push: StoredPush, before: usize) {
        if push.starts >= self.parts.settings.max_starts.max(1) {
            self.bury(&push, started_too_often(&push));
            return;
        }
        if let Some(reason) = self.staleness(&push) {
            self.bury(&push, reason);
            return;
        }
        if push.starts > 0 {
            tracing::warn!(push_id = %push.id, starts = push.starts, "A push was under way when a process ended; it runs again.");
        }
        let (id, run) = (push.id, push.run);
        // It has been tried before, or may have been under way when a process ended.
        let may_have_run = id <= self.intake.born() && before < SUSPECTS;
        let has_past = push.starts > 0 || push.attempts > 0 || may_have_run;
        let ticket = self.running.insert(Running {
            push,
            started_at: self.parts.clock.now(),
            phase: Phase::Marking,
        });
        let inbox = Arc::clone(&self.parts.inbox);
        if has_past {
            self.wait_for(async move {
                let marked = match inbox.start(id).await {
                    Ok(()) => inbox.parts(id, run).await,
                    Err(error) => Err(error),
                };
                Event::Marked(ticket, marked)
            });
        } else {
            let mark = inbox.start(id);
            self.wait_for(async move { Event::Stored(mark.await) });
            self.launch(ticket, Vec::new());
        }
    }

    /// Why a push comes too late to be handled, if that was not to be. One that an operator replays is
    /// wanted, however old it is.
    fn staleness(&self, push: &StoredPush) -> Option<String> {
        let limit = self.parts.settings.stale_after?;
        let age = self.parts.clock.now().since(push.received_at);
        (push.run == 1 && age > limit).then(|| stale(age, limit))
    }

    /// Hands an attempt to the handlers' threads.
    fn launch(&mut self, ticket: Slot, recorded: Vec<Part>) {
        let timeout = self.parts.settings.handler_timeout;
        let since = self.parts.clock.monotonic();
        let Some(running) = self.running.get_mut(ticket) else {
            return;
        };
        let live = Live::new(&running.push, recorded, &self.outbox);
        let job = Job {
            ticket,
            body: running.push.body.clone(),
            live: Arc::clone(&live),
            routes: self.parts.routes.clone(),
            bundle: self.parts.bundles.current(),
            account: self.parts.bundles.account(&running.push.account),
            accounts: self.parts.accounts.clone(),
            clock: Arc::clone(&self.parts.clock),
            timeout,
            conversation_expires: self.parts.settings.conversation_expires,
            pool: self.runtime.pool(),
            reports: self.reports.clone(),
        };
        let task = self.runtime.spawn(Box::pin(job.run()));
        running.started_at = self.parts.clock.now();
        let typing_after = self.parts.settings.typing_after;
        let accompanying = typing_after
            .filter(|_| running.push.kind == Kind::Message)
            .map(|after| live.accompany(after));
        running.phase = Phase::UnderWay { live, task };
        self.under_way += 1;
        if let Some(accompanying) = accompanying {
            self.accompanied += 1;
            self.wait_for(accompanying.map(|()| Event::Accompanied));
        }
        // Which route it takes is not known yet.
        self.set_alarm(since + self.shortest_limit());
    }

    /// The shortest time that an attempt may have.
    pub(crate) fn shortest_limit(&self) -> Duration {
        let timeout = self.parts.settings.handler_timeout;
        let shortest = self.parts.routes.shortest_limit();
        shortest.map_or(timeout, |limit| limit.min(timeout))
    }

    /// The time that an attempt of this route has.
    pub(crate) fn limit_of(&self, route: RouteId) -> Duration {
        let policy = self.parts.routes.policy(route);
        let limit = policy.and_then(|policy| policy.time_limit);
        limit.unwrap_or(self.parts.settings.handler_timeout)
    }

    /// An attempt tells how far it is.
    pub(crate) fn reported(&mut self, report: Report) {
        match report {
            Report::Finished(finished) => self.finished(finished),
            Report::AtGate(attempt) => {
                let is_under_way = self
                    .running
                    .get_mut(attempt.ticket)
                    .is_some_and(|running| matches!(running.phase, Phase::UnderWay { .. }));
                if is_under_way {
                    self.under_way -= 1;
                    self.gates.queue(attempt);
                }
            }
        }
    }

    /// An attempt goes on behind its gate.
    fn let_in(&mut self, ticket: Slot) {
        self.under_way += 1;
        let now = self.parts.clock.now();
        let mut limit = self.parts.settings.handler_timeout;
        if let Some(running) = self.running.get_mut(ticket) {
            running.started_at = now;
            if let Phase::UnderWay { live, .. } = &running.phase
                && let Some(route) = live.route_id()
            {
                limit = self.limit_of(route);
            }
        }
        self.set_alarm(self.parts.clock.monotonic() + limit);
    }

    /// Forgets an attempt whose start the store did not take: somebody else has settled the push.
    fn forget(&mut self, ticket: Slot) {
        if let Some(running) = self.running.remove(ticket) {
            self.intake.leave(running.push.id);
            self.lanes.finish(&running.push);
        }
    }

    /// Something of the store's has come.
    ///
    /// # Errors
    /// The store's, unless it only says that somebody else has dealt with the push.
    pub(crate) fn happened(&mut self, event: Event) -> Result<(), EngineError> {
        match event {
            Event::Page(limit, page) => {
                let page = page?;
                self.outbox.windows().see(&page.pushes, page.upto);
                self.page_came(limit, page);
            }
            Event::Due(limit, pushes) => self.due_came(limit, pushes?),
            Event::Refill(lane, limit, pushes) => self.lanes.refill(lane, limit, pushes?),
            Event::Spilled(lane, written) => {
                written?;
                self.lanes.spill_written(lane);
            }
            Event::Replayed(pushes) => self.replays_came(pushes?),
            Event::Marked(ticket, marked) => match tolerated(marked)? {
                Some(recorded) => self.marked.push_back((ticket, recorded)),
                None => self.forget(ticket),
            },
            Event::Silent(ending) => self.conclude(ending),
            Event::Settled(follow, settled) => {
                let settled = tolerated(settled)?.is_some();
                self.follow(follow, settled);
            }
            Event::Accompanied => self.accompanied -= 1,
            Event::Stored(stored) => drop(tolerated(stored)?),
        }
        Ok(())
    }
}

/// An answer of the store's; `None` when the push is no longer what it was, because an operator has
/// dealt with it meanwhile.
pub(crate) fn tolerated<T>(result: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error @ StoreError::Conflict(_)) => {
            tracing::warn!(%error, "A push in hand was changed by someone else.");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
