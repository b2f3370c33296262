//! What a push says.

use std::fmt;

/// What sort of push it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Something a follower wrote or sent: `MsgType` is not `event`.
    Message,
    /// Something that happened: `MsgType` is `event`.
    Event,
    /// A notice to a third-party platform: it has an `InfoType`.
    Notice,
    /// Authentic, but unreadable.
    Malformed,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Message, Self::Event, Self::Notice, Self::Malformed];

    /// The word used everywhere: commands, logs, JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Event => "event",
            Self::Notice => "notice",
            Self::Malformed => "malformed",
        }
    }
}

/// What makes a repeat recognisable: the first 128 bits of a SHA-256 over what identifies the push.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DedupeKey(pub [u8; 16]);

impl fmt::Display for DedupeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for DedupeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DedupeKey({self})")
    }
}
