//! What is remembered about the conversation with one user from one push to the next.

use std::fmt;

use crate::clock::Timestamp;
use crate::store::StoreError;

/// Bytes of JSON that a conversation may be: room for a form of a hundred answers, not for a document.
pub const MAX_CONVERSATION_BYTES: usize = 16 * 1024;

/// Where the conversation with a user stands. A user of an account has one at most.
///
/// `Debug` leaves the state out: it may hold what the user said.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredConversation {
    /// The name of the handlers' type that the state was written from.
    pub type_name: String,
    /// The state as JSON, at most [`MAX_CONVERSATION_BYTES`].
    pub state: String,
    /// From then on it is forgotten.
    pub expires_at: Timestamp,
}

impl fmt::Debug for StoredConversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredConversation")
            .field("type_name", &self.type_name)
            .field("state_bytes", &self.state.len())
            .field("expires_at", &self.expires_at)
            .finish()
    }
}

/// What an attempt makes of its user's conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConversationChange {
    /// It stands here now, whatever was remembered before.
    Set(StoredConversation),
    /// Nothing is remembered any more.
    Cleared,
}

impl ConversationChange {
    /// The change without what is remembered.
    pub const fn turned(&self) -> Turned {
        match self {
            Self::Set(_) => Turned::Set,
            Self::Cleared => Turned::Cleared,
        }
    }

    /// Whether it may be stored at all.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match self {
            Self::Set(conversation) if conversation.state.len() > MAX_CONVERSATION_BYTES => {
                Err(StoreError::conflict(format_args!(
                    "a conversation of {} bytes is more than {MAX_CONVERSATION_BYTES}",
                    conversation.state.len()
                )))
            }
            Self::Set(_) | Self::Cleared => Ok(()),
        }
    }
}

/// How a conversation was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turned {
    /// Something is remembered.
    Set,
    /// Nothing is remembered any more.
    Cleared,
}

impl Turned {
    /// The word used everywhere: commands, JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Cleared => "cleared",
        }
    }
}

/// That an attempt changed its user's conversation; not what was remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// The run of the push.
    pub run: u32,
    /// The attempt of that run.
    pub attempt: u32,
    /// When the attempt ended.
    pub at: Timestamp,
    /// How.
    pub turned: Turned,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_not_shown() {
        let conversation = StoredConversation {
            type_name: "shop::Order".to_owned(),
            state: "\"a secret wish\"".to_owned(),
            expires_at: Timestamp::from_seconds(1_700_000_000),
        };
        let shown = format!("{:?}", ConversationChange::Set(conversation));
        assert!(shown.contains("shop::Order"), "{shown}");
        assert!(!shown.contains("wish"), "{shown}");
    }
}
