//! What the outcome of a send means for its part.

use std::fmt;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use crate::api::Delivery;
use crate::api::message::TypingCommand;
use crate::dispatch::outbox::Outbox;
use crate::id::{AppId, OpenId, PushId};
use crate::metric::Counter;
use crate::platform::error::Class;
use crate::quota::window::Closed;
use crate::store::{Part, PartState, PartVerdict};

impl Outbox {
    /// Shows a user that an answer is being prepared, or no longer; `false` when it was not taken, which
    /// concerns nothing else.
    pub(super) async fn show_typing(
        &self,
        push: PushId,
        account: &AppId,
        user: &OpenId,
        command: TypingCommand,
    ) -> bool {
        let call = async { self.courier().show_typing(account, user, command).await };
        match AssertUnwindSafe(call).catch_unwind().await {
            Ok(Ok(())) => true,
            // The user was silent for too long, or does not follow: nothing to do about it.
            Ok(Err(error)) if error.code().is_some_and(|code| code.class() == Class::User) => {
                tracing::debug!(push_id = %push, %error, "The user cannot be shown that an answer is being prepared.");
                false
            }
            Ok(Err(error)) => {
                tracing::warn!(push_id = %push, %error, "The user was not shown that an answer is being prepared.");
                false
            }
            Err(_) => {
                tracing::error!(push_id = %push, "The code that shows that an answer is being prepared panicked.");
                false
            }
        }
    }

    /// What became of a part: counted, logged, and to be recorded.
    pub(super) fn judge(&self, part: &Part, delivery: Delivery) -> PartVerdict {
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
        self.counters().add(match state {
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
            at: self.now(),
        }
    }

    /// What would be tried again, if its user's sending window allowed it.
    pub(super) fn give_up(
        &self,
        part: &Part,
        delivery: Delivery,
        why: &dyn fmt::Display,
    ) -> PartVerdict {
        let explained = |reason: String| format!("{reason}; not tried again: {why}");
        let delivery = match delivery {
            Delivery::NotSent { reason, code } => Delivery::NotSent {
                reason: explained(reason),
                code,
            },
            Delivery::Unknown { reason } => Delivery::Unknown {
                reason: explained(reason),
            },
            other => other,
        };
        self.judge(part, delivery)
    }

    /// What is not tried, because its user's sending window is closed.
    pub(super) fn withhold(&self, part: &Part, closed: &Closed) -> PartVerdict {
        self.counters().add(Counter::PartsWithheld);
        self.judge(
            part,
            Delivery::Refused {
                code: closed.code(),
                meaning: format!("not sent: {closed}"),
                rid: None,
            },
        )
    }

    /// What is not tried, because the part before it was refused for the user's state.
    pub(super) fn untried(&self, part: &Part, code: i64) -> PartVerdict {
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
