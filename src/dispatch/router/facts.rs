//! What is known beside a push when its route is chosen.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::id::AppId;
use crate::quota::window::Standing;
use crate::store::StoredConversation;

/// What is known beside a push when its route is chosen: all that guards may go by.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Facts {
    /// The account that received the push.
    pub account: AppId,
    /// Its configured name, such as `default`; none where no configuration is read.
    pub account_name: Option<Arc<str>>,
    /// What time it is: when the attempt begins, not when the push was received.
    pub now: Timestamp,
    /// Whether the push's user may be written to.
    pub window: Standing,
    /// Where the user's conversation stands, when something is remembered and a route asks for it.
    pub conversation: Option<StoredConversation>,
}

impl Facts {
    /// A push of this account, handled at this time; nothing else is known.
    pub const fn new(account: AppId, now: Timestamp) -> Self {
        Self {
            account,
            account_name: None,
            now,
            window: Standing::Unknown,
            conversation: None,
        }
    }

    /// The account has this name in the configuration.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.account_name = Some(name.into());
        self
    }

    /// The conversation with the push's user stands here.
    #[must_use]
    pub fn in_conversation(mut self, conversation: StoredConversation) -> Self {
        self.conversation = Some(conversation);
        self
    }

    /// The push's user stands like this.
    #[must_use]
    pub fn with_window(mut self, window: Standing) -> Self {
        self.window = window;
        self
    }
}
