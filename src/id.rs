//! Names of things: accounts, users and pushes. Each is its own type, so that they cannot be mixed.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::clock::Timestamp;

/// The AppID of a service account (`wx` + 16 hex digits), the name an account has inside wxhook.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppId(Arc<str>);

/// The OpenID of a follower: the same person has another one in every account.
///
/// Pushes that the platform itself originates carry a system user's name here.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OpenId(Arc<str>);

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// The text is empty.
    #[error("is empty")]
    Empty,
    /// The text is longer than any id the platform hands out.
    #[error("has {length} bytes; at most {MAX_ID_BYTES} are allowed")]
    TooLong {
        /// Bytes found.
        length: usize,
    },
    /// The text contains something else than letters, digits, `_`, `-` and `@`.
    #[error("contains {found:?}; only ASCII letters, digits, '_', '-' and '@' are allowed")]
    Character {
        /// The first character that does not belong.
        found: char,
    },
}

/// Bytes of the longest id we take. Real AppIDs have 18, OpenIDs 28; system users' names vary.
pub const MAX_ID_BYTES: usize = 128;

fn check(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > MAX_ID_BYTES {
        return Err(IdError::TooLong { length: text.len() });
    }
    let belongs = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '@');
    match text.chars().find(|c| !belongs(c)) {
        Some(found) => Err(IdError::Character { found }),
        None => Ok(()),
    }
}

impl AppId {
    /// Checks the characters and the length.
    ///
    /// # Errors
    /// [`IdError`] says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        check(text).map(|()| Self(text.into()))
    }

    /// Stands for an account that nobody named, where a document is looked at by itself.
    pub fn unknown() -> Self {
        Self("unknown".into())
    }

    /// The id as the platform writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl OpenId {
    /// Takes any text: what the platform puts into `FromUserName` is the user's name, whatever it is.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The id as the platform writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AppId({})", self.0)
    }
}

impl fmt::Display for OpenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for OpenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenId({})", self.0)
    }
}

impl Serialize for OpenId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for OpenId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// A stored push. Grows with the order of acceptance, across restarts and clock jumps.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct PushId(pub i64);

impl PushId {
    /// Before every push.
    pub const ZERO: Self = Self(0);

    /// The id of the next push: the wall clock's milliseconds in the upper 43 bits, so that an id
    /// tells its time; one more than the last when the clock stands still or went back.
    pub fn next(last: Self, now: Timestamp) -> Self {
        Self((last.0 + 1).max(now.milliseconds().max(0) << 20))
    }
}

impl fmt::Display for PushId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for PushId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PushId({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn push_ids_grow_when_the_clock_stands_still_and_when_it_goes_back() {
        let noon = Timestamp::from_milliseconds(1_700_000_000_000);
        let first = PushId::next(PushId::ZERO, noon);
        let second = PushId::next(first, noon);
        let third = PushId::next(second, Timestamp::from_milliseconds(1_600_000_000_000));
        assert_eq!(first.0, 1_700_000_000_000 << 20);
        assert_eq!((second.0, third.0), (first.0 + 1, first.0 + 2));
    }

    #[test]
    fn an_app_id_with_a_blank_is_refused() {
        assert_eq!(
            AppId::parse("wx12 34"),
            Err(IdError::Character { found: ' ' })
        );
        assert_eq!(AppId::parse(""), Err(IdError::Empty));
    }
}
