//! Conversations: what a handler remembers about its user until the next push.

use std::any::type_name;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::dispatch::extract::{Context, FromPush, Rejection};
use crate::dispatch::live::Live;
use crate::metric::Counter;
use crate::store::{
    ConversationChange, LaneKey, MAX_CONVERSATION_BYTES, StoreError, StoredConversation,
};

/// How long a conversation is remembered at most: 30 days.
pub const MAX_CONVERSATION_EXPIRES: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Where the conversation with the push's user stands, as a type of yours, usually an enum of steps.
///
/// A user of an account has one conversation at most. What a handler sets is stored in the same commit
/// as its outcome and its replies, and only when it succeeds: a handler that fails changes nothing, and
/// its next attempt sees what this one saw. One user's pushes are handled one after another, so nothing
/// can come between. A push that newer ones of its user have passed before it was tried again, or that is
/// replayed, sees where the conversation stands then.
///
/// It is forgotten when its time is over: after `dispatch.conversation_expires` (30 minutes), counted from
/// the last [`set`](Self::set), or after the time given to [`set_for`](Self::set_for).
///
/// ```
/// use std::time::Duration;
/// use serde::{Deserialize, Serialize};
/// use wxhook::dispatch::{Content, Conversation, Error, Router};
/// use wxhook::step;
///
/// #[derive(Serialize, Deserialize)]
/// enum Order {
///     AskedSize,
///     Confirm { size: String },
/// }
///
/// async fn begin(order: Conversation<Order>) -> Result<&'static str, Error> {
///     order.set(Order::AskedSize)?;
///     Ok("要什么尺码？")
/// }
///
/// async fn size(Content(size): Content, order: Conversation<Order>) -> Result<String, Error> {
///     let question = format!("{size} 码，确认请回复“是”。");
///     order.set_for(Order::Confirm { size }, Duration::from_secs(600))?;
///     Ok(question)
/// }
///
/// async fn confirm(Content(answer): Content, order: Conversation<Order>) -> String {
///     order.clear();
///     match order.get() {
///         Some(Order::Confirm { size }) if answer == "是" => format!("已下单：{size} 码。"),
///         _ => "已取消。".to_owned(),
///     }
/// }
///
/// let routes = Router::<()>::new()
///     .text("下单", begin)
///     .step(step!(Order::AskedSize), size)
///     .step(step!(Order::Confirm { .. }), confirm)
///     .with_state(())?;
/// # Ok::<(), wxhook::dispatch::RouteErrors>(())
/// ```
///
/// # After a change of the type
/// The state is kept as JSON under the type's full name. What serde can still read goes on: a new field
/// with `#[serde(default)]`, a variant with `#[serde(alias = "…")]`. What it cannot read any more, or
/// what was written from a type that no route knows now, because it was renamed or moved, begins anew: the
/// conversation is cleared with the push that finds it, with a warning, and counted as
/// `wxhook_conversations_reset_total`. Where old answers must not be taken for new ones though they can
/// be read, give the type another name.
///
/// Routes may have several types of conversations. A handler that asks for another type than the
/// conversation has sees none, and replaces it when it sets one.
pub struct Conversation<C> {
    found: Option<C>,
    remembered: Remembered,
}

impl<C> Conversation<C> {
    /// Where it stood when the push came; `None` when nothing is remembered. What this handler sets does
    /// not change it.
    pub const fn get(&self) -> Option<&C> {
        self.found.as_ref()
    }

    /// The same as a value.
    pub fn into_inner(self) -> Option<C> {
        self.found
    }

    /// Nothing is remembered any more, once the handler succeeds. The last of several changes counts.
    pub fn clear(&self) {
        // After the attempt's end there is nothing to be cleared in its name.
        drop(self.remembered.turn(ConversationChange::Cleared));
    }
}

impl<C: Serialize> Conversation<C> {
    /// It stands here, once the handler succeeds, for `dispatch.conversation_expires` from now. The last
    /// of several changes counts.
    ///
    /// # Errors
    /// [`ConversationError`]; nothing is changed then.
    pub fn set(&self, state: C) -> Result<(), ConversationError> {
        self.set_for(state, self.remembered.expires)
    }

    /// The same for another time, at most [`MAX_CONVERSATION_EXPIRES`].
    ///
    /// # Errors
    /// As [`Conversation::set`].
    pub fn set_for(&self, state: C, time: Duration) -> Result<(), ConversationError> {
        if time > MAX_CONVERSATION_EXPIRES {
            return Err(ConversationError::TooLong { asked: time });
        }
        let state = serde_json::to_string(&state).map_err(ConversationError::Unwritable)?;
        if state.len() > MAX_CONVERSATION_BYTES {
            return Err(ConversationError::TooBig { bytes: state.len() });
        }
        self.remembered
            .turn(ConversationChange::Set(StoredConversation {
                type_name: type_name::<C>().to_owned(),
                state,
                expires_at: self.remembered.live.outbox().now().after(time),
            }))
    }
}

impl<C> fmt::Debug for Conversation<C> {
    /// Without what is remembered: it may be what the user said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation")
            .field("type_name", &type_name::<C>())
            .field("is_some", &self.found.is_some())
            .finish()
    }
}

impl<S, C: DeserializeOwned> FromPush<S> for Conversation<C> {
    fn from_push(context: &Context, _state: &S) -> Result<Self, Rejection> {
        let remembered = context.remembered();
        if context.push().from().as_str().is_empty() {
            return Err(Rejection::wrong_kind("the push comes from no user"));
        }
        if !remembered.is_read {
            return Err(Rejection::new(
                "the conversation was not read: an extractor that takes one inside must say so by `FromPush::conversation`",
            ));
        }
        Ok(Self {
            found: remembered.stored().and_then(read),
            remembered: remembered.clone(),
        })
    }

    fn conversation() -> Option<ConversationType> {
        Some(ConversationType::of::<C>())
    }
}

/// The state, if it is of this type. That it can be read was looked at before.
pub(crate) fn read<C: DeserializeOwned>(stored: &StoredConversation) -> Option<C> {
    let is_of_type = stored.type_name == type_name::<C>();
    is_of_type.then(|| serde_json::from_str(&stored.state).ok())?
}

/// Why a conversation was not set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConversationError {
    /// It is too big: keep what is big elsewhere, and its key here.
    #[error("a conversation of {bytes} bytes is more than {MAX_CONVERSATION_BYTES}")]
    TooBig {
        /// Its size as JSON.
        bytes: usize,
    },
    /// It was to be remembered for too long.
    #[error("a conversation is remembered for 30 days at most, not for {} s", asked.as_secs())]
    TooLong {
        /// The time that was asked for.
        asked: Duration,
    },
    /// serde cannot write it as JSON.
    #[error("the conversation cannot be written")]
    Unwritable(#[source] serde_json::Error),
    /// The handler's attempt has ended, or timed out: nothing is changed in its name any more.
    #[error("the attempt has ended; it can change nothing more")]
    Ended,
}

/// A type of conversations: its name, and whether a state can be read as it.
#[derive(Debug, Clone, Copy)]
pub struct ConversationType {
    name: &'static str,
    check: fn(&str) -> Result<(), serde_json::Error>,
}

impl ConversationType {
    /// The type `C`.
    pub fn of<C: DeserializeOwned>() -> Self {
        Self {
            name: type_name::<C>(),
            check: |state| serde_json::from_str::<C>(state).map(drop),
        }
    }

    /// Each of these types, once.
    pub(crate) fn each_once<'a>(types: impl Iterator<Item = &'a Self>) -> Vec<Self> {
        let mut each: Vec<Self> = Vec::new();
        for one in types {
            if each.iter().all(|known| known.name != one.name) {
                each.push(*one);
            }
        }
        each
    }
}

/// What an attempt knows of its user's conversation, and where it says what it makes of it.
#[derive(Debug, Clone)]
pub(crate) struct Remembered {
    live: Arc<Live>,
    found: Option<Arc<StoredConversation>>,
    is_read: bool,
    /// How long it is remembered when a handler does not say.
    expires: Duration,
}

impl Remembered {
    /// For routes none of which asks for conversations.
    pub(crate) fn nothing(live: &Arc<Live>, expires: Duration) -> Self {
        Self {
            live: Arc::clone(live),
            found: None,
            is_read: false,
            expires,
        }
    }

    /// Reads where the conversation stands. What none of these types can read is cleared with this
    /// attempt.
    pub(crate) async fn read(
        live: &Arc<Live>,
        types: &[ConversationType],
        expires: Duration,
    ) -> Result<Self, StoreError> {
        let mut remembered = Self {
            is_read: true,
            ..Self::nothing(live, expires)
        };
        let lane = LaneKey {
            account: live.account().clone(),
            user: live.to().clone(),
        };
        let outbox = live.outbox();
        let Some(found) = outbox.inbox().conversation(lane, outbox.now()).await? else {
            return Ok(remembered);
        };
        match unreadable(&found, types) {
            None => remembered.found = Some(Arc::new(found)),
            Some(reason) => {
                tracing::warn!(
                    push_id = %live.push(),
                    conversation_type = found.type_name,
                    reason,
                    "A conversation cannot be read any more; it begins anew."
                );
                outbox.counters().add(Counter::ConversationsReset);
                // The attempt has only begun.
                drop(remembered.turn(ConversationChange::Cleared));
            }
        }
        Ok(remembered)
    }

    pub(crate) fn stored(&self) -> Option<&StoredConversation> {
        self.found.as_deref()
    }

    fn turn(&self, change: ConversationChange) -> Result<(), ConversationError> {
        match self.live.turn(change) {
            true => Ok(()),
            false => Err(ConversationError::Ended),
        }
    }
}

/// Why no type can read a state, without what it says.
fn unreadable(found: &StoredConversation, types: &[ConversationType]) -> Option<String> {
    let Some(known) = types.iter().find(|known| known.name == found.type_name) else {
        return Some("no route knows its type".to_owned());
    };
    let error = (known.check)(&found.state).err()?;
    let (kind, column) = (error.classify(), error.column());
    Some(format!("its type reads it no more: {kind:?} at column {column}").to_lowercase())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::clock::Timestamp;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Order {
        AskedSize,
        Confirm { size: String },
    }

    fn stored(type_name: &str, state: &str) -> StoredConversation {
        StoredConversation {
            type_name: type_name.to_owned(),
            state: state.to_owned(),
            expires_at: Timestamp::from_seconds(1_700_000_000),
        }
    }

    #[test]
    fn a_state_is_read_by_its_own_type_alone_and_why_not_never_tells_what_it_was() {
        let mine = type_name::<Order>();
        let types = [
            ConversationType::of::<Order>(),
            ConversationType::of::<String>(),
        ];
        for (name, stored, expected, reason) in [
            (
                "as written",
                stored(mine, "\"AskedSize\""),
                Some(Order::AskedSize),
                None,
            ),
            (
                "a variant that is gone",
                stored(mine, "\"AskedAge\""),
                None,
                Some("its type reads it no more: data at column 10"),
            ),
            (
                "a field that is gone",
                stored(mine, "{\"Confirm\":{\"colour\":\"a secret\"}}"),
                None,
                Some("its type reads it no more: data at column 32"),
            ),
            (
                "another type",
                stored(type_name::<String>(), "\"AskedSize\""),
                None,
                None,
            ),
            (
                "a type that no route knows",
                stored("shop::Order", "\"AskedSize\""),
                None,
                Some("no route knows its type"),
            ),
        ] {
            assert_eq!(read::<Order>(&stored), expected, "{name}");
            assert_eq!(unreadable(&stored, &types).as_deref(), reason, "{name}");
        }
    }
}
