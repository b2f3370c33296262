//! What comes into the lanes: the cursor over pending pushes, due retries, what was put aside, what a
//! former process left unsent, what an operator wants handled again.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crate::dispatch::machine::{Event, Machine};
use crate::id::PushId;
use crate::store::{LaneKey, Page, Part, PushState, StoreError, StoredPush};

/// Pushes of one page of the cursor.
const PAGE: usize = 256;
/// A page is not read for less room than this, unless nothing more can become free.
const SMALLEST_PAGE: usize = 64;
/// Retries taken up at once.
const DUE: usize = 64;
/// How often the store is asked for due retries when nothing is known to be due earlier.
const DUE_INTERVAL: Duration = Duration::from_secs(1);

/// Where reading stands.
#[derive(Debug)]
pub(crate) struct Intake {
    /// The newest push when this process began: what is not above it may have been started before.
    born: PushId,
    cursor: PushId,
    /// Whether the cursor has seen everything that was there.
    caught_up: bool,
    reading: bool,
    /// Whether something was stored since the page under way was asked for: it may not be on it.
    woken: bool,
    /// Pushes to be handled again, to be fetched once the cursor stands still.
    replays: Vec<PushId>,
    /// Whether such pushes are being fetched.
    replaying: bool,
    /// Retried pushes in memory, or whose last settlement is not stored yet: the store may still call them due.
    engaged: HashSet<PushId>,
    /// Those that leave when the look under way is over: it may have seen them as they were.
    leaving: Vec<PushId>,
    looking: bool,
    next_due: Duration,
}

impl Intake {
    pub(crate) fn new(born: PushId) -> Self {
        Self {
            born,
            cursor: PushId::ZERO,
            caught_up: false,
            reading: false,
            woken: false,
            replays: Vec::new(),
            replaying: false,
            engaged: HashSet::new(),
            leaving: Vec::new(),
            looking: false,
            next_due: Duration::ZERO,
        }
    }

    pub(crate) fn born(&self) -> PushId {
        self.born
    }

    /// Something new is stored.
    pub(crate) fn wake(&mut self) {
        self.caught_up = false;
        self.woken = true;
    }

    /// The push is in hand though the store will call it due.
    pub(crate) fn engage(&mut self, id: PushId) {
        self.engaged.insert(id);
    }

    /// Its settlement is stored and it is in hand no more.
    pub(crate) fn leave(&mut self, id: PushId) {
        if self.engaged.is_empty() {
            return;
        }
        if self.looking {
            self.leaving.push(id);
        } else {
            self.engaged.remove(&id);
        }
    }

    /// A retry outside the lanes is due then.
    pub(crate) fn expect_due(&mut self, at: Duration) {
        self.next_due = self.next_due.min(at);
    }

    /// A push is to be handled again.
    pub(crate) fn replay(&mut self, id: PushId) {
        self.replays.push(id);
    }
}

impl Machine {
    /// Reads on, as far as there is room.
    pub(crate) fn read_on(&mut self) {
        while let Some((lane, limit)) = self.lanes.fetch() {
            let inbox = Arc::clone(&self.parts.inbox);
            self.wait_for(async move {
                let pushes = inbox.unspill(lane.clone(), limit).await;
                Event::Refill(lane, limit, pushes)
            });
        }
        if self.intake.reading {
            return;
        }
        self.fetch_replayed();
        let limit = self.lanes.room().min(PAGE);
        if self.intake.caught_up || limit < SMALLEST_PAGE.min(self.lanes.most_room().div_ceil(2)) {
            return;
        }
        self.intake.reading = true;
        self.intake.woken = false;
        self.lanes.promise(limit);
        let inbox = Arc::clone(&self.parts.inbox);
        let after = self.intake.cursor;
        self.wait_for(async move { Event::Page(limit, inbox.pending(after, limit).await) });
    }

    pub(crate) fn page_came(&mut self, limit: usize, page: Page) {
        self.lanes.redeem(limit);
        let intake = &mut self.intake;
        intake.reading = false;
        intake.caught_up = page.pushes.len() < limit && !intake.woken;
        intake.cursor = intake.cursor.max(page.upto);
        if !intake.replays.is_empty() {
            let read: HashSet<_> = page.pushes.iter().map(|push| push.id).collect();
            intake.replays.retain(|id| !read.contains(id));
        }
        let mut aside: HashMap<LaneKey, Vec<PushId>> = HashMap::new();
        for push in page.pushes {
            if let Some((lane, id)) = self.lanes.offer(push) {
                aside.entry(lane).or_default().push(id);
            }
        }
        for (lane, ids) in aside {
            self.put_aside(lane, ids);
        }
    }

    fn put_aside(&mut self, lane: LaneKey, ids: Vec<PushId>) {
        self.lanes.spill_begins(&lane);
        let inbox = Arc::clone(&self.parts.inbox);
        self.wait_for(async move {
            let written = inbox.spill(lane.clone(), ids).await;
            Event::Spilled(lane, written)
        });
    }

    /// Asks for retries whose time has come, when it is time to ask.
    pub(crate) fn look_for_due(&mut self, now: Duration) {
        let intake = &mut self.intake;
        if intake.looking {
            return;
        }
        if now < intake.next_due {
            let at = intake.next_due;
            self.set_alarm(at);
            return;
        }
        intake.next_due = now + DUE_INTERVAL;
        let limit = self.lanes.room().min(DUE);
        if limit == 0 {
            let at = self.intake.next_due;
            self.set_alarm(at);
            return;
        }
        self.intake.looking = true;
        self.lanes.promise(limit);
        let inbox = Arc::clone(&self.parts.inbox);
        // Those in hand may still be among the due ones.
        let asked = limit + self.intake.engaged.len();
        let wall = self.parts.clock.now();
        self.wait_for(async move { Event::Due(limit, inbox.due(wall, asked).await) });
    }

    pub(crate) fn due_came(&mut self, limit: usize, pushes: Vec<StoredPush>) {
        self.lanes.redeem(limit);
        self.intake.looking = false;
        let mut fresh: Vec<_> = pushes
            .into_iter()
            .filter(|push| !self.intake.engaged.contains(&push.id))
            .collect();
        if fresh.len() >= limit {
            self.intake.next_due = Duration::ZERO;
        }
        fresh.truncate(limit);
        // The newest first, so that the oldest ends up in front.
        fresh.sort_by_key(|push| std::cmp::Reverse(push.id));
        for push in fresh {
            self.intake.engage(push.id);
            self.lanes.offer_first(push);
        }
        for id in std::mem::take(&mut self.intake.leaving) {
            self.intake.engaged.remove(&id);
        }
        let at = self.intake.next_due;
        self.set_alarm(at);
    }

    /// Fetches what is to be handled again, a few at a time and in the order of acceptance. What is above
    /// the cursor will be read anyway.
    fn fetch_replayed(&mut self) {
        let intake = &mut self.intake;
        if intake.replaying || intake.replays.is_empty() {
            return;
        }
        let mut ids = std::mem::take(&mut intake.replays);
        ids.retain(|id| *id <= intake.cursor);
        ids.sort_unstable();
        ids.dedup();
        intake.replaying = true;
        let inbox = Arc::clone(&self.parts.inbox);
        self.wait_for(async move {
            let mut pushes = Vec::new();
            for id in ids {
                match inbox.story(id).await {
                    Ok(Some(story)) if story.push.state == PushState::Pending => {
                        pushes.push(story.push);
                    }
                    // It is handled, or gone, meanwhile.
                    Ok(_) => {}
                    Err(error) => return Event::Replayed(Err(error)),
                }
            }
            Event::Replayed(Ok(pushes))
        });
    }

    pub(crate) fn replays_came(&mut self, pushes: Vec<StoredPush>) {
        self.intake.replaying = false;
        let mut aside: HashMap<LaneKey, Vec<PushId>> = HashMap::new();
        for push in pushes {
            if let Some((lane, id)) = self.lanes.offer(push) {
                aside.entry(lane).or_default().push(id);
            }
        }
        for (lane, ids) in aside {
            self.put_aside(lane, ids);
        }
    }

    /// Delivers what a former process committed and did not send; those users' lanes wait for it.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn deliver_unsent(&mut self) -> Result<(), StoreError> {
        // Bounded by what that process had under way: its `open_work`, times the parts of a push.
        let mut lanes: HashMap<LaneKey, Vec<Part>> = HashMap::new();
        let mut after = None;
        loop {
            let parts = self.parts.inbox.waiting(after, PAGE).await?;
            let Some(last) = parts.last() else {
                break;
            };
            after = Some(last.key);
            for part in parts {
                let lane = LaneKey {
                    account: part.account.clone(),
                    user: part.to.clone(),
                };
                lanes.entry(lane).or_default().push(part);
            }
        }
        for (lane, parts) in lanes {
            tracing::info!(
                parts = parts.len(),
                "Messages that were left unsent are sent now."
            );
            self.lanes.close(lane.clone());
            self.deliver(lane, None, parts, None);
        }
        Ok(())
    }
}
