//! The state machine of a push's life as plain data: no lock, no I/O, time is an argument.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::Bound;

use crate::clock::Timestamp;
use crate::id::{AppId, OpenId, PushId};
use crate::protocol::push::Kind;
use crate::store::seen::Seen;
use crate::store::{
    Accepted, Aside, Attempt, ComponentTicket, Filter, LaneKey, NewPush, Next, Page, Part, PartKey,
    PartState, PartVerdict, Past, PushState, Replay, SEEN_CAP, SEEN_RETENTION, Settlement,
    StoreError, StoredConversation, StoredPush, Story, Turn,
};

use super::conversations::Conversations;

/// Bytes that a push costs besides its body, roughly.
const PUSH_OVERHEAD_BYTES: usize = 512;

/// What the model may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Finished pushes that are kept for looking at.
    pub done: usize,
    /// Dead and malformed pushes that are kept; beyond that the oldest are discarded.
    pub dead: usize,
    /// Bytes of every push kept; beyond that, finished ones go, and new ones are refused.
    pub bytes: usize,
    /// Bytes of conversations; beyond that, those that would expire next are forgotten.
    pub conversation_bytes: usize,
}

impl Limits {
    /// For a server: the last 10,000 finished pushes, as many dead ones, 1 GiB in all, and 64 MiB of
    /// conversations.
    pub const SERVER: Self = Self {
        done: 10_000,
        dead: 10_000,
        bytes: 1 << 30,
        conversation_bytes: 64 << 20,
    };
    /// For comparing: nothing is ever dropped.
    pub const NONE: Self = Self {
        done: usize::MAX,
        dead: usize::MAX,
        bytes: usize::MAX,
        conversation_bytes: usize::MAX,
    };
}

#[derive(Debug, Clone)]
struct Row {
    push: StoredPush,
    attempts: BTreeMap<(u32, u32), Attempt>,
    parts: BTreeMap<(u32, u32), Part>,
    replays: Vec<Replay>,
    turns: Vec<Turn>,
}

impl Row {
    /// Whether nothing about this push waits for anybody: it may be dropped one day.
    fn is_finished(&self) -> bool {
        let is_final = |part: &Part| matches!(part.state, PartState::Sent | PartState::Refused);
        let is_still = |part: &Part| !matches!(part.state, PartState::Waiting | PartState::Sending);
        match self.push.state {
            PushState::Done => self.parts.values().all(is_final),
            PushState::Discarded => self.parts.values().all(is_still),
            _ => false,
        }
    }

    fn cost(&self) -> usize {
        let parts = self.parts.values().map(Part::bytes);
        PUSH_OVERHEAD_BYTES + self.push.body.len() + parts.sum::<usize>()
    }
}

/// Every push and what became of it. What [`super::MemoryInbox`] holds, and what every other store
/// is compared with.
#[derive(Debug, Clone)]
pub struct Model {
    limits: Limits,
    last: PushId,
    seen: Seen,
    rows: BTreeMap<PushId, Row>,
    pending: BTreeSet<PushId>,
    retry: BTreeSet<(Timestamp, PushId)>,
    /// Those that are dead or malformed.
    dead: BTreeSet<PushId>,
    waiting: BTreeSet<PartKey>,
    spilled: HashMap<LaneKey, BTreeSet<PushId>>,
    finished: VecDeque<PushId>,
    tickets: BTreeMap<AppId, ComponentTicket>,
    conversations: Conversations,
    bytes: usize,
}

impl Model {
    /// An empty store.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            last: PushId::ZERO,
            seen: Seen::new(SEEN_RETENTION, SEEN_CAP),
            rows: BTreeMap::new(),
            pending: BTreeSet::new(),
            retry: BTreeSet::new(),
            dead: BTreeSet::new(),
            waiting: BTreeSet::new(),
            spilled: HashMap::new(),
            finished: VecDeque::new(),
            tickets: BTreeMap::new(),
            conversations: Conversations::default(),
            bytes: 0,
        }
    }

    /// The newest id handed out.
    pub const fn newest(&self) -> PushId {
        self.last
    }

    /// Stores a push, or recognises a repeat.
    ///
    /// # Errors
    /// [`StoreError::Refusing`] when the limit of bytes is reached.
    pub fn accept(&mut self, push: NewPush, now: Timestamp) -> Result<Accepted, StoreError> {
        self.seen.expire(now);
        if let Some(first) = self.seen.find(&push.key) {
            if let Some(row) = self.rows.get_mut(&first) {
                row.push.repeats = row.push.repeats.saturating_add(1);
            }
            return Ok(Accepted::Repeat(first));
        }
        self.check_room()?;
        let id = PushId::next(self.last, now);
        self.last = id;
        self.seen.insert(push.key, id, now);
        if let Some(ticket) = &push.ticket {
            self.keep_ticket(ticket);
        }
        self.insert(StoredPush::new(id, push));
        Ok(Accepted::Stored(id))
    }

    fn keep_ticket(&mut self, ticket: &ComponentTicket) {
        let known = self.tickets.get(&ticket.component);
        if known.is_none_or(|known| known.created_at <= ticket.created_at) {
            self.tickets
                .insert(ticket.component.clone(), ticket.clone());
        }
    }

    /// The newest ticket of a component.
    pub fn component_ticket(&self, component: &AppId) -> Option<ComponentTicket> {
        self.tickets.get(component).cloned()
    }

    /// Where the conversation with a user stands.
    pub fn conversation(&self, lane: &LaneKey, now: Timestamp) -> Option<StoredConversation> {
        self.conversations.find(lane, now).cloned()
    }

    /// Whether a new push would be taken.
    ///
    /// # Errors
    /// [`StoreError::Refusing`] when not.
    pub fn check_room(&self) -> Result<(), StoreError> {
        let limit = self.limits.bytes;
        if self.bytes < limit {
            return Ok(());
        }
        Err(StoreError::Refusing(
            format!("it holds {limit} bytes, all it may").into(),
        ))
    }

    fn insert(&mut self, push: StoredPush) {
        let id = push.id;
        match push.state {
            PushState::Pending => drop(self.pending.insert(id)),
            PushState::Malformed => drop(self.dead.insert(id)),
            _ => {}
        }
        let row = Row {
            push,
            attempts: BTreeMap::new(),
            parts: BTreeMap::new(),
            replays: Vec::new(),
            turns: Vec::new(),
        };
        self.bytes += row.cost();
        self.rows.insert(id, row);
        self.bound_dead();
        self.drop_finished();
    }

    /// Pushes in state *pending* above `after`.
    pub fn pending(&self, after: PushId, limit: usize) -> Page {
        let above = self.pending.range(after_id(after)..).take(limit);
        let pushes: Vec<_> = above.filter_map(|id| self.push(*id)).collect();
        let upto = match pushes.last() {
            Some(last) if pushes.len() == limit => last.id,
            _ if limit == 0 => after,
            _ => self.last.max(after),
        };
        Page { pushes, upto }
    }

    /// Pushes in state *retry* whose time has come.
    pub fn due(&self, now: Timestamp, limit: usize) -> Vec<StoredPush> {
        let come = self.retry.iter().take_while(|(at, _)| *at <= now);
        come.take(limit)
            .filter_map(|(_, id)| self.push(*id))
            .collect()
    }

    /// Parts in state *waiting* above `after`.
    pub fn waiting(&self, after: Option<PartKey>, limit: usize) -> Vec<Part> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let above = self.waiting.range((from, Bound::Unbounded));
        above.take(limit).filter_map(|key| self.part(key)).collect()
    }

    /// Pushes above `after`, up to and with `upto`, with their parts.
    pub fn past(&self, after: PushId, upto: PushId, limit: usize) -> Past {
        let above = self.rows.range(after_id(after)..);
        let of_page = above.take_while(|(id, _)| **id <= upto).take(limit);
        let mut past = Past::default();
        for (_, row) in of_page {
            past.pushes.push(row.push.clone());
            past.parts.extend(row.parts.values().cloned());
        }
        let mut rows = self.rows.values();
        let oldest = rows.find(|row| row.push.state == PushState::Done);
        past.complete_since = oldest.map(|row| row.push.received_at);
        past
    }

    /// The parts of one run.
    pub fn parts(&self, push: PushId, run: u32) -> Vec<Part> {
        let row = self.rows.get(&push);
        row.map(|row| {
            let of_run = row.parts.range((run, 0)..=(run, u32::MAX));
            of_run.map(|(_, part)| part.clone()).collect()
        })
        .unwrap_or_default()
    }

    /// Puts pushes aside.
    pub fn spill(&mut self, lane: LaneKey, pushes: Vec<PushId>) {
        self.spilled.entry(lane).or_default().extend(pushes);
    }

    /// Takes the oldest pushes of a lane that were put aside, leaving out what is no longer open.
    pub fn unspill(&mut self, lane: &LaneKey, limit: usize) -> Vec<StoredPush> {
        let Some(ids) = self.spilled.get_mut(lane) else {
            return Vec::new();
        };
        let open = |id| {
            let push = self.rows.get(&id).map(|row| &row.push);
            push.filter(|push| push.state.is_open()).cloned()
        };
        let found = std::iter::from_fn(|| ids.pop_first())
            .filter_map(open)
            .take(limit)
            .collect();
        if ids.is_empty() {
            self.spilled.remove(lane);
        }
        found
    }

    /// Counts a start.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the push is not open.
    pub fn start(&mut self, push: PushId) -> Result<(), StoreError> {
        let row = self.open_row(push, None)?;
        row.push.starts = row.push.starts.saturating_add(1);
        Ok(())
    }

    /// Ends an attempt: all of it or nothing.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the run is not open, or an attempt or part is there already.
    pub fn settle(&mut self, settlement: Settlement) -> Result<(), StoreError> {
        settlement.check()?;
        let Settlement {
            push: id,
            run,
            next,
            attempt,
            parts,
            conversation,
        } = settlement;
        let row = self.open_row(id, Some(run))?;
        if row.attempts.contains_key(&(run, attempt.number)) {
            return Err(StoreError::attempt_exists(id, attempt.number));
        }
        if let Some(part) = parts
            .iter()
            .find(|part| row.parts.contains_key(&(run, part.key.ordinal)))
        {
            return Err(StoreError::part_exists(&part.key));
        }
        let before = (row.push.state, row.push.retry_at);
        let (number, at) = (attempt.number, attempt.ended_at);
        row.attempts.insert((run, number), attempt);
        row.turns.extend(conversation.as_ref().map(|change| Turn {
            run,
            attempt: number,
            at,
            turned: change.turned(),
        }));
        row.push.attempts = row.push.attempts.saturating_add(1);
        row.push.starts = 0;
        follow(&mut row.push, next);
        let after = (row.push.state, row.push.retry_at);
        if let Some(change) = conversation {
            let lane = LaneKey {
                account: row.push.account.clone(),
                user: row.push.user.clone(),
            };
            let limit = self.limits.conversation_bytes;
            self.conversations.turn(lane, change, at, limit);
        }
        self.move_push(id, before, after);
        for part in parts {
            self.insert_part(part);
        }
        self.retire(id);
        Ok(())
    }

    /// Makes a part *sending*.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the part is past *waiting*, or new and its push not open.
    pub fn mark_sending(&mut self, part: Part) -> Result<(), StoreError> {
        let key = part.key;
        let known = self.rows.get_mut(&key.push);
        if let Some(known) = known.and_then(|row| row.parts.get_mut(&(key.run, key.ordinal))) {
            if known.state != PartState::Waiting {
                return Err(StoreError::part_not_waiting(&key, known.state));
            }
            known.state = PartState::Sending;
            known.changed_at = part.changed_at;
            self.waiting.remove(&key);
            return Ok(());
        }
        self.open_row(key.push, Some(key.run))?;
        self.insert_part(Part {
            state: PartState::Sending,
            ..part
        });
        Ok(())
    }

    /// Records what became of a part.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the part is not in a state that can become this.
    pub fn record(&mut self, verdict: PartVerdict) -> Result<(), StoreError> {
        let key = verdict.key;
        let row = self.rows.get_mut(&key.push);
        let part = row
            .and_then(|row| row.parts.get_mut(&(key.run, key.ordinal)))
            .ok_or_else(|| StoreError::no_part(&key))?;
        verdict.check(part.state)?;
        part.state = verdict.state;
        part.error_code = verdict.error_code;
        part.rid = verdict.rid;
        part.detail = verdict.detail;
        part.changed_at = verdict.at;
        if part.state == PartState::Waiting {
            let before = part.bytes();
            part.passive = None;
            self.bytes -= before - part.bytes();
            self.waiting.insert(key);
        } else {
            self.waiting.remove(&key);
            self.retire(key.push);
        }
        Ok(())
    }

    /// Handles a push again.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it is neither *dead*, *discarded* nor *done*, or cannot be read.
    pub fn replay(&mut self, push: PushId, at: Timestamp) -> Result<(), StoreError> {
        let is_replayable = |push: &StoredPush| {
            matches!(
                push.state,
                PushState::Dead | PushState::Done | PushState::Discarded
            ) && push.kind != Kind::Malformed
        };
        let row = self.rows.get_mut(&push);
        let row = row.filter(|row| is_replayable(&row.push));
        reopen(row.ok_or_else(|| StoreError::not_replayable(push))?, at);
        self.dead.remove(&push);
        self.pending.insert(push);
        Ok(())
    }

    /// Handles a *malformed* push that can be read now.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it is not *malformed*, or is still to be called so.
    pub fn reread(
        &mut self,
        push: PushId,
        kind: Kind,
        user: OpenId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let is_rereadable = |push: &StoredPush| {
            matches!(push.state, PushState::Malformed | PushState::Discarded)
                && push.kind == Kind::Malformed
                && kind != Kind::Malformed
        };
        let row = self.rows.get_mut(&push);
        let row = row.filter(|row| is_rereadable(&row.push));
        let row = row.ok_or_else(|| StoreError::not_rereadable(push))?;
        reopen(row, at);
        row.push.kind = kind;
        row.push.user = user;
        self.dead.remove(&push);
        self.pending.insert(push);
        Ok(())
    }

    /// Puts a push away.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it is neither *dead*, *malformed* nor *done*.
    pub fn discard(&mut self, push: PushId) -> Result<(), StoreError> {
        let row = self.rows.get_mut(&push).filter(|row| {
            matches!(
                row.push.state,
                PushState::Dead | PushState::Malformed | PushState::Done
            )
        });
        let row = row.ok_or_else(|| StoreError::not_discardable(push))?;
        row.push.state = PushState::Discarded;
        self.dead.remove(&push);
        self.retire(push);
        Ok(())
    }

    /// Counts what stands aside.
    pub fn aside(&self) -> Aside {
        let count = |is: fn(&Row) -> bool| self.rows.values().filter(|row| is(row)).count() as u64;
        let parts = self.rows.values().flat_map(|row| row.parts.values());
        Aside {
            retry: self.retry.len() as u64,
            dead: count(|row| row.push.state == PushState::Dead),
            malformed: count(|row| row.push.state == PushState::Malformed),
            unknown_parts: parts
                .filter(|part| part.state == PartState::Unknown)
                .count() as u64,
        }
    }

    /// Lists pushes, oldest first.
    pub fn list(&self, filter: &Filter) -> Vec<StoredPush> {
        let newest_first = self.rows.range(after_id(filter.after)..).rev();
        let matching = newest_first.filter(|(_, row)| filter.matches(&row.push));
        let limit = filter.limit.unwrap_or(usize::MAX);
        let mut found: Vec<_> = matching
            .take(limit)
            .map(|(_, row)| row.push.clone())
            .collect();
        found.reverse();
        found
    }

    /// Everything kept about one push.
    pub fn story(&self, push: PushId) -> Option<Story> {
        let row = self.rows.get(&push)?;
        Some(Story {
            push: row.push.clone(),
            attempts: row
                .attempts
                .iter()
                .map(|((run, _), attempt)| (*run, attempt.clone()))
                .collect(),
            parts: row.parts.values().cloned().collect(),
            replays: row.replays.clone(),
            turns: row.turns.clone(),
        })
    }

    /// What a process finds that starts after a crash: what was *sending* is *unknown*, or is sent again
    /// where that was asked for, and what was put aside is simply pending.
    pub fn recover(&mut self, now: Timestamp) {
        self.spilled.clear();
        let parts = self
            .rows
            .values_mut()
            .flat_map(|row| row.parts.values_mut());
        for part in parts.filter(|part| part.state == PartState::Sending) {
            part.changed_at = now;
            if part.at_least_once {
                part.state = PartState::Waiting;
                let before = part.bytes();
                part.passive = None;
                self.bytes -= before - part.bytes();
                self.waiting.insert(part.key);
            } else {
                part.state = PartState::Unknown;
                part.detail = Some(crate::store::ENDED_WHILE_SENDING.into());
            }
        }
    }

    fn push(&self, id: PushId) -> Option<StoredPush> {
        self.rows.get(&id).map(|row| row.push.clone())
    }

    fn part(&self, key: &PartKey) -> Option<Part> {
        let row = self.rows.get(&key.push)?;
        row.parts.get(&(key.run, key.ordinal)).cloned()
    }

    fn open_row(&mut self, push: PushId, run: Option<u32>) -> Result<&mut Row, StoreError> {
        self.rows
            .get_mut(&push)
            .filter(|row| row.push.state.is_open() && run.is_none_or(|run| run == row.push.run))
            .ok_or_else(|| StoreError::not_open(push, run))
    }

    fn insert_part(&mut self, part: Part) {
        let key = part.key;
        if part.state == PartState::Waiting {
            self.waiting.insert(key);
        }
        if let Some(row) = self.rows.get_mut(&key.push) {
            self.bytes += part.bytes();
            row.parts.insert((key.run, key.ordinal), part);
        }
    }

    fn move_push(
        &mut self,
        id: PushId,
        before: (PushState, Option<Timestamp>),
        after: (PushState, Option<Timestamp>),
    ) {
        match before {
            (PushState::Pending, _) => drop(self.pending.remove(&id)),
            (PushState::Retry, Some(at)) => drop(self.retry.remove(&(at, id))),
            _ => {}
        }
        match after {
            (PushState::Retry, Some(at)) => drop(self.retry.insert((at, id))),
            (PushState::Dead, _) => {
                self.dead.insert(id);
                self.bound_dead();
            }
            _ => {}
        }
    }

    /// Notes that a push may be finished, and lets the oldest such go when there are too many.
    fn retire(&mut self, id: PushId) {
        if self.rows.get(&id).is_some_and(Row::is_finished) {
            self.finished.push_back(id);
        }
        self.drop_finished();
    }

    /// Discards the oldest dead pushes when there are too many.
    fn bound_dead(&mut self) {
        while self.dead.len() > self.limits.dead {
            let Some(oldest) = self.dead.pop_first() else {
                return;
            };
            if let Some(row) = self.rows.get_mut(&oldest) {
                row.push.state = PushState::Discarded;
            }
            self.retire(oldest);
        }
    }

    fn drop_finished(&mut self) {
        while self.finished.len() > self.limits.done || self.bytes >= self.limits.bytes {
            let Some(oldest) = self.finished.pop_front() else {
                return;
            };
            // It may have been replayed since.
            if self.rows.get(&oldest).is_some_and(Row::is_finished)
                && let Some(row) = self.rows.remove(&oldest)
            {
                self.bytes -= row.cost();
            }
        }
    }
}

const fn after_id(id: PushId) -> PushId {
    PushId(id.0.saturating_add(1))
}

/// Begins the next run.
fn reopen(row: &mut Row, at: Timestamp) {
    let push = &mut row.push;
    let was = std::mem::replace(&mut push.state, PushState::Pending);
    push.run = push.run.saturating_add(1);
    push.starts = 0;
    push.attempts = 0;
    push.retry_at = None;
    push.reason = None;
    row.replays.push(Replay {
        run: push.run,
        at,
        was,
    });
}

fn follow(push: &mut StoredPush, next: Next) {
    (push.state, push.retry_at, push.reason) = match next {
        Next::Done => (PushState::Done, None, None),
        Next::Retry { at, reason } => (PushState::Retry, Some(at), Some(reason)),
        Next::Dead { reason } => (PushState::Dead, None, Some(reason)),
    };
}
