//! The outbox: hands reply parts to the platform, each at most once, and records what became of them.

use std::fmt;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::api::message::TypingCommand;
use crate::api::{CallError, Delivery};
use crate::clock::{Clock, Timestamp};
use crate::dispatch::LongTexts;
use crate::dispatch::passive::{PassiveDesk, Promise};
use crate::dispatch::sends::{SendSlot, SendSlots};
use crate::dispatch::windows::{Grant, WindowKeeper};
use crate::id::{AppId, OpenId};
use crate::metric::Counters;
use crate::quota::window::Closed;
use crate::store::{Inbox, Part, PartState, PartVerdict, StoreError};

/// Hands one customer message to the platform.
pub trait Courier: Send + Sync + fmt::Debug {
    /// Delivers the exact body of a customer message (客服消息) in an account's name.
    ///
    /// The future has time limits of its own. It is polled on the engine's runtime.
    fn deliver(&self, account: &AppId, message: Bytes) -> BoxFuture<'static, Delivery>;

    /// Shows a user that an answer is being prepared (客服输入状态), or no longer. Whoever only delivers
    /// messages shows nothing.
    ///
    /// The future has time limits of its own. It is polled on the engine's runtime.
    fn show_typing(
        &self,
        _account: &AppId,
        _user: &OpenId,
        _command: TypingCommand,
    ) -> BoxFuture<'static, Result<(), CallError>> {
        std::future::ready(Ok(())).boxed()
    }
}

/// The commit of a verdict; its effect is not waited for before the next message leaves.
pub(crate) type Record = BoxFuture<'static, Result<(), StoreError>>;

/// What became of a push's parts.
#[derive(Default)]
pub(crate) struct Deliveries {
    /// The commits of their verdicts.
    pub(crate) records: Vec<Record>,
    /// Why the rest was not delivered: the store failed.
    pub(crate) failure: Option<StoreError>,
}

/// Codes with which the platform says that this user cannot be written to now; the next message
/// would get the same answer, and cost a call.
///
/// Source: the platform's table of return codes, class *user state*: 40003 invalid openid, 43004 not
/// a follower, 45015 no open window, 45047 window used up, 48002 the user blocks messages, 50005 not
/// subscribed.
const USER_STATE_CODES: [i64; 6] = [40003, 43004, 45015, 45047, 48002, 50005];

/// The first pause before a message that surely was not sent is tried again; doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// Why a message is not tried again though there was time.
const LATE: &str = "the sending window closes before the next try";

/// What every send needs.
pub(crate) struct Outbox {
    inbox: Arc<dyn Inbox>,
    courier: Arc<dyn Courier>,
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
    slots: SendSlots,
    windows: Arc<WindowKeeper>,
    patience: Duration,
    texts: LongTexts,
    most_messages: u8,
    passive: Option<Arc<PassiveDesk>>,
    handle: tokio::runtime::Handle,
}

/// The most messages that one act allows, in any account.
fn most_messages(settings: &crate::dispatch::Settings) -> u8 {
    let own = settings.account_windows.values();
    let own = own.map(|windows| windows.most_messages()).max();
    own.unwrap_or_default()
        .max(settings.windows.most_messages())
}

impl Outbox {
    /// An outbox on the current tokio runtime.
    pub(crate) fn new(
        inbox: &Arc<dyn Inbox>,
        courier: &Arc<dyn Courier>,
        clock: &Arc<dyn Clock>,
        counters: &Arc<Counters>,
        settings: &crate::dispatch::Settings,
        passive: Option<Arc<PassiveDesk>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            inbox: Arc::clone(inbox),
            courier: Arc::clone(courier),
            clock: Arc::clone(clock),
            counters: Arc::clone(counters),
            slots: SendSlots::new(settings.sends),
            windows: Arc::new(WindowKeeper::new(
                &settings.windows,
                &settings.account_windows,
                inbox,
                clock,
            )),
            patience: settings.send_patience,
            texts: settings.texts.clone(),
            most_messages: most_messages(settings),
            passive,
            handle: tokio::runtime::Handle::current(),
        })
    }

    pub(crate) fn handle(&self) -> &tokio::runtime::Handle {
        &self.handle
    }

    pub(crate) fn inbox(&self) -> &dyn Inbox {
        &*self.inbox
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(super) fn courier(&self) -> &dyn Courier {
        &*self.courier
    }

    pub(crate) fn texts(&self) -> &LongTexts {
        &self.texts
    }

    /// The most messages that one act of a user allows.
    pub(crate) fn most_messages(&self) -> u8 {
        self.most_messages
    }

    /// Where the requests of pushes wait for their answers, if any does.
    pub(crate) fn passive(&self) -> Option<&Arc<PassiveDesk>> {
        self.passive.as_ref()
    }

    /// The sending windows.
    pub(crate) fn windows(&self) -> &Arc<WindowKeeper> {
        &self.windows
    }

    /// Clears a part for sending, if a slot is free now and its user may be written to.
    pub(crate) fn clear_now(&self, part: &Part) -> Option<Clearance> {
        let slot = self.slots.free()?;
        let grant = self.windows.take(&part.account, &part.to).ok()?;
        Some(Clearance { slot, grant })
    }

    /// Stores a new part of a running attempt as *sending*, then delivers it.
    ///
    /// # Errors
    /// The store's; then nothing has left.
    pub(crate) async fn say(&self, part: Part) -> Result<(PartVerdict, Record), StoreError> {
        let cleared = self.clear(&part).await;
        // What is not sent is stored too, and a new part can only begin like this.
        self.inbox.mark_sending(part.clone()).await?;
        let verdict = match cleared {
            Ok(clearance) => self.hand_over(&part, clearance).await?,
            Err(closed) => self.withhold(&part, &closed),
        };
        let record = self.record(verdict.clone()).await;
        Ok((verdict, record))
    }

    /// Delivers the stored parts of a push in order.
    ///
    /// `opening` belongs to a first part that is *sending* already. After a part that was refused or
    /// is unknown the next one is tried all the same; only when the platform says that the user
    /// cannot be written to at all, the rest is refused unsent.
    pub(crate) async fn deliver(
        &self,
        parts: Vec<Part>,
        mut opening: Option<Opening>,
    ) -> Deliveries {
        let mut deliveries = Deliveries::default();
        let mut closed: Option<i64> = None;
        for part in parts {
            let verdict = match closed {
                Some(code) => self.untried(&part, code),
                None => match self.deliver_part(&part, opening.take()).await {
                    Ok(verdict) => verdict,
                    Err(error @ StoreError::Conflict(_)) => {
                        tracing::warn!(push_id = %part.key.push, part = part.key.ordinal, %error, "A part is no longer to be sent.");
                        continue;
                    }
                    Err(error) => {
                        deliveries.failure = Some(error);
                        break;
                    }
                },
            };
            // Where windows are looked at, they know it, and say more about it.
            closed = verdict
                .error_code
                .filter(|code| USER_STATE_CODES.contains(code) && !self.windows.checks());
            deliveries.records.push(self.record(verdict).await);
        }
        deliveries
    }

    async fn deliver_part(
        &self,
        part: &Part,
        opening: Option<Opening>,
    ) -> Result<PartVerdict, StoreError> {
        let promise = match opening {
            Some(Opening::Call(clearance)) => return self.hand_over(part, clearance).await,
            Some(Opening::Answer(promise)) => Some(promise),
            None => None,
        };
        if let Some(promise) = promise
            && let Some(verdict) = self.answer(part, promise).await?
        {
            return Ok(verdict);
        }
        if part.message.is_empty() {
            return Ok(self.too_late(part));
        }
        // First the slot: a part that waits for one is *waiting*, and after a crash still is.
        let clearance = match self.clear(part).await {
            Ok(clearance) => clearance,
            Err(closed) => return Ok(self.withhold(part, &closed)),
        };
        self.inbox.mark_sending(part.clone()).await?;
        self.hand_over(part, clearance).await
    }

    /// Gives a part that is *sending* out as the answer to its push. `None` when nobody came for it: then it
    /// is *waiting*, to go out by a call.
    async fn answer(
        &self,
        part: &Part,
        mut promise: Promise,
    ) -> Result<Option<PartVerdict>, StoreError> {
        if promise.give(part.passive.clone().unwrap_or_default()).await {
            return Ok(Some(self.answered(part)));
        }
        // The promise is kept meanwhile, so that no repeat is told what stands in the store.
        self.inbox.record(self.put_back(part)).await?;
        Ok(None)
    }

    /// It surely was not delivered: it waits for its next try.
    fn put_back(&self, part: &Part) -> PartVerdict {
        PartVerdict {
            key: part.key,
            state: PartState::Waiting,
            error_code: None,
            rid: None,
            detail: None,
            at: self.clock.now(),
        }
    }

    /// Waits for a slot and takes a message out of the user's grants.
    ///
    /// # Errors
    /// [`Closed`]: the user may not be written to, or not any more when it is the part's turn.
    async fn clear(&self, part: &Part) -> Result<Clearance, Closed> {
        // Taken before the wait, so that the wait can be as short as the window.
        let grant = self.windows.take(&part.account, &part.to)?;
        let left = grant.closes_at().map(|at| at.since(self.clock.now()));
        let slot = self.slots.take(self.clock.monotonic(), left).await;
        let grant = self.still(grant, part)?;
        Ok(Clearance { slot, grant })
    }

    /// The grant, or another one if its window has closed meanwhile.
    fn still(&self, grant: Grant, part: &Part) -> Result<Grant, Closed> {
        match grant.closes_at() {
            Some(at) if at > self.clock.now() => Ok(grant),
            _ => {
                drop(grant);
                self.windows.take(&part.account, &part.to)
            }
        }
    }

    /// Begins the commit of a verdict: it is on its way before the next part leaves.
    async fn record(&self, verdict: PartVerdict) -> Record {
        let mut record = self.inbox.record(verdict);
        let first_poll = poll_fn(|context| Poll::Ready(record.poll_unpin(context)));
        match first_poll.await {
            Poll::Ready(recorded) => std::future::ready(recorded).boxed(),
            Poll::Pending => record,
        }
    }

    /// Hands a part that is *sending* over, with pauses as long as it surely was not sent, or may not have
    /// been and twice is better than never, and its window is open. During a pause it is *waiting*: if
    /// the process ends then, the next one sends it.
    async fn hand_over(
        &self,
        part: &Part,
        clearance: Clearance,
    ) -> Result<PartVerdict, StoreError> {
        let began = self.clock.monotonic();
        let Clearance { slot, mut grant } = clearance;
        let mut slot = Some(slot);
        let mut pause = FIRST_PAUSE;
        loop {
            let delivery = self.attempt(part).await;
            let waited = self.clock.monotonic().saturating_sub(began);
            let again = match delivery {
                Delivery::NotSent { .. } => true,
                Delivery::Unknown { .. } => part.at_least_once,
                _ => false,
            };
            let closes_at = grant.closes_at();
            let is_late = closes_at.is_some_and(|at| self.clock.now().after(pause) >= at);
            if !again || waited + pause > self.patience || is_late {
                settle_grant(grant, &delivery);
                return Ok(match again && is_late {
                    true => self.give_up(part, delivery, &LATE),
                    false => self.judge(part, delivery),
                });
            }
            // What may have been delivered has used its grant.
            let kept = match delivery {
                Delivery::Unknown { .. } => {
                    grant.spend();
                    None
                }
                _ => Some(grant),
            };
            let put_back = self.inbox.record(self.put_back(part));
            // Others may send meanwhile.
            drop(slot.take());
            let (put_back, ()) = tokio::join!(put_back, tokio::time::sleep(pause));
            put_back?;
            pause = (pause * 2).min(LONGEST_PAUSE);
            let left = closes_at.map(|at| at.since(self.clock.now()));
            slot = Some(self.slots.take(self.clock.monotonic(), left).await);
            let granted = match kept {
                Some(kept) => self.still(kept, part),
                None => self.windows.take(&part.account, &part.to),
            };
            grant = match granted {
                Ok(grant) => grant,
                Err(closed) => {
                    return Ok(match delivery {
                        Delivery::Unknown { .. } => self.give_up(part, delivery, &closed),
                        _ => self.withhold(part, &closed),
                    });
                }
            };
            self.inbox.mark_sending(part.clone()).await?;
        }
    }

    async fn attempt(&self, part: &Part) -> Delivery {
        let call = async {
            self.courier
                .deliver(&part.account, part.message.clone())
                .await
        };
        let delivered = AssertUnwindSafe(call).catch_unwind().await;
        delivered.unwrap_or_else(|_| Delivery::Unknown {
            reason: "the code that sends it panicked".to_owned(),
        })
    }
}

/// How a part goes out that is *sending* already.
#[derive(Debug)]
pub(crate) enum Opening {
    /// As the answer to its push.
    Answer(Promise),
    /// By a call.
    Call(Clearance),
}

/// What a part needs before its first byte leaves.
#[derive(Debug)]
pub(crate) struct Clearance {
    slot: SendSlot,
    grant: Grant,
}

/// What the outcome means for the message that was taken out of the user's grants: without a delivery it
/// is given back.
fn settle_grant(grant: Grant, delivery: &Delivery) {
    match delivery {
        Delivery::Sent { .. } | Delivery::Unknown { .. } => grant.spend(),
        Delivery::Refused { code, .. } => grant.refuse(*code),
        Delivery::NotSent { .. } | Delivery::Impossible { .. } => drop(grant),
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("courier", &self.courier)
            .field("free_slots", &self.slots.count_free())
            .finish_non_exhaustive()
    }
}
