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
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::api::Delivery;
use crate::clock::{Clock, Timestamp};
use crate::id::AppId;
use crate::metric::{Counter, Counters};
use crate::store::{Inbox, Part, PartState, PartVerdict, StoreError};

/// Hands one customer message to the platform.
pub trait Courier: Send + Sync + fmt::Debug {
    /// Delivers the exact body of a customer message (客服消息) in an account's name.
    ///
    /// The future has time limits of its own. It is polled on the engine's runtime.
    fn deliver(&self, account: &AppId, message: Bytes) -> BoxFuture<'static, Delivery>;
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

/// What every send needs.
pub(crate) struct Outbox {
    inbox: Arc<dyn Inbox>,
    courier: Arc<dyn Courier>,
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
    permits: Arc<Semaphore>,
    patience: Duration,
    handle: tokio::runtime::Handle,
}

impl Outbox {
    /// An outbox on the current tokio runtime.
    pub(crate) fn new(
        inbox: &Arc<dyn Inbox>,
        courier: &Arc<dyn Courier>,
        clock: &Arc<dyn Clock>,
        counters: &Arc<Counters>,
        settings: &crate::dispatch::Settings,
    ) -> Arc<Self> {
        Arc::new(Self {
            inbox: Arc::clone(inbox),
            courier: Arc::clone(courier),
            clock: Arc::clone(clock),
            counters: Arc::clone(counters),
            permits: Arc::new(Semaphore::new(
                settings.sends.clamp(1, Semaphore::MAX_PERMITS),
            )),
            patience: settings.send_patience,
            handle: tokio::runtime::Handle::current(),
        })
    }

    pub(crate) fn handle(&self) -> &tokio::runtime::Handle {
        &self.handle
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A send permit, if one is free now.
    pub(crate) fn free_permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).try_acquire_owned().ok()
    }

    /// Stores a new part of a running attempt as *sending*, then delivers it.
    ///
    /// # Errors
    /// The store's; then nothing has left.
    pub(crate) async fn say(&self, part: Part) -> Result<(PartVerdict, Record), StoreError> {
        let permit = self.permit().await;
        self.inbox.mark_sending(part.clone()).await?;
        let verdict = self.hand_over(&part, permit).await?;
        let record = self.record(verdict.clone()).await;
        Ok((verdict, record))
    }

    /// Delivers the stored parts of a push in order.
    ///
    /// `permit` belongs to a first part that is *sending* already. After a part that was refused or
    /// is unknown the next one is tried all the same; only when the platform says that the user
    /// cannot be written to at all, the rest is refused unsent.
    pub(crate) async fn deliver(
        &self,
        parts: Vec<Part>,
        mut permit: Option<OwnedSemaphorePermit>,
    ) -> Deliveries {
        let mut deliveries = Deliveries::default();
        let mut closed: Option<i64> = None;
        for part in parts {
            let verdict = match closed {
                Some(code) => self.untried(&part, code),
                None => match self.deliver_part(&part, permit.take()).await {
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
            closed = verdict
                .error_code
                .filter(|code| USER_STATE_CODES.contains(code));
            deliveries.records.push(self.record(verdict).await);
        }
        deliveries
    }

    async fn deliver_part(
        &self,
        part: &Part,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Result<PartVerdict, StoreError> {
        // First the permit: a part that waits for one is *waiting*, and after a crash still is.
        let permit = match permit {
            Some(permit) => Some(permit),
            None => self.permit().await,
        };
        if part.state != PartState::Sending {
            self.inbox.mark_sending(part.clone()).await?;
        }
        self.hand_over(part, permit).await
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

    async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed.
        Arc::clone(&self.permits).acquire_owned().await.ok()
    }

    /// Hands a part that is *sending* over, with pauses as long as it surely was not sent, or may not have
    /// been and twice is better than never. During a pause
    /// it is *waiting*: if the process ends then, the next one sends it.
    async fn hand_over(
        &self,
        part: &Part,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Result<PartVerdict, StoreError> {
        let began = self.clock.monotonic();
        let mut permit = permit;
        let mut pause = FIRST_PAUSE;
        loop {
            let delivery = self.attempt(part).await;
            let waited = self.clock.monotonic().saturating_sub(began);
            let again = match delivery {
                Delivery::NotSent { .. } => true,
                Delivery::Unknown { .. } => part.at_least_once,
                _ => false,
            };
            if !again || waited + pause > self.patience {
                return Ok(self.judge(part, delivery));
            }
            let put_back = self.inbox.record(PartVerdict {
                key: part.key,
                state: PartState::Waiting,
                error_code: None,
                rid: None,
                detail: None,
                at: self.clock.now(),
            });
            // Others may send meanwhile.
            drop(permit.take());
            let (put_back, ()) = tokio::join!(put_back, tokio::time::sleep(pause));
            put_back?;
            pause = (pause * 2).min(LONGEST_PAUSE);
            permit = self.permit().await;
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

    fn judge(&self, part: &Part, delivery: Delivery) -> PartVerdict {
        let (state, error_code, rid, detail) = match delivery {
            Delivery::Sent { rid } => (PartState::Sent, None, rid, None),
            Delivery::Refused { code, meaning, rid } => {
                (PartState::Refused, Some(code), rid, Some(meaning))
            }
            Delivery::Impossible { reason } => (PartState::Refused, None, None, Some(reason)),
            Delivery::NotSent { reason, code } => {
                let detail = format!("not sent: {reason}");
                (PartState::Refused, code, None, Some(detail))
            }
            Delivery::Unknown { reason } => (PartState::Unknown, None, None, Some(reason)),
        };
        self.counters.add(match state {
            PartState::Sent => Counter::PartsSent,
            PartState::Refused => Counter::PartsRefused,
            PartState::Waiting | PartState::Sending | PartState::Unknown => Counter::PartsUnknown,
        });
        if state != PartState::Sent {
            tracing::warn!(
                push_id = %part.key.push,
                part = part.key.ordinal,
                state = state.name(),
                error_code,
                detail = detail.as_deref(),
                "A reply was not surely delivered."
            );
        }
        PartVerdict {
            key: part.key,
            state,
            error_code,
            rid,
            detail,
            at: self.clock.now(),
        }
    }

    /// What is not tried, because the part before it was refused for the user's state.
    fn untried(&self, part: &Part, code: i64) -> PartVerdict {
        self.judge(
            part,
            Delivery::Refused {
                code,
                meaning: format!("not tried: the part before it was refused with code {code}"),
                rid: None,
            },
        )
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("courier", &self.courier)
            .field("free_permits", &self.permits.available_permits())
            .finish_non_exhaustive()
    }
}
