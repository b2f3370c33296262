//! What a push says.
//!
//! [`Head`] is what acceptance needs, made from the bytes with hardly an allocation. [`Push`] is everything,
//! for handlers and for people; it is made from the same bytes whenever somebody asks. Both find the same
//! documents malformed.

use std::fmt;

use bytes::Bytes;

use crate::id::{AppId, OpenId};
use crate::protocol::xml::XmlError;

mod account;
mod act;
mod card;
mod dedupe;
mod element;
mod fields;
mod guide;
mod head;
mod headers;
mod invoice;
mod job;
mod menu;
mod message;
mod node;
mod notice;
mod service;
mod sibling;
mod store;
mod value;
mod verification;
mod vocabulary;

pub use account::*;
pub use act::Act;
pub use card::*;
pub use element::{Count, Field, Word};
pub use fields::Fields;
pub use guide::*;
pub use head::Head;
pub use invoice::*;
pub use job::*;
pub use menu::*;
pub use message::*;
pub use notice::*;
pub use service::*;
pub use sibling::*;
pub use store::*;
pub use value::{Decimal, Flag, Id, Number};
pub use verification::*;
pub use vocabulary::{Entry, FAMILIES, Family, Status, Typed, Window};

use headers::Headers;

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

/// Why an authentic document is no push that could be dispatched.
///
/// It is ours all the same: it is stored raw, acknowledged, counted, and shown to the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// It is not well-formed enough, or exceeds a bound.
    #[error("the document {0}")]
    Xml(#[from] XmlError),
    /// An element that only the platform writes stands twice: one of them may be a user's.
    #[error("the element {name} stands twice")]
    Doubled {
        /// The element.
        name: &'static str,
    },
    /// An element that must hold text holds elements.
    #[error("the element {name} holds elements instead of text")]
    Nested {
        /// The element.
        name: &'static str,
    },
    /// An element that every push has is absent or empty.
    #[error("the element {name} is missing")]
    Missing {
        /// The element.
        name: &'static str,
    },
}

/// A push with all its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    kind: Kind,
    dedupe_key: DedupeKey,
    from: OpenId,
    typed: Typed,
    fields: Fields,
}

impl Push {
    /// Reads the inner document of a push.
    ///
    /// # Errors
    /// [`Malformed`] says why it cannot be dispatched; [`Head::read`] says the same of the same bytes.
    pub fn parse(account: &AppId, body: &Bytes) -> Result<Self, Malformed> {
        let headers = Headers::read(body)?;
        let fields = Fields::read(body, headers.recovery())?;
        let mut push = Self {
            kind: headers.kind(),
            dedupe_key: dedupe::key(account, &headers, body)?,
            from: headers.user(),
            typed: Typed::Other,
            fields,
        };
        if let Some(entry) = push.entry() {
            push.typed = entry.read(&push.fields);
        }
        Ok(push)
    }

    /// Message, event or notice.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// `MsgType` as it was sent (compare without ASCII case); empty for a notice.
    pub fn msg_type(&self) -> &str {
        self.fields.get("MsgType").unwrap_or_default()
    }

    /// `Event`, or the `InfoType` of a notice, as it was sent: compare without ASCII case. A message has none:
    /// an `Event` in one was not written by the platform.
    pub fn event(&self) -> Option<&str> {
        match self.kind {
            Kind::Notice => self.fields.get("InfoType"),
            Kind::Event => self.fields.get("Event"),
            Kind::Message | Kind::Malformed => None,
        }
    }

    /// What is known about its kind; none for what has no type.
    pub fn entry(&self) -> Option<&'static Entry> {
        Entry::find(self.kind, self.name())
    }

    /// Which sending window it opens for its user. A tap on an item of a menu message comes as a text, but
    /// opens the window of a menu.
    pub fn window(&self) -> Option<Window> {
        match &self.typed {
            Typed::Text(text) if text.bizmsgmenuid.is_some() => Some(Window::Menu),
            _ => self.entry()?.window,
        }
    }

    /// The user across the accounts of one owner, where the platform tells it.
    pub fn union_id(&self) -> Option<&str> {
        let spellings = ["UnionId", "UnionID", "unionid"];
        let mut found = spellings.iter().filter_map(|name| self.fields.get(name));
        found.find(|text| !text.is_empty())
    }

    /// What it is called among the pushes of its kind.
    fn name(&self) -> &str {
        match self.kind {
            Kind::Message => self.msg_type(),
            Kind::Event | Kind::Notice | Kind::Malformed => self.event().unwrap_or_default(),
        }
    }

    /// The user, or the system user in whose name the platform speaks; empty for a notice.
    pub fn from(&self) -> &OpenId {
        &self.from
    }

    /// The account's original id (`gh_…`), which is not its AppID.
    pub fn to(&self) -> &str {
        self.fields.get("ToUserName").unwrap_or_default()
    }

    /// When it happened, in Unix seconds. Repeats carry the same.
    pub fn create_time(&self) -> Option<i64> {
        self.fields.get("CreateTime")?.parse().ok()
    }

    /// The id of a message. Events have none; their `MsgID`, if any, is that of a job, and a `MsgId` in one
    /// was not written by the platform.
    pub fn msg_id(&self) -> Option<&str> {
        let id = self.fields.get("MsgId");
        id.filter(|_| self.kind == Kind::Message)
    }

    /// What makes a repeat recognisable.
    pub fn dedupe_key(&self) -> DedupeKey {
        self.dedupe_key
    }

    /// What is known about its type.
    pub fn typed(&self) -> &Typed {
        &self.typed
    }

    /// Everything it says.
    pub fn fields(&self) -> &Fields {
        &self.fields
    }
}

/// A type of push that a handler can ask for.
pub trait PushType: Sized + Clone + Send + Sync + 'static {
    /// The `MsgType` of a message, the `Event` of an event or the `InfoType` of a notice, as the platform's
    /// documentation writes it.
    const NAME: &'static str;

    /// The push as this type, if it is one.
    fn of(push: &Push) -> Option<&Self>;
}

#[cfg(test)]
mod tests;
