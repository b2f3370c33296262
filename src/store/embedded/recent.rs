//! The newest pushes as they were accepted: what was just written need not be read back.
//!
//! The engine asks for pushes moments after they were stored. They are kept here until anything becomes
//! of them, a bounded number of them, without a gap between the oldest and the newest.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use super::command::{Applied, Change, Command};
use crate::id::PushId;
use crate::store::{Accepted, Page, PushState, StoreError, StoredPush};

/// Pushes kept at most.
const PUSHES: usize = 2_048;

/// Bytes of their bodies, at most.
const BYTES: usize = 4 << 20;

/// What was accepted lately.
#[derive(Debug)]
pub(super) struct Recent(Mutex<Kept>);

#[derive(Debug)]
struct Kept {
    /// Everything pending above it is here.
    floor: PushId,
    newest: PushId,
    pushes: VecDeque<StoredPush>,
    bytes: usize,
}

impl Recent {
    /// Nothing yet; `newest` is in the file.
    pub(super) fn after(newest: PushId) -> Self {
        Self(Mutex::new(Kept {
            floor: newest,
            newest,
            pushes: VecDeque::new(),
            bytes: 0,
        }))
    }

    /// Takes in what a committed batch brought about, before anyone is told of it.
    pub(super) fn note(&self, commands: &[Command], outcomes: &[Result<Applied, StoreError>]) {
        let mut kept = self.kept();
        for (command, outcome) in commands.iter().zip(outcomes) {
            match (command, outcome) {
                (Command::Accept { push, .. }, Ok(Applied::Accepted(Accepted::Stored(id)))) => {
                    kept.add(StoredPush::new(*id, push.clone()));
                }
                (_, Ok(Applied::Accepted(Accepted::Repeat(id)))) => kept.leave(*id),
                (Command::Change { change, .. }, _) => {
                    if let Some(id) = changed(change) {
                        kept.leave(id);
                    }
                }
                _ => {}
            }
        }
    }

    /// Pushes in state *pending* above `after`, if all of them are here.
    pub(super) fn pending(&self, after: PushId, limit: usize) -> Option<Page> {
        let kept = self.kept();
        if after < kept.floor {
            return None;
        }
        let first = kept.pushes.partition_point(|push| push.id <= after);
        let pushes: Vec<_> = kept.pushes.range(first..).take(limit).cloned().collect();
        let upto = match pushes.last() {
            Some(last) if pushes.len() == limit => last.id,
            _ if limit == 0 => after,
            _ => kept.newest.max(after),
        };
        Some(Page { pushes, upto })
    }

    /// The store has failed or ends: nothing is known here any more.
    pub(super) fn close(&self) {
        self.kept().leave(PushId(i64::MAX));
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl Kept {
    fn add(&mut self, push: StoredPush) {
        self.newest = push.id;
        if push.state != PushState::Pending {
            return;
        }
        self.bytes += push.body.len();
        self.pushes.push_back(push);
        while self.pushes.len() > PUSHES || self.bytes > BYTES {
            self.drop_oldest();
        }
    }

    /// The push is not what it was. It and all before it go: they were read already, or the file has
    /// them.
    fn leave(&mut self, id: PushId) {
        self.floor = self.floor.max(id);
        while self.pushes.front().is_some_and(|push| push.id <= id) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(push) = self.pushes.pop_front() {
            self.bytes -= push.body.len();
            self.floor = self.floor.max(push.id);
        }
    }
}

/// The push whose row a change touches.
fn changed(change: &Change) -> Option<PushId> {
    match change {
        Change::Start(push)
        | Change::Replay(push, _)
        | Change::Reread(push, ..)
        | Change::Discard(push) => Some(*push),
        Change::Settle(settlement) => Some(settlement.push),
        Change::MarkSending(_) | Change::Record(_) | Change::Spill(..) => None,
    }
}
