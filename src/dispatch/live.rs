//! An attempt under way: what it has said so far, and the extractor that says more.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::clock::Timestamp;
use crate::dispatch::outbox::{Outbox, Record};
use crate::dispatch::passive::{PassiveDesk, Promise};
use crate::dispatch::router::{Route, RouteId};
use crate::dispatch::typing::Teller;
use crate::dispatch::wording::Sayings;
use crate::id::{AppId, OpenId, PushId};
use crate::protocol::message::{Message, MessageError};
use crate::protocol::push::DedupeKey;
use crate::quota::window::Standing;
use crate::store::{ConversationChange, Part, PartKey, PartState, StoreError, StoredPush};

/// Messages that one run of a push may say. The platform itself takes far fewer in a window.
const MAX_PARTS: u32 = 100;

/// What the engine and the handler's side of an attempt share.
pub(crate) struct Live {
    key: PartKey,
    account: AppId,
    to: OpenId,
    /// When the handlers' threads took it up, in milliseconds + 1 of the monotonic clock; 0 before.
    begun: AtomicU64,
    route: OnceLock<(Arc<str>, Option<RouteId>)>,
    /// Whether the route wants a message sent again whose answer was not seen.
    at_least_once: AtomicBool,
    /// Where requests wait for the answer to this push, and by which key; a replay has no request.
    passive: Option<(Arc<PassiveDesk>, DedupeKey)>,
    /// What earlier attempts of this run have said.
    recorded: Vec<Part>,
    said: Mutex<Said>,
    /// One message at a time, in order. Held by a send until its answer is here; made by the first.
    turn: OnceLock<Arc<Semaphore>>,
    /// Tells whoever shows the user that an answer is being prepared.
    teller: Teller,
    outbox: Arc<Outbox>,
}

#[derive(Debug, Default)]
struct Said {
    /// The ordinal of the next message.
    next: u32,
    /// Whether a message of this run may have left.
    spoke: bool,
    /// Whether the attempt has ended.
    closed: bool,
    /// What it makes of its user's conversation, if it ends well.
    conversation: Option<ConversationChange>,
}

impl Live {
    pub(crate) fn new(push: &StoredPush, recorded: Vec<Part>, outbox: &Arc<Outbox>) -> Arc<Self> {
        let said = Said {
            spoke: !recorded.is_empty(),
            ..Said::default()
        };
        Arc::new(Self {
            key: PartKey {
                push: push.id,
                run: push.run,
                ordinal: 0,
            },
            account: push.account.clone(),
            to: push.user.clone(),
            begun: AtomicU64::new(0),
            route: OnceLock::new(),
            at_least_once: AtomicBool::new(false),
            passive: match push.run {
                1 => outbox.passive().map(|desk| (Arc::clone(desk), push.key)),
                _ => None,
            },
            recorded,
            said: Mutex::new(said),
            turn: OnceLock::new(),
            teller: Teller::default(),
            outbox: Arc::clone(outbox),
        })
    }

    pub(crate) fn account(&self) -> &AppId {
        &self.account
    }

    pub(super) fn push(&self) -> PushId {
        self.key.push
    }

    pub(super) fn to(&self) -> &OpenId {
        &self.to
    }

    pub(super) fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    pub(crate) fn teller(&self) -> &Teller {
        &self.teller
    }

    /// Whether the push's user may be written to now.
    pub(crate) fn standing(&self) -> Standing {
        self.outbox.windows().standing(&self.account, &self.to)
    }

    /// When the push's user can no longer be written to, if that is known.
    pub(crate) fn closes_at(&self) -> Option<Timestamp> {
        match self.standing() {
            Standing::Open { closes_at, .. } => Some(closes_at),
            _ => None,
        }
    }

    /// The handlers' threads take it up now.
    pub(crate) fn begin(&self, now: Duration) {
        let milliseconds = u64::try_from(now.as_millis()).unwrap_or(u64::MAX - 1);
        self.begun.store(milliseconds + 1, Ordering::Release);
    }

    /// It waits, and its time does not run, until it is begun again.
    pub(crate) fn pause(&self) {
        self.begun.store(0, Ordering::Release);
    }

    /// When they took it up.
    pub(crate) fn begun(&self) -> Option<Duration> {
        let milliseconds = self.begun.load(Ordering::Acquire).checked_sub(1)?;
        Some(Duration::from_millis(milliseconds))
    }

    /// Notes the route that won, and what it asks for.
    pub(crate) fn routed(&self, route: &Route, id: RouteId) {
        let policy = route.policy();
        self.at_least_once
            .store(policy.at_least_once, Ordering::Release);
        self.route.get_or_init(|| (route.name(), Some(id)));
        if let Some((desk, key)) = &self.passive {
            desk.routed(key, policy.passive_within);
        }
    }

    /// Notes that a rule takes the push.
    pub(crate) fn ruled(&self, rule: &str) {
        let name = || (format!("rule {rule}").into(), None);
        self.route.get_or_init(name);
        if let Some((desk, key)) = &self.passive {
            desk.routed(key, None);
        }
    }

    /// Notes that no route takes the push.
    pub(crate) fn unrouted(&self) {
        self.route.get_or_init(|| ("none".into(), None));
    }

    /// Whether the request of the push waits for what is said.
    pub(crate) fn is_awaited(&self) -> bool {
        let passive = self.passive.as_ref();
        passive.is_some_and(|(desk, key)| desk.is_awaited(key))
    }

    /// Promises the request of the push an answer, if it still waits.
    pub(crate) fn promise(&self) -> Option<Promise> {
        let (desk, key) = self.passive.as_ref()?;
        desk.promise(key)
    }

    /// The request of the push need not wait: nothing is said as its answer.
    pub(crate) fn release_request(&self) {
        if let Some((desk, key)) = &self.passive {
            desk.close(key);
        }
    }

    /// The route that won, if the attempt came so far.
    pub(crate) fn route(&self) -> &str {
        self.route.get().map_or("-", |(name, _)| name)
    }

    /// Its number.
    pub(crate) fn route_id(&self) -> Option<RouteId> {
        self.route.get().and_then(|(_, id)| *id)
    }

    /// Ends the attempt: from now on nothing more is said in its name.
    pub(crate) fn close(&self) {
        self.said().closed = true;
    }

    /// Notes what becomes of the user's conversation if the attempt ends well; `false` when it has ended.
    pub(crate) fn turn(&self, change: ConversationChange) -> bool {
        let mut said = self.said();
        if !said.closed {
            said.conversation = Some(change);
        }
        !said.closed
    }

    /// What was noted. Only for a closed attempt: then nothing is noted any more.
    pub(crate) fn turned(&self) -> Option<ConversationChange> {
        self.said().conversation.take()
    }

    /// Whether a message of this run may have left already.
    pub(crate) fn spoke(&self) -> bool {
        self.said().spoke
    }

    /// Whether a send is under way. Only for a closed attempt: then none is begun any more.
    pub(crate) fn is_speaking(&self) -> bool {
        let turn = self.turn.get();
        turn.is_some_and(|turn| turn.available_permits() == 0)
    }

    /// Waits until no send is under way.
    pub(crate) async fn silence(&self) {
        if let Some(turn) = self.turn.get() {
            // The semaphore is never closed.
            drop(turn.acquire().await);
        }
    }

    /// The parts that a settlement holds: what the handler returned, after what it has sent, without
    /// what an earlier attempt has said under the same ordinal. `None`: more than a push may say.
    pub(crate) fn parts(&self, sayings: Sayings) -> Option<Vec<Part>> {
        let Sayings { messages, passive } = sayings;
        let first = self.said().next;
        let last = first.checked_add(u32::try_from(messages.len()).ok()?)?;
        if last > MAX_PARTS {
            return None;
        }
        let mut parts: Vec<Part> = (first..)
            .zip(messages)
            .filter(|(ordinal, _)| self.recorded(*ordinal).is_none())
            .map(|(ordinal, message)| self.part(ordinal, message, PartState::Waiting))
            .collect();
        if let Some(part) = parts.first_mut().filter(|part| part.key.ordinal == first) {
            part.passive = passive;
        }
        Some(parts)
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn recorded(&self, ordinal: u32) -> Option<&Part> {
        self.recorded
            .iter()
            .find(|part| part.key.ordinal == ordinal)
    }

    fn part(&self, ordinal: u32, message: Bytes, state: PartState) -> Part {
        Part {
            key: PartKey {
                ordinal,
                ..self.key
            },
            account: self.account.clone(),
            to: self.to.clone(),
            message,
            passive: None,
            at_least_once: self.at_least_once.load(Ordering::Acquire),
            state,
            error_code: None,
            rid: None,
            detail: None,
            changed_at: self.outbox.now(),
        }
    }

    /// Takes the next ordinals, so many, while the attempt runs.
    fn claim(&self, count: u32) -> Result<u32, SendError> {
        let mut said = self.said();
        if said.closed {
            return Err(SendError::Ended);
        }
        let ordinal = said.next;
        let next = ordinal.saturating_add(count);
        if next > MAX_PARTS {
            return Err(SendError::TooMany);
        }
        said.next = next;
        said.spoke = true;
        Ok(ordinal)
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live")
            .field("push", &self.key.push)
            .field("run", &self.key.run)
            .field("route", &self.route())
            .finish_non_exhaustive()
    }
}

/// Says something while the handler still runs: each message is delivered before `send` returns.
///
/// Messages go one after another, in the order of the calls. They are numbered: when the process
/// dies and the push runs again, the k-th `send` is not sent again but gets the recorded result.
/// After a first `send` a failing handler is **not** tried again, unless its route is
/// [`resumable`](crate::dispatch::Router::resumable): the second answer must not go on where the
/// first one stopped.
#[derive(Debug, Clone)]
pub struct Reply {
    live: Arc<Live>,
}

/// Why a message was not surely delivered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The message cannot be sent as it is; nothing was sent.
    #[error("the message cannot be sent: {0}")]
    Message(#[from] MessageError),
    /// The push comes from no user: a notice has nobody to answer.
    #[error("the push comes from no user, nobody can be answered")]
    Nobody,
    /// Only the answer to the push itself can say it, and it is not the first thing that a handler returns,
    /// or nobody waits for that answer (any more).
    #[error(
        "only the answer to the push itself (被动回复) can say it: return it first, with reply.passive_within set, \
         and in time"
    )]
    AnswerOnly,
    /// The platform refused it, its sending window is closed so that it was not asked, or it could not
    /// be handed over for a long time.
    #[error("the message was not delivered: {detail}")]
    Refused {
        /// The platform's code, or the one that it would have answered.
        code: Option<i64>,
        /// Why, for people.
        detail: String,
    },
    /// The platform's answer was not seen: the user may have got it. It is not sent again.
    #[error("whether the message was delivered is not known: {detail}")]
    Unknown {
        /// Why, for people.
        detail: String,
    },
    /// The store did not take the message, so it was not sent.
    #[error("the message was not stored, and not sent")]
    Store(#[source] StoreError),
    /// The handler's attempt has ended, or timed out: nothing is said in its name any more.
    #[error("the attempt has ended; nothing more can be sent in its name")]
    Ended,
    /// One run of a push may say no more than that.
    #[error("a push may be answered with {MAX_PARTS} messages, not more")]
    TooMany,
}

impl Reply {
    pub(crate) fn new(live: &Arc<Live>) -> Self {
        Self {
            live: Arc::clone(live),
        }
    }

    /// The account in whose name it speaks.
    pub(crate) fn account(&self) -> &AppId {
        &self.live.account
    }

    /// Sends a message to the user of the push, and waits until the platform has taken it.
    ///
    /// A text that is longer than one message is sent as several, as far as the sending window allows;
    /// then the last one says that something is missing. Dropping the future takes nothing back.
    ///
    /// # Errors
    /// [`SendError`] says whether the message may have been delivered; of several, the first that was
    /// not surely. After one that was refused the rest is not sent.
    pub async fn send(&self, message: impl Into<Message> + Send) -> Result<(), SendError> {
        let message = message.into();
        let turn = self.live.turn.get_or_init(|| Arc::new(Semaphore::new(1)));
        let turn = Arc::clone(turn).acquire_owned().await;
        let turn = turn.map_err(|_| SendError::Ended)?;
        let wording = self.live.encode(&message)?;
        let first = self.live.claim(wording.ordinals)?;
        let mut parts = Vec::with_capacity(wording.messages.len());
        let mut outcome = Ok(());
        for (ordinal, message) in (first..).zip(wording.messages) {
            let Some(part) = self.live.recorded(ordinal) else {
                parts.push(self.live.part(ordinal, message, PartState::Sending));
                continue;
            };
            let recorded = verdict(part.state, part.error_code, part.detail.clone());
            let ends =
                part.message != message || matches!(recorded, Err(SendError::Refused { .. }));
            outcome = outcome.and(recorded);
            if ends {
                // The earlier attempt ended here: it was cut, or refused.
                return outcome;
            }
        }
        match parts.is_empty() {
            true => outcome,
            false => outcome.and(self.hand_over(parts, turn).await),
        }
    }

    /// Messages that an earlier attempt of this run has said: some, where the process ended in the middle of
    /// it, or where a [`resumable`](crate::dispatch::Router::resumable) route is tried again.
    ///
    /// So many messages of this attempt, the first ones, are taken for those and do not leave. Who would say
    /// something else now, because what is said is drawn anew each time, can see it here.
    pub fn said_before(&self) -> usize {
        self.live.recorded.len()
    }

    /// Whether the user of the push may be written to now, as far as this server saw what opens and what
    /// uses sending windows.
    pub fn window(&self) -> Standing {
        self.live.standing()
    }

    /// Messages that may be sent to the user before the next act of that user; `None` when that is not
    /// known. What was returned or sent by others meanwhile may be fewer: it is not reserved.
    pub fn remaining(&self) -> Option<u32> {
        match self.window() {
            Standing::Open { remaining, .. } => Some(remaining),
            Standing::Closed(_) => Some(0),
            Standing::Unknown => None,
        }
    }

    /// When the user can no longer be written to, if nothing is sent and the user does nothing; `None`
    /// when no window is known to be open.
    pub fn closes_at(&self) -> Option<Timestamp> {
        self.live.closes_at()
    }

    /// On the engine's side, so that a dropped handler does not drop a send in the middle.
    async fn hand_over(
        &self,
        parts: Vec<Part>,
        turn: OwnedSemaphorePermit,
    ) -> Result<(), SendError> {
        let (tell, told) = oneshot::channel();
        self.live.teller.speaks();
        let outbox = Arc::clone(&self.live.outbox);
        let handle = outbox.handle().clone();
        handle.spawn(async move {
            let (outcome, records) = say_all(&outbox, parts).await;
            drop(turn);
            // A handler that was dropped does not listen any more.
            drop(tell.send(outcome));
            for record in records {
                if let Err(error) = record.await {
                    tracing::error!(%error, "What became of a message was not stored.");
                }
            }
        });
        told.await.unwrap_or_else(|_| {
            Err(SendError::Unknown {
                detail: "the process is ending".to_owned(),
            })
        })
    }
}

/// Sends one part after another; the first outcome that is not *sent*, and the commits of all. After one
/// that was refused the rest is not sent.
async fn say_all(outbox: &Outbox, parts: Vec<Part>) -> (Result<(), SendError>, Vec<Record>) {
    let (mut outcome, mut records) = (Ok(()), Vec::new());
    for part in parts {
        let said = match outbox.say(part).await {
            Ok((said, record)) => {
                records.push(record);
                verdict(said.state, said.error_code, said.detail)
            }
            Err(error) => Err(SendError::Store(error)),
        };
        let goes_on = matches!(said, Ok(()) | Err(SendError::Unknown { .. }));
        outcome = outcome.and(said);
        if !goes_on {
            break;
        }
    }
    (outcome, records)
}

fn verdict(state: PartState, code: Option<i64>, detail: Option<String>) -> Result<(), SendError> {
    let detail = detail.unwrap_or_default();
    match state {
        PartState::Sent => Ok(()),
        PartState::Refused => Err(SendError::Refused { code, detail }),
        PartState::Waiting | PartState::Sending | PartState::Unknown => {
            Err(SendError::Unknown { detail })
        }
    }
}
