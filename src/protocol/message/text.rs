//! A text to say.

use serde::Serialize;

use crate::protocol::message::error::required;
use crate::protocol::message::{MessageError, Words};

/// Bytes of UTF-8 of the longest text that the platform takes; beyond it answers 45002. Some 680 Chinese
/// characters.
pub const MAX_TEXT_BYTES: usize = 2048;

/// A text to say. `\n` breaks the line, `<a href="…">` makes a link; nothing else is markup.
///
/// Text that others wrote belongs through [`without_links`](super::without_links) first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Text {
    /// What the user will see.
    pub content: Words,
}

impl Text {
    /// Takes the text.
    pub fn new(content: impl Into<String>) -> Self {
        Self {
            content: Words::new(content),
        }
    }

    pub(super) fn check(&self) -> Result<(), MessageError> {
        required("the text", &self.content, MAX_TEXT_BYTES)
    }
}
