//! The end of an attempt: timed out or finished, settled, tried again, and what it says delivered.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use crate::dispatch::attempt::{Finished, Verdict};
use crate::dispatch::engine::EngineError;
use crate::dispatch::lane::lane_of;
use crate::dispatch::live::Live;
use crate::dispatch::machine::{Event, Machine};
use crate::dispatch::outbox::{Deliveries, Opening};
use crate::dispatch::passive::LATEST_ANSWER;
use crate::dispatch::settle::{Conclusion, Phase, Running, Terms, Times, bury, conclude};
use crate::dispatch::slots::Slot;
use crate::dispatch::typing::End;
use crate::id::PushId;
use crate::metric::Counter;
use crate::store::{LaneKey, Next, Part, PartState, PushState, Settlement, StoredPush};

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
    /// The push has left, and its lane goes on only now: the user's next push needs what is committed.
    GoOn(StoredPush),
    /// It is in its lane still, to be tried again.
    Stay,
    /// Its parts are delivered.
    Speak(Box<Speech>),
}

/// What a settled push says: its lane waits until it is delivered.
pub(crate) struct Speech {
    push: StoredPush,
    parts: Vec<Part>,
    /// How the first part goes out, which then is *sending* already.
    opening: Option<Opening>,
}

/// A delivery that is over.
pub(crate) struct Spoken {
    /// The push whose parts they were; `None` for what a former process left unsent.
    push: Option<StoredPush>,
    lane: LaneKey,
    deliveries: Deliveries,
}

impl Machine {
    /// Gives a push up without starting it.
    pub(crate) fn bury(&mut self, push: &StoredPush, reason: String) {
        tracing::error!(push_id = %push.id, starts = push.starts, reason, "A push is given up; no handler is started.");
        self.parts.counters.add(Counter::PushesDead);
        let settlement = bury(push, reason, self.parts.clock.now());
        self.settle(settlement, Follow::Leave(push.id));
        self.lanes.finish(push);
    }

    pub(crate) fn time_out(&mut self, now: Duration) {
        let mut next: Option<Duration> = None;
        let mut late = Vec::new();
        for (ticket, running) in self.running.iter() {
            let Phase::UnderWay { live, .. } = &running.phase else {
                continue;
            };
            // While all threads are blocked by others, the time of those who wait does not run.
            let begun = live.begun().unwrap_or(now);
            let route = live.route_id();
            let limit = route.map_or(self.parts.settings.handler_timeout, |id| self.limit_of(id));
            if begun + limit <= now {
                late.push((ticket, limit));
                continue;
            }
            let look = match route {
                Some(_) => begun + limit,
                None => now + self.shortest_limit(),
            };
            next = Some(next.map_or(look, |known| known.min(look)));
        }
        if let Some(at) = next {
            self.set_alarm(at);
        }
        let ended_at = self.parts.clock.now();
        for (ticket, limit) in late {
            let error = format!("the handler took more than {} s", limit.as_secs_f64());
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
        ending.live.teller().ends(match &ending.verdict {
            Verdict::Well(said) if !said.messages.is_empty() => End::Answered,
            _ => End::Silent,
        });
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
        let live = ending.live;
        let routes = &self.parts.routes;
        let policy = live.route_id().and_then(|id| routes.policy(id));
        let own = policy.and_then(|policy| policy.attempts.as_ref());
        let terms = Terms {
            attempts: own.unwrap_or(&self.parts.settings.attempts),
            resumable: policy.is_some_and(|policy| policy.resumable),
            closes_at: live.closes_at(),
        };
        let Conclusion {
            settlement,
            retry_in,
        } = conclude(&push, &live, ending.verdict, ending.times, terms);
        self.tell(&settlement);
        match retry_in {
            Some(delay) => {
                if delay >= LATEST_ANSWER {
                    live.release_request();
                }
                self.retry(push, settlement, delay);
            }
            None if settlement.parts.is_empty() && settlement.conversation.is_some() => {
                live.release_request();
                self.settle(settlement, Follow::GoOn(push));
            }
            None if settlement.parts.is_empty() => {
                live.release_request();
                self.settle(settlement, Follow::Leave(push.id));
                self.lanes.finish(&push);
            }
            None => self.speak(push, settlement, &live),
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

    fn speak(&mut self, push: StoredPush, mut settlement: Settlement, live: &Live) {
        let mut opening = None;
        if let Some(first) = settlement.parts.first_mut() {
            opening = self.open(first, live);
            if opening.is_some() {
                first.state = PartState::Sending;
            }
        }
        let speech = Speech {
            push,
            parts: settlement.parts.clone(),
            opening,
        };
        self.settle(settlement, Follow::Speak(Box::new(speech)));
    }

    /// How the first part goes out, if it can at once: as the answer to the push if its request still
    /// waits, or else by a call.
    fn open(&self, first: &mut Part, live: &Live) -> Option<Opening> {
        if first.passive.is_some() {
            if let Some(promise) = live.promise() {
                return Some(Opening::Answer(promise));
            }
            first.passive = None;
        }
        live.release_request();
        if first.message.is_empty() {
            // Only a passive reply can say it, and it is too late for one.
            return None;
        }
        self.outbox.clear_now(first).map(Opening::Call)
    }

    fn settle(&self, settlement: Settlement, follow: Follow) {
        let settled = self.parts.inbox.settle(settlement);
        self.wait_for(async move { Event::Settled(follow, settled.await) });
    }

    pub(crate) fn follow(&mut self, follow: Follow, settled: bool) {
        match follow {
            Follow::Stay => {}
            Follow::Leave(id) => self.intake.leave(id),
            Follow::GoOn(push) => {
                self.intake.leave(push.id);
                self.lanes.finish(&push);
            }
            Follow::Speak(speech) => {
                self.intake.leave(speech.push.id);
                if !settled {
                    self.lanes.finish(&speech.push);
                    return;
                }
                let lane = lane_of(&speech.push);
                self.deliver(lane, Some(speech.push), speech.parts, speech.opening);
            }
        }
    }

    /// Delivers stored parts of one lane, in order.
    pub(crate) fn deliver(
        &mut self,
        lane: LaneKey,
        push: Option<StoredPush>,
        parts: Vec<Part>,
        opening: Option<Opening>,
    ) {
        let outbox = Arc::clone(&self.outbox);
        self.sends.spawn(async move {
            let deliveries = outbox.deliver(parts, opening).await;
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
