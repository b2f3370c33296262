//! What acceptance needs to know about a push.

use bytes::Bytes;

use crate::id::{AppId, OpenId};
use crate::protocol::push::headers::Headers;
use crate::protocol::push::{DedupeKey, Kind, Malformed, dedupe};

/// Enough of a push to store it, recognise its repeat and keep its user's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Message, event, notice or malformed.
    pub kind: Kind,
    /// Whose order it belongs to; empty for notices and for what could not be read.
    pub user: OpenId,
    /// What makes a repeat recognisable, also of what could not be read.
    pub dedupe_key: DedupeKey,
    /// Why it could not be read, for [`Kind::Malformed`].
    pub malformed: Option<String>,
}

impl Head {
    /// Reads the inner document of a push. Total: what cannot be read is [`Kind::Malformed`].
    pub fn read(account: &AppId, body: &Bytes) -> Self {
        Self::try_read(account, body).unwrap_or_else(|malformed| Self {
            kind: Kind::Malformed,
            user: OpenId::new(""),
            dedupe_key: dedupe::of_malformed(account, body),
            malformed: Some(malformed.to_string()),
        })
    }

    fn try_read(account: &AppId, body: &[u8]) -> Result<Self, Malformed> {
        let headers = Headers::read(body)?;
        Ok(Self {
            kind: headers.kind(),
            user: headers.user(),
            dedupe_key: dedupe::key(account, &headers, body)?,
            malformed: None,
        })
    }
}
