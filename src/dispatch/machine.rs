//! The engine's state and its steps: start, finish, settle, send. One task owns it; nothing here waits.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinSet;

use crate::dispatch::attempt::{Finished, Job, Verdict};
use crate::dispatch::engine::{EngineError, EngineParts};
use crate::dispatch::intake::Intake;
use crate::dispatch::lane::{Bounds, Lanes, lane_of};
use crate::dispatch::live::Live;
use crate::dispatch::outbox::{Deliveries, Outbox};
use crate::dispatch::runtime::HandlerRuntime;
use crate::dispatch::settle::{Conclusion, Phase, Running, Times, bury, conclude};
use crate::dispatch::slots::{Slot, Slots};
use crate::id::PushId;
use crate::metric::Counter;
use crate::store::{
    LaneKey, Next, Page, Part, PartState, PushState, Settlement, StoreError, StoredPush, Story,
};

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
    /// A push that is to be handled again.
    Replayed(Result<Option<Story>, StoreError>),
    /// The start of an attempt is marked, and what earlier ones have said is known.
    Marked(Slot, Result<Vec<Part>, StoreError>),
    /// The last send of an attempt that has ended is over.
    Silent(Ending),
    /// An attempt is settled; this follows.
    Settled(Follow, Result<(), StoreError>),
    /// A mark or verdict is stored; nothing waits for it.
    Stored(Result<(), StoreError>),
}

/// An attempt that has ended.
pub(crate) struct Ending {
    ticket: Slot,
    live: Arc<Live>,
    verdict: Verdict,
    times: Times,
}

/// What follows when an attempt is settled.
pub(crate) enum Follow {
    /// Nothing; the push has left.
    Leave(PushId),
    /// It is in its lane still, to be tried again.
    Stay,
    /// Its parts are delivered.
    Speak(Box<Speech>),
}

/// What a settled push says: its lane waits until it is delivered.
pub(crate) struct Speech {
    push: StoredPush,
    parts: Vec<Part>,
    /// For the first part, which then is *sending* already.
    permit: Option<OwnedSemaphorePermit>,
}

/// A delivery that is over.
pub(crate) struct Spoken {
    /// The push whose parts they were; `None` for what a former process left unsent.
    push: Option<StoredPush>,
    lane: LaneKey,
    deliveries: Deliveries,
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
    running: Slots<Running>,
    /// Attempts that the handlers' threads have.
    under_way: usize,
    /// Attempts whose start is marked, with what earlier ones have said: they wait for their turn.
    marked: VecDeque<(Slot, Vec<Part>)>,
    outcomes: mpsc::Sender<Finished>,
    /// Lanes that wait for a retry, by the monotonic time at which they go on.
    holds: BinaryHeap<Reverse<(Duration, Slot)>>,
    held: Slots<LaneKey>,
    /// When something may be due next, on the monotonic clock.
    alarm: Option<Duration>,
}

impl Machine {
    pub(crate) fn new(
        parts: EngineParts,
        runtime: HandlerRuntime,
        outcomes: mpsc::Sender<Finished>,
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
            marked: VecDeque::new(),
            outcomes,
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
            && let Some((ticket, recorded)) = self.marked.pop_front()
        {
            self.launch(ticket, recorded);
        }
        if self.stopping {
            return;
        }
        self.read_on();
        while self.under_way < handlers
            && self.work.len() + self.sends.len() < self.parts.settings.open_work.max(1)
        {
            let Some((push, before)) = self.lanes.next() else {
                return;
            };
            self.start(push, before);
        }
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
            self.bury(&push);
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

    /// Gives a push up that was started too often without an outcome.
    fn bury(&mut self, push: &StoredPush) {
        tracing::error!(push_id = %push.id, starts = push.starts, "A push was started too often without an outcome; it is given up.");
        self.parts.counters.add(Counter::PushesDead);
        let settlement = bury(push, self.parts.clock.now());
        self.settle(settlement, Follow::Leave(push.id));
        self.lanes.finish(push);
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
            clock: Arc::clone(&self.parts.clock),
            timeout,
            outcomes: self.outcomes.clone(),
        };
        let task = self.runtime.spawn(Box::pin(job.run()));
        running.started_at = self.parts.clock.now();
        running.phase = Phase::UnderWay { live, task };
        self.under_way += 1;
        self.set_alarm(since + timeout);
    }

    /// Forgets an attempt whose start the store did not take: somebody else has settled the push.
    fn forget(&mut self, ticket: Slot) {
        if let Some(running) = self.running.remove(ticket) {
            self.intake.leave(running.push.id);
            self.lanes.finish(&running.push);
        }
    }

    fn time_out(&mut self, now: Duration) {
        let timeout = self.parts.settings.handler_timeout;
        let mut next: Option<Duration> = None;
        let mut late = Vec::new();
        for (ticket, running) in self.running.iter() {
            let Phase::UnderWay { live, .. } = &running.phase else {
                continue;
            };
            // While all threads are blocked by others, the time of those who wait does not run.
            let ends = live.begun().unwrap_or(now) + timeout;
            if ends <= now {
                late.push(ticket);
            } else {
                next = Some(next.map_or(ends, |known| known.min(ends)));
            }
        }
        if let Some(at) = next {
            self.set_alarm(at);
        }
        let ended_at = self.parts.clock.now();
        for ticket in late {
            let error = format!("the handler took more than {} s", timeout.as_secs_f64());
            self.finished(Finished {
                ticket,
                verdict: Verdict::TimedOut { error },
                ended_at,
            });
        }
    }

    /// An attempt has ended.
    pub(crate) fn finished(&mut self, finished: Finished) {
        let ticket = finished.ticket;
        // A late one was taken as timed out before.
        let Some(running) = self.running.get_mut(ticket) else {
            return;
        };
        let Phase::UnderWay { live, .. } = &running.phase else {
            return;
        };
        let live = Arc::clone(live);
        let ending = Ending {
            ticket,
            verdict: finished.verdict,
            times: Times {
                started_at: running.started_at,
                ended_at: finished.ended_at,
            },
            live,
        };
        ending.live.close();
        // Drops the task, and with it a handler that has not ended.
        running.phase = Phase::Ending;
        self.under_way -= 1;
        if ending.live.is_speaking() {
            self.wait_for(async move {
                ending.live.silence().await;
                Event::Silent(ending)
            });
        } else {
            self.conclude(ending);
        }
    }

    /// Settles an attempt that has ended and is silent.
    pub(crate) fn conclude(&mut self, ending: Ending) {
        let Some(Running { push, .. }) = self.running.remove(ending.ticket) else {
            return;
        };
        let schedule = self.parts.routes.attempts();
        let schedule = schedule.unwrap_or(&self.parts.settings.attempts);
        let live = ending.live;
        let Conclusion {
            settlement,
            retry_in,
        } = conclude(&push, &live, ending.verdict, ending.times, |failures| {
            schedule.delay(failures)
        });
        self.tell(&settlement);
        match retry_in {
            Some(delay) => self.retry(push, settlement, delay),
            None if settlement.parts.is_empty() => {
                self.settle(settlement, Follow::Leave(push.id));
                self.lanes.finish(&push);
            }
            None => self.speak(push, settlement),
        }
    }

    /// Counts an attempt's end, and says so when it was a failure.
    fn tell(&self, settlement: &Settlement) {
        let counters = &self.parts.counters;
        let attempt = &settlement.attempt;
        match &settlement.next {
            Next::Done => counters.add(Counter::AttemptsDone),
            Next::Retry { .. } | Next::Dead { .. } => counters.add(Counter::AttemptsFailed),
        }
        match &settlement.next {
            Next::Done => {}
            Next::Retry { at, reason } => tracing::warn!(
                push_id = %settlement.push,
                attempt = attempt.number,
                route = attempt.route,
                retry_in_ms = at.since(attempt.ended_at).as_millis(),
                error = reason,
                "Handler failed; the push will be tried again."
            ),
            Next::Dead { reason } => {
                counters.add(Counter::PushesDead);
                tracing::error!(
                    push_id = %settlement.push,
                    attempt = attempt.number,
                    route = attempt.route,
                    error = reason,
                    "Handler failed; the push is given up."
                );
            }
        }
    }

    fn retry(&mut self, mut push: StoredPush, settlement: Settlement, delay: Duration) {
        let id = push.id;
        self.intake.engage(id);
        if delay > self.parts.settings.lane_hold {
            self.settle(settlement, Follow::Leave(id));
            self.intake.expect_due(self.parts.clock.monotonic() + delay);
            self.lanes.finish(&push);
            return;
        }
        push.attempts = settlement.attempt.number;
        push.starts = 0;
        push.state = PushState::Retry;
        self.settle(settlement, Follow::Stay);
        let until = self.parts.clock.monotonic() + delay;
        let held = self.held.insert(lane_of(&push));
        self.holds.push(Reverse((until, held)));
        self.lanes.hold(push);
        self.set_alarm(until);
    }

    fn speak(&mut self, push: StoredPush, mut settlement: Settlement) {
        let permit = self.outbox.free_permit();
        if permit.is_some()
            && let Some(first) = settlement.parts.first_mut()
        {
            first.state = PartState::Sending;
        }
        let speech = Speech {
            push,
            parts: settlement.parts.clone(),
            permit,
        };
        self.settle(settlement, Follow::Speak(Box::new(speech)));
    }

    fn settle(&self, settlement: Settlement, follow: Follow) {
        let settled = self.parts.inbox.settle(settlement);
        self.wait_for(async move { Event::Settled(follow, settled.await) });
    }

    /// Something of the store's has come.
    ///
    /// # Errors
    /// The store's, unless it only says that somebody else has dealt with the push.
    pub(crate) fn happened(&mut self, event: Event) -> Result<(), EngineError> {
        match event {
            Event::Page(limit, page) => self.page_came(limit, page?),
            Event::Due(limit, pushes) => self.due_came(limit, pushes?),
            Event::Refill(lane, limit, pushes) => self.lanes.refill(lane, limit, pushes?),
            Event::Spilled(lane, written) => {
                written?;
                self.lanes.spill_written(lane);
            }
            Event::Replayed(story) => self.replay_came(story?),
            Event::Marked(ticket, marked) => match tolerated(marked)? {
                Some(recorded) => self.marked.push_back((ticket, recorded)),
                None => self.forget(ticket),
            },
            Event::Silent(ending) => self.conclude(ending),
            Event::Settled(follow, settled) => {
                let settled = tolerated(settled)?.is_some();
                self.follow(follow, settled);
            }
            Event::Stored(stored) => drop(tolerated(stored)?),
        }
        Ok(())
    }

    fn follow(&mut self, follow: Follow, settled: bool) {
        match follow {
            Follow::Stay => {}
            Follow::Leave(id) => self.intake.leave(id),
            Follow::Speak(speech) => {
                self.intake.leave(speech.push.id);
                if !settled {
                    self.lanes.finish(&speech.push);
                    return;
                }
                let lane = lane_of(&speech.push);
                self.deliver(lane, Some(speech.push), speech.parts, speech.permit);
            }
        }
    }

    /// Delivers stored parts of one lane, in order.
    pub(crate) fn deliver(
        &mut self,
        lane: LaneKey,
        push: Option<StoredPush>,
        parts: Vec<Part>,
        permit: Option<OwnedSemaphorePermit>,
    ) {
        let outbox = Arc::clone(&self.outbox);
        self.sends.spawn(async move {
            let deliveries = outbox.deliver(parts, permit).await;
            Spoken {
                push,
                lane,
                deliveries,
            }
        });
    }

    /// A delivery is over: its lane goes on.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn spoken(&mut self, spoken: Spoken) -> Result<(), EngineError> {
        match &spoken.push {
            Some(push) => self.lanes.finish(push),
            None => self.lanes.resume(spoken.lane),
        }
        for record in spoken.deliveries.records {
            self.wait_for(async move { Event::Stored(record.await) });
        }
        spoken
            .deliveries
            .failure
            .map_or(Ok(()), |error| Err(error.into()))
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
