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

/// The account may not call this.
const UNAUTHORIZED: i64 = 48001;

/// What an operator does about an account that may not send customer messages.
pub const NO_CUSTOMER_MESSAGES: &str = "An account may not send customer messages (48001), so its replies are refused. \
     Set reply.passive_within = \"4s\" (WXHOOK__REPLY__PASSIVE_WITHIN), so that they are the answers to the pushes \
     themselves; or have the account verified. \
     此账号没有客服消息权限（48001），回复被拒绝：请设置 reply.passive_within = \"4s\"，改用被动回复；或完成微信认证。";

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
        if error_code == Some(UNAUTHORIZED) {
            self.tell_of_passive_replies(part);
        }
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

    /// Says once what an account can do that may not send customer messages.
    fn tell_of_passive_replies(&self, part: &Part) {
        let is_first = self.counters().value(Counter::PartsUnauthorized) == 0;
        self.counters().add(Counter::PartsUnauthorized);
        if is_first {
            tracing::error!(
                account = %part.account,
                error_code = UNAUTHORIZED,
                "{NO_CUSTOMER_MESSAGES}"
            );
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

    /// What was given out as the answer to its push.
    pub(super) fn answered(&self, part: &Part) -> PartVerdict {
        self.counters().add(Counter::PartsAnswered);
        self.judge(part, Delivery::Sent { rid: None })
    }

    /// What only a passive reply can say, and the request of its push waits no longer.
    pub(super) fn too_late(&self, part: &Part) -> PartVerdict {
        let reason = "only the answer to the push can say it, and its request was answered before";
        let reason = reason.to_owned();
        self.judge(part, Delivery::Impossible { reason })
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
