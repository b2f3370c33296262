//! What must survive: the records of a push's life, and the one trait that commits them.
//!
//! A push goes through one state machine (the table in ARCHITECTURE.md). Everything that must hold
//! together is one call of [`Inbox`], and one commit of whatever is behind it. [`memory`] is the
//! executable model; [`embedded`] is SQLite; the conformance tests play the same steps on both.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::clock::Timestamp;
use crate::id::{AppId, OpenId, PushId};
use crate::protocol::push::{DedupeKey, Kind};
use crate::secret::VerifyTicket;

#[cfg(any(feature = "redis", feature = "mysql"))]
pub mod address;
mod conversation;
pub mod copies;
pub mod counters;
pub mod embedded;
pub mod memory;
pub mod memory_counters;
pub mod memory_tokens;
#[cfg(feature = "mysql")]
pub mod mysql;
#[cfg(feature = "redis")]
pub mod redis;
mod seen;
mod ticket;
pub mod tokens;
pub mod usage;

pub use conversation::{
    ConversationChange, MAX_CONVERSATION_BYTES, StoredConversation, Turn, Turned,
};
pub use ticket::{Desk, Pickup, Ticket};

/// How long a dedupe key is kept at least. A push whose signed timestamp is older than the freshness
/// window (10 minutes) is refused without looking, so twice the window and a little more suffices.
pub const SEEN_RETENTION: Duration = Duration::from_secs(25 * 60);

/// Dedupe keys kept at most, about 50 bytes each. Beyond it the oldest quarter is forgotten early.
/// WeChat repeats a push within 15 seconds, so the rest suffices for 50,000 pushes a second.
pub const SEEN_CAP: usize = 1_000_000;

/// Pushes that may stand in a store's queue at once.
pub const QUEUE_ROOM: usize = 4_096;

/// The detail of a part that was *sending* when the process ended.
pub const ENDED_WHILE_SENDING: &str = "the process ended while it was being sent";

/// Where a stored push stands. *Running* is not among them: it is known only to the process that runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PushState {
    /// To be handled.
    Pending,
    /// Failed, to be handled again at [`StoredPush::retry_at`].
    Retry,
    /// Handled.
    Done,
    /// Given up, for [`StoredPush::reason`]; stays until an operator deals with it.
    Dead,
    /// Authentic but unreadable; never handled; stays until an operator deals with it.
    Malformed,
    /// It was dead or malformed, and put away: by an operator, or because too many stood there.
    Discarded,
}

impl PushState {
    /// Every state, in the order of a push's life.
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Retry,
        Self::Done,
        Self::Dead,
        Self::Malformed,
        Self::Discarded,
    ];

    /// The word used everywhere: commands, logs, JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Retry => "retry",
            Self::Done => "done",
            Self::Dead => "dead",
            Self::Malformed => "malformed",
            Self::Discarded => "discarded",
        }
    }

    /// Whether the push still waits for a handler.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Retry)
    }
}

/// A push as it arrives at the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPush {
    /// The account it was sent to.
    pub account: AppId,
    /// The user whose order it belongs to; empty for notices and for what could not be read.
    pub user: OpenId,
    /// Message, event, notice or malformed. [`Kind::Malformed`] is stored as [`PushState::Malformed`].
    pub kind: Kind,
    /// What makes a repeat recognisable.
    pub key: DedupeKey,
    /// The inner document, exactly as it was decrypted.
    pub body: Bytes,
    /// When its request was seen.
    pub received_at: Timestamp,
    /// How it was verified, for people: `secure`, `compatible`, `plain`, and which token and key.
    pub verified: &'static str,
    /// Why it could not be read, for [`Kind::Malformed`].
    pub malformed: Option<String>,
    /// The ticket that it brings, for the notice that does: kept in the same commit.
    pub ticket: Option<ComponentTicket>,
}

/// A third-party platform's component_verify_ticket, valid for 12 hours.
///
/// Source: the page component_verify_ticket of the official documentation, read 2026-11.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentTicket {
    /// The component's AppID.
    pub component: AppId,
    /// The ticket.
    pub ticket: VerifyTicket,
    /// When the platform made it. An older one never replaces a newer one.
    pub created_at: Timestamp,
    /// When it came here.
    pub received_at: Timestamp,
}

/// A push as the store holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPush {
    /// Its id; grows in the order of acceptance.
    pub id: PushId,
    /// The account it was sent to.
    pub account: AppId,
    /// The user whose order it belongs to.
    pub user: OpenId,
    /// Message, event, notice or malformed.
    pub kind: Kind,
    /// What makes a repeat recognisable.
    pub key: DedupeKey,
    /// The inner document.
    pub body: Bytes,
    /// When its request was seen.
    pub received_at: Timestamp,
    /// How it was verified.
    pub verified: String,
    /// Where it stands.
    pub state: PushState,
    /// From 1; a replay makes it one more, and part ordinals start anew.
    pub run: u32,
    /// Starts of this run without an outcome yet. More than a few: it may be killing us.
    pub starts: u32,
    /// Attempts of this run that ended with an outcome.
    pub attempts: u32,
    /// When to try again, in state *retry*.
    pub retry_at: Option<Timestamp>,
    /// Why it is dead, malformed or to be retried.
    pub reason: Option<String>,
    /// How often it arrived again.
    pub repeats: u32,
}

impl StoredPush {
    /// A push as it stands right after it was accepted.
    pub(crate) fn new(id: PushId, push: NewPush) -> Self {
        Self {
            id,
            account: push.account,
            user: push.user,
            kind: push.kind,
            key: push.key,
            body: push.body,
            received_at: push.received_at,
            verified: push.verified.to_owned(),
            state: match push.kind {
                Kind::Malformed => PushState::Malformed,
                Kind::Message | Kind::Event | Kind::Notice => PushState::Pending,
            },
            run: 1,
            starts: 0,
            attempts: 0,
            retry_at: None,
            reason: push.malformed,
            repeats: 0,
        }
    }
}

/// The lane a push belongs to: one user of one account.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LaneKey {
    /// The account.
    pub account: AppId,
    /// The user.
    pub user: OpenId,
}

/// What `accept` found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// New, and stored under this id.
    Stored(PushId),
    /// A repeat of this push.
    Repeat(PushId),
}

/// How one attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The handler returned.
    Well,
    /// The handler returned an error.
    Failed,
    /// The handler said that trying again is useless.
    GaveUp,
    /// The handler took too long.
    TimedOut,
    /// The handler panicked.
    Panicked,
}

impl Ended {
    /// Every ending.
    pub const ALL: [Self; 5] = [
        Self::Well,
        Self::Failed,
        Self::GaveUp,
        Self::TimedOut,
        Self::Panicked,
    ];

    /// The word used everywhere: commands, logs, JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Well => "ended well",
            Self::Failed => "failed",
            Self::GaveUp => "gave up",
            Self::TimedOut => "timed out",
            Self::Panicked => "panicked",
        }
    }
}

/// One run of one handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// From 1 within the push's run.
    pub number: u32,
    /// When the handler was started.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// The route that won.
    pub route: String,
    /// How it ended.
    pub ended: Ended,
    /// What the handler said, when it failed; why it was not run, when its route did not want that.
    pub error: Option<String>,
    /// Whether its user's newer pushes did not wait for it, so that they may have been handled before.
    pub out_of_order: bool,
}

/// Where a push goes after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Handled.
    Done,
    /// Again, at this time.
    Retry {
        /// Not before.
        at: Timestamp,
        /// Why, for people.
        reason: String,
    },
    /// Given up.
    Dead {
        /// Why, for people.
        reason: String,
    },
}

/// The name of a reply part: the k-th thing that a run of a push says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartKey {
    /// The push.
    pub push: PushId,
    /// The push's run.
    pub run: u32,
    /// From 0 within the run.
    pub ordinal: u32,
}

impl fmt::Display for PartKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.push, self.run, self.ordinal)
    }
}

/// Where a reply part stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PartState {
    /// Not sent yet.
    Waiting,
    /// Its first byte may have left. After a crash: [`PartState::Unknown`].
    Sending,
    /// The platform took it.
    Sent,
    /// Surely not delivered: the platform said so, or no connection came about.
    Refused,
    /// It may have been delivered; the answer was not seen. Not repeated.
    Unknown,
}

impl PartState {
    /// Every state, in the order of a part's life.
    pub const ALL: [Self; 5] = [
        Self::Waiting,
        Self::Sending,
        Self::Sent,
        Self::Refused,
        Self::Unknown,
    ];

    /// The word used everywhere: commands, logs, JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}

/// A reply part: the exact JSON that goes to the platform, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name.
    pub key: PartKey,
    /// The account that speaks.
    pub account: AppId,
    /// The user spoken to.
    pub to: OpenId,
    /// The exact body of the call.
    ///
    /// Empty for what only a passive reply can say.
    pub message: Bytes,
    /// The document that answers the push itself, when it is said as a passive reply (被动回复), not by a
    /// call. A part that is put back to *waiting* has none any more: it goes out by a call.
    pub passive: Option<Bytes>,
    /// Whether it is sent again when its answer was not seen: its route prefers twice to never.
    pub at_least_once: bool,
    /// Where it stands.
    pub state: PartState,
    /// The platform's code, once it answered.
    pub error_code: Option<i64>,
    /// The platform's request id, once it answered.
    pub rid: Option<String>,
    /// Why it was refused or is unknown, for people.
    pub detail: Option<String>,
    /// When its state last changed.
    pub changed_at: Timestamp,
}

impl Part {
    /// Bytes of what it says.
    pub(crate) fn bytes(&self) -> usize {
        self.message.len() + self.passive.as_ref().map_or(0, Bytes::len)
    }
}

/// The end of an attempt and all that it says, in one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The push.
    pub push: PushId,
    /// Its run.
    pub run: u32,
    /// Where it goes.
    pub next: Next,
    /// The attempt that ended.
    pub attempt: Attempt,
    /// What it says, in order, [`PartState::Waiting`] or [`PartState::Sending`]. Empty for most failures.
    pub parts: Vec<Part>,
    /// What becomes of the conversation with the push's user; only an attempt that ended well changes it.
    pub conversation: Option<ConversationChange>,
}

impl Settlement {
    /// Whether it is sound in itself: parts of its own run, none twice, all still to be sent, and a
    /// conversation changed only by what was handled.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        if let Some(change) = &self.conversation {
            if self.next != Next::Done {
                return Err(StoreError::conflict(format_args!(
                    "push {} is not handled, so it changes no conversation",
                    self.push
                )));
            }
            change.check()?;
        }
        for (index, part) in self.parts.iter().enumerate() {
            let key = part.key;
            if (key.push, key.run) != (self.push, self.run) {
                return Err(StoreError::conflict(format_args!(
                    "part {key} is not of run {} of push {}",
                    self.run, self.push
                )));
            }
            if !matches!(part.state, PartState::Waiting | PartState::Sending) {
                return Err(StoreError::conflict(format_args!(
                    "part {key} cannot begin as {}",
                    part.state.name()
                )));
            }
            if part.passive.is_some() && part.state != PartState::Sending {
                return Err(StoreError::conflict(format_args!(
                    "part {key} is a passive reply and cannot wait"
                )));
            }
            if self.parts[..index].iter().any(|other| other.key == key) {
                return Err(StoreError::part_exists(&key));
            }
        }
        Ok(())
    }
}

/// What became of a part that was *sending*, or of one still *waiting* that is given up: *refused* when it
/// was never sent, *unknown* when the answer to an earlier try was not seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartVerdict {
    /// The part.
    pub key: PartKey,
    /// *Sent*, *refused* or *unknown*; or *waiting* again, when surely nothing was delivered and it
    /// is to be tried once more.
    pub state: PartState,
    /// The platform's code.
    pub error_code: Option<i64>,
    /// The platform's request id.
    pub rid: Option<String>,
    /// Why, for people.
    pub detail: Option<String>,
    /// When it was known.
    pub at: Timestamp,
}

impl PartVerdict {
    /// Whether a part in this state can become what the verdict says.
    pub(crate) fn check(&self, before: PartState) -> Result<(), StoreError> {
        let possible = match before {
            PartState::Sending => self.state != PartState::Sending,
            PartState::Waiting => matches!(self.state, PartState::Refused | PartState::Unknown),
            PartState::Sent | PartState::Refused | PartState::Unknown => false,
        };
        if possible {
            return Ok(());
        }
        Err(StoreError::conflict(format_args!(
            "part {} is {} and cannot become {}",
            self.key,
            before.name(),
            self.state.name()
        )))
    }
}

/// A page of pushes in the order of acceptance.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The open pushes found.
    pub pushes: Vec<StoredPush>,
    /// Everything up to here was looked at: where the next page begins.
    pub upto: PushId,
}

/// A page of what happened, in the order of acceptance, whatever became of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Past {
    /// The pushes.
    pub pushes: Vec<StoredPush>,
    /// The reply parts of all their runs.
    pub parts: Vec<Part>,
    /// When the oldest handled push that is still kept was received: from then on none is missing.
    /// `None` when none is kept.
    pub complete_since: Option<Timestamp>,
}

/// Which pushes to list. The default is all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Only this state.
    pub state: Option<PushState>,
    /// Only this user.
    pub user: Option<OpenId>,
    /// Only what was received from then on.
    pub since: Option<Timestamp>,
    /// Only ids above this one.
    pub after: PushId,
    /// At most so many, the newest of them; `None` is all.
    pub limit: Option<usize>,
}

impl Filter {
    /// Whether this push is asked for. The limit is not looked at.
    pub(crate) fn matches(&self, push: &StoredPush) -> bool {
        self.state.is_none_or(|state| state == push.state)
            && self.user.as_ref().is_none_or(|user| *user == push.user)
            && self.since.is_none_or(|since| push.received_at >= since)
            && push.id > self.after
    }
}

/// Everything kept about one push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// The push.
    pub push: StoredPush,
    /// Its attempts, in order, of all runs: run and attempt.
    pub attempts: Vec<(u32, Attempt)>,
    /// Its reply parts, in order, of all runs.
    pub parts: Vec<Part>,
    /// How its second and later runs came about, in order.
    pub replays: Vec<Replay>,
    /// How its attempts changed the conversation with its user, in order.
    pub turns: Vec<Turn>,
}

/// The beginning of a second or later run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replay {
    /// The run that it began.
    pub run: u32,
    /// When.
    pub at: Timestamp,
    /// Where the push stood before. From *done* it was forced: its replies are sent again.
    pub was: PushState,
}

/// How much stands aside until somebody deals with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Aside {
    /// Pushes that wait for their next try.
    pub retry: u64,
    /// Pushes that were given up.
    pub dead: u64,
    /// Authentic pushes that could not be read.
    pub malformed: u64,
    /// Reply parts whose fate is not known.
    pub unknown_parts: u64,
}

/// Whether the store can take pushes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It can.
    Ready,
    /// It cannot for now, and recovers by itself: the disk is nearly full, for example.
    Refusing(String),
    /// A write or a sync failed: what the disk holds is not known, and this process must end.
    Poisoned(String),
    /// It was closed.
    Closed,
}

/// Why the store did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A write or a sync failed before: nothing is stored any more.
    #[error("the store is poisoned: {0}")]
    Poisoned(Arc<str>),
    /// The store refuses new pushes for now.
    #[error("the store takes no new pushes: {0}")]
    Refusing(Arc<str>),
    /// The push could not be stored by its ticket's deadline, so it was not.
    #[error("the push could not be stored in time")]
    Late,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// Reading failed.
    #[error("reading the store failed: {0}")]
    Read(Arc<str>),
    /// The push, run or part does not exist, or is not in the state that the call needs.
    #[error("{0}")]
    Conflict(Arc<str>),
}

impl StoreError {
    pub(crate) fn conflict(what: fmt::Arguments<'_>) -> Self {
        Self::Conflict(what.to_string().into())
    }

    fn not_open(push: PushId, run: Option<u32>) -> Self {
        match run {
            Some(run) => Self::conflict(format_args!("run {run} of push {push} is not open")),
            None => Self::conflict(format_args!("push {push} is not open")),
        }
    }

    fn attempt_exists(push: PushId, number: u32) -> Self {
        Self::conflict(format_args!(
            "attempt {number} of push {push} is recorded already"
        ))
    }

    fn not_replayable(push: PushId) -> Self {
        Self::conflict(format_args!(
            "push {push} is neither dead, discarded nor done, so it cannot be handled again"
        ))
    }

    fn not_rereadable(push: PushId) -> Self {
        Self::conflict(format_args!(
            "push {push} is not malformed, or cannot be read still"
        ))
    }

    fn not_discardable(push: PushId) -> Self {
        Self::conflict(format_args!(
            "push {push} is neither dead, malformed nor done, so it cannot be discarded"
        ))
    }

    fn no_part(key: &PartKey) -> Self {
        Self::conflict(format_args!("there is no part {key}"))
    }

    fn part_exists(key: &PartKey) -> Self {
        Self::conflict(format_args!("part {key} is recorded already"))
    }

    fn part_not_waiting(key: &PartKey, state: PartState) -> Self {
        Self::conflict(format_args!("part {key} is {}, not waiting", state.name()))
    }
}

/// Room for one push in the writer's queue, taken within the request's budget.
pub type Room = OwnedSemaphorePermit;

/// The durable inbox and outbox: what must commit together commits in one call.
///
/// Calls of one thread take effect in their order. All but [`Inbox::accept`] are made by the engine.
pub trait Inbox: Send + Sync + fmt::Debug {
    /// What `success` promises with this store, in one sentence for start-up and `/readyz`.
    fn durability(&self) -> &'static str;

    /// Whether pushes can be taken, now and when that changes.
    fn health(&self) -> watch::Receiver<Health>;

    /// Room in the writer's queue. With a permit of it in hand, [`Inbox::accept`] never waits.
    fn room(&self) -> &Arc<Semaphore>;

    /// Stores a push and its dedupe key, or recognises a repeat. The ticket is completed exactly once,
    /// after the sync. A repeat of a push whose commit is under way waits for that commit.
    fn accept(&self, push: NewPush, room: Room, ticket: Ticket);

    /// The newest id that was stored: changes with every commit that stored something.
    fn newest(&self) -> watch::Receiver<PushId>;

    /// Pushes in state *pending* above `after`, in order: at most `limit` of them.
    fn pending(&self, after: PushId, limit: usize) -> BoxFuture<'_, Result<Page, StoreError>>;

    /// Pushes in state *retry* whose time has come, the most overdue first: at most `limit`.
    fn due(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredPush>, StoreError>>;

    /// Parts in state *waiting* above `after`, in the order of pushes and ordinals: what a crash left unsent.
    fn waiting(
        &self,
        after: Option<PartKey>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Part>, StoreError>>;

    /// The parts of this run that are already recorded: what a second attempt must not say again.
    fn parts(&self, push: PushId, run: u32) -> BoxFuture<'_, Result<Vec<Part>, StoreError>>;

    /// Where the conversation with a user stands at this time, when something is remembered.
    fn conversation(
        &self,
        lane: LaneKey,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<StoredConversation>, StoreError>>;

    /// Pushes above `after`, up to and with `upto`, with their parts: at most `limit` pushes.
    fn past(
        &self,
        after: PushId,
        upto: PushId,
        limit: usize,
    ) -> BoxFuture<'_, Result<Past, StoreError>>;

    /// Puts pushes of one lane aside, in order, because the lane is full. Forgotten at the next start,
    /// when everything pending is read again.
    fn spill(&self, lane: LaneKey, pushes: Vec<PushId>) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Takes the oldest pushes of a lane that were put aside: at most `limit`. Those that are no longer
    /// open are left out; fewer than `limit` means that none is left.
    fn unspill(
        &self,
        lane: LaneKey,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredPush>, StoreError>>;

    /// Marks that a handler is started for this push. The mark rides in the next batch; the future
    /// resolves when it is stored, which may take a tenth of a second. Wait for it when the push was
    /// started before.
    fn start(&self, push: PushId) -> BoxFuture<'static, Result<(), StoreError>>;

    /// Ends an attempt. The future resolves when it is committed: at once when there are parts or a
    /// changed conversation, riding in the next batch when there is neither. Clears the start marks.
    fn settle(&self, settlement: Settlement) -> BoxFuture<'static, Result<(), StoreError>>;

    /// Makes a part *sending*, durably: a waiting part by its key (what is stored of it stays as it is),
    /// or a new one of a push in hand. When the future resolves, the first byte may leave; when it
    /// fails, no byte may.
    fn mark_sending(&self, part: Part) -> BoxFuture<'static, Result<(), StoreError>>;

    /// Records what became of a part. Rides in the next batch.
    fn record(&self, verdict: PartVerdict) -> BoxFuture<'static, Result<(), StoreError>>;

    /// Handles a *dead*, *discarded* or *done* push again: *pending*, run + 1, ordinals anew. Synced.
    /// Whoever reads [`Inbox::pending`] by a cursor has passed it long ago, and must be told.
    fn replay(&self, push: PushId, at: Timestamp) -> BoxFuture<'static, Result<(), StoreError>>;

    /// Puts a *dead* or *malformed* push away, or a *done* one about which something is unknown:
    /// *discarded*. From now on it may be forgotten like one that was handled. Synced.
    fn discard(&self, push: PushId) -> BoxFuture<'static, Result<(), StoreError>>;

    /// Counts what stands aside.
    fn aside(&self) -> BoxFuture<'_, Result<Aside, StoreError>>;

    /// Handles a *malformed* push that can be read now, after an upgrade: *pending*, of this kind and
    /// in this user's order. Synced.
    fn reread(
        &self,
        push: PushId,
        kind: Kind,
        user: OpenId,
        at: Timestamp,
    ) -> BoxFuture<'static, Result<(), StoreError>>;

    /// The newest ticket of a component.
    fn component_ticket(
        &self,
        component: AppId,
    ) -> BoxFuture<'_, Result<Option<ComponentTicket>, StoreError>>;

    /// Lists pushes, oldest first. Without a limit the answer holds all of them in memory: for tests,
    /// and for who narrows it.
    fn list(&self, filter: Filter) -> BoxFuture<'_, Result<Vec<StoredPush>, StoreError>>;

    /// Everything kept about one push.
    fn story(&self, push: PushId) -> BoxFuture<'_, Result<Option<Story>, StoreError>>;

    /// Commits what is queued and closes. Later calls get [`StoreError::Closed`].
    fn close(&self) -> BoxFuture<'_, ()>;
}
