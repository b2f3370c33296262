//! What a user wrote.

use serde::Serialize;

use crate::protocol::push::Fields;

/// A text message (文本消息).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Text {
    /// What the user wrote, verbatim but for characters that XML does not know. May be empty.
    pub content: String,
    /// When the text is a tap on an item of a menu message: the id that the sender gave that item, any text.
    pub bizmsgmenuid: Option<String>,
    /// When it was sent from an article's page: that article's message data id.
    pub msg_data_id: Option<String>,
    /// With `msg_data_id`: which article of several, from 1.
    pub idx: Option<String>,
}

impl Text {
    pub(super) fn read(fields: &Fields) -> Self {
        Self {
            content: fields.get("Content").unwrap_or_default().to_owned(),
            bizmsgmenuid: fields.non_empty("bizmsgmenuid"),
            msg_data_id: fields.non_empty("MsgDataId"),
            idx: fields.non_empty("Idx"),
        }
    }
}
