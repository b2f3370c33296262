//! Tokens in memory: for one process, and the executable model of a token store.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::clock::Clock;
use crate::id::AppId;
use crate::store::tokens::{
    NOTES_KEPT, NewToken, Note, Owner, Promise, PutBack, Right, Saved, TokenKey, TokenRecord,
    Tokens,
};
use crate::store::usage::{CLIENTS_KEPT, ClientUse, TokenUsage};

/// A token store that ends with the process.
pub struct MemoryTokens {
    clock: Arc<dyn Clock>,
    slots: Mutex<HashMap<TokenKey, Slot>>,
    uses: Mutex<HashMap<AppId, Vec<ClientUse>>>,
}

/// Everything about one key.
#[derive(Default)]
struct Slot {
    record: Option<TokenRecord>,
    holder: Option<(Owner, Duration)>,
    fence: u64,
    notes: VecDeque<Note>,
}

impl Slot {
    fn is_held_by(&self, right: &Right, now: Duration) -> bool {
        let held = |(owner, until): &(Owner, Duration)| *owner == right.owner && *until > now;
        self.fence == right.fence && self.holder.as_ref().is_some_and(held)
    }
}

impl MemoryTokens {
    /// An empty store.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            slots: Mutex::default(),
            uses: Mutex::default(),
        })
    }

    fn with<'a, T: Send + 'a>(
        &'a self,
        key: &TokenKey,
        step: impl FnOnce(&mut Slot, Duration) -> T,
    ) -> Promise<'a, T> {
        let mut slots = self.slots.lock().unwrap_or_else(|e| e.into_inner());
        let slot = slots.entry(key.clone()).or_default();
        Box::pin(ready(Ok(step(slot, self.clock.monotonic()))))
    }
}

impl fmt::Debug for MemoryTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTokens").finish_non_exhaustive()
    }
}

impl Tokens for MemoryTokens {
    fn durability(&self) -> &'static str {
        "memory: tokens end with this process, and no other process shares them"
    }

    fn load<'a>(&'a self, key: &'a TokenKey) -> Promise<'a, Option<TokenRecord>> {
        self.with(key, |slot, _| slot.record.clone())
    }

    fn acquire<'a>(
        &'a self,
        key: &'a TokenKey,
        owner: &'a Owner,
        lasting: Duration,
    ) -> Promise<'a, Option<Right>> {
        let wall_ms = u64::try_from(self.clock.now().milliseconds()).unwrap_or(0);
        self.with(key, |slot, now| {
            if slot.holder.as_ref().is_some_and(|(_, until)| *until > now) {
                return None;
            }
            slot.fence = slot.fence.saturating_add(1).max(wall_ms);
            slot.holder = Some((owner.clone(), now + lasting));
            Some(Right {
                key: key.clone(),
                owner: owner.clone(),
                fence: slot.fence,
            })
        })
    }

    fn holds<'a>(&'a self, right: &'a Right, lasting: Duration) -> Promise<'a, bool> {
        self.with(&right.key, |slot, now| {
            let holds = slot.is_held_by(right, now);
            if holds {
                slot.holder = Some((right.owner.clone(), now + lasting));
            }
            holds
        })
    }

    fn save<'a>(&'a self, right: &'a Right, new: NewToken) -> Promise<'a, Saved> {
        self.with(&right.key, |slot, now| {
            if !slot.is_held_by(right, now) {
                return Saved::Fenced;
            }
            let record = new.beside(slot.record.as_ref());
            slot.record = Some(record.clone());
            Saved::Stored(record)
        })
    }

    fn put_back<'a>(&'a self, key: &'a TokenKey, record: &'a TokenRecord) -> Promise<'a, PutBack> {
        self.with(key, |slot, _| match &slot.record {
            Some(stored) if stored.generation >= record.generation => {
                PutBack::Newer(stored.clone())
            }
            _ => {
                slot.record = Some(record.clone());
                PutBack::Stored
            }
        })
    }

    fn release<'a>(&'a self, key: &'a TokenKey, owner: &'a Owner) -> Promise<'a, ()> {
        self.with(key, |slot, _| {
            if slot
                .holder
                .as_ref()
                .is_some_and(|(holder, _)| holder == owner)
            {
                slot.holder = None;
            }
        })
    }

    fn note<'a>(&'a self, key: &'a TokenKey, note: Note) -> Promise<'a, ()> {
        self.with(key, |slot, _| {
            slot.notes.push_back(note.cut());
            while slot.notes.len() > NOTES_KEPT {
                slot.notes.pop_front();
            }
        })
    }

    fn notes<'a>(&'a self, key: &'a TokenKey) -> Promise<'a, Vec<Note>> {
        self.with(key, |slot, _| slot.notes.iter().cloned().collect())
    }
}

impl MemoryTokens {
    fn uses_of<'a, T: Send + 'a>(
        &'a self,
        account: &AppId,
        step: impl FnOnce(&mut Vec<ClientUse>) -> T,
    ) -> Promise<'a, T> {
        let mut uses = self.uses.lock().unwrap_or_else(|e| e.into_inner());
        Box::pin(ready(Ok(step(uses.entry(account.clone()).or_default()))))
    }
}

impl TokenUsage for MemoryTokens {
    fn add<'a>(&'a self, account: &'a AppId, uses: &'a [ClientUse]) -> Promise<'a, ()> {
        self.uses_of(account, |kept| {
            for used in uses {
                match kept.iter_mut().find(|one| one.client == used.client) {
                    Some(one) => one.add(used),
                    None => kept.push(used.clone()),
                }
            }
            kept.sort_by(|a, b| (b.last_at(), &a.client).cmp(&(a.last_at(), &b.client)));
            kept.truncate(CLIENTS_KEPT);
        })
    }

    fn uses<'a>(&'a self, account: &'a AppId) -> Promise<'a, Vec<ClientUse>> {
        self.uses_of(account, |kept| kept.clone())
    }
}
