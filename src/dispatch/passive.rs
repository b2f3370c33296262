//! Passive replies (被动回复): what a handler says soon enough is the answer to the push itself.
//!
//! A request says before its push is stored that it would wait ([`PassiveDesk::expect`]), by the dedupe
//! key, which all repeats of a push share. The engine, when the handler has ended, promises an answer
//! (`PassiveDesk::promise`), commits the part as a passive one, and only then gives it out. Whoever is
//! first ends the wait for good: a request that says `success` because its time is over closes the
//! desk for this push, and what is said then goes through the customer-message API; a promise that
//! nobody comes for is withdrawn, and goes the same way. So nothing is said both ways.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use crate::protocol::push::DedupeKey;

/// Requests that may wait at once; those beyond are answered `success` without waiting.
pub const PASSIVE_WAITING: usize = 10_000;

/// From when a request came until its answer must have left: WeChat hangs up after 5 s.
///
/// Source: the page on passive replies of the official documentation, read 2026-11.
pub const LATEST_ANSWER: Duration = Duration::from_millis(4_700);

/// How long after a request has gone without an answer its repeat is awaited. WeChat repeats at once, or
/// when its 5 s are over.
const REPEAT_PATIENCE: Duration = Duration::from_secs(6);

/// How soon it is looked again after an answer that a request has in hand.
const IN_HAND: Duration = Duration::from_millis(50);

/// Deliveries of one push that are counted on: the first, and two repeats.
///
/// Source: the official page says "重试三次", which may mean one more; what was seen in the field is three
/// requests in all.
const DELIVERIES: u32 = 3;

/// How an account, or a route, uses passive replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PassiveTerms {
    /// How long a request waits for its handler, from when it came; zero: it does not.
    pub within: Duration,
    /// Whether the first two deliveries of a push are left without an answer rather than answered
    /// `success`, so that WeChat repeats it and the handler has three times as long.
    pub use_retries: bool,
}

/// Where the requests of pushes wait for what their handlers say.
pub struct PassiveDesk {
    entries: Mutex<Entries>,
    most: usize,
    /// The longest time that a route asks for.
    routes: Duration,
}

#[derive(Default)]
struct Entries {
    by_key: HashMap<DedupeKey, Entry>,
    /// Those whose requests have gone without an answer, the first to forget first.
    left: VecDeque<(Instant, DedupeKey)>,
}

struct Entry {
    stage: watch::Sender<Stage>,
    /// How long its account waits where the route does not say.
    within: Duration,
    /// Rings when an answer was taken by its connection, or came back.
    moved: Arc<Notify>,
    /// Answers that requests have in hand.
    in_hand: usize,
    /// Whether a connection has taken one.
    is_taken: bool,
    /// Requests that wait now.
    waiting: usize,
    /// Requests that came.
    deliveries: u32,
    /// Whether the engine holds a promise on it.
    is_promised: bool,
    /// Until when a repeat is awaited, when nobody waits.
    awaited_until: Option<Instant>,
}

/// How far the answer is.
#[derive(Debug, Clone)]
enum Stage {
    /// The handler has not ended. Requests wait for so long.
    Open { within: Duration },
    /// It has: what will be the answer is being committed.
    Promised,
    /// This is the answer.
    Answer(Bytes),
    /// Nothing is said this way.
    Closed,
}

/// What a request does in the end.
#[derive(Debug)]
pub enum Outcome {
    /// It answers with this document.
    Answer(Answer),
    /// It answers `success`.
    Success,
    /// It answers nothing that WeChat would take for an answer, so that the push comes again.
    Silence,
}

impl Entries {
    /// Forgets what nobody came back for.
    fn sweep(&mut self, now: Instant) {
        while let Some((until, key)) = self.left.front().copied() {
            if until > now {
                break;
            }
            self.left.pop_front();
            if self.by_key.get(&key).is_some_and(|entry| {
                entry.is_idle() && entry.awaited_until.is_none_or(|until| until <= now)
            }) {
                self.by_key.remove(&key);
            }
        }
    }

    fn remove_idle(&mut self, key: &DedupeKey) {
        if self.by_key.get(key).is_some_and(Entry::is_idle) {
            self.by_key.remove(key);
        }
    }
}

impl Entry {
    /// `until_routed`: how long requests wait until it is known which route wins.
    fn new(within: Duration, until_routed: Duration) -> Self {
        Self {
            stage: watch::Sender::new(Stage::Open {
                within: until_routed,
            }),
            within,
            moved: Arc::new(Notify::new()),
            in_hand: 0,
            is_taken: false,
            waiting: 0,
            deliveries: 0,
            is_promised: false,
            awaited_until: None,
        }
    }

    fn is_idle(&self) -> bool {
        self.waiting == 0 && self.in_hand == 0 && !self.is_promised
    }

    fn is_open(&self) -> bool {
        matches!(*self.stage.borrow(), Stage::Open { .. })
    }
}

impl PassiveDesk {
    /// A desk at which so many pushes may be waited for at once; `routes` is the longest time that a
    /// route asks for, [`Routes::longest_passive`](crate::dispatch::Routes::longest_passive).
    pub fn new(most: usize, routes: Duration) -> Arc<Self> {
        Arc::new(Self {
            entries: Mutex::default(),
            most,
            routes,
        })
    }

    /// A request that came at `came_at` waits for the answer to this push. `None` when nothing of its
    /// account is answered so, or too many wait already.
    pub fn expect(
        self: &Arc<Self>,
        key: DedupeKey,
        terms: PassiveTerms,
        came_at: Instant,
    ) -> Option<Waiting> {
        let until_routed = terms.within.max(self.routes);
        if until_routed.is_zero() {
            return None;
        }
        let mut entries = self.entries();
        entries.sweep(Instant::now());
        let is_full = entries.by_key.len() >= self.most;
        let entry = match entries.by_key.get_mut(&key) {
            Some(entry) => entry,
            None if is_full => return None,
            None => entries
                .by_key
                .entry(key)
                .or_insert_with(|| Entry::new(terms.within, until_routed)),
        };
        entry.waiting += 1;
        entry.deliveries = entry.deliveries.saturating_add(1);
        entry.awaited_until = None;
        Some(Waiting {
            desk: Arc::clone(self),
            key,
            came_at,
            may_be_silent: terms.use_retries && entry.deliveries < DELIVERIES,
            is_first: entry.deliveries == 1,
            has_answered: false,
            stage: entry.stage.subscribe(),
        })
    }

    /// The route that wins is known, and how long it wants its request to wait; as its account when it
    /// does not say.
    pub(crate) fn routed(&self, key: &DedupeKey, within: Option<Duration>) {
        let entries = self.entries();
        let Some(entry) = entries.by_key.get(key).filter(|entry| entry.is_open()) else {
            return;
        };
        let within = within.unwrap_or(entry.within);
        entry.stage.send_if_modified(|stage| {
            let changes = !matches!(stage, Stage::Open { within: now } if *now == within);
            *stage = match within.is_zero() {
                true => Stage::Closed,
                false => Stage::Open { within },
            };
            changes
        });
    }

    /// Whether somebody waits, or is awaited, for the answer to this push.
    pub(crate) fn is_awaited(&self, key: &DedupeKey) -> bool {
        let mut entries = self.entries();
        entries.sweep(Instant::now());
        entries.by_key.get(key).is_some_and(Entry::is_open)
    }

    /// Promises an answer, if somebody waits or is awaited for it.
    pub(crate) fn promise(self: &Arc<Self>, key: &DedupeKey) -> Option<Promise> {
        let mut entries = self.entries();
        entries.sweep(Instant::now());
        let entry = entries
            .by_key
            .get_mut(key)
            .filter(|entry| entry.is_open())?;
        entry.is_promised = true;
        entry.stage.send_replace(Stage::Promised);
        Some(Promise {
            desk: Arc::clone(self),
            key: *key,
            moved: Arc::clone(&entry.moved),
        })
    }

    /// Nothing will be said this way: whoever waits need not.
    pub(crate) fn close(&self, key: &DedupeKey) {
        let mut entries = self.entries();
        if let Some(entry) = entries.by_key.get(key).filter(|entry| entry.is_open()) {
            entry.stage.send_replace(Stage::Closed);
            entries.remove_idle(key);
        }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl fmt::Debug for PassiveDesk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PassiveDesk")
            .field("pushes", &self.entries().by_key.len())
            .finish_non_exhaustive()
    }
}

/// A request that waits. Dropped, it has gone without an answer, and its repeat is awaited.
pub struct Waiting {
    desk: Arc<PassiveDesk>,
    key: DedupeKey,
    came_at: Instant,
    may_be_silent: bool,
    is_first: bool,
    has_answered: bool,
    stage: watch::Receiver<Stage>,
}

impl Waiting {
    /// Whether no other request of this push has come while it was waited for.
    pub fn is_first(&self) -> bool {
        self.is_first
    }

    /// Nothing will be said this way that is not said already: the push was handled before.
    pub fn give_up(mut self) {
        self.has_answered = true;
        self.desk.close(&self.key);
    }

    /// Waits for what this request is to answer.
    pub async fn outcome(mut self) -> Outcome {
        loop {
            let stage = self.stage.borrow_and_update().clone();
            let until = match stage {
                Stage::Answer(document) => match self.take_in_hand(document) {
                    Some(answer) => return Outcome::Answer(answer),
                    // It was withdrawn this moment.
                    None => {
                        self.has_answered = true;
                        return Outcome::Success;
                    }
                },
                Stage::Closed => {
                    self.has_answered = true;
                    return Outcome::Success;
                }
                Stage::Open { within } if !self.may_be_silent => within.min(LATEST_ANSWER),
                Stage::Open { .. } | Stage::Promised => LATEST_ANSWER,
            };
            tokio::select! {
                biased;
                changed = self.stage.changed() => {
                    if changed.is_err() {
                        self.has_answered = true;
                        return Outcome::Success;
                    }
                }
                () = sleep_until(self.came_at + until) => {
                    if self.may_be_silent {
                        return Outcome::Silence;
                    }
                    if self.withdraw(until) {
                        self.has_answered = true;
                        return Outcome::Success;
                    }
                }
            }
        }
    }

    /// Takes the answer, if it stands still.
    fn take_in_hand(&mut self, document: Bytes) -> Option<Answer> {
        let mut entries = self.desk.entries();
        let entry = entries.by_key.get_mut(&self.key)?;
        if !matches!(*entry.stage.borrow(), Stage::Answer(_)) {
            return None;
        }
        entry.in_hand += 1;
        self.has_answered = true;
        Some(Answer {
            document,
            from: Some((Arc::clone(&self.desk), self.key)),
        })
    }

    /// Ends the wait for all requests of this push, unless the answer is here by now, or is promised and
    /// there is time.
    fn withdraw(&self, waited: Duration) -> bool {
        let entries = self.desk.entries();
        let Some(entry) = entries.by_key.get(&self.key) else {
            return true;
        };
        entry.stage.send_if_modified(|stage| match stage {
            Stage::Open { .. } => {
                *stage = Stage::Closed;
                true
            }
            Stage::Promised if waited >= LATEST_ANSWER => {
                *stage = Stage::Closed;
                true
            }
            Stage::Promised | Stage::Answer(_) | Stage::Closed => false,
        })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut entries = self.desk.entries();
        let Some(entry) = entries.by_key.get_mut(&self.key) else {
            return;
        };
        entry.waiting -= 1;
        if entry.waiting > 0 {
            return;
        }
        if self.has_answered {
            entries.remove_idle(&self.key);
        } else {
            let until = Instant::now() + REPEAT_PATIENCE;
            entry.awaited_until = Some(until);
            entries.left.push_back((until, self.key));
        }
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// The document that answers a push, in the hand of one of its requests. Dropped before its connection has
/// taken it, it was not given.
#[derive(Debug)]
pub struct Answer {
    document: Bytes,
    from: Option<(Arc<PassiveDesk>, DedupeKey)>,
}

impl Answer {
    /// One that the store has kept: it was given before.
    pub fn kept(document: Bytes) -> Self {
        Self {
            document,
            from: None,
        }
    }

    /// The document, not sealed yet.
    pub fn document(&self) -> &Bytes {
        &self.document
    }

    /// Its connection has taken it: it is on its way.
    pub fn take(&mut self) {
        self.leave(true);
    }

    fn leave(&mut self, is_taken: bool) {
        let Some((desk, key)) = self.from.take() else {
            return;
        };
        let mut entries = desk.entries();
        if let Some(entry) = entries.by_key.get_mut(&key) {
            entry.in_hand -= 1;
            entry.is_taken |= is_taken;
            entry.moved.notify_one();
        }
        entries.remove_idle(&key);
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.leave(false);
    }
}

/// An answer that will be given. While it lives nobody else says anything about its push; dropped, no
/// request waits any longer.
pub(crate) struct Promise {
    desk: Arc<PassiveDesk>,
    key: DedupeKey,
    moved: Arc<Notify>,
}

impl Promise {
    /// Gives the answer out, and tells whether a connection has taken it. If none has, none will.
    pub(crate) async fn give(&mut self, document: Bytes) -> bool {
        let until = Instant::now() + REPEAT_PATIENCE;
        if !self.publish(document) {
            return false;
        }
        loop {
            let now = Instant::now();
            if let Some(is_taken) = self.judge(now >= until) {
                return is_taken;
            }
            // An answer in hand soon comes to rest.
            let look_again = until.max(now + IN_HAND);
            tokio::select! {
                () = self.moved.notified() => {}
                () = sleep_until(look_again) => {}
            }
        }
    }

    fn publish(&self, document: Bytes) -> bool {
        let entries = self.desk.entries();
        let entry = entries.by_key.get(&self.key);
        entry.is_some_and(|entry| {
            entry.stage.send_if_modified(|stage| {
                let stands = matches!(stage, Stage::Promised);
                if stands {
                    *stage = Stage::Answer(document);
                }
                stands
            })
        })
    }

    /// Whether the answer was taken; `None` when that is open. After its time it is withdrawn.
    fn judge(&self, is_late: bool) -> Option<bool> {
        let entries = self.desk.entries();
        let Some(entry) = entries.by_key.get(&self.key) else {
            return Some(false);
        };
        if entry.is_taken {
            return Some(true);
        }
        if is_late && entry.in_hand == 0 {
            entry.stage.send_replace(Stage::Closed);
            return Some(false);
        }
        None
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        let mut entries = self.desk.entries();
        let Some(entry) = entries.by_key.get_mut(&self.key) else {
            return;
        };
        entry.is_promised = false;
        entry.stage.send_if_modified(|stage| match stage {
            Stage::Promised => {
                *stage = Stage::Closed;
                true
            }
            _ => false,
        });
        entries.remove_idle(&self.key);
    }
}

impl fmt::Debug for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Promise")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
