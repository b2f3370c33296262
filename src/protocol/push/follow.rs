//! Users who come and go.

use serde::Serialize;

use crate::protocol::push::Fields;

/// A user began to follow (关注), perhaps by scanning a code or after paying.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Subscribe {
    /// Where the user comes from, as it was sent. The platform also sends an empty one, which is none.
    pub event_key: Option<String>,
    /// The ticket of the scanned code.
    pub ticket: Option<String>,
}

impl Subscribe {
    pub(super) fn read(fields: &Fields) -> Self {
        Self {
            event_key: fields.non_empty("EventKey"),
            ticket: fields.non_empty("Ticket"),
        }
    }

    /// The scene of the scanned code (带参数二维码): `EventKey` without its `qrscene_`. The scene itself may
    /// begin with that word too.
    pub fn scene(&self) -> Option<&str> {
        self.event_key.as_deref()?.strip_prefix("qrscene_")
    }

    /// The transaction of WeChat Pay after which the user followed.
    pub fn transaction(&self) -> Option<&str> {
        self.event_key.as_deref()?.strip_prefix("last_trade_no_")
    }
}

/// A user ceased to follow (取消关注), and cannot be messaged any more. What is stored about the user must be deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Unsubscribe {}
