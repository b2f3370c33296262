//! The typed client of the platform's API.

use std::fmt;

use bytes::Bytes;

use crate::id::AppId;

/// What became of a message handed to the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The platform took it.
    Sent {
        /// The platform's request id, when it gave one.
        rid: Option<String>,
    },
    /// The platform answered that it did not deliver it, and trying again would not help.
    Refused {
        /// The platform's code.
        code: i64,
        /// What the code means and what to do, for people.
        meaning: String,
        /// The platform's request id.
        rid: Option<String>,
    },
    /// Surely not delivered for now: no connection, no access token, or the platform is busy.
    NotSent {
        /// Why, for people.
        reason: String,
        /// The platform's code, when it was the platform that refused for now.
        code: Option<i64>,
    },
    /// The request left and its answer was not seen: it may have been delivered.
    Unknown {
        /// Why, for people.
        reason: String,
    },
}

/// The client.
pub struct Api {}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Api")
    }
}

impl Api {
    /// Sends one customer message (客服消息): the exact JSON of `custom/send`.
    pub async fn deliver(&self, _account: &AppId, _message: Bytes) -> Delivery {
        Delivery::NotSent {
            reason: String::new(),
            code: None,
        }
    }
}
