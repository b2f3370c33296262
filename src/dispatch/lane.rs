//! Lanes: one user's pushes in order, users in turn, a bounded number of them in memory.
//!
//! Pure data: no clock, no store. The caller reads pushes and offers them, takes the next one to run,
//! and says when it is finished or held back.

use std::collections::hash_map::{Entry, OccupiedEntry};
use std::collections::{HashMap, VecDeque};

use crate::id::PushId;
use crate::store::{LaneKey, StoredPush};

/// How much is kept in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Pushes of one lane.
    pub(crate) lane: usize,
    /// Pushes of all lanes, running ones included.
    pub(crate) pushes: usize,
    /// Bytes of their bodies.
    pub(crate) bytes: usize,
}

/// What a push costs beside its body: names, lane, bookkeeping.
const PUSH_OVERHEAD_BYTES: usize = 512;
/// The body size that a read is planned with while memory is scarce.
const PLANNED_BODY_BYTES: usize = 64 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stand {
    /// Nothing to run.
    #[default]
    Idle,
    /// In the ready queue.
    Ready,
    /// Its first push runs.
    Busy,
    /// Waits for the caller's word.
    Held,
}

#[derive(Debug, Default)]
struct Lane {
    queue: VecDeque<StoredPush>,
    stand: Stand,
    /// Pushes put aside in the store, all of them newer than those in the queue.
    spilled: usize,
    /// Writes of spilled ids that are not confirmed yet.
    writing: usize,
    /// Whether spilled pushes are being fetched.
    fetching: bool,
    /// Pushes handed out since the lane is known.
    handed_out: usize,
}

/// All lanes of a process.
#[derive(Debug)]
pub(crate) struct Lanes {
    bounds: Bounds,
    lanes: HashMap<LaneKey, Lane>,
    ready: VecDeque<LaneKey>,
    thirsty: VecDeque<LaneKey>,
    pushes: usize,
    bytes: usize,
    /// Pushes that reads under way may bring.
    promised: usize,
}

impl Lanes {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            lanes: HashMap::new(),
            ready: VecDeque::new(),
            thirsty: VecDeque::new(),
            pushes: 0,
            bytes: 0,
            promised: 0,
        }
    }

    /// How many pushes may be read now; zero pauses the cursor.
    pub(crate) fn room(&self) -> usize {
        let pushes = self
            .bounds
            .pushes
            .saturating_sub(self.pushes + self.promised);
        let bytes = self.bounds.bytes.saturating_sub(self.bytes);
        if bytes == 0 {
            return 0;
        }
        pushes.min(bytes / PLANNED_BODY_BYTES + 1)
    }

    /// The room there is when nothing is in memory.
    pub(crate) fn most_room(&self) -> usize {
        let by_bytes = self.bounds.bytes / PLANNED_BODY_BYTES + 1;
        self.bounds.pushes.min(by_bytes)
    }

    /// Sets room aside for a read of at most `limit` pushes.
    pub(crate) fn promise(&mut self, limit: usize) {
        self.promised += limit;
    }

    /// The read is here.
    pub(crate) fn redeem(&mut self, limit: usize) {
        self.promised = self.promised.saturating_sub(limit);
    }

    /// Takes the newest push of its lane, or gives back the name of one to be put aside.
    pub(crate) fn offer(&mut self, push: StoredPush) -> Option<(LaneKey, PushId)> {
        let key = lane_of(&push);
        let lane = self.lanes.entry(key.clone()).or_default();
        if lane.spilled > 0 || lane.queue.len() >= self.bounds.lane {
            lane.spilled += 1;
            return Some((key, push.id));
        }
        self.pushes += 1;
        self.bytes += cost(&push);
        lane.queue.push_back(push);
        if lane.stand == Stand::Idle {
            lane.stand = Stand::Ready;
            self.ready.push_back(key);
        }
        None
    }

    /// Takes a push that is older than those of its lane: it was tried before and is due again.
    pub(crate) fn offer_first(&mut self, push: StoredPush) {
        let key = lane_of(&push);
        self.pushes += 1;
        self.bytes += cost(&push);
        let lane = self.lanes.entry(key.clone()).or_default();
        lane.queue.push_front(push);
        if lane.stand == Stand::Idle {
            lane.stand = Stand::Ready;
            self.ready.push_back(key);
        }
    }

    /// The next push to run, and how many of its lane were handed out before it. The lane is busy
    /// until [`Lanes::finish`] or [`Lanes::hold`].
    pub(crate) fn next(&mut self) -> Option<(StoredPush, usize)> {
        loop {
            let key = self.ready.pop_front()?;
            let Some(lane) = self.lanes.get_mut(&key) else {
                continue;
            };
            if lane.stand != Stand::Ready {
                continue;
            }
            if let Some(push) = lane.queue.pop_front() {
                lane.stand = Stand::Busy;
                lane.handed_out += 1;
                return Some((push, lane.handed_out - 1));
            }
            lane.stand = Stand::Idle;
        }
    }

    /// The push leaves memory and its lane goes on.
    pub(crate) fn finish(&mut self, push: &StoredPush) {
        self.pushes = self.pushes.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(cost(push));
        self.resume(lane_of(push));
    }

    /// The push stays the first of its lane, which waits for [`Lanes::resume`].
    pub(crate) fn hold(&mut self, push: StoredPush) {
        let lane = self.lanes.entry(lane_of(&push)).or_default();
        lane.stand = Stand::Held;
        lane.queue.push_front(push);
    }

    /// Keeps a lane from running anything until [`Lanes::resume`].
    pub(crate) fn close(&mut self, key: LaneKey) {
        self.lanes.entry(key).or_default().stand = Stand::Held;
    }

    /// A busy or held lane goes on.
    pub(crate) fn resume(&mut self, key: LaneKey) {
        if let Entry::Occupied(mut lane) = self.lanes.entry(key) {
            lane.get_mut().stand = Stand::Idle;
            place(lane, &mut self.ready, &mut self.thirsty);
        }
    }

    /// A write of spilled ids is under way.
    pub(crate) fn spill_begins(&mut self, key: &LaneKey) {
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.writing += 1;
        }
    }

    /// It is done: what was put aside can be fetched.
    pub(crate) fn spill_written(&mut self, key: LaneKey) {
        if let Entry::Occupied(mut lane) = self.lanes.entry(key) {
            let writing = &mut lane.get_mut().writing;
            *writing = writing.saturating_sub(1);
            place(lane, &mut self.ready, &mut self.thirsty);
        }
    }

    /// A lane whose spilled pushes are to be fetched now, and how many of them. Answered by [`Lanes::refill`].
    pub(crate) fn fetch(&mut self) -> Option<(LaneKey, usize)> {
        let limit = self.room().min(self.bounds.lane);
        if limit == 0 {
            return None;
        }
        let key = self.thirsty.pop_front()?;
        self.promise(limit);
        Some((key, limit))
    }

    /// Takes what was fetched, in order.
    pub(crate) fn refill(&mut self, key: LaneKey, limit: usize, pushes: Vec<StoredPush>) {
        self.redeem(limit);
        let Entry::Occupied(mut entry) = self.lanes.entry(key) else {
            return;
        };
        self.pushes += pushes.len();
        self.bytes += pushes.iter().map(cost).sum::<usize>();
        let lane = entry.get_mut();
        lane.fetching = false;
        // An empty answer says that nothing is left, whatever was counted: rows may have been handled otherwise.
        lane.spilled = match pushes.len() {
            0 if lane.writing == 0 => 0,
            fetched => lane.spilled.saturating_sub(fetched),
        };
        lane.queue.extend(pushes);
        place(entry, &mut self.ready, &mut self.thirsty);
    }
}

/// Puts an idle lane where it belongs: into the ready queue, among the thirsty, or away.
fn place(
    mut entry: OccupiedEntry<'_, LaneKey, Lane>,
    ready: &mut VecDeque<LaneKey>,
    thirsty: &mut VecDeque<LaneKey>,
) {
    let lane = entry.get_mut();
    if lane.stand != Stand::Idle {
        return;
    }
    let is_still = lane.writing == 0 && !lane.fetching;
    if !lane.queue.is_empty() {
        lane.stand = Stand::Ready;
        ready.push_back(entry.key().clone());
    } else if is_still && lane.spilled > 0 {
        lane.fetching = true;
        thirsty.push_back(entry.key().clone());
    } else if is_still {
        entry.remove();
    }
}

/// The lane a push belongs to.
pub(crate) fn lane_of(push: &StoredPush) -> LaneKey {
    LaneKey {
        account: push.account.clone(),
        user: push.user.clone(),
    }
}

fn cost(push: &StoredPush) -> usize {
    push.body.len() + PUSH_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests;
