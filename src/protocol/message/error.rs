//! Why the platform would refuse a message, known before it is asked.

use crate::protocol::message::Words;

/// Bytes that a title, a description, an id or a URL may have. The platform publishes no figure for
/// these; it has codes for the excess (45003 to 45006). Real ones are far shorter.
pub const MAX_FIELD_BYTES: usize = 2048;

/// Why the platform would refuse a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Something that must be there is empty or was never given (44004, 40007 and others).
    #[error("{field} is empty")]
    Empty {
        /// What is empty.
        field: &'static str,
    },
    /// Something is longer than its limit (45002 and others).
    #[error("{field} has {length} bytes; at most {limit} are allowed")]
    TooLong {
        /// What is too long.
        field: &'static str,
        /// Bytes of UTF-8 found.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// A list has more entries than its limit (45008, 45098).
    #[error("{field} has {count} entries; at most {limit} are allowed")]
    TooMany {
        /// The list.
        field: &'static str,
        /// Entries found.
        count: usize,
        /// Entries allowed.
        limit: usize,
    },
    /// Something is not written as it must be (61452, 65401).
    #[error("{field} is not written as {form}")]
    Form {
        /// What is written otherwise.
        field: &'static str,
        /// How it must be written.
        form: &'static str,
    },
    /// This channel cannot say it at all.
    #[error("{what} cannot be part of a {channel}")]
    Channel {
        /// What cannot be said.
        what: &'static str,
        /// Through which channel.
        channel: &'static str,
    },
    /// The push comes from the platform itself and can only be acknowledged.
    #[error("a notice can only be acknowledged, not answered")]
    Notice,
}

impl MessageError {
    /// What the author of the handler can do about it.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Empty { .. } => "give it, or say nothing: return () or None",
            Self::TooLong { .. } => {
                "shorten it, or say it in several messages; each takes one place of the sending window"
            }
            Self::TooMany { .. } => "keep the first, or say it in several messages",
            Self::Form { .. } => "copy it from the console",
            Self::Channel { .. } => "say it through the other channel, or leave it out",
            Self::Notice => "return nothing",
        }
    }
}

/// What must be there.
pub(super) fn required(
    field: &'static str,
    words: &Words,
    limit: usize,
) -> Result<(), MessageError> {
    match words.len() {
        0 => Err(MessageError::Empty { field }),
        length if length > limit => Err(MessageError::TooLong {
            field,
            length,
            limit,
        }),
        _ => Ok(()),
    }
}

/// What must be there for this channel, though not for every one.
pub(super) fn given(
    field: &'static str,
    words: Option<&Words>,
    limit: usize,
) -> Result<(), MessageError> {
    words.map_or(Err(MessageError::Empty { field }), |words| {
        required(field, words, limit)
    })
}

/// What may be left out.
pub(super) fn optional(
    field: &'static str,
    words: Option<&Words>,
    limit: usize,
) -> Result<(), MessageError> {
    match words {
        Some(words) if !words.is_empty() => required(field, words, limit),
        _ => Ok(()),
    }
}
